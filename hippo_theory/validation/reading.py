"""From named tensors to parameters: by the layouts of codebases, and by the names that functions return."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.arrangements import EXCHANGED, Arrangement, arrangements, is_stack, lie_along_columns
from hippo_theory.validation.layouts import LAYOUTS, Layout, StoredTensor
from hippo_theory.validation.quantities import Quantity, UnfitTensorError, combined, precision_of, quantity

__all__ = [
    "LOW_RANK",
    "LOW_RANK_OUT",
    "Parameters",
    "layers",
    "read_layer",
    "read_layouts",
    "reshaped_words",
    "vectors_of",
]

Array = NDArray[Any]

LARGEST_DENSE = 2048  # states of a dense matrix

# Names under which functions and exports give the matrices themselves.
_LAMBDA = ("Lambda", "lambda", "Lambda_bar", "w", "W", "A", "state_matrix", "evals", "eigenvalues", "poles", "Lambdas")
_EIGENVALUES = ("Lambda", "Lambdas", "Lambda_bar", "evals", "eigenvalues", "poles")  # names of nothing else
_MULTIPLIERS = ("Abar", "A_bar", "dA", "Ad")  # of discretized diagonal systems, complex
_DENSE = ("A", "state_matrix", "hippo", "S", "HiPPO", "transition", "A_bar", "Abar", "dA", "Ad")
_STACKED = ("A_stacked",)
_INPUT = ("Bc", "B", "input_matrix", "B_bar", "Bbar", "dB", "Bd", "b")
LOW_RANK = ("Pc", "P", "p", "low_rank_term")
LOW_RANK_OUT = ("Qc", "Q", "q")


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
    halves : bool
        Whether the code adds the conjugates itself: it expects one of each pair.
    otherwise : tuple of Parameters
        The same tensors read against their layout, in arrangements in which all systems are equal: see `arrangements`.
    misplaced : str
        Of those: what is wrong, and what is to be done.
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
    halves: bool = False
    otherwise: tuple[Parameters, ...] = ()
    misplaced: str = ""


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
    n = Lambda.values.shape[-1] if Lambda.values.ndim else 1
    Lambda = Lambda.reshaped(-1, n)
    B, P, Q = found.get("B"), found.get("P"), found.get("Q")
    if layout.name == "s4-v1" and B is not None:
        Lambda, B, P = _apart(layout, Lambda, B)
    if layout.input_per_state:
        B = None
    if layout.state_axis == 0:
        B, P, Q = (_states_last(part) for part in (B, P, Q))
    plain = Parameters(
        layout.name,
        prefix,
        (),
        layout.kind,
        Lambda,
        P,
        Q,
        B,
        C=found.get("C"),
        step=found.get("step"),
        input_per_state=layout.input_per_state,
        others=group,
        why="; ".join(notes),
        halves=layout.halves,
    )
    return _arranged(plain, layout.low_rank_first, layout.axis)


def _apart(layout: Layout, Lambda: Quantity, stacked: Quantity) -> tuple[Quantity, Quantity, Quantity]:
    """Lambda, B and P of code that stacks P below B."""
    if stacked.values.ndim != 3 or stacked.values.shape[1] != 2:
        named, shape = stacked.tensors[0], stacked.values.shape
        raise UnfitTensorError(f"{named} of {layout.name} must be (H, 2, n, 2), got {shape}")
    heads = len(stacked.values)
    if len(Lambda.values) == 1:
        Lambda = Lambda.mapped(lambda array: np.repeat(array, heads, axis=0))
    return Lambda, stacked.mapped(lambda array: array[:, 0]), stacked.mapped(lambda array: array[None, :, 1])


def _states_last(part: Quantity | None) -> Quantity | None:
    """A part of which the states lie along the first axis."""
    if part is None or part.values.ndim < 2:
        return part
    return part.mapped(lambda array: np.moveaxis(array, 0, -1))


def _arranged(stored: Parameters, low_rank_first: bool, axis: str) -> Parameters:
    """Parameters of which Lambda is (a, b) and P, Q, B are as they are stored, each brought to its shape.

    Where the layout says along which axis the states lie, they are read so, and any other arrangement is a mistake to be
    found out. Where nobody says so, equal columns are equal systems.
    """
    others = arrangements(stored.Lambda.values)
    by_columns = others[0].exchanged if others else lie_along_columns(stored.Lambda.values)
    if by_columns and not axis:
        turned = _shaped(stored, low_rank_first, EXCHANGED)
        note = "the states lie along the first axis"
        return replace(turned, why="; ".join(filter(None, [turned.why, note])))
    otherwise: list[Parameters] = []
    for other in others:
        with suppress(UnfitTensorError):
            otherwise.append(replace(_shaped(stored, low_rank_first, other), misplaced=_misplaced(stored, other, axis)))
    try:
        plain = _shaped(stored, low_rank_first, None)
    except UnfitTensorError:
        if not otherwise:
            raise
        return otherwise[0]
    return replace(plain, otherwise=tuple(otherwise))


def _misplaced(stored: Parameters, arrangement: Arrangement, axis: str) -> str:
    """What is wrong with an arrangement, and what is to be done."""
    if not arrangement.exchanged:
        return reshaped_words(stored.Lambda.tensors, arrangement)
    if not axis:
        return ""  # nobody says that they lie along the last one
    names = _joined_names(stored.Lambda.tensors)
    return f"{stored.layout} has the states along the {axis} axis, here they lie along the other; transpose {names}"


def reshaped_words(tensors: tuple[str, ...], arrangement: Arrangement) -> str:
    """That tensors were reshaped where their axes had to be exchanged, and what is to be done."""
    text = "the numbers of equal systems, reshaped where the axes had to be exchanged"
    return f"{_joined_names(tensors)}: {text}; {arrangement.words}"


def _joined_names(tensors: tuple[str, ...]) -> str:
    return " and ".join(dict.fromkeys(tensors)) or "Lambda"


def _shaped(stored: Parameters, low_rank_first: bool, arrangement: Arrangement | None) -> Parameters:
    """P, Q and B as vectors of the systems that Lambda holds in an arrangement; what does not fit is said."""
    shape = stored.Lambda.values.shape
    Lambda = stored.Lambda if arrangement is None else stored.Lambda.mapped(arrangement.rows)
    systems, n = Lambda.values.shape
    notes = [stored.why]
    B = None
    if stored.B is not None:
        if arrangement is not None and stored.B.values.size == Lambda.values.size:
            B = _followed(stored.B.reshaped(*shape), (systems, n), arrangement)
        else:
            B = vectors_of(stored.B, systems, n)
        if B is None:
            vector = next(tensor for tensor in stored.others.values() if tensor.name in stored.B.tensors)
            notes.append(_left_out(vector, f"{n}"))
    P, Q = stored.P, stored.Q
    if arrangement is not None and arrangement.exchanged:
        P, Q = (_exchanged(part, shape) for part in (P, Q))
    P, Q = (None if part is None else _low_rank(part, systems, n, low_rank_first) for part in (P, Q))
    named = [name for part in (Lambda, B, P, Q, stored.step) if part is not None for name in part.tensors]
    why = "; ".join(filter(None, notes))
    return replace(stored, Lambda=Lambda, P=P, Q=Q, B=B, tensors=tuple(dict.fromkeys(named)), why=why)


def _followed(part: Quantity, shape: tuple[int, int], arrangement: Arrangement) -> Quantity:
    """A part of the shape of Lambda in the arrangement of Lambda, unless its rows are equal systems as they are."""
    if part.values.shape == shape and not np.any(part.values != part.values[:1]):
        return part
    return part.mapped(arrangement.rows)


def _exchanged(part: Quantity | None, shape: tuple[int, ...]) -> Quantity | None:
    """P or Q with the last two axes exchanged where they are those of Lambda."""
    if part is None or part.values.shape[-2:] != shape:
        return part
    return part.mapped(lambda array: np.swapaxes(array, -1, -2))


def vectors_of(part: Quantity, systems: int, n: int) -> Quantity | None:
    """A vector for each system, (S, n), or None if the shape does not say so."""
    if part.values.ndim == 0 or part.values.shape[-1] != n:
        return None
    part = part.reshaped(-1, n)
    if len(part.values) == systems:
        return part
    if len(part.values) == 1:
        return part.mapped(lambda array: np.repeat(array, systems, axis=0))
    return None


def _low_rank(part: Quantity, systems: int, n: int, rank_first: bool) -> Quantity:
    """P as (S, n, r)."""
    if part.values.size == 0:
        raise UnfitTensorError(f"{', '.join(part.tensors)} is empty, of the shape {part.values.shape}; leave it out")
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


def _is_dense(tensor: StoredTensor, name: str, low_ranks: list[StoredTensor]) -> bool:
    """Whether a tensor is a state matrix, by its shape, its name, and what stands in it where a stack has the same one."""
    shape = tensor.shape
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0 or any(len(low.shape) == 3 for low in low_ranks):
        return False
    if not _is_complex(tensor):
        return True
    values = tensor.read()
    if name in _EIGENVALUES:
        return not np.any(values[~np.eye(len(values), dtype=bool)])
    return not is_stack(values)


def _read_plain(prefix: str, group: Mapping[str, StoredTensor]) -> Iterator[Parameters]:
    """Systems under the names that functions return: diagonal ones, dense ones, stacks of discrete ones."""
    vectors, low_ranks = _named(group, _INPUT), _named(group, LOW_RANK)
    for tensor in _named(group, _LAMBDA + _MULTIPLIERS):
        pairs = not _is_complex(tensor) and len(tensor.shape) > 1 and tensor.shape[-1] == 2 and tensor.shape != (2, 2)
        if not (_is_complex(tensor) or pairs or (len(tensor.shape) == 1 and tensor.shape[0] > 0)):
            continue
        if tensor.name.removeprefix(prefix) in _MULTIPLIERS and not _is_complex(tensor):
            continue
        if _is_dense(tensor, tensor.name.removeprefix(prefix), low_ranks):
            continue
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
        if _is_dense(tensor, tensor.name.removeprefix(prefix), low_ranks):
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
            dense = Parameters(
                "dense", prefix, names, "dense", tensor.quantity(), B=input_vector, others=group, why=why
            )
            if _is_complex(tensor):  # or the multipliers of as many systems as each has states
                dense = replace(dense, otherwise=(_plain_diagonal(prefix, group, tensor, False),))
            yield dense
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

    def same_kind(candidates: list[StoredTensor]) -> StoredTensor | None:
        """Prefer complex tensors where Lambda is complex: beside them functions also return the real originals."""
        return next((c for c in candidates if _is_complex(c)), candidates[0] if candidates else None)

    def not_empty(names: tuple[str, ...]) -> list[StoredTensor]:
        """A low-rank term of rank 0 is none."""
        return [tensor for tensor in _named(group, names) if 0 not in tensor.shape]

    low, out = same_kind(not_empty(LOW_RANK)), same_kind(not_empty(LOW_RANK_OUT))
    vector, output = same_kind(_named(group, _INPUT)), group.get("C")
    P, Q, B = (None if part is None else part.quantity(pairs=pairs) for part in (low, out, vector))
    C, why = None, ""
    if output is not None:
        try:
            C = output.quantity(pairs=pairs)
        except UnfitTensorError as error:
            why = f"{output.name.removeprefix(prefix)} is not read: {error}"  # nothing else depends on it
    layout = "hippox" if tensor.name.endswith("state_matrix") else "diagonal"
    stored = Parameters(layout, prefix, (), "continuous", Lambda, P=P, Q=Q, B=B, C=C, others=group, why=why)
    return _arranged(stored, True, "")
