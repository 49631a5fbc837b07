"""Hankel singular values: how much of a system each state of its balanced form carries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.errors import CertificationError
from hippo_theory.norms.gramians import (
    controllability_gramian,
    denominators,
    observability_gramian,
    outputs,
    shifted,
    stable_form,
    unit_scaled,
)
from hippo_theory.systems import DenseSystem, DiagonalSystem, System

__all__ = ["HankelValues", "hankel_singular_values"]

Array = NDArray[Any]

_EPS = float(np.finfo(np.float64).eps)
_MOST_SWEEPS = 40
_NUDGE = 2.0**-36
_SAFETY = 32
_TINY = float(np.finfo(np.float64).tiny)
# Where the product M* L is scaled to order one, the squares of values below this one underflow.
_FLOOR = 2.0**-480


@dataclass(frozen=True, eq=False)
class HankelValues:
    """Hankel singular values and what they are worth.

    Attributes
    ----------
    values : (N,) ndarray of float64
        By decreasing size, read-only.
    error : (N,) ndarray of float64
        Error of each value: a bound if `kind` is ``bounded``, an estimate if it is ``observed``.
    kind : str
        ``bounded`` (dense: from the residuals of both Gramians) or ``observed`` (diagonal: small values are relatively
        accurate, which is tested against high precision and not proved).
    """

    values: Array
    error: Array
    kind: str


def hankel_singular_values(system: System) -> HankelValues:
    """The Hankel singular values sigma_i = sqrt(eig_i(P Q)), by the square-root method.

        P = L L*,  Q = M M*,  sigma = singular values of M* L;   P, Q the Gramians of `norms.gramians`.

    Parameters
    ----------
    system : System
        Stable, float64, continuous or discrete, real or complex. C = None is the identity.

    Returns
    -------
    HankelValues
        N values. Dense and low-rank systems: absolute error about eps (norm(P) norm(Q))^(1/2) of the large values and
        sqrt(eps) of it of the small ones, which are noise below that: a Gramian in float64 knows no more. Diagonal
        systems: the Cholesky factors of both Gramians come from closed forms, without forming them, and small values
        are relatively accurate as long as the eigenvalues are distinct and the entries of B, and those of C, do not
        differ by many powers of ten: then to 32 N eps (values down to 1e-14 of the first were tested). Where B and C are
        graded against each other over six decades, up to 10^6 N eps were seen. The error that is returned is 32 N eps
        times 32 times the largest relative sensitivity to errors of the product M* L, as one random perturbation shows
        it: an estimate, often a thousand times too large, that held in all systems tried. It is at least 2^-480 of the
        largest size in M* L, below which squares underflow.

    Raises
    ------
    InputError, CertificationError
        As for `controllability_gramian`; or if the Jacobi rotations do not converge.

    Notes
    -----
    The Gramian of a diagonal system is a Cauchy matrix, b_i conj(b_j) / S_ij, and so are its Schur complements: with
    S_ij = -(lambda_i + conj(lambda_j)) or 1 - z_i conj(z_j), eliminating state k leaves b_i (lambda_i - lambda_k) / S_ik
    in place of b_i, and column k of the factor is b_i sqrt(S_kk) / S_ik. There is no subtraction but of given numbers
    (S is compensated), so each entry is relatively accurate. States are eliminated by decreasing pivot. The singular
    values of the product come from QR with column pivoting and one-sided Jacobi rotations, which respect its grading.
    O(K N^2 + N^3) for K outputs, memory O(K N^2); the Jacobi rotations are a Python loop: N = 64 takes about a second.

    Source: square-root method: Tombs and Postlethwaite (1987); Cauchy factors: Demmel (1999),
    doi:10.1137/S0895479897328716; their use for Hankel values: Haut and Beylkin (2011), doi:10.1137/110821901.

    Examples
    --------
    >>> from hippo_theory.norms import hankel_singular_values
    >>> from hippo_theory.systems import DiagonalSystem
    >>> hankel_singular_values(DiagonalSystem([-1.0], [3], [[2]])).values  # abs(C B) / (2 abs(Re lambda))
    array([3.])
    """
    form = stable_form(system)
    (B, input_exponent), (C, output_exponent) = unit_scaled(form.B), unit_scaled(outputs(form))
    scaled = replace(form, B=B, C=C)
    found = _diagonal_values(scaled) if isinstance(scaled, DiagonalSystem) else _dense_values(scaled)
    values, error = (shifted(array, input_exponent + output_exponent) for array in (found.values, found.error))
    if not (np.isfinite(values).all() and np.isfinite(error).all()):
        raise CertificationError("a Hankel singular value does not fit into float64; scale B, C or the time")
    error = error + np.where((found.values + found.error > 0) & (values < _TINY), _TINY, 0.0)
    for array in (values, error):
        array.flags.writeable = False
    return HankelValues(values, error, found.kind)


def _dense_values(form: DenseSystem) -> HankelValues:
    """Weyl: the squares are the eigenvalues of Q^(1/2) P Q^(1/2), which move by at most E_P norm(Q) + norm(P) E_Q."""
    P, Q = controllability_gramian(form), observability_gramian(form)
    values = np.linalg.svd(_root_factor(Q.matrix).conj().T @ _root_factor(P.matrix), compute_uv=False)
    sizes = [float(np.linalg.norm(gramian.matrix, 2)) for gramian in (P, Q)]
    # What is clipped in a factor is at most the error of its Gramian again; its rounding is 8 N eps of the norm.
    errors = [2 * gramian.error + 8 * form.N * _EPS * size for gramian, size in zip((P, Q), sizes, strict=True)]
    change = errors[0] * (sizes[1] + errors[1]) + sizes[0] * errors[1]
    # |s - t| = |s^2 - t^2| / (s + t) <= min(change / s, sqrt(change)).
    error = change / np.maximum(values, np.sqrt(change) or 1.0)
    # The product of the factors, by their Frobenius norms (the square of which is the trace), and its singular values.
    traces = [
        float(gramian.matrix.trace().real) + form.N * bound for gramian, bound in zip((P, Q), errors, strict=True)
    ]
    rounding = form.N * _EPS * (np.sqrt(traces[0] * traces[1]) + 8 * np.sqrt(sizes[0] * sizes[1]))
    return HankelValues(values, error + rounding, "bounded")


def _root_factor(gramian: Array) -> Array:
    """L with L L* = gramian; what rounding made negative is zero."""
    eigenvalues, vectors = np.linalg.eigh(gramian)
    return np.asarray(vectors * np.sqrt(np.maximum(eigenvalues, 0)))


def _diagonal_values(form: DiagonalSystem) -> HankelValues:
    product, sizes, exponent = _factor_product(form)
    values = np.zeros((2, form.N))
    # The second time with errors of known size, in proportion to those of the product: how far do the values move?
    nudged = product + _NUDGE * sizes * np.random.default_rng(0).choice([-1.0, 1.0], size=sizes.shape)
    for row, matrix in zip(values, (product, nudged), strict=True):
        found = _graded_singular_values(matrix)
        row[: len(found)] = found
    reached = values[0] > 0
    change = np.abs(values[1] - values[0])[reached] / values[0][reached] / _NUDGE
    factor = max(1.0, _SAFETY * float(change.max(initial=0.0)))
    error = np.maximum(32 * form.N * _EPS * factor * values[0], _FLOOR * (product != 0).any())
    return HankelValues(shifted(values[0], exponent), shifted(error, exponent), "observed")


def _factor_product(form: DiagonalSystem) -> tuple[Array, Array, int]:
    """M* L and the sizes of the terms of its entries, both divided by 2^e, and e."""
    with np.errstate(over="ignore", invalid="ignore"):
        S = denominators(form)
        L = _cauchy_factor(form.Lambda, S, form.B)
        factors = [_cauchy_factor(form.Lambda.conj(), S.conj(), row.conj()) for row in outputs(form)]
        none = np.zeros((0, L.shape[1]))
        product = np.concatenate([none, *(factor.conj().T @ L for factor in factors)])
        sizes = np.concatenate([none, *(np.abs(factor).T @ np.abs(L) for factor in factors)])
    if not np.isfinite(sizes).all():
        raise CertificationError("the factors of the Gramians do not fit into float64; scale the time")
    sizes, exponent = unit_scaled(sizes)
    return shifted(product, -exponent), sizes, exponent


def _cauchy_factor(nodes: Array, S: Array, b: Array) -> Array:
    """L with L L* = (b_i conj(b_j) / S_ij), (N, rank), columns by decreasing pivot; see `hankel_singular_values`."""
    roots = np.sqrt(S.diagonal().real)
    remaining = np.array(b, dtype=np.result_type(nodes, b))
    columns = []
    open_states = np.ones(len(b), dtype=bool)
    for _ in range(len(b)):
        pivots = np.where(open_states, np.abs(remaining) / roots, -1.0)
        k = int(np.argmax(pivots))
        if not pivots[k] > 0:
            break
        columns.append(remaining * (roots[k] / S[:, k]))
        open_states[k] = False
        remaining = remaining * ((nodes - nodes[k]) / S[:, k])
    return np.array(columns).T if columns else np.zeros((len(b), 0))


def _graded_singular_values(matrix: Array) -> Array:
    """All singular values by decreasing size: rows sorted, QR with column pivoting, one-sided Jacobi on the rows of R."""
    import scipy.linalg

    if 0 in matrix.shape:
        return np.zeros(0)
    order = np.argsort(-np.linalg.norm(matrix, axis=1), kind="stable")
    triangle = scipy.linalg.qr(matrix[order], mode="r", pivoting=True)[0][: min(matrix.shape)]
    rows = np.array(triangle)
    count = len(rows)
    for _ in range(_MOST_SWEEPS):
        rotated = False
        for i in range(count - 1):
            for j in range(i + 1, count):
                rotated |= _orthogonalize(rows, i, j)
        if not rotated:
            break
    else:
        raise CertificationError(f"the Jacobi rotations did not converge in {_MOST_SWEEPS} sweeps; use the dense form")
    return np.asarray(-np.sort(-np.linalg.norm(rows, axis=1)))


def _orthogonalize(rows: Array, i: int, j: int) -> bool:
    """One Jacobi rotation that makes rows i and j orthogonal; whether it was needed."""
    first, second = rows[i], rows[j]
    inner = np.vdot(second, first)  # conj(second) . first
    size = abs(inner)
    sizes = np.linalg.norm(first), np.linalg.norm(second)
    if not size > _EPS * len(rows) * sizes[0] * sizes[1]:
        return False
    zeta = (sizes[1] - sizes[0]) * (sizes[1] + sizes[0]) / (2 * size)
    tangent = (1.0 if zeta >= 0 else -1.0) / (abs(zeta) + np.hypot(1.0, zeta))
    cosine = 1 / np.hypot(1.0, tangent)
    phase = inner / size
    rows[i], rows[j] = (
        cosine * (first - tangent * phase * second),
        cosine * (second + tangent * np.conj(phase) * first),
    )
    return True
