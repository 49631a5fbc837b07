"""HiPPO: the identities of Legendre polynomials behind its projections, by induction steps with symbolic n.

The coefficients of P_n(2y-1) = sum_k a(n,k) y^k are a(n,k) = (-1)^(n+k) (n+k)!/((n-k)! k!^2). A step is checked for the
coefficient of every power of y at once, n and k symbols, divided by the coefficient of the highest degree that occurs:
the quotients are rational functions of n and k, regular on all the powers that occur.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flint import fmpq_poly

from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import IDENTICAL

__all__: list[str] = []

APPENDIX = "HiPPO, appendix with the derivations of the operators: derivatives of Legendre polynomials"
STEP = {"n": "symbolic", "power": "symbolic"}


@claim(
    "hippo.legendre.difference",
    title="Differences of derivatives of Legendre polynomials",
    statement=r"$(2n+1) P_n = P_{n+1}' - P_{n-1}'$ for every $n \ge 0$, with $P_n(1) = 1$ and $P_{-1} = 0$.",
    source=APPENDIX,
    domain="every n, the coefficient of every power of (1+x)/2: rational functions of n and k",
    routes=("quotients of coefficients as rational functions", "quotients of factorials, reduced by sympy"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"slope": 3}, {"offset": 2}, {"sign": 1}, {"shift": 2}],
    tags=("legendre", "symbolic"),
    related=("hippo.legendre.derivative", "hippo.legendre.shifted"),
)
class LegendreDifference:
    """In y = (1+x)/2 the derivative is twice as large; all is divided by a(n+1, k+1)."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield STEP

    @staticmethod
    def claimed(case: Case, *, slope: int = 2, offset: int = 1, sign: int = -1, shift: int = 1) -> list[Any]:
        import sympy

        # (slope n + offset) P_n - (sign + 1) P'_(n-shift), which is P'_(n+1) - P'_(n-1) with the true constants.
        n, k = sympy.symbols("n k", integer=True, nonnegative=True)
        same = (k + 1) ** 2 / ((n + k + 1) * (n + k + 2))  # a(n, k)/a(n+1, k+1)
        below = (n - k) * (n - k - 1) / ((n + k + 1) * (n + k + 2))  # a(n-1, k+1)/a(n+1, k+1)
        # a(n-shift, k+1)/a(n-1, k+1), counted down one by one
        lower = sympy.prod([-(n - j - k - 1) / (n - j + k + 1) for j in range(1, shift)])
        return [sympy.factor((slope * n + offset) * 2 * same - (k + 1) * below * (sign + lower))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        n, k = sympy.symbols("n k", integer=True, nonnegative=True)

        def a(degree: Any, power: Any) -> Any:
            factorials = sympy.gamma(degree - power + 1) * sympy.gamma(power + 1) ** 2
            return (-1) ** (degree + power) * sympy.gamma(degree + power + 1) / factorials

        difference = (k + 1) * (a(n + 1, k + 1) - a(n - 1, k + 1)) / a(n + 1, k + 1)
        return [sympy.factor(sympy.gammasimp(difference))]


@claim(
    "hippo.legendre.derivative",
    title="The derivative of a Legendre polynomial in Legendre polynomials",
    statement=r"$P_n' = (2n-1) P_{n-1} + (2n-5) P_{n-3} + (2n-9) P_{n-5} + \dots$ for every $n$,"
    r" ending with $P_0$ or $3 P_1$.",
    source=APPENDIX,
    domain="the step from n-1 to n+1 for every n, symbolic; n = 0 and 1, from which it starts; n <= 24 as polynomials",
    routes=("the sum; in the step (2n+1) a(n,k)", "coefficients of the derivative"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"slope": 1}, {"offset": 0}, {"stride": 1}],
    tags=("legendre", "symbolic"),
    related=("hippo.legendre.difference", "hippo.thm1.legt"),
)
class LegendreDerivative:
    """The step adds (2n+1) P_n to the sum; all is divided by a(n+1, k+1), with d/dx = (1/2) d/dy."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield STEP
        for n in range(25):
            yield {"n": n}

    @staticmethod
    def claimed(case: Case, *, slope: int = 2, offset: int = -1, stride: int = 2) -> list[Any]:
        if case["n"] == "symbolic":
            import sympy

            # P'_(n+stride-1) - P'_(n-1), in the sum the terms of degree n, ..., n + stride - 2
            n, k = sympy.symbols("n k", integer=True, nonnegative=True)
            same = (k + 1) ** 2 / ((n + k + 1) * (n + k + 2))
            return [sympy.factor((slope * (n + 1) + offset) * same * (1 if stride == 2 else 0))]
        total = fmpq_poly([0])
        for m in range(case["n"] - 1, -1, -stride):
            total += (slope * (m + 1) + offset) * fmpq_poly.legendre_p(m)
        return [total]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        if case["n"] == "symbolic":
            import sympy

            n, k = sympy.symbols("n k", integer=True, nonnegative=True)

            def a(degree: Any, power: Any) -> Any:
                # binom(degree, power) binom(degree + power, power), signed
                return (-1) ** (degree + power) * sympy.binomial(degree, power) * sympy.binomial(degree + power, power)

            step = (k + 1) * (a(n + 1, k + 1) - a(n - 1, k + 1)) / (2 * a(n + 1, k + 1))
            return [sympy.factor(sympy.combsimp(step))]
        return [_by_rodrigues(case["n"]).derivative()]


def _by_rodrigues(n: int) -> fmpq_poly:
    """P_n as the n-th derivative of (x^2 - 1)^n over 2^n n!."""
    polynomial = fmpq_poly([-1, 0, 1]) ** n
    for k in range(1, n + 1):
        polynomial = polynomial.derivative() / (2 * k)
    return polynomial


@claim(
    "hippo.legendre.shifted",
    title="(x+1) times the derivative of a Legendre polynomial",
    statement=r"$(x+1) P_n' = n P_n + (2n-1) P_{n-1} + (2n-3) P_{n-2} + \dots + P_0$ for every $n$.",
    source=APPENDIX,
    domain="the step from n to n+1 for every n, symbolic; n = 0, from which it starts; n <= 24 as polynomials",
    routes=("the sum; in the step quotients as rational functions", "coefficients of the left side"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"leading": 2}, {"slope": 3}, {"offset": 0}],
    tags=("legendre", "symbolic"),
    related=("hippo.thm2.legs",),
)
class LegendreShifted:
    """With y = (1+x)/2 the left side is y d/dy; the step is divided by a(n+1, k)."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield STEP
        for n in range(25):
            yield {"n": n}

    @staticmethod
    def claimed(case: Case, *, leading: int = 1, slope: int = 2, offset: int = 1) -> list[Any]:
        if case["n"] == "symbolic":
            import sympy

            n, k = sympy.symbols("n k", integer=True, nonnegative=True)
            below = -(n + 1 - k) / (n + 1 + k)  # a(n, k)/a(n+1, k)
            return [sympy.factor(leading * (n + 1) + (slope * n + offset - leading * n) * below)]
        total = leading * case["n"] * fmpq_poly.legendre_p(case["n"])
        for m in range(case["n"]):
            total += (slope * m + offset) * fmpq_poly.legendre_p(m)
        return [total]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        if case["n"] == "symbolic":
            import sympy

            n, k = sympy.symbols("n k", integer=True, nonnegative=True)

            def a(degree: Any) -> Any:
                factorials = sympy.gamma(degree - k + 1) * sympy.gamma(k + 1) ** 2
                return (-1) ** (degree + k) * sympy.gamma(degree + k + 1) / factorials

            return [sympy.factor(sympy.gammasimp(k * (a(n + 1) - a(n)) / a(n + 1)))]
        return [fmpq_poly([1, 1]) * _by_rodrigues(case["n"]).derivative()]
