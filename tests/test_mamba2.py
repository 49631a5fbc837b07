"""A Mamba-2 layer realized by recurrence, as attention, in chunks, and by Hugging Face."""

from __future__ import annotations

import numpy as np
import pytest

from hippo_theory.duality import mamba2_heads, mamba2_output, read_mamba2_layer, realized_matrix
from hippo_theory.errors import InputError

EPS = np.finfo(float).eps
MODEL, HEADS, WIDE, STATE, GROUPS, TAPS = 6, 4, 3, 5, 2, 4


def layer_tensors(seed=0, prefix=""):
    rng = np.random.default_rng(seed)
    inner, convolved = HEADS * WIDE, HEADS * WIDE + 2 * GROUPS * STATE
    tensors = {
        "in_proj.weight": rng.normal(size=(inner + convolved + HEADS, MODEL)),
        "conv1d.weight": rng.normal(size=(convolved, 1, TAPS)),
        "conv1d.bias": rng.normal(size=convolved),
        "dt_bias": rng.normal(size=HEADS),
        "A_log": np.log(np.arange(1, HEADS + 1)),
        "D": rng.normal(size=HEADS),
        "norm.weight": rng.normal(size=inner),
        "out_proj.weight": rng.normal(size=(MODEL, inner)),
    }
    return {prefix + name: value for name, value in tensors.items()}


def test_all_ways_give_the_same():
    layer = read_mamba2_layer(layer_tensors(prefix="mixer."), "mixer.", groups=GROUPS)
    assert (layer.heads, layer.channels, layer.N) == (HEADS, HEADS * WIDE, STATE)
    u = np.random.default_rng(1).normal(size=(100, MODEL))
    by_recurrence, by_attention, by_chunks = (
        mamba2_output(layer, u, way=way) for way in ("recurrence", "attention", "chunks")
    )
    # The norm makes the rows of order one; within a row some hundred roundings are added up, amplified by cancellation.
    scale = 1e4 * EPS * np.abs(by_recurrence).max()
    assert np.abs(by_attention - by_recurrence).max() < scale
    assert np.abs(by_chunks - by_recurrence).max() < scale


def test_heads_are_what_the_formulas_say():
    tensors = layer_tensors(2)
    layer = read_mamba2_layer(tensors, groups=GROUPS)
    u = np.random.default_rng(3).normal(size=(7, MODEL))
    rows = u @ tensors["in_proj.weight"].T
    inner, shared = HEADS * WIDE, GROUPS * STATE
    for number, head in enumerate(mamba2_heads(layer, u)):
        for t in range(7):
            step = np.log1p(np.exp(rows[t, -HEADS + number] + tensors["dt_bias"][number]))
            assert abs(head.system.A[t] - np.exp(-(number + 1) * step)) < 8 * EPS

            def convolved(channel, t=t):
                z = tensors["conv1d.bias"][channel]
                for k in range(TAPS):
                    if t - k >= 0:
                        z += tensors["conv1d.weight"][channel, 0, TAPS - 1 - k] * rows[t - k, inner + channel]
                return z / (1 + np.exp(-z))

            group = number * GROUPS // HEADS
            for n in range(STATE):
                # A handful of products of numbers of order ten.
                assert abs(head.system.B[t, n] - step * convolved(inner + group * STATE + n)) < 1e3 * EPS
                assert abs(head.system.C[t, n] - convolved(inner + shared + group * STATE + n)) < 1e3 * EPS
            for p in range(WIDE):
                assert abs(head.inputs[t, p] - convolved(number * WIDE + p)) < 1e3 * EPS


def test_what_is_no_layer_is_refused():
    tensors = layer_tensors()
    with pytest.raises(InputError, match=r"no Mamba-2 layer under 'x\.'"):
        read_mamba2_layer(tensors, "x.")
    with pytest.raises(InputError, match="do not fit 3 groups"):
        read_mamba2_layer(tensors, groups=3)
    for name, shape in (
        ("D", (HEADS + 1,)),
        ("norm.weight", (1,)),
        ("conv1d.weight", (HEADS * WIDE + 2 * GROUPS * STATE, TAPS)),
        ("out_proj.weight", (MODEL, 1)),
        ("conv1d.bias", (1,)),
        ("out_proj.bias", (MODEL + 1,)),
        ("A_log", ()),
        ("in_proj.weight", (0, MODEL)),
    ):
        with pytest.raises(InputError, match=name):
            read_mamba2_layer({**tensors, name: np.zeros(shape)}, groups=GROUPS)
    for bad in (np.full(HEADS, np.nan), np.ones(HEADS) * 1j, np.array(["x"] * HEADS)):
        with pytest.raises(InputError, match="`D` must hold finite real numbers"):
            read_mamba2_layer({**tensors, "D": bad}, groups=GROUPS)
    layer = read_mamba2_layer(tensors, groups=GROUPS)
    with pytest.raises(InputError, match="`epsilon` must be positive"):
        mamba2_output(layer, np.zeros((3, MODEL)), epsilon=0)
    with pytest.raises(InputError, match="`way` must be one of"):
        mamba2_output(layer, np.zeros((3, MODEL)), way="fast")
    with pytest.raises(InputError, match="`u` must have the shape"):
        mamba2_output(layer, np.zeros((3, MODEL + 1)))


def test_gates_far_below_zero_do_not_overflow():
    tensors = layer_tensors()
    tensors["in_proj.weight"] = 1e4 * tensors["in_proj.weight"]
    out = mamba2_output(read_mamba2_layer(tensors, groups=GROUPS), np.ones((3, MODEL)))
    assert np.isfinite(out).all()  # warnings are errors


def test_tensors_of_torch_are_read_in_any_dtype():
    torch = pytest.importorskip("torch")
    tensors = {name: torch.tensor(value).to(torch.bfloat16) for name, value in layer_tensors().items()}
    tensors["D"].requires_grad_()
    layer = read_mamba2_layer(tensors, groups=GROUPS)
    assert all((layer.tensors[name] == value.detach().double().numpy()).all() for name, value in tensors.items())


@pytest.mark.heavy
@pytest.mark.parametrize("groups", [1, 2])
def test_a_layer_of_hugging_face_gives_the_same(groups):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    from transformers.models.mamba2.modeling_mamba2 import Mamba2Mixer

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "state_size": 8, "num_heads": 4, "head_dim": 8, "n_groups": groups, "chunk_size": 16}
    mixer = Mamba2Mixer(transformers.Mamba2Config(**sizes), layer_idx=0).double().eval()
    layer = read_mamba2_layer(
        {name: value.detach().numpy() for name, value in mixer.state_dict().items()}, groups=groups
    )
    u = torch.randn(1, 50, 16, dtype=torch.float64)
    with torch.no_grad():
        theirs = mixer(u)[0].numpy()
    for way in ("recurrence", "attention", "chunks"):
        ours = mamba2_output(layer, u[0].numpy(), way=way)
        # Hugging Face takes the decays, exponentials, in float32.
        assert np.abs(ours - theirs).max() < 50 * np.finfo(np.float32).eps * np.abs(theirs).max()
    M = realized_matrix(mamba2_heads(layer, u[0].numpy())[0].system)
    assert M.shape == (50, 50) and not np.triu(M, 1).any()
