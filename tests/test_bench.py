"""The bench: that its measures mean what they say. How fast anything is, is not a test."""

from __future__ import annotations

import json
from functools import partial

import mpmath
import numpy as np
import pytest

from hippo_theory.arithmetic import balls
from hippo_theory.bench import BENCHMARKS, fitted_exponent, growth, largest_error, run_bench, ulps
from hippo_theory.bench.growth import DIAGONAL_ALGORITHMS, LOW_RANK_ALGORITHMS
from hippo_theory.bench.problems import DiagonalProblem, LowRankProblem, checked_lags
from hippo_theory.convolution import crossovers
from hippo_theory.errors import InputError
from hippo_theory.families import LegS

KEYS = {"name", "ours_s", "peer", "peer_s", "ratio", "exponent", "ulps", "peer_ulps"}
SPECTRUM = {
    "spectrum-float-1024",
    "spectrum-float-4096",
    "spectrum-growth",
    "spectrum-certified-1024",
    "spectrum-certified-128",
}
KERNEL = {"kernel-diagonal", "kernel-s4", "kernel-certified"}
OVER_RANGES = {"kernel-s4-vandermonde", "kernel-growth", "kernel-float32", "kernel-choice"}
ALGORITHMS = [
    *((LowRankProblem, name) for name in LOW_RANK_ALGORITHMS),
    *((DiagonalProblem, name) for name in DIAGONAL_ALGORITHMS),
]
EPS32, EPS = float(np.finfo(np.float32).eps), float(np.finfo(np.float64).eps)


def test_ulps_counts_units_in_the_last_place():
    roots = LegS(40).normal_frequencies(balls(130))[:20]
    values = np.array([float(root) for root in roots])
    assert ulps(values, roots) <= 1
    moved = values.copy()
    moved[7] += 5 * np.spacing(moved[7])
    assert 4 <= ulps(moved, roots) <= 6
    assert ulps(np.array([1e-300]), np.array([balls(64).number(0)], dtype=object)) == np.inf


def test_names_of_the_design_are_registered_and_unknown_ones_refused():
    assert set(BENCHMARKS) >= SPECTRUM | KERNEL | OVER_RANGES
    with pytest.raises(InputError, match="unknown benchmark 'spectrum'"):
        run_bench(["spectrum"])


@pytest.mark.heavy
def test_rows_hold_what_the_design_lists():
    seen = []
    result = run_bench(["spectrum-float-1024", "spectrum-growth"], quick=True, progress=seen.append)
    assert seen == ["spectrum-float-1024", "spectrum-growth"]
    assert all(set(row) >= KEYS for row in result["rows"])
    assert result["machine"]["blas_threads"] >= 1
    json.dumps(result, allow_nan=False)
    first = result["rows"][0]
    assert first["ratio"] == first["peer_s"] / first["ours_s"]
    # What does not depend on the clock: the error of our spectrum, and that the peer loses the small roots.
    assert first["ulps"] <= 2 and first["peer_ulps"] > 1000


# --- measures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [-1.5, 0.0, 1.0, 2.75])
def test_the_exponent_of_a_power_is_found(power):
    sizes = [16, 64, 100, 1024]
    assert fitted_exponent(sizes, [3.0 * N**power for N in sizes]) == pytest.approx(power, abs=50 * EPS)


def test_the_exponent_can_be_that_of_the_largest_sizes_and_does_without_zeros():
    sizes = [1, 2, 4, 8, 16]
    values = [5.0, 5.0, 16.0, 64.0, 256.0]  # flat, then N^2
    assert fitted_exponent(sizes, values, last=3) == pytest.approx(2, abs=50 * EPS)
    assert fitted_exponent(sizes, values) < 1.9
    assert fitted_exponent([1, 2, 4], [0.0, 2.0, 4.0]) == pytest.approx(1, abs=50 * EPS)
    assert fitted_exponent([1, 2], [0.0, 2.0]) is None


def test_the_largest_error_is_that_of_the_worst_value():
    truth = np.array([balls(64).number(n) for n in range(5)], dtype=object)
    values = np.arange(5.0)
    assert largest_error(values, truth) == 0
    values[3] -= 0.25
    assert largest_error(values, truth) == 0.25
    assert largest_error(values + 0.5j, truth) == pytest.approx(abs(0.25 + 0.5j), rel=4 * EPS)


def test_checked_lags_are_the_first_ones_and_others_up_to_the_last():
    for L in (1, 5, 64, 1000, 4096, 65_536):
        first, *spread = checked_lags(L)
        assert first[0] == 0 and len(first) == min(64, L)
        assert [lags[-1] for lags in spread] == sorted({min(L, 4096) - 1, L - 1})
        assert all(len(lags) <= 256 and lags[0] <= L // 128 for lags in spread)


# --- the problems: their truth by another route, and their errors --------------------------------------------------------


def test_the_truth_of_the_diagonal_problem_is_the_sum_of_its_exponentials():
    problem = DiagonalProblem(10, 300)
    with mpmath.workdps(40):
        for lags, truth in zip(checked_lags(300), problem.truths, strict=True):
            for lag, ball in list(zip(lags, truth, strict=True))[::17]:
                terms = zip(problem.coefficients.tolist(), problem.Lambda.tolist(), strict=True)
                value = 2 * sum(mpmath.mpc(c) * mpmath.exp(mpmath.mpc(rate) * lag / 1024) for c, rate in terms).real
                assert abs(mpmath.mpf(ball.str(30, radius=False)) - value) < 1e-18


def test_the_truth_of_the_low_rank_problem_is_the_bilinear_recurrence_of_legs():
    N, L = 6, 200
    problem = LowRankProblem(N, L)
    with mpmath.workdps(40):
        scale = [mpmath.sqrt(2 * n + 1) for n in range(N)]
        # A_nk = -R_n R_k below the diagonal, -(n + 1) on it; B_n = R_n.
        A = mpmath.matrix(N, N)
        for n in range(N):
            for k in range(n + 1):
                A[n, k] = -scale[n] * scale[k] if k < n else -(n + 1)
        half = A / 2048
        inverse = (mpmath.eye(N) - half) ** -1
        step, state, values = inverse * (mpmath.eye(N) + half), inverse * mpmath.matrix(scale), []
        for _ in range(L):
            values.append(sum(mpmath.mpf(c) * state[n] for n, c in enumerate(problem.C.tolist())))
            state = step * state
        for lags, truth in zip(checked_lags(L), problem.truths, strict=True):
            for lag, ball in zip(lags, truth, strict=True):
                assert abs(mpmath.mpf(ball.str(30, radius=False)) - values[lag]) < 1e-18


@pytest.mark.parametrize(("kind", "name"), ALGORITHMS, ids=[name for _, name in ALGORITHMS])
def test_every_algorithm_agrees_with_the_truth_and_a_wrong_kernel_does_not(kind, name):
    problem = kind(8, 96)
    values = (LOW_RANK_ALGORITHMS if kind is LowRankProblem else DIAGONAL_ALGORITHMS)[name](problem)()
    # The coarsest promise is the tolerance 1e-12 of the nonuniform FFT; the others stay below 10 (8 + L) eps.
    promise = 1e-12 if name == "nonuniform FFT" else 10 * (8 + problem.L) * EPS
    assert values.shape == (96,)
    assert problem.error(values) <= promise
    largest = np.abs(values).max()
    for lag in (0, 40, 95):
        wrong = values.copy()
        wrong[lag] += 1e-6 * largest
        assert problem.error(wrong) == pytest.approx(1e-6, rel=1e-3)
    assert problem.error(np.append(values[1:], 0.0)) > 1e-4  # late by one lag
    assert problem.error(-values) == pytest.approx(2, rel=1e-9)


# --- rows --------------------------------------------------------------------------------------------------------------


def small_growth(quick):
    yield from growth._growth("N", [(4, 64), (8, 64), (16, 64)], 2, {"scan": 8})
    yield from growth._growth("L", [(4, 64), (4, 128)], 2, {})


def rows_of(name):
    result = run_bench([name], quick=True)
    json.dumps(result, allow_nan=False)
    assert all(set(row) >= KEYS and row["name"] == name for row in result["rows"])
    return result["rows"]


def test_growth_has_a_row_for_every_algorithm_and_axis_and_sees_a_wrong_kernel(monkeypatch):
    monkeypatch.setitem(BENCHMARKS, "kernel-growth", ("", True, small_growth))
    right = LOW_RANK_ALGORITHMS["Krylov"]
    monkeypatch.setitem(LOW_RANK_ALGORITHMS, "Krylov", lambda problem: partial(np.multiply, right(problem)(), 1 + 1e-6))
    rows = rows_of("kernel-growth")
    assert [(row["algorithm"], row["against"]) for row in rows] == [
        (name, against) for against in "NL" for _, name in ALGORITHMS
    ]
    for row in rows:
        sizes = [64, 128] if row["against"] == "L" else [4, 8] if row["algorithm"] == "scan" else [4, 8, 16]
        assert row["sizes"] == sizes
        assert len(row["seconds"]) == len(row["errors"]) == len(sizes)
        assert row["ours_s"] == row["seconds"][-1] > 0
        assert row["exponent"] == pytest.approx(fitted_exponent(row["sizes"], row["seconds"]))
        assert (max(row["errors"]) > 1e-7) == (row["algorithm"] == "Krylov")
    assert rows[0]["L"] == 64 and rows[-1]["N"] == 4


def test_without_finufft_its_row_says_so(monkeypatch):
    monkeypatch.setitem(BENCHMARKS, "kernel-growth", ("", True, small_growth))
    monkeypatch.setattr(growth, "find_spec", lambda name: None)
    absent = [row for row in rows_of("kernel-growth") if "why" in row]
    assert [row["algorithm"] for row in absent] == ["nonuniform FFT"] * 2
    assert all(row["ours_s"] is None and "seconds" not in row and "finufft" in row["why"] for row in absent)


def test_float32_fails_where_the_phase_is_lost_and_wide_does_not(monkeypatch):
    monkeypatch.setattr(growth, "_LAGS", 512)
    rows = {row["algorithm"]: row for row in rows_of("kernel-float32")}
    phases = np.array(rows["complex64"]["phases"])
    # The bounds of `exponential_kernel`; the largest value is the sum of all moduli.
    constant = 4 + 32 / 2
    for name in ("complex64", "float32 cosines"):
        assert (np.array(rows[name]["errors"]) <= (constant + phases / 2) * EPS32).all()
        assert 1e6 <= rows[name]["fails_at"] <= 1e8
        assert rows[name]["error_exponent"] == pytest.approx(1, abs=0.2)
    assert (np.array(rows["complex64, wide"]["errors"]) <= constant * EPS32 + phases / 2 * EPS).all()
    assert rows["complex64, wide"]["fails_at"] is None
    assert (np.array(rows["complex64"]["peer_errors"]) <= (constant + phases / 2) * EPS).all()
    # What rounding the rates does is as bad as losing the phase, and no sum repairs it.
    assert rows["rates rounded to float32"]["fails_at"] == pytest.approx(rows["complex64"]["fails_at"], rel=10)


def test_the_float32_rows_see_a_wrong_kernel(monkeypatch):
    monkeypatch.setattr(growth, "_LAGS", 512)
    right = growth.exponential_kernel
    monkeypatch.setattr(growth, "exponential_kernel", lambda *args, **more: right(*args, **more) * np.float32(1.001))
    rows = {row["algorithm"]: row for row in rows_of("kernel-float32")}
    assert min(rows["complex64, wide"]["errors"]) > 9e-4
    assert min(rows["complex64"]["peer_errors"]) > 9e-4
    assert min(rows["float32 cosines"]["errors"]) < 1e-5


def test_the_choice_is_compared_with_the_best(monkeypatch):
    found = [crossovers.Regret("exponential", 3, 50, "blocks", 3e-3, "direct", 2e-3, 1.5)]
    monkeypatch.setattr(crossovers, "choice_regret", lambda points, budget: found * len(points))
    rows = rows_of("kernel-choice")
    assert len(rows) >= 3
    assert (rows[0]["ours_s"], rows[0]["peer"], rows[0]["peer_s"]) == (3e-3, "direct", 2e-3)
    assert rows[0]["ratio"] == pytest.approx(1 / rows[0]["regret"], rel=4 * EPS)
    assert (rows[0]["N"], rows[0]["L"], rows[0]["chosen"]) == (3, 50, "blocks")


@pytest.mark.heavy
def test_the_low_rank_term_costs_and_both_kernels_are_right():
    for row in rows_of("kernel-s4-vandermonde"):
        assert row["ratio"] * row["times_slower"] == pytest.approx(1)
        assert max(row["error"], row["peer_error"]) < 1e-12
