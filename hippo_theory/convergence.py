"""The main experiment: how the diagonal restriction of a HiPPO system approaches the full system as N grows.

The diagonal restriction (S, B/2), S = A + P P^T, is what S4D and DSS use in place of (A, B). `converge` measures the
distance between the basis kernels of the two, the same discretization on both sides, in several senses, and puts the
closed form or asymptotic law beside each error. The errors come from the poles of both systems (the certified spectrum
and the integer coefficients of shifted Legendre polynomials); the theory comes from the Blaschke product q_N.

For LegS the two agree weakly (transfer functions at fixed s, O(N^(-1-2 Re s))) and after zero-order hold (O(1/N)), but
not in L2, not uniformly, and not in operator norm. For the other families the restriction does not decay at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory import asymptotics
from hippo_theory.arithmetic import balls, exact_complex, exact_fraction
from hippo_theory.decompositions import DiagonalRestriction, FullSystem
from hippo_theory.discretizations import METHODS as DISCRETIZATIONS
from hippo_theory.discretizations import checked_step
from hippo_theory.errors import CertificationError, InputError, checked_size
from hippo_theory.families import Family, make_family
from hippo_theory.norms.distance import NORMS, Distance, measure_distance

__all__ = ["NORMS", "Rate", "Row", "Study", "converge", "converge_rows", "plan_study"]

Array = NDArray[Any]

METHODS = ("continuous", *DISCRETIZATIONS)
NOT_CERTIFIED = "not certified"  # how `why` begins in a row whose distance exists but could not be enclosed


@dataclass(frozen=True)
class Row:
    """One distance between the full system and its diagonal restriction.

    Attributes
    ----------
    family : str
    N : int
    method : str
        continuous, zoh, bilinear or sampled; the same on both sides.
    step : Fraction or None
        None for continuous time.
    component : int
        n of the basis kernel K_n.
    norm : str
        l2 (a distance, not its square), sup, transfer (at `point`) or hinf; over [0, inf) unless `horizon` says less.
    point : str or None
        As it was given.
    error : arb, float or None
        The distance: a ball if `kind` is certified, a float if it is observed, None where there is none (see `why`).
    kind : str
        certified, or observed.
    theory : arb, Fraction or None
        What the closed form or the asymptotic law says, computed apart from `error`.
    theory_kind : str or None
        exact, or asymptotic (the leading term as N grows; None outside the regime of the law).
    why : str or None
        Why there is no error, or why it is only observed.
    horizon : Fraction or None
        The time to which the distance was restricted, where it was.
    """

    family: str
    N: int
    method: str
    step: Fraction | None
    component: int
    norm: str
    point: str | None
    error: Any
    kind: str | None
    theory: Any = None
    theory_kind: str | None = None
    why: str | None = None
    horizon: Fraction | None = None


@dataclass(frozen=True)
class Rate:
    """The slope of log error on log N, by least squares over the sizes from 64 up (all if fewer than three remain).

    Attributes
    ----------
    family, method, step, component, norm, point
        As in `Row`.
    slope : float or None
        None where fewer than two errors are positive; then `why` says so.
    interval : tuple of float or None
        Smallest and largest slope between neighboring sizes.
    theory : float or None
        The exponent that the theory gives.
    sizes : tuple of int
        The sizes that entered.
    zeros : int
        How many errors were exactly zero and left out.
    """

    family: str
    method: str
    step: Fraction | None
    component: int
    norm: str
    point: str | None
    slope: float | None
    interval: tuple[float, float] | None
    theory: float | None
    sizes: tuple[int, ...]
    zeros: int = 0
    why: str | None = None


@dataclass(frozen=True)
class Study:
    """The rows and rates of one `converge`."""

    rows: tuple[Row, ...]
    rates: tuple[Rate, ...]


@dataclass(frozen=True)
class Plan:
    """A checked request: what `converge_rows` will compute."""

    family: str
    convention: str
    sizes: tuple[int, ...]
    steps: tuple[Fraction, ...]
    methods: tuple[str, ...]
    components: tuple[int, ...]
    norms: tuple[str, ...]
    points: tuple[str, ...]
    horizon: Fraction | None
    digits: int

    def cases(self) -> Iterator[tuple[Family, str, Fraction | None, int]]:
        """Every (family object, method, step, component), cheapest sizes first."""
        for N in self.sizes:
            family = make_family(self.family, N, convention=self.convention)
            for method in self.methods:
                for step in [None] if method == "continuous" else self.steps:
                    for component in self.components:
                        yield family, method, step, component

    def __len__(self) -> int:
        variants = sum(1 if method == "continuous" else len(self.steps) for method in self.methods)
        return len(self.sizes) * variants * len(self.components)


def plan_study(
    family: str = "legs",
    *,
    sizes: Sequence[int] = (16, 32, 64, 128, 256, 512, 1024),
    steps: Sequence[Any] = ("0.1", "0.01"),
    methods: Sequence[str] = METHODS,
    components: Sequence[int] = (0, 1, 4),
    norms: Sequence[str] = NORMS,
    points: Sequence[Any] = ("0.5", "0.25+1j", "2j"),
    horizon: Any = None,
    digits: int = 15,
    convention: str = "default",
) -> Plan:
    """Check all arguments of a study before any work is done; see `converge` for what they mean.

    Raises
    ------
    InputError
        Naming the first argument that is wrong, and a way out.
    """
    sizes = tuple(sorted({checked_size("sizes", N) for N in sizes}))
    components = tuple(dict.fromkeys(checked_size("components", n, 0) for n in components))
    for name, values, known in (("methods", methods, METHODS), ("norms", norms, NORMS)):
        for value in values:
            if value not in known:
                raise InputError(f"`{name}` has no {value!r}; choose from {', '.join(known)}")
    empty = [
        name
        for name, values in (("sizes", sizes), ("components", components), ("methods", methods), ("norms", norms))
        if not values
    ]
    if empty:
        raise InputError(f"`{empty[0]}` is empty; give at least one")
    for N in sizes:
        if make_family(family, N, convention=convention).low_rank_columns == 0:
            raise InputError(
                f"{family} has no low-rank term: it is its own diagonal restriction; choose another family"
            )
        if max(components) >= N:
            raise InputError(f"component {max(components)} does not exist at N = {N}; components run from 0 to N-1")
    exact_steps = tuple(dict.fromkeys(checked_step(step) for step in steps))
    if not exact_steps and set(methods) - {"continuous"}:
        raise InputError("`steps` is empty; give at least one, or only the method continuous")
    for point in points:
        exact_complex(point)
    if "transfer" in norms and not points:
        raise InputError("`points` is empty; give at least one, such as 0.5 or 2j")
    exact_horizon = None if horizon is None else exact_fraction(horizon)
    if exact_horizon is not None and exact_horizon <= 0:
        raise InputError(f"`horizon` must be positive, got {horizon}")
    return Plan(
        family,
        convention,
        sizes,
        exact_steps,
        tuple(dict.fromkeys(methods)),
        components,
        tuple(dict.fromkeys(norms)),
        tuple(dict.fromkeys(str(point).strip("()") for point in points)),
        exact_horizon,
        checked_size("digits", digits),
    )


def converge(family: str = "legs", *, progress: Callable[[int, int], None] | None = None, **options: Any) -> Study:
    """Distance between the full system and its diagonal restriction, over sizes, methods, steps, components and norms.

    Parameters
    ----------
    family : str
        Id of the family.
    sizes : sequence of int
        State sizes N.
    steps : sequence of number
        Steps dt of the discrete methods, exact: ``"0.01"`` is 1/100.
    methods : sequence of str
        Of continuous, zoh, bilinear, sampled; discrete kernels are divided by the step.
    components : sequence of int
        Which basis kernels K_n.
    norms : sequence of str
        l2: sqrt of the integral of the squared difference (step times the sum of squares); sup: its largest value;
        transfer: the difference of the transfer functions at each point; hinf: its largest value on the axis (circle).
    points : sequence of complex
        Points s of the transfer norm (discrete: z = e^(s step)), exact: ``"0.25+1j"``.
    horizon : number, optional
        Restricts l2 and sup to 0 <= t <= horizon.
    digits : int
        Certain significant digits of each certified error.
    convention : str
    progress : callable, optional
        Called as progress(done, total) after each case.

    Returns
    -------
    Study
        Certified errors unless a row says otherwise.

    Raises
    ------
    InputError
        Bad arguments, before any work.

    Examples
    --------
    >>> import hippo_theory as ht
    >>> study = ht.converge("legs", sizes=[64, 128, 256], methods=["continuous"], components=[0], norms=["transfer"],
    ...                     points=["2j"])
    >>> round(study.rates[0].slope, 1), study.rates[0].theory
    (-1.0, -1.0)
    """
    plan = plan_study(family, **options)
    rows: list[Row] = []
    for done, batch in enumerate(converge_rows(plan), start=1):
        rows.extend(batch)
        if progress is not None:
            progress(done, len(plan))
    return Study(tuple(rows), tuple(fit_rates(rows)))


def converge_rows(plan: Plan) -> Iterator[list[Row]]:
    """The rows of a plan, one list for each of its cases, as they are computed."""
    for family, method, step, component in plan.cases():
        rows = []
        for norm in plan.norms:
            for point in plan.points if norm == "transfer" else [None]:
                rows.append(_row(plan, family, method, step, component, norm, point))
        yield rows


def _row(
    plan: Plan, family: Family, method: str, step: Fraction | None, component: int, norm: str, point: str | None
) -> Row:
    try:
        found = measure_distance(
            FullSystem(family),
            DiagonalRestriction(family),
            norm=norm,
            component=component,
            method=method,
            step=step,
            point=point,
            horizon=plan.horizon if norm in ("l2", "sup") else None,
            digits=plan.digits + 2,  # two more than are printed
        )
    except CertificationError as failure:  # one row that could not be certified does not lose the others
        found = Distance(None, None, f"{NOT_CERTIFIED}: {failure}")
    theory, theory_kind = None, None  # at a pole, say, there is nothing to compare with
    if found.value is not None:
        theory, theory_kind = asymptotics.distance_theory(
            family, method, step, component, norm, point, plan.horizon, plan.digits
        )
    return Row(
        family.variant, family.N, method, step, component, norm, point,
        found.value, found.kind, theory, theory_kind, found.why, found.horizon,
    )  # fmt: skip


# --- rates -------------------------------------------------------------------------------------------------------------


def fit_rates(rows: Sequence[Row]) -> Iterator[Rate]:
    """One `Rate` for each (family, method, step, component, norm, point) with rows at two sizes or more."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault((row.family, row.method, row.step, row.component, row.norm, row.point), []).append(row)
    for members in groups.values():
        if len(members) > 1:
            yield _fit(members)


def _fit(members: Sequence[Row]) -> Rate:
    first = members[0]
    measured = [row for row in members if row.error is not None]
    positive = [row for row in measured if not _is_zero(row.error)]
    large = [row for row in positive if row.N >= 64]
    used = large if len(large) >= 3 else positive
    slope, interval, why = None, None, None
    if not measured:
        why = first.why
    elif len(used) < 2:
        why = "fewer than two positive errors"
    else:
        x, y = np.log([float(row.N) for row in used]), np.array([_log(row.error) for row in used])
        neighbors = np.diff(y) / np.diff(x)
        slope = float(np.polyfit(x, y, 1)[0])
        interval = (float(neighbors.min()), float(neighbors.max()))
    return Rate(
        first.family, first.method, first.step, first.component, first.norm, first.point,
        slope, interval, asymptotics.rate_theory(first), tuple(row.N for row in used), len(measured) - len(positive), why,
    )  # fmt: skip


def _is_zero(error: Any) -> bool:
    return bool(error == 0)


def _log(error: Any) -> float:
    """log of a positive error as a float; balls may be far below the range of float64."""
    if isinstance(error, float):
        return math.log(error)
    with balls(64).work():
        return float(error.log())
