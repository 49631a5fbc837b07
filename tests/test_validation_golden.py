"""Files that public codebases really wrote: each is what its manifest expects, or an exception with a reason that is shown.

The files lie beside the repository in ../shared/golden; data/golden_exceptions.toml lists where the manifest is incomplete.
"""

from __future__ import annotations

import fnmatch
import importlib.util
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hippo_theory as ht
from hippo_theory.tensor_files import open_tensors
from hippo_theory.validation import validate

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


# --- the reasons of the exceptions, shown in the arrays, by nothing that validation uses ------------------------------------


def numbers(file: str) -> dict[str, Any]:
    """The arrays of a file by the last part of their names, views of complex numbers as these."""
    if file.endswith(".pt"):
        pytest.importorskip("torch")
    found = {}
    for name, entry in open_tensors(GOLDEN / file).tensors.items():
        array = entry.read()
        if array.dtype.kind == "f" and array.shape[-1:] == (2,) and name.endswith(("B", "P")):
            array = array[..., 0] + 1j * array[..., 1]
        found[name.rpartition(".")[2]] = array
    return found


def eigenvalues(arrays: dict[str, Any]) -> Any:
    """(systems, n): as stored, or of state-spaces/s4 v4 -e^A_real - i A_imag."""
    if "A_real" in arrays:
        return -np.exp(arrays["A_real"]) - 1j * arrays["A_imag"]
    return np.atleast_2d(arrays["A"] if "A" in arrays else arrays["W"] if "W" in arrays else arrays["w"])


def weights_of(id: str, N: int, frequencies: Any) -> Any:
    """abs(V* B) at the given frequencies, V by the eigensolver of LAPACK."""
    family = ht.make_family(id, N, convention="s4" if id == "legt" else "default")
    normal = family.A + family.P @ family.P.T
    found, V = np.linalg.eigh(-1j * (normal - normal.T) / 2)
    return np.abs(V.conj().T @ family.B)[np.abs(found[None, :] - frequencies[:, None]).argmin(axis=1)]


def is_clipped(file: str, arrays: dict[str, Any]) -> bool:
    """D1: some imaginary parts are 2, none is larger, and just there abs(B) is less than abs(V* B), or half of it."""
    N = int(re.search(r"_N([0-9]+)", file)[1])
    id = next(id for key, id in (("legt", "legt"), ("lagt", "lagt"), ("", "legs")) if key in file)
    values = eigenvalues(arrays)
    for row, B in zip(values, np.broadcast_to(arrays["B"].reshape(-1, values.shape[-1]), values.shape), strict=True):
        at_two = np.abs(np.abs(B.imag) - 2) <= 4 * 2.0**-24
        if not at_two.any() or np.abs(B.imag).max() > 2 + 4 * 2.0**-24:
            continue
        truth = weights_of(id, N, row.imag)
        for gain in (1.0, 0.5):
            # 1e-4: float32 eigenvectors at N = 16 are good to 1e-5.
            right = np.abs(np.abs(B) - gain * truth) <= 1e-4 * truth
            if (right == ~at_two).all() and (np.abs(B) < gain * truth)[at_two].all():
                return True
    return False


def has_small_imaginary_parts(file: str, arrays: dict[str, Any]) -> bool:
    """D4: eigenvalues -1, -2, ... with an imaginary part of 1e-4."""
    values = eigenvalues(arrays)
    truth = np.arange(1, values.shape[-1] + 1)
    # c = 4 roundings of float32, of the number and of its logarithm, which is what is stored.
    real = np.abs(values.real + truth) <= 4 * 2.0**-24 * truth * np.maximum(1, np.log(truth))
    return bool(real.all() and (np.abs(values.imag) == np.float32(1e-4)).all())


def has_small_real_parts(file: str, arrays: dict[str, Any]) -> bool:
    """D4: real parts of -1e-3 for FouT, whose normal part is skew."""
    assert not ht.make_family("fout", 63).normal_spectrum().real.any()
    return bool((np.abs(np.exp(arrays["inv_w_real"]) - 1e-3) <= 8 * 2.0**-24 * 1e-3).all())


def counts_zero_twice(file: str, arrays: dict[str, Any]) -> bool:
    """D5: sum of abs(V* B)^2 is B^T B in any orthonormal basis; with each stored state twice it is B_0^2 more."""
    values, B = eigenvalues(arrays)[0], arrays["B"].reshape(-1, eigenvalues(arrays).shape[-1])[0]
    real = np.abs(values.imag) <= 1e-3
    family = ht.make_family("fourier-diagonal", 2 * len(values), convention="s4")
    whole = float(family.B @ family.B)
    # c = 8 roundings of float32, each term once.
    excess = 2 * (np.abs(B) ** 2).sum() - whole - float(family.B[0]) ** 2
    return int(real.sum()) == 1 and bool(abs(excess) <= 8 * 2.0**-24 * whole)


def is_low_rank_legs(file: str, arrays: dict[str, Any]) -> bool:
    """P, B and imaginary parts of dplr_diag-legs are bit for bit those of dplr_legs; real parts are -1/2, set or computed."""
    other = numbers(file.replace("diag-legs", "legs"))
    same = set(arrays) == set(other) and all(np.array_equal(arrays[name], other[name]) for name in ("P", "B"))
    A, B = arrays["A"], other["A"]
    # Computed as a mean of N numbers in float32: by pairs, log2(N) roundings each.
    bound = np.log2(2 * A.shape[-1]) * 2.0**-24
    return same and np.array_equal(A.imag, B.imag) and bool(np.abs(A.real - B.real).max() <= bound)


REASONS = {
    "D1": is_clipped,
    "D4: imaginary": has_small_imaginary_parts,
    "D4: real": has_small_real_parts,
    "D5": counts_zero_twice,
    "the function returns the low-rank": is_low_rank_legs,
}


def shown_by(reason: str) -> Any:
    return next(show for start, show in REASONS.items() if reason.startswith(start))


@needs_golden
@pytest.mark.parametrize("exception", EXCEPTIONS["exception"], ids=lambda entry: entry["files"].partition("/")[2])
def test_the_reason_of_an_exception_is_in_the_arrays(exception):
    chosen = [entry for entry in entries() if fnmatch.fnmatch(entry["file"], exception["files"])]
    if importlib.util.find_spec("torch") is None:
        chosen = [entry for entry in chosen if not entry["file"].endswith(".pt")]
    wrong = disagreements(chosen)
    assert wrong, "no exception any more"
    for file in wrong:
        assert shown_by(exception["reason"])(file, numbers(file)), file


@needs_golden
@pytest.mark.parametrize(
    ("reason", "file"),
    [
        ("D1", "state-spaces-s4-v4/nplr_legs_N16_f32_noclip.npz"),
        ("D4: imaginary", "state-spaces-s4-v4/SSMKernelDiag_diag-lin_N4.safetensors"),
        ("D4: real", "state-spaces-s4-v3.0.0/S4layer_legs_N64.safetensors"),
        ("D5", "state-spaces-s4-v4/nplr_fourier_diag_N8_f64_noclip.npz"),
        ("the function returns the low-rank", "state-spaces-s4-v4/dplr_diag-lin_N8.npz"),
    ],
)
def test_the_reasons_are_not_in_other_files(reason, file):
    if reason.startswith("the function"):
        arrays = numbers(file)
        assert not is_low_rank_legs("state-spaces-s4-v4/dplr_diag-legs_N8.npz", arrays)
    else:
        assert not shown_by(reason)(file, numbers(file))
