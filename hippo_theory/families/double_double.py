"""Double-double arithmetic on numpy arrays: about 106 bits from pairs of float64 numbers.

A double-double is a pair ``(high, low)`` of float64 arrays that stands for the exact sum ``high + low``, with ``low``
at most about half a unit in the last place of ``high``.  The functions here are the few that a float64 result needs
when its residual has to be known to more than 53 bits: sums, products, quotients, an arctangent and a logarithm.

Error bounds are written with ``u = 2**-53``.  They hold as long as nothing overflows or underflows: magnitudes from
``2**-400`` to ``2**400`` are safe everywhere.  There is no fused multiply-add in numpy, so exact products go through
Veltkamp's splitting [1]_; the bounds of the pair operations are those of [2]_ or a little larger.

The two functions reduce their argument with a table: ``arctan(y/x) = arctan(c) + arctan((y - c x)/(x + c y))`` and
``log(y/x) = -log(s) + 2 artanh((s y - x)/(s y + x))``, where ``c`` and ``s`` have so few bits that their products are
cheap, and the last arguments are so small that all but the first term of their Taylor series can be plain float64.
The tables come from exact integer arithmetic on first use (a few milliseconds, then cached).

References
----------
.. [1] T. J. Dekker, A floating-point technique for extending the available precision, Numer. Math. 18 (1971).
.. [2] M. Joldes, J.-M. Muller, V. Popescu, Tight and rigorous error bounds for basic building blocks of double-word
   arithmetic, ACM Trans. Math. Softw. 44 (2017).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DoubleDouble",
    "add",
    "arctan2",
    "div",
    "fast_two_sum",
    "half_pi",
    "log1p_quotient",
    "mul",
    "mul_short",
    "sub",
    "sum_rows",
    "two_prod",
    "two_sum",
]

Array = NDArray[np.float64]
DoubleDouble = tuple[Array, Array]

_SPLITTER = 2.0**27 + 1.0  # Veltkamp's factor: the high part keeps 53 - 27 = 26 bits
_STEPS = 1024  # table points per unit interval: reduced arguments stay below 2**-11
_FIXED_BITS = 128  # the tables are integers in units of 2**-128 before they are rounded to pairs


def two_sum(a: Array, b: Array) -> DoubleDouble:
    """Return ``(s, e)`` with ``s = fl(a + b)`` and ``s + e = a + b`` exactly (Knuth).

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.families import double_double as dd
    >>> high, low = dd.two_sum(np.array([1.0]), np.array([2.0**-60]))
    >>> bool(high[0] == 1.0 and low[0] == 2.0**-60)
    True
    """
    total = a + b
    b_part = total - a
    return total, (a - (total - b_part)) + (b - b_part)


def fast_two_sum(a: Array, b: Array) -> DoubleDouble:
    """Return ``(s, e)`` with ``s + e = a + b`` exactly, for ``abs(a) >= abs(b)`` or ``a = 0`` (Dekker).

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.families import double_double as dd
    >>> high, low = dd.fast_two_sum(np.array([1.0]), np.array([2.0**-60]))
    >>> bool(low[0] == 2.0**-60)
    True
    """
    total = a + b
    return total, b - (total - a)


def _split(a: Array) -> DoubleDouble:
    """Return two numbers of at most 26 bits each whose sum is ``a`` exactly (Veltkamp)."""
    scaled = _SPLITTER * a
    high = scaled - (scaled - a)
    return high, a - high


def two_prod(a: Array, b: Array) -> DoubleDouble:
    """Return ``(p, e)`` with ``p = fl(a b)`` and ``p + e = a b`` exactly (Dekker).

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.families import double_double as dd
    >>> high, low = dd.two_prod(np.array([1.0 + 2.0**-30]), np.array([1.0 + 2.0**-30]))
    >>> bool(low[0] == 2.0**-60)
    True
    """
    product = a * b
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def mul_short(x: DoubleDouble, c: Array) -> DoubleDouble:
    """Return ``x c`` for ``c`` of at most 26 significant bits; relative error at most ``4 u**2``.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.families import double_double as dd
    >>> high, low = dd.mul_short((np.array([1.0]), np.array([2.0**-60])), np.array([3.0]))
    >>> bool(high[0] == 3.0 and low[0] == 3.0 * 2.0**-60)
    True
    """
    product = x[0] * c
    x_high, x_low = _split(x[0])
    return product, ((x_high * c - product) + x_low * c) + x[1] * c


def add(x: DoubleDouble, y: DoubleDouble) -> DoubleDouble:
    """Return ``x + y`` with an error of at most ``4 u**2 (abs(x) + abs(y))``.

    The bound is relative to the terms, not to their sum: where they cancel, the absolute error stays.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.families import double_double as dd
    >>> x = (np.array([1.0]), np.array([2.0**-60]))
    >>> high, low = dd.add(x, x)
    >>> bool(high[0] == 2.0 and low[0] == 2.0**-59)
    True
    """
    high, error = two_sum(x[0], y[0])
    return fast_two_sum(high, error + (x[1] + y[1]))


def sub(x: DoubleDouble, y: DoubleDouble) -> DoubleDouble:
    """Return ``x - y`` with an error of at most ``4 u**2 (abs(x) + abs(y))``.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.families import double_double as dd
    >>> high, low = dd.sub((np.array([1.0]), np.array([2.0**-60])), (np.array([1.0]), np.array([0.0])))
    >>> bool(high[0] == 2.0**-60)
    True
    """
    return add(x, (-y[0], -y[1]))


def sum_rows(x: DoubleDouble) -> DoubleDouble:
    """Return the sum over the first axis of ``n`` rows; error at most ``2 n u**2`` times the sum of moduli, plus u**2.

    The high parts are summed without error, the low parts and the errors in plain float64.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.families import double_double as dd
    >>> rows = (np.array([[1.0], [2.0**-60], [-1.0]]), np.zeros((3, 1)))
    >>> high, low = dd.sum_rows(rows)
    >>> bool(high[0] == 2.0**-60)
    True
    """
    high, low = x[0][0], x[1][0]
    for row_high, row_low in zip(x[0][1:], x[1][1:], strict=True):
        high, error = two_sum(high, row_high)
        low = low + (error + row_low)
    return fast_two_sum(high, low)


def mul(x: DoubleDouble, y: DoubleDouble) -> DoubleDouble:
    """Return ``x y`` with a relative error of at most ``8 u**2``.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.families import double_double as dd
    >>> one_third = dd.div((np.array([1.0]), np.array([0.0])), (np.array([3.0]), np.array([0.0])))
    >>> high, low = dd.mul(one_third, (np.array([3.0]), np.array([0.0])))
    >>> bool(high[0] == 1.0 and abs(low[0]) < 2.0**-103)
    True
    """
    product, error = two_prod(x[0], y[0])
    return fast_two_sum(product, error + (x[0] * y[1] + x[1] * y[0]))


def div(x: DoubleDouble, y: DoubleDouble) -> DoubleDouble:
    """Return ``x / y`` with a relative error of at most ``16 u**2``; ``y`` must not be zero.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.families import double_double as dd
    >>> high, low = dd.div((np.array([1.0]), np.array([0.0])), (np.array([3.0]), np.array([0.0])))
    >>> bool(high[0] == 1 / 3 and abs(3.0 * low[0] - 2.0**-54) < 2.0**-104)
    True
    """
    quotient = x[0] / y[0]
    product, error = two_prod(quotient, y[0])
    remainder = (((x[0] - product) - error) + x[1]) - quotient * y[1]  # x[0] - product is exact
    return fast_two_sum(quotient, remainder / y[0])


def half_pi() -> tuple[float, float]:
    """Return pi/2 as a pair of floats, error below ``2**-106``.

    Examples
    --------
    >>> import math
    >>> from hippo_theory.families import double_double as dd
    >>> high, low = dd.half_pi()
    >>> high == math.pi / 2, f"{low:.4e}"
    (True, '6.1232e-17')
    """
    high, low = _arctan_table()
    return 2.0 * float(high[-1]), 2.0 * float(low[-1])


def arctan2(y: DoubleDouble, x: DoubleDouble) -> DoubleDouble:
    r"""Return the angle of ``(x, y)`` in ``[-pi, pi]``, relative error at most ``2**-73``.

    With ``r`` the smaller over the larger coordinate in modulus and ``c`` the nearest multiple of 1/1024,

    .. math:: \arctan r = \arctan c + \arctan t, \qquad t = (r - c) / (1 + c r), \qquad |t| \le 2^{-11}.

    The rest of the series of arctan t, at most ``2**-23.5`` of its first term, is left to float64: nine roundings of
    it at most, that is ``2**-73.3``.  The series ends below ``2**-90``.

    Parameters
    ----------
    y, x : pairs of arrays that broadcast, not both zero at any place.

    Returns
    -------
    A pair of arrays, radians.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.families import double_double as dd
    >>> high, low = dd.arctan2((np.array([1.0]), np.array([0.0])), (np.array([1.0]), np.array([0.0])))
    >>> bool(2.0 * high[0] == dd.half_pi()[0] and 2.0 * low[0] == dd.half_pi()[1])
    True
    """
    steep = np.abs(y[0]) > np.abs(x[0])
    numerator = (np.where(steep, x[0], y[0]), np.where(steep, x[1], y[1]))
    denominator = (np.where(steep, y[0], x[0]), np.where(steep, y[1], x[1]))
    index = np.rint(_STEPS * (numerator[0] / denominator[0]))
    c = index / _STEPS
    t, t_low = div(sub(numerator, mul_short(denominator, c)), add(denominator, mul_short(numerator, c)))
    square = t * t
    tail = t_low - t * square * (1 / 3 - square * (1 / 5 - square / 7))

    # The angle is offset + sign arctan(r), the offset a multiple of pi/2.
    sign = np.where(steep, -1.0, 1.0)
    quarters = np.copysign(np.where(steep, 1.0, np.where(x[0] < 0.0, 2.0, 0.0)), y[0])
    table_high, table_low = _arctan_table()
    position = index.astype(np.intp) + _STEPS
    pi_high, pi_low = half_pi()
    high, error = two_sum(quarters * pi_high, sign * table_high[position])
    high, second_error = two_sum(high, sign * t)
    low = (error + quarters * pi_low) + second_error + sign * (table_low[position] + tail)
    return fast_two_sum(high, low)


def log1p_quotient(p: DoubleDouble, q: DoubleDouble) -> DoubleDouble:
    r"""Return ``log(1 + p/q)``, relative error at most ``2**-74`` for ``p >= 0``, also where ``p`` is much below ``q``.

    With ``2**e`` the power of two nearest to ``v = 1 + p/q`` in ratio, and ``s = j 2**(-10-e)`` where the integer ``j``
    is nearest to ``1024 * 2**e / v``,

    .. math:: \log v = e \log 2 - \log (j/1024) + 2 \operatorname{artanh} z, \qquad
              z = \frac{s p + (s q - q)}{s p + (s q + q)}, \qquad |z| \le 2^{-11.4}.

    Near ``v = 1`` this is ``s = 1`` and ``z = p/(p + 2q)``, so nothing cancels.  The rest of the series, at most
    ``2**-24.4`` of its first term, is left to float64: nine roundings of it at most, that is ``2**-74.2``.

    Parameters
    ----------
    p, q : pairs of arrays that broadcast; ``q > 0``, ``p > -q``.  For ``p < 0`` the relative error grows like the
        rounding of ``p + q``: ``8 u**2 q/(p + q)`` is added to the absolute error.

    Returns
    -------
    A pair of arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.families import double_double as dd
    >>> high, low = dd.log1p_quotient((np.array([1.0]), np.array([0.0])), (np.array([1.0]), np.array([0.0])))
    >>> bool(high[0] == np.log(2.0))
    True
    """
    ratio = (p[0] + q[0]) / q[0]
    exponent = np.frexp(math.sqrt(2.0) * ratio)[1] - 1  # ratio / 2**exponent lies in [sqrt(1/2), sqrt(2))
    index = np.rint(_STEPS / np.ldexp(ratio, -exponent))
    s = np.ldexp(index / _STEPS, -exponent)
    scaled_p, scaled_q = mul_short(p, s), mul_short(q, s)
    z, z_low = div(add(scaled_p, sub(scaled_q, q)), add(scaled_p, add(scaled_q, q)))
    square = z * z
    tail = 2.0 * (z_low + z * square * (1 / 3 + square * (1 / 5 + square / 7)))

    table_high, table_low, first_index, log2_high, log2_low = _log_table()
    position = index.astype(np.intp) - first_index
    high, error = two_sum(exponent * log2_high, -table_high[position])  # exact product: log2_high has 42 bits
    high, second_error = two_sum(high, 2.0 * z)
    return fast_two_sum(high, ((error + exponent * log2_low) + second_error) + (tail - table_low[position]))


def _arctan_fixed(p: int, q: int, sign: int) -> int:
    """Return arctan(p/q) (sign -1) or artanh(p/q) (sign +1) in units of 2**-128, error below twice the term count."""
    power, total, order = (p << _FIXED_BITS) // q, 0, 1
    while power:
        total += power // order if sign > 0 or order % 4 == 1 else -(power // order)
        power = power * p * p // (q * q)
        order += 2
    return total


def _pairs(fixed: Iterable[int]) -> DoubleDouble:
    """Round integers in units of 2**-128 to double-double pairs (Python divides integers with correct rounding)."""
    unit = 1 << _FIXED_BITS
    high = [value / unit for value in fixed]
    low = [(value - int(math.ldexp(first, _FIXED_BITS))) / unit for value, first in zip(fixed, high, strict=True)]
    return np.array(high), np.array(low)


@functools.cache
def _arctan_table() -> DoubleDouble:
    """Return arctan(i/1024), i = -1024..1024, as pairs with an absolute error below 2**-107.

    Each step is arctan((i+1)/n) - arctan(i/n) = arctan(n/(n**2 + i (i+1))), n = 1024, summed as integers: 1024 steps
    of fewer than eight terms accumulate less than 2**14 units of 2**-128.
    """
    values = [0]
    for i in range(_STEPS):
        values.append(values[-1] + _arctan_fixed(_STEPS, _STEPS**2 + i * (i + 1), -1))
    return _pairs([-value for value in reversed(values[1:])] + values)


@functools.cache
def _log_table() -> tuple[Array, Array, int, float, float]:
    """Return log(j/1024) as pairs, the first j, and log 2 split into 42 bits and the rest.

    j runs over every value that 1024/v takes for v in [sqrt(1/2), sqrt(2)], rounded, and one more at either end.
    log((j+1)/j) = 2 artanh(1/(2j+1)), summed as integers; the absolute error is below 2**-107 as for the arctangents.
    """
    first, last = math.isqrt(_STEPS**2 // 2) - 1, math.isqrt(2 * _STEPS**2) + 2
    above, below = [0], [0]
    for j in range(_STEPS, last):
        above.append(above[-1] + 2 * _arctan_fixed(1, 2 * j + 1, 1))
    for j in range(_STEPS, first, -1):
        below.append(below[-1] - 2 * _arctan_fixed(1, 2 * j - 1, 1))
    high, low = _pairs(below[:0:-1] + above)
    log2 = 2 * _arctan_fixed(1, 3, 1)
    short = log2 >> (_FIXED_BITS - 42)
    rest = log2 - (short << (_FIXED_BITS - 42))
    return high, low, first, math.ldexp(short, -42), math.ldexp(float(rest), -_FIXED_BITS)
