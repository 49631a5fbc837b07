"""The store of a sweep and what can befall it: cuts, damage, two runs, full disks; and its tables."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sweep_studies
from sweep_helpers import ENVIRONMENT, record
from sweep_studies import COSINE, SLEEPY

from hippo_theory.errors import InputError
from hippo_theory.sweeps import (
    Record,
    Store,
    Study,
    grid,
    make_point,
    read_records,
    read_table,
    run_sweep,
    write_parquet,
)


def test_records_come_back_as_they_were(tmp_path):
    path = tmp_path / "store.jsonl"
    with Store(path, SLEEPY) as store:
        store.append([record(2), record(1)])
        failed = Record(SLEEPY.name, 1, SLEEPY.key(make_point(x=3)), make_point(x=3), None, "ValueError: no")
        store.append([failed])
        assert (len(store.done), len(store.failed)) == (2, 1)
    assert read_records(path) == sorted([record(1), record(2), failed], key=lambda entry: entry.key)
    with Store(path, SLEEPY) as store:
        store.append([record(3)])  # the result of a second try
        assert (len(store.done), len(store.failed)) == (3, 0)
    assert all(entry.failure is None for entry in read_records(path))
    point = make_point(x=1)
    orders: list[dict[str, Any]] = [{"a": 1, "b": 2}, {"b": 2, "a": 1}]
    assert len({Record("s", 1, "k", point, result).line() for result in orders}) == 1


def test_every_cut_of_the_last_line_is_repaired(tmp_path):
    path = tmp_path / "store.jsonl"
    whole = record(1).line(), record(2).line()
    for cut in range(len(whole[1]) + 1):
        path.write_bytes(whole[0] + whole[1][:cut])
        assert len(read_records(path)) == (2 if cut >= len(whole[1]) - 1 else 1)
        with Store(path, SLEEPY) as store:
            if SLEEPY.key(make_point(x=2)) not in store.done:
                assert cut < len(whole[1]) - 1
                assert store.repaired == cut
                store.append([record(2)])
        assert path.read_bytes() == b"".join(whole)


def test_a_damaged_line_is_named_and_nothing_is_lost(tmp_path):
    path = tmp_path / "store.jsonl"
    lines = [record(x).line() for x in range(3)]
    damages = [b"{\n", b"[]\n", b"\n", lines[1].replace(b'"x":1}', b'"x":7}'), lines[1].replace(b"sleepy", b"sleepz")]
    for damaged in damages:
        assert damaged != lines[1]
        content = lines[0] + damaged + lines[2]
        path.write_bytes(content)
        for attempt in (lambda: Store(path, SLEEPY), lambda: read_records(path)):
            with pytest.raises(InputError, match=r"line 2 of the store .* is damaged"):
                attempt()
        assert path.read_bytes() == content
    stranger = Record(SLEEPY.name, 1, SLEEPY.key(make_point(x=7)), make_point(x=1), {"x": 1})  # its checksum is right
    path.write_bytes(lines[0] + stranger.line())
    with pytest.raises(InputError, match=r"line 2 of the store .* is damaged"):
        Store(path, SLEEPY)


def test_a_store_of_another_version_or_study_is_refused(tmp_path):
    path = tmp_path / "store.jsonl"
    with Store(path, SLEEPY) as store:
        store.append([record(1)])
    content = path.read_bytes()
    with pytest.raises(InputError, match="holds version 1 of the study 'sleepy', which is now at 2"):
        Store(path, Study("sleepy", 2, sweep_studies.sleepy))
    with pytest.raises(InputError, match="holds the study 'sleepy', not 'cosine'"):
        Store(path, COSINE)
    assert path.read_bytes() == content


def test_two_runs_on_one_store_are_refused(tmp_path):
    path = tmp_path / "store.jsonl"
    with Store(path, SLEEPY):
        with pytest.raises(InputError, match="in use by another run"):
            Store(path, SLEEPY)
        script = "import sys; from hippo_theory.sweeps import *; from sweep_studies import SLEEPY; Store(sys.argv[1], SLEEPY)"
        found = subprocess.run(
            [sys.executable, "-c", script, str(path)], env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
        assert found.returncode == 1
        assert "in use by another run" in found.stderr
    Store(path, SLEEPY).close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_does_not_hold_the_lock(tmp_path):
    """The workers of a pool that forks may live on after their parent was killed."""
    path = tmp_path / "store.jsonl"
    reading, writing = os.pipe()
    with Store(path, SLEEPY) as store:
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
        store.append([record(1)])  # the parent's is as it was
        with pytest.raises(InputError, match="in use by another run"):
            Store(path, SLEEPY)
    try:
        Store(path, SLEEPY).close()
    finally:
        os.close(writing)
        os.waitpid(child, 0)
        os.close(reading)


def test_what_keeps_nothing_is_no_store():
    with pytest.raises(InputError, match="is no ordinary file"):
        Store(os.devnull, SLEEPY)


def test_a_full_disk_is_one_line_and_leaves_no_half_line(tmp_path):
    """The limit of the operating system on the size of a file: it takes a part of a line, and then refuses."""
    path = tmp_path / "store.jsonl"
    whole = [record(x).line() for x in range(10)]
    limit = sum(map(len, whole[:4])) + len(whole[4]) // 2
    script = (
        "import sys, resource\nfrom hippo_theory.errors import InputError\nfrom hippo_theory.sweeps import Store\n"
        "from sweep_helpers import SLEEPY, record\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "from hippo_theory.cli import _fail\n"
        "try:\n"
        "    with Store(sys.argv[1], SLEEPY) as store:\n"
        "        store.append(record(x) for x in range(10))\n"
        "except InputError as error:\n"
        "    sys.exit(_fail(error, 2))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, str(path)], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stderr.count("\n")) == (2, 1)
    assert "cannot append to the store" in found.stderr
    assert path.read_bytes() == b"".join(whole[:4])


def test_a_store_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"cannot write the store .*: No such file"):
        Store(tmp_path / "missing" / "store.jsonl", SLEEPY)
    with pytest.raises(InputError, match=r"cannot write the store .*: Is a directory"):
        Store(tmp_path, SLEEPY)

    def refuse(*_: Any) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(InputError, match="Read-only file system"):
        Store(tmp_path / "store.jsonl", SLEEPY)


def test_a_store_that_cannot_be_locked_is_refused(tmp_path, monkeypatch):
    from hippo_theory.sweeps import store

    monkeypatch.setattr(store, "fcntl", None)
    with pytest.raises(InputError, match="has no flock"):
        Store(tmp_path / "store.jsonl", SLEEPY)


def test_tables_and_parquet(tmp_path):
    pandas = pytest.importorskip("pandas")
    path, points = tmp_path / "store.jsonl", list(grid({"x": list(range(4)), "flag": [None]}))
    with ThreadPoolExecutor(1) as executor:
        run_sweep(Study("sometimes", 1, sweep_studies.sometimes), points, executor, path)
    table = read_table(path)
    assert list(table.columns) == ["flag", "x", "half", "failure"]
    assert table.index.is_monotonic_increasing
    assert table.sort_values("x")["failure"].isna().tolist() == [True, False, True, False]
    assert table.sort_values("x")["half"].tolist()[::2] == [0, 1]
    write_parquet(path, tmp_path / "table.parquet")
    pandas.testing.assert_frame_equal(pandas.read_parquet(tmp_path / "table.parquet"), table)
    for values in ([1.5, "text"], [2**70, 1]):
        mixed = tmp_path / f"{values[0]}.jsonl"
        with ThreadPoolExecutor(1) as executor:
            run_sweep(Study("mixed", 1, lambda p, v=values: {"y": v[p["x"]]}), points[:2], executor, mixed)
        assert read_table(mixed)["y"].tolist() in (values, values[::-1])
        with pytest.raises(InputError, match="Parquet cannot hold a column"):
            write_parquet(mixed, tmp_path / "mixed.parquet")
        assert not (tmp_path / "mixed.parquet").exists()
    with pytest.raises(InputError, match=r"must end in \.parquet"):
        write_parquet(path, tmp_path / "table.csv")
    with pytest.raises(InputError, match="cannot read the store"):
        read_table(tmp_path / "other.jsonl")
