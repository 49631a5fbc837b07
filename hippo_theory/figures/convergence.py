"""Figures of the convergence study: basis kernels, distances, transfer functions, spectra."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hippo_theory.arithmetic import FLOAT64, balls
from hippo_theory.convergence import Plan, Row, Study
from hippo_theory.discretizations import discretize, discretize_dense, find_method
from hippo_theory.families import Family, LegS, make_family
from hippo_theory.figures.style import COLORS, STYLE, Array, Data, label_ends, saved, title
from hippo_theory.kernels import ExponentialSum, diagonal_kernel, full_kernel

__all__ = [
    "basis_kernels",
    "error_against_size",
    "normal_spectra",
    "transfer_functions",
    "write_convergence_figures",
]

METHOD_COLORS = {
    "continuous": "black",
    "zoh": COLORS["blue"],
    "bilinear": COLORS["vermilion"],
    "sampled": COLORS["green"],
}
METHOD_TITLES = {"continuous": "continuous", "zoh": "zero-order hold", "bilinear": "bilinear", "sampled": "sampled"}
_BITS = 128  # balls behind the float64 data of a figure: far more than a line can show


# --- data of kernels in float64 ----------------------------------------------------------------------------------------


def _midpoints(values: Array) -> Array:
    """Midpoints of narrow balls as complex128."""
    return np.array([complex(value) for value in values], dtype=complex)


def _sequence(kernel: ExponentialSum, lags: Array) -> Array:
    """k_l of a discrete kernel in float64, for plotting: a Vandermonde product of the rounded parameters."""
    rates = np.concatenate([_midpoints(kernel.real_rates), _midpoints(kernel.rates)])
    weights = np.concatenate([_midpoints(kernel.real_coefficients), 2 * _midpoints(kernel.coefficients)])
    return np.asarray((rates ** lags[:, None] @ weights).real)


def _full_sequence(family: Family, component: int, method: str, step: Fraction, lags: Array) -> Array:
    """k_l of the full system: from its poles where they are known, else by a dense float64 recurrence."""
    if isinstance(family, LegS) and component < 12:
        return _sequence(discretize(full_kernel(family, component, balls(_BITS)), method, step), lags)
    state, drive = discretize_dense(family.A, family.B, method, step)
    values, x = np.empty(len(lags)), drive
    for index in range(len(lags)):
        values[index] = x[component]
        x = state @ x
    return values


def basis_kernels(
    axes: Any, family: Family, *, components: Sequence[int], method: str, step: Fraction, horizon: float
) -> Data:
    """Basis kernels of the full system and of its diagonal restriction, both discretized alike.

    Parameters
    ----------
    axes : matplotlib Axes or None
        None: compute only.
    family : Family
    components : sequence of int
    method : str
    step : Fraction
    horizon : float
        Largest time shown.

    Returns
    -------
    dict of ndarray
        ``time`` (dimensionless) and, for each component n, ``full_n`` and ``diagonal_n``.
    """
    lags = np.arange(int(horizon / step) + 1)
    time = lags * float(step)
    data: Data = {"time": time}
    for n in components:
        data[f"full_{n}"] = _full_sequence(family, n, method, step, lags)
        restriction = discretize(diagonal_kernel(family, n, balls(_BITS)), method, step)
        data[f"diagonal_{n}"] = _sequence(restriction, lags)
    if axes is None:
        return data
    palette = list(COLORS.values())
    for index, n in enumerate(components):
        color = palette[index % len(palette)]
        axes.plot(time, data[f"diagonal_{n}"], color=color, linewidth=0.6, alpha=0.8)
        axes.plot(time, data[f"full_{n}"], color="black", linewidth=0.9)
        axes.plot([], [], color=color, label=f"$n={n}$")
    # The view of the full kernels decides the scale; a restriction that does not follow may leave it.
    heights = np.concatenate([data[f"full_{n}"][1:] for n in components])
    margin = 0.35 * (heights.max() - heights.min())
    axes.set_ylim(heights.min() - margin, heights.max() + margin)
    axes.set_xlim(0, horizon)
    axes.set_xlabel("time $t$")
    axes.set_title(f"$N={family.N}$, {find_method(method).title}, step {float(step):g}")
    return data


# --- errors ------------------------------------------------------------------------------------------------------------


def error_against_size(axes: Any, rows: Sequence[Row], *, norm: str, component: int, point: str | None = None) -> Data:
    """Error against N in one norm: a curve for each method and step, dotted where theory has a law.

    Parameters
    ----------
    axes : matplotlib Axes or None
    rows : sequence of Row
        Of one study.
    norm : str
    component : int
    point : str, optional
        For the transfer norm.

    Returns
    -------
    dict of ndarray
        ``N_<curve>``, ``error_<curve>`` and, where there is a law, ``theory_<curve>``.
    """
    curves: dict[tuple[str, Fraction | None], list[Row]] = {}
    for row in rows:
        if (
            (row.norm, row.component, row.point) == (norm, component, point)
            and row.error is not None
            and not row.error == 0
        ):
            curves.setdefault((row.method, row.step), []).append(row)
    data: Data = {}
    labels = []
    steps = sorted({step for _, step in curves if step is not None}, reverse=True)
    for (method, step), members in curves.items():
        name = method if step is None else f"{method}_{float(step):g}"
        sizes = np.array([row.N for row in members])
        errors = np.array([float(row.error) for row in members])
        data[f"N_{name}"], data[f"error_{name}"] = sizes, errors
        dash = "-" if step is None else ["-", "--", "-.", ":"][steps.index(step) % 4]
        color = METHOD_COLORS[method]
        title = METHOD_TITLES[method] if step is None else f"{METHOD_TITLES[method]}, {float(step):g}"
        if axes is not None:
            axes.loglog(sizes, errors, dash, color=color, marker="o", markersize=2.5)
            labels.append((float(sizes[-1]), float(errors[-1]), title, color))
        theory = [(row.N, float(row.theory)) for row in members if row.theory is not None]
        if theory:
            data[f"theory_{name}"] = np.array([value for _, value in theory])
            if axes is not None:
                axes.loglog(*zip(*theory, strict=True), ":", color=color, linewidth=2.4, alpha=0.35)
    if axes is not None and labels:
        axes.set_xlabel("state size $N$")
        axes.set_xticks(sorted({row.N for row in rows}), [str(N) for N in sorted({row.N for row in rows})])
        axes.minorticks_off()
        label_ends(axes, labels)
    return data


# --- transfer functions ------------------------------------------------------------------------------------------------


def transfer_functions(axes: Any, family: Family, *, component: int) -> Data:
    """abs of the transfer functions of full system and diagonal restriction on the imaginary axis, spikes resolved.

    Returns
    -------
    dict of ndarray
        ``frequency`` (radians per unit time), ``full``, ``diagonal``, ``difference`` (absolute values), and ``spikes``,
        the positive frequencies w_m of the normal part.
    """
    kernel = diagonal_kernel(family, component, balls(_BITS))
    poles, weights = _midpoints(kernel.rates), _midpoints(kernel.coefficients)
    real_poles, real_weights = _midpoints(kernel.real_rates), _midpoints(kernel.real_coefficients)
    spikes = np.sort(poles.imag)
    background = np.geomspace(0.1, 4 * spikes[-1], 2500)
    near = (spikes[:, None] + np.linspace(-3, 3, 25)).ravel()
    frequency = np.unique(np.concatenate([background, near[near > 0.1]]))
    s = 1j * frequency
    if family.normal_real_part == 0:
        s = s + 1e-3  # poles on the axis: look at them from slightly to the right
    diagonal = sum((c / (s - r) for c, r in zip(real_weights, real_poles, strict=True)), np.zeros_like(s))
    for c, pole in zip(weights, poles, strict=True):
        diagonal = diagonal + c / (s - pole) + np.conj(c) / (s - np.conj(pole))
    full = _full_transfer(family, component, s)
    data = {
        "frequency": frequency,
        "full": np.abs(full),
        "diagonal": np.abs(diagonal),
        "difference": np.abs(diagonal - full),
        "spikes": spikes,
    }
    if axes is not None:
        axes.loglog(frequency, data["diagonal"], color=COLORS["vermilion"], linewidth=0.7)
        axes.loglog(frequency, data["full"], color="black", linewidth=1.2)
        if isinstance(family, LegS):
            top = 2 * math.sqrt(2 * component + 1) / math.pi
            axes.axhline(top, color="gray", linestyle=":", linewidth=0.9)
            middle = math.sqrt(frequency[0] * family.N**2)
            axes.annotate(
                f"$2R_{component}/\\pi$", (middle, top), xytext=(0, 3), textcoords="offset points", fontsize=8
            )
            axes.axvline(family.N**2 / math.pi, color="gray", linestyle=":", linewidth=0.9)
            axes.annotate(
                "$N^2/\\pi$", (family.N**2 / math.pi, 1.4), xytext=(3, 0), textcoords="offset points", fontsize=8,
                annotation_clip=False,
            )  # fmt: skip
        axes.set_ylim(max(data["full"].min(), 1e-7) * 0.7, max(2.0, 1.5 * data["full"].max()))
        axes.set_xlabel("frequency $w$")
        axes.set_title(f"$N={family.N}$")
    return data


def _full_transfer(family: Family, component: int, s: Array) -> Array:
    """X_n(s) in float64 at an array of points: the closed form of LegS, else from a dense eigendecomposition."""
    if isinstance(family, LegS):
        return np.asarray(family.transfer_function(component, s, FLOAT64))
    values, V = np.linalg.eig(family.A)
    weights = V[component] * np.linalg.solve(V, family.B.astype(complex))
    return np.asarray((weights / (s[:, None] - values)).sum(axis=1))


# --- spectra -----------------------------------------------------------------------------------------------------------


def normal_spectra(axes: Any, families: Sequence[Family]) -> Data:
    """Positive imaginary parts of the normal spectra, sorted, against their index: N^2/((2m+1) pi) for LegS.

    Returns
    -------
    dict of ndarray
        ``index_N`` (m = 0 is the largest) and ``frequency_N`` for each size.
    """
    data: Data = {}
    palette = list(COLORS.values())
    for place, family in enumerate(families):
        frequencies = family.normal_spectrum().imag[: family.N // 2]
        frequencies = frequencies[frequencies > 0]
        index = np.arange(len(frequencies))
        data[f"index_{family.N}"], data[f"frequency_{family.N}"] = index, frequencies
        if axes is None:
            continue
        color = palette[place % len(palette)]
        axes.loglog(2 * index + 1, frequencies, color=color)
        axes.annotate(
            f"$N={family.N}$" if place == 0 else f"${family.N}$",
            (2 * index[-1] + 1, frequencies[-1]),
            xytext=(0, -4),
            textcoords="offset points",
            ha="center",
            va="top",
            color=color,
            fontsize=8,
        )
        if isinstance(family, LegS):
            axes.loglog(
                2 * index + 1, family.N**2 / ((2 * index + 1) * math.pi), ":", color=color, linewidth=2.2, alpha=0.4
            )
    if axes is not None:
        axes.set_ylim(bottom=axes.get_ylim()[0] / 2)  # room for the labels below the curves
        axes.set_xlabel("$2m+1$")
        axes.set_ylabel("imaginary part $w_m$")
    return data


# --- files -------------------------------------------------------------------------------------------------------------


def write_convergence_figures(study: Study, plan: Plan, directory: Path) -> list[Path]:
    """Draw the figures of a study into `directory` as PNG and SVG, each with its data as .npz; returns the paths.

    Parameters
    ----------
    study : Study
    plan : Plan
        What the study was asked for: family, sizes, steps, methods.
    directory : Path
        Exists.
    """
    import matplotlib

    matplotlib.use("Agg")
    families = [make_family(plan.family, N, convention=plan.convention) for N in plan.sizes]
    jobs: list[tuple[str, Callable[[Any], Data]]] = [
        ("error_against_N", lambda figure: _error_panels(figure, study, plan)),
        ("transfer_functions", lambda figure: _transfer_panels(figure, families, plan.components[0])),
        ("spectra", lambda figure: _spectrum_panel(figure, families)),
    ]
    if set(plan.methods) - {"continuous"}:
        jobs += [
            (f"basis_kernels_step_{float(step):g}", partial(_kernel_panels, families=families, plan=plan, step=step))
            for step in plan.steps
        ]
    paths = []
    with matplotlib.rc_context(fname=str(STYLE)):
        from matplotlib.figure import Figure

        for name, draw in jobs:
            figure = Figure(layout="constrained")
            data = draw(figure)
            paths += saved(figure, directory, name)
            paths.append(directory / f"{name}.npz")
            np.savez(paths[-1], **data)  # type: ignore[arg-type]
    return paths


def _prefixed(prefix: str, data: Data) -> Data:
    return {f"{prefix}_{key}": value for key, value in data.items()}


def _spread(families: Sequence[Family]) -> list[Family]:
    """The largest size and those nearest to a quarter and a sixteenth of it."""
    targets = [families[-1].N / 16, families[-1].N / 4, families[-1].N]
    chosen = {min(families, key=lambda family: abs(math.log(family.N / target))).N for target in targets}
    return [family for family in families if family.N in chosen]


def _kernel_panels(figure: Any, families: Sequence[Family], plan: Plan, step: Fraction) -> Data:
    shown = _spread(families)
    methods = [method for method in plan.methods if method != "continuous"]
    figure.set_size_inches(2.6 * len(shown) + 0.4, 1.9 * len(methods) + 0.5)
    grid = figure.subplots(len(methods), len(shown), squeeze=False, sharex=True)
    components = [n for n in range(4) if n < shown[0].N]
    data: Data = {}
    for line, method in zip(grid, methods, strict=True):
        for axes, family in zip(line, shown, strict=True):
            drawn = basis_kernels(axes, family, components=components, method=method, step=step, horizon=2.5)
            data.update(_prefixed(f"{method}_{family.N}", drawn))
            axes.label_outer()
    grid[0, -1].legend(loc="upper right", ncols=2, frameon=False, fontsize=6, handlelength=1)
    title(figure, f"{families[0].title}: basis kernels $K_n(t)$, full (black) and diagonal (color)")
    return data


_NORM_TITLES = {
    "l2": "$L^2$ distance",
    "sup": "largest distance",
    "hinf": "$H^\\infty$ distance",
    "transfer": "transfer functions at $s={}$",
}


def _error_panels(figure: Any, study: Study, plan: Plan) -> Data:
    panels: list[tuple[str, str | None]] = []
    for norm in sorted(plan.norms, key=list(_NORM_TITLES).index):
        panels += [(norm, point) for point in plan.points] if norm == "transfer" else [(norm, None)]
    component = plan.components[0]
    drawn = {
        (row.norm, row.point)
        for row in study.rows
        if row.component == component and row.error is not None and not row.error == 0
    }
    panels = [panel for panel in panels if panel in drawn]
    if not panels:
        figure.text(0.5, 0.5, "no finite distances: see the table", ha="center")
        return {}
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    figure.set_size_inches(3.5 * columns, 2.6 * lines + 0.4)
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    data: Data = {}
    for axes, (norm, point) in zip(grid, panels, strict=False):
        drawn_data = error_against_size(axes, study.rows, norm=norm, component=component, point=point)
        data.update(_prefixed(norm if point is None else f"{norm}({point})", drawn_data))
        axes.set_title(_NORM_TITLES[norm].format(point))
    for axes in grid[len(panels) :]:
        axes.remove()
    title(
        figure,
        f"{make_family(plan.family, plan.sizes[-1], convention=plan.convention).title}: full system against diagonal "
        f"restriction, component {component}; dotted: theory; the number is the step",
    )
    return data


def _transfer_panels(figure: Any, families: Sequence[Family], component: int) -> Data:
    shown = _spread(families)
    figure.set_size_inches(2.9 * len(shown) + 0.4, 2.7)
    grid = figure.subplots(1, len(shown), squeeze=False).ravel()
    data: Data = {}
    for axes, family in zip(grid, shown, strict=True):
        data.update(_prefixed(str(family.N), transfer_functions(axes, family, component=component)))
    grid[0].set_ylabel(f"$|X_{component}(iw)|$")
    title(
        figure,
        f"{families[0].title}: transfer functions of the full system (black) and of the diagonal restriction (red)",
    )
    return data


def _spectrum_panel(figure: Any, families: Sequence[Family]) -> Data:
    figure.set_size_inches(4.6, 3.2)
    axes = figure.subplots()
    data = normal_spectra(axes, families)
    law = "\ndotted: $N^2/((2m+1)\\pi)$" if isinstance(families[0], LegS) else ""
    axes.set_title(f"{families[0].title}: spectrum of the normal part{law}", fontsize=8)
    return data
