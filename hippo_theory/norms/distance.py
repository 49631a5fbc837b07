"""The distance between two systems, each full or diagonal, in any of the norms; certified wherever that is possible."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from flint import acb, acb_mat, arb, arb_mat

from hippo_theory.arithmetic import Balls, balls, certified, exact_complex, exact_fraction, rationals
from hippo_theory.decompositions import DiagonalRestriction, FullSystem
from hippo_theory.discretizations import checked_step, discretize, discretize_dense, find_method
from hippo_theory.errors import CertificationError, InputError, checked_size
from hippo_theory.families import Family, FouT, LegS
from hippo_theory.kernels import ExponentialSum, diagonal_kernel, full_kernel
from hippo_theory.norms.hinf import hinf_norm
from hippo_theory.norms.l2 import l2_squared, transfer_value
from hippo_theory.norms.sup import sup_norm

__all__ = ["NORMS", "Distance", "difference_kernel", "distance", "measure_distance"]

NORMS = ("l2", "sup", "transfer", "hinf")

# Exponential and solve with ball matrices cost N^3, about half a second at this size; beyond it float64 has to do.
_LARGEST_EXPONENTIAL = 72

FamilySystem = FullSystem | DiagonalRestriction


@dataclass(frozen=True)
class Distance:
    """A distance and what it is worth.

    Attributes
    ----------
    value : arb, float or None
        A ball if `kind` is certified (the integer 0 where it is exactly zero), a float or ball if observed, else None.
    kind : str or None
        certified, observed, or None where there is no such distance.
    why : str or None
        Why there is none, or why it is only observed.
    horizon : Fraction or None
        The time that was covered, where that is not all of it.
    """

    value: Any
    kind: str | None
    why: str | None = None
    horizon: Fraction | None = None


def distance(
    first: FamilySystem,
    second: FamilySystem,
    *,
    norm: str = "l2",
    component: int = 0,
    method: str = "continuous",
    step: Any = None,
    point: Any = None,
    horizon: Any = None,
    digits: int = 15,
) -> Any:
    """Distance between the n-th basis kernels of two systems, certified to `digits` significant digits.

    Parameters
    ----------
    first, second : FullSystem or DiagonalRestriction
        From `full_system` and `diagonal_restriction`, with equal or different families and sizes.
    norm : str
        l2 (sqrt of the integral of the squared difference), sup (its largest value; discrete methods only), transfer
        (difference of the transfer functions at `point`), hinf (the largest of those on the imaginary axis or circle;
        for a LegS and its own restriction).
    component : int
        n.
    method : str
        continuous, or a discretization (zoh, bilinear, sampled) of both with `step`; kernels are divided by the step.
    step, point, horizon : number, optional
        Exact: ``"0.01"`` is 1/100. `horizon` restricts l2 and sup to 0 <= t <= horizon.
    digits : int
        Radius at most 10^-digits times the distance.

    Returns
    -------
    arb
        A ball that contains the distance.

    Raises
    ------
    InputError
        Bad arguments, or systems that have no such distance.
    CertificationError
        If the distance could not be certified.

    Examples
    --------
    >>> import hippo_theory as ht
    >>> legs = ht.LegS(64)
    >>> d = ht.distance(ht.full_system(legs), ht.diagonal_restriction(legs), norm="l2", component=0)
    >>> ht.decimal_ball(d, 12).value  # sqrt(1/4 - 1/(2 N^2))
    '0.4998779147827'
    """
    found = measure_distance(
        first,
        second,
        norm=norm,
        component=component,
        method=method,
        step=step,
        point=point,
        horizon=horizon,
        digits=digits,
    )
    if found.kind is None:
        raise InputError(f"there is no {norm} distance: {found.why}")
    if found.kind != "certified":
        raise CertificationError(f"the {norm} distance could not be certified: {found.why}")
    return arb(found.value)


def measure_distance(
    first: FamilySystem,
    second: FamilySystem,
    *,
    norm: str,
    component: int,
    method: str = "continuous",
    step: Any = None,
    point: Any = None,
    horizon: Any = None,
    digits: int = 15,
) -> Distance:
    """As `distance`, but says what it found instead of raising where nothing can be certified.

    Returns
    -------
    Distance
    """
    digits = checked_size("digits", digits)
    exact_step = _checked_time(method, step)
    component = second.family.checked_component(first.family.checked_component(component))
    case = _Case(first, second, component, method, exact_step)
    if first == second:
        return Distance(0, "certified")
    if norm not in NORMS:
        raise InputError(f"`norm` must be one of {', '.join(NORMS)}, got {norm!r}")
    if horizon is not None and exact_fraction(horizon) <= 0:
        raise InputError(f"`horizon` must be positive, got {horizon}")
    if norm == "transfer":
        if point is None:
            raise InputError("`point` is needed for the transfer norm; give one, such as point='2j'")
        return _transfer_distance(case, exact_complex(point), digits)
    if norm == "sup" and exact_step is None:
        return Distance(None, None, "finite for each N, growing very slowly with N; no closed form")
    if why := _why_no_norm((first, second), norm):
        return Distance(None, None, why)
    if norm == "hinf":
        if not case.is_own_restriction:
            raise InputError("`norm='hinf'` compares a LegS system with its own restriction; use norm='transfer'")
        found = hinf_norm(first.family, component, digits, method=method, step=exact_step)
        return _judged(found.value, found.kind, found.why, None)
    if norm == "sup":
        largest = sup_norm(case.kernel, digits, horizon=horizon)
        covered = horizon if largest.kind == "certified" else largest.horizon
        return _judged(largest.value, largest.kind, largest.why, covered)
    value = certified(
        lambda ring: ring.sqrt(l2_squared(case.kernel(ring), horizon)), digits, guard_bits=case.guard_bits, strict=True
    )
    return Distance(value, "certified", horizon=None if horizon is None else exact_fraction(horizon))


def _judged(value: Any, kind: str, why: str | None, horizon: Any) -> Distance:
    """A distance; what is only observed is a float, so that it does not look enclosed."""
    if value is None:
        return Distance(None, None, why)
    covered = None if horizon is None else exact_fraction(horizon)
    return Distance(value if kind == "certified" else float(value), kind, why, covered)


@dataclass(frozen=True)
class _Case:
    """Two systems and how they are compared, all arguments checked."""

    first: FamilySystem
    second: FamilySystem
    component: int
    method: str
    step: Fraction | None

    @property
    def guard_bits(self) -> int:
        """Bits above the digits: the full kernel has coefficients up to 2^(2.55 n), which enter squared and cancel."""
        return 64 + 6 * self.component

    @property
    def is_own_restriction(self) -> bool:
        return self.first.family == self.second.family and type(self.first) is not type(self.second)

    def kernel(self, arithmetic: Balls) -> ExponentialSum:
        """The difference of the kernels, discretized."""
        kernel = difference_kernel(self.first, self.second, self.component, arithmetic)
        return kernel if self.step is None else discretize(kernel, self.method, self.step)


# The difference is the same for all methods, steps and norms of an experiment.
@lru_cache(maxsize=32)
def difference_kernel(first: FamilySystem, second: FamilySystem, component: int, arithmetic: Balls) -> ExponentialSum:
    """Basis kernel K_n of `first` minus that of `second`, as a sum of exponentials.

    Raises
    ------
    InputError
        If a full system is not LegS: its poles are not known in closed form, or not simple.
    """
    kernels = [
        full_kernel(system.family, component, arithmetic)
        if isinstance(system, FullSystem)
        else diagonal_kernel(system.family, component, arithmetic)
        for system in (first, second)
    ]
    return kernels[0] - kernels[1]


def _checked_time(method: str, step: Any) -> Fraction | None:
    if method == "continuous":
        if step is not None:
            raise InputError(
                "`step` has no meaning with method='continuous'; name a discretization, such as method='zoh'"
            )
        return None
    find_method(method)
    if step is None:
        raise InputError(f"`step` is needed for method={method!r}; give one, such as step='0.01'")
    return checked_step(step)


def _why_no_norm(systems: tuple[FamilySystem, FamilySystem], norm: str) -> str | None:
    """Why the difference of the kernels has no such norm, or none that can be computed."""
    if any(isinstance(system, DiagonalRestriction) and system.family.normal_real_part == 0 for system in systems):
        if norm == "sup":
            return "the diagonal restriction oscillates for ever and does not decay, so that no horizon closes it; see transfer"
        return "infinite: the spectrum of the normal part is on the imaginary axis and does not decay; see transfer"
    for system in systems:
        if isinstance(system, FullSystem) and not isinstance(system.family, LegS):
            return f"the full {system.family.name} system has no simple poles in closed form; see transfer"
    return None


# --- transfer functions ------------------------------------------------------------------------------------------------


def _transfer_distance(case: _Case, point: tuple[Fraction, Fraction], digits: int) -> Distance:
    full_without_poles = [
        system
        for system in (case.first, case.second)
        if isinstance(system, FullSystem) and not isinstance(system.family, LegS)
    ]
    largest = max((system.N for system in full_without_poles), default=0)
    if largest > _LARGEST_EXPONENTIAL and case.method in ("zoh", "sampled"):
        return _observed_transfer_distance(case, complex(*map(float, point)))

    def difference(ring: Balls) -> Any:
        if not full_without_poles:
            return abs(transfer_value(case.kernel(ring), _ball_point(point, ring)))
        return abs(_transfer(case.first, case, point, ring) - _transfer(case.second, case, point, ring))

    bits = math.ceil(digits * math.log2(10)) + case.guard_bits
    if case.is_own_restriction and _vanishes(case, point):
        with balls(bits).work() as ring:
            if not difference(ring).contains(0):
                raise CertificationError(f"at s = {_written(point)} theory says exactly 0 and the poles do not")
        return Distance(0, "certified")
    with balls(bits).work() as ring:
        finite = difference(ring).is_finite()
    if not finite:
        with balls(2 * bits).work() as ring:
            if not difference(ring).is_finite():
                return Distance(
                    None, None, f"infinite: s = {_written(point)} is a pole, or nearer to one than can be told"
                )
    return Distance(certified(difference, digits, guard_bits=case.guard_bits, strict=True), "certified")


def _ball_point(point: tuple[Fraction, Fraction], ring: Balls) -> Any:
    return acb(ring.number(point[0]), ring.number(point[1]))


def _written(point: tuple[Fraction, Fraction]) -> str:
    return f"{float(point[0]):g}" if point[1] == 0 else f"{complex(*map(float, point)):g}"


def _transfer(system: FamilySystem, case: _Case, point: tuple[Fraction, Fraction], ring: Balls) -> Any:
    """One transfer function, of the continuous system at s or of its discretization at z = e^(s dt)."""
    s = _ball_point(point, ring)
    if isinstance(system, DiagonalRestriction):
        kernel = diagonal_kernel(system.family, case.component, ring)
        return transfer_value(kernel if case.step is None else discretize(kernel, case.method, case.step), s)
    weight: Any = 1
    if case.step is not None and case.method != "bilinear":
        return _dense_transfers(system.family, case.method, case.step, point, ring)[case.component]
    if case.step is not None:  # bilinear: dt sum_l k_l z^-l = (1 + s' dt/2) X(s'), s' = (2/dt) (z-1)/(z+1)
        dt = ring.number(case.step)
        z = (s * dt).exp()
        s = 2 / dt * (z - 1) / (z + 1)
        weight = 1 + s * dt / 2
    return weight * system.family.transfer_function(case.component, s, ring)


@lru_cache(maxsize=8)
def _dense_transfers(
    family: Family, method: str, step: Fraction, point: tuple[Fraction, Fraction], ring: Balls
) -> list[Any]:
    """dt (I - Abar/z)^-1 Bbar/dt of a full system, all components, by the exponential of a ball matrix.

    The exponential of [[A, B], [0, 0]] dt holds Abar and the integral of e^(A t) B that the zero-order hold needs.
    """
    N, dt = family.N, ring.number(step)
    z = (_ball_point(point, ring) * dt).exp()
    B = family.input_vector(ring)
    augmented = np.full((N + 1, N + 1), arb(0), dtype=object)
    augmented[:N, :N], augmented[:N, N] = family.state_matrix(ring) * dt, B * dt
    exponential = arb_mat(augmented.tolist()).exp().table()
    drive = [exponential[n][N] if method == "zoh" else B[n] * dt for n in range(N)]
    shifted = [[(1 if n == k else 0) - exponential[n][k] / z for k in range(N)] for n in range(N)]
    return [row[0] for row in acb_mat(shifted).solve(acb_mat([[entry] for entry in drive])).table()]


def _vanishes(case: _Case, point: tuple[Fraction, Fraction]) -> bool:
    """Whether q(s) = 0 in exact arithmetic, where the two transfer functions coincide: LegS at s = 0, ..., N-1.

    In discrete time only s = 0 can be such a point: there the zero-order hold and the bilinear method keep the gain.
    """
    family, (s, imaginary) = case.first.family, point
    if imaginary != 0 or (case.step is not None and (s != 0 or case.method == "sampled")):
        return False
    if not family.has_inner_function or isinstance(family, FouT):  # q of FouT involves pi: no rational zero
        return False
    try:
        return bool(family.inner_function(s, rationals()) == 0)
    except ZeroDivisionError:
        return False


def _observed_transfer_distance(case: _Case, s: complex) -> Distance:
    """From a dense float64 discretization of full systems whose poles are not known."""
    assert case.step is not None
    values = []
    for system in (case.first, case.second):
        if isinstance(system, FullSystem):
            state, drive = discretize_dense(system.A, system.B, case.method, case.step)
            shifted = np.eye(system.N) - state / np.exp(s * float(case.step))
            values.append(float(case.step) * np.linalg.solve(shifted, drive.astype(complex))[case.component])
        else:
            kernel = discretize(diagonal_kernel(system.family, case.component, balls(96)), case.method, case.step)
            values.append(complex(transfer_value(kernel, s)))
    why = f"beyond N = {_LARGEST_EXPONENTIAL} the full side is a float64 matrix exponential, not certified"
    return Distance(float(abs(values[0] - values[1])), "observed", why)
