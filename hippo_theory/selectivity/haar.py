"""Haar projections of an input by selective states, with explicit error bounds: two constructions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.arithmetic import FLOAT64, Arithmetic
from hippo_theory.duality import TimeVaryingSystem
from hippo_theory.duality.activations import inverse_softplus, sigmoid, softplus
from hippo_theory.errors import InputError, checked_size
from hippo_theory.selectivity.memory import edge_bounds, falling_steps
from hippo_theory.selectivity.recurrence import require_positive, selective_system

__all__ = [
    "haar_block_bound",
    "haar_block_system",
    "haar_system",
    "haar_vector",
    "step_feature",
    "step_feature_error",
    "window_error_bound",
    "window_system",
]

Array = NDArray[Any]


def haar_vector(T: int, left: int, middle: int, right: int) -> Array:
    """1 on [left, middle), -1 on [middle, right), else 0, on the times 1, ..., T; (T,) integers.

    The Haar coefficient of f at this wavelet is its product with f, times (right - left)^(-1/2) if of unit norm.

    Raises
    ------
    InputError
        Unless 1 <= left < middle < right <= T + 1.

    Examples
    --------
    >>> from hippo_theory.selectivity import haar_vector
    >>> haar_vector(8, 3, 5, 7)
    array([ 0,  0,  1,  1, -1, -1,  0,  0])
    """
    T, left, middle, right = _support(T, left, middle, right)
    t = np.arange(1, T + 1)
    return np.where((t >= left) & (t < middle), 1, 0) - np.where((t >= middle) & (t < right), 1, 0)


def window_system(
    T: int, start: int, *, sharpness: Any = 40, rate: Any = 1, arithmetic: Arithmetic = FLOAT64
) -> TimeVaryingSystem:
    """One state h_t = e^(-lambda Delta_t) h_(t-1) + f_t with Delta_t = softplus(a (start + 1/2 - t)): a window of sums.

    h_T = f_start + ... + f_T, up to `window_error_bound`. The input is not scaled by the step. With start - 1/2 instead,
    which looks as natural, the window begins one token earlier. The past is forgotten at the time `start`, so that this must
    be one of the T.

    Raises
    ------
    InputError
        Unless 1 <= start <= T, or if sharpness or rate are not positive.

    Notes
    -----
    Derived here, after the Haar construction of the paper (arXiv:2506.11891).
    """
    T, start = checked_size("T", T), checked_size("start", start)
    if start > T:
        raise InputError(f"`start` must be at most T = {T}, got {start}; the past would not be forgotten yet")
    require_positive("rate", arithmetic.number(rate))
    decays = arithmetic.exp(-(falling_steps(T, start, sharpness, arithmetic) * arithmetic.number(rate)))
    return TimeVaryingSystem(decays, np.ones((T, 1), dtype=int), np.ones((T, 1), dtype=int))


def window_error_bound(sharpness: Any = 40, rate: Any = 1, arithmetic: Arithmetic = FLOAT64) -> Any:
    """max(lambda e^(-a/2) / (1 - e^-a), e^(-lambda a/2)): abs(h_T - I) <= this times sum abs(f_s), for every T and start.

    Derivation. After `start` the steps sum to at most e^(-a/2)/(1 - e^-a), which is what later inputs lose; an input
    before it is multiplied by e^(-lambda Delta_start) <= e^(-lambda a/2) at least once. A Haar coefficient takes three such
    states with weights 1, -2, 1: at most 4 times this bound. In float64 roundings come on top: at most 2 T eps times the sum.

    Examples
    --------
    >>> from hippo_theory.selectivity import window_error_bound
    >>> print(f"{window_error_bound(40):.4g}")
    2.061e-09
    """
    later, past = edge_bounds(sharpness, rate, arithmetic)
    lost = arithmetic.number(rate) * later
    return lost if lost > past else past


def haar_system(
    T: int,
    left: int,
    middle: int,
    right: int,
    *,
    sharpness: Any = 40,
    rate: Any = 1,
    arithmetic: Arithmetic = FLOAT64,
) -> TimeVaryingSystem:
    """Three windows as one diagonal system, C = (1, -2, 1): y_T = sum of f on [left, middle) - sum of f on [middle, right).

    Its error is at most 4 `window_error_bound` times sum abs(f_s). The window from right = T + 1 on is empty: two states,
    C = (1, -2).

    Raises
    ------
    InputError
        Unless 1 <= left < middle < right <= T + 1.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.duality import apply_system
    >>> from hippo_theory.selectivity import haar_system
    >>> f = np.arange(16.0) ** 2
    >>> print(round(float(apply_system(haar_system(16, 5, 9, 13), f)[-1]), 4))  # 16+25+36+49 - (64+81+100+121)
    -240.0
    """
    T, *edges = _support(T, left, middle, right)
    starts = [edge for edge in edges if edge <= T]
    parts = [window_system(T, edge, sharpness=sharpness, rate=rate, arithmetic=arithmetic) for edge in starts]
    decays = np.stack([part.A for part in parts], axis=1)
    return TimeVaryingSystem(decays, np.ones((T, len(parts)), dtype=int), np.array([[1, -2, 1][: len(parts)]] * T))


def step_feature(T: int, edge: int, *, sharpness: Any = 80, arithmetic: Arithmetic = FLOAT64) -> Array:
    """silu(z_t) - silu(z_t - 1), z_t = a (t - edge + 1/2): 0 before the edge and 1 from it on, up to `step_feature_error`.

    Computed as sigmoid(z) + (z - 1) (sigmoid(z) - sigmoid(z - 1)), the same function without the cancellation of two
    numbers of size a T.

    Examples
    --------
    >>> from hippo_theory.selectivity import step_feature
    >>> step_feature(6, 4).round(12) + 0
    array([0., 0., 0., 1., 1., 1.])
    """
    a = arithmetic.number(sharpness)
    odd = np.asarray(arithmetic.number(np.arange(1, 2 * T + 1, 2) - 2 * edge + 2))  # 2 (t - edge + 1/2)
    z = odd * a / arithmetic.number(2)
    # sigmoid(z) - sigmoid(z - 1) as sigmoid(-z + 1) - sigmoid(-z) where z is large, so that nothing is lost there either
    low, high = sigmoid(-z, arithmetic), sigmoid(1 - z, arithmetic)
    positive = np.array([bool(value > 0) for value in z])
    change = np.where(positive, high - low, sigmoid(z, arithmetic) - sigmoid(z - 1, arithmetic))
    return np.asarray(sigmoid(z, arithmetic) + (z - 1) * change)


def step_feature_error(sharpness: Any = 80, arithmetic: Arithmetic = FLOAT64) -> Any:
    """(a/2 - 1) e^(1 - a/2): how far `step_feature` is at most from 0 or 1; a >= 4.

    Derivation. silu(z) = z - z sigmoid(-z), so that for z >= 2 the distance from 1 is a difference of two terms below
    (z - 1) e^(1-z) with one sign, and for z <= -2 that from 0 of two terms below abs(z) e^z; y e^-y falls for y >= 1.
    """
    a = arithmetic.number(sharpness)
    if not a >= 4:
        raise InputError(f"`sharpness` must be at least 4, got {sharpness}; wider steps have no such bound")
    y = a / arithmetic.number(2) - 1
    return y * arithmetic.exp(-y)


def haar_block_system(
    T: int,
    left: int,
    middle: int,
    right: int,
    *,
    step: Any,
    floor: Any = 40,
    sharpness: Any = 80,
    rate: Any = 1,
    arithmetic: Arithmetic = FLOAT64,
) -> TimeVaryingSystem:
    """The Haar coefficient by one state of a Mamba block with its own gain g(Delta) = Delta.

    The block makes st(edge)_t by `step_feature` from the time, and from these

        Delta_t = softplus(-M + (z + M)(st(left) - st(right))),  z = ln(e^delta - 1),
        B_t = st(left) - 2 st(middle) + st(right),  C = 1/delta:

    steps of size delta on the support and next to zero outside, so that the state adds up +-f there.

    Parameters
    ----------
    T, left, middle, right : int
        Edges as in `haar_vector`.
    step : number
        delta; the error is about lambda (right - left) delta.
    floor : number
        M: outside the steps are about e^-M.
    sharpness : number
        a of the features.
    rate : number
        lambda.

    Raises
    ------
    InputError
        Wrong edges, or parameters that are not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.duality import apply_system
    >>> from hippo_theory.selectivity import haar_block_bound, haar_block_system
    >>> f = np.cos(np.arange(64.0))
    >>> y = apply_system(haar_block_system(64, 17, 25, 33, step=1e-4), f)[-1]
    >>> error = abs(y - (f[16:24].sum() - f[24:32].sum()))
    >>> on, off = haar_block_bound(64, 17, 33, step=1e-4)
    >>> bool(error <= on * abs(f[16:32]).sum() + off * abs(f).sum()), bool(error < 0.01)
    (True, True)

    Notes
    -----
    Derived here, after the Haar construction of the paper (arXiv:2506.11891). Steps that are linear in the time cannot do it
    with this gain, since the input is multiplied by the same step that makes the state forget.
    """
    T, *edges = _support(T, left, middle, right)
    low, target = _levels(step, floor, arithmetic)
    first, half, last = (step_feature(T, edge, sharpness=sharpness, arithmetic=arithmetic) for edge in edges)
    steps = softplus(-low + (target + low) * (first - last), arithmetic)
    size = np.array([[1 / arithmetic.number(step)]] * T)
    B = (first - 2 * half + last)[:, None]
    return selective_system(steps, [rate], B, size, rule="euler", arithmetic=arithmetic)


def haar_block_bound(
    T: int,
    left: int,
    right: int,
    *,
    step: Any,
    floor: Any = 40,
    sharpness: Any = 80,
    rate: Any = 1,
    arithmetic: Arithmetic = FLOAT64,
) -> tuple[Any, Any]:
    """(on, off): the error of `haar_block_system` is at most on * sum abs(f) on the support + off * sum abs(f) off it.

    In float64 roundings come on top, of the order of M eps: steps are made from numbers of that size. With eta =
    `step_feature_error`, kappa = 2 abs(z + M) eta, and S = (right - left - 1) delta e^kappa + (T - right + 1)
    e^(kappa - M), which bounds the sum of the steps after any time of the support,

        on = max(e^kappa - 1, 1 - e^(-kappa - lambda S)) (1 + 4 eta) + 4 eta,    off = 4 eta e^(kappa - M) / delta.

    Derivation. The window is off by 2 eta at most, the logit by kappa; (ln softplus)' = sigmoid/softplus <= 1, so steps are
    delta e^(+-kappa) on the support and at most e^(kappa - M) off it. There B is at most 4 eta; on it B is +-1 up to 4 eta,
    and Delta e^(-lambda(...))/delta lies between e^(-kappa - lambda S) and e^kappa.
    """
    T, left, _, right = _support(T, left, right - 1, right)
    low, target = _levels(step, floor, arithmetic)
    require_positive("rate", arithmetic.number(rate))
    eta = step_feature_error(sharpness, arithmetic)
    kappa = 2 * abs(target + low) * eta
    outside = arithmetic.exp(kappa - low)
    grown = arithmetic.exp(kappa)
    later = (right - left - 1) * arithmetic.number(step) * grown + (T - right + 1) * outside
    more, less = grown - 1, 1 - arithmetic.exp(-kappa - arithmetic.number(rate) * later)
    on = (more if more > less else less) * (1 + 4 * eta) + 4 * eta
    return on, 4 * eta * outside / arithmetic.number(step)


def _levels(step: Any, floor: Any, arithmetic: Arithmetic) -> tuple[Any, Any]:
    """M, and ln(e^delta - 1)."""
    delta, low = arithmetic.number(step), arithmetic.number(floor)
    if not (delta > 0 and low > 0):
        raise InputError(f"`step` and `floor` must be positive, got {step} and {floor}")
    return low, inverse_softplus(delta, arithmetic)


def _support(T: int, left: int, middle: int, right: int) -> tuple[int, int, int, int]:
    T, left, middle, right = (
        checked_size(name, value) for name, value in (("T", T), ("left", left), ("middle", middle), ("right", right))
    )
    if not left < middle < right <= T + 1:
        raise InputError(
            f"a wavelet needs 1 <= left < middle < right <= T + 1, got {left}, {middle}, {right} with T = {T}"
        )
    return T, left, middle, right
