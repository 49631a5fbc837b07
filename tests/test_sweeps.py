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
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

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
    write_parquet,
)
from hippo_theory.sweeps.costs import TimeLeft, read_costs
from hippo_theory.sweeps.planning import pilot_points, predicted_seconds

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


@pytest.mark.parametrize("value", [float("nan"), [1], 1j, {"a": 1}])
def test_a_point_takes_plain_values_only(value):
    with pytest.raises(InputError, match="plain values"):
        make_point(x=value)


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
    assert all(0.004 <= cost.seconds < 1 for cost in read_costs(path).values())


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


def test_what_is_no_plain_mapping_is_a_failure(threads):
    result = run_sweep(Study("strange", 1, sweep_studies.strange), [make_point(x=1)], threads)
    assert result.records[0].failure is not None
    assert "plain values" in result.records[0].failure


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


def test_progress_tells_the_time_that_is_left(threads):
    seen: list[Progress] = []
    points = list(grid({"N": [100, 110, 120, 130, 140, 150, 240, 260, 280, 300, 320, 340], "kind": "single"}))
    began = time.perf_counter()
    moments: list[float] = []

    def watch(progress: Progress) -> None:
        seen.append(progress)
        moments.append(time.perf_counter() - began)

    with ThreadPoolExecutor(1) as executor:
        run_sweep(Study("power", 1, sweep_studies.power), points, executor, progress=watch)
    assert seen[0] == Progress(0, 0, 12, None)
    assert seen[-1] == Progress(12, 0, 12, 0.0)
    # At the sixth of twelve the mean alone would say: as long again. A busy machine makes single points slow, so that the
    # bounds are wide; what is ahead is 5 times what is behind.
    middle = next(place for place, state in enumerate(seen) if state.done == 6)
    left = seen[middle].seconds_left
    assert left is not None
    assert 1.5 * moments[middle] < left < 25 * moments[middle]
    work = {place: point["N"] ** 2 for place, point in enumerate(points)}
    behind, ahead = sum(work[place] for place in range(6)), sum(work[place] for place in range(6, 12))
    assert ahead > 3 * behind  # so that the mean alone would say too little by that factor


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
        pytest.raises(InputError, match="a worker of the given executor died"),
    ):
        run_sweep(study, points, pool, path)
    assert [entry.point["x"] for entry in read_records(path)] != []


def test_a_point_beyond_the_memory_limit_fails_and_the_others_go_on():
    points = [make_point(x=x) for x in (1, 6000, 2)]
    result = run_sweep(Study("greedy", 1, sweep_studies.greedy), points, workers=1, memory_limit=3 * 10**9)
    assert (result.done, result.failed) == (2, 1)
    assert {entry.failure for entry in result.records} == {None, "MemoryError"}


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
    """At most 2 ms more than the points themselves on 2 processes, and the memory of this process stays as it is."""
    points = list(grid({"x": list(range(10_000))}))
    memory: dict[int, int] = {}

    def watch(progress: Progress) -> None:
        place = progress.done // 1000
        if place not in memory:
            memory[place] = tracemalloc.get_traced_memory()[0]

    began = time.perf_counter()
    run_sweep(SLEEPY, points, None, tmp_path / "timed.jsonl", workers=2)
    overhead = (time.perf_counter() - began - 10_000 * 0.001 / 2) / 10_000
    assert overhead <= 0.002, f"{1e3 * overhead:.2f} ms a point"
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


def test_the_pilot_measures_cheap_points_and_predicts_the_rest():
    def cost(point: Any) -> float:
        return 1e-3 + 1e-8 * point["N"] ** 2 * (3 if point["method"] == "a" else 1)

    points = list(grid({"N": [64 * 2**k for k in range(11)], "method": ["a", "b"]}))
    chosen = pilot_points(points, cost, 20.0)
    assert len(set(chosen)) == len(chosen)
    assert sum(map(cost, chosen)) <= 1.5 * 20.0  # the last one may have been expected to cost less
    assert max(point["N"] for point in chosen) < 65536
    model = CostModel.fit(chosen, [cost(point) for point in chosen], like=points)
    assert abs(sum(map(model.cost, points)) / sum(map(cost, points)) - 1) < 0.3


def test_a_plan_predicts_what_a_sweep_takes():
    study = Study("power", 1, sweep_studies.power)
    points = list(grid({"N": [20, 40, 80, 160, 320, 640], "kind": ["single", "double"]}))
    plan = plan_sweep(study, points, workers=4, seconds=0.4)
    truth = [1e-6 * point["N"] ** 2 * (2 if point["kind"] == "double" else 1) for point in points]
    assert plan.pilot_points < 12
    assert abs(plan.work_seconds / sum(truth) - 1) < 0.3
    assert abs(plan.seconds / predicted_seconds(truth, 4) - 1) < 0.3
    assert 2e7 < plan.worker_bytes < 1e9
    assert plan.bytes == 4 * plan.worker_bytes
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
