"""On which references stored eigenvalues lie: exactly, by rounding, by a known deviation, or damaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.causes import Cause
from hippo_theory.validation.clamped import may_be_clamped, starts
from hippo_theory.validation.damaged import Damaged
from hippo_theory.validation.deviations import known_eigenvalue_deviation
from hippo_theory.validation.eigenvalue_damage import eigenvalue_causes, subset_causes
from hippo_theory.validation.findings import Part
from hippo_theory.validation.matching import (
    COARSE,
    SINGLE,
    Comparison,
    Fit,
    align,
    compare_eigenvalues,
    eigenvalue_bound,
)
from hippo_theory.validation.misindexed import misindexed_causes
from hippo_theory.validation.moves import cut_bound, decisive, is_decided, nearest_start, spacing_near
from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.references import Reference, references

__all__ = ["Candidate", "damaged_candidates", "prior", "undamaged_candidates"]

Array = NDArray[Any]

_Explained = tuple[float, Reference, Cause, str]  # cost, the start, what happened to it, how it is kept
_LARGEST_SUBSET = 128  # eigenvalues: more take too long
_SINGLE = "computed in float32"


@dataclass(frozen=True, eq=False)
class Candidate:
    """A reference, how the eigenvalues lie on it, and what they are then.

    Attributes
    ----------
    fit : Fit
    Lambda : Part
    roundoff : float
        Unit roundoff in which the parameters were computed, as far as the eigenvalues show it.
    """

    fit: Fit
    Lambda: Part
    roundoff: float


def undamaged_candidates(stored: Quantity) -> list[Candidate]:
    """References that explain the eigenvalues (n,): in the stored precision; else in the one they were cast from, or
    computed in; else by a known deviation.
    """
    fits = [compare_eigenvalues(stored, reference) for reference in references(len(stored.values))]
    found = []
    for fit in fits:
        if fit.Lambda.is_exact or fit.Lambda.is_rounding:
            part = _judged(fit.Lambda, stored, fit)
            if part.verdict == "rounding":  # a clamp may be smaller than what rounding explains, and still be one
                part = known_eigenvalue_deviation(stored, fit) or part
            found.append(Candidate(fit, part, stored.roundoff))
    if found:
        return found
    held = stored.as_held()
    if held is not None and (found := [c for c in undamaged_candidates(held) if c.Lambda.deviation != "D4"]):
        why = f"the numbers are those of {held.dtype}, stored as {stored.dtype}"
        return [
            replace(c, Lambda=replace(c.Lambda, why=why, cause=_cause_of(c.Lambda, held)))
            if c.Lambda.verdict in ("exact", "rounding")
            else c
            for c in found
        ]
    known = ((fit, known_eigenvalue_deviation(stored, fit)) for fit in fits)
    found = [Candidate(fit, part, stored.roundoff) for fit, part in known if part is not None]
    if found or stored.roundoff >= SINGLE:
        return found
    return [candidate for fit in fits if (candidate := _computed_in_single(stored, fit)) is not None]


def _cause_of(part: Part, held: Quantity) -> str | None:
    """That rounding is that of float32 in a file of more."""
    return "float32" if part.verdict == "rounding" and held.dtype == "float32" else part.cause


def _computed_in_single(stored: Quantity, fit: Fit) -> Candidate | None:
    """float64 numbers that were computed in float32: most of them are off, as rounding would have it.

    One error of all real parts is rounding only if it is that of the mean of the diagonal of A + P P^T, whose N terms (up to
    2 N + 1) each add 2 u at most; else it is an offset, and real parts say nothing.
    """
    single = compare_eigenvalues(stored, fit.reference, SINGLE)
    moved = align(stored.values, fit.reference)[2] - fit.Lambda.truth
    real = np.abs(moved.real) if abs(np.median(moved.real)) <= 2 * SINGLE * (fit.reference.N + 1) else 0.0
    outside = np.hypot(real, moved.imag) > fit.Lambda.bound
    nonzero = np.abs(fit.Lambda.truth.imag) > 0
    # One number that is off is a damage, not a precision.
    if outside.sum() < 2 or 2 * (outside & nonzero).sum() <= nonzero.sum():
        return None
    known = known_eigenvalue_deviation(stored, fit, SINGLE)
    if known is not None:
        return Candidate(single, replace(known, why=f"{known.why}; {_SINGLE}"), SINGLE)
    if not single.Lambda.is_rounding:
        return None
    part = _judged(single.Lambda, stored, single)
    if part.verdict in ("exact", "rounding"):
        part = replace(part, verdict="rounding", why=_SINGLE, cause="float32")
    return Candidate(single, part, SINGLE)


def _judged(comparison: Comparison, stored: Quantity, fit: Fit) -> Part:
    """exact or rounding; a half with signs of both kinds, and a lost state, are said.

    Each conjugate pair may be stored by either of its eigenvalues, but B and C have to follow, and no codebase mixes them.
    """
    upper = fit.reference.Lambda.imag > 0
    mixed = fit.conjugated & upper
    if 0 < mixed.sum() < upper.sum():
        few = min(int(mixed.sum()), int(upper.sum() - mixed.sum()))
        text = (
            f"the sign of {few} of {int(upper.sum())} imaginary parts differs from the others: the same system only if B and C"
            " are conjugated with them"
        )
        return comparison.part("deviates", why=text, cause="sign")
    if fit.reference.form == "half, real state lost":
        why = "N is odd, and its real eigenvalue is lost"
        return comparison.part("known-deviation", why=why, cause="lost", deviation="D22")
    if fit.reference.id == "fourier-diagonal" and fit.reference.form == "half" and fit.reference.N > 1:
        why = "the zero frequency stands once among conjugate pairs, and counts twice"
        return comparison.part("known-deviation", why=why, cause="zero", deviation="D5")
    if stored.dtype in COARSE and comparison.is_rounding:
        if stored.direct:
            return comparison.part("rounding", why=f"stored as {stored.dtype}")
        return comparison.part("rounding", why=f"a logarithm stored as {stored.dtype}", deviation="D16")
    if comparison.is_exact:
        return comparison.part("exact")
    return comparison.part("rounding", why="what a backward stable computation in this precision explains")


def damaged_candidates(stored: Quantity) -> list[Candidate]:
    """The references that a simple mistake turns into the stored eigenvalues, the simplest only.

    A mistake explains the numbers only if it brings them nearer than the nearest start is: its bounds are cut to a share
    1/decisive(n) of the largest move from that start, for those of an eigensolver, which are the same for all eigenvalues,
    would hide small moves of all of them. And where the stored numbers are too coarse for that, a mistake that turns a
    reference into that start itself is none: FouT with the real part -1/2 is S4D-Lin.
    """
    explained = _of_any_precision(stored)
    least = min((one[0] for one in explained), default=0.0)
    return [_candidate(stored, *one[1:]) for one in explained if one[0] <= least + 0.05]


def _of_any_precision(stored: Quantity) -> list[_Explained]:
    """What may have happened to the eigenvalues (n,), computed in the stored precision; else in float32.

    Numbers that are further from every start than the rounding of float32 are not searched twice: what explains them in
    float64 does so in float32 too.
    """
    if stored.roundoff >= SINGLE:
        return list(_explained(stored))
    single = replace(stored, dtype="float32")
    nearest, move = nearest_start(stored.values)
    share = move / decisive(len(stored.values))
    far = nearest is not None and is_decided(eigenvalue_bound(nearest, SINGLE), share, nearest)
    if far and not list(_explained(single)):
        return []
    return list(_explained(stored)) or [(*one[:3], f"{one[3]}; {_SINGLE}") for one in _explained(single)]


def _explained(stored: Quantity) -> Iterator[_Explained]:
    """All that may have happened to the eigenvalues (n,), each with its cost."""
    n = len(stored.values)
    nearest, move = nearest_start(stored.values)
    several, clamped = False, may_be_clamped(stored.values)
    for count in (n, n + 1, n - 1):
        for reference, note in starts(count, clamped) if count > 0 else ():
            if reference.form == "half, real state lost":
                continue
            bound = cut_bound(_bound(stored, reference), move / decisive(n), stored, reference)
            found = list(_causes(stored, reference, bound))
            nearer = is_decided(bound, move / decisive(n), reference)
            if found and nearest is not None and nearest is not reference and not nearer:
                already = {
                    _what(cause) for cause, _ in _causes(replace(stored, values=nearest.Lambda), reference, bound)
                }
                found = [(cause, cost) for cause, cost in found if _what(cause) not in already]
            for cause, cost in found:
                several = True
                yield cost + prior(reference) + 0.01 * bool(note), reference, cause, note
    if not several and not _is_whole(stored, nearest):
        yield from _subsets(stored, move / decisive(n))


def _what(cause: Cause) -> str:
    """What tells two causes of one reference apart: for single numbers, which of them."""
    return cause.text if cause.id in ("lost", "doubled", "entry") else cause.id


def _is_whole(stored: Quantity, nearest: Reference | None) -> bool:
    """Whether the eigenvalues are a start already, all of it: then they are no part of another one."""
    return nearest is not None and compare_eigenvalues(stored, nearest).Lambda.is_rounding


def _damaged(stored: Quantity, reference: Reference, bound: Array) -> Damaged:
    half = reference.form != "all"
    return Damaged(stored.values, reference.Lambda, bound, half, stored.spacing, stored.roundoff)


def _causes(stored: Quantity, reference: Reference, bound: Array) -> Iterator[tuple[Cause, float]]:
    """What turns a reference into eigenvalues (n,), each with its cost."""
    damaged = _damaged(stored, reference, bound)
    yield from eigenvalue_causes(damaged)
    if len(stored.values) == reference.stored:
        yield from misindexed_causes(damaged, reference)


def _subsets(stored: Quantity, move: float) -> Iterator[_Explained]:
    """The spectra of which the eigenvalues (n,) are a part."""
    n = len(stored.values)
    if not 2 <= n <= _LARGEST_SUBSET:
        return
    clamped = may_be_clamped(stored.values)
    middle, spacing = (
        complex(stored.values[np.argsort(np.abs(stored.values))[n // 2]]),
        float(np.abs(stored.spacing).max()),
    )
    # A few are lost, or the numbers up to a power of two, or half of them, or three quarters.
    power = 2 ** (n - 1).bit_length()
    counts = {n + 2, n + 3, n + 4, power, 2 * n - 1, 2 * n, 2 * n + 1, *((4 * n,) if 4 * n <= _LARGEST_SUBSET else ())}
    for count in sorted(count for count in counts if count > n + 1):
        for reference, note in starts(count, clamped):
            if reference.form == "half, real state lost":
                continue
            one = middle.conjugate() if reference.form != "all" and middle.imag < 0 else middle
            allowed = float(eigenvalue_bound(reference, stored.roundoff).max()) + spacing
            if float(np.abs(reference.Lambda - one).min()) > allowed:  # cheap: most are not even near one of them
                continue
            bound = cut_bound(_bound(stored, reference), move, stored, reference)
            damaged = _damaged(stored, reference, bound)
            for cause, cost in subset_causes(damaged):
                yield cost + prior(reference) + 0.01 * bool(note), reference, cause, note


def _bound(stored: Quantity, reference: Reference) -> Array:
    """What rounding explains for each eigenvalue of a reference, the spacing of the stored numbers included."""
    bound = eigenvalue_bound(reference, stored.roundoff)
    spacing = np.abs(stored.spacing)
    if reference.stored == len(spacing):
        order, _, _ = align(stored.values, reference)
        return np.asarray(bound + spacing[order])
    return np.asarray(bound + spacing_near(stored, reference.Lambda))


def _candidate(stored: Quantity, reference: Reference, cause: Cause, note: str) -> Candidate:
    n, why = len(stored.values), cause.text + note
    if reference.stored == n:
        fit = compare_eigenvalues(stored, reference)
        part = fit.Lambda.part("deviates", why=why, cause=cause.id)
    else:  # nothing to compare one by one
        nothing = Comparison(np.zeros(n), stored.values, 0.0, np.zeros(n), 0.0)
        fit = Fit(reference, np.arange(n), np.zeros(n, bool), nothing)
        part = Part("deviates", why=why, cause=cause.id)
    return Candidate(fit, part, stored.roundoff)


def prior(reference: Reference) -> float:
    """A cost of references: rarer systems need better evidence."""
    rare = {
        "fourier-decay": 0.02,
        "s4d-quad": 0.01,
        "fourier-diagonal": 0.02,
        "s4d-inv2": 0.02,
        "legt": 0.01,
        "lagt": 0.01,
    }
    return (
        rare.get(reference.id, 0.0)
        + (0.01 if reference.convention != "default" else 0.0)
        + (0.3 if reference.form == "all" and reference.id.startswith("s4d-") and reference.id != "s4d-real" else 0.0)
    )
