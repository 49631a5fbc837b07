"""LegS and its diagonal restriction as one rational system: what exact checks of their difference solve."""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import fmpq

from hippo_theory.norms import legs_rational_system

__all__ = ["both_systems", "difference_output"]


def both_systems(N: int) -> tuple[Any, Any]:
    """(A, B) and (A + B B^T/2, B/2) of LegS side by side in the coordinates x_n / R_n; for computed sides only.

    Returns
    -------
    (2 N, 2 N) and (2 N,) ndarrays of fmpq
        R_n = sqrt(2n+1); B is 1 and B B^T is 2k+1 in these coordinates, and an output counts R_n times.

    Examples
    --------
    >>> from hippo_theory.claims.legs_rationals import both_systems
    >>> both_systems(1)
    (array([[-1, 0],
           [0, -1/2]], dtype=object), array([1, 1/2], dtype=object))
    """
    A, B = legs_rational_system(N)
    zero = np.full((N, N), fmpq(0), dtype=object)
    half = np.array([fmpq(2 * k + 1, 2) for k in range(N)], dtype=object)
    return np.block([[A, zero], [zero, A + half]]), np.concatenate([B, B * fmpq(1, 2)])


def difference_output(N: int, n: int) -> list[Any]:
    """The output that reads the n-th kernel of the restriction less that of LegS, over R_n."""
    return [fmpq(int(j == N + n) - int(j == n)) for j in range(2 * N)]
