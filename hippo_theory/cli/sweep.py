"""The verb sweep: a study over many points, which goes on where it was stopped."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hippo_theory.cli import arguments
from hippo_theory.cli.output import Answer, Table
from hippo_theory.cli.progress import Bar, progress_bar
from hippo_theory.errors import InputError

if TYPE_CHECKING:
    from hippo_theory.sweeps import Progress, StudyFile, SweepPlan, SweepResult

__all__ = ["sweep"]

_UNITS = {"": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def sweep(
    file: Path,
    /,
    *,
    store: Path | None = None,
    scheduler: str | None = None,
    workers: arguments.Count | None = None,
    memory_limit: str | None = None,
    retry: bool = False,
    keep_going: bool = False,
    in_flight: arguments.Count = 256,
    parquet: Path | None = None,
    plan: bool = False,
    pilot: arguments.Decimal = "30",
    json: bool = False,
) -> Answer:
    """Run a study over many points; the same command goes on where it was stopped, or killed.

    Finished points are in the store, a text file with one JSON line for each. A study file holds at least three lines, here
    for three points of the study `distance` (the other one is `precision`): study = "distance", [[grid]], N = [64, 128, 256].

    Example: hippo sweep figures/studies/map/map.toml --workers 8

    Parameters
    ----------
    file : path
        The study file, in TOML: docs/studies.md.
    store : path
        Where finished points are kept; by default what the study file says, or a file beside it.
    scheduler : address
        A Dask scheduler, such as tcp://10.0.0.1:8786; local:8 starts 8 Dask workers here. By default processes.
    workers : int
        How many processes, by default one for each processor; with --plan, how many to plan for.
    memory_limit : bytes
        That each worker may take, such as 4GB: a point that wants more fails, and the others go on.
    retry : bool
        Try points that failed before once more.
    keep_going : bool
        Go on even where each of the first 20 points fails.
    in_flight : int
        Most points submitted at a time.
    parquet : file
        Also write the table of the store into this file.
    plan : bool
        Measure a few points and predict time and memory of the whole study; nothing is stored.
    pilot : decimal
        Seconds of processor time for the points that --plan measures; at most as long again for those that take most memory.
    json : bool
        Print one JSON object.
    """
    from hippo_theory.sweeps import dask_executor, read_study, run_sweep, write_parquet

    study = read_study(file)
    limit = None if memory_limit is None else _bytes(memory_limit)
    path = study.store if store is None else store
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent} for the store {path}; make it first")
    if scheduler is not None and workers is not None:
        raise InputError("--workers belongs to local processes; a Dask cluster has its own, --scheduler local:8 has 8")
    if parquet is not None:
        arguments.writable_file(parquet, (".parquet",), "--parquet")
    if plan and (scheduler is not None or parquet is not None):
        raise InputError("--plan measures on this machine and stores nothing; leave out --scheduler and --parquet")
    if plan:
        return _planned(study, path, workers, limit, float(pilot))
    options: dict[str, Any] = {"retry": retry, "keep_going": keep_going, "in_flight": in_flight}
    with progress_bar("") as bar:
        show = _Watch(bar)
        if scheduler is None:
            result = run_sweep(
                study.study, study.points, None, path,
                workers=workers, memory_limit=limit, progress=show, **options,
            )  # fmt: skip
        else:
            with dask_executor(scheduler, memory_limit=limit) as executor:
                result = run_sweep(study.study, study.points, executor, path, progress=show, **options)
    if parquet is not None:
        write_parquet(path, parquet)
    return _answer(study, result, path, [] if parquet is None else [f"wrote {parquet}"])


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kMGT]B)?", text.strip())
    size = int(float(found[1]) * _UNITS[found[2] or ""]) if found else 0
    if size < 1:
        raise InputError(f"--memory-limit must be a number of bytes, such as 4GB or 500MB, got {text!r}")
    return size


# --- answers -----------------------------------------------------------------------------------------------------------


def _answer(study: StudyFile, result: SweepResult, path: Path, notes: list[str]) -> Answer:
    failures = _failures(study, path) if result.failed else []
    data = {
        "study": study.name,
        "points": result.points,
        "done": result.done,
        "failed": result.failed,
        "store": str(path),
        "computed": result.computed,
        "gave_up": result.gave_up,
        "failures": failures,
    }
    counts = [str(result.points), str(result.done), str(result.computed), str(result.failed)]
    tables = [Table(f"{study.name}: {study.kind.title}", ["points", "done", "of them now", "failed"], [counts])]
    if failures:
        shown = [[_shown(failure["point"]), failure["message"]] for failure in failures[:20]]
        tables.append(Table("failed", ["point", "message"], shown))
        notes = [
            *notes,
            *([f"{len(failures) - 20} more failed"] if len(failures) > 20 else []),
            "--retry tries them again",
        ]
    if result.gave_up:
        notes = [*notes, result.gave_up]
    incomplete = result.failed or result.done < result.points
    return Answer(data, tables, [f"results in {path}", *notes], status=1 if incomplete else 0)


def _failures(study: StudyFile, path: Path) -> list[dict[str, Any]]:
    from hippo_theory.sweeps import read_records

    keys = {study.study.key(point) for point in study.points}
    return [
        {"point": record.point.as_dict(), "message": record.failure}
        for record in read_records(path)
        if record.failure is not None and record.key in keys
    ]


def _shown(point: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in point.items() if value is not None)


def _planned(study: StudyFile, path: Path, workers: int | None, limit: int | None, seconds: float) -> Answer:
    from hippo_theory.sweeps import plan_sweep, read_records
    from hippo_theory.sweeps.executors import processor_count

    records = {record.key: record for record in read_records(path)} if path.exists() else {}
    keys = [study.study.key(point) for point in study.points]
    found = [records[key] for key in keys if key in records]
    count = processor_count() if workers is None else workers
    with progress_bar("") as bar:
        show = _Watch(bar)
        plan = plan_sweep(
            study.study, study.points, workers=count, seconds=seconds, memory_limit=limit, progress=show.pilot
        )
    data = {
        "study": study.name,
        "points": plan.points,
        "done": sum(record.failure is None for record in found),
        "failed": sum(record.failure is not None for record in found),
        "store": str(path),
        "plan": {
            "workers": plan.workers,
            "seconds": plan.seconds,
            "work_seconds": plan.work_seconds,
            "longest_seconds": plan.longest_seconds,
            "processor_seconds": plan.processor_seconds,
            "worker_bytes": plan.worker_bytes,
            "bytes": plan.bytes,
            "pilot_points": plan.pilot_points,
            "pilot_seconds": plan.pilot_seconds,
        },
    }
    return Answer(data, [_plan_table(study, plan)], ["predicted for workers like this machine, as busy as it is now"])


def _plan_table(study: StudyFile, plan: SweepPlan) -> Table:
    rows = [
        ["points", str(plan.points)],
        ["workers", str(plan.workers)],
        ["time", _duration(plan.seconds)],
        ["time on one worker", _duration(plan.work_seconds)],
        ["longest point", _duration(plan.longest_seconds)],
        ["processor time", "-" if plan.processor_seconds is None else _duration(plan.processor_seconds)],
        ["memory of a worker", f"{plan.worker_bytes / 1e6:.0f} MB"],
        ["memory of all workers", f"{plan.bytes / 1e6:.0f} MB"],
        ["measured", f"{plan.pilot_points} points in {_duration(plan.pilot_seconds)}"],
    ]
    return Table(f"plan of {study.name}", ["", ""], rows)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


# --- progress ----------------------------------------------------------------------------------------------------------


class _Watch:
    """Moves the bar, with the time that is left."""

    def __init__(self, show: Bar) -> None:
        self.show = show
        self.is_first = True

    def __call__(self, state: Progress) -> None:
        left = "" if state.seconds_left is None else f"about {_duration(state.seconds_left)} left"
        if state.seconds_left is None and self.is_first:
            left = "waiting for the first point"
        self.is_first = False
        failed = f"{state.failed} failed" if state.failed else ""
        words = ", ".join(word for word in (left, failed) if word)
        self.show(words, state.done + state.failed, state.total)

    def pilot(self, measured: int, seconds: float) -> None:
        """Show how far the pilot is."""
        self.show(f"{measured} points of the pilot measured in {_duration(seconds)}", 0, None)
