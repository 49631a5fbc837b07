"""Multipliers of a discretized diagonal system, and the eigenvalues and the step that they come from.

By zero-order hold lambda_bar = e^(dt lambda), by the bilinear rule (1 + dt lambda/2)/(1 - dt lambda/2). Both are undone by
a function w of lambda_bar, dt lambda = log(lambda_bar), and 2 (lambda_bar - 1)/(lambda_bar + 1). The logarithm leaves
multiples of 2 pi i open where |dt Im lambda| > pi: they are taken from the starts that there are.
Every start with real part -1/2 then shows its step: Re w = -dt/2, the same for all. An error e of lambda_bar becomes
|w'| e/dt in lambda, and that of the step, of relative size |w'| e/(dt/2), moves all of them alike.

The normal parts of LegT, LagT and FouT are skew: |lambda_bar| = 1, and the step is only in the frequencies omega_j of the
start. By increasing frequency, w_j = i dt omega_j up to multiples of 2 pi i; each frequency unwinds the next one: the first
alone gives dt = w_1/(i omega_1), with an error e/omega_1, which foretells w_2 to e omega_2/omega_1, less than pi, and so on.
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
    """Eigenvalues of which multipliers (n,) may be the discretization, and how, in words: with real part -1/2, or 0 where all
    moduli are 1.

    Nothing where some modulus is 0 or above 1, or the real parts of w differ by more than rounding explains.
    """
    values = stored.values + 0j
    if len(values) < 3 or not np.isfinite(values).all() or not (np.abs(values) > 0).all():
        return
    # |lambda_bar| = 1 up to one rounding of what is stored and three of what formed it.
    if (np.abs(np.abs(values) - 1) <= np.abs(stored.spacing) + 4 * stored.roundoff).all():
        yield from _skew_spectra(stored)
        return
    if np.abs(values).max() >= 1:
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
        uncertain = 2 * float(np.median(error)) / estimate
        simple = nearest_simple(estimate)
        # A random step is near a number of four digits by chance, one in five times: such a number is only tried first.
        written = [(simple, 0.0)] if abs(simple - estimate) <= uncertain * estimate else []
        for step, doubt in (*written, (estimate, uncertain)):
            how = f"discretized by {method} with the step {step:.6g}"
            for turned in (undone, *(_unwound(undone, step) if method == "zoh" else ())):
                spacing = (error + doubt * np.abs(turned)) / step
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


def _skew_spectra(stored: Quantity) -> Iterator[tuple[Quantity, str]]:
    """Imaginary eigenvalues of which multipliers of modulus 1 may be the discretization, stored in increasing frequency.

    Or in decreasing, with either sign. The step is the one that fits the frequencies of a start by least squares.
    """
    values = stored.values + 0j
    n, spacing = len(values), np.abs(stored.spacing) + 4 * stored.roundoff
    for method, undone, slope in (
        ("zoh", np.log(values), np.ones(n)),
        ("bilinear", 2 * (values - 1) / (values + 1), 4 / np.abs(values + 1) ** 2),
    ):
        seen: list[float] = []
        for reference in sorted(references(n), key=lambda found: found.convention != "default"):
            frequencies = reference.Lambda.imag
            if reference.Lambda.real.any() or not frequencies.any():
                continue
            for ordered in (frequencies, frequencies[::-1], -frequencies):
                fitted = _fitted_step(undone.imag, ordered, slope * spacing, method == "zoh")
                if fitted is None or any(abs(fitted[0] / step - 1) < 1e-9 for step in seen):
                    continue
                estimate, angles, uncertain = fitted
                seen.append(estimate)
                simple = nearest_simple(estimate)
                step = simple if abs(simple - estimate) <= uncertain else estimate
                error = (slope * spacing + np.abs(angles) * uncertain / step) / step
                how = f"discretized by {method} with the step {step:.6g}"
                # By a method that keeps the modulus 1 the real part is 0, not merely small.
                yield Quantity(1j * angles / step, error * (1 + 1j), stored.dtype, stored.tensors, direct=False), how


def _fitted_step(angles: Array, frequencies: Array, errors: Array, winds: bool) -> tuple[float, Array, float] | None:
    """(dt, angles unwound, error of dt) with angles = dt frequencies; None where there is no positive such step."""
    order = np.argsort(np.abs(frequencies), kind="stable")
    unwound, step = angles.copy(), 0.0
    for index in order:
        frequency = frequencies[index]
        if frequency == 0:
            if abs(angles[index]) > errors[index]:
                return None
            continue
        if step and winds:
            unwound[index] += 2 * np.pi * np.round((step * frequency - unwound[index]) / (2 * np.pi))
        step = float(unwound[index] / frequency)  # the largest frequency so far says most
        if step <= 0:
            return None
    weights = np.where(frequencies != 0, np.abs(frequencies) / errors, 0.0)
    best = int(np.argmax(weights))
    step = float(unwound[best] / frequencies[best])
    return step, unwound, float(errors[best] / abs(frequencies[best]))
