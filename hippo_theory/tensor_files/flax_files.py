"""Flax's msgpack, as `flax.serialization` writes it: nested maps whose leaves are arrays in extension type 1.

The msgpack library unpacks a whole file into memory; here only the heads of maps, texts and arrays are read, through a
memory map, and each array's place is kept. Tests compare with files that the library packed.
"""

from __future__ import annotations

import math
import mmap
import struct
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.tensor_files.entries import (
    DTYPE_NAMES,
    MAX_DEPTH,
    MAX_NAME_LENGTH,
    MAX_TENSORS,
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

__all__ = ["open_flax"]

_ARRAY, _COMPLEX, _SCALAR = 1, 2, 3  # extension types
_CHUNKED = "__msgpack_chunked_array__"  # how arrays over 1 GiB are split
_MAX_VALUES = 4 * MAX_TENSORS
_MAX_TEXT_BYTES = 2**20  # of one text or byte string among the leaves
_METADATA_ENTRIES = 100

# First byte -> (kind, struct format of the length or value).
_HEADS = {
    0xC4: ("binary", ">B"),
    0xC5: ("binary", ">H"),
    0xC6: ("binary", ">I"),
    0xC7: ("extension", ">B"),
    0xC8: ("extension", ">H"),
    0xC9: ("extension", ">I"),
    0xCA: ("number", ">f"),
    0xCB: ("number", ">d"),
    0xCC: ("number", ">B"),
    0xCD: ("number", ">H"),
    0xCE: ("number", ">I"),
    0xCF: ("number", ">Q"),
    0xD0: ("number", ">b"),
    0xD1: ("number", ">h"),
    0xD2: ("number", ">i"),
    0xD3: ("number", ">q"),
    0xD9: ("text", ">B"),
    0xDA: ("text", ">H"),
    0xDB: ("text", ">I"),
    0xDC: ("list", ">H"),
    0xDD: ("list", ">I"),
    0xDE: ("map", ">H"),
    0xDF: ("map", ">I"),
}


@dataclass(frozen=True, slots=True)
class _Array:
    """Where an array lies in the file."""

    dtype: str
    shape: tuple[int, ...]
    offset: int


class _Reader:
    """A place in the file that moves on from value to value."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path, self.data, self.offset, self.values, self.arrays = path, data, 0, 0, 0

    def head(self) -> tuple[str, Any]:
        """Kind and length, or value, of what comes next; the place is then behind its head."""
        first = self.bytes(1)[0]
        if first <= 0x7F:
            return "number", first
        if first <= 0x8F:
            return "map", first & 0x0F
        if first <= 0x9F:
            return "list", first & 0x0F
        if first <= 0xBF:
            return "text", first & 0x1F
        if first >= 0xE0:
            return "number", first - 0x100
        if first in (0xC0, 0xC2, 0xC3):
            return "number", {0xC0: None, 0xC2: False, 0xC3: True}[first]
        if 0xD4 <= first <= 0xD8:
            return "extension", 1 << (first - 0xD4)
        if first not in _HEADS:
            raise refusal(self.path, f"byte {self.offset - 1} starts no msgpack value: damaged")
        kind, form = _HEADS[first]
        return kind, struct.unpack(form, self.bytes(struct.calcsize(form)))[0]

    def bytes(self, count: int) -> bytes:
        """The next bytes."""
        start = self.skip(count)
        return self.data[start : self.offset]

    def skip(self, count: int) -> int:
        """Move on; where the bytes left behind start."""
        start, self.offset = self.offset, self.offset + count
        if self.offset > len(self.data):
            raise refusal(self.path, f"ends within a value of {count} bytes: cut off or damaged")
        return start

    def text(self, kind: str, length: int, limit: int) -> str:
        """A text or byte string of at most `limit` bytes."""
        if kind not in ("text", "binary") or length > limit:
            raise refusal(self.path, f"a key or text of kind {kind} and {length} bytes; at most {limit} are read")
        return self.bytes(length).decode("utf-8", "surrogateescape")

    def value(self, depth: int) -> Any:
        """The next value: nested dictionaries with `_Array`s and plain values as leaves."""
        self.values += 1
        if self.values > _MAX_VALUES or depth > MAX_DEPTH:
            raise refusal(
                self.path, f"nests more than {_MAX_VALUES} values, or deeper than {MAX_DEPTH}; split the file"
            )
        kind, length = self.head()
        if kind == "map":
            pairs = {}
            for _ in range(length):
                key_kind, key = self.head()
                name = str(key) if key_kind == "number" else self.text(key_kind, key, 4 * MAX_NAME_LENGTH)
                if name in pairs:
                    raise refusal(self.path, f"holds the key {shown(name)} twice: damaged")
                pairs[name] = self.value(depth + 1)
            return self.joined(pairs) if _CHUNKED in pairs else pairs
        if kind == "list":
            return {str(index): self.value(depth + 1) for index in range(length)}
        if kind == "extension":
            return self.extension(length)
        return length if kind == "number" else self.text(kind, length, _MAX_TEXT_BYTES)

    def extension(self, length: int) -> Any:
        """An array, a scalar or a complex number."""
        code, end = self.bytes(1)[0], self.offset + length
        self.arrays += 1
        check_count(self.path, self.arrays)
        if code == _COMPLEX:
            self.skip(length)
            return None
        if code not in (_ARRAY, _SCALAR) or self.head() != ("list", 3):
            raise refusal(self.path, f"extension {code} at byte {self.offset} is no array of flax")
        kind, dimensions = self.head()
        if kind != "list":
            raise refusal(self.path, f"the array at byte {self.offset} has no shape: damaged")
        lengths = [self.head() for _ in range(min(dimensions, len(self.data)))]
        shape = check_shape(
            self.path, f"at byte {self.offset}", [size if kind == "number" else -1 for kind, size in lengths]
        )
        dtype = self.text(*self.head(), 64)
        kind, count = self.head()
        start = self.skip(count)
        if kind not in ("binary", "text") or self.offset != end:
            raise refusal(self.path, f"the array at byte {start} does not fill its place: damaged")
        if dtype in DTYPE_NAMES and count != math.prod(shape) * item_bytes(dtype):
            raise refusal(self.path, f"the array at byte {start} has {count} bytes for {dtype} {shown(shape)}: damaged")
        return _Array(dtype, shape, start)

    def joined(self, pairs: dict[str, Any]) -> list[_Array | tuple[int, ...]]:
        """The chunks of one array, and its shape first."""
        sizes, chunks = pairs.get("shape"), pairs.get("chunks")
        if not isinstance(sizes, dict) or not isinstance(chunks, dict) or not chunks:
            raise refusal(self.path, "a chunked array lacks its shape or chunks: damaged")
        shape = check_shape(self.path, _CHUNKED, [sizes.get(str(index)) for index in range(len(sizes))])
        arrays = [chunk for index in range(len(chunks)) if isinstance(chunk := chunks.get(str(index)), _Array)]
        if len(arrays) != len(chunks) or len({array.dtype for array in arrays}) != 1:
            raise refusal(self.path, "a chunked array has chunks of several kinds: damaged")
        if sum(math.prod(array.shape) for array in arrays) != math.prod(shape):
            raise refusal(self.path, f"a chunked array does not fill its shape {shown(shape)}: damaged")
        return [shape, *arrays]


def open_flax(path: Path) -> TensorFile:
    """The arrays of a file of `flax.serialization.to_bytes`; plain numbers at the top are its metadata."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        reader = _Reader(path, data)
        tree = reader.value(0)
        if reader.offset != len(data):
            raise refusal(path, f"ends at byte {reader.offset} of {len(data)}: damaged, or no file of flax")
    entries, notes = EntryList(path), Notes()
    metadata: dict[str, str] = {}
    stack: list[tuple[str, Any]] = [("", tree)]
    while stack:
        name, value = stack.pop()
        if isinstance(value, dict):
            stack += [(f"{name}/{key}" if name else key, child) for key, child in reversed(value.items())]
        elif isinstance(value, _Array | list):
            shape, chunks = (value.shape, [value]) if isinstance(value, _Array) else (value[0], value[1:])
            dtype = chunks[0].dtype
            if dtype in DTYPE_NAMES:
                entries.add(name or "array", dtype, shape, partial(_read, path, dtype, shape, chunks))
            else:
                notes.left_out(name, f"dtype {shown(dtype)} is not read")
        elif "/" not in name and value is not None and len(metadata) < _METADATA_ENTRIES:
            metadata[name or "value"] = str(value)
    return TensorFile(path, "flax", metadata, entries.tensors, notes.lines())


def _read(path: Path, dtype: str, shape: tuple[int, ...], chunks: list[_Array]) -> NDArray[Any]:
    if len(chunks) == 1:
        return read_numbers(path, chunks[0].offset, dtype, shape)
    parts = [read_numbers(path, chunk.offset, dtype, (math.prod(chunk.shape),)) for chunk in chunks]
    return np.concatenate(parts).reshape(shape)
