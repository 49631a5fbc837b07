"""Mistakes that change a whole dense matrix: each makes another matrix of a start, which A is within rounding or is not.

What a mistake makes of a start T is computed from T and from at most three numbers that are fitted: a limit, or a factor
for each triangle. A hypothesis counts only if T has more structure than that: three different moduli where a factor
is fitted, and two different ones, beside zeros, that a limit leaves as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.causes import Cause, factor_name
from hippo_theory.validation.dense_matches import DECISIVE, DenseMatch, judged_entries
from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.references import DenseReference, dense_references

__all__ = ["mistaken"]

Array = NDArray[Any]
_Change = tuple[Array, Cause]
_Mistake = tuple[Array, Cause, float]

_NEAR = 1e-2  # relative to the largest entry: hypotheses that are further off are not compared with certified numbers
_SAME = 1e-3  # relative differences below which moduli do not count as different
_ROUNDINGS = 8.0  # of an entry that went through a mistake: four of its own, a product, a factor by a median


def mistaken(A: Quantity, references: list[DenseReference]) -> DenseMatch | None:
    """The start of which a known mistake makes A, within rounding; None if there is none.

    Examples
    --------
    >>> import hippo_theory as ht
    >>> from hippo_theory.validation.quantities import quantity
    >>> legs = ht.LegS(8)
    >>> found = mistaken(quantity(2 * np.diag(np.diag(legs.A)) - legs.A, "float64"), list(dense_references(8)))
    >>> found.reference.id, found.part.why
    ('legs', 'the sign of the entries below the diagonal is the other one')
    """
    if len(A.values) < 3 or np.iscomplexobj(A.values):
        return None
    found: list[DenseMatch] = []
    # What is near a start as it is has moved from that: a mistake has to bring it decisively nearer to one.
    allowed = min(float(np.abs(A.values - reference.approximate).max()) for reference in references) / DECISIVE
    for reference in references:
        for turned in (False, True):
            rough = reference.approximate.T if turned else reference.approximate
            if turned and _same_moduli(rough, reference.approximate, 1e-12 * np.abs(rough).max(initial=0.0)):
                continue  # a transposed matrix with other signs: told as it stands
            if not any(_is_near(A.values, changed) for changed, *_ in _mistakes(A.values, rough, reference)):
                continue
            truth = reference.A.T if turned else reference.A
            for changed, cause, cost in _mistakes(A.values, truth, reference):
                if _is_near(A.values, changed) and (
                    match := _match(A, reference, changed, cause, turned, cost, allowed)
                ):
                    found.append(match)
    if not found:
        found += _other_states(A, allowed)
    return min(found, key=lambda match: match.cost, default=None)


def _match(
    A: Quantity, reference: DenseReference, changed: Array, cause: Cause, turned: bool, cost: float, allowed: float
) -> DenseMatch | None:
    """A against what a mistake makes of a start, to which it must be as near as rounding and `allowed` say."""
    terms = None if reference.terms is None else np.maximum(np.abs(changed), reference.terms)
    part = judged_entries(A, changed, factor=_ROUNDINGS, terms=terms)
    if part.verdict == "deviates" or not ((part.max_error or 0.0) <= allowed or part.verdict == "exact"):
        return None
    why = ("A is transposed; " if turned else "") + cause.text
    told = judged_entries(A, reference.A.T if turned else reference.A)
    part = replace(told, verdict="deviates", why=why, cause=cause.id)
    return DenseMatch(reference, reference.B, part, 3.0 + cost + turned)


def _is_near(stored: Array, changed: Array) -> bool:
    return bool(np.abs(stored - changed).max(initial=0.0) <= _NEAR * np.abs(changed).max(initial=0.0))


def _same_moduli(stored: Array, truth: Array, bound: Any) -> bool:
    return bool((np.abs(np.abs(stored) - np.abs(truth)) <= bound).all())


def _different(values: Array) -> int:
    """How many different moduli there are, beside zeros."""
    sizes = np.sort(np.abs(values[values != 0]))
    return int(sizes.size > 0) + int((np.diff(sizes) > _SAME * sizes[1:]).sum())


def _mistakes(stored: Array, truth: Array, reference: DenseReference) -> Iterator[_Mistake]:
    """What mistakes make of a start, each with what it costs to assume it: two are less likely than one."""
    for mistake in _signs(stored, truth):
        yield *mistake, 0.0
    if reference.id in ("legs", "legt"):
        later = 1 if reference.deviation is None else 3
        for mistake in _weighted(truth, np.sqrt(2.0 * np.arange(len(truth)) + later)):
            yield *mistake, 0.1
    for mistake in _ordered(stored, truth):
        yield *mistake, 0.1
    for mistake in _shifted(stored, truth):
        yield *mistake, 0.1
    for mistake in _clipped(stored, truth):
        yield *mistake, 0.2
    for changed, cause, parts in _parts(stored, truth):
        yield changed, cause, 0.3 * parts


_PLACES = (("the diagonal", 0), ("the entries below the diagonal", -1), ("the entries above the diagonal", 1))


def _triangles(N: int) -> list[tuple[str, Array]]:
    side = np.sign(np.arange(N)[None, :] - np.arange(N)[:, None])
    return [(text, side == place) for text, place in _PLACES]


def _signs(stored: Array, truth: Array) -> Iterator[_Change]:
    """The moduli of the start with other signs."""
    if not _is_near(np.abs(stored), np.abs(truth)):
        return
    other = (stored * truth < 0) & (truth != 0)
    count, whole = int(other.sum()), []
    for text, inside in _triangles(len(truth)):
        there = inside & (truth != 0)
        if there.any() and (other == there)[inside].all():
            whole.append(text)
        elif other[inside].any():
            # Any signs are told where the moduli are evidence.
            if _different(truth) >= 3 or 2 * count <= int((truth != 0).sum()):
                yield np.where(other, -truth, truth), Cause("sign", f"the sign of {count} entries is the other one")
            return
    if whole and count:
        verb = "is" if len(whole) == 1 else "are"
        yield (
            np.where(other, -truth, truth),
            Cause("sign", f"the sign of {' and of '.join(whole)} {verb} the other one"),
        )


def _weighted(truth: Array, weights: Array) -> Iterator[_Change]:
    """The weights sqrt(2n+1) of Legendre families twice, or not at all, in the rows, in the columns, or in both."""
    diagonal = np.eye(len(truth), dtype=bool)
    with np.errstate(all="ignore"):
        for a, b, cause, text in (
            (1, 1, "squared", "a square root is missing: the weights of the basis are multiplied in twice"),
            (1, 0, "squared", "a square root is missing in the rows: their weights are multiplied in twice"),
            (0, 1, "squared", "a square root is missing in the columns: their weights are multiplied in twice"),
            (-1, -1, "dropped", "the weights of the basis were left out"),
            (-1, 0, "dropped", "the weights of the rows were left out"),
            (0, -1, "dropped", "the weights of the columns were left out"),
            (-0.5, -0.5, "squared", "a square root too many: the weights are the square roots of the right ones"),
        ):
            changed = truth * np.outer(weights**a, weights**b)
            yield np.where(diagonal, truth, changed), Cause(cause, f"off the diagonal {text}")
            yield changed, Cause(cause, text)


def _ordered(stored: Array, truth: Array) -> Iterator[_Change]:
    """Rows or columns in another order than the states."""
    N = len(truth)
    scale = max(float(np.abs(truth).max()), 1e-300)
    for what, ours, theirs in (("rows", stored, truth), ("columns", stored.T, truth.T)):
        # Cheap first: an order leaves the sums of every column as they are.
        if np.abs(ours.sum(axis=0) - theirs.sum(axis=0)).max() > _NEAR * N * scale:
            continue
        keys = np.stack([np.linalg.norm(ours, axis=1), np.linalg.norm(theirs, axis=1)])
        if np.abs(np.diff(np.sort(keys, axis=1), axis=0)).max() > _NEAR * np.sqrt(N) * scale:
            continue
        nearest = np.array([int(np.argmin(((theirs - row) ** 2).sum(axis=1))) for row in ours])
        if len(set(nearest)) < N or (nearest == np.arange(N)).all():
            continue
        changed = theirs[nearest] if what == "rows" else theirs[nearest].T
        yield changed, _order_cause(what, nearest)


def _order_cause(what: str, order: Array) -> Cause:
    N = len(order)
    moved = np.flatnonzero(order != np.arange(N))
    if len(moved) == 2:
        return Cause("swapped", f"the {what} {moved[0]} and {moved[1]} of A are swapped")
    shifts = (order - np.arange(N)) % N
    if (shifts == shifts[0]).all():
        by = int(shifts[0]) if 2 * int(shifts[0]) <= N else int(shifts[0]) - N
        return Cause(
            "index", f"the index of the {what} of A is shifted by {by}, the last {what} swapped to the other end"
        )
    return Cause("order", f"the {what} of A are in another order than the states ({len(moved)} of {N})")


def _shifted(stored: Array, truth: Array) -> Iterator[_Change]:
    """A constant added to the diagonal."""
    shift = float(np.median(np.diag(stored - truth)))
    if shift:
        changed = truth + shift * np.eye(len(truth))
        yield changed, Cause("shift", f"the diagonal is shifted by {shift:.6g}")


def _clipped(stored: Array, truth: Array) -> Iterator[_Change]:
    """Entries cut at the smallest and the largest that are stored."""
    low, high = float(stored.min()), float(stored.max())
    reach = _NEAR * max(-low, high, 0.0)
    inside = (truth > low + reach) & (truth < high - reach) & (truth != 0)
    outside = (truth < low - reach) | (truth > high + reach)
    if outside.sum() < 2 or _different(truth[inside]) < 2:
        return
    at = [f"{limit:.6g}" for limit, cut in ((low, truth < low - reach), (high, truth > high + reach)) if cut.any()]
    count = int(outside.sum())
    yield np.clip(truth, low, high), Cause("clipped", f"{count} entries of A are clipped at {' and '.join(at)}")


def _parts(stored: Array, truth: Array) -> Iterator[tuple[Array, Cause, int]]:
    """A factor of the diagonal, of the triangle below and of that above, each its own."""
    changed, words, cause = np.array(truth, dtype=float), [], "mixed"
    factors = []
    for text, inside in _triangles(len(truth)):
        there = inside & (truth != 0)
        if not there.any():
            continue
        factor = float(np.median(stored[there] / truth[there]))
        factors.append(factor)
        if abs(factor - 1) <= 1e-6:
            continue
        if factor == 0 and text != _PLACES[0][0]:
            if not (truth[np.triu_indices(len(truth), 1)].any() and truth[np.tril_indices(len(truth), -1)].any()):
                return  # what remains is diagonal
            words.append(f"{text} are zero: A is triangular")
            cause = "dropped"
        elif (
            _different(truth[there]) >= 3 or factor_name(abs(factor)) != f"{abs(factor):.6g}" or abs(factor + 1) < 1e-6
        ):
            words.append(f"{text}: {'-' if factor < 0 else ''}{factor_name(abs(factor))} times the expected")
        else:
            return
        changed[there] = factor * truth[there]
    if words and np.ptp(factors) > _SAME * max(map(abs, factors)):  # a common one is another time scale
        yield changed, Cause(cause, "; ".join(words)), len(words)


# --- a state more or less -----------------------------------------------------------------------------------------------


def _other_states(A: Quantity, allowed: float) -> Iterator[DenseMatch]:
    """One state of N + 1 lost, or one of N - 1 twice."""
    N = len(A.values)
    for more in (1, -1):
        if N + more < 3:
            continue
        for reference in dense_references(N + more):
            rough = reference.approximate
            states = _states(A.values, rough, more)
            if states is None or not _is_near(A.values, rough[np.ix_(states, states)]):
                continue
            changed = reference.A[np.ix_(states, states)]
            part = judged_entries(A, changed)
            if part.verdict == "deviates" or (part.max_error or 0.0) > allowed:
                continue
            if more == 1:
                (lost,) = set(range(N + 1)) - set(states.tolist())
                text, cause = f"state {lost} of {N + 1} is lost", "lost"
                if lost == 0:
                    text, cause = f"{text}: the indices start at 1", "index"
            else:
                (twice,) = set(states[1:][np.diff(states) == 0].tolist())
                text, cause = f"state {twice} of {N - 1} stands twice", "doubled"
            part = replace(part, verdict="deviates", why=text, cause=cause)
            yield DenseMatch(reference, reference.B[states], part, 3.5)


def _states(stored: Array, larger: Array, more: int) -> Array | None:
    """The states of another size that a matrix may consist of: the first that does not fit tells which is lost or doubled."""
    N, M = len(stored), min(len(stored), len(larger))
    close = np.abs(stored[:M, :M] - larger[:M, :M]) <= _NEAR * np.maximum(np.abs(larger[:M, :M]), 1e-300) + 1e-12
    # Leading blocks agree up to the first row or column in which something differs.
    wrong = np.flatnonzero([not (close[k, : k + 1].all() and close[: k + 1, k].all()) for k in range(M)])
    first = int(wrong[0]) if wrong.size else M
    if more == 1:
        return None if first >= N else np.delete(np.arange(N + 1), first)
    return None if first == 0 else np.insert(np.arange(N - 1), first, first - 1)
