"""The package as a whole: one version, public names, what importing it costs, and the rules of the test run."""

from __future__ import annotations

import ast
import re
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from allowed_skips import ALLOWED_SKIPS
from helpers import ALL_FAMILIES, ROOT, family_id, run_python

import hippo_theory
from hippo_theory.families.conventions import CONVENTIONS

PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_version_is_written_once_in_the_package_and_agrees_with_the_citation_and_the_changelog():
    assert "version" not in PYPROJECT["project"]
    assert PYPROJECT["tool"]["hatch"]["version"]["path"] == "hippo_theory/__init__.py"
    version = hippo_theory.__version__
    assert re.search(rf"^version: {re.escape(version)}$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert re.search(rf"^## {re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_every_public_name_imports_and_the_three_lists_of_them_agree():
    for name in hippo_theory.__all__:
        assert getattr(hippo_theory, name) is not None
    assert hippo_theory.__all__ == sorted(hippo_theory.__all__)
    typed, eager = _imported_names(ROOT / "hippo_theory" / "__init__.py")
    lazy = {(room, name) for room, names in hippo_theory._ROOMS.items() for name in names}
    assert lazy == typed
    assert {name for _, name in lazy} | eager == set(hippo_theory.__all__)
    assert set(hippo_theory.__all__) <= set(dir(hippo_theory))


def _imported_names(file: Path) -> tuple[set[tuple[str, str]], set[str]]:
    """(room, name) imported for type checkers only, and the names that are imported from the package at once."""
    typed, eager = set(), set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.If):
            for entry in node.body:
                assert isinstance(entry, ast.ImportFrom)
                assert entry.module is not None
                typed |= {(entry.module.removeprefix("hippo_theory."), alias.name) for alias in entry.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hippo_theory."):
            eager |= {alias.name for alias in node.names}
    return typed, eager


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'LegX'"):
        hippo_theory.LegX  # noqa: B018


# --- what importing costs ----------------------------------------------------------------------------------------------

HEAVY = ("sympy", "torch", "matplotlib", "mpmath", "jax", "pandas", "h5py", "distributed")
USE_EVERY_NAME = "import hippo_theory as ht; [getattr(ht, name) for name in ht.__all__]"


def loaded(statement: str) -> set[str]:
    """The libraries of `HEAVY` that a fresh Python has loaded after the statement."""
    result = run_python("-c", f"{statement}\nimport sys\nprint(*sys.modules)")
    assert result.returncode == 0, result.stderr
    return set(HEAVY) & set(result.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import hippo_theory",
        USE_EVERY_NAME,
        "import hippo_theory.cli",
        "from hippo_theory.cli import main; main(['matrix', 'legs', '-N', '4', '--json'])",
    ],
)
def test_importing_loads_nothing_heavy(statement):
    assert loaded(statement) == set()


@pytest.mark.parametrize("library", ["sympy", "matplotlib"])
def test_the_check_on_imports_can_fail(library):
    assert library in loaded(f"import hippo_theory, {library}")


def test_every_dependency_of_the_package_is_declared():
    """Every top-level library that the sources import is in pyproject.toml, in the core or in an extra."""
    distributions = {
        "PIL": "pillow",
        "flint": "python-flint",
        "ml_dtypes": "ml-dtypes",
        "array_api_compat": "array-api-compat",
    }
    project = PYPROJECT["project"]
    requirements = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    declared = {re.split(r"[\[>=<]", line)[0] for line in requirements}
    imported = set()
    for file in (ROOT / "hippo_theory").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    libraries = imported - set(sys.stdlib_module_names) - {"hippo_theory"}
    assert {"numpy", "flint", "cyclopts"} <= libraries
    assert {distributions.get(name, name) for name in libraries} <= declared


# --- documents ---------------------------------------------------------------------------------------------------------


def test_contributing_fits_on_a_page():
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= 45


def test_the_tests_that_the_readme_names_exist():
    named = re.findall(r"`(tests/\w+\.py)(?:::(\w+))?`", (ROOT / "README.md").read_text())
    assert named
    for file, test in named:
        assert f"def {test}" in (ROOT / file).read_text()


def test_the_architecture_of_the_readme_lists_every_room():
    readme = (ROOT / "README.md").read_text()
    rooms = [
        path for path in (ROOT / "hippo_theory").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    ]
    missing = [path.stem for path in rooms if path.stem != "__init__" and f"`{path.stem}`" not in readme]
    assert missing == []


def test_linters_are_pinned_and_the_continuous_checks_use_the_same_pins():
    pins = PYPROJECT["dependency-groups"]["dev"]
    assert all("==" in pin for pin in pins)
    for file in (".ci/common", "CONTRIBUTING.md"):
        assert all(pin in (ROOT / file).read_text() for pin in pins)


# --- the rules of the run ----------------------------------------------------------------------------------------------


def test_the_list_of_families_holds_every_convention_at_odd_and_even_sizes():
    assert len({family_id(family) for family in ALL_FAMILIES}) == len(ALL_FAMILIES)
    for form in CONVENTIONS:
        sizes = {family.N for family in ALL_FAMILIES if (family.variant, family.convention) == (form.id, form.name)}
        assert {1, 3, 9} <= sizes
        assert ({2, 8} <= sizes) == (form.family != "fout" or form.even_sizes)


SKIPS = {
    "allowed_1": "pytest.skip('needs torch', allow_module_level=True)",
    "allowed_2": "pytest.skip('needs ../shared', allow_module_level=True)",
    "allowed_3": "pytest.importorskip('torch.absent', exc_type=ImportError)",
    "refused_1": "pytest.skip('too slow today', allow_module_level=True)",
    "refused_2": "pytest.importorskip('a_library_that_is_absent')",
}


def test_only_listed_reasons_may_skip(tmp_path):
    for name in ("conftest.py", "allowed_skips.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path)
    (tmp_path / "pytest.toml").write_text("[pytest]\n")
    for name, skip in SKIPS.items():
        (tmp_path / f"test_module_{name}.py").write_text(f"import pytest\n\n{skip}\n")
        (tmp_path / f"test_function_{name}.py").write_text(f"import pytest\n\ndef test_it():\n    {skip}\n")
    result = run_python(
        "-m", "pytest", "-p", "no:cacheprovider", "--continue-on-collection-errors", "-rfE", cwd=tmp_path
    )
    assert result.returncode == 1
    assert "2 failed, 6 skipped, 2 errors" in result.stdout, result.stdout
    failed = {
        line.split()[1].split("::")[0] for line in result.stdout.splitlines() if line.startswith(("FAILED", "ERROR "))
    }
    assert failed == {f"test_{place}_refused_{k}.py" for place in ("module", "function") for k in (1, 2)}
    assert result.stdout.count("does not allow: ") >= 4


def test_allowed_skips_are_the_five_of_the_design():
    assert len(ALLOWED_SKIPS) == 5
