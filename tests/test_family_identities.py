"""The exact identities that tie the papers together: LegS, diagonal restrictions, LegT, FouT, LagT."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import scipy.linalg
from family_helpers import (
    POINTS,
    RING,
    agree,
    has_basis,
    is_decomposable,
    meets,
    point,
    solve,
)
from flint import acb, arb, arb_mat, fmpq
from helpers import ALL_FAMILIES, family_id

from hippo_theory.arithmetic import is_narrow
from hippo_theory.errors import InputError
from hippo_theory.families import FouT, LagT, LegS, LegT

# --- identities of LegS ------------------------------------------------------------------------------------------------

SIZES = (1, 2, 3, 8, 13)


@pytest.mark.parametrize("N", SIZES)
def test_legs_symmetric_part(N):
    """core.legs.sym: A + A^T = -(I + B B^T); therefore A + B B^T = -A^T - I."""
    with RING.work():
        A, B = LegS(N).state_matrix(RING), LegS(N).input_vector(RING)
        residual = A + A.T + RING.identity(N) + np.outer(B, B)
        assert all(x.contains(0) and is_narrow(x, 60) for x in residual.flat)


def test_legs_resolvent():
    """core.legs.sym: norm (s I - A)^-1 <= 1/(Re s + 1/2); on the axis the largest is at 0, with the quoted norms."""
    generator = np.random.default_rng(7)
    for N, quoted in ((4, 1.5492), (16, 1.7324), (64, 1.8217), (256, 1.8726)):
        A = LegS(N).A
        at_zero = np.linalg.norm(np.linalg.inv(A), 2)  # condition number below 10^4: 12 digits
        assert abs(at_zero - quoted) < 0.5e-4 + 1e-9
        for _ in range(3 if N < 256 else 1):
            s = complex(*generator.uniform((0, 0.1), (2, 30)))
            assert np.linalg.norm(np.linalg.inv(s * np.eye(N) - A), 2) <= (1 + 1e-9) / (s.real + 0.5)
            assert np.linalg.norm(np.linalg.inv(1j * s.imag * np.eye(N) - A), 2) < at_zero


@pytest.mark.parametrize("N", SIZES)
def test_legs_blaschke_product(N):
    """core.legs.blaschke and core.legs.laplace on the axis."""
    legs = LegS(N)
    with RING.work():
        w = RING.number("2.7")
        on_axis = acb(0, w)
        X = [legs.transfer_function(n, on_axis, RING) for n in range(N)]
        for n, value in enumerate(X):
            expected = 1 / (1 + w**2) if n == 0 else (2 * n + 1) * w**2 / ((n**2 + w**2) * ((n + 1) ** 2 + w**2))
            assert agree(abs(value) ** 2, expected)
        assert agree(abs(legs.inner_function(on_axis, RING)), w / (w * w + N * N).sqrt())
        s = point(Fraction(3, 10), Fraction(11, 10))
        q, reflected = legs.inner_function(s, RING), legs.inner_function(-s, RING)
        assert agree(q * reflected, s * s / (s * s - N * N))
        X = [legs.transfer_function(n, s, RING) for n in range(N)]
        total = sum((abs(x) ** 2 for x in X), arb(0))
        assert agree(total, (1 - abs(q) ** 2) / (1 + 2 * s.real))
        product = acb(1)
        for k in range(N):
            product *= (s - k) / (s + k + 1)
        assert agree(q, product)


@pytest.mark.parametrize("N", SIZES)
def test_legs_factorization_and_unit_state(N):
    """core.legs.fact: A = -D (Ltril + diag(-n/(2n+1))) D; core.legs.unit: -A^-1 B = e_0."""
    with RING.work():
        A, D = LegS(N).state_matrix(RING), LegS(N).input_vector(RING)
        for n, k in np.ndindex(A.shape):
            middle = 1 if n > k else (fmpq(n + 1, 2 * n + 1) if n == k else 0)
            assert agree(A[n, k], -D[n] * middle * D[k])
        constant = arb_mat(A.tolist()).solve(arb_mat([[-d] for d in D]))
        assert all(agree(constant[n, 0], arb(1 if n == 0 else 0)) for n in range(N))
        assert LegS(N).transfer_function(0, 0, RING) == 1
        assert all(LegS(N).transfer_function(n, 0, RING) == 0 for n in range(1, N))


# --- rank-one families and their diagonal restriction --------------------------------------------------------------------

rank_one = pytest.mark.parametrize(
    "family",
    [
        f
        for f in ALL_FAMILIES
        if is_decomposable(f) and has_basis(f) and f.name != "legt" and not getattr(f, "alpha", 0)
    ],
    ids=family_id,
)


@rank_one
def test_the_restriction_by_its_inner_function(family):
    """core.rank1, core.diag.exact: with q = 1 - B^T (s I - A)^-1 B the system (S, B/2) has the transfer X / (1 + q).

    In a convention with the time scaled by r the pair is (r A, r B), and B^T X carries one factor r.
    """
    assert family.has_inner_function == (family.form.gain == 1)
    rate = family.form.rate
    with RING.work():
        A, B, S = family.state_matrix(RING), family.input_vector(RING), family.normal_part(RING)
        for real, imaginary in POINTS:
            s = point(real, imaginary)
            X = solve(A, B, s)
            q = family.inner_function(s, RING)
            assert agree(q, 1 - sum((b * x for b, x in zip(B, X, strict=True)), acb(0)) / RING.number(rate))
            for full, restricted in zip(X, solve(S, B / 2, s), strict=True):
                assert agree(restricted, full / (1 + q))


@pytest.mark.parametrize(
    "family", [LegT(3), LegT(4, variant="lmu"), LagT(3, alpha="0.5"), FouT(3, convention="hippo2020")], ids=family_id
)
def test_families_without_an_inner_function_say_so(family):
    assert not family.has_inner_function
    with pytest.raises(InputError, match="no inner function"):
        family.inner_function(1, RING)


@pytest.mark.parametrize("N", SIZES)
def test_both_systems_agree_at_small_integers(N):
    """core.diag.interp: q vanishes at s = 0, ..., N-1, so that both transfer functions agree there, and not at N."""
    legs = LegS(N)
    with RING.work():
        A, B, S = legs.state_matrix(RING), legs.input_vector(RING), legs.normal_part(RING)
        for s in range(N + 1):
            pairs = list(zip(solve(A, B, acb(s)), solve(S, B / 2, acb(s)), strict=True))
            if s < N:
                assert all(agree(full, restricted) for full, restricted in pairs)
                assert legs.inner_function(s, RING) == 0
            else:
                assert not any(full.overlaps(restricted) for full, restricted in pairs)


def test_inner_functions_of_the_other_families():
    """core.rank1: LagT has q = ((s-1/2)/(s+1/2))^N; that of FouT tends to -e^-s like 1/N."""
    with RING.work():
        s = point(Fraction(3, 10), Fraction(11, 10))
        half = RING.number(Fraction(1, 2))
        for N in SIZES:
            assert agree(LagT(N).inner_function(s, RING), ((s - half) / (s + half)) ** N)
        on_axis = acb(0, arb(3))
        assert agree(abs(LagT(9).inner_function(on_axis, RING)), arb(1))
        errors = [float(abs(FouT(N).inner_function(s, RING) + (-s).exp())) for N in (65, 129, 257, 513)]
        assert all(1.9 < coarse / fine < 2.1 for coarse, fine in itertools.pairwise(errors))


# --- identities of LegT, FouT, LagT ------------------------------------------------------------------------------------


@pytest.mark.parametrize("N", SIZES)
def test_legt_is_the_pade_delay(N):
    """core.legt.pade: C (s I - A)^-1 B is the [N-1/N] Pade approximant of e^-s; A + A^T = -(B B^T + C C^T)."""
    mp = mpmath.MPContext()
    mp.dps = 100  # the linear system of the coefficients loses some 40 digits at N = 13
    numerator, denominator = mp.pade([(-1) ** k / mp.factorial(k) for k in range(2 * N)], N - 1, N)
    legt = LegT(N)
    with RING.work():
        B = legt.input_vector(RING)
        C = np.array([(-1) ** n for n in range(N)]) * B
        A = legt.state_matrix(RING)
        residual = A + A.T + np.outer(B, B) + np.outer(C, C)
        assert all(x.contains(0) and is_narrow(x, 60) for x in residual.flat)
        s = point(Fraction(3, 10), Fraction(11, 10))
        ours = sum((C[n] * legt.transfer_function(n, s, RING) for n in range(N)), acb(0))
        z = mp.mpc("0.3", "1.1")
        assert meets(ours, mp.polyval(numerator[::-1], z) / mp.polyval(denominator[::-1], z), 40)
        if N > 1:
            assert abs(ours - (-s).exp()) < arb(2) ** (2 - 2 * N)


@pytest.mark.parametrize("N", SIZES)
def test_the_legendre_memory_unit_is_legt_rescaled(N):
    """core.legt.lmu: (D A D^-1, D B) with D = diag(R_n (-1)^n) has integers only."""
    with RING.work():
        A, B = LegT(N).state_matrix(RING), LegT(N).input_vector(RING)
        D = np.array([(-1) ** n for n in range(N)]) * B
        lmu = LegT(N, variant="lmu")
        pairs = zip(lmu.state_matrix(RING).flat, (A * D[:, None] / D[None, :]).flat, strict=True)
        assert all(agree(x, y) and x.contains_integer() for x, y in pairs)
        assert all(agree(x, y) for x, y in zip(lmu.input_vector(RING), D * B, strict=True))


def test_fout_tends_to_the_window():
    """core.fout.h: h = b^T (s I - Rot)^-1 b -> coth(s/2)/2 and b^T (s I - A)^-1 2b -> (1 + e^-s)/2, errors like 1/N."""
    with RING.work():
        s = point(Fraction(3, 10), Fraction(11, 10))
        errors = []
        for N in (17, 33, 65):
            family = FouT(N)
            A, S, B = family.state_matrix(RING), family.normal_part(RING), family.input_vector(RING)
            residual = A + A.T + np.outer(B, B)
            assert all(x.contains(0) and is_narrow(x, 60) for x in residual.flat)
            h = sum((b * x for b, x in zip(B, solve(S, B, s), strict=True)), acb(0)) / 4
            g = sum((b * x for b, x in zip(B, solve(A, B, s), strict=True)), acb(0)) / 2
            assert agree(g, 2 * h / (1 + 2 * h))
            errors.append((float(abs(h - (s / 2).coth() / 2)), float(abs(g - (1 + (-s).exp()) / 2))))
        for coarse, fine in itertools.pairwise(errors):
            assert all(1.85 < a / b < 2.15 for a, b in zip(coarse, fine, strict=True))


def test_fout_distances_of_the_notes():
    """core.fout.rate: e_0^2 = 2 (1 - <K_0, 1>) over [0, 1]: .1378, .0672, .0334 at N = 16, 64, 256 in the layout of s4."""
    for N, quoted in ((15, 0.1378), (63, 0.0672), (255, 0.0334)):
        A, B = FouT(N).A, FouT(N).B
        integral = np.linalg.solve(A, scipy.linalg.expm(A) @ B - B)[0]
        # e^2 is 1e-3 at least, and float64 at this size is good to 1e-11: the four digits stand.
        assert abs(math.sqrt(2 * (1 - integral)) - quoted) < 0.5e-4


@pytest.mark.parametrize("beta", [0, 1])
def test_lagt_kernels_are_laguerre_functions(beta):
    """core.lagt: A = I/2 - tril(1) gives e^(-t/2) L_n(t), A = -tril(1) gives e^-t L_n(t); mpmath's own Laguerre."""
    mp = mpmath.MPContext()
    mp.dps = 60
    with RING.work():
        for n, t in itertools.product((0, 1, 5, 8), ("0.3", "4", "31")):
            expected = mp.exp(-mp.mpf(t) * (1 + beta) / 2) * mp.laguerre(n, 0, mp.mpf(t))
            assert meets(LagT(9, beta=beta).kernel(n, t, RING), expected, 45)


def test_the_identity_checks_can_fail():
    """One wrong constant, sign and index for the identities that compare matrices or sums."""
    with RING.work():
        A, B = LegS(8).state_matrix(RING), LegS(8).input_vector(RING)
        tiny = 1 + RING.number("1e-6")
        for wrong in (A * tiny, -A, np.roll(A, 1, axis=0)):
            residual = wrong + wrong.T + RING.identity(8) + np.outer(B, B)
            assert not all(x.contains(0) for x in residual.flat)
        s = point(Fraction(3, 10), Fraction(11, 10))
        q = LegS(8).inner_function(s, RING)
        X, restricted = solve(A, B, s), solve(LegS(8).normal_part(RING), B / 2, s)
        for wrong in (q * tiny, -q, LegS(9).inner_function(s, RING)):
            assert not agree(restricted[3], X[3] / (1 + wrong))
