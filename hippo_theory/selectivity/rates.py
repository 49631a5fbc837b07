"""How well a step is approximated: by Haar wavelets, by Fourier sums, and by any constant system of N states."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from hippo_theory.arithmetic import FLOAT64, Arithmetic, exact_fraction
from hippo_theory.errors import InputError, checked_size

__all__ = [
    "fourier_error_bracket",
    "fourier_error_squared",
    "haar_coefficient_squared",
    "haar_error_squared",
    "ones_hankel_value",
    "window_error_bounds",
    "window_hankel_value",
]


def haar_error_squared(tau: Any, scale: int) -> Fraction:
    """Squared L2 error of the projection of the step 1_[tau, 1] to intervals of length 2^-J: theta (1 - theta) 2^-J, exact.

    theta is the fractional part of 2^J tau: where in its interval the step is.

    Parameters
    ----------
    tau : int, Fraction, float or decimal string
        Between 0 and 1.
    scale : int
        J >= 0: one wavelet coefficient a scale is not zero, J of them in all.

    Raises
    ------
    InputError
        If tau does not lie in [0, 1].

    Examples
    --------
    >>> from fractions import Fraction
    >>> from hippo_theory.selectivity import haar_error_squared
    >>> haar_error_squared(Fraction(1, 3), 4)
    Fraction(1, 72)
    """
    theta = _place(tau, scale)
    return Fraction(theta * (1 - theta) / 2**scale)


def haar_coefficient_squared(tau: Any, scale: int) -> Fraction:
    """Square of the one Haar coefficient of 1_[tau, 1] at scale j that may not be zero: min(theta, 1 - theta)^2 2^-j.

    theta as in `haar_error_squared`; these squares are what the error loses from one scale to the next.
    """
    theta = _place(tau, scale)
    return Fraction(min(theta, 1 - theta) ** 2 / 2**scale)


def fourier_error_squared(tau: Any, count: int, arithmetic: Arithmetic = FLOAT64) -> Any:
    """Squared L2 error of the Fourier sum over abs(n) <= N of 1_[tau, 1]: tau (1 - tau) - 2 sum sin(pi n tau)^2 / (pi n)^2.

    In balls certified; in float64 within 4 (N + 4) eps, absolutely.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from hippo_theory.selectivity import fourier_error_squared
    >>> [round(float(fourier_error_squared(Fraction(1, 3), N)) ** 0.5, 6) for N in (8, 32, 128, 512)]
    [0.105785, 0.055398, 0.028025, 0.014054]
    """
    tau, count = _unit(tau), checked_size("count", count, 0)
    total = arithmetic.number(tau * (1 - tau))
    for n in range(1, count + 1):
        turn = arithmetic.number(n * tau % 1) * arithmetic.pi
        total = total - 2 * (arithmetic.sin(turn) / (n * arithmetic.pi)) ** 2
    return total


def fourier_error_bracket(tau: Any, count: int, arithmetic: Arithmetic = FLOAT64) -> tuple[Any, Any]:
    """(middle, radius): the squared error of the Fourier sum lies within the radius of middle = 1/(pi^2 (N + 1/2)).

    pi^2 radius = 1 / ((N+1)^2 sin(pi tau)) + 1 / (4 (N+1)^2 (N+1/2)).

    Derivation. The error is sum_{n>N} (1 - cos(2 pi n tau)) / (pi n)^2. Sums of cosines are at most 1/sin(pi tau), so their
    part is at most that over (N+1)^2 (Abel). 1/n^2 - 1/(n^2 - 1/4) = -1/(4 n^2 (n^2 - 1/4)), and 1/(n^2 - 1/4)
    sums to 1/(N+1/2).

    Raises
    ------
    InputError
        If tau is 0 or 1, where there is no step.
    """
    tau, count = _unit(tau), checked_size("count", count)
    if tau in (0, 1):
        raise InputError("`tau` must lie strictly between 0 and 1; a constant has no Fourier error")
    square = arithmetic.pi**2
    middle = 1 / (arithmetic.number(Fraction(2 * count + 1, 2)) * square)
    waves = 1 / arithmetic.sin(arithmetic.number(tau) * arithmetic.pi)
    radius = (waves + arithmetic.number(Fraction(1, 4 * count + 2))) / ((count + 1) ** 2 * square)
    return middle, radius


def window_hankel_value(index: int, arithmetic: Arithmetic = FLOAT64) -> Any:
    """The k-th Hankel singular value of the kernel 1_[0,1], k = 1, 2, ...: 2 / ((2k-1) pi).

    (Gamma f)(t) = integral of f over [0, 1 - t] has the eigenfunctions cos((k - 1/2) pi t) with the eigenvalues
    (-1)^(k-1) / ((k - 1/2) pi).

    Examples
    --------
    >>> from hippo_theory.selectivity import window_hankel_value
    >>> print(round(window_hankel_value(1), 6))
    0.63662
    """
    return 2 / ((2 * checked_size("index", index) - 1) * arithmetic.pi)


def ones_hankel_value(n: int, index: int, arithmetic: Arithmetic = FLOAT64) -> Any:
    """The k-th Hankel singular value of the sequence of n ones: 1 / (2 sin((2k-1) pi / (4n+2))), k = 1, ..., n.

    What constant systems must approximate to sum up the last n inputs; over n it tends to `window_hankel_value`.
    """
    n, index = checked_size("n", n), checked_size("index", index)
    if index > n:
        raise InputError(f"`index` must be one of 1 to {n}, got {index}; the matrix has {n} rows")
    return 1 / (2 * arithmetic.sin(arithmetic.number(Fraction(2 * index - 1, 4 * n + 2)) * arithmetic.pi))


def window_error_bounds(states: int, arithmetic: Arithmetic = FLOAT64) -> tuple[Any, Any]:
    """Lower bounds for every kernel K of N real states: (integral abs(K - 1_[0,1]) dt, integral t (K - 1_[0,1])^2 dt).

    The first is 2 / ((2N+1) pi), the second sum_{k>N} 4 / ((2k-1)^2 pi^2) = 1/2 - sum_{k<=N}, about 1/(pi^2 N). Poles may be
    chosen freely. A complex diagonal system of N modes with a real output has 2N real states.

    Derivation. A kernel of N states has a Hankel operator of rank N; the distance of Gamma from these is its next singular
    value in the operator norm, which the integral of abs(K) bounds, and the root of the sum of the squares of all later ones
    in the Hilbert-Schmidt norm, which is the weighted integral.

    Examples
    --------
    >>> from hippo_theory.selectivity import window_error_bounds
    >>> [round(float(bound), 6) for bound in window_error_bounds(8)]
    [0.037448, 0.012649]
    """
    states = checked_size("states", states, 0)
    square = sum((Fraction(4, (2 * k - 1) ** 2) for k in range(1, states + 1)), Fraction(0))
    return window_hankel_value(states + 1, arithmetic), arithmetic.number(Fraction(1, 2)) - arithmetic.number(
        square
    ) / arithmetic.pi**2


def _unit(tau: Any) -> Fraction:
    place = exact_fraction(float(tau) if isinstance(tau, np.floating) else tau)
    if not 0 <= place <= 1:
        raise InputError(f"`tau` must lie between 0 and 1, got {tau}; scale the interval to [0, 1]")
    return place


def _place(tau: Any, scale: int) -> Fraction:
    """The fractional part of 2^J tau."""
    return Fraction(_unit(tau) * 2 ** checked_size("scale", scale, 0) % 1)
