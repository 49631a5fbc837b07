"""Figures of the asymptotic laws of LegS: its eigenvalues as N grows."""

from __future__ import annotations

import numpy as np
from flint import arb

from hippo_theory.arithmetic import balls
from hippo_theory.families import legs_phase
from hippo_theory.figures.registry import figure
from hippo_theory.figures.style import COLORS, Data, Panels, label_curves

__all__ = ["eigenvalue_asymptotics"]


@figure(
    "eigenvalue-asymptotics",
    title="The eigenvalues of S4D-LegS: the constant of the conjecture is -pi/6",
    caption=(
        "Left: what remains of the $n$-th largest imaginary part of the normal part of LegS after $N^2/\\mu_n$, "
        "$\\mu_n = (2n+1)\\pi$, tends to $-\\mu_n/6$ (dotted), for $n=0$ to $-\\pi/6 = -0.523599$; at $N = 64$ it is "
        "$<constant_64:.6f>$. Right, $n=0$: the error after one, two, three and four terms of the series falls "
        "with $N^0, N^{-2}, N^{-4}$ and $N^{-6}$."
    ),
    alternative=(
        "Two plots against N. The remainders of the three largest eigenvalues level off at minus mu over six. The errors "
        "after one to four terms of the series are straight lines in double logarithmic axes, each steeper than the last."
    ),
    source="S4D (arXiv:2206.11893), its conjecture on the asymptotics of the eigenvalues; the series is derived here",
    panels=(1, 2),
    size=(7.2, 2.9),
    units={
        "size": "state size N",
        "remainder": "w_n - N^2/((2n+1) pi), radians per unit of time, for n = 0, 1, 2",
        "limit": "-(2n+1) pi/6, radians per unit of time",
        "error": "absolute error of w_0 after so many terms, radians per unit of time",
        "constant_64": "w_0 - N^2/pi at N = 64, radians per unit of time",
    },
)
def eigenvalue_asymptotics(panels: Panels, *, largest: int = 4096) -> Data:
    """Certified frequencies against the series N^2/mu - mu/6 + (mu/12 + mu^3/90)/N^2 - (mu^3/36 + 11 mu^5/7560)/N^4."""
    sizes = [2**power for power in range(3, largest.bit_length())]
    remainders, errors = np.empty((3, len(sizes))), np.empty((4, len(sizes)))
    with balls(300).work() as ring:
        for place, N in enumerate(sizes):
            frequencies = legs_phase.frequencies(N, ring, np.arange(3))
            for n, w in enumerate(frequencies):
                mu = (2 * n + 1) * arb.pi()
                remainders[n, place] = float(w - N * N / mu)
                terms = [
                    N * N / mu,
                    -mu / 6,
                    (mu / 12 + mu**3 / 90) / N**2,
                    -(mu**3 / 36 + 11 * mu**5 / 7560) / N**4,
                ]
                if n == 0:
                    errors[:, place] = [float(abs(w - sum(terms[: count + 1]))) for count in range(4)]
    limits = -(2 * np.arange(3) + 1) * np.pi / 6
    data: Data = {
        "size": np.array(sizes),
        "limit": limits,
        "constant_64": remainders[0, sizes.index(64)],
        **{f"remainder_{n}": remainders[n] for n in range(3)},
        **{f"error_{count + 1}": errors[count] for count in range(4)},
    }
    if panels is None:
        return data
    left, right = panels
    for n, color in zip(range(3), COLORS.values(), strict=False):
        left.semilogx(sizes, remainders[n], "o-", color=color, markersize=2.5)
        left.axhline(limits[n], color=color, linestyle=":")
        left.annotate(
            f"$n={n}$", (sizes[-1], limits[n]), xytext=(0, 4), textcoords="offset points", color=color, ha="right"
        )
    left.set(xlabel="state size $N$", ylabel="$w_n - N^2/((2n+1)\\pi)$")
    labels = []
    for count, color in zip(range(4), COLORS.values(), strict=False):
        right.loglog(sizes, errors[count], "o-", color=color, markersize=2.5)
        words = "1 term" if count == 0 else f"{count + 1} terms"
        labels.append((sizes[-1], errors[count, -1], words, color))
    right.set(xlabel="state size $N$", ylabel="error of $w_0$")
    label_curves(right, labels)
    return data
