"""The data of the figures of input selectivity by other routes: closed forms, quadrature, dense recurrences, plain counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg

from hippo_theory.families import LegT
from hippo_theory.figures.selectivity import decay_and_recall, haar_windows, recall_accuracies, separation_rates

EPS = np.finfo(float).eps


def test_decay_and_recall_against_closed_forms():
    data = decay_and_recall(None, longest=300)
    lags = 200 - data["token"]
    assert np.all(abs(data["weight_constant"] / np.exp(-lags / 10) - 1) <= 64 * EPS)
    # prod of 1/(1 + e^z) over later steps, times 1 - 1/(1 + e^z) = 1/(1 + e^-z) of its own
    z = 10 * (80.5 - data["token"])
    forgotten = np.logaddexp(0, z)
    logs = -np.logaddexp(0, -z) - (np.cumsum(forgotten[::-1])[::-1] - forgotten)
    near = logs > -600  # the rest underflows in one of both
    # a sum of 200 steps below 800: relative errors of the weights of 200 * 800 eps
    assert np.all(abs(data["weight_selective"][near] / np.exp(logs[near]) - 1) <= 2e5 * EPS)
    for a in (10, 20, 40):
        assert np.ptp(data[f"error_{a}"]) <= 1e-9 * data[f"error_{a}"][0]
        assert data[f"error_{a}"].max() <= data[f"bound_{a}"] <= 1.02 * data[f"error_{a}"].min()
        half = math.exp(-a / 2)
        assert data[f"bound_{a}"] == pytest.approx(2 * (half + half / (1 - half**2)), rel=16 * EPS)
    assert list(data["states_positive"]) == list(data["length"])
    # the middle token of T: T - n + 1 = ceil of (T + 1)/2
    assert list(data["states_complex"]) == [T - (T + 1) // 2 + 1 for T in data["length"]]


def test_haar_windows_against_a_plain_recurrence():
    data = haar_windows(None)
    f = np.random.default_rng(0).normal(size=40)
    t = np.arange(1, 41)
    for a in (2, 4, 16):
        total = 0.0
        for weight, start in ((1, 9), (-2, 17), (1, 25)):
            h = 0.0
            for k in range(40):
                h = h / (1 + math.exp(a * (start + 0.5 - t[k]))) + f[k]
            total += weight * h
        assert abs(data[f"weights_{a}"] @ f - total) <= 1e3 * EPS * abs(f).sum()
    wavelet = np.repeat([0, 1, -1, 0], [8, 8, 8, 16])
    assert np.array_equal(data["wavelet"], wavelet)
    edge = np.exp(-data["sharpness"] / 2)
    assert np.all(abs(data["bound"] * (1 - edge**2) / edge - 4) <= 64 * EPS)
    assert np.all(data["error"] <= data["bound"]) and np.all(data["block"] <= data["block_bound"])
    assert abs(data["weights_2"] - wavelet).max() == pytest.approx(data["error"][0], rel=8 * EPS)
    # the first input of the support is lost most: 1 - e^(-15 delta)
    assert np.all(abs(data["block"] / -np.expm1(-15 * data["step"]) - 1) <= 1e-9)  # features: e^-39, floor: e^-40/delta


def test_separation_rates_against_quadrature():
    data = separation_rates(None, largest=32)
    assert np.all(abs(data["haar"] / (math.sqrt(2) / 3 * 2.0 ** (-data["scales"] / 2)) - 1) <= 8 * EPS)
    n = np.arange(1, 2_000_001)
    squares = np.sin(np.pi * (n % 3) / 3) ** 2 * 2 / (np.pi * n) ** 2
    for N, found in zip(data["harmonics"], data["fourier"], strict=True):
        # beyond: (1/pi^2)/2000000, about half a unit of the ninth digit
        assert abs(found**2 - squares[N:].sum() - 1 / (np.pi**2 * 2e6)) <= 1e-12
    for N, found in zip(data["states"], data["hankel"], strict=True):
        tail = sum(4 / ((2 * k - 1) ** 2 * np.pi**2) for k in range(N + 1, 100_000))
        assert abs(found**2 - tail - 1 / (np.pi**2 * 99_999)) <= 1e-9
    assert np.all(data["legt"] >= data["hankel"][: len(data["legt"])])
    N, h = 4, 1e-3
    step = scipy.linalg.expm(np.asarray(LegT(N).A) * h)
    state, kernel = np.asarray(LegT(N).B, dtype=float), []
    for _ in range(8000):
        kernel.append(state[0])
        state = step @ state
    t, kernel = np.arange(8000) * h, np.array(kernel)
    before, after = t[:1001], t[1000:]
    squared = np.trapezoid(before * (kernel[:1001] - 1) ** 2, before) + np.trapezoid(after * kernel[1000:] ** 2, after)
    assert abs(data["legt"][2] - math.sqrt(squared)) <= 1e-5  # h^2 times second derivatives below 100, twelfth


def test_recall_accuracies_against_plain_counts():
    data = recall_accuracies(None, draws=40, tasks=4)
    assert data["one_hot"] == 1.0 and data["without"] == 0.0
    for kappa in (4, 16):
        bound = 64 * np.exp(-data["width"] / (4 * kappa))
        assert np.all(abs(data[f"failure_bound_{kappa}"] / bound - 1) <= 8 * EPS)
        # 40 draws: five standard errors above the bound at most
        assert np.all(data[f"failures_{kappa}"] <= np.minimum(bound, 1) + 5 * np.sqrt(np.minimum(bound, 0.25) / 40))
        generator, wrong = np.random.default_rng(0), np.zeros(len(data["width"]))
        for _ in range(40):
            values = generator.integers(0, 64, kappa)
            keys = generator.integers(0, 2, (kappa, data["width"][-1])) * 2 - 1
            codes = generator.integers(0, 2, (64, data["width"][-1])) * 2 - 1
            for place, D in enumerate(data["width"]):
                a, b = keys[:, :D], codes[:, :D]
                logits = [int(np.sum(b[v] * a[0] * sum(a[j] * b[values[j]] for j in range(kappa)))) for v in range(64)]
                right = logits.pop(values[0])
                wrong[place] += right <= max(logits)
        assert np.array_equal(data[f"failures_{kappa}"], wrong / 40)
    for kappa in (4, 8, 16, 32):
        accuracy = data[f"accuracy_{kappa}"]
        assert accuracy[-1] > 0.95 and accuracy[0] < accuracy[-1]
