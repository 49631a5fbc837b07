"""What all figures share: the style sheet, colors, labels at the ends of curves, and files that come out the same twice.

Colors are those of Okabe and Ito, told apart by every kind of color vision.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "COLORS",
    "STYLE",
    "Array",
    "Data",
    "Panels",
    "label_curves",
    "label_ends",
    "margin_labels",
    "saved",
    "title",
]

Array = NDArray[Any]
Data = dict[str, Array]
Panels = Any  # the axes of a figure in reading order, or None: compute only

STYLE = Path(__file__).parents[1] / "hippo_theory.mplstyle"
COLORS = {
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
}


def label_ends(axes: Any, labels: Iterable[tuple[float, float, str, str]]) -> None:
    """Write labels beside the ends of curves on a log scale, moved apart where they would overlap, inside the axes."""
    low, high = (math.log(limit) for limit in axes.get_ylim())
    spacing = (high - low) * 0.065
    ordered = sorted(labels, key=lambda label: label[1])
    heights: list[float] = []
    for _, y, _, _ in ordered:
        heights.append(max(math.log(y), heights[-1] + spacing) if heights else math.log(y))
    # What was pushed beyond the top is pushed down again.
    ceiling = high
    for index in range(len(heights) - 1, -1, -1):
        heights[index] = min(heights[index], ceiling)
        ceiling = heights[index] - spacing
    for (x, _, text, color), height in zip(ordered, heights, strict=True):
        axes.annotate(
            text, (x, math.exp(height)), xytext=(5, 0), textcoords="offset points", color=color, va="center", fontsize=7,
            annotation_clip=False,
        )  # fmt: skip


def label_curves(axes: Any, labels: Iterable[tuple[float, float, str, str]]) -> None:
    """Write labels (x, y, text, color) to the right of the ends of curves on any scale, moved apart where they would overlap.

    Call it last: the limits of the axes must stand. Room to the right is made for the widest label by the layout.
    """
    from scipy.optimize import isotonic_regression

    ordered = sorted(labels, key=lambda label: label[1])
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    scale = axes.transScale + axes.transLimits  # from data to fractions of the axes
    ends = np.array([scale.transform((x, y))[1] for x, y, _, _ in ordered])
    # The axes are about 0.78 of their share of the figure's height; a line of 7 points takes 9.
    rows = axes.get_gridspec().nrows if axes.get_gridspec() is not None else 1
    spacing = 9 / (axes.figure.get_size_inches()[1] * 72 * 0.78 / rows)
    offsets = spacing * np.arange(len(ordered))
    heights = np.clip(isotonic_regression(ends - offsets).x, 0, max(0.0, 1 - offsets[-1])) + offsets
    for (x, _, text, color), height in zip(ordered, heights, strict=True):
        axes.annotate(
            text, (scale.transform((x, low))[0], float(height)),
            xycoords="axes fraction", xytext=(5, 0), textcoords="offset points", color=color, va="center", fontsize=7,
            annotation_clip=False,
        )  # fmt: skip


def margin_labels(axes: Any, labels: Iterable[tuple[float, float, str, str]]) -> None:
    """Write labels in the right margin of log-log axes, each with a line to the end (x, y) of its curve.

    Of all heights in this order and one line apart they take those with the least sum of squared moves.
    """
    from scipy.optimize import isotonic_regression

    low, high = (math.log(limit) for limit in axes.get_ylim())
    ordered = sorted(labels, key=lambda label: label[1])
    points = axes.figure.get_size_inches()[1] * 72 * axes.get_position().height
    spacing = 8.5 / points  # a line of 7 points, in heights of the axes
    offsets = spacing * np.arange(len(ordered))
    wanted = np.array([(math.log(y) - low) / (high - low) for _, y, _, _ in ordered])
    heights = np.clip(isotonic_regression(wanted - offsets).x, 0, 1 - offsets[-1]) + offsets
    for (x, y, text, color), height in zip(ordered, heights, strict=True):
        axes.annotate(
            text, (x, y), xytext=(1.08, float(height)), textcoords="axes fraction", color=color, va="center", fontsize=7,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.4, "shrinkA": 1, "shrinkB": 2, "relpos": (0, 0.5)},
        )  # fmt: skip


def title(figure: Any, text: str) -> None:
    """A title over all panels, broken where the figure is too narrow for it."""
    width = int(12 * figure.get_size_inches()[0])  # characters of 9 points, about a twelfth of an inch each
    figure.suptitle("\n".join(textwrap.wrap(text, width, break_long_words=False)), fontsize=9)


def saved(figure: Any, directory: Path, name: str) -> list[Path]:
    """PNG and SVG without dates, versions or random ids: the same data give the same bytes."""
    paths = [directory / f"{name}.png", directory / f"{name}.svg"]
    figure.savefig(paths[0], metadata={"Software": None})
    figure.savefig(paths[1], metadata={"Date": None, "Creator": None})
    return paths
