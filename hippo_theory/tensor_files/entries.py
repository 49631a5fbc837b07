"""What a file of tensors is once opened, the limits that every format keeps, and how names get into messages."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.errors import MissingDependencyError, TensorFileError

__all__ = ["TensorEntry", "TensorFile", "shown"]

# Mixtures of experts with their optimizer's moments hold about 100,000 tensors. A million would need over a gigabyte of
# Python objects before the first number is read.
MAX_TENSORS = 250_000
# Headers, indices and directories of 250,000 tensors stay below 32 MiB; the worst JSON of that size (empty lists) takes 0.9 GB.
MAX_HEADER_BYTES = 32 * 2**20
# The longest parameter names of public models have about 150 characters.
MAX_NAME_LENGTH = 1024
# As many axes as a NumPy array can have.
MAX_DIMENSIONS = 64
# Nested state dicts of public checkpoints are at most about ten deep.
MAX_DEPTH = 64
# Zeros deflate by a factor of up to 1032, so what unpacks to less than this is no danger; beyond it, a ratio of 100 is
# more than weights ever reach.
SMALL_BYTES = 256 * 2**20
MAX_RATIO = 100
# Notes on tensors left out; those beyond are counted only.
MAX_NOTES = 20
# How much of a name or of a library's message is shown.
SHOWN_LENGTH = 200

_NUMPY_NAMES = {
    "bool",
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
    *("float16", "float32", "float64", "complex64", "complex128"),
}
_FLOAT8_NAMES = {
    f"float8_{kind}" for kind in ("e3m4", "e4m3", "e4m3b11fnuz", "e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz", "e8m0fnu")
}
DTYPE_NAMES = frozenset({*_NUMPY_NAMES, "bfloat16", *_FLOAT8_NAMES})


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One tensor of a file, not read yet.

    Attributes
    ----------
    name : str
        As the file spells it; keys of nested dictionaries joined by dots (PyTorch) or slashes (Flax, HDF5). It may hold
        control characters or markup: pass it through `shown` before printing it.
    dtype : str
        Name of the number type as stored: "float32", "bfloat16", "float8_e4m3fn", "complex64", "int64", "bool", ...
    shape : tuple of int
        Lengths of the axes; () for a single number.
    path : Path
        The file that holds it: of a sharded model the shard.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    path: Path
    _load: Callable[[], NDArray[Any]] = field(repr=False, compare=False)

    @property
    def nbytes(self) -> int:
        """Bytes that `read` returns."""
        return math.prod(self.shape) * numpy_dtype(self.dtype).itemsize

    def read(self) -> NDArray[Any]:
        """The numbers as stored, bit for bit, in native byte order; no more is read from the file than these.

        Raises
        ------
        TensorFileError
            If the file is damaged here, or has changed since it was opened.
        MissingDependencyError
            If the number type (bfloat16, float8) needs ml-dtypes and it is absent.
        """
        with one_error(self.path):
            return self._load()


@dataclass(frozen=True)
class TensorFile:
    """A file of tensors, or a sharded model, of which the names and shapes are known and nothing else is read yet.

    Attributes
    ----------
    path : Path
        The file; of a sharded model its index.
    format : str
        "npy", "npz", "safetensors", "pytorch", "flax", "hdf5" or "keras", decided by the content.
    metadata : mapping of str to str
        What the file says beside its tensors.
    tensors : mapping of str to TensorEntry
        In the order of the file.
    notes : tuple of str
        What a reader of the file should know: tensors left out, a suffix that says another format. Safe to print.
    """

    path: Path
    format: str
    metadata: Mapping[str, str]
    tensors: Mapping[str, TensorEntry]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))
        object.__setattr__(self, "tensors", MappingProxyType(dict(self.tensors)))


class Notes:
    """Collects notes, and counts those that are too many to keep."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._more = 0

    def left_out(self, name: str, why: str) -> None:
        """Note a tensor that is not listed."""
        if len(self._lines) < MAX_NOTES:
            self._lines.append(f"left out: {shown(name)} ({why})")
        else:
            self._more += 1

    def lines(self) -> tuple[str, ...]:
        """All notes, each safe to print."""
        return (*self._lines, *([f"left out: {self._more} more"] if self._more else []))


class EntryList:
    """Entries under names that are made unique, within the limits on their number and length."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tensors: dict[str, TensorEntry] = {}

    def add(self, name: str, dtype: str, shape: tuple[int, ...], load: Callable[[], NDArray[Any]]) -> None:
        """Add one; a name that is there already (a dotted key beside a nested one) gets `#2`, `#3`, ..."""
        check_name(self.path, name)
        unique, count = name, 1
        while unique in self.tensors:
            count += 1
            unique = f"{name}#{count}"
        check_count(self.path, len(self.tensors) + 1)
        self.tensors[unique] = TensorEntry(unique, dtype, shape, self.path, load)


def shown(text: object, length: int = SHOWN_LENGTH) -> str:
    r"""The text with whatever is not printable (control characters, text direction marks) escaped, and cut.

    >>> shown("A\x1b[31m\n\u202eB")
    'A\\x1b[31m\\n\\u202eB'
    """
    line = os.fspath(text) if isinstance(text, os.PathLike) else str(text)
    cut = line if len(line) <= length else f"{line[:length]}..."
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode() for letter in cut
    )


def refusal(path: Path, why: str) -> TensorFileError:
    """The error of this file, with its path made safe."""
    return TensorFileError(f"{shown(path, 4 * SHOWN_LENGTH)}: {why}")


@contextmanager
def one_error(path: Path) -> Iterator[None]:
    """Turn what a library raises on a damaged file into one `TensorFileError`."""
    try:
        yield
    except (TensorFileError, MissingDependencyError):
        raise
    except FileNotFoundError as error:
        raise refusal(path, "there is no such file") from error
    except PermissionError as error:
        raise refusal(path, "may not be read; see its permissions") from error
    except MemoryError as error:
        raise refusal(path, "needs more memory than there is") from error
    except Exception as error:  # libraries raise anything on bytes that they did not write
        why = f"{type(error).__name__}: {shown(error)}"
        raise refusal(path, f"damaged, or not of the format it seems to be ({why})") from error


def check_name(path: Path, name: str) -> None:
    """Refuse a name that is too long to be one."""
    if len(name) > MAX_NAME_LENGTH:
        raise refusal(path, f"a tensor's name has {len(name)} characters; at most {MAX_NAME_LENGTH} are read")


def check_count(path: Path, count: int) -> None:
    """Refuse more tensors than any model has."""
    if count > MAX_TENSORS:
        raise refusal(path, f"holds more than {MAX_TENSORS} tensors; split the file")


def check_shape(path: Path, name: str, shape: Any) -> tuple[int, ...]:
    """The shape as a tuple, if NumPy can hold it."""
    if not isinstance(shape, list | tuple) or not all(type(length) is int and length >= 0 for length in shape):
        raise refusal(path, f"tensor {shown(name)} has the shape {shown(shape)}; lengths are whole numbers from 0 up")
    # NumPy leaves out zeros as well when it asks whether a shape can be addressed.
    if len(shape) > MAX_DIMENSIONS or math.prod(length for length in shape if length) >= 2**58:
        raise refusal(path, f"tensor {shown(name)} has the shape {shown(shape)}, which no array can have")
    return tuple(shape)


def check_ratio(path: Path, name: str, unpacked: int, packed: int) -> None:
    """Refuse what unpacks to far more than it takes in the file."""
    if unpacked > SMALL_BYTES and unpacked > MAX_RATIO * packed:
        raise refusal(
            path,
            f"{shown(name)} would unpack from {packed} to {unpacked} bytes, as decompression bombs do; "
            "if it is meant so, save it uncompressed",
        )


def numpy_dtype(name: str) -> np.dtype[Any]:
    """The NumPy type of a name of `DTYPE_NAMES`."""
    if name in _NUMPY_NAMES:
        return np.dtype(name)
    try:
        import ml_dtypes
    except ImportError as error:
        raise MissingDependencyError(f'tensors of {name} need ml-dtypes: pip install "hippo_theory[files]"') from error
    dtype: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return dtype


def item_bytes(name: str) -> int:
    """Bytes of one number, without loading the library that computes with it."""
    return np.dtype(name).itemsize if name in _NUMPY_NAMES else 2 if name == "bfloat16" else 1


def array_from_bytes(raw: NDArray[np.uint8], dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """The numbers that the bytes hold, in C order; whatever byte stands for True becomes 1."""
    if dtype == "bool":
        return np.asarray(raw != 0).reshape(shape)
    return np.asarray(raw.view(numpy_dtype(dtype))).reshape(shape)


def read_bytes(path: Path, offset: int, count: int) -> NDArray[np.uint8]:
    """The `count` bytes of a file from `offset` on; copied, so that a file which shrinks cannot crash the process."""
    raw = np.empty(count, np.uint8)
    with path.open("rb") as file:
        file.seek(offset)
        if file.readinto(raw.data) != count:
            raise refusal(path, "is shorter than when it was opened")
    return raw


def read_numbers(path: Path, offset: int, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """The tensor that lies in a file at `offset`, little-endian and in C order."""
    raw = read_bytes(path, offset, math.prod(shape) * item_bytes(dtype))
    return array_from_bytes(raw, dtype, shape)
