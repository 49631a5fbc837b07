"""One step of the time-varying LegS, c' = (1/t)(A c + B f), in O(N): the generalized bilinear rule.

The stable A of LegS (negative diagonal) is -D (T + diag(-n/(2n+1))) D with D = diag(sqrt(2n+1)) and T the lower
triangle of ones, so that A c is a running sum, and (I - s A) x = r a scalar recurrence of the running sum of D x,

    S_(n+1) = (1 - s n)/(1 + s (n+1)) S_n + sqrt(2n+1) r_n/(1 + s (n+1)),   x_n = (r_n - s sqrt(2n+1) S_n)/(1 + s (n+1)),

whose multipliers have modulus below 1 for every s >= 0: nothing grows, unlike quotients of running products.
"""

from __future__ import annotations

from typing import Any

from hippo_theory.errors import InputError, checked_size
from hippo_theory.kernels.arrays import AnyArray, ArrayKind, broadcast_shape, checked_arrays
from hippo_theory.kernels.scan import linear_scan

__all__ = ["legs_product", "legs_solve", "legs_step"]

# The times of the two ends of step k, in both conventions for the index.
_TIMES = {"paper": lambda k: (k, k + 1), "code": lambda k: (k, k)}


def legs_step(
    c: AnyArray,
    f: AnyArray,
    k: int,
    *,
    alpha: float = 0.5,
    convention: str = "paper",
    check_values: bool = True,
) -> AnyArray:
    """One step of HiPPO-LegS, from the coefficients c of k samples and a new sample f, by the generalized bilinear rule:

        paper:  (I - alpha A/(k+1)) c_next = (I + (1 - alpha) A/k) c + B f/k
        code:   (I - alpha A/k) c_next     = (I + (1 - alpha) A/k) c + B f/k

    with x' = A x + B u, A = -(n+1) on the diagonal. alpha: 0 forward Euler, 1/2 bilinear, 1 backward Euler.

    Parameters
    ----------
    c : (..., N) array
    f : (...) array
        One sample for each leading index.
    k : int
        Index of the step, at least 1. It does not depend on the time step.
    alpha : float
        Between 0 and 1.
    convention : str
        paper (A/k on the right, A/(k+1) on the left) or code (state-spaces/s4 and hippo-code: A/k on both sides, k = 1..L).
    check_values : bool
        Whether NaN and infinity are refused; False inside a compiler.

    Returns
    -------
    (..., N) array

    Raises
    ------
    InputError
        Shapes, k < 1, alpha outside [0, 1], an unknown convention, NaN, mixed libraries or devices.

    Notes
    -----
    O(N) operations, depth O(log N). Backward error small: the error is at most (20 + N) eps (|c| + |(1-alpha) A/k| |c| +
    |B f|/k) times |(I - alpha A/t)^-1|, norms of entrywise moduli. The conventions differ by O(1/k^2) in one step.
    Source: HiPPO (arXiv:2008.07669), Proposition 4 and Appendix B.3.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import legs_step
    >>> legs_step(np.array([1.0, 0.0]), np.array(1.0), 1).round(12)
    array([1.2       , 0.23094011])
    >>> legs_step(np.array([1.0, 0.0]), np.array(1.0), 1, convention="code").round(12) + 0.0  # a constant stays e_0
    array([1., 0.])
    """
    kind, (c, f) = checked_arrays(check_values, c=c, f=f)
    N, k = _checked_state("c", c), checked_size("k", k, 1)
    if not 0 <= alpha <= 1:
        raise InputError(f"`alpha` must lie between 0 and 1, got {alpha}; 0.5 is the bilinear rule")
    if convention not in _TIMES:
        raise InputError(f"unknown convention {convention!r}; choose one of {', '.join(_TIMES)}")
    broadcast_shape(c=c, f=f[..., None])
    now, later = _TIMES[convention](k)
    roots = _roots(kind, N)
    right = c + _product(kind, c) * ((1 - alpha) / now) + kind.converted(roots) * f[..., None] / now
    return _solved(kind, right, alpha / later)


def legs_product(x: AnyArray, *, check_values: bool = True) -> AnyArray:
    """A x for the LegS matrix, A_nk = -sqrt((2n+1)(2k+1)) (n > k), -(n+1) (n = k), in O(N): a running sum.

    Parameters
    ----------
    x : (..., N) array
    check_values : bool

    Returns
    -------
    (..., N) array

    Raises
    ------
    InputError
        Shapes, NaN.

    Notes
    -----
    Error at most (N + 4) eps |A| |x|, moduli entry by entry.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import legs_product
    >>> legs_product(np.array([1.0, 0.0])).round(12)
    array([-1.        , -1.73205081])
    """
    kind, (x,) = checked_arrays(check_values, x=x)
    _checked_state("x", x)
    return _product(kind, x)


def legs_solve(right: AnyArray, s: Any, *, check_values: bool = True) -> AnyArray:
    """The solution x of (I - s A) x = r for the LegS matrix A (stable, as in `legs_product`) and s >= 0, in O(N).

    Parameters
    ----------
    right : (..., N) array
        r.
    s : float
    check_values : bool

    Returns
    -------
    (..., N) array

    Raises
    ------
    InputError
        Shapes, s negative or not finite, NaN.

    Notes
    -----
    Error at most (N + 10) eps |(I - s A)^-1| |I - s A| |x|, moduli entry by entry; measured, it stays below a tenth of it.
    Source: HiPPO (arXiv:2008.07669), Proposition 4.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import legs_solve
    >>> legs_solve(np.array([2.0, 0.0]), 1.0).round(12)
    array([ 1.        , -0.57735027])
    """
    kind, (right,) = checked_arrays(check_values, right=right)
    _checked_state("right", right)
    if not (isinstance(s, int | float) and 0 <= s <= _LARGEST_SHIFT):
        raise InputError(
            f"`s` must be from 0 to {_LARGEST_SHIFT:g}, got {s!r}; a negative one makes the matrix singular"
        )
    return _solved(kind, right, s)


# s (n + 1) and its products stay far from the largest float32.
_LARGEST_SHIFT = 1e15


def _checked_state(name: str, x: AnyArray) -> int:
    if x.ndim == 0 or x.shape[-1] == 0:
        raise InputError(f"`{name}` must have the shape (..., N) with N >= 1, got {tuple(x.shape)}")
    return int(x.shape[-1])


def _roots(kind: ArrayKind, N: int) -> Any:
    return kind.xp.sqrt(2 * kind.indices(N) + 1)


def _product(kind: ArrayKind, x: AnyArray) -> AnyArray:
    n, roots = kind.indices(x.shape[-1]), _roots(kind, x.shape[-1])
    scaled = roots * x
    return roots * (n / (2 * n + 1) * scaled - kind.xp.cumulative_sum(scaled, axis=-1))


def _solved(kind: ArrayKind, right: AnyArray, s: float) -> AnyArray:
    xp, N = kind.xp, int(right.shape[-1])
    n, roots = kind.indices(N), _roots(kind, N)
    pivots = 1 + s * (n + 1)
    multipliers = xp.reshape((1 - s * n) / pivots, (N,) + (1,) * (right.ndim - 1))
    sums = linear_scan(multipliers, xp.moveaxis(roots / pivots * right, -1, 0), check_values=False)
    before = xp.concat([xp.zeros_like(sums[:1, ...]), sums[:-1, ...]], axis=0)
    return (right - s * roots * xp.moveaxis(before, 0, -1)) / pivots
