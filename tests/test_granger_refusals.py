"""Federated Granger causality: what does not fit is refused, with a way out."""

from __future__ import annotations

import numpy as np
import pytest
from granger_helpers import ONE, sample_round, still

from hippo_theory.errors import InputError
from hippo_theory.granger import (
    Client,
    JointSystem,
    LearningRates,
    attenuated_coupling,
    classical_sigma,
    client_moments,
    clipped,
    composed_sigma,
    coupling_of_mean_shift,
    distances_to_fixed_point,
    error_covariance,
    example_system,
    fixed_point,
    gaussian_delta,
    gaussian_epsilon,
    innovation_regression,
    joint_system,
    learn,
    observed_rate,
    relative_error,
    rounds,
    run_filter,
    simulate,
    stationary_moments,
    steady_filter,
    zero_parameters,
)


def half_seen() -> JointSystem:
    """The example with a second client that measures only its first state."""
    first, second = example_system().clients
    return JointSystem(
        (first, Client(second.A, [[1.0, 0.0]], second.process_noise, [[0.25]])), example_system().coupling
    )


def learn_once(**options) -> object:
    system = example_system()
    return learn(system, [sample_round(system, 0)], LearningRates(0.1, 0.1, 0.1), **options)


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
        # A state that no noise drives and that does not decay: the best gain is 0, and corrects nothing.
        (lambda: steady_filter([[1.0]], [[1.0]], [[0.0]], [[1.0]]), "best one does not decay"),
        # Its error decays by 1 - 1e-9 a step.
        (lambda: steady_filter([[1.0]], [[1.0]], [[1e-18]], [[1.0]]), "or too slowly for float64 to tell"),
        (lambda: Client([[1], [1, 2]], [[1.0]], [[1.0]], [[1.0]]), "different lengths"),
        (lambda: Client(np.array([[np.nan]], dtype=object), [[1.0]], [[1.0]], [[1.0]]), "`A`: nan is not a number"),
        (lambda: Client(np.array([["x"]], dtype=object), [[1.0]], [[1.0]], [[1.0]]), "`A`: 'x' is not a number"),
        (lambda: client_moments(example_system(), 0.0), "must be one of 0, ..., 1, got 0.0"),
        (lambda: LearningRates("a", 1, 1), "must be zero or positive and finite, got 'a'"),
        (lambda: gaussian_delta("x", 1), "`epsilon` must be a number"),
        (lambda: coupling_of_mean_shift(example_system(), 1, [0, 0, 1e9, 0]), "no client but 1, which teaches"),
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
        (lambda: gaussian_epsilon(1e-5, 1e-200), "`sigma` must be at least 1e-5"),
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
