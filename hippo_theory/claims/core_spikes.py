"""Where the diagonal LegS system stays away from the full one: spikes on the axis, sines in time; and where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from flint import acb, arb

from hippo_theory.arithmetic import balls
from hippo_theory.claims.core_legs import DERIVED, sizes
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import AT_LEAST, Relation
from hippo_theory.decompositions import diagonal_restriction, full_system
from hippo_theory.families import LegS
from hippo_theory.families.legs_phase import frequencies
from hippo_theory.kernels import diagonal_kernel, full_kernel
from hippo_theory.norms import distance, l2_squared

__all__: list[str] = []


def _inner(N: int, s: Any) -> Any:
    """q_N(s) by gamma functions, at the precision in force, for any size of N; for computed sides only."""
    logarithm = (N - s).lgamma() + (s + 1).lgamma() - (-s).lgamma() - (N + s + 1).lgamma()
    return logarithm.exp() * (-1) ** (N % 2)


@claim(
    "core.diag.spike",
    title="The diagonal transfer functions have spikes that do not decay",
    statement=(
        r"$|X_{diag,n}(i\omega_m)| = \frac{2R_n}{\mu}(1 + \frac{7\mu^2}{12N^2}(1+\delta))$, $\mu = (2m+1)\pi$, "
        r"$|\delta| \le \frac{2.053\,\mu^2}{N^2}$ at the sizes covered: at $\omega_m \sim N^2/\mu$ a height that tends to "
        r"$2R_n/((2m+1)\pi)$, for $n = m = 0$ to $2/\pi$."
    ),
    source=DERIVED,
    domain="N = 64, 1024, 2^20, m = 0, 2, n = 0, 1, 3, balls of 400 bits",
    routes=("the formula within its band", "closed forms by gamma functions at the certified root"),
    relation=Relation("equal", True, 1e-3),
    expected="CERTIFIED",
    corruptions=[
        {"two": Fraction(2000002, 1000000)},
        {"seven": Fraction(7000007, 1000000)},
        {"first": 2},
        {"root": 2},
        {"band": Fraction(2052, 1000)},
    ],
    tags=("legs", "diagonal", "transfer"),
    related=("core.diag.exact", "core.diag.spike.sup", "core.diag.noise"),
    figure="transfer-spikes",
)
class SpikeHeight:
    """abs(X_n / (1 + q)) with abs(X_n)^2 = (2n+1) w^2 / ((n^2+w^2) ((n+1)^2+w^2))."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (64, 1024, 2**20):
            for m, n in ((0, 0), (0, 3), (2, 0), (2, 1)):
                if N > 64 or m == n == 0:
                    yield {"N": N, "m": m, "n": n}

    def claimed(
        case: Case,
        *,
        two: Fraction = Fraction(2),
        seven: Fraction = Fraction(7),
        first: int = 1,
        root: int = 1,
        band: Fraction = Fraction(2053, 1000),
    ) -> Any:
        with balls(400).work() as ring:
            N, mu = case["N"], (2 * case["m"] + first) * arb.pi()
            spread = 1 + arb(0, 1) * ring.number(band) * mu**2 / N**2
            return (
                ring.number(two)
                * arb(2 * case["n"] + root).sqrt()
                / mu
                * (1 + ring.number(seven) * mu**2 / (12 * N**2) * spread)
            )

    def computed(case: Case) -> Any:
        N, n = case["N"], case["n"]
        w = frequencies(N, balls(400), np.array([case["m"]]))[0]
        with balls(400).work():
            size = (arb(2 * n + 1) / ((n**2 + w**2) * ((n + 1) ** 2 + w**2))).sqrt() * w
            return size / abs(1 + _inner(N, acb(0, w)))


@claim(
    "core.diag.spike.sup",
    title="The largest difference of the transfer functions on the axis",
    statement=(
        r"$\sup_\omega|X_{diag,n}(i\omega) - X_n(i\omega)| = \frac{2R_n}{\pi}(1 + \frac{\pi^2}{12N^2} + "
        r"\epsilon)$, $|\epsilon| \le 7.286\,(n+1)^2N^{-4}$ at the sizes covered."
    ),
    source=DERIVED,
    domain="N = 64, 256, 1024 (full: 4096), n = 0, 1, 2; certified suprema of 16 digits; 1/12 is seen to 1e-5 of itself",
    routes=("the formula within its band", "the package's certified supremum over the whole axis"),
    relation=Relation("equal", True, 1e-4),
    expected="CERTIFIED",
    corruptions=[
        {"two": Fraction(2000002, 1000000)},
        {"twelfth": Fraction(100001, 1200000)},
        {"root": 2},
        {"band": Fraction(7285, 1000)},
    ],
    tags=("legs", "diagonal", "transfer"),
    related=("core.diag.spike", "core.diag.weak"),
    figure="transfer-spikes",
)
class SpikeSupremum:
    """No convergence in operator norm."""

    def cases(effort: str) -> Iterator[Case]:
        for N in sizes(effort, (64, 256, 1024), (64, 256, 1024, 4096)):
            for n in (0, 1, 2):
                yield {"N": N, "n": n}

    def claimed(
        case: Case,
        *,
        two: Fraction = Fraction(2),
        twelfth: Fraction = Fraction(1, 12),
        root: int = 1,
        band: Fraction = Fraction(7286, 1000),
    ) -> Any:
        with balls(200).work() as ring:
            N, n = case["N"], case["n"]
            correction = ring.number(twelfth) * arb.pi() ** 2 / N**2
            error = arb(0, 1) * ring.number(band) * (n + 1) ** 2 / arb(N) ** 4
            return ring.number(two) * arb(2 * n + root).sqrt() / arb.pi() * (1 + correction + error)

    def computed(case: Case) -> Any:
        family = LegS(case["N"])
        return distance(full_system(family), diagonal_restriction(family), norm="hinf", component=case["n"], digits=16)


@claim(
    "core.diag.spike.values",
    title="Heights of the first spike",
    statement=(
        r"$\sup_\omega|X_{diag,0}(i\omega)|$ near the largest root and $\sup_\omega|X_{diag,0}-X_0|$ over the "
        r"axis are $0.63751,\ 0.63668,\ 0.63662$ and $0.63675,\ 0.63663,\ 0.63662$ for $N = 64, 256, 1024$."
    ),
    source=DERIVED,
    domain="N = 64, 256, 1024, five decimals (corruptions change the last); the first at the root itself",
    routes=(
        "the decimals, half a unit of the last either way",
        "closed forms at the certified root; certified supremum",
    ),
    relation=Relation("equal", True, 0.0, 1.5e-5),
    expected="CERTIFIED",
    corruptions=[{"heights": (63752, 63668, 63662)}, {"suprema": (63751, 63663, 63662)}],
    tags=("legs", "diagonal", "transfer"),
    related=("core.diag.spike",),
    figure="transfer-spikes",
)
class SpikeValues:
    """In units of 1e-5."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (64, 256, 1024):
            yield {"N": N}

    def claimed(
        case: Case,
        *,
        heights: tuple[int, ...] = (63751, 63668, 63662),
        suprema: tuple[int, ...] = (63675, 63663, 63662),
    ) -> list[Any]:
        i = (64, 256, 1024).index(case["N"])
        with balls(128).work():
            return [arb(value[i]) / 10**5 + arb(0, 5e-6) for value in (heights, suprema)]

    def computed(case: Case) -> list[Any]:
        family = LegS(case["N"])
        w = frequencies(case["N"], balls(256), np.array([0]))[0]
        with balls(256).work():
            height = 1 / abs((1 + acb(0, w)) * (1 + _inner(case["N"], acb(0, w))))
        return [height, distance(full_system(family), diagonal_restriction(family), norm="hinf", digits=8)]


class _Frequencies(list[Any]):
    """Certified frequencies as part of a case, which evidence tables do not write out."""

    def __str__(self) -> str:
        return "all of them"


@claim(
    "core.diag.noise",
    title="The difference of the impulse responses is a sum of sines that do not shrink",
    statement=(
        r"$K^D_n(t) = e^{-t/2}\sum_m a_m\cos(\omega_mt + \theta_m)$ with $a_m = "
        r"\frac{R_n}{\phi_N'(\omega_m)\sqrt{(n+1/2)^2+\omega_m^2}} = "
        r"\frac{2R_n}{\mu}(1+\frac{\mu^2}{3N^2}(1+\delta))$, $|\delta| \le \frac{1.880\,\mu^2}{N^2}$ at "
        r"the sizes covered, $\mu = "
        r"(2m+1)\pi$, $m \ll N$."
    ),
    source=DERIVED,
    domain=(
        "exact amplitudes at N = 2, 7, 64, n = 0, 1, all m; the limit at N = 1024, 2^20, m = 0, 2, n = 0, 3; "
        "balls of 400 bits"
    ),
    routes=("the formulas", "coefficients of the package's diagonal kernel; slope by digammas at the certified root"),
    relation=Relation("equal", True, 1e-3),
    expected="CERTIFIED",
    corruptions=[
        {"half": Fraction(500001, 1000000)},
        {"two": Fraction(2000002, 1000000)},
        {"third": Fraction(1000001, 3000000)},
        {"first": 2},
        {"band": Fraction(1879, 1000)},
    ],
    tags=("legs", "diagonal", "kernel"),
    related=("core.diag.vectors", "core.diag.weights", "core.diag.spike", "core.diag.noise.rms"),
    figure="legs-full-against-diagonal",
)
class NoiseAmplitudes:
    """The amplitude is abs(v_n) abs(v^* B), twice half of it for each pair."""

    def cases(effort: str) -> Iterator[Case]:
        for N, n in ((2, 0), (7, 1), (64, 0), (64, 1)):
            yield {"N": N, "n": n, "w": _Frequencies(LegS(N).normal_frequencies(balls(400))[: N // 2])}
        for N in (1024, 2**20):
            for m, n in ((0, 0), (0, 3), (2, 0)):
                yield {"N": N, "n": n, "m": m}

    def claimed(
        case: Case,
        *,
        half: Fraction = Fraction(1, 2),
        two: Fraction = Fraction(2),
        third: Fraction = Fraction(1, 3),
        first: int = 1,
        band: Fraction = Fraction(1880, 1000),
    ) -> list[Any]:
        N, n = case["N"], case["n"]
        with balls(400).work() as ring:
            R, a = arb(2 * n + 1).sqrt(), ring.number(half)
            if "m" in case:
                mu = (2 * case["m"] + first) * arb.pi()
                spread = 1 + arb(0, 1) * ring.number(band) * mu**2 / N**2
                return [ring.number(two) * R / mu * (1 + ring.number(third) * mu**2 / N**2 * spread)]
            values = []
            for w in case["w"]:
                slope = sum(((k + a) / ((k + a) ** 2 + w**2) for k in range(N)), arb(0))
                values.append(R / (slope * ((n + a) ** 2 + w**2).sqrt()))
            return values

    def computed(case: Case) -> list[Any]:
        N, n = case["N"], case["n"]
        if "m" not in case:
            kernel = diagonal_kernel(LegS(N), n, balls(400))
            with balls(400).work():
                return [2 * abs(c) for c in kernel.coefficients]
        w = frequencies(N, balls(400), np.array([case["m"]]))[0]
        with balls(400).work():
            half = arb(1) / 2
            slope = acb(N + half, w).digamma().real - acb(half, w).digamma().real
            return [arb(2 * n + 1).sqrt() / (slope * ((n + half) ** 2 + w**2).sqrt())]


@claim(
    "core.diag.noise.rms",
    title="The local strength of that noise does not depend on N",
    statement=(
        r"$\int_0^T(K^D_n-K_n)^2\,dt = \frac{R_n^2}{4}(1-e^{-T})(1-\frac{c}{N})$ with $0.375772 \le c \le 2.339773$ for "
        r"the sizes and times covered: the local root mean square tends to $\frac{R_n}{2}e^{-t/2}$. At $t = 0$ the "
        r"diagonal kernel is $\frac12R_n$ and not $R_n$, for every $N$."
    ),
    source=DERIVED,
    domain=(
        "N = 32, 128, n = 0, 1, 3, T = 1/2, 1, 3, and N = 512, n = 0, T = 3 (full: all three T), balls of 200 bits: both "
        "ends of c are attained to six digits"
    ),
    routes=(
        "the law between the ends of the bracket",
        "residue sums over all pairs of poles, from the package's kernels",
    ),
    relation=Relation("equal", True, 0.6, 1e-12),
    expected="CERTIFIED",
    corruptions=[
        {"quarter": Fraction(1000001, 4000000)},
        {"rate": Fraction(1000001, 1000000)},
        {"low": Fraction(375773, 1000000)},
        {"high": Fraction(2339772, 1000000)},
        {"start": Fraction(500001, 1000000)},
    ],
    tags=("legs", "diagonal", "kernel", "l2"),
    related=("core.diag.noise", "core.diag.l2.norm"),
    figure="legs-full-against-diagonal",
)
class NoiseStrength:
    """Over windows, because the integrals at two horizons subtract."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (32, 128, 512):
            for n in (0, 1, 3):
                for T in (Fraction(1, 2), Fraction(1), Fraction(3)):
                    if N < 512 or (n == 0 and (T == 3 or effort == "full")):
                        yield {"N": N, "n": n, "T": T}

    def claimed(
        case: Case,
        *,
        quarter: Fraction = Fraction(1, 4),
        rate: Fraction = Fraction(1),
        low: Fraction = Fraction(375772, 1000000),
        high: Fraction = Fraction(2339773, 1000000),
        start: Fraction = Fraction(1, 2),
    ) -> list[Any]:
        with balls(200).work() as ring:
            n = case["n"]
            spread = 1 - ring.number(low).union(ring.number(high)) / case["N"]
            energy = ring.number(quarter) * (2 * n + 1) * (1 - (-ring.number(rate * case["T"])).exp()) * spread
            return [energy, ring.number(start) * arb(2 * n + 1).sqrt()]

    def computed(case: Case) -> list[Any]:
        ring = balls(256)
        diagonal, full = (kernel(LegS(case["N"]), case["n"], ring) for kernel in (diagonal_kernel, full_kernel))
        return [l2_squared(diagonal - full, case["T"]), diagonal(0)]


@claim(
    "core.diag.noise.sup",
    title="The largest deviation of the impulse responses grows slowly",
    statement=(
        r"$\sup_t|K^D_0(t)-K_0(t)|$ is at least $0.5, 0.66606, 0.73434, 0.84061, 0.93726, 1.03597$ for $N = 4, 8, "
        r"16, 32, 64, 128$ (and $1.11702$ for $256$)."
    ),
    source=DERIVED,
    domain=(
        "N = 4, ..., 128 (full: 256): a value of t at which it is exceeded, balls of 128 bits; bounds from "
        "below (corruptions change the last decimal)"
    ),
    routes=("the decimals", "the kernels of the package at the t that a float64 search finds"),
    relation=AT_LEAST,
    expected="CERTIFIED",
    corruptions=[
        {"values": (50001, 66606, 73434, 84061, 93726, 103597, 111702)},
        {"values": (50000, 66606, 73434, 84061, 93726, 103598, 111702)},
    ],
    tags=("legs", "diagonal", "kernel"),
    related=("core.diag.noise",),
    figure="legs-full-against-diagonal",
)
class NoiseSupremum:
    """In units of 1e-5; N = 4 has its largest deviation at t = 0, where it is 1/2."""

    def cases(effort: str) -> Iterator[Case]:
        for N in sizes(effort, (4, 8, 16, 32, 64, 128), (4, 8, 16, 32, 64, 128, 256)):
            yield {"N": N}

    def claimed(case: Case, *, values: tuple[int, ...] = (50000, 66606, 73434, 84061, 93726, 103597, 111702)) -> Any:
        with balls(128).work():  # less 1e-20, because a ball around 1/2 is not certainly at least 1/2
            return arb(values[(4, 8, 16, 32, 64, 128, 256).index(case["N"])]) / 10**5 - arb(10) ** -20

    def computed(case: Case) -> Any:
        family = LegS(case["N"])
        kernel = diagonal_kernel(family, 0, balls(128))
        frequency = np.array([float(rate.imag) for rate in kernel.rates])
        coefficient = np.array([complex(c) for c in kernel.coefficients])
        times = np.arange(0.0, 1.5, 0.25 / frequency[0])
        values = np.empty(len(times))
        for i in range(0, len(times), 1000):
            block = times[i : i + 1000]
            sines = 2 * (np.exp(1j * block[:, None] * frequency) @ coefficient).real
            values[i : i + 1000] = np.exp(-block / 2) * sines - np.exp(-block)
        best = Fraction(float(times[np.argmax(abs(values))]))
        with balls(128).work() as ring:
            return abs(kernel(best) - (-ring.number(best)).exp())


@claim(
    "core.diag.weak",
    title="How fast the inner function of LegS vanishes at a fixed point",
    statement=(
        r"$|q_N(s)| = N^{-1-2\Re s}\left|\frac{\Gamma(1+s)}{\Gamma(-s)}\left(1 + "
        r"\frac{s(1+s)(1+2s)}{6N^2}\right)\right|(1+O(N^{-4}))$: the transfer functions differ by $O(N^{-1-2\Re "
        r"s})$, $O(1/N)$ on the imaginary axis."
    ),
    source=DERIVED,
    domain="N = 256, 4096, 2^16, 2^20, six s with -1/2 < Re s <= 1; the band is (2+|s|)^6 N^-4; balls of 300 bits",
    routes=("the formula within its band", "the product over k, by rising factorials"),
    relation=Relation("equal", True, 1e-5),
    expected="CERTIFIED",
    corruptions=[
        {"power": Fraction(1000001, 1000000)},
        {"twice": Fraction(2000002, 1000000)},
        {"shift": 2},
        {"six": Fraction(6000006, 1000000)},
        {"sign": 1},
    ],
    tags=("legs", "diagonal", "transfer", "asymptotic"),
    related=("core.legs.blaschke", "core.diag.weak.axis"),
    figure="error-against-size",
)
class WeakRate:
    """q_N(s) = (-1)^N Gamma(N-s) Gamma(1+s) / (Gamma(-s) Gamma(N+1+s))."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (256, 4096, 2**16, 2**20):
            for point in ((0, 4), (0, 12), (1, 3), (4, 8), (-1, 4), (-1, 12)):
                yield {"N": N, "4 s": point}

    def claimed(
        case: Case,
        *,
        power: Fraction = Fraction(1),
        twice: Fraction = Fraction(2),
        shift: int = 1,
        six: Fraction = Fraction(6),
        sign: int = -1,
    ) -> Any:
        with balls(300).work() as ring:
            N, s = case["N"], acb(*case["4 s"]) / 4
            exponent = -ring.number(power) - ring.number(twice) * s.real
            leading = abs(
                (shift + s).gamma() / (sign * s).gamma() * (1 + s * (1 + s) * (1 + 2 * s) / (ring.number(six) * N**2))
            )
            band = (2 + abs(s)) ** 6 / arb(N) ** 4
            return arb(N) ** exponent * leading * (1 + arb(0, 1) * band)

    def computed(case: Case) -> Any:
        with balls(300).work():
            N, s = case["N"], acb(*case["4 s"]) / 4
            return abs((-s).rising(N) / (s + 1).rising(N))


@claim(
    "core.diag.weak.axis",
    title="The weak limit on the imaginary axis",
    statement=(
        r"$N\,|X_{diag,0}(i\omega)-X_0(i\omega)| = |\omega X_0(i\omega)|(1+\epsilon)$ with $|\epsilon| \le "
        r"0.7745\,|\omega|/N$ at the values covered; at $\omega = 3$, $N = 4096$ it is $0.9482$, with the "
        r"limit $0.9487$; at $s = 1+2i$: "
        r"$N^3|q_N| \to 10$."
    ),
    source=DERIVED,
    domain="omega = 1/2, 3, 20 at N = 4096 and N = 2^40; the decimals; s = 1 + 2i at N = 2^40; balls of 300 bits",
    routes=("the formulas within their bands", "closed forms with gamma functions"),
    relation=Relation("equal", True, 0.03, 1.5e-4),
    expected="CERTIFIED",
    corruptions=[
        {"scale": Fraction(1000001, 1000000)},
        {"band": Fraction(7744, 10000)},
        {"value": Fraction(9483, 10000)},
        {"ten": Fraction(10000010, 1000000)},
    ],
    tags=("legs", "diagonal", "transfer", "asymptotic"),
    related=("core.diag.weak",),
    figure="error-against-size",
)
class WeakAxis:
    """X_0 = 1/(1+s)."""

    def cases(effort: str) -> Iterator[Case]:
        for power in (12, 40):
            for w in (Fraction(1, 2), Fraction(3), Fraction(20)):
                yield {"log2 N": power, "w": w}
        yield {"log2 N": 12, "w": Fraction(3), "of": "decimals"}
        yield {"log2 N": 40, "of": "s = 1 + 2i"}

    def claimed(
        case: Case,
        *,
        scale: Fraction = Fraction(1),
        band: Fraction = Fraction(7745, 10000),
        value: Fraction = Fraction(9482, 10000),
        ten: Fraction = Fraction(10),
    ) -> Any:
        with balls(300).work() as ring:
            if case.get("of") == "decimals":
                return ring.number(value) + arb(0, 5e-5)
            if case.get("of") == "s = 1 + 2i":
                return ring.number(ten) + arb(0, 1e-9)
            w = ring.number(case["w"])
            spread = 1 + arb(0, 1) * ring.number(band) * w / 2 ** case["log2 N"]
            return ring.number(scale) * w / (1 + w**2).sqrt() * spread

    def computed(case: Case) -> Any:
        with balls(300).work() as ring:
            N = 2 ** case["log2 N"]
            if "w" not in case:
                return arb(N) ** 3 * abs(_inner(N, acb(1, 2)))
            s = acb(0, ring.number(case["w"]))
            q = _inner(N, s)
            return N * abs(q / ((1 + s) * (1 + q)))
