"""Numbers for people: three digits, and nothing where there is nothing."""

from __future__ import annotations

import math

__all__ = ["short", "short_ulps"]

_MANY = 1e9  # units in the last place beyond which only their being many is of interest


def short(value: float | None) -> str:
    """Three digits; a dash for what there is none of, or what is not finite.

    Examples
    --------
    >>> short(0.000123456), short(None), short(float("nan"))
    ('0.000123', '-', '-')
    """
    return "-" if value is None or not math.isfinite(value) else f"{value:.3g}"


def short_ulps(value: float | None) -> str:
    """The same of units in the last place: where the exact value is 0 a unit is the smallest number that there is.

    Examples
    --------
    >>> short_ulps(0.25), short_ulps(1e44)
    ('0.25', '> 1e9')
    """
    return "> 1e9" if value is not None and value > _MANY else short(value)
