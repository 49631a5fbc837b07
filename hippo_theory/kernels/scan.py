"""Linear recurrences in parallel: the associative scan of S5 and of the linear recurrent unit (LRU).

    x_l = a_l x_(l-1) + b_l,   the prefix products of (a_l, b_l) under (a_j, b_j) o (a_i, b_i) = (a_j a_i, a_j b_i + b_j).

The scan combines neighbors, scans the pairs of half the length, and fills in the rest: 3 L operations for each state
and 2 log2 L rounds, each one operation on whole arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hippo_theory.errors import InputError
from hippo_theory.kernels.arrays import (
    AnyArray,
    ArrayKind,
    Namespace,
    checked_arrays,
    checked_shape,
    real_multiplicity,
)

__all__ = ["combine", "linear_scan", "lru_multipliers", "scan_outputs"]

Pair = tuple[AnyArray, AnyArray]


def combine(later: Pair, earlier: Pair) -> Pair:
    """The associative operation (a_j, b_j) o (a_i, b_i) = (a_j a_i, a_j b_i + b_j), i before j, entry by entry.

    Source: S5 (arXiv:2208.04933), Section 2.2 and Appendix H.

    Examples
    --------
    >>> from hippo_theory.kernels import combine
    >>> combine((2, 1), (3, 5))
    (6, 11)
    """
    (a_later, b_later), (a_earlier, b_earlier) = later, earlier
    return a_later * a_earlier, a_later * b_earlier + b_later


def linear_scan(a: AnyArray, b: AnyArray, *, check_values: bool = True) -> AnyArray:
    """All states of x_l = a_l x_(l-1) + b_l, x_(-1) = 0, by a parallel prefix over the first axis.

    Parameters
    ----------
    a, b : (L, ...) array
        Broadcast against each other after the first axis.
    check_values : bool
        Whether NaN and infinity are refused; False inside a compiler.

    Returns
    -------
    (L, ...) array
        x_0, ..., x_(L-1).

    Raises
    ------
    InputError
        Shapes, L = 0, NaN, mixed libraries or devices.

    Notes
    -----
    3 L operations for each entry, memory O(L), 2 log2 L rounds. Error at most 2 (l + 1) eps sum_(j<=l) |a_l ... a_(j+1)| |b_j|
    (5 (l + 1) for complex numbers), as for the loop; no division, so vanishing a are fine.
    Source: S5 (arXiv:2208.04933), Appendix H; Blelloch's prefix sums.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import linear_scan
    >>> linear_scan(np.array([0.5, 0.5, 0.5]), np.array([1.0, 0.0, 2.0]))
    array([1.  , 0.5 , 2.25])
    """
    kind, (a, b) = checked_arrays(check_values, a=a, b=b)
    if a.ndim == 0 or b.ndim == 0 or a.shape[0] != b.shape[0] or a.shape[0] == 0:
        raise InputError(
            f"`a` and `b` must have the same first length L >= 1, got {tuple(a.shape)} and {tuple(b.shape)}"
        )
    try:
        lengths = np.broadcast_shapes(tuple(a.shape[1:]), tuple(b.shape[1:]))
    except ValueError:
        raise InputError(
            f"`a` and `b` must broadcast after their first length, got {tuple(a.shape)} and {tuple(b.shape)}; reshape one"
        ) from None

    def filled(array: AnyArray) -> AnyArray:
        """With lengths of 1 between the first and the given ones."""
        return kind.xp.reshape(array, (array.shape[0], *(1,) * (len(lengths) + 1 - array.ndim), *array.shape[1:]))

    return _scanned(kind, filled(a), filled(b))


def scan_outputs(
    Abar: AnyArray,
    Bbar: AnyArray,
    C: AnyArray,
    u: AnyArray,
    *,
    multiplicity: Sequence[int] | None = None,
    check_values: bool = True,
) -> AnyArray:
    """The outputs of a diagonal system with H inputs and K outputs (S5, LRU), by the parallel scan:

        x_l = diag(Abar) x_(l-1) + Bbar u_l,   y_l = C x_l   (Re sum_n m_n C_n x_n with multiplicities m).

    Parameters
    ----------
    Abar : (N,) or (L, N) array
        Multipliers, the same for all steps or one set for each (time-varying).
    Bbar : (N, H) array
    C : (K, N) array
    u : (L, H) array
    multiplicity : (N,) sequence of 1 and 2, optional
        Makes the result real.
    check_values : bool

    Returns
    -------
    (L, K) array

    Raises
    ------
    InputError
        Shapes, L = 0, NaN, mixed libraries or devices.

    Notes
    -----
    O(N (H + K + 3) L) operations, memory O(N L): the states. Error as `linear_scan`, plus (H + N) eps for the two products.
    Source: S5 (arXiv:2208.04933); LRU (arXiv:2303.06349).

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import scan_outputs
    >>> scan_outputs(np.array([0.5]), np.ones((1, 1)), np.ones((1, 1)), np.array([[1.0], [0.0], [2.0]]))[:, 0]
    array([1.  , 0.5 , 2.25])
    """
    kind, (Abar, Bbar, C, u) = checked_arrays(check_values, Abar=Abar, Bbar=Bbar, C=C, u=u)
    checked_shape("u", u, None, None)
    checked_shape("Bbar", Bbar, None, int(u.shape[1]))
    L, N = int(u.shape[0]), int(Bbar.shape[0])
    checked_shape("C", C, None, N)
    checked_shape("Abar", Abar, *((N,) if Abar.ndim == 1 else (L, N)))
    xp = kind.xp
    dtype = kind.complex if kind.is_complex else kind.real
    Abar, Bbar, C, u = (xp.astype(array, dtype, copy=False) for array in (Abar, Bbar, C, u))
    multipliers = xp.broadcast_to(Abar, (L, N))
    states = _scanned(kind, multipliers, xp.matmul(u, xp.matrix_transpose(Bbar)))
    if multiplicity is not None:
        C = C * kind.converted(real_multiplicity(kind, multiplicity, N))
    outputs = xp.matmul(states, xp.matrix_transpose(C))
    return xp.real(outputs) if multiplicity is not None and kind.is_complex else outputs


def lru_multipliers(nu_log: AnyArray, theta_log: AnyArray, *, check_values: bool = True) -> Pair:
    """The stable parameters of the linear recurrent unit: multipliers and the gain that keeps the variance,

        lambda_n = exp(-exp(nu_log_n) + i exp(theta_log_n)),   gamma_n = sqrt(1 - |lambda_n|^2),

    for x_l = diag(lambda) x_(l-1) + gamma * (B u_l): `scan_outputs` with Bbar = gamma[:, None] B.

    Parameters
    ----------
    nu_log, theta_log : (..., N) array of float32 or float64

    Returns
    -------
    lambda : (..., N) array, complex
    gamma : (..., N) array, real

    Raises
    ------
    InputError
        Shapes, complex arrays, NaN, mixed libraries or devices.

    Notes
    -----
    gamma = sqrt(-expm1(-2 exp(nu_log))) loses no digits as |lambda| tends to 1: error at most 4 eps (1 + |nu_log|).
    Error of lambda at most (3 + (|log nu| + 1) nu + (|log theta| + 1) theta) eps |lambda|.
    Source: LRU (arXiv:2303.06349), eq. (7) and Proposition 3.3.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import lru_multipliers
    >>> multipliers, gain = lru_multipliers(np.log([0.5]), np.log([np.pi]))
    >>> (abs(multipliers) ** 2 + gain ** 2).round(12)
    array([1.])
    """
    kind, (nu_log, theta_log) = checked_arrays(check_values, nu_log=nu_log, theta_log=theta_log)
    if kind.is_complex or nu_log.shape != theta_log.shape:
        raise InputError("`nu_log` and `theta_log` must be real and of the same shape")
    xp = kind.xp
    if check_values and bool(xp.any(theta_log > 80)):  # e^80 is near the largest float32
        raise InputError("`theta_log` is beyond 80: its exponential is an angle; give the logarithm of one")
    nu, theta = xp.exp(nu_log), xp.exp(theta_log)
    modulus = xp.exp(-nu)
    multipliers = kind.to_complex(modulus * xp.cos(theta)) + 1j * kind.to_complex(modulus * xp.sin(theta))
    return multipliers, xp.sqrt(-xp.expm1(-2 * nu))


def _scanned(kind: ArrayKind, a: AnyArray, b: AnyArray) -> AnyArray:
    """The scan of checked arrays, with one dtype and shape."""
    xp = kind.xp
    if kind.is_complex:
        a, b = kind.to_complex(a), kind.to_complex(b)
    a, b = xp.broadcast_arrays(a, b)
    return _prefixes(xp, a, b)


def _prefixes(xp: Namespace, a: AnyArray, b: AnyArray) -> AnyArray:
    """Recursion: the odd places are the scan of combined neighbors, each even place follows from the odd one before."""
    L = b.shape[0]
    if L == 1:
        return b
    pairs = L // 2
    first, second = (a[: 2 * pairs : 2, ...], b[: 2 * pairs : 2, ...]), (a[1::2, ...], b[1::2, ...])
    odd = _prefixes(xp, *combine(second, first))
    later = a[2::2, ...] * odd[: L - 1 - pairs, ...] + b[2::2, ...]
    even = xp.concat([b[:1, ...], later], axis=0)
    woven = xp.reshape(xp.stack([even[:pairs, ...], odd], axis=1), (2 * pairs, *b.shape[1:]))
    return woven if L % 2 == 0 else xp.concat([woven, even[pairs:, ...]], axis=0)
