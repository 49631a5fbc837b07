"""State space systems as frozen values, and what any of them allows: transfer function, change of basis, halves.

A system is x' = A x + B u, y = C x with one input; ``discrete=True`` means x_l = A x_(l-1) + B u_l instead. C = None
leaves the output open: the state itself is meant. Arrays are float64 or complex128; they may also hold balls (object
arrays), which are carried along, but the functions of this room compute in float64.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flint import acb
from numpy.typing import NDArray

from hippo_theory.arithmetic import balls
from hippo_theory.errors import InputError

__all__ = [
    "DenseSystem",
    "DiagonalPlusLowRankSystem",
    "DiagonalSystem",
    "HalfSystem",
    "System",
    "change_of_basis",
    "conjugate_full",
    "conjugate_half",
    "real_form",
    "to_dense",
    "transfer_function",
]

Array = NDArray[Any]

# Two numbers count as conjugate when they differ from it by at most this times the largest entry of their array, times
# the float64 epsilon: more than the errors of a backward stable eigensolver in the sizes where one is used.
_CONJUGATE_TOLERANCE = 64


def _checked(name: str, value: Any, *shape: int | None) -> Array:
    """A read-only copy as float64, complex128 or object, if it has that shape (None: any length)."""
    array = np.array(value)
    if array.dtype.kind in "biuf":
        array = array.astype(np.float64)
    elif array.dtype.kind == "c":
        array = array.astype(np.complex128)
    elif array.dtype.kind != "O":
        raise InputError(f"`{name}` must hold numbers, got dtype {array.dtype}; give float64, complex128 or balls")
    if array.ndim != len(shape) or any(want not in (None, got) for want, got in zip(shape, array.shape, strict=True)):
        wanted = " x ".join("any" if length is None else str(length) for length in shape)
        raise InputError(f"`{name}` must have the shape {wanted}, got {array.shape}; reshape it (C[None, :])")
    if array.dtype.kind != "O" and not np.isfinite(array).all():
        raise InputError(f"`{name}` holds NaN or infinity; give finite numbers")
    array.flags.writeable = False
    return array


def _set(system: Any, **arrays: Array | None) -> None:
    for name, array in arrays.items():
        object.__setattr__(system, name, array)


@dataclass(frozen=True, eq=False)
class DenseSystem:
    """x' = A x + B u, y = C x with a dense A.

    Attributes
    ----------
    A : (N, N) ndarray of float64 or complex128
    B : (N,) ndarray
    C : (K, N) ndarray or None
        None: the state itself is the output.
    discrete : bool
        Whether the equation is x_l = A x_(l-1) + B u_l.

    Raises
    ------
    InputError
        If the shapes do not fit or a number is not finite.

    Examples
    --------
    >>> from hippo_theory.systems import DenseSystem
    >>> DenseSystem([[-1, 0], [-2, -3]], [1, 1]).N
    2
    """

    A: Array
    B: Array
    C: Array | None = None
    discrete: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        B = _checked("B", self.B, None)
        A = _checked("A", self.A, len(B), len(B))
        _set(self, A=A, B=B, C=None if self.C is None else _checked("C", self.C, None, len(B)))

    @property
    def N(self) -> int:
        """State size."""
        return len(self.B)


@dataclass(frozen=True, eq=False)
class DiagonalSystem:
    """x' = diag(Lambda) x + B u, y = C x.

    Attributes
    ----------
    Lambda, B : (N,) ndarray
    C : (K, N) ndarray or None
    discrete : bool

    Examples
    --------
    >>> from hippo_theory.systems import DiagonalSystem, transfer_function
    >>> transfer_function(DiagonalSystem([-1, -2], [1, 1], [[1, 1]]), 0).real
    array([1.5])
    """

    Lambda: Array
    B: Array
    C: Array | None = None
    discrete: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        Lambda = _checked("Lambda", self.Lambda, None)
        B = _checked("B", self.B, len(Lambda))
        _set(self, Lambda=Lambda, B=B, C=None if self.C is None else _checked("C", self.C, None, len(Lambda)))

    @property
    def N(self) -> int:
        """State size."""
        return len(self.Lambda)


@dataclass(frozen=True, eq=False)
class DiagonalPlusLowRankSystem:
    """x' = (diag(Lambda) - P Q*) x + B u, y = C x: the form of S4 (arXiv:2111.00396).

    Attributes
    ----------
    Lambda : (N,) ndarray
    P : (N, r) ndarray
        r columns, r >= 0.
    B : (N,) ndarray
    C : (K, N) ndarray or None
    Q : (N, r) ndarray
        Q = P unless given.
    discrete : bool

    Examples
    --------
    >>> from hippo_theory.systems import DiagonalPlusLowRankSystem, to_dense
    >>> to_dense(DiagonalPlusLowRankSystem([-1, -2], [[1], [1]], [1, 0])).A.real
    array([[-2., -1.],
           [-1., -3.]])
    """

    Lambda: Array
    P: Array
    B: Array
    C: Array | None = None
    Q: Array = None  # type: ignore[assignment]  # replaced by P
    discrete: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        Lambda = _checked("Lambda", self.Lambda, None)
        P = _checked("P", self.P, len(Lambda), None)
        Q = P if self.Q is None else _checked("Q", self.Q, *P.shape)
        B = _checked("B", self.B, len(Lambda))
        _set(self, Lambda=Lambda, P=P, Q=Q, B=B, C=None if self.C is None else _checked("C", self.C, None, len(Lambda)))

    @property
    def N(self) -> int:
        """State size."""
        return len(self.Lambda)

    @property
    def rank(self) -> int:
        """Number of columns of P."""
        return int(self.P.shape[1])


@dataclass(frozen=True, eq=False)
class HalfSystem:
    """A real system in complex coordinates, each conjugate pair of states stored once and each real state as it is.

        K(t) = Re sum_j m_j C_j B_j e^(Lambda_j t)   (where there is no low-rank term),

    m_j = 2 for a stored member of a pair, 1 for a real eigenvalue. Every sum over the full state is such a sum.

    Attributes
    ----------
    Lambda, B : (stored,) ndarray
    C : (K, stored) ndarray or None
    multiplicity : (stored,) ndarray of int64
    P, Q : (stored, r) ndarray or None
        The low-rank term; None for a diagonal system.
    discrete : bool

    Raises
    ------
    InputError
        If shapes do not fit, or a multiplicity is not 1 or 2, or is 1 in a state where Lambda, B, C, P or Q
        is not real to 64 eps times the largest modulus of that array.

    Examples
    --------
    >>> from hippo_theory.systems import HalfSystem
    >>> HalfSystem([-0.5 + 3j, -0.5], [1, 1], multiplicity=[2, 1]).N
    3
    """

    Lambda: Array
    B: Array
    C: Array | None = None
    multiplicity: Array = field(kw_only=True)
    P: Array | None = field(default=None, kw_only=True)
    Q: Array | None = field(default=None, kw_only=True)
    discrete: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        Lambda = _checked("Lambda", self.Lambda, None)
        B = _checked("B", self.B, len(Lambda))
        C = None if self.C is None else _checked("C", self.C, None, len(Lambda))
        P = None if self.P is None else _checked("P", self.P, len(Lambda), None)
        if P is None and self.Q is not None:
            raise InputError("`Q` is given without `P`; give both or neither")
        Q = None if P is None else P if self.Q is None else _checked("Q", self.Q, *P.shape)
        multiplicity = _checked("multiplicity", self.multiplicity, len(Lambda))
        if not np.isin(multiplicity, (1, 2)).all():
            raise InputError("`multiplicity` must be 2 (a stored member of a conjugate pair) or 1 (a real state)")
        multiplicity = multiplicity.astype(np.int64)
        multiplicity.flags.writeable = False
        _set(self, Lambda=Lambda, B=B, C=C, P=P, Q=Q, multiplicity=multiplicity)
        real = multiplicity == 1
        rows = {"Lambda": Lambda, "B": B, "C": None if C is None else C.T, "P": P, "Q": Q}
        for name, array in rows.items():
            values = np.zeros(0, dtype=np.complex128) if array is None else _values(array)
            if values.size and np.abs(values[real].imag).max(initial=0.0) > _tolerance(values):
                raise InputError(f"`{name}` is not real in a state of multiplicity 1; only pairs (2) are complex")

    @property
    def stored(self) -> int:
        """How many eigenvalues are stored."""
        return len(self.Lambda)

    @property
    def N(self) -> int:
        """Full real state size: the sum of the multiplicities."""
        return int(self.multiplicity.sum())


System = DenseSystem | DiagonalSystem | DiagonalPlusLowRankSystem | HalfSystem


def _values(array: Array) -> NDArray[np.complex128]:
    """The numbers as complex128; of balls, the midpoints."""
    if array.dtype.kind == "O":
        middles = [complex(acb(element).mid()) for element in array.ravel()]
        return np.array(middles, dtype=np.complex128).reshape(array.shape)
    return array.astype(np.complex128)


def _tolerance(values: NDArray[np.complex128]) -> float:
    """The tolerance c x scale x eps: c = 64, scale the largest modulus."""
    return float(_CONJUGATE_TOLERANCE * np.finfo(np.float64).eps * np.abs(values).max(initial=0.0))


def _require_float(system: System) -> None:
    arrays = [value for value in vars(system).values() if isinstance(value, np.ndarray)]
    if any(array.dtype.kind == "O" for array in arrays):
        raise InputError("`system` holds balls and this function computes in float64; round it with arithmetic.nearest")


# --- other forms of the same system -----------------------------------------------------------------------------------


def to_dense(system: System) -> DenseSystem:
    """The same system with its matrix written out: A = diag(Lambda) - P Q*.

    Parameters
    ----------
    system : System
        A half is completed first; see `real_form` for real matrices.

    Returns
    -------
    DenseSystem
        Each entry of A carries the rounding of one inner product of length r.
    """
    _require_float(system)
    if isinstance(system, DenseSystem):
        return system
    if isinstance(system, HalfSystem):
        return to_dense(conjugate_full(system))
    A = np.diag(system.Lambda)
    if isinstance(system, DiagonalPlusLowRankSystem):
        A = A - system.P @ system.Q.conj().T
    return DenseSystem(A, system.B, system.C, discrete=system.discrete)


def change_of_basis(system: System, V: Any) -> DenseSystem:
    """The system in the coordinates z, x = V z: (V^-1 A V, V^-1 B, C V), the same map from u to y.

    Parameters
    ----------
    system : System
        Where C is None, C = I: the output stays the old state x = V z.
    V : (N, N) array
        Invertible; its columns are the new basis vectors.

    Returns
    -------
    DenseSystem
        Solved with LU: backward stable, error proportional to the condition number of V.

    Raises
    ------
    InputError
        If V is singular or of another shape.

    Notes
    -----
    Source: S4 (arXiv:2111.00396), lemma on conjugation.

    Examples
    --------
    >>> from hippo_theory.systems import DenseSystem, change_of_basis
    >>> change_of_basis(DenseSystem([[-1, 0], [0, -2]], [1, 1]), [[0, 1], [1, 0]]).A
    array([[-2.,  0.],
           [ 0., -1.]])
    """
    dense = to_dense(system)
    V = _checked("V", V, dense.N, dense.N)
    try:
        A = np.linalg.solve(V, dense.A @ V)
        B = np.linalg.solve(V, dense.B)
    except np.linalg.LinAlgError as error:
        raise InputError("`V` is singular; its columns must be linearly independent") from error
    return DenseSystem(A, B, V if dense.C is None else dense.C @ V, discrete=dense.discrete)


def transfer_function(system: System, s: Any) -> NDArray[np.complex128]:
    """G(s) = C (s I - A)^-1 B in float64, at points s that are not poles.

    Parameters
    ----------
    system : System
        With C = None the N components of (s I - A)^-1 B are returned. For discrete systems s is z, and
        G(z) = C (z I - A)^-1 B.
    s : complex number or array of them

    Returns
    -------
    ndarray of complex128, shape ``s.shape + (K,)``

    Raises
    ------
    InputError
        If s is a pole in float64.

    Notes
    -----
    Dense: one LU a point, O(N^3). Diagonal: O(N). Diagonal plus low rank: Woodbury's formula, O(N r^2 + r^3), with the
    r eigenvalues nearest to s kept out of it: with D = s - Lambda, y = Q* x and J those r indices,

        (I + Q* D^-1 P)_(not J) y - Q_J* x_J = (Q* D^-1 B)_(not J),      P_J y + D_J x_J = B_J,

    so that s may be, or be near, an eigenvalue of the diagonal part, where the plain formula cancels.

    Examples
    --------
    >>> from hippo_theory.families import LegS
    >>> from hippo_theory.systems import DenseSystem, transfer_function
    >>> legs = LegS(4)
    >>> transfer_function(DenseSystem(legs.A, legs.B), 1).round(12).real
    array([0.5       , 0.28867513, 0.        , 0.        ])
    """
    _require_float(system)
    points = np.asarray(s, dtype=np.complex128)
    flat = points.ravel()
    if isinstance(system, HalfSystem):
        system = conjugate_full(system)
    try:
        if isinstance(system, DenseSystem):
            identity = np.eye(system.N)
            states = np.array([np.linalg.solve(point * identity - system.A, system.B) for point in flat])
        else:
            P, Q = _low_rank(system)
            states = _woodbury(system.Lambda, P, Q, system.B, flat)
    except (np.linalg.LinAlgError, ZeroDivisionError) as error:
        raise InputError("`s` is a pole of the transfer function; move the point") from error
    states = states.reshape(len(flat), system.N)
    values = states if system.C is None else states @ system.C.T
    return values.reshape(*points.shape, values.shape[-1]).astype(np.complex128)


def _low_rank(system: DiagonalSystem | DiagonalPlusLowRankSystem) -> tuple[Array, Array]:
    """P and Q; without columns for a diagonal system."""
    if isinstance(system, DiagonalPlusLowRankSystem):
        return system.P, system.Q
    none = np.zeros((system.N, 0))
    return none, none


def _woodbury(Lambda: Array, P: Array, Q: Array, B: Array, s: Array) -> Array:
    """Solve (s - Lambda + P Q*) x = B for each s: (len(s), N); see `transfer_function`."""
    difference = s[:, None] - Lambda
    rank = P.shape[1]
    near = np.argsort(np.abs(difference), axis=1)[:, : min(rank, len(Lambda))]
    inverse = np.zeros_like(difference)
    far = np.ones(difference.shape, dtype=bool)
    np.put_along_axis(far, near, False, axis=1)
    if (far & (difference == 0)).any():
        raise ZeroDivisionError  # an eigenvalue of multiplicity above the rank: a true pole
    np.divide(1, difference, out=inverse, where=far)
    if rank == 0:
        return inverse * B
    adjoint = Q.conj()
    size = rank + near.shape[1]
    matrix = np.zeros((len(s), size, size), dtype=np.complex128)
    matrix[:, :rank, :rank] = np.eye(rank) + (inverse[:, None, :] * adjoint.T) @ P
    matrix[:, :rank, rank:] = -np.swapaxes(adjoint[near], 1, 2)
    matrix[:, rank:, :rank] = P[near]
    diagonal = np.arange(rank, size)
    matrix[:, diagonal, diagonal] = np.take_along_axis(difference, near, axis=1)
    right = np.concatenate([(inverse * B) @ adjoint, B[near]], axis=1)
    solution = np.linalg.solve(matrix, right[:, :, None])[:, :, 0]
    states: Array = inverse * (B - solution[:, :rank] @ P.T)
    np.put_along_axis(states, near, solution[:, rank:], axis=1)
    return states


# --- conjugate halves -------------------------------------------------------------------------------------------------


def _conjugate(array: Array) -> Array:
    if array.dtype.kind == "O":
        # python-flint rounds even a conjugate to the precision in force: let that be at least what the balls carry.
        bits = max([element.bits() for element in array.ravel() if isinstance(element, acb)], default=2)
        with balls(max(bits, 2)).work() as ring:
            return np.asarray(ring.conjugate(array))
    return array.conj() + 0.0  # no negative zeros


def _rows(system: DiagonalSystem | DiagonalPlusLowRankSystem) -> list[Array]:
    """What belongs to each state besides its eigenvalue: rows of B, C^T, P, Q."""
    return [system.B[:, None], *([] if system.C is None else [system.C.T]), *_low_rank(system)]


def conjugate_half(system: DiagonalSystem | DiagonalPlusLowRankSystem) -> HalfSystem:
    """Store each conjugate pair of states once and each real state as it is; none is dropped, be N odd or even.

    Parameters
    ----------
    system : DiagonalSystem or DiagonalPlusLowRankSystem
        Real in suitable coordinates: its states come in pairs with conjugate (Lambda, B, C, P, Q), or are themselves
        real in all of these. C = None is left open.

    Returns
    -------
    HalfSystem
        The real states and, of each pair, the state with the larger imaginary part, in the order of `system`.

    Raises
    ------
    InputError
        If some state has no conjugate partner: entries must agree to c x scale x eps, c = 64, scale the largest
        modulus in their array.

    Examples
    --------
    >>> from hippo_theory.systems import DiagonalSystem, conjugate_half
    >>> half = conjugate_half(DiagonalSystem([-0.5 + 3j, -0.5, -0.5 - 3j], [1 + 1j, 2, 1 - 1j]))
    >>> half.Lambda, half.multiplicity
    (array([-0.5+3.j, -0.5+0.j]), array([2, 1]))
    """
    eigenvalues = _values(system.Lambda)
    from scipy.spatial import cKDTree  # half a second: only when it is needed

    tolerance = _tolerance(eigenvalues)
    fields = [_values(rows) for rows in _rows(system)]
    scaled = np.concatenate([values / (_tolerance(values) or 1.0) for values in fields], axis=1)
    multiplicity = np.zeros(system.N, dtype=np.int64)
    own = (2 * np.abs(eigenvalues.imag) <= tolerance) & (2 * np.abs(scaled.imag) <= 1).all(axis=1)
    multiplicity[own] = 1
    open_states = np.flatnonzero(~own)
    plane = np.stack([eigenvalues.real, eigenvalues.imag], axis=1)
    tree = cKDTree(plane)
    used = own.copy()
    for index in open_states[np.argsort(-eigenvalues.imag[open_states], kind="stable")]:
        if used[index]:
            continue
        used[index] = True
        mirrored = plane[index] * (1, -1)
        candidates = [other for other in tree.query_ball_point(mirrored, tolerance) if not used[other]]
        partners = [other for other in candidates if (np.abs(scaled[other] - scaled[index].conj()) <= 1).all()]
        if not partners:
            raise InputError(
                f"state {index} of `system` (eigenvalue {eigenvalues[index]}) has no conjugate partner to "
                f"{_CONJUGATE_TOLERANCE} eps; a half exists only for a system that is real in suitable coordinates"
            )
        nearest_partner = min(partners, key=lambda other: abs(eigenvalues[other] - eigenvalues[index].conjugate()))
        used[nearest_partner] = True
        multiplicity[index] = 2
    kept = np.flatnonzero(multiplicity)
    P, Q = _low_rank(system)
    is_diagonal = isinstance(system, DiagonalSystem)
    return HalfSystem(
        system.Lambda[kept],
        system.B[kept],
        None if system.C is None else system.C[:, kept],
        multiplicity=multiplicity[kept],
        P=None if is_diagonal else P[kept],
        Q=None if is_diagonal else Q[kept],
        discrete=system.discrete,
    )


def conjugate_full(half: HalfSystem) -> DiagonalSystem | DiagonalPlusLowRankSystem:
    """All N states: the stored ones and the conjugates of those with multiplicity 2.

    Returns
    -------
    DiagonalSystem or DiagonalPlusLowRankSystem
        By decreasing imaginary part, then decreasing real part of the eigenvalue. Exact: nothing is rounded.

    Examples
    --------
    >>> from hippo_theory.systems import HalfSystem, conjugate_full
    >>> conjugate_full(HalfSystem([-0.5 + 3j, -0.5], [1, 1], multiplicity=[2, 1])).Lambda
    array([-0.5+3.j, -0.5+0.j, -0.5-3.j])
    """
    pairs = half.multiplicity == 2

    def completed(array: Array) -> Array:
        return np.concatenate([array, _conjugate(array[pairs])])

    Lambda = completed(half.Lambda)
    values = _values(Lambda)
    order = np.lexsort((-values.real, -values.imag))
    B = completed(half.B)[order]
    C = None if half.C is None else completed(half.C.T)[order].T
    if half.P is None or half.Q is None:
        return DiagonalSystem(Lambda[order], B, C, discrete=half.discrete)
    P, Q = completed(half.P)[order], completed(half.Q)[order]
    return DiagonalPlusLowRankSystem(Lambda[order], P, B, C, Q, discrete=half.discrete)


def real_form(half: HalfSystem) -> DenseSystem:
    """The same system with real matrices of size N: a pair becomes its real and imaginary part.

        (x, y)' = [[a, -w], [w, a]] (x, y) + (Re B, Im B) u   for Lambda = a + i w,   output 2 (Re C x - Im C y),

    and the low-rank term -P Q^T with rows (Re P, Im P) and 2 (Re Q, Im Q).

    Returns
    -------
    DenseSystem
        float64. C = None stays open. Exact but for the rounding of P Q^T.

    Examples
    --------
    >>> from hippo_theory.systems import HalfSystem, real_form
    >>> real_form(HalfSystem([-0.5 + 3j], [1], multiplicity=[2])).A
    array([[-0.5, -3. ],
           [ 3. , -0.5]])
    """
    _require_float(half)
    starts = np.cumsum(half.multiplicity) - half.multiplicity
    pairs = half.multiplicity == 2
    first, second = starts, starts[pairs] + 1

    def stacked(array: Array, sign: int) -> Array:
        """Rows (Re, sign Im)."""
        values = array.astype(np.complex128)
        result = np.zeros((half.N, *array.shape[1:]))
        result[first], result[second] = values.real, sign * values[pairs].imag
        return result

    weight = np.repeat(half.multiplicity, half.multiplicity).astype(np.float64)[:, None]
    A = np.zeros((half.N, half.N))
    Lambda = half.Lambda.astype(np.complex128)
    A[first, first], A[second, second] = Lambda.real, Lambda[pairs].real
    A[second, first[pairs]], A[first[pairs], second] = Lambda[pairs].imag, -Lambda[pairs].imag
    if half.P is not None and half.Q is not None:
        A = A - stacked(half.P, 1) @ (weight * stacked(half.Q, 1)).T
    C = None if half.C is None else (weight * stacked(half.C.T, -1)).T
    return DenseSystem(A, stacked(half.B, 1), C, discrete=half.discrete)
