"""Dense matrices Abar of discretized systems: which A, by which method, with which step, and within which rounding.

Abar is a function of A dt, so it commutes with A and with R = (I - A)^-1: which A it is shows before method and step are
known. R is applied, not A, because it is bounded (||R|| <= 1 for dissipative A) and weighs the slow modes, which are what
a discretization with a large step leaves. Then the step:

    weighted methods:  Abar v - v = dt A (alpha Abar v + (1 - alpha) v) for every v, linear in dt;
    zero-order hold:   Abar z = e^(lambda dt) z for an eigenvector A z = lambda z, so dt = log|z* Abar z| / Re lambda.

An eigenvector of a backward stable solver has a residual of a few u ||A||, whatever the condition of lambda, which moves
z* Abar z by dt times that; of a triangular A the diagonals are the eigenvalues. Neither takes a determinant or a logarithm
of Abar, which may be singular to working precision.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
from numpy.typing import NDArray

from hippo_theory.discretizations import discretize_dense, find_discretization
from hippo_theory.errors import InputError
from hippo_theory.validation.bases import rearrangement
from hippo_theory.validation.dense_matches import DenseMatch, relative_error
from hippo_theory.validation.discrete_bounds import rounding_bound
from hippo_theory.validation.discrete_spectra import nearest_simple
from hippo_theory.validation.findings import Finding, Part
from hippo_theory.validation.matching import DOUBLE, SINGLE, Comparison
from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.reading import Parameters
from hippo_theory.validation.references import DenseReference, dense_references

__all__ = ["discretized", "judge_stacked", "may_be_discretized"]

Array = NDArray[Any]
_Candidate = tuple[DenseReference, bool, str, float]

LARGEST_DISCRETE = 1024  # states above which no Abar is formed
_SMALLEST_STEP, _LARGEST_STEP = 1e-8, 1e3
_NEAR = 5e-2  # residuals up to which a hypothesis is worth being tested
_EIGENVECTORS = 6  # slow ones, of large matrices
_DECIDED = 10.0  # times a bound must be smaller than the numbers to say that they agree


# --- which A, method and step ---------------------------------------------------------------------------------------------


def _candidates(Abar: Array) -> Iterator[_Candidate]:
    """(reference, transposed, method, step) of which Abar may be the discretization."""
    probe = np.random.default_rng(0).standard_normal(len(Abar))
    rest = Abar - np.mean(np.diag(Abar)) * np.eye(len(Abar))  # multiples of I commute with everything
    if not np.any(rest):
        return
    for reference in dense_references(len(Abar)):
        A = reference.approximate
        factors = scipy.linalg.lu_factor(np.eye(len(A)) - A)
        smooth = scipy.linalg.lu_solve(factors, probe)
        for turned in (False, True):
            matrix, left = (Abar.T, rest.T) if turned else (Abar, rest)
            one, other = scipy.linalg.lu_solve(factors, left @ probe), left @ smooth
            if not np.linalg.norm(one - other) <= _NEAR * (np.linalg.norm(one) + np.linalg.norm(other)):
                continue
            for method, step in _weighted_steps(matrix, A, (probe, smooth)):
                yield reference, turned, method, step
            held = _exponential_step(matrix, A, factors)
            if held is not None and _SMALLEST_STEP < held < _LARGEST_STEP:
                yield reference, turned, "zoh", held


def _weighted_steps(Abar: Array, A: Array, vectors: tuple[Array, ...]) -> Iterator[tuple[str, float]]:
    for method in ("bilinear", "forward_euler", "backward_euler"):
        alpha = float(find_discretization(method).alpha or 0)
        best, found = _NEAR, None
        for vector in vectors:
            image = Abar @ vector
            change, rate = image - vector, A @ (alpha * image + (1 - alpha) * vector)
            if not (change.any() and rate.any()):
                continue
            step = float(rate @ change / (rate @ rate))
            residual = float(np.linalg.norm(change - step * rate) / np.linalg.norm(change))
            if residual <= best:
                best, found = residual, step
        # I + A is no step of 1: the families have no such time scale, and a shifted diagonal would look like it.
        largest = 0.5 if method == "forward_euler" else _LARGEST_STEP
        if found is not None and _SMALLEST_STEP < found < largest:
            yield method, found


def _exponential_step(Abar: Array, A: Array, factors: Any) -> float | None:
    """dt of e^(A dt), from the eigenvalue whose |mu log mu| is largest: an error of mu moves dt least there."""
    if not np.triu(A, 1).any():
        rates, multipliers = np.diag(A), np.diag(Abar)
    else:
        values, vectors = _slow_modes(A, factors)
        multipliers = (vectors.conj() * (Abar @ vectors)).sum(axis=0)
        away = np.linalg.norm(Abar @ vectors - vectors * multipliers, axis=0)
        rates, multipliers = values.real, np.where(away <= _NEAR * np.abs(multipliers), np.abs(multipliers), 0.0)
    usable = (multipliers > 0) & (multipliers < 1) & (rates < 0)
    if not usable.any():
        return None
    rates, logarithms = rates[usable], np.log(multipliers[usable])
    best = int(np.argmax(np.exp(logarithms) * -logarithms))
    return float(logarithms[best] / rates[best])


def _slow_modes(A: Array, factors: Any) -> tuple[Array, Array]:
    """Eigenvalues of A near 1, the slow ones, and their eigenvectors; all of them where A is small."""
    N = len(A)
    if N <= 64:
        return np.linalg.eig(A)
    inverse = scipy.sparse.linalg.LinearOperator((N, N), lambda v: scipy.linalg.lu_solve(factors, v), dtype=float)
    start = np.random.default_rng(1).standard_normal(N)
    try:
        values, vectors = scipy.sparse.linalg.eigs(inverse, _EIGENVECTORS, v0=start)
    except scipy.sparse.linalg.ArpackError:
        return np.zeros(0, dtype=complex), np.zeros((N, 0), dtype=complex)
    return 1 - 1 / values, vectors


def may_be_discretized(Abar: Array) -> bool:
    """Whether a real matrix is worth being compared with discretizations: cheap, for matrices that are mostly none."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return next(_candidates(Abar), None) is not None


# --- one matrix -----------------------------------------------------------------------------------------------------------


def discretized(A: Quantity, B: Quantity | None) -> DenseMatch | Part | None:
    """A as the discrete Abar of a family; a `Part` says why nothing can be decided, where rounding hides the numbers."""
    values, N = A.values, len(A.values)
    if np.iscomplexobj(values) or N < 2 or np.abs(np.diag(values)).max() > 2:
        return None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of matrices that are nearly singular
        candidates = list(_candidates(values))
    if candidates and N > LARGEST_DISCRETE:
        reference, _, method, step = candidates[0]
        words = f"commutes with A of {reference.id}, as {method} with the step {step:.3g} would"
        why = f"{words}; discretizations are not compared above N = {LARGEST_DISCRETE}"
        return Part("unknown", why=why)
    matches: list[DenseMatch] = []
    undecided: Part | None = None
    for candidate in candidates:
        if any(match.reference is not candidate[0] and (B is None or _fits(B, match)) for match in matches):
            continue  # another start that has this Abar is the same one in another time scale
        found = _compared(A, *candidate)
        if isinstance(found, DenseMatch):
            matches.append(_arranged(found, B, candidate[1]))
        elif found is not None:
            undecided = undecided or found
    if B is not None and any(_fits(B, match) for match in matches):
        matches = [match for match in matches if _fits(B, match)]
    # With small steps several methods are within the rounding of each other: the nearest of them.
    return min(matches, key=lambda match: match.cost, default=undecided)


def _compared(
    A: Quantity, reference: DenseReference, turned: bool, method: str, step: float
) -> DenseMatch | Part | None:
    """A against one discretization, its step refined by least squares: a match, a reason why nothing is decided, or None."""
    stored = A.as_held() or A
    values, spacing = (array.T if turned else array for array in (stored.values, np.abs(stored.spacing)))
    held = "" if stored.dtype == A.dtype else f"; the numbers are those of {stored.dtype}, stored as {A.dtype}"
    roundoff = min(stored.roundoff, SINGLE) + DOUBLE  # theirs, and ours
    apart = float(np.linalg.norm(values - np.mean(np.diag(values)) * np.eye(len(values))))
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for _ in range(4):
                Abar, Bbar = discretize_dense(reference.approximate, reference.B, method, step)
                slope = _slope(reference.approximate, Abar, method, step)
                change = float((slope * (values - Abar)).sum() / (slope * slope).sum())
                left = float(np.linalg.norm(values - Abar - change * slope))
                if not abs(change) < 2 * _NEAR * step or not left <= 2 * _NEAR * apart:
                    return None
                # What the first order leaves, (change A)^2 Abar / 2, is below the rounding of Abar; that of an
                # exponential is 4 u sqrt(N) 2^s at least, where 2^s >= dt ||A||_1 / 10.8 and sqrt(N) ||A||_1 >= ||A||_F.
                size = float(np.linalg.norm(reference.approximate))
                if (change * size) ** 2 <= roundoff * max(1.0, step * size / 3 if method == "zoh" else 0.0):
                    break
                step += change
            bound = rounding_bound(reference.approximate, Abar, method, step, roundoff) + spacing
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
    cost = float(np.linalg.norm(errors) / np.linalg.norm(Abar))
    return DenseMatch(reference, exact * Bbar, part, cost, exact)


def _slope(A: Array, Abar: Array, method: str, step: float) -> Array:
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
    scales = (1.0, 1 / (match.step or 1.0))
    return any((np.abs(B.values - c * match.B) <= 1e-4 * c * np.abs(match.B).max()).all() for c in scales)


# --- stacks ---------------------------------------------------------------------------------------------------------------


def judge_stacked(parameters: Parameters) -> Iterator[Finding]:
    """A stack of discrete A for t = 1, 2, ...: LegS, x' = (A x + B u)/t, by method and step 1/t."""
    stack, N = parameters.Lambda, parameters.Lambda.values.shape[-1]
    names = (parameters.tensors, parameters.prefix, parameters.layout)
    part, id = Part("unknown", why="a stack of matrices, none that is known"), "unknown"
    legs = next((reference for reference in dense_references(N) if reference.id == "legs"), None)
    if N > LARGEST_DISCRETE or legs is None:
        part = replace(part, why=f"a stack of matrices of {N} states; not compared above {LARGEST_DISCRETE}")
    elif np.iscomplexobj(stack.values) or not np.isfinite(stack.values).all():
        part = replace(part, why="a stack of matrices that holds NaN, infinity or complex numbers")
    else:
        found = _stacked(stack, legs)
        if found is not None:
            part, id = found, "unknown" if found.verdict == "unknown" else "legs"
    yield Finding(*names, id, None if id == "unknown" else "default", N, N, 1, {"A": part})


def _stacked(stored: Quantity, legs: DenseReference) -> Part | None:
    stack = stored.as_held() or stored
    count = len(stack.values)
    sampled = [t for t in sorted({1, 2, 3, count // 2 or 1, count}) if t <= count]
    roundoff = min(stack.roundoff, SINGLE) + DOUBLE
    for method in ("bilinear", "forward_euler", "backward_euler", "zoh"):
        for turned in (False, True):
            compared = []
            for t in sampled:
                Abar, _ = discretize_dense(legs.approximate, legs.B, method, 1 / t)
                values, spacing = stack.values[t - 1], np.abs(stack.spacing[t - 1])
                values, spacing = (values.T, spacing.T) if turned else (values, spacing)
                errors = np.abs(values - Abar)
                if not np.linalg.norm(errors) * _DECIDED <= np.linalg.norm(Abar):
                    break
                bound = rounding_bound(legs.approximate, Abar, method, 1 / t, roundoff) + spacing
                if not (errors <= bound).all():
                    break
                compared.append((errors, bound, Abar))
            else:
                return _stacked_part(compared, method, turned, count)
    return None


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
