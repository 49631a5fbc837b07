"""What the errors of one stored system do to its kernel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.kernel_errors import LENGTH, KernelError, SystemArrays, kernel_error
from hippo_theory.validation.matching import Fit
from hippo_theory.validation.reading import Parameters
from hippo_theory.validation.rows import Row
from hippo_theory.validation.vectors import input_vectors

__all__ = ["stored_kernel_error"]

Array = NDArray[Any]


def stored_kernel_error(parameters: Parameters, row: Row, fit: Fit) -> KernelError | None:
    """The kernel of the stored system against that of the reference, with the output and the steps of the file."""
    reference, n = fit.reference, len(row.Lambda.values)
    steps = np.array([1e-3, 1e-2, 1e-1])
    if parameters.step is not None and parameters.step.values.size:
        values = np.sort(
            parameters.step.values[np.isfinite(parameters.step.values) & (parameters.step.values > 0)].ravel()
        )
        if values.size:
            steps = np.unique(values[[0, len(values) // 2, -1]])
    if row.P is not None:
        steps = steps[len(steps) // 2 :][:1]  # a dense kernel: one step, the middle one
    Lambda = row.Lambda.values[fit.order]
    if not (np.isfinite(Lambda).all() and Lambda.real.max() * steps.max() * LENGTH < 100):
        return None
    B = np.ones(n, complex) if row.B is None else row.B.values[fit.order] + 0j
    size = np.abs(B)
    phase = np.where(size > 0, B / np.where(size > 0, size, 1), 1)
    weight, exact_B = np.ones(n), "1 (the file has none)"
    if row.B is not None:
        options = [(name, moduli) for name, moduli, deviation in input_vectors(reference) if deviation is None]
        exact_B, weight = min(options, key=lambda option: _lower_median_distance(size, option[1]))
        exact_B = "1" if exact_B == "B" else exact_B
    C, output = phase.conj(), "phases of B, equal weights" if row.B is not None else "1"
    if parameters.C is not None and parameters.C.values.shape[-1:] == (n,) and parameters.C.values.size:
        C = parameters.C.values.reshape(-1, n)[0][fit.order] + 0j
        output = "first row of the file's"
    truth = np.where(fit.conjugated, reference.Lambda.conj(), reference.Lambda)
    counts = np.full(n, 1 if reference.form == "all" else 2)
    if reference.form == "half":
        counts[reference.Lambda.imag == 0] = 1
    if reference.id == "s4d-real":
        counts[:] = 1
    P = exact_P = None
    low_rank = reference.low_rank
    if row.P is not None and row.Q is None and low_rank is not None:
        P = row.P.values[fit.order]
        turned = np.where(fit.conjugated[:, None], low_rank.conj(), low_rank)
        if P.shape == turned.shape:
            exact_P = phase[:, None] * turned
        else:
            P = None
    stored = SystemArrays(Lambda, B, C, P, counts)
    found = kernel_error(stored, SystemArrays(truth, weight * phase, C, exact_P, counts), steps)
    return None if found is None else replace(found, inputs=f"C: {output}; exact B: {exact_B}")


def _lower_median_distance(stored: Array, truth: Array) -> float:
    """How far apart half of the moduli are, in order of size: among equal eigenvalues they have no order of their own."""
    distances = np.sort(np.abs(np.sort(stored) - np.sort(truth)))
    return float(distances[(len(distances) - 1) // 2])
