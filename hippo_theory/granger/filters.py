r"""Kalman filters in their steady state: those of the clients, each for itself, and the oracle that knows everything.

    prediction h~^t = A h^^(t-1),    innovation r^t = y^t - C h~^t,    estimate h^^t = h~^t + K r^t.

A client runs this with A_mm and C_m, as if nobody drove it; the centralized oracle with the joint A and C. What each expects
of its error solves a Riccati equation. A client that is driven is wrong about its own error; what it really is solves a
Lyapunov equation, and is above that of the oracle, the best linear filter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve, solve_discrete_are, solve_discrete_lyapunov

from hippo_theory.errors import InputError
from hippo_theory.granger.model import Client, JointSystem, require_stable

__all__ = [
    "FilterRun",
    "SteadyFilter",
    "client_filters",
    "error_covariance",
    "joint_gain",
    "oracle_filter",
    "run_filter",
    "steady_filter",
]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class SteadyFilter:
    """A Kalman filter whose gain no longer changes.

    Attributes
    ----------
    gain : (p, d) ndarray
        K = P C^T (C P C^T + R)^(-1), P the prior covariance.
    prior : (p, p) ndarray
        Covariance that the filter expects of h^t - h~^t.
    posterior : (p, p) ndarray
        Covariance that it expects of h^t - h^^t: (I - K C) P.
    """

    gain: Array
    prior: Array
    posterior: Array


def steady_filter(A: Any, C: Any, process_noise: Any, measurement_noise: Any) -> SteadyFilter:
    """The steady Kalman filter of h^t = A h^(t-1) + w, y^t = C h^t + v.

    The prior covariance P solves P = A P A^T - A P C^T (C P C^T + R)^(-1) C P A^T + Q (scipy's Riccati solver).

    Parameters
    ----------
    A : (p, p) array_like
    C : (d, p) array_like
    process_noise : (p, p) array_like
        Q.
    measurement_noise : (d, d) array_like
        R, positive definite.

    Returns
    -------
    SteadyFilter

    Raises
    ------
    InputError
        If shapes do not fit, a covariance is not one, or the Riccati equation has no stabilizing solution that float64
        tells from one whose error does not decay: eigenvalues must be 1.5e-8 inside the unit circle.

    Notes
    -----
    Observed: the residual of the equation is of the order of rounding; a claim encloses the solution in balls.

    Examples
    --------
    >>> from hippo_theory.granger import steady_filter
    >>> filter = steady_filter([[0.5]], [[1.0]], [[1.0]], [[1.0]])
    >>> P = filter.prior[0, 0]
    >>> bool(abs(P - (P / 4 - (P / 2) ** 2 / (P + 1) + 1)) < 1e-15)
    True
    """
    # A client by itself: its checks are those of any filter.
    model = Client(A, C, process_noise, measurement_noise)
    A, C, Q, R = (np.asarray(value, dtype=np.float64) for value in (model.A, model.C, process_noise, measurement_noise))
    try:
        prior = solve_discrete_are(A.T, C.T, Q, R)
    except (np.linalg.LinAlgError, ValueError) as error:
        raise InputError(
            f"no steady filter for `A` of {A.shape} and `C` of {C.shape}: {error}; every state on or outside the unit "
            "circle must be seen through C, and driven by noise"
        ) from None
    prior = (prior + prior.T) / 2
    gain = solve(C @ prior @ C.T + R, C @ prior, assume_a="pos").T
    kept = np.eye(len(A)) - gain @ C
    # A double eigenvalue on the unit circle is found within the root of eps only.
    if np.abs(np.linalg.eigvals(kept @ A)).max() >= 1 - np.sqrt(np.finfo(np.float64).eps):
        raise InputError(
            "no steady filter: the error of the best one does not decay, or too slowly for float64 to tell; every state on or "
            "outside the unit circle must be seen through C, and driven by enough noise"
        )
    # Joseph's form: symmetric and positive whatever the rounding.
    posterior = kept @ prior @ kept.T + gain @ R @ gain.T
    return SteadyFilter(gain, prior, (posterior + posterior.T) / 2)


def client_filters(clients: Sequence[Client] | JointSystem) -> tuple[SteadyFilter, ...]:
    """The filter that each client runs on what it knows."""
    members = clients.clients if isinstance(clients, JointSystem) else clients
    return tuple(steady_filter(c.A, c.C, c.process_noise, c.measurement_noise) for c in members)


def oracle_filter(system: JointSystem) -> SteadyFilter:
    """The filter of somebody who knows the whole system and sees all measurements."""
    return steady_filter(system.A, system.C, system.process_noise, system.measurement_noise)


def joint_gain(system: JointSystem, gains: Sequence[Any] | None = None) -> Array:
    """The block diagonal gain of all clients, their own steady gains by default, (P, sum of d_m).

    Raises
    ------
    InputError
        If a gain does not fit its client.
    """
    chosen = [f.gain for f in client_filters(system)] if gains is None else [np.asarray(gain, float) for gain in gains]
    whole = np.zeros((len(system.coupling), system.measurement_slices[-1].stop))
    if len(chosen) != len(system.clients):
        raise InputError(f"`gains` must be {len(system.clients)} matrices, one for each client, got {len(chosen)}")
    places = zip(chosen, system.state_slices, system.measurement_slices, strict=True)
    for number, (gain, rows, columns) in enumerate(places):
        if gain.shape != whole[rows, columns].shape:
            raise InputError(f"`gains[{number}]` must have the shape {whole[rows, columns].shape}, got {gain.shape}")
        whole[rows, columns] = gain
    return whole


def error_covariance(system: JointSystem, gains: Sequence[Any] | None = None) -> Array:
    """What the covariance of the clients' errors h - h^ really is, jointly, (P, P).

    With J = I - K C and D the block diagonal of all A_mm the errors follow, together with the states,

        e^t = J (D e^(t-1) + (A - D) h^(t-1) + w^t) - K v^t,

    and their stationary covariance solves a Lyapunov equation.

    Parameters
    ----------
    system : JointSystem
    gains : sequence of (p_m, d_m) array_like, optional
        Those that the clients use; by default their own steady ones.

    Returns
    -------
    (P, P) ndarray

    Raises
    ------
    InputError
        If the system, or the error, is not stable.

    Examples
    --------
    The oracle's error is smaller, also for the first client, which nobody drives: the second one's measurements tell of it.

    >>> import numpy as np
    >>> from hippo_theory.granger import error_covariance, example_system, oracle_filter
    >>> system = example_system()
    >>> gap = error_covariance(system) - oracle_filter(system).posterior
    >>> bool(np.linalg.eigvalsh(gap)[0] > 0)
    True
    """
    A, C, P = require_stable(system), system.C.astype(float), len(system.coupling)
    gain = joint_gain(system, gains)
    kept = np.eye(P) - gain @ C
    own = system.A_known.astype(float)
    closed = kept @ own
    if np.abs(np.linalg.eigvals(closed)).max() >= 1:
        raise InputError("`gains` leave an error that grows; use those of `client_filters`")
    transition = np.block([[A, np.zeros((P, P))], [kept @ (A - own), closed]])
    from_process = np.vstack([np.eye(P), kept])
    from_measurement = np.vstack([np.zeros_like(gain), -gain])
    noise = (
        from_process @ system.process_noise.astype(float) @ from_process.T
        + from_measurement @ system.measurement_noise.astype(float) @ from_measurement.T
    )
    covariance = solve_discrete_lyapunov(transition, noise)[P:, P:]
    return np.asarray((covariance + covariance.T) / 2)


@dataclass(frozen=True, eq=False)
class FilterRun:
    """Estimates h^ (T, p) and innovations r (T, d) of a filter on data."""

    estimates: Array
    innovations: Array


def run_filter(A: Any, C: Any, gain: Any, observations: Any, start: Any = None) -> FilterRun:
    """Run a filter of constant gain over observations (T, d), from the estimate `start` (p,) at time 0, zero by default.

    Raises
    ------
    InputError
        If the shapes do not fit.

    Examples
    --------
    >>> from hippo_theory.granger import run_filter
    >>> run_filter([[0.5]], [[1.0]], [[0.5]], [[2.0], [2.0]]).estimates.ravel()
    array([1.  , 1.25])
    """
    A, C, gain, Y = (np.asarray(value, dtype=np.float64) for value in (A, C, gain, observations))
    estimate = np.zeros(len(A)) if start is None else np.asarray(start, dtype=np.float64)
    if A.ndim != 2 or A.shape[0] != A.shape[1] or C.ndim != 2 or C.shape[1] != len(A):
        raise InputError(f"`A` must be (p, p) and `C` (d, p), got {A.shape} and {C.shape}")
    if Y.ndim != 2 or Y.shape[1] != len(C) or gain.shape != C.T.shape or estimate.shape != (len(A),):
        raise InputError(
            f"`observations` must be (T, {len(C)}), `gain` {C.T.shape} and `start` ({len(A)},), "
            f"got {Y.shape}, {gain.shape} and {estimate.shape}"
        )
    if not all(np.isfinite(values).all() for values in (A, C, gain, Y, estimate)):
        raise InputError("`observations` and the filter must be finite; leave out times that were not measured")
    estimates, innovations = np.empty((len(Y), len(A))), np.empty(Y.shape)
    for t, y in enumerate(Y):
        prediction = A @ estimate
        innovations[t] = y - C @ prediction
        estimate = prediction + gain @ innovations[t]
        estimates[t] = estimate
    return FilterRun(estimates, innovations)
