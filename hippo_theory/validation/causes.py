"""The names of what went wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["CAUSES", "Cause", "factor_name", "is_named_factor"]

# What a cause id means: permanent, scripts may compare it.
CAUSES: dict[str, str] = {
    "clamped": "small numbers were raised to a limit",
    "clipped": "large numbers were cut to a limit",
    "conjugated": "P is conjugated against B and Lambda",
    "doubled": "one number stands twice",
    "dropped": "a vector or a low-rank term was left out: it is constant, zero, or not there",
    "entry": "single numbers are off",
    "factor": "a common factor: another time scale, or a factor of B or P",
    "float32": "computed in float32, stored in more",
    "halves": "the number of stored states was taken for the full size N, or the other way round",
    "heads": "Mamba-2: the logarithms of 1..heads",
    "imaginary": "imaginary parts where there are none",
    "index": "an index that starts one too early or too late",
    "inverse": "reciprocals",
    "logarithm": "a logarithm or an exponential too many or too few",
    "lost": "one number is missing",
    "mixed": "some numbers have another factor than the others",
    "nonfinite": "NaN or infinity, numbers whose squares overflow, or steps that are not positive",
    "order": "a vector in another order than the eigenvalues",
    "other": "another vector, related to the expected one by no simple mistake",
    "phase": "P does not fit the phases of B, or Q those of P",
    "power": "a power, as of a factor of logarithms",
    "random": "near no known start",
    "real": "another real part, the same for all eigenvalues",
    "shape": "a shape that fits nothing",
    "shift": "a constant was added",
    "sign": "the sign of all, or of some numbers",
    "squared": "squares: multiplied in twice",
    "steps": "steps that were exponentiated twice",
    "swapped": "two neighbors, or real and imaginary parts, changed places",
    "trained": "a known start that has moved",
    "transposed": "a transposed matrix, or a stack of systems of which the axes are exchanged or reshaped",
    "zero": "the zero frequency, or a pair of zeros, is handled like another one",
}

# Factors that code gets wrong, with their names.
_FACTORS = {
    0.5: "1/2",
    2.0: "2",
    np.sqrt(2): "sqrt(2)",
    np.sqrt(0.5): "1/sqrt(2)",
    0.25: "1/4",
    4.0: "4",
    np.pi: "pi",
    1 / np.pi: "1/pi",
    2 * np.pi: "2 pi",
    0.5 / np.pi: "1/(2 pi)",
    np.pi / 2: "pi/2",
    2 / np.pi: "2/pi",
}


@dataclass(frozen=True)
class Cause:
    """Why numbers deviate.

    Attributes
    ----------
    id : str
        A key of `CAUSES`.
    text : str
        For people.
    """

    id: str
    text: str


def factor_name(factor: float, precision: float = 1e-5) -> str:
    """A factor in words, where it is one that code gets wrong to a relative precision of at most 1 %.

    Examples
    --------
    >>> factor_name(1.41421356), factor_name(1.37)
    ('sqrt(2)', '1.37')
    >>> factor_name(1 + 1e-7)
    '1.0000001'
    """
    name = _named(factor, precision)
    if name is not None:
        return name
    text = f"{factor:.6g}"
    return text if text != "1" else f"{factor:.12g}"


def is_named_factor(factor: float, precision: float = 1e-5) -> bool:
    """Whether a factor is one that code gets wrong: evidence, where any other may be a fit.

    Examples
    --------
    >>> is_named_factor(1.41421356), is_named_factor(1.37)
    (True, False)
    """
    return _named(factor, precision) is not None


def _named(factor: float, precision: float) -> str | None:
    allowed = min(max(precision, 1e-5), 1e-2)
    return next((name for value, name in _FACTORS.items() if abs(factor / value - 1) < allowed), None)
