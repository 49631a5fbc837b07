"""Figures of spectra: the diagonal initializations beside LegS, their errors, and the spikes that eigenvalues leave."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hippo_theory.arithmetic import FLOAT64
from hippo_theory.decompositions import diagonal_restriction
from hippo_theory.families import LegS
from hippo_theory.figures.registry import figure
from hippo_theory.figures.style import COLORS, Array, Data, Panels, label_curves
from hippo_theory.initializations import initialization
from hippo_theory.norms import hinf_norm
from hippo_theory.systems import DiagonalSystem, transfer_function

__all__ = ["spectra", "spectrum_errors", "transfer_spikes"]

_TITLES = {"legs": "LegS", "inv": "Inv", "inv2": "Inv2", "lin": "Lin", "quad": "Quad", "real": "Real"}
_COLORS = {
    "legs": "black",
    "inv": COLORS["blue"],
    "inv2": COLORS["sky"],
    "lin": COLORS["vermilion"],
    "quad": COLORS["green"],
    "real": COLORS["purple"],
}


def _frequencies(name: str, N: int) -> Array:
    """The N/2 imaginary parts >= 0 of a diagonal initialization of S4D, decreasing."""
    return np.sort(initialization(f"s4d-{name}", N).Lambda.imag)[::-1]  # type: ignore[union-attr]


@figure(
    "spectra",
    title="The spectra of the diagonal initializations",
    caption=(
        "The $N = 64$ eigenvalues of S4D-LegS and of the laws that replace it. In the plane (left, imaginary axis "
        "linear up to 1 and logarithmic beyond) five of them lie on the line $\\mathrm{Re}\\,\\lambda = "
        "-\\frac{1}{2}$ and S4D-Real on the real axis; both parts are rates, per unit of time. Sorted (right), "
        "S4D-Inv is the only law that follows LegS from $w_0 = <largest_legs:.1f>$ (S4D-Inv: $<largest_inv:.1f>$) to "
        "the smallest, $<smallest_legs:.3f>$ ($<smallest_inv:.3f>$); Inv2 starts alike and ends at "
        "$<smallest_inv2:.1f>$, Lin starts at $<largest_lin:.1f>$ (its last is $0$, off the scale). The dotted line "
        "is $N^2/((2m+1)\\pi)$."
    ),
    alternative=(
        "Six narrow plots of the complex plane and one of sorted imaginary parts. LegS, Inv, Inv2, Lin and Quad form "
        "vertical lines at real part minus one half, crowded differently; Real forms a horizontal line. Sorted, Inv "
        "lies close to LegS, Inv2 above it, Lin is almost flat and far below at the start, Quad falls the least at "
        "first and the most at the end."
    ),
    source="S4D (arXiv:2206.11893), figure 4, with S4D-Real added",
    panels=(1, 7),
    size=(7.2, 3.1),
    axes={"width_ratios": [1, 1, 1, 1, 1, 1, 6.5]},
    units={
        "index": "m: position by decreasing imaginary part, 0 the largest",
        "frequency": "imaginary parts of that law, decreasing, radians per unit of time",
        "real": "the eigenvalues of S4D-Real, per unit of time",
        "law": "N^2/((2m+1) pi), radians per unit of time",
        "largest": "the largest imaginary part of that law, radians per unit of time",
        "smallest": "the smallest imaginary part of that law, radians per unit of time",
    },
)
def spectra(panels: Panels, *, N: int = 64) -> Data:
    """Float64 nearest to certified values (LegS: within 2 ulp), the same on every processor."""
    laws = ("legs", "inv", "inv2", "lin", "quad")
    index = np.arange(N // 2)
    data: Data = {"index": index, "law": N**2 / ((2 * index + 1) * math.pi)}
    for name in laws:
        frequencies = _frequencies(name, N)
        data[f"frequency_{name}"] = frequencies
        data[f"largest_{name}"], data[f"smallest_{name}"] = frequencies[0], frequencies[-1]
    data["real"] = np.asarray(initialization("s4d-real", N).Lambda)  # type: ignore[union-attr]
    if panels is None:
        return data
    top = 3 * max(data[f"largest_{name}"] for name in laws)
    for place, (axes, name) in enumerate(zip(panels, _TITLES, strict=False)):
        if name == "real":
            x, y = data["real"], np.zeros(N)
        else:
            y = np.concatenate([data[f"frequency_{name}"], -data[f"frequency_{name}"]])
            x = np.full(len(y), -0.5)
        mark = {"marker": ".", "markersize": 1.5} if name == "real" else {"marker": "_", "markersize": 6}
        axes.plot(x, y, linestyle="none", color=_COLORS[name], markeredgewidth=0.6, **mark)
        axes.set_yscale("symlog", linthresh=1, linscale=0.6)
        axes.set(ylim=(-top, top), xlim=(-1.25 * N, 0.25 * N), xticks=[-N, 0], title=_TITLES[name])
        axes.set_yticks([-1000, -100, -10, -1, 0, 1, 10, 100, 1000])
        axes.minorticks_off()
        axes.set_xlabel("$\\mathrm{Re}\\,\\lambda$", labelpad=1)
        if place:
            axes.set_yticklabels([])
    panels[0].set_ylabel("$\\mathrm{Im}\\,\\lambda$ (radians per unit of time)", labelpad=0)
    labels = []
    axes = panels[6]
    axes.semilogy(index, data["law"], ":", color="gray")
    for name in laws:
        frequencies = np.where(data[f"frequency_{name}"] > 0, data[f"frequency_{name}"], np.nan)
        axes.semilogy(index, frequencies, "o-", color=_COLORS[name], markersize=2, linewidth=0.8)
        last = np.flatnonzero(np.isfinite(frequencies))[-1]
        labels.append((float(index[-1]), float(frequencies[last]), _TITLES[name], _COLORS[name]))
    axes.annotate(
        "$N^2/((2m+1)\\pi)$", (8, data["law"][8]), xytext=(9, 250), color="gray", ha="center", fontsize=7,
        arrowprops={"arrowstyle": "-", "color": "gray", "linewidth": 0.5},
    )  # fmt: skip
    axes.set(xlabel="index $m$, by decreasing imaginary part", ylabel="imaginary part $w_m$", title=f"sorted, $N={N}$")
    axes.set_ylim(bottom=0.1)
    label_curves(axes, labels)
    return data


_LAWS = ("inv", "inv2", "lin", "quad")


def _bulk_frequency(share: Array) -> Array:
    """y with atan(1/y) - (y/2) log(1 + 1/y^2) = (pi/2) share, 0 < share < 1: w_m = N y(share), share = (2m+1)/N, in the bulk.

    The phase equation of LegS with the sum over k replaced by its integral; decreasing in y, by bisection.
    """
    low, high = np.zeros_like(share), 2 / (math.pi * share)
    for _ in range(200):
        y = (low + high) / 2
        phase = np.arctan2(1, y) - np.where(y > 0, y, 1) / 2 * np.log1p(1 / np.where(y > 0, y, 1) ** 2)
        above = phase > math.pi / 2 * share
        low, high = np.where(above, y, low), np.where(above, high, y)
    return (low + high) / 2


@figure(
    "spectrum-errors",
    title="How far the laws of S4D are from the spectrum of LegS",
    caption=(
        "Relative errors $|w_m^{law}/w_m - 1|$ of sorted spectra. Left, $N = <size_left:d>$: S4D-Inv is right for "
        "the largest eigenvalues, too small in the middle ($<deepest_inv:.4f>$ at $m = <deepest_index:d>$) and too "
        "large at the end; dips are changes of sign, and the dotted line is the limit for large $N$ at fixed "
        "$(2m+1)/N$. Middle and right, the median and the largest error against $N$: the median of Inv tends to a "
        "constant, $<median_limit_inv:.4f>$ (dotted), that of Inv2 to $<median_limit_inv2:.4f>$, that of Lin to "
        "$<median_limit_lin:.4f>$, and Quad grows like $N$. The largest error of Inv sits at the last eigenvalue and "
        "grows like $2(\\ln N + \\gamma + 2\\ln 2)/\\pi^2 - 1$ (dotted)."
    ),
    alternative=(
        "Three plots. Left: relative error against index for Inv, Inv2, Lin and Quad at one size; Inv rises to about "
        "a fifth, has a dip where it crosses the true spectrum, and rises again at the end. Middle: the median error "
        "against N; flat for Inv, Inv2 and Lin, growing for Quad. Right: the largest error against N; growing slowly "
        "for Inv, and faster for Inv2 and Quad."
    ),
    source="S4D (arXiv:2206.11893), its laws as approximations of S4D-LegS; limits derived here",
    panels=(1, 3),
    size=(7.2, 2.7),
    units={
        "index": "m: position by decreasing imaginary part, 0 the largest",
        "error": "relative error of that law at each index (1), N as in size_left",
        "bulk": "the limit of the relative error of S4D-Inv at (2m+1)/N fixed (1)",
        "size": "state size N",
        "size_left": "state size N of the first panel",
        "median": "median over m of the relative error of that law (1)",
        "median_limit": "its limit as N grows (1)",
        "maximum": "largest relative error of that law (1)",
        "maximum_law": "2 (ln N + Euler gamma + 2 ln 2)/pi^2 - 1, for S4D-Inv (1)",
        "deepest": "most negative relative error of S4D-Inv and its index (1)",
    },
)
def spectrum_errors(panels: Panels, *, N: int = 256, sizes: Sequence[int] = tuple(2**k for k in range(3, 14))) -> Data:
    """Errors of float64 values that are within 2 ulp; the limits from the integral form of the phase equation."""
    truth, index = _frequencies("legs", N), np.arange(N // 2)
    share = (2 * index + 1) / N
    bulk = _bulk_frequency(share)
    relative = {name: _frequencies(name, N) / truth - 1 for name in _LAWS}
    lowest = int(np.argmin(relative["inv"]))
    data: Data = {
        "index": index,
        "size": np.array(sizes),
        "size_left": np.array(N),
        "bulk": (1 / share - 1) / (math.pi * bulk) - 1,
        "deepest_inv": relative["inv"][lowest],
        "deepest_index": np.array(lowest),
        "maximum_law": 2 * (np.log(sizes) + np.euler_gamma + 2 * math.log(2)) / math.pi**2 - 1,
    }
    for name in _LAWS:
        errors = [np.abs(_frequencies(name, size) / _frequencies("legs", size) - 1) for size in sizes]
        data[f"error_{name}"] = relative[name]
        data[f"median_{name}"] = np.array([np.median(error) for error in errors])
        data[f"maximum_{name}"] = np.array([error.max() for error in errors])
    # In the bulk every law but Quad is N times a function of the share; medians tend to those of the functions.
    grid = (2 * np.arange(20_000) + 1) / 40_000
    shapes = {"inv": (1 / grid - 1) / math.pi, "inv2": (2 / grid - 1) / math.pi, "lin": math.pi / 2 * (1 - grid)}
    for name, shape in shapes.items():
        data[f"median_limit_{name}"] = np.median(np.abs(shape / _bulk_frequency(grid) - 1))
    if panels is None:
        return data
    left, middle, right = panels
    left.semilogy(index, np.abs(data["bulk"]), ":", color="gray", linewidth=2)
    labels: list[list[tuple[float, float, str, str]]] = [[], [], []]
    for name in _LAWS:
        color, text = _COLORS[name], _TITLES[name]
        left.semilogy(index, np.abs(data[f"error_{name}"]), color=color, linewidth=0.9)
        labels[0].append((index[-1], float(np.abs(data[f"error_{name}"])[-1]), text, color))
        for axes, quantity, place in ((middle, "median", 1), (right, "maximum", 2)):
            axes.loglog(sizes, data[f"{quantity}_{name}"], "o-", color=color, markersize=2.5, linewidth=0.9)
            labels[place].append((sizes[-1], float(data[f"{quantity}_{name}"][-1]), text, color))
    for name in shapes:
        middle.loglog(sizes, np.full(len(sizes), data[f"median_limit_{name}"]), ":", color=_COLORS[name])
    late = data["maximum_law"] > 0.1  # before, the largest error lies in the middle
    right.loglog(data["size"][late], data["maximum_law"][late], ":", color=_COLORS["inv"])
    left.set(xlabel="index $m$", ylabel="relative error of $w_m$", title=f"by index, $N={N}$", ylim=(1e-3, None))
    middle.set(xlabel="state size $N$", ylabel="relative error", title="median")
    right.set(xlabel="state size $N$", ylabel="relative error", title="largest")
    for axes, ends in zip(panels, labels, strict=True):
        label_curves(axes, ends)
    return data


@figure(
    "transfer-spikes",
    title="The spikes of S4D-LegS move away and do not shrink",
    caption=(
        "Top: $|X_0(iw)|$ of LegS (black) and of its diagonal restriction (color); the dots mark the spikes at the "
        "eigenvalues $w_m$, the last at $w_0$, near $N^2/\\pi$ (dotted). Bottom left: the heights $|X_0(iw_m)|$ at "
        "the spikes against $2m+1$ lie on $2/((2m+1)\\pi)$ (dotted) for $m \\ll N$, whatever $N$; their rise on the "
        "right is $X_0$ itself at small $w$. Middle: the largest difference from LegS over all frequencies, for the "
        "outputs $n = 0, 1, 2$, tends to $2R_n/\\pi$ (dotted): $<difference_64:.5f>$, $<difference_256:.5f>$, "
        "$<difference_1024:.5f>$ for $n = 0$ and $N = 64, 256, 1024$. Right, $n = 0$: what is left after $2/\\pi$ "
        "follows $\\pi/(6N^2)$ for the difference and $7\\pi/(6N^2)$ for the spike itself (dotted)."
    ),
    alternative=(
        "Six plots. On top the transfer functions at three sizes: LegS falls smoothly, the diagonal restriction has "
        "a comb of spikes that reaches further at each size, rising to the same height at its end. Below: heights of "
        "the spikes on one curve for all sizes, the largest difference level in N, and its excess falling with the "
        "square of N."
    ),
    source="PTD (arXiv:2310.01698), figure 1: the spikes; their heights are derived here",
    panels=(2, 3),
    size=(7.2, 4.6),
    digits=7,
    units={
        "frequency": "w for that N, radians per unit of time",
        "full": "abs(X_0(iw)) of LegS (1)",
        "diagonal": "abs(X_0(iw)) of the diagonal restriction (1)",
        "spike": "w_m for that N, decreasing, radians per unit of time",
        "height": "abs(X_0(i w_m)) of the diagonal restriction (1)",
        "size": "state size N",
        "supremum": "largest abs(X_diag,n(iw) - X_n(iw)) over all w, for n = 0, 1, 2 (1)",
        "limit": "2 R_n/pi for n = 0, 1, 2 (1)",
        "top": "abs(X_diag,0(i w_0)) (1)",
        "law_supremum": "pi/(6 N^2) (1)",
        "law_top": "7 pi/(6 N^2) (1)",
        "difference": "largest abs(X_diag,0(iw) - X_0(iw)) at that N (1)",
    },
)
def transfer_spikes(panels: Panels, *, shown: Sequence[int] = (64, 256, 1024), largest: int = 4096) -> Data:
    """Diagonal transfer functions from poles and residues in float64; suprema certified and rounded."""
    sizes = np.array([2**power for power in range(4, largest.bit_length())])
    data: Data = {"size": sizes, "limit": 2 * np.sqrt(2 * np.arange(3) + 1) / math.pi}
    for N in shown:
        system = _first_output(N)
        spikes = system.Lambda.imag[: N // 2]
        # Enough points about each spike, of half width 1/2, and halfway to the next.
        near = (spikes[:, None] + np.array([-3, -1, -0.4, 0, 0.4, 1, 3])).ravel()
        background = np.geomspace(0.1, 4 * spikes[0], 300)
        frequency = np.unique(np.concatenate([background, near[near > 0.1], np.sqrt(spikes[1:] * spikes[:-1])]))
        data[f"frequency_{N}"], data[f"spike_{N}"] = frequency, spikes
        data[f"full_{N}"] = np.abs(LegS(N).transfer_function(0, 1j * frequency, FLOAT64))
        data[f"diagonal_{N}"] = np.abs(transfer_function(system, 1j * frequency)[:, 0])
        data[f"height_{N}"] = np.abs(transfer_function(system, 1j * spikes)[:, 0])
    for n in range(3):
        data[f"supremum_{n}"] = np.array([float(hinf_norm(LegS(int(N)), n).value) for N in sizes])
    systems = [_first_output(int(N)) for N in sizes]
    data["top"] = np.array([abs(transfer_function(system, 1j * system.Lambda[0].imag)[0]) for system in systems])
    data["law_supremum"], data["law_top"] = math.pi / (6 * sizes**2), 7 * math.pi / (6 * sizes**2)
    for N in shown:
        data[f"difference_{N}"] = np.asarray(float(hinf_norm(LegS(N), 0).value))
    if panels is not None:
        _draw_spikes(panels, data, shown)
    return data


def _first_output(N: int) -> DiagonalSystem:
    """The diagonal restriction of LegS with the output x_0."""
    restriction = diagonal_restriction(LegS(N))
    return DiagonalSystem(restriction.Lambda, restriction.B, restriction.family.normal_eigenvectors(components=[0]))


def _draw_spikes(panels: Panels, data: Data, shown: Sequence[int]) -> None:
    colors = [COLORS["green"], COLORS["blue"], COLORS["vermilion"]]
    reach = 8 * data[f"spike_{shown[-1]}"][0]
    for axes, N, color in zip(panels, shown, colors, strict=False):
        w = data[f"frequency_{N}"]
        axes.loglog(w, data[f"diagonal_{N}"], color=color, linewidth=0.4, rasterized=True)
        axes.loglog(w, data[f"full_{N}"], color="black", linewidth=0.9)
        axes.plot(data[f"spike_{N}"], data[f"height_{N}"], ".", color=color, markersize=1.8)
        axes.axvline(N**2 / math.pi, color="gray", linestyle=":", linewidth=0.9)
        axes.annotate(
            "$N^2/\\pi$", (N**2 / math.pi, 1.5e-6), xytext=(-3, 0), textcoords="offset points", ha="right", color="gray"
        )
        axes.set(xlim=(0.1, reach), ylim=(1e-6, 3), title=f"$N={N}$", xlabel="frequency $w$ (radians/time)")
    panels[0].set_ylabel("$|X_0(iw)|$")
    left, middle, right = panels[3:]
    odd = 2 * np.arange(len(data[f"spike_{shown[-1]}"])) + 1
    left.loglog(odd, 2 / (odd * math.pi), ":", color="gray", linewidth=1.6)
    for N, color in zip(shown, colors, strict=False):
        left.loglog(odd[: N // 2], data[f"height_{N}"], ".-", color=color, markersize=2, linewidth=0.5)
    labels = [
        (float(odd[N // 2 - 1]), float(data[f"height_{N}"][-1]), f"${N}$" if shown[0] != N else f"$N={N}$", color)
        for N, color in zip(shown, colors, strict=False)
    ]
    for x, y, text, color in labels:
        left.annotate(text, (x, y), xytext=(0, 4), textcoords="offset points", color=color, ha="center", fontsize=7)
    left.set(xlabel="$2m+1$", ylabel="height of the spike at $w_m$", title="heights along the comb")
    left.set_ylim(top=2)
    sizes, names = data["size"], ("$n=0$", "$n=1$", "$n=2$")
    ends = []
    for n, (name, color) in enumerate(zip(names, COLORS.values(), strict=False)):
        middle.semilogx(sizes, data[f"supremum_{n}"], "o-", color=color, markersize=2.5)
        middle.semilogx(sizes, np.full(len(sizes), data["limit"][n]), ":", color=color)
        ends.append((float(sizes[-1]), float(data[f"supremum_{n}"][-1]), name, color))
    middle.set(xlabel="state size $N$", ylabel="largest difference", title="largest difference", ylim=(0, None))
    label_curves(middle, ends)
    pairs = (("top", "spike at $w_0$", COLORS["orange"]), ("supremum_0", "difference", COLORS["blue"]))
    ends = []
    for (name, text, color), law in zip(pairs, ("law_top", "law_supremum"), strict=True):
        excess = data[name] - data["limit"][0]
        right.loglog(sizes, excess, "o", color=color, markersize=2.5)
        right.loglog(sizes, data[law], ":", color=color)
        ends.append((float(sizes[-1]), float(data[law][-1]), text, color))
    right.set(xlabel="state size $N$", ylabel="height minus $2/\\pi$", title="what is left, $n=0$")
    label_curves(right, ends)
