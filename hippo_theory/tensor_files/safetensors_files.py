"""Safetensors: a JSON header and the numbers, one after the other; and models sharded over several files by an index."""

from __future__ import annotations

import json
import math
import struct
from functools import partial
from pathlib import Path
from typing import Any

from hippo_theory.tensor_files.entries import (
    MAX_HEADER_BYTES,
    EntryList,
    Notes,
    TensorFile,
    check_count,
    check_shape,
    item_bytes,
    read_numbers,
    refusal,
    shown,
)

__all__ = ["open_safetensors"]

# Names of the format -> names of NumPy and ml_dtypes.
_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "U16": "uint16",
    "U32": "uint32",
    "U64": "uint64",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
    "BF16": "bfloat16",
    "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
}
_SUB_BYTE = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}  # bits; NumPy has no arrays of them


def open_safetensors(path: Path) -> TensorFile:
    """The tensors of one file, in the order in which they lie in it."""
    header, start, data_bytes = _header(path)
    metadata = header.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise refusal(path, "its __metadata__ is no map of strings: damaged")
    tensors = sorted(((*_checked(path, name, entry), name) for name, entry in header.items()), key=lambda row: row[:2])
    entries, notes, end = EntryList(path), Notes(), 0
    for begin, stop, dtype, shape, name in tensors:
        if begin != end:
            raise refusal(path, f"tensor {shown(name)} starts at byte {begin}, the one before ends at {end}: damaged")
        end = stop
        if dtype in _SUB_BYTE:
            notes.left_out(name, f"dtype {dtype} has fewer than 8 bits")
        else:
            stored = _DTYPES[dtype]
            entries.add(name, stored, shape, partial(read_numbers, path, start + begin, stored, shape))
    if end != data_bytes:
        raise refusal(path, f"its tensors take {end} bytes, the file has {data_bytes} for them: cut off or damaged")
    return TensorFile(path, "safetensors", metadata, entries.tensors, notes.lines())


def _header(path: Path) -> tuple[dict[str, Any], int, int]:
    """The header, where the numbers start, and how many bytes of them there are."""
    size = path.stat().st_size
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > min(MAX_HEADER_BYTES, size - 8):
            raise refusal(
                path, f"its header would have {length} bytes; at most {MAX_HEADER_BYTES}, and the file's size, are read"
            )
        text = file.read(length)
    check_count(path, text.count(b'"data_offsets"'))  # before a million of them become Python objects
    header = json.loads(text.decode("utf-8"), object_pairs_hook=partial(without_doubles, path))
    if not isinstance(header, dict):
        raise refusal(path, "its header is no JSON object: damaged")
    return header, 8 + length, size - 8 - length


def without_doubles(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs of a JSON object as a dictionary, if no key stands there twice."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise refusal(path, "its header names a key twice: damaged")
    return result


def _checked(path: Path, name: str, entry: Any) -> tuple[int, int, str, tuple[int, ...]]:
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= set(entry):
        raise refusal(path, f"tensor {shown(name)} lacks its dtype, shape or data_offsets: damaged")
    dtype, offsets = entry["dtype"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in {**_DTYPES, **_SUB_BYTE}:
        raise refusal(path, f"tensor {shown(name)} has the dtype {shown(dtype)}, which safetensors does not define")
    shape = check_shape(path, name, entry["shape"])
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(type(offset) is int for offset in offsets):
        raise refusal(path, f"tensor {shown(name)} has the data_offsets {shown(offsets)}: damaged")
    begin, stop = offsets
    bits = _SUB_BYTE.get(dtype) or 8 * item_bytes(_DTYPES[dtype])
    if begin < 0 or 8 * (stop - begin) != math.prod(shape) * bits:
        raise refusal(
            path, f"tensor {shown(name)} of shape {shown(shape)} and dtype {dtype} does not fill {shown(offsets)}"
        )
    return begin, stop, dtype, shape
