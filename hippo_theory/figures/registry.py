r"""Figures: declared once, beside the function that computes the data and draws them, and found by their id.

    @figure(
        "eigenvalue-asymptotics",
        title="...",
        caption="What to see, with $mathematics$ and numbers of the data: <constant_64:.6f>.",
        alternative="What somebody who cannot see the picture is told.",
        source="S4D (arXiv:2206.11893), conjecture 5",
        panels=(1, 2),
        size=(7.0, 2.8),
        units={"size": "1", "constant": "radians per unit of time"},
    )
    def eigenvalue_asymptotics(panels, *, sizes=(16, 64)):
        data = {"size": ..., ...}
        if panels is not None:
            panels[0].plot(...)
        return data

The function returns its data and, where `panels` is not None, draws them on the axes it is given; it knows no file name.
Its keyword arguments are the parameters of the figure. An animation is declared with `animation`, which takes a function for
the data and decorates one that draws a frame of it:

    @animation(
        "arriving-signal",
        title=..., caption=..., alternative=..., source=..., units=..., panels=(3, 1), size=(7.2, 4.4),
        frames=40, data=arriving_data,
    )
    def arriving_signal(panels, data, index):
        panels[0].plot(...)

It is written as an animated PNG: one file, which shows its first frame where animations are not played. Frame 0 therefore is
the one that says most, by convention the last of the story, and 1, 2, ... lead up to it again.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hippo_theory.errors import InputError
from hippo_theory.figures.drawing import SUFFIXES, animation_bytes, draw, picture
from hippo_theory.figures.style import Array, Data, Panels

__all__ = ["FIGURES", "AnimationEntry", "FigureEntry", "animation", "figure", "find_figures", "load_figures"]

_REFERENCE = re.compile(r"<(\w+)(?::([^>]*))?>")


@dataclass(frozen=True)
class FigureEntry:
    """A figure that can be regenerated.

    Attributes
    ----------
    id : str
        Permanent, words joined by hyphens.
    title : str
    caption : str
        What to see. Mathematics between dollar signs; ``<name:format>`` stands for the value of an array of the data that
        has one entry.
    alternative : str
        What is said where the picture is not seen, in plain words.
    source : str
        The figure or statement of a paper that it regenerates, or that it is derived here.
    panels : (int, int)
        Rows and columns of axes.
    size : (float, float)
        Width and height in inches.
    units : dict of str
        For each array of the data (or for all whose names begin so) what it is and in which unit.
    digits : int
        Significant digits of the data that hold on every processor; what is hashed is rounded to them.
    axes : dict
        Further arguments of ``Figure.subplots``: ``sharex``, ``width_ratios``, ``subplot_kw`` and the like.
    compute : callable
        ``compute(panels, **parameters)``: panels is an array of axes in reading order, or None.
    """

    id: str
    title: str
    caption: str
    alternative: str
    source: str
    panels: tuple[int, int]
    size: tuple[float, float]
    units: Mapping[str, str]
    digits: int
    axes: Mapping[str, Any]
    compute: Callable[..., Data] = field(repr=False)

    @property
    def parameters(self) -> dict[str, Any]:
        """The keyword arguments of the function, with their default values."""
        signature = inspect.signature(self.compute)
        return {
            name: parameter.default
            for name, parameter in signature.parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        }

    @property
    def function(self) -> str:
        """Where the function stands, importable."""
        return f"{self.compute.__module__}.{self.compute.__name__}"

    def data(self, **parameters: Any) -> Data:
        """The data without a picture.

        Raises
        ------
        InputError
            If an array has no unit.
        """
        return self.checked(self.compute(None, **parameters))

    def drawn(self, panels: Panels, **parameters: Any) -> Data:
        """Draw on axes in reading order; returns the data."""
        return self.checked(self.compute(panels, **parameters))

    def pictures(self) -> tuple[Data, dict[str, bytes]]:
        """The data, and the content of a file for each suffix."""
        drawn, data = draw(self)
        return data, {suffix: picture(drawn, suffix) for suffix in SUFFIXES}

    def checked(self, data: Data) -> Data:
        """The data as arrays, each of which has a unit and finite entries or NaN where there is no value."""
        for name in data:
            self.unit(name)
        return {name: np.asarray(values) for name, values in data.items()}

    def unit(self, name: str) -> str:
        """What an array of the data is: the entry of `units` under its name, or under the longest beginning of it."""
        fitting = [prefix for prefix in self.units if name == prefix or name.startswith(prefix + "_")]
        if not fitting:
            raise InputError(f"figure {self.id} declares no unit for {name!r}; `units` has {', '.join(self.units)}")
        return self.units[max(fitting, key=len)]

    def caption_text(self, data: Mapping[str, Array]) -> str:
        """The caption with its numbers filled in from the data."""

        def value(match: re.Match[str]) -> str:
            return format(np.asarray(data[match[1]]).item(), match[2] or "")

        return _REFERENCE.sub(value, self.caption)


@dataclass(frozen=True)
class AnimationEntry(FigureEntry):
    """An animation that can be regenerated: a figure whose `compute` takes no panels, drawn frame by frame.

    Attributes
    ----------
    frames : int
    milliseconds : int
        How long each frame is shown; the first one ten times as long.
    draw_frame : callable
        ``draw_frame(panels, data, index)``: one frame, on axes that hold nothing but the limits and labels of the frame before.
    """

    frames: int
    milliseconds: int
    draw_frame: Callable[[Panels, Mapping[str, Array], int], None] = field(repr=False)

    @property
    def function(self) -> str:
        """Where the function that draws stands, importable."""
        return f"{self.draw_frame.__module__}.{self.draw_frame.__name__}"

    def data(self, **parameters: Any) -> Data:
        """The data without a picture."""
        return self.checked(self.compute(**parameters))

    def drawn(self, panels: Panels, **parameters: Any) -> Data:
        """Draw the first frame; returns the data."""
        data = self.data(**parameters)
        self.draw_frame(panels, data, 0)
        return data

    def pictures(self) -> tuple[Data, dict[str, bytes]]:
        """The data, and one animated PNG."""
        data = self.data()
        return data, {"png": animation_bytes(self, data)}


FIGURES: dict[str, FigureEntry] = {}


def figure(
    id: str,
    *,
    title: str,
    caption: str,
    alternative: str,
    source: str,
    units: Mapping[str, str],
    panels: tuple[int, int] = (1, 1),
    size: tuple[float, float] = (4.6, 3.2),
    digits: int = 12,
    axes: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Data]], Callable[..., Data]]:
    """Register the decorated function as the figure `id`; the parameters are those of `FigureEntry`.

    Raises
    ------
    InputError
        At import: an id that is taken, or an empty text.
    """

    def register(compute: Callable[..., Data]) -> Callable[..., Data]:
        _require_texts(id, title=title, caption=caption, alternative=alternative, source=source)
        FIGURES[id] = FigureEntry(
            id, title, caption, alternative, source, panels, size, dict(units), digits, dict(axes or {}), compute
        )
        return compute

    return register


def animation(
    id: str,
    *,
    title: str,
    caption: str,
    alternative: str,
    source: str,
    units: Mapping[str, str],
    frames: int,
    data: Callable[..., Data],
    panels: tuple[int, int] = (1, 1),
    size: tuple[float, float] = (7.2, 3.6),
    digits: int = 8,
    milliseconds: int = 150,
    axes: Mapping[str, Any] | None = None,
) -> Callable[[Callable[[Panels, Mapping[str, Array], int], None]], Callable[[Panels, Mapping[str, Array], int], None]]:
    """Register the decorated function as the animation `id`; the parameters are those of `AnimationEntry`, `data` computes.

    Raises
    ------
    InputError
        At import: an id that is taken, an empty text, fewer than two frames.
    """

    def register(
        draw: Callable[[Panels, Mapping[str, Array], int], None],
    ) -> Callable[[Panels, Mapping[str, Array], int], None]:
        _require_texts(id, title=title, caption=caption, alternative=alternative, source=source)
        if frames < 2:
            raise InputError(f"animation {id} has {frames} frames; it needs at least 2, or is a figure")
        FIGURES[id] = AnimationEntry(
            id, title, caption, alternative, source, panels, size, dict(units), digits, dict(axes or {}), data,
            frames, milliseconds, draw,
        )  # fmt: skip
        return draw

    return register


def _require_texts(id: str, **texts: str) -> None:
    if id in FIGURES:
        raise InputError(f"figure {id} is registered twice")
    for name, text in texts.items():
        if not text.strip():
            raise InputError(f"figure {id} has no {name}")


def load_figures() -> dict[str, FigureEntry]:
    """All figures, by id; the files of this folder are imported at the first call."""
    import hippo_theory.figures as folder

    for module in sorted(found.name for found in pkgutil.iter_modules(folder.__path__)):
        importlib.import_module(f"{folder.__name__}.{module}")
    return FIGURES


def find_figures(ids: Sequence[str] = ()) -> list[FigureEntry]:
    """The figures of some ids; all without.

    Raises
    ------
    InputError
        An unknown id; the message lists those there are.
    """
    figures = load_figures()
    for id in ids:
        if id not in figures:
            near = [known for known in figures if set(known.split("-")) & set(id.split("-"))]
            raise InputError(f"no figure {id!r}; there are {', '.join(near or figures)} (`hippo list figures`)")
    return [figures[id] for id in dict.fromkeys(ids)] if ids else list(figures.values())
