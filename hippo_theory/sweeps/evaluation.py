"""One point evaluated in a worker: one BLAS thread, a failure as a message, its cost measured."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hippo_theory.sweeps.points import Point, Scalar, checked_values

__all__ = ["Outcome", "evaluate_point", "is_ready", "one_thread", "this_process"]


@dataclass(frozen=True)
class Outcome:
    """What a worker sends back: a result or a failure, and what the point cost.

    Attributes
    ----------
    result : dict or None
    failure : str or None
    seconds : float
        Time that went by.
    processor_seconds : float
        Processor time of the worker.
    peak_bytes : int
        Most memory that the worker held during the point (where the system cannot reset that figure, since its start).
    start_bytes : int
        What it held before, of imports, caches and earlier points; 0 where the system does not tell.
    """

    result: Mapping[str, Scalar] | None
    failure: str | None
    seconds: float
    processor_seconds: float
    peak_bytes: int
    start_bytes: int = 0


def evaluate_point(
    evaluate: Callable[..., Mapping[str, Scalar]],
    point: Point,
    seed: int | None,
    submitter: str,
    *,
    settled: bool = False,
) -> Outcome:
    """Evaluate a study at one point; `submitter` is the process that asks, whose BLAS threads are not touched.

    With `settled`, memory that earlier points freed is given back first, so that peak less start is this point's own.
    """
    if this_process() != submitter:
        _one_thread_for_ever()
    if settled:
        _give_memory_back()
    start = _held_bytes()
    _reset_peak()
    began, began_processor = time.perf_counter(), time.process_time()
    result: Mapping[str, Scalar] | None = None
    failure = None
    try:
        result = evaluate(point) if seed is None else evaluate(point, seed)
        result = checked_values(result, "a result")
    except (Exception, SystemExit) as error:  # a point that calls exit ends neither its worker nor the sweep
        result, failure = None, _message(error)
    return Outcome(
        result, failure, time.perf_counter() - began, time.process_time() - began_processor, _peak_bytes(), start
    )


def this_process() -> str:
    """The name of this process among those of all machines."""
    return f"{platform.node()}:{os.getpid()}"


def is_ready() -> bool:
    """True, once this worker has imported what every point needs."""
    return _one_thread_for_ever() is not None


def _message(error: BaseException) -> str:
    text = " ".join(str(error).split())[:1000]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def one_thread() -> Any:
    """A context (and an effect at once) in which BLAS computes with one thread: workers are as many as processors."""
    import scipy.linalg  # noqa: F401  its BLAS must be there to be limited
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)


_one_thread_for_ever = lru_cache(maxsize=1)(one_thread)  # kept for the life of a worker


def _give_memory_back() -> None:
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc keeps what is freed
        if trim is not None:
            trim(0)


def _held_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # only Linux has it
        return 0


def _reset_peak() -> None:
    if sys.platform == "linux":
        try:
            Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts again from here
        except OSError:
            return


def _peak_bytes() -> int:
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return 0
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024
