"""Sweeps: points, the store and what can befall it, running, failing, dying workers, and the cost model."""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sweep_studies
from helpers import ROOT, run_python
from sweep_studies import COSINE, SLEEPY, cosine_points

from hippo_theory.errors import InputError
from hippo_theory.sweeps import (
    CostModel,
    Progress,
    Record,
    Store,
    Study,
    dask_executor,
    grid,
    local_executor,
    make_point,
    plan_sweep,
    read_records,
    read_table,
    run_sweep,
    running,
    write_parquet,
)
from hippo_theory.sweeps.costs import TimeLeft, read_costs
from hippo_theory.sweeps.evaluation import Outcome
from hippo_theory.sweeps.planning import _measuring, plan_from, predicted_seconds

ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def sorted_lines(path: Path) -> list[bytes]:
    return sorted(path.read_bytes().splitlines(keepends=True))


def record(x: int, study: Study = SLEEPY) -> Record:
    point = make_point(x=x)
    return Record(study.name, study.version, study.key(point), point, {"x": x})


# --- points ------------------------------------------------------------------------------------------------------------


def test_a_key_is_the_hash_of_name_version_and_point_in_any_order():
    import hashlib

    point = make_point({"step": "0.01", "N": 64})
    text = '["key","cosine",1,{"N":64,"step":"0.01"}]'
    assert COSINE.key(point) == hashlib.sha256(text.encode()).hexdigest()[:32]
    assert COSINE.key(make_point(N=64, step="0.01")) == COSINE.key(point)
    others = [
        Study("cosine", 2, sweep_studies.cosine).key(point),
        Study("sine", 1, sweep_studies.cosine).key(point),
        COSINE.key(make_point(N=64, step="0.010")),
        COSINE.key(make_point(N=64, step=0.01)),
    ]
    assert len({COSINE.key(point), *others}) == 5


def test_a_seed_follows_from_the_point_alone(threads):
    study = Study("drawn", 1, sweep_studies.drawn, random=True)
    points = list(grid({"x": list(range(20))}))
    found = run_sweep(study, points, threads).records
    again = run_sweep(study, points[::-1], threads).records
    assert found == again
    numbers = {entry.result["number"] for entry in found if entry.result}
    assert numbers == {random.Random(study.seed(point)).random() for point in points}
    assert len(numbers) == 20
    assert study.seed(points[0]) != int(study.key(points[0])[:16], 16)


@pytest.mark.parametrize(("value", "message"), [
    pytest.param(float("nan"), "finite", id="nan"), pytest.param(float("-inf"), "finite", id="infinite"),
    pytest.param(10**4000, "at most 4000 digits", id="long"), pytest.param(-(10**5000), "at most 4000", id="longer"),
    pytest.param([1], "plain", id="list"), pytest.param(1j, "plain", id="complex"), pytest.param({"a": 1}, "plain", id="mapping"),
    pytest.param(np.float64(1), "of type float64; convert", id="numpy"),
    pytest.param(list(range(9999)), "plain", id="long list"),
])  # fmt: skip
def test_a_point_and_a_result_take_plain_values_only(value, message, threads):
    with pytest.raises(InputError, match=message) as error:
        make_point(x=value)
    assert len(str(error.value)) < 250
    (failed,) = run_sweep(Study("returned", 1, lambda point: {"x": value}), [make_point(x=1)], threads).records
    assert str(failed.failure).startswith("InputError: a result needs")


def test_the_longest_integers_come_back(tmp_path, threads):
    longest = 10**4000 - 1
    run_sweep(
        Study("long", 1, lambda point: {"x": longest, "y": -longest}), [make_point(x=1)], threads, tmp_path / "s.jsonl"
    )
    (entry,) = read_records(tmp_path / "s.jsonl")
    assert entry.result == {"x": longest, "y": -longest}


def test_keys_do_not_change_for_ever():
    """Python from 3.1 on prints the shortest decimal that reads as the same float; a change would orphan every store."""
    point = make_point(
        a=0.1, b=1e22, c=1e-7, d=5e-324, e=-0.0, f=2**64, g="\u00e9\n", h=None, i=True, j=1.7976931348623157e308
    )
    assert COSINE.key(point) == "1994a7b369fd9921f1960623c6459c7c"
    assert COSINE.seed(point) == 17796145251542406969


# --- the store ---------------------------------------------------------------------------------------------------------


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
        "import sys, resource, test_sweeps as t\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "from hippo_theory.cli import _fail\n"
        "try:\n"
        "    with t.Store(sys.argv[1], t.SLEEPY) as store:\n"
        "        store.append(t.record(x) for x in range(10))\n"
        "except t.InputError as error:\n"
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


# --- running -----------------------------------------------------------------------------------------------------------


def test_a_sweep_computes_each_point_once_and_goes_on(tmp_path, threads):
    path, points = tmp_path / "store.jsonl", cosine_points(30)
    first = run_sweep(COSINE, points[:10] + points[:10], threads, path)
    assert (first.points, first.done, first.computed, first.failed) == (10, 10, 10, 0)
    second = run_sweep(COSINE, points, threads, path)
    assert (second.points, second.done, second.computed) == (30, 30, 20)
    assert run_sweep(COSINE, points, threads, path).computed == 0
    lines = path.read_text().splitlines()
    assert len(lines) == len({json.loads(line)["key"] for line in lines}) == 30
    assert set(read_costs(path)) == {COSINE.key(point) for point in points}
    assert all(cost.seconds >= 0.004 and cost.peak_bytes > cost.start_bytes / 2 for cost in read_costs(path).values())


def test_failures_are_recorded_and_tried_again_on_request(tmp_path, threads):
    path, flag = tmp_path / "store.jsonl", tmp_path / "flag"
    flag.touch()
    study, points = (
        Study("sometimes", 1, sweep_studies.sometimes),
        list(grid({"x": list(range(10)), "flag": str(flag)})),
    )
    result = run_sweep(study, points, threads, path)
    assert (result.done, result.failed, result.gave_up) == (5, 5, None)
    messages = {entry.point["x"]: entry.failure for entry in read_records(path) if entry.failure}
    assert messages == {x: f"ValueError: {x} is odd" for x in (1, 3, 5, 7, 9)}
    flag.unlink()
    again = run_sweep(study, points, threads, path)
    assert (again.done, again.failed, again.computed) == (5, 5, 0)
    retried = run_sweep(study, points, threads, path, retry=True)
    assert (retried.done, retried.failed, retried.computed) == (10, 0, 5)


def test_a_sweep_of_nothing_but_failures_gives_up(threads):
    study, points = (
        Study("sometimes", 1, sweep_studies.sometimes),
        list(grid({"x": list(range(1, 400, 2)), "flag": None})),
    )
    result = run_sweep(study, points, threads, in_flight=8)
    assert result.failed < 60
    assert "keep" in str(result.gave_up)
    assert run_sweep(study, points, threads, keep_going=True).failed == 200


def test_a_sweep_that_gives_up_while_retrying_counts_all_failures(tmp_path, threads):
    path, flag = tmp_path / "store.jsonl", tmp_path / "flag"
    flag.touch()
    study = Study("sometimes", 1, sweep_studies.sometimes)
    points = list(grid({"x": list(range(1, 200, 2)), "flag": str(flag)}))
    assert run_sweep(study, points, threads, path, keep_going=True).failed == 100
    again = run_sweep(study, points, threads, path, retry=True, in_flight=4)
    assert again.gave_up is not None
    assert again.computed < 60
    assert (again.done, again.failed) == (0, 100)


def test_an_interrupt_waits_until_what_came_in_is_stored(tmp_path, threads, monkeypatch):
    path, points = tmp_path / "store.jsonl", cosine_points(40)
    append = Store.append
    calls: list[int] = []

    def interrupted(self: Store, records: Any) -> None:
        calls.append(len(records))
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0)  # it is handled here
        append(self, records)

    monkeypatch.setattr(Store, "append", interrupted)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(COSINE, points, threads, path)
    assert signal.getsignal(signal.SIGINT) is before
    assert len(calls) <= 4  # what came in behind the signal may be one more batch
    stored = len(read_records(path))
    assert stored == sum(calls) < 40
    assert run_sweep(COSINE, points, threads, path).computed == 40 - stored


def test_a_worker_that_is_interrupted_ends_the_run_like_ctrl_c(tmp_path):
    """Of an executor whose workers see the terminal's Ctrl-C themselves; what came in with it is stored."""

    class AtOnce(Executor):
        def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Any:
            future: Future[Any] = Future()
            try:
                future.set_result(function(*arguments, **options))
            except BaseException as error:
                future.set_exception(error)
            return future

    path = tmp_path / "store.jsonl"
    study = Study("interrupted", 1, sweep_studies.interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(study, grid({"x": list(range(30))}), AtOnce(), path, in_flight=20)
    assert sorted(entry.point["x"] for entry in read_records(path)) == [x for x in range(20) if x != 8]


def test_costs_are_written_only_when_there_are_some(tmp_path, threads):
    path, points = tmp_path / "store.jsonl", cosine_points(4)
    costs = tmp_path / "store.costs.jsonl"
    run_sweep(COSINE, points[:2], threads, path)
    before = costs.read_bytes()
    run_sweep(COSINE, points[:2], threads, path)
    assert costs.read_bytes() == before
    costs.write_bytes(before[:-5])  # a half-written last line spoils none that follows
    run_sweep(COSINE, points, threads, path)
    assert costs.read_bytes().startswith(before[:-5] + b"\n{")
    assert len(read_costs(path)) == 3
    assert b"\n\n" not in costs.read_bytes()


def test_what_is_no_plain_mapping_is_a_failure(threads):
    result = run_sweep(Study("strange", 1, sweep_studies.strange), [make_point(x=1)], threads)
    assert "plain values" in str(result.records[0].failure)
    nothing = run_sweep(Study("nothing", 1, lambda point: None), [make_point(x=1)], threads)
    assert "a result must be a mapping of names to values, got NoneType" in str(nothing.records[0].failure)
    leaving = run_sweep(Study("leaving", 1, lambda point: sys.exit(3)), [make_point(x=1)], threads)
    assert leaving.records[0].failure == "SystemExit: 3"


def test_few_points_are_submitted_at_a_time():
    class Counting(ThreadPoolExecutor):
        most = 0
        running = 0

        def submit(self, *arguments: Any, **options: Any) -> Any:
            future = super().submit(*arguments, **options)
            Counting.running += 1
            Counting.most = max(Counting.most, Counting.running)
            future.add_done_callback(self.finished)
            return future

        def finished(self, _: Any) -> None:
            Counting.running -= 1

    with Counting(2) as executor:
        run_sweep(SLEEPY, grid({"x": list(range(100))}), executor, in_flight=7)
    assert 2 <= Counting.most <= 7


def test_progress_tells_the_time_that_is_left():
    """One worker, a point of size N takes N^2 microseconds: the mean alone would say too little, since the sizes grow."""
    points = [make_point(N=N) for N in (100, 110, 120, 130, 140, 150, 240, 260, 280, 300, 320, 340)]
    now = 5.0
    left = TimeLeft(points, clock=lambda: now)
    assert left.seconds() is None
    estimates = []
    for point in points:
        now += 1e-6 * point["N"] ** 2
        left.finished(point, 1e-6 * point["N"] ** 2)
        estimates.append(left.seconds())
    assert estimates[:4] == [None] * 4
    truth = [1e-6 * sum(later["N"] ** 2 for later in points[place + 1 :]) for place in range(12)]
    # The model fits powers exactly, up to slopes pulled to their own mean: 1e-6 relative is far above the rounding.
    assert all(abs(found - true) <= 1e-6 * true for found, true in zip(estimates[4:-1], truth[4:-1], strict=True))
    assert estimates[-1] == 0.0


def test_the_time_that_is_left_counts_the_workers():
    points = [make_point(N=N) for N in range(100, 120)]
    now = 0.0
    left = TimeLeft(points, clock=lambda: now)
    for point in points[:10]:
        now += 0.5  # two at a time
        left.finished(point, 1.0)
    found = left.seconds()
    assert found is not None
    assert abs(found - 5.0) < 1e-6


def test_progress_is_called_after_each_batch():
    seen: list[Progress] = []
    with ThreadPoolExecutor(1) as executor:
        run_sweep(SLEEPY, grid({"x": list(range(12))}), executor, progress=seen.append, in_flight=2)
    assert seen[0] == Progress(0, 0, 12, None)
    assert seen[-1] == Progress(12, 0, 12, 0.0)
    assert [state.done for state in seen] == sorted(state.done for state in seen)
    assert len(seen) > 4


def test_arguments_that_do_not_go_together(tmp_path, threads):
    with pytest.raises(InputError, match="belong to the default executor"):
        run_sweep(SLEEPY, [], threads, workers=2)
    with pytest.raises(InputError, match="cannot be sent to other processes"):
        run_sweep(Study("local", 1, lambda point: {}), [make_point(x=1)])
    with (
        Store(tmp_path / "store.jsonl", COSINE) as store,
        pytest.raises(InputError, match="was opened for the study 'cosine'"),
    ):
        run_sweep(SLEEPY, [], threads, store)


# --- processes ---------------------------------------------------------------------------------------------------------


def test_one_process_and_several_give_the_same_store_and_one_thread_each(tmp_path):
    points = cosine_points(40)
    for workers in (1, 2):
        run_sweep(COSINE, points, None, tmp_path / f"{workers}.jsonl", workers=workers)
    assert sorted_lines(tmp_path / "1.jsonl") == sorted_lines(tmp_path / "2.jsonl")
    assert len(sorted_lines(tmp_path / "1.jsonl")) == 40
    with local_executor(1) as executor:
        (entry,) = run_sweep(Study("threads", 1, sweep_studies.threads), [make_point(x=1)], executor).records
    assert entry.result == {"threads": 1}
    with ThreadPoolExecutor(1) as executor:
        (entry,) = run_sweep(Study("threads", 1, sweep_studies.threads), [make_point(x=1)], executor).records
    assert entry.result == {"threads": 1}


def test_a_killed_worker_loses_nothing(tmp_path):
    points = grid({"x": list(range(12)), "flag": str(tmp_path / "flag")})
    result = run_sweep(Study("kills", 1, sweep_studies.kills_its_worker), points, workers=1)
    assert (result.done, result.failed) == (12, 0)


@pytest.mark.heavy
def test_a_point_that_kills_its_worker_fails_alone():
    points = grid({"x": list(range(12)), "flag": [None]})
    result = run_sweep(Study("kills", 1, sweep_studies.kills_its_worker), points, workers=2)
    assert (result.done, result.failed) == (11, 1)
    (failed,) = (entry for entry in result.records if entry.failure)
    assert failed.point["x"] == 3
    assert str(failed.failure).startswith("WorkerDied")


def test_a_given_pool_that_breaks_is_one_line(tmp_path):
    import multiprocessing

    path = tmp_path / "store.jsonl"
    study, points = Study("kills", 1, sweep_studies.kills_its_worker), list(grid({"x": list(range(6)), "flag": [None]}))
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        pytest.raises(InputError, match="the given executor lost a worker"),
    ):
        run_sweep(study, points, pool, path)
    assert [entry.point["x"] for entry in read_records(path)] != []


def test_a_point_beyond_the_memory_limit_fails_and_the_others_go_on():
    points = [make_point(x=x) for x in (1, 6000, 2)]
    result = run_sweep(Study("greedy", 1, sweep_studies.greedy), points, workers=1, memory_limit=3 * 10**9)
    assert (result.done, result.failed) == (2, 1)
    assert {entry.failure for entry in result.records} == {None, "MemoryError"}


def test_workers_that_cannot_start_are_one_line(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="worker processes end before they compute anything"):
        run_sweep(SLEEPY, [make_point(x=1)], workers=1, memory_limit=5 * 10**7)
    monkeypatch.setattr(running, "is_ready", sweep_studies.is_not_ready)  # libraries that find no memory when imported
    for limit in (None, 3 * 10**9):
        arguments: Any = {"workers": 1, "memory_limit": limit}
        if limit is None:
            assert run_sweep(SLEEPY, [make_point(x=1)], **arguments).done == 1
        else:
            with pytest.raises(InputError, match="a memory limit must leave room"):
                run_sweep(SLEEPY, [make_point(x=1)], **arguments)
    monkeypatch.undo()
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from hippo_theory.sweeps import grid, run_sweep\nfrom sweep_studies import SLEEPY\n"
        "run_sweep(SLEEPY, grid({'x': [1, 2, 3]}), workers=1)\n"
    )
    found = subprocess.run([sys.executable, script], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "a script needs `if __name__" in found.stderr.splitlines()[-1]


def undisturbed(path: Path, count: int) -> list[bytes]:
    with ThreadPoolExecutor(8) as executor:
        run_sweep(COSINE, cosine_points(count), executor, path)
    return sorted_lines(path)


def killed_at_random_moments(tmp_path: Path, kills: int, count: int, seed: int) -> None:
    """Kill runs at random moments of their lives until so many were killed; then let one end."""
    expected = undisturbed(tmp_path / "undisturbed.jsonl", count)
    path, generator = tmp_path / "killed.jsonl", random.Random(seed)
    command = [sys.executable, str(ROOT / "tests" / "sweep_studies.py"), str(path), str(count), "2"]
    seen, killed, moments = 0, 0, []
    while killed < kills:
        size = path.stat().st_size if path.exists() else 0
        process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if generator.random() < 0.8:  # most of them while points are being written
            while process.poll() is None and (path.stat().st_size if path.exists() else 0) == size:
                time.sleep(0.001)
            time.sleep(generator.uniform(0, 0.06))
        else:
            time.sleep(generator.uniform(0, 1.0))
        process.kill()
        output, _ = process.communicate()
        assert process.returncode in (-signal.SIGKILL, 0), output
        killed += process.returncode != 0
        records = read_records(path) if path.exists() else []
        assert len(records) >= seen, "a finished point was lost"
        seen = len(records)
        moments.append(seen)
        assert seen < count, f"too few points for {kills} kills: {moments}"
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert len(set(moments)) > kills / 3, f"the kills came too early: {moments}"
    assert sorted_lines(path) == expected


def test_killed_at_random_moments_and_resumed_the_store_is_the_same(tmp_path):
    killed_at_random_moments(tmp_path, kills=2, count=80, seed=1)


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_killed_at_fifty_random_moments_and_resumed_the_store_is_the_same(tmp_path):
    killed_at_random_moments(tmp_path, kills=50, count=2500, seed=2)


def test_workers_end_with_a_killed_parent(tmp_path):
    path = tmp_path / "store.jsonl"
    command = [sys.executable, str(ROOT / "tests" / "sweep_studies.py"), str(path), "4000", "2"]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE)
    while not path.exists() or not path.stat().st_size:
        time.sleep(0.01)
    process.kill()
    # Its workers hold the other end of this pipe: it ends when they do.
    output, _ = process.communicate(timeout=20)
    assert output == b""


@pytest.mark.heavy
@pytest.mark.timeout(300)
def test_ten_thousand_points_of_a_millisecond(tmp_path):
    """At most 2 ms of work a point, in this process and 2 workers; and the memory of this process stays as it is.

    Processor time, which a busy machine does not lengthen as it does the time that goes by: the points themselves sleep.
    """
    points = list(grid({"x": list(range(10_000))}))

    def processor_seconds() -> float:
        return sum(
            usage.ru_utime + usage.ru_stime
            for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
        )

    began = processor_seconds()
    run_sweep(SLEEPY, points, None, tmp_path / "counted.jsonl", workers=2)
    overhead = (processor_seconds() - began) / 10_000
    assert overhead <= 0.002, f"{1e3 * overhead:.2f} ms a point"
    memory: dict[int, int] = {}

    def watch(progress: Progress) -> None:
        place = progress.done // 1000
        if place not in memory:
            memory[place] = tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        run_sweep(SLEEPY, points, None, tmp_path / "traced.jsonl", workers=2, progress=watch)
    finally:
        tracemalloc.stop()
    assert memory[9] - memory[2] < 3_000_000, memory  # the keys of finished points: about 300 bytes each


# --- Dask --------------------------------------------------------------------------------------------------------------


@pytest.mark.heavy
@pytest.mark.timeout(300)
def test_one_process_four_processes_and_three_dask_workers_agree_and_a_killed_one_is_no_loss(tmp_path):
    points = cosine_points(300)
    for workers in (1, 4):
        run_sweep(COSINE, points, None, tmp_path / f"{workers}.jsonl", workers=workers)
    with dask_executor("local:3") as executor:
        run_sweep(COSINE, points, executor, tmp_path / "dask.jsonl")
        process_ids = executor._client.run(os.getpid)
        assert len(set(process_ids.values())) == 3
        killed: list[int] = []

        def watch(progress: Progress) -> None:
            if not killed and progress.done >= 50:
                killed.append(next(iter(process_ids.values())))
                os.kill(killed[0], signal.SIGKILL)

        result = run_sweep(COSINE, points, executor, tmp_path / "killed.jsonl", in_flight=32, progress=watch)
        assert killed
        assert (result.done, result.failed) == (300, 0)
    expected = sorted_lines(tmp_path / "1.jsonl")
    assert len(expected) == 300
    for name in ("4", "dask", "killed"):
        assert sorted_lines(tmp_path / f"{name}.jsonl") == expected, name


def test_a_scheduler_that_does_not_answer_is_one_line(monkeypatch):
    from hippo_theory.sweeps import executors

    monkeypatch.setattr(executors, "_PATIENCE", "200ms")
    with pytest.raises(InputError, match="no Dask scheduler answers at"), dask_executor("tcp://127.0.0.1:9"):
        pass
    with pytest.raises(InputError, match="is not ours to set"), dask_executor("tcp://127.0.0.1:9", memory_limit=1):
        pass


# --- planning ----------------------------------------------------------------------------------------------------------


def test_the_cost_model_finds_powers_in_each_group_and_extrapolates():
    def cost(point: Any, exponent: float = 2.0) -> float:
        return 1e-6 * point["N"] ** exponent / float(point["step"]) * (3 if point["method"] == "a" else 1)

    points = list(grid({"N": [64, 128, 256, 512, 1024], "method": ["a", "b"], "step": ["0.1", "0.01"]}))
    model = CostModel.fit(points, [cost(point) for point in points])
    assert model.sizes == ("N", "step")
    further = list(grid({"N": [2048, 4096], "method": ["a", "b"], "step": ["0.001"]}))
    for point in further:
        # 20 points, logarithms below 20, a condition below 1000 times eps
        assert abs(model.cost(point) / cost(point) - 1) < 20 * 20 * 1000 * 2.0**-52
    mixed = CostModel.fit(points, [cost(point, 2.0 if point["method"] == "a" else 1.0) for point in points])
    for point in further:  # drawn to the mean, 1.5, but nearer to their own
        own, other = (cost(point, exponent) for exponent in ((2.0, 1.5) if point["method"] == "a" else (1.0, 1.5)))
        assert min(own, (own * other) ** 0.5) < mixed.cost(point) * (1 + 1e-9)
        assert mixed.cost(point) < max(own, (own * other) ** 0.5) * (1 + 1e-9)


def measured_as(seconds: Any, own_bytes: Any, start: int = 10**8) -> Any:
    """A `measure` for plans of points whose costs are known; and the time that each of those asked for took."""
    asked: dict[Any, float] = {}

    def measure(point: Any, allowed: float | None) -> Outcome | None:
        took = seconds(point)
        asked[point] = took if allowed is None else min(took, allowed)
        if allowed is not None and took > allowed:
            return None
        return Outcome(None, None, took, took, start + own_bytes(point), start)

    return measure, asked


def test_a_plan_measures_cheap_points_and_predicts_the_rest():
    def cost(point: Any) -> float:
        return 1e-3 + 1e-8 * point["N"] ** 2 * (3 if point["method"] == "a" else 1)

    def memory(point: Any) -> int:
        return 5000 * point["N"]

    points = list(grid({"N": [64 * 2**k for k in range(11)], "method": ["a", "b"]}))
    measure, asked = measured_as(cost, memory)
    plan = plan_from(points, measure, 4, 20.0)
    assert plan.pilot_points <= len(asked) < len(points)
    assert sum(asked.values()) <= 2.5 * 20.0  # as long again for memory; the last may have seemed cheaper
    assert abs(plan.work_seconds / sum(map(cost, points)) - 1) < 0.3
    assert abs(plan.seconds / predicted_seconds([cost(point) for point in points], 4) - 1) < 0.3
    assert abs(plan.worker_bytes / (10**8 + max(map(memory, points))) - 1) < 0.3
    assert plan.bytes == 4 * plan.worker_bytes
    with pytest.raises(InputError, match="no points"):
        plan_from([], measure, 1, 1.0)


def test_a_plan_is_corrected_by_points_drawn_at_random():
    """A cost with a ridge, which powers do not follow: the model alone is wrong by more than the corrected plan."""

    def cost(point: Any) -> float:
        return 1e-2 * np.exp(-2 * abs(np.log(point["N"] / 100 * float(point["step"]))))

    points = list(grid({"N": [2**k for k in range(12)], "step": [str(2**k) for k in range(12)]}))
    measure, asked = measured_as(cost, lambda point: 2**21)
    plan = plan_from(points, measure, 1, 30.0)
    assert len(asked) < len(points) / 2
    assert abs(plan.work_seconds / sum(map(cost, points)) - 1) < 0.3


def test_a_plan_tries_the_points_of_most_memory():
    """Memory grows like N up to a bound, which no extrapolation sees."""

    def memory(point: Any) -> int:
        return min(10**5 * point["N"], 4 * 10**8)

    points = list(grid({"N": [2**k for k in range(18)]}))
    measure, _ = measured_as(lambda point: 1e-4 * point["N"], memory)
    plan = plan_from(points, measure, 1, 15.0)
    assert plan.worker_bytes == 5 * 10**8
    # Where the largest point takes longer than it may, what was extrapolated stays.
    slow, asked = measured_as(lambda point: 1e-4 * point["N"] if point["N"] < 2**12 else 100.0, memory)
    unseen = plan_from(points, slow, 1, 1.0)
    assert 2**17 in {point["N"] for point in asked}
    assert unseen.worker_bytes > 2 * 10**9


def test_a_plan_survives_points_that_fail_take_too_long_or_kill_their_worker(tmp_path):
    study = Study("trouble", 1, sweep_studies.trouble)
    points = list(grid({"x": [1, 2, 3, 4]}))
    plan = plan_sweep(study, points, workers=2, seconds=0.5)
    assert (plan.points, plan.pilot_points) == (4, 1)
    assert plan.worker_bytes > 2e7
    with pytest.raises(InputError, match="no point of the pilot could be computed, the last one being x=4: WorkerDied"):
        plan_sweep(study, points[3:], workers=1)
    with _measuring(study, None, None) as measure:
        assert measure(make_point(x=0), 0.2) is None  # it sleeps for a minute
        after = measure(make_point(x=1), None)
        assert after is not None
        assert after.failure is None
    with pytest.raises(InputError, match="no points"):
        plan_sweep(study, [], workers=1)


def test_time_left_of_an_earlier_run_is_known_at_once(tmp_path):
    path, points = tmp_path / "store.jsonl", cosine_points(20)
    with ThreadPoolExecutor(1) as executor:
        run_sweep(COSINE, points[:10], executor, path)
    left = TimeLeft(points[10:])
    left.learn({COSINE.key(point): point for point in points}, read_costs(path))
    left.finished(points[10], 0.004)
    assert left.seconds() is not None
    path.with_name("store.costs.jsonl").write_bytes(b'{"key": "x", "sec\nnonsense\n')
    assert read_costs(path) == {}
    with ThreadPoolExecutor(1) as executor:
        assert run_sweep(COSINE, points, executor, path).computed == 10


def test_the_limit_of_file_sizes_is_there():
    """What the test of a full disk stands on."""
    assert hasattr(resource, "RLIMIT_FSIZE")
    assert run_python("-c", "import hippo_theory.sweeps").returncode == 0
