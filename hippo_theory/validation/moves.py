"""How far eigenvalues have moved from the starts, and when that says where they came from."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.matching import align
from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.references import Reference, references

__all__ = [
    "chance_distance",
    "cut_bound",
    "decisive",
    "is_decided",
    "likeliest_start",
    "moves_from",
    "nearest_start",
    "outlying",
    "percent",
]

Array = NDArray[Any]

_CHANCE = 1e-4  # with which moves that have nothing in common may be taken for one mistake


def _moduli(reference: Reference) -> Array:
    """What moves are relative to: the moduli, those near 0 raised."""
    moduli = np.abs(reference.Lambda)
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
    sizes = np.maximum(np.abs(ordered) + np.abs(reference.Lambda), _moduli(reference))
    return np.asarray((np.abs(ordered - reference.Lambda) / sizes).mean(axis=-1))


def likeliest_start(values: Array) -> tuple[Reference | None, float]:
    """The start that eigenvalues (n,) are nearest to by `distance`, and that distance; infinite if there is none."""
    found = [(float(distance(r, align(values, r)[2])), index) for index, r in enumerate(references(len(values)))]
    least, index = min(found, default=(np.inf, -1))
    return (references(len(values))[index], least) if np.isfinite(least) else (None, np.inf)


@lru_cache(maxsize=64)
def chance_distance(n: int, real: bool) -> float:
    """The distance from the nearest start that one in 20 random spectra of n eigenvalues does not exceed.

    Random: the largest modulus log-uniform, from a tenth of the least to ten times the largest of those of the starts; below
    it moduli uniform, or log-uniform over three decades, as often; imaginary parts, with the real part -1/2, or negative
    real numbers. Always the same 400 draws.

    Examples
    --------
    >>> 0.05 < chance_distance(32, False) < 0.2
    True
    """
    starts = [reference for reference in references(n) if (np.ptp(reference.Lambda.imag) == 0) == real]
    scales = np.log([max(reference.scale, 1e-3) for reference in starts])
    rng = np.random.default_rng(n)
    shapes = np.concatenate([rng.random((200, n)), 10.0 ** (-3 * rng.random((200, n)))])
    moduli = -np.sort(-shapes, axis=1) * np.exp(
        rng.uniform(scales.min() - np.log(10), scales.max() + np.log(10), (400, 1))
    )
    spectra = -moduli[:, ::-1] + 0j if real else -0.5 + 1j * moduli
    nearest = np.min([distance(reference, spectra) for reference in starts], axis=0)
    return float(np.quantile(nearest, 0.05))


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
    held = 4 * stored.roundoff * np.abs(reference.Lambda) + float(np.abs(stored.spacing).min(initial=np.inf))
    return np.asarray(np.minimum(bound, held + move * _moduli(reference)))


def is_decided(bound: Array, move: float, reference: Reference) -> bool:
    """Whether all bounds (m,) are below a relative move, so that what keeps to them is nearer than the move is large."""
    return bool((bound <= move * _moduli(reference)).all())
