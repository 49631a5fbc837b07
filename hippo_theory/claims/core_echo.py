"""The late echoes of the bilinear method: LegS against its diagonal restriction, kernels divided by the step."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import acb, arb

from hippo_theory.arithmetic import balls
from hippo_theory.claims.core_legs import DERIVED
from hippo_theory.claims.core_sampled import certified_distance
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import WITHIN, Relation
from hippo_theory.discretizations import discretize
from hippo_theory.families import LegS
from hippo_theory.kernels import diagonal_kernel, full_kernel
from hippo_theory.norms import l2_squared

__all__: list[str] = []


@claim(
    "core.sampled.echo",
    title="When the echo of the bilinear method arrives",
    statement=(
        r"The group delay of the bilinear error at $v = D\omega/2$ is $2\phi_N'(\omega)(1+v^2)$, to first order "
        r"$t(v) = (1+v^2)\ln(1+\frac{(ND)^2}{4v^2})$; its least value is $11.2$ for $N = 1024$ and $8.0$ for $N = "
        r"256$ at $D = 0.1$, and $0.066, 1.05, 3.29$ for $N = 256, 1024, 2048$ at $D = 0.002$."
    ),
    source=DERIVED,
    domain=(
        "the five values to their digits (corruptions change the last); the first order at N = 256, w = 3, 20, "
        "500 within 1/(10 w^2)"
    ),
    routes=("the decimals; the logarithm", "minimum over a certified subdivision of v; digammas"),
    relation=Relation("equal", True, 0.0, 0.2),
    expected="CERTIFIED",
    corruptions=[
        {"minima": (113, 80, 0.66, 10.5, 32.9)},
        {"minima": (112, 81, 0.66, 10.5, 32.9)},
        {"minima": (112, 80, 0.68, 10.5, 32.9)},
        {"minima": (112, 80, 0.66, 10.6, 32.9)},
        {"minima": (112, 80, 0.66, 10.5, 33.0)},
        {"four": Fraction(4000400, 1000000)},
        {"one": Fraction(1001, 1000)},
    ],
    tags=("legs", "diagonal", "sampled"),
    related=("core.sampled.echo.quiet", "core.diag.slope"),
    figure="bilinear-echo",
)
class BilinearEcho:
    """Minima in tenths; those of the small N D are the limit (N D)^2/4 for v to infinity."""

    VALUES = ((1024, 100), (256, 100), (256, 2), (1024, 2), (2048, 2))  # N, 1000 D

    def cases(effort: str) -> Iterator[Case]:
        for N, D in BilinearEcho.VALUES:
            yield {"N": N, "1000 D": D}
        for w in (3, 20, 500):
            yield {"N": 256, "w": w}

    def claimed(
        case: Case,
        *,
        minima: tuple[float, ...] = (112, 80, 0.66, 10.5, 32.9),
        four: Fraction = Fraction(4),
        one: Fraction = Fraction(1),
    ) -> Any:
        with balls(128).work() as ring:
            if "w" in case:  # D = 1/10
                v = arb(case["w"]) / 20
                size = ring.number(one) + (arb(case["N"]) / 10) ** 2 / (ring.number(four) * v**2)
                return (1 + v**2) * (size.log() + arb(0, 0.1) / case["w"] ** 2)
            i = BilinearEcho.VALUES.index((case["N"], case["1000 D"]))
            return arb(minima[i]) / 10 + arb(0, (0.05, 0.05, 0.0006, 0.005, 0.005)[i])

    def computed(case: Case) -> Any:
        with balls(128).work():
            N = case["N"]
            if "w" in case:
                w, half = arb(case["w"]), arb(1) / 2
                slope = acb(N + half, w).digamma().real - acb(half, w).digamma().real
                return 2 * slope * (1 + (w / 20) ** 2)
            c = (arb(N) * case["1000 D"] / 2000) ** 2  # (N D / 2)^2
            # On cells of u = 1/v^2: t = (1 + 1/u) ln(1 + c u), between the ends of its increasing factors; t >= c/(1+c u).
            least, bound = arb("inf"), arb("inf")
            u = arb(2) ** -12
            lower = c / (1 + c * u)  # all of 0 < u <= 2^-12: (1 + 1/u) ln(1 + c u) >= (1/u) c u/(1 + c u)
            bound = bound.min(lower)
            least = least.min((1 + 1 / u) * (1 + c * u).log())
            while u < 64:
                following = u * (1 + arb(2) ** -11)
                bound = bound.min((1 + 1 / following) * (1 + c * u).log())
                least = least.min((1 + 1 / following) * (1 + c * following).log())
                u = following.mid()
            bound = bound.min((1 + c * u).log())  # beyond: t >= ln(1 + c u)
            least = least.min(c)  # the limit for u to 0
            return bound.union(least)


@claim(
    "core.sampled.echo.quiet",
    title="Before the echo the bilinear error is exponentially small",
    statement=(
        r"Bilinear method, $N = 1024$, $D = 0.1$, $n = 0$: the largest error is $1.2946\cdot10^{-28}$ up to $t = 5$, "
        r"$7.9628\cdot10^{-6}$ up to $t = 10$, but $0.0025251$ over all time; zero-order hold has $0.0020785$."
    ),
    source=DERIVED,
    domain="certified suprema, five digits (corruptions change the last)",
    routes=("the decimals, half a unit of the last either way", "the package's certified supremum over each horizon"),
    relation=WITHIN,
    expected="CERTIFIED",
    corruptions=[
        {"values": (12947, 79628, 25251, 20785)},
        {"values": (12946, 79629, 25251, 20785)},
        {"values": (12946, 79628, 25252, 20785)},
        {"values": (12946, 79628, 25251, 20786)},
    ],
    tags=("legs", "diagonal", "sup", "sampled"),
    related=("core.sampled.echo", "core.sampled.zoh.sup"),
    figure="bilinear-echo",
)
class BilinearQuiet:
    """Five significant digits as integers."""

    CASES = ((5, "bilinear", -32), (10, "bilinear", -10), (None, "bilinear", -7), (None, "zoh", -7))

    def cases(effort: str) -> Iterator[Case]:
        for horizon, method, exponent in BilinearQuiet.CASES:
            yield {"N": 1024, "D": Fraction(1, 10), "horizon": horizon, "method": method, "exponent": exponent}

    def claimed(case: Case, *, values: tuple[int, ...] = (12946, 79628, 25251, 20785)) -> Any:
        i = BilinearQuiet.CASES.index((case["horizon"], case["method"], case["exponent"]))
        with balls(128).work():
            return (arb(values[i]) + arb(0, 0.5)) * arb(10) ** case["exponent"]

    def computed(case: Case) -> Any:
        options = {} if case["horizon"] is None else {"horizon": case["horizon"]}
        return certified_distance(case["N"], 0, "sup", case["method"], case["D"], **options)


@claim(
    "core.sampled.echo.caustic",
    title="The height of the first echo of the bilinear method",
    statement=(
        r"Bilinear method, $D = 0.1$, $n = 0$: $\sup_l|e_l| = \kappa\,N^{-1}D^{-2/3}(2\ln ND)^{-1/3}$ with $1.169723 "
        r"\le \kappa \le 1.425180$, for the sizes covered from $N = 64$ to $1024$."
    ),
    source=DERIVED,
    domain=(
        "N = 64, 128, 256, 512, 1024, D = 0.1: both ends are attained to six digits. "
        "Sizes between go slightly beyond (1.4535 at N = 96). At D = 1 the law does not hold: kappa is "
        "0.84 at N = 64, 0.67 at N = 128"
    ),
    routes=("the law between the ends of the bracket", "the package's certified supremum over all time"),
    relation=WITHIN,
    expected="CERTIFIED",
    corruptions=[
        {"low": Fraction(1169724, 1000000)},
        {"high": Fraction(1425179, 1000000)},
        {"power": Fraction(1000001, 1000000)},
        {"step": Fraction(666667, 1000000)},
        {"root": Fraction(333334, 1000000)},
    ],
    tags=("legs", "diagonal", "sup", "sampled"),
    related=("core.sampled.echo",),
    figure="bilinear-echo",
)
class BilinearCaustic:
    """A caustic of the group delay at its minimum."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (64, 128, 256, 512, 1024):
            yield {"N": N}

    def claimed(
        case: Case,
        *,
        low: Fraction = Fraction(1169723, 1000000),
        high: Fraction = Fraction(1425180, 1000000),
        power: Fraction = Fraction(1),
        step: Fraction = Fraction(2, 3),
        root: Fraction = Fraction(1, 3),
    ) -> Any:
        with balls(128).work() as ring:
            N, D = arb(case["N"]), arb(1) / 10
            law = N ** -ring.number(power) * D ** -ring.number(step) * (2 * (N * D).log()) ** -ring.number(root)
            return law * ring.number(low).union(ring.number(high))

    def computed(case: Case) -> Any:
        return certified_distance(case["N"], 0, "sup", "bilinear", Fraction(1, 10))


@claim(
    "core.sampled.echo.tail",
    title="The tail of the bilinear error decays only like the fourth root of time",
    statement=(
        r"Bilinear method: the local mean square of $e_l$ is $\frac{R_n^2}{N^2D}e^{-t/2}I_0(\frac "
        r"t2)\,\rho$ with $0.992955 \le \rho \le 1.024178$ for the means over the octaves covered, within $2(ND)^2 \le t "
        r"\le 16(ND)^2$ and for $n = 0$."
    ),
    source=DERIVED,
    domain=(
        "N = 64, 128 at D = 0.1, N = 32 at D = 1/4 (to t = 8 (N D)^2), windows of an octave: both ends are attained to "
        "six digits; beyond t = N^4 D^2/20 or so (not covered) the decay is exponential"
    ),
    routes=(
        "the integral of the law, t/2 = x: 2 x e^-x (I_0 + I_1)",
        "certified energies up to both ends of the window, from the poles",
    ),
    relation=WITHIN,
    expected="CERTIFIED",
    corruptions=[
        {"low": Fraction(992957, 1000000)},
        {"high": Fraction(1024177, 1000000)},
        {"half": Fraction(500001, 1000000)},
        {"power": Fraction(1000001, 1000000)},
    ],
    tags=("legs", "diagonal", "l2", "sampled"),
    related=("core.sampled.echo",),
    figure="bilinear-echo",
)
class BilinearTail:
    """e^-x I_0(x) is the mean over the poles, each with its own decay."""

    def cases(effort: str) -> Iterator[Case]:
        for N, D, octaves in ((64, Fraction(1, 10), 3), (128, Fraction(1, 10), 3), (32, Fraction(1, 4), 2)):
            for octave in range(1, octaves + 1):
                yield {"N": N, "D": D, "octave": octave}

    def claimed(
        case: Case,
        *,
        low: Fraction = Fraction(992955, 1000000),
        high: Fraction = Fraction(1024178, 1000000),
        half: Fraction = Fraction(1, 2),
        power: Fraction = Fraction(1),
    ) -> Any:
        with balls(128).work() as ring:
            start = int(2 ** case["octave"] * (case["N"] * case["D"]) ** 2)

            def integral(t: int) -> Any:
                x = t * ring.number(half)
                return x / ring.number(half) * (-x).exp() * (x.bessel_i(0) + x.bessel_i(1))

            energy = (integral(2 * start) - integral(start)) / (
                arb(case["N"] ** 2) * ring.number(case["D"])
            ) ** ring.number(power)
            return energy * ring.number(low).union(ring.number(high))

    def computed(case: Case) -> Any:
        family, ring = LegS(case["N"]), balls(256)
        start = int(2 ** case["octave"] * (case["N"] * case["D"]) ** 2)
        kernel = discretize(diagonal_kernel(family, 0, ring) - full_kernel(family, 0, ring), "bilinear", case["D"])
        late, early = l2_squared(kernel, 2 * start), l2_squared(kernel, start)
        with balls(256).work():
            return late - early
