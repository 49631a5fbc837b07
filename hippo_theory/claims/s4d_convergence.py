"""S4D, its theorem on the diagonal restriction of LegS: the senses in which it holds, and those in which it does not."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import acb, acb_mat, arb, fmpq, fmpq_mat

from hippo_theory.arithmetic import balls
from hippo_theory.claims.legs_rationals import both_systems, difference_output
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import AT_MOST, EQUAL, IDENTICAL, WITHIN
from hippo_theory.families import LagT, LegS
from hippo_theory.kernels import diagonal_kernel, full_kernel
from hippo_theory.norms import exact_h2_squared, l2_squared, transfer_value

__all__: list[str] = []

_THEOREM = "S4D (arXiv:2206.11893), theorem 3 (its number as in notes on the paper)"
_MILLIONTH = Fraction(1, 10**6)
_POINTS = ((0, 1), (0, 3), (0, -40), (1, 2), (Fraction(-1, 4), 1))


def _three_senses(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """L2, uniform, and mean square over a window, at sizes that grow."""
    rows, certified = [], True
    for N in (2, 4, 6):
        square = exact_h2_squared(*both_systems(N), difference_output(N, 0))
        certified &= square >= fmpq(1, 12)
        rows.append({"case": f"L2, N = {N}, component 0", "numbers": f"squared distance {square} exactly"})
    with balls(160).work() as ring:
        for N in (16, 64, 256) if effort == "quick" else (16, 64, 256, 1024):
            difference = diagonal_kernel(LegS(N), 0, ring) - full_kernel(LegS(N), 0, ring)
            start = difference(0)
            certified &= bool(abs(start + arb(1) / 2) < 1e-30)
            rows.append({"case": f"uniform, N = {N}, t = 0", "numbers": f"difference {start.str(10)}"})
            if N <= 64:
                mean = 2 * (l2_squared(difference, 1) - l2_squared(difference, Fraction(1, 2)))
                certified &= bool(mean > 0.1)
                rows.append({"case": f"1/2 <= t <= 1, N = {N}", "numbers": f"mean square difference {mean.str(10)}"})
    return rows, certified


@claim(
    "s4d.thm3",
    title="The diagonal restriction of LegS converges weakly, at the rate 1/N, and in no stronger sense",
    statement=(
        r"Let $X$ and $X^D$ be the transfer functions of the basis kernels of LegS $(A, B)$ and of $(A + \frac12 B B^T,"
        r" \frac12 B)$. For every $N$ and $s$ that is no pole $X^D_n - X_n = -X_n \frac{q_N}{1 + q_N}$ with $q_N(s) ="
        r" \prod_{k<N} \frac{s-k}{s+k+1}$, and $|q_N(i w)| = \frac{|w|}{\sqrt{w^2 + N^2}}$: convergence $O(1/N)$ at every fixed"
        r" $s = i w$, hence of outputs for smooth inputs. It does not converge in $L^2$, uniformly, or in root mean square over"
        r" a window."
    ),
    source=_THEOREM + "; rate and senses derived here",
    domain="N = 1, 2, 5, 12 (full: 32), all components, five points s, balls of 300 bits",
    routes=("the closed form", "certified linear solves with both dense matrices"),
    relation=EQUAL,
    expected="REFINED",
    corruptions=[
        {"zero": _MILLIONTH},
        {"pole": 2},
        {"sign": 1},
        {"scale": 1 + _MILLIONTH},
        {"axis": 1 + _MILLIONTH},
    ],
    counterexample=Counterexample(
        r"As $N \to \infty$ the basis kernels of $(A + \frac12 B B^T, \frac12 B)$ tend to those of $(A, B)$ in $L^2$, uniformly"
        r" or pointwise.",
        _three_senses,
    ),
    tags=("s4d", "legs", "convergence"),
    related=("s4d.thm3.rate", "s4d.thm3.l2", "s4d.thm3.uniform", "s4d.thm3.rms", "s4d.cor.lagt"),
    figure="error-against-size",
)
class WeakConvergence:
    """Products against two dense solves; on the axis also the modulus of q."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes and points."""
        for N in (1, 2, 5, 12) if effort == "quick" else (1, 2, 5, 12, 32):
            for real, imaginary in _POINTS:
                yield {"N": N, "s": (Fraction(real), Fraction(imaginary))}

    @staticmethod
    def claimed(
        case: Case,
        *,
        zero: Fraction = Fraction(0),
        pole: int = 1,
        sign: int = -1,
        scale: Fraction = Fraction(1),
        axis: Fraction = Fraction(1),
    ) -> list[Any]:
        """The differences, and abs(q) where s lies on the axis."""
        with balls(300).work() as ring:
            N, s = case["N"], acb(*(ring.number(part) for part in case["s"]))
            q, X, transfers = acb(1), 1 / (s + 1), []
            for k in range(N):
                transfers.append(X * arb(2 * k + 1).sqrt())
                X = X * (s - k) / (s + k + 2)
                q = q * (s - k - ring.number(zero)) / (s + k + pole)
            values = [sign * ring.number(scale) * x * q / (1 + q) for x in transfers]
            if case["s"][0] == 0:
                w = ring.number(case["s"][1]) * ring.number(axis)
                values.append(acb(abs(w) / (w * w + N * N).sqrt()))
            return values

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """(sI - S)^-1 B/2 - (sI - A)^-1 B, and 1 - B^T (sI - A)^-1 B."""
        with balls(300).work() as ring:
            N, s = case["N"], acb(*(ring.number(part) for part in case["s"]))
            legs = LegS(N)
            A, B = legs.state_matrix(ring), legs.input_vector(ring)
            column = acb_mat([[acb(b)] for b in B])
            full = acb_mat([[s * (n == k) - A[n, k] for k in range(N)] for n in range(N)]).solve(column)
            half = acb_mat([[s * (n == k) - A[n, k] - B[n] * B[k] / 2 for k in range(N)] for n in range(N)])
            restricted = half.solve(column)
            values = [restricted[n, 0] / 2 - full[n, 0] for n in range(N)]
            if case["s"][0] == 0:
                values.append(acb(abs(1 - sum((B[n] * full[n, 0] for n in range(N)), acb(0)))))
            return values


@claim(
    "s4d.thm3.rate",
    title="On the imaginary axis the difference is |w X_n| / N to first order",
    statement=(
        r"With $x = |w|/N$, for every $N$ and $w \ne 0$: $\sqrt{1 + x^2} - x \le \frac{N |X^D_n(i w) - X_n(i w)|}{|w X_n(i w)|}"
        r" \le \sqrt{1 + x^2} + x$, where $|X_n(i w)|^2 = \frac{(2n+1) w^2}{(n^2 + w^2)((n+1)^2 + w^2)}$: the difference is"
        r" $\frac{|w X_n(i w)|}{N}$ up to a relative $O(1/N)$."
    ),
    source=_THEOREM + "; derived here",
    domain=(
        "N = 16, 256 (full: 1024), n = 0, 1, 2, w = 10^-5, 1/2, 3, 10; a change of a constant is seen from 2 |w|/N on: "
        "1e-7"
    ),
    routes=(
        "the bounds",
        "sum over the certified poles of the restriction, and the coefficients of Legendre polynomials",
    ),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[
        {"upper": 1 - _MILLIONTH},
        {"lower": 1 + _MILLIONTH},
        {"exponent": 1 + _MILLIONTH},
        {"sign": -1},
        {"root": 2},
    ],
    tags=("s4d", "legs", "convergence"),
    related=("s4d.thm3",),
    figure="error-against-size",
)
class WeakRate:
    """Balls around both sides."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes, components and frequencies."""
        for N in (16, 256) if effort == "quick" else (16, 256, 1024):
            for component in range(3):
                for w in (Fraction(1, 10**5), Fraction(1, 2), Fraction(3), Fraction(10)):
                    yield {"N": N, "component": component, "w": w}

    @staticmethod
    def claimed(
        case: Case,
        *,
        upper: Fraction = Fraction(1),
        lower: Fraction = Fraction(1),
        exponent: Fraction = Fraction(1),
        sign: int = 1,
        root: int = 1,
    ) -> list[Any]:
        """Upper bound, and the reciprocal of the lower one, of the difference."""
        with balls(160).work() as ring:
            N, n, w = case["N"], case["component"], ring.number(case["w"])
            size = w * w * (arb(2 * n + root) / ((n * n + w * w) * ((n + 1) ** 2 + w * w))).sqrt()
            law, x = size / arb(N) ** ring.number(exponent), w / N
            spread = (1 + x * x).sqrt()
            return [
                ring.number(upper) * law * (spread + sign * x),
                1 / (ring.number(lower) * law * (spread - sign * x)),
            ]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """The difference and its reciprocal."""
        with balls(160).work() as ring:
            legs, s = LegS(case["N"]), acb(0, ring.number(case["w"]))
            restricted = transfer_value(diagonal_kernel(legs, case["component"], ring), s)
            full = transfer_value(full_kernel(legs, case["component"], ring), s)
            size = abs(restricted - full)
            return [size, 1 / size]


@claim(
    "s4d.thm3.l2",
    title="The squared L2 distance has a closed form and tends to (2n+1)/4",
    statement=(
        r"$\int_0^\infty (K^D_n - K_n)^2 dt = \frac{2n+1}{4} - \frac{1 + 3 n (n+1)}{2 N^2}$ for $n \le N - 2$; for $n = N - 1$"
        r" add $\frac{N}{\binom{2N}{N} + 1}$. No convergence in $L^2$: $\|K_n\|^2 = \frac12$ itself."
    ),
    source=_THEOREM + "; derived here",
    domain="N = 1, ..., 6 (full: 8), all components, exact rationals",
    routes=("the closed form", "exact Gramian of both systems side by side"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[
        {"quarter": fmpq(1, 4) + fmpq(1, 10**6)},
        {"three": 3 + fmpq(1, 10**6)},
        {"one": 2},
        {"last": 2},
        {"power": 1},
    ],
    tags=("s4d", "legs", "convergence", "exact"),
    related=("s4d.thm3",),
    figure="error-against-size",
)
class SquaredDistance:
    """Rationals in the coordinates x_n / R_n."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes."""
        for N in range(1, 7 if effort == "quick" else 9):
            yield {"N": N}

    @staticmethod
    def claimed(
        case: Case, *, quarter: Any = None, three: Any = 3, one: int = 1, last: int = 1, power: int = 2
    ) -> list[Any]:
        """All components."""
        import math

        N, values = case["N"], []
        for n in range(N):
            value = (2 * n + 1) * (fmpq(1, 4) if quarter is None else quarter)
            value -= (one + three * n * (n + 1)) / fmpq(2 * N**power)
            if n == N - 1:
                value += fmpq(N, math.comb(2 * N, N) + last)
            values.append(value)
        return values

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """C P C^T."""
        A, B = both_systems(case["N"])
        outputs = [difference_output(case["N"], n) for n in range(case["N"])]
        return [(2 * n + 1) * exact_h2_squared(A, B, output) for n, output in enumerate(outputs)]


@claim(
    "s4d.thm3.uniform",
    title="At t = 0 the kernels differ by half of B for every N",
    statement=(
        r"$K^D_n(0) - K_n(0) = -\frac12 R_n = -\frac12 \sqrt{2n+1}$ for every $N$: the largest difference over $t \ge 0$ is at"
        r" least $\frac12 \sqrt{2n+1}$, and the kernels do not converge uniformly."
    ),
    source=_THEOREM + "; derived here",
    domain="N = 1, 2, 3, 16, 128 (full: 1024), components 0, 1, N-1 (at 1024 only 0, 1), balls of 300 bits or more",
    routes=("the closed form", "sum of the coefficients of both exponential sums"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"half": Fraction(-1, 2) + _MILLIONTH}, {"root": 0}],
    tags=("s4d", "legs", "convergence"),
    related=("s4d.thm3",),
    figure="legs-full-against-diagonal",
)
class Start:
    """Residues against the matrices."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes and components."""
        for N in (1, 2, 3, 16, 128) if effort == "quick" else (1, 2, 3, 16, 128, 1024):
            # The Legendre coefficients of the last component take 6 N bits.
            for component in sorted({0, min(1, N - 1), N - 1 if N < 1024 else 0}):
                yield {"N": N, "component": component}

    @staticmethod
    def claimed(case: Case, *, half: Fraction = Fraction(-1, 2), root: int = 1) -> Any:
        """-R_n/2."""
        with balls(300).work() as ring:
            return ring.number(half) * arb(2 * case["component"] + root).sqrt()

    @staticmethod
    def computed(case: Case) -> Any:
        """Both kernels at 0; the Legendre coefficients grow like 34^n."""
        with balls(300 + 6 * case["component"]).work() as ring:
            legs = LegS(case["N"])
            return diagonal_kernel(legs, case["component"], ring)(0) - full_kernel(legs, case["component"], ring)(0)


@claim(
    "s4d.thm3.rms",
    title="Over a fixed window the mean square difference tends to (2n+1)/4 e^{-t}",
    statement=(
        r"$\int_{a}^{b} (K^D_n - K_n)^2 dt \to \frac{2n+1}{4} \int_a^b e^{-t} dt$ as $N \to \infty$: a noise of root mean"
        r" square $\frac12 R_n e^{-t/2}$ that does not decay with $N$. At the sizes covered the integral is the limit times $1 +"
        r" \frac{c}{N}$, $0.188634 \le c \le 1.244724$."
    ),
    source=_THEOREM + "; derived here, and why another paper finds that impulse responses do not converge",
    domain=(
        "N = 64, 128 (full: 256, 512), n = 0, 1, 2, windows [1/2, 3/2] and [1, 2], and N = 512, n = 0, [1, 2]: both ends "
        "of c are attained to six decimals"
    ),
    routes=(
        "the limit times the ends of the bracket",
        "certified integrals of the difference over the window, pole by pole",
    ),
    relation=WITHIN,
    expected="CERTIFIED",
    corruptions=[
        {"quarter": Fraction(1, 4) + _MILLIONTH},
        {"decay": 1 + _MILLIONTH},
        {"low": Fraction(188635, 10**6)},
        {"high": Fraction(1244723, 10**6)},
        {"root": 2},
    ],
    tags=("s4d", "legs", "convergence"),
    related=("s4d.thm3", "s4d.fig2.num"),
    figure="legs-full-against-diagonal",
)
class WindowNoise:
    """Balls."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes, components, windows."""
        for N in (64, 128) if effort == "quick" else (64, 128, 256, 512):
            for component in range(3):
                for window in ((Fraction(1, 2), Fraction(3, 2)), (Fraction(1), Fraction(2))):
                    yield {"N": N, "component": component, "window": window}
        if effort == "quick":
            yield {"N": 512, "component": 0, "window": (Fraction(1), Fraction(2))}

    @staticmethod
    def claimed(
        case: Case,
        *,
        quarter: Fraction = Fraction(1, 4),
        decay: Fraction = Fraction(1),
        low: Fraction = Fraction(188634, 10**6),
        high: Fraction = Fraction(1244724, 10**6),
        root: int = 1,
    ) -> list[Any]:
        """Both ends as one bracket."""
        with balls(128).work() as ring:
            a, b = (ring.number(end) * ring.number(decay) for end in case["window"])
            limit = ring.number(quarter) * (2 * case["component"] + root) * ((-a).exp() - (-b).exp())
            ends = [limit * (1 + ring.number(end) / case["N"]) for end in (low, high)]
            return [ends[0].union(ends[1])]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """The integral."""
        with balls(160).work() as ring:
            legs, n = LegS(case["N"]), case["component"]
            difference = diagonal_kernel(legs, n, ring) - full_kernel(legs, n, ring)
            a, b = case["window"]
            value = l2_squared(difference, b) - l2_squared(difference, a)
            return [value]


@claim(
    "s4d.cor.lagt",
    title="The restriction of LagT does not converge even weakly",
    statement=(
        r"LagT, $A = \frac12 I - \mathrm{tril}(1)$, $B = 1$: $X^D_n - X_n = -X_n \frac{q}{1+q}$ with $q(s) = \left(\frac{s -"
        r" \frac12}{s + \frac12}\right)^N$ and $X_n = \frac{(s - \frac12)^n}{(s + \frac12)^{n+1}}$. On the imaginary axis"
        r" $|q| = 1$ for every $N$, so that $|X^D_n - X_n| \ge \frac12 |X_n|$: the theorem is special to LegS."
    ),
    source="S4D (arXiv:2206.11893), corollary on LegS alone, by content as in notes on the paper; formulas derived here",
    domain="N = 1, 2, 5, 12 (full: 32), all components, s = i, 3i, -i/10, 1+2i, balls of 300 bits",
    routes=("the closed form", "certified linear solves with both dense matrices of the family"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"half": Fraction(1, 2) + _MILLIONTH}, {"sign": 1}, {"shift": 1}],
    tags=("s4d", "lagt", "convergence"),
    related=("s4d.thm3", "s4d.cor.unstable"),
    figure="basis-kernels",
)
class LagtRestriction:
    """Powers against two dense solves."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes and points."""
        for N in (1, 2, 5, 12) if effort == "quick" else (1, 2, 5, 12, 32):
            for s in ((0, 1), (0, 3), (0, Fraction(-1, 10)), (1, 2)):
                yield {"N": N, "s": (Fraction(s[0]), Fraction(s[1]))}

    @staticmethod
    def claimed(case: Case, *, half: Fraction = Fraction(1, 2), sign: int = -1, shift: int = 0) -> list[Any]:
        """The differences."""
        with balls(300).work() as ring:
            s, a = acb(*(ring.number(part) for part in case["s"])), ring.number(half)
            q = ((s - a) / (s + a)) ** (case["N"] + shift)
            return [sign * (s - a) ** n / (s + a) ** (n + 1) * q / (1 + q) for n in range(case["N"])]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """(sI - S)^-1 B/2 - (sI - A)^-1 B."""
        with balls(300).work() as ring:
            N, s = case["N"], acb(*(ring.number(part) for part in case["s"]))
            lagt = LagT(N)
            A, S = lagt.state_matrix(ring), lagt.normal_part(ring)
            column = acb_mat([[acb(b)] for b in lagt.input_vector(ring)])
            full = acb_mat([[s * (n == k) - A[n, k] for k in range(N)] for n in range(N)]).solve(column)
            restricted = acb_mat([[s * (n == k) - S[n, k] for k in range(N)] for n in range(N)]).solve(column)
            return [restricted[n, 0] / 2 - full[n, 0] for n in range(N)]


@claim(
    "s4d.B",
    title="Without the factor 1/2 the restriction is twice too large",
    statement=(
        r"The restriction with input $B$ in place of $\frac12 B$ has the transfer functions $\frac{2 X_n}{1 + q_N}$, exactly"
        r" $2 X_n$ at $s = 0, 1, \dots, N - 1$, and tends to $2 X_n$, not to $X_n$, at every $\Re s > -\frac12$."
    ),
    source="S4D (arXiv:2206.11893) against the authors' code, whose initializer leaves the factor out; derived here",
    domain="N = 1, ..., 10 (full: 20), all components and s = 0, ..., N-1, exact rationals in the coordinates x_n / R_n",
    routes=("twice the product for X_n / R_n", "exact linear solve with the normal part"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"factor": 1}, {"zero": 1}, {"scale": 1 + fmpq(1, 10**6)}],
    tags=("s4d", "legs", "exact"),
    related=("s4d.thm3", "s4d.B.clip"),
    figure="transfer-spikes",
)
class HalfInput:
    """Exact rationals."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes."""
        for N in range(1, 11 if effort == "quick" else 21):
            yield {"N": N}

    @staticmethod
    def claimed(case: Case, *, factor: int = 2, zero: int = 0, scale: Any = 1) -> list[Any]:
        """For every s all components."""
        values = []
        for s in range(case["N"]):
            value = factor * scale / fmpq(s + 1)
            for n in range(case["N"]):
                values.append(value)
                value = value * (s - n - zero) / fmpq(s + n + 2)
        return values

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """(sI - A - B B^T/2)^-1 B."""
        N, values = case["N"], []
        for s in range(N):
            rows = [
                [s * (n == k) - (fmpq(2 * k + 1, 2) * ((n < k) - (n > k)) - fmpq(1, 2) * (n == k)) for k in range(N)]
                for n in range(N)
            ]
            solved = fmpq_mat(rows).solve(fmpq_mat([[fmpq(1)] for _ in range(N)]))
            values += [solved[n, 0] for n in range(N)]
        return values
