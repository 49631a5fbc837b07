"""What may have happened to eigenvalues that no rounding explains: hypotheses, each tested against the numbers.

A hypothesis transforms the truth as a known mistake would and asks whether the stored numbers are then within their
rounding bounds. Each has a cost: the least one that holds names the cause.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.causes import Cause, factor_name, is_named_factor
from hippo_theory.validation.common_factors import common_factors, facts
from hippo_theory.validation.damaged import Damaged
from hippo_theory.validation.moves import outlying
from hippo_theory.validation.real_spectra import real_causes

__all__ = ["common_ratio", "eigenvalue_causes", "subset_causes"]

Array = NDArray[Any]
Explanation = tuple[Cause, float]

_CHANCE, _STARTS = 1e-4, 1000  # with which a part of a spectrum may be found by chance, and among how many
_LARGEST_PAIRING = 4096  # eigenvalues above which they are not paired one by one


def eigenvalue_causes(damaged: Damaged) -> Iterator[Explanation]:
    """Hypotheses that explain the stored eigenvalues, each with its cost; the order does not matter."""
    if len(damaged.values) == len(damaged.truth):
        yield from _of_all(damaged)
        yield from _limits(damaged)
    if max(len(damaged.values), len(damaged.truth)) <= _LARGEST_PAIRING:
        yield from _of_some(damaged)


# --- the same mistake in all of them ---------------------------------------------------------------------------------------


def _of_all(damaged: Damaged) -> Iterator[Explanation]:
    values, truth, folded = damaged.values, damaged.truth, damaged.folded
    if damaged.same(-folded.conj()):
        yield Cause("sign", "the sign of A: real parts are positive, the system is unstable; negate Lambda"), 1
    turned = folded.real > 0
    if turned.any() and not turned.all() and damaged.same(np.where(turned, -folded.conj(), folded)):
        yield Cause("sign", f"the sign of {turned.sum()} of {len(values)} real parts: they are positive"), 1.1
    if not damaged.half and np.ptp(truth.imag) > 0:
        upper, expected = (real + 1j * np.abs(imaginary) for real, imaginary in _parts(values, truth))
        if damaged.same(upper, expected) and not damaged.same(values):
            count = abs(int((values.imag > 0).sum()) - int((truth.imag > 0).sum()))
            twice = "; one eigenvalue stands twice, its conjugate is lost" if count <= 1 else ""
            yield Cause("sign", f"the sign of {max(count, 1)} imaginary parts: conjugates are not paired{twice}"), 1.1
    yield from common_factors(damaged)
    yield from _other_parts(damaged)
    squared = np.where((truth**2).imag < 0, (truth**2).conj(), truth**2) if damaged.half else truth**2
    if np.abs(squared - truth).max(initial=0.0) > damaged.largest and damaged.same(
        folded, squared, 3 * max(1.0, float(np.abs(truth).max(initial=1.0)))
    ):
        yield Cause("squared", "Lambda is squared"), 1
    if (np.abs(truth) > 0).all() and np.abs(1 / truth - truth).max() > damaged.largest:
        inverted = 1 / truth
        if damaged.same(folded, np.where(inverted.imag < 0, inverted.conj(), inverted) if damaged.half else inverted):
            yield Cause("inverse", "Lambda is inverted: a sign before the logarithm, or a division"), 1


def _parts(*arrays: Array) -> Iterator[tuple[Array, Array]]:
    return ((array.real, array.imag) for array in arrays)


def _offset(damaged: Damaged) -> tuple[float, float] | None:
    """The numbers by which all stored real parts may differ from that of the truth, which is constant, as an interval."""
    if np.ptp(damaged.truth.real) > 0:
        return None
    moved, bound = damaged.folded.real - damaged.truth.real[0], damaged.real_bound
    low, high = float((moved - bound).max()), float((moved + bound).min())
    return (low, high) if low <= high else None


def _other_parts(damaged: Damaged) -> Iterator[Explanation]:
    """Real and imaginary parts apart: another constant, a logarithm, exchanged."""
    values, truth, folded = damaged.values, damaged.truth, damaged.folded
    offset = _offset(damaged)
    said = facts(truth) > 1  # else a free real part is all there is
    if said and offset is not None and not offset[0] <= 0 <= offset[1]:
        wanted = float(truth.real[0])
        found = wanted + (offset[0] + offset[1]) / 2
        if damaged.same(truth.real[0] + 1j * folded.imag):
            yield _other_real_part(found, wanted, (offset[1] - offset[0]) / 2)
    if np.ptp(truth.imag) == 0:
        yield from real_causes(damaged)
        return
    with np.errstate(all="ignore"):
        for text, imaginary in (
            ("imaginary parts are exponentiated", np.exp(truth.imag)),
            ("imaginary parts are logarithms", np.abs(np.log(truth.imag))),
        ):
            expected = truth.real + 1j * imaginary
            scale = np.exp(np.minimum(truth.imag, 700)) if "exp" in text else 1 / np.maximum(truth.imag, 1e-300)
            wider = float(np.maximum(1, scale).max())
            if damaged.half and np.isfinite(expected).all() and damaged.same(folded, expected, min(wider, 1e3)):
                yield Cause("logarithm", text), 1.3
    exchanged = values.imag + 1j * values.real
    if damaged.half:
        exchanged = exchanged.real + 1j * np.abs(exchanged.imag)
        exchanged = np.where(exchanged.real > 0, -exchanged.conj(), exchanged)
    if damaged.same(exchanged):
        yield Cause("swapped", "real and imaginary parts are swapped"), 1
    negative = values.real < 0
    if negative.all():  # -exp(a) - i b with a and b exchanged
        exchanged = -np.exp(-np.abs(values.imag)) + 1j * np.abs(np.log(-values.real))
        if damaged.half and damaged.same(exchanged, wider=3):
            yield Cause("swapped", "the tensors of real and imaginary parts are swapped"), 1


def _other_real_part(found: float, wanted: float, precision: float) -> Explanation:
    logarithms = {-np.exp(-wanted), -np.exp(wanted), *((np.log(-wanted), -np.log(-wanted)) if wanted < 0 else ())}
    text = f"the real part is {found:.6g} instead of {wanted:.6g}"
    if wanted < 0 and min(abs(found - other) for other in logarithms) <= 3 * precision + 1e-6:
        return Cause("logarithm", f"{text}: a logarithm or an exponential is missing"), 0.95
    if wanted != 0 and is_named_factor(found / wanted, precision / abs(wanted)):
        text += f", {factor_name(found / wanted, precision / abs(wanted))} times that"
    return Cause("real", text), 1


def _limits(damaged: Damaged) -> Iterator[Explanation]:
    """Parts clipped from above or clamped from below."""
    truth, folded = damaged.truth, damaged.folded
    ours, theirs = damaged.paired(folded)
    real_bound = np.empty(len(truth))
    real_bound[theirs] = damaged.real_bound[ours]
    for name, part in (("imaginary", np.imag), ("real", np.real)):
        stored, expected = np.abs(part(folded)), np.abs(part(truth))
        for id, word, limit in (("clipped", "clipped at", stored.max()), ("clamped", "clamped to", stored.min())):
            limited = np.minimum(expected, limit) if id == "clipped" else np.maximum(expected, limit)
            moved = np.abs(limited - expected) > (real_bound if name == "real" else damaged.bound)
            if not moved.any() or not np.abs(part(truth))[~moved].any():  # zeros that stay say nothing
                continue
            signs = np.where(part(truth) < 0, -1, 1) if name == "imaginary" else -1
            candidate = truth.real + 1j * signs * limited if name == "imaginary" else signs * limited + 1j * truth.imag
            count = int(moved.sum())
            at = f"{'' if name == 'imaginary' else '-'}{limit:.6g}"
            written = count > 1 or abs(float(f"{limit:.3g}") - limit) <= 1e-6 * limit
            again = count == 1 and np.abs(np.abs(part(truth[~moved])) - limit).min() <= 2 * damaged.largest
            if written and not again and damaged.same(folded, candidate, 2):
                yield Cause(id, f"{name} parts are {word} {at} ({count} of {len(truth)})"), 1.05


# --- some of them --------------------------------------------------------------------------------------------------------


def _of_some(damaged: Damaged) -> Iterator[Explanation]:
    folded, truth, bound = damaged.folded, damaged.truth, damaged.bound
    n, m = len(folded), len(truth)
    if n == m and n > 1:
        yield from _by_position(damaged)
    if abs(n - m) > 1 or min(n, m) == 0:
        return
    if m == n + 1 and n > 1 and (gap := _gap(damaged)) is not None:
        yield Cause("lost", f"one eigenvalue is lost: {_written(truth[gap])}"), 1.2
        return
    near = np.abs(folded[:, None] - truth[None, :]).min(axis=0) <= bound
    if near.sum() < 0.3 * m:
        return
    left, right = _unmatched(folded, truth, bound)
    few = max(1, min(n, m) // 4)
    if n == m + 1 and len(left) == 1 and len(right) == 0:
        again = np.abs(folded[left[0]] - np.delete(folded, left[0])).min(initial=np.inf) <= 2 * damaged.largest
        if again:
            yield Cause("doubled", f"one eigenvalue stands twice: {_written(folded[left[0]])}"), 1.2
    if n == m and 0 < len(left) <= few and _stand_out(damaged, left, right):
        yield _few(damaged, left, right)


def _gap(damaged: Damaged) -> int | None:
    """Which of the truth (n + 1,) is not among the values (n,), where all others are; None if that is not so.

    By order, for where numbers are coarse the nearest partner of each may be that of another one.
    """
    ours, theirs = damaged.paired(damaged.folded)
    values, truth, bound = damaged.folded[ours], damaged.truth[theirs], damaged.bound[theirs]
    before, after = (np.abs(values - truth[where]) for where in (slice(None, -1), slice(1, None)))
    n = len(values)
    fits_before = np.append(0, np.cumsum(before > bound[:-1])) == 0
    fits_after = np.append(np.cumsum((after > bound[1:])[::-1])[::-1], 0) == 0
    possible = np.flatnonzero(fits_before & fits_after)
    if len(possible) == 0:
        return None
    errors = np.append(0, np.cumsum(before)) + np.append(np.cumsum(after[::-1])[::-1], 0)
    return int(theirs[possible[np.argmin(errors[: n + 1][possible])]])


def subset_causes(damaged: Damaged) -> Iterator[Explanation]:
    """Hypotheses for fewer eigenvalues than the truth has, by two or more: all of them are there, the others are missing."""
    folded, truth, bound = damaged.folded, damaged.truth, damaged.bound
    n, m = len(folded), len(truth)
    # The nearest of the truth to each, which must be another one each time.
    nearest = np.abs(folded[:, None] - truth[None, :]).argmin(axis=1)
    if np.unique(nearest).size < n or not (np.abs(folded - truth[nearest]) <= bound[nearest]).all():
        return
    if _chance_of_a_subset(damaged) > _CHANCE:
        return
    kept = np.sort(nearest)
    cost = 1.4 + 1e-3 * (m - n) / n
    if 2 * n in (m - 1, m, m + 1) and np.ptp(kept) == n - 1:
        which = "first" if kept[0] == 0 else "last" if kept[-1] == m - 1 else "middle"
        ends = f"{_written(truth[kept[0]])} to {_written(truth[kept[-1]])}"
        text = f"half of the eigenvalues are lost: these are the {which} {n} of {m}, {ends}; halved once too often"
        yield Cause("halves", text), cost
    else:
        lost = np.setdiff1d(np.arange(m), kept)
        text = f"{m - n} of {m} eigenvalues are lost, the first {_written(truth[lost[0]])}"
        yield Cause("lost", text), cost


def _chance_of_a_subset(damaged: Damaged) -> float:
    """With which probability n numbers from the range of the truth all lie on it, one of a thousand starts at least.

    A number at zero frequency says nothing: many starts have one.
    """
    key = np.real if damaged.is_real else np.imag
    size = float(np.ptp(key(damaged.truth)))
    share = min(1.0, float(2 * damaged.bound.sum()) / size) if size > 0 else 1.0
    return _STARTS * share ** int((np.abs(key(damaged.folded)) > damaged.largest).sum())


def _by_position(damaged: Damaged) -> Iterator[Explanation]:
    """A second factor, where the stored order is that of the reference, or its reverse."""
    folded, n = damaged.folded, len(damaged.folded)
    for truth, bound in (
        (damaged.truth, damaged.bound),
        (damaged.truth[::-1], damaged.bound[::-1]),
    ):
        wrong = np.abs(folded - truth) > bound
        count = int(wrong.sum())
        if not 2 <= count < n or not (np.abs(truth) > bound)[~wrong].any():  # zeros have any factor
            continue
        for name, stored, expected in (
            ("eigenvalues", folded[wrong], truth[wrong]),
            ("imaginary parts", folded[wrong].imag, truth[wrong].imag),
        ):
            if name != "eigenvalues" and (np.abs(folded.real - truth.real) > bound).any():
                continue
            if (np.abs(expected) <= bound[wrong]).any():
                continue
            ratios = np.abs(stored) / np.abs(expected)
            tolerance = 3 * bound[wrong] / np.abs(expected)
            middle = float(np.median(ratios))
            close = (np.abs(stored - middle * expected) <= 3 * bound[wrong] * max(middle, 1)).all()
            if close and (np.abs(ratios - middle) <= tolerance * max(1, middle)).all() and abs(middle - 1) > 1e-6:
                text = f"{count} of {n} {name} have another time scale, {factor_name(middle)} times the expected"
                yield Cause("mixed", text), 1.15 if is_named_factor(middle) else 1.25
                return


def _stand_out(damaged: Damaged, left: Array, right: Array) -> bool:
    """Whether the few that are off are so by much more than the others: else all of them have moved."""
    distances = np.abs(damaged.folded[:, None] - damaged.truth[None, :])
    with np.errstate(divide="ignore", invalid="ignore"):
        others = np.delete(np.nan_to_num(distances.min(axis=0) / damaged.bound), right)
        off = (distances[left][:, right].min(axis=0) / damaged.bound[right]).min()
    return bool(off >= outlying(len(damaged.truth)) * np.sqrt(np.sum(others**2) / max(len(others), 1)))


def _few(damaged: Damaged, left: Array, right: Array) -> Explanation:
    """A few eigenvalues are wrong: how?"""
    values, truth, largest = damaged.folded, damaged.truth, damaged.largest
    count, cost = len(left), 1.3 + len(left) / len(values)
    wrong, wanted = values[left], truth[right]
    if count > 1:
        return Cause("entry", f"{count} of {len(values)} eigenvalues are off, the first {_written(wrong[0])}"), cost
    value, expected = wrong[0], wanted[0]
    if not damaged.half and abs(value - expected.conj()) <= 2 * largest:
        return Cause("sign", f"the sign of one imaginary part: {_written(value)} stands twice"), cost
    if np.abs(np.delete(values, left) - value).min(initial=np.inf) <= 2 * largest:
        return Cause("doubled", f"one eigenvalue stands twice, {_written(value)}, {_written(expected)} is lost"), cost
    return Cause("entry", f"one eigenvalue is off: {_written(value)} instead of {_written(expected)}"), cost


def common_ratio(stored: Array, truth: Array) -> float | None:
    """The one factor between two sets of moduli, if it is one for most of them."""
    stored, truth = np.sort(stored)[::-1], np.sort(truth)[::-1]
    usable = (truth > 1e-9 * truth.max(initial=1.0)) & (stored > 0)
    if usable.sum() < max(1, len(truth) // 2):
        return None
    ratios = stored[usable] / truth[usable]
    middle = float(np.median(ratios))
    return middle if (np.abs(ratios / middle - 1) < 0.02).mean() > 0.7 else None


def _unmatched(values: Array, truth: Array, bound: Array) -> tuple[Array, Array]:
    """Indices of stored and of true eigenvalues that find no partner within the bound (each used once)."""
    free = np.ones(len(values), dtype=bool)
    lost = []
    for i in np.argsort(-np.abs(truth)):
        distance = np.where(free, np.abs(values - truth[i]), np.inf)
        nearest = int(np.argmin(distance))
        if distance[nearest] <= bound[i]:
            free[nearest] = False
        else:
            lost.append(int(i))
    return np.flatnonzero(free), np.array(lost, dtype=int)


def _written(value: Any) -> str:
    value = complex(value)
    return f"{value.real:.6g}{value.imag:+.6g}i"
