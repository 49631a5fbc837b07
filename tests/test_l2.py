"""L2 norms and transfer functions of exponential sums, against exact rational Lyapunov equations, quadrature and sums."""

from __future__ import annotations

import itertools
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from flint import acb, acb_mat, arb, arb_mat, fmpq, fmpq_mat
from helpers import family_id

from hippo_theory.arithmetic import balls, complex_radius, is_narrow, magnitude_bounds
from hippo_theory.asymptotics import exact_l2_squared
from hippo_theory.discretizations import METHODS, discretize
from hippo_theory.errors import InputError
from hippo_theory.families import FouT, LagT, LegS, LegT
from hippo_theory.kernels import ExponentialSum, diagonal_kernel, full_kernel
from hippo_theory.norms import l2_squared, transfer_value

RING = balls(250)


def agree(left, right, digits=30):
    """Both balls enclose the same number: they overlap, and both are narrow."""
    return bool(acb(left).overlaps(acb(right))) and is_narrow(left, digits) and is_narrow(right, digits)


def rational(value):
    return fmpq(value.numerator, value.denominator)


@cache
def error_kernel(N, component, bits=250):
    """K_n of the diagonal restriction minus that of LegS."""
    ring = balls(bits)
    return diagonal_kernel(LegS(N), component, ring) - full_kernel(LegS(N), component, ring)


# --- exact rational Gramians -------------------------------------------------------------------------------------------
# In the basis scaled by R_n = sqrt(2n+1) everything is rational: A_nk = -(2k+1) (n > k), -(n+1) (n = k), B = 1, and
# S_nk = A_nk + (2k+1)/2. The squared norm of K_n is R_n^2 times the entry (n, n) of a Gramian.


def error_system(N):
    """The system of size 2N whose output e_n - e_(N+n) is the error over R_n: (diag(S, A), (1/2, 1)), in rationals."""
    A = [[fmpq(-(n + 1) if n == k else -(2 * k + 1) if n > k else 0) for k in range(N)] for n in range(N)]
    S = [[A[n][k] + fmpq(2 * k + 1, 2) for k in range(N)] for n in range(N)]
    zeros = [fmpq(0)] * N
    F = [*([*row, *zeros] for row in S), *([*zeros, *row] for row in A)]
    return F, [fmpq(1, 2)] * N + [fmpq(1)] * N


def symmetric_solution(size, equation):
    """The symmetric X with equation(n, k) = {unknown (i, j): coefficient}, constant for all n >= k; exact."""
    index = {(n, k): n * (n + 1) // 2 + k for n in range(size) for k in range(n + 1)}
    rows, constants = [], []
    for n, k in index:
        coefficients, constant = equation(n, k)
        row = [fmpq(0)] * len(index)
        for i, j, coefficient in coefficients:
            row[index[max(i, j), min(i, j)]] += coefficient
        rows.append(row)
        constants.append([constant])
    solution = fmpq_mat(rows).solve(fmpq_mat(constants))
    return lambda i, j: solution[index[max(i, j), min(i, j)], 0]


def lyapunov(F, G):
    """X with F X + X F^T + G G^T = 0: the integral of e^(Ft) G G^T e^(F^T t)."""
    size = len(G)

    def equation(n, k):
        terms = [(j, k, F[n][j]) for j in range(size) if F[n][j] != 0] + [
            (n, j, F[k][j]) for j in range(size) if F[k][j] != 0
        ]
        return terms, -G[n] * G[k]

    return symmetric_solution(size, equation)


def stein(F, G):
    """X with X = F X F^T + G G^T: the sum of F^l G G^T (F^T)^l."""
    size = len(G)

    def equation(n, k):
        terms = [(n, k, fmpq(1))]
        terms += [(i, j, -F[n][i] * F[k][j]) for i in range(size) for j in range(size) if F[n][i] != 0 and F[k][j] != 0]
        return terms, G[n] * G[k]

    return symmetric_solution(size, equation)


def output_squares(X, N):
    return [(2 * n + 1) * (X(n, n) - 2 * X(n, N + n) + X(N + n, N + n)) for n in range(N)]


@cache
def exact_squares(N):
    return output_squares(lyapunov(*error_system(N)), N)


@pytest.mark.parametrize("N", range(1, 9))
def test_squared_distances_by_exact_lyapunov_equations(N):
    """core.diag.l2, for all components: residue sums in balls, the rational Gramian, and the closed form."""
    with RING.work():
        for n, square in enumerate(exact_squares(N)):
            assert agree(l2_squared(error_kernel(N, n)), arb(square))
            assert square == rational(exact_l2_squared(N, n))


def test_the_last_components_of_the_notes():
    quoted = [(1, 12), (9, 56), (85, 252), (1477, 2272), (26559, 25300), (99407, 66600)]
    assert [exact_squares(N)[-1] for N in range(1, 7)] == [fmpq(*pair) for pair in quoted]


@pytest.mark.parametrize("N", [8, 16, 64, 256])
def test_squared_distances_of_large_systems(N):
    """(2n+1)/4 - (1 + 3n(n+1))/(2 N^2), n <= 4, in balls of relative radius at most 1e-20; it does not tend to 0."""
    for n in range(5):
        ball = l2_squared(error_kernel(N, n))
        closed = Fraction(2 * n + 1, 4) - Fraction(1 + 3 * n * (n + 1), 2 * N * N)
        assert ball.contains(rational(closed))
        assert complex_radius(ball) * 10**20 <= magnitude_bounds(ball)[0]


@pytest.mark.parametrize("n", [0, 1, 7, 19])
def test_every_legs_kernel_has_squared_norm_one_half(n):
    assert agree(l2_squared(full_kernel(LegS(20), n, RING)), arb(1) / 2)


@pytest.mark.parametrize("step", ["0.1", "3"])
@pytest.mark.parametrize("N", [1, 2, 3, 4])
def test_bilinear_squared_distances_by_exact_stein_equations(N, step):
    """core.sampled: the bilinear method is an isometry, D sum e_l^2 is the squared distance itself, for every step D."""
    F, G = error_system(N)
    half_step = fmpq(Fraction(step).numerator, 2 * Fraction(step).denominator)
    identity = fmpq_mat(2 * N, 2 * N, [fmpq(n == k) for n in range(2 * N) for k in range(2 * N)])
    left, right = identity - fmpq_mat(F) * half_step, identity + fmpq_mat(F) * half_step
    Fbar, Gbar = left.solve(right).table(), left.solve(fmpq_mat([[g] for g in G])).table()
    squares = output_squares(stein(Fbar, [g for (g,) in Gbar]), N)
    with RING.work():
        for n, square in enumerate(squares):
            assert 2 * half_step * square == exact_squares(N)[n]
            assert agree(l2_squared(discretize(error_kernel(N, n), "bilinear", step)), arb(exact_squares(N)[n]))


def dense_squared_norm(matrix, vector, component):
    """(n, n) entry of the Gramian of a dense system, by one real Sylvester solve in balls."""
    size = len(vector)
    rows = []
    for n, k in np.ndindex(size, size):
        row = [arb(0)] * (size * size)
        for j in range(size):
            row[j * size + k] += matrix[n, j]
            row[n * size + j] += matrix[k, j]
        rows.append(row)
    constants = [[-vector[n] * vector[k]] for n, k in np.ndindex(size, size)]
    return arb_mat(rows).solve(arb_mat(constants))[component * size + component, 0]


@pytest.mark.parametrize(
    "family", [LagT(3, beta=1), LagT(4, beta="0.3"), FouT(5, variant="fourier-diagonal")], ids=family_id
)
def test_norms_of_other_restrictions_by_dense_lyapunov_equations(family):
    with RING.work():
        S, half_B = family.normal_part(RING), family.input_vector(RING) / 2
        for n in range(family.N):
            square = dense_squared_norm(S, half_B, n)
            assert agree(l2_squared(diagonal_kernel(family, n, RING)), square)


# --- horizons ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("horizon", ["0.5", "3", "40"])
def test_continuous_norms_up_to_a_horizon_by_quadrature(horizon):
    """python-flint's certified integration of the squared error."""
    kernel = error_kernel(5, 2, 128)
    with balls(128).work() as ring:
        real = list(zip(kernel.real_coefficients, kernel.real_rates, strict=True))
        pairs = list(zip(kernel.coefficients, kernel.rates, strict=True))
        pairs += [(c.conjugate(), rate.conjugate()) for c, rate in pairs]

        def square(t, _):
            return sum((c * (rate * t).exp() for c, rate in [*real, *pairs]), acb(0)) ** 2

        ends = [Fraction(horizon) * j / 8 for j in range(9)]
        parts = (acb.integral(square, acb(a), acb(b)) for a, b in itertools.pairwise(map(ring.number, ends)))
        integral = sum(parts, acb(0))
        ball = l2_squared(kernel, horizon)
        assert agree(integral.real, ball, 25)
        assert l2_squared(kernel, "40.001") > l2_squared(kernel, "0.5")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("horizon", ["0", "0.09", "0.1", "1", "1.05", "7"])
def test_discrete_norms_up_to_a_horizon_by_their_sums(method, horizon):
    """step sum of k_l^2 over all lags with 0 <= l step <= horizon, the last one included."""
    kernel = discretize(error_kernel(5, 2), method, "0.1")
    with RING.work():
        lags = [lag for lag in range(100) if Fraction(lag, 10) <= Fraction(horizon)]
        total = RING.number("0.1") * sum((kernel(lag) ** 2 for lag in lags), arb(0))
        assert agree(l2_squared(kernel, horizon), total)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [0, 3])
def test_discrete_norms_by_long_sums(method, n):
    """The tail beyond l = L is below the sum of sizes: (sum abs c_j)^2 r^(2L)/(1 - r^2) with r the largest modulus."""
    kernel, lags = discretize(error_kernel(4, n), method, "0.5"), 400
    with RING.work():
        modes = [*zip(kernel.real_coefficients, kernel.real_rates, strict=True)]
        sizes = sum((abs(c) for c, _ in modes), arb(0)) + 2 * sum((abs(c) for c in kernel.coefficients), arb(0))
        largest = max((abs(z) for z in [*kernel.real_rates, *kernel.rates]), key=float).upper()
        total = RING.number("0.5") * sum((kernel(lag) ** 2 for lag in range(lags)), arb(0))
        tail = sizes**2 * largest ** (2 * lags) / (1 - largest**2)
        assert float(tail) < 1e-15
        difference = l2_squared(kernel) - total
        assert is_narrow(difference, 15)
        assert difference > -RING.number("1e-60")
        assert difference < tail + RING.number("1e-60")


# --- transfer functions ------------------------------------------------------------------------------------------------

POINTS = [acb(0.5), acb(0.25, 1), acb(0, 2), acb(3, -7)]


def dense_transfer(matrix, vector, component, s):
    """e_n^T (s I - M)^-1 b by a dense solve."""
    size = len(vector)
    shifted = acb_mat([[(s if n == k else 0) - matrix[n, k] for k in range(size)] for n in range(size)])
    return shifted.solve(acb_mat([[b] for b in vector]))[component, 0]


def dense_discretization(matrix, vector, method, dt):
    """Abar, Bbar/dt in balls: block exponential, solve, exponential."""
    size = len(vector)
    M, b = arb_mat(matrix.tolist()), arb_mat([[x] for x in vector])
    if method == "bilinear":
        identity = arb_mat(size, size, [arb(n == k) for n in range(size) for k in range(size)])
        left = identity - M * (dt / 2)
        return left.solve(identity + M * (dt / 2)), left.solve(b)
    if method == "sampled":
        return (M * dt).exp(), b
    block = arb_mat([*([*row, x] for row, (x,) in zip(M.table(), b.table(), strict=True)), [arb(0)] * (size + 1)])
    table = (block * dt).exp().table()
    return arb_mat([row[:size] for row in table[:size]]), arb_mat([[row[size] / dt] for row in table[:size]])


TRANSFER_SYSTEMS = [LegS(1), LegS(7), LegS(8), LegT(5), LagT(4), FouT(6, convention="s4")]


@pytest.mark.parametrize("family", TRANSFER_SYSTEMS, ids=family_id)
def test_continuous_transfer_values_agree_with_dense_solves(family):
    with RING.work():
        S, half_B = family.normal_part(RING), family.input_vector(RING) / 2
        for n in {0, family.N - 1}:
            for s in POINTS:
                assert agree(transfer_value(diagonal_kernel(family, n, RING), s), dense_transfer(S, half_B, n, s))
                if family.name == "legs":
                    A, B = family.state_matrix(RING), family.input_vector(RING)
                    full, restricted = full_kernel(family, n, RING), diagonal_kernel(family, n, RING)
                    assert agree(transfer_value(full, s), dense_transfer(A, B, n, s))
                    difference = transfer_value(restricted - full, s)
                    assert agree(difference, dense_transfer(S, half_B, n, s) - dense_transfer(A, B, n, s))


@pytest.mark.parametrize("step", ["0.1", "1/3"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("family", TRANSFER_SYSTEMS, ids=family_id)
def test_discrete_transfer_values_agree_with_dense_solves(family, method, step):
    """step sum_l k_l z^-l = step e_n^T (I - Abar/z)^-1 Bbar/dt at z = e^(s step)."""
    with RING.work():
        dt = RING.number(step)
        Abar, Bbar = dense_discretization(family.normal_part(RING), family.input_vector(RING) / 2, method, dt)
        for n in {0, family.N - 1}:
            kernel = discretize(diagonal_kernel(family, n, RING), method, step)
            for s in POINTS:
                z = (s * dt).exp()
                shifted = acb_mat([[acb(i == j) - Abar[i, j] / z for j in range(family.N)] for i in range(family.N)])
                dense = shifted.solve(acb_mat(Bbar))[n, 0]
                assert agree(transfer_value(kernel, s), dt * dense)


@pytest.mark.parametrize("family", [LegS(9), LegT(8), LagT(9), FouT(9)], ids=family_id)
def test_the_bilinear_method_moves_the_point(family):
    """The discrete transfer function at z = e^(s D) is (1 + s' D/2) X(s'), s' = (2/D) tanh(s D/2): no poles, no matrix."""
    if family.name == "legs":
        kernel, factor = full_kernel(family, 4, RING), lambda s: acb(1)
    else:
        kernel, factor = diagonal_kernel(family, 4, RING), restriction_factor(family)
    with RING.work():
        dt = RING.number("0.1")
        for s in POINTS:
            moved = 2 / dt * (s * dt / 2).tanh()
            closed = (1 + moved * dt / 2) * family.transfer_function(4, moved, RING) * factor(moved)
            if family.name == "legt":  # rank two: the restriction is no multiple of the full system
                S, half_B = family.normal_part(RING), family.input_vector(RING) / 2
                closed = (1 + moved * dt / 2) * dense_transfer(S, half_B, 4, moved)
            assert agree(transfer_value(discretize(kernel, "bilinear", "0.1"), s), closed)


def restriction_factor(family):
    if not family.has_inner_function:
        return lambda s: acb(1)
    return lambda s: 1 / (1 + family.inner_function(s, RING))


@pytest.mark.parametrize("N", [4, 9])
def test_parseval(N):
    """The squared norm is the integral of abs(X(iw))^2/(2 pi): midpoint sums in the angle of w = 20 tan, float64.

    The integrand is periodic and analytic in a strip of half-width above 0.009 (poles at distance 1/2 from the axis, up to
    w = 26): the rule leaves e^(-2 * 4000 * 0.009). 1e-11 is rounding: 4000 terms of 1e-15 with a margin.
    """
    kernel, count = error_kernel(N, 1, 128), 4000
    angle = np.pi * ((np.arange(count) + 0.5) / count - 0.5)
    modes = [(complex(c), complex(r)) for c, r in zip(kernel.coefficients, kernel.rates, strict=True)]
    modes += [(c.conjugate(), r.conjugate()) for c, r in modes]
    modes += [(complex(c), complex(r)) for c, r in zip(kernel.real_coefficients, kernel.real_rates, strict=True)]
    X = sum(c / (20j * np.tan(angle) - r) for c, r in modes)
    integral = np.pi / count * np.sum(np.abs(X) ** 2 * 20 / np.cos(angle) ** 2)
    assert abs(integral / (2 * np.pi) - float(l2_squared(kernel))) < 1e-11


# --- what is refused, and what can fail ----------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [LegT(4), LagT(4), FouT(5)], ids=family_id)
def test_kernels_that_do_not_decay_have_no_norm(family):
    """Their normal parts have purely imaginary eigenvalues; sampled, multipliers of modulus 1."""
    kernel = diagonal_kernel(family, 0, RING)
    for attempt in (kernel, *(discretize(kernel, method, "0.1") for method in METHODS)):
        for horizon in (None, 1):
            with pytest.raises(InputError, match="does not decay"):
                l2_squared(attempt, horizon)
    assert transfer_value(kernel, acb(0.5)).is_finite()


def test_growing_and_undecided_kernels_are_rejected():
    none = np.array([], dtype=object)
    for rate in (arb(0), arb(1), arb(0, 1e-30), arb(-1e-30, 1e-29)):
        with pytest.raises(InputError, match="does not decay"):
            l2_squared(ExponentialSum(np.array([arb(1)]), np.array([rate]), none, none, 128))
    for rate in (acb(0, 1), acb(arb(0, 1e-30), 1), acb(2, 1)):
        with pytest.raises(InputError, match="does not decay"):
            l2_squared(ExponentialSum(none, none, np.array([acb(1)]), np.array([rate]), 128))
    for multiplier in (arb(1), arb(-1), arb(1, 1e-30), arb(2)):
        with pytest.raises(InputError, match="does not decay"):
            l2_squared(ExponentialSum(np.array([arb(1)]), np.array([multiplier]), none, none, 128, Fraction(1)))


def test_norms_by_hand():
    """2 e^-t cos t: squared norm 4 * (1/4 + 1/8) = 3/2; a step function of ratio 1/2: step/(1 - 1/4)."""
    none = np.array([], dtype=object)
    with RING.work():
        wave = ExponentialSum(none, none, np.array([acb(1)]), np.array([acb(-1, 1)]), 250)
        assert agree(l2_squared(wave), arb(3) / 2)
        powers = ExponentialSum(np.array([arb(1)]), np.array([arb(1) / 2]), none, none, 250, Fraction(1, 3))
        assert agree(l2_squared(powers), arb(4) / 9)
        assert agree(l2_squared(powers, 0), arb(1) / 3)
        assert agree(l2_squared(powers, Fraction(1, 3)), arb(5) / 12)
        assert agree(transfer_value(wave, acb(1)), acb(4) / 5)
        nothing = ExponentialSum(none, none, none, none, 250)
        assert l2_squared(nothing) == 0
        assert transfer_value(nothing, 1) == 0


def test_the_norm_checks_can_fail():
    with RING.work():
        square = arb(exact_squares(6)[5])
        kernel = error_kernel(6, 5)
        assert agree(l2_squared(kernel), square)
        tiny = 1 + RING.number("1e-6")

        def changed(**fields):
            names = ("real_coefficients", "real_rates", "coefficients", "rates", "bits", "step")
            return ExponentialSum(**{**{name: getattr(kernel, name) for name in names}, **fields})

        for wrong in (
            changed(coefficients=kernel.coefficients * tiny),
            changed(rates=kernel.rates * tiny),
            changed(coefficients=-kernel.coefficients),
            changed(coefficients=np.roll(kernel.coefficients, 1)),
            changed(real_coefficients=kernel.real_coefficients * tiny),
            error_kernel(6, 4),
        ):
            assert not agree(l2_squared(wrong), square)
        # The inner formula does not hold for the last component.
        assert not agree(l2_squared(kernel), arb(rational(Fraction(11, 4) - Fraction(1 + 90, 72))))
        s = POINTS[1]
        dense = dense_transfer(LegS(6).normal_part(RING), LegS(6).input_vector(RING) / 2, 5, s)
        restricted = diagonal_kernel(LegS(6), 5, RING)
        assert agree(transfer_value(restricted, s), dense)
        for moved in (s * tiny, -s, s.conjugate()):
            assert not agree(transfer_value(restricted, moved), dense)
