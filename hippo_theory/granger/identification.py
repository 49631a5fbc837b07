r"""What the learning converges to, and when that is the true coupling.

At a fixed point theta minimizes eta_1 L_a + eta_2 L_s and

    Â_m E[z z^T] = A_mm theta_m E[y_m z^T] :

the server learns to predict a label that client m makes of its *own* past. Nobody driving client m is found exactly
(theta_m = 0, Â_m = 0). A true coupling is found only as far as the client's past shows it: for two scalar clients that see
their states without noise

    Â_21 = A_21 r^2 / (1 + (eta_2/eta_1)(1 - r^2)),    r the correlation of both states,

which is A_21 only for r^2 = 1. Two estimates that do better stand beside it: the regression of innovations, which clients
can send as well, and that of the oracle's states, which is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve, solve_discrete_lyapunov

from hippo_theory.errors import InputError
from hippo_theory.granger.filters import oracle_filter
from hippo_theory.granger.iteration import expected_iteration, rest
from hippo_theory.granger.learning import LearningRates
from hippo_theory.granger.model import Client, JointSystem, constant_input, require_stable
from hippo_theory.granger.moments import ClientMoments, StationaryMoments, client_moments, stationary_moments

__all__ = [
    "FixedPoint",
    "coupling_of_mean_shift",
    "fixed_point",
    "innovation_regression",
    "oracle_regression",
    "relative_error",
    "scalar_attenuation",
]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """Where the expected iteration of one client rests.

    Attributes
    ----------
    theta : (p, d) ndarray
    coupling : (p, q) ndarray
        Â_m against the stacked estimates of all other clients.
    """

    theta: Array
    coupling: Array


def fixed_point(client: Client, moments: ClientMoments, rates: LearningRates) -> FixedPoint:
    """The minimum of Phi = eta_1 L_a + eta_2 L_s; the server's rate is of no influence.

    Raises
    ------
    InputError
        If it is not unique: A_mm must be invertible (for eta_2 = 0: C A_mm of full column rank), eta_1 or eta_2 positive, and
        the second moment of (y, z) invertible.

    Examples
    --------
    The first client is driven by nobody, and that is found; the coupling of the second is not.

    >>> import numpy as np
    >>> from hippo_theory.granger import LearningRates, client_moments, example_system, fixed_point, relative_error
    >>> system, rates = example_system(), LearningRates(0.1, 0.1, 0.1)
    >>> bool(abs(fixed_point(system.clients[0], client_moments(system, 0), rates).coupling).max() < 1e-14)
    True
    >>> found = fixed_point(system.clients[1], client_moments(system, 1), rates).coupling
    >>> relative_error(found, system.A[2:, :2]) > 0.5
    True
    """
    p, d = client.states, client.measurements
    # Any positive rate of the server leads to the same point; eta_2 makes the matrix symmetric, 1 where that is zero.
    server = rates.message if rates.message > 0 else 1.0
    iteration = expected_iteration(client, moments, LearningRates(rates.client, rates.message, server))
    found = rest(iteration)
    return FixedPoint(found[: p * d].reshape(p, d), found[p * d :].reshape(p, -1))


def scalar_attenuation(squared_correlation: Any, ratio: Any) -> Any:
    """Â_21 / A_21 for scalar clients that see their states without noise: r^2 / (1 + ratio (1 - r^2)), ratio = eta_2/eta_1.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from hippo_theory.granger import scalar_attenuation
    >>> scalar_attenuation(Fraction(1, 2), 1)
    Fraction(1, 3)
    """
    return squared_correlation / (1 + ratio * (1 - squared_correlation))


def innovation_regression(
    system: JointSystem, client: int, moments: StationaryMoments | None = None, *, state_noise: float = 0.0
) -> Array:
    """Â_m from regressing the client's innovation, seen through a left inverse of C, on the others' estimates, (p, q).

        Â_m = C^+ E[r^t z^T] E[z z^T]^(-1) = (A_m E[h z^T] - A_mm E[h^_m z^T]) E[z z^T]^(-1),

    A_m the rows of A that belong to m. It is biased by A_mm E[(h_m - h^_m) z^T] + sum_n A_mn E[(h_n - h^_n) z^T], which
    vanishes where clients see their states well.

    Raises
    ------
    InputError
        If C has not full column rank.
    """
    own = client_moments(system, client, moments, state_noise=state_noise)
    C = _require_seen(system, client)
    return _regressed(np.linalg.pinv(C) @ own.innovations_neighbors, own.neighbors)


def oracle_regression(system: JointSystem) -> Array:
    """E[h^t (o^(t-1))^T] E[o o^T]^(-1) with the oracle's estimates o, (P, P): exactly A, since its errors are orthogonal to it.

    E[o o^T] = E[h h^T] - posterior; the first from the Lyapunov equation of o itself, whose innovations are white.

    Raises
    ------
    InputError
        If E[o o^T] is not invertible.
    """
    A, oracle, C = require_stable(system), oracle_filter(system), system.C.astype(float)
    P = len(A)
    # (h, o) as a pair, without using that h - o is orthogonal to o: h follows A, o follows (I - K C) A and K y.
    seen = oracle.gain @ C
    transition = np.block([[A, np.zeros((P, P))], [seen @ A, A - seen @ A]])
    driven, measured = np.vstack([np.eye(P), seen]), np.vstack([np.zeros_like(oracle.gain), oracle.gain])
    noise = (
        driven @ system.process_noise.astype(float) @ driven.T
        + measured @ system.measurement_noise.astype(float) @ measured.T
    )
    joint = solve_discrete_lyapunov(transition, noise)
    return _regressed(A @ joint[:P, P:], joint[P:, P:])


def coupling_of_mean_shift(system: JointSystem, client: int, input: Any) -> tuple[Array, Array]:
    """What a shift of the means teaches: the direction z and the value A_m' that Â_m z tends to as the shift grows.

    With h_mean = (I - A)^(-1) b and the bias e of client m's filter, e = (I - K C)(A_mm e + sum_n A_mn h_mean_n + b_m),

        Â_m E[z] -> h_mean_m - A_mm E[h^_m] = sum_n A_mn h_mean_n + b_m + A_mm e.

    Only this one direction is learned from the shift, and as the sum of the true effect and the filter's bias. It must be
    shifted at all, and the client must see its whole state: if C has not full column rank, theta fits C times this value only.

    Returns
    -------
    direction : (q,) ndarray
        E[z] of all other clients' estimates.
    value : (p,) ndarray

    Raises
    ------
    InputError
        If nothing is shifted, the estimates of the others are not, or C of the client has not full column rank.

    Examples
    --------
    >>> from hippo_theory.granger import coupling_of_mean_shift, example_system
    >>> direction, value = coupling_of_mean_shift(example_system(), 1, [1.0, 0, 0, 0])
    >>> direction.shape, value.shape
    ((2,), (2,))
    """
    b = constant_input(system, input)
    if not b.any():
        raise InputError("`input` must not be zero; give the constant b whose effect is asked for")
    moments = stationary_moments(system, input=b)
    client_moments(system, client, moments)  # refuses a client that does not exist
    _require_seen(system, client)
    part, others = system.state_slices[client], system.others(client)
    own, direction = system.clients[client].A.astype(float), moments.estimate_mean[others]
    # Means of clients that nothing reaches are zero but for roundings of the solution.
    rounding = 64 * len(b) * float(np.finfo(np.float64).eps) * float(np.linalg.norm(moments.state_mean))
    if np.linalg.norm(direction) <= rounding:
        raise InputError(f"`input` shifts no client but {client}, which teaches nothing; shift one that drives it")
    return direction, moments.state_mean[part] - own @ moments.estimate_mean[part]


def relative_error(found: Any, true: Any) -> float:
    """Frobenius norm of the difference over that of the truth.

    Raises
    ------
    InputError
        If the truth is zero.
    """
    found, true = np.asarray(found, dtype=float), np.asarray(true, dtype=float)
    size = float(np.linalg.norm(true))
    if size == 0:
        raise InputError("`true` must not be zero; look at the norm of what was found")
    return float(np.linalg.norm(found - true)) / size


def _require_seen(system: JointSystem, client: int) -> Array:
    """C of a client, which must have full column rank."""
    C: Array = system.clients[client].C.astype(float)
    if np.linalg.matrix_rank(C) < C.shape[1]:
        raise InputError(
            f"`C` of client {client} must have full column rank {C.shape[1]}, so that it sees its whole state; add measurements"
        )
    return C


def _regressed(cross: Array, moment: Array) -> Array:
    try:
        return np.asarray(solve(moment, cross.T, assume_a="pos").T)
    except np.linalg.LinAlgError:
        raise InputError(
            "the estimates that are regressed on have a singular second moment; drive every state"
        ) from None
