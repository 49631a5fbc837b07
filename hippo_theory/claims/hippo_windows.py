"""HiPPO: timescale equivariance of LegS, and the Fourier system of 2020, which is no window."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import acb, acb_mat, arb

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import EQUAL, IDENTICAL

__all__: list[str] = []

SMALL = Fraction(1000001, 1000000)


@claim(
    "hippo.prop3",
    title="LegS is equivariant under changes of the timescale",
    statement=r"If $h(t) = f(\alpha t)$, $\alpha > 0$, then the LegS coefficients satisfy $c[h](t) = c[f](\alpha t)$. For"
    r" $f(x) = e^{i \omega x}$: $c_n[f](t) = R_n i^n e^{iz} j_n(z)$, $z = \omega t/2$, $j_n$ the spherical Bessel functions,"
    r" $R_n = \sqrt{2n+1}$.",
    source="HiPPO, Proposition 3; the closed form on exponentials derived here",
    domain="f = e^(i w x), w = 1, 13/2, 40, alpha = 1/3, 2, 17/5, t = 1, 5/4, n = 0, ..., 6 (full: 20), balls of 160 bits",
    routes=(
        "spherical Bessel functions at alpha t",
        "certified quadrature of h against Legendre polynomials on [0, t]",
    ),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"exponent": 0}, {"exponent": -1}, {"half": Fraction(1, 2) * SMALL}, {"scale": SMALL}, {"turn": 3}],
    tags=("legs",),
    related=("hippo.thm2.legs", "hippo.legs.disc"),
    figure="reconstruction",
)
class Equivariance:
    """Balls; quadrature of an entire function."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for w in (Fraction(1), Fraction(13, 2), Fraction(40)):
            for alpha in (Fraction(1, 3), Fraction(2), Fraction(17, 5)):
                for t in (Fraction(1), Fraction(5, 4)):
                    yield {"w": w, "alpha": alpha, "t": t, "N": 7 if effort == "quick" else 21}

    @staticmethod
    def claimed(
        case: Case,
        *,
        exponent: int = 1,
        half: Fraction = Fraction(1, 2),
        scale: Fraction = Fraction(1),
        turn: int = 1,
    ) -> list[Any]:
        with balls(160).work() as ring:
            z = acb(ring.number(case["w"] * case["alpha"] ** exponent * case["t"] * half))
            values = []
            for n in range(case["N"]):
                j = (acb.pi() / (2 * z)).sqrt() * z.bessel_j(acb(n) + acb(1) / 2)
                root = arb(2 * n + 1).sqrt()
                values.append(ring.number(scale) * root * acb(0, 1) ** (turn * n) * (acb(0, 1) * z).exp() * j)
            return values

    @staticmethod
    def computed(case: Case) -> list[Any]:
        with balls(160).work() as ring:
            rate, t = ring.number(case["w"] * case["alpha"]), ring.number(case["t"])
            values = []
            for n in range(case["N"]):
                root = arb(2 * n + 1).sqrt()

                def integrand(x: Any, analytic: bool, n: int = n) -> Any:
                    return (acb(0, 1) * rate * x).exp() * (2 * x / t - 1).legendre_p(n)

                values.append(root / t * acb.integral(integrand, acb(0), acb(t)))
            return values


def _rest(s: Any, M: int, turn: Any, first: int) -> Any:
    """The sum over m > M of 2s/(s^2 + (turn m)^2), in digamma functions of M + first."""
    x = acb(0, 1) * s / turn
    return acb(0, 1) / turn * ((acb(M + first) - x).digamma() - (acb(M + first) + x).digamma())


@claim(
    "hippo.fout2020",
    title="The Fourier system of 2020: transfer functions and their limit",
    statement=r"$A = diag(2 \pi i m) - 1 1^T$, $B = 1$, $m = -M, \dots, M$ (window $\theta = 1$):"
    r" $e_m^T (sI-A)^{-1} B = \frac{1}{(s - 2 \pi i m)(1 + h_M(s))}$, $h_M(s) = \frac12 \coth(s/2) - \tau_M(s)$,"
    r" $\tau_M(s) = \frac{i}{2\pi} (\psi(M+1-\frac{is}{2\pi}) - \psi(M+1+\frac{is}{2\pi})) = O(1/M)$,"
    r" and $1^T (sI-A)^{-1} 1 = \frac{h_M}{1+h_M}$, in the limit $\frac{1+e^{-s}}{3-e^{-s}}$.",
    source="HiPPO, appendix on the truncated Fourier basis, as it is usually quoted; closed forms derived here",
    domain="M = 0, 1, 4, 12 (full: 40), s = 1, 1/2 + 7i, 3i, -1/4 + 20i, every m and the sum, balls of 200 bits",
    routes=("the closed form", "certified linear solve"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[
        {"half": Fraction(1, 2) * SMALL},
        {"turn": 2 * SMALL},
        {"first": 2},
        {"offset": SMALL},
        {"sign": 1},
    ],
    tags=("fout", "transfer"),
    related=("hippo.fout2020.staircase",),
    figure="fout-window",
)
class Fourier2020:
    """Complex balls."""

    POINTS = ((1, 0), (Fraction(1, 2), 7), (0, 3), (Fraction(-1, 4), 20))

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for M in (0, 1, 4, 12) if effort == "quick" else (0, 1, 4, 12, 40):
            for re, im in Fourier2020.POINTS:
                yield {"M": M, "s": (Fraction(re), Fraction(im))}

    @staticmethod
    def claimed(
        case: Case,
        *,
        half: Fraction = Fraction(1, 2),
        turn: Fraction = Fraction(2),
        first: int = 1,
        offset: Fraction = Fraction(1),
        sign: int = -1,
    ) -> list[Any]:
        with balls(200).work() as ring:
            M, s = case["M"], acb(ring.number(case["s"][0]), ring.number(case["s"][1]))
            frequency = ring.number(turn) * arb.pi()
            h = ring.number(half) * (s / 2).coth() + sign * _rest(s, M, frequency, first)
            values = [1 / ((s - acb(0, 1) * m * frequency) * (ring.number(offset) + h)) for m in range(-M, M + 1)]
            return [*values, h / (ring.number(offset) + h)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        with balls(200).work() as ring:
            M, s = case["M"], acb(ring.number(case["s"][0]), ring.number(case["s"][1]))
            N = 2 * M + 1
            rows = [
                [acb(1) + (s - acb(0, 2 * (n - M)) * arb.pi() if n == k else 0) for k in range(N)] for n in range(N)
            ]
            solved = acb_mat(rows).solve(acb_mat([[acb(1)]] * N))
            values = [solved[n, 0] for n in range(N)]
            return [*values, sum(values, acb(0))]


def _no_window(effort: str) -> tuple[list[dict[str, Any]], bool]:
    rows, certified = [], True
    with balls(128).work():
        for s in (acb(1), acb(1, 5), acb(0, 3)):
            shift = (-s).exp()
            limit, window = 2 * (1 - shift) / ((3 - shift) * s), (1 - shift) / s
            certified = certified and not limit.overlaps(window)
            text = f"limit {limit.str(8)}, window {window.str(8)}"
            rows.append({"case": f"transform of K_0 at s = {s.str(3)}", "numbers": text, "margin": None})
    return rows, certified


@claim(
    "hippo.fout2020.staircase",
    title="The Fourier system of 2020 remembers an exponential staircase",
    statement=r"In the limit of many frequencies the kernels of $A = diag(2 \pi i m) - 1 1^T$, $B = 1$ are"
    r" $K_m(t) = \frac23 3^{-\lfloor t \rfloor} e^{2 \pi i m t}$: the transform"
    r" $\frac{1}{(s - 2 \pi i m)(1 + \frac12 \coth(s/2))}$ equals"
    r" $\frac23 \sum_{j \ge 0} 3^{-j} \int_j^{j+1} e^{-(s - 2 \pi i m) t} dt$. With $-2 \cdot 1 1^T$ and $B = 2$ (2022) they are"
    r" $e^{2 \pi i m t}$ on $[0,1]$.",
    source="derived here, for HiPPO's appendix on the truncated Fourier basis as it is usually quoted",
    domain="every s with positive real part and every m: rational functions of exp(-s) and s, symbolic",
    routes=("the staircase, a geometric sum of integrals", "the resolvent, with hyperbolic functions reduced by sympy"),
    relation=IDENTICAL,
    expected="REFINED",
    corruptions=[{"height": Fraction(2, 3) * SMALL}, {"base": 2}, {"base2022": 2}, {"height2022": 2}],
    counterexample=Counterexample(
        r"The kernels tend to $e^{2 \pi i m t}$ on $[0,1]$ and $0$ afterwards, the window of the measure $1_{[t-1,t]}$.",
        _no_window,
    ),
    tags=("fout", "transfer", "symbolic"),
    related=("hippo.fout2020",),
    figure="fout-window",
)
class FourierStaircase:
    """With E = e^-s; r stands for s - 2 pi i m, and e^-r = E."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield {"form": 2020}
        yield {"form": 2022}

    @staticmethod
    def claimed(
        case: Case,
        *,
        height: Fraction = Fraction(2, 3),
        base: int = 3,
        height2022: int = 1,
        base2022: int = 0,
    ) -> list[Any]:
        import sympy

        E, r = sympy.Symbol("E", positive=True), sympy.Symbol("r")
        step = (1 - E) / r
        if case["form"] == 2020:
            return [sympy.factor(sympy.Rational(height.numerator, height.denominator) * step / (1 - E / base))]
        later = E / base2022 if base2022 else 0  # nothing after the window
        return [sympy.factor(height2022 * step / (1 - later))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        E, r, s = sympy.Symbol("E", positive=True), sympy.Symbol("r"), sympy.Symbol("s")
        rank = 1 if case["form"] == 2020 else 2
        resolvent = rank / (r * (1 + rank * sympy.coth(s / 2) / 2))
        return [sympy.factor(sympy.cancel(resolvent.rewrite(sympy.exp).subs(s, -sympy.log(E))))]
