"""Exact values of what people and programs write down: decimals, fractions, floats, complex points."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq, fmpz

from hippo_theory.errors import InputError

__all__ = ["exact_complex", "exact_fraction"]


def exact_fraction(value: Any) -> Fraction:
    """The exact value of an int, Fraction, float or decimal string such as ``"0.37"`` (37/100) or ``"1/3"``.

    Raises
    ------
    InputError
        If the value is not a finite number.
    """
    try:
        if isinstance(value, fmpq):
            return Fraction(int(value.p), int(value.q))
        if isinstance(value, (np.integer, fmpz)):
            return Fraction(int(value))
        return Fraction(value)
    except (ValueError, OverflowError, TypeError, ZeroDivisionError) as error:
        raise InputError(
            f"{value!r} is not a number; write a decimal such as 0.37 or a fraction such as 1/3"
        ) from error


def exact_complex(value: Any) -> tuple[Fraction, Fraction]:
    """Real and imaginary part, exactly, of a number or of a string such as ``"0.25+1j"``, ``"2j"`` or ``"-0.5"``.

    Raises
    ------
    InputError
        If it is not a complex decimal.

    Examples
    --------
    >>> from hippo_theory.arithmetic import exact_complex
    >>> exact_complex("0.25-1j")
    (Fraction(1, 4), Fraction(-1, 1))
    """
    if isinstance(value, (complex, np.complexfloating)):
        return exact_fraction(value.real), exact_fraction(value.imag)
    if not isinstance(value, str):
        return exact_fraction(value), Fraction(0)
    text = re.sub(r"\s*([+-])\s*", r"\1", value.strip().strip("()").strip())
    real, imaginary = text, "0"
    if text[-1:] in ("j", "J", "i"):
        text = text[:-1]
        # The sign that separates the parts is the last one that neither opens the string nor belongs to an exponent.
        cut = max((k for k in range(1, len(text)) if text[k] in "+-" and text[k - 1] not in "eE"), default=0)
        real, imaginary = text[:cut] or "0", text[cut:]
        if imaginary in ("", "+", "-"):
            imaginary += "1"
    try:
        return exact_fraction(real), exact_fraction(imaginary)
    except InputError as error:
        raise InputError(f"{value!r} is not a complex number; write 0.5, 2j or 0.25+1j") from error
