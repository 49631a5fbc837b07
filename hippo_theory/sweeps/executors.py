"""Where points are evaluated: processes of this machine, or a Dask cluster; each a `concurrent.futures` executor."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import re
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from hippo_theory.errors import InputError, MissingDependencyError, checked_size
from hippo_theory.sweeps.points import Study

__all__ = ["NO_WORKER", "START", "check_importable", "dask_executor", "local_executor", "processor_count"]

NO_WORKER = (
    'worker processes end before they compute anything: a script needs `if __name__ == "__main__":` around its '
    "run_sweep or plan_sweep, and a memory limit must leave room for Python and its libraries (about 1 GB)"
)
START = 120.0  # seconds for a worker to start: without memory some libraries wait for ever
_PATIENCE = "10s"  # for a scheduler to answer


def processor_count() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_importable(study: Study) -> None:
    """Refuse a study that other processes cannot find."""
    try:
        pickle.dumps(study.evaluate)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InputError(
            f"`evaluate` of the study {study.name!r} cannot be sent to other processes: {error}; define it at the top of a "
            "module, or give an executor of threads"
        ) from error


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """SIGINT waits until the end of the block, and for ever in processes and threads that are started in it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # starting it later, with the first process, would let SIGINT through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Spawning(SpawnContext):
    """Starts processes anew and knows which: other children of this process are not ours to end."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[BaseProcess] = []

    def Process(self, *args: Any, **kwargs: Any) -> BaseProcess:  # type: ignore[override]
        process = SpawnProcess(*args, **kwargs)
        self.started.append(process)
        return process


class _Processes(ProcessPoolExecutor):
    """A process pool whose workers never see Ctrl-C: it is this process that decides."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        with _interrupts_blocked():
            return super().submit(fn, *args, **kwargs)


@contextmanager
def local_executor(workers: int | None = None, *, memory_limit: int | None = None) -> Iterator[Executor]:
    """Processes of this machine, started anew (`spawn`), each with one BLAS thread; ended at the end of the block.

    Parameters
    ----------
    workers : int, optional
        By default as many as there are processors.
    memory_limit : int, optional
        Bytes of address space that each worker may take (`RLIMIT_AS`, which counts what is reserved as well as what is
        used; about 1 GB is reserved by the libraries alone). Beyond it an allocation fails and so does the point.

    Yields
    ------
    concurrent.futures.Executor

    Raises
    ------
    InputError
        If workers or memory_limit is not a whole number of at least 1.

    Notes
    -----
    A worker ends when this process ends, even if that is killed. What is evaluated must be importable: a script that
    calls this needs ``if __name__ == "__main__":``.
    """
    count = processor_count() if workers is None else checked_size("workers", workers)
    limit = None if memory_limit is None else checked_size("memory_limit", memory_limit)
    context = _Spawning()
    pool = _Processes(count, mp_context=context, initializer=_start_worker, initargs=(limit,))
    try:
        yield pool
    except BaseException:
        # A point may take hours; what it would return could not be used.
        pool.shutdown(wait=False, cancel_futures=True)
        for process in context.started:
            if process.is_alive():
                process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker(memory_limit: int | None) -> None:
    if memory_limit is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory_limit, memory_limit))
    with suppress(OSError):
        # Where memory ends, Linux shall kill a worker, whose point can be tried again, and not its parent.
        Path("/proc/self/oom_score_adj").write_text("500")
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A pool's workers wait for work on a pipe that they hold open themselves: they would outlive a killed parent."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


@contextmanager
def dask_executor(scheduler: str, *, memory_limit: int | None = None) -> Iterator[Executor]:
    """The executor of a Dask cluster: ``local:8`` starts one of 8 worker processes here, an address joins one.

    Parameters
    ----------
    scheduler : str
        ``local:K``, or the address of a scheduler, such as ``tcp://10.0.0.1:8786``.
    memory_limit : int, optional
        Bytes for each worker of ``local:K``: Dask restarts one that takes more. The workers of a cluster that already runs
        have their own (``dask worker --memory-limit``).

    Yields
    ------
    concurrent.futures.Executor

    Raises
    ------
    InputError
        If the scheduler does not answer, or a memory limit is given for a cluster that already runs.
    MissingDependencyError
        Without distributed.
    """
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise MissingDependencyError(
            'a Dask cluster needs distributed: pip install "hippo_theory[cluster]"; or leave --scheduler out'
        ) from error
    if local := re.fullmatch(r"local:(\d+)", scheduler):
        count = checked_size("workers of local:K", int(local[1]))
        with _interrupts_blocked():  # its threads and processes inherit that
            cluster = distributed.LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address=None,
                memory_limit=memory_limit or 0,
                silence_logs=logging.CRITICAL,
            )
        with cluster, distributed.Client(cluster) as client:
            yield client.get_executor(pure=False)
        return
    if memory_limit is not None:
        raise InputError(
            "`memory_limit` is not ours to set on a cluster that already runs; start its workers with --memory-limit"
        )
    try:
        client = distributed.Client(scheduler, timeout=_PATIENCE)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(
            f"no Dask scheduler answers at {scheduler!r}; start one with `dask scheduler`, or use --scheduler local:8"
        ) from error
    with _silenced("distributed", "distributed.client", "tornado.application"), client:
        yield client.get_executor(pure=False)  # a lost scheduler is one line of ours, and no traceback of theirs


@contextmanager
def _silenced(*names: str) -> Iterator[None]:
    """No messages of these loggers; one that has a level of its own does not heed that of its parent."""
    logs = [logging.getLogger(name) for name in names]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)
