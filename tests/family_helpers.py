"""Number systems, comparisons and small solvers that the tests of families share."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from flint import acb, acb_mat, arb, fmpq
from helpers import ALL_FAMILIES, family_id

from hippo_theory.arithmetic import balls, is_narrow

RING = balls(250)
POINTS = [(Fraction(1, 2), Fraction(0)), (Fraction(3, 10), Fraction(11, 10)), (Fraction(0), Fraction(5))]
TIMES = (Fraction(0), Fraction(1, 3), Fraction(27, 10))

every_family = pytest.mark.parametrize("family", ALL_FAMILIES, ids=family_id)


def is_decomposable(family):
    """Whether A is normal minus low rank as the convention writes it, by its definition."""
    return (
        family.form.sign == 1
        and family.variant != "lmu"
        and family.convention != "glagt"
        and not getattr(family, "alpha", 0)
    )


def has_basis(family):
    """Whether the kernels tend to an orthonormal basis times a weight: not the rescaled ones and not half the rank term."""
    is_rescaled = family.variant == "lmu" or family.convention == "glagt"
    return (
        not is_rescaled
        and not family.variant.startswith("fourier-")
        and (family.name, family.convention) != ("fout", "hippo2020")
    )


decomposable = pytest.mark.parametrize("family", [f for f in ALL_FAMILIES if is_decomposable(f)], ids=family_id)
orthonormal = pytest.mark.parametrize("family", [f for f in ALL_FAMILIES if has_basis(f)], ids=family_id)


def agree(left, right, digits=40):
    """Both balls enclose the same number: they overlap, and both are narrow."""
    return bool(acb(left).overlaps(acb(right))) and is_narrow(left, digits) and is_narrow(right, digits)


def meets(ball, number, digits=40):
    """A narrow ball against an mpmath number that is right to `digits` digits, relatively or to 10^-digits."""
    reference = acb(number) if hasattr(number, "_mpc_") else arb(number)
    blur = arb(0, (abs(reference) + 1) * arb(10) ** -digits)
    return bool(acb(ball).overlaps(reference + acb(blur, blur))) and is_narrow(ball, digits)


def stable_matrix(family, ring=RING):
    """A of x' = A x + B u, also where the convention writes c' = -A c + B f."""
    A = family.state_matrix(ring)
    return -A if family.form.sign == -1 else A


def solve(A, B, s):
    """(s I - A)^-1 B by a dense ball solve."""
    shifted = [[(s if n == k else 0) - a for k, a in enumerate(row)] for n, row in enumerate(A)]
    solution = acb_mat(shifted).solve(acb_mat([[b] for b in B]))
    return [solution[n, 0] for n in range(len(B))]


def point(real, imaginary):
    return acb(RING.number(real), RING.number(imaginary))


def polynomial_of(family, n):
    """Coefficients of the polynomial in the kernel, as exact rationals: P_n(2x - 1), or L_n^(alpha)(t)."""
    if family.name == "legs":
        return [fmpq((-1) ** (n + j) * math.comb(n, j) * math.comb(n + j, j)) for j in range(n + 1)]
    alpha = fmpq(family.alpha.numerator, family.alpha.denominator)
    coefficients = []
    for j in range(n + 1):
        term = fmpq((-1) ** j, math.factorial(j))
        for i in range(j + 1, n + 1):  # binom(n + alpha, n - j)
            term *= (alpha + i) / (i - j)
        coefficients.append(term)
    return coefficients
