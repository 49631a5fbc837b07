"""Federated Granger causality: filters against statsmodels, moments against impulse responses."""

from __future__ import annotations

import numpy as np
import pytest
from granger_helpers import EPSILON, random_system

from hippo_theory.granger import (
    JointSystem,
    client_filters,
    error_covariance,
    example_system,
    oracle_filter,
    run_filter,
    simulate,
    stationary_moments,
    steady_filter,
)


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
