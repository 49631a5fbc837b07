"""Dense matrices and discretized systems in validation: steps, rounding bounds, what cannot be decided, moved matrices."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
import scipy.linalg

import hippo_theory as ht
from hippo_theory.discretizations import discretize_dense
from hippo_theory.initializations import export_arrays, initialization
from hippo_theory.validation import validate
from hippo_theory.validation.bases import rearrangement
from hippo_theory.validation.discrete_bounds import rounding_bound
from hippo_theory.validation.discrete_matrices import may_be_discretized
from hippo_theory.validation.moved_matrices import nearest_matrix
from hippo_theory.validation.references import dense_references

FAMILIES = ("legs", "legt", "lagt", "fout")
SINGLE = 2.0**-24


def finding(arrays):
    (found,) = validate(arrays).files[0].findings
    return found


def family(id, N):
    return ht.make_family(id, N - (id == "fout" and N % 2 == 0))


def single(A, method, step):
    """Abar in float32 from the start: SciPy's exponential, or an inverse as state-spaces/s4 forms it."""
    scaled, identity = A.astype(np.float32) * np.float32(step), np.eye(len(A), dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy overflows on its way
        if method == "zoh":
            return scipy.linalg.expm(scaled)
        if method == "bilinear":
            return np.linalg.inv(identity - scaled / 2) @ (identity + scaled / 2)
        return np.linalg.inv(identity - scaled)


# --- rounding of Abar -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["zoh", "bilinear", "backward_euler"])
@pytest.mark.parametrize("id", [*FAMILIES, "lmu"])
def test_the_bound_explains_single_precision_and_is_not_absurd(id, method):
    ratios = []
    for N in (5, 33, 129):
        A, B = family(id, N).A, np.ones(N)
        for step in (1e-3, 0.03, 1.0):
            truth, _ = discretize_dense(A, B, method, step)  # its own errors are 2^-29 of those looked at
            bound = rounding_bound(A, truth, method, step, SINGLE)
            errors = np.abs(single(A, method, step) - truth)
            # Entries that are exactly 0 in both have no bound and no error.
            ratios.append(
                float((errors[errors > 0] / (bound[errors > 0] + np.spacing(np.float32(1e-9)))).max(initial=0))
            )
    assert max(ratios) <= 1, ratios
    assert max(ratios) >= 1e-2, ratios


def test_the_bound_covers_what_scipy_does_to_triangular_exponentials():
    """Divided differences on the first off-diagonal: 900 units of float32 here."""
    legs = ht.LegS(257)
    truth, _ = discretize_dense(legs.A, legs.B, "zoh", 1e-3)
    errors = np.abs(single(legs.A, "zoh", 1e-3) - truth)
    bound = rounding_bound(legs.A, truth, "zoh", 1e-3, SINGLE)
    assert 0.1 <= (errors / bound).max() <= 1
    assert (np.diag(errors, -1) / np.diag(bound, -1)).max() == (errors / bound).max()


# --- steps ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["zoh", "bilinear", "backward_euler", "forward_euler"])
@pytest.mark.parametrize("id", [*FAMILIES, "lmu"])
@pytest.mark.parametrize("step", [0.01, 0.0123137])
def test_steps_are_found(id, method, step):
    for N in (8, 33):
        system = family(id, N)
        Abar, Bbar = discretize_dense(system.A, system.B, method, step)
        found = finding({"A": Abar, "B": step * Bbar})
        assert (found.identified, found.verdict) == (id, "rounding"), found.reason
        assert f"discretized by {method} with the step {step:.6g}" in found.reason
        assert found.parts["A"].excess <= 1 and found.parts["B"].verdict in ("exact", "rounding")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("N", "step"), [(64, 1.0), (128, 1e-3), (256, 1e-2)])
def test_exponentials_that_are_nearly_singular(N, step, dtype):
    """A determinant underflows here, and a logarithm does not exist; the diagonal of a triangular Abar is e^(a_nn dt)."""
    legs = ht.LegS(N)
    Abar = scipy.linalg.expm(step * legs.A) if dtype is np.float64 else single(legs.A, "zoh", step)
    found = finding({"A": Abar})
    assert (found.identified, found.verdict) == ("legs", "rounding"), found.reason
    assert f"discretized by zoh with the step {step:.6g}" in found.reason


def test_one_entry_of_a_discretized_matrix_is_seen():
    Abar = scipy.linalg.expm(0.01 * ht.LegS(32).A)
    Abar[9, 4] *= 1 + 1e-6
    assert finding({"A": Abar}).verdict not in ("exact", "rounding")


@pytest.mark.parametrize("id", ["legs", "lmu"])
def test_a_transposed_discretization_is_said(id):
    system = family(id, 16)
    Abar, Bbar = discretize_dense(system.A, system.B, "zoh", 0.02)
    found = finding({"A": Abar.T, "B": Bbar})
    assert (found.identified, found.verdict, found.cause) == (id, "deviates", "transposed"), found.reason


@pytest.mark.parametrize("id", ["legt", "fout"])
def test_a_transposed_discretization_that_is_the_same_with_other_signs(id):
    """A^T = S A S with signs S: (A^T, S B) is the same system, (A^T, B) another one."""
    system = family(id, 9)
    Abar, Bbar = discretize_dense(system.A, system.B, "bilinear", 0.02)
    order, signs = rearrangement(system.A.T, system.A)
    assert np.array_equal(order, np.arange(9)) and np.array_equal(system.A.T, system.A * np.outer(signs, signs))
    for arrays in ({"A": Abar.T}, {"A": Abar.T, "B": 0.02 * signs * Bbar}):
        found = finding(arrays)
        assert found.verdict == "rounding" and "other signs of the states" in found.reason
    if id == "legt":
        assert finding({"A": Abar.T, "B": 0.02 * Bbar}).cause == "transposed"


@pytest.mark.parametrize(("id", "N", "step"), [("legt", 33, 5.0), ("lmu", 64, 1.0)])
def test_where_rounding_hides_the_numbers_nothing_is_decided(id, N, step):
    """e^(A dt) of LegT after five windows, and of LMU after one in float32, is below the rounding of its computation."""
    A = family(id, N).A
    Abar = scipy.linalg.expm(step * A) if step == 5 else single(A, "zoh", step)
    found = finding({"A": Abar})
    assert (found.identified, found.verdict) == ("unknown", "unknown")
    assert "nothing can be decided" in found.reason and f"step {step:.6g}" in found.reason


def test_random_matrices_are_no_discretization():
    rng = np.random.default_rng(0)
    for N in (4, 16, 64):
        for A in (0.5 * rng.standard_normal((N, N)), np.eye(N) + 0.01 * rng.standard_normal((N, N)), np.eye(N)):
            assert not may_be_discretized(A)
            assert finding({"A": A}).verdict == "random" or np.array_equal(A, np.eye(N))
    toeplitz = scipy.linalg.toeplitz(
        rng.random(16) / 8, np.zeros(16)
    )  # commutes with LagT, and is no function of a step
    assert finding({"A": toeplitz}).verdict == "random"


def test_a_stack_of_discretizations_is_judged_by_what_it_holds():
    legs = ht.LegS(32)
    for method in ("bilinear", "zoh"):
        stack = np.stack([single(legs.A, method, 1 / t) for t in range(1, 6)])
        found = finding({"A_stacked": stack})
        assert (found.identified, found.verdict) == ("legs", "rounding"), found.reason
        found = finding({"A_stacked": np.swapaxes(stack, 1, 2)})
        assert (found.verdict, found.cause) == ("deviates", "transposed")
    noise = np.random.default_rng(0).standard_normal((5, 32, 32)).astype(np.float32)
    for other in (0.1 * noise, stack * np.float32(1.001), np.zeros_like(noise)):
        assert finding({"A_stacked": other}).verdict == "unknown"


@pytest.mark.heavy
def test_large_stacks_in_single_precision_match_nothing_else():
    """A bound as large as the entries would match anything."""
    N = 512
    stack = np.stack([single(ht.LegS(N).A, "bilinear", 1 / t) for t in (1, 2)])
    assert finding({"A_stacked": stack}).verdict == "rounding"
    assert finding({"A_stacked": stack + np.float32(1e-2)}).verdict == "unknown"


@pytest.mark.heavy
def test_large_matrices_end():
    """Some seconds of one core at N = 1024, and a reason above that."""
    legs = ht.LegS(1024)
    start = time.process_time()
    found = finding({"A": scipy.linalg.expm(legs.A * 1e-3)})
    assert found.verdict == "rounding" and "zoh with the step 0.001" in found.reason
    assert time.process_time() - start < 120


# --- spectra of discretizations -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("method", ["zoh", "bilinear"])
@pytest.mark.parametrize("id", ["legt", "legs", "fout", "s4d-lin"])
def test_multipliers_show_their_start_and_step(id, method, dtype):
    Lambda = initialization(id, 32).Lambda if id.startswith("s4d") else family(id, 32).normal_spectrum()
    half = Lambda[Lambda.imag >= 0]
    for step in (0.0371, 0.3):
        for stored in (half, half[::-1], half.conj()):
            z = np.exp(step * stored) if method == "zoh" else (1 + step * stored / 2) / (1 - step * stored / 2)
            pairs = np.stack([z.real, z.imag], axis=-1).astype("float32" if dtype == "complex64" else "float64")
            for numbers in (z.astype(dtype), pairs):
                found = finding({"Lambda": numbers})
                expected = "s4d-legs" if id == "legs" else id
                assert (found.identified, found.verdict) == (expected, "rounding"), found.reason
                assert f"discretized by {method} with the step {step:.6g}" in found.reason


def test_multipliers_on_the_unit_circle_that_are_no_start():
    angles = np.random.default_rng(0).uniform(0, 2, 16)
    assert finding({"Lambda": np.exp(1j * angles)}).identified == "random"


# --- numbers of float64 that were computed in float32, and that were not ----------------------------------------------------


@pytest.mark.parametrize("id", FAMILIES)
@pytest.mark.parametrize("factor", [1 + 1e-9, 1 - 1e-7, 1 + 1e-5])
def test_a_common_factor_is_no_rounding(id, factor):
    system = family(id, 32)
    found = finding({"A": factor * system.A, "B": system.B})
    assert (found.identified, found.verdict, found.cause) == (id, "deviates", "factor"), found.reason
    assert "float32" not in found.parts["A"].why and found.parts["B"].verdict in ("exact", "rounding")


@pytest.mark.parametrize("id", FAMILIES)
def test_what_was_computed_in_float32_is_said_to_be_that(id):
    system = family(id, 32)
    found = finding({"A": system.A.astype(np.float32).astype(np.float64)})
    assert (found.identified, found.verdict) == (id, "exact" if id == "lagt" else "rounding")  # 1 and 1/2 stay
    rng = np.random.default_rng(0)
    rounded = system.A * (1 + SINGLE * rng.uniform(-1, 1, system.A.shape))  # and then touched in float64
    if id == "legs":
        assert finding({"A": rounded}).parts["A"].why == "computed in float32"
    moved = system.A * (1 + 1e-9 * rng.standard_normal(system.A.shape))
    assert finding({"A": moved}).verdict == "trained"


# --- matrices that have moved ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("id", FAMILIES)
def test_moved_matrices_are_trained_by_how_much(id, dtype):
    system = family(id, 24)
    for number, level in enumerate((1e-7, 1e-6, 1e-5, 1e-3, 0.1, 0.3, 1.0)):
        rng = np.random.default_rng(number)
        A = (system.A * (1 + level * rng.standard_normal(system.A.shape))).astype(dtype)
        B = (system.B * (1 + level * rng.standard_normal(len(system.B)))).astype(dtype)
        found = finding({"A": A, "B": B})
        allowed = ("rounding", "trained") if level == 1e-7 else ("trained",)
        assert (found.identified, found.parts["A"].verdict in allowed) == (id, True), (level, found.reason)
        assert found.verdict in allowed, (level, found.reason)
        if found.verdict == "trained" and level > 1e-7:
            said = float(found.parts["A"].why.split("moved by ")[1].split("%")[0]) / 100
            assert 0.3 * level < said < 1.2 * level  # the median of |normal| is 0.67


def test_random_and_shuffled_matrices_have_moved_from_nothing():
    rng = np.random.default_rng(0)
    for N in (8, 16, 32):
        for _ in range(10):
            assert nearest_matrix(rng.standard_normal((N, N))) is None
            assert nearest_matrix(np.tril(rng.standard_normal((N, N)))) is None
            assert nearest_matrix(-np.tril(np.exp(rng.uniform(-3, 3, (N, N))))) is None


def test_one_entry_that_stands_out_is_no_training():
    for entry in dense_references(16):
        A = entry.A.copy()
        A[3, 1] += 1e-3 * (1 + abs(A[3, 1]))
        found = finding({"A": A})
        assert (found.verdict, found.cause) == ("deviates", "entry"), (entry.id, entry.convention, found.reason)


def test_the_cheap_matrices_are_those_of_the_families():
    for N in (2, 9, 32):
        for entry in dense_references(N):
            # c = 8 units of the largest terms, which are at most 2 max|A|.
            assert np.abs(entry.A - entry.approximate).max() <= 8 * 2.0**-53 * 2 * np.abs(entry.A).max()


# --- square P -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("N", "half"), [(2, False), (3, True)])
def test_a_square_low_rank_term_is_read_either_way(N, half):
    start = export_arrays("legt", N, form="dplr", half=half)
    for P in (start["P"], start["P"].T):
        for names in (("Lambda", "B"), ("Lambda",)):
            found = finding({"P": P, **{name: start[name] for name in names}})
            assert found.parts["P"].verdict in ("exact", "rounding"), found.reason
    assert finding({"Lambda": start["Lambda"], "P": start["P"] * [[1], [2]]}).parts["P"].verdict == "deviates"
