"""S4D, its figure of the basis kernels of LegS and of the diagonal restriction: what sampling, hold and bilinear rule show."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import acb, acb_mat, arb

from hippo_theory.arithmetic import balls
from hippo_theory.claims.core_sampled import certified_distance
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import WITHIN
from hippo_theory.discretizations import discretize
from hippo_theory.families import LegS
from hippo_theory.kernels import diagonal_kernel, full_kernel

__all__: list[str] = []

_FIGURE = "S4D (arXiv:2206.11893), figure of the basis kernels of LegS and of its restriction"
_STEP = Fraction(1, 500)


def _strengths(N: int, method: str) -> list[Any]:
    """Root mean square differences of the kernels n = 0, ..., 3 over the lags 51, ..., 1250; for computed sides only."""
    with balls(128).work() as ring:
        legs = LegS(N)
        kernels = [diagonal_kernel(legs, n, ring) - full_kernel(legs, n, ring) for n in range(4)]
        sequences = [discretize(kernel, method, _STEP) for kernel in kernels]
        # The rates of a restriction do not depend on n; of the poles of LegS component n has the first n + 1.
        rates = [*sequences[0].rates, *(acb(z) for z in sequences[3].real_rates)]
        # Powers by two short tables: multiplying 1200 times would widen complex balls at every turn.
        table = []
        for z in rates:
            small = [z**j for j in range(40)]
            table.append([z ** (51 + 40 * j) * power for j in range(30) for power in small])
        weights = [
            [*(2 * c for c in k.coefficients), *(acb(c) for c in k.real_coefficients), *[acb(0)] * (3 - n)]
            for n, k in enumerate(sequences)
        ]
        samples = (acb_mat(weights) * acb_mat(table)).table()
        return [(sum((value.real * value.real for value in row), arb(0)) / 1200).sqrt() for row in samples]


@claim(
    "s4d.fig2.num",
    title="The noise of the restriction in the figure: kept by exact sampling, filtered by both discretizations",
    statement=(
        r"At the step $\Delta = \frac{1}{500}$ of the figure the root mean square of the difference of the kernels $n = 0,"
        r" \dots, 3$, divided by the step, both sides by the same method, over $0.1 < t \le 2.5$ is at $N = 256$: $0.2928366,"
        r"\ 0.5072064,\ 0.6547970,\ 0.7747593$ sampled exactly, $0.0512611,\ 0.0887859,\ 0.1146197,\ 0.1356159$ with zero-order"
        r" hold, $0.0680637,\ 0.1178887,\ 0.1521911,\ 0.1800702$ with the bilinear rule: exact sampling keeps the noise,"
        r" $\frac12 R_n e^{-t/2}$ (s4d.thm3.rms), and discretization is what makes the curves look alike."
    ),
    source=_FIGURE + "; numbers derived here",
    domain="N = 256, three methods, lags 51, ..., 1250, balls of 128 bits; seven decimals (corruptions change the last)",
    routes=("the decimals, half a unit of the last either way", "both kernels at every lag, from certified poles"),
    relation=WITHIN,
    expected="CERTIFIED",
    corruptions=[
        {"sampled": (2928367, 5072064, 6547970, 7747593)},
        {"held": (512611, 887860, 1146197, 1356159)},
        {"bilinear": (680637, 1178887, 1521911, 1800703)},
    ],
    tags=("s4d", "legs", "convergence", "zoh", "bilinear"),
    related=("s4d.fig2", "s4d.thm3.rms", "core.sampled.zoh"),
    figure="legs-full-against-diagonal",
)
class FigureTwo:
    """In units of 1e-7."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Methods."""
        for method in ("sampled", "zoh", "bilinear"):
            yield {"N": 256, "method": method}

    @staticmethod
    def claimed(
        case: Case,
        *,
        sampled: tuple[int, ...] = (2928366, 5072064, 6547970, 7747593),
        held: tuple[int, ...] = (512611, 887859, 1146197, 1356159),
        bilinear: tuple[int, ...] = (680637, 1178887, 1521911, 1800702),
    ) -> list[Any]:
        """The decimals of the statement."""
        numbers = {"sampled": sampled, "zoh": held, "bilinear": bilinear}[case["method"]]
        with balls(128).work():
            return [(arb(value) + arb(0, 0.5)) / 10**7 for value in numbers]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """Root mean squares."""
        return _strengths(case["N"], case["method"])


def _rougher(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """On the horizon of the figure the bilinear rule leaves more noise than zero-order hold in every component."""
    rows, certified = [], True
    for N in (256,) if effort == "quick" else (256, 1024):
        for n, (held, bilinear) in enumerate(zip(_strengths(N, "zoh"), _strengths(N, "bilinear"), strict=True)):
            certified &= bool(bilinear > held)
            numbers = f"root mean square {held.str(8)} with zero-order hold, {bilinear.str(8)} with the bilinear rule"
            rows.append({"case": f"N = {N}, n = {n}, 0.1 < t <= 2.5", "numbers": numbers})
    return rows, certified


@claim(
    "s4d.fig2",
    title="The bilinear rule is the smoother one only until its echo arrives",
    statement=(
        r"LegS against its restriction, $n = 0$, $\Delta = \frac{1}{500}$, kernels divided by the step, both sides by the same"
        r" method, $d(T) = (\Delta \sum_{l \Delta \le T} e_l^2)^{1/2}$. Before the echo, at $N = 256$, $T = 0.03$:"
        r" $d = 0.0044588$ with zero-order hold, $7.5012 \cdot 10^{-12}$ with the bilinear rule. After it, on the"
        r" horizon of the figure $T = 2.5$: $0.081025$ and $0.10659$. The echo arrives near $(N\Delta)^2/4 = 0.066$ here"
        r" (core.sampled.echo), and for $N \ge 1581$ only beyond the horizon: there the bilinear curves look smoother."
    ),
    source=_FIGURE + ": the diagonal kernels are a noisy copy, smoother with the bilinear method at large N (notes)",
    domain="N = 256, T = 3/100 and 5/2, both methods; certified distances, five digits (corruptions change the last)",
    routes=("the decimals, half a unit of the last either way", "the package's certified distance up to a horizon"),
    relation=WITHIN,
    expected="REFINED",
    corruptions=[
        {"values": (44589, 75012, 81025, 10659)},
        {"values": (44588, 75013, 81025, 10659)},
        {"values": (44588, 75012, 81026, 10659)},
        {"values": (44588, 75012, 81025, 10660)},
    ],
    counterexample=Counterexample(
        r"On the horizon of the figure the bilinear kernels of the restriction are closer to those of LegS than those with"
        r" zero-order hold, at $N = 256$ and $N = 1024$ as drawn.",
        _rougher,
    ),
    tags=("s4d", "legs", "convergence", "zoh", "bilinear"),
    related=("s4d.fig2.num", "core.sampled.echo", "core.sampled.echo.quiet"),
    figure="legs-full-against-diagonal",
)
class FigureTwoSmoothness:
    """Five significant digits as integers, with their exponents."""

    CASES = (
        ("zoh", Fraction(3, 100)),
        ("bilinear", Fraction(3, 100)),
        ("zoh", Fraction(5, 2)),
        ("bilinear", Fraction(5, 2)),
    )
    EXPONENTS = (-7, -16, -6, -5)

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Methods and horizons."""
        for method, horizon in FigureTwoSmoothness.CASES:
            yield {"N": 256, "method": method, "T": horizon}

    @staticmethod
    def claimed(case: Case, *, values: tuple[int, ...] = (44588, 75012, 81025, 10659)) -> Any:
        """The decimals of the statement."""
        i = FigureTwoSmoothness.CASES.index((case["method"], case["T"]))
        with balls(128).work():
            return (arb(values[i]) + arb(0, 0.5)) * arb(10) ** FigureTwoSmoothness.EXPONENTS[i]

    @staticmethod
    def computed(case: Case) -> Any:
        """The distance."""
        return certified_distance(case["N"], 0, "l2", case["method"], _STEP, horizon=case["T"])
