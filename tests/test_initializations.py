"""Every named start against a second route: mpmath formulas, dense eigensolvers, the defining sums, the code of others.

``data/peer_initializations.npz``: see test_decompositions.py for what was run. It is single precision, so that the
comparison is to c eps(float32) x the largest modulus.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from flint import arb

from hippo_theory.arithmetic import balls
from hippo_theory.decompositions import normal_plus_low_rank
from hippo_theory.errors import InputError
from hippo_theory.families import LegS, make_family
from hippo_theory.families.conventions import CONVENTIONS
from hippo_theory.initializations import (
    INITIALIZATIONS,
    dss,
    export_arrays,
    initialization,
    lru,
    mamba2,
    mamba_real,
    ring_parameters,
    s4d_inv,
    s4d_inv2,
    s4d_legs,
    s4d_lin,
    s4d_quad,
    s4d_rand,
    s4d_real,
    s5,
    step_sizes,
)
from hippo_theory.systems import (
    DenseSystem,
    DiagonalPlusLowRankSystem,
    DiagonalSystem,
    HalfSystem,
    conjugate_full,
    conjugate_half,
)

EPS = float(np.finfo(np.float64).eps)
EPS32 = float(np.finfo(np.float32).eps)
PEERS = np.load(Path(__file__).parent / "data" / "peer_initializations.npz")

# The ids of the command line, apart from `random` and `unknown`, which are verdicts and not starts.
FAMILY_IDS = ["legs", "legt", "lagt", "fout", "lmu", "fourier-decay", "fourier-diagonal"]
S4D_IDS = ["s4d-legs", "s4d-inv", "s4d-inv2", "s4d-lin", "s4d-quad", "s4d-real", "s4d-rand"]
IDS = [*FAMILY_IDS, *S4D_IDS, "dss", "s5", "lru", "mamba-real", "mamba2"]


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def options(id: str) -> dict[str, Any]:
    return {"rng": generator()} if INITIALIZATIONS[id].is_random else {}


def size(id: str) -> int:
    """A size that the start admits: Fourier wants an odd one."""
    return 7 if id.startswith("fou") else 8


# --- the register ------------------------------------------------------------------------------------------------------


def test_every_id_is_there() -> None:
    assert set(INITIALIZATIONS) == set(IDS)
    assert {convention.id for convention in CONVENTIONS} <= set(INITIALIZATIONS)


@pytest.mark.parametrize("id", IDS)
def test_every_start_says_what_it_is_and_makes_a_system_of_size_N(id: str) -> None:
    entry = INITIALIZATIONS[id]
    assert entry.id == id
    assert entry.title
    assert entry.source
    assert "state size" in entry.size
    assert "Returns" in (entry.function.__doc__ or "")
    system = initialization(id, size(id), **options(id))
    assert size(id) == system.N
    for name, parameter in inspect.signature(entry.function).parameters.items():
        assert parameter.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD or name == "N"


@pytest.mark.parametrize("id", [id for id in IDS if INITIALIZATIONS[id].is_random])
def test_random_starts_need_a_generator_and_repeat_with_it(id: str) -> None:
    with pytest.raises(InputError, match="rng"):
        initialization(id, 8)
    with pytest.raises(InputError, match="Generator"):
        initialization(id, 8, rng=0)
    first, again, other = (initialization(id, 8, rng=generator(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.Lambda, again.Lambda)
    assert np.array_equal(first.B, again.B)
    assert not np.array_equal(first.Lambda, other.Lambda)


@pytest.mark.parametrize("id", ["s4d-inv", "s4d-inv2", "s4d-lin", "s4d-quad", "s4d-rand", "dss", "lru"])
def test_odd_sizes_of_paired_starts_are_refused_with_a_way_out(id: str) -> None:
    with pytest.raises(InputError, match="use 6 or 8"):
        initialization(id, 7, **options(id))


@pytest.mark.parametrize(
    ("id", "arguments", "word"),
    [
        ("s4d", {}, "choose one of"),
        ("s4d-lin", {"rng": None}, "does not take"),
        ("legs", {"nonsense": 1}, "does not take"),
        ("legs", {"form": "diagonals"}, "`form`"),
        ("s4d-legs", {"form": "dplr"}, "`form`"),
        ("lmu", {"form": "dplr"}, "LegT"),
        ("dss", {"variant": "softmax"}, "`length`"),
        ("dss", {"variant": "soft"}, "`variant`"),
        ("s5", {"blocks": 3}, "`blocks`"),
        ("mamba2", {"heads": 3, "rng": generator()}, "`heads`"),
        ("lru", {"rng": generator(), "smallest": 1.0}, "smallest"),
        ("lru", {"rng": generator(), "phase": 0.0}, "`phase`"),
    ],
)
def test_wrong_arguments_are_refused(id: str, arguments: dict[str, Any], word: str) -> None:
    with pytest.raises(InputError, match=word):
        initialization(id, 8, **arguments)


# --- S4D ---------------------------------------------------------------------------------------------------------------

FORMULAS: dict[Callable[..., HalfSystem], Callable[[Any, int, int], Any]] = {
    s4d_inv: lambda pi, N, n: N / pi * (mpmath.mpf(N) / (2 * n + 1) - 1),
    s4d_inv2: lambda pi, N, n: N / pi * (mpmath.mpf(N) / (n + 1) - 1),
    s4d_lin: lambda pi, N, n: pi * n,
    s4d_quad: lambda pi, N, n: mpmath.mpf(1 + 2 * n) ** 2 / pi,
}


def nearest_mpmath(formula: Callable[[Any, int, int], Any], N: int) -> list[float]:
    """The formula at 40 digits, rounded to float64."""
    with mpmath.workdps(40):
        return [float(formula(+mpmath.pi, N, n)) for n in range(N // 2)]


@pytest.mark.parametrize("start", FORMULAS, ids=lambda start: start.__name__)
@pytest.mark.parametrize("N", [2, 8, 64, 258])
def test_laws_are_nearest_to_their_formula(start: Callable[..., HalfSystem], N: int) -> None:
    half = start(N)
    assert half.stored == N // 2
    assert half.N == N
    assert list(half.Lambda.imag) == nearest_mpmath(FORMULAS[start], N)
    assert (half.Lambda.real == -0.5).all()
    assert (half.B == 1).all()
    assert (half.multiplicity == 2).all()


@pytest.mark.parametrize("start", FORMULAS, ids=lambda start: start.__name__)
def test_a_wrong_constant_is_seen(start: Callable[..., HalfSystem]) -> None:
    # Shows that the comparison can fail: one part in 10^15 in pi.
    wrong = nearest_mpmath(lambda pi, N, n: FORMULAS[start](pi * (1 + mpmath.mpf("1e-15")), N, n), 64)
    assert list(start(64).Lambda.imag) != wrong


@pytest.mark.parametrize("start", [*FORMULAS, s4d_legs], ids=lambda start: start.__name__)
def test_balls_contain_the_truth(start: Callable[..., HalfSystem]) -> None:
    certified, rounded = start(8, arithmetic=balls(200)), start(8)
    with balls(200).work():
        for ball, value in zip(certified.Lambda, rounded.Lambda, strict=True):
            assert ball.real == arb(float(value.real))
            assert ball.imag.rad() < arb("1e-50")
            assert abs(ball.imag - float(value.imag)) <= arb(float(np.spacing(abs(value.imag) + 1e-300)))
        for ball, value in zip(certified.B, rounded.B, strict=True):
            assert abs(ball - float(value)) <= arb(float(np.spacing(value)))


@pytest.mark.parametrize("law", ["lin", "inv", "inv2", "quad"])
def test_laws_agree_with_state_spaces_s4(law: str) -> None:
    # It stores the conjugates, in complex64.
    theirs, ours = PEERS[f"s4_diag_{law}"].conj(), initialization(f"s4d-{law}", 16).Lambda
    assert np.abs(theirs - ours).max() <= 4 * EPS32 * np.abs(ours).max()


def test_real_agrees_with_state_spaces_s4_and_mamba() -> None:
    theirs = PEERS["s4_diag_real"]
    half = s4d_real(16, pairs=True)
    assert np.abs(theirs - half.Lambda).max() <= 4 * EPS32 * 8
    assert half.N == 16
    assert np.array_equal(mamba_real(16).Lambda, s4d_real(16).Lambda)
    assert np.abs(-np.exp(PEERS["mamba_A_log"].astype(float)) - mamba_real(16).Lambda).max() <= 4 * EPS32 * 16
    assert np.array_equal(np.sort(np.diag(LegS(16).A)), np.sort(s4d_real(16).Lambda))


@pytest.mark.parametrize("N", [1, 2, 9, 16, 64])
def test_legs_is_the_normal_part_with_half_of_B(N: int) -> None:
    half = s4d_legs(N)
    dense = s4d_legs(N, form="dense")
    A, P, B = LegS(N).A, LegS(N).P, LegS(N).B
    assert np.abs(dense.A - (A + P @ P.T)).max() <= 2 * N * EPS  # two roundings of entries up to N
    assert np.array_equal(dense.B, B / 2)
    # c N norm(S) eps for a dense solver, c = 8; |v* b|^2 by its eigenvectors needs the gaps, so compare the sum.
    computed = np.linalg.eigvals(dense.A)
    expected = conjugate_full(half).Lambda
    scale = 8 * N * max(1.0, float(np.abs(expected).max())) * EPS
    assert np.abs(np.sort(computed.imag) - np.sort(expected.imag)).max() <= scale
    assert abs((half.multiplicity * half.B**2).sum() - (B @ B) / 4) <= 8 * N * (B @ B) * EPS
    assert half.N == N
    assert half.stored == (N + 1) // 2
    certified = s4d_legs(N, form="dense", arithmetic=balls(100))
    with balls(100).work():
        for name in ("A", "B"):
            for ball, value in zip(getattr(certified, name).ravel(), getattr(dense, name).ravel(), strict=True):
                assert abs(ball - float(value)) <= arb(float(np.spacing(abs(value) + 1e-300)))


def test_legs_agrees_with_other_codebases() -> None:
    ours = s4d_legs(16).Lambda
    for theirs in (
        PEERS["s4_diag_legs"].conj(),
        PEERS["s5_Lambda"][:8].conj(),
        PEERS["dss_skew_eigenvalues"][:8] - 0.5,
    ):
        # complex64 solvers: c N norm(S) eps(float32), c = 1.
        assert np.abs(theirs - ours).max() <= 16 * EPS32 * np.abs(ours).max()
    moduli = np.abs(PEERS["s5_B"][:8])
    assert np.abs(moduli / 2 - s4d_legs(16).B).max() <= 16 * EPS32 * moduli.max()
    # And the factor 1/2, which state-spaces/s4 drops, is seen.
    assert np.abs(moduli - s4d_legs(16).B).max() > 1


def test_random_law() -> None:
    half = s4d_rand(20_000, rng=generator())
    assert (half.Lambda.real == -0.5).all()
    assert scipy.stats.kstest(np.log(half.Lambda.imag), "norm").pvalue > 1e-3
    other = s4d_rand(4000, rng=generator(), random_real=True, uniform_imaginary=True)
    assert scipy.stats.kstest(-other.Lambda.real, "uniform").pvalue > 1e-3
    assert scipy.stats.kstest(other.Lambda.imag / 2000, "uniform").pvalue > 1e-3
    # Shows that the test can fail: a spread of 1.1 instead of 1.
    assert scipy.stats.kstest(1.1 * np.log(half.Lambda.imag), "norm").pvalue < 1e-3


# --- DSS and S5 --------------------------------------------------------------------------------------------------------


def zero_order_hold_kernel(half: HalfSystem, weights: Any, length: int, step: float) -> Any:
    """sum_j w_j B_j (e^(lambda dt) - 1)/lambda e^(lambda dt l) over the stored states, complex."""
    Lambda = half.Lambda
    gain = weights * half.B * np.expm1(Lambda * step) / Lambda
    return gain @ np.exp(np.outer(Lambda * step, np.arange(length)))


def test_dss_softmax_is_a_softmax_over_the_positions() -> None:
    length, step = 50, 0.01
    half = dss(8, variant="softmax", length=length, step="0.01")
    weights = generator().standard_normal(4) + 1j * generator(1).standard_normal(4)
    exponents = np.outer(half.Lambda * step, np.arange(length))
    rows = np.exp(exponents) / np.exp(exponents).sum(axis=1, keepdims=True)
    expected = (weights / half.Lambda) @ rows
    # Sums of `length` terms and a quotient by e^(L lambda dt) - 1 (of modulus above 0.1 here): c L eps, c = 32.
    scale = float(np.abs(weights / half.Lambda).sum())
    found = zero_order_hold_kernel(half, weights, length, step)
    assert np.abs(found - expected).max() <= 32 * length * scale * EPS
    # Without the inverse, as slides print it, it is something else.
    wrong = HalfSystem(half.Lambda, 1 / half.B, multiplicity=[2] * 4)
    assert np.abs(zero_order_hold_kernel(wrong, weights, length, step) - expected).max() > 1e-3


def test_dss_is_s4d_legs_without_its_inputs() -> None:
    half = dss(16)
    assert np.array_equal(half.Lambda, s4d_legs(16).Lambda)
    assert (half.B == 1).all()
    # N is the full size: what DSS calls N = 8 diagonalizes the matrix of size 16.
    assert half.stored == 8
    assert (
        np.abs(PEERS["dss_skew_eigenvalues"][:8].imag - half.Lambda.imag).max() <= 16 * EPS32 * half.Lambda.imag.max()
    )


@pytest.mark.parametrize(("N", "blocks"), [(8, 1), (8, 2), (9, 3), (6, 6)])
def test_s5_is_block_diagonal(N: int, blocks: int) -> None:
    half = s5(N, blocks=blocks)
    M = N // blocks
    block = LegS(M).A + LegS(M).P @ LegS(M).P.T
    dense = scipy.linalg.block_diag(*[block] * blocks)
    full = conjugate_full(half)
    assert full.N == N
    computed = np.linalg.eigvalsh(-1j * (dense + 0.5 * np.eye(N)))
    assert (
        np.abs(np.sort(computed) - np.sort(full.Lambda.imag)).max()
        <= 8 * N * max(1.0, float(np.abs(dense).max())) * EPS
    )
    assert (half.multiplicity == 1).sum() == blocks * (M % 2)
    total = (half.multiplicity * np.abs(half.B) ** 2).sum()
    assert abs(total - blocks * (LegS(M).B @ LegS(M).B) / 4) <= 8 * N * total * EPS


def test_s5_random_inputs_are_a_rotated_lecun_vector() -> None:
    N, blocks = 9999, 3333
    half = s5(N, blocks=blocks, rng=generator())
    V = normal_plus_low_rank(LegS(3)).V[:, :2]
    B, multiplicity = half.B.reshape(blocks, 2), half.multiplicity.reshape(blocks, 2)
    assert (B[:, 1].imag == 0).all()
    b = ((multiplicity * B) @ V.T).real
    assert np.abs(b @ V.conj() - B).max() <= 8 * 3 * np.abs(b).max() * EPS
    # Normal, cut at two deviations and scaled to variance 1/N: in the coordinates of the normal part itself, so that
    # conjugated eigenvectors, which turn b, are seen at the cut.
    cut = scipy.stats.truncnorm(-2, 2)
    scaled = b.ravel() * np.sqrt(N) * cut.std()
    assert 1.99 < np.abs(scaled).max() <= 2 * (1 + 8 * EPS)
    assert scipy.stats.kstest(scaled, cut.cdf).pvalue > 1e-3
    turned = ((multiplicity * (b @ V)) @ V.T).real * np.sqrt(N) * cut.std()
    assert np.abs(turned).max() > 2.1


# --- LRU and Mamba -----------------------------------------------------------------------------------------------------


def test_lru_is_uniform_on_its_ring() -> None:
    ring = ring_parameters(5000, rng=generator(), smallest=0.4, largest=0.9, phase=2.0)
    squares = np.abs(ring.Lambda) ** 2
    assert squares.min() >= 0.16 * (1 - 4 * EPS)
    assert squares.max() <= 0.81 * (1 + 4 * EPS)
    assert scipy.stats.kstest((squares - 0.16) / 0.65, "uniform").pvalue > 1e-3
    assert scipy.stats.kstest(np.angle(ring.Lambda) / 2.0, "uniform").pvalue > 1e-3
    assert np.abs(ring.gamma**2 + squares - 1).max() <= 8 * EPS
    # Shows that the test can fail: uniform in the radius instead of its square.
    assert scipy.stats.kstest((np.sqrt(squares) - 0.4) / 0.5, "uniform").pvalue < 1e-3


def test_lru_normalizes_its_state() -> None:
    half = lru(4000, rng=generator(), smallest=0.5, largest=0.99)
    assert half.discrete
    assert half.N == 4000
    # E |b|^2 = 1 with b = B/gamma; 2000 draws of an exponential variable: a spread of 0.022, 5 of them.
    gamma = np.sqrt(1 - np.abs(half.Lambda) ** 2)
    assert abs((np.abs(half.B / gamma) ** 2).mean() - 1) < 0.11
    # Under white noise E |x|^2 = |B|^2/(1 - |Lambda|^2) = |b|^2.
    assert abs((np.abs(half.B) ** 2 / (1 - np.abs(half.Lambda) ** 2)).mean() - 1) < 0.11


def test_mamba2_has_one_scalar_a_head() -> None:
    system = mamba2(12, heads=4, rng=generator())
    rows = system.Lambda.reshape(4, 3)
    assert (rows == rows[:, :1]).all()
    assert len(np.unique(rows)) == 4
    scalars = -mamba2(5000, heads=5000, rng=generator()).Lambda
    assert scipy.stats.kstest((scalars - 1) / 15, "uniform").pvalue > 1e-3


def test_steps_are_uniform_in_the_logarithm() -> None:
    steps = step_sizes(5000, rng=generator())
    assert steps.min() >= 0.001
    assert steps.max() <= 0.1
    assert scipy.stats.kstest(np.log(steps / 0.001) / np.log(100), "uniform").pvalue > 1e-3
    assert scipy.stats.kstest((steps - 0.001) / 0.099, "uniform").pvalue < 1e-3
    assert (step_sizes(3, rng=generator(), smallest="0.01", largest="0.01") == 0.01).all()
    with pytest.raises(InputError, match="`smallest`"):
        step_sizes(3, rng=generator(), smallest=0)


# --- families and exports ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", [convention.id for convention in CONVENTIONS if convention.name == "default"])
def test_families_come_in_their_forms(id: str) -> None:
    N = size(id)
    family = make_family(id, N)
    dense = initialization(id, N)
    assert isinstance(dense, DenseSystem)
    assert np.array_equal(dense.A, family.A)
    assert np.array_equal(dense.B, family.B)
    certified = initialization(id, N, arithmetic=balls(100))
    assert certified.A[0, 0].overlaps(family.state_matrix(balls(100))[0, 0])
    if "dplr" in INITIALIZATIONS[id].forms:
        assert isinstance(initialization(id, N, form="dplr"), DiagonalPlusLowRankSystem)
        restriction = initialization(id, N, form="diagonal")
        assert isinstance(restriction, DiagonalSystem)
        assert np.array_equal(restriction.B, family.normal_weights() / 2)
        enclosed = initialization(id, N, form="diagonal", arithmetic=balls(100))
        with balls(100).work():
            for ball, value in zip(enclosed.Lambda, restriction.Lambda, strict=True):
                assert abs(ball.imag - float(value.imag)) <= 2 * arb(float(np.spacing(abs(value.imag))))
                assert ball.real == arb(float(value.real))
            for ball, value in zip(enclosed.B, restriction.B, strict=True):
                assert abs(ball - float(value)) <= 2 * arb(float(np.spacing(abs(value) + 1e-300)))


def test_options_reach_the_family() -> None:
    assert np.array_equal(initialization("lagt", 3, beta="1").A, -np.tril(np.ones((3, 3))))
    assert np.array_equal(initialization("legt", 3, convention="s4").A * 2, initialization("legt", 3).A)


EXPORTS = [(id, form, half) for id in IDS for form in INITIALIZATIONS[id].forms for half in (False, True)]


@pytest.mark.parametrize(("id", "form", "half"), EXPORTS)
def test_exports(id: str, form: str, half: bool) -> None:
    N = size(id)
    if half and form == "dense":
        with pytest.raises(InputError, match="half"):
            export_arrays(id, N, form, half, **options(id))
        return
    arrays = export_arrays(id, N, form, half, **options(id))
    names = {"dense": ["A", "B"], "dplr": ["Lambda", "P", "B", "V"], "diagonal": ["Lambda", "B"]}[form]
    assert list(arrays) == names + ["multiplicity"] * half
    assert not any(array.flags.writeable for array in arrays.values())
    if half:
        assert arrays["multiplicity"].sum() == N
        assert arrays["Lambda"].dtype == np.complex128
    elif form == "dense":
        assert arrays["A"].dtype == arrays["B"].dtype == np.float64
        assert arrays["A"].shape == (N, N)
    else:
        assert arrays["Lambda"].shape == (N,)
    if form == "dplr" and not half:
        A = arrays["V"] @ (np.diag(arrays["Lambda"]) - arrays["P"] @ arrays["P"].conj().T) @ arrays["V"].conj().T
        family = make_family(id, N)
        assert np.abs(A - family.A).max() <= 16 * N * np.abs(family.A).max() * EPS


@pytest.mark.parametrize("id", [id for id in IDS if INITIALIZATIONS[id].forms == ("diagonal", "dense")])
def test_dense_and_diagonal_exports_are_one_system(id: str) -> None:
    dense = export_arrays(id, 8, "dense", **options(id))
    full = export_arrays(id, 8, "diagonal", **options(id))
    half = export_arrays(id, 8, "diagonal", True, **options(id))
    # The real matrices are normal: c N norm(A) eps for a dense solver, c = 8.
    computed, expected = (
        values[np.lexsort((values.real, values.imag))] for values in (np.linalg.eigvals(dense["A"]), full["Lambda"])
    )
    assert np.abs(computed - expected).max() <= 8 * 8 * np.abs(expected).max() * EPS
    found = conjugate_half(DiagonalSystem(full["Lambda"], full["B"]))
    assert found.N == half["multiplicity"].sum() == 8


def test_unknown_forms_are_refused() -> None:
    with pytest.raises(InputError, match="choose one of diagonal, dense"):
        export_arrays("s4d-lin", 8, "dplr")
    with pytest.raises(InputError, match="choose one of"):
        export_arrays("nothing", 8)
