"""What can be computed at a point: the studies that a study file names. A new one is one entry of `STUDIES`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeGuard

from flint import arb

from hippo_theory import asymptotics
from hippo_theory.arithmetic import Balls, balls, certified, complex_radius, decimal_ball, magnitude_bounds
from hippo_theory.convergence import METHODS as COMPARED
from hippo_theory.convergence import NOT_CERTIFIED
from hippo_theory.decompositions import DiagonalRestriction, FullSystem
from hippo_theory.discretizations import DISCRETIZATIONS, checked_step, discretize
from hippo_theory.errors import CertificationError, InputError
from hippo_theory.families import FAMILIES, Family, LegS, make_family
from hippo_theory.families.conventions import CONVENTIONS
from hippo_theory.kernels import full_kernel
from hippo_theory.norms.distance import NORMS, Distance, difference_kernel, measure_distance
from hippo_theory.norms.l2 import l2_squared
from hippo_theory.norms.l2_large import l2_by_lags, l2_by_mirror_images
from hippo_theory.sweeps.points import Point, Scalar

__all__ = ["STUDIES", "Parameter", "StudyKind"]

_LARGEST_PAIRS = 2048  # sums over all pairs of poles take 2 seconds here, and four times that at twice the size


@dataclass(frozen=True)
class Parameter:
    """A parameter of a study.

    Attributes
    ----------
    kind : str
        ``whole``, ``decimal``, ``complex`` (both as strings, exact) or ``name``.
    default : value or None
        None: where the study file does not give it, it is not given.
    choices : tuple of str
        Of a name.
    least : int
        Of a whole number.
    needed : bool
        Whether the study file has to give it.
    """

    kind: str
    default: Scalar = None
    choices: tuple[str, ...] = ()
    least: int = 1
    needed: bool = False


@dataclass(frozen=True)
class StudyKind:
    """One study that a study file can name.

    Attributes
    ----------
    name, title : str
    version : int
        Raised whenever `evaluate` changes what it returns.
    parameters : mapping of str to Parameter
    evaluate : callable
        From a point to the names and values of its result.
    normalized : callable
        From the values of a grid's combination to those of the point, or None where it says the same as another: a
        step has no meaning in continuous time. Raises InputError where the combination is impossible.
    """

    name: str
    title: str
    version: int
    parameters: Mapping[str, Parameter]
    evaluate: Callable[[Point], Mapping[str, Scalar]]
    normalized: Callable[[dict[str, Scalar]], dict[str, Scalar]] = field(default=lambda values: values)


# --- distance: the full system and its diagonal restriction -------------------------------------------------------------

_SEVERAL_METHODS = ("continuous", *DISCRETIZATIONS)


def _distance_values(values: dict[str, Scalar]) -> dict[str, Scalar]:
    """A step only in discrete time, a point only for the transfer norm."""
    found = dict(values)
    if found["method"] == "continuous":
        found["step"] = None
    elif found["step"] is None:
        raise InputError(f"`step` is needed for the method {found['method']!r}; give one, such as step = '0.01'")
    else:
        checked_step(found["step"])
    if found["norm"] != "transfer":
        found["point"] = None
    elif found["point"] is None:
        raise InputError("`point` is needed for the norm 'transfer'; give one, such as point = '2j'")
    if found["method"] not in COMPARED and found["norm"] != "l2":
        raise InputError(f"the method {found['method']!r} is compared in the norm 'l2' only, not in {found['norm']!r}")
    N, component = found["N"], found["component"]
    assert isinstance(N, int)
    assert isinstance(component, int)
    if component >= N:
        raise InputError(f"component {component} does not exist at N = {N}; components run from 0 to N-1")
    family = make_family(str(found["family"]), N, convention=str(found["convention"]))
    if family.low_rank_columns == 0:
        raise InputError(f"{found['family']} has no low-rank term: it is its own diagonal restriction; choose another")
    return found


def _distance(point: Point) -> dict[str, Scalar]:
    """One distance, certified wherever that is possible, and what theory says of it."""
    family = make_family(point["family"], point["N"], convention=point["convention"])
    method, norm, component, digits = point["method"], point["norm"], point["component"], point["digits"]
    step = None if point["step"] is None else checked_step(point["step"])
    route = "norms.measure_distance"
    try:
        if norm == "l2" and method not in COMPARED:
            route = "norms.l2_squared"
            found = _l2_of_any_method(family, component, method, step, digits)
        elif norm == "l2" and _is_large(family, component) and method in ("continuous", "bilinear"):
            # The bilinear map is an isometry: step sum_l e_l^2 is the integral of e^2.
            route = "mirror images"
            found = Distance(l2_by_mirror_images(family, component, digits), "certified")
        elif norm == "l2" and _is_large(family, component):
            route = "lags"
            assert step is not None
            found = Distance(l2_by_lags(family, component, method, step), "certified")
        else:
            found = measure_distance(
                FullSystem(family), DiagonalRestriction(family),
                norm=norm, component=component, method=method, step=step, point=point["point"], digits=digits,
            )  # fmt: skip
    except CertificationError as failure:
        found = Distance(None, None, f"{NOT_CERTIFIED}: {failure}")
    theory, theory_kind = None, None
    if found.value is not None and method in COMPARED:
        theory, theory_kind = asymptotics.distance_theory(
            family, method, step, component, norm, point["point"], None, digits
        )
    error, radius = _decimals(found.value, digits)
    return {
        "error": error,
        "radius": radius,
        "kind": found.kind,
        "theory": None if theory is None else decimal_ball(theory, digits).value,
        "theory_kind": theory_kind,
        "why": found.why,
        "route": route,
    }


def _is_large(family: Family, component: int) -> TypeGuard[LegS]:
    default = isinstance(family, LegS) and family.convention == "default"
    return default and family.N > _LARGEST_PAIRS and component <= family.N - 2


def _l2_of_any_method(family: Family, component: int, method: str, step: Fraction | None, digits: int) -> Distance:
    pair = FullSystem(family), DiagonalRestriction(family)

    def norm(ring: Balls) -> Any:
        return ring.sqrt(l2_squared(discretize(difference_kernel(*pair, component, ring), method, step)))

    rule = DISCRETIZATIONS[method]
    if not rule.is_a_stable and not all(rule.is_stable(complex(pole) * float(step or 0)) for pole in _poles(*pair)):
        return Distance(None, None, "infinite: a pole leaves the unit disc, and the kernel grows")
    return Distance(certified(norm, digits, guard_bits=64 + 6 * component, strict=True), "certified")


def _poles(full: FullSystem, diagonal: DiagonalRestriction) -> list[complex]:
    return [*diagonal.family.normal_spectrum(), *(-(j + 1.0) for j in range(full.N))]


def _decimals(value: Any, digits: int) -> tuple[str | None, str | None]:
    if value is None:
        return None, None
    if isinstance(value, float):  # observed: no radius is known
        return f"{value:.{digits}g}", None
    return decimal_ball(value, digits)


# --- precision: how many bits a formula needs ---------------------------------------------------------------------------


def _exponential_sum(N: int, ring: Balls) -> Any:
    """K_(N-1)(1) as the sum of its exponentials, whose coefficients grow like (3 + 2 sqrt 2)^N and cancel."""
    return full_kernel(LegS(N), N - 1, ring)(1)


def _matrix_exponential(N: int, ring: Balls) -> Any:
    """K_(N-1)(1) as the last entry of e^A B, by the exponential of a ball matrix."""
    from flint import arb_mat

    legs = LegS(N)
    state = arb_mat(legs.state_matrix(ring).tolist())
    drive = arb_mat([[entry] for entry in legs.input_vector(ring)])
    return (state.exp() * drive)[N - 1, 0]


def _orthogonal_polynomial(N: int, ring: Balls) -> Any:
    """K_(N-1)(1) as R e^-1 P(2 e^-1 - 1)."""
    return LegS(N).kernel(N - 1, ring.number(1), ring)


def _linear_solve(N: int, ring: Balls) -> Any:
    """X_(N-1)(1/2) by solving (s - A) X = B in balls."""
    from flint import arb_mat

    legs = LegS(N)
    half = ring.number(Fraction(1, 2))
    state = legs.state_matrix(ring)
    shifted = [[(half if n == k else arb(0)) - state[n][k] for k in range(N)] for n in range(N)]
    return arb_mat(shifted).solve(arb_mat([[entry] for entry in legs.input_vector(ring)]))[N - 1, 0]


def _product(N: int, ring: Balls) -> Any:
    """X_(N-1)(1/2) by its closed product."""
    return LegS(N).transfer_function(N - 1, ring.number(Fraction(1, 2)), ring)


def _least_frequency(N: int, ring: Balls) -> Any:
    """The least positive frequency of the normal part, as the root of its phase."""
    frequencies = LegS(N).normal_frequencies(ring)
    return frequencies[N // 2 - 1]


_FORMULAS: dict[str, Callable[[int, Balls], Any]] = {
    "kernel-exponential-sum": _exponential_sum,
    "kernel-matrix-exponential": _matrix_exponential,
    "kernel-polynomial": _orthogonal_polynomial,
    "transfer-solve": _linear_solve,
    "transfer-product": _product,
    "least-frequency": _least_frequency,
}
_MOST_BITS = 1 << 16


def _precision(point: Point) -> dict[str, Scalar]:
    """The least number of bits at which a formula in balls fixes its value to the digits asked for, by bisection."""
    formula, N, digits = _FORMULAS[point["formula"]], point["N"], point["digits"]

    def is_enough(bits: int) -> bool:
        with balls(bits).work() as ring:
            value = arb(formula(N, ring))
        return bool(value.is_finite()) and complex_radius(value) * 10**digits <= magnitude_bounds(value)[0]

    low, high = 8, 16  # low: not enough, or not tried
    while not is_enough(high):
        low, high = high, 2 * high
        if high > _MOST_BITS:
            raise CertificationError(f"{_MOST_BITS} bits do not give {digits} digits of {point['formula']} at N = {N}")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return {"bits": high, "bits_lost": round(high - digits * math.log2(10), 6)}


def _precision_values(values: dict[str, Scalar]) -> dict[str, Scalar]:
    if values["formula"] == "least-frequency" and values["N"] == 1:
        raise InputError("the formula 'least-frequency' needs N of at least 2, got 1")
    return values


# --- the list -----------------------------------------------------------------------------------------------------------

STUDIES: dict[str, StudyKind] = {
    kind.name: kind
    for kind in (
        StudyKind(
            "distance",
            "distance between a full system and its diagonal restriction",
            1,
            {
                "family": Parameter("name", "legs", tuple(FAMILIES)),
                "convention": Parameter("name", "default", tuple(dict.fromkeys(form.name for form in CONVENTIONS))),
                "N": Parameter("whole", needed=True),
                "method": Parameter("name", "continuous", _SEVERAL_METHODS),
                "step": Parameter("decimal"),
                "component": Parameter("whole", 0, least=0),
                "norm": Parameter("name", "l2", NORMS),
                "point": Parameter("complex"),
                "digits": Parameter("whole", 15),
            },
            _distance,
            _distance_values,
        ),
        StudyKind(
            "precision",
            "bits that a formula in ball arithmetic needs for so many digits",
            2,
            {
                "formula": Parameter("name", needed=True, choices=tuple(_FORMULAS)),
                "N": Parameter("whole", needed=True),
                "digits": Parameter("whole", 15),
            },
            _precision,
            _precision_values,
        ),
    )
}
