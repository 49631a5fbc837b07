"""Eigenvalues that are none of the known starts: moved by training, random, or unknown."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.findings import Finding, Part
from hippo_theory.validation.matching import align
from hippo_theory.validation.moves import is_near, likeliest_start, moves_from, percent
from hippo_theory.validation.reading import Parameters
from hippo_theory.validation.references import Reference

__all__ = ["nonfinite", "unrecognized"]

Array = NDArray[Any]


def nonfinite(parameters: Parameters, part: str, n: int) -> Finding:
    """The finding for tensors that hold NaN or infinity."""
    parts = {part: Part("deviates", why="holds NaN or infinity", cause="nonfinite")}
    names = (parameters.tensors, parameters.prefix, parameters.layout)
    return Finding(*names, "unknown", None, None, n, 1, parts)


def unrecognized(parameters: Parameters, values: Array) -> tuple[Finding, Reference | None]:
    """The finding for eigenvalues (n,) that nothing explains, and the start that they have moved from, if they have.

    They have if they are nearer to it than random spectra are to their nearest starts, and if no simple mistake explains
    them: training moves all numbers, each by something else.
    """
    n = len(values)
    names = (parameters.tensors, parameters.prefix, parameters.layout)
    constant = np.ptp(values.real) <= 1e-6 * np.abs(values.real).max(initial=1e-300)
    reference, distance = likeliest_start(values)
    if n > 1 and reference is not None and is_near(reference, distance):
        moves = moves_from(reference, align(values, reference)[2])
        move, largest = float(np.median(moves)), float(moves.max())
        # A real part that has not moved at all beside imaginary parts that have: no training does that.
        if not (constant and np.ptp(values.imag) > 0 and move > 0.05):
            why = f"nearest to {reference.id}: eigenvalues have moved by {percent(move)} (median), {percent(largest)} (largest)"
            part = Part("trained", max_relative_error=largest, why=why, cause="trained")
            return Finding(*names, reference.id, reference.convention, reference.N, n, 1, {"Lambda": part}), reference
    if constant and abs(values.real[0] + 0.5) < 1e-3 and n > 1:
        part = Part("random", why="real parts are -1/2, imaginary parts are those of no closed form", cause="random")
        return Finding(*names, "s4d-rand", None, 2 * n, n, 1, {"Lambda": part}), None
    why = "near no known start"
    if reference is not None and n > 1:
        why += f": the nearest, {reference.id}, is no nearer than it is to random numbers"
    part = Part("random", why=why, cause="random")
    return Finding(*names, "random", None, None, n, 1, {"Lambda": part}), None
