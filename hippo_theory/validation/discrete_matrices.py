"""Dense matrices Abar of discretized systems: within which rounding they are one, alone and in stacks.

Of which A, by which method and with which step Abar may be is found by `discrete_candidates`; here the step is refined by least
squares and every entry compared within what `discrete_bounds` allows.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.discretizations import discretize_dense, find_discretization
from hippo_theory.errors import InputError
from hippo_theory.validation.bases import rearrangement
from hippo_theory.validation.causes import factor_name
from hippo_theory.validation.dense_matches import DenseMatch, relative_error
from hippo_theory.validation.discrete_bounds import rounding_bound
from hippo_theory.validation.discrete_candidates import NEAR, candidates
from hippo_theory.validation.discrete_spectra import nearest_simple
from hippo_theory.validation.findings import Finding, Part
from hippo_theory.validation.matching import DOUBLE, SINGLE, Comparison
from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.reading import Parameters
from hippo_theory.validation.references import DenseReference, dense_references

__all__ = ["discretized", "input_terms", "judge_stacked", "slope_of"]

Array = NDArray[Any]

LARGEST_DISCRETE = 1024  # states above which no Abar is formed
_LARGEST_STACK = 3e8  # matrices times N^3 above which a sample of a stack is compared: about ten seconds
_DECIDED = 10.0  # times a bound must be smaller than the numbers to say that they agree


# --- one matrix -----------------------------------------------------------------------------------------------------------


def discretized(A: Quantity, B: Quantity | None) -> DenseMatch | Part | None:
    """A as the discrete Abar of a family; a `Part` says why nothing can be decided, where rounding hides the numbers."""
    values, N = A.values, len(A.values)
    if np.iscomplexobj(values) or N < 2:
        return None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of matrices that are nearly singular
        found = list(candidates(values, roundoff=min(A.roundoff, SINGLE)))
    if found and N > LARGEST_DISCRETE:
        reference, _, method, step = found[0]
        words = f"commutes with A of {reference.id}, as {method} with the step {step:.3g} would"
        why = f"{words}; discretizations are not compared above N = {LARGEST_DISCRETE}"
        return Part("unknown", why=why)
    matches: list[DenseMatch] = []
    undecided: Part | None = None
    for candidate in found:
        if any(match.reference is not candidate[0] and (B is None or _fits(B, match)) for match in matches):
            continue  # another start that has this Abar is the same one in another time scale
        if np.isnan(candidate[3]):
            why = (
                f"commutes with A of {candidate[0].id}, as a discretization would, but the modes that would show its step are "
                "below rounding: nothing can be decided; store A"
            )
            undecided = undecided or Part("unknown", why=why)
            continue
        result = _compared(A, *candidate)
        if isinstance(result, DenseMatch):
            matches.append(_arranged(result, B, candidate[1]))
        elif result is not None:
            undecided = undecided or result
    if B is not None and any(_fits(B, match) for match in matches):
        matches = [match for match in matches if _fits(B, match)]
    # With small steps several methods are within the rounding of each other: the nearest of them, B included. And -A in one
    # order of the states may be A in another.
    return min(matches, key=lambda match: (match.part.cause == "sign", match.cost + _away(B, match)), default=undecided)


def _compared(
    A: Quantity, reference: DenseReference, turned: bool, method: str, step: float
) -> DenseMatch | Part | None:
    """A against one discretization, its step refined by least squares: a match, a reason why nothing is decided, or None.

    A negative step is that of -A.
    """
    signed, negative, step = np.sign(step) * reference.approximate, step < 0, abs(step)
    stored = A.as_held() or A
    values, spacing = (array.T if turned else array for array in (stored.values, np.abs(stored.spacing)))
    held = "" if stored.dtype == A.dtype else f"; the numbers are those of {stored.dtype}, stored as {A.dtype}"
    roundoff = min(stored.roundoff, SINGLE) + DOUBLE  # theirs, and ours
    apart = float(np.linalg.norm(values - np.mean(np.diag(values)) * np.eye(len(values))))
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for _ in range(4):
                Abar, Bbar = discretize_dense(signed, reference.B, method, step)
                slope = slope_of(signed, Abar, method, step)
                change = float((slope * (values - Abar)).sum() / (slope * slope).sum())
                left = float(np.linalg.norm(values - Abar - change * slope))
                if not abs(change) < 2 * NEAR * step or not left <= 2 * NEAR * apart:
                    return None
                # What the first order leaves, (change A)^2 Abar / 2, is below the rounding of Abar; that of an
                # exponential is 4 u sqrt(N) 2^s at least, where 2^s >= dt ||A||_1 / 10.8 and sqrt(N) ||A||_1 >= ||A||_F.
                size = float(np.linalg.norm(signed))
                if (change * size) ** 2 <= roundoff * max(1.0, step * size / 3 if method == "zoh" else 0.0):
                    break
                step += change
            bound = rounding_bound(signed, Abar, method, step, roundoff) + spacing
            terms = input_terms(signed, Abar, reference.B, method, step)
    except (InputError, np.linalg.LinAlgError):
        return None
    if not (np.isfinite(Abar).all() and np.isfinite(bound).all()):
        return None
    simple = nearest_simple(step + change)
    uncertain = float(np.linalg.norm(bound) / np.linalg.norm(slope))  # of a step by least squares, from such errors
    hidden, bound = float(bound.max()), bound + uncertain * np.abs(slope)
    exact = simple if abs(simple - step - change) <= uncertain else step + change
    Abar = Abar + (exact - step) * slope
    errors, size = np.abs(values - Abar), float(np.abs(Abar).max())
    close = float(np.linalg.norm(errors)) * _DECIDED <= float(np.linalg.norm(Abar))
    if not close or not (errors <= bound).all():
        return None
    text = f"discretized by {method} with the step {exact:.6g}{held}"
    if hidden * _DECIDED > size:
        why = (
            f"may be {reference.id} {text}, but rounding in that precision may be {hidden:.2g}, where the largest "
            f"entry is {size:.2g}: nothing can be decided; store it in float64, or store A"
        )
        return Part("unknown", why=why)
    with np.errstate(over="ignore"):
        ulps = float((errors / np.abs(spacing)).max())
    part = Comparison(errors, Abar, ulps, bound, relative_error(errors, Abar)).part("rounding", why=text)
    if turned:
        part = replace(part, verdict="deviates", why=f"{text}, and transposed", cause="transposed")
    if negative:
        why = f"{part.why}, of -A: the sign of A is the other one, and the system grows"
        part = replace(part, verdict="deviates", why=why, cause="sign")
    cost = float(np.linalg.norm(errors) / np.linalg.norm(Abar))
    return DenseMatch(reference, exact * Bbar, part, cost, exact, input_terms=terms)


def input_terms(A: Array, Abar: Array, B: Array, method: str, step: float) -> Array:
    """Sizes (N,) that the roundings of a discretized B are relative to: solutions of equations err by the largest entry.

    By zero-order hold code forms A^-1 (Abar - I) B, in which an error F of Abar becomes A^-1 F B: of independent errors the
    standard deviation (sum_kl (A^-1)_ik^2 F_kl^2 B_l^2)^(1/2). Of singular A nobody does.
    """
    discrete = discretize_dense(A, B, method, step)[1] * step
    sizes = np.full(len(A), len(A) * float(np.abs(discrete).max()))
    if find_discretization(method).alpha is not None:
        return sizes
    with np.errstate(all="ignore"):
        try:
            inverse = np.linalg.inv(A)
        except np.linalg.LinAlgError:
            return sizes
        moved = np.sqrt(inverse**2 @ rounding_bound(A, Abar, method, step, 1.0) ** 2 @ B**2)
    return sizes + (moved if np.isfinite(moved).all() and np.linalg.cond(A) < 1e12 else 0.0)


def slope_of(A: Array, Abar: Array, method: str, step: float) -> Array:
    """d Abar / d dt: A Abar; of a weighted method (I - alpha dt A) Abar' = A (alpha Abar + (1 - alpha) I)."""
    alpha, identity = find_discretization(method).alpha, np.eye(len(A))
    if alpha is None:
        return np.asarray(A @ Abar)
    old, new = float(1 - alpha), float(alpha)
    return np.asarray(np.linalg.solve(identity - new * step * A, A @ (new * Abar + old * identity)))


def _arranged(match: DenseMatch, B: Quantity | None, turned: bool) -> DenseMatch:
    """A transposed Abar as the same system with other signs or another order of the states, where it is that."""
    if not turned:
        return match
    reference = match.reference
    change = rearrangement(reference.approximate.T, reference.approximate)
    if change is None or sorted(change[0]) != list(range(reference.N)):
        return match
    order, signs = change
    other = replace(match, B=signs * match.B[order])
    if B is not None and not _fits(B, other):
        return match
    text = "another order of the states" if (order != np.arange(reference.N)).any() else "other signs of the states"
    part = replace(
        match.part, verdict="rounding", why=match.part.why.replace("and transposed", f"with {text}"), cause=None
    )
    return replace(other, part=part)


def _fits(B: Quantity, match: DenseMatch) -> bool:
    return _away(B, match) <= 1e-4


def _away(B: Quantity | None, match: DenseMatch) -> float:
    """Largest error of B over its largest entry, with the factor of the step or without it; 0 where there is no B."""
    size = float(np.abs(match.B).max())
    if B is None or size == 0:
        return 0.0
    return min(float(np.abs(B.values / c - match.B).max()) / size for c in (1.0, 1 / (match.step or 1.0)))


# --- stacks ---------------------------------------------------------------------------------------------------------------


def judge_stacked(parameters: Parameters) -> Iterator[Finding]:
    """A stack of discrete A for t = 1, 2, ...: LegS, x' = (A x + B u)/t, by method and step 1/t."""
    stack, N = parameters.Lambda, parameters.Lambda.values.shape[-1]
    names = (parameters.tensors, parameters.prefix, parameters.layout)
    legs = next((reference for reference in dense_references(N) if reference.id == "legs"), None)
    if N > LARGEST_DISCRETE or legs is None:
        found = Part("unknown", why=f"a stack of matrices of {N} states; not compared above {LARGEST_DISCRETE}"), ""
    elif np.iscomplexobj(stack.values) or not np.isfinite(stack.values).all():
        found = Part("unknown", why="a stack of matrices that holds NaN, infinity or complex numbers"), ""
    else:
        found = _stacked(stack, legs) or (Part("unknown", why="a stack of matrices, none that is known"), "")
    part, method = found
    id = "unknown" if part.verdict == "unknown" else "legs"
    parts = {"A": part}
    if parameters.B is not None:
        if id == "legs" and legs is not None:
            parts["B"] = _stacked_inputs(parameters.B, len(stack.values), legs, method)
        else:
            parts["B"] = Part("unknown", why="not compared: the matrices are not known")
    yield Finding(*names, id, None if id == "unknown" else "default", N, N, 1, parts)


def _stacked(stored: Quantity, legs: DenseReference) -> tuple[Part, str] | None:
    """The part for a stack, and the method that a few of its matrices show; the others are compared by that one."""
    stack = stored.as_held() or stored
    count = len(stack.values)
    sampled = _sampled(count)
    every = _compared_times(count, legs.N)
    for method in ("bilinear", "forward_euler", "backward_euler", "zoh"):
        for turned in (False, True):
            compared = [_compared_step(stack, legs, method, t, turned) for t in sampled]
            if any(one is None for one in compared):
                continue
            part = _stacked_part([one for one in compared if one is not None], method, turned, count)
            off = [t for t in every if t not in sampled and _compared_step(stack, legs, method, t, turned) is None]
            if off:
                why = f"{part.why}, but {len(off)} of {count} matrices are off, the first that of t = {off[0]}"
                part = replace(part, verdict="deviates", why=why, cause="entry")
            elif len(every) < count:
                part = replace(part, why=f"{part.why}; compared at t = {', '.join(map(str, sampled))}")
            return part, method
    return None


def _sampled(count: int) -> list[int]:
    return [t for t in sorted({1, 2, 3, count // 2 or 1, count}) if t <= count]


def _compared_times(count: int, N: int) -> list[int]:
    return list(range(1, count + 1)) if count * N**3 <= _LARGEST_STACK else _sampled(count)


def _compared_step(
    stack: Quantity, legs: DenseReference, method: str, t: int, turned: bool
) -> tuple[Array, Array, Array] | None:
    """Errors, bounds and truth of the matrix of one t, each (N, N); None where it is another matrix."""
    roundoff = min(stack.roundoff, SINGLE) + DOUBLE
    Abar, _ = discretize_dense(legs.approximate, legs.B, method, 1 / t)
    values, spacing = stack.values[t - 1], np.abs(stack.spacing[t - 1])
    values, spacing = (values.T, spacing.T) if turned else (values, spacing)
    errors = np.abs(values - Abar)
    if not np.linalg.norm(errors) * _DECIDED <= np.linalg.norm(Abar):
        return None
    bound = rounding_bound(legs.approximate, Abar, method, 1 / t, roundoff) + spacing
    return (errors, bound, Abar) if (errors <= bound).all() else None


def _stacked_inputs(stored: Quantity, count: int, legs: DenseReference, method: str) -> Part:
    """The part for the vectors B of a stack (T, N) or (T, N, 1), that of t being Bbar/t."""
    N, held = legs.N, stored.as_held() or stored
    if held.values.shape not in ((count, N), (count, N, 1)):
        return Part("unknown", why=f"not compared: of the shape {held.values.shape}, where ({count}, {N}) is needed")
    if not np.isfinite(held.values).all():
        return Part("deviates", why="holds NaN or infinity", cause="nonfinite")
    roundoff = min(held.roundoff, SINGLE) + DOUBLE
    times = _compared_times(count, N)
    errors, bounds, truths = np.zeros((3, len(times), N))
    values = held.values.reshape(count, N)[[t - 1 for t in times]]
    for row, t in enumerate(times):
        Abar, Bbar = discretize_dense(legs.approximate, legs.B, method, 1 / t)
        truths[row] = Bbar / t
        sizes = input_terms(legs.approximate, Abar, legs.B, method, 1 / t)
        bounds[row] = 4 * roundoff * sizes + np.abs(held.spacing[t - 1]).reshape(N)
        errors[row] = np.abs(values[row] - truths[row])
    part = Comparison(errors, truths, 0.0, bounds, relative_error(errors, truths)).part("rounding")
    off = np.flatnonzero((errors > bounds).any(axis=1))
    if off.size:
        ratios = values[truths != 0] / truths[truths != 0]
        why = f"{off.size} of {len(times)} vectors are off, the first that of t = {times[off[0]]}"
        cause = "other"
        if np.ptp(np.real(ratios)) <= 1e-3 * abs(
            np.real(ratios[0])
        ):  # three digits name a factor, which is all it does
            why, cause = f"B is {factor_name(float(np.real(ratios[0])))} times the expected", "factor"
        part = replace(part, verdict="deviates", why=why, cause=cause)
    return replace(part, ulps=None)


def _stacked_part(compared: list[tuple[Array, Array, Array]], method: str, turned: bool, count: int) -> Part:
    error, bound, truth = (np.stack(arrays) for arrays in zip(*compared, strict=True))
    text = f"discretized by {method} with the steps 1/t, t = 1..{count}"
    hidden = [float(bounds.max()) * _DECIDED > float(np.abs(Abar).max()) for _, bounds, Abar in compared]
    if any(hidden):
        why = (
            f"may be legs {text}, but rounding in that precision may be as large as the numbers: nothing can be decided"
        )
        return Part("unknown", why=why)
    part = Comparison(error, truth, 0.0, bound, relative_error(error, truth)).part("rounding", why=text)
    part = replace(part, ulps=None)  # entries near 0 have no digits of their own after a solution of equations
    if turned:
        part = replace(part, verdict="deviates", why=f"{text}, each transposed", cause="transposed")
    return part
