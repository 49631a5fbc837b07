"""Tuning frequency bias, and the diagonal system with its poles on the unit circle: what imaginary parts can and cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from flint import acb, arb

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import AT_MOST, EQUAL, IDENTICAL
from hippo_theory.initializations import s4d_lin

__all__: list[str] = []

PAPER = "Tuning frequency bias (arXiv:2410.02035)"
DFOUT = "paper on S4D-DFouT (public notes; its text was not at hand)"
STEP = Fraction(1, 10**6)

# Poles -x + i y with coefficients c, as exact numbers.
SYSTEMS: dict[str, list[tuple[str, str, str, str]]] = {
    "one pole near the axis": [("1/10000", "3", "1", "0")],
    "three poles": [("1/2", "1", "2", "1"), ("1/5", "-4", "-1", "1/3"), ("2", "3", "1/2", "-2")],
    "S4D-Lin, 4 poles": [
        ("1/2", "0", "1", "0"),
        ("1/2", "22/7", "1", "0"),
        ("1/2", "44/7", "1", "0"),
        ("1/2", "66/7", "1", "0"),
    ],
}


def _at_the_pole(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """One pole at distance x from the axis: inside the band, over abs(w - y) < 1, the variation is 2 atan(1/x)/x."""
    rows, shown = [], True
    with balls(128).work() as ring:
        for x in (Fraction(1, 10), Fraction(1, 1000)):
            inside = 2 * ring.number(1 / x).atan() / ring.number(x)
            rows.append(
                {
                    "case": f"pole -{x} + i y, B = y - 1",
                    "numbers": f"variation beyond B at least {inside.str(10)}",
                    "margin": None,
                }
            )
            shown = shown and bool(inside > 20)
    return rows, shown


@claim(
    "fb.tv",
    title="Above its largest imaginary part a diagonal system varies little",
    statement=r"$G(s) = \sum_j \frac{c_j}{s-a_j}$, $a_j = -x_j + iy_j$, $x_j > 0$, $B > \max|y_j|$: the total "
    r"variation of $G(i\omega)$ over $|\omega| > B$ is at most $\sum_j |c_j| \left(\frac{1}{B-|y_j|} + "
    r"\frac{1}{B+|y_j|}\right)$; attained for one pole in the limit $x \to 0$. It fails for $B \le "
    r"\max|y_j|$.",
    source=f"{PAPER}, bound on the total variation at high frequencies, as usually quoted",
    domain="three systems (one pole at 1/10000 from the axis, three poles, four of S4D-Lin), B = 10, 40, 400, "
    "certified integrals",
    routes=("the bound", "certified quadrature of abs(G') over both tails, in v = 1/w"),
    relation=AT_MOST,
    expected="REFINED",
    counterexample=Counterexample(
        r"The variation over $|\omega| > B$ is bounded for every $B$ without regard to "
        r"the real parts.",
        _at_the_pole,
    ),
    corruptions=[{"scale": 1 - STEP}, {"shift": 1 - Fraction(1, 10**5)}, {"tails": 1}],
    tags=("frequency",),
    related=("fb.claim", "fb.tv.rate"),
)
class TotalVariation:
    """abs(f) on the real line as the analytic root of f(v) times the conjugate function."""

    def cases(effort: str) -> Iterator[Case]:
        for name in SYSTEMS:
            for B in (10, 40, 400):
                yield {"system": name, "B": B}

    def claimed(
        case: Case, *, scale: Fraction = Fraction(1), shift: Fraction = Fraction(1), tails: int = 2
    ) -> list[Any]:
        with balls(128).work() as ring:
            total = arb(0)
            for _, y, re, im in SYSTEMS[case["system"]]:
                size = abs(acb(ring.number(Fraction(re)), ring.number(Fraction(im))))
                height = shift * abs(Fraction(y))
                ends = 1 / (case["B"] - height) + (1 / (case["B"] + height) if tails == 2 else 0)
                total += size * ring.number(ends)
            return [ring.number(scale) * total]

    def computed(case: Case) -> list[Any]:
        with balls(128).work() as ring:
            poles = []
            for x, y, re, im in SYSTEMS[case["system"]]:
                a = acb(ring.number(-Fraction(x)), ring.number(Fraction(y)))
                poles.append((acb(ring.number(Fraction(re)), ring.number(Fraction(im))), a))
            total = arb(0)
            for sign in (1, -1):

                def density(v: Any, analytic: bool, sign: int = sign) -> Any:
                    up = sum((c / (acb(0, sign) - a * v) ** 2 for c, a in poles), acb(0))
                    low = sum((c.conjugate() / (acb(0, -sign) - a.conjugate() * v) ** 2 for c, a in poles), acb(0))
                    return (up * low).sqrt(analytic=analytic)

                total += acb.integral(
                    density, 0, ring.number(Fraction(1, case["B"])), rel_tol=2.0**-60, abs_tol=2.0**-80
                ).real
            return [total]


@claim(
    "fb.tv.rate",
    title="That variation falls like 1/B",
    statement=r"$\frac{B}{2|\sum_j c_j|}$ times the total variation over $|\omega| > B$ lies within "
    r"$\frac{40}{B}$ of 1.",
    source=f"{PAPER}, O(1/B) decay, as usually quoted; the constant is derived here",
    domain="three poles, S4D-Lin and one pole as in fb.tv, B = 10^3, 10^6, 10^9, certified integrals",
    routes=("the two bounds", "certified quadrature"),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[{"two": 2 + 2 * STEP}, {"two": 2 - 2 * STEP}, {"power": 2}],
    tags=("frequency",),
    related=("fb.tv",),
)
class VariationRate:
    """Upper bound, then minus the lower one."""

    def cases(effort: str) -> Iterator[Case]:
        for name in SYSTEMS:
            for B in (10**3, 10**6, 10**9):
                yield {"system": name, "B": B}

    def claimed(case: Case, *, two: Fraction = Fraction(2), power: int = 1) -> list[Any]:
        with balls(160).work() as ring:
            real = sum(Fraction(row[2]) for row in SYSTEMS[case["system"]])
            imag = sum(Fraction(row[3]) for row in SYSTEMS[case["system"]])
            value = ring.number(two) * ring.sqrt(ring.number(real**2 + imag**2)) / ring.number(case["B"]) ** power
            slack = ring.number(Fraction(40, case["B"]))
            return [value * (1 + slack), -value * (1 - slack)]

    def computed(case: Case) -> list[Any]:
        with balls(160).work() as ring:
            total = arb(0)
            for sign in (1, -1):

                def density(v: Any, analytic: bool, sign: int = sign) -> Any:
                    up = low = acb(0)
                    for x, y, re, im in SYSTEMS[case["system"]]:
                        a = acb(ring.number(-Fraction(x)), ring.number(Fraction(y)))
                        c = acb(ring.number(Fraction(re)), ring.number(Fraction(im)))
                        up += c / (acb(0, sign) - a * v) ** 2
                        low += c.conjugate() / (acb(0, -sign) - a.conjugate() * v) ** 2
                    return (up * low).sqrt(analytic=analytic)

                end = ring.number(Fraction(1, case["B"]))
                total += acb.integral(density, 0, end, rel_tol=2.0**-60, abs_tol=2.0**-120).real
            return [total, -total]


@claim(
    "fb.claim",
    title="Scaling the imaginary parts by alpha moves the band in which a mode acts to alpha y",
    statement=r"One mode $\frac{c}{s + x - i\alpha y}$: its variation over $|\omega| > B$ is "
    r"$\frac{|c|}{x}\left[\pi - \arctan\frac{B-\alpha y}{x} - \arctan\frac{B+\alpha y}{x}\right]$, of "
    r"$\frac{\pi|c|}{x}$ in all; half of it lies above $B = \sqrt{\alpha^2y^2 + x^2}$, so that $\alpha$ sets "
    r"the frequency up to which the system can vary.",
    source=f"{PAPER}, low-frequency bias and its tuning by scaling imaginary parts (abstract); formula derived here",
    domain="x = 1/2, y = 3, c = 2: alpha = 1/10, 1, 10, B = 1/2, 5, 60; and the half point; certified integrals",
    routes=("arctangents", "certified quadrature of abs(G')"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"alpha_power": 0}, {"total": 1 + STEP}, {"half": Fraction(1, 2) + STEP}, {"decay": 1 + STEP}],
    tags=("frequency",),
    related=("fb.tv",),
)
class ScaledMode:
    """abs(G'(iw)) = c / (x^2 + (w - alpha y)^2): meromorphic, no root needed."""

    X, Y, C = Fraction(1, 2), Fraction(3), Fraction(2)

    def cases(effort: str) -> Iterator[Case]:
        for alpha in (Fraction(1, 10), Fraction(1), Fraction(10)):
            for B in (Fraction(1, 2), Fraction(5), Fraction(60)):
                yield {"alpha": alpha, "B": B}

    def claimed(
        case: Case,
        *,
        alpha_power: int = 1,
        total: Fraction = Fraction(1),
        half: Fraction = Fraction(1, 2),
        decay: Fraction = Fraction(1),
    ) -> list[Any]:
        with balls(128).work() as ring:
            x, y = ring.number(decay * ScaledMode.X), ring.number(case["alpha"] ** alpha_power * ScaledMode.Y)
            B, size = ring.number(case["B"]), ring.number(ScaledMode.C) / ring.number(ScaledMode.X)
            beyond = size * (ring.number(total) * ring.pi - ((B - y) / x).atan() - ((B + y) / x).atan())
            return [beyond] + [ring.number(half) * ring.pi * size] * 2

    def computed(case: Case) -> list[Any]:
        with balls(128).work() as ring:
            x, center = ring.number(ScaledMode.X), ring.number(case["alpha"] * ScaledMode.Y)
            size, tolerance = ring.number(ScaledMode.C), 2.0**-90

            def outside(B: Any) -> Any:  # in v = 1/w, over both tails
                parts = [
                    acb.integral(
                        lambda v, _, y=y: size / ((x * v) ** 2 + (1 - y * v) ** 2), 0, 1 / B, rel_tol=tolerance
                    )
                    for y in (center, -center)
                ]
                return (parts[0] + parts[1]).real

            def inside(B: Any) -> Any:
                ends = [-B, *(end for end in (-center, arb(0), center) if abs(end) < B), B]
                return sum(
                    (
                        acb.integral(lambda w, _: size / (x * x + (w - center) ** 2), low, high, rel_tol=tolerance).real
                        for low, high in pairwise(ends)
                    ),
                    arb(0),
                )

            middle = ring.sqrt(center * center + x * x)
            return [outside(ring.number(case["B"])), inside(middle), outside(middle)]


def _printed_average(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """Six times 87.89 is 527.34; the six scores sum to 517.20."""
    scores = [Fraction(x) for x in ("61.89", "87.41", "90.95", "88.48", "94.3", "94.17")]
    gap = 6 * Fraction("87.89") - sum(scores)
    return [{"case": "six LRA scores", "numbers": f"6 x 87.89 exceeds their sum by {float(gap)}", "margin": None}], abs(
        gap
    ) > 6 * Fraction(1, 200)


@claim(
    "fb.dfout.average",
    title="The printed LRA average of S4D-DFouT is not the mean of its six scores",
    statement=r"$61.89, 87.41, 90.95, 88.48, 94.3, 94.17$ have the mean $86.20$ exactly, not $87.89$ as public "
    r"notes of the table print.",
    source=f"{DFOUT}, table of LRA scores",
    domain="six printed numbers, exact rationals",
    routes=("the mean", "the sum of the scores divided by their number"),
    relation=IDENTICAL,
    expected="REFUTED",
    counterexample=Counterexample("The average of the six scores is 87.89 (within rounding).", _printed_average),
    corruptions=[{"mean": Fraction("87.89")}, {"mean": Fraction("86.20") + Fraction(1, 10**4)}],
    tags=("arithmetic", "exact"),
)
class DfoutAverage:
    """Arithmetic only; which of the printed numbers is wrong it cannot say."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"scores": ("61.89", "87.41", "90.95", "88.48", "94.3", "94.17")}

    def claimed(case: Case, *, mean: Fraction = Fraction("86.20")) -> list[Any]:
        return [mean]

    def computed(case: Case) -> list[Any]:
        return [sum((Fraction(score) for score in case["scores"]), Fraction(0)) / len(case["scores"])]


@claim(
    "fb.dfout.spike",
    title="S4D-Lin cannot hold an isolated spike at a lag beyond 2/Delta",
    statement=r"$\lambda_n = -\frac12 + i\pi n$, any coefficients, step $\Delta$ with $p = 2/\Delta$ an integer: "
    r"$K_{l} = e^{1} K_{l+p}$ for every $l$. A value at lag $\tau \ge p$ thus has a larger one, by the "
    r"factor $e$, at $\tau - 2/\Delta$: no isolated spike for $\Delta \ge 2/\tau$.",
    source=f"{DFOUT}, limits of S4D-Lin for spikes",
    domain="N = 8, 64, p = 3, 20, 50, l = 0, 1, 7, 100, integer coefficients of a fixed seed, balls",
    routes=("exact angles modulo one turn", "powers of exp(lambda Delta) from the package's start"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"growth": 1 + STEP}, {"period": 1}, {"rate": Fraction(1, 2) + STEP}],
    tags=("s4d-lin", "delay"),
    related=("fb.dfout.delta",),
)
class NoSpike:
    """Coefficients are integers, real and imaginary part."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (8, 64):
            for p in (3, 20, 50):
                for lag in (0, 1, 7, 100):
                    yield {"N": N, "p": p, "l": lag}

    def claimed(
        case: Case, *, growth: Fraction = Fraction(1), period: int = 0, rate: Fraction = Fraction(1, 2)
    ) -> list[Any]:
        with balls(160).work() as ring:
            draws = np.random.default_rng(case["N"]).integers(-9, 10, size=(case["N"] // 2, 2))
            lag = case["l"] + case["p"] + period
            total = arb(0)
            for n, (a, b) in enumerate(draws):  # 2 Re (a + ib) e^(i pi n lag 2/p)
                angle = ring.number(Fraction(2 * n * lag, case["p"]) % 2)
                total += 2 * (int(a) * angle.cos_pi() - int(b) * angle.sin_pi())
            decay = ring.exp(ring.number(-rate * lag * Fraction(2, case["p"])))
            return [ring.exp(ring.number(growth)) * decay * total]

    def computed(case: Case) -> list[Any]:
        with balls(160).work() as ring:
            draws = np.random.default_rng(case["N"]).integers(-9, 10, size=(case["N"] // 2, 2))
            step = ring.number(Fraction(2, case["p"]))
            start = s4d_lin(case["N"], arithmetic=ring)
            total = acb(0)
            for (a, b), value in zip(draws, start.Lambda, strict=True):
                total += 2 * acb(int(a), int(b)) * (value * step).exp() ** case["l"]
            return [total.real]


@claim(
    "fb.dfout.delta",
    title="Poles at equal angles hold any spike within their period",
    statement=r"$z_j = r e^{2\pi i j/N}$, $C_j = \frac{1}{N} z_j^{-\tau}$, $0 \le \tau < N$: $\sum_j C_j z_j^l = "
    r"\delta_{l\tau}$ for $0 \le l < N$, and $r^{N}$ at $l = \tau + N$: an isolated spike, whose echoes are "
    r"damped.",
    source=f"{DFOUT}, poles placed directly in the disk at equal angles",
    domain="N = 5, 16, 33, r = 1, 99/100, tau = 0, 2, N-1, all l < 2N, balls",
    routes=("the Kronecker delta and its damped echo", "the sum over all poles"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"height": 1 + STEP}, {"lag": 1}, {"echo": 1 + STEP}, {"power": 2}],
    tags=("delay",),
    related=("fb.dfout.spike",),
)
class Spike:
    """Orthogonality of the discrete Fourier transform."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (5, 16, 33):
            for r in (Fraction(1), Fraction(99, 100)):
                for tau in (0, 2, N - 1):
                    yield {"N": N, "r": r, "tau": tau}

    def claimed(
        case: Case, *, height: Fraction = Fraction(1), lag: int = 0, echo: Fraction = Fraction(1), power: int = 1
    ) -> list[Any]:
        N, tau = case["N"], (case["tau"] + lag) % case["N"]
        with balls(160).work() as ring:
            values = [acb(ring.number(height * (n == tau))) for n in range(N)]
            return values + [acb(ring.number(echo * case["r"] ** (power * N) * (n == tau))) for n in range(N)]

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        with balls(160).work() as ring:
            values = []
            for lag in range(2 * N):
                total = acb(0)
                for j in range(N):
                    angle = ring.number(Fraction(2 * j, N))
                    z = ring.number(case["r"]) * acb(angle.cos_pi(), angle.sin_pi())
                    total += z ** (lag - case["tau"]) / N
                values.append(total)
            return values


@claim(
    "fb.claim.filter",
    title="The Sobolev filter changes the decay at high frequencies by beta",
    statement=r"$F(s) = (1+|s|)^\beta G(s)$ with $G$ diagonal as in fb.tv: $|F(i\omega)| = |\sum_j c_j|\, "
    r"\omega^{\beta-1} (1+\rho)$ with $|\rho| \le \frac{40}{\omega}$: $\beta > 0$ weakens the bias to low "
    r"frequencies, $\beta = 1$ removes the decay, $\beta < 0$ strengthens it.",
    source=f"{PAPER}, filter on the transfer function (abstract; its formula as usually quoted)",
    domain="the three systems of fb.tv, beta = -1/2, 0, 1/2, 1, omega = 10^3, 10^8, balls",
    routes=("the two bounds", "the transfer function, mode by mode, times the filter"),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[{"scale": 1 + STEP}, {"scale": 1 - STEP}, {"decay": 1 + STEP}],
    tags=("frequency",),
    related=("fb.tv",),
)
class SobolevFilter:
    """Upper bound, then minus the lower one."""

    def cases(effort: str) -> Iterator[Case]:
        for name in SYSTEMS:
            for beta in (Fraction(-1, 2), Fraction(0), Fraction(1, 2), Fraction(1)):
                for w in (10**3, 10**8):
                    yield {"system": name, "beta": beta, "w": w}

    def claimed(case: Case, *, scale: Fraction = Fraction(1), decay: Fraction = Fraction(1)) -> list[Any]:
        with balls(160).work() as ring:
            real = sum(Fraction(row[2]) for row in SYSTEMS[case["system"]])
            imag = sum(Fraction(row[3]) for row in SYSTEMS[case["system"]])
            w = ring.number(case["w"])
            value = (
                ring.number(scale) * ring.sqrt(ring.number(real**2 + imag**2)) * w ** ring.number(case["beta"] - decay)
            )
            return [value * (1 + 40 / w), -value * (1 - 40 / w)]

    def computed(case: Case) -> list[Any]:
        with balls(160).work() as ring:
            s, G = acb(0, case["w"]), acb(0)
            for x, y, re, im in SYSTEMS[case["system"]]:
                G += acb(ring.number(Fraction(re)), ring.number(Fraction(im))) / (
                    s - acb(ring.number(-Fraction(x)), ring.number(Fraction(y)))
                )
            size = abs(G) * ring.number(1 + case["w"]) ** ring.number(case["beta"])
            return [size, -size]
