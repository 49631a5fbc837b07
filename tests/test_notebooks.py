"""The notebooks: their files agree with their sources, and every statement in them holds."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat.v4
import pytest
from helpers import ROOT

FOLDER = ROOT / "notebooks"
SCRIPTS = sorted(FOLDER.glob("[0-9][0-9]_*.py"))


def renderer() -> Any:
    spec = importlib.util.spec_from_file_location("render_notebooks", FOLDER / "render.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RENDER = renderer()


def committed(script: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(script.with_suffix(".ipynb").read_text(encoding="utf-8"))
    return notebook


def test_there_are_notebooks_and_none_without_its_source() -> None:
    assert RENDER.scripts() == SCRIPTS and len(SCRIPTS) >= 4
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == {script.stem for script in SCRIPTS}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_notebook_has_the_cells_of_its_script(script: Path) -> None:
    expected, found = RENDER.unexecuted(script), committed(script)
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in found["cells"]] == [
        (cell.cell_type, cell.source) for cell in expected.cells
    ], f"python notebooks/render.py {script.stem}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_notebook_was_executed_and_holds_nothing_of_the_run(script: Path) -> None:
    notebook = committed(script)
    assert notebook["metadata"] == RENDER.METADATA
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert [cell["id"] for cell in notebook["cells"]] == [f"cell-{i:02d}" for i in range(len(notebook["cells"]))]
    assert not any(cell["metadata"] for cell in notebook["cells"])
    outputs = [output for cell in code for output in cell["outputs"]]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    for output in outputs:
        assert output["output_type"] != "error" and output.get("name") != "stderr"
        text = "".join(output.get("text", output.get("data", {}).get("text/plain", "")))
        assert not re.search(r"(^|[\s'\"])(/\w+){2,}|\b0x[0-9a-f]{6,}|\d\d:\d\d:\d\d", text), (
            "a path, an address or a time"
        )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_notebook_asserts_what_it_says(script: Path) -> None:
    tree = ast.parse(script.read_text(encoding="utf-8"))
    assertions = [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    assert len(assertions) >= 15
    assert not any(isinstance(node.test, ast.Constant) for node in assertions)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_links_between_notebooks_lead_somewhere(script: Path) -> None:
    for target in re.findall(r"\]\(([\w./-]+\.ipynb)\)", script.read_text(encoding="utf-8")):
        assert (FOLDER / target).exists(), target


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_claims_a_notebook_names_exist(script: Path) -> None:
    from hippo_theory.claims import find_claims, load_claims

    papers = "|".join(sorted({id.split(".")[0] for id in load_claims()}))
    text = script.read_text(encoding="utf-8")
    named = re.findall(rf"`((?:{papers})\.[\w.]+)`", text)
    for command in re.findall(r"`hippo verify ([^`]+)`", text):
        named += command.split("--")[0].split()
    assert named
    find_claims(named)  # raises for a name that is no claim, paper or tag


def executed(text: str = "1.5\n", picture: str = "aaaa", source: str = "print(x)") -> Any:
    """A small executed notebook: what it printed came in two pieces."""
    v4 = nbformat.v4
    outputs = [
        v4.new_output("stream", name="stdout", text=text[:1]),
        v4.new_output("stream", name="stdout", text=text[1:]),
        v4.new_output(
            "display_data", data={"image/png": picture, "text/plain": f"<Figure {picture}>"}, metadata={"width": 1}
        ),
    ]
    cell = v4.new_code_cell(source, outputs=outputs, metadata={"execution": {"iopub.status.busy": "now"}})
    return RENDER.tidied(v4.new_notebook(cells=[v4.new_markdown_cell("# A"), cell]))


def test_pieces_of_text_are_joined_and_metadata_dropped() -> None:
    cell = executed().cells[1]
    assert [output.output_type for output in cell.outputs] == ["stream", "display_data"]
    assert cell.outputs[0].text == "1.5\n"
    assert not cell.metadata and not cell.outputs[1].metadata


def test_a_check_sees_other_text_and_other_cells_but_no_other_pixels() -> None:
    assert RENDER.differences(executed(), executed(picture="bbbb")) == []
    assert "+1.6" in RENDER.differences(executed(), executed(text="1.6\n"))
    assert "+print(y)" in RENDER.differences(executed(), executed(source="print(y)"))
    without = executed()
    without.cells[1].outputs.pop()
    assert "-[display_data: image/png]" in RENDER.differences(executed(), without)


def test_a_warning_in_a_cell_is_an_error() -> None:
    cell = nbformat.v4.new_code_cell("x", outputs=[nbformat.v4.new_output("stream", name="stderr", text="beware")])
    with pytest.raises(RuntimeError, match="beware"):
        RENDER.tidied(nbformat.v4.new_notebook(cells=[cell]))


@pytest.mark.heavy
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_notebook_runs_from_top_to_bottom_in_two_minutes(script: Path) -> None:
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)}
    program = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(script)],
        env=environment, cwd=FOLDER, timeout=120, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
