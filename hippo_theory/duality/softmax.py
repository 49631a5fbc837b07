"""The rank explosion of softmax attention, in integers: logits of rank one whose softmax no small state can realize."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpz, fmpz_mat

from hippo_theory.errors import checked_size

__all__ = ["SoftmaxRanks", "softmax_ranks"]


@dataclass(frozen=True)
class SoftmaxRanks:
    """Exact ranks of the softmax of the logits ln(2) i j, i, j = 1, ..., T.

    Attributes
    ----------
    T : int
    full : int
        Rank of the whole matrix, without a mask.
    semiseparable : int
        Largest rank of a corner block of the causal matrix: the least state size that realizes it.
    new_columns : int
        New columns of the causal matrix: the least width of a masked-attention dual.
    """

    T: int
    full: int
    semiseparable: int
    new_columns: int


def softmax_ranks(T: int) -> SoftmaxRanks:
    """Ranks of softmax attention with the rank-one logits ln(2) i j; the exponentials 2^(i j) are integers.

    Dividing rows by their sums changes no rank, so the sums are left out. Floating point does not see these ranks.

    Examples
    --------
    >>> from hippo_theory.duality import softmax_ranks
    >>> softmax_ranks(8)
    SoftmaxRanks(T=8, full=8, semiseparable=4, new_columns=4)

    Notes
    -----
    Source: structured state-space duality (arXiv:2510.04944), on softmax attention; the sharper corner-block statement
    (semiseparable rank floor((T+1)/2)) is derived here: the corner from row t down to column t is a generalized Vandermonde
    matrix of T - t + 1 rows and t columns.
    """
    T = checked_size("T", T)
    powers = np.array([[2 ** (i * j) for j in range(1, T + 1)] for i in range(1, T + 1)], dtype=object)
    corners = [_rank(powers[t:, : t + 1]) for t in range(T)]
    before = [_rank(powers[t:, :t]) for t in range(1, T)]
    return SoftmaxRanks(T, _rank(powers), max(corners), sum(corners) - sum(before))


def _rank(integers: np.ndarray[tuple[int, int], np.dtype[np.object_]]) -> int:
    rows, columns = integers.shape
    return int(fmpz_mat(rows, columns, [fmpz(value) for value in integers.ravel().tolist()]).rank())
