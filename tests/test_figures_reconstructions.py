"""Reconstructions: signals, states and errors against Fourier transforms, quadrature and SciPy's polynomials."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import scipy.linalg
import scipy.special

from hippo_theory.families import FouT, LagT, LegT
from hippo_theory.figures.reconstructions import (
    band_limited_noise,
    basis_matrix,
    reconstruction,
    time_varying_states,
    window_states,
)

EPS = np.finfo(float).eps


def test_noise_has_its_band_and_starts_at_zero():
    times = np.arange(256) / 128
    noise = band_limited_noise(times, highest=5, seed=3, period=2.0)
    assert noise[0] == 0
    spectrum = np.abs(np.fft.rfft(noise)) / 256
    assert spectrum[6:].max() < 100 * EPS
    assert spectrum[1:6].min() > 1e-3
    assert not np.array_equal(noise, band_limited_noise(times, highest=5, seed=4, period=2.0))


def test_bases_against_scipy():
    ages = np.linspace(0, 1, 7)
    legendre = [math.sqrt(2 * n + 1) * scipy.special.eval_legendre(n, 1 - 2 * ages) for n in range(6)]
    np.testing.assert_allclose(basis_matrix(LegT(6), ages), np.array(legendre).T, atol=100 * EPS)
    laguerre = [np.exp(-ages / 2) * scipy.special.eval_laguerre(n, ages) for n in range(6)]
    np.testing.assert_allclose(basis_matrix(LagT(6), ages), np.array(laguerre).T, atol=100 * EPS)
    fourier = basis_matrix(FouT(5), ages)
    np.testing.assert_allclose(fourier[:, 0], 1)
    np.testing.assert_allclose(fourier[:, 4], math.sqrt(2) * np.sin(4 * np.pi * ages), atol=100 * EPS)


def test_legs_states_are_projections_to_second_order():
    """The midpoint rule: a quarter of the error at twice the samples, against Gauss-Legendre coefficients."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    N, places = 6, (nodes + 1) / 2
    basis = np.array([math.sqrt(2 * n + 1) * scipy.special.eval_legendre(n, nodes) for n in range(N)])
    expected = basis @ (weights / 2 * np.sin(3 * places))
    errors = []
    for count in (500, 1000):
        at = np.arange(count) / (count - 0.5)
        at[0] = 0.25 / (count - 0.5)
        errors.append(np.abs(time_varying_states(N, np.sin(3 * at)[:, None])[0] - expected).max())
    assert errors[1] < 40 / 1000**2  # N^2 = 36 over L^2
    assert 3 < errors[0] / errors[1] < 5


def test_window_states_against_one_dense_exponential():
    family, rate = LegT(5), 2
    # one input for the first half, another for the second: exact under zero-order hold
    samples = np.repeat([[1.0], [-2.0]], 50, axis=0)
    kept = window_states(family, samples, Fraction(1, 100), rate=rate, kept=(50, 100))
    half = scipy.linalg.expm(family.A * rate * 0.5)
    gain = np.linalg.solve(family.A, (half - np.eye(5)) @ family.B)
    first = gain
    second = half @ first - 2 * gain
    # a hundred steps, each of which rounds a state of size about 2
    np.testing.assert_allclose(kept[:, 0], [first, second], atol=1e4 * EPS)
    np.testing.assert_array_equal(window_states(family, samples, Fraction(1, 100), rate=rate), kept[-1])


def test_errors_of_the_figure():
    data = reconstruction(None, sizes=(4, 12), shown=12, samples=1024)
    for name in ("noise", "chirp", "step", "heart"):
        # no polynomial is better than the best one
        assert (data[f"error_{name}_legs"] >= data[f"best_{name}"] * (1 - 1e3 * EPS)).all()
        assert np.abs(data[f"error_{name}_legs"] / data[f"best_{name}"] - 1).max() < 0.01
    # the largest error of the best approximation of a unit jump times 1.4, by exact coefficients
    p, z, n = 0.4, -0.2, np.arange(1, 12)
    values = [scipy.special.eval_legendre(k, z) for k in range(13)]
    jump = np.array([1 - p] + [(values[k - 1] - values[k + 1]) / (2 * math.sqrt(2 * k + 1)) for k in n])
    exact = 1.4 * math.sqrt(1 - p - (jump**2).sum())
    # the jump falls within one of 1024 samples
    assert abs(data["best_step"][1] - exact) < 2 / 1024
    assert abs(data["law_step"][1] / exact - 1) < 0.1


def test_states_of_the_triangular_families_nest():
    small = reconstruction(None, sizes=(4,), shown=4, samples=256)
    large = reconstruction(None, sizes=(4, 10), shown=4, samples=256)
    for family in ("legs", "lagt", "legt", "fout"):
        np.testing.assert_allclose(large[f"read_noise_{family}"], small[f"read_noise_{family}"], atol=1e-10)
