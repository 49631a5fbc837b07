r"""Frequencies and weights of the normal part of HiPPO-LegT in float64: O(N log N) work, no matrix, no eigensolver.

With T = theta(i sigma)/(i sigma)^N as in `legt_secular` the frequencies solve Re T = -1. Let phi = arg T and
psi = atan sqrt(abs(T)^2 - 1). phi rises monotonically from -N pi/2 to 0, so that the roots in decreasing order are

    F(sigma) = phi -+ psi = -(2k+1) pi,    k = 0, 1, ..., for each k first the upper sign, then the lower,

and abs(v* B)^2 = 2/F'(sigma). F does not oscillate; its singularities keep their distance from the real line except
near the turning point z = sigma/2 = N, where the distance is about N^(1/3). With x = z/N below it and N/z above,

    N x f(x) = N pi/2 +- pi/2 + F = (N-1-2j) pi/2   below, for root j = 0, 1, ...,
    N x f(x) = -F = (2k+1) pi                       above,

determine sigma to about the accuracy of f, at both ends too. f is smooth: one polynomial of fixed degree on each of
[0, 1/2] (there in x^2), [1/2, 3/4], [3/4, 7/8], ..., down to the width N^(-2/3), has an error below 2^-60.

At the Chebyshev nodes of these pieces T = (1/2) i^-N (H_{N-1} - i H_N), where H_n = z exp(iz) h2_n(z) (spherical
Hankel functions), comes from

    H_{n+1} = ((2n+1)/z) H_n - H_{n-1},    H_{-1} = 1,   H_0 = i,

in double-double, for all nodes at once, and abs(T)^2 - 1 = abs(H_{N-1} + i H_N)^2/4. After that each root costs O(1):
Newton's method in float64, and one residual in double-double.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from flint import arb
from numpy.polynomial.chebyshev import chebder, chebval
from numpy.typing import ArrayLike, NDArray

from hippo_theory.arithmetic import balls, nearest
from hippo_theory.errors import checked_size
from hippo_theory.families import legt_secular
from hippo_theory.families.double_double import (
    DoubleDouble,
    add,
    arctan2,
    div,
    half_pi,
    mul,
    sub,
    sum_rows,
    two_prod,
    two_sum,
)

__all__ = ["frequencies_and_weights"]

Array = NDArray[np.float64]
Integers = NDArray[np.intp]

_SMALL = 64  # up to this N balls take milliseconds
_NODES = 28  # per piece: the nearest singularities leave an error of about 5^-28
_NEWTON_STEPS = 4  # from the interpolated start, which has two or three digits, to 1e-15
_RESCALED = 24  # steps of the recurrence, each a factor of at most 2^8, between two normalizations


def frequencies_and_weights(N: int) -> tuple[Array, Array]:
    """The nonnegative sigma with +- i sigma an eigenvalue of the normal part of LegT, and abs(v* B) of each.

    Parameters
    ----------
    N : int
        State size.

    Returns
    -------
    sigma, weight : (ceil(N/2),) ndarray of float64
        Decreasing, exactly 0.0 at the end for odd N; abs(v* B) = sqrt(2/F'(sigma)) > 0 of the unit eigenvector v of
        +i sigma. Both are within 2 units in the last place (tested against balls up to N = 4096).

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.families.legt_secular_float import frequencies_and_weights
    >>> sigma, weight = frequencies_and_weights(100)  # traces: sum sigma^2 = -tr(S^2)/2, sum weight^2 = B^T B/2
    >>> n = np.arange(100)
    >>> S = np.sqrt(np.outer(2 * n + 1, 2 * n + 1)) * ((n[:, None] - n) % 2)
    >>> bool(np.isclose(sum(sigma**2), np.sum(S**2) / 2, rtol=1e-14) and np.isclose(sum(weight**2), 5000, rtol=1e-14))
    True
    """
    N = checked_size("N", N)
    if N <= _SMALL:
        ball = balls(96)
        roots = legt_secular.frequencies(N, ball)
        weights = np.array([legt_secular.weight(N, root, ball) for root in roots], dtype=object)
        return nearest(roots), nearest(weights)
    sigma, weight = _positive_roots(N)
    if N % 2 == 0:
        return sigma, weight
    return np.append(sigma, 0.0), np.append(weight, math.sqrt(4 - 2 / N))


def _positive_roots(N: int) -> tuple[Array, Array]:
    """The floor(N/2) positive roots, decreasing, and their weights."""
    edges = np.append(1 - 0.5 ** np.arange(round(2 * math.log2(N) / 3) + 1), 1.0)
    x = _node_positions(edges)
    values = _node_values(N, x)
    interpolant = _interpolant(edges, values)

    index = np.arange(N // 2)
    lower_sign = index % 2
    quarters = 2 * (index - lower_sign) + 2  # -F in units of pi/2
    turning = N * interpolant.high[:, 2:, -1].sum(axis=0)  # -F at z = N, where all Chebyshev polynomials are 1
    above = quarters * (math.pi / 2) < turning[lower_sign]
    quarters = np.where(above, quarters, N - 1 - 2 * index)
    curve = 2 * above + lower_sign
    target = mul(_pair(quarters), _pair(*half_pi()))

    position = np.empty(N // 2)
    for chosen in range(4):
        known_x, known = (np.append(0.0, rows[:, ::-1].ravel()) for rows in (x[0], x[0] * values[0][chosen]))
        position[curve == chosen] = np.interp(target[0][curve == chosen] / N, known, known_x)
    for _ in range(_NEWTON_STEPS):
        value, slope = _value_and_slope(interpolant, _pair(position), curve)
        position = position - (position * value - target[0] / N) / slope
    z = np.where(above, N / position, N * position)

    # One more step, for which the residual at the float64 number z is known in double-double.
    point = _point(N, _pair(z), above)
    precise_value, precise_slope = _precise_value_and_slope(interpolant, point, curve)
    residual = sub(mul(mul(_pair(N), point), precise_value), target)[0]
    derivative = np.where(above, -point[0] * point[0], 1.0) * precise_slope[0]  # of N x f with respect to z
    root = two_sum(z, -residual / derivative)

    # There abs(v* B)^2 = 2/F'(sigma) = 4/(dF/dz), and dF/dz is the slope, times x^2 above.
    point = _point(N, root, above)
    _, precise_slope = _precise_value_and_slope(interpolant, point, curve)
    factor = _choose(above, point, _pair(1.0))
    return 2 * root[0], div(_pair(2.0), mul(factor, _square_root(precise_slope)))[0]


def _point(N: int, z: DoubleDouble, above: NDArray[np.bool_]) -> DoubleDouble:
    """x = z/N, or N/z above the turning point."""
    return div(_choose(above, _pair(N), z), _choose(above, z, _pair(N)))


# --- nodes ------------------------------------------------------------------------------------------------------------


def _pair(high: ArrayLike, low: ArrayLike = 0.0) -> DoubleDouble:
    """A double-double from float64 parts."""
    return np.asarray(high, dtype=np.float64), np.asarray(low, dtype=np.float64)


def _choose(condition: NDArray[np.bool_], yes: DoubleDouble, no: DoubleDouble) -> DoubleDouble:
    """`np.where` on pairs."""
    return np.where(condition, yes[0], no[0]), np.where(condition, yes[1], no[1])


@cache
def _cosines() -> DoubleDouble:
    """cos(k pi/(4 _NODES)), k = 0 .. 8 _NODES - 1."""
    with balls(160).work():
        exact = [(arb(k) / (4 * _NODES)).cos_pi() for k in range(8 * _NODES)]
        high = np.array([float(value.mid()) for value in exact])
        return high, np.array([float((value - part).mid()) for value, part in zip(exact, high.tolist(), strict=True)])


def _node_positions(edges: Array) -> DoubleDouble:
    """Chebyshev nodes x = middle + half cos(theta_i), (pieces, nodes); on the first piece x = cos(theta_i/2)/2."""
    high, low = _cosines()
    odd = 2 * np.arange(_NODES) + 1
    middle, half = (edges[1:, None] + edges[:-1, None]) / 2, (edges[1:, None] - edges[:-1, None]) / 2
    nodes = add(_pair(middle), (half * high[2 * odd], half * low[2 * odd]))
    nodes[0][0], nodes[1][0] = high[odd] / 2, low[odd] / 2
    return nodes


def _node_values(N: int, x: DoubleDouble) -> DoubleDouble:
    """f at the nodes, (4, pieces, nodes): below the turning point with upper and lower sign, and the same above it."""
    below, above = div(_pair(1.0), mul(_pair(N), x)), div(x, _pair(N))
    previous, last = _hankel_functions(N, (np.stack([below[0], above[0]]), np.stack([below[1], above[1]])))

    # phi + N pi/2 is the argument of H_{N-1} - i H_N; the multiple of 2 pi by the leading terms of Debye's expansions.
    angle = arctan2(sub(_row(previous, 1), _row(last, 0)), add(_row(previous, 0), _row(last, 1)))
    root = np.sqrt((1 - x[0]) * (1 + x[0]))
    about = N * np.stack([x[0], math.pi / 2 + (1 - root) / x[0] - np.arcsin(x[0])])
    about[0] += np.arctan(x[0] / (1 + root))
    phase = add(angle, mul(_pair(4 * np.rint((about - angle[0]) / (2 * math.pi))), _pair(*half_pi())))

    real, imaginary = sub(_row(previous, 0), _row(last, 1)), add(_row(previous, 1), _row(last, 0))  # H_{N-1} + i H_N
    doubled = _square_root(add(mul(real, real), mul(imaginary, imaginary)))  # 2 sqrt(abs(T)^2 - 1)
    complement = arctan2(_pair(2.0), doubled)  # pi/2 - psi
    upper, lower = add(phase, complement), sub(phase, complement)  # N pi/2 +- pi/2 + F
    quarter = _pair(*half_pi())
    mirrored = [sub(mul(_pair(N + 1), quarter), _row(upper, 1)), sub(mul(_pair(N - 1), quarter), _row(lower, 1))]
    curves = [_row(upper, 0), _row(lower, 0), *mirrored]
    size = mul(_pair(N), x)
    quotients = [div(curve, size) for curve in curves]
    return np.stack([q[0] for q in quotients]), np.stack([q[1] for q in quotients])


def _hankel_functions(N: int, inverse_z: DoubleDouble) -> tuple[DoubleDouble, DoubleDouble]:
    """H_{N-1} and H_N, (2, ...) with the real parts first; where they exceed 2^200, only up to a positive factor.

    The factor changes no argument, and it leaves abs(T) so large that psi = pi/2 beyond all digits.
    """
    scaled = inverse_z[0] * (2.0 ** (2 * N + 1).bit_length() + 1)  # Veltkamp's splitting: (2n+1) high is exact
    high = scaled - (scaled - inverse_z[0])
    low = (inverse_z[0] - high) + inverse_z[1]
    one, zero = np.ones_like(high), np.zeros_like(high)
    nothing = np.stack([zero, zero])
    previous, current = (np.stack([one, zero]), nothing), (np.stack([zero, one]), nothing)
    for n in range(N):
        previous, current = current, sub(mul(current, ((2 * n + 1) * high, (2 * n + 1) * low)), previous)
        if n % _RESCALED == _RESCALED - 1:
            exponent = np.frexp(np.abs(current[0]).max(axis=0))[1]
            factor = np.ldexp(1.0, np.minimum(0, 200 - exponent))
            previous, current = (previous[0] * factor, previous[1] * factor), (current[0] * factor, current[1] * factor)
    return previous, current


def _row(x: DoubleDouble, index: int) -> DoubleDouble:
    return x[0][index], x[1][index]


def _square_root(x: DoubleDouble) -> DoubleDouble:
    """Square root of positive double-doubles, by one step of Newton's method."""
    root = np.sqrt(x[0])
    return add(_pair(root), _pair(sub(x, two_prod(root, root))[0] / (2 * root)))


# --- the interpolant --------------------------------------------------------------------------------------------------


class _Interpolant(NamedTuple):
    """Chebyshev coefficients of f, (nodes, 4 curves, pieces), as pairs, and those of df/d(argument) in float64."""

    edges: Array
    high: Array
    low: Array
    derivative: Array


def _interpolant(edges: Array, values: DoubleDouble) -> _Interpolant:
    """c_k = (2/nodes) sum_i f_i cos(k theta_i), halved for k = 0; `values` (4 curves, pieces, nodes)."""
    high, low = _cosines()
    rows = []
    for k in range(_NODES):
        place = 2 * k * (2 * np.arange(_NODES) + 1) % (8 * _NODES)
        terms = mul(values, (high[place], low[place]))
        total = sum_rows((np.moveaxis(terms[0], -1, 0), np.moveaxis(terms[1], -1, 0)))
        rows.append(div(total, _pair(_NODES if k == 0 else _NODES / 2)))
    coefficients = np.stack([row[0] for row in rows])
    return _Interpolant(edges, coefficients, np.stack([row[1] for row in rows]), _pair(chebder(coefficients))[0])


def _arguments(edges: Array, x: DoubleDouble) -> tuple[Integers, DoubleDouble, Array]:
    """Piece of each x, its place on the piece as a number in [-1, 1] (of x^2 on the first piece), and x d(place)/dx."""
    piece = np.searchsorted(edges[1:-1], x[0], side="right")
    middle, half = (edges[piece + 1] + edges[piece]) / 2, (edges[piece + 1] - edges[piece]) / 2
    square, shifted = mul(x, x), sub(x, _pair(middle))
    even = sub((8 * square[0], 8 * square[1]), _pair(1.0))
    place = _choose(piece == 0, even, (shifted[0] / half, shifted[1] / half))  # exact: `half` is a power of 2
    return piece, place, x[0] * np.where(piece == 0, 16 * x[0], 1 / half)


def _value_and_slope(interpolant: _Interpolant, x: DoubleDouble, curve: Integers) -> tuple[Array, Array]:
    """f and d(x f)/dx in float64."""
    piece, place, factor = _arguments(interpolant.edges, x)
    value: Array = np.asarray(chebval(place[0], interpolant.high[:, curve, piece], tensor=False))
    return value, value + factor * chebval(place[0], interpolant.derivative[:, curve, piece], tensor=False)


def _precise_value_and_slope(
    interpolant: _Interpolant, x: DoubleDouble, curve: Integers
) -> tuple[DoubleDouble, DoubleDouble]:
    """f in double-double, by Clenshaw's recurrence, and d(x f)/dx with a float64 second term, x df/dx."""
    piece, place, factor = _arguments(interpolant.edges, x)
    double = 2 * place[0], 2 * place[1]
    high, low = interpolant.high[:, curve, piece], interpolant.low[:, curve, piece]
    value = beyond = _pair(0.0)
    for k in range(_NODES - 1, 0, -1):
        value, beyond = add((high[k], low[k]), sub(mul(double, value), beyond)), value
    value = add((high[0], low[0]), sub(mul(place, value), beyond))
    second = factor * chebval(place[0], interpolant.derivative[:, curve, piece], tensor=False)
    return value, add(value, _pair(second))
