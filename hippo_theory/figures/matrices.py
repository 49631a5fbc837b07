"""Figures of the families themselves: the tree of their matrices, their weights, and their basis functions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from hippo_theory.arithmetic import balls
from hippo_theory.families import Family, FouT, LagT, LegS, LegT, make_family
from hippo_theory.figures.registry import figure
from hippo_theory.figures.style import COLORS, Array, Data, Panels, label_curves
from hippo_theory.initializations import s4d_real

__all__ = ["family_tree_matrices", "measures_and_bases"]

_BITS = 128


def _root_families(N: int) -> dict[str, Family]:
    """The four families at size N; FouT has an odd size, at most N. LagT decays (beta = 1) as in the paper of 2020."""
    return {"legs": LegS(N), "legt": LegT(N), "lagt": LagT(N, beta=Fraction(1)), "fout": FouT(N - 1 + N % 2)}


_TITLES = {
    "legs": "LegS: $\\omega = e^{-t}$",
    "legt": "LegT: window",
    "lagt": "LagT: $\\omega = e^{-t}$",
    "fout": "FouT: window",
}


def _weight(family: Family, times: list[Fraction]) -> Array:
    with balls(_BITS).work() as ring:
        return np.array([float(family.measure(time, ring)) for time in times])


def _rounded(ball: Any) -> float:
    """The entry as a float; balls that hold zero are zero: they are narrower than 1e-30, and all other entries exceed 1/4."""
    return 0.0 if ball.contains(0) else float(ball)


def _departure(A: Array) -> float:
    """norm(A A^T - A^T A) / norm(A)^2 in the Frobenius norm: 0 for normal matrices, below sqrt 2 for all."""
    return float(np.linalg.norm(A @ A.T - A.T @ A) / np.linalg.norm(A) ** 2)


@figure(
    "family-tree-matrices",
    title="The HiPPO family tree: four ways to weigh the past, four matrices, and what became of them",
    caption=(
        "A weight $\\omega(t)$ on the input $t$ ago (first row) fixes the state matrix $A$ (second row). Adding $PP^T$, of "
        "rank one (LegT: two), gives a normal matrix (third row), which S4 diagonalizes and of which S4D keeps nothing but "
        "the eigenvalues: antisymmetric up to a multiple of $I$. "
        "The commutator $AA^T - A^TA$ has <departure_legs:.2f> (LegS), <departure_legt:.2f> "
        "(LegT), <departure_lagt:.2f> (LagT) and <departure_fout:.2f> (FouT) times the norm of $A$ squared. Fourth row: "
        "relatives made from $A$ itself: S4D-Real, the Legendre memory unit (LMU; $D$ diagonal), LagT of "
        "$\\beta = 0$, which is the one of S4, and the Fourier matrix of HiPPO, with $bb^T = PP^T/2$. FouT has 31 "
        "states, the others 32."
    ),
    alternative=(
        "Four columns, one for each family, with a plot of its weight and three images of 32 by 32 matrices. LegS and LagT "
        "are lower triangular; LegT is full with a checkerboard above the diagonal; FouT has two side diagonals that grow "
        "and a pattern at the cosines. Normal parts are antisymmetric. The last row: the diagonal of LegS, the Legendre "
        "memory unit, LagT with beta 0, and Fourier with half of the rank-one term."
    ),
    source="HiPPO (arXiv:2008.07669), S4 (arXiv:2111.00396), HTTYH (arXiv:2206.12037), S4D (arXiv:2206.11893): definitions",
    panels=(4, 4),
    size=(7.2, 7.4),
    digits=11,
    axes={"height_ratios": [0.42, 1, 1, 1]},
    units={
        "time": "age t of the input; 1 = the window, or the scale of the exponential",
        "weight": "omega(t), per unit of time",
        "A": "state matrix, row n, column k, per unit of time",
        "normal": "normal part A + P P^T, per unit of time",
        "relative": "state matrix of a relative, per unit of time",
        "departure": "norm(A A^T - A^T A) / norm(A)^2, Frobenius",
    },
)
def family_tree_matrices(panels: Panels, *, N: int = 32) -> Data:
    """A, A + P P^T and one relative of every family, entries nearest to the truth; sums of two products rounded once."""
    from matplotlib.colors import SymLogNorm
    from matplotlib.patches import ConnectionPatch

    families = _root_families(N)
    relatives = {
        "legs": np.diag(s4d_real(N).Lambda),
        "legt": make_family("lmu", N).A,
        "lagt": LagT(N).A,
        "fout": make_family("fourier-decay", families["fout"].N).A,
    }
    relative_titles = {
        "legs": "S4D-Real: its diagonal",
        "legt": "LMU: $DAD^{-1}$",
        "lagt": "LagT, $\\beta = 0$: $A + I/2$",
        "fout": "Fourier 2020: $A + bb^T$",
    }
    times = [Fraction(n, 64) for n in range(161)]
    data: Data = {"time": np.array([float(time) for time in times])}
    for name, family in families.items():
        data[f"weight_{name}"] = _weight(family, times)
        data[f"A_{name}"] = family.A
        with balls(_BITS).work() as ring:
            data[f"normal_{name}"] = np.array([[_rounded(a) for a in row] for row in family.normal_part(ring)])
        data[f"relative_{name}"] = relatives[name]
        data[f"departure_{name}"] = np.array(_departure(family.A))
    if panels is None:
        return data
    grid = panels.reshape(4, 4)
    scale = SymLogNorm(linthresh=1, linscale=1, vmin=-100, vmax=100)
    image = None
    for place, (name, family) in enumerate(families.items()):
        top = grid[0, place]
        top.fill_between(data["time"], data[f"weight_{name}"], step=None, color=COLORS["sky"], alpha=0.5, linewidth=0)
        top.plot(data["time"], data[f"weight_{name}"], color=COLORS["blue"])
        top.set(xlim=(0, 2.5), ylim=(0, 1.15), title=_TITLES[name], xlabel="age $t$")
        titles = ["", f"$A$, $N = {family.N}$", "$A + PP^T$", relative_titles[name]]
        for line, key in enumerate(("A", "normal", "relative"), start=1):
            axes = grid[line, place]
            image = axes.imshow(data[f"{key}_{name}"], norm=scale, cmap="RdBu_r", interpolation="nearest")
            axes.set_title(titles[line], loc="left", x=0 if line == 3 else 0.12)
            axes.grid(False)
            axes.set(xticks=[0, 15, 30], yticks=[0, 15, 30])
            axes.spines[["top", "right"]].set_visible(True)
            if line == 3:
                axes.set_xlabel("column $k$")
        arrow: dict[str, Any] = {"arrowstyle": "-|>", "color": "#444444", "linewidth": 0.8, "mutation_scale": 7}
        for above, below in ((0, 1), (1, 2)):
            start = (0.05, -0.36) if above == 0 else (0.05, -0.12)
            top.figure.add_artist(
                ConnectionPatch(
                    start, (0.05, 1.02), grid[above, place].transAxes, grid[below, place].transAxes, **arrow
                )
            )
    grid[0, 0].set_ylabel("weight $\\omega$")
    for line, words in ((1, "state matrix"), (2, "normal part"), (3, "relative")):
        grid[line, 0].set_ylabel(f"{words}\nrow $n$")
    bar = panels[0].figure.colorbar(
        image, ax=list(grid[1:].ravel()), location="bottom", shrink=0.6, aspect=50, pad=0.01
    )
    bar.set_label("entry, per unit of time")
    bar.set_ticks([-100, -10, -1, 0, 1, 10, 100], labels=["$-100$", "$-10$", "$-1$", "0", "1", "10", "100"])
    return data


@figure(
    "measures-and-bases",
    title="Weights on the past and the functions that are orthonormal for them",
    caption=(
        "Top: the weight $\\omega(t)$ that each state gives to the input $t$ ago. Bottom: the first basis functions $p_n$, "
        "$\\int p_n p_m\\,\\omega\\,dt = \\delta_{nm}$: Legendre polynomials of $2e^{-t}-1$ (LegS) and of $1-2t$ (LegT), "
        "Laguerre polynomials (LagT), and $1, \\sqrt2\\cos 2\\pi mt, \\sqrt2\\sin 2\\pi mt$ (FouT). The mean age, dotted, is "
        "<age_legs:.3g> for LegS and for LagT and <age_legt:.3g> for both windows. LagT of $\\beta = 0$ (dashed), the one "
        "of S4, weighs all of the past alike: $p_n = e^{-t/2}$ times a Laguerre polynomial, and there is no mean age."
    ),
    alternative=(
        "Four columns. The weights of LegS and LagT are the same decaying exponential, those of LegT and FouT the indicator "
        "of the window from 0 to 1. LegS basis functions oscillate near 0 and level off; LegT polynomials oscillate through "
        "the window; Laguerre polynomials grow; FouT functions are sines and cosines."
    ),
    source="HTTYH (arXiv:2206.12037), bases and measures of the orthogonal state space models",
    panels=(2, 4),
    size=(7.2, 3.6),
    digits=13,
    axes={"height_ratios": [0.6, 1], "sharex": "col"},
    units={
        "time": "age t of the input; 1 = the window, or the scale of the exponential",
        "weight": "omega(t), per unit of time",
        "basis": "p_n(t); NaN where the weight is 0",
        "age": "mean age of what is remembered: integral of t omega over integral of omega",
    },
)
def measures_and_bases(panels: Panels, *, components: int = 4) -> Data:
    """Weight and basis functions at rational times, from balls."""
    families = _root_families(max(9, components))
    data: Data = {}
    for name, family in families.items():
        window = name in ("legt", "fout")
        times = [Fraction(n, 100) for n in range(151)] if window else [Fraction(n, 32) for n in range(161)]
        weight = _weight(family, times)
        data[f"time_{name}"], data[f"weight_{name}"] = np.array([float(time) for time in times]), weight
        data[f"age_{name}"] = np.array(float(family.timescale))
        with balls(_BITS).work() as ring:
            for n in range(components):
                functions = [float(family.basis(n, time, ring)) for time in times]
                data[f"basis_{name}_{n}"] = np.where(weight > 0, functions, np.nan)
            if name == "lagt":
                data["weight_flat"] = np.array([float(LagT(9).measure(time, ring)) for time in times])
    if panels is None:
        return data
    grid = panels.reshape(2, 4)
    for place, name in enumerate(families):
        time, upper, lower = data[f"time_{name}"], grid[0, place], grid[1, place]
        upper.fill_between(time, data[f"weight_{name}"], color="#BBBBBB", alpha=0.5, linewidth=0)
        upper.plot(time, data[f"weight_{name}"], color="black")
        age = float(data[f"age_{name}"])
        upper.axvline(age, color="#555555", linestyle=":")
        if name == "lagt":
            upper.plot(time, data["weight_flat"], "--", color="#777777", linewidth=0.9)
            upper.annotate(
                "$\\beta = 0$", (time[-1], 1), (0, 2), textcoords="offset points", ha="right", color="#777777"
            )
            upper.annotate("$\\beta = 1$", (1.3, 0.32), color="black")
        upper.set(title=_TITLES[name], ylim=(0, 1.25), xlim=(0, time[-1]))
        labels = []
        for n, color in zip(range(components), COLORS.values(), strict=False):
            values = data[f"basis_{name}_{n}"]
            lower.plot(time, values, color=color)
            last = np.flatnonzero(np.isfinite(values))[-1]
            labels.append((float(time[last]), float(values[last]), f"$n={n}$", color))
        lower.set_xlabel("age $t$")
        label_curves(lower, labels)
    grid[0, 0].set_ylabel("weight $\\omega(t)$")
    grid[1, 0].set_ylabel("basis $p_n(t)$")
    return data
