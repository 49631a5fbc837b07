"""PyTorch's .pt, .pth, .bin and .ckpt, by its loader that builds tensors and plain containers and calls nothing else."""

from __future__ import annotations

import io
import mmap
import pickle
import pickletools
import re
import warnings
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.errors import MissingDependencyError
from hippo_theory.tensor_files.archives import Archive
from hippo_theory.tensor_files.entries import (
    DTYPE_NAMES,
    MAX_DEPTH,
    MAX_NAME_LENGTH,
    MAX_TENSORS,
    EntryList,
    Notes,
    TensorFile,
    array_from_bytes,
    refusal,
    shown,
)

__all__ = ["LEGACY_MAGIC", "globals_of_pickle", "open_pytorch", "open_pytorch_legacy"]

# How torch.save began its files before 1.6: the pickled number 0x1950a86a20f9469cfc6c.
LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
# A tensor takes about 35 operations and 250 bytes; 4 million are scanned in seconds and build less than 1 GB of objects.
MAX_OPERATIONS = 4_000_000
MAX_PICKLE_BYTES = 64 * 2**20
# Tied and expanded weights are views: together they may declare this many times the bytes of the file, and no tensor of
# a small file is worth refusing.
MAX_EXPANSION, SMALL_EXPANSION = 16, 64 * 2**20
# Whole numbers in checkpoints are sizes, steps and seeds of 64 bits; longer ones serve only to make dictionaries slow.
_LONGEST_INTEGER = 2**64
# The loader searches its own error messages, which may quote a text, in time quadratic in the longest word: seconds at most.
_LONGEST_WORD = 2**14
_METADATA_ENTRIES = 100

# Modules whose names the loader knows; anything else in a pickle is code of its author's choice.
_KNOWN_MODULES = ("torch", "collections", "_codecs")
# Known to the loader, but no part of a tensor, and able to ask for any amount of memory.
_COSTLY = {"builtins.bytearray", "__builtin__.bytearray"}


def open_pytorch(path: Path, archive: Archive) -> TensorFile:
    """A zip file of torch.save; its numbers stay in the file until they are read."""
    pickles = [name for name in archive.members if name.rsplit("/", 1)[-1] == "data.pkl"]
    if len(pickles) != 1:
        raise refusal(path, "holds several data.pkl: damaged, or several files in one archive; unpack it first")
    for name in archive.members:
        archive.window(name)
    data = archive.read_small(pickles[0], MAX_PICKLE_BYTES)
    return _open(path, globals_of_pickle(path, io.BytesIO(data)), memory_mapped=True)


def open_pytorch_legacy(path: Path) -> TensorFile:
    """A file of torch before 1.6, which is read whole."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        names: set[str] = set()
        for _ in range(5):  # magic number, protocol, system, the object, the keys of its storages
            names |= globals_of_pickle(path, data)
    return _open(path, names, memory_mapped=False)


def globals_of_pickle(path: Path, stream: IO[bytes] | mmap.mmap) -> set[str]:
    """Names that a pickle would import, found without running it; refused if it is too long to run in seconds."""
    names: set[str] = set()
    texts = ["", ""]
    for count, (operation, argument, _) in enumerate(pickletools.genops(stream), 1):  # type: ignore[arg-type]
        if count > MAX_OPERATIONS:
            raise refusal(path, f"its pickle has more than {MAX_OPERATIONS} operations; split the file")
        if operation.name in ("GLOBAL", "INST"):
            names.add(".".join(str(argument).split(" ", 1)))
            if len(str(argument)) > MAX_NAME_LENGTH:
                raise refusal(path, f"imports a name of {len(str(argument))} characters: damaged")
        elif operation.name == "STACK_GLOBAL":
            names.add(".".join(texts))
        elif isinstance(argument, str):
            texts = [texts[1], argument]
            if len(argument) > _LONGEST_WORD and max(map(len, argument.split(" "))) > _LONGEST_WORD:
                raise refusal(
                    path, f"holds a text with a word of over {_LONGEST_WORD} letters; save the state_dict alone"
                )
        elif (
            isinstance(argument, int) and abs(argument) >= _LONGEST_INTEGER and operation.name == "LONG1" and count > 2
        ):
            raise refusal(path, "holds a whole number of more than 64 bits, which no checkpoint needs")
    return names


def _open(path: Path, names: set[str], *, memory_mapped: bool) -> TensorFile:
    torch = _torch()
    if costly := names & _COSTLY:
        raise refusal(path, f"calls {shown(min(costly))}, which no tensor needs; save the state_dict alone")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about protocols and storages of older versions
            loaded = torch.load(str(path), map_location="cpu", weights_only=True, mmap=memory_mapped)
    except pickle.UnpicklingError as error:
        foreign = sorted(name for name in names if name.split(".")[0] not in _KNOWN_MODULES)
        calls = f"it calls {shown(', '.join(foreign))}" if foreign else "or is damaged: PyTorch takes it for no weights"
        raise refusal(
            path,
            f"would execute code on loading ({calls}); if you trust it, load it where it was made and save its "
            "state_dict() alone",
        ) from error
    return _listed(path, loaded)


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError('PyTorch files need torch: pip install "hippo_theory[torch]"') from error
    found = re.match(r"(\d+)\.(\d+)", torch.__version__)
    if not found or (int(found[1]), int(found[2])) < (2, 6):
        raise MissingDependencyError(
            f"PyTorch files need torch 2.6 or later, this is {torch.__version__}: files can make earlier ones run code; "
            'pip install --upgrade "hippo_theory[torch]"'
        )
    return torch


def _listed(path: Path, loaded: Any) -> TensorFile:
    torch = _torch()
    size = path.stat().st_size
    entries, notes = EntryList(path), Notes()
    metadata: dict[str, str] = {}
    declared = 0
    for name, value in _leaves(path, loaded):
        if isinstance(value, torch.Tensor):
            dtype = str(value.dtype).removeprefix("torch.")
            if value.layout != torch.strided or value.device.type != "cpu" or value.is_nested:
                notes.left_out(name, f"layout {value.layout} on {value.device} holds no plain numbers")
            elif dtype not in DTYPE_NAMES:
                notes.left_out(name, f"dtype {dtype} is not read")
            else:
                declared += value.numel() * value.element_size()
                entries.add(name, dtype, tuple(value.shape), partial(_numbers, value, dtype))
        elif isinstance(value, str | int | float) and "." not in name and len(metadata) < _METADATA_ENTRIES:
            metadata[name] = str(value)
    if declared > MAX_EXPANSION * size + SMALL_EXPANSION:
        raise refusal(path, f"its tensors would expand from {size} to {declared} bytes; save them contiguous")
    return TensorFile(path, "pytorch", metadata, entries.tensors, notes.lines())


def _leaves(path: Path, loaded: Any) -> Iterator[tuple[str, Any]]:
    """What nested dictionaries and sequences hold, under dotted names; a container inside itself or too deep is refused."""
    stack = [("", loaded, 0)]
    visited = 0
    while stack:
        name, value, depth = stack.pop()
        visited += 1
        if visited > 4 * MAX_TENSORS:
            raise refusal(path, f"nests more than {4 * MAX_TENSORS} values; save the state_dict alone")
        if isinstance(value, Mapping):
            children = list(value.items())
        elif isinstance(value, list | tuple):
            children = list(enumerate(value))
        else:
            yield name or "tensor", value
            continue
        if depth == MAX_DEPTH:
            raise refusal(path, f"nests dictionaries deeper than {MAX_DEPTH}; save the state_dict alone")
        if visited + len(stack) + len(children) > 4 * MAX_TENSORS:
            raise refusal(path, f"nests more than {4 * MAX_TENSORS} values; save the state_dict alone")
        for key, child in reversed(children):
            stack.append((f"{name}.{key}" if name else str(key), child, depth + 1))


def _numbers(tensor: Any, dtype: str) -> NDArray[Any]:
    torch = _torch()
    plain = tensor.detach().resolve_conj().resolve_neg().contiguous()
    raw: NDArray[np.uint8] = plain.reshape(-1).view(torch.uint8).numpy().copy()  # not a view: the file may go away
    return array_from_bytes(raw, dtype, tuple(tensor.shape))
