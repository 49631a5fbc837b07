"""The data of the figures against theory, and files that come out the same twice."""

from __future__ import annotations

import hashlib
from fractions import Fraction

import numpy as np
import scipy.linalg

from hippo_theory.convergence import converge, plan_study
from hippo_theory.families import FouT, LegS, LegT
from hippo_theory.figures import (
    basis_kernels,
    error_against_size,
    normal_spectra,
    transfer_functions,
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
    study = converge(sizes=[8, 16], methods=["continuous", "zoh"], steps=["0.1"], components=[0], norms=["l2"])
    data = error_against_size(None, study.rows, norm="l2", component=0)
    assert set(data) == {
        "N_continuous",
        "error_continuous",
        "theory_continuous",
        "N_zoh_0.1",
        "error_zoh_0.1",
        "theory_zoh_0.1",
    }
    # Quick check of one value: N = 8, (1 - 2/64)/4.
    assert abs(data["error_continuous"][0] ** 2 - (0.25 - 1 / 128)) < 4 * EPS


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
