"""Gradients and approximation bounds: the data of the figures against quadrature, dense exponentials and exact moments."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
from flint import fmpq, fmpq_poly

from hippo_theory.families import LegS, LegT
from hippo_theory.figures.approximation import approximation_bounds, gradient_decay

EPS = np.finfo(float).eps


@pytest.fixture(scope="module")
def gradients():
    return gradient_decay(None, sizes=(4, 12), N=4, largest=2000)


def test_profiles_are_christoffel_functions(gradients):
    x = gradients["x"]
    for N in (4, 12):
        values = np.polynomial.legendre.legvander(2 * x - 1, N - 1) * np.sqrt(2 * np.arange(N) + 1)
        expected = np.linalg.norm(values, axis=1)
        np.testing.assert_allclose(gradients[f"profile_{N}"], expected, rtol=64 * N * EPS)
        assert gradients[f"profile_{N}"].min() >= 1 and gradients[f"profile_{N}"].max() <= N
    # the limit away from the ends: relative O(1/N) with its oscillation
    middle = (x > 0.1) & (x < 0.9)
    assert np.abs(gradients["profile_12"] / gradients["bulk_12"] - 1)[middle].max() < 0.8 / 12


def test_the_law_is_the_flow_of_the_matrix(gradients):
    legs = LegS(4)
    for place in (0, 50, 110):
        k = gradients["time"][place]
        flow = scipy.linalg.expm(math.log(k / 50) * legs.A) @ legs.B / 50
        # expm: absolute error of a few eps times its largest entry on the way, about 1e2
        assert abs(gradients["law"][place] - np.linalg.norm(flow)) < 1e3 * EPS
    # A/k on both sides is the midpoint rule, and k samples end at k - 1/2: errors of order N^2 over 50^2, then over k^2
    k = gradients["sample"]
    values = np.polynomial.legendre.legvander(100 / (k - 0.5) - 1, 3) * np.sqrt(2 * np.arange(4) + 1)
    ratio = gradients["recurrence"] * (k - 0.5) / np.linalg.norm(values, axis=1)
    assert np.abs(ratio - 1).max() < 0.5 * 16 / 50**2
    assert np.abs(ratio - 1)[k >= 500].max() < 2 * 16 / 500**2
    assert abs(gradients["slope_late"] + 1) < 0.01  # x N^2 is below 16/800 in the last decade


def test_systems_with_constant_coefficients_forget(gradients):
    for name, family, step in (("forgetting", LegS(4), 1 / 50), ("window", LegT(4), 1 / 500)):
        held = np.linalg.solve(family.A, (scipy.linalg.expm(family.A * step) - np.eye(4)) @ family.B)
        for place in (0, 30, 60):
            lag = gradients["sample"][place] - 50
            expected = np.linalg.norm(scipy.linalg.expm(family.A * (step * lag)) @ held)
            # expm, a solve and a product with matrices of norm below 1e2 on values below 1
            assert abs(gradients[name][place] - expected) < 1e3 * EPS
    assert gradients["forgotten"] < 1e-10


def exact_error(pieces, N):
    """L2 error by moments and the coefficients of the Legendre polynomials, exact rationals."""
    square, moments = fmpq(0), []
    for power in range(-1, N):
        total = fmpq(0)
        for a, b, f in pieces:
            whole = (f * f if power < 0 else f * fmpq_poly([0, 1]) ** power).integral()
            total += whole(b) - whole(a)
        if power < 0:
            square = total
        else:
            moments.append(total)
    for n in range(N):
        polynomial = fmpq_poly.legendre_p(n)(fmpq_poly([-1, 2]))
        inner = sum((c * moments[k] for k, c in enumerate(polynomial.coeffs())), fmpq(0))
        square -= (2 * n + 1) * inner * inner
    return math.sqrt(int(square.p) / int(square.q))


def kink(order, place):
    power = fmpq_poly([-place, 1]) ** order / math.factorial(order)
    return [(fmpq(0), place, -power), (place, fmpq(1), power)]


@pytest.fixture(scope="module")
def bounds():
    return approximation_bounds(None, largest=64, pieces=16)


def test_errors_against_exact_moments(bounds):
    for place, N in enumerate(bounds["size"][:4]):
        N = int(N)
        assert abs(bounds["error_kink_2"][place] / exact_error(kink(1, fmpq(1, 2)), N) - 1) < 4 * EPS
        for order in (1, 2, 3):
            if place >= order - 1:
                expected = exact_error(kink(order, fmpq(1, 3)), N)
                assert abs(bounds[f"error_order_{order}"][place - order + 1] / expected - 1) < 4 * EPS
    # a zigzag of four pieces by hand: 0, 1/4, 0, 1/4, 0
    heights = [0, fmpq(1, 4), 0, fmpq(1, 4), 0]
    pieces = []
    for j in range(4):
        slope = (heights[j + 1] - heights[j]) * 4
        pieces.append((fmpq(j, 4), fmpq(j + 1, 4), fmpq_poly([heights[j] - slope * fmpq(j, 4), slope])))
    assert abs(bounds["error_zigzag"][1] / exact_error(pieces, 4) - 1) < 4 * EPS


def test_the_bounds_hold_and_the_slopes_are_those_of_the_theory(bounds):
    for order in (1, 2, 3):
        sizes = bounds[f"size_order_{order}"]
        assert (bounds[f"error_order_{order}"] <= bounds[f"bound_{order}"]).all()
        assert abs(bounds[f"slope_order_{order}"] + order + 0.5) < 0.25  # N up to 64 only
        if order == 1:
            np.testing.assert_allclose(bounds["bound_1"], 1 / np.sqrt(6.0 * sizes * (sizes + 1)), rtol=8 * EPS)
    assert (bounds["error_zigzag"] <= 1 / np.sqrt(6.0 * bounds["size_zigzag"] * (bounds["size_zigzag"] + 1))).all()
    # hippo.prop6.attained: never below 0.859/(sqrt 12 N)
    assert (bounds["error_zigzag"] >= 0.859 / (math.sqrt(12) * bounds["size_zigzag"])).all()
    # hippo.prop6.kink: relative 1/(2 N^2) of the error, even N
    late = bounds["size"] >= 4
    assert (np.abs(bounds["error_kink_2"] / bounds["law_kink_2"] - 1) <= 0.51 / bounds["size"] ** 2.0)[late].all()
