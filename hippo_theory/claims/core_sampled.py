"""Sampled kernels of LegS and of its diagonal restriction, divided by the step: which discretization converges, and how."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, fmpq, fmpq_mat
from scipy.special import it2j0y0, j1, jv

from hippo_theory.arithmetic import balls
from hippo_theory.claims.core_legs import DERIVED, sizes
from hippo_theory.claims.legs_rationals import both_systems, difference_output
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import AT_LEAST, EQUAL, IDENTICAL, WITHIN, Relation
from hippo_theory.decompositions import diagonal_restriction, full_system
from hippo_theory.discretizations import discretize
from hippo_theory.families import LegS
from hippo_theory.kernels import diagonal_kernel, full_kernel
from hippo_theory.norms import distance, exact_h2_squared

__all__: list[str] = []


def certified_distance(N: int, component: int, norm: str, method: str, step: Fraction, **options: Any) -> Any:
    """Certified distance of the two systems of the package; for computed sides only."""
    family = LegS(N)
    return distance(
        full_system(family),
        diagonal_restriction(family),
        norm=norm,
        component=component,
        method=method,
        step=step,
        digits=10,
        **options,
    )


@claim(
    "core.sampled.bilinear",
    title="The bilinear method keeps the L2 distance, exactly",
    statement=(
        r"With $e_l$ the difference of the bilinear kernels divided by the step $D$: $D\sum_l e_l^2 = "
        r"\frac{2n+1}{4} - \frac{1+3n(n+1)}{2N^2}$ for every $D > 0$ and $n \le N-2$, the distance of the "
        r"continuous kernels: no convergence in L2."
    ),
    source=DERIVED,
    domain="N = 2, 3, 4, 5, steps 1/10, 1, 7/3, every n up to N-2, exact rationals",
    routes=("the formula", "discrete Lyapunov equation of both discretized systems together, over the rationals"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[
        {"quarter": Fraction(1000001, 4000000)},
        {"half": Fraction(1000001, 2000000)},
        {"three": Fraction(3000003, 1000000)},
        {"power": 1},
    ],
    tags=("legs", "diagonal", "exact", "l2", "sampled"),
    related=("core.diag.l2.norm", "core.sampled.echo"),
    figure="bilinear-echo",
)
class BilinearIsometry:
    """(I - D A/2)^-1 (I + D A/2) and (I - D A/2)^-1 B, in the basis x_n / R_n."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (2, 3, 4, 5):
            for D in (Fraction(1, 10), Fraction(1), Fraction(7, 3)):
                yield {"N": N, "D": D}

    def claimed(
        case: Case,
        *,
        quarter: Fraction = Fraction(1, 4),
        half: Fraction = Fraction(1, 2),
        three: Fraction = Fraction(3),
        power: int = 2,
    ) -> list[Any]:
        N = case["N"]
        return [quarter * (2 * n + 1) - half * (1 + three * n * (n + 1)) / N**power for n in range(N - 1)]

    def computed(case: Case) -> list[Any]:
        N, D = case["N"], fmpq(case["D"].numerator, case["D"].denominator)
        size = 2 * N
        A, B = both_systems(N)
        both = fmpq_mat(A.tolist())
        one = fmpq_mat([[fmpq(n == k) for k in range(size)] for n in range(size)])
        inverse = (one - both * (D / 2)).inv()
        state = inverse * (one + both * (D / 2))
        drive = inverse * fmpq_mat([[entry] for entry in B])
        values = []
        for n in range(N - 1):
            C = difference_output(N, n)
            square = exact_h2_squared(state.tolist(), [drive[i, 0] for i in range(size)], C, discrete=True)
            values.append(Fraction(*map(int, (square.p, square.q))) * case["D"] * (2 * n + 1))
        return values


@claim(
    "core.sampled.zoh",
    title="With zero-order hold the diagonal system converges, in N times the root of the step",
    statement=(
        r"Zero-order hold: $\sqrt{D\sum_l e_l^2} = \rho\,\frac{R_n}{N\sqrt D}$ with $0.909165 \le \rho \le 1.060919$ "
        r"for the sizes and steps covered, $N\sqrt D \ge 6$: exponents $-1$ in $N$ and $-\frac12$ in the step. ($\rho$ "
        r"wanders with the phases $\omega_mD$ and has no limit; the bracket is the range over these, to its last digit.)"
    ),
    source=DERIVED,
    domain=(
        "N = 32, 64, 128, 256, 512, steps 0.01, 0.03, 0.1 with N sqrt(D) >= 6, n = 0, 1: "
        "both ends are attained to six digits; other steps go slightly beyond (1.0621 at N = 32, D = "
        "0.05), at D = 0.3 the ratio falls to 0.76"
    ),
    routes=("the law between the ends of the bracket", "the package's certified distance, from the poles"),
    relation=WITHIN,
    expected="CERTIFIED",
    corruptions=[
        {"power": Fraction(1000001, 1000000)},
        {"root": Fraction(500001, 1000000)},
        {"low": Fraction(909166, 1000000)},
        {"high": Fraction(1060918, 1000000)},
    ],
    tags=("legs", "diagonal", "l2", "sampled"),
    related=("core.sampled.zoh.sup", "core.sampled.bilinear"),
    figure="size-step-map",
)
class ZeroOrderHoldDistance:
    """The variable is N sqrt(D), not N D."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (32, 64, 128, 256, 512):
            for D in (Fraction(1, 100), Fraction(3, 100), Fraction(1, 10)):
                if N * N * D >= 36:
                    for n in (0, 1):
                        yield {"N": N, "D": D, "n": n}

    def claimed(
        case: Case,
        *,
        power: Fraction = Fraction(1),
        root: Fraction = Fraction(1, 2),
        low: Fraction = Fraction(909165, 1000000),
        high: Fraction = Fraction(1060919, 1000000),
    ) -> Any:
        with balls(128).work() as ring:
            N, D = arb(case["N"]), ring.number(case["D"])
            leading = arb(2 * case["n"] + 1).sqrt() * N ** -ring.number(power) * D ** -ring.number(root)
            return leading * ring.number(low).union(ring.number(high))

    def computed(case: Case) -> Any:
        return certified_distance(case["N"], case["n"], "l2", "zoh", case["D"])


@claim(
    "core.sampled.zoh.sup",
    title="The largest deviation after zero-order hold falls as 1/N, without a limit of its multiple",
    statement=(
        r"Zero-order hold at $D = 0.1$, $n = 0$: $N\sup_l|e_l| = 2.3476,\ 2.1024,\ 2.1284$ for $N = 256, 512, "
        r"1024$ (and $2.1580$ for $2048$), near $c(0.1) = 2.1441$ and on both sides of it."
    ),
    source=DERIVED,
    domain="N = 256, 512, 1024 (full: 2048), four decimals over all time (corruptions change the last)",
    routes=("the decimals, half a unit of the last either way", "the package's certified supremum"),
    relation=Relation("equal", True, 0.0, 1.5e-4),
    expected="CERTIFIED",
    corruptions=[{"values": (23475, 21024, 21284, 21580)}, {"values": (23476, 21023, 21284, 21580)}],
    tags=("legs", "diagonal", "sup", "sampled"),
    related=("core.sampled.zoh.constant", "core.sampled.zoh"),
    figure="size-step-map",
)
class ZeroOrderHoldSupremum:
    """In units of 1e-4."""

    def cases(effort: str) -> Iterator[Case]:
        for N in sizes(effort, (256, 512, 1024), (256, 512, 1024, 2048)):
            yield {"N": N}

    def claimed(case: Case, *, values: tuple[int, ...] = (23476, 21024, 21284, 21580)) -> Any:
        with balls(128).work():
            return arb(values[(256, 512, 1024, 2048).index(case["N"])]) / 10**4 + arb(0, 5e-5)

    def computed(case: Case) -> Any:
        found = certified_distance(case["N"], 0, "sup", "zoh", Fraction(1, 10))
        with balls(128).work():
            return case["N"] * found


@claim(
    "core.sampled.zoh.constant",
    title="The constant of the zero-order hold, from below",
    statement=(
        r"With $H(\tau) = -\frac{y^2}{2}[\frac{J_1(y)}{y} + \int_y^\infty\frac{J_0(u)}{u}du] = "
        r"-y^2\int_y^\infty\frac{J_1(u)}{u^2}du$, $y = 2e^{-\tau/2}$: $c(D) = \sup_\tau|H(\tau+D)-H(\tau)|/D$ "
        r"is at least $0.5998,\ 1.2206,\ 2.1441,\ 3.9206,\ 6.7915$, rounded, for $D = 1, 0.3, 0.1, "
        r"0.03, 0.01$ (a float64 scan finds no more)."
    ),
    source=DERIVED,
    domain=(
        "a tau for each D at which c(D) less one unit of the last decimal is exceeded, balls of 128 bits: bounds "
        "from below"
    ),
    routes=(
        "the decimals, less half a unit of the last",
        "both integrals by generalized hypergeometric functions in balls",
    ),
    relation=AT_LEAST,
    expected="CERTIFIED",
    corruptions=[{"values": (5999, 12206, 21441, 39206, 67915)}, {"values": (5998, 12206, 21441, 39208, 67915)}],
    tags=("legs", "diagonal", "sup", "sampled"),
    related=("core.sampled.zoh.sup", "core.sampled.zoh.limit"),
    figure="size-step-map",
)
class ZeroOrderHoldConstant:
    """int_y^inf J_0/u = -ln(y/2) - gamma + (y^2/8) 2F3(1,1; 2,2,2; -y^2/4): both forms are evaluated and must agree."""

    STEPS = (Fraction(1), Fraction(3, 10), Fraction(1, 10), Fraction(3, 100), Fraction(1, 100))

    def cases(effort: str) -> Iterator[Case]:
        for D in ZeroOrderHoldConstant.STEPS:
            yield {"D": D}

    def claimed(case: Case, *, values: tuple[int, ...] = (5998, 12206, 21441, 39206, 67915)) -> Any:
        with balls(128).work():
            value = arb(values[ZeroOrderHoldConstant.STEPS.index(case["D"])])
            return (value - arb(1) / 2) / 10**4

    def computed(case: Case) -> Any:
        D = float(case["D"])
        y = np.arange(max(0.05, 3 / D - 12), 6 / D + 12, 0.002)  # for small D the maximum lies near y D = 4.66
        best = Fraction(float(y[np.argmax(abs(_profile(y * np.exp(-D / 2)) - _profile(y)))]))
        with balls(1200).work() as ring:

            def H(z: Any) -> Any:
                x = -z * z / 4
                integral = -(z / 2).log() - arb.const_euler() + z * z / 8 * x.hypgeom([1, 1], [2, 2, 2])
                return -z * z / 2 * (z.bessel_j(1) / z + integral)

            top = ring.number(best)
            return abs(H(top * (-ring.number(case["D"]) / 2).exp()) - H(top)) / ring.number(case["D"])


def _profile(y: Any) -> Any:
    """H in float64, which only says where to look; for computed sides only."""
    small, large = np.minimum(y, 60.0), np.maximum(y, 60.0)
    series = jv(2, large) + 4 * jv(3, large) / large + 24 * jv(4, large) / large**2 + 192 * jv(5, large) / large**3
    closed = -small * small / 2 * (j1(small) / small - np.log(small / 2) - np.euler_gamma + it2j0y0(small)[0])
    return np.where(y < 60.0, closed, series)


@claim(
    "core.sampled.zoh.limit",
    title="The constant of the zero-order hold for small steps",
    statement=(
        r"$c(D)\sqrt D \to \sqrt{2/\pi}\,\max_x\frac{\sin x}{\sqrt x} = 0.679192$, the maximum at $\tan x = 2x$; "
        r"at $D = 10^{-6}$ it is $0.6792$."
    ),
    source=DERIVED,
    domain=(
        "six decimals of the limit (corruptions change the last); the profile from its asymptotic phase at D = "
        "10^-6 to 4 digits"
    ),
    routes=("the decimals", "interval Newton for tan x = 2x; H at D = 10^-6, y D = 4 x, by Bessel functions in balls"),
    relation=Relation("equal", True, 0.0, 2.1e-4),
    expected="CERTIFIED",
    corruptions=[{"limit": Fraction(679194, 1000000)}, {"profile": Fraction(6794, 10000)}],
    tags=("legs", "diagonal", "sup", "sampled"),
    related=("core.sampled.zoh.constant",),
    figure="size-step-map",
)
class ZeroOrderHoldLimit:
    """H = J_2 + 4 J_3/y + ..., an oscillation in y of amplitude sqrt(2/(pi y)), whose increment is 2 sin(y D/4) of it."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"of": "limit"}
        yield {"of": "profile"}

    def claimed(
        case: Case, *, limit: Fraction = Fraction(679192, 1000000), profile: Fraction = Fraction(6792, 10000)
    ) -> Any:
        with balls(128).work() as ring:
            if case["of"] == "limit":
                return ring.number(limit) + arb(0, 5e-7)
            return ring.number(profile) + arb(0, 1e-4)

    def computed(case: Case) -> Any:
        with balls(256).work():
            x = arb("1.1655611852072114", 1e-12)  # where sin x - 2 x cos x has its root: interval Newton
            middle = x.mid()
            image = middle - (middle.sin() - 2 * middle * middle.cos()) / (2 * x * x.sin() - x.cos())
            if not x.contains(image):
                return arb(0, 1)  # not enclosed: too wide for any check
            x = image
            if case["of"] == "limit":
                return (2 / arb.pi()).sqrt() * x.sin() / x.sqrt()
            D, best = arb(10) ** -6, arb(0)
            for k in range(64):  # the phase of the oscillation varies with y, its amplitude hardly
                y = (4 * x.mid() / D + arb(k) / 10).mid()
                z = y * (-D / 2).exp()
                # The rest is 24 y^2 times the integral of J_4/u^5 and terms like it: below 30 y^-5/2.
                H = [w.bessel_j(2) + 4 * w.bessel_j(3) / w + arb(0, 1) * 30 * w ** (-arb(5) / 2) for w in (y, z)]
                best = best.max(abs(H[0] - H[1]) / D * D.sqrt())
            return best


@claim(
    "core.sampled.impulse",
    title="Impulse sampling does not converge",
    statement=(
        r"Sampling the kernels themselves: $e_0 = -\frac12R_n$ for every $N$ and every step, so that "
        r"$\sqrt{D\sum_le_l^2} \ge \frac12R_n\sqrt D$."
    ),
    source=DERIVED,
    domain="e_0 at N = 2, 7, 64, n = 0, 1; every N by B/2 - B",
    routes=("the value", "difference of the package's kernels at lag 0, sums over the poles"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"half": Fraction(500001, 1000000)}, {"sign": 1}, {"root": 2}],
    tags=("legs", "diagonal", "sampled"),
    related=("core.sampled.impulse.rms", "core.diag.noise.rms"),
    figure="legs-full-against-diagonal",
)
class ImpulseStart:
    """The sum of all coefficients of the kernel."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (2, 7, 64):
            for n in (0, 1):
                yield {"N": N, "n": n}

    def claimed(case: Case, *, half: Fraction = Fraction(1, 2), sign: int = -1, root: int = 1) -> Any:
        with balls(256).work() as ring:
            return sign * ring.number(half) * arb(2 * case["n"] + root).sqrt()

    def computed(case: Case) -> Any:
        ring = balls(320)
        diagonal, full = (kernel(LegS(case["N"]), case["n"], ring) for kernel in (diagonal_kernel, full_kernel))
        return discretize(diagonal - full, "sampled", Fraction(1, 10))(0)


@claim(
    "core.sampled.impulse.rms",
    title="The strength of the noise after impulse sampling",
    statement=(
        r"At $D = 0.01$, $n = 0$: $\sqrt{D\sum_le_l^2} = \frac{\rho}{2}\sqrt{D/(1-e^{-D})}$ with $0.999047 \le \rho "
        r"\le 1.046306$, and $0.808905 \le \sup_l|e_l| \le 0.984789$, for the sizes covered: no convergence."
    ),
    source=DERIVED,
    domain=(
        "N = 64, 128, 256, 512, D = 0.01: all four ends are attained to six digits (at D = 0.1 few samples count, and "
        "the distance wanders from 0.23 to 0.54)"
    ),
    routes=("the laws between the ends of the brackets", "the package's certified distances"),
    relation=WITHIN,
    expected="CERTIFIED",
    corruptions=[
        {"half": Fraction(500001, 1000000)},
        {"rate": Fraction(1000001, 1000000)},
        {"ends": (Fraction(999048, 1000000), Fraction(1046306, 1000000))},
        {"ends": (Fraction(999047, 1000000), Fraction(1046305, 1000000))},
        {"low": Fraction(808906, 1000000)},
        {"high": Fraction(984788, 1000000)},
    ],
    tags=("legs", "diagonal", "l2", "sampled"),
    related=("core.sampled.impulse",),
    figure="legs-full-against-diagonal",
)
class ImpulseStrength:
    """R_n = 1; e_l^2 is (1/4) e^-t on average."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (64, 128, 256, 512):
            yield {"N": N}

    def claimed(
        case: Case,
        *,
        half: Fraction = Fraction(1, 2),
        rate: Fraction = Fraction(1),
        ends: tuple[Fraction, Fraction] = (Fraction(999047, 1000000), Fraction(1046306, 1000000)),
        low: Fraction = Fraction(808905, 1000000),
        high: Fraction = Fraction(984789, 1000000),
    ) -> list[Any]:
        with balls(128).work() as ring:
            D = arb(1) / 100
            strength = ring.number(half) * (D / (1 - (-ring.number(rate) * D).exp())).sqrt()
            bracket = ring.number(ends[0]).union(ring.number(ends[1]))
            return [strength * bracket, ring.number(low).union(ring.number(high))]

    def computed(case: Case) -> list[Any]:
        return [certified_distance(case["N"], 0, norm, "sampled", Fraction(1, 100)) for norm in ("l2", "sup")]
