"""Reading and writing files of tensors: bit for bit, and tensor by tensor."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import msgpack
import numpy as np
import pytest
import tensor_file_samples as samples
from safetensors.numpy import save_file
from tensor_file_helpers import bits, described, needs_torch_for, refused, safetensors_with, sparse_file

from hippo_theory.errors import InputError, MissingDependencyError
from hippo_theory.tensor_files import (
    entries,
    find_tensor_files,
    hdf5_files,
    open_tensors,
    shown,
    write_tensors,
)

GOLDEN = Path(__file__).parents[2] / "shared" / "golden"


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
