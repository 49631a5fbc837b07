"""Stacks of equal systems: along the rows, along the columns, poured into another shape; discretized one by one; in halves."""

from __future__ import annotations

import numpy as np
import pytest

import hippo_theory as ht
from hippo_theory.validation import validate
from hippo_theory.validation.arrangements import arrangements, is_stack
from hippo_theory.validation.stored_systems import parameters_of, spectrum_of, tensors_of

FINE = ("exact", "rounding")


def findings(arrays):
    return validate(arrays).files[0].findings


def one(arrays):
    (found,) = findings(arrays)
    return found


def legs_half(N=32):
    """Lambda and V* B of one of each conjugate pair, (N/2,)."""
    arrays = ht.full_system(ht.LegS(N))
    frequencies, V = np.linalg.eigh(-1j * (arrays.A + 0.5 * np.outer(ht.LegS(N).B, ht.LegS(N).B) + 0.5 * np.eye(N)))
    upper = frequencies > 0
    return -0.5 + 1j * frequencies[upper], (V.conj().T @ arrays.B.ravel())[upper]


def lin(n=16):
    return -0.5 + 1j * np.pi * np.arange(n)


# --- the arrangements themselves ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("heads", [2, 3, 7, 8, 13])
@pytest.mark.parametrize("n", [2, 7, 8, 12])
def test_every_arrangement_is_undone(heads, n):
    """Whatever was done to a stack of equal rows, the first arrangement that is found gives rows of those numbers."""
    row = np.random.default_rng(heads + 100 * n).standard_normal(n)
    stack = np.tile(row, (heads, 1))
    for damaged in (stack.T, stack.reshape(n, heads), stack.reshape(n, heads).T, stack.T.reshape(heads, n)):
        if not np.ptp(np.sort(damaged, axis=1), axis=0).any():  # equal rows as they are: nothing to be seen
            assert arrangements(damaged) == ()
            continue
        rows = arrangements(damaged)[0].rows(damaged)
        assert sorted(set(rows[0])) == sorted(row) and (np.sort(rows) == np.sort(rows[0])).all()
        assert rows.shape == (heads, n)


def test_what_is_no_stack_has_no_arrangement():
    rng = np.random.default_rng(1)
    assert arrangements(rng.standard_normal((8, 8))) == ()
    assert arrangements(np.tile(rng.standard_normal(8), (4, 1))) == ()
    assert arrangements(np.full((4, 8), np.nan)) == ()
    assert is_stack(np.tile(np.arange(8) + 1j, (8, 1))) and is_stack(np.tile(np.arange(8) + 1j, (8, 1)).T)
    assert is_stack(np.arange(1, 9)[:, None] * 1j * np.arange(8) - 0.5)
    assert not is_stack(ht.LegS(8).A) and not is_stack(ht.LegS(8).A + 0j)
    assert not is_stack(1j * rng.standard_normal((8, 8)))


# --- square stacks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [2.0, 3.7])
@pytest.mark.parametrize("along", ["rows", "columns"])
def test_as_many_systems_as_states_are_no_state_matrix(factor, along):
    Lambda, B = legs_half()
    stack, input = np.tile(Lambda, (16, 1)), np.tile(B, (16, 1))
    if along == "columns":
        stack, input = stack.T, input.T
    found = one({"Lambda": stack, "B": input})
    assert found.verdict in FINE and found.parts["B"].verdict in FINE and (found.N, found.heads) == (32, 16)
    found = one({"Lambda": stack, "B": factor * input})
    assert (found.verdict, found.parts["Lambda"].verdict) == ("deviates", "rounding")
    assert found.parts["B"].cause == "factor"
    found = one({"Lambda": factor * stack, "B": input})
    assert (found.identified, found.parts["Lambda"].cause) == ("s4d-legs", "factor")


@pytest.mark.parametrize(
    ("change", "cause"), [(lambda z: z.real + np.sqrt(2) * 1j * z.imag, "factor"), (lambda z: -z.conj(), "sign")]
)
def test_square_stacks_of_closed_forms(change, cause):
    found = one({"Lambda": change(np.tile(lin(), (16, 1)))})
    assert (found.identified, found.verdict, found.cause, found.heads) == ("s4d-lin", "deviates", cause, 16)


def test_square_stacks_of_several_time_scales():
    scales = np.array([1, 2, 1, 0.5] * 4)[:, None]
    verdicts = {found.verdict: found.heads for found in findings({"Lambda": scales * lin()})}
    assert verdicts.keys() == {"exact", "deviates"} and verdicts["exact"] == 8


def test_a_square_stack_under_the_name_of_a_matrix():
    Lambda, B = legs_half()
    found = one({"A": np.tile(Lambda, (16, 1)), "B": np.tile(3 * B, (16, 1))})
    assert (found.identified, found.parts["B"].cause, found.heads) == ("s4d-legs", "factor", 16)


def test_complex_state_matrices_stay_state_matrices():
    A = ht.LegS(16).A + 0j
    assert "A" in one({"A": A, "B": ht.LegS(16).B + 0j}).parts


# --- along the columns ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("heads", "n"), [(1, 4), (4, 16), (16, 16)])
@pytest.mark.parametrize("parts", [False, True])
def test_columns_are_systems_where_no_layout_says_otherwise(heads, n, parts):
    def stored(Lambda):
        stack = np.tile(Lambda[:, None], (1, heads))
        return {"Lambda_re": stack.real, "Lambda_im": stack.imag} if parts else {"Lambda": stack}

    found = one(stored(lin(n)))
    assert (found.identified, found.N, found.heads, found.verdict) == ("s4d-lin", 2 * n, heads, "exact")
    assert "the states lie along the first axis" in found.why
    found = one(stored(2 * lin(n)))
    assert (found.identified, found.heads, found.cause) == ("s4d-lin", heads, "factor")


def test_columns_of_several_time_scales():
    stack = lin()[:, None] * np.array([1, 2, 1, 0.5])
    assert {found.verdict for found in findings({"Lambda": stack})} == {"exact", "deviates"}
    assert {found.identified for found in findings({"Lambda": stack})} == {"s4d-lin"}


def named(layout, Lambda, stack):
    """Tensors of a layout that fixes the axis of the states, `stack` applied to each tensor of Lambda."""
    real, imaginary = stack(np.log(-Lambda.real)), stack(Lambda.imag)
    if layout == "mamba":
        return {"layers.0.A_log": real.astype(np.float32), "layers.0.D": np.ones(4, np.float32)}
    if layout == "s4d-minimal":
        return {"kernel.log_A_real": real, "kernel.A_imag": imaginary, "kernel.log_dt": np.full(4, -4.0)}
    return {"k.A_real": real, "k.A_imag": imaginary, "k.inv_dt": np.full((4, 1), -4.0)}


STARTS = {"mamba": -np.arange(1.0, 17) + 0j, "s4d-minimal": lin(), "s4-v4": lin()}
IDS = {"mamba": "mamba-real", "s4d-minimal": "s4d-lin", "s4-v4": "s4d-lin"}


@pytest.mark.parametrize(("layout", "heads"), [("mamba", 32), ("s4d-minimal", 4), ("s4-v4", 16)])
def test_a_layout_that_fixes_the_axis_is_contradicted(layout, heads):
    def stack(part):
        return np.tile(part, (heads, 1))

    arrays = named(layout, STARTS[layout], stack)
    assert one(arrays).verdict == "exact"
    arrays = named(layout, STARTS[layout], lambda part: stack(part).T)
    found = one(arrays)
    assert (found.identified, found.verdict, found.cause) == (IDS[layout], "deviates", "transposed")
    assert (found.stored, found.heads) == (16, heads) and "transpose" in found.reason
    spectrum = spectrum_of(found, parameters_of(found, tensors_of(arrays)))
    assert spectrum.values.shape[1] == 16 and np.abs(spectrum.values - spectrum.truth).max() < 1e-4


# --- poured into another shape --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "heads", "dtype"), [("mamba", 8, "float16"), ("s4d-minimal", 4, "float64"), ("s4-v4", 32, "float32")]
)
@pytest.mark.parametrize("order", ["row", "column"])
def test_stacks_reshaped_where_the_axes_had_to_be_exchanged(layout, heads, dtype, order):
    def poured(part):
        stack = np.tile(part, (heads, 1)).astype(dtype)
        return stack.reshape(16, heads).T if order == "row" else stack.T.reshape(heads, 16)

    found = one(named(layout, STARTS[layout], poured))
    assert (found.identified, found.verdict, found.cause) == (IDS[layout], "deviates", "transposed")
    assert (found.stored, found.heads) == (16, heads) and "equal systems, reshaped" in found.reason


def test_the_input_is_compared_in_the_order_in_which_it_is_stored():
    Lambda, B = legs_half()
    poured = np.tile(Lambda, (4, 1)).reshape(16, 4).T
    for input in (np.tile(B, (4, 1)), np.tile(B, (4, 1)).reshape(16, 4).T):
        found = one({"Lambda": poured, "B": input})
        assert (found.cause, found.parts["B"].verdict) == ("transposed", "rounding")
        assert one({"Lambda": poured, "B": 3 * input}).parts["B"].cause == "factor"


def test_unknown_names_are_tried_in_other_arrangements():
    Lambda, _ = legs_half()
    decay, frequency = np.full((4, 16), np.log(0.5)), np.tile(Lambda.imag, (4, 1)).reshape(16, 4).T
    found = one({"m.rate": decay, "m.pulse": frequency})
    assert (found.identified, found.verdict, found.cause, found.heads) == ("s4d-legs", "deviates", "transposed", 4)


def test_random_and_trained_stacks_are_not_rearranged():
    rng = np.random.default_rng(3)
    noise = rng.standard_normal((4, 16))
    assert one({"l.A_log": noise.T.copy(), "l.D": np.ones(16)}).verdict == "random"
    moved = named("s4d-minimal", lin(), lambda part: np.tile(part, (4, 1)) + 0.01 * rng.standard_normal((4, 16)))
    assert all(found.cause != "transposed" for found in findings(moved))


# --- constants, discretizations, halves -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-0.3 + 0j, -0.3 + 1j, -1.0 + 0j])
@pytest.mark.parametrize("shape", [(16,), (4, 16)])
def test_one_number_again_and_again_is_no_row_of_small_blocks(value, shape):
    found = one({"Lambda": np.full(shape, value)})
    assert "equal blocks" not in found.why and found.verdict not in FINE


def test_blocks_of_a_single_pair_stay_blocks():
    found = one({"Lambda": np.full(4, ht.LegS(2).normal_spectrum()[0])})
    assert found.why.startswith("4 equal blocks of N = 2") and found.verdict in FINE


@pytest.mark.parametrize(
    ("name", "heads", "dtype"),
    [("Abar", 3, "complex128"), ("A_bar", 16, "complex64"), ("dA", 20, "complex64"), ("Lambda_bar", 16, "complex128")],
)
def test_systems_discretized_with_steps_of_their_own(name, heads, dtype):
    steps = np.exp(np.random.default_rng(heads).uniform(np.log(1e-3), np.log(0.1), heads))
    for Lambda, id in ((lin(), "s4d-lin"), (legs_half()[0], "s4d-legs")):
        found = one({name: np.exp(steps[:, None] * Lambda).astype(dtype)})
        assert (found.identified, found.verdict, found.heads) == (id, "rounding", heads)
        assert "discretized by zoh" in found.reason and "other systems with other steps" in found.reason


def test_both_members_of_each_pair_where_the_code_adds_the_conjugates():
    Lambda, _ = legs_half()
    both = np.concatenate([Lambda, Lambda.conj()])
    half, whole = (named("s4-v4", part, lambda array: np.tile(array, (4, 1))) for part in (Lambda, both))
    assert one(half).verdict in FINE
    found = one(whole)
    assert (found.identified, found.verdict, found.cause) == ("s4d-legs", "deviates", "halves")
    assert "every pair counts twice" in found.reason
    assert one({"Lambda": both}).verdict in FINE  # nobody says that conjugates are added


# --- what is beside Lambda ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(16, 2, 4), (16, 1), (3,), (4, 16, 3)])
def test_an_odd_output_does_not_hide_the_rest(shape):
    Lambda, B = (np.tile(part[:, None], (1, 4)) for part in legs_half())
    P = np.ones((16, 4), complex)
    arrays = {"Lambda_re": Lambda.real, "Lambda_im": Lambda.imag, "B": B, "P": P, "log_step": np.full((1, 4), -4.0)}
    found = one(arrays | {"C": np.zeros(shape)})
    assert found.identified == "legs" and found.parts["B"].verdict == "rounding" and "C is not read" in found.why
    pairs = np.stack([Lambda[:, 0].real, Lambda[:, 0].imag], axis=-1)
    found = one({"Lambda": pairs, "C": np.zeros((*shape[:1], 3))})
    assert found.verdict in FINE and "C is not read" in found.why


def test_an_input_under_an_unknown_name_is_compared_or_said():
    Lambda, B = legs_half()
    real = {"m.rate": np.full(16, np.log(0.5)), "m.pulse": Lambda.imag}

    def beside(vector):
        return one(real | {"m.drive": np.stack([vector.real, vector.imag], axis=-1)})

    assert beside(B).parts["B"].verdict in FINE and "drive read as B" in beside(B).why
    assert (beside(3 * B).verdict, beside(3 * B).parts["B"].cause) == ("deviates", "factor")
    rng = np.random.default_rng(2)
    found = beside(rng.standard_normal(16) + 1j * rng.standard_normal(16))
    assert found.verdict in FINE and "B" not in found.parts and "drive: the shape of B" in found.why
    assert "shape of B" not in one(real).why


def test_no_head_is_left_out_under_unknown_names():
    """One head of three states too few to be named is shown beside those that are fine."""
    scales = np.array([1, 1, 1.7, 1])[:, None] * -lin(4)
    verdicts = {found.verdict for found in findings({"m.one": scales.real, "m.other": scales.imag})}
    assert "exact" in verdicts and verdicts != {"exact"}


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda z: np.append(z, z[-1]), "doubled"),
        (lambda z: np.delete(z, 7), "lost"),
        (lambda z: z.real + 1j * np.clip(z.imag, -100, 100), "clipped"),
    ],
    ids=["doubled", "lost", "clipped"],
)
@pytest.mark.parametrize("id", ["s4d-legs", "s4d-inv"])
def test_damage_under_unknown_names_that_changes_the_count(id, change, cause):
    Lambda = change(ht.initialization(id, 64).Lambda)
    found = one({"m.rate": np.log(-Lambda.real), "m.pulse": Lambda.imag})
    assert (found.identified, found.verdict, found.cause) == (id, "deviates", cause)
