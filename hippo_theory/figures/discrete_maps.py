"""Figures of discrete time: where each method sends eigenvalues, and the ring of the LRU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hippo_theory.discretizations import Discretization, find_discretization, generalized_bilinear
from hippo_theory.families import LegS
from hippo_theory.figures.registry import figure
from hippo_theory.figures.style import COLORS, Data, Panels
from hippo_theory.initializations import ring_parameters

__all__ = ["discretization_maps", "lru_ring"]


# --- discretizations as maps --------------------------------------------------------------------------------------------


def _methods() -> dict[str, tuple[Discretization, str]]:
    """Name in the data: the method and its title."""
    return {
        "zoh": (find_discretization("zoh"), "zero-order hold"),
        "bilinear": (find_discretization("bilinear"), "bilinear"),
        "gbt": (generalized_bilinear("2/3"), "gen. bilinear, $\\frac{2}{3}$"),
        "backward": (find_discretization("backward_euler"), "backward Euler"),
        "forward": (find_discretization("forward_euler"), "forward Euler"),
    }


_STEPS = ("0.001", "0.01", "0.1")
_STEP_COLORS = (COLORS["blue"], COLORS["orange"], COLORS["vermilion"])


@figure(
    "discretization-maps",
    title="Where discretizations send the left half plane, and the eigenvalues of LegS",
    caption=(
        "Top: the images $z(x)$ of the left half plane (shaded), of vertical lines $\\mathrm{Re}\\,x = -\\frac14, "
        "-\\frac12, -1, -2$ (blue) and of horizontal lines $\\mathrm{Im}\\,x = -\\pi, \\dots, \\pi$ (orange), with "
        "the unit circle; the heavy line is the image of the imaginary axis. Bottom: the $N = 64$ eigenvalues "
        "$-\\frac12 \\pm iw_m$ of S4D-LegS for the steps $0.001$, $0.01$ and $0.1$. Zero-order hold winds them "
        "around the circle; the bilinear method sends the fastest towards $-1$, its generalization with $\\alpha = "
        "\\frac23$ towards "
        "$-\\frac12$, backward Euler towards $0$. Forward Euler leaves $<outside_small:d>$, $<outside_middle:d>$ and "
        "$<outside_large:d>$ of them outside the unit disc (most beyond the frame); its disc needs $w^2 \\Delta < 1 "
        "- \\Delta/4$."
    ),
    alternative=(
        "Five columns, one for each method. Above, the images of a grid: discs for zero-order hold and the bilinear "
        "methods, a small disc for backward Euler, an unbounded half plane for forward Euler. Below, dots for three "
        "steps: on or within the unit circle for the first four methods, along a vertical line out of the unit "
        "circle for forward Euler."
    ),
    source="derived here; methods as in HiPPO (arXiv:2008.07669), appendix, and S4D (arXiv:2206.11893)",
    panels=(2, 5),
    size=(7.2, 3.4),
    digits=10,
    units={
        "axis": "image of the imaginary axis under that method (1)",
        "vertical": "images of the lines Re x = -1/4, -1/2, -1, -2, one a row (1)",
        "horizontal": "images of the lines Im x = -pi, -3pi/4, ..., pi, one a row (1)",
        "eigenvalues": "z(lambda dt) of the eigenvalues under that method, one step a row (1)",
        "step": "steps dt (units of time)",
        "outside": "how many eigenvalues have abs(z) > 1 under forward Euler at the step 0.001, 0.01, 0.1",
    },
)
def discretization_maps(panels: Panels, *, N: int = 64, points: int = 81) -> Data:
    """The multipliers of the methods in complex128."""
    # Densest at 0 and reaching far, since far points of the axis crowd together under the bilinear methods.
    height = 2 * np.tan(np.linspace(-0.499, 0.499, points) * math.pi)
    bounded = np.linspace(-math.pi, math.pi, points)
    steps = np.array([float(step) for step in _STEPS])
    spectrum = LegS(N).normal_spectrum()
    reals, imaginaries = np.array([-0.25, -0.5, -1, -2]), np.arange(-4, 5) * math.pi / 4
    depth = -np.concatenate([np.linspace(0, 4, points - 20), np.geomspace(4.2, 400, 20)])
    data: Data = {"step": steps}
    for name, (rule, _) in _methods().items():
        # Every 2 pi the exponential repeats itself; the other methods need the whole line.
        line = bounded if name == "zoh" else height
        data[f"axis_{name}"] = rule.multiplier(1j * line)
        data[f"vertical_{name}"] = rule.multiplier(reals[:, None] + 1j * line)
        data[f"horizontal_{name}"] = rule.multiplier(depth + 1j * imaginaries[:, None])
        data[f"eigenvalues_{name}"] = rule.multiplier(steps[:, None] * spectrum)
    stable = find_discretization("forward_euler").is_stable
    for word, dt in zip(("small", "middle", "large"), steps, strict=True):
        data[f"outside_{word}"] = np.array(sum(not stable(dt * value) for value in spectrum))
    if panels is not None:
        _draw_maps(panels, data)
    return data


def _draw_maps(panels: Panels, data: Data) -> None:
    circle = np.exp(1j * np.linspace(0, 2 * math.pi, 200))
    for column, (name, (_, text)) in enumerate(_methods().items()):
        top, bottom = panels[column], panels[column + 5]
        axis = data[f"axis_{name}"]
        if name == "forward":
            top.axvspan(-2, 1, color=COLORS["sky"], alpha=0.25, linewidth=0)
        else:
            top.fill(axis.real, axis.imag, color=COLORS["sky"], alpha=0.25, linewidth=0)
        for kind, color in (("vertical", COLORS["blue"]), ("horizontal", COLORS["orange"])):
            for line in data[f"{kind}_{name}"]:
                top.plot(line.real, line.imag, color=color, linewidth=0.5)
        top.plot(axis.real, axis.imag, color="black", linewidth=1.3)
        # The largest step first: the others lie closer to 1 and would be hidden.
        for values, color in reversed(list(zip(data[f"eigenvalues_{name}"], _STEP_COLORS, strict=True))):
            bottom.plot(values.real, values.imag, "o", color=color, markersize=2, markeredgewidth=0)
        top.set_title(text)
        for axes in (top, bottom):
            axes.plot(circle.real, circle.imag, ":", color="gray", linewidth=0.9)
            axes.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
            axes.set_xlabel("$\\mathrm{Re}\\,z$", labelpad=1)
            if column == 0:
                axes.set_ylabel("$\\mathrm{Im}\\,z$", labelpad=0)
            else:
                axes.set_yticklabels([])
    for place, (step, color) in enumerate(zip(_STEPS, _STEP_COLORS, strict=True)):
        panels[5].annotate(
            f"$\\Delta={step}$", (0, 0.35 - 0.35 * place), color=color, fontsize=7, ha="center", va="center"
        )


# --- the ring of the LRU ------------------------------------------------------------------------------------------------


@figure(
    "lru-ring",
    title="The ring of the LRU is uniform in area",
    caption=(
        "<count:d> draws of the LRU start with moduli between $<smallest:g>$ and $<largest:g>$ (the first <shown:d> "
        "on the left). Middle: $|\\lambda|^2$ is uniform, since area grows with its square; gray bands hold the "
        "count of a bin with probability 0.95, which <within_square:d> and <within_phase:d> of <bins:d> bins do. A "
        "modulus drawn uniformly would follow the dashed curve, $1/(2|\\lambda|(b-a))$. Right: the phase is uniform. "
        "The largest deviations of the distribution functions are $<deviation_square:.4f>$ and "
        "$<deviation_phase:.4f>$, the bound that chance exceeds in 5 % of draws $<critical:.4f>$."
    ),
    alternative=(
        "Left, points scattered evenly over a ring in the unit disc. Middle and right, flat histograms of the "
        "squared modulus and of the phase, within gray confidence bands around the exact constant densities; a "
        "dashed falling curve shows what a uniform modulus would give."
    ),
    source="LRU (arXiv:2303.06349), lemma on the ring; bands derived here",
    panels=(1, 3),
    size=(7.2, 2.7),
    axes={"width_ratios": [1.15, 1, 1]},
    units={
        "point": "the first draws (1)",
        "square_edges": "edges of the bins of the squared modulus (1)",
        "square_density": "share of a bin divided by its width, squared modulus (1)",
        "square_law": "exact density of the squared modulus (1)",
        "square_low": "lower end of the 95 % band (1)",
        "square_high": "upper end of the 95 % band (1)",
        "phase_edges": "edges of the bins of the phase, radians",
        "phase_density": "share of a bin divided by its width, phase (per radian)",
        "phase_law": "exact density of the phase (per radian)",
        "phase_low": "lower end of the 95 % band (per radian)",
        "phase_high": "upper end of the 95 % band (per radian)",
        "count": "number of draws",
        "shown": "number of draws on the left",
        "bins": "number of bins",
        "smallest": "smallest modulus (1)",
        "largest": "largest modulus (1)",
        "within": "bins within the band",
        "deviation": "largest deviation of the empirical distribution function (1)",
        "critical": "deviation exceeded with probability 0.05 (1)",
    },
)
def lru_ring(
    panels: Panels,
    *,
    count: int = 20_000,
    shown: int = 1500,
    smallest: float = 0.5,
    largest: float = 0.99,
    bins: int = 40,
    seed: int = 2303,
) -> Data:
    """One draw of `ring_parameters`; exact laws; binomial bands for the count of a bin, and Kolmogorov's statistic."""
    from scipy import stats

    ring = ring_parameters(count, rng=np.random.default_rng(seed), smallest=smallest, largest=largest)
    low, high = stats.binom.ppf([0.025, 0.975], count, 1 / bins)
    data: Data = {
        "point": ring.Lambda[:shown],
        "count": np.array(count),
        "shown": np.array(shown),
        "bins": np.array(bins),
        "smallest": np.array(smallest),
        "largest": np.array(largest),
        "critical": np.asarray(stats.kstwo.ppf(0.95, count)),
    }
    samples = {"square": (np.exp(-2 * ring.nu), smallest**2, largest**2), "phase": (ring.theta, 0.0, 2 * math.pi)}
    for name, (values, start, end) in samples.items():
        edges = np.linspace(start, end, bins + 1)
        counts = np.histogram(values, edges)[0]
        width = (end - start) / bins
        data[f"{name}_edges"], data[f"{name}_density"] = edges, counts / (count * width)
        data[f"{name}_law"] = np.array(1 / (end - start))
        data[f"{name}_low"], data[f"{name}_high"] = np.array(low / (count * width)), np.array(high / (count * width))
        data[f"within_{name}"] = np.array(int(((counts >= low) & (counts <= high)).sum()))
        data[f"deviation_{name}"] = np.asarray(stats.kstest((values - start) / (end - start), "uniform").statistic)
    if panels is not None:
        _draw_ring(panels, data)
    return data


def _draw_ring(panels: Panels, data: Data) -> None:
    plane, square, phase = panels
    circle = np.exp(1j * np.linspace(0, 2 * math.pi, 200))
    points = data["point"]
    plane.plot(points.real, points.imag, ".", color=COLORS["blue"], markersize=1.2)
    for radius, style in ((data["smallest"], "-"), (data["largest"], "-"), (1.0, ":")):
        plane.plot((radius * circle).real, (radius * circle).imag, style, color="gray", linewidth=0.7)
    plane.set(
        aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1], xlabel="$\\mathrm{Re}\\,\\lambda$",
        ylabel="$\\mathrm{Im}\\,\\lambda$", title="in the unit disc",
    )  # fmt: skip
    plane.grid(False)
    for axes, name in ((square, "square"), (phase, "phase")):
        edges = data[f"{name}_edges"]
        axes.axhspan(data[f"{name}_low"], data[f"{name}_high"], color="gray", alpha=0.25, linewidth=0)
        axes.stairs(data[f"{name}_density"], edges, color=COLORS["blue"])
        axes.axhline(data[f"{name}_law"], color="black", linestyle=":")
        axes.set_ylim(0, 1.6 * data[f"{name}_law"])
    start, end = data["smallest"], data["largest"]
    grid = np.linspace(start**2, end**2, 100)
    square.plot(grid, 1 / (2 * np.sqrt(grid) * (end - start)), "--", color=COLORS["vermilion"], linewidth=0.9)
    square.annotate(
        "uniform modulus", (grid[30], 1 / (2 * math.sqrt(grid[30]) * (end - start))), xytext=(4, 9), textcoords="offset points",
        color=COLORS["vermilion"], fontsize=7,
    )  # fmt: skip
    square.set(xlabel="squared modulus $|\\lambda|^2$", ylabel="density", title="squared modulus")
    ticks: Sequence[Any] = [0, math.pi, 2 * math.pi]
    phase.set(
        xlabel="phase (radians)", ylabel="density (per radian)", title="phase", xticks=ticks,
        xticklabels=["0", "$\\pi$", "$2\\pi$"],
    )  # fmt: skip
