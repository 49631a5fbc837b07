"""The low-rank term P beside a dense A: A = S - P P^T with S normal, so that P P^T is what A fixes, and P up to rotations.

With columns p_k = P R, R orthogonal, P P^T is the same; the signs of columns are the least of it. Beside Q it is P Q^T.
Products of rank r with rounded factors are off by (2 u + r u) |P| |Q|^T, of which twice as much is allowed, taken of the
truth, and by what the spacing of both can hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.errors import InputError
from hippo_theory.families import make_family
from hippo_theory.validation.causes import Cause, factor_name
from hippo_theory.validation.dense_matches import DenseMatch, relative_error
from hippo_theory.validation.findings import Part
from hippo_theory.validation.layouts import StoredTensor
from hippo_theory.validation.matching import SINGLE, Comparison
from hippo_theory.validation.moved_matrices import is_spread
from hippo_theory.validation.moves import percent
from hippo_theory.validation.quantities import Quantity, UnfitTensorError
from hippo_theory.validation.reading import LOW_RANK, LOW_RANK_OUT, Parameters
from hippo_theory.validation.vector_damage import vector_cause

__all__ = ["judge_low_rank"]

Array = NDArray[Any]


def judge_low_rank(parameters: Parameters, match: DenseMatch) -> tuple[Part, tuple[str, ...]] | str | None:
    """The part for P (and Q) among the tensors of the layer, and their names; why there is none; None where there is no P.

    Examples
    --------
    >>> import hippo_theory as ht
    >>> legs = ht.LegS(8)
    >>> (found,) = ht.validate({"A": legs.A, "B": legs.B, "P": np.sqrt(2) * legs.P}).files[0].findings
    >>> found.parts["P"].verdict, found.parts["P"].why
    ('deviates', 'P is sqrt(2) times the expected; divide by it')
    """
    stored = _first(parameters, LOW_RANK)
    if stored is None:
        return None
    N = len(parameters.Lambda.values)
    other = _first(parameters, LOW_RANK_OUT)
    names = tuple(tensor.name for tensor in (stored, other) if tensor is not None)
    try:
        columns, rows = _columns(stored, N), None if other is None else _columns(other, N)
    except UnfitTensorError as error:
        return f"{' and '.join(names)} is not compared: {error}"
    if not columns or (other is not None and not rows):
        shapes = " and ".join(str(tensor.shape) for tensor in (stored, other) if tensor is not None)
        return f"{' and '.join(names)} of the shape {shapes} is not compared: {N} states need ({N}, r) or (r, {N})"
    truth = _truth(match, N)
    if truth is None:
        return f"{' and '.join(names)} is not compared: {match.reference.id} is not normal plus low rank"
    both = zip(columns, columns if rows is None else rows, strict=False)
    pairs = [(P, Q) for P, Q in both if P.values.shape == Q.values.shape]
    if not pairs:
        why = f"P and Q have the ranks {columns[0].values.shape[1]} and {(rows or columns)[0].values.shape[1]}"
        return Part("deviates", why=f"{why}; they must agree", cause="shape"), names
    if not all(np.isfinite(P.values).all() and np.isfinite(Q.values).all() for P, Q in pairs):
        return Part("deviates", why="holds NaN or infinity", cause="nonfinite"), names
    trained = match.part.verdict == "trained"
    parts = [_judged(P, Q, truth, rows is not None, trained) for P, Q in pairs]  # square ones are read either way
    return min(parts, key=lambda part: (part.verdict == "deviates", part.cause == "other")), names


def _first(parameters: Parameters, names: tuple[str, ...]) -> StoredTensor | None:
    # Beside a real A functions also return P in the basis of the eigenvectors, complex.
    complex_A = np.iscomplexobj(parameters.Lambda.values)
    found = (parameters.others[name] for name in names if name in parameters.others)
    return next((tensor for tensor in found if tensor.dtype.startswith("complex") == complex_A), None)


def _columns(tensor: StoredTensor, N: int) -> list[Quantity]:
    """P as (N, r), in both ways where r = N."""
    shape = tuple(tensor.shape)
    stored = tensor.quantity()
    if shape == (N,):
        return [stored.reshaped(N, 1)]
    if len(shape) != 2 or 0 in shape:
        return []
    found = [stored] if shape[0] == N else []
    return found + ([stored.mapped(np.transpose)] if shape[1] == N else [])


def _truth(match: DenseMatch, N: int) -> Array | None:
    """P of the matrix that was found, (N, r): its states as they are arranged, in its time scale."""
    reference = match.reference
    id = "legs" if reference.id == "s4d-legs" else reference.id
    options: dict[str, Any] = {"beta": reference.beta} if id == "lagt" else {}
    later = int(reference.deviation is not None)  # indices from 1
    try:
        family = make_family(id, reference.N + later, convention=reference.convention, **options)
        P = np.asarray(family.P, dtype=float)[later:]
    except InputError:
        return None
    order, signs = match.states
    return np.asarray(np.sqrt(match.scale) * signs[:, None] * P[order]) if len(order) == N and P.size else None


def _judged(P: Quantity, Q: Quantity, truth: Array, both: bool, trained: bool) -> Part:
    ours, theirs = P.values @ Q.values.conj().T, truth @ truth.T
    held_P, held_Q = (np.abs(part.spacing) for part in (P, Q))
    # Of the rounding of P alone, whose products with the truth are what the errors move.
    sizes = np.abs(truth) @ np.abs(truth).T
    roundoff = min(max(P.roundoff, Q.roundoff), SINGLE)
    bound = (4 + 2 * truth.shape[1]) * roundoff * sizes + held_P @ np.abs(Q.values).T + np.abs(P.values) @ held_Q.T
    errors = np.abs(ours - theirs)
    name = "P Q^T" if both else "P"
    if (errors <= bound).all():
        # In units of what P can hold: a number of P P^T moves by the spacing of both factors.
        held = held_P @ np.abs(Q.values).T + np.abs(P.values) @ held_Q.T
        ulps = float(np.where(errors == 0, 0.0, errors / np.maximum(held, 1e-300)).max(initial=0.0))
        part = Comparison(errors, theirs, ulps, bound, relative_error(errors, theirs))
        return part.judged(P.dtype)
    there = theirs != 0
    moves = np.real(ours[there] / theirs[there]) - 1
    if trained and is_spread(moves, (errors > bound)[there]):
        why = f"entries of P P^T have moved by {percent(float(np.median(np.abs(moves))))} (median)"
        return Part("trained", relative_error(errors, theirs), why=why, cause="trained")
    cause = next(_causes(P, ours, theirs, truth, bound, name, both))
    comparison = Comparison(errors, theirs, np.inf, bound, relative_error(errors, theirs))
    return replace(comparison.part("deviates", why=cause.text), cause=cause.id, ulps=None)


def _causes(
    P: Quantity, ours: Array, theirs: Array, truth: Array, bound: Array, name: str, both: bool
) -> Iterator[Cause]:
    if not ours.any():
        yield Cause("dropped", f"{name} is zero: A is S - P P^T with P = 0 only if A is normal")
        return
    if (np.abs(ours + theirs) <= bound).all():
        yield Cause("sign", "the sign of P Q^T is the other one: A = S - P Q^T")
    there = theirs != 0
    ratio = float(np.median(np.real(ours[there] / theirs[there])))
    if ratio > 0 and (np.abs(ours - ratio * theirs) <= 3 * max(1.0, ratio) * bound).all():
        text = "times the expected; divide by it"
        factor = ratio if both else float(np.sqrt(ratio))
        yield Cause("factor", f"{name} is {factor_name(factor)} {text}")
    # Rows of P have norms that no rotation changes.
    stored, rows = np.linalg.norm(P.values, axis=1), np.linalg.norm(truth, axis=1)
    allowed = 4 * min(P.roundoff, SINGLE) * rows + np.linalg.norm(P.spacing, axis=1)
    if not (np.abs(stored - rows) <= allowed).all():
        cause = vector_cause(stored, rows, allowed, stored, "P", np.arange(len(rows)))
        if cause is not None:
            yield cause
    elif P.values.shape == truth.shape and (np.abs(np.abs(P.values) - np.abs(truth)) <= allowed[:, None]).all():
        count = int((np.real(P.values) * truth < 0).sum())
        yield Cause("sign", f"the sign of {count} entries of P is the other one")
    else:
        rank = int(np.linalg.matrix_rank(P.values, tol=1e-3 * float(np.abs(P.values).max())))
        text = f"P P^T is another matrix, of rank {rank} instead of {truth.shape[1]}, though the rows of P have their norms"
        yield Cause("phase", text)
    yield Cause("other", f"{name} is another low-rank term")
