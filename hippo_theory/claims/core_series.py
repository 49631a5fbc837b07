"""The eigenvalues of the LegS normal part for large N: the asymptotic series, the bulk, the smallest root."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from flint import acb, arb, ctx, fmpq, fmpq_mat, fmpq_series

from hippo_theory.arithmetic import balls
from hippo_theory.claims.core_legs import DERIVED, sizes
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import IDENTICAL, Relation
from hippo_theory.families.legs_phase import frequencies

__all__: list[str] = []

_TERMS = 8  # powers of 1/N^2 after the first

# Coefficients of mu^(2j-1) N^(2-2i), by i and j; an integer N is one entry of `_SERIES[i]`.
_SERIES: tuple[dict[int, Fraction], ...] = (
    {0: Fraction(1)},
    {1: Fraction(-1, 6)},
    {1: Fraction(1, 12), 2: Fraction(1, 90)},
    {2: Fraction(-1, 36), 3: Fraction(-11, 7560)},
    {2: Fraction(11, 720), 3: Fraction(11, 720), 4: Fraction(13, 37800)},
    {3: Fraction(-19, 720), 4: Fraction(-29, 3780), 5: Fraction(-293, 2993760)},
    {3: Fraction(379, 30240), 4: Fraction(31, 900), 5: Fraction(2153, 544320), 6: Fraction(323299, 10216206000)},
    {
        4: Fraction(-1429, 30240),
        5: Fraction(-37663, 1088640),
        6: Fraction(-61013, 29937600),
        7: Fraction(-809, 72972900),
    },
    {
        4: Fraction(24359, 1209600),
        5: Fraction(236473, 2177280),
        6: Fraction(1658833, 54432000),
        7: Fraction(153689, 145945800),
        8: Fraction(7795219, 1894641840000),
    },
)


@claim(
    "core.diag.asym",
    title="The asymptotic series of the large eigenvalues of LegS",
    statement=(
        r"With $\mu = (2m+1)\pi$, the formal solution of $\sum_{k<N}\arctan\frac{k+1/2}{\omega_m} = \frac{\mu}{2}$ "
        r"(core.diag.spectrum) in powers of $N^{-2}$ begins $\omega_m = \frac{N^2}{\mu} - \frac{\mu}{6} + "
        r"(\frac{\mu}{12}+\frac{\mu^3}{90})N^{-2} - (\frac{\mu^3}{36}+\frac{11\mu^5}{7560})N^{-4} + "
        r"(\frac{11\mu^3}{720}+\frac{11\mu^5}{720}+\frac{13\mu^7}{37800})N^{-6} - "
        r"(\frac{19\mu^5}{720}+\frac{29\mu^7}{3780}+\frac{293\mu^9}{2993760})N^{-8}$. (That the eigenvalues follow it for "
        r"fixed $m$ is core.diag.asym.roots.)"
    ),
    source=DERIVED,
    domain="all coefficients of the formal series down to N^-8 as polynomials in mu, exact rationals",
    routes=(
        "the coefficients",
        "reversion of the sum of (-1)^j S_(2j+1) / ((2j+1) w^(2j+1)) = mu/2 as a power series in 1/N^2",
    ),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[
        {"sixth": Fraction(1, 6)},
        {"second": (Fraction(1, 12), Fraction(1000001, 90000000))},
        {"fourth": (Fraction(-1000001, 36000000), Fraction(-11, 7560))},
        {"sixth_power": (Fraction(11, 720), Fraction(11, 720), Fraction(13000013, 37800000000))},
        {"eighth": (Fraction(-19, 720), Fraction(-29, 3780), Fraction(-293000293, 2993760000000))},
        {"leading": 2},
    ],
    tags=("legs", "diagonal", "spectrum", "asymptotic"),
    related=("core.diag.asym.next", "core.diag.asym.roots", "core.diag.spectrum"),
    figure="eigenvalue-asymptotics",
)
class EigenvalueSeries:
    """A polynomial of degree at most i + 1 in mu^2 is decided by its values at i + 3 points."""

    def cases(effort: str) -> Iterator[Case]:
        for i in range(6):
            yield {"power of N": 2 - 2 * i}

    def claimed(
        case: Case,
        *,
        leading: int = 1,
        sixth: Fraction = Fraction(-1, 6),
        second: tuple[Fraction, ...] = (Fraction(1, 12), Fraction(1, 90)),
        fourth: tuple[Fraction, ...] = (Fraction(-1, 36), Fraction(-11, 7560)),
        sixth_power: tuple[Fraction, ...] = (Fraction(11, 720), Fraction(11, 720), Fraction(13, 37800)),
        eighth: tuple[Fraction, ...] = (Fraction(-19, 720), Fraction(-29, 3780), Fraction(-293, 2993760)),
    ) -> list[Any]:
        i = (2 - case["power of N"]) // 2
        coefficients: list[dict[int, Fraction]] = [
            {-1: Fraction(leading)},
            {1: sixth},
            {1: second[0], 3: second[1]},
            {3: fourth[0], 5: fourth[1]},
            {3: sixth_power[0], 5: sixth_power[1], 7: sixth_power[2]},
            {5: eighth[0], 7: eighth[1], 9: eighth[2]},
        ]
        return [
            sum((c * Fraction(mu) ** power for power, c in coefficients[i].items()), Fraction(0))
            for mu in range(1, i + 4)
        ]

    def computed(case: Case) -> list[Any]:
        i = (2 - case["power of N"]) // 2
        return [_reverted(mu)[i] for mu in range(1, i + 4)]


def _reverted(mu: int) -> list[Fraction]:
    """Coefficients of w/N^2 in powers of 1/N^2 for a rational mu; for computed sides only.

    With u = N^2/w and e = 1/N^2 the equation is u = mu - 2 sum_{j>0} (-1)^j (S_(2j+1)/N^(2j+2)) e^j u^(2j+1)/(2j+1), in
    which each iteration gains one power of e.
    """
    saved, ctx.cap = ctx.cap, _TERMS + 1
    try:
        powers = [_power_sum(j) for j in range(_TERMS + 1)]
        start = fmpq_series([mu], prec=_TERMS + 1)
        u = start
        for _ in range(_TERMS + 1):
            total = start
            for j in range(1, _TERMS + 1):
                shift = fmpq_series([0] * j + [1], prec=_TERMS + 1)
                total = total - powers[j] * shift * u ** (2 * j + 1) * fmpq(2 * (-1) ** j, 2 * j + 1)
            u = total
        inverse = 1 / u
        return [Fraction(int(inverse[i].p), int(inverse[i].q)) for i in range(_TERMS + 1)]
    finally:
        ctx.cap = saved


def _power_sum(j: int) -> Any:
    """S_p / N^(p+1), S_p = sum_{k<N} (k+1/2)^p, p = 2j+1, in powers of 1/N^2, interpolated from its values."""
    p = 2 * j + 1
    values, total = [], fmpq(0)
    for N in range(1, j + 2):  # even polynomial in N of degree p + 1 without constant term
        total += fmpq(2 * N - 1, 2) ** p
        values.append([total])
    matrix = fmpq_mat([[fmpq(N) ** (2 * e) for e in range(1, j + 2)] for N in range(1, j + 2)])
    solution = matrix.solve(fmpq_mat(values))
    return fmpq_series([solution[j - i, 0] for i in range(j + 1)], prec=_TERMS + 1)


@claim(
    "core.diag.asym.next",
    title="The next three terms of the series",
    statement=(
        r"It goes on with "
        r"$(\frac{379\mu^5}{30240}+\frac{31\mu^7}{900}+\frac{2153\mu^9}{544320}+\frac{323299\mu^{11}}{10216206000})N^{-10} "
        r"- "
        r"(\frac{1429\mu^7}{30240}+\frac{37663\mu^9}{1088640}+\frac{61013\mu^{11}}{29937600} "
        r"+\frac{809\mu^{13}}{72972900})N^{-12} "
        r"+ "
        r"(\frac{24359\mu^7}{1209600}+\frac{236473\mu^9}{2177280}+\frac{1658833\mu^{11}}{54432000} "
        r"+\frac{153689\mu^{13}}{145945800}+\frac{7795219\mu^{15}}{1894641840000})N^{-14}$."
    ),
    source=DERIVED,
    domain="the coefficients of N^-10, N^-12 and N^-14 of the formal series as polynomials in mu, exact rationals",
    routes=("the coefficients", "exact reversion of the phase equation as a power series in 1/N^2"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[
        {"tenth": (379, 30240, 31, 900, 2153, 544320, 323300, 10216206000)},
        {"twelfth": (-1429, 30240, -37663, 1088640, -61014, 29937600, -809, 72972900)},
        {"fourteenth": (24359, 1209600, 236473, 2177280, 1658834, 54432000, 153689, 145945800, 7795219, 1894641840000)},
    ],
    tags=("legs", "diagonal", "spectrum", "asymptotic"),
    related=("core.diag.asym", "core.diag.asym.roots"),
    figure="eigenvalue-asymptotics",
)
class EigenvalueSeriesNext:
    """Each tuple lists numerators and denominators by rising powers of mu."""

    def cases(effort: str) -> Iterator[Case]:
        for power in (-10, -12, -14):
            yield {"power of N": power}

    def claimed(
        case: Case,
        *,
        tenth: tuple[int, ...] = (379, 30240, 31, 900, 2153, 544320, 323299, 10216206000),
        twelfth: tuple[int, ...] = (-1429, 30240, -37663, 1088640, -61013, 29937600, -809, 72972900),
        fourteenth: tuple[int, ...] = (
            *(24359, 1209600, 236473, 2177280, 1658833, 54432000),
            *(153689, 145945800, 7795219, 1894641840000),
        ),
    ) -> list[Any]:
        numbers, lowest = {-10: (tenth, 5), -12: (twelfth, 7), -14: (fourteenth, 7)}[case["power of N"]]
        pairs = [Fraction(numbers[2 * i], numbers[2 * i + 1]) for i in range(len(numbers) // 2)]
        return [sum((c * mu ** (lowest + 2 * i) for i, c in enumerate(pairs)), Fraction(0)) for mu in range(1, 12)]

    def computed(case: Case) -> list[Any]:
        return [_reverted(mu)[(2 - case["power of N"]) // 2] for mu in range(1, 12)]


@claim(
    "core.diag.asym.roots",
    title="The eigenvalues follow their asymptotic series",
    statement=(
        r"The sum of the series down to $N^{-14}$ differs from $\omega_m$ by at most "
        r"$0.9394\,|t_{-14}|(\mu/N)^2$ at the sizes covered, "
        r"$t_{-14}$ its last term: in particular $\omega_m = \frac{N^2}{\mu} - \frac{\mu}{6} + O(N^{-2})$."
    ),
    source=DERIVED,
    domain=(
        "N = 64, 256, 1024 (full: 2^14, 2^20), m = 0, 1, 3, balls of 500 bits, errors down to 1e-43; each "
        "coefficient is seen"
    ),
    routes=("the series", "roots of the phase equation, each enclosed by an interval Newton step"),
    relation=Relation("equal", True, 1e-6, 1e-12),
    expected="CERTIFIED",
    corruptions=[
        {"term": 1},
        {"term": 2},
        {"term": 3},
        {"term": 4},
        {"term": 5},
        {"term": 6},
        {"term": 7},
        {"band": Fraction(9393, 10000)},
    ],
    tags=("legs", "diagonal", "spectrum", "asymptotic"),
    related=("core.diag.asym", "core.diag.asym.next", "core.diag.asym.values"),
    figure="eigenvalue-asymptotics",
)
class EigenvalueSeriesRoots:
    """Corruption `term` leaves one term of the series out by a millionth of itself."""

    def cases(effort: str) -> Iterator[Case]:
        for N in sizes(effort, (64, 256, 1024), (64, 256, 1024, 2**14, 2**20)):
            for m in (0, 1, 3):
                yield {"N": N, "m": m}

    def claimed(case: Case, *, term: int = -1, band: Fraction = Fraction(9394, 10000)) -> Any:
        with balls(500).work() as ring:
            N, mu = case["N"], (2 * case["m"] + 1) * arb.pi()
            total = last = arb(0)
            for i, coefficients in enumerate(_SERIES):
                last = sum((ring.number(c) * mu ** (2 * j - 1) for j, c in coefficients.items()), arb(0))
                last = last * arb(N) ** (2 - 2 * i)
                total += last * (1 if i != term else 1 + arb(10) ** -6)
            return total + arb(0, 1) * ring.number(band) * abs(last) * (mu / N) ** 2

    def computed(case: Case) -> Any:
        return frequencies(case["N"], balls(500), np.array([case["m"]]))[0]


@claim(
    "core.diag.asym.values",
    title="The constant of the largest eigenvalue is minus pi/6",
    statement=(
        r"$\omega_0 - N^2/\pi = -0.5212499385,\ -0.5234508276,\ -0.5235895243,\ -0.5235981974$ for $N = 16, 64, "
        r"256, 1024$; the limit is $-\pi/6$, approached as $0.606313573\,N^{-2}$."
    ),
    source=DERIVED,
    domain=(
        "N = 16, 64, 256, 1024, ten decimals (corruptions change the last); the limit and its rate at N "
        "= 2^20 to 9 digits"
    ),
    routes=("the decimals, half a unit of the last either way", "certified roots of the phase equation"),
    relation=Relation("equal", True, 1e-7, 1.5e-10),
    expected="CERTIFIED",
    corruptions=[
        {"values": ("-0.5212499386", "-0.5234508276", "-0.5235895243", "-0.5235981974")},
        {"values": ("-0.5212499385", "-0.5234508277", "-0.5235895243", "-0.5235981974")},
        {"values": ("-0.5212499385", "-0.5234508276", "-0.5235895244", "-0.5235981974")},
        {"values": ("-0.5212499385", "-0.5234508276", "-0.5235895243", "-0.5235981975")},
        {"limit": Fraction(-1000001, 6000000)},
        {"sign": 1},
        {"rate": "0.606313574"},
    ],
    tags=("legs", "diagonal", "spectrum", "asymptotic"),
    related=("core.diag.asym",),
    figure="eigenvalue-asymptotics",
)
class LargestEigenvalueConstant:
    """Interval Newton by log-gammas costs the same at any N."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (16, 64, 256, 1024):
            yield {"N": N}
        yield {"N": 2**20, "of": "limit"}
        yield {"N": 2**20, "of": "rate"}

    def claimed(
        case: Case,
        *,
        values: tuple[str, ...] = ("-0.5212499385", "-0.5234508276", "-0.5235895243", "-0.5235981974"),
        limit: Fraction = Fraction(1, 6),
        sign: int = -1,
        rate: str = "0.606313573",
    ) -> Any:
        with balls(128).work() as ring:
            if case.get("of") == "limit":
                return sign * ring.number(limit) * arb.pi() + arb(0, 2.0**-40)
            if case.get("of") == "rate":
                return ring.number(rate) + arb(0, "0.0000000005")
            return ring.number(values[{16: 0, 64: 1, 256: 2, 1024: 3}[case["N"]]]) + arb(0, "0.00000000005")

    def computed(case: Case) -> Any:
        with balls(300).work():
            N = case["N"]
            root = frequencies(N, balls(300), np.array([0]))[0] - arb(N) ** 2 / arb.pi()
            return (root + arb.pi() / 6) * N**2 if case.get("of") == "rate" else root


@claim(
    "core.diag.bulk",
    title="The eigenvalues of LegS in the bulk",
    statement=(
        r"With $y$ from $\arctan\frac1y - \frac y2\ln(1+\frac{1}{y^2}) = (2m+1)\frac{\pi}{2N}$, the value $Ny$ "
        r"has, against $\omega_m$, the relative error $-\frac{N^2}{24\,\omega^2(\omega^2+N^2)\phi_N'(\omega)}$ to "
        r"first order: within $0.5167/\omega^2$ of itself, at the sizes covered."
    ),
    source=DERIVED,
    domain="N = 64, 1024 (full: 4096), m = 0, N/8, N/4, 400 (of N = 1024); balls of 300 bits; 0.5167 is attained to three digits",
    routes=("the formula, within its band", "roots of both equations, each enclosed by interval Newton steps"),
    relation=Relation("equal", True, 0.2, 1e-30),
    expected="CERTIFIED",
    corruptions=[{"constant": Fraction(24000024, 1000000)}, {"sign": 1}, {"power": 1}, {"band": Fraction(5166, 10000)}],
    tags=("legs", "diagonal", "spectrum", "asymptotic"),
    related=("core.diag.spectrum", "core.diag.bulk.last"),
    figure="eigenvalue-asymptotics",
)
class BulkEigenvalues:
    """The midpoint rule for the integral of arctan(x/w)."""

    def cases(effort: str) -> Iterator[Case]:
        for N in sizes(effort, (64, 1024), (64, 1024, 4096)):
            for m in (0, N // 8, N // 4, *((400,) if N == 1024 else ())):
                yield {"N": N, "m": m}

    def claimed(
        case: Case,
        *,
        constant: Fraction = Fraction(24),
        sign: int = -1,
        power: int = 2,
        band: Fraction = Fraction(5167, 10000),
    ) -> Any:
        with balls(300).work() as ring:
            N = case["N"]
            w = frequencies(N, balls(300), np.array([case["m"]]))[0]
            a = arb(1) / 2
            slope = sum(((k + a) / ((k + a) ** 2 + w**2) for k in range(N)), arb(0))
            error = sign * N**2 / (ring.number(constant) * w**power * (w**2 + N**2) * slope)
            return error * (1 + arb(0, 1) * ring.number(band) / w**2)

    def computed(case: Case) -> Any:
        return _bulk_error(case["N"], case["m"], 300)


def _bulk_error(N: int, m: int, bits: int) -> Any:
    """N y / w - 1, both roots enclosed by interval Newton steps from bisection; for computed sides only."""
    roots = []
    with balls(bits).work():
        target = (2 * m + 1) * arb.pi() / 2

        def discrete(w: Any) -> tuple[Any, Any]:
            a = arb(1) / 2
            value = sum((((k + a) / w.mid()).atan() for k in range(N)), arb(0))
            return value - target, sum((-(k + a) / ((k + a) ** 2 + w**2) for k in range(N)), arb(0))

        def continuous(w: Any) -> tuple[Any, Any]:
            middle = w.mid() / N
            value = N * ((1 / middle).atan() - middle / 2 * (1 + 1 / middle**2).log())
            return value - target, -((1 + (N / w) ** 2).log()) / 2

        y = 1.0
        for _ in range(200):  # float64 start for both: Newton's iteration in log y
            value = math.atan(1 / y) - y / 2 * math.log1p(1 / y**2) - (2 * m + 1) * math.pi / (2 * N)
            y *= math.exp(max(-0.5, min(0.5, value / (y * math.log1p(1 / y**2) / 2))))
        for function in (continuous, discrete):
            w = arb(N * y)
            for _ in range(8):
                residual, slope = function(w.mid())
                w = (w.mid() - residual / slope).mid()
            wide = w * (1 + arb(0, 2.0 ** -(bits // 2)))
            residual, slope = function(wide)
            image = wide.mid() - residual / slope
            if not wide.contains(image):
                return arb(0, 1)  # not enclosed: too wide for any check
            roots.append(image)
        return roots[0] / roots[1] - 1


@claim(
    "core.diag.smallest",
    title="The smallest eigenvalue of LegS shrinks like one over log N",
    statement=(
        r"For even $N$ and $\ell = \ln N + \gamma + 2\ln2$ the smallest root is $\omega = \frac{\pi}{2\ell}(1 + "
        r"\frac{7\zeta(3)\pi^2}{12\,\ell^3}(1+\delta))$, $|\delta| \le \frac{0.3573}{\ell}$ at the sizes "
        r"covered; so $\Theta(1/m)$ is not "
        r"uniform in $m$."
    ),
    source=DERIVED,
    domain="N = 64, 1024, 2^20, 2^60, 2^200, 2^(2^22), balls of 900 bits",
    routes=("the formula within its band", "root of the phase equation by interval Newton steps with log-gammas"),
    relation=Relation("equal", True, 0.01),
    expected="CERTIFIED",
    corruptions=[
        {"turn": Fraction(500001, 1000000)},
        {"twice": Fraction(2000002, 1000000)},
        {"seven": Fraction(7000007, 1000000)},
        {"power": 2},
        {"band": Fraction(3572, 10000)},
    ],
    tags=("legs", "diagonal", "spectrum", "asymptotic"),
    related=("core.diag.bulk",),
    figure="eigenvalue-asymptotics",
)
class SmallestEigenvalue:
    """phi_N(w) = w l - (w^3/3) 7 zeta(3) + ..., because the sum of (k+1/2)^-3 is 7 zeta(3)."""

    def cases(effort: str) -> Iterator[Case]:
        for power in (6, 10, 20, 60, 200, 2**22):
            yield {"log2 N": power}

    def claimed(
        case: Case,
        *,
        turn: Fraction = Fraction(1, 2),
        twice: Fraction = Fraction(2),
        seven: Fraction = Fraction(7),
        power: int = 3,
        band: Fraction = Fraction(3573, 10000),
    ) -> Any:
        with balls(900).work() as ring:
            length = arb(2).log() * (case["log2 N"] + ring.number(twice)) + arb.const_euler()
            spread = 1 + arb(0, 1) * ring.number(band) / length
            correction = ring.number(seven) * arb(3).zeta() * arb.pi() ** 2 / (12 * length**power)
            return ring.number(turn) * arb.pi() / length * (1 + correction * spread)

    def computed(case: Case) -> Any:
        with balls(900).work():
            N, half = arb(2) ** case["log2 N"], arb(1) / 2
            w, image = arb(1.5 / (0.69 * case["log2 N"] + 2)), arb(0, 1)
            for step in range(14):
                wide = w if step < 13 else w * (1 + arb(0, 2.0**-300))
                residual = acb(N + half, w).lgamma().imag - acb(half, w).lgamma().imag - arb.pi() / 2
                slope = acb(N + half, wide).digamma().real - acb(half, wide).digamma().real
                image = w - residual / slope
                if step == 13 and not wide.contains(image):
                    return arb(0, 1)  # not enclosed: too wide for any check
                w = image.mid()
            return image


@claim(
    "core.diag.bulk.last",
    title="The bulk formula fails at the smallest eigenvalue",
    statement=(
        r"At $N = 1024$ the bulk value $Ny$ of the last root is too small by $9.7$ per cent, where its "
        r"first-order error formula gives $15.1$."
    ),
    source=DERIVED,
    domain="N = 1024, m = 511: three decimals of both relative errors (corruptions change the last)",
    routes=(
        "the decimals, half a unit of the last either way",
        "roots of both equations by interval Newton steps; the error formula",
    ),
    relation=Relation("equal", True, 0.0, 0.0011),
    expected="CERTIFIED",
    corruptions=[{"error": Fraction(96, 1000)}, {"formula": Fraction(152, 1000)}],
    tags=("legs", "diagonal", "spectrum"),
    related=("core.diag.bulk", "core.diag.smallest"),
    figure="eigenvalue-asymptotics",
)
class BulkLast:
    """Both are negative."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"N": 1024, "m": 511}

    def claimed(
        case: Case, *, error: Fraction = Fraction(97, 1000), formula: Fraction = Fraction(151, 1000)
    ) -> list[Any]:
        with balls(128).work() as ring:
            return [-ring.number(value) + arb(0, 0.0005) for value in (error, formula)]

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        error = _bulk_error(N, case["m"], 200)
        with balls(200).work():
            w = frequencies(N, balls(200), np.array([case["m"]]))[0]
            slope = sum(((k + arb(0.5)) / ((k + arb(0.5)) ** 2 + w**2) for k in range(N)), arb(0))
            return [error, -(N**2) / (24 * w**2 * (w**2 + N**2) * slope)]
