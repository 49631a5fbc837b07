"""Dense matrices A (and B): which family, in which convention, transposed, negated, scaled, discretized, or in another basis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.errors import InputError
from hippo_theory.families import make_family
from hippo_theory.validation.bases import another_basis, rearrangement
from hippo_theory.validation.causes import Cause, factor_name
from hippo_theory.validation.dense_matches import DenseMatch, judged_entries, match_cost
from hippo_theory.validation.discrete_matrices import discretized
from hippo_theory.validation.findings import Finding, Part
from hippo_theory.validation.matching import SINGLE
from hippo_theory.validation.misindexed_legs import mixed_index_matrix, one_indexed_matrices
from hippo_theory.validation.moved_matrices import MovedMatrix, is_spread, nearest_matrix
from hippo_theory.validation.moves import percent
from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.reading import Parameters
from hippo_theory.validation.references import DenseReference, dense_references, family_reference
from hippo_theory.validation.unrecognized import nonfinite
from hippo_theory.validation.vector_damage import vector_cause
from hippo_theory.validation.vectors import HALVED_INPUT, WHOLE_INPUT

__all__ = ["judge_dense"]

Array = NDArray[Any]

_NEAR = 1e-2  # relative distance from a multiple of a reference up to which it is worth being judged
_DECISIVE = 10.0  # times nearer than the nearest start that a mistake must bring a matrix, as in `moves.decisive`


def judge_dense(parameters: Parameters) -> Iterator[Finding]:
    """The finding for dense A and, if it is there, B. Empty (0, 0) matrices give nothing."""
    A, N = parameters.Lambda, len(parameters.Lambda.values)
    if not np.isfinite(A.values).all():
        yield nonfinite(parameters, "A", N)
        return
    B = parameters.B
    if B is not None and not np.isfinite(B.values).all():
        B = None
    match = _matched(A, B) if A.values.any() else None  # zeros are the damage, the limit and the discretization of many
    moved = turned = None
    if not isinstance(match, DenseMatch) and A.values.any():
        moved = nearest_matrix(A.values)
        turned = _in_another_basis(replace(parameters, B=B), moved)
    if turned is not None:
        yield turned
        return
    if moved is not None:
        match = _moved(moved, A)
    if not isinstance(match, DenseMatch):
        part = match or Part("random", why="a matrix that is no known start", cause="random")
        yield _finding(parameters, part.verdict, None, {"A": part})
        return
    parts = {"A": match.part}
    if parameters.B is not None:
        nothing = Part("deviates", why="holds NaN or infinity", cause="nonfinite")
        parts["B"] = nothing if B is None else _judge_vector(B, match)
    why = _input_convention(B, match, parts)
    yield _finding(parameters, match.reference.id, match.reference.convention, parts, why)


def _matched(A: Quantity, B: Quantity | None) -> DenseMatch | Part | None:
    """The known matrix that A is, or one that is damaged; a `Part` says why nothing can be decided."""
    direct = _direct(A, B)
    if direct is not None:
        return direct
    discrete = discretized(A, B)
    # Before other bases: one wrong entry may be small beside an eigensolver's errors.
    return discrete if isinstance(discrete, DenseMatch) else _damaged(A) or discrete


def _in_another_basis(parameters: Parameters, moved: MovedMatrix | None) -> Finding | None:
    """The finding in another basis, where that brings A decisively nearer to a start than it is in its own.

    The bounds of an eigensolver are those of the largest eigenvalue, 4 sqrt(N) u ||A||, and hide small moves of all entries.
    """
    if moved is None:
        return another_basis(parameters)
    A, truth = parameters.Lambda, moved.reference.approximate
    away = float(np.linalg.norm(A.values - (truth.T if moved.turned else truth), 2))
    if _DECISIVE * 4 * np.sqrt(len(truth)) * min(A.roundoff, SINGLE) * np.linalg.norm(truth, 2) > away:
        return None
    turned = another_basis(parameters)
    # Without a bound of its own it is by invariants, within the bound above but for a factor of sqrt(N).
    bound = None if turned is None else turned.parts["A"].bound
    return turned if bound is None or _DECISIVE * bound <= away else None


def _moved(moved: MovedMatrix, A: Quantity) -> DenseMatch:
    truth = moved.reference.A.T if moved.turned else moved.reference.A
    why = f"entries have moved by {percent(moved.median)} (median), {percent(moved.largest)} (largest)"
    if moved.turned:
        why = f"A is transposed; {why}"
    part = judged_entries(A, truth, terms=moved.reference.terms)
    part = replace(part, verdict="trained", why=f"nearest to {moved.reference.id}: {why}", cause="trained")
    return DenseMatch(moved.reference, moved.reference.B, part, 1.0)


def _finding(parameters: Parameters, id: str, convention: str | None, parts: dict[str, Part], why: str = "") -> Finding:
    N = parameters.Lambda.values.shape[-1]
    return Finding(parameters.tensors, parameters.prefix, parameters.layout, id, convention, N, N, 1, parts, why=why)


def _deviant(reference: DenseReference, part: Part) -> Part:
    deviation = reference.deviation
    if deviation is not None and part.verdict != "deviates":
        texts = {"D8": "LegS with indices from 1", "D9": "A with indices from 0, P with indices from 1"}
        return replace(part, verdict="known-deviation", deviation=deviation, why=texts[deviation], cause="index")
    return part


def _all_references(N: int) -> list[DenseReference]:
    return [*dense_references(N), one_indexed_matrices(N), mixed_index_matrix(N)]


def _generalized_laguerre(A: Array) -> list[DenseReference]:
    """The LagT with alpha and beta as the entries of a lower triangular A give them."""
    if len(A) < 2 or np.any(np.triu(A, 1)) or np.ptp(np.diag(A)) > 1e-6 or A[1, 0] >= 0:
        return []
    beta, alpha = -2 * float(A[0, 0]) - 1, 1 / float(A[1, 0]) ** 2 - 1
    if beta < -1e-3:  # no weight e^(-beta t): the diagonal has another sign
        return []
    try:
        family = make_family("lagt", len(A), convention="glagt", alpha=_short(alpha), beta=_short(beta))
        return [family_reference(family, _short(beta))]
    except InputError:
        return []


def _short(value: float) -> str:
    """The decimal of few digits that somebody wrote."""
    return np.format_float_positional(float(f"{value:.5g}") + 0.0, trim="-")


def _direct(A: Quantity, B: Quantity | None) -> DenseMatch | None:
    """A itself, with its states rearranged, transposed, negated or scaled.

    A mistake must bring it decisively nearer to a start than the nearest one is as it stands: bounds with an estimated
    factor would hide small moves of all entries.
    """
    references = _all_references(len(A.values))
    if not np.iscomplexobj(A.values):
        references += _generalized_laguerre(A.values)
    found: list[DenseMatch] = []
    wrong: list[DenseMatch] = []
    nearest = np.inf
    for reference in references:
        ratio = _ratio(A.values, reference.approximate)
        if ratio is None or abs(ratio - 1) > _NEAR:
            continue
        part = judged_entries(A, reference.A, terms=reference.terms)
        if part.verdict != "deviates":
            part = _deviant(reference, part)
            found.append(DenseMatch(reference, reference.B, part, match_cost(part)))
        else:
            nearest = min(nearest, part.max_error or 0.0)
    if not found:
        found += _rearranged(A, B)
    for reference in references:
        wrong += _mistaken(A, reference)
    # Errors are told against what the mistake makes of the reference: a move hides one that does not get below it.
    wrong = [
        match
        for match in wrong
        if _DECISIVE * (match.part.max_error or 0.0) <= nearest or match.part.verdict == "exact"
    ]
    if B is not None:
        scores = [match.cost + 3 * match_cost(_judge_vector(B, match)) for match in found + wrong]
        return (found + wrong)[int(np.argmin(scores))] if scores else None
    return min(found + wrong, key=lambda match: match.cost, default=None)


def _mistaken(A: Quantity, reference: DenseReference) -> Iterator[DenseMatch]:
    """A transposed, negated or scaled reference that A is within rounding."""
    for turned, sign, text, cause in (
        (False, 1, "", None),
        (True, 1, "A is transposed", "transposed"),
        (False, -1, "the sign of A is the other one: x' = -A x + B u", "sign"),
        (True, -1, "A is transposed and has the other sign", "sign"),
    ):
        ratio = _ratio(A.values, sign * (reference.approximate.T if turned else reference.approximate))
        if ratio is None:
            continue
        truth = sign * (reference.A.T if turned else reference.A)
        if cause and np.array_equal(truth, reference.A):
            continue
        plain = judged_entries(A, truth, terms=reference.terms)
        if plain.verdict != "deviates":
            if cause is None:
                continue  # no mistake
            part = _deviant(reference, plain)
            if sign == -1 and reference.id in ("legs", "lagt", "legt") and not turned:
                text += " (HiPPO 2020 writes it so)"
            part = replace(part, verdict="deviates" if part.deviation is None else part.verdict, why=text, cause=cause)
            yield DenseMatch(reference, reference.B, part, match_cost(part) + 2.0)
            continue
        # The factor itself is off by what rounding leaves of a median, and one more product was rounded.
        scaled = judged_entries(
            A, ratio * truth, factor=6.0, terms=None if reference.terms is None else ratio * reference.terms
        )
        if scaled.verdict == "deviates" or _is_computed_elsewhere(A, scaled):
            continue
        why = (
            text + "; " if text else ""
        ) + f"another time scale: A is {factor_name(ratio)} times the expected; divide by it"
        part = replace(plain, why=why, cause="factor", max_error=scaled.max_error)
        yield DenseMatch(reference, ratio * reference.B, part, 3.0 + bool(cause))


def _is_computed_elsewhere(A: Quantity, part: Part) -> bool:
    """Whether a factor fits float64 numbers only as if they were of float32, though no float32 number is among them."""
    return A.roundoff < SINGLE and A.as_held() is None and part.why == "computed in float32"


def _rearranged(A: Quantity, B: Quantity | None) -> list[DenseMatch]:
    """A with its states in another order, or with other signs: no other system."""
    found, N = [], len(A.values)
    for reference in _all_references(N):
        change = None
        if B is not None:  # signs that A leaves open are those of B
            approximate = _bordered(reference.approximate, reference.B)
            change = rearrangement(_bordered(A.values, B.values), approximate)
            change = None if change is None else (change[0][:N], change[1][:N] * change[1][N])
        change = change or rearrangement(A.values, reference.approximate)
        if change is None or sorted(change[0]) != list(range(N)):
            continue
        order, signs = change
        truth = reference.A[np.ix_(order, order)] * np.outer(signs, signs)
        text = "with the states in another order" if (order != np.arange(N)).any() else "with other signs of the states"
        part = _deviant(reference, judged_entries(A, truth, text))
        if part.verdict != "deviates":
            found.append(DenseMatch(reference, signs * reference.B[order], part, match_cost(part) + 0.3))
    return found


def _bordered(A: Array, B: Array) -> Array:
    """[[A, B], [B^T, large]]: a change of basis of (A, B) is one of this matrix that leaves the last state alone.

    B is brought to the size of A, so that both tell states apart.
    """
    size = max(float(np.abs(A).max()), 1e-300)
    B, corner = B * (size / max(float(np.abs(B).max()), 1e-300)), 10 * size
    return np.block([[A, B[:, None]], [B[None, :], np.array([[corner]])]])


def _ratio(stored: Array, truth: Array) -> float | None:
    """The common real factor of two matrices, if there is one."""
    large = np.abs(truth) > 1e-3 * np.abs(truth).max(initial=1e-300)
    if not large.any():
        return None
    ratios = np.real(stored[large] / truth[large])
    middle = float(np.median(ratios))
    return middle if middle > 0 and np.abs(ratios - middle).max() <= 1e-2 * middle else None


def _input_convention(B: Quantity | None, match: DenseMatch, parts: dict[str, Part]) -> str:
    """Which of the two vectors B of S4D-LegS this is, in words."""
    if B is None or match.reference.id != "s4d-legs" or parts["B"].verdict not in ("exact", "rounding"):
        return ""
    if match.step is not None:
        return ""
    ratio = np.linalg.norm(B.values) / np.linalg.norm(match.B)
    return HALVED_INPUT if ratio < 1.5 else WHOLE_INPUT


def _judge_vector(B: Quantity, match: DenseMatch) -> Part:
    """B against the input vector that belongs to the matrix."""
    options = [("", match.B)]
    if match.reference.id == "s4d-legs":
        options.append(("", 2 * match.B))
    if match.part.cause == "factor":
        options.append(("", match.reference.B))
    if match.step is not None:
        options.append(("without the factor of the step", match.B / match.step))
    for why, truth in options:
        # A discretized B is the solution of equations, whose errors are those of the largest entries.
        terms = None if match.step is None else np.full(len(truth), len(truth) * np.abs(truth).max())
        for sign in (1, -1):
            part = judged_entries(B, sign * truth, why, terms=terms)
            if part.verdict != "deviates":
                if sign == -1:
                    return replace(part, verdict="deviates", why="the sign of B is the other one", cause="sign")
                return part
    truth = match.B
    bound = 4 * min(B.roundoff, SINGLE) * np.abs(truth) + np.abs(B.spacing)
    part = judged_entries(B, truth)
    signs = np.sign(np.real(B.values)) != np.sign(truth)
    if (np.abs(np.abs(B.values) - np.abs(truth)) <= bound).all():
        return replace(part, why=f"the sign of {int(signs.sum())} entries of B is the other one", cause="sign")
    moves = np.real(B.values[truth != 0] / truth[truth != 0]) - 1
    wrong = (np.abs(B.values - truth) > bound)[truth != 0]
    if is_spread(moves, wrong) and (match.part.verdict == "trained" or _is_near(moves)):
        why = f"entries have moved by {percent(float(np.median(np.abs(moves))))} (median)"
        return replace(part, verdict="trained", why=why, cause="trained")
    cause = vector_cause(np.abs(B.values), np.abs(truth), bound, B.values, "B", np.arange(len(truth)))
    return part if cause is None else replace(part, why=cause.text, cause=cause.id)


def _is_near(moves: Array) -> bool:
    """Whether entries that have moved by shares (m,) of themselves are nearer to the truth than random signs allow.

    The mean of |b - t|/(|b| + |t|) over entries of random signs is (d_n + 1)/2 at least, each term independently d_n or 1:
    below 1/2 - sqrt(ln(1e4)/(2 m)) with a probability of 1e-4 at most (Hoeffding). And no common factor is a move.
    """
    m = len(moves)
    if m < 2:
        return False
    away = float((np.abs(moves) / (np.abs(1 + moves) + 1)).mean())
    common = abs(float(np.median(moves)))
    independent = float(np.median(np.abs(moves - np.median(moves)))) >= common / 2 > 0
    return away < 0.5 - np.sqrt(np.log(1e4) / (2 * m)) and independent


# --- damaged, or in another basis ------------------------------------------------------------------------------------------


def _damaged(A: Quantity) -> DenseMatch | None:
    """Most entries right: what is wrong with the others?"""
    best: tuple[float, DenseMatch | None] | None = None
    for reference in _all_references(len(A.values)):
        for turned in (False, True):
            truth = reference.approximate.T if turned else reference.approximate
            if turned and np.array_equal(np.abs(truth), np.abs(reference.approximate)):
                continue
            # Cheap first: the certified matrix of a start that is nowhere near is not formed.
            if (np.abs(A.values - truth) > _NEAR * np.abs(truth).max())[truth != 0].mean() > 0.7:
                continue
            truth = reference.A.T if turned else reference.A
            sizes = np.abs(truth) if reference.terms is None else reference.terms
            bound = 4 * min(A.roundoff, SINGLE) * sizes + np.abs(A.spacing)
            wrong = np.abs(A.values - truth) > bound
            share = float(wrong.mean())
            nonzero = truth != 0
            if share > 0.5 or wrong[nonzero].mean() > 0.7:
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
