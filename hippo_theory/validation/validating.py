"""`validate`: files, folders and arrays in, findings out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.errors import InputError, MissingDependencyError
from hippo_theory.tensor_files import TensorFile, find_tensor_files, open_tensors, shown
from hippo_theory.validation.findings import FileResult, Finding, Validation
from hippo_theory.validation.judgement import judge
from hippo_theory.validation.layouts import StoredTensor
from hippo_theory.validation.reading import layers, read_layer
from hippo_theory.validation.unnamed import unnamed_findings

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

__all__ = ["judge_tensors", "stored_arrays", "stored_file", "validate"]

Array = NDArray[Any]
Progress = Callable[[str], None]


def validate(
    source: str | os.PathLike[str] | Mapping[str, Any] | Sequence[str | os.PathLike[str]],
    *,
    progress: Progress | None = None,
) -> Validation:
    """What the initializations in checkpoints or arrays are, in whose convention, and how far from exact.

    Parameters
    ----------
    source : path, sequence of paths, or mapping of str to array
        Files or folders of any format of `hippo_theory.tensor_files`; or arrays by name (NumPy, PyTorch, JAX).
    progress : callable, optional
        Called with the name of each layer before it is judged.

    Returns
    -------
    Validation
        One `FileResult` for each file, with one `Finding` for each initialization in it: ``identified``, ``verdict``
        (exact, rounding, known-deviation, random, trained, unknown, deviates), the parts, and why.

    Raises
    ------
    InputError
        If a path does not exist, or something is no array. A file that cannot be read has its `error` in the result.

    Notes
    -----
    Nothing is assumed from the name of a file. Tensors are compared by what does not depend on the order of the states, the
    phases of the eigenvectors, or which half of the conjugate pairs is stored: the eigenvalues, abs(V* B), V* P relative
    to V* B. ``exact`` is within one unit in the last place of what is stored; ``rounding`` within the computed bound of a
    backward stable computation (`hippo_theory.validation.matching`).

    Examples
    --------
    >>> import hippo_theory as ht
    >>> lin = ht.initialization("s4d-lin", 64)
    >>> result = ht.validate({"Lambda": lin.Lambda, "B": lin.B})
    >>> result.files[0].findings[0].identified, result.verdict
    ('s4d-lin', 'exact')
    >>> result = ht.validate({"Lambda": 2 * lin.Lambda, "B": lin.B})
    >>> print(result.files[0].findings[0].reason)
    Lambda: another time scale: Lambda is 2 times the expected; divide by it
    """
    if isinstance(source, Mapping):
        return Validation((FileResult("arrays", _judged(stored_arrays(source), progress)),))
    paths = [source] if isinstance(source, str | os.PathLike) else list(source)
    if not paths:
        raise InputError("`source` is empty; give a file, a folder, or arrays by name")
    results = []
    for path in paths:
        given = Path(path)
        if not given.exists():
            raise InputError(f"{shown(str(given))} does not exist; give a file or a folder")
        for found in find_tensor_files(given) if given.is_dir() else [given]:
            results.append(_validated(found, progress))
    return Validation(tuple(results))


def _validated(found: Any, progress: Progress | None) -> FileResult:
    """One file: its findings, or why it could not be read."""
    if isinstance(found, tuple):
        path, error = found
        return FileResult(shown(str(path)), error=str(error))
    try:
        file = open_tensors(found)
        return FileResult(shown(str(found)), _judged(stored_file(file), progress))
    except (InputError, MissingDependencyError) as error:
        return FileResult(shown(str(found)), error=str(error))


def _judged(tensors: Mapping[str, StoredTensor], progress: Progress | None) -> tuple[Finding, ...]:
    """All findings; what overflows on the way is judged as what it becomes, and nobody needs a warning of it.

    With one thread of BLAS: matrices are small and many, and threads that wait for each other cost more than they bring.
    """
    with np.errstate(all="ignore"), _linear_algebra().limit(limits=1, user_api="blas"):
        return tuple(judge_tensors(tensors, progress))


@lru_cache(maxsize=1)
def _linear_algebra() -> ThreadpoolController:
    """The BLAS libraries that are loaded; finding them takes milliseconds, so once."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def judge_tensors(tensors: Mapping[str, StoredTensor], progress: Progress | None = None) -> Iterator[Finding]:
    """The findings of a set of tensors, layer by layer; last those under unknown names."""
    unnamed = []
    for prefix, group in layers(tensors).items():
        named = False
        for parameters in read_layer(prefix, group):
            named = True
            if progress is not None:
                progress(parameters.prefix)
            yield from judge(parameters)
        if not named:
            unnamed.append((prefix, group))
    yield from unnamed_findings(unnamed)


def stored_file(file: TensorFile) -> dict[str, StoredTensor]:
    """The tensors of an opened file, each read when it is asked for."""
    return {name: StoredTensor(name, entry.dtype, entry.shape, _reader(entry)) for name, entry in file.tensors.items()}


def _reader(entry: Any) -> Callable[[], Array]:
    def read() -> Array:
        values = entry.read()
        # bfloat16 and float8 are extension types: what follows computes in float64 anyway.
        return np.asarray(values if values.dtype.kind in "fcbiu" else values.astype(np.float32))

    return read


def _holder(values: Array) -> Callable[[], Array]:
    return lambda: values


def stored_arrays(arrays: Mapping[str, Any]) -> dict[str, StoredTensor]:
    """Arrays of any library as tensors; bfloat16 of PyTorch keeps its name."""
    stored = {}
    for name, array in arrays.items():
        values, dtype = _as_numpy(name, array)
        stored[str(name)] = StoredTensor(str(name), dtype, values.shape, _holder(values))
    return stored


def _as_numpy(name: str, array: Any) -> tuple[Array, str]:
    if isinstance(array, np.ma.MaskedArray):
        raise InputError(
            f"`{shown(str(name))}` is a masked array, whose hidden numbers would be read; give `.filled(..)` of it"
        )
    if hasattr(array, "detach"):  # PyTorch: no import of it is needed to leave it
        array = array.detach()
        dtype = str(array.dtype).removeprefix("torch.")
        try:
            array = array.cpu().resolve_conj().resolve_neg()
            values = array.float().numpy() if dtype == "bfloat16" else array.numpy()
        except (TypeError, RuntimeError, NotImplementedError) as error:  # sparse, quantized, without storage
            kind = f"a tensor of {dtype}, {str(getattr(array, 'layout', '')).removeprefix('torch.')}"
            raise InputError(
                f"`{shown(str(name))}`, {kind}, cannot become a NumPy array; give a dense one of float32"
            ) from error
        return values, dtype
    try:
        values = np.asarray(array)
    except ValueError as error:  # nested lists of several lengths
        raise InputError(f"`{shown(str(name))}` is no array: {error}") from error
    if values.dtype.names is not None or values.dtype.kind not in "fcbiuV":
        raise InputError(f"`{shown(str(name))}` must be an array of numbers, got {type(array).__name__}")
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    dtype = str(values.dtype)
    if values.dtype.kind != "V":
        return values, dtype
    try:
        return values.astype(np.float32), dtype  # extension types: bfloat16, float8
    except ValueError as error:
        raise InputError(f"`{shown(str(name))}` holds raw bytes ({dtype}); view them as an array of numbers") from error
