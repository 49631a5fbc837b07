"""Delays, windows, time scales and the softmax of DSS: the data of the figures against dense matrices and exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
from flint import arb, fmpq

from hippo_theory.arithmetic import balls
from hippo_theory.families import FouT, LegS, LegT
from hippo_theory.figures.memory import delay_network, dss_softmax, fout_window, time_scales

EPS = np.finfo(float).eps


@pytest.fixture(scope="module")
def delays():
    return delay_network(None, sizes=(4, 8), points=37)


def test_responses_against_dense_exponentials(delays):
    for family in (LegT(4), LegT(8), FouT(9)):
        N = family.N
        C = family.B * (-1.0) ** np.arange(N) if isinstance(family, LegT) else family.B
        # the augmented matrix integrates the constant input: no inverse
        augmented = np.zeros((N + 1, N + 1))
        augmented[:N, :N], augmented[:N, N] = family.A, family.B
        for place in (0, 3, 20, 36):
            state = scipy.linalg.expm(augmented * delays["time"][place])[:N, N]
            output = C @ state - (family.name == "fout")
            # expm is good to about 1e2 eps of a matrix of norm below 1e3 here; C adds a factor below 20
            assert abs(delays[f"step_{family.name}_{N}"][place] - output) < 1e4 * EPS
            if isinstance(family, LegT):
                impulse = C @ scipy.linalg.expm(family.A * delays["time"][place]) @ family.B
                assert abs(delays[f"impulse_{N}"][place] - impulse) < 1e5 * EPS


def pade_delay(N, s):
    """The [N-1/N] Padé approximant of e^-s at a fraction, from its coefficients."""
    f = math.factorial
    above = sum(Fraction(f(2 * N - 1 - j) * f(N - 1), f(2 * N - 1) * f(j) * f(N - 1 - j)) * (-s) ** j for j in range(N))
    below = sum(Fraction(f(2 * N - 1 - j) * f(N), f(2 * N - 1) * f(j) * f(N - j)) * s**j for j in range(N + 1))
    return above / below


def test_legt_is_a_pade_approximant_with_the_stated_order(delays):
    for N in range(1, 5):
        with balls(256).work():
            for place in (0, 10, 24):
                s = Fraction(float(delays["point"][place]))
                y = pade_delay(N, s)
                error = abs(fmpq(y.numerator, y.denominator) - (-arb(fmpq(s.numerator, s.denominator))).exp())
                assert abs(delays[f"error_legt_{N}"][place] / float(error) - 1) < 4 * EPS  # both rounded once or twice
        assert abs(delays[f"slope_legt_{N}"] - 2 * N) < 0.03  # the next term is s times smaller, s = 0.01
        assert abs(delays[f"error_legt_{N}"][0] / delays[f"law_legt_{N}"][0] - 1) < 0.02


def test_delay_errors_on_the_axis_against_dense_solves(delays):
    for family in (LegT(8), FouT(9)):
        C = family.B * (-1.0) ** np.arange(family.N) if isinstance(family, LegT) else family.B
        for place in (1, 30, 150):
            w = delays["frequency"][place]
            y = C @ np.linalg.solve(1j * w * np.eye(family.N) - family.A, family.B) - (family.name == "fout")
            measured = delays[f"axis_error_{family.name}_{family.N}"][place]
            assert abs(measured - abs(y - np.exp(-1j * w))) < 1e4 * EPS  # condition numbers below 1e3
    assert abs(delays["error_fout_9"][0] / delays["law_fout_9"][0] - 1) < 0.02
    assert abs(delays["slope_fout_9"] - 3) < 0.03


@pytest.fixture(scope="module")
def window():
    return fout_window(None, N=9, sizes=(17, 33))


def test_the_window_of_fout_against_dense_exponentials(window):
    family = FouT(9)
    for place in (0, 17, 200, 320):
        kernels = scipy.linalg.expm(family.A * window["time"][place]) @ family.B
        for n in range(3):
            assert abs(window[f"kernel_{n}"][place] - kernels[n]) < 1e4 * EPS
    t = window["time"]
    np.testing.assert_allclose(
        window["limit_1"], np.where(t <= 1, math.sqrt(2) * np.cos(2 * np.pi * t), 0), atol=16 * EPS
    )
    family, place = FouT(33), 100
    late = scipy.linalg.expm(family.A * (1 + window["offset"][place] / 33)) @ family.B
    assert abs(window["edge_33"][place] - late[0]) < 1e4 * EPS
    assert abs(window["spike_33"][place] - family.B @ late / 33) < 1e5 * EPS


def test_profiles_at_the_end_of_the_window(window):
    """Adaptive quadrature in x itself, and what N states show."""

    def factor(x):
        return 1 / (1 - 1j * np.arctanh(x) / np.pi) ** 2

    for place in (0, 60, 80, 95):
        v = window["offset"][place]
        spike = scipy.integrate.quad(
            lambda x, v=v: (np.exp(1j * np.pi * v * x) * factor(x)).real, 0, 1, limit=400, epsabs=1e-9
        )[0]
        edge = scipy.integrate.quad(
            lambda x, v=v: (np.exp(1j * np.pi * v * x) * factor(x)).imag / x, 1e-12, 1, limit=400, epsabs=1e-9
        )[0]
        assert abs(window["spike_limit"][place] - spike) < 1e-7
        assert abs(window["edge_limit"][place] - (0.5 - edge / np.pi)) < 1e-7
    for N in (17, 33):
        # the next order is 1/N^2; measured 1.9 and 6.6 times that
        assert np.abs(window[f"edge_{N}"] - window["edge_limit"]).max() < 4 / N**2
        assert np.abs(window[f"spike_{N}"] - window["spike_limit"]).max() < 12 / N**2
    assert window["overshoot"] > 1.05 and window["undershoot"] < -0.05


def test_mean_lags_against_dense_sums():
    N = 12
    data = time_scales(None, N=N, points=8)
    legs, fout = LegS(N), FouT(33)
    for place, step in enumerate(data["step"]):
        assert abs(data["mean_legs"][place] / (1 / np.expm1(step)) - 1) < 4 * EPS
        # zero-order hold of the restriction in its dense form: sum l k_l = e_0^T Abar (I - Abar)^-2 Bbar
        S = legs.A + legs.P @ legs.P.T
        transition = scipy.linalg.expm(S * step)
        drive = np.linalg.solve(S, (transition - np.eye(N)) @ legs.B / 2)
        first = np.linalg.solve(np.eye(N) - transition, drive)
        second = np.linalg.solve(np.eye(N) - transition, transition @ first)
        # two solves with a matrix of condition below 1e2/step
        assert abs(second[0] / first[0] / data["mean_diagonal"][place] - 1) < 1e4 * EPS / step**2
        assert abs(data["mean_diagonal"][place] / data["law_diagonal"][place] - 1) < 0.2 * step
    # FouT by plain summation over the lags, whose tail is below 1e-12 after 60 windows
    step = data["step"][-1]
    transition = scipy.linalg.expm(fout.A * step)
    x = np.linalg.solve(fout.A, (transition - np.eye(33)) @ fout.B)
    total = weighted = 0.0
    for lag in range(int(400 / step)):
        total, weighted = total + x[0], weighted + lag * x[0]
        x = transition @ x
    assert abs(weighted / total / data["mean_fout"][-1] - 1) < 1e-7


def test_stretched_kernels_against_matrix_powers():
    N = 12
    data, legs = time_scales(None, N=N, points=2), LegS(12)
    S = legs.A + legs.P @ legs.P.T
    for place, step in enumerate((0.1, 0.01, 0.001)):
        transition = scipy.linalg.expm(S * step)
        drive = np.linalg.solve(S, (transition - np.eye(N)) @ legs.B / 2) / step
        for index in (0, 3, 7):
            lag = data[f"lag_{place}"][index]
            expected = (np.linalg.matrix_power(transition, int(lag)) @ drive)[3]
            # dividing by the step loses what the solve lost, about 1e3 eps / step
            assert abs(data[f"diagonal_{place}"][index] - expected) < 1e3 * EPS / step


def test_softmax_weights_by_their_definition():
    L = 16
    data = dss_softmax(None, L=L, points=80)
    for index, rate in enumerate(data["rate"]):
        exponentials = np.exp(complex(rate, 1) / L * np.arange(L))
        expected = np.abs(exponentials / exponentials.sum())
        np.testing.assert_allclose(data[f"weight_{index}"], expected, rtol=1e3 * EPS)
        np.testing.assert_allclose(data[f"plain_{index}"], np.abs(exponentials), rtol=64 * EPS)
    for index, damping in enumerate(data["damping"]):
        for place in (0, 10, 30, 80):
            x = (damping + 2j * np.pi * data["turn"][place]) / L
            total = abs(np.exp(x * np.arange(L)).sum())
            # a nearly vanishing sum of L terms of modulus 1: L eps over it
            assert abs(data[f"first_{index}"][place] * total - 1) < 20 * L * EPS / total
    # at one turn the sum is (e^r - 1)/(e^(x) - 1): conditioned like 1/0.01
    x = (-0.01 + 2j * np.pi) / L
    assert abs(data["blown"][0] * -np.expm1(-0.01) / abs(np.exp(x) - 1) - 1) < 1e4 * EPS
    assert abs(data["unturned"][0] * -np.expm1(-0.01) / -np.expm1(-0.01 / L) - 1) < 1e2 * EPS
