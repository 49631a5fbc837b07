"""Figures of state-space duality: masks and blocks, widths of duals, and the rank explosion of softmax."""

from __future__ import annotations

import numpy as np

from hippo_theory.duality import (
    TimeVaryingSystem,
    head_sum,
    least_dual,
    one_semiseparable,
    realized_matrix,
    semiseparable_rank,
    softmax_ranks,
)
from hippo_theory.figures.registry import figure
from hippo_theory.figures.style import COLORS, Array, Data, Panels, label_curves

__all__ = ["dual_widths", "duality_masks", "softmax_rank"]

_DUALITY = "On structured state-space duality (arXiv:2510.04944)"


@figure(
    "duality-masks",
    title="A diagonal system as masked attention: heads, blocks and new columns",
    caption=(
        "The matrix $M$ of a diagonal system of two states whose decays are sometimes zero (left) is the sum of two masked "
        "heads (middle). Its finest blocks are framed; their new columns are marked below. The widest block has "
        "<width> of them, so that no masked attention of less width is $M$, although its semiseparable rank is <rank>."
    ),
    alternative=(
        "Four lower triangular matrices as images: a matrix, its two heads, which are zero in different rectangles, and the "
        "matrix again, framed into diagonal blocks with the new columns of each block marked by triangles."
    ),
    source=f"{_DUALITY}; the system is chosen here",
    panels=(1, 4),
    size=(7.2, 2.3),
    units={
        "matrix": "entries of M, rows are times of the output",
        "head": "entries of 1SS(a^n) * (c^n (b^n)^T)",
        "blocks": "first step of each finest block",
        "new_columns": "step, from 0",
        "width": "least width of a dual",
        "rank": "semiseparable rank",
    },
)
def duality_masks(panels: Panels, *, seed: int = 4, steps: int = 16) -> Data:
    """Decays 7/8 and 3/4, exactly zero at some steps; at one step both are."""
    rng = np.random.default_rng(seed)
    decays = np.array([[0.875, 0.75]] * steps)
    decays[[3, 7, 13], 0] = 0
    decays[[5, 7, 10], 1] = 0  # at 7 both: a cut
    B, C = (rng.choice([-2.0, -1.0, 1.0, 2.0], (steps, 2)) for _ in range(2))
    system = TimeVaryingSystem(decays, B, C)
    M = realized_matrix(system)
    heads = [one_semiseparable(a) * np.outer(c, b) for a, b, c in head_sum(system)]
    dual = least_dual(M)
    data: Data = {
        "matrix": M,
        "head_1": heads[0],
        "head_2": heads[1],
        "blocks": np.array([block.start for block in dual.blocks]),
        "new_columns": np.array([t for block in dual.blocks for t in block.new_columns]),
        "width": np.array(dual.minimum_width),
        "rank": np.array(semiseparable_rank(M)),
    }
    if panels is None:
        return data
    limit = np.abs(M).max()
    shown = [
        (M, "$M$"),
        (heads[0], "$L^{(1)} \\circ (c^1 b^{1\\top})$"),
        (heads[1], "$L^{(2)} \\circ (c^2 b^{2\\top})$"),
    ]
    for axes, (matrix, title) in zip(panels, [*shown, (M, "blocks, new columns")], strict=True):
        visible = np.where(np.tri(steps, dtype=bool), matrix, np.nan)
        image = axes.imshow(visible, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
        axes.set(title=title, xticks=[], yticks=[], xlabel="input time $s$")
        axes.grid(visible=False)
    panels[0].set_ylabel("output time $t$")
    from matplotlib.patches import Rectangle

    for block in dual.blocks:
        size = block.stop - block.start
        panels[3].add_patch(
            Rectangle((block.start - 0.5, block.start - 0.5), size, size, fill=False, edgecolor="black", linewidth=1.0)
        )
    panels[3].plot(data["new_columns"], np.full(len(data["new_columns"]), steps + 0.4), "^", color="black", markersize=3.5,
                   clip_on=False)  # fmt: skip
    panels[3].set_ylim(steps + 1.2, -0.5)
    panels[0].figure.colorbar(image, ax=list(panels), shrink=0.75, label="entry")
    return data


def _counted(size: int) -> Array:
    """How many lower triangular 0/1 matrices have each semiseparable rank (rows) and least width (columns).

    All at once, by singular values: these ranks are exact, since of a 0/1 matrix of rank r up to 5 x 5 some r x r minor is a
    nonzero integer, so that the r-th singular value is at least 1/5^(r-1), far above rounding.
    """
    places = np.array([(t, s) for t in range(size) for s in range(t + 1)])
    bits = (np.arange(2 ** len(places))[:, None] >> np.arange(len(places))) & 1
    M = np.zeros((len(bits), size, size))
    M[:, places[:, 0], places[:, 1]] = bits
    rank, width, inside = (np.zeros(len(M), dtype=int) for _ in range(3))
    for t in range(size):
        corner = np.linalg.matrix_rank(M[:, t:, : t + 1], tol=1e-6)
        before = np.linalg.matrix_rank(M[:, t:, :t], tol=1e-6) if t else 0
        rank = np.maximum(rank, corner)
        # A block ends where nothing remains below on the left; the new columns of one block are counted together.
        inside = np.where(M[:, t:, :t].any(axis=(1, 2)), inside, 0) + (corner - before)
        width = np.maximum(width, inside)
    counts = np.zeros((size, size + 1), dtype=int)
    np.add.at(counts, (rank, width), 1)
    return counts


@figure(
    "dual-widths",
    title="How wide a masked-attention dual must be",
    caption=(
        "Left: all <count> lower triangular 0/1 matrices of size <size>, by semiseparable rank (the least state size) and least "
        "width of a dual, each computed exactly; <wider> of them, below the line, need more width than states. Right: "
        "$I + E_{T1}$ has rank 2 at every length and needs width $T - 1$."
    ),
    alternative=(
        "Left discs with counts: most matrices need a width equal to their rank, some more. Right a straight line of slope "
        "one, the width, above a constant line at two, the semiseparable rank."
    ),
    source=f"{_DUALITY}, its necessary and sufficient condition and its example against duality at low rank",
    panels=(1, 2),
    size=(7.0, 2.8),
    units={
        "counts": "number of matrices, rows: semiseparable rank, columns: least width",
        "count": "number of matrices",
        "size": "rows of each matrix",
        "wider": "number of matrices whose least width exceeds their rank",
        "length": "T",
        "width": "least width of a dual of I + E_(T,1)",
        "rank": "semiseparable rank of I + E_(T,1)",
    },
)
def dual_widths(panels: Panels, *, size: int = 5, longest: int = 24) -> Data:
    """Counts of all matrices; those on the right by constructed dual and certificate."""
    counts = _counted(size)
    lengths = np.arange(4, longest + 1, 2)
    corners = []
    for T in lengths:
        corner = np.eye(int(T), dtype=int)
        corner[-1, 0] = 1
        corners.append(corner)
    data: Data = {
        "counts": counts,
        "count": np.array(counts.sum()),
        "size": np.array(size),
        "wider": np.array(np.triu(counts, 1).sum()),
        "length": lengths,
        "width": np.array([least_dual(M).minimum_width for M in corners]),
        "rank": np.array([semiseparable_rank(M) for M in corners]),
    }
    if panels is None:
        return data
    left, right = panels
    ranks, widths = np.nonzero(counts)
    left.set(xlim=(-0.6, widths.max() + 0.6), ylim=(-0.6, ranks.max() + 0.6))
    left.scatter(
        ranks * 0 + widths, ranks, s=40 + 60 * np.log10(counts[ranks, widths] + 1), color=COLORS["sky"], alpha=0.6
    )
    for rank, width in zip(ranks, widths, strict=True):
        left.annotate(str(counts[rank, width]), (width, rank), ha="center", va="center", fontsize=7)
    left.plot([-0.6, ranks.max() + 0.6], [-0.6, ranks.max() + 0.6], color="gray", linewidth=0.7, linestyle=":")
    left.set(xlabel="least width of a dual", ylabel="semiseparable rank", title=f"all 0/1 matrices, $T={size}$")
    left.set_xticks(range(widths.max() + 1))
    left.set_yticks(range(ranks.max() + 1))
    right.plot(lengths, data["width"], "o-", color=COLORS["vermilion"], markersize=3)
    right.plot(lengths, data["rank"], "s-", color=COLORS["blue"], markersize=3)
    right.set(xlabel="length $T$", ylabel="width, rank", title="$I + E_{T1}$", ylim=(0, None))
    right.xaxis.get_major_locator().set_params(integer=True)
    label_curves(
        right,
        [
            (float(lengths[-1]), float(data["width"][-1]), "least width", COLORS["vermilion"]),
            (float(lengths[-1]), float(data["rank"][-1]), "rank", COLORS["blue"]),
        ],
    )
    return data


@figure(
    "softmax-rank",
    title="The rank explosion of softmax attention, which floating point does not see",
    caption=(
        "Softmax of the rank-one logits $ij\\ln 2$: the exact rank of the whole matrix is $T$, the semiseparable rank of the "
        "causal one, the least state size that realizes it, is $\\lfloor (T+1)/2 \\rfloor$ (dots on the lines). The singular "
        "values of the same matrix in float64, rows divided by their sums, that exceed $T\\epsilon$ times the largest, "
        "$\\epsilon = 2^{-52}$, are at most <float_largest> (crosses)."
    ),
    alternative=(
        "Two rising lines with dots on them, the rank T and half of it, and crosses that follow the first line for short "
        "lengths and then stay far below it."
    ),
    source=f"{_DUALITY}, on the rank explosion of softmax attention; corner blocks and float64 derived here",
    size=(4.8, 3.2),
    units={
        "length": "T",
        "full": "exact rank of softmax",
        "semiseparable": "exact semiseparable rank of causal softmax",
        "float_rank": "numerical rank in float64 (singular values above T eps times the largest)",
        "float_largest": "the largest of these",
    },
)
def softmax_rank(panels: Panels, *, longest: int = 32) -> Data:
    """Ranks of 2^(ij) in integers, and of its rounded softmax by singular values, which count a few."""
    lengths = np.arange(1, longest + 1)
    exact = [softmax_ranks(int(T)) for T in lengths]
    rounded = []
    for T in lengths:
        logits = np.outer(np.arange(1, T + 1), np.arange(1, T + 1)) * np.log(2)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        rounded.append(int(np.linalg.matrix_rank(weights / weights.sum(axis=1, keepdims=True))))
    data: Data = {
        "length": lengths,
        "full": np.array([ranks.full for ranks in exact]),
        "semiseparable": np.array([ranks.semiseparable for ranks in exact]),
        "float_rank": np.array(rounded),
        "float_largest": np.array(max(rounded)),
    }
    if panels is None:
        return data
    (axes,) = panels
    axes.plot(lengths, lengths, color=COLORS["blue"], linewidth=0.8)
    axes.plot(lengths, (lengths + 1) // 2, color=COLORS["vermilion"], linewidth=0.8, drawstyle="steps-mid")
    axes.plot(lengths, data["full"], "o", color=COLORS["blue"], markersize=2.5)
    axes.plot(lengths, data["semiseparable"], "o", color=COLORS["vermilion"], markersize=2.5)
    axes.plot(lengths, data["float_rank"], "x", color="black", markersize=3.5)
    axes.set(xlabel="length $T$", ylabel="rank", ylim=(0, None))
    label_curves(
        axes,
        [
            (float(lengths[-1]), float(longest), "softmax, exact", COLORS["blue"]),
            (float(lengths[-1]), float((longest + 1) // 2), "state size, exact", COLORS["vermilion"]),
            (float(lengths[-1]), float(rounded[-1]), "softmax, float64", "black"),
        ],
    )
    return data
