"""`hippo validate`: what others script against, every exit status, and names that are hostile."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import ROOT

import hippo_theory as ht
from hippo_theory.cli import main
from hippo_theory.cli import validation as verb
from hippo_theory.validation import VERDICTS
from hippo_theory.validation.expectations import IDENTIFIERS

NUMBER = (int, float, type(None))
FINDING = {
    "tensors": list,
    "layer": str,
    "identified": str,
    "convention": (str, type(None)),
    "N": (int, type(None)),
    "stored": (int, type(None)),
    "heads": (int, type(None)),
    "max_relative_error": NUMBER,
    "ulps": NUMBER,
    "kernel_error": NUMBER,
    "kernel": (dict, type(None)),
    "verdict": str,
    "parts": dict,
    "deviation": (str, type(None)),
    "why": str,
}
PART = {
    "verdict": str,
    "max_relative_error": NUMBER,
    "ulps": NUMBER,
    "max_error": NUMBER,
    "bound": NUMBER,
    "excess": NUMBER,
    "deviation": (str, type(None)),
    "cause": (str, type(None)),
    "why": str,
}
HOSTILE = "<script>alert(1)</script>[bold red]x[/] :bomb: \x1b[31m\x07\u202e"


def lin(N: int = 64, dtype: Any = np.float32) -> dict[str, Any]:
    """S4D-Lin as the minimal S4D of state-spaces/s4 stores it, for four channels."""
    n = np.arange(N // 2)
    arrays = {
        "log_A_real": np.full((4, N // 2), np.log(0.5)),
        "A_imag": np.tile(np.pi * n, (4, 1)),
        "log_dt": np.log([0.001, 0.01, 0.05, 0.1]),
        "C": np.ones((4, N // 2, 2)),
    }
    return {name: array.astype(dtype) for name, array in arrays.items()}


def saved(folder: Path, name: str, arrays: dict[str, Any]) -> Path:
    np.savez(folder / name, **arrays)
    return folder / name


def layers(count: int, arrays: dict[str, Any]) -> dict[str, Any]:
    return {f"layers.{i}.kernel.{name}": array for i in range(count) for name, array in arrays.items()}


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return saved(tmp_path, "good.npz", lin())


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    return saved(tmp_path, "bad.npz", lin() | {"log_A_real": np.zeros((4, 32), np.float32)})


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    (tmp_path / "damaged.npz").write_bytes(b"PK\x03\x04 this is no archive")
    return tmp_path / "damaged.npz"


def answer(capsys: Any, *argv: str | Path, status: int = 0) -> dict[str, Any]:
    """The JSON object of a command, checked against the schema."""
    assert main(["validate", *map(str, argv), "--json"]) == status
    out, err = capsys.readouterr()
    assert (err, out.count("\n")) == ("", 1)
    value: dict[str, Any] = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert value["schema"] == 1
    assert set(value["options"]) == {"paths", "expect", "reference", "html", "json"}
    assert value["verdict"] in VERDICTS
    for file in value["files"]:
        check_file(file)
    return value


def check_file(file: dict[str, Any]) -> None:
    assert set(file) == {"path", "findings", "verdict", "error"}
    assert file["verdict"] in VERDICTS
    for finding in file["findings"]:
        check_types(finding, FINDING)
        assert finding["verdict"] in VERDICTS
        assert finding["identified"] in IDENTIFIERS
        assert finding["kernel_error"] is not None or "kernel_error" in finding["why"]
        if finding["kernel"] is not None:
            check_types(finding["kernel"], {"l2": NUMBER, "sup": NUMBER, "length": int, "step": NUMBER, "inputs": str})
            assert finding["kernel"]["l2"] == finding["kernel_error"]
        for part in finding["parts"].values():
            check_types(part, PART)


def check_types(record: dict[str, Any], types: dict[str, Any]) -> None:
    assert list(record) and set(record) == set(types)
    for key, kind in types.items():
        assert isinstance(record[key], kind) and not isinstance(record[key], bool), key


def text(capsys: Any, *argv: str | Path, status: int = 0) -> str:
    assert main(["validate", *map(str, argv)]) == status
    out, err = capsys.readouterr()
    assert err == ""
    return str(out)


# --- what it says ------------------------------------------------------------------------------------------------------


def test_a_good_file_has_status_0_and_every_key(capsys, good):
    value = answer(capsys, good)
    assert value["options"]["paths"] == [str(good)]
    assert value["verdict"] == "exact"
    (file,) = value["files"]
    assert (file["path"], file["error"], file["verdict"]) == (str(good), None, "exact")
    (finding,) = file["findings"]
    found = [finding[key] for key in ("identified", "convention", "N", "stored", "heads", "layer")]
    assert found == ["s4d-lin", "default", 64, 32, 4, ""]
    assert set(finding["parts"]) == {"Lambda", "step", "C"}
    assert finding["ulps"] <= 1
    assert finding["kernel"]["length"] == 1024
    assert set(finding["tensors"]) == {"log_A_real", "A_imag", "log_dt"}


def test_a_deviation_has_status_1_a_reason_and_advice(capsys, bad):
    finding = answer(capsys, bad, status=1)["files"][0]["findings"][0]
    assert (finding["identified"], finding["verdict"]) == ("s4d-lin", "deviates")
    assert "real part" in finding["parts"]["Lambda"]["why"]
    assert "real part" in finding["why"]
    shown = text(capsys, bad, status=1)
    assert "deviates: correct what" in shown
    assert "hippo export s4d-lin -N 64" in shown
    assert "[1]" in shown  # the reason stands below the table


def test_a_known_deviation_is_named_with_what_it_does_and_is_no_failure(capsys, tmp_path):
    # state-spaces/s4 clamps at 1e-4: the first imaginary part of S4D-Lin is not 0.
    arrays = lin()
    arrays["A_imag"] = np.maximum(arrays["A_imag"], np.float32(1e-4))
    file = saved(tmp_path, "clamped.npz", arrays)
    assert answer(capsys, file)["files"][0]["findings"][0]["deviation"] == "D4"
    assert "D4: state-spaces/s4 clamps" in text(capsys, file)


def test_several_files_folders_and_one_that_cannot_be_read(capsys, tmp_path, good, damaged):
    (tmp_path / "below").mkdir()
    other = saved(tmp_path / "below", "other.npz", lin(16))
    nothing = saved(tmp_path, "nothing.npz", {"weight": np.ones((3, 5))})
    value = answer(capsys, tmp_path, good)
    assert [Path(file["path"]) for file in value["files"]] == [damaged, good, nothing, other, good]
    errors = [file["error"] for file in value["files"]]
    assert errors[0] is not None and errors[1:] == [None] * 4
    assert [len(file["findings"]) for file in value["files"]] == [0, 1, 0, 1, 1]
    shown = text(capsys, tmp_path)
    assert "damaged.npz: could not be read" in shown
    assert "nothing.npz: holds no initialization" in shown


def test_a_path_that_does_not_exist_beside_a_good_one_is_an_error_of_that_file(capsys, tmp_path, good):
    value = answer(capsys, tmp_path / "absent.npz", good)
    assert "does not exist" in value["files"][0]["error"]
    assert value["verdict"] == "exact"


def test_a_file_that_goes_while_others_are_read_is_an_error_of_that_file(capsys, tmp_path, good, monkeypatch):
    gone = verb._Judged(tmp_path / "gone.npz", ht.validation.FileResult("gone.npz"))
    found = verb._found
    monkeypatch.setattr(verb, "_found", lambda path: [gone, *found(path)])
    files = answer(capsys, good)["files"]
    assert [file["error"] is None for file in files] == [False, True]


def test_equal_layers_are_one_line_for_people_and_one_record_each_in_json(capsys, tmp_path):
    odd = {f"layers.3.kernel.{name}": array for name, array in lin(32).items()}
    file = saved(tmp_path, "model.npz", layers(12, lin()) | odd)
    assert len(answer(capsys, file)["files"][0]["findings"]) == 12
    shown = text(capsys, file)
    names = re.findall(r"^ (layers\S+)", shown, re.MULTILINE)
    assert names == ["layers.0-2.kernel", "layers.3.kernel", "layers.4-11.kernel"]


# --- expectations ------------------------------------------------------------------------------------------------------


def test_expectations_that_are_met_and_not_met(capsys, tmp_path, good):
    assert answer(capsys, good, "--expect", "s4d-lin")["expected"] is True
    value = answer(capsys, good, "--expect", "s4d-legs", status=1)
    assert (value["expected"], value["why"]) == (False, "expected s4d-legs, found s4d-lin")
    assert "s4d-lin, as expected" in text(capsys, good, "--expect", "s4d-lin")
    assert "expected s4d-legs, found s4d-lin" in text(capsys, good, "--expect", "s4d-legs", status=1)
    saved(tmp_path, "other.npz", {"A": ht.LegS(8).A, "B": ht.LegS(8).B})
    assert answer(capsys, tmp_path, "--expect", "s4d-lin", status=1)["why"] == "expected s4d-lin, found legs"


def test_an_expectation_is_not_met_where_nothing_is_found(capsys, tmp_path):
    nothing = saved(tmp_path, "nothing.npz", {"weight": np.ones((3, 5))})
    assert answer(capsys, nothing)["verdict"] == "unknown"
    assert "no initialization" in answer(capsys, nothing, "--expect", "s4d-lin", status=1)["why"]


# --- two codebases -----------------------------------------------------------------------------------------------------


def test_a_reference_of_another_convention_is_at_distance_zero(capsys, tmp_path, good):
    Lambda = ht.initialization("s4d-lin", 64).Lambda
    other = saved(tmp_path, "other.npz", {"Lambda": np.concatenate([Lambda, Lambda.conj()])})
    value = answer(capsys, good, "--reference", other)
    check_file(value["reference"])
    assert value["reference"]["path"] == str(other)
    (compared,) = value["comparison"]
    (pair,) = compared["pairs"]
    assert compared["path"] == str(good)
    assert (pair["identified"], pair["reference_identified"], pair["states"]) == ("s4d-lin", "s4d-lin", 64)
    assert pair["eigenvalues"] < 1e-7 and pair["kernel"]["l2"] < 1e-5
    assert f"{good} against {other}" in text(capsys, good, "--reference", other)


def test_a_reference_of_half_the_time_scale_is_far(capsys, tmp_path, good):
    Lambda = ht.initialization("s4d-lin", 64).Lambda
    other = saved(tmp_path, "other.npz", {"Lambda": Lambda / 2})
    pair = answer(capsys, good, "--reference", other)["comparison"][0]["pairs"][0]
    assert pair["eigenvalues"] == pytest.approx(1, rel=1e-3)
    assert pair["kernel"]["l2"] > 0.1


def test_what_the_reference_does_not_hold_stands_alone(capsys, tmp_path, good):
    other = saved(tmp_path, "other.npz", {"A": ht.LegS(8).A, "B": ht.LegS(8).B})
    pairs = answer(capsys, good, "--reference", other)["comparison"][0]["pairs"]
    assert [(pair["identified"], pair["reference_identified"]) for pair in pairs] == [
        ("s4d-lin", None),
        (None, "legs"),
    ]


# --- the report --------------------------------------------------------------------------------------------------------


def test_nothing_is_written_unless_asked_and_the_report_once(capsys, tmp_path, good, monkeypatch):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    text(capsys, good)
    answer(capsys, good)
    assert list(work.iterdir()) == []
    shown = text(capsys, good, "--html", "report.html")
    assert "wrote report.html" in shown
    assert [file.name for file in work.iterdir()] == ["report.html"]
    page = (work / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") and "s4d-lin" in page and "<svg" in page
    assert answer(capsys, good, "--html", "report.html")["options"]["html"] == "report.html"


# --- bad input ---------------------------------------------------------------------------------------------------------

BAD_INPUT = {
    "": "PATH",
    "{folder}/absent.npz": "absent.npz does not exist",
    "{damaged}": "damaged.npz",
    "{damaged} {folder}/absent.npz": "and 1 more",
    "{folder}/empty": "holds no file of tensors",
    "{good} --expect s4d-leg": "choose one of legs, legt",
    "{good} --expect S4D-LIN": "--expect",
    "{good} --html {folder}/report.pdf": "--html must end in .html",
    "{good} --html {folder}/none/report.html": "for --html",
    "{good} --reference {folder}/absent.npz": "--reference",
    "{good} --reference {damaged}": "--reference",
    "{good} --reference {folder}": "--reference must be one file",
    "{good} --nothing": "--nothing",
}


@pytest.mark.parametrize("line", BAD_INPUT)
def test_bad_input_gets_one_clear_line_and_status_2(capsys, tmp_path, good, damaged, line):
    (tmp_path / "empty").mkdir()
    argv = line.format(folder=tmp_path, good=good, damaged=damaged).split()
    before = sorted(tmp_path.rglob("*"))
    assert main(["validate", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("hippo: ") and err.count("\n") == 1
    assert BAD_INPUT[line] in err
    assert sorted(tmp_path.rglob("*")) == before


def test_arguments_are_checked_before_anything_is_read(capsys, good, monkeypatch):
    monkeypatch.setattr(verb, "_found", lambda path: pytest.fail("a file was looked for"))
    assert main(["validate", str(good), "--expect", "nonsense"]) == 2
    assert main(["validate", str(good), "--html", "report.txt"]) == 2


def test_every_id_that_may_be_expected_is_one_of_the_documented():
    assert len(set(IDENTIFIERS)) == len(IDENTIFIERS) == 21
    assert set(ht.initializations.INITIALIZATIONS) <= set(IDENTIFIERS)


# --- hostile names, streams --------------------------------------------------------------------------------------------


def test_names_from_files_are_escaped_in_the_terminal_and_in_the_report(capsys, tmp_path):
    arrays = {f"{HOSTILE}.{name}": array for name, array in lin().items()}
    from safetensors.numpy import save_file

    file = tmp_path / "[red]x[-red]:bomb:.safetensors"
    save_file(arrays, file)
    shown = text(capsys, file, "--html", tmp_path / "report.html")
    assert not set(shown) & {"\x1b", "\x07", "\u202e"}
    assert "[bold red]x[/] :bomb: \\x1b[31m\\x07\\u202e" in shown
    assert "[red]x[-red]:bomb:.safetensors" in shown
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page and "&lt;script&gt;" in page
    assert not set(page) & {"\x1b", "\x07", "\u202e"}
    # JSON escapes by itself, and programs get the name as it is.
    assert answer(capsys, file)["files"][0]["findings"][0]["layer"] == f"{HOSTILE}."


def test_verdicts_are_colored_on_a_terminal_only(capsys, good, monkeypatch):
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    plain = text(capsys, good)
    assert "\x1b" not in plain
    monkeypatch.setenv("FORCE_COLOR", "1")
    colored = text(capsys, good)
    assert "\x1b[32mexact" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored).split() == plain.split()  # and says nothing that the words do not


def test_numbers_that_are_not_finite_are_null_with_the_reason(capsys, tmp_path):
    arrays = lin()
    arrays["A_imag"][:] = np.nan
    value = answer(capsys, saved(tmp_path, "nan.npz", arrays), status=1)
    finding = value["files"][0]["findings"][0]
    assert finding["verdict"] == "deviates"
    assert finding["kernel_error"] is None


def test_a_number_that_is_not_finite_is_named():
    kept, lost = verb._finite(ulps=float("inf"), bound=0.5, error=None)
    assert kept == {"ulps": None, "bound": 0.5, "error": None}
    assert lost == ["ulps is not finite"]


def test_progress_moves_with_the_layers(good, tmp_path):
    class Bar:
        is_seen = True

        def __init__(self) -> None:
            self.seen: list[tuple[str, int, int]] = []

        def __call__(self, description: str, done: int, total: int) -> None:
            self.seen.append((description, done, total))

    bar = Bar()
    file = saved(tmp_path, "model.npz", layers(5, lin(8)))
    watch = verb._Watch(bar)
    for found in verb._found(file):
        found.judged(watch)
    assert bar.seen == [("model.npz", done, 5) for done in (0, 0, 1, 2, 3, 4)]


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_closed_pipe_is_silent(good, words):
    command = [sys.executable, "-m", "hippo_theory.cli", "validate", str(good), *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_help_has_an_example_and_every_option(capsys):
    shown = " ".join(text(capsys, "--help").split())
    assert "Example: hippo validate model.safetensors" in shown
    assert all(option in shown for option in ("--expect", "--reference", "--html", "--json"))
