"""Multipliers of a discretized diagonal system, and the eigenvalues and the step that they come from.

By zero-order hold lambda_bar = e^(dt lambda), by the bilinear rule (1 + dt lambda/2)/(1 - dt lambda/2). Both are undone by
a function w of lambda_bar, dt lambda = log(lambda_bar), and 2 (lambda_bar - 1)/(lambda_bar + 1). The logarithm leaves
multiples of 2 pi i open where |dt Im lambda| > pi: they are taken from the starts that there are.
Every start with real part -1/2 then shows its step: Re w = -dt/2, the same for all. An error e of lambda_bar becomes
|w'| e/dt in lambda, and that of the step, of relative size |w'| e/(dt/2), moves all of them alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.references import references

__all__ = ["continuous_spectra", "nearest_simple"]

Array = NDArray[Any]


def nearest_simple(step: float) -> float:
    """The step as it was written: the nearest decimal of 4 digits or reciprocal of an integer within 1e-4, else itself.

    Examples
    --------
    >>> nearest_simple(0.01300002), nearest_simple(0.0123137)
    (0.013, 0.0123137)
    """
    for candidate in (float(f"{step:.3e}"), 1 / round(1 / step) if 1 / step > 1 else step):
        if abs(candidate / step - 1) < 1e-4:
            return candidate
    return step


def continuous_spectra(stored: Quantity) -> Iterator[tuple[Quantity, str]]:
    """Eigenvalues with real part -1/2 of which multipliers (n,) may be the discretization, and how, in words.

    Nothing where some modulus is 0 or not below 1, or the real parts of w differ by more than rounding explains.
    """
    values = stored.values + 0j
    if len(values) < 3 or not np.isfinite(values).all() or not (np.abs(values) > 0).all() or np.abs(values).max() >= 1:
        return
    for method, undone, slope in (
        ("zoh", np.log(values), 1 / values),
        ("bilinear", 2 * (values - 1) / (values + 1), 4 / (values + 1) ** 2),
    ):
        # One rounding of what is stored, three of what formed it.
        error = np.abs(slope) * (np.abs(stored.spacing) + 4 * stored.roundoff * np.abs(values))
        middle = float(np.median(undone.real))
        if middle >= 0 or (np.abs(undone.real - middle) > 2 * error + error.min()).any():
            continue
        estimate = -2 * middle
        step = nearest_simple(estimate)
        uncertain = 0.0 if step != estimate else 2 * float(np.median(error)) / estimate
        how = f"discretized by {method} with the step {step:.6g}"
        for turned in (undone, *(_unwound(undone, step) if method == "zoh" else ())):
            spacing = (error + uncertain * np.abs(turned)) / step
            yield Quantity(turned / step, spacing * (1 + 1j), stored.dtype, stored.tensors, direct=False), how


def _unwound(logarithms: Array, step: float) -> Iterator[Array]:
    """Logarithms with the multiples of 2 pi i that the eigenvalues of a start have in their order, or in the reverse."""
    for reference in references(len(logarithms)):
        if np.ptp(reference.Lambda.real) > 0:
            continue
        for imaginary in (reference.Lambda.imag, reference.Lambda.imag[::-1]):
            for sign in (1, -1):
                turns = np.round((sign * step * imaginary - logarithms.imag) / (2 * np.pi))
                unwound = logarithms + 2j * np.pi * turns
                if turns.any() and np.abs(unwound.imag - sign * step * imaginary).max() < 0.1:
                    yield unwound
