"""The data of the figures of federated Granger causality against formulas."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from granger_helpers import EPSILON

from hippo_theory.figures.granger import granger_convergence, granger_identifiability, granger_privacy
from hippo_theory.granger import (
    classical_sigma,
    example_system,
    stationary_moments,
)


def test_the_figure_of_convergence():
    data = granger_convergence(None, steps=100_000, shown=50, dots=5)
    assert data["largest_difference"] <= 1e-6
    z = stationary_moments(example_system()).estimates[:2, :2]
    trace, determinant = np.trace(z), np.linalg.det(z)
    assert data["threshold"] == pytest.approx(1 / (trace / 2 + np.sqrt(trace**2 / 4 - determinant)))
    assert (data["predicted"][data["grid"] > data["threshold"]] > 1).all()
    assert (np.diff(data["distance"], axis=1) < 0).all()
    settled = granger_convergence(None, steps=1000, shown=400, dots=2)
    assert np.allclose(settled["distance"][:, -1] / settled["distance"][:, -2], settled["slope"], rtol=0, atol=5e-4)


def test_the_figure_of_identifiability():
    data = granger_identifiability(None, points=5)
    for ratio, values in zip(data["ratio"], data["measured"], strict=True):
        r2 = data["measured_correlation"]
        assert np.allclose(values, r2 / (1 + ratio - ratio * r2), rtol=1e-6)
    r2, ratio = data["squared_correlation"], data["ratio"][:, None]
    assert np.allclose(data["attenuation"], r2 / (1 + ratio - ratio * r2), rtol=10 * EPSILON)
    # First order in the noise at the left end.
    slope = np.diff(np.log(data["innovation_error"][:2])) / np.diff(np.log(data["noise"][:2]))
    assert abs(slope.item() - 1) < 0.05
    assert (data["learned_error"] > 0.8).all()


def test_the_figure_of_privacy():
    data = granger_privacy(None, samples=4000, points=7)
    assert (np.diff(data["delta"], axis=1) < 0).all() and (data["exact_epsilon"] < data["bound_epsilon"]).all()
    assert (
        data["overstated"] == data["bound_epsilon"][-1] / data["exact_epsilon"][-1]
        and data["last"] == data["messages"][-1]
    )
    total_variation = [float(mpmath.erf(1 / (2 * mpmath.sqrt(2) * sigma))) for sigma in data["sigma"]]
    assert np.allclose(data["delta"][:, 0], total_variation, rtol=8 * EPSILON)
    again = [
        classical_sigma(e, d)
        for e, d in zip(data["classical_epsilon"], data["classical_delta"][3], strict=True)
        if d < 1
    ]
    assert np.allclose(again, 8)
    expected = np.interp(data["simulated_at"], data["noise"], data["remaining"])
    assert np.abs(expected - data["simulated"]).max() < 0.08  # five standard errors or so of 4000 steps
