"""Write arrays into a file that other tools read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hippo_theory.errors import InputError, MissingDependencyError
from hippo_theory.tensor_files.entries import DTYPE_NAMES, shown

__all__ = ["SUFFIXES", "check_writable", "replacing", "write_tensors"]


def write_tensors(path: str | os.PathLike[str], arrays: Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    """Write arrays of numbers to a .npz or .safetensors file, which appears when it is complete.

    Safetensors has no complex128: there complex numbers are trailing pairs of reals, (..., 2), as
    `torch.view_as_complex` takes them.

    Parameters
    ----------
    path : path
        Ends in .npz or .safetensors. A file that is there is replaced.
    arrays : mapping of str to array
        Numbers or booleans of any shape.

    Returns
    -------
    dict of str to ndarray
        What was written: complex arrays as pairs where the format needs it.

    Raises
    ------
    InputError
        If the suffix is another one, or an array holds no numbers.
    MissingDependencyError
        If .safetensors is asked for and safetensors is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from hippo_theory.tensor_files import open_tensors
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_tensors(Path(folder) / "x.npz", {"Lambda": np.array([-0.5 + 1j])})
    ...     open_tensors(Path(folder) / "x.npz").tensors["Lambda"].read()
    array([-0.5+1.j])
    """
    file = Path(path)
    write = check_writable(file)
    numbers = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in numbers.items():
        if array.dtype.name not in DTYPE_NAMES:
            raise InputError(
                f"`arrays` must hold numbers, got dtype {array.dtype} under {shown(name)!r}; convert it to float64 first"
            )
    return write(file, numbers)


def check_writable(path: Path) -> Callable[[Path, dict[str, NDArray[Any]]], dict[str, NDArray[Any]]]:
    """How files of this suffix are written; raises as `write_tensors` does, before anything has been computed."""
    if path.suffix not in _WRITERS:
        raise InputError(f"`path` must end in {' or '.join(_WRITERS)}, got {shown(path)}")
    if path.suffix == ".safetensors":
        try:
            import safetensors  # noqa: F401
        except ImportError as error:
            raise MissingDependencyError(
                '.safetensors files need safetensors: pip install "hippo_theory[files]"; or write FILE.npz'
            ) from error
    return _WRITERS[path.suffix]


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when it is complete; an interrupted one leaves nothing behind."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            yield file
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _write_npz(path: Path, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    with replacing(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    return arrays


def _write_safetensors(path: Path, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    from safetensors.numpy import save

    pairs = {
        name: np.asarray(np.stack([array.real, array.imag], axis=-1) if np.iscomplexobj(array) else array, order="C")
        for name, array in arrays.items()
    }
    with replacing(path) as file:
        file.write(save(pairs))
    return pairs


_WRITERS = {".npz": _write_npz, ".safetensors": _write_safetensors}
SUFFIXES = tuple(_WRITERS)
