"""The figure of random rank-one changes of LegS, of which only its own keeps it stable and near."""

from __future__ import annotations

import numpy as np

from hippo_theory.families import LegS
from hippo_theory.figures.registry import figure
from hippo_theory.figures.style import COLORS, Array, Data, Panels

__all__ = ["rank_one_perturbations"]

_DECIMALS = 8  # eigenvalues near the axis are found to about 1e-12


def _changed(A: Array, deviation: float, draws: int, seed: int) -> Array:
    """Matrices A + p p^T, (draws, N, N), p normal of mean 0; the same draws whatever the deviation, only scaled."""
    vectors = deviation * np.random.default_rng(seed).normal(size=(draws, len(A)))
    return np.asarray(A + vectors[:, :, None] * vectors[:, None, :])


def _rightmost(eigenvalues: Array) -> Array:
    """Largest real part of each row, to 8 decimals."""
    return np.asarray(eigenvalues.real.max(axis=-1).round(_DECIMALS) + 0.0)


def _kernels(matrices: Array, B: Array, times: Array) -> Array:
    """K_0(t) = e_0^T e^(t M) B of each matrix at equidistant times, (matrices, times), to 8 decimals."""
    import scipy.linalg

    values = np.empty((len(matrices), len(times)))
    for row, M in zip(values, matrices, strict=True):
        step, x = scipy.linalg.expm(M * (times[1] - times[0])), B
        for place in range(len(times)):
            row[place] = x[0]
            x = step @ x
    return values.round(_DECIMALS) + 0.0


@figure(
    "rank-one-perturbations",
    title="Adding another rank-one term than its own makes LegS unstable",
    caption=(
        "LegS of $N = 64$ plus $pp^T$, $p$ with independent normal entries of standard deviation $\\sigma$. Left above: "
        "eigenvalues near the axis for 40 draws at $\\sigma = 0.4$, the unstable ones red; black: with the right vector, $p = "
        "B/\\sqrt2$, which is much larger, all eigenvalues have real part $-1/2$. Right above: kernels $e_0^T e^{tM}B$, $M = A "
        "+ pp^T$, of the first six draws at $\\sigma = 0.4$ and that of LegS, $e^{-t}$ (black). Below: the largest real part "
        "over <draws:d> draws (median, quartiles shaded) passes 0 near $\\sigma = <crossing:.2f>$; unstable are "
        "<unstable_3:.1%> at $\\sigma = 0.3$, <unstable_4:.1%> at $0.4$ and <unstable_5:.1%> at $0.5$ (band: 95%, "
        "Clopper and Pearson)."
    ),
    alternative=(
        "Above: a cloud of eigenvalues, some of them right of the imaginary axis, and kernels of which some grow. Below: the "
        "median of the largest real part against the standard deviation rises from about minus one through "
        "zero; the fraction of unstable draws rises from none to nearly all."
    ),
    source="S4D (arXiv:2206.11893), figure of random rank-one changes (from notes on the paper); numbers here",
    panels=(2, 2),
    size=(7.2, 4.8),
    digits=6,
    units={
        "deviation": "standard deviation of the entries of p",
        "median": "median over the draws of the largest real part, per unit of time",
        "quartile": "lower or upper quartile of the same, per unit of time",
        "fraction": "fraction of the draws that are unstable",
        "interval": "ends of the 95 % interval of the chance (Clopper and Pearson)",
        "draws": "number of draws for each deviation",
        "crossing": "standard deviation at which the median passes 0, interpolated linearly",
        "unstable": "fraction of unstable draws at a standard deviation of 0.3, 0.4, 0.5",
        "real": "real parts of eigenvalues of draws at a deviation of 0.4, per unit of time",
        "imaginary": "imaginary parts of the same, radians per unit of time",
        "normal": "imaginary parts of the normal part of LegS, all of real part -1/2, radians per unit of time",
        "time": "t, in units of the scale of the exponential",
        "kernel": "e_0^T e^(t M) B, per unit of time",
        "legs": "e^-t",
    },
)
def rank_one_perturbations(panels: Panels, *, N: int = 64, draws: int = 300, seed: int = 20220623) -> Data:
    """Dense float64 eigenvalues and exponentials (LAPACK), to 8 decimals; ill-conditioned far eigenvalues are left out."""
    from scipy.stats import beta

    legs = LegS(N)
    deviations = np.arange(2, 15) / 20  # 0.1, 0.15, ..., 0.7
    tops = np.stack([_rightmost(np.linalg.eigvals(_changed(legs.A, s, draws, seed))) for s in deviations.tolist()])
    counts = (tops > 0).sum(axis=1)
    with np.errstate(invalid="ignore"):
        low = np.where(counts == 0, 0.0, beta.ppf(0.025, counts, draws - counts + 1))
        high = np.where(counts == draws, 1.0, beta.ppf(0.975, counts + 1, draws - counts))
    shown = _changed(legs.A, 0.4, 40, seed)
    values = np.linalg.eigvals(shown).ravel()
    values = values[(values.real > -2) & (np.abs(values.imag) < 40)]
    values = values[np.lexsort((values.imag.round(_DECIMALS), values.real.round(_DECIMALS)))]
    times = np.arange(151) / 25
    normal = legs.normal_spectrum().imag
    data: Data = {
        "deviation": deviations,
        "median": np.median(tops, axis=1),
        "quartile_lower": np.quantile(tops, 0.25, axis=1),
        "quartile_upper": np.quantile(tops, 0.75, axis=1),
        "fraction": counts / draws,
        "interval_lower": low,
        "interval_upper": high,
        "draws": np.array(draws),
        "crossing": np.array(np.interp(0, np.median(tops, axis=1), deviations)),
        **{f"unstable_{tenths}": np.array(counts[2 * tenths - 2] / draws) for tenths in (3, 4, 5)},
        "real": values.real.round(_DECIMALS) + 0.0,
        "imaginary": values.imag.round(_DECIMALS) + 0.0,
        "normal": normal[np.abs(normal) < 40],
        "time": times,
        "legs": np.exp(-times),
    }
    for draw, row in enumerate(_kernels(shown[:6], legs.B, times)):
        data[f"kernel_{draw}"] = row
    if panels is None:
        return data
    spectra, kernels, medians, fractions = panels
    unstable = data["real"] > 0
    for chosen, color in ((~unstable, COLORS["blue"]), (unstable, COLORS["vermilion"])):
        spectra.plot(data["real"][chosen], data["imaginary"][chosen], ".", color=color, markersize=2.5)
    spectra.plot(np.full(len(data["normal"]), -0.5), data["normal"], "D", color="black", markersize=2.2)
    spectra.axvline(0, color="#444444", linewidth=0.8)
    spectra.set(xlabel="real part", ylabel="imaginary part", title="eigenvalues, $\\sigma = 0.4$", ylim=(-40, 40))
    for draw in range(6):
        top = float(np.linalg.eigvals(shown[draw]).real.max())
        color = COLORS["vermilion"] if top > 0 else COLORS["blue"]
        kernels.plot(times, data[f"kernel_{draw}"], color=color, linewidth=0.8)
    kernels.plot(times, data["legs"], color="black", linewidth=1.3)
    kernels.set(
        xlabel="time $t$", ylabel="kernel", title="$e_0^T e^{tM}B$, $\\sigma = 0.4$", xlim=(0, 6), ylim=(-1.5, 2)
    )
    medians.plot(deviations, data["median"], "o-", color=COLORS["blue"], markersize=2.5)
    medians.fill_between(
        deviations, data["quartile_lower"], data["quartile_upper"], color=COLORS["blue"], alpha=0.2, linewidth=0
    )
    medians.axhline(0, color="#444444", linewidth=0.8)
    medians.set(xlabel="standard deviation $\\sigma$", ylabel="largest real part")
    fractions.plot(deviations, data["fraction"], "o-", color=COLORS["blue"], markersize=2.5)
    fractions.fill_between(deviations, low, high, color=COLORS["blue"], alpha=0.2, linewidth=0)
    fractions.set(xlabel="standard deviation $\\sigma$", ylabel="fraction unstable", ylim=(0, 1))
    return data
