"""LegS with indices from 1 (D8), and A with indices from 0 beside P with indices from 1 (D9).

With n, k = 1..N instead of 0..N-1, A_nk = -sqrt((2n+1)(2k+1)) below and -(n+1) on the diagonal, B_n = sqrt(2n+1), still is
normal plus low rank: P_n = sqrt(n + 1/2), A + P P^T = -I/2 + K with K skew, B = sqrt(2) P. It is LegS of N + 1 states
without the first row and column, so self-consistent and another system. With A of 0..N-1 and P of 1..N the sum
S = A + P P^T is not normal.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.systems import DenseSystem
from hippo_theory.validation.references import DenseReference, Reference

__all__ = ["mixed_index_matrix", "mixed_index_spectrum", "one_indexed_matrices", "one_indexed_reference"]

Array = NDArray[Any]


def one_indexed_matrices(N: int) -> DenseReference:
    """A and B with n = 1..N.

    Examples
    --------
    >>> one_indexed_matrices(2).A.round(3)
    array([[-2.   , -0.   ],
           [-3.873, -3.   ]])
    """
    n = np.arange(1, N + 1)
    root = np.sqrt(2 * n + 1)
    A = -np.tril(np.outer(root, root), -1) - np.diag(n + 1.0)
    return DenseReference("legs", "default", N, A, lambda: DenseSystem(A, root), deviation="D8")


@lru_cache(maxsize=64)
def one_indexed_reference(N: int, form: str) -> Reference:
    """Spectrum, abs(V* B) and V* P with n = 1..N, all eigenvalues (`form` ``all``) or one of each pair (``half``).

    float64 by an eigensolver, not certified: who compares with it adds the unit roundoff of float64 to that of the numbers.
    """
    root = np.sqrt(2 * np.arange(1, N + 1) + 1)
    lower = np.tril(np.outer(root, root), -1) / 2
    frequencies, vectors = np.linalg.eigh(1j * (lower - lower.T))
    if N % 2:
        frequencies[N // 2] = 0.0  # K is real and skew
    keep = np.arange(N)[::-1][: N if form == "all" else (N + 1) // 2]
    frequencies, weight = frequencies[keep], np.abs(vectors[:, keep].conj().T @ root)
    return Reference(
        "legs", "one-indexed", N, form, -0.5 + 1j * frequencies, lambda: (weight, weight[:, None] / np.sqrt(2) + 0j)
    )


def mixed_index_matrix(N: int) -> DenseReference:
    """S = A + P P^T with A of n = 0..N-1 and P of n = 1..N, and B/2 with n = 0..N-1.

    The entries are differences, of which `terms` has the sums: rounding is relative to these.

    Examples
    --------
    >>> mixed_index_matrix(2).A.round(3)
    array([[0.5  , 1.936],
           [0.204, 0.5  ]])
    """
    n = np.arange(N)
    root, P = np.sqrt(2 * n + 1), np.sqrt(n + 1.5)
    A, low_rank = -np.tril(np.outer(root, root), -1) - np.diag(n + 1.0), np.outer(P, P)
    S, terms = A + low_rank, np.abs(A) + low_rank
    return DenseReference("s4d-legs", "default", N, S, lambda: DenseSystem(S, root / 2), deviation="D9", terms=terms)


@lru_cache(maxsize=64)
def mixed_index_spectrum(N: int) -> tuple[Array, float]:
    """Eigenvalues of that S, (N,), and how much of a relative error of S they can move by.

    By Bauer and Fike an error E of S moves them by at most cond(V) norm(E), V the eigenvectors; returned is
    cond(V) norm(S): about 6 norm(S).
    """
    S = mixed_index_matrix(N).A
    values, vectors = np.linalg.eig(S)
    return values, float(np.linalg.cond(vectors) * np.linalg.norm(S, 2))
