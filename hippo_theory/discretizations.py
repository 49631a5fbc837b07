"""From continuous to discrete time: how each method maps an eigenvalue and weighs its mode.

A method takes a mode c e^(lambda t) to c g(lambda dt) z(lambda dt)^l. The kernels of both sides of a comparison are
divided by the step, so that they approximate the continuous kernel itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.arithmetic import FLOAT64, balls, exact_fraction
from hippo_theory.errors import InputError
from hippo_theory.kernels import ExponentialSum

__all__ = ["METHODS", "Discretization", "checked_step", "discretize", "discretize_dense", "find_method"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Discretization:
    """A one-step method, by its action on one mode, with x = lambda dt.

    Attributes
    ----------
    name, title : str
    multiplier : callable
        z(x), the eigenvalue of Abar.
    gain : callable
        g(x) = Bbar / (dt B), the factor of the mode after division by the step.
    """

    name: str
    title: str
    multiplier: Callable[[Any], Any]
    gain: Callable[[Any], Any]


def _exponential(x: Any) -> Any:
    return x.exp() if hasattr(x, "exp") else np.exp(x)


def _zero_order_hold_gain(x: Any) -> Any:
    if x == 0:
        return x + 1
    return (x.expm1() if hasattr(x, "expm1") else np.expm1(x)) / x


METHODS = {
    method.name: method
    for method in (
        # Abar = e^(A dt), Bbar = A^-1 (e^(A dt) - I) B
        Discretization("zoh", "zero-order hold", _exponential, _zero_order_hold_gain),
        # Abar = (I - A dt/2)^-1 (I + A dt/2), Bbar = (I - A dt/2)^-1 B dt
        Discretization("bilinear", "bilinear (Tustin)", lambda x: (2 + x) / (2 - x), lambda x: 2 / (2 - x)),
        # k_l = K(l dt): impulse invariance
        Discretization("sampled", "impulse sampling", _exponential, lambda x: x**0),
    )
}


def find_method(name: str) -> Discretization:
    """The discretization of that name: zoh, bilinear, sampled.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in METHODS:
        raise InputError(f"unknown method {name!r}; choose one of {', '.join(METHODS)}")
    return METHODS[name]


def checked_step(step: Any) -> Fraction:
    """The step as an exact positive Fraction, or `InputError`."""
    value = exact_fraction(step)
    if value <= 0:
        raise InputError(f"`step` must be positive, got {step}")
    return value


def discretize(kernel: ExponentialSum, method: str, step: Any) -> ExponentialSum:
    """The discrete kernel, divided by the step, that `method` makes of a continuous one.

    Parameters
    ----------
    kernel : ExponentialSum
        In continuous time.
    method : str
        zoh, bilinear or sampled.
    step : number
        dt > 0, exact: a decimal string such as ``"0.01"`` means 1/100.

    Returns
    -------
    ExponentialSum
        k_l = sum_j c_j g(lambda_j dt) z(lambda_j dt)^l, l = 0, 1, ...

    Examples
    --------
    >>> from hippo_theory.arithmetic import balls
    >>> from hippo_theory.families import LegS
    >>> from hippo_theory.discretizations import discretize
    >>> from hippo_theory.kernels import full_kernel
    >>> float(discretize(full_kernel(LegS(4), 0, balls(128)), "sampled", "0.1")(0))
    1.0
    """
    rule = find_method(method)
    exact_step = checked_step(step)
    if kernel.step is not None:
        raise InputError("the kernel is already discrete; discretize the continuous one")
    with balls(kernel.bits).work() as ring:
        dt = ring.number(exact_step)
        real = [rate * dt for rate in kernel.real_rates]
        pairs = [rate * dt for rate in kernel.rates]
        return ExponentialSum(
            np.array([c * rule.gain(x) for c, x in zip(kernel.real_coefficients, real, strict=True)], dtype=object),
            np.array([rule.multiplier(x) for x in real], dtype=object),
            np.array([c * rule.gain(x) for c, x in zip(kernel.coefficients, pairs, strict=True)], dtype=object),
            np.array([rule.multiplier(x) for x in pairs], dtype=object),
            kernel.bits,
            exact_step,
        )


def discretize_dense(A: Array, B: Array, method: str, step: Any) -> tuple[Array, Array]:
    """Abar and Bbar/dt of a dense float64 system x' = A x + B u (SciPy's expm and solve; backward stable, not certified).

    Parameters
    ----------
    A : (N, N) ndarray of float64
    B : (N,) ndarray of float64
    method : str
    step : number

    Returns
    -------
    (N, N) and (N,) ndarrays of float64
    """
    import scipy.linalg

    dt = float(FLOAT64.number(checked_step(step)))
    identity = np.eye(len(B))
    if find_method(method).name == "bilinear":
        left = identity - A * (dt / 2)
        return scipy.linalg.solve(left, identity + A * (dt / 2)), scipy.linalg.solve(left, B)
    if method == "sampled":
        return scipy.linalg.expm(A * dt), B
    # exp of the augmented matrix holds the integral of exp(A s) B: no inverse of A is needed.
    augmented = np.zeros((len(B) + 1, len(B) + 1))
    augmented[:-1, :-1], augmented[:-1, -1] = A * dt, B
    exponential = scipy.linalg.expm(augmented)
    return exponential[:-1, :-1], exponential[:-1, -1]
