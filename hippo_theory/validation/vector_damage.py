"""What may have happened to B or P: hypotheses about moduli that no rounding explains, each tested against the numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.causes import Cause, factor_name
from hippo_theory.validation.eigenvalue_damage import common_ratio

__all__ = ["vector_cause"]

Array = NDArray[Any]


def vector_cause(stored: Array, truth: Array, bound: Array, raw: Array, name: str, order: Array) -> Cause | None:
    """Why the moduli of a vector are not the truth: the first hypothesis that holds, or None.

    Parameters
    ----------
    stored, truth, bound : (n,) ndarray
        In the order of the reference's eigenvalues.
    raw : (n,) or (n, r) ndarray
        The stored numbers themselves, of a vector or of a low-rank term.
    name : str
        ``B`` or ``P``, for the text.
    order : (n,) ndarray of int
        Where each stands in the tensor: neighbors there are what an index mixes up.
    """
    if len(stored) != len(truth) or len(stored) == 0:
        return None
    return next(_hypotheses(stored, truth, bound, raw, name, order), None)


def _within(stored: Array, truth: Array, bound: Array) -> bool:
    return stored.shape == truth.shape and bool((np.abs(stored - truth) <= bound).all())


def _hypotheses(stored: Array, truth: Array, bound: Array, raw: Array, name: str, order: Array) -> Iterator[Cause]:
    n = len(stored)
    if not stored.any():
        yield Cause("dropped", f"{name} is zero")
        return
    ratio = common_ratio(stored, truth)
    if ratio is not None and abs(ratio - 1) > 1e-6 and _within(stored / ratio, truth, 3 * bound / min(1.0, ratio)):
        yield Cause("factor", f"{name} is {factor_name(ratio)} times the expected; divide by it")
    if _within(stored, truth**2, 3 * np.maximum(truth, 1) * bound):
        yield Cause("squared", f"{name} is squared: it was multiplied in twice")
    if np.ptp(stored) <= 2 * bound.max() and np.ptp(truth) > 2 * bound.max():
        yield Cause("dropped", f"{name} was dropped: all its entries are {stored[0]:.6g}")
    positive = truth > 0
    if _within(stored[positive], 1 / truth[positive], bound[positive] / np.minimum(1, truth[positive]) ** 2):
        yield Cause("inverse", f"{name} is inverted")
    yield from _clipped(stored, truth, bound, raw, name)
    outside = np.abs(stored - truth) > bound
    count = int(outside.sum())
    if n > 3:
        ours, theirs, widest = stored[np.argsort(order)], truth[np.argsort(order)], bound.max()
        for shift in (1, -1):
            rolled, inner = np.roll(theirs, shift), slice(1, -1)
            if (np.abs(ours - rolled)[inner] <= widest).all() and (np.abs(ours - theirs)[inner] > widest).any():
                yield Cause("index", f"{name} is in another order than A: its index is shifted by one")
    if _within(np.sort(stored), np.sort(truth), np.full(n, bound.max())):
        places = np.sort(order[outside])
        if count == 2 and places[1] - places[0] == 1:
            text = f"neighbors of {name} are swapped: entries {places[0]} and {places[1]} against A"
            yield Cause("swapped", text)
        elif count <= 2:
            yield Cause("swapped", f"two entries of {name} are swapped against A")
        yield Cause("order", f"{name} is in another order than A ({count} of {n} entries)")
    ratios = stored[outside] / np.where(truth[outside] > 0, truth[outside], np.inf)
    if 1 < count < n and (np.abs(ratios - ratios[0]) <= 3 * (bound / np.maximum(truth, 1e-300))[outside]).all():
        yield Cause("mixed", f"{count} of {n} entries of {name} are {factor_name(float(ratios[0]))} times the expected")
    if 0 < count <= max(1, n // 4):
        first = int(np.flatnonzero(outside)[0])
        off = stored[first] / truth[first] if truth[first] else np.inf
        yield Cause("entry", f"{count} of {n} entries of {name} are off, the first {off:.6g} times the expected")
    yield Cause("other", f"{name} is another vector: {count} of {n} entries are off")


def _clipped(stored: Array, truth: Array, bound: Array, raw: Array, name: str) -> Iterator[Cause]:
    """Moduli, real or imaginary parts at one limit where the truth is larger; of r columns in one at least."""
    outside = np.abs(stored - truth) > bound
    count = int(outside.sum())
    if not (count and (truth[outside] > stored[outside]).all()):
        return
    for part in (np.imag(raw), np.real(raw), stored):
        part = part.reshape(len(stored), -1)
        limit = float(np.abs(part[outside]).max(initial=0.0))
        at_limit = (np.abs(np.abs(part[outside]) - limit) <= 1e-6 * limit).any(axis=1)
        largest = np.abs(part).max() <= limit * (1 + 1e-6)
        if limit > 0 and at_limit.all() and largest and (count > 1 or _is_written(limit)):
            yield Cause("clipped", f"{name} is clipped at {limit:.6g} in {count} of {len(stored)} entries")


def _is_written(limit: float) -> bool:
    """Whether a limit is a number that somebody wrote down: of two digits."""
    return abs(float(f"{limit:.2g}") - limit) <= 1e-6 * limit
