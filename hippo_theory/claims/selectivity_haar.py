"""Input selectivity: Haar projections by selective states."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import arb

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import AT_MOST
from hippo_theory.selectivity import (
    haar_block_system,
    haar_system,
    output_weights,
    step_feature,
    window_system,
)

__all__: list[str] = []

PAPER = "Understanding input selectivity in Mamba (arXiv:2506.11891)"
STEP = Fraction(1, 10**6)


def _early_window() -> tuple[list[dict[str, Any]], bool]:
    """The weight of f_(start-1) with logits a (start - 1/2 - t), start = 10 of 20: prod over t >= start of 1/(1 + e^z)."""
    with balls(256).work() as ring:
        weight = arb(1)
        for t in range(10, 21):
            weight /= 1 + (ring.number(40) * (ring.number(Fraction(19, 2)) - t)).exp()
        return [{"case": "a = 40, lambda = 1", "numbers": f"weight of f_(t_0 - 1): {weight.str(8)}"}], bool(
            weight > arb("0.99")
        )


@claim(
    "s6.haar.abs",
    title="One selective state sums an input over a window",
    statement=r"$h_t = e^{-\lambda\Delta_t} h_{t-1} + f_t$ with $\Delta_t = \operatorname{softplus}\left(a\left(t_0 + "
    r"\frac12 - "
    r"t\right)\right)$: in $h_T$ each $f_s$, $s \ge t_0$, has a weight at least $1 - \frac{\lambda e^{-a/2}}{1 - "
    r"e^{-a}}$ and at "
    r"most $1$, and each $f_s$, $s < t_0$, one at most $e^{-\lambda a/2}$, for every $T \ge t_0$.",
    source=f"{PAPER}, its Haar projection; this construction and its constants are derived here",
    domain="lambda = 1/4, 1, 3, a = 2, 10, 40, (T, t_0) = (8, 3), (60, 30), (400, 17), every s, balls",
    routes=("both bounds", "output weights of the package's system"),
    relation=AT_MOST,
    expected="REFINED",
    corruptions=[{"later": (1 + STEP) / 2}, {"past": (1 + STEP) / 2}, {"factor": 1 - STEP}],
    counterexample=Counterexample(
        r"The logits $a\left(t_0 - \frac12 - t\right)$ sum the same window: with them the weight of $f_{t_0 - 1}$ is "
        r"almost $1$.",
        lambda effort: _early_window(),
    ),
    tags=("selectivity", "haar"),
    related=("s6.haar.abs.coefficient", "s6.haar.block"),
    figure="haar-windows",
)
class Window:
    """Both bounds are met up to a factor 1 + O(e^(-a/2)) or better."""

    def cases(effort: str) -> Iterator[Case]:
        for rate in (Fraction(1, 4), Fraction(1), Fraction(3)):
            for a in (2, 10, 40):
                for T, start in ((8, 3), (60, 30), (400, 17)):
                    yield {"lambda": rate, "a": a, "T": T, "t_0": start}

    def claimed(
        case: Case, *, later: Fraction = Fraction(1, 2), past: Fraction = Fraction(1, 2), factor: Fraction = Fraction(1)
    ) -> list[Any]:
        with balls(256).work() as ring:
            a, rate = ring.number(case["a"]), ring.number(case["lambda"])
            lost = ring.number(factor) * rate * (-a * ring.number(later)).exp() / (1 - (-a).exp())
            return [lost, (-rate * a * ring.number(past)).exp()]

    def computed(case: Case) -> list[Any]:
        with balls(256).work() as ring:
            system = window_system(case["T"], case["t_0"], sharpness=case["a"], rate=case["lambda"], arithmetic=ring)
            weights = output_weights(system)
            lost, kept = arb(0), arb(0)
            for s, weight in enumerate(weights, 1):
                if s >= case["t_0"]:
                    lost = lost.max(1 - weight)
                else:
                    kept = kept.max(weight)
            return [lost, kept]


@claim(
    "s6.haar.abs.coefficient",
    title="Three selective states give a Haar coefficient",
    statement=r"Windows that begin at $l < m < r \le T + 1$, with weights $1, -2, 1$ (the last one is empty and left out for "
    r"$r = T + 1$): $\left|y_T - \sum_{l \le s < m} f_s + "
    r"\sum_{m \le s < r} "
    r"f_s\right| \le 4 \max\left(\frac{\lambda e^{-a/2}}{1 - e^{-a}}, e^{-\lambda a/2}\right) \sum_s |f_s|$, for every "
    r"$T$; times "
    r"$(r - l)^{-1/2}$ for the wavelet of unit norm.",
    source=f"{PAPER}, its Haar projection; this construction and its constants are derived here",
    domain="lambda = 1/2, 1, 2, a = 4, 10, 40, supports (3, 4, 5) of 8, (3, 5, 9) of 8, (9, 17, 25) of 40, the worst f, balls; "
    "the factor 4 is seen down to 2",
    routes=("the bound", "the largest difference between output weights of the package's system and the wavelet"),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[{"factor": 2}, {"half": Fraction(11, 20)}],
    tags=("selectivity", "haar"),
    related=("s6.haar.abs",),
    figure="haar-windows",
)
class Coefficient:
    """On a support of two times the error is about 3 of the maximum."""

    def cases(effort: str) -> Iterator[Case]:
        for rate in (Fraction(1, 2), Fraction(1), Fraction(2)):
            for a in (4, 10, 40):
                for T, left, middle, right in ((8, 3, 4, 5), (8, 3, 5, 9), (40, 9, 17, 25)):
                    yield {"lambda": rate, "a": a, "T": T, "edges": (left, middle, right)}

    def claimed(case: Case, *, factor: int = 4, half: Fraction = Fraction(1, 2)) -> Any:
        with balls(256).work() as ring:
            a, rate = ring.number(case["a"]), ring.number(case["lambda"])
            edge = (-a * ring.number(half)).exp()
            later, past = rate * edge / (1 - (-a).exp()), edge ** ring.number(case["lambda"])
            return factor * later.max(past)

    def computed(case: Case) -> Any:
        left, middle, right = case["edges"]
        with balls(256).work() as ring:
            system = haar_system(
                case["T"], left, middle, right, sharpness=case["a"], rate=case["lambda"], arithmetic=ring
            )
            worst = arb(0)
            for s, weight in enumerate(output_weights(system), 1):
                wavelet = 1 if left <= s < middle else -1 if middle <= s < right else 0
                worst = worst.max(abs(weight - wavelet))
            return worst


@claim(
    "s6.haar.block.features",
    title="A difference of two SiLUs is a step",
    statement=r"$\operatorname{silu}(z_t) - \operatorname{silu}(z_t - 1)$ with $z_t = a\left(t - \tau + \frac12\right)$ "
    r"and integers "
    r"$t$ and $\tau$ lies within $\left(\frac{a}{2} - 1\right) e^{1 - a/2}$ of $0$ for $t < \tau$ and of $1$ for $t \ge "
    r"\tau$, if "
    r"$a \ge 4$.",
    source=f"{PAPER}, its Haar projection with the features of a block; derived here",
    domain="a = 4, 8, 16, 40, 80, t - tau from -30 to 30, balls; the true factor tends to 1 - 1/e, so that 3/5 of the "
    "bound fails",
    routes=("the bound", "the largest distance of the package's feature"),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[{"factor": Fraction(3, 5)}, {"half": Fraction(11, 20)}],
    tags=("selectivity", "haar"),
    related=("s6.haar.block",),
)
class StepFeature:
    """The largest distance is at the edge."""

    def cases(effort: str) -> Iterator[Case]:
        for a in (4, 8, 16, 40, 80):
            yield {"a": a}

    def claimed(case: Case, *, factor: Fraction = Fraction(1), half: Fraction = Fraction(1, 2)) -> Any:
        with balls(256).work() as ring:
            y = ring.number(case["a"] * half - 1)
            return ring.number(factor) * y * (-y).exp()

    def computed(case: Case) -> Any:
        with balls(256).work() as ring:
            values = step_feature(61, 31, sharpness=case["a"], arithmetic=ring)
            worst = arb(0)
            for t, value in enumerate(values, 1):
                worst = worst.max(abs(value - int(t >= 31)))
            return worst


@claim(
    "s6.haar.block",
    title="One state of a Mamba block gives a Haar coefficient",
    statement=r"With $\operatorname{st}(\tau)$ the difference of SiLUs of claim s6.haar.block.features, $\Delta_t = "
    r"\operatorname{softplus}\left(-M + (z_\delta + M)(\operatorname{st}(l) - \operatorname{st}(r))\right)$, $z_\delta "
    r"= \ln(e^\delta - "
    r"1)$, $B_t = \operatorname{st}(l) - 2\operatorname{st}(m) + \operatorname{st}(r)$ and the gain $g(\Delta) = "
    r"\Delta$, the weight of "
    r"$f_s$ in $\frac{h_T}{\delta}$ is off from the wavelet by at most $\max\left(e^\kappa - 1, 1 - e^{-\kappa - "
    r"\lambda S}\right)(1 + "
    r"4\eta) + 4\eta$ on the support and $\frac{4 \eta}{\delta} e^{\kappa - M}$ off it; $\eta = \left(\frac{a}{2} - "
    r"1\right) e^{1 - "
    r"a/2}$, $\kappa = 2|z_\delta + M|\eta$, $S = (r - l - 1)\delta e^\kappa + (T - r + 1) e^{\kappa - M}$.",
    source=f"{PAPER}, its Haar projection with the gain of Mamba's code; this construction and its constants are derived here",
    domain="(l, m, r) = (9, 17, 25) of 40, lambda = 1, delta = 10^-2, 10^-3, 10^-4, (M, a) = (40, 80), (12, 40), (30, "
    "16), balls; "
    "the bound on the support is met up to O(lambda S eta + e^-M)",
    routes=("both bounds", "output weights of the package's system against the wavelet"),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[{"rate": 1 - STEP}, {"count": 2}, {"features": 0}, {"floor": 2}],
    tags=("selectivity", "haar"),
    related=("s6.haar.block.features", "s6.haar.abs"),
    figure="haar-windows",
)
class Block:
    """Largest differences on and off the support."""

    edges = (9, 17, 25)

    def cases(effort: str) -> Iterator[Case]:
        for power in (2, 3, 4):
            for floor, a in ((40, 80), (12, 40), (30, 16)):
                yield {"delta": Fraction(1, 10**power), "M": floor, "a": a}

    def claimed(
        case: Case, *, rate: Fraction = Fraction(1), count: int = 1, features: int = 1, floor: int = 1
    ) -> list[Any]:
        left, _, right = Block.edges
        with balls(256).work() as ring:
            delta, y = ring.number(case["delta"]), ring.number(Fraction(case["a"], 2) - 1)
            eta = features * y * (-y).exp()
            kappa = 2 * abs((delta.exp() - 1).log() + case["M"]) * eta
            outside = (kappa - floor * case["M"]).exp()
            later = (right - left - count) * delta * kappa.exp() + (40 - right + 1) * outside
            less = 1 - (-kappa - ring.number(rate) * later).exp()
            return [less.max(kappa.exp() - 1) * (1 + 4 * eta) + 4 * eta, 4 * eta * outside / delta]

    def computed(case: Case) -> list[Any]:
        left, middle, right = Block.edges
        with balls(256).work() as ring:
            system = haar_block_system(
                40, *Block.edges, step=case["delta"], floor=case["M"], sharpness=case["a"], arithmetic=ring
            )
            on, off = arb(0), arb(0)
            for s, weight in enumerate(output_weights(system), 1):
                if left <= s < right:
                    on = on.max(abs(weight - (1 if s < middle else -1)))
                else:
                    off = off.max(abs(weight))
            return [on, off]
