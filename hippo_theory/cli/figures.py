"""The verb figures: regenerate the figures of the theory, with their data."""

from __future__ import annotations

from pathlib import Path

from hippo_theory.cli import arguments
from hippo_theory.cli.output import Answer, Table
from hippo_theory.cli.progress import progress_bar
from hippo_theory.errors import InputError

__all__ = ["figures"]


def figures(*ids: str, out: Path | None = None, json: bool = False) -> Answer:
    """Regenerate figures of the theory: PDF, SVG and PNG, the data behind each, and a page that shows them.

    The same versions write the same bytes; manifest.json has the hash of each figure's data. In Python,
    hippo_theory.figures.draw takes other parameters.

    Example: hippo figures eigenvalue-asymptotics --out figures/

    Parameters
    ----------
    ids : str
        Which figures; all by default. `hippo list figures` shows them.
    out : folder
        Where to, which is needed; made if it is not there. Other files in it stay.
    json : bool
        Print one JSON object.
    """
    from hippo_theory.figures import find_figures, write_figures

    find_figures(ids)  # names are checked before any work
    if out is None:
        raise InputError("`hippo figures` writes files and needs to know where: hippo figures --out figures/")
    arguments.writable_folder(out)
    with progress_bar("drawing") as show:
        drawn = write_figures(ids, out, progress=lambda figure, done, total: show(figure.id, done, total))
    records = [
        {
            "id": figure.id,
            "files": [str(out / name) for name in figure.files],
            "data_sha256": figure.data_sha256,
            "caption": figure.caption,
        }
        for figure in drawn
    ]
    rows = [[figure.id, ", ".join(figure.files), figure.data_sha256[:16]] for figure in drawn]
    notes = [f"{len(drawn)} figures in {out}; README.md there shows them"]
    return Answer({"figures": records}, [Table(str(out), ["figure", "files", "data sha256"], rows)], notes)
