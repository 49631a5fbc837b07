"""LegS in time: the kernels in closed form, the sensitivity of the original system to its past, and its growth."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import arb, arb_mat

from hippo_theory.arithmetic import balls
from hippo_theory.claims.core_legs import DERIVED
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import EQUAL, IDENTICAL, Relation
from hippo_theory.decompositions import diagonalizing_matrix, largest_diagonalizing_entry
from hippo_theory.families import LegS

__all__: list[str] = []


@claim(
    "core.basis",
    title="The kernel of LegS for any output needs no matrix",
    statement=r"LegS: $C e^{tA}B = \sum_{n<N} C_n R_n e^{-t} P_n(2e^{-t}-1)$ for every $C$ and $t \ge 0$.",
    source=DERIVED,
    domain="N = 1, 2, 5, 12, C_n = (-1)^n/(n+2), five times, balls of 256 bits",
    routes=("the sum, by Clenshaw's recurrence", "exponential of the ball matrix of the family"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[
        {"rate": Fraction(1000001, 1000000)},
        {"shift": Fraction(1000001, 1000000)},
        {"root": 3},
        {"first": 0},
    ],
    tags=("legs", "kernel"),
    figure="basis-kernels",
)
class LegsKernelSum:
    """O(N) operations a time."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 2, 5, 12):
            for t in (0, 1, 5, 20, 64):
                yield {"N": N, "8 t": t}

    def claimed(
        case: Case, *, rate: Fraction = Fraction(1), shift: Fraction = Fraction(1), root: int = 1, first: int = 1
    ) -> Any:
        with balls(256).work() as ring:
            decay = (-ring.number(rate) * arb(case["8 t"]) / 8).exp()
            x = 2 * decay - ring.number(shift)
            later, latest = arb(0), arb(0)  # b_(n+1), b_(n+2) of Clenshaw
            for n in range(case["N"] - 1, -1, -1):
                c = arb((-1) ** n) / (n + 1 + first) * arb(2 * n + root).sqrt()
                later, latest = c + arb(2 * n + 1) / (n + 1) * x * later - arb(n + 1) / (n + 2) * latest, later
            return decay * later

    def computed(case: Case) -> Any:
        with balls(256).work() as ring:
            family, N = LegS(case["N"]), case["N"]
            flow = (arb_mat(family.state_matrix(ring).tolist()) * (arb(case["8 t"]) / 8)).exp()
            state = flow * arb_mat([[b] for b in family.input_vector(ring)])
            return sum((arb((-1) ** n) / (n + 2) * state[n, 0] for n in range(N)), arb(0))


@claim(
    "core.legs.grad",
    title="What the time-varying LegS remembers of one moment",
    statement=(
        r"For $c'(t) = \frac1t(Ac + Bf)$: $\frac{\partial c_n(t_1)}{\partial f(t_0)} = "
        r"\frac{1}{t_1}R_nP_n(\frac{2t_0}{t_1}-1)$ for $0 < t_0 \le t_1$."
    ),
    source=DERIVED,
    domain="N = 1, 2, 5, 12, t_1 = 3, four t_0, all components, balls of 256 bits",
    routes=("the polynomial", "exp(log(t_1/t_0) A) B / t_0 by the exponential of a ball matrix"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[
        {"scale": Fraction(1000001, 1000000)},
        {"slope": Fraction(2000002, 1000000)},
        {"shift": 0},
        {"root": 2},
    ],
    tags=("legs", "gradient"),
    related=("core.legs.grad.norm",),
    figure="gradient-decay",
)
class LegsGradient:
    """The flow from t_0 to t_1 is exp(log(t_1/t_0) A)."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 2, 5, 12):
            for t0 in (Fraction(1, 4), Fraction(1), Fraction(5, 2), Fraction(3)):
                yield {"N": N, "t0": t0}

    def claimed(
        case: Case, *, scale: Fraction = Fraction(1), slope: Fraction = Fraction(2), shift: int = 1, root: int = 1
    ) -> list[Any]:
        with balls(256).work() as ring:
            x = ring.number(slope * case["t0"] / 3 - shift)
            return [ring.number(scale / 3) * arb(2 * n + root).sqrt() * x.legendre_p(n) for n in range(case["N"])]

    def computed(case: Case) -> list[Any]:
        with balls(256).work() as ring:
            family, t0 = LegS(case["N"]), ring.number(case["t0"])
            flow = (arb_mat(family.state_matrix(ring).tolist()) * (3 / t0).log()).exp()
            column = flow * arb_mat([[b / t0] for b in family.input_vector(ring)])
            return [column[n, 0] for n in range(case["N"])]


@claim(
    "core.legs.grad.norm",
    title="The size of that sensitivity is the Christoffel-Darboux kernel",
    statement=(
        r"$\|\partial c(t_1)/\partial f(t_0)\| = \frac1{t_1}\sqrt{K_N(x,x)}$, $x = t_0/t_1$, with $K_N(x,x) = "
        r"N(P_N'P_{N-1} - P_{N-1}'P_N)$ at $2x-1$; it is $N/t_1$ at both ends $x = 0$ and $x = 1$."
    ),
    source=DERIVED,
    domain="N = 1, 2, 5, 12, t_1 = 3, six x, 0 and 1 included, balls of 256 bits",
    routes=(
        "the kernel, and N / t_1 at the ends",
        "exponential of a ball matrix; at x = 0 the basis of the family at infinite age",
    ),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"scale": Fraction(1000001, 1000000)}, {"end": Fraction(1000001, 1000000)}, {"lower": 2}],
    tags=("legs", "gradient"),
    related=("core.legs.grad",),
    figure="gradient-decay",
)
class LegsGradientNorm:
    """Derivatives by (1 - z^2) P_n' = n (P_(n-1) - z P_n)."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 2, 5, 12):
            for x in (Fraction(0), Fraction(1, 12), Fraction(1, 3), Fraction(1, 2), Fraction(5, 6), Fraction(1)):
                yield {"N": N, "x": x}

    def claimed(case: Case, *, scale: Fraction = Fraction(1), end: Fraction = Fraction(1), lower: int = 1) -> Any:
        with balls(256).work() as ring:
            N = case["N"]
            if case["x"] in (0, 1):
                return ring.number(end) * N / 3
            z = ring.number(2 * case["x"] - 1)
            P = [z.legendre_p(n) if n >= 0 else arb(1) for n in (N, N - lower, N - 2)]
            upper_slope = N * (z.legendre_p(N - 1) - z * P[0]) / (1 - z * z)
            lower_slope = (N - 1) * (P[2] - z * P[1]) / (1 - z * z)
            return (ring.number(scale) * N * (upper_slope * P[1] - lower_slope * P[0])).sqrt() / 3

    def computed(case: Case) -> Any:
        with balls(256).work() as ring:
            family, x = LegS(case["N"]), case["x"]
            if x == 0:  # the limit t_0 -> 0 is infinite age, where the flow has the eigenvalues of P_n(-1)
                column = [arb(2 * n + 1).sqrt() * arb(-1).legendre_p(n) / 3 for n in range(family.N)]
            else:
                flow = (arb_mat(family.state_matrix(ring).tolist()) * -ring.number(x).log()).exp()
                state = flow * arb_mat([[b] for b in family.input_vector(ring)])
                column = [state[n, 0] / (3 * ring.number(x)) for n in range(family.N)]
            return sum((value * value for value in column), arb(0)).sqrt()


@claim(
    "core.growth.rows",
    title="Rows of the matrix that diagonalizes LegS sum to Fibonacci numbers",
    statement=r"$V_{ij} = \binom{i+j}{2j}$, $0 \le j \le i$: row $i$ of $V$ sums to the Fibonacci number $F_{2i+1}$.",
    source=DERIVED,
    domain="N = 64, all rows, exact integers",
    routes=("the recurrence of Fibonacci numbers", "rows of the package's diagonalizing matrix"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"offset": 2}, {"stride": 1}],
    tags=("legs", "growth", "exact"),
    related=("core.growth.largest",),
    figure="eigenvector-growth",
)
class DiagonalizerRows:
    """F_1 = F_2 = 1."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"N": 64}

    def claimed(case: Case, *, offset: int = 1, stride: int = 2) -> list[Any]:
        fibonacci = [0, 1]
        while len(fibonacci) < 2 * case["N"] + 4:
            fibonacci.append(fibonacci[-1] + fibonacci[-2])
        return [fibonacci[stride * i + offset] for i in range(case["N"])]

    def computed(case: Case) -> list[Any]:
        return [int(sum(int(value) for value in row)) for row in diagonalizing_matrix(case["N"])]


@claim(
    "core.growth.largest",
    title="The largest entry of the matrix that diagonalizes LegS",
    statement=(
        r"$\max V = \frac{5^{1/4}}{2\sqrt{\pi N}}\,\varphi^{2N-1}(1+\epsilon_N)$, $|\epsilon_N| \le "
        r"\frac{0.3888}{N}$, $\varphi$ the golden ratio; it is reached within one of $j = N/\sqrt5$; $N \ge 3$."
    ),
    source=DERIVED,
    domain=(
        "N = 3, ..., 200, 256, 1024, 4096 (full: 2^14, 2^16), exact integers against balls; the bound is attained to four digits"
    ),
    routes=("the asymptotic formula, within its band", "exact largest binomial, and where it is"),
    relation=Relation("equal", True, 0.1, 1.01),
    expected="CERTIFIED",
    corruptions=[
        {"base": Fraction(1000001, 1000000)},
        {"scale": Fraction(10001, 10000)},
        {"power": 2},
        {"band": Fraction(3887, 10000)},
        {"place": Fraction(501, 100)},
    ],
    tags=("legs", "growth"),
    related=("core.growth.rows",),
    figure="eigenvector-growth",
)
class DiagonalizerLargest:
    """Logarithms: the entries have thousands of digits."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (*range(3, 201), 256, 1024, 4096, *(() if effort == "quick" else (2**14, 2**16))):
            yield {"N": N}

    def claimed(
        case: Case,
        *,
        base: Fraction = Fraction(1),
        scale: Fraction = Fraction(1),
        power: int = 1,
        band: Fraction = Fraction(3888, 10000),
        place: Fraction = Fraction(5),
    ) -> list[Any]:
        with balls(256).work() as ring:
            N = case["N"]
            golden = ring.number(base) * (1 + arb(5).sqrt()) / 2
            leading = ring.number(scale) * arb(5).root(4) / (2 * (arb.pi() * N).sqrt())
            spread = 1 + arb(0, 1) * ring.number(band) / N
            return [
                golden.log() * (2 * N - power) + leading.log() + spread.log(),
                N / ring.number(place).sqrt() + arb(0, 1),
            ]

    def computed(case: Case) -> list[Any]:
        with balls(256).work():
            N = case["N"]
            largest, place = 0, 0
            j = max(math.isqrt(N * N // 5) - 3, 0)
            # The ratio of neighbors falls, so that the largest is where it passes 1.
            value = math.comb(N - 1 + j, 2 * j)
            while value > largest:
                largest, place = value, j
                j += 1
                value = value * (N - 1 + j) * (N - j) // (2 * j * (2 * j - 1))
            if largest != largest_diagonalizing_entry(N):
                return [arb(0), arb(0)]
            return [arb(largest).log(), arb(place)]
