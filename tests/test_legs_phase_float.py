"""The float64 LegS spectrum and its double-double kit against certified balls.

Every error is computed rigorously: the exact root lies in one interval-Newton image of a ball around the float (log
gamma in balls; phi_N' decreases for w > 0, so its two end values enclose it), and the error is the largest distance to
that enclosure, in units in the last place of the exact value.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import acb, arb, fmpq
from numpy.typing import NDArray

from hippo_theory.arithmetic import balls
from hippo_theory.errors import InputError
from hippo_theory.families import double_double as dd
from hippo_theory.families.legs_phase_float import frequencies_and_weights

Array = NDArray[np.float64]

# Measured in this file: 0.49998 ulp (frequencies), 0.49994 ulp (weights).  Measured over all roots for N <= 300 and
# half a million roots for random N up to 10^6: 0.50003 and 0.50001 ulp.
ULP_BOUND = 2.0
MEASURED_BOUND = 0.51

ALL_ROOTS = [*range(1, 65), 65, 100, 127, 128, 255, 256, 511, 1024]
HALF = fmpq(1, 2)


def slope(N: int, w: Any) -> Any:
    """phi_N'(w) = Re[psi(N + 1/2 + i w) - psi(1/2 + i w)] as a ball."""
    return (acb(N + arb(HALF), w).digamma() - acb(HALF, w).digamma()).real


def slope_over(N: int, interval: Any) -> Any:
    """phi_N' over an interval of positive w, where it decreases."""
    return slope(N, interval.lower()).union(slope(N, interval.upper()))


def enclose(N: int, m: int, approximation: float) -> tuple[Any, Any] | None:
    """Balls of the root of phi_N(w) = (pi/2) m and of its weight; None unless the root is within 8 ulp."""
    if m == 0:
        return arb(0), (2 / slope(N, arb(0))).sqrt()
    w = arb(approximation)
    phase = (acb(N + arb(HALF), w).lgamma() - acb(HALF, w).lgamma()).imag
    interval = w + arb(0, 8.0 * math.ulp(approximation))
    root = w - (phase - arb.pi() * m / 2) / slope_over(N, interval)
    if not (root > interval.lower() and root < interval.upper()):
        return None
    return root, (2 / slope_over(N, root)).sqrt()


def ulp_error(value: float, exact: Any) -> float:
    """Upper bound of the distance from a float to a ball, in ulp of the ball's value; 0 for 0 exactly."""
    if exact == 0:
        return 0.0 if value == 0.0 else math.inf
    return float((abs(arb(value) - exact) / arb(math.ulp(float(exact)))).upper())


def largest_errors(N: int, frequencies: Array, weights: Array, indices: list[int]) -> tuple[float, float]:
    """Largest ulp error of the frequencies and of the weights at these indices; infinite where a root is not found."""
    largest = [0.0, 0.0]
    with balls(200).work():
        for j in indices:
            exact = enclose(N, N - 1 - 2 * j, float(frequencies[j]))
            if exact is None:
                return math.inf, math.inf
            largest[0] = max(largest[0], ulp_error(float(frequencies[j]), exact[0]))
            largest[1] = max(largest[1], ulp_error(float(weights[j]), exact[1]))
    return largest[0], largest[1]


@pytest.mark.parametrize("N", ALL_ROOTS)
def test_every_root_is_within_two_ulp(N: int) -> None:
    frequencies, weights = frequencies_and_weights(N)
    assert len(frequencies) == len(weights) == (N + 1) // 2
    assert max(largest_errors(N, frequencies, weights, list(range(len(frequencies))))) <= ULP_BOUND


@pytest.mark.parametrize("N", [13, 64, 1024])
def test_double_double_leaves_little_more_than_the_last_rounding(N: int) -> None:
    """A guard below the promise, which a lost compensation (in the last square root, say) would still keep."""
    frequencies, weights = frequencies_and_weights(N)
    assert max(largest_errors(N, frequencies, weights, list(range(len(frequencies))))) <= MEASURED_BOUND


@pytest.mark.parametrize(("N", "count"), [(4096, 600), (10**5, 1500), (10**6 - 1, 1000), (10**6, 2000)])
def test_roots_of_large_systems_are_within_two_ulp(N: int, count: int) -> None:
    frequencies, weights = frequencies_and_weights(N)
    assert np.all(np.diff(frequencies) < 0.0)
    assert np.all(np.diff(weights) < 0.0)
    size = len(frequencies)
    generator = np.random.default_rng(N)
    # Uniform, crowded at the top, crowded at the bottom; both ends; where Stirling's series starts; w = N; chunk ends.
    even, high, low = generator.random((3, count))
    fractions = np.concatenate((even, high**6, 1.0 - low**4))
    borders = [0, 20, size - 60, size - 1, 8192, 16384]
    borders += [int(np.count_nonzero(frequencies >= level)) for level in (12.0, float(N))]
    indices = set((fractions * size).astype(int).tolist())
    for border in borders:
        indices |= set(range(border - 12, border + 12))
    chosen = [j for j in indices if 0 <= j < size]
    assert max(largest_errors(N, frequencies, weights, chosen)) <= ULP_BOUND


@pytest.mark.parametrize("N", [2, 33, 1024])
@pytest.mark.parametrize("ulps", [-3, 3, 1000])
def test_the_check_detects_a_perturbed_value(N: int, ulps: int) -> None:
    frequencies, weights = frequencies_and_weights(N)
    j = len(frequencies) // 3
    wrong = frequencies.copy()
    wrong[j] += ulps * np.spacing(wrong[j])
    assert largest_errors(N, wrong, weights, [j])[0] > ULP_BOUND
    wrong = weights.copy()
    wrong[j] += ulps * np.spacing(wrong[j])
    assert largest_errors(N, frequencies, wrong, [j])[1] > ULP_BOUND


def test_the_check_detects_the_neighbouring_root() -> None:
    frequencies, weights = frequencies_and_weights(64)
    assert largest_errors(64, np.roll(frequencies, 1), weights, [5]) == (math.inf, math.inf)


@pytest.mark.parametrize("N", [1, 2, 3, 4, 7, 16, 33, 128])
def test_agrees_with_a_dense_eigensolver(N: int) -> None:
    B = np.sqrt(2.0 * np.arange(N) + 1.0)
    skew = 0.5 * np.outer(B, B) * (np.triu(np.ones((N, N)), 1) - np.tril(np.ones((N, N)), -1))
    values, vectors = np.linalg.eigh(-1j * skew)
    frequencies, weights = frequencies_and_weights(N)
    size = len(frequencies)
    np.testing.assert_allclose(values[::-1][:size], frequencies, rtol=1e-12, atol=1e-11 * N)
    np.testing.assert_allclose(abs(vectors.conj().T @ B)[::-1][:size], weights, rtol=1e-10)


@pytest.mark.parametrize("N", [1, 2, 5, 12, 13, 1000, 100001])
def test_squared_weights_sum_to_the_squared_norm_of_the_input(N: int) -> None:
    frequencies, weights = frequencies_and_weights(N)
    total = 2.0 * math.fsum(weights**2) - (weights[-1] ** 2 if N % 2 else 0.0)
    assert total == pytest.approx(N * N, rel=1e-14)
    assert (frequencies[-1] == 0.0) == (N % 2 == 1)
    assert not np.signbit(frequencies[-1])


@pytest.mark.parametrize("N", [0, -3, 2.0, "4", True, None])
def test_rejects_what_is_not_a_size(N: Any) -> None:
    with pytest.raises(InputError):
        frequencies_and_weights(N)


# --- the double-double kit --------------------------------------------------------------------------------------------


def samples(count: int, low_exponent: float = -40.0, high_exponent: float = 40.0, *, positive: bool = False) -> Array:
    """Seeded numbers of random sign, their magnitudes spread evenly over powers of two."""
    generator = np.random.default_rng(count)
    values = np.exp2(generator.uniform(low_exponent, high_exponent, count))
    return values if positive else values * generator.choice([-1.0, 1.0], count)


def pairs(values: Array) -> dd.DoubleDouble:
    """Double-doubles whose low parts are random too."""
    generator = np.random.default_rng(5)
    return dd.fast_two_sum(values, values * generator.uniform(-(2.0**-53), 2.0**-53, len(values)))


def exact_pair(x: dd.DoubleDouble, index: int) -> Fraction:
    return Fraction(float(x[0][index])) + Fraction(float(x[1][index]))


def ball_pair(x: dd.DoubleDouble, index: int) -> Any:
    return arb(float(x[0][index])) + arb(float(x[1][index]))


@pytest.mark.parametrize("operation", [dd.two_sum, dd.two_prod])
def test_error_free_transformations_are_exact(operation: Any) -> None:
    a, b = samples(997), samples(997)[::-1]
    result = operation(a, b)
    for j in range(len(a)):
        first, second = Fraction(float(a[j])), Fraction(float(b[j]))
        assert exact_pair(result, j) == (first + second if operation is dd.two_sum else first * second)


def test_pair_arithmetic_keeps_its_bounds() -> None:
    unit = Fraction(1, 2**106)  # u^2
    x, y = pairs(samples(1500)), pairs(samples(1500)[::-1])
    short = np.rint(2.0**25 * np.random.default_rng(1).random(1500))
    results = (dd.add(x, y), dd.sub(x, y), dd.mul(x, y), dd.div(x, y), dd.mul_short(x, short))
    for j in range(1500):
        first, second, factor = exact_pair(x, j), exact_pair(y, j), Fraction(float(short[j]))
        total, difference, product, quotient, scaled = (exact_pair(result, j) for result in results)
        assert abs(total - (first + second)) <= 4 * unit * (abs(first) + abs(second))
        assert abs(difference - (first - second)) <= 4 * unit * (abs(first) + abs(second))
        assert abs(product / (first * second) - 1) <= 8 * unit
        assert abs(quotient * second / first - 1) <= 16 * unit
        assert abs(scaled - first * factor) <= 4 * unit * abs(first * factor)


def test_sum_rows_keeps_its_bound() -> None:
    x = pairs(samples(16 * 60))
    rows = (x[0].reshape(16, 60), x[1].reshape(16, 60))
    total = dd.sum_rows(rows)
    for column in range(60):
        terms = [exact_pair((rows[0][:, column], rows[1][:, column]), row) for row in range(16)]
        size = sum((abs(term) for term in terms), Fraction(0))
        assert abs(exact_pair(total, column) - sum(terms, Fraction(0))) <= (2 * 16 + 1) * size / 2**106


@pytest.mark.parametrize("spread", [0.0, 3.0, 12.0, 60.0])
def test_arctan2_is_within_its_bound_in_every_quadrant(spread: float) -> None:
    """Measured: 2^-75.0."""
    y, x = pairs(samples(2000, -spread, spread)), pairs(samples(2001, -spread, spread)[:-1])
    angle = dd.arctan2(y, x)
    with balls(200).work():
        for j in range(2000):
            exact = arb.atan2(ball_pair(y, j), ball_pair(x, j))
            assert abs(ball_pair(angle, j) / exact - 1) < arb(2) ** -73


def test_arctan2_on_the_axes() -> None:
    y, x = np.array([0.0, 1.0, 0.0, -1.0, 1.0]), np.array([2.0, 0.0, -2.0, 0.0, 1.0])
    high, low = dd.arctan2((y, np.zeros(5)), (x, np.zeros(5)))
    assert np.array_equal(high, np.arctan2(y, x))
    quarter = dd.half_pi()
    assert np.array_equal(low[:4], np.array([0.0, quarter[1], 2.0 * quarter[1], -quarter[1]]))


@pytest.mark.parametrize(("low", "high"), [(-80.0, -20.0), (-20.0, -5.0), (-5.0, 5.0), (5.0, 80.0)])
def test_log1p_quotient_is_within_its_bound(low: float, high: float) -> None:
    """Measured: 2^-76.4."""
    p, q = pairs(samples(2000, low, high, positive=True)), pairs(samples(2001, -1.0, 1.0, positive=True)[:-1])
    logarithm = dd.log1p_quotient(p, q)
    with balls(300).work():
        for j in range(2000):
            exact = (1 + ball_pair(p, j) / ball_pair(q, j)).log()
            assert abs(ball_pair(logarithm, j) / exact - 1) < arb(2) ** -74


def test_log1p_quotient_of_negative_and_zero_arguments() -> None:
    p, q = np.array([0.0, -0.5, -(2.0**-40), -0.984375]), np.ones(4)
    logarithm = dd.log1p_quotient((p, np.zeros(4)), (q, np.zeros(4)))
    assert logarithm[0][0] == 0.0
    with balls(200).work():
        for j in range(1, 4):
            assert abs(ball_pair(logarithm, j) / (1 + arb(float(p[j]))).log() - 1) < arb(2) ** -74


def test_tables_and_half_pi_are_within_their_bounds() -> None:
    bound = Fraction(1, 2**107)
    arctan_table = dd._arctan_table()
    log_high, log_low, first, log2_high, log2_low = dd._log_table()
    with balls(200).work():
        limit = arb(fmpq(bound.numerator, bound.denominator))
        for i in range(-1024, 1025):
            assert abs(ball_pair(arctan_table, i + 1024) - (arb(i) / 1024).atan()) < limit
        for j in range(first, first + len(log_high)):
            assert abs(ball_pair((log_high, log_low), j - first) - (arb(j) / 1024).log()) < limit
        assert abs(arb(log2_high) + arb(log2_low) - arb.const_log2()) < arb(2) ** -94
        high, low = dd.half_pi()
        assert abs(arb(high) + arb(low) - arb.pi() / 2) < arb(2) ** -106
    assert log2_high * 2.0**42 == math.floor(log2_high * 2.0**42)
    assert first < 1024 * math.sqrt(0.5) - 0.5
    assert first + len(log_high) > 1024 * math.sqrt(2.0) + 1.5
