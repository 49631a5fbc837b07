"""Open a file of tensors by what it holds, whatever it is called."""

from __future__ import annotations

import mmap
import os
import pickle
import stat
from collections.abc import Callable
from pathlib import Path

from hippo_theory.errors import TensorFileError
from hippo_theory.tensor_files.archives import Archive
from hippo_theory.tensor_files.entries import TensorFile, one_error, refusal, shown
from hippo_theory.tensor_files.flax_files import open_flax
from hippo_theory.tensor_files.hdf5_files import KERAS_WEIGHTS, open_hdf5, open_keras
from hippo_theory.tensor_files.numpy_files import open_npy, open_npz
from hippo_theory.tensor_files.pytorch_files import LEGACY_MAGIC, globals_of_pickle, open_pytorch, open_pytorch_legacy
from hippo_theory.tensor_files.safetensors_files import open_safetensors
from hippo_theory.tensor_files.sharded import INDEX_SUFFIXES, open_sharded

__all__ = ["SUFFIXES", "folder_kind", "open_tensors", "recognized"]

# Suffix -> the formats that it usually stands for.
SUFFIXES = {
    ".npy": ("npy",),
    ".npz": ("npz",),
    ".safetensors": ("safetensors",),
    ".pt": ("pytorch",),
    ".pth": ("pytorch",),
    ".bin": ("pytorch",),
    ".ckpt": ("pytorch",),
    ".msgpack": ("flax",),
    ".flax": ("flax",),
    ".h5": ("hdf5",),
    ".hdf5": ("hdf5",),
    ".keras": ("keras",),
}

# How to convert what is not read. Suffix -> (name, way out).
CONVERSIONS = {
    ".onnx": ("ONNX", "save {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer} with numpy.savez"),
    ".gguf": (
        "GGUF",
        "save the tensors that gguf.GGUFReader lists with numpy.savez; better, the model it was made from",
    ),
    ".pkl": ("a pickle", "load it where it was made and save its arrays with numpy.savez or safetensors"),
    ".pb": ("a TensorFlow graph", "load it with TensorFlow and save the variables with numpy.savez"),
    ".distcp": (
        "a part of a PyTorch distributed checkpoint",
        "convert its folder by torch.distributed.checkpoint.format_utils.dcp_to_torch_save",
    ),
    ".tflite": ("TensorFlow Lite", "save the weights of the model that it was made from with numpy.savez"),
    ".mlmodel": ("Core ML", "save the weights of the model that it was made from with numpy.savez"),
}
CONVERSIONS[".pickle"] = CONVERSIONS[".pkl"]

# Files that mark a whole folder as one checkpoint of a format that is not read.
_FOLDER_MARKS = {
    "saved_model.pb": ("a TensorFlow SavedModel", "load it with TensorFlow and save the variables with numpy.savez"),
    "_CHECKPOINT_METADATA": ("an Orbax checkpoint", "restore it with Orbax and save flax.serialization.to_bytes(tree)"),
    "_METADATA": ("an Orbax checkpoint", "restore it with Orbax and save flax.serialization.to_bytes(tree)"),
    "manifest.ocdbt": ("an Orbax checkpoint", "restore it with Orbax and save flax.serialization.to_bytes(tree)"),
    ".zgroup": ("a zarr store", "open it with zarr and save its arrays with numpy.savez"),
    ".zarray": ("a zarr store", "open it with zarr and save its arrays with numpy.savez"),
    "zarr.json": ("a zarr store", "open it with zarr and save its arrays with numpy.savez"),
}

_HEAD_BYTES = 512
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def open_tensors(path: str | os.PathLike[str]) -> TensorFile:
    """Open a file of tensors, or the index of a sharded model: names, types and shapes; the numbers stay where they are.

    No file is ever executed: pickled objects, and PyTorch files that need more than tensors, are refused. Sizes are
    compared with the size of the file before memory is asked for. HDF5 is read in a child process with limits.

    Parameters
    ----------
    path : path
        .npy, .npz, .safetensors, PyTorch (.pt, .pth, .bin, .ckpt; needs torch 2.6), Flax msgpack, HDF5 or .keras (need
        h5py), or the .index.json of a model sharded over several files. The content decides, not the suffix.

    Returns
    -------
    TensorFile
        Its `tensors` map names to `TensorEntry`, whose `read()` returns the numbers as stored, bit for bit.

    Raises
    ------
    TensorFileError
        If the file is absent, damaged, of a format that is not read, or would execute code on loading.
    MissingDependencyError
        If a library is needed that is not installed; the message says which.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "system.npz"
    ...     np.savez(path, A=-np.eye(2), B=np.ones(2, np.float32))
    ...     file = open_tensors(path)
    ...     print(file.format, [(entry.name, entry.dtype, entry.shape) for entry in file.tensors.values()])
    ...     print(file.tensors["B"].read())
    npz [('A', 'float64', (2, 2)), ('B', 'float32', (2,))]
    [1. 1.]
    """
    file = Path(path)
    with one_error(file):
        _check_regular(file)
        if file.name.endswith(INDEX_SUFFIXES):
            return open_sharded(file, _open_one)
        return _open_one(file)


def recognized(path: Path) -> str | None:
    """The format that the first bytes of a file tell for certain, or None."""
    with path.open("rb") as file:
        return _magic(file.read(_HEAD_BYTES), path)


def folder_kind(path: Path) -> TensorFileError | None:
    """The refusal of a folder that is, as a whole, a checkpoint of a format that is not read."""
    for mark, (kind, way_out) in _FOLDER_MARKS.items():
        if (path / mark).exists():
            return refusal(path, f"is {kind}, which is not read; {way_out}")
    return None


def _check_regular(path: Path) -> None:
    # Opening a pipe would wait for a writer, a device may never end.
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise folder_kind(path) or refusal(path, "is a folder; name a file in it, or list them by `find_tensor_files`")
    if not stat.S_ISREG(mode):
        raise refusal(path, "is no regular file")


def _magic(head: bytes, path: Path) -> str | None:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if head.startswith(LEGACY_MAGIC):
        return "pytorch_legacy"
    if head.startswith(b"GGUF"):
        return "gguf"
    if head.startswith(_HDF5_MAGIC) or head[512 - len(_HDF5_MAGIC) :] == _HDF5_MAGIC:
        return "hdf5"
    if len(head) > 8 and head[8:9] == b"{" and 0 < int.from_bytes(head[:8], "little") <= path.stat().st_size - 8:
        return "safetensors"
    return None


def _open_one(path: Path) -> TensorFile:
    with one_error(path):
        _check_regular(path)
        if path.suffix in CONVERSIONS:
            kind, way_out = CONVERSIONS[path.suffix]
            raise refusal(path, f"is {kind}, which is not read; {way_out}")
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        found = _magic(head, path)
        if found == "zip":
            return _told(_open_zip(path))
        if found in _BY_MAGIC:
            return _told(_BY_MAGIC[found](path))
        _refuse_unless_flax(path, head, found)
        return _told(open_flax(path))


def _refuse_unless_flax(path: Path, head: bytes, kind: str | None) -> None:
    # Say what a file is that no magic number fits; return if it can be Flax's msgpack, which has none.
    if not head:
        raise refusal(path, "is empty")
    if kind == "gguf":
        raise refusal(path, f"is GGUF, which is not read; {CONVERSIONS['.gguf'][1]}")
    if (
        head[0] == 0x80
        and len(head) > 1
        and head[1] <= pickle.HIGHEST_PROTOCOL
        and path.suffix not in (".msgpack", ".flax")
    ):
        raise refusal(path, f"would execute code on loading: it is a pickle{_calls(path)}; {CONVERSIONS['.pkl'][1]}")
    if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ")) or head[257:262] == b"ustar":
        raise refusal(path, "is a packed archive; unpack it first")
    is_map = 0x80 <= head[0] <= 0x8F or head[0] in (0xDE, 0xDF)
    if not is_map or (path.suffix in SUFFIXES and path.suffix not in (".msgpack", ".flax")):
        expected = SUFFIXES.get(path.suffix)
        named = f", though named as {expected[0]} is" if expected else ""
        raise refusal(
            path,
            f"its first bytes are of no format that is read{named}; formats: npy, npz, safetensors, PyTorch, "
            "Flax msgpack, HDF5, Keras",
        )


def _calls(path: Path) -> str:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            names = globals_of_pickle(path, data)
    except Exception:  # damaged as well; it is refused all the same
        return ""
    return f" that calls {shown(', '.join(sorted(names)))}" if names else ""


def _open_zip(path: Path) -> TensorFile:
    with Archive(path) as archive:
        names = archive.members
        if KERAS_WEIGHTS in names:
            return open_keras(path, archive)
        last = {name.rsplit("/", 1)[-1] for name in names}
        if "constants.pkl" in last:
            raise refusal(path, "is a TorchScript program; torch.save(torch.jit.load(PATH).state_dict(), NEW_PATH)")
        if "data.pkl" in last:
            return open_pytorch(path, archive)
        if names and not any(name.endswith(".npy") for name in names):
            raise refusal(path, "is a zip archive of neither NumPy, PyTorch nor Keras; unpack it first")
    return open_npz(path)


_BY_MAGIC: dict[str | None, Callable[[Path], TensorFile]] = {
    "npy": open_npy,
    "hdf5": open_hdf5,
    "safetensors": open_safetensors,
    "pytorch_legacy": open_pytorch_legacy,
}


def _told(file: TensorFile) -> TensorFile:
    """The file with a note if its suffix stands for another format."""
    usual = SUFFIXES.get(file.path.suffix)
    if usual is None or file.format in usual:
        return file
    note = f"named {shown(file.path.suffix)} but holds {file.format}"
    return TensorFile(file.path, file.format, file.metadata, file.tensors, (note, *file.notes))
