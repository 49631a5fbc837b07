"""Planning a sweep beyond one machine: a pilot on a few points, a cost model, time and memory on k workers.

The pilot has three parts. It climbs from the smallest sizes of each group as far as its time allows, and `CostModel` is
fitted to that. What time is left goes to points drawn at random in proportion to their predicted time: the mean of
measured over predicted time estimates the factor by which the sum of the predictions is wrong (without bias as far as the
points drawn are few of many), and the rest is corrected by it. Then the points of which most memory is expected are tried,
for as long again in all: an algorithm that works in blocks beyond some size makes an extrapolation of memory meaningless.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from hippo_theory.errors import InputError, checked_size
from hippo_theory.sweeps.costs import CostModel, group_of, sizes_of
from hippo_theory.sweeps.evaluation import Outcome, evaluate_point, is_ready, this_process
from hippo_theory.sweeps.executors import NO_WORKER, START, check_importable, local_executor
from hippo_theory.sweeps.points import Point, Study

__all__ = ["CostModel", "SweepPlan", "plan_from", "plan_sweep", "predicted_seconds"]

_STRIDE = 0.2  # least logarithm of the cost, as all groups together predict it, by which the pilot moves on
_CLIMB = 4.0  # the most by which the next point of a group may cost more than those before
_COMPUTES = 0.1  # least share of processor time in the time of a study that computes
# Of the time of the pilot: points below it are measured twice, since the first may wait for imports and caches.
_REPEATED = 0.01
_DRAWN = 24  # points drawn at random: ratios that scatter by half leave an error of 10 % in their mean
_FEWEST_DRAWN = 8  # fewer say less than the model
_LEAST_BYTES = 2**20  # below it a point's own memory is not told from noise

Measure = Callable[[Point, float | None], Outcome | None]


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
    processor_seconds : float or None
        Processor time of all points; None for a study that waits rather than computes.
    worker_bytes : int
        Most memory that one worker takes.
    pilot_points : int
        How many points were measured.
    pilot_seconds : float
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
    memory_limit: int | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> SweepPlan:
    """Evaluate a few points in one worker of this machine, fit what they cost, and add up the rest; nothing is stored.

    Parameters
    ----------
    study : Study
    points : sequence of Point
        Of the full sweep.
    workers : int
        To plan for.
    seconds : float
        For the pilot, about, of processor time: a point that was expected to be cheap may not be. At most as long again
        goes to the points of which most memory is expected.
    memory_limit : int, optional
        Of the worker, as in `run_sweep`.
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
        If there are no points, worker processes cannot start, or every point of the pilot fails.
    """
    with _measuring(study, memory_limit, progress) as measure:
        return plan_from(list({study.key(point): point for point in points}.values()), measure, workers, seconds)


def plan_from(points: Sequence[Point], measure: Measure, workers: int, seconds: float) -> SweepPlan:
    """The plan of `plan_sweep`, where `measure` evaluates points.

    Parameters
    ----------
    points : sequence of Point
        Without repetitions.
    measure : callable
        From a point, and the seconds that it may take or None, to its Outcome; None if it took longer.
    workers : int
    seconds : float
    """
    workers = checked_size("workers", workers)
    if not points:
        raise InputError("there are no points to plan for; give at least one")
    if not seconds > 0:
        raise InputError(f"`seconds` for the pilot must be positive, got {seconds}; 30 is usual")
    began = time.perf_counter()
    pilot = _Pilot(points, measure, seconds)
    pilot.climb()
    if not pilot.measured:
        raise InputError(f"no point of the pilot could be computed, the last one being {pilot.failure}")
    computes = _computes(pilot.measured.values())

    def basis(outcome: Outcome) -> float:
        return outcome.processor_seconds if computes else outcome.seconds

    model = CostModel.fit(list(pilot.measured), [basis(outcome) for outcome in pilot.measured.values()], like=points)
    predicted = {point: model.cost(point) for point in points}
    ratios = [basis(pilot.measured[point]) / predicted[point] for point in pilot.draw(predicted)]
    correction = float(np.mean(ratios)) if len(ratios) >= _FEWEST_DRAWN else 1.0
    pilot.try_largest()
    measured = pilot.measured
    slowdown = sum(outcome.seconds for outcome in measured.values()) / max(sum(map(basis, measured.values())), 1e-9)
    costs = [
        slowdown * (basis(measured[point]) if point in measured else correction * predicted[point]) for point in points
    ]
    return SweepPlan(
        points=len(points),
        workers=workers,
        seconds=predicted_seconds(costs, workers),
        work_seconds=sum(costs),
        longest_seconds=max(costs),
        processor_seconds=sum(costs) / slowdown if computes else None,
        worker_bytes=int(pilot.base_bytes() + max(pilot.own_bytes().values())),
        pilot_points=len(measured),
        pilot_seconds=time.perf_counter() - began,
    )


@contextmanager
def _measuring(
    study: Study, memory_limit: int | None, progress: Callable[[int, float], None] | None
) -> Iterator[Measure]:
    """Measure in one worker process, which is replaced where a point kills it or takes longer than it may."""
    check_importable(study)
    context = local_executor(1, memory_limit=memory_limit)
    executor = context.__enter__()
    began, count = time.perf_counter(), 0

    def end_worker(error: BaseException) -> None:
        context.__exit__(type(error), error, None)

    def measure(point: Point, allowed: float | None) -> Outcome | None:
        nonlocal context, executor, count
        seed = study.seed(point) if study.random else None
        outcome = None
        try:
            task = executor.submit(evaluate_point, study.evaluate, point, seed, this_process(), settled=True)
            outcome = task.result(timeout=allowed)
        except (TimeoutError, BrokenExecutor) as error:
            end_worker(error)
            context = local_executor(1, memory_limit=memory_limit)
            executor = context.__enter__()
            if isinstance(error, BrokenExecutor):
                outcome = Outcome(None, "WorkerDied: the process was killed, or crashed", 0.0, 0.0, 0)
        count += 1
        if progress is not None:
            progress(count, time.perf_counter() - began)
        return outcome

    try:
        try:
            executor.submit(is_ready).result(timeout=START)
        except (BrokenExecutor, MemoryError, ImportError, OSError) as error:  # TimeoutError is an OSError
            raise InputError(NO_WORKER) from error
        yield measure
    except BaseException as error:
        end_worker(error)
        raise
    context.__exit__(None, None, None)


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


class _Pilot:
    """Which points are measured, and what they cost."""

    def __init__(self, points: Sequence[Point], measure: Measure, seconds: float) -> None:
        self.points, self.measure, self.seconds = points, measure, seconds
        self.names = sizes_of(points)
        self.groups: dict[tuple[object, ...], list[Point]] = {}
        for point in points:
            self.groups.setdefault(group_of(point, self.names), []).append(point)
        self.measured: dict[Point, Outcome] = {}
        self.known: dict[Point, float] = {}  # processor seconds, or seconds where a point waits
        self.tried: set[Point] = set()
        self.spent = 0.0
        self.failure = ""

    def visit(self, point: Point, allowed: float | None = None) -> None:
        """Measure a point that was not tried yet; a failed one says nothing about the others."""
        if point in self.tried:
            return
        self.tried.add(point)
        outcome = self.measure(point, allowed)
        if outcome is not None and outcome.failure is None and outcome.seconds < _REPEATED * self.seconds:
            again = self.measure(point, allowed)
            if again is not None and again.failure is None and again.processor_seconds < outcome.processor_seconds:
                both = again, outcome
                outcome = Outcome(None, None, again.seconds, again.processor_seconds, *_most_memory(both))
        if outcome is None:
            return
        if outcome.failure is not None:
            self.failure = f"{point}: {outcome.failure}"
            return
        self.measured[point] = outcome
        self.known[point] = outcome.processor_seconds if _computes([outcome]) else outcome.seconds
        self.spent += self.known[point]

    def climb(self) -> None:
        """First a corner of each group and its neighbors in each direction; then each group climbs to its most expensive."""
        for members in self.groups.values():
            for point in _corner(members, self.names):
                if self.spent < self.seconds:
                    self.visit(point)
        # Half of the time is shared evenly, so that no group stays unknown because it seemed cheap; the rest goes to
        # whichever has most work ahead.
        share = (self.seconds - self.spent) / (2 * len(self.groups))
        spent_on = dict.fromkeys(self.groups, 0.0)
        while self.known and self.spent < self.seconds:
            model = CostModel.fit(list(self.known), list(self.known.values()), like=self.points)
            ahead = {
                group: sum(model.cost(point) for point in members if point not in self.tried)
                for group, members in self.groups.items()
            }
            order = sorted(self.groups, key=ahead.__getitem__, reverse=True)
            turns = [(group, share - spent_on[group]) for group in order]
            turns += [(group, self.seconds - self.spent) for group in order]
            for group, allowed in turns:
                further = _further(self.groups[group], self.known, self.tried, model, allowed)
                if further is not None:
                    before = self.spent
                    for point in (further, *_across(self.groups[group], further, self.names)):
                        if self.spent < self.seconds:
                            self.visit(point)
                    spent_on[group] += self.spent - before
                    break
            else:
                return

    def draw(self, predicted: Mapping[Point, float]) -> list[Point]:
        """Measure points at random, each with a probability in proportion to its cost, while there is time."""
        generator = np.random.default_rng(0)  # the same study is planned from the same points
        left = [point for point in self.points if point not in self.tried]
        drawn: list[Point] = []
        while left and len(drawn) < _DRAWN:
            costs = np.array([predicted[point] for point in left])
            point = left.pop(int(generator.choice(len(left), p=costs / costs.sum())))
            if predicted[point] > self.seconds - self.spent:
                break  # cheaper ones alone would be no fair sample
            self.visit(point)
            if point in self.measured:
                drawn.append(point)
        return drawn

    def base_bytes(self) -> int:
        """What a worker holds before a point: imports, and caches that earlier points filled."""
        return max(outcome.start_bytes or self._least_peak() for outcome in self.measured.values())

    def own_bytes(self) -> dict[Point, float]:
        """What each point takes beyond that, measured or predicted."""
        own = {
            point: float(max(outcome.peak_bytes - (outcome.start_bytes or self._least_peak()), _LEAST_BYTES))
            for point, outcome in self.measured.items()
        }
        model = CostModel.fit(list(own), list(own.values()), like=self.points)
        return {point: own[point] if point in own else model.cost(point) for point in self.points}

    def try_largest(self) -> None:
        """Try the point of which most memory is expected, until that is a measured one or the time has gone."""
        deadline = self.seconds + self.spent
        busy = sum(outcome.seconds for outcome in self.measured.values()) / max(sum(self.known.values()), 1e-9)
        while self.spent < deadline:
            own = self.own_bytes()
            largest = max(own, key=own.__getitem__)
            if largest in self.tried:
                return
            before = self.spent
            self.visit(largest, busy * (deadline - self.spent))
            if largest not in self.measured and self.spent == before:
                return

    def _least_peak(self) -> int:
        return min(outcome.peak_bytes for outcome in self.measured.values())


def _most_memory(outcomes: Iterable[Outcome]) -> tuple[int, int]:
    """Peak and start of the one that took most: memory that is cached is taken only once."""
    most = max(outcomes, key=lambda one: one.peak_bytes - one.start_bytes)
    return most.peak_bytes, most.start_bytes


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
