"""Input selectivity: Haar projections and rates of approximation, each by a second route."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg

from hippo_theory.arithmetic import balls
from hippo_theory.duality import apply_system
from hippo_theory.errors import InputError
from hippo_theory.selectivity import (
    fourier_error_bracket,
    fourier_error_squared,
    haar_block_bound,
    haar_block_system,
    haar_coefficient_squared,
    haar_error_squared,
    haar_system,
    haar_vector,
    ones_hankel_value,
    output_weights,
    silu,
    step_feature,
    step_feature_error,
    window_error_bound,
    window_error_bounds,
    window_hankel_value,
    window_system,
)

EPS = np.finfo(float).eps


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
            if floor == 40 and step <= 1e-2:
                # The first input of the support forgets through all others; off by less than eta and e^-M.
                first = 1 - output_weights(system)[16]
                assert first == pytest.approx(on, rel=1e-9 / step)
            wrong = abs(output_weights(system) - haar_vector(96, 17, 33, 49))
            assert wrong[16:48].max() <= on + 200 * (1 + floor) * EPS
            assert np.delete(wrong, np.s_[16:48]).max() <= off + 200 * (1 + floor) * EPS
    assert measured[3] / measured[9] == pytest.approx(100, rel=0.1)  # O(delta): 10^-2 over 10^-4, the first M and a


@pytest.mark.parametrize("edges", [(5, 5, 9), (0, 3, 5), (3, 5, 12), (6, 5, 9)])
def test_wrong_wavelets_are_refused(edges):
    with pytest.raises(InputError, match="left"):
        haar_vector(10, *edges)


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
        waves, smooth = 1 / math.sin(math.pi * tau), 1 / (4 * (N + 0.5))
        assert radius == pytest.approx((waves + smooth) / (math.pi * (N + 1)) ** 2, rel=16 * EPS)
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
