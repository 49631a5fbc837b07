"""Studies for the tests of sweeps, in a module of their own: worker processes import it."""

from __future__ import annotations

import math
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

from hippo_theory.sweeps import Point, Study, grid, run_sweep


def cosine(point: Point) -> dict[str, Any]:
    """A few milliseconds, and a result with every digit of a float."""
    time.sleep(0.004)
    return {"value": math.cos(point["x"]), "square": point["x"] ** 2, "name": point["name"]}


def sleepy(point: Point) -> dict[str, Any]:
    time.sleep(0.001)
    return {"x": point["x"]}


def sometimes(point: Point) -> dict[str, Any]:
    """Odd ones fail, as long as the file is there."""
    if point["x"] % 2 and (point["flag"] is None or Path(point["flag"]).exists()):
        raise ValueError(f"{point['x']} is\nodd")
    return {"half": point["x"] // 2}


def drawn(point: Point, seed: int) -> dict[str, Any]:
    return {"number": random.Random(seed).random()}


def kills_its_worker(point: Point) -> dict[str, Any]:
    """x = 3 takes its worker with it: always, or as long as the file is not there."""
    time.sleep(0.01)
    if point["x"] == 3 and (point["flag"] is None or not Path(point["flag"]).exists()):
        if point["flag"] is not None:
            Path(point["flag"]).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"x": point["x"]}


def greedy(point: Point) -> dict[str, Any]:
    return {"bytes": len(bytearray(point["x"] << 20))}


def threads(point: Point) -> dict[str, Any]:
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    # OpenMP, which torch loads, counts for each thread by itself; no study here uses it.
    return {"threads": max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")}


def strange(point: Point) -> Any:
    return {"a": [1, 2]}


def interrupted(point: Point) -> dict[str, Any]:
    if point["x"] == 8:
        raise KeyboardInterrupt
    return {}


def is_not_ready() -> bool:
    raise ImportError("cannot allocate memory")


def trouble(point: Point) -> dict[str, Any]:
    """Only one point is well."""
    if point["x"] == 0:
        time.sleep(60)
    if point["x"] == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    if point["x"] > 1:
        raise ValueError("no")
    return {}


COSINE = Study("cosine", 1, cosine)
SLEEPY = Study("sleepy", 1, sleepy)


def cosine_points(count: int) -> list[Point]:
    return list(grid({"x": [n / 7 for n in range(count)], "name": "c"}))


if __name__ == "__main__":  # a run that the tests kill
    run_sweep(COSINE, cosine_points(int(sys.argv[2])), None, sys.argv[1], workers=int(sys.argv[3]), in_flight=16)
