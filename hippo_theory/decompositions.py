"""A = V (Lambda - P P*) V*: every HiPPO matrix as normal minus low rank, its diagonal restriction, and certificates.

Also what is not done: diagonalizing A itself, whose eigenvector matrix is known exactly and grows exponentially.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from flint import acb, acb_mat, arb, fmpq
from numpy.typing import NDArray

from hippo_theory.arithmetic import Balls, complex_radius, magnitude_bounds, nearest_certified
from hippo_theory.errors import InputError, checked_size
from hippo_theory.families import Family
from hippo_theory.systems import DenseSystem, DiagonalPlusLowRankSystem, DiagonalSystem

__all__ = [
    "DiagonalRestriction",
    "FullSystem",
    "NormalPlusLowRank",
    "Residual",
    "diagonal_restriction",
    "diagonalization_residual",
    "diagonalizing_condition",
    "diagonalizing_growth",
    "diagonalizing_inverse",
    "diagonalizing_matrix",
    "full_system",
    "largest_diagonalizing_entry",
    "normal_plus_low_rank",
    "reassembly_residual",
    "rescaled_state_matrix",
    "residual",
    "unitarity_residual",
]

Array = NDArray[Any]


# --- normal plus low rank ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class NormalPlusLowRank:
    """A = V (diag(Lambda) - P P*) V* with V unitary, for x' = A x + B u; arrays are read-only.

    Attributes
    ----------
    family : Family
    Lambda : (N,) ndarray
        Eigenvalues of the normal part by decreasing imaginary part.
    P : (N, r) ndarray
        V* times the real P of the family; r = 1, LegT 2, and 0 where the convention drops the term.
    B : (N,) ndarray
        V* times the real B: real and positive (0 for a state that B does not reach).
    V : (N, N) ndarray
        Unit eigenvectors as columns.
    """

    family: Family
    Lambda: Array
    P: Array
    B: Array
    V: Array

    @property
    def N(self) -> int:
        """State size."""
        return len(self.Lambda)

    @property
    def rank(self) -> int:
        """Number of columns of P."""
        return int(self.P.shape[1])

    def to_system(self) -> DiagonalPlusLowRankSystem:
        """The system in these coordinates, with output C = V: the original state."""
        return DiagonalPlusLowRankSystem(self.Lambda, self.P, self.B, self.V)


def normal_plus_low_rank(family: Family, arithmetic: Balls | None = None) -> NormalPlusLowRank:
    """Decompose the state matrix of a family: A = V (Lambda - P P*) V*, from closed forms, without an eigensolver.

    Parameters
    ----------
    family : Family
        In a convention whose A is normal minus low rank.
    arithmetic : Balls, optional
        For certified complex balls; without it, complex128.

    Returns
    -------
    NormalPlusLowRank
        complex128: each part of P and V is the float64 nearest to the truth, Lambda and B are within 2 units in the
        last place. Balls: each contains the true value.

    Raises
    ------
    InputError
        If the convention's A is not of this form (LMU, alpha != 0, conventions that write -A), or `arithmetic` is not
        ball arithmetic.

    Notes
    -----
    O(N^2) numbers. Eigenvalues in decreasing order of imaginary part; each column of V has the phase for which V* B is
    real and positive, and, where it is zero, the first nonzero entry positive.

    Source: S4 (arXiv:2111.00396), theorem on normal plus low rank; P: state-spaces/s4; phase and closed forms: derived.

    Examples
    --------
    >>> from hippo_theory.families import LegS
    >>> from hippo_theory.decompositions import normal_plus_low_rank
    >>> parts = normal_plus_low_rank(LegS(4))
    >>> A = parts.V @ (np.diag(parts.Lambda) - parts.P @ parts.P.conj().T) @ parts.V.conj().T
    >>> bool(abs(A - LegS(4).A).max() < 16 * abs(LegS(4).A).max() * np.finfo(float).eps)
    True
    """
    if arithmetic is None:
        return _normal_plus_low_rank_float(family)
    _require_balls(arithmetic)
    with arithmetic.work() as ring:
        V = family.normal_eigenvectors(ring)
        parts = (family.normal_spectrum(ring), _rotated_low_rank(family, ring), family.normal_weights(ring), V)
        return _frozen(family, *(_complex_balls(array) for array in parts))


def _rotated_low_rank(family: Family, arithmetic: Balls) -> Array:
    """V* P, (N, r). Rank-one families have P P^T = B B^T / 2 in canonical form, so that it is V* B times a number."""
    if family.low_rank_columns != 1:
        return _adjoint_times(family.normal_eigenvectors(arithmetic), family.low_rank(arithmetic))
    form = family.form
    share = arithmetic.sqrt(arithmetic.number(form.rank / (2 * form.rate))) / arithmetic.number(form.gain)
    return np.asarray((share * family.normal_weights(arithmetic))[:, None])


def _require_balls(arithmetic: Any) -> None:
    if not isinstance(arithmetic, Balls):
        raise InputError(f"`arithmetic` must be ball arithmetic, got {arithmetic!r}; give balls(bits)")


@lru_cache(maxsize=4)
def _normal_plus_low_rank_float(family: Family) -> NormalPlusLowRank:
    V = family.normal_eigenvectors()
    P = np.asarray(nearest_certified(lambda ring: _rotated_low_rank(family, ring), "complex128", bits=128))
    return _frozen(family, family.normal_spectrum(), P, family.normal_weights().astype(np.complex128), V)


def _frozen(family: Family, Lambda: Array, P: Array, B: Array, V: Array) -> NormalPlusLowRank:
    for array in (Lambda, P, B, V):
        array.flags.writeable = False
    return NormalPlusLowRank(family, Lambda, P, B, V)


def _complex_balls(array: Array) -> Array:
    return np.array([acb(element) for element in array.ravel()], dtype=object).reshape(array.shape)


def _adjoint(V: Array) -> acb_mat:
    return acb_mat([[element.conjugate() for element in column] for column in V.T])


def _adjoint_times(V: Array, columns: Array) -> Array:
    """V* times a matrix of balls."""
    if columns.shape[1] == 0:
        return np.zeros((V.shape[1], 0), dtype=object)
    return np.array((_adjoint(V) * acb_mat(columns.tolist())).table(), dtype=object)


# --- certificates -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Residual:
    """A matrix of balls that is zero if an identity holds.

    Attributes
    ----------
    matrix : (N, N) ndarray of acb
        Encloses the residual for every choice of numbers in the balls that it was computed from.
    """

    matrix: Array

    @property
    def contains_zero(self) -> bool:
        """Whether every ball contains zero; if not, the identity is refuted for the numbers it was computed from."""
        return all(bool(element.contains(0)) for element in self.matrix.ravel())

    @property
    def radius(self) -> Fraction:
        """The largest radius, rounded up."""
        return max(complex_radius(element) for element in self.matrix.ravel())

    @property
    def magnitude(self) -> Fraction:
        """Upper bound on the modulus of every entry: the identity holds to this accuracy, certainly."""
        return max(magnitude_bounds(element)[1] for element in self.matrix.ravel())


def residual(decomposition: NormalPlusLowRank, arithmetic: Balls) -> Residual:
    """The matrix A - V (Lambda - P P*) V* in balls, A from its own formula.

    Parameters
    ----------
    decomposition : NormalPlusLowRank
        Certified (then every ball must contain zero) or float64 (then this is its true backward error, enclosed).
    arithmetic : Balls

    Returns
    -------
    Residual

    Examples
    --------
    >>> from hippo_theory.arithmetic import balls
    >>> from hippo_theory.families import LegT
    >>> from hippo_theory.decompositions import normal_plus_low_rank, residual
    >>> certificate = residual(normal_plus_low_rank(LegT(5), balls(200)), balls(200))
    >>> certificate.contains_zero, certificate.radius < 10**-50
    (True, True)
    """
    _require_balls(arithmetic)
    with arithmetic.work() as ring:
        V = ring.number(decomposition.V)
        core = [[acb(0)] * decomposition.N for _ in range(decomposition.N)]
        for index, eigenvalue in enumerate(ring.number(decomposition.Lambda)):
            core[index][index] = acb(eigenvalue)
        middle = acb_mat(core)
        if decomposition.rank:
            P = _complex_balls(ring.number(decomposition.P))
            middle = middle - acb_mat(P.tolist()) * _adjoint(P)
        V = _complex_balls(V)
        A = acb_mat(decomposition.family.state_matrix(ring).tolist())
        return Residual(np.array((A - acb_mat(V.tolist()) * middle * _adjoint(V)).table(), dtype=object))


def unitarity_residual(decomposition: NormalPlusLowRank, arithmetic: Balls) -> Residual:
    """The matrix V* V - I in balls."""
    _require_balls(arithmetic)
    with arithmetic.work() as ring:
        V = _complex_balls(ring.number(decomposition.V))
        product = np.array((_adjoint(V) * acb_mat(V.tolist())).table(), dtype=object)
        return Residual(product - ring.identity(decomposition.N))


def reassembly_residual(family: Family, arithmetic: Balls) -> Residual:
    """The `residual` of the certified decomposition of a family.

    Examples
    --------
    >>> from hippo_theory.arithmetic import balls
    >>> from hippo_theory.families import FouT
    >>> from hippo_theory.decompositions import reassembly_residual
    >>> reassembly_residual(FouT(5), balls(128)).contains_zero
    True
    """
    return residual(normal_plus_low_rank(family, arithmetic), arithmetic)


# --- the full system and its diagonal restriction ---------------------------------------------------------------------


@dataclass(frozen=True)
class FullSystem:
    """The system x' = A x + B u of a family; a name for it, which computes nothing until asked.

    Attributes
    ----------
    family : Family
    """

    family: Family

    def __post_init__(self) -> None:
        if self.family.form.sign != 1:
            raise InputError(
                f"the convention {self.family.convention!r} belongs to {self.family.form.equation}; "
                "take `family` in a convention that belongs to x' = A x + B u, such as the default"
            )

    @property
    def N(self) -> int:
        """State size."""
        return self.family.N

    @property
    def A(self) -> NDArray[np.float64]:
        """State matrix in float64, each entry the nearest to the truth."""
        return self.family.A

    @property
    def B(self) -> NDArray[np.float64]:
        """Input vector in float64, each entry the nearest to the truth."""
        return self.family.B

    def to_system(self) -> DenseSystem:
        """The dense system (A, B); its output is the state."""
        return DenseSystem(self.A, self.B)


@dataclass(frozen=True)
class DiagonalRestriction:
    """The system x' = S x + (B/2) u, S = A + P P^T = V Lambda V* the normal part; computes nothing until asked.

    In the coordinates of V: z' = Lambda z + (V* B/2) u, x = V z.

    Attributes
    ----------
    family : Family
    """

    family: Family

    def __post_init__(self) -> None:
        _ = self.family.normal_real_part  # raises where the convention has no normal part

    @property
    def N(self) -> int:
        """State size."""
        return self.family.N

    @property
    def stored(self) -> int:
        """How many eigenvalues a conjugate half stores, ceil(N/2): entries 0..stored-1."""
        return self.family.stored

    @cached_property
    def Lambda(self) -> NDArray[np.complex128]:
        """Eigenvalues of S, (N,), by decreasing imaginary part: real part exact, imaginary part within 2 ulp; O(N)."""
        return self.family.normal_spectrum()

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """Moduli abs(V* B), (N,), within 2 ulp; O(N)."""
        return self.family.normal_weights()

    @cached_property
    def B(self) -> NDArray[np.float64]:
        """The input vector V* B/2 = weights/2, (N,)."""
        half = self.weights / 2
        half.flags.writeable = False
        return half

    @property
    def V(self) -> NDArray[np.complex128]:
        """Eigenvectors, (N, N), each part the nearest to the truth; row n is the output x_n."""
        return normal_plus_low_rank(self.family).V

    def to_system(self) -> DiagonalSystem:
        """The diagonal system (Lambda, V* B/2) with output C = V: the original state x."""
        return DiagonalSystem(self.Lambda, self.B, self.V)

    def to_dense(self) -> DenseSystem:
        """The same system in the original coordinates, (S, B/2): real, each entry the nearest to the truth."""
        S = nearest_certified(self.family.normal_part)
        return DenseSystem(S, self.family.B / 2)


def full_system(family: Family) -> FullSystem:
    """The full system x' = A x + B u of a family.

    Raises
    ------
    InputError
        For conventions that write another equation (``hippo2020`` has -A).

    Examples
    --------
    >>> from hippo_theory.families import LegS
    >>> from hippo_theory.decompositions import full_system
    >>> full_system(LegS(10**6)).N
    1000000
    """
    return FullSystem(family)


def diagonal_restriction(family: Family) -> DiagonalRestriction:
    """The diagonal restriction x' = S x + (B/2) u, S = A + P P^T; of LegS it is S4D-LegS.

    Raises
    ------
    InputError
        If the convention's A is not normal minus low rank.

    Notes
    -----
    Source: S4D (arXiv:2206.11893). The factor 1/2 is what makes it approach the full system of LegS (weakly, as N
    grows); the code of state-spaces/s4 leaves it out.

    Examples
    --------
    >>> from hippo_theory.families import LegS
    >>> from hippo_theory.decompositions import diagonal_restriction
    >>> diagonal_restriction(LegS(2)).Lambda.round(4)
    array([-0.5+0.866j, -0.5-0.866j])
    """
    return DiagonalRestriction(family)


# --- diagonalizing A itself -------------------------------------------------------------------------------------------
#
# With T = diag((-1)^n R_n) the LegS matrix becomes -T^-1 A T = H, of integers, and H V = V diag(1, ..., N) with
# V_ij = binom(i+j, i-j), unit lower triangular: the eigenvectors of A are the columns of T V.


def rescaled_state_matrix(N: int) -> Array:
    """H = -T^-1 A T for LegS, T = diag((-1)^n sqrt(2n+1)): integers.

        H_nk = (-1)^(n-k) (2k+1) (n > k),  n+1 (n = k),  0 (n < k).

    Returns
    -------
    (N, N) ndarray of int (exact, object dtype)

    Notes
    -----
    Source: S4 (arXiv:2111.00396), lemma 3.2, with the sign inside.
    """
    N = checked_size("N", N)
    rows = [[(-1) ** (n - k) * (2 * k + 1) if n > k else (n + 1) * (n == k) for k in range(N)] for n in range(N)]
    return np.array(rows, dtype=object)


def diagonalizing_matrix(N: int) -> Array:
    """V_ij = binom(i+j, i-j): H V = V diag(1, ..., N) for the rescaled LegS matrix H = -T^-1 A T.

    Returns
    -------
    (N, N) ndarray of int (exact, object dtype)
        Unit lower triangular; row i sums to the Fibonacci number F_(2i+1).

    Notes
    -----
    Source: S4 (arXiv:2111.00396), lemma 3.2, which quotes the growth as 2^(4N/3): that is a lower bound. The largest
    entry grows like the 2N-th power of the golden ratio, 2^(1.389 N); see `diagonalizing_growth`.

    Examples
    --------
    >>> from hippo_theory.decompositions import diagonalization_residual, diagonalizing_matrix
    >>> diagonalizing_matrix(4)
    array([[1, 0, 0, 0],
           [1, 1, 0, 0],
           [1, 3, 1, 0],
           [1, 6, 5, 1]], dtype=object)
    >>> bool(diagonalization_residual(4).any())
    False
    """
    N = checked_size("N", N)
    return np.array([[math.comb(i + j, i - j) if j <= i else 0 for j in range(N)] for i in range(N)], dtype=object)


def diagonalizing_inverse(N: int) -> Array:
    """The inverse of `diagonalizing_matrix`: (-1)^(i-j) binom(2i+1, i-j) (2j+1)/(2i+1), integers.

    Returns
    -------
    (N, N) ndarray of int (exact, object dtype)

    Examples
    --------
    >>> from hippo_theory.decompositions import diagonalizing_inverse, diagonalizing_matrix
    >>> bool((diagonalizing_matrix(9) @ diagonalizing_inverse(9) == np.eye(9, dtype=int)).all())
    True
    """
    N = checked_size("N", N)
    rows = [
        [(-1) ** (i - j) * math.comb(2 * i + 1, i - j) * (2 * j + 1) // (2 * i + 1) if j <= i else 0 for j in range(N)]
        for i in range(N)
    ]
    return np.array(rows, dtype=object)


def diagonalization_residual(N: int) -> Array:
    """H V - V diag(1, ..., N), exact integers: all zero."""
    V = diagonalizing_matrix(N)
    eigenvalues = np.arange(1, N + 1).astype(object)
    residual: Array = rescaled_state_matrix(N) @ V - V * eigenvalues
    return residual


def largest_diagonalizing_entry(N: int) -> int:
    """The largest entry of `diagonalizing_matrix`, exact; it lies in the last row, at j near N/sqrt 5.

    Examples
    --------
    >>> from hippo_theory.decompositions import largest_diagonalizing_entry
    >>> largest_diagonalizing_entry(4), largest_diagonalizing_entry(32)
    (6, 1103068603890)
    """
    N = checked_size("N", N)
    # binom(i+j, 2j) grows with i; along the last row the next entry is larger by (N+j)(N-1-j)/((2j+1)(2j+2)).
    entry, j = 1, 0
    while (N + j) * (N - 1 - j) > (2 * j + 1) * (2 * j + 2):
        entry = entry * ((N + j) * (N - 1 - j)) // ((2 * j + 1) * (2 * j + 2))
        j += 1
    return entry


def diagonalizing_growth(N: int, arithmetic: Balls) -> Any:
    """Leading term of the largest entry: g^(2N-1) 5^(1/4)/(2 sqrt(pi N)), g the golden ratio, relative error O(1/N).

    Returns
    -------
    arb
        Encloses this term, not the entry.
    """
    N = checked_size("N", N)
    with arithmetic.work() as ring:
        root = ring.sqrt(ring.number(5))
        return ((1 + root) / 2) ** (2 * N - 1) * ring.sqrt(root) / (2 * ring.sqrt(ring.pi * N))


def diagonalizing_condition(N: int, arithmetic: Balls, *, norm: str = "best") -> Any:
    """Condition number of the matrix that diagonalizes LegS, from the exact integer inverse.

    Parameters
    ----------
    N : int
    arithmetic : Balls
    norm : str
        ``infinity``: norm_inf(V) norm_inf(V^-1) of the integer matrix (an exact integer, as a ball);
        ``frobenius``: the same in the Frobenius norm;
        ``best``: the least Frobenius condition number that any scaling of the eigenvectors of A itself can reach,
        sum_j norm(T v_j) norm(w_j T^-1), w_j the rows of V^-1.

    Returns
    -------
    arb
        Certified. All three grow exponentially: float64 has lost every digit near N = 24.

    Raises
    ------
    InputError
        If the norm is not one of these.

    Notes
    -----
    The least value under scalings of columns is that of the sum of the eigenvalue condition numbers
    (Smith, Numer. Math. 10, 1967).

    Examples
    --------
    >>> from hippo_theory.arithmetic import balls
    >>> from hippo_theory.decompositions import diagonalizing_condition
    >>> diagonalizing_condition(3, balls(64), norm="infinity")
    30.0000000000000
    """
    if norm not in ("infinity", "frobenius", "best"):
        raise InputError(f"`norm` must be infinity, frobenius or best, got {norm!r}")
    V, inverse = diagonalizing_matrix(N), diagonalizing_inverse(N)
    with arithmetic.work() as ring:
        if norm == "infinity":
            return ring.number(int(V.sum(axis=1).max()) * int(abs(inverse).sum(axis=1).max()))
        if norm == "frobenius":
            return ring.sqrt(ring.number(int((V * V).sum()) * int((inverse * inverse).sum())))
        total = arb(0)
        for j in range(N):
            column = sum((2 * i + 1) * int(V[i, j]) ** 2 for i in range(j, N))
            row = sum((fmpq(int(inverse[j, i]) ** 2, 2 * i + 1) for i in range(j + 1)), fmpq(0))
            total += ring.sqrt(ring.number(column * row))
        return total
