"""Federated Granger causality: what the learning converges to, and which estimates do better."""

from __future__ import annotations

import numpy as np
import pytest
from granger_helpers import EPSILON, random_system

from hippo_theory.granger import (
    Client,
    LearningRates,
    client_filters,
    client_moments,
    coupling_of_mean_shift,
    example_system,
    fixed_point,
    innovation_regression,
    joint_system,
    oracle_regression,
    potential,
    relative_error,
    run_filter,
    scalar_attenuation,
    simulate,
    stationary_moments,
)


@pytest.mark.parametrize("seed", range(3))
def test_the_fixed_point_is_the_minimum_of_the_potential(seed):
    system, rates = random_system(seed), LearningRates(0.3, 0.2, 0.7)
    client, moments = system.clients[0], client_moments(system, 0)
    found = fixed_point(client, moments, rates)
    least = potential(client, moments, found.theta, found.coupling, rates)
    rng = np.random.default_rng(seed)
    for _ in range(20):
        a, b = rng.normal(size=found.theta.shape), rng.normal(size=found.coupling.shape)
        up, down = (
            potential(client, moments, found.theta + s * a, found.coupling + s * b, rates) for s in (1e-3, -1e-3)
        )
        assert up > least and down > least and up - down == pytest.approx(0, abs=1e3 * EPSILON * least)
    # The server's rate does not matter, and the label is A theta y.
    again = fixed_point(client, moments, LearningRates(0.3, 0.2, 0.001))
    assert np.allclose(again.coupling, found.coupling, rtol=0, atol=1e-10)
    label = client.A @ found.theta @ moments.observations_neighbors
    assert np.allclose(found.coupling @ moments.neighbors, label, rtol=0, atol=1e-10)


@pytest.mark.parametrize("ratio", [0.0, 0.5, 4.0])
def test_scalar_clients_follow_the_closed_form(ratio):
    clients = [Client([[a]], [[1.0]], [[1.0]], [[1e-9]]) for a in (0.9, 0.3)]
    system = joint_system(clients, {(1, 0): [[0.7]]})
    moments = stationary_moments(system)
    squared = moments.states[0, 1] ** 2 / (moments.states[0, 0] * moments.states[1, 1])
    found = fixed_point(clients[1], client_moments(system, 1, moments), LearningRates(1.0, ratio, 1.0)).coupling.item()
    assert found / 0.7 == pytest.approx(scalar_attenuation(squared, ratio), rel=1e-7)  # of the order of the noise left
    assert scalar_attenuation(1, ratio) == 1


def test_who_is_not_driven_blames_nobody_unless_its_gain_is_wrong():
    system, rates = example_system(), LearningRates(0.1, 0.1, 0.1)
    right = fixed_point(system.clients[0], client_moments(system, 0), rates)
    assert max(np.abs(right.theta).max(), np.abs(right.coupling).max()) <= 100 * EPSILON
    gains = [1.125 * f.gain for f in client_filters(system)]
    moments = client_moments(system, 0, stationary_moments(system, gains=gains))
    assert np.abs(fixed_point(system.clients[0], moments, rates).coupling).max() > 1e-3


@pytest.mark.parametrize("seed", range(3))
def test_regression_on_the_oracle_is_exact_and_on_clients_biased_as_stated(seed):
    system = random_system(seed, sizes=((2, 3), (1, 2)))
    assert relative_error(oracle_regression(system), system.A) <= 1e5 * EPSILON
    moments, others = stationary_moments(system), system.others(1)
    z = moments.estimates[np.ix_(others, others)]
    errors = moments.states_estimates - moments.estimates  # E (h - h^) h^^T
    bias = (system.A @ errors)[system.state_slices[1]][:, others] @ np.linalg.inv(z)
    found = innovation_regression(system, 1)
    assert np.allclose(found, system.A[2:, :2] + bias, rtol=0, atol=1e5 * EPSILON * np.linalg.norm(found))


def test_regressions_from_data():
    system, steps = example_system(), 20_000
    Y = simulate(system, steps + 1, seed=8).observations
    runs = [
        run_filter(c.A, c.C, f.gain, Y[:, part])
        for c, f, part in zip(system.clients, client_filters(system), system.measurement_slices, strict=True)
    ]
    labels = runs[1].innovations[1:] @ np.linalg.pinv(system.clients[1].C).T
    z = runs[0].estimates[:-1]
    found = np.linalg.lstsq(z, labels)[0].T
    # Five standard errors of least squares.
    error = 5 * labels.std() / np.sqrt(steps * np.linalg.eigvalsh(z.T @ z / steps)[0])
    assert np.abs(found - innovation_regression(system, 1)).max() <= error < 0.1


def test_a_shift_of_means_teaches_one_direction():
    system, rates = example_system(), LearningRates(0.1, 0.1, 0.1)
    for size in (1e3, 1e5):
        b = size * np.array([1.0, 0, 0, 0])
        direction, value = coupling_of_mean_shift(system, 1, b)
        own = client_moments(system, 1, stationary_moments(system, input=b))
        found = fixed_point(system.clients[1], own, rates).coupling
        assert np.abs(found @ direction - value).max() <= 1 / size * 1.0 + 1e-6 * size * 1e-3
        assert relative_error(found, system.A[2:, :2]) > 0.5
    small, unit = (coupling_of_mean_shift(system, 1, [size, 0, 0, 0]) for size in (2.0**-80, 1))
    assert all(np.allclose(x * 2.0**80, y, rtol=1e3 * EPSILON) for x, y in zip(small, unit, strict=True))
    # The value by the bias of the filter: e = (I - K C)(A_22 e + A_21 mu_1).
    client, gain = system.clients[1], client_filters(system)[1].gain
    mu = np.linalg.solve(np.eye(4) - system.A, b)
    e = np.zeros(2)
    for _ in range(300):
        e = (np.eye(2) - gain @ client.C) @ (client.A @ e + system.A[2:, :2] @ mu[:2])
    assert np.allclose(value, system.A[2:, :2] @ mu[:2] + client.A @ e, rtol=1e3 * EPSILON)
