"""S4D, its conjecture on the frequencies of the normal part of LegS: the constant, the series, and where the law ends."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from flint import acb, acb_mat, arb

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import AT_MOST, EQUAL, WITHIN
from hippo_theory.families import LegS, legs_phase

__all__: list[str] = []

_CONJECTURE = "S4D (arXiv:2206.11893), conjecture 5 (its number as in notes on the paper)"
_MILLIONTH = Fraction(1, 10**6)


def _positive_constant(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """w_0 - N^2/pi is negative, and tends to -pi/6."""
    rows, certified = [], True
    with balls(160).work() as ring:
        for N in (16, 64, 256, 1024, 4096):
            (w,) = legs_phase.frequencies(N, ring, np.array([0]))
            constant = w - N * N / arb.pi()
            certified &= bool(constant < -arb("0.52"))
            rows.append({"case": f"N = {N}, n = 0", "numbers": f"w_0 - N^2/pi = {constant.str(15)}"})
    return rows, certified


@claim(
    "s4d.conj5",
    title="The frequencies of S4D-LegS: the constant is -pi/6, and more terms",
    statement=(
        r"With $\mu = (2n+1) \pi$ the $n$-th largest imaginary part of the eigenvalues of $A + \frac12 B B^T$ of LegS is $w_n ="
        r" \frac{N^2}{\mu} - \frac{\mu}{6} + \left(\frac{\mu}{12} + \frac{\mu^3}{90}\right) N^{-2} - \left(\frac{\mu^3}{36} +"
        r" \frac{11 \mu^5}{7560}\right) N^{-4} + O(N^{-6})$ for fixed $n$; for the largest one the constant is $-\frac{\pi}{6}"
        r" = -0.5235987\dots$. At the sizes covered the error is at most the next term, $\left(\frac{11 \mu^3}{720} +"
        r" \frac{11 \mu^5}{720} + \frac{13 \mu^7}{37800}\right) N^{-6}$."
    ),
    source=_CONJECTURE
    + "; usually quoted with a constant of absolute value 0.5236; its sign and the series derived here",
    domain="n = 0, 1, 2 and N = 64, 256, 1024, 4096 (full: 16384, 65536), balls of 300 bits",
    routes=("the series with its error bound", "certified roots of the phase equation"),
    relation=WITHIN,
    expected="REFINED",
    corruptions=[
        {"leading": 1 + _MILLIONTH},
        {"sixth": Fraction(1, 6) * (1 + _MILLIONTH)},
        {"sign": 1},
        {"twelfth": Fraction(1, 12) * (1 + _MILLIONTH)},
        {"ninetieth": Fraction(1, 90) * (1 + _MILLIONTH)},
        {"fourth": (Fraction(1, 36) * (1 + _MILLIONTH), Fraction(11, 7560))},
        {"fourth": (Fraction(1, 36), Fraction(11, 7560) * (1 + _MILLIONTH))},
        {"bound": Fraction(99999, 10**5)},
        {"odd": 2},
    ],
    counterexample=Counterexample(
        r"The largest imaginary part is $\frac{N^2}{\pi} + c$ with $c \to +0.5236$ (the constant with the sign plus).",
        _positive_constant,
    ),
    tags=("s4d", "legs", "spectrum"),
    related=("s4d.conj5.theta", "s4d.inv"),
    figure="eigenvalue-asymptotics",
)
class FrequencySeries:
    """The interval around the series."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes and indices."""
        for N in (64, 256, 1024, 4096) if effort == "quick" else (64, 256, 1024, 4096, 16384, 65536):
            for n in range(3):
                yield {"N": N, "n": n}

    @staticmethod
    def claimed(
        case: Case,
        *,
        leading: Fraction = Fraction(1),
        sixth: Fraction = Fraction(1, 6),
        sign: int = -1,
        twelfth: Fraction = Fraction(1, 12),
        ninetieth: Fraction = Fraction(1, 90),
        fourth: tuple[Fraction, Fraction] = (Fraction(1, 36), Fraction(11, 7560)),
        bound: Fraction = Fraction(1),
        odd: int = 1,
    ) -> list[Any]:
        """Both ends as one bracket."""
        with balls(300).work() as ring:
            N, mu = case["N"], (2 * case["n"] + odd) * arb.pi()
            series = ring.number(leading) * N**2 / mu + sign * ring.number(sixth) * mu
            series += (ring.number(twelfth) * mu + ring.number(ninetieth) * mu**3) / arb(N) ** 2
            series -= (ring.number(fourth[0]) * mu**3 + ring.number(fourth[1]) * mu**5) / arb(N) ** 4
            following = arb(11) / 720 * (mu**3 + mu**5) + arb(13) / 37800 * mu**7
            rest = ring.number(bound) * following / arb(N) ** 6
            return [(series - rest).union(series + rest)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """The root."""
        with balls(300).work() as ring:
            (w,) = legs_phase.frequencies(case["N"], ring, np.array([case["n"]]))
            return [w]


def _last_root(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """mu_n w_n / N^2 at the last index tends to 0 like pi^2/(2 N ln N): no lower bound c > 0."""
    rows, values = [], []
    with balls(160).work() as ring:
        for N in (16, 64, 256, 1024):
            (w,) = legs_phase.frequencies(N, ring, np.array([N // 2 - 1]))
            ratio = (N - 1) * arb.pi() * w / N**2
            values.append(ratio)
            rows.append({"case": f"N = {N}, n = N/2 - 1", "numbers": f"(2n+1) pi w_n / N^2 = {ratio.str(12)}"})
        return rows, bool(values[-1] < arb("0.001")) and all(b < a / 3 for a, b in pairwise(values))


@claim(
    "s4d.conj5.theta",
    title="The smallest frequency is not N/pi but (pi/2)/(ln N + gamma + 2 ln 2)",
    statement=(
        r"For even $N$ the smallest positive imaginary part is $w_{N/2-1} = \frac{\pi}{2 S} \left(1 +"
        r" \frac{c}{S^3}\right)$, $6.522162 \le c \le 7.070964$ at the sizes covered, with $S = \sum_{k<N} "
        r"\frac{1}{k + 1/2} = \ln N + \gamma + 2 \ln 2 + O(N^{-2})$. So"
        r" the law $w_n = \Theta\left(\frac1n\right)$ at fixed $N$, which holds for fixed $n$ with constant $\frac{N^2}{2"
        r" \pi}$, is not uniform in $n < N/2$."
    ),
    source=_CONJECTURE + "; derived here",
    domain=(
        "N = 4, 16, 64, 256, 1024 (full: 65536), balls of 160 bits: both ends of c are attained to seven digits; its "
        "limit is 7 zeta(3) pi^2/12 (core.diag.smallest)"
    ),
    routes=("the bounds, S by digamma functions", "certified roots of the phase equation"),
    relation=WITHIN,
    expected="REFINED",
    corruptions=[
        {"half": Fraction(1, 2) + _MILLIONTH},
        {"low": Fraction(6522163, 10**6)},
        {"high": Fraction(7070963, 10**6)},
        {"power": 4},
        {"offset": Fraction(1, 2) + _MILLIONTH},
    ],
    counterexample=Counterexample(
        r"There are constants $0 < c < C$ with $\frac{c N^2}{2n+1} \le w_n \le \frac{C N^2}{2n+1}$ for all $N$ and $n < N/2$.",
        _last_root,
    ),
    tags=("s4d", "legs", "spectrum"),
    related=("s4d.conj5",),
    figure="eigenvalue-asymptotics",
)
class SmallestFrequency:
    """The sum of arctangents is w S less a third of w^3 times 7 zeta(3), and so on."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes."""
        for N in (4, 16, 64, 256, 1024) if effort == "quick" else (4, 16, 64, 256, 1024, 65536):
            yield {"N": N}

    @staticmethod
    def claimed(
        case: Case,
        *,
        half: Fraction = Fraction(1, 2),
        low: Fraction = Fraction(6522162, 10**6),
        high: Fraction = Fraction(7070964, 10**6),
        power: int = 3,
        offset: Fraction = Fraction(1, 2),
    ) -> list[Any]:
        """Both ends as one bracket."""
        with balls(160).work() as ring:
            a = ring.number(offset)
            S = (case["N"] + a).digamma() - a.digamma()
            law = ring.number(half) * arb.pi() / S
            ends = [law * (1 + ring.number(end) / S**power) for end in (low, high)]
            return [ends[0].union(ends[1])]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """The root."""
        with balls(160).work() as ring:
            (w,) = legs_phase.frequencies(case["N"], ring, np.array([case["N"] // 2 - 1]))
            return [w]


@claim(
    "s4d.conj5.phase",
    title="All eigenvalues by a scalar equation",
    statement=(
        r"The eigenvalues of $A + \frac12 B B^T$ of LegS are $-\frac12 \pm i w_n$ with $\sum_{k<N} \arctan \frac{w_n}{k + 1/2}"
        r" = (N - 1 - 2n) \frac{\pi}{2}$, $n < \lfloor N/2 \rfloor$, and $-\frac12$ for odd $N$."
    ),
    source="derived here; it proves " + _CONJECTURE,
    domain="N = 2, 3, 8, 16 (full: 32, 48), balls of 300 bits",
    routes=("the right sides of the equation", "its left side at certified dense eigenvalues of the matrix"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[
        {"half": Fraction(1, 2) + _MILLIONTH},
        {"real": Fraction(-1, 2) - _MILLIONTH},
        {"step": 1},
        {"shift": 0},
    ],
    tags=("s4d", "legs", "spectrum"),
    related=("s4d.conj5",),
    figure="spectra",
)
class PhaseEquation:
    """Arctangents at the eigenvalues of a dense matrix."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes."""
        for N in (2, 3, 8, 16) if effort == "quick" else (2, 3, 8, 16, 32, 48):
            yield {"N": N}

    @staticmethod
    def claimed(
        case: Case,
        *,
        half: Fraction = Fraction(1, 2),
        real: Fraction = Fraction(-1, 2),
        step: int = 2,
        shift: int = 1,
    ) -> list[Any]:
        """Real part and phase of every eigenvalue of the upper half plane."""
        with balls(300).work() as ring:
            N = case["N"]
            phases = [(N - shift - step * n) * ring.number(half) * arb.pi() for n in range(N // 2)]
            return [value for phase in phases for value in (ring.number(real), phase)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """From the matrix of the family."""
        with balls(300).work() as ring:
            N = case["N"]
            S = LegS(N).normal_part(ring)
            found = acb_mat([[acb(entry) for entry in row] for row in S.tolist()]).eig()
            upper = sorted((value for value in found if value.imag > arb("0.01")), key=lambda value: -float(value.imag))
            values = []
            for value in upper:
                values += [value.real, sum(((value.imag / (arb(2 * k + 1) / 2)).atan() for k in range(N)), arb(0))]
            return values


@claim(
    "s4d.B.weights",
    title="The input weights of S4D-LegS decrease like 1/(2n+1)",
    statement=(
        r"The entry of $V^* B$ for the $n$-th largest frequency, $V$ unitary, has the modulus $\sqrt{\frac{2}{\phi'(w_n)}}$,"
        r" $\phi'(w) = \sum_{k<N} \frac{k + 1/2}{(k + 1/2)^2 + w^2}$, which is $\frac{2 N}{\mu} (1 + O(N^{-2}))$, $\mu = (2n+1)"
        r" \pi$: for large $N$ most of the input enters the fastest mode. At the sizes covered the relative deviation is at"
        r" most $0.08334\,\frac{\mu^2}{N^2}$."
    ),
    source="S4D (arXiv:2206.11893), input of S4D-LegS; derived here",
    domain="n = 0, 1, 2, N = 256, 4096, 65536, balls of 160 bits",
    routes=("the law with its band", "the weight by digamma functions at the certified root"),
    relation=WITHIN,
    expected="CERTIFIED",
    corruptions=[{"two": 2 * (1 + _MILLIONTH)}, {"band": Fraction(8333, 10**5)}, {"odd": 2}, {"power": 2}],
    tags=("s4d", "legs", "spectrum"),
    related=("s4d.B.clip", "s4d.conj5"),
    figure="eigenvalue-asymptotics",
)
class InputWeights:
    """The interval around the law."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes and indices."""
        for N in (256, 4096, 65536):
            for n in range(3):
                yield {"N": N, "n": n}

    @staticmethod
    def claimed(
        case: Case,
        *,
        two: Fraction = Fraction(2),
        band: Fraction = Fraction(8334, 10**5),
        odd: int = 1,
        power: int = 1,
    ) -> list[Any]:
        """Both ends as one bracket."""
        with balls(160).work() as ring:
            N, mu = case["N"], (2 * case["n"] + odd) * arb.pi()
            law, width = ring.number(two) * arb(N) ** power / mu, ring.number(band) * (mu / N) ** 2
            return [(law * (1 - width)).union(law * (1 + width))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """sqrt(2/phi'(w)) and its reciprocal."""
        with balls(160).work() as ring:
            (w,) = legs_phase.frequencies(case["N"], ring, np.array([case["n"]]))
            weight = (2 / legs_phase.slope(case["N"], w)).sqrt()
            return [weight]


def _other_phase(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """The same eigenvector times i: its entry is clipped, and the kernel changes."""
    with balls(160).work() as ring:
        weight = LegS(16).normal_weights(ring)[0]
        row = {
            "case": "N = 16, largest frequency",
            "numbers": f"V* B = {weight.str(10)} with one phase of V, {weight.str(10)} i with another, which is clipped to 2 i",
        }
        return [row], bool(weight > 2)


@claim(
    "s4d.B.clip",
    title="Clipping the imaginary part of V* B depends on the arbitrary phase of the eigenvectors",
    statement=(
        r"If the phases of $V$ are such that $V^* B > 0$, clipping $\Im (V^* B)$ to $[-2, 2]$ changes nothing, whatever $N$;"
        r" the entry of the largest frequency then is at least $\frac{2 N}{\pi} (1 + \frac{0.7007}{N^2}) > 2$ for $N \ge 4$, so"
        r" that the eigenvector times $i$, equally admissible, is clipped."
    ),
    source="S4D (arXiv:2206.11893), as in the authors' code (B_clip); derived here",
    domain="N = 4, 8, 16 (full: 32), balls of 240 bits; the lower bound of the entry is attained to four digits",
    routes=("the bound for the entry", "abs(v* B) from certified dense eigenvectors, normalized"),
    relation=AT_MOST,
    expected="REFINED",
    corruptions=[{"two": Fraction(200002, 10**5)}, {"excess": Fraction(7009, 10000)}],
    counterexample=Counterexample(
        r"Clipping $\Im (V^* B)$ to $[-2, 2]$ does not change the system, for every unitary $V$ that diagonalizes.",
        _other_phase,
    ),
    tags=("s4d", "legs", "spectrum"),
    related=("s4d.B", "s4d.B.weights"),
)
class ClippedInput:
    """Reciprocals, so that a lower bound becomes an upper one."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes."""
        for N in (4, 8, 16) if effort == "quick" else (4, 8, 16, 32):
            yield {"N": N}

    @staticmethod
    def claimed(case: Case, *, two: Fraction = Fraction(2), excess: Fraction = Fraction(7007, 10000)) -> Any:
        """The reciprocal of the lower bound."""
        with balls(240).work() as ring:
            N = case["N"]
            return 1 / (ring.number(two) * N / arb.pi() * (1 + ring.number(excess) / N**2))

    @staticmethod
    def computed(case: Case) -> Any:
        """The reciprocal of abs(v* B)."""
        with balls(240).work():
            N = case["N"]
            skew = [
                [acb(((n < k) - (n > k)) * arb((2 * n + 1) * (2 * k + 1)).sqrt() / 2) for k in range(N)]
                for n in range(N)
            ]
            values, vectors = acb_mat(skew).eig(right=True)
            top = max(range(N), key=lambda i: float(values[i].imag))
            column = [vectors[n, top] for n in range(N)]
            size = sum((abs(entry) ** 2 for entry in column), arb(0)).sqrt()
            product = sum((entry.conjugate() * arb(2 * n + 1).sqrt() for n, entry in enumerate(column)), acb(0))
            return size / abs(product)
