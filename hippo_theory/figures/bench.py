"""Figures of the bench: time and error of the kernel algorithms, and where float32 fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hippo_theory.figures.style import COLORS, STYLE, Data, margin_labels, saved, title

__all__ = ["float32_errors", "growth_curves", "write_bench_figures"]

_MARKERS = "osD^vPX"


def _styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """A color and a marker for each curve; where colors start again, markers differ."""
    palette = ["black", *COLORS.values(), "#777777"]
    return {
        name: {
            "color": palette[place % len(palette)],
            "marker": _MARKERS[place % len(_MARKERS)],
            "markersize": 2.8,
        }
        for place, name in enumerate(names)
    }


def growth_curves(
    axes: Any, rows: Sequence[Mapping[str, Any]], *, against: Literal["N", "L"], quantity: Literal["seconds", "errors"]
) -> Data:
    """Seconds or relative errors of kernel algorithms against N or L: one curve for each algorithm.

    Parameters
    ----------
    axes : matplotlib Axes or None
    rows : sequence of dict
        Of the benchmark ``kernel-growth``; those that were not measured are left out.
    against : {"N", "L"}
    quantity : {"seconds", "errors"}

    Returns
    -------
    dict of ndarray
        ``size_<algorithm>`` and ``<quantity>_<algorithm>``.
    """
    chosen = [row for row in rows if row["against"] == against and row.get(quantity)]
    styles = _styles(dict.fromkeys(row["algorithm"] for row in rows))
    data: Data = {}
    labels = []
    for row in chosen:
        name, sizes, values = row["algorithm"], np.array(row["sizes"]), np.array(row[quantity])
        data[f"size_{name}"], data[f"{quantity}_{name}"] = sizes, values
        if axes is not None:
            # Dashes out of step, so that of two equal curves both are seen.
            dash = (2.5 * (list(styles).index(name) % 2), (3, 2)) if row["system"] == "diagonal" else "-"
            axes.loglog(sizes, values, linestyle=dash, **styles[name])
            power = row["exponent"] if quantity == "seconds" else None
            text = name if power is None else f"{name}, ${against}^{{{round(power, 1) + 0.0:.1f}}}$"  # no negative zero
            labels.append((float(sizes[-1]), float(values[-1]), text, styles[name]["color"]))
    if axes is not None and labels:
        if quantity == "errors":
            axes.axhline(2.0**-53, color="gray", linewidth=0.6, linestyle=(0, (1, 2)))
        ticks = sorted({size for row in chosen for size in row["sizes"]})
        every = 1 if len(ticks) <= 5 else 2  # as many as find room, the last among them
        axes.set_xticks(ticks, [str(size) if (len(ticks) - 1 - n) % every == 0 else "" for n, size in enumerate(ticks)])
        axes.minorticks_off()
        axes.set_xlabel({"N": "state size $N$", "L": "number of lags $L$"}[against])
        axes.set_ylabel({"seconds": "time of one kernel (s)", "errors": "largest error / largest value"}[quantity])
        other = "L" if against == "N" else "N"
        axes.set_title(f"${other}={chosen[0][other]}$")
        margin_labels(axes, labels)
    return data


def float32_errors(axes: Any, rows: Sequence[Mapping[str, Any]]) -> Data:
    """Relative errors of float32 kernels against the largest phase w dt L, with the rounding of that phase dotted.

    Parameters
    ----------
    axes : matplotlib Axes or None
    rows : sequence of dict
        Of the benchmark ``kernel-float32``.

    Returns
    -------
    dict of ndarray
        ``phase`` (radians), ``error_<algorithm>``, ``error_complex128``, and ``bound_32``, ``bound_64``: half an eps times
        the phase, the bound on the error that the rounding of the phase makes.
    """
    phases = np.array(rows[0]["phases"])
    data: Data = {"phase": phases}
    for row in rows:
        data[f"error_{row['algorithm']}"] = np.array(row["errors"])
    data["error_complex128"] = np.array(rows[0]["peer_errors"])
    data["bound_32"], data["bound_64"] = 2.0**-24 * phases, 2.0**-53 * phases
    if axes is None:
        return data
    names = [key.removeprefix("error_") for key in data if key.startswith("error_")]
    labels = []
    for place, (name, style) in enumerate(_styles(names).items()):
        values = data[f"error_{name}"]
        # Thinner and thinner, so that of equal curves all are seen.
        axes.loglog(phases, values, **style, linewidth=max(0.8, 3.0 - 0.5 * place))
        labels.append((float(phases[-1]), float(values[-1]), name, style["color"]))
    for key, text in (("bound_32", "$\\epsilon_{32}\\,w\\,dt\\,L/2$"), ("bound_64", "$\\epsilon_{64}\\,w\\,dt\\,L/2$")):
        shown = data[key] <= 1
        axes.loglog(phases[shown], data[key][shown], color="gray", linewidth=0.8, linestyle=(0, (1, 2)))
        place = len(phases) // 2
        axes.annotate(text, (phases[place], data[key][place]), xytext=(-4, 4), textcoords="offset points", ha="right",
                      color="#555555", fontsize=8)  # fmt: skip
    axes.set_ylim(top=10)
    axes.set_xlabel("largest phase $w\\,dt\\,L$ (radians)")
    axes.set_ylabel("largest error / largest value")
    margin_labels(axes, labels)
    return data


def write_bench_figures(rows: Sequence[Mapping[str, Any]], directory: Path) -> list[Path]:
    """Draw what the rows of a bench allow, ``kernels`` and ``float32``, as PNG and SVG; returns the paths.

    Parameters
    ----------
    rows : sequence of dict
        As `hippo bench` prints them: those of ``kernel-growth`` and ``kernel-float32`` are drawn.
    directory : Path
        Exists.
    """
    import matplotlib

    matplotlib.use("Agg")
    paths = []
    jobs: list[tuple[str, str, Callable[[Any, Sequence[Mapping[str, Any]]], None]]] = [
        ("kernels", "kernel-growth", _growth_panels),
        ("float32", "kernel-float32", _float32_panel),
    ]
    with matplotlib.rc_context(fname=str(STYLE)):
        from matplotlib.figure import Figure

        for name, benchmark, draw in jobs:
            chosen = [row for row in rows if row["name"] == benchmark]
            if chosen:
                figure = Figure(layout="constrained")
                draw(figure, chosen)
                paths += saved(figure, directory, name)
    return paths


def _growth_panels(figure: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    figure.set_size_inches(7.4, 6.2)
    panels = figure.subplots(2, 2)
    growth_curves(panels[0, 0], rows, against="N", quantity="seconds")
    growth_curves(panels[0, 1], rows, against="N", quantity="errors")
    growth_curves(panels[1, 0], rows, against="L", quantity="seconds")
    growth_curves(panels[1, 1], rows, against="L", quantity="errors")
    title(
        figure,
        f"Kernels of LegS in float64, step {Fraction(rows[0]['step'])}: time, with its fitted growth, and error against "
        "certified values; solid: whole system, dashed: diagonal part, dotted: rounding",
    )


def _float32_panel(figure: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    figure.set_size_inches(5.6, 3.6)
    float32_errors(figure.subplots(), rows)
    title(
        figure,
        f"Diagonal kernels of {rows[0]['N']} states and {rows[0]['L']} lags against certified values; "
        "dotted: bound on the rounding of the phase",
    )
