"""Powers z^l of rational multipliers at large lags l, each to a few units in the last place.

A method with an alpha takes a rate lambda to z = (1 + (1 - alpha) x) / (1 - alpha x), x = lambda dt. Rounded to float64,
z^l is off by l eps. Here z and its powers z^2, z^4, z^8, ... are double-double: squaring k times multiplies a relative
error of some u^2 by 2^k, so that at l = 2^20 still 80 bits are right, and each power is rounded once.

Bounds are written with u = 2^-53, and hold while moduli and powers lie below 2^400.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.errors import InputError
from hippo_theory.families import double_double as dd
from hippo_theory.kernels.phases import double_pair

__all__ = ["MultiplierPowers", "multiplier_powers"]

Array = NDArray[Any]
Complex = tuple[dd.DoubleDouble, dd.DoubleDouble]  # real and imaginary part

_U = 2.0**-53


@dataclass(frozen=True, eq=False)
class MultiplierPowers:
    """z_j^(2^k) for k = 0, 1, ..., rounded.

    Attributes
    ----------
    factors : (count, N) ndarray of complex128
        Row k is z^(2^k).
    bound : float
        On the error of every one of them, relative to max(1, abs(z_j))^(2^k).
    """

    factors: Array
    bound: float

    def table(self, modes: slice, stride: int, count: int) -> tuple[Array, float]:
        """Powers z_j^(stride i), i < count, (count, modes), stride a power of 2, and a bound on their relative error.

        By doubling, as `phases.power_table`: an entry is a product of at most log2(count) factors, and each complex
        product adds at most sqrt(5) u. Relative means to max(1, abs(z_j))^(stride i).

        Examples
        --------
        >>> from hippo_theory.kernels.multipliers import multiplier_powers
        >>> table, bound = multiplier_powers([-0.5], 1, 0, 8).table(slice(None), 2, 3)
        >>> table[:, 0].real, bound < 1e-15
        (array([1.    , 0.25  , 0.0625]), True)
        """
        first, doublings = stride.bit_length() - 1, (count - 1).bit_length()
        table = np.empty((count, self.factors[:, modes].shape[1]), dtype=np.complex128)
        table[0] = 1
        with np.errstate(under="ignore"):
            for i in range(doublings):
                done = 1 << i
                fresh = min(done, count - done)
                np.multiply(table[:fresh], self.factors[first + i, modes], out=table[done : done + fresh])
        return table, 1.01 * doublings * (self.bound + 3 * _U)


def multiplier_powers(
    Lambda: Any, dt: Fraction | float | int, alpha: Fraction | float | int, L: int
) -> MultiplierPowers:
    """The powers z^1, z^2, z^4, ... below L of z = (1 + (1 - alpha) x) / (1 - alpha x), x = lambda dt, as a frozen value.

    With n and d numerator and denominator, x is known to 4 u^2 in each part, n and d to 16 u^2 (1 + abs(x)), the
    quotient n conj(d) / abs(d)^2 adds at most 64 u^2 abs(n) / abs(d): z is off by at most e = 128 u^2 q max(1, abs(z)),
    q = max (1 + abs(x)) / abs(d) / max(1, abs(z)) + 1. A squaring adds 32 u^2 relative to the square. So z^m is off
    by at most m (e + 32 u^2) max(1, abs(z))^m, to first order, and rounding it adds u.

    Parameters
    ----------
    Lambda : (N,) array_like of complex128
    dt, alpha : numbers
        Exact as given; dt > 0 and 0 <= alpha <= 1.
    L : int
        At least 1; powers with exponents below L are made.

    Returns
    -------
    MultiplierPowers
        O(N log L) operations.

    Raises
    ------
    InputError
        If abs(lambda dt) is above 2^190, 1 - alpha x is 0, or a power is above 2^400.

    Examples
    --------
    >>> from hippo_theory.kernels.multipliers import multiplier_powers
    >>> multiplier_powers([-1.0], 1, 0.5, 5).factors[:, 0].real.round(6)
    array([0.333333, 0.111111, 0.012346])
    """
    rates = np.atleast_1d(np.asarray(Lambda, dtype=np.complex128))
    step, new = Fraction(dt), Fraction(alpha)
    pair = double_pair(step)
    if not float(np.abs(rates).max(initial=0.0)) * pair[0] <= 2.0**190:
        raise InputError("`Lambda` dt is above 2^190 in modulus; take a smaller step")
    x = tuple(dd.mul((part, np.zeros_like(part)), _constant(pair, part)) for part in (rates.real, rates.imag))
    top, bottom = _one_plus(x, 1 - new), _one_plus(x, -new)
    square = _norm(bottom)
    if not (square[0] > 0).all():
        raise InputError(f"1 - alpha `Lambda` dt is 0 for alpha = {new}; take a smaller step")
    conjugate = (bottom[0], (-bottom[1][0], -bottom[1][1]))
    product = _product(top, conjugate)
    z = (dd.div(product[0], square), dd.div(product[1], square))
    distance = np.sqrt(square[0])
    size = np.maximum(1.0, np.hypot(z[0][0], z[1][0]))
    q = 1 + float(((1 + np.abs(rates) * pair[0]) / distance / size).max(initial=0.0))
    count = max(1, (L - 1).bit_length())
    factors = np.empty((count, len(rates)), dtype=np.complex128)
    with np.errstate(under="ignore"):
        for k in range(count):
            factors[k].real, factors[k].imag = z[0][0], z[1][0]
            if k + 1 < count:
                if not np.abs(factors[k]).max(initial=0.0) <= 2.0**200:
                    raise InputError("the powers of a multiplier grow beyond 2^400; take fewer lags or a smaller step")
                z = _squared(z)
    return MultiplierPowers(factors, 1.01 * (_U + 2.0**count * _U**2 * (128 * q + 32)))


def _constant(pair: tuple[float, float], like: Array) -> dd.DoubleDouble:
    return np.full_like(like, pair[0]), np.full_like(like, pair[1])


def _one_plus(x: Any, factor: Fraction) -> Complex:
    """1 + factor x."""
    scale = _constant(double_pair(factor), x[0][0])
    one = _constant((1.0, 0.0), x[0][0])
    return dd.add(one, dd.mul(x[0], scale)), dd.mul(x[1], scale)


def _norm(z: Complex) -> dd.DoubleDouble:
    return dd.add(dd.mul(z[0], z[0]), dd.mul(z[1], z[1]))


def _product(z: Complex, w: Complex) -> Complex:
    real = dd.sub(dd.mul(z[0], w[0]), dd.mul(z[1], w[1]))
    return real, dd.add(dd.mul(z[0], w[1]), dd.mul(z[1], w[0]))


def _squared(z: Complex) -> Complex:
    """(a + b)(a - b) and 2 a b: without cancellation of squares."""
    real = dd.mul(dd.add(z[0], z[1]), dd.sub(z[0], z[1]))
    cross = dd.mul(z[0], z[1])
    return real, (2 * cross[0], 2 * cross[1])
