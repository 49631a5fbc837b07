"""Dense matrices A (and B): which family, in which convention, transposed, negated, scaled, discretized, or in another basis."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from hippo_theory.discretizations import discretize_dense
from hippo_theory.errors import InputError
from hippo_theory.families import make_family
from hippo_theory.validation.bases import another_basis, rearrangement
from hippo_theory.validation.causes import Cause, factor_name
from hippo_theory.validation.discrete_spectra import nearest_simple
from hippo_theory.validation.findings import Finding, Part
from hippo_theory.validation.matching import SINGLE, Comparison
from hippo_theory.validation.misindexed_legs import mixed_index_matrix, one_indexed_matrices
from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.reading import Parameters
from hippo_theory.validation.references import DenseReference, dense_references
from hippo_theory.validation.unrecognized import nonfinite
from hippo_theory.validation.vector_damage import vector_cause
from hippo_theory.validation.vectors import HALVED_INPUT, WHOLE_INPUT

__all__ = ["judge_dense", "judge_stacked", "may_be_discretized"]

Array = NDArray[Any]

_LARGEST_EXPONENTIAL = 256  # states above which e^(A dt) is not tried
_SMALLEST_STEP, _LARGEST_STEP = 1e-8, 1e3


@dataclass(frozen=True, eq=False)
class _Match:
    """A reference, changed in a way that is said, and how far A is from it."""

    reference: DenseReference
    A: Array
    B: Array
    part: Part
    cost: float
    step: float | None = None  # of a discretization


def _relative(errors: Array, truth: Array) -> float:
    scale = np.where(truth == 0, np.abs(truth).max(initial=1e-300), np.abs(truth))
    return float((errors / scale).max(initial=0.0))


def _entries(stored: Quantity, truth: Array, why: str = "", factor: float = 4.0, terms: Array | None = None) -> Part:
    """exact, rounding or deviates, entry by entry: every entry is one square root and a product or two.

    `terms`: the size of the terms where entries are sums.
    """
    sizes = np.abs(truth) if terms is None else terms
    errors, spacing = np.abs(stored.values - truth), np.abs(stored.spacing)

    def compared(roundoff: float) -> Comparison:
        with np.errstate(over="ignore"):
            ulps = float(np.where(errors == 0, 0.0, errors / spacing).max(initial=0.0))
        bound = factor * min(roundoff, SINGLE) * sizes + spacing
        return Comparison(errors, truth, ulps, bound, _relative(errors, truth))

    plain = compared(stored.roundoff)
    part = plain.judged(stored.dtype, why)
    if part.verdict != "deviates":
        return part
    held = stored.as_held()
    if held is not None:
        part = _entries(held, truth, why, factor, terms)
        if part.verdict in ("exact", "rounding"):
            text = why or f"the numbers are those of {held.dtype}, stored as {stored.dtype}"
            return replace(part, verdict="rounding", why=text)
    if stored.roundoff < SINGLE:
        single = compared(SINGLE)
        rounded = (
            truth.astype(np.float32) != truth
        )  # what float32 changes must be changed, or it was not computed there
        if single.is_rounding and rounded.any() and plain.outside[rounded].mean() >= 0.5:
            return single.part("rounding", why=why or "computed in float32")
    return plain.part("deviates", why=why)


def judge_dense(parameters: Parameters) -> Iterator[Finding]:
    """The finding for dense A and, if it is there, B. Empty (0, 0) matrices give nothing."""
    A, N = parameters.Lambda, len(parameters.Lambda.values)
    if not np.isfinite(A.values).all():
        yield nonfinite(parameters, "A", N)
        return
    B = parameters.B
    if B is not None and not np.isfinite(B.values).all():
        B = None
    match = turned = None
    if A.values.any():  # a matrix of zeros is the damage, the limit and the discretization of many
        match = _direct(A, B, N) or _discretized(A, B, N)
        match = match or _damaged(
            A, N
        )  # before other bases: one wrong entry may be small beside an eigensolver's errors
        turned = None if match is not None else another_basis(replace(parameters, B=B))
    if match is None:
        why = "a matrix that is no known start"
        part = Part("random", why=why, cause="random")
        yield turned or _finding(parameters, "random", None, {"A": part})
        return
    parts = {"A": match.part}
    if parameters.B is not None:
        nothing = Part("deviates", why="holds NaN or infinity", cause="nonfinite")
        parts["B"] = nothing if B is None else _judge_input(B, match)
    why = _input_convention(B, match, parts)
    yield _finding(parameters, match.reference.id, match.reference.convention, parts, why)


def _finding(parameters: Parameters, id: str, convention: str | None, parts: dict[str, Part], why: str = "") -> Finding:
    N = parameters.Lambda.values.shape[-1]
    return Finding(parameters.tensors, parameters.prefix, parameters.layout, id, convention, N, N, 1, parts, why=why)


def _deviant(reference: DenseReference, part: Part) -> Part:
    if reference.beta in ("D8", "D9") and part.verdict != "deviates":
        texts = {"D8": "LegS with indices from 1", "D9": "A with indices from 0, P with indices from 1"}
        return replace(
            part, verdict="known-deviation", deviation=reference.beta, why=texts[reference.beta], cause="index"
        )
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
    except InputError:
        return []
    return [DenseReference("lagt", "glagt", len(A), family.A, family.B)]


def _short(value: float) -> str:
    """The decimal of few digits that somebody wrote."""
    return np.format_float_positional(float(f"{value:.5g}") + 0.0, trim="-")


def _direct(A: Quantity, B: Quantity | None, N: int) -> _Match | None:
    """A itself, transposed, negated or scaled."""
    found: list[_Match] = []
    for reference in _all_references(N) + (_generalized_laguerre(A.values) if not np.iscomplexobj(A.values) else []):
        for turned, sign, text, cause in (
            (False, 1, "", None),
            (True, 1, "A is transposed", "transposed"),
            (False, -1, "the sign of A is the other one: x' = -A x + B u", "sign"),
            (True, -1, "A is transposed and has the other sign", "sign"),
        ):
            truth = sign * (reference.A.T if turned else reference.A)
            if cause and np.array_equal(truth, reference.A):
                continue
            part = _entries(A, truth, terms=reference.terms)
            if part.verdict == "deviates":
                ratio = _ratio(A.values, truth)
                if (
                    ratio is None
                    or abs(ratio - 1) < 1e-9
                    or not _entries(A, ratio * truth, factor=8.0).verdict != "deviates"
                ):
                    continue
                named = factor_name(ratio)
                text = (
                    text + "; " if text else ""
                ) + f"another time scale: A is {named} times the expected; divide by it"
                part = replace(part, why=text, cause="factor")
                found.append(_Match(reference, ratio * truth, ratio * reference.B, part, 3.0 + bool(cause)))
                continue
            part = _deviant(reference, part)
            if cause:
                part = replace(
                    part, verdict="deviates" if part.deviation is None else part.verdict, why=text, cause=cause
                )
                if sign == -1 and reference.id in ("legs", "lagt", "legt") and not turned:
                    part = replace(part, why=text + " (HiPPO 2020 writes it so)")
            found.append(_Match(reference, truth, reference.B, part, _cost(part) + (2.0 if cause else 0.0)))
    if not any(match.cost < 1 for match in found):
        found += _rearranged(A, B, N)
    if B is not None:
        scores = [match.cost + 3 * _cost(_judge_input(B, match)) for match in found]
        return found[int(np.argmin(scores))] if found else None
    return min(found, key=lambda match: match.cost, default=None)


def _rearranged(A: Quantity, B: Quantity | None, N: int) -> list[_Match]:
    """A with its states in another order, or with other signs: no other system."""
    found = []
    for reference in _all_references(N):
        change = None
        if B is not None:  # signs that A leaves open are those of B
            change = rearrangement(_bordered(A.values, B.values), _bordered(reference.A, reference.B))
            change = None if change is None else (change[0][:N], change[1][:N] * change[1][N])
        change = change or rearrangement(A.values, reference.A)
        if change is None or sorted(change[0]) != list(range(N)):
            continue
        order, signs = change
        truth = reference.A[np.ix_(order, order)] * np.outer(signs, signs)
        text = "with the states in another order" if (order != np.arange(N)).any() else "with other signs of the states"
        part = _deviant(reference, _entries(A, truth, text))
        if part.verdict != "deviates":
            found.append(_Match(reference, truth, signs * reference.B[order], part, _cost(part) + 0.3))
    return found


def _bordered(A: Array, B: Array) -> Array:
    """[[A, B], [B^T, large]]: a change of basis of (A, B) is one of this matrix that leaves the last state alone.

    B is brought to the size of A, so that both tell states apart.
    """
    size = max(float(np.abs(A).max()), 1e-300)
    B, corner = B * (size / max(float(np.abs(B).max()), 1e-300)), 10 * size
    return np.block([[A, B[:, None]], [B[None, :], np.array([[corner]])]])


def _cost(part: Part) -> float:
    return {"exact": 0.0, "rounding": 0.1, "known-deviation": 0.5}.get(part.verdict, 1.0)


def _ratio(stored: Array, truth: Array) -> float | None:
    """The common real factor of two matrices, if there is one."""
    large = np.abs(truth) > 1e-3 * np.abs(truth).max(initial=1e-300)
    if not large.any():
        return None
    ratios = np.real(stored[large] / truth[large])
    middle = float(np.median(ratios))
    return middle if middle > 0 and np.abs(ratios - middle).max() <= 1e-2 * middle else None


def _input_convention(B: Quantity | None, match: _Match, parts: dict[str, Part]) -> str:
    """Which of the two vectors B of S4D-LegS this is, in words."""
    if B is None or match.reference.id != "s4d-legs" or parts["B"].verdict not in ("exact", "rounding"):
        return ""
    if match.step is not None:
        return ""
    ratio = np.linalg.norm(B.values) / np.linalg.norm(match.B)
    return HALVED_INPUT if ratio < 1.5 else WHOLE_INPUT


def _judge_input(B: Quantity, match: _Match) -> Part:
    options = [("", match.B)]
    if match.reference.id == "s4d-legs":
        options.append(("", 2 * match.B))
    if match.step is not None:
        options.append(("without the factor of the step", match.B / match.step))
    for why, truth in options:
        # A discretized B is the solution of equations, whose errors are those of the largest entries.
        terms = None if match.step is None else np.full(len(truth), len(truth) * np.abs(truth).max())
        for sign in (1, -1):
            part = _entries(B, sign * truth, why, terms=terms)
            if part.verdict != "deviates":
                if sign == -1:
                    return replace(part, verdict="deviates", why="the sign of B is the other one", cause="sign")
                return part
    truth = match.B
    bound = 4 * min(B.roundoff, SINGLE) * np.abs(truth) + np.abs(B.spacing)
    part = _entries(B, truth)
    signs = np.sign(np.real(B.values)) != np.sign(truth)
    if (np.abs(np.abs(B.values) - np.abs(truth)) <= bound).all():
        return replace(part, why=f"the sign of {int(signs.sum())} entries of B is the other one", cause="sign")
    cause = vector_cause(np.abs(B.values), np.abs(truth), bound, B.values, "B", np.arange(len(truth)))
    return part if cause is None else replace(part, why=cause.text, cause=cause.id)


# --- discretized -----------------------------------------------------------------------------------------------------------


def _undone(Abar: Array) -> Iterator[tuple[str, Array]]:
    """dt A from Abar, by the methods that are undone by a product or an inverse."""
    identity = np.eye(len(Abar))
    yield "forward_euler", Abar - identity
    with np.errstate(all="ignore"):
        try:
            yield "bilinear", 2 * scipy.linalg.solve(Abar + identity, Abar - identity)
            yield "backward_euler", identity - scipy.linalg.inv(Abar)
        except (np.linalg.LinAlgError, ValueError):
            return


def _steps(Abar: Array, references: Sequence[DenseReference]) -> Iterator[tuple[str, DenseReference, float]]:
    """Methods, references and steps of which Abar may be the discretization."""
    for method, scaled in _undone(Abar):
        # I + A is no step of 1: the families have no such time scale, and a shifted diagonal would look like it.
        largest = 0.5 if method.endswith("euler") else _LARGEST_STEP
        for reference in references:
            large = np.abs(reference.A) > 1e-2 * np.abs(reference.A).max()
            step = float(np.median(scaled[large] / reference.A[large]))
            near = np.abs(scaled - step * reference.A).max() <= 1e-2 * np.abs(scaled).max()
            if _SMALLEST_STEP < step < largest and near:
                yield method, reference, nearest_simple(step)
    if len(Abar) > _LARGEST_EXPONENTIAL:
        return
    # det e^(A dt) = e^(dt tr A). A matrix logarithm would say more, and may not come to an end where Abar is nearly singular.
    sign, logarithm = np.linalg.slogdet(Abar)
    for reference in references if sign > 0 and np.isfinite(logarithm) else ():
        step = float(logarithm / np.trace(reference.A))
        if _SMALLEST_STEP < step < _LARGEST_STEP:
            yield "zoh", reference, nearest_simple(step)


@lru_cache(maxsize=64)
def _eigenvalues(reference: DenseReference) -> Array:
    """Of A in float64: good enough for a trace of e^(A dt)."""
    return np.diag(reference.A) if not np.triu(reference.A, 1).any() else np.linalg.eigvals(reference.A)


def may_be_discretized(Abar: Array) -> bool:
    """Whether a real matrix is worth being compared with discretizations: cheap, for matrices that are mostly none."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of matrices that are nearly singular
        for method, reference, step in _steps(Abar, dense_references(len(Abar))):
            trace = float(np.exp(step * _eigenvalues(reference)).sum().real)
            if method != "zoh" or abs(trace - np.trace(Abar)) <= 1e-3 * len(Abar):
                return True
    return False


def _discretized(A: Quantity, B: Quantity | None, N: int) -> _Match | None:
    """A as the discrete Abar of a family with a step that is inferred."""
    values = A.values
    if np.iscomplexobj(values) or N < 2 or np.abs(np.diag(values)).max() > 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of matrices that are nearly singular
        steps = list(_steps(values, dense_references(N)))
    best: _Match | None = None
    for method, reference, step in steps:
        try:
            Abar, Bbar = discretize_dense(reference.A, reference.B, method, step)
        except InputError:
            continue
        roundoff, errors = min(A.roundoff, SINGLE), np.abs(values - Abar)
        if method == "forward_euler":  # a product and a sum for each entry
            bound = 4 * roundoff * (np.eye(N) + step * np.abs(reference.A)) + np.abs(A.spacing)
        else:
            condition = float(np.linalg.norm(np.eye(N) - step * reference.A / 2, 2))
            bound = 4 * N * condition * roundoff * np.abs(Abar).max() + np.abs(A.spacing)
        if (errors <= bound).all():
            ulps = float((errors / np.abs(A.spacing)).max())
            why = f"discretized by {method} with the step {step:.6g}"
            part = Comparison(errors, Abar, ulps, bound, _relative(errors, Abar)).part("rounding", why=why)
            match = _Match(reference, Abar, step * Bbar, part, 0.0, step)
            if B is None or _judge_discrete_input(B, match):
                return match
            best = best or match
    return best


def _judge_discrete_input(B: Quantity, match: _Match) -> bool:
    scales = (1.0, 1 / (match.step or 1.0))
    return any((np.abs(B.values - c * match.B) <= 1e-4 * c * np.abs(match.B).max()).all() for c in scales)


def judge_stacked(parameters: Parameters) -> Iterator[Finding]:
    """A stack of discrete A for t = 1, 2, ...: LegS, x' = (A x + B u)/t, by method and step 1/t."""
    stack, N = parameters.Lambda, parameters.Lambda.values.shape[-1]
    legs = next(reference for reference in dense_references(N) if reference.id == "legs")
    for method in ("bilinear", "zoh", "forward_euler", "backward_euler"):
        errors, bounds, truths = [], [], []
        for t in sorted({1, 2, 3, len(stack.values) // 2 or 1, len(stack.values)}):
            if t > len(stack.values):
                continue
            Abar, _ = discretize_dense(legs.A, legs.B, method, 1 / t)
            condition = float(np.linalg.norm(np.eye(N) - legs.A / (2 * t), 2))
            errors.append(np.abs(stack.values[t - 1] - Abar))
            # Nobody computes in float16 or bfloat16: their spacing comes on top, as in `eigenvalue_bound`.
            computed = 4 * N * condition * min(stack.roundoff, SINGLE) * float(np.abs(Abar).max())
            bounds.append(computed + np.abs(stack.spacing[t - 1]))
            truths.append(Abar)
        error, bound, truth = (np.stack(arrays) for arrays in (errors, bounds, truths))
        if (error <= bound).all():
            why = f"discretized by {method} with the steps 1/t, t = 1..{len(stack.values)}"
            part = Comparison(error, truth, 0.0, bound, _relative(error, truth)).part("rounding", why=why)
            part = replace(part, ulps=None)  # entries near 0 have no digits of their own after a solution of equations
            yield _finding(parameters, "legs", "default", {"A": part})
            return
    yield _finding(parameters, "unknown", None, {"A": Part("unknown", why="a stack of matrices, none that is known")})


# --- damaged, or in another basis ------------------------------------------------------------------------------------------


def _damaged(A: Quantity, N: int) -> _Match | None:
    """Most entries right: what is wrong with the others?"""
    best: tuple[float, _Match] | None = None
    for reference in _all_references(N):
        for turned in (False, True):
            truth = reference.A.T if turned else reference.A
            if turned and np.array_equal(np.abs(truth), np.abs(reference.A)):
                continue
            sizes = np.abs(truth) if reference.terms is None else reference.terms
            bound = 4 * min(A.roundoff, SINGLE) * sizes + np.abs(A.spacing)
            wrong = np.abs(A.values - truth) > bound
            share = float(wrong.mean())
            nonzero = truth != 0
            if share > 0.5 or wrong[nonzero].mean() > 0.7:
                continue
            cause = _dense_cause(A.values, truth, wrong, bound)
            part = replace(_entries(A, truth), why=("A is transposed; " if turned else "") + cause.text, cause=cause.id)
            match = _Match(reference, truth, reference.B, part, share)
            if best is None or share < best[0]:
                best = (share, match)
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
