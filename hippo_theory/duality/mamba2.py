"""A Mamba-2 layer as it stands in a Hugging Face checkpoint: its heads as scalar-identity systems, realized both ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.duality.activations import silu, softplus
from hippo_theory.duality.evaluation import apply_chunked
from hippo_theory.duality.exact_matrices import regular_array
from hippo_theory.duality.time_varying import TimeVaryingSystem, apply_system, realized_matrix
from hippo_theory.errors import InputError, checked_size

__all__ = ["Mamba2Head", "Mamba2Layer", "mamba2_heads", "mamba2_output", "read_mamba2_layer"]

Array = NDArray[Any]

_NAMES = ("in_proj.weight", "conv1d.weight", "dt_bias", "A_log", "D", "norm.weight", "out_proj.weight")
_OPTIONAL = ("in_proj.bias", "conv1d.bias", "out_proj.bias")
_AXES = {"in_proj.weight": 2, "conv1d.weight": 3, "out_proj.weight": 2}  # the others have one


@dataclass(frozen=True, eq=False)
class Mamba2Layer:
    """The parameters of one layer, in float64.

    Attributes
    ----------
    tensors : dict of ndarray
        Under their names in the layer: ``in_proj.weight``, ``conv1d.weight``, ``A_log`` and the rest.
    groups : int
        Heads of one group share B and C.
    channels : int
        Heads times channels of a head: the inner width.
    N : int
        State size.
    """

    tensors: Mapping[str, Array]
    groups: int
    channels: int
    N: int

    @property
    def heads(self) -> int:
        """Number of heads."""
        return len(self.tensors["A_log"])


@dataclass(frozen=True, eq=False)
class Mamba2Head:
    """What a head does with one sequence: y = M x + D x, the matrix M that of the system.

    Attributes
    ----------
    system : TimeVaryingSystem
        Scalar-identity: A_t = exp(-exp(A_log) Delta_t), B_t the input's B times Delta_t, C_t.
    inputs : (T, P) ndarray
        What it is given, one column a channel.
    skip : float
        D.
    """

    system: TimeVaryingSystem
    inputs: Array
    skip: float


def read_mamba2_layer(tensors: Mapping[str, Any], prefix: str = "", *, groups: int = 1) -> Mamba2Layer:
    """The layer whose tensors begin with `prefix`, as Hugging Face's Mamba2Mixer stores them.

    Parameters
    ----------
    tensors : dict of array_like
        A state dict: arrays, or tensors of `torch` of any floating dtype and device.
    prefix : str
        ``"backbone.layers.0.mixer."`` for the first layer of a model.
    groups : int
        The `n_groups` of its configuration, which no shape tells.

    Raises
    ------
    InputError
        If a tensor is missing or the shapes do not fit.
    """
    groups = checked_size("groups", groups)
    missing = [prefix + name for name in _NAMES if prefix + name not in tensors]
    if missing:
        raise InputError(f"no Mamba-2 layer under {prefix!r}: {', '.join(missing)} is not there; give another `prefix`")
    names = [*_NAMES, *(name for name in _OPTIONAL if prefix + name in tensors)]
    found = {name: _float64(prefix + name, tensors[prefix + name]) for name in names}
    for name, array in found.items():
        axes = _AXES.get(name, 1)
        if array.ndim != axes or array.size == 0:
            raise InputError(f"`{prefix}{name}` must have {axes} axes, none of length 0, got the shape {array.shape}")
    heads, convolved = len(found["A_log"]), len(found["conv1d.weight"])
    channels = len(found["in_proj.weight"]) - convolved - heads
    state, rest = divmod(convolved - channels, 2 * groups)
    if rest or state < 1 or channels < 1 or channels % heads or heads % groups:
        raise InputError(
            f"the shapes of the layer under {prefix!r} do not fit {groups} groups: {heads} heads, {channels} channels, "
            f"{convolved} convolved; give its `n_groups` as `groups`"
        )
    wanted = {
        "dt_bias": (heads,),
        "A_log": (heads,),
        "D": (heads,),
        "norm.weight": (channels,),
        "in_proj.bias": (channels + convolved + heads,),
        "conv1d.bias": (convolved,),
    }
    for name, shape in wanted.items():
        if name in found and found[name].shape != shape:
            raise InputError(f"`{prefix}{name}` must have the shape {shape} beside the others, got {found[name].shape}")
    for name, at, size in (("conv1d.weight", 1, 1), ("out_proj.weight", 1, channels)):
        if found[name].shape[at] != size:
            raise InputError(
                f"`{prefix}{name}` must have its axis {at} of length {size}, got the shape {found[name].shape}"
            )
    if "out_proj.bias" in found and found["out_proj.bias"].shape != found["out_proj.weight"].shape[:1]:
        raise InputError(
            f"`{prefix}out_proj.bias` must have the shape {found['out_proj.weight'].shape[:1]}, "
            f"got {found['out_proj.bias'].shape}"
        )
    return Mamba2Layer(found, groups, channels, state)


def _float64(name: str, tensor: Any) -> Array:
    """A tensor of torch has these methods; NumPy itself reads neither bfloat16 nor what is on a GPU or has a gradient."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu().double().numpy()
    array = regular_array(name, tensor)
    try:
        real = array.dtype.kind != "c" and array.astype(np.float64)
    except (TypeError, ValueError):
        real = False
    if real is False or not np.isfinite(real).all():
        raise InputError(
            f"`{name}` must hold finite real numbers, got dtype {array.dtype}; give the layer's own tensor"
        )
    return real


def _projected(layer: Mamba2Layer, u: Any) -> tuple[Array, Array, Array]:
    """The gate, what the convolution gives, and the step sizes before softplus."""
    weights = layer.tensors
    u = np.asarray(u, dtype=np.float64)
    if u.ndim != 2 or u.shape[1] != weights["in_proj.weight"].shape[1]:
        raise InputError(f"`u` must have the shape (T, {weights['in_proj.weight'].shape[1]}), got {u.shape}")
    rows = u @ weights["in_proj.weight"].T + weights.get("in_proj.bias", 0.0)
    convolved = len(weights["conv1d.weight"])
    gate, mixed, dt = np.split(rows, [layer.channels, layer.channels + convolved], axis=1)
    taps = weights["conv1d.weight"][:, 0]
    padded = np.concatenate([np.zeros((taps.shape[1] - 1, convolved)), mixed])
    summed = sum(padded[k : k + len(u)] * taps[:, k] for k in range(taps.shape[1])) + weights.get("conv1d.bias", 0.0)
    return gate, silu(np.asarray(summed)), dt


def mamba2_heads(layer: Mamba2Layer, u: Any) -> list[Mamba2Head]:
    """The heads of a layer for one input sequence, each a selective scalar-identity system.

    Parameters
    ----------
    layer : Mamba2Layer
    u : (T, d_model) array_like
        What the layer is given.

    Notes
    -----
    Source: Mamba-2 (arXiv:2405.21060) as Hugging Face implements it, with its default of unlimited step sizes.
    """
    _, mixed, dt = _projected(layer, u)
    weights, wide = layer.tensors, layer.channels // layer.heads
    x, B, C = np.split(mixed, [layer.channels, layer.channels + layer.groups * layer.N], axis=1)
    steps = softplus(dt + weights["dt_bias"])
    heads = []
    for head in range(layer.heads):
        group = head * layer.groups // layer.heads
        shared = slice(group * layer.N, (group + 1) * layer.N)
        decay = np.exp(-np.exp(weights["A_log"][head]) * steps[:, head])
        system = TimeVaryingSystem(decay, steps[:, head, None] * B[:, shared], C[:, shared])
        heads.append(Mamba2Head(system, x[:, head * wide : (head + 1) * wide], float(weights["D"][head])))
    return heads


_WAYS: dict[str, Callable[[TimeVaryingSystem, Array], Array]] = {
    "recurrence": apply_system,
    "attention": lambda system, x: realized_matrix(system) @ x,
    "chunks": lambda system, x: apply_chunked(system, x, 64),
}


def mamba2_output(layer: Mamba2Layer, u: Any, *, way: str = "recurrence", epsilon: float = 1e-5) -> Array:
    """What the layer gives, (T, d_model): heads, gate, norm and output projection, in float64.

    Parameters
    ----------
    layer : Mamba2Layer
    u : (T, d_model) array_like
    way : {"recurrence", "attention", "chunks"}
        How the heads are evaluated; the values are the same up to rounding.
    epsilon : float
        Of the norm, which is taken over the channels of each group.

    Raises
    ------
    InputError
        Another way, an input of another width, or an epsilon that is not positive.
    """
    if not 0 < epsilon < np.inf:
        raise InputError(
            f"`epsilon` must be positive and finite, got {epsilon!r}; the layers of Hugging Face have 1e-5"
        )
    if way not in _WAYS:
        raise InputError(f"`way` must be one of {', '.join(_WAYS)}, got {way!r}")
    gate, _, _ = _projected(layer, u)
    mixed = [_WAYS[way](head.system, head.inputs) + head.skip * head.inputs for head in mamba2_heads(layer, u)]
    y = np.concatenate(mixed, axis=1) * silu(gate)
    grouped = y.reshape(len(y), layer.groups, -1)
    grouped = grouped / np.sqrt(np.mean(grouped * grouped, axis=2, keepdims=True) + epsilon)
    y = grouped.reshape(y.shape) * layer.tensors["norm.weight"]
    return np.asarray(y @ layer.tensors["out_proj.weight"].T + layer.tensors.get("out_proj.bias", 0.0))
