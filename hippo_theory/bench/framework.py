"""How a benchmark is registered, run and measured.

Each benchmark is one function, found by being defined with `benchmark`. It returns rows: our seconds, the peer's, their
ratio, and the error of both in units in the last place against certified values. BLAS threads are fixed (to the number
of processors, to the peer's advantage) and reported.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

from hippo_theory.arithmetic import balls, complex_radius, nearest
from hippo_theory.errors import InputError

__all__ = [
    "BENCHMARKS",
    "Array",
    "Row",
    "benchmark",
    "fitted_exponent",
    "largest_error",
    "ratio_row",
    "run_bench",
    "seconds",
    "ulps",
]

Array = NDArray[Any]
Row = dict[str, Any]

BENCHMARKS: dict[str, tuple[str, bool, Callable[[bool], Iterator[Row]]]] = {}


def benchmark(name: str, title: str, *, quick: bool = True) -> Callable[[Callable[[bool], Iterator[Row]]], Any]:
    """Register a benchmark; with ``quick=False`` it is left out of quick runs unless it is named."""

    def register(function: Callable[[bool], Iterator[Row]]) -> Callable[[bool], Iterator[Row]]:
        BENCHMARKS[name] = (title, quick, function)
        return function

    return register


def run_bench(
    names: Sequence[str] | None = None, quick: bool = False, progress: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Run benchmarks and return their rows and the machine they ran on.

    Parameters
    ----------
    names : sequence of str, optional
        Which; all by default.
    quick : bool
        Measure each slow peer once, and leave out those that take minutes.
    progress : callable, optional
        Called with the name of each benchmark before it runs.

    Returns
    -------
    dict
        ``rows`` (name, ours_s, peer, peer_s, ratio, exponent, ulps, peer_ulps; None where a key does not apply) and
        ``machine``.

    Raises
    ------
    InputError
        If there is no benchmark of that name.
    """
    for name in names or []:
        if name not in BENCHMARKS:
            raise InputError(f"unknown benchmark {name!r}; choose from {', '.join(BENCHMARKS)}")
    chosen = list(names) if names else [name for name, (_, in_quick, _) in BENCHMARKS.items() if in_quick or not quick]
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    rows: list[Row] = []
    with threadpool_limits(limits=threads, user_api="blas"):
        for name in chosen:
            if progress is not None:
                progress(name)
            rows.extend({"name": name, **_EMPTY, **row} for row in BENCHMARKS[name][2](quick))
        machine = _machine(threads)
    return {"rows": rows, "machine": machine}


_EMPTY: Row = dict.fromkeys(("ours_s", "peer", "peer_s", "ratio", "exponent", "ulps", "peer_ulps"))


def _machine(threads: int) -> dict[str, Any]:
    blas = [
        f"{entry.get('internal_api')} {entry.get('version')}"
        for entry in threadpool_info()
        if entry["user_api"] == "blas"
    ]
    return {
        "processor": platform.processor() or platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": sorted(set(blas)),
        "blas_threads": threads,
    }


def seconds(function: Callable[[], Any], *, repeats: int = 7, least: float = 0.05) -> float:
    """Median wall-clock seconds of one call, each sample long enough (`least` seconds) for the clock."""
    start = time.perf_counter()
    function()
    once = time.perf_counter() - start
    if repeats == 1:
        return once
    number = max(1, int(least / max(once, 1e-9)))
    samples = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(number):
            function()
        samples.append((time.perf_counter() - start) / number)
    return statistics.median(samples)


def ulps(values: Array, enclosures: Array) -> float:
    """Largest distance of float64 values from certified balls, in units in the last place of the true value."""
    worst = 0.0
    with balls(160).work() as ring:
        for value, ball in zip(values.tolist(), enclosures, strict=True):
            truth = float(nearest(ball)) if complex_radius(ball) else float(ball)
            error = float(abs(ring.number(value) - ball).upper())
            if error:
                worst = max(worst, error / float(np.spacing(abs(truth))) if truth else float("inf"))
    return worst


def largest_error(values: Array, enclosures: Array) -> float:
    """Largest absolute distance of float values, real or complex, from certified balls."""
    with balls(160).work() as ring:
        return max(
            float(abs(ring.number(v) - ball).upper()) for v, ball in zip(values.tolist(), enclosures, strict=True)
        )


def fitted_exponent(sizes: Sequence[float], values: Sequence[float], *, last: int | None = None) -> float | None:
    """The p of values ~ sizes^p: the least-squares slope of log value on log size.

    Parameters
    ----------
    sizes, values : sequence of positive numbers
    last : int, optional
        Fit the last so many only: small sizes measure what a call costs, not how it grows.

    Returns
    -------
    float or None
        None if fewer than two values are positive.

    Examples
    --------
    >>> from hippo_theory.bench import fitted_exponent
    >>> round(fitted_exponent([1, 2, 4], [3.0, 12.0, 48.0]), 12)
    2.0
    """
    pairs = [(size, value) for size, value in zip(sizes, values, strict=True) if value > 0]
    pairs = pairs if last is None else pairs[-last:]
    if len(pairs) < 2:
        return None
    logarithms = np.log(np.array(pairs, dtype=np.float64))
    return float(np.polyfit(logarithms[:, 0], logarithms[:, 1], 1)[0])


def ratio_row(ours: float, peer_name: str, peer: float, **more: Any) -> Row:
    """A row with the peer's seconds over ours as its ratio."""
    return {"ours_s": ours, "peer": peer_name, "peer_s": peer, "ratio": peer / ours, **more}
