"""Semiseparable matrices: their rank, the blocks they fall into, and their new columns, exactly over the rationals."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.duality.exact_matrices import exact_rank, finite_numbers, fractions, lower_triangular, solution
from hippo_theory.errors import InputError

__all__ = ["completion", "diagonal_blocks", "new_columns", "one_semiseparable", "semiseparable_rank"]

Array = NDArray[Any]


def one_semiseparable(a: Any) -> Array:
    """The mask 1SS(a): a_t ... a_(s+1) for t > s, 1 on the diagonal, 0 above; (T, T).

    Parameters
    ----------
    a : (T,) array_like
        The factors, of which the first is of no effect. Integers become Python's own, whose products do not overflow;
        Fractions are computed with exactly; floats within T eps, relatively.

    Raises
    ------
    InputError
        If `a` is no sequence of finite numbers.

    Examples
    --------
    >>> from hippo_theory.duality import one_semiseparable
    >>> one_semiseparable([5, 2, 3])
    array([[1, 0, 0],
           [2, 1, 0],
           [6, 3, 1]], dtype=object)
    """
    a = finite_numbers("a", a)
    if a.ndim != 1 or a.size == 0:
        raise InputError(f"`a` must be a sequence of T factors, at least one, got shape {a.shape}")
    L = np.zeros((len(a), len(a)), dtype=a.dtype)
    for t in range(len(a)):
        if t:
            L[t, :t] = a[t] * L[t - 1, :t]
        L[t, t] = 1
    return L


def semiseparable_rank(M: Any) -> int:
    """The largest rank of a submatrix on or below the diagonal: max_t rank M[t:, :t+1], exact.

    The corner blocks include the diagonal: without it, the identity with one more entry in the corner would seem to have
    rank 1 instead of 2. It is the least state size of a time-varying system that realizes M.

    Parameters
    ----------
    M : (T, T) array_like, lower triangular
        Integers, Fractions, or floats, which are taken as the binary fractions that they are.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.duality import semiseparable_rank
    >>> corner = np.eye(5); corner[4, 0] = 1
    >>> semiseparable_rank(corner)
    2

    Notes
    -----
    Source: the SSD paper (arXiv:2405.21060), definition 3.1.
    """
    exact = lower_triangular(M)
    new, _ = completion(exact)
    # The new columns up to t span the corner: see `completion`.
    return max(exact_rank(exact[t:, [s for s in new if s <= t]]) for t in range(len(exact)))


def diagonal_blocks(M: Any) -> list[tuple[int, int]]:
    """The finest consecutive diagonal blocks [start, stop) that hold all nonzero entries of M.

    There is a cut before t exactly where M[t:, :t] = 0.
    """
    exact = lower_triangular(M)
    cuts = [0, *(t for t in range(1, len(exact)) if not np.any(exact[t:, :t] != 0)), len(exact)]
    return list(pairwise(cuts))


def new_columns(M: Any) -> list[int]:
    """The columns t with M[t:, t] outside the span of the columns of M[t:, :t]; indices from 0, exact.

    The row range shrinks with t. Counted otherwise, there are sum_t rank M[t:, :t+1] - sum_t rank M[t:, :t] of them, the
    least rank of a matrix that agrees with M on and below the diagonal.

    Examples
    --------
    >>> from hippo_theory.duality import new_columns
    >>> new_columns([[2, 0, 0, 0], [1, 2, 0, 0], [0, 1, 2, 0], [0, 0, 1, 2]])
    [0, 1, 2]

    Notes
    -----
    Source: structured state-space duality (arXiv:2510.04944).
    """
    return completion(lower_triangular(M))[0]


def completion(exact: Array) -> tuple[list[int], Array]:
    """New columns of a lower triangular matrix of Fractions, and keys: M = tril(M[:, new] @ keys^T).

    A column that is not new is, from its own row on, a combination of earlier ones, and so of earlier new ones. In the rows
    from t on the new columns before t therefore span all columns before t, and only these are eliminated with.
    """
    T = len(exact)
    new: list[int] = []
    keys = fractions(np.zeros((T, T), dtype=int))
    for t in range(T):
        combination = solution(exact[t:, new], exact[t:, t])
        if combination is None:
            new.append(t)
            keys[t, len(new) - 1] = Fraction(1)
        else:
            keys[t, : len(new)] = combination
    return new, keys[:, : len(new)]
