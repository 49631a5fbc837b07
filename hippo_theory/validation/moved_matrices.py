"""Dense matrices that have moved from a start, and when that says where they came from.

The distance of A from a start T is the mean of |a - t|/(|a| + |t|) over the entries with t != 0. A is that start, moved, if
all of these hold:

- it is below 1/2, which matrices with random signs exceed in the mean, whatever their sizes;
- it is nearer than 999 matrices whose entries are those of A in a random order, with random signs and a scale that is
  log-uniform within a decade either way: 1 in 1000 random matrices with symmetric entries is (of the nearest of m starts,
  m in 1000);
- where the sizes of the entries tell (not for LagT, whose entries are 1 and 1/2), it is nearer than 19 in 20 matrices with
  its entries, signs included, in a random order: what is triangular and negative alone is no LegS.

Small matrices can do neither: below about 10 entries there are too few orders.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.moves import outlying
from hippo_theory.validation.references import DenseReference, dense_references

__all__ = ["MovedMatrix", "is_spread", "nearest_matrix", "standing_out"]

Array = NDArray[Any]

_DRAWS, _ORDERS = 999, 200
_SAMPLE = 2048  # entries that are compared: more say nothing more


@dataclass(frozen=True, eq=False)
class MovedMatrix:
    """A start that a matrix has moved from, and how far: relative to the entries, median and largest."""

    reference: DenseReference
    turned: bool
    median: float
    largest: float


def is_spread(moves: Array, wrong: Array) -> bool:
    """Whether the entries that rounding does not explain are no more than the largest of moves of all of them.

    `moves`: relative moves (m,), `wrong`: those beyond their bounds. Of m normal moves the largest is beyond
    sqrt(2 ln(m/1e-4)) times their root mean square with a probability of 1e-4: a few that are beyond that stand out.
    """
    others = np.abs(moves[~wrong])
    if not wrong.any() or not others.size:
        return True
    usual = float(np.sqrt((others**2).mean()))
    return bool(np.abs(moves[wrong]).min() <= outlying(len(moves)) * usual)


def standing_out(stored: Array, truth: Array) -> Array:
    """Which entries (N, N) are single mistakes in a matrix that has moved as a whole, as a mask.

    What trains moves entries by shares of them or by amounts of one size, so that a mistake is beyond `outlying` in both; and
    moves with heavy tails reach far without a gap, so that it is also beyond 3 times the largest of the others. At most a
    tenth are single ones.

    Examples
    --------
    >>> import hippo_theory as ht
    >>> rng = np.random.default_rng(0)
    >>> A, truth = ht.LegS(16).A * (1 + 0.01 * rng.standard_normal((16, 16))), ht.LegS(16).A
    >>> A[9, 2] *= -1
    >>> np.argwhere(standing_out(A, truth))
    array([[9, 2]])
    """
    there = truth != 0
    amounts = np.abs(stored - truth)
    with np.errstate(all="ignore"):
        shares = np.where(there, amounts / np.abs(truth), 0.0)
    return _beyond(shares, there) & _beyond(amounts, there)


def _beyond(moves: Array, there: Array) -> Array:
    sizes = np.sort(moves[there])
    m = len(sizes)
    if m < 2:
        return np.zeros(moves.shape, dtype=bool)
    kept = np.arange(max(m - m // 10, 1), m)  # the smallest are the others
    usual = np.sqrt(np.cumsum(sizes**2)[kept - 1] / kept)
    single = np.flatnonzero(sizes[kept] > np.maximum(outlying(m) * usual, 3 * sizes[kept - 1]))
    limit = sizes[kept[single[0]]] if single.size else np.inf
    return np.asarray(there & (moves >= limit))


def _distance(ours: Array, theirs: Array) -> Array:
    """Mean of |a - t|/(|a| + |t|), (..., m) -> (...), t without zeros."""
    return np.asarray((np.abs(ours - theirs) / (np.abs(ours) + np.abs(theirs))).mean(axis=-1))


def nearest_matrix(A: Array) -> MovedMatrix | None:
    """The start that a real matrix (N, N) has moved from; None if chance explains the resemblance.

    Examples
    --------
    >>> import hippo_theory as ht
    >>> rng = np.random.default_rng(0)
    >>> found = nearest_matrix(ht.LegS(16).A * (1 + 0.3 * rng.standard_normal((16, 16))))
    >>> found.reference.id, 0.1 < found.median < 0.4
    ('legs', True)
    >>> nearest_matrix(rng.standard_normal((16, 16))) is None
    True
    """
    if np.iscomplexobj(A) or not A.any():
        return None
    best: tuple[float, DenseReference, bool] | None = None
    for reference in dense_references(len(A)):
        for turned in (False, True):
            truth = reference.approximate.T if turned else reference.approximate
            there = truth != 0
            away = float(_distance(A[there], truth[there]))
            # Zeros that are as large as the numbers of the start are none.
            filled = float(np.sqrt((A[~there] ** 2).mean())) if not there.all() else 0.0
            if filled <= 0.5 * float(np.sqrt((truth[there] ** 2).mean())) and (best is None or away < best[0]):
                best = away, reference, turned
    if best is None:
        return None
    _, reference, turned = best
    truth = reference.approximate.T if turned else reference.approximate
    there = truth != 0
    if not _beyond_chance(A[there], truth[there]):
        return None
    moves = np.abs(A[there] / truth[there] - 1)
    return MovedMatrix(reference, turned, float(np.median(moves)), float(moves.max()))


def _beyond_chance(ours: Array, theirs: Array) -> bool:
    rng = np.random.default_rng(0)
    if len(ours) > _SAMPLE:
        chosen = rng.choice(len(ours), _SAMPLE, replace=False)
        ours, theirs = ours[chosen], theirs[chosen]
    away = float(_distance(ours, theirs))
    if away >= 0.5:
        return False
    draws = (rng.permutation(ours) * rng.choice((-1.0, 1.0), len(ours)) for _ in range(_DRAWS))
    if any(_distance(draw * 10 ** rng.uniform(-1, 1), theirs) <= away for draw in draws):
        return False
    if float(_distance(rng.permutation(theirs), theirs)) < 0.1:
        return True
    orders = [float(_distance(rng.permutation(ours), theirs)) for _ in range(_ORDERS)]
    return away < float(np.quantile(orders, 0.05))
