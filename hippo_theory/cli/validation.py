"""The verb validate: what the initializations in files are, in whose convention, and how far from exact."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hippo_theory.cli import arguments
from hippo_theory.cli.output import Answer, Table, replacing
from hippo_theory.cli.progress import Bar, progress_bar
from hippo_theory.errors import InputError, MissingDependencyError
from hippo_theory.tensor_files import find_tensor_files, open_tensors, shown

if TYPE_CHECKING:
    from hippo_theory.validation import FileResult, Finding, Part, Validation
    from hippo_theory.validation.comparing import Pair
    from hippo_theory.validation.kernel_errors import KernelError

__all__ = ["validate"]

_LONG = 4000  # characters of a path, a name or a reason that are shown


def validate(
    *paths: Path,
    expect: str | None = None,
    reference: Path | None = None,
    html: Path | None = None,
    json: bool = False,
) -> Answer:
    """Say what the initializations in checkpoints are, in whose convention, and how far from exact.

    Example: hippo validate model.safetensors checkpoints --expect s4d-legs --html report.html

    Parameters
    ----------
    paths : files or folders
        .npy, .npz, .safetensors, PyTorch, Flax msgpack, HDF5, Keras; folders of them; models of Hugging Face.
    expect : str
        The id that every finding must have, else the exit status is 1: s4d-legs, legs, mamba-real, ...
    reference : file
        Also say how far the systems are from those of this file, whatever the conventions of either.
    html : file
        Also write a report into this file, which ends in .html.
    json : bool
        Print one JSON object.
    """
    from hippo_theory.validation import Validation
    from hippo_theory.validation.expectations import checked_identifier, unmet

    if not paths:
        raise InputError("PATH is missing; give at least one file or folder")
    if expect is not None:
        try:
            checked_identifier(expect)
        except InputError as error:
            raise InputError(f"--expect {error}") from error
    if html is not None:
        arguments.writable_file(html, [".html", ".htm"], "--html")
    against = None if reference is None else _reference(reference)
    with progress_bar("layers") as show:
        watch = _Watch(show)
        if against is not None:
            against = against.judged(watch)
        judged = [found.judged(watch) for path in paths for found in _found(path)]
    result = Validation(tuple(one.result for one in judged))
    _refuse_nothing(result)
    answer = None if expect is None else unmet(result, expect)
    pairs = [] if against is None else [(one, _pairs(one, against)) for one in judged if one.result.error is None]
    if html is not None:
        _write_page(html, judged, result, _sentence(expect, answer), pairs, against)
    data: dict[str, Any] = {"files": [_file_record(file) for file in result.files], "verdict": result.verdict}
    if expect is not None:
        data |= {"expected": answer is None, "why": answer}
    if against is not None:
        data["reference"] = _file_record(against.result)
        data["comparison"] = [
            {"path": one.result.path, "pairs": [_pair_record(pair) for pair in found]} for one, found in pairs
        ]
    return Answer(
        data,
        _tables(result, pairs, against),
        _notes(result, _sentence(expect, answer), html),
        status=1 if result.verdict == "deviates" or answer is not None else 0,
    )


# --- reading -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Judged:
    """A file by its true path, with what was found in it."""

    path: Path
    result: FileResult

    def judged(self, watch: _Watch) -> _Judged:
        from hippo_theory.validation import FileResult
        from hippo_theory.validation import validate as validate_file

        if self.result.error is not None:
            return self
        watch.open(self.path)
        try:
            return _Judged(self.path, validate_file(self.path, progress=watch).files[0])
        except InputError as error:  # gone since it was found
            return _Judged(self.path, FileResult(self.result.path, error=str(error)))


def _found(path: Path) -> Iterator[_Judged]:
    """The files that a path means, not judged yet; what cannot be read has its error already."""
    from hippo_theory.validation import FileResult

    name = shown(path, _LONG)
    if not path.exists():
        yield _Judged(path, FileResult(name, error=f"{name} does not exist"))
        return
    count = 0
    try:
        for found in find_tensor_files(path):
            count += 1
            if isinstance(found, tuple):
                yield _Judged(found[0], FileResult(shown(found[0], _LONG), error=str(found[1])))
            else:
                yield _Judged(found, FileResult(shown(found, _LONG)))
    except InputError as error:
        count += 1
        yield _Judged(path, FileResult(name, error=str(error)))
    if count == 0:
        yield _Judged(path, FileResult(name, error=f"{name} holds no file of tensors"))


def _reference(path: Path) -> _Judged:
    found = list(_found(path))
    if len(found) != 1:
        raise InputError(f"--reference must be one file, got a folder with {len(found)}; name one of them")
    if found[0].result.error is not None:
        raise InputError(f"--reference cannot be read: {found[0].result.error}")
    return found[0]


def _refuse_nothing(result: Validation) -> None:
    errors = [file.error for file in result.files if file.error is not None]
    if len(errors) == len(result.files):
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise InputError(f"nothing could be read: {shown(errors[0], _LONG)}{more}")


def _pairs(one: _Judged, against: _Judged) -> list[Pair]:
    from hippo_theory.validation.comparing import paired
    from hippo_theory.validation.stored_systems import tensors_of

    if against.result.error is not None:
        raise InputError(f"--reference cannot be read: {against.result.error}")
    return list(paired(one.result.findings, tensors_of(one.path), against.result.findings, tensors_of(against.path)))


class _Watch:
    """Told of each layer before it is judged; moves the bar."""

    def __init__(self, show: Bar) -> None:
        self.show = show
        self.file = ""
        self.places: dict[str, int] = {}

    def open(self, path: Path) -> None:
        """The next file: its layers are the names of its tensors up to the last dot or slash."""
        if not self.show.is_seen:
            return
        try:
            names = open_tensors(path).tensors
        except (InputError, MissingDependencyError):
            names = {}
        layers = dict.fromkeys(name[: max(name.rfind("."), name.rfind("/")) + 1] for name in names)
        self.places = {layer: place for place, layer in enumerate(layers)}
        self.file = shown(path.name, 40)
        self.show(self.file, 0, len(layers))

    def __call__(self, layer: str) -> None:
        if layer in self.places:
            self.show(self.file, self.places[layer], len(self.places))


def _write_page(
    html: Path,
    judged: Sequence[_Judged],
    result: Validation,
    sentence: str | None,
    pairs: Sequence[tuple[_Judged, list[Pair]]],
    against: _Judged | None,
) -> None:
    from hippo_theory.report import validation_page

    page = validation_page(
        result,
        [one.path for one in judged],
        answer=sentence,
        comparison=[(one.result.path, found) for one, found in pairs],
        reference="" if against is None else against.result.path,
    )
    with replacing(html) as file:
        file.write(page.encode("utf-8", "backslashreplace"))


# --- records: what JSON holds ------------------------------------------------------------------------------------------

_Record = dict[str, Any]


def _file_record(file: FileResult) -> _Record:
    findings = [_finding_record(finding) for finding in file.findings]
    return {"path": file.path, "findings": findings, "verdict": file.verdict, "error": file.error}


def _finding_record(finding: Finding) -> _Record:
    error = finding.kernel_error
    numbers, lost = _finite(
        max_relative_error=finding.max_relative_error, ulps=finding.ulps, kernel_error=error.l2 if error else None
    )
    if error is None:
        lost.append("kernel_error: not computed for this kind of system, or nothing fixes the system")
    return {
        "tensors": list(finding.tensors),
        "layer": finding.layer,
        "identified": finding.identified,
        "convention": finding.convention,
        "N": finding.N,
        "stored": finding.stored,
        "heads": finding.heads,
        **numbers,
        "kernel": _kernel_record(error),
        "verdict": finding.verdict,
        "parts": {name: _part_record(part) for name, part in finding.parts.items()},
        "deviation": finding.deviation,
        "why": "; ".join(filter(None, [finding.reason, *lost])),
    }


def _part_record(part: Part) -> _Record:
    names = ("max_relative_error", "ulps", "max_error", "bound", "excess")
    numbers, lost = _finite(**{name: getattr(part, name) for name in names})
    why = "; ".join(filter(None, [part.why, *lost]))
    return {"verdict": part.verdict, **numbers, "deviation": part.deviation, "cause": part.cause, "why": why}


def _kernel_record(error: KernelError | None) -> _Record | None:
    if error is None:
        return None
    numbers, _ = _finite(l2=error.l2, sup=error.sup, step=error.step)
    places = {"length": error.length, "step": numbers["step"], "inputs": error.inputs}
    return {"l2": numbers["l2"], "sup": numbers["sup"], **places}


def _pair_record(pair: Pair) -> _Record:
    numbers, lost = _finite(eigenvalues=pair.eigenvalues, B=pair.B, P=pair.P)
    sides: Mapping[str, Finding | None] = {"": pair.finding, "reference_": pair.reference}
    names = {
        f"{side}{key}": None if finding is None else getattr(finding, key)
        for side, finding in sides.items()
        for key in ("layer", "identified", "convention")
    }
    why = "; ".join(filter(None, [pair.why, *lost]))
    return {**names, "states": pair.states, **numbers, "kernel": _kernel_record(pair.kernel), "why": why}


def _finite(**numbers: float | None) -> tuple[dict[str, float | None], list[str]]:
    """JSON numbers: null for what is not finite, with the reason."""
    kept = {name: float(x) if x is not None and math.isfinite(x) else None for name, x in numbers.items()}
    return kept, [f"{name} is not finite" for name, x in numbers.items() if x is not None and kept[name] is None]


# --- tables for people -------------------------------------------------------------------------------------------------

_STYLES = {
    "exact": "green",
    "rounding": "green",
    "known-deviation": "yellow",
    "deviates": "bold red",
    "trained": "blue",
    "random": "blue",
    "unknown": "magenta",
}


def _tables(
    result: Validation, pairs: Sequence[tuple[_Judged, list[Pair]]], against: _Judged | None
) -> Iterator[Table]:
    from hippo_theory.report import grouped, reason
    from hippo_theory.report.numbers import short, short_ulps

    header = ["layer", "is", "convention", "N", "systems", "verdict", "ulp", "kernel error", "why"]
    reasons: dict[str, int] = {}
    for file in result.files:
        path = shown(file.path, _LONG)
        if file.error is not None:
            yield Table(f"{path}: could not be read: {shown(file.error, _LONG)}", [""], [])
            continue
        if not file.findings:
            yield Table(f"{path}: holds no initialization of a state space model", [""], [])
            continue
        rows = []
        for group in grouped(file.findings):
            finding = group.worst
            why = shown(reason(finding), _LONG)
            mark = f"[{reasons.setdefault(why, len(reasons) + 1)}]" if why else ""
            rows.append(
                [
                    shown(group.layer or ", ".join(finding.tensors)),
                    finding.identified,
                    finding.convention or "-",
                    "-" if finding.N is None else str(finding.N),
                    "-" if finding.heads is None else str(finding.heads),
                    group.verdict,
                    short_ulps(group.ulps),
                    short(group.kernel_error),
                    " ".join(filter(None, [finding.deviation, mark])),
                ]
            )
        yield Table(f"{path}: {file.verdict}", header, rows, _STYLES)
    for one, found in pairs:
        assert against is not None
        title = f"{shown(one.result.path, _LONG)} against {shown(against.result.path, _LONG)}"
        rows = [_pair_row(pair, reasons) for pair in found]
        yield Table(title, _PAIR_HEADER, _condensed(rows))
    if reasons:
        yield Table("why", ["", ""], [[f"[{number}]", reason] for reason, number in reasons.items()])


_PAIR_HEADER = ["layer", "is", "reference", "is", "states", "eigenvalues", "B", "P", "kernel", "why"]


def _pair_row(pair: Pair, reasons: dict[str, int]) -> list[str]:
    from hippo_theory.report.numbers import short

    cells = []
    for side in (pair.finding, pair.reference):
        name = "-" if side is None else shown(side.layer.rstrip("./") or ", ".join(side.tensors))
        cells += [name, "-" if side is None else side.identified]
    mark = f"[{reasons.setdefault(shown(pair.why, _LONG), len(reasons) + 1)}]" if pair.why else ""
    states = "-" if pair.states is None else str(pair.states)
    kernel = short(pair.kernel.l2 if pair.kernel else None)
    return [*cells, states, short(pair.eigenvalues), short(pair.B), short(pair.P), kernel, mark]


def _condensed(rows: Sequence[list[str]]) -> Iterator[list[str]]:
    """Lines in a row that say the same of other layers as one."""
    for _, same in groupby(rows, key=lambda row: [row[1], *row[3:]]):
        run = list(same)
        more = f" and {len(run) - 1} more" if len(run) > 1 else ""
        yield [run[0][0] + more, *run[0][1:]]


def _sentence(expect: str | None, answer: str | None) -> str | None:
    if expect is None:
        return None
    return f"{expect}, as expected" if answer is None else answer


def _notes(result: Validation, sentence: str | None, html: Path | None) -> list[str]:
    from hippo_theory.report import advice

    findings = [finding for file in result.files for finding in file.findings]
    notes = [*advice(findings), *([sentence] if sentence else [])]
    if html is not None:
        notes.append(f"wrote {shown(html, _LONG)}")
    return notes
