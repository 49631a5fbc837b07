"""Which rows of the notes on the papers have claims, and why the others have none.

`rows.toml` lists the rows, each with the reason where nothing in it can be decided by computation; a claim belongs to the
row whose id begins its own. Of a row for two statements (``ptd.thm4/5``) the first number is the id.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from hippo_theory.claims.registry import load_claims

__all__ = ["CoveredRow", "coverage"]


_NAMES = {"dfout": "fb.dfout"}  # a row without a paper's name


@dataclass(frozen=True)
class CoveredRow:
    """A row of the notes.

    Attributes
    ----------
    row : str
    claims : tuple of str
        Ids of the claims that check it.
    why : str
        Why it has none.
    """

    row: str
    claims: tuple[str, ...]
    why: str


def coverage() -> tuple[CoveredRow, ...]:
    """Every row of the notes with its claims, or with the reason why it has none.

    Examples
    --------
    >>> from hippo_theory.claims.coverage import coverage
    >>> [row.claims for row in coverage() if row.row == "core.legs.unit"]
    [('core.legs.unit',)]
    """
    rows = tomllib.loads(Path(__file__).with_name("rows.toml").read_text())["rows"]
    claims = load_claims()

    def of(row: str) -> tuple[str, ...]:
        name = _NAMES.get(row, row.split("/")[0])
        return tuple(id for id in claims if id == name or id.startswith(f"{name}."))

    return tuple(CoveredRow(row, of(row), why) for row, why in rows.items())
