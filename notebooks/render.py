r"""Execute the notebooks: ``python notebooks/render.py [--check] [NAME ..]``.

Each ``NN_name.py`` is a percent script, the source; ``NN_name.ipynb`` beside it is the same cells, executed, with what they
print and draw. Rendering twice gives the same bytes: no times, no dates, no random ids. ``--check`` writes nothing and says
where the committed notebooks differ from a fresh run, in cells or in text; of pictures only whether they are there, since
their bytes change with the version of matplotlib. Exit status: 0 fine, 1 they differ or a cell fails.

Needs jupytext, nbclient and ipykernel.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
TIMEOUT = 120  # seconds for one cell; the test that runs whole notebooks allows as much for all cells together
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_PICTURES = ("image/png", "image/svg+xml", "image/jpeg")


def scripts() -> list[Path]:
    """The percent scripts, in the order of their numbers."""
    return sorted(FOLDER.glob("[0-9][0-9]_*.py"))


def unexecuted(script: Path) -> Any:
    """The script as a notebook without outputs, with the same ids and metadata every time."""
    import jupytext

    notebook = jupytext.reads(script.read_text(encoding="utf-8"), fmt="py:percent")
    notebook.metadata = METADATA
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for index, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{index:02d}", {}
    return notebook


def execute(notebook: Any) -> Any:
    """Run all cells in a fresh kernel, with this repository's package; raises at the first cell that fails."""
    from nbclient import NotebookClient

    # Without the version of matplotlib in the file; as large as the figure says.
    options = "--InlineBackend.print_figure_kwargs={'bbox_inches': None, 'metadata': {'Software': None}}"
    paths = [str(FOLDER.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    environment.pop("MPLBACKEND", None)  # the kernel chooses the one that shows pictures
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        extra_arguments=[options, "--log-level=ERROR"],
        resources={"metadata": {"path": str(FOLDER)}},
    )
    client.execute(env=environment)
    return tidied(notebook)


def tidied(notebook: Any) -> Any:
    """The outputs as they are whatever the timing: texts that came in pieces joined, nothing of the run itself.

    Raises
    ------
    RuntimeError
        If a cell wrote to standard error: a warning is not part of a notebook.
    """
    notebook.metadata = METADATA  # the kernel adds the version of Python
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type != "code":
            continue
        outputs: list[Any] = []
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                raise RuntimeError(f"{cell.id} wrote to standard error: {output.text}")
            if output.output_type == "stream" and outputs and outputs[-1].output_type == "stream":
                outputs[-1].text += output.text
                continue
            if "metadata" in output:
                output.metadata = {}
            outputs.append(output)
        cell.outputs = outputs
    return notebook


def written(notebook: Any) -> str:
    """The notebook as the text of its file."""
    import nbformat

    nbformat.validate(notebook)
    return str(nbformat.writes(notebook)).rstrip("\n") + "\n"


def read(path: Path) -> Any:
    """A notebook file."""
    import nbformat

    return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)


def transcript(notebook: Any) -> list[str]:
    """What must not change: cells, what they printed, and which kinds of pictures they drew."""
    lines: list[str] = []
    for cell in notebook.cells:
        lines += [f"[{cell.cell_type}]", *cell.source.splitlines()]
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                lines += [f"[{output.name}]", *output.text.splitlines()]
                continue
            kinds = sorted(output.data)
            pictures = [kind for kind in kinds if kind in _PICTURES]
            lines.append(f"[{output.output_type}: {', '.join(pictures or kinds)}]")
            if not pictures:  # the text beside a picture is only its size
                lines += output.data.get("text/plain", "").splitlines()
    return lines


def differences(committed: Any, fresh: Any) -> list[str]:
    """Where two notebooks differ, as lines of a diff; empty if they do not."""
    return list(difflib.unified_diff(transcript(committed), transcript(fresh), "committed", "fresh", lineterm="", n=1))


def main(arguments: list[str] | None = None) -> int:
    """Render or check the notebooks named, all without names."""
    parser = argparse.ArgumentParser(description="Execute the percent scripts of this folder to notebooks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="e.g. 01_which_hippo_matrix or 01; all without")
    parser.add_argument("--check", action="store_true", help="write nothing; say what a fresh run does differently")
    options = parser.parse_args(arguments)
    chosen = [s for s in scripts() if not options.names or any(s.stem.startswith(Path(n).stem) for n in options.names)]
    if not chosen:
        parser.error(
            f"no notebook is named {' or '.join(options.names)}; there are {', '.join(s.stem for s in scripts())}"
        )
    status = 0
    for script in chosen:
        target = script.with_suffix(".ipynb")
        try:
            fresh = execute(unexecuted(script))
        except Exception as error:  # a failing cell of one notebook does not keep the others from being looked at
            without_colors = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
            sys.stderr.write(f"{script.stem}: {without_colors}\n")
            status = 1
            continue
        if not options.check:
            target.write_text(written(fresh), encoding="utf-8")
            sys.stdout.write(f"wrote {target.name}\n")
            continue
        found = differences(read(target), fresh) if target.exists() else [f"there is no {target.name}; render it"]
        status = max(status, int(bool(found)))
        sys.stdout.write("\n".join([f"{script.stem}: {'differs' if found else 'the same'}", *found]) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
