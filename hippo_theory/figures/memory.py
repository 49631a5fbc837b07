"""Figures of what systems remember: delays, windows, time scales, and the softmax of DSS over the lags."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from flint import acb, arb, arb_mat, fmpq

from hippo_theory.arithmetic import Balls, balls
from hippo_theory.discretizations import discretize, discretize_dense
from hippo_theory.errors import CertificationError
from hippo_theory.families import Family, FouT, LegS, LegT
from hippo_theory.figures.convergence import basis_kernels
from hippo_theory.figures.registry import figure
from hippo_theory.figures.style import COLORS, Array, Data, Panels, label_curves
from hippo_theory.kernels import ExponentialSum, diagonal_kernel, dss_softmax_kernel, full_kernel

__all__ = ["delay_network", "dss_softmax", "fout_window", "time_scales"]

_PALETTE = list(COLORS.values())


# --- certified responses -----------------------------------------------------------------------------------------------


def _responses(
    family: Family,
    rows: Sequence[Iterable[Any]],
    column: Iterable[Any],
    start: Fraction,
    step: Fraction,
    count: int,
    ring: Balls,
) -> Array:
    """Each row times e^(A (start + l step)) times the column, l < count, rounded to float64.

    With l = b m + j the rows e^(A b m step) and the columns e^(A j step) are stepped alone, so that radii grow over
    sqrt(count) products only.
    """
    A = arb_mat(family.state_matrix(ring).tolist())
    inner = math.isqrt(count - 1) + 1
    one = (A * ring.number(step)).exp()
    current = (A * ring.number(start)).exp() * arb_mat([[entry] for entry in column])
    columns = []
    for _ in range(inner):
        columns.append([current[n, 0] for n in range(family.N)])
        current = one * current
    right = arb_mat(columns).transpose()
    left, giant = arb_mat([list(row) for row in rows]), (A * ring.number(step * inner)).exp()
    blocks = []
    for _ in range(-(-count // inner)):
        blocks.append(np.array((left * right).tolist(), dtype=object))
        left = left * giant
    values = np.concatenate(blocks, axis=1)[:, :count]
    if any(not value.rad() <= 1e-18 for value in values.ravel()):
        raise CertificationError("a response is not certain to 1e-18; raise the bits")
    return values.astype(float)


def _delay_output(family: Family, ring: Balls) -> Array:
    """C of the delayed output: LegT C_n = (-1)^n R_n, FouT 2 b (from whose output the input is to be subtracted)."""
    B = family.input_vector(ring)
    return np.array([(-1) ** n * b for n, b in enumerate(B)], dtype=object) if isinstance(family, LegT) else B


def _delay_transfer(family: Family, s: Any, ring: Balls) -> Any:
    """The transfer function of the delayed output, from those of the states (LegT), or from the inner function (FouT)."""
    if isinstance(family, FouT):
        return -family.inner_function(s, ring)
    C = _delay_output(family, ring)
    return sum((C[n] * family.transfer_function(n, s, ring) for n in range(family.N)), acb(0))


def _lowest_error(family: Family, ring: Balls) -> tuple[int, Any]:
    """Order and coefficient of the first term of the delay error at s = 0, derived from the moments of the kernel."""
    N, f = family.N, math.factorial
    if isinstance(family, FouT):
        total = sum((fmpq(1, m * m) for m in range(1, (N - 1) // 2 + 1)), fmpq(0))
        return 3, (arb(fmpq(1, 2)) - 3 * arb(total) / ring.pi**2) / 6
    return 2 * N, arb(fmpq(f(N) * f(N - 1), f(2 * N) * f(2 * N - 1)))


# --- delays ------------------------------------------------------------------------------------------------------------


@figure(
    "delay-network",
    title="LegT and FouT as delay networks",
    caption=(
        "Outputs that delay the input by one window: $C_n=(-1)^n\\sqrt{2n+1}$ for LegT, $2b^Tx-u$ for FouT. (a) The "
        "impulse response of LegT gathers into a spike at $t=1$. (b) The answer to a unit step; that of FouT starts "
        "at $-1$, for it is all-pass. (c) On the imaginary axis LegT is exact to rounding up to a frequency of the "
        "order of $N$ and useless beyond; FouT errs like $1/N$ but vanishes at every $2\\pi m$ of its basis (minima "
        "of the curve) and never exceeds 2 (gray line). (d) At $s\\to0$ the error of LegT, a Padé approximant of "
        "$e^{-s}$, falls with $s^{2N}$ "
        "(slopes between the two smallest points: <slope_legt_1:.2f>, <slope_legt_2:.2f>, <slope_legt_3:.2f>, "
        "<slope_legt_4:.2f>), that of FouT with $s^3$ for every $N$ (<slope_fout_9:.2f>); dotted: first term of the "
        "error."
    ),
    alternative=(
        "Four panels. Impulse responses of LegT with a spike at time one that is taller for larger N. Step responses "
        "that rise at time one, with ripples. Errors against frequency: those of LegT rise steeply from zero near a "
        "frequency of order N, that of FouT is a comb. Errors near s = 0: straight lines in double logarithmic axes, "
        "with slopes two, four, six and eight for LegT with N from one to four, and three for FouT."
    ),
    source="HTTYH (arXiv:2206.12037), delays and spikes with LegT and FouT; error terms derived here",
    panels=(2, 2),
    size=(7.2, 5.0),
    digits=10,
    units={
        "time": "t in windows",
        "impulse": "impulse response of LegT with so many states, 1 / window",
        "step": "step response of family and N, 1",
        "frequency": "w in radians per window",
        "axis_error": "abs(Y(iw) - e^(-iw)) of family and N, 1",
        "point": "real s, 1 / window",
        "error": "abs(Y(s) - e^(-s)) of family and N, 1",
        "law": "first term of that error, 1",
        "slope": "log-log slope of that error between its two smallest points, 1",
    },
)
def delay_network(panels: Panels, *, sizes: tuple[int, ...] = (8, 16, 32), points: int = 361) -> Data:
    """All values from balls: matrix exponentials (a, b), closed transfer functions (c, d)."""
    step = Fraction(9, 5) / (points - 1)
    data: Data = {"time": np.array([float(step * index) for index in range(points)])}
    window: list[Family] = [*(LegT(N) for N in sizes), FouT(sizes[-1] + 1)]
    with balls(512).work() as ring:
        for family in window:
            C, name = _delay_output(family, ring), f"{family.name}_{family.N}"
            if isinstance(family, LegT):
                data[f"impulse_{family.N}"] = _responses(
                    family, [C], family.input_vector(ring), Fraction(0), step, points, ring
                )[0]
            # x(t) = (I - e^(tA)) x_rest for u = 1; FouT's output has -u besides.
            rest = arb_mat(family.state_matrix(ring).tolist()).solve(
                arb_mat([[-entry] for entry in family.input_vector(ring)])
            )
            gone = _responses(family, [C], [rest[n, 0] for n in range(family.N)], Fraction(0), step, points, ring)[0]
            data[f"step_{name}"] = gone[0] - gone - (1 if isinstance(family, FouT) else 0)
    frequencies = np.linspace(0, 110, 221)[1:]
    abscissas = np.geomspace(0.01, 5, 25)
    data.update({"frequency": frequencies, "point": abscissas})
    with balls(512).work() as ring:
        for family in window:
            data[f"axis_error_{family.name}_{family.N}"] = np.array(
                [float(abs(_delay_transfer(family, acb(0, w), ring) - acb(0, -w).exp())) for w in frequencies]
            )
        for family in [*(LegT(N) for N in range(1, 5)), FouT(9)]:
            name = f"{family.name}_{family.N}"
            errors = [float(abs(_delay_transfer(family, acb(s), ring) - acb(-s).exp())) for s in abscissas]
            order, coefficient = _lowest_error(family, ring)
            data[f"error_{name}"] = np.array(errors)
            data[f"law_{name}"] = float(coefficient) * abscissas**order
            data[f"slope_{name}"] = np.array(math.log(errors[1] / errors[0]) / math.log(abscissas[1] / abscissas[0]))
    if panels is not None:
        _draw_delays(panels, data, window)
    return data


def _draw_delays(panels: Panels, data: Data, window: Sequence[Family]) -> None:
    (impulses, steps, axis, origin), time = panels, data["time"]
    for family, color in zip(window, _PALETTE, strict=False):
        name, text = f"{family.name}_{family.N}", f"{'LegT' if isinstance(family, LegT) else 'FouT'}, $N={family.N}$"
        if isinstance(family, LegT):
            curve = data[f"impulse_{family.N}"]
            impulses.plot(time, curve, color=color)
            late = int(np.flatnonzero(curve > curve[time > 0.5].max() / 2)[-1])
            impulses.annotate(
                f"$N={family.N}$", (time[late], curve[late]), xytext=(5, 2), textcoords="offset points", color=color,
                fontsize=7, va="bottom",
            )  # fmt: skip
        steps.plot(time, data[f"step_{name}"], color=color, label=text, linewidth=0.9)
        axis.semilogy(data["frequency"], np.maximum(data[f"axis_error_{name}"], 1e-17), color=color, linewidth=0.9)
    steps.plot([0, 1, 1, time[-1]], [0, 0, 1, 1], ":", color="0.3", linewidth=1)
    steps.legend(loc="lower right", frameon=False)
    steps.set(xlabel="time $t$ (windows)", ylabel="output", title="(b) response to a unit step", ylim=(-1.15, 1.35))
    impulses.set(xlabel="time $t$ (windows)", ylabel="output (1/window)", title="(a) impulse response of LegT")
    impulses.set_ylim(-0.75 * data[f"impulse_{window[-2].N}"].max(), None)
    axis.axhline(2, color="0.5", linewidth=0.5)
    axis.set(xlabel="frequency $w$ (radians/window)", ylabel="$|Y(iw)-e^{-iw}|$", ylim=(1e-12, 5), xlim=(0, 110))
    axis.set_title("(c) error on the imaginary axis")
    for family, color in zip(window, _PALETTE, strict=False):
        if isinstance(family, LegT):
            start = np.argmax(data[f"axis_error_{family.name}_{family.N}"] > 1e-8)
            axis.annotate(
                f"LegT, $N={family.N}$" if family is window[-2] else f"${family.N}$", (data["frequency"][start], 1e-8),
                xytext=(3, 0), textcoords="offset points", color=color, fontsize=7, va="center",
            )  # fmt: skip
        else:
            axis.annotate(f"FouT, $N={family.N}$", (96, 1e-5), color=color, fontsize=7, ha="center")
    for name, color in zip(["legt_1", "legt_2", "legt_3", "legt_4", "fout_9"], _PALETTE, strict=False):
        origin.loglog(data["point"], data[f"error_{name}"], color=color)
        origin.loglog(data["point"], data[f"law_{name}"], ":", color=color, linewidth=0.9)
        origin.annotate(
            f"{'LegT' if name.startswith('legt') else 'FouT'}, $N={name.split('_')[1]}$",
            (data["point"][0], data[f"error_{name}"][0]), xytext=(-3, 0), textcoords="offset points", color=color,
            fontsize=7, ha="right", va="center",
        )  # fmt: skip
    origin.set(xlabel="$s$ (1/window)", ylabel="$|Y(s)-e^{-s}|$", title="(d) order of the error at $s\\to0$")
    origin.set(xlim=(1.2e-3, 6), ylim=(1e-23, 10))


# --- the window of FouT ------------------------------------------------------------------------------------------------


def _edge_phase(x: Array) -> Array:
    """tau = artanh(x)/pi: what the modes that are left out add to h at the frequency w = pi N x, 2h = -i (cot(w/2) + 2 tau)."""
    return np.arctanh(x) / math.pi


def _edge_profiles(offsets: Array) -> tuple[Array, Array]:
    r"""Limits as N grows of the edge of K_0 and of the spike of B^T e^(tA) B / N at t = 1 + v/N, for all v.

    In powers of e^-s the transfer function of the spike is the sum of -i tau/(1 - i tau) (at t = 0), e^-s/(1 - i tau)^2 (at
    t = 1), and later echoes; for x > 1 there is no e^-s. Hence

        spike(v) = Re int_0^1 e^(i pi x v) (1 - i tau)^-2 dx,
        edge(v) = 1/2 - (1/pi) Im int_0^1 e^(i pi x v) (1 - i tau)^-2 dx/x.

    Gauss-Legendre with x = tanh(pi tau), which opens the logarithmic singularity at x = 1.
    """
    nodes, weights = np.polynomial.legendre.leggauss(400)
    tau = 2.0 * (nodes + 1)  # up to 4: beyond that 1 - x is below 1e-10
    x = np.tanh(math.pi * tau)
    weights = 2.0 * weights * math.pi / np.cosh(math.pi * tau) ** 2
    factor = weights / (1 - 1j * _edge_phase(x)) ** 2
    waves = np.exp(1j * math.pi * np.multiply.outer(offsets, x))
    return 0.5 - (waves @ (factor / x)).imag / math.pi, (waves @ factor).real


@figure(
    "fout-window",
    title="The window of FouT, its edge and its spike",
    caption=(
        "(a) Kernels $K_n$ of FouT with $N=33$ states against their limits $1$, $\\sqrt2\\cos2\\pi t$, "
        "$\\sqrt2\\sin2\\pi t$ on the window and $0$ beyond it (dotted); $K_0$ starts at 2, not 1. (b) At the end of "
        "the window $K_0$ overshoots, as partial sums do: seen at the scale $1/N$ the edge tends to one profile "
        "(dotted, derived here) with the values <overshoot:.4f> at its top and <undershoot:.4f> at its bottom, for "
        "every $N$. (c) The spike of the output $2b^Tx$ there has the height <peak:.4f> $N$ and the width $1/N$."
    ),
    alternative=(
        "Three panels. The first three kernels follow a constant, a cosine and a sine on the window from zero to one "
        "and then fall to zero with ripples. Enlarged by N around time one, the falling edge of the first kernel for "
        "N of 17, 33 and 129 lies on one curve with overshoot on both sides. The spike of the delayed output, scaled "
        "by N, also."
    ),
    source="HTTYH (arXiv:2206.12037), truncated Fourier and spikes; the profiles are derived here",
    panels=(1, 3),
    size=(7.2, 2.7),
    digits=8,
    units={
        "time": "t in windows",
        "kernel": "K_n(t) at N = 33, 1 / window",
        "limit": "its limit, 1 / window",
        "offset": "v = N (t - 1), 1",
        "edge": "K_0(1 + v/N) at N, 1 / window",
        "spike": "B^T exp(tA) B / N at t = 1 + v/N, 1 / window",
        "overshoot": "largest value of the limiting edge, 1",
        "undershoot": "smallest value of the limiting edge, 1",
        "peak": "largest value of the limiting spike over N, 1",
    },
)
def fout_window(panels: Panels, *, N: int = 33, sizes: tuple[int, ...] = (17, 33, 129)) -> Data:
    """Certified kernels (matrix exponentials of balls) and the limiting profiles at the end of the window (quadrature)."""
    count, reach = 161, 8
    step = Fraction(8, 5) / 320
    time = np.array([float(step * index) for index in range(321)])
    offsets = np.linspace(-reach, reach, count)
    data: Data = {"time": time, "offset": offsets}
    with balls(320).work() as ring:
        family = FouT(N)
        unit = [[arb(int(n == row)) for n in range(N)] for row in range(3)]
        kernels = _responses(family, unit, family.input_vector(ring), Fraction(0), step, len(time), ring)
        for n in range(3):
            data[f"kernel_{n}"] = kernels[n]
            limit = [float(family.basis(n, Fraction(8, 5) * index / 320, ring)) for index in range(321)]
            data[f"limit_{n}"] = np.where(time <= 1, limit, 0.0)
        for size in sizes:
            family = FouT(size)
            B = family.input_vector(ring)
            rows = [[arb(int(n == 0)) for n in range(size)], list(B)]
            fine = Fraction(2 * reach, (count - 1) * size)
            edge, spike = _responses(family, rows, B, 1 - Fraction(reach, size), fine, count, ring)
            data[f"edge_{size}"], data[f"spike_{size}"] = edge, spike / size
    data["edge_limit"], data["spike_limit"] = _edge_profiles(offsets)
    dense = _edge_profiles(np.linspace(-2, 2, 4001))
    data.update(overshoot=dense[0].max(), undershoot=dense[0].min(), peak=dense[1].max())
    if panels is None:
        return data
    window, edges, spikes = panels
    for n, (name, color) in enumerate(zip(("1", "\\cos", "\\sin"), _PALETTE, strict=False)):
        window.plot(time, data[f"kernel_{n}"], color=color)
        inside = time <= 1
        window.plot(time[inside], data[f"limit_{n}"][inside], ":", color="0.2", linewidth=0.9)
        place = ((0.62, 1.08), (0.07, 1.62), (0.25, 1.5))[n]
        window.text(*place, f"${name}$", color=color, fontsize=7)
    window.plot([1, 1.6], [0, 0], ":", color="0.2", linewidth=0.9)
    window.set(xlabel="time $t$ (windows)", ylabel="$K_n(t)$ (1/window)", title=f"(a) kernels, $N={N}$", xlim=(0, 1.6))
    window.set_ylim(-1.8, 2.1)
    for size, color in zip(sizes, _PALETTE, strict=False):
        edges.plot(offsets, data[f"edge_{size}"], color=color, linewidth=0.9, label=f"$N={size}$")
        spikes.plot(offsets, data[f"spike_{size}"], color=color, linewidth=0.9)
    edges.plot(offsets, data["edge_limit"], ":", color="black", linewidth=1, label="limit")
    spikes.plot(offsets, data["spike_limit"], ":", color="black", linewidth=1)
    edges.legend(loc="lower left", frameon=False, handlelength=1.4)
    edges.set(xlabel="$N(t-1)$", ylabel="$K_0(t)$ (1/window)", title="(b) edge of the window", xlim=(-reach, reach))
    spikes.set(
        xlabel="$N(t-1)$", ylabel="$B^Te^{tA}B/N$ (1/window)", title="(c) spike at its end", xlim=(-reach, reach)
    )
    return data


# --- time scales -------------------------------------------------------------------------------------------------------


def _mean_lag(kernel: ExponentialSum, ring: Balls) -> float:
    """sum_l l k_l / sum_l k_l of a discrete kernel, by geometric series: sum_l z^l = 1/(1-z), sum_l l z^l = z/(1-z)^2."""
    first, second = arb(0), arb(0)
    for coefficients, rates, twice in (
        (kernel.real_coefficients, kernel.real_rates, 1),
        (kernel.coefficients, kernel.rates, 2),
    ):
        for c, z in zip(coefficients, rates, strict=True):
            first += twice * acb(c / (1 - z)).real
            second += twice * acb(c * z / (1 - z) ** 2).real
    return float(second / first)


@figure(
    "time-scales",
    title="What the step does: it stretches the memory",
    caption=(
        "Left: the kernel $K_3$ of S4D-LegS, $N=64$, zero-order hold, at three steps against the lag (logarithmic): "
        "one function of $\\Delta\\,l$, moved; black: LegS itself. The small step lets through the oscillations "
        "which the large one averages away. Right: the mean lag of $K_0$ follows $a/\\Delta-1/2$ (dotted), with the "
        "mean age $a=1$ for LegS, $1-1/N$ for S4D-LegS (even $N$) and $1/2$ for the window of FouT. Steps drawn from "
        "$[10^{-3},10^{-1}]$ (gray) thus cover a memory of <shortest:.1f> to <longest:.1f> steps for LegS."
    ),
    alternative=(
        "Left: three copies of an oscillating, decaying kernel, each moved to ten times larger lags as the step is "
        "ten times smaller, with more noise for the smaller step. Right: mean lag against the step in double "
        "logarithmic axes, straight lines with slope minus one for LegS, its diagonal version and FouT; a band marks "
        "the steps of the initialization."
    ),
    source="HTTYH (arXiv:2206.12037), time scale of an orthogonal system; S4D (arXiv:2206.11893), range of the step",
    panels=(1, 2),
    size=(7.2, 2.9),
    digits=6,
    units={
        "lag": "lag l at that step, 1",
        "diagonal": "kernel of S4D-LegS over the step, component 3, 1 / unit of time",
        "full": "kernel of LegS over the step, component 3, 1 / unit of time",
        "step": "step, units of time",
        "mean": "mean lag of K_0, steps",
        "law": "law of the mean lag, steps",
        "shortest": "mean lag of LegS at the largest step of the range, steps",
        "longest": "mean lag of LegS at the smallest step of the range, steps",
    },
)
def time_scales(panels: Panels, *, N: int = 64, points: int = 8) -> Data:
    """Kernels and mean lags from balls; the mean lags of FouT by float64 solves (6 digits hold everywhere)."""
    shown = [Fraction(1, 10), Fraction(1, 100), Fraction(1, 1000)]
    data: Data = {}
    for place, step in enumerate(shown):
        drawn = basis_kernels(None, LegS(N), components=[3], method="zoh", step=step, horizon=5)
        lags = np.unique(np.geomspace(1, len(drawn["time"]) - 1, 400).astype(int))
        lags = np.concatenate([[0], lags])
        data[f"lag_{place}"] = lags
        data[f"diagonal_{place}"], data[f"full_{place}"] = drawn["diagonal_3"][lags], drawn["full_3"][lags]
    exponents = np.linspace(-4, -0.5, points)
    steps = [Fraction(10) ** round(e) if e == round(e) else Fraction(float(10**e)) for e in exponents]
    means: dict[str, list[float]] = {"legs": [], "diagonal": [], "fout": []}
    fout = FouT(33)
    with balls(256).work() as ring:
        full, restricted = full_kernel(LegS(N), 0, ring), diagonal_kernel(LegS(N), 0, ring)
        for step in steps:
            means["legs"].append(_mean_lag(discretize(full, "zoh", step), ring))
            means["diagonal"].append(_mean_lag(discretize(restricted, "zoh", step), ring))
            state, drive = discretize_dense(fout.A, fout.B, "zoh", step)
            first = np.linalg.solve(np.eye(33) - state, drive)
            means["fout"].append(float((state @ np.linalg.solve(np.eye(33) - state, first))[0] / first[0]))
    data["step"] = np.array([float(step) for step in steps])
    for name, values in means.items():
        data[f"mean_{name}"] = np.array(values)
    # X/(1 + q) at s = 0, where q vanishes with the slope (-1)^(N-1)/N: the restriction is 1/N younger for even N.
    ages = {"legs": LegS(N).timescale, "diagonal": 1 + Fraction((-1) ** (N - 1), N), "fout": fout.timescale}
    for name, age in ages.items():
        data[f"law_{name}"] = float(age) / data["step"] - 0.5
    data["shortest"] = 1 / np.expm1(0.1)
    data["longest"] = 1 / np.expm1(0.001)
    if panels is None:
        return data
    stretched, memory = panels
    for place, color in zip(range(len(shown)), _PALETTE, strict=False):
        lags, shift = data[f"lag_{place}"][1:], -7 * place
        stretched.semilogx(lags, data[f"diagonal_{place}"][1:] + shift, color=color, linewidth=0.8)
        stretched.semilogx(lags, data[f"full_{place}"][1:] + shift, color="black", linewidth=0.8)
        text = f"$\\Delta=10^{{-{place + 1}}}$"
        stretched.annotate(text, (1.2, shift - 2.3), color=color, fontsize=7)
    stretched.set(xlabel="lag $l$ (steps)", ylabel="$K_3$ (1/unit of time), shifted by 7", xlim=(1, 6e3))
    stretched.set_yticks([-14, -7, 0], ["0", "0", "0"])
    memory.axvspan(1e-3, 1e-1, color="0.9", linewidth=0)
    labels = []
    for name, text, marker, color in (
        ("legs", "LegS", "o", _PALETTE[0]),
        ("diagonal", f"S4D-LegS {N}", "x", _PALETTE[1]),
        ("fout", "FouT 33", "s", _PALETTE[2]),
    ):
        memory.loglog(data["step"], data[f"mean_{name}"], marker, color=color, markersize=3.5, fillstyle="none")
        labels.append((data["step"][-1], data[f"mean_{name}"][-1], text, color))
        memory.loglog(data["step"], data[f"law_{name}"], ":", color=color)
    memory.set(xlabel="step $\\Delta$ (units of time)", ylabel="mean lag (steps)")
    label_curves(memory, labels)
    return data


# --- the softmax of DSS ------------------------------------------------------------------------------------------------


@figure(
    "dss-softmax",
    title="The softmax of DSS: local, uniform or delayed, and undefined at some rates",
    caption=(
        "(a) Moduli of the weights that DSS-softmax gives to one mode over $L=64$ lags, $\\lambda=(r+i)/(L\\Delta)$ "
        "with $r$ as labeled: strongly negative rates look at the first lags, small ones at all alike, positive "
        "ones at the last: a delay by the whole window. (b) The plain kernel $e^{\\lambda\\Delta l}$ of the same "
        "rates has the value 1 at the first lag, and grows without bound where the rate is positive. (c) The first "
        "weight, that is one over the sum of the mode, against the phase that the mode turns over the $L$ lags. At "
        "whole turns the sum is nearly zero, and exactly so for $r=0$, where Proposition 1 of the paper has to "
        "exclude $e^{L\\lambda\\Delta}=1$: at one turn and $r=-0.01$ the first weight is <blown:.1f>, where without "
        "turning it is <unturned:.5f>. Vertical line: no turn at all, where nothing is wrong, for the sum is $L$."
    ),
    alternative=(
        "Left: weights against lag, falling from the first lag, flat, and rising towards the last lag. Middle: plain "
        "exponentials of the same rates, from one on, falling or growing by eight powers of ten. Right: the first "
        "weight against the number of turns, with sharp peaks at one, two and three turns that grow as the damping "
        "shrinks, and none at zero turns."
    ),
    source="DSS (arXiv:2203.14343), Proposition 1(b) and its discussion",
    panels=(1, 3),
    size=(7.2, 2.7),
    digits=8,
    units={
        "lag": "lag, 1",
        "weight": "modulus of the weight of the rate with that index, 1",
        "plain": "modulus of the plain kernel of the rate with that index, 1",
        "rate": "r = L dt Re(lambda), 1",
        "turn": "L dt Im(lambda)/(2 pi), turns",
        "first": "modulus of the first weight at that damping, 1",
        "damping": "L dt Re(lambda) of these, 1",
        "blown": "first weight at one turn, r = -0.01, 1",
        "unturned": "first weight without turning, r = -0.01, 1",
    },
)
def dss_softmax(panels: Panels, *, L: int = 64, points: int = 800) -> Data:
    """Weights from `dss_softmax_kernel` with C = Lambda, which makes them those of one mode alone."""
    rates, dampings = np.array([-20.0, -5.0, -0.1, 5.0, 20.0]), np.array([-0.01, -0.1, -1.0, -5.0])
    lags = np.arange(L)
    data: Data = {"lag": lags, "rate": rates, "damping": dampings}
    for index, rate in enumerate(rates):
        Lambda = np.array([complex(rate, 1) / L])
        data[f"weight_{index}"] = np.abs(dss_softmax_kernel(Lambda, Lambda, 1.0, L))
        data[f"plain_{index}"] = np.exp(rate * lags / L)
    turns = np.linspace(-0.5, 3.5, points + 1)
    data["turn"] = turns

    def first(rate: float, turn: Array) -> Array:
        Lambda = (rate + 2j * math.pi * turn[:, None]) / L
        return np.asarray(np.abs(dss_softmax_kernel(Lambda, Lambda, 1.0, L))[:, 0])

    for index, rate in enumerate(dampings):
        data[f"first_{index}"] = first(rate, turns)
    data["blown"], data["unturned"] = first(dampings[0], np.array([1.0])), first(dampings[0], np.array([0.0]))
    if panels is None:
        return data
    weights, plain, sums = panels
    for index, (rate, color) in enumerate(zip(rates, _PALETTE, strict=False)):
        weights.plot(lags, data[f"weight_{index}"], color=color)
        plain.semilogy(lags, data[f"plain_{index}"], color=color)
        place = {-20.0: (3.5, 0.21), -5.0: (8, 0.058), -0.1: (23, 0.025), 5.0: (34, 0.058), 20.0: (39, 0.21)}[
            float(rate)
        ]
        weights.annotate(f"$r={rate:g}$", place, color=color, fontsize=7)
    weights.set(
        xlabel="lag", ylabel="modulus", ylim=(0, 0.29), xlim=(0, L - 1), title="(a) softmax weights of one mode"
    )
    plain.set(xlabel="lag", ylabel="modulus", xlim=(0, L - 1), title="(b) plain kernel")
    label_curves(
        plain,
        [(L - 1, data[f"plain_{i}"][-1], f"${r:g}$", c) for i, (r, c) in enumerate(zip(rates, _PALETTE, strict=False))],
    )
    labels = []
    for index, (rate, color) in enumerate(zip(dampings, _PALETTE, strict=False)):
        sums.semilogy(turns, data[f"first_{index}"], color=color, linewidth=0.9)
        labels.append((turns[-1], data[f"first_{index}"][-1], f"${rate:g}$", color))
    sums.axvline(0, color="0.4", linewidth=0.6)
    sums.set(xlabel="$L\\Delta\\,\\mathrm{Im}\\,\\lambda/2\\pi$ (turns)", ylabel="modulus of the first weight")
    sums.set_title("(c) one over the sum")
    label_curves(sums, labels)
    return data
