"""Whatever the arrays are: findings or one `InputError`, in bounded time and memory."""

from __future__ import annotations

import time
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hippo_theory as ht
from hippo_theory.errors import InputError
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


def test_missing_partners_and_other_layers_give_nothing():
    assert not findings({"layer.Lambda_re": np.zeros(4)})
    assert not findings({"linear.weight": np.eye(64), "linear.bias": np.zeros(64), "norm.weight": np.ones(8)})
    assert not findings({"embedding": np.random.default_rng(0).standard_normal((64, 64))})
    assert not findings({})


def test_nested_lists_and_objects_are_refused_with_one_line():
    for wrong in ([[1, 2], [3]], object(), "text", None):
        with pytest.raises(InputError, match="Lambda"):
            findings({"Lambda": wrong})


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
    (finding,) = findings({"block.decay": lin.real, "block.frequency": lin.imag})
    assert (finding.identified, finding.verdict) == ("s4d-lin", "exact")
    (finding,) = findings({"block.log_decay": np.log(-lin.real), "block.frequency": lin.imag})
    assert finding.identified == "s4d-lin" and finding.verdict in ("exact", "rounding")
    (finding,) = findings({"block.recurrent": legs.A.astype(np.float32)})
    assert (finding.identified, finding.verdict) == ("legs", "exact")
    # What does not match is no finding, damaged or not.
    assert not findings({"block.poles_of_mine": 1.1 * lin})
    assert not findings({"block.recurrent": 3 * legs.A})
    assert not findings({"block.recurrent": np.eye(16), "block.other": np.arange(64.0)})
