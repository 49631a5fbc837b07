"""The main experiment against exact formulas, dense linear algebra, brute force, and its own laws."""

from __future__ import annotations

import importlib
from fractions import Fraction

import numpy as np
import pytest
import scipy.linalg
from flint import arb

from hippo_theory.arithmetic import balls, complex_radius, magnitude_bounds
from hippo_theory.asymptotics import exact_l2_squared
from hippo_theory.convergence import METHODS, NORMS, Row, converge, converge_rows, fit_rates, plan_study
from hippo_theory.discretizations import discretize
from hippo_theory.errors import InputError
from hippo_theory.families import LegS
from hippo_theory.kernels import diagonal_kernel, full_kernel

distance_module = importlib.import_module("hippo_theory.norms.distance")  # the name in the package is the function

EPS = np.finfo(float).eps


def error_of(**options):
    """The single row of a study with one case."""
    (row,) = converge(**options).rows
    return row


def contains(ball, value: Fraction) -> bool:
    with balls(400).work() as ring:
        return bool((ball * ball).contains(ring.number(value)))


# --- L2 in continuous time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("component", range(5))
@pytest.mark.parametrize("N", [8, 9, 16, 33, 64])
def test_squared_l2_error_contains_the_exact_value(N, component):
    row = error_of(sizes=[N], methods=["continuous"], components=[component], norms=["l2"], digits=30)
    exact = Fraction(2 * component + 1, 4) - Fraction(1 + 3 * component * (component + 1), 2 * N * N)
    assert row.kind == "certified" and row.theory_kind == "exact"
    assert contains(row.error, exact)
    assert complex_radius(row.error) * 10**30 <= magnitude_bounds(row.error)[0]
    # The check can fail: the same with the constant moved by 1e-20 of itself.
    assert not contains(row.error, exact * (1 + Fraction(1, 10**20)))


@pytest.mark.heavy
def test_squared_l2_error_at_256():
    for component in range(5):
        row = error_of(sizes=[256], methods=["continuous"], components=[component], norms=["l2"], digits=30)
        assert contains(row.error, exact_l2_squared(256, component))


# Exact rational values for the last component n = N-1, from Sylvester equations solved over the rationals.
LAST = {1: "1/12", 2: "9/56", 3: "85/252", 4: "1477/2272", 5: "26559/25300", 6: "99407/66600"}


@pytest.mark.parametrize("N", LAST)
def test_the_last_component_has_its_own_value(N):
    row = error_of(sizes=[N], methods=["continuous"], components=[N - 1], norms=["l2"], digits=25)
    assert contains(row.error, Fraction(LAST[N]))


def test_l2_with_a_horizon_agrees_with_quadrature():
    N, component, horizon = 12, 2, 1.5
    row = error_of(sizes=[N], methods=["continuous"], components=[component], norms=["l2"], horizon="1.5")
    legs = LegS(N)
    S = legs.A + legs.P @ legs.P.T
    nodes, weights = np.polynomial.legendre.leggauss(400)
    times = horizon * (nodes + 1) / 2
    squares = [
        ((scipy.linalg.expm(S * t) @ legs.B / 2 - scipy.linalg.expm(legs.A * t) @ legs.B)[component]) ** 2
        for t in times
    ]
    expected = np.sqrt(np.dot(weights, squares) * horizon / 2)
    # 400 nodes resolve frequencies up to 46 * 1.5 exactly to rounding; expm loses a few hundred eps at norm 70.
    assert abs(float(row.error) - expected) <= 1e4 * EPS * expected
    assert row.horizon == Fraction(3, 2)


# --- transfer functions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("point", ["0.5", "0.25+1j", "2j", "-0.2-3j"])
def test_transfer_errors_agree_with_dense_solves(method, point):
    N, step, s = 10, 0.05, complex(point)
    legs = LegS(N)
    S, B, identity = legs.A + legs.P @ legs.P.T, legs.B, np.eye(N)

    def transfer(A, drive):
        if method == "continuous":
            return np.linalg.solve(s * identity - A, drive)
        z = np.exp(s * step)
        if method == "bilinear":
            left = identity - A * step / 2
            state, weighted = np.linalg.solve(left, identity + A * step / 2), np.linalg.solve(left, drive)
        else:
            state = scipy.linalg.expm(A * step)
            weighted = drive if method == "sampled" else np.linalg.solve(A * step, (state - identity) @ drive)
        return step * np.linalg.solve(identity - state / z, weighted)

    expected = np.abs(transfer(S, B / 2) - transfer(legs.A, B))
    for component in (0, 3, 9):
        row = error_of(
            sizes=[N], methods=[method], steps=["0.05"], components=[component], norms=["transfer"], points=[point]
        )
        # Dense solves lose a condition number of about 1e3 on values of the size of B.
        assert abs(float(row.error) - expected[component]) <= 1e5 * EPS * np.abs(B).max()


@pytest.mark.parametrize(("point", "slope"), [("0.5", -2.0), ("0.25+1j", -1.5), ("2j", -1.0)])
def test_the_transfer_error_falls_at_the_stated_rate(point, slope):
    study = converge(
        sizes=[64, 128, 256, 512, 1024], methods=["continuous"], components=[0], norms=["transfer"], points=[point]
    )
    (rate,) = study.rates
    assert rate.theory == slope
    assert abs(rate.slope - slope) < 0.02
    assert rate.sizes == (64, 128, 256, 512, 1024)


@pytest.mark.parametrize("point", ["0", "1", "7"])
def test_the_two_transfer_functions_coincide_at_small_integers(point):
    row = error_of(sizes=[8], methods=["continuous"], components=[3], norms=["transfer"], points=[point])
    assert row.error == 0 and row.theory == 0
    beyond = error_of(sizes=[8], methods=["continuous"], components=[3], norms=["transfer"], points=["8"])
    assert beyond.error > 0


def test_zero_errors_are_left_out_of_rates_and_counted():
    study = converge(sizes=[2, 4, 8, 16], methods=["continuous"], components=[0], norms=["transfer"], points=["3"])
    (rate,) = study.rates
    assert rate.zeros == 3 and rate.slope is None and "positive" in rate.why


@pytest.mark.parametrize("family", ["lagt", "fout", "legt"])
@pytest.mark.parametrize("method", METHODS)
def test_other_families_by_dense_solves(family, method):
    N, s, step = 9, 0.3 + 1.1j, 0.1
    rows = {
        row.norm: row
        for row in converge(
            family, sizes=[N], methods=[method], steps=["0.1"], components=[2], points=["0.3+1.1j"]
        ).rows
    }
    assert all(rows[norm].error is None and rows[norm].why for norm in NORMS if norm != "transfer")
    from hippo_theory.families import make_family

    system = make_family(family, N)
    S, identity = system.A + system.P @ system.P.T, np.eye(N)

    def transfer(A, drive):
        if method == "continuous":
            return np.linalg.solve(s * identity - A, drive)
        z = np.exp(s * step)
        if method == "bilinear":
            left = identity - A * step / 2
            return step * np.linalg.solve(left - (identity + A * step / 2) / z, drive)
        state = scipy.linalg.expm(A * step)
        if method == "zoh":  # S is singular for odd N: integrate by Gauss quadrature instead
            nodes, weights = np.polynomial.legendre.leggauss(20)
            drive = sum(
                w / 2 * scipy.linalg.expm(A * step * (x + 1) / 2) @ drive for x, w in zip(nodes, weights, strict=True)
            )
        return step * np.linalg.solve(identity - state / z, drive)

    expected = abs((transfer(S, system.B / 2) - transfer(system.A, system.B))[2])
    assert abs(float(rows["transfer"].error) - expected) <= 1e5 * EPS
    assert rows["transfer"].kind == "certified"


@pytest.mark.parametrize("family", ["lagt", "fout", "legt"])
@pytest.mark.parametrize("method", ["zoh", "sampled"])
def test_large_sizes_of_other_families_are_observed_and_agree(family, method, monkeypatch):
    options = {
        "sizes": [9],
        "methods": [method],
        "steps": ["0.1"],
        "components": [2],
        "norms": ["transfer"],
        "points": ["1+1j"],
    }
    (certified_row,) = converge(family, **options).rows
    monkeypatch.setattr(distance_module, "_LARGEST_EXPONENTIAL", 8)
    (observed_row,) = converge(family, **options).rows
    assert (certified_row.kind, observed_row.kind) == ("certified", "observed")
    assert "float64" in observed_row.why
    assert abs(float(certified_row.error) - observed_row.error) <= 1e5 * EPS


# --- discrete L2 and the laws of sampled kernels -----------------------------------------------------------------------


@pytest.mark.parametrize("method", ["zoh", "bilinear", "sampled"])
def test_discrete_l2_errors_agree_with_a_long_sum(method):
    N, component, step = 3, 1, Fraction(1, 2)
    row = error_of(sizes=[N], methods=[method], steps=["0.5"], components=[component], norms=["l2"])
    ring = balls(200)
    difference = discretize(
        diagonal_kernel(LegS(N), component, ring) - full_kernel(LegS(N), component, ring), method, step
    )
    # The slowest mode shrinks by 0.84 a step (bilinear, w = 2.4): 400 lags leave 1e-60 of the sum.
    with ring.work():
        expected = (sum((difference(lag) ** 2 for lag in range(400)), arb(0)) / 2).sqrt()
    assert abs(float(row.error) - float(expected)) <= 4 * EPS * float(expected)


def test_the_bilinear_method_is_an_isometry():
    for step in ("0.001", "0.1", "3"):
        row = error_of(sizes=[20], methods=["bilinear"], steps=[step], components=[2], norms=["l2"], digits=25)
        assert contains(row.error, exact_l2_squared(20, 2))


@pytest.mark.heavy
def test_exponents_of_the_zero_order_hold_in_the_converged_regime():
    """R_n/(N sqrt step): exponents -1 in N and -1/2 in the step, where N sqrt(step) >> 1 and N step is of order 1."""
    steps = ["0.0005", "0.001", "0.002", "0.004", "0.008"]
    study = converge(sizes=[256, 512, 1024, 2048], steps=steps, methods=["zoh"], components=[0], norms=["l2"])
    for rate in study.rates:
        assert abs(rate.slope - rate.theory) < 0.05
    for N in (256, 512, 1024, 2048):
        rows = [row for row in study.rows if row.N == N]
        slope = np.polyfit(np.log([float(row.step) for row in rows]), np.log([float(row.error) for row in rows]), 1)[0]
        assert abs(slope + 0.5) < 0.05


def test_the_echo_of_the_bilinear_error_arrives_when_it_should():
    """The error is exponentially small before t_min = inf_v (1 + v^2) ln(1 + (N D)^2/(4 v^2)), and of full size after."""
    N, step = 256, Fraction(1, 10)
    v = np.linspace(1e-3, 40, 200_001)
    arrival = np.min((1 + v * v) * np.log1p((N * float(step)) ** 2 / (4 * v * v)))
    assert abs(arrival - 8.04) < 0.01
    ring = balls(128)
    difference = discretize(diagonal_kernel(LegS(N), 0, ring) - full_kernel(LegS(N), 0, ring), "bilinear", step)
    errors = np.array([abs(float(difference(lag))) for lag in range(int(1.6 * arrival / float(step)))])
    times = np.arange(len(errors)) * float(step)
    assert errors[times < 0.7 * arrival].max() < 1e-6 * errors.max()
    first = times[np.argmax(errors > errors.max() / 2)]
    assert abs(first - arrival) < 0.05 * arrival


# --- plans and rates ---------------------------------------------------------------------------------------------------


def test_a_plan_counts_its_cases():
    plan = plan_study(sizes=[8, 16], steps=["0.1", "0.01"], components=[0, 1], norms=["l2"])
    assert len(plan) == len(list(plan.cases())) == 2 * (1 + 3 * 2) * 2
    assert sum(1 for _ in converge_rows(plan)) == len(plan)


def test_progress_is_reported():
    seen = []
    converge(
        sizes=[4], methods=["continuous"], components=[0, 1], norms=["l2"], progress=lambda *state: seen.append(state)
    )
    assert seen == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"family": "legz"}, "unknown family 'legz'"),
        ({"sizes": [0]}, "`sizes` must be at least 1"),
        ({"sizes": [2.5]}, "`sizes` must be an integer"),
        ({"sizes": []}, "`sizes` is empty"),
        ({"sizes": [8], "components": [8]}, "component 8 does not exist at N = 8"),
        ({"family": "fout", "sizes": [8]}, "odd `N`"),
        ({"steps": ["-0.1"]}, "`step` must be positive"),
        ({"steps": ["abc"]}, "'abc' is not a number"),
        ({"methods": ["euler"]}, "`methods` has no 'euler'"),
        ({"norms": ["l3"]}, "`norms` has no 'l3'"),
        ({"points": ["1+"]}, "not a complex number"),
        ({"digits": 0}, "`digits` must be at least 1"),
        ({"family": "fourier-diagonal", "sizes": [9], "components": [0]}, "no low-rank term"),
        ({"family": "lmu"}, "not written as normal minus low rank"),
        ({"horizon": "-1"}, "must be positive"),
    ],
)
def test_bad_arguments_are_named_before_any_work(options, message):
    with pytest.raises(InputError, match=message.replace("`", ".").replace("+", r"\+")):
        plan_study(**options)


def test_a_slope_is_fitted_from_64_up_and_from_all_sizes_if_few():
    def rows(sizes, exponent):
        return [Row("legs", N, "continuous", None, 0, "l2", None, float(N) ** exponent, "observed") for N in sizes]

    (rate,) = fit_rates([*rows([8, 16, 32], 3.0), *rows([64, 128, 256], -1.0)])
    assert rate.sizes == (64, 128, 256) and abs(rate.slope + 1) < 1e-12
    (rate,) = fit_rates(rows([16, 64, 128], -2.0))
    assert rate.sizes == (16, 64, 128) and abs(rate.slope + 2) < 1e-12
    assert abs(rate.interval[0] + 2) < 1e-12 and abs(rate.interval[1] + 2) < 1e-12
