"""Figures of input selectivity: recall by one state, Haar windows, approximation rates, and associative recall."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import scipy.linalg

from hippo_theory.arithmetic import balls
from hippo_theory.families import LegT
from hippo_theory.figures.registry import figure
from hippo_theory.figures.style import COLORS, Data, Panels, label_curves
from hippo_theory.selectivity import (
    fourier_error_squared,
    haar_block_bound,
    haar_block_system,
    haar_error_squared,
    haar_system,
    haar_vector,
    keep_error_bound,
    keep_system,
    lti_recall_states,
    mamba_recall,
    one_hot_codes,
    output_weights,
    recall_accuracy,
    recall_task,
    selective_system,
    sign_code_error_bound,
    sign_code_failures,
    sign_codes,
    window_error_bound,
    window_error_bounds,
)

__all__ = ["decay_and_recall", "haar_windows", "recall_accuracies", "separation_rates"]

_PAPER = "Understanding input selectivity in Mamba (arXiv:2506.11891)"


@figure(
    "decay-and-recall",
    title="One selective state recalls the n-th token at any length",
    caption=(
        "Left: what the last output takes of each of 200 inputs, for a constant state and for a selective one that keeps the "
        "80th ($a = 10$). Middle: the largest error of such recall over inputs of modulus 1 against the length, dots, is that "
        "of the bound $2(e^{-a/2} + e^{-a/2}/(1 - e^{-a}))$, dotted; for $a = 40$ it is <error_40_longest:.3g> at "
        "length <longest>. "
        "Right: how many states a constant diagonal system needs to recall the middle token exactly: with complex "
        "poles about half as many as tokens, with positive ones as many."
    ),
    alternative=(
        "Left a straight falling line for the constant state, and for the selective one a peak at token 80 with steep "
        "flanks. Middle three horizontal rows of dots, on their bounds. Right two rising lines, T and T/2, above a constant "
        "one."
    ),
    source=f"{_PAPER}, its lemma on memory and its task keep n-th; constructions and bounds derived here",
    panels=(1, 3),
    size=(7.2, 2.7),
    units={
        "token": "time of the input, from 1",
        "weight_constant": "weight of the input in the last output, lambda Delta = 1/10, over that of the last input",
        "weight_selective": "weight of the input in the last output",
        "length": "T",
        "error": "largest error over inputs of modulus at most 1, sharpness a",
        "bound": "bound for every length",
        "longest": "largest length",
        "states": "least number of states for the middle token",
    },
)
def decay_and_recall(panels: Panels, *, longest: int = 20_000) -> Data:
    """In balls; weights after token n come from 1 - e^-Delta with Delta down to e^-1195, which takes 2048 bits."""
    lengths = np.unique(np.geomspace(10, longest, 8).astype(int))
    with balls(2048).work() as ring:
        ones = np.ones((200, 1), dtype=int)
        constant = output_weights(
            selective_system([Fraction(1, 10)] * 200, [1], ones, 10 * ones, rule="euler", arithmetic=ring)
        )
        selective = output_weights(keep_system(200, 80, sharpness=10, arithmetic=ring))
        data: Data = {
            "token": np.arange(1, 201),
            "weight_constant": constant.astype(float),
            "weight_selective": selective.astype(float),
            "length": lengths,
        }
    with balls(256).work() as ring:
        for a in (10, 20, 40):
            errors = []
            for T in lengths.tolist():
                weights = output_weights(keep_system(T, 5, sharpness=a, arithmetic=ring))
                errors.append(float(abs(1 - weights[4]) + sum(weights[:4]) + sum(weights[5:])))
            data[f"error_{a}"] = np.array(errors)
            data[f"bound_{a}"] = np.array(float(keep_error_bound(a, arithmetic=ring)))
    data["error_40_longest"], data["longest"] = data["error_40"][-1], np.array(lengths[-1])
    for name, positive in (("complex", False), ("positive", True)):
        data[f"states_{name}"] = np.array(
            [lti_recall_states(T, (T + 1) // 2, positive=positive) for T in lengths.tolist()]
        )
    if panels is None:
        return data
    left, middle, right = panels
    left.semilogy(data["token"], data["weight_constant"], color=COLORS["vermilion"])
    left.semilogy(data["token"], data["weight_selective"], ".-", color=COLORS["blue"], markersize=2.5, linewidth=0.6)
    left.set(xlabel="token $s$", ylabel="weight in $y_{200}$", ylim=(1e-10, 5))
    left.annotate("selective,\n$n=80$", (72, 0.02), color=COLORS["blue"], fontsize=7, ha="right")
    left.annotate("constant", (128, 3e-5), color=COLORS["vermilion"], fontsize=7)
    for a, color in zip((10, 20, 40), COLORS.values(), strict=False):
        middle.loglog(lengths, data[f"error_{a}"], "o", color=color, markersize=3)
        middle.axhline(float(data[f"bound_{a}"]), color=color, linestyle=":", linewidth=0.9)
    middle.set(xlabel="length $T$", ylabel="largest error", ylim=(1e-9, 1))
    label_curves(
        middle,
        [
            (float(lengths[-1]), float(data[f"error_{a}"][-1]), f"$a={a}$", color)
            for a, color in zip((10, 20, 40), COLORS.values(), strict=False)
        ],
    )
    right.loglog(lengths, data["states_positive"], "s-", color=COLORS["purple"], markersize=3)
    right.loglog(lengths, data["states_complex"], "o-", color=COLORS["vermilion"], markersize=3)
    right.loglog(lengths, np.ones_like(lengths), "-", color=COLORS["blue"])
    right.set(xlabel="length $T$", ylabel="states needed", ylim=(0.5, None))
    end = float(lengths[-1])
    label_curves(
        right,
        [
            (end, float(data["states_positive"][-1]), "positive", COLORS["purple"]),
            (end, float(data["states_complex"][-1]), "complex", COLORS["vermilion"]),
            (end, 1.0, "selective", COLORS["blue"]),
        ],
    )
    return data


@figure(
    "haar-windows",
    title="Haar coefficients by selective states",
    caption=(
        "Left: weights of the inputs in the combination of three one-state windows, for sharpness $a = 2, 4, 16$, against the "
        "wavelet (gray). Middle: its largest error falls like $e^{-a/2}$, within the bound (dotted). Right: the one-state "
        "construction inside of a Mamba block, whose error is about $\\lambda (r - l)\\,\\delta$ (bound dotted; decay "
        "$\\lambda = 1$, wavelet from $l = 9$ to $r = 25$): "
        "<block_small:.3g> at $\\delta = 10^{-5}$."
    ),
    alternative=(
        "Left a square wave, up then down, approached by three curves with less and less rounded edges. Middle dots on a "
        "falling straight line on a logarithmic scale, close below a dotted line. Right dots on a dotted line of slope one in "
        "double logarithmic axes."
    ),
    source=f"{_PAPER}, its Haar projections; both constructions and their bounds are derived here",
    panels=(1, 3),
    size=(7.2, 2.6),
    units={
        "time": "s, from 1",
        "wavelet": "1 on [9, 17), -1 on [17, 25), else 0",
        "weights": "weight of f_s in the output, sharpness a",
        "sharpness": "a",
        "error": "largest difference between weights and the wavelet",
        "bound": "4 max(lambda e^(-a/2)/(1 - e^-a), e^(-lambda a/2))",
        "step": "delta, unit of time",
        "block": "largest difference between weights and the wavelet, one state, Mamba's gain",
        "block_bound": "bound on the support",
    },
)
def haar_windows(panels: Panels) -> Data:
    """T = 40 and the support [9, 25), lambda = 1; in balls."""
    T, edges = 40, (9, 17, 25)
    wavelet = haar_vector(T, *edges)
    sharpness = np.array([2, 4, 8, 12, 16, 24, 32, 40])
    steps = np.array([10.0**-power for power in range(1, 6)])
    data: Data = {"time": np.arange(1, T + 1), "wavelet": wavelet, "sharpness": sharpness, "step": steps}
    errors, bounds, blocks, block_bounds = [], [], [], []
    with balls(256).work() as ring:
        for a in sharpness.tolist():
            weights = output_weights(haar_system(T, *edges, sharpness=a, arithmetic=ring))
            if a in (2, 4, 16):
                data[f"weights_{a}"] = weights.astype(float)
            errors.append(max(float(abs(w)) for w in weights - wavelet))
            bounds.append(float(4 * window_error_bound(a, arithmetic=ring)))
        for power in range(1, 6):
            step = Fraction(1, 10**power)
            weights = output_weights(haar_block_system(T, *edges, step=step, arithmetic=ring))
            blocks.append(max(float(abs(w)) for w in weights - wavelet))
            block_bounds.append(float(haar_block_bound(T, edges[0], edges[2], step=step, arithmetic=ring)[0]))
    data |= {"error": np.array(errors), "bound": np.array(bounds)}
    data |= {"block": np.array(blocks), "block_bound": np.array(block_bounds), "block_small": np.array(blocks[-1])}
    if panels is None:
        return data
    left, middle, right = panels
    left.step(data["time"], wavelet, where="mid", color="0.6", linewidth=2.5)
    for a, color in zip((2, 4, 16), COLORS.values(), strict=False):
        left.plot(
            data["time"], data[f"weights_{a}"], ".-", color=color, markersize=2.5, linewidth=0.7, label=f"$a={a}$"
        )
    left.set(xlabel="time $s$", ylabel="weight of $f_s$", ylim=(-1.35, 1.35))
    left.legend(loc="upper right", frameon=False)
    middle.semilogy(sharpness, errors, "o", color=COLORS["blue"], markersize=3)
    middle.semilogy(sharpness, bounds, ":", color=COLORS["blue"])
    middle.set(xlabel="sharpness $a$", ylabel="largest error", title="three windows")
    right.loglog(steps, blocks, "o", color=COLORS["vermilion"], markersize=3)
    right.loglog(steps, block_bounds, ":", color=COLORS["vermilion"])
    right.set(xlabel=r"step $\delta$", ylabel="largest error", title="one state of a block")
    return data


def _legt_window_error(N: int) -> float:
    """The root of the integral of t (K - 1_[0,1])^2 for the first kernel of LegT, by two Lyapunov equations."""
    family = LegT(N)
    A, B = np.asarray(family.A, dtype=float), np.asarray(family.B, dtype=float)
    gramian = scipy.linalg.solve_continuous_lyapunov(A, -np.outer(B, B))
    weighted = scipy.linalg.solve_continuous_lyapunov(A, -gramian)  # the integral of t e^(At) B B^T e^(A^T t)
    last = scipy.linalg.expm(A) @ B
    first = np.linalg.solve(A, last - B)  # the integral of e^(At) B over the window
    cross = np.linalg.solve(A, last - first)
    return float(np.sqrt(weighted[0, 0] - 2 * cross[0] + 0.5))


@figure(
    "separation-rates",
    title="How fast a step is approximated",
    caption=(
        "Errors for the step $1_{[1/3,1]}$, against $J$ or $N$: $J$ Haar coefficients, one a scale, which selective "
        "states give, leave "
        "$\\frac{\\sqrt2}{3} 2^{-J/2}$; $2N+1$ Fourier coefficients leave about $\\frac{1}{\\pi\\sqrt N}$ (line). "
        "For the window $1_{[0,1]}$ no constant system of $N$ states has a smaller error, weighted with $t$, than the "
        "Hankel bound "
        "(dashed), which falls like $\\frac{1}{\\pi\\sqrt N}$ as well; the first kernel of LegT (squares) has "
        "<legt_ratio:.2f> times "
        "that at $N = <legt_largest>$."
    ),
    alternative=(
        "Double logarithmic axes. The curve of Haar coefficients bends down steeply; Fourier dots lie on a straight line "
        "of slope minus one half, close to the dashed lower bound for constant systems, with the LegT squares above it."
    ),
    source=f"{_PAPER}, on approximation power; rates and bounds derived here",
    size=(4.8, 3.4),
    units={
        "scales": "J",
        "haar": "L2 error on [0, 1]",
        "harmonics": "N, frequencies up to it",
        "fourier": "L2 error on [0, 1]",
        "states": "N",
        "hankel": "root of the integral of t (K - 1_[0,1])^2, lower bound",
        "legt_size": "N",
        "legt": "the same root for the first kernel of LegT; legt_ratio over the bound",
        "legt_largest": "largest N",
    },
    digits=8,
)
def separation_rates(panels: Panels, *, largest: int = 512) -> Data:
    """Haar exactly, Fourier and the bound in balls; LegT by LAPACK, eight digits."""
    scales, tau = np.arange(1, 49), Fraction(1, 3)
    counts = np.array([2**power for power in range(largest.bit_length())])
    sizes = counts[counts <= 32]
    with balls(192).work() as ring:
        fourier = [float(ring.sqrt(fourier_error_squared(tau, N, ring))) for N in counts.tolist()]
        hankel = [float(ring.sqrt(window_error_bounds(N, ring)[1])) for N in counts.tolist()]
    legt = np.array([_legt_window_error(N) for N in sizes.tolist()])
    data: Data = {
        "scales": scales,
        "haar": np.array([float(haar_error_squared(tau, J)) ** 0.5 for J in scales.tolist()]),
        "harmonics": counts,
        "fourier": np.array(fourier),
        "states": counts,
        "hankel": np.array(hankel),
        "legt_size": sizes,
        "legt": legt,
        "legt_ratio": legt[-1] / hankel[len(sizes) - 1],
        "legt_largest": sizes[-1],
    }
    if panels is None:
        return data
    (axes,) = panels
    axes.loglog(scales, data["haar"], ".-", color=COLORS["blue"], markersize=3, linewidth=0.7)
    axes.loglog(counts, 1 / (np.pi * np.sqrt(counts)), color="0.6", linewidth=0.8)
    axes.loglog(counts, data["fourier"], "o", color=COLORS["orange"], markersize=3.5)
    axes.loglog(counts, data["hankel"], "--", color=COLORS["vermilion"])
    axes.loglog(sizes, legt, "s", color=COLORS["purple"], markersize=3.5)
    axes.set(xlabel="scales $J$, or $N$", ylabel="error", ylim=(1e-8, 1))
    axes.annotate("Haar, selective", (24, 4e-4), color=COLORS["blue"], fontsize=7)
    label_curves(
        axes,
        [
            (float(largest), float(fourier[-1]), "Fourier", COLORS["orange"]),
            (float(largest), float(hankel[-1]) * 0.7, "Hankel bound", COLORS["vermilion"]),
            (float(sizes[-1]), float(legt[-1]), "LegT", COLORS["purple"]),
        ],
    )
    return data


@figure(
    "recall-accuracy",
    title="Associative recall without training",
    caption=(
        "Left: the part of <draws> random draws in which a query of S4D with convolution, gate and $D$ channels of sign "
        "codes goes "
        "wrong ($\\kappa$ pairs of a key and one of $V = 64$ values), and the bound $V e^{-D/4\\kappa}$ (dotted). "
        "Right: accuracy of one layer of Mamba-2 with $N$ signs "
        "for a key and one-hot values, $V = 64$. Not drawn: with one-hot keys and <pairs> pairs it is <one_hot:.3g>; without the "
        "convolution, <without:.3g>."
    ),
    alternative=(
        "Left two falling curves, for 4 and 16 pairs, each below and left of its dotted bound. Right four rising curves of "
        "accuracy that reach one, later for more pairs."
    ),
    source=f"{_PAPER}, on associative recall; constructions and bounds derived here",
    panels=(1, 2),
    size=(7.0, 2.8),
    units={
        "draws": "number of draws of values and codes",
        "width": "D, channels of one state",
        "failures": "part of the draws in which the query goes wrong, by number of pairs",
        "failure_bound": "bound on its expected value",
        "state_size": "N",
        "accuracy": "part of right queries, by number of pairs",
        "pairs": "number of pairs",
        "one_hot": "accuracy",
        "without": "accuracy without convolution",
    },
)
def recall_accuracies(panels: Panels, *, draws: int = 1000, tasks: int = 40) -> Data:
    """Integers on the left; on the right logits with errors far below their differences."""
    V, widths, sizes = (
        64,
        np.array([8, 16, 32, 48, 64, 96, 128, 192, 256, 320, 384, 512, 640]),
        np.array([4, 8, 16, 32, 64, 128]),
    )
    task = recall_task(V, 32)
    codes = one_hot_codes(V)
    data: Data = {
        "draws": np.array(draws),
        "width": widths,
        "state_size": sizes,
        "pairs": np.array(32),
        "one_hot": np.array(recall_accuracy(mamba_recall(task, codes, variant="mamba2"), task)),
        "without": np.array(recall_accuracy(mamba_recall(task, codes, variant="mamba2", convolution=False), task)),
    }
    for kappa in (4, 16):
        data[f"failures_{kappa}"] = sign_code_failures(V, kappa, widths.tolist(), draws=draws)
        data[f"failure_bound_{kappa}"] = np.array([sign_code_error_bound(V, kappa, D) for D in widths.tolist()])
    values = np.eye(V)
    for kappa in (4, 8, 16, 32):
        accuracies = []
        for N in sizes.tolist():
            right = []
            for seed in range(tasks):
                drawn = recall_task(V, kappa, seed=seed)
                keys = type(codes)(sign_codes(V, N, 1, seed=1000 + seed).keys, values)
                right.append(recall_accuracy(mamba_recall(drawn, keys, variant="mamba2"), drawn))
            accuracies.append(float(np.mean(right)))
        data[f"accuracy_{kappa}"] = np.array(accuracies)
    if panels is None:
        return data
    left, right_panel = panels
    for kappa, color in zip((4, 16), COLORS.values(), strict=False):
        seen = np.where(data[f"failures_{kappa}"] > 0, data[f"failures_{kappa}"], np.nan)
        left.semilogy(widths, seen, "o-", color=color, markersize=3)
        left.semilogy(widths, data[f"failure_bound_{kappa}"], ":", color=color)
    left.set(xlabel="channels $D$", ylabel="part of wrong queries", ylim=(5e-4, 1.5), xlim=(0, 660))
    left.annotate("$\\kappa=4$", (24, 2e-3), color=COLORS["blue"], fontsize=7)
    left.annotate("$\\kappa=16$", (205, 8e-3), color=COLORS["vermilion"], fontsize=7)
    for kappa, color in zip((4, 8, 16, 32), COLORS.values(), strict=False):
        right_panel.semilogx(
            sizes, data[f"accuracy_{kappa}"], "o-", color=color, markersize=3, label=f"$\\kappa={kappa}$"
        )
    right_panel.set(xlabel="signs of a key $N$", ylabel="accuracy", ylim=(0, 1.05))
    right_panel.legend(loc="lower right", frameon=False)
    return data
