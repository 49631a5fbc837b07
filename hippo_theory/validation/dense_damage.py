"""Dense matrices of which single entries are wrong, or that have moved as a whole, or both."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.causes import Cause, factor_name
from hippo_theory.validation.dense_matches import DenseMatch, judged_entries
from hippo_theory.validation.matching import SINGLE
from hippo_theory.validation.moved_matrices import MovedMatrix, is_spread, standing_out
from hippo_theory.validation.moves import percent
from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.references import DenseReference

__all__ = ["damaged", "moved_or_damaged"]

Array = NDArray[Any]

_NEAR = 1e-2  # relative to each entry: cheap, before the certified matrix of a start is formed


def damaged(A: Quantity, references: list[DenseReference]) -> DenseMatch | None:
    """Most entries right: what is wrong with the others?"""
    best: tuple[float, DenseMatch | None] | None = None
    for reference in references:
        for turned in (False, True):
            truth = reference.approximate.T if turned else reference.approximate
            if turned and np.array_equal(np.abs(truth), np.abs(reference.approximate)):
                continue
            # Cheap first: the certified matrix of a start that is nowhere near is not formed.
            sizes = np.abs(truth) if reference.terms is None else reference.terms
            if (np.abs(A.values - truth) > _NEAR * sizes + np.abs(A.spacing))[truth != 0].mean() > 0.7:
                continue
            truth = reference.A.T if turned else reference.A
            sizes = np.abs(truth) if reference.terms is None else reference.terms
            bound = 4 * min(A.roundoff, SINGLE) * sizes + np.abs(A.spacing)
            wrong = np.abs(A.values - truth) > bound
            nonzero = truth != 0
            # Zeros in the same places are no evidence of a start.
            share = float(wrong[nonzero | (A.values != 0)].mean())
            if share > 0.5:
                continue
            cause = _dense_cause(A.values, truth, wrong, bound)
            moves = np.real((A.values - truth)[nonzero] / truth[nonzero])
            match = None  # of the nearest reference: moves that are spread over all entries are no damage
            if wrong[~nonzero].any() or not is_spread(moves, wrong[nonzero]):
                why = ("A is transposed; " if turned else "") + cause.text
                part = replace(judged_entries(A, truth), verdict="deviates", why=why, cause=cause.id)
                match = DenseMatch(reference, reference.B, part, share)
            if best is None or share < best[0]:
                best = share, match
    return None if best is None else best[1]


def _dense_cause(stored: Array, truth: Array, wrong: Array, bound: Array) -> Cause:
    diagonal = np.eye(len(truth), dtype=bool)
    if (wrong <= diagonal).all():
        found, expected, allowed = np.diag(stored), np.diag(truth), np.diag(bound)
        if (np.abs(found + expected) <= allowed).all():
            return Cause("sign", "the sign of the diagonal is the other one")
        shift = float(np.median(np.real(found - expected)))
        # One constant for all, and more than rounding: where only some entries are off, there is none.
        if wrong[diagonal].all() and (np.abs(found - expected - shift) <= 2 * allowed).all():
            return Cause("shift", f"the diagonal is shifted by {shift:.6g}")
        return Cause("entry", f"{int(wrong.sum())} entries of the diagonal are off")
    if (np.abs(stored + truth)[wrong] <= bound[wrong]).all():
        return Cause("sign", f"the sign of {int(wrong.sum())} entries is the other one")
    ratios = np.real(stored[wrong & (truth != 0)] / truth[wrong & (truth != 0)])
    if len(ratios) > 1 and np.ptp(ratios) <= 1e-5 * abs(ratios[0]):
        return Cause(
            "factor", f"{int(wrong.sum())} entries are {factor_name(float(abs(ratios[0])))} times the expected"
        )
    row, column = np.argwhere(wrong)[0]
    return Cause("entry", f"{int(wrong.sum())} of {wrong.size} entries are off, the first at [{row}, {column}]")


def moved_or_damaged(moved: MovedMatrix, A: Quantity) -> DenseMatch:
    """A start that has moved; where single entries stand out of the moves, these are what is wrong."""
    truth = moved.reference.A.T if moved.turned else moved.reference.A
    part = judged_entries(A, truth, terms=moved.reference.terms)
    turned = "A is transposed; " if moved.turned else ""
    outstanding = standing_out(A.values, truth)
    if outstanding.any():
        others = np.abs(A.values / np.where(truth == 0, np.inf, truth) - 1)[(truth != 0) & ~outstanding]
        row, column = np.argwhere(outstanding)[0]
        why = (
            f"{turned}nearest to {moved.reference.id}: {int(outstanding.sum())} of {truth.size} entries stand out, the first "
            f"at [{row}, {column}]; the others have moved by {percent(float(np.median(others)))} (median)"
        )
        part = replace(part, verdict="deviates", why=why, cause="entry")
    else:
        moves = f"entries have moved by {percent(moved.median)} (median), {percent(moved.largest)} (largest)"
        why = f"nearest to {moved.reference.id}: {turned}{moves}"
        part = replace(part, verdict="trained", why=why, cause="trained")
    return DenseMatch(moved.reference, moved.reference.B, part, 1.0)
