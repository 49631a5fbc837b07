"""`assert_initialization`, as other projects' test suites use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hippo_theory as ht
from hippo_theory.errors import InputError
from hippo_theory.testing import assert_initialization


def lin() -> dict[str, Any]:
    n = np.arange(32)
    return {"log_A_real": np.log(np.full(32, 0.5, np.float32)), "A_imag": (np.pi * n).astype(np.float32)}


def complaint(*arguments: Any, **options: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        assert_initialization(*arguments, **options)
    return str(caught.value)


def test_what_is_meant_passes(tmp_path: Path):
    assert_initialization(lin(), "s4d-lin")
    assert_initialization(lin(), "s4d-lin", N=64, convention="default", verdict="exact")
    np.savez(tmp_path / "a.npz", **lin())
    assert_initialization(tmp_path / "a.npz", "s4d-lin")
    assert_initialization(str(tmp_path), "s4d-lin")


def test_a_state_dict_of_pytorch_passes():
    torch = pytest.importorskip("torch")
    state = {f"layers.0.{name}": torch.nn.Parameter(torch.from_numpy(array)) for name, array in lin().items()}
    assert_initialization(state, "s4d-lin", N=64)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"identifier": "s4d-legs"}, "identified is s4d-lin, expected s4d-legs"),
        ({"identifier": "s4d-lin", "N": 32}, "N is 64, expected 32"),
        ({"identifier": "s4d-lin", "convention": "s4"}, "convention is default, expected s4"),
        ({"identifier": "s4d-lin", "verdict": "trained"}, "verdict is exact, expected trained"),
    ],
)
def test_the_message_says_what_was_found(options, words):
    assert words in complaint(lin(), **options)


def test_the_message_says_why():
    wrong = lin() | {"log_A_real": np.zeros(32, np.float32)}
    message = complaint({f"layers.7.{name}": array for name, array in wrong.items()}, "s4d-lin")
    assert message.startswith("arrays: layers.7: verdict is deviates, expected exact or rounding")
    assert "real part" in message


def test_every_wrong_layer_is_named_and_right_ones_are_not():
    wrong = lin() | {"log_A_real": np.zeros(32, np.float32)}
    layers = {0: lin(), 1: wrong, 2: lin(), 3: wrong}
    message = complaint(
        {f"{i}.{name}": array for i, layer in layers.items() for name, array in layer.items()}, "s4d-lin"
    )
    assert [line.split(": ")[1] for line in message.splitlines()] == ["1", "3"]


def test_a_known_deviation_passes_only_if_it_may():
    clamped = lin()
    clamped["A_imag"] = np.maximum(clamped["A_imag"], np.float32(1e-4))
    assert "verdict is known-deviation D4" in complaint(clamped, "s4d-lin")
    assert_initialization(clamped, "s4d-lin", verdict=("exact", "known-deviation"))


def test_nothing_found_and_a_file_that_cannot_be_read_fail(tmp_path: Path):
    assert "no initialization at all" in complaint({"weight": np.ones((3, 5))}, "s4d-lin")
    (tmp_path / "damaged.npz").write_bytes(b"PK\x03\x04")
    np.savez(tmp_path / "good.npz", **lin())
    assert "damaged.npz: could not be read" in complaint(tmp_path, "s4d-lin")


def test_names_in_the_message_are_escaped():
    message = complaint({f"\x1b[31m.{name}": array for name, array in lin().items()}, "s4d-legs")
    assert "\x1b" not in message and "\\x1b[31m" in message


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((lin(), "s4d-linear"), {}, "choose one of legs"),
        ((lin(), "s4d-lin"), {"verdict": "good"}, "`verdict` must be of exact"),
        ((lin(), "s4d-lin"), {"verdict": ()}, "`verdict` must be of exact"),
        (("absent.npz", "s4d-lin"), {}, "does not exist"),
    ],
)
def test_bad_arguments_are_input_errors_not_failed_assertions(arguments, options, words):
    with pytest.raises(InputError, match=words):
        assert_initialization(*arguments, **options)


def test_pytest_does_not_show_the_frames_of_the_assertion(pytester_like: Path):
    from helpers import run_python

    result = run_python("-m", "pytest", "-q", "-p", "no:cacheprovider", str(pytester_like), cwd=pytester_like.parent)
    assert result.returncode == 1
    assert "AssertionError: arrays: A, B: identified is legs, expected fout" in result.stdout
    assert "__tracebackhide__" not in result.stdout
    assert "raise AssertionError" not in result.stdout


@pytest.fixture
def pytester_like(tmp_path: Path) -> Path:
    """A test file of another project."""
    file = tmp_path / "test_model.py"
    file.write_text(
        "import hippo_theory as ht\n"
        "from hippo_theory.testing import assert_initialization\n\n\n"
        "def test_start():\n"
        "    legs = ht.LegS(8)\n"
        '    assert_initialization({"A": legs.A, "B": legs.B}, "fout")\n'
    )
    return file


def test_the_matrices_of_the_package_are_exact():
    legs = ht.LegS(16)
    assert_initialization({"A": legs.A, "B": legs.B}, "legs", N=16, verdict="exact")
