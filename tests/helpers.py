"""What several tests share; first of all the one list of families that every property test runs over."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hippo_theory.families import Family, make_family
from hippo_theory.families.conventions import CONVENTIONS

ROOT = Path(__file__).resolve().parent.parent

SIZES = (1, 2, 3, 8, 9)

# A family that takes parameters is listed once for each of these; glagt needs a weight of finite mass.
PARAMETERS: dict[tuple[str, str], list[dict[str, str]]] = {
    ("lagt", "default"): [{}, {"beta": "1"}, {"alpha": "0.5"}, {"alpha": "-1/3", "beta": "0.25"}],
    ("lagt", "glagt"): [{"beta": "0.01"}, {"alpha": "0.5", "beta": "1"}],
    ("lagt", "hippo2020"): [{"beta": "1"}],
}


def _all_families() -> list[Family]:
    families = []
    for form in CONVENTIONS:
        for parameters in PARAMETERS.get((form.id, form.name), [{}]):
            for N in SIZES:
                if form.family == "fout" and N % 2 == 0 and not form.even_sizes:
                    continue  # test_cli.py has the error
                families.append(make_family(form.id, N, convention=form.name, **parameters))
    return families


ALL_FAMILIES = _all_families()


def family_id(family: Family) -> str:
    """A readable test id: ``legt-s4-8``, ``lagt-default-3-alpha0.5``."""
    parts = [family.variant, family.convention, str(family.N)]
    parts += [f"{name}{float(value):g}" for name in ("alpha", "beta") if (value := getattr(family, name, 0))]
    return "-".join(parts)


def run_python(*arguments: str, timeout: float = 120, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run this Python on this source tree, whatever is installed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, env=environment, check=False, **options
    )
