"""How far apart two low-rank terms are, whatever the phases of the eigenvectors.

Eigenvectors are fixed up to phases: with D diagonal and unitary, (Lambda, P Q*, B) and (Lambda, D P Q* D*, D B) are the same
system, so the rows of P alone say no more than their norms. Two terms M and M' are compared as D M D* and M', with the
phases that B fixes, and without B those that fit best: H_nm = M'_nm conj(M_nm) is D W D* with W >= 0 if the two are the
same, so by Perron and Frobenius the phases of the leading eigenvector of H + H* are those of D. M falls apart into blocks
where it has zeros; phases between these change nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["low_rank_distance"]

Array = NDArray[Any]

_ROUNDING = 64 * 2.0**-52  # relative size below which an entry has no phase


def low_rank_distance(ours: Array, theirs: Array, vectors: tuple[Array, Array] | None = None) -> float | None:
    """Largest entry of D M D* - M' over the largest of M', or None where that is not finite.

    Parameters
    ----------
    ours, theirs : (n, n) ndarray
        M = P Q* and M' (Q = P where only P is stored), in the same order of the eigenvalues.
    vectors : pair of (n,) ndarray, optional
        B and B' in that order, which fix the phases where neither is zero.

    Returns
    -------
    float or None

    Examples
    --------
    >>> P = np.array([[1.0], [2.0]]) + 0j
    >>> turned = P * np.array([[1j], [-1]])
    >>> low_rank_distance(turned @ turned.conj().T, P @ P.conj().T) < 1e-15
    True

    The same P with a B that has not been turned is another system.

    >>> low_rank_distance(turned @ turned.conj().T, P @ P.conj().T, (P[:, 0], P[:, 0])) > 0.1
    True
    """
    scale = float(np.abs(theirs).max(initial=0.0))
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all() and scale > 0):
        return None
    relation = theirs * ours.conj()
    relation = relation + relation.conj().T
    phases = np.zeros(len(ours), dtype=complex) if vectors is None else _phase(vectors[1] * vectors[0].conj())
    if not phases.any():
        phases = _best(relation)
    free = phases == 0
    for _ in range(3):  # each from all that are known: small entries get their phases from the large ones
        phases[free] = _phase(relation @ phases)[free]
        phases = np.where(phases == 0, 1.0, phases)
        if vectors is None:
            free = np.ones(len(phases), dtype=bool)
    turned = phases[:, None] * ours * phases.conj()[None, :]
    return float(np.abs(turned - theirs).max()) / scale


def _phase(values: Array) -> Array:
    """z/|z|, and 0 where z is nothing beside the largest."""
    size = np.abs(values)
    some = size > _ROUNDING * size.max(initial=0.0)
    return np.where(some, values / np.where(some, size, 1.0), 0.0)


def _best(relation: Array) -> Array:
    """Phases of the leading eigenvector, block by block."""
    from scipy.sparse.csgraph import connected_components

    size = np.abs(relation)
    _, block = connected_components(size > _ROUNDING * size.max(initial=0.0), directed=False)
    phases = np.ones(len(relation), dtype=complex)
    for number in np.unique(block):
        inside = np.flatnonzero(block == number)
        if len(inside) > 1:
            _, leading = np.linalg.eigh(relation[np.ix_(inside, inside)])
            phases[inside] = _phase(leading[:, -1])
    return np.where(phases == 0, 1.0, phases)
