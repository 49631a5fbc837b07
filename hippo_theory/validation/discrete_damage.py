"""Discretized dense matrices of which single entries are wrong, or that have moved as a whole."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.discretizations import discretize_dense
from hippo_theory.errors import InputError
from hippo_theory.validation.dense_matches import DenseMatch, relative_error
from hippo_theory.validation.discrete_bounds import rounding_bound
from hippo_theory.validation.discrete_candidates import NEAR, Candidate, candidates
from hippo_theory.validation.discrete_matrices import LARGEST_DISCRETE, input_terms, slope_of
from hippo_theory.validation.discrete_spectra import nearest_simple
from hippo_theory.validation.matching import DOUBLE, SINGLE, Comparison
from hippo_theory.validation.moved_matrices import standing_out
from hippo_theory.validation.moves import percent
from hippo_theory.validation.quantities import Quantity

__all__ = ["damaged_discretization"]

Array = NDArray[Any]

_SMALLEST = 4  # states: of fewer a step fits too much
_FAR = 0.3  # relative residuals that a single wrong entry may leave
_FEW = 0.1  # share of the entries that may be single ones
_ROUNDS = 12


def damaged_discretization(A: Quantity) -> DenseMatch | None:
    """A as a discrete Abar of a family, but for single entries or for small moves of all; None if it is none.

    Examples
    --------
    >>> import hippo_theory as ht, scipy.linalg
    >>> from hippo_theory.validation.quantities import quantity
    >>> Abar = scipy.linalg.expm(0.01 * ht.LegS(8).A)
    >>> Abar[5, 2] *= -1
    >>> damaged_discretization(quantity(Abar, "float64")).part.why
    'discretized by zoh with the step 0.01; 1 of 64 entries is off, the first at [5, 2]'
    """
    if np.iscomplexobj(A.values) or not _SMALLEST <= len(A.values) <= LARGEST_DISCRETE:
        return None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of matrices that are nearly singular
        found = [_compared(A, candidate) for candidate in candidates(A.values, _FAR)]
    return min((match for match in found if match is not None), key=lambda match: match.cost, default=None)


def _compared(A: Quantity, candidate: Candidate) -> DenseMatch | None:
    reference, turned, method, step = candidate
    truth, negative, step = np.sign(step) * reference.approximate, step < 0, abs(step)
    if np.isnan(step):
        return None
    if method == "forward_euler" and step * float(np.linalg.norm(truth, 2)) > 2:
        return None  # unstable, and A itself would be a discretization
    stored = A.as_held() or A
    values, spacing = (array.T if turned else array for array in (stored.values, np.abs(stored.spacing)))
    try:
        for number in range(_ROUNDS):
            Abar, Bbar = discretize_dense(truth, reference.B, method, step)
            slope = slope_of(truth, Abar, method, step)
            change = _robust(values - Abar, slope)
            if not (np.isfinite(change) and abs(change) < step / 2):
                return None
            moving = slope != 0
            usual = float(np.median(step * np.abs(slope[moving])))
            if number > 1 and not np.median(np.abs(values - Abar)[moving]) <= _FAR * usual:
                return None  # it does not come near
            step += change
            if abs(change) <= 1e-12 * step:
                break
        simple = nearest_simple(step)
        Abar, Bbar = discretize_dense(truth, reference.B, method, step)
        bound = rounding_bound(truth, Abar, method, step, min(stored.roundoff, SINGLE) + DOUBLE) + spacing
        uncertain = float(np.linalg.norm(bound) / np.linalg.norm(slope))
        if abs(simple - step) <= uncertain:
            Abar, Bbar = discretize_dense(truth, reference.B, method, simple)
            step = simple
        terms = input_terms(truth, Abar, reference.B, method, step)
    except (InputError, np.linalg.LinAlgError):
        return None
    bound = bound + uncertain * np.abs(slope)
    errors = np.abs(values - Abar)
    if not np.isfinite(errors).all():
        return None
    wrong, there = errors > bound, (Abar != 0) | (values != 0)
    text = f"discretized by {method} with the step {step:.6g}" + (" of -A" if negative else "")
    text += "; "
    if 0 < wrong.sum() <= max(1, _FEW * there.sum()):
        single, cause = wrong, "entry"
    else:
        apart = float(np.linalg.norm(values - np.mean(np.diag(values)) * np.eye(len(values))))
        single = standing_out(values - np.eye(len(values)), Abar - np.eye(len(values)))
        if not wrong.any() or float(np.linalg.norm(errors[~single])) > NEAR * apart:
            return None
        cause = "entry" if single.any() else "trained"
    comparison = Comparison(errors, Abar, np.inf, bound, relative_error(errors, Abar))
    part = replace(comparison.part("deviates" if cause == "entry" else "trained"), ulps=None, cause=cause)
    count = int(single.sum())
    if cause == "entry":
        row, column = np.argwhere(single.T if turned else single)[0]
        verb = "is" if count == 1 else "are"
        text += f"{count} of {wrong.size} entries {verb} off, the first at [{row}, {column}]"
    else:
        moved = np.abs((values - Abar)[Abar != 0] / Abar[Abar != 0])
        text = f"nearest to {reference.id} {text}entries have moved by {percent(float(np.median(moved)))} (median)"
    part = replace(part, why=("A is transposed; " if turned else "") + text)
    share = float(wrong[there].mean())
    return DenseMatch(reference, step * Bbar, part, share + turned / 10 + negative / 10, step, input_terms=terms)


def _robust(residual: Array, slope: Array) -> float:
    """The change of the step for which sum |residual - change slope| is least: by weights, which single entries hardly move."""
    change = float((slope * residual).sum() / (slope * slope).sum())
    smallest = 1e-15 * float(np.abs(slope).max())
    for _ in range(30):
        left = np.abs(residual - change * slope)
        weights = 1 / np.maximum(left, max(smallest, 1e-12 * float(left.max())))
        change = float((weights * slope * residual).sum() / (weights * slope * slope).sum())
    return change
