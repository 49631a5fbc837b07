"""How an answer is printed: as one JSON object, or as tables for people."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_UP, Context, Decimal
from pathlib import Path
from typing import Any

from hippo_theory.arithmetic import decimal_ball
from hippo_theory.tensor_files.writing import replacing

__all__ = ["SCHEMA", "Answer", "Table", "decimal_disc", "replacing", "write_json", "write_tables"]

SCHEMA = 1


@dataclass(frozen=True)
class Table:
    """A table for people; cells are strings, numbers among them right-aligned; `styles` colors cells by their text."""

    title: str
    header: Sequence[str]
    rows: Iterable[Sequence[str]]
    styles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What a verb has to say.

    Attributes
    ----------
    data : dict
        The keys of the JSON object, besides `schema` and `options`.
    tables : iterable of Table
        The same for people.
    notes : sequence of str
        Lines below the tables.
    status : int
        Exit status: 0, 1 if the answer is no, or 3 if a part of it could not be certified.
    """

    data: Mapping[str, Any]
    tables: Iterable[Table] = ()
    notes: Sequence[str] = ()
    status: int = 0


def decimal_disc(real: Any, imaginary: Any, digits: int) -> dict[str, str]:
    """Real and imaginary part as certain decimals, and the radius of a disc around the printed value."""
    re, im = decimal_ball(real, digits), decimal_ball(imaginary, digits)
    radius = Context(prec=3, rounding=ROUND_UP).add(Decimal(re.radius), Decimal(im.radius))
    return {"re": re.value, "im": im.value, "radius": str(radius).lower()}


def write_json(options: Mapping[str, Any], answer: Answer) -> None:
    """Print the answer as one JSON object."""
    text = json.dumps({"schema": SCHEMA, "options": dict(options), **answer.data}, allow_nan=False, default=_plain)
    print(text)  # noqa: T201


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def write_tables(answer: Answer) -> None:
    """Print the answer for people: no digit is cut off or folded; on a terminal sentences are, to its width."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(width=100_000, highlight=False, emoji=False)
    with console.capture() as capture:
        for table in answer.tables:
            rich_table = RichTable(
                box=box.SIMPLE_HEAD,
                pad_edge=False,
                collapse_padding=True,
                show_header=any(table.header),
            )
            rows = [list(row) for row in table.rows]
            width = 0
            for column, heading in enumerate(table.header):
                is_numeric = bool(rows) and all(_is_number(row[column]) for row in rows)
                longest = max(len(cell) for cell in [heading, *(row[column] for row in rows)])
                is_folded = longest > _SENTENCE and any(" " in row[column] for row in rows)
                width += 2 + (_SENTENCE if is_folded else longest)
                rich_table.add_column(heading, justify="right" if is_numeric else "left", no_wrap=not is_folded)
            for row in rows:
                rich_table.add_row(*(Text(cell, style=table.styles.get(cell, "")) for cell in row))
            console.print(table.title, markup=False)  # a title of rich would be folded to the width of the table
            console.print(rich_table, markup=False, width=max(width, _terminal_width()))
        for note in answer.notes:
            console.print(note, markup=False)
    print("\n".join(line.rstrip() for line in capture.get().splitlines()))  # noqa: T201


_SENTENCE = 24  # characters from which on a cell with spaces may be folded


def _terminal_width() -> int:
    """Columns of the terminal; no limit where the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else 100_000


def _is_number(cell: str) -> bool:
    return not cell.strip("-+.0123456789ej/") or cell in ("", "-")
