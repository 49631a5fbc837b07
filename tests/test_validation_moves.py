"""Starts that have moved, from their own roundings to three times themselves; spectra of which a part is left; whose B it is."""

from __future__ import annotations

import numpy as np
import pytest

import hippo_theory as ht
from hippo_theory.initializations import initialization
from hippo_theory.validation import validate
from hippo_theory.validation.kernel_errors import SystemArrays, kernel_error
from hippo_theory.validation.moves import decisive, is_near, likeliest_start, nearest_start, outlying
from hippo_theory.validation.references import references
from hippo_theory.validation.vectors import HALVED_INPUT, WHOLE_INPUT

CLOSED = ("s4d-lin", "s4d-inv", "s4d-inv2", "s4d-quad", "s4d-real")
FAMILIES = ("legs", "legt", "lagt", "fout")
LEVELS = (
    1e-7,
    3e-7,
    1e-6,
    3e-6,
    1e-5,
    3e-5,
    1e-4,
    1e-3,
    1e-2,
    0.05,
)  # beyond, chance comes near to evenly spaced starts


def spectrum(id, N):
    """The stored half."""
    if id in FAMILIES:
        whole = ht.make_family(id, N - (id == "fout")).normal_spectrum()
        return whole[whole.imag >= 0]
    return initialization(id, N).Lambda + 0j


def noisy(Lambda, level, rng, shape=()):
    """Real and imaginary parts moved independently, relative to the part, and real parts of 0 relative to the modulus."""
    real, imaginary = (rng.standard_normal((*shape, len(Lambda))) for _ in range(2))
    size = np.where(Lambda.real == 0, np.abs(Lambda), np.abs(Lambda.real))
    return Lambda.real + level * size * real + 1j * Lambda.imag * (1 + level * imaginary)


def findings(arrays):
    return validate(arrays).files[0].findings


def one(arrays):
    (found,) = findings(arrays)
    return found


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("id", [*CLOSED, *FAMILIES])
def test_a_start_that_has_moved_a_little_is_that_start(id, dtype):
    """Never another start, and never a mistake: rounding as long as its bound explains all, trained beyond."""
    expected = "s4d-legs" if id == "legs" else id
    seen = []
    for number, level in enumerate(LEVELS):
        found = one({"Lambda": noisy(spectrum(id, 64), level, np.random.default_rng(number)).astype(dtype)})
        assert found.identified == expected, (level, found.identified, found.reason)
        assert found.verdict in ("rounding", "trained"), (level, found.verdict, found.reason)
        # In float64 moves as small as the rounding of float32 are taken for it.
        assert found.cause in (("trained",) if found.verdict == "trained" else (None, "float32"))
        seen.append(found.verdict)
    # Well above 20 sqrt(N) u = 9.5e-6, relative to the largest eigenvalue, no bound explains the moves.
    assert set(seen[6:]) == {"trained"}
    if dtype == "complex64" and id in CLOSED:
        assert seen[0] == "rounding" and set(seen[1:]) == {"trained"}


@pytest.mark.parametrize("seed", range(20))
def test_s4d_lin_after_a_few_steps_of_an_optimizer(seed):
    """Independent noise of 3e-7 to 1e-5 in the float32 layout of state-spaces/s4."""
    rng = np.random.default_rng(seed)
    moved = noisy(spectrum("s4d-lin", 64), 10 ** rng.uniform(np.log10(3e-7), -5), rng)
    arrays = {"k.log_A_real": np.log(-moved.real), "k.A_imag": moved.imag}
    found = one({name: part.astype(np.float32) for name, part in arrays.items()})
    assert (found.identified, found.verdict, found.cause) == ("s4d-lin", "trained", "trained"), found.reason


@pytest.mark.parametrize(("id", "level"), [("s4d-lin", 3e-6), ("fout", 3e-5)])
def test_a_real_part_that_stays_does_not_make_it_another_start(id, level):
    """FouT, FourierDiagonal and S4D-Lin differ by a factor and by the real part. FouT comes from an eigensolver."""
    Lambda = spectrum(id, 64)
    for seed in range(6):
        moved = Lambda.real + 1j * Lambda.imag * (1 + level * np.random.default_rng(seed).standard_normal((2, 32))[1])
        found = one({"Lambda": moved.astype(np.complex64)})
        assert (found.identified, found.verdict) == (id, "trained"), found.reason


def test_a_mistake_between_two_starts_keeps_its_name():
    """Twice S4D-Lin lies near FourierDiagonal, which has twice its frequencies too."""
    lin = initialization("s4d-lin", 64)
    found = one({"Lambda": 2 * lin.Lambda, "B": lin.B})
    assert (found.identified, found.cause) == ("s4d-lin", "factor"), found.reason


@pytest.mark.parametrize("heads", [3, 16])
@pytest.mark.parametrize("level", [1e-7, 3e-6, 1e-5, 1e-2])
@pytest.mark.parametrize("id", ["s4d-lin", "s4d-legs"])
def test_heads_that_were_trained_together_are_one_finding(id, level, heads):
    moved = noisy(initialization(id, 64).Lambda, level, np.random.default_rng(heads), (heads,))
    arrays = {"k.log_A_real": np.log(-moved.real), "k.A_imag": moved.imag}
    found = one({name: part.astype(np.float32) for name, part in arrays.items()})
    assert (found.identified, found.heads) == (id, heads)
    assert found.verdict in (("rounding", "trained") if level < 1e-5 else ("trained",))


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("id", [*CLOSED, "legs"])
def test_one_number_that_stands_out_is_no_training(id, dtype):
    """The same start with one entry off by a hundred times what the others are."""
    Lambda = spectrum(id, 64).astype(dtype)
    Lambda[11] *= 1 + 1e-3
    found = one({"Lambda": Lambda})
    assert (found.verdict, found.cause) == ("deviates", "entry"), found.reason
    among_moved = noisy(spectrum(id, 64), 1e-3, np.random.default_rng(0))
    among_moved[11] *= 1 + 1e-3
    assert one({"Lambda": among_moved.astype(dtype)}).verdict == "trained"


@pytest.mark.parametrize("level", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("id", ["s4d-lin", "s4d-legs", "s4d-inv"])
def test_noise_as_large_as_the_numbers_leaves_nothing_to_recognize(id, level):
    """At 10 % the start is still nearer than random numbers are to theirs; at 100 % one in twenty is at most."""
    answers = []
    for seed in range(10):
        moved = noisy(initialization(id, 64).Lambda, level, np.random.default_rng(seed))
        answers.append(one({"Lambda": moved}))
    if level < 1:
        assert [found.verdict for found in answers] == 10 * ["trained"]
    else:
        assert sum(found.identified == "random" for found in answers) >= 8
        assert all("no nearer" in found.reason for found in answers if found.identified == "random")


@pytest.mark.parametrize("n", [4, 32])
def test_the_chance_level_holds_for_other_draws(n):
    """Draws that the criterion was not made of: at most 12 of 100 nearer than the level of 5 % (p < 0.002 if it holds)."""
    rng, starts = np.random.default_rng(99), references(n)
    scales = np.log([r.scale for r in starts if np.ptp(r.Lambda.imag) > 0])
    near = 0
    for index in range(100):
        shape = rng.random(n) if index % 2 else 10 ** (-3 * rng.random(n))
        scale = np.exp(rng.uniform(scales.min() - np.log(10), scales.max() + np.log(10)))
        values = -0.5 + 1j * scale * np.sort(shape)[::-1]
        near += is_near(*likeliest_start(values))
    assert near <= 12


def test_the_numbers_of_the_criteria():
    """Chances of 1e-4, by simulation: n moves of which all are within a share of the largest, and the largest of n."""
    rng = np.random.default_rng(0)
    for moves, most in ((rng.random((400_000, 4)), 1.5), (rng.standard_normal((400_000, 4)), 4)):
        share = np.sort(np.abs(moves), axis=1)
        # 40 are expected of uniform moves; 1.5 times that are three standard deviations more.
        assert (share[:, -2] < share[:, -1] / decisive(4)).mean() <= most * 1e-4
    assert (share[:, -1] > outlying(4) / 1.2).mean() > 0 and (share[:, -1] > outlying(4)).mean() <= 1e-4
    assert nearest_start(spectrum("s4d-lin", 16))[1] == 0


@pytest.mark.parametrize("systems", [3, 10])
def test_trained_systems_of_equal_blocks_are_those_of_one_block(systems):
    """The start is that of a block of 8, not of the 16 numbers of a system."""
    rng = np.random.default_rng(4)
    rows = np.array([np.tile(noisy(spectrum("s4d-lin", 16), 0.02, rng), 2) for _ in range(systems)])
    found = one({"Lambda": rows})
    assert (found.identified, found.verdict, found.heads) == ("s4d-lin", "trained", systems)


def test_eigenvalues_of_a_skew_part_that_were_rounded_and_cast_up():
    """What holds the numbers is float16 before and after the shift by -1/2."""
    skew = 1j * spectrum("s4d-legs", 16).imag.astype(np.float16).astype(np.float64)
    found = one({"evals": skew})
    assert (found.identified, found.verdict) == ("dss", "rounding"), found.reason


# --- a part of a spectrum ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize(
    ("id", "part"), [("s4d-legs", slice(0, 16)), ("s4d-legs", slice(16, 32)), ("s4d-quad", slice(0, 16))]
)
def test_half_of_a_half_is_said_to_be_that(id, part, dtype):
    Lambda = np.sort_complex(spectrum(id, 64))[::-1]
    found = one({"Lambda": Lambda[part].astype(dtype)})
    assert (found.identified, found.N, found.verdict, found.cause) == (id, 64, "deviates", "halves"), found.reason
    assert "16 of 32" in found.reason


def test_other_parts_are_lost_and_chance_is_not():
    Lambda = spectrum("s4d-legs", 64)
    found = one({"Lambda": np.delete(Lambda, [3, 4, 9, 20, 21])})
    assert (found.identified, found.cause) == ("s4d-legs", "lost") and "5 of 32" in found.reason
    found = one({"Lambda": Lambda[::2]})
    assert (found.identified, found.cause) == ("s4d-legs", "lost") and "16 of 32" in found.reason
    # Half of them, one of which is off: no part of that spectrum.
    assert one({"Lambda": Lambda[:16] + 0.1j * (np.arange(16) == 5)}).identified == "s4d-rand"


# --- B or B/2 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["diagonal", "dense"])
@pytest.mark.parametrize(("factor", "words"), [(1, HALVED_INPUT), (2, WHOLE_INPUT)])
def test_which_of_the_two_inputs_it_is_is_said(factor, words, form):
    legs = initialization("s4d-legs", 16, form="dense") if form == "dense" else initialization("s4d-legs", 16)
    arrays = {"A": legs.A, "B": factor * legs.B} if form == "dense" else {"Lambda": legs.Lambda, "B": factor * legs.B}
    found = one(arrays)
    assert found.verdict in ("exact", "rounding") and words in found.reason and words in found.why
    assert words not in one({**arrays, "B": 3 * arrays["B"]}).reason
    if form == "diagonal":
        assert "exact B: " + ("V* B / 2" if factor == 1 else "V* B") == found.kernel_error.inputs.split("; ")[1]


def test_a_full_legs_has_one_input_and_needs_no_words():
    parts = ht.normal_plus_low_rank(ht.LegS(16))
    found = one({"Lambda": parts.Lambda[:8], "P": parts.P[:8], "B": ht.LegS(16).normal_weights()[:8]})
    assert found.identified == "legs" and found.verdict in ("exact", "rounding") and found.reason == ""


def test_the_kernel_error_is_that_of_the_output_and_input_that_it_names():
    """By the sum itself: |B_n| e^(lambda_n t) held over a step, for C with the phases of B; and for a stored C."""
    legs, rng, step = initialization("s4d-legs", 16), np.random.default_rng(1), 0.01
    Lambda, B = legs.Lambda, legs.B * np.exp(1j * rng.standard_normal(8))
    off = B * (1 + 0.1 * rng.standard_normal(8))
    C = rng.standard_normal(8) + 1j * rng.standard_normal(8)
    log_dt = np.log(np.array([step]))
    for stored, words in (({}, "C: phases of B, equal weights"), ({"C": C[None]}, "C: first row of the file's")):
        found = one({"Lambda": Lambda, "B": off, "log_dt": log_dt, **stored})
        output = C if stored else (off / np.abs(off)).conj()
        times = np.exp(np.outer(np.arange(1024), found.kernel_error.step * Lambda))
        held = np.expm1(found.kernel_error.step * Lambda) / Lambda
        exact = off / np.abs(off) * legs.B
        kernels = [2 * (times @ (held * output * vector)).real for vector in (off, exact)]
        error = np.linalg.norm(kernels[0] - kernels[1]) / np.linalg.norm(kernels[1])
        # c = 1e4: 1024 powers of multipliers and sums of 8 terms that cancel.
        assert found.kernel_error.inputs == f"{words}; exact B: V* B / 2"
        assert found.kernel_error.l2 == pytest.approx(error, rel=1e4 * 2.0**-52)
    system = SystemArrays(Lambda, B, C, None, np.full(8, 2))
    assert kernel_error(system, system, np.array([step])).inputs == ""
