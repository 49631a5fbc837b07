"""Balls as decimal strings that show only certain digits."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, ROUND_UP, Context, Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from flint import arb

from hippo_theory.arithmetic.certification import as_fraction
from hippo_theory.arithmetic.exact_numbers import exact_fraction
from hippo_theory.arithmetic.number_systems import balls, to_ball
from hippo_theory.errors import CertificationError, checked_size

__all__ = ["DecimalBall", "decimal_ball"]

_EXPONENT = 100_000  # what is smaller than 10^-_EXPONENT is printed as 0, with that radius


class DecimalBall(NamedTuple):
    """A decimal and a bound on its distance from the true value, both as strings; the bound includes the printing."""

    value: str
    radius: str


def decimal_ball(ball: Any, digits: int = 15) -> DecimalBall:
    """Write a real ball as a decimal of which every digit is certain (up to one unit in the last place).

    Parameters
    ----------
    ball : arb or exact number
    digits : int
        Significant digits wanted; one more is printed as a guard, so that radius <= 10^-digits abs(value) whenever
        the ball is a hundred times as narrow. Digits that are not certain are not printed.

    Returns
    -------
    DecimalBall
        The radius is rounded up and includes the rounding of the printed value. An exact decimal has radius "0"; a
        ball that certifies no digit at all is printed as "0" with a radius that reaches over it.

    Examples
    --------
    >>> from hippo_theory.arithmetic import decimal_ball, to_ball
    >>> decimal_ball(to_ball("-0.5"), 10)
    DecimalBall(value='-0.5', radius='0')
    >>> decimal_ball(to_ball("2/3"), 10)
    DecimalBall(value='0.66666666667', radius='3.34e-12')
    """
    digits = checked_size("digits", digits)
    if isinstance(ball, (int, Fraction, Decimal, str)):
        return _decimal(exact_fraction(ball), Fraction(0), digits)
    ball = ball if isinstance(ball, arb) else to_ball(ball, 64 + 4 * digits)
    if not ball.is_finite():
        raise CertificationError("the ball is not finite, so that none of its digits is certain")
    with balls(64).work() as ring:
        extreme = ring.number(10) ** _EXPONENT
        if ball != 0 and bool(abs(ball) * extreme < 1):
            return DecimalBall("0", f"1e-{_EXPONENT}")
        if not abs(ball) < extreme:
            raise CertificationError(f"the value is beyond 10^{_EXPONENT}, or not known to be below it")
    return _decimal(as_fraction(ball.mid()), as_fraction(ball.rad()), digits)


def _decimal(middle: Fraction, radius: Fraction, digits: int) -> DecimalBall:
    most = digits + 1
    if radius and middle:
        most = min(most, _rounded(middle, 3).adjusted() - _rounded(radius, 3).adjusted() + 1)
    for count in range(most, max(most - 3, 0), -1):
        printed = _rounded(middle, count)
        error = radius + abs(middle - Fraction(printed))
        if error == 0:
            return DecimalBall(_plain(printed), "0")
        if error <= Fraction(Decimal(1).scaleb(printed.adjusted() - count + 1)):
            return DecimalBall(str(printed).lower(), _upward(error))
    return DecimalBall("0", _upward(abs(middle) + radius))


def _rounded(value: Fraction, count: int) -> Decimal:
    """`value` rounded half-even to `count` significant digits."""
    context = Context(prec=count, rounding=ROUND_HALF_EVEN)
    return context.divide(Decimal(value.numerator), Decimal(value.denominator))


def _upward(value: Fraction) -> str:
    """A positive rational rounded up to three significant digits."""
    context = Context(prec=3, rounding=ROUND_UP)
    return str(context.divide(Decimal(value.numerator), Decimal(value.denominator))).lower()


def _plain(value: Decimal) -> str:
    """An exact decimal without trailing zeros or, for integers of ordinary size, an exponent."""
    if value == 0:
        return "0"
    # A context of its own: the ambient one would round to 28 digits.
    short = value.normalize(Context(prec=len(value.as_tuple().digits)))
    return f"{short:f}" if -7 < short.adjusted() < 20 else str(short).lower()
