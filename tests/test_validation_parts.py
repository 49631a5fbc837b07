"""The pieces of validation: what stored numbers can hold, references, bounds, causes, kernels, dense matrices."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from helpers import run_python

import hippo_theory as ht
from hippo_theory.errors import InputError
from hippo_theory.initializations import export_arrays, initialization
from hippo_theory.validation import validate
from hippo_theory.validation.bases import normal_plus_low_rank_of, rearrangement
from hippo_theory.validation.closed_forms import closed_form
from hippo_theory.validation.kernel_errors import SystemArrays, kernel_error
from hippo_theory.validation.matching import compare_eigenvalues, compare_weights
from hippo_theory.validation.quantities import TRANSFORMS, Quantity, precision_of, quantity, spacings
from hippo_theory.validation.references import dense_references, references

EPS = np.finfo(float).eps


def finding(arrays):
    (found,) = validate(arrays).files[0].findings
    return found


def reference(id, N, form="half", convention="default"):
    for stored in ((N + 1) // 2, N):
        for found in references(stored):
            if (found.id, found.N, found.form, found.convention) == (id, N, form, convention):
                return found
    raise AssertionError(f"no reference {id} {N} {form}")


# --- quantities -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_have_their_derivatives(name):
    function, slope = TRANSFORMS[name]
    t, h = np.linspace(-3, 3, 40), 1e-5  # without 0, where one of them has a kink
    # Central differences: h^2/6 times a third derivative of at most e^3, and roundings eps e^3/h.
    error = np.exp(3) * (h**2 / 6 + 2 * EPS / h)
    assert np.abs((function(t + h) - function(t - h)) / (2 * h)).tolist() == pytest.approx(
        slope(t).tolist(), abs=2 * error
    )


@pytest.mark.parametrize("name", TRANSFORMS)
def test_spacings_are_what_the_next_stored_number_changes(name):
    t = np.array([0.3, 1.7, 2.9], dtype=np.float32)
    function, _ = TRANSFORMS[name]
    step = np.abs(function(np.nextafter(t, np.float32(9)).astype(float)) - function(t.astype(float)))
    assert quantity(t, "float32", transform=name).spacing == pytest.approx(step, rel=1e-5)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_spacings_agree_with_numpy(dtype):
    values = np.array([1.0, 3.7, 1e-3, 500.0], dtype=dtype)
    assert spacings(values.astype(float), dtype).tolist() == np.spacing(values).astype(float).tolist()


def test_seven_in_float32_is_exact():
    """exp(log 7) in float32 is 6.9999995: what the stored logarithm can hold."""
    stored = quantity(np.log(np.float32(7)), "float32", transform="exp")
    assert 0 < abs(stored.values - 7) <= stored.spacing


def test_other_dtypes_hold_no_parameters():
    for dtype in ("int8", "float8_e4m3fn", "bool"):
        with pytest.raises(InputError, match=dtype):
            precision_of(dtype)


@pytest.mark.parametrize(("values", "held"), [(np.float16(np.pi), "float16"), (np.float32(np.pi), "float32")])
def test_what_was_cast_up_still_shows_it(values, held):
    stored = quantity(np.array([values], dtype=np.float64), "float64")
    assert stored.held == held and stored.as_held().spacing == pytest.approx(float(np.spacing(values)))
    assert quantity(np.array([np.pi]), "float64").as_held() is None


# --- references and bounds --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ["legs", "legt", "lagt", "fout"])
@pytest.mark.parametrize("N", [5, 9])
def test_references_against_certified_values(id, N):
    family = ht.make_family(id, N)
    with ht.balls(bits=120).work() as ring:
        spectrum = [complex(value) for value in family.normal_spectrum(ring)]
    found = reference(id, N, "all")
    order = np.argsort([-value.imag for value in spectrum], kind="stable")
    # 2 units in the last place, of parts of at most the modulus.
    assert np.abs(found.Lambda - np.array(spectrum)[order]).max() <= 4 * EPS * found.scale


@pytest.mark.parametrize("id", ["s4d-lin", "s4d-inv", "s4d-inv2", "s4d-quad"])
def test_closed_forms_in_float64_are_those_of_the_package(id):
    N = 64
    truth = initialization(id, N).Lambda.imag
    assert np.abs(closed_form(id, np.arange(N // 2), N) - truth).max() <= 4 * EPS * max(truth.max(), N / np.pi)


@pytest.mark.parametrize("N", [16, 64])
def test_weights_of_eigensolvers_stay_within_their_bound(N):
    legs = ht.LegS(N)
    normal = legs.A + legs.P @ legs.P.T
    frequencies, V = np.linalg.eigh(((normal - normal.T) / -2j).astype(np.complex64).conj())
    found = reference("legs", N, "all")
    fit = compare_eigenvalues(quantity((-0.5 + 1j * frequencies).astype(np.complex64), "complex64"), found)
    B = (V.conj().T @ legs.B).astype(np.complex64)
    comparison = compare_weights(quantity(B, "complex64"), fit, found.weight)
    assert comparison.is_rounding, f"largest error over bound: {comparison.excess}"
    assert comparison.excess >= 1e-3


# --- verdicts ---------------------------------------------------------------------------------------------------------


def test_a_single_wrong_number_of_float64_is_no_float32_computation():
    Lambda = initialization("s4d-legs", 64).Lambda.copy()
    everywhere = Lambda.real + 1j * Lambda.imag * (1 + 1e-8 * np.cos(np.arange(32)))
    assert finding({"Lambda": everywhere}).verdict == "rounding"
    Lambda[3] += 1e-6j
    found = finding({"Lambda": Lambda})
    assert (found.verdict, found.cause) == ("deviates", "entry")


def test_a_start_that_has_moved_is_trained_by_how_much():
    rng = np.random.default_rng(0)
    Lambda = initialization("s4d-legs", 64).Lambda
    moved = Lambda * np.exp(0.05 * rng.standard_normal(32)) + 0.02 * rng.standard_normal(32)
    found = finding({"Lambda": moved})
    assert (found.identified, found.verdict) == ("s4d-legs", "trained")
    assert 0.005 < float(found.reason.split("moved by ")[1].split("%")[0]) / 100 < 0.2


def test_random_is_random():
    rng = np.random.default_rng(1)
    assert finding({"Lambda": -rng.random(16) * 40 + 1j * rng.standard_normal(16) ** 3 * 1e3}).verdict == "random"
    found = finding({"Lambda": initialization("s4d-rand", 64, rng=rng).Lambda})
    assert (found.identified, found.verdict) == ("s4d-rand", "random")
    assert finding({"A": rng.standard_normal((16, 16))}).verdict == "random"


def test_the_computed_precision_of_a_coarse_file_is_float32():
    """One part in a thousand is half a unit of float16 at most: a factor 1.01 is none."""
    Lambda = initialization("s4d-lin", 32).Lambda
    names = {"k.log_A_real": np.log(-Lambda.real), "k.A_imag": Lambda.imag, "k.log_dt": np.zeros(1)}
    stacked = {name: np.atleast_2d(array).astype(np.float16) for name, array in names.items()}
    assert finding(stacked).verdict == "rounding"
    stacked["k.A_imag"] = (1.01 * stacked["k.A_imag"].astype(float)).astype(np.float16)
    assert finding(stacked).verdict == "deviates"


# --- kernels ----------------------------------------------------------------------------------------------------------


def test_kernel_errors_of_the_same_system_are_zero():
    lin = initialization("s4d-lin", 16)
    system = SystemArrays(lin.Lambda, lin.B + 0j, np.ones(8) + 0j, None, lin.multiplicity)
    found = kernel_error(system, system, np.array([0.01]))
    assert found is not None and found.l2 == 0 and found.sup == 0


def test_a_doubled_input_doubles_the_kernel():
    lin = initialization("s4d-lin", 16)
    exact = SystemArrays(lin.Lambda, lin.B + 0j, np.ones(8) + 0j, None, lin.multiplicity)
    double = SystemArrays(lin.Lambda, 2 * lin.B + 0j, np.ones(8) + 0j, None, lin.multiplicity)
    found = kernel_error(double, exact, np.array([0.01, 0.1]))
    assert (
        found is not None and found.l2 == pytest.approx(1, abs=8 * EPS) and found.sup == pytest.approx(1, abs=8 * EPS)
    )


def test_the_clip_at_two_changes_kernels_by_half():
    """D1 as state-spaces/s4 has it: LAPACK's phases leave V* B imaginary; peers.md measured 36 to 71 % for each head."""
    N, rng = 64, np.random.default_rng(0)
    legs = ht.LegS(N)
    normal = legs.A + legs.P @ legs.P.T
    frequencies, V = np.linalg.eigh(-1j * (normal - normal.T) / 2)
    keep = frequencies < 0
    Lambda, B = -0.5 + 1j * frequencies[keep], (V.conj().T @ legs.B)[keep]
    P = (V.conj().T @ legs.P)[keep]
    clipped = B.real + 1j * np.clip(B.imag, -2, 2)
    counts, errors = np.full(N // 2, 2), []
    for _ in range(4):
        C = rng.standard_normal(N // 2) + 1j * rng.standard_normal(N // 2)
        pair = [SystemArrays(Lambda, vector, C, P, counts) for vector in (clipped, B)]
        errors.append(kernel_error(*pair, np.array([0.01])).l2)
    assert min(errors) > 0.3 and max(errors) < 1.0, errors


# --- dense ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("id", "N"), [("legs", 8), ("legt", 8), ("lagt", 7), ("fout", 9)])
def test_normal_plus_low_rank_of_any_unitary_basis(id, N):
    family = ht.make_family(id, N)
    rng = np.random.default_rng(3)
    U = np.linalg.qr(rng.standard_normal((N, N)) + 1j * rng.standard_normal((N, N)))[0]
    A = U @ family.A @ U.conj().T
    Lambda, V, P = normal_plus_low_rank_of(A)
    size = np.linalg.norm(A, 2)
    assert np.abs(V @ np.diag(Lambda) @ V.conj().T - P @ P.conj().T - A).max() <= 50 * N * EPS * size
    assert np.abs(np.sort(Lambda.imag) - np.sort(family.normal_spectrum().imag)).max() <= 50 * N * EPS * size


def test_what_is_not_normal_plus_low_rank_is_not_decomposed():
    assert normal_plus_low_rank_of(np.random.default_rng(0).standard_normal((8, 8))) is None


@pytest.mark.parametrize("entry", dense_references(9), ids=lambda r: f"{r.id}-{r.convention}-{r.beta}")
def test_order_and_signs_of_states_are_found(entry):
    rng = np.random.default_rng(2)
    order, signs = rng.permutation(9), rng.choice([-1.0, 1.0], 9)
    A = entry.A[np.ix_(order, order)] * np.outer(signs, signs)
    found = rearrangement(A, entry.A)
    assert found is not None
    assert np.array_equal(entry.A[np.ix_(found[0], found[0])] * np.outer(found[1], found[1]), A)
    assert rearrangement(A + np.triu(np.ones((9, 9)), 1) * np.abs(A).max(), entry.A) is None


@pytest.mark.parametrize("method", ["bilinear", "zoh", "forward_euler", "backward_euler"])
def test_discretized_matrices_and_their_step(method):
    from hippo_theory.discretizations import discretize_dense

    legs = ht.LegS(8)
    Abar, Bbar = discretize_dense(legs.A, legs.B, method, 0.01)
    found = finding({"A": Abar, "B": Bbar})
    assert found.identified == "legs" and found.parts["A"].verdict == "rounding"
    assert f"discretized by {method} with the step 0.01" in found.reason


# --- the house --------------------------------------------------------------------------------------------------------


def test_validate_is_imported_when_it_is_used():
    code = (
        "import sys, numpy as np, hippo_theory as ht\n"
        "assert 'hippo_theory.validation' not in sys.modules\n"
        "print(ht.validate({'Lambda': -0.5 + 1j * np.pi * np.arange(8)}).verdict)\n"
        "heavy = {'torch', 'matplotlib.pyplot', 'h5py', 'safetensors', 'msgpack'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result: subprocess.CompletedProcess[str] = run_python("-c", code)
    assert result.returncode == 0 and result.stdout == "exact\n", result.stderr
    assert sys.executable


def test_quantities_are_rearranged_together():
    stored = Quantity(np.arange(4.0), np.arange(4.0) / 8, "float64")
    turned = stored.mapped(lambda array: array[::-1])
    assert turned.values.tolist() == [3, 2, 1, 0] and turned.spacing.tolist() == [0.375, 0.25, 0.125, 0]
    assert stored.reshaped(2, 2).values.shape == (2, 2)


# --- parts: errors and their bounds in one unit --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_errors_and_bounds_of_a_part_are_in_one_unit(dtype):
    """max_error and bound are absolute, excess is their ratio entry by entry, max_relative_error is over the truth."""
    truth = reference("s4d-lin", 16).Lambda
    off = truth.astype(np.complex128).copy()
    off[2] += 1e-3j
    part = finding({"Lambda": off.astype(dtype)}).parts["Lambda"]
    u = 2.0**-24 if dtype is np.complex64 else 2.0**-53
    assert part.verdict == "deviates"
    # c = 2: the stored number is rounded to u times its modulus, real and imaginary part apart.
    assert abs(part.max_error - 1e-3) <= 2 * u * np.abs(truth[2])
    assert abs(part.max_relative_error - 1e-3 / np.abs(truth[2])) <= 2 * u
    bound = 4 * u * np.abs(truth) + np.abs(quantity(off.astype(dtype), np.dtype(dtype).name).spacing)
    assert part.bound == pytest.approx(bound.max(), rel=1e-12)
    assert part.excess == pytest.approx(1e-3 / bound[2], rel=4 * u * np.abs(truth[2]) / 1e-3)
    right = finding({"Lambda": truth.astype(dtype)}).parts["Lambda"]
    assert right.excess <= 1 and right.max_error <= right.bound


# --- LegS with indices from 1, and with both ------------------------------------------------------------------------------


def one_indexed(N, form):
    """LegS with n = 1..N by the eigenvectors of its normal part: Lambda, P, B."""
    root = np.sqrt(2 * np.arange(1, N + 1) + 1)
    A = -np.tril(np.outer(root, root), -1) - np.diag(np.arange(1, N + 1) + 1.0)
    P = root / np.sqrt(2)
    frequencies, V = np.linalg.eigh(-1j * (A + np.outer(P, P) + np.eye(N) / 2))
    keep = np.arange(N) >= (N // 2 if form == "half" else 0)
    return {"Lambda": -0.5 + 1j * frequencies[keep], "P": (V.conj().T @ P)[keep, None], "B": (V.conj().T @ root)[keep]}


@pytest.mark.parametrize("form", ["half", "all"])
@pytest.mark.parametrize("N", [8, 9, 64])
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_p_and_b_with_indices_from_1_are_known_within_a_computed_bound(N, form, dtype):
    arrays = {name: part.astype(dtype) for name, part in one_indexed(N, form).items()}
    found = finding(arrays)
    assert {part.deviation for part in found.parts.values()} == {"D8"}
    assert {part.verdict for part in found.parts.values()} == {"known-deviation"}
    assert found.parts["P"].max_relative_error > 0.01  # told against LegS
    # The largest eigenvalue, far from the others: its eigenvector is known to better than 1e-3 in single precision too.
    at = int(np.argmax(np.abs(arrays["Lambda"])))
    for name in ("P", "B"):
        off = arrays | {name: arrays[name].copy()}
        off[name][at] *= 1 + 1e-3
        assert finding(off).parts[name].verdict == "deviates"


@pytest.mark.parametrize("share", [0.0, 0.6, 0.8])
def test_the_eigenvector_that_is_kept_of_two_zeros(share):
    """D10: v* P and v* B have one share at the zero frequency; a P with another share is wrong."""
    found = reference("fout", 8, "half, zeros paired", "s4")
    at = int(np.flatnonzero(found.Lambda.imag == 0)[0])
    whole = np.sqrt(2) * np.where(np.arange(4) == at, share, np.sqrt(0.5))
    arrays = {"Lambda": found.Lambda, "P": found.low_rank * whole[:, None], "B": found.weight * whole}
    assert finding(arrays).parts["P"].deviation == "D10"
    wrong = arrays | {"P": arrays["P"] + 1e-6 * (np.arange(4) == at)[:, None]}
    assert finding(wrong).parts["P"].verdict == "deviates"


@pytest.mark.parametrize("N", [8, 64])
def test_indices_from_0_and_1_together(N):
    """S = A + P P^T whose entries are differences: right within the roundings of their terms, wrong beyond."""
    n = np.arange(N)
    root, P = np.sqrt(2 * n + 1), 0.5 * np.sqrt(2 * (n + 1) + 1)
    S = -np.tril(np.outer(root, root), -1) - np.diag(n + 1.0) + 2 * np.outer(P, P)
    part = finding({"A": S}).parts["A"]
    assert (part.verdict, part.deviation) == ("known-deviation", "D9") and part.excess <= 1
    shifted = finding({"A": S + 1e-6 * np.eye(N)}).parts["A"]
    assert (shifted.verdict, shifted.cause) == ("deviates", "shift") and "1e-06" in shifted.why
    one = S.copy()
    one[2, 2] += 1e-9
    assert finding({"A": one}).parts["A"].cause == "entry"


# --- P and Q, and matrices without their low-rank term --------------------------------------------------------------------


def low_rank_start(id, N):
    start = reference(id, N, form="all")
    return {"Lambda": start.Lambda, "B": start.weight + 0j, "P": start.low_rank + 0j}


@pytest.mark.parametrize(("id", "N"), [("legs", 8), ("legt", 8), ("lagt", 5), ("fout", 9)])
@pytest.mark.parametrize("factor", [1.0, -2.0, 0.5j])
def test_of_p_and_q_only_the_product_counts(id, N, factor):
    """A = Lambda - P Q*: P c and Q / conj(c) is the same; files for which P Q^T is meant hold the conjugate of Q."""
    arrays = low_rank_start(id, N)
    left, right = arrays["P"] * factor, arrays["P"] / np.conj(factor)
    for Q in (right, right.conj()):
        part = finding({**arrays, "P": left, "Q": Q}).parts["P"]
        assert part.verdict in ("exact", "rounding"), part.why


@pytest.mark.parametrize(("id", "N"), [("legs", 8), ("legt", 8), ("lagt", 5), ("fout", 9)])
def test_q_that_does_not_fit_p_deviates(id, N):
    arrays = low_rank_start(id, N)
    part = finding({**arrays, "Q": -arrays["P"]}).parts["P"]
    assert (part.verdict, part.cause) == ("deviates", "sign") and "negate Q" in part.why
    turned = arrays["P"] * np.exp(1j * np.arange(N))[:, None]
    assert finding({**arrays, "Q": turned}).parts["P"].verdict == "deviates"
    # D P, D^-1 Q with D not unitary is another basis, which B does not share; without B it is the same system.
    scale = np.linspace(1, 3, N)[:, None]
    scaled = {**arrays, "P": arrays["P"] * scale, "Q": arrays["P"] / scale}
    assert finding(scaled).parts["P"].verdict == "deviates"
    del scaled["B"]
    assert finding(scaled).parts["P"].verdict in ("exact", "rounding")


def test_p_and_q_of_different_rank():
    arrays = low_rank_start("legs", 8)
    part = finding({**arrays, "Q": np.tile(arrays["P"], (1, 3))}).parts["P"]
    assert part.verdict == "deviates" and "ranks 1 and 3" in part.why


def test_systems_that_differ_in_q_alone_are_judged_apart():
    arrays = low_rank_start("legs", 8)
    P = arrays["P"].T
    both = {"Lambda": np.tile(arrays["Lambda"], (2, 1)), "P": np.stack([P, P], 1), "Q": np.stack([P, -P], 1)}
    verdicts = {found.verdict for found in validate(both).files[0].findings}
    assert verdicts == {"exact", "deviates"}


@pytest.mark.parametrize("make", [ht.LegT, ht.LagT, ht.FouT])
def test_a_dense_matrix_without_its_low_rank_term_deviates(make):
    """A + P P*, the normal part alone, has the right eigenvalues, and is not A."""
    family = make(9)
    P = family.P.reshape(9, -1)
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((9, 9)))
    for A, verdict in ((family.A, "rounding"), (family.A + P @ P.T, "deviates")):
        found = finding({"A": turn @ A @ turn.T, "B": turn @ family.B})
        assert found.verdict == verdict
    assert found.cause == "dropped" and "low-rank" in found.reason


def test_a_matrix_of_zeros_is_no_start():
    for N in (1, 2, 4, 8, 9):
        assert finding({"A": np.zeros((N, N))}).verdict == "random"


# --- low-rank terms without a B, and none at all ---------------------------------------------------------------------------


@pytest.mark.parametrize("N", [7, 8])
def test_a_low_rank_term_of_rank_two_is_judged_by_the_products_of_its_rows(N):
    start = export_arrays("legt", N, form="dplr", half=False)
    rng = np.random.default_rng(N)
    phases = np.exp(2j * np.pi * rng.random(N))[:, None]
    turned = np.linalg.qr(rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2)))[0]
    for P in (start["P"], start["P"] * phases, start["P"] @ turned):  # the same term in other bases
        (file,) = validate({"Lambda": start["Lambda"], "P": P}).files
        assert file.findings[0].parts["P"].verdict in ("exact", "rounding")
    lengths = np.linalg.norm(start["P"], axis=1)
    of_rank_one = np.stack([lengths, np.zeros(N)], axis=1) + 0j
    (file,) = validate({"Lambda": start["Lambda"], "P": of_rank_one}).files
    assert file.findings[0].parts["P"].verdict == "deviates"
    assert "not the right products" in file.findings[0].parts["P"].why


@pytest.mark.parametrize(("family", "N"), [("legt", 8), ("lagt", 8), ("fout", 9)])
def test_the_normal_part_alone_is_said_to_be_that(family, N):
    start = export_arrays(family, N, form="dplr", half=False)
    (alone,) = validate({"Lambda": start["Lambda"]}).files
    assert "no low-rank term" in alone.findings[0].why
    (whole,) = validate({"Lambda": start["Lambda"], "P": start["P"], "B": start["B"]}).files
    assert "no low-rank term" not in whole.findings[0].why
