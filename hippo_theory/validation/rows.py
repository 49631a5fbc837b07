"""One stored system out of the many that tensors stack: a row of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.eigenvalues import undamaged_candidates
from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.reading import Parameters

__all__ = [
    "Row",
    "chosen_systems",
    "distinct_rows",
    "finite_row",
    "finite_systems",
    "nonfinite_vectors",
    "one_block",
    "row_of",
]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Row:
    """One stored system of n states: Lambda, B (n,); P, Q (n, r), or None."""

    Lambda: Quantity
    P: Quantity | None = None
    Q: Quantity | None = None
    B: Quantity | None = None


def row_of(parameters: Parameters, system: int) -> Row:
    """The system of that number; a P that is zero is none."""

    def chosen(part: Quantity | None) -> Quantity | None:
        return None if part is None else part.mapped(lambda array: array[system])

    P = parameters.P if parameters.P is not None and np.any(parameters.P.values) else None
    Lambda = parameters.Lambda.mapped(lambda array: array[system])
    return Row(Lambda, chosen(P), chosen(parameters.Q), chosen(parameters.B))


def nonfinite_vectors(row: Row) -> dict[str, str]:
    """Which of P and B hold NaN or infinity, each with the words for it; the P of P Q* also if Q does."""
    found: dict[str, str] = {}
    for name, part in (("P", row.P), ("P", row.Q), ("B", row.B)):
        if part is not None and not np.isfinite(part.values).all():
            where = "Q holds" if part is row.Q else "holds"
            found.setdefault(name, f"{where} NaN or infinity")
    return found


def finite_row(row: Row) -> Row:
    """The row without the vectors that hold NaN or infinity."""
    broken = nonfinite_vectors(row)
    P, Q = (None, None) if "P" in broken else (row.P, row.Q)
    return replace(row, P=P, Q=Q, B=None if "B" in broken else row.B)


def finite_systems(parameters: Parameters) -> Array:
    """Of which systems all that is stored is finite, (S,)."""
    parts = (part for part in (parameters.Lambda, parameters.P, parameters.Q, parameters.B) if part is not None)
    finite = [np.isfinite(part.values).reshape(len(part.values), -1).all(axis=1) for part in parts]
    return np.asarray(np.all(finite, axis=0))


def chosen_systems(parameters: Parameters, systems: Array) -> Parameters:
    """Some of the systems; C and the steps stay as they are, since what says whose they are is not always there."""

    def chosen(part: Quantity | None) -> Quantity | None:
        return None if part is None else part.mapped(lambda array: array[systems])

    P, Q, B = (chosen(part) for part in (parameters.P, parameters.Q, parameters.B))
    return replace(parameters, Lambda=parameters.Lambda.mapped(lambda array: array[systems]), P=P, Q=Q, B=B)


def distinct_rows(parameters: Parameters) -> tuple[Array, Array]:
    """Index of the first of each group of equal systems, in the order of the tensors, and the group of each system."""
    stored = (parameters.Lambda, parameters.P, parameters.Q, parameters.B)
    parts = [part.values for part in stored if part is not None]
    systems = len(parts[0])
    table = np.concatenate([np.ascontiguousarray(part).reshape(systems, -1) + 0j for part in parts], axis=1)
    keys = table.view(np.uint64)
    _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[inverse.ravel()]


def one_block(row: Row) -> tuple[Row, int]:
    """One block of a row that repeats itself, as S5 tiles them, and their number.

    One number again and again is a row of blocks only if that number is a start, the complex eigenvalue of one with N = 2:
    any other constant fits all starts of a single eigenvalue after one factor.
    """
    values = row.Lambda.values
    if row.B is not None or row.P is not None:
        return row, 1

    def block(size: int) -> Row:
        return replace(row, Lambda=row.Lambda.mapped(lambda array: array[:size]))

    if not np.any(values != values[:1]):
        one = block(1)
        is_start = len(values) > 1 and values[0].imag != 0 and bool(undamaged_candidates(one.Lambda))
        return (one, len(values)) if is_start else (row, 1)
    sizes = (size for size in range(2, len(values) // 2 + 1) if len(values) % size == 0)
    size = next((size for size in sizes if (values.reshape(-1, size) == values[:size]).all()), len(values))
    return block(size), len(values) // size
