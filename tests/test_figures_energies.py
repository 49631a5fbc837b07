"""Gramians and Hankel singular values in the figures, by linear systems, quadrature and high precision."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
from mpmath.ctx_mp import MPContext

from hippo_theory.families import FouT, LagT, LegS, LegT
from hippo_theory.figures.registry import load_figures
from hippo_theory.initializations import initialization

EPS = np.finfo(float).eps
FIGURES = load_figures()
N = 8


def lyapunov(A, G):
    """X with A X + X A* + G = 0, from the Kronecker sum."""
    identity = np.eye(len(A))
    return np.linalg.solve(np.kron(A, identity) + np.kron(identity, A.conj()), -G.ravel()).reshape(A.shape)


@pytest.fixture(scope="module")
def gramians():
    return FIGURES["gramians"].data(N=N)


def test_gramians_solve_their_equations(gramians):
    for family in (LegS(N), LegT(N), FouT(N + 1), LagT(N)):
        for kind, A, G in (
            ("controllability", family.A, np.outer(family.B, family.B)),
            ("observability", family.A.T, np.eye(family.N)),
        ):
            X = lyapunov(A, G)
            # Rounded to six decimals.
            assert np.abs(gramians[f"{kind}_{family.name}"] - X).max() < 0.5e-6 + 1e5 * EPS * np.abs(X).max()
            eigenvalues = np.linalg.eigvalsh((X + X.T) / 2)[::-1]
            assert np.abs(gramians[f"{kind}_eigenvalues_{family.name}"] - eigenvalues).max() < 1e-9


def test_gramians_have_their_closed_forms(gramians):
    n = np.arange(N - 1)
    band = np.diag(np.full(N, 0.5))
    band[n, n + 1] = band[n + 1, n] = (n + 1) / (2 * np.sqrt((2 * n + 1) * (2 * n + 3)))
    assert np.abs(gramians["controllability_legs"] - band).max() < 1e-6
    for name in ("fout", "lagt"):
        assert (gramians[f"controllability_{name}"] == np.eye(N + (name == "fout"))).all()
    # The energy of LagT: columns of exp(tA) are differences of orthonormal Laguerre functions.
    k = np.arange(N)
    energy = np.diag(2.0 * (N - 1 - k) + 1) - np.diag(N - 1.0 - k[:-1], 1) - np.diag(N - 1.0 - k[:-1], -1)
    assert np.abs(gramians["observability_lagt"] - energy).max() < 1e-6


def test_the_spectrum_of_legs_consists_of_gauss_nodes(gramians):
    """Zeros of the Legendre polynomial of degree N, found by its values."""
    nodes = gramians["nodes"]
    legendre = np.polynomial.legendre.Legendre.basis(N)
    assert np.abs(legendre(2 * nodes - 1)).max() < 64 * N * EPS
    assert (np.diff(nodes) < 0).all() and len(nodes) == N
    for kind in ("controllability", "observability"):
        assert np.abs(gramians[f"{kind}_eigenvalues_legs"] - nodes).max() < 1e-9
    assert gramians["smallest_legs"] == gramians["controllability_eigenvalues_legs"][-1]
    ratio = gramians["controllability_eigenvalues_legt"]
    assert abs(gramians["condition_legt"] - ratio[0] / ratio[-1]) < 8 * EPS * ratio[0] / ratio[-1]


@pytest.fixture(scope="module")
def hankel():
    return FIGURES["hankel-singular-values"].data(N=N)


def test_full_systems_against_kronecker_solutions(hankel):
    for family in (LegS(N), LegT(N), FouT(N + 1), LagT(N)):
        square = np.outer(family.B, family.B)
        product = lyapunov(family.A, square) @ lyapunov(family.A.T, square)
        values = np.sort(np.sqrt(np.abs(scipy.linalg.eigvals(product))))[::-1]
        large = values > 1e-4  # the square of smaller ones is beyond float64
        # Errors of 1e3 N eps of the squares.
        bound = 1e3 * N * EPS / values[large]
        assert (np.abs(hankel[f"full_{family.name}"][large] - values[large]) < np.maximum(bound, 1e-9)).all()
        assert large.sum() >= 6
    assert np.abs(hankel["full_fout"] - 1).max() < 1e-8 and np.abs(hankel["full_lagt"] - 1).max() < 1e-8


def test_small_values_of_legt_in_high_precision(hankel):
    context = MPContext()
    context.dps = 60
    R = [context.sqrt(2 * n + 1) for n in range(N)]
    A = context.matrix(N, N)
    for n in range(N):
        for k in range(N):
            A[n, k] = -R[n] * R[k] * (1 if k <= n else (-1) ** (n - k))
    system = context.matrix(N * N, N * N)
    for n in range(N):
        for k in range(N):
            for j in range(N):
                system[n * N + k, j * N + k] += A[n, j]
                system[n * N + k, n * N + j] += A[k, j]
    right = context.matrix([-R[n] * R[k] for n in range(N) for k in range(N)])
    solved = context.lu_solve(system, right)
    W = context.matrix(N, N)
    for n in range(N):
        for k in range(N):
            W[n, k] = solved[n * N + k]
    # A^T = D A D with D = diag((-1)^n), so that Q for C = B^T solves the equation of A with D B: transposed system.
    system = context.matrix(N * N, N * N)
    for n in range(N):
        for k in range(N):
            for j in range(N):
                system[n * N + k, j * N + k] += A[j, n]
                system[n * N + k, n * N + j] += A[j, k]
    solved = context.lu_solve(system, right)
    Q = context.matrix(N, N)
    for n in range(N):
        for k in range(N):
            Q[n, k] = solved[n * N + k]
    # The squares are the eigenvalues of L^T Q L, W = L L^T.
    L = context.cholesky(W)
    squares = context.eigsy(L.T * Q * L, eigvals_only=True)
    values = sorted((float(context.sqrt(square)) for square in squares), reverse=True)
    assert np.abs(hankel["full_legt"] / values - 1).max() < 16 * EPS
    assert abs(hankel["last_legt"] - math.log10(values[-1])) < 64 * EPS


def test_real_exponentials_give_a_hilbert_matrix(hankel):
    """B = C = 1 and -1, ..., -N: both Gramians are 1/(i + j + 2), and the values are its eigenvalues."""
    context = MPContext()
    context.dps = 50
    hilbert = context.matrix(N, N)
    for i in range(N):
        for j in range(N):
            hilbert[i, j] = context.mpf(1) / (i + j + 2)
    values = sorted((float(value) for value in context.eigsy(hilbert, eigvals_only=True)), reverse=True)
    assert np.abs(hankel["diagonal_real"] * hankel["largest_real"] / values - 1).max() < 256 * N * EPS
    assert abs(hankel["half_real"] - math.log10(values[N // 2] / values[0])) < 256 * N * EPS


def test_complex_diagonal_systems_against_their_gramians(hankel):
    for name in ("inv", "lin", "quad"):
        half = initialization(f"s4d-{name}", N).Lambda
        rates = np.concatenate([half, half.conj()])
        gramian = -1 / (rates[:, None] + rates.conj())  # of both, up to a transposition
        values = np.sort(np.sqrt(np.abs(scipy.linalg.eigvals(gramian @ gramian.T))))[::-1]
        found = hankel[f"diagonal_{name}"] * hankel[f"largest_{name}"]
        # The square of a value is known to 1e3 N eps; the last of S4D-Lin is zero.
        assert np.abs(found**2 - values**2).max() < 1e3 * N * EPS * values[0] ** 2
        assert abs(hankel[f"half_{name}"] - hankel[f"diagonal_{name}"][N // 2]) == 0
    R = np.sqrt(2 * np.arange(N) + 1.0)
    S = -np.tril(np.outer(R, R), -1) - np.diag(np.arange(N) + 1.0) + np.outer(R, R) / 2
    product = lyapunov(S, np.outer(R, R) / 4) @ lyapunov(S.T, np.outer(R, R))
    values = np.sort(np.sqrt(np.abs(scipy.linalg.eigvals(product))))[::-1]
    found = hankel["diagonal_legs"] * hankel["largest_legs"]
    assert np.abs(found**2 - values**2).max() < 1e4 * N * EPS * values[0] ** 2


def test_no_value_is_out_of_order(hankel):
    for name, values in hankel.items():
        if name.startswith(("full", "diagonal")):
            assert (np.diff(values) <= 1e-9).all(), name
