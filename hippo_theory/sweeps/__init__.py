"""Studies of thousands of points: resumable, on any `concurrent.futures` executor, with a store that survives.

`run_sweep` evaluates a `Study` at many points and appends each finished one to a `Store`; `plan_sweep` says beforehand how
long that takes on k workers; `read_study` reads both from a file. What can be computed at a point is in `STUDIES`.

Names are imported when they are first used: a worker process needs few of them, and there may be many workers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hippo_theory.sweeps.executors import dask_executor, local_executor
    from hippo_theory.sweeps.planning import CostModel, SweepPlan, plan_sweep
    from hippo_theory.sweeps.points import Point, Study, grid, make_point
    from hippo_theory.sweeps.running import Progress, SweepResult, run_sweep
    from hippo_theory.sweeps.store import Record, Store, read_records
    from hippo_theory.sweeps.studies import STUDIES
    from hippo_theory.sweeps.study_files import StudyFile, read_study
    from hippo_theory.sweeps.tables import read_table, write_parquet

__all__ = [
    "STUDIES",
    "CostModel",
    "Point",
    "Progress",
    "Record",
    "Store",
    "Study",
    "StudyFile",
    "SweepPlan",
    "SweepResult",
    "dask_executor",
    "grid",
    "local_executor",
    "make_point",
    "plan_sweep",
    "read_records",
    "read_study",
    "read_table",
    "run_sweep",
    "write_parquet",
]

_PLACES = {
    "CostModel": "planning",
    "Point": "points",
    "Progress": "running",
    "Record": "store",
    "STUDIES": "studies",
    "Store": "store",
    "Study": "points",
    "StudyFile": "study_files",
    "SweepPlan": "planning",
    "SweepResult": "running",
    "dask_executor": "executors",
    "grid": "points",
    "local_executor": "executors",
    "make_point": "points",
    "plan_sweep": "planning",
    "read_records": "store",
    "read_study": "study_files",
    "read_table": "tables",
    "run_sweep": "running",
    "write_parquet": "tables",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
