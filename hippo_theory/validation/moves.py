"""How far eigenvalues have moved from the starts, and when that says where they came from."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from hippo_theory.validation.matching import align
from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.references import Reference, references

__all__ = [
    "chance_distances",
    "cut_bound",
    "decisive",
    "is_decided",
    "is_near",
    "likeliest_start",
    "moves_from",
    "nearest_start",
    "outlying",
    "percent",
    "spacing_near",
]

Array = NDArray[Any]

_FALSE_START = 0.05  # share of random spectra of each shape that are called a start
_DRAWS = 400
_CHANCE = 1e-4  # with which moves that have nothing in common may be taken for one mistake


@lru_cache(maxsize=4096)
def _moduli(reference: Reference) -> Array:
    """What moves are relative to: the moduli, those near 0 raised."""
    return _raised(reference.Lambda)


def _raised(truth: Array) -> Array:
    """Moduli, those near 0 raised."""
    moduli = np.abs(truth)
    return np.asarray(np.maximum(moduli, 0.05 * float(np.median(moduli)) + 1e-12))


def moves_from(reference: Reference, ordered: Array) -> Array:
    """How far eigenvalues (..., n) in the order of a reference have moved, relative to the moduli, those near 0 raised."""
    return np.asarray(np.abs(ordered - reference.Lambda) / _moduli(reference))


def nearest_start(values: Array) -> tuple[Reference | None, float]:
    """The start from which the largest relative move of eigenvalues (n,) is least, and that move; infinite without one."""
    nearest, least = None, np.inf
    for reference in references(len(values)):
        move = float(moves_from(reference, align(values, reference)[2]).max(initial=0.0))
        if move < least:
            nearest, least = reference, move
    return nearest, least


def distance(reference: Reference, ordered: Array) -> Array:
    """Mean of abs(a - b)/(abs(a) + abs(b)), near 0 raised, over eigenvalues (..., n) in the order of a reference: 0 to 1.

    Symmetric up to what is near 0, so that no start is near to all because its eigenvalues are large.
    """
    return _distance(reference.Lambda, ordered, _moduli(reference))


def _distance(truth: Array, ordered: Array, least: Array) -> Array:
    sizes = np.maximum(np.abs(ordered) + np.abs(truth), least)
    return np.asarray((np.abs(ordered - truth) / sizes).mean(axis=-1))


def likeliest_start(values: Array) -> tuple[Reference | None, float]:
    """The start that eigenvalues (n,) are nearest to by `distance`, and that distance; infinite if there is none."""
    found = [(float(distance(r, align(values, r)[2])), index) for index, r in enumerate(references(len(values)))]
    least, index = min(found, default=(np.inf, -1))
    return (references(len(values))[index], least) if np.isfinite(least) else (None, np.inf)


def is_near(reference: Reference, found: float) -> bool:
    """Whether a distance from a start is less than what chance reaches, by `chance_distances`."""
    levels = chance_distances(reference.stored, _is_real(reference), reference.form == "all")
    return found < levels[references(reference.stored).index(reference)]


@lru_cache(maxsize=64)
def chance_distances(n: int, real: bool, whole: bool) -> tuple[float, ...]:
    """For each of `references(n)` the distance below which n eigenvalues are no chance; 0 for those of another kind.

    Kinds: real eigenvalues, one of each conjugate pair, and whole spectra, of which half the numbers are free. Of random
    spectra one in 20 at most is within these distances of any start of its kind: imaginary parts (or negative real numbers)
    that are n independent numbers, uniform, log-uniform over one or over three decades, exponential or normal, with the real
    parts of the start, and at the scale that suits it best (equal medians), so that no scale makes chance more likely.

    With D_r the distance from the start r and m_r its median (the least of the five shapes), the distances are t m_r, t the
    5 % quantile (the least of the five) of min_r D_r / m_r: starts that chance hardly resembles, as LegS, are recognized from
    further away than evenly spaced ones. Always the same 400 draws.

    Examples
    --------
    >>> levels = {r.id: x for r, x in zip(references(32), chance_distances(32, False, False), strict=True) if x}
    >>> 0.03 < levels["s4d-lin"] < levels["s4d-inv"] < 0.12
    True
    """
    starts = references(n)
    levels = np.zeros(len(starts))
    kind = real, whole
    alike = [index for index, start in enumerate(starts) if (_is_real(start), start.form == "all") == kind]
    drawn = {index: _distances_of_chance(starts[index]) for index in alike}
    # A single free number fits everything at the scale that suits it.
    chosen = [index for index in alike if (np.median(drawn[index], axis=1) > 0).all()]
    if chosen:
        shapes = np.stack([drawn[index] for index in chosen], axis=-1)
        medians = np.median(shapes, axis=1).min(axis=0)
        levels[chosen] = medians * np.quantile((shapes / medians).min(axis=-1), _FALSE_START, axis=1).min()
    return tuple(float(level) for level in levels)


def _is_real(reference: Reference) -> bool:
    return not reference.Lambda.imag.any()


def _distances_of_chance(reference: Reference) -> Array:
    """The distances of random spectra from a start, (shapes, draws)."""
    truth = reference.Lambda
    if reference.form == "all" and not _is_real(reference):  # conjugates come in pairs: half of the numbers are random
        truth = truth[truth.imag > 0]
    n = len(truth)
    places = np.unique(np.linspace(0, n - 1, min(n, 256)).astype(int))  # of very many numbers these say as much
    truth = truth[places] if _is_real(reference) else truth[n - 1 - places]
    size = np.abs(truth.real if _is_real(reference) else truth.imag)
    # Uniform order statistics: sums of exponential variables over the sum of all n + 1 of them.
    steps = np.diff(places, prepend=-1, append=n)
    sums = np.cumsum(np.random.default_rng(n).gamma(steps, size=(_DRAWS, len(steps))), axis=1)
    uniform = np.clip(sums[:, :-1] / sums[:, -1:], 1e-12, 1 - 1e-12)
    logarithmic = [10.0 ** (decades * (uniform - 1)) for decades in (1, 3)]
    found = []
    for moduli in (uniform, *logarithmic, -np.log1p(-uniform), ndtri((1 + uniform) / 2)):
        scaled = moduli * (np.median(size) / np.median(moduli, axis=1, keepdims=True))
        found.append(
            _distance(truth, -scaled + 0j if _is_real(reference) else truth.real + 1j * scaled, _raised(truth))
        )
    return np.array(found)


def decisive(n: int) -> float:
    """How many times nearer than the nearest start a mistake must bring n eigenvalues to explain them.

    Of n independent uniform moves all but the largest are within a share 1/g of it with the probability g^(1 - n): 1e-4 for
    this g, and a few times that for normal ones. Not below 10, since hypotheses with an estimated factor allow three bounds.

    Examples
    --------
    >>> decisive(32), round(decisive(3))
    (10.0, 100)
    """
    return float(max(10.0, _CHANCE ** (-1 / max(n - 1, 1))))


def outlying(n: int) -> float:
    """How many times the root mean square of the others a single one of n moves must be to stand out.

    Of n moves drawn from one normal distribution the largest is beyond this with a probability of 1e-4 at most.

    Examples
    --------
    >>> round(outlying(32), 2)
    5.04
    """
    return float(np.sqrt(2 * np.log(n / _CHANCE)))


def percent(move: float) -> str:
    """A relative move in words, two digits of it also where it is tiny.

    Examples
    --------
    >>> percent(0.0512), percent(3.14e-7)
    ('5.12%', '3.1e-05%')
    """
    return f"{move:.2%}" if move >= 1e-3 else f"{100 * move:.2g}%"


def cut_bound(bound: Array, move: float, stored: Quantity, reference: Reference) -> Array:
    """Bounds (m,) that do not hide relative moves of that size, and allow what the stored numbers can hold."""
    if not np.isfinite(move):
        return bound
    held = 4 * stored.roundoff * np.abs(reference.Lambda) + spacing_near(stored, reference.Lambda)
    return np.asarray(np.minimum(bound, held + move * _moduli(reference)))


def spacing_near(stored: Quantity, truth: Array) -> Array:
    """One unit in the last place of the stored numbers (n,) next in size to each of the truth (m,)."""
    sizes, spacing = stored.by_size
    if len(sizes) == 0:
        return np.zeros(len(truth))
    above = np.searchsorted(sizes, np.abs(truth)).clip(0, len(sizes) - 1)
    return np.asarray(np.maximum(spacing[above], spacing[np.maximum(above - 1, 0)]))


def is_decided(bound: Array, move: float, reference: Reference) -> bool:
    """Whether all bounds (m,) are below a relative move, so that what keeps to them is nearer than the move is large."""
    return bool((bound <= move * _moduli(reference)).all())
