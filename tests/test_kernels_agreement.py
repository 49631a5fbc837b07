"""Every float algorithm for a kernel against certified balls of the same parameters, and so against each other."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import acb, acb_mat, arb

from hippo_theory.arithmetic import balls
from hippo_theory.decompositions import normal_plus_low_rank
from hippo_theory.discretizations import discretize
from hippo_theory.errors import InputError
from hippo_theory.families import FouT, LagT, LegS, LegT
from hippo_theory.initializations import s4d_inv, s4d_legs, s4d_lin, s4d_real
from hippo_theory.kernels import (
    ExponentialSum,
    bilinear_low_rank,
    cauchy_sums,
    cosine_kernel,
    dss_exponential_kernel,
    dss_softmax_input,
    dss_softmax_kernel,
    exponential_kernel,
    krylov_kernel,
    low_rank_recurrence,
    recurrence_kernel,
    restored_output,
    root_sums,
    s4_kernel,
    s4d_kernel,
    truncated_output,
    vandermonde_kernel,
)
from hippo_theory.kernels.arrays import checked_arrays
from hippo_theory.kernels.vandermonde import bilinear_logarithm

RING = balls(160)
SIZES = (1, 2, 3, 16, 63, 64, 128)
LENGTHS = (1, 2, 3, 63, 64, 1000, 1001)
LAGS = (0, 1, 2, 31, 62, 63, 500, 999, 1000)
STEPS = (2.0**-13, 2.0**-7, 1.0)  # exact in float32 too
STARTS = {"legs": s4d_legs, "inv": s4d_inv, "lin": s4d_lin, "real": s4d_real}


def ball(value):
    return acb(complex(value).real, complex(value).imag)


def certified(rates, coefficients, multiplicity, method, dt):
    """The kernel of the float parameters, certified, at LAGS, as floats."""
    with RING.work():
        pairs = [n for n, count in enumerate(multiplicity) if count == 2]
        singles = [n for n, count in enumerate(multiplicity) if count == 1]
        kernel = ExponentialSum(
            np.array([arb(coefficients[n].real) for n in singles], dtype=object),
            np.array([arb(rates[n].real) for n in singles], dtype=object),
            np.array([ball(coefficients[n]) for n in pairs], dtype=object),
            np.array([ball(rates[n]) for n in pairs], dtype=object),
            RING.bits,
        )
        discrete = discretize(kernel, method, Fraction(dt))
        return np.array([float((discrete(lag) * arb(dt)).mid()) for lag in LAGS])


def parameters(name, N, dtype):
    """Rates, inputs, outputs and multiplicities of a start, in a dtype, and C B in exact enough numbers."""
    start = STARTS[name](N)
    rates, B = start.Lambda.astype(dtype), start.B.astype(dtype)
    multiplicity = np.asarray(getattr(start, "multiplicity", np.ones(N)), dtype=int)
    rng = np.random.default_rng(N)
    # Dyadic outputs, so that C times B is rounded by nothing but B.
    C = rng.integers(-8, 9, len(rates)) / 8 + 1j * (multiplicity == 2) * rng.integers(-8, 9, len(rates)) / 8
    return rates, B, C.astype(dtype), multiplicity


def weights_of_modes(rates, products, multiplicity, method, dt):
    """sum_n m_n |C_n Bbar_n|: the scale of every error bound, for stable systems its largest over the lags."""
    x = rates.astype(complex) * dt
    gain = {"zoh": np.abs(np.expm1(x) / x), "bilinear": 1 / np.abs(1 - x / 2), "sampled": 1.0}[method]
    return float(np.sum(multiplicity * np.abs(products) * gain * dt))


@pytest.mark.parametrize("dtype", [np.complex128, np.complex64])
@pytest.mark.parametrize("method", ["zoh", "bilinear", "sampled"])
@pytest.mark.parametrize("name", STARTS)
def test_diagonal_kernels_agree_with_balls(name, method, dtype):
    """s4d_kernel in both precisions; exponential, Vandermonde and cosine forms of the same modes."""
    eps = float(np.finfo(dtype).eps)
    for N in SIZES:
        if N % 2 and name in ("inv", "lin"):
            continue
        rates, B, C, multiplicity = parameters(name, N, dtype)
        products = C.astype(complex) * B
        for dt in STEPS:
            truth = certified(rates.astype(complex), products, multiplicity, method, dt)
            scale = weights_of_modes(rates, products, multiplicity, method, dt)
            largest = float(np.abs(rates * dt).max())
            for L in LENGTHS:
                lags = [lag for lag in LAGS if lag < L]
                K = s4d_kernel(rates, B, C, dt, L, method=method, multiplicity=multiplicity)
                growth = np.array(lags) * (3 if method == "bilinear" else largest)
                assert K.dtype == np.finfo(dtype).dtype and K.shape == (L,)
                bound = (8 + growth + N / 2) * eps * scale
                assert (np.abs(K[lags] - truth[: len(lags)]) <= bound).all(), (N, dt, L)
                if method != "bilinear":  # in float32 the phase is saved by float64 tables
                    wide = s4d_kernel(rates, B, C, dt, L, method=method, multiplicity=multiplicity, wide=True)
                    bound = ((8 + N / 2) * eps + largest * np.array(lags) * 2.0**-52) * scale
                    assert (np.abs(wide[lags] - truth[: len(lags)]) <= bound).all(), (N, dt, L)


@pytest.mark.parametrize("N", SIZES)
def test_forms_of_the_diagonal_kernel_agree(N):
    rates, B, C, multiplicity = parameters("legs", N, np.complex128)
    dt, L, eps = 2.0**-7, 1001, 2.0**-52
    x = rates * dt
    weights = multiplicity * C * B * dt
    scale = np.abs(weights).sum()
    one = np.ones(len(x))
    truth = exponential_kernel(weights, one, x, L).real
    bound = 2 * (8 + L * np.abs(x).max() + N / 2) * eps * scale
    assert np.abs(cosine_kernel(x.real, x.imag, weights.real, weights.imag, L) - truth).max() <= bound
    assert np.abs(exponential_kernel(C * dt, B, x, L, multiplicity=multiplicity) - truth).max() <= bound
    power_bound = bound + (8 + 3 * L + N / 2) * eps * scale
    assert np.abs(vandermonde_kernel(weights, one, np.exp(x), L).real - truth).max() <= power_bound
    assert np.abs(recurrence_kernel(np.exp(x), one, weights, L).real - truth).max() <= power_bound
    assert np.abs(krylov_kernel(np.diag(np.exp(x)), one, weights, L).real - truth).max() <= 2 * N * power_bound


def test_leading_shapes_broadcast():
    rng = np.random.default_rng(0)
    A, B, C = -rng.random((3, 1, 5)) + 4j, rng.random(5), rng.standard_normal((2, 5))
    dt = np.array([[0.1], [0.2], [0.3]])
    K = s4d_kernel(A, B, C, dt, 70)
    assert K.shape == (3, 2, 70)
    for h in range(3):
        for c in range(2):
            assert np.abs(K[h, c] - s4d_kernel(A[h, 0], B, C[c], float(dt[h, 0]), 70)).max() <= 64 * 2.0**-52


def test_zero_order_hold_is_safe_at_zero():
    A = np.array([0.0, -1e-300, -1e-9 + 1e-9j, 1e-5j, -0.5, 0.3, -0.49 + 0.1j, -40.0, 30j, 6.283185307179586j])
    for a in A:
        with RING.work():
            x = ball(a)
            truth = complex((x.expm1() / x).mid()) if a != 0 else 1.0
        value = s4d_kernel(np.array([a]), np.ones(1), np.ones(1), 1.0, 1)[0]
        assert abs(value - truth) <= 4 * 2.0**-52 * max(abs(truth), 2.0**-4)


def zoh_gain_in_balls(a, dt):
    """dt g(dt a) of exact floats."""
    with RING.work():
        x = ball(a) * arb(dt)
        return complex((x.expm1() / x * arb(dt)).mid())


@pytest.mark.parametrize(("dtype", "real"), [(np.complex64, np.float32), (np.complex128, np.float64)])
def test_zero_order_hold_near_whole_turns_loses_what_rounding_the_phase_costs(dtype, real):
    """g(2 pi i k) = 0: the error is not relative to the small Bbar, but to dt |B|, as the docstring says."""
    eps = float(np.finfo(dtype).eps)
    seen = 0.0
    for k in range(1, 40):
        dt = float(real(0.7))  # exact in the dtype
        a = dtype(-1e-3 + 2j * np.pi * k / dt)
        truth = zoh_gain_in_balls(complex(a), dt)
        value = complex(s4d_kernel(np.array([a]), np.ones(1, dtype), np.ones(1, dtype), dt, 1)[0])
        relative = (8 + 1 / 2) * eps * abs(truth)
        assert abs(value - truth) <= relative + 2 * eps * dt
        seen = max(seen, abs(value - truth) / relative)
    assert seen > 10  # the last term is needed


def test_a_step_that_is_rounded_to_float32_turns_the_phase_by_half_an_eps_more():
    rate, dt, L = np.complex64(53.55435j), 0.3, 1239
    one = np.ones(1, np.complex64)
    K = s4d_kernel(np.array([rate]), one, one, dt, L, method="sampled")
    lags = np.arange(L)
    truth = dt * np.exp(1j * float(rate.imag) * dt * lags)
    phase = float(rate.imag) * dt * lags
    eps = 2.0**-23
    ratio = np.abs(K - truth) / (dt * eps)
    assert (ratio <= 8.5 + 1.5 * phase).all()
    assert (ratio > 8.5 + phase).any()


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_logarithms_of_bilinear_multipliers_are_right_relative_to_their_modulus(dtype):
    """log(mu), or log(-mu) where abs(x) > 2, for mu near 1, i, 0 and -1: to 6 eps, as promised."""
    rng, eps = np.random.default_rng(5), float(np.finfo(dtype).eps)
    size = np.exp(rng.uniform(-30, 30, 400))
    size[:100] = 2 * (1 + rng.choice([-1, 1], 100) * np.exp(rng.uniform(-30, -1, 100)))
    angle = np.pi + rng.uniform(-np.pi / 2, np.pi / 2, 400)
    angle[::4], angle[1::4] = np.pi, np.pi / 2 + np.exp(rng.uniform(-30, -1, 100))
    x = (size * np.exp(1j * angle)).astype(dtype)
    x[::4] = x[::4].real
    x = x[x != -2]  # mu = 0 has no logarithm
    kind, (array,) = checked_arrays(True, x=x)
    found, flipped = bilinear_logarithm(kind, array)
    assert (flipped == (np.abs(x) > 2)).all()
    for y, point, sign in zip(found.tolist(), x.tolist(), np.where(flipped, -1, 1).tolist(), strict=True):
        with balls(400).work():
            half = ball(point) / 2
            truth = ((1 + half) / (1 - half) * sign).log()
            assert float(abs(ball(y) - truth).mid()) <= 6 * eps * float(abs(truth).mid())


def test_unstable_and_vanishing_multipliers():
    """Powers are those of Python's integers: 0^0 = 1, and no unused power overflows."""
    K = vandermonde_kernel(np.ones(1), np.ones(1), np.array([0.0]), 4)
    assert K.tolist() == [1.0, 0.0, 0.0, 0.0]
    K = s4d_kernel(np.array([-2.0]), np.ones(1), np.ones(1), 1.0, 3, method="bilinear")
    assert K.tolist() == [0.5, 0.0, 0.0]
    assert vandermonde_kernel(np.ones(1), np.ones(1), np.array([2.0]), 1000)[999] == 2.0**999


# --- DSS ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("L", LENGTHS)
@pytest.mark.parametrize("sign", [-1, 1])
def test_dss_kernels_are_kernels_of_lambda_and_b(L, sign):
    rng = np.random.default_rng(L)
    Lambda = sign * rng.uniform(0.1, 0.5, 6) + 1j * rng.uniform(1, 20, 6)
    C, dt, eps = rng.standard_normal(6) + 1j * rng.standard_normal(6), 0.01, 2.0**-52
    exponential = s4d_kernel(Lambda, np.ones(6), C, dt, L)
    assert np.abs(dss_exponential_kernel(Lambda, C, dt, L) - exponential).max() <= 4 * eps * np.abs(exponential).max()
    softmax = dss_softmax_kernel(Lambda, C, dt, L)
    equal = s4d_kernel(Lambda, dss_softmax_input(Lambda, dt, L), C, dt, L)
    gap = np.abs(np.expm1(-np.abs(Lambda.real) * L * dt + 1j * Lambda.imag * L * dt)).min()
    size = np.abs(C / Lambda).sum() * np.abs(softmax_rows(Lambda * dt, L)).max()
    bound = 2 * (14 + 0.5 * L * (1 + 1 / gap)) * eps * size
    assert np.abs(softmax - (C / Lambda) @ softmax_rows(Lambda * dt, L)).max() <= bound
    assert np.abs(softmax - equal).max() <= bound


def softmax_rows(x, L):
    shifted = x[:, None] * np.arange(L) - np.where(x.real > 0, x.real, 0)[:, None] * (L - 1)
    rows = np.exp(shifted)
    return rows / rows.sum(axis=1, keepdims=True)


def test_dss_softmax_does_not_overflow():
    Lambda, C = np.array([3000.0 + 1j, -3000.0 + 1j]), np.ones(2)
    K = dss_softmax_kernel(Lambda, C, 1.0, 500)
    assert np.isfinite(K).all()
    assert abs(K[-1] - 1 / Lambda[0]) < 1e-15 and abs(K[0] - 1 / Lambda[1]) < 1e-15  # mass at the far and near end
    near = dss_softmax_kernel(np.array([1e-12]), np.array([1e-12]), 1.0, 8)
    assert np.abs(near - 1 / 8).max() < 1e-11  # uniform
    turned = dss_softmax_kernel(np.array([2j * np.pi]), np.array([2j * np.pi]), 1.0, 8)
    assert np.abs(turned - 1 / 8).max() < 1e-14  # a whole turn each lag: the hypothesis fails, the sum does not


# --- diagonal plus low rank ---------------------------------------------------------------------------------------------

FAMILIES = [LegS(1), LegS(2), LegS(3), LegS(16), LegS(33), LagT(16), LegT(3), LegT(16), FouT(17)]


def dense_kernel(parts, C, dt, lags):
    """C Abar^l Bbar in balls, by dense solves, of the float parameters."""
    N = parts.N
    with RING.work():
        P = acb_mat([[ball(p) for p in row] for row in parts.P])
        A = acb_mat(N, N, [ball(parts.Lambda[n]) if n == k else acb(0) for n in range(N) for k in range(N)])
        A -= P * acb_mat([[ball(p).conjugate() for p in row] for row in parts.P.T])
        identity = acb_mat(N, N, [acb(n == k) for n in range(N) for k in range(N)])
        half = arb(dt) / 2
        left = identity - A * half
        Abar = left.solve(identity + A * half)
        Bbar = left.solve(acb_mat([[ball(b)] for b in parts.B]) * arb(dt))
        row = acb_mat([[ball(c) for c in C]])
        return np.array([complex((row * Abar**lag * Bbar)[0, 0].mid()) for lag in lags])


@pytest.mark.parametrize("dt", [2.0**-10, 2.0**-3])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: f"{family.name}-{family.N}")
def test_kernels_of_low_rank_systems_agree_with_balls(family, dt):
    """Generating function (L even and odd, rank 1 and 2), Krylov, recurrence and O(N) recurrence."""
    parts = normal_plus_low_rank(family)
    C, eps = parts.V[0] + parts.V[-1], 2.0**-52
    arguments = (parts.Lambda, parts.P, parts.P, parts.B)
    Abar, Bbar = bilinear_low_rank(*arguments, dt)
    size = np.linalg.norm(C) * np.linalg.norm(Bbar)
    truth = dense_kernel(parts, C, dt, LAGS)
    for L in LENGTHS:
        lags = [lag for lag in LAGS if lag < L]
        bound = (8 + L / 2) * eps * size
        for damping in (0.0, 1.0):
            if damping == 0 and np.abs(parts.Lambda).min() < 1e-12:
                continue  # an eigenvalue of the normal part is the node z = 1
            Ct = truncated_output(C, Abar, L, damping=damping)
            x = parts.Lambda * dt / 2
            gap = np.abs(1 - np.exp(-damping) * ((1 + x) / (1 - x)) ** L).min()
            allowed = bound if damping else bound * (1 + 1 / gap)
            for real in (False, True):
                K = s4_kernel(*arguments, Ct, dt, L, damping=damping, real=real)
                assert K.shape == (L,) and np.isrealobj(K) == real
                assert np.abs(K[lags] - truth[: len(lags)]).max() <= allowed, (L, damping)
                K = s4_kernel(*arguments, Ct, dt, L, damping=damping, real=real, direct=True)
                assert np.abs(K[lags] - truth[: len(lags)]).max() <= min(allowed, bound * (1 + 1 / (L * dt))), (
                    L,
                    damping,
                )
        impulse = np.zeros(L)
        impulse[0] = 1
        for K in (
            krylov_kernel(Abar, Bbar, C, L),
            recurrence_kernel(Abar, Bbar, C, L),
            low_rank_recurrence(*arguments, C, dt, impulse),
        ):
            assert np.abs(K[lags] - truth[: len(lags)]).max() <= bound, L


def test_the_node_minus_one_is_exact():
    """Rank 0, one state, L = 2: nodes 1 and -1, where the kernel is C Bbar (1, Abar)."""
    none = np.zeros((1, 0))
    Abar, Bbar = bilinear_low_rank(np.array([-1.0]), none, none, np.array([1.0]), 1.0)
    K = s4_kernel(
        np.array([-1.0]), none, none, np.array([1.0]), truncated_output(np.ones(1), Abar, 2), 1.0, 2, real=True
    )
    assert np.abs(K - [Bbar[0], Bbar[0] * Abar[0, 0]]).max() <= 2.0**-52


@pytest.mark.parametrize("damping", [0.0, 1.0])
@pytest.mark.parametrize("L", [1, 2, 63, 1000])
def test_truncated_outputs_are_undone(L, damping):
    parts = normal_plus_low_rank(LegS(16))
    Abar, _ = bilinear_low_rank(parts.Lambda, parts.P, parts.P, parts.B, 0.01)
    back = restored_output(truncated_output(parts.V, Abar, L, damping=damping), Abar, L, damping=damping)
    gap = np.eye(16) - np.exp(-damping) * np.linalg.matrix_power(Abar, L)
    assert np.abs(back - parts.V).max() <= 16 * np.linalg.cond(gap) * 2.0**-52


def test_many_outputs():
    parts = normal_plus_low_rank(LegT(6))
    Abar, Bbar = bilinear_low_rank(parts.Lambda, parts.P, parts.P, parts.B, 0.1)
    arguments = (parts.Lambda, parts.P, parts.P, parts.B)
    Ct = truncated_output(parts.V, Abar, 33, damping=1.0)
    K = s4_kernel(*arguments, Ct, 0.1, 33, damping=1.0, real=True)
    u = np.zeros(33)
    u[0] = 1
    for other in (krylov_kernel(Abar, Bbar, parts.V, 33), low_rank_recurrence(*arguments, parts.V, 0.1, u)):
        assert K.shape == other.shape == (6, 33)
        assert np.abs(K - other).max() <= 64 * 2.0**-52


def test_the_checks_can_fail():
    rates, B, C, multiplicity = parameters("legs", 16, np.complex128)
    truth = certified(rates, C * B, multiplicity, "zoh", 2.0**-7)
    scale = weights_of_modes(rates, C * B, multiplicity, "zoh", 2.0**-7)
    lags = list(LAGS)
    bound = (16 + 1000 * np.abs(rates).max() * 2.0**-7) * 2.0**-52 * scale

    def error(dt=2.0**-7, method="zoh", rates=rates):
        K = s4d_kernel(rates, B, C, dt, 1001, method=method, multiplicity=multiplicity)
        return np.abs(K[lags] - truth).max()

    assert error() <= bound
    assert error(dt=2.0**-7 * (1 + 1e-9)) > bound
    assert error(method="sampled") > bound
    assert error(rates=rates.conj()) > bound


@pytest.mark.parametrize("N", [1, 2, 5, 33, 64])
@pytest.mark.parametrize("L", [1, 2, 63, 64])
@pytest.mark.parametrize("damping", [0.0, 1.0])
def test_mirrored_states_halve_the_work_and_nothing_else(N, L, damping):
    start = normal_plus_low_rank(LegS(N))
    Lambda, P, B = start.Lambda, start.P, start.B
    C = np.random.default_rng(N).standard_normal(N) @ start.V
    Abar, _ = bilinear_low_rank(Lambda, P, P, B, 0.05)
    truncated = truncated_output(C, Abar, L, damping=damping)
    plain = s4_kernel(Lambda, P, P, B, truncated, 0.05, L, real=True, damping=damping)
    halved = s4_kernel(Lambda, P, P, B, truncated, 0.05, L, real=True, mirrored=True, damping=damping)
    # Both carry the error that `s4_kernel` states, at damping 0 with its factor 1 + 1/min |1 - mu^L| <= 3 + 2/(L dt).
    bound = 2 * (8 + L / 2) * np.finfo(float).eps * np.linalg.norm(C) * np.linalg.norm(B) * (3 + 2 / (0.05 * L))
    assert np.abs(plain - halved).max() <= bound
    if N > 1:  # the check can fail: states that are not mirror images are not what was promised
        moved = Lambda.copy()
        moved[0] *= 1.01
        plain = s4_kernel(moved, P, P, B, truncated, 0.05, L, real=True, damping=damping)
        halved = s4_kernel(moved, P, P, B, truncated, 0.05, L, real=True, mirrored=True, damping=damping)
        assert np.abs(plain - halved).max() > bound


@pytest.mark.parametrize("L", [1, 2, 63, 64, 1000])
@pytest.mark.parametrize("damping", [0.0, 1.0, 3.0])
def test_sums_at_the_roots_of_unity_are_the_cauchy_sums(L, damping):
    """By FFT and one by one, with nodes written as sinh and cosh of h = (c + 2 pi i k)/(2L)."""
    start, dt, eps = normal_plus_low_rank(LegS(9)), 0.05, 2.0**-52
    weights = np.stack([start.B, start.P[:, 0]])
    h = (damping + 2j * np.pi * np.arange(L)) / (2 * L)
    one_by_one = np.exp(h) * cauchy_sums(weights, start.Lambda, np.sinh(h) * (2 / dt), np.cosh(h))
    by_transform = root_sums(weights, start.Lambda, dt, L, damping=damping)
    mirrored = root_sums(weights, start.Lambda, dt, L, damping=damping, mirrored=True)
    # The sum over lags of the stated error of the sequences.
    x = start.Lambda * dt / 2
    nu = np.exp(-damping / L) * (1 + x) / (1 - x)
    g = np.abs(weights * dt / ((1 - x) * (1 - nu**L))).sum(axis=0)
    terms = (g * np.abs(nu) ** np.arange(L)[:, None]).sum()
    bound = (16 + 9 / 2 + 8 * np.abs(np.log(nu)).max() * L) * eps * terms
    assert np.abs(by_transform - one_by_one).max() <= bound
    assert np.abs(mirrored - one_by_one[:, : L // 2 + 1]).max() <= bound
    assert np.abs(root_sums(weights, start.Lambda * (1 + 1e-6), dt, L, damping=damping) - one_by_one).max() > bound


def test_wide_powers_keep_the_digits_of_single_precision():
    start, dt, L = normal_plus_low_rank(LegS(32)), 0.01, 16_384
    C = np.random.default_rng(0).standard_normal(32) @ start.V
    Abar, Bbar = bilinear_low_rank(start.Lambda, start.P, start.P, start.B, dt)
    Ct = truncated_output(C, Abar, L)
    truth = krylov_kernel(Abar, Bbar, C, L).real
    single = [array.astype(np.complex64) for array in (start.Lambda, start.P, start.P, start.B, Ct)]
    errors = {
        wide: np.abs(s4_kernel(*single, dt, L, real=True, mirrored=True, wide=wide) - truth).max() for wide in (0, 1)
    }
    assert errors[1] <= 64 * 2.0**-23 * np.abs(truth).max()  # rounding of the parameters included
    assert errors[0] > errors[1]


def test_sums_refuse_what_they_cannot_compute():
    one = np.ones(1)
    for poles, damping, match in ((2 * one, 0.0, "grows"), (0 * one, 0.0, "is a pole"), (20 * one, 0.0, "2/dt")):
        with pytest.raises(InputError, match=match):
            root_sums(one, poles, 0.1, 100, damping=damping)
    assert np.isfinite(root_sums(one, 2 * one, 0.1, 100, damping=25.0)).all()
    with pytest.raises(InputError, match="shape"):
        root_sums(np.ones(2), one, 0.1, 4)


def test_mirrored_states_need_a_real_kernel():
    one = np.ones(1)
    with pytest.raises(InputError, match="real=True"):
        s4_kernel(-one, one[:, None], one[:, None], one, one, 0.1, 4, mirrored=True)
