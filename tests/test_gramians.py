"""Gramians, H2 and L2 norms and Hankel values: against quadrature, exact rationals, balls and high precision."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
from flint import acb, fmpq, fmpq_mat
from mpmath.ctx_mp import MPContext

from hippo_theory.arithmetic import balls
from hippo_theory.asymptotics import exact_l2_squared
from hippo_theory.decompositions import diagonal_restriction, full_system, normal_plus_low_rank
from hippo_theory.discretizations import METHODS, discretize, discretize_system
from hippo_theory.errors import CertificationError, InputError
from hippo_theory.families import LegS
from hippo_theory.kernels import diagonal_kernel, full_kernel
from hippo_theory.norms import (
    controllability_gramian,
    difference_system,
    exact_gramian,
    exact_h2_squared,
    gramians,
    h2_distance,
    h2_norm,
    hankel,
    hankel_singular_values,
    kernel_norms,
    l2_squared,
    legs_rational_system,
    observability_gramian,
)
from hippo_theory.norms.gramians import denominators
from hippo_theory.systems import (
    DenseSystem,
    DiagonalPlusLowRankSystem,
    DiagonalSystem,
    HalfSystem,
    change_of_basis,
    conjugate_full,
    to_dense,
)

EPS = np.finfo(np.float64).eps
CONTEXT = MPContext()
CONTEXT.dps = 300  # the eigenvalues of P Q are squares, down to 1e-140 of the first


def random_system(seed, N=7, K=1, discrete=False, real=False):
    rng = np.random.default_rng(seed)
    values = -0.1 - rng.random(N) + (0 if real else 3j * rng.normal(size=N))
    vectors = [rng.normal(size=shape) + (0 if real else 1j * rng.normal(size=shape)) for shape in (N, (K, N))]
    return DiagonalSystem(np.exp(values) if discrete else values, *vectors, discrete=discrete)


def unitary(N, seed=3):
    rng = np.random.default_rng(seed)
    return np.linalg.qr(rng.normal(size=(N, N)) + 1j * rng.normal(size=(N, N)))[0]


both_times = pytest.mark.parametrize("discrete", [False, True], ids=["continuous", "discrete"])
both_fields = pytest.mark.parametrize("real", [False, True], ids=["complex", "real"])


# --- high precision ----------------------------------------------------------------------------------------------------


def precise_gramian(nodes, vectors, discrete):
    """sum_k v_ki conj(v_kj) / (-(lambda_i + conj(lambda_j))), or over 1 - z_i conj(z_j), in 300 digits."""
    values = [CONTEXT.mpc(x) for x in nodes]
    rows = [[CONTEXT.mpc(x) for x in vector] for vector in vectors]
    matrix = CONTEXT.matrix(len(values), len(values))
    for i, left in enumerate(values):
        for j, right in enumerate(values):
            below = 1 - left * right.conjugate() if discrete else -(left + right.conjugate())
            matrix[i, j] = sum(row[i] * row[j].conjugate() for row in rows) / below
    return matrix


def precise_hankel_values(system):
    P = precise_gramian(system.Lambda, [system.B], system.discrete)
    Q = precise_gramian(system.Lambda.conj(), system.C.conj(), system.discrete)
    squares = CONTEXT.eig(P * Q, left=False, right=False)
    return np.array(sorted((float(CONTEXT.sqrt(abs(x))) for x in squares), reverse=True))


def relative_errors(found, precise):
    return np.array(
        [[float(abs(CONTEXT.mpc(found[i, j]) - precise[i, j]) / abs(precise[i, j])) for j in range(len(found))]
         for i in range(len(found))]
    )  # fmt: skip


# --- Gramians ----------------------------------------------------------------------------------------------------------


@both_times
@both_fields
def test_the_closed_form_entry_by_entry(discrete, real):
    system = random_system(1, discrete=discrete, real=real)
    P, Q = controllability_gramian(system), observability_gramian(system)
    precise_P = precise_gramian(system.Lambda, [system.B], discrete)
    precise_Q = precise_gramian(system.Lambda.conj(), system.C.conj(), discrete)
    for found, precise in ((P, precise_P), (Q, precise_Q)):
        assert relative_errors(found.matrix, precise).max() <= found.relative_entries == 16 * EPS
        assert not found.matrix.flags.writeable
    wrong = P.matrix * (1 + 1e-14)
    assert relative_errors(wrong, precise_P).max() > P.relative_entries


def test_denominators_next_to_the_unit_circle():
    """Where 1 - z_i conj(z_j) in floats has lost up to all of its digits."""
    near = 1 - np.array([2.0**-53, 2.0**-50, 2.0**-47, 1e-12, 1e-6])
    z = np.concatenate([near, near * np.exp(1j), near * np.exp(-1j), near * np.exp(3j)])
    z = z[np.abs(z) < 1]
    S = denominators(DiagonalSystem(z, np.ones(len(z)), discrete=True))
    values = [CONTEXT.mpc(x) for x in z]
    precise = CONTEXT.matrix(len(z), len(z))
    for i, left in enumerate(values):
        for j, right in enumerate(values):
            precise[i, j] = 1 - left * right.conjugate()
    assert relative_errors(S, precise).max() <= 2 * EPS
    naive = 1 - z[:, None] * z.conj()
    assert relative_errors(naive, precise).max() > 1e-3


def next_to_the_circle(count=4000):
    """Numbers whose modulus rounds to 1 or to one of the two floats below, and 1 - abs(z)^2 exactly."""
    rng = np.random.default_rng(12)
    points = np.exp(1j * rng.uniform(0, 2 * np.pi, count)) * (1 - 2.0**-53 * rng.integers(0, 3, count))
    return points, [1 - Fraction(z.real) ** 2 - Fraction(z.imag) ** 2 for z in points]


def test_the_gap_to_the_unit_circle_is_exact_to_two_units():
    """Also where it is far below eps: to twofold precision up to 12 eps were lost."""
    points, gaps = next_to_the_circle(800)
    inside = [(z, gap) for z, gap in zip(points, gaps, strict=True) if gap > 0]
    S = [denominators(DiagonalSystem([z], [1], discrete=True))[0, 0].real for z, _ in inside]
    assert min(gap for _, gap in inside) < EPS
    for found, (_, gap) in zip(S, inside, strict=True):
        assert abs(Fraction(float(found)) - gap) <= 2 * Fraction(EPS) * gap


def test_a_state_outside_the_circle_by_less_than_a_float_shows_is_refused():
    """abs(z) as a float is below 1 for some (which depends on the machine's hypot); their Gramian would be negative."""
    points, gaps = next_to_the_circle()
    outside = [z for z, gap in zip(points, gaps, strict=True) if gap <= 0]
    assert len(outside) > 100
    for z in outside:
        with pytest.raises(InputError, match="must be stable"):
            controllability_gramian(DiagonalSystem([z, 0.5], [1, 1], discrete=True))


@both_times
def test_dense_gramians_of_float_matrices_against_exact_rationals(discrete):
    rng = np.random.default_rng(8)
    matrix = rng.normal(size=(5, 5))
    matrix = matrix / (1.2 * abs(np.linalg.eigvals(matrix)).max()) if discrete else matrix - 3 * np.eye(5)
    system = DenseSystem(matrix, rng.normal(size=5), rng.normal(size=(1, 5)), discrete=discrete)
    for found, exact in (
        (controllability_gramian(system), exact_gramian(matrix, system.B, discrete=discrete)),
        (observability_gramian(system), exact_gramian(matrix.T, system.C[0], discrete=discrete)),
    ):
        truth = np.array([[float(x.p) / float(x.q) if x.q.bit_length() < 900 else float(Fraction(int(x.p), int(x.q)))
                           for x in row] for row in exact])  # fmt: skip
        assert np.linalg.norm(found.matrix - truth, 2) <= found.error
        assert found.error <= 1e4 * EPS * np.linalg.norm(truth, 2)
        assert np.linalg.norm(found.matrix * (1 + 1e-10) - truth, 2) > found.error


def number(x):
    return CONTEXT.mpf(int(x.p)) / int(x.q)


def hard_systems(discrete, count=40):
    """Real float systems next to instability, in rotated or badly scaled coordinates, with far couplings."""
    rng = np.random.default_rng(21)
    for index in range(count):
        A = np.triu(rng.normal(size=(3, 3)), 1) * 10.0 ** rng.integers(-2, 3)
        rates = 10.0 ** rng.uniform(-6, 0, 3)
        A += np.diag(np.exp(-rates) * rng.choice([-1, 1], 3) if discrete else -rates)
        if index % 2:
            turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
            A = turn @ A @ turn.T
        yield DenseSystem(A, rng.normal(size=3), rng.normal(size=(2, 3)), discrete=discrete)


@both_times
def test_the_bounds_of_dense_systems_hold_and_are_needed(discrete):
    """Against exact rationals. The largest error comes within 1/200 of its bound: it is not idle."""
    shares = []
    for system in hard_systems(discrete):
        try:
            P, Q = controllability_gramian(system), observability_gramian(system)
        except (CertificationError, InputError):
            continue
        exact_P = exact_gramian(system.A, system.B, discrete=discrete)
        exact_Q = sum(exact_gramian(system.A.T, row, discrete=discrete) for row in system.C)
        share = []
        for found, exact in ((P, exact_P), (Q, exact_Q)):
            error = [[float(number(fmpq(*float(found.matrix[i, j]).as_integer_ratio()) - exact[i, j])) for j in range(3)]
                     for i in range(3)]  # fmt: skip
            share.append(np.linalg.norm(error, 2) / found.error)
        squares = [number(exact_h2_squared(system.A, system.B, row, discrete=discrete)) for row in system.C]
        norms = kernel_norms(system)
        share += [
            float(abs(CONTEXT.sqrt(square) - value)) / error
            for square, value, error in zip(squares, norms.value, norms.error, strict=True)
        ]
        total = h2_norm(system)
        share.append(float(abs(CONTEXT.sqrt(sum(squares)) - total.value)) / total.error)
        product = CONTEXT.matrix([[number(x) for x in row] for row in exact_P])
        product *= CONTEXT.matrix([[number(x) for x in row] for row in exact_Q])
        exact_values = sorted(
            (CONTEXT.sqrt(abs(x)) for x in CONTEXT.eig(product, left=False, right=False)), reverse=True
        )
        values = hankel_singular_values(system)
        share.append(
            max(float(abs(a - b)) / e for a, b, e in zip(exact_values, values.values, values.error, strict=True))
        )
        shares.append(share)
    assert len(shares) >= 20
    largest = np.max(shares, axis=0)
    assert (largest <= 1).all()
    assert (largest >= 0.005).all()


@both_times
@pytest.mark.parametrize("factor", [1 + 1e-3, 1 - 1e-3, 0.9, 1.3, -1.0, 3.0])
def test_a_wrong_solution_widens_the_bound_or_is_refused(discrete, factor, monkeypatch):
    """The bound follows from residuals alone: it holds for whatever a solver returns."""
    systems = [to_dense(random_system(13, N=N, discrete=discrete)) for N in (1, 4)]  # N = 1 attains the bound
    truths = [controllability_gramian(system).matrix for system in systems]
    solver = gramians._lyapunov
    monkeypatch.setattr(gramians, "_lyapunov", lambda *arguments: factor * solver(*arguments))
    for system, truth in zip(systems, truths, strict=True):
        if factor in (-1.0, 3.0):
            with pytest.raises(CertificationError, match="too close to singular"):
                controllability_gramian(system)
        else:
            found = controllability_gramian(system)
            assert np.linalg.norm(found.matrix - factor * truth, 2) <= 1e-12 * np.linalg.norm(truth, 2)
            assert np.linalg.norm(found.matrix - truth, 2) <= found.error


@both_times
def test_an_unstable_matrix_has_no_bound_whatever_its_eigenvalues_are_said_to_be(discrete):
    """The equation has a solution with a small residual; that H is not positive shows that it is no Gramian."""
    A = np.diag([2.0, 0.5] if discrete else [0.5, -1.0])
    with pytest.raises(CertificationError, match="too close to singular"):
        gramians._dense_gramian(A, np.ones((2, 1)), discrete)


@pytest.mark.parametrize("which", ["controllability_gramian", "observability_gramian"])
@pytest.mark.parametrize("size", [1e-12, 1e-6, 1e-2])
def test_the_bound_of_dense_hankel_values_follows_from_those_of_the_gramians(which, size, monkeypatch):
    """One Gramian is wrong by exactly its bound, in the direction of a vector with all values in it."""
    system = to_dense(random_system(14, N=4))
    exact = hankel_singular_values(system).values
    plain = getattr(hankel, which)

    def wrong(system):
        found = plain(system)
        change = size * np.linalg.norm(found.matrix, 2) * np.eye(4)
        return gramians.Gramian(found.matrix + change, found.error + np.linalg.norm(change, 2))

    monkeypatch.setattr(hankel, which, wrong)
    found = hankel_singular_values(system)
    assert (abs(found.values - exact) <= found.error).all()
    assert (abs(found.values - exact) > 1e-2 * found.error).any()


def test_the_root_of_an_interval():
    for squared in (-1e-3, 0.0, 1e-6, 1e-3, 2e-3, 1.0):
        value, error = gramians._root(np.array([squared]), np.array([1e-3]))
        for truth in (squared - 1e-3, squared + 1e-3):
            assert abs(value[0] - math.sqrt(max(truth, 0.0))) <= error[0]


@pytest.mark.parametrize("K", [1, 3])
@both_times
def test_the_bound_of_diagonal_gramians_in_the_spectral_norm(discrete, K):
    for seed in range(5):
        system = random_system(seed, K=K, discrete=discrete)
        found = observability_gramian(system)
        precise = precise_gramian(system.Lambda.conj(), system.C.conj(), discrete)
        error = [[complex(CONTEXT.mpc(found.matrix[i, j]) - precise[i, j]) for j in range(7)] for i in range(7)]
        assert 0 < np.linalg.norm(error, 2) <= found.error <= 100 * EPS * np.linalg.norm(np.abs(found.matrix)) * 7


@both_times
def test_the_bound_of_diagonal_norms_where_they_cancel(discrete):
    """e^(-a t) - e^(-b t) with a and b close: the square is lost in the rounding of its terms, and the bound says it."""
    for gap in (1e-3, 1e-6, 1e-9, 1e-12):
        poles = np.array([0.5, 0.5 + gap]) if discrete else np.array([-0.5, -0.5 - gap])
        system = DiagonalSystem(poles, [1, 1], [[1, -1]], discrete=discrete)
        precise = precise_gramian(poles, [[1, 1]], discrete)
        truth = CONTEXT.sqrt(precise[0, 0] - 2 * precise[0, 1] + precise[1, 1])
        found = kernel_norms(system)
        assert float(abs(truth - found.value[0])) <= found.error[0]
    assert found.error[0] > found.value[0]


@both_times
@pytest.mark.parametrize("K", [1, 3])
def test_dense_and_diagonal_agree_under_a_unitary_change_of_basis(discrete, K):
    """c = 64 N for the rounding of the change of basis itself, besides the bounds of both."""
    system = random_system(2, K=K, discrete=discrete)
    V = unitary(7)
    dense = change_of_basis(system, V)
    for gramian, norm in ((controllability_gramian, np.linalg.norm(system.B)),
                          (observability_gramian, np.linalg.norm(system.C))):  # fmt: skip
        left, right = gramian(dense), gramian(system)
        difference = np.linalg.norm(V @ left.matrix @ V.conj().T - right.matrix, 2)
        spectral_gap = 0.1  # -Re lambda > 0.1
        change = 64 * 7 * EPS * max(1, abs(system.Lambda).max()) * norm**2 / spectral_gap**2
        assert difference <= left.error + right.error + change


@pytest.mark.parametrize("N", [1, 2, 8, 40])
def test_the_gramian_of_legs_is_tridiagonal(N):
    """W_nn = 1/2, W_n(n+1) = (n+1) / (2 R_n R_(n+1)): exactly in rationals, and in float64 within the bound."""
    n = np.arange(N)
    scale = np.sqrt(2 * n + 1)
    W = np.diag(np.full(N, 0.5))
    W[n[:-1], n[1:]] = W[n[1:], n[:-1]] = n[1:] / (2 * scale[:-1] * scale[1:])
    found = controllability_gramian(full_system(LegS(N)).to_system())
    assert np.linalg.norm(found.matrix - W, 2) <= found.error <= 1e4 * N**2 * EPS
    A, B = legs_rational_system(N)
    exact = exact_gramian(A, B)
    for i in range(N):
        for j in range(N):
            near = {0: fmpq(1, 2 * (2 * i + 1)), 1: fmpq(max(i, j), 2 * (2 * i + 1) * (2 * j + 1))}
            assert exact[i, j] == near.get(abs(i - j), 0)
    # As floats the rational system is that of the family.
    rescaled = LegS(N).A * scale[None, :] / scale[:, None]
    assert abs(rescaled - A.astype(float)).max() <= 4 * EPS * 2 * N


def test_the_shifted_gramian_of_legs_is_the_identity():
    """(A + I/2) G + G (A + I/2)^T = -B B^T has G = I; in the rational coordinates diag(1/(2n+1))."""
    A, B = legs_rational_system(12)
    exact = exact_gramian(A + np.diag([fmpq(1, 2)] * 12), B)
    assert all(exact[i, j] == (fmpq(1, 2 * i + 1) if i == j else 0) for i in range(12) for j in range(12))
    assert exact_gramian(A + np.diag([fmpq(1, 2) + fmpq(1, 10**6)] * 12), B)[0, 0] != 1
    found = controllability_gramian(DenseSystem(LegS(12).A + np.eye(12) / 2, LegS(12).B))
    assert np.linalg.norm(found.matrix - np.eye(12), 2) <= found.error < 1e-9


@both_times
def test_exact_gramians_solve_their_equation(discrete):
    A = [["-1/2", "1/3", "0.1"], [1, "-0.75", 0], ["1/7", "1/5", "-1/3"]]
    if discrete:
        A = [["1/2", "1/3", "0.1"], ["-1/4", "0.25", 0], ["1/7", "1/5", "-1/3"]]
    P = exact_gramian(A, [1, "-2", "1/2"], discrete=discrete)
    F = fmpq_mat([[fmpq(*Fraction(x).as_integer_ratio()) for x in row] for row in A])
    G = fmpq_mat([[fmpq(1)], [fmpq(-2)], [fmpq(1, 2)]])
    X = fmpq_mat(P.tolist())
    residual = F * X * F.transpose() - X if discrete else F * X + X * F.transpose()
    assert residual + G * G.transpose() == fmpq_mat(3, 3)
    assert residual + G * G.transpose() * fmpq(1000001, 1000000) != fmpq_mat(3, 3)


def test_the_two_exact_routes_agree():
    A, B = legs_rational_system(5)
    flipped = A[::-1, ::-1]  # upper triangular: the linear system
    assert (exact_gramian(flipped, B)[::-1, ::-1] == exact_gramian(A, B)).all()
    assert exact_h2_squared(flipped, B, [0, 0, 0, 0, 1]) == exact_h2_squared(A, B, [1, 0, 0, 0, 0]) == fmpq(1, 2)


def test_the_bilinear_method_keeps_the_gramian():
    """P of the discrete system is dt P: its input is sqrt(dt) times that of the isometry s = (2/dt) (z-1)/(z+1)."""
    for system in (random_system(4), full_system(LegS(6)).to_system()):
        P = controllability_gramian(system)
        discrete = controllability_gramian(discretize_system(system, "bilinear", "0.25"))
        assert np.linalg.norm(discrete.matrix - 0.25 * P.matrix, 2) <= 0.25 * P.error + discrete.error + 256 * EPS
        zoh = controllability_gramian(discretize_system(system, "zoh", "0.25"))
        assert np.linalg.norm(zoh.matrix - 0.25 * P.matrix, 2) > 1e-6


# --- norms -------------------------------------------------------------------------------------------------------------


@both_fields
def test_kernel_norms_against_quadrature(real):
    system = random_system(6, N=4, K=2, real=real)
    dense = change_of_basis(system, np.eye(4))

    def squares(time):
        return abs(dense.C @ scipy.linalg.expm(dense.A * time) @ dense.B) ** 2

    expected, error = scipy.integrate.quad_vec(squares, 0, 200, epsabs=1e-12, epsrel=1e-12, limit=2000)
    for form in (system, dense):
        found = kernel_norms(form)
        assert (abs(found.value**2 - expected) <= 1e-9 * expected + error).all()
        assert abs(h2_norm(form).value ** 2 - expected.sum()) <= 1e-9 * expected.sum() + error
    assert (abs((found.value * (1 + 1e-6)) ** 2 - expected) > 1e-9 * expected + error).all()


def test_discrete_kernel_norms_against_the_sum():
    """c = 64: the sum of 4000 squares of a recurrence that contracts by 0.9."""
    system = random_system(7, N=5, K=2, discrete=True)
    dense = to_dense(system)
    state, total = dense.B, np.zeros(2)
    for _ in range(4000):
        total += abs(dense.C @ state) ** 2
        state = dense.A @ state
    for form in (system, dense):
        found = kernel_norms(form)
        assert (abs(found.value - np.sqrt(total)) <= found.error + 64 * EPS * np.sqrt(total)).all()


@pytest.mark.parametrize("N", [2, 5, 16])
def test_norms_of_the_difference_against_the_closed_form_and_balls(N):
    """Component n of LegS minus its restriction: (2n+1)/4 - (1+3n(n+1))/(2N^2), and the sum over all as H2 distance."""
    full, diagonal = full_system(LegS(N)).to_system(), diagonal_restriction(LegS(N)).to_system()
    found = kernel_norms(difference_system(full, diagonal))
    exact = np.array([math.sqrt(exact_l2_squared(N, n)) for n in range(N)])
    assert (abs(found.value - exact) <= found.error).all()
    assert found.error.max() <= 1e5 * N**2 * EPS
    assert not (abs(found.value * (1 + 1e-6) - exact) <= found.error).any()
    total = h2_distance(full, diagonal)
    assert abs(total.value - np.linalg.norm(exact)) <= total.error
    ring = balls(300)
    ball = l2_squared(full_kernel(LegS(N), 1, ring) - diagonal_kernel(LegS(N), 1, ring))
    assert abs(float(ball) ** 0.5 - found.value[1]) <= found.error[1] + EPS


@pytest.mark.parametrize("method", METHODS)
def test_discrete_norms_against_balls(method):
    """step sum (k_l / step)^2: the system keeps the step in its kernel, the exponential sum divides by it."""
    ring = balls(200)
    diagonal = diagonal_restriction(LegS(6)).to_system()
    full = full_system(LegS(6)).to_system()
    for system, kernel in ((diagonal, diagonal_kernel), (full, full_kernel)):
        found = kernel_norms(discretize_system(system, method, "0.1"))
        for n in range(6):
            exact = float(l2_squared(discretize(kernel(LegS(6), n, ring), method, "0.1")))
            # c = 64 N: the rounding of the discretization, with a stability margin of 0.05 in its multipliers
            change = 64 * 6 * EPS * found.value.max() / 0.05
            assert abs(found.value[n] - math.sqrt(0.1 * exact)) <= found.error[n] + change
            assert abs(found.value[n] - math.sqrt(0.1 * exact) * (1 + 1e-6)) > found.error[n] + change


def test_a_system_minus_itself_in_other_coordinates_is_zero_within_the_error():
    system = random_system(9)
    found = h2_distance(system, change_of_basis(system, unitary(7)))
    assert found.value <= found.error < 1e-5
    exact = h2_distance(system, system)
    assert exact.value <= exact.error < 1e-5


# --- numbers of any size -----------------------------------------------------------------------------------------------

SIZES = pytest.mark.parametrize("exponents", [(-700, 0), (700, 0), (0, -700), (0, 700), (-900, 890), (900, -890)])


@SIZES
@both_times
@pytest.mark.parametrize("form", [lambda system: system, to_dense], ids=["diagonal", "dense"])
def test_norms_scale_with_powers_of_two(exponents, discrete, form):
    """Exactly: the squares, which leave the range of floats, are never formed."""
    system = random_system(10, N=4, K=2, discrete=discrete)
    scaled = DiagonalSystem(
        system.Lambda, system.B * 2.0 ** exponents[0], system.C * 2.0 ** exponents[1], discrete=discrete
    )
    factor = 2.0 ** sum(exponents)
    for norm in (kernel_norms, h2_norm):
        plain, found = norm(form(system)), norm(form(scaled))
        assert np.all(found.value == factor * plain.value)
        assert np.all(found.error == factor * plain.error)
    plain, found = hankel_singular_values(form(system)), hankel_singular_values(form(scaled))
    assert (found.values == factor * plain.values).all()
    assert (found.error == factor * plain.error).all()


def test_a_tiny_input_may_meet_a_huge_output():
    """2^-700 on the way in and 2^700 on the way out: e^-2t, beside a state that the output does not see."""
    system = DiagonalSystem([-1.0, -2.0], [1, 2.0**-700], [[0, 2.0**700]])
    assert abs(kernel_norms(system).value[0] - 0.5) <= 4 * EPS
    assert abs(hankel_singular_values(system).values[0] - 0.25) <= 4 * EPS


def test_gramians_whose_entries_leave_the_range():
    """Too small: the error says so, and no entry is called relatively accurate. Too large: refused."""
    B = 0.7 * 2.0**-530
    truth = Fraction(B) ** 2 / 2
    for system in (DiagonalSystem([-1.0], [B]), DenseSystem([[-1.0]], [B])):
        tiny = controllability_gramian(system)
        assert tiny.relative_entries is None
        assert abs(Fraction(float(tiny.matrix[0, 0])) - truth) <= Fraction(tiny.error)
    mixed = controllability_gramian(DiagonalSystem([-1.0, -2.0], [1, 2.0**-600]))
    assert mixed.relative_entries is None
    assert controllability_gramian(DiagonalSystem([-1.0, -2.0], [1, 0])).relative_entries == 16 * EPS
    for system in (DiagonalSystem([-1.0], [2.0**600]), DenseSystem([[-1.0]], [2.0**600])):
        for function in (
            controllability_gramian,
            lambda system: observability_gramian(DiagonalSystem([-1.0], [1], [[2.0**600]])),
        ):
            with pytest.raises(CertificationError, match="does not fit into float64"):
                function(system)
    for function in (controllability_gramian, kernel_norms, h2_norm, hankel_singular_values):
        with pytest.raises(CertificationError, match="fit into float64"):
            function(DiagonalSystem([-1e-310, -2.0], [1, 1]))


def test_small_hankel_values_beyond_the_range_of_squares():
    """The second value is 1e-170 of the first: C and B each meet one of two states that hardly interact."""
    system = DiagonalSystem([-1.0, -2.0], [1, 1e-85], [[1, 1e-85]])
    exact = precise_hankel_values(system)
    found = hankel_singular_values(system)
    assert exact[1] < 1e-170
    assert (abs(found.values - exact) <= found.error).all()


# --- forms ---------------------------------------------------------------------------------------------------------------


def test_halves_and_low_rank_systems_are_completed():
    half = HalfSystem([-0.5 + 3j, -0.7], [1 + 1j, 2], [[1, 2]], multiplicity=[2, 1])
    full = conjugate_full(half)
    assert h2_norm(half).value == h2_norm(full).value
    assert np.linalg.norm(hankel_singular_values(half).values - hankel_singular_values(full).values) == 0
    assert isinstance(difference_system(half, full), DiagonalSystem)
    legs = normal_plus_low_rank(LegS(5)).to_system()
    found = kernel_norms(legs)  # the states of LegS: each has norm 1/sqrt 2
    assert (abs(found.value - math.sqrt(0.5)) <= found.error + 64 * 5 * EPS).all()


# --- Hankel singular values ----------------------------------------------------------------------------------------------

HILBERT = DiagonalSystem(-(1.0 + np.arange(10)), np.ones(10), np.ones((1, 10)))  # P = Q: values down to 2e-14
GRADED = DiagonalSystem(-(2.0 ** np.arange(9)), 10.0 ** -np.arange(9), [10.0 ** -(np.arange(9) * 5 % 9)])


@pytest.mark.parametrize(
    "system",
    [HILBERT, GRADED, *(random_system(seed, 8, K, discrete) for seed, K, discrete in
                        [(1, 1, False), (2, 1, True), (3, 3, False), (4, 2, True)])],
)  # fmt: skip
def test_small_hankel_values_of_diagonal_systems_are_relatively_accurate(system):
    """To 32 N eps; with B and C graded against each other over eight decades to 1000 N eps, which the error says."""
    exact = precise_hankel_values(system)
    found = hankel_singular_values(system)
    assert found.kind == "observed"
    assert (abs(found.values - exact) <= found.error).all()
    bound = (1000 if system is GRADED else 32) * system.N * EPS * exact
    assert (abs(found.values - exact) <= bound).all()
    assert not (abs(found.values * (1 + 1e-6) - exact) <= bound).any()
    assert (found.error <= 1e-6 * exact).all()
    dense = hankel_singular_values(to_dense(system))
    assert dense.kind == "bounded"
    assert (abs(dense.values - exact) <= dense.error).all()
    assert abs(dense.values[0] - exact[0]) <= 1e-12 * exact[0]


@pytest.mark.parametrize("seed", range(3))
@both_times
def test_the_estimated_error_of_hankel_values_holds_where_small_ones_lose_digits(seed, discrete):
    rng = np.random.default_rng(seed)
    values = -(10.0 ** (1.5 * rng.normal(size=9)))
    if discrete:
        values = np.exp(values + 1j * rng.normal(size=9))
    B, C = 10.0 ** (3 * rng.normal(size=9)), 10.0 ** (3 * rng.normal(size=(1, 9)))
    system = DiagonalSystem(values, B, C, discrete=discrete)
    found = hankel_singular_values(system)
    assert (abs(found.values - precise_hankel_values(system)) <= found.error).all()


def test_the_dense_method_knows_no_small_values():
    """Which is why the diagonal one does not form the Gramians; this system has values down to 1e-20 of the first."""
    exact = precise_hankel_values(GRADED)
    dense = hankel_singular_values(to_dense(GRADED))
    assert (dense.error[-3:] > 10 * exact[-3:]).all()


@both_times
def test_hankel_values_do_not_depend_on_coordinates(discrete):
    system = random_system(5, N=6, K=2, discrete=discrete)
    left, right = hankel_singular_values(change_of_basis(system, unitary(6))), hankel_singular_values(system)
    assert (abs(left.values - right.values) <= left.error + right.error).all()
    assert (abs(left.values - right.values)[:2] <= 1e-12 * right.values[0]).all()


def test_hankel_values_of_one_state_and_of_none_reached():
    found = hankel_singular_values(DiagonalSystem([-0.5 + 2j], [3j], [[2 - 2j]]))
    assert abs(found.values[0] - 3 * abs(2 - 2j)) <= 8 * EPS * found.values[0]
    discrete = hankel_singular_values(DiagonalSystem([0.6j], [1], [[1]], discrete=True))
    assert abs(discrete.values[0] - 1 / 0.64) <= 8 * EPS * 2
    assert (hankel_singular_values(DiagonalSystem([-1.0, -2.0], [0, 0])).values == 0).all()
    repeated = hankel_singular_values(DiagonalSystem([-1.0, -1.0], [1, 1], [[1, 1]]))
    assert abs(repeated.values - [1, 0]).max() <= 8 * EPS  # one state is reached, with B = C = sqrt 2


def test_hankel_values_with_the_state_as_output():
    """C = None is the identity."""
    system = DiagonalSystem([-1.0, -3.0, -0.2], [1, 2, 3])
    written = DiagonalSystem(system.Lambda, system.B, np.eye(3))
    assert (hankel_singular_values(system).values == hankel_singular_values(written).values).all()
    dense = hankel_singular_values(to_dense(system))
    assert (abs(dense.values - hankel_singular_values(system).values) <= dense.error + 1e-14).all()


# --- what is refused -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function", [controllability_gramian, observability_gramian, kernel_norms, h2_norm, hankel_singular_values]
)
def test_systems_that_have_no_norm(function):
    for system in (
        DiagonalSystem([-1.0, 0.0], [1, 1]),
        DiagonalSystem([-0.5 + 1j, 1j], [1, 1]),
        DenseSystem([[0.0, 1.0], [-1.0, 0.0]], [1, 1]),
        DiagonalPlusLowRankSystem([-1.0, 2.0], [[0], [1]], [1, 1]),
        DiagonalSystem([0.5, -1.0], [1, 1], discrete=True),
        DenseSystem(2 * np.eye(2), [1, 1], discrete=True),
    ):
        with pytest.raises(InputError, match=r"`system` must be stable, and has the eigenvalue .*; shift A, or"):
            function(system)
    with pytest.raises(InputError, match="holds balls"):
        function(DiagonalSystem(np.array([acb(-1)], dtype=object), [1]))


@both_times
@pytest.mark.parametrize("tiny", [1e-15, 1e-17])
def test_a_dense_system_next_to_instability_is_not_certified(discrete, tiny):
    """Without a warning, although SciPy perturbs the equation of the second to solve it."""
    tiny = max(tiny, 2.0**-53) if discrete else tiny
    diagonal = 1 - tiny if discrete else -tiny
    with pytest.raises(CertificationError, match="too close to singular"):
        controllability_gramian(DenseSystem([[diagonal, 1], [0, diagonal]], [1, 1], discrete=discrete))


def test_systems_that_do_not_fit():
    one, two = DiagonalSystem([-1.0], [1]), DiagonalSystem([-1.0, -2.0], [1, 1])
    with pytest.raises(InputError, match="`first` has 1 outputs and `second` 2; choose the same outputs"):
        h2_distance(one, two)
    with pytest.raises(InputError, match="both be continuous or both discrete"):
        h2_distance(one, DiagonalSystem([0.5], [1], discrete=True))
    with pytest.raises(InputError, match="holds NaN"):
        DiagonalSystem([math.nan], [1])


def test_rational_systems_that_do_not_fit():
    with pytest.raises(InputError, match="`A` must have the shape 2 x 2"):
        exact_gramian([[1]], [1, 1])
    with pytest.raises(InputError, match=r"`B` must have 1 dimension"):
        exact_gramian([[-1]], [[1]])
    with pytest.raises(InputError, match="different length"):
        exact_gramian([[-1]], [np.ones((2, 2)), np.ones((2, 3))])
    with pytest.raises(InputError, match="not a number"):
        exact_gramian([[math.nan]], [1])
    with pytest.raises(InputError, match="`C` must have the length 1"):
        exact_h2_squared([[-1]], [1], [1, 2])
    for A, discrete in (([[0]], False), ([[1, 1], [0, -1]], False), ([[1]], True)):
        with pytest.raises(InputError, match="Lyapunov equation is singular"):
            exact_gramian(A, [1] * len(A), discrete=discrete)
    with pytest.raises(InputError, match="more than 300; bring it to lower triangular form"):
        exact_gramian(np.triu(np.ones((25, 25))), np.ones(25))
