"""The closed forms of S4D at any index and size, in float64: for indices that start elsewhere, and for very many states."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["closed_form"]


def closed_form(id: str, index: NDArray[Any], N: float) -> NDArray[Any]:
    """The imaginary part of an eigenvalue of S4D-Lin, Quad, Inv or Inv2, (n,): not finite where the form divides by 0.

    The exact values for the usual index and size are those of `hippo_theory.initializations`; a test compares the two.

    Examples
    --------
    >>> closed_form("s4d-lin", np.arange(3), 6).round(4)
    array([0.    , 3.1416, 6.2832])
    """
    with np.errstate(all="ignore"):
        if id == "s4d-lin":
            return np.asarray(np.pi * index)
        if id == "s4d-quad":
            return np.asarray((2 * index + 1) ** 2 / np.pi)
        divisor = 2 * index + 1 if id == "s4d-inv" else index + 1
        return np.asarray(N / np.pi * (N / divisor - 1))
