"""HiPPO: how well N coefficients of LegS represent a function, the orders that the paper states and the ones that hold.

On [0, t] in the measure dx/t; by scaling t = 1 unless a case says otherwise. The bounds rest on the weighted
orthogonality of the k-th derivatives of Legendre polynomials: with c_n the coefficients of f,

    sum_{n >= k} (n+k)!/(n-k)! c_n^2 = int_0^1 (y(1-y))^k f^(k)(y)^2 dy <= M^2 k!^2/(2k+1)!.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import arb, fmpq, fmpq_poly

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import AT_LEAST, AT_MOST, IDENTICAL, WITHIN

__all__: list[str] = []

PROPOSITION = "HiPPO, Proposition 6 (as it is usually quoted); the constant and the order derived here"
SMALL = Fraction(1000001, 1000000)

Piece = tuple[fmpq, fmpq, list[fmpq]]


def _squared_error(pieces: list[Piece], N: int) -> Any:
    """The squared L2 distance on [0, 1] of a piecewise polynomial from all polynomials of degree below N, exact."""
    ends = [(fmpq_poly([0, 1]), a, b, fmpq_poly(coefficients)) for a, b, coefficients in pieces]
    error = fmpq(0)
    for _, a, b, f in ends:
        square = (f * f).integral()
        error += square(b) - square(a)
    moments = []
    for power in range(N):
        moment = fmpq(0)
        for y, a, b, f in ends:
            antiderivative = (f * y**power).integral()
            moment += antiderivative(b) - antiderivative(a)
        moments.append(moment)
    for n in range(N):
        # P_n(2y-1) has the coefficients (-1)^(n+k) binom(n,k) binom(n+k,k)
        inner = sum(
            ((-1) ** (n + k) * math.comb(n, k) * math.comb(n + k, k) * moments[k] for k in range(n + 1)), fmpq(0)
        )
        error -= (2 * n + 1) * inner * inner
    return error


def _zigzag(count: int) -> list[Piece]:
    """Slopes 1, -1, 1, ... on `count` equal pieces, from 0."""
    pieces, value = [], fmpq(0)
    for j in range(count):
        slope = fmpq(1 - 2 * (j % 2))
        a, b = fmpq(j, count), fmpq(j + 1, count)
        pieces.append((a, b, [value - slope * a, slope]))
        value += slope * (b - a)
    return pieces


def _kink(order: int, numerator: int = 1, denominator: int = 2) -> list[Piece]:
    """|y - p|^order, p = numerator/denominator, times the sign of y - p where `order` is even."""
    place = fmpq(numerator, denominator)
    power = fmpq_poly([-place, 1]) ** order
    return [(fmpq(0), place, list((-power).coeffs())), (place, fmpq(1), list(power.coeffs()))]


def _lipschitz_order(effort: str) -> tuple[list[dict[str, Any]], bool]:
    return _vanishing(1)


def _smooth_order(effort: str) -> tuple[list[dict[str, Any]], bool]:
    return _vanishing(3)


def _vanishing(order: int) -> tuple[list[dict[str, Any]], bool]:
    """The proved bound over the paper's t^k M N^(1/2-k), squared: below every constant as N grows."""
    rows, certified = [], True
    for N, limit in ((10, 10), (10**2, 10**2), (10**4, 10**4), (10**6, 10**6)):
        weight = fmpq(math.factorial(order) ** 2, math.factorial(2 * order + 1))
        quotient = weight * fmpq(N) ** (2 * order - 1) / math.prod(range(N - order + 1, N + order + 1))
        certified = certified and quotient < fmpq(1, limit)
        text = f"squared error over N^(1-2k) t^2k M^2, any f: at most {float(quotient.p) / float(quotient.q):.4g}"
        rows.append({"case": f"k = {order}, N = {N}", "numbers": f"{text}, below 1/{limit}", "margin": None})
    return rows, certified


@claim(
    "hippo.prop6",
    title="LegS approximates Lipschitz functions to order 1/N, not only 1/sqrt N",
    statement=r"If $f$ is $L$-Lipschitz on $[0,t]$, its projection on degree below $N$ in $L_2(dx/t)$ has an error of at most"
    r" $t L / \sqrt{6 N (N+1)}$ (equality for $f(x) = x$, $N = 1$). The paper's $O(t L / \sqrt{N})$ holds, and is not sharp.",
    source=PROPOSITION,
    domain="f = x, |x-1/2|, |x-1/3|, zigzags of 3, 8, 16 pieces, N = 1, 2, 4, 8, 16 (full: 64), t = 1, and f = x at t = 4;"
    " exact rationals; scaled to L^2 = 12. The bound for every f follows from hippo.prop6.equation",
    routes=("the bound, squared", "exact integrals of piecewise polynomials"),
    relation=AT_MOST,
    expected="REFINED",
    corruptions=[{"six": 6 * SMALL}, {"shift": 2}, {"time_power": 1}, {"order": 2}],
    counterexample=Counterexample(
        r"The order $N^{-1/2}$ is attained: some $L$-Lipschitz functions have an error of order $t L/\sqrt{N}$.",
        _lipschitz_order,
    ),
    tags=("legs", "approximation", "exact"),
    related=("hippo.prop6.weighted", "hippo.prop6.attained", "hippo.prop6.kink"),
    figure="approximation-bounds",
)
class Lipschitz:
    """Squared errors."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        sizes = (1, 2, 4, 8, 16) if effort == "quick" else (1, 2, 4, 8, 16, 32, 64)
        for N in sizes:
            for name in ("x", "|x-1/2|", "|x-1/3|", "zigzag 3", "zigzag 8", "zigzag 16"):
                yield {"f": name, "N": N, "t": 1}
        yield {"f": "x", "N": 1, "t": 4}

    @staticmethod
    def claimed(
        case: Case, *, six: Fraction = Fraction(6), shift: int = 1, time_power: int = 2, order: int = 1
    ) -> list[Any]:
        with balls(400).work() as ring:
            N = case["N"]
            bound = 12 * Fraction(case["t"]) ** time_power / (six * N**order * (N + shift))
            return [ring.number(bound)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        with balls(400).work() as ring:
            if case["f"].startswith("zigzag"):
                pieces = _zigzag(int(case["f"].split()[1]))
            elif case["f"] == "x":
                pieces = _zigzag(1)
            else:
                pieces = _kink(1, 1, int(case["f"][-2]))
            # f(x) = sqrt 12 t g(x/t) with g on [0, 1]
            return [ring.number(12 * case["t"] ** 2 * _squared_error(pieces, case["N"]))]


@claim(
    "hippo.prop6.smooth",
    title="LegS approximates functions with bounded k-th derivative to order N^-k",
    statement=r"If $|f^{(k)}| \le M$ on $[0,t]$ and $N \ge k$, the projection on degree below $N$ in $L_2(dx/t)$ has an error"
    r" of at most $t^k M (\frac{k!^2}{(2k+1)!} \frac{(N-k)!}{(N+k)!})^{1/2}$, with equality for $f(x) = x^k$ at $N = k$."
    r" The paper's $O(t^k N^{-k+1/2})$ holds, and is not sharp.",
    source=PROPOSITION,
    domain="k = 1, 2, 3, 4; f = x^k, a power with a jump in the k-th derivative at 1/2 and at 1/3, N = k, ..., 12 (full: 40),"
    " exact rationals, scaled to M^2 = (2k+1)! (2k)!/k!^2. The bound for every f follows from hippo.prop6.equation",
    routes=("the bound, squared", "exact integrals of piecewise polynomials"),
    relation=AT_MOST,
    expected="REFINED",
    corruptions=[{"scale": 1 / SMALL}, {"weight": 2}, {"lower": 1}, {"upper": 1}],
    counterexample=Counterexample(
        r"The order $N^{-k+1/2}$ is attained by functions with bounded $k$-th derivative.", _smooth_order
    ),
    tags=("legs", "approximation", "exact"),
    related=("hippo.prop6.weighted", "hippo.prop6.kink.cubic"),
    figure="approximation-bounds",
)
class Smooth:
    """Squared errors over the bound at N = k."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for k in (1, 2, 3, 4):
            for f in ("power", "jump at 1/2", "jump at 1/3"):
                for N in range(k, 13 if effort == "quick" else 41, 1 if effort == "quick" else 3):
                    yield {"k": k, "f": f, "N": N}

    @staticmethod
    def claimed(
        case: Case, *, scale: Fraction = Fraction(1), weight: int = 1, lower: int = 0, upper: int = 0
    ) -> list[Any]:
        with balls(400).work() as ring:
            k, N = case["k"], case["N"]
            # M^2 times k!^2/(2k+1)! (N-k)!/(N+k)!
            M = Fraction(math.factorial(2 * k + 1) * math.factorial(2 * k), math.factorial(k) ** 2)
            bound = M * Fraction(math.factorial(k) ** 2, weight * math.factorial(2 * k + 1))
            quotient = Fraction(math.factorial(N - k), math.factorial(N + k + upper)) / (N - k + 1) ** lower
            return [ring.number(scale * bound * quotient / (2 * k + 1) ** lower)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        with balls(400).work() as ring:
            k = case["k"]
            pieces = [(fmpq(0), fmpq(1), [fmpq(0)] * k + [fmpq(1)])]
            if case["f"] != "power":
                pieces = _kink(k, 1, int(case["f"][-1]))
            # the k-th derivative of both is k! in modulus: scaled to M
            square = fmpq(math.factorial(2 * k + 1) * math.factorial(2 * k), math.factorial(k) ** 4)
            return [ring.number(square * _squared_error(pieces, case["N"]))]


@claim(
    "hippo.prop6.weighted",
    title="Derivatives of Legendre polynomials are orthogonal with weight (y(1-y))^k",
    statement=r"$\int_0^1 (y(1-y))^k \tilde P_n^{(k)} \tilde P_m^{(k)} dy = \frac{(n+k)!}{(n-k)! (2n+1)}$ for $n = m$, $0$ for"
    r" $n \ne m$, where $\tilde P_n(y) = P_n(2y-1)$; and $\int_0^1 (y(1-y))^k dy = k!^2/(2k+1)!$. Hence for an $f$ with"
    r" coefficients $c_n$ and $|f^{(k)}| \le M$: $\sum_{n \ge k} \frac{(n+k)!}{(n-k)!} c_n^2 \le M^2 k!^2/(2k+1)!$.",
    source="classical (Jacobi polynomials); what the bounds on hippo.prop6 rest on",
    domain="n, m <= 10 (full: 24), k = 0, ..., 4 (full: 8), exact rationals",
    routes=("the closed forms", "integrals of polynomials"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"up": 1}, {"down": 1}, {"offset": 2}, {"mass": 2}],
    tags=("legendre", "exact", "approximation"),
    related=("hippo.prop6.equation", "hippo.prop6", "hippo.prop6.smooth"),
    figure="approximation-bounds",
)
class WeightedOrthogonality:
    """All pairs, then the mass of the weight."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        size, orders = (11, 5) if effort == "quick" else (25, 9)
        for k in range(orders):
            yield {"k": k, "size": size}

    @staticmethod
    def claimed(case: Case, *, up: int = 0, down: int = 0, offset: int = 1, mass: int = 1) -> list[Any]:
        k, values = case["k"], []
        for n in range(case["size"]):
            for m in range(n + 1):
                if n != m or n < k:
                    values.append(fmpq(0))
                    continue
                top = math.factorial(n + k + up)
                values.append(fmpq(top, math.factorial(n - k + down) * (2 * n + offset)))
        return [*values, fmpq(math.factorial(k) ** 2, math.factorial(2 * k + mass))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        k, derivatives = case["k"], []
        weight = fmpq_poly([0, 1, -1]) ** k
        for n in range(case["size"]):
            derivative = fmpq_poly.legendre_p(n)(fmpq_poly([-1, 2]))
            for _ in range(k):
                derivative = derivative.derivative()
            derivatives.append(derivative)
        values = [
            (weight * derivatives[n] * derivatives[m]).integral()(fmpq(1))
            for n in range(case["size"])
            for m in range(n + 1)
        ]
        return [*values, weight.integral()(fmpq(1))]


@claim(
    "hippo.prop6.equation",
    title="The differential equation of the derivatives of Legendre polynomials",
    statement=r"$w = \tilde P_n^{(j)}$ satisfies $y(1-y) w'' + (j+1)(1-2y) w' + (n-j)(n+j+1) w = 0$ on $[0,1]$, for every"
    r" $n$ and $j$, that is $((y(1-y))^{j+1} w')' = -(n-j)(n+j+1) (y(1-y))^j w$. By parts the weighted norm of the next"
    r" derivative is $(n-j)(n+j+1)$ times that of $w$, which gives the factors $(n+k)!/(n-k)!$ of the bounds for every $n$.",
    source="classical; what hippo.prop6.weighted and the bounds on hippo.prop6 rest on",
    domain="every n and j, the coefficient of every power, symbolic",
    routes=("the eigenvalue", "the other two terms over w, from factorials"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"down": 1}, {"up": 2}, {"sign": 1}],
    tags=("legendre", "symbolic", "approximation"),
    related=("hippo.prop6.weighted", "hippo.prop6"),
    figure="approximation-bounds",
)
class DerivativeEquation:
    """Coefficients of w: (k+j)!/k! times those of P_n(2y-1) at k+j; the powers 0, ..., n-j."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield {"n": "symbolic", "j": "symbolic", "power": "symbolic"}

    @staticmethod
    def claimed(case: Case, *, down: int = 0, up: int = 1, sign: int = -1) -> list[Any]:
        import sympy

        n, j = sympy.symbols("n j", integer=True, nonnegative=True)
        return [sympy.expand(sign * (n - j - down) * (n + j + up))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        n, j, k = sympy.symbols("n j k", integer=True, nonnegative=True)

        def w(power: Any) -> Any:
            m = power + j
            coefficient = (-1) ** (n + m) * sympy.gamma(n + m + 1) / (sympy.gamma(n - m + 1) * sympy.gamma(m + 1) ** 2)
            return coefficient * sympy.gamma(m + 1) / sympy.gamma(power + 1)

        second = k * (k + 1) * w(k + 1) - k * (k - 1) * w(k)
        first = (j + 1) * ((k + 1) * w(k + 1) - 2 * k * w(k))
        return [sympy.expand(sympy.simplify(sympy.gammasimp((second + first) / w(k))))]


@claim(
    "hippo.prop6.attained",
    title="Order 1/N is attained over the Lipschitz functions",
    statement=r"For the $N$ covered the $L$-Lipschitz zigzag of $N$ pieces (slopes $L$, $-L$, ...) on $[0,t]$ has an"
    r" $L_2(dx/t)$ error of at least $0.859 t L/(\sqrt{12} N)$ ($0.7385567$ squared): with hippo.prop6 the largest error over all"
    r" Lipschitz functions lies between $0.248$ and $0.409$ times $t L/N$.",
    source="derived here; the sharp order behind HiPPO, Proposition 6",
    domain="N = 1, ..., 20 (full: 48), exact rationals; the constant is that of N = 8, the smallest of these",
    routes=("the lower bound, squared", "exact integrals of piecewise polynomials"),
    relation=AT_LEAST,
    expected="CERTIFIED",
    corruptions=[{"constant": Fraction(7385567, 10**7) * SMALL}, {"order": 1}],
    tags=("legs", "approximation", "exact"),
    related=("hippo.prop6",),
    figure="approximation-bounds",
)
class Attained:
    """12 times the squared errors."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for N in range(1, 21 if effort == "quick" else 49):
            yield {"N": N}

    @staticmethod
    def claimed(case: Case, *, constant: Fraction = Fraction(7385567, 10**7), order: int = 2) -> list[Any]:
        with balls(400).work() as ring:
            return [ring.number(constant / Fraction(case["N"]) ** order)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        with balls(400).work() as ring:
            return [ring.number(12 * _squared_error(_zigzag(case["N"]), case["N"]))]


def _kink_bounds(case: Case, constant: Any, shift: Any, power: int, band: Any) -> list[Any]:
    """The bracket constant/(pi (N - shift)^power) (1 +- band/N^2) of a squared error."""
    N = case["N"]
    leading = constant / (arb.pi() * (N - shift) ** power)
    return [(leading * (1 - band / N**2)).union(leading * (1 + band / N**2))]


@claim(
    "hippo.prop6.kink",
    title="A kink costs N^(-3/2)",
    statement=r"$f(x) = |x - 1/2|$ on $[0,1]$, even $N \ge 4$: the squared error of degree below $N$ is"
    r" $\frac{1}{6 \pi (N-1/2)^3} (1 + \epsilon_N)$ with $|\epsilon_N| \le 0.8370/N^2$: order $N^{-3/2}$, one power of $N$ better"
    r" than the paper's bound for Lipschitz functions.",
    source="derived here; a sharp function for HiPPO, Proposition 6",
    domain="N = 4, 6, ..., 64, 256, 1024, 4096 (full: 32768), balls of 400 bits; a relative change of 1e-6 shows at N = 4096",
    routes=("the asymptotic form with its band", "exact Legendre coefficients, summed in balls"),
    relation=WITHIN,
    expected="CERTIFIED",
    corruptions=[
        {"six": 6 * SMALL},
        {"six": 6 / SMALL},
        {"shift": Fraction(1, 2) + Fraction(2, 10**4)},
        {"power": 2},
        {"band": Fraction(8369, 10000)},
    ],
    tags=("legs", "approximation"),
    related=("hippo.prop6", "hippo.prop6.kink.cubic"),
    figure="approximation-bounds",
)
class Kink:
    """Both bounds as one bracket."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for N in (*range(4, 65, 2), 256, 1024, 4096, *(() if effort == "quick" else (32768,))):
            yield {"N": N}

    @staticmethod
    def claimed(
        case: Case,
        *,
        six: Fraction = Fraction(6),
        shift: Fraction = Fraction(1, 2),
        power: int = 3,
        band: Fraction = Fraction(8370, 10000),
    ) -> list[Any]:
        with balls(400).work() as ring:
            return _kink_bounds(case, 1 / ring.number(six), ring.number(shift), power, ring.number(band))

    @staticmethod
    def computed(case: Case) -> list[Any]:
        with balls(400).work():
            # f = |X|/2; integral over [0,1] of X P_2m(X): 1/2, 1/8, ..., ratio -(2m-1)/(2m+4)
            error, coefficient = arb(fmpq(1, 12)), arb(fmpq(1, 4))
            for m in range(case["N"] // 2):
                error -= (4 * m + 1) * coefficient**2
                coefficient *= fmpq(1 - 2 * m, 2 * m + 4)
            return [error]


@claim(
    "hippo.prop6.kink.cubic",
    title="A jump in the third derivative costs N^(-7/2)",
    statement=r"$f(x) = |x - 1/2|^3$ on $[0,1]$, even $N \ge 16$: the squared error of degree below $N$ is"
    r" $\frac{9}{56 \pi (N-1/2)^7} (1 + \epsilon_N)$ with $|\epsilon_N| \le 14.561/N^2$: order $N^{-7/2}$, against the paper's"
    r" $N^{-5/2}$ for a bounded third derivative.",
    source="derived here; a sharp function for HiPPO, Proposition 6",
    domain="N = 16, 18, ..., 64, 256, 1024, 8192 (full: 32768), balls of 600 bits; a relative change of 1e-6 shows at N = 8192",
    routes=("the asymptotic form with its band", "exact Legendre coefficients, summed in balls"),
    relation=WITHIN,
    expected="CERTIFIED",
    corruptions=[
        {"constant": Fraction(9, 56) * SMALL},
        {"constant": Fraction(9, 56) / SMALL},
        {"shift": Fraction(1, 2) + Fraction(5, 10**4)},
        {"power": 6},
        {"band": Fraction(14560, 1000)},
    ],
    tags=("legs", "approximation"),
    related=("hippo.prop6.smooth", "hippo.prop6.kink"),
    figure="approximation-bounds",
)
class CubicKink:
    """Both bounds as one bracket."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for N in (*range(16, 65, 2), 256, 1024, 8192, *(() if effort == "quick" else (32768,))):
            yield {"N": N}

    @staticmethod
    def claimed(
        case: Case,
        *,
        constant: Fraction = Fraction(9, 56),
        shift: Fraction = Fraction(1, 2),
        power: int = 7,
        band: Fraction = Fraction(14561, 1000),
    ) -> list[Any]:
        with balls(600).work() as ring:
            return _kink_bounds(case, ring.number(constant), ring.number(shift), power, ring.number(band))

    @staticmethod
    def computed(case: Case) -> list[Any]:
        with balls(600).work():
            # f = |X|^3/8; integral over [0,1] of X^3 P_2m(X): 1/4, ..., ratio -(2m-3)/(2m+6)
            error, coefficient = arb(fmpq(1, 64 * 7)), arb(fmpq(1, 32))
            for m in range(case["N"] // 2):
                error -= (4 * m + 1) * coefficient**2
                coefficient *= fmpq(3 - 2 * m, 2 * m + 6)
            return [error]
