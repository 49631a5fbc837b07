"""How good a ball is, and raising the precision until it is good enough."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
from flint import acb, arb

from hippo_theory.arithmetic.number_systems import Balls, balls
from hippo_theory.errors import CertificationError

__all__ = ["as_fraction", "certified", "complex_radius", "dyadic", "is_narrow", "magnitude_bounds"]

_T = TypeVar("_T")


def dyadic(point: Any) -> tuple[int, int]:
    """An exact ball (radius zero) as (m, e) with value m 2^e."""
    mantissa, exponent = point.man_exp()
    return int(mantissa), int(exponent)


def as_fraction(point: Any) -> Fraction:
    """An exact ball (radius zero) as a Fraction."""
    mantissa, exponent = dyadic(point)
    return Fraction(mantissa << exponent) if exponent >= 0 else Fraction(mantissa, 1 << -exponent)


def complex_radius(ball: Any) -> Fraction:
    """An upper bound on the radius of the disc (or interval) that a ball is, as an exact Fraction."""
    if isinstance(ball, acb):
        real, imag = as_fraction(ball.real.rad()), as_fraction(ball.imag.rad())
        return real + imag if real and imag else max(real, imag)  # >= sqrt(real^2 + imag^2)
    return as_fraction(ball.rad())


def magnitude_bounds(ball: Any) -> tuple[Fraction, Fraction]:
    """Lower and upper bound on the absolute value of everything in a ball, as exact Fractions."""
    return as_fraction(arb(ball.abs_lower())), as_fraction(arb(ball.abs_upper()))


def is_narrow(ball: Any, digits: int) -> bool:
    """Whether a ball fixes its value to `digits` significant digits, or, where the value is below 10^-digits, absolutely.

    True when radius <= 10^-digits abs(value), or when everything in the ball is at most 10^-digits in modulus.
    """
    if _is_relatively_narrow(ball, digits):
        return True
    with balls(64).work() as ring:
        return bool(ball.is_finite()) and bool(arb(ball.abs_upper()) * 10**digits <= ring.number(1))


def certified(
    compute: Callable[[Balls], _T], digits: int, *, guard_bits: int = 32, attempts: int = 7, strict: bool = False
) -> _T:
    """Evaluate `compute` in balls of growing precision until every ball in the result fixes `digits` digits.

    Parameters
    ----------
    compute : callable
        Takes a `Balls` and returns a ball, or a sequence or array of balls. It runs inside ``Balls.work``.
    digits : int
        Significant digits wanted: radius <= 10^-digits abs(value), or the value itself is below 10^-digits (see
        `is_narrow`; with ``strict`` only the first, or radius zero, will do).
    guard_bits : int
        Bits above what the digits need at the first attempt; doubled at each further one.
    attempts : int
        How often precision may be raised.

    Raises
    ------
    CertificationError
        If the last attempt still is not narrow enough.

    Examples
    --------
    >>> from hippo_theory.arithmetic import certified
    >>> x = certified(lambda ball: ball.number(10) ** 30 * (1 - ball.cos(ball.number("1e-15"))), 20)
    >>> x.rel_accuracy_bits() > 66
    True
    """
    for _ in range(attempts):
        bits = math.ceil(digits * math.log2(10)) + guard_bits
        with balls(bits).work() as arithmetic:
            result = compute(arithmetic)
        flat = np.asarray(result, dtype=object).ravel()
        if strict:
            narrow = all(_is_relatively_narrow(ball, digits) for ball in flat)
        else:
            narrow = all(is_narrow(ball, digits) for ball in flat)
        if narrow:
            return result
        guard_bits *= 2
    raise CertificationError(
        f"could not certify {digits} digits with {bits} bits of working precision: the value may be exactly zero or "
        "infinite there; move the point, or ask for fewer digits"
    )


def _is_relatively_narrow(ball: Any, digits: int) -> bool:
    """Whether radius <= 10^-digits abs(value), compared in balls: exponents may be too large for integers."""
    if not ball.is_finite():
        return False
    with balls(64).work():
        radius = ball.real.rad() + ball.imag.rad() if isinstance(ball, acb) else arb(ball.rad())
        return bool(radius == 0 or radius * 10**digits <= arb(ball.abs_lower()))
