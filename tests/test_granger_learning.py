"""Federated Granger causality: gradients against differences, the joint iteration, and its rates."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from granger_helpers import EPSILON, ONE, differences, random_system, sample_parameters, sample_round, still
from hypothesis import given
from hypothesis import strategies as st

from hippo_theory.granger import (
    Client,
    ClientMoments,
    JointSystem,
    LearningRates,
    Parameters,
    Round,
    client_moments,
    clipped,
    distances_to_fixed_point,
    example_system,
    expected_iteration,
    expected_losses,
    fixed_point,
    gradients,
    joint_system,
    largest_server_rate,
    learn,
    losses,
    observed_rate,
    potential,
    predicted_rate,
    predictions,
    relative_error,
    rounds,
    simulate,
    step,
)


@given(seed=st.integers(0, 10**6))
def test_finite_differences_match_every_gradient(seed):
    system = random_system(seed % 7)
    at, moment = sample_parameters(system, seed), sample_round(system, seed + 1)
    found, value = gradients(system, at, moment), losses(system, at, moment)
    allowed = 50 * EPSILON / 1e-5 * (value.server + sum(value.clients))
    for m in range(len(system.clients)):

        def with_theta(theta, m=m):
            return Parameters((*at.theta[:m], theta, *at.theta[m + 1 :]), at.coupling)

        own = differences(lambda theta, m=m: losses(system, with_theta(theta), moment).clients[m], at.theta[m])
        shared = differences(lambda theta: losses(system, with_theta(theta), moment).server, at.theta[m])
        assert np.abs(found.client[m] - own).max() <= allowed
        assert np.abs(found.through_messages[m] - shared).max() <= allowed
        augmented, served = predictions(system, at, moment)
        message = differences(lambda a, s=served[m]: ((a - s) ** 2).sum(), augmented[m])
        assert np.abs(found.messages[m] - message).max() <= allowed
    slopes = differences(lambda c: losses(system, Parameters(at.theta, c), moment).server, at.coupling)
    for part in system.state_slices:
        slopes[part, part] = 0
    assert np.abs(found.coupling - slopes).max() <= allowed


def test_exact_numbers_stay_exact():
    thirds = [Fraction(1, 3), Fraction(2, 3)]
    clients = [Client(np.array([[third]], dtype=object), [[1]], [[1]], [[1]]) for third in thirds]
    system = joint_system(clients, {})
    vector = tuple(np.array([Fraction(1, 7)], dtype=object) for _ in clients)
    at = Parameters(tuple(np.array([[Fraction(1, 5)]], dtype=object) for _ in clients), np.full((2, 2), Fraction(0)))
    found = gradients(system, at, Round(vector, vector, vector))
    assert all(type(value.item()) is Fraction for value in (*found.messages, *found.through_messages))
    # By hand: a - s = A theta y = (1/3)(1/5)(1/7).
    assert found.messages[0].item() == Fraction(2, 105)


def empirical(system: JointSystem, data: list[Round], client: int) -> ClientMoments:
    """Means over rounds, with the innovation from its definition."""
    mine = system.clients[client]
    y = np.array([one.previous[client] for one in data])
    z = np.array([np.concatenate([e for n, e in enumerate(one.estimates) if n != client]) for one in data])
    r = np.array([one.current[client] - mine.C @ mine.A @ one.estimates[client] for one in data])
    n = len(data)
    return ClientMoments(y.T @ y / n, z.T @ z / n, y.T @ z / n, r.T @ y / n, r.T @ z / n, float((r**2).sum()) / n)


@pytest.mark.parametrize("client", [0, 1, 2])
def test_the_affine_map_is_the_mean_step_over_data(client):
    system = random_system(3)
    data = rounds(system, simulate(system, 12, seed=4))
    at, rates = sample_parameters(system, 5), LearningRates(0.01, 0.02, 0.03)
    after = learn(system, data, rates, start=at, batch=len(data))[-1]
    rows, others = system.state_slices[client], system.others(client)
    flat = lambda p: np.concatenate([p.theta[client].ravel(), p.coupling[rows][:, others].ravel()])  # noqa: E731
    moments = empirical(system, data, client)
    iteration = expected_iteration(system.clients[client], moments, rates)
    allowed = 200 * EPSILON * np.abs(iteration.matrix).max() * np.abs(flat(at)).max()
    assert np.abs(iteration.matrix @ flat(at) + iteration.offset - flat(after)).max() <= allowed
    # And the expected losses are means of those of the rounds.
    own, server = expected_losses(system.clients[client], moments, at.theta[client], at.coupling[rows][:, others])
    means = np.mean([losses(system, at, one).clients[client] for one in data])
    pairs = [predictions(system, at, one) for one in data]
    gaps = np.mean([((a[client] - s[client]) ** 2).sum() for a, s in pairs])
    assert own == pytest.approx(means, rel=1e3 * EPSILON) and server == pytest.approx(gaps, rel=1e3 * EPSILON)


def test_the_iteration_descends_the_potential_along_its_preconditioned_gradient():
    system, rates = example_system(), LearningRates(0.05, 0.2, 0.3)
    client, moments = system.clients[1], client_moments(system, 1)
    iteration = expected_iteration(client, moments, rates)
    x = np.random.default_rng(0).normal(size=10)
    phi = lambda v: potential(client, moments, v[:6].reshape(2, 3), v[6:].reshape(2, 2), rates)  # noqa: E731
    scale = np.array([1.0] * 6 + [rates.server / rates.message] * 4)
    slope = differences(phi, x, 1e-4)
    moved = iteration.matrix @ x + iteration.offset
    assert np.abs(x - scale * slope - moved).max() <= 50 * EPSILON / 1e-4 * phi(x)
    values = [phi(x)]
    for _ in range(50):
        x = iteration.matrix @ x + iteration.offset
        values.append(phi(x))
    assert (np.diff(values) < 0).all()


@pytest.mark.parametrize(
    "rates", [(0.1, 0.1, 0.5), (0.1, 1.0, 0.5), (0.2, 0.01, 1.0), (0.1, 1.0, 6.3), (0.1, 0.0, 0.3), (0.05, 2.0, 0.1)]
)
def test_predicted_and_observed_rates_agree_to_a_millionth(rates):
    system = example_system()
    iteration = expected_iteration(system.clients[1], client_moments(system, 1), LearningRates(*rates))
    observed = observed_rate(iteration, 300_000)
    assert abs(observed.rate - predicted_rate(iteration)) <= 1e-6
    assert observed.settled <= 1e-8
    # The eigenvalues of the matrix itself, which is not symmetric, are those of the symmetric one.
    values = np.linalg.eigvals(iteration.matrix)
    assert np.abs(values.imag).max() <= 1e-7 and np.allclose(
        np.sort(values.real), np.linalg.eigvalsh(iteration.symmetric), atol=1e-7
    )


def test_beyond_the_threshold_it_diverges_whatever_the_other_rates():
    system = example_system()
    moments = client_moments(system, 1)
    gamma = largest_server_rate(moments)
    for own, message in ((0.0, 0.0), (0.05, 0.05), (0.1, 1.0), (0.3, 0.0)):
        beyond = expected_iteration(system.clients[1], moments, LearningRates(own, message, gamma * (1 + 1e-6)))
        assert predicted_rate(beyond) > 1
    # Without feedback it is the exact threshold of the server's part.
    within = expected_iteration(system.clients[1], moments, LearningRates(0.1, 0.0, gamma * (1 - 1e-6)))
    assert predicted_rate(within) < 1


def test_distances_fall_with_the_rate():
    system = example_system()
    iteration = expected_iteration(system.clients[1], client_moments(system, 1), LearningRates(0.1, 1.0, 0.3))
    distances = distances_to_fixed_point(iteration, 300)
    factors = distances[1:] / distances[:-1]
    assert (factors <= 1).all() and factors[-1] == pytest.approx(predicted_rate(iteration), abs=1e-3)
    x = np.zeros(10)
    found = fixed_point(system.clients[1], client_moments(system, 1), LearningRates(0.1, 1.0, 0.3))
    fixed = np.concatenate([found.theta.ravel(), found.coupling.ravel()])
    for distance in distances[:20]:
        assert distance == pytest.approx(np.linalg.norm(x - fixed), rel=1e-10)
        x = iteration.matrix @ x + iteration.offset


def test_learning_from_data_comes_to_the_fixed_point():
    system, rates = example_system(), LearningRates(0.1, 1.0, 0.5)
    data = rounds(system, simulate(system, 4000, seed=6))
    path = learn(system, data, rates, batch=20)
    found = fixed_point(system.clients[1], client_moments(system, 1), rates)
    mean = np.mean([p.coupling[2:, :2] for p in path[50:]], axis=0)
    assert np.linalg.norm(mean - found.coupling) < 0.2 * np.linalg.norm(system.A[2:, :2])
    assert relative_error(mean, system.A[2:, :2]) > 0.8  # not the true coupling


def test_noise_on_messages_is_drawn_and_its_gradient_is_unbiased():
    system, rates = example_system(), LearningRates(0.0, 1.0, 1.0)
    at, moment = sample_parameters(system, 1), sample_round(system, 2)
    exact = step(at, gradients(system, at, moment), rates)
    drawn = [learn(system, [moment], rates, start=at, gradient_noise=0.5, seed=seed)[-1] for seed in range(1000)]
    assert all(np.array_equal(one.coupling, exact.coupling) for one in drawn)  # the server's own gradient has no noise
    moves = np.array([one.theta[1] - exact.theta[1] for one in drawn])
    spread = 0.5 * np.outer(np.linalg.norm(system.clients[1].A, axis=0), np.abs(moment.previous[1]))
    # Five standard errors of a mean and of a standard deviation.
    assert (np.abs(moves.mean(axis=0)) <= 5 * spread / np.sqrt(1000)).all()
    assert (np.abs(moves.std(axis=0) / spread - 1) <= 5 / np.sqrt(2000)).all()
    # Noise s on what is sent up is, for the server, a ridge 2 s Â.
    noisy = learn(system, [moment] * 4000, rates, start=at, batch=4000, message_noise=0.3)[-1]
    ridge = exact.coupling - 2 * 0.09 * at.coupling
    assert np.abs(noisy.coupling - ridge).max() <= 0.2
    assert np.abs(noisy.coupling - exact.coupling).max() > np.abs(noisy.coupling - ridge).max()


def test_messages_are_clipped_before_their_noise():
    system, rates = example_system(), LearningRates(0.0, 1.0, 1.0)
    at, moment = sample_parameters(system, 1), sample_round(system, 2)
    exact = learn(system, [moment], rates, start=at)[-1]
    loose = learn(system, [moment], rates, start=at, clip=1e6)[-1]
    assert np.array_equal(loose.theta[1], exact.theta[1]) and np.array_equal(loose.coupling, exact.coupling)
    bound = 0.125
    tight = learn(system, [moment], rates, start=at, clip=bound)[-1]
    short = [clipped(value, bound) for value in moment.estimates]
    assert [float(np.linalg.norm(value)) for value in short] == pytest.approx([bound, bound])
    for m, client in enumerate(system.clients):
        rows, other = system.state_slices[m], system.state_slices[1 - m]
        a = clipped(client.A @ (moment.estimates[m] + at.theta[m] @ moment.previous[m]), bound)
        g = 2 * (a - client.A @ short[m] - at.coupling[rows, other] @ short[1 - m])
        moved = at.theta[m] - np.outer(client.A.T @ clipped(g, bound), moment.previous[m])
        assert np.allclose(tight.theta[m], moved, rtol=0, atol=20 * EPSILON)
        assert np.allclose(
            tight.coupling[rows, other], at.coupling[rows, other] + np.outer(g, short[1 - m]), rtol=0, atol=20 * EPSILON
        )


@pytest.mark.parametrize("rate", [1e-200, 1e-6, 0.5, 1e6])
def test_rates_of_any_size_are_observed(rate):
    assert observed_rate(still(rate), 1000).rate == pytest.approx(rate, rel=64 * EPSILON, abs=0)
    assert observed_rate(still(0.0), 1000).rate == 0


def test_without_neighbors_every_server_rate_converges():
    silent = Client([[0.5]], [[1.0]], [[0.0]], [[1.0]])
    assert largest_server_rate(client_moments(joint_system([silent, ONE], {}), 1)) == np.inf
