"""Sweeps on processes and Dask workers: killed ones, memory limits, and the same store from all of them."""

from __future__ import annotations

import logging
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sweep_studies
from helpers import ROOT
from sweep_helpers import ENVIRONMENT, sorted_lines
from sweep_studies import COSINE, SLEEPY, cosine_points

from hippo_theory.errors import InputError
from hippo_theory.sweeps import (
    Progress,
    Study,
    dask_executor,
    grid,
    local_executor,
    make_point,
    read_records,
    run_sweep,
    running,
)


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


def test_only_its_own_workers_end_with_an_executor():
    """What a thread of the caller started meanwhile is not the executor's to end."""
    another = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))

    def fails_while_a_worker_is_busy() -> None:
        with local_executor(1) as executor:
            sleeping = executor.submit(time.sleep, 600)
            another.start()
            while not sleeping.running():
                time.sleep(0.001)
            raise ZeroDivisionError

    try:
        with pytest.raises(ZeroDivisionError):
            fails_while_a_worker_is_busy()
        another.join(0.5)
        assert another.exitcode is None
    finally:
        another.kill()
        another.join()


@pytest.mark.heavy
def test_a_point_that_kills_its_worker_fails_alone():
    points = grid({"x": list(range(12)), "flag": [None]})
    result = run_sweep(Study("kills", 1, sweep_studies.kills_its_worker), points, workers=2)
    assert (result.done, result.failed) == (11, 1)
    (failed,) = (entry for entry in result.records if entry.failure)
    assert failed.point["x"] == 3
    assert str(failed.failure).startswith("WorkerDied")


def test_a_given_pool_that_breaks_is_one_line(tmp_path):
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
    killed_at_random_moments(tmp_path, kills=2, count=160, seed=1)


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


def test_a_lost_scheduler_brings_no_messages_of_dask(monkeypatch):
    """Dask gives its loggers levels of their own; that of their parent does not count for them."""
    import distributed

    class Client:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def __enter__(self) -> Client:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def get_executor(self, *, pure: bool) -> None:
            return None

    monkeypatch.setattr(distributed, "Client", Client)
    logs = [logging.getLogger(name) for name in ("distributed", "distributed.client", "tornado.application")]
    before = [log.level for log in logs]
    assert any(before)
    with dask_executor("tcp://127.0.0.1:9"):
        assert not any(log.isEnabledFor(logging.CRITICAL) for log in logs)
    assert [log.level for log in logs] == before
