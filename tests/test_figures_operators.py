"""Numerical range, resolvent, eigenvectors and pseudospectra in the figures, by other routes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg

from hippo_theory.figures.registry import load_figures

EPS = np.finfo(float).eps
FIGURES = load_figures()


def legs_matrices(N):
    """A of LegS and its normal part, from outer products of R."""
    R = np.sqrt(2 * np.arange(N) + 1.0)
    A = -np.tril(np.outer(R, R), -1) - np.diag(np.arange(N) + 1.0)
    return A, A + np.outer(R, R) / 2


@pytest.fixture(scope="module")
def ranges():
    return FIGURES["numerical-range-resolvent"].data(sizes=(4, 16, 64), normal_size=16, points=20)


def test_the_boundary_supports_every_rayleigh_quotient(ranges):
    N = 16
    A = legs_matrices(N)[0]
    rng = np.random.default_rng(1)
    v = rng.standard_normal((N, 200)) + 1j * rng.standard_normal((N, 200))
    v /= np.linalg.norm(v, axis=0)
    values = np.concatenate([(v.conj() * (A @ v)).sum(axis=0), np.diag(A)]) / N**2
    for angle, point in zip(ranges["angle"], ranges[f"range_{N}"], strict=True):
        height = (np.exp(-1j * angle) * point).real
        # 8 N eps of the norm, divided by N^2 as the figure is.
        assert (np.exp(-1j * angle) * values).real.max() <= height + 8 * N * EPS
        # The height is the largest eigenvalue of the Hermitian part: here as a root of a general eigensolver.
        turned = np.exp(-1j * angle) * A
        top = scipy.linalg.eigvals((turned + turned.conj().T) / 2).real.max() / N**2
        assert abs(height - top) < 64 * N * EPS


def test_the_range_ends_where_the_symmetric_part_says(ranges):
    for N in (4, 16, 64):
        # A + A^T = -(I + B B^T), B of squared length N^2: from -(1 + N^2)/2 to -1/2.
        assert abs(ranges[f"range_{N}"][-1].real + (1 + 1 / N**2) / 2) < 16 * N * EPS
        # The first supporting line has the angle 1e-3, and the range is at most 0.4 high.
        assert -1e-3 <= ranges[f"range_{N}"][0].real + 1 / (2 * N**2) <= N * EPS


def test_the_limit_is_the_range_of_the_volterra_operator(ranges):
    """Minus the Volterra operator as a triangular matrix of step 1/n; and the distance of LegS to it is O(N^-2)."""
    n = 300
    volterra = -(np.tril(np.ones((n, n)), -1) + np.eye(n) / 2) / n
    for angle in (0.4, 1.2, 1.9, 2.7, math.pi):
        turned = np.exp(-1j * angle) * volterra
        found = np.linalg.eigvalsh((turned + turned.conj().T) / 2)[-1]
        height = (np.exp(-1j * angle) * ranges["limit"]).real.max()
        assert abs(height - found) < 3 / n**2  # the error of the triangle; the curve is sampled more densely
    for N in (16, 64):
        heights = (np.exp(-1j * ranges["angle"]) * ranges[f"range_{N}"]).real
        limits = (np.exp(-1j * ranges["angle"][:, None]) * ranges["limit"]).real.max(axis=1)
        # Beyond the right end of the samples the vertical segment supports; it is a side of the limit.
        limits = np.maximum(limits, np.sin(ranges["angle"]) / (2 * math.pi))
        assert np.abs(heights - limits).max() < 1 / N**2 + 1 / n**2


def test_resolvents_are_norms_of_inverses(ranges):
    for N in (4, 16):
        A, identity = legs_matrices(N)[0], np.eye(N)
        for place in (0, 5, 12, 20):
            w = ranges["frequency"][place]
            inverse = scipy.linalg.solve_triangular(1j * w * identity - A, identity, lower=True)
            assert abs(ranges[f"resolvent_{N}"][place] / np.linalg.norm(inverse, 2) - 1) < 64 * N**2 * EPS
        assert (np.diff(ranges[f"resolvent_{N}"]) < 1e-9).all()
    S = legs_matrices(16)[1]
    for place in range(0, len(ranges["normal"]), 17):
        w = ranges["normal_frequency"][place]
        norm = np.linalg.norm(np.linalg.inv(1j * w * np.eye(16) - S), 2)
        # An eigenvalue moves by 8 eps of the norm; so does the distance to it, of at least 1/2.
        assert abs(ranges["normal"][place] / norm - 1) < 64 * (16**2 + w) * EPS
    assert abs(ranges["normal"].max() - 2) < 4 * EPS
    # The certified values of the claim on the norm of the inverse, to their four decimals.
    for N, value in ((4, 1.5492), (16, 1.7324), (64, 1.8217)):
        assert abs(ranges[f"peak_{N}"] - value) < 5e-5
    assert abs(ranges["segment"] - np.abs(np.linalg.eigvals(S).imag).max() / 256) < 16 * EPS


def test_entries_diagonalize_legs():
    data = FIGURES["eigenvector-growth"].data(image_size=7, sizes=(1, 2, 6), powers=5)
    N = 7
    V = np.nan_to_num(10 ** data["entries"])
    A = legs_matrices(N)[0]
    T = np.diag((-1.0) ** np.arange(N) * np.sqrt(2 * np.arange(N) + 1))
    # A (T V) = -(T V) diag(1, ..., N); the logarithms lose a few eps of entries up to 500.
    residual = A @ T @ V + T @ V * np.arange(1, N + 1)
    assert np.abs(residual).max() < 64 * EPS * np.abs(A).max() * np.abs(T @ V).max()
    assert np.isnan(data["entries"][np.triu_indices(N, 1)]).all()


def test_condition_numbers_against_an_eigensolver():
    data = FIGURES["eigenvector-growth"].data(image_size=4, sizes=(2, 6), powers=5)
    A = legs_matrices(6)[0]
    _, left, right = scipy.linalg.eig(A, left=True, right=True)
    sensitivities = 1 / np.abs((left.conj() * right).sum(axis=0))
    # Condition 2e3 of the eigenvalues: 1e2 times that times eps.
    assert abs(data["condition_best"][1] / sensitivities.sum() - 1) < 1e6 * EPS
    V = np.array([[math.comb(i + j, 2 * j) for j in range(6)] for i in range(6)], dtype=float)
    inverse = np.round(np.linalg.inv(V))  # integers
    assert data["condition_infinity"][1] == np.abs(V).sum(axis=1).max() * np.abs(inverse).sum(axis=1).max()
    frobenius = np.linalg.norm(V) * np.linalg.norm(inverse)
    assert abs(data["condition_frobenius"][1] / frobenius - 1) < 8 * EPS
    assert data["largest"][1] == V.max()


def test_growth_of_the_largest_entry():
    data = FIGURES["eigenvector-growth"].data(image_size=4, sizes=(2, 8, 48), powers=9)
    for N, bits, quoted, law in zip(
        data["size_right"], data["bits"], data["bits_quoted"], data["bits_law"], strict=True
    ):
        last_row = [math.comb(int(N) - 1 + j, 2 * j) for j in range(N)]
        assert abs(bits - math.log2(max(last_row)) / N) < 8 * EPS
        i = (int(N) - 1) // 3
        assert math.comb(4 * i, 2 * i) == math.comb(3 * i + i, 3 * i - i)  # the entry (3i, i)
        assert abs(quoted - math.log2(math.comb(4 * i, 2 * i)) / N) < 8 * EPS
        assert abs(bits - law) < math.log2(1 + 2 / N) / N  # the leading term is within 2/N
    assert abs(data["law"][-1] / data["largest"][-1] - 1) < 2 / 48
    # The best condition number by the formula of sensitivities, in exact integers: from N = 23 on above 2^52.
    assert int(data["lost_at"]) == next(N for N in range(2, 40) if _best_condition(N) > 2.0**52)


def _best_condition(N):
    """sum_j norm(T v_j) norm(w_j T^-1), w_j from back substitution in integers."""
    V = [[math.comb(i + j, 2 * j) if j <= i else 0 for j in range(N)] for i in range(N)]
    inverse = [[0] * N for _ in range(N)]
    for j in range(N):
        inverse[j][j] = 1
        for i in range(j + 1, N):
            inverse[i][j] = -sum(V[i][k] * inverse[k][j] for k in range(j, i))
    return sum(
        math.sqrt(sum((2 * i + 1) * V[i][j] ** 2 for i in range(N)))
        * math.sqrt(sum(inverse[j][i] ** 2 / (2 * i + 1) for i in range(N)))
        for j in range(N)
    )


def test_pseudospectra_against_singular_values():
    N = 5
    data = FIGURES["pseudospectra"].data(N=N, columns=9, rows=5, sizes=(4, 6))
    A, S = legs_matrices(N)
    for suffix, name, M in (("", "full", A), ("_normal", "normal", S)):
        for row, y in enumerate(data[f"imaginary{suffix}"]):
            for column, x in enumerate(data[f"real{suffix}"]):
                sigma = np.linalg.svd((x + 1j * y) * np.eye(N) - M, compute_uv=False)[-1]
                # float64 sees sigma_min to 8 eps of the norm, which is below 64.
                assert abs(10 ** data[name][row, column] - sigma) < 8 * EPS * 64
    # Bounded below by the numerical range.
    assert (10 ** data["full"] >= data["real"] + 0.5).all()


def test_small_singular_values_in_high_precision():
    """A singular value far below the rounding errors of float64, from the least eigenvalue of M M^T in mpmath."""
    from mpmath.ctx_mp import MPContext

    data = FIGURES["pseudospectra"].data(N=3, columns=3, rows=2, sizes=(24,))
    place = int(np.argmin(data["smallest_24"]))
    context = MPContext()
    context.dps = 60
    R = [context.sqrt(2 * n + 1) for n in range(24)]
    M = context.matrix(24, 24)
    for n in range(24):
        for k in range(n):
            M[n, k] = R[n] * R[k]
        M[n, n] = context.mpf(float(data["axis"][place])) + n + 1
    sigma = context.sqrt(min(context.eigsy(M * M.T, eigvals_only=True)))
    assert abs(float(data["smallest_24"][place] / sigma) - 1) < 64 * 24 * EPS
    assert abs(data["least_24"] - float(context.log10(sigma))) < 64 * 24 * EPS
    assert sigma < 1e-16
