"""Dense matrices in another basis: the states in another order, with other signs, or mixed by a unitary matrix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from hippo_theory.validation.findings import Finding, Part
from hippo_theory.validation.judging import judge_diagonal
from hippo_theory.validation.matching import SINGLE
from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.reading import Parameters
from hippo_theory.validation.references import DenseReference, dense_references, references

__all__ = ["another_basis", "may_be_rearranged", "normal_plus_low_rank_of", "rearrangement"]

Array = NDArray[Any]

_LARGEST = 1024  # states above which no decomposition of a dense matrix is tried


def rearrangement(A: Array, truth: Array, errors: Array | None = None) -> tuple[Array, Array] | None:
    """Order and signs with A[i, j] = signs[i] signs[j] truth[order[i], order[j]], about; None if there are none.

    The order comes from what neither an order nor signs change: the diagonal, the norms of rows and of columns. A row that is
    off by e has a norm that is off by at most ||e||_2, so that `errors` (N, N), the largest errors of A, say how far each may
    be from its state's; by default they are those of float64, 64 u max|A|.
    """
    if np.iscomplexobj(A) or A.shape != truth.shape or not len(A):
        return None
    if errors is None:
        errors = np.full(A.shape, 64 * 2.0**-53 * float(np.abs(truth).max(initial=0.0)))
    if not may_be_rearranged(A, truth, errors):
        return None
    ours, theirs, allowed = (_invariant_under_order(matrix) for matrix in (A, truth, errors))
    units = np.maximum(allowed, 1e-300)
    distance = np.max(
        [np.abs(a[:, None] - t[None, :]) / u[:, None] for a, t, u in zip(ours, theirs, units, strict=True)], 0
    )
    index = np.arange(len(A))
    # States that nothing tells apart keep their order.
    rows, order = linear_sum_assignment(np.minimum(distance, 1e6) + 1e-6 * np.abs(index[:, None] - index) / len(A))
    if distance[rows, order].max() > 1:
        return None
    moved = truth[np.ix_(order, order)]
    if (np.abs(np.abs(A) - np.abs(moved)) > errors).any():
        return None
    return order, _signs(A, moved)


def may_be_rearranged(A: Array, truth: Array, errors: Array) -> bool:
    """Whether diagonals and norms agree in some order: cheap. Sorted numbers are no further apart than the numbers."""
    ours, theirs, allowed = (_invariant_under_order(matrix) for matrix in (A, truth, errors))
    return bool((np.abs(np.sort(ours) - np.sort(theirs)).max(axis=1) <= allowed.max(axis=1)).all())


def _invariant_under_order(matrix: Array) -> Array:
    """Diagonal, and norms of columns and of rows, (3, N)."""
    return np.stack([np.diag(matrix), np.linalg.norm(matrix, axis=0), np.linalg.norm(matrix, axis=1)])


def _signs(A: Array, truth: Array) -> Array:
    """Signs of the states that turn `truth` into A: along the largest entries from state to state."""
    N = len(A)
    coupling = np.abs(truth) + np.abs(truth.T)
    ratio = np.where(np.abs(truth) >= np.abs(truth.T), np.sign(A * truth), np.sign(A * truth).T)
    signs, reached = np.ones(N), np.zeros(N, dtype=bool)
    strongest, neighbor = np.full(N, -1.0), np.zeros(N, dtype=int)
    for _ in range(N):
        state = int(np.argmax(np.where(reached, -np.inf, strongest)))
        if strongest[state] > 0:
            signs[state] = signs[neighbor[state]] * (ratio[state, neighbor[state]] or 1.0)
        reached[state] = True
        better = coupling[state] > strongest
        strongest, neighbor = np.where(better, coupling[state], strongest), np.where(better, state, neighbor)
    return signs


def normal_plus_low_rank_of(A: Array, largest_rank: int = 2) -> tuple[Array, Array, Array] | None:
    """Lambda, V and P of a matrix that is normal minus P P* up to `largest_rank`: its Hermitian part is a I - P P*.

    Works in any unitary basis. None where the Hermitian part is not of that form or A + P P* is not normal.
    """
    N = len(A)
    hermitian = (A + A.conj().T) / 2
    values, vectors = np.linalg.eigh(hermitian)
    middle = float(np.median(values[min(largest_rank, N - 1) :])) if N > 1 else float(values[0])
    size = max(float(np.abs(A).max()), 1e-300)
    outliers = np.flatnonzero(values < middle - 1e-4 * size)
    if len(outliers) > largest_rank or np.ptp(np.delete(values, outliers)) > 1e-3 * size:
        return None
    P = vectors[:, outliers] * np.sqrt(middle - values[outliers])
    normal = A + P @ P.conj().T
    skew = (normal - normal.conj().T) / 2
    frequencies, V = np.linalg.eigh(-1j * skew)
    return middle + 1j * frequencies[::-1], V[:, ::-1], P


def another_basis(parameters: Parameters) -> Finding | None:
    """The finding for a dense A that is a known start, or a damaged one, in another unitary basis; else None."""
    A, N = parameters.Lambda, len(parameters.Lambda.values)
    if N > _LARGEST or N < 2:
        return None
    found = _by_spectrum(parameters)
    if found is not None and found.verdict != "deviates":
        return found
    for reference in dense_references(N):
        if _same_invariants(A, parameters.B, reference):
            part = Part("rounding", why="by its singular values and those of its Hermitian and skew parts")
            parts = {"A": part} if parameters.B is None else {"A": part, "B": part}
            names = (parameters.tensors, parameters.prefix, parameters.layout)
            why = "in another unitary basis"
            return Finding(*names, reference.id, reference.convention, N, N, 1, parts, why=why)
    return found


def _by_spectrum(parameters: Parameters) -> Finding | None:
    """By the eigenvalues of the normal part, and P and B in its eigenbasis."""
    A = parameters.Lambda
    decomposed = normal_plus_low_rank_of(A.values)
    if decomposed is None:
        return None
    Lambda, V, P = decomposed
    working = np.finfo(float).eps * len(Lambda) * float(np.abs(Lambda).max())
    step = max(float(np.abs(A.spacing).max()), working)

    def spread(values: Array) -> Quantity:
        spacing = np.full(values.shape, step) * (1 + 1j)
        return Quantity(values, spacing, A.dtype, parameters.tensors, direct=False)

    B = None if parameters.B is None else spread((V.conj().T @ parameters.B.values)[None])
    low_rank = spread((V.conj().T @ P)[None]) if P.size else None
    turned = replace(parameters, Lambda=spread(Lambda[None]), P=low_rank, B=B, kind="continuous")
    for finding in judge_diagonal(turned):
        Lambda_part = finding.parts["Lambda"]
        if Lambda_part.verdict in ("exact", "rounding", "known-deviation") or (
            Lambda_part.verdict == "deviates" and Lambda_part.cause is not None
        ):
            parts = {"A" if name == "Lambda" else name: _softened(part) for name, part in finding.parts.items()}
            if low_rank is None and _has_low_rank(finding, len(Lambda)):
                text = f"the normal part of {finding.identified} alone, without its low-rank term: subtract P P*"
                parts["A"] = replace(parts["A"], verdict="deviates", why=text, cause="dropped")
            return replace(finding, parts=parts, why="in another unitary basis")
    return None


def _has_low_rank(finding: Finding, n: int) -> bool:
    """Whether A of the start that was found is its normal part and a low-rank term, not the normal part alone."""
    found = (finding.identified, finding.convention)
    return any((start.id, start.convention) == found and start.low_rank is not None for start in references(n))


def _softened(part: Part) -> Part:
    """Numbers that went through an eigensolver are not exact."""
    return replace(part, verdict="rounding") if part.verdict == "exact" else part


def _same_invariants(A: Quantity, B: Quantity | None, reference: DenseReference) -> bool:
    """Whether A and B have the unitary invariants of a reference that rounding hardly moves.

    Singular values of A and of A^2, eigenvalues of (A + A*)/2 and (A - A*)/(2i), norms of B, A B and A^2 B. By Weyl's
    inequality an error E of A moves the first by ||E||_2 <= ||E||_F at most; of A^2 by (2 ||A|| + ||E||) ||E||. Two products
    with a unitary matrix add N roundings u to each entry, which do not conspire: of A V the sums up to entry (i, j) are at
    most ||A_i||, so 2 u sqrt(N) (sum_ij ||A_i||^2)^(1/2) = 2 N u ||A||_F bounds their standard deviation, and sums that grow
    evenly have half of it; two of these halves are allowed. Storing adds the spacing.
    """
    N, whole = len(reference.approximate), float(np.linalg.norm(reference.approximate))
    error = float(2 * N * min(A.roundoff, SINGLE) * whole + np.linalg.norm(np.abs(A.spacing)))
    if abs(float(np.linalg.norm(A.values)) - whole) > error:  # cheap first
        return False
    size = float(np.linalg.norm(reference.A, 2))
    scales = (1.0, 2 * size + error, 1.0, 1.0)
    for stored, truth, scale in zip(_invariants(A.values), _invariants(reference.A), scales, strict=True):
        if np.abs(stored - truth).max() > error * scale:
            return False
    if B is not None:
        stored, truth = B.values, reference.B
        bound = float(np.sqrt(N) * min(B.roundoff, SINGLE) * np.linalg.norm(truth) + np.linalg.norm(B.spacing))
        for _ in range(3):
            length = float(np.linalg.norm(truth))
            if abs(float(np.linalg.norm(stored)) - length) > bound:
                return False
            bound = (size + error) * bound + error * length
            stored, truth = A.values @ stored, reference.A @ truth
    return True


def _invariants(A: Array) -> tuple[Array, ...]:
    return (
        np.linalg.svd(A, compute_uv=False),
        np.linalg.svd(A @ A, compute_uv=False),
        np.linalg.eigvalsh((A + A.conj().T) / 2),
        np.linalg.eigvalsh((A - A.conj().T) / 2j),
    )
