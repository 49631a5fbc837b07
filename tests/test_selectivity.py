"""Input selectivity: recurrence, memory, Haar projections, rates and recall, each by a second route."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg

from hippo_theory.arithmetic import balls
from hippo_theory.duality import TimeVaryingSystem, apply_system, realized_matrix
from hippo_theory.errors import InputError
from hippo_theory.selectivity import (
    Codes,
    SelectiveChannel,
    channel_states,
    channel_steps,
    circle_codes,
    fourier_error_bracket,
    fourier_error_squared,
    gain,
    haar_block_bound,
    haar_block_system,
    haar_coefficient_squared,
    haar_error_squared,
    haar_system,
    haar_vector,
    inverse_softplus,
    keep_error_bound,
    keep_steps,
    keep_system,
    key_code_error_bound,
    lti_recall_states,
    lti_recall_system,
    mamba_recall,
    mamba_recall_system,
    one_hot_codes,
    ones_hankel_value,
    output_weights,
    pair_codes,
    recall_accuracy,
    recall_task,
    retention,
    retention_logit,
    s4d_recall,
    selective_system,
    sign_code_error_bound,
    sign_code_error_probability,
    sign_code_failures,
    sign_code_width,
    sign_codes,
    silu,
    silu_product,
    softplus,
    state_sensitivities,
    step_feature,
    step_feature_error,
    window_error_bound,
    window_error_bounds,
    window_hankel_value,
    window_system,
)

EPS = np.finfo(float).eps


# --- recurrence -------------------------------------------------------------------------------------------------------


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


# --- memory -----------------------------------------------------------------------------------------------------------


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


def test_bounds_stay_finite_for_tiny_sharpness():
    for call in (keep_error_bound, window_error_bound):
        with balls(300).work() as ring:
            exact = float(call(Fraction(1e-20), 1, arithmetic=ring))
        assert abs(call(1e-20, 1) - exact) <= 16 * EPS * exact


def test_positive_poles_need_one_state_a_token():
    for T, n in ((4, 2), (6, 6), (7, 1)):
        poles = np.arange(1, T) / T
        rows = np.array([poles**j for j in range(T) if j != T - n])
        assert np.linalg.matrix_rank(rows) == T - 1  # so T - 1 weights vanish
        assert lti_recall_states(T, n, positive=True) == T


# --- Haar -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.5, 1.0, 2.0])
def test_windows_and_haar_coefficients_meet_their_bounds(rate):
    f = np.random.default_rng(1).normal(size=200)
    for a in (4, 8, 16, 32, 64):
        bound = window_error_bound(a, rate)
        y = apply_system(window_system(200, 70, sharpness=a, rate=rate), f)[-1]
        rounding = 400 * EPS * abs(f).sum()
        assert abs(y - f[69:].sum()) <= bound * abs(f).sum() + rounding
        y = apply_system(haar_system(200, 40, 72, 104, sharpness=a, rate=rate), f)[-1]
        coefficient = f[39:71].sum() - f[71:103].sum()
        assert abs(y - coefficient) <= 4 * bound * abs(f).sum() + 4 * rounding
        assert haar_vector(200, 40, 72, 104) @ f == pytest.approx(coefficient, abs=rounding)


@pytest.mark.parametrize(("left", "middle", "right"), [(1, 2, 3), (3, 5, 9), (1, 8, 9), (7, 8, 9)])
def test_a_wavelet_may_end_with_the_sequence(left, middle, right):
    wavelet, bound = haar_vector(8, left, middle, right), window_error_bound(40)
    system = haar_system(8, left, middle, right)
    assert abs(output_weights(system) - wavelet).max() <= 4 * bound
    assert system.B.shape == (8, 2 if right == 9 else 3)
    on, off = haar_block_bound(8, left, right, step=1e-4)
    found = abs(output_weights(haar_block_system(8, left, middle, right, step=1e-4)) - wavelet)
    # sums of numbers of size M = 40, as above
    assert found.max() <= on + 200 * 41 * EPS and np.delete(found, np.s_[left - 1 : right - 1]).max(initial=0) <= off


def test_windows_that_begin_after_the_end_are_refused():
    with pytest.raises(InputError, match="`start` must be at most T = 16, got 17"):
        window_system(16, 17)
    for call in (lambda: window_system(4, 1, rate=-1), lambda: haar_block_bound(9, 2, 4, step=1e-3, rate=-1)):
        with pytest.raises(InputError, match="`rate`"):
            call()


def test_the_window_of_the_tempting_logits_is_one_token_longer():
    with balls(200).work() as ring:
        right = output_weights(window_system(20, 10, arithmetic=ring))
        early = output_weights(window_system(20, 9, arithmetic=ring))  # a (10 - 1/2 - t)
    assert float(right[8]) < 1e-8 < 0.99 < float(early[8])


def test_step_features_are_differences_of_silus():
    for a in (4, 10, 37, 80):
        z = a * (np.arange(1, 31) - 14 + 0.5)
        plain = silu(z) - silu(z - 1)
        feature = step_feature(30, 14, sharpness=a)
        assert np.all(abs(plain - feature) <= 4 * EPS * (1 + abs(z)))  # silu(z) is rounded relative to z
        assert abs(feature - (np.arange(1, 31) >= 14)).max() <= step_feature_error(a) + 8 * EPS
        with balls(200).work() as ring:
            exact = step_feature(30, 14, sharpness=a, arithmetic=ring).astype(float)
        assert np.all(abs(feature - exact) <= 8 * EPS)
    with pytest.raises(InputError, match="at least 4"):
        step_feature_error(3)


def test_the_block_gives_haar_coefficients_within_its_bound():
    f = np.random.default_rng(2).normal(size=96)
    measured = []
    for step in (1e-1, 1e-2, 1e-3, 1e-4):
        for floor, a in ((40, 80), (12, 40), (30, 20)):
            system = haar_block_system(96, 17, 33, 49, step=step, floor=floor, sharpness=a, rate=0.5)
            on, off = haar_block_bound(96, 17, 49, step=step, floor=floor, sharpness=a, rate=0.5)
            error = abs(apply_system(system, f)[-1] - haar_vector(96, 17, 33, 49) @ f)
            # steps of size delta come from sums of numbers of size M: their relative error is M eps / 1
            rounding = 200 * (1 + floor) * EPS * abs(f).sum()
            inside = abs(f[16:48]).sum()
            assert error <= on * inside + off * (abs(f).sum() - inside) + rounding
            measured.append(on)
            wrong = abs(output_weights(system) - haar_vector(96, 17, 33, 49))
            assert wrong[16:48].max() <= on + 200 * (1 + floor) * EPS
            assert np.delete(wrong, np.s_[16:48]).max() <= off + 200 * (1 + floor) * EPS
    assert measured[3] / measured[9] == pytest.approx(100, rel=0.1)  # O(delta): 10^-2 over 10^-4, the first M and a


@pytest.mark.parametrize("edges", [(5, 5, 9), (0, 3, 5), (3, 5, 12), (6, 5, 9)])
def test_wrong_wavelets_are_refused(edges):
    with pytest.raises(InputError, match="left"):
        haar_vector(10, *edges)


# --- rates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tau", [Fraction(1, 3), Fraction(2, 7), Fraction(5, 8), Fraction(0), Fraction(1)])
def test_haar_errors_by_projection_and_by_coefficients(tau):
    for J in range(7):
        count = 2**J
        means = [max(Fraction(0), min(Fraction(1), k + 1 - count * tau)) for k in range(count)]
        assert haar_error_squared(tau, J) == (1 - tau) - sum(m * m for m in means) / count
        assert haar_coefficient_squared(tau, J) == haar_error_squared(tau, J) - haar_error_squared(tau, J + 1)


def test_fourier_errors_against_quadrature_and_their_bracket():
    x = (np.arange(2**14) + 0.5) / 2**14
    for tau, N in ((Fraction(1, 4), 3), (Fraction(3, 8), 20)):
        f = (x >= float(tau)).astype(float)
        waves = np.exp(2j * np.pi * np.arange(-N, N + 1)[:, None] * x)
        kept = (np.conj(waves) @ f / len(x)) @ waves
        # the midpoint rule: coefficients are off by 1e-8 N^2 of themselves, the edges lie between nodes
        assert fourier_error_squared(tau, N) == pytest.approx(np.mean(abs(f - kept) ** 2), abs=1e-6)
    for tau, N in itertools.product((Fraction(1, 3), Fraction(1, 100)), (1, 10, 300)):
        middle, radius = fourier_error_bracket(tau, N)
        assert abs(fourier_error_squared(tau, N) - middle) <= radius
        with balls(128).work() as ring:
            exact = float(fourier_error_squared(tau, N, ring))
        assert abs(fourier_error_squared(tau, N) - exact) <= 4 * (N + 4) * EPS
    for call in (lambda: haar_error_squared(2, 1), lambda: fourier_error_bracket(1, 3)):
        with pytest.raises(InputError, match="`tau`"):
            call()


def test_hankel_values_against_matrices_of_ones():
    n = 60
    H = np.array([[float(i + j < n) for j in range(n)] for i in range(n)])
    values = np.linalg.svd(H, compute_uv=False)
    assert np.allclose(values, [ones_hankel_value(n, k) for k in range(1, n + 1)], rtol=0, atol=n * n * EPS)
    for k in range(1, 4):  # the continuous values are the limit, at the rate of the midpoint rule: 1/(2n)
        assert abs(ones_hankel_value(4000, k) / 4000 - window_hankel_value(k)) <= 1 / 8000
    with pytest.raises(InputError, match="`index`"):
        ones_hankel_value(3, 4)


def test_the_weighted_bound_is_a_tail_of_squares_and_holds_for_random_kernels():
    for N in (0, 1, 5, 40):
        tail = sum(window_hankel_value(k) ** 2 for k in range(N + 1, 200_000))
        # what lies beyond: less than 1/(pi^2 199999)
        assert 0 <= window_error_bounds(N)[1] - tail <= 1 / (math.pi**2 * 199_998)
    rng = np.random.default_rng(3)
    for N in (1, 2, 4, 6):
        bounds = window_error_bounds(N)
        for _ in range(20):
            poles = rng.uniform(0.2, 8, N)
            gram = 1 / (poles[:, None] + poles) ** 2
            moments = (1 - (1 + poles) * np.exp(-poles)) / poles**2
            best = np.linalg.lstsq(gram, moments, rcond=1e-12)[0]
            squared = 0.5 - 2 * moments @ best + best @ gram @ best
            assert squared >= bounds[1] - 1e-9  # gram matrices of condition up to 1e12, cut there
            t = np.linspace(0, 60, 60_001)
            kernel = np.exp(-np.outer(t, poles)) @ best
            assert scipy.integrate.trapezoid(abs(kernel - (t <= 1)), t) >= bounds[0] - 2e-3  # half a step at the edge


# --- recall -----------------------------------------------------------------------------------------------------------


def test_the_task_is_what_it_says():
    for seed in range(5):
        task = recall_task(20, 7, seed=seed)
        keys, values = task.tokens[:14:2], task.tokens[1:14:2]
        assert len(set(keys)) == 7 and (keys < 20).all() and (values >= 20).all()
        stored = dict(zip(keys, values, strict=True))
        assert [stored[task.tokens[q]] - 20 for q in task.queries] == list(task.targets)
        assert sorted(task.tokens[task.queries]) == sorted(keys)
    assert len(set(recall_task(9, 9, distinct_values=True).targets)) == 9
    with pytest.raises(InputError, match="`pairs`"):
        recall_task(3, 4)


@pytest.mark.parametrize("variant", ["mamba", "mamba2"])
def test_one_hot_codes_recall_everything_with_the_convolution_and_nothing_without(variant):
    codes = one_hot_codes(64)
    for seed in range(5):
        task = recall_task(64, 32, seed=seed)
        logits = mamba_recall(task, codes, variant=variant)
        assert recall_accuracy(logits, task) == 1.0
        # the decay of rate N over T = 96 tokens
        wanted = np.eye(64)[task.targets]
        assert abs(logits - wanted).max() <= 64 * 96 * 2.0**-30
        without = mamba_recall(task, codes, variant=variant, convolution=False)
        assert not without.any() and recall_accuracy(without, task) == 0.0


def test_pair_codes_recall_everything_without_selectivity_and_nothing_without_the_convolution():
    codes = pair_codes(64)
    task = recall_task(64, 32, seed=3)
    logits = s4d_recall(task, codes)
    assert recall_accuracy(logits, task) == 1.0
    assert abs(logits - np.eye(64)[task.targets]).max() <= 96 * 2.0**-30 + 64 * EPS
    without = s4d_recall(task, codes, convolution=False)
    assert not without.any() and recall_accuracy(without, task) == 0.0


def test_layers_against_dictionaries_of_codes():
    task, codes = recall_task(16, 5, seed=1), sign_codes(16, 24, 24, seed=2)
    a, b = codes.keys, codes.values
    keys, values = task.tokens[:10:2], task.tokens[1:10:2] - 16
    for i, q in enumerate(task.tokens[task.queries]):
        gated = [sum(a[q, c] * a[k, c] * b[v, c] for k, v in zip(keys, values, strict=True)) for c in range(24)]
        outer = sum((a[q] @ a[k]) / 24 * (b @ b[v]) / 24 for k, v in zip(keys, values, strict=True))
        # sums of 5 terms of size at most 1, over 15 tokens, at rates 1 and up to 24
        assert np.allclose(s4d_recall(task, codes)[i], b @ np.array(gated) / 24, rtol=0, atol=5 * 15 * 2.0**-30)
        assert np.allclose(mamba_recall(task, codes)[i], outer, rtol=0, atol=5 * 24 * 15 * 2.0**-30)


def test_the_mixer_is_a_selective_system_whose_step_is_constant():
    task = recall_task(8, 3)
    system = mamba_recall_system(task, one_hot_codes(8).keys, step=0.25)
    assert np.ptp(system.A, axis=0).max() == 0 and np.allclose(
        system.A[0], np.exp(-0.25 * np.arange(1, 9)), rtol=4 * EPS
    )
    with pytest.raises(InputError, match="`variant`"):
        mamba_recall_system(task, one_hot_codes(8).keys, variant="s4")  # type: ignore[arg-type]


def test_products_and_gates_from_silus():
    for a, b in itertools.product((-1.0, 0.0, 1.0), repeat=2):
        assert abs(silu_product(a, b) - a * b) <= 4 * EPS
    assert abs(silu_product(0.5, 0.5) - 0.25) > 0.001  # no product in between
    z = np.linspace(-30, 30, 101)
    assert np.all(abs(silu(z) - silu(-z) - z) <= 4 * EPS * abs(z))


def test_two_states_recall_distinct_values_with_the_stated_margin():
    V = 32
    task = recall_task(V, V, seed=4, distinct_values=True)
    logits = mamba_recall(task, circle_codes(V), variant="mamba2")
    assert recall_accuracy(logits, task) == 1.0
    ranked = np.sort(logits, axis=1)
    margins = ranked[:, -1] - ranked[:, -2]
    assert abs(margins - (1 - math.cos(2 * math.pi / V))).max() <= 3 * V * 2.0**-30 * 2


def test_the_probability_bound_is_met_over_a_thousand_draws():
    widths = [64, 128, 256, 384, sign_code_width(64, 16, 0.01)]
    assert widths[-1] == 561
    failures = sign_code_failures(64, 16, widths, draws=1000)
    bounds = [sign_code_error_bound(64, 16, D) for D in widths]
    assert all(failures <= np.minimum(bounds, 1))
    assert failures[0] > 0.3  # and the codes do fail when narrow
    assert bounds[-1] <= 0.01 < sign_code_error_bound(64, 16, 560)


@pytest.mark.parametrize("pairs", [2, 16])
def test_the_width_is_the_least_one_that_the_bound_allows(pairs):
    for D in range(1, 400):
        failure = sign_code_error_bound(64, pairs, D)
        assert sign_code_width(64, pairs, failure) == D
    assert sign_code_width(64, pairs, 63.999999) == 1


def test_layers_that_forget_fail_as_often_as_stated():
    # e^(-2 lambda Delta T) in the exponent for keys; lambda Delta T up to 3/(8 kappa) costs S4D nothing.
    V, kappa, N, draws = 32, 4, 48, 100
    step = 0.5 / (3 * kappa)
    wrong = []
    for seed in range(draws):
        task, codes = recall_task(V, kappa, seed=seed), Codes(sign_codes(V, N, 1, seed=seed).keys, np.eye(V))
        wrong.append(1 - recall_accuracy(mamba_recall(task, codes, variant="mamba2", step=step), task))
    assert np.mean(wrong) <= V * math.exp(-N * math.exp(-1) / (2 * (kappa - 1)))
    D, wrong = 96, []
    for seed in range(draws):
        task, codes = recall_task(V, kappa, seed=seed), sign_codes(V, D, D, seed=seed)
        wrong.append(
            1 - recall_accuracy(s4d_recall(task, codes, step=1 / (32 * kappa)), task)
        )  # 12 tokens: 3/(8 kappa)
    assert np.mean(wrong) <= sign_code_error_bound(V, kappa, D) < 0.1


def test_failures_are_those_of_the_layer():
    found = sign_code_failures(12, 4, [9], draws=150, seed=5)[0]
    generator, wrong = np.random.default_rng(5), 0
    for _ in range(150):
        values = generator.integers(0, 12, 4)
        keys, codes = (generator.integers(0, 2, (rows, 9)) * 2 - 1 for rows in (4, 12))
        task = recall_task(12, 4, seed=0)
        # the same codes for the keys of a task with these values
        a = np.ones((12, 9))
        a[task.tokens[:8:2]] = keys
        task.tokens[1:8:2] = 12 + values
        first = int(np.flatnonzero(task.tokens[task.queries] == task.tokens[0])[0])
        logits = np.round(s4d_recall(task, Codes(a, codes))[first] * 9)  # integers up to what is forgotten
        others = np.delete(logits, values[0])
        wrong += logits[values[0]] <= others.max()
    assert found == wrong / 150


def test_error_probabilities_by_enumeration_of_all_signs():
    for kappa, D in ((2, 1), (2, 2), (3, 2), (4, 1)):
        wrong = count = 0
        # values: the first pair's, and a competitor's; the others store the competitor
        for b in itertools.product((-1, 1), repeat=2 * D):
            for a in itertools.product((-1, 1), repeat=kappa * D):
                margin = 0
                for c in range(D):
                    keys, right, other = a[c::D], b[c], b[D + c]
                    stored = keys[0] * right + sum(keys[1:]) * other
                    margin += (right - other) * keys[0] * stored
                wrong, count = wrong + (margin <= 0), count + 1
        assert sign_code_error_probability(kappa, D) == Fraction(wrong, count)
        assert Fraction(wrong, count) <= math.exp(-D / (4 * kappa))


def test_key_codes_meet_their_bound():
    for kappa, N in ((4, 32), (8, 64)):
        wrong = []
        for seed in range(100):
            task = recall_task(32, kappa, seed=seed)
            codes = Codes(sign_codes(32, N, 1, seed=seed).keys, np.eye(32))
            wrong.append(1 - recall_accuracy(mamba_recall(task, codes, variant="mamba2"), task))
        assert np.mean(wrong) <= key_code_error_bound(32, kappa, N)
    # one competitor with as many signs as there can be: 1600 of them, at most 700 heads
    exact = sum(math.comb(1600, heads) for heads in range(701)) / 2**1600
    assert exact <= key_code_error_bound(1, 9, 200) <= exact ** (2 / 3)


def test_ties_are_wrong_and_bad_codes_are_refused():
    task = recall_task(4, 2)
    assert recall_accuracy(np.zeros((2, 4)), task) == 0.0
    assert recall_accuracy(np.eye(4, dtype=int)[task.targets], task) == 1.0
    for call, word in (
        (lambda: mamba_recall(task, one_hot_codes(5)), "codes"),
        (lambda: mamba_recall(task, Codes(np.diag([1.0, 2, 3, 4]), np.eye(4))), "norm"),
        (lambda: s4d_recall(task, circle_codes(4)), "one width"),
        (lambda: s4d_recall(task, one_hot_codes(4)), "nonzero channels"),
        (lambda: sign_code_error_bound(4, 1, 8), "`pairs`"),
        (lambda: sign_code_width(4, 2, 0.0), "`failure`"),
        (lambda: sign_code_failures(4, 2, []), "`widths`"),
        (lambda: mamba_recall(task, one_hot_codes(4), step=0), "`step`"),
        (lambda: s4d_recall(task, pair_codes(4), step=-1.0), "`step`"),
        (lambda: recall_accuracy(np.zeros((2, 2)), task), "`logits`"),
        (lambda: haar_error_squared(float("nan"), 3), "not a number"),
    ):
        with pytest.raises(InputError, match=word):
            call()
