"""Reading and writing files of tensors: bit for bit, tensor by tensor, and nothing worse than one clear error."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import signal
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import h5py
import msgpack
import numpy as np
import pytest
import tensor_file_samples as samples
from safetensors.numpy import save_file

from hippo_theory.errors import InputError, MissingDependencyError, TensorFileError
from hippo_theory.tensor_files import (
    entries,
    find_tensor_files,
    hdf5_files,
    open_tensors,
    pytorch_files,
    shown,
    write_tensors,
)

GOLDEN = Path(__file__).parents[2] / "shared" / "golden"
SAMPLES = Path(samples.__file__)


def needs_torch_for(name):
    if name.startswith("pytorch"):
        pytest.importorskip("torch")


def bits(array):
    return array.dtype, array.shape, np.ascontiguousarray(array).tobytes()


def refused(path):
    """The one line of the error with which a file is refused."""
    with pytest.raises(TensorFileError) as caught:
        [entry.read() for entry in open_tensors(path).tensors.values()]
    assert str(caught.value).isprintable()
    return str(caught.value)


# --- round trips -------------------------------------------------------------------------------------------------------

FORMATS = {name: name.split()[0] for name in samples.WRITERS}


@pytest.mark.parametrize("writer", samples.WRITERS)
def test_what_a_library_writes_is_read_bit_for_bit(tmp_path, writer):
    needs_torch_for(writer)
    path, expected = samples.WRITERS[writer](tmp_path)
    file = open_tensors(path)
    assert file.format == FORMATS[writer]
    assert set(file.tensors) == set(expected)
    for name, array in expected.items():
        entry = file.tensors[name]
        assert (entry.dtype, entry.shape, entry.nbytes) == (array.dtype.name, array.shape, array.nbytes)
        assert bits(entry.read()) == bits(array)


def test_big_endian_and_fortran_order_come_out_native(tmp_path):
    array = np.asfortranarray(np.arange(6, dtype=">f8").reshape(2, 3))
    np.save(tmp_path / "x.npy", array)
    read = open_tensors(tmp_path / "x.npy").tensors["array"].read()
    assert read.dtype.isnative
    assert np.array_equal(read, array)


def test_metadata_and_what_is_left_out_are_told(tmp_path):
    assert open_tensors(samples.write_safetensors(tmp_path)[0]).metadata == {"format": "pt"}
    assert open_tensors(samples.write_flax(tmp_path)[0]).metadata == {"epoch": "3"}
    assert open_tensors(samples.write_keras(tmp_path)[0]).metadata == {"keras_version": "3.15.1"}
    assert "texts" in open_tensors(samples.write_hdf5(tmp_path)[0]).notes[0]
    np.savez(tmp_path / "x.npz", A=np.ones(2), names=np.array(["a", "b"]))
    file = open_tensors(tmp_path / "x.npz")
    assert list(file.tensors) == ["A"]
    assert file.notes == ("left out: names (dtype <U1 is not read)",)


def test_the_content_decides_and_a_wrong_suffix_is_told(tmp_path):
    path, expected = samples.write_safetensors(tmp_path)
    wrong = path.rename(tmp_path / "x.npz")
    file = open_tensors(wrong)
    assert file.format == "safetensors"
    assert file.notes == ("named .npz but holds safetensors",)
    assert set(file.tensors) == set(expected)


def test_dotted_and_nested_keys_of_one_name_are_both_kept(tmp_path):
    packed = samples.packed_array
    tree = {"a/b": packed(np.zeros(1)), "a": {"b": packed(np.ones(1))}}
    (tmp_path / "x.msgpack").write_bytes(msgpack.packb(tree))
    tensors = open_tensors(tmp_path / "x.msgpack").tensors
    assert {name: float(entry.read()[0]) for name, entry in tensors.items()} == {"a/b": 0.0, "a/b#2": 1.0}


def test_a_lightning_checkpoint_lists_its_nested_dictionaries(tmp_path):
    torch = pytest.importorskip("torch")
    moments = {"state": {0: {"exp_avg": torch.ones(2)}}}
    whole = {"epoch": 3, "state_dict": {"layer.A": torch.nn.Parameter(torch.zeros(2))}, "optimizer_states": [moments]}
    torch.save(whole, tmp_path / "x.ckpt")
    file = open_tensors(tmp_path / "x.ckpt")
    assert list(file.tensors) == ["state_dict.layer.A", "optimizer_states.0.state.0.exp_avg"]
    assert file.metadata == {"epoch": "3"}


def test_views_conjugates_and_attributes_of_torch_are_resolved(tmp_path):
    torch = pytest.importorskip("torch")
    base = torch.arange(6.0)
    parameter = torch.nn.Parameter(base.clone())
    parameter._no_weight_decay = True
    numbers = torch.tensor([1 + 2j, 3 - 4j])
    torch.save({"view": base.reshape(2, 3).T, "conj": numbers.conj(), "kept": parameter}, tmp_path / "x.pt")
    tensors = open_tensors(tmp_path / "x.pt").tensors
    assert np.array_equal(tensors["view"].read(), np.arange(6.0, dtype=np.float32).reshape(2, 3).T)
    assert np.array_equal(tensors["conj"].read(), np.array([1 - 2j, 3 + 4j], np.complex64))
    assert np.array_equal(tensors["kept"].read(), np.arange(6, dtype=np.float32))


# --- what public codebases wrote ---------------------------------------------------------------------------------------


def golden_manifests():
    return sorted(GOLDEN.glob("*/manifest.json")) or [None]


@pytest.mark.parametrize("manifest", golden_manifests(), ids=lambda path: path.parent.name if path else "absent")
def test_every_golden_file_is_read_as_its_manifest_says(manifest):
    if manifest is None:
        pytest.skip("needs ../shared")
    listed = json.loads(manifest.read_text())["entries"]
    has_torch = importlib.util.find_spec("torch") is not None
    read = 0
    for entry in listed:
        path = GOLDEN / entry["file"]
        if path.suffix == ".pt" and not has_torch:
            continue
        tensors = open_tensors(path).tensors
        for name, stated in entry["arrays"].items():
            found = tensors[name]
            assert (list(found.shape), found.dtype) == (stated["shape"], stated["dtype"]), (path.name, name)
            assert bits(found.read())[:2] == (entries.numpy_dtype(found.dtype), found.shape)
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                assert all(bits(tensors[name].read()) == bits(arrays[name]) for name in arrays.files)
        read += 1
    if not read:
        pytest.skip("needs torch")


# --- tensor by tensor --------------------------------------------------------------------------------------------------


def sparse_file(path, head, size):
    """A file that takes no place on the disk however long it is."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    return path


def huge_safetensors(folder):
    count = 2**31
    header = {
        "large": {"dtype": "F32", "shape": [count], "data_offsets": [0, 4 * count]},
        "small": {"dtype": "F32", "shape": [2], "data_offsets": [4 * count, 4 * count + 8]},
    }
    text = json.dumps(header).encode()
    return sparse_file(folder / "x.safetensors", struct.pack("<Q", len(text)) + text, 8 + len(text) + 4 * count + 8)


def huge_flax(folder):
    # A map of two arrays; the length of a binary is at most 2**32 - 1 bytes.
    count = 2**30 - 64
    payload = b"\x93\x91\xce" + struct.pack(">I", count) + b"\xa7float32\xc6" + struct.pack(">I", 4 * count)
    large = b"\xa5large\xc9" + struct.pack(">Ib", len(payload) + 4 * count, 1) + payload
    small = b"\xa5small" + msgpack.packb(samples.packed_array(np.zeros(2, np.float32)))
    path = sparse_file(folder / "x.msgpack", b"\x82" + large, 1 + len(large) + 4 * count)
    with path.open("ab") as file:
        file.write(small)
    return path


@pytest.mark.parametrize("write", [huge_safetensors, huge_flax])
def test_a_small_tensor_of_a_huge_file_needs_little_memory(tmp_path, write):
    path = write(tmp_path)
    tracemalloc.start()
    try:
        file = open_tensors(path)
        assert file.tensors["large"].nbytes > 4_000_000_000
        assert np.array_equal(file.tensors["small"].read(), np.zeros(2, np.float32))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_large_dataset_comes_in_slabs(tmp_path):
    rows = np.arange(3 * 5_000_000, dtype=np.float32).reshape(3, 5_000_000)  # more than one slab, rows smaller than one
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["wide"] = rows
        file["long"] = rows.reshape(-1)
    tensors = open_tensors(tmp_path / "x.h5").tensors
    assert np.array_equal(tensors["wide"].read(), rows)
    assert np.array_equal(tensors["long"].read(), rows.reshape(-1))


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


def safetensors_with(path, header, data=bytes(16)):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def described(shape, begin, stop, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, stop]}


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


# --- shards and folders ------------------------------------------------------------------------------------------------


def index_of(folder, shard):
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"A": shard}}))
    return index


@pytest.mark.parametrize(
    "shard", ["../x.safetensors", "/x.safetensors", "C:\\x.safetensors", "a\\..\\..\\x.safetensors"]
)
def test_an_index_that_names_files_elsewhere_is_refused(tmp_path, shard):
    (tmp_path / "model").mkdir()
    save_file({"A": np.ones(2)}, tmp_path / "x.safetensors")
    assert "folder of their index" in refused(index_of(tmp_path / "model", shard))


def test_a_shard_that_is_a_link_out_is_refused_but_for_the_cache_of_the_hub(tmp_path):
    for place in ("model", "models--a/blobs", "models--a/snapshots/revision"):
        (tmp_path / place).mkdir(parents=True)
    save_file({"A": np.ones(2)}, tmp_path / "x.safetensors")
    (tmp_path / "model/s.safetensors").symlink_to(tmp_path / "x.safetensors")
    assert "leads out" in refused(index_of(tmp_path / "model", "s.safetensors"))

    snapshot = tmp_path / "models--a/snapshots/revision"
    save_file({"A": np.ones(2)}, tmp_path / "models--a/blobs/hash")
    (snapshot / "s.safetensors").symlink_to(Path("../../blobs/hash"))
    index = index_of(snapshot, "s.safetensors")
    assert np.array_equal(open_tensors(index).tensors["A"].read(), np.ones(2))
    assert list(find_tensor_files(snapshot)) == [index]


def test_an_index_without_its_shard_or_tensor_is_refused(tmp_path):
    assert "no such file" in refused(index_of(tmp_path, "s.safetensors"))
    save_file({"B": np.ones(2)}, tmp_path / "s.safetensors")
    assert "does not hold it" in refused(index_of(tmp_path, "s.safetensors"))


def test_a_folder_is_listed_in_order_without_links_out_or_loops(tmp_path):
    root = tmp_path / "root"
    (root / "b" / "c").mkdir(parents=True)
    (root / "saved").mkdir()
    (root / "saved" / "saved_model.pb").write_bytes(b"")
    save_file({"A": np.ones(2)}, tmp_path / "outside.safetensors")
    samples.write_sharded(root / "b")
    np.save(root / "z.npy", np.ones(2))
    np.savez(root / "b" / "c" / "y.npz", A=np.ones(2))
    (root / "b" / "checkpoint_100").write_bytes(samples.write_npz(tmp_path)[0].read_bytes())
    (root / "notes.txt").write_text("")
    (root / "config.json").write_text("{}")
    (root / "model.onnx").write_bytes(b"")
    os.mkfifo(root / "pipe.npz")
    (root / "loop").symlink_to(root)
    (root / "itself.npz").symlink_to(root / "itself.npz")
    (root / "twin.npy").symlink_to(root / "z.npy")
    (root / "outside.safetensors").symlink_to(tmp_path / "outside.safetensors")

    found = list(find_tensor_files(root))
    names = [str((item[0] if isinstance(item, tuple) else item).relative_to(root)) for item in found]
    assert names == [
        "model.onnx",
        "outside.safetensors",
        "z.npy",
        "b/checkpoint_100",
        "b/model.safetensors.index.json",
        "b/c/y.npz",
        "saved",
    ]
    messages = {item[0].name: str(item[1]) for item in found if isinstance(item, tuple)}
    assert set(messages) == {"model.onnx", "outside.safetensors", "saved"}
    assert "ONNX" in messages["model.onnx"]
    assert "leads out" in messages["outside.safetensors"]
    assert "SavedModel" in messages["saved"]
    assert list(find_tensor_files(root / "z.npy")) == [root / "z.npy"]


def test_pipes_devices_folders_and_absent_files_are_one_error(tmp_path):
    os.mkfifo(tmp_path / "pipe.npy")
    assert "no regular file" in refused(tmp_path / "pipe.npy")
    assert "no regular file" in refused("/dev/zero")
    assert "find_tensor_files" in refused(tmp_path)
    assert "no such file" in refused(tmp_path / "absent.npy")
    (tmp_path / "empty.npz").write_bytes(b"")
    assert "empty" in refused(tmp_path / "empty.npz")
    (tmp_path / "itself.npz").symlink_to(tmp_path / "itself.npz")
    refused(tmp_path / "itself.npz")


UNREAD = {
    "x.onnx": (b"\x08\x07", "onnx.numpy_helper"),
    "x.gguf": (b"GGUF\x03\x00\x00\x00", "GGUFReader"),
    "renamed.bin": (b"GGUF\x03\x00\x00\x00", "GGUFReader"),
    "x.pkl": (pickle.dumps({"A": 1}), "numpy.savez"),
    "x.pb": (b"\x08", "TensorFlow"),
    "x.distcp": (b"PK\x03\x04", "dcp_to_torch_save"),
    "x.npz": (b"\x1f\x8b\x08", "unpack it first"),
    "x.safetensors": (b"version https://git-lfs", "no format that is read, though named as safetensors"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_is_not_read_says_how_to_convert_it(tmp_path, name):
    content, way_out = UNREAD[name]
    (tmp_path / name).write_bytes(content)
    assert way_out in refused(tmp_path / name)


def test_an_orbax_folder_says_how_to_convert_it(tmp_path):
    (tmp_path / "_CHECKPOINT_METADATA").write_text("{}")
    assert "Orbax" in refused(tmp_path)
    ((folder, error),) = find_tensor_files(tmp_path)
    assert folder == tmp_path
    assert "flax.serialization.to_bytes" in str(error)


# --- messages ----------------------------------------------------------------------------------------------------------


def test_names_are_shown_without_what_a_terminal_would_obey(tmp_path):
    path = tmp_path / "red\x1b[31m\n.npy"
    path.write_bytes(b"nothing")
    assert r"red\x1b[31m\n.npy" in refused(path)
    header = {"\x1b]0;\u202e\ud800": described([3], 0, 16)}
    assert r"\x1b]0;\u202e\ud800" in refused(safetensors_with(tmp_path / "x.safetensors", header))
    assert shown("a" * 300) == "a" * 200 + "..."
    assert shown("ordinary [bold] name") == "ordinary [bold] name"


MISSING = {
    "torch": ("x.pt", lambda path: zipped(path, "x/data.pkl"), r"hippo_theory\[torch\]"),
    "h5py": ("x.h5", lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n"), r"hippo_theory\[files\]"),
    "ml_dtypes": (
        "x.safetensors",
        lambda path: safetensors_with(path, {"A": described([8], 0, 16, "BF16")}),
        "ml-dtypes",
    ),
}


def zipped(path, name):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"\x80\x02}.")


@pytest.mark.parametrize("library", MISSING)
def test_a_missing_library_is_one_line_with_the_command(tmp_path, monkeypatch, library):
    name, write, command = MISSING[library]
    write(tmp_path / name)
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setattr(hdf5_files, "_CHILD", hdf5_files._Child())
    with pytest.raises(MissingDependencyError, match=command):
        open_tensors(tmp_path / name).tensors["A"].read()


def test_an_old_torch_is_not_used(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    zipped(tmp_path / "x.pt", "x/data.pkl")
    monkeypatch.setattr(torch, "__version__", "2.5.1")
    with pytest.raises(MissingDependencyError, match=r"torch 2\.6 or later, this is 2\.5\.1"):
        open_tensors(tmp_path / "x.pt")


def test_importing_the_room_loads_none_of_the_libraries():
    program = "import hippo_theory.tensor_files, sys; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    assert not {"safetensors", "msgpack", "h5py", "torch", "ml_dtypes", "scipy"} & set(run.stdout.split())


# --- writing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_what_is_written_is_read_bit_for_bit(tmp_path, suffix):
    arrays = {name: array for name, array in samples.WITHOUT_ML_DTYPES.items() if array.dtype.kind != "c"}
    written = write_tensors(tmp_path / f"x{suffix}", arrays)
    tensors = open_tensors(tmp_path / f"x{suffix}").tensors
    assert set(tensors) == set(written) == set(arrays)
    write_tensors(tmp_path / f"x{suffix}", arrays | {"swapped": np.arange(3, dtype=">i4")})
    tensors = open_tensors(tmp_path / f"x{suffix}").tensors
    assert np.array_equal(tensors["swapped"].read(), np.arange(3))
    assert all(bits(tensors[name].read()) == bits(array) for name, array in arrays.items())
    assert os.listdir(tmp_path) == [f"x{suffix}"]


def test_complex_numbers_are_pairs_in_safetensors(tmp_path):
    numbers = np.array([[1 + 2j], [3 - 4j]])
    write_tensors(tmp_path / "x.npz", {"A": numbers})
    assert bits(open_tensors(tmp_path / "x.npz").tensors["A"].read()) == bits(numbers)
    written = write_tensors(tmp_path / "x.safetensors", {"A": numbers})
    pairs = open_tensors(tmp_path / "x.safetensors").tensors["A"].read()
    assert np.array_equal(pairs, [[[1, 2]], [[3, -4]]])
    assert bits(written["A"]) == bits(pairs)


def test_what_cannot_be_written_leaves_no_file(tmp_path):
    with pytest.raises(InputError, match=r"\.npz or \.safetensors"):
        write_tensors(tmp_path / "x.pt", {"A": np.ones(2)})
    with pytest.raises(InputError, match="numbers"):
        write_tensors(tmp_path / "x.npz", {"A": np.array([object()])})
    assert os.listdir(tmp_path) == []


# --- damage: every target with every damage ----------------------------------------------------------------------------

SEEDS = 100


@pytest.mark.parametrize("target", samples.TARGETS)
def test_damaged_files_are_arrays_or_one_error(tmp_path, target):
    needs_torch_for(target)
    outcomes = [samples.check(path) for _, _, path in samples.damaged_cases(target, tmp_path, range(1))]
    assert len(outcomes) == len(samples.DAMAGES)
    assert "error" in outcomes


def test_the_check_of_damaged_files_can_fail(tmp_path, monkeypatch):
    def leaking(path):
        raise KeyError(path)

    monkeypatch.setattr(samples, "open_tensors", leaking)
    with pytest.raises(KeyError):
        samples.check(tmp_path)


def test_there_are_ten_thousand_damaged_files():
    assert len(samples.TARGETS) * len(samples.DAMAGES) * SEEDS >= 10_000


@pytest.mark.heavy
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("target", samples.TARGETS)
def test_many_damaged_files_within_limits_of_memory_and_time(tmp_path, target):
    needs_torch_for(target)
    command = [sys.executable, str(SAMPLES), str(tmp_path), "0", str(SEEDS), target]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    run = subprocess.run(command, capture_output=True, text=True, timeout=1100, env=environment, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    found = json.loads(run.stdout)
    assert found["arrays"] + found["error"] == len(samples.DAMAGES) * SEEDS
    assert found["slowest"][0] < 30, found
    assert max(found["kilobytes"]) < 2 * 2**20, found


def million_safetensors(path):
    text = json.dumps({str(number): described([1], 4 * number, 4 * number + 4) for number in range(10**6)}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(4 * 10**6))


def million_npz(path):
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(10**6):
            archive.writestr(f"{number}.npy", b"")


def million_flax(path):
    array = samples.packed_array(np.zeros(1, np.float32))
    path.write_bytes(msgpack.packb({str(number): array for number in range(10**6)}))


@pytest.mark.heavy
@pytest.mark.parametrize("write", [million_safetensors, million_npz, million_flax])
def test_a_million_tensors_are_refused_within_limits(tmp_path, write):
    write(tmp_path / "x")
    program = (
        "import sys, tensor_file_samples as s; s.limit_memory(2 * s.GIBIBYTE); print(s.check(s.Path(sys.argv[1])))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SAMPLES.parent), *filter(None, sys.path)])}
    command = [sys.executable, "-c", program, str(tmp_path / "x")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert (run.stdout, run.stderr) == ("error\n", "")


@pytest.mark.heavy
def test_a_bomb_of_a_gibibyte_is_refused_within_limits(tmp_path):
    with (
        zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("A.npy", "w") as member,
    ):
        np.lib.format.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": (2**30,)})
        for _ in range(2**10):
            member.write(bytes(2**20))
    assert (tmp_path / "x.npz").stat().st_size < 2 * 2**20
    assert "decompression bomb" in refused(tmp_path / "x.npz")
