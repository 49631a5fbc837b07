"""What rounding explains of a discretized dense matrix, for the ways in which code computes it.

All A here are dissipative, A + A^T <= 0, up to a diagonal similarity D (LMU), so in those coordinates the 2-norms of
e^(A t), of (I - alpha dt A)^-1 and, for alpha >= 1/2, of Abar are at most 1. Errors that are independent (roundings that
do not conspire, Higham and Mary 2019) then grow by no power of N: an error F with independent entries of standard
deviation at most f, between matrices X and Y with rows and columns of length at most 1, is

    std((X F Y)_ij) = (sum_kl X_ik^2 F_kl^2 Y_lj^2)^(1/2) <= f.

Weighted methods, M Abar = H with M = I - alpha dt A, H = I + (1 - alpha) dt A: by elimination M has an error u P |L| |U|,
of sqrt(N) roundings each, which moves Abar by M^-1 (that) Abar; the terms of H, and code that forms M^-1 H, round
(|M^-1| (I + (1 - alpha) dt |A|))_ij once more: where they cancel, as 1 - dt n/2 does at t = n/2, H is 0 but its rounding is not.

Exponential, by scaling and squaring with the Pade approximant r = p/q of degree 13 (Higham 2005; Al-Mohy and Higham 2009):
X = A dt / 2^s; p and q have errors u p(|X|), ||q(X)^-1|| <= 1 for dissipative X, and each of the s squarings adds
sqrt(N) u. An error of a stage that leaves M = 2^k squarings is the sum of M terms e^(A t) F e^(A t'), so

    std <= u [ 2^s (2 max p(|X|) + sqrt(N)) + dt max|A| + dt |A Abar|_ij ],

the last two for the rounding of the entries of A and of the product with dt. Old and new choices of s are both
covered: the 1-norm of A dt over 5.37, and the least of roots of 1-norms of its powers over 4.25. Of triangular matrices SciPy
replaces the first off-diagonal after each squaring by a divided difference, which is off by up to
2 u |A_(n+1,n)| / |a_(n+1,n+1) - a_nn|. Four standard deviations are allowed.

Of -A, which somebody took for A, e^(A t) grows: the terms e^(A t) F e^(A (T - t)) of the stages, T = dt, have the standard
deviations f ||row i of e^(A t)|| ||column j of e^(A (T - t))||. The largest of these over eighths of T is what the sum above is
multiplied with, each length taken at that end of its eighth where it is larger.
"""

from __future__ import annotations

from math import ceil, comb, factorial, log2
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from hippo_theory.discretizations import find_discretization

__all__ = ["rounding_bound"]

Array = NDArray[Any]

_DEVIATIONS = 4.0
_DEGREE = 13
# p(x) = sum_k (26-k)! 13! / (26! k! (13-k)!) x^k
_PADE = [comb(_DEGREE, k) * factorial(2 * _DEGREE - k) / factorial(2 * _DEGREE) for k in range(_DEGREE + 1)]


def rounding_bound(A: Array, Abar: Array, method: str, step: float, roundoff: float) -> Array:
    """Largest errors, entry by entry, of Abar as it is computed with that unit roundoff; (N, N).

    Examples
    --------
    >>> import hippo_theory as ht
    >>> from hippo_theory.discretizations import discretize_dense
    >>> legs = ht.LegS(16)
    >>> Abar, _ = discretize_dense(legs.A, legs.B, "bilinear", 0.01)
    >>> bool(rounding_bound(legs.A, Abar, "bilinear", 0.01, 2.0**-24).max() < 1e-5)
    True
    """
    N, identity, scale = len(A), np.eye(len(A)), _balance(A)
    alpha = find_discretization(method).alpha
    if alpha is None:
        ratio = scale[:, None] / scale[None, :]
        common = _exponential(A / ratio, step) * _growth(A / ratio, step)
        exponent = np.abs(step * (A @ Abar))
        return _DEVIATIONS * roundoff * (common * ratio + exponent + _divided_differences(A, Abar))
    if alpha == 0:  # a product and a sum for each entry
        return _DEVIATIONS * roundoff * (identity + step * np.abs(A))
    left, terms = identity - float(alpha) * step * A, identity + float(1 - alpha) * step * np.abs(A)
    permutation, lower, upper = scipy.linalg.lu(left)
    eliminated = permutation @ (np.abs(lower) @ np.abs(upper))
    inverse = scipy.linalg.inv(left)
    moved = np.sqrt((inverse**2) @ (eliminated**2) @ (Abar**2))
    return np.asarray(_DEVIATIONS * roundoff * (np.sqrt(N) * moved + np.abs(inverse) @ terms + np.abs(Abar)))


def _balance(A: Array) -> Array:
    """d with D^-1 A D dissipative: ones, or for LMU d_i / d_j = (|A_ij| / |A_ji|)^(1/2)."""
    with np.errstate(all="ignore"):
        ratios = np.sqrt(np.abs(A[:, 0] / A[0, :]))
    usable = np.isfinite(ratios).all() and (ratios > 0).all()
    return ratios if usable else np.ones(len(A))


def _exponential(A: Array, step: float) -> float:
    """2^s (2 max p(|A dt / 2^s|) + sqrt(N)) + dt max|A|, the larger for the two choices of s."""
    scaled, largest = step * A, 0.0
    for squarings in set(_squarings(scaled)):
        size = np.abs(scaled) / 2.0**squarings
        result = np.zeros_like(size)
        for coefficient in reversed(_PADE):  # Horner's rule; all terms are positive
            result = result @ size + coefficient * np.eye(len(A))
        largest = max(largest, 2.0**squarings * (2 * float(result.max()) + np.sqrt(len(A))))
    return largest + step * float(np.abs(A).max())


def _growth(A: Array, step: float) -> Array | float:
    """max over t of ||row i of e^(A t)|| ||column j of e^(A (dt - t))||, (N, N); 1 for dissipative A."""
    if step * float(np.linalg.eigvalsh((A + A.T) / 2)[-1]) <= 1e-6:
        return 1.0
    eighth = scipy.linalg.expm(A * (step / 8))
    powers = [np.eye(len(A))]
    for _ in range(8):
        powers.append(powers[-1] @ eighth)
    rows, columns = (np.stack([np.linalg.norm(power, axis=axis) for power in powers]) for axis in (1, 0))
    rows, columns = (np.maximum(lengths[1:], lengths[:-1]) for lengths in (rows, columns))
    return np.asarray(np.max([np.outer(rows[k], columns[7 - k]) for k in range(8)], axis=0))


def _squarings(scaled: Array) -> tuple[int, int]:
    """s by the 1-norm, and by 1-norms of powers."""

    def norm(matrix: Array) -> float:
        return max(float(np.linalg.norm(matrix, 1)), 1e-300)

    # Powers of the matrix over its norm, which do not overflow.
    size = norm(scaled)
    square = (scaled / size) @ (scaled / size)
    fourth = square @ square
    roots = [
        norm(power) ** (1 / k)
        for k, power in ((6, fourth @ square), (8, fourth @ fourth), (10, fourth @ fourth @ square))
    ]
    least = size * min(max(roots[0], roots[1]), max(roots[1], roots[2]))
    return max(0, ceil(log2(size / 5.37))), max(0, ceil(log2(max(least, 1e-300) / 4.25)))


def _divided_differences(A: Array, Abar: Array) -> float:
    """What SciPy's formula for the first off-diagonal of a triangular exponential loses."""
    if len(A) < 2 or (np.triu(A, 1).any() and np.tril(A, -1).any()):
        return 0.0
    beside = np.diag(A, -1) if np.tril(A, -1).any() else np.diag(A, 1)
    apart, sizes = np.abs(np.diff(np.diag(A))), np.maximum(np.diag(Abar)[:-1], np.diag(Abar)[1:])
    with np.errstate(all="ignore"):
        lost = np.where(apart > 0, 2 * np.abs(beside) * np.abs(sizes) / apart, 0.0)
    return float(lost.max())
