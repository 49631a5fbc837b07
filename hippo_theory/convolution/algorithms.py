"""The table of algorithms: what each takes, what it loses, and the work it does, as data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.convolution.dense import States, states_of
from hippo_theory.convolution.modal import Modes, Sums, modes_of
from hippo_theory.discretizations import Discretization
from hippo_theory.kernels.nonuniform import has_finufft
from hippo_theory.systems import DiagonalSystem, HalfSystem, System

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "Problem",
    "Size",
    "applicable",
    "problem_of",
    "relative",
    "relative_bound",
    "size_of",
]

Array = NDArray[Any]
Problem = Modes | States

_LARGEST_TABLE = 2**20  # numbers that `direct` may hold


@dataclass(frozen=True)
class Size:
    """What the time of an algorithm depends on.

    Attributes
    ----------
    family : str
        ``exponential`` or ``rational`` modes; ``bilinear`` (low rank); ``dense exponential`` or ``dense rational``.
    N : int
        Stored modes, or states.
    L, rows, rank : int
        Lags, real sums (of modes) or outputs, columns of P.
    is_real : bool
        Whether the arithmetic is real (of dense states), or one of each conjugate pair suffices.
    """

    family: str
    N: int
    L: int
    rows: int = 1
    rank: int = 1
    is_real: bool = True

    @property
    def tables(self) -> tuple[int, int]:
        """Lengths m and L/m of the two tables of powers."""
        small = 1 << ((self.L - 1).bit_length() + 1) // 2
        return small, -(-self.L // small)

    @property
    def arithmetic(self) -> int:
        """Real operations for one of the arithmetic."""
        return 1 if self.is_real else 4


@dataclass(frozen=True)
class Algorithm:
    """One way to compute a kernel.

    Attributes
    ----------
    name : str
    kind : str
        Of its error bound, as in `KernelValues`.
    refuses : callable
        Of a problem: why it cannot be taken, or None.
    bound : callable
        Of a problem and an accuracy: a bound on the absolute error of each row that holds before anything is computed.
    run : callable
        Of a problem and an accuracy: the sums, and a bound on the absolute error of each row.
    work : callable
        Of a `Size`: counts whose nonnegative combination is the time; one is 1, the call itself.
    """

    name: str
    kind: str
    refuses: Callable[[Any], str | None]
    bound: Callable[[Any, float], Array]
    run: Callable[[Any, float], Sums]
    work: Callable[[Size], tuple[float, ...]]


def problem_of(system: System, rule: Discretization, step: Fraction, L: int) -> Problem:
    """The modes of a diagonal system, or the states of another."""
    if isinstance(system, DiagonalSystem) or (isinstance(system, HalfSystem) and system.P is None):
        return modes_of(system, rule, step, L)
    return states_of(system, rule, step, L)


def size_of(problem: Problem) -> Size:
    """The size of a problem."""
    if isinstance(problem, Modes):
        family = "exponential" if problem.rule.alpha is None else "rational"
        return Size(family, problem.N, problem.L, problem.rows)
    if problem.low_rank is not None and problem.is_bilinear:
        return Size("bilinear", problem.N, problem.L, problem.rows, problem.rank, problem.is_mirrored)
    family = "dense exponential" if problem.rule.alpha is None else "dense rational"
    is_real = problem.is_real or problem.is_mirrored
    return Size(family, problem.N, problem.L, problem.rows, problem.rank, is_real)


# --- what each takes ----------------------------------------------------------------------------------------------------


def _takes_modes(problem: Problem) -> str | None:
    return None if isinstance(problem, Modes) else "it adds up the modes of a diagonal system"


def _takes_few_modes(problem: Problem) -> str | None:
    if isinstance(problem, Modes) and problem.N * problem.L > _LARGEST_TABLE:
        return f"it holds all N L powers at once, at most {_LARGEST_TABLE}"
    return _takes_modes(problem)


def _takes_one_real_part(problem: Problem) -> str | None:
    if isinstance(problem, Modes) and not problem.has_one_real_part():
        return "it needs rates of one real part and an exponential method (zoh, sampled)"
    return _takes_modes(problem)


def _takes_states(problem: Problem) -> str | None:
    return None if isinstance(problem, States) else "it is for dense and low-rank systems"


def _takes_low_rank(problem: Problem) -> str | None:
    if not isinstance(problem, States) or problem.low_rank is None or not problem.is_bilinear:
        return "it is for diagonal plus low rank systems and the bilinear method"
    if (problem.low_rank.Lambda.real > 0).any():
        return "it needs a diagonal part whose real parts are at most 0"
    return None


def is_installed(name: str) -> bool:
    """Whether what an algorithm needs is installed."""
    return name != "nufft" or has_finufft()


# --- the work of each ---------------------------------------------------------------------------------------------------


def _direct_work(size: Size) -> tuple[float, ...]:
    return 1, size.N, size.N * size.L, size.rows * size.N * size.L


def _vandermonde_work(size: Size) -> tuple[float, ...]:
    small, large = size.tables
    parts = math.ceil(size.N / max(1, (size.N + size.L) // (small + large)))
    padded = small * large
    tables, sums = size.N * (small + large * size.rows), size.rows * parts * padded
    # The last count: a product of tables with one or two rows runs at the speed of memory, not of arithmetic.
    return 1, parts, tables, size.rows * size.N * padded, sums, sums / size.N


def _blocks_work(size: Size) -> tuple[float, ...]:
    small, large = size.tables
    parts, padded = math.ceil(size.N / 256), small * large
    logarithm = math.log2(padded) if padded > 1 else 1.0
    tables = size.N * (small + large * size.rows)
    return 1, parts * logarithm, logarithm, size.N * logarithm, tables, size.rows * size.N * padded, size.rows * padded


def _fourier_work(size: Size) -> tuple[float, ...]:
    length = min(2048, max(2, 1 << (size.L - 1).bit_length()))
    blocks = math.ceil(size.L / length)
    batch = min(blocks, max(1, 2**20 // size.N))
    batches = math.ceil(blocks / batch)
    entries = size.rows * batches * batch
    return 1, size.rows, size.rows * batches, size.rows * size.N, entries * size.N, entries * length * math.log2(length)


def _krylov_work(size: Size) -> tuple[float, ...]:
    small, large = size.tables
    cube, square = size.arithmetic * size.N**3, size.arithmetic * size.N**2
    steps = max(1, (size.L - 1).bit_length())
    products = size.arithmetic * size.rows * size.N * small * large
    return 1, steps, cube, cube * steps, square, square * steps, square * (small + size.rows * large), products


def _recurrence_work(size: Size) -> tuple[float, ...]:
    if size.family == "bilinear":
        return 1, size.L, size.N * (size.rank + size.rows) * size.L
    cube, square = size.arithmetic * size.N**3, size.arithmetic * size.N**2
    return 1, size.L, cube, square, square * size.L, size.arithmetic * size.rows * size.N * size.L


def _generating_work(size: Size) -> tuple[float, ...]:
    small, large = size.tables
    steps, pairs = max(1, size.L.bit_length()), (size.rank + 1) * (size.rank + size.rows)
    products = size.arithmetic * pairs * size.N * size.L
    transforms = size.arithmetic * pairs * size.L * max(1.0, math.log2(size.L))
    tables = size.N * (small + pairs * large)
    return 1, size.N**2, size.N**2 * steps, size.N**3 * steps, tables, products, transforms


#: Every algorithm, by name.
ALGORITHMS = {
    entry.name: entry
    for entry in (
        Algorithm(
            "direct",
            "float64",
            _takes_few_modes,
            lambda modes, _: modes.rounded_bound,
            lambda modes, _: modes.direct(),
            _direct_work,
        ),
        Algorithm(
            "vandermonde",
            "float64",
            _takes_modes,
            lambda modes, _: modes.rounded_bound,
            lambda modes, _: modes.vandermonde(),
            _vandermonde_work,
        ),
        Algorithm(
            "blocks",
            "proved",
            _takes_modes,
            lambda modes, _: modes.blocks_bound(),
            lambda modes, _: modes.blocks(),
            _blocks_work,
        ),
        Algorithm(
            "nufft",
            "observed",
            _takes_one_real_part,
            lambda modes, accuracy: modes.fourier_bound(accuracy),
            lambda modes, accuracy: modes.fourier(accuracy),
            _fourier_work,
        ),
        Algorithm(
            "krylov",
            "observed",
            _takes_states,
            lambda states, _: states.power_bound(),
            lambda states, _: states.krylov(),
            _krylov_work,
        ),
        Algorithm(
            "recurrence",
            "observed",
            _takes_states,
            lambda states, _: states.power_bound(),
            lambda states, _: states.recurrence(),
            _recurrence_work,
        ),
        Algorithm(
            "generating",
            "observed",
            _takes_low_rank,
            lambda states, _: states.generating_bound(),
            lambda states, _: states.generating(),
            _generating_work,
        ),
    )
}


# Below it the roundings of subnormal numbers, which no bound counts, are no longer small beside the values.
_NEAR_UNDERFLOW = 2.0**-900


def relative(errors: Array, scales: Array) -> float:
    """The worst error divided by its scale: 0 where both are 0, infinite where the scale is 0 or near underflow."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(
            (errors == 0) & (scales == 0), 0.0, np.where(scales < _NEAR_UNDERFLOW, np.inf, errors / scales)
        )
    return float(ratios.max(initial=0.0)) if not np.isnan(ratios).any() else math.inf


def relative_bound(entry: Algorithm, problem: Problem, accuracy: float) -> float:
    """The error bound of an algorithm before it runs, relative to a lower bound on the size of the kernel."""
    return relative(problem.joined(entry.bound(problem, accuracy)), problem.scale)


def applicable(problem: Problem) -> list[Algorithm]:
    """The algorithms that take a problem and are installed."""
    return [entry for entry in ALGORITHMS.values() if entry.refuses(problem) is None and is_installed(entry.name)]
