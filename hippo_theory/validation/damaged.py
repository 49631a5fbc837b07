"""Stored eigenvalues beside a truth that they may have come from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.matching import DOUBLE, SINGLE

__all__ = ["Damaged"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Damaged:
    """Stored eigenvalues (n,) and the truth (m,) that they may come from.

    Attributes
    ----------
    values, truth : ndarray of complex128
        Stored as they are; the truth by decreasing imaginary part.
    bound : (m,) ndarray of float64
        What rounding explains.
    half : bool
        One of each conjugate pair, imaginary parts of the truth not negative.
    spacing : (n,) ndarray of float64 or complex128
        One unit in the last place of each stored number; real and imaginary part apart.
    roundoff : float
        Unit roundoff of the stored dtype.
    """

    values: Array
    truth: Array
    bound: Array
    half: bool
    spacing: Array
    roundoff: float = DOUBLE

    @cached_property
    def folded(self) -> Array:
        """The stored values, those of a half with imaginary parts that are not negative."""
        return np.where(self.values.imag < 0, self.values.conj(), self.values) if self.half else self.values

    @cached_property
    def largest(self) -> float:
        """The largest bound."""
        return float(self.bound.max(initial=0.0))

    @cached_property
    def is_real(self) -> bool:
        """Whether the truth has no imaginary parts that tell its eigenvalues apart."""
        return bool(np.ptp(self.truth.imag) == 0)

    def paired(self, values: Array, truth: Array | None = None) -> tuple[Array, Array]:
        """Indices of values and of truth, sorted by what tells the truth apart: largest imaginary, or real, part first."""
        real = self.is_real if truth is None else np.ptp(truth.imag) == 0
        theirs = self._order if truth is None else _sorted(truth, bool(real))
        return _sorted(values, bool(real)), theirs

    @cached_property
    def _order(self) -> Array:
        return _sorted(self.truth, self.is_real)

    @cached_property
    def real_bound(self) -> Array:
        """What rounding explains of the real parts, (n,), in the order of the stored values.

        A large frequency is stored with a large spacing, its real part is not.
        """
        ours, theirs = self.paired(self.folded)
        allowed = np.empty(len(ours))
        spacing = self.spacing[ours]
        allowed[ours] = np.maximum(self.bound[theirs] - np.abs(spacing), 0) + spacing.real
        return allowed

    def same(self, values: Array, truth: Array | None = None, wider: float = 1.0) -> bool:
        """Whether two sets agree within the bounds, times `wider`."""
        if len(values) != len(self.truth if truth is None else truth) or not np.isfinite(values).all():
            return False
        ours, theirs = self.paired(values, truth)
        truth = self.truth if truth is None else truth
        return bool((np.abs(values[ours] - truth[theirs]) <= wider * self.bound[theirs]).all())

    def evaluates(self, expected: Array, terms: float | Array = 0.0, values: Array | None = None) -> bool:
        """Whether stored values (folded unless given) are numbers (n,) of another formula, in the stored precision.

        Such numbers are off by 4 u times themselves, or times `terms` where those are larger, as closed forms are in
        `matching`, and by one spacing of what is stored.
        """
        if len(expected) != len(self.values) or not np.isfinite(expected).all():
            return False
        values = self.folded if values is None else values
        ours, theirs = self.paired(values, expected)
        allowed = 4 * min(self.roundoff, SINGLE) * np.maximum(np.abs(expected), terms)[theirs] + np.abs(
            self.spacing[ours]
        )
        return bool((np.abs(values[ours] - expected[theirs]) <= allowed).all())


def _sorted(values: Array, real: bool) -> Array:
    return np.argsort(-(values.real if real else values.imag), kind="stable")
