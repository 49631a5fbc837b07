"""The ids that validation can name, and whether a result is what somebody expects."""

from __future__ import annotations

from hippo_theory.errors import InputError
from hippo_theory.validation.findings import Validation

__all__ = ["IDENTIFIERS", "checked_identifier", "unmet"]

IDENTIFIERS = (
    "legs",
    "legt",
    "lagt",
    "fout",
    "lmu",
    "fourier-decay",
    "fourier-diagonal",
    "s4d-legs",
    "s4d-inv",
    "s4d-inv2",
    "s4d-lin",
    "s4d-quad",
    "s4d-real",
    "s4d-rand",
    "dss",
    "s5",
    "lru",
    "mamba-real",
    "mamba2",
    "random",
    "unknown",
)


def checked_identifier(name: str) -> str:
    """The id, if it is one.

    Raises
    ------
    InputError
        If it is none; the message lists them.

    Examples
    --------
    >>> checked_identifier("s4d-legs")
    's4d-legs'
    """
    if name not in IDENTIFIERS:
        raise InputError(f"{name!r} is no id that validation finds; choose one of {', '.join(IDENTIFIERS)}")
    return name


def unmet(validation: Validation, expected: str) -> str | None:
    """Why the result is not what is expected, or None: something else was found, or nothing was.

    Examples
    --------
    >>> import hippo_theory as ht
    >>> from hippo_theory.validation import validate
    >>> result = validate({"Lambda": ht.initialization("s4d-lin", 64).Lambda})
    >>> unmet(result, "s4d-lin")
    >>> unmet(result, "s4d-legs")
    'expected s4d-legs, found s4d-lin'
    """
    found = [finding.identified for file in validation.files for finding in file.findings]
    if not found:
        return f"expected {expected}, found no initialization at all"
    others = dict.fromkeys(identified for identified in found if identified != expected)
    return f"expected {expected}, found {', '.join(others)}" if others else None
