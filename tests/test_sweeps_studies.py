"""The studies: what they compute, their files, the committed ones with their plans and figures, and the verb sweep."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import arb
from helpers import ROOT

from hippo_theory.arithmetic import balls
from hippo_theory.cli import main
from hippo_theory.discretizations import discretize_dense
from hippo_theory.errors import InputError
from hippo_theory.families import LegS
from hippo_theory.figures.studies import every_sense, precision_needed, size_and_step, write_study_figure
from hippo_theory.sweeps import STUDIES, grid, make_point, read_records, read_study, studies
from hippo_theory.sweeps.costs import read_costs
from hippo_theory.sweeps.evaluation import Outcome
from hippo_theory.sweeps.planning import plan_from

COMMITTED = {name: ROOT / "figures" / "studies" / name / f"{name}.toml" for name in ("convergence", "map", "precision")}


def result(kind: str, **values: Any) -> Any:
    """The result of one point, with the defaults of its study."""
    study = STUDIES[kind]
    defaults = {name: parameter.default for name, parameter in study.parameters.items()}
    return study.evaluate(make_point(study.normalized({**defaults, **values})))


def interval(found: Any) -> tuple[float, float]:
    error, radius = Fraction(found["error"]), Fraction(found["radius"])
    return float(error - radius), float(error + radius)


# --- where the route of an L2 distance changes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "step"), [("continuous", None), ("bilinear", "0.1"), ("zoh", "0.1"), ("sampled", "0.1")]
)
def test_the_routes_of_the_study_meet_where_they_change(monkeypatch, method, step):
    small = result("distance", N=48, method=method, step=step, digits=8)
    monkeypatch.setattr(studies, "_LARGEST_PAIRS", 40)
    large = result("distance", N=48, method=method, step=step, digits=8)
    assert small["route"] != large["route"]
    assert interval(small)[0] <= interval(large)[1]
    assert interval(large)[0] <= interval(small)[1]
    assert small["kind"] == large["kind"] == "certified"


# --- the study distance ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "step"), [("backward_euler", "0.1"), ("forward_euler", "0.001"), ("zoh", "0.1")])
def test_the_l2_distance_of_every_method_is_that_of_dense_recurrences(method, step):
    """x_l = Abar x_(l-1) with the dense matrices of both sides, in floats."""
    legs, dt = LegS(8), float(step)
    normal = legs.A + legs.P @ legs.P.T
    kernels = []
    for A, B in ((legs.A, legs.B), (normal, legs.B / 2)):
        state, drive = discretize_dense(A, B, method, step)
        values, x = [], drive.copy()
        for _ in range(round(60 / dt)):
            values.append(x[1])
            x = state @ x
        kernels.append(np.array(values))
    measured = math.sqrt(dt * np.sum((kernels[0] - kernels[1]) ** 2))
    found = result("distance", N=8, method=method, step=step, component=1)
    low, high = interval(found)
    # 100 times eps times the number of lags, relative; the tail beyond t = 60 is below e^-30
    tolerance = 100 * 2.0**-52 * 60 / dt * measured
    assert low - tolerance <= measured <= high + tolerance


def test_a_method_that_grows_has_no_distance():
    found = result("distance", N=8, method="forward_euler", step="1")
    assert found["error"] is None
    assert "grows" in found["why"]


def test_other_families_and_norms():
    assert result("distance", family="lagt", N=8, norm="transfer", point="2j")["kind"] == "certified"
    assert "infinite" in result("distance", family="fout", N=9)["why"]
    assert result("distance", N=8, method="zoh", step="0.1", norm="sup")["kind"] == "certified"


# --- the study precision -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("formula", list(studies._FORMULAS))
def test_the_bits_are_the_least_that_are_enough(formula):
    bits = result("precision", formula=formula, N=12, digits=15)["bits"]

    def is_enough(count: int) -> bool:
        with balls(count).work() as ring:
            value = arb(studies._FORMULAS[formula](12, ring))
            return bool(value.rad() * 10**15 <= abs(value).lower())

    assert is_enough(bits)
    assert not is_enough(bits - 1)


@pytest.mark.parametrize("formulas", [
    ("kernel-exponential-sum", "kernel-matrix-exponential", "kernel-polynomial"),
    ("transfer-solve", "transfer-product"),
])  # fmt: skip
def test_formulas_of_one_quantity_agree(formulas):
    with balls(300).work() as ring:
        values = [arb(studies._FORMULAS[formula](9, ring)) for formula in formulas]
        assert all(value.overlaps(values[0]) for value in values)


def test_the_least_frequency_is_that_of_a_dense_eigensolver():
    legs = LegS(9)
    frequencies = np.linalg.eigvals(legs.A + legs.P @ legs.P.T).imag
    with balls(64).work() as ring:
        assert abs(float(studies._FORMULAS["least-frequency"](9, ring)) - min(frequencies[frequencies > 1e-9])) < 1e-12


# --- study files -------------------------------------------------------------------------------------------------------


def written(folder: Path, text: str, name: str = "study.toml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize(("line", "message"), [
    ("N = 0", "`N` must be a whole number of at least 1, got 0"),
    ("N = 8.0", "`N` must be a whole number"),
    ("N = true", "`N` must be a whole number"),
    ("N = []", "`N` is empty"),
    ("N = 8\nsize = 3", "has no parameter 'size'; it has family"),
    ("method = 'zoh'", "`N` is not given"),
    ("N = 8\nmethod = 'zho'", "`method` must be one of continuous, zoh"),
    ("N = 8\nmethod = 'zoh'", "`step` is needed for the method 'zoh'"),
    ("N = 8\nmethod = 'zoh'\nstep = 0.01", 'write it in quotes, such as "0.01"'),
    ("N = 8\nmethod = 'zoh'\nstep = '-1'", "`step` must be positive"),
    ("N = 8\nstep = 'x'", "'x' is not a number"),
    ("N = 8\nnorm = 'transfer'", "`point` is needed"),
    ("N = 8\nnorm = 'sup'\nmethod = 'backward_euler'\nstep = '0.1'", "in the norm 'l2' only"),
    ("N = 8\ncomponent = 8", "component 8 does not exist at N = 8"),
    ("N = { from = 8 }", "needs from, to, and factor or count, got from"),
    ("N = { from = 8, to = 64, factor = 1 }", "must be a whole number or a text of more than 1"),
    ("N = { from = 64, to = 8, factor = 2 }", "must rise from a positive number"),
    ("N = { from = 8, to = 64, factor = '1.5' }", "reaches 27/2, hence|reaches 27, which|reaches 81/2|which is not whole"),
    ("N = { from = 8, to = 64, count = 1 }", "whole number from 2 to"),
    ("N = 8\nnorm = { from = 1, to = 2, factor = 2 }", "`norm` is no number"),
    ("N = 8\nfamily = 'lmu'", "`family` must be one of"),
])  # fmt: skip
def test_a_wrong_study_file_is_one_clear_line(tmp_path, capsys, line, message):
    file = written(tmp_path, f'study = "distance"\n[[grid]]\n{line}\n')
    with pytest.raises(InputError, match=f"the study file .*({message})" if "|" in message else None) as error:
        read_study(file)
    if "|" not in message:
        assert message in str(error.value)
    assert main(["sweep", str(file)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert not list(tmp_path.glob("*.jsonl"))


@pytest.mark.parametrize(("text", "message"), [
    ("", "`study` must be one of distance, precision, got None"),
    ("study = 3", "`study` must be one of"),
    ("study = 'distance'", "there is no grid"),
    ("study = 'distance'\nname = 3\n[[grid]]\nN = 8", "`name` must be a text"),
    ("study = ", "is no TOML"),
])  # fmt: skip
def test_a_study_file_without_what_it_needs(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_study(written(tmp_path, text))
    with pytest.raises(InputError, match="cannot read the study file"):
        read_study(tmp_path / "missing.toml")


def test_ranges_and_several_grids(tmp_path):
    text = """
        study = "distance"
        store = "elsewhere.jsonl"
        digits = 9
        N = { from = 64, to = 100000, count = 4 }
        [[grid]]
        method = ["continuous", "zoh"]
        step = { from = "0.001", to = "0.1", factor = 10 }
        [[grid]]
        N = { from = 64, to = 300, factor = 2 }
        method = "zoh"
        step = { from = "0.01", to = "1", count = 4 }
    """
    study = read_study(written(tmp_path, text, "named.toml"))
    assert (study.name, study.store) == ("named", tmp_path / "elsewhere.jsonl")
    continuous = [point["N"] for point in study.points if point["method"] == "continuous"]
    assert continuous == [64, 743, 8618, 100000]  # 64 (100000/64)^(k/3), each once although there are three steps
    steps = {point["step"] for point in study.points if point["N"] == 64 and point["method"] == "zoh"}
    assert steps == {"0.001", "0.01", "0.1", "0.0464", "0.215", "1"}
    assert len(study.points) == len(set(study.points)) == 4 + 4 * 3 + 3 * 4 - 1
    assert {point["digits"] for point in study.points} == {9}


# --- the committed studies ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(COMMITTED))
def test_committed_results_are_complete_and_the_cheap_ones_come_out_again(name):
    study = read_study(COMMITTED[name])
    records = {record.key: record for record in read_records(study.store)}
    assert set(records) == {study.study.key(point) for point in study.points}
    assert all(record.failure is None and record.version == study.study.version for record in records.values())
    costs = read_costs(study.store)
    cheap = [record for record in records.values() if costs[record.key].processor_seconds < 0.01]
    assert len(cheap) > len(records) / 4
    for record in cheap:
        assert study.study.evaluate(record.point) == record.result, f"{record.point}: raise the version of the study"


@pytest.mark.parametrize("name", list(COMMITTED))
def test_a_pilot_of_half_a_minute_predicts_the_committed_studies(name):
    """Within 30 %: the processor time, and the memory of a worker, from the recorded costs of the points it measures."""
    study = read_study(COMMITTED[name])
    found = read_costs(study.store)
    costs = {point: found[study.study.key(point)] for point in study.points}

    def measure(point: Any, allowed: float | None) -> Outcome | None:
        cost = costs[point]
        if allowed is not None and cost.seconds > allowed:
            return None
        return Outcome(None, None, cost.seconds, cost.processor_seconds, cost.peak_bytes, cost.start_bytes)

    plan = plan_from(study.points, measure, 4, 30.0)
    total = sum(cost.processor_seconds for cost in costs.values())
    assert plan.pilot_points < 0.6 * len(study.points) or total < 30.0
    assert abs(plan.processor_seconds / total - 1) <= 0.3, plan.processor_seconds / total
    largest = max(cost.peak_bytes for cost in costs.values())
    assert abs(plan.worker_bytes / largest - 1) <= 0.3, plan.worker_bytes / largest


def test_the_figure_of_every_sense_shows_what_theory_says():
    records = read_records(read_study(COMMITTED["convergence"]).store)
    data = every_sense(None, records)
    N = data["N"].astype(float)
    assert (N[0], N[-1]) == (64, 100000)
    exact = np.sqrt(0.25 - 1 / (2 * N**2))
    for name in ("continuous_l2", "bilinear_l2"):
        # ten digits are printed
        assert np.all(np.abs(data[f"distance_{name}"] - exact) <= 1e-10 * exact)
        assert data[f"certified_{name}"].all()
    slope = np.diff(np.log(data["distance_continuous_transfer_0.5"])) / np.diff(np.log(N))
    assert np.all(np.abs(slope + 2) < 1e-3)  # O(N^(-1-2 Re s))
    assert np.all(np.abs(data["distance_continuous_hinf"] - 2 / math.pi) < 2 / N)
    for name in ("zoh_l2", "zoh_sup", "zoh_hinf", "zoh_transfer_2j", "bilinear_sup"):
        rate = np.polyfit(np.log(N[4:]), np.log(data[f"distance_{name}"][4:]), 1)[0]
        assert abs(rate + 1) < 0.1, name
    assert data["distance_bilinear_hinf"][-1] > 1e7
    assert not np.isnan([values for key, values in data.items() if key.startswith("distance")]).any()


def test_the_figure_of_the_map_shows_an_isometry_and_a_law():
    data = size_and_step(None, read_records(read_study(COMMITTED["map"]).store))
    N, step = data["N"].astype(float), data["step"][:, None]
    isometry = np.sqrt(0.5 - 1 / N**2) * np.ones_like(step)
    assert np.all(np.abs(data["relative_bilinear"] - isometry) <= 2e-10)
    law = math.sqrt(2) / (N * np.sqrt(step))
    regime = (N * np.sqrt(step) >= 6) & (step <= 0.1)
    assert regime.sum() > 20
    assert np.all(np.abs(data["relative_zoh"] / law - 1)[regime] < 0.1)
    assert np.isnan(data["relative_forward_euler"]).sum() == 102
    assert np.isfinite(data["relative_backward_euler"]).all()


def test_the_figure_of_precision_shows_the_growth_of_the_coefficients():
    data = precision_needed(None, read_records(read_study(COMMITTED["precision"]).store))
    with balls(4096).work() as ring:
        for N, bits in zip(data["N_kernel-exponential-sum"], data["bits_kernel-exponential-sum"], strict=True):
            x = (-ring.number(1)).exp()
            size = sum(
                (math.comb(int(N) - 1, j) * math.comb(int(N) - 1 + j, j) * x ** (j + 1) for j in range(int(N))), arb(0)
            )
            lost = float(
                (size * (2 * int(N) - 1) ** 0.5 / abs(LegS(int(N)).kernel(int(N) - 1, ring.number(1), ring))).log()
            )
            # rounding of the terms themselves and of their sum: up to about log2 N + 4 bits more
            assert -4 < bits - lost / math.log(2) < math.log2(N) + 4
    # The law is the growth alone; the polynomial P_n(1 + 2x) has a factor of about sqrt N besides.
    difference = data["bits_kernel-exponential-sum"] - data["law_kernel-exponential-sum"]
    assert np.all(np.abs(difference) < np.log2(data["N_kernel-exponential-sum"]) + 4)
    assert max(data["bits_transfer-product"]) < 16


def test_a_figure_needs_a_finished_study_that_it_knows(tmp_path):
    with pytest.raises(InputError, match="there is no figure of the study 'other'"):
        write_study_figure(tmp_path / "other.toml")
    written(tmp_path, COMMITTED["map"].read_text(encoding="utf-8"), "map.toml")
    (tmp_path / "map.jsonl").write_bytes(b"")
    with pytest.raises(InputError, match="is not finished"):
        write_study_figure(tmp_path / "map.toml")


# --- the verb ----------------------------------------------------------------------------------------------------------

SMALL = 'study = "distance"\ndigits = 8\n[[grid]]\nN = [4, 8]\nmethod = ["continuous", "zoh"]\nstep = "0.1"\n'


def answer(capsys: Any, *argv: str, status: int = 0) -> Any:
    assert main([*argv, "--json"]) == status
    out, err = capsys.readouterr()
    assert (err, out.count("\n")) == ("", 1)
    return json.loads(out)


def test_sweep_holds_the_keys_and_goes_on(tmp_path, capsys):
    file = written(tmp_path, SMALL, "small.toml")
    first = answer(capsys, "sweep", str(file), "--workers", "1", "--parquet", str(tmp_path / "small.parquet"))
    assert {key: first[key] for key in ("study", "points", "done", "failed", "store", "computed")} == {
        "study": "small",
        "points": 4,
        "done": 4,
        "failed": 0,
        "store": str(tmp_path / "small.jsonl"),
        "computed": 4,
    }
    assert (tmp_path / "small.parquet").stat().st_size > 0
    again = answer(capsys, "sweep", str(file), "--store", str(tmp_path / "small.jsonl"))
    assert (again["done"], again["computed"]) == (4, 0)
    assert main(["sweep", str(file)]) == 0
    assert "results in" in capsys.readouterr().out


def test_a_plan_stores_nothing(tmp_path, capsys):
    file = written(tmp_path, SMALL, "small.toml")
    found = answer(capsys, "sweep", str(file), "--plan", "--workers", "3", "--pilot", "0.5")
    assert (found["points"], found["done"], found["failed"], found["plan"]["workers"]) == (4, 0, 0, 3)
    assert 0 < found["plan"]["seconds"] <= found["plan"]["work_seconds"]
    assert [path.name for path in tmp_path.iterdir()] == ["small.toml"]


def test_a_failing_point_is_shown_and_the_answer_is_no(tmp_path, capsys):
    # 10^5 digits of an exponential sum: 2^16 bits are not enough.
    text = 'study = "precision"\n[[grid]]\nformula = "transfer-product"\nN = [4]\ndigits = [15, 20000]\n'
    found = answer(capsys, "sweep", str(written(tmp_path, text)), "--workers", "1", status=1)
    assert (found["done"], found["failed"]) == (1, 1)
    assert found["failures"][0]["message"].startswith("CertificationError: 65536 bits do not give 20000 digits")
    assert found["failures"][0]["point"]["digits"] == 20000


@pytest.mark.parametrize(("options", "message"), [
    (["--memory-limit", "much"], "--memory-limit must be a number of bytes"),
    (["--scheduler", "tcp://127.0.0.1:9", "--workers", "2"], "--workers belongs to local processes"),
    (["--scheduler", "tcp://127.0.0.1:9", "--memory-limit", "1GB"], "is not ours to set"),
    (["--scheduler", "tcp://127.0.0.1:9"], "no Dask scheduler answers"),
    (["--parquet", "table.csv"], "--parquet must end in .parquet"),
    (["--store", "missing/store.jsonl"], "there is no folder"),
    (["--workers", "0"], "at least 1"),
    (["--plan", "--scheduler", "local:2"], "--plan measures on this machine and stores nothing"),
    (["--plan", "--parquet", "x.parquet"], "--plan measures on this machine and stores nothing"),
    (["--memory-limit", "50MB", "--workers", "1"], "worker processes end before they compute anything"),
])  # fmt: skip
def test_wrong_options_are_one_clear_line(tmp_path, capsys, monkeypatch, options, message):
    from hippo_theory.sweeps import executors

    monkeypatch.setattr(executors, "_PATIENCE", "200ms")
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", str(written(tmp_path, SMALL)), *options]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err


@pytest.mark.heavy
@pytest.mark.parametrize("where", [("--workers", "2"), ("--scheduler", "local:2")], ids=["processes", "dask"])
def test_ctrl_c_is_130_and_the_store_goes_on(tmp_path, capsys, where):
    text = 'study = "distance"\ndigits = 8\n[[grid]]\nN = { from = 4, to = 2000, count = 60 }\nnorm = "l2"\n'
    file, store = written(tmp_path, text, "long.toml"), tmp_path / "long.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "hippo_theory.cli", "sweep", str(file), *where],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not store.exists() or store.read_bytes().count(b"\n") < 10:
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "hippo: interrupted\n")
    done = len(read_records(store))
    assert 10 <= done < 50
    found = answer(capsys, "sweep", str(file))
    assert (found["done"], found["failed"]) == (found["points"], 0)
    assert found["computed"] <= found["points"] - done


def test_grid_and_study_names_do_not_depend_on_order():
    forward, backward = grid({"N": 4, "step": "1"}), grid({"step": "1", "N": 4})
    assert list(forward) == list(backward)
