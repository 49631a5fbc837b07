"""Every discretization: its order fitted, its stability region sampled, its map of eigenvalues, and all types of system."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.linalg
import scipy.signal
from flint import acb
from mpmath.ctx_mp import MPContext

from hippo_theory.arithmetic import balls
from hippo_theory.convergence import plan_study
from hippo_theory.decompositions import diagonal_restriction, normal_plus_low_rank
from hippo_theory.discretizations import (
    DISCRETIZATIONS,
    METHODS,
    Discretization,
    discretize,
    discretize_dense,
    discretize_system,
    find_discretization,
    find_method,
    generalized_bilinear,
)
from hippo_theory.errors import InputError
from hippo_theory.families import LegS
from hippo_theory.kernels import full_kernel
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
)

EPS = np.finfo(np.float64).eps
ALL = [*DISCRETIZATIONS.values(), generalized_bilinear("1/4"), generalized_bilinear("2/3")]
WITH_ALPHA = [method for method in ALL if method.alpha is not None]
by_name = pytest.mark.parametrize("method", ALL, ids=lambda method: method.name)
rng = np.random.default_rng(5)

MIXED = DiagonalSystem([-0.5 + 3j, -0.7, -0.5 - 3j, 0.0], [1 + 1j, 2, 1 - 1j, 1], [[1, 1j, 1, 2]])


def same(left, right, tolerance):
    """All arrays of two systems agree to the tolerance times the largest entry of theirs."""
    assert type(left) is type(right)
    assert left.discrete == right.discrete
    pairs = [(getattr(left, name), getattr(right, name)) for name in ("A", "Lambda", "B", "C") if hasattr(left, name)]
    return all(abs(x - y).max() <= tolerance * max(1e-300, abs(y).max()) for x, y in pairs if y is not None)


# --- order -------------------------------------------------------------------------------------------------------------

A = np.array([[-1.0, 2.0], [-2.0, -0.5]])
B = np.array([1.0, -1.0])
START = np.array([1.0, 0.5])
TIME, FREQUENCY = 2, 3.0
STEPS = [2**k for k in range(8, 12)]


def run(method, count, start, place):
    """The state at TIME after `count` steps with the input cos(FREQUENCY t), read at (l - place) dt."""
    system = discretize_system(DenseSystem(A, B), method, Fraction(TIME, count))
    state, dt = start.copy(), TIME / count
    for step in range(1, count + 1):
        drive = 0.0 if place is None else math.cos(FREQUENCY * (step - place) * dt)
        state = system.A @ state + system.B * drive
    return state


def truth(driven):
    """e^(A T) x_0, or the driven state, as one exponential of system and oscillator together."""
    if not driven:
        return scipy.linalg.expm(A * TIME) @ START
    both = np.zeros((4, 4))
    both[:2, :2], both[:2, 2] = A, B
    both[2, 3], both[3, 2] = -FREQUENCY, FREQUENCY
    return (scipy.linalg.expm(both * TIME) @ np.array([0.0, 0.0, 1.0, 0.0]))[:2]


def fitted_order(method, driven, place):
    start = np.zeros(2) if driven else START
    errors = [np.linalg.norm(run(method, count, start, place) - truth(driven)) for count in STEPS]
    return -np.polyfit(np.log2(STEPS), np.log2(errors), 1)[0], max(errors)


@by_name
def test_the_order_of_the_free_motion(method):
    order, largest = fitted_order(method, False, None)
    if method.order == math.inf:
        assert largest <= 64 * STEPS[-1] * EPS  # c = 64: exact but for the rounding of each step
    else:
        assert abs(order - method.order) < 0.1


@by_name
def test_the_order_of_the_driven_motion(method):
    assert abs(fitted_order(method, True, 0.5)[0] - method.driven_order) < 0.1
    assert abs(fitted_order(method, True, 0.0)[0] - 1) < 0.1  # read at the end of the step: as the docstring says


def test_the_fit_of_orders_can_fail():
    assert abs(fitted_order(find_discretization("bilinear"), False, None)[0] - 1) > 0.5
    bent = generalized_bilinear("0.501")  # relative change 2e-3 of alpha: the leading error does not vanish any more
    assert not abs(fitted_order(bent, False, None)[0] - 2) < 0.1


# --- stability ---------------------------------------------------------------------------------------------------------


@by_name
def test_the_stability_region_by_sampling_the_map(method):
    real, imaginary = np.meshgrid(np.linspace(-9.05, 9.05, 183), np.linspace(-9.05, 9.05, 183))
    points = (real + 1j * imaginary).ravel()
    size = np.abs(method.multiplier(points))
    inside = np.array([method.is_stable(x) for x in points])
    clear = np.abs(size - 1) > 1e-9
    assert clear.mean() > 0.95
    assert (inside == (size < 1))[clear].all()
    assert 0 < inside.mean() < 1
    left = points.real < 0
    assert bool(inside[left].all()) == method.is_a_stable
    if "half-plane" in method.region:
        assert (inside == left).all()
    else:
        center, radius = (float(Fraction(method.region.split()[-4])), float(Fraction(method.region.split()[-1])))
        disc = np.abs(points - center) < radius
        assert (inside == (disc if "open disc" in method.region else ~disc))[clear].all()


def test_regions_and_equations_in_words():
    assert DISCRETIZATIONS["backward_euler"].region == "outside the closed disc around 1 of radius 1"
    assert DISCRETIZATIONS["zoh"].region == "the left half-plane Re x < 0"
    assert generalized_bilinear("1/4").region == "the open disc around -2 of radius 2"
    assert all(method.equation and not math.isnan(method.order) for method in ALL)
    assert all(not method.is_stable(0.0) for method in ALL)  # the boundary


@by_name
def test_a_stable_step_makes_a_stable_system(method):
    legs = LegS(8)  # eigenvalues -1, ..., -8
    for step in ("0.2", "0.3", "1.1"):
        discrete = discretize_system(DenseSystem(legs.A, legs.B), method, step)
        radius = abs(np.linalg.eigvals(discrete.A)).max()
        assert (radius < 1) == all(method.is_stable(-(n + 1) * float(step)) for n in range(8))


@by_name
def test_the_map_of_eigenvalues(method):
    """LegS is triangular, and so is every function of it: the eigenvalues are read off exactly."""
    legs = LegS(6)
    found = discretize_system(DenseSystem(legs.A, legs.B), method, "0.05").A.diagonal()
    assert abs(found - method.multiplier(-0.05 * np.arange(1, 7))).max() <= 64 * EPS  # c = 64, scale 1


# --- systems -----------------------------------------------------------------------------------------------------------


@by_name
@pytest.mark.parametrize("step", ["0.01", "0.3"])
def test_dense_and_diagonal_agree_under_change_of_basis(method, step):
    """Tolerance c x scale x eps, c = 64 cond(V)."""
    V = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    left = discretize_system(change_of_basis(MIXED, V), method, step)
    right = change_of_basis(discretize_system(MIXED, method, step), V)
    assert same(left, right, 64 * np.linalg.cond(V) * EPS)
    wrong = change_of_basis(discretize_system(MIXED, method, str(float(step) * (1 + 1e-6))), V)
    assert not same(left, wrong, 64 * np.linalg.cond(V) * EPS)


@pytest.mark.parametrize("method", WITH_ALPHA, ids=lambda method: method.name)
@pytest.mark.parametrize("N", [1, 4, 7])
def test_low_rank_systems_stay_low_rank(method, N):
    system = normal_plus_low_rank(LegS(N)).to_system()
    discrete = discretize_system(system, method, "0.05")
    assert isinstance(discrete, DiagonalPlusLowRankSystem)
    assert discrete.discrete and discrete.rank == 1
    dense = discretize_system(to_dense(system), method, "0.05")
    assert same(to_dense(discrete), dense, 64 * N * EPS)  # c = 64 N
    half = discretize_system(conjugate_half(system_without_output(system)), method, "0.05")
    assert isinstance(half, HalfSystem)
    real = discretize_system(real_form(conjugate_half(system_without_output(system))), method, "0.05")
    assert same(real_form(half), real, 64 * N * EPS)


def system_without_output(system):
    return DiagonalPlusLowRankSystem(system.Lambda, system.P, system.B)


def test_two_low_rank_columns_with_different_factors():
    P, Q = (rng.normal(size=(5, 2)) + 1j * rng.normal(size=(5, 2)) for _ in range(2))
    system = DiagonalPlusLowRankSystem(-1 + 1j * rng.normal(size=5), P, rng.normal(size=5), Q=Q)
    for method in WITH_ALPHA:
        dense = discretize_system(to_dense(system), method, "0.02")
        assert same(to_dense(discretize_system(system, method, "0.02")), dense, 256 * EPS)  # c = 256


@by_name
def test_halves_of_diagonal_systems(method):
    half = HalfSystem([-0.5 + 3j, -0.7], [1 + 1j, 2], [[1, 2]], multiplicity=[2, 1])
    discrete = discretize_system(half, method, "0.1")
    assert (discrete.multiplicity == half.multiplicity).all()
    assert same(conjugate_full(discrete), discretize_system(conjugate_full(half), method, "0.1"), 4 * EPS)


@by_name
def test_kernels_in_balls_are_those_of_the_dense_system(method):
    """c = 64 N: backward stable solves and exponentials; the system keeps the step in B."""
    legs = LegS(5)
    kernel = discretize(full_kernel(legs, 3, balls(200)), method, "0.1")
    state, drive = discretize_dense(legs.A, legs.B, method, "0.1")
    system = discretize_system(DenseSystem(legs.A, legs.B), method, "0.1")
    for lag in range(6):
        assert abs(float(kernel(lag)) - drive[3]) <= 64 * 5 * EPS * abs(drive).max()
        drive = state @ drive
    assert abs(system.B - 0.1 * discretize_dense(legs.A, legs.B, method, "0.1")[1]).max() <= 4 * EPS * abs(drive).max()


@pytest.mark.parametrize(
    ("method", "name", "options"),
    [
        ("zoh", "zoh", {}),
        ("bilinear", "bilinear", {}),
        ("forward_euler", "euler", {}),
        ("backward_euler", "backward_diff", {}),
        (generalized_bilinear("0.3"), "gbt", {"alpha": 0.3}),
    ],
)
def test_scipy_agrees(method, name, options):
    legs = LegS(6)
    found = discretize_system(DenseSystem(legs.A, legs.B), method, "0.1")
    theirs = scipy.signal.cont2discrete((legs.A, legs.B[:, None], np.eye(6), np.zeros((6, 1))), 0.1, name, **options)
    assert abs(found.A - theirs[0]).max() <= 64 * 6 * EPS * abs(theirs[0]).max()  # c = 64 N
    assert abs(found.B - theirs[1][:, 0]).max() <= 64 * 6 * EPS * abs(theirs[1]).max()


# --- small and large arguments -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [0.0, 1e-300, -1e-12, 1e-12j, -3e-9 + 4e-9j, -1e-4, -0.3 + 2j, -700.0])
def test_the_gain_of_zero_order_hold_near_zero(x):
    """(e^x - 1)/x to 4 eps, where e^x - 1 in floats would lose everything."""
    context = MPContext()
    context.dps = 60
    exact = complex(context.expm1(context.mpmathify(x)) / context.mpmathify(x)) if x else 1.0
    gain = DISCRETIZATIONS["zoh"].gain
    for found in (gain(np.array([x]))[0], gain(np.array([x, 1.0]))[0]):
        assert abs(found - exact) <= 4 * EPS * abs(exact)
    if x == -1e-12:
        assert abs((np.exp(x) - 1) / x - exact) > 1e-6  # the check can fail


@pytest.mark.parametrize("scale", [0.0, 1e-12, 1e-300])
def test_zero_order_hold_of_a_vanishing_matrix(scale):
    """Bbar = dt (I + A dt/2 + ...) B."""
    found = discretize_system(DenseSystem(scale * A, B), "zoh", "0.5")
    series = 0.5 * (B + 0.25 * scale * A @ B)
    assert abs(found.B - series).max() <= 4 * EPS
    assert abs(found.A - np.eye(2) - 0.5 * scale * A).max() <= 4 * EPS
    diagonal = discretize_system(DiagonalSystem([scale, -scale], [1, 1]), "zoh", "0.5")
    assert abs(diagonal.B - 0.5 * np.array([1 + scale / 4, 1 - scale / 4])).max() <= EPS


def test_zero_order_hold_of_the_double_integrator():
    found = discretize_system(DenseSystem([[0, 1], [0, 0]], [0, 1]), "zoh", "0.5")
    assert (found.A == [[1, 0.5], [0, 1]]).all()
    assert (found.B == [0.125, 0.5]).all()


def test_a_large_input_vector_does_not_cost_digits():
    small, large = (discretize_system(DenseSystem(A, size * B), "zoh", "0.1") for size in (1.0, 2.0**60))
    assert (large.B == 2.0**60 * small.B).all()
    assert (large.A == small.A).all()


@by_name
@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.float64, np.complex128])
def test_maps_keep_the_dtype(method, dtype):
    """And carry a few roundings of it: c = 8 for abs(x) <= 2."""
    x = np.linspace(-2, 0.25, 40).astype(dtype)
    if np.iscomplexobj(x):
        x = (x * np.exp(0.5j)).astype(dtype)
    wide = x.astype(np.complex128)
    for function in (method.multiplier, method.gain):
        found = function(x)
        assert found.dtype == dtype
        assert (abs(found - function(wide)) <= 8 * np.finfo(dtype).eps * np.maximum(1, abs(function(wide)))).all()


@by_name
def test_balls_and_floats_agree_on_the_maps(method):
    with balls(120).work():
        for x in (-0.25 + 0.5j, -2.0 + 0j, -1e-9 + 0j):
            for function in (method.multiplier, method.gain):
                assert abs(complex(function(acb(x))) - function(np.array([x]))[0]) <= 8 * EPS


# --- what is offered and what is refused -------------------------------------------------------------------------------


def test_the_experiment_offers_what_it_did():
    assert list(METHODS) == ["zoh", "bilinear", "sampled"]
    assert plan_study(sizes=[8]).methods == ("continuous", "zoh", "bilinear", "sampled")
    with pytest.raises(InputError, match="unknown method 'forward_euler'; choose one of zoh, bilinear, sampled"):
        find_method("forward_euler")
    assert {name for name, method in DISCRETIZATIONS.items() if not method.compared} == {
        "forward_euler",
        "backward_euler",
    }
    method = generalized_bilinear("1/4")
    assert find_discretization(method) is method
    assert isinstance(find_discretization("backward_euler"), Discretization)


@pytest.mark.parametrize("alpha", ["-0.1", 2, math.nan, "x"])
def test_bad_alpha(alpha):
    with pytest.raises(InputError, match=r"`alpha` must lie in|is not a number"):
        generalized_bilinear(alpha)


def test_bad_requests():
    diagonal = diagonal_restriction(LegS(4)).to_system()
    low_rank = normal_plus_low_rank(LegS(4)).to_system()
    with pytest.raises(InputError, match=r"unknown method 'tustin'; choose one of .* or pass generalized_bilinear"):
        discretize_system(diagonal, "tustin", 1)
    with pytest.raises(InputError, match="`step` must be positive"):
        discretize_system(diagonal, "zoh", 0)
    with pytest.raises(InputError, match="already discrete"):
        discretize_system(discretize_system(diagonal, "zoh", 1), "zoh", 1)
    for method in ("zoh", "sampled"):
        with pytest.raises(InputError, match="not diagonal plus low rank; pass to_dense"):
            discretize_system(low_rank, method, 1)
    with pytest.raises(InputError, match="holds balls"):
        discretize_system(DiagonalSystem(np.array([acb(-1)], dtype=object), [1]), "zoh", 1)
    for system in (DiagonalSystem([2.0], [1]), DenseSystem([[2.0]], [1])):
        with pytest.raises(InputError, match=r"does not exist at `step` = 1: .* take a smaller step"):
            discretize_system(system, "bilinear", 1)
    with pytest.raises(InputError, match="take a smaller step"):
        discretize_system(DiagonalSystem([1e4], [1]), "zoh", 1)
