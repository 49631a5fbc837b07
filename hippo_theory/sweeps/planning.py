"""Planning a sweep beyond one machine: a pilot on a few points, a cost model, time and memory on k workers."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hippo_theory.errors import InputError, checked_size
from hippo_theory.sweeps.costs import CostModel, group_of, sizes_of
from hippo_theory.sweeps.evaluation import Outcome, evaluate_point, this_process
from hippo_theory.sweeps.executors import local_executor
from hippo_theory.sweeps.points import Point, Study

__all__ = ["CostModel", "SweepPlan", "pilot_points", "plan_sweep", "predicted_seconds"]

_STRIDE = 0.2  # least logarithm of the cost, as all groups together predict it, by which the pilot moves on
_CLIMB = 4.0  # the most by which the next point of a group may cost more than those before
_COMPUTES = 0.1  # least share of processor time in the time of a study that computes
# Of the time of the pilot: points below it are measured twice, since the first may wait for imports and caches.
_REPEATED = 0.01


@dataclass(frozen=True)
class SweepPlan:
    """What a full sweep would take.

    Attributes
    ----------
    points : int
    workers : int
    seconds : float
        From the first point to the last on that many workers like the one of the pilot.
    work_seconds : float
        Of all points, one after the other.
    longest_seconds : float
        Of the most expensive point: more workers do not make the sweep shorter than that.
    worker_bytes : int
        Most memory that one worker takes.
    pilot_points : int
        How many points were measured.
    pilot_seconds : float
    model : CostModel
        Of the seconds.
    """

    points: int
    workers: int
    seconds: float
    work_seconds: float
    longest_seconds: float
    processor_seconds: float | None
    worker_bytes: int
    pilot_points: int
    pilot_seconds: float

    @property
    def bytes(self) -> int:
        """Memory of all workers, if each takes its most at the same time."""
        return self.workers * self.worker_bytes


def plan_sweep(
    study: Study,
    points: Sequence[Point],
    *,
    workers: int,
    seconds: float = 30.0,
    progress: Callable[[int, float], None] | None = None,
) -> SweepPlan:
    """Evaluate a few points in one worker, fit what they cost, and add up the rest; nothing is stored.

    Parameters
    ----------
    study : Study
    points : sequence of Point
        Of the full sweep.
    workers : int
        To plan for.
    seconds : float
        For the pilot, about, of processor time: a point that was expected to be cheap may not be.
    progress : callable, optional
        Called with the points measured and the seconds gone after each.

    Returns
    -------
    SweepPlan
        Seconds are of this machine and of its load now. Extrapolations (see `CostModel`) do not see what no point of the
        pilot reached, such as an algorithm that gives up beyond a size.

    Raises
    ------
    InputError
        If there are no points, or every point of the pilot fails.
    """
    workers = checked_size("workers", workers)
    distinct = list(dict.fromkeys(points))
    if not distinct:
        raise InputError("there are no points to plan for; give at least one")
    if not seconds > 0:
        raise InputError(f"`seconds` for the pilot must be positive, got {seconds}; 30 is usual")
    measured: dict[Point, Outcome] = {}
    failure = ""
    began = time.perf_counter()
    with local_executor(1) as executor:

        def measure(point: Point) -> float | None:
            nonlocal failure
            seed = study.seed(point) if study.random else None
            task = (study.evaluate, point, seed, this_process())
            outcome = executor.submit(evaluate_point, *task).result()
            if outcome.failure is None and outcome.seconds < _REPEATED * seconds:
                again = executor.submit(evaluate_point, *task).result()
                outcome = min(outcome, again, key=lambda one: one.processor_seconds)
            if outcome.failure is not None:
                failure = f"{point}: {outcome.failure}"
                return None
            measured[point] = outcome
            if progress is not None:
                progress(len(measured), time.perf_counter() - began)
            return outcome.processor_seconds if _computes([outcome]) else outcome.seconds

        _pilot(distinct, measure, seconds)
    if not measured:
        raise InputError(f"no point of the pilot could be computed, the last one being {failure}")
    wall = {point: outcome.seconds for point, outcome in measured.items()}
    own = {point: outcome.processor_seconds for point, outcome in measured.items()}
    computes = _computes(measured.values())
    basis = own if computes else wall
    slowdown = sum(wall.values()) / max(sum(basis.values()), 1e-9)
    model = CostModel.fit(list(basis), list(basis.values()), like=distinct)
    costs = [slowdown * basis.get(point, model.cost(point)) for point in distinct]
    base = min(outcome.peak_bytes for outcome in measured.values())
    extra = [max(outcome.peak_bytes - base, 2**20) for outcome in measured.values()]
    memory = CostModel.fit(list(measured), extra, like=distinct)
    return SweepPlan(
        points=len(distinct),
        workers=workers,
        seconds=predicted_seconds(costs, workers),
        work_seconds=sum(costs),
        longest_seconds=max(costs),
        processor_seconds=sum(costs) / slowdown if computes else None,
        worker_bytes=int(base + max(memory.cost(point) for point in distinct)),
        pilot_points=len(measured),
        pilot_seconds=time.perf_counter() - began,
    )


def _computes(outcomes: Iterable[Outcome]) -> bool:
    """Whether points compute rather than wait, so that their processor time is what they cost."""
    both = [(outcome.processor_seconds, outcome.seconds) for outcome in outcomes]
    return sum(own for own, _ in both) >= _COMPUTES * sum(wall for _, wall in both)


def predicted_seconds(costs: Sequence[float], workers: int) -> float:
    """Time until the last point ends, each given to the first worker that is free, in order.

    Examples
    --------
    >>> from hippo_theory.sweeps.planning import predicted_seconds
    >>> predicted_seconds([3, 1, 1, 1], workers=2)
    3.0
    """
    free = [0.0] * checked_size("workers", workers)
    for cost in costs:
        heapq.heapreplace(free, free[0] + cost)
    return max(free)


def pilot_points(points: Sequence[Point], costs: Callable[[Point], float], seconds: float) -> list[Point]:
    """Which points a pilot of so many seconds would measure where their costs are those given."""
    chosen: list[Point] = []

    def measure(point: Point) -> float:
        chosen.append(point)
        return costs(point)

    _pilot(list(dict.fromkeys(points)), measure, seconds)
    return chosen


def _pilot(points: list[Point], measure: Callable[[Point], float | None], seconds: float) -> None:
    """First a corner of each group and its neighbors in each direction; then each group climbs to its most expensive.

    `measure` returns the seconds of a point, or None if it failed.
    """
    names = sizes_of(points)
    known: dict[Point, float] = {}
    tried: set[Point] = set()
    spent = 0.0

    def visit(point: Point) -> None:
        nonlocal spent
        if point in tried:
            return
        tried.add(point)
        cost = measure(point)
        if cost is not None:
            known[point] = cost
            spent += cost

    groups: dict[tuple[object, ...], list[Point]] = {}
    for point in points:
        groups.setdefault(group_of(point, names), []).append(point)
    for members in groups.values():
        for point in _corner(members, names):
            if spent < seconds:
                visit(point)
    # Half of the time is shared evenly, so that no group stays unknown because it seemed cheap; the rest goes to whichever
    # has most work ahead.
    share = (seconds - spent) / (2 * len(groups))
    spent_on = dict.fromkeys(groups, 0.0)
    while known and spent < seconds:
        model = CostModel.fit(list(known), list(known.values()), like=points)
        ahead = {
            group: sum(model.cost(point) for point in members if point not in tried)
            for group, members in groups.items()
        }
        order = sorted(groups, key=ahead.__getitem__, reverse=True)
        turns = [(group, share - spent_on[group]) for group in order] + [(group, seconds - spent) for group in order]
        for group, allowed in turns:
            further = _further(groups[group], known, tried, model, allowed)
            if further is not None:
                before = spent
                for point in (further, *_across(groups[group], further, names)):
                    if spent < seconds:
                        visit(point)
                spent_on[group] += spent - before
                break
        else:
            return


def _further(
    members: list[Point], known: dict[Point, float], tried: set[Point], model: CostModel, allowed: float
) -> Point | None:
    """A point of a group further out than all that were tried: as far as the model can be trusted, or the next there is."""
    outermost = max((model.outwardness(point) for point in members if point in tried), default=-float("inf"))
    reached = max((known[point] for point in members if point in known), default=0.0)
    beyond = sorted((model.outwardness(point), model.cost(point), place) for place, point in enumerate(members))
    beyond = [entry for entry in beyond if entry[0] > outermost + _STRIDE and entry[1] <= allowed]
    near = [entry for entry in beyond if entry[1] <= _CLIMB * reached]
    if not beyond:
        return None
    return members[(near[-1] if near else beyond[0])[2]]


def _across(members: list[Point], base: Point, names: Sequence[str]) -> list[Point]:
    """The other end of the line through a point in each direction: which slope is which shows only there."""
    ends = []
    given = [name for name in names if base.as_dict().get(name) is not None]
    for name in given if len(given) > 1 else ():
        line = [
            point for point in members if all(point[other] == value for other, value in base.items if other != name)
        ]
        line.sort(key=lambda point: float(point[name]))
        ends.append(line[0] if base != line[0] else line[-1])
    return ends


def _corner(members: list[Point], names: Sequence[str]) -> list[Point]:
    """The point of least sizes, and in each direction the one in the middle of those that differ from it only there."""

    def numbers(point: Point) -> list[float]:
        values = point.as_dict()
        return [float(values[name]) for name in names if values.get(name) is not None]  # type: ignore[arg-type]

    least = min(members, key=numbers)
    chosen = [least]
    for place in range(len(numbers(least))):
        others = [
            point
            for point in members
            if numbers(point)[:place] + numbers(point)[place + 1 :]
            == numbers(least)[:place] + numbers(least)[place + 1 :]
        ]
        others.sort(key=numbers)
        chosen.append(others[len(others) // 2])
        chosen.append(others[min(1, len(others) - 1)])
    return chosen
