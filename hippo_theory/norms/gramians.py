"""Gramians of systems, and the H2 and L2 norms that follow from them, in float64 with a bound on the error; exactly
where the system is rational.

    continuous:  A P + P A* + B B* = 0,    A* Q + Q A + C* C = 0,    norm(K)^2 = integral of abs(K)^2 = C P C*;
    discrete:    A P A* - P + B B* = 0,    A* Q A - Q + C* C = 0,    norm(k)^2 = sum of abs(k_l)^2   = C P C*.

A discrete system that `discretize_system` made keeps the step in B: k_l is about dt K(l dt), so that its squared norm is
about dt times the continuous one.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from hippo_theory.arithmetic import exact_fraction
from hippo_theory.errors import CertificationError, InputError, checked_size
from hippo_theory.systems import DenseSystem, DiagonalSystem, HalfSystem, System, conjugate_full, to_dense

__all__ = [
    "Gramian",
    "NormEstimate",
    "controllability_gramian",
    "difference_system",
    "exact_gramian",
    "exact_h2_squared",
    "h2_distance",
    "h2_norm",
    "kernel_norms",
    "legs_rational_system",
    "observability_gramian",
]

Array = NDArray[Any]

_EPS = float(np.finfo(np.float64).eps)
# Relative error of an entry -B_i conj(B_j) / (lambda_i + conj(lambda_j)), in eps: a complex product and a quotient of a
# few roundings each, and the denominator (up to 10 in discrete time within 64 eps of the unit circle, else 2).
_ENTRY = 16
# Most unknowns of the dense exact Lyapunov equation; the time grows with their third power.
_MOST_UNKNOWNS = 300


@dataclass(frozen=True, eq=False)
class Gramian:
    """A Gramian and what its numbers are worth.

    Attributes
    ----------
    matrix : (N, N) ndarray of float64 or complex128
        Hermitian, read-only.
    error : float
        Bound on the spectral norm of the error.
    relative_entries : float or None
        Bound on the relative error of every entry, where there is one (a diagonal system, one input or output).
    """

    matrix: Array
    error: float
    relative_entries: float | None = None


@dataclass(frozen=True, eq=False)
class NormEstimate:
    """A norm in float64, or one for each output, and a bound on its error.

    Attributes
    ----------
    value : float or (K,) ndarray of float64
    error : float or (K,) ndarray of float64
        The true norm lies within this of the value. Near zero it is the square root of the error of the square.
    """

    value: Any
    error: Any


# --- what is asked of a system ----------------------------------------------------------------------------------------


def stable_form(system: System) -> DenseSystem | DiagonalSystem:
    """The system as dense or diagonal, if it is in float64 and stable.

    Raises
    ------
    InputError
        If it holds balls, or if an eigenvalue (as computed) is not in Re lambda < 0, or not in abs(z) < 1.
    """
    if any(isinstance(value, np.ndarray) and value.dtype.kind == "O" for value in vars(system).values()):
        raise InputError("`system` holds balls and this function computes in float64; round it with arithmetic.nearest")
    if isinstance(system, HalfSystem):
        system = conjugate_full(system)
    if not isinstance(system, DiagonalSystem):
        system = to_dense(system)
    eigenvalues = system.Lambda if isinstance(system, DiagonalSystem) else np.linalg.eigvals(system.A)
    height = np.abs(eigenvalues) - 1 if system.discrete else eigenvalues.real
    if not (height < 0).all():
        worst = eigenvalues[np.argmax(height)]
        region = "abs(z) < 1" if system.discrete else "Re lambda < 0"
        raise InputError(
            f"`system` must be stable, and has the eigenvalue {worst:.6g}, not in {region}: the norm over all time is "
            "infinite; shift A, or compare transfer functions"
        )
    return system


def denominators(system: DiagonalSystem) -> Array:
    """The matrix S_ij = -(lambda_i + conj(lambda_j)), or 1 - z_i conj(z_j), each entry to 2 eps of its modulus (where
    that is below 64 eps, to 10 eps).

    The discrete form cancels where both are near the unit circle: its products are split into a head and an exact tail
    (Dekker) and summed with compensation (Ogita, Rump, Oishi).
    """
    values = system.Lambda
    if not system.discrete:
        return np.asarray(-(values[:, None] + values.conj()[None, :]))
    real, imaginary = values.real, np.asarray(values.imag)
    parts = (_products(real, real), _products(imaginary, imaginary))
    result = _compensated_sum([np.ones((len(values), len(values))), *(-term for pair in parts for term in pair)])
    if not np.iscomplexobj(values):
        return result
    cross = (_products(imaginary, real), _products(-real, imaginary))
    return np.asarray(result - 1j * _compensated_sum([term for pair in cross for term in pair]))


def _products(left: Array, right: Array) -> tuple[Array, Array]:
    """The outer product as head + tail, exact (no overflow below 1e150)."""

    def halves(x: Array) -> tuple[Array, Array]:
        scaled = 134217729.0 * x  # 2^27 + 1
        high = scaled - (scaled - x)
        return high, x - high

    a, b = left[:, None], right[None, :]
    (a_high, a_low), (b_high, b_low) = halves(a), halves(b)
    head = a * b
    return head, a_low * b_low - (((head - a_high * b_high) - a_low * b_high) - a_high * b_low)


def _compensated_sum(terms: Sequence[Array]) -> Array:
    total, correction = terms[0], np.zeros_like(terms[0])
    for term in terms[1:]:
        new = total + term
        part = new - total
        correction = correction + ((total - (new - part)) + (term - part))
        total = new
    return np.asarray(total + correction)


def _frozen(matrix: Array, error: float, relative_entries: float | None = None) -> Gramian:
    matrix = np.asarray((matrix + matrix.conj().T) / 2)
    matrix.flags.writeable = False
    return Gramian(matrix, error, relative_entries)


# --- Gramians ---------------------------------------------------------------------------------------------------------


def controllability_gramian(system: System) -> Gramian:
    """The controllability Gramian P = integral of e^(At) B B* e^(A*t) dt, or sum of A^l B B* (A*)^l.

        A P + P A* + B B* = 0    (continuous),        A P A* - P + B B* = 0    (discrete);
        diagonal: P_ij = -B_i conj(B_j) / (lambda_i + conj(lambda_j)),   B_i conj(B_j) / (1 - z_i conj(z_j)).

    Parameters
    ----------
    system : System
        Stable, in float64; a half is completed, a low-rank system written out.

    Returns
    -------
    Gramian
        Diagonal: every entry to 16 eps of its modulus, O(N^2). Dense: SciPy's Lyapunov solvers, O(N^3), with the bound
        norm(P - truth) <= norm(R) norm(H) / (1 - d) (derived) where R is the residual, H solves the equation with I in place of
        B B* and d is the residual of H: the error solves the equation with R, and -norm(R) I <= R <= norm(R) I. The
        rounding of the residuals themselves is included: (N + 4) eps norm(abs(A) abs(P)), twice that if complex.

    Raises
    ------
    InputError
        If the system holds balls or is not stable.
    CertificationError
        If it is so close to instability that d >= 1/2, or that H is not positive definite in float64; for H > 0 with
        d < 1 proves that A is stable.

    Examples
    --------
    >>> from hippo_theory.families import LegS
    >>> from hippo_theory.norms import controllability_gramian
    >>> from hippo_theory.systems import DenseSystem
    >>> controllability_gramian(DenseSystem(LegS(3).A, LegS(3).B)).matrix.diagonal().round(12)
    array([0.5, 0.5, 0.5])
    """
    return _gramian(stable_form(system))


def _gramian(form: DenseSystem | DiagonalSystem) -> Gramian:
    if isinstance(form, DiagonalSystem):
        return _diagonal_gramian(denominators(form), form.B[:, None])
    return _dense_gramian(form.A, form.B[:, None], form.discrete)


def observability_gramian(system: System) -> Gramian:
    """The observability Gramian Q = integral of e^(A*t) C* C e^(At) dt, or sum of (A*)^l C* C A^l.

        A* Q + Q A + C* C = 0    (continuous),        A* Q A - Q + C* C = 0    (discrete);
        diagonal: Q_ij = -(C* C)_ij / (conj(lambda_i) + lambda_j),   (C* C)_ij / (1 - conj(z_i) z_j).

    Parameters
    ----------
    system : System
        As for `controllability_gramian`. C = None is the identity.

    Returns
    -------
    Gramian
        As there; entries to 16 eps only if there is one output.

    Raises
    ------
    InputError, CertificationError
        As there.

    Examples
    --------
    >>> from hippo_theory.norms import observability_gramian
    >>> from hippo_theory.systems import DiagonalSystem
    >>> observability_gramian(DiagonalSystem([-0.5, -1.0], [1, 1], [[1, 2]])).matrix
    array([[1.        , 1.33333333],
           [1.33333333, 2.        ]])
    """
    form = stable_form(system)
    C = np.eye(form.N) if form.C is None else form.C
    if isinstance(form, DiagonalSystem):
        return _diagonal_gramian(denominators(form).conj(), C.conj().T)
    return _dense_gramian(form.A.conj().T, C.conj().T, form.discrete)


def _diagonal_gramian(S: Array, G: Array) -> Gramian:
    """(G G*)_ij / S_ij."""
    matrix = (G @ G.conj().T) / S
    if G.shape[1] == 1:
        return _frozen(matrix, _ENTRY * _EPS * float(np.linalg.norm(matrix)), _ENTRY * _EPS)
    size = np.abs(G) @ np.abs(G).T / np.abs(S)
    return _frozen(matrix, (_ENTRY + 2 * G.shape[1]) * _EPS * float(np.linalg.norm(size)))


def _dense_gramian(A: Array, G: Array, discrete: bool) -> Gramian:
    right = G @ G.conj().T
    try:
        matrix, unit = _lyapunov(A, right, discrete), _lyapunov(A, np.eye(len(A)), discrete)
        residual, defect = _residual(A, matrix, right, discrete), _residual(A, unit, np.eye(len(A)), discrete)
        extent = np.linalg.eigvalsh(unit) if len(A) else np.ones(1)
    except np.linalg.LinAlgError:
        residual, defect, extent = np.nan, np.nan, np.ones(1)
    residual += (2 * G.shape[1] + 4) * _EPS * float(np.linalg.norm(G)) ** 2  # the rounding of G G* itself
    if not (defect < 0.5 and np.isfinite(residual) and extent[0] > 8 * len(A) * _EPS * extent[-1]):
        raise CertificationError(
            f"the Lyapunov equation is too close to singular for a bound in float64 (residual {defect:.1e}); take a "
            "system further from instability, its diagonal form, or exact_gramian"
        )
    return _frozen(matrix, residual * float(extent[-1]) / (1 - defect) + _EPS * _spectral(matrix))


def _lyapunov(A: Array, right: Array, discrete: bool) -> Array:
    import scipy.linalg

    with np.errstate(all="ignore"), warnings.catch_warnings():  # the residual says how good it is
        warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)
        if discrete:  # the bilinear map: SciPy's direct method forms an N^2 by N^2 matrix
            solution = scipy.linalg.solve_discrete_lyapunov(A, right, method="bilinear")
        else:
            solution = scipy.linalg.solve_continuous_lyapunov(A, -right)
    return np.asarray((solution + solution.conj().T) / 2)


def _residual(A: Array, X: Array, right: Array, discrete: bool) -> float:
    """Bound on the spectral norm of the residual, its rounding included."""
    unit = (len(A) + 4) * _EPS * (2 if np.iscomplexobj(A) or np.iscomplexobj(X) else 1)
    product, sizes = A @ X, np.abs(A) @ np.abs(X)
    if discrete:
        matrix = product @ A.conj().T - X + right
        rounding = unit * np.linalg.norm(sizes @ np.abs(A).T) + 2 * _EPS * (np.linalg.norm(X) + np.linalg.norm(right))
    else:
        matrix = product + product.conj().T + right
        rounding = unit * np.linalg.norm(sizes) + 2 * _EPS * np.linalg.norm(right)
    return _spectral(matrix) + float(rounding)


def _spectral(matrix: Array) -> float:
    return float(np.linalg.norm(matrix, 2)) if matrix.size else 0.0


# --- norms ------------------------------------------------------------------------------------------------------------


def kernel_norms(system: System) -> NormEstimate:
    """The L2 norm of the kernel of each output: sqrt((C P C*)_kk).

        continuous: (integral of abs(C e^(At) B)^2 dt)^(1/2),     discrete: (sum_l abs(C A^l B)^2)^(1/2).

    Parameters
    ----------
    system : System
        Stable, float64. C = None: the norms of the N states.

    Returns
    -------
    NormEstimate
        Arrays of shape (K,). The error follows from that of the Gramian, abs(C E C*) <= norm(C_k)^2 norm(E), or entry
        by entry for a diagonal system, and from N + 4 roundings of the product.

    Raises
    ------
    InputError, CertificationError
        As for `controllability_gramian`.

    Examples
    --------
    >>> from hippo_theory.norms import kernel_norms
    >>> from hippo_theory.systems import DiagonalSystem
    >>> kernel_norms(DiagonalSystem([-1.0, -4.0], [2, 4])).value  # e^-t has norm 1/sqrt 2
    array([1.41421356, 1.41421356])
    """
    form = stable_form(system)
    gramian = _gramian(form)
    C = np.eye(form.N) if form.C is None else form.C
    squared = np.einsum("ki,ki->k", C @ gramian.matrix, C.conj()).real
    size = np.abs(C)
    weights = np.einsum("ki,ki->k", size @ np.abs(gramian.matrix), size)
    rounding = 4 * (form.N + 4) * _EPS * weights
    if gramian.relative_entries is None:
        error = rounding + gramian.error * (size**2).sum(axis=1) * (1 + form.N * _EPS)
    else:
        error = rounding + gramian.relative_entries * weights
    return NormEstimate(*_root(squared, error))


def h2_norm(system: System) -> NormEstimate:
    """The H2 norm: the root of the sum of the squared L2 norms of the kernels of all outputs, trace(C P C*)^(1/2).

        norm(G)^2 = (1/2 pi) integral of trace G(iw)* G(iw) dw,   discrete: the mean of it over the unit circle.

    Parameters
    ----------
    system : System
        Stable, float64.

    Returns
    -------
    NormEstimate
        As `kernel_norms`, one number.

    Raises
    ------
    InputError, CertificationError
        As for `controllability_gramian`.

    Examples
    --------
    >>> from hippo_theory.norms import h2_norm
    >>> from hippo_theory.systems import DiagonalSystem
    >>> round(h2_norm(DiagonalSystem([-1.0, -2.0], [1, 1], [[1, -1]])).value ** 2, 12)  # 1/2 - 2/3 + 1/4
    0.083333333333
    """
    norms = kernel_norms(system)
    value = float(np.linalg.norm(norms.value))
    # The norm of a vector moves by at most the norm of the change.
    error = float(np.linalg.norm(norms.error)) + (len(norms.value) + 2) * _EPS * value
    return NormEstimate(value, error)


def _root(squared: Array, error: Array) -> tuple[Array, Array]:
    """The root of squared +- error, and its error."""
    value = np.sqrt(np.maximum(squared, 0))
    above = np.sqrt(np.maximum(squared, 0) + error) - value
    below = value - np.sqrt(np.maximum(squared - error, 0))
    return value, np.maximum(above, below) + 2 * _EPS * value


def difference_system(first: System, second: System) -> DenseSystem | DiagonalSystem:
    """The system whose output is that of `first` minus that of `second`: diag(A_1, A_2), (B_1, B_2), (C_1, -C_2).

    Parameters
    ----------
    first, second : System
        Both continuous or both discrete, with equally many outputs. C = None is the identity.

    Returns
    -------
    DiagonalSystem if both are diagonal (or diagonal halves), else DenseSystem
        Exact: nothing is rounded but low-rank terms that are written out.

    Raises
    ------
    InputError
        If the two do not fit.

    Examples
    --------
    >>> from hippo_theory.norms import difference_system
    >>> from hippo_theory.systems import DiagonalSystem
    >>> difference_system(DiagonalSystem([-1.0], [1]), DiagonalSystem([-2.0], [1])).C
    array([[ 1., -1.]])
    """
    if first.discrete != second.discrete:
        raise InputError("`first` and `second` must both be continuous or both discrete; discretize both alike")
    forms = [conjugate_full(system) if isinstance(system, HalfSystem) else system for system in (first, second)]
    outputs = [np.eye(form.N) if form.C is None else form.C for form in forms]
    if len(outputs[0]) != len(outputs[1]):
        raise InputError(
            f"`first` has {len(outputs[0])} outputs and `second` {len(outputs[1])}; choose the same outputs with C"
        )
    C = np.concatenate([outputs[0], -outputs[1]], axis=1)
    B = np.concatenate([form.B for form in forms])
    left, right = forms
    if isinstance(left, DiagonalSystem) and isinstance(right, DiagonalSystem):
        return DiagonalSystem(np.concatenate([left.Lambda, right.Lambda]), B, C, discrete=first.discrete)
    blocks = [to_dense(form).A for form in forms]
    A = np.zeros((len(B), len(B)), dtype=np.result_type(*blocks))
    A[: left.N, : left.N], A[left.N :, left.N :] = blocks
    return DenseSystem(A, B, C, discrete=first.discrete)


def h2_distance(first: System, second: System) -> NormEstimate:
    """The H2 norm of the difference of two systems; see `difference_system` and `h2_norm`.

    Notes
    -----
    The Gramian of the difference has the size of the two systems: the *square* of the distance is known to a few eps of
    the squares of their norms, so that distances below sqrt(eps) of these are noise, and the error says so. See
    `hippo_theory.norms.distance` for certified digits.

    Examples
    --------
    >>> from hippo_theory.families import LegS
    >>> from hippo_theory.decompositions import diagonal_restriction, full_system
    >>> from hippo_theory.norms import h2_distance
    >>> full, diagonal = full_system(LegS(2)).to_system(), diagonal_restriction(LegS(2)).to_system()
    >>> round(h2_distance(full, diagonal).value ** 2, 12)  # 1/4 - 1/8 and 3/4 - 7/8 + 2/7
    0.285714285714
    """
    return h2_norm(difference_system(first, second))


# --- exact ------------------------------------------------------------------------------------------------------------


def legs_rational_system(N: int) -> tuple[Array, Array]:
    """LegS in the coordinates y = x / R, R_n = sqrt(2n+1), where it is an integer system y' = A y + B u.

        A_nk = -(2k+1) (n > k),  -(n+1) (n = k),  0 (n < k);      B = 1;      x_n = R_n y_n.

    Not to be confused with `decompositions.rescaled_state_matrix`, which has alternating signs and the sign of A outside.

    Returns
    -------
    (N, N) and (N,) ndarrays of fmpq

    Examples
    --------
    >>> from hippo_theory.norms import exact_gramian, legs_rational_system
    >>> A, B = legs_rational_system(3)
    >>> exact_gramian(A, B)[0]  # W_nk / (R_n R_k), W tridiagonal: 1/2, (n+1) / (2 R_n R_(n+1))
    array([1/2, 1/6, 0], dtype=object)
    """
    N = checked_size("N", N)
    rows = [[fmpq(-(2 * k + 1) if n > k else -(n + 1) * (n == k)) for k in range(N)] for n in range(N)]
    return np.array(rows, dtype=object).reshape(N, N), np.array([fmpq(1)] * N, dtype=object)


def exact_gramian(A: Any, B: Any, *, discrete: bool = False) -> Array:
    """The controllability Gramian of a rational system, exactly: A P + P A^T + B B^T = 0, or A P A^T - P + B B^T = 0.

    Parameters
    ----------
    A : (N, N) array of rationals
        int, Fraction, fmpq, decimal strings; a float counts as the dyadic rational that it is.
    B : (N,) array of rationals
    discrete : bool

    Returns
    -------
    (N, N) ndarray of fmpq
        The unique solution; for a stable A it is the Gramian. (That A is stable is not checked.)
        Continuous and lower triangular: forward substitution, O(N^3) rational operations. Else a linear system of
        N (N+1) / 2 unknowns. The observability Gramian is that of (A^T, C^T).

    Raises
    ------
    InputError
        If shapes do not fit, an entry is not a finite number, the equation is singular, or a system that is discrete
        or not lower triangular has more than 24 states.

    Examples
    --------
    >>> from hippo_theory.norms import exact_gramian
    >>> exact_gramian([[-1, 0], ["-1/2", -2]], [1, 1])
    array([[1/2, 1/4],
           [1/4, 3/16]], dtype=object)
    """
    vector = _rational("B", B, 1)
    matrix = _rational("A", A, 2)
    N = len(vector)
    if matrix.shape != (N, N):
        raise InputError(f"`A` must have the shape {N} x {N} of `B`, got {matrix.shape}; give a square matrix")
    triangular = all(matrix[n, k] == 0 for n in range(N) for k in range(n + 1, N))
    try:
        if triangular and not discrete:
            return _forward_substitution(matrix, vector)
        return _linear_solution(matrix, vector, discrete)
    except ZeroDivisionError as error:
        raise InputError(
            "the Lyapunov equation is singular: two eigenvalues of `A` have the sum 0 (discrete: the product 1); "
            "give a stable system"
        ) from error


def exact_h2_squared(A: Any, B: Any, C: Any, *, discrete: bool = False) -> fmpq:
    """The squared L2 norm of the kernel C e^(At) B (discrete: C A^l B) of a rational system: C P C^T, exactly.

    Parameters
    ----------
    A, B, discrete
        As in `exact_gramian`.
    C : (N,) array of rationals

    Raises
    ------
    InputError
        As in `exact_gramian`.

    Examples
    --------
    >>> from hippo_theory.norms import exact_h2_squared, legs_rational_system
    >>> exact_h2_squared(*legs_rational_system(4), [0, 0, 1, 0])  # norm(K_2)^2 = 1/2 = R_2^2 / 10
    1/10
    """
    row = _rational("C", C, 1)
    P = exact_gramian(A, B, discrete=discrete)
    if len(row) != len(P):
        raise InputError(f"`C` must have the length {len(P)} of `B`, got {len(row)}; give one number for each state")
    return sum((row[n] * P[n, k] * row[k] for n in range(len(row)) for k in range(len(row))), fmpq(0))


def _rational(name: str, values: Any, dimensions: int) -> Array:
    try:
        array = np.array(values, dtype=object)
    except ValueError as error:
        raise InputError(f"`{name}` has rows of different length; give an array") from error
    if array.ndim != dimensions:
        raise InputError(f"`{name}` must have {dimensions} dimension(s), got {array.ndim}; reshape it")
    for position, value in np.ndenumerate(array):
        array[position] = fmpq(*exact_fraction(value).as_integer_ratio())
    return array


def _forward_substitution(A: Array, B: Array) -> Array:
    """P_nk = -(B_n B_k + sum_(j<n) A_nj P_jk + sum_(j<k) A_kj P_nj) / (A_nn + A_kk)."""
    N = len(B)
    P = np.full((N, N), fmpq(0), dtype=object)
    for n in range(N):
        for k in range(n + 1):
            total = B[n] * B[k]
            total += sum((A[n, j] * P[j, k] for j in range(n)), fmpq(0))
            total += sum((A[k, j] * P[n, j] for j in range(k)), fmpq(0))
            P[n, k] = P[k, n] = -total / (A[n, n] + A[k, k])
    return P


def _linear_solution(A: Array, B: Array, discrete: bool) -> Array:
    """The symmetric solution from its N (N+1) / 2 linear equations."""
    N = len(B)
    pairs = [(n, k) for n in range(N) for k in range(n + 1)]
    if len(pairs) > _MOST_UNKNOWNS:
        raise InputError(
            f"`A` of {N} states leads to {len(pairs)} exact linear equations, more than {_MOST_UNKNOWNS}; "
            "bring it to lower triangular form (continuous time), or use controllability_gramian"
        )
    index = {pair: position for position, pair in enumerate(pairs)}
    rows, constants = [], []
    for n, k in pairs:
        row = [fmpq(0)] * len(pairs)
        for i, j in np.ndindex(N, N):
            left, right = int(i == n), int(j == k)
            term = A[n, i] * A[k, j] - left * right if discrete else A[n, i] * right + left * A[k, j]
            row[index[max(i, j), min(i, j)]] += term
        rows.append(row)
        constants.append([-B[n] * B[k]])
    solution = fmpq_mat(rows).solve(fmpq_mat(constants)) if pairs else fmpq_mat(0, 1)
    P = np.full((N, N), fmpq(0), dtype=object)
    for (n, k), position in index.items():
        P[n, k] = P[k, n] = solution[position, 0]
    return P
