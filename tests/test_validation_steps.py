"""Steps as they are drawn and as they are mistaken, heads of Mamba-2, LRU with its gamma, and what only phases show."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
import scipy.stats

import hippo_theory as ht
from hippo_theory.initializations import export_arrays
from hippo_theory.validation import validate
from hippo_theory.validation.quantities import quantity
from hippo_theory.validation.steps import LEVEL, _is_even, _is_log_uniform

RANGES = ((1e-3, 1e-1), (1e-4, 1e-1), (1e-4, 1e-2), (1e-2, 1.0), (1e-1, 1.0), (1e-3, 1.0))


def layer(stored, dtype="float32", n=4):
    """S4D-Lin with the numbers in the place of the logarithms of its steps."""
    heads = len(stored)
    arrays = {
        "log_A_real": np.log(np.full((heads, n), 0.5)),
        "A_imag": np.tile(np.pi * np.arange(n), (heads, 1)),
        "log_dt": np.asarray(stored),
    }
    return {name: array.astype(dtype) for name, array in arrays.items()}


def mamba(stored):
    A = np.log(np.tile(np.arange(1.0, 9.0), (len(stored), 1)))
    arrays = {"mixer.A_log": A, "mixer.dt_proj.bias": np.asarray(stored)}
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def step_of(arrays):
    (finding,) = validate(arrays).files[0].findings
    return finding.parts["step"], finding


def drawn(rng, heads, low=1e-3, high=1e-1):
    return np.exp(rng.uniform(np.log(low), np.log(high), heads))


MISTAKES = {
    "no logarithm": (lambda dt: dt, "logarithm"),
    "decimal": (np.log10, "logarithm"),
    "twice": (lambda dt: np.log(-np.log(dt)), "logarithm"),
    "negated": (lambda dt: -np.log(dt), "sign"),
}


# --- steps ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("heads", [16, 64, 512])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistaken_logarithms_of_steps_are_named(mistake, heads):
    function, cause = MISTAKES[mistake]
    rng = np.random.default_rng(heads)
    for dtype in ("float64", "float32", "float16"):
        part, finding = step_of(layer(function(drawn(rng, heads)), dtype))
        assert (part.verdict, part.cause, finding.verdict) == ("deviates", cause, "deviates"), (dtype, part)


@pytest.mark.parametrize("ends", [(1e-4, 1e-1), (1e-4, 1e-2), (1e-2, 1e-1)])
@pytest.mark.parametrize("mistake", ["no logarithm", "twice", "negated"])
def test_mistaken_logarithms_beyond_one_are_named_for_other_ranges(mistake, ends):
    function, cause = MISTAKES[mistake]
    part, _ = step_of(layer(function(drawn(np.random.default_rng(1), 64, *ends))))
    assert (part.verdict, part.cause) == ("deviates", cause), part


@pytest.mark.parametrize("ends", RANGES)
@pytest.mark.parametrize("heads", [1, 2, 3, 4, 16, 256, 1024])
def test_steps_as_they_are_drawn_are_no_fault(heads, ends):
    rng = np.random.default_rng(heads)
    for dtype in ("float32", "float16"):
        for _ in range(8):
            part, finding = step_of(layer(np.log(drawn(rng, heads, *ends)), dtype))
            assert part.verdict == "random" and part.cause is None, part
            assert finding.verdict in ("exact", "rounding"), finding
            if heads >= 16:
                assert "log-uniform on" in part.why, part


@pytest.mark.parametrize("spread", [0.05, 0.3, 1.0])
def test_steps_that_have_moved_are_no_fault(spread):
    rng = np.random.default_rng(3)
    for heads in (4, 16, 128):
        for ends in RANGES:
            moved = np.log(drawn(rng, heads, *ends)) + spread * rng.standard_normal(heads)
            part, _ = step_of(layer(moved))
            assert part.verdict == "random", (heads, ends, part)


def test_few_or_equal_steps_decide_nothing():
    for stored in ([0.01], [0.01, 0.02, 0.05], [0.01] * 8, [-2.0, -1.5, -1.2, -2.7]):
        assert step_of(layer(stored))[0].verdict == "random", stored
    assert step_of(layer([0.01]))[0].why == "one step, 1.01"
    assert step_of(layer([np.log(0.02)]))[0].why == "one step, 0.02, within [0.001, 0.1]"


def test_steps_of_any_size_are_judged():
    for stored in ([700.0, 650.0, 300.0, 20.0, 1.0], [-700.0, -650.0, -3.0, -2.0, -1.0], [1e4, 1.0, 2.0, 3.0, 4.0]):
        assert step_of(layer(stored, "float64"))[0].verdict in ("random", "deviates"), stored
    assert step_of(layer([800.0, 1.0], "float64"))[0].cause == "nonfinite"


def test_even_steps_exponentiated_twice_are_d6_and_drawn_ones_are_a_missing_logarithm():
    even = np.exp(np.linspace(np.log(1e-3), np.log(1e-1), 64))
    for dt_min in (1e-3, 1e-4):
        even = np.exp(np.linspace(np.log(dt_min), np.log(1e-1), 64))
        part, finding = step_of(layer(even))
        assert (part.verdict, part.deviation, finding.deviation) == ("known-deviation", "D6", "D6")
    part, _ = step_of(layer(drawn(np.random.default_rng(0), 64)))
    assert (part.verdict, part.deviation) == ("deviates", None)


def test_uniform_steps_are_not_called_log_uniform():
    rng = np.random.default_rng(2)
    part, _ = step_of(layer(np.log(rng.uniform(1e-3, 1e-1, 64))))
    assert part.verdict == "random" and "as uniform on [0.001, 0.1]" in part.why, part
    part, _ = step_of(layer(np.log(np.repeat([0.0011, 0.0012, 0.09], (20, 20, 24)))))
    assert part.verdict == "random" and "not as log-uniform" in part.why, part


def test_biases_of_softplus():
    rng = np.random.default_rng(4)
    dt = drawn(rng, 256)
    inverse = dt + np.log(-np.expm1(-dt))
    assert "log-uniform on [0.001, 0.1]" in step_of(mamba(inverse))[0].why
    part, _ = step_of(mamba(dt))
    assert (part.verdict, part.cause) == ("deviates", "logarithm")
    part, _ = step_of(mamba(-inverse))
    assert (part.verdict, part.cause) == ("deviates", "sign")
    for bias in (np.zeros(64), np.ones(64), rng.uniform(-0.1, 0.1, 64)):  # what other codebases start with
        assert step_of(mamba(bias))[0].verdict == "random"


def test_the_level_is_what_it_says():
    """Right draws are rejected at most twice as often as `LEVEL`, and by the test of Kolmogorov as SciPy has it."""
    rng = np.random.default_rng(5)
    for n in (5, 16, 100):
        samples = np.exp(rng.uniform(np.log(1e-3), np.log(1e-1), (4000, n)))
        rejected = sum(not _is_log_uniform(sample, np.zeros(n), (1e-3, 1e-1)) for sample in samples)
        assert rejected <= scipy.stats.binom.ppf(1 - 1e-4, len(samples), 2 * LEVEL), (n, rejected)
    n = 40
    for power in np.linspace(1, 4, 25):
        shares = ((np.arange(n) + 0.5) / n) ** power
        wide = np.ptp(shares) > 0.9
        p = scipy.stats.kstest(shares, "uniform").pvalue
        if wide and not 0.2 * LEVEL < p < 5 * LEVEL:
            assert _is_log_uniform(np.exp(shares), np.zeros(n), (1.0, np.e)) == (p >= LEVEL), power


def test_few_drawn_steps_are_seldom_called_evenly_spaced():
    """The smallest and the largest are always in their places: `LEVEL` holds for those between them."""
    rng, called, draws = np.random.default_rng(6), [], 20_000
    for n in (3, 4, 5, 6):
        logarithms = rng.uniform(np.log(1e-3), np.log(1e-1), (draws, n))
        called.append(sum(_is_even(quantity(sample, "float64")) for sample in np.exp(logarithms)))
        assert called[-1] <= scipy.stats.binom.ppf(1 - 1e-4, draws, LEVEL), (n, called)
        assert _is_even(quantity(np.exp(np.linspace(np.log(1e-3), np.log(1e-1), n)), "float64")), n
    assert sum(called) >= scipy.stats.binom.ppf(1e-3, 4 * draws, LEVEL), called


# --- Mamba-2 --------------------------------------------------------------------------------------------------------------


def heads_of(A_log, dtype="float32"):
    arrays = {"mixer.A_log": np.asarray(A_log).astype(dtype), "mixer.D": np.ones(len(A_log), np.float32)}
    (finding,) = validate(arrays).files[0].findings
    assert finding.identified == "mamba2"
    return finding


def test_scalars_of_heads_are_called_trained_only_with_evidence():
    rng = np.random.default_rng(7)
    counting, uniform = np.arange(1.0, 25.0), rng.uniform(1, 16, 24)
    for dtype in ("float64", "float32", "float16"):
        for mistaken in (counting[:2], counting[:8], counting, uniform):
            found = heads_of(mistaken, dtype)
            assert (found.verdict, found.cause) == ("deviates", "logarithm"), (dtype, found.reason)
        assert heads_of(np.log(counting), dtype).deviation == "D15"
        assert heads_of(np.log(uniform), dtype).verdict == "random"
    moved = 0.3 * rng.standard_normal(64)
    for start, words in ((rng.uniform(1, 16, 64), "heads are still within"), (np.arange(1.0, 65.0), "still rise as")):
        found = heads_of(np.log(start) + moved)
        assert (found.verdict, found.cause) == ("trained", "trained") and words in found.reason, found.reason
    for other in ([5.0], np.full(8, 5.0), -np.log(counting[:8]), 30 * rng.standard_normal(24), np.log(100 * uniform)):
        found = heads_of(other)
        assert (found.verdict, found.cause) == ("unknown", None) and "outside of [1, 16]" in found.reason, found.reason


# --- LRU ------------------------------------------------------------------------------------------------------------------


def lru(n=32, low=0.0, high=1.0, seed=0):
    rng = np.random.default_rng(seed)
    nu = -0.5 * np.log(rng.random(n) * (high**2 - low**2) + low**2)
    return np.log(nu), np.log(2 * np.pi * rng.random(n)), 0.5 * np.log(-np.expm1(-2 * nu))


def stored(nu, theta, gamma, dtype="float32"):
    arrays = {"nu_log": nu, "theta_log": theta, "gamma_log": gamma}
    return {name: array.astype(dtype) for name, array in arrays.items() if array is not None}


GAMMAS = {
    "no logarithm": (np.exp, "logarithm"),
    "neither": (lambda g: np.exp(2 * g), "logarithm"),
    "no root": (lambda g: 2 * g, "squared"),
    "decimal": (lambda g: g / np.log(10), "logarithm"),
    "inverted": (np.negative, "inverse"),
    "one": (np.zeros_like, "dropped"),
    "twice": (lambda g: g + np.log(2), "factor"),
    "order": (lambda g: g[::-1].copy(), "order"),
    "one off": (lambda g: g + 0.01 * (np.arange(len(g)) == 3), "entry"),
    "another": (lambda g: g + 0.1 * np.sin(np.arange(len(g)) + 0.5), "other"),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("ring", [(0.0, 1.0), (0.9, 0.999)])
@pytest.mark.parametrize("n", [8, 64])
def test_gamma_of_lru(n, ring, dtype):
    nu, theta, gamma = lru(n, *ring)
    (finding,) = validate(stored(nu, theta, gamma, dtype)).files[0].findings
    assert finding.verdict == "random" and finding.parts["gamma"].verdict in ("exact", "rounding")
    for label, (function, cause) in GAMMAS.items():
        (finding,) = validate(stored(nu, theta, function(gamma), dtype)).files[0].findings
        assert (finding.verdict, finding.parts["gamma"].cause) == ("deviates", cause), label
        assert finding.parts["Lambda"].verdict == "random", label
    (finding,) = validate(stored(nu, theta, 0.5 * np.log1p(-np.exp(-np.exp(nu))), dtype)).files[0].findings
    assert (finding.cause, "|lambda|" in finding.reason) == ("squared", True)


NUS = {
    "no logarithm": (np.exp, "logarithm"),
    "decimal": (lambda nu: nu / np.log(10), "logarithm"),
    "twice": (lambda nu: np.log(np.abs(nu)), "logarithm"),
    "negated": (np.negative, "sign"),
}


@pytest.mark.parametrize("mistake", NUS)
def test_nu_of_lru_is_seen_in_gamma(mistake):
    function, cause = NUS[mistake]
    for n in (8, 64):
        nu, theta, gamma = lru(n, 0.5, 0.99)
        (finding,) = validate(stored(function(nu), theta, gamma)).files[0].findings
        assert (finding.verdict, finding.parts["Lambda"].cause) == ("deviates", cause)
        assert finding.parts["gamma"].verdict != "deviates"


def test_moduli_and_phases_that_no_start_draws():
    nu, theta, _ = lru(64)
    for arrays in (stored(np.exp(nu), theta, None), stored(nu, np.exp(theta), None)):
        (finding,) = validate(arrays).files[0].findings
        assert (finding.verdict, finding.cause) == ("deviates", "logarithm")
    (finding,) = validate(stored(nu, theta, None)).files[0].findings
    assert finding.verdict == "random"


def test_a_small_ring_with_its_gamma_is_no_missing_logarithm():
    nu, theta, gamma = lru(16, 0.0, 0.3)
    for given in (gamma, 2 * gamma, gamma + np.log(2)):  # right, or wrong by a mistake of its own
        (finding,) = validate(stored(nu, theta, given)).files[0].findings
        assert finding.parts["Lambda"].verdict == "random", finding.reason
    for given in (None, 0 * gamma, gamma - 1 - np.arange(16) / 8):  # nothing speaks for these moduli
        (finding,) = validate(stored(nu, theta, given)).files[0].findings
        assert finding.parts["Lambda"].cause == "logarithm" and "e^(-32)" in finding.reason


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_coarse_gamma_is_never_exact(dtype):
    coarse = np.dtype(getattr(ml_dtypes, dtype)) if dtype == "bfloat16" else np.dtype(dtype)
    nu, theta = (array.astype(coarse) for array in lru(16)[:2])
    gamma = 0.5 * np.log(-np.expm1(-2 * np.exp(nu.astype(float))))
    arrays = {"nu_log": nu, "theta_log": theta, "gamma_log": gamma.astype(coarse)}
    (finding,) = validate(arrays).files[0].findings
    part = finding.parts["gamma"]
    assert (part.verdict, part.cause) == ("rounding", None) and part.ulps <= 1


def test_what_fits_any_gamma_is_no_mistake():
    """exp(-exp(t)) is below 1e-23 from t = 4 on, where nothing is left of gamma: another gamma is not explained by it."""
    (finding,) = validate(stored(np.linspace(4, 5.5, 16), lru(16)[1], np.linspace(-3, -1, 16) ** 3)).files[0].findings
    assert finding.parts["gamma"].cause in ("other", "order") and "twice" not in finding.reason


def test_moduli_that_round_to_one_have_no_gamma():
    nu, theta, gamma = lru(8)
    nu[2], gamma[2] = -200.0, -np.inf
    (finding,) = validate(stored(nu, theta, gamma, "float64")).files[0].findings
    assert finding.parts["gamma"].verdict in ("exact", "rounding")
    gamma[3] = np.nan
    (finding,) = validate(stored(nu, theta, gamma, "float64")).files[0].findings
    assert finding.parts["gamma"].cause == "nonfinite"


# --- P and B --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("id", "N"), [("fout", 17), ("lagt", 16), ("legt", 16), ("legs", 16)])
def test_a_squared_b_is_seen_where_its_moduli_are_one(id, N):
    rng = np.random.default_rng(0)
    arrays = export_arrays(id, N, "dplr", True)
    if id == "fout":  # twice the window, so that abs(V* B) = 1
        arrays = {name: arrays[name] * (np.sqrt(0.5) if name == "P" else 0.5) for name in ("Lambda", "B", "P")}
    phases = np.exp(2j * np.pi * rng.random(len(arrays["Lambda"])))
    whole = {"Lambda": arrays["Lambda"], "B": arrays["B"] * phases, "P": arrays["P"] * phases[:, None]}
    (finding,) = validate(whole).files[0].findings
    assert finding.verdict in ("exact", "rounding")
    (finding,) = validate(whole | {"B": whole["B"] ** 2}).files[0].findings
    assert finding.verdict == "deviates" and "squared" in finding.reason, finding.reason


def test_a_conjugated_b_is_seen_beside_half_a_pair_of_zeros():
    """FouT of even size with one eigenvector of its two zeros (D10): the others are judged all the same."""
    rng = np.random.default_rng(0)
    family = ht.make_family("fout", 15)
    Lambda, weights = family.normal_spectrum()[:8], family.normal_weights()[:8] + 0j
    zero = np.abs(Lambda.imag) < 1e-9
    share = np.where(zero, np.sqrt(0.5) * 0.8, 1.0)
    phases = np.where(zero, 1, np.exp(2j * np.pi * rng.random(8)))
    P = export_arrays("fout", 15, "dplr", True)["P"] * (share * phases)[:, None]
    whole = {"Lambda": Lambda, "B": weights * share * phases, "P": P}
    (finding,) = validate(whole).files[0].findings
    assert (finding.verdict, finding.deviation) == ("known-deviation", "D10"), finding
    (finding,) = validate(whole | {"B": whole["B"].conj()}).files[0].findings
    assert (finding.verdict, finding.cause) == ("deviates", "conjugated"), finding


def test_a_low_rank_term_of_two_columns_that_is_clipped():
    arrays = export_arrays("legt", 32, "dplr", True)
    phases = np.exp(1j * np.linspace(0, 3, len(arrays["Lambda"])))
    P = arrays["P"] * phases[:, None]
    limit = 0.9 * np.sort(np.abs(P.imag).ravel())[-3]
    clipped = P.real + 1j * np.clip(P.imag, -limit, limit)
    given = {"Lambda": arrays["Lambda"], "B": arrays["B"] * phases, "P": clipped}
    (finding,) = validate(given).files[0].findings
    assert (finding.verdict, finding.cause) == ("deviates", "clipped"), finding.reason


def test_a_zero_p_is_said():
    arrays = export_arrays("legs", 16, "dplr", True)
    given = {name: arrays[name] for name in ("Lambda", "B")} | {"P": 0 * arrays["P"]}
    (finding,) = validate(given).files[0].findings
    assert finding.identified == "s4d-legs" and "P is zero" in finding.reason
