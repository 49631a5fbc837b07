"""Figures of reconstruction: what can be read from the states of the four families about the signal that they have seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import numpy as np

from hippo_theory.arithmetic import FLOAT64
from hippo_theory.discretizations import discretize_dense
from hippo_theory.families import Family, FouT, LagT, LegT
from hippo_theory.figures.registry import figure
from hippo_theory.figures.style import COLORS, Array, Data, Panels
from hippo_theory.kernels import legs_step

__all__ = ["band_limited_noise", "basis_matrix", "reconstruction", "time_varying_states", "window_states"]

_FAMILY_COLORS = {
    "legs": COLORS["blue"],
    "legt": COLORS["vermilion"],
    "fout": COLORS["green"],
    "lagt": COLORS["purple"],
}
_RESOLVED = 1e-6  # errors of least squares below that have too few digits that hold on every processor
_TITLES = {"legs": "LegS", "legt": "LegT", "fout": "FouT", "lagt": "LagT"}
LAGUERRE_RATE = 40
"""Laguerre functions have no length of their own: LagT runs that much faster, for functions of N states reach to 4 N/rate."""


# --- signals -----------------------------------------------------------------------------------------------------------


def band_limited_noise(times: Array, *, highest: int, seed: int, period: float = 1.0) -> Array:
    """White noise of the frequencies 1, ..., `highest` over the period, of unit root mean square; zero at t = 0."""
    draws = np.random.default_rng(seed).standard_normal((2, highest))
    angles = 2 * math.pi * np.multiply.outer(times / period, np.arange(1, highest + 1))
    waves = np.cos(angles) @ draws[0] + np.sin(angles) @ draws[1] - draws[0].sum()
    return np.asarray(waves / math.sqrt(highest))


def _heartbeats(times: Array) -> Array:
    """An electrocardiogram in outline: three beats, each the sum of five bells (P, Q, R, S, T)."""
    bells = ((-0.085, 0.018, 0.18), (-0.02, 0.008, -0.22), (0.0, 0.009, 1.0), (0.02, 0.009, -0.3), (0.105, 0.03, 0.32))
    total = np.zeros_like(times)
    for beat in (0.17, 0.5, 0.83):
        for place, width, height in bells:
            total += height * np.exp(-0.5 * ((times - beat - place) / width) ** 2)
    return 2 * total


def _signals(times: Array, seed: int) -> dict[str, Array]:
    return {
        "noise": band_limited_noise(times, highest=8, seed=seed),
        "chirp": np.sin(2 * math.pi * (times + 7 * times**2)),
        "step": np.where(times < 0.4, -0.7, 0.7),
        "heart": _heartbeats(times),
    }


# --- states ------------------------------------------------------------------------------------------------------------


def time_varying_states(N: int, samples: Array, *, kept: Sequence[int] = ()) -> Array:
    """States of LegS after 1, ..., L samples by its recurrence (bilinear rule, A/k on both sides).

    Parameters
    ----------
    N : int
    samples : (L, S) ndarray
        S signals.
    kept : sequence of int
        After how many samples; without, after all.

    Returns
    -------
    (len(kept), S, N) ndarray; without `kept` (S, N)

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.figures.reconstructions import time_varying_states
    >>> time_varying_states(2, np.ones((5, 1))).round(12) + 0.0
    array([[1., 0.]])
    """
    state = np.zeros((samples.shape[1], N))
    state[:, 0] = samples[0]
    found = {1: state}
    for k in range(1, len(samples)):
        state = legs_step(state, samples[k], k, convention="code", check_values=False)
        if k + 1 in kept:
            found[k + 1] = state
    return np.array([found[k] for k in kept]) if kept else np.asarray(state)


def window_states(family: Family, samples: Array, step: Fraction, *, rate: int = 1, kept: Sequence[int] = ()) -> Array:
    """States of x' = rate (A x + B u) for inputs that are constant between samples: zero-order hold, which is exact then.

    Parameters
    ----------
    family : Family
    samples : (L, S) ndarray
    step : Fraction
    rate : int
        How much faster the system runs.
    kept : sequence of int
        After how many samples; without, after all.

    Returns
    -------
    (len(kept), S, N) ndarray; without `kept` (S, N)
    """
    transition, drive = discretize_dense(family.A, family.B, "zoh", step * rate)
    drive = drive * float(step * rate)
    state, found = np.zeros((family.N, samples.shape[1])), {}
    for k in range(len(samples)):
        state = transition @ state + np.outer(drive, samples[k])
        if k + 1 in kept:
            found[k + 1] = state.T
    return np.array([found[k] for k in kept]) if kept else state.T


def basis_matrix(family: Family, ages: Array) -> Array:
    """p_n at some ages (times ago), (T, N), in float64: the signal at that age is sum_n x_n p_n."""
    # `Family.basis` checks one time; its formula takes them all at once. These families are in their default convention.
    columns = [family._basis(n, ages, FLOAT64) for n in range(family.N)]
    return np.array([np.broadcast_to(column, ages.shape) for column in columns], dtype=float).T


def _legendre_matrix(N: int, places: Array) -> Array:
    """Basis of the time-varying LegS on [0, 1], sqrt(2n+1) P_n(2x-1): that of LegT with age and place exchanged."""
    return basis_matrix(LegT(N), 1 - places)


def _reconstructions(
    name: str, sizes: Sequence[int], signals: Callable[[Array], Array], count: int
) -> dict[int, Array]:
    """What the states of N coefficients (FouT: N + 1) at t = 1 say of the middles of `count` steps, (count, S) for each N."""
    places, step = (np.arange(count) + 0.5) / count, Fraction(1, count)
    if name == "legs":
        # A/k on both sides is the midpoint rule for a sample at t = k and a step from k - 1/2 to k + 1/2.
        at = np.arange(count) / (count - 0.5)
        at[0] = 0.25 / (count - 0.5)
        state = time_varying_states(max(sizes), signals(at))
        return {N: _legendre_matrix(N, places) @ state[:, :N].T for N in sizes}  # A is triangular: states nest
    if name == "lagt":
        family, samples = LagT(max(sizes)), signals(places)
        state = window_states(family, samples, step, rate=LAGUERRE_RATE)
        matrix = basis_matrix(family, LAGUERRE_RATE * (1 - places))
        return {N: matrix[:, :N] @ state[:, :N].T for N in sizes}
    found = {}
    for N in sizes:
        window = LegT(N) if name == "legt" else FouT(N + 1)
        found[N] = basis_matrix(window, 1 - places) @ window_states(window, signals(places), step).T
    return found


def _best(matrix: Array, samples: Array) -> Array:
    """Root mean square errors of the best combination of the columns, found by least squares on all samples."""
    orthonormal = np.linalg.qr(matrix)[0]
    return np.asarray(np.sqrt(np.mean((samples - orthonormal @ (orthonormal.T @ samples)) ** 2, axis=0)))


# --- the figure --------------------------------------------------------------------------------------------------------


@figure(
    "reconstruction",
    title="Reconstruction of signals from the states of LegS, LegT, FouT and LagT",
    caption=(
        "Four signals on $[0,1]$ (gray) run through each system; from the state at $t=1$ the past is read back as "
        "$\\sum_n x_np_n$, above with $N=<shown>$. Below, same colors: root mean square error against $N$, thin gray "
        "for the best approximation by $N$ Legendre polynomials, on which LegS lies down to what its recurrence "
        "leaves at 4096 samples (<noise_legs:.1e> for the noise): smooth signals are found exponentially fast beyond "
        "about three coefficients per period, a jump of height $h$ at $p$ costs $h(\\sqrt{p(1-p)}/\\pi N)^{1/2}$ "
        "(dotted). LegT and FouT fall more slowly, for what leaves their window is taken from their own state: at "
        "$N=64$ the noise is off by <noise_legt:.1e> in LegT. FouT is best at the heartbeats, which are the same at "
        "both ends of the window; LagT (sped up <rate> times) spends its functions on recent samples."
    ),
    alternative=(
        "Above, four signals, each drawn four times in gray with its reconstruction by one family over it: smooth "
        "signals are met, the step shows ripples, the heartbeats are rounded. Below, errors against N in double "
        "logarithmic axes: for the smooth signals they stay near one and then fall steeply, for the step they fall "
        "slowly along a straight line."
    ),
    source="HTTYH (arXiv:2206.12037), figures of function reconstruction; signals and errors are made here",
    panels=(2, 4),
    size=(7.2, 5.0),
    digits=6,
    units={
        "place": "time, in lengths of the signal",
        "signal": "the signal of that name, 1",
        "read": "signal and family: what the state at the end says of it, 1",
        "size": "number of coefficients N (FouT: N + 1 states), 1",
        "error": "signal and family: root mean square error, 1",
        "best": "root mean square error of the best polynomial of degree below N, or 1e-6 where it is smaller, 1",
        "law": "law of the error of the step, 1",
        "shown": "N of the reconstructions, 1",
        "noise": "error of the noise at the largest N in that family, 1",
        "rate": "how much faster LagT runs, 1",
    },
)
def reconstruction(
    panels: Panels,
    *,
    sizes: tuple[int, ...] = (4, 8, 12, 16, 24, 32, 48, 64),
    shown: int = 32,
    samples: int = 4096,
    seed: int = 20220624,
) -> Data:
    """Simulations in float64 (matrix exponentials of LAPACK; 6 digits hold everywhere), best errors by least squares."""
    names = list(_signals(np.zeros(1), seed))

    def signals(times: Array) -> Array:
        return np.stack(list(_signals(times, seed).values()), axis=1)

    times = (np.arange(samples) + 0.5) / samples
    matrix = signals(times)
    few = np.arange(samples // 512, samples, samples // 256)
    data: Data = {
        "place": times[few],
        "size": np.array(sizes),
        "shown": np.array(shown),
        "rate": np.array(LAGUERRE_RATE),
    }
    data.update({f"signal_{name}": matrix[few, place] for place, name in enumerate(names)})
    for family in _TITLES:
        read = _reconstructions(family, sorted({*sizes, shown}), signals, samples)
        errors = np.array([np.sqrt(np.mean((read[N] - matrix) ** 2, axis=0)) for N in sizes])
        for place, name in enumerate(names):
            data[f"read_{name}_{family}"] = read[shown][few, place]
            data[f"error_{name}_{family}"] = errors[:, place]
    best = np.array([_best(_legendre_matrix(N, times), matrix) for N in sizes])
    data.update({f"best_{name}": np.maximum(best[:, place], _RESOLVED) for place, name in enumerate(names)})
    # c_n^2 of a unit jump at p is about sin(theta)/(2 pi n^2), sin(theta) = 2 sqrt(p (1-p)): summed from N on
    data["law_step"] = 1.4 * np.sqrt(math.sqrt(0.4 * 0.6) / (math.pi * data["size"]))
    for family in ("legs", "legt"):
        data[f"noise_{family}"] = data[f"error_noise_{family}"][-1]
    if panels is not None:
        _draw(panels, data, names)
    return data


def _draw(panels: Panels, data: Mapping[str, Array], names: Sequence[str]) -> None:
    titles = {"noise": "band-limited noise", "chirp": "chirp", "step": "step", "heart": "heartbeats"}
    for column, name in enumerate(names):
        above, below = panels[column], panels[column + len(names)]
        for row, (family, color) in enumerate(_FAMILY_COLORS.items()):
            shift = -5 * row
            above.plot(data["place"], data[f"signal_{name}"] + shift, color="0.65", linewidth=1.8)
            above.plot(data["place"], data[f"read_{name}_{family}"] + shift, color=color, linewidth=0.8)
            below.loglog(data["size"], data[f"error_{name}_{family}"], "o-", color=color, markersize=2, linewidth=0.9)
            if column == 0:
                above.annotate(
                    _TITLES[family],
                    (-0.03, shift),
                    color=color,
                    fontsize=7,
                    ha="right",
                    va="center",
                    annotation_clip=False,
                )
        below.loglog(data["size"], data[f"best_{name}"], color="0.5", linewidth=0.7)
        if f"law_{name}" in data:
            below.loglog(data["size"], data[f"law_{name}"], ":", color="black", linewidth=1.1)
        above.set(title=titles[name], xlim=(0, 1), ylim=(-19.2, 3.5), xlabel="time")
        above.set_yticks([])
        above.grid(visible=False)
        below.set(xlabel="$N$")
        below.set_xticks([4, 8, 16, 32, 64], ["4", "8", "16", "32", "64"])
        low = min(
            data[f"{kind}_{name}{end}"].min() for kind, end in (("best", ""), ("error", "_legs"), ("error", "_fout"))
        )
        if low > 1e-3:
            below.set_yticks([0.05, 0.1, 0.2, 0.5, 1], ["0.05", "0.1", "0.2", "0.5", "1"])
        below.set_ylim(low / 1.4 if low > _RESOLVED else 2 * _RESOLVED, 2)
        below.minorticks_off()
    panels[len(names)].set_ylabel("root mean square error")
