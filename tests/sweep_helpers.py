"""What the tests of sweeps share, apart from the studies, which worker processes import."""

from __future__ import annotations

import os
from pathlib import Path

from helpers import ROOT
from sweep_studies import SLEEPY

from hippo_theory.sweeps import Record, Study, make_point

ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}


def sorted_lines(path: Path) -> list[bytes]:
    return sorted(path.read_bytes().splitlines(keepends=True))


def record(x: int, study: Study = SLEEPY) -> Record:
    point = make_point(x=x)
    return Record(study.name, study.version, study.key(point), point, {"x": x})
