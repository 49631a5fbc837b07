"""Figures of the families: matrices, weights, basis functions, and random rank-one changes, by other routes."""

from __future__ import annotations

import numpy as np
import pytest
from flint import arb_mat
from numpy.polynomial import laguerre, legendre
from scipy.special import eval_laguerre, eval_legendre

from hippo_theory.arithmetic import balls
from hippo_theory.families import LegS
from hippo_theory.figures.matrices import family_tree_matrices, measures_and_bases
from hippo_theory.figures.rank_one import rank_one_perturbations

EPS = np.finfo(float).eps
N = 8


@pytest.fixture(scope="module")
def tree():
    return family_tree_matrices(None, N=N)


def roots(count):
    return np.sqrt(2 * np.arange(count) + 1)


def legs_by_quadrature():
    """A_nk = -int_0^1 (y L_n)' L_k dy, L_n = R_n P_n(2y - 1): the derivative of K_n(t) = y L_n(y), y = e^-t."""
    x, w = legendre.leggauss(N + 2)
    L = roots(N) * legendre.legvander(x, N - 1)
    slopes = roots(N) * np.stack([2 * legendre.legval(x, legendre.legder(np.eye(N)[n])) for n in range(N)], axis=1)
    return -np.einsum("i,in,ik->nk", w / 2, L + (x[:, None] + 1) / 2 * slopes, L)


def legt_by_quadrature():
    """A_nk = int p_n' p_k - p_n(1) p_k(1), p_n = R_n P_n(1 - 2t): the input that leaves the window is rebuilt by the p_k."""
    x, w = legendre.leggauss(N + 2)
    p = roots(N) * legendre.legvander(x, N - 1)
    slopes = -2 * roots(N) * np.stack([legendre.legval(x, legendre.legder(np.eye(N)[n])) for n in range(N)], axis=1)
    last = roots(N) * (-1) ** np.arange(N)
    return np.einsum("i,in,ik->nk", w / 2, slopes, p) - np.multiply.outer(last, last)


def lagt_by_quadrature():
    """A_nk = int e^-t (l_n' - l_n) l_k, Laguerre polynomials l_n: the derivative of K_n = e^-t l_n."""
    x, w = laguerre.laggauss(N + 2)
    values = laguerre.lagvander(x, N - 1)
    slopes = np.stack([laguerre.lagval(x, laguerre.lagder(np.eye(N)[n])) for n in range(N)], axis=1)
    return np.einsum("i,in,ik->nk", w, slopes - values, values)


def fout_by_quadrature(size):
    """A_nk = int p_n' p_k - 2 p_n(1) p_k(1): a Fourier series takes the mean of both sides at the jump."""
    t = (np.arange(64) + 0.5) / 64  # exact for trigonometric polynomials of degree below 64
    p, slopes = np.ones((64, size)), np.zeros((64, size))
    for m in range(1, size // 2 + 1):
        angle = 2 * np.pi * m * t
        p[:, 2 * m - 1], p[:, 2 * m] = np.sqrt(2) * np.cos(angle), np.sqrt(2) * np.sin(angle)
        slopes[:, 2 * m - 1], slopes[:, 2 * m] = -2 * np.pi * m * p[:, 2 * m], 2 * np.pi * m * p[:, 2 * m - 1]
    last = np.array([1.0] + [np.sqrt(2), 0.0] * (size // 2))
    return slopes.T @ p / 64 - 2 * np.multiply.outer(last, last)


def test_state_matrices_differentiate_their_basis(tree):
    expected = {
        "legs": legs_by_quadrature(),
        "legt": legt_by_quadrature(),
        "lagt": lagt_by_quadrature(),
        "fout": fout_by_quadrature(7),
    }
    for name, A in expected.items():
        # Sums over at most 64 nodes of products below the largest entry times N, nodes within a few eps; Laguerre
        # polynomials of degree 7 reach 1e3 at the nodes that matter.
        c = 1e4 if name == "lagt" else 100
        assert np.abs(tree[f"A_{name}"] - A).max() < c * N * np.abs(A).max() * EPS


def test_normal_parts_are_normal_and_differ_by_low_rank(tree):
    for name, rank in {"legs": 1, "legt": 2, "lagt": 1, "fout": 1}.items():
        A, S = tree[f"A_{name}"], tree[f"normal_{name}"]
        scale = np.abs(A).max()
        assert np.abs(S @ S.T - S.T @ S).max() < 4 * N * scale**2 * EPS
        real = S[0, 0]
        assert np.abs(S + S.T - 2 * real * np.eye(len(S))).max() <= 4 * scale * EPS
        eigenvalues = np.linalg.eigvalsh((S - A + (S - A).T) / 2)
        assert np.abs(S - A - (S - A).T).max() <= 4 * scale * EPS
        assert np.all(eigenvalues[-rank:] > 0.9)
        assert np.abs(eigenvalues[:-rank]).max() < 16 * N * scale * EPS


def test_relatives(tree):
    n = np.arange(N)
    lmu = (2 * n[:, None] + 1) * np.where(n[:, None] < n, -1, (-1.0) ** (n[:, None] - n + 1))  # Voelker et al. 2019
    assert np.array_equal(tree["relative_legt"], lmu)
    # A triangular matrix has its eigenvalues on the diagonal.
    assert np.array_equal(np.diag(tree["relative_legs"]), np.diag(tree["A_legs"]))
    assert np.count_nonzero(tree["relative_legs"]) == N
    assert np.array_equal(tree["relative_lagt"] - tree["A_lagt"], np.eye(N) / 2)
    half = tree["relative_fout"] - tree["A_fout"]
    assert np.abs(half - (tree["normal_fout"] - tree["A_fout"]) / 2).max() < 8 * EPS * np.abs(tree["A_fout"]).max()


def test_departure_from_normality(tree):
    for name in ("legs", "legt", "lagt", "fout"):
        A = tree[f"A_{name}"]
        # norm(A A^T - A^T A)^2 = 2 norm(A^T A)^2 - 2 norm(A^2)^2
        square = 2 * np.sum((A.T @ A) ** 2) - 2 * np.sum((A @ A) ** 2)
        assert abs(tree[f"departure_{name}"] ** 2 - square / np.sum(A**2) ** 2) < 100 * N * EPS


def test_weights_and_bases():
    data = measures_and_bases(None)
    t = data["time_legs"]
    assert np.abs(data["weight_legs"] - np.exp(-t)).max() <= 4 * EPS
    assert np.array_equal(data["weight_lagt"], data["weight_legs"])
    window = data["time_legt"]
    assert np.array_equal(data["weight_legt"], (window <= 1).astype(float))
    assert np.array_equal(data["weight_fout"], data["weight_legt"])
    inside = window <= 1
    x = window[inside]
    for n in range(4):
        R = np.sqrt(2 * n + 1)
        # The slope of P_n is at most n(n+1)/2, of Laguerre polynomials on [0, 5] at most 3; the argument is within 4 eps.
        assert np.abs(data[f"basis_legs_{n}"] - R * eval_legendre(n, 2 * np.exp(-t) - 1)).max() < 100 * EPS
        assert np.abs(data[f"basis_lagt_{n}"] - eval_laguerre(n, t)).max() < 400 * EPS
        assert np.abs(data[f"basis_legt_{n}"][inside] - R * eval_legendre(n, 1 - 2 * x)).max() < 100 * EPS
        assert np.isnan(data[f"basis_legt_{n}"][~inside]).all()
    angle = 2 * np.pi * x
    for n, values in enumerate(
        (1, np.sqrt(2) * np.cos(angle), np.sqrt(2) * np.sin(angle), np.sqrt(2) * np.cos(2 * angle))
    ):
        assert np.abs(data[f"basis_fout_{n}"][inside] - values).max() < 40 * EPS
    assert (data["age_legs"], data["age_lagt"], data["age_legt"], data["age_fout"]) == (1, 1, 0.5, 0.5)


# --- random rank-one changes -------------------------------------------------------------------------------------------

SIZE, DRAWS, SEED = 16, 40, 7


@pytest.fixture(scope="module")
def changed():
    return rank_one_perturbations(None, N=SIZE, draws=DRAWS, seed=SEED)


def secular(A, p, s):
    """1 - p^T (s - A)^-1 p, zero at the eigenvalues of A + p p^T."""
    return 1 - np.linalg.solve(s[:, None, None] * np.eye(len(p)) - A, p[:, None].astype(complex))[..., 0] @ p


def test_unstable_draws_are_counted_by_the_argument_principle(changed):
    A = LegS(SIZE).A
    # A is stable, so 1 - p^T (s - A)^-1 p turns once about zero for each eigenvalue right of the axis.
    axis = 1j * np.concatenate([[0], np.geomspace(1e-3, 1e4, 1200)])  # and the same on the lower half
    for place in (4, 6, 12):
        vectors = changed["deviation"][place] * np.random.default_rng(SEED).normal(size=(DRAWS, SIZE))
        turns = [np.unwrap(np.angle(secular(A, p, axis))) for p in vectors]
        unstable = [round(2 * (phase[0] - phase[-1]) / (2 * np.pi)) > 0 for phase in turns]
        assert changed["fraction"][place] == np.mean(unstable)
        low, high = changed["interval_lower"][place], changed["interval_upper"][place]
        assert 0 <= low <= changed["fraction"][place] <= high <= 1


def test_eigenvalues_solve_the_secular_equation(changed):
    A = LegS(SIZE).A
    points = changed["real"] + 1j * changed["imaginary"]
    shifted = points[:, None, None] * np.eye(SIZE) - A
    steps = []
    for p in 0.4 * np.random.default_rng(SEED).normal(size=(40, SIZE)):
        once = np.linalg.solve(shifted, p[:, None].astype(complex))
        steps.append((1 - (p @ once)[:, 0]) / (p @ np.linalg.solve(shifted, once))[:, 0])
    # Newton's step to the eigenvalue: half a unit of the eighth decimal in either part, and twice as much to be safe.
    assert np.abs(np.stack(steps)).min(axis=0).max() < 1.5e-8
    assert len(points) > 40


def test_quartiles_enclose_the_median(changed):
    assert np.all(changed["quartile_lower"] <= changed["median"])
    assert np.all(changed["median"] <= changed["quartile_upper"])
    # norm(p p^T) is about N sigma^2, and the numerical range of A ends at -1/2.
    assert np.all(changed["median"] < -0.5 + 2 * SIZE * changed["deviation"] ** 2 + 0.5)


def test_perturbed_kernels_against_certified_exponentials(changed):
    legs = LegS(SIZE)
    p = 0.4 * np.random.default_rng(SEED).normal(size=(40, SIZE))[0]
    M = legs.A + np.multiply.outer(p, p)
    with balls(128).work():
        table = (arb_mat(M.tolist()) * 3).exp().table()
        exact = float(sum((a * float(b) for a, b in zip(table[0], legs.B, strict=True)), start=table[0][0] * 0))
    assert changed["time"][75] == 3
    assert abs(changed["kernel_0"][75] - exact) < 1e-8
    assert np.abs(changed["legs"] - np.exp(-changed["time"])).max() <= 2 * EPS
