"""Federated Granger causality: filters against statsmodels, moments against impulse responses, gradients against differences."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippo_theory.errors import InputError
from hippo_theory.figures.granger import granger_convergence, granger_identifiability, granger_privacy
from hippo_theory.granger import (
    AffineMap,
    Client,
    ClientMoments,
    JointSystem,
    LearningRates,
    Parameters,
    Round,
    attenuated_coupling,
    classical_sigma,
    client_filters,
    client_moments,
    clipped,
    communication,
    composed_sigma,
    coupling_of_mean_shift,
    distances_to_fixed_point,
    error_covariance,
    example_system,
    expected_iteration,
    expected_losses,
    fixed_point,
    gaussian_delta,
    gaussian_epsilon,
    gaussian_sigma,
    gradients,
    innovation_regression,
    joint_system,
    largest_server_rate,
    learn,
    losses,
    observed_rate,
    oracle_filter,
    oracle_regression,
    potential,
    predicted_rate,
    predictions,
    relative_error,
    rounds,
    run_filter,
    scalar_attenuation,
    simulate,
    stationary_moments,
    steady_filter,
    step,
    zcdp_epsilon,
    zero_parameters,
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


# --- filters --------------------------------------------------------------------------------------------------------------


def statsmodels_filter(A, C, Q, R, prior, observations):
    """Filtered states and covariances of statsmodels, from the steady prior covariance."""
    library = pytest.importorskip("statsmodels.tsa.statespace.kalman_filter")
    model = library.KalmanFilter(k_endog=len(C), k_states=len(A))
    model["design"], model["transition"], model["selection"] = C, A, np.eye(len(A))
    model["state_cov"], model["obs_cov"] = Q, R
    model.bind(np.ascontiguousarray(observations))
    model.initialize_known(np.zeros(len(A)), prior)
    return model.filter()


@pytest.mark.parametrize("who", [0, 1, "oracle"])
def test_filters_agree_with_statsmodels(who):
    system = example_system()
    observations = simulate(system, 200, seed=1).observations
    if who == "oracle":
        A, C, Q, R = system.A, system.C, system.process_noise, system.measurement_noise
        own, Y = oracle_filter(system), observations
    else:
        client = system.clients[who]
        A, C, Q, R = client.A, client.C, client.process_noise, client.measurement_noise
        own, Y = client_filters(system)[who], observations[:, system.measurement_slices[who]]
    theirs = statsmodels_filter(A, C, Q, R, own.prior, Y)
    ours = run_filter(A, C, own.gain, Y)
    # Both settle at the same rounding level: a few hundred operations, contracted at each step.
    allowed = 400 * np.abs(Y).max() * EPSILON
    assert np.abs(theirs.filtered_state.T - ours.estimates).max() <= allowed
    assert np.abs(theirs.forecasts_error.T - ours.innovations).max() <= allowed
    assert np.abs(theirs.filtered_state_cov[:, :, -1] - own.posterior).max() <= 100 * EPSILON
    assert np.abs(theirs.predicted_state_cov[:, :, -1] - own.prior).max() <= 100 * EPSILON


@pytest.mark.parametrize("seed", range(4))
def test_steady_filters_are_the_limit_of_the_recursion(seed):
    system = random_system(seed)
    A, C, Q, R = system.A, system.C, system.process_noise, system.measurement_noise
    found = steady_filter(A, C, Q, R)
    prior = Q
    for _ in range(400):
        gain = prior @ C.T @ np.linalg.inv(C @ prior @ C.T + R)
        posterior = prior - gain @ C @ prior
        prior = A @ posterior @ A.T + Q
    scale = np.linalg.norm(prior) * np.linalg.cond(C @ prior @ C.T + R)
    assert np.abs(found.prior - prior).max() <= 50 * scale * EPSILON
    assert np.abs(found.posterior - posterior).max() <= 50 * scale * EPSILON
    assert np.abs(found.gain - gain).max() <= 50 * scale * EPSILON


@pytest.mark.parametrize("seed", range(4))
def test_no_client_is_better_than_the_oracle(seed):
    system = random_system(seed)
    best, own = oracle_filter(system), error_covariance(system)
    gap = np.linalg.eigvalsh(own - best.posterior)
    assert gap[0] > 1e3 * EPSILON * np.linalg.norm(own)
    # The joint covariance of clients that are not coupled is what they believe.
    alone = JointSystem(system.clients, 0 * system.coupling)
    beliefs = client_filters(alone)
    truth = error_covariance(alone)
    for belief, part in zip(beliefs, alone.state_slices, strict=True):
        assert np.abs(truth[part, part] - belief.posterior).max() <= 1e3 * EPSILON * np.linalg.norm(truth)


def impulse_sums(system: JointSystem, gains, steps=600):
    """Sums over all times of outer products of (h, h^, y) answers to each unit of noise, run step by step."""
    A, C, P = system.A, system.C, len(system.A)
    roots = [(np.linalg.cholesky(system.process_noise), "w"), (np.linalg.cholesky(system.measurement_noise), "v")]
    total = np.zeros((2 * P + len(C),) * 2)
    lagged = np.zeros((len(C), P + len(C)))  # innovation against (h^, y) of the step before
    power = np.zeros((len(C), len(C)))
    for root, kind in roots:
        for column in root.T:
            h, Y = column if kind == "w" else np.zeros(P), []
            states = []
            for t in range(steps):
                states.append(h)
                Y.append(C @ h + (column if kind == "v" and t == 0 else 0))
                h = A @ h
            Y = np.array(Y)
            runs = [
                run_filter(c.A, c.C, gain, Y[:, part])
                for c, gain, part in zip(system.clients, gains, system.measurement_slices, strict=True)
            ]
            estimates = np.hstack([run.estimates for run in runs])
            innovations = np.hstack([run.innovations for run in runs])
            rows = np.hstack([np.array(states), estimates, Y])
            total += rows.T @ rows
            lagged += innovations[1:].T @ np.hstack([estimates, Y])[:-1]
            power += innovations.T @ innovations
    return total, lagged, power


@pytest.mark.parametrize("seed", range(2))
def test_moments_are_sums_over_impulse_responses(seed):
    system = random_system(seed)
    gains = [f.gain for f in client_filters(system)]
    total, lagged, power = impulse_sums(system, gains)
    P = len(system.A)
    found = stationary_moments(system)
    h, c, y = slice(0, P), slice(P, 2 * P), slice(2 * P, None)
    allowed = 1e4 * np.abs(total).max() * EPSILON  # sums of 600 steps, and an ill-conditioned Lyapunov system
    assert np.abs(found.states - total[h, h]).max() <= allowed
    assert np.abs(found.estimates - total[c, c]).max() <= allowed
    assert np.abs(found.states_estimates - total[h, c]).max() <= allowed
    assert np.abs(found.observations - total[y, y]).max() <= allowed
    assert np.abs(found.observations_estimates - total[y, c]).max() <= allowed
    assert np.abs(found.innovations_estimates - lagged[:, :P]).max() <= allowed
    assert np.abs(found.innovations_observations - lagged[:, P:]).max() <= allowed
    assert np.abs(found.innovations - power).max() <= allowed
    errors = total[h, h] - total[h, c] - total[c, h] + total[c, c]
    assert np.abs(error_covariance(system) - errors).max() <= allowed


def test_a_constant_input_shifts_means():
    system, b = example_system(), np.array([1.0, 0.5, -2.0, 0.0])
    h = np.zeros(4)
    for _ in range(400):
        h = system.A @ h + b
    Y = np.tile(system.C @ h, (400, 1))
    runs = [
        run_filter(c.A, c.C, f.gain, Y[:, part])
        for c, f, part in zip(system.clients, client_filters(system), system.measurement_slices, strict=True)
    ]
    estimate = np.concatenate([run.estimates[-1] for run in runs])
    innovation = np.concatenate([run.innovations[-1] for run in runs])
    with_input, without = stationary_moments(system, input=b), stationary_moments(system)
    close = {"rtol": 0, "atol": 200 * EPSILON * np.abs(Y).max() ** 2}
    assert np.allclose(with_input.state_mean, h, **close)
    assert np.allclose(with_input.estimate_mean, estimate, **close)
    assert np.allclose(with_input.states - without.states, np.outer(h, h), **close)
    assert np.allclose(with_input.estimates - without.estimates, np.outer(estimate, estimate), **close)
    assert np.allclose(with_input.innovations - without.innovations, np.outer(innovation, innovation), **close)
    pairs = with_input.innovations_observations - without.innovations_observations
    assert np.allclose(pairs, np.outer(innovation, Y[0]), **close)
    pairs = with_input.innovations_estimates - without.innovations_estimates
    assert np.allclose(pairs, np.outer(innovation, estimate), **close)


def test_simulated_data_have_these_moments():
    system, steps = example_system(), 20_000
    recording, moments = (
        simulate(system, steps, seed=2, input=[0.5, 0, 0, 0]),
        stationary_moments(system, input=[0.5, 0, 0, 0]),
    )
    # Five standard errors; correlations in time leave a quarter of the samples or so.
    allowed = 5 * np.abs(moments.observations).max() / np.sqrt(steps / 4)
    assert np.abs(recording.states.T @ recording.states / steps - moments.states).max() <= allowed
    assert np.abs(recording.observations.T @ recording.observations / steps - moments.observations).max() <= allowed
    assert np.abs(recording.observations.mean(axis=0) - system.C @ moments.state_mean).max() <= allowed


# --- learning -------------------------------------------------------------------------------------------------------------


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


def test_large_messages_are_clipped_to_their_bound():
    for size in (1e-300, 1.0, 1e200, 1e308):
        assert clipped([0.6 * size, 0.8 * size], 0.5 * size) == pytest.approx(
            [0.3 * size, 0.4 * size], rel=4 * EPSILON, abs=0
        )
    assert list(clipped([0.0, 0.0], 1)) == [0.0, 0.0] and clipped([], 1).size == 0


def test_noise_may_be_given_as_an_array():
    assert composed_sigma(np.array([3.0, 4.0]), np.array([3.0, 4.0])) == composed_sigma([3, 4], [3, 4])


def test_without_neighbors_every_server_rate_converges():
    silent = Client([[0.5]], [[1.0]], [[0.0]], [[1.0]])
    assert largest_server_rate(client_moments(joint_system([silent, ONE], {}), 1)) == np.inf


# --- what is identified ---------------------------------------------------------------------------------------------------


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
    # The value by the bias of the filter: e = (I - K C)(A_22 e + A_21 mu_1).
    client, gain = system.clients[1], client_filters(system)[1].gain
    mu = np.linalg.solve(np.eye(4) - system.A, b)
    e = np.zeros(2)
    for _ in range(300):
        e = (np.eye(2) - gain @ client.C) @ (client.A @ e + system.A[2:, :2] @ mu[:2])
    assert np.allclose(value, system.A[2:, :2] @ mu[:2] + client.A @ e, rtol=1e3 * EPSILON)


# --- privacy --------------------------------------------------------------------------------------------------------------


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


# --- refusals -------------------------------------------------------------------------------------------------------------

ONE = Client([[0.5]], [[1.0]], [[1.0]], [[1.0]])


def half_seen() -> JointSystem:
    """The example with a second client that measures only its first state."""
    first, second = example_system().clients
    return JointSystem(
        (first, Client(second.A, [[1.0, 0.0]], second.process_noise, [[0.25]])), example_system().coupling
    )


def learn_once(**options) -> object:
    system = example_system()
    return learn(system, [sample_round(system, 0)], LearningRates(0.1, 0.1, 0.1), **options)


def still(rate: float) -> AffineMap:
    """Two numbers that both shrink by one factor."""
    return AffineMap(rate * np.eye(2), np.ones(2), rate * np.eye(2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Client([[1.0, 0.0]], [[1.0]], [[1.0]], [[1.0]]), "`A` must be square"),
        (lambda: Client([[0.5]], [[1.0, 2.0]], [[1.0]], [[1.0]]), "`C` must be a matrix of any x 1"),
        (lambda: Client([[0.5]], [[1.0]], [[-1.0]], [[1.0]]), "`process_noise` must be positive semidefinite"),
        (lambda: Client([[0.5]], [[1.0]], [[1.0]], [[0.0]]), "`measurement_noise` must be positive definite"),
        (lambda: Client([[np.nan]], [[1.0]], [[1.0]], [[1.0]]), "`A` holds NaN"),
        (lambda: Client(np.eye(2), np.eye(2), [[1.0, 1.0], [0.0, 1.0]], np.eye(2)), "must be symmetric"),
        (lambda: joint_system([ONE], {}), "at least two"),
        (lambda: joint_system([ONE, ONE], {(0, 0): [[1.0]]}), "two different clients"),
        (lambda: joint_system([ONE, ONE], {(0, 1): [[1.0, 2.0]]}), r"`blocks\[0, 1\]` must be a matrix of 1 x 1"),
        (lambda: JointSystem((ONE, ONE), np.eye(2)), "zero on the diagonal blocks"),
        (
            lambda: stationary_moments(joint_system([Client([[1.5]], [[1.0]], [[1.0]], [[1.0]]), ONE], {})),
            "must be stable",
        ),
        (lambda: steady_filter([[2.0]], [[0.0]], [[1.0]], [[1.0]]), "no steady filter"),
        (lambda: error_covariance(example_system(), [np.zeros((2, 2))] * 2), r"`gains\[0\]` must have the shape"),
        (lambda: run_filter([[0.5]], [[1.0]], [[1.0]], [1.0, 2.0]), "`observations` must be"),
        (lambda: client_moments(example_system(), 2), "must be one of 0, ..., 1"),
        (lambda: client_moments(example_system(), 0, state_noise=-1), "must be a variance"),
        (lambda: innovation_regression(example_system(), 5), "one of 0, ..., 1, got 5"),
        (lambda: simulate(example_system(), 5, seed=0, input=[1.0]), "`input` must be 4 finite numbers"),
        (lambda: coupling_of_mean_shift(example_system(), 1, np.zeros(4)), "`input` must not be zero"),
        (lambda: LearningRates(-0.1, 0.1, 0.1), "learning rate `client`"),
        (lambda: learn(example_system(), [], LearningRates(1, 1, 1)), "`batch` must be between"),
        (
            lambda: fixed_point(ONE, client_moments(joint_system([ONE, ONE], {}), 0), LearningRates(0, 0, 1)),
            "not unique",
        ),
        (lambda: gaussian_delta(-1, 1), "`epsilon` must be finite and at least 0"),
        (lambda: gaussian_epsilon(2, 1), "`delta` must be a probability"),
        (lambda: classical_sigma(2, 1e-5), "use `gaussian_sigma`"),
        (lambda: composed_sigma([]), "not none"),
        (lambda: clipped([1.0], 0), "`bound` must be finite and above 0"),
        (lambda: clipped([np.nan, 1.0], 1), "`message` holds NaN"),
        (lambda: clipped([np.inf, 1.0], 1), "`message` holds NaN or infinity"),
        (lambda: gaussian_epsilon(1e-5, 1e-200), "`sigma` must exceed"),
        (lambda: attenuated_coupling([[1.0]], [[0.0]], 0), "singular"),
        (lambda: attenuated_coupling([[1.0]], [[np.nan]], 1), "finite"),
        (lambda: joint_system([], {}), "nobody to couple to"),
        (lambda: joint_system([ONE, ONE], {0: [[1.0]]}), "`blocks` couples 0"),
        (
            lambda: steady_filter([[0.5]], [[1.0]], [[-1.0]], [[1.0]]),
            "`process_noise` must be .* least eigenvalue is -1",
        ),
        (
            lambda: steady_filter([[0.5]], [[1.0]], [[1.0]], [[0.0]]),
            "`measurement_noise` must be .* least eigenvalue is 0",
        ),
        (lambda: run_filter([[0.5, 1.0]], [[1.0]], [[1.0]], [[1.0]]), r"`A` must be \(p, p\)"),
        (lambda: run_filter([[0.5]], [[1.0]], [[1.0]], [[np.nan]]), "must be finite"),
        (lambda: rounds(example_system(), simulate(example_system(), 3, seed=0), gains=[np.zeros((2, 3))]), "`gains`"),
        (lambda: coupling_of_mean_shift(example_system(), 1, [0, 0, 1.0, 0]), "shifts no client but 1"),
        (lambda: coupling_of_mean_shift(half_seen(), 1, [1.0, 0, 0, 0]), "full column rank"),
        (lambda: learn_once(message_noise=-1.0), "`message_noise`"),
        (lambda: learn_once(gradient_noise=np.nan), "`gradient_noise`"),
        (lambda: learn_once(clip=0.0), "`clip`"),
        (lambda: learn_once(batch=1.5), "`batch`"),
        (lambda: observed_rate(still(0.5), 10, [1.0]), "^`start` must have the shape"),
        (lambda: distances_to_fixed_point(still(0.5), 10, [1.0]), "`start` must have the shape"),
        (lambda: attenuated_coupling([[1.0]], np.eye(2), 1.0), "must be square and fit"),
        (lambda: relative_error([[1.0]], [[0.0]]), "must not be zero"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_way_out(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_values_cannot_be_changed():
    system = example_system()
    with pytest.raises(ValueError, match="read-only"):
        system.clients[0].A[0, 0] = 1
    assert np.array_equal(zero_parameters(system).coupling, np.zeros((4, 4)))


# --- figures --------------------------------------------------------------------------------------------------------------


def test_the_figure_of_convergence():
    data = granger_convergence(None, steps=100_000, shown=50, dots=5)
    assert data["largest_difference"] <= 1e-6
    z = stationary_moments(example_system()).estimates[:2, :2]
    trace, determinant = np.trace(z), np.linalg.det(z)
    assert data["threshold"] == pytest.approx(1 / (trace / 2 + np.sqrt(trace**2 / 4 - determinant)))
    assert (data["predicted"][data["grid"] > data["threshold"]] > 1).all()
    assert (np.diff(data["distance"], axis=1) < 0).all()
    settled = granger_convergence(None, steps=1000, shown=400, dots=2)
    assert np.allclose(settled["distance"][:, -1] / settled["distance"][:, -2], settled["slope"], rtol=0, atol=5e-4)


def test_the_figure_of_identifiability():
    data = granger_identifiability(None, points=5)
    for ratio, values in zip(data["ratio"], data["measured"], strict=True):
        r2 = data["measured_correlation"]
        assert np.allclose(values, r2 / (1 + ratio - ratio * r2), rtol=1e-6)
    r2, ratio = data["squared_correlation"], data["ratio"][:, None]
    assert np.allclose(data["attenuation"], r2 / (1 + ratio - ratio * r2), rtol=10 * EPSILON)
    # First order in the noise at the left end.
    slope = np.diff(np.log(data["innovation_error"][:2])) / np.diff(np.log(data["noise"][:2]))
    assert abs(slope.item() - 1) < 0.05
    assert (data["learned_error"] > 0.8).all()


def test_the_figure_of_privacy():
    data = granger_privacy(None, samples=4000, points=7)
    assert (np.diff(data["delta"], axis=1) < 0).all() and (data["exact_epsilon"] < data["bound_epsilon"]).all()
    assert (
        data["overstated"] == data["bound_epsilon"][-1] / data["exact_epsilon"][-1]
        and data["last"] == data["messages"][-1]
    )
    total_variation = [float(mpmath.erf(1 / (2 * mpmath.sqrt(2) * sigma))) for sigma in data["sigma"]]
    assert np.allclose(data["delta"][:, 0], total_variation, rtol=8 * EPSILON)
    again = [
        classical_sigma(e, d)
        for e, d in zip(data["classical_epsilon"], data["classical_delta"][3], strict=True)
        if d < 1
    ]
    assert np.allclose(again, 8)
    expected = np.interp(data["simulated_at"], data["noise"], data["remaining"])
    assert np.abs(expected - data["simulated"]).max() < 0.08  # five standard errors or so of 4000 steps
