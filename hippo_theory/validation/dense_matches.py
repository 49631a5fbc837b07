"""A dense matrix that is a known one, changed in a way that is said, and how far its entries are from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.findings import Part
from hippo_theory.validation.matching import SINGLE, Comparison
from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.references import DenseReference

__all__ = ["DECISIVE", "DenseMatch", "judged_entries", "match_cost", "relative_error"]

Array = NDArray[Any]

DECISIVE = 10.0  # times nearer than the nearest start that a mistake must bring a matrix, as in `moves.decisive`


@dataclass(frozen=True, eq=False)
class DenseMatch:
    """A reference, changed in a way that `part` says, and how far A is from it.

    Attributes
    ----------
    reference : DenseReference
    B : (N,) ndarray
        The input vector that belongs to the changed matrix.
    part : Part
        Of A.
    cost : float
        How much has to be assumed.
    step : float, optional
        Of a discretization.
    order, signs : (N,) ndarray, optional
        How the states are arranged: state i is state ``order[i]`` of the reference, times ``signs[i]``.
    scale : float
        Of time: A is so many times the reference.
    input_terms : (N,) ndarray, optional
        Of a discretization: what the roundings of B are relative to.
    """

    reference: DenseReference
    B: Array
    part: Part
    cost: float
    step: float | None = None
    order: Array | None = None
    signs: Array | None = None
    scale: float = 1.0
    input_terms: Array | None = None

    @property
    def states(self) -> tuple[Array, Array]:
        """Order and signs of the states."""
        order = np.arange(self.reference.N) if self.order is None else self.order
        return order, np.ones(len(order)) if self.signs is None else self.signs


def relative_error(errors: Array, truth: Array) -> float:
    """Largest error over the truth, over its largest entry where it is 0."""
    scale = np.where(truth == 0, np.abs(truth).max(initial=1e-300), np.abs(truth))
    return float((errors / scale).max(initial=0.0))


def match_cost(part: Part) -> float:
    """The cost of a verdict."""
    return {"exact": 0.0, "rounding": 0.1, "known-deviation": 0.5}.get(part.verdict, 1.0)


def judged_entries(
    stored: Quantity, truth: Array, why: str = "", factor: float = 4.0, terms: Array | None = None
) -> Part:
    """exact, rounding or deviates, entry by entry: every entry is one square root and a product or two.

    `terms`: the size of the terms where entries are sums; `factor`: roundings that each entry went through.
    """
    sizes = np.abs(truth) if terms is None else terms
    errors, spacing = np.abs(stored.values - truth), np.abs(stored.spacing)

    def compared(roundoff: float) -> Comparison:
        with np.errstate(over="ignore"):
            ulps = float(np.where(errors == 0, 0.0, errors / spacing).max(initial=0.0))
        bound = factor * min(roundoff, SINGLE) * sizes + spacing
        return Comparison(errors, truth, ulps, bound, relative_error(errors, truth))

    plain = compared(stored.roundoff)
    part = plain.judged(stored.dtype, why)
    if part.verdict != "deviates":
        return part
    held = stored.as_held()
    if held is not None:
        part = judged_entries(held, truth, why, factor, terms)
        if part.verdict in ("exact", "rounding"):
            text = why or f"the numbers are those of {held.dtype}, stored as {stored.dtype}"
            return replace(part, verdict="rounding", why=text)
    if stored.roundoff < SINGLE:
        single = compared(SINGLE)
        if single.is_rounding and _looks_like_single(stored.values - truth, truth, sizes):
            return single.part("rounding", why=why or "computed in float32")
    return plain.part("deviates", why=why)


def _looks_like_single(differences: Array, truth: Array, sizes: Array) -> bool:
    """Whether float64 numbers differ from the truth as if they had been computed in float32, and not merely by less.

    One rounding to float32 moves a number by up to u, relative to it, u = 2^-24, uniformly between the two neighbors, which
    are u to 2u apart: by less than u/8 with a probability of 1/4 at most. So of m entries that float32 does not hold most
    are moved by more, except with a probability of P(Bin(m, 1/4) >= m/2). And roundings have nothing in common: what all
    entries share, their median, is a factor; the rest must be as large as that.
    """
    rounded = truth.astype(np.float32) != truth  # of what float32 holds there is nothing to round
    moves = np.real(differences[rounded] / sizes[rounded])
    if moves.size < 2:
        return False
    middle = float(np.median(moves))
    return bool(np.median(np.abs(moves)) >= SINGLE / 8 and np.median(np.abs(moves - middle)) >= abs(middle) / 2)
