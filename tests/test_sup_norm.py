"""Sup norms against brute force in balls and in mpmath, the notes' numbers, and the promises of the float64 tables."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import acb, arb
from mpmath import mp, mpf, workdps

from hippo_theory.arithmetic import balls, complex_radius, magnitude_bounds
from hippo_theory.discretizations import METHODS, discretize
from hippo_theory.errors import CertificationError, InputError
from hippo_theory.families import LegS
from hippo_theory.kernels import ExponentialSum, diagonal_kernel, full_kernel
from hippo_theory.norms.sup import LagValues, sup_norm


def difference(N, component, method, step):
    """A builder of the discrete kernel of the error at any precision."""

    def build(ring):
        error = diagonal_kernel(LegS(N), component, ring) - full_kernel(LegS(N), component, ring)
        return discretize(error, method, step)

    return build


def brute_force(kernel, lags):
    """The largest absolute value over the first `lags` lags, one ball evaluation each."""
    with balls(kernel.bits).work():
        values = [abs(kernel(lag)) for lag in range(lags)]
        best = values[0]
        for value in values:
            best = best.max(value)
        return best


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("N", "component", "step"), [(1, 0, "0.5"), (5, 4, "0.1"), (12, 3, "1/3")])
def test_agrees_with_every_lag_in_balls(N, component, method, step):
    result = sup_norm(difference(N, component, method, step), 25)
    kernel = difference(N, component, method, step)(balls(160))
    assert result.kind == "certified"
    # Twice the horizon of `sup_norm`, so that the brute force would see a maximum that the tail bound had lost.
    expected = brute_force(kernel, 2 * int(result.horizon / kernel.step) + 2)
    assert result.value.overlaps(expected)
    assert complex_radius(result.value) * 10**25 <= magnitude_bounds(result.value)[0]
    with balls(160).work():
        assert abs(kernel(result.lag)).overlaps(expected)


def test_agrees_with_matrix_powers_in_mpmath():
    # The second route: dense matrices, x_(l+1) = Abar x_l, no eigenvalues. 30 digits minus a few lost by the inverse.
    N, component, step = 6, 2, Fraction(1, 5)
    with workdps(30):
        A = mp.matrix(N, N)
        for n in range(N):
            for k in range(n + 1):
                A[n, k] = -mp.sqrt((2 * n + 1) * (2 * k + 1)) if n > k else -(n + 1)
        B = mp.matrix([mp.sqrt(2 * n + 1) for n in range(N)])
        S = A + B * B.T / 2
        x, y = mp.matrix(B / 2), mp.matrix(B)
        half = mpf(step.numerator) / step.denominator / 2
        identity = mp.eye(N)
        left, full = mp.inverse(identity - S * half), mp.inverse(identity - A * half)
        x, y = left * x, full * y
        largest = mpf(0)
        for _ in range(200):
            largest = max(largest, abs(x[component] - y[component]))
            x, y = left * (x + half * (S * x)), full * (y + half * (A * y))
        result = sup_norm(difference(N, component, "bilinear", step), 20)
        assert abs(mpf(str(result.value.mid().str(28, radius=False))) - largest) < mpf(10) ** -18


def test_numbers_of_the_notes():
    # Relative to the largest value of the LegS kernel under the same method, which is the one at lag 0 (n = 0).
    def relative(method):
        kernel = discretize(full_kernel(LegS(1024), 0, balls(128)), method, "0.1")
        result = sup_norm(difference(1024, 0, method, "0.1"), 15)
        assert result.kind == "certified"
        return float(result.value) / float(kernel(0)), result

    bilinear, late = relative("bilinear")
    zoh, _ = relative("zoh")
    assert round(bilinear, 5) == 0.00265
    assert round(zoh, 5) == 0.00218
    assert 11.2 < late.lag / 10 < 12  # just past t_min = 11.2, where the exponentially small part ends
    # The limit constant of zero-order hold, c(D) at D = 0.1, before any rounding in the notes: 2.1438 at N = 4096.
    assert round(4096 * float(sup_norm(difference(4096, 0, "zoh", "0.1"), 15).value), 4) == 2.1438


def test_sampled_does_not_converge():
    for N in (64, 128, 256):
        result = sup_norm(difference(N, 0, "sampled", "0.1"), 15)
        assert result.kind == "certified"
        assert 0.4999 < float(result.value) < 1.3
    # e_0 = -1/2 for every N: the certified digits must reproduce an exact number where lag 0 wins.
    result = sup_norm(difference(128, 0, "sampled", "0.1"), 40)
    assert result.lag == 0
    assert result.value.contains(arb(1) / 2)


def test_horizon_restricts_and_is_certified():
    build = difference(256, 0, "bilinear", "0.1")
    early = sup_norm(build, 12, horizon="5")
    assert (early.kind, early.horizon) == ("certified", Fraction(5))
    assert float(early.value) < 1e-4 < float(sup_norm(build, 12).value)
    kernel = build(balls(128))
    assert early.value.overlaps(brute_force(kernel, 51))
    with pytest.raises(InputError, match="horizon"):
        sup_norm(build, 12, horizon=-1)


def test_unclosed_tail_is_said_so():
    build = difference(256, 0, "bilinear", "0.1")
    result = sup_norm(build, 12, budget=10**5)
    assert result.kind == "observed"
    assert "raise `budget`" in result.why
    assert result.value.overlaps(brute_force(build(balls(128)), int(result.horizon * 10) + 1))
    assert float(result.value) <= float(sup_norm(build, 12).value)


@pytest.mark.parametrize(("N", "component", "method", "step"), [(40, 30, "zoh", "0.02"), (64, 1, "bilinear", "0.1")])
def test_float_tables_keep_their_bound(N, component, method, step):
    # At component 30 the coefficients of the real modes reach 10^22: in plain float64 nothing would be left.
    kernel = difference(N, component, method, step)(balls(256))
    table = LagValues(kernel)
    generator = np.random.default_rng(5)
    for start, size in ((0, 256), (256, 1024), (100_000, 2048)):
        values, bound = table.values(start, size)
        assert bound < 1e-12
        with balls(256).work():
            for offset in generator.integers(0, size, 40):
                distance = abs(kernel(start + int(offset)) - arb(float(values[offset])))
                assert distance <= arb(bound)


def test_error_bound_is_not_vacuous():
    # The largest error seen is within a factor 1000 of the bound: a bound of 1, or one that ignores N, would not be.
    kernel = difference(64, 0, "zoh", "0.1")(balls(200))
    values, bound = LagValues(kernel).values(0, 256)
    with balls(200).work():
        seen = max(float(abs(kernel(lag) - arb(float(values[lag])))) for lag in range(64))
    assert bound / 1000 < seen < bound


def test_tail_bound_holds_and_can_fail():
    kernel = difference(32, 4, "zoh", "0.1")(balls(128))
    table = LagValues(kernel)
    with balls(128).work():
        later = max(float(abs(kernel(lag))) for lag in range(60, 200))
    level = next(level for level in np.geomspace(1e-4, 10, 200) if table.tail_is_below(60, level))
    assert later < level < 100 * later + 1
    assert not table.tail_is_below(60, later / 2)


def test_real_tail_survives_cancellation():
    # abs(f_l) <= R_n e^(-t) for the sampled LegS kernel; term by term the bound would be 10^14 times larger at n = 20.
    table = LagValues(discretize(full_kernel(LegS(21), 20, balls(256)), "sampled", "0.1"))
    with balls(256).work():
        assert table.real_tail(0) < arb(41).sqrt() * 3
        assert table.real_tail(0) > arb(41).sqrt()  # it is a bound: f_0 = R_n
    result = sup_norm(table.kernel, 20)
    assert (result.kind, result.lag) == ("certified", 0)
    assert result.value.overlaps(arb(41).sqrt())


def test_finds_a_planted_late_maximum():
    # Two slow modes that start in opposition and come into phase at lag 5000: the value there is the largest by far.
    with balls(128).work():
        decay = (arb(-1) / 10**6).exp()
        rates = np.array([decay * acb(0, arb.pi() * k / 5000).exp() for k in (1001, 2002)], dtype=object)
        coefficients = np.array([acb(1), acb(-1)], dtype=object)
    none = np.array([], dtype=object)
    kernel = ExponentialSum(none, none, coefficients, rates, 128, Fraction(1))
    result = sup_norm(kernel, 15, horizon=20_000)
    lags = np.arange(20_001)
    brute = np.abs(2 * (complex(rates[0]) ** lags - complex(rates[1]) ** lags).real).max()
    assert result.kind == "certified"
    assert float(result.value) == pytest.approx(brute, rel=1e-9)  # complex128 rates: 20,000 u = 2e-12, with a margin


def test_refusals():
    with pytest.raises(InputError, match="continuous"):
        sup_norm(full_kernel(LegS(3), 0, balls(128)), 10)
    kernel = difference(8, 0, "zoh", "0.1")(balls(128))
    growing = replace(kernel, rates=np.array([2 * rate for rate in kernel.rates], dtype=object))
    with pytest.raises(InputError, match="unit circle"):
        sup_norm(growing, 10)
    with pytest.raises(CertificationError, match="bits"):
        sup_norm(kernel, 60)
    with pytest.raises(CertificationError, match="60 bits"):
        sup_norm(difference(8, 0, "zoh", "0.1")(balls(40)), 10)
    assert complex_radius(sup_norm(difference(8, 0, "zoh", "0.1"), 60).value) < Fraction(1, 10**60)
