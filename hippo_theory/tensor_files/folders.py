"""The files of tensors in a folder, in an order that depends on nothing but their names."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from hippo_theory.errors import TensorFileError
from hippo_theory.tensor_files.entries import MAX_DEPTH, one_error, refusal
from hippo_theory.tensor_files.opening import CONVERSIONS, SUFFIXES, folder_kind, recognized
from hippo_theory.tensor_files.sharded import INDEX_SUFFIXES, shards_of, stays_inside

__all__ = ["find_tensor_files"]

# Beyond this a folder is no collection of models but somebody's disk.
MAX_FILES = 200_000


def find_tensor_files(path: str | os.PathLike[str]) -> Iterator[Path | tuple[Path, TensorFileError]]:
    """The files below a folder that `open_tensors` can be asked to open; a file is yielded as it is.

    Files are known by their suffix; one without a suffix by its first bytes. Folders are visited in the order of their
    names, files before folders. A sharded model is its index; its shards are not yielded again. Symbolic links to
    folders are not followed, nor are links to files outside; a link to another file of the folder is passed over.
    What is seen to be unreadable (formats that are not read, links that lead out, an index that names files elsewhere)
    is yielded with its error, so that nothing is passed over in silence. A Hugging Face folder is such a folder: of a
    download in the hub's cache, the links into the cache's own store are followed.

    Parameters
    ----------
    path : path
        A folder or a file.

    Yields
    ------
    Path or (Path, TensorFileError)
        A file to open, or what cannot be opened and why.

    Raises
    ------
    TensorFileError
        If there is nothing at `path`, or more than 200,000 files below it.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder) / "b.npy", np.zeros(3))
    ...     np.savez(Path(folder) / "a.npz", A=np.eye(2))
    ...     [found.name for found in find_tensor_files(folder)]
    ['a.npz', 'b.npy']
    """
    root = Path(path)
    with one_error(root):
        is_folder = stat.S_ISDIR(root.stat().st_mode)
    if not is_folder:
        yield root
        return
    yield from _below(root, root, 0, [0])


def _below(root: Path, folder: Path, depth: int, count: list[int]) -> Iterator[Path | tuple[Path, TensorFileError]]:
    if kind := folder_kind(folder):
        yield folder, kind
        return
    if depth > MAX_DEPTH:
        yield folder, refusal(folder, f"lies more than {MAX_DEPTH} folders deep; name it itself")
        return
    try:
        with one_error(folder), os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except TensorFileError as error:
        yield folder, error
        return
    count[0] += len(entries)
    if count[0] > MAX_FILES:
        raise refusal(root, f"holds more than {MAX_FILES} files; name a folder within it")
    folders: list[Path] = []
    files: list[Path] = []
    for entry in entries:
        (folders if entry.is_dir(follow_symlinks=False) else files).append(Path(entry.path))
    covered: set[Path] = set()
    found: list[Path | tuple[Path, TensorFileError]] = []
    for file in files:
        candidate = _candidate(root, file)
        if candidate is not None:
            found.append(candidate)
        if candidate == file and file.name.endswith(INDEX_SUFFIXES):
            covered |= set(shards_of(file))
    yield from (item for item in found if item not in covered)
    for below in folders:
        yield from _below(root, below, depth + 1, count)


def _candidate(root: Path, file: Path) -> Path | tuple[Path, TensorFileError] | None:
    """The file, the file with its error, or None if it is not of tensors or is yielded elsewhere."""
    is_index = file.name.endswith(INDEX_SUFFIXES)
    if not is_index and file.suffix and file.suffix not in SUFFIXES and file.suffix not in CONVERSIONS:
        return None
    try:
        with one_error(file):
            if file.is_symlink():
                if not file.exists() or not file.is_file():
                    return None  # dangling, in a loop, or a folder
                if not stays_inside(file, root):
                    raise refusal(file, "is a link that leads out of the folder; name the file that it leads to")
                if file.resolve().is_relative_to(root.resolve()):
                    return None
            if not file.is_file():
                return None
            if not file.suffix:
                return file if recognized(file) not in (None, "gguf") else None
            if file.suffix in CONVERSIONS:
                kind, way_out = CONVERSIONS[file.suffix]
                raise refusal(file, f"is {kind}, which is not read; {way_out}")
            if is_index:
                shards_of(file)
    except TensorFileError as error:
        return file, error
    return file
