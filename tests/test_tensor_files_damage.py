"""Damaged files: every kind with every damage gives arrays or one error, within limits of memory and time."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import msgpack
import numpy as np
import pytest
import tensor_file_samples as samples
from tensor_file_helpers import described, needs_torch_for, refused

SAMPLES = Path(samples.__file__)

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
