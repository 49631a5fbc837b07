"""The generated table of the documentation."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT

from hippo_theory.cli import main

GOLDEN = ROOT.parent / "shared" / "golden"
TABLE = ROOT / "docs" / "validation-golden.md"


def generator() -> Any:
    path = ROOT / "docs" / "make_validation_table.py"
    spec = importlib.util.spec_from_file_location("make_validation_table", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks its module up there
    spec.loader.exec_module(module)
    return module


def rows(text: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]


def close(one: str, other: str) -> bool:
    """Errors of the same size: the last bits of a kernel are those of a library of linear algebra."""
    if one == other or {one, other} & {"-", "> 1e9"}:
        return one == other
    ours, theirs = float(one), float(other)
    return abs(ours - theirs) <= 0.1 * max(ours, theirs) or max(ours, theirs) < 1e-11


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_the_table_is_what_its_script_makes_of_the_files():
    if not GOLDEN.is_dir():
        pytest.skip("needs ../shared")
    module = generator()
    written, made = TABLE.read_text(encoding="utf-8"), module.table(GOLDEN)
    assert [line for line in written.splitlines() if not line.startswith("|")] == [
        line for line in made.splitlines() if not line.startswith("|")
    ]
    ulps, kernel = module.COLUMNS.index("ulp"), module.COLUMNS.index("kernel")
    for ours, theirs in zip(rows(written), rows(made), strict=True):
        for column, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            assert close(one, other) if column in (ulps, kernel) and ours[0] != "codebase" else one == other, ours


def test_the_table_has_a_line_for_every_codebase_and_none_for_a_file_that_could_not_be_read():
    text = TABLE.read_text(encoding="utf-8")
    module = generator()
    found = rows(text)
    assert tuple(found[0]) == module.COLUMNS
    assert all(len(row) in (len(module.COLUMNS), len(module.COLUMNS) - 1) for row in found)
    assert len({row[0] for row in found[1:]}) == 16
    assert ", 0 that could not be read." in text


def test_numbers_that_differ_are_seen():
    assert close("1.0e-05", "1.05e-05") and close("-", "-") and close("2e-16", "9e-13")
    assert not close("1.0e-05", "1.2e-05") and not close("-", "1.0")


def test_documents_stand_where_the_readme_of_a_test_run_finds_them():
    assert {path.name for path in Path(ROOT / "docs").glob("*.md")} == {
        "answers.md",
        "claims.md",
        "index.md",
        "porting.md",
        "studies.md",
        "theory.md",
        "training.md",
        "tutorial.md",
        "validation-golden.md",
        "validation.md",
    }


@pytest.mark.heavy
def test_the_table_of_the_readme_is_what_the_command_prints(capsys):
    (shown,) = re.findall(r"```text\n(in short.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert main(["converge", "--components", "0"]) == 0
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed[printed.index("in short") :].splitlines() if line.strip()]
    expected = [line.split() for line in shown.splitlines() if line.strip()]
    assert rows[: len(expected)] == expected
