"""How a stack of equal systems lies in a matrix: systems along the rows, along the columns, or poured into another shape.

A matrix (H, n) that holds n eigenvalues H times says so itself: every number stands in it a multiple of H times. Whoever
exchanges the axes, or reshapes (n, H) to (H, n) without exchanging them, keeps the numbers and their counts. Four readings
are tried; one that is wrong has rows that are not all the same set of numbers, or repeats numbers within a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EXCHANGED", "Arrangement", "arrangements", "is_stack", "lie_along_columns"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Arrangement:
    """A way to read a matrix (a, b) as equal systems.

    Attributes
    ----------
    exchanged : bool
        The axes are exchanged, and nothing else: a convention of its own. Else the numbers of several systems are mixed.
    words : str
        What is to be done to the matrix.
    rows : callable
        (a, b) -> (S, n), one row for each system.
    """

    exchanged: bool
    words: str
    rows: Callable[[Array], Array]


EXCHANGED = Arrangement(True, "transpose it", np.transpose)


def arrangements(values: Array) -> tuple[Arrangement, ...]:
    """The readings of a matrix (a, b) in which all systems are the same numbers; none if its rows are already.

    The one with fewest repetitions within a system comes first: eigenvalues are different ones, and a stack read along
    the wrong axis repeats them.

    Examples
    --------
    >>> [found.words for found in arrangements(np.array([[1, 1, 1], [2, 2, 2]]))]
    ['transpose it']
    >>> [found.words for found in arrangements(np.array([[1, 2, 3, 4], [1, 2, 3, 4]]).reshape(4, 2).T)]
    ['read its transpose, reshaped to (2, 4)']
    >>> arrangements(np.array([[1, 2, 3], [3, 2, 1]]))
    ()
    """
    if values.ndim != 2 or len(values) < 2 or not _may_hold(values):
        return ()
    if np.isnan(values).any() or _are_equal(values):
        return ()
    a, b = values.shape
    candidates = [
        EXCHANGED,
        Arrangement(False, f"read it reshaped to ({b}, {a})", lambda array: array.reshape(b, a)),
        Arrangement(False, f"read its transpose, reshaped to ({a}, {b})", lambda array: array.T.reshape(a, b)),
        Arrangement(False, f"read it reshaped to ({b}, {a}), transposed", lambda array: array.reshape(b, a).T),
    ]
    found = [candidate for candidate in candidates if _are_equal(candidate.rows(values))]
    return tuple(sorted(found, key=lambda candidate: _repetitions(candidate.rows(values)[0])))


def _may_hold(values: Array) -> bool:
    """Whether the first number stands there as often as equal systems along either axis demand; cheap."""
    count = int(np.count_nonzero(values == values.flat[0]))
    return count > 0 and 0 in (count % values.shape[0], count % values.shape[1])


def _are_equal(rows: Array) -> bool:
    """Whether all rows (S, n) are the same numbers, in whatever order."""
    ordered = np.sort(rows, axis=1)
    return not np.any(ordered != ordered[:1])


def _repetitions(row: Array) -> int:
    return len(row) - len(np.unique(row))


def lie_along_columns(values: Array) -> bool:
    """Whether each column of a matrix (n, H) has one real part, as most starts have, and rows have several.

    Systems that are the same but for their time scales differ in it.

    Examples
    --------
    >>> one = -0.5 + 1j * np.arange(3)
    >>> lie_along_columns(np.stack([one, 2 * one], axis=1)), lie_along_columns(np.stack([one, 2 * one]))
    (True, False)
    """
    if len(values) < 2 or not np.iscomplexobj(values) or not np.isfinite(values).all() or _are_equal(values):
        return False
    real = np.real(values)
    return bool(not np.any(real != real[:1]) and np.any(real != real[:, :1]))


def is_stack(values: Array) -> bool:
    """Whether a square matrix (n, n) is a stack of n systems instead of a state matrix.

    Rows or columns that are equal, or one real part other than zero in all entries, are what a stack has and none of the
    known starts.

    Examples
    --------
    >>> is_stack(np.tile([-0.5 + 1j, -0.5 + 2j], (2, 1))), is_stack(np.array([[-1, 0], [-2, -3]]))
    (True, False)
    """
    if not np.isfinite(values).all() or len(values) < 2:
        return False
    if any(len(np.unique(matrix, axis=0)) < len(matrix) for matrix in (values, values.T)):
        return True
    real = np.real(values)
    return bool(np.iscomplexobj(values) and real.flat[0] != 0 and not np.any(real != real.flat[0]))
