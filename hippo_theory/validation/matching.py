"""Comparing stored parameters with one reference, by invariants, against bounds that are computed.

Two bounds decide what an error is. `exact`: within one unit in the last place of the stored number (half of it is the
rounding of the truth, half the rounding of whatever formed it). `rounding`: what a backward stable computation in the
stored precision (float32 at the coarsest) explains. Eigenvalues of the normal part by an eigensolver are those of a matrix
that differs by E with ||E||_2 <= 20 sqrt(N) u ||S||_2 (u the unit roundoff; `eigensolver_error` derives it), so that

    |lambda' - lambda| <= ||E||_2                                   (normal matrices: Bauer and Fike, condition 1),
    |v_i'* b - v_i* b| <= ||E||_2 (sum_j |v_j* b|^2 / |lambda_i - lambda_j|^2)^(1/2)        (first order, j != i),

and weights of eigenvalues closer than 4 ||E||_2 are compared together, by their root mean square. Closed forms
(S4D-Lin, ...) need no eigensolver: 4 u |lambda|, for S4D-Inv 4 u max(|lambda|, N/pi).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.findings import Part
from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.references import Reference

__all__ = [
    "COARSE",
    "DOUBLE",
    "SINGLE",
    "Comparison",
    "Fit",
    "align",
    "compare_eigenvalues",
    "compare_low_rank",
    "compare_weights",
    "eigensolver_error",
    "eigenvalue_bound",
]

Array = NDArray[Any]

COARSE = ("bfloat16", "float16")  # a coarse file is never called exact: the numbers that it holds are not the truth
_CLOSED_FORMS = ("s4d-lin", "s4d-inv", "s4d-inv2", "s4d-quad", "s4d-real", "mamba-real")
DOUBLE, SINGLE = 2.0**-53, 2.0**-24


@dataclass(frozen=True, eq=False)
class Comparison:
    """Stored numbers against the truth.

    Attributes
    ----------
    errors, truth : (n,) ndarray
        abs(stored - truth), and the truth, in the order of the reference.
    ulps : float
        Largest error in units in the last place of the stored numbers.
    bound : (n,) ndarray of float64
        What rounding explains.
    relative : float
        Largest relative error (absolute where the truth is 0).
    """

    errors: Array
    truth: Array
    ulps: float
    bound: Array
    relative: float

    def part(self, verdict: str, *, why: str = "", cause: str | None = None, deviation: str | None = None) -> Part:
        """A part with these numbers."""
        error, bound = (float(array.max(initial=0.0)) for array in (self.errors, self.bound))
        return Part(verdict, self.relative, self.ulps, bound, deviation, why, cause, error, self.excess)

    def judged(self, dtype: str, why: str = "") -> Part:
        """The part with the verdict that the numbers give: exact, rounding or deviates."""
        if self.is_exact and dtype not in COARSE:
            return self.part("exact", why=why)
        return self.part("rounding" if self.is_exact or self.is_rounding else "deviates", why=why)

    @property
    def is_exact(self) -> bool:
        """Whether every number is within one unit in the last place of what is stored."""
        return self.ulps <= 1.0

    @property
    def is_rounding(self) -> bool:
        """Whether every error is within its bound."""
        return bool((self.errors <= self.bound).all())

    @property
    def excess(self) -> float:
        """Largest error over its bound."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(self.errors == 0, 0.0, self.errors / self.bound)
        return float(ratio.max(initial=0.0))

    @property
    def outside(self) -> Array:
        """Which entries rounding does not explain."""
        return self.errors > self.bound


@dataclass(frozen=True, eq=False)
class Fit:
    """How one stored system lies on a reference.

    Attributes
    ----------
    reference : Reference
    order : (n,) ndarray of int
        stored[order] stands in the order of the reference.
    conjugated : (n,) ndarray of bool
        In that order: whether the other member of the pair is stored.
    Lambda : Comparison
    """

    reference: Reference
    order: Array
    conjugated: Array
    Lambda: Comparison


def eigensolver_error(N: int, roundoff: float) -> float:
    """The backward error of an eigensolver relative to the norm of its matrix, ||E||_2 / ||S||_2 = 20 sqrt(N) u.

    The complex QR algorithm is the longest computation that people use (`numpy.linalg.eig`, `scipy.linalg.eig`). Its
    reduction to Hessenberg form applies N - 2 reflectors from both sides, then each eigenvalue takes two to three sweeps
    (Golub and Van Loan, Matrix Computations, 7.5), in each of which two rotations from each side touch every row and column:
    2 N + 3 * 4 N = 14 N layers of rotations. One layer errs by at most sqrt(2) gamma_6 (Higham, Accuracy and Stability,
    Lemma 19.8: six roundings in each entry of a rotation), which is 2 u in root mean square for roundings uniform in [-u, u],
    and 2.6 u in complex arithmetic, where a product rounds its parts three times. Layers that do not conspire (Higham and
    Mary 2019) give 2.6 sqrt(14 N) u = 10 sqrt(N) u; two standard deviations are allowed.

    Hermitian solvers and the real QR algorithm stay near 4 sqrt(N) u, but for the one by relatively robust representations
    (`scipy.linalg.eigh` by default), which perturbs its factors L and D by 16 u on purpose (LAPACK, dlarre: PERT): for small
    N that is of the same size. The test measures all of them against certified eigenvalues.

    Examples
    --------
    >>> eigensolver_error(64, 2.0**-24)
    9.5367431640625e-06
    """
    return float(20 * np.sqrt(N) * roundoff)


def eigenvalue_bound(reference: Reference, roundoff: float) -> Array:
    """What rounding explains of the errors of the eigenvalues, (n,), before they are stored.

    Nobody computes in float16 or bfloat16: parameters are computed in float32 and cast. The spacing of the stored numbers
    comes on top of this bound.
    """
    roundoff = min(roundoff, SINGLE)
    if reference.id in _CLOSED_FORMS:
        # S4D-Inv subtracts N/pi at the end.
        lost = reference.N / np.pi if reference.id == "s4d-inv" else 0.0
        return 4 * roundoff * np.maximum(np.abs(reference.Lambda), lost)
    return np.full(reference.stored, eigensolver_error(reference.N, roundoff) * max(reference.scale, 0.5))


def align(values: Array, reference: Reference) -> tuple[Array, Array, Array]:
    """Order the stored eigenvalues like those of the reference: (order, conjugated, ordered values)."""
    conjugated = np.zeros(len(values), dtype=bool)
    if reference.form != "all" or np.ptp(reference.Lambda.imag) == 0:
        conjugated = values.imag < 0
        values = np.where(conjugated, values.conj(), values)
    if np.ptp(reference.Lambda.imag) == 0:
        order = np.argsort(-values.real, kind="stable")
    else:
        order = np.argsort(-values.imag, kind="stable")
    return order, conjugated[order], values[order]


def compare_eigenvalues(stored: Quantity, reference: Reference, roundoff: float | None = None) -> Fit:
    """The eigenvalues (n,) against a reference."""
    order, conjugated, values = align(stored.values, reference)
    return Fit(
        reference,
        order,
        conjugated,
        _compared(
            values, stored.spacing[order], reference.Lambda, eigenvalue_bound(reference, roundoff or stored.roundoff)
        ),
    )


def _compared(values: Array, spacing: Array, truth: Array, bound: Array) -> Comparison:
    difference = values - truth
    errors = np.abs(difference)
    if np.iscomplexobj(difference) or np.iscomplexobj(spacing):
        difference, spacing = np.asarray(difference, complex), np.asarray(spacing, complex)
        ulps = np.maximum(_in_ulps(difference.real, spacing.real), _in_ulps(difference.imag, spacing.imag))
    else:
        ulps = _in_ulps(difference, spacing)
    scale = np.where(truth == 0, 1, np.abs(truth))
    step = np.abs(spacing)
    return Comparison(
        errors, truth, float(ulps.max(initial=0.0)), bound + step, float((errors / scale).max(initial=0.0))
    )


def _in_ulps(difference: Array, spacing: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(difference == 0, 0.0, np.abs(difference) / np.abs(spacing))


def _vector_bound(fit: Fit, weight: Array, roundoff: float) -> tuple[Array, Array]:
    """Bound of the errors of V* b with moduli `weight`, and the cluster that each eigenvalue belongs to."""
    Lambda, roundoff = fit.reference.Lambda, min(roundoff, SINGLE)
    size = eigensolver_error(fit.reference.N, roundoff) * max(fit.reference.scale, 0.5)
    if fit.reference.id in _CLOSED_FORMS:
        return 4 * roundoff * weight, np.arange(len(Lambda))
    every, weights = Lambda, weight
    if fit.reference.form != "all":  # the conjugates are there too, stored or not
        other = Lambda.imag > 0
        every, weights = np.append(Lambda, Lambda[other].conj()), np.append(weight, weight[other])
    clusters = np.cumsum(np.append(0, np.abs(np.diff(Lambda)) > 4 * size))
    gaps = np.abs(Lambda[:, None] - every[None, :])
    with np.errstate(divide="ignore"):
        inverse = np.where(gaps > 4 * size, 1 / gaps, 0.0)
    bound = size * np.sqrt((inverse**2 * weights[None, :] ** 2).sum(axis=1)) + 4 * roundoff * weight
    return np.asarray(bound), clusters


def compare_weights(stored: Quantity, fit: Fit, truth: Array, roundoff: float | None = None) -> Comparison:
    """abs(B) or another vector of moduli (n,) against the truth, clusters of equal eigenvalues taken together."""
    moduli = np.abs(stored.values)[fit.order]
    spacing = np.abs(stored.spacing)[fit.order]
    bound, clusters = _vector_bound(fit, truth, roundoff or stored.roundoff)
    if clusters[-1] + 1 < len(truth):

        def gathered(vector: Array) -> Array:
            return np.sqrt(np.bincount(clusters, vector**2))

        moduli, truth = gathered(moduli), gathered(truth)
        spacing, bound = gathered(spacing), gathered(bound)
    return _compared(moduli, spacing, truth, bound)


def compare_low_rank(P: Quantity, fit: Fit, truth: Array, roundoff: float | None = None) -> Comparison:
    """The norms of the rows of P (n, r) against those of the truth."""
    norms = np.sqrt((np.abs(P.values) ** 2).sum(axis=-1))
    spacing = np.abs(P.spacing).max(axis=-1)
    whole = Quantity(norms, spacing, P.dtype, P.tensors, P.direct)
    return compare_weights(whole, fit, np.sqrt((np.abs(truth) ** 2).sum(axis=-1)), roundoff)
