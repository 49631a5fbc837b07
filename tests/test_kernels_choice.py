"""The kernel that chooses its algorithm: its values and bounds against balls, and what decides the choice."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import acb, acb_mat, arb

from hippo_theory.arithmetic import balls
from hippo_theory.convolution import ALGORITHMS, Size, choice, convolution_kernel, crossovers, predicted_seconds
from hippo_theory.decompositions import normal_plus_low_rank
from hippo_theory.discretizations import discretize, find_discretization, generalized_bilinear
from hippo_theory.errors import CertificationError, InputError, MissingDependencyError
from hippo_theory.families import FouT, LagT, LegS, LegT
from hippo_theory.kernels import ExponentialSum, certified_kernel, nonuniform_kernel
from hippo_theory.kernels.multipliers import multiplier_powers
from hippo_theory.systems import (
    DenseSystem,
    DiagonalPlusLowRankSystem,
    DiagonalSystem,
    HalfSystem,
    conjugate_full,
    conjugate_half,
)

SEED = 20_250_301
BITS = 800  # radii of a dense recurrence in balls grow by some bits a lag
METHODS = ["zoh", "sampled", "bilinear", "backward_euler", generalized_bilinear("0.7")]
MODAL = ["direct", "vandermonde", "blocks", "nufft"]
STATES = ["krylov", "recurrence", "generating"]


def name_of(method):
    return method if isinstance(method, str) else method.name


def modal_truth(half, method, dt, L, row=0):
    """The kernel in balls: modes of the continuous kernel, discretized and summed at 200 bits."""
    with balls(200).work() as ring:
        modes = zip(half.C[row].tolist(), half.B.tolist(), half.multiplicity.tolist(), strict=True)
        c = np.array([ring.number(complex(C)) * ring.number(complex(B)) * m / 2 for C, B, m in modes], dtype=object)
        rates = np.array([ring.number(complex(value)) for value in half.Lambda], dtype=object)
        none = np.array([], dtype=object)
        discrete = discretize(ExponentialSum(none, none, c, rates, 200), method, dt)
        step = ring.number(Fraction(dt))
        return [value * step for value in certified_kernel(discrete, range(L), 25, relative_to="largest", attempts=1)]


def dense_truth(A, B, C, method, dt, L):
    """The kernel of acb matrices A, B, C in balls, lag by lag; None for the steps of an exponential method."""
    rule, N = find_discretization(method), A.nrows()
    with balls(BITS).work() as ring:
        h = ring.number(Fraction(dt))
        identity = acb_mat(N, N, [int(i == j) for i in range(N) for j in range(N)])
        if rule.alpha is None:
            Abar = (A * h).exp()
            state = A.solve((Abar - identity) * B) if rule.name == "zoh" else B * h
        else:
            alpha = ring.number(rule.alpha)
            left = identity - A * (h * alpha)
            Abar, state = left.solve(identity + A * (h * (1 - alpha))), left.solve(B * h)
        rows = []
        for _ in range(L):
            rows.append([(C * state)[i, 0] for i in range(C.nrows())])
            state = Abar * state
        return [list(column) for column in zip(*rows, strict=True)]


def ball_matrix(array):
    with balls(BITS).work() as ring:
        return acb_mat([[ring.number(complex(value)) for value in row] for row in np.atleast_2d(array)])


def error_of(values, enclosures):
    """Largest distance from the balls, and the largest value."""
    with balls(256).work() as ring:
        pairs = list(zip(values.tolist(), enclosures, strict=True))
        error = max(float(abs(ring.number(complex(value)) - ball).upper()) for value, ball in pairs)
        return error, max(float(abs(ball).upper()) for ball in enclosures)


def random_half(N, seed, *, constant=False, largest=8.0, rows=1):
    """Some pairs and some real states."""
    random = np.random.default_rng((SEED, seed))
    multiplicity = random.integers(1, 3, N)
    pair = multiplicity == 2
    real = np.full(N, -0.5) if constant else -np.exp(random.uniform(-5, 3, N))
    Lambda = real + 1j * pair * np.exp(random.uniform(-2, largest, N))
    B = random.standard_normal(N) + 1j * pair * random.standard_normal(N)
    C = random.standard_normal((rows, N)) + 1j * pair * random.standard_normal((rows, N))
    return HalfSystem(Lambda, B, C, multiplicity=multiplicity)


def s4d(N):
    legs = LegS(N)
    Lambda = legs.normal_spectrum()[: N // 2]
    weights = legs.normal_weights()[: N // 2]
    return HalfSystem(Lambda, weights, np.ones((1, N // 2)), multiplicity=np.full(N // 2, 2))


def dissipative(N, seed, dtype=float):
    random = np.random.default_rng((SEED, seed))
    M = random.standard_normal((N, N)) + (1j * random.standard_normal((N, N)) if dtype is complex else 0)
    B, C = random.standard_normal(N), random.standard_normal((2, N))
    return DenseSystem(M - M.conj().T - 0.1 * np.eye(N), B, C)


# --- the chosen kernel -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS, ids=name_of)
@pytest.mark.parametrize("accuracy", [1e-4, 1e-9, 1e-12])
@pytest.mark.parametrize(
    ("half", "dt", "L"),
    [(s4d(32), "0.01", 200), (random_half(17, 1), 0.003, 301), (random_half(1, 2), 0.1, 1), (s4d(8), 1, 2)],
    ids=["s4d", "random", "one", "two lags"],
)
def test_the_chosen_kernel_is_as_accurate_as_was_asked_and_within_its_bound(half, dt, L, accuracy, method):
    kernel = convolution_kernel(half, dt, L, method=method, accuracy=accuracy)
    error, largest = error_of(kernel.values[0], modal_truth(half, method, dt, L))
    assert error <= kernel.bound * largest <= 1.001 * accuracy * largest
    assert kernel.values.shape == (1, L)
    assert not kernel.values.flags.writeable


@pytest.mark.parametrize("method", ["zoh", "bilinear"])
def test_thirteen_digits_are_reached_where_the_kernel_is_not_small(method):
    half = s4d(16)
    kernel = convolution_kernel(half, 0.01, 64, method=method, accuracy=3e-13)
    error, largest = error_of(kernel.values[0], modal_truth(half, method, 0.01, 64))
    assert error <= kernel.bound * largest
    assert kernel.bound <= 3e-13


def check_bounds_of_modes(seed, method):
    random = np.random.default_rng((SEED, seed, 7))
    half = random_half(int(random.integers(1, 40)), seed, constant=seed % 2 == 0, largest=3 + seed % 6 * 2.0, rows=2)
    dt, L = float(np.exp(random.uniform(-7, 0))), int(np.exp(random.uniform(1, 6)))
    truth = [modal_truth(half, method, dt, L, row) for row in range(2)]
    for name in MODAL:
        if name == "nufft" and (seed % 2 or method not in ("zoh", "sampled")):
            continue
        kernel = convolution_kernel(half, dt, L, method=method, algorithm=name)
        for row in range(2):
            error, largest = error_of(kernel.values[row], truth[row])
            assert error <= kernel.bound * largest
        assert kernel.algorithm == name
        assert kernel.kind == {"blocks": "proved", "nufft": "observed"}.get(name, "float64")


@pytest.mark.parametrize("method", METHODS, ids=name_of)
@pytest.mark.parametrize("seed", range(6))
def test_every_bound_of_modes_is_true(seed, method):
    check_bounds_of_modes(seed, method)


@pytest.mark.heavy
@pytest.mark.parametrize("method", METHODS, ids=name_of)
def test_every_bound_of_modes_is_true_many_times(method):
    for seed in range(100, 200):
        check_bounds_of_modes(seed, method)


@pytest.mark.parametrize("name", MODAL)
def test_a_system_that_is_no_half_gives_its_complex_kernel(name):
    random = np.random.default_rng(SEED)
    Lambda, B, C = -0.5 + 1j * random.uniform(-9, 9, 7), random.standard_normal(7) + 1j, random.standard_normal((2, 7))
    kernel = convolution_kernel(DiagonalSystem(Lambda, B, C), 0.1, 33, method="sampled", algorithm=name)
    truth = dense_truth(ball_matrix(np.diag(Lambda)), ball_matrix(B[:, None]), ball_matrix(C), "sampled", 0.1, 33)
    assert kernel.values.dtype == np.complex128
    for row in range(2):
        error, largest = error_of(kernel.values[row], truth[row])
        assert error <= kernel.bound * largest


@pytest.mark.parametrize("N", [6, 7])
def test_the_forms_of_one_real_system_agree(N):
    restriction = normal_plus_low_rank(FouT(7) if N == 7 else LegS(6))
    full = DiagonalSystem(restriction.Lambda, restriction.B, np.conj(restriction.B)[None, :])
    for method in ("zoh", "bilinear"):
        whole = convolution_kernel(full, 0.1, 40, method=method)
        half = convolution_kernel(conjugate_half(full), 0.1, 40, method=method)
        assert (half.values.dtype, whole.values.dtype) == (np.float64, np.complex128)  # of what was given, not found
        scale = np.abs(half.values).max()
        assert np.abs(whole.values - half.values).max() <= (whole.bound + half.bound + 64 * 2**-52) * scale


def test_real_modes_give_a_real_kernel_and_multipliers_of_either_sign_are_taken():
    system = DiagonalSystem([-1.0, -30.0, -2.0], [1.0, 1.0, 1.0], [[1.0, 2.0, 0.5]])  # 1 + x/2 = -1/2, 0 and others
    for method, dt in (("zoh", 0.1), ("bilinear", 0.1), ("bilinear", 1), ("forward_euler", 0.05)):
        truth = modal_truth(HalfSystem(system.Lambda, system.B, system.C, multiplicity=[1, 1, 1]), method, dt, 50)
        for name in ("direct", "vandermonde", "blocks"):
            kernel = convolution_kernel(system, dt, 50, method=method, algorithm=name)
            error, largest = error_of(kernel.values[0], truth)
            assert kernel.values.dtype == np.float64
            assert error <= kernel.bound * largest


# --- systems that are not diagonal -------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [LegS(12), LagT(12), LegT(12), FouT(13)], ids=lambda family: family.name)
@pytest.mark.parametrize("method", ["zoh", "bilinear", "backward_euler"])
@pytest.mark.parametrize("dt", [0.001, 0.1])
def test_every_bound_of_states_holds(family, method, dt):
    L, N = 301, len(family.B)
    C = np.random.default_rng(SEED).standard_normal((2, N))
    dense = DenseSystem(family.A, family.B, C)
    parts = normal_plus_low_rank(family)
    low_rank = DiagonalPlusLowRankSystem(parts.Lambda, parts.P, parts.B, C.astype(complex) @ parts.V)
    A, B = ball_matrix(family.A), ball_matrix(family.B[:, None])
    Q = low_rank.Q.conj().T
    with balls(BITS).work():
        whole = ball_matrix(np.diag(parts.Lambda)) - ball_matrix(low_rank.P) * ball_matrix(Q)
    if method == "zoh":
        cases = [(dense, A, B, C)]
    else:
        cases = [(dense, A, B, C), (low_rank, whole, ball_matrix(parts.B[:, None]), low_rank.C)]
    for system, state, given, output in cases:
        truth = dense_truth(state, given, ball_matrix(output), method, dt, L)
        names = ["krylov", "recurrence", "generating"] if method == "bilinear" and system is low_rank else ["krylov"]
        for name in names:
            kernel = convolution_kernel(system, dt, L, method=method, algorithm=name)
            assert (kernel.kind, kernel.algorithm) == ("observed", name)
            for row in range(2):
                error, largest = error_of(kernel.values[row], truth[row])
                assert error <= kernel.bound * largest
        chosen = convolution_kernel(system, dt, L, method=method, accuracy=1e-8)
        assert chosen.bound <= 1e-8


@pytest.mark.parametrize("dtype", [float, complex])
def test_random_dissipative_systems(dtype):
    system = dissipative(9, 3, dtype)
    truth = dense_truth(
        ball_matrix(system.A), ball_matrix(system.B[:, None]), ball_matrix(system.C), "bilinear", 0.01, 200
    )
    for name in ("krylov", "recurrence"):
        kernel = convolution_kernel(system, 0.01, 200, method="bilinear", algorithm=name)
        assert kernel.values.dtype == (np.complex128 if dtype is complex else np.float64)
        for row in range(2):
            error, largest = error_of(kernel.values[row], truth[row])
            assert error <= kernel.bound * largest


def test_a_half_with_a_low_rank_term_is_its_full_system():
    half = random_half(4, 11, largest=3.0)
    P = (np.ones((4, 1)) + 0.5j * (half.multiplicity == 2)[:, None]) * 0.3
    half = HalfSystem(half.Lambda, half.B, half.C, multiplicity=half.multiplicity, P=P)
    kernels = [convolution_kernel(half, 0.05, 60, method="bilinear", algorithm=name) for name in STATES]
    full = convolution_kernel(conjugate_full(half), 0.05, 60, method="bilinear", algorithm="krylov")
    for kernel in kernels:
        assert kernel.values.dtype == np.float64
        assert np.abs(kernel.values - full.values).max() <= (kernel.bound + full.bound) * np.abs(full.values).max()


def test_powers_that_grow_before_they_decay_are_counted():
    """Abar of a nonnormal A has large powers: the bound must be that much larger than for a dissipative one."""
    calm = DenseSystem([[-1.0, 0.0], [0.0, -1.0]], [1.0, 1.0], [[1.0, 1.0]])
    wild = DenseSystem([[-1.0, 1e4], [0.0, -1.0]], [1.0, 1e-4], [[1e-4, 1.0]])
    bounds = [convolution_kernel(system, 0.1, 50, algorithm="krylov").bound for system in (calm, wild)]
    assert bounds[1] > 1e6 * bounds[0]


@pytest.mark.parametrize("method", ["zoh", "bilinear", "backward_euler"])
def test_a_growth_below_the_rounding_of_a_large_matrix_is_counted(method):
    """A + A* <= 0 up to the rounding of 1e15, but powers grow by e^60, and G with them."""
    Lambda, B, C, L = [-1e15, 0.1], [1.0, 1.0], [[1.0, 1.0]], 601
    truth = modal_truth(HalfSystem(Lambda, B, C, multiplicity=[1, 1]), method, 1, L)
    for name in ("krylov", "recurrence"):
        kernel = convolution_kernel(DenseSystem(np.diag(Lambda), B, C), 1, L, method=method, algorithm=name)
        error, largest = error_of(kernel.values[0], truth)
        assert error <= kernel.bound * largest


def test_the_smallest_and_largest_steps_are_taken():
    for dt in (1e-12, "1e-12", 1000, 1000.0):
        kernel = convolution_kernel(HALF, dt, 3)
        error, largest = error_of(kernel.values[0], modal_truth(HALF, "zoh", Fraction(dt), 3))
        assert error <= kernel.bound * largest
    for dt in (0.99e-12, 1000.1):
        with pytest.raises(InputError, match="`dt` must lie between"):
            convolution_kernel(HALF, dt, 3)


def test_an_output_that_is_zero_beside_one_that_grows_has_no_bound_by_blocks_either():
    growing = HalfSystem([1.0 + 1j], [1], [[1], [0]], multiplicity=[2])  # to 2^206
    problem = choice.checked_problem(growing, "0.5", 300, "bilinear")
    assert (ALGORITHMS["blocks"].bound(problem, 1e-9) == math.inf).all()
    kernel = convolution_kernel(growing, "0.5", 300, method="bilinear", accuracy=1e-9)
    assert kernel.bound <= 1e-9
    assert not kernel.values[1].any()


def test_the_size_looked_at_beforehand_is_never_above_that_of_the_kernel():
    rising = HalfSystem([-1e-6 + 1e-5j], [1], [[1j]], multiplicity=[2])  # -2 sin: 0 at lag 0, small after 100 lags
    for method in ("sampled", "bilinear"):
        largest = np.abs(convolution_kernel(rising, 1, 100, method=method).values).max()
        (scale,) = choice.checked_problem(rising, 1, 100, method).scale
        assert 0.9 * largest <= scale <= largest
    # 0.1 + 0.2 - 0.3 is 2.8e-17 in exact arithmetic on these floats, and less than the rounding of any sum.
    cancelling = HalfSystem([-1 + 1j] * 3, [1, 1, 1], [[0.1, 0.2, -0.3]], multiplicity=[2, 2, 2])
    assert choice.checked_problem(cancelling, 1, 9, "sampled").scale == 0


def test_errors_of_real_and_imaginary_part_add_as_the_sides_of_a_right_angle():
    problem = choice.checked_problem(DiagonalSystem([-1 + 2j], [1], [[1], [1j]]), 1, 4, "zoh")
    assert problem.joined(np.array([3.0, 5.0, 4.0, 12.0])).tolist() == [5.0, 13.0]


# --- what decides ------------------------------------------------------------------------------------------------------


def test_float64_phases_are_not_chosen_where_they_lose_the_digits_that_were_asked_for():
    random = np.random.default_rng(SEED)
    N, L, dt = 8, 4096, 0.1
    frequencies = random.uniform(1e7, 2e7, N)
    Lambda = -np.exp(random.uniform(-9, -7, N)) + 1j * frequencies
    half = HalfSystem(Lambda, np.ones(N), random.uniform(1, 2, (1, N)), multiplicity=np.full(N, 2))
    kernel = convolution_kernel(half, dt, L, method="sampled", accuracy=1e-12)
    assert kernel.algorithm == "blocks"
    lags = random.integers(0, L, 40)
    truth = modal_truth(half, "sampled", dt, L)
    chosen = [truth[lag] for lag in lags]
    largest = np.abs(kernel.values).max()
    assert error_of(kernel.values[0, lags], chosen)[0] <= 1e-12 * largest
    plain = convolution_kernel(half, dt, L, method="sampled", algorithm="vandermonde", accuracy=1e-12)
    assert 1e-12 < error_of(plain.values[0, lags], chosen)[0] / largest < plain.bound


def test_the_weights_of_zero_order_hold_keep_their_digits_at_large_phases():
    Lambda = np.array([-0.5 + 123456789.1j, -0.1 + 77777777.7j, -2 + 212345678.3j])
    half = HalfSystem(Lambda, [1, 1, 1], [[1, 2, 3]], multiplicity=[2, 2, 2])
    kernel = convolution_kernel(half, "0.3", 12, algorithm="blocks")
    error, largest = error_of(kernel.values[0], modal_truth(half, "zoh", "0.3", 12))
    assert error <= kernel.bound * largest < 1e-12 * largest


def test_an_algorithm_that_turns_out_worse_than_its_bound_gives_way_to_the_next(monkeypatch):
    half, size, entry = s4d(16), Size("exponential", 4, 8), ALGORITHMS["nufft"]
    models = {**choice._coefficients(), "nufft, exponential": [1e-9] * len(entry.work(size))}
    monkeypatch.setattr(choice, "_coefficients", lambda: models)
    assert convolution_kernel(half, 0.01, 100, accuracy=1e-8).algorithm == "nufft"

    def worse(modes, accuracy):
        values, errors = entry.run(modes, accuracy)
        return values, 1e9 * errors

    def failing(modes, accuracy):
        raise CertificationError("off by much")

    for run in (worse, failing):
        monkeypatch.setitem(ALGORITHMS, "nufft", replace(entry, run=run))
        kernel = convolution_kernel(half, 0.01, 100, accuracy=1e-8)
        assert kernel.algorithm != "nufft"
        assert kernel.bound <= 1e-8


def test_an_override_runs_whatever_the_accuracy_and_its_bound_says_so():
    half = random_half(5, 4, largest=12.0)
    kernel = convolution_kernel(half, 0.1, 5000, accuracy=1e-15, algorithm="vandermonde")
    assert kernel.algorithm == "vandermonde"
    assert kernel.bound > 1e-15
    with pytest.raises(CertificationError, match="certified_kernel"):
        convolution_kernel(half, 0.1, 5000, accuracy=1e-15)


def test_the_models_decide_among_those_that_are_accurate_enough(monkeypatch):
    half = s4d(16)
    for fastest in ("direct", "vandermonde", "blocks", "nufft"):
        models = {f"{name}, exponential": [2.0 - (name == fastest), *[0.0] * 9] for name in MODAL}
        lengths = {name: len(ALGORITHMS[name].work(Size("exponential", 4, 8))) for name in MODAL}
        models = {key: value[: lengths[key.split(",")[0]]] for key, value in models.items()}
        monkeypatch.setattr(choice, "_coefficients", lambda models=models: models)
        assert convolution_kernel(half, 0.01, 100, accuracy=1e-8).algorithm == fastest
    # With nufft the fastest, an accuracy beyond it leaves it out.
    assert convolution_kernel(half, 0.01, 100, accuracy=2e-13).algorithm != "nufft"


def test_the_choice_is_the_same_every_time():
    half = s4d(64)
    names = {convolution_kernel(half, "0.01", 3000).algorithm for _ in range(5)}
    assert len(names) == 1


def test_a_kernel_that_is_small_at_the_sampled_lags_is_judged_by_what_comes_out():
    """K_0 = K_1 = 0 up to rounding beside large terms: no bound passes beforehand, the result decides."""
    pair = HalfSystem([-1e-9 + 1j, -1e-9 + 1.0000001j], [1, 1], [[1, -1]], multiplicity=[2, 2])
    kernel = convolution_kernel(pair, "0.1", 200, method="sampled", accuracy=1e-6)
    error, largest = error_of(kernel.values[0], modal_truth(pair, "sampled", "0.1", 200))
    assert error <= kernel.bound * largest <= 1e-6 * largest


def test_without_finufft_it_is_not_chosen_and_asking_for_it_says_what_to_install(monkeypatch):
    half = s4d(1024)
    fast = {"nufft, exponential": [1e-9] * len(ALGORITHMS["nufft"].work(Size("exponential", 4, 8)))}
    models = {**choice._coefficients(), **fast}
    monkeypatch.setattr(choice, "_coefficients", lambda: models)
    assert convolution_kernel(half, 0.001, 4096, accuracy=1e-8).algorithm == "nufft"
    monkeypatch.setitem(sys.modules, "finufft", None)
    assert convolution_kernel(half, 0.001, 4096, accuracy=1e-8).algorithm != "nufft"
    with pytest.raises(MissingDependencyError, match=r"hippo_theory\[fast\]"):
        convolution_kernel(half, 0.001, 4096, algorithm="nufft")


def test_a_zero_kernel_has_no_error():
    kernel = convolution_kernel(HalfSystem([-1 + 1j], [1], [[0]], multiplicity=[2]), 0.1, 9)
    assert kernel.bound == 0
    assert not kernel.values.any()


def test_growth_is_computed_until_it_overflows():
    growing = HalfSystem([0.5 + 2j], [1], [[1]], multiplicity=[2])
    for method in ("zoh", "bilinear"):
        kernel = convolution_kernel(growing, 0.1, 400, method=method)
        error, largest = error_of(kernel.values[0], modal_truth(growing, method, 0.1, 400))
        assert error <= kernel.bound * largest
        with pytest.raises(InputError, match="grows beyond"):
            convolution_kernel(growing, 0.1, 400_000, method=method)
    unstable = DenseSystem([[0.5]], [1.0], [[1.0]])
    assert math.isclose(
        convolution_kernel(unstable, 0.1, 100, accuracy=1e-6).values[0, -1], np.exp(0.05 * 99) * np.expm1(0.05) / 0.5
    )
    with pytest.raises(InputError, match="grows beyond"):
        convolution_kernel(unstable, 0.1, 100_000, algorithm="krylov")


HALF = HalfSystem([-1 + 1j], [1], [[1]], multiplicity=[2])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((HALF, 0.1, 0), {}, "`L` must be at least 1"),
        ((HALF, 0.1, 2.0), {}, "`L` must be an integer"),
        ((HALF, 0, 5), {}, "`dt` must lie between"),
        ((HALF, float("nan"), 5), {}, "finite|nan"),
        ((HALF, 0.1, 5), {"method": "tustin"}, "unknown method"),
        ((HALF, 0.1, 5), {"accuracy": 0}, "`accuracy` must be a positive"),
        ((HALF, 0.1, 5), {"accuracy": float("nan")}, "`accuracy` must be a positive"),
        ((HALF, 0.1, 5), {"algorithm": "fft"}, "unknown `algorithm` 'fft'; choose one of direct"),
        ((HALF, 0.1, 5), {"algorithm": "krylov"}, "choose one of direct, vandermonde, blocks, nufft"),
        ((HALF, 0.1, 5), {"algorithm": "nufft", "method": "bilinear"}, "choose one of direct, vandermonde, blocks$"),
        ((random_half(3, 5), 0.1, 5), {"algorithm": "nufft"}, "one real part"),
        ((HALF, 0.1, 2**21), {"algorithm": "direct"}, "at most 1048576"),
        ((DiagonalSystem([-1], [1]), 0.1, 5), {}, "an output C"),
        ((DiagonalSystem([-1], [1], [[1]], discrete=True), 0.1, 5), {}, "already discrete"),
        ((DiagonalSystem([1e300], [1], [[1]]), 0.1, 5), {}, "grows beyond"),
        ((DiagonalSystem([2.0], [1], [[1]]), 1, 5), {"method": "bilinear"}, "1/\\(alpha dt\\)"),
        ((DenseSystem([[-1]], [1], [[1]]), 0.1, 5), {"algorithm": "generating"}, "choose one of krylov, recurrence$"),
        ((np.eye(2), 0.1, 5), {}, "got ndarray"),
    ],
)
def test_bad_input_is_one_clear_line(arguments, options, message):
    with pytest.raises(InputError, match=message) as caught:
        convolution_kernel(*arguments, **options)
    assert "\n" not in str(caught.value)


def test_balls_are_refused():
    with balls(60).work() as ring, pytest.raises(InputError, match="holds balls"):
        convolution_kernel(DiagonalSystem(np.array([ring.number(-1)], dtype=object), [1], [[1]]), 0.1, 5)


# --- powers of multipliers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", ["0", "1/2", "0.7", "1"])
def test_powers_of_multipliers_are_within_their_bound_of_balls(alpha):
    random = np.random.default_rng(SEED)
    L, dt, exact = 2**18, Fraction("0.01"), Fraction(alpha)
    frequencies = np.exp(random.uniform(-3, 1, 12))
    Lambda = -np.exp(random.uniform(-12, 3, 12)) - 0.01 * frequencies**2 + 1j * frequencies
    powers = multiplier_powers(Lambda, dt, exact, L)
    assert powers.bound < 4 * 2.0**-53
    table, table_bound = powers.table(slice(2, 9), 8, 13)
    with balls(300).work() as ring:
        for j, rate in enumerate(Lambda):
            x = ring.number(complex(rate)) * ring.number(dt)
            z = (1 + ring.number(1 - exact) * x) / (1 - ring.number(exact) * x)
            for k, factor in enumerate(powers.factors[:, j]):
                assert abs(ring.number(complex(factor)) - z ** (2**k)) <= powers.bound
            if 2 <= j < 9:
                for i, value in enumerate(table[:, j - 2]):
                    assert abs(ring.number(complex(value)) - z ** (8 * i)) <= table_bound
    assert table_bound < 20 * 2.0**-53


def test_multipliers_that_cannot_be_had_are_refused():
    with pytest.raises(InputError, match="is 0 for alpha"):
        multiplier_powers([2.0], 1, 0.5, 4)
    with pytest.raises(InputError, match="beyond 2"):
        multiplier_powers([3.0], 1, 0, 2**12)
    with pytest.raises(InputError, match="above 2"):
        multiplier_powers([1e80], 1, 0, 2)


def test_nonuniform_kernels_return_the_same_read_only_value():
    kernel = nonuniform_kernel([-0.5 + 3j], [0.5], 0.01, 100)
    assert (kernel.algorithm, kernel.kind, kernel.values.flags.writeable) == ("blocks", "proved", False)


# --- the cost models ---------------------------------------------------------------------------------------------------


MODELS = [tuple(key.split(", ")) for key in choice._coefficients()]


@pytest.mark.parametrize(("name", "family"), MODELS)
def test_predicted_times_are_positive_finite_and_grow(name, family):
    coefficients = choice._coefficients()[f"{name}, {family}"]
    assert len(coefficients) == len(ALGORITHMS[name].work(Size(family, 3, 5)))
    assert all(value >= 0 for value in coefficients)
    for N in (1, 7, 300, 8192):
        times = [predicted_seconds(name, Size(family, N, L)) for L in (1, 2, 17, 100, 5000, 2**20)]
        assert all(1e-6 < value < math.inf for value in times)
        assert times[-1] > times[0]
    assert predicted_seconds(name, Size(family, 8192, 4096)) > predicted_seconds(name, Size(family, 1, 4096))


def test_every_algorithm_has_a_model_wherever_it_can_run():
    modal = {(name, family) for name in MODAL for family in ("exponential", "rational")} - {("nufft", "rational")}
    families = ("bilinear", "dense exponential", "dense rational")
    states = {(name, family) for name in ("krylov", "recurrence") for family in families}
    assert set(MODELS) == modal | states | {("generating", "bilinear")}
    with pytest.raises(InputError, match="no cost model"):
        predicted_seconds("nufft", Size("bilinear", 2, 2))


def test_a_fit_finds_the_coefficients_that_made_the_times():
    truth = np.array([1e-4, 3e-7, 2e-9, 1e-10])
    sizes = [Size("exponential", N, L) for N in (1, 30, 900) for L in (20, 300, 9000)]
    work = ALGORITHMS["direct"].work
    measurements = [crossovers.Measurement(size, {"direct": float(truth @ work(size))}) for size in sizes]
    (found,) = crossovers.fit_models(measurements).values()
    predicted = np.array([np.dot(found, work(size)) for size in sizes])
    times = np.array([row.seconds["direct"] for row in measurements])
    assert np.abs(predicted / times - 1).max() < 0.01  # coefficients are kept to 4 digits


def test_the_sizes_of_the_check_are_not_those_of_the_fit():
    fitted = {(point.N, point.L) for point in crossovers.fitting_points()}
    assert not fitted & {(point.N, point.L) for point in crossovers.HELD_OUT}
    assert {point.family for point in crossovers.HELD_OUT} == {family for _, family in MODELS}


def test_regret_compares_the_choice_with_the_best():
    points = [crossovers.Point("exponential", 5, 77, True), crossovers.Point("bilinear", 3, 20)]
    for row in crossovers.choice_regret(points, budget=0.01):
        assert row.ratio == row.seconds / row.best_seconds >= 1
        assert row.chosen in ALGORITHMS
        assert row.best in ALGORITHMS


def test_writing_the_models(tmp_path):
    point = crossovers.Point("exponential", 2, 20)
    crossovers.write_models(tmp_path / "models.json", [crossovers.measure(point, budget=0.01, repeats=3)])
    text = (tmp_path / "models.json").read_text(encoding="utf-8")
    assert '"blocks, exponential"' in text
    assert '"blas_threads"' in text


@pytest.mark.parametrize("method", ["zoh", "bilinear"])
def test_bounds_hold_for_slowly_damped_rotations(method):
    """Skew matrices minus g I: every rounding of Abar lives for 1/(g dt) steps."""
    rng = np.random.default_rng(3)
    for _ in range(8):
        N, L = int(rng.choice([2, 5, 8])), 1000
        skew = rng.standard_normal((N, N)) * 10.0 ** rng.uniform(-1, 3)
        A = skew - skew.T - 10.0 ** rng.uniform(-4, 0) * np.eye(N)
        B, C, dt = rng.standard_normal(N), rng.standard_normal(N), 2.0 ** rng.integers(-9, 1)
        lags = [0, 1, 500, 999]
        truth = rotated(A, B, C, method, dt, lags)
        for algorithm in ("krylov", "recurrence"):
            found = convolution_kernel(DenseSystem(A, B, C[None]), dt, L, method=method, algorithm=algorithm)
            error = np.abs(found.values[0, lags] - truth).max() / np.abs(found.values).max()
            assert error <= found.bound, (algorithm, N, dt)


def rotated(A, B, C, method, dt, lags):
    """C Abar^l Bbar of float parameters, certified: the exponential of the augmented matrix, or a solve."""
    with balls(300).work():
        N, h = len(B), arb(float(dt))
        matrix = acb_mat([[acb(float(a)) for a in row] for row in A])
        column = acb_mat([[acb(float(b))] for b in B])
        identity = acb_mat(N, N, [acb(n == k) for n in range(N) for k in range(N)])
        if method == "bilinear":
            left = identity - matrix * (h / 2)
            Abar, Bbar = left.solve(identity + matrix * (h / 2)), left.solve(column * h)
        else:
            rows = [[matrix[n, k] * h for k in range(N)] + [column[n, 0] * h] for n in range(N)]
            power = acb_mat([*rows, [acb(0)] * (N + 1)]).exp()
            Abar = acb_mat([[power[n, k] for k in range(N)] for n in range(N)])
            Bbar = acb_mat([[power[n, N]] for n in range(N)])
        row = acb_mat([[acb(float(c)) for c in C]])
        return np.array([float((row * Abar**lag * Bbar)[0, 0].real.mid()) for lag in lags])


def test_a_kernel_of_subnormal_numbers_has_no_relative_bound():
    tiny = HalfSystem([-1.0], [1.0], [[3e-322]], multiplicity=[2])
    with pytest.raises(CertificationError):
        convolution_kernel(tiny, 1.0, 5, method="sampled", accuracy=1e-3)
    assert convolution_kernel(tiny, 1.0, 5, method="sampled", algorithm="direct").bound == math.inf


def test_a_certified_kernel_of_a_huge_rate_is_no_matter_of_memory():
    values = certified_kernel(([-1e15 + 0j], [1.0]), range(601), 20)
    assert float(values[0]) == 2.0 and float(values[600]) == 0.0
