"""HiPPO: the ordinary differential equations of optimal projections, LegS, LegT and LagT, decided by exact integration."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import arb, arb_mat, fmpq

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import EQUAL, IDENTICAL
from hippo_theory.families import LagT

__all__: list[str] = []

SMALL = Fraction(1000001, 1000000)

# Everywhere in this file P_n stands for the shifted polynomial P_n(2y-1) on [0, 1], with coefficients
# a(n,k) = (-1)^(n+k) binom(n,k) binom(n+k,k), and states are divided by R_n (LegS, LegT), which keeps numbers rational.


@claim(
    "hippo.thm2.legs",
    title="HiPPO-LegS: the state matrix",
    statement=r"With $c_n(t) = \frac{1}{t} \int_0^t f(x) R_n P_n(2x/t - 1) dx$, $R_n = \sqrt{2n+1}$:"
    r" $t c' = -A c + B f$ with $A_{nk} = R_n R_k$ for $n > k$, $A_{nn} = n+1$, $A_{nk} = 0$ for $n < k$, $B_n = R_n$,"
    r" for every $f$ and $N$. Differentiating under the integral gives $B_n = R_n P_n(1)$ and the identity"
    r" $(y \tilde P_n)' = (n+1) \tilde P_n + \sum_{k<n} (2k+1) \tilde P_k$, $\tilde P_n(y) = P_n(2y-1)$, which is proved here.",
    source="HiPPO, Theorem 2",
    domain="row 0 and the step from row n to row n+1 for every n, the coefficient of every power, symbolic",
    routes=("rows of A, with quotients of coefficients as rational functions", "the derivative, from factorials"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"diagonal": 2}, {"slope": 1}, {"offset": 2}],
    tags=("legs", "symbolic"),
    related=("hippo.thm2.legs.integrals", "hippo.legendre.shifted"),
    figure="family-tree-matrices",
)
class LegsTheorem:
    """The step is divided by a(n+1, k), so that its quotients are regular for k = 0, ..., n+1."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield {"row": 0}
        yield {"row": "n to n+1, symbolic"}

    @staticmethod
    def claimed(case: Case, *, diagonal: int = 1, slope: int = 2, offset: int = 1) -> list[Any]:
        import sympy

        if case["row"] == 0:
            return [sympy.Integer(diagonal)]
        n, k = sympy.symbols("n k", integer=True, nonnegative=True)
        below = -(n + 1 - k) / (n + 1 + k)  # a(n, k)/a(n+1, k)
        return [sympy.factor(n + 1 + diagonal + (slope * n + offset - n - diagonal) * below)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        n, k = sympy.symbols("n k", integer=True, nonnegative=True)
        if case["row"] == 0:
            y = sympy.symbols("y")
            return [sympy.diff(y * 1, y)]

        def a(degree: Any) -> Any:
            factorials = sympy.gamma(degree - k + 1) * sympy.gamma(k + 1) ** 2
            return (-1) ** (degree + k) * sympy.gamma(degree + k + 1) / factorials

        return [sympy.factor(sympy.gammasimp((k + 1) * (a(n + 1) - a(n)) / a(n + 1)))]


@claim(
    "hippo.thm2.legs.integrals",
    title="HiPPO-LegS: the equation on powers of t, by exact integration",
    statement=r"For $f(x) = x^j$: $t c_n'(t) = -\sum_k A_{nk} c_k(t) + B_n f(t)$ for every $t > 0$, with"
    r" $A_{nn} = n+1$, $A_{nk} = R_n R_k$ for $n > k$ and $B_n = R_n$; in $c_n/R_n$ the entries are $2k+1$ and $1$.",
    source="HiPPO, Theorem 2",
    domain="all n < 12 and j < 12 (full: 32), exact rationals; both sides are multiples of t^j, so every t",
    routes=(
        "the equation, with the moments prod (j-k) / prod (j+k) of the powers",
        "the derivative of the integral, coefficient by coefficient",
    ),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[
        {"diagonal": 2},
        {"slope": 3},
        {"offset": 0},
        {"gain": SMALL},
        {"above": 1},
        {"sign": 1},
        {"power": 1},
    ],
    tags=("legs", "exact"),
    related=("hippo.thm2.legs", "hippo.issue11"),
    figure="family-tree-matrices",
)
class LegsIntegrals:
    """States over R_n t^j."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        size = 12 if effort == "quick" else 32
        for j in range(size):
            yield {"N": size, "j": j}

    @staticmethod
    def claimed(
        case: Case,
        *,
        diagonal: int = 1,
        slope: int = 2,
        offset: int = 1,
        gain: Fraction = Fraction(1),
        above: int = 0,
        sign: int = -1,
        power: int = 0,
    ) -> list[Any]:
        # `power`: of R_k/R_n by which the diagonal is multiplied, squared; misprints write R_n R_k (n+1) there.
        N, j = case["N"], case["j"]
        c, moment = [], Fraction(1, j + 1)
        for n in range(N):
            c.append(moment)
            moment *= Fraction(j - n, j + n + 2)
        rows = []
        for n in range(N):
            inner = (n + diagonal) * (2 * n + 1) ** power * c[n]
            inner += sum((slope * k + offset) * c[k] for k in range(n)) + above * sum(c[n + 1 :])
            rows.append(sign * inner + gain)
        return rows

    @staticmethod
    def computed(case: Case) -> list[Any]:
        N, j = case["N"], case["j"]
        values = []
        for n in range(N):
            # t d/dt of t^j times the integral of y^j P_n(2y-1)
            terms = (
                (-1) ** (n + k) * math.comb(n, k) * math.comb(n + k, k) * Fraction(1, j + k + 1) for k in range(n + 1)
            )
            values.append(j * sum(terms, Fraction(0)))
        return values


@claim(
    "hippo.issue11",
    title="The input vector of LegS counts the boundary term once",
    statement=r"LegS: $B_n f(t) = t c_n'(t) + \sum_k A_{nk} c_k(t)$ gives $B_n = R_n = \sqrt{2n+1}$, not $2 R_n$"
    r" (which results where the boundary term of the derivative is counted twice).",
    source="hippo-code, issue 11, on a derivation of $B = 2 R_n$ in an appendix of the LSSL paper; HiPPO, Theorem 2",
    domain="n < 10 (full: 24), tested on f(x) = x^j, j < 10 (full: 24), exact rationals, every t",
    routes=("the vector, over R_n", "exact integration of c_n, of its derivative and of A c, with P_n from Rodrigues"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"gain": Fraction(2)}, {"gain": SMALL}],
    tags=("legs", "exact", "erratum"),
    related=("hippo.thm2.legs",),
    figure="family-tree-matrices",
)
class LegsInput:
    """B_n/R_n from the equation itself."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for n in range(10 if effort == "quick" else 24):
            yield {"n": n, "powers": 10 if effort == "quick" else 24}

    @staticmethod
    def claimed(case: Case, *, gain: Fraction = Fraction(1)) -> list[Any]:
        return [gain] * case["powers"]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        n, values = case["n"], []
        for j in range(case["powers"]):
            c = [_moment(m, j) for m in range(n + 1)]
            values.append(j * c[n] + (n + 1) * c[n] + sum(((2 * k + 1) * c[k] for k in range(n)), Fraction(0)))
        return values


def _moment(n: int, j: int) -> Fraction:
    """The integral over [0, 1] of y^j P_n(2y-1), P_n = (1/n!) (d/dy)^n (y^2 - y)^n."""
    total = Fraction(0)
    for i in range(n + 1):  # (y^2 - y)^n = sum_i binom(n, i) (-1)^(n-i) y^(n+i)
        falling = math.prod(range(i + 1, n + i + 1))
        total += Fraction((-1) ** (n - i) * math.comb(n, i) * falling, math.factorial(n) * (i + j + 1))
    return total


def _legt_defect(N: int, degree: int) -> Fraction:
    """theta c'_0 + (A c)_0 - (B f)_0 of LegT for f(x) = (x - t)^degree: what the endpoint's reconstruction misses."""

    def moment(n: int, power: int) -> Fraction:  # of (y-1)^power against P_n(2y-1)
        value = Fraction(1, power + 1)
        for m in range(n):
            value *= Fraction(power - m, power + m + 2)
        return -value if (n + power) % 2 else value

    derivative = degree * moment(0, degree - 1)
    weights = (Fraction(2 * k + 1) * (-1) ** k for k in range(N))
    return derivative + sum((w * moment(k, degree) for k, w in enumerate(weights)), start=Fraction(0))


def _legt_counterexample(effort: str) -> tuple[list[dict[str, Any]], bool]:
    rows, certified = [], True
    for N in (1, 2, 4, 8, 16):
        defect = _legt_defect(N, N)
        certified = certified and defect != 0
        rows.append({"case": f"N = {N}, f(x) = (x-t)^{N}", "numbers": f"defect of row 0: {defect}", "margin": None})
    return rows, certified


LEGT_WIDER = Counterexample(
    r"The equation holds for every $f$: at degree $N$ the value $f(t-\theta)$ differs from its reconstruction.",
    _legt_counterexample,
)


@claim(
    "hippo.thm1.legt",
    title="HiPPO-LegT: exact on polynomials of degree below N, approximate beyond",
    statement=r"With $c_n(t) = \frac{1}{\theta} \int_{t-\theta}^t f(x) R_n P_n(2(x-t)/\theta + 1) dx$:"
    r" $\theta c' = -A c + B f$ with $A_{nk} = R_n R_k$ for $k \le n$, $(-1)^{n-k} R_n R_k$ for $k \ge n$ and"
    r" $B_n = R_n = \sqrt{2n+1}$, if $f$ is a polynomial of degree below $N$ (then $f(t-\theta) = \sum_k (-1)^k R_k c_k(t)$).",
    source="HiPPO, Theorem 1 (normalization $\\lambda_n = 1$)",
    domain="N = 1, ..., 12 (full: 24), every polynomial of degree below N, every t and theta, exact rationals",
    routes=(
        "the equation, with closed moments of (y-1)^l; t and theta drop out by homogeneity",
        "the derivative of the integral, with explicit coefficients",
    ),
    relation=IDENTICAL,
    expected="REFINED",
    corruptions=[{"sign": 1}, {"slope": 3}, {"offset": 0}, {"gain": SMALL}, {"power": 1}, {"outer": 1}],
    counterexample=LEGT_WIDER,
    tags=("legt", "exact"),
    related=("hippo.thm1.legt.lmu", "s4.nplr.legt"),
    figure="family-tree-matrices",
)
class LegtTheorem:
    """For f = (x - t)^l at any moment: l c_n[(y-1)^(l-1)] = -(A c)_n[(y-1)^l] + B_n 0^l, states over R_n."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for N in range(1, 13 if effort == "quick" else 25):
            yield {"N": N}

    @staticmethod
    def claimed(
        case: Case,
        *,
        sign: int = -1,
        slope: int = 2,
        offset: int = 1,
        gain: Fraction = Fraction(1),
        power: int = 0,
        outer: int = -1,
    ) -> list[Any]:
        # `power`: B_n = R_n (2n+1)^power; a misprint writes 2n+1 for this normalization.
        N, rows = case["N"], []
        for j in range(N):
            c, moment = [], Fraction((-1) ** j, j + 1)
            for n in range(N):
                c.append(moment)
                moment *= -Fraction(j - n, j + n + 2)
            for n in range(N):
                inner = sum(
                    ((slope * k + offset) * (1 if k <= n else sign ** (k - n)) * c[k] for k in range(N)), Fraction(0)
                )
                rows.append(outer * inner + (gain * (2 * n + 1) ** power if j == 0 else 0))
        return rows

    @staticmethod
    def computed(case: Case) -> list[Any]:
        N, rows = case["N"], []
        for j in range(N):
            for n in range(N):
                # P_n(2y-1) = (-1)^n P_n(1-2y), in powers of 1-y: integral of (y-1)^(j-1) (1-y)^k
                total = Fraction(0)
                for k in range(n + 1):
                    a = (-1) ** k * math.comb(n, k) * math.comb(n + k, k)
                    total += Fraction((-1) ** (j - 1) * a, j + k) if j else 0
                rows.append(j * total)
        return rows


@claim(
    "hippo.thm1.legt.exact",
    title="HiPPO-LegT before the approximation of its endpoint",
    statement=r"For every $f$: $\theta c_n' = R_n f(t) - (-1)^n R_n f(t-\theta) - 2 \sum_k R_n R_k c_k$, the sum over $k < n$"
    r" with $n - k$ odd, since $\tilde P_{n+1}' - \tilde P_{n-1}' = 2 (2n+1) \tilde P_n$ on $[0,1]$ and"
    r" $\tilde P_n(0) = (-1)^n$. Putting $\sum_k (-1)^k R_k c_k$ for $f(t-\theta)$ gives"
    r" $A_{nk} = R_n R_k$ for $k \le n$, $(-1)^{n-k} R_n R_k$ for $k \ge n$.",
    source="HiPPO, Theorem 1 and its derivation",
    domain="the step for every n and every power, the value at 0, and the entries of A by sign and parity of n - k, symbolic",
    routes=(
        "the statement, quotients of coefficients as rational functions",
        "derivatives and values from binomials; both terms",
    ),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"factor": 1}, {"offset": 2}, {"parity": 1}, {"inside": 2}, {"outside": 1}],
    tags=("legt", "symbolic"),
    related=("hippo.thm1.legt", "hippo.legendre.derivative"),
    figure="family-tree-matrices",
)
class LegtExact:
    """Entries of A over R_n R_k; the step over a(n+1, k+1)."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for part in ("derivative", "start", "below odd", "below even", "diagonal even", "above odd", "above even"):
            yield {"part": part}

    @staticmethod
    def claimed(
        case: Case, *, factor: int = 2, offset: int = 1, parity: int = -1, inside: int = 1, outside: int = -1
    ) -> list[Any]:
        import sympy

        n, k = sympy.symbols("n k", integer=True, nonnegative=True)
        if case["part"] == "derivative":
            return [sympy.factor(factor * (2 * n + offset) * (k + 1) ** 2 / ((n + k + 1) * (n + k + 2)))]
        if case["part"] == "start":
            return [sympy.Integer(parity) ** n]
        if case["part"].startswith("above"):
            return [outside if case["part"].endswith("odd") else outside**2]
        return [inside]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        n, k = sympy.symbols("n k", integer=True, nonnegative=True)

        def a(degree: Any, power: Any) -> Any:
            return (-1) ** (degree + power) * sympy.binomial(degree, power) * sympy.binomial(degree + power, power)

        if case["part"] == "derivative":
            step = (k + 1) * (a(n + 1, k + 1) - a(n - 1, k + 1)) / a(n + 1, k + 1)
            return [sympy.factor(sympy.combsimp(step))]
        if case["part"] == "start":
            return [sympy.combsimp(a(n, 0))]
        # 2 for k < n with n - k odd, and (-1)^n (-1)^k from the reconstruction of f(t - theta)
        odd = case["part"].endswith("odd")
        return [(2 if odd and case["part"].startswith("below") else 0) + (-1 if odd else 1)]


@claim(
    "hippo.thm1.legt.lmu",
    title="HiPPO-LegT in the normalization of the Legendre memory unit",
    statement=r"With $c_n(t) = \frac{1}{\theta} \int_{t-\theta}^t f(x) (2n+1) (-1)^n P_n(2(x-t)/\theta + 1) dx$:"
    r" $\theta c' = -A c + B f$ with $A_{nk} = (2n+1) (-1)^{n-k}$ for $k \le n$, $2n+1$ for $k \ge n$ and"
    r" $B_n = (2n+1) (-1)^n$, if $f$ is a polynomial of degree below $N$.",
    source="HiPPO, Theorem 1 (normalization $\\lambda_n = \\sqrt{2n+1} (-1)^n$)",
    domain="N = 1, ..., 10 (full: 20), every polynomial of degree below N, every t and theta, exact rationals",
    routes=("the equation, with c from Rodrigues' formula", "the derivative of the integral, with closed moments"),
    relation=IDENTICAL,
    expected="REFINED",
    corruptions=[{"sign": 1}, {"slope": 3}, {"offset": 0}, {"gain": SMALL}, {"parity": 1}],
    counterexample=LEGT_WIDER,
    tags=("legt", "lmu", "exact"),
    related=("hippo.thm1.legt",),
    figure="family-tree-matrices",
)
class LmuTheorem:
    """As for LegT, with f = (x - t)^l."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for N in range(1, 11 if effort == "quick" else 21):
            yield {"N": N}

    @staticmethod
    def claimed(
        case: Case, *, sign: int = -1, slope: int = 2, offset: int = 1, gain: Fraction = Fraction(1), parity: int = -1
    ) -> list[Any]:
        N, rows = case["N"], []
        for j in range(N):
            # the integral of (y-1)^j (2n+1) (-1)^n P_n(2y-1) = (-1)^j (2n+1) integral of y^j P_n(2y-1)
            c = [(-1) ** j * (2 * n + 1) * _moment(n, j) for n in range(N)]
            for n in range(N):
                inner = sum((sign ** (n - k) * c[k] if k <= n else c[k] for k in range(N)), Fraction(0))
                rows.append((slope * n + offset) * (-inner + (gain * parity**n if j == 0 else 0)))
        return rows

    @staticmethod
    def computed(case: Case) -> list[Any]:
        N, rows = case["N"], []
        for j in range(N):
            for n in range(N):
                moment = Fraction(1, j) if j else Fraction(0)
                for m in range(n):
                    moment *= Fraction(j - 1 - m, j + m + 1)
                rows.append((-1) ** (j - 1) * j * (2 * n + 1) * moment if j else Fraction(0))
        return rows


@claim(
    "hippo.thm1.lagt",
    title="HiPPO-LagT: the state matrix",
    statement=r"With $c_n(t) = \int_{-\infty}^t f(x) e^{-(t-x)} L_n(t-x) dx$, $L_n$ the Laguerre polynomials:"
    r" $c' = -A c + B f$ with $A_{nk} = 1$ for $n \ge k$, $0$ for $n < k$, and $B_n = 1$, for every $f$ and $N$:"
    r" the kernels satisfy $(e^{-s} L_n)' = -\sum_{k \le n} e^{-s} L_k$ and $L_n(0) = 1$, which is proved here.",
    source="HiPPO, Theorem 1",
    domain="row 0, the step from row n to row n+1 for every n, the coefficient of every power, and the value at 0, symbolic",
    routes=("rows of A, with quotients of coefficients as rational functions", "the derivative, from binomials"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"diagonal": 2}, {"below": 2}, {"gain": 2}],
    tags=("lagt", "symbolic"),
    related=("hippo.thm1.lagt.general",),
    figure="family-tree-matrices",
)
class LagtTheorem:
    """L_n = sum_k (-1)^k binom(n,k) s^k/k!; the step is divided by the coefficient of s^k in L_(n+1)."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield {"row": 0}
        yield {"row": "n to n+1, symbolic"}
        yield {"row": "input, symbolic"}

    @staticmethod
    def claimed(case: Case, *, diagonal: int = 1, below: int = 1, gain: int = 1) -> list[Any]:
        import sympy

        if case["row"] == 0:
            return [sympy.Integer(-diagonal)]
        if case["row"] == "input, symbolic":
            return [sympy.Integer(gain)]
        n, k = sympy.symbols("n k", integer=True, nonnegative=True)
        return [sympy.factor(-diagonal - (below - diagonal) * (n + 1 - k) / (n + 1))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        n, k = sympy.symbols("n k", integer=True, nonnegative=True)

        def coefficient(degree: Any, power: Any) -> Any:
            return (-1) ** power * sympy.binomial(degree, power) / sympy.factorial(power)

        if case["row"] == 0:  # of e^-s
            s = sympy.symbols("s")
            return [sympy.diff(sympy.exp(-s), s) * sympy.exp(s)]
        if case["row"] == "input, symbolic":
            return [sympy.combsimp(coefficient(n, 0))]

        def derivative(degree: Any) -> Any:  # of e^-s L, over e^-s
            return (k + 1) * coefficient(degree, k + 1) - coefficient(degree, k)

        step = (derivative(n + 1) - derivative(n)) / coefficient(n + 1, k)
        return [sympy.factor(sympy.combsimp(step))]


@claim(
    "hippo.thm1.lagt.general",
    title="HiPPO-LagT with parameters: the kernels are Laguerre functions",
    statement=r"$A$ with diagonal $-\frac{1+\beta}{2}$, entries $-1$ below and $0$ above it, $B_n = \binom{n+\alpha}{n}$:"
    r" $e_n^T e^{tA} B = e^{-(1+\beta) t/2} L_n^{(\alpha)}(t)$. Similarity by $\sqrt{\Gamma(n+\alpha+1)/n!}$ gives the"
    r" system of the official code up to its scaling of $B$.",
    source="HiPPO, appendix on LagT, and the code of its authors (glagt); constants as in the code",
    domain="N = 8, alpha = -1/2, 0, 1/3, 2, beta = 0, 1/100, 1, t = 1/10, 1, 7/2, balls of 200 bits",
    routes=("python-flint's Laguerre functions, over the norms", "ball matrix exponential of the family's matrices"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[
        {"half": Fraction(1, 2) * SMALL},
        {"offset": SMALL},
        {"order": Fraction(1, 10**6)},
        {"length": Fraction(1, 2) * SMALL},
        {"shift": SMALL},
    ],
    tags=("lagt",),
    related=("hippo.thm1.lagt",),
    figure="family-tree-matrices",
)
class LagtGeneral:
    """The family holds the similar system: A' = L^-1 A L, B' = L^-1 B, so its kernels are those above over L_n."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for alpha in (Fraction(-1, 2), Fraction(0), Fraction(1, 3), Fraction(2)):
            for beta in (Fraction(0), Fraction(1, 100), Fraction(1)):
                for t in (Fraction(1, 10), Fraction(1), Fraction(7, 2)):
                    yield {"N": 8, "alpha": alpha, "beta": beta, "t": t}

    @staticmethod
    def claimed(
        case: Case,
        *,
        half: Fraction = Fraction(1, 2),
        offset: Fraction = Fraction(1),
        order: Fraction = Fraction(0),
        length: Fraction = Fraction(1, 2),
        shift: Fraction = Fraction(1),
    ) -> list[Any]:
        with balls(200).work() as ring:
            t, alpha = ring.number(case["t"]), ring.number(case["alpha"] + order)
            decay = (-ring.number((offset + case["beta"]) * half) * t).exp()
            values = []
            for n in range(case["N"]):
                square = (ring.number(n + case["alpha"] + shift)).gamma() / arb(math.factorial(n))
                values.append(decay * t.laguerre_l(n, alpha) / square ** ring.number(length))
            return values

    @staticmethod
    def computed(case: Case) -> list[Any]:
        with balls(200).work() as ring:
            family = LagT(case["N"], alpha=case["alpha"], beta=case["beta"])
            A = arb_mat(family.state_matrix(ring).tolist())
            B = arb_mat([[entry] for entry in family.input_vector(ring)])
            state = (A * arb(fmpq(case["t"].numerator, case["t"].denominator))).exp() * B
            return [state[n, 0] for n in range(case["N"])]
