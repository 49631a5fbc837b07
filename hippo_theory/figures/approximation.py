"""Figures of two propositions of HiPPO: gradients that decay like 1/t, and how well N coefficients represent a function."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, arb_mat, fmpq, fmpq_poly

from hippo_theory.arithmetic import Balls, balls
from hippo_theory.families import Family, LegS, LegT
from hippo_theory.figures.registry import figure
from hippo_theory.figures.style import COLORS, Array, Data, Panels, label_curves
from hippo_theory.kernels import legs_step

__all__ = ["approximation_bounds", "gradient_decay"]

_PALETTE = list(COLORS.values())


# --- gradients ---------------------------------------------------------------------------------------------------------


def _impulse_norms(N: int, start: int, lengths: Array) -> Array:
    """|dc_k/df_start| of the recurrence of LegS (bilinear, A/k on both sides) after so many samples, by an impulse."""
    state, norms = np.zeros(N), []
    for k in range(start, int(lengths[-1])):
        state = legs_step(state, np.array(float(k == start)), k, convention="code")
        norms.append(float(np.linalg.norm(state)))
    return np.asarray(np.array(norms)[lengths - start - 1])


def _constant_norms(family: Family, step: Fraction, lags: Array, ring: Balls) -> Array:
    """|Abar^l Bbar| step, zero-order hold, of a system that does not change in time: e^(A l step) A^-1 (e^(A step) - I) B."""
    A, B = (
        arb_mat(values) for values in (family.state_matrix(ring).tolist(), [[b] for b in family.input_vector(ring)])
    )
    held = A.solve((A * ring.number(step)).exp() * B - B)
    norms = []
    for lag in lags:
        x = (A * ring.number(step * int(lag))).exp() * held
        norms.append(float(sum((x[n, 0] ** 2 for n in range(family.N)), arb(0)).sqrt()))
    return np.array(norms)


@figure(
    "gradient-decay",
    title="Gradients through LegS decay like 1/t, not exponentially",
    caption=(
        "What the memory $c(t_1)$ owes to the input at $t_0$. Left: $t_1\\,|\\partial c(t_1)/\\partial f(t_0)|$ of "
        "LegS lies between 1 and $N$ (reached at both ends) and tends to $(N/\\pi)^{1/2}(x(1-x))^{-1/4}$ between "
        "them (dotted). Right: an impulse at sample 50, $N=8$. The recurrence of LegS (dots; with the bilinear rule "
        "it stands at $k-1/2$ after $k$ samples) follows the law (line) within the band $1/k$ to $N/k$. Its slope is "
        "<slope_middle:.2f> between $k=100$ and $50N^2=3200$, near $-3/4$, and <slope_late:.3f> over the last "
        "decade: $\\Theta(1/t_1)$ for fixed $N$. The same matrices without the factor $1/t$ forget exponentially (at "
        "the step $1/50$ the value at $k=5000$ is <forgotten:.0e>), and LegT drops at the end of its window of 500 "
        "samples."
    ),
    alternative=(
        "Left: three U-shaped profiles for N of 4, 16 and 64, between one in the middle region and N at the ends, "
        "each near its dotted limit. Right: in double logarithmic axes the gradient of LegS is a straight line with "
        "slope minus one, that of LegS without time scaling bends down at once, that of LegT is flat and then falls."
    ),
    source="HiPPO (arXiv:2008.07669), Proposition 5; the constants are derived here",
    panels=(1, 2),
    size=(7.2, 3.0),
    digits=8,
    units={
        "x": "t_0/t_1, 1",
        "profile": "t_1 |dc(t_1)/df(t_0)| at N, 1",
        "bulk": "its limit away from the ends, 1",
        "sample": "number of samples k, 1",
        "recurrence": "|dc_k/df_50| of the recurrence of LegS after k samples, 1",
        "time": "number of samples k of the law, 1",
        "law": "|dc(k)/df(50)| of LegS, 1",
        "forgetting": "the same of LegS with constant coefficients, step 1/50, 1",
        "window": "the same of LegT, step 1/500, 1",
        "slope": "log-log slope of the law over that range, 1",
        "forgotten": "last value of forgetting, 1",
    },
)
def gradient_decay(panels: Panels, *, sizes: tuple[int, ...] = (4, 16, 64), N: int = 8, largest: int = 5000) -> Data:
    """Laws from the kernels of the family in balls, dc_n(t_1)/df(t_0) = K_n(log(t_1/t_0))/t_0; dots from the recurrence."""
    angles = (np.arange(120) + 0.5) * math.pi / 120
    x = (1 - np.cos(angles)) / 2
    data: Data = {"x": x}

    def norm(size: int, ratio: Any, ring: Balls) -> float:
        """t_0 |dc(t_1)/df(t_0)| at t_0/t_1 = ratio."""
        time = -ring.log(ring.number(ratio))
        return float(sum((LegS(size).kernel(n, time, ring) ** 2 for n in range(size)), arb(0)).sqrt())

    first = 50
    samples = np.unique(np.geomspace(first + 1, largest, 80).astype(int))
    times = np.unique(np.geomspace(first, 200 * largest, 120).astype(int))
    with balls(256).work() as ring:
        for size in sizes:
            data[f"profile_{size}"] = np.array([norm(size, float(ratio), ring) / ratio for ratio in x])
            data[f"bulk_{size}"] = math.sqrt(size / math.pi) * (x * (1 - x)) ** -0.25
        data["forgetting"] = _constant_norms(LegS(N), Fraction(1, first), samples - first, ring)
        data["window"] = _constant_norms(LegT(N), Fraction(1, 10 * first), samples - first, ring)
        law = np.array([norm(N, Fraction(first, int(k)), ring) for k in times]) / first
    data.update({"sample": samples, "time": times, "law": law, "recurrence": _impulse_norms(N, first, samples)})
    for name, part in (("middle", (times >= 2 * first) & (times <= first * N * N)), ("late", times >= times[-1] / 10)):
        data[f"slope_{name}"] = np.polyfit(np.log(times[part]), np.log(law[part]), 1)[0]
    data["forgotten"] = data["forgetting"][-1]
    if panels is None:
        return data
    profiles, decay = panels
    for size, color in zip(sizes, _PALETTE, strict=False):
        profiles.semilogy(x, data[f"profile_{size}"], color=color)
        profiles.semilogy(x, data[f"bulk_{size}"], ":", color="black", linewidth=0.9)
        profiles.annotate(
            f"$N={size}$", (0.5, data[f"bulk_{size}"].min()), xytext=(0, -14), textcoords="offset points", color=color,
            fontsize=7, ha="center", va="center",
        )  # fmt: skip
    profiles.axhline(1, color="0.4", linewidth=0.7)
    profiles.set(
        xlabel="$x=t_0/t_1$", ylabel="$t_1\\,|\\partial c(t_1)/\\partial f(t_0)|$", xlim=(0, 1), ylim=(0.8, 80)
    )
    decay.fill_between(times, 1 / times, N / times, color="0.9", linewidth=0)
    decay.loglog(times, law, color=_PALETTE[0])
    decay.loglog(samples[::4] - 0.5, data["recurrence"][::4], "o", color=_PALETTE[0], markersize=2.5)
    decay.loglog(samples, data["forgetting"], color=_PALETTE[1])
    decay.loglog(samples, data["window"], color=_PALETTE[2])
    decay.set(xlabel="sample $k$", ylabel="$|\\partial c_k/\\partial f_{50}|$", ylim=(1e-7, 1), xlim=(50, times[-1]))
    for text, place, color in (
        ("LegS, $1/t$", (2500, 9e-3), _PALETTE[0]),
        ("LegS,\nconstant", (85, 1e-5), _PALETTE[1]),
        ("LegT", (1700, 3e-6), _PALETTE[2]),
        ("$N/k$", (75, 0.25), "0.4"),
        ("$1/k$", (3e4, 1.2e-5), "0.4"),
    ):
        decay.text(*place, text, color=color, fontsize=7, va="center")
    return data


# --- approximation -----------------------------------------------------------------------------------------------------

Piece = tuple[fmpq, fmpq, fmpq_poly]


def _legendre_coefficients(pieces: Sequence[Piece], N: int) -> list[Any]:
    """c_n = int_0^1 f(y) R_n P_n(2y-1) dy, n < N, of a piecewise polynomial, as balls of the precision in force.

    On each piece by parts, with the antiderivatives of P_n that are combinations of P_(n-j), ..., P_(n+j):
    int P_n = (P_(n+1) - P_(n-1))/(2n+1), int P_0 = P_1.
    """
    deepest = max(len(f.coeffs()) for _, _, f in pieces)
    ends = sorted({end for a, b, _ in pieces for end in (a, b)}, key=lambda q: int(q.p) / int(q.q))
    values = {str(end): [arb(2 * end - 1).legendre_p(n) for n in range(N + deepest)] for end in ends}
    coefficients = []
    for n in range(N):
        # antiderivatives in y: each brings the factor 1/2 of the argument 2y - 1
        combinations, current = [], {n: fmpq(1)}
        for _ in range(deepest):
            following: dict[int, fmpq] = {}
            for m, c in current.items():
                following[m + 1] = following.get(m + 1, fmpq(0)) + c / (2 * (2 * m + 1))
                if m > 0:
                    following[m - 1] = following.get(m - 1, fmpq(0)) - c / (2 * (2 * m + 1))
            combinations.append(following)
            current = following
        total = arb(0)
        for a, b, f in pieces:
            for end, sign in ((b, 1), (a, -1)):
                derivative, side = f, sign
                for combination in combinations:
                    factor = derivative(end)
                    if factor != 0:
                        table = values[str(end)]
                        total += side * factor * sum((c * table[m] for m, c in combination.items()), arb(0))
                    derivative, side = derivative.derivative(), -side
        coefficients.append(arb(2 * n + 1).sqrt() * total)
    return coefficients


def _errors(pieces: Sequence[Piece], sizes: Iterable[int]) -> Array:
    """L2 distances on [0, 1] of a piecewise polynomial from the polynomials of degree below N: Parseval in balls."""
    sizes = list(sizes)
    square = fmpq(0)
    for a, b, f in pieces:
        whole = (f * f).integral()
        square += whole(b) - whole(a)
    remainder, errors = arb(square), {}
    for n, c in enumerate(_legendre_coefficients(pieces, max(sizes)), start=1):
        remainder -= c * c
        errors[n] = remainder
    return np.array([float(errors[N].sqrt()) for N in sizes])


def _zigzag(count: int) -> list[Piece]:
    """Slopes 1, -1, 1, ... on `count` equal pieces, from 0."""
    pieces, value = [], fmpq(0)
    for j in range(count):
        slope, a, b = fmpq(1 - 2 * (j % 2)), fmpq(j, count), fmpq(j + 1, count)
        pieces.append((a, b, fmpq_poly([value - slope * a, slope])))
        value += slope * (b - a)
    return pieces


def _kink(order: int, place: fmpq) -> list[Piece]:
    """|y - p|^k / k! (times the sign of y - p for even k), whose k-th derivative jumps from -1 to 1 or from 1 to -1."""
    power = fmpq_poly([-place, 1]) ** order / math.factorial(order)
    return [(fmpq(0), place, -power), (place, fmpq(1), power)]


def _bound(order: int, sizes: Array) -> Array:
    """The proved bound for |f^(k)| <= 1 on [0, 1]: (k!^2/(2k+1)! (N-k)!/(N+k)!)^(1/2)."""
    weight = Fraction(math.factorial(order) ** 2, math.factorial(2 * order + 1))
    products = [math.prod(range(int(N) - order + 1, int(N) + order + 1)) for N in sizes]
    return np.array([math.sqrt(weight / product) for product in products])


def _slope(sizes: Array, errors: Array) -> float:
    """Least-squares slope of log error on log N over the upper half of the sizes."""
    half = len(sizes) // 2
    return float(np.polyfit(np.log(sizes[half:]), np.log(errors[half:]), 1)[0])


@figure(
    "approximation-bounds",
    title="How well N coefficients of LegS hold a function: the bound and what is attained",
    caption=(
        "Errors in $L_2[0,1]$ of the first $N$ coefficients of LegS at $t=1$, with fitted slopes. Left: functions "
        "with slope at most 1. The paper's order $N^{-1/2}$ (dashed) is safe and not sharp: the proved bound "
        "$1/\\sqrt{6N(N+1)}$ (gray) is of order $1/N$, and the zigzag of $N$ pieces, the worst shown, stays at that "
        "order (slope <slope_zigzag:.2f>); one kink costs $N^{-3/2}$ only (<slope_kink_2:.2f> in the middle, "
        "dotted its law $(6\\pi(N-\\frac12)^3)^{-1/2}$; <slope_kink_3:.2f> at $1/3$). Right: $|f^{(k)}|\\le1$, with "
        "one jump of the $k$-th derivative, $k=1,2,3$: "
        "the errors have slopes near $-(k+1/2)$ (<slope_order_1:.2f>, <slope_order_2:.2f>, <slope_order_3:.2f>), "
        "below the proved bounds of order $N^{-k}$ (gray); dashed the paper's $N^{-k+1/2}$."
    ),
    alternative=(
        "Two plots of errors against N in double logarithmic axes. Left: a zigzag with as many pieces as "
        "coefficients runs parallel to the proved bound with slope minus one, functions with one kink fall with "
        "slope minus one and a half, the order of the paper falls with slope minus one half only. Right: functions "
        "with a jump in the first, second and third derivative fall ever more steeply, each below its bound."
    ),
    source="HiPPO (arXiv:2008.07669), Proposition 6; constants and sharp orders are derived here",
    panels=(1, 2),
    size=(7.2, 3.3),
    digits=10,
    units={
        "size": "number of coefficients N (zigzag: of its own errors)",
        "error": "L2 error of that function, for a slope or k-th derivative of at most 1",
        "bound": "the proved bound for that order k",
        "paper": "the order that the paper states for k, with constant 1",
        "law": "leading term of the error of |x - 1/2|",
        "slope": "log-log slope of the error over the upper half of the sizes",
    },
)
def approximation_bounds(panels: Panels, *, largest: int = 512, pieces: int = 128) -> Data:
    """Exact Legendre coefficients of piecewise polynomials in balls; the zigzag has N pieces, N up to `pieces`."""
    sizes = np.array([2**power for power in range(1, largest.bit_length())])
    counts = np.array([2**power for power in range(1, pieces.bit_length())])
    data: Data = {"size": sizes, "size_zigzag": counts}
    with balls(320).work():
        data["error_zigzag"] = np.array([_errors(_zigzag(int(N)), [int(N)])[0] for N in counts])
        for denominator in (2, 3):
            data[f"error_kink_{denominator}"] = _errors(_kink(1, fmpq(1, denominator)), sizes)
        for order in (1, 2, 3):
            data[f"error_order_{order}"] = _errors(_kink(order, fmpq(1, 3)), sizes)[order - 1 :]
            data[f"size_order_{order}"] = sizes[order - 1 :]
            data[f"bound_{order}"] = _bound(order, sizes[order - 1 :])
            data[f"paper_{order}"] = sizes[order - 1 :] ** (0.5 - order)
    data["law_kink_2"] = np.sqrt(1 / (6 * math.pi * (sizes - 0.5) ** 3))
    for name in ("kink_2", "kink_3"):
        data[f"slope_{name}"] = np.array(_slope(sizes, data[f"error_{name}"]))
    for name in ("zigzag", "order_1", "order_2", "order_3"):
        data[f"slope_{name}"] = np.array(_slope(data[f"size_{name}"], data[f"error_{name}"]))
    if panels is not None:
        _draw_bounds(panels, data)
    return data


def _draw_bounds(panels: Panels, data: Mapping[str, Array]) -> None:
    left, right = panels
    sizes, labels = data["size"], []
    left.loglog(sizes, data["paper_1"], "--", color="0.4", linewidth=0.9)
    left.loglog(sizes, data["bound_1"], color="0.5", linewidth=1.6)
    labels += [(sizes[-1], data["paper_1"][-1], "paper: $N^{-1/2}$", "0.3")]
    labels += [(sizes[-1], data["bound_1"][-1], "bound", "0.4")]
    for name, text, color in (
        ("zigzag", "zigzag", _PALETTE[0]),
        ("kink_2", "$|x-1/2|$", _PALETTE[1]),
        ("kink_3", "$|x-1/3|$", _PALETTE[2]),
    ):
        places = data.get(f"size_{name}", sizes)
        left.loglog(places, data[f"error_{name}"], "o-", color=color, markersize=2.5)
        end = data[f"error_{name}"][-1] * places[-1] / sizes[-1]  # the zigzag ends earlier, at the slope -1
        labels.append((sizes[-1], end, f"{text}: ${float(data[f'slope_{name}']):.2f}$", color))
    left.loglog(sizes, data["law_kink_2"], ":", color="black", linewidth=0.9)
    left.set(xlabel="number of coefficients $N$", ylabel="$L_2$ error", title="slope at most 1")
    label_curves(left, labels)
    labels = []
    for order, color in zip((1, 2, 3), _PALETTE, strict=False):
        places = data[f"size_order_{order}"]
        right.loglog(places, data[f"paper_{order}"], "--", color=color, linewidth=0.7)
        right.loglog(places, data[f"bound_{order}"], color="0.6", linewidth=1.6)
        right.loglog(places, data[f"error_order_{order}"], "o-", color=color, markersize=2.5)
        slope = float(data[f"slope_order_{order}"])
        labels.append((places[-1], data[f"error_order_{order}"][-1], f"$k={order}$: ${slope:.2f}$", color))
    right.set(xlabel="number of coefficients $N$", ylabel="$L_2$ error", title="$k$-th derivative at most 1")
    label_curves(right, labels)
