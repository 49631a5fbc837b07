"""Kernels whose error is proved: as balls on many times or lags, and LegS kernels by Clenshaw's recurrence.

A kernel on equidistant times t_0 + k h is a matrix product (baby steps times giant steps), so that J exponentials at T
times cost O(J sqrt(T)) exponentials and J T fast multiplications. The kernel of a whole LegS system and any C,

    K(t) = C e^(A t) B = sum_n C_n R_n e^(-t) P_n(2 e^(-t) - 1),    R_n = sqrt(2n + 1),

needs no exponentials but one, and O(N) operations per time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any, Literal, NamedTuple

import numpy as np
from flint import acb, arb, arb_mat
from numpy.typing import NDArray

from hippo_theory.arithmetic import Balls, balls, exact_fraction
from hippo_theory.errors import CertificationError, InputError, checked_size
from hippo_theory.kernels.exponential_sums import ExponentialSum

__all__ = ["BoundedValues", "certified_kernel", "certified_legs_kernel", "exact_exponential_sum", "legs_kernel"]

Array = NDArray[Any]
Relative = Literal["each", "largest"]

_U = 2.0**-53
_GUARD_BITS = 64  # with 30 digits: three machine words


def exact_exponential_sum(Lambda: Any, coefficients: Any, bits: int = 128) -> ExponentialSum:
    """The kernel 2 Re sum_j c_j e^(lambda_j t) of float64 parameters, taken as the exact numbers that they are.

    Parameters
    ----------
    Lambda, coefficients : (J,) array_like of complex128
        One of each conjugate pair.
    bits : int
        Working precision of what is done with it.

    Returns
    -------
    ExponentialSum

    Raises
    ------
    InputError
        If the shapes differ or a number is not finite.

    Examples
    --------
    >>> from hippo_theory.kernels import exact_exponential_sum
    >>> float(exact_exponential_sum([-0.5 + 2j], [0.25])(0))
    0.5
    """
    rates = np.atleast_1d(np.asarray(Lambda, dtype=np.complex128))
    values = np.atleast_1d(np.asarray(coefficients, dtype=np.complex128))
    if rates.shape != values.shape or rates.ndim != 1 or not (np.isfinite(rates).all() and np.isfinite(values).all()):
        raise InputError(
            f"`Lambda` and `coefficients` must be rows of as many finite numbers, got shapes {rates.shape}, {values.shape}"
        )
    none = np.array([], dtype=object)
    with balls(bits).work() as ring:
        return ExponentialSum(none, none, ring.number(values), ring.number(rates), bits)


def certified_kernel(
    kernel: ExponentialSum | Callable[[Balls], ExponentialSum] | tuple[Any, Any],
    times: Iterable[Any],
    digits: int = 30,
    *,
    relative_to: Relative = "each",
    attempts: int = 8,
) -> Array:
    """A kernel at many times or lags, as balls, at a precision that is raised until every radius is small enough.

        K(t_i) = sum_j a_j e^(r_j t_i) + 2 Re sum_j c_j e^(lambda_j t_i),

    on equidistant times t_0 + (bM + m) h the product of the matrices c_j e^(lambda_j (t_0 + bMh)) and e^(lambda_j mh),
    M about sqrt(T), written as one product of real matrices.

    Parameters
    ----------
    kernel : ExponentialSum, callable, or pair (Lambda, coefficients) of float64 arrays
        A callable takes a `Balls` and returns the ExponentialSum at that precision, such as
        ``lambda ring: diagonal_kernel(LegS(64), 0, ring)``: what is inexact is then computed again when precision
        rises. Pairs are exact (`exact_exponential_sum`).
    times : iterable of T exact numbers
        Ints, Fractions, floats (exact) or decimal strings; for a discrete kernel lags, ints >= 0. They are equidistant
        if their exact values are and increase (``0.1 * k`` in float64 are not).
    digits : int
        See `relative_to`.
    relative_to : {"each", "largest"}
        ``each``: every radius is at most 10^-digits of the value, or the value is below 10^-digits altogether.
        ``largest``: every radius is at most 10^-digits of the largest absolute value.
    attempts : int
        How often the guard bits are doubled.

    Returns
    -------
    (T,) ndarray of arb
        Cost O(J sqrt(T)) exponentials and O(J T) multiplications if equidistant, else O(J T) exponentials.

    Raises
    ------
    CertificationError
        If the radii stay too large: the parameters of the kernel are themselves inexact, or precision does not suffice.
    InputError
        For bad times, and lags that are not integers >= 0.

    Examples
    --------
    >>> from hippo_theory.families import LegS
    >>> from hippo_theory.kernels import certified_kernel, diagonal_kernel
    >>> values = certified_kernel(lambda ring: diagonal_kernel(LegS(8), 0, ring), ["0", "0.1", "0.2"], 30)
    >>> float(values[0]), len(values)
    (0.5, 3)
    """
    if isinstance(kernel, tuple):
        kernel = exact_exponential_sum(*kernel)
    exact_times = [time if isinstance(time, Fraction) else exact_fraction(time) for time in times]
    if not isinstance(kernel, ExponentialSum):
        make = kernel
        return _raised(lambda ring: _values(make(ring), exact_times, ring), digits, relative_to, _GUARD_BITS, attempts)
    fixed, guard_bits = kernel, _GUARD_BITS
    if not _is_exact(fixed):  # more bits than it was made with cannot help
        guard_bits, attempts = max(_GUARD_BITS, fixed.bits - math.ceil(digits * math.log2(10))), 1
    return _raised(lambda ring: _values(fixed, exact_times, ring), digits, relative_to, guard_bits, attempts)


def _is_exact(kernel: ExponentialSum) -> bool:
    parts = (kernel.real_coefficients, kernel.real_rates, kernel.coefficients, kernel.rates)
    # Asked without forming the radius as a fraction: its exponent may be astronomical.
    return all(
        value.is_exact() if isinstance(value, arb) else value.real.is_exact() and value.imag.is_exact()
        for part in parts
        for value in part
    )


def _raised(
    compute: Callable[[Balls], list[Any]], digits: int, relative_to: Relative, guard_bits: int, attempts: int
) -> Array:
    """Evaluate at growing precision until `_radii_suffice`."""
    digits = checked_size("digits", digits)
    if relative_to not in ("each", "largest"):
        raise InputError(f"`relative_to` must be each or largest, got {relative_to!r}")
    for _ in range(checked_size("attempts", attempts)):
        bits = math.ceil(digits * math.log2(10)) + guard_bits
        with balls(bits).work() as ring:
            values = compute(ring)
            if _radii_suffice(values, digits, relative_to):
                result = np.empty(len(values), dtype=object)
                result[:] = values
                return result
        guard_bits *= 2
    raise CertificationError(
        f"could not certify {digits} digits with {bits} bits of working precision; ask for fewer digits, raise "
        "`attempts`, or give the kernel as a function of the precision if its parameters are inexact"
    )


def _radii_suffice(values: Sequence[Any], digits: int, relative_to: Relative) -> bool:
    """Decided in balls: a comparison that holds is proved."""
    target = arb(10) ** -digits
    if not all(value.is_finite() for value in values):
        return False
    if relative_to == "largest":
        largest = max((arb(value.abs_lower()) for value in values), default=arb(0), key=float)
        return all(bool(value.rad() <= largest * target) for value in values)
    return all(
        bool(value.rad() <= arb(value.abs_lower()) * target) or bool(arb(value.abs_upper()) <= target)
        for value in values
    )


def _values(kernel: ExponentialSum, times: list[Fraction], ring: Balls) -> list[Any]:
    """The kernel at all times, at the precision now in force."""
    if kernel.step is not None and any(time.denominator != 1 or time < 0 for time in times):
        raise InputError("`times` of a discrete kernel are lags: integers >= 0")
    if not times or not len(kernel.real_rates) + len(kernel.rates):
        return [arb(0)] * len(times)
    inner = math.isqrt(len(times) - 1) + 1 if _are_equidistant(times) else 1
    gap = times[1] - times[0] if inner > 1 else Fraction(0)
    left = _rows(kernel, times[::inner], ring, inner > 1, True)
    right = _rows(kernel, [gap * m for m in range(inner)], ring, inner > 1, False)
    product = arb_mat([list(row) for row in zip(*left, strict=True)]) * arb_mat(right)
    return list(product.entries()[: len(times)])


def _are_equidistant(times: list[Fraction]) -> bool:
    """Whether they increase by equal steps, exactly (in integers, which are faster than Fractions)."""
    scale = math.lcm(*(time.denominator for time in times))
    ticks = [time.numerator * (scale // time.denominator) for time in times]
    return len(times) > 3 and ticks[1] > ticks[0] and ticks == list(range(ticks[0], ticks[-1] + 1, ticks[1] - ticks[0]))


def _rows(kernel: ExponentialSum, times: list[Fraction], ring: Balls, regular: bool, weighted: bool) -> list[list[Any]]:
    """For every exponential its values at the times: one real row, or two (2 Re c z, -2 Im c z; unweighted Re z, Im z).

    Equidistant times cost one exponential for the first, one for the gap, and a product each; the products lose a few
    bits, which the radii know.
    """
    regular = regular and len(times) > 1
    chosen = [times[0], times[1] - times[0]] if regular else times
    points = [ring.number(time) if kernel.step is None else int(time) for time in chosen]

    def powers(rate: Any) -> list[Any]:
        terms = [(rate * point).exp() if kernel.step is None else rate**point for point in points]
        return _geometric(terms[0], terms[1], len(times)) if regular else terms

    rows = []
    for rate, c in zip(kernel.real_rates, kernel.real_coefficients, strict=True):
        values = powers(rate)
        rows.append([c * value for value in values] if weighted else values)
    for rate, c in zip(kernel.rates, kernel.coefficients, strict=True):
        values = powers(acb(rate))
        if weighted:
            factor = 2 * acb(c)
            values = [factor * value for value in values]
        rows.append([value.real for value in values])
        rows.append([-value.imag for value in values] if weighted else [value.imag for value in values])
    return rows


def _geometric(first: Any, ratio: Any, count: int) -> list[Any]:
    terms = [first]
    for _ in range(count - 1):
        terms.append(terms[-1] * ratio)
    return terms


# --- the kernel of a whole LegS system ---------------------------------------------------------------------------------


class BoundedValues(NamedTuple):
    """Float64 values, and a proved bound on the absolute error of each."""

    values: Array
    bounds: Array


def _legs_row(C: Any) -> Array:
    row = np.atleast_1d(np.asarray(C))
    if row.ndim != 1 or not len(row):
        raise InputError(f"`C` must be one row of N >= 1 numbers, got shape {row.shape}")
    return row


def legs_kernel(C: Any, times: Any) -> BoundedValues:
    r"""The kernel of the whole LegS system, K(t) = C e^(A t) B, by Clenshaw's recurrence in float64.

        K(t) = e^(-t) b_0,   b_k = C_k R_k + (2k+1)/(k+1) x b_{k+1} - (k+1)/(k+2) b_{k+2},   x = 2 e^(-t) - 1.

    No matrix, no cancellation of large terms: each rounding is an error d_k of a coefficient C_k R_k, and because
    abs(P_k(x)) <= 1 it changes b_0 by at most abs(d_k).

    Parameters
    ----------
    C : (N,) array_like of float64
    times : (T,) array_like of float64, >= 0, exact as given

    Returns
    -------
    BoundedValues
        ``values`` and ``bounds``, (T,) each. O(N) per time, O(N + T) memory.

    Raises
    ------
    InputError
        If a time is negative, or something is not finite or not one row.

    Notes
    -----
    With u = 2^-53 and exp within 4 units in the last place (8 u e^-t), x is known to e_x = 17 u e^-t + u abs(x).
    Step k, where the quotients are within u, has abs(d_k) <= 3 u abs(C_k R_k) + 5 u (abs(p) + abs(q)) + u abs(b_k) +
    2 e_x abs(b_{k+1}), with p and q the two products. The sum of these, summed beside the values and enlarged by 1 %
    for its own rounding (N up to 10^12), plus the rounding of the last product, is the bound. Underflow adds at most
    N 2^-1060.

    Examples
    --------
    >>> from hippo_theory.kernels import legs_kernel
    >>> values, bounds = legs_kernel([1.0, 0.5, 0.25], [0.0, 1.0])
    >>> bool(abs(values[0] - (1 + 0.5 * 3**0.5 + 0.25 * 5**0.5)) <= bounds[0] < 1e-13)
    True
    """
    row = _legs_row(C).astype(np.float64)
    points = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if points.ndim != 1 or not (np.isfinite(row).all() and np.isfinite(points).all() and (points >= 0).all()):
        raise InputError("`C` and `times` must be rows of finite numbers, and the times >= 0")
    with np.errstate(under="ignore"):
        decay = np.exp(-points)
    x = 2 * decay - 1
    x_error = 17 * _U * decay + _U * np.abs(x)
    terms = row * np.sqrt(2.0 * np.arange(len(row)) + 1)
    following, current, error = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    with np.errstate(under="ignore"):
        for k in range(len(row) - 1, -1, -1):
            first = ((2 * k + 1) / (k + 1)) * x * current
            second = ((k + 1) / (k + 2)) * following
            value = terms[k] + (first - second)
            error += 3 * _U * abs(terms[k]) + 5 * _U * (np.abs(first) + np.abs(second)) + _U * np.abs(value)
            error += 2 * x_error * np.abs(current)
            following, current = current, value
        values = decay * current
        bounds = 1.01 * (decay * error + 10 * _U * np.abs(values)) + len(row) * 2.0**-1060
    return BoundedValues(values, bounds)


def certified_legs_kernel(
    C: Iterable[Any], times: Iterable[Any], digits: int = 30, *, relative_to: Relative = "each", attempts: int = 8
) -> Array:
    """The kernel of the whole LegS system, K(t) = C e^(A t) B, as balls, by Clenshaw's recurrence.

    The formula of `legs_kernel`. Radii grow like (1 + sqrt 2)^N in the recurrence, so the first attempt has 1.3 N more
    bits than the digits need.

    Parameters
    ----------
    C : (N,) iterable of exact numbers
        Ints, Fractions, floats (exact) or decimal strings.
    times : (T,) iterable of exact numbers >= 0
    digits, relative_to, attempts
        As in `certified_kernel`.

    Returns
    -------
    (T,) ndarray of arb
        O(N) ball operations per time.

    Raises
    ------
    CertificationError
        If the radii stay too large.
    InputError
        For numbers that are none, negative times, and an empty C.

    Examples
    --------
    >>> from hippo_theory.kernels import certified_legs_kernel
    >>> print(certified_legs_kernel([0, 0, 1], ["0.5"], 25)[0].str(25, radius=False))
    -0.5857716068148160096445988
    """
    row = [exact_fraction(c) for c in C]
    points = [exact_fraction(time) for time in times]
    if not row or any(point < 0 for point in points):
        raise InputError("`C` must have at least one entry, and `times` be >= 0")

    def compute(ring: Balls) -> list[Any]:
        terms = [ring.number(c) * ring.sqrt(ring.number(2 * k + 1)) for k, c in enumerate(row)]
        steps = [
            (ring.number(Fraction(2 * k + 1, k + 1)), ring.number(Fraction(k + 1, k + 2))) for k in range(len(row))
        ]
        downward = [(term, *step) for term, step in zip(terms, steps, strict=True)][::-1]
        values = []
        for point in points:
            decay = (-ring.number(point)).exp()
            x = 2 * decay - 1
            following, current = arb(0), arb(0)
            for term, a, b in downward:
                following, current = current, term + a * x * current - b * following
            values.append(decay * current)
        return values

    return _raised(compute, digits, relative_to, _GUARD_BITS + math.ceil(1.3 * len(row)), attempts)
