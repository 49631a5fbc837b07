"""Files that would execute code, lie about their sizes, or reach out of themselves: one clear error, and nothing else happens."""

from __future__ import annotations

import json
import os
import pickle
import signal
import struct
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import h5py
import msgpack
import numpy as np
import pytest
import tensor_file_samples as samples
from safetensors.numpy import save_file
from tensor_file_helpers import bits, described, needs_torch_for, refused, safetensors_with, sparse_file

from hippo_theory.errors import TensorFileError
from hippo_theory.tensor_files import (
    entries,
    hdf5_files,
    open_tensors,
    pytorch_files,
)

# --- nothing is executed -----------------------------------------------------------------------------------------------


class RunsCode:
    """Creates a file when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def pickled_file(folder, kind):
    payload = {"A": RunsCode(folder / "marker")}
    if kind == "npy":
        np.save(folder / "x.npy", np.array([payload], object), allow_pickle=True)
    elif kind == "npz":
        np.savez(folder / "x.npz", A=np.array([payload], object), B=np.ones(2))
    elif kind in ("pt", "bin", "ckpt", "legacy"):
        torch = pytest.importorskip("torch")
        suffix = "pt" if kind == "legacy" else kind
        torch.save(payload, folder / f"x.{suffix}", _use_new_zipfile_serialization=kind != "legacy")
        return folder / f"x.{suffix}"
    else:
        (folder / f"x.{kind}").write_bytes(pickle.dumps(payload, protocol=4))
    return folder / f"x.{kind}"


@pytest.mark.parametrize("kind", ["npy", "npz", "pt", "bin", "ckpt", "legacy", "pth", "h5", "anything"])
def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path, kind):
    message = refused(pickled_file(tmp_path, kind))
    assert "would execute code on loading" in message
    assert "system" in message or kind in ("npy", "npz")
    assert not (tmp_path / "marker").exists()


def test_the_marker_can_appear(tmp_path):
    pickle.loads(pickled_file(tmp_path, "anything").read_bytes())
    assert (tmp_path / "marker").exists()


def test_what_torch_may_build_but_no_tensor_needs_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"A": bytearray(10)}, tmp_path / "x.pt")
    assert "bytearray" in refused(tmp_path / "x.pt")


def test_a_program_is_told_from_weights(tmp_path):
    torch = pytest.importorskip("torch")
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        archive.writestr("x/constants.pkl", b"")
        archive.writestr("x/data.pkl", b"")
    assert "TorchScript" in refused(tmp_path / "x.pt")
    assert torch.__version__


# --- sizes that lie ----------------------------------------------------------------------------------------------------


def test_a_deflated_bomb_is_refused(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "x.npz", A=np.zeros(2**20))
    assert open_tensors(tmp_path / "x.npz").tensors["A"].read().any() == np.False_
    monkeypatch.setattr(entries, "SMALL_BYTES", 2**20)
    assert "decompression bomb" in refused(tmp_path / "x.npz")


def test_members_that_overlap_are_refused(tmp_path):
    path, _ = samples.write_npz(tmp_path)
    data = path.read_bytes()
    member = data[: data.index(b"PK\x01\x02")]
    with zipfile.ZipFile(path) as archive:
        info = max(archive.infolist(), key=lambda info: info.file_size)
        archive.filelist += [info] * 20  # the directory is written from this list
    with zipfile.ZipFile(tmp_path / "y.npz", "w") as copy:
        copy.fp.write(member)
        for number in range(20):
            twin = zipfile.ZipInfo(f"twin{number}.npy")
            for name in ("header_offset", "CRC", "compress_size", "file_size", "external_attr"):
                setattr(twin, name, getattr(info, name))
            copy.filelist.append(twin)
        copy.start_dir = len(member)
        copy._didModify = True
    assert "they overlap" in refused(tmp_path / "y.npz")


def test_doubled_and_encrypted_members_are_refused(tmp_path):
    path = tmp_path / "x.npz"
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")  # that the name is doubled
        for number in range(2):
            with archive.open("A.npy", "w") as member:
                np.save(member, np.full(3, number))
    assert "two members of the same name" in refused(path)
    np.savez(path, A=np.ones(3))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the first flag of the directory's entry
    path.write_bytes(data)
    assert "save it without a password" in refused(path)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_torch_tensor_larger_than_its_storage_is_refused(tmp_path, legacy):
    torch = pytest.importorskip("torch")
    path = tmp_path / "x.pt"
    torch.save({"A": torch.arange(200, dtype=torch.uint8)}, path, _use_new_zipfile_serialization=not legacy)
    size, lie = b"K\xc8\x85", b"J" + struct.pack("<i", 10**9) + b"\x85"  # the shape (200,), as pickled
    if legacy:
        path.write_bytes(path.read_bytes().replace(size, lie))
    else:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content.replace(size, lie) if name.endswith("data.pkl") else content)
    assert "damaged" in refused(path)


def test_a_shape_larger_than_the_file_is_refused_before_memory_is_asked_for(tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
    text = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header + b"\n"
    (tmp_path / "x.npy").write_bytes(text + bytes(64))
    assert "cut off" in refused(tmp_path / "x.npy")


def test_datasets_and_views_that_take_no_place_are_refused(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("A", (10**12,), "f8", chunks=(1024,))
    assert "decompression bomb" in refused(tmp_path / "x.h5")
    torch = pytest.importorskip("torch")
    torch.save({"A": torch.zeros(1).expand(10**10)}, tmp_path / "x.pt")
    assert "expand" in refused(tmp_path / "x.pt")


def test_containers_within_themselves_and_doubling_ones_are_refused(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(pytorch_files, "MAX_TENSORS", 1000)
    inside = {"A": torch.zeros(1)}
    inside["again"] = inside
    torch.save(inside, tmp_path / "x.pt")
    assert "nests" in refused(tmp_path / "x.pt")
    doubling = [torch.zeros(1)]
    for _ in range(40):
        doubling = [doubling, doubling]
    torch.save(doubling, tmp_path / "x.pt")
    assert "nests" in refused(tmp_path / "x.pt")


BAD_HEADERS = {
    "overlapping": ({"a": described([4], 0, 16), "b": described([2], 8, 16)}, "the one before ends at 16"),
    "hole": ({"a": described([1], 0, 4), "b": described([1], 8, 12)}, "the one before ends at 4"),
    "beyond the end": ({"a": described([8], 0, 32)}, "take 32 bytes, the file has 16"),
    "not all": ({"a": described([2], 0, 8)}, "take 8 bytes, the file has 16"),
    "negative length": ({"a": described([-4], 0, 16)}, "whole numbers from 0 up"),
    "length that is no integer": ({"a": described([4.0], 0, 16)}, "whole numbers from 0 up"),
    "huge": ({"a": described([2**63, 2**63], 0, 16)}, "no array can have"),
    "hidden by a zero": ({"a": described([0, 2**62, 2**62], 0, 0), "b": described([4], 0, 16)}, "no array can have"),
    "too many axes": ({"a": described([1] * 100 + [4], 0, 16)}, "no array can have"),
    "another size": ({"a": described([3], 0, 16)}, "does not fill"),
    "unknown dtype": ({"a": described([4], 0, 16, "F33")}, "does not define"),
    "dtype that is no text": ({"a": described([4], 0, 16, ["F32"])}, "does not define"),
    "negative offsets": ({"a": described([4], -16, 0)}, "does not fill"),
    "long name": ({"a" * 2000: described([4], 0, 16)}, "2000 characters"),
    "no offsets": ({"a": {"dtype": "F32", "shape": [4]}}, "lacks its"),
    "metadata of numbers": ({"__metadata__": {"a": 1}, "a": described([4], 0, 16)}, "no map of strings"),
    "key twice": (b'{"a":{"dtype":"F32","dtype":"F32","shape":[4],"data_offsets":[0,16]}}', "a key twice"),
    "deep": (b'{"a":' + b"[" * 100_000, "RecursionError"),
    "long number": (b'{"a":' + b"9" * 100_000 + b"}", "ValueError"),
    "no text": (b'{"\xff"         ', "UnicodeDecodeError"),
}


@pytest.mark.parametrize("what", BAD_HEADERS)
def test_a_header_that_lies_is_refused(tmp_path, what):
    header, why = BAD_HEADERS[what]
    assert why in refused(safetensors_with(tmp_path / "x.safetensors", header))


def test_complex_numbers_of_safetensors_are_read(tmp_path):
    numbers = np.array([1 + 2j, -3.5 - 0.5j], np.complex64)
    path = safetensors_with(tmp_path / "x.safetensors", {"a": described([2], 0, 16, "C64")}, numbers.tobytes())
    assert bits(open_tensors(path).tensors["a"].read()) == bits(numbers)


def test_a_length_that_lies_is_refused(tmp_path):
    path = safetensors_with(tmp_path / "x.safetensors", {"a": described([4], 0, 16)})
    data = path.read_bytes()
    for length in (0, len(data), 2**40, 2**63, 2**64 - 1):
        path.write_bytes(struct.pack("<Q", length) + data[8:])
        refused(path)
    sparse_file(path, struct.pack("<Q", 2**28) + b"{", 2**29)
    assert "its header would have" in refused(path)


@pytest.mark.parametrize("compressed", [False, True])
def test_numbers_that_do_not_fit_their_checksum_are_refused(tmp_path, compressed):
    path = tmp_path / "x.npz"
    (np.savez_compressed if compressed else np.savez)(path, A=np.random.default_rng(0).standard_normal(100_000))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "A.npy is damaged" in refused(path)


def test_nesting_and_doubled_keys_of_msgpack_are_bounded(tmp_path):
    path = tmp_path / "x.msgpack"
    path.write_bytes(b"\x81\xa1a" * 60 + b"\x80")
    assert dict(open_tensors(path).tensors) == {}
    path.write_bytes(b"\x81\xa1a" * 70 + b"\x80")
    assert "deeper than 64" in refused(path)
    path.write_bytes(b"\x82\xa1a\x01\xa1a\x02")
    assert "twice" in refused(path)
    path.write_bytes(b"\x81\xa1a\xdd\xff\xff\xff\xff")
    assert "cut off" in refused(path)
    array = msgpack.packb(samples.packed_array(np.zeros(3, np.float32)))
    path.write_bytes(b"\x81\xa1a" + array.replace(b"\x91\x03", b"\x91\x04"))  # the shape
    assert "12 bytes for float32 (4,)" in refused(path)
    path.write_bytes(b"\x80\x80")
    assert "ends at byte 1 of 2" in refused(path)


PICKLES = {
    "an import of a long name": (b"c" + b"a" * 5000 + b"\nb\n.", "imports a name of 5002 characters"),
    "a text of one long word": (b"X" + struct.pack("<I", 20_000) + b"a" * 20_000 + b".", "a word of over 16384"),
    "long numbers": (b"]" + b"\x8a\x10" + b"a" * 16 + b"a.", "more than 64 bits"),
    "many operations": (b"N0" * 2_000_001 + b"N.", "more than 4000000 operations"),
}


@pytest.mark.parametrize("what", PICKLES)
def test_a_pickle_that_would_keep_the_loader_busy_is_refused(tmp_path, what):
    pytest.importorskip("torch")
    content, why = PICKLES[what]
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        archive.writestr("x/data.pkl", b"\x80\x02" + content)
    assert why in refused(tmp_path / "x.pt")


@pytest.mark.parametrize("writer", ["pytorch", "keras"])
def test_archives_whose_library_never_compresses_are_refused_compressed(tmp_path, writer):
    needs_torch_for(writer)
    path, _ = samples.WRITERS[writer](tmp_path)
    other = tmp_path / f"other{path.suffix}"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in archive.namelist():
            copy.writestr(name, archive.read(name))
    assert "is compressed" in refused(other)


def test_the_header_that_does_not_lie_is_read(tmp_path):
    path = safetensors_with(tmp_path / "x.safetensors", {"b": described([2], 8, 16), "a": described([2], 0, 8)})
    assert list(open_tensors(path).tensors) == ["a", "b"]
    path = safetensors_with(tmp_path / "y.safetensors", {}, b"")
    assert dict(open_tensors(path).tensors) == {}


def test_more_tensors_than_any_model_has_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(entries, "MAX_TENSORS", 5)
    for writer in (samples.write_npz, samples.write_safetensors, samples.write_sharded, samples.write_flax):
        assert "more than 5 tensors" in refused(writer(tmp_path)[0])
    # Counted before the JSON is parsed, and over all shards, whatever the index names.
    assert "more than 5 tensors" in refused(safetensors_with(tmp_path / "y.safetensors", b"{" + b'"data_offsets"' * 6))
    weight_map = {}
    for number in range(2):
        shard = tmp_path / f"model-{number}.safetensors"
        save_file({f"{number}.{index}": np.ones(1) for index in range(4)}, shard)
        weight_map[f"{number}.0"] = shard.name
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    assert "more than 5 tensors" in refused(tmp_path / "model.safetensors.index.json")


def test_a_file_that_shrinks_after_it_was_opened_is_one_error(tmp_path):
    np.save(tmp_path / "x.npy", np.ones(1000))
    file = open_tensors(tmp_path / "x.npy")
    os.truncate(tmp_path / "x.npy", 500)
    with pytest.raises(TensorFileError, match="shorter than when it was opened"):
        file.tensors["array"].read()


# --- HDF5 in its child -------------------------------------------------------------------------------------------------


def test_links_out_of_an_hdf5_file_are_refused(tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["A"] = np.ones(3)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["A"] = h5py.ExternalLink("secret.h5", "A")
    assert "another file" in refused(tmp_path / "x.h5")
    (tmp_path / "raw").write_bytes(bytes(80))
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file.create_dataset("A", (10,), "f8", external=[(str(tmp_path / "raw"), 0, 80)])
    assert "another file" in refused(tmp_path / "y.h5")
    with h5py.File(tmp_path / "z.h5", "w") as file:
        layout = h5py.VirtualLayout((3,), "f8")
        layout[:] = h5py.VirtualSource(tmp_path / "secret.h5", "A", (3,))
        file.create_virtual_dataset("A", layout)
    assert "another file" in refused(tmp_path / "z.h5")


def test_datasets_are_listed_in_the_order_of_their_names(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for name in ("b/B", "c/C", "a/A", "D"):
            file[name] = np.ones(1)
    assert list(open_tensors(tmp_path / "x.h5").tensors) == ["D", "a/A", "b/B", "c/C"]


def test_a_group_within_itself_is_listed_once(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["group/A"] = np.ones(3)
        file["group/again"] = file["group"]
    assert list(open_tensors(tmp_path / "x.h5").tensors) == ["group/A"]


def test_a_child_that_dies_or_hangs_is_one_error_and_the_next_file_is_read(tmp_path, monkeypatch):
    path, expected = samples.write_hdf5(tmp_path)
    child = hdf5_files._Child()
    monkeypatch.setattr(hdf5_files, "_CHILD", child)
    try:
        open_tensors(path)
        os.kill(child._process.pid, signal.SIGSTOP)
        monkeypatch.setattr(hdf5_files, "SECONDS", 0.2)
        assert "took more than" in refused(path)
        monkeypatch.undo()
        monkeypatch.setattr(hdf5_files, "_CHILD", child)
        file = open_tensors(path)
        process = child._process
        process.kill()
        process.wait()
        child._running = lambda: process  # as if it died after it had been looked at
        with pytest.raises(TensorFileError, match="ended without an answer"):
            next(iter(file.tensors.values())).read()
        del child._running
        assert len(open_tensors(path).tensors) == len(expected)
    finally:
        child.close()


def test_the_child_cannot_use_much_memory_or_write_files(tmp_path):
    program = (
        "import resource, hdf5_worker; hdf5_worker.limit_resources()\n"
        "print(resource.getrlimit(resource.RLIMIT_AS)[0], resource.getrlimit(resource.RLIMIT_FSIZE)[0])\n"
        "try: bytearray(2 * 2**30)\n"
        "except MemoryError: print('refused')"
    )
    folder = Path(hdf5_files.__file__).parent
    run = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    assert run.stdout.split() == [str(2 * 2**30), "0", "refused"]
