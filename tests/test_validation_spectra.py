"""What happens to eigenvalues: factors and powers of coarse numbers, limits, damage on top of them, and what is no evidence."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from scipy.optimize import linprog

import hippo_theory as ht
from hippo_theory.initializations import initialization
from hippo_theory.validation import validate
from hippo_theory.validation.clamped import may_be_clamped, starts
from hippo_theory.validation.common_factors import factor_interval, facts
from hippo_theory.validation.damaged import Damaged
from hippo_theory.validation.deviations import known_eigenvalue_deviation
from hippo_theory.validation.eigenvalue_damage import eigenvalue_causes, subset_causes
from hippo_theory.validation.matching import compare_eigenvalues
from hippo_theory.validation.moves import spacing_near
from hippo_theory.validation.quantities import Quantity, quantity
from hippo_theory.validation.real_spectra import exponent_interval
from hippo_theory.validation.references import references

DTYPES = {"float64": np.float64, "float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


def one(arrays):
    (found,) = validate(arrays).files[0].findings
    return found


def mamba(logarithm, dtype="float32"):
    return one({"m.A_log": np.tile(logarithm, (8, 1)).astype(DTYPES[dtype]), "m.D": np.ones(8, np.float32)})


def half(id, N):
    whole = ht.make_family(id, N).normal_spectrum()
    return whole[whole.imag >= 0]


# --- one factor ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_the_interval_of_factors_is_that_of_a_linear_program(seed):
    """Of real numbers: the least and the largest r with abs(stored - r truth) <= bound."""
    rng = np.random.default_rng(seed)
    truth, bound = rng.standard_normal(6), 0.1 * rng.random(6)
    stored = 1.37 * truth + (1.5 if seed % 2 else 0.5) * bound * rng.uniform(-1, 1, 6)
    rows, limits = np.append(truth, -truth)[:, None], np.append(stored + bound, bound - stored)
    ends = [linprog([sign], rows, limits, bounds=(None, None)) for sign in (1, -1)]
    found = factor_interval(stored, truth, bound)
    if seed % 2 == 0:
        assert found is not None and found[0] <= 1.37 <= found[1]
    assert (found is None) == (ends[0].status == 2)
    if found is not None:
        np.testing.assert_allclose(found, [ends[0].x[0], ends[1].x[0]], rtol=1e-7)


def test_complex_factors_are_within_their_discs():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal(5) + 1j * rng.standard_normal(5)
    stored = 0.7 * truth + 0.02 * (rng.standard_normal(5) + 1j * rng.standard_normal(5))
    found = factor_interval(stored, truth, np.full(5, 0.1))
    tried = np.linspace(0, 2, 20001)
    holds = (np.abs(stored - tried[:, None] * truth) <= 0.1).all(axis=1)
    assert found is not None
    np.testing.assert_allclose(found, [tried[holds].min(), tried[holds].max()], atol=2e-4)
    assert factor_interval(np.array([0.1, 1.0]), np.array([0.0, 1.0]), np.array([0.01, 0.01])) is None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("N", [8, 16, 64, 128])
@pytest.mark.parametrize(
    ("factor", "name"), [(0.5, "1/2"), (2.0, "2"), (np.sqrt(2), "sqrt(2)"), (np.pi, "pi"), (1.7, "1.7")]
)
def test_a_factor_is_seen_through_a_coarse_logarithm(dtype, N, factor, name):
    found = mamba(np.log(factor * np.arange(1, N + 1.0)), dtype)
    assert (found.identified, found.verdict, found.cause) == ("mamba-real", "deviates", "factor"), found.reason
    assert f"is {name} times" in found.reason or (
        (name == "1.7" and "is 1.7" in found.reason) or "is 1.69" in found.reason
    )


@pytest.mark.parametrize("n", [2, 4, 16])
@pytest.mark.parametrize(("real", "distance"), [(-0.237, 1.3), (-0.31, 2.27)])
def test_numbers_that_say_no_more_than_a_fit_are_no_evidence(n, real, distance):
    """Evenly spaced from 0 beside any real part, and one number many times."""
    assert one({"Lambda": real + 1j * distance * np.arange(n)}).verdict == "random"
    assert one({"Lambda": np.full(n, real + 0j)}).verdict == "random"
    assert one({"Lambda": real - distance * np.arange(n) + 0j}).verdict in ("random", "trained")


@pytest.mark.parametrize("factor", [1.37, 2.0])
def test_what_says_more_than_the_fit_is_evidence(factor):
    lin = initialization("s4d-lin", 32).Lambda
    # Twice the frequencies of S4D-Lin are those of the Fourier diagonal: 2.5 times them are nobody's.
    for Lambda in (factor * lin, lin.real + 1j * (factor + 0.5) * lin.imag):
        found = one({"Lambda": Lambda})
        assert (found.identified, found.cause) == ("s4d-lin", "factor"), found.reason
    found = one({"Lambda": -factor * np.arange(1, 17) + 0j})
    assert (found.identified, found.cause) == ("s4d-real", "factor")


def test_facts_are_what_describes_the_numbers():
    n = np.arange(6)
    lin = -0.5 + 1j * np.pi * n
    assert facts(np.append(lin, lin.conj())) == facts(lin) == 2
    assert facts(1j * np.pi * n) == 1 and facts(lin + 1j) == 3
    assert facts(half("legs", 12)) == 7 and facts(np.zeros(3, complex)) == 0


# --- logarithms ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("N", [4, 17, 128])
@pytest.mark.parametrize(
    ("change", "cause", "words"),
    [
        (np.log2, "logarithm", "base 2"),
        (np.log10, "logarithm", "base 10"),
        (lambda n: 2 * np.log(n), "squared", "squared"),
        (lambda n: np.log(n) / 2, "power", "square root"),
        (lambda n: -np.log(n), "inverse", "inverted"),
        (lambda n: n, "logarithm", "not taken"),
        (lambda n: np.log(np.log(n + 1)), "logarithm", "twice"),
        (lambda n: np.log(n + 1), "index", "index"),
    ],
)
def test_logarithms_that_went_wrong(change, cause, words, dtype, N):
    found = mamba(change(np.arange(1, N + 1.0)), dtype)
    assert (found.identified, found.verdict, found.cause) == ("mamba-real", "deviates", cause), found.reason
    assert words in found.reason


def test_a_power_without_a_name_needs_enough_numbers():
    n = np.arange(1, 17.0)
    found = mamba(1.25 * np.log(n))
    assert found.cause == "power" and "n^1.25" in found.reason
    assert mamba(np.log(n**1.25 + 0.01 * (n == 5) * n)).cause != "power"
    low, high = exponent_interval(n**1.25, 1e-3 * n, n, 2.0**-53)
    for exponent, holds in ((low + 1e-9, True), (high - 1e-9, True), (low - 1e-9, False), (high + 1e-9, False)):
        assert (np.abs(n**exponent - n**1.25) <= 1e-3 * n * (1 + 1e-6)).all() == holds or abs(holds - 0.5) == 0.5
    assert exponent_interval(n**1.25 + 1, 1e-3 * n, n, 2.0**-53) is None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("least", [-np.inf, np.log(1e-9), np.log(1e-4)])
def test_indices_from_zero(dtype, least):
    """log(0) is -inf, and its exponential 0: nothing may accept that for want of a finite bound."""
    found = mamba(np.append(least, np.log(np.arange(1, 16))), dtype)
    assert (found.identified, found.verdict, found.cause) == ("mamba-real", "deviates", "index"), found.reason


def test_a_bound_that_is_not_finite_accepts_nothing():
    stored = quantity(np.array([-np.inf, 0.0]), "float64", ("A_log",), "negative exp")
    assert stored.values[0] == 0 and stored.spacing[0] == 0
    for reference in references(8):
        nothing = Quantity(np.zeros(8, complex), np.full(8, np.nan), "float64")
        fit = compare_eigenvalues(nothing, reference)
        assert known_eigenvalue_deviation(nothing, fit) is None and not fit.Lambda.is_rounding


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("N", [16, 64])
def test_one_is_lost_though_its_neighbors_are_near(dtype, N):
    found = mamba(np.log(np.delete(np.arange(1, N + 1.0), N // 2)), dtype)
    assert (found.identified, found.cause) == ("mamba-real", "lost"), found.reason


# --- limits, and damage on top of them -----------------------------------------------------------------------------------


def _lost(w):
    return np.delete(w, 3)


def _doubled(w):
    return np.insert(w, 3, w[3])


def _moved(w, dtype):
    moved = w.copy()
    moved[3] += 100 * 2 * len(w) * np.finfo(dtype).eps / 2 * w.max()  # a hundred times N u ||A||
    return moved


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("limit", [1e-4, 1e-3])
@pytest.mark.parametrize("id", ["legt", "lagt", "fout"])
def test_damage_is_seen_beside_a_limit(id, limit, dtype):
    w = half(id, 16 if id != "fout" else 15).imag

    def judged(w, real=-limit):
        arrays = {
            "k.A_real": np.full((1, len(w)), np.log(-real)),
            "k.A_imag": w[None],
            "k.inv_dt": np.full((1, 1), -4.0),
        }
        return one({name: array.astype(dtype) for name, array in arrays.items()})

    plain = judged(w)
    assert (plain.identified, plain.verdict, plain.deviation) == (id, "known-deviation", "D4")
    tenth = w * np.where(np.arange(len(w)) == 3, 1.1, 1)
    for damaged, cause in ((_moved(w, dtype), "entry"), (tenth, "entry"), (_doubled(w), "doubled"), (2 * w, "factor")):
        found = judged(damaged)
        assert (found.identified, found.verdict, found.cause) == (id, "deviates", cause), found.reason
        # In float32 the rounding of an eigensolver explains the lower limit itself.
        assert "clamped at" in found.reason or (dtype, limit) == ("float32", 1e-4)
    found = judged(_lost(w))
    assert (found.identified, found.cause) == (id, "lost"), found.reason


def test_clamped_starts_are_those_whose_real_parts_are_zero():
    at_zero = [reference for reference in references(8) if (reference.Lambda.real == 0).all()]
    clamped = [(reference, note) for reference, note in starts(8) if note]
    assert {reference.id for reference in at_zero} >= {"legt", "lagt", "fout"} and len(clamped) == 2 * len(at_zero)
    for reference, note in clamped:
        assert float(note.split()[-1]) == -reference.Lambda.real.max() == -reference.Lambda.real.min()
    assert {reference.id for reference, note in starts(8, clamped=False) if note} == set()
    assert may_be_clamped(-1e-4 + 1j * np.arange(5)) and not may_be_clamped(1j * np.arange(5))
    assert not may_be_clamped(-np.arange(5.0) + 0j)


@pytest.mark.parametrize("shift", [1e-4, 1e-3])
@pytest.mark.parametrize("N", [16, 64])
def test_a_shift_of_all_real_parts_is_no_rounding(N, shift):
    """Errors that are the same in all real parts are an offset, however small beside what float32 explains."""
    found = one({"Lambda": half("legs", N) - shift})
    assert (found.identified, found.verdict, found.deviation) == ("s4d-legs", "known-deviation", "D4"), found.reason


@pytest.mark.parametrize("id", ["legs", "legt"])
def test_what_an_eigensolver_in_float32_left_in_float64_is_named(id):
    system = ht.make_family(id, 64)
    normal = np.asarray(system.A + system.P @ system.P.T, np.float32)
    w = np.linalg.eigvalsh(1j * (normal - normal.T) / 2)[::-1][:32]
    assert w.dtype == np.float32
    moved = np.where(np.arange(32) == 7, 1.1, 1) * w * (1 + 1e-9 * np.arange(32))
    real = -0.5 if id == "legs" else 0.0
    found = one({"Lambda": real + 1j * w * (1 + 1e-9 * np.arange(32))})
    assert (found.verdict, found.cause) == ("rounding", "float32"), found.reason
    found = one({"Lambda": real + 1j * moved})
    assert (found.verdict, found.cause) == ("deviates", "entry") and "computed in float32" in found.reason
    if id == "legt":
        found = one({"Lambda": -1e-4 + 1j * w * (1 + 1e-9 * np.arange(32))})
        assert (found.verdict, found.deviation) == ("known-deviation", "D4"), found.reason


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("N", [16, 64])
def test_a_real_part_is_known_better_than_a_large_frequency(dtype, N):
    """Beside frequencies in bfloat16 that are off by several units the real part -1 instead of -1/2 is seen."""
    Lambda = half("legs", N)
    arrays = {"k.log_A_real": np.zeros((1, N // 2)), "k.A_imag": Lambda.imag[None], "k.log_dt": np.full(1, -4.0)}
    found = one({name: array.astype(DTYPES[dtype]) for name, array in arrays.items()})
    assert (found.identified, found.cause) == ("s4d-legs", "real") and "-1 instead of -0.5, 2 times" in found.reason


# --- parts of spectra ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("N", [8, 64])
def test_neighbors_that_changed_places_are_no_half_of_something_else(N):
    """An exact half is all of a start, never half of all its eigenvalues."""
    system = ht.make_family("legs", N)
    Lambda, B = half("legs", N), system.normal_weights()[: N // 2]
    P = B / np.sqrt(2)
    Lambda[[1, 2]] = Lambda[[2, 1]]
    found = one({"Lambda": Lambda.astype(np.complex64), "B": B.astype(np.complex64), "P": P.astype(np.complex64)})
    assert found.cause == "swapped" and found.N == N, found.reason


def test_few_numbers_are_a_part_if_chance_would_not_have_it():
    truth = half("legs", 8)
    for bound, named in ((1e-6, True), (0.3, False)):
        damaged = Damaged(truth[:2], truth, np.full(4, bound), True, np.zeros(2))
        assert bool(list(subset_causes(damaged))) == named
    lin = initialization("s4d-lin", 8).Lambda[::-1]
    damaged = Damaged(np.array([lin[-1]]), lin, np.full(4, 1e-6), True, np.zeros(1))
    assert not list(subset_causes(damaged))  # the zero frequency is that of many


def test_a_limit_leaves_something_that_is_right():
    """0, pi, pi is S4D-Lin with one number twice, not another start of which all but the zero are clipped."""
    found = one({"Lambda": -0.5 + 1j * np.pi * np.array([0, 1, 1])})
    assert (found.identified, found.cause) == ("s4d-lin", "doubled"), found.reason
    truth = -0.5 + 2j * np.pi * np.arange(3)[::-1]
    damaged = Damaged(-0.5 + 1j * np.pi * np.array([1, 1, 0]), truth, np.full(3, 1e-6), True, np.zeros(3))
    assert "clipped" not in {cause.id for cause, _ in eigenvalue_causes(damaged)}


def test_spacings_are_those_of_the_numbers_next_in_size():
    stored = Quantity(np.array([-1.0, -10.0, -100.0]), np.array([0.1, 1.0, 10.0]), "bfloat16")
    np.testing.assert_array_equal(spacing_near(stored, np.array([-2.0, -1.0, -50.0, -500.0])), [1.0, 0.1, 10.0, 10.0])


def test_the_bound_of_real_parts_leaves_out_the_spacing_of_frequencies():
    truth = half("legs", 8)
    spacing = 2.0**-9 + 1j * np.array([4.0, 2.0, 1.0, 0.5])
    stored = truth[::-1]
    damaged = Damaged(stored, truth, np.abs(spacing) + 1e-3, True, spacing[::-1])
    np.testing.assert_allclose(damaged.real_bound, np.full(4, 2.0**-9 + 1e-3), rtol=1e-12)
