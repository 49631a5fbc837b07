"""The H-infinity norm of any system: closed forms, certified norms, grids, spikes, and what is refused."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import scipy.linalg
from flint import acb, acb_mat

from hippo_theory.arithmetic import balls
from hippo_theory.decompositions import diagonal_restriction, full_system, normal_plus_low_rank
from hippo_theory.discretizations import discretize_system
from hippo_theory.errors import CertificationError, InputError
from hippo_theory.families import LegS
from hippo_theory.norms import difference_system, hinf_norm
from hippo_theory.norms import largest_gain as function
from hippo_theory.norms.largest_gain import _bounded_real_form, _is_above, _is_negative, _proved_gain
from hippo_theory.systems import (
    DenseSystem,
    DiagonalSystem,
    HalfSystem,
    change_of_basis,
    conjugate_full,
    real_form,
    to_dense,
    transfer_function,
)

EPS = np.finfo(np.float64).eps

both_times = pytest.mark.parametrize("discrete", [False, True], ids=["continuous", "discrete"])
both_forms = pytest.mark.parametrize("form", [lambda system: system, to_dense], ids=["diagonal", "dense"])


def random_system(seed, N=6, K=2, discrete=False, real=False):
    rng = np.random.default_rng(seed)
    values = -0.1 - rng.random(N) + (0 if real else 3j * rng.normal(size=N))
    vectors = [rng.normal(size=shape) + (0 if real else 1j * rng.normal(size=shape)) for shape in (N, (K, N))]
    return DiagonalSystem(np.exp(values) if discrete else values, *vectors, discrete=discrete)


def contains(found, truth, tolerance=1e-7):
    """Both bounds, and that they are as close as they were to be."""
    assert found.kind == "float64"
    assert found.why is None
    assert found.lower <= truth <= found.upper <= truth * (1 + 2 * tolerance)
    assert found.lower >= truth * (1 - tolerance)
    return True


# --- closed forms ------------------------------------------------------------------------------------------------------


@both_forms
@pytest.mark.parametrize("a", [1e-9, 0.3, 1.0, 7e12])
def test_one_pole(form, a):
    found = function(form(DiagonalSystem([-a], [1], [[1]])))
    assert contains(found, 1 / a)
    assert found.frequency == 0


@both_forms
def test_one_complex_pole(form):
    """b c / (s - lambda): abs(b c / Re lambda) at Im lambda, on one side only."""
    found = function(form(DiagonalSystem([-0.25 - 3j], [2j], [[1 + 1j], [1]])))
    assert contains(found, 8 * math.sqrt(3))
    assert abs(found.frequency + 3) <= 1e-3


@pytest.mark.parametrize("damping", [1e-5, 0.01, 0.5])
def test_resonance(damping):
    """1/(s^2 + 2 z s + 1): 1/(2 z sqrt(1 - z^2)) at w^2 = 1 - 2 z^2; the spike of the first has the width 1e-5."""
    found = function(DenseSystem([[0, 1], [-1, -2 * damping]], [0, 1], [[1, 0]]))
    assert contains(found, 1 / (2 * damping * math.sqrt(1 - damping**2)))
    assert abs(found.frequency**2 - (1 - 2 * damping**2)) <= 1e-3 * damping
    overdamped = function(DenseSystem([[0, 1], [-1, -2]], [0, 1], [[1, 0]]))
    assert contains(overdamped, 1)


@both_forms
@pytest.mark.parametrize("pole", [0.9, -0.9, 0.9j, 0.6 - 0.6j])
def test_geometric_sum(form, pole):
    """sum of a^l z^-l: 1/(1 - abs(a)) at z = a/abs(a)."""
    found = function(form(DiagonalSystem([pole], [1], [[1]], discrete=True)))
    assert contains(found, 1 / (1 - abs(pole)))
    assert abs(np.exp(1j * found.frequency) - pole / abs(pole)) <= 1e-4


def test_a_delay_line():
    """Nilpotent, discrete: z^-3 has the gain 1 everywhere; with a second tap 1 + z^-2 reaches 2."""
    shift = np.eye(4, k=-1)
    assert contains(function(DenseSystem(shift, [1, 0, 0, 0], [[0, 0, 0, 1]], discrete=True)), 1)
    assert contains(function(DenseSystem(shift, [1, 0, 0, 0], [[0, 1, 0, 1]], discrete=True)), 2)


def test_outputs_are_measured_together():
    """(3, 4)/(s + 1)."""
    system = DenseSystem(np.diag([-1.0, -1.0]), [3, 4], np.eye(2))
    assert contains(function(system), 5)
    assert contains(function(DenseSystem(np.diag([-1.0, -1.0]), [3, 4])), 5)  # C = None is the identity


# --- the certified norm of the difference from LegS ---------------------------------------------------------------------


def legs_difference(N, component, method="continuous", step=None):
    forms = full_system(LegS(N)).to_system(), diagonal_restriction(LegS(N)).to_system()
    if step is not None:
        forms = [discretize_system(form, method, step) for form in forms]
    both = difference_system(*forms)
    return DenseSystem(both.A, both.B, both.C[component : component + 1], discrete=both.discrete)


@pytest.mark.parametrize(
    ("N", "component", "method", "step"),
    [
        (1, 0, "continuous", None),
        (1, 0, "bilinear", "0.1"),
        (5, 0, "continuous", None),
        (5, 4, "continuous", None),
        (16, 3, "continuous", None),
        (5, 2, "bilinear", "0.5"),
        (16, 3, "bilinear", "0.1"),
        (5, 2, "zoh", "0.1"),
        (16, 0, "zoh", "0.01"),
        (12, 11, "zoh", "1"),
    ],
)
def test_the_certified_norm_of_the_difference(N, component, method, step):
    """c = 1e4 N^2 eps for the rounding of A (to its size N^2, in units of the distance 1/2 of the poles) and of the method."""
    truth = float(hinf_norm(LegS(N), component, 15, method, step).value)
    found = function(legs_difference(N, component, method, step))
    slack = 1e4 * N**2 * EPS * truth
    assert found.kind == "float64"
    assert found.lower - slack <= truth <= found.upper + slack
    assert found.upper <= found.lower * (1 + 1.1e-7)


@pytest.mark.heavy
@pytest.mark.parametrize(("method", "step"), [("continuous", None), ("zoh", "0.1"), ("bilinear", "0.1")])
@pytest.mark.parametrize("component", [0, 5])
def test_the_spike_at_64_states(component, method, step):
    truth = hinf_norm(LegS(64), component, 15, method, step)
    found = function(legs_difference(64, component, method, step), 1e-5)
    assert found.kind == "float64"
    assert found.lower <= float(truth.value) <= found.upper <= found.lower * 1.002


def test_a_spike_narrower_than_a_grid():
    """The spike of LegS with 24 states, of width 1/2 at 24^2/pi: no multiple of 8 is near; found from frequency 0 alone."""
    found = function(legs_difference(24, 0))
    assert abs(abs(found.frequency) - (24**2 / math.pi - math.pi / 6)) < 0.1
    grid = np.linspace(-400, 400, 101)
    assert np.abs(transfer_function(legs_difference(24, 0), 1j * grid)).max() < 0.9 * found.lower


# --- any system ---------------------------------------------------------------------------------------------------------


@both_times
@both_forms
@pytest.mark.parametrize(("seed", "real"), [(1, False), (2, False), (3, True), (4, True)])
def test_a_dense_grid_stays_below_and_comes_near(discrete, form, seed, real):
    system = random_system(seed, discrete=discrete, real=real)
    found = function(form(system))
    if discrete:
        grid = np.exp(1j * np.linspace(-np.pi, np.pi, 20001))
    else:
        grid = 1j * np.concatenate([np.linspace(-20, 20, 20001), found.frequency + np.linspace(-1e-3, 1e-3, 101)])
    values = np.linalg.norm(transfer_function(system, grid), axis=-1)
    assert found.kind == "float64"
    assert values.max() <= found.upper
    assert values.max() >= found.lower * (1 - 1e-5)  # a curvature of order one and the spacing of the grid
    attained = transfer_function(system, np.exp(1j * found.frequency) if discrete else 1j * found.frequency)
    assert found.lower <= np.linalg.norm(attained) * (1 + 64 * EPS)
    assert found.lower >= np.linalg.norm(attained) * (1 - 1e-9)
    assert not real or found.frequency >= 0


@both_times
def test_the_lower_bound_is_below_the_gain_in_balls(discrete):
    """In 200 bits, at e^(iw) exactly on the circle. It is near where A is not too ill-conditioned: c = 1024 is 40 units of
    2 (N + 8) eps.
    """
    system = random_system(5, N=5, K=1, discrete=discrete)
    for form in (
        system,
        *(change_of_basis(system, scipy.linalg.hilbert(5) + ridge * np.eye(5)) for ridge in (1, 1e-3, 0)),
    ):
        dense = to_dense(form)
        for frequency in (0.0, 0.7, -2.3):
            with balls(200).work():
                s = acb(0, frequency).exp() if discrete else acb(0, frequency)
                A = acb_mat([[acb(complex(x)) for x in row] for row in dense.A])
                states = (s * acb_mat(5, 5, [int(i == j) for i in range(5) for j in range(5)]) - A).solve(
                    acb_mat([[acb(complex(x))] for x in dense.B])
                )
                gain = float(abs(sum(acb(complex(c)) * states[i, 0] for i, c in enumerate(dense.C[0]))))
            bound = _proved_gain(DenseSystem(dense.A, dense.B, dense.C, discrete=discrete), frequency)
            assert gain * (1 - 1024 * EPS * np.linalg.cond(dense.A) ** 2) <= bound <= gain


def test_a_gain_next_to_a_pole_is_not_bounded_from_below():
    """A is singular to rounding, so that its inverse says nothing of the gain at frequency 0."""
    for N in (1, 14):
        A = scipy.linalg.hilbert(N) if N > 1 else np.zeros((1, 1))
        assert _proved_gain(DenseSystem(A, np.ones(N), np.ones((1, N))), 0.0) == 0


@pytest.mark.parametrize("N", range(8, 20))
def test_a_gain_of_an_inverse_without_digits_is_not_called_proved(N):
    """C = (0, .., 0, 1) A of a float Hilbert matrix: C A^-1 B is exactly B_N, here 0, whatever x is computed."""
    A = scipy.linalg.hilbert(N)
    B = np.append(np.ones(N - 1), 0)
    assert _proved_gain(DenseSystem(A, B, A[-1:]), 0.0) == 0


@both_times
def test_coordinates_do_not_matter(discrete):
    system = random_system(6, discrete=discrete)
    other = change_of_basis(system, np.eye(6) + 0.3 * np.random.default_rng(0).normal(size=(6, 6)))
    one, two = function(system), function(other)
    assert max(one.lower, two.lower) <= min(one.upper, two.upper) * (1 + 1e-10)


@pytest.mark.parametrize("method_step", [0.1, 2.0])
def test_the_bilinear_map_carries_the_axis_to_the_circle(method_step):
    """The transfer function becomes (1 + s step/2) G(s) at s = (2/step)(z-1)/(z+1): the largest value of this on a grid."""
    system = random_system(7, N=3, K=1)
    found = function(discretize_system(system, "bilinear", method_step))
    grid = np.tan(np.linspace(-np.pi / 2, np.pi / 2, 40001)[1:-1]) * 2 / method_step
    weighted = np.abs(transfer_function(system, 1j * grid)[:, 0] * (1 + 1j * grid * method_step / 2))
    assert weighted.max() <= found.upper * (1 + 1e-12)
    assert weighted.max() >= found.lower * (1 - 1e-5)


@both_times
@both_forms
@pytest.mark.parametrize("exponents", [(-500, 0), (600, 0), (0, -600), (0, 500), (-500, 600)])
def test_powers_of_two_change_nothing(discrete, form, exponents):
    system = random_system(8, discrete=discrete)
    scaled = DiagonalSystem(
        system.Lambda, system.B * 2.0 ** exponents[0], system.C * 2.0 ** exponents[1], discrete=discrete
    )
    plain, found = function(form(system)), function(form(scaled))
    factor = 2.0 ** sum(exponents)
    assert (found.lower, found.upper) == (factor * plain.lower, factor * plain.upper)
    assert found.frequency == plain.frequency
    with pytest.raises(CertificationError, match="does not fit into float64; scale B or C"):
        function(form(DiagonalSystem(system.Lambda, system.B * 2.0**900, system.C * 2.0**900, discrete=discrete)))


@both_forms
@pytest.mark.parametrize("exponent", [-700, -20, 40, 700])
def test_units_of_time_change_only_the_frequency(form, exponent):
    system = random_system(9)
    scaled = DiagonalSystem(system.Lambda * 2.0**exponent, system.B * 2.0**exponent, system.C)
    plain, found = function(form(system)), function(form(scaled))
    assert (found.lower, found.upper) == (plain.lower, plain.upper)
    assert found.frequency == plain.frequency * 2.0**exponent


def test_entries_beyond_scaling_are_refused():
    """Two poles of gain 1 each: if the smaller entries of B or A were lost, 1 would be called proved where it is 2."""
    wide = DiagonalSystem([-(2.0**600), -(2.0**-600)], [2.0**600, 2.0**-600], [[1, 1]])
    with pytest.raises(CertificationError, match="entries of `A` differ by more than 1e200"):
        function(wide)
    for name, system in (
        ("B", DiagonalSystem([-1.0, -2.0], [2.0**600, 2.0**-600], [[2.0**-600, 2.0**600]])),
        ("C", DiagonalSystem([-1.0, -2.0], [1, 1], [[2.0**-600, 2.0**600]])),
    ):
        with pytest.raises(CertificationError, match=f"entries of `{name}` differ"):
            function(system)


@both_forms
def test_a_stiff_system(form):
    """Two poles of gain 1 each, 60 octaves apart: the lower bound, entry by entry, does not suffer from it."""
    found = function(form(DiagonalSystem([-(2.0**30), -(2.0**-30)], [2.0**30, 2.0**-30], [[1, 1]])))
    assert 2 * (1 - 256 * EPS) <= found.lower <= 2 <= found.upper


def test_every_form_of_one_system():
    half = HalfSystem([-0.5 + 3j, -0.7], [1 + 1j, 2], [[1, 2]], multiplicity=[2, 1])
    found = [function(form) for form in (half, conjugate_full(half), real_form(half))]
    assert found[0].lower == found[1].lower
    assert max(one.lower for one in found) <= min(one.upper for one in found)
    assert found[2].frequency >= 0
    legs = function(normal_plus_low_rank(LegS(6)).to_system())
    dense = function(full_system(LegS(6)).to_system())
    assert max(legs.lower, dense.lower) <= min(legs.upper, dense.upper) * (1 + 1e-12)


@both_times
def test_nothing_is_zero(discrete):
    poles = [-0.5, -0.25]
    for B, C in (([0, 0], [[1, 1]]), ([1, 1], [[0, 0]])):
        found = function(DiagonalSystem(poles, B, C, discrete=discrete))
        assert (found.lower, found.upper, found.kind) == (0, 0, "float64")
    for system in (
        DiagonalSystem(poles, [1, 0], [[0, 1]], discrete=discrete),
        difference_system(random_system(1, discrete=discrete), random_system(1, discrete=discrete)),
    ):
        found = function(system)
        assert found.lower == 0
        assert found.kind == "float64"
        assert 0 < found.upper < 1e-2
        assert "within its rounding" in found.why


@both_times
def test_a_difference_smaller_than_its_systems(discrete):
    """1/(s - a) - 1/(s - b) with a and b close: the gain 1e-6 of each."""
    a, b = (0.5, 0.5 + 1e-6) if discrete else (-0.5, -0.5 - 1e-6)
    one, two = (DiagonalSystem([pole], [1], discrete=discrete) for pole in (a, b))
    truth = abs(1 / (1 - a) - 1 / (1 - b)) if discrete else abs(1 / a - 1 / b)
    found = function(difference_system(one, two))
    assert found.lower <= truth * (1 + 1e-9)
    assert truth <= found.upper * (1 + 1e-9)


# --- the proof itself ----------------------------------------------------------------------------------------------------


@both_times
def test_a_level_below_the_norm_is_never_proved(discrete):
    """Whatever X: the form at the maximizing frequency is positive."""
    system = to_dense(random_system(11, N=4, discrete=discrete))
    norm = function(system, 1e-10).lower
    assert _is_above(system, norm * (1 + 1e-6))
    assert not _is_above(system, norm * (1 - 1e-9))
    rng = np.random.default_rng(1)
    for _ in range(50):
        X = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
        assert not _is_negative(*_bounded_real_form(system, X @ X.conj().T * 10.0 ** rng.uniform(-2, 2), norm * 0.999))


@both_times
def test_the_form_has_the_value_that_the_proof_uses(discrete):
    """(x, u)* F (x, u) = norm(C x)^2 - gamma^2 abs(u)^2 at x = (s - A)^-1 B u for any Hermitian X."""
    system = to_dense(random_system(12, N=4, discrete=discrete))
    rng = np.random.default_rng(2)
    X = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    F, rounding = _bounded_real_form(system, X + X.conj().T, 1.5)
    for s in np.exp(1j * rng.normal(size=5)) if discrete else 1j * rng.normal(size=5):
        x = np.linalg.solve(s * np.eye(4) - system.A, system.B)
        vector = np.append(x, 1)
        value = (vector.conj() @ F @ vector).real
        expected = np.linalg.norm(system.C @ x) ** 2 - 1.5**2
        assert abs(value - expected) <= np.abs(vector) @ rounding @ np.abs(vector) + 64 * EPS * abs(expected)


def test_negativity_counts_the_rounding():
    F = -np.diag([1.0, 1.0, 1.0])
    assert _is_negative(F, np.zeros((3, 3)))
    assert _is_negative(F, np.full((3, 3), 0.3))
    assert not _is_negative(F, np.full((3, 3), 0.34))
    edge = np.array([[-1.0, 1.0], [1.0, -1.0]])  # semidefinite: not proved
    assert not _is_negative(edge, np.zeros((2, 2)))
    assert not _is_negative(-edge, np.zeros((2, 2)))


def test_negativity_counts_the_rounding_of_its_own_decomposition():
    """Matrices that are not definite by less than their decomposition can tell: exact determinants decide."""
    rng = np.random.default_rng(6)
    indefinite = 0
    for _ in range(300):
        a, d = rng.uniform(0.5, 2, 2)
        b = math.sqrt(a * d)
        indefinite += (below := Fraction(a) * Fraction(d) <= Fraction(b) ** 2)
        assert not (below and _is_negative(-np.array([[a, b], [b, d]]), np.zeros((2, 2))))
    assert indefinite > 50


def test_what_cannot_be_proved_is_said():
    """A pole from 0.1 to 1e-16 from the axis, in rotated coordinates: proved, observed, refused."""
    turn = np.linalg.qr(np.random.default_rng(4).normal(size=(4, 4)))[0]
    whys, kinds = set(), set()
    for rate in 10.0 ** np.arange(-16.0, 0):
        A = np.diag([-rate, -1.0, -1.0, -1.0]) + 2 * np.eye(4, k=1)
        system = DenseSystem(turn @ A @ turn.T, turn @ np.ones(4), np.ones((1, 4)) @ turn.T)
        try:
            found = function(system, 1e-10)
        except (CertificationError, InputError) as error:
            assert re.search("for float64|must be stable", str(error))  # noqa: PT017
            kinds.add(type(error).__name__)
            continue
        kinds.add(found.kind)
        assert (found.why is None) == (found.upper <= found.lower * (1 + 1.1e-10))
        whys.add(found.why and found.why[:20])
    assert {"float64", "observed", "CertificationError"} <= kinds
    assert {None, "in float64 the upper", "no upper bound could"} <= whys


def test_an_observed_upper_bound_is_not_below_the_proved_lower_one():
    """Entries over six decades and a pole at -1e-5: the gain of the search has digits that the proof finds wrong."""
    observed = 0
    for seed in range(1050, 1150):
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((2, 2)) * 10.0 ** rng.integers(-3, 4, (2, 2))
        A -= np.eye(2) * (np.linalg.eigvals(A).real.max() + 1e-5)
        try:
            found = function(DenseSystem(A, rng.standard_normal(2), rng.standard_normal((1, 2))))
        except (CertificationError, InputError):
            continue
        assert found.lower <= found.upper
        observed += found.kind == "observed"
    assert observed > 5


def normal_numbers(rng, is_complex, *shape):
    return rng.normal(size=shape) + (1j * rng.normal(size=shape) if is_complex else 0)


def stressed_systems(count):
    """Nearly unstable, nonnormal, rotated, badly scaled; of every field and time."""
    rng = np.random.default_rng(31)
    for index in range(count):
        N, K, discrete, is_complex = rng.integers(1, 9), rng.integers(1, 4), index % 2 == 1, index % 4 > 1
        parts = partial(normal_numbers, rng, is_complex)
        rates = 10.0 ** rng.uniform(-4, 1, N)
        if discrete:
            poles = np.exp(-rates) * (np.exp(1j * rng.normal(size=N)) if is_complex else rng.choice([-1, 1], N))
        else:
            poles = -rates + (30j * rng.normal(size=N) if is_complex else 0)
        A = np.diag(poles) + np.triu(parts(N, N), 1) * 10.0 ** rng.integers(-2, 2)
        if index % 3 == 1:
            turn = np.linalg.qr(parts(N, N))[0]
            A = turn @ A @ turn.conj().T
        elif index % 3 == 2:
            scale = 10.0 ** rng.uniform(-2, 2, N)
            A = A * scale / scale[:, None]
        graded = 10.0 ** rng.uniform(-2, 2, (K, N))
        yield DenseSystem(A, parts(N), parts(K, N) * graded, discrete=discrete)


def test_proved_bounds_hold_on_stressed_systems():
    """Against gains, in floats, at and around every pole and the frequency found. There is a proof unless the state is
    amplified by more than 1e4, for the rounding of X goes with the square of that.
    """
    proved = 0
    for system in stressed_systems(120):
        try:
            found = function(system)
        except (InputError, CertificationError):
            continue
        proved += found.kind == "float64"
        poles = np.linalg.eigvals(system.A)
        places = [np.angle(poles) if system.discrete else poles.imag, np.linspace(-3, 3, 61), [found.frequency]]
        near = found.frequency + np.concatenate([sign * np.geomspace(1e-9, 1, 30) for sign in (-1, 1)])
        frequencies = np.concatenate([*places, near])
        points = np.exp(1j * frequencies) if system.discrete else 1j * frequencies
        gains = np.linalg.norm(transfer_function(system, points), axis=-1)
        state = np.linalg.solve(points[len(poles) + 61] * np.eye(system.N) - system.A, system.B)
        assert found.kind == "float64" or np.abs(state).max() > 1e4 * np.abs(system.B).max()
        attained = gains[len(poles) + 61]
        assert found.lower <= attained * (1 + 1e-6)
        assert gains.max() <= found.upper * (1 + 1e-6)  # the rounding of these gains
    assert proved >= 90


# --- what is refused ------------------------------------------------------------------------------------------------------


def test_systems_that_have_no_norm():
    for system in (
        DiagonalSystem([-1.0, 0.0], [1, 1]),
        DiagonalSystem([0.5, -1.0], [1, 1], discrete=True),
        DenseSystem([[0.0, 1.0], [-1.0, 0.0]], [1, 1]),
    ):
        with pytest.raises(InputError, match=r"`system` must be stable, and has the eigenvalue"):
            function(system)
    with pytest.raises(InputError, match="holds balls"):
        function(DiagonalSystem(np.array([acb(-1)], dtype=object), [1]))
    for tolerance in (0, 1, 1e-13, math.nan):
        with pytest.raises(InputError, match=r"`tolerance` must be from 1e-12 to 0\.1"):
            function(DiagonalSystem([-1.0], [1]), tolerance)
