"""What happens to the real eigenvalues -1, -2, ... of S4D-Real and Mamba, of which code stores logarithms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.causes import Cause
from hippo_theory.validation.common_factors import facts
from hippo_theory.validation.damaged import Damaged
from hippo_theory.validation.matching import SINGLE

__all__ = ["exponent_interval", "real_causes"]

Array = NDArray[Any]

_FLOOR = 1e-2  # log(0 + eps) is written with an eps below this
_FREE_EXPONENT = 4  # eigenvalues below which an exponent without a name is no evidence

# Exponents p of Lambda = -n^p, which is what p log(n) gives: (p, cause, words).
_EXPONENTS = (
    (1 / np.log(2), "logarithm", "the logarithm to base 2 instead of the natural one"),
    (1 / np.log(10), "logarithm", "the logarithm to base 10 instead of the natural one"),
    (2.0, "squared", "Lambda is squared"),
    (3.0, "power", "the cube"),
    (0.5, "power", "a square root was taken"),
    (-0.5, "power", "the reciprocal of a square root"),
    (-1.0, "inverse", "Lambda is inverted: a sign before the logarithm, or a division"),
)


def real_causes(damaged: Damaged) -> Iterator[tuple[Cause, float]]:
    """Hypotheses about a truth (n,) of real eigenvalues, each with its cost."""
    truth, folded, largest = damaged.truth, damaged.folded, damaged.largest
    stray = float(np.abs(folded.imag).max(initial=0.0))
    small = 0 < stray < 0.1 * float(np.abs(truth).max(initial=0.0)) and not damaged.same(folded)
    if small and damaged.same(folded.real + 1j * truth.imag[0]):
        yield Cause("imaginary", f"imaginary parts up to {stray:.6g} where there are none"), 1
    moved = np.sort(folded.real) - np.sort(truth.real)
    if facts(truth) > 1 and stray <= largest and np.ptp(moved) <= 2 * largest and abs(moved[0]) > largest:
        yield Cause("shift", f"{moved[0]:+.6g} is added to all eigenvalues"), 1.1
    if len(truth) < 2 or truth.imag.any() or not (truth.real < 0).all():
        return
    n = -truth.real
    with np.errstate(all="ignore"):
        for text, expected in (
            ("the logarithm was not taken: Lambda = -exp(n)", -np.exp(n)),
            ("the sign of a logarithm: Lambda = -exp(-n)", -np.exp(-n)),
            ("the exponential was not taken: Lambda = -log(n)", -np.log(n)),
            ("the exponential was not taken: Lambda = log(n)", np.log(n)),
            ("the logarithm was taken twice: Lambda = -log(n + 1)", -np.log1p(n)),
        ):
            # exp(t) is off by t times the relative error of t, and n may be the exponential of a logarithm itself.
            terms = np.abs(expected) * (n * (1 + np.log(n)) if "= -exp" in text else 1)
            if np.isfinite(expected).all() and damaged.evaluates(expected + 0j, terms):
                yield Cause("logarithm", text), 1
    yield from _powers(damaged, n)
    yield from _floored(damaged, n)


def exponent_interval(sizes: Array, spacing: Array, n: Array, roundoff: float) -> tuple[float, float] | None:
    """The exponents p for which sizes (m,) are n^p, both in the order of n, as an interval; None if there is none.

    Each size allows an interval, by 4 u of itself and of its logarithm, and the spacing of what is stored; n = 1
    allows all, or none.

    Examples
    --------
    >>> n = np.arange(1.0, 5)
    >>> low, high = exponent_interval(n**1.5, np.zeros(4), n, 2.0**-53)
    >>> low <= 1.5 <= high < 1.5 + 1e-14
    True
    """
    if (sizes <= 0).any():
        return None
    error = 4 * min(roundoff, SINGLE) * sizes * (1 + np.abs(np.log(sizes))) + spacing
    ones = n == 1
    if (np.abs(sizes[ones] - 1) > error[ones]).any():
        return None
    with np.errstate(all="ignore"):
        limits = [np.log(np.maximum(sizes + sign * error, 0))[~ones] / np.log(n[~ones]) for sign in (-1, 1)]
    if not np.isfinite(limits[1]).all():
        return None
    low, high = float(limits[0].max()), float(limits[1].min())
    return (low, high) if low <= high else None


def _powers(damaged: Damaged, n: Array) -> Iterator[tuple[Cause, float]]:
    """Lambda = -n^p: a factor of the stored logarithm."""
    folded, n = damaged.folded, np.sort(n)
    if (folded.imag != 0).any():
        return
    for order in (np.argsort(-folded.real, kind="stable"), np.argsort(folded.real, kind="stable")):
        found = exponent_interval(-folded.real[order], np.abs(damaged.spacing[order]), n, damaged.roundoff)
        if found is None or found[0] <= 1 <= found[1] or found[0] <= 0 <= found[1]:
            continue
        low, high = found
        for exponent, id, words in _EXPONENTS:
            if low - 1e-12 <= exponent <= high + 1e-12:
                yield Cause(id, f"Lambda = -n^{exponent:.6g} instead of -n: {words}"), 1
                return
        if len(n) >= _FREE_EXPONENT and high - low < 1e-2 * abs(high):
            exponent = (low + high) / 2
            yield Cause("power", f"Lambda = -n^{exponent:.6g} instead of -n: a factor of the logarithm"), 1.1
            return


def _floored(damaged: Damaged, n: Array) -> Iterator[tuple[Cause, float]]:
    """Indices from 0, where log(0) was kept finite: the eigenvalue 0 is a small number, all others are exact."""
    folded = damaged.folded
    least = int(np.argmin(np.abs(folded)))
    if len(n) < 3 or not 0 < abs(folded[least]) <= _FLOOR:
        return
    expected = np.sort(1 - n)[::-1] + 0j
    expected[0] = folded[least]
    if damaged.evaluates(expected):
        text = (
            f"the index starts at 0 instead of 1, its logarithm kept finite: one eigenvalue is {folded[least].real:.6g}"
        )
        yield Cause("index", text), 1
