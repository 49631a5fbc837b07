"""Fast diagonal kernels and their reduced phases, against balls of the same float64 parameters."""

from __future__ import annotations

import math
import sys
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, fmpq

from hippo_theory.arithmetic import balls
from hippo_theory.errors import CertificationError, InputError, MissingDependencyError
from hippo_theory.families import LegS
from hippo_theory.kernels import certified_kernel, nonuniform, nonuniform_kernel, phases

SEED = 20_240_601


def truth(Lambda, c, dt, lags, weights=None):
    """The kernel in balls, mode by mode with `acb.exp`: shares nothing with the code under test but python-flint."""
    weights = np.full(len(Lambda), 2.0) if weights is None else weights
    with balls(160).work() as ring:
        step = ring.number(Fraction(dt))
        rates = [ring.number(value) * step for value in np.asarray(Lambda, dtype=complex)]
        terms = [ring.number(value) * ring.number(w) for value, w in zip(c.astype(complex), weights, strict=True)]
        return [
            sum(((a * (r * int(lag)).exp()).real for a, r in zip(terms, rates, strict=True)), arb(0)) for lag in lags
        ]


def largest_error(values, enclosures):
    with balls(160).work() as ring:
        errors = [
            abs(ring.number(value) - ball).upper() for value, ball in zip(values.tolist(), enclosures, strict=True)
        ]
        return max(float(error) for error in errors)


def random_modes(N, real_parts, seed=SEED):
    random = np.random.default_rng(seed)
    frequencies = np.sort(np.exp(random.uniform(0, 12, N)))
    return real_parts(random, N) + 1j * frequencies, random.standard_normal(N) + 1j * random.standard_normal(N)


def constant(random, N):
    return np.full(N, -0.5)


def spread(random, N):
    return -np.exp(random.uniform(-6, 5, N))


def mixed_signs(random, N):
    return random.uniform(-1, 0.02, N)


# --- phases ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dt", [1e-3, 0.1, "0.10", Fraction(1, 3), 1])
def test_turns_and_angles_are_within_their_bounds_of_balls(dt):
    random = np.random.default_rng(SEED)
    w = np.concatenate(
        [np.exp(random.uniform(-20, 20, 60)) * random.choice([-1, 1], 60), [0.0, 2.0**30, math.pi, 1e-300]]
    )
    lags = [0, 1, 2, 12_345, 2**20 - 1, 2**20]
    rates = phases.reduced_rates(1j * w, dt)
    theta = phases.angles(rates, lags)
    assert np.abs(theta).max() <= math.pi + 2**20 * 2.0**-51
    with balls(400).work() as ring:
        step = fmpq(Fraction(dt).numerator, Fraction(dt).denominator)
        for j, frequency in enumerate(w.tolist()):
            turns = ring.number(frequency) * step / (2 * ring.pi)
            pair = ring.number(float(rates.turns[0][j])) + ring.number(float(rates.turns[1][j]))
            assert distance_to_integer(turns - pair) <= rates.turn_error
            for i, lag in enumerate(lags):
                error = distance_to_integer(turns * lag - ring.number(float(theta[i, j])) / (2 * ring.pi))
                assert float((2 * ring.pi * error).upper()) <= rates.angle_error(lag) < 1e-12


def distance_to_integer(ball):
    nearest_integer = int((ball.mid() + arb("0.5")).floor().unique_fmpz())
    return abs(ball - nearest_integer)


def test_float64_phases_without_reduction_would_lose_what_these_keep():
    w, dt, lag = np.array([1.4e9]), 0.1, 2**20
    plain = np.cos(w * dt * lag)
    (exact,) = truth(1j * w, np.array([0.5]), dt, [lag])
    reduced = np.cos(phases.angles(phases.reduced_rates(1j * w, dt), [lag])[0])
    assert largest_error(plain, [exact]) > 1e-5
    assert largest_error(reduced, [exact]) < 2e-15


def test_powers_and_tables_are_within_their_bounds():
    Lambda, _ = random_modes(20, spread)
    rates = phases.reduced_rates(Lambda, 0.003)
    table, bound = phases.power_table(rates, 3, 17, 37)
    single = phases.powers(rates, [3 + 17 * i for i in range(37)])
    with balls(200).work() as ring:
        for i in range(37):
            for j, rate in enumerate(Lambda):
                exact = (ring.number(rate) * ring.number(0.003) * (3 + 17 * i)).exp()
                size = abs(exact)
                assert abs(ring.number(table[i, j]) - exact) <= bound * size
                assert abs(ring.number(single[i, j]) - exact) <= rates.power_error(3 + 17 * 37) * size
    assert bound < 1e-13


def test_decays_of_large_exponents_keep_their_digits():
    rates = phases.reduced_rates([-0.1234567], 1)
    (value,) = phases.decays(rates, [5000])[0]
    with balls(120).work() as ring:
        exact = (ring.number(-0.1234567) * 5000).exp()
        assert abs(ring.number(float(value)) - exact) <= 12 * 2.0**-53 * exact


@pytest.mark.parametrize(
    ("Lambda", "dt", "message"),
    [
        ([1j], 0, "`dt`"),
        ([1j], -1, "`dt`"),
        ([1j * float("nan")], 1, "finite"),
        ([1e14j], 1, "2\\^42"),
        ([[1j]], 1, "one row"),
    ],
)
def test_phases_refuse(Lambda, dt, message):
    with pytest.raises(InputError, match=message):
        phases.reduced_rates(Lambda, dt)


def test_lags_must_be_integers():
    with pytest.raises(InputError, match="`lags`"):
        phases.angles(phases.reduced_rates([1j], 1), [0.5])


# --- kernels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("real_parts", [constant, spread, mixed_signs])
@pytest.mark.parametrize(("N", "L"), [(1, 1), (1, 2), (3, 3), (7, 5), (40, 1000), (300, 4097), (300, 8191)])
def test_blocks_are_within_their_proved_bound(real_parts, N, L):
    Lambda, c = random_modes(N, real_parts)
    weights = np.random.default_rng(1).integers(1, 3, N).astype(float)
    kernel = nonuniform_kernel(Lambda, c, 0.013, L, multiplicity=weights, algorithm="blocks")
    lags = np.unique([*np.random.default_rng(L).integers(0, L, 20).tolist(), 0, L - 1])
    error = largest_error(kernel.values[lags], truth(Lambda, c, 0.013, lags, weights))
    assert kernel.values.shape == (L,) and kernel.kind == "proved"
    assert error <= kernel.bound * np.abs(kernel.values).max()
    assert kernel.bound < 1e-10


@pytest.mark.parametrize(("N", "L"), [(1, 1), (1, 2), (5, 3), (40, 1000), (300, 4096), (300, 4097), (700, 20_000)])
@pytest.mark.parametrize("dt", [1e-3, 0.1])
def test_nonuniform_ffts_agree_with_balls(N, L, dt):
    pytest.importorskip("finufft")
    Lambda, c = random_modes(N, constant)
    kernel = nonuniform_kernel(Lambda, c, dt, L, algorithm="nufft")
    lags = np.unique([*np.random.default_rng(L).integers(0, L, 20).tolist(), 0, L - 1])
    scale = np.abs(kernel.values).max()
    assert (kernel.algorithm, kernel.kind) == ("nufft", "observed")
    assert largest_error(kernel.values[lags], truth(Lambda, c, dt, lags)) <= kernel.bound * scale
    blocks = nonuniform_kernel(Lambda, c, dt, L, algorithm="blocks")
    assert np.abs(kernel.values - blocks.values).max() <= (kernel.bound + blocks.bound) * scale * (1 + 1e-9)


@pytest.mark.parametrize("dt", [1e-3, 1e-2, 1e-1])
def test_design_size_is_right_to_1e_11_of_the_largest_value(dt):
    pytest.importorskip("finufft")
    N, L = 4096, 65_536
    Lambda = LegS(N).normal_spectrum()[: N // 2]
    random = np.random.default_rng(SEED)
    c = random.standard_normal(N // 2) + 1j * random.standard_normal(N // 2)
    kernel = nonuniform_kernel(Lambda, c, dt, L)
    lags = np.unique([*range(5), *random.integers(0, 2000, 10), *random.integers(0, L, 20), 4095, 4096, L - 1])
    scale = np.abs(kernel.values).max()
    error = largest_error(kernel.values[lags], truth(Lambda, c, dt, lags)) / scale
    assert kernel.algorithm == "nufft"
    assert error <= kernel.bound <= 1e-11
    blocks = nonuniform_kernel(Lambda, c, dt, L, algorithm="blocks")
    assert blocks.bound <= 1e-11
    assert np.abs(kernel.values - blocks.values).max() <= (kernel.bound + blocks.bound) * scale


def test_the_largest_size_stays_within_memory_for_a_part_of_it():
    """O(N + L): the tables come in batches (the whole size is the heavy test below)."""
    pytest.importorskip("finufft")
    Lambda, c = random_modes(2**12, constant)
    tracemalloc.start()
    nonuniform_kernel(Lambda, c, 1e-2, 2**20, algorithm="nufft")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 * 2**20


@pytest.mark.heavy
@pytest.mark.parametrize("algorithm", ["nufft", "blocks"])
def test_a_million_lags_of_65536_states(algorithm):
    pytest.importorskip("finufft")
    N, L, dt = 65_536, 2**20, 1e-3
    Lambda = LegS(N).normal_spectrum()[: N // 2]
    random = np.random.default_rng(SEED)
    c = random.standard_normal(N // 2) + 1j * random.standard_normal(N // 2)
    kernel = nonuniform_kernel(Lambda, c, dt, L, algorithm=algorithm)
    lags = np.unique(np.concatenate([random.integers(0, 20_000, 500), random.integers(0, L, 500)]))
    error = largest_error(kernel.values[lags], truth(Lambda, c, dt, lags))
    assert error <= kernel.bound * np.abs(kernel.values).max()
    assert kernel.bound <= 1e-10


def test_the_choice_of_algorithm(monkeypatch):
    Lambda, c = random_modes(300, constant)
    assert nonuniform_kernel(Lambda, c, 0.1, 100).algorithm == "blocks"  # small
    uneven, _ = random_modes(300, spread)
    assert nonuniform_kernel(uneven, c, 0.1, 20_000).algorithm == "blocks"  # real parts differ
    with pytest.raises(InputError, match="one real part"):
        nonuniform_kernel(uneven, c, 0.1, 100, algorithm="nufft")
    monkeypatch.setitem(sys.modules, "finufft", None)
    assert nonuniform_kernel(Lambda, c, 0.1, 20_000).algorithm == "blocks"  # no finufft
    with pytest.raises(MissingDependencyError, match="hippo_theory\\[fast\\]"):
        nonuniform_kernel(Lambda, c, 0.1, 20_000, algorithm="nufft")


def test_a_nonuniform_fft_that_misses_its_tolerance_is_refused(monkeypatch):
    finufft = pytest.importorskip("finufft")

    class Careless(finufft.Plan):
        def __init__(self, *arguments, **keywords):
            super().__init__(*arguments, **{**keywords, "eps": 1e-5})

    monkeypatch.setattr(finufft, "Plan", Careless)
    Lambda, c = random_modes(50, constant)
    with pytest.raises(CertificationError, match="take `algorithm` blocks"):
        nonuniform_kernel(Lambda, c, 0.1, 5000, algorithm="nufft")


def test_zero_coefficients_and_no_modes():
    assert not nonuniform_kernel([1j], [0.0], 1, 4).values.any()
    assert nonuniform_kernel([1j], [0.0], 1, 4).bound == 0
    assert not nonuniform_kernel([], [], 1, 4).values.any()


def test_memory_of_blocks_is_bounded_by_their_parts():
    assert nonuniform._MODES * 2**11 * 16 <= 2**24  # a table of 2^20 lags


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        (([1j], [1, 2], 1, 4), {}, "`coefficients`"),
        (([1j], [float("inf")], 1, 4), {}, "finite"),
        (([1j], [1], 1, 0), {}, "`L`"),
        (([1j], [1], 1, 4), {"tolerance": 1e-20}, "`tolerance`"),
        (([1j], [1], 1, 4), {"algorithm": "fft"}, "`algorithm`"),
        (([1j], [1], 1, 4), {"multiplicity": [1, 1]}, "`multiplicity`"),
        (([1.0], [1], 1, 4000), {}, "grows beyond float64"),
    ],
)
def test_kernels_refuse(arguments, keywords, message):
    with pytest.raises(InputError, match=message):
        nonuniform_kernel(*arguments, **keywords)


def test_certified_kernels_of_the_same_parameters_agree():
    Lambda, c = random_modes(64, spread)
    kernel = nonuniform_kernel(Lambda, c, 0.01, 500)
    times = [Fraction(0.01) * lag for lag in range(500)]
    enclosures = certified_kernel((Lambda, c), times, 20, relative_to="largest")
    assert largest_error(kernel.values, enclosures) <= kernel.bound * np.abs(kernel.values).max()
