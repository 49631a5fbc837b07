"""The house: a room imports only from rooms above it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import hippo_theory

PACKAGE = Path(hippo_theory.__file__).parent

# From the ground up; what stands on one line may not import each other, except inside a folder.
ROOMS = [
    "errors",
    "arithmetic",
    "families",
    "systems",
    "decompositions",
    "initializations",
    "kernels",
    "discretizations",
    "convolution",
    "norms",
    "asymptotics",
    "duality",
    "selectivity",
    "granger",
    "tensor_files",
    "convergence",
    "sweeps",
    "figures",
    "claims",
    "validation",
    "report",
    "testing",
    "torch",
    "bench",
    "cli",
]


def imports_of(source: str) -> set[str]:
    """Rooms of the package that a source text imports, wherever it does."""
    rooms = set()
    for node in ast.walk(ast.parse(source)):
        modules = []
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        rooms |= {module.split(".")[1] for module in modules if module.startswith("hippo_theory.")}
    return {room for room in rooms if (PACKAGE / room).exists() or (PACKAGE / f"{room}.py").exists()}


def violations(room: str, source: str) -> set[str]:
    """Imported rooms that are not above this one."""
    return {other for other in imports_of(source) if other != room and ROOMS.index(other) >= ROOMS.index(room)}


def test_every_room_is_listed():
    found = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert found - {"__init__"} == set(ROOMS)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_from_rooms_above(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room == "__init__":
        return
    assert not violations(room, path.read_text(encoding="utf-8"))


def test_the_check_can_fail():
    assert violations("arithmetic", "from hippo_theory.families import LegS") == {"families"}
    assert violations("kernels", "def f():\n    import hippo_theory.cli") == {"cli"}
    assert not violations("kernels", "from hippo_theory.families import LegS")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_outgrows_its_idea(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 600
