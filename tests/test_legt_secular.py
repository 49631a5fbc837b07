"""The spectrum of the normal part of LegT.

Certified roots against dense eigenvalues and the exact characteristic polynomial, eigenvectors by their residuals,
float64 against balls.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise

import flint
import numpy as np
import pytest
from flint import acb, acb_mat, arb, fmpz_mat, fmpz_poly

from hippo_theory.arithmetic import balls, is_narrow
from hippo_theory.errors import CertificationError, InputError
from hippo_theory.families import legt_secular
from hippo_theory.families.legt_secular import eigenvector, frequencies, weight
from hippo_theory.families.legt_secular_float import frequencies_and_weights

DENSE_SIZES = [*range(2, 13), 31, 32, 63, 64]


def normal_part(N):
    """S_nk = -R_n R_k sign(n-k), n-k odd, as rows of balls."""
    R = input_vector(N)
    return [[R[n] * R[k] * np.sign(k - n).item() if (n - k) % 2 else arb(0) for k in range(N)] for n in range(N)]


def input_vector(N):
    return [arb(2 * n + 1).sqrt() for n in range(N)]


def theta(N):
    """det(sI - A), lowest power first."""
    leading = [math.comb(N, k) * math.factorial(N + k - 1) // math.factorial(N - 1) for k in range(N + 1)]
    return fmpz_poly(leading[::-1])


def characteristic_polynomial(N):
    """det(sI - S) = s^N/2 + (theta(s) + (-1)^N theta(-s))/4."""
    reflected = theta(N)(fmpz_poly([0, -1])) * (-1) ** N
    total = theta(N) + reflected + fmpz_poly([0] * N + [2])
    assert all(coefficient % 4 == 0 for coefficient in total.coeffs())
    return fmpz_poly([coefficient // 4 for coefficient in total.coeffs()])


def agree_and_narrow(value, reference, digits=30):
    return bool(value.overlaps(reference)) and is_narrow(value, digits) and is_narrow(reference, digits)


def ulps(number, ball):
    """Distance from a float to the midpoint of a narrow ball, in units of the last place of the float."""
    with balls(120).work():
        return abs(float((ball - float(number)).mid())) / np.spacing(abs(float(number)))


@cache
def at_50_digits(N):
    ball = balls(190)
    return frequencies(N, ball), ball


@pytest.mark.parametrize("N", DENSE_SIZES)
def test_dense_eigenvalues(N):
    roots, _ = at_50_digits(N)
    with balls(320).work():
        eigenvalues = acb_mat(normal_part(N)).eig()
        positive = sorted((value.imag for value in eigenvalues if value.imag > 0), key=lambda v: -float(v))
        assert len(positive) == N // 2
        assert sum(1 for value in eigenvalues if value.imag.contains(0)) == N % 2
        assert all(agree_and_narrow(root, value) for root, value in zip(roots, positive, strict=False))


@pytest.mark.parametrize("N", range(1, 31))
def test_characteristic_polynomial(N):
    integer_form = fmpz_mat([[np.sign(k - n).item() * (2 * k + 1) * ((n - k) % 2) for k in range(N)] for n in range(N)])
    exact = characteristic_polynomial(N)
    assert integer_form.charpoly() == exact  # R^-1 S R has integer entries
    roots, _ = at_50_digits(N)
    assert len(roots) == (N + 1) // 2
    with balls(400).work():
        in_square = fmpz_poly(exact.coeffs()[N % 2 :: 2])  # det(sI - S)/s^(N mod 2), in s^2 = -sigma^2
        squares = sorted((-value.real for value, _ in in_square.complex_roots()), key=lambda v: -float(v))
        assert len(squares) == N // 2
        for root, square in zip(roots, squares, strict=False):
            assert agree_and_narrow(root, square.sqrt(), 50)
    assert roots[-1].is_zero() == (N % 2 == 1)


@pytest.mark.parametrize("N", [7, 64, 255])
def test_disjoint_and_decreasing(N):
    roots = frequencies(N, balls(4))  # however few bits are asked for
    assert all(upper > lower for upper, lower in pairwise(roots))


@pytest.mark.parametrize("bits", [53, 190, 1000])
def test_radius_of_roots(bits):
    for N in (1, 2, 33, 100):
        for root in frequencies(N, balls(bits)):
            assert root.is_zero() or root.rel_accuracy_bits() >= bits


def residual_of(N, sigma, v):
    with balls(260).work():
        S, exact_v = acb_mat(normal_part(N)), acb_mat([[component] for component in v])
        return [(S * exact_v)[n, 0] - acb(0, 1) * sigma * v[n] for n in range(N)]


@pytest.mark.parametrize("N", [1, 2, 3, 4, 5, 6, 7, 8, 31, 32, 33, 64])
def test_eigenvectors(N):
    roots, ball = at_50_digits(N)
    total = arb(0)
    for sigma in roots[:: max(1, N // 16)]:
        v = eigenvector(N, sigma, ball)
        residual = residual_of(N, sigma, v)
        assert all(r.contains(0) and r.abs_upper() < N * N * 1e-50 for r in residual)
        with ball.work():
            norm = sum((c.real**2 + c.imag**2 for c in v), arb(0))
            projection = sum((R * c for R, c in zip(input_vector(N), v, strict=True)), acb(0))
        assert agree_and_narrow(norm, arb(1), 48)
        assert projection.imag.contains(0)
        assert abs(projection.imag) < N * 1e-48
        assert projection.real > 0
        assert agree_and_narrow(projection.real, weight(N, sigma, ball), 45)
    with ball.work():
        weights = [weight(N, sigma, ball) for sigma in roots]
        total = sum((2 * w * w for w in weights), arb(0)) - (weights[-1] ** 2 if N % 2 else 0)
    assert agree_and_narrow(total, arb(N * N), 45)  # sum of abs(v* B)^2 over all eigenvectors = B^T B


def test_eigenvectors_of_a_large_matrix():
    N, ball = 400, balls(120)
    roots = frequencies(N, ball)
    for sigma in (roots[0], roots[1], roots[60], roots[-1]):
        for count in (1, 3, 200, 399):
            part, whole = eigenvector(N, sigma, ball, count), eigenvector(N, sigma, ball)
            assert len(part) == count
            assert all(p.overlaps(w) for p, w in zip(part, whole, strict=False))
        with ball.work():
            assert agree_and_narrow(sum((c.real**2 + c.imag**2 for c in whole), arb(0)), arb(1), 30)
        # The rows of S v = i sigma v are differences of prefix sums, so that N = 400 needs no matrix.
        with balls(200).work():
            terms = [R * c for R, c in zip(input_vector(N), whole, strict=True)]
            odd_sum, g = sum(terms[1::2], acb(0)), [acb(0)] * (N + 1)
            g[0], g[1] = odd_sum, sum(terms[2::2], acb(0)) - terms[0]
            for n in range(1, N):
                g[n + 1] = g[n - 1] - 2 * terms[n]
            R = input_vector(N)
            residual = [R[n] * g[n] - acb(0, 1) * sigma * whole[n] for n in range(N)]
        assert all(r.contains(0) and r.abs_upper() < 1e-24 for r in residual)


def test_eigenvector_of_a_wide_root_is_narrow():
    v = eigenvector(20, frequencies(20, balls(60))[9], balls(300))
    assert all(component.rel_accuracy_bits() > 250 for component in v)


@pytest.mark.parametrize("N", [*range(1, 41), 63, 64, 65, 66, 67, 100, 101, 255, 256, 1024])
def test_float_within_two_ulp(N):
    sigma, weights = frequencies_and_weights(N)
    roots, ball = frequencies(N, balls(100)), balls(100)
    assert sigma.shape == weights.shape == ((N + 1) // 2,)
    if N % 2:
        assert sigma[-1] == 0.0
    assert max((ulps(s, root) for s, root in zip(sigma, roots, strict=True) if s), default=0.0) <= 2
    assert max(ulps(w, weight(N, root, ball)) for w, root in zip(weights, roots, strict=True)) <= 2


def test_float_within_two_ulp_at_4096():
    N, bits = 4096, 80
    sigma, weights = frequencies_and_weights(N)
    # Roots with sigma about 2 N, the turning point, have the hardest neighborhood.
    turning = int(np.searchsorted(-sigma, -2 * N))
    chosen = [0, 1, 2, turning - 1, turning, turning + 1, 2046, 2047]
    chosen += np.random.default_rng(4096).integers(0, N // 2, 8).tolist()
    for j in chosen:
        low, high = legt_secular._isolated(N, arb(float(sigma[j])), bits)
        with balls(bits).work():
            root = low.union(high).rsqrt()
        assert ulps(sigma[j], root) <= 2
        assert ulps(weights[j], weight(N, root, balls(bits))) <= 2
    # None is missing: the traces of -S^2/2 and of B B^T/2 (2n+1 sums to a square).
    n = np.arange(N)
    assert np.all(np.diff(sigma) < 0)
    partners = np.where(n % 2 == 0, N * (N + 1) // 2, N * (N - 1) // 2)  # sum of 2k+1 over k of the other parity
    assert math.isclose(math.fsum(sigma**2), float(np.sum((2 * n + 1) * partners)) / 2, rel_tol=1e-15)
    assert math.isclose(math.fsum(weights**2), N * N / 2, rel_tol=1e-15)


def test_checks_can_fail():
    N = 32
    roots, ball = at_50_digits(N)
    sigma, weights = frequencies_and_weights(N)
    assert ulps(sigma[3] * (1 + 2.0**-50), roots[3]) > 2
    assert ulps(weights[3] * (1 - 2.0**-50), weight(N, roots[3], ball)) > 2
    with ball.work():
        moved = roots[3] * (1 + arb(2) ** -150)
        reference = roots[3]
    assert not agree_and_narrow(moved, reference)
    assert not all(r.contains(0) for r in residual_of(N, moved, eigenvector(N, reference, ball)))
    neighbor = eigenvector(N, roots[4], ball)
    assert not all(r.contains(0) for r in residual_of(N, reference, neighbor))
    assert not agree_and_narrow(weight(N, roots[4], ball), weight(N, roots[3], ball))


def test_errors():
    ball = balls(100)
    root = frequencies(6, ball)[1]
    with ball.work():
        elsewhere, wide = root * (1 + arb(2) ** -80), arb(root.mid(), root.mid() / 2)
    for function in (weight, eigenvector):
        with pytest.raises(InputError, match="frequencies"):
            function(6, elsewhere, ball)
        with pytest.raises(InputError, match="must be positive"):
            function(6, arb(0), ball)
        with pytest.raises(InputError, match="must be positive"):
            function(7, -root, ball)
    with pytest.raises(CertificationError, match="too wide"):
        weight(6, wide, ball)
    with pytest.raises(InputError, match="`count`"):
        eigenvector(6, root, ball, 7)
    for function in (frequencies, lambda N, _: frequencies_and_weights(N)):
        with pytest.raises(InputError, match="`N`"):
            function(0, ball)


def test_failed_isolation_raises(monkeypatch):
    monkeypatch.setattr(legt_secular, "_starting_values", lambda N: [3.0] * (N // 2))
    with pytest.raises(CertificationError):
        frequencies(8, balls(100))


def test_precision_is_restored():
    saved = flint.ctx.prec
    try:
        flint.ctx.prec = 77
        roots = frequencies(9, balls(200))
        eigenvector(9, roots[0], balls(200))
        weight(9, roots[0], balls(200))
        assert flint.ctx.prec == 77
        assert all(root.is_zero() or root.rel_accuracy_bits() >= 200 for root in roots)
    finally:
        flint.ctx.prec = saved
