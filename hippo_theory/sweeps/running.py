"""Running a study over many points, so that whatever happens no finished point is lost and none is computed twice.

Few points are submitted at a time, so that the memory of this process does not grow with the study. Results are written
as they come: all that wait are one batch, and a batch is finished when it is on the disk.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from hippo_theory.errors import InputError, checked_size
from hippo_theory.sweeps.costs import CostFile, TimeLeft
from hippo_theory.sweeps.evaluation import Outcome, evaluate_point, is_ready, one_thread, this_process
from hippo_theory.sweeps.executors import NO_WORKER, START, check_importable, local_executor, processor_count
from hippo_theory.sweeps.points import Point, Study
from hippo_theory.sweeps.store import Record, Store

__all__ = ["Progress", "SweepResult", "run_sweep"]

_HOPELESS = 20  # so many failures and no result: something is wrong with all of them
_ALONE = 2  # attempts of a point that may have killed its worker, with no other point running


@dataclass(frozen=True)
class Progress:
    """How far a sweep is.

    Attributes
    ----------
    done, failed, total : int
        Points, those of earlier runs included.
    seconds_left : float or None
        From the cost model of the points done; None before there are enough of them.
    """

    done: int
    failed: int
    total: int
    seconds_left: float | None


@dataclass(frozen=True)
class SweepResult:
    """What a sweep came to.

    Attributes
    ----------
    points, done, failed : int
        Distinct points asked for; of those, how many have a result, and how many failed.
    computed : int
        How many were evaluated now rather than found in the store.
    store : Path or None
    records : tuple of Record
        Of the points evaluated now, where there is no store; in the order of the keys.
    gave_up : str or None
        Why the sweep ended before all points were tried.
    """

    points: int
    done: int
    failed: int
    computed: int
    store: Path | None
    records: tuple[Record, ...] = ()
    gave_up: str | None = None


@dataclass
class _Tally:
    """What is known while the sweep runs."""

    total: int
    done: int
    failed: int
    successes: int = 0
    tried: set[str] = field(default_factory=set)
    records: list[Record] = field(default_factory=list)


def run_sweep(
    study: Study,
    points: Iterable[Point],
    executor: Executor | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    *,
    workers: int | None = None,
    memory_limit: int | None = None,
    retry: bool = False,
    keep_going: bool = False,
    in_flight: int = 256,
    progress: Callable[[Progress], None] | None = None,
) -> SweepResult:
    """Evaluate a study at every point that its store does not hold yet.

    Parameters
    ----------
    study : Study
    points : iterable of Point
        Repeated ones count once.
    executor : concurrent.futures.Executor, optional
        Where to; it is left open. By default processes of this machine (`local_executor`), which are replaced if one is
        killed.
    store : Store or path, optional
        Where finished points are kept; without one they are returned.
    workers, memory_limit : int, optional
        Of the default executor.
    retry : bool
        Whether points that failed in an earlier run are tried again.
    keep_going : bool
        Go on even where each of the first 20 points fails.
    in_flight : int
        Most points submitted at a time; at least twice the number of workers keeps all of them busy.
    progress : callable, optional
        Called with a `Progress` after each batch.

    Returns
    -------
    SweepResult

    Raises
    ------
    InputError
        For bad arguments, a store that cannot be used (see `Store`), worker processes that cannot start, or a given
        executor that breaks.

    Notes
    -----
    A point fails if `evaluate` raises, if it returns what is no plain mapping, or if its worker dies twice while no other
    point is running. The store then has the message, and the others go on. After KeyboardInterrupt, which waits until what
    has come in is stored (a second one does not), or any other end, the same call goes on where this one stopped.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from hippo_theory.sweeps import Study, grid, run_sweep
    >>> study = Study("squares", 1, lambda point: {"square": point["x"] ** 2})
    >>> with ThreadPoolExecutor(1) as executor:
    ...     result = run_sweep(study, grid({"x": [1, 2, 3]}), executor)
    >>> result.done, sorted(record.result["square"] for record in result.records)
    (3, [1, 4, 9])
    """
    in_flight = checked_size("in_flight", in_flight)
    distinct = {study.key(point): point for point in points}
    make_executor: Callable[[], AbstractContextManager[Executor]]
    if executor is None:
        check_importable(study)
        make_executor = partial(local_executor, workers, memory_limit=memory_limit)
    elif workers is not None or memory_limit is not None:
        raise InputError("`workers` and `memory_limit` belong to the default executor; set them where yours is made")
    else:
        given = executor
        make_executor = lambda: nullcontext(given)  # noqa: E731
    with ExitStack() as stack:
        opened = store if isinstance(store, Store) or store is None else stack.enter_context(Store(store, study))
        if opened is not None and (opened.study.name, opened.study.version) != (study.name, study.version):
            raise InputError(
                f"the store {opened.path} was opened for the study {opened.study.name!r}, version {opened.study.version}, "
                f"not for {study.name!r}, version {study.version}; open it for this one"
            )
        done = set() if opened is None else set(opened.done)
        earlier = set() if opened is None else opened.failed & distinct.keys()
        waiting = [(key, point) for key, point in distinct.items() if key not in done and (retry or key not in earlier)]
        tally = _Tally(
            len(distinct),
            sum(key in done for key in distinct),
            0 if retry else len(earlier),
        )
        costs = None if opened is None else stack.enter_context(CostFile(opened.path))
        left = TimeLeft([point for _, point in waiting])
        if opened is not None and costs is not None:
            left.learn({key: distinct[key] for key in distinct if key in done}, costs.earlier)
        if executor is not None:
            stack.enter_context(one_thread())  # it may be one of threads, whose BLAS is ours
        run = _Run(study, opened, costs, left, tally, keep_going, progress, owned=executor is None)
        with run.deferred_interrupts():
            if memory_limit is not None and waiting:
                run.check_workers(make_executor)
            gave_up = run.all(waiting, make_executor, in_flight, workers or processor_count())
        if retry:
            tally.failed += len(earlier & {key for key, _ in waiting} - tally.tried)
        records = tuple(sorted(tally.records, key=lambda record: record.key))
        path = None if opened is None else opened.path
        return SweepResult(tally.total, tally.done, tally.failed, len(tally.tried), path, records, gave_up)


_Task = tuple[str, Point]


@dataclass
class _Run:
    """The loop of one sweep, with what it writes to."""

    study: Study
    store: Store | None
    costs: CostFile | None
    left: TimeLeft
    tally: _Tally
    keep_going: bool
    progress: Callable[[Progress], None] | None
    owned: bool  # whether the executor is ours, to be replaced if it breaks
    finished: SimpleQueue[Future[Any] | None] = field(default_factory=SimpleQueue)  # None: an interrupt

    @contextmanager
    def deferred_interrupts(self) -> Iterator[None]:
        """The first Ctrl-C waits in line behind what is finished, the second is KeyboardInterrupt at once.

        Handlers are those of the main thread; another handler than Python's own is left alone.
        """
        before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
            yield
            return

        def wait_in_line(*_: Any) -> None:
            signal.signal(signal.SIGINT, before)
            self.finished.put(None)

        signal.signal(signal.SIGINT, wait_in_line)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        while not self.finished.empty():
            if self.finished.get() is None:  # it came after the last point
                raise KeyboardInterrupt

    def all(
        self,
        tasks: list[_Task],
        make_executor: Callable[[], AbstractContextManager[Executor]],
        in_flight: int,
        workers: int,
    ) -> str | None:
        """Evaluate all tasks; returns why some were not tried, or None."""
        waiting: deque[_Task] = deque(tasks)
        deaths: dict[str, int] = {}  # of points that may have killed their worker: how often it died with them alone
        suspects: deque[_Task] = deque()
        healthy = False
        self._report()
        while waiting or suspects:
            alone = bool(suspects)
            with make_executor() as executor:
                lost, stopped = self._through(suspects if alone else waiting, executor, 1 if alone else in_flight)
            if stopped:
                return stopped
            if lost and not self.owned:
                raise InputError(
                    "the given executor lost a worker, or its scheduler, and cannot go on; finished points are kept: make a new "
                    "one and run the same sweep again"
                )
            if lost and not healthy:
                self.check_workers(make_executor)
                healthy = True
            if alone and lost:
                key = lost[0][0]
                deaths[key] = deaths.get(key, 0) + 1
                if deaths[key] < _ALONE:
                    suspects.appendleft(lost[0])
                else:
                    message = "WorkerDied: the process was killed, or crashed, twice while it computed this point alone"
                    self._finish([(lost[0], Outcome(None, message, 0.0, 0.0, 0))])
            elif lost:
                # Points are taken in the order in which they were submitted: those that were running are the first.
                suspects.extend(lost[: 2 * workers])
                waiting.extendleft(reversed(lost[2 * workers :]))
        return None

    def check_workers(self, make_executor: Callable[[], AbstractContextManager[Executor]]) -> None:
        """Whether a new worker can import what it needs: if the next one dies without a point, so will all."""
        try:
            with make_executor() as executor:
                ready = executor.submit(is_ready)
                ready.add_done_callback(self.finished.put)
                if self.finished.get(timeout=START) is None:
                    raise KeyboardInterrupt
                ready.result()
        except (BrokenExecutor, Empty, MemoryError, ImportError, OSError) as error:
            raise InputError(NO_WORKER) from error

    def _through(self, waiting: deque[_Task], executor: Executor, in_flight: int) -> tuple[list[_Task], str | None]:
        """Pass what waits through an executor; returns what a dying worker lost, and why it stopped early if it did."""
        running: dict[Future[Outcome], _Task] = {}
        lost: list[_Task] = []
        stopped = None
        try:
            while running or (waiting and not lost and not stopped):
                while waiting and not lost and not stopped and len(running) < in_flight:
                    task = waiting.popleft()
                    try:
                        future = self._submit(executor, task)
                    except BrokenExecutor:
                        lost.append(task)
                        break
                    running[future] = task
                    future.add_done_callback(self.finished.put)
                interrupted = False
                batch = []
                for arrived in _drained(self.finished) if running else ():
                    if arrived is None or _is_interrupt(arrived):
                        interrupted = True
                        continue
                    task = running.pop(arrived)
                    outcome = _outcome(arrived)
                    if outcome is None:
                        lost.append(task)
                    else:
                        batch.append((task, outcome))
                self._finish(batch)
                if interrupted:
                    raise KeyboardInterrupt
                if stopped is None and (stopped := self._hopeless()):
                    for future in tuple(running):
                        future.cancel()
        except BaseException:
            # What is cancelled here would make a pool of processes complain while its workers are ended.
            for future in () if self.owned else tuple(running):
                future.cancel()
            raise
        return lost, stopped

    def _submit(self, executor: Executor, task: _Task) -> Future[Outcome]:
        seed = self.study.seed(task[1]) if self.study.random else None
        return executor.submit(evaluate_point, self.study.evaluate, task[1], seed, this_process())

    def _finish(self, batch: list[tuple[_Task, Outcome]]) -> None:
        if not batch:
            return
        records = [
            Record(self.study.name, self.study.version, key, point, outcome.result, outcome.failure)
            for (key, point), outcome in batch
        ]
        if self.store is None:
            self.tally.records.extend(records)
        else:
            self.store.append(records)
        if self.costs is not None:
            self.costs.append((key, outcome) for (key, _), outcome in batch if outcome.failure is None)
        for (key, point), outcome in batch:
            self.tally.tried.add(key)
            succeeded = outcome.failure is None
            self.left.finished(point, outcome.seconds if succeeded else None)
            self.tally.successes += succeeded
            self.tally.done += succeeded
            self.tally.failed += not succeeded
        self._report()

    def _hopeless(self) -> str | None:
        tally = self.tally
        if self.keep_going or tally.successes or len(tally.tried) < _HOPELESS:
            return None
        return f"each of the first {len(tally.tried)} points failed; --keep-going tries the others as well"

    def _report(self) -> None:
        if self.progress is not None:
            tally = self.tally
            self.progress(Progress(tally.done, tally.failed, tally.total, self.left.seconds()))


def _drained(queue: SimpleQueue[Future[Outcome] | None]) -> Iterator[Future[Outcome] | None]:
    """The next that is put there, and all that are there by then."""
    yield queue.get()
    while True:
        try:
            yield queue.get_nowait()
        except Empty:
            return


def _is_interrupt(future: Future[Outcome]) -> bool:
    """Whether a worker, of an executor that lets Ctrl-C through to it, was interrupted."""
    return not future.cancelled() and isinstance(future.exception(), KeyboardInterrupt)


def _outcome(future: Future[Outcome]) -> Outcome | None:
    """What a future came to; None if its worker died with it."""
    try:
        return future.result()
    except (BrokenExecutor, CancelledError):
        return None
    except Exception as error:  # the executor's own: a Dask worker that died too often, a result that cannot be sent
        text = " ".join(str(error).split())[:1000]
        return Outcome(None, f"{type(error).__name__}: {text}", 0.0, 0.0, 0)
