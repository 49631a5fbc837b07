"""Federated Granger causality: the Gaussian mechanism against quadrature, its composition, and its effect."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from granger_helpers import EPSILON

from hippo_theory.granger import (
    Client,
    attenuated_coupling,
    classical_sigma,
    client_moments,
    clipped,
    communication,
    composed_sigma,
    example_system,
    gaussian_delta,
    gaussian_epsilon,
    gaussian_sigma,
    innovation_regression,
    joint_system,
    zcdp_epsilon,
)


@pytest.mark.parametrize("epsilon", [0, 0.1, 1, 5])
@pytest.mark.parametrize(("sigma", "sensitivity"), [(0.3, 1), (1, 1), (10, 1), (200, 1), (1.3, 0.7), (0.1, 3)])
def test_the_curve_is_the_hockey_stick_of_two_normals(epsilon, sigma, sensitivity):
    work = mpmath.MPContext()
    work.dps = 30
    shift = sensitivity / work.mpf(sigma)
    start = shift / 2 + epsilon / shift
    density = lambda x: work.exp(-x * x / 2) / work.sqrt(2 * work.pi)  # noqa: E731
    gap = lambda x: density(x - shift) - work.exp(epsilon) * density(x)  # noqa: E731
    grid = [start, *(max(start, shift - 30) + k / work.mpf(2) for k in range(1, 120))]
    expected = work.quad(gap, grid)
    found = gaussian_delta(epsilon, sigma, sensitivity)
    if expected < 1e-300:
        assert found < 1e-300
    else:
        # mpmath takes the floats as they are, too; its quadrature leaves 1e-28.
        assert abs(found - expected) <= 4 * EPSILON * expected + work.mpf(10) ** -28


@pytest.mark.parametrize("delta", [1e-3, 1e-5, 1e-10])
def test_inverses_and_the_classical_formula(delta):
    for epsilon in (0.1, 0.5, 1.0):
        sigma = gaussian_sigma(epsilon, delta, 2)
        assert gaussian_delta(epsilon, sigma, 2) == pytest.approx(delta, rel=1e-9)
        assert gaussian_epsilon(delta, sigma, 2) == pytest.approx(epsilon, rel=1e-9)
        classical = classical_sigma(epsilon, delta, 2)
        assert sigma < classical and gaussian_delta(epsilon, classical, 2) < delta / 70
    assert gaussian_epsilon(0.5, 1) == 0  # below the total variation nothing is left to bound


def test_small_noise_is_inverted_and_small_delta_is_zero():
    # Phi(1/(2 sigma) - epsilon sigma) is nearly all of delta here: epsilon is 1/(2 sigma^2) plus a few 1/sigma.
    assert gaussian_epsilon(1e-5, 1e-5) * 2e-10 == pytest.approx(1, abs=2e-4)
    assert gaussian_delta(37, 1) > 0 == gaussian_delta(38.2, 1)
    assert gaussian_delta(0, 1e-3) == 1


def test_composition():
    assert composed_sigma([3, 4], [3, 4]) == pytest.approx(1 / np.sqrt(2))
    for k in (1, 10, 100):
        exact, bound = gaussian_epsilon(1e-5, composed_sigma([10] * k)), zcdp_epsilon(k / 200, 1e-5)
        assert exact < bound < 1.5 * exact


def test_state_noise_attenuates_as_the_formula_says():
    system = example_system()
    own = client_moments(system, 1)
    for variance in (0.01, 1.0):
        expected = attenuated_coupling(innovation_regression(system, 1), own.neighbors, variance)
        found = innovation_regression(system, 1, state_noise=variance)
        assert np.allclose(found, expected, rtol=0, atol=1e3 * EPSILON)
    noisy = client_moments(system, 1, state_noise=0.5)
    assert np.array_equal(noisy.neighbors, own.neighbors + 0.5 * np.eye(2))
    assert np.array_equal(noisy.innovations_neighbors, own.innovations_neighbors)


def test_what_is_sent():
    clients = [Client(np.eye(2) / 2, np.ones((8, 2)), np.eye(2), np.eye(8))] * 2
    counted = communication(joint_system(clients, {}), rounds=10)
    assert (counted.raw, counted.upward, counted.downward, counted.saving) == (160, 80, 40, 0.5)


def test_large_messages_are_clipped_to_their_bound():
    for size in (1e-300, 1.0, 1e200, 1e308):
        assert clipped([0.6 * size, 0.8 * size], 0.5 * size) == pytest.approx(
            [0.3 * size, 0.4 * size], rel=4 * EPSILON, abs=0
        )
    assert list(clipped([0.0, 0.0], 1)) == [0.0, 0.0] and clipped([], 1).size == 0


def test_noise_may_be_given_as_an_array():
    assert composed_sigma(np.array([3.0, 4.0]), np.array([3.0, 4.0])) == composed_sigma([3, 4], [3, 4])
