"""FouT and LagT: what their rank-one terms do, and what is left without them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import sympy
from flint import acb, acb_mat, arb, arb_mat, fmpq, fmpq_mat

from hippo_theory.arithmetic import balls, exact
from hippo_theory.claims.core_legs import DERIVED
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import EQUAL, IDENTICAL, Relation
from hippo_theory.families import FouT, LagT

__all__: list[str] = []


@claim(
    "core.fout.sym",
    title="The symmetric part of FouT has rank one",
    statement=(
        r"FouT on $[0,1]$: $A = \mathrm{Rot} - 2bb^T$, $B = 2b$, $b = 1$ (constant), $\sqrt2$ (every cosine), 0 "
        r"(every sine): $A + A^T = -BB^T$, so that each kernel has the norm 1."
    ),
    source=DERIVED,
    domain="N = 1, 3, 7 (three frequencies), all entries, exact",
    routes=("the statement", "the matrix of the family in exact numbers"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"gain": 3}, {"square": 3}, {"sign": 1}],
    tags=("fout", "exact"),
    related=("core.fout.h",),
    figure="basis-kernels",
)
class FoutSymmetricPart:
    """Pairs are complete: N is odd."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 3, 7):
            yield {"N": N}

    def claimed(case: Case, *, gain: int = 2, square: int = 2, sign: int = -1) -> list[Any]:
        b = [
            sympy.Integer(1) if n == 0 else sympy.sqrt(square) if n % 2 else sympy.Integer(0) for n in range(case["N"])
        ]
        return [sign * gain * gain * x * y for x in b for y in b]

    def computed(case: Case) -> list[Any]:
        A = FouT(case["N"]).state_matrix(exact())
        return [sympy.expand(entry) for entry in (A + A.T).ravel()]


@claim(
    "core.fout.h",
    title="The transfer functions of FouT",
    statement=(
        r"With $h_N(s) = b^T(sI-\mathrm{Rot})^{-1}b = \frac1s + \sum_{m=1}^{(N-1)/2}\frac{2s}{s^2+(2\pi m)^2}$: "
        r"$b^T(sI-A)^{-1}(2b) = \frac{2h_N}{1+2h_N}$, and $2b^Tx - u$ has the transfer function "
        r"$\frac{2h_N-1}{1+2h_N}$."
    ),
    source=DERIVED,
    domain="N = 1, 3, 9, 21, four points s, balls of 200 bits",
    routes=("the sum", "certified linear solves with the package's normal part and A"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[
        {"two": Fraction(2000002, 1000000)},
        {"turn": Fraction(2000002, 1000000)},
        {"one": Fraction(1000001, 1000000)},
        {"gain": 1},
    ],
    tags=("fout", "transfer"),
    related=("core.fout.h.limit", "core.rank1"),
    figure="fout-window",
)
class FoutTransfer:
    """Sherman and Morrison."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 3, 9, 21):
            for point in ((1, 0), (1, 5), (0, 17), (12, 80)):
                yield {"N": N, "4 s": point}

    def claimed(
        case: Case,
        *,
        two: Fraction = Fraction(2),
        turn: Fraction = Fraction(2),
        one: Fraction = Fraction(1),
        gain: int = 2,
    ) -> list[Any]:
        with balls(200).work() as ring:
            s = acb(*case["4 s"]) / 4
            h = ring.number(one) / s
            for m in range(1, (case["N"] + 1) // 2):
                h += ring.number(two) * s / (s**2 + (ring.number(turn) * arb.pi() * m) ** 2)
            return [h, gain * h / (1 + gain * h), (2 * h - 1) / (1 + 2 * h)]

    def computed(case: Case) -> list[Any]:
        with balls(200).work() as ring:
            family, N, s = FouT(case["N"]), case["N"], acb(*case["4 s"]) / 4
            b = [value / 2 for value in family.input_vector(ring)]
            values = []
            for matrix, gain in ((family.normal_part(ring), 1), (family.state_matrix(ring), 2)):
                shifted = acb_mat([[(s if n == k else 0) - matrix[n, k] for k in range(N)] for n in range(N)])
                solved = shifted.solve(acb_mat([[acb(gain * entry)] for entry in b]))
                values.append(sum((b[n] * solved[n, 0] for n in range(N)), acb(0)))
            return [*values, 2 * values[1] - 1]


@claim(
    "core.fout.h.limit",
    title="FouT becomes a window",
    statement=(
        r"$h_N(s) = \frac12\coth\frac s2 - \frac{s}{\pi^2N}(1+\epsilon)$, hence $\frac{2h_N}{1+2h_N} = "
        r"\frac{1+e^{-s}}{2} - \frac{s(1-e^{-s})^2}{2\pi^2N}(1+\epsilon)$: $2b^Tx - u \to u(t-1)$ with an error "
        r"$O(1/N)$; $|\epsilon| \le 4(1+|s|)^2/N$. A cosine without its sine leaves a term $\frac2s$ in $h$: then "
        r"$h$ does not converge to this limit."
    ),
    source=DERIVED,
    domain="N = 1001 and 2^40 + 1, four points s; the lone cosine at N = 1001; balls of 300 bits",
    routes=("the limits within their bands", "sums over the frequencies, by digammas"),
    relation=Relation("equal", True, 1e-1),
    expected="CERTIFIED",
    corruptions=[
        {"half": Fraction(500001, 1000000)},
        {"scale": Fraction(1000001, 1000000)},
        {"second": Fraction(500001, 1000000)},
        {"delay": Fraction(1000001, 1000000)},
        {"lone": Fraction(2000002, 1000000)},
    ],
    tags=("fout", "transfer", "delay", "asymptotic"),
    related=("core.fout.h", "core.rank1.fout"),
    figure="error-against-size",
)
class FoutLimit:
    """N times the difference from the limit, whose first order is claimed; then the difference that a lone cosine makes."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (1001, 2**40 + 1):
            for point in ((1, 0), (1, 5), (0, 17), (12, 20)):
                yield {"N": N, "4 s": point}

    def claimed(
        case: Case,
        *,
        half: Fraction = Fraction(1, 2),
        scale: Fraction = Fraction(1),
        second: Fraction = Fraction(1, 2),
        delay: Fraction = Fraction(1),
        lone: Fraction = Fraction(2),
    ) -> list[Any]:
        with balls(300).work() as ring:
            N, s = case["N"], acb(*case["4 s"]) / 4
            band = 4 * (1 + abs(s)) ** 2 / N
            spread = 1 + acb(arb(0, 1), arb(0, 1)) * band
            decay = (-ring.number(delay) * s).exp()
            first = (
                ring.number(half) * (s / 2).cosh() / (s / 2).sinh()
                - ring.number(scale) * s / (arb.pi() ** 2 * N) * spread
            )
            output = (1 + decay) / 2 - ring.number(second) * s * (1 - decay) ** 2 / (arb.pi() ** 2 * N) * spread
            return [first, output, ring.number(lone) / s]

    def computed(case: Case) -> list[Any]:
        with balls(300).work():
            N, s = case["N"], acb(*case["4 s"]) / 4
            z, M = s / (2 * arb.pi()), (N - 1) // 2
            # 2 z/(m^2 + z^2) summed over m = 1..M, as differences of digammas; h = 1/s + that / (2 pi).
            i = acb(0, 1)
            inside = (
                (M + 1 - i * z).digamma() - (M + 1 + i * z).digamma() - (1 - i * z).digamma() + (1 + i * z).digamma()
            )
            h = 1 / s + inside / i / (2 * arb.pi())
            # The states 1, cos 1, sin 1, cos 2 with and without the last, from the matrix of five states: b^T (s - Rot)^-1 b.
            family = FouT(5)
            Rot, values = family.normal_part(balls(300)), []
            for count in (3, 4):
                shifted = acb_mat([[(s if n == k else 0) - Rot[n, k] for k in range(count)] for n in range(count)])
                b = [arb(1), arb(2).sqrt(), arb(0), arb(2).sqrt()][:count]
                solved = shifted.solve(acb_mat([[acb(entry)] for entry in b]))
                values.append(sum((b[n] * solved[n, 0] for n in range(count)), acb(0)))
            return [h, 2 * h / (1 + 2 * h), values[1] - values[0]]


@claim(
    "core.fout.rate",
    title="How fast the kernels of FouT become a window",
    statement=(
        r"$e_n^2 = \|K_n - p_n\|^2 = 2(1-\langle K_n,p_n\rangle)$ over $[0,\infty)$, because $\|K_n\| = 1$; $e_0 "
        r"= 0.1377968,\ 0.0671965$ for $15$ and $63$ states (S4's layout: $N = 16, 64$)."
    ),
    source=DERIVED,
    domain="N = 15, 63 states (full: 127), seven decimals (corruptions change the last)",
    routes=("the decimals, half a unit of the last either way", "(e^A - I) A^-1 B by the exponential of a ball matrix"),
    relation=Relation("equal", True, 0.0, 1.5e-7),
    expected="CERTIFIED",
    corruptions=[{"values": (1377969, 671965, 473295)}, {"values": (1377968, 671966, 473295)}],
    tags=("fout", "kernel", "l2"),
    related=("core.fout.rate.limit", "core.fout.sym"),
    figure="error-against-size",
)
class FoutDistance:
    """The inner product with p_0 = 1 is the integral of the kernel over the window."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (15, 63) if effort == "quick" else (15, 63, 127):
            yield {"N": N}

    def claimed(case: Case, *, values: tuple[int, ...] = (1377968, 671965, 473295)) -> Any:
        with balls(128).work():
            return arb(values[(15, 63, 127).index(case["N"])]) / 10**7 + arb(0, 5e-8)

    def computed(case: Case) -> Any:
        with balls(160).work() as ring:
            family = FouT(case["N"])
            A = arb_mat(family.state_matrix(ring).tolist())
            B = arb_mat([[entry] for entry in family.input_vector(ring)])
            integral = A.solve(A.exp() * B - B)[0, 0]
            return (2 * (1 - integral)).sqrt()


@claim(
    "core.fout.rate.limit",
    title="The constant of that rate",
    statement=(
        r"$\sqrt N\,e_0 \to \sqrt c = 0.53342$ with $c = "
        r"\frac{2}{\pi^2}\left[1+\int_0^1\frac{\tau^4+3\tau^2}{(1+\tau^2)^2}\frac{dx}{x^2}\right]$, $\tau = "
        r"\frac1\pi\mathrm{artanh}\,x$: at the $N$ covered $\sqrt N\,e_0 = \sqrt c + \frac{d}{N}$ with $-0.003805 \le d "
        r"\le 0.004024$. The first cosine has $\sqrt2$ times as much, $0.75436$, and $\frac{d}{N}$ with $0.534161 \le d "
        r"\le 0.554695$ more; the first sine only $\frac{2\sqrt2}{\pi N}(1+\frac{d}{N})$ with $0.161232 \le d \le "
        r"0.202358$."
    ),
    source=DERIVED,
    domain=(
        "the integral to 5 digits (corruptions change the last); N = 15, 31, 63 states: the ends of all three d are "
        "attained to six digits. The limit itself is derived, not checked"
    ),
    routes=(
        "the decimals; the integral by certified quadrature, and the brackets",
        "the integral in another variable; ball exponentials",
    ),
    relation=Relation("equal", True, 0.1, 1.3e-3),
    expected="CERTIFIED",
    corruptions=[
        {"constant": Fraction(53343, 100000)},
        {"cosine": Fraction(75437, 100000)},
        {"least": (-3804, 534161, 161232)},
        {"least": (-3805, 534162, 161232)},
        {"least": (-3805, 534161, 161233)},
        {"most": (4023, 554695, 202358)},
        {"most": (4024, 554694, 202358)},
        {"most": (4024, 554695, 202357)},
        {"three": Fraction(3000003, 1000000)},
        {"slope": Fraction(2000002, 1000000)},
    ],
    tags=("fout", "kernel", "l2", "asymptotic"),
    related=("core.fout.rate",),
    figure="error-against-size",
)
class FoutConstant:
    """In the frequency plane w = pi N x: for x > 1 the kernel has no part of the window, for x < 1 tau is its phase error."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"of": "integral"}
        for N in (15, 31, 63):
            yield {"N": N}

    def claimed(
        case: Case,
        *,
        constant: Fraction = Fraction(53342, 100000),
        cosine: Fraction = Fraction(75436, 100000),
        least: tuple[int, int, int] = (-3805, 534161, 161232),
        most: tuple[int, int, int] = (4024, 554695, 202358),
        three: Fraction = Fraction(3),
        slope: Fraction = Fraction(2),
    ) -> list[Any]:
        with balls(128).work() as ring:
            if "of" in case:
                return [ring.number(constant) + arb(0, 5e-6), ring.number(cosine) + arb(0, 5e-6)]

            def integrand(t: Any, analytic: bool) -> Any:  # x = tanh(pi tau): dx/x^2 = pi dtau / sinh^2
                if analytic and not t.is_finite():
                    return acb("nan")
                return (t**4 + ring.number(three) * t**2) / (1 + t**2) ** 2 * arb.pi() / (arb.pi() * t).sinh() ** 2

            # Near 0 the integrand is 3/pi + O(tau^2); between 0 and 1e-5 it differs from that by less than 1e-8 of it.
            start, end = arb("0.00001"), arb(12)
            total = acb.integral(integrand, start, end).real + ring.number(three) / arb.pi() * start * (
                1 + arb(0, 1e-6)
            )
            total += arb(0, 1e-30)  # beyond 12: below 4 pi e^(-24 pi) 12
            rest = [arb(low).union(arb(high)) / 10**6 / case["N"] for low, high in zip(least, most, strict=True)]
            root = (2 / arb.pi() ** 2 * (1 + total)).sqrt()
            sine = ring.number(slope) * arb(2).sqrt() / arb.pi()
            return [root + rest[0], root * arb(2).sqrt() + rest[1], sine * (1 + rest[2])]

    def computed(case: Case) -> list[Any]:
        if "of" in case:
            with balls(128).work():

                def integrand(y: Any, analytic: bool) -> Any:  # tau = e^y
                    square = (2 * y).exp()
                    sinh = (arb.pi() * y.exp()).sinh()
                    return (square**2 + 3 * square) / (1 + square) ** 2 * arb.pi() * y.exp() / sinh**2

                # Below tau = e^-16 the integrand is 3/pi to 10^-12, above e^2.5 its integral is below 10^-30.
                total = acb.integral(integrand, arb(-16), arb("2.5")).real + 3 / arb.pi() * arb(-16).exp() * (
                    1 + arb(0, 1e-9)
                )
                root = (2 / arb.pi() ** 2 * (1 + total + arb(0, 1e-25))).sqrt()
                return [root, root * arb(2).sqrt()]
        with balls(160).work() as ring:
            family = FouT(case["N"])
            A = arb_mat(family.state_matrix(ring).tolist())
            B = arb_mat([[entry] for entry in family.input_vector(ring)])
            integral = A.solve(A.exp() * B - B)[0, 0]
            right = A.exp() * B - B  # e^(i w) = 1 at w = 2 pi
            shift = acb(0, 2 * arb.pi())
            complex_A = acb_mat(
                [[A[n, k] + (shift if n == k else 0) for k in range(family.N)] for n in range(family.N)]
            )
            waves = complex_A.solve(acb_mat(right))
            products = [integral, arb(2).sqrt() * waves[1, 0].real, arb(2).sqrt() * waves[2, 0].imag]
            sizes = [case["N"], case["N"], case["N"] ** 2]
            return [(2 * (1 - product) * size).sqrt() for product, size in zip(products, sizes, strict=True)]


@claim(
    "core.rank1.fout",
    title="FouT without its rank-one term repeats the window for ever",
    statement=(
        r"FouT, complete pairs: $q_N = 1 - B^T(sI-A)^{-1}B = \frac{1-2h_N}{1+2h_N} = -e^{-s} + "
        r"\frac{\delta(1-e^{-s})^2}{1-\delta(1-e^{-s})}(1+\rho)$ with $\delta = \frac{s}{\pi^2N}$, $|\rho| \le "
        r"\frac{|s|^2+1}{N^2}$: not small, so that the restriction has $X/(1-e^{-s})$ in the limit."
    ),
    source=DERIVED,
    domain="N = 101, 1001, 10001, three points s, balls of 200 bits",
    routes=("the limit within its band", "the package's inner function, a sum over the frequencies"),
    relation=Relation("equal", True, 0.2),
    expected="CERTIFIED",
    corruptions=[
        {"sign": 1},
        {"delay": Fraction(1000001, 1000000)},
        {"scale": Fraction(1000001, 1000000)},
        {"turn": 1},
    ],
    tags=("fout", "diagonal", "asymptotic"),
    related=("core.rank1", "core.fout.h.limit", "core.rank1.lagt"),
    figure="other-families-full-against-diagonal",
)
class FoutInner:
    """The restriction's kernel is periodic."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (101, 1001, 10001):
            for point in ((1, 0), (1, 5), (4, 9)):
                yield {"N": N, "4 s": point}

    def claimed(
        case: Case, *, sign: int = -1, delay: Fraction = Fraction(1), scale: Fraction = Fraction(1), turn: int = -1
    ) -> list[Any]:
        with balls(200).work() as ring:
            N, s = case["N"], acb(*case["4 s"]) / 4
            rest = 1 - (-ring.number(delay) * s).exp()
            small = ring.number(scale) * s / (arb.pi() ** 2 * N)
            band = acb(arb(0, 1), arb(0, 1)) * (abs(s) ** 2 + 1) / N**2
            return [sign * (1 - rest) + small * rest**2 / (1 + turn * small * rest) * (1 + band)]

    def computed(case: Case) -> list[Any]:
        with balls(200).work() as ring:
            return [FouT(case["N"]).inner_function(acb(*case["4 s"]) / 4, ring)]


@claim(
    "core.rank1.lagt",
    title="LagT without its rank-one term does not converge either",
    statement=(
        r"LagT, $A = \frac12I - \mathrm{tril}(1)$, $B = 1$: $q_N(s) = \left(\frac{s-1/2}{s+1/2}\right)^N$, of "
        r"modulus 1 on the imaginary axis for every $N$."
    ),
    source=DERIVED,
    domain="N = 1, ..., 12, all coefficients of both characteristic polynomials, exact rationals",
    routes=("binomial coefficients of (s - 1/2)^N and (s + 1/2)^N", "characteristic polynomials of A + B B^T and A"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"zero": Fraction(500001, 1000000)}, {"pole": Fraction(500001, 1000000)}],
    tags=("lagt", "diagonal", "exact"),
    related=("core.rank1", "core.rank1.fout"),
    figure="basis-kernels",
)
class LagtInner:
    """q = det(sI - A - B B^T) / det(sI - A); zeros mirror poles."""

    def cases(effort: str) -> Iterator[Case]:
        for N in range(1, 13):
            yield {"N": N}

    def claimed(case: Case, *, zero: Fraction = Fraction(1, 2), pole: Fraction = Fraction(1, 2)) -> list[Any]:
        x, N = sympy.symbols("x"), case["N"]
        polynomials = [sympy.Poly((x - sympy.Rational(zero)) ** N, x), sympy.Poly((x + sympy.Rational(pole)) ** N, x)]
        return [Fraction(int(c.p), int(c.q)) for p in polynomials for c in p.all_coeffs()]

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        A = [[fmpq(-1) if n > k else fmpq(-1, 2) if n == k else fmpq(0) for k in range(N)] for n in range(N)]
        closed = [[entry + 1 for entry in row] for row in A]
        polynomials = [fmpq_mat(matrix).charpoly() for matrix in (closed, A)]
        return [Fraction(int(p[i].p), int(p[i].q)) for p in polynomials for i in range(N, -1, -1)]


@claim(
    "core.lagt",
    title="The kernels of LagT",
    statement=(
        r"$A = \frac12I - \mathrm{tril}(1)$, $B = 1$: $e_n^Te^{tA}B = e^{-t/2}L_n(t)$ with the Laguerre "
        r"polynomials; $A = -\mathrm{tril}(1)$, $B = 1$: $e^{-t}L_n(t)$."
    ),
    source=DERIVED,
    domain="N = 12, all components, five times, both forms, balls of 200 bits",
    routes=("Laguerre polynomials by their sum", "exponential of the ball matrix of the family"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"half": Fraction(500001, 1000000)}, {"one": Fraction(1000001, 1000000)}, {"sign": 1}],
    tags=("lagt", "kernel"),
    related=("core.lagt.eig",),
    figure="basis-kernels",
)
class LagtKernels:
    """L_n(t) = sum_k binom(n, k) (-t)^k / k!."""

    def cases(effort: str) -> Iterator[Case]:
        for beta in (0, 1):
            for t in (0, 1, 7, 32, 100):
                yield {"beta": beta, "8 t": t}

    def claimed(
        case: Case, *, half: Fraction = Fraction(1, 2), one: Fraction = Fraction(1), sign: int = -1
    ) -> list[Any]:
        with balls(200).work() as ring:
            t = arb(case["8 t"]) / 8
            decay = (-ring.number(one if case["beta"] else half) * t).exp()
            values = []
            for n in range(12):
                term, total = arb(1), arb(0)
                for k in range(n + 1):
                    total += term
                    term = term * (n - k) * sign * t / ((k + 1) ** 2)
                values.append(decay * total)
            return values

    def computed(case: Case) -> list[Any]:
        with balls(200).work() as ring:
            family = LagT(12, beta=Fraction(case["beta"]))
            flow = (arb_mat(family.state_matrix(ring).tolist()) * (arb(case["8 t"]) / 8)).exp()
            column = flow * arb_mat([[entry] for entry in family.input_vector(ring)])
            return [column[n, 0] for n in range(12)]


@claim(
    "core.lagt.eig",
    title="The normal part of LagT has cotangents as eigenvalues",
    statement=(
        r"$\frac12I - \mathrm{tril}(1) + \frac12\mathbf{1}\mathbf{1}^T$ is skew with the eigenvalues $\frac "
        r"i2\cot\frac{(2j+1)\pi}{2N}$, $j = 0, \dots, N-1$."
    ),
    source=DERIVED,
    domain="N = 1, ..., 9, 16, the whole spectrum, balls of 200 bits",
    routes=("cotangents", "certified eigenvalues of the dense ball matrix"),
    relation=Relation("equal", True, 1e-15, 1e-25),
    expected="CERTIFIED",
    corruptions=[{"half": Fraction(500001, 1000000)}, {"first": 2}, {"turn": Fraction(500001, 1000000)}],
    tags=("lagt", "spectrum"),
    related=("core.lagt", "core.rank1.lagt"),
    figure="spectra",
)
class LagtSpectrum:
    """By decreasing imaginary part."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (*range(1, 10), 16):
            yield {"N": N}

    def claimed(
        case: Case, *, half: Fraction = Fraction(1, 2), first: int = 1, turn: Fraction = Fraction(1, 2)
    ) -> list[Any]:
        with balls(200).work() as ring:
            N = case["N"]
            angles = [ring.number(turn) * arb.pi() * (2 * j + first) / N for j in range(N)]
            return [acb(0, ring.number(half) * angle.cos() / angle.sin()) for angle in angles]

    def computed(case: Case) -> list[Any]:
        with balls(200).work() as ring:
            S = LagT(case["N"]).normal_part(ring)
            values = acb_mat([[acb(entry) for entry in row] for row in S]).eig(multiple=False)
            return sorted(values, key=lambda value: -float(value.imag.mid()))
