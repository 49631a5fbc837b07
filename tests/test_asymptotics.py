"""The closed forms and laws against routes that do not contain them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import acb, acb_mat, fmpq, fmpq_mat
from helpers import ALL_FAMILIES, family_id
from scipy.integrate import quad
from scipy.special import j0, j1

from hippo_theory.arithmetic import balls, complex_radius
from hippo_theory.asymptotics import exact_l2_squared, rate_theory, transfer_difference, zero_order_hold_constant
from hippo_theory.convergence import Row
from hippo_theory.families import LegS


def rational_l2_squared(N: int) -> list[Fraction]:
    """Squared L2 distances of all components, by Sylvester equations over the rationals.

    In the basis scaled by R_n, A_nk = -(2k+1) (n > k), -(n+1) (n = k), and B = 1, so that everything is rational.
    """
    R2 = [2 * n + 1 for n in range(N)]
    A = [[fmpq(-(n + 1) if n == k else -R2[k] if n > k else 0) for k in range(N)] for n in range(N)]
    S = [[A[n][k] + fmpq(R2[k], 2) for k in range(N)] for n in range(N)]

    def gramian(left, right, b_left, b_right):
        """Solve left G + G right^T + b_left b_right^T = 0."""
        rows, constants = [], []
        for n in range(N):
            for k in range(N):
                row = [fmpq(0)] * (N * N)
                for j in range(N):
                    row[j * N + k] += left[n][j]
                    row[n * N + j] += right[k][j]
                rows.append(row)
                constants.append([-(b_left * b_right)])
        solution = fmpq_mat(rows).solve(fmpq_mat(constants))
        return [solution[n * N + n, 0] for n in range(N)]

    one, half = fmpq(1), fmpq(1, 2)
    squares = [
        d - 2 * c + f
        for d, c, f in zip(gramian(S, S, half, half), gramian(S, A, half, one), gramian(A, A, one, one), strict=True)
    ]
    return [Fraction(int(x.p), int(x.q)) * r for x, r in zip(squares, R2, strict=True)]


@pytest.mark.parametrize("N", range(1, 9))
def test_exact_l2_distances_of_all_components(N):
    expected = rational_l2_squared(N)
    assert [exact_l2_squared(N, n) for n in range(N)] == expected
    # The check can fail: the formula of the inner components does not hold for the last one.
    inner = Fraction(2 * N - 1, 4) - Fraction(1 + 3 * N * (N - 1), 2 * N * N)
    assert inner != expected[-1]


@pytest.mark.parametrize("family", [family for family in ALL_FAMILIES if family.has_inner_function], ids=family_id)
def test_the_transfer_difference_against_a_dense_solve(family):
    ring = balls(200)
    with ring.work():
        s = acb(ring.number("0.3"), ring.number("1.7"))
        N, B = family.N, family.input_vector(ring)
        S, A = family.normal_part(ring), family.state_matrix(ring)

        def solve(matrix, drive):
            shifted = [[(s if n == k else 0) - matrix[n, k] for k in range(N)] for n in range(N)]
            return acb_mat(shifted).solve(acb_mat([[b] for b in drive]))

        diagonal, full = solve(S, B / 2), solve(A, B)
        for n in range(N):
            exact = transfer_difference(family, n, s, ring)
            assert exact.overlaps(diagonal[n, 0] - full[n, 0])
            assert complex_radius(exact) < 1e-40


def test_the_inner_function_of_legs_vanishes_at_its_zeros_only():
    ring = balls(128)
    legs = LegS(6)
    assert all(legs.inner_function(k, ring) == 0 for k in range(6))
    assert legs.inner_function(6, ring) != 0


@pytest.mark.parametrize(("step", "quoted"), [(1.0, 0.5998), (0.3, 1.2206), (0.1, 2.1441)])
def test_the_zero_order_hold_constant_by_adaptive_quadrature(step, quoted):
    """Another route: the integral of J_0(u)/u by adaptive quadrature, the largest difference by a fine scan."""

    def H(y):
        inner = quad(lambda u: (1 - j0(u)) / u, 0, y, limit=500, epsabs=1e-12)[0]
        return -(y * y / 2) * (j1(y) / y - np.log(y / 2) - np.euler_gamma + inner)

    # The largest difference lies at y = 2 e^(-tau/2) of the order 2.331/step.
    y = np.linspace(1.0, 12 / step, 500)
    differences = [abs(H(later) - H(now)) / step for now, later in zip(y, y * np.exp(-step / 2), strict=True)]
    # The scan misses the top by half a spacing squared of a curve of unit frequency.
    assert abs(max(differences) - zero_order_hold_constant(step)) < 3e-3 * quoted
    assert abs(zero_order_hold_constant(step) - quoted) < 1e-4


def test_the_zero_order_hold_constant_for_small_steps():
    """c(D) sqrt(D) -> sqrt(2/pi) max sin(x)/sqrt(x), tan x = 2x."""
    x = np.linspace(0.5, 2, 100_001)
    limit = np.sqrt(2 / np.pi) * np.max(np.sin(x) / np.sqrt(x))
    assert abs(zero_order_hold_constant(0.01) * 0.1 - limit) < 1e-3


def test_rates_of_rows():
    def row(**changes):
        place = {
            "family": "legs",
            "N": 8,
            "method": "continuous",
            "step": None,
            "component": 0,
            "norm": "l2",
            "point": None,
        }
        return Row(**{**place, **changes}, error=1.0, kind="observed")

    assert rate_theory(row()) == 0
    assert rate_theory(row(norm="transfer", point="0.25+1j")) == -1.5
    assert rate_theory(row(norm="l2", method="zoh", step=Fraction(1, 10))) == -1
    assert rate_theory(row(family="legt", norm="transfer", point="1")) is None
