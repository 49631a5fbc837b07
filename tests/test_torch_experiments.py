"""The delay and reconstruction tasks: the least errors of the theory, what training reaches, and the committed tables."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from delay_helpers import autocorrelation_error

import hippo_theory
from hippo_theory.errors import InputError
from hippo_theory.norms import least_delay_error

torch = pytest.importorskip("torch", reason="needs torch")
ht = pytest.importorskip("hippo_theory.torch", reason="needs torch")
experiments = pytest.importorskip("hippo_theory.torch.experiments", reason="needs torch")

pytestmark = pytest.mark.torch

STUDY = Path(hippo_theory.__file__).resolve().parents[1] / "figures" / "studies" / "delay"
TASK = experiments.Task(200, 40, (1.0,), 2.0, 160, 8, ("legt",), signals=8, steps=0)


@pytest.mark.parametrize(("start", "dt"), [("legt", 1 / 20), ("fout", 1 / 20), ("s4d-lin", 1 / 10)])
def test_the_least_error_of_a_module_is_that_of_its_kernels_and_the_autocorrelation(start, dt):
    shift, period, lines, L = 20, 3000, 200, 900
    kernel = experiments._kernel(start, 5 if start == "fout" else 4, 1, dt, None, "cpu")
    rows = experiments._state_rows(kernel)
    states = experiments._kernel(start, kernel.N, len(rows), dt, rows, "cpu")(L).detach().numpy()
    # Fitting needs no row of a real state twice; the tail after 900 lags is below e^(-900 dt/2) < 1e-9.
    states = states[np.abs(states).max(1) > 1e-9]
    found = least_delay_error(kernel.to_system(0), kernel.discretization.name, dt, [shift], period=period, lines=lines)
    assert 0.01 < found < 0.9
    assert abs(found - autocorrelation_error(states, shift, period, lines)) <= 1e-6 * found
    assert abs(found - autocorrelation_error(states, shift + 1, period, lines)) > 1e-3 * found


def test_the_real_states_of_a_system_are_all_of_them():
    """C that read coordinates: their span is that of the kernels of any C."""
    kernel = experiments._kernel("legs", 5, 1, 0.1, None, "cpu")
    rows = experiments._state_rows(kernel)
    states = experiments._kernel("legs", 5, len(rows), 0.1, rows, "cpu")(50).detach().numpy()
    assert np.linalg.matrix_rank(states, tol=1e-8) == 5
    other = experiments._kernel("legs", 5, 1, 0.1, None, "cpu")(50).detach().numpy()
    solution = np.linalg.lstsq(states.T, other[0], rcond=None)[0]
    assert np.abs(states.T @ solution - other[0]).max() <= 1e-10 * np.abs(other).max()


def test_signals_are_in_the_band_once_they_have_risen():
    """By the windowed spectrum: a Hann window of T samples leaks (T f)^-3 beyond the band."""
    task = replace(TASK, length=2000, burn_in=400)
    noise = experiments._signals(task)[:, 400:].numpy()
    assert noise.shape == (task.signals + task.test_signals, 2000)
    power = np.abs(np.fft.rfft(noise * np.hanning(2000))) ** 2
    edge = int(task.cycles / task.lag * 2000)
    assert power[:, edge + 50 :].max() <= 1e-8 * power[:, :edge].mean()
    assert power[:, edge - 10 : edge - 1].mean() > 0.1 * power[:, :edge].mean()
    start = experiments._signals(task)[:, :3].abs().max()
    assert start < 1e-4
    assert not np.allclose(noise[:, 0], noise[:, -1], atol=1e-3)  # no period of the length of a signal


@pytest.mark.parametrize("start", ["legt", "fout", "s4d-lin", "s4d-rand"])
def test_least_squares_reach_what_theory_allows(start):
    """On test signals at least that, up to chance: 8 signals of 20 independent values in the band, for 8 or 9 unknowns."""
    row = experiments.run_start(start, TASK)
    assert 0.8 < row["least_squares"] / row["theory"] < 1.6
    assert row["trained"] is None


def test_training_lowers_the_error_and_moves_the_spectrum():
    row = experiments.run_start("s4d-lin", replace(TASK, steps=15, state_lr=0.02, adam_steps=5))
    assert row["trained"] < 0.9 * row["least_squares"]
    assert 1e-4 < row["spectrum_moved"] < 1
    assert row["largest_real_part"] < 0


def test_the_gradient_with_outputs_solved_for_is_that_of_the_least_error():
    """Central differences of the least error itself against the gradient that training takes."""
    task = replace(TASK, length=60, burn_in=80, signals=2)
    states = experiments._States("s4d-lin", 1.0, task, "cpu")
    u = experiments._signals(task)
    targets = torch.nn.functional.pad(u, (40, 0))[:, None, : u.shape[1]][..., 80:]
    outputs, _ = experiments._least_squares(states(u), targets)
    experiments._relative_error(states(u), outputs, targets).backward()
    frequency = states.system.frequency
    found, width = float(frequency.grad[0, 1]), 1e-5

    def least(shift):
        with torch.no_grad():
            frequency[0, 1] += shift
            error = experiments._least_squares(states(u), targets)[1] ** 2
            frequency[0, 1] -= shift
        return error

    difference = (least(width) - least(-width)) / (2 * width)
    assert abs(found) > 1e-6
    assert abs(found - difference) <= 1e-4 * abs(found)


def test_a_config_is_refused_in_one_line(tmp_path, capsys):
    text = (STUDY / "delay_small.toml").read_text(encoding="utf-8")
    cases = {
        "lag = 250": ("lag = 0", "`lag` must be at least 1"),
        "burn_in = 2000": ("burn_in = 300", "`burn_in` must be at least 2 lag = 500"),
        "offsets = [1.0]": ("offsets = [9.0]", "`offsets` must lie in"),
        "steps = 40": ("stairs = 40", "stairs"),
        '"fout"': ('"foot"', "foot"),
        "state_lr = 0.01": ('device = "nowhere"', "`device` = 'nowhere' cannot be used here"),
        "N = 32": ("N = ", "cannot be read as TOML"),
    }
    for old, (new, message) in cases.items():
        assert old in text
        config = tmp_path / "config.toml"
        config.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(InputError, match=re.escape(message)):
            experiments.run(config)
        with pytest.raises(SystemExit) as stopped:
            experiments.main([str(config), "--out", str(tmp_path / "out")])
        assert stopped.value.code == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["delay_gpu", "reconstruction_gpu"])
def test_configs_for_a_gpu_say_that_there_is_none(name):
    task, device = experiments.read_config(STUDY / f"{name}.toml")
    assert (task.N, device) == (256, "cuda")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="`device` = 'cuda' cannot be used here"):
            experiments.run(STUDY / f"{name}.toml")


# --- the committed tables -------------------------------------------------------------------------------------------------

TABLES = ["delay_frozen", "delay_small", "reconstruction_frozen", "reconstruction_small"]


@pytest.mark.parametrize("name", TABLES)
def test_committed_errors_are_those_that_theory_predicts(name):
    """The prediction made anew; a fit on finite signals is worse than it by chance, never better by much."""
    stored = json.loads((STUDY / f"{name}.json").read_text(encoding="utf-8"))
    task, _ = experiments.read_config(STUDY / f"{name}.toml")
    assert stored["task"] == json.loads(json.dumps(experiments.asdict(task)))
    assert [row["start"] for row in stored["rows"]] == list(task.starts)
    for row in stored["rows"]:
        kernel = experiments._kernel(row["start"], row["N"], 1, row["scale"] / task.lag, None, "cpu")
        theory = experiments._theory(kernel, task)
        if theory > 1e-4:
            assert abs(row["theory"] / theory - 1) < 1e-3
            assert 0.8 < row["least_squares"] / theory < 1.6
        else:  # set by which directions float64 knows, in the signals and in their spectrum
            assert 0.1 < row["least_squares"] / theory < 10 or max(theory, row["least_squares"]) < 1e-10


def test_the_readme_shows_the_committed_tables():
    text = (STUDY / "README.md").read_text(encoding="utf-8")
    for name in TABLES:
        for line in (STUDY / f"{name}.md").read_text(encoding="utf-8").splitlines():
            assert line in text, (name, line)


def test_the_orders_of_magnitude_between_the_starts():
    rows = {row["start"]: row for row in json.loads((STUDY / "delay_frozen.json").read_text())["rows"]}
    error = {start: row["least_squares"] for start, row in rows.items()}
    theory = {start: row["theory"] for start, row in rows.items()}
    assert error["legt"] < 1e-10 * error["s4d-rand"]
    for start in ("fout", "legs", "s4d-legs", "s4d-lin", "s4d-inv"):
        ours, theirs = (np.log10(values["s4d-rand"] / values[start]) for values in (error, theory))
        assert abs(ours - theirs) < 0.2
    assert np.log10(error["s4d-rand"] / error["fout"]) > 1.2
