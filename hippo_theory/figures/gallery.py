"""The gallery: every figure drawn and written with its data, a manifest of hashes, and a page that shows them all.

The same versions write the same bytes: no dates, no paths, no random ids. The hash of the data is of their numbers rounded
to the digits that hold on every processor.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from hippo_theory import __version__
from hippo_theory.errors import InputError
from hippo_theory.figures.drawing import draw, picture
from hippo_theory.figures.registry import find_figures, load_figures
from hippo_theory.figures.style import Array, Data
from hippo_theory.sweeps.executors import processor_count

__all__ = ["MANIFEST", "DrawnFigure", "SvgFigure", "data_sha256", "svg_figures", "write_figures"]

MANIFEST, PAGE = "manifest.json", "README.md"
_WRITTEN = "Written by `hippo figures"


@dataclass(frozen=True)
class DrawnFigure:
    """A figure that was written.

    Attributes
    ----------
    id : str
    files : tuple of str
        Names in the folder: pictures, then the data.
    data_sha256 : str
        Of the rounded data.
    caption : str
        With its numbers.
    """

    id: str
    files: tuple[str, ...]
    data_sha256: str
    caption: str


@dataclass(frozen=True)
class SvgFigure:
    """A figure as the text of an SVG file, with its caption and what is said where it is not seen."""

    id: str
    title: str
    svg: str
    caption: str
    alternative: str


def data_sha256(data: Mapping[str, Array], digits: int = 12) -> str:
    """The hash of named arrays, their floats rounded to `digits` significant digits.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.figures.gallery import data_sha256
    >>> data_sha256({"x": np.array([1.0])}) == data_sha256({"x": np.array([1 + 1e-15])})
    True
    >>> data_sha256({"x": np.array([1.0])}) == data_sha256({"x": np.array([1 + 1e-11])})
    False
    """
    sums = hashlib.sha256()
    for name in sorted(data):
        values = np.asarray(data[name])
        sums.update(f"{name} {values.shape} {values.dtype.kind}\n".encode())
        parts = [values.real, values.imag] if values.dtype.kind == "c" else [values]
        for part in parts:
            for value in part.ravel().tolist():
                # + 0.0: minus zero is zero
                text = f"{value + 0.0:.{digits - 1}e}" if isinstance(value, float) else str(value)
                sums.update(text.encode() + b"\n")
    return sums.hexdigest()


def write_figures(
    ids: Sequence[str],
    directory: Path,
    *,
    processes: int | None = None,
    progress: Callable[[DrawnFigure, int, int], None] | None = None,
) -> list[DrawnFigure]:
    """Draw figures into a folder: PDF, SVG and PNG, the data as CSV or npz, ``manifest.json`` and ``README.md``.

    Figures already in the manifest of the folder stay in it; the page shows all of them.

    Parameters
    ----------
    ids : sequence of str
        All figures without.
    directory : Path
        Exists.
    processes : int, optional
        As many as there are cores by default; 1 draws everything here.
    progress : callable, optional
        Called with each figure, how many are done, and how many there are.

    Returns
    -------
    list of DrawnFigure

    Raises
    ------
    InputError
        An unknown id, or a README.md in the folder that is not a gallery.
    """
    entries = find_figures(ids)
    _require_own_page(directory)
    found = {}
    for done, figure in enumerate(_each(partial(_write, directory=directory), [e.id for e in entries], processes), 1):
        found[figure.id] = figure
        if progress is not None:
            progress(figure, done, len(entries))
    drawn = [found[entry.id] for entry in entries]
    records = _manifest(directory, drawn)
    (directory / MANIFEST).write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    (directory / PAGE).write_text(_page(records["figures"]), encoding="utf-8")
    return drawn


def svg_figures(
    ids: Sequence[str],
    *,
    processes: int | None = None,
    progress: Callable[[SvgFigure, int, int], None] | None = None,
) -> dict[str, SvgFigure]:
    """Figures as SVG text, for pages that hold their pictures; the arguments are those of `write_figures`."""
    entries = find_figures(ids)
    found = {}
    for done, figure in enumerate(_each(_svg, [entry.id for entry in entries], processes), 1):
        found[figure.id] = figure
        if progress is not None:
            progress(figure, done, len(entries))
    return found


def _each(function: Callable[[str], Any], ids: Sequence[str], processes: int | None) -> Iterator[Any]:
    """The value of each id as it comes, from several processes where there are several cores."""
    workers = min(len(ids), processes or processor_count())
    if workers <= 1:
        yield from map(function, ids)
        return
    with ProcessPoolExecutor(workers) as pool:
        for future in as_completed([pool.submit(function, id) for id in ids]):
            yield future.result()


def _svg(id: str) -> SvgFigure:
    entry = load_figures()[id]
    with threadpool_limits(1):
        drawn, data = draw(entry)
    return SvgFigure(id, entry.title, picture(drawn, "svg").decode(), entry.caption_text(data), entry.alternative)


def _write(id: str, directory: Path) -> DrawnFigure:
    entry = load_figures()[id]
    with threadpool_limits(1):  # sums are always taken in the same order
        data, pictures = entry.pictures()
    files = []
    for suffix, content in pictures.items():
        files.append(f"{id}.{suffix}")
        (directory / files[-1]).write_bytes(content)
    name, content = _stored(id, data)
    (directory / name).write_bytes(content)
    return DrawnFigure(id, (*files, name), data_sha256(data, entry.digits), entry.caption_text(data))


def _require_own_page(directory: Path) -> None:
    """Refuse to write over a README that is not a gallery."""
    page = directory / PAGE
    if page.exists() and _WRITTEN not in page.read_text(encoding="utf-8", errors="replace"):
        raise InputError(f"{page} is not a gallery of figures and would be lost; give another folder")


def _stored(id: str, data: Data) -> tuple[str, bytes]:
    """Columns of one length as CSV, with 17 digits; other data as npz."""
    columns = [values for values in data.values() if values.ndim == 1 and values.dtype.kind in "fiu"]
    if len(columns) == len(data) and len({len(column) for column in columns}) == 1:
        text = StringIO()
        text.write(",".join(data) + "\n")
        for row in zip(*(column.tolist() for column in columns), strict=True):
            text.write(",".join(repr(value) for value in row) + "\n")
        return f"{id}.csv", text.getvalue().encode()
    file = BytesIO()
    np.savez_compressed(file, **data)  # type: ignore[arg-type]
    return f"{id}.npz", file.getvalue()


def _manifest(directory: Path, drawn: Sequence[DrawnFigure]) -> dict[str, Any]:
    """What the folder holds: those just drawn, and those drawn before that there still are, in the order of the registry."""
    path = directory / MANIFEST
    before = {}
    if path.exists():
        try:
            before = {record["figure"]: record for record in json.loads(path.read_text(encoding="utf-8"))["figures"]}
        except (ValueError, KeyError, TypeError):
            before = {}  # not ours, or half written: the page is made anew
    entries = load_figures()
    fresh = {
        figure.id: {
            "figure": figure.id,
            "title": entries[figure.id].title,
            "caption": figure.caption,
            "alternative": entries[figure.id].alternative,
            "source": entries[figure.id].source,
            "function": entries[figure.id].function,
            "parameters": _plain(entries[figure.id].parameters),
            "files": list(figure.files),
            "units": dict(entries[figure.id].units),
            "digits": entries[figure.id].digits,
            "data_sha256": figure.data_sha256,
        }
        for figure in drawn
    }
    records = {**before, **fresh}
    versions = {
        "hippo_theory": __version__,
        **{name: version(name) for name in ("numpy", "matplotlib", "python-flint")},
    }
    return {"schema": 1, "versions": versions, "figures": [records[id] for id in entries if id in records]}


def _plain(value: Any) -> Any:
    """Parameters as JSON: fractions as text, tuples as lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value if isinstance(value, str | int | float | bool | type(None)) else str(value)


def _page(records: Sequence[Mapping[str, Any]]) -> str:
    """The gallery: contents, and each figure with its caption, its source, and how to make it."""
    lines = [
        "# Figures",
        "",
        f"{_WRITTEN} --out DIR`: {len(records)} figures, each with its data. In Python,",
        "`draw(*find_figures([ID]), N=32)` of `hippo_theory.figures` draws one with other parameters: those in brackets",
        "after its function.",
        "",
    ]
    lines += [f"- [{record['title']}](#{record['figure']})" for record in records]
    for record in records:
        id, data = record["figure"], record["files"][-1]
        parameters = ", ".join(f"{name} = {value}" for name, value in record["parameters"].items())
        lines += [
            "",
            f'<a id="{id}"></a>',
            "",
            f"## {record['title']}",
            "",
            f"![{record['alternative']}]({id}.png)",
            "",
            record["caption"],
            "",
            f"*Source:* {record['source']}. *Data:* [{data}]({data}), sha256 of the numbers rounded to "
            f"{record['digits']} digits `{record['data_sha256'][:16]}`. *Function:* `{record['function']}`"
            + (f" ({parameters})." if parameters else "."),
            "",
            f"`hippo figures {id} --out DIR` makes it as "
            + ", ".join(f"[{name.split('.')[-1].upper()}]({name})" for name in record["files"][:-1])
            + ".",
        ]
    return "\n".join(lines) + "\n"
