"""Kernels with proved errors: against term-by-term sums, matrix exponentials and each other."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import arb, arb_mat

from hippo_theory.arithmetic import balls, is_narrow
from hippo_theory.discretizations import discretize
from hippo_theory.errors import CertificationError, InputError
from hippo_theory.families import FouT, LagT, LegS, LegT
from hippo_theory.kernels import (
    certified_kernel,
    certified_legs_kernel,
    diagonal_kernel,
    exact_exponential_sum,
    full_kernel,
    legs_kernel,
)

EQUIDISTANT = [Fraction(i, 30) for i in range(61)]
TIMES = ["equidistant", "scattered", "backward", "three", "one", "none"]
SCATTERED = [Fraction(0), Fraction(1, 3), Fraction(1, 7), Fraction(5), Fraction(27, 10)]


def narrow_to_the_largest(values, digits):
    with balls(400).work():
        largest = max((abs(value) for value in values), key=float)
        return all(bool(value.rad() <= largest * arb(10) ** -digits) for value in values)


@pytest.mark.parametrize("family", [LegS(9), LegS(16), LegT(8), LagT(7), FouT(9)], ids=lambda f: f"{f.name}-{f.N}")
@pytest.mark.parametrize(
    "times", [EQUIDISTANT, SCATTERED, EQUIDISTANT[::-1], EQUIDISTANT[3:6], [Fraction(2)], []], ids=TIMES
)
def test_diagonal_kernels_agree_with_their_terms(family, times):
    kernel = diagonal_kernel(family, 1, balls(300))
    values = certified_kernel(lambda ring: diagonal_kernel(family, 1, ring), times, 35)
    assert values.shape == (len(times),)
    for time, value in zip(times, values, strict=True):
        assert is_narrow(value, 35) and value.overlaps(kernel(time))


def test_radii_relative_to_the_largest_value_and_to_each():
    kernel = exact_exponential_sum([-1 + 1j], [0.5])
    times = list(range(0, 120, 3))
    to_largest = certified_kernel(kernel, times, 25, relative_to="largest")
    assert narrow_to_the_largest(to_largest, 25)
    to_each = certified_kernel(kernel, times, 25)
    assert all(is_narrow(value, 25) for value in to_each)
    for time, value, other in zip(times, to_largest, to_each, strict=True):
        assert value.overlaps(kernel(time)) and other.overlaps(kernel(time))


@pytest.mark.parametrize("method", ["zoh", "bilinear", "sampled"])
@pytest.mark.parametrize("lags", [range(50), range(7, 100, 4), [0, 3, 1], [5]])
def test_discrete_kernels_at_lags(method, lags):
    def make(ring):
        return discretize(diagonal_kernel(LegS(7), 0, ring), method, "0.01")

    exact = make(balls(250))
    for lag, value in zip(lags, certified_kernel(make, lags, 30), strict=True):
        assert is_narrow(value, 30) and value.overlaps(exact(lag))


def test_real_rates_and_cancellation_raise_the_precision():
    """The coefficients of the full LegS kernel grow like 2^(2.5 N): the first precision cannot do."""
    values = certified_kernel(lambda ring: full_kernel(LegS(60), 59, ring), EQUIDISTANT, 30)
    by_clenshaw = certified_legs_kernel([0] * 59 + [1], EQUIDISTANT, 30)
    for value, other in zip(values, by_clenshaw, strict=True):
        assert is_narrow(value, 30) and is_narrow(other, 30) and value.overlaps(other)


def test_inexact_parameters_that_do_not_suffice_are_refused():
    rough = diagonal_kernel(LegS(8), 0, balls(60))
    with pytest.raises(CertificationError, match="function of the precision"):
        certified_kernel(rough, EQUIDISTANT, 30)
    assert len(certified_kernel(diagonal_kernel(LegS(8), 0, balls(200)), EQUIDISTANT, 30)) == 61
    with pytest.raises(CertificationError, match="could not certify"):
        certified_kernel(lambda ring: full_kernel(LegS(60), 59, ring), EQUIDISTANT, 30, attempts=1)


def test_certified_kernels_refuse():
    kernel = exact_exponential_sum([1j], [1])
    with pytest.raises(InputError, match="relative_to"):
        certified_kernel(kernel, [1], relative_to="all")
    with pytest.raises(InputError, match="not a number"):
        certified_kernel(kernel, ["x"])
    with pytest.raises(InputError, match="`digits`"):
        certified_kernel(kernel, [1], 0)
    with pytest.raises(InputError, match="lags"):
        certified_kernel(discretize(kernel, "zoh", 1), [Fraction(1, 2)])
    with pytest.raises(InputError, match="shapes"):
        exact_exponential_sum([1j], [1, 2])
    with pytest.raises(InputError, match="finite"):
        exact_exponential_sum([1j], [float("nan")])
    assert all(value == 0 for value in certified_kernel(exact_exponential_sum([], []), [0, 1, 2]))


# --- the kernel of a whole LegS system ---------------------------------------------------------------------------------


def test_clenshaw_agrees_with_the_matrix_exponential():
    N, C = 6, [Fraction(n * n - 3, 7) for n in range(6)]
    times = [Fraction(0), Fraction(1, 10), Fraction(3, 2), Fraction(12)]
    with balls(300).work() as ring:
        A, B = arb_mat(LegS(N).state_matrix(ring).tolist()), arb_mat([[b] for b in LegS(N).input_vector(ring)])
        row = arb_mat([[ring.number(c) for c in C]])
        exact = [(row * (A * ring.number(time)).exp() * B)[0, 0] for time in times]
    for value, other in zip(certified_legs_kernel(C, times, 40), exact, strict=True):
        assert is_narrow(value, 40) and value.overlaps(other)


@pytest.mark.parametrize("N", [1, 2, 3, 10, 64, 256])
@pytest.mark.parametrize("kind", ["random", "last", "alternating", "large"])
def test_float_clenshaw_is_within_its_bound(N, kind):
    random = np.random.default_rng(N)
    C = {
        "random": random.standard_normal(N),
        "last": np.eye(N)[-1],
        "alternating": (-1.0) ** np.arange(N),
        "large": 10.0 ** random.uniform(-8, 8, N),
    }[kind]
    times = np.concatenate([[0.0, 1e-12, 1e-3, 0.5, 40.0, 800.0], random.exponential(2, 6)])
    values, bounds = legs_kernel(C, times)
    exact = certified_legs_kernel(C.tolist(), times.tolist(), 25)
    with balls(160).work() as ring:
        for value, bound, ball in zip(values.tolist(), bounds.tolist(), exact, strict=True):
            assert abs(ring.number(value) - ball) <= bound
    assert bounds.max() <= 1e-14 * (N + 5) ** 2 * np.abs(C * np.sqrt(2 * np.arange(N) + 1)).sum()


def test_legs_kernels_refuse():
    for C, times in (([], [1.0]), ([[1.0]], [1.0]), ([1.0], [-1.0]), ([float("nan")], [1.0])):
        with pytest.raises(InputError, match="`C`"):
            legs_kernel(C, times)
    for C, times in (([], [1]), ([1], [-1])):
        with pytest.raises(InputError, match="`C`"):
            certified_legs_kernel(C, times)
