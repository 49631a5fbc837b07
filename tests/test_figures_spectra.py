"""Spectra, their errors and the spikes of transfer functions in the figures, against dense matrices and series."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import zeta

from hippo_theory.figures.registry import load_figures

EPS = np.finfo(float).eps
FIGURES = load_figures()


def legs_matrices(N):
    """A, B and the normal part of LegS, entry by entry."""
    A = np.zeros((N, N))
    for n in range(N):
        for k in range(n):
            A[n, k] = -math.sqrt((2 * n + 1) * (2 * k + 1))
        A[n, n] = -(n + 1)
    B = np.sqrt(2 * np.arange(N) + 1.0)
    return A, B, A + np.outer(B, B) / 2


def dense_frequencies(N):
    """Nonnegative imaginary parts of the normal part, decreasing, by a Hermitian eigensolver."""
    S = legs_matrices(N)[2]
    return np.sort(np.linalg.eigvalsh(-1j * (S + np.eye(N) / 2)))[::-1][: N // 2]


def test_spectra_are_those_of_dense_matrices_and_of_the_printed_laws():
    N = 24
    data = FIGURES["spectra"].data(N=N)
    truth = dense_frequencies(N)
    # A backward stable eigensolver: 8 eps of the norm.
    assert np.abs(data["frequency_legs"] - truth).max() < 8 * EPS * truth[0]
    n = np.arange(N // 2)
    # Each law solved for its index n: what the formulas must give back, to a few roundings of numbers below N^2.
    assert np.abs((math.pi * data["frequency_inv"] / N + 1) * (2 * n + 1) - N).max() < 8 * N * EPS
    assert np.abs((math.pi * data["frequency_inv2"] / N + 1) * (n + 1) - N).max() < 8 * N * EPS
    assert np.abs(data["frequency_lin"][::-1] / math.pi - n).max() < 4 * N * EPS
    assert np.abs(np.sqrt(math.pi * data["frequency_quad"][::-1]) - 2 * n - 1).max() < 8 * N * EPS
    assert sorted(data["real"]) == sorted(np.diag(legs_matrices(N)[0]))
    assert np.abs(data["law"] * (2 * n + 1) * math.pi - N * N).max() < 8 * N * N * EPS


def test_the_largest_eigenvalue_of_the_caption():
    data = FIGURES["spectra"].data()
    # w_0 = N^2/pi - pi/6 + (pi/12 + pi^3/90)/N^2 - ..., the next term below 32/N^4.
    series = 64**2 / math.pi - math.pi / 6 + (math.pi / 12 + math.pi**3 / 90) / 64**2
    assert abs(data["largest_legs"] - series) < 40 / 64**4


def test_relative_errors_against_dense_eigenvalues():
    N = 16
    data = FIGURES["spectrum-errors"].data(N=N, sizes=(8, 16))
    truth, n = dense_frequencies(N), np.arange(N // 2)
    for name, law in (
        ("inv", N / math.pi * (N / (2 * n + 1) - 1)),
        ("inv2", N / math.pi * (N / (n + 1) - 1)),
        ("lin", math.pi * n[::-1]),
        ("quad", (2 * n[::-1] + 1) ** 2 / math.pi),
    ):
        error = law / truth - 1
        # Errors of the eigensolver, 8 eps of the norm, relative to the smallest root.
        bound = 16 * EPS * truth[0] / truth[-1] * max(1, np.abs(error).max())
        assert np.abs(data[f"error_{name}"] - error).max() < bound
        assert abs(data[f"median_{name}"][1] - np.median(np.abs(error))) < bound
        assert abs(data[f"maximum_{name}"][1] - np.abs(error).max()) < bound
    deepest = (N / math.pi * (N / (2 * n + 1) - 1) / truth - 1).min()
    assert abs(data["deepest_inv"] - deepest) < 1e3 * EPS


def test_the_limit_in_the_bulk_has_the_known_first_correction():
    """w = N y (1 + N^2/(24 w^2 (w^2 + N^2) phi')), phi' = log(1 + N^2/w^2)/2: theory of the sums by Euler and Maclaurin."""
    N = 128
    data = FIGURES["spectrum-errors"].data(N=N, sizes=(8,))
    m = np.arange(4, 40)
    w = dense_frequencies(N)[m]
    correction = N**2 / (24 * w**2 * (w**2 + N**2) * np.log1p(N**2 / w**2) / 2)
    # The law is the same function of (2m+1)/N: 1 + error = law/w, 1 + bulk = law/(N y).
    found = (1 + data["bulk"][m]) / (1 + data["error_inv"][m]) - 1
    # The next corrections are smaller by 1/w^2 and correction itself; w > 40 here.
    assert np.abs(found / correction - 1).max() < 1 / 40**2


def test_limits_of_medians_and_of_the_largest_error():
    N = 2048
    data = FIGURES["spectrum-errors"].data(N=16, sizes=(16, N))
    for name in ("inv", "inv2", "lin"):
        # Medians of N/2 values of a smooth function: neighbors differ by about (4/N) times its slope, here below 2.
        assert abs(data[f"median_{name}"][1] - data[f"median_limit_{name}"]) < 8 / N
    # The last root: w (log N + gamma + 2 log 2) - (7 zeta(3)/3) w^3 = pi/2 up to 31 zeta(5)/5 w^5.
    total = math.log(N) + np.euler_gamma + 2 * math.log(2)
    w = math.pi / 2 / total
    for _ in range(50):
        w = (math.pi / 2 + 7 * zeta(3) / 3 * w**3) / total
    assert abs((1 + data["maximum_inv"][1]) * math.pi * w * (N - 1) / N - 1) < 8 * w**5
    assert abs((1 + data["maximum_law"][1]) * math.pi**2 / 2 / total - 1) < 8 * EPS
    assert data["maximum_quad"][1] / data["maximum_quad"][0] > 0.5 * N / 16


@pytest.fixture(scope="module")
def spikes():
    return FIGURES["transfer-spikes"].data(shown=(16, 64, 256), largest=64)


def test_transfer_functions_against_linear_solves(spikes):
    N = 16
    A, B, S = legs_matrices(N)
    w = spikes[f"frequency_{N}"]
    for place in range(0, len(w), 23):
        full = np.linalg.solve(1j * w[place] * np.eye(N) - A, B)[0]
        restricted = np.linalg.solve(1j * w[place] * np.eye(N) - S, B / 2)[0]
        # Condition of the solve: norm N^2 and w over the distance 1/2 to the spectrum.
        bound = 16 * EPS * (N**2 + w[place]) * 2
        assert abs(spikes[f"full_{N}"][place] - abs(full)) < bound
        assert abs(spikes[f"diagonal_{N}"][place] - abs(restricted)) < bound
    assert np.abs(spikes[f"full_{N}"] * np.hypot(1, w) - 1).max() < 8 * EPS


def test_heights_of_spikes_follow_their_series(spikes):
    """2/mu (1 + 7 mu^2/(12 N^2) (1 + delta)), abs(delta) <= 6 mu^2/N^2 (core.diag.spike)."""
    N = 256
    for m in range(3):
        mu = (2 * m + 1) * math.pi
        relative = spikes[f"height_{N}"][m] * mu / 2 - 1
        assert abs(relative / (7 * mu**2 / (12 * N**2)) - 1) < 6 * mu**2 / N**2 + 1e-5
    assert abs(spikes[f"spike_{N}"][0] - (N**2 / math.pi - math.pi / 6)) < 1 / N**2


def test_the_largest_difference_against_a_dense_search(spikes):
    """The supremum over the axis by bounded optimization about the last spike; its law within 30 (n+1)^2/N^4."""
    from scipy.optimize import minimize_scalar

    place = list(spikes["size"]).index(16)
    A, B, S = legs_matrices(16)
    for n in range(3):

        def gain(w, n=n):
            point = 1j * w * np.eye(16)
            return -abs(np.linalg.solve(point - S, B / 2)[n] - np.linalg.solve(point - A, B)[n])

        center = dense_frequencies(16)[0]
        found = -minimize_scalar(gain, bounds=(center - 2, center + 2), method="bounded", options={"xatol": 1e-7}).fun
        assert abs(spikes[f"supremum_{n}"][place] - found) < 1e-9
        limit = 2 * math.sqrt(2 * n + 1) / math.pi
        assert abs(spikes["limit"][n] - limit) < 4 * EPS
        law = limit * (1 + math.pi**2 / (12 * 64**2))
        assert abs(spikes[f"supremum_{n}"][-1] - law) < 30 * (n + 1) ** 2 * limit / 64**4
    assert np.abs(spikes["law_supremum"] * spikes["size"] ** 2 - math.pi / 6).max() < 4 * EPS
    assert np.abs(spikes["law_top"] / spikes["law_supremum"] - 7).max() < 16 * EPS
    assert abs((spikes["top"][-1] - 2 / math.pi) / spikes["law_top"][-1] - 1) < 6 * math.pi**2 / 64**2
    assert spikes["difference_64"] == spikes["supremum_0"][-1]
