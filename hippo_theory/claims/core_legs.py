"""LegS: exact identities of the full system (derived here; the papers' statements rest on them)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import sympy
from flint import acb, acb_mat, fmpz_mat

from hippo_theory.arithmetic import balls, exact
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import EQUAL, IDENTICAL
from hippo_theory.families import LegS
from hippo_theory.norms import legs_rational_system

__all__: list[str] = []

DERIVED = "derived for this package; not claimed by a paper"


def sizes(effort: str, quick: tuple[int, ...], full: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes of an effort."""
    return quick if effort == "quick" else full


@claim(
    "core.legs.unit",
    title="A constant input of one has the fixed point e_0",
    statement=(
        r"LegS: $A e_0 + B = 0$, that is $-A^{-1}B = e_0$, for every $N$. In the basis divided by $R_n = "
        r"\sqrt{2n+1}$ all numbers are integers."
    ),
    source=DERIVED,
    domain="N = 1, ..., 24, exact integers",
    routes=(
        "the statement: -B, all entries -1",
        "the first column of A with entries -(2k+1), n > k, and -(n+1), n = k",
    ),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"gain": 2}, {"component": 1}],
    tags=("legs", "exact"),
    figure="time-scales",
)
class LegsUnit:
    """Integers, in the basis x_n / R_n."""

    def cases(effort: str) -> Iterator[Case]:
        for N in range(1, 25):
            yield {"N": N}

    def claimed(case: Case, *, gain: int = 1, component: int = 0) -> list[Any]:
        # With input B' = gain the fixed point would be e_0: A e_component = -gain (1, ..., 1).
        return [(-gain if component == 0 else 0 if n < component else -gain) for n in range(case["N"])]

    def computed(case: Case) -> list[Any]:
        A, _ = legs_rational_system(case["N"])
        return [row[0] for row in A]


@claim(
    "core.legs.laplace",
    title="Transfer functions of LegS in closed form",
    statement=(
        r"$e_n^T(sI-A)^{-1}B = R_n \prod_{k=0}^{n-1}(s-k) \Big/ \prod_{k=1}^{n+1}(s+k)$, for every $n < N$ and "
        r"every $s$ that is no pole."
    ),
    source=DERIVED,
    domain="N = 1, 2, 3, 8, 16 (full: 64), all components, five points of the plane, balls of 300 bits",
    routes=("the product", "a certified linear solve with the matrix of the family"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"zero": Fraction(1, 10**6)}, {"pole": 2}, {"scale": Fraction(1000001, 1000000)}, {"root": 0}],
    tags=("legs", "transfer"),
    related=("core.legs.blaschke",),
    figure="transfer-spikes",
)
class LegsLaplace:
    """A product against a dense solve."""

    POINTS = ((1, 0), (0, 1), (0, 30), (-1, 3), (2, 5))  # re/4, im/2

    def cases(effort: str) -> Iterator[Case]:
        for N in sizes(effort, (1, 2, 3, 8, 16), (1, 2, 3, 8, 16, 64)):
            for re, im in LegsLaplace.POINTS:
                yield {"N": N, "s": (Fraction(re, 4), Fraction(im, 2))}

    def claimed(
        case: Case, *, zero: Fraction = Fraction(0), pole: int = 1, scale: Fraction = Fraction(1), root: int = 1
    ) -> list[Any]:
        with balls(300).work() as ring:
            s = acb(ring.number(case["s"][0]), ring.number(case["s"][1]))
            values, product = [], acb(1)
            for n in range(case["N"]):
                value = ring.number(scale) * product / (s + n + pole)
                values.append(value * ring.sqrt(ring.number(2 * n + root)))
                product *= (s - n - ring.number(zero)) / (s + n + pole)
            return values

    def computed(case: Case) -> list[Any]:
        with balls(300).work() as ring:
            N = case["N"]
            family = LegS(N)
            s = acb(ring.number(case["s"][0]), ring.number(case["s"][1]))
            A, B = family.state_matrix(ring), family.input_vector(ring)
            matrix = acb_mat([[(s if n == k else acb(0)) - A[n, k] for k in range(N)] for n in range(N)])
            solved = matrix.solve(acb_mat([[acb(b)] for b in B]))
            return [solved[n, 0] for n in range(N)]


@claim(
    "core.legs.laplace.integral",
    title="The transfer functions of LegS are Mellin moments of shifted Legendre polynomials",
    statement=(
        r"$\int_0^1 x^s R_n P_n(2x-1)\,dx = R_n \prod_{k=0}^{n-1}(s-k) \Big/ \prod_{k=1}^{n+1}(s+k)$ for $\Re s > "
        r"-1$ and every $n$."
    ),
    source=DERIVED,
    domain=(
        "n = 0, ..., 16, each at n + 3 points s, which decide a rational function of degree n + 1: exact for all s"
    ),
    routes=("the product", "integral of the polynomial term by term, coefficients by sympy"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"zero": Fraction(1, 10**6)}, {"pole": 2}, {"scale": Fraction(1000001, 1000000)}],
    tags=("legs", "transfer", "exact"),
    related=("core.legs.laplace",),
)
class LegsMellin:
    """Both sides divided by R_n."""

    def cases(effort: str) -> Iterator[Case]:
        for n in range(17):
            yield {"n": n}

    def claimed(case: Case, *, zero: Fraction = Fraction(0), pole: int = 1, scale: Fraction = Fraction(1)) -> list[Any]:
        n, values = case["n"], []
        for i in range(n + 3):
            s, value = Fraction(2 * i + 1, 3), scale
            for k in range(n):
                value *= s - k - zero
            for k in range(pole, n + pole + 1):
                value /= s + k
            values.append(value)
        return values

    def computed(case: Case) -> list[Any]:
        x = sympy.symbols("x")
        polynomial = sympy.Poly(sympy.legendre(case["n"], 2 * x - 1), x)
        terms = [(power, int(c)) for (power,), c in polynomial.terms()]
        points = [Fraction(2 * i + 1, 3) for i in range(case["n"] + 3)]
        return [sum((c / (s + power + 1) for power, c in terms), Fraction(0)) for s in points]


@claim(
    "core.legs.laplace.axis",
    title="The modulus of the transfer functions of LegS on the imaginary axis",
    statement=(
        r"LegS, $X = (sI-A)^{-1}B$: $|X_n(i\omega)|^2 = \frac{(2n+1)\,\omega^2}{(n^2+\omega^2)((n+1)^2+\omega^2)}$ "
        r"for every $n$ and real $\omega \ne 0$; $\frac{1}{1+\omega^2}$ for $n = 0$."
    ),
    source=DERIVED,
    domain="every n by induction, with symbols n and w; n = 0",
    routes=(
        "the formula and its ratio at n and n-1",
        "the rows n and n - 1 of (sI - A) X = B, solved for X_n / X_(n-1); that factor times its conjugate",
    ),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"gain": Fraction(2000002, 1000000)}, {"shift": 2}, {"power": 1}, {"first": 2}],
    tags=("legs", "transfer", "exact"),
    related=("core.legs.laplace",),
    figure="transfer-spikes",
)
class LegsAxisModulus:
    """With X_n = R_n y_n row n reads (s + n + 1) y_n + sum_(k<n) (2k+1) y_k = 1, row 0 (s + 1) y_0 = 1."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"step": "n = 0"}
        yield {"step": "n = 1"}
        yield {"step": "from n - 1 to n"}

    def claimed(
        case: Case, *, gain: Fraction = Fraction(2), shift: int = 1, power: int = 2, first: int = 1
    ) -> list[Any]:
        n, w = sympy.symbols("n w", positive=True)

        def modulus(index: Any) -> Any:
            if index == 0:
                return 1 / (first + w**power)
            lower, upper = index**2 + w**2, (index + shift) ** 2 + w**2
            return (sympy.Rational(gain) * index + 1) * w**power / (lower * upper)

        if case["step"] == "n = 0":
            return [sympy.cancel(modulus(0))]
        if case["step"] == "n = 1":
            return [sympy.cancel(modulus(1) / modulus(0))]
        return [sympy.cancel(modulus(n) / modulus(n - 1))]

    def computed(case: Case) -> list[Any]:
        n, w = sympy.symbols("n w", positive=True)
        s = sympy.I * w
        if case["step"] == "n = 0":
            return [sympy.cancel(sympy.expand(1 / sympy.expand((1 + s) * (1 - s))))]
        index = 1 if case["step"] == "n = 1" else n
        point, earlier, before, unknown = sympy.symbols("s y S z")
        # Row n less row n - 1; the sum over k < n is that over k < n - 1 and (2n-1) y_(n-1).
        upper = (point + index) * earlier + before - 1
        lower = (point + index + 1) * unknown + before + (2 * index - 1) * earlier - 1
        (solution,) = sympy.solve(lower - upper, unknown)
        factor = sympy.cancel(solution / earlier)
        square = [
            sympy.expand(side)
            for side in sympy.fraction(sympy.together(factor.subs(point, s) * factor.subs(point, -s)))
        ]
        return [sympy.cancel((2 * index + 1) * square[0] / ((2 * index - 1) * square[1]))]


@claim(
    "core.legs.blaschke",
    title="The inner function of LegS is a Blaschke product",
    statement=(
        r"LegS: $q_N(s) = 1 - B^T(sI-A)^{-1}B = \prod_{k=0}^{N-1}\frac{s-k}{s+k+1}$ for every $N$ and every $s$ that is "
        r"no pole, by induction on $N$: row $N$ of $(sI-A)X = B$ reads $(s+N+1)X_N = R_Nq_N$, and $q_{N+1} = q_N - "
        r"R_NX_N$. So $X_n = R_nq_n/(s+n+1)$ for every $n$, which is core.legs.laplace."
    ),
    source=DERIVED,
    domain="every N by induction, symbols N and s; the base N = 1",
    routes=(
        "ratio of neighboring products",
        "row N of (sI - A) X = B with the entries of A, solved for X_N by sympy; q_(N+1) = q_N - R_N X_N, over q_N",
    ),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"zero": Fraction(1, 10**6)}, {"pole": 2}, {"sign": -1}],
    tags=("legs", "transfer", "exact"),
    related=("core.legs.laplace", "core.legs.blaschke.dense", "core.legs.blaschke.modulus"),
    figure="transfer-spikes",
)
class LegsBlaschke:
    """In the basis x_n / R_n the sum over k < N in row N is B^T X of size N, that is 1 - q_N."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"N": 1}
        yield {"N": "N + 1"}

    def claimed(case: Case, *, zero: Fraction = Fraction(0), pole: int = 1, sign: int = 1) -> list[Any]:
        s, N = sympy.symbols("s N")
        k = 0 if case["N"] == 1 else N
        return [sympy.cancel(sign * (s - k - sympy.Rational(zero)) / (s + k + pole))]

    def computed(case: Case) -> list[Any]:
        s, N = sympy.symbols("s N")
        if case["N"] == 1:  # A = -1, B = 1
            return [sympy.cancel(1 - 1 / (s + 1))]
        q, y = sympy.symbols("q y")
        (solution,) = sympy.solve((s + N + 1) * y + (1 - q) - 1, y)
        return [sympy.cancel((q - (2 * N + 1) * solution) / q)]


@claim(
    "core.legs.blaschke.dense",
    title="The Blaschke product against the matrices",
    statement=(
        r"LegS: $1 - B^T(sI-A)^{-1}B = \prod_{k=0}^{N-1}\frac{s-k}{s+k+1}$, because $A + BB^T = -A^T - I$ has the "
        r"spectrum $0, 1, \dots, N-1$."
    ),
    source=DERIVED,
    domain="N = 1, ..., 20, exact integers: both characteristic polynomials, all coefficients",
    routes=("coefficients of the products", "characteristic polynomials of A + B B^T and of A"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"zero": 1}, {"pole": 0}],
    tags=("legs", "transfer", "exact"),
    related=("core.legs.blaschke",),
    figure="transfer-spikes",
)
class LegsBlaschkeDense:
    """q = det(sI - A - B B^T) / det(sI - A), the matrix determinant lemma."""

    def cases(effort: str) -> Iterator[Case]:
        for N in range(1, 21):
            yield {"N": N}

    def claimed(case: Case, *, zero: int = 0, pole: int = 1) -> list[Any]:
        x = sympy.symbols("x")
        products = [
            math.prod(x - k - zero for k in range(case["N"])),
            math.prod(x + k + pole for k in range(case["N"])),
        ]
        return [int(c) for product in products for c in sympy.Poly(product, x).all_coeffs()]

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        A, _ = legs_rational_system(N)
        full = [[int(A[n, k].p) for k in range(N)] for n in range(N)]
        closed = [[full[n][k] + 2 * k + 1 for k in range(N)] for n in range(N)]
        polynomials = [fmpz_mat(matrix).charpoly() for matrix in (closed, full)]
        return [int(polynomial[i]) for polynomial in polynomials for i in range(N, -1, -1)]


@claim(
    "core.legs.blaschke.modulus",
    title="The inner function on the imaginary axis, and reflected",
    statement=(
        r"$q_N(s) = \prod_{k=0}^{N-1}\frac{s-k}{s+k+1}$ (core.legs.blaschke) has $|q_N(i\omega)|^2 = "
        r"\frac{\omega^2}{\omega^2+N^2}$ for real $\omega$ and $q_N(s)q_N(-s) = \frac{s^2}{s^2-N^2}$, for every $N$."
    ),
    source=DERIVED,
    domain="every N by induction, symbols N and s; on the axis s = i w the first is the second",
    routes=(
        "ratios of the formula at N + 1 and N, and its value at N = 1",
        "one factor of the product times its reflection",
    ),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"size": Fraction(1000001, 1000000)}, {"power": 1}, {"sign": 1}],
    tags=("legs", "transfer", "exact"),
    related=("core.legs.blaschke",),
    figure="transfer-spikes",
)
class LegsBlaschkeModulus:
    """q_(N+1)(s) / q_N(s) = (s-N)/(s+N+1)."""

    def cases(effort: str) -> Iterator[Case]:
        for N in ("1", "N + 1"):
            for side in ("reflected", "axis"):
                yield {"N": N, "side": side}

    def claimed(case: Case, *, size: Fraction = Fraction(1), power: int = 2, sign: int = -1) -> list[Any]:
        s, N, w = sympy.symbols("s N w")

        def value(size_: Any) -> Any:
            if case["side"] == "axis":
                return w**2 / (w**2 - sign * sympy.Rational(size) * size_**power)
            return s**2 / (s**2 + sign * sympy.Rational(size) * size_**power)

        return [sympy.cancel(value(sympy.Integer(1)) if case["N"] == "1" else value(N + 1) / value(N))]

    def computed(case: Case) -> list[Any]:
        s, N, w = sympy.symbols("s N w")
        k = 0 if case["N"] == "1" else N
        if case["side"] == "axis":
            top, bottom = (
                sympy.expand((sympy.I * w - k) * (-sympy.I * w - k)),
                (sympy.I * w + k + 1) * (-sympy.I * w + k + 1),
            )
            return [sympy.cancel(top / sympy.expand(bottom))]
        return [sympy.cancel((s - k) * (-s - k) / ((s + k + 1) * (-s + k + 1)))]


@claim(
    "core.legs.blaschke.energy",
    title="The transfer functions of LegS share their energy with the inner function",
    statement=(
        r"LegS, $X = (sI-A)^{-1}B$ and $q_N = 1 - B^TX$ (core.legs.blaschke): $\sum_{n<N}|X_n(s)|^2 = "
        r"\frac{1-|q_N(s)|^2}{1+2\,\Re s}$ for every $N$ and every $s$ with $\Re s > -\frac12$."
    ),
    source=DERIVED,
    domain="every N by induction, with symbols N and s = x + i y",
    routes=(
        "the increment of the right side, over the squared modulus of q_N",
        "X_N / q_N from row N of (sI - A) X = B (for N = 0 X_0 from A = -1), times its conjugate",
    ),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"one": Fraction(1000001, 1000000)}, {"twice": Fraction(2000002, 1000000)}, {"sign": 1}],
    tags=("legs", "transfer", "exact"),
    related=("core.legs.blaschke",),
    figure="transfer-spikes",
)
class LegsEnergy:
    """The start N = 1, where q_0 = 1, and the step."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"N": 1}
        yield {"N": "N + 1"}

    def claimed(case: Case, *, one: Fraction = Fraction(1), twice: Fraction = Fraction(2), sign: int = -1) -> list[Any]:
        x, y, N = sympy.symbols("x y N", real=True)
        N = sympy.Integer(0) if case["N"] == 1 else N
        ratio = ((x - N) ** 2 + y**2) / ((x + N + 1) ** 2 + y**2)  # of the squared moduli of q_(N+1) and q_N
        return [sympy.cancel(sign * (ratio - 1) / (sympy.Rational(one) + sympy.Rational(twice) * x))]

    def computed(case: Case) -> list[Any]:
        x, y, N = sympy.symbols("x y N", real=True)
        s, q, unknown = sympy.symbols("s q z")
        if case["N"] == 1:  # (s + 1) X_0 = 1
            return [sympy.cancel(1 / sympy.expand((x + sympy.I * y + 1) * (x - sympy.I * y + 1)))]
        (solution,) = sympy.solve((s + N + 1) * unknown + (1 - q) - 1, unknown)
        bottom = sympy.denom(sympy.cancel(solution / q))  # X_N / (R_N q_N) = 1 / bottom
        both = sympy.expand(bottom.subs(s, x + sympy.I * y) * bottom.subs(s, x - sympy.I * y))
        return [sympy.cancel((2 * N + 1) / both)]


@claim(
    "core.legs.fact",
    title="LegS factors through one triangle of ones",
    statement=(
        r"$A = -D(L + \mathrm{diag}(-\frac{n}{2n+1}))D$ with $D = \mathrm{diag}(\sqrt{2n+1})$ and $L$ the lower "
        r"triangle of ones, the diagonal included."
    ),
    source=DERIVED,
    domain="every entry with symbols n > k and n = k; all entries of the matrix of N = 7; exact",
    routes=("the factors", "the definition of A; the matrix of the family in exact numbers"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[
        {"ones": Fraction(1000001, 1000000)},
        {"correction": Fraction(1000001, 1000000)},
        {"sign": 1},
        {"root": 3},
    ],
    tags=("legs", "exact"),
    figure="family-tree-matrices",
)
class LegsFactors:
    """D L D has the entries R_n R_k."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"entry": "n > k"}
        yield {"entry": "n = k"}
        yield {"entry": "all", "N": 7}

    def claimed(
        case: Case, *, ones: Fraction = Fraction(1), correction: Fraction = Fraction(1), sign: int = -1, root: int = 1
    ) -> list[Any]:
        n, k = sympy.symbols("n k", integer=True, nonnegative=True)
        one, share = sympy.Rational(ones), sympy.Rational(correction)

        def entry(i: Any, j: Any, same: bool) -> Any:
            middle = one - share * i / (2 * i + 1) if same else one
            return (
                sympy.cancel(sign * middle * (2 * i + root))
                if same
                else sign * middle * sympy.sqrt((2 * i + root) * (2 * j + 1))
            )

        if case["entry"] != "all":
            return [entry(n, n if case["entry"] == "n = k" else k, case["entry"] == "n = k")]
        return [entry(i, j, i == j) if i >= j else sympy.Integer(0) for i in range(7) for j in range(7)]

    def computed(case: Case) -> list[Any]:
        n, k = sympy.symbols("n k", integer=True, nonnegative=True)
        if case["entry"] == "n > k":
            return [-sympy.sqrt((2 * n + 1) * (2 * k + 1))]
        if case["entry"] == "n = k":
            return [sympy.cancel(-n - 1)]
        return list(LegS(7).state_matrix(exact()).ravel())
