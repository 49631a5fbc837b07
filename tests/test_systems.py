"""Systems: every operation against a second route, on all families and on random systems.

Tolerances are c x scale x eps; scale contains the condition number of the linear system that is solved, because a
backward stable solver promises no more.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import scipy.linalg
from helpers import ALL_FAMILIES, family_id
from hypothesis import given, settings
from hypothesis import strategies as st

from hippo_theory.arithmetic import balls
from hippo_theory.decompositions import diagonal_restriction, normal_plus_low_rank
from hippo_theory.errors import InputError
from hippo_theory.families import Family, LegS
from hippo_theory.systems import (
    DenseSystem,
    DiagonalPlusLowRankSystem,
    DiagonalSystem,
    HalfSystem,
    change_of_basis,
    conjugate_full,
    conjugate_half,
    real_form,
    to_dense,
    transfer_function,
)

EPS = float(np.finfo(np.float64).eps)
POINTS = np.array([0.3 + 1j, 2j, -0.2 + 5j, 1.0, 7.0 - 0.5j])


def admits_decomposition(family: Family) -> bool:
    """Whether the convention's A is normal minus low rank."""
    try:
        diagonal_restriction(family)
    except InputError:
        return False
    return True


STABLE = [family for family in ALL_FAMILIES if family.form.sign == 1]
DECOMPOSED = [family for family in STABLE if admits_decomposition(family)]
NAMED = pytest.mark.parametrize("family", DECOMPOSED, ids=family_id)


def solve_tolerance(A: Any, s: complex, x: Any, c: float = 16) -> float:
    """The tolerance c N x cond(s I - A) x norm(x) x eps."""
    N = len(A)
    return float(c * N * EPS * np.linalg.cond(s * np.eye(N) - A) * np.linalg.norm(x))


def random_system(seed: int, N: int, rank: int) -> DiagonalPlusLowRankSystem:
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> Any:
        return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)

    Lambda = -rng.random(N) - 0.1 + 3j * rng.standard_normal(N)
    return DiagonalPlusLowRankSystem(Lambda, draw(N, rank), draw(N), draw(2, N), draw(N, rank))


# --- construction ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: DenseSystem(np.eye(3), np.ones(2)), "`A`"),
        (lambda: DenseSystem(np.eye(2), np.ones((2, 1))), "`B`"),
        (lambda: DenseSystem(np.eye(2), np.ones(2), np.ones(2)), "`C`"),
        (lambda: DenseSystem(np.array([[np.nan]]), [1]), "finite"),
        (lambda: DenseSystem([["a"]], [1]), "dtype"),
        (lambda: DiagonalSystem(np.ones(2), np.ones(3)), "`B`"),
        (lambda: DiagonalPlusLowRankSystem(np.ones(2), np.ones(2), np.ones(2)), "`P`"),
        (lambda: DiagonalPlusLowRankSystem(np.ones(2), np.ones((2, 1)), np.ones(2), Q=np.ones((2, 2))), "`Q`"),
        (lambda: HalfSystem([1j], [1], multiplicity=[1]), "multiplicity 1"),
        (lambda: HalfSystem([-1.0], [1j], multiplicity=[1]), "`B` is not real"),
        (lambda: HalfSystem([1j], [1], multiplicity=[3]), "`multiplicity`"),
        (lambda: HalfSystem([1j], [1], multiplicity=[2], Q=[[1]]), "`Q`"),
    ],
    ids=itertools.count(),
)
def test_what_does_not_fit_is_refused(make: Any, word: str) -> None:
    with pytest.raises(InputError, match=word):
        make()


def test_arrays_are_copied_and_read_only() -> None:
    A = np.eye(2)
    system = DenseSystem(A, [1, 2])
    A[0, 0] = 9
    assert system.A[0, 0] == 1
    assert system.B.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        system.A[0, 0] = 2


def test_Q_is_P_unless_given() -> None:
    system = DiagonalPlusLowRankSystem([-1, -2], [[1], [2j]], [1, 1])
    assert system.Q is system.P
    assert system.rank == 1


# --- transfer functions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", STABLE, ids=family_id)
def test_dense_and_low_rank_agree_with_the_closed_form(family: Family) -> None:
    states = [transfer_function(DenseSystem(family.A, family.B), POINTS)]
    if family in DECOMPOSED:
        states.append(transfer_function(normal_plus_low_rank(family).to_system(), POINTS))
    for index, s in enumerate(POINTS):
        with balls(160).work():
            closed = [complex(family.transfer_function(n, complex(s), balls(160))) for n in range(family.N)]
        # Both also carry the rounding of the matrix, which is of the size of the solver's own backward error.
        for values in states:
            assert np.abs(values[index] - closed).max() <= solve_tolerance(family.A, s, closed)


@NAMED
def test_diagonal_agrees_with_the_dense_normal_part(family: Family) -> None:
    restriction = diagonal_restriction(family)
    dense = restriction.to_dense()
    values = transfer_function(restriction.to_system(), POINTS)
    expected = transfer_function(dense, POINTS)
    for index, s in enumerate(POINTS):
        assert np.abs(values[index] - expected[index]).max() <= solve_tolerance(dense.A, s, expected[index])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(0, 4), st.booleans())
def test_woodbury_is_the_dense_solution(seed: int, N: int, rank: int, at_eigenvalue: bool) -> None:
    system = random_system(seed, N, rank)
    s = complex(system.Lambda[0]) if at_eigenvalue and rank else 0.5 + 0.5j
    A = np.diag(system.Lambda) - system.P @ system.Q.conj().T
    assert np.abs(to_dense(system).A - A).max() == 0
    x = np.linalg.solve(s * np.eye(N) - A, system.B)
    value = transfer_function(system, s)
    assert value.shape == (2,)
    assert np.abs(value - system.C @ x).max() <= solve_tolerance(A, s, x) * np.linalg.norm(system.C)


def test_plain_woodbury_would_fail_near_an_eigenvalue() -> None:
    # Shows that the test above can fail: the textbook formula loses half of the digits here, ours does not.
    system = random_system(5, 8, 1)
    s = complex(system.Lambda[0]) + 1e-9
    inverse = 1 / (s - system.Lambda)
    P, Q = system.P[:, 0], system.Q[:, 0].conj()
    plain = system.C @ (inverse * (system.B - P * (Q @ (inverse * system.B)) / (1 + Q @ (inverse * P))))
    A = to_dense(system).A
    x = np.linalg.solve(s * np.eye(8) - A, system.B)
    tolerance = solve_tolerance(A, s, x) * np.linalg.norm(system.C)
    assert np.abs(transfer_function(system, s) - system.C @ x).max() <= tolerance
    assert np.abs(plain - system.C @ x).max() > 100 * tolerance


def test_rank_two_at_a_double_eigenvalue() -> None:
    # Two equal eigenvalues, s between: both must be kept out of the formula.
    system = DiagonalPlusLowRankSystem([1j, 1j, -2], [[1, 0], [0, 1], [1, 1]], [1, 2, 3])
    A = to_dense(system).A
    x = np.linalg.solve(1j * np.eye(3) - A, system.B)
    assert np.abs(transfer_function(system, 1j) - x).max() <= solve_tolerance(A, 1j, x)


def test_shape_follows_the_points() -> None:
    system = random_system(1, 4, 1)
    assert transfer_function(system, 1.0).shape == (2,)
    assert transfer_function(system, np.ones((3, 5))).shape == (3, 5, 2)
    assert transfer_function(DiagonalSystem([-1, -2], [1, 1]), np.ones(3)).shape == (3, 2)
    assert transfer_function(system, np.zeros(0)).shape == (0, 2)


@pytest.mark.parametrize(
    "system",
    [
        DenseSystem([[-1.0]], [1]),
        DiagonalSystem([-1, -2], [1, 1]),
        DiagonalPlusLowRankSystem([-1, -1, -1], np.ones((3, 1)), np.ones(3)),
    ],
)
def test_poles_are_refused(system: Any) -> None:
    with pytest.raises(InputError, match="pole"):
        transfer_function(system, -1)


@NAMED
def test_change_of_basis_keeps_the_map(family: Family) -> None:
    rng = np.random.default_rng(family.N)
    V = np.linalg.qr(rng.standard_normal((family.N, family.N)))[0] * np.linspace(1, 2, family.N)
    dense = DenseSystem(family.A, family.B)
    changed = change_of_basis(dense, V)
    before, after = transfer_function(dense, POINTS), transfer_function(changed, POINTS)
    for index, s in enumerate(POINTS):
        assert np.abs(before[index] - after[index]).max() <= solve_tolerance(family.A, s, before[index], c=64)


def test_change_of_basis_by_eigenvectors_diagonalizes() -> None:
    legs = LegS(6)
    parts = normal_plus_low_rank(legs)
    changed = change_of_basis(diagonal_restriction(legs).to_dense(), parts.V)
    scale = np.abs(parts.Lambda).max()
    assert np.abs(changed.A - np.diag(parts.Lambda)).max() <= 16 * 6 * scale * EPS
    assert np.abs(changed.B - parts.B / 2).max() <= 16 * 6 * np.abs(parts.B).max() * EPS
    with pytest.raises(InputError, match="singular"):
        change_of_basis(changed, np.zeros((6, 6)))


# --- conjugate halves --------------------------------------------------------------------------------------------------


def kernel(half: HalfSystem, time: float) -> Any:
    """Re sum m C B e^(Lambda t) for each output."""
    return (half.C @ (half.multiplicity * half.B * np.exp(half.Lambda * time))).real


@NAMED
def test_half_and_full_are_inverse(family: Family) -> None:
    for full in (diagonal_restriction(family).to_system(), normal_plus_low_rank(family).to_system()):
        half = conjugate_half(full)
        assert half.N == family.N
        assert (half.multiplicity == 1).sum() == np.count_nonzero(full.Lambda.imag == 0)
        again = conjugate_full(half)
        for name in ("Lambda", "B", "C") if isinstance(full, DiagonalSystem) else ("Lambda", "B", "C", "P", "Q"):
            assert np.array_equal(getattr(full, name), getattr(again, name)), name


@NAMED
def test_half_sums_to_the_kernel(family: Family) -> None:
    restriction = diagonal_restriction(family)
    half = conjugate_half(restriction.to_system())
    dense = restriction.to_dense()
    for time in (0.0, 0.37, 2.0):
        expected = scipy.linalg.expm(dense.A * time) @ dense.B
        # expm of a normal matrix: error of a small multiple of N norm(A t) eps.
        scale = max(1.0, float(np.abs(restriction.Lambda).max()) * time) * float(np.linalg.norm(dense.B))
        assert np.abs(kernel(half, time) - expected).max() <= 32 * family.N * scale * EPS


@pytest.mark.parametrize("N", [4, 7, 16, 33])
def test_eigenvectors_of_a_dense_solver_have_a_half(N: int) -> None:
    # LAPACK gives conjugate pairs up to rounding, in its own order and with its own phases.
    S = diagonal_restriction(LegS(N)).to_dense()
    values, vectors = np.linalg.eig(S.A)
    half = conjugate_half(DiagonalSystem(values, np.linalg.solve(vectors, S.B), vectors))
    assert half.N == N
    assert half.stored == (N + 1) // 2


def test_repeated_eigenvalues_are_matched_by_their_vectors() -> None:
    B = np.array([1 + 1j, 2 - 1j, 2 + 1j, 1 - 1j, 3, 1j, -1j])
    Lambda = np.array([1j, 1j, -1j, -1j, -1, -1, -1]) - 1
    half = conjugate_half(DiagonalSystem(Lambda, B))
    assert list(half.multiplicity) == [2, 2, 1, 2]
    assert list(half.B) == [1 + 1j, 2 - 1j, 3, 1j]
    full = conjugate_full(half)
    assert sorted(full.B, key=lambda z: (z.real, z.imag)) == sorted(B, key=lambda z: (z.real, z.imag))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.integers(0, 5), st.integers(0, 2))
def test_shuffled_real_systems_have_a_half(seed: int, pairs: int, singles: int, rank: int) -> None:
    rng = np.random.default_rng(seed)
    count = pairs + singles

    def draw(*shape: int) -> Any:
        values = rng.standard_normal((count, *shape)) + 1j * rng.standard_normal((count, *shape))
        values[pairs:] = values[pairs:].real
        return values

    half = HalfSystem(
        draw(), draw(), draw(3).T, multiplicity=np.repeat([2, 1], [pairs, singles]), P=draw(rank), Q=draw(rank)
    )
    full = conjugate_full(half)
    order = rng.permutation(full.N)
    shuffled = DiagonalPlusLowRankSystem(
        full.Lambda[order], full.P[order], full.B[order], full.C[:, order], full.Q[order]
    )
    found = conjugate_half(shuffled)
    assert found.N == full.N
    assert found.stored == count
    again = conjugate_full(found)
    assert np.array_equal(again.Lambda, full.Lambda)
    assert np.array_equal(again.C, full.C)
    real = real_form(found)
    s = 4 + 1j
    if full.N:
        dense = to_dense(full)
        x = np.linalg.solve(s * np.eye(full.N) - dense.A, dense.B)
        tolerance = solve_tolerance(dense.A, s, x) * (1 + np.linalg.norm(full.C))
        assert np.abs(transfer_function(real, s) - dense.C @ x).max() <= tolerance
        assert np.abs(transfer_function(found, s) - dense.C @ x).max() <= tolerance


@pytest.mark.parametrize("relative", [1e-6, 1e-12])
def test_an_asymmetry_is_seen(relative: float) -> None:
    # Shows that the check can fail, far below the size of anything that rounding explains.
    full = diagonal_restriction(LegS(8)).to_system()
    Lambda = full.Lambda.copy()
    Lambda[0] += abs(Lambda[0]) * relative
    with pytest.raises(InputError, match="conjugate partner"):
        conjugate_half(DiagonalSystem(Lambda, full.B, full.C))
    B = full.B.astype(complex)
    B[2] *= 1 + 1j * relative * np.abs(B).max() / abs(B[2])
    with pytest.raises(InputError, match="conjugate partner"):
        conjugate_half(DiagonalSystem(full.Lambda, B, full.C))


def test_balls_are_carried_along() -> None:
    parts = normal_plus_low_rank(LegS(5), balls(200))
    system = parts.to_system()
    half = conjugate_half(system)
    assert half.N == 5
    assert half.Lambda[0] is system.Lambda[0]
    full = conjugate_full(half)
    assert full.Lambda[4].overlaps(system.Lambda[4])
    with pytest.raises(InputError, match="balls"):
        transfer_function(system, 1)


@NAMED
def test_real_form_is_the_same_system(family: Family) -> None:
    for full in (diagonal_restriction(family).to_system(), normal_plus_low_rank(family).to_system()):
        real = real_form(conjugate_half(full))
        assert real.A.dtype == real.B.dtype == real.C.dtype == np.float64
        values, expected = transfer_function(real, POINTS), transfer_function(full, POINTS)
        A = to_dense(full).A
        for index, s in enumerate(POINTS):
            assert np.abs(values[index] - expected[index]).max() <= solve_tolerance(A, s, expected[index])


def test_full_order_is_by_imaginary_then_real_part() -> None:
    half = HalfSystem([-3, -1, -2 + 1j, -1 + 1j, -2], np.ones(5), multiplicity=[1, 1, 2, 2, 1])
    assert list(conjugate_full(half).Lambda) == [-1 + 1j, -2 + 1j, -1, -2, -3, -1 - 1j, -2 - 1j]


def test_no_negative_zeros() -> None:
    full = conjugate_full(HalfSystem([-0.5 + 0j], [1], multiplicity=[2]))
    assert not np.signbit(full.Lambda.imag).any()


def test_discrete_is_kept() -> None:
    half = HalfSystem([0.5 + 0.5j], [1], [[1]], multiplicity=[2], discrete=True)
    assert conjugate_full(half).discrete
    assert real_form(half).discrete
    assert conjugate_half(conjugate_full(half)).discrete
    assert change_of_basis(conjugate_full(half), np.eye(2)).discrete
