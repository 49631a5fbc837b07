"""Files that public codebases really wrote: each is what its manifest expects, or an exception with a reason that is shown.

The files lie beside the repository in ../shared/golden; data/golden_exceptions.toml lists where the manifest is incomplete.
"""

from __future__ import annotations

import fnmatch
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hippo_theory.validation import validate
from hippo_theory.validation.references import references

COPIES = Path(__file__).parent / "data" / "golden"
GOLDEN = Path(__file__).resolve().parents[2] / "shared" / "golden"
EXCEPTIONS = tomllib.loads((Path(__file__).parent / "data" / "golden_exceptions.toml").read_text(encoding="utf-8"))
needs_golden = pytest.mark.skipif(not GOLDEN.exists(), reason="needs ../shared")


def entries() -> list[dict[str, Any]]:
    manifests = sorted(GOLDEN.glob("*/manifest.json")) if GOLDEN.exists() else []
    return [entry for path in manifests for entry in json.loads(path.read_text(encoding="utf-8"))["entries"]]


def findings(file: str) -> Any:
    if file.endswith(".pt"):
        pytest.importorskip("torch")
    (result,) = validate(GOLDEN / file).files
    assert result.error is None, result.error
    return result.findings


def complaint(expect: dict[str, Any], found: Any) -> str | None:
    """What the findings and the expectation of a manifest disagree in, or None."""
    wanted, ids = expect.get("identified"), {finding.identified for finding in found}
    deviations = {finding.deviation for finding in found} - {None}
    if wanted is None:
        return f"found {ids} where nothing is expected" if found else None
    if ids != set(wanted) if expect.get("groups") else not (ids and ids <= set(wanted)):
        return f"identified {ids}, expected {wanted}"
    if expect.get("deviation"):
        if expect["deviation"] not in deviations:
            return f"deviation {expect['deviation']} is not among {deviations}"
        parts = [part for finding in found for part in finding.parts.values() if part.deviation]
        return "a deviating part is called exact" if any(part.verdict == "exact" for part in parts) else None
    verdicts = {finding.verdict for finding in found}
    if deviations or not verdicts <= {"exact", "rounding", "random"}:
        return f"{verdicts}, deviations {deviations}, expected none"
    return None


def excepted(file: str) -> str | None:
    return next((entry["reason"] for entry in EXCEPTIONS["exception"] if fnmatch.fnmatch(file, entry["files"])), None)


def disagreements(chosen: list[dict[str, Any]]) -> dict[str, str]:
    return {
        entry["file"]: text
        for entry in chosen
        if (text := complaint(entry["expect"], findings(entry["file"]))) is not None
    }


@pytest.mark.parametrize("name", [path.name for path in sorted(COPIES.iterdir()) if path.suffix != ".json"])
def test_the_copies_in_this_repository(name):
    expect = json.loads((COPIES / "manifest.json").read_text(encoding="utf-8"))[name]["expect"]
    (result,) = validate(COPIES / name).files
    assert result.error is None and complaint(expect, result.findings) is None


@needs_golden
def test_a_sample_of_the_golden_files():
    chosen = [entry for entry in entries() if not entry["file"].endswith(".pt")][::40]
    assert not {file: text for file, text in disagreements(chosen).items() if not excepted(file)}


@pytest.mark.heavy
@pytest.mark.timeout(1500)
@needs_golden
def test_every_golden_file():
    found = disagreements(entries())
    assert not {file: text for file, text in found.items() if not excepted(file)}
    unused = [
        e["files"] for e in EXCEPTIONS["exception"] if not any(fnmatch.fnmatch(file, e["files"]) for file in found)
    ]
    assert not unused, "exceptions that are none any more"


def test_the_comparison_can_fail():
    found = validate({"Lambda": -0.5 + 1j * np.pi * np.arange(8)}).files[0].findings
    assert complaint({"identified": ["s4d-lin"]}, found) is None
    assert complaint({"identified": ["s4d-inv"]}, found)
    assert complaint({"identified": None}, found)
    assert complaint({"identified": ["s4d-lin"], "deviation": "D1"}, found)


# --- the reasons of the exceptions -----------------------------------------------------------------------------------------


@needs_golden
def test_diag_legs_of_v4_holds_the_low_rank_term_of_legs():
    """Nothing tells dplr_diag-legs from dplr_legs: P and B are the same bits, Lambda the same to a rounding."""
    folder = GOLDEN / "state-spaces-s4-v4"
    diagonal = next(path for path in sorted(folder.glob("dplr_diag-legs_*N16*.npz")))
    full = folder / diagonal.name.replace("diag-legs", "legs")
    one, other = np.load(diagonal), np.load(full)
    assert set(one) == set(other)
    assert all(np.array_equal(one[name], other[name]) for name in ("P", "B"))
    # float32: the real parts -1/2 of the one are set, those of the other computed.
    assert np.abs(one["A"] - other["A"]).max() <= 4 * 2.0**-24


@needs_golden
@pytest.mark.parametrize("N", [4, 16])
def test_input_vectors_are_clipped_where_the_manifest_says_nothing(N):
    """An imaginary part of exactly 2 where abs(V* B) is larger."""
    for path in sorted((GOLDEN / "state-spaces-s4-v4").glob(f"nplr_legs_N{N}_*clip2.npz")):
        arrays = np.load(path)
        entry = next(entry for entry in entries() if entry["file"].endswith(f"/{path.name}"))
        B = next(arrays[name] for name in arrays if name.startswith("B")).ravel()
        B = B if np.iscomplexobj(B) else arrays["Bc"].ravel() if "Bc" in arrays else B
        clipped = np.abs(np.abs(B.imag) - 2) < 1e-6
        truth = next(r for r in references(N // 2) if (r.id, r.N, r.form) == ("legs", N, "half")).weight
        if clipped.any():
            assert np.abs(np.sort(np.abs(B)) - np.sort(truth)).max() > 0.1
            assert complaint(entry["expect"], findings(entry["file"])) is None or excepted(entry["file"])
