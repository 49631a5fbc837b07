"""Figures of LegS as an operator: numerical range, resolvent, pseudospectra, and the growth of its eigenvectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from flint import acb, acb_mat

from hippo_theory.arithmetic import balls
from hippo_theory.decompositions import (
    diagonalizing_condition,
    diagonalizing_growth,
    diagonalizing_matrix,
    largest_diagonalizing_entry,
)
from hippo_theory.families import LegS
from hippo_theory.figures.registry import figure
from hippo_theory.figures.style import COLORS, Array, Data, Panels, label_curves

__all__ = ["eigenvector_growth", "numerical_range_resolvent", "pseudospectra"]

_GOLDEN = (1 + math.sqrt(5)) / 2
_EPS = float(np.finfo(np.float64).eps)


# --- numerical range and resolvent -------------------------------------------------------------------------------------


def _range_boundary(A: Array, angles: Array) -> Array:
    """v* A v for the top eigenvector v of the Hermitian part of e^(-i angle) A: points on the boundary of the range."""
    points = np.empty(len(angles), dtype=complex)
    for place, angle in enumerate(angles):
        turned = np.exp(-1j * angle) * A
        v = np.linalg.eigh((turned + turned.conj().T) / 2)[1][:, -1]
        points[place] = v.conj() @ A @ v
    return points


@figure(
    "numerical-range-resolvent",
    title="LegS seen as an operator: its numerical range and its resolvent",
    caption=(
        "Left: the numerical range of $A$ of LegS, divided by $N^2$. It ends on the left of $\\mathrm{Re} = -1/(2N^2)$, "
        "because $A + A^T = -(I + BB^T)$, and tends to that of minus the Volterra operator $\\int_0^x$ (dotted; derived here). "
        "The eigenvalues $-1, \\dots, -N$ of $A$ (dots, $N = 16$) lie inside, near the flat side; the range of the normal part "
        "is the vertical segment on the right. Right: the norm of the resolvent on the imaginary axis. That of $A$ stays below "
        "$2$ (dotted), is largest at $0$, there $<peak_16:.4f>$ and $<peak_64:.4f>$ for $N = 16$ and $64$, and decreases; that "
        "of the normal part ($N = 64$) returns to exactly $2$ at each of its eigenvalues."
    ),
    alternative=(
        "Left, convex regions in the left half plane that look like half ellipses with a flat right side, nearly the same for "
        "all sizes after division by N squared, and a dotted limit. Right, resolvent norms against frequency: smooth "
        "decreasing curves for LegS below two, and a comb of equally high peaks for the normal part."
    ),
    source="derived here (claims core.legs.sym.*); range of the Volterra operator: Halmos, A Hilbert Space Problem Book",
    panels=(1, 2),
    size=(7.2, 3.3),
    digits=7,
    axes={"width_ratios": [1, 1.5]},
    units={
        "angle": "direction of the supporting line, radians",
        "range": "boundary of the numerical range of A divided by N^2, upper half (per unit of time)",
        "limit": "boundary of the numerical range of minus the Volterra operator, upper half (1)",
        "segment": "half length of the range of the normal part divided by N^2 (per unit of time)",
        "frequency": "w, radians per unit of time",
        "resolvent": "spectral norm of the inverse of (iw - A), for that N (units of time)",
        "normal_frequency": "w for the normal part, radians per unit of time",
        "normal": "spectral norm of the inverse of (iw - S), S the normal part (units of time)",
        "peak": "spectral norm of the inverse of A (units of time)",
    },
)
def numerical_range_resolvent(
    panels: Panels, *, sizes: Sequence[int] = (4, 16, 64), normal_size: int = 64, points: int = 90
) -> Data:
    """Eigenvectors and singular values by LAPACK, backward stable; the normal part from its spectrum.

    A/N^2 has the kernel -R_n R_k/N^2; with x = (n/N)^2 it tends to minus the Volterra operator, whose numerical range is
    bounded by (1 - cos t)/t^2 +- i (t - sin t)/t^2, 0 < t <= 2 pi, and a vertical segment.
    """
    # At angle 0 a whole segment is supported, from which an eigensolver would choose one point.
    angles = np.concatenate([np.geomspace(1e-3, 0.3, 25), np.linspace(0.35, math.pi, 60)])
    t = np.linspace(1e-2, 2 * math.pi, 120)
    frequency = np.concatenate([[0.0], np.geomspace(0.02, 4 * normal_size**2, points)])
    spikes = LegS(normal_size).normal_spectrum().imag[: (normal_size + 1) // 2]
    near = (spikes[:, None] + np.array([-2, -0.7, -0.25, 0, 0.25, 0.7, 2])).ravel()
    normal_frequency = np.unique(np.concatenate([near[near > 0.02], np.geomspace(0.02, 4 * normal_size**2, 150)]))
    nearest = np.abs(normal_frequency[:, None] - spikes).min(axis=1)
    data: Data = {
        "angle": angles,
        "limit": -(1 - np.cos(t)) / t**2 + 1j * (t - np.sin(t)) / t**2,
        "frequency": frequency,
        "normal_frequency": normal_frequency,
        "normal": 1 / np.hypot(0.5, nearest),
        "segment": np.asarray(spikes[0] / normal_size**2),
    }
    for N in sizes:
        A, identity = LegS(N).A, np.eye(N)
        data[f"range_{N}"] = _range_boundary(A, angles) / N**2
        smallest = [np.linalg.svd(1j * w * identity - A, compute_uv=False)[-1] for w in frequency]
        data[f"resolvent_{N}"] = 1 / np.array(smallest)
        data[f"peak_{N}"] = data[f"resolvent_{N}"][0]
    if panels is not None:
        _draw_range(panels, data, sizes, normal_size)
    return data


def _draw_range(panels: Panels, data: Data, sizes: Sequence[int], normal_size: int) -> None:
    left, right = panels
    colors = dict(zip(sizes, (COLORS["green"], COLORS["blue"], COLORS["vermilion"]), strict=False))
    limit = np.concatenate([data["limit"], data["limit"][::-1].conj(), data["limit"][:1]])
    for N in sizes:
        upper = data[f"range_{N}"]
        closed = np.concatenate([upper, upper[::-1].conj(), upper[:1]])
        left.plot(closed.real, closed.imag, color=colors[N], linewidth=0.9)
    left.plot(limit.real, limit.imag, ":", color="black", linewidth=1.4)
    middle = 16
    left.plot(
        -np.arange(1, middle + 1) / middle**2, np.zeros(middle), ".", color=colors.get(middle, "black"), markersize=2.5
    )
    left.plot([0, 0], [-data["segment"], data["segment"]], color=COLORS["purple"], linewidth=2, solid_capstyle="butt")
    left.annotate("normal part", (0.05, 0.34), ha="right", color=COLORS["purple"], fontsize=7)
    for N, height in zip(sizes, (0.395, 0.355, 0.315), strict=False):
        text = f"$N={N}$" if sizes[0] == N else f"${N}$"
        left.annotate(text, (-0.53, height), color=colors[N], fontsize=7, ha="left")
    left.annotate("Volterra", (-0.53, 0.275), fontsize=7)
    left.set(
        xlabel="real part$\\,/N^2$ (per unit of time)", ylabel="imaginary part$\\,/N^2$ (per unit of time)",
        title="numerical range", aspect="equal", xlim=(-0.56, 0.06), ylim=(-0.44, 0.44),
    )  # fmt: skip
    right.loglog(data["normal_frequency"], data["normal"], color=COLORS["purple"], linewidth=0.6)
    right.axhline(2, color="gray", linestyle=":")
    frequency = data["frequency"]
    for N in sizes:
        right.loglog(frequency[1:], data[f"resolvent_{N}"][1:], color=colors[N])
        place = int(np.flatnonzero(data[f"resolvent_{N}"] < 0.3)[0])
        right.annotate(
            f"$N={N}$" if sizes[0] == N else f"${N}$", (frequency[place], data[f"resolvent_{N}"][place]), xytext=(-5, 0),
            textcoords="offset points", color=colors[N], ha="right", va="center", fontsize=7,
        )  # fmt: skip
    right.annotate(
        f"normal part, $N={normal_size}$", (data["frequency"][-1], 2.3), color=COLORS["purple"], ha="right", fontsize=7
    )
    right.set(
        xlabel="frequency $w$ (radians per unit of time)", ylabel="$\\|(iw - A)^{-1}\\|$ (units of time)",
        title="resolvent on the imaginary axis", ylim=(2e-3, 4),
    )  # fmt: skip


# --- growth of the eigenvectors -----------------------------------------------------------------------------------------


@figure(
    "eigenvector-growth",
    title="The eigenvectors of LegS grow like the golden ratio to the power 2N",
    caption=(
        "Left: the entries $\\binom{i+j}{2j}$ of the matrix that diagonalizes LegS (after a diagonal scaling). Row by row they "
        "are largest at $j = i/\\sqrt{5}$ (dashed); S4 looks at $j = i/3$ (dotted). Middle: condition numbers and the largest "
        "entry (dotted: its law $\\varphi^{2N-1} 5^{1/4}/(2\\sqrt{\\pi N})$, and the rates $(2\\varphi)^{2N}$ in the maximum "
        "norm and $(1+\\sqrt2)^{2N}$ at best); float64 has no correct digit left above the gray line: the best "
        "condition number that any "
        "scaling of the eigenvectors of $A$ reaches passes it at $N = <lost_at:d>$. Right: bits per state of the largest "
        "entry, which tend to $2\\log_2\\varphi = 1.3885$, not to the $4/3$ of the entry that S4 quotes (at $N = "
        "<last_size:d>$: $<bits_last:.4f>$ and $<bits_quoted_last:.4f>$)."
    ),
    alternative=(
        "Left, a triangular image whose entries grow towards the bottom, with two lines through the largest entries of each "
        "row. Middle, four quantities that grow exponentially in N. Right, logarithms divided by N: the largest entry tends to "
        "1.39, the entry quoted by S4 to 1.33."
    ),
    source="S4 (arXiv:2111.00396), lemma 3.2 and the growth quoted with it; the rates are derived here",
    panels=(1, 3),
    size=(7.2, 2.8),
    units={
        "entries": "log10 of the entries of the diagonalizing matrix, NaN above the diagonal",
        "size": "state size N of the middle panel",
        "largest": "the largest entry (1)",
        "law": "its leading term (1)",
        "condition": "condition number in that norm; best: the least over scalings of the eigenvectors of A (1)",
        "size_right": "state size N of the right panel",
        "bits": "log2 of the largest entry divided by N (1)",
        "bits_quoted": "log2 of the entry binom(4i, 2i) of row 3i, the last such row, divided by N (1)",
        "bits_law": "log2 of the leading term divided by N (1)",
        "lost_at": "first N at which the best condition number passes 2^52",
        "last_size": "the largest N of the right panel",
    },
)
def eigenvector_growth(
    panels: Panels,
    *,
    image_size: int = 48,
    sizes: Sequence[int] = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48),
    powers: int = 14,
) -> Data:
    """Exact integers and balls of 128 bits, rounded."""
    V = diagonalizing_matrix(image_size)
    with np.errstate(divide="ignore"):
        entries = np.array([[math.log10(value) if value else math.nan for value in row] for row in V.tolist()])
    large = [2**power for power in range(3, powers + 1)]
    ring = balls(128)
    conditions = {
        norm: np.array([float(diagonalizing_condition(N, ring, norm=norm)) for N in sizes])
        for norm in ("best", "infinity", "frobenius")
    }
    lost = next(N for N in range(1, 200) if diagonalizing_condition(N, ring, norm="best") > 2**52)
    bits = np.array([math.log2(largest_diagonalizing_entry(N)) / N for N in large])
    # Rows reach N - 1: the last row 3i has i = (N-1)//3.
    quoted = np.array([math.log2(math.comb(4 * ((N - 1) // 3), 2 * ((N - 1) // 3))) / N for N in large])
    with ring.work():
        laws = np.array([float(diagonalizing_growth(N, ring).log() / math.log(2)) / N for N in large])
    data: Data = {
        "entries": entries,
        "size": np.array(sizes),
        "largest": np.array([float(largest_diagonalizing_entry(N)) for N in sizes]),
        "law": np.array([float(diagonalizing_growth(N, ring)) for N in sizes]),
        **{f"condition_{norm}": values for norm, values in conditions.items()},
        "size_right": np.array(large),
        "bits": bits,
        "bits_quoted": quoted,
        "bits_law": laws,
        "lost_at": np.array(lost),
        "last_size": np.array(large[-1]),
        "bits_last": bits[-1],
        "bits_quoted_last": quoted[-1],
    }
    if panels is not None:
        _draw_growth(panels, data)
    return data


def _draw_growth(panels: Panels, data: Data) -> None:
    left, middle, right = panels
    rows = len(data["entries"]) - 1
    image = left.imshow(data["entries"], cmap="viridis", interpolation="nearest")
    left.figure.colorbar(image, ax=left, label="$\\log_{10}$ of the entry", location="top", shrink=0.9)
    left.plot([0, rows / math.sqrt(5)], [0, rows], "--", color="white", linewidth=0.9)
    left.plot([0, rows / 3], [0, rows], ":", color="white", linewidth=0.9)
    left.grid(False)
    left.set(xlabel="column $j$", ylabel="row $i$")
    sizes = data["size"]
    curves = (
        ("condition_infinity", "condition,\nmaximum norm", COLORS["vermilion"]),
        ("condition_best", "best condition", COLORS["blue"]),
        ("largest", "largest entry", COLORS["green"]),
    )
    labels = []
    for name, text, color in curves:
        middle.semilogy(sizes, data[name], "o-", color=color, markersize=2, linewidth=0.8)
        labels.append((float(sizes[-1]), float(data[name][-1]), text, color))
    tail = sizes >= 8
    for name, base, color in (
        ("condition_infinity", 2 * _GOLDEN, COLORS["vermilion"]),
        ("condition_best", 1 + math.sqrt(2), COLORS["blue"]),
    ):
        law = data[name][-1] * base ** (2.0 * (sizes[tail] - sizes[-1]))
        middle.semilogy(sizes[tail], law, ":", color=color, linewidth=2.5, alpha=0.5)
    middle.semilogy(sizes, data["law"], ":", color=COLORS["green"], linewidth=2.5, alpha=0.5)
    middle.axhline(1 / _EPS, color="gray", linewidth=0.8)
    middle.annotate(
        "$2^{52}$", (sizes[0], 1 / _EPS), xytext=(0, 2), textcoords="offset points", color="gray", fontsize=7
    )
    middle.set(xlabel="state size $N$", ylabel="condition number, or entry")
    label_curves(middle, labels)
    sizes = data["size_right"]
    right.semilogx(sizes, data["bits"], "o", color=COLORS["green"], markersize=3)
    right.semilogx(sizes, data["bits_law"], ":", color=COLORS["green"])
    right.semilogx(sizes, data["bits_quoted"], "s", color=COLORS["orange"], markersize=2.5)
    for value, text, color in (
        (2 * math.log2(_GOLDEN), "$2\\log_2\\varphi$", COLORS["green"]), (4 / 3, "$4/3$", COLORS["orange"])
    ):  # fmt: skip
        right.axhline(value, color=color, linewidth=0.7)
        right.annotate(text, (sizes[0], value), xytext=(0, 2), textcoords="offset points", color=color, fontsize=7)
    right.set(xlabel="state size $N$", ylabel="$\\log_2$(entry)$\\,/N$ (bits per state)")
    right.annotate("largest entry", (sizes[3], 1.07), color=COLORS["green"], fontsize=7)
    right.annotate("entry quoted by S4", (sizes[3], 1.0), color=COLORS["orange"], fontsize=7)


# --- pseudospectra ------------------------------------------------------------------------------------------------------


def _smallest_singular_values(N: int, points: Array, bits: int) -> Array:
    """sigma_min(z - A) of LegS at an array of points, relatively accurate however small.

    The inverse of z - A is certified in balls, entry by entry; its norm, 1/sigma_min, is a largest singular value, which
    float64 gives with a relative error of about N eps.
    """
    values = np.empty(points.shape)
    with balls(bits).work() as ring:
        A = acb_mat(LegS(N).state_matrix(ring).tolist())
        identity = acb_mat([[int(n == k) for k in range(N)] for n in range(N)])
        for place, z in np.ndenumerate(points):
            inverse = (identity * acb(float(z.real), float(z.imag)) - A).inv()
            resolvent = np.array([complex(entry) for entry in inverse.entries()]).reshape(N, N)
            values[place] = 1 / np.linalg.norm(resolvent, 2)
    return values


@figure(
    "pseudospectra",
    title="Pseudospectra of LegS and of its normal part",
    caption=(
        "$\\log_{10} \\sigma_{min}(zI - M)$ at $N = 16$: how small a change of $M$ makes $z$ an eigenvalue. Left, $M = A$, "
        "with the eigenvalues $-1, \\dots, -16$ (dots): most of them lie within the contour of $10^{-6}$. Middle, its normal "
        "part in the same window: the distance to the spectrum. To the right (dotted: imaginary axis) nothing happens: "
        "$\\sigma_{min} \\ge "
        "\\mathrm{Re}\\,z + \\frac{1}{2}$ for both. Right, on the real axis halfway between eigenvalues: $\\sigma_{min}(x - "
        "A)$ falls to $10^{<least_8:.1f>}$, $10^{<least_16:.1f>}$, $10^{<least_24:.1f>}$ and $10^{<least_32:.1f>}$ for $N = 8, "
        "16, 24, 32$. What float64 finds at $N = 32$ (gray) is noise where $\\sigma_{min}$ is below the rounding errors of $A$."
    ),
    alternative=(
        "Two contour maps and one plot. For LegS egg shaped contours surround the whole negative real axis from minus one to "
        "minus sixteen, many powers of ten deep. For the normal part there are circles around a few points of a vertical line. "
        "On the real axis the smallest singular value drops by many orders of magnitude as N grows."
    ),
    source="derived here; compare PTD (arXiv:2310.01698), which perturbs LegS to make it diagonalizable",
    panels=(1, 3),
    size=(7.2, 3.0),
    digits=8,
    axes={"width_ratios": [1, 1, 1.25]},
    units={
        "real": "real parts of the grid, per unit of time (real_normal: of the finer grid of the normal part)",
        "imaginary": "imaginary parts of the grid (positive half), per unit of time (imaginary_normal: of the finer grid)",
        "full": "log10 of the smallest singular value of z - A (per unit of time)",
        "normal": "log10 of the smallest singular value of z - S, S the normal part (per unit of time)",
        "axis": "x on the real axis, per unit of time",
        "smallest": "smallest singular value of x - A at that N (per unit of time)",
        "least": "log10 of the smallest of these at that N (per unit of time)",
    },
)
def pseudospectra(
    panels: Panels, *, N: int = 16, columns: int = 48, rows: int = 26, sizes: Sequence[int] = (8, 16, 24, 32)
) -> Data:
    """Certified resolvents in balls; the normal part by its distance to the spectrum.

    The picture also has the singular values that float64 finds at the largest size: noise, and therefore no data.
    """

    def grid_of(finer: int) -> tuple[Array, Array]:
        across, up = finer * columns, finer * rows
        return -1.7 * N + (np.arange(across) + 0.5) * 2.1 * N / across, (np.arange(up) + 0.5) * 1.1 * N / up

    (real, imaginary), (real_normal, imaginary_normal) = grid_of(1), grid_of(3)
    fine = real_normal + 1j * imaginary_normal[:, None]
    spectrum = LegS(N).normal_spectrum()
    largest = max(sizes)
    axis = np.concatenate([np.arange(-1.25 * largest, 0, 0.5), np.arange(0.25, 0.2 * largest, 1.0)])
    axis = axis[axis != np.round(axis)]  # halfway between eigenvalues
    data: Data = {
        "real": real,
        "imaginary": imaginary,
        "full": np.log10(_smallest_singular_values(N, real + 1j * imaginary[:, None], 160)),
        "real_normal": real_normal,
        "imaginary_normal": imaginary_normal,
        "normal": np.log10(np.abs(fine[..., None] - spectrum).min(axis=-1)),
        "axis": axis,
    }
    for size in sizes:
        data[f"smallest_{size}"] = _smallest_singular_values(size, axis.astype(complex), 160)
        data[f"least_{size}"] = np.log10(data[f"smallest_{size}"].min())
    if panels is not None:
        _draw_pseudospectra(panels, data, N, sizes)
    return data


def _draw_pseudospectra(panels: Panels, data: Data, N: int, sizes: Sequence[int]) -> None:
    left, middle, right = panels
    levels = np.arange(-6, 2)
    image: Any = None
    for axes, name, grid, title in (
        (left, "full", "", f"$A$, $N={N}$"), (middle, "normal", "_normal", f"normal part, $N={N}$")
    ):  # fmt: skip
        real, imaginary = data[f"real{grid}"], data[f"imaginary{grid}"]
        heights = np.concatenate([-imaginary[::-1], imaginary])
        values = np.concatenate([data[name][::-1], data[name]])
        image = axes.contourf(real, heights, values, levels=levels, cmap="viridis", extend="both")
        axes.contour(real, heights, values, levels=levels, colors="white", linewidths=0.4, linestyles="solid")
        axes.axvline(0, color="white", linewidth=0.6, linestyle=":")
        axes.set(xlabel="$\\mathrm{Re}\\,z$ (per unit of time)", title=title, aspect="equal")
        axes.grid(False)
    left.plot(-np.arange(1, N + 1), np.zeros(N), ".", color=COLORS["vermilion"], markersize=3)
    spectrum = LegS(N).normal_spectrum()
    seen = spectrum[np.abs(spectrum.imag) < data["imaginary"][-1]]
    middle.plot(seen.real, seen.imag, ".", color=COLORS["vermilion"], markersize=3)
    left.set_ylabel("$\\mathrm{Im}\\,z$ (per unit of time)")
    left.figure.colorbar(
        image, ax=[left, middle], location="bottom", label="$\\log_{10}\\sigma_{min}(zI - M)$", shrink=0.7, aspect=30
    )
    largest = max(sizes)
    matrix = LegS(largest).A
    noise = [np.linalg.svd(x * np.eye(largest) - matrix, compute_uv=False)[-1] for x in data["axis"]]
    right.semilogy(data["axis"], noise, "x", color="gray", markersize=2.5, markeredgewidth=0.5)
    labels = []
    for size, color in zip(sizes, COLORS.values(), strict=False):
        right.semilogy(data["axis"], data[f"smallest_{size}"], "o-", color=color, markersize=1.8, linewidth=0.7)
        place = int(np.argmin(data[f"smallest_{size}"]))
        labels.append((data["axis"][place], data[f"smallest_{size}"][place], f"$N={size}$", color))
    for x, y, text, color in labels:
        right.annotate(
            text, (x, y), xytext=(-9, -7), textcoords="offset points", color=color, ha="right", va="center", fontsize=7
        )
    right.set(
        xlabel="$x$ (per unit of time)", ylabel="$\\sigma_{min}(x - A)$ (per unit of time)", title="on the real axis"
    )
    right.set_ylim(bottom=10 ** data[f"least_{largest}"] / 100)
