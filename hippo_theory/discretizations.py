"""From continuous to discrete time: how each method maps an eigenvalue and weighs its mode.

A method takes a mode c e^(lambda t) to c g(lambda dt) z(lambda dt)^l. The kernels of both sides of a comparison are
divided by the step, so that they approximate the continuous kernel itself (`discretize`, `discretize_dense`); a system
that is to be run, x_l = Abar x_(l-1) + Bbar u_l, keeps the step in Bbar (`discretize_system`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeVar

import array_api_compat
import numpy as np
from flint import acb, arb, fmpq
from numpy.typing import NDArray

from hippo_theory.arithmetic import FLOAT64, balls, exact_fraction
from hippo_theory.errors import InputError
from hippo_theory.kernels import ExponentialSum
from hippo_theory.kernels.arrays import checked_arrays
from hippo_theory.kernels.vandermonde import zero_order_hold_gain
from hippo_theory.systems import DenseSystem, DiagonalPlusLowRankSystem, DiagonalSystem, HalfSystem, System

__all__ = [
    "DISCRETIZATIONS",
    "METHODS",
    "Discretization",
    "checked_step",
    "discretize",
    "discretize_dense",
    "discretize_system",
    "find_discretization",
    "find_method",
    "generalized_bilinear",
]

Array = NDArray[Any]
AnySystem = TypeVar("AnySystem", DenseSystem, DiagonalSystem, DiagonalPlusLowRankSystem, HalfSystem)


@dataclass(frozen=True)
class Discretization:
    """A one-step method, by its action on one mode, with x = lambda dt.

    Attributes
    ----------
    name, title : str
    multiplier : callable
        z(x), the eigenvalue of Abar. Takes a ball, or a float64, complex128, float32 or complex64 number or array, and
        returns the like.
    gain : callable
        g(x) = Bbar / (dt B), the factor of the mode after division by the step.
    equation : str
        z and g in symbols.
    order : float
        Of the free motion: z(x)^(T/dt) - e^(lambda T) = O(dt^order) at a fixed time T; infinity where it is exact.
    driven_order : float
        Of the response to a smooth input that is read in the middle of each step, u_l = u((l - 1/2) dt). Read at the
        end of the step, u_l = u(l dt), every method here has order 1.
    region : str
        Where abs(z(x)) < 1, in words.
    is_stable : callable
        The same as a predicate on a complex number x, which does not evaluate z; false on the boundary.
    alpha : Fraction or None
        Where the method solves x_l - x_(l-1) = dt A (alpha x_l + (1 - alpha) x_(l-1)) + dt B u_l; None where it takes
        an exponential.
    compared : bool
        Whether the main experiment (`convergence`) offers it.
    """

    name: str
    title: str
    multiplier: Callable[[Any], Any]
    gain: Callable[[Any], Any]
    equation: str = ""
    order: float = math.nan
    driven_order: float = math.nan
    region: str = ""
    is_stable: Callable[[complex], bool] = lambda x: complex(x).real < 0
    alpha: Fraction | None = None
    compared: bool = False

    @property
    def is_a_stable(self) -> bool:
        """Whether every x with Re x < 0 is stable, so that a stable system stays stable whatever the step."""
        return self.alpha is None or self.alpha >= Fraction(1, 2)


def _exponential(x: Any) -> Any:
    return x.exp() if hasattr(x, "exp") else np.exp(x)


def _zero_order_hold_gain(x: Any) -> Any:
    if array_api_compat.is_array_api_obj(x) and not isinstance(x, np.generic):
        kind, (x,) = checked_arrays(False, x=x)
        return zero_order_hold_gain(kind, x)
    if x == 0:
        return x + 1
    return (x.expm1() if hasattr(x, "expm1") else np.expm1(x)) / x


def generalized_bilinear(alpha: Any) -> Discretization:
    """The generalized bilinear method: a mean of the derivatives at both ends of the step, alpha at the new one.

        x_l - x_(l-1) = dt A (alpha x_l + (1 - alpha) x_(l-1)) + dt B u_l,
        z(x) = (1 + (1-alpha) x) / (1 - alpha x),     g(x) = 1 / (1 - alpha x).

    alpha = 0, 1/2, 1 are forward Euler, bilinear and backward Euler.

    Parameters
    ----------
    alpha : number
        In [0, 1], exact: ``"0.3"`` is 3/10.

    Returns
    -------
    Discretization
        Order 2 at alpha = 1/2, else 1. Stable where 2 Re x + (1 - 2 alpha) abs(x)^2 < 0.

    Raises
    ------
    InputError
        If alpha is not a number in [0, 1].

    Notes
    -----
    Not to be confused with 1 - alpha, which some texts (the theta method on u) call alpha. The same meaning as in
    SciPy's ``cont2discrete(method="gbt")``, up to the time at which u is read.

    Examples
    --------
    >>> from hippo_theory.discretizations import generalized_bilinear
    >>> method = generalized_bilinear("2/3")
    >>> method.order, method.is_stable(-1000.0), method.multiplier(-3.0)
    (1, True, 0.0)
    """
    exact_alpha = exact_fraction(alpha)
    if not 0 <= exact_alpha <= 1:
        raise InputError(f"`alpha` must lie in [0, 1], got {alpha}; 1/2 is the bilinear method, 1 backward Euler")
    return _weighted(f"generalized_bilinear({exact_alpha})", "generalized bilinear", exact_alpha)


def _weighted(name: str, title: str, alpha: Fraction) -> Discretization:
    new, old = alpha, 1 - alpha
    skew = 1 - 2 * alpha
    if skew == 0:
        region = "the left half-plane Re x < 0"
    else:
        place = "the open disc" if skew > 0 else "outside the closed disc"
        region = f"{place} around {-1 / skew} of radius {abs(1 / skew)}"
    order = 2 if skew == 0 else 1
    return Discretization(
        name,
        title,
        lambda x: (1 + _like(old, x) * x) / (1 - _like(new, x) * x),
        lambda x: 1 / (1 - _like(new, x) * x),
        f"z = (1 + {old} x) / (1 - {new} x), g = 1 / (1 - {new} x)",
        order,
        order,
        region,
        lambda x: 2 * complex(x).real + float(skew) * abs(complex(x)) ** 2 < 0,
        alpha,
    )


def _like(value: Fraction, x: Any) -> Any:
    """The fraction as a factor of x: exact for balls and rationals, a float (that keeps the dtype of x) otherwise."""
    if isinstance(x, (arb, acb, fmpq)):
        return fmpq(value.numerator, value.denominator)
    return float(value)


_LEFT_HALF_PLANE = "the left half-plane Re x < 0"

#: Every method without a parameter, by name; see also `generalized_bilinear`.
DISCRETIZATIONS = {
    method.name: method
    for method in (
        # Abar = e^(A dt), Bbar = A^-1 (e^(A dt) - I) B
        Discretization(
            "zoh",
            "zero-order hold",
            _exponential,
            _zero_order_hold_gain,
            "z = e^x, g = (e^x - 1) / x",
            math.inf,
            2,
            _LEFT_HALF_PLANE,
            compared=True,
        ),
        # Abar = (I - A dt/2)^-1 (I + A dt/2), Bbar = (I - A dt/2)^-1 B dt
        Discretization(
            "bilinear",
            "bilinear (Tustin)",
            lambda x: (2 + x) / (2 - x),
            lambda x: 2 / (2 - x),
            "z = (2 + x) / (2 - x), g = 2 / (2 - x)",
            2,
            2,
            _LEFT_HALF_PLANE,
            alpha=Fraction(1, 2),
            compared=True,
        ),
        # k_l = K(l dt): impulse invariance
        Discretization(
            "sampled",
            "impulse sampling",
            _exponential,
            lambda x: x**0,
            "z = e^x, g = 1",
            math.inf,
            1,
            _LEFT_HALF_PLANE,
            compared=True,
        ),
        # Abar = I + A dt, Bbar = B dt
        _weighted("forward_euler", "forward Euler", Fraction(0)),
        # Abar = (I - A dt)^-1, Bbar = (I - A dt)^-1 B dt
        _weighted("backward_euler", "backward Euler", Fraction(1)),
    )
}

METHODS = {name: method for name, method in DISCRETIZATIONS.items() if method.compared}


def find_method(name: str) -> Discretization:
    """The discretization of that name among those of the main experiment: zoh, bilinear, sampled.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in METHODS:
        raise InputError(f"unknown method {name!r}; choose one of {', '.join(METHODS)}")
    return METHODS[name]


def find_discretization(method: str | Discretization) -> Discretization:
    """The discretization of that name among all of them; a `Discretization` is returned as it is.

    Raises
    ------
    InputError
        If there is none.

    Examples
    --------
    >>> from hippo_theory.discretizations import find_discretization
    >>> find_discretization("forward_euler").region
    'the open disc around -1 of radius 1'
    """
    if isinstance(method, Discretization):
        return method
    if method not in DISCRETIZATIONS:
        known = ", ".join(DISCRETIZATIONS)
        raise InputError(f"unknown method {method!r}; choose one of {known}, or pass generalized_bilinear(alpha)")
    return DISCRETIZATIONS[method]


def checked_step(step: Any) -> Fraction:
    """The step as an exact positive Fraction, or `InputError`."""
    value = exact_fraction(step)
    if value <= 0:
        raise InputError(f"`step` must be positive, got {step}")
    if not Fraction(1e-12) <= value <= 1000:  # this float is a little less than the decimal
        raise InputError(f"`step` must lie between 1e-12 and 1000 (the kernels live on times of order 1), got {step}")
    return value


def discretize(kernel: ExponentialSum, method: str | Discretization, step: Any) -> ExponentialSum:
    """The discrete kernel, divided by the step, that `method` makes of a continuous one.

    Parameters
    ----------
    kernel : ExponentialSum
        In continuous time.
    method : str or Discretization
        zoh, bilinear, sampled, forward_euler, backward_euler, or what `generalized_bilinear` returns.
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
    rule = find_discretization(method)
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


def discretize_dense(A: Array, B: Array, method: str | Discretization, step: Any) -> tuple[Array, Array]:
    """Abar and Bbar/dt of a dense system x' = A x + B u (SciPy's expm and solve; backward stable, not certified).

    Parameters
    ----------
    A : (N, N) ndarray of float64 or complex128
    B : (N,) ndarray of float64 or complex128
    method : str or Discretization
    step : number

    Returns
    -------
    (N, N) and (N,) ndarrays

    Raises
    ------
    InputError
        If I - alpha dt A is singular.
    """
    import scipy.linalg

    rule = find_discretization(method)
    dt = float(FLOAT64.number(checked_step(step)))
    identity = np.eye(len(B))
    if rule.alpha is not None:
        left = identity - A * (float(rule.alpha) * dt)
        try:
            solved = np.linalg.solve(left, np.column_stack([identity + A * (float(1 - rule.alpha) * dt), B]))
        except np.linalg.LinAlgError as error:
            raise InputError(_no_such_step(rule, step)) from error
        return solved[:, :-1], solved[:, -1]
    if rule.name == "sampled":
        return scipy.linalg.expm(A * dt), B
    # exp of the augmented matrix holds the integral of exp(A s) B: no inverse of A is needed.
    augmented = np.zeros((len(B) + 1, len(B) + 1), dtype=np.result_type(A, B, np.float64))
    augmented[:-1, :-1], augmented[:-1, -1] = A * dt, B
    exponential = scipy.linalg.expm(augmented)
    return exponential[:-1, :-1], exponential[:-1, -1]


def _no_such_step(rule: Discretization, step: Any) -> str:
    return (
        f"{rule.title} does not exist at `step` = {step}: an eigenvalue is 1/(alpha dt), or a power is beyond float64; "
        "take a smaller step"
    )


# --- systems ----------------------------------------------------------------------------------------------------------


def discretize_system(system: AnySystem, method: str | Discretization, step: Any) -> AnySystem:
    """The discrete system of the same type, x_l = Abar x_(l-1) + Bbar u_l, y_l = C x_l.

        diagonal:  Abar = z(Lambda dt),   Bbar = dt g(Lambda dt) B   (entry by entry);
        dense:     the same functions of the matrix A dt;
        low rank:  A = Lambda - P Q*, methods with an alpha, with D = 1 - alpha dt Lambda, M = I + alpha dt Q* D^-1 P:
                   Abar = z(Lambda dt) - (dt D^-1 P M^-1) (Q* D^-1),
                   Bbar = dt D^-1 (B - alpha dt P M^-1 Q* D^-1 B).

    Parameters
    ----------
    system : DenseSystem, DiagonalSystem, DiagonalPlusLowRankSystem or HalfSystem
        In continuous time, float64 or complex128.
    method : str or Discretization
        zoh, bilinear, sampled, forward_euler, backward_euler, or what `generalized_bilinear` returns. Zero-order hold
        and impulse sampling of a low-rank system are dense: pass `to_dense(system)`.
    step : number
        dt > 0, exact.

    Returns
    -------
    System
        Of the type of `system`, ``discrete=True``; Bbar contains the step, so that C Abar^l Bbar is about dt K(l dt).
        C and the multiplicities are unchanged. It is stable if ``method.is_stable(lambda dt)`` for every eigenvalue;
        this is not required here.

    Raises
    ------
    InputError
        If the system is discrete already, holds balls, has no discretization of its type by this method, or has an
        eigenvalue 1/(alpha dt) or so large that e^(lambda dt) overflows.

    Notes
    -----
    Cost O(N) for a diagonal, O(N r^2 + r^3) for a low-rank and O(N^3) for a dense system. Error of a diagonal system:
    a few eps of each entry, and abs(lambda dt) eps more in z = e^(lambda dt), as for any rounded exponent; zero-order
    hold uses expm1 and has no loss near lambda = 0. Dense: backward stable.

    Source: S4 (arXiv:2111.00396), appendix, for the low-rank form of alpha = 1/2.

    Examples
    --------
    >>> from hippo_theory.discretizations import discretize_system
    >>> from hippo_theory.systems import DiagonalSystem
    >>> discretize_system(DiagonalSystem([0.0, -1e-12], [1, 1]), "zoh", "0.5").B
    array([0.5, 0.5])
    >>> discretize_system(DiagonalSystem([-1.0, -2.0], [1, 1]), "forward_euler", "0.25").Lambda
    array([0.75, 0.5 ])
    """
    rule = find_discretization(method)
    exact_step = checked_step(step)
    if system.discrete:
        raise InputError("`system` is already discrete; discretize the continuous one")
    if any(isinstance(value, np.ndarray) and value.dtype.kind == "O" for value in vars(system).values()):
        raise InputError("`system` holds balls and this function computes in float64; round it with arithmetic.nearest")
    dt = float(FLOAT64.number(exact_step))
    with np.errstate(all="ignore"):  # what overflows or divides by zero is found below
        parts: dict[str, Any] = _discrete_parts(system, rule, exact_step, dt)
    if not all(np.isfinite(array).all() for array in parts.values()):
        raise InputError(_no_such_step(rule, step))
    return replace(system, discrete=True, **parts)


def _discrete_parts(system: System, rule: Discretization, exact_step: Fraction, dt: float) -> dict[str, Array]:
    """The arrays that change."""
    if isinstance(system, DenseSystem):
        # A power of two, exact: a large B would make expm of the augmented matrix square too often.
        scale = 2.0 ** math.frexp(float(np.abs(system.B).max(initial=0.0)))[1]
        Abar, Bbar = discretize_dense(system.A, system.B / scale, rule, exact_step)
        return {"A": Abar, "B": dt * (Bbar * scale)}
    x = system.Lambda * dt
    parts = {"Lambda": np.asarray(rule.multiplier(x)), "B": dt * (rule.gain(x) * system.B)}
    if isinstance(system, DiagonalSystem) or system.P is None or system.Q is None:
        return parts
    if rule.alpha is None:
        raise InputError(
            f"{rule.title} of a low-rank system is not diagonal plus low rank; pass to_dense(system), or use bilinear"
        )
    inverse = np.asarray(rule.gain(x))[:, None]  # D^-1
    alpha_step = float(rule.alpha) * dt
    left, right = inverse * system.P, system.Q.conj()  # D^-1 P and the transpose of Q*
    if isinstance(system, HalfSystem):  # Q* sums over all states: the conjugates add the conjugate
        weight = system.multiplicity[:, None]
        inner = ((weight * right).T @ np.column_stack([left, inverse[:, 0] * system.B])).real
    else:
        inner = right.T @ np.column_stack([left, inverse[:, 0] * system.B])
    M = np.eye(inner.shape[0]) + alpha_step * inner[:, :-1]
    try:
        left = np.linalg.solve(M.T, left.T).T if left.shape[1] else left  # D^-1 P M^-1
    except np.linalg.LinAlgError as error:
        raise InputError(_no_such_step(rule, exact_step)) from error
    parts["B"] = parts["B"] - dt * alpha_step * (left @ inner[:, -1])
    return {**parts, "P": dt * left, "Q": inverse.conj() * system.Q}
