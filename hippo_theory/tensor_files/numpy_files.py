"""NumPy's .npy and .npz, without pickled objects."""

from __future__ import annotations

import math
import warnings
import zipfile
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from hippo_theory.tensor_files.archives import Archive, unpacked
from hippo_theory.tensor_files.entries import (
    DTYPE_NAMES,
    EntryList,
    Notes,
    TensorFile,
    check_shape,
    read_bytes,
    refusal,
    shown,
)

__all__ = ["open_npy", "open_npz"]

_HEADER_READERS = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}


class _Header:
    """Of one array: its type, shape and order, and where its numbers start."""

    def __init__(self, path: Path, name: str, stream: IO[bytes]) -> None:
        version = npy_format.read_magic(stream)
        if version not in _HEADER_READERS:
            raise refusal(
                path, f"array {shown(name)} is of npy version {version}, which only records need; save numbers"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about how Python 2, or a damaged file, spells the header
            shape, self.fortran_order, self.dtype = _HEADER_READERS[version](stream)
        if self.dtype.hasobject:
            raise refusal(
                path,
                f"would execute code on loading: array {shown(name)} holds pickled objects; save plain numbers "
                "(dtype float64, not object)",
            )
        self.shape = check_shape(path, name, shape)
        self.start = stream.tell()
        self.nbytes = math.prod(self.shape) * self.dtype.itemsize

    @property
    def why_not(self) -> str | None:
        """Why this is no tensor, or None."""
        if self.dtype.kind == "V" and self.dtype.names is None:
            return (
                f"dtype {shown(self.dtype.str)} has no numbers: .npy cannot name bfloat16 or float8, .safetensors can"
            )
        return None if self.dtype.name in DTYPE_NAMES else f"dtype {shown(self.dtype)} is not read"

    def array(self, raw: NDArray[np.uint8]) -> NDArray[Any]:
        """The array that the bytes hold, in native byte order."""
        numbers = (raw != 0) if self.dtype.kind == "b" else np.require(raw.view(self.dtype), requirements="A")
        shaped = numbers.reshape(self.shape, order="F" if self.fortran_order else "C")
        return shaped.astype(self.dtype.newbyteorder("="), copy=False)


def open_npy(path: Path) -> TensorFile:
    """One array, under the name "array"."""
    entries, notes = EntryList(path), Notes()
    with path.open("rb") as file:
        header = _Header(path, "array", file)
        size = file.seek(0, 2)
    if header.start + header.nbytes > size:
        raise refusal(path, f"needs {header.start + header.nbytes} bytes for its shape, has {size}: cut off or damaged")
    if header.why_not:
        notes.left_out("array", header.why_not)
    else:
        entries.add("array", header.dtype.name, header.shape, partial(_read_npy, path, header))
    return TensorFile(path, "npy", {}, entries.tensors, notes.lines())


def _read_npy(path: Path, header: _Header) -> NDArray[Any]:
    return header.array(read_bytes(path, header.start, header.nbytes))


def open_npz(path: Path) -> TensorFile:
    """The arrays of an archive, each under the name of its member without `.npy`."""
    entries, notes = EntryList(path), Notes()
    with Archive(path) as archive:
        for member, info in archive.members.items():
            name = member.removesuffix(".npy")
            if name == member:
                notes.left_out(member, "no .npy member")
                continue
            with archive.open(member) as stream:
                header = _Header(path, name, stream)
            if header.start + header.nbytes > info.file_size:
                raise refusal(path, f"array {shown(name)} needs more bytes than its member has: cut off or damaged")
            if header.why_not:
                notes.left_out(name, header.why_not)
            else:
                entries.add(name, header.dtype.name, header.shape, partial(_read_member, path, info, header))
    return TensorFile(path, "npz", {}, entries.tensors, notes.lines())


def _read_member(path: Path, info: zipfile.ZipInfo, header: _Header) -> NDArray[Any]:
    return header.array(unpacked(path, info)[header.start : header.start + header.nbytes])
