"""On which references stored eigenvalues lie: exactly, by rounding, by a known deviation, or damaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.causes import Cause
from hippo_theory.validation.deviations import known_eigenvalue_deviation
from hippo_theory.validation.eigenvalue_damage import Damaged, eigenvalue_causes, subset_causes
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
from hippo_theory.validation.moves import cut_bound, decisive, is_decided, nearest_start
from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.references import Reference, references

__all__ = ["Candidate", "damaged_candidates", "prior", "undamaged_candidates"]

Array = NDArray[Any]

_Explained = tuple[float, Reference, Cause]
_LEAST_SUBSET, _LARGEST_SUBSET = 4, 128  # eigenvalues: fewer fit by chance, more take too long


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
            replace(c, Lambda=replace(c.Lambda, why=why)) if c.Lambda.verdict in ("exact", "rounding") else c
            for c in found
        ]
    if stored.roundoff < SINGLE:
        found = [candidate for fit in fits if (candidate := _computed_in_single(stored, fit)) is not None]
        if found:
            return found
    known = ((fit, known_eigenvalue_deviation(stored, fit)) for fit in fits)
    return [Candidate(fit, part, stored.roundoff) for fit, part in known if part is not None]


def _computed_in_single(stored: Quantity, fit: Fit) -> Candidate | None:
    """float64 numbers that were computed in float32: most of them are off, as rounding would have it."""
    single = compare_eigenvalues(stored, fit.reference, SINGLE)
    nonzero = np.abs(fit.Lambda.truth.imag) > 0
    outside = fit.Lambda.outside
    # One number that is off is a damage, not a precision.
    if not single.Lambda.is_rounding or not nonzero.any() or outside.sum() < 2 or outside[nonzero].mean() <= 0.5:
        return None
    part = _judged(single.Lambda, stored, single)
    if part.verdict in ("exact", "rounding"):
        part = replace(part, verdict="rounding", why="computed in float32")
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
    n = len(stored.values)
    nearest, move = nearest_start(stored.values)
    explained: list[_Explained] = []
    for count in (n, n + 1, n - 1):
        for reference in references(count) if count > 0 else ():
            if reference.form == "half, real state lost":
                continue
            bound = cut_bound(_bound(stored, reference), move / decisive(n), stored, reference)
            found = list(_causes(stored.values, reference, bound))
            nearer = is_decided(bound, move / decisive(n), reference)
            if found and nearest is not None and nearest is not reference and not nearer:
                already = {cause.id for cause, _ in _causes(nearest.Lambda, reference, bound)}
                found = [(cause, cost) for cause, cost in found if cause.id not in already]
            explained += [(cost + prior(reference), reference, cause) for cause, cost in found]
    if not explained:
        explained = list(_subsets(stored, move / decisive(n)))
    least = min((cost for cost, _, _ in explained), default=0.0)
    return [_candidate(stored, reference, cause) for cost, reference, cause in explained if cost <= least + 0.05]


def _causes(values: Array, reference: Reference, bound: Array) -> Iterator[tuple[Cause, float]]:
    """What turns a reference into eigenvalues (n,), each with its cost."""
    damaged = Damaged(values, reference.Lambda, bound, reference.form != "all")
    yield from eigenvalue_causes(damaged)
    if len(values) == reference.stored:
        yield from misindexed_causes(damaged, reference)


def _subsets(stored: Quantity, move: float) -> Iterator[_Explained]:
    """The spectra of which the eigenvalues (n,) are a part."""
    n = len(stored.values)
    if not _LEAST_SUBSET <= n <= _LARGEST_SUBSET:
        return
    middle = complex(stored.values[np.argsort(np.abs(stored.values))[n // 2]])
    # A few are lost, or the numbers up to a power of two, or half of them, or three quarters.
    power = 2 ** (n - 1).bit_length()
    counts = {n + 2, n + 3, n + 4, power, 2 * n - 1, 2 * n, 2 * n + 1, *((4 * n,) if 4 * n <= _LARGEST_SUBSET else ())}
    for count in sorted(count for count in counts if count > n + 1):
        for reference in references(count):
            if reference.form == "half, real state lost":
                continue
            one = middle.conjugate() if reference.form != "all" and middle.imag < 0 else middle
            bound = _bound(stored, reference)
            if float(np.abs(reference.Lambda - one).min()) > bound.max():  # cheap: most are not even near one of them
                continue
            bound = cut_bound(bound, move, stored, reference)
            damaged = Damaged(stored.values, reference.Lambda, bound, reference.form != "all")
            for cause, cost in subset_causes(damaged):
                yield cost + prior(reference), reference, cause


def _bound(stored: Quantity, reference: Reference) -> Array:
    """What rounding explains for each eigenvalue of a reference, the spacing of the stored numbers included."""
    bound = eigenvalue_bound(reference, stored.roundoff)
    spacing = np.abs(stored.spacing)
    if reference.stored == len(spacing):
        order, _, _ = align(stored.values, reference)
        return np.asarray(bound + spacing[order])
    return np.asarray(bound + spacing.max(initial=0.0))


def _candidate(stored: Quantity, reference: Reference, cause: Cause) -> Candidate:
    n = len(stored.values)
    if reference.stored == n:
        fit = compare_eigenvalues(stored, reference)
        part = fit.Lambda.part("deviates", why=cause.text, cause=cause.id)
    else:  # nothing to compare one by one
        nothing = Comparison(np.zeros(n), stored.values, 0.0, np.zeros(n), 0.0)
        fit = Fit(reference, np.arange(n), np.zeros(n, bool), nothing)
        part = Part("deviates", why=cause.text, cause=cause.id)
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
