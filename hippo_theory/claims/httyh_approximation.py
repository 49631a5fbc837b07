"""HTTYH: how well N Fourier states approximate a kernel: the Lipschitz bound, that it is sharp, and what smoothness needs."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import arb

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import AT_MOST, EQUAL, IDENTICAL

__all__: list[str] = []

PAPER = "HTTYH (arXiv:2206.12037)"
STEP = Fraction(1, 10**6)
THEOREM = f"{PAPER}, theorem on kernel approximation by S4-FouT, as usually quoted (its number is uncertain)"


@claim(
    "httyh.thm8",
    title="Fourier states approximate an L-Lipschitz kernel with an error of L / (pi sqrt(N - 2))",
    statement=r"$K$ $L$-Lipschitz on $[0,1]$, $N$ even, $\hat K$ its Fourier sum with the $(N-2)/2$ frequencies "
    r"of $N$ states: $\|K - \hat K\|_{L_2[0,1]} \le \epsilon$ for $N \ge (L/(\pi\epsilon))^2 + 2$, that is "
    r"$\|K - \hat K\| \le \frac{L}{\pi\sqrt{N-2}}$. Nearly attained: $K(t) = t$, $N = 128$ has the error "
    r".028245, the bound is .028357. ($N - 1$ instead of $N - 2$ would do, $N$ not.)",
    source=THEOREM,
    domain="K = t, t^2/2, |t - 1/2|, N = 4, 8, 128, and K = t at N = 2 10^6 + 2 (remainder by Hurwitz zeta), L = "
    "1, balls",
    routes=("the bound", "norm of K minus the sum of its exact squared Fourier coefficients"),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[{"scale": 1 - STEP}, {"less": 0}, {"power": Fraction(1)}],
    tags=("fout", "approximation"),
    related=("httyh.thm8.sharp", "httyh.thm8.equality", "httyh.thm8.smooth"),
    figure="approximation-bounds",
)
class LipschitzBound:
    """All three kernels have L = 1."""

    def cases(effort: str) -> Iterator[Case]:
        for kernel in ("t", "t^2/2", "|t - 1/2|"):
            for N in (4, 8, 128):
                yield {"K": kernel, "N": N}
        yield {"K": "t", "N": 2 * 10**6 + 2}

    def claimed(
        case: Case, *, scale: Fraction = Fraction(1), less: int = 2, power: Fraction = Fraction(1, 2)
    ) -> list[Any]:
        with balls(200).work() as ring:
            size = ring.number(case["N"] - less)
            return [ring.number(scale) / (ring.pi * size ** ring.number(power))]

    def computed(case: Case) -> list[Any]:
        M = (case["N"] - 2) // 2
        with balls(200).work() as ring:
            if M > 1000:
                return [ring.sqrt(arb(2).zeta(arb(M + 1)) / 2) / ring.pi]
            first = sum((Fraction(1, m * m) for m in range(1, M + 1)), Fraction(0))
            second = sum((Fraction(1, m**4) for m in range(1, M + 1)), Fraction(0))
            odd = sum((Fraction(1, m**4) for m in range(1, M + 1, 2)), Fraction(0))
            if case["K"] == "t":  # t - 1/2 = -sum sin(2 pi m t)/(pi m)
                square = ring.number(Fraction(1, 12)) - ring.number(first) / (2 * ring.pi**2)
            elif case["K"] == "t^2/2":  # variance 1/45; sines 1/(2 pi m), cosines 1/(2 pi^2 m^2)
                square = ring.number(Fraction(1, 45)) - ring.number(first) / (8 * ring.pi**2)
                square -= ring.number(second) / (8 * ring.pi**4)
            else:  # variance 1/48; cosines of odd m, 2/(pi m)^2
                square = ring.number(Fraction(1, 48)) - 2 * ring.number(odd) / ring.pi**4
            return [ring.sqrt(square)]


@claim(
    "httyh.thm8.equality",
    title="The best constant, attained by the ramp",
    statement=r"For $K(t) = Lt$ and $M$ frequencies: $\|K - \hat K\|^2 = \frac{L^2}{2\pi^2}\, \psi'(M+1)$; among "
    r"all $L$-Lipschitz kernels none is worse (httyh.thm8.sharp). The bound $\frac{L^2}{\pi^2(N-2)}$, $M = "
    r"(N-2)/2$, loses the factor $M\psi'(M+1) = 1 - \frac{1}{2M} + O(M^{-2})$ only.",
    source=f"{THEOREM}; the equality is derived here",
    domain="M = 1, 3, 63, 300, L = 1, balls",
    routes=("the trigamma function", "1/12 minus the sum of the exact squared coefficients of t"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"half": Fraction(1, 2) + STEP}, {"offset": 2}],
    tags=("fout", "approximation"),
    related=("httyh.thm8",),
    figure="approximation-bounds",
)
class Ramp:
    """psi'(M+1) as the Hurwitz zeta function."""

    def cases(effort: str) -> Iterator[Case]:
        for M in (1, 3, 63, 300):
            yield {"M": M}

    def claimed(case: Case, *, half: Fraction = Fraction(1, 2), offset: int = 1) -> list[Any]:
        with balls(200).work() as ring:
            return [ring.number(half) * arb(2).zeta(arb(case["M"] + offset)) / ring.pi**2]

    def computed(case: Case) -> list[Any]:
        with balls(200).work() as ring:
            total = sum((Fraction(1, m * m) for m in range(1, case["M"] + 1)), Fraction(0))
            return [ring.number(Fraction(1, 12)) - ring.number(total) / (2 * ring.pi**2)]


@claim(
    "httyh.thm8.sharp",
    title="Why no Lipschitz kernel is worse than the ramp",
    statement=r"With $|K'| \le L$ the m-th Fourier coefficient of $K$ is $\frac{1}{2\pi i m}\int_0^1 "
    r"K'(t)(e^{-2\pi i m t} - 1) dt$, at most $\frac{L}{2\pi m} \max_\varphi F(\varphi)$ with $F(\varphi) = "
    r"\frac1\pi \int_0^\pi |\cos\theta - \cos\varphi|\, d\theta = \frac{2\sin\varphi + "
    r"(\pi-2\varphi)\cos\varphi}{\pi}$; $F' = -\frac{(\pi-2\varphi)\sin\varphi}{\pi} \le 0$ on $[0,\pi/2]$ "
    r"and $F(0) = 1$: at most $\frac{L}{2\pi m}$.",
    source=f"{THEOREM}; the lemma is derived here",
    domain="every angle in [0, pi/2] (F is symmetric about pi/2), symbolic",
    routes=("the closed forms", "symbolic integration on both sides of the sign change, and differentiation"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"twice": 3}, {"slope": 3}, {"top": 2}],
    tags=("fout", "approximation", "symbolic"),
    related=("httyh.thm8", "httyh.thm8.equality"),
    figure="approximation-bounds",
)
class ExtremalLemma:
    """Real K' against both parts of the factor at once: the phase is the free angle."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"phi": "symbol"}

    def claimed(case: Case, *, twice: int = 2, slope: int = 2, top: int = 1) -> list[Any]:
        import sympy

        phi = sympy.Symbol("phi", positive=True)
        value = (twice * sympy.sin(phi) + (sympy.pi - 2 * phi) * sympy.cos(phi)) / sympy.pi
        derivative = -(sympy.pi - slope * phi) * sympy.sin(phi) / sympy.pi
        return [sympy.expand(value), sympy.expand(derivative), sympy.Integer(top)]

    def computed(case: Case) -> list[Any]:
        import sympy

        phi, theta = sympy.Symbol("phi", positive=True), sympy.Symbol("theta", positive=True)
        gap = sympy.cos(theta) - sympy.cos(phi)  # positive before theta = phi, negative after
        value = (sympy.integrate(gap, (theta, 0, phi)) - sympy.integrate(gap, (theta, phi, sympy.pi))) / sympy.pi
        return [sympy.expand(value), sympy.expand(sympy.diff(value, phi)), sympy.simplify(value.subs(phi, 0))]


def _not_periodic(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """K = t^2, K'' = 2: its sines decay like 1/m, whatever K'' is."""
    rows, shown = [], True
    for N in (8, 128, 1026):
        M = (N - 2) // 2
        with balls(128).work() as ring:
            square = arb(2).zeta(arb(M + 1)) / (2 * ring.pi**2) + arb(4).zeta(arb(M + 1)) / (2 * ring.pi**4)
            error = ring.sqrt(square)
            bound = 2 / (ring.pi**2 * ring.number(N - 2) ** ring.number(Fraction(3, 2)))
            rows.append(
                {
                    "case": f"K = t^2, k = 2, N = {N}",
                    "numbers": f"error {error.str(8)}, bound {bound.str(8)}",
                    "margin": None,
                }
            )
            shown = shown and bool(error > bound)
    return rows, shown


@claim(
    "httyh.thm8.smooth",
    title="Smoother kernels: the rate holds for periodic ones, with a better constant",
    statement=r"$|K^{(k)}| \le L$ on $[0,1]$ and $K^{(j)}(0) = K^{(j)}(1)$ for $j \le k-2$: $\|K - \hat K\| \le "
    r"\frac{L}{\pi^k\sqrt{2k-1}\,(N-2)^{k-1/2}}$ with $N$ even; the quoted $N \ge "
    r"(L/(\pi^k\epsilon))^{2/(2k-1)} + 2$ follows, without the factor $\sqrt{2k-1}$. The Bernoulli "
    r"polynomial $K = B_k/k!$ ($L = 1$) attains it as $N \to \infty$. Without the conditions at the ends it "
    r"fails.",
    source=f"{THEOREM}, part on k derivatives; hypothesis and constant derived here",
    domain="K = B_k/k!, k = 1, ..., 4, N = 4, 8, 66 and 2 10^7 + 2 (remainder by Hurwitz zeta), balls",
    routes=("the bound", "Bernoulli numbers for the norm, minus the squared Fourier coefficients"),
    relation=AT_MOST,
    expected="REFINED",
    counterexample=Counterexample(
        r"It suffices that $|K^{(k)}| \le L$ on $[0,1]$: $N \ge (L/(\pi^k\epsilon))^{2/(2k-1)} + 2$.", _not_periodic
    ),
    corruptions=[{"scale": 1 - STEP}, {"offset": 1}, {"half": Fraction(0)}, {"base": 1 + STEP}],
    tags=("fout", "approximation"),
    related=("httyh.thm8",),
    figure="approximation-bounds",
)
class SmoothBound:
    """The k-th derivative of B_k / k! is 1, and its lower derivatives are periodic but the last."""

    def cases(effort: str) -> Iterator[Case]:
        for k in range(1, 5):
            for N in (4, 8, 66, 2 * 10**7 + 2):
                yield {"k": k, "N": N}

    def claimed(
        case: Case,
        *,
        scale: Fraction = Fraction(1),
        offset: int = -1,
        half: Fraction = Fraction(1, 2),
        base: Fraction = Fraction(1),
    ) -> list[Any]:
        with balls(300).work() as ring:
            k, size = case["k"], ring.number(case["N"] - 2)
            factor = ring.sqrt(ring.number(2 * k + offset))
            return [
                ring.number(scale) / ((ring.number(base) * ring.pi) ** k * factor * size**k / size ** ring.number(half))
            ]

    def computed(case: Case) -> list[Any]:
        from flint import fmpq

        k, M = case["k"], (case["N"] - 2) // 2
        with balls(300).work() as ring:
            if M > 1000:
                return [ring.sqrt(2 * arb(2 * k).zeta(arb(M + 1)) / (2 * ring.pi) ** (2 * k))]
            factorial = 1
            for i in range(2, 2 * k + 1):
                factorial *= i
            square = arb(fmpq.bernoulli(2 * k)) * (-1) ** (k - 1) / factorial
            for m in range(1, M + 1):
                square -= 2 / (2 * ring.pi * m) ** (2 * k)
            return [ring.sqrt(square)]
