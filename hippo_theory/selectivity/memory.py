"""What a selective state keeps: retention and the steps it needs, recall of the n-th token, and what constant systems need."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.arithmetic import FLOAT64, Arithmetic
from hippo_theory.duality import TimeVaryingSystem
from hippo_theory.duality.activations import inverse_softplus, softplus
from hippo_theory.duality.exact_matrices import fractions, solution
from hippo_theory.errors import InputError, checked_size
from hippo_theory.selectivity.recurrence import (
    Rule,
    numbers,
    require_positive,
    selective_system,
)

__all__ = [
    "edge_bounds",
    "falling_steps",
    "keep_error_bound",
    "keep_steps",
    "keep_system",
    "lti_recall_states",
    "lti_recall_system",
    "output_weights",
    "retention",
    "retention_logit",
]

Array = NDArray[Any]


def retention(steps: Any, rates: Any, arithmetic: Arithmetic = FLOAT64) -> Any:
    """exp(-lambda (Delta_1 + ... + Delta_L)): the part of a state that these steps leave, for each rate.

    Parameters
    ----------
    steps : (L,) array_like
        Not negative.
    rates : array_like or number
        lambda > 0; the shape of the result.

    Raises
    ------
    InputError
        If a step is negative, or a rate not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.selectivity import retention
    >>> print(round(float(retention(np.full(10, np.log(2) / 10), 1.0)), 12))
    0.5
    """
    given, decay = numbers(steps, arithmetic), numbers(rates, arithmetic)
    if not all(step >= 0 for step in given.ravel()):
        raise InputError("`steps` must not be negative; give values of softplus")
    require_positive("rates", decay)
    return arithmetic.exp(-(np.sum(given) * decay))[()]


def retention_logit(length: int, fraction: Any, rate: Any = 1, arithmetic: Arithmetic = FLOAT64) -> Any:
    """What softplus must be given so that the constant step keeps a fraction rho over L steps: ln(rho^(-1/(lambda L)) - 1).

    With y = ln(1/rho) / (lambda L), the step size, ln y + y/2 <= logit <= ln y + y/2 + y^2/24: logits grow like ln L only. No
    steps with a larger mean keep as much.

    Parameters
    ----------
    length : int
        L.
    fraction : number
        rho, between 0 and 1.
    rate : number
        lambda > 0.
    arithmetic : Arithmetic

    Raises
    ------
    InputError
        If the fraction does not lie strictly between 0 and 1 or the rate is not positive.

    Examples
    --------
    >>> from hippo_theory.selectivity import retention_logit
    >>> [round(float(retention_logit(L, 0.5)), 3) for L in (10, 100, 1000, 10000)]
    [-2.634, -4.968, -7.274, -9.577]

    Notes
    -----
    The paper (arXiv:2506.11891) concludes from its lemma on memory that e^(-lambda Delta) tends to 1; the logits and
    the bracket are derived here: e^y - 1 = y e^(y/2) sinh(y/2)/(y/2), and 1 <= sinh(z)/z <= e^(z^2/6).
    """
    length = checked_size("length", length)
    rho, decay = arithmetic.number(fraction), arithmetic.number(rate)
    if not (rho > 0 and rho < 1):
        raise InputError(f"`fraction` must lie between 0 and 1, got {fraction}")
    if not decay > 0:
        raise InputError(f"`rate` must be positive, got {rate}")
    return inverse_softplus(-arithmetic.log(rho) / (decay * length), arithmetic)


def output_weights(system: TimeVaryingSystem) -> Array:
    """The last row of M: what y_T takes of each input, (T,); O(T N) for diagonal systems.

    Examples
    --------
    >>> from hippo_theory.duality import TimeVaryingSystem
    >>> from hippo_theory.selectivity import output_weights
    >>> output_weights(TimeVaryingSystem([1, 2, 3], [[1], [1], [1]], [[1], [1], [1]]))
    array([6., 3., 1.])
    """
    kind = np.result_type(system.A, system.B, system.C)
    weights = np.empty(system.T, dtype=kind)
    carried = system.C[-1].astype(kind)
    for s in range(system.T - 1, -1, -1):
        weights[s] = carried @ system.B[s]
        carried = system.A[s].T @ carried if system.kind == "dense" else system.A[s] * carried
    return weights


def keep_steps(T: int, n: int, *, sharpness: Any = 40, arithmetic: Arithmetic = FLOAT64) -> Array:
    """Delta_t = softplus(a (n + 1/2 - t)), t = 1, ..., T: large until token n is in, next to nothing afterwards.

    The logits are linear in the time t, which the layer must be given as a coordinate of its input.

    Raises
    ------
    InputError
        If n is not among 1, ..., T.
    """
    T, n = _position(T, n)
    return falling_steps(T, n, sharpness, arithmetic)


def keep_system(
    T: int, n: int, *, sharpness: Any = 40, rate: Any = 1, rule: Rule = "zoh", arithmetic: Arithmetic = FLOAT64
) -> TimeVaryingSystem:
    """One state that holds the n-th of T tokens: with the steps of `keep_steps`, y_T = x_n up to `keep_error_bound`.

    In float64 roundings come on top: at most 8 T eps max abs(x), mostly a few eps.

    Parameters
    ----------
    T, n : int
        Tokens are counted from 1.
    sharpness : number
        a.
    rate : number
        lambda.
    rule : {"zoh", "euler"}
        C is lambda for the first and 1/Delta_n for the second.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.duality import apply_system
    >>> from hippo_theory.selectivity import keep_system
    >>> x = np.random.default_rng(0).choice([-1.0, 1.0], 500)
    >>> bool(abs(apply_system(keep_system(500, 7), x)[-1] - x[6]) < 1e-8)
    True

    Notes
    -----
    Source: the task "keep n-th" of the paper (arXiv:2506.11891); this solution and its bounds are derived here.
    """
    steps = keep_steps(T, n, sharpness=sharpness, arithmetic=arithmetic)
    ones = np.ones((len(steps), 1), dtype=int)
    scale = arithmetic.number(rate) if rule == "zoh" else 1 / steps[n - 1]
    return selective_system(steps, [rate], ones, scale * ones, rule=rule, arithmetic=arithmetic)


def keep_error_bound(sharpness: Any = 40, rate: Any = 1, rule: Rule = "zoh", arithmetic: Arithmetic = FLOAT64) -> Any:
    """A bound on abs(y_T - x_n) / max abs(x) of `keep_system` that holds for every T and n.

    With s = e^(-a/2) / (1 - e^-a), which bounds the sum of the steps after n, and q = e^(-lambda a/2), which bounds what
    is left of the past after the n-th step:

        zoh:    2 (q + lambda s)
        euler:  lambda s + (2/a) (s + q ((3 a/2 + e^(-3 a/2))/(1 - q^3) + a q^3/(1 - q^3)^2)).

    Derivation. Zero-order hold: y_T is a combination of the inputs with weights of sum below 1, and that of x_n is
    w = (1 - e^(-lambda Delta_n)) e^(-lambda S), S the steps after n; the error is at most 2 (1 - w). Here e^(-Delta_n)
    = 1/(1 + e^(a/2)), and S <= sum_j e^(-a (j - 1/2)) = s. Euler: Delta_n >= a/2; the tokens after n weigh at most s together;
    the token n - j weighs at most a (j + 1/2) + e^(-3 a/2), which is not less than its step, times e^(-lambda a j^2/2), and
    j^2 >= 1 + 3 (j - 1).

    Notes
    -----
    For lambda < 1 the error falls like e^(-lambda a/2), not like e^(-a/2).

    Examples
    --------
    >>> from hippo_theory.selectivity import keep_error_bound
    >>> print(f"{keep_error_bound(40):.3g}, {keep_error_bound(40, rule='euler'):.3g}")
    8.24e-09, 8.35e-09
    """
    later, past = edge_bounds(sharpness, rate, arithmetic)
    a, decay = arithmetic.number(sharpness), arithmetic.number(rate)
    if rule == "zoh":
        return 2 * (past + decay * later)
    if rule != "euler":
        raise InputError(f"`rule` must be 'zoh' or 'euler', got {rule!r}")
    cube = past**3
    largest = 3 * a / arithmetic.number(2)
    # 1 - q^3 without cancellation, see `edge_bounds`.
    missing = -np.expm1(-(decay * largest)) if arithmetic is FLOAT64 else 1 - cube
    before = past * ((largest + arithmetic.exp(-largest)) / missing + a * cube / missing**2)
    return decay * later + 2 / a * (later + before)


def lti_recall_states(T: int, n: int, *, positive: bool = False) -> int:
    """The least N for which a constant diagonal system with nonzero poles gives y_T = x_n exactly for all real inputs.

    max(n, T - n + 1) with complex poles, T if all poles are real and positive (S4D-Real).

    Derivation. The kernel is K_j = sum_i c_i lambda_i^j and must be 1 at j = T - n, else 0 for j = 0, ..., T - 1. A sum of N
    powers that is not zero is not zero at N neighboring j (Vandermonde), and here T - n zeros lie below and n - 1 above;
    with positive poles it has at most N - 1 zeros in all (Descartes). Roots of unity attain the first, any T positive poles
    the second.

    Examples
    --------
    >>> from hippo_theory.selectivity import lti_recall_states
    >>> [lti_recall_states(T, n) for T, n in ((12, 5), (12, 10), (9, 1), (9, 9))]
    [8, 10, 9, 9]

    Notes
    -----
    Exact recall of real numbers by y = c^T h; decoding from a finite alphabet may need less. Where the output is the real part
    of n complex modes (S4D), N = 2 n: they and their conjugates. A selective system needs one state.
    """
    T, n = _position(T, n)
    return T if positive else max(n, T - n + 1)


def lti_recall_system(T: int, n: int, *, positive: bool = False) -> TimeVaryingSystem:
    """A constant diagonal system of least size with y_T = x_n: the N-th roots of unity, or positive rational poles.

    K_j = (1/N) sum over the roots w of w^(j - T + n) is 1 where N divides j - (T - n), else 0. The positive poles are
    1/T, 2/T, ..., 1, with the weights solved for exactly, as Fractions.

    Returns
    -------
    TimeVaryingSystem
        complex128, poles and N times the weights within 2 eps, so that powers are within 4 T eps and the weights of
        `output_weights` within 4 (T + 1) eps; or Fractions, exact.

    Examples
    --------
    >>> from hippo_theory.selectivity import lti_recall_system, output_weights
    >>> [int(weight) for weight in output_weights(lti_recall_system(5, 2, positive=True))]
    [0, 1, 0, 0, 0]
    """
    T, n = _position(T, n)
    N, lag = lti_recall_states(T, n, positive=positive), T - n
    if positive:
        poles = fractions([Fraction(k, T) for k in range(1, T + 1)])
        powers = np.array([poles**j for j in range(T)], dtype=object)
        weights = solution(powers, fractions([int(j == lag) for j in range(T)]))
        assert weights is not None, "a Vandermonde matrix is invertible"
        return TimeVaryingSystem(np.array([poles] * T), fractions(np.ones((T, N), dtype=int)), np.array([weights] * T))
    turns = np.arange(N)
    poles, weights = _roots_of_unity(turns, N), _roots_of_unity(-turns * lag, N) / N
    return TimeVaryingSystem(np.array([poles] * T), np.ones((T, N)), np.array([weights] * T))


def _roots_of_unity(turns: Array, N: int) -> Array:
    """e^(2 pi i k / N) for integers k, within 2 eps: the nearest quarter turn is exact, and the rest at most pi/4."""
    quarters = (8 * turns + N) // (2 * N)
    angle = (np.pi / 2) * ((4 * turns - quarters * N) / N)
    return np.asarray(np.array([1, 1j, -1, -1j])[quarters % 4] * (np.cos(angle) + 1j * np.sin(angle)))


def falling_steps(T: int, last: int, sharpness: Any, arithmetic: Arithmetic) -> Array:
    """softplus(a (last + 1/2 - t)), t = 1, ..., T, for any integer `last`."""
    a = arithmetic.number(sharpness)
    require_positive("sharpness", a)
    odd = np.asarray(arithmetic.number(np.arange(2 * last - 1, 2 * (last - T) - 1, -2)))  # 2 (last + 1/2 - t)
    return np.asarray(softplus(odd * a / arithmetic.number(2), arithmetic))


def edge_bounds(sharpness: Any, rate: Any, arithmetic: Arithmetic) -> tuple[Any, Any]:
    """(s, q): s = e^(-a/2)/(1 - e^-a) bounds the sum of the steps after the edge, q = e^(-lambda a/2) what is left of the past.

    Raises
    ------
    InputError
        If the sharpness or the rate is not positive.
    """
    a, decay = arithmetic.number(sharpness), arithmetic.number(rate)
    if not (a > 0 and decay > 0):
        raise InputError(f"`sharpness` and `rate` must be positive, got {sharpness} and {rate}; 40 and 1 are usual")
    half = arithmetic.exp(-(a / arithmetic.number(2)))
    # 1 - e^-a without cancellation, which would make it 0 for a below eps.
    missing = -np.expm1(-a) if arithmetic is FLOAT64 else 1 - half * half
    return half / missing, arithmetic.exp(-(decay * a / arithmetic.number(2)))


def _position(T: int, n: int) -> tuple[int, int]:
    T, n = checked_size("T", T), checked_size("n", n)
    if n > T:
        raise InputError(f"`n` must be one of the tokens 1 to {T}, got {n}")
    return T, n
