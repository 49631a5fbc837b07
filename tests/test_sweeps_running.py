"""Running a sweep in this process: what is computed, failures, interrupts, costs, and the time that is left."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest
import sweep_studies
from sweep_studies import COSINE, SLEEPY, cosine_points

from hippo_theory.errors import InputError
from hippo_theory.sweeps import (
    Progress,
    Store,
    Study,
    grid,
    make_point,
    read_records,
    run_sweep,
)
from hippo_theory.sweeps.costs import TimeLeft, read_costs


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


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
