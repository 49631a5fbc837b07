"""Time-varying (selective) state space systems and the matrices that they realize."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hippo_theory.duality.exact_matrices import finite_numbers, fractions, regular_array
from hippo_theory.errors import InputError

__all__ = ["TimeVaryingSystem", "apply_system", "exact_system", "head_sum", "realized_matrix"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class TimeVaryingSystem:
    """h_t = A_t h_(t-1) + B_t x_t, y_t = C_t^T h_t for t = 1, ..., T with h_0 = 0.

    It realizes the lower triangular matrix M with M[t, s] = C_t^T A_t ... A_(s+1) B_s for t >= s (y = M x). A_1 meets only
    h_0 = 0 and is of no effect.

    Attributes
    ----------
    A : (T, N, N), (T, N) or (T,) ndarray
        Dense transitions, the diagonals of diagonal ones, or the factors of scalar-identity ones.
    B, C : (T, N) ndarray
        Floats, or exact numbers (object arrays of int or Fraction), which are computed with exactly. Arrays of integers are
        exact beside an object array, else become floats, up to 2^53.

    Raises
    ------
    InputError
        If the shapes do not fit or a number is not finite.

    Examples
    --------
    >>> from hippo_theory.duality import TimeVaryingSystem, realized_matrix
    >>> system = TimeVaryingSystem([1, 2, 3], [[1], [1], [1]], [[1], [1], [1]])
    >>> realized_matrix(system)
    array([[1., 0., 0.],
           [2., 1., 0.],
           [6., 3., 1.]])
    """

    A: Array
    B: Array
    C: Array

    def __post_init__(self) -> None:
        given = {
            name: np.array(regular_array(name, getattr(self, name))) for name in ("A", "B", "C")
        }  # copies: what was given stays writable
        exact = any(array.dtype.kind == "O" for array in given.values())
        for name, array in given.items():
            value = finite_numbers(name, array)
            if array.dtype.kind in "biu" and not exact:
                if any(abs(number) > 2**53 for number in value.ravel()):
                    raise InputError(
                        f"`{name}` holds integers above 2^53, which float64 would round; give an object array of int or Fraction"
                    )
                value = value.astype(np.float64)
            elif array.dtype.kind == "f":
                value = value.astype(np.float64)
            value.flags.writeable = False
            object.__setattr__(self, name, value)
        T, N = self.B.shape if self.B.ndim == 2 else (-1, -1)
        if T < 1 or N < 1 or self.C.shape != (T, N):
            raise InputError(f"`B` and `C` must have one shape (T, N), got {self.B.shape} and {self.C.shape}")
        if self.A.shape not in ((T,), (T, N), (T, N, N)):
            raise InputError(
                f"`A` must have the shape ({T},), ({T}, {N}) or ({T}, {N}, {N}) beside B of {self.B.shape}, "
                f"got {self.A.shape}"
            )

    @property
    def T(self) -> int:
        """Number of steps."""
        return len(self.B)

    @property
    def N(self) -> int:
        """State size."""
        return int(self.B.shape[1])

    @property
    def kind(self) -> Literal["scalar", "diagonal", "dense"]:
        """What its transitions are."""
        return ("scalar", "diagonal", "dense")[self.A.ndim - 1]


def exact_system(system: TimeVaryingSystem) -> TimeVaryingSystem:
    """The same system over the rationals: a float is the binary fraction that it is."""
    return TimeVaryingSystem(*(fractions(array) for array in (system.A, system.B, system.C)))


def _advance(transition: Any, state: Array) -> Array:
    """A_t applied to each column of an (N, K) state."""
    if np.ndim(transition) == 2:
        return np.asarray(transition @ state)
    return np.asarray(transition[:, None] * state if np.ndim(transition) == 1 else transition * state)


def realized_matrix(system: TimeVaryingSystem) -> Array:
    """M with M[t, s] = C_t^T A_t ... A_(s+1) B_s for t >= s and 0 above, (T, T); exact where the system is exact.

    Source: the "SSS" form of the SSD paper (arXiv:2405.21060), its definition 3.2.
    """
    T, N = system.T, system.N
    kind = np.result_type(system.A, system.B, system.C)
    M = np.zeros((T, T), dtype=kind)
    state = np.zeros((N, 0), dtype=kind)
    for t in range(T):
        state = np.concatenate([_advance(system.A[t], state), system.B[t][:, None]], axis=1)
        M[t, : t + 1] = system.C[t] @ state
    return M


def apply_system(system: TimeVaryingSystem, x: Any) -> Array:
    """Y = M X by the recurrence, O(T N) for diagonal systems; x : (T,) or (T, P), one column a channel.

    Raises
    ------
    InputError
        If the input has not T rows.
    """
    x = regular_array("x", x)
    if x.ndim not in (1, 2) or len(x) != system.T:
        raise InputError(f"`x` must have the shape ({system.T},) or ({system.T}, P), got {x.shape}")
    columns = x.reshape(system.T, -1)
    kind = np.result_type(system.A, system.B, system.C, columns)
    state = np.zeros((system.N, columns.shape[1]), dtype=kind)
    rows = np.empty(columns.shape, dtype=kind)
    for t in range(system.T):
        state = _advance(system.A[t], state) + system.B[t][:, None] * columns[t][None, :]
        rows[t] = system.C[t] @ state
    return rows.reshape(x.shape)


def head_sum(system: TimeVaryingSystem) -> list[tuple[Array, Array, Array]]:
    """A diagonal system as N masked attentions of width one: M = sum_n 1SS(a^n) * (c^n (b^n)^T), entry by entry.

    Returns
    -------
    list of (a, b, c)
        For each state n the decays a^n, and b^n (times of the input) and c^n (times of the output), each (T,).

    Raises
    ------
    InputError
        If the transitions are dense: those need not commute, and the sum does not exist in general.

    Notes
    -----
    Source: structured state-space duality (arXiv:2510.04944). Some notes print b^n (c^n)^T, which is the transpose.
    """
    if system.kind == "dense":
        raise InputError("`head_sum` needs a diagonal or scalar-identity system, got a dense one; diagonalize it first")
    decays = system.A if system.kind == "diagonal" else np.repeat(system.A[:, None], system.N, axis=1)
    return [(decays[:, n], system.B[:, n], system.C[:, n]) for n in range(system.N)]
