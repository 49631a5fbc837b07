"""Normal plus low rank, the diagonal restriction and their certificates, against dense solvers and exact integers.

``data/peer_initializations.npz`` holds what the code of others produced at N = 16 when run: state-spaces/s4 e757cef
(``nplr`` in float64 without clipping, ``dplr``), ag1988/dss 777084e (``hippo_skew_evals``), lindermanlab/S5 3c18fdb
(``make_DPLR_HiPPO``), state-spaces/mamba e9594ce (A_log). Eigenvectors there have arbitrary phases, so that only moduli
and products that do not depend on a phase are compared.
"""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
from flint import acb, acb_mat, arb, fmpz_mat
from helpers import ALL_FAMILIES, family_id

from hippo_theory.arithmetic import balls, mpmath_numbers
from hippo_theory.decompositions import (
    NormalPlusLowRank,
    Residual,
    diagonal_restriction,
    diagonalization_residual,
    diagonalizing_condition,
    diagonalizing_growth,
    diagonalizing_inverse,
    diagonalizing_matrix,
    full_system,
    largest_diagonalizing_entry,
    normal_plus_low_rank,
    reassembly_residual,
    rescaled_state_matrix,
    residual,
    unitarity_residual,
)
from hippo_theory.errors import InputError
from hippo_theory.families import Family, FouT, LagT, LegS, LegT, make_family
from hippo_theory.systems import transfer_function

EPS = float(np.finfo(np.float64).eps)
PEERS = np.load(Path(__file__).parent / "data" / "peer_initializations.npz")


def admits_decomposition(family: Family) -> bool:
    """Whether the convention's A is normal minus low rank."""
    return family.form.normal_plus_low_rank and not family.form.unit_mass and not getattr(family, "alpha", 0)


DECOMPOSED = [family for family in ALL_FAMILIES if admits_decomposition(family)]
OTHERS = [family for family in ALL_FAMILIES if not admits_decomposition(family)]
NAMED = pytest.mark.parametrize("family", DECOMPOSED, ids=family_id)
LARGE = [LegS(32), LegS(33), LegT(32), LegT(33), LagT(32), LagT(33), FouT(33), FouT(32, convention="s4")]
LARGE += [LagT(33, beta="1"), LegS(64), FouT(33, variant="fourier-decay")]


# --- float64 -----------------------------------------------------------------------------------------------------------


@NAMED
def test_float_parts_reassemble_the_matrix(family: Family) -> None:
    parts = normal_plus_low_rank(family)
    N, V = family.N, parts.V
    core = np.diag(parts.Lambda) - parts.P @ parts.P.conj().T
    scale = float(np.abs(parts.Lambda).max() + np.linalg.norm(parts.P) ** 2 + np.abs(family.A).max())
    # Products of rounded matrices, each entry of them nearest to the truth: c = 16 times N scale eps.
    assert np.abs(V @ core @ V.conj().T - family.A).max() <= 16 * N * scale * EPS
    assert np.abs(V.conj().T @ V - np.eye(N)).max() <= 8 * N * EPS
    assert np.abs(V @ parts.B - family.B).max() <= 8 * N * np.abs(family.B).max() * EPS
    if parts.rank:
        assert np.abs(V @ parts.P - family.P).max() <= 8 * N * np.abs(family.P).max() * EPS
    assert parts.rank == family.P.shape[1] <= 2


@NAMED
def test_float_parts_are_nearest_to_independent_balls(family: Family) -> None:
    parts = normal_plus_low_rank(family)
    exact = normal_plus_low_rank(family, balls(400))
    with balls(400).work():
        for name, ulps in (("V", 0.5), ("P", 0.5), ("Lambda", 2), ("B", 2)):
            values, enclosures = getattr(parts, name).ravel(), getattr(exact, name).ravel()
            for value, ball in zip(values, enclosures, strict=True):
                for number, part in ((value.real, ball.real), (value.imag, ball.imag)):
                    if number == 0:
                        assert part.contains(0)
                        continue
                    distance = abs(arb(float(number)) - part) / arb(math.ulp(number))
                    assert distance < arb(ulps) + arb("1e-9"), name


@NAMED
def test_order_and_phase_are_those_of_the_conventions(family: Family) -> None:
    parts = normal_plus_low_rank(family)
    keys = [(-value.imag, -value.real) for value in parts.Lambda]
    assert keys == sorted(keys)
    assert np.array_equal(np.sort_complex(parts.Lambda), np.sort_complex(parts.Lambda.conj()))
    assert (parts.B.imag == 0).all()
    assert (parts.B.real >= 0).all()
    for column in np.flatnonzero(parts.B == 0):
        first = parts.V[np.flatnonzero(parts.V[:, column])[0], column]
        assert first.real > 0
        assert first.imag == 0
    for array in (parts.Lambda, parts.P, parts.B, parts.V):
        assert array.dtype == np.complex128
        assert not array.flags.writeable


@NAMED
def test_spectrum_agrees_with_a_dense_solver(family: Family) -> None:
    restriction = diagonal_restriction(family)
    S = restriction.to_dense().A
    # S - c I is skew: LAPACK's Hermitian solver is backward stable, error c N norm(S) eps with c = 8.
    real = float(family.normal_real_part)
    computed = np.linalg.eigvalsh(-1j * (S - real * np.eye(family.N)))[::-1]
    assert np.abs(computed - restriction.Lambda.imag).max() <= 8 * family.N * max(np.abs(S).max(), EPS) * EPS
    assert (restriction.Lambda.real == real).all()


@pytest.mark.parametrize("family", [LegS(8), LegS(9), LegT(7), LegT(8), LagT(9), FouT(7)], ids=family_id)
def test_spectrum_agrees_with_a_certified_eigensolver(family: Family) -> None:
    arithmetic = balls(256)
    expected = family.normal_spectrum(arithmetic)
    with arithmetic.work():
        found = acb_mat(family.normal_part(arithmetic).tolist()).eig()
        found = sorted(found, key=lambda value: -float(value.imag.mid()))
        for value, enclosure in zip(found, expected, strict=True):
            assert value.overlaps(enclosure)
            assert value.rad() < arb("1e-50")


@pytest.mark.parametrize("name", ["legs", "legt", "lagt"])
def test_agrees_with_the_decomposition_of_another_codebase(name: str) -> None:
    # It stores the conjugates, most negative imaginary part first: our first N/2, conjugated. Its solver works in
    # float64: errors of c N norm(S) eps, c = 8, in the eigenvalues and, divided by the least gap, in the vectors.
    family = make_family(name, 16, convention="s4")
    parts = normal_plus_low_rank(family)
    W, P, B = (PEERS[f"s4_nplr_{name}_{part}"] for part in "WPB")
    Lambda = parts.Lambda[:8]
    error = 8 * 16 * float(np.abs(Lambda).max()) * EPS
    assert np.abs(W.conj() - Lambda).max() <= error
    vector_error = error / float(np.diff(-Lambda.imag).min()) * float(np.linalg.norm(parts.B))
    assert np.abs(np.abs(B) - parts.B[:8].real).max() <= vector_error
    # P_i conj(B_i) does not depend on the phase. Its two columns for LegT are ours in the other order: odd, even.
    ours = (parts.P[:8] * parts.B[:8, None].conj()).T
    assert np.abs((P[::-1] * B.conj()).conj() - ours).max() <= 4 * vector_error * float(np.linalg.norm(parts.B))


def test_large_and_repeated_requests_share_their_arrays() -> None:
    assert normal_plus_low_rank(LegS(8)) is normal_plus_low_rank(LegS(8))


# --- certificates ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", LARGE, ids=family_id)
def test_certified_residuals(family: Family) -> None:
    arithmetic = balls(256)
    parts = normal_plus_low_rank(family, arithmetic)
    for certificate in (residual(parts, arithmetic), unitarity_residual(parts, arithmetic)):
        assert certificate.contains_zero
        assert certificate.radius < Fraction(1, 10**40)
        assert certificate.magnitude < Fraction(1, 10**40)


@NAMED
def test_reassembly_contains_zero(family: Family) -> None:
    certificate = reassembly_residual(family, balls(128))
    assert certificate.contains_zero
    assert certificate.magnitude < Fraction(1, 10**30)


@pytest.mark.parametrize("family", [LegS(64), LegT(33), LagT(33), FouT(33)], ids=family_id)
def test_backward_error_of_the_float_decomposition(family: Family) -> None:
    # The true residual of the rounded numbers, enclosed: at most scale x eps (c = 1; measured 0.03 to 0.41).
    parts = normal_plus_low_rank(family)
    scale = float(np.abs(parts.Lambda).max() + np.linalg.norm(parts.P) ** 2)
    certificate = residual(parts, balls(200))
    assert not certificate.contains_zero
    assert EPS / 2**10 < float(certificate.magnitude) <= scale * EPS
    assert float(unitarity_residual(parts, balls(200)).magnitude) <= EPS


def _nudged(array: Any, index: Any, relative: str) -> Any:
    changed = array.copy()
    changed[index] = changed[index] * (1 + arb(relative))
    return changed


@pytest.mark.parametrize("relative", ["1e-6", "1e-40"])
@pytest.mark.parametrize("part", ["Lambda", "P", "V"])
@pytest.mark.parametrize("family", [LegS(8), LegT(9), LagT(8), FouT(9)], ids=family_id)
def test_a_corruption_is_refuted(family: Family, part: str, relative: str) -> None:
    arithmetic = balls(256)
    parts = normal_plus_low_rank(family, arithmetic)
    with arithmetic.work():
        array = getattr(parts, part)
        index = next(index for index in np.ndindex(array.shape) if array[index] != 0)
        wrong = dataclasses.replace(parts, **{part: _nudged(array, index, relative)})
    assert not residual(wrong, arithmetic).contains_zero
    if part == "V":
        assert not unitarity_residual(wrong, arithmetic).contains_zero


@pytest.mark.parametrize("family", [LegS(5), LegT(5), LagT(5), FouT(5)], ids=family_id)
def test_wrong_signs_and_orders_are_refuted(family: Family) -> None:
    arithmetic = balls(128)
    parts = normal_plus_low_rank(family, arithmetic)
    with arithmetic.work():
        reversed_order = dataclasses.replace(parts, Lambda=parts.Lambda[::-1])
        no_low_rank = dataclasses.replace(parts, P=parts.P[:, :0])
        plus = dataclasses.replace(parts, P=parts.P * acb(0, 1))  # i P (i P)* = P P*: a phase, which must not matter
        conjugated = dataclasses.replace(parts, V=np.array([[x.conjugate() for x in row] for row in parts.V]))
    assert not residual(reversed_order, arithmetic).contains_zero
    assert not residual(no_low_rank, arithmetic).contains_zero
    assert residual(plus, arithmetic).contains_zero
    assert not residual(conjugated, arithmetic).contains_zero


def test_other_arithmetics_are_refused() -> None:
    for call in (normal_plus_low_rank, reassembly_residual):
        with pytest.raises(InputError, match="balls"):
            call(LegS(3), mpmath_numbers(30))


def test_residual_reports_what_it_holds() -> None:
    with balls(100).work():
        matrix = np.array([[acb(0, arb(0, 2.0**-20)), acb(arb(3, 2.0**-30))]], dtype=object)
    certificate = Residual(matrix)
    assert not certificate.contains_zero
    assert 2**-20 <= certificate.radius <= 2**-20 * (1 + 2**-20)
    assert Fraction(3) <= certificate.magnitude < Fraction(4)


@pytest.mark.parametrize("family", OTHERS, ids=family_id)
def test_other_conventions_are_refused(family: Family) -> None:
    for call in (normal_plus_low_rank, diagonal_restriction):
        with pytest.raises(InputError):
            call(family)
    if family.form.sign == -1:
        with pytest.raises(InputError, match="default"):
            full_system(family)
    else:
        assert full_system(family).to_system().N == family.N


# --- the full system and its diagonal restriction ----------------------------------------------------------------------


def test_nothing_is_computed_until_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def computed(*arguments: Any) -> Any:
        raise AssertionError("computed")

    for name in ("_state_matrix", "_input_vector", "_low_rank", "_frequencies", "_frequencies_float", "_eigenvector"):
        monkeypatch.setattr(LegS, name, computed)
    full, restriction = full_system(LegS(10**6)), diagonal_restriction(LegS(10**6))
    assert (full.N, restriction.N, restriction.stored) == (10**6, 10**6, 500_000)
    assert full == full_system(LegS(10**6))
    assert hash(restriction) == hash(diagonal_restriction(LegS(10**6)))
    with pytest.raises(AssertionError, match="computed"):
        _ = restriction.Lambda
    with pytest.raises(AssertionError, match="computed"):
        _ = full.B


def test_diagonal_restriction_in_linear_time() -> None:
    restriction = diagonal_restriction(LegS(50_001))
    assert restriction.Lambda.shape == restriction.B.shape == (50_001,)
    assert restriction.Lambda[25_000] == -0.5
    # core.diag.asym: w_0 = N^2/pi - pi/6 + 0.6063/N^2.
    leading = float(mpmath.mpf(50_001) ** 2 / mpmath.pi - mpmath.pi / 6)
    assert abs(restriction.Lambda[0].imag - leading) <= 4 * leading * EPS


@NAMED
def test_restriction_starts_at_half_of_B(family: Family) -> None:
    # K_n(0) = B_n/2 in every family.
    system = diagonal_restriction(family).to_system()
    assert np.abs(system.C @ system.B - family.B / 2).max() <= 8 * family.N * np.abs(family.B).max() * EPS


@pytest.mark.parametrize("N", [1, 2, 7, 16])
def test_restriction_of_legs_is_the_full_system_over_one_plus_q(N: int) -> None:
    # (s - S)^-1 B/2 = X(s)/(1 + q(s)), q = prod (s-k)/(s+k+1): closed forms on the right, eigenpairs on the left.
    system = diagonal_restriction(LegS(N)).to_system()
    for s in (0.5, 0.25 + 1j, 2j, 3.0):
        q = math.prod((s - k) / (s + k + 1) for k in range(N))
        X = np.array([complex(LegS(N).transfer_function(n, s, balls(128))) for n in range(N)])
        scale = float(np.abs(system.B).sum() / (np.real(s) + 0.5))  # sum of the moduli that are added
        assert np.abs(transfer_function(system, s) - X / (1 + q)).max() <= 8 * scale * EPS
        # And the factor 1/2 is seen: with B in place of B/2 the two differ.
        assert np.abs(2 * transfer_function(system, s) - X / (1 + q)).max() > 1e3 * scale * EPS


# --- diagonalizing A itself --------------------------------------------------------------------------------------------


def fibonacci(n: int) -> int:
    return int(flint.fmpz.fib_ui(n))


@pytest.mark.parametrize("N", [1, 2, 3, 17, 64])
def test_the_integer_matrix_diagonalizes(N: int) -> None:
    assert not diagonalization_residual(N).any()
    V, inverse, H = diagonalizing_matrix(N), diagonalizing_inverse(N), rescaled_state_matrix(N)
    exact = fmpz_mat(V.tolist())
    assert exact.inv(integer=True) == fmpz_mat(inverse.tolist())
    assert (
        exact * fmpz_mat(N, N, [(i + 1) * (i == j) for i in range(N) for j in range(N)]) == fmpz_mat(H.tolist()) * exact
    )
    assert [int(row.sum()) for row in V] == [fibonacci(2 * i + 1) for i in range(N)]
    assert largest_diagonalizing_entry(N) == max(V.ravel())


def test_the_rescaled_matrix_is_legs() -> None:
    # H = -T^-1 A T, T = diag((-1)^n R_n), exactly.
    from hippo_theory.arithmetic import exact

    A = LegS(7).state_matrix(exact())
    R = LegS(7).input_vector(exact()) * np.array([1, -1, 1, -1, 1, -1, 1], dtype=object)
    assert (-A * R[None, :] / R[:, None] == rescaled_state_matrix(7)).all()


def test_a_wrong_entry_is_seen() -> None:
    V, H = diagonalizing_matrix(9), rescaled_state_matrix(9)
    V[8, 3] += 1
    assert (V * np.arange(1, 10).astype(object) != H @ V).any()


def test_largest_entry_grows_like_the_golden_ratio() -> None:
    ratios = []
    for N in (64, 256, 1024, 4096):
        with balls(64).work():
            ratios.append(float(arb(largest_diagonalizing_entry(N)) / diagonalizing_growth(N, balls(64))) - 1)
    # Relative error O(1/N), with a constant below 1/2; and 2^(4N/3), as the growth is often quoted, is far below.
    assert all(abs(ratio) * N < 0.5 for ratio, N in zip(ratios, (64, 256, 1024, 4096), strict=True))
    assert largest_diagonalizing_entry(4096) > 2 ** (4 * 4096 // 3 + 200)
    assert round(math.log2(largest_diagonalizing_entry(4096)), 4) == 5679.2902


@pytest.mark.parametrize("N", [1, 2, 5, 8])
def test_condition_numbers_agree_with_a_dense_inverse(N: int) -> None:
    arithmetic = balls(100)
    V = diagonalizing_matrix(N).astype(np.float64)
    R = np.sqrt(2 * np.arange(N) + 1) * (-1.0) ** np.arange(N)
    W = np.linalg.inv(V)
    # np.linalg.inv loses about cond(V) eps, with c = 16.
    tolerance = 16 * N * np.linalg.cond(V) * EPS
    infinity = float(diagonalizing_condition(N, arithmetic, norm="infinity"))
    frobenius = float(diagonalizing_condition(N, arithmetic, norm="frobenius"))
    best = float(diagonalizing_condition(N, arithmetic))
    assert abs(infinity - np.linalg.cond(V, np.inf)) <= tolerance * infinity
    assert abs(frobenius - np.linalg.cond(V, "fro")) <= tolerance * frobenius
    eigenvectors = R[:, None] * V
    lengths = np.linalg.norm(eigenvectors, axis=0), np.linalg.norm(W / R[None, :], axis=1)
    balanced = eigenvectors * np.sqrt(lengths[1] / lengths[0])
    assert abs(best - np.linalg.cond(balanced, "fro")) <= tolerance * best
    # No other scaling of the columns does better.
    rng = np.random.default_rng(N)
    for _ in range(20):
        scaled = balanced * np.exp(rng.standard_normal(N))
        assert np.linalg.cond(scaled, "fro") >= best * (1 - tolerance)


def test_condition_of_the_diagonalization_grows_exponentially() -> None:
    values = [diagonalizing_condition(N, balls(64)) for N in (8, 16, 24, 32)]
    assert [f"{float(value):.6e}" for value in values] == [
        "5.971200e+04",
        "5.428269e+10",
        "5.838324e+16",
        "6.697552e+22",
    ]
    assert all(value.rel_accuracy_bits() > 40 for value in values)
    with pytest.raises(InputError, match="`norm`"):
        diagonalizing_condition(4, balls(64), norm="two")


def test_to_system_is_in_the_original_coordinates() -> None:
    parts = normal_plus_low_rank(LegT(6))
    assert isinstance(parts, NormalPlusLowRank)
    values = transfer_function(parts.to_system(), 1 + 1j)
    expected = np.linalg.solve((1 + 1j) * np.eye(6) - LegT(6).A, LegT(6).B)
    assert np.abs(values - expected).max() <= 16 * 6 * np.linalg.cond((1 + 1j) * np.eye(6) - LegT(6).A) * EPS
