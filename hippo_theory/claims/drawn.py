"""Inputs that a case of a claim draws once for both routes: these share the numbers, and no function that makes them."""

from __future__ import annotations

from typing import Any

__all__ = ["Drawn"]


class Drawn(dict[str, Any]):
    """Values by name, among them the `seed`; shown as that, not number by number.

    Examples
    --------
    >>> from hippo_theory.claims.drawn import Drawn
    >>> print(Drawn(seed=3, matrix=[[1, 2], [3, 4]]))
    seed 3
    """

    def __str__(self) -> str:
        return f"seed {self['seed']}"
