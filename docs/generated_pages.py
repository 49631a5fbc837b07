"""The pages of the site that are made from the package: tables of conventions and layouts, API, command line, gallery."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import hippo_theory

__all__ = [
    "api_pages",
    "claims_page",
    "command_line_page",
    "conventions_table",
    "deviations_table",
    "gallery_page",
    "initializations_table",
    "layouts_table",
    "notebooks_page",
    "papers_table",
]

# Modules whose names users need and that their room does not export.
FURTHER = {
    "families": ("families.conventions",),
    "validation": ("validation.comparing",),
    "report": ("report.verification",),
}


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown; bars in cells are escaped."""
    lines = [list(head), ["---"] * len(head), *([_cell(entry) for entry in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _cell(entry: object) -> str:
    return " ".join(str(entry).split()).replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def conventions_table() -> str:
    """Every convention with how it is made of the canonical pair (A, B), and entries to know it by."""
    from hippo_theory.families import make_family
    from hippo_theory.families.conventions import CONVENTIONS

    rows = []
    for form in CONVENTIONS:
        size = 4 if form.even_sizes else 3
        parameters = {"beta": Fraction(1, 100)} if form.unit_mass else {}  # what glagt has by default
        family = make_family(form.id, size, convention=form.name, **parameters)
        pieces = []
        if form.rank != 1:
            pieces.append(f"low-rank term times {form.rank}")
        if form.shift:
            pieces.append(f"A plus {form.shift} I")
        if form.gain != 1:
            pieces.append(f"B times {form.gain}")
        if form.rescaled:
            pieces.append("D A D^-1, D B, with D = diag((-1)^n sqrt(2n+1))")
        if form.unit_mass:
            pieces.append("weight of mass one")
        if form.even_sizes:
            pieces.append("even N: state 1 is dead")
        rows.append(
            (
                f"{_code(form.id)}, {_code(form.name)}",
                _code(form.equation),
                _window(form.family, form.rate),
                "; ".join(pieces),
                _code(" ".join(f"{entry:.4g}" for entry in family.A[:, 0])),
                _code(" ".join(f"{entry:.4g}" for entry in family.B)),
                ", ".join(_code(alias) for alias in form.aliases),
                form.source,
            )
        )
    head = ("system, convention", "equation", "window", "changes", "A[:, 0]", "B", "called elsewhere", "source")
    return table(head, rows)


def _window(family: str, rate: Fraction) -> str:
    return f"[0, {1 / rate}]" if family in ("legt", "fout") else "[0, inf)"


def layouts_table() -> str:
    """Every layout of a checkpoint: how its tensors are turned into parameters."""
    from hippo_theory.validation import LAYOUTS

    rows = []
    for layout in LAYOUTS:
        real = _parameter(layout.real)
        whole = real
        if layout.imaginary is not None:
            imaginary = _parameter(layout.imaginary)
            sign, imaginary = (" - ", imaginary[1:]) if imaginary.startswith("-") else (" + ", imaginary)
            whole = f"{real}{sign}i {imaginary}"
        if layout.kind == "ring":
            whole = f"exp({whole})"
        if layout.kind == "skew":
            whole = f"-1/2 + i {real}"
        rest = [f"{name} = {_parameter(source)}" for name in "BPQC" if (source := getattr(layout, name)) is not None]
        rows.append(
            (
                _code(layout.name),
                layout.codebases,
                _code(whole),
                _code(_parameter(layout.step)) if layout.step else "",
                ", ".join(_code(entry) for entry in rest),
                layout.state_axis,
            )
        )
    return table(("layout", "codebases", "eigenvalues", "dt", "other parameters", "axis of the states"), rows)


def _parameter(source: Any) -> str:
    name = f"complex({source.tensor})" if source.pairs else source.tensor
    for word in reversed(source.transform.split()):
        name = {"identity": name, "negative": f"-{name}"}.get(word, f"{word}({name})")
    return name


def deviations_table() -> str:
    """The deviations that validation knows by number."""
    from hippo_theory.validation import DEVIATIONS

    return table(("number", "what it is"), ((_code(number), text) for number, text in DEVIATIONS.items()))


def initializations_table() -> str:
    """Every named start, what N means in it, and its source."""
    from hippo_theory.initializations import INITIALIZATIONS

    rows = ((_code(entry.id), entry.title, entry.size, entry.source) for entry in INITIALIZATIONS.values())
    return table(("initialization", "what it is", "N", "source"), rows)


def papers_table() -> str:
    """The papers whose statements are checked, with how many of them, and their verdicts."""
    from hippo_theory.claims import PAPERS, VERDICTS, load_claims

    claims = load_claims().values()
    rows = []
    for key, paper in PAPERS.items():
        own = [claim.expected for claim in claims if claim.paper == key]
        counts = ", ".join(f"{own.count(verdict)} {verdict}" for verdict in VERDICTS if verdict in own)
        link = f"[arXiv:{paper.arxiv}](https://arxiv.org/abs/{paper.arxiv})" if paper.arxiv else "derived here"
        rows.append((_code(key), f"{paper.title} ({paper.year})", link, len(own), counts))
    return table(("paper", "title", "where", "claims", "verdicts"), rows)


def rooms() -> dict[str, Any]:
    """The rooms of the package, in the order of the README's table."""
    readme = (Path(hippo_theory.__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    order = re.findall(r"^\| `(\w+)` \|", readme, re.MULTILINE)
    names = sorted(
        (found.name for found in pkgutil.iter_modules(hippo_theory.__path__)),
        key=lambda name: order.index(name) if name in order else len(order),
    )
    from sphinx.ext.autodoc.mock import mock

    # PyTorch may be absent: its room is described all the same.
    with mock([] if importlib.util.find_spec("torch") else ["torch"]):
        return {name: importlib.import_module(f"hippo_theory.{name}") for name in names if name != "cli"}


def api_pages() -> dict[str, str]:
    """The pages of the API by path: one a room, and an index with the names of the package itself."""
    found = rooms()
    pages = {f"api/{name}.rst": _room_page(name, module) for name, module in found.items()}
    homes = {}
    for name, module in found.items():
        for exported in getattr(module, "__all__", ()):
            homes.setdefault(id(getattr(module, exported)), f"hippo_theory.{name}.{exported}")
    public = (
        (f"`ht.{name}`", f"{{py:obj}}`{homes[id(getattr(hippo_theory, name))]}`", _summary(getattr(hippo_theory, name)))
        for name in hippo_theory.__all__
    )
    lines = [
        "# API reference",
        "",
        "A room imports only from rooms above it in this list. Each page begins with what the room is for, and has a",
        "summary of its names; every name has a page with its equation, arguments, promise and an example that is tested.",
        "",
        "```{toctree}",
        ":maxdepth: 1",
        *found,
        "```",
        "",
        "## Names of the package",
        "",
        "`import hippo_theory as ht` gives these at once; the others are imported from their rooms.",
        "",
        table(("name", "where it lives", "what it is"), public),
    ]
    return {**pages, "api/index.md": "\n".join(lines)}


def _room_page(name: str, module: Any) -> str:
    blocks = [(f"hippo_theory.{name}", module, getattr(module, "__all__", ()))]
    for further in FURTHER.get(name, ()):
        inner = importlib.import_module(f"hippo_theory.{further}")
        own = set(getattr(module, "__all__", ()))
        blocks.append((f"hippo_theory.{further}", inner, [entry for entry in inner.__all__ if entry not in own]))
    lines = [name, "=" * len(name)]
    for place, each, exported in blocks:
        if each is not module:
            lines += ["", f"``{place}``", "-" * (len(place) + 4)]
        lines += ["", f".. automodule:: {place}", "   :no-members:", "", f".. currentmodule:: {place}", ""]
        documented = [entry for entry in exported if inspect.isroutine(getattr(each, entry)) or _is_class(each, entry)]
        for title, chosen in (
            ("Functions", [entry for entry in documented if not _is_class(each, entry)]),
            ("Classes", [entry for entry in documented if _is_class(each, entry)]),
        ):
            if chosen:
                lines += [
                    f".. rubric:: {title}",
                    "",
                    ".. autosummary::",
                    "   :toctree: generated",
                    "   :nosignatures:",
                    "",
                ]
                lines += [f"   {entry}" for entry in sorted(chosen, key=str.lower)] + [""]
        values = [entry for entry in exported if entry not in documented]
        if values:
            lines += [".. rubric:: Values", ""]
            lines += [f"- ``{entry}``: {_described(getattr(each, entry))}" for entry in sorted(values)] + [""]
    return "\n".join(lines) + "\n"


def _is_class(module: Any, name: str) -> bool:
    return inspect.isclass(getattr(module, name))


def _described(value: object) -> str:
    if isinstance(value, Mapping | tuple | list | set | frozenset):
        return f"{type(value).__name__} of {len(value)}"
    return type(value).__name__


def _summary(value: object) -> str:
    text = (inspect.getdoc(value) or "").split("\n\n")[0]
    return re.sub(r"([*_|<])", r"\\\1", " ".join(text.split()))


def command_line_page() -> str:
    """What each verb says of itself."""
    from hippo_theory.cli import _VERBS

    lines = [
        "# Command line",
        "",
        "Every verb prints a table for people, or with `--json` one JSON object for programs. Exit status: 0 fine; 1 the",
        "answer is no; 2 bad input, one clear line; 3 could not be certified; 130 interrupted.",
    ]
    for verb in _VERBS:
        done = subprocess.run(
            [sys.executable, "-m", "hippo_theory.cli", verb, "--help"],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "COLUMNS": "90", "NO_COLOR": "1", "TERM": "dumb"},
        )
        text = "\n".join(line.rstrip() for line in done.stdout.strip().split("\n"))
        lines += ["", f"## hippo {verb}", "", "```text", text, "```"]
    return "\n".join(lines) + "\n"


def gallery_page(manifest: Path) -> str:
    """The figures of a manifest: small pictures to choose from, then each with its caption and its data."""
    records = json.loads(manifest.read_text(encoding="utf-8"))["figures"]
    lines = [
        "# Gallery",
        "",
        f"{len(records)} figures of the theory. Each is one function that returns its data; `hippo figures --out DIR` makes",
        "them again, pictures and data, with the same bytes.",
        "",
        ":::{container} thumbnails",
    ]
    for record in records:
        lines += [f"[![]({_shown(record)}) {record['title']}](#figure-{record['figure']})", ""]
    lines += [":::", ""]
    for record in records:
        id = record["figure"]
        files = ", ".join(
            f"[{Path(name).suffix[1:].upper() if Path(name).suffix in PICTURES else name}]({name})"
            for name in record["files"]
        )
        parameters = ", ".join(f"{name} = {value}" for name, value in record["parameters"].items())
        lines += [
            f"(figure-{id})=",
            f"## {record['title']}",
            "",
            f"![{record['alternative']}]({_shown(record)})",
            "",
            record["caption"],
            "",
            f"Source: {record['source']}. Files: {files}. Made by `hippo figures {id} --out DIR`, that is by",
            f"`{record['function']}`" + (f" with {_code(parameters)}." if parameters else "."),
            "",
        ]
    return "\n".join(lines)


PICTURES = {".png", ".svg", ".pdf", ".gif", ".webp", ".apng"}


def _shown(record: Mapping[str, Any]) -> str:
    """The file that is shown: what moves, else what is sharp at every size, unless it is too large for a page."""
    by_suffix = {Path(name).suffix: name for name in record["files"]}
    for suffix in (".gif", ".webp", ".apng", ".png", ".svg"):
        if suffix in by_suffix:
            return str(by_suffix[suffix])
    raise ValueError(f"figure {record['figure']} has no picture that a browser shows")


def claims_page(written: str, report: bool) -> str:
    """docs/claims.md, each id linked to its place in the report if there is one."""
    if not report:
        return written
    linked = re.sub(
        r"^\| `([\w.\-]+)` \| ([A-Z]+) \|",
        r'| <a href="claims-report.html#\1"><code>\1</code></a> | \2 |',
        written,
        flags=re.MULTILINE,
    )
    note = (
        '\nEvery id below leads to its place in <a href="claims-report.html">the full report</a>: the statement typeset, the\n'
        "two routes, the evidence and the code. It was made, by running every check, when this site was built.\n"
    )
    return linked.replace("\n## ", note + "\n## ", 1)


def notebooks_page(notebooks: Sequence[Path]) -> str:
    """The list of the notebooks."""
    lines = [
        "# Notebooks",
        "",
        "Each answers one question, and every statement in it is followed by an assertion that checks it. They are executed",
        "by the tests; `notebooks/NAME.py` is the same as a script.",
        "",
        "```{toctree}",
        ":maxdepth: 1",
        *(f"notebooks/{notebook.stem}" for notebook in notebooks),
        "```",
    ]
    return "\n".join(lines) + "\n"
