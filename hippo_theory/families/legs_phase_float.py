"""float64 spectrum of the normal part of HiPPO-LegS, without an eigensolver.

HiPPO-LegS (HiPPO: Gu et al. 2020, arXiv:2008.07669) is x' = A x + B u with B_n = sqrt(2n+1), A_nk = -B_n B_k below the
diagonal, A_nn = -(n+1); its normal part is S = A + B B^T / 2.  The equation solved here follows in four steps, with
q(s) = 1 - B^T (s I - A)^{-1} B:

* A has the eigenvalues -1, ..., -N and A + B B^T = -A^T - I has 0, ..., N-1, so that
  q(s) = det(s I - A - B B^T) / det(s I - A) = prod_{k<N} (s - k)/(s + k + 1).
* det(s I - S) / det(s I - A) = 1 - (1 - q)/2 = (1 + q)/2: the eigenvalues of S are the roots of q(s) = -1.
* At s = -1/2 + i w each factor is -(k + 1/2 - i w)/(k + 1/2 + i w), so q = (-1)^N exp(-2 i phi_N(w)) with

      phi_N(w) = sum_{k<N} arctan(w/(k + 1/2)) = Im[log Gamma(N + 1/2 + i w) - log Gamma(1/2 + i w)],

  and q = -1 says phi_N(w) = (pi/2) m with m = N-1, N-3, ..., -(N-1).  phi_N is odd, strictly increasing and tends to
  N pi/2: N simple roots, hence all of them.
* B^T (s I - S)^{-1} B = 2 (1 - q)/(1 + q) has the residue 4/q' = 2/phi_N'(w) at a root.  S + I/2 is skew-symmetric, so
  that residue is abs(v^* B)^2 for the unit eigenvector v.

The evaluation takes the first K arctangents as they are and the rest from Stirling's series: with G(x) = Im log
Gamma(x + 1/2 + i w) = x arctan(w/x) + (w/2) log(x^2 + w^2) - w + Im f(x + i w),

    phi_N(w) = sum_{k<K} arctan(w/(k + 1/2)) + G(N) - G(K),
    f(z) = sum_{j>=1} c_j z^(1-2j),   c_j = B_2j(1/2) / (2j (2j - 1)).

For w >= 12 it takes K = 0, below that K = min(N, 12), so that f is only needed where abs(z) >= 12, and eight terms of
it leave less than 2**-63 (for N <= 12 and small w there is no rest: G(N) - G(K) vanishes identically).
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hippo_theory.errors import checked_size
from hippo_theory.families import double_double as dd

__all__ = ["frequencies_and_weights"]

Array = NDArray[np.float64]

_STIRLING_RADIUS = 12  # least abs(z) at which the eight terms of f are used: the ninth is below 2**-63 there
_STIRLING_TERMS = 8
_NODES_PER_E_FOLD = 12  # of the inverse interpolation; its error of 8e-7 is squared by the Newton step
_CHUNK = 8192  # roots at a time: the work arrays stay in cache, and memory stays small
_ZERO = np.zeros(1)  # the low part of a double-double that is a float64


def frequencies_and_weights(N: int) -> tuple[Array, Array]:
    r"""Return the nonnegative frequencies of the normal part of HiPPO-LegS and the moduli of its input weights.

    The eigenvalues of A + B B^T / 2 are -1/2 + i w and -1/2 - i w for the frequencies w, where

    .. math:: \varphi_N(w) = \sum_{k<N} \arctan\frac{w}{k + 1/2} = \frac{\pi}{2} m, \quad m = N-1, N-3, \dots \ge 0,
              \qquad |v^* B| = \sqrt{2 / \varphi_N'(w)}.

    First guesses come from cubic interpolation of log w against the phase, one Newton step in float64 brings them to
    about 1e-12, and one residual in double-double arithmetic gives the last correction.  The time is O(N).

    Parameters
    ----------
    N : int
        State size, at least 1.

    Returns
    -------
    frequencies : ndarray of float64, shape (ceil(N/2),)
        In decreasing order, radians per unit of the (logarithmic) time of the system; for odd N the last one is 0.0.
    weights : ndarray of float64, shape (ceil(N/2),)
        abs(v^* B) for the unit eigenvector v of each; the same for -w.  Both arrays are within 2 ulp of the exact
        values for N up to 10^6; against certified balls they measure at most 0.5001 ulp.

    Raises
    ------
    InputError
        If N is not an integer of at least 1.

    Notes
    -----
    The equation is derived in the module's docstring; for the matrix see HiPPO: Gu et al. 2020, arXiv:2008.07669.

    Examples
    --------
    >>> from hippo_theory.families.legs_phase_float import frequencies_and_weights
    >>> frequencies, weights = frequencies_and_weights(2)  # arctan(2w) + arctan(2w/3) = pi/2: w = sqrt(3)/2
    >>> print(frequencies, weights)
    [0.8660254] [1.41421356]
    >>> frequencies, weights = frequencies_and_weights(3)
    >>> print(frequencies, round(2 * weights[0] ** 2 + weights[1] ** 2, 12))  # the squares sum to N^2
    [2.39791576 0.        ] 9.0
    """
    N = checked_size("N", N)
    phases = np.arange(N - 1, -1, -2)
    frequencies, weights = np.empty(len(phases)), np.empty(len(phases))
    guess = _inverse_interpolation(N)
    for start in range(0, len(phases), _CHUNK):
        m = phases[start : start + _CHUNK].astype(np.float64)
        w = _guess_frequencies(guess, m)
        large = int(np.count_nonzero(w >= _STIRLING_RADIUS))  # w is decreasing
        for part, shift in ((slice(0, large), 0), (slice(large, len(m)), min(N, _STIRLING_RADIUS))):
            if part.start < part.stop:
                output = slice(start + part.start, start + part.stop)
                frequencies[output], weights[output] = _refine(w[part], m[part], N, shift)
    return frequencies, weights


# --- first guesses ----------------------------------------------------------------------------------------------------


class _InverseInterpolation(NamedTuple):
    """Cubic pieces of log w as a function of the phase: value sum_j coefficients[j] t^j, t = (phase - start)/length."""

    start: Array
    length: Array
    coefficients: tuple[Array, Array, Array, Array]


def _inverse_interpolation(N: int) -> _InverseInterpolation:
    """Hermite pieces between nodes that are equidistant in log w and reach beyond the outermost positive roots.

    arctan x < x puts the positive roots above (pi/2)/phi_N'(0) and below N^2/pi: phi_N'(0) = sum 1/(k+1/2) is below
    2 + log(2N - 1), and N pi/2 - phi_N(w) = sum arctan((k+1/2)/w) < N^2/(2w).  The nodes end a little further out, at
    N^2, so that rounding cannot lose a root and N = 1, without any, needs no case of its own.
    """
    lowest = math.log(0.5 * math.pi / (2.0 + math.log(2.0 * N - 1.0))) - 0.1
    highest = 2.0 * math.log(N)
    nodes = np.linspace(lowest, highest, 2 + math.ceil(_NODES_PER_E_FOLD * (highest - lowest)))
    w = np.exp(nodes)
    small = int(np.searchsorted(w, _STIRLING_RADIUS))
    lower = _phase_and_slope(w[:small], N, min(N, _STIRLING_RADIUS))
    upper = _phase_and_slope(w[small:], N, 0)
    phase = np.concatenate((lower[0], upper[0]))
    slope = 1.0 / (w * np.concatenate((lower[1], upper[1])))  # d log w / d phase
    length, step = np.diff(phase), nodes[1] - nodes[0]
    first, last = length * slope[:-1], length * slope[1:]
    coefficients = (nodes[:-1], first, 3.0 * step - 2.0 * first - last, first + last - 2.0 * step)
    return _InverseInterpolation(phase[:-1], length, coefficients)


def _guess_frequencies(pieces: _InverseInterpolation, m: Array) -> Array:
    """Frequencies of the phases (pi/2) m to 8e-7 relative; exactly 0 for m = 0."""
    phase = 0.5 * math.pi * m
    piece = np.maximum(np.searchsorted(pieces.start, phase) - 1, 0)
    t = (phase - pieces.start[piece]) / pieces.length[piece]
    constant, linear, quadratic, cubic = pieces.coefficients
    w = np.exp(constant[piece] + t * (linear[piece] + t * (quadratic[piece] + t * cubic[piece])))
    w[m == 0.0] = 0.0
    return w


# --- the phase in float64 ---------------------------------------------------------------------------------------------


@functools.cache
def _stirling_coefficients() -> tuple[float, ...]:
    """c_j = B_2j(1/2) / (2j (2j-1)), j = 1, 2, ..., with B_2j(1/2) = -(1 - 2^(1-2j)) B_2j."""
    bernoulli = [Fraction(1)]
    for n in range(1, 2 * _STIRLING_TERMS + 1):
        bernoulli.append(-sum((math.comb(n + 1, k) * bernoulli[k] for k in range(n)), Fraction(0)) / (n + 1))
    return tuple(
        float((Fraction(2, 4**j) - 1) * bernoulli[2 * j] / (2 * j * (2 * j - 1))) for j in range(1, _STIRLING_TERMS + 1)
    )


def _half_integers(count: int) -> Array:
    """1/2, 3/2, ..., count - 1/2 as a column."""
    return np.arange(0.5, count, dtype=np.float64)[:, np.newaxis]


def _stirling_difference(w: Array, N: int, shift: int) -> tuple[Array, Array, Array]:
    """Im[f(N + i w) - f(shift + i w)] and its first two derivatives in w, of the second only the term with c_1."""
    inverse = 1.0 / (np.array([[N], [shift]]) + 1j * w)
    square = inverse * inverse
    value = np.zeros_like(square)
    slope = np.zeros_like(square)
    for j, c in reversed(list(enumerate(_stirling_coefficients(), start=1))):
        value = value * square + c
        slope = slope * square + (1 - 2 * j) * c
    value = (value * inverse).imag
    slope = (slope * square).real
    curvature = -2.0 * _stirling_coefficients()[0] * (square * inverse).imag
    return value[0] - value[1], slope[0] - slope[1], curvature[0] - curvature[1]


def _phase_and_slope(w: Array, N: int, shift: int) -> tuple[Array, Array]:
    """phi_N(w) with an absolute error of about N 2^-53, and phi_N'(w) with a relative one of a few 2^-53."""
    halves = _half_integers(shift)
    logarithm = np.log1p((N * N - shift * shift) / (shift * shift + w * w))
    correction, correction_slope, _ = _stirling_difference(w, N, shift)
    phase = np.arctan(w / halves).sum(axis=0) + N * np.arctan(w / N) + 0.5 * w * logarithm + correction
    if shift > 0:
        phase -= shift * np.arctan(w / shift)
    return phase, (halves / (halves * halves + w * w)).sum(axis=0) + 0.5 * logarithm + correction_slope


# --- the last correction ----------------------------------------------------------------------------------------------


def _refine(w: Array, m: Array, N: int, shift: int) -> tuple[Array, Array]:
    """Return frequencies and weights from guesses w good to 1e-6.

    Let w1 be the guess after a Newton step in float64, off by 1e-12, or by N 2e-16 where that is more.  The residual
    of w1 is known to better than 2^-58 w phi_N'(w), so w1 minus the last step, a single rounding, is off by 0.5 ulp and
    a few percent.  phi_N'(w1), known as well as that, is moved to the root with phi_N''; this neglects terms of second
    order in the step, below 1e-19, and at most 2e-5 of phi_N''.
    """
    phase, slope = _phase_and_slope(w, N, shift)
    w = w + (0.5 * math.pi * m - phase) / slope

    # phi_N(w) - (pi/2) m: the terms cancel, so all but the small correction are double-doubles.
    halves = (_half_integers(shift), _ZERO)
    squares = dd.two_prod(w, w)
    rest = (np.array([float(N * N - shift * shift)]), _ZERO)  # exact for N < 9e7
    logarithm = dd.log1p_quotient(rest, dd.add((np.array([float(shift * shift)]), _ZERO), squares))
    denominators = factors = np.array([[float(N)]])
    if shift > 0:
        denominators = np.concatenate((halves[0], denominators, [[shift]]))
        factors = np.concatenate((np.ones((shift, 1)), factors, [[-shift]]))
    angles = dd.mul_short(dd.arctan2((w, _ZERO), (denominators, _ZERO)), factors)
    phase_pair = dd.add(dd.sum_rows(angles), dd.mul((0.5 * w, _ZERO), logarithm))
    high, low = dd.half_pi()
    residual = dd.sub(phase_pair, dd.mul_short((np.array([high]), np.array([low])), m))
    correction, correction_slope, curvature = _stirling_difference(w, N, shift)

    # phi_N'(w) likewise; phi_N'' moves it to the root and needs few digits.
    slope_pair = (0.5 * logarithm[0], 0.5 * logarithm[1])
    curvature -= w * (rest[0] / ((N * N + squares[0]) * (shift * shift + squares[0])))
    if shift > 0:
        moduli = dd.add((halves[0] * halves[0], _ZERO), squares)
        slope_pair = dd.add(slope_pair, dd.sum_rows(dd.div(halves, moduli)))
        curvature -= 2.0 * w * (halves[0] / (moduli[0] * moduli[0])).sum(axis=0)
    step = (residual[0] + correction) / (slope_pair[0] + correction_slope)
    slope_pair = dd.fast_two_sum(slope_pair[0], slope_pair[1] + (correction_slope - curvature * step))
    return w - step, _sqrt_two_over(slope_pair)


def _sqrt_two_over(x: dd.DoubleDouble) -> Array:
    """sqrt(2/x): one Newton step s + s (2 - s^2 x)/4 from the float64 value s, its residual without cancellation."""
    root: Array = np.sqrt(2.0 / x[0])
    square, square_error = dd.two_prod(root, root)
    product, product_error = dd.two_prod(square, x[0])
    residual = ((2.0 - product) - product_error) - (square_error * x[0] + square * x[1])
    return root + 0.25 * root * residual
