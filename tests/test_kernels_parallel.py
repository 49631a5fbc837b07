"""Associative scans, S5 and LRU outputs, and the O(N) step of time-varying LegS, against loops and dense solves."""

from __future__ import annotations

import numpy as np
import pytest
from flint import arb, arb_mat

from hippo_theory.arithmetic import balls
from hippo_theory.families import LegS
from hippo_theory.kernels import (
    combine,
    legs_product,
    legs_solve,
    legs_step,
    linear_scan,
    lru_multipliers,
    recurrence,
    scan_outputs,
)

EPS = 2.0**-52
SIZES = (1, 2, 3, 16, 63, 64, 128)
LENGTHS = (1, 2, 3, 63, 64, 1000, 1001)


def test_combine_is_associative():
    rng = np.random.default_rng(1)
    pairs = [(int(a), int(b)) for a, b in rng.integers(-9, 9, (300, 2))]
    for first, second, third in zip(pairs, pairs[1:], pairs[2:], strict=False):
        assert combine(third, combine(second, first)) == combine(combine(third, second), first)
    assert combine((2, 1), (3, 5)) != combine((3, 5), (2, 1))


@pytest.mark.parametrize("L", LENGTHS)
def test_scan_is_the_loop(L):
    """Integers are exact: the same numbers. Complex: within its bound, a different for each step."""
    rng = np.random.default_rng(L)
    a, b = rng.integers(-1, 2, (L, 3)).astype(float), rng.integers(-9, 9, (L, 3)).astype(float)
    assert (linear_scan(a, b) == loop(a, b)).all()
    a = rng.uniform(0.9, 1, (L, 4)) * np.exp(1j * rng.uniform(0, 6, (L, 4)))
    b = rng.standard_normal((L, 4))
    scale = loop(np.abs(a), np.abs(b)).real
    assert (np.abs(linear_scan(a, b) - loop(a, b)) <= 5 * (np.arange(L) + 1)[:, None] * EPS * scale).all()


def loop(a, b):
    states, state = [], np.zeros(b.shape[1], dtype=complex)
    for multiplier, term in zip(a, b, strict=True):
        state = multiplier * state + term
        states.append(state)
    return np.array(states)


@pytest.mark.parametrize("L", LENGTHS)
def test_scanned_outputs_are_those_of_the_recurrence(L):
    """Three inputs and two outputs: the sum of the single systems; conjugate halves as the real part."""
    rng = np.random.default_rng(L)
    Abar = np.exp(-rng.random(5) * 0.1 + 3j * rng.random(5))
    Bbar = rng.standard_normal((5, 3)) + 1j * rng.standard_normal((5, 3))
    C = rng.standard_normal((2, 5)) + 1j * rng.standard_normal((2, 5))
    u = rng.standard_normal((L, 3))
    expected = sum(recurrence(Abar, Bbar[:, h], C, u[:, h]) for h in range(3)).T
    y = scan_outputs(Abar, Bbar, C, u)
    scale = np.abs(C).sum() * np.abs(Bbar).sum() * np.abs(u).max() * min(L, 20)
    assert y.shape == (L, 2)
    assert np.abs(y - expected).max() <= 10 * min(L, 20) * EPS * scale
    half = scan_outputs(Abar, Bbar, C, u, multiplicity=[2, 1, 2, 1, 2])
    assert np.isrealobj(half)
    assert np.abs(half - scan_outputs(Abar, Bbar, C * [2, 1, 2, 1, 2], u).real).max() <= 10 * min(L, 20) * EPS * scale
    varying = scan_outputs(np.broadcast_to(Abar, (L, 5)), Bbar, C, u)
    assert (varying == y).all()


def test_lru_multipliers():
    nu_log, theta_log = np.log([1e-12, 0.3, 5.0]), np.log([0.1, 3.0, 1e-3])
    multipliers, gain = lru_multipliers(nu_log, theta_log)
    assert np.abs(multipliers - np.exp(-np.exp(nu_log) + 1j * np.exp(theta_log))).max() <= 8 * EPS
    with balls(200).work():
        exact = [(1 - (-2 * arb(float(value)).exp()).exp()).sqrt() for value in nu_log]
    for value, truth, log in zip(gain, exact, nu_log, strict=True):
        assert abs(value / float(truth.mid()) - 1) <= 4 * EPS * (1 + abs(log))


# --- time-varying LegS ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("s", [0.0, 1e-4, 0.01, 0.5, 1.0, 100.0])
@pytest.mark.parametrize("N", SIZES)
def test_solves_and_products_with_legs_are_dense_ones(N, s):
    """Componentwise condition |M^-1| |M| |x| times (N + 10) eps, M = I - s A in balls."""
    rng = np.random.default_rng(N)
    right = rng.standard_normal(N)
    A = LegS(N).A
    M = np.eye(N) - s * A
    ring = balls(200)
    with ring.work():
        exact_A = arb_mat(LegS(N).state_matrix(ring).tolist())
        identity = arb_mat(N, N, [arb(n == k) for n in range(N) for k in range(N)])
        column = arb_mat([[arb(value)] for value in right])
        solution = (identity - exact_A * arb(s)).solve(column)
        truth = np.array([float(solution[n, 0].mid()) for n in range(N)])
        product = exact_A * column
        image = np.array([float(product[n, 0].mid()) for n in range(N)])
    condition = np.abs(np.linalg.inv(M)) @ (np.abs(M) @ np.abs(truth))
    assert (np.abs(legs_solve(right, s) - truth) <= (N + 10) * EPS * condition).all()
    assert (np.abs(legs_product(right) - image) <= (N + 4) * EPS * (np.abs(A) @ np.abs(right))).all()


@pytest.mark.parametrize("convention", ["paper", "code"])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("N", [1, 2, 3, 16, 63])
def test_legs_steps_agree_with_dense_solves(N, alpha, convention):
    rng = np.random.default_rng(N)
    legs = LegS(N)
    for k in (1, 2, 10, 1000):
        c, f = rng.standard_normal(N), rng.standard_normal()
        later = k + 1 if convention == "paper" else k
        M = np.eye(N) - alpha / later * legs.A
        right = c + (1 - alpha) / k * legs.A @ c + legs.B * f / k
        size = np.abs(c) + (1 - alpha) / k * np.abs(legs.A) @ np.abs(c) + legs.B * abs(f) / k
        inverse = np.linalg.inv(M)
        value = legs_step(c, np.array(f), k, alpha=alpha, convention=convention)
        allowed = (
            (20 + N) * EPS * np.linalg.norm(np.abs(inverse) @ np.abs(M) @ np.abs(inverse), 2) * np.linalg.norm(size)
        )
        assert np.linalg.norm(value - inverse @ right) <= allowed


def test_long_runs_stay_bounded_and_conventions_meet():
    """N = 64, 2000 steps of a ramp on a batch of two: nothing grows; the two conventions differ by O(1/L)."""
    states = {}
    for convention in ("paper", "code"):
        c = np.zeros((2, 64))
        for k in range(1, 2001):
            c = legs_step(c, np.array([k / 2000, 1.0]), k, convention=convention)
        states[convention] = c
    gap = np.abs(states["paper"] - states["code"]).max()
    assert 1e-5 < gap < 5e-2
    ramp = states["code"][0, :3]
    assert np.abs(ramp - [0.5, np.sqrt(3) / 6, 0.0]).max() < 2e-3  # x = 1/2 + (2x - 1)/2 on [0, 1]


def test_the_checks_can_fail():
    right = np.ones(8)
    assert np.abs(legs_solve(right, 0.1) - legs_solve(right, 0.1 * (1 + 1e-6))).max() > 1e-8
    c, f = np.ones(8), np.array(1.0)
    assert np.abs(legs_step(c, f, 3) - legs_step(c, f, 3, convention="code")).max() > 1e-3
