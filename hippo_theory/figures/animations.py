"""The animations: reconstruction as the signal arrives, and kernels as the state grows."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import partial

import numpy as np

from hippo_theory.asymptotics import exact_l2_squared
from hippo_theory.families import LegS, LegT
from hippo_theory.figures.convergence import basis_kernels
from hippo_theory.figures.reconstructions import band_limited_noise, basis_matrix, time_varying_states, window_states
from hippo_theory.figures.registry import animation
from hippo_theory.figures.style import COLORS, Array, Data, Panels

__all__ = ["arriving_data", "arriving_signal", "growing_data", "growing_kernels"]


def _story(index: int, frames: int) -> int:
    """The moment that a frame shows: frame 0 the last one, then from the first on."""
    return (index - 1) % frames


# --- a signal arrives --------------------------------------------------------------------------------------------------

_MOMENTS = 40


def arriving_data(
    *, N: int = 24, length: int = 4, rate: int = 512, highest: int = 20, moments: int = _MOMENTS, seed: int = 20200817
) -> Data:
    """Noise of at most `highest` periods over `length` windows, and what LegS and LegT know of it at each moment."""
    signal = partial(band_limited_noise, highest=highest, seed=seed, period=float(length))
    count = length * rate
    kept = [round(count * (moment + 1) / moments) for moment in range(moments)]
    scaled = time_varying_states(N, signal(np.arange(count) / rate)[:, None], kept=kept)[:, 0]
    window = LegT(N)
    steady = window_states(window, signal((np.arange(count) + 0.5) / rate)[:, None], Fraction(1, rate), kept=kept)[:, 0]
    # After k samples the recurrence of LegS stands at k - 1/2 steps (A/k on both sides is the midpoint rule), LegT at k.
    now, now_scaled = np.array(kept) / rate, (np.array(kept) - 0.5) / rate
    share = (np.arange(160) + 0.5) / 160
    ages = (np.arange(100) + 0.5) / 100
    data: Data = {"time": np.linspace(0, length, 801), "share": share, "age": ages, "now": now}
    data["signal"] = signal(data["time"])
    data["read_legs"] = scaled @ basis_matrix(LegT(N), 1 - share).T
    data["read_legt"] = steady @ basis_matrix(window, ages).T
    truth = signal(np.multiply.outer(now_scaled, share).ravel()).reshape(moments, -1)
    data["error_legs"] = np.sqrt(np.mean((data["read_legs"] - truth) ** 2, axis=1))
    inside = np.maximum(now[:, None] - ages, 0)
    truth = np.where(now[:, None] > ages, signal(inside.ravel()).reshape(moments, -1), 0)
    data["error_legt"] = np.sqrt(np.mean((data["read_legt"] - truth) ** 2, axis=1))
    data["last_legs"], data["last_legt"] = data["error_legs"][-1], data["error_legt"][-1]
    return data


@animation(
    "arriving-signal",
    title="A signal arrives: what LegS and LegT remember of it",
    caption=(
        "Noise (gray) arrives from the left to the present (line); both systems have $N=24$ states. LegS (blue) "
        "reconstructs all of the past, ever more coarsely; LegT (vermilion) reconstructs the last window of length 1 "
        "and drops what is older. Below: root mean square error over what each of them covers, in the end "
        "<last_legs:.2f> for LegS and <last_legt:.0e> for LegT. The first frame is the last moment."
    ),
    alternative=(
        "Animation in three strips. Above, a curve follows a gray signal from its start to the present and becomes "
        "smoother than the signal as time passes. In the middle another curve follows the last unit of time only. "
        "Below, two errors against time: that of LegS rises, that of LegT stays small."
    ),
    source="HTTYH (arXiv:2206.12037) and HiPPO (arXiv:2008.07669), online function reconstruction; made here",
    units={
        "time": "t in windows of LegT",
        "signal": "the signal at these times, 1",
        "share": "place in the past over t, 1",
        "age": "age in windows",
        "now": "the moment of each frame, windows",
        "read": "by moment: what the state says of the past, 1",
        "error": "by moment: root mean square error over the past covered, 1",
        "last": "that error at the last moment, 1",
    },
    frames=_MOMENTS,
    data=arriving_data,
    panels=(3, 1),
    size=(7.2, 4.4),
    digits=5,
    axes={"sharex": True, "height_ratios": (2, 2, 1.3)},
)
def arriving_signal(panels: Panels, data: Mapping[str, Array], index: int) -> None:
    """Panels: LegS, LegT, errors."""
    place = _story(index, len(data["now"]))
    now, length = float(data["now"][place]), float(data["time"][-1])
    above, middle, below = panels
    past = data["time"] <= now
    for axes, color, at, read, text in (
        (above, COLORS["blue"], now * data["share"], data["read_legs"][place], "LegS: all of the past"),
        (middle, COLORS["vermilion"], now - data["age"], data["read_legt"][place], "LegT: the last window"),
    ):
        axes.plot(data["time"][past], data["signal"][past], color="0.65", linewidth=2)
        axes.plot(at, read, color=color, linewidth=1)
        axes.axvline(now, color="0.3", linewidth=0.7)
        axes.set(ylim=(-4, 3.6), ylabel="signal")
        axes.text(0.01, 0.97, text, color=color, transform=axes.transAxes, va="top", fontsize=8)
        axes.tick_params(labelbottom=False)
    middle.axvspan(now - 1, now, color="0.93", linewidth=0)
    seen = slice(0, place + 1)
    for name, color, text in (("legs", COLORS["blue"], "LegS"), ("legt", COLORS["vermilion"], "LegT")):
        below.semilogy(data["now"][seen], data[f"error_{name}"][seen], "o-", color=color, markersize=2)
        below.annotate(
            text, (now, data[f"error_{name}"][place]), xytext=(5, 0), textcoords="offset points", color=color, fontsize=7,
            va="center", annotation_clip=False,
        )  # fmt: skip
    below.set(ylim=(1e-5, 4), xlim=(-0.02, length), xlabel="time $t$ (windows)", ylabel="error")


# --- the number of states grows ----------------------------------------------------------------------------------------

_SIZES = (
    *(4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192),
    *(256, 320, 384, 512, 640, 768, 1024),
)


def growing_data(*, sizes: tuple[int, ...] = _SIZES, step: Fraction = Fraction(1, 100), component: int = 1) -> Data:
    """Kernels from certified poles and weights, at the lags; distances from the closed form and from the lags themselves."""
    data: Data = {
        "size": np.array(sizes),
        "exact": np.array([float(exact_l2_squared(N, component)) ** 0.5 for N in sizes]),
    }
    for method in ("sampled", "zoh"):
        drawn = [
            basis_kernels(None, LegS(N), components=[component], method=method, step=step, horizon=2.5) for N in sizes
        ]
        data["time"], data[f"full_{method}"] = drawn[0]["time"], drawn[0][f"full_{component}"]
        data[f"diagonal_{method}"] = np.array([kernels[f"diagonal_{component}"] for kernels in drawn])
        gaps = data[f"diagonal_{method}"] - data[f"full_{method}"]
        data[f"distance_{method}"] = np.sqrt(float(step) * np.sum(gaps**2, axis=1))
        data[f"last_{method}"] = data[f"distance_{method}"][-1]
    data["law"] = np.sqrt(2 * component + 1) / (data["size"] * float(step) ** 0.5)
    return data


@animation(
    "growing-kernels",
    title="More states: the diagonal kernel converges only behind a discretization",
    caption=(
        "The kernel $K_1$ of LegS (black) and of its diagonal restriction (color) as $N$ grows from 4 to 1024. Left: "
        "sampled in time, step 0.01: the difference becomes noise of ever higher frequency and does not shrink. "
        "Middle: zero-order hold with the same step averages that noise away. Right: $L_2$ distances over $[0,2.5]$, "
        "at $N=1024$ <last_sampled:.3f> and <last_zoh:.4f>; gray: the exact distance of the continuous kernels over "
        "all time; dotted: $\\sqrt3/(N\\sqrt{0.01})$, the law of zero-order hold over all time, above the distance at "
        "large $N$, whose error comes mostly later. The first frame is "
        "the last size."
    ),
    alternative=(
        "Animation in three panels. Left, a noisy curve around a smooth one stays as noisy while its oscillations "
        "become faster. Middle, the noise shrinks until the curves coincide. Right, two distances against N: one "
        "stays level, the other falls along a line of slope minus one."
    ),
    source="S4D (arXiv:2206.11893), Figure 2 and its theorem on LegS; the laws are derived here",
    units={
        "size": "state size N, 1",
        "time": "t in units of time",
        "full": "kernel of LegS by that method, 1 / unit of time",
        "diagonal": "by size: kernel of the restriction by that method, 1 / unit of time",
        "distance": "by size: L2 distance over the times shown, 1",
        "exact": "L2 distance of the continuous kernels over all time, 1",
        "law": "leading term of the distance with zero-order hold, 1",
        "last": "distance at the largest size by that method, 1",
    },
    frames=len(_SIZES),
    data=growing_data,
    panels=(1, 3),
    size=(7.2, 2.9),
    digits=6,
    milliseconds=250,
)
def growing_kernels(panels: Panels, data: Mapping[str, Array], index: int) -> None:
    """Panels: sampled, zero-order hold, distances."""
    place = _story(index, len(data["size"]))
    seen, N = slice(0, place + 1), int(data["size"][place])
    distances = panels[2]
    for axes, method, color, text in (
        (panels[0], "sampled", COLORS["vermilion"], "sampled"),
        (panels[1], "zoh", COLORS["blue"], "zero-order hold"),
    ):
        axes.plot(data["time"], data[f"diagonal_{method}"][place], color=color, linewidth=0.7)
        axes.plot(data["time"], data[f"full_{method}"], color="black", linewidth=1)
        axes.set(xlim=(0, 2.5), ylim=(-2.2, 2.8), xlabel="time $t$ (units of time)", title=f"{text}, $N={N}$")
        distances.loglog(data["size"][seen], data[f"distance_{method}"][seen], "o-", color=color, markersize=2)
        distances.annotate(
            text, {"sampled": (90, 1.1), "zoh": (4.5, 0.02)}[method], color=color, fontsize=7,
        )  # fmt: skip
    panels[0].set_ylabel("$K_1(t)$ (1/unit of time)")
    distances.loglog(data["size"], data["exact"], color="0.5", linewidth=0.7)
    distances.loglog(data["size"], data["law"], ":", color="0.3", linewidth=0.9)
    distances.set(xlim=(3.5, 1200), ylim=(5e-3, 3), xlabel="state size $N$", ylabel="$L_2$ distance", title="distance")
