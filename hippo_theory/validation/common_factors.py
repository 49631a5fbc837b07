"""One factor of all eigenvalues, or of their imaginary parts, and when such a factor says anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.causes import Cause, factor_name, is_named_factor
from hippo_theory.validation.damaged import Damaged
from hippo_theory.validation.matching import DOUBLE

__all__ = ["common_factors", "factor_interval", "facts"]

Array = NDArray[Any]


def factor_interval(stored: Array, truth: Array, bound: Array) -> tuple[float, float] | None:
    """The real factors r with abs(stored - r truth) <= bound for all entries (n,), as an interval; None if there is none.

    Each entry allows an interval of factors, so that the ratio of two rounded numbers is known no better than its entry: of
    -exp(t) with t in bfloat16 to 3 %. The hypothesis holds if the intervals meet.

    Examples
    --------
    >>> low, high = factor_interval(np.array([2.0, 4.1]), np.array([1.0, 2.0]), np.array([0.1, 0.2]))
    >>> round(low, 3), round(high, 3)
    (1.95, 2.1)
    >>> factor_interval(np.array([2.0, 4.1]), np.array([1.0, 2.0]), np.array([0.01, 0.02])) is None
    True
    """
    size = np.abs(truth)
    zero = size == 0
    if (np.abs(stored[zero]) > bound[zero]).any() or zero.all():
        return None
    stored, truth, size = stored[~zero], truth[~zero], size[~zero]
    bound = bound[~zero] + 4 * DOUBLE * np.abs(stored)  # the ratio is rounded itself
    with np.errstate(all="ignore"):
        middle = (stored * np.conj(truth)).real / size**2
        left = bound**2 - np.abs(stored - middle * truth) ** 2
    if not (np.isfinite(left) & (left >= 0)).all():
        return None
    half = np.sqrt(left) / size
    low, high = float((middle - half).max()), float((middle + half).min())
    return (low, high) if low <= high else None


def facts(truth: Array) -> int:
    """How many numbers a spectrum (n,) says: what a fit with as many free parameters meets whatever is stored.

    Evenly spaced numbers are given by their start, which says nothing where it is 0, and their distance. So -1/2 + i pi n
    says two numbers: with a free factor of the imaginary and a free real part it is any line of evenly spaced numbers.

    Examples
    --------
    >>> n = np.arange(8)
    >>> facts(-0.5 + 1j * np.pi * n), facts(-1.0 - n + 0j), facts(np.full(8, -1.0 + 0j)), facts(-0.5 + 1j * n**2)
    (2, 2, 1, 8)
    """
    return sum(_facts(np.sort(part)) for part in (truth.real, np.abs(truth.imag)))


def _facts(part: Array) -> int:
    scale = float(np.abs(part).max(initial=0.0))
    if scale == 0:
        return 0
    distances = np.diff(part)
    different = distances[distances > 1e-9 * scale]  # conjugates have the same size
    distinct = 1 + len(different)
    if distinct > 2 and np.ptp(different) > 1e-9 * scale:
        return distinct - int(np.abs(part).min() <= 1e-9 * scale)
    start = int(np.abs(part).min() > 1e-9 * scale)
    return start + (distinct > 1)


def common_factors(damaged: Damaged) -> Iterator[tuple[Cause, float]]:
    """The hypotheses of one factor, each with its cost.

    A factor that code gets wrong (1/2, sqrt(2), pi, ...) is evidence; any other is a free parameter, and then the truth has
    to say more than the fit has parameters.
    """
    values, truth = damaged.folded, damaged.truth
    said = facts(truth)
    # Of multiples of one frequency a named factor is evidence, of a constant nothing is.
    if len(values) != len(truth) or said < (1 if truth.imag.any() else 2) or not np.isfinite(values).all():
        return
    ours, theirs = damaged.paired(values)
    values, truth, bound = values[ours], truth[theirs], damaged.bound[theirs]

    def found(stored: Array, expected: Array, bound: Array, free: int) -> tuple[float, str] | None:
        usable = np.abs(expected) > 0
        if not usable.any():
            return None
        # Errors of what is multiplied grow with the factor.
        rough = float(np.median(np.abs(stored[usable]) / np.abs(expected[usable])))
        interval = factor_interval(stored, expected, bound * max(1.0, rough))
        if interval is None or interval[0] <= 0 or interval[0] <= 1 <= interval[1]:
            return None
        middle = (interval[0] + interval[1]) / 2
        precision = (interval[1] - interval[0]) / (2 * middle)
        if said <= free and not is_named_factor(middle, precision):
            return None
        return middle, factor_name(middle, precision)

    if (ratio := found(values, truth, bound, 1)) is not None:
        yield Cause("factor", f"another time scale: Lambda is {ratio[1]} times the expected; divide by it"), 1
    if not truth.imag.any():
        return
    real = values.real - truth.real
    ratio = found(values.imag, truth.imag, bound, 1)
    if ratio is not None and (np.abs(real) <= bound).all():
        yield Cause("factor", f"imaginary parts are {ratio[1]} times the expected, real parts are right"), 1.2
    offset = float(np.median(real))
    constant = np.ptp(truth.real) == 0 and (np.abs(real - offset) <= bound).all() and abs(offset) > damaged.largest
    ratio = found(values.imag, truth.imag, bound, 2)
    if constant and ratio is not None:
        text = f"imaginary parts are {ratio[1]} times the expected, real parts are off by {offset:.6g}"
        yield Cause("factor", text), 1.4
