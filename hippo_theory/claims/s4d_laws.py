"""S4D: how far the frequencies of each named start are from those of LegS."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from flint import acb, acb_mat, arb

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import EQUAL, WITHIN, Relation
from hippo_theory.families import legs_phase
from hippo_theory.initializations import s4d_inv, s4d_inv2, s4d_lin, s4d_quad

__all__ = ["MILLIONTH", "S4D", "SIZES", "law_band"]

S4D = "S4D (arXiv:2206.11893)"
MILLIONTH = Fraction(1, 10**6)
SIZES = (256, 4096)
_STARTS = {"inv": s4d_inv, "inv2": s4d_inv2, "lin": s4d_lin, "quad": s4d_quad}
# Enclosures of a number that a statement gives to twelve digits.
_TWELVE_DIGITS = Relation("equal", True, 1e-11)


def law_band(N: int, n: int, law: Any, ring: Any, sixth: Fraction, band: Fraction) -> list[Any]:
    """law N^2/mu over w_n, w_n = N^2/mu (1 - mu^2/(6N^2) + O(N^-4)): both ends as one bracket."""
    square = ((2 * n + 1) * arb.pi() / N) ** 2
    value = law * (1 + ring.number(sixth) * square)
    width = ring.number(band) * square**2
    return [(value * (1 - width)).union(value * (1 + width))]


def _sizes_and_indices(effort: str) -> Iterator[Case]:
    for N in SIZES:
        for n in range(3):
            yield {"N": N, "n": n}


def _ratio(law: str, N: int, n: int) -> list[Any]:
    """The n-th largest frequency of a start over that of LegS."""
    with balls(200).work() as ring:
        frequencies = sorted((value.imag for value in _STARTS[law](N, arithmetic=ring).Lambda), key=lambda w: -float(w))
        ratio = frequencies[n] / legs_phase.frequencies(N, ring, np.array([n]))[0]
        return [ratio]


def _dip(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """A quarter of the way down S4D-Inv is 22 percent below LegS."""
    rows, certified = [], True
    with balls(160).work() as ring:
        for N, n in ((64, 16), (1024, 268), (4096, 1074), (65536, 17188)):
            (w,) = legs_phase.frequencies(N, ring, np.array([n]))
            ratio = N / arb.pi() * (arb(N) / (2 * n + 1) - 1) / w
            certified &= bool(ratio < arb("0.7782"))
            rows.append({"case": f"N = {N}, n = {n}", "numbers": f"S4D-Inv over LegS {ratio.str(12)}"})
    return rows, certified


@claim(
    "s4d.inv",
    title="S4D-Inv follows LegS only near its largest frequencies: the ratio dips to 0.77809",
    statement=(
        r"The smallest ratio of $\frac{N}{\pi} \left(\frac{N}{2n+1} - 1\right)$, $n < N/2$, to the $n$-th largest frequency of"
        r" LegS tends to $0.778088522772\dots$, taken at $n \approx 0.26227 N$; at the sizes covered it is within"
        r" $\frac{0.1819}{N^2}$ of this. For fixed $n$ the ratio tends to 1."
    ),
    source=S4D + ", eq. (8), as in notes on the paper and in the authors' code; distances derived here",
    domain="N = 256, 1024 (full: 4096), the minimum over all n < N/2; balls of 120 bits",
    routes=("the limit and its band", "all certified roots of the phase equation and the balls of the start"),
    relation=WITHIN,
    expected="REFINED",
    corruptions=[
        {"limit": Fraction("0.778088522772") * (1 + MILLIONTH)},
        {"limit": Fraction("0.778088522772") * (1 - MILLIONTH)},
        {"band": Fraction(1818, 10000)},
    ],
    counterexample=Counterexample(
        r"The frequencies of S4D-Inv approximate those of LegS: their ratio tends to 1 uniformly in $n < N/2$.", _dip
    ),
    tags=("s4d", "legs", "spectrum"),
    related=("s4d.inv.limit", "s4d.inv.first", "s4d.inv.end", "s4d.fig4"),
    figure="spectrum-errors",
)
class InverseLawDip:
    """The minimum over all indices."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes."""
        for N in (256, 1024) if effort == "quick" else (256, 1024, 4096):
            yield {"N": N}

    @staticmethod
    def claimed(
        case: Case, *, limit: Fraction = Fraction("0.778088522772"), band: Fraction = Fraction(1819, 10000)
    ) -> list[Any]:
        """The upper end, and the reciprocal of the lower one."""
        with balls(120).work() as ring:
            width = ring.number(band) / case["N"] ** 2
            return [(ring.number(limit) - width).union(ring.number(limit) + width)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """The least ratio."""
        with balls(120).work() as ring:
            start = [value.imag for value in s4d_inv(case["N"], arithmetic=ring).Lambda]
            ratios = [a / b for a, b in zip(start, legs_phase.frequencies(case["N"], ring), strict=True)]
            least = ratios[0]
            for ratio in ratios:
                least = least.min(ratio)
            return [least]


@claim(
    "s4d.inv.limit",
    title="The curve of ratios of S4D-Inv to LegS: its minimum and where it crosses 1",
    statement=(
        r"With $n = \nu N$, $N \to \infty$: $w_n = N y$ with $\pi \nu = \arctan \frac1y - \frac y2 \ln\left(1 +"
        r" \frac1{y^2}\right)$, and the ratio is $\rho = \frac{1}{\pi y} \left(\frac{1}{2 \nu} - 1\right)$. It has a"
        r" stationary point at $y = 0.370800748\dots$, $\nu = 0.262274562\dots$, where $\rho = 0.778088522772\dots$, and"
        r" crosses 1 at $2 \nu = 0.914262349\dots$."
    ),
    source="derived here from the phase equation of LegS",
    domain="the limit curve, balls of 160 bits; numbers to 12 digits",
    routes=("the numbers", "bisection by certified signs of the derivative and of the curve minus 1"),
    relation=_TWELVE_DIGITS,
    expected="CERTIFIED",
    corruptions=[
        {"place": 1 + MILLIONTH},
        {"index": 1 + MILLIONTH},
        {"least": 1 + MILLIONTH},
        {"crossing": 1 + MILLIONTH},
    ],
    tags=("s4d", "legs", "spectrum"),
    related=("s4d.inv",),
    figure="spectrum-errors",
)
class InverseLawLimit:
    """One equation in y each."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """All at once."""
        yield {"curve": "rho"}

    @staticmethod
    def claimed(
        case: Case,
        *,
        place: Fraction = Fraction(1),
        index: Fraction = Fraction(1),
        least: Fraction = Fraction(1),
        crossing: Fraction = Fraction(1),
    ) -> list[Any]:
        """Twelve digits each."""
        with balls(160).work() as ring:
            digits = (
                ("0.3708007484493212", place),
                ("0.2622745625037766", index),
                ("0.7780885227720948", least),
                ("0.9142623486368337", crossing),
            )
            return [ring.number(value) * ring.number(factor) + arb(0, 1e-12) for value, factor in digits]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """Stationary point, its nu and rho, and the crossing."""
        with balls(160).work():

            def nu(y: Any) -> Any:
                return ((1 / y).atan() - y / 2 * (1 + 1 / (y * y)).log()) / arb.pi()

            def excess(y: Any) -> Any:
                return 1 / (2 * nu(y)) - 1 - arb.pi() * y

            def slope(y: Any) -> Any:
                # rho' = 0 with d(pi nu)/dy = -ln(1 + 1/y^2)/2.
                v = nu(y)
                return (1 + 1 / (y * y)).log() * y / (4 * arb.pi() * v * v) - (1 / (2 * v) - 1)

            def root(function: Any, low: Any, high: Any) -> Any:
                for _ in range(60):
                    middle = ((low + high) / 2).mid()
                    if (function(low) > 0) != (function(middle) > 0):
                        high = middle
                    else:
                        low = middle
                ends = (function(low) > 0, function(low) < 0, function(high) > 0, function(high) < 0)
                if not ((ends[0] and ends[3]) or (ends[1] and ends[2])):
                    return arb("nan")  # not enclosed
                return low.union(high)

            y = root(slope, arb("0.3"), arb("0.5"))
            return [y, nu(y), (1 / (2 * nu(y)) - 1) / (arb.pi() * y), 2 * nu(root(excess, arb("0.02"), arb("0.2")))]


@claim(
    "s4d.inv.first",
    title="S4D-Inv at its largest frequencies: the ratio to LegS is 1 - (2n+1)/N",
    statement=(
        r"For fixed $n$ the ratio of the S4D-Inv frequency to that of LegS is $\left(1 - \frac{2n+1}{N}\right) \left(1 +"
        r" \frac{\mu^2}{6 N^2}\right)$, $\mu = (2n+1) \pi$, up to a relative error of at most $0.01633\,\frac{\mu^4}{N^4}$ at the"
        r" sizes covered: the largest one is lower by a relative $\frac1N$."
    ),
    source=S4D + ", eq. (8); derived here",
    domain="n = 0, 1, 2, N = 256, 4096, balls of 200 bits",
    routes=("the formula with its band", "balls of the start over certified roots of the phase equation"),
    relation=WITHIN,
    expected="CERTIFIED",
    corruptions=[
        {"one": 1 + MILLIONTH},
        {"sign": 1},
        {"sixth": Fraction(1, 6) * (1 + MILLIONTH)},
        {"band": Fraction(1632, 10**5)},
    ],
    tags=("s4d", "legs", "spectrum"),
    related=("s4d.inv", "s4d.conj5"),
    figure="spectrum-errors",
)
class InverseLawFirst:
    """The interval around the formula."""

    cases = staticmethod(_sizes_and_indices)

    @staticmethod
    def claimed(
        case: Case,
        *,
        one: Fraction = Fraction(1),
        sign: int = -1,
        sixth: Fraction = Fraction(1, 6),
        band: Fraction = Fraction(1633, 10**5),
    ) -> list[Any]:
        """Both ends as one bracket."""
        with balls(200).work() as ring:
            law = 1 + sign * ring.number(one) * (2 * case["n"] + 1) / case["N"]
            return law_band(case["N"], case["n"], law, ring, sixth, band)

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """From the start."""
        return _ratio("inv", case["N"], case["n"])


@claim(
    "s4d.inv.end",
    title="S4D-Inv ends at 1/pi, LegS at (pi/2)/ln N",
    statement=(
        r"For even $N$ the smallest frequency of S4D-Inv is $\frac{N}{\pi (N-1)}$, and its ratio to that of LegS is"
        r" $\frac{2 S}{\pi^2} \frac{N}{N-1} \left(1 + \frac{c}{S^3}\right)^{-1}$, $S = \sum_{k<N} \frac{1}{k + 1/2}$, with"
        r" $6.522162 \le c \le 6.642588$ at the sizes covered: it grows like $\ln N$."
    ),
    source=S4D + ", eq. (8); derived here",
    domain="N = 16, 64, 256, 1024, balls of 160 bits: both ends of c are attained to seven digits",
    routes=("the bounds", "the last entry of the start over the certified root of the phase equation"),
    relation=WITHIN,
    expected="CERTIFIED",
    corruptions=[
        *({"two": 2 * (1 - MILLIONTH)}, {"two": 2 * (1 + MILLIONTH)}, {"power": 1}),
        *({"low": Fraction(6522163, 10**6)}, {"high": Fraction(6642587, 10**6)}),
    ],
    tags=("s4d", "legs", "spectrum"),
    related=("s4d.inv", "s4d.conj5.theta"),
    figure="spectrum-errors",
)
class InverseLawEnd:
    """Sums of reciprocals."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes."""
        for N in (16, 64, 256, 1024):
            yield {"N": N}

    @staticmethod
    def claimed(
        case: Case,
        *,
        two: Fraction = Fraction(2),
        low: Fraction = Fraction(6522162, 10**6),
        high: Fraction = Fraction(6642588, 10**6),
        power: int = 2,
    ) -> list[Any]:
        """Both ends as one bracket."""
        with balls(160).work() as ring:
            S = sum((arb(2) / (2 * k + 1) for k in range(case["N"])), arb(0))
            law = ring.number(two) * S / arb.pi() ** power * case["N"] / (case["N"] - 1)
            return [(law / (1 + ring.number(high) / S**3)).union(law / (1 + ring.number(low) / S**3))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """From the start."""
        return _ratio("inv", case["N"], case["N"] // 2 - 1)


def _inverse_laws(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """The second frequency of S4D-Inv2 is 3/2 of that of LegS."""
    rows, certified = [], True
    with balls(160).work() as ring:
        for N in (64, 1024, 65536):
            (w,) = legs_phase.frequencies(N, ring, np.array([1]))
            ratio = N / arb.pi() * (arb(N) / 2 - 1) / w
            certified &= bool(ratio > arb("1.45"))
            rows.append({"case": f"N = {N}, n = 1", "numbers": f"N/(n+1) law over LegS {ratio.str(12)}"})
    return rows, certified


@claim(
    "s4d.inv2",
    title="The law with n + 1 in place of 2n + 1 is wrong by a factor that tends to 2",
    statement=(
        r"For fixed $n$ the ratio of $\frac{N}{\pi} \left(\frac{N}{n+1} - 1\right)$ (S4D-Inv2) to the $n$-th largest frequency"
        r" of LegS is $\frac{2n+1}{n+1} \left(1 - \frac{n+1}{N}\right) \left(1 + \frac{\mu^2}{6 N^2}\right)$, $\mu = (2n+1)"
        r" \pi$, up to a relative error of at most $0.01633\,\frac{\mu^4}{N^4}$ at the sizes covered: 1, "
        r"3/2, 5/3, ... in the limit."
        r" Only the law with $2n+1$ follows LegS."
    ),
    source=S4D + ", as in the authors' code (inv2); quoted as S4D-Inv in notes on the LRU paper; derived here",
    domain="n = 0, 1, 2, N = 256, 4096, balls of 200 bits",
    routes=("the formula with its band", "balls of the start over certified roots of the phase equation"),
    relation=WITHIN,
    expected="REFINED",
    corruptions=[{"two": 2 * (1 + MILLIONTH)}, {"one": 1 + MILLIONTH}, {"sign": 1}, {"band": Fraction(1632, 10**5)}],
    counterexample=Counterexample(
        r"S4D-Inv with $\frac{N}{\pi} \left(\frac{N}{n+1} - 1\right)$ has the frequencies of LegS to first order.",
        _inverse_laws,
    ),
    tags=("s4d", "legs", "spectrum"),
    related=("s4d.inv",),
    figure="spectra",
)
class SecondInverseLaw:
    """The interval around the formula."""

    cases = staticmethod(_sizes_and_indices)

    @staticmethod
    def claimed(
        case: Case,
        *,
        two: Fraction = Fraction(2),
        one: Fraction = Fraction(1),
        sign: int = -1,
        band: Fraction = Fraction(1633, 10**5),
    ) -> list[Any]:
        """Both ends as one bracket."""
        with balls(200).work() as ring:
            N, n = case["N"], case["n"]
            law = (ring.number(two) * n + 1) / (n + 1) * (1 + sign * ring.number(one) * (n + 1) / N)
            return law_band(N, n, law, ring, Fraction(1, 6), band)

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """From the start."""
        return _ratio("inv2", case["N"], case["n"])


@claim(
    "s4d.quad",
    title="S4D-Quad has the largest frequency of LegS, and 2n+1 times the next ones",
    statement=(
        r"The $n$-th largest of the frequencies $\frac1\pi (1 + 2k)^2$, $k < N/2$, is $(2n+1) \left(1 - \frac{2n+1}{N}\right)^2"
        r" \left(1 + \frac{\mu^2}{6 N^2}\right)$ times that of LegS, $\mu = (2n+1) \pi$, for fixed $n$, up to a relative error"
        r" of at most $0.01633\,\frac{\mu^4}{N^4}$ at the sizes covered."
    ),
    source=S4D + ", as in the authors' code (quad); distance derived here",
    domain="n = 0, 1, 2, N = 256, 4096, balls of 200 bits",
    routes=("the formula with its band", "balls of the start over certified roots of the phase equation"),
    relation=WITHIN,
    expected="CERTIFIED",
    corruptions=[{"two": 2 * (1 + MILLIONTH)}, {"one": 1 + MILLIONTH}, {"power": 1}, {"band": Fraction(1632, 10**5)}],
    tags=("s4d", "legs", "spectrum"),
    related=("s4d.fig4",),
    figure="spectra",
)
class QuadraticLaw:
    """The interval around the formula."""

    cases = staticmethod(_sizes_and_indices)

    @staticmethod
    def claimed(
        case: Case,
        *,
        two: Fraction = Fraction(2),
        one: Fraction = Fraction(1),
        power: int = 2,
        band: Fraction = Fraction(1633, 10**5),
    ) -> list[Any]:
        """Both ends as one bracket."""
        with balls(200).work() as ring:
            N, n = case["N"], case["n"]
            law = (ring.number(two) * n + 1) * (1 - ring.number(one) * (2 * n + 1) / N) ** power
            return law_band(N, n, law, ring, Fraction(1, 6), band)

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """From the start."""
        return _ratio("quad", case["N"], case["n"])


@claim(
    "s4d.lin.first",
    title="S4D-Lin reaches only a fraction pi^2/(2N) of the largest frequency of LegS",
    statement=(
        r"The $n$-th largest of the frequencies $\pi k$, $k < N/2$, of S4D-Lin is $\frac{\pi^2 (2n+1)}{2 N} \left(1 - \frac{2"
        r" (n+1)}{N}\right) \left(1 + \frac{\mu^2}{6 N^2}\right)$ times that of LegS, $\mu = (2n+1) \pi$, for fixed $n$, up to"
        r" a relative error of at most $0.01633\,\frac{\mu^4}{N^4}$ at the sizes covered."
    ),
    source=S4D + ", eq. (9), as in notes on the paper; distance derived here",
    domain="n = 0, 1, 2, N = 256, 4096, balls of 200 bits",
    routes=("the formula with its band", "balls of the start over certified roots of the phase equation"),
    relation=WITHIN,
    expected="CERTIFIED",
    corruptions=[{"two": 2 * (1 + MILLIONTH)}, {"one": 1 + MILLIONTH}, {"power": 1}, {"band": Fraction(1632, 10**5)}],
    tags=("s4d", "legs", "spectrum"),
    related=("s4d.lin", "s4d.fig4"),
    figure="spectra",
)
class LinearLaw:
    """The interval around the formula."""

    cases = staticmethod(_sizes_and_indices)

    @staticmethod
    def claimed(
        case: Case,
        *,
        two: Fraction = Fraction(2),
        one: Fraction = Fraction(1),
        power: int = 2,
        band: Fraction = Fraction(1633, 10**5),
    ) -> list[Any]:
        """Both ends as one bracket."""
        with balls(200).work() as ring:
            N, n = case["N"], case["n"]
            law = arb.pi() ** power * (2 * n + 1) / (ring.number(two) * N)
            law = law * (1 - ring.number(one) * 2 * (n + 1) / N)
            return law_band(N, n, law, ring, Fraction(1, 6), band)

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """From the start."""
        return _ratio("lin", case["N"], case["n"])


@claim(
    "s4d.fig4",
    title="Distances of the frequency laws from LegS in root mean square of the logarithm",
    statement=(
        r"With the frequencies of a start and of LegS both in decreasing order, $d = \left( \frac1M \sum_n \ln^2"
        r" \frac{\omega_n}{w_n} \right)^{1/2}$ over the $M$ positive frequencies of the start, $\omega = \frac{N}{\pi}"
        r" \left(\frac{N}{2n+1} - 1\right)$ (Inv), $\frac{N}{\pi} \left(\frac{N}{n+1} - 1\right)$ (Inv2), $\pi n$ (Lin),"
        r" $\frac1\pi (2n+1)^2$ (Quad)."
    ),
    source=S4D + ", figure of the sorted imaginary parts, as in notes on the paper; distances derived here",
    domain="N = 8, 16 (full: 32), balls of 240 bits",
    routes=(
        "the laws, and roots of the phase equation",
        "the package's starts, and certified eigenvalues of the dense matrix",
    ),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[
        {"inv": (2 + MILLIONTH, 1)},
        {"inv": (2, 1 + MILLIONTH)},
        {"inv2": (1 + MILLIONTH, 1)},
        {"lin": 1 + MILLIONTH},
        {"quad": (2 + MILLIONTH, 1)},
        {"power": 1},
    ],
    tags=("s4d", "legs", "spectrum"),
    related=("s4d.inv", "s4d.inv2", "s4d.lin", "s4d.quad"),
    figure="spectra",
)
class LogarithmicDistances:
    """Two spectra, two sources of the laws."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes and laws."""
        for N in (8, 16) if effort == "quick" else (8, 16, 32):
            for law in _STARTS:
                yield {"N": N, "law": law}

    @staticmethod
    def claimed(
        case: Case,
        *,
        inv: tuple[Any, Any] = (2, 1),
        inv2: tuple[Any, Any] = (1, 1),
        lin: Any = 1,
        quad: tuple[Any, Any] = (2, 1),
        power: int = 2,
    ) -> Any:
        """The formulas."""
        with balls(240).work() as ring:
            N, M = case["N"], case["N"] // 2
            number, pi = ring.number, arb.pi()
            if case["law"] in ("inv", "inv2"):
                a, b = inv if case["law"] == "inv" else inv2
                law = [N / pi * (N / (number(a) * n + number(b)) - 1) for n in range(M)]
            elif case["law"] == "lin":
                law = [number(lin) * pi * n for n in range(M - 1, 0, -1)]
            else:
                a, b = quad
                law = [(number(a) * n + number(b)) ** 2 / pi for n in range(M - 1, -1, -1)]
            truth = legs_phase.frequencies(N, ring)
            squares = [abs((x / w).log()) ** power for x, w in zip(law, truth, strict=False)]
            return (sum(squares, arb(0)) / len(squares)).sqrt()

    @staticmethod
    def computed(case: Case) -> Any:
        """Dense eigenvalues of the skew part, and the start."""
        with balls(240).work() as ring:
            N = case["N"]
            frequencies = sorted(
                (value.imag for value in _STARTS[case["law"]](N, arithmetic=ring).Lambda), key=lambda w: -float(w)
            )
            skew = [
                [acb(((n < k) - (n > k)) * arb((2 * n + 1) * (2 * k + 1)).sqrt() / 2) for k in range(N)]
                for n in range(N)
            ]
            truth = sorted((value.imag for value in acb_mat(skew).eig()), key=lambda w: -float(w))
            positive = [w for w in frequencies if w > 0]
            squares = [(x / w).log() ** 2 for x, w in zip(positive, truth, strict=False)]
            return (sum(squares, arb(0)) / len(squares)).sqrt()
