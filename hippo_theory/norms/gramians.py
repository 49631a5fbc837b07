"""Gramians of systems, and the H2 and L2 norms that follow from them, in float64 with a bound on the error. Exactly,
for rational systems: `norms.exact_gramians`.

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
from numpy.typing import NDArray

from hippo_theory.errors import CertificationError, InputError
from hippo_theory.systems import DenseSystem, DiagonalSystem, HalfSystem, System, conjugate_full, to_dense

__all__ = [
    "Gramian",
    "NormEstimate",
    "controllability_gramian",
    "difference_system",
    "h2_distance",
    "h2_norm",
    "kernel_norms",
    "observability_gramian",
]

Array = NDArray[Any]

_EPS = float(np.finfo(np.float64).eps)
# Relative error of an entry -B_i conj(B_j) / (lambda_i + conj(lambda_j)), in eps: a complex product and a quotient of a
# few roundings each (5 at most), and 2 for the denominator.
_ENTRY = 16
# Below this modulus the parts of a number may be subnormal, and have no relative accuracy.
_LEAST = 2.0**-960


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
    if not system.discrete:
        height = eigenvalues.real
    elif isinstance(system, DiagonalSystem):
        real, imaginary = eigenvalues.real, np.asarray(eigenvalues.imag)
        height = -_one_minus_products(real, imaginary, real, imaginary)  # abs(z) as a float may be below 1 outside
    else:
        height = np.abs(eigenvalues) - 1
    if not (height < 0).all():
        worst = eigenvalues[np.argmax(height)]
        region = "abs(z) < 1" if system.discrete else "Re lambda < 0"
        raise InputError(
            f"`system` must be stable, and has the eigenvalue {worst:.6g}, not in {region}: the norm over all time is "
            "infinite; shift A, or compare transfer functions"
        )
    return system


def denominators(system: DiagonalSystem) -> Array:
    """The matrix S_ij = -(lambda_i + conj(lambda_j)), or 1 - z_i conj(z_j), each entry to 2 eps of its modulus.

    The discrete form cancels where both are near the unit circle: its products are split into a head and an exact tail
    (Dekker) and summed with compensation.
    """
    values = system.Lambda
    if not system.discrete:
        return np.asarray(-(values[:, None] + values.conj()[None, :]))
    real, imaginary = values.real, np.asarray(values.imag)
    result = _one_minus_products(real[:, None], imaginary[:, None], real, imaginary)
    if not np.iscomplexobj(values):
        return result
    cross = (_product(imaginary[:, None], real), _product(-real[:, None], imaginary))
    return np.asarray(result - 1j * _compensated_sum([term for pair in cross for term in pair]))


def _one_minus_products(real: Array, imaginary: Array, other_real: Array, other_imaginary: Array) -> Array:
    """1 - real other_real - imaginary other_imaginary."""
    terms = (*_product(real, other_real), *_product(imaginary, other_imaginary))
    return _compensated_sum([np.ones_like(terms[0]), *(-term for term in terms)])


def _product(a: Array, b: Array) -> tuple[Array, Array]:
    """a b as head + tail, exact (no overflow below 1e150)."""

    def halves(x: Array) -> tuple[Array, Array]:
        scaled = 134217729.0 * x  # 2^27 + 1
        high = scaled - (scaled - x)
        return high, x - high

    (a_high, a_low), (b_high, b_low) = halves(a), halves(b)
    head = a * b
    return head, a_low * b_low - (((head - a_high * b_high) - a_low * b_high) - a_high * b_low)


def _compensated_sum(terms: Sequence[Array]) -> Array:
    """The sum as if in fourfold precision and then rounded: SumK of Ogita, Rump and Oishi (2005), K = 4.

    1 - abs(z)^2 may be as small as 2^-106 for z next to the circle, which leaves twofold precision (K = 2) no digit.
    """
    parts = list(terms)
    for _ in range(3):
        for i in range(1, len(parts)):
            below, above = parts[i - 1], parts[i]
            head = above + below
            part = head - above
            parts[i - 1], parts[i] = (above - (head - part)) + (below - part), head
    return np.asarray(sum(parts[1:], parts[0]))


# --- powers of two, by which numbers of any size are brought to order one and back ------------------------------------


def shifted(array: Any, exponent: Any) -> Array:
    """array times 2^exponent: exact, but for overflow to infinity and underflow."""
    array = np.asarray(array)
    with np.errstate(over="ignore", under="ignore"):
        if not np.iscomplexobj(array):
            return np.asarray(np.ldexp(array, exponent))
        result: Array = np.empty_like(array)
        result.real, result.imag = np.ldexp(array.real, exponent), np.ldexp(array.imag, exponent)
        return result


def exponents(array: Array) -> Array:
    """The binary exponent of the larger part of each entry; of zeros, one below that of all other floats."""
    size = np.maximum(np.abs(array.real), np.abs(array.imag))
    return np.asarray(np.where(size > 0, np.frexp(size)[1], -1100))


def unit_scaled(array: Array) -> tuple[Array, int]:
    """The array divided by 2^e so that its largest part is in [1/2, 1), and e."""
    exponent = int(exponents(array).max(initial=-1100))
    return shifted(array, -exponent), exponent


def _representable(name: str, *values: Any) -> None:
    if not all(np.isfinite(value).all() for value in values):
        raise CertificationError(f"{name} does not fit into float64 (beyond 1.8e308); scale B, C or the time")


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
        Diagonal: every entry to 16 eps of its modulus (unless one underflows, which the error says), O(N^2). Dense:
        SciPy's Lyapunov solvers, O(N^3), with the bound
        norm(P - truth) <= norm(R) norm(H) / (1 - d) (derived) where R is the residual, H solves the equation with I in place of
        B B* and d is the residual of H: the error solves the equation with R, and -norm(R) I <= R <= norm(R) I. The
        rounding of the residuals themselves is included: (N + 4) eps norm(abs(A) abs(P)), twice that if complex.

    Raises
    ------
    InputError
        If the system holds balls or is not stable.
    CertificationError
        If it is so close to instability that d >= 1/2, or that H is not positive definite in float64 (for H > 0 with
        d < 1 proves that A is stable), or if P does not fit into float64.

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
    B, exponent = unit_scaled(form.B[:, None])
    if isinstance(form, DiagonalSystem):
        return _in_units(_diagonal_gramian(denominators(form), B), exponent)
    return _in_units(_dense_gramian(form.A, B, form.discrete), exponent)


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
    adjoint, exponent = unit_scaled(outputs(form).conj().T)
    if isinstance(form, DiagonalSystem):
        return _in_units(_diagonal_gramian(denominators(form).conj(), adjoint), exponent)
    return _in_units(_dense_gramian(form.A.conj().T, adjoint, form.discrete), exponent)


def outputs(form: DenseSystem | DiagonalSystem) -> Array:
    """C, or the identity where it is left open."""
    return np.asarray(np.eye(form.N) if form.C is None else form.C)


def _in_units(gramian: Gramian, exponent: int) -> Gramian:
    """The Gramian of 2^exponent G from that of G."""
    matrix, error = shifted(gramian.matrix, 2 * exponent), float(shifted(gramian.error, 2 * exponent))
    _representable("the Gramian", matrix, error)
    relative = gramian.relative_entries
    if (np.abs(matrix) < _LEAST).any():
        relative = None if (np.abs(matrix) < _LEAST)[gramian.matrix != 0].any() else relative
        error += len(matrix) * float(np.finfo(np.float64).tiny)
    return _frozen(matrix, error, relative)


def _diagonal_gramian(S: Array, G: Array) -> Gramian:
    """(G G*)_ij / S_ij."""
    with np.errstate(over="ignore", invalid="ignore"):
        matrix = (G @ G.conj().T) / S
    _representable("the Gramian", matrix)
    if G.shape[1] == 1:
        lost = (np.abs(matrix) < _LEAST) & (G != 0) & (G != 0).T
        return _frozen(matrix, _ENTRY * _EPS * float(np.linalg.norm(matrix)), None if lost.any() else _ENTRY * _EPS)
    size = np.abs(G) @ np.abs(G).T / np.abs(S)
    return _frozen(matrix, (_ENTRY + 2 * G.shape[1]) * _EPS * float(np.linalg.norm(size)))


def _dense_gramian(A: Array, G: Array, discrete: bool) -> Gramian:
    right = G @ G.conj().T
    try:
        with np.errstate(all="ignore"):  # what overflows fails the comparisons below
            matrix, unit = _lyapunov(A, right, discrete), _lyapunov(A, np.eye(len(A)), discrete)
            residual, defect = _residual(A, matrix, right, discrete), _residual(A, unit, np.eye(len(A)), discrete)
            extent = np.linalg.eigvalsh(unit) if len(A) else np.ones(1)
    except (np.linalg.LinAlgError, ValueError):  # SciPy refuses infinities with a ValueError
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

    with warnings.catch_warnings():  # ill-conditioned, or perturbed to be solvable: the residual says how good it is
        warnings.simplefilter("ignore", RuntimeWarning)  # and LinAlgWarning, which is one
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
    squared, error, exponent = _diagonal_squares(form) if isinstance(form, DiagonalSystem) else _dense_squares(form)
    value, error = (shifted(part, exponent) for part in _root(squared, error))
    _representable("the norm", value, error)
    least = float(np.finfo(np.float64).tiny)
    return NormEstimate(value, error + np.where((value < least) & (squared + error > 0), least, 0.0))


def _diagonal_squares(form: DiagonalSystem) -> tuple[Array, Array, Array]:
    """sum_ij r_i conj(r_j) / S_ij with r_i = C_ki B_i for each output k, in units of 4^exponent, the bound, and exponents.

    The products r are formed from mantissas and exponents, so that a small B may meet a large C.
    """
    C = outputs(form)
    parts = [exponents(C), exponents(form.B)]
    residues = shifted(C, -parts[0]) * shifted(form.B, -parts[1])
    exponent = np.where(residues != 0, parts[0] + parts[1], -2200)
    top = exponent.max(axis=1, initial=-2200)
    residues = shifted(residues, exponent - top[:, None])
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        inverse = 1 / denominators(form)
        squared = ((residues @ inverse) * residues.conj()).sum(axis=1).real
        sizes = np.abs(residues)
        weights = ((sizes @ np.abs(inverse)) * sizes).sum(axis=1)
    _representable("the squared norm", squared, weights)
    error = (_ENTRY + 4 * (form.N + 4)) * _EPS * weights + form.N**2 * float(np.finfo(np.float64).tiny) * (weights > 0)
    return squared, error, top


def _dense_squares(form: DenseSystem) -> tuple[Array, Array, Array]:
    """(C P C*)_kk as `_diagonal_squares`."""
    B, exponent = unit_scaled(form.B[:, None])
    gramian = _dense_gramian(form.A, B, form.discrete)
    tops = exponents(outputs(form)).max(axis=1, initial=-1100)
    C = shifted(outputs(form), -tops[:, None])
    squared = np.einsum("ki,ki->k", C @ gramian.matrix, C.conj()).real
    size = np.abs(C)
    weights = np.einsum("ki,ki->k", size @ np.abs(gramian.matrix), size)
    error = 4 * (form.N + 4) * _EPS * weights + gramian.error * (size**2).sum(axis=1) * (1 + form.N * _EPS)
    return squared, error, tops + exponent


def h2_norm(system: System) -> NormEstimate:
    """The H2 norm: the root of the sum of the squared L2 norms of the kernels of all outputs, trace(C P C*)^(1/2).

        norm(G)^2 = 1/(2 pi) integral of trace G(iw)* G(iw) dw,   discrete: the mean of it over the unit circle.

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
    (values, exponent), (errors, error_exponent) = unit_scaled(norms.value), unit_scaled(norms.error)
    value = float(shifted(np.linalg.norm(values), exponent))
    # The norm of a vector moves by at most the norm of the change.
    error = float(shifted(np.linalg.norm(errors), error_exponent)) + (len(values) + 2) * _EPS * value
    _representable("the norm", value, error)
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
