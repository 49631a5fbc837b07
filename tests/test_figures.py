"""The data of the figures against theory, and files that come out the same twice."""

from __future__ import annotations

import hashlib
from fractions import Fraction

import numpy as np
import scipy.linalg
from matplotlib.figure import Figure

from hippo_theory.convergence import converge, plan_study
from hippo_theory.families import FouT, LegS, LegT
from hippo_theory.figures import (
    basis_kernels,
    error_against_size,
    float32_errors,
    growth_curves,
    normal_spectra,
    transfer_functions,
    write_bench_figures,
    write_convergence_figures,
)

EPS = np.finfo(float).eps


def test_basis_kernels_against_dense_exponentials():
    for family in (LegS(12), LegT(6), FouT(7)):
        step = Fraction(1, 50)
        data = basis_kernels(None, family, components=[0, 3], method="sampled", step=step, horizon=0.6)
        S = family.A + family.P @ family.P.T
        assert len(data["time"]) == 31
        for lag, time in enumerate(data["time"]):
            full, restricted = scipy.linalg.expm(family.A * time) @ family.B, scipy.linalg.expm(S * time) @ family.B / 2
            for n in (0, 3):
                # Thirty products of a matrix of norm below 1e2 lose at most about 1e3 eps of values near 5.
                assert abs(data[f"full_{n}"][lag] - full[n]) < 1e4 * EPS
                assert abs(data[f"diagonal_{n}"][lag] - restricted[n]) < 1e4 * EPS


def test_transfer_functions_show_the_spikes():
    data = transfer_functions(None, LegS(64), component=0)
    top = np.argmax(data["difference"])
    assert abs(data["difference"][top] - 0.636747) < 1e-6  # 2/pi = 0.636620 in the limit
    assert abs(data["frequency"][top] / (64**2 / np.pi) - 1) < 1e-3
    on_axis = np.linalg.solve(1j * data["frequency"][100] * np.eye(64) - LegS(64).A, LegS(64).B)[0]
    assert abs(data["full"][100] - abs(on_axis)) < 1e-10


def test_spectra_follow_their_law():
    data = normal_spectra(None, [LegS(64), LegS(256)])
    assert abs(data["frequency_256"][0] - (256**2 / np.pi - np.pi / 6)) < 1e-4
    assert len(data["index_64"]) == 32


def test_error_curves_hold_the_rows():
    study = converge(sizes=[16, 32], methods=["continuous", "zoh"], steps=["0.1"], components=[0], norms=["l2"])
    data = error_against_size(None, study.rows, norm="l2", component=0)
    assert set(data) == {
        "N_continuous",
        "error_continuous",
        "theory_continuous",
        "N_zoh_0.1",
        "error_zoh_0.1",
        "theory_zoh_0.1",
    }
    # Quick check of one value: N = 16, (1 - 2/256)/4.
    assert abs(data["error_continuous"][0] ** 2 - (0.25 - 1 / 512)) < 4 * EPS


def test_the_same_study_gives_the_same_files(tmp_path):
    options = {
        "sizes": [4, 8],
        "methods": ["continuous", "bilinear"],
        "steps": ["0.1"],
        "components": [0],
        "norms": ["l2"],
    }
    study, plan = converge(**options), plan_study(**options)
    hashes = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        paths = write_convergence_figures(study, plan, tmp_path / name)
        assert {path.suffix for path in paths} == {".png", ".svg", ".npz"}
        assert all(path.stat().st_size > 500 for path in paths)
        hashes.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.suffix != ".npz"])
    assert hashes[0] == hashes[1]


def test_families_without_finite_distances_still_have_figures(tmp_path):
    options = {"sizes": [9], "methods": ["continuous"], "components": [0], "norms": ["l2", "transfer"]}
    paths = write_convergence_figures(converge("fout", **options), plan_study("fout", **options), tmp_path)
    assert len(paths) == 9


# --- the bench ---------------------------------------------------------------------------------------------------------

PHASES = [1.0, 1e4, 1e8]


def growth_row(algorithm, against, values, errors, system="diagonal"):
    measured = {"seconds": values, "errors": errors, "exponent": 1.25}
    fixed = {"N": {"L": 512}, "L": {"N": 32}}[against]
    return {"name": "kernel-growth", "algorithm": algorithm, "system": system, "against": against, "step": 2.0**-10,
            "sizes": [16, 64, 256], **fixed, **measured}  # fmt: skip


BENCH_ROWS = [
    *(growth_row("plain", a, [1e-3, 2e-3, 4e-3], [1e-15, 1e-14, 1e-13], "diagonal plus low rank") for a in "NL"),
    *(growth_row("clever", a, [2e-3, 2e-3, 4e-3], [1e-15, 1e-14, 1e-13]) for a in "NL"),
    *({**growth_row("absent", a, None, None), "exponent": None, "why": "not measured"} for a in "NL"),
    {"name": "kernel-float32", "algorithm": "complex64", "N": 64, "L": 512, "phases": PHASES, "errors": [1e-7, 1e-4, 0.5],
     "peer_errors": [1e-16, 1e-13, 1e-9]},
    {"name": "kernel-float32", "algorithm": "safe", "N": 64, "L": 512, "phases": PHASES, "errors": [1e-7] * 3,
     "peer_errors": [1e-16, 1e-13, 1e-9]},
    {"name": "kernel-s4", "ratio": 9.0},
]  # fmt: skip


def drawn(draw, rows, **options):
    axes = Figure().subplots()
    return draw(axes, rows, **options), [text.get_text() for text in axes.texts], axes


def test_growth_curves_hold_the_rows_and_name_every_measured_algorithm():
    for against in "NL":
        for quantity in ("seconds", "errors"):
            data, texts, axes = drawn(growth_curves, BENCH_ROWS[:6], against=against, quantity=quantity)
            assert set(data) == {f"{key}_{name}" for key in ("size", quantity) for name in ("plain", "clever")}
            np.testing.assert_array_equal(data["size_clever"], [16, 64, 256])
            np.testing.assert_array_equal(data[f"{quantity}_plain"], BENCH_ROWS[0][quantity])
            assert sorted(text.split(",")[0] for text in texts) == ["clever", "plain"]
            assert all(("1.2" in text) == (quantity == "seconds") for text in texts)
            assert against in axes.get_xlabel() and ("(s)" in axes.get_ylabel()) == (quantity == "seconds")
            same = growth_curves(None, BENCH_ROWS[:6], against=against, quantity=quantity)
            assert set(same) == set(data)


def test_labels_in_the_margin_do_not_overlap_and_keep_their_order():
    rows = [growth_row(f"a{n}", "N", [1e-3] * 3, [1e-13, 1e-14, 1e-15 * (1 + n / 100)]) for n in range(12)]
    _, _, axes = drawn(growth_curves, rows, against="N", quantity="errors")
    heights = [text.xyann[1] for text in axes.texts]
    assert [text.get_text() for text in axes.texts] == [f"a{n}" for n in range(12)]
    points = axes.get_position().height * axes.figure.get_size_inches()[1] * 72
    assert np.diff(heights).min() * points >= 7  # the size of the font
    assert heights[0] >= 0 and heights[-1] <= 1


def test_float32_errors_have_the_bound_of_the_phase():
    data, texts, _ = drawn(float32_errors, BENCH_ROWS[6:8])
    np.testing.assert_array_equal(data["bound_32"], np.array(PHASES) * np.finfo(np.float32).eps / 2)
    np.testing.assert_array_equal(data["bound_64"], np.array(PHASES) * EPS / 2)
    np.testing.assert_array_equal(data["error_complex64"], [1e-7, 1e-4, 0.5])
    np.testing.assert_array_equal(data["error_complex128"], [1e-16, 1e-13, 1e-9])
    assert {"complex64", "safe", "complex128"} <= set(texts)


def test_bench_figures_come_out_the_same_twice_and_only_where_there_are_rows(tmp_path):
    hashes = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        paths = write_bench_figures(BENCH_ROWS, tmp_path / name)
        assert [path.name for path in paths] == ["kernels.png", "kernels.svg", "float32.png", "float32.svg"]
        hashes.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths])
    assert hashes[0] == hashes[1]
    text = (tmp_path / "first" / "kernels.svg").read_text(encoding="utf-8")
    assert "plain" in text and "clever" in text and "absent" not in text
    assert write_bench_figures(BENCH_ROWS[-1:], tmp_path) == []
