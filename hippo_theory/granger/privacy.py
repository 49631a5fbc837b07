r"""Differential privacy of the messages: the Gaussian mechanism exactly, its composition, and what it does to the estimate.

A message of sensitivity Delta (how far it can move, in the Euclidean norm, when one record changes: twice the bound that it is
clipped to) is sent with independent Gaussian noise of standard deviation sigma. It is (epsilon, delta)-private exactly if

    delta >= Phi(Delta/(2 sigma) - epsilon sigma/Delta) - e^epsilon Phi(-Delta/(2 sigma) - epsilon sigma/Delta).

Messages up (estimates and augmented predictions) and down (gradients) are mechanisms of this kind; k of them, adaptive or
not, are together as private as one with 1/sigma^2 = sum_i 1/sigma_i^2, in units of their sensitivities.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray
from scipy.optimize import brentq

from hippo_theory.arithmetic import Balls, certified
from hippo_theory.errors import InputError, checked_size
from hippo_theory.granger.model import JointSystem

__all__ = [
    "Communication",
    "attenuated_coupling",
    "classical_sigma",
    "clipped",
    "communication",
    "composed_sigma",
    "gaussian_delta",
    "gaussian_epsilon",
    "gaussian_sigma",
    "zcdp_epsilon",
]

Array = NDArray[Any]


def _float(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"`{name}` must be a number, got {value!r}") from None


def _positive(name: str, value: Any, least: float = 0.0, strict: bool = True) -> float:
    number = _float(name, value)
    if not (least < number if strict else least <= number) or not math.isfinite(number):
        raise InputError(f"`{name}` must be finite and {'above' if strict else 'at least'} {least:g}, got {value!r}")
    return number


def _probability(name: str, value: Any) -> float:
    number = _float(name, value)
    if not 0 < number < 1:
        raise InputError(f"`{name}` must be a probability between 0 and 1, got {value!r}")
    return number


def clipped(message: Any, bound: Any) -> Array:
    """The message, shortened to the Euclidean norm `bound` where it is longer: replacing a record moves it by 2 `bound` at most.

    Raises
    ------
    InputError
        If the message is not finite, or the bound not positive.

    Examples
    --------
    >>> from hippo_theory.granger import clipped
    >>> clipped([3.0, 4.0], 1)
    array([0.6, 0.8])
    """
    value, limit = np.asarray(message, dtype=float), _positive("bound", bound)
    if not np.isfinite(value).all():
        raise InputError("`message` holds NaN or infinity, which no bound shortens; give finite numbers")
    largest = float(np.abs(value).max(initial=0))
    if largest == 0:
        return value
    direction = value / largest  # squares of large numbers would overflow
    length = float(np.linalg.norm(direction))
    return value if length <= limit / largest else direction * (limit / length)


def gaussian_delta(epsilon: Any, sigma: Any, sensitivity: Any = 1) -> float:
    """The least delta for which the Gaussian mechanism is (epsilon, delta)-private.

    Parameters
    ----------
    epsilon : float
        Zero or positive.
    sigma : float
        Standard deviation of the noise, in the unit of the message.
    sensitivity : float

    Returns
    -------
    float
        The nearest to the exact value within 2 units in the last place: formed in balls of growing precision, since both
        terms of the difference may be almost equal. Zero below 1e-300.

    Raises
    ------
    InputError
        For numbers outside these ranges.

    Notes
    -----
    Source: Balle and Wang, Improving the Gaussian mechanism for differential privacy (2018), theorem 8.

    Examples
    --------
    >>> from hippo_theory.granger import gaussian_delta
    >>> round(gaussian_delta(0, 1), 12)  # total variation: 2 Phi(1/2) - 1
    0.382924922548
    """
    eps = _positive("epsilon", epsilon, strict=False)
    noise, size = _positive("sigma", sigma), _positive("sensitivity", sensitivity)
    # Phi(a) with a <= -40 is below 1e-300.
    if size / (2 * noise) - eps * (noise / size) < -40:
        return 0.0

    def curve(ring: Balls) -> Any:
        ratio = ring.number(noise) / ring.number(size)  # not rounded
        half, shift = 1 / (2 * ratio), ring.number(eps) * ratio
        root = ring.sqrt(ring.number(2))
        return (arb((shift - half) / root).erfc() - ring.exp(ring.number(eps)) * arb((shift + half) / root).erfc()) / 2

    found = float(certified(curve, 17, guard_bits=64, strict=True))
    return found if found >= 1e-300 else 0.0


def gaussian_epsilon(delta: Any, sigma: Any, sensitivity: Any = 1) -> float:
    """The least epsilon for which the Gaussian mechanism is (epsilon, delta)-private: the root of the exact curve.

    Observed to 1e-12 of epsilon (a bracketed root), less where epsilon is below 1e-3: it tends to 0 as delta nears the total
    variation 2 Phi(Delta/(2 sigma)) - 1, and is 0 from there on, whose rounding then counts.

    Raises
    ------
    InputError
        For numbers out of range, or a sigma below 1e-5 of the sensitivity.

    Examples
    --------
    >>> from hippo_theory.granger import gaussian_delta, gaussian_epsilon
    >>> abs(gaussian_delta(gaussian_epsilon(1e-5, 10), 10) - 1e-5) < 1e-15
    True
    """
    delta, scale = _probability("delta", delta), _positive("sigma", sigma) / _positive("sensitivity", sensitivity)
    if scale < 1e-5:
        raise InputError(
            f"`sigma` must be at least 1e-5 times `sensitivity`, got {sigma!r}; there is no privacy in so little noise"
        )
    if gaussian_delta(0, scale) <= delta:
        return 0.0
    # Phi(a) <= delta suffices: a = 1/(2 s) - epsilon s below the quantile; zCDP gives a bound in closed form.
    above = zcdp_epsilon(1 / (2 * scale**2), delta)
    return float(brentq(lambda epsilon: gaussian_delta(epsilon, scale) - delta, 0, above, xtol=1e-300, rtol=1e-12))


def gaussian_sigma(epsilon: Any, delta: Any, sensitivity: Any = 1) -> float:
    """The least noise that makes a message (epsilon, delta)-private (the analytic Gaussian mechanism).

    Observed to 1e-12 of sigma (a bracketed root of the exact curve, which decreases in sigma).

    Examples
    --------
    >>> from hippo_theory.granger import classical_sigma, gaussian_sigma
    >>> gaussian_sigma(1, 1e-5) < classical_sigma(1, 1e-5)
    True
    """
    eps, delta = _positive("epsilon", epsilon, strict=False), _probability("delta", delta)
    low = high = 1.0
    while gaussian_delta(eps, high) > delta:
        high *= 2
    while gaussian_delta(eps, low) <= delta:
        low /= 2
    root = brentq(lambda sigma: gaussian_delta(eps, sigma) - delta, low, high, xtol=1e-300, rtol=1e-12)
    return float(root) * _positive("sensitivity", sensitivity)


def classical_sigma(epsilon: Any, delta: Any, sensitivity: Any = 1) -> float:
    """Delta sqrt(2 ln(1.25/delta)) / epsilon, which makes a message (epsilon, delta)-private for epsilon up to 1.

    Raises
    ------
    InputError
        For epsilon above 1, where it need not (a claim has a certified counterexample); use `gaussian_sigma`.

    Notes
    -----
    Source: Dwork and Roth, The algorithmic foundations of differential privacy (2014), theorem A.1.

    Examples
    --------
    >>> from hippo_theory.granger import classical_sigma
    >>> round(classical_sigma(1, 1e-5), 6)
    4.844805
    """
    eps = _positive("epsilon", epsilon)
    if eps > 1:
        raise InputError(
            f"`epsilon` must be at most 1 for the classical formula, got {epsilon!r}; use `gaussian_sigma`"
        )
    return _positive("sensitivity", sensitivity) * math.sqrt(2 * math.log(1.25 / _probability("delta", delta))) / eps


def composed_sigma(sigmas: Sequence[Any], sensitivities: Sequence[Any] | None = None) -> float:
    """The one Gaussian mechanism, of sensitivity 1, that is exactly as private as several together.

        1/sigma^2 = sum_i Delta_i^2 / sigma_i^2

    Examples
    --------
    >>> from hippo_theory.granger import composed_sigma
    >>> composed_sigma([10] * 100)
    1.0
    """
    sizes = [1.0] * len(sigmas) if sensitivities is None else list(sensitivities)
    if not len(sigmas) or len(sizes) != len(sigmas):
        raise InputError(
            f"`sigmas` must be as many as `sensitivities`, and not none; got {len(sigmas)} and {len(sizes)}"
        )
    pairs = zip(sizes, sigmas, strict=True)
    inverse = math.hypot(*(_positive("sensitivities", size) / _positive("sigmas", sigma) for size, sigma in pairs))
    return 1 / inverse


def zcdp_epsilon(rho: Any, delta: Any) -> float:
    """rho + 2 sqrt(rho ln(1/delta)): an upper bound on epsilon for rho-zCDP; rho = k Delta^2/(2 sigma^2) for k messages.

    Notes
    -----
    Source: Bun and Steinke, Concentrated differential privacy (2016), proposition 1.3.

    Examples
    --------
    >>> from hippo_theory.granger import zcdp_epsilon
    >>> [round(zcdp_epsilon(k / 200, 1e-5), 3) for k in (1, 10, 100)]
    [0.485, 1.567, 5.299]
    """
    cost = _positive("rho", rho, strict=False)
    return cost + 2 * math.sqrt(cost * math.log(1 / _probability("delta", delta)))


def attenuated_coupling(coupling: Any, moment: Any, variance: Any) -> Array:
    """A S (S + s I)^(-1): what regression finds for A when the regressors, of second moment S, carry noise of variance s.

    Noise on labels or gradients, by contrast, changes no expectation and only adds variance.

    Parameters
    ----------
    coupling : (p, q) array_like
    moment : (q, q) array_like
    variance : float

    Returns
    -------
    (p, q) ndarray

    Raises
    ------
    InputError
        If the shapes do not fit, a number is not finite, the variance is negative, or S + s I singular.

    Examples
    --------
    >>> from hippo_theory.granger import attenuated_coupling
    >>> attenuated_coupling([[1.0]], [[3.0]], 1.0)
    array([[0.75]])
    """
    A, S = np.asarray(coupling, dtype=float), np.asarray(moment, dtype=float)
    if A.ndim != 2 or S.shape != (A.shape[1],) * 2:
        raise InputError(f"`moment` must be square and fit `coupling`, got the shapes {S.shape} and {A.shape}")
    if not (np.isfinite(A).all() and np.isfinite(S).all()):
        raise InputError("`coupling` and `moment` must be finite; leave out regressors that were not seen")
    noisy = S + _positive("variance", variance, strict=False) * np.eye(len(S))
    if np.linalg.matrix_rank(noisy) < len(noisy):
        raise InputError("`moment` plus the noise is singular; drive every regressor, or give a positive `variance`")
    return np.asarray(np.linalg.solve(noisy.T, (A @ S).T).T)


@dataclass(frozen=True)
class Communication:
    """Numbers sent in one time step.

    Attributes
    ----------
    raw : int
        If every client sent its measurements.
    upward : int
        Estimates and augmented predictions, clients to server.
    downward : int
        Gradients, server to clients.
    """

    raw: int
    upward: int
    downward: int

    @property
    def saving(self) -> float:
        """1 - upward/raw; negative where states are more than half as many as measurements."""
        return 1 - self.upward / self.raw


def communication(system: JointSystem, rounds: int = 1) -> Communication:
    """Numbers sent: 2 sum p_m up and sum p_m down in each round, against sum d_m raw measurements.

    Examples
    --------
    >>> from hippo_theory.granger import communication, example_system
    >>> communication(example_system())
    Communication(raw=6, upward=8, downward=4)
    """
    rounds = checked_size("rounds", rounds)
    states = sum(client.states for client in system.clients)
    raw = sum(client.measurements for client in system.clients)
    return Communication(rounds * raw, 2 * rounds * states, rounds * states)
