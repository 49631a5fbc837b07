"""Rows over ranges: how time and error of every kernel algorithm grow, and where float32 fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from threadpoolctl import threadpool_limits

from hippo_theory.bench.framework import Array, Row, benchmark, fitted_exponent, largest_error, ratio_row, seconds
from hippo_theory.bench.problems import STEP, DiagonalProblem, LowRankProblem
from hippo_theory.kernels import (
    certified_kernel,
    cosine_kernel,
    exponential_kernel,
    krylov_kernel,
    low_rank_recurrence,
    nonuniform_kernel,
    recurrence_kernel,
    s4_kernel,
    scan_outputs,
    vandermonde_kernel,
)

__all__ = ["DIAGONAL_ALGORITHMS", "LOW_RANK_ALGORITHMS"]

# What is prepared once stays out of the time: discretization, and for S4 the truncated output, as in a training step.
DIAGONAL_ALGORITHMS: dict[str, Callable[[DiagonalProblem], Callable[[], Array]]] = {}
LOW_RANK_ALGORITHMS: dict[str, Callable[[LowRankProblem], Callable[[], Array]]] = {}
_NEEDS_FINUFFT = {"nonuniform FFT"}
_SLOW = ("recurrence", "low-rank recurrence", "scan", "certified")  # they take a second at L = 100,000
_FITTED = 4  # sizes that an exponent is fitted to, the largest ones


def _algorithm(name: str, table: dict[str, Any]) -> Callable[[Callable[[Any], Callable[[], Array]]], Any]:
    def register(prepare: Callable[[Any], Callable[[], Array]]) -> Callable[[Any], Callable[[], Array]]:
        table[name] = prepare
        return prepare

    return register


@_algorithm("exponential", DIAGONAL_ALGORITHMS)
def _exponential(problem: DiagonalProblem) -> Callable[[], Array]:
    c, x, two = problem.coefficients, problem.logarithms, problem.multiplicity
    return lambda: np.asarray(exponential_kernel(c, np.ones(len(c)), x, problem.L, multiplicity=two))


@_algorithm("Vandermonde", DIAGONAL_ALGORITHMS)
def _vandermonde(problem: DiagonalProblem) -> Callable[[], Array]:
    c, Abar, two = problem.coefficients, np.exp(problem.logarithms), problem.multiplicity
    return lambda: np.asarray(vandermonde_kernel(c, np.ones(len(c)), Abar, problem.L, multiplicity=two))


@_algorithm("blocks", DIAGONAL_ALGORITHMS)
def _blocks(problem: DiagonalProblem) -> Callable[[], Array]:
    arguments = problem.Lambda, problem.coefficients, STEP, problem.L
    return lambda: nonuniform_kernel(*arguments, algorithm="blocks").values


@_algorithm("nonuniform FFT", DIAGONAL_ALGORITHMS)
def _nonuniform_fft(problem: DiagonalProblem) -> Callable[[], Array]:
    arguments = problem.Lambda, problem.coefficients, STEP, problem.L
    return lambda: nonuniform_kernel(*arguments, algorithm="nufft").values


@_algorithm("scan", DIAGONAL_ALGORITHMS)
def _scan(problem: DiagonalProblem) -> Callable[[], Array]:
    c, Abar, two = problem.coefficients, np.exp(problem.logarithms), problem.multiplicity
    impulse = np.zeros((problem.L, 1))
    impulse[0] = 1
    drive = np.ones((len(c), 1))
    return lambda: np.asarray(scan_outputs(Abar, drive, c[None, :], impulse, multiplicity=two)[:, 0])


@_algorithm("certified", DIAGONAL_ALGORITHMS)
def _certified(problem: DiagonalProblem) -> Callable[[], Array]:
    """To 17 digits, and rounded to float64."""
    kernel, times = (problem.Lambda, problem.coefficients), [STEP * lag for lag in range(problem.L)]
    return lambda: np.array([float(v) for v in certified_kernel(kernel, times, 17, relative_to="largest")])


@_algorithm("recurrence", LOW_RANK_ALGORITHMS)
def _recurrence(problem: LowRankProblem) -> Callable[[], Array]:
    (Abar, Bbar), C = problem.dense, problem.C
    return lambda: np.asarray(recurrence_kernel(Abar, Bbar, C, problem.L))


@_algorithm("low-rank recurrence", LOW_RANK_ALGORITHMS)
def _low_rank_recurrence(problem: LowRankProblem) -> Callable[[], Array]:
    start, C = problem.start, problem.rotated_C
    impulse = np.zeros(problem.L)
    impulse[0] = 1
    return lambda: low_rank_recurrence(start.Lambda, start.P, start.P, start.B, C, float(STEP), impulse).real


@_algorithm("Krylov", LOW_RANK_ALGORITHMS)
def _krylov(problem: LowRankProblem) -> Callable[[], Array]:
    (Abar, Bbar), C = problem.dense, problem.C
    return lambda: np.asarray(krylov_kernel(Abar, Bbar, C, problem.L))


def _s4(problem: LowRankProblem, damping: float) -> Callable[[], Array]:
    start = problem.start
    arguments = start.Lambda, start.P, start.P, start.B, problem.truncated_C(damping), float(STEP), problem.L
    return lambda: np.asarray(s4_kernel(*arguments, real=True, mirrored=True, damping=damping))


@_algorithm("S4", LOW_RANK_ALGORITHMS)
def _s4_as_published(problem: LowRankProblem) -> Callable[[], Array]:
    return _s4(problem, 0.0)


@_algorithm("S4, damped", LOW_RANK_ALGORITHMS)
def _s4_damped(problem: LowRankProblem) -> Callable[[], Array]:
    return _s4(problem, 1.0)


# --- growth ------------------------------------------------------------------------------------------------------------


@dataclass
class _Measured:
    """Seconds and errors of one algorithm over the sizes done so far."""

    sizes: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)


@benchmark("kernel-growth", "time and error of every kernel algorithm against N and against L")
def _kernel_growth(quick: bool) -> Iterator[Row]:
    if quick:
        yield from _growth("N", [(N, 1024) for N in (16, 64, 256)], 3, {})
        yield from _growth("L", [(64, L) for L in (256, 1024, 4096)], 3, {})
        return
    sizes = [2**power for power in range(4, 14)]
    yield from _growth("N", [(N, 1024) for N in sizes], 30, dict.fromkeys(LOW_RANK_ALGORITHMS, 1024))
    lengths = [4**power for power in range(4, 11)]
    yield from _growth("L", [(64, L) for L in lengths], 30, dict.fromkeys(_SLOW, 65_536))


def _least_seconds(calls: dict[str, Callable[[], Array]], rounds: int, budget: float = 8.0) -> dict[str, float]:
    """The least of several times of each call, in interleaved rounds, of which none but the first 3 begins after `budget`.

    The least: what other processes add is never negative, and would pass for growth.
    """
    least = dict.fromkeys(calls, float("inf"))
    start = time.perf_counter()
    for round_ in range(rounds):
        for name, call in calls.items():
            least[name] = min(least[name], seconds(call, repeats=1))
        if round_ >= 2 and time.perf_counter() - start > budget:
            break
    return least


def _growth(
    against: Literal["N", "L"], cases: list[tuple[int, int]], rounds: int, largest: dict[str, int]
) -> Iterator[Row]:
    """One row for each algorithm, up to its `largest` size. One thread of BLAS: a curve has the same number everywhere."""
    absent = set() if find_spec("finufft") else _NEEDS_FINUFFT
    tables: dict[str, Any] = {**LOW_RANK_ALGORITHMS, **DIAGONAL_ALGORITHMS}
    measured = {name: _Measured() for name in tables if name not in absent}
    varying, fixed = ("N", "L") if against == "N" else ("L", "N")
    for N, L in cases:
        problems: list[Any] = [LowRankProblem(N, L), DiagonalProblem(N, L)]
        size = N if against == "N" else L
        names = [name for name in measured if size <= largest.get(name, size)]
        chosen = {name: problems[name in DIAGONAL_ALGORITHMS] for name in names}
        calls = {name: tables[name](problem) for name, problem in chosen.items()}
        with threadpool_limits(limits=1, user_api="blas"):
            least = _least_seconds(calls, rounds)
        for name, call in calls.items():
            measured[name].sizes.append(size)
            measured[name].seconds.append(least[name])
            measured[name].errors.append(chosen[name].error(call()))
    constant = cases[0][1 if against == "N" else 0]
    common = {"against": against, fixed: constant, "step": float(STEP), "blas_threads": 1}
    for name in tables:
        system = "diagonal plus low rank" if name in LOW_RANK_ALGORITHMS else "diagonal"
        row: Row = {"algorithm": name, "system": system, **common}
        if name in absent:
            yield {**row, "why": 'not measured: finufft is not installed; pip install "hippo_theory[fast]"'}
            continue
        results = measured[name]
        yield {
            **row,
            "ours_s": results.seconds[-1],
            "exponent": fitted_exponent(results.sizes, results.seconds, last=_FITTED),
            "error_exponent": fitted_exponent(results.sizes, results.errors, last=_FITTED),
            "sizes": results.sizes,
            "seconds": results.seconds,
            "errors": results.errors,
            "exponent_is": f"of the least time with {varying}, over the last {min(_FITTED, len(results.sizes))} sizes",
        }


# --- float32 -----------------------------------------------------------------------------------------------------------

_STORED, _LAGS = 32, 4096
_FLOAT64 = "complex128"
_FAILED = 0.01  # the error, relative to the largest value, from which a kernel is called lost


def _oscillations(phase: float) -> tuple[Array, Array]:
    """x = dt Lambda and c of weakly damped modes of which the fastest turns by `phase` radians over all lags.

    Frequencies are drawn uniformly up to the largest; e^(-1/2) is left at the last lag. The coefficients are positive,
    so that the largest value is K_0, the sum of all moduli, to which the bounds of the kernels are relative.
    """
    random = np.random.default_rng(0)
    frequencies = np.append(random.random(_STORED - 1), 1.0) * phase / _LAGS
    c = (random.random(_STORED) + 0.5).astype(np.complex64)
    return -0.5 / _LAGS + 1j * frequencies, c


def _relative_errors(kernels: dict[str, Array], x: Array, c: Array) -> dict[str, float]:
    """Largest error of each kernel over the largest value, at all lags; x and c are exact as given."""
    truth = certified_kernel((x, c), range(_LAGS), 20, relative_to="largest")
    largest = max(abs(float(ball)) for ball in truth)
    return {name: largest_error(values, truth) / largest for name, values in kernels.items()}


def _float32_forms(x: Array, c: Array) -> dict[str, Callable[[], Array]]:
    """The float32 kernels of complex64 numbers."""
    one, two = np.ones(_STORED, dtype=np.float32), (2,) * _STORED
    return {
        "complex64": partial(exponential_kernel, c, one, x, _LAGS, multiplicity=two),
        "float32 cosines": partial(cosine_kernel, x.real, x.imag, 2 * c.real, 2 * c.imag, _LAGS),
        "complex64, wide": partial(exponential_kernel, c, one, x, _LAGS, multiplicity=two, wide=True),
    }


def _float64_form(x: Array, c: Array) -> Callable[[], Array]:
    return partial(exponential_kernel, c, np.ones(_STORED), x, _LAGS, multiplicity=(2,) * _STORED)


@benchmark("kernel-float32", "error of float32 kernels against the largest phase w dt L, and where they fail")
def _kernel_float32(quick: bool) -> Iterator[Row]:
    """Each float32 kernel against the truth of its float32 numbers, the float64 one against that of float64 numbers.

    The last row is what no float32 kernel can repair: the truth of the rounded rates against that of the float64 ones.
    """
    phases = [10.0**power for power in range(11)] if quick else [10.0 ** (power / 2) for power in range(21)]
    errors: dict[str, list[float]] = {}
    for phase in phases:
        x, c = _oscillations(phase)
        rounded = x.astype(np.complex64)
        forms = {name: np.asarray(call()) for name, call in _float32_forms(rounded, c).items()}
        found = _relative_errors(forms, rounded, c)
        wide_of_rounded = np.asarray(_float64_form(rounded.astype(np.complex128), c.astype(np.complex128))())
        own = {"rates rounded to float32": wide_of_rounded, _FLOAT64: np.asarray(_float64_form(x, c)())}
        for name, error in {**found, **_relative_errors(own, x, c)}.items():
            errors.setdefault(name, []).append(error)
    x, c = _oscillations(1e3)
    calls = _float32_forms(x.astype(np.complex64), c)
    times = {name: seconds(call, repeats=3 if quick else 7, least=0.02) for name, call in calls.items()}
    peer_errors = errors.pop(_FLOAT64)
    peer_seconds = seconds(_float64_form(x, c), repeats=3 if quick else 7, least=0.02)
    for name, values in errors.items():
        pairs = list(zip(phases, values, strict=True))
        growing = [(phase, error) for phase, error in pairs if phase >= 1e3 and error < _FAILED]
        timed = ratio_row(times[name], f"exponential_kernel in {_FLOAT64}", peer_seconds) if name in times else {}
        yield {
            **timed,
            "algorithm": name,
            "N": 2 * _STORED,
            "L": _LAGS,
            "phases": phases,
            "errors": values,
            "peer_errors": peer_errors,
            "error": max(values),
            "peer_error": max(peer_errors),
            "error_exponent": fitted_exponent(*zip(*growing, strict=True)) if growing else None,
            "fails_at": min((phase for phase, error in pairs if error > _FAILED), default=None),
            "fails_is": f"the first phase w dt L with an error above {_FAILED:g} of the largest value",
        }
