"""Correct rounding of balls to the number formats of machines."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from flint import acb, arb

from hippo_theory.arithmetic.certification import dyadic
from hippo_theory.arithmetic.number_systems import Balls, balls, to_ball
from hippo_theory.errors import CertificationError, InputError, MissingDependencyError

__all__ = ["nearest", "nearest_certified"]


# Significand bits (with the hidden one) and exponent range of the IEEE-like formats: value = s 2^(e-p+1), emin <= e <= emax.
_FORMATS = {
    "float16": (11, -14, 15),
    "bfloat16": (8, -126, 127),
    "float32": (24, -126, 127),
    "float64": (53, -1022, 1023),
}
_COMPLEX_PARTS = {"complex64": "float32", "complex128": "float64"}


def _round_half_even(mantissa: int, exponent: int, form: str) -> float:
    """The number of the format nearest to mantissa 2^exponent, ties to even, as a Python float (exact for all formats)."""
    precision, smallest, largest = _FORMATS[form]
    if mantissa == 0:
        return 0.0
    sign, size = (-1, -mantissa) if mantissa < 0 else (1, mantissa)
    quantum = max(size.bit_length() + exponent - 1, smallest) - (precision - 1)
    shift = quantum - exponent
    if shift <= 0:
        significand = size << -shift
    else:
        significand = size >> shift
        remainder, half = size - (significand << shift), 1 << (shift - 1)
        if remainder > half or (remainder == half and significand & 1):
            significand += 1
    if significand.bit_length() + quantum - 1 > largest:
        raise InputError(f"the value is beyond the range of {form} (about 2^{largest + 1}); use a wider dtype")
    return sign * math.ldexp(significand, quantum)


def _nearest_float(ball: Any, form: str) -> float:
    """The number of the format that is nearest to every point of a real ball."""
    if not ball.is_finite():
        raise CertificationError("the ball is not finite; raise the working precision")
    middle, exponent = dyadic(ball.mid())
    radius, radius_exponent = dyadic(ball.rad())
    if radius == 0:
        return _round_half_even(middle, exponent, form)
    shared = min(exponent, radius_exponent)
    middle <<= exponent - shared
    radius <<= radius_exponent - shared
    low = _round_half_even(middle - radius, shared, form)
    if low != _round_half_even(middle + radius, shared, form):
        raise CertificationError(
            f"the ball {ball} does not decide its nearest {form}; raise the working precision (bits)"
        )
    return low


def _resolve_dtype(dtype: Any) -> tuple[str, Any]:
    """Name of the real format of `dtype`, and the NumPy dtype of the result."""
    name = getattr(dtype, "__name__", None) or getattr(dtype, "name", None) or str(dtype)
    real_form = _COMPLEX_PARTS.get(name, name)
    if real_form not in _FORMATS:
        allowed = ", ".join([*_FORMATS, *_COMPLEX_PARTS])
        raise InputError(f"`dtype` must be one of {allowed}; got {dtype!r}")
    if name == "bfloat16":
        try:
            import ml_dtypes
        except ImportError as error:
            raise MissingDependencyError('bfloat16 arrays need ml_dtypes: pip install "hippo_theory[files]"') from error
        return name, np.dtype(ml_dtypes.bfloat16)
    return real_form, np.dtype(name)


def nearest(values: Any, dtype: Any = "float64") -> Any:
    """Round balls (or exact numbers) to the nearest machine number, proved for every point of each ball.

    Parameters
    ----------
    values : ball, exact number, or array of them
    dtype : str or dtype
        float16, bfloat16, float32, float64, complex64 or complex128. A complex value with a real dtype becomes a
        trailing pair (real, imaginary), the form in which float16 and bfloat16 files store complex numbers.

    Returns
    -------
    scalar or ndarray of `dtype`
        Correctly rounded, ties to even; gradual underflow as in IEEE 754.

    Raises
    ------
    CertificationError
        If a ball touches a point half way between two machine numbers.
    InputError
        If a value is outside the range of `dtype`.

    Examples
    --------
    >>> from hippo_theory.arithmetic import nearest, to_ball
    >>> float(nearest(to_ball("0.1"), "float64")) == 0.1
    True
    >>> float(nearest(to_ball("0.1"), "float16"))
    0.0999755859375
    """
    form, target = _resolve_dtype(dtype)
    array = np.asarray(values, dtype=object)
    flat = [value if isinstance(value, (arb, acb)) else to_ball(value, 256) for value in array.ravel()]
    is_complex = target.kind == "c"
    pairs = not is_complex and any(isinstance(value, acb) for value in flat)
    rounded: dict[int, Any] = {}  # matrices share elements: round each object once
    if not is_complex and not pairs:
        for value in flat:
            if id(value) not in rounded:
                rounded[id(value)] = _nearest_float(value, form)
        result = np.array([rounded[id(value)] for value in flat], dtype=np.float64).astype(target)
        return result.reshape(array.shape)[()]
    for value in flat:
        if id(value) not in rounded:
            rounded[id(value)] = (_nearest_float(acb(value).real, form), _nearest_float(acb(value).imag, form))
    parts = np.array([rounded[id(value)] for value in flat], dtype=np.float64).reshape(*array.shape, 2)
    if pairs:
        return parts.astype(target)
    return (parts[..., 0] + 1j * parts[..., 1]).astype(target)[()]


def nearest_certified(
    compute: Callable[[Balls], Any], dtype: Any = "float64", *, bits: int = 96, attempts: int = 6
) -> Any:
    """Evaluate in balls, at a precision that is doubled until `nearest` is decided for every element.

    Raises
    ------
    CertificationError
        If the last attempt is still undecided (a value half way between two machine numbers that balls cannot see to
        be exact).
    """
    for attempt in range(attempts):
        with balls(bits << attempt).work() as arithmetic:
            values = compute(arithmetic)
        try:
            return nearest(values, dtype)
        except CertificationError:
            if attempt == attempts - 1:
                raise
    raise AssertionError("unreachable: the loop returns or raises")
