"""Findings of many equal layers as one line: layers.0-23.mixer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hippo_theory.validation import Finding

__all__ = ["Group", "grouped"]

_NUMBERS = re.compile(r"[0-9]+")


@dataclass(frozen=True)
class Group:
    """Findings that say the same of consecutive layers.

    Attributes
    ----------
    findings : tuple of Finding
        In the order of the layers, at least one.
    layer : str
        Their layers in one name, the number that runs as a range; empty if the tensors stand in no layer.
    """

    findings: tuple[Finding, ...]
    layer: str

    @property
    def worst(self) -> Finding:
        """The one that is farthest off."""

        def size(finding: Finding) -> tuple[float, float]:
            error = finding.kernel_error
            return finding.max_relative_error or 0.0, error.l2 if error else 0.0

        return max(self.findings, key=size)

    @property
    def verdict(self) -> str:
        """The same for all of them."""
        return self.findings[0].verdict

    @property
    def ulps(self) -> float | None:
        """The largest."""
        return max((finding.ulps for finding in self.findings if finding.ulps is not None), default=None)

    @property
    def kernel_error(self) -> float | None:
        """The largest relative L2 error."""
        return max((finding.kernel_error.l2 for finding in self.findings if finding.kernel_error), default=None)


def grouped(findings: Iterable[Finding]) -> list[Group]:
    """Consecutive layers with the same answer taken together, in the natural order of the layers.

    Two findings say the same if they agree in all but numbers that differ from layer to layer: the sizes of errors and the
    range of the steps.

    Examples
    --------
    >>> import numpy as np
    >>> import hippo_theory as ht
    >>> from hippo_theory.validation import validate
    >>> Lambda = ht.initialization("s4d-lin", 8).Lambda
    >>> arrays = {f"layers.{i}.s4d.Lambda": Lambda for i in range(12)}
    >>> [group.layer for group in grouped(validate(arrays).files[0].findings)]
    ['layers.0-11.s4d']
    """
    runs: list[list[Finding]] = []
    last: dict[
        Any, tuple[list[Finding], int | None]
    ] = {}  # what a finding says: the run it would continue, and where it runs
    for finding in sorted(findings, key=lambda finding: _natural(finding.layer)):
        key = _answer(finding)
        run, place = last.get(key, ([], None))
        at = _next(run[-1].layer, finding.layer) if run else None
        if at is not None and place in (None, at):
            run.append(finding)
        else:
            run, at = [finding], None
            runs.append(run)
        last[key] = run, at
    return [Group(tuple(run), _range(run)) for run in runs]


def _natural(layer: str) -> list[Any]:
    parts = re.split(r"([0-9]+)", layer)
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]


def _answer(finding: Finding) -> tuple[Any, ...]:
    """All that a finding says, without the numbers that differ from layer to layer."""
    parts = tuple((name, part.verdict, part.deviation, part.cause) for name, part in finding.parts.items())
    numbers = (finding.N, finding.stored, finding.heads)
    names = (finding.layout, finding.identified, finding.convention, finding.why)
    return _NUMBERS.sub("*", finding.layer), *names, *numbers, parts


def _next(layer: str, following: str) -> int | None:
    """Which of the numbers in the names is one higher, if that is all that differs."""
    ours, theirs = (list(map(int, _NUMBERS.findall(name))) for name in (layer, following))
    moved = [index for index, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other]
    return moved[0] if len(moved) == 1 and theirs[moved[0]] == ours[moved[0]] + 1 else None


def _range(run: list[Finding]) -> str:
    first, last = (finding.layer.rstrip("./") for finding in (run[0], run[-1]))
    if first == last:
        return first
    pieces, ends = re.split(r"([0-9]+)", first), re.split(r"([0-9]+)", last)
    return "".join(one if one == other else f"{one}-{other}" for one, other in zip(pieces, ends, strict=True))
