"""Files of tensors written by the libraries of their formats, ways to damage them, and the check that each must pass.

Run as a script it damages files of some formats in a process with limits, and prints what came out as JSON.
"""

from __future__ import annotations

import io
import json
import random
import re
import resource
import struct
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import msgpack
import numpy as np

from hippo_theory.errors import TensorFileError
from hippo_theory.tensor_files import open_tensors

GIBIBYTE = 2**30


# --- tensors -----------------------------------------------------------------------------------------------------------


def sample_tensors() -> dict[str, np.ndarray]:
    """One of each kind: shapes with and without numbers, every class of dtype, values that are not finite, odd names."""
    random_numbers = np.random.default_rng(0)
    return {
        "layers.0.A": random_numbers.standard_normal((3, 4)).astype(np.float32),
        "layers.0.B": np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324]),
        "C": (random_numbers.standard_normal((2, 2, 5)) + 1j * random_numbers.standard_normal((2, 2, 5))).astype(
            np.complex64
        ),
        "step": np.array(7, np.int64),
        "empty": np.zeros((0, 5), np.float16),
        "mask": np.array([[True, False, True]]),
        "bytes": np.arange(256, dtype=np.uint8),
        "half": np.arange(-3, 3, dtype=np.int16),
        "low": random_numbers.standard_normal((4, 3)).astype(ml_dtypes.bfloat16),
        "tiny": random_numbers.standard_normal(6).astype(ml_dtypes.float8_e4m3fn),
        "red\x1b[31m [bold]\n<b>": np.ones(2),
    }


# What every version of safetensors writes; complex numbers came later.
WITHOUT_COMPLEX = {name: array for name, array in sample_tensors().items() if array.dtype.kind != "c"}
# What .npz and HDF5 can name.
WITHOUT_ML_DTYPES = {name: array for name, array in sample_tensors().items() if name not in ("low", "tiny")}


# --- writers: format -> function that writes into a folder and returns the file to open and the tensors that it holds ----


def write_npy(folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    array = np.asfortranarray(sample_tensors()["layers.0.A"])
    np.save(folder / "x.npy", array)
    return folder / "x.npy", {"array": array}


def write_npz(folder: Path, *, compressed: bool = False) -> tuple[Path, dict[str, np.ndarray]]:
    save = np.savez_compressed if compressed else np.savez
    save(folder / "x.npz", **WITHOUT_ML_DTYPES)
    return folder / "x.npz", WITHOUT_ML_DTYPES


def write_safetensors(folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    from safetensors.numpy import save_file

    save_file(WITHOUT_COMPLEX, folder / "x.safetensors", metadata={"format": "pt"})
    return folder / "x.safetensors", WITHOUT_COMPLEX


def write_sharded(folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    from safetensors.numpy import save_file

    tensors, weight_map = WITHOUT_COMPLEX, {}
    for number in range(2):
        part = {name: array for place, (name, array) in enumerate(tensors.items()) if place % 2 == number}
        save_file(part, folder / f"model-{number}.safetensors")
        weight_map |= dict.fromkeys(part, f"model-{number}.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    return index, tensors


def torch_tensors() -> dict[str, Any]:
    import torch

    result = {}
    for name, array in sample_tensors().items():
        if name in ("low", "tiny"):
            dtype = {"low": torch.bfloat16, "tiny": torch.float8_e4m3fn}[name]
            raw = torch.from_numpy(array.view(np.uint8).reshape(-1).copy())
            result[name] = raw.view(dtype).reshape(array.shape)
        else:
            result[name] = torch.from_numpy(array.copy())
    return result


def write_pytorch(folder: Path, *, legacy: bool = False) -> tuple[Path, dict[str, np.ndarray]]:
    import torch

    tensors, expected = torch_tensors(), sample_tensors()
    if legacy:  # which knows no float8
        del tensors["tiny"], expected["tiny"]
    torch.save(tensors, folder / "x.pt", _use_new_zipfile_serialization=not legacy)
    return folder / "x.pt", expected


def packed_array(array: np.ndarray) -> msgpack.ExtType:
    """As flax.serialization packs one."""
    content = (array.shape, array.dtype.name, array.tobytes("C"))
    return msgpack.ExtType(1, msgpack.packb(content, use_bin_type=True))


def write_flax(folder: Path, *, chunked: bool = False) -> tuple[Path, dict[str, np.ndarray]]:
    tree: dict[str, Any] = {}
    for name, array in sample_tensors().items():
        tree[name] = packed_array(array)
        if chunked and array.size > 4:
            flat = array.reshape(-1)
            pieces = [flat[start : start + 4] for start in range(0, flat.size, 4)]
            tree[name] = {
                "__msgpack_chunked_array__": True,
                "shape": {str(axis): length for axis, length in enumerate(array.shape)},
                "chunks": {str(index): packed_array(piece) for index, piece in enumerate(pieces)},
            }
    scalar = msgpack.ExtType(3, packed_array(np.asarray(np.float32(0.5))).data)
    whole = {"epoch": 3, "params": {"layer": tree}, "scale": scalar, "names": ["a", None, 1.5]}
    (folder / "x.msgpack").write_bytes(msgpack.packb(whole, use_bin_type=True))
    expected = {f"params/layer/{name}": array for name, array in sample_tensors().items()}
    return folder / "x.msgpack", expected | {"scale": np.array(0.5, np.float32)}


def write_hdf5_into(target: Any) -> dict[str, np.ndarray]:
    import h5py

    expected = {}
    with h5py.File(target, "w") as file:
        for name, array in WITHOUT_ML_DTYPES.items():
            path = f"layers/{name}/vars/0"
            file.create_dataset(path, data=array, compression="gzip" if array.ndim and array.size else None)
            expected[path] = array
        low = sample_tensors()["low"]
        # HDF5 knows no bfloat16: Keras keeps two opaque bytes and the name beside them; others write a wider type.
        for path, stored in {"layers/low": low, "layers/wide": low.astype(np.float32)}.items():
            file.create_dataset(path, data=stored).attrs["dtype"] = "bfloat16"
            expected[path] = low
        file.create_dataset("texts", data=["a", "b"])
        file["alias"] = h5py.SoftLink("/layers/low")
    return expected


def write_hdf5(folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    return folder / "x.weights.h5", write_hdf5_into(folder / "x.weights.h5")


def write_keras(folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    buffer = io.BytesIO()
    expected = write_hdf5_into(buffer)
    with zipfile.ZipFile(folder / "x.keras", "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", buffer.getvalue())
    return folder / "x.keras", expected


WRITERS: dict[str, Callable[[Path], tuple[Path, dict[str, np.ndarray]]]] = {
    "npy": write_npy,
    "npz": write_npz,
    "npz deflated": lambda folder: write_npz(folder, compressed=True),
    "safetensors": write_safetensors,
    "safetensors sharded": write_sharded,
    "flax": write_flax,
    "flax chunked": lambda folder: write_flax(folder, chunked=True),
    "hdf5": write_hdf5,
    "keras": write_keras,
    "pytorch": write_pytorch,
    "pytorch legacy": lambda folder: write_pytorch(folder, legacy=True),
}


# --- damage ------------------------------------------------------------------------------------------------------------

EXTREMES = [
    *(struct.pack("<Q", value) for value in (0, 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)),
    *(struct.pack("<I", value) for value in (0, 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1)),
    *(struct.pack(">I", value) for value in (1, 2**16, 2**31 - 1)),
]
DTYPE_WORDS = [
    b"float32",
    b"float99",
    b"complex",
    b"objects",
    b"<f4",
    b"|O",
    b"<f9",
    b"F32",
    b"BF16",
    b"I64",
    b"X",
    b"",
]


def _place(data: bytes, rng: random.Random) -> int:
    return rng.randrange(max(1, len(data)))


def _block(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = _place(data, rng)
    return start, min(len(data), start + rng.randint(1, 64))


def _overwritten(data: bytes, start: int, new: bytes) -> bytes:
    return data[:start] + new + data[start + len(new) :]


def truncated(data: bytes, rng: random.Random) -> bytes:
    return data[: _place(data, rng)]


def bits_flipped(data: bytes, rng: random.Random) -> bytes:
    result = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8, 64])):
        if result:
            result[rng.randrange(len(result))] ^= 1 << rng.randrange(8)
    return bytes(result)


def bits_flipped_in_front(data: bytes, rng: random.Random) -> bytes:
    return bits_flipped(data[:256], rng) + data[256:]


def bits_flipped_behind(data: bytes, rng: random.Random) -> bytes:
    return data[:-256] + bits_flipped(data[-256:], rng)


def bytes_swapped(data: bytes, rng: random.Random) -> bytes:
    result = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        if result:
            first, second = rng.randrange(len(result)), rng.randrange(len(result))
            result[first], result[second] = result[second], result[first]
    return bytes(result)


def block_zeroed(data: bytes, rng: random.Random) -> bytes:
    start, stop = _block(data, rng)
    return data[:start] + bytes(stop - start) + data[stop:]


def block_random(data: bytes, rng: random.Random) -> bytes:
    start, stop = _block(data, rng)
    return data[:start] + rng.randbytes(stop - start) + data[stop:]


def block_removed(data: bytes, rng: random.Random) -> bytes:
    start, stop = _block(data, rng)
    return data[:start] + data[stop:]


def block_doubled(data: bytes, rng: random.Random) -> bytes:
    start, stop = _block(data, rng)
    return data[:stop] + data[start:stop] * rng.choice([1, 1, 1000]) + data[stop:]


def block_copied_elsewhere(data: bytes, rng: random.Random) -> bytes:
    start, stop = _block(data, rng)
    return _overwritten(data, _place(data, rng), data[start:stop])


def bytes_inserted(data: bytes, rng: random.Random) -> bytes:
    start = _place(data, rng)
    return data[:start] + rng.randbytes(rng.randint(1, 64)) + data[start:]


def integer_extreme(data: bytes, rng: random.Random) -> bytes:
    return _overwritten(data, _place(data, rng), rng.choice(EXTREMES))


def length_lies(data: bytes, rng: random.Random) -> bytes:
    return _overwritten(data, rng.randrange(0, 32), rng.choice(EXTREMES))


def length_behind_lies(data: bytes, rng: random.Random) -> bytes:
    return _overwritten(data, max(0, len(data) - rng.randrange(8, 120)), rng.choice(EXTREMES))


def digits_changed(data: bytes, rng: random.Random) -> bytes:
    found = list(re.finditer(rb"\d+", data))
    if not found:
        return integer_extreme(data, rng)
    match = rng.choice(found)
    new = rng.choice([b"-1", b"0", b"9" * len(match[0]), b"9" * 30, b"1e9", b"1.5", b"null", b"4" * 5000])
    return data[: match.start()] + new + data[match.end() :]


def word_changed(data: bytes, rng: random.Random) -> bytes:
    found = list(re.finditer(rb"[<>|]?[A-Za-z_]+\d+[a-z\d]*", data)) or list(re.finditer(rb"[A-Za-z]+", data))
    if not found:
        return integer_extreme(data, rng)
    match = rng.choice(found)
    return data[: match.start()] + rng.choice(DTYPE_WORDS) + data[match.end() :]


def nested_deeply(data: bytes, rng: random.Random) -> bytes:
    start = _place(data, rng)
    return (
        data[:start]
        + rng.choice([b"[", b"{", b"(", b"\x91", b"\x81\x00", b"\x81\xa0", b"\x85"]) * 100_000
        + data[start:]
    )


DAMAGES = [
    truncated,
    bits_flipped,
    bits_flipped_in_front,
    bits_flipped_behind,
    bytes_swapped,
    block_zeroed,
    block_random,
    block_removed,
    block_doubled,
    block_copied_elsewhere,
    bytes_inserted,
    integer_extreme,
    length_lies,
    length_behind_lies,
    digits_changed,
    word_changed,
    nested_deeply,
]

Damage = Callable[[bytes, random.Random], bytes]


def whole(data: bytes, damage: Damage, rng: random.Random) -> bytes:
    """Damage anywhere."""
    return damage(data, rng)


def in_member(data: bytes, damage: Damage, rng: random.Random) -> bytes:
    """Damage within a member of a zip archive whose checksums fit again."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(buffer, "w") as copy:
        names = archive.namelist()
        heads = [name for name in names if name.endswith(("data.pkl", ".weights.h5"))]
        chosen = rng.choice(heads if heads and rng.random() < 0.8 else names)
        for name in names:
            content = archive.read(name)
            copy.writestr(name, damage(content, rng) if name == chosen else content)
    return buffer.getvalue()


def in_header(data: bytes, damage: Damage, rng: random.Random) -> bytes:
    """Damage within the JSON header of a safetensors file whose length fits again."""
    length = int.from_bytes(data[:8], "little")
    header = damage(data[8 : 8 + length], rng)
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


# What is damaged: format, which of its files, and where in it.
TARGETS: dict[str, tuple[str, str | None, Callable[[bytes, Damage, random.Random], bytes]]] = {
    **{name: (name, None, whole) for name in WRITERS},
    "npz member": ("npz", None, in_member),
    "npz deflated member": ("npz deflated", None, in_member),
    "safetensors header": ("safetensors", None, in_header),
    "safetensors shard": ("safetensors sharded", "model-1.safetensors", whole),
    "keras member": ("keras", None, in_member),
    "pytorch member": ("pytorch", None, in_member),
}


def check(path: Path) -> str:
    """Open a file and read all of it: "arrays", or "error" after one clear line; anything else is raised."""
    problem = None
    try:
        file = open_tensors(path)
        for name, entry in file.tensors.items():
            array = entry.read()
            assert name == entry.name
            assert array.shape == entry.shape
            assert array.dtype.name == entry.dtype
    except TensorFileError as error:
        problem = str(error)
    if problem is not None:
        assert problem.isprintable(), problem
        assert len(problem) < 2000, problem
        return "error"
    assert all(note.isprintable() for note in file.notes)
    return "arrays"


def damaged_cases(target: str, folder: Path, seeds: range) -> Iterator[tuple[str, int, Path]]:
    """Write file after file, each damaged in one way; the name of the damage, the seed, and what to open."""
    writer, other, where = TARGETS[target]
    path, _ = WRITERS[writer](folder)
    victim = folder / other if other else path
    original = victim.read_bytes()
    for damage in DAMAGES:
        for seed in seeds:
            rng = random.Random(f"{target} {damage.__name__} {seed}")
            victim.write_bytes(where(original, damage, rng))
            yield damage.__name__, seed, path
    victim.write_bytes(original)


def limit_memory(more: int) -> None:
    """Allow this process `more` bytes of address space than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    bound = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (bound, resource.getrlimit(resource.RLIMIT_AS)[1]))


def main(folder: str, first: str, last: str, *targets: str) -> None:
    """Damage files of the targets with the seeds from `first` to `last`; print counts, the slowest case and memory."""
    if any(target.startswith("pytorch") for target in targets):
        import torch  # noqa: F401
    limit_memory(2 * GIBIBYTE)
    counts, slowest, start = {"arrays": 0, "error": 0}, (0.0, ""), time.perf_counter()
    for target in targets:
        place = Path(folder) / target.replace(" ", "_")
        place.mkdir()
        for damage, seed, path in damaged_cases(target, place, range(int(first), int(last))):
            began = time.perf_counter()
            try:
                counts[check(path)] += 1
            except BaseException as error:
                error.add_note(f"{target}, {damage}, seed {seed}")
                raise
            slowest = max(slowest, (time.perf_counter() - began, f"{target}, {damage}, seed {seed}"))
    memory = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = time.perf_counter() - start
    print(json.dumps({**counts, "slowest": slowest, "kilobytes": memory, "seconds": seconds}))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
