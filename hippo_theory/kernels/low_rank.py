"""The bilinear recurrence of a diagonal plus low rank system, x' = (diag(Lambda) - P Q*) x + B u, in O(N) a step."""

from __future__ import annotations

from typing import Any

from hippo_theory.errors import InputError
from hippo_theory.kernels.arrays import (
    AnyArray,
    ArrayKind,
    checked_arrays,
    checked_shape,
    checked_time_step,
    one_or_many_outputs,
)

__all__ = ["bilinear_low_rank", "checked_low_rank", "checked_step", "low_rank_recurrence"]


def bilinear_low_rank(
    Lambda: AnyArray, P: AnyArray, Q: AnyArray, B: AnyArray, dt: Any, *, check_values: bool = True
) -> tuple[AnyArray, AnyArray]:
    """The dense bilinear Abar and Bbar of A = diag(Lambda) - P Q*:  Abar = A1 A0, Bbar = 2 A1 B,

        A0 = (2/dt) I + A,   A1 = ((2/dt) I - A)^-1 = D - D P (I + Q* D P)^-1 Q* D,   D = (2/dt - Lambda)^-1.

    Parameters
    ----------
    Lambda, B : (N,) array
    P, Q : (N, r) array
    dt : float or () array
    check_values : bool

    Returns
    -------
    Abar : (N, N) array
    Bbar : (N,) array

    Raises
    ------
    InputError
        Shapes, dt <= 0, NaN, mixed libraries or devices.

    Notes
    -----
    O(r N^2) operations; error about (10 + N) eps |Abar| entry by entry where the inner matrix is well conditioned (P = Q).
    Source: S4 (arXiv:2111.00396), Theorem 2.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import bilinear_low_rank
    >>> bilinear_low_rank(np.array([-1.0]), np.array([[1.0]]), np.array([[1.0]]), np.array([1.0]), 1.0)
    (array([[0.]]), array([0.5]))
    """
    kind, (Lambda, P, Q, B) = checked_arrays(check_values, Lambda=Lambda, P=P, Q=Q, B=B)
    N, _, _ = checked_low_rank(Lambda, P, Q, B, B)
    step = _low_rank_step(kind, Lambda, P, Q, B, dt, check_values)
    return step.advance(kind.xp.eye(N, dtype=step.dtype, device=kind.device)), step.Bbar[:, 0]


def low_rank_recurrence(
    Lambda: AnyArray,
    P: AnyArray,
    Q: AnyArray,
    B: AnyArray,
    C: AnyArray,
    dt: Any,
    u: AnyArray,
    *,
    check_values: bool = True,
) -> AnyArray:
    """The outputs of the bilinear system x_l = Abar x_(l-1) + Bbar u_l, y_l = C x_l in O(N r) a step: no matrix formed.

    Parameters
    ----------
    Lambda, B : (N,) array
    P, Q : (N, r) array
    C : (N,) or (K, N) array
    dt : float or () array
    u : (L,) array
    check_values : bool

    Returns
    -------
    (L,) or (K, L) array

    Raises
    ------
    InputError
        Shapes, dt <= 0, L = 0, NaN, mixed libraries or devices.

    Notes
    -----
    Abar and Bbar as in `bilinear_low_rank`; O((r + K) N L) operations, memory O(N r + L). Error as `recurrence`.
    Source: S4 (arXiv:2111.00396), Theorem 2.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import low_rank_recurrence
    >>> one = np.ones(1)
    >>> low_rank_recurrence(-one, one[:, None], one[:, None], one, one, 1.0, np.array([1.0, 2.0]))
    array([0.5, 1. ])
    """
    kind, (Lambda, P, Q, B, C, u) = checked_arrays(check_values, Lambda=Lambda, P=P, Q=Q, B=B, C=C, u=u)
    _, _, outputs = checked_low_rank(Lambda, P, Q, B, C)
    checked_shape("u", u, None)
    step = _low_rank_step(kind, Lambda, P, Q, B, dt, check_values)
    xp = kind.xp
    rows, inputs = xp.astype(C, step.dtype, copy=False), xp.astype(u, step.dtype, copy=False)
    state = step.Bbar * inputs[0]
    values = [xp.sum(rows * state[:, 0], axis=-1)]
    for lag in range(1, inputs.shape[0]):
        state = step.advance(state) + step.Bbar * inputs[lag]
        values.append(xp.sum(rows * state[:, 0], axis=-1))
    return xp.stack(values, axis=len(outputs))


# --- the parts ----------------------------------------------------------------------------------------------------------


def checked_low_rank(
    Lambda: AnyArray, P: AnyArray, Q: AnyArray, B: AnyArray, C: AnyArray
) -> tuple[int, int, tuple[int, ...]]:
    """N, r and the shape of the outputs, once the shapes fit; r may be 0."""
    checked_shape("Lambda", Lambda, None)
    N = int(Lambda.shape[0])
    checked_shape("B", B, N)
    if P.ndim != 2 or P.shape[0] != N:
        raise InputError(f"`P` must have the shape ({N}, r), got {tuple(P.shape)}; reshape it (P[:, None])")
    checked_shape("Q", Q, N, int(P.shape[1]))
    return N, int(P.shape[1]), one_or_many_outputs(C, N)


def checked_step(kind: ArrayKind, dt: Any, check_values: bool) -> AnyArray:
    """dt as an array of shape ()."""
    step = checked_time_step(kind, dt, check_values)
    if step.ndim:
        raise InputError("`dt` must be one number here; call once for each step")
    if check_values and bool(step < 4 * kind.xp.finfo(kind.real).smallest_normal):  # 2/dt would overflow
        raise InputError(f"`dt` = {dt} is too small for the precision of the arrays; take float64 or a larger step")
    return step


def _low_rank_step(
    kind: ArrayKind, Lambda: AnyArray, P: AnyArray, Q: AnyArray, B: AnyArray, dt: Any, check_values: bool
) -> _LowRankStep:
    """The step, refused where the bilinear rule has none."""
    h = checked_step(kind, dt, check_values)
    if check_values and bool(kind.xp.any(2 / h == Lambda)):
        raise InputError("`Lambda` holds 2/dt, where the bilinear rule has no value; take another `dt`")
    step = _LowRankStep(kind, Lambda, P, Q, B, h)
    if check_values and not bool(kind.xp.all(kind.xp.isfinite(step.Bbar))):
        raise InputError("I - dt A / 2 is singular: an eigenvalue of A is 2/dt; take another `dt`")
    return step


class _LowRankStep:
    """What one bilinear step needs, computed once; states are columns (N, any)."""

    def __init__(self, kind: ArrayKind, Lambda: AnyArray, P: AnyArray, Q: AnyArray, B: AnyArray, dt: AnyArray) -> None:
        xp = self.xp = kind.xp
        self.dtype = kind.complex if kind.is_complex else kind.real
        Lambda, P, Q, B = (xp.astype(array, self.dtype, copy=False) for array in (Lambda, P, Q, B))
        self.P, self.adjoint_Q = P, xp.matrix_transpose(kind.conjugate(Q))
        self.plus, self.D = (2 / dt + Lambda)[:, None], (1 / (2 / dt - Lambda))[:, None]
        rank = int(P.shape[1])
        inner = xp.eye(rank, dtype=self.dtype, device=kind.device) + xp.matmul(self.adjoint_Q, self.D * P)
        correction = xp.matrix_transpose(xp.linalg.solve(xp.matrix_transpose(inner), xp.matrix_transpose(self.D * P)))
        self.correction = correction if rank else self.D * P
        self.Bbar = self.solve(2 * B[:, None])

    def solve(self, x: AnyArray) -> AnyArray:
        """A1 x."""
        scaled = self.D * x
        return scaled - self.xp.matmul(self.correction, self.xp.matmul(self.adjoint_Q, scaled))

    def advance(self, x: AnyArray) -> AnyArray:
        """A1 A0 x."""
        return self.solve(self.plus * x - self.xp.matmul(self.P, self.xp.matmul(self.adjoint_Q, x)))
