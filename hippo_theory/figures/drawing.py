"""Drawing what is registered: a figure as a matplotlib Figure and as files, an animation as an animated PNG.

The same versions make the same bytes: no dates, no random ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from hippo_theory.figures.style import STYLE, Array, Data

if TYPE_CHECKING:
    from hippo_theory.figures.registry import AnimationEntry, FigureEntry

__all__ = ["SUFFIXES", "animation_bytes", "draw", "picture"]

_METADATA: dict[str, dict[str, None]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}
SUFFIXES = tuple(_METADATA)


def draw(entry: FigureEntry, **parameters: Any) -> tuple[Any, Data]:
    """The figure, or the first frame of an animation, as a matplotlib Figure, and its data.

    Parameters
    ----------
    entry : FigureEntry
    **parameters
        Other values of the figure's parameters.

    Returns
    -------
    figure : matplotlib.figure.Figure
    data : dict of ndarray
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(fname=str(STYLE)):
        drawn = Figure(figsize=entry.size, layout="constrained")
        panels = drawn.subplots(*entry.panels, squeeze=False, **entry.axes).ravel()
        data = entry.drawn(panels, **parameters)
    return drawn, data


def picture(drawn: Any, suffix: str) -> bytes:
    """A matplotlib Figure as the bytes of a file: ``"png"``, ``"svg"`` or ``"pdf"``; the same figure, the same bytes."""
    import matplotlib

    with matplotlib.rc_context(fname=str(STYLE)):
        file = BytesIO()
        drawn.savefig(file, format=suffix, metadata=_METADATA[suffix])
    return file.getvalue()


def animation_bytes(entry: AnimationEntry, data: Mapping[str, Array], *, dots_per_inch: int = 100) -> bytes:
    """All frames as one animated PNG; the same data and versions give the same bytes.

    Parameters
    ----------
    entry : AnimationEntry
    data : dict of ndarray
        What ``entry.data()`` gave.
    dots_per_inch : int

    Returns
    -------
    bytes
        Of each frame after the first only what changes is stored.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    frames: list[Any] = []
    with matplotlib.rc_context(fname=str(STYLE)):
        drawn = Figure(figsize=entry.size, dpi=dots_per_inch, layout="constrained")
        canvas: Any = FigureCanvasAgg(drawn)
        panels = drawn.subplots(*entry.panels, squeeze=False, **entry.axes).ravel()
        for index in range(entry.frames):
            for axes in panels:
                for artist in [*axes.lines, *axes.collections, *axes.patches, *axes.texts, *axes.images]:
                    artist.remove()  # `clear` would make new axes each time, which takes most of the time
            entry.draw_frame(panels, data, index)
            canvas.draw()
            # The first frame settles where the axes are: they must not jump.
            drawn.set_layout_engine("none")
            frames.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy()))
    file = BytesIO()
    frames[0].save(
        file,
        format="PNG",
        save_all=True,
        append_images=frames[1:],
        duration=[10 * entry.milliseconds] + [entry.milliseconds] * (entry.frames - 1),
        loop=0,
    )
    return file.getvalue()
