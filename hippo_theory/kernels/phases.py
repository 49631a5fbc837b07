"""Powers e^(lambda dt l) of multipliers at large lags l, with the phase reduced modulo 2 pi beyond double precision.

The phase w dt l of a kernel reaches 10^8 and more; computed in float64 it has lost as many digits when its cosine is
taken. Here w dt / (2 pi) is a double-double number of turns, of which whole turns are dropped before and after the
multiplication by l, both times without error. The parameters are taken as the exact binary rationals that they are.

Bounds are written with u = 2^-53. They assume IEEE 754 arithmetic in round-to-nearest, and a cos, sin and exp within
4 units in the last place (NumPy's promise is 4, its usual error below 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.arithmetic import balls, exact_fraction
from hippo_theory.errors import InputError, checked_size
from hippo_theory.families import double_double as dd

__all__ = ["ReducedRates", "angles", "decays", "double_pair", "power_table", "powers", "reduced_rates"]

Array = NDArray[Any]

_U = 2.0**-53
_LARGEST_PHASE = 2.0**42  # radians per lag
_LARGEST_LAG = 2**40


@dataclass(frozen=True, eq=False)
class ReducedRates:
    """lambda_j dt, ready to be multiplied by a lag: real parts and turns as double-double numbers.

    Attributes
    ----------
    exponents : pair of (N,) ndarrays of float64
        Re(lambda_j) dt, relative error at most 4 u^2.
    turns : pair of (N,) ndarrays of float64
        Im(lambda_j) dt / (2 pi) without its whole turns, at most 1/2 in modulus.
    turn_error : float
        Bound on the absolute error of every one of `turns`.
    """

    exponents: dd.DoubleDouble
    turns: dd.DoubleDouble
    turn_error: float

    def undamped(self) -> ReducedRates:
        """The same with real parts zero: only the oscillation."""
        return replace(self, exponents=(np.zeros_like(self.exponents[0]), np.zeros_like(self.exponents[1])))

    def angle_error(self, largest_lag: int) -> float:
        """Bound on the absolute error, in radians, of `angles` at lags up to this one."""
        return 3.1 * math.pi * _U + 2 * math.pi * largest_lag * (self.turn_error + 2 * _U**2)

    def power_error(self, largest_lag: int) -> float:
        """Bound on the relative error of `powers` (of the complex number, in modulus) at lags up to this one."""
        return 1.01 * (self.angle_error(largest_lag) + 20 * _U)


@cache
def _reciprocal_two_pi() -> tuple[float, float]:
    """1/(2 pi) as a pair of floats, error below u^2 / 8."""
    with balls(200).work() as ring:
        exact = 1 / (2 * ring.pi)
        high = float(exact.mid())
        return high, float((exact - ring.number(high)).mid())


def double_pair(value: Fraction) -> tuple[float, float]:
    """The nearest float64 of a fraction, and the nearest of what is left."""
    high = float(value)
    return high, float(value - Fraction(high))


def _times_step(x: Array, step: tuple[float, float]) -> dd.DoubleDouble:
    """x dt, relative error at most 4 u^2: dt itself is known to u^2, x dt_high is exact, the rest rounds twice."""
    high, error = dd.two_prod(x, np.full_like(x, step[0]))
    return dd.fast_two_sum(high, error + x * step[1])


def reduced_rates(Lambda: Any, dt: Any) -> ReducedRates:
    """Multiply rates by the step and drop whole turns, in double-double.

        turns_j = Im(lambda_j) dt / (2 pi) - (nearest integer).

    The product with dt has a relative error of at most 4 u^2, that with 1/(2 pi) adds at most 9 u^2, and dropping the
    turns is exact: ``turn_error`` is 16 u^2 max abs(w dt) / (2 pi). Up to abs(w dt) = 10^9 the phase at every lag up
    to 2^20 has then an error below 1e-15 before it is rounded to float64. Cost O(N).

    Parameters
    ----------
    Lambda : (N,) array_like
        Rates lambda_j, float64 or complex128, as the exact numbers that they are.
    dt : number
        Step, positive; floats are exact, and decimal strings are decimals.

    Returns
    -------
    ReducedRates

    Raises
    ------
    InputError
        If a rate or the step is not finite, dt <= 0, or abs(w dt) is above 2^42.

    Examples
    --------
    >>> from hippo_theory.kernels.phases import reduced_rates
    >>> rates = reduced_rates([-0.5 + 1e6j], "0.1")
    >>> round(float(rates.turns[0][0]), 10), rates.turn_error < 1e-26
    (0.4943091895, True)
    """
    values = np.atleast_1d(np.asarray(Lambda, dtype=np.complex128))
    if values.ndim != 1 or not np.isfinite(values).all():
        raise InputError(f"`Lambda` must be one row of finite numbers, got shape {values.shape}")
    step = exact_fraction(dt)
    if not Fraction(1, 2**400) <= step <= 2**400:
        raise InputError(f"`dt` must be positive (from 2^-400 to 2^400), got {dt}")
    pair = double_pair(step)
    largest = float(np.abs(values.imag).max(initial=0.0)) * pair[0]
    if largest > _LARGEST_PHASE or float(np.abs(values.real).max(initial=0.0)) > 2.0**400:
        raise InputError(
            f"`Lambda` dt turns by {largest:.3g} radians per lag; at most 2^42 can be reduced: take less dt"
        )
    high, low = _reciprocal_two_pi()
    product = dd.mul(_times_step(values.imag, pair), (np.full_like(values.imag, high), np.full_like(values.imag, low)))
    turns = dd.fast_two_sum(product[0] - np.rint(product[0]), product[1])
    # The last term: products below 2^-400 may lose their error terms to underflow.
    turn_error = 16 * _U**2 * largest / (2 * math.pi) + 2.0**-399
    return ReducedRates(_times_step(values.real, pair), turns, turn_error)


def _column(lags: Any) -> Array:
    column = np.asarray(lags, dtype=np.float64).reshape(-1, 1)
    if column.size and not (np.abs(column).max() <= _LARGEST_LAG and (column == np.rint(column)).all()):
        raise InputError("`lags` must be integers of at most 2^40 in modulus")
    return column


def angles(rates: ReducedRates, lags: Any) -> Array:
    """The phases w_j dt l modulo 2 pi, at most pi + l 2^-51 in modulus, as float64.

    l times the high part is exact as a pair, its whole turns go without error; l times the low part, the sum and the
    product with 2 pi round: the error is at most ``rates.angle_error(max l)``, about 1.1e-15 and l turn_error.

    Parameters
    ----------
    rates : ReducedRates
    lags : (L,) array_like of int
        At most 2^40 in modulus.

    Returns
    -------
    (L, N) ndarray of float64

    Examples
    --------
    >>> from hippo_theory.kernels.phases import angles, reduced_rates
    >>> bool(abs(angles(reduced_rates([3j], 1), [7])[0, 0] - (21 - 6 * 3.141592653589793)) < 5e-15)
    True
    """
    column = _column(lags)
    product, error = dd.two_prod(rates.turns[0], column)
    return (2 * math.pi) * ((product - np.rint(product)) + (error + column * rates.turns[1]))


def decays(rates: ReducedRates, lags: Any) -> Array:
    """The real factors e^(Re(lambda_j) dt l), relative error at most 12 u whatever the size of the exponent.

    The exponent is a pair; e^high costs 8 u at most, the factor 1 + low at most 2 u. Below 2^-1022 they underflow.

    Parameters
    ----------
    rates : ReducedRates
    lags : (L,) array_like of int

    Returns
    -------
    (L, N) ndarray of float64

    Examples
    --------
    >>> from hippo_theory.kernels.phases import decays, reduced_rates
    >>> print(decays(reduced_rates([-0.5], 1), [0, 2])[:, 0].round(12))
    [1.         0.36787944]
    """
    column = _column(lags)
    high, error = dd.two_prod(rates.exponents[0], column)
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(high) * (1 + (error + column * rates.exponents[1]))


def powers(rates: ReducedRates, lags: Any) -> Array:
    """e^(lambda_j dt l), complex128, relative error at most ``rates.power_error(max abs(l))``.

    Parameters
    ----------
    rates : ReducedRates
    lags : (L,) array_like of int

    Returns
    -------
    (L, N) ndarray of complex128

    Examples
    --------
    >>> from hippo_theory.kernels.phases import powers, reduced_rates
    >>> bool(abs(powers(reduced_rates([-0.5 + 2j], 0.25), [8])[0, 0] - 2.718281828459045 ** (-1 + 4j)) < 1e-15)
    True
    """
    theta = angles(rates, lags)
    result = np.empty(theta.shape, dtype=np.complex128)
    size = decays(rates, lags)
    with np.errstate(under="ignore", invalid="ignore"):
        result.real = size * np.cos(theta)
        result.imag = size * np.sin(theta)
    return result


def power_table(rates: ReducedRates, start: int, stride: int, count: int) -> tuple[Array, float]:
    """Powers at equidistant lags start + i stride, i < count, by doubling, and a bound on their relative error.

    Rows k to 2k - 1 are rows 0 to k - 1 times one accurate power: each entry is a product of at most 1 + log2(count)
    of them, and each complex product adds at most sqrt(5) u. Cost O(N count) products and O(N log(count)) exponentials.

    Parameters
    ----------
    rates : ReducedRates
    start, stride, count : int

    Returns
    -------
    (count, N) ndarray of complex128, and float

    Examples
    --------
    >>> from hippo_theory.kernels.phases import power_table, reduced_rates
    >>> table, bound = power_table(reduced_rates([1j], 1), 5, 10, 4)
    >>> bool(abs(table[3, 0] - 2.718281828459045 ** 35j) < bound < 1e-13)
    True
    """
    count = checked_size("count", count)
    doublings = (count - 1).bit_length()
    factors = powers(rates, [start, *(stride << i for i in range(doublings))])
    table = np.empty((count, factors.shape[1]), dtype=np.complex128)
    table[0] = factors[0]
    with np.errstate(under="ignore", invalid="ignore"):
        for i in range(doublings):
            done = 1 << i
            fresh = min(done, count - done)
            np.multiply(table[:fresh], factors[1 + i], out=table[done : done + fresh])
    each = rates.power_error(abs(start) + abs(stride) * count)
    return table, 1.01 * ((doublings + 1) * each + 3 * doublings * _U)
