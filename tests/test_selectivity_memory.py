"""Input selectivity: the recurrence, what it keeps, and one-state recall, each by a second route."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg

from hippo_theory.arithmetic import FLOAT64, balls
from hippo_theory.duality import TimeVaryingSystem, apply_system, realized_matrix
from hippo_theory.errors import InputError
from hippo_theory.selectivity import (
    SelectiveChannel,
    channel_states,
    channel_steps,
    gain,
    inverse_softplus,
    keep_error_bound,
    keep_steps,
    keep_system,
    lti_recall_states,
    lti_recall_system,
    output_weights,
    retention,
    retention_logit,
    selective_system,
    softplus,
    state_sensitivities,
    window_error_bound,
)

EPS = np.finfo(float).eps


def test_softplus_and_its_inverse_against_balls():
    z = np.array([-600.0, -40.0, -1.0, 0.0, 0.7, 3.0, 40.0, 800.0])
    with balls(2000).work() as ring:
        exact = softplus(z, ring).astype(float)
        back = inverse_softplus(exact, ring).astype(float)
    assert np.all(abs(softplus(z) - exact) <= 4 * EPS * exact)
    # ln(e^x - 1) has the condition x e^x / ((e^x - 1) ln(e^x - 1)); below 1 + x where the logarithm is not small
    assert np.all(abs(inverse_softplus(exact) - back) <= 4 * EPS * (1 + abs(back)))
    with pytest.raises(InputError, match="`step`"):
        inverse_softplus(0.0)


def test_gains_integrate_the_held_input():
    for step, rate in itertools.product((1e-9, 0.3, 4.0), (0.5, 7.0)):
        held, _ = scipy.integrate.quad(lambda t, rate=rate: math.exp(-rate * t), 0, step, epsabs=0, epsrel=1e-13)
        assert abs(gain(step, rate) - held) <= 1e-12 * held  # what quad promises, times 10
    assert gain(np.array([0.25]), np.array([3.0]), "euler") == [0.25]
    with pytest.raises(InputError, match="`rule`"):
        gain(1.0, 1.0, "bilinear")  # type: ignore[arg-type]


def test_zero_order_hold_is_the_exact_solution_for_held_inputs():
    rates, steps = np.array([0.5, 2.0]), np.array([0.3, 1.5, 0.01, 2.0])
    B, C, x = np.array([[1.0, -2.0]] * 4), np.array([[1.0, 1.0]] * 4), np.array([1.0, -1.0, 5.0, 2.0])
    y = apply_system(selective_system(steps, rates, B, C), x)
    h = np.zeros(2)
    for step, u, found in zip(steps, x, y, strict=True):
        block = np.zeros((3, 3))
        block[:2, :2], block[:2, 2] = np.diag(-rates), B[0]
        h = (scipy.linalg.expm(step * block) @ np.append(h, u))[:2]
        assert abs(h.sum() - found) <= 100 * EPS * 10  # states below 10; expm is good to about 100 eps here


def test_a_scalar_rate_makes_the_system_of_mamba2():
    ones = np.ones((3, 2))
    assert selective_system([1.0, 2.0, 3.0], 0.5, ones, ones).kind == "scalar"
    assert selective_system([1.0, 2.0, 3.0], [0.5, 0.5], ones, ones).kind == "diagonal"
    same = [realized_matrix(selective_system([1.0, 2.0, 3.0], r, ones, ones)) for r in (0.5, [0.5, 0.5])]
    assert np.array_equal(*same)


CHANNELS = [SelectiveChannel([0.5, 3.0], 0.75, -0.5, [1.0, -2.0], [0.25, 1.0], rule) for rule in ("zoh", "euler")]


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.rule)
def test_sensitivities_against_difference_quotients_in_balls(channel):
    x = [1.0, -0.5, 2.0, 0.0, -1.5]
    total = state_sensitivities(channel, x).total
    h = Fraction(1, 2**60)
    for s in range(len(x)):
        with balls(400).work() as ring:
            ends = []
            for sign in (1, -1):
                moved = [Fraction(v) + sign * h * (k == s) for k, v in enumerate(x)]
                ends.append(channel_states(channel, np.array(moved, dtype=object), ring)[-1])
            quotient = ((ends[0] - ends[1]) / (2 * ring.number(h))).astype(float)
        assert np.all(abs(total[s] - quotient) <= 64 * EPS * 10)  # parts below 10, some 20 operations; h^2 is far below


def test_sensitivities_need_the_gate_and_agree_with_the_system():
    x = np.array([1.0, -0.5, 2.0])
    parts = state_sensitivities(CHANNELS[0], x)
    assert np.max(abs(parts.carried * parts.gate)) > 0.05
    steps = channel_steps(CHANNELS[0], x)
    B = x[:, None] * np.array([1.0, -2.0]) + np.array([0.25, 1.0])
    y = apply_system(selective_system(steps, [0.5, 3.0], B, np.ones((3, 2))), x)
    assert np.allclose(channel_states(CHANNELS[0], x)[1:].sum(axis=1), y, rtol=0, atol=16 * EPS * 4)


def test_a_large_step_does_not_hide_the_small_ones_after_it():
    channel = SelectiveChannel([1.0], 1.0, 0.0, [0.0], [1.0])
    carried = state_sensitivities(channel, [1e17, 0.0, 0.0]).carried[:, 0]
    assert np.all(abs(carried - [0.25, 0.5, 1.0]) <= 4 * EPS)  # steps of ln 2 after the large one
    assert list(state_sensitivities(channel, [1.0]).carried[:, 0]) == [1.0]


def test_bad_channels_and_systems_are_refused():
    ones = np.ones((2, 1))
    for call, word in (
        (lambda: selective_system([-1.0, 1.0], [1.0], ones, ones), "`steps`"),
        (lambda: selective_system([1.0, 1.0], [0.0], ones, ones), "`rates`"),
        (lambda: selective_system([1.0, 1.0], [1.0, 2.0], ones, ones), "`B`"),
        (lambda: selective_system(1.0, [1.0], ones, ones), r"\(T,\)"),
        (lambda: channel_states(CHANNELS[0], []), "`x`"),
        (lambda: channel_states(CHANNELS[0], [np.nan]), "`x`"),
        (lambda: selective_system([1.0, 1.0], [1 + 2j], ones, ones), "real"),
        (lambda: selective_system([1.0, 1.0], 1.0, ones[:1], ones), "`B`"),
        (lambda: selective_system([1.0, np.nan], [1.0], ones, ones), "NaN"),
        (lambda: channel_states(SelectiveChannel(1.0, 0.0, 0.0, [1.0], [1.0]), [1.0]), "one shape"),
        (lambda: channel_states(SelectiveChannel([1.0], 0.0, 0.0, [1.0, 2.0], [1.0]), [1.0]), "one shape"),
        (lambda: gain(1.0, 0.0), "`rates`"),
        (lambda: gain(1.0, -1.0, "euler"), "`rates`"),
        (lambda: retention([1.0], -1.0), "`rates`"),
        (lambda: retention([-1.0], 1.0), "`steps`"),
        (lambda: retention([np.nan], 1.0), "`steps`"),
    ):
        with pytest.raises(InputError, match=word):
            call()


def test_the_retention_logit_keeps_what_it_says():
    for rho, rate, L in itertools.product((0.5, 0.9), (1.0, 2.5), (1, 10, 1000, 100_000)):
        z = retention_logit(L, rho, rate)
        assert abs(retention(np.full(L, softplus(z)), rate) - rho) <= 4 * (L + 8) * EPS  # a sum of L steps
        y = math.log(1 / rho) / (rate * L)
        assert (
            math.log(y) + y / 2 - 1e-14 * (1 + abs(z)) <= z <= math.log(y) + y / 2 + y * y / 24 + 1e-14 * (1 + abs(z))
        )
    for arguments in ((10, 1.5), (10, 0.5, -1)):
        with pytest.raises(InputError, match="must"):
            retention_logit(*arguments)


def test_output_weights_are_the_last_row():
    rng = np.random.default_rng(0)
    for shape in ((6,), (6, 3), (6, 3, 3)):
        system = TimeVaryingSystem(rng.normal(size=shape), rng.normal(size=(6, 3)), rng.normal(size=(6, 3)))
        row = realized_matrix(system)[-1]
        assert np.all(abs(output_weights(system) - row) <= 64 * EPS * (1 + abs(row).max()) * 8)


@pytest.mark.parametrize("rule", ["zoh", "euler"])
@pytest.mark.parametrize("rate", [0.25, 1.0, 3.0])
def test_one_state_recall_is_within_its_bound_at_every_length(rule, rate):
    for a, T in itertools.product((6, 10, 40), (1, 20, 300)):
        bound = keep_error_bound(a, rate, rule)
        for n in {1, (T + 1) // 2, T}:
            weights = output_weights(keep_system(T, n, sharpness=a, rate=rate, rule=rule))
            error = abs(weights).sum() - abs(weights[n - 1]) + abs(1 - weights[n - 1])
            assert error <= bound + 8 * EPS * T


@pytest.mark.parametrize("rule", ["zoh", "euler"])
def test_the_recall_error_does_not_depend_on_the_length(rule):
    signs = np.random.default_rng(0).choice([-1.0, 1.0], 20_000)
    errors = {}
    for T in (20, 200, 2000, 20_000):
        weights = output_weights(keep_system(T, 7, rule=rule))
        errors[T] = abs(weights).sum() - abs(weights[6]) + abs(1 - weights[6])
        y = apply_system(keep_system(T, 7, rule=rule), signs[:T])[-1]
        assert abs(y - signs[6]) <= errors[T] + 8 * EPS
    # The weights that are not next to n are far below one unit; what is left are roundings of 1 - w and of few sums.
    assert max(errors.values()) - min(errors.values()) <= 16 * EPS
    assert 0.999 * keep_error_bound(rule=rule) <= errors[20_000] <= keep_error_bound(rule=rule) + 16 * EPS


def test_slow_rates_recall_worse_than_the_sharpness_alone_says():
    weights = output_weights(keep_system(100, 50, sharpness=40, rate=0.25))
    assert 1 - weights[49] > 1e6 * math.exp(-20)


def test_positions_that_do_not_exist_are_refused():
    for T, n in ((5, 6), (5, 0), (0, 1)):
        with pytest.raises(InputError, match=r"`[nT]`"):
            keep_steps(T, n)
    with pytest.raises(InputError, match="`sharpness`"):
        keep_error_bound(-1)


@pytest.mark.parametrize("T", range(1, 10))
def test_the_fewest_states_of_constant_systems_recall_and_fewer_cannot(T):
    for n in range(1, T + 1):
        N = lti_recall_states(T, n)
        weights = output_weights(lti_recall_system(T, n))
        assert np.all(abs(weights - (np.arange(1, T + 1) == n)) <= 2 * (T + 4) * EPS)
        # Fewer: a run of N-1 neighboring zeros of the kernel forces the N-1 weights to zero (a square Vandermonde matrix)
        zeros_below, zeros_above = T - n, n - 1
        assert max(zeros_below, zeros_above) >= N - 1
        exact = output_weights(lti_recall_system(T, n, positive=True))
        assert list(exact) == [int(s == n) for s in range(1, T + 1)]


@pytest.mark.parametrize(("T", "n"), [(1, 1), (2, 1), (501, 250), (700, 650)])
def test_roots_of_unity_and_their_powers_are_as_accurate_as_stated(T, n):
    system = lti_recall_system(T, n)
    with mpmath.workdps(25):
        exact = [mpmath.expjpi(mpmath.mpf(2 * k) / system.N) for k in range(system.N)]
        weights = [exact[-k * (T - n) % system.N] for k in range(system.N)]
        assert max(abs(w - p) for w, p in zip(exact, system.A[0], strict=True)) <= 2 * EPS
        assert max(abs(w - system.N * c) for w, c in zip(weights, system.C[0], strict=True)) <= 2 * EPS
    errors = abs(output_weights(system) - (np.arange(1, T + 1) == n))
    assert errors.max() <= 4 * (T + 1) * EPS


def euler_bound(sharpness, rate=1, arithmetic=FLOAT64):
    return keep_error_bound(sharpness, rate, "euler", arithmetic)


def test_the_bound_of_mambas_gain_is_the_sum_of_its_terms():
    for a, rate in ((0.5, 0.5), (3, 1), (10, 0.25)):
        q, s = math.exp(-rate * a / 2), math.exp(-a / 2) / (1 - math.exp(-a))
        # Tokens before n, one by one, with j^2 replaced by 1 + 3 (j - 1); what is left after 2000 is far below eps.
        before = sum((a * (j + 0.5) + math.exp(-1.5 * a)) * q ** (1 + 3 * (j - 1)) for j in range(1, 2000))
        assert keep_error_bound(a, rate, "euler") == pytest.approx(rate * s + 2 / a * (s + before), rel=2000 * EPS)


def test_bounds_stay_finite_for_tiny_sharpness():
    for call in (keep_error_bound, euler_bound, window_error_bound):
        with balls(300).work() as ring:
            exact = float(call(Fraction(1e-20), 1, arithmetic=ring))
        assert abs(call(1e-20, 1) - exact) <= 16 * EPS * exact


def test_positive_poles_need_one_state_a_token():
    for T, n in ((4, 2), (6, 6), (7, 1)):
        poles = np.arange(1, T) / T
        rows = np.array([poles**j for j in range(T) if j != T - n])
        assert np.linalg.matrix_rank(rows) == T - 1  # so T - 1 weights vanish
        assert lti_recall_states(T, n, positive=True) == T
