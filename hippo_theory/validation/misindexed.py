"""Closed forms whose index starts elsewhere, or that count N in another way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.causes import Cause
from hippo_theory.validation.closed_forms import closed_form
from hippo_theory.validation.damaged import Damaged
from hippo_theory.validation.references import Reference

__all__ = ["misindexed_causes"]

Array = NDArray[Any]

_SHIFTS = (1, -1, 2, 0.5, -0.5)


def misindexed_causes(damaged: Damaged, reference: Reference) -> Iterator[tuple[Cause, float]]:
    """Hypotheses about the index n and the size N in a closed form, each with its cost."""
    n, full = reference.stored, reference.N
    if reference.id == "s4d-real":
        for shift in _SHIFTS:
            if damaged.evaluates(reference.Lambda - shift):
                id, text = (
                    ("index", "the index starts") if shift == round(shift) else ("shift", "Lambda = -(n + 1) is off")
                )
                yield Cause(id, f"{text} {shift:+g}: the first eigenvalue is {-1 - shift:g} instead of -1"), 1
        return
    if reference.form != "half" or not reference.id.startswith("s4d-") or reference.id == "s4d-legs":
        return
    index = np.arange(n)
    for shift in _SHIFTS:
        if _is(damaged, closed_form(reference.id, index + shift, full), _terms(reference.id, full)):
            yield Cause("index", f"the index n of {reference.id} starts at {shift:g} instead of 0"), 0.9
    if reference.id in ("s4d-inv", "s4d-inv2"):
        for size, text in (
            (n, f"N counted in halves: the {n} stored states were taken for N = {full}"),
            (2 * full, f"N counted in halves: {full} states were taken for the stored half of {2 * full}"),
            (full - 1, f"N = {full - 1} instead of {full}"),
            (full + 1, f"N = {full + 1} instead of {full}"),
        ):
            for shift in (0, 1):
                if size > 0 and _is(
                    damaged, closed_form(reference.id, index + shift, size), _terms(reference.id, size)
                ):
                    yield Cause("index" if shift else "halves", text), 0.9 + 0.1 * shift


def _terms(id: str, N: float) -> float:
    """What S4D-Inv subtracts at the end."""
    return N / np.pi if id in ("s4d-inv", "s4d-inv2") else 0.0


def _is(damaged: Damaged, imaginary: Array, terms: float) -> bool:
    """Whether the stored imaginary parts are these: all of one sign, or as the formula signs them."""
    if not np.isfinite(imaginary).all():
        return False
    expected = -0.5 + 1j * imaginary
    return any(damaged.evaluates(expected, terms, values) for values in (damaged.values, damaged.values.conj()))
