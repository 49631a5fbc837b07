"""S4: the HiPPO matrix, changes of basis, and why A is not diagonalized by its own eigenvectors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import arb, fmpq, fmpq_mat, fmpq_poly, fmpz_poly

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import IDENTICAL, WITHIN

__all__: list[str] = []

SMALL = Fraction(1000001, 1000000)


@claim(
    "s4.eq2",
    title="The HiPPO matrix of S4 is LegS",
    statement=r"$A_{nk} = -\sqrt{(2n+1)(2k+1)}$ for $n > k$, $-(n+1)$ for $n = k$, $0$ for $n < k$, is the matrix of LegS:"
    r" $A_{nk} = -\int_0^1 (y g_n)' g_k dy$ with $g_n(y) = \sqrt{2n+1} P_n(2y-1)$, the derivative of the projection on $[0,t]$.",
    source="S4, equation (2); it is LegS, although an appendix is reported to call it LegT (state-spaces/s4, issue 156)",
    domain="n, k < 12 (full: 32), exact: signs times squares of the entries",
    routes=("the entries", "integrals of Legendre polynomials"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"slope": 3}, {"offset": 2}, {"diagonal": 2}, {"above": -1}, {"sign": 1}, {"product": 1}],
    tags=("legs", "exact"),
    related=("hippo.thm2.legs",),
    figure="family-tree-matrices",
)
class HippoMatrix:
    """Squares keep the square roots away."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield {"N": 12 if effort == "quick" else 32}

    @staticmethod
    def claimed(
        case: Case,
        *,
        slope: int = 2,
        offset: int = 1,
        diagonal: int = 1,
        above: int = 0,
        sign: int = -1,
        product: int = 0,
    ) -> list[Any]:
        # `product`: of the factor R_n R_k on the diagonal; a misprint writes R_n R_k (n+1) there.
        N, values = case["N"], []
        for n in range(N):
            for k in range(N):
                square = (slope * n + offset) * (slope * k + offset)
                on = (n + diagonal) ** 2 * (2 * n + 1) ** (2 * product)
                values.append(fmpq(sign * (square if n > k else on if n == k else above * square)))
        return values

    @staticmethod
    def computed(case: Case) -> list[Any]:
        N, y = case["N"], fmpq_poly([0, 1])
        shifted = [fmpq_poly.legendre_p(n)(fmpq_poly([-1, 2])) for n in range(N)]
        values = []
        for n in range(N):
            derivative = (y * shifted[n]).derivative()
            for k in range(N):
                integral = (derivative * shifted[k]).integral()(fmpq(1))
                values.append(-integral * abs(integral) * (2 * n + 1) * (2 * k + 1))
        return values


def _system(N: int) -> tuple[fmpq_mat, fmpq_mat, fmpq_mat]:
    """A dense rational system without symmetry."""
    A = [[fmpq((3 * n + 5 * k + n * k) % 7 - 3, 4) - (3 if n == k else 0) for k in range(N)] for n in range(N)]
    B = [[fmpq((2 * n * n + 1) % 5 - 1, 2)] for n in range(N)]
    C = [[fmpq((n * n + 3) % 6 - 2, 3) for n in range(N)]]
    return fmpq_mat(A), fmpq_mat(B), fmpq_mat(C)


@claim(
    "s4.lem3.1",
    title="A change of basis leaves the map from input to output alone",
    statement=r"$(V^{-1} A V, V^{-1} B, C V)$ has the same Markov parameters $C A^l B$ as $(A, B, C)$, and after the bilinear"
    r" rule with any step the same kernel $C \bar A^l \bar B$, for every invertible $V$.",
    source="S4, Lemma 3.1",
    domain="N = 1, ..., 5 (full: 10), l = 0, ..., 7, continuous and with steps 1/3 and 2, exact rationals",
    routes=("the transformed system", "the system itself, by recurrence"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"state": -1}, {"into": 1}, {"out": -1}],
    tags=("exact",),
)
class ChangeOfBasis:
    """A triangular V plus a cyclic shift: dense inverse."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for N in range(1, 6 if effort == "quick" else 11):
            for step in (None, Fraction(1, 3), Fraction(2)):
                yield {"N": N, "step": step}

    @staticmethod
    def claimed(case: Case, *, state: int = 1, into: int = -1, out: int = 1) -> list[Any]:
        N, step = case["N"], case["step"]
        A = fmpq_mat([[fmpq((3 * n + 5 * k + n * k) % 7 - 3, 4) - 3 * (n == k) for k in range(N)] for n in range(N)])
        B = fmpq_mat([[fmpq((2 * n * n + 1) % 5 - 1, 2)] for n in range(N)])
        C = fmpq_mat([[fmpq((n * n + 3) % 6 - 2, 3) for n in range(N)]])
        V = fmpq_mat([[fmpq(n + 2 * k + 2 if n <= k else 1 if n == k + 1 else 0) for k in range(N)] for n in range(N)])
        powers = {1: V, -1: V.inv()}
        A, B, C = powers[-state] * A * powers[state], powers[into] * B, C * powers[out]
        if step is not None:
            half = fmpq(step.numerator, 2 * step.denominator)
            identity = fmpq_mat([[int(n == k) for k in range(N)] for n in range(N)])
            inverse = (identity - A * half).inv()
            A, B = inverse * (identity + A * half), inverse * B * (2 * half)
        values, power = [], C
        for _ in range(8):
            values.append((power * B)[0, 0])
            power = power * A
        return values

    @staticmethod
    def computed(case: Case) -> list[Any]:
        N, step = case["N"], case["step"]
        A, B, C = _system(N)
        if step is None:
            values, x = [], B
            for _ in range(8):
                values.append((C * x)[0, 0])
                x = A * x
            return values
        # the trapezoidal rule, input in one step: x_l - x_(l-1) = (dt/2) A (x_l + x_(l-1)) + dt B u_l
        half = fmpq(step.numerator, 2 * step.denominator)
        left = fmpq_mat([[fmpq(int(n == k)) - half * A[n, k] for k in range(N)] for n in range(N)])
        values, x = [], left.solve(B * (2 * half))
        for _ in range(8):
            values.append((C * x)[0, 0])
            x = left.solve(x + A * x * half)
        return values


@claim(
    "s4.lem3.2",
    title="The HiPPO matrix is diagonalized by binomial coefficients",
    statement=r"$H_{nk} = (-1)^{n-k} (2k+1)$ for $n > k$, $k+1$ for $n = k$ (LegS up to sign and diagonal similarity) satisfies"
    r" $H V = V diag(1, \dots, N)$ with $V_{ij} = \binom{i+j}{i-j} = \binom{i+j}{2j}$, for every $N$.",
    source="S4, Lemma 3.2",
    domain="the step from row i to row i+1 for every i and every column j, symbolic (rows i and i+1 of H add to -i, i+2 in"
    " columns i, i+1); the diagonal, from which it starts; N = 16 over the integers",
    routes=(
        "the eigenvalue side; V diag V^-1",
        "the sum of two rows of H, binomials reduced by sympy; the entries of H",
    ),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"first": 2}, {"shift": 1}, {"lower": 3}],
    tags=("legs", "symbolic"),
    related=("s4.lem3.2.growth",),
    figure="eigenvector-growth",
)
class Diagonalization:
    """The step is divided by V_(i+1, j), with V_ij/V_(i+1,j) = (i+1-j)/(i+1+j), regular for j = 0, ..., i+1."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield {"rows": "i to i+1, symbolic"}
        yield {"rows": "start, symbolic"}
        yield {"rows": 16}

    @staticmethod
    def claimed(case: Case, *, first: int = 1, shift: int = 0, lower: int = 2) -> list[Any]:
        import sympy

        i, j = sympy.symbols("i j", integer=True, nonnegative=True)
        if case["rows"] == "start, symbolic":
            return [j + first]
        if case["rows"] == "i to i+1, symbolic":
            quotient = (i + 1 - (lower - 1) * j) / (i + 1 + j + shift)
            return [sympy.factor((j + first) * (1 + quotient))]
        N = case["rows"]
        V = fmpq_mat(
            [[math.comb(n + k + shift, lower * k) if lower * k <= n + k else 0 for k in range(N)] for n in range(N)]
        )
        spectrum = fmpq_mat([[(n + first) * (n == k) for k in range(N)] for n in range(N)])
        product = V * spectrum * V.inv() if V.det() != 0 else spectrum
        return [product[n, k] for n in range(N) for k in range(N)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        i, j = sympy.symbols("i j", integer=True, nonnegative=True)
        if case["rows"] == "start, symbolic":
            # (H V)_jj = H_jj V_jj: both are lower triangular
            return [sympy.expand((j + 1) * sympy.binomial(2 * j, 2 * j))]
        if case["rows"] == "i to i+1, symbolic":
            rows = (i + 2) * sympy.binomial(i + 1 + j, 2 * j) - i * sympy.binomial(i + j, 2 * j)
            return [sympy.factor(sympy.combsimp(rows / sympy.binomial(i + 1 + j, 2 * j)))]
        N = case["rows"]
        return [
            fmpq((-1) ** (n - k) * (2 * k + 1) if n > k else (k + 1) * (n == k)) for n in range(N) for k in range(N)
        ]


def _largest_index(N: int) -> int:
    """The j at which binom(N-1+j, 2j) is largest: the last for which it grew, found by bisection."""
    low, high = 0, N
    while high - low > 1:
        j = (low + high) // 2
        # the quotient of entries j and j-1 exceeds 1
        low, high = (j, high) if (N + j - 1) * (N - j) > (2 * j - 1) * (2 * j) else (low, j)
    return low


def _exceeds(effort: str) -> tuple[list[dict[str, Any]], bool]:
    rows, certified = [], True
    for N in (128, 256, 1024, 4096):
        j = _largest_index(N)
        entry = math.comb(N - 1 + j, 2 * j)
        certified = certified and entry**3 > 2 ** (4 * N)
        text = f"log2 of the largest entry {math.log2(entry):.4f}, above 4N/3 = {4 * N / 3:.4f}"
        rows.append({"case": f"N = {N}, j = {j}", "numbers": text, "margin": None})
    return rows, certified


@claim(
    "s4.lem3.2.growth",
    title="The diagonalizing matrix grows like the 2N-th power of the golden ratio",
    statement=r"The largest entry of $V_{ij} = \binom{i+j}{i-j}$, $i, j < N$, is"
    r" $\frac{5^{1/4}}{2 \sqrt{\pi N}} \phi^{2N-1} (1 + \epsilon_N)$, $|\epsilon_N| \le 0.3888/N$ for $N "
    r"\ge 3$, $\phi = (1+\sqrt5)/2$:"
    r" $2^{1.3885 N}$. The paper's $2^{4N/3}$ (the entry $\binom{4i}{2i}$ of row $3i$) is a lower rate.",
    source="S4, Lemma 3.2 and the remark on its entries; the rate and the constant derived here",
    domain="N = 3, ..., 200, 256, 1024, 4096, 10^6, 10^8 (full: 10^10), balls of 400 bits;"
    " relative changes of 1e-6 show from 10^8 on",
    routes=("the asymptotic form with its band", "the exact position by bisection, the entry by certified log-gamma"),
    relation=WITHIN,
    expected="REFINED",
    corruptions=[
        {"scale": SMALL},
        {"scale": 1 / SMALL},
        {"root": Fraction(5) * SMALL},
        {"quarter": Fraction(1, 4) * SMALL},
        {"exponent": 0},
        {"slope": 1},
        {"half": Fraction(1, 2) * SMALL},
        {"band": Fraction(3887, 10000)},
    ],
    counterexample=Counterexample(r"The entries of $V$ are at most $2^{4N/3}$.", _exceeds),
    tags=("legs", "growth"),
    related=("s4.lem3.2", "s4.lem3.2.rows"),
    figure="eigenvector-growth",
)
class Growth:
    """Both bounds as one bracket."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        sizes = (*range(3, 201), 256, 1024, 4096, 10**6, 10**8)
        for N in sizes if effort == "quick" else (*sizes, 10**10):
            yield {"N": N}

    @staticmethod
    def claimed(
        case: Case,
        *,
        scale: Fraction = Fraction(1),
        root: Fraction = Fraction(5),
        quarter: Fraction = Fraction(1, 4),
        slope: int = 2,
        exponent: int = -1,
        half: Fraction = Fraction(1, 2),
        band: Fraction = Fraction(3888, 10000),
    ) -> list[Any]:
        with balls(400).work() as ring:
            N = case["N"]
            five = ring.number(root)
            logarithm = (slope * N + exponent) * ((1 + five.sqrt()) / 2).log() + ring.number(quarter) * five.log()
            logarithm -= ring.number(half) * (arb.pi() * N).log()
            leading = ring.number(scale) * logarithm.exp() / 2
            epsilon = ring.number(band) / N
            return [(leading * (1 - epsilon)).union(leading * (1 + epsilon))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        with balls(400).work():
            N = case["N"]
            j = _largest_index(N)
            entry = (arb(N + j).lgamma() - arb(2 * j + 1).lgamma() - arb(N - j).lgamma()).exp()
            return [entry]


@claim(
    "s4.lem3.2.rows",
    title="Rows of the diagonalizing matrix sum to Fibonacci numbers",
    statement=r"$\sum_j \binom{i+j}{i-j} = F_{2i+1}$ with $F_1 = F_2 = 1$: the norm of $V$ grows like $\phi^{2N}$.",
    source="classical; derived here for S4, Lemma 3.2",
    domain="i < 64 (full: 512), exact integers",
    routes=("the recurrence of Fibonacci numbers", "sums of binomial coefficients"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"slope": 1}, {"offset": 2}],
    tags=("legs", "exact", "growth"),
    related=("s4.lem3.2.growth",),
    figure="eigenvector-growth",
)
class FibonacciRows:
    """All rows of one size."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield {"N": 64 if effort == "quick" else 512}

    @staticmethod
    def claimed(case: Case, *, slope: int = 2, offset: int = 1) -> list[Any]:
        numbers = [0, 1]
        while len(numbers) <= slope * case["N"] + offset:
            numbers.append(numbers[-1] + numbers[-2])
        return [numbers[slope * i + offset] for i in range(case["N"])]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        return [sum(math.comb(i + j, i - j) for j in range(i + 1)) for i in range(case["N"])]


@claim(
    "s4.charpoly",
    title="Coefficients of a characteristic polynomial and of its inverse power series",
    statement=r"$(1-x)^N$ has the coefficients $(-1)^k \binom{N}{k}$, and its inverse modulo $x^L$ the coefficients"
    r" $\binom{N+l-1}{l}$, $l < L$, the last of them $\binom{N+L-2}{L-1}$: an algorithm that forms them loses as many digits.",
    source="S4, appendix on the instability of the earlier fast algorithm (LSSL)",
    domain="N = 1, 2, 5, 16, 40 (full: 200), L = 64 (full: 500), exact integers",
    routes=("binomial coefficients", "repeated multiplication, and repeated running sums"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"sign": 1}, {"up": 0}, {"top": 1}],
    tags=("exact", "growth"),
    related=("s4.charpoly.growth",),
)
class CharacteristicPolynomial:
    """All coefficients of both."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 2, 5, 16, 40) if effort == "quick" else (1, 2, 5, 16, 40, 200):
            yield {"N": N, "L": 64 if effort == "quick" else 500}

    @staticmethod
    def claimed(case: Case, *, sign: int = -1, up: int = -1, top: int = 0) -> list[Any]:
        N, L = case["N"], case["L"]
        forward = [sign**k * math.comb(N + top, k) for k in range(N + 1)]
        return [*forward, *(math.comb(N + j + up, j) for j in range(L))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        N, L = case["N"], case["L"]
        polynomial, series = fmpz_poly([1]), [1] + [0] * (L - 1)
        for _ in range(N):
            polynomial = polynomial * fmpz_poly([1, -1])
            for j in range(1, L):
                series[j] += series[j - 1]  # over 1 - x
        return [*(int(c) for c in polynomial.coeffs()), *series]


@claim(
    "s4.charpoly.growth",
    title="The largest coefficient of (1-x)^N",
    statement=r"For even $N$: $\binom{N}{N/2} = 2^N \sqrt{\frac{2}{\pi N}} (1 - \frac{1}{4N} + \epsilon_N)$, $|\epsilon_N| \le"
    r" \frac{0.04491}{N^2}$: $2^N$ up to a root, so that doubles (53 bits) are exhausted near $N = 56$.",
    source="S4, appendix on the instability of the earlier fast algorithm, which quotes about $2^N$; the constant is classical",
    domain="N = 2, 8, 64, 1024, 2^15 (full: 2^17), balls; relative changes of 1e-6 show at 2^15",
    routes=("the asymptotic form with its band", "the exact binomial coefficient"),
    relation=WITHIN,
    expected="CERTIFIED",
    corruptions=[
        {"two": Fraction(2) * SMALL},
        {"two": Fraction(2) / SMALL},
        {"quarter": Fraction(25001, 100000)},
        {"base": 2 * SMALL},
        {"band": Fraction(4490, 10**5)},
    ],
    tags=("growth",),
    related=("s4.charpoly",),
    figure="eigenvector-growth",
)
class LargestCoefficient:
    """Both bounds as one bracket."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        sizes = (2, 8, 64, 1024, 2**15)
        for N in sizes if effort == "quick" else (*sizes, 2**17):
            yield {"N": N}

    @staticmethod
    def claimed(
        case: Case,
        *,
        two: Fraction = Fraction(2),
        quarter: Fraction = Fraction(1, 4),
        base: Fraction = Fraction(2),
        band: Fraction = Fraction(4491, 10**5),
    ) -> list[Any]:
        with balls(400).work() as ring:
            N = case["N"]
            leading = ring.number(base) ** N * (ring.number(two) / (arb.pi() * N)).sqrt()
            middle, epsilon = 1 - ring.number(quarter / N), ring.number(band / N**2)
            return [(leading * (middle - epsilon)).union(leading * (middle + epsilon))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        with balls(400).work():
            N = case["N"]
            coefficient = 1
            for k in range(1, N // 2 + 1) if N <= 1024 else ():
                coefficient = coefficient * (N - k + 1) // k
            value = arb(coefficient if N <= 1024 else math.comb(N, N // 2))
            return [value]
