"""One point evaluated in a worker: one BLAS thread, a failure as a message, its cost measured."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hippo_theory.sweeps.points import Point, Scalar, make_point

__all__ = ["Outcome", "evaluate_point", "this_process"]


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
    """

    result: Mapping[str, Scalar] | None
    failure: str | None
    seconds: float
    processor_seconds: float
    peak_bytes: int


def evaluate_point(
    evaluate: Callable[..., Mapping[str, Scalar]], point: Point, seed: int | None, submitter: str
) -> Outcome:
    """Evaluate a study at one point; `submitter` is the process that asks, whose BLAS threads are not touched."""
    if this_process() != submitter:
        _one_thread()
    _reset_peak()
    began, began_processor = time.perf_counter(), time.process_time()
    result: Mapping[str, Scalar] | None = None
    failure = None
    try:
        result = evaluate(point) if seed is None else evaluate(point, seed)
        result = make_point(result).as_dict()
    except Exception as error:
        result, failure = None, _message(error)
    return Outcome(result, failure, time.perf_counter() - began, time.process_time() - began_processor, _peak_bytes())


def this_process() -> str:
    """The name of this process among those of all machines."""
    return f"{platform.node()}:{os.getpid()}"


def _message(error: Exception) -> str:
    text = " ".join(str(error).split())[:1000]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@lru_cache(maxsize=1)
def _one_thread() -> Any:
    """Workers are as many as processors: threads within them would only fight. Kept for the life of the process."""
    import scipy.linalg  # noqa: F401  its BLAS must be there to be limited
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)


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
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024
