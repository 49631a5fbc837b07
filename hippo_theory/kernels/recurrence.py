"""The recurrence x_l = Abar x_(l-1) + Bbar u_l, y_l = C x_l as it is written, and the Krylov form of its kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hippo_theory.errors import InputError, checked_size
from hippo_theory.kernels.arrays import AnyArray, ArrayKind, checked_arrays, checked_shape, one_or_many_outputs

__all__ = ["krylov_kernel", "recurrence", "recurrence_kernel"]


def recurrence(Abar: AnyArray, Bbar: AnyArray, C: AnyArray, u: AnyArray, *, check_values: bool = True) -> AnyArray:
    """The outputs of a discrete system, step by step:

        x_l = Abar x_(l-1) + Bbar u_l,   x_(-1) = 0,   y_l = C x_l,            l = 0..L-1.

    Parameters
    ----------
    Abar : (N, N) or (N,) array
        Dense, or the diagonal of a diagonal matrix.
    Bbar : (N,) array
    C : (N,) or (K, N) array
        Taken as it is, without conjugation.
    u : (L,) array
        Input.
    check_values : bool
        Whether NaN and infinity are refused; False inside a compiler.

    Returns
    -------
    (L,) or (K, L) array

    Raises
    ------
    InputError
        Shapes, L = 0, NaN, mixed libraries or devices.

    Notes
    -----
    L steps one after the other, 2 N^2 operations each (diagonal 2 N); memory O(N^2 + L). Error at most (N + 2) eps
    sum_(j<=l) (l - j + 1) |C| |Abar|^(l-j) |Bbar| |u_j|, moduli taken entry by entry: l eps when nothing grows.
    Source: S4 (arXiv:2111.00396), eq. (3).

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import recurrence
    >>> recurrence(np.array([0.5]), np.array([1.0]), np.array([1.0]), np.array([1.0, 0.0, 2.0]))
    array([1.  , 0.5 , 2.25])
    """
    kind, (Abar, Bbar, C, u) = checked_arrays(check_values, Abar=Abar, Bbar=Bbar, C=C, u=u)
    outputs, step = _checked_system(kind, Abar, Bbar, C)
    checked_shape("u", u, None)
    xp = kind.xp
    dtype = kind.complex if kind.is_complex else kind.real
    Bbar, C = xp.astype(Bbar, dtype, copy=False), xp.astype(C, dtype, copy=False)
    inputs = xp.astype(u, dtype, copy=False)
    state = Bbar * inputs[0]
    values = [_observed(xp, C, state)]
    for lag in range(1, inputs.shape[0]):
        state = step(state) + Bbar * inputs[lag]
        values.append(_observed(xp, C, state))
    return xp.stack(values, axis=len(outputs))


def recurrence_kernel(Abar: AnyArray, Bbar: AnyArray, C: AnyArray, L: int, *, check_values: bool = True) -> AnyArray:
    """The kernel K_l = C Abar^l Bbar, l = 0..L-1, as the response of the recurrence to u = (1, 0, 0, ...).

    Parameters
    ----------
    Abar : (N, N) or (N,) array
    Bbar : (N,) array
    C : (N,) or (K, N) array
    L : int
    check_values : bool

    Returns
    -------
    (L,) or (K, L) array

    Raises
    ------
    InputError
        Shapes, L = 0, NaN, mixed libraries or devices.

    Notes
    -----
    Cost and memory as `recurrence`; error at most (N + 2) (l + 1) eps |C| |Abar|^l |Bbar|, moduli entry by entry.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import recurrence_kernel
    >>> recurrence_kernel(np.array([[0.5, 1.0], [0.0, 0.5]]), np.array([0.0, 1.0]), np.array([1.0, 0.0]), 4)
    array([0.  , 1.  , 1.  , 0.75])
    """
    L = checked_size("L", L, 1)
    kind, (Abar, Bbar, C) = checked_arrays(check_values, Abar=Abar, Bbar=Bbar, C=C)
    impulse = kind.xp.astype(kind.indices(L) == 0, kind.real)
    return recurrence(Abar, Bbar, C, impulse, check_values=False)


def krylov_kernel(Abar: AnyArray, Bbar: AnyArray, C: AnyArray, L: int, *, check_values: bool = True) -> AnyArray:
    """The kernel K_l = C Abar^l Bbar, l = 0..L-1, of a dense system from powers of Abar.

    With l = j m + i and m about sqrt(L), the columns Abar^i Bbar and the rows C Abar^(j m) are filled by doubling
    (Abar^2, Abar^4, ... by squaring), and their matrix product is the kernel.

    Parameters
    ----------
    Abar : (N, N) array
    Bbar : (N,) array
    C : (N,) or (K, N) array
    L : int
    check_values : bool

    Returns
    -------
    (L,) or (K, L) array

    Raises
    ------
    InputError
        Shapes, L = 0, NaN, mixed libraries or devices.

    Notes
    -----
    Cost 2 N^3 log2 L + 2 N^2 (m + K L/m) + 2 N K L operations, all in matrix products; memory O(N^2 + N sqrt(L) + L).
    Error at most 2 (l + 1) N eps |C|_2 |Bbar|_2 where |Abar|_2 <= 1; for a nonnormal Abar times the largest
    product |Abar^i|_2 |Abar^j|_2, i + j <= l, which can be far above 1.
    Source: S4 (arXiv:2111.00396), eq. (5); the columns are a Krylov sequence.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import krylov_kernel
    >>> krylov_kernel(np.array([[0.5, 1.0], [0.0, 0.5]]), np.array([0.0, 1.0]), np.array([1.0, 0.0]), 4)
    array([0.  , 1.  , 1.  , 0.75])
    """
    kind, (Abar, Bbar, C) = checked_arrays(check_values, Abar=Abar, Bbar=Bbar, C=C)
    L = checked_size("L", L, 1)
    if Abar.ndim != 2:
        raise InputError(f"`Abar` must be a matrix, got {tuple(Abar.shape)}; use `vandermonde_kernel` for a diagonal")
    outputs, _ = _checked_system(kind, Abar, Bbar, C)
    xp, N = kind.xp, Bbar.shape[0]
    dtype = kind.complex if kind.is_complex else kind.real
    power, Bbar, C = (xp.astype(array, dtype, copy=False) for array in (Abar, Bbar, C))
    small = 1 << ((L - 1).bit_length() + 1) // 2
    large = -(-L // small)
    columns = Bbar[:, None]
    while columns.shape[1] < small:
        columns = xp.concat([columns, power @ columns], axis=1)
        power = power @ power if columns.shape[1] < small or large > 1 else power
    rows = xp.reshape(C, (-1, 1, N))
    while rows.shape[1] < large:
        rows = xp.concat([rows, rows @ power], axis=1)
        power = power @ power if rows.shape[1] < large else power
    table = xp.matmul(rows[:, :large, :], columns)
    return xp.reshape(table, (*outputs, large * small))[..., :L]


def _checked_system(
    kind: ArrayKind, Abar: AnyArray, Bbar: AnyArray, C: AnyArray
) -> tuple[tuple[int, ...], Callable[[AnyArray], AnyArray]]:
    """The shape of the outputs, and the product with Abar, once the shapes fit."""
    checked_shape("Bbar", Bbar, None)
    N = int(Bbar.shape[0])
    checked_shape("Abar", Abar, *((N,) if Abar.ndim == 1 else (N, N)))
    xp = kind.xp
    matrix = kind.to_complex(Abar) if kind.is_complex else Abar
    return one_or_many_outputs(C, N), (lambda x: matrix * x) if Abar.ndim == 1 else (lambda x: xp.matmul(matrix, x))


def _observed(xp: Any, C: AnyArray, state: AnyArray) -> AnyArray:
    """C x, a scalar array for one row."""
    return xp.sum(C * state, axis=-1)
