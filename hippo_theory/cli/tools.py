"""The verbs export, list, doctor and bench."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Iterator
from json import dumps as dump_json  # `json` is the name of an option
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hippo_theory import __version__
from hippo_theory.cli import arguments
from hippo_theory.cli.output import SCHEMA, Answer, Table, replacing
from hippo_theory.tensor_files.writing import SUFFIXES, check_writable, write_tensors

__all__ = ["bench", "doctor", "export", "list_things"]


# --- export ------------------------------------------------------------------------------------------------------------


def export(
    id: str,
    /,
    *,
    N: arguments.Size,
    form: Literal["dense", "dplr", "diagonal"],
    half: bool = False,
    seed: arguments.Seed = 0,
    out: Path,
    json: bool = False,
) -> Answer:
    """Write an initialization, every number of it the nearest to the truth, into a file.

    Example: hippo export s4d-legs -N 64 --form diagonal --half --out s4d-legs.npz

    Parameters
    ----------
    id : str
        Id of the initialization; `hippo list initializations` shows them.
    N : int
        Full real state size.
    form : str
        dense: A, B. dplr: Lambda, P, B, V with A = V (Lambda - P P*) V*. diagonal: Lambda, B.
    half : bool
        Store one of each conjugate pair, with its multiplicity.
    seed : int
        Of the random initializations.
    out : file
        Ends in .npz or .safetensors (which stores complex numbers as trailing pairs of reals).
    json : bool
        Print one JSON object.
    """
    arguments.writable_file(out, list(SUFFIXES))
    check_writable(out)
    from hippo_theory.initializations import INITIALIZATIONS, export_arrays

    is_random = id in INITIALIZATIONS and INITIALIZATIONS[id].is_random
    arrays = export_arrays(id, N, form=form, half=half, **({"rng": np.random.default_rng(seed)} if is_random else {}))
    written = write_tensors(out, arrays)
    tensors = {name: {"shape": list(array.shape), "dtype": str(array.dtype)} for name, array in written.items()}
    rows = [[name, str(tensor["shape"]), str(tensor["dtype"])] for name, tensor in tensors.items()]
    return Answer({"path": str(out), "tensors": tensors}, [Table(str(out), ["tensor", "shape", "dtype"], rows)])


# --- list --------------------------------------------------------------------------------------------------------------


def list_things(
    kind: Literal["families", "conventions", "initializations", "layouts", "causes", "claims", "figures", "bench"],
    /,
    *,
    json: bool = False,
) -> Answer:
    """List what there is of a kind.

    Example: hippo list conventions

    Parameters
    ----------
    kind : str
        families, conventions, initializations, layouts (of other codebases) and causes (why one deviates) of validate,
        claims, figures or bench.
    json : bool
        Print one JSON object.
    """
    entries = _LISTS[kind]()
    header = list(entries[0]) if entries else []
    rows = [[", ".join(cell) if isinstance(cell, list) else str(cell) for cell in entry.values()] for entry in entries]
    if not entries:
        return Answer({kind: []}, notes=[f"this version has no {kind} yet"])
    return Answer({kind: entries}, [Table(kind, header, rows)])


_Entries = list[dict[str, Any]]


def _list_families() -> _Entries:
    from hippo_theory.families import FAMILIES
    from hippo_theory.families.conventions import CONVENTIONS

    ids = dict.fromkeys(convention.id for convention in CONVENTIONS)
    entries = []
    for id in ids:
        named = [convention for convention in CONVENTIONS if convention.id == id]
        title = FAMILIES[named[0].family].title
        entries.append({"id": id, "title": title, "conventions": [convention.name for convention in named]})
    return entries


def _list_conventions() -> _Entries:
    from hippo_theory.families.conventions import CONVENTIONS

    return [
        {
            "family": convention.id,
            "convention": convention.name,
            "equation": convention.equation,
            "aliases": list(convention.aliases),
            "source": convention.source,
        }
        for convention in CONVENTIONS
    ]


def _list_initializations() -> _Entries:
    from hippo_theory.initializations import INITIALIZATIONS

    return [
        {"id": start.id, "title": start.title, "forms": list(start.forms), "N": start.size, "source": start.source}
        for start in INITIALIZATIONS.values()
    ]


def _list_layouts() -> _Entries:
    from hippo_theory.validation.layouts import LAYOUTS

    names = {layout.name: layout.codebases for layout in LAYOUTS}  # some have an entry for each parameterization
    return [{"name": name, "codebases": codebases} for name, codebases in names.items()]


def _list_causes() -> _Entries:
    from hippo_theory.validation.causes import CAUSES

    return [{"id": id, "meaning": meaning} for id, meaning in CAUSES.items()]


def _list_bench() -> _Entries:
    from hippo_theory.bench import BENCHMARKS

    return [{"name": name, "title": title, "in_quick": quick} for name, (title, quick, _) in BENCHMARKS.items()]


def _list_claims() -> _Entries:
    from hippo_theory.claims import load_claims

    return [
        {"id": claim.id, "expected": claim.expected, "title": claim.title, "tags": list(claim.tags)}
        for claim in load_claims().values()
    ]


def _list_figures() -> _Entries:
    from hippo_theory.figures import load_figures

    return [{"id": entry.id, "title": entry.title, "source": entry.source} for entry in load_figures().values()]


_LISTS: dict[str, Callable[[], _Entries]] = {
    "families": _list_families,
    "conventions": _list_conventions,
    "initializations": _list_initializations,
    "layouts": _list_layouts,
    "causes": _list_causes,
    "claims": _list_claims,
    "figures": _list_figures,
    "bench": _list_bench,
}


# --- doctor ------------------------------------------------------------------------------------------------------------

_CORE = (
    "numpy",
    "scipy",
    "mpmath",
    "sympy",
    "matplotlib",
    "python-flint",
    "array-api-compat",
    "rich",
    "cyclopts",
    "threadpoolctl",
)
_OPTIONAL = {
    "safetensors": "files",
    "msgpack": "files",
    "h5py": "files",
    "ml-dtypes": "files",
    "torch": "torch",
    "finufft": "fast",
    "distributed": "cluster",
    "pandas": "cluster",
    "pyarrow": "cluster",
}


def doctor(*, json: bool = False) -> Answer:
    """Show versions, linear algebra and its threads, and which optional libraries are there.

    Example: hippo doctor

    Parameters
    ----------
    json : bool
        Print one JSON object.
    """
    core = {name: _version(name) for name in _CORE}
    optional = {name: {"version": _version(name), "extra": extra} for name, extra in _OPTIONAL.items()}
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    blas = _blas()
    data = {
        "hippo_theory": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": core,
        "optional": optional,
        "processors": processors,
        "blas": blas,
    }
    absent = [f'absent: pip install "hippo_theory[{entry["extra"]}]"' for entry in optional.values()]
    rows = [
        *(["here", name, str(data[name])] for name in ("hippo_theory", "python", "system", "processors")),
        *(["needed", name, version or "absent"] for name, version in core.items()),
        *(["optional", n, entry["version"] or hint] for (n, entry), hint in zip(optional.items(), absent, strict=True)),
        *(
            ["linear algebra", library["name"], f"{library['version']}, {library['threads']} threads"]
            for library in blas
        ),
    ]
    return Answer(data, [Table("what this installation has", ["kind", "name", "found"], rows)])


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _blas() -> _Entries:
    """The linear algebra libraries that NumPy and SciPy have loaded, with their threads."""
    import scipy.linalg  # noqa: F401  loads the one of SciPy
    from threadpoolctl import threadpool_info

    return [
        {"name": library["internal_api"], "version": library["version"], "threads": library["num_threads"]}
        for library in threadpool_info()
        if library["user_api"] == "blas"
    ]


# --- bench -------------------------------------------------------------------------------------------------------------


def bench(*names: str, quick: bool = False, out: Path | None = None, json: bool = False) -> Answer:
    """Measure this toolkit against its peers, side by side in this process.

    Example: hippo bench spectrum-float-1024

    Parameters
    ----------
    names : str
        Which benchmarks; all by default. `hippo list bench` shows them.
    quick : bool
        Measure each slow peer once, and leave out what takes minutes.
    out : folder
        Also write the rows into this folder, spectrum.json and kernels.json, and the figures of kernel-growth and
        kernel-float32.
    json : bool
        Print one JSON object.
    """
    from hippo_theory.bench import BENCHMARKS, run_bench

    if out is not None:
        arguments.writable_folder(out)
    result = run_bench(names or None, quick, _announce if sys.stderr is not None and sys.stderr.isatty() else None)
    chosen = {"names": list(names), "quick": quick, "out": None if out is None else str(out), "json": json}
    files = [] if out is None else _write_bench(out, chosen, result)
    machine = ", ".join(f"{key}: {value}" for key, value in result["machine"].items())
    notes = [machine, *(f"wrote {file}" for file in files)]
    titles = {name: title for name, (title, _, _) in BENCHMARKS.items()}
    return Answer({**result, "files": files}, _bench_tables(result["rows"], titles), notes)


def _bench_tables(rows: _Entries, titles: dict[str, str]) -> Iterator[Table]:
    """One table for each benchmark, since each has keys of its own; what applies to none of its rows is left out."""
    for name in dict.fromkeys(row["name"] for row in rows):
        own = [row for row in rows if row["name"] == name]
        keys = dict.fromkeys(key for row in own for key, cell in row.items() if key != "name" and cell is not None)
        cells = [["-" if row.get(key) is None else _short(row[key]) for key in keys] for row in own]
        yield Table(f"{name}: {titles.get(name, '')}", list(keys), cells)


def _write_bench(folder: Path, options: dict[str, Any], result: dict[str, Any]) -> list[str]:
    """The rows, those of spectra and of kernels in a file each, and what figures they allow."""
    from hippo_theory.figures import write_bench_figures

    files = {"spectrum": "spectrum.json", "kernel": "kernels.json"}
    paths = []
    for kind in dict.fromkeys(row["name"].split("-")[0] for row in result["rows"]):
        paths.append(folder / files.get(kind, f"{kind}.json"))
        rows = [row for row in result["rows"] if row["name"].split("-")[0] == kind]
        table = {"schema": SCHEMA, "options": options, "rows": rows, "machine": result["machine"]}
        with replacing(paths[-1]) as file:
            file.write((dump_json(table, indent=1, allow_nan=False) + "\n").encode())
    return [str(path) for path in [*paths, *write_bench_figures(result["rows"], folder)]]


def _announce(name: str) -> None:
    print(f"measuring {name} ...", file=sys.stderr)  # noqa: T201


def _short(cell: Any) -> str:
    if isinstance(cell, list):
        return " ".join(map(_short, cell))
    return f"{cell:.3g}" if isinstance(cell, float) else str(cell)
