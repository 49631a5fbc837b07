"""Starts as code keeps them whose real parts are 0: clamped at a small negative number (D4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.references import Reference, references

__all__ = ["CLAMPS", "may_be_clamped", "starts"]

CLAMPS = (1e-4, 1e-3)


@lru_cache(maxsize=64)
def starts(stored: int, clamped: bool = True) -> tuple[tuple[Reference, str], ...]:
    """Every reference with that many stored eigenvalues, as it is and `clamped`, each with the words for what was done.

    LegT, LagT and FouT have the real part 0, of which no logarithm can be stored: what code keeps of them is clamped, and a
    mistake comes on top of that.

    Examples
    --------
    >>> sorted({reference.id for reference, note in starts(8) if note})
    ['fourier-decay', 'fout', 'lagt', 'legt']
    """
    return tuple((one, note) for reference in references(stored) for one, note in _kept(reference, clamped))


def may_be_clamped(values: NDArray[Any]) -> bool:
    """Whether half of the real parts at least are one number that is not 0: of LegT and its like only a limit makes them so."""
    middle = float(np.median(values.real)) if len(values) else 0.0
    return middle != 0 and bool((np.abs(values.real - middle) <= 1e-2 * abs(middle)).mean() >= 0.5)


def _kept(reference: Reference, clamped: bool) -> Iterator[tuple[Reference, str]]:
    yield reference, ""
    for limit in CLAMPS if clamped else ():
        real = np.minimum(reference.Lambda.real, -limit)
        if (real < reference.Lambda.real).all():
            yield replace(reference, Lambda=real + 1j * reference.Lambda.imag), f"; real parts are clamped at {limit:g}"
