"""Whatever the arrays are: findings or one `InputError`, in bounded time and memory."""

from __future__ import annotations

import time
import tracemalloc
import warnings

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hippo_theory as ht
from hippo_theory.discretizations import discretize_dense
from hippo_theory.errors import InputError
from hippo_theory.initializations import export_arrays
from hippo_theory.validation import LAYOUTS, VERDICTS
from hippo_theory.validation.layouts import StoredTensor
from hippo_theory.validation.reading import layers
from hippo_theory.validation.validating import judge_tensors, validate


def findings(arrays):
    return validate(arrays).files[0].findings


def findings_or_error(arrays):
    """The findings; none where there is one clear error instead."""
    try:
        return findings(arrays)
    except InputError as error:
        message = str(error)
    assert message and "\n" not in message
    return ()


NAMES = sorted(
    {
        source.tensor
        for layout in LAYOUTS
        for source in (layout.real, layout.imaginary, layout.B, layout.P, layout.Q, layout.C, layout.step)
        if source is not None
    }
    | {need for layout in LAYOUTS for need in layout.needs}
    | {
        "A",
        "Lambda",
        "Bc",
        "Pc",
        "Qc",
        "S",
        "A_stacked",
        "B_stacked",
        "evals",
        "gamma_log",
        "D",
        "weight",
        "unheard_of",
    }
)
DTYPES = ("float64", "float32", "float16", "complex64", "complex128", "int32", "bool", "uint8")
SPECIAL = (0.0, 1.0, -0.5, -1.0, 2.0, np.pi, 1e-30, 1e30, np.inf, -np.inf, np.nan)


@st.composite
def arrays(draw):
    shape = draw(st.lists(st.integers(0, 4), min_size=0, max_size=4))
    values = draw(st.lists(st.sampled_from(SPECIAL), min_size=1, max_size=6))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.resize(np.array(values), shape).astype(draw(st.sampled_from(DTYPES)))


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(NAMES), arrays(), max_size=6), st.sampled_from(["", "layer.0.", "params/seq/"]))
def test_any_small_arrays_end_in_findings_or_one_error(given_arrays, prefix):
    named = {prefix + name: array for name, array in given_arrays.items()}
    found = findings_or_error(named)
    for finding in found:
        assert finding.verdict in VERDICTS
        assert set(finding.tensors) <= set(named)


@pytest.mark.heavy
@settings(max_examples=5000, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(NAMES), arrays(), max_size=7))
def test_many_small_arrays_end_in_findings_or_one_error(given_arrays):
    findings_or_error(given_arrays)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(LAYOUTS), st.data())
def test_layouts_with_any_shapes(layout, data):
    """All tensors of one layout, so that it is read, with shapes and numbers that fit nothing."""
    sources = (layout.real, layout.imaginary, layout.B, layout.P, layout.Q, layout.C, layout.step)
    names = {source.tensor for source in sources if source is not None} | set(layout.needs)
    findings({name: data.draw(arrays()) for name in sorted(names)})


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_deviate(bad):
    Lambda = ht.initialization("s4d-lin", 16).Lambda.copy()
    Lambda[3] = bad
    (finding,) = findings({"Lambda": Lambda})
    assert finding.verdict == "deviates" and finding.cause == "nonfinite"
    A = ht.LegS(8).A.copy()
    A[2, 1] = bad
    (finding,) = findings({"A": A})
    assert finding.verdict == "deviates" and finding.cause == "nonfinite"


def test_what_cannot_be_parameters_is_unknown_with_the_reason():
    whole = {"A_log": np.arange(8, dtype=np.int32).reshape(2, 4)}
    (finding,) = findings(whole)
    assert finding.verdict == "unknown" and "int32" in finding.reason
    halves = {"nu_log": np.zeros(4), "theta_log": np.zeros(5)}
    (finding,) = findings(halves)
    assert finding.verdict == "unknown" and "(4,) and (5,)" in finding.reason


def test_complex_imaginary_parts_and_infinities_beside_numbers():
    """Both were found among many small arrays: a warning of NumPy, and no finding."""
    halves = {"inv_A_real": np.zeros(()), "A_imag": np.zeros((), np.complex64)}
    (finding,) = findings(halves)
    assert finding.verdict == "unknown" and "A_imag is complex" in finding.reason
    assert not findings({"one": np.zeros(4), "other": np.full(4, np.inf, np.float16)})


def test_a_low_rank_term_of_rank_zero_is_none():
    arrays = export_arrays("fourier-diagonal", 5, "dplr", half=True)
    assert arrays["P"].shape == (3, 0)
    (finding,) = findings({name: arrays[name] for name in ("Lambda", "P", "B")})
    assert finding.identified == "fourier-diagonal" and set(finding.parts) == {"Lambda", "B"}
    (finding,) = findings({"A": np.zeros(1), "P": np.zeros((0, 1))})
    assert "P" not in finding.parts
    layout = {
        "Lambda_re": np.full((3, 1), -0.5),
        "Lambda_im": np.ones((3, 1)),
        "B": np.ones((3, 1)),
        "log_step": np.zeros(1),
    }
    (finding,) = findings(layout | {"P": np.zeros((3, 0))})
    assert finding.verdict == "unknown" and "P is empty" in finding.reason


def test_missing_partners_and_other_layers_give_nothing():
    assert not findings({"layer.Lambda_re": np.zeros(4)})
    assert not findings({"linear.weight": np.eye(64), "linear.bias": np.zeros(64), "norm.weight": np.ones(8)})
    assert not findings({"embedding": np.random.default_rng(0).standard_normal((64, 64))})
    assert not findings({})


def test_nested_lists_and_objects_are_refused_with_one_line():
    for wrong in ([[1, 2], [3]], object(), "text", None):
        with pytest.raises(InputError, match="Lambda"):
            findings({"Lambda": wrong})


def test_raw_bytes_are_refused_and_other_byte_orders_read():
    with pytest.raises(InputError, match=r"`A` holds raw bytes \(\|V2\); view"):
        findings({"A": np.zeros((3, 3), "V2")})
    start = ht.initialization("s4d-legs", 16)
    (finding,) = findings({"Lambda": start.Lambda.astype(">c16"), "B": start.B.astype(">c16")})
    assert (finding.identified, finding.verdict) == ("s4d-legs", "exact")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_stacks_in_a_coarse_dtype(dtype):
    """Bounds of a computation in these types would admit anything; they are what is stored, not what is computed in."""
    dtype = getattr(ml_dtypes, dtype, dtype)
    stack = np.random.default_rng(0).standard_normal((4, 64, 64))
    for wrong in (0 * stack, stack):
        (finding,) = findings({"A_stacked": wrong.astype(dtype)})
        assert finding.verdict == "unknown"
    legs = ht.LegS(64)
    right = np.stack([discretize_dense(legs.A, legs.B, "zoh", 1 / t)[0] for t in range(1, 5)])
    (finding,) = findings({"A_stacked": right.astype(dtype)})
    assert (finding.identified, finding.verdict) == ("legs", "rounding") and "by zoh" in finding.reason


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_in_the_input_of_a_matrix(bad):
    (finding,) = findings({"A": ht.LegS(8).A, "B": np.full(8, bad)})
    assert (finding.identified, finding.parts["A"].verdict) == ("legs", "exact")
    assert (finding.parts["B"].verdict, finding.cause) == ("deviates", "nonfinite")


@pytest.mark.parametrize("B", [np.ones(3), np.ones((8, 2)), np.full(8, 1j)])
def test_an_input_that_is_not_compared_is_said(B):
    """Else it would seem to have been found right."""
    (finding,) = findings({"A": ht.LegS(8).A, "B": B})
    assert "B" not in finding.parts and "is not compared" in finding.reason
    if B.shape != (8,):
        (finding,) = findings({"Lambda": ht.initialization("s4d-lin", 16).Lambda, "B": B[:7]})
        assert "B" not in finding.parts and "is not compared" in finding.reason


def test_a_complex_dense_matrix():
    (finding,) = findings({"A": ht.LegS(8).A + 0j})
    assert (finding.identified, finding.verdict) == ("legs", "exact")


def test_many_states_need_little():
    Lambda = -0.5 + 1j * np.pi * np.arange(100_000)
    tracemalloc.start()
    begin = time.perf_counter()
    (finding,) = findings({"Lambda": Lambda})
    seconds, (_, peak) = time.perf_counter() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (finding.identified, finding.verdict) == ("s4d-lin", "exact")
    assert peak < 1e9 and seconds < 60
    noise = np.random.default_rng(0).standard_normal(20_000) * 1e3
    (finding,) = findings({"Lambda": -1.5 + 1j * noise})
    assert finding.verdict in ("random", "trained")


def test_tensors_of_other_layers_are_not_read():
    def unreadable():
        raise AssertionError("a tensor of another layer was read")

    names = [f"blocks.{i}.{kind}" for i in range(20_000) for kind in ("linear.weight", "linear.bias", "norm.weight")]
    tensors = {name: StoredTensor(name, "float32", (512, 512), unreadable) for name in names}
    assert len(layers(tensors)) == 40_000
    assert not list(judge_tensors(tensors))


def test_unknown_names_are_found_by_shape_and_spectrum():
    lin, legs = ht.initialization("s4d-lin", 64).Lambda, ht.LegS(16)
    (finding,) = findings({"block.poles_of_mine": lin.astype(np.complex64)})
    assert (finding.identified, finding.verdict) == ("s4d-lin", "exact")
    (finding,) = findings({"block.one": lin.real, "block.other": lin.imag})
    assert (finding.identified, finding.verdict, finding.why) == ("s4d-lin", "exact", "")
    (finding,) = findings({"block.one": np.log(-lin.real), "block.other": lin.imag})
    assert finding.identified == "s4d-lin" and finding.verdict in ("exact", "rounding")
    assert finding.why == "read as Lambda = -exp(one) + i other"
    (finding,) = findings({"block.recurrent": legs.A.astype(np.float32)})
    assert (finding.identified, finding.verdict) == ("legs", "exact")


def views(Lambda):
    """The same eigenvalues under names that nobody knows, in arrangements that no codebase has, and how each is read."""
    real, imaginary = Lambda.real, Lambda.imag
    yield {"m.z": np.stack([real, imaginary], axis=-1).astype(np.float16)}, ""
    yield {"m.z": np.tile(Lambda, (3, 2, 1)).astype(np.complex64)}, ""
    yield {"m.z": -Lambda}, "read as Lambda = -z"
    yield {"m.one": np.tile(real[:, None], (1, 4)), "m.other": np.tile(imaginary[:, None], (1, 4))}, "states along the"
    yield {"m.one": -real, "m.other": imaginary}, "read as Lambda = -one + i other"
    yield {"m.one": np.log(np.expm1(-real)), "m.other": imaginary}, "read as Lambda = -softplus(one) + i other"
    yield {"m.z": np.tile(Lambda.view(float), (4, 1))}, "read as Lambda = (z[..., ::2] + i z[..., 1::2])"


@pytest.mark.parametrize("kind", range(7))
@pytest.mark.parametrize(("id", "N"), [("s4d-legs", 14), ("s4d-lin", 32), ("s4d-inv", 100)])
def test_arrangements_that_no_codebase_has(id, N, kind):
    arrays, words = list(views(ht.initialization(id, N).Lambda))[kind]
    (finding,) = findings(arrays)
    assert finding.identified == id and finding.N == N and finding.verdict in ("exact", "rounding")
    assert finding.why.startswith(words) and bool(finding.why) == bool(words)


@pytest.mark.parametrize("method", ["zoh", "bilinear"])
@pytest.mark.parametrize("step", [0.013, 0.1])  # at 0.1 the phases are wound around the circle
def test_multipliers_show_the_system_and_the_step(method, step):
    Lambda = ht.initialization("s4d-lin", 64).Lambda
    z = step * Lambda
    multipliers = np.exp(z) if method == "zoh" else (1 + z / 2) / (1 - z / 2)
    (finding,) = findings({"Lambda_bar": multipliers})
    assert (finding.identified, finding.N, finding.verdict) == ("s4d-lin", 64, "rounding")
    assert f"discretized by {method} with the step {step}" in finding.reason
    moved = multipliers.copy()
    moved[5] *= 1 + 1e-6
    assert findings({"Lambda_bar": moved})[0].verdict != "rounding"


def test_discretized_and_scaled_matrices_under_unknown_names():
    legs = ht.LegS(16)
    Abar, _ = discretize_dense(legs.A, legs.B, "bilinear", 0.013)
    (finding,) = findings({"cell.recurrent": Abar.astype(np.float32)})
    assert (finding.identified, finding.verdict) == ("legs", "rounding")
    assert "discretized by bilinear with the step 0.013" in finding.reason
    (finding,) = findings({"cell.recurrent": (0.37 * legs.A).astype(np.float32)})
    assert (finding.identified, finding.verdict, finding.cause) == ("legs", "deviates", "factor")
    assert "0.37 times" in finding.reason
    (finding,) = findings({"cell.recurrent": np.tile(legs.A, (6, 1, 1))})
    assert (finding.identified, finding.verdict) == ("legs", "exact")


def test_states_of_a_known_layout_along_the_other_axis():
    columns = {"blk.A_log": np.tile(np.log(np.arange(1, 17)), (64, 1)).T.astype(np.float32)}
    (finding,) = findings(columns)
    assert (finding.identified, finding.N, finding.heads) == ("mamba-real", 16, 64)
    assert (finding.verdict, finding.cause) == ("deviates", "transposed")
    assert "mamba has the states along the last axis, here they lie along the other" in finding.reason


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (lambda z: 2 * z, "factor"),
        (lambda z: np.where(np.arange(len(z)) == 3, 1.1 * z, z), "entry"),
        (lambda z: z.real + 2j * z.imag, "factor"),
        (lambda z: -1.0 + 1j * z.imag, "real"),
    ],
    ids=["time scale", "one entry", "imaginary parts", "real part"],
)
def test_damage_under_unknown_names_is_named_where_the_numbers_decide(damage, cause):
    (finding,) = findings({"m.z": damage(ht.initialization("s4d-legs", 64).Lambda)})
    assert (finding.identified, finding.verdict, finding.cause) == ("s4d-legs", "deviates", cause)


def others():
    """Numbers of other models that look a little like parameters."""
    n = np.arange(64.0)
    rng = np.random.default_rng(0)
    yield "positions", {"p.n": n[:32], "p.zeros": np.zeros(32), "p.ones": np.ones(32), "p.half": np.full(32, -0.5)}
    yield "frequencies", {"f.freqs": np.pi * n, "f.bias": np.zeros(64)}
    yield "rotations", {"r.inv_freq": 1e4 ** (-n / 64), "r.scale": np.ones(64)}
    yield "masks", {"a.mask": np.tril(np.ones((64, 64))), "a.other": -np.tril(np.ones((64, 64)))}
    yield "slopes", {"alibi.slopes": -np.arange(1.0, 17)}
    yield "units", {"x.proj": np.eye(64), "x.shift": np.diag(np.ones(31), -1)}
    yield "fourier", {"fft.twiddles": np.exp(2j * np.pi * n / 64), "fft.W": np.exp(2j * np.pi * np.outer(n, n) / 64)}
    yield "random", {"x.rec": rng.standard_normal((64, 64)) / 8, "x.z": rng.standard_normal((4, 32, 2))}
    yield "boxes", {"x.anchors": rng.uniform(0, 1, (300, 2)), "x.grid": np.stack([np.zeros(32), np.arange(32)], -1)}


@pytest.mark.parametrize("arrays", [pytest.param(arrays, id=name) for name, arrays in others()])
def test_numbers_of_other_models_are_no_findings(arrays):
    assert not findings(arrays)
