"""Dense matrices A (and B): which family, in which convention, transposed, negated, scaled, discretized, or in another basis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.errors import InputError
from hippo_theory.families import make_family
from hippo_theory.validation.bases import another_basis, may_be_rearranged, rearrangement
from hippo_theory.validation.causes import factor_name
from hippo_theory.validation.dense_damage import damaged, moved_or_damaged
from hippo_theory.validation.dense_low_rank import judge_low_rank
from hippo_theory.validation.dense_matches import DECISIVE, DenseMatch, judged_entries, match_cost
from hippo_theory.validation.dense_mistakes import mistaken
from hippo_theory.validation.discrete_damage import damaged_discretization
from hippo_theory.validation.discrete_matrices import discretized
from hippo_theory.validation.findings import Finding, Part
from hippo_theory.validation.matching import SINGLE, eigensolver_error
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
_PRODUCTS = 6.0  # roundings of an entry times a factor that is itself off by one
_WINDOWED = ("legt", "lmu", "fout")  # families of a sliding window, of any length


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
        match = moved_or_damaged(moved, A)
    if not isinstance(match, DenseMatch):
        part = match or Part("random", why="a matrix that is no known start", cause="random")
        yield _finding(parameters, part.verdict, None, {"A": part})
        return
    parts = {"A": match.part}
    if parameters.B is not None:
        nothing = Part("deviates", why="holds NaN or infinity", cause="nonfinite")
        parts["B"] = nothing if B is None else _judge_vector(B, match)
    why = _input_convention(B, match, parts)
    if match.part.cause == "factor" and B is not None:
        parts["A"] = _time_scale(A, B, match)
    low_rank = judge_low_rank(parameters, match)
    if isinstance(low_rank, str):
        why = "; ".join(filter(None, [why, low_rank]))
    elif low_rank is not None:
        parts["P"], names = low_rank
        parameters = replace(parameters, tensors=tuple(dict.fromkeys((*parameters.tensors, *names))))
    yield _finding(parameters, match.reference.id, match.reference.convention, parts, why)


def _time_scale(A: Quantity, B: Quantity, match: DenseMatch) -> Part:
    """The part of an A with a common factor, where B has the same: the system in another unit of time.

    The families of a sliding window have its length as a parameter: A/theta and B/theta are those of [0, theta].
    """
    if match.scale == 1 or judged_entries(B, match.B, factor=_PRODUCTS).verdict == "deviates":
        return match.part
    if match.reference.id not in _WINDOWED:
        text = "B has the same factor: the same system in another unit of time, with its step divided by it"
        return replace(match.part, why=f"{match.part.why}; {text}")
    part = judged_entries(A, match.scale * match.reference.A, factor=_PRODUCTS)
    why = f"of a window that is {factor_name(1 / match.scale)} times as long: A and B are divided by that"
    return part if part.verdict == "deviates" else replace(part, verdict="rounding", why=why)


def _matched(A: Quantity, B: Quantity | None) -> DenseMatch | Part | None:
    """The known matrix that A is, or one that is damaged; a `Part` says why nothing can be decided."""
    direct = _direct(A, B)
    known = _all_references(len(A.values))
    changed = direct or mistaken(A, known)
    if changed is not None:
        return changed
    discrete = discretized(A, B)
    # Before other bases: one wrong entry may be small beside an eigensolver's errors.
    if isinstance(discrete, DenseMatch):
        return discrete
    return damaged(A, known) or discrete or damaged_discretization(A)


def _in_another_basis(parameters: Parameters, moved: MovedMatrix | None) -> Finding | None:
    """The finding in another basis, where that brings A decisively nearer to a start than it is in its own.

    The bounds of an eigensolver are those of the largest eigenvalue, 20 sqrt(N) u ||A||, and hide small moves of all entries.
    """
    if moved is None:
        return another_basis(parameters)
    A, truth = parameters.Lambda, moved.reference.approximate
    away = float(np.linalg.norm(A.values - (truth.T if moved.turned else truth), 2))
    if DECISIVE * eigensolver_error(len(truth), min(A.roundoff, SINGLE)) * np.linalg.norm(truth, 2) > away:
        return None
    turned = another_basis(parameters)
    # Without a bound of its own it is by invariants, within the bound above but for a factor of sqrt(N).
    bound = None if turned is None else turned.parts["A"].bound
    return turned if bound is None or DECISIVE * bound <= away else None


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
        match for match in wrong if DECISIVE * (match.part.max_error or 0.0) <= nearest or match.part.verdict == "exact"
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
            A, ratio * truth, factor=_PRODUCTS, terms=None if reference.terms is None else ratio * reference.terms
        )
        if scaled.verdict == "deviates" or _is_computed_elsewhere(A, scaled):
            continue
        why = (
            text + "; " if text else ""
        ) + f"another time scale: A is {factor_name(ratio)} times the expected; divide by it"
        part = replace(plain, why=why, cause="factor", max_error=scaled.max_error)
        yield DenseMatch(reference, ratio * reference.B, part, 3.0 + bool(cause), scale=1.0 if cause else ratio)


def _is_computed_elsewhere(A: Quantity, part: Part) -> bool:
    """Whether a factor fits float64 numbers only as if they were of float32, though no float32 number is among them."""
    return A.roundoff < SINGLE and A.as_held() is None and part.why == "computed in float32"


def _rearranged(A: Quantity, B: Quantity | None) -> list[DenseMatch]:
    """A with its states in another order, or with other signs: no other system."""
    found, N = [], len(A.values)
    held = A.as_held() or A
    # In single precision at most: what is nearer than that is judged below.
    errors = 8 * SINGLE * float(np.abs(A.values).max()) + np.abs(held.spacing)
    for reference in _all_references(N):
        change = None
        if np.iscomplexobj(A.values) or not may_be_rearranged(A.values, reference.approximate, errors):
            continue
        if B is not None:  # signs that A leaves open are those of B
            approximate = _bordered(reference.approximate, reference.B)
            scale = float(np.abs(A.values).max()) / max(float(np.abs(B.values).max()), 1e-300)
            beside = 8 * SINGLE * float(np.abs(A.values).max()) + scale * np.abs(B.spacing)
            beside = beside + np.abs(held.spacing).max()  # of the size that B is brought to
            corner = np.array([[10 * np.abs(held.spacing).max() + 1e-4 * float(np.abs(A.values).max())]])
            around = np.block([[errors, beside[:, None]], [beside[None, :], corner]])
            change = rearrangement(_bordered(A.values, B.values), approximate, around)
            change = None if change is None else (change[0][:N], change[1][:N] * change[1][N])
        change = change or rearrangement(A.values, reference.approximate, errors)
        if change is None or sorted(change[0]) != list(range(N)):
            continue
        order, signs = change
        truth = reference.A[np.ix_(order, order)] * np.outer(signs, signs)
        text = "with the states in another order" if (order != np.arange(N)).any() else "with other signs of the states"
        part = _deviant(reference, judged_entries(A, truth, text))
        if part.verdict != "deviates":
            turned = signs * reference.B[order]
            found.append(DenseMatch(reference, turned, part, match_cost(part) + 0.3, order=order, signs=signs))
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
        terms = match.input_terms
        if terms is not None and why:  # without the factor of the step
            terms = terms / (match.step or 1.0)
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
    cause = vector_cause(np.abs(B.values), np.abs(truth), bound, B.values, "B", np.arange(len(truth)))
    if cause is not None and cause.id == "order":
        sizes, expected = np.abs(B.values), np.abs(truth)
        # Bounds of the largest entries hide small moves of the others.
        apart = np.abs(np.sort(sizes) - np.sort(expected)).max()
        if DECISIVE * apart <= np.abs(sizes - expected).max():
            return replace(part, why=cause.text, cause=cause.id)
    if is_spread(moves, wrong) and (match.part.verdict == "trained" or _is_near(moves)):
        why = f"entries have moved by {percent(float(np.median(np.abs(moves))))} (median)"
        return replace(part, verdict="trained", why=why, cause="trained")
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
