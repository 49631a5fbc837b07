"""Transfer functions and kernels of every family: against dense linear algebra, against each other, and with their digits."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from family_helpers import POINTS, RING, TIMES, agree, every_family, meets, point, polynomial_of, solve, stable_matrix
from flint import acb, acb_mat, arb, arb_mat
from helpers import ALL_FAMILIES, family_id

from hippo_theory.arithmetic import balls, mpmath_numbers
from hippo_theory.errors import InputError
from hippo_theory.families import FouT, LagT, LegS, LegT

# --- transfer functions and kernels ------------------------------------------------------------------------------------


@every_family
def test_transfer_functions_agree_with_a_dense_solve(family):
    with RING.work():
        A, B = stable_matrix(family), family.input_vector(RING)
        for real, imaginary in POINTS:
            s = point(real, imaginary)
            dense = solve(A, B, s)
            for n in range(family.N):
                closed = family.transfer_function(n, s, RING)
                if dense[n].is_zero():
                    assert closed.is_zero()
                else:
                    assert agree(closed, dense[n])


def kernels_by_linear_algebra(family, time):
    """exp(t A) B in balls; by eigenvalues where the package itself uses the matrix exponential."""
    A, B = stable_matrix(family), acb_mat([[b] for b in family.input_vector(RING)])
    if family.name in ("legs", "lagt") or family.variant == "fourier-diagonal":
        exponential = acb_mat((arb_mat(A.tolist()) * RING.number(time)).exp())
    else:
        values, right = acb_mat(A.tolist()).eig(right=True)
        size = range(family.N)
        exponents = acb_mat([[(values[n] * RING.number(time)).exp() if n == k else 0 for k in size] for n in size])
        exponential = right * exponents * right.inv()
    return [(exponential * B)[n, 0] for n in range(family.N)]


def test_times_may_be_balls_that_reach_below_zero():
    """A ball around a time t >= 0 may reach below it; one whose middle is negative is no such time."""
    with RING.work():
        time = arb(1e-40, 1e-30)
        for ball in (time, arb(0, 1e-30)):
            assert LegS(3).kernel(1, ball, RING).contains(LegS(3).kernel(1, 0, RING).mid())
        with pytest.raises(InputError, match="`time` must be at least 0"):
            LegS(3).kernel(1, -time, RING)


@every_family
def test_kernels_agree_with_linear_algebra(family):
    with RING.work():
        for time in TIMES:
            dense = kernels_by_linear_algebra(family, time)
            for n in range(family.N):
                value = family.kernel(n, time, RING)
                assert agree(value, dense[n])
                if time == 0:
                    assert agree(value, family.input_vector(RING)[n])


def norm_squared(family, n):
    """The square of what the polynomial is divided by."""
    if family.name == "legs":
        return RING.number(Fraction(1, 2 * n + 1))
    if not family.alpha:
        return arb(1)
    return RING.gamma(RING.number(family.alpha + n + 1)) / math.factorial(n)


closed_kernels = [f for f in ALL_FAMILIES if f.name in ("legs", "lagt") and f.convention != "glagt"]


@pytest.mark.parametrize("family", closed_kernels, ids=family_id)
def test_transfer_functions_are_laplace_transforms_of_the_kernels(family):
    """Term by term: e^(-(j+1) t) -> 1/(s+j+1), t^j e^(-c t) -> j!/(s+c)^(j+1). This is core.legs.laplace for LegS."""
    with RING.work():
        for n in range(family.N):
            coefficients, scale = polynomial_of(family, n), norm_squared(family, n).sqrt()
            for time in (Fraction(1, 3), Fraction(2)):
                t = RING.number(time)
                if family.name == "legs":
                    terms = [c * (-(j + 1) * t).exp() for j, c in enumerate(coefficients)]
                else:
                    decay = (-RING.number((1 + family.beta) / 2) * t).exp()
                    terms = [c * t**j * decay for j, c in enumerate(coefficients)]
                assert agree(family.kernel(n, time, RING), sum(terms) / scale)
            for real, imaginary in POINTS:
                s = point(real, imaginary)
                if family.name == "legs":
                    terms = [c / (s + (j + 1)) for j, c in enumerate(coefficients)]
                else:
                    pole = s + RING.number((1 + family.beta) / 2)
                    terms = [c * math.factorial(j) / pole ** (j + 1) for j, c in enumerate(coefficients)]
                assert agree(family.transfer_function(n, s, RING), sum(terms, acb(0)) / scale)


@pytest.mark.parametrize(
    "family", [LegT(5), LegT(8, convention="s4"), FouT(5), FouT(7, convention="hippo2020")], ids=family_id
)
def test_kernels_are_inverse_laplace_transforms(family):
    """Talbot's contour through mpmath (observed, 15 digits): the closed transfer function, no matrix at all."""
    numbers = mpmath_numbers(30)
    for n in (0, 1, family.N - 1):
        inverse = numbers.context.invertlaplace(
            lambda s, n=n: family.transfer_function(n, s, numbers), numbers.number("0.7"), method="talbot", degree=60
        )
        with RING.work():
            assert meets(family.kernel(n, "0.7", RING), inverse, 15)


def test_the_transfer_and_kernel_checks_can_fail():
    family = LegT(8)
    with RING.work():
        s = point(*POINTS[1])
        A, B = stable_matrix(family), family.input_vector(RING)
        closed = family.transfer_function(5, s, RING)
        dense = solve(A, B, s)
        assert agree(closed, dense[5])
        assert not agree(closed * (1 + RING.number("1e-6")), dense[5])
        assert not agree(closed, dense[4])
        assert not agree(closed, -dense[5])
        A[2, 3] *= 1 + RING.number("1e-6")
        assert not agree(closed, solve(A, B, s)[5])
        time = Fraction(1, 3)
        assert not agree(family.kernel(5, time, RING), kernels_by_linear_algebra(family, time + Fraction(1, 10**6))[5])
        wide = closed + acb(arb(0, 1e-20))
        assert wide.overlaps(dense[5])
        assert not agree(wide, dense[5])  # overlapping is not enough


# --- digits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [LegS(1024), LagT(1024), FouT(1025)], ids=family_id)
def test_balls_on_the_axis_stay_narrow_at_large_sizes(family):
    """A product of N complex balls in a row loses all its digits there: each turn widens a rectangle."""
    ring = balls(120)
    for s in (acb(0, 2), acb(0, 100), acb(0, 1000)):
        for value in (family.inner_function(s, ring), family.transfer_function(family.N - 1, s, ring)):
            assert value.rel_accuracy_bits() >= 120 - 24  # 2 log2 N + 4, by halves or by powers


def test_no_point_is_called_a_pole_because_digits_were_lost():
    """The recurrence of LegT at 1000 i with N = 1024 has no digit left at 120 bits."""
    legt, s = LegT(1024), acb(0, 1000)
    value, finer = (legt.transfer_function(3, s, balls(bits)) for bits in (120, 2000))
    assert finer.rel_accuracy_bits() > 500 and value.overlaps(finer)
    with pytest.raises(InputError, match="pole"):
        LegS(4).transfer_function(2, -1, balls(120))
