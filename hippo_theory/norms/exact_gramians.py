"""Gramians and squared H2 norms of rational systems, exactly, and LegS as such a system.

continuous:  A P + P A^T + B B^T = 0,    discrete:  A P A^T - P + B B^T = 0,    norm(K)^2 = C P C^T.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from hippo_theory.arithmetic import exact_fraction
from hippo_theory.errors import InputError, checked_size

__all__ = ["exact_gramian", "exact_h2_squared", "legs_rational_system"]

Array = NDArray[Any]

# Most unknowns of the dense exact Lyapunov equation; the time grows with their third power.
_MOST_UNKNOWNS = 300


def legs_rational_system(N: int) -> tuple[Array, Array]:
    """LegS in the coordinates y = x / R, R_n = sqrt(2n+1), where it is an integer system y' = A y + B u.

        A_nk = -(2k+1) (n > k),  -(n+1) (n = k),  0 (n < k);      B = 1;      x_n = R_n y_n.

    Not to be confused with `decompositions.rescaled_state_matrix`, which has alternating signs and the sign of A outside.

    Returns
    -------
    (N, N) and (N,) ndarrays of fmpq

    Examples
    --------
    >>> from hippo_theory.norms import exact_gramian, legs_rational_system
    >>> A, B = legs_rational_system(3)
    >>> exact_gramian(A, B)[0]  # W_nk / (R_n R_k), W tridiagonal: 1/2, (n+1) / (2 R_n R_(n+1))
    array([1/2, 1/6, 0], dtype=object)
    """
    N = checked_size("N", N)
    rows = [[fmpq(-(2 * k + 1) if n > k else -(n + 1) * (n == k)) for k in range(N)] for n in range(N)]
    return np.array(rows, dtype=object).reshape(N, N), np.array([fmpq(1)] * N, dtype=object)


def exact_gramian(A: Any, B: Any, *, discrete: bool = False) -> Array:
    """The controllability Gramian of a rational system, exactly: A P + P A^T + B B^T = 0, or A P A^T - P + B B^T = 0.

    Parameters
    ----------
    A : (N, N) array of rationals
        int, Fraction, fmpq, decimal strings; a float counts as the dyadic rational that it is.
    B : (N,) array of rationals
    discrete : bool

    Returns
    -------
    (N, N) ndarray of fmpq
        The unique solution; for a stable A it is the Gramian. (That A is stable is not checked.)
        Continuous and lower triangular: forward substitution, O(N^3) rational operations. Else a linear system of
        N (N+1) / 2 unknowns. The observability Gramian is that of (A^T, C^T).

    Raises
    ------
    InputError
        If shapes do not fit, an entry is not a finite number, the equation is singular, or a system that is discrete
        or not lower triangular has more than 24 states.

    Examples
    --------
    >>> from hippo_theory.norms import exact_gramian
    >>> exact_gramian([[-1, 0], ["-1/2", -2]], [1, 1])
    array([[1/2, 1/4],
           [1/4, 3/16]], dtype=object)
    """
    vector = _rational("B", B, 1)
    matrix = _rational("A", A, 2)
    N = len(vector)
    if matrix.shape != (N, N):
        raise InputError(f"`A` must have the shape {N} x {N} of `B`, got {matrix.shape}; give a square matrix")
    triangular = all(matrix[n, k] == 0 for n in range(N) for k in range(n + 1, N))
    try:
        if triangular and not discrete:
            return _forward_substitution(matrix, vector)
        return _linear_solution(matrix, vector, discrete)
    except ZeroDivisionError as error:
        raise InputError(
            "the Lyapunov equation is singular: two eigenvalues of `A` have the sum 0 (discrete: the product 1); "
            "give a stable system"
        ) from error


def exact_h2_squared(A: Any, B: Any, C: Any, *, discrete: bool = False) -> fmpq:
    """The squared L2 norm of the kernel C e^(At) B (discrete: C A^l B) of a rational system: C P C^T, exactly.

    Parameters
    ----------
    A, B, discrete
        As in `exact_gramian`.
    C : (N,) array of rationals

    Raises
    ------
    InputError
        As in `exact_gramian`.

    Examples
    --------
    >>> from hippo_theory.norms import exact_h2_squared, legs_rational_system
    >>> exact_h2_squared(*legs_rational_system(4), [0, 0, 1, 0])  # norm(K_2)^2 = 1/2 = R_2^2 / 10
    1/10
    """
    row = _rational("C", C, 1)
    P = exact_gramian(A, B, discrete=discrete)
    if len(row) != len(P):
        raise InputError(f"`C` must have the length {len(P)} of `B`, got {len(row)}; give one number for each state")
    return sum((row[n] * P[n, k] * row[k] for n in range(len(row)) for k in range(len(row))), fmpq(0))


def _rational(name: str, values: Any, dimensions: int) -> Array:
    try:
        array = np.array(values, dtype=object)
    except ValueError as error:
        raise InputError(f"`{name}` has rows of different length; give an array") from error
    if array.ndim != dimensions:
        raise InputError(f"`{name}` must have {dimensions} dimension(s), got {array.ndim}; reshape it")
    for position, value in np.ndenumerate(array):
        array[position] = fmpq(*exact_fraction(value).as_integer_ratio())
    return array


def _forward_substitution(A: Array, B: Array) -> Array:
    """P_nk = -(B_n B_k + sum_(j<n) A_nj P_jk + sum_(j<k) A_kj P_nj) / (A_nn + A_kk)."""
    N = len(B)
    P = np.full((N, N), fmpq(0), dtype=object)
    for n in range(N):
        for k in range(n + 1):
            total = B[n] * B[k]
            total += sum((A[n, j] * P[j, k] for j in range(n)), fmpq(0))
            total += sum((A[k, j] * P[n, j] for j in range(k)), fmpq(0))
            P[n, k] = P[k, n] = -total / (A[n, n] + A[k, k])
    return P


def _linear_solution(A: Array, B: Array, discrete: bool) -> Array:
    """The symmetric solution from its N (N+1) / 2 linear equations."""
    N = len(B)
    pairs = [(n, k) for n in range(N) for k in range(n + 1)]
    if len(pairs) > _MOST_UNKNOWNS:
        raise InputError(
            f"`A` of {N} states leads to {len(pairs)} exact linear equations, more than {_MOST_UNKNOWNS}; "
            "bring it to lower triangular form (continuous time), or use controllability_gramian"
        )
    index = {pair: position for position, pair in enumerate(pairs)}
    rows, constants = [], []
    for n, k in pairs:
        row = [fmpq(0)] * len(pairs)
        for i, j in np.ndindex(N, N):
            left, right = int(i == n), int(j == k)
            term = A[n, i] * A[k, j] - left * right if discrete else A[n, i] * right + left * A[k, j]
            row[index[max(i, j), min(i, j)]] += term
        rows.append(row)
        constants.append([-B[n] * B[k]])
    solution = fmpq_mat(rows).solve(fmpq_mat(constants)) if pairs else fmpq_mat(0, 1)
    P = np.full((N, N), fmpq(0), dtype=object)
    for (n, k), position in index.items():
        P[n, k] = P[k, n] = solution[position, 0]
    return P
