r"""Certified spectrum of the normal part of HiPPO-LegT, from its secular equation: no matrix is formed.

LegT on the window [0, 1] is x' = A x + B u with B_n = R_n = sqrt(2n+1), C_n = (-1)^n R_n and
A + A^T = -(B B^T + C C^T). Its normal part S = A + (B B^T + C C^T)/2 is real and skew,

    S_nk = -R_n R_k sign(n-k)  for n-k odd,   0  for n-k even,

so its eigenvalues are +- i sigma, and 0 when N is odd.

Secular equation. Let theta(s) = det(sI - A) = sum_k c_k s^(N-k), c_k = binom(N, k) (N+k-1)!/(N-1)!. The matrix
A + B B^T is strictly triangular, so that three determinants of rank-two changes of S are known: theta(s),
(-1)^N theta(-s) and s^N. With T(sigma) = theta(i sigma)/(i sigma)^N they give

    det(i sigma I - S) = (i sigma)^N (1 + Re T)/2,    B^T (i sigma I - S)^-1 B = 2i Im T/(1 + Re T),

so the frequencies are the zeros of 1 + Re T, which times a power of sigma is a polynomial of degree floor(N/2) in
sigma^2: as many disjoint sign changes as the degree are all the roots, and all are simple.

Weights. The residue of the second formula at a root is abs(v* B)^2 = -2 Im T/(Re T)'. With spherical Hankel functions,
T = (1/2) i^-N z exp(iz) [h2_{N-1}(z) - i h2_N(z)], z = sigma/2. Their squared moduli are sums of positive terms
(DLMF 10.49.18), and these give, with q_k = binom(2k, k) (N+k)!/(N-k)!, t = 1/sigma^2 and Y = Im T, at a root

    Y^2 = abs(T)^2 - 1 = (N/2) sum_{k>0} q_k t^k/(N+k),
    abs(v* B)^2 = 4 sigma^2 (1 + Y^2)/(N [2 sum_k (N-k) q_k t^k - (sigma/Y) sum_k k q_k t^k/(N+k)]).

Eigenvectors. C^T (sI - A)^-1 B = p(s)/theta(s) is the Pade approximant of exp(-s), where p(i sigma)/(i sigma)^N =
-(-1)^N conj(sigma T')/N (' = d/dsigma; compare coefficients). Its residue, together with the one above, is

    (e - i o)^2 = -(-1)^N (2i sigma/N) (1 - i tau),   tau = (Im T)'/(Re T)',

where e and o are the sums of R_n v_n over even n and of -i R_n v_n over odd n, real for v of suitable phase. Hence
v_n = (R_n/sigma) i^n F_n exp(i alpha) with exp(i alpha) = (e - i o)/abs(e - i o), where F is real and

    F_{n+1} + F_{n-1} = (2n+1)(2/sigma) F_n,   F_{-1} = e,   F_0 = o

(a combination of spherical Bessel functions of sigma/2), and F_{N-1}, F_N are F_{-1}, F_0 or F_0, F_{-1} up to signs.

In floating point 1 + Re T loses about as many bits as N has units; balls simply carry that many more.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from flint import acb, arb, arb_poly
from numpy.typing import NDArray

from hippo_theory.arithmetic import Balls, balls
from hippo_theory.errors import CertificationError, InputError, checked_size

__all__ = ["eigenvector", "frequencies", "weight"]

Array = NDArray[Any]
_ATTEMPTS = 5  # each with twice the margin for lost bits
_NEWTON_STEPS = 2  # for the starting values
_START_BITS = 30  # that `_starting_values` has right (measured: at least 34 up to N = 3000); fewer cost another attempt


def frequencies(N: int, arithmetic: Balls) -> Array:
    """All nonnegative sigma with i sigma an eigenvalue of the normal part of LegT: 1 + Re T(sigma) = 0.

    Parameters
    ----------
    N : int
        State size.
    arithmetic : Balls
        Its `bits` are the accuracy wanted; more are used inside.

    Returns
    -------
    (ceil(N/2),) object ndarray of arb
        Decreasing; an exact 0 at the end for odd N. The balls are disjoint, each contains exactly one of the roots,
        which is simple, and together they contain all (see the module's text); relative radius at most 2^-(bits-4).

    Raises
    ------
    CertificationError
        If some root could not be isolated.

    Examples
    --------
    >>> from hippo_theory.arithmetic import balls
    >>> from hippo_theory.families.legt_secular import frequencies
    >>> roots = frequencies(3, balls(100))  # the characteristic polynomial is s (s^2 + 18)
    >>> bool((roots[0] ** 2).contains(18)), roots[1].is_zero()
    (True, True)
    """
    N = checked_size("N", N)
    bits = max(arithmetic.bits, 40 + 2 * N.bit_length())  # never so few that neighbors, 2/N apart, could overlap
    intervals = [_isolated(N, arb(start), bits + 8) for start in _starting_values(N)]
    for (_, high), (low, _) in pairwise(intervals):
        if not high < low:
            raise CertificationError(f"two roots for LegT were not separated at N = {N}; raise `bits`")
    with balls(bits + 8).work():
        roots = [low.union(high).rsqrt() for low, high in intervals]
    return np.array(roots + [arb(0)] * (N % 2), dtype=object)


def weight(N: int, sigma: Any, arithmetic: Balls) -> Any:
    """The number abs(v* B) = sqrt(-2 Im T/(Re T)') > 0, v the unit eigenvector of +i sigma.

    For sigma = 0 it is sqrt(2 (2N-1)/N), or 1 when N = 1.

    Parameters
    ----------
    N : int
        State size.
    sigma : arb
        A root, as `frequencies` returns it.
    arithmetic : Balls
        Its `bits` are the accuracy wanted.

    Returns
    -------
    arb
        Relative radius at most about 2^-bits plus 4 N times that of `sigma`.

    Raises
    ------
    CertificationError
        If `sigma` is so wide that the sign of Im T is not decided.
    InputError
        If `sigma` does not contain a root.

    Examples
    --------
    >>> from hippo_theory.arithmetic import balls
    >>> from hippo_theory.families.legt_secular import frequencies, weight
    >>> ball = balls(100)
    >>> bool((weight(2, frequencies(2, ball)[0], ball) ** 2).contains(2))  # abs(v* B)^2 summed over +-i sigma: 1 + 3
    True
    """
    N = checked_size("N", N)
    if _is_zero_root(N, sigma):
        with arithmetic.work():
            return arb(1) if N == 1 else (arb(2 * (2 * N - 1)) / N).sqrt()
    negative = _imaginary_part_is_negative(N, sigma, arithmetic.bits)
    bits = arithmetic.bits + 2 * N.bit_length() + 8
    height, first, second = _positive_polynomials(N, bits)
    with balls(bits).work():
        t = 1 / (sigma * sigma)
        square = height(t)
        Y = -square.sqrt() if negative else square.sqrt()
        return (4 * sigma * sigma * (1 + square) / (N * (2 * first(t) - sigma * second(t) / Y))).sqrt()


def eigenvector(N: int, sigma: Any, arithmetic: Balls, count: int | None = None) -> Array:
    """Components 0 .. count-1 of the unit eigenvector of +i sigma: S v = i sigma v, v* v = 1, v* B > 0.

    The eigenvector of -i sigma is the complex conjugate. For sigma = 0 it is (1/R_0, 0, ..., 0, 1/R_{N-1})
    divided by its norm.

    Parameters
    ----------
    N : int
        State size.
    sigma : arb
        A root, as `frequencies` returns it.
    arithmetic : Balls
        Its `bits` are the accuracy wanted.
    count : int, optional
        How many components; all N by default.

    Returns
    -------
    (count,) object ndarray of acb
        Absolute radii at most about 2^-bits, however wide `sigma` is.

    Raises
    ------
    CertificationError
        If the root could not be refined.
    InputError
        If `sigma` does not contain a root, or `count` exceeds N.

    Examples
    --------
    >>> from hippo_theory.arithmetic import balls
    >>> from hippo_theory.families.legt_secular import eigenvector, frequencies
    >>> ball = balls(100)
    >>> v = eigenvector(2, frequencies(2, ball)[0], ball)
    >>> bool((v[0] * v[0].conjugate()).contains(0.5))
    True
    """
    N = checked_size("N", N)
    count = N if count is None else checked_size("count", count)
    if count > N:
        raise InputError(f"`count` must be at most N = {N}, got {count}")
    if _is_zero_root(N, sigma):
        return _null_vector(N, count, arithmetic)
    middle, extra = _meeting_point(N, sigma, count)
    extra += _lost_bits(N, sigma)
    root, ratio = _refined(N, sigma, arithmetic.bits, extra)
    with balls(arithmetic.bits + extra).work():
        ends = (acb(ratio, 1) * (-1) ** (N + 1) * 2 * root / N).sqrt()  # -i(1 - i ratio) = -(ratio + i); either sign
        even, odd = ends.real, -ends.imag
        phase = ends / (even * even + odd * odd).sqrt()
        solution = _recurrence(even, odd, root, range(min(count, middle)))
        if count > middle:
            # From the other end, where with m = floor(N/2) F_N, F_{N-1} are -(-1)^m times F_0, F_{-1} for even N and
            # (-1)^m times F_{-1}, -F_0 for odd N.
            sign = (-1) ** (N // 2)
            beyond, last = (-sign * odd, -sign * even) if N % 2 == 0 else (sign * even, -sign * odd)
            solution += _recurrence(beyond, last, root, range(N - 1, middle - 1, -1))[::-1][: count - middle]
    with balls(arithmetic.bits + 8).work():
        turns = [acb(1), acb(0, 1), acb(-1), acb(0, -1)]
        values = [arb(2 * n + 1).sqrt() * F / root * phase * turns[n % 4] for n, F in enumerate(solution)]
    return np.array(values, dtype=object)


# --- the secular function ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _polynomials(N: int, bits: int) -> tuple[Any, Any, Any, Any]:
    """E, E', O, O' as polynomials in t = 1/sigma^2, where Re T = E(t) and Im T = -O(t)/sigma.

    T = sum_k c_k (i sigma)^-k, hence E_j = (-1)^j c_2j and O_j = (-1)^j c_(2j+1), with
    c_(k+1)/c_k = (N-k)(N+k)/(k+1) and c_0 = 1.
    """
    with balls(bits).work():
        coefficients = [arb(1)]
        for k in range(N):
            coefficients.append(coefficients[-1] * ((N - k) * (N + k)) / (k + 1))
        signed = [-c if k & 2 else c for k, c in enumerate(coefficients)]
        even, odd = arb_poly(signed[0::2]), arb_poly(signed[1::2])
        return even, even.derivative(), odd, odd.derivative()


@lru_cache(maxsize=8)
def _positive_polynomials(N: int, bits: int) -> tuple[Any, Any, Any]:
    """abs(T)^2 - 1 = (N/2) sum_{k>0} q_k t^k/(N+k), and the sums of (N-k) q_k t^k and of k q_k t^k/(N+k).

    q_k = binom(2k, k) (N+k)!/(N-k)!, hence q_(k+1)/q_k = 2 (2k+1) (N-k) (N+k+1)/(k+1).
    """
    with balls(bits).work():
        q = [arb(1)]
        for k in range(N):
            q.append(q[-1] * (2 * (2 * k + 1) * (N - k) * (N + k + 1)) / (k + 1))
        height = [arb(0)] + [N * q[k] / (2 * (N + k)) for k in range(1, N + 1)]
        first, second = [(N - k) * q[k] for k in range(N + 1)], [k * q[k] / (N + k) for k in range(N + 1)]
        return arb_poly(height), arb_poly(first), arb_poly(second)


def _quantized(N: int, bits: int) -> int:
    """`bits` rounded up to one of few values, so that the coefficients are shared by many roots."""
    step = max(64, N // 4)
    return -(-bits // step) * step + 32


def _lost_bits(N: int, sigma: Any) -> int:
    """Bits that the alternating sum 1 + Re T loses near sigma: log2(theta(sigma)/abs(theta(i sigma))) and a margin.

    By the leading terms of Debye's expansions of the Bessel functions of order N at z = sigma/2.
    """
    z = float(sigma) / 2
    lost = z - math.hypot(N, z) + N * math.asinh(N / z)
    if z < N:
        lost -= N * math.acosh(N / z) - math.sqrt((N - z) * (N + z))
    return math.ceil(lost / math.log(2)) + 4 * N.bit_length() + 32


def _isolated(N: int, start: Any, bits: int, correct: int = _START_BITS) -> tuple[Any, Any]:
    """Two exact points t, relative distance 2^-bits, between which 1 + Re T changes sign, near t = 1/start^2.

    `correct` is how many bits of `start` are right.
    """
    lost = _lost_bits(N, start)
    with balls(bits).work():
        point = (1 / (start * start)).mid()
    for _ in range(_ATTEMPTS):
        even, slope, _, _ = _polynomials(N, _quantized(N, bits + 8 + lost))
        while correct < bits + 4:  # Newton's method squares the relative error, times less than 8 N
            correct = min(2 * correct - N.bit_length() - 3, bits + 4)
            with balls(correct + lost).work():
                point = (point - (1 + even(point)) / slope(point)).mid()
        with balls(bits + 8 + lost).work():
            low, high = ((point * (1 + sign * arb(2) ** -(bits + 1))).mid() for sign in (-1, 1))
            values = 1 + even(low), 1 + even(high)
        if (values[0] > 0 and values[1] < 0) or (values[0] < 0 and values[1] > 0):
            return low, high
        lost, correct = 2 * lost, _START_BITS
    raise CertificationError(f"no root for LegT was isolated near sigma = {start} at N = {N}; raise `bits`")


def _refined(N: int, sigma: Any, bits: int, extra: int) -> tuple[Any, Any]:
    """The root in `sigma` to bits + extra, and tau = (Im T)'/(Re T)' there, which loses `_lost_bits` of these."""
    bits += extra
    with balls(bits).work():
        middle = arb(sigma.mid())
        known = max(_START_BITS, min(bits, sigma.rel_accuracy_bits() - 2))
        low, high = _isolated(N, middle, bits, known)
    with balls(bits + 32).work():
        t = low.union(high)
        root = t.rsqrt()
        if not sigma.overlaps(root):
            raise InputError(f"`sigma` must contain one of the frequencies({N}, ...), got {sigma}")
        _, slope, odd, odd_slope = _polynomials(N, _quantized(N, bits))
        return root, -(odd(t) + 2 * t * odd_slope(t)) * root / (2 * slope(t))


def _imaginary_part_is_negative(N: int, sigma: Any, bits: int) -> bool:
    """The sign of Im T at the root in `sigma`: that at the midpoint, if the root is too close for T to turn it around.

    By abs(T'/T) <= N/sigma, arg T and log abs(T) change by at most `turn` within the ball. Up to `bits` of sigma are
    checked to be those of a root.
    """
    bits = _lost_bits(N, sigma) + max(0, min(bits, sigma.rel_accuracy_bits()))
    even, _, odd, _ = _polynomials(N, _quantized(N, bits))
    with balls(bits).work():
        middle = arb(sigma.mid())
        t = 1 / (middle * middle)
        real, imaginary = even(t), -odd(t) / middle
        turn = N * arb(sigma.rad()) / arb(sigma.lower())
        size = (real * real + imaginary * imaginary).sqrt()
        if abs(1 + real) > turn * turn.exp() * size:
            raise InputError(f"`sigma` must contain one of the frequencies({N}, ...), got {sigma}")
        if not abs(imaginary) > turn * size:
            raise CertificationError(f"`sigma` is too wide ({sigma}); compute it with more bits")
        return bool(imaginary < 0)


def _is_zero_root(N: int, sigma: Any) -> bool:
    """Whether `sigma` is the exact root 0 of odd N."""
    if sigma > 0:
        return False
    if N % 2 == 1 and sigma.is_zero():
        return True
    raise InputError(f"`sigma` must be positive, or the exact 0 for odd N; got {sigma} with N = {N}")


# --- eigenvectors -----------------------------------------------------------------------------------------------------


def _null_vector(N: int, count: int, arithmetic: Balls) -> Array:
    """Unit eigenvector of the eigenvalue 0, odd N: all sums that S forms telescope to R_0 v_0 = R_{N-1} v_{N-1}."""
    with arithmetic.work():
        values = [acb(0)] * N
        values[-1] = acb((arb(1) / (2 * N)).sqrt())
        values[0] = acb((arb(2 * N - 1) / (2 * N)).sqrt()) if N > 1 else acb(1)
        return np.array(values[:count], dtype=object)


def _meeting_point(N: int, sigma: Any, count: int) -> tuple[int, int]:
    """Where the recurrences from both ends meet, and the bits that the longer one loses.

    In balls one step multiplies the radius by at most exp(asinh((2n+1)/sigma)); both directions do.
    """
    total = np.cumsum(np.arcsinh((2 * np.arange(N) + 1) / float(sigma))) / math.log(2)
    middle = int(np.searchsorted(total, total[-1] / 2)) + 1
    lost = total[count - 1] if count <= middle else max(total[middle - 1], total[-1] - total[middle - 1])
    return middle, math.ceil(lost) + 2 * N.bit_length() + 8


def _recurrence(before: Any, first: Any, sigma: Any, indices: range) -> list[Any]:
    """F at `indices` (up or down) by F_{n+1} + F_{n-1} = (2n+1)(2/sigma) F_n, from F just `before` and at the first."""
    double = 2 / sigma
    values = []
    for n in indices:
        values.append(first)
        before, first = first, (2 * n + 1) * double * first - before
    return values


# --- where to start ---------------------------------------------------------------------------------------------------


def _starting_values(N: int) -> list[float]:
    """Float approximations of the floor(N/2) positive roots, decreasing: nothing is certified here.

    The roots are F(sigma) = arg T -+ atan sqrt(abs(T)^2 - 1) = -(2k+1) pi, where F increases: the upper and the lower
    sign for each k in turn. Inverted by interpolation on a grid, then by Newton's method.
    """
    if N < 2:
        return []
    index = np.arange(N // 2)
    target, upper = -(2 * (index // 2) + 1) * math.pi, index % 2 == 0
    grid = np.concatenate([np.linspace(0.1, 3 * N, 150)[:-1], 3 * N / np.linspace(1, 0, 100, endpoint=False)])
    values = _float_phases(N, grid)
    sigma = np.empty(N // 2)
    for k, chosen in ((0, upper), (1, ~upper)):
        known, inverse = np.append(values[k], 0.0), np.append(N / (N + grid), 0.0)  # F tends to 0 at infinity
        sigma[chosen] = N / np.interp(target[chosen], known, inverse) - N
    for _ in range(_NEWTON_STEPS):
        plus, minus, plus_slope, minus_slope = _float_phases(N, sigma)
        step = (np.where(upper, plus, minus) - target) / np.where(upper, plus_slope, minus_slope)
        sigma = np.clip(sigma - step, sigma / 1.5, sigma * 1.5)
    return [float(value) for value in sigma]


def _float_phases(N: int, sigma: NDArray[np.float64]) -> tuple[Any, Any, Any, Any]:
    """F with the upper and with the lower sign, and their derivatives, about 1e-12 relative; shapes of `sigma`.

    T = (1/2) i^-N (H_{N-1} - i H_N), H_n = z exp(iz) h2_n(z), z = sigma/2, by the ratios r_n = H_n/H_{n-1}:
    r_{n+1} = (2n+1)/z - 1/r_n. T'/T = (N/sigma) (1 + i r_N)/(1 - i r_N).
    """
    z = sigma / 2
    ratio = np.full(z.shape, 1j)
    logarithm = np.full(z.shape, 0.5j * math.pi)
    for n in range(N):
        ratio = (2 * n + 1) / z - 1 / ratio
        logarithm += np.log(ratio)
    factor = 1 + 1j / ratio
    phase = logarithm.imag + np.angle(factor) - (N + 1) * math.pi / 2
    size = 2 * (logarithm.real + np.log(np.abs(factor)) - math.log(2))
    root = np.sqrt(np.maximum(np.expm1(np.minimum(size, 600.0)), 1e-300))
    slope = N / sigma * (1 + 1j * ratio) / (1 - 1j * ratio)
    angle = np.arctan(root)
    return phase - angle, phase + angle, slope.imag - slope.real / root, slope.imag + slope.real / root
