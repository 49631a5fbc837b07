"""Figures of basis kernels: the four families, and full systems against their diagonal restrictions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from hippo_theory.arithmetic import Balls, balls, exact_fraction
from hippo_theory.discretizations import discretize, discretize_dense
from hippo_theory.families import Family, FouT, LagT, LegS, LegT
from hippo_theory.figures.registry import figure
from hippo_theory.figures.style import COLORS, Array, Data, Panels
from hippo_theory.kernels import ExponentialSum, certified_kernel, diagonal_kernel, full_kernel

__all__ = ["family_basis_kernels", "lag_values", "legs_full_against_diagonal", "other_families_full_against_diagonal"]

_DECIMALS = 6  # of kernels from dense float64 exponentials, which lose up to about 1e-11


def lag_values(make: Callable[[Balls], ExponentialSum], method: str, step: Fraction, count: int) -> Array:
    """The first `count` values of a discretized kernel, certified and rounded to float64.

    Parameters
    ----------
    make : callable
        The continuous kernel at a given precision.
    method : str
        zoh, bilinear or sampled.
    step : Fraction
    count : int

    Returns
    -------
    (count,) ndarray of float64
        Each within 1e-17 of the largest, and then rounded.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from hippo_theory.families import LegS
    >>> from hippo_theory.figures.kernels import lag_values
    >>> from hippo_theory.kernels import full_kernel
    >>> lag_values(lambda ring: full_kernel(LegS(4), 0, ring), "sampled", Fraction(1, 2), 2).round(6)
    array([1.      , 0.606531])
    """
    values = certified_kernel(
        lambda ring: discretize(make(ring), method, step), range(count), 17, relative_to="largest"
    )
    return np.array([float(value) for value in values])


def dense_values(family: Family, components: Sequence[int], method: str, step: Fraction, count: int) -> Array:
    """The first values of some kernels of the full system, (components, count), by a float64 recurrence, to 6 decimals."""
    state, drive = discretize_dense(family.A, family.B, method, step)
    values, x = np.empty((len(components), count)), drive
    for lag in range(count):
        values[:, lag] = x[list(components)]
        x = state @ x
    return values.round(_DECIMALS) + 0.0


def _closed_form(family: Family, component: int, times: Sequence[Fraction]) -> Array:
    with balls(128).work() as ring:
        return np.array([float(family.kernel(component, time, ring)) for time in times])


def _window(family: Family, component: int, times: Sequence[Fraction]) -> Array:
    """p_n omega, which the kernels of a window approach."""
    with balls(128).work() as ring:
        return np.array([float(family.basis(component, t, ring) * family.measure(t, ring)) for t in times])


def _color_key(axes: Any, components: Iterable[int], top: float = 0.9) -> None:
    """n = 0, 1, ... in their colors, in the upper right corner, which kernels leave empty."""
    names = list(zip(components, COLORS.values(), strict=False))
    for place, (n, color) in enumerate(names):
        x = 0.99 - 0.12 * (len(names) - 1 - place)
        axes.annotate(f"$n={n}$", (x, top), xycoords="axes fraction", ha="right", color=color)


def _root_mean_square(values: Array) -> float:
    return math.sqrt(float(np.mean(values**2)))


@figure(
    "basis-kernels",
    title="Basis kernels of the four families at N = 1024",
    caption=(
        "The first kernels $K_n(t) = e_n^T e^{tA} B$ at $N = 1024$ (FouT: 1023). Those of LegS and LagT are $p_n(t)\\omega(t)$ "
        "for every $N > n$. Those of LegT and FouT only approach $p_n$ on the window (gray dotted; cut off at $t = 1$): "
        "between $t = 1$ and $2$ the root mean square of $K_0$ is <tail_legt:.2g> for LegT and <tail_fout:.2g> for FouT. "
        "At $t = 0$ FouT starts from $B$, twice the limit."
    ),
    alternative=(
        "Four panels of four curves. LegS: decaying oscillations, faster near zero. LagT: slower decaying oscillations. LegT: "
        "Legendre polynomials on the window, almost zero after it. FouT: the constant, cosines and sines on the window, "
        "almost zero after it, with small ripples at the ends."
    ),
    source="HTTYH (arXiv:2206.12037), figures of the basis kernels at N = 1024 (from notes on the paper)",
    panels=(2, 2),
    size=(7.2, 4.4),
    digits=6,
    units={
        "time": "t; 1 = the window, or the scale of the exponential",
        "kernel": "K_n(t), per unit of time",
        "limit": "p_n(t) omega(t), per unit of time",
        "tail": "root mean square of K_0 on 1 < t <= 2, per unit of time",
    },
)
def family_basis_kernels(panels: Panels, *, N: int = 1024, components: int = 4, step: str = "0.005") -> Data:
    """LegS and LagT in balls; LegT and FouT by dense float64 exponentials (LAPACK), rounded to 6 decimals."""
    spacing = exact_fraction(step)
    data: Data = {}
    for name, family in {"legs": LegS(N), "lagt": LagT(N, beta=Fraction(1))}.items():
        times = [4 * spacing * lag for lag in range(int(5 / (4 * spacing)) + 1)]
        data[f"time_{name}"] = np.array([float(time) for time in times])
        for n in range(components):
            data[f"kernel_{name}_{n}"] = _closed_form(family, n, times)
    for name, window in {"legt": LegT(N), "fout": FouT(N - 1 + N % 2)}.items():
        times = [spacing * lag for lag in range(int(2 / spacing) + 1)]
        data[f"time_{name}"] = np.array([float(time) for time in times])
        values = dense_values(window, range(components), "sampled", spacing, len(times))
        for n in range(components):
            data[f"kernel_{name}_{n}"] = values[n]
            data[f"limit_{name}_{n}"] = _window(window, n, times)
        after = np.array([time > 1 for time in times])
        data[f"tail_{name}"] = np.array(_root_mean_square(values[0, after]))
    if panels is None:
        return data
    titles = {
        "legs": f"LegS, $N={N}$",
        "lagt": f"LagT ($\\beta = 1$), $N={N}$",
        "legt": f"LegT, $N={N}$",
        "fout": f"FouT, $N={N - 1 + N % 2}$",
    }
    for axes, (name, title) in zip(panels, titles.items(), strict=True):
        time = data[f"time_{name}"]
        for n, color in zip(range(components), COLORS.values(), strict=False):
            values = data[f"kernel_{name}_{n}"]
            axes.plot(time, values, color=color)
            if f"limit_{name}_{n}" in data:
                inside = time <= 1
                axes.plot(time[inside], data[f"limit_{name}_{n}"][inside], ":", color="#333333", linewidth=0.8)
        _color_key(axes, range(components))
        axes.set(title=title, xlim=(0, time[-1]), xlabel="time $t$")
    panels[0].set_ylabel("kernel $K_n(t)$")
    panels[2].set_ylabel("kernel $K_n(t)$")
    return data


def _noise_law(method: str, N: int, component: int, step: Fraction, time: Array) -> Array | None:
    """Root mean square of diagonal minus full kernel near t, leading term as N grows; None outside its regime.

        sampled:  (R_n/2) e^(-t/2);          zoh:  R_n e^(-t/2) / (N sqrt D)           for N sqrt D >= 4, N D <= 1 or so;
        bilinear: R_n (e^(-t/2) I_0(t/2))^(1/2) / (N sqrt D)                            for N sqrt D >= 4, t >> (N D)^2.

    Derived: amplitudes 2 R_n/((2m+1) pi) of the sines at w_m ~ N^2/((2m+1) pi), divided by w_m D/2 (zero-order hold), or
    with the decay of each pole under the bilinear map.
    """
    from scipy.special import i0e

    R, D = math.sqrt(2 * component + 1), float(step)
    if method == "sampled":
        return np.asarray(R / 2 * np.exp(-time / 2))
    if N * math.sqrt(D) < 4:
        return None
    if method == "zoh":
        return np.asarray(R * np.exp(-time / 2) / (N * math.sqrt(D))) if N * D <= 4 else None
    return np.asarray(R * np.sqrt(i0e(time / 2)) / (N * math.sqrt(D))) if N * D <= 1 else None


_LANE = 3.2  # how far apart the kernels of two components are drawn
_SMOOTH = 20  # smooth curves are drawn through every twentieth sample
_ROWS = {"sampled": "continuous, sampled", "zoh": "zero-order hold", "bilinear": "bilinear"}


@figure(
    "legs-full-against-diagonal",
    title="S4D-LegS is a noisy copy of S4-LegS; it is the discretization that takes the noise away",
    caption=(
        "Kernels $K_0$ and, drawn below it, $K_1$ of LegS (black) and of its diagonal restriction (color), step $D = 0.002$. "
        "First row: samples of "
        "the continuous kernels. The restriction is then a sum of sines up to the frequency $N^2/\\pi$ that do not shrink: no "
        "function in the limit, and what is seen is a sample of it. The root mean square error of $K_0$ for $t > 0.1$ is "
        "<rms_sampled_64_0:.3f>, <rms_sampled_256_0:.3f>, <rms_sampled_1024_0:.3f> for $N = 64, 256, 1024$ (theory, gray "
        "band: $e^{-t/2}/2$, on average <law_sampled_1024_0:.3f>); after zero-order hold <rms_zoh_64_0:.3f>, "
        "<rms_zoh_256_0:.3f>, <rms_zoh_1024_0:.4f> (theory $e^{-t/2}/(N\\sqrt{D})$: <law_zoh_256_0:.3f> and "
        "<law_zoh_1024_0:.4f> at the two larger sizes), after the bilinear rule <rms_bilinear_64_0:.3f>, "
        "<rms_bilinear_256_0:.3f>, <rms_bilinear_1024_0:.4f>, where the error only begins at $t \\approx (ND)^2/4$ "
        "(dotted line)."
    ),
    alternative=(
        "Nine panels: three methods by three sizes. Sampled, the diagonal kernels scatter about the full ones equally at "
        "every size. After zero-order hold and after the bilinear rule they scatter less as the size grows, until at 1024 "
        "they lie almost on the full ones; the bilinear ones are clean up to about time one."
    ),
    source="S4D (arXiv:2206.11893), figure 2 (from notes on the paper); laws derived here",
    panels=(3, 3),
    size=(7.2, 5.6),
    digits=9,
    axes={"sharex": True, "sharey": True},
    units={
        "time": "t = l D, of the lag l",
        "full": "K_n of the full system after exact sampling, per unit of time",
        "diagonal": "K_n of the diagonal restriction after the method, per unit of time",
        "rms": "root mean square of diagonal minus full, the same method on both sides, t > 0.1, per unit of time",
        "law": "the same by theory, per unit of time",
    },
)
def legs_full_against_diagonal(
    panels: Panels,
    *,
    sizes: tuple[int, ...] = (64, 256, 1024),
    components: tuple[int, ...] = (0, 1),
    step: str = "0.002",
    horizon: int = 2,
) -> Data:
    """All kernels certified, from the closed forms of both spectra."""
    D = exact_fraction(step)
    count = int(horizon / D) + 1
    time = np.array([float(D * lag) for lag in range(count)])
    late = time > 0.1
    data: Data = {"time": time}
    for n in components:
        for method in _ROWS:
            full = lag_values(lambda ring, n=n: full_kernel(LegS(n + 1), n, ring), method, D, count)  # type: ignore[misc]
            if method == "sampled":
                data[f"full_{n}"] = full
            for N in sizes:
                values = lag_values(lambda ring, n=n, N=N: diagonal_kernel(LegS(N), n, ring), method, D, count)  # type: ignore[misc]
                data[f"diagonal_{method}_{N}_{n}"] = values
                data[f"rms_{method}_{N}_{n}"] = np.array(_root_mean_square((values - full)[late]))
                law = _noise_law(method, N, n, D, time)
                if law is not None:
                    data[f"law_{method}_{N}_{n}"] = np.array(_root_mean_square(law[late]))
    if panels is None:
        return data
    grid = panels.reshape(len(_ROWS), len(sizes))
    for line, method in zip(grid, _ROWS, strict=True):
        for axes, N in zip(line, sizes, strict=True):
            for place, (n, color) in enumerate(zip(components, COLORS.values(), strict=False)):
                low = -_LANE * place
                full, law = data[f"full_{n}"] + low, _noise_law(method, N, n, D, time)
                values = data[f"diagonal_{method}_{N}_{n}"] + low
                axes.plot(
                    time, values, color=color, linewidth=0.4, alpha=0.8, rasterized=method == "sampled" or N < 100
                )
                axes.plot(time[::_SMOOTH], full[::_SMOOTH], color="black", linewidth=0.9)
                if law is not None:
                    edges = [(full + sign * law)[::_SMOOTH] for sign in (-1, 1)]
                    axes.fill_between(time[::_SMOOTH], *edges, color="#777777", alpha=0.4, linewidth=0, zorder=3)
                axes.annotate(f"$n={n}$", (0.97 * horizon, low + 1.4), ha="right", color=color)
            if method == "bilinear" and 0.2 < (N * float(D)) ** 2 / 4 < horizon:
                axes.axvline((N * float(D)) ** 2 / 4, color="#444444", linestyle=":")
                axes.annotate("$(ND)^2/4$", ((N * float(D)) ** 2 / 4, -1.9), xytext=(3, 0), textcoords="offset points")
            axes.set(xlim=(0, horizon), ylim=(-_LANE * (len(components) - 1) - 1.6, 2.6))
            if method == "sampled":
                axes.set_title(f"$N={N}$")
            if method == "bilinear":
                axes.set_xlabel("time $t$")
        ticks = [value - _LANE * place for place in range(len(components)) for value in (0, 1)]
        line[0].set_yticks(ticks, ["0", "1"] * len(components))
        line[0].set_ylabel(f"{_ROWS[method]}\n$K_n(t)$")
    return data


@figure(
    "other-families-full-against-diagonal",
    title="Only LegS survives without its low-rank term: LegT and FouT do not",
    caption=(
        "Kernels $K_0$ and $K_1$ of the full system (black) and of its diagonal restriction (color) after zero-order hold "
        "with step 0.004. The normal parts are antisymmetric, so that nothing decays. The restriction of FouT repeats the "
        "window for ever (dotted: $p_n(t - \\lfloor t\\rfloor)$); that of LegT, whose small eigenvalues lie near "
        "$(2k+1)\\pi i$ for even $N$, repeats it with alternating sign, $(-1)^{\\lfloor t\\rfloor} p_n(t - \\lfloor "
        "t\\rfloor)$, under noise that the hold takes away as $N$ grows: from this the restriction differs by "
        "<noise_legt_small:.2g> (root mean square, $n = 0$) at the smaller size and <noise_legt_large:.2g> at the larger. "
        "For $1 < t \\le 3$ the root mean square of $K_0$ at the larger size is <after_legt_full:.2g> (LegT) and "
        "<after_fout_full:.2g> (FouT) for the full systems, and <after_legt_diagonal:.3g> and <after_fout_diagonal:.3g> for "
        "the restrictions: no convergence."
    ),
    alternative=(
        "Four panels: LegT and FouT at two sizes. The full kernels live on the window from 0 to 1 and vanish after it. The "
        "diagonal ones go on: those of FouT periodically, those of LegT with alternating sign, noisily at the smaller size."
    ),
    source="S4D (arXiv:2206.11893), remark that only LegS has this property; derived here",
    panels=(2, 2),
    size=(7.2, 4.4),
    digits=6,
    axes={"sharex": True, "sharey": "row"},
    units={
        "time": "t = l D, of the lag l; 1 = the window",
        "full": "K_n of the full system, per unit of time",
        "diagonal": "K_n of the diagonal restriction, per unit of time",
        "continued": "the window repeated, LegT with alternating sign, per unit of time",
        "after": "root mean square of K_0 on 1 < t <= 3 at the larger size, per unit of time",
        "noise": "root mean square of the restriction minus the window repeated, n = 0, 0 <= t <= 3, per unit of time",
    },
)
def other_families_full_against_diagonal(
    panels: Panels, *, sizes: tuple[int, int] = (64, 512), components: tuple[int, ...] = (0, 1), step: str = "0.004"
) -> Data:
    """Restrictions certified; full systems by dense float64 exponentials (LAPACK), rounded to 6 decimals."""
    D = exact_fraction(step)
    times = [D * lag for lag in range(int(3 / D) + 1)]
    time = np.array([float(value) for value in times])
    data: Data = {"time": time}
    for name in ("legt", "fout"):
        for N, words in zip(sizes, ("small", "large"), strict=True):
            family = _windowed(name, N)
            full = dense_values(family, components, "zoh", D, len(times))
            for place, n in enumerate(components):
                data[f"full_{name}_{N}_{n}"] = full[place]
                data[f"diagonal_{name}_{N}_{n}"] = lag_values(
                    lambda ring, family=family, n=n: diagonal_kernel(family, n, ring),  # type: ignore[misc]
                    "zoh",
                    D,
                    len(times),
                )
                if words == "large":
                    data[f"continued_{name}_{n}"] = _continued(family, n, times)
        for kind in ("full", "diagonal"):
            data[f"after_{name}_{kind}"] = np.array(_root_mean_square(data[f"{kind}_{name}_{sizes[1]}_0"][time > 1]))
        for N, words in zip(sizes, ("small", "large"), strict=True):
            noise = data[f"diagonal_{name}_{N}_0"] - data[f"continued_{name}_0"]
            data[f"noise_{name}_{words}"] = np.array(_root_mean_square(noise))
    if panels is None:
        return data
    grid = panels.reshape(2, 2)
    for line, name in zip(grid, ("legt", "fout"), strict=True):
        for axes, N in zip(line, sizes, strict=True):
            for n, color in zip(components, COLORS.values(), strict=False):
                axes.plot(time, data[f"diagonal_{name}_{N}_{n}"], color=color, linewidth=0.7)
                axes.plot(time, data[f"full_{name}_{N}_{n}"], color="black", linewidth=1.0)
                axes.plot(time, data[f"continued_{name}_{n}"], ":", color="#333333", linewidth=0.8)
            axes.set(xlim=(0, 3), title=f"{'LegT' if name == 'legt' else 'FouT'}, $N={_windowed(name, N).N}$")
            _color_key(axes, components, top=0.94)
        line[0].set_ylabel("kernel $K_n(t)$")
    for axes in grid[1]:
        axes.set_xlabel("time $t$")
    return data


def _windowed(name: str, N: int) -> Family:
    return LegT(N) if name == "legt" else FouT(N - 1 + N % 2)


def _continued(family: Family, component: int, times: Sequence[Fraction]) -> Array:
    """The basis function on the window, repeated; for LegT of even N each repetition with the other sign.

    Of FouT it is the restriction itself: the eigenvalues are 2 pi i m. The small eigenvalues of LegT lie near pi i m, m odd
    for even N and even for odd N, so that e^(S) is near -1 or 1 on what they span; that the kernels follow is observed.
    """
    alternates = isinstance(family, LegT) and family.N % 2 == 0
    with balls(128).work() as ring:
        values = [float(family.basis(component, time % 1, ring)) for time in times]
    signs = [-1 if alternates and math.floor(time) % 2 else 1 for time in times]
    return np.array(values) * signs
