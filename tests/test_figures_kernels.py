"""Figures of basis kernels, by dense exponentials, quadrature and Legendre polynomials of other libraries."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.linalg
from flint import arb_mat
from scipy.special import eval_laguerre, eval_legendre

from hippo_theory.arithmetic import balls
from hippo_theory.families import FouT, LegS, LegT
from hippo_theory.figures.kernels import (
    family_basis_kernels,
    lag_values,
    legs_full_against_diagonal,
    other_families_full_against_diagonal,
)
from hippo_theory.kernels import diagonal_kernel

EPS = np.finfo(float).eps


def dense(A, B, method, D, count):
    """Kernels of x' = A x + B u by powers of the dense discrete matrix, divided by the step, (N, count)."""
    identity = np.eye(len(B))
    if method == "bilinear":
        left = np.linalg.inv(identity - D / 2 * A)
        state, x = left @ (identity + D / 2 * A), left @ B
    else:
        state = scipy.linalg.expm(D * A)
        x = np.linalg.solve(D * A, (state - identity) @ B) if method == "zoh" else B
    columns = []
    for _ in range(count):
        columns.append(x)
        x = state @ x
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("method", ["sampled", "zoh", "bilinear"])
def test_lag_values_against_dense_powers(method):
    legs = LegS(10)
    S = legs.A + legs.P @ legs.P.T
    expected = dense(S, legs.B / 2, method, 0.125, 40)
    for n in (0, 3):
        values = lag_values(lambda ring, n=n: diagonal_kernel(legs, n, ring), method, Fraction(1, 8), 40)
        # Forty products with a contraction of order 10, and a solve of condition below 1e2, of values below 4.
        assert np.abs(values - expected[n]).max() < 40 * 10 * 100 * 4 * EPS


@pytest.fixture(scope="module")
def basis():
    return family_basis_kernels(None, N=32, step="0.02")


def test_basis_kernels_of_exponential_weights(basis):
    t = basis["time_legs"]
    assert (t[0], t[1], t[-1]) == (0, 0.08, 4.96)
    for n in range(4):
        legs = np.sqrt(2 * n + 1) * np.exp(-t) * eval_legendre(n, 2 * np.exp(-t) - 1)
        assert np.abs(basis[f"kernel_legs_{n}"] - legs).max() < 100 * EPS
        lagt = np.exp(-t) * eval_laguerre(n, t)
        assert np.abs(basis[f"kernel_lagt_{n}"] - lagt).max() < 400 * EPS


def test_basis_kernels_of_windows_against_certified_exponentials(basis):
    for name, family in {"legt": LegT(32), "fout": FouT(31)}.items():
        for place in (0, 13, 50, 77):
            time = Fraction(place, 50)
            with balls(256).work() as ring:
                A, B = family.state_matrix(ring), family.input_vector(ring)
                power = (arb_mat(A.tolist()) * ring.number(time)).exp() * arb_mat([[b] for b in B])
                exact = [float(power[n, 0]) for n in range(4)]
            for n in range(4):
                # Rounded to 6 decimals; the recurrence loses less than 1e-9.
                assert abs(basis[f"kernel_{name}_{n}"][place] - exact[n]) < 0.6e-6


def test_limits_and_tails_of_windows(basis):
    t = basis["time_legt"]
    for n in range(4):
        legt = np.sqrt(2 * n + 1) * eval_legendre(n, 1 - 2 * t) * (t <= 1)
        assert np.abs(basis[f"limit_legt_{n}"] - legt).max() < 100 * EPS
    cosine = np.sqrt(2) * np.cos(2 * np.pi * t) * (t <= 1)
    assert np.abs(basis["limit_fout_1"] - cosine).max() < 40 * EPS
    for name in ("legt", "fout"):
        tail = basis[f"kernel_{name}_0"][t > 1]
        assert abs(basis[f"tail_{name}"] ** 2 * len(tail) - np.dot(tail, tail)) < 100 * len(tail) * EPS
    # The squared distance of the FouT kernel from the window is about 0.2845/N for this N; the tail holds a part of it.
    assert 0 < basis["tail_fout"] ** 2 < 0.2845 / 31


def test_legs_full_and_diagonal_against_dense_powers():
    data = legs_full_against_diagonal(None, sizes=(16,), components=(0, 2), step="0.05", horizon=1)
    legs = LegS(16)
    S = legs.A + legs.P @ legs.P.T
    late = data["time"] > 0.1
    assert len(data["time"]) == 21
    for method in ("sampled", "zoh", "bilinear"):
        full, restricted = (dense(A, B, method, 0.05, 21) for A, B in ((legs.A, legs.B), (S, legs.B / 2)))
        for n in (0, 2):
            # Twenty products of matrices of order 16 and norm below 10 (LegS itself is not normal), values below 4.
            tolerance = 20 * 16 * 100 * 4 * EPS
            assert np.abs(data[f"diagonal_{method}_16_{n}"] - restricted[n]).max() < tolerance
            error = np.sqrt(np.mean((restricted[n] - full[n])[late] ** 2))
            assert abs(data[f"rms_{method}_16_{n}"] - error) < 2 * tolerance
    for n in (0, 2):
        exact = np.sqrt(2 * n + 1) * np.exp(-data["time"]) * eval_legendre(n, 2 * np.exp(-data["time"]) - 1)
        assert np.abs(data[f"full_{n}"] - exact).max() < 100 * EPS


def test_noise_follows_its_law():
    data = legs_full_against_diagonal(None, sizes=(256,), components=(0, 1))
    for n in (0, 1):
        for method in ("sampled", "zoh", "bilinear"):
            # 950 samples of a mean square scatter by sqrt(2/950) = 5 %; the laws are leading terms in 1/(N sqrt D) = 0.09.
            ratio = data[f"rms_{method}_256_{n}"] / data[f"law_{method}_256_{n}"]
            assert abs(ratio - 1) < 0.1
        # e^(-t) on average over 0.1 < t <= 2, times R_n^2/4
        mean = (2 * n + 1) / 4 * (np.exp(-0.1) - np.exp(-2)) / 1.9
        assert abs(data[f"law_sampled_256_{n}"] ** 2 / mean - 1) < 2 * 0.002  # a sum for an integral, step 0.002


def test_restrictions_of_windows():
    D = 0.02
    data = other_families_full_against_diagonal(None, sizes=(9, 33), step="0.02")
    lags = np.arange(151)
    # Zero-order hold takes the mean over the step: of 1, and of sqrt 2 cos 2 pi t.
    mean = np.sqrt(2) * (np.sin(2 * np.pi * D * (lags + 1)) - np.sin(2 * np.pi * D * lags)) / (2 * np.pi * D)
    for N in (9, 33):
        # Sines of up to 19 are within 19 eps, divided by 2 pi D = 0.13.
        assert np.abs(data[f"diagonal_fout_{N}_0"] - 1).max() < 4 * EPS
        assert np.abs(data[f"diagonal_fout_{N}_1"] - mean).max() < 500 * EPS
    legt = LegT(9)
    full = dense(legt.A, legt.B, "zoh", D, 151)
    # The normal part of odd size is singular, so that the hold is taken from the exponential of the augmented matrix.
    augmented = np.zeros((10, 10))
    augmented[:9, :9], augmented[:9, 9] = D * (legt.A + legt.P @ legt.P.T), legt.B / 2
    exponential = scipy.linalg.expm(augmented)
    x = exponential[:9, 9]
    for lag in range(151):
        for n in (0, 1):
            assert abs(data[f"full_legt_9_{n}"][lag] - full[n, lag]) < 0.6e-6  # rounded to 6 decimals
            # 150 products of order 9 with an orthogonal matrix, values below 3
            assert abs(data[f"diagonal_legt_9_{n}"][lag] - x[n]) < 150 * 9 * 3 * EPS
        x = exponential[:9, :9] @ x


def test_legt_restriction_repeats_the_window_with_a_sign():
    for N, sign in ((128, -1), (129, 1)):
        data = other_families_full_against_diagonal(None, sizes=(16, N), components=(0, 1))
        t = data["time"]
        second = (t > 1.02) & (t < 1.98)
        # p_0 = 1 again after one window; the noise is of a strength of 0.15, the other sign would be off by 2.
        assert np.sqrt(np.mean((data[f"diagonal_legt_{N}_0"][second] - sign) ** 2)) < 0.25
        assert data["noise_legt_large"] < 0.25
        line = sign * np.sqrt(3) * (1 - 2 * (t[second] - 1))
        assert np.abs(data["continued_legt_1"][second] - line).max() < 40 * EPS
        assert abs(data["after_legt_diagonal"] - 1) < 0.1
        assert data["after_legt_full"] < 0.02
