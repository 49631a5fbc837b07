"""Figures of how far S4D-LegS is from S4-LegS: in every sense against N, over sizes and steps, and when it is heard."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb

from hippo_theory.arithmetic import balls, exact_fraction
from hippo_theory.asymptotics import LARGE_SIZE_TIMES_STEP
from hippo_theory.convergence import Rate, Row, converge
from hippo_theory.discretizations import discretize
from hippo_theory.families import LegS, legs_phase
from hippo_theory.figures.convergence import METHOD_COLORS, METHOD_TITLES
from hippo_theory.figures.registry import figure
from hippo_theory.figures.style import COLORS, Array, Data, Panels, label_curves
from hippo_theory.kernels import certified_kernel, diagonal_kernel, full_kernel

__all__ = ["bilinear_echo", "restriction_errors", "size_step_map"]

_NORMS = {
    "transfer": "transfer function at $s = 2i$",
    "l2": "$L^2$ distance",
    "sup": "largest distance",
    "hinf": "$H^\\infty$ distance",
}


def _float(error: Any) -> float:
    return math.nan if error is None else float(error)


def _fitted_power(rate: Rate) -> str:
    """``, N^slope`` where the slopes between neighboring sizes agree within 3/4, else nothing: there is no power law."""
    if rate.slope is None or rate.interval is None or rate.interval[1] - rate.interval[0] > 0.75:
        return ""
    return f", $N^{{{round(rate.slope, 1) + 0.0:.1f}}}$"  # no negative zero


@figure(
    "error-against-size",
    title="In which sense S4D-LegS approaches S4-LegS, and how fast",
    caption=(
        "Distance between the kernels $K_0$ of LegS and of its diagonal restriction against $N$; discrete methods have the "
        "step 0.1, the same on both sides. Beside each curve that is a power law its fitted exponent; thick and pale: exact "
        "values and asymptotic laws, where there are any, from another formula. Transfer functions at a point agree to "
        "$O(1/N)$ (fitted <slope_transfer_continuous:.3f>, theory $-1$), those of samples do not. In $L^2$ only "
        "zero-order hold converges "
        "(<slope_l2_zoh:.2f>, theory $-1$); the continuous distance tends to $1/2$, and the bilinear one is equal to it, "
        "exactly (the largest distance of the continuous kernels does not fall and has no closed form: it is not drawn). In "
        "$H^\\infty$ again only zero-order hold converges: the continuous distance tends to $2/\\pi$, and the bilinear rule, "
        "which weighs the frequency $w$ by $|1 + iwD/2|$, makes of it a growth like $N^2$ (<slope_hinf_bilinear:.2f>)."
    ),
    alternative=(
        "Four double logarithmic plots against N from 8 to 512. At a point the transfer functions approach each other with "
        "slope about minus one by every method but sampling. In L2 only zero-order hold falls. The largest distance falls "
        "for zero-order hold and for the bilinear rule. In H infinity zero-order hold falls, the continuous curve is flat and "
        "the bilinear one rises."
    ),
    source="S4D (arXiv:2206.11893), its theorem on the convergence of the basis, made precise here",
    panels=(2, 2),
    size=(7.2, 5.0),
    digits=10,
    units={
        "size": "state size N",
        "error": "distance of the kernels K_0 in the norm named; kernels per unit of time, time in units of the exponential",
        "theory": "closed form or leading term of the same; NaN where there is none",
        "slope": "least-squares exponent of N, sizes from 64 up",
        "exponent": "exponent of N by theory",
    },
)
def restriction_errors(panels: Panels, *, largest: int = 512, step: str = "0.1", point: str = "2j") -> Data:
    """Certified distances of `hippo_theory.convergence`, their theory, and the slopes of both."""
    sizes = [2**power for power in range(3, largest.bit_length())]
    study = converge("legs", sizes=sizes, steps=[step], components=[0], points=[point], digits=12)
    curves: dict[tuple[str, str], list[Row]] = {}
    for row in study.rows:
        curves.setdefault((row.norm, row.method), []).append(row)
    data: Data = {"size": np.array(sizes)}
    rates: dict[tuple[str, str], Rate] = {(rate.norm, rate.method): rate for rate in study.rates}
    for (norm, method), rows in curves.items():
        if rows[0].error is None:
            continue
        data[f"error_{norm}_{method}"] = np.array([_float(row.error) for row in rows])
        data[f"theory_{norm}_{method}"] = np.array([_float(row.theory) for row in rows])
        data[f"slope_{norm}_{method}"] = np.array(_float(rates[norm, method].slope))
        if rates[norm, method].theory is not None:
            data[f"exponent_{norm}_{method}"] = np.array(_float(rates[norm, method].theory))
    if panels is None:
        return data
    for axes, (norm, words) in zip(panels, _NORMS.items(), strict=True):
        labels = []
        for method, color in METHOD_COLORS.items():
            errors = data.get(f"error_{norm}_{method}")
            if errors is None:
                continue
            axes.loglog(sizes, data[f"theory_{norm}_{method}"], color=color, linewidth=4, alpha=0.22)
            axes.loglog(sizes, errors, "o-", color=color, markersize=2.5)
            text = METHOD_TITLES[method] + _fitted_power(rates[norm, method])
            labels.append((sizes[-1], float(errors[-1]), text, color))
        axes.set_title(words)
        axes.set_xticks(sizes, [str(N) for N in sizes])
        axes.minorticks_off()
        axes.set_ylim(axes.get_ylim()[0] / 2, axes.get_ylim()[1] * 1.3)  # room for three labels at one height
        label_curves(axes, labels)
    panels[0].set_ylabel("distance")
    panels[2].set_ylabel("distance")
    for axes in panels[2:]:
        axes.set_xlabel("state size $N$")
    return data


# --- sizes and steps ---------------------------------------------------------------------------------------------------

_STEPS = ("0.001", "0.0018", "0.0032", "0.0056", "0.01", "0.018", "0.032", "0.056", "0.1", "0.18", "0.32", "0.56", "1")
_SIZES = (8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256)


@figure(
    "size-step-map",
    title="Which sizes and steps lie in the regime where S4D-LegS converges",
    caption=(
        "Distance between the kernels $K_0$ of LegS and of its diagonal restriction for state sizes $N$ and steps $D$; white: "
        "its contours at <level_high:g>, <level_middle:g> and <level_low:g>; dashed: the same contours of the law, where one "
        "holds. After zero-order hold the $L^2$ distance depends on $N\\sqrt{D}$: it is $1/(N\\sqrt{D})$ within 15% once "
        "$N\\sqrt{D}$ exceeds 6, for $D \\le 0.1$. At the usual $N = 64$ and $D = 0.01$ it is still <usual_l2_zoh:.3f>. "
        "The bilinear distance is $\\sqrt{1/4 - 1/(2N^2)}$ whatever the step; sampling does not converge either. Once $ND$ "
        "exceeds <large:g> the largest distance (bottom) follows, within a factor of two, the laws $c(D)/N$ for "
        "zero-order hold and $N^{-1} D^{-2/3} (2\\ln ND)^{-1/3}$ for the bilinear rule, whose error is small at every "
        "time but lasts "
        "so long that its $L^2$ norm is not."
    ),
    alternative=(
        "Six maps of step against size. For zero-order hold the colors darken towards large sizes and large steps along "
        "straight contours of slope minus two. For the bilinear rule the L2 map is all one color, but the map of the "
        "largest distance darkens. For sampling both maps are all of light colors."
    ),
    source="derived here",
    panels=(2, 3),
    size=(7.2, 4.8),
    digits=10,
    axes={"sharex": True, "sharey": True},
    units={
        "size": "state size N",
        "step": "D, in units of the scale of the exponential",
        "error": "distance of the kernels K_0, rows: steps, columns: sizes; kernels per unit of time",
        "theory": "closed form or leading term of the same; NaN where there is none",
        "level": "distance at a contour",
        "large": "N D from which on the laws of the largest distance are shown",
        "usual": "distance at N = 64, D = 0.01",
    },
)
def size_step_map(panels: Panels, *, sizes: tuple[int, ...] = _SIZES, steps: tuple[str, ...] = _STEPS) -> Data:
    """Certified distances of `hippo_theory.convergence` on a grid, and their theory."""
    methods, norms = ("zoh", "bilinear", "sampled"), ("l2", "sup")
    study = converge("legs", sizes=sizes, steps=steps, methods=methods, components=[0], norms=norms, digits=10)
    levels = (0.3, 0.1, 0.03)
    data: Data = {
        "size": np.array(sizes),
        "step": np.array([float(step) for step in steps]),
        "large": np.array(LARGE_SIZE_TIMES_STEP),
        **{f"level_{name}": np.array(level) for name, level in zip(("high", "middle", "low"), levels, strict=True)},
    }
    places = {exact_fraction(step): place for place, step in enumerate(steps)}
    for norm in norms:
        for method in methods:
            errors, theory = np.full((2, len(steps), len(sizes)), math.nan)
            for row in study.rows:
                if (row.norm, row.method) == (norm, method) and row.step is not None:
                    place = places[row.step], sizes.index(row.N)
                    errors[place] = _float(row.error)
                    theory[place] = _float(row.theory)
                    if (row.N, row.step) == (64, Fraction(1, 100)):
                        data[f"usual_{norm}_{method}"] = np.array(errors[place])
            data[f"error_{norm}_{method}"], data[f"theory_{norm}_{method}"] = errors, theory
    if panels is None:
        return data
    from matplotlib.colors import LogNorm

    scale = LogNorm(vmin=1e-3, vmax=1.4)
    mesh = None
    for index, axes in enumerate(panels):
        norm, method = norms[index // 3], methods[index % 3]
        errors, theory = data[f"error_{norm}_{method}"], data[f"theory_{norm}_{method}"]
        mesh = axes.pcolormesh(data["size"], data["step"], errors, norm=scale, cmap="viridis", shading="nearest")
        axes.set(xscale="log", yscale="log")
        rising = sorted(levels)
        if errors.min() < 0.1:
            lines = axes.contour(data["size"], data["step"], errors, rising, colors="white", linewidths=0.9)
            axes.clabel(lines, fmt="%g", fontsize=6)
        known = np.ma.masked_invalid(theory)
        if known.count() and any(known.min() < level < known.max() for level in levels):
            axes.contour(
                data["size"], data["step"], known, rising, colors=COLORS["vermilion"], linewidths=1.1, linestyles="--"
            )
        axes.set_xticks([8, 16, 32, 64, 128, 256], ["8", "16", "32", "64", "128", "256"])
        axes.minorticks_off()
        axes.grid(False)
        if (norm, method) == ("l2", "bilinear"):
            words = "the same for every step:\n$\\sqrt{1/4 - 1/(2N^2)}$"
            axes.annotate(words, (0.5, 0.5), xycoords="axes fraction", ha="center", va="center")
        elif method == "sampled":
            axes.annotate("no convergence", (0.5, 0.5), xycoords="axes fraction", ha="center", va="center")
        if norm == "l2":
            axes.set_title(METHOD_TITLES[method])
        else:
            axes.set_xlabel("state size $N$")
    panels[0].set_ylabel("$L^2$ distance\nstep $D$")
    panels[3].set_ylabel("largest distance\nstep $D$")
    bar = panels[0].figure.colorbar(mesh, ax=list(panels), shrink=0.7, pad=0.015)
    bar.set_label("distance of $K_0$ from its restriction")
    return data


# --- the echo of the bilinear method -----------------------------------------------------------------------------------


def _first_arrival(sizes: Sequence[int], step: Fraction) -> Array:
    """The least group delay 2 phi_N'(w) (1 + (w D/2)^2) over the frequencies w of the error, certified phi_N', grid in w.

    On Re s = -1/2 the error is X times q/(1 + q) with q = e^(-2 i phi_N(w)) up to sign, so that its first echo lags by
    2 phi_N'(w); the bilinear rule moves w to (2/D) atan(w D/2), whose derivative is 1/(1 + (w D/2)^2). First order in D.
    """
    result = np.empty(len(sizes))
    D = float(step)
    for place, N in enumerate(sizes):
        # For large N D the minimum lies at w D/2 of order 1/sqrt(ln N D); for small, at infinity, with the limit (N D)^2/4.
        frequencies = np.geomspace(1, 1e4 * max(N, 1 / D), 400)
        with balls(64).work():
            delays = [
                float(2 * legs_phase.slope(N, arb(w)) * (1 + (arb(w) * D / 2) ** 2)) for w in frequencies.tolist()
            ]
        result[place] = min(delays)
    return result


def _first_arrival_law(product: Array) -> Array:
    """inf over v of (1 + v^2) ln(1 + (N D)^2/(4 v^2)), v = w D/2: the first order of the least group delay, from N D."""
    v = np.geomspace(1e-3, 1e5, 4000)[:, None]
    return np.asarray(((1 + v**2) * np.log1p((product / (2 * v)) ** 2)).min(axis=0))


@figure(
    "bilinear-echo",
    title="After the bilinear rule the error of S4D-LegS is an echo that comes late",
    caption=(
        "Left: the difference of the kernels $K_0$ of LegS and of its diagonal restriction after the bilinear rule with step "
        "$D = 0.1$. It is exponentially small until the first echo arrives (dotted lines: least group delay, "
        "$t_{\\min} = <arrival_64:.3g>$, <arrival_256:.3g> and <arrival_1024:.3g> for $N = 64, 256, 1024$): up to $t = 5$ it "
        "stays below <quiet_1024:.1e> at $N = 1024$, although its largest value is <peak_1024:.2g>. Right: $t_{\\min}$ "
        "depends on $ND$ only, as $\\min_v (1+v^2)\\ln(1+(ND)^2/(4v^2))$ (gray); it is $(ND)^2/4$ (dotted) for small $ND$ "
        "and grows like $2\\ln ND$ for large. Crosses: exact phases at $D = 0.1$ (blue) "
        "and $0.02$ (red); circles: the first lag at which the error exceeds a quarter of its peak, some steps "
        "earlier, for the front rises before it."
    ),
    alternative=(
        "Left: three curves of the error against time, logarithmic; each starts many orders of magnitude down and jumps up "
        "at its arrival time, later for larger N, then rings on with slow decay. Right: arrival time against N times step, "
        "first a parabola, then logarithmic growth; the measured points lie on the law."
    ),
    source="derived here (group delay of the bilinear error)",
    panels=(1, 2),
    size=(7.2, 3.1),
    digits=9,
    units={
        "time": "t = l D, in units of the scale of the exponential",
        "error": "absolute difference of the kernels K_0 divided by the step, per unit of time; NaN below 1e-38 times "
        "the largest",
        "arrival": "least group delay t_min at D = 0.1",
        "quiet": "largest error up to t = 5, per unit of time",
        "peak": "largest error up to the end of the curve, per unit of time",
        "product": "N times D",
        "law": "inf over v of (1+v^2) ln(1+(N D)^2/(4 v^2))",
        "delay": "least group delay, exact phase derivative, over sizes at the step in the name",
        "seen": "first time at which the error exceeds a quarter of its largest value, at that step",
    },
)
def bilinear_echo(
    panels: Panels,
    *,
    sizes: tuple[int, ...] = (64, 256, 1024),
    step: str = "0.1",
    horizon: int = 30,
    steps: tuple[str, ...] = ("0.1", "0.02"),
) -> Data:
    """Errors certified, to 50 digits of the largest; phase derivatives from balls."""
    D = exact_fraction(step)
    count = int(horizon / D) + 1
    data: Data = {"time": np.array([float(D * lag) for lag in range(count)])}
    before = data["time"] <= 5
    for N, arrival in zip(sizes, _first_arrival(sizes, D), strict=True):
        error = _echo(N, D, count)
        data[f"error_{N}"], data[f"arrival_{N}"] = error, np.array(arrival)
        data[f"quiet_{N}"] = np.array(np.nanmax(error[before]))
        data[f"peak_{N}"] = np.array(np.nanmax(error))
    products = np.geomspace(0.25, 130, 60)
    data["product"], data["law"] = products, _first_arrival_law(products)
    for text in steps:
        swept, spacing = _swept_sizes(exact_fraction(text)), exact_fraction(text)
        data[f"product_{text}"] = np.array([float(N * spacing) for N in swept])
        data[f"delay_{text}"] = _first_arrival(swept, spacing)
        data[f"seen_{text}"] = np.array([_first_seen(N, spacing, horizon) for N in swept])
    if panels is None:
        return data
    left, right = panels
    labels = []
    for N, color in zip(sizes, COLORS.values(), strict=False):
        left.semilogy(data["time"], data[f"error_{N}"], color=color, linewidth=0.7)
        left.axvline(float(data[f"arrival_{N}"]), color=color, linestyle=":")
        labels.append((horizon, float(np.median(data[f"error_{N}"][-20:])), f"$N={N}$", color))
    left.set(xlim=(0, horizon), ylim=(1e-30, 3), xlabel="time $t$", ylabel="error of $K_0$")
    label_curves(left, labels)
    right.loglog(products, data["law"], color="#999999", linewidth=3, alpha=0.6)
    early = products < 3
    right.loglog(products[early], products[early] ** 2 / 4, ":", color="black")
    for text, color in zip(steps, COLORS.values(), strict=False):
        right.loglog(data[f"product_{text}"], data[f"delay_{text}"], "x", color=color, markersize=4)
        right.loglog(data[f"product_{text}"], data[f"seen_{text}"], "o", color=color, fillstyle="none", markersize=5)
        right.annotate(
            f"$D = {text}$", (0.97, 0.06 + 0.08 * steps.index(text)), xycoords="axes fraction", ha="right", color=color
        )
    right.annotate("$(ND)^2/4$", (0.9, 0.2), xytext=(-6, 4), textcoords="offset points", ha="right")
    right.annotate("$\\times$ group delay\n$\\circ$ error $>$ peak/4", (0.03, 0.88), xycoords="axes fraction")
    right.set(xlabel="$N D$", ylabel="first arrival $t_{\\min}$")
    return data


def _echo(N: int, step: Fraction, count: int) -> Array:
    """Absolute difference of the kernels K_0 after the bilinear rule, to 50 digits of the largest; NaN 38 below it."""
    family = LegS(N)
    values = certified_kernel(
        lambda ring: discretize(diagonal_kernel(family, 0, ring) - full_kernel(family, 0, ring), "bilinear", step),
        range(count),
        50,
        relative_to="largest",
    )
    error = np.array([abs(float(value)) for value in values])
    return np.where(error > 1e-38 * error.max(), error, math.nan)


def _swept_sizes(step: Fraction) -> list[int]:
    """Sizes for which N D runs from about 1/2 to 100."""
    return [N for N in (8, 16, 32, 64, 128, 256, 512, 1024) if Fraction(1, 4) <= N * step <= 128]


def _first_seen(N: int, step: Fraction, horizon: int) -> float:
    error = _echo(N, step, int(horizon / step) + 1)
    return float(step * int(np.argmax(error > np.nanmax(error) / 4)))
