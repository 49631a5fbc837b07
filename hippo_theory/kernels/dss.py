"""The kernels of DSS (arXiv:2203.14343, Proposition 1): with exponentials, and with the softmax over the lags."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hippo_theory.errors import InputError
from hippo_theory.kernels.arrays import (
    AnyArray,
    ArrayKind,
    checked_arrays,
    checked_lengths,
    checked_time_step,
    real_multiplicity,
)
from hippo_theory.kernels.vandermonde import exponential_sum, zero_order_hold_gain

__all__ = ["dss_exponential_kernel", "dss_softmax_input", "dss_softmax_kernel"]


def dss_exponential_kernel(
    Lambda: AnyArray,
    C: AnyArray,
    dt: Any,
    L: int,
    *,
    multiplicity: Sequence[int] | None = None,
    check_values: bool = True,
) -> AnyArray:
    """DSS-exp: the zero-order-hold kernel of (Lambda, B = 1, C),

        K_l = sum_n C_n (e^(Lambda_n dt) - 1)/Lambda_n e^(Lambda_n dt l),            l = 0..L-1.

    Parameters
    ----------
    Lambda, C : (..., N) array
    dt : float or (...) array
    L : int
    multiplicity : (N,) sequence of 1 and 2, optional
        Makes the result real.
    check_values : bool
        Whether NaN and infinity are refused; False inside a compiler.

    Returns
    -------
    (..., L) array

    Raises
    ------
    InputError
        Shapes, L = 0, dt <= 0, NaN, mixed libraries or devices.

    Notes
    -----
    Cost, memory and error as `s4d_kernel` with zoh; Lambda = 0 is its limit dt.
    Source: DSS (arXiv:2203.14343), Proposition 1(a).

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import dss_exponential_kernel
    >>> dss_exponential_kernel(np.array([-np.log(2.0)]), np.array([np.log(2.0)]), 1.0, 3)
    array([0.5  , 0.25 , 0.125])
    """
    kind, (Lambda, C) = checked_arrays(check_values, Lambda=Lambda, C=C)
    N, L = checked_lengths(L, Lambda=Lambda, C=C)
    dt = checked_time_step(kind, dt, check_values)
    x = Lambda * dt
    weights = C * zero_order_hold_gain(kind, x) * dt
    return _summed(kind, weights, x, L, multiplicity, N)


def dss_softmax_kernel(
    Lambda: AnyArray,
    C: AnyArray,
    dt: Any,
    L: int,
    *,
    multiplicity: Sequence[int] | None = None,
    check_values: bool = True,
) -> AnyArray:
    """DSS-softmax: each mode normalized to sum 1 over the L lags,

        K_l = sum_n (C_n/Lambda_n) e^(Lambda_n dt l) / sum_(k<L) e^(Lambda_n dt k),            l = 0..L-1,

    the zero-order-hold kernel of (Lambda, B, C) with B_n = 1/(e^(L Lambda_n dt) - 1), `dss_softmax_input`.

    Parameters
    ----------
    Lambda, C : (..., N) array
        Lambda of either sign of the real part, not 0.
    dt : float or (...) array
    L : int
    multiplicity : (N,) sequence of 1 and 2, optional
        Makes the result real.
    check_values : bool

    Returns
    -------
    (..., L) array

    Raises
    ------
    InputError
        Shapes, L = 0, dt <= 0, NaN, mixed libraries or devices, Lambda = 0, or a sum of a mode that vanishes to rounding:
        L Lambda_n dt a multiple of 2 pi i that Lambda_n dt is not.

    Notes
    -----
    Nothing overflows: where Re Lambda > 0 both sums are taken from the last lag, with -Lambda. Twice the cost of
    `exponential_kernel`, same memory. Error at most (10 + L |Lambda_n dt| (1 + 1/|e^(+-L Lambda_n dt) - 1|) + N / 2) eps
    times the sum of the moduli of the modes: a nearly vanishing sum of a mode is as badly conditioned as it looks. The
    public code replaces 1/s by conj(s)/(|s|^2 + 1e-7) instead of refusing it, which is no softmax.
    Source: DSS (arXiv:2203.14343), Proposition 1(b).

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import dss_softmax_kernel
    >>> dss_softmax_kernel(np.array([-np.log(2.0)]), np.array([-np.log(2.0)]), 1.0, 2).round(12)
    array([0.66666667, 0.33333333])
    """
    kind, (Lambda, C) = checked_arrays(check_values, Lambda=Lambda, C=C)
    N, L = checked_lengths(L, Lambda=Lambda, C=C)
    x = Lambda * checked_time_step(kind, dt, check_values)
    xp = kind.xp
    if check_values and bool(xp.any(Lambda == 0)):
        raise InputError("`Lambda` must not be 0 in DSS-softmax; leave that state out or use the exponential form")
    grows = _real(kind, x) > 0
    inward = xp.where(grows, -x, x)
    total = _lag_sum(kind, inward, L)
    if check_values and bool(xp.any(xp.abs(total) <= 4 * kind.epsilon * L)):
        raise InputError(
            "L Lambda dt is a multiple of 2 pi i for some state: its softmax divides by 0; change `dt` or L"
        )
    weights = C / Lambda / total
    nothing = xp.zeros_like(weights)
    grows = xp.broadcast_to(grows, weights.shape)
    forward = _summed(kind, xp.where(grows, nothing, weights), inward, L, multiplicity, N)
    backward = _summed(kind, xp.where(grows, weights, nothing), inward, L, multiplicity, N)
    return forward + xp.flip(backward, axis=-1)


def dss_softmax_input(Lambda: AnyArray, dt: Any, L: int, *, check_values: bool = True) -> AnyArray:
    """The B for which the zero-order-hold kernel of (Lambda, B, C) is DSS-softmax: B_n = 1/(e^(L Lambda_n dt) - 1).

    Parameters
    ----------
    Lambda : (..., N) array
    dt : float or (...) array
    L : int
    check_values : bool

    Returns
    -------
    (..., N) array

    Raises
    ------
    InputError
        Shapes, L = 0, dt <= 0, NaN, mixed libraries or devices.

    Notes
    -----
    O(N). It tends to 0 like e^(-L Re(Lambda) dt) for Re Lambda > 0, and underflows where the kernel itself does not.
    Error at most (4 + L |Lambda_n dt| (1 + |B_n|)) eps |B_n|.
    Source: DSS (arXiv:2203.14343), Proposition 1(b), with the inverse that some slides leave out.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.kernels import dss_softmax_input
    >>> dss_softmax_input(np.array([np.log(2.0)]), 1.0, 2).round(12)
    array([0.33333333])
    """
    kind, (Lambda,) = checked_arrays(check_values, Lambda=Lambda)
    _, L = checked_lengths(L, Lambda=Lambda)
    x = Lambda * checked_time_step(kind, dt, check_values) * float(L)
    # 1/(e^x - 1), from e^-x where that is the small one.
    grows = _real(kind, x) > 0
    inward = kind.xp.where(grows, -x, x)
    gap = inward * zero_order_hold_gain(kind, inward)
    if check_values and bool(kind.xp.any(gap == 0)):
        raise InputError("e^(L dt Lambda) = 1: the softmax has no such input; take Lambda != 0")
    return kind.xp.where(grows, -kind.xp.exp(inward) / gap, 1 / gap)


def _real(kind: ArrayKind, x: AnyArray) -> AnyArray:
    return kind.xp.real(x) if kind.has_complex(x) else x


def _lag_sum(kind: ArrayKind, x: AnyArray, L: int) -> AnyArray:
    """sum_(k<L) e^(x k) = L g(L x)/g(x) for Re x <= 0, g(x) = (e^x - 1)/x, with x reduced to abs(Im x) <= pi: g(x) != 0."""
    if kind.has_complex(x):
        turns = kind.to_complex(kind.xp.round(kind.xp.imag(x) / (2 * math.pi)))
        x = x - turns * (2j * math.pi)
    return L * zero_order_hold_gain(kind, x * float(L)) / zero_order_hold_gain(kind, x)


def _summed(
    kind: ArrayKind, weights: AnyArray, x: AnyArray, L: int, multiplicity: Sequence[int] | None, N: int
) -> AnyArray:
    if multiplicity is not None:
        weights = weights * kind.converted(real_multiplicity(kind, multiplicity, N))
    return exponential_sum(kind, weights, x, L, multiplicity is not None, wide=False)
