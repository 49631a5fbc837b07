r"""The joint iteration in expectation: an affine map for each client's part, its potential, and its linear rate.

Both losses split into one part for each client m, of its theta and of the row Â_m of blocks Â_mn (against the stacked
estimates z of all others). With F = A_mm and r the innovation of the client's own filter, y at t-1,

    L_a = E|r - C F theta y|^2,    L_s = E|F theta y - Â_m z|^2,

so that the expected gradients are affine. Two losses and three rates are gradient descent on one convex quadratic

    Phi = eta_1 L_a + eta_2 L_s,    preconditioned by 1 on theta and gamma/eta_2 on Â,

whose matrix is similar to a symmetric one: the iteration has real eigenvalues, and converges linearly with their largest
modulus.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.errors import InputError, checked_size
from hippo_theory.granger.learning import LearningRates
from hippo_theory.granger.model import Client
from hippo_theory.granger.moments import ClientMoments

__all__ = [
    "AffineMap",
    "ObservedRate",
    "distances_to_fixed_point",
    "expected_iteration",
    "expected_losses",
    "largest_server_rate",
    "observed_rate",
    "potential",
    "predicted_rate",
]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class AffineMap:
    """x <- matrix @ x + offset, with x = (theta, Â_m) flattened row by row, theta first.

    Attributes
    ----------
    matrix : (k, k) ndarray
    offset : (k,) ndarray
    symmetric : (k, k) ndarray
        A symmetric matrix with the eigenvalues of `matrix`.
    """

    matrix: Array
    offset: Array
    symmetric: Array


def expected_losses(client: Client, moments: ClientMoments, theta: Any, coupling: Any) -> tuple[float, float]:
    """E L_a and E L_s of one client (a trace each), at theta (p, d) and Â_m (p, q).

    With noise of variance s on the estimates that are sent, E L_s is larger by s (|Â_m|^2 + |A_mm|^2 + p) in truth; the
    part that depends on Â_m, a ridge, is included through `ClientMoments.neighbors`.
    """
    A, C = client.A.astype(float), client.C.astype(float)
    theta, coupling = np.asarray(theta, float), np.asarray(coupling, float)
    moved, seen = A @ theta, C @ A @ theta
    own = (
        moments.innovation_power
        - 2 * np.trace(seen.T @ moments.innovations_observations)
        + np.trace(seen @ moments.observations @ seen.T)
    )
    server = (
        np.trace(moved @ moments.observations @ moved.T)
        - 2 * np.trace(moved @ moments.observations_neighbors @ coupling.T)
        + np.trace(coupling @ moments.neighbors @ coupling.T)
    )
    return float(own), float(server)


def potential(client: Client, moments: ClientMoments, theta: Any, coupling: Any, rates: LearningRates) -> float:
    """Phi = eta_1 E L_a + eta_2 E L_s of one client, which no step increases if the rates are small enough."""
    own, server = expected_losses(client, moments, theta, coupling)
    return float(rates.client * own + rates.message * server)


def expected_iteration(client: Client, moments: ClientMoments, rates: LearningRates) -> AffineMap:
    """One expected step of a client's theta and of the server's row Â_m.

    Parameters
    ----------
    client : Client
    moments : ClientMoments
    rates : LearningRates

    Returns
    -------
    AffineMap

    Examples
    --------
    >>> from hippo_theory.granger import LearningRates, client_moments, example_system, expected_iteration
    >>> system = example_system()
    >>> rates = LearningRates(0.05, 0.05, 0.2)
    >>> expected_iteration(system.clients[1], client_moments(system, 1), rates).matrix.shape
    (10, 10)
    """
    A, C = client.A.astype(float), client.C.astype(float)
    p, q = len(A), len(moments.neighbors)
    Syy, Szz, Syz = moments.observations, moments.neighbors, moments.observations_neighbors
    eta1, eta2, gamma = rates.client, rates.message, rates.server
    theta_theta = 2 * np.kron(eta1 * A.T @ C.T @ C @ A + eta2 * A.T @ A, Syy)
    theta_coupling = -2 * np.kron(A.T, Syz)
    coupling_coupling = 2 * gamma * np.kron(np.eye(p), Szz)
    size = p * (len(Syy) + q)
    matrix = np.eye(size) - np.block(
        [[theta_theta, eta2 * theta_coupling], [gamma * theta_coupling.T, coupling_coupling]]
    )
    mixed = np.sqrt(eta2 * gamma) * theta_coupling
    symmetric = np.eye(size) - np.block([[theta_theta, mixed], [mixed.T, coupling_coupling]])
    offset = np.concatenate([(2 * eta1 * A.T @ C.T @ moments.innovations_observations).ravel(), np.zeros(p * q)])
    return AffineMap(matrix, offset, (symmetric + symmetric.T) / 2)


def predicted_rate(iteration: AffineMap) -> float:
    """The factor by which the distance to the fixed point shrinks in each step in the long run; 1 and above: it does not.

    The spectral radius of the matrix, from its symmetric form: within a few eps times its norm.

    Examples
    --------
    >>> from hippo_theory.granger import LearningRates, client_moments, example_system, expected_iteration, predicted_rate
    >>> system = example_system()
    >>> rates = LearningRates(0.1, 0.1, 0.5)
    >>> 0.9 < predicted_rate(expected_iteration(system.clients[1], client_moments(system, 1), rates)) < 1
    True
    """
    return float(np.abs(np.linalg.eigvalsh(iteration.symmetric)).max())


def largest_server_rate(moments: ClientMoments) -> float:
    """1 / lambda_max(E z z^T): with a larger gamma the joint iteration diverges, whatever the other rates; inf if z is zero.

    The block of Â_m in the symmetric matrix is I - 2 gamma E z z^T, and the eigenvalues of a block lie between those of the
    whole. With feedback (eta_2 > 0) divergence can begin below it.
    """
    largest = float(np.linalg.eigvalsh(moments.neighbors)[-1])
    return 1 / largest if largest > 0 else float("inf")


@dataclass(frozen=True)
class ObservedRate:
    """What running the iteration shows.

    Attributes
    ----------
    rate : float
        The factor by which steps shrank in the end, the mean over the last stride.
    steps : int
        How many were run.
    settled : float
        How much the factor still changed from one stride to the next.
    """

    rate: float
    steps: int
    settled: float


_STRIDE = 64


def observed_rate(iteration: AffineMap, steps: int, start: Any = None) -> ObservedRate:
    """Run the expected iteration, and measure by which factor its steps shrink.

    Of the steps x_(k+1) - x_k each is `matrix` times the one before, so that nothing is lost to the nearness of the fixed
    point; they are taken in strides of 64, by the power of the matrix, and scaled after each.

    Parameters
    ----------
    iteration : AffineMap
    steps : int
        At least 2; rounded down to whole strides.
    start : (k,) array_like, optional
        Zero by default.

    Raises
    ------
    InputError
        If the iteration starts at its fixed point, or the start does not fit.

    Examples
    --------
    >>> from hippo_theory.granger import LearningRates, client_moments, example_system
    >>> from hippo_theory.granger import expected_iteration, observed_rate, predicted_rate
    >>> system = example_system()
    >>> iteration = expected_iteration(system.clients[1], client_moments(system, 1), LearningRates(0.1, 1.0, 0.5))
    >>> abs(observed_rate(iteration, 10_000).rate - predicted_rate(iteration)) < 1e-12
    True
    """
    steps = checked_size("steps", steps, 2)
    x = _start(iteration, start)
    move = iteration.matrix @ x + iteration.offset - x
    length = float(np.linalg.norm(move))
    if length == 0:
        raise InputError("`start` is the fixed point, nothing moves; start elsewhere")
    stride = min(_STRIDE, steps // 2)
    # Over its norm, so that no power overflows, and none of a symmetric matrix vanishes.
    size = float(np.linalg.norm(iteration.matrix, 2))
    power = np.linalg.matrix_power(iteration.matrix / size, stride) if size > 0 else iteration.matrix
    move, rate, change = move / length, 0.0, 0.0
    for number in range(steps // stride):
        following = power @ move
        length = float(np.linalg.norm(following))
        if length == 0:
            return ObservedRate(0.0, (number + 1) * stride, 0.0)
        factor = size * length ** (1 / stride)
        rate, change, move = factor, abs(factor - rate), following / length
    return ObservedRate(rate, steps // stride * stride, change)


def distances_to_fixed_point(iteration: AffineMap, steps: int, start: Any = None) -> Array:
    """The distance of (theta, Â_m) to the fixed point before and after each of so many steps, (steps + 1,).

    Raises
    ------
    InputError
        If there is no unique fixed point.
    """
    steps = checked_size("steps", steps)
    gap = _start(iteration, start) - rest(iteration)
    distances = [float(np.linalg.norm(gap))]
    for _ in range(steps):
        gap = iteration.matrix @ gap
        distances.append(float(np.linalg.norm(gap)))
    return np.array(distances)


def _start(iteration: AffineMap, start: Any) -> Array:
    x = np.zeros(len(iteration.offset)) if start is None else np.asarray(start, dtype=float)
    if x.shape != iteration.offset.shape:
        raise InputError(f"`start` must have the shape {iteration.offset.shape}, theta first, got {x.shape}")
    return x


def rest(iteration: AffineMap) -> Array:
    """The fixed point of an iteration, (k,).

    Raises
    ------
    InputError
        If it is not unique, or not to be told from that in float64.
    """
    difference = np.eye(len(iteration.offset)) - iteration.symmetric
    values = np.linalg.eigvalsh(difference)
    if values[0] <= len(values) * np.finfo(float).eps * values[-1]:
        raise InputError(
            "the fixed point is not unique: A_mm must be invertible (where `rates.message` is zero, C A_mm of full column rank), "
            "`rates.server` and one of the other rates positive and not smaller by many orders of magnitude, and the moments of "
            "measurements and estimates invertible"
        )
    return np.asarray(np.linalg.solve(np.eye(len(iteration.offset)) - iteration.matrix, iteration.offset))
