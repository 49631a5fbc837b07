"""Kernels as sums of exponentials, and their discretizations, against dense ball matrices: exp, solve, powers."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from flint import acb, arb, arb_mat, fmpq
from helpers import ALL_FAMILIES, family_id

from hippo_theory.arithmetic import balls, is_narrow
from hippo_theory.discretizations import METHODS, checked_step, discretize, discretize_dense, find_method
from hippo_theory.errors import InputError
from hippo_theory.families import FouT, LagT, LegS, LegT
from hippo_theory.kernels import ExponentialSum, diagonal_kernel, full_kernel

RING = balls(250)
TIMES = (Fraction(0), Fraction(1, 3), Fraction(27, 10))


def is_decomposable(family):
    """Whether A is normal minus low rank as the convention writes it, by its definition."""
    return (
        family.form.sign == 1
        and family.variant != "lmu"
        and family.convention != "glagt"
        and not getattr(family, "alpha", 0)
    )


decomposable = pytest.mark.parametrize("family", [f for f in ALL_FAMILIES if is_decomposable(f)], ids=family_id)


def agree(left, right, digits=40):
    """Both balls enclose the same number: they overlap, and both are narrow."""
    return bool(acb(left).overlaps(acb(right))) and is_narrow(left, digits) and is_narrow(right, digits)


def column(values):
    return arb_mat([[value] for value in values])


def restriction(family):
    """(S, B/2) as ball matrices."""
    return arb_mat(family.normal_part(RING).tolist()), column(family.input_vector(RING) / 2)


def full(family):
    """(A, B) as ball matrices."""
    return arb_mat(family.state_matrix(RING).tolist()), column(family.input_vector(RING))


# --- continuous time ---------------------------------------------------------------------------------------------------


@decomposable
def test_diagonal_kernels_agree_with_the_matrix_exponential(family):
    with RING.work():
        S, half_B = restriction(family)
        for time in TIMES:
            dense = (S * RING.number(time)).exp() * half_B
            for n in range(family.N):
                assert agree(diagonal_kernel(family, n, RING)(time), dense[n, 0])


@decomposable
def test_diagonal_kernels_agree_with_their_eigenvectors(family):
    """V e^(Lambda t) V* B / 2, all N columns and no conjugate halves."""
    with RING.work():
        V, spectrum = family.normal_eigenvectors(RING), family.normal_spectrum(RING)
        time, B = RING.number("0.9"), family.input_vector(RING)
        weights = [sum((V[k, m].conjugate() * B[k] for k in range(family.N)), acb(0)) / 2 for m in range(family.N)]
        for n in range(family.N):
            value = sum((V[n, m] * weights[m] * (spectrum[m] * time).exp() for m in range(family.N)), acb(0))
            assert agree(diagonal_kernel(family, n, RING)("0.9"), value)


@decomposable
def test_conjugate_pairs_are_stored_once(family):
    kernel = diagonal_kernel(family, 0, RING)
    assert len(kernel.real_rates) + 2 * len(kernel.rates) == family.N
    assert all(rate.imag > 0 for rate in kernel.rates)
    assert kernel.step is None
    assert kernel.bits == RING.bits


@pytest.mark.parametrize("N", [1, 2, 3, 8, 9, 20])
def test_full_kernels_of_legs(N):
    """Sums of exponentials with integer coefficients, against the matrix exponential and the Legendre polynomials."""
    legs = LegS(N)
    with RING.work():
        A, B = full(legs)
        for time in TIMES:
            dense = (A * RING.number(time)).exp() * B
            for n in range(N):
                value = full_kernel(legs, n, RING)(time)
                assert agree(value, dense[n, 0])
                assert agree(value, legs.kernel(n, time, RING))


def test_differences_of_kernels():
    legs = LegS(6)
    rough = balls(100)
    error = diagonal_kernel(legs, 4, RING) - full_kernel(legs, 4, rough)
    assert error.bits == RING.bits
    with RING.work():
        (S, half_B), (A, B) = restriction(legs), full(legs)
        t = RING.number("0.7")
        dense = ((S * t).exp() * half_B - (A * t).exp() * B)[4, 0]
        assert agree(error("0.7"), dense, 20)
    assert full_kernel(legs, 4, rough)(0).contains(arb(9).sqrt())
    reversed_error = full_kernel(legs, 4, rough) - diagonal_kernel(legs, 4, RING)
    assert all(c.rel_accuracy_bits() > 200 for c in reversed_error.coefficients)  # not rounded to 100 bits
    discrete = discretize(full_kernel(legs, 4, RING), "zoh", "0.1")
    with pytest.raises(InputError, match=r"steps None and 1/10 cannot be subtracted; discretize both alike"):
        error - discrete


@pytest.mark.parametrize("family", [LegT(4), LagT(3), FouT(3)], ids=family_id)
def test_only_the_poles_of_legs_are_known(family):
    with pytest.raises(InputError, match="is not a sum of exponentials in closed form; only that of legs is"):
        full_kernel(family, 0, RING)


def test_components_are_checked():
    for function in (diagonal_kernel, full_kernel):
        for component, message in ((4, "at most N-1 = 3, got 4"), (-1, "at least 0"), (0.0, "must be an integer")):
            with pytest.raises(InputError, match=message):
                function(LegS(4), component, RING)


def test_the_kernel_checks_can_fail():
    legs = LegS(8)
    with RING.work():
        S, half_B = restriction(legs)
        t = RING.number("0.7")
        dense = (S * t).exp() * half_B
        kernel = diagonal_kernel(legs, 5, RING)
        assert agree(kernel("0.7"), dense[5, 0])
        assert not agree(kernel("0.7"), dense[4, 0])
        assert not agree(kernel("0.7000007"), dense[5, 0])
        tiny = 1 + RING.number("1e-6")
        for changed in (
            spoiled(kernel, coefficients=kernel.coefficients * tiny),
            spoiled(kernel, rates=kernel.rates * tiny),
            spoiled(kernel, rates=np.roll(kernel.rates, 1)),
            spoiled(kernel, coefficients=-kernel.coefficients),
            spoiled(kernel, coefficients=np.array([c.conjugate() for c in kernel.coefficients], dtype=object)),
        ):
            assert not agree(changed("0.7"), dense[5, 0])


def spoiled(kernel, **changes):
    fields = ("real_coefficients", "real_rates", "coefficients", "rates", "bits", "step")
    return ExponentialSum(**{**{name: getattr(kernel, name) for name in fields}, **changes})


# --- discrete time -----------------------------------------------------------------------------------------------------


def discrete_matrices(A, B, method, dt):
    """Abar and Bbar/dt in balls: the block exponential (zoh), a solve (bilinear), the exponential (sampled)."""
    N = A.nrows()
    if method == "bilinear":
        identity = arb_mat(N, N, [arb(n == k) for n in range(N) for k in range(N)])
        left = identity - A * (dt / 2)
        return left.solve(identity + A * (dt / 2)), left.solve(B)
    if method == "sampled":
        return (A * dt).exp(), B
    # exp of dt [[A, B], [0, 0]] is [[e^(A dt), integral of e^(A s) B over 0..dt], [0, 1]].
    rows = [[*row, b] for row, (b,) in zip(A.table(), B.table(), strict=True)]
    block = (arb_mat([*rows, [arb(0)] * (N + 1)]) * dt).exp().table()
    return arb_mat([row[:N] for row in block[:N]]), column([row[N] / dt for row in block[:N]])


SYSTEMS = [
    LegS(1),
    LegS(5),
    LegS(8),
    LegT(5),
    LegT(4, convention="s4"),
    LagT(3),
    LagT(4, beta=1),
    FouT(5),
    FouT(6, convention="s4"),
]


def discrete_kernels(family, component):
    """Pairs of a kernel and the dense system that it is a component of."""
    yield diagonal_kernel(family, component, RING), restriction(family)
    if family.name == "legs":
        yield full_kernel(family, component, RING), full(family)


@pytest.mark.parametrize("step", ["0.1", "1/3", "2"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("family", SYSTEMS, ids=family_id)
def test_discrete_kernels_agree_with_dense_powers(family, method, step):
    """k_l = e_n^T Abar^l Bbar / dt. LegT of odd N and FouT have the eigenvalue 0, where (e^x - 1)/x is a limit."""
    with RING.work():
        for n in {0, family.N // 2, family.N - 1}:
            for kernel, (A, B) in discrete_kernels(family, n):
                Abar, state = discrete_matrices(A, B, method, RING.number(step))
                discrete = discretize(kernel, method, step)
                assert discrete.step == Fraction(step)
                for lag in range(19):
                    if lag in (0, 1, 2, 18):
                        assert agree(discrete(lag), state[n, 0])
                    state = Abar * state


@pytest.mark.parametrize("method", METHODS)
def test_the_discretization_check_can_fail(method):
    with RING.work():
        family = LegS(5)
        Abar, state = discrete_matrices(*restriction(family), method, RING.number("0.1"))
        kernel = diagonal_kernel(family, 3, RING)
        right = discretize(kernel, method, "0.1")
        assert agree(right(1), (Abar * state)[3, 0])
        assert not agree(right(2), (Abar * state)[3, 0])
        assert not agree(discretize(kernel, method, "0.1000001")(1), (Abar * state)[3, 0])
        for other in METHODS:
            if other != method:
                assert not agree(discretize(kernel, other, "0.1")(1), (Abar * state)[3, 0])
        # Without the division by the step.
        assert not agree(right(1) * RING.number("0.1"), (Abar * state)[3, 0])


@pytest.mark.parametrize("step", ["0.001", "0.1", "1"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("family", [LegS(8), LegT(9), LagT(8), FouT(9)], ids=family_id)
def test_dense_floats_agree_with_balls(family, method, step):
    """SciPy's solve and expm are backward stable: errors of c u N max(1, dt norm(A)) times the largest entry, c = 4.

    (Solve: c is a small multiple of the growth factor, which is about 1 here; expm: of the number of squarings.)
    """
    Abar, Bbar = discretize_dense(family.A, family.B, method, step)
    assert Abar.shape == (family.N, family.N)
    assert Bbar.shape == (family.N,)
    with RING.work():
        exact_A, exact_B = discrete_matrices(*full(family), method, RING.number(step))
        scale = 4 * 2.0**-53 * family.N * max(1.0, float(Fraction(step)) * np.linalg.norm(family.A, 2))
        for found, exact in ((Abar, exact_A), (Bbar[:, None], exact_B)):
            size = max(abs(float(x)) for x in exact.entries())
            for (n, k), value in np.ndenumerate(found):
                assert abs(exact[n, k] - float(value)) <= scale * size
        wrong = Abar[0, 0] + 1e-6
        assert not abs(exact_A[0, 0] - wrong) <= scale


def test_measured_orders_of_the_methods():
    """As x = lambda dt -> 0: the bilinear multiplier is e^x + O(x^3), the gains of zoh and bilinear are 1 + O(x)."""
    bilinear, zoh = find_method("bilinear"), find_method("zoh")
    with RING.work():
        points = [acb(-1, 3) * RING.number(Fraction(1, 2**halvings)) for halvings in (6, 7, 8)]
        for order, errors in [
            (3, [abs(bilinear.multiplier(x) - x.exp()) for x in points]),
            (1, [abs(bilinear.gain(x) - 1) for x in points]),
            (1, [abs(zoh.gain(x) - 1) for x in points]),
        ]:
            slopes = [math.log2(float(coarse / fine)) for coarse, fine in itertools.pairwise(errors)]
            assert all(abs(slope - order) < 0.1 for slope in slopes), (order, slopes)


def test_names_and_steps_are_checked():
    assert set(METHODS) == {"zoh", "bilinear", "sampled"}
    assert all(find_method(name).name == name for name in METHODS)
    with pytest.raises(InputError, match="unknown method 'euler'; choose one of zoh, bilinear, sampled"):
        discretize(full_kernel(LegS(2), 0, RING), "euler", 1)
    with pytest.raises(InputError, match="unknown method"):
        discretize_dense(np.eye(2), np.ones(2), "Zoh", 1)
    assert checked_step("0.1") == Fraction(1, 10) != checked_step(0.1)
    assert checked_step(fmpq(1, 3)) == Fraction(1, 3)
    for step in ("0", 0, "-0.1", -1.0):
        with pytest.raises(InputError, match="`step` must be positive"):
            checked_step(step)
    for step in ("abc", None, math.nan, math.inf):
        with pytest.raises(InputError, match="not a number"):
            checked_step(step)
    discrete = discretize(full_kernel(LegS(2), 0, RING), "zoh", 1)
    with pytest.raises(InputError, match="already discrete"):
        discretize(discrete, "zoh", 1)
    assert agree(discrete(np.int64(1)), discrete(1))
    for lag in (1.5, -1, "1"):
        with pytest.raises(InputError, match="`lag` must be"):
            discrete(lag)
