"""Measuring the algorithms, fitting their cost models, and checking the choice on sizes that were not fitted.

    seconds of an algorithm = sum_i a_i work_i(size),    a_i >= 0,

fitted to relative errors on a grid of sizes, separately for each algorithm and family of systems. The times are those
of whole calls, in processor time of one thread, which on an idle machine is what the clock shows and on a busy one does
not count the others: several BLAS threads would wait for each other, and that would be fitted too. With many of them
matrix products gain, and nonuniform FFTs do not.

``python -m hippo_theory.convolution.crossovers`` measures anew on the machine at hand, writes ``crossovers.json`` and
prints what the choice loses on the held-out sizes; some ten minutes.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from hippo_theory.convolution.algorithms import ALGORITHMS, Problem, Size, applicable, relative_bound, size_of
from hippo_theory.convolution.choice import checked_problem, convolution_kernel, ranked_names
from hippo_theory.systems import DenseSystem, HalfSystem, System

__all__ = [
    "HELD_OUT",
    "Point",
    "Regret",
    "choice_regret",
    "fit_models",
    "fitting_points",
    "measure",
    "merged",
    "write_models",
]

_METHODS = {
    "exponential": "zoh",
    "rational": "bilinear",
    "bilinear": "bilinear",
    "dense exponential": "zoh",
    "dense rational": "bilinear",
}
_ACCURACY = 1e-9
_STEP = 0.01
_DOUBTFUL = 1.2  # a ratio from here on is measured again
_OUTLIER = 0.1  # deviations of the logarithm from here on count with their modulus


class Point(NamedTuple):
    """A family of systems, N and L; modes have one real part if `constant`."""

    family: str
    N: int
    L: int
    constant: bool = False


class Regret(NamedTuple):
    """What the choice cost at one size: its seconds, and those of the fastest algorithm that is accurate enough."""

    family: str
    N: int
    L: int
    chosen: str
    seconds: float
    best: str
    best_seconds: float
    ratio: float


class Measurement(NamedTuple):
    """Seconds of each algorithm at one size."""

    size: Size
    seconds: dict[str, float]


def example_system(point: Point) -> System:
    """A stable system of the family, drawn with a fixed seed: frequencies spread over five decades, real output."""
    random = np.random.default_rng(point.N)
    N = point.N
    if point.family.startswith("dense"):
        A = random.standard_normal((N, N)) * (2 / np.sqrt(N))
        return DenseSystem(A - A.T - 0.5 * np.eye(N), np.ones(N), np.ones((1, N)))
    frequencies = np.sort(np.exp(random.uniform(0, 11, N)))[::-1]
    real = np.full(N, -0.5) if point.constant else -np.exp(random.uniform(-2, 2, N))
    Lambda = real + 1j * frequencies
    # Outputs of one sign: the kernel is largest at lag 0, and no accuracy is lost to its being small.
    C, B = 0.5 + random.random((1, N)) + 0j, np.ones(N, dtype=np.complex128)
    if point.family == "bilinear":
        P = random.standard_normal((N, 1)) + 1j * random.standard_normal((N, 1))
        return HalfSystem(Lambda, B, C, multiplicity=np.full(N, 2), P=P)
    return HalfSystem(Lambda, B, C, multiplicity=np.full(N, 2))


def measure(point: Point, *, budget: float = 1.0, repeats: int = 15, only_passing: bool = False) -> Measurement:
    """The least seconds of every algorithm that takes the system, in interleaved repeats.

    Parameters
    ----------
    point : Point
    budget : float
        Seconds after which no further round begins (of at least 3).
    repeats : int
        Most rounds. The least time is taken: what other processes add is never negative.
    only_passing : bool
        Leave out what does not reach 1e-9.

    Returns
    -------
    Measurement
    """
    system, method = example_system(point), _METHODS[point.family]
    problem = checked_problem(system, _STEP, point.L, method)
    size = size_of(problem)
    names = passing_names(problem) if only_passing else [entry.name for entry in applicable(problem)]
    names = [name for name in names if not _is_hopeless(name, size)]
    calls = {
        name: partial(convolution_kernel, system, _STEP, point.L, method=method, accuracy=_ACCURACY, algorithm=name)
        for name in names
    }
    least = dict.fromkeys(calls, float("inf"))
    for call in calls.values():
        call()  # imports what it needs: a BLAS that is loaded later would not be limited
    with threadpool_limits(limits=1, user_api="blas"):
        start = time.perf_counter()
        for round_ in range(repeats):
            for name, call in calls.items():
                before = time.thread_time()
                call()
                least[name] = min(least[name], time.thread_time() - before)
            if round_ >= 2 and time.perf_counter() - start > budget:
                break
    return Measurement(size, least)


def passing_names(problem: Problem) -> list[str]:
    """The algorithms that reach 1e-9 by their bounds, by predicted time."""
    return [name for name in ranked_names(problem) if relative_bound(ALGORITHMS[name], problem, _ACCURACY) <= _ACCURACY]


def _is_hopeless(name: str, size: Size) -> bool:
    """Whether an algorithm would take more than some 10^10 operations where another takes far less."""
    if name == "recurrence":
        return size.L > 2**14 or (size.family != "bilinear" and size.N**2 * size.L > 2**31)
    return name in ("krylov", "generating") and size.N**3 * size.L.bit_length() > 2**33


def fitting_points() -> list[Point]:
    """The grid of the fit: N and L powers of 4 (and neighbors where the cost turns), N L at most 2^28."""
    points = []
    for family in ("exponential", "rational"):
        for N in (1, 4, 16, 64, 256, 1024, 4096, 8192):
            for L in (16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576):
                if N * L <= 2**28:
                    points.append(Point(family, N, L, family == "exponential"))
    for family in ("bilinear", "dense exponential", "dense rational"):
        sizes = (2, 4, 8, 16, 32, 64, 128) if family == "bilinear" else (4, 8, 16, 32, 64, 128, 256)
        for N in sizes:
            for L in (16, 64, 256, 1024, 4096, 16384, 65536):
                points.append(Point(family, N, L))
    return points


#: Sizes that are not in the grid of the fit: odd ones, and half powers of two.
HELD_OUT = tuple(
    Point(family, N, L, constant)
    for family, constant in (("exponential", True), ("exponential", False), ("rational", False))
    for N, L in (
        (2, 23), (3, 1_449), (5, 181), (11, 46), (11, 5_793), (23, 724), (33, 92_682), (45, 2_896), (91, 23_170),
        (101, 90), (181, 11_585), (363, 362), (363, 46_341), (725, 1_449), (725, 185_364), (1_449, 5_793),
        (2_897, 181), (2_897, 23_170), (5_793, 2_897), (5_793, 46_341), (6_001, 37),
    )
) + tuple(
    Point(family, N, L)
    for family in ("bilinear", "dense exponential", "dense rational")
    for N, L in ((3, 45), (3, 2_897), (11, 181), (11, 23_170), (23, 724), (45, 90), (45, 5_793), (91, 2_897), (181, 362))
)  # fmt: skip


def fit_models(measurements: Iterable[Measurement]) -> dict[str, list[float]]:
    """Nonnegative coefficients for each algorithm and family, by least squares of the relative errors.

    Returns
    -------
    dict
        ``"name, family"`` to as many coefficients as ``work`` has counts.
    """
    from scipy.optimize import nnls

    samples: dict[tuple[str, str], list[tuple[tuple[float, ...], float]]] = {}
    for size, seconds in measurements:
        for name, value in seconds.items():
            samples.setdefault((name, size.family), []).append((ALGORITHMS[name].work(size), value))
    models = {}
    for (name, family), rows in samples.items():
        work = np.array([counts for counts, _ in rows], dtype=np.float64)
        times = np.array([value for _, value in rows])
        units = work.max(axis=0)
        weights = 1 / times
        for _ in range(20):
            found, _ = nnls(work / units * weights[:, None], times * weights)
            ratio = np.maximum(work / units @ found, 1e-3 * times) / times
            # Relative to the mean of both, so that too much and too little weigh alike; outliers (a time that another
            # process disturbed) as their modulus and not their square.
            weights = 1 / (times * np.sqrt(ratio * np.maximum(1.0, np.abs(np.log(ratio)) / _OUTLIER)))
        models[f"{name}, {family}"] = [float(f"{value:.4g}") for value in found / units]
    return models


def choice_regret(points: Sequence[Point] = HELD_OUT, *, budget: float = 0.5) -> list[Regret]:
    """How much slower the chosen algorithm is than the best one that reaches the accuracy (1e-9), at each size.

    Parameters
    ----------
    points : sequence of Point
        By default sizes that the models were not fitted on.
    budget : float
        Seconds for each size; see `measure`.

    Returns
    -------
    list of Regret
        ``ratio`` is 1 where the choice is the best.

    Examples
    --------
    >>> from hippo_theory.convolution.crossovers import Point, choice_regret
    >>> (row,) = choice_regret([Point("exponential", 3, 50)], budget=0.01)
    >>> row.ratio >= 1
    True
    """
    rows = []
    for point in points:
        problem = checked_problem(example_system(point), _STEP, point.L, _METHODS[point.family])
        chosen = passing_names(problem)[0]
        found = measure(point, budget=budget, repeats=25, only_passing=True)
        if found.seconds[chosen] > _DOUBTFUL * min(found.seconds.values()):
            # What disturbs a measurement adds to it: the lesser times of two are nearer to the truth.
            (found,) = merged([found], [measure(point, budget=budget, repeats=25, only_passing=True)])
        best = min(found.seconds, key=lambda name: found.seconds[name])
        seconds, least = found.seconds[chosen], found.seconds[best]
        rows.append(Regret(point.family, point.N, point.L, chosen, seconds, best, least, seconds / least))
    return rows


def write_models(path: Path, measurements: Sequence[Measurement]) -> None:
    """Write the coefficients fitted to measurements, and the machine they were taken on."""
    machine = {
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas_threads": 1,
    }
    content = {"machine": machine, "coefficients": fit_models(measurements)}
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def merged(first: Sequence[Measurement], second: Sequence[Measurement]) -> list[Measurement]:
    """The lesser times of two measurements of the same points."""
    return [
        Measurement(one.size, {name: min(one.seconds[name], other.seconds[name]) for name in one.seconds})
        for one, other in zip(first, second, strict=True)
    ]


def main() -> None:
    """Measure twice, fit, write, and report the held-out sizes."""
    first, second = ([measure(point, budget=0.3) for point in fitting_points()] for _ in range(2))
    write_models(Path(__file__).with_name("crossovers.json"), merged(first, second))
    for row in choice_regret():
        sys.stdout.write(f"{row}\n")


if __name__ == "__main__":
    main()
