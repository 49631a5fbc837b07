"""Systems, rounds and differences for the tests of federated Granger causality."""

from __future__ import annotations

import numpy as np

from hippo_theory.granger import (
    AffineMap,
    Client,
    JointSystem,
    Parameters,
    Round,
)

EPSILON = float(np.finfo(np.float64).eps)


def random_system(seed: int, sizes=((2, 3), (1, 2), (2, 2)), norm=0.95) -> JointSystem:
    """Coupled clients, stable together and alone: no block of A has a larger norm than A."""
    rng = np.random.default_rng(seed)
    P = sum(p for p, _ in sizes)
    A = rng.normal(size=(P, P))
    A *= norm / np.linalg.norm(A, 2)
    clients, coupling, at = [], A.copy(), 0
    for p, d in sizes:
        own = slice(at, at + p)
        half, noise = rng.normal(size=(p, p)), rng.normal(size=(d, d))
        Q, R = half @ half.T + 0.1 * np.eye(p), noise @ noise.T + 0.1 * np.eye(d)
        clients.append(Client(A[own, own], rng.normal(size=(d, p)), (Q + Q.T) / 2, (R + R.T) / 2))
        coupling[own, own] = 0
        at += p
    return JointSystem(tuple(clients), coupling)


def sample_round(system: JointSystem, seed: int) -> Round:
    rng = np.random.default_rng(seed)
    return Round(
        tuple(rng.normal(size=c.states) for c in system.clients),
        tuple(rng.normal(size=c.measurements) for c in system.clients),
        tuple(rng.normal(size=c.measurements) for c in system.clients),
    )


def sample_parameters(system: JointSystem, seed: int) -> Parameters:
    rng = np.random.default_rng(seed)
    coupling = rng.normal(size=system.coupling.shape)
    for part in system.state_slices:
        coupling[part, part] = 0
    return Parameters(tuple(rng.normal(size=(c.states, c.measurements)) for c in system.clients), coupling)


ONE = Client([[0.5]], [[1.0]], [[1.0]], [[1.0]])


def differences(function, array, size=1e-5):
    """Central differences: exact for quadratics but for rounding, eps/size of the values."""
    slopes = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        ends = []
        for sign in (1, -1):
            moved = array.copy()
            moved[place] += sign * size
            ends.append(function(moved))
        slopes[place] = (ends[0] - ends[1]) / (2 * size)
    return slopes


def still(rate: float) -> AffineMap:
    """Two numbers that both shrink by one factor."""
    return AffineMap(rate * np.eye(2), np.ones(2), rate * np.eye(2))
