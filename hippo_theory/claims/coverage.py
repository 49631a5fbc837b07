"""Which rows of the notes on the papers have claims, and why the others have none.

`rows.toml` lists the rows, each with the reason where nothing in it can be decided by computation; a claim belongs to the
row with the longest id that begins its own. Of a row for two statements (``ptd.thm4/5``) the first number is the id.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from hippo_theory.claims.registry import load_claims

__all__ = ["CoveredRow", "coverage"]


# Rows without their paper's name.
_NAMES = {
    "dfout": "fb.dfout",
    **{
        row: f"s6.{row}"
        for row in (
            "lti.keepn",
            "haar.rate",
            "fourier.rate",
            "s4d.rate",
            "mqar.s6",
            "mqar.jl",
            "mqar.n2",
            "mqar.joint",
            "mqar.s4d",
            "mqar.info",
        )
    },
}


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

    names = {row: _NAMES.get(row, row.split("/")[0]) for row in rows}
    owners: dict[str, list[str]] = {row: [] for row in rows}
    for id in claims:
        beginning = [row for row, name in names.items() if id == name or id.startswith(f"{name}.")]
        if beginning:
            owners[max(beginning, key=lambda row: len(names[row]))].append(id)
    return tuple(CoveredRow(row, tuple(owners[row]), why) for row, why in rows.items())
