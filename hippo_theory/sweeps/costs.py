"""What points cost: a model that is log-linear in their sizes, and the time that is left."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from hippo_theory.errors import InputError
from hippo_theory.sweeps.evaluation import Outcome
from hippo_theory.sweeps.points import Point, canonical

__all__ = ["Cost", "CostFile", "CostModel", "TimeLeft", "read_costs"]

_LEAST = 1e-5  # seconds (bytes): below it no cost is told apart
_PULL = 0.05  # weight of the slopes of all groups together against those of one, whose last points weigh about 1
_LITTLE = 1e-12  # makes slopes that no point fixes 0


def _size(value: Any) -> float | None:
    """A positive number, or a decimal string of one; otherwise None: a name, like 0 and None."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None


@dataclass(frozen=True)
class CostModel:
    """cost(point) = exp(a_g + sum_i b_gi log x_i): x_i the sizes of the point, g all its other values (a group).

    Attributes
    ----------
    sizes : tuple of str
        Parameters that are positive numbers at all points and take two values or more.
    groups : mapping
        a_g, b_g1, ... and the least cost seen, by group.
    pooled : tuple of float
        The same for points of a group that was not seen.
    """

    sizes: tuple[str, ...]
    groups: Mapping[tuple[Any, ...], tuple[float, ...]]
    pooled: tuple[float, ...]

    @classmethod
    def fit(cls, points: Sequence[Point], costs: Sequence[float], *, like: Sequence[Point] = ()) -> CostModel:
        """Weighted least squares on logarithms, in each group by itself.

        Parameters
        ----------
        points, costs
            What was measured; at least one.
        like : sequence of Point
            Points to be predicted, if they are others: which parameters are sizes depends on all of them.

        Notes
        -----
        A cost is a power of the sizes only where they are large: a point weighs as much as it costs, and no prediction
        lies below the least cost seen in the group. Slopes of a group are drawn to those of all groups
        together, the more the fewer points it has: a few points say little of how they go on.

        Examples
        --------
        >>> from hippo_theory.sweeps import CostModel, make_point
        >>> points = [make_point(N=N) for N in (100, 200, 400)]
        >>> model = CostModel.fit(points, [1.0, 4.0, 16.0])
        >>> round(model.cost(make_point(N=800)), 6)
        64.0
        """
        if not points or len(points) != len(costs):
            raise InputError(f"a cost model needs one cost for each point, got {len(costs)} for {len(points)}")
        names = sizes_of([*points, *like])
        x = np.array([_logarithms(point, names) for point in points])
        y = np.log(np.maximum(np.array(costs, dtype=float), _LEAST))
        members: dict[tuple[Any, ...], list[int]] = {}
        for place, point in enumerate(points):
            members.setdefault(group_of(point, names), []).append(place)
        weights, centered = np.empty(len(y)), x.copy()
        levels = y.copy()
        for places in members.values():
            weights[places] = np.exp(y[places] - y[places].max())
            centered[places] -= np.average(x[places], axis=0, weights=weights[places])
            levels[places] -= np.average(y[places], weights=weights[places])
        slopes = np.array(_fit(centered, levels, weights, np.zeros(len(names)), _LITTLE)[1:-1])
        common = np.average(y - x @ slopes, weights=np.exp(y - y.max()))
        pooled = (float(common), *map(float, slopes), float(y.min()))
        groups = {
            group: _fit(x[places], y[places], weights[places], slopes, _PULL) for group, places in members.items()
        }
        return cls(names, groups, pooled)

    def cost(self, point: Point) -> float:
        """Predicted cost of a point."""
        found = self.groups.get(group_of(point, self.sizes), self.pooled)
        level = found[0] + float(np.dot(found[1:-1], _logarithms(point, self.sizes)))
        return float(np.exp(min(max(level, found[-1]), 700)))

    def outwardness(self, point: Point) -> float:
        """Logarithm of the cost but for a constant, by the slopes of all groups together."""
        return float(np.dot(self.pooled[1:-1], _logarithms(point, self.sizes)))


def sizes_of(points: Iterable[Point]) -> tuple[str, ...]:
    """Parameters that are positive numbers wherever they are given and take two values or more."""
    values: dict[str, set[Any]] = {}
    for point in points:
        for name, value in point.items:
            values.setdefault(name, set()).add(value)
    return tuple(
        name
        for name, found in sorted(values.items())
        if len(found - {None}) > 1 and all(_size(value) is not None for value in found - {None})
    )


def group_of(point: Point, sizes: Sequence[str]) -> tuple[Any, ...]:
    """What of a point is no size: its names, and where a size is not given."""
    return tuple((name, value) for name, value in point.items if name not in sizes or value is None)


def _logarithms(point: Point, sizes: Sequence[str]) -> list[float]:
    values = point.as_dict()
    return [float(np.log(_size(values.get(name)) or 1.0)) for name in sizes]


def _fit(x: Any, y: Any, weights: Any, slopes: Any, pull: float) -> tuple[float, ...]:
    """Intercept, slopes and the least y; directions that the points do not fix keep the slopes given."""
    mean = np.average(y, weights=weights)
    center = np.average(x, axis=0, weights=weights) if x.shape[1] else np.zeros(0)
    rows = np.concatenate([(x - center) * np.sqrt(weights)[:, None], np.sqrt(pull) * np.eye(x.shape[1])])
    right = np.concatenate([(y - mean) * np.sqrt(weights), np.sqrt(pull) * slopes])
    found = np.linalg.lstsq(rows, right, rcond=None)[0] if x.shape[1] else np.zeros(0)
    return (float(mean - center @ found), *(float(slope) for slope in found), float(y.min()))


# --- what was measured -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """What a point cost: seconds that went by, processor seconds, and bytes at the peak and before the point."""

    seconds: float
    processor_seconds: float
    peak_bytes: int
    start_bytes: int = 0


def costs_path(store: Path) -> Path:
    """Beside the store: costs differ from run to run, which the lines of a store must not."""
    return store.with_name(f"{store.stem}.costs.jsonl")


def read_costs(store: str | os.PathLike[str]) -> dict[str, Cost]:
    """The costs of the points of a store by their keys; a line that is damaged is no loss and is left out."""
    found = {}
    try:
        lines = costs_path(Path(store)).read_bytes().splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(
            f"cannot read {costs_path(Path(store))}: {error.strerror}; delete it if it is damaged"
        ) from error
    for line in lines:
        try:
            content = json.loads(line)
            found[content["key"]] = Cost(
                float(content["seconds"]),
                float(content["processor_seconds"]),
                int(content["peak_bytes"]),
                int(content.get("start_bytes", 0)),
            )
        except (ValueError, KeyError, TypeError):
            continue
    return found


class CostFile:
    """The costs of the points of a store, in a file beside it; it may be deleted at any time."""

    def __init__(self, store: Path) -> None:
        self.path = costs_path(store)
        self.earlier = read_costs(store)
        self._file: BinaryIO | None = None  # opened when there is something to write

    def __enter__(self) -> CostFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def append(self, outcomes: Iterable[tuple[str, Outcome]]) -> None:
        """Append a line for each key and outcome; they are not flushed to the disk, since nothing depends on them."""
        text = "".join(
            canonical(
                {
                    "key": key,
                    "seconds": round(outcome.seconds, 6),
                    "processor_seconds": round(outcome.processor_seconds, 6),
                    "peak_bytes": outcome.peak_bytes,
                    "start_bytes": outcome.start_bytes,
                }
            )
            + "\n"
            for key, outcome in outcomes
        )
        try:
            if self._file is None:
                self._file = self.path.open("a+b", buffering=0)
                if self._file.tell():
                    self._file.seek(-1, os.SEEK_END)
                    text = text if self._file.read(1) == b"\n" else "\n" + text  # after a half-written last line
            self._file.write(text.encode("ascii"))
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> InputError:
        return InputError(
            f"cannot write {self.path}: {error.strerror}; finished points are in the store: make room and run the same "
            "sweep again to go on"
        )


class TimeLeft:
    """The time that is left: predicted work of what waits, over the work that was done in each second so far."""

    def __init__(self, waiting: Sequence[Point], clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._waiting = dict.fromkeys(waiting)
        self._points: list[Point] = []
        self._seconds: list[float] = []
        self._began = clock()
        self._work = 0.0
        self._fitted = 0
        self._predicted: dict[Point, float] = {}
        self._remaining = 0.0

    def learn(self, points: Mapping[str, Point], costs: Mapping[str, Cost]) -> None:
        """Take in the costs of an earlier run."""
        for key, point in points.items():
            if key in costs:
                self._points.append(point)
                self._seconds.append(costs[key].seconds)

    def finished(self, point: Point, seconds: float | None) -> None:
        """A point came back; seconds is None if it failed, which says nothing about the others."""
        self._waiting.pop(point, None)
        self._remaining -= self._predicted.pop(point, 0.0)
        if seconds is not None:
            self._points.append(point)
            self._seconds.append(seconds)
            self._work += seconds

    def seconds(self) -> float | None:
        """Estimate, or None before five points are known and one has come back in this run."""
        if not self._waiting:
            return 0.0
        if len(self._points) < 5 or self._work == 0:
            return None
        if len(self._points) >= 1.5 * self._fitted:  # refitted as the points grow by half, so that it costs little
            self._fitted = len(self._points)
            model = CostModel.fit(self._points, self._seconds, like=list(self._waiting))
            self._predicted = {point: model.cost(point) for point in self._waiting}
            self._remaining = sum(self._predicted.values())
        at_a_time = max(self._work / (self._clock() - self._began), 1e-9)
        return max(self._remaining, 0.0) / at_a_time
