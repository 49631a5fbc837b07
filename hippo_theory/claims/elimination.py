"""Ranks by Gaussian elimination in Fractions: the second route to what the package computes with flint."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

__all__ = ["corner_ranks", "eliminated_rank"]


def eliminated_rank(matrix: Sequence[Sequence[Any]]) -> int:
    """The rank of a matrix of exact numbers."""
    rows = [[Fraction(value) for value in row] for row in matrix]
    rank = 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((place for place in range(rank, len(rows)) if rows[place][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for place in range(rank + 1, len(rows)):
            if factor := rows[place][column] / rows[rank][column]:
                rows[place] = [x - factor * y for x, y in zip(rows[place], rows[rank], strict=True)]
        rank += 1
    return rank


def corner_ranks(matrix: Sequence[Sequence[Any]], diagonal: bool = True) -> list[int]:
    """The rank of M[t:, :t+1] for each t, or of M[t:, :t] without the diagonal."""
    return [eliminated_rank([row[: t + diagonal] for row in matrix[t:]]) for t in range(len(matrix))]
