"""Of which A, by which method and with which step a dense Abar may be the discretization, before rounding is looked at.

Abar is a function of A dt, so it commutes with A and with R = (I - A)^-1: which A it is shows before method and step are
known. R is applied, not A, because it is bounded (||R|| <= 1 for dissipative A) and weighs the slow modes, which are what
a discretization with a large step leaves. Then the step:

    weighted methods:  Abar v - v = dt A (alpha Abar v + (1 - alpha) v) for every v, linear in dt;
    zero-order hold:   Abar z = e^(lambda dt) z for an eigenvector A z = lambda z, so dt = log|z* Abar z| / Re lambda.

An eigenvector of a backward stable solver has a residual of a few u ||A||, whatever the condition of lambda, which moves
z* Abar z by dt times that; of a triangular A the diagonals are the eigenvalues. Neither takes a determinant or a logarithm
of Abar, which may be singular to working precision. A step that comes out negative is one of -A.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
from numpy.typing import NDArray

from hippo_theory.discretizations import find_discretization
from hippo_theory.validation.discrete_bounds import rounding_bound
from hippo_theory.validation.matching import DOUBLE
from hippo_theory.validation.references import DenseReference, dense_references

__all__ = ["NEAR", "Candidate", "candidates", "may_be_discretized"]

Array = NDArray[Any]
Candidate = tuple[DenseReference, bool, str, float]

NEAR = 5e-2  # residuals up to which a hypothesis is worth being tested
_SMALLEST_STEP, _LARGEST_STEP = 1e-8, 1e3
_EIGENVECTORS = 6  # slow ones, of large matrices


def candidates(Abar: Array, near: float = NEAR, roundoff: float = DOUBLE) -> Iterator[Candidate]:
    """(reference, transposed, method, step) of which Abar may be the discretization, to a relative `near`.

    The step is NaN where Abar commutes with A, but all that would show it is below the rounding of an exponential.

    Examples
    --------
    >>> import hippo_theory as ht
    >>> found = candidates(scipy.linalg.expm(-0.01 * ht.LegS(8).A))
    >>> [round(step, 3) for reference, _, method, step in found if (reference.id, method) == ("legs", "zoh")]
    [-0.01]
    """
    probe = np.random.default_rng(0).standard_normal(len(Abar))
    rest = Abar - np.mean(np.diag(Abar)) * np.eye(len(Abar))  # multiples of I commute with everything
    if not np.any(rest):
        return
    for reference in dense_references(len(Abar)):
        A = reference.approximate
        factors = scipy.linalg.lu_factor(np.eye(len(A)) - A)
        smooth = scipy.linalg.lu_solve(factors, probe)
        for turned in (False, True):
            matrix, left = (Abar.T, rest.T) if turned else (Abar, rest)
            one, other = scipy.linalg.lu_solve(factors, left @ probe), left @ smooth
            size = np.linalg.norm if near <= NEAR else _typical
            if not size(one - other) <= near * (size(one) + size(other)):
                continue
            for method, step in _weighted_steps(matrix, A, (probe, smooth), near):
                yield reference, turned, method, step
            held, shown = _exponential_step(matrix, A, factors, near, roundoff)
            if held is not None and _SMALLEST_STEP < abs(held) < _LARGEST_STEP:
                yield reference, turned, "zoh", held
            if not shown:
                yield reference, turned, "zoh", float("nan")


def _typical(vector: Array) -> float:
    """The median of the moduli, which single entries do not move."""
    return float(np.median(np.abs(vector)))


def _weighted_steps(Abar: Array, A: Array, vectors: tuple[Array, ...], near: float) -> Iterator[tuple[str, float]]:
    for method in ("bilinear", "forward_euler", "backward_euler"):
        alpha = float(find_discretization(method).alpha or 0)
        best, found = near, None
        for vector in vectors:
            image = Abar @ vector
            change, rate = image - vector, A @ (alpha * image + (1 - alpha) * vector)
            if not (change.any() and rate.any()):
                continue
            if near <= NEAR:
                step = float(rate @ change / (rate @ rate))
                residual = float(np.linalg.norm(change - step * rate) / np.linalg.norm(change))
            else:
                large = np.abs(rate) >= _typical(rate)
                step = float(np.median(change[large] / rate[large]))
                residual = _typical(change - step * rate) / max(_typical(change), 1e-300)
            if residual <= best:
                best, found = residual, step
        # I + A is no step of 1: the families have no such time scale, and a shifted diagonal would look like it.
        largest = 0.5 if method == "forward_euler" else _LARGEST_STEP
        if found is not None and _SMALLEST_STEP < abs(found) < largest:
            yield method, found


def _exponential_step(Abar: Array, A: Array, factors: Any, near: float, roundoff: float) -> tuple[float | None, bool]:
    """dt of e^(A dt), from the eigenvalue whose |mu log mu| is largest: an error of mu moves dt least there.

    Where single numbers may be wrong, the median of what all eigenvalues say. Beside it, whether there is a multiplier above
    what rounding makes of zeros, so that a step would show.
    """
    shown = True
    if not np.triu(A, 1).any():
        rates, multipliers = np.diag(A), np.diag(Abar)
    else:
        values, vectors = _slow_modes(A, factors)
        multipliers = (vectors.conj() * (Abar @ vectors)).sum(axis=0)
        away = np.linalg.norm(Abar @ vectors - vectors * multipliers, axis=0)
        if near <= NEAR and len(values):
            sizes = np.where(away <= near * np.abs(multipliers), np.abs(multipliers), 0.0)
            step = float(np.median(np.log(np.maximum(np.abs(multipliers), 1e-300)) / values.real))
            noise = rounding_bound(A, Abar, "zoh", abs(step), roundoff) if np.isfinite(step) and step else np.zeros(1)
            shown = bool(sizes.max() > noise.max())
        rates, multipliers = values.real, np.where(away <= near * np.abs(multipliers), np.abs(multipliers), 0.0)
    usable = (multipliers > 0) & (multipliers != 1) & (rates < 0)
    if not usable.any():
        return None, shown
    rates, logarithms = rates[usable], np.log(multipliers[usable])
    if near > NEAR:
        return float(np.median(logarithms / rates)), shown
    best = int(np.argmax(np.exp(logarithms) * np.abs(logarithms)))
    return float(logarithms[best] / rates[best]), shown


def _slow_modes(A: Array, factors: Any) -> tuple[Array, Array]:
    """Eigenvalues of A near 1, the slow ones, and their eigenvectors; all of them where A is small."""
    N = len(A)
    if N <= 64:
        return np.linalg.eig(A)
    inverse = scipy.sparse.linalg.LinearOperator((N, N), lambda v: scipy.linalg.lu_solve(factors, v), dtype=float)
    start = np.random.default_rng(1).standard_normal(N)
    try:
        values, vectors = scipy.sparse.linalg.eigs(inverse, _EIGENVECTORS, v0=start)
    except scipy.sparse.linalg.ArpackError:
        return np.zeros(0, dtype=complex), np.zeros((N, 0), dtype=complex)
    return 1 - 1 / values, vectors


def may_be_discretized(Abar: Array) -> bool:
    """Whether a real matrix is worth being compared with discretizations: cheap, for matrices that are mostly none."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return next(candidates(Abar), None) is not None
