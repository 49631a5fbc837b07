"""Images of eigenvalues under discretizations, and the ring of the LRU, by other routes."""

from __future__ import annotations

import math

import numpy as np
import scipy.linalg
import scipy.signal

from hippo_theory.figures.registry import load_figures

EPS = np.finfo(float).eps
FIGURES = load_figures()
METHODS = {
    "zoh": ("zoh", None),
    "bilinear": ("bilinear", None),
    "gbt": ("gbt", 2 / 3),
    "backward": ("backward_diff", None),
    "forward": ("euler", None),
}


def test_eigenvalues_are_those_of_discretized_matrices():
    N = 6
    data = FIGURES["discretization-maps"].data(N=N)
    R = np.sqrt(2 * np.arange(N) + 1.0)
    S = -np.tril(np.outer(R, R), -1) - np.diag(np.arange(N) + 1.0) + np.outer(R, R) / 2
    for name, (method, alpha) in METHODS.items():
        for row, step in enumerate((0.001, 0.01, 0.1)):
            assert data["step"][row] == step
            system = (S, R[:, None], np.eye(N), np.zeros((N, 1)))
            matrix = scipy.signal.cont2discrete(system, step, method, alpha)[0]
            found = list(data[f"eigenvalues_{name}"][row])
            for value in scipy.linalg.eigvals(matrix):
                nearest = min(found, key=lambda z: abs(z - value))
                # The matrices are normal, with norms below 3: 64 N eps.
                assert abs(nearest - value) < 64 * N * EPS
                found.remove(nearest)


def test_counts_of_unstable_eigenvalues():
    N = 64
    data = FIGURES["discretization-maps"].data()
    R = np.sqrt(2 * np.arange(N) + 1.0)
    S = -np.tril(np.outer(R, R), -1) - np.diag(np.arange(N) + 1.0) + np.outer(R, R) / 2
    for word, step in (("small", 0.001), ("middle", 0.01), ("large", 0.1)):
        moduli = np.abs(np.linalg.eigvals(np.eye(N) + step * S))
        assert np.abs(moduli - 1).min() > 64 * N * EPS  # none so near to the circle that rounding could decide
        assert data[f"outside_{word}"] == (moduli > 1).sum()


def test_images_of_the_axis_are_circles():
    """Center and radius of the image of the half plane: where Re x < 0 <-> abs(z - c) < r."""
    data = FIGURES["discretization-maps"].data()
    for name, center, radius in (("zoh", 0, 1), ("bilinear", 0, 1), ("gbt", 0.25, 0.75), ("backward", 0.5, 0.5)):
        assert np.abs(np.abs(data[f"axis_{name}"] - center) - radius).max() < 16 * EPS
        for kind in ("vertical", "horizontal"):
            # The horizontal lines start on the axis.
            assert (np.abs(data[f"{kind}_{name}"] - center) < radius + 16 * EPS).all()
    assert (data["axis_forward"].real == 1).all()
    # Vertical lines: the multiplier undone. x = log z, and x = (z - 1)/(alpha z + 1 - alpha).
    reals = np.array([-0.25, -0.5, -1, -2])[:, None]
    assert np.abs(np.log(np.abs(data["vertical_zoh"])) - reals).max() < 32 * EPS
    for name, alpha in (("bilinear", 1 / 2), ("gbt", 2 / 3), ("backward", 1), ("forward", 0)):
        z = data[f"vertical_{name}"]
        x = (z - 1) / (alpha * z + 1 - alpha)
        # Near z = -(1 - alpha)/alpha the inverse loses abs(x)^2 eps.
        assert (np.abs(x.real - reals) < 32 * EPS * (1 + np.abs(x) ** 2)).all()
        angles = (data[f"horizontal_{name}"] - 1) / (alpha * data[f"horizontal_{name}"] + 1 - alpha)
        wanted = np.arange(-4, 5)[:, None] * math.pi / 4
        assert (np.abs(angles.imag - wanted) < 32 * EPS * (1 + np.abs(angles) ** 2)).all()


def test_the_ring_is_uniform_in_area():
    data = FIGURES["lru-ring"].data(count=4000, shown=4000, bins=20, seed=5)
    points = data["point"]
    assert len(points) == 4000 and np.abs(points).min() >= 0.5 and np.abs(points).max() <= 0.99
    # Cells of equal area in another coordinate than the figure's: stripes of the real part, areas by circle segments.
    edges = np.linspace(-0.99, 0.99, 12)

    def area_left_of(x, radius):
        x = np.clip(x, -radius, radius)
        return radius**2 * (math.pi - np.arccos(x / radius)) + x * np.sqrt(radius**2 - x**2)

    shares = np.diff(area_left_of(edges, 0.99) - area_left_of(edges, 0.5)) / (math.pi * (0.99**2 - 0.5**2))
    counts = np.histogram(points.real, edges)[0]
    chi_square = ((counts - 4000 * shares) ** 2 / (4000 * shares)).sum()
    assert abs(shares.sum() - 1) < 16 * EPS
    assert chi_square < 29.6  # 10 degrees of freedom, 0.1 %


def test_densities_laws_and_bands():
    count, bins = 4000, 20
    data = FIGURES["lru-ring"].data(count=count, shown=count, bins=bins, seed=5)
    samples = {"square": np.abs(data["point"]) ** 2, "phase": np.angle(data["point"]) % (2 * math.pi)}
    ends = {"square": (0.25, 0.99**2), "phase": (0.0, 2 * math.pi)}
    for name, values in samples.items():
        start, end = ends[name]
        width = (end - start) / bins
        ordered = np.sort((values - start) / (end - start))
        counts = np.diff(np.searchsorted(ordered, np.arange(bins + 1) / bins))
        assert np.abs(data[f"{name}_density"] * count * width - counts).max() < 1.5  # an edge may round either way
        assert abs(data[f"{name}_density"].sum() * width - 1) < 16 * EPS
        assert abs(data[f"{name}_law"] * (end - start) - 1) < 8 * EPS
        # The binomial band by its normal approximation: mean 200, deviation 13.8, to two counts.
        deviation = 1.96 * math.sqrt(count / bins * (1 - 1 / bins))
        for edge, sign in (("low", -1), ("high", 1)):
            assert abs(data[f"{name}_{edge}"] * count * width - (count / bins + sign * deviation)) < 2
        within = (np.abs(counts - count / bins) <= deviation).sum()
        assert abs(data[f"within_{name}"] - within) <= 2
        steps = np.arange(count + 1) / count
        largest = max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max())
        assert abs(data[f"deviation_{name}"] - largest) < 16 * EPS
        assert largest < 1.95 / math.sqrt(count)  # exceeded with probability 0.001
    # Kolmogorov's limit 1.3581/sqrt(n), corrected by 0.12 + 0.11/sqrt(n) (Stephens).
    assert abs(data["critical"] * (math.sqrt(count) + 0.12 + 0.11 / math.sqrt(count)) - 1.3581) < 2e-3


def test_bins_within_the_band_are_counted():
    data = FIGURES["lru-ring"].data()
    for name in ("square", "phase"):
        density = data[f"{name}_density"]
        inside = [data[f"{name}_low"] <= value <= data[f"{name}_high"] for value in density]
        assert data[f"within_{name}"] == sum(inside)
    assert data["within_square"] < 40 and data["within_square"] + data["within_phase"] > 0.9 * 80


def test_the_caption_states_the_data():
    entry = FIGURES["lru-ring"]
    data = entry.data(count=500, shown=20, bins=5)
    text = entry.caption_text(data)
    assert text.startswith("500 draws") and f"{float(data['deviation_phase']):.4f}" in text and "<" not in text
