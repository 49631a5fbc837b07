"""Small plots of a stored spectrum, as inline SVG that follows the colors of the page."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.figures.style import COLORS
from hippo_theory.validation import Finding
from hippo_theory.validation.stored_systems import Spectrum

__all__ = ["spectrum_plot"]

Array = NDArray[Any]

_INK = "#010203"  # replaced by the color of the text around the plot
_STORED, _EXACT, _LARGEST = COLORS["blue"], COLORS["vermilion"], COLORS["sky"]
# The page has lighter ones for a dark background.
_PAGE = {_INK: "currentColor", _STORED: "var(--blue)", _EXACT: "var(--vermilion)", _LARGEST: "var(--sky)"}
_DRAWN = 4000  # points of one plot


def spectrum_plot(finding: Finding, spectrum: Spectrum) -> str | None:
    """An SVG element: the spectrum in the plane against the exact one, and how far each eigenvalue is from it.

    Parameters
    ----------
    finding : Finding
    spectrum : Spectrum
        Its numbers, from `hippo_theory.validation.stored_systems`.

    Returns
    -------
    str or None
        None where nothing is finite. The text in it holds nothing that comes from the file.
    """
    finite = np.isfinite(spectrum.values).all(axis=1)
    if not finite.any():
        return None
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    values, spacing = spectrum.values[finite], spectrum.spacing[finite]
    rows = max(1, _DRAWN // values.shape[1])
    values, spacing = values[:rows], spacing[:rows]
    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "hippo_theory",
        "font.family": "sans-serif",
        "font.size": 8.0,
        "axes.spines.top": False,
        "axes.spines.right": False,
        **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
    }
    with rc_context(settings):
        panels = 1 if spectrum.truth is None else 2
        figure = Figure(figsize=(3.6 * panels, 2.6), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(1, panels, squeeze=False)[0]
        _draw_plane(axes[0], values, spectrum.truth, finding.verdict == "trained")
        if spectrum.truth is not None:
            _draw_distances(axes[1], values, spectrum.truth, spacing, finding.verdict == "trained")
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(text.getvalue(), panels, f"Stored eigenvalues of {len(spectrum.values)} systems")


def _draw_plane(axes: Any, values: Array, truth: Array | None, is_trained: bool) -> None:
    if not np.any(values.imag) and (truth is None or not np.any(truth.imag)):
        index = np.broadcast_to(np.arange(values.shape[1]), values.shape)
        points, exact = (values.real, index), None if truth is None else (truth.real, index[0])
        axes.set_ylabel("state")
    else:
        points, exact = (values.real, values.imag), None if truth is None else (truth.real, truth.imag)
        moduli = np.abs(values.imag if truth is None else truth.imag)
        smallest = float(np.min(moduli[moduli > 0], initial=np.inf))
        if np.isfinite(smallest) and moduli.max() > 50 * smallest:
            axes.set_yscale("symlog", linthresh=smallest)
        axes.set_ylabel("imaginary part")
    if exact is not None and is_trained:
        for x, y in zip(*points, strict=True):
            axes.plot([exact[0], x], [exact[1], y], color=_STORED, linewidth=0.3, alpha=0.4)
    size = 4 if len(values) < 4 else 2
    axes.plot(points[0].ravel(), points[1].ravel(), ".", color=_STORED, markersize=size, label="stored", linestyle="")
    if exact is not None:
        axes.plot(
            *exact,
            "o",
            color=_EXACT,
            markersize=6,
            markerfacecolor="none",
            markeredgewidth=0.8,
            label="exact",
            linestyle="",
        )
        axes.legend(loc="best", frameon=False, fontsize=7, handletextpad=0.2)
    low, high = axes.get_xlim()
    if high - low < 0.2:  # equal real parts: their rounding errors are no picture
        middle = (low + high) / 2
        axes.set_xlim(middle - 0.5, middle + 0.5)
    axes.set_xlabel("real part")
    axes.set_title("eigenvalues", fontsize=8)


def _draw_distances(axes: Any, values: Array, truth: Array, spacing: Array, is_trained: bool) -> None:
    """Distance of every eigenvalue from the exact one, relative to it (absolute where it is 0)."""
    scale = np.where(truth == 0, 1.0, np.abs(truth))
    distances = np.abs(values - truth) / scale
    index = np.arange(len(truth))
    if is_trained:
        middle = np.median(distances, axis=0)
        axes.plot(index, distances.max(axis=0), ".", color=_LARGEST, markersize=4, label="largest of the systems")
        axes.plot(index, middle, ".", color=_STORED, markersize=4, label="median of the systems")
        axes.set_title("how far each eigenvalue has moved", fontsize=8)
    else:
        axes.plot(index, distances.max(axis=0), ".", color=_STORED, markersize=4, label="stored")
        axes.plot(index, (spacing / scale).max(axis=0), "-", color=_INK, linewidth=0.7, label="unit in the last place")
        axes.set_title("distance from the exact eigenvalue", fontsize=8)
    if np.any(distances > 0):
        axes.set_yscale("log")
    axes.set_xlabel("state, by decreasing imaginary part" if np.any(truth.imag) else "state")
    axes.set_ylabel("relative distance")
    axes.legend(loc="best", frameon=False, fontsize=7, handletextpad=0.4)


def _inline(svg: str, panels: int, title: str) -> str:
    """The svg element alone, as wide as its panels, in the color of the text."""
    element = svg[svg.index("<svg") :]
    for color, name in _PAGE.items():
        element = element.replace(color.lower(), name)
    opening = '<svg role="img" aria-label="' + title + '" class="plot" style="max-width: ' + f'{27 * panels}em" '
    return re.sub(r"<svg ", opening, element, count=1)
