"""The cost model and plans by a pilot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sweep_studies
from sweep_studies import SLEEPY

from hippo_theory.errors import InputError
from hippo_theory.sweeps import (
    CostModel,
    Study,
    grid,
    make_point,
    plan_sweep,
)
from hippo_theory.sweeps.evaluation import Outcome
from hippo_theory.sweeps.planning import _measuring, plan_from, predicted_seconds


def test_the_cost_model_finds_powers_in_each_group_and_extrapolates():
    def cost(point: Any, exponent: float = 2.0) -> float:
        return 1e-6 * point["N"] ** exponent / float(point["step"]) * (3 if point["method"] == "a" else 1)

    points = list(grid({"N": [64, 128, 256, 512, 1024], "method": ["a", "b"], "step": ["0.1", "0.01"]}))
    model = CostModel.fit(points, [cost(point) for point in points])
    assert model.sizes == ("N", "step")
    further = list(grid({"N": [2048, 4096], "method": ["a", "b"], "step": ["0.001"]}))
    for point in further:
        # 20 points, logarithms below 20, a condition below 1000 times eps
        assert abs(model.cost(point) / cost(point) - 1) < 20 * 20 * 1000 * 2.0**-52
    mixed = CostModel.fit(points, [cost(point, 2.0 if point["method"] == "a" else 1.0) for point in points])
    for point in further:  # drawn to the mean, 1.5, but nearer to their own
        own, other = (cost(point, exponent) for exponent in ((2.0, 1.5) if point["method"] == "a" else (1.0, 1.5)))
        assert min(own, (own * other) ** 0.5) < mixed.cost(point) * (1 + 1e-9)
        assert mixed.cost(point) < max(own, (own * other) ** 0.5) * (1 + 1e-9)


def measured_as(seconds: Any, own_bytes: Any, start: int = 10**8) -> Any:
    """A `measure` for plans of points whose costs are known; and the time that each of those asked for took."""
    asked: dict[Any, float] = {}

    def measure(point: Any, allowed: float | None) -> Outcome | None:
        took = seconds(point)
        asked[point] = took if allowed is None else min(took, allowed)
        if allowed is not None and took > allowed:
            return None
        return Outcome(None, None, took, took, start + own_bytes(point), start)

    return measure, asked


def test_a_plan_measures_cheap_points_and_predicts_the_rest():
    def cost(point: Any) -> float:
        return 1e-3 + 1e-8 * point["N"] ** 2 * (3 if point["method"] == "a" else 1)

    def memory(point: Any) -> int:
        return 5000 * point["N"]

    points = list(grid({"N": [64 * 2**k for k in range(11)], "method": ["a", "b"]}))
    measure, asked = measured_as(cost, memory)
    plan = plan_from(points, measure, 4, 20.0)
    assert plan.pilot_points <= len(asked) < len(points)
    assert sum(asked.values()) <= 2.5 * 20.0  # as long again for memory; the last may have seemed cheaper
    assert abs(plan.work_seconds / sum(map(cost, points)) - 1) < 0.3
    assert abs(plan.seconds / predicted_seconds([cost(point) for point in points], 4) - 1) < 0.3
    assert abs(plan.worker_bytes / (10**8 + max(map(memory, points))) - 1) < 0.3
    assert plan.bytes == 4 * plan.worker_bytes
    with pytest.raises(InputError, match="no points"):
        plan_from([], measure, 1, 1.0)


def test_a_plan_is_corrected_by_points_drawn_at_random():
    """A cost with a ridge, which powers do not follow: the model alone is wrong by more than the corrected plan."""

    def cost(point: Any) -> float:
        return 1e-2 * np.exp(-2 * abs(np.log(point["N"] / 100 * float(point["step"]))))

    points = list(grid({"N": [2**k for k in range(12)], "step": [str(2**k) for k in range(12)]}))
    measure, asked = measured_as(cost, lambda point: 2**21)
    plan = plan_from(points, measure, 1, 30.0)
    assert len(asked) < len(points) / 2
    assert abs(plan.work_seconds / sum(map(cost, points)) - 1) < 0.3


def test_a_plan_tries_the_points_of_most_memory():
    """Memory grows like N up to a bound, which no extrapolation sees."""

    def memory(point: Any) -> int:
        return min(10**5 * point["N"], 4 * 10**8)

    points = list(grid({"N": [2**k for k in range(18)]}))
    measure, _ = measured_as(lambda point: 1e-4 * point["N"], memory)
    plan = plan_from(points, measure, 1, 15.0)
    assert plan.worker_bytes == 5 * 10**8
    # Where the largest point takes longer than it may, what was extrapolated stays.
    slow, asked = measured_as(lambda point: 1e-4 * point["N"] if point["N"] < 2**12 else 100.0, memory)
    unseen = plan_from(points, slow, 1, 1.0)
    assert 2**17 in {point["N"] for point in asked}
    assert unseen.worker_bytes > 2 * 10**9


def test_a_plan_survives_points_that_fail_take_too_long_or_kill_their_worker(tmp_path):
    study = Study("trouble", 1, sweep_studies.trouble)
    points = list(grid({"x": [1, 2, 3, 4]}))
    plan = plan_sweep(study, points, workers=2, seconds=0.5)
    assert (plan.points, plan.pilot_points) == (4, 1)
    assert plan.worker_bytes > 2e7
    with pytest.raises(InputError, match="no point of the pilot could be computed, the last one being x=4: WorkerDied"):
        plan_sweep(study, points[3:], workers=1)
    with _measuring(study, None, None) as measure:
        assert measure(make_point(x=0), 0.2) is None  # it sleeps for a minute
        after = measure(make_point(x=1), None)
        assert after is not None
        assert after.failure is None
    with pytest.raises(InputError, match="no points"):
        plan_sweep(study, [], workers=1)


def test_a_plan_without_workers_is_one_line():
    with pytest.raises(InputError, match="cannot be sent to other processes"):
        plan_sweep(Study("local", 1, lambda point: {}), [make_point(x=1)], workers=1)
    tried: list[int] = []
    with pytest.raises(InputError, match="worker processes end before they compute anything"):
        plan_sweep(
            SLEEPY,
            list(grid({"x": [1, 2, 3], "name": ["a", "b"]})),
            workers=1,
            memory_limit=5 * 10**7,
            progress=lambda count, _: tried.append(count),
        )
    assert not tried
