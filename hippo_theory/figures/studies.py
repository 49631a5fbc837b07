"""Figures of the committed studies: every sense of convergence, the map of size and step, and the precision needed.

Each takes the records of a store, returns its data and draws on the panels it is given. To draw them anew:

    python -m hippo_theory.figures.studies figures/studies/map/map.toml
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hippo_theory.errors import InputError
from hippo_theory.figures.style import COLORS, STYLE, Data, Panels, label_curves, saved, title
from hippo_theory.sweeps import Record, read_records, read_study

__all__ = ["every_sense", "precision_needed", "size_and_step", "write_study_figure"]

_METHODS = {
    "continuous": "continuous time",
    "zoh": "zero-order hold",
    "bilinear": "bilinear",
    "sampled": "impulse sampling",
    "backward_euler": "backward Euler",
    "forward_euler": "forward Euler",
}
_SENSES = {
    ("l2", None): ("$L^2$", COLORS["blue"]),
    ("sup", None): ("largest value", COLORS["orange"]),
    ("hinf", None): ("$H^\\infty$", COLORS["vermilion"]),
    ("transfer", "2j"): ("at $s=2i$", COLORS["green"]),
    ("transfer", "0.5"): ("at $s=1/2$", COLORS["purple"]),
}


def every_sense(panels: Panels, records: Sequence[Record]) -> Data:
    """Distance between the kernels K_0 of LegS and of its diagonal restriction against N: a panel for each method.

    Parameters
    ----------
    panels : sequence of four axes, or None
        Continuous, zero-order hold, bilinear, sampled.
    records : sequence of Record
        Of the study ``distance``, one step.

    Returns
    -------
    dict of ndarray
        ``N``; ``distance_<method>_<norm>`` (``_<point>`` for transfer functions), NaN where there is none; ``theory_...``
        where there is a law or closed form; ``certified_...``, whether each distance is.
    """
    found = {_sense(record): record for record in records if record.result is not None}
    sizes = sorted({record.point["N"] for record in records})
    data: Data = {"N": np.array(sizes)}
    for column, method in enumerate(("continuous", "zoh", "bilinear", "sampled")):
        labels = []
        for (norm, point), (words, color) in _SENSES.items():
            rows = [found.get((method, norm, point, N)) for N in sizes]
            if not any(rows):
                continue
            name = f"{method}_{norm}" + (f"_{point}" if point else "")
            error, theory = _column(rows, "error"), _column(rows, "theory")
            data[f"distance_{name}"] = error
            data[f"certified_{name}"] = np.array([_entry(row, "kind") == "certified" for row in rows])
            if np.isfinite(theory).any():
                data[f"theory_{name}"] = theory
            if panels is not None:
                axes = panels[column]
                axes.loglog(sizes, theory, color="gray", linestyle=":", linewidth=2.2)
                axes.loglog(sizes, error, color=color)
                sure = data[f"certified_{name}"]
                axes.plot(np.array(sizes)[sure], error[sure], "o", color=color, markersize=3)
                axes.plot(np.array(sizes)[~sure], error[~sure], "o", color=color, markersize=3, markerfacecolor="white")
                labels.append((sizes[-1], error[-1], words, color))
        if panels is not None:
            axes = panels[column]
            axes.set(title=_METHODS[method], xlabel="state size $N$", ylabel="distance")
            label_curves(axes, labels)
    return data


def _sense(record: Record) -> tuple[Any, ...]:
    point = record.point
    return point["method"], point["norm"], point["point"], point["N"]


def _entry(record: Record | None, name: str) -> Any:
    return None if record is None or record.result is None else record.result[name]


def _column(rows: Sequence[Record | None], name: str) -> Any:
    entries = [_entry(row, name) for row in rows]
    return np.array([math.nan if entry is None else float(entry) for entry in entries])


def size_and_step(panels: Panels, records: Sequence[Record]) -> Data:
    """L2 distance over state size and step, relative to the norm of K_0, which is 1/sqrt 2: an image for each method.

    Parameters
    ----------
    panels : sequence of five axes, or None
    records : sequence of Record
        Of the study ``distance``, norm l2.

    Returns
    -------
    dict of ndarray
        ``N``, ``step`` (units of time), ``relative_<method>`` (steps x sizes), NaN where the kernel grows.
    """
    sizes = sorted({record.point["N"] for record in records})
    steps = sorted({record.point["step"] for record in records}, key=float)
    data: Data = {"N": np.array(sizes), "step": np.array([float(step) for step in steps])}
    methods = [name for name in _METHODS if any(record.point["method"] == name for record in records)]
    for method in methods:
        values = np.full((len(steps), len(sizes)), math.nan)
        for record in records:
            entry = _entry(record, "error")
            if record.point["method"] == method and entry is not None:
                values[steps.index(record.point["step"]), sizes.index(record.point["N"])] = float(entry) * math.sqrt(2)
        data[f"relative_{method}"] = values
    if panels is not None:
        image = None
        for axes, method in zip(panels, methods, strict=True):
            axes.set_facecolor("#dddddd")
            image = axes.pcolormesh(
                _edges(data["N"]), _edges(data["step"]), np.log10(data[f"relative_{method}"]),
                cmap="viridis", vmin=-3, vmax=0, rasterized=True,
            )  # fmt: skip
            axes.set(xscale="log", yscale="log", title=_METHODS[method], xlabel="state size $N$")
            if method == "zoh":
                line = np.array(sizes, dtype=float)
                axes.plot(line, (6 / line) ** 2, color="white", linestyle="--", linewidth=1)
                axes.annotate(
                    "$N\\sqrt{\\Delta}=6$", (20, 0.09), xytext=(6, 3), textcoords="offset points", color="white"
                )
                axes.set_ylim(*_edges(data["step"])[[0, -1]])
            if method == "forward_euler":
                axes.annotate("the kernel grows", (0.97, 0.8), xycoords="axes fraction", ha="right", color="#444444")
            if axes is not panels[0]:
                axes.tick_params(labelleft=False)
        panels[0].set_ylabel("step $\\Delta$ (units of time)")
        panels[0].figure.colorbar(
            image, ax=list(panels), label="$\\log_{10}$ of distance / norm", extend="both", shrink=0.9, pad=0.01
        )
    return data


def _edges(centers: Any) -> Any:
    """The edges of cells around numbers in geometric progression, about."""
    logarithms = np.log(centers)
    middles = (logarithms[1:] + logarithms[:-1]) / 2
    return np.exp(np.concatenate([[2 * logarithms[0] - middles[0]], middles, [2 * logarithms[-1] - middles[-1]]]))


_FORMULAS = {
    "kernel-exponential-sum": ("$K_{N-1}(1)$, sum of exponentials", COLORS["vermilion"]),
    "kernel-matrix-exponential": ("$K_{N-1}(1)$, matrix exponential", COLORS["orange"]),
    "kernel-polynomial": ("$K_{N-1}(1)$, Legendre polynomial", COLORS["blue"]),
    "transfer-solve": ("$X_{N-1}(1/2)$, linear system", COLORS["purple"]),
    "transfer-product": ("$X_{N-1}(1/2)$, closed product", COLORS["green"]),
    "least-frequency": ("least frequency, from its phase", COLORS["sky"]),
}


def precision_needed(panels: Panels, records: Sequence[Record]) -> Data:
    """Bits beyond those of the digits asked for that each formula needs in ball arithmetic, against N.

    The sum of exponentials loses the logarithm of sum_j abs(c_j) e^(-(j+1)) = R x P_n(1 + 2x), x = 1/e, n = N-1, over the
    value itself, which is about 1: n log2(1 + 2x + 2 sqrt(x + x^2)) for large n (dotted).

    Parameters
    ----------
    panels : sequence of two axes, or None
        The same on logarithmic axes, and on linear ones up to 40 bits.
    records : sequence of Record
        Of the study ``precision``, one number of digits.

    Returns
    -------
    dict of ndarray
        ``N_<formula>``, ``bits_<formula>``, and ``law_kernel-exponential-sum`` (bits).
    """
    data: Data = {}
    for formula in _FORMULAS:
        rows = sorted(
            (r.point["N"], r.result["bits_lost"]) for r in records if r.result and r.point["formula"] == formula
        )
        data[f"N_{formula}"] = np.array([N for N, _ in rows])
        data[f"bits_{formula}"] = np.array([float(bits) for _, bits in rows])  # type: ignore[arg-type]
    x = math.exp(-1)
    growth = math.log2(1 + 2 * x + 2 * math.sqrt(x + x * x))
    data["law_kernel-exponential-sum"] = (data["N_kernel-exponential-sum"] - 1) * growth
    if panels is not None:
        for axes, top in zip(panels, (None, 40), strict=True):
            labels = []
            for formula, (words, color) in _FORMULAS.items():
                N, bits = data[f"N_{formula}"], data[f"bits_{formula}"]
                axes.plot(N, bits, "o-", color=color, markersize=3)
                if top is not None and bits[-1] > top:
                    axes.annotate(
                        words.replace(", ", ",\n").replace(" of ", " of\n"),
                        (2.6, top),
                        xytext=(0, -28),
                        textcoords="offset points",
                        color=color,
                        fontsize=7,
                    )
                else:
                    labels.append((N[-1], bits[-1], words, color))
            law = data["law_kernel-exponential-sum"]
            axes.plot(data["N_kernel-exponential-sum"], law, ":", color="gray", linewidth=2.2, zorder=0)
            axes.set(xscale="log", xlabel="state size $N$", ylabel="bits lost")
            axes.set_xlim(2.4, 1200)
            if top is None:
                axes.annotate(f"${growth:.3f}\\,(N-1)$", (300, 300 * growth), xytext=(-6, 4), textcoords="offset points",
                              ha="right", color="#555555")  # fmt: skip
            else:
                axes.set_ylim(-1, top)
                label_curves(axes, labels)
    return data


_Drawing = tuple[Callable[[Panels, Sequence[Record]], Data], tuple[int, int], tuple[float, float], str]
_DRAWINGS: dict[str, _Drawing] = {
    "convergence": (
        every_sense,
        (2, 2),
        (7.2, 5.6),
        "The kernel $K_0$ of S4D-LegS against that of LegS, step 0.01: what tends to 0 and what stays; dotted: theory; "
        "open: observed",
    ),
    "map": (
        size_and_step,
        (1, 5),
        (7.2, 2.3),
        "$L^2$ distance between the kernels $K_0$ of LegS and S4D-LegS, by method",
    ),
    "precision": (
        precision_needed,
        (1, 2),
        (7.2, 3.2),
        "Precision that formulas for LegS lose in ball arithmetic (15 digits asked for); dotted: the growth of the "
        "coefficients that cancel",
    ),
}


def write_study_figure(file: Path) -> list[Path]:
    """Draw a committed study from its store as PNG and SVG beside the study file; returns the paths.

    Parameters
    ----------
    file : Path
        ``convergence.toml``, ``map.toml`` or ``precision.toml``.

    Raises
    ------
    InputError
        For another study, or one that is not finished.
    """
    import matplotlib
    from matplotlib.figure import Figure

    if file.stem not in _DRAWINGS:
        raise InputError(f"there is no figure of the study {file.stem!r}; there are {', '.join(_DRAWINGS)}")
    study = read_study(file)
    records = [record for record in read_records(study.store) if record.result is not None]
    if {record.key for record in records} < {study.study.key(point) for point in study.points}:
        raise InputError(f"the study {file} is not finished; run `hippo sweep {file}` first")
    function, panels, size, words = _DRAWINGS[file.stem]
    with matplotlib.rc_context(fname=str(STYLE)):
        figure = Figure(figsize=size, layout="constrained")
        function(figure.subplots(*panels, squeeze=False).ravel(), records)
        title(figure, words)
        return saved(figure, file.parent, file.stem)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        write_study_figure(Path(argument))
