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
from hippo_theory.validation.discrete_candidates import may_be_discretized
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


# --- mistakes that change a whole matrix --------------------------------------------------------------------------------------


def _parts(A):
    return np.tril(A, -1), np.diag(np.diag(A)), np.triu(A, 1)


def _without_root(system):
    """(2n+1)(2k+1) instead of its square root, by the definition of the entries."""
    below, diagonal, above = _parts(system.A)
    weight = np.outer(2 * np.arange(system.N) + 1, 2 * np.arange(system.N) + 1)
    return below * np.sqrt(weight) + diagonal + above * np.sqrt(weight)


def _index_from_one(system):
    return family(system.variant, system.N + 1).A[1:, 1:]


MISTAKES = {
    "sign of what is off the diagonal": (lambda s: 2 * np.diag(np.diag(s.A)) - s.A, ("legs", "legt", "lagt"), "sign"),
    "sign of the triangle below": (lambda s: s.A - 2 * np.tril(s.A, -1), ("legs", "legt", "lagt"), "sign"),
    "square root": (_without_root, ("legs", "legt"), "squared"),
    "rows rolled": (lambda s: np.roll(s.A, 1, axis=0), FAMILIES, "index"),
    "columns rolled": (lambda s: np.roll(s.A, -1, axis=1), FAMILIES, "index"),
    "rows swapped": (lambda s: s.A[[1, 0, *range(2, s.N)]], FAMILIES, "swapped"),
    "clipped": (lambda s: np.clip(s.A, -6, 6), ("legs", "legt"), "clipped"),
    "clipped from below": (lambda s: np.maximum(s.A, -6), ("legs", "legt"), "clipped"),
    "triangle above left out": (lambda s: np.tril(s.A), ("legt",), "dropped"),
    "triangle below halved": (lambda s: s.A - np.tril(s.A, -1) / 2, ("legs", "legt"), "mixed"),
    "indices from one": (_index_from_one, ("legt", "fout"), "index"),
    "an inner state lost": (lambda s: np.delete(np.delete(_larger(s), 5, 0), 5, 1), ("legs", "legt"), "lost"),
    "a state twice": (lambda s: _doubled(s, 5), ("legs", "legt"), "doubled"),
}


def _larger(system):
    return family(system.variant, system.N + 1).A


def _doubled(system, state):
    states = np.insert(np.arange(system.N - 1), state, state)
    return family(system.variant, system.N - 1).A[np.ix_(states, states)]


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_of_whole_matrices_are_named(mistake, dtype):
    make, ids, cause = MISTAKES[mistake]
    for id in ids:
        for N in (9, 32):
            if id == "fout" and "from one" in mistake and N == 32:
                continue
            system = ht.FouT(9) if id == "fout" else family(id, N)
            A = make(system) if id != "fout" or "from one" not in mistake else ht.FouT(9).A[1:, 1:]
            for arrays in ({"A": A}, {"A": A, "B": system.B[: len(A)]}):
                found = finding({name: array.astype(dtype) for name, array in arrays.items()})
                assert (found.identified, found.parts["A"].verdict) == (id, "deviates"), (id, N, found.reason)
                assert found.parts["A"].cause == cause, (id, N, found.reason)


def test_a_mistake_needs_more_evidence_than_numbers_that_are_fitted():
    rng = np.random.default_rng(0)
    for N in (9, 16):
        for A in (
            0.3 * np.sign(ht.LegT(N).A),  # LegT cut at 0.3, if that were evidence
            np.tril(np.full((N, N), -0.7)) + np.diag(rng.standard_normal(N)),
            np.diag(-np.arange(1.0, N + 1)),  # LegS without what is below its diagonal
            rng.choice([-1.0, 1.0], (N, N)),
        ):
            found = finding({"A": A})
            assert found.cause not in ("clipped", "mixed", "squared", "dropped"), found.reason


def test_what_is_nearly_a_start_is_no_mistake():
    """LegT at twice the rate is in the triangle below LegS, but not when it has moved by 1e-7."""
    for id in FAMILIES:
        system = family(id, 24)
        A = system.A * (1 + 1e-7 * np.random.default_rng(0).standard_normal(system.A.shape))
        assert finding({"A": A}).verdict == "trained"


def test_a_trained_matrix_with_mistakes_is_said_to_have_them():
    rng = np.random.default_rng(0)
    for id in ("legs", "legt"):
        A = family(id, 24).A * (1 + 0.01 * rng.standard_normal((24, 24)))
        heavy = family(id, 24).A * (1 + 0.01 * rng.standard_t(3, (24, 24)))
        assert finding({"A": A}).verdict == "trained" and finding({"A": heavy}).verdict == "trained"
        A[9, 2] *= -1
        found = finding({"A": A})
        assert (found.verdict, found.cause) == ("deviates", "entry") and "[9, 2]" in found.reason


# --- discretizations with mistakes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("id", [*FAMILIES, "lmu"])
def test_a_discretized_negative_is_a_sign(id, dtype):
    for N in (4, 16, 33):
        system = family(id, N + (id == "fout" and N % 2 == 0))
        for method, Abar in (("zoh", scipy.linalg.expm(-0.013 * system.A)), ("bilinear", None)):
            if Abar is None:
                Abar, _ = discretize_dense(-system.A, system.B, "bilinear", 0.013)
            found = finding({"A": Abar.astype(dtype)})
            assert (found.identified, found.verdict, found.cause) == (id, "deviates", "sign"), found.reason
            assert f"discretized by {method} with the step 0.013" in found.reason
            assert found.parts["A"].excess <= 1


def test_the_bound_of_a_growing_exponential_explains_single_precision():
    """Against 60 digits."""
    import mpmath

    legs = ht.LegS(24)
    step = 0.1
    with mpmath.workdps(60):
        exact = mpmath.expm(mpmath.matrix((-legs.A).tolist()) * mpmath.mpf(step))
        truth = np.array([[float(exact[i, j]) for j in range(24)] for i in range(24)])
    bound = rounding_bound(-legs.A, truth, "zoh", step, SINGLE)
    errors = np.abs(single(-legs.A, "zoh", step) - truth)
    ratios = errors[truth != 0] / bound[truth != 0]
    assert 1e-4 <= ratios.max() <= 1  # 1.9e-4: the largest of all entries bounds what each of them is formed from


@pytest.mark.parametrize("method", ["zoh", "bilinear"])
@pytest.mark.parametrize("id", ["legs", "legt", "lagt"])
def test_one_wrong_entry_of_a_discretization_is_named(id, method):
    system = family(id, 16)
    Abar, Bbar = discretize_dense(system.A, system.B, method, 0.013)
    for factor in (1 + 1e-6, 1.1, -1, 0):
        for at in ((7, 3), (15, 0)):
            wrong = Abar.copy()
            wrong[at] *= factor
            for dtype in ("float64", "float32"):
                if dtype == "float32" and factor == 1 + 1e-6:
                    continue
                found = finding({"A": wrong.astype(dtype), "B": (0.013 * Bbar).astype(dtype)})
                assert (found.identified, found.parts["A"].cause) == (id, "entry"), found.reason
                assert f"with the step 0.013; 1 of 256 entries is off, the first at [{at[0]}, {at[1]}]" in found.reason
                assert found.parts["B"].verdict in ("exact", "rounding"), found.reason


def test_an_entry_that_is_wrong_by_more_than_all_others_moved():
    for id in ("legt", "lagt"):
        Abar = scipy.linalg.expm(0.013 * family(id, 16).A)
        Abar[7, 7] *= -1
        found = finding({"A": Abar})
        assert (found.identified, found.cause) == (id, "entry") and "first at [7, 7]" in found.reason


def test_of_methods_that_agree_the_input_tells():
    lagt = ht.LagT(4)
    for method in ("zoh", "bilinear"):
        Abar, Bbar = discretize_dense(lagt.A, lagt.B, method, 0.013)
        found = finding({"A": Abar.astype(np.float32), "B": (0.013 * Bbar).astype(np.float32)})
        assert found.verdict == "rounding" and f"by {method}" in found.reason


@pytest.mark.parametrize("id", ["legs", "legt", "lagt"])
def test_a_discretization_that_moved_is_trained(id):
    system, rng = family(id, 16), np.random.default_rng(0)
    Abar = scipy.linalg.expm(0.013 * system.A)
    found = finding({"A": Abar * (1 + 1e-3 * rng.standard_normal(Abar.shape))})
    assert (found.identified, found.verdict) == (id, "trained") and "discretized by" in found.reason
    assert finding({"A": np.eye(16) + 0.01 * rng.standard_normal((16, 16))}).verdict == "random"


def test_an_input_formed_with_the_inverse_is_rounding():
    """A^-1 (Abar - I) B cancels what A^-1 then enlarges."""
    for id, N in (("legs", 4), ("legs", 33), ("legt", 8), ("lagt", 33)):
        system = family(id, N)
        Abar = scipy.linalg.expm(0.013 * system.A)
        for dtype in (np.float64, np.float32):
            B = np.linalg.solve(system.A, (Abar - np.eye(N)) @ system.B)
            found = finding({"A": Abar.astype(dtype), "B": B.astype(dtype)})
            assert (found.identified, found.verdict) == (id, "rounding"), (id, N, found.reason)
            wrong = B * (1 + (1e-4 if dtype is np.float64 else 0.1))
            assert finding({"A": Abar.astype(dtype), "B": wrong.astype(dtype)}).verdict == "deviates"


@pytest.mark.parametrize(("id", "N"), [("legt", 128), ("legt", 256), ("lmu", 128)])
def test_where_no_mode_is_above_rounding_nothing_is_decided(id, N):
    """After a whole window e^(A) of LegT is far from its modes, which would be e^-37."""
    found = finding({"A": scipy.linalg.expm(family(id, N).A)})
    assert (found.identified, found.verdict) == ("unknown", "unknown") and "below rounding" in found.reason


# --- time scales, other bases, P ------------------------------------------------------------------------------------------------


def test_a_common_factor_of_both_is_the_length_of_a_window():
    for id in ("legt", "lmu", "fout"):
        system = family(id, 17)
        found = finding({"A": system.A / 32, "B": system.B / 32})
        assert (found.identified, found.verdict) == (id, "rounding") and "32 times as long" in found.reason
        assert finding({"A": system.A / 32, "B": system.B}).cause == "factor"
    legs = ht.LegS(16)  # no window: x' = (A x + B u)/t
    found = finding({"A": 3 * legs.A, "B": 3 * legs.B})
    assert (found.verdict, found.cause) == ("deviates", "factor") and "another unit of time" in found.reason


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("id", FAMILIES)
def test_other_bases_are_rounding_and_noise_there_is_not(id, dtype):
    for N in (9, 16, 33):
        system = family(id, N)
        rng, n = np.random.default_rng(N), system.N
        signs, order = rng.choice([-1.0, 1.0], n), rng.permutation(n)
        Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
        for A, B in (
            (system.A * np.outer(signs, signs), system.B * signs),
            (system.A[np.ix_(order, order)], system.B[order]),
            (Q.T @ system.A @ Q, Q.T @ system.B),
        ):
            found = finding({"A": A.astype(dtype), "B": B.astype(dtype)})
            assert (found.identified, found.verdict in ("exact", "rounding")) == (id, True), (N, found.reason)
        # Below 4e-6 float64 numbers may be of float32.
        level = {"float64": 1e-4, "float32": 1e-4, "float16": 1e-2}[dtype] * np.abs(system.A).max()
        noisy = Q.T @ system.A @ Q + level * rng.standard_normal((n, n))
        for A in (noisy, np.roll(system.A, 1, axis=0)):
            assert finding({"A": A.astype(dtype), "B": (Q.T @ system.B).astype(dtype)}).verdict not in (
                "exact",
                "rounding",
            )


LOW_RANK_MISTAKES = {
    "factor": lambda P: np.sqrt(2) * P,
    "dropped": lambda P: 0 * P,
    "index": lambda P: np.vstack([P[1:], P[-1:] + 1]),
    "order": lambda P: P[::-1],
    "squared": lambda P: P**2,
    "nonfinite": lambda P: P * np.nan,
}


@pytest.mark.parametrize("cause", LOW_RANK_MISTAKES)
def test_a_low_rank_term_beside_a_dense_matrix_is_judged(cause):
    legs = ht.LegS(16)
    P = np.reshape(legs.P, (16, -1))
    wrong = LOW_RANK_MISTAKES[cause](P)
    for stored, right in ((wrong, P), (wrong.T, P.T), (wrong[:, 0], P[:, 0])):
        found = finding({"A": legs.A, "B": legs.B, "P": stored})
        assert (found.verdict, found.parts["P"].cause) == ("deviates", cause), found.reason
        found = finding({"A": legs.A, "B": legs.B, "P": right})
        assert (found.verdict, found.parts["P"].verdict) == ("exact", "exact") and "P" in found.tensors


@pytest.mark.parametrize("id", FAMILIES)
def test_what_changes_no_low_rank_term(id):
    """P R with R orthogonal is the same term; and it goes with the states, with the time scale, and with Q."""
    system, rng = family(id, 17), np.random.default_rng(1)
    P = np.reshape(system.P, (17, -1))
    R = np.linalg.qr(rng.standard_normal((P.shape[1],) * 2))[0]
    order, signs = rng.permutation(17), rng.choice([-1.0, 1.0], 17)
    moved = signs[:, None] * P[order]
    A = system.A[np.ix_(order, order)] * np.outer(signs, signs)
    for arrays in (
        {"A": system.A, "P": P @ R},
        {"A": system.A.astype(np.float32), "P": P.astype(np.float32)},
        {"A": system.A.astype(np.float16), "P": P.astype(np.float16)},
        {"A": A, "B": signs * system.B[order], "P": moved},
        {"A": 3 * system.A, "P": np.sqrt(3) * P},
        {"A": system.A, "P": 2 * P, "Q": P / 2},
    ):
        part = finding(arrays).parts["P"]
        assert part.verdict in ("exact", "rounding"), part.why
    assert finding({"A": system.A, "P": P, "Q": -P}).parts["P"].cause == "sign"
    assert finding({"A": A, "B": signs * system.B[order], "P": P}).parts["P"].verdict == "deviates"
    odd = finding({"A": system.A, "P": np.ones(5)})
    assert odd.verdict == "exact" and "P of the shape (5,) is not compared" in odd.reason


def test_the_low_rank_term_in_the_basis_of_the_eigenvectors_is_another():
    """Functions return A, P and B beside Lambda, Pc and Bc."""
    legs = ht.LegS(8)
    turned = np.exp(1j * np.arange(8.0)) * np.ravel(legs.P)
    found = validate({"A": legs.A, "B": legs.B, "P": np.ravel(legs.P), "Pc": turned}).files[0].findings
    assert [entry.verdict for entry in found] == ["exact"] and found[0].tensors == ("A", "B", "P")


def test_linear_algebra_has_one_thread_while_validating():
    from threadpoolctl import threadpool_info

    def threads():
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    before, during = threads(), []
    validate({"layer.A": ht.LegS(4).A}, progress=lambda name: during.extend(threads()))
    assert set(during) == {1} and threads() == before


# --- square P -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("N", "half"), [(2, False), (3, True)])
def test_a_square_low_rank_term_is_read_either_way(N, half):
    start = export_arrays("legt", N, form="dplr", half=half)
    for P in (start["P"], start["P"].T):
        for names in (("Lambda", "B"), ("Lambda",)):
            found = finding({"P": P, **{name: start[name] for name in names}})
            assert found.parts["P"].verdict in ("exact", "rounding"), found.reason
    assert finding({"Lambda": start["Lambda"], "P": start["P"] * [[1], [2]]}).parts["P"].verdict == "deviates"


# --- what a reviewer found ------------------------------------------------------------------------------------------------


def stacked(count=20, N=8):
    legs = ht.LegS(N)
    both = [discretize_dense(legs.A, legs.B, "bilinear", 1 / t) for t in range(1, count + 1)]
    A, B = (np.stack(arrays) for arrays in zip(*both, strict=True))
    return {"A_stacked": A, "B_stacked": B / np.arange(1, count + 1)[:, None]}


def test_every_matrix_and_vector_of_a_stack_is_compared():
    good = stacked()
    found = finding(good)
    assert {name: part.verdict for name, part in found.parts.items()} == {"A": "rounding", "B": "rounding"}
    wrong = {**good, "A_stacked": good["A_stacked"] * np.where(np.arange(20) == 6, -3, 1)[:, None, None]}
    assert (finding(wrong).verdict, finding(wrong).parts["A"].cause) == ("deviates", "entry")
    assert "that of t = 7" in finding(wrong).reason
    for B, cause in ((2 * good["B_stacked"], "factor"), (np.random.default_rng(0).standard_normal((20, 8)), "other")):
        part = finding({**good, "B_stacked": B}).parts["B"]
        assert (part.verdict, part.cause) == ("deviates", cause)


def test_p_and_q_of_two_ranks_and_p_of_another_kind_are_said():
    legs = ht.LegS(6)
    P = np.hstack([legs.P, 0 * legs.P])
    part = finding({"A": legs.A, "B": legs.B, "P": P, "Q": legs.P}).parts["P"]
    assert (part.verdict, part.cause) == ("deviates", "shape") and "ranks 2 and 1" in part.why
    assert "(6, 1) is not compared: 6 states need" not in finding({"A": legs.A, "P": np.ones((6, 1), int)}).reason
