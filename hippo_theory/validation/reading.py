"""From named tensors to parameters: by the layouts of codebases, and by the names that functions return."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.layouts import LAYOUTS, Layout, StoredTensor
from hippo_theory.validation.quantities import Quantity, UnfitTensorError, combined, precision_of, quantity

__all__ = ["Parameters", "layers", "read_layer", "read_layouts"]

Array = NDArray[Any]

LARGEST_DENSE = 2048  # states of a dense matrix

# Names under which functions and exports give the matrices themselves.
_LAMBDA = ("Lambda", "lambda", "Lambda_bar", "w", "W", "A", "state_matrix", "evals", "eigenvalues", "poles", "Lambdas")
_EIGENVALUES = ("Lambda", "Lambdas", "Lambda_bar", "evals", "eigenvalues", "poles")  # names of nothing else
_DENSE = ("A", "state_matrix", "hippo", "S", "HiPPO", "transition", "A_bar", "Abar", "dA", "Ad")
_STACKED = ("A_stacked",)
_INPUT = ("Bc", "B", "input_matrix", "B_bar", "Bbar", "dB", "Bd", "b")
_LOW_RANK = ("Pc", "P", "p", "low_rank_term")
_LOW_RANK_OUT = ("Qc", "Q", "q")
_OUTPUT = ("C", "c", "Cc")


@dataclass(frozen=True, eq=False)
class Parameters:
    """What one group of tensors holds, states along the last axis of Lambda.

    Attributes
    ----------
    layout : str
    prefix : str
        What the names of the tensors have in common: the layer.
    tensors : tuple of str
    kind : str
        ``continuous``, ``ring``, ``heads``, ``dense``, ``stacked``, or ``unread``.
    Lambda : Quantity (S, n), or A (N, N), (K, N, N)
    P, Q : Quantity (S, n, r), optional
    B : Quantity (S, n), optional
        For dense systems (N,).
    C : Quantity, optional
    step : Quantity, optional
    input_per_state : bool
    others : dict of str to StoredTensor
        Tensors of the same layer by the last part of their names.
    why : str
        Of ``unread`` ones: what does not fit. Else what was found out about the way in which they are stored.
    """

    layout: str
    prefix: str
    tensors: tuple[str, ...]
    kind: str
    Lambda: Quantity
    P: Quantity | None = None
    Q: Quantity | None = None
    B: Quantity | None = None
    C: Quantity | None = None
    step: Quantity | None = None
    input_per_state: bool = False
    others: Mapping[str, StoredTensor] = field(default_factory=dict)
    why: str = ""


def read_layouts(tensors: Mapping[str, StoredTensor]) -> Iterator[Parameters]:
    """The systems that a set of named tensors holds, by the layouts, and by the names that functions return.

    Raises
    ------
    InputError
        If a file is damaged. Tensors of a layout that contradict each other in shape or dtype come as ``unread``.
    """
    for prefix, group in layers(tensors).items():
        yield from read_layer(prefix, group)


def read_layer(prefix: str, group: Mapping[str, StoredTensor]) -> Iterator[Parameters]:
    """The systems of one layer, as `read_layouts`."""
    for layout in LAYOUTS:
        if _fits(layout, group):
            yield _read_or_not(layout, prefix, group)
            return
    try:
        yield from _read_plain(prefix, group)
    except UnfitTensorError as error:
        named = [tensor.name for tensor in _named(group, tuple(dict.fromkeys(_LAMBDA + _DENSE + _STACKED)))]
        yield _unread("unknown", prefix, named, str(error))


def _read_or_not(layout: Layout, prefix: str, group: Mapping[str, StoredTensor]) -> Parameters:
    """The parameters, or the reason why a tensor cannot be what its name says."""
    try:
        return _read(layout, prefix, group)
    except UnfitTensorError as error:
        sources = (layout.real, layout.imaginary, layout.B, layout.P, layout.Q)
        named = [group[source.tensor].name for source in sources if source is not None and source.tensor in group]
        return _unread(layout.name, prefix, named, str(error))


def _unread(layout: str, prefix: str, tensors: list[str], why: str) -> Parameters:
    nothing = quantity(np.zeros((1, 0)), "float64")
    return Parameters(layout, prefix, tuple(tensors), "unread", nothing, why=why)


def layers(tensors: Mapping[str, StoredTensor]) -> dict[str, dict[str, StoredTensor]]:
    """Tensors by layer: name without its last part -> {last part: tensor}; two last parts where the layout needs it."""
    groups: dict[str, dict[str, StoredTensor]] = {}
    for name, tensor in tensors.items():
        parts = re.split(r"(?<=[./])", name)
        groups.setdefault("".join(parts[:-1]), {})[parts[-1]] = tensor
    deep = ("dt_proj.bias",)
    for name, tensor in tensors.items():
        for suffix in deep:
            prefix = name.removesuffix(suffix)
            if prefix != name and prefix in groups:
                groups[prefix][suffix] = tensor
    return groups


def _fits(layout: Layout, group: Mapping[str, StoredTensor]) -> bool:
    names = [layout.real.tensor, *([layout.imaginary.tensor] if layout.imaginary else []), *layout.needs]
    if not all(name in group for name in names) or any(name in group for name in layout.refuses):
        return False
    tensor = group[layout.real.tensor]
    if 0 in tensor.shape:
        return False
    if layout.real.pairs and not (tensor.shape[-1:] == (2,) or tensor.dtype.startswith("complex")):
        return False
    return layout.dimensions is None or len(tensor.shape) == layout.dimensions


def _read(layout: Layout, prefix: str, group: Mapping[str, StoredTensor]) -> Parameters:
    found: dict[str, Quantity] = {}
    notes: list[str] = []
    for role in ("real", "imaginary", "B", "P", "Q", "C", "step"):
        source = getattr(layout, role)
        if source is None or source.tensor not in group:
            continue
        try:
            found[role] = group[source.tensor].quantity(source.transform, source.pairs)
        except UnfitTensorError as error:
            if role != "C":
                raise
            notes.append(f"{source.tensor} is not read: {error}")  # nothing else depends on it
    real = found.pop("real")
    imaginary = found.pop("imaginary", None)
    Lambda = real if imaginary is None else combined(real, imaginary)
    if layout.state_axis == 0 and Lambda.values.ndim > 1:
        Lambda = Lambda.mapped(lambda array: np.moveaxis(array, 0, -1))
    turned = layout.state_axis == -1 and _is_turned(Lambda.values)
    if turned:
        Lambda = Lambda.mapped(np.transpose)
    n = Lambda.values.shape[-1] if Lambda.values.ndim else 1
    Lambda = Lambda.reshaped(-1, n)
    B, P, Q = found.get("B"), found.get("P"), found.get("Q")
    if layout.name == "s4-v1" and B is not None:
        stacked = B
        if stacked.values.ndim != 3 or stacked.values.shape[1] != 2:
            raise UnfitTensorError(f"{B.tensors[0]} of {layout.name} must be (H, 2, n, 2), got {stacked.values.shape}")
        B = stacked.mapped(lambda array: array[:, 0])
        P = stacked.mapped(lambda array: array[None, :, 1])
        heads = len(B.values)
        if len(Lambda.values) == 1:
            Lambda = Lambda.mapped(lambda array: np.repeat(array, heads, axis=0))
    systems = len(Lambda.values)
    if turned:
        notes.append(f"{layout.name} has the states along the last axis, here they lie along the first")
    if B is not None:
        B = None if layout.input_per_state else _vectors(B, systems, n, layout.state_axis)
        if B is None and not layout.input_per_state and layout.B is not None:
            notes.append(_left_out(group[layout.B.tensor], f"{n}"))
    tensors = tuple(name for part in (Lambda, B, P, Q) if part is not None for name in part.tensors)
    return Parameters(
        layout.name,
        prefix,
        tuple(dict.fromkeys(tensors)) + (found["step"].tensors if "step" in found else ()),
        layout.kind,
        Lambda,
        P=None if P is None else _low_rank(P, systems, n, layout.state_axis, layout.low_rank_first),
        Q=None if Q is None else _low_rank(Q, systems, n, layout.state_axis, layout.low_rank_first),
        B=B,
        C=found.get("C"),
        step=found.get("step"),
        input_per_state=layout.input_per_state,
        others=group,
        why="; ".join(notes),
    )


def _is_turned(values: Array) -> bool:
    """Whether the states of a matrix lie along its first axis: every row is one number again and again, and rows differ."""
    if values.ndim != 2 or min(values.shape) < 2:
        return False
    return not np.any(values != values[:, :1]) and bool(np.any(values != values[:1]))


def _vectors(part: Quantity, systems: int, n: int, axis: int) -> Quantity | None:
    """A vector for each system, (S, n), or None if the shape does not say so."""
    if axis == 0 and part.values.ndim > 1:
        part = part.mapped(lambda array: np.moveaxis(array, 0, -1))
    if part.values.ndim == 0 or part.values.shape[-1] != n:
        return None
    part = part.reshaped(-1, n)
    if len(part.values) == systems:
        return part
    if len(part.values) == 1:
        return part.mapped(lambda array: np.repeat(array, systems, axis=0))
    return None


def _low_rank(part: Quantity, systems: int, n: int, axis: int, rank_first: bool) -> Quantity:
    """P as (S, n, r)."""
    if part.values.size == 0:
        raise UnfitTensorError(f"{', '.join(part.tensors)} is empty, of the shape {part.values.shape}; leave it out")
    if axis == 0 and part.values.ndim > 1:
        part = part.mapped(lambda array: np.moveaxis(array, 0, -1))
    shape = part.values.shape
    if shape[-1:] != (n,):
        if len(shape) == 2 and shape[0] == n and systems == 1:  # (n, r)
            return part.reshaped(1, n, shape[1])
        raise UnfitTensorError(
            f"{', '.join(part.tensors)} has the shape {shape}, but Lambda has {n} states; give it their length"
        )
    rank = shape[0] if rank_first and len(shape) > 1 else 1
    part = part.reshaped(rank, -1, n) if rank_first and len(shape) > 1 else part.reshaped(1, -1, n)
    if part.values.shape[1] not in (1, systems):
        raise UnfitTensorError(
            f"{', '.join(part.tensors)} has the shape {shape}, which does not fit {systems} systems of {n} states"
        )
    return part.mapped(lambda array: np.moveaxis(np.broadcast_to(array, (rank, systems, n)), 0, -1))


def _named(group: Mapping[str, StoredTensor], names: tuple[str, ...]) -> list[StoredTensor]:
    return [group[name] for name in names if name in group]


def _left_out(vector: StoredTensor, count: str) -> str:
    """That B is not compared, in words: nobody shall think that it was found right."""
    return f"{vector.name}, {vector.dtype} of the shape {vector.shape}, is not compared: B of this system has {count} numbers"


def _is_complex(tensor: StoredTensor) -> bool:
    return tensor.dtype.startswith("complex")


def _read_plain(prefix: str, group: Mapping[str, StoredTensor]) -> Iterator[Parameters]:
    """Systems under the names that functions return: diagonal ones, dense ones, stacks of discrete ones."""
    vectors, low_ranks = _named(group, _INPUT), _named(group, _LOW_RANK)
    for tensor in _named(group, _LAMBDA):
        square = len(tensor.shape) == 2 and tensor.shape[0] == tensor.shape[1]
        pairs = not _is_complex(tensor) and len(tensor.shape) > 1 and tensor.shape[-1] == 2 and tensor.shape != (2, 2)
        if not (_is_complex(tensor) or pairs or (len(tensor.shape) == 1 and tensor.shape[0] > 0)):
            continue
        if square and _is_complex(tensor) and not any(len(low.shape) == 3 for low in low_ranks):
            continue  # a dense complex matrix
        if 0 in (*tensor.shape, len(tensor.shape)):
            continue
        if tensor.dtype.startswith(("int", "uint", "bool")):
            if tensor.name.removeprefix(prefix) in _EIGENVALUES:
                precision_of(tensor.dtype)  # says what to do
            continue
        if tensor.name.endswith(("w", "W")) and not (_is_complex(tensor) or pairs):
            continue  # weights of any layer
        yield _plain_diagonal(prefix, group, tensor, pairs)
        break
    for tensor in _named(group, _DENSE):
        shape = tensor.shape
        if (
            len(shape) == 2
            and shape[0] == shape[1]
            and shape[0] > 0
            and not any(len(low.shape) == 3 for low in low_ranks)
        ):
            N = shape[0]
            if N > LARGEST_DENSE:
                yield _unread(
                    "dense", prefix, [tensor.name], f"{tensor.name}: {N} states are more than {LARGEST_DENSE}"
                )
                continue
            B = next((vector for vector in vectors if vector.shape in ((N,), (N, 1), (1, N))), None)
            if B is not None and _is_complex(B) and not _is_complex(tensor):
                candidates = [v for v in vectors if v.shape in ((N,), (N, 1), (1, N)) and not _is_complex(v)]
                B = candidates[0] if candidates else None
            input_vector = B.quantity().reshaped(N) if B is not None else None
            names = (tensor.name, *((B.name,) if B is not None else ()))
            why = _left_out(vectors[0], f"{N}" if _is_complex(tensor) else f"{N} real") if B is None and vectors else ""
            yield Parameters("dense", prefix, names, "dense", tensor.quantity(), B=input_vector, others=group, why=why)
    for tensor in _named(group, _STACKED):
        if len(tensor.shape) == 3 and tensor.shape[1] == tensor.shape[2] and 0 not in tensor.shape:
            B = group.get("B_stacked")
            names = (tensor.name, *((B.name,) if B is not None else ()))
            yield Parameters(
                "stacked",
                prefix,
                names,
                "stacked",
                tensor.quantity(),
                B=B.quantity() if B is not None else None,
                others=group,
            )


def _plain_diagonal(prefix: str, group: Mapping[str, StoredTensor], tensor: StoredTensor, pairs: bool) -> Parameters:
    Lambda = tensor.quantity(pairs=pairs)
    n = Lambda.values.shape[-1]
    Lambda = Lambda.reshaped(-1, n)
    systems = len(Lambda.values)

    def same_kind(candidates: list[StoredTensor]) -> StoredTensor | None:
        """Prefer complex tensors where Lambda is complex: beside them functions also return the real originals."""
        return next((c for c in candidates if _is_complex(c)), candidates[0] if candidates else None)

    def not_empty(names: tuple[str, ...]) -> list[StoredTensor]:
        """A low-rank term of rank 0 is none."""
        return [tensor for tensor in _named(group, names) if 0 not in tensor.shape]

    low, out = same_kind(not_empty(_LOW_RANK)), same_kind(not_empty(_LOW_RANK_OUT))
    vector, output = same_kind(_named(group, _INPUT)), group.get("C")
    P = Q = B = None
    if low is not None:
        P = _low_rank(low.quantity(pairs=pairs), systems, n, -1, True)
    if out is not None:
        Q = _low_rank(out.quantity(pairs=pairs), systems, n, -1, True)
    if vector is not None:
        B = _vectors(vector.quantity(pairs=pairs), systems, n, -1)
    names = [tensor.name]
    names += [
        source.name for source, part in ((low, P), (out, Q), (vector, B)) if source is not None and part is not None
    ]
    layout = "hippox" if tensor.name.endswith("state_matrix") else "diagonal"
    return Parameters(
        layout,
        prefix,
        tuple(names),
        "continuous",
        Lambda,
        P=P,
        Q=Q,
        B=B,
        C=output.quantity(pairs=pairs) if output is not None else None,
        others=group,
        why=_left_out(vector, f"{n}") if vector is not None and B is None else "",
    )
