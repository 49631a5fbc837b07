"""Eigenvalues that are none of the known starts: moved by training, random, or unknown."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.findings import Finding, Part
from hippo_theory.validation.matching import align
from hippo_theory.validation.reading import Parameters
from hippo_theory.validation.references import Reference, references

__all__ = ["moves_from", "nonfinite", "unrecognized"]

Array = NDArray[Any]

_TRAINED = 0.5  # median relative move of the eigenvalues up to which a start is recognized


def moves_from(reference: Reference, ordered: Array) -> Array:
    """How far eigenvalues (..., n) in the order of a reference have moved, relative to the moduli, those near 0 raised."""
    moduli = np.abs(reference.Lambda)
    return np.asarray(np.abs(ordered - reference.Lambda) / np.maximum(moduli, 0.05 * float(np.median(moduli)) + 1e-12))


def nonfinite(parameters: Parameters, part: str, n: int) -> Finding:
    """The finding for tensors that hold NaN or infinity."""
    parts = {part: Part("deviates", why="holds NaN or infinity", cause="nonfinite")}
    names = (parameters.tensors, parameters.prefix, parameters.layout)
    return Finding(*names, "unknown", None, None, n, 1, parts)


def unrecognized(parameters: Parameters, values: Array) -> tuple[Finding, Reference | None]:
    """The finding for eigenvalues (n,) that nothing explains, and the start that they have moved from, if they have."""
    n = len(values)
    names = (parameters.tensors, parameters.prefix, parameters.layout)
    constant = np.ptp(values.real) <= 1e-6 * np.abs(values.real).max(initial=1e-300)
    nearest = _nearest(values)
    # A real part that has not moved at all beside imaginary parts that have: no training does that.
    if nearest is not None and n > 1 and not (constant and np.ptp(values.imag) > 0 and nearest[1] > 0.05):
        reference, move, largest = nearest
        why = f"nearest to {reference.id}: eigenvalues have moved by {move:.2%} (median), {largest:.2%} (largest)"
        part = Part("trained", max_relative_error=largest, why=why, cause="trained")
        return Finding(*names, reference.id, reference.convention, reference.N, n, 1, {"Lambda": part}), reference
    if constant and abs(values.real[0] + 0.5) < 1e-3 and n > 1:
        part = Part("random", why="real parts are -1/2, imaginary parts are those of no closed form", cause="random")
        return Finding(*names, "s4d-rand", None, 2 * n, n, 1, {"Lambda": part}), None
    part = Part("random", why="near no known start", cause="random")
    return Finding(*names, "random", None, None, n, 1, {"Lambda": part}), None


def _nearest(values: Array) -> tuple[Reference, float, float] | None:
    """The nearest start and how far eigenvalues have moved from it: median and largest; None where that is too far."""
    best = None
    for reference in references(len(values)):
        moves = moves_from(reference, align(values, reference)[2])
        move = float(np.median(moves))
        if best is None or move < best[1]:
            best = (reference, move, float(moves.max()))
    return best if best is not None and best[1] <= _TRAINED else None
