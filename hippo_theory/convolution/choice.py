"""The kernel of any system, by the algorithm that is predicted to take the least time among those accurate enough."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.arithmetic import exact_fraction
from hippo_theory.convolution.algorithms import (
    ALGORITHMS,
    Algorithm,
    Problem,
    Size,
    applicable,
    problem_of,
    relative,
    relative_bound,
    size_of,
)
from hippo_theory.discretizations import Discretization, find_discretization
from hippo_theory.errors import CertificationError, InputError, checked_size
from hippo_theory.kernels import KernelValues
from hippo_theory.systems import DenseSystem, DiagonalPlusLowRankSystem, DiagonalSystem, HalfSystem, System

__all__ = ["checked_problem", "convolution_kernel", "predicted_seconds", "ranked_names"]

Array = NDArray[Any]


def convolution_kernel(
    system: System,
    dt: Any,
    L: int,
    *,
    method: str | Discretization = "zoh",
    accuracy: float = 1e-10,
    algorithm: str | None = None,
) -> KernelValues:
    """The convolution kernel of a discretized system at lags 0, ..., L-1, by an algorithm chosen from N, L and accuracy:

        K_l = C Abar^l Bbar,    y_l = sum_(k<=l) K_k u_(l-k).

    Among the algorithms that take the system, and whose error bound, known before anything is computed, is at most
    `accuracy`, the one of the least predicted time runs (`predicted_seconds`). Should its bound afterwards exceed
    `accuracy`, the next one does; the result says which ran. The size of the kernel is not known beforehand: where no
    bound passes on the size at a few lags, the algorithm of least bound runs, and its result is judged.

    =============  ================================================  ===================================================
    name           takes                                             error bound
    =============  ================================================  ===================================================
    `direct`       diagonal; N L at most 2^20                        float64 phases
    `vandermonde`  diagonal                                          float64 phases
    `blocks`       diagonal                                          proved; phases and powers beyond float64
    `nufft`        diagonal, one real part, zoh or sampled; finufft  observed
    `krylov`       dense, low rank                                   observed
    `recurrence`   dense, low rank                                   observed
    `generating`   low rank, bilinear                                observed
    =============  ================================================  ===================================================

    Parameters
    ----------
    system : DiagonalSystem, HalfSystem, DiagonalPlusLowRankSystem or DenseSystem
        In continuous time, float64 or complex128, taken as exact; C is (K, N). An unstable system is computed as long
        as its powers stay within float64.
    dt : number
        From 1e-12 to 1000, exact: ``"0.01"`` is 1/100.
    L : int
        Number of lags, at least 1.
    method : str or Discretization
        zoh, bilinear, sampled, forward_euler, backward_euler, or what `generalized_bilinear` returns.
    accuracy : float
        Largest error wanted, divided by the largest absolute value of the kernel.
    algorithm : str, optional
        Overrides the choice: it runs whatever the accuracy, and ``bound`` tells what came of it.

    Returns
    -------
    KernelValues
        ``values`` (K, L): float64 for a HalfSystem or real arrays, else complex128. ``bound``, ``algorithm``, ``kind``.

    Raises
    ------
    InputError
        A discrete system, one that holds balls or has no C, L < 1, dt or accuracy out of range, an unknown method, an
        algorithm that does not take the system, growth beyond float64.
    MissingDependencyError
        If ``nufft`` is asked for and finufft is not installed.
    CertificationError
        If no algorithm reaches the accuracy; `kernels.certified_kernel` reaches any.

    Notes
    -----
    Bounds: see `convolution.modal` and `convolution.dense`. Bbar contains the step: K_l is about dt K(l dt).

    Examples
    --------
    >>> from hippo_theory.convolution import convolution_kernel
    >>> from hippo_theory.systems import HalfSystem
    >>> system = HalfSystem([-0.5 + 3j, -1.0], [1, 1], [[1, 1]], multiplicity=[2, 1])
    >>> kernel = convolution_kernel(system, "0.01", 100)
    >>> kernel.values.shape, kernel.values.dtype, kernel.bound <= 1e-10
    ((1, 100), dtype('float64'), True)
    >>> convolution_kernel(system, "0.01", 100, algorithm="blocks").kind
    'proved'
    """
    problem = checked_problem(system, dt, L, method)
    if not (isinstance(accuracy, (int, float, np.floating)) and 0 < accuracy < math.inf):
        raise InputError(f"`accuracy` must be a positive number such as 1e-10, got {accuracy!r}")
    if algorithm is not None:
        return _run(_named(algorithm, problem), problem, float(accuracy))
    bounds: dict[str, float] = {}
    best, tried = math.inf, False
    for name in ranked_names(problem):
        bounds[name] = relative_bound(ALGORITHMS[name], problem, float(accuracy))
        if bounds[name] <= accuracy:
            result, tried = _attempt(name, problem, float(accuracy)), True
            if result is not None and result.bound <= accuracy:
                return result
            best = best if result is None else min(best, result.bound)
    if not tried:
        result = _attempt(min(bounds, key=lambda name: bounds[name]), problem, float(accuracy))
        if result is not None and result.bound <= accuracy:
            return result
        best = min(bounds.values()) if result is None else result.bound
    raise CertificationError(
        f"no algorithm reaches `accuracy` = {accuracy:g} here; the best bound is {best:.1e}. Ask for that, name an "
        "`algorithm`, or use kernels.certified_kernel, which takes any number of digits"
    )


def predicted_seconds(name: str, size: Size) -> float:
    """The time that the cost model of an algorithm predicts, on the machine on which its coefficients were fitted.

    Parameters
    ----------
    name : str
    size : Size

    Returns
    -------
    float
        A sum of nonnegative coefficients times the counts of ``ALGORITHMS[name].work(size)``; see `crossovers`.

    Raises
    ------
    InputError
        If there is no model of that name for that family of systems.

    Examples
    --------
    >>> from hippo_theory.convolution import Size, predicted_seconds
    >>> short, long = (predicted_seconds("blocks", Size("exponential", 64, L)) for L in (2**10, 2**20))
    >>> 0 < short < long
    True
    """
    coefficients = _coefficients().get(f"{name}, {size.family}")
    if coefficients is None:
        raise InputError(f"no cost model for `name` {name!r} and family {size.family!r}; see crossovers.json")
    return float(np.dot(coefficients, ALGORITHMS[name].work(size)))


def ranked_names(problem: Problem) -> list[str]:
    """The algorithms that take a problem and are installed, by predicted time."""
    size = size_of(problem)
    return sorted((entry.name for entry in applicable(problem)), key=lambda name: predicted_seconds(name, size))


@cache
def _coefficients() -> dict[str, list[float]]:
    text = resources.files("hippo_theory.convolution").joinpath("crossovers.json").read_text(encoding="utf-8")
    models: dict[str, list[float]] = json.loads(text)["coefficients"]
    return models


def checked_problem(system: Any, dt: Any, L: Any, method: str | Discretization) -> Problem:
    """What `convolution_kernel` computes, once every argument is sound."""
    rule, L = find_discretization(method), checked_size("L", L)
    step = exact_fraction(dt)
    if not Fraction(1e-12) <= step <= 1000:  # this float is a little less than the decimal
        raise InputError(f"`dt` must lie between 1e-12 and 1000, got {dt}; rescale time")
    if not isinstance(system, (DiagonalSystem, HalfSystem, DiagonalPlusLowRankSystem, DenseSystem)):
        raise InputError(f"`system` must be one of hippo_theory.systems, got {type(system).__name__}")
    if system.discrete:
        raise InputError("`system` is already discrete; give the continuous one and the `method`")
    if system.C is None or not len(system.C) or not system.N:
        raise InputError("`system` needs states and an output C; add one: dataclasses.replace(system, C=...)")
    if any(isinstance(value, np.ndarray) and value.dtype.kind == "O" for value in vars(system).values()):
        raise InputError("`system` holds balls and this function computes in float64; round it with arithmetic.nearest")
    return problem_of(system, rule, step, L)


def _named(name: Any, problem: Problem) -> Algorithm:
    if name not in ALGORITHMS:
        raise InputError(f"unknown `algorithm` {name!r}; choose one of {', '.join(ALGORITHMS)}")
    reason = ALGORITHMS[name].refuses(problem)
    if reason is not None:
        taking = ", ".join(entry.name for entry in ALGORITHMS.values() if entry.refuses(problem) is None)
        raise InputError(f"`algorithm` {name} does not take this system: {reason}; choose one of {taking}")
    return ALGORITHMS[name]


def _attempt(name: str, problem: Problem, accuracy: float) -> KernelValues | None:
    """The result; None if the nonuniform FFT missed its tolerance."""
    try:
        return _run(ALGORITHMS[name], problem, accuracy)
    except CertificationError:
        return None


def _run(entry: Algorithm, problem: Problem, accuracy: float) -> KernelValues:
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is found below
        values, errors = problem.assembled(entry.run(problem, accuracy))
    if not np.isfinite(values).all():
        raise InputError("the kernel grows beyond float64 within L lags; take fewer lags or a smaller `dt`")
    bound = relative(errors, np.abs(values).max(axis=1))
    return KernelValues(values, bound, entry.name, entry.kind)
