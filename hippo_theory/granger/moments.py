r"""Stationary second moments of what the learning sees: measurements, estimates and innovations of all clients.

(h, h^) follows h^t = A h^(t-1) + b + w, h^^t = (I - K C) D h^^(t-1) + K y^t, D the block diagonal of all A_mm; its covariance
solves a Lyapunov equation, and all else follows from y = C h + v and E[v h^^T] = R K^T.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_discrete_lyapunov

from hippo_theory.errors import InputError
from hippo_theory.granger.filters import joint_gain
from hippo_theory.granger.model import JointSystem, constant_input, require_stable

__all__ = ["ClientMoments", "StationaryMoments", "client_moments", "stationary_moments"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class StationaryMoments:
    """Means and second moments (not centered) of the joint system and the clients' estimates.

    Attributes
    ----------
    state_mean, estimate_mean : (P,) ndarray
        E h = (I - A)^(-1) b, and E h^, which differs from it where a client is driven.
    states, estimates : (P, P) ndarray
        E h h^T and E h^ h^^T.
    states_estimates : (P, P) ndarray
        E h h^^T.
    observations : (d, d) ndarray
        E y y^T.
    observations_estimates : (d, P) ndarray
        E y h^^T.
    innovations_observations : (d, d) ndarray
        E r^t (y^(t-1))^T, r^t = y^t - C D h^^(t-1).
    innovations_estimates : (d, P) ndarray
        E r^t (h^^(t-1))^T.
    innovations : (d, d) ndarray
        E r r^T.
    """

    state_mean: Array
    estimate_mean: Array
    states: Array
    estimates: Array
    states_estimates: Array
    observations: Array
    observations_estimates: Array
    innovations_observations: Array
    innovations_estimates: Array
    innovations: Array


def stationary_moments(
    system: JointSystem, *, gains: Sequence[Any] | None = None, input: Any = None
) -> StationaryMoments:
    """The moments of a joint system whose clients filter for themselves.

    Parameters
    ----------
    system : JointSystem
    gains : sequence of (p_m, d_m) array_like, optional
        By default the clients' own steady gains.
    input : (P,) array_like, optional
        The constant b, which shifts the means; the clients do not know of it.

    Returns
    -------
    StationaryMoments

    Raises
    ------
    InputError
        If the system is not stable, or arguments do not fit.

    Notes
    -----
    Observed: that of scipy's Lyapunov solver; a test compares with a sum over the impulse response.

    Examples
    --------
    >>> from hippo_theory.granger import Client, joint_system, stationary_moments
    >>> client = Client([[0.5]], [[1.0]], [[0.75]], [[1.0]])
    >>> stationary_moments(joint_system([client, client], {})).states.round(12)
    array([[1., 0.],
           [0., 1.]])
    """
    A, C, P = require_stable(system), system.C.astype(float), len(system.coupling)
    Q, R = system.process_noise.astype(float), system.measurement_noise.astype(float)
    own, gain, b = system.A_known.astype(float), joint_gain(system, gains), constant_input(system, input)
    closed = own - gain @ C @ own
    if np.abs(np.linalg.eigvals(closed)).max() >= 1:
        raise InputError("`gains` leave an estimate that grows; use those of `client_filters`")
    transition = np.block([[A, np.zeros((P, P))], [gain @ C @ A, closed]])
    driven = np.vstack([np.eye(P), gain @ C])
    measured = np.vstack([np.zeros_like(gain), gain])
    joint = solve_discrete_lyapunov(transition, driven @ Q @ driven.T + measured @ R @ measured.T)
    joint = (joint + joint.T) / 2
    hh, hc, cc = joint[:P, :P], joint[:P, P:], joint[P:, P:]
    yc = C @ hc + R @ gain.T
    innovation = C @ np.hstack([A, -own])

    state = np.linalg.solve(np.eye(P) - A, b)
    estimate = np.linalg.solve(np.eye(P) - closed, gain @ (C @ state))
    y, r = C @ state, C @ (state - own @ estimate)
    return StationaryMoments(
        state,
        estimate,
        hh + np.outer(state, state),
        cc + np.outer(estimate, estimate),
        hc + np.outer(state, estimate),
        C @ hh @ C.T + R + np.outer(y, y),
        yc + np.outer(y, estimate),
        C @ (A @ hh @ C.T - own @ yc.T) + np.outer(r, y),
        C @ (A @ hc - own @ cc) + np.outer(r, estimate),
        innovation @ joint @ innovation.T + C @ Q @ C.T + R + np.outer(r, r),
    )


@dataclass(frozen=True, eq=False)
class ClientMoments:
    """The second moments that enter the two losses of one client m, with z the estimates of all other clients.

    Attributes
    ----------
    observations : (d, d) ndarray
        E y y^T at one time.
    neighbors : (q, q) ndarray
        E z z^T; plus s I if the messages carry noise of variance s, see `client_moments`.
    observations_neighbors : (d, q) ndarray
        E y z^T.
    innovations_observations : (d, d) ndarray
        E r^t (y^(t-1))^T.
    innovations_neighbors : (d, q) ndarray
        E r^t (z^(t-1))^T.
    innovation_power : float
        E |r|^2.
    """

    observations: Array
    neighbors: Array
    observations_neighbors: Array
    innovations_observations: Array
    innovations_neighbors: Array
    innovation_power: float


def client_moments(
    system: JointSystem, client: int, moments: StationaryMoments | None = None, *, state_noise: float = 0.0
) -> ClientMoments:
    """The moments of one client; independent noise of variance `state_noise` on every estimate that is sent adds to E z z^T.

    Parameters
    ----------
    system : JointSystem
    client : int
        Counted from 0.
    moments : StationaryMoments, optional
        Of the same system; computed if absent.
    state_noise : float

    Raises
    ------
    InputError
        If there is no such client, or the variance is negative.
    """
    if isinstance(client, bool) or not hasattr(client, "__index__") or client not in range(len(system.clients)):
        raise InputError(f"`client` must be one of 0, ..., {len(system.clients) - 1}, got {client!r}")
    if not 0 <= state_noise < np.inf:
        raise InputError(f"`state_noise` must be a variance, zero or positive and finite, got {state_noise!r}")
    whole = stationary_moments(system) if moments is None else moments
    rows, others = system.measurement_slices[client], system.others(client)
    return ClientMoments(
        whole.observations[rows, rows],
        whole.estimates[np.ix_(others, others)] + state_noise * np.eye(len(others)),
        whole.observations_estimates[rows][:, others],
        whole.innovations_observations[rows, rows],
        whole.innovations_estimates[rows][:, others],
        float(np.trace(whole.innovations[rows, rows])),
    )
