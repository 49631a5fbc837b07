"""Input selectivity: how fast a step is approximated, by Haar wavelets, Fourier sums, and constant systems of N states."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import acb, acb_mat, arb, fmpz_mat

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import AT_LEAST, EQUAL, IDENTICAL, WITHIN
from hippo_theory.selectivity import fourier_error_squared, haar_error_squared

__all__: list[str] = []

PAPER = "Understanding input selectivity in Mamba (arXiv:2506.11891)"
OURS = "derived here"
STEP = Fraction(1, 10**6)


@claim(
    "s6.haar.rate",
    title="Each scale of Haar wavelets takes its one coefficient off the squared error of a step",
    statement=r"For $1_{[\tau,1]}$ and intervals of length $2^{-J}$, $\theta = \operatorname{frac}(2^J\tau)$: the "
    r"squared error of the "
    r"projection is $\theta(1 - \theta) 2^{-J}$, and the next scale takes off $\min(\theta, 1 - \theta)^2 2^{-J}$, the "
    r"square of "
    r"its one coefficient that is not zero.",
    source=f"{PAPER}, its approximation by Haar wavelets; our formulation",
    domain="every theta: the interval with the step, symbolically, and both halves of it",
    routes=("the closed form and its change when theta becomes 2 theta or 2 theta - 1", "integrals over the interval"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"square": 2}, {"halving": 4}, {"less": Fraction(1, 2)}],
    tags=("selectivity", "haar", "symbolic"),
    related=("s6.haar.rate.values",),
    figure="separation-rates",
)
class HaarRate:
    """All other intervals are constant, and scaling by 2^J gives the factor."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"theta": "symbol"}

    def claimed(case: Case, *, square: int = 1, halving: int = 2, less: Fraction = Fraction(1)) -> list[Any]:
        import sympy

        theta = sympy.Symbol("theta")
        one = sympy.Rational(less.numerator, less.denominator)

        def error(place: Any) -> Any:
            return place * (one - place**square)

        return [
            sympy.expand(error(theta)),
            sympy.expand(error(theta) - error(2 * theta) / halving),
            sympy.expand(error(theta) - error(2 * theta - 1) / halving),
        ]

    def computed(case: Case) -> list[Any]:
        import sympy

        theta, x, half = sympy.Symbol("theta"), sympy.Symbol("x"), sympy.Rational(1, 2)
        mean = sympy.integrate(1, (x, theta, 1))
        squared = sympy.integrate(mean**2, (x, 0, theta)) + sympy.integrate((1 - mean) ** 2, (x, theta, 1))
        # the wavelet is 1 on the left half and -1 on the right one
        early = sympy.integrate(1, (x, theta, half)) - sympy.integrate(1, (x, half, 1))
        late = -sympy.integrate(1, (x, theta, 1))
        return [sympy.expand(squared), sympy.expand(early**2), sympy.expand(late**2)]


@claim(
    "s6.haar.rate.values",
    title="The error of Haar projections of a step at one third halves its square with each scale",
    statement=r"$\tau = \frac13$: the squared error at scale $J$ is $\frac29 2^{-J}$ ($0.1178511$ at $J = 4$ after the root).",
    source=OURS,
    domain="J = 0, ..., 10, exact Fractions",
    routes=("the closed form, and the package's", "1 - tau minus the sum of squared means over all intervals"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"factor": Fraction(2, 9) * (1 + STEP)}, {"base": 3}],
    tags=("selectivity", "haar", "exact"),
    related=("s6.haar.rate",),
    figure="separation-rates",
)
class HaarValues:
    """Energy of the step less that of its projection."""

    def cases(effort: str) -> Iterator[Case]:
        for scale in range(11):
            yield {"J": scale}

    def claimed(case: Case, *, factor: Fraction = Fraction(2, 9), base: int = 2) -> list[Fraction]:
        return [factor / base ** case["J"], haar_error_squared(Fraction(1, 3), case["J"])]

    def computed(case: Case) -> list[Fraction]:
        count, tau = 2 ** case["J"], Fraction(1, 3)
        covered = [max(Fraction(0), min(Fraction(1), k + 1 - count * tau)) for k in range(count)]
        error = (1 - tau) - sum(part**2 for part in covered) / count
        return [error, error]


@claim(
    "s6.fourier.rate",
    title="The error of Fourier sums of a step, in closed form",
    statement=r"The squared error of the Fourier sum over $|n| \le N$ of $1_{[1/3,1]}$ is "
    r"$\frac{3}{2\pi^2}\left(\zeta(2, N + 1) - "
    r"\frac19 \zeta(2, \lfloor N/3 \rfloor + 1)\right)$, with the Hurwitz zeta function.",
    source=f"{OURS}, as a stand-in for fixed frequencies (S4D-Lin)",
    domain="N = 1, 8, 32, 128, 512, balls",
    routes=("Hurwitz zeta functions", "the norm less the coefficients, summed by the package"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"factor": Fraction(3, 2) * (1 + STEP)}, {"ninth": Fraction(1, 9) * (1 + STEP)}, {"next": 0}],
    tags=("selectivity", "fourier"),
    related=("s6.fourier.rate.law",),
    figure="separation-rates",
)
class FourierError:
    """1 - cos(2 pi n/3) is 3/2 or 0."""

    def cases(effort: str) -> Iterator[Case]:
        for count in (1, 8, 32, 128, 512):
            yield {"N": count}

    def claimed(
        case: Case, *, factor: Fraction = Fraction(3, 2), ninth: Fraction = Fraction(1, 9), next: int = 1
    ) -> Any:
        with balls(192).work() as ring:
            N, two = case["N"], acb(2)
            tail = two.zeta(acb(N + next)) - ring.number(ninth) * two.zeta(acb(N // 3 + 1))
            return (ring.number(factor) * tail).real / arb.pi() ** 2

    def computed(case: Case) -> Any:
        with balls(192).work() as ring:
            return fourier_error_squared(Fraction(1, 3), case["N"], ring)


@claim(
    "s6.fourier.rate.law",
    title="Fourier sums of a step converge like the root of N",
    statement=r"The squared error of the Fourier sum over $|n| \le N$ of $1_{[\tau,1]}$ lies within $\frac{1}{\pi^2 (N+1)^2} "
    r"\left(\frac{1}{\sin\pi\tau} + \frac{1}{4(N + 1/2)}\right)$ of $\frac{1}{\pi^2 (N + 1/2)}$.",
    source=OURS,
    domain="tau = 1/3, 1/2, 1/10, N = 1, 8, 64, 512, 2048, balls; at the last N the main term is seen to a part of 300",
    routes=("the bracket", "the norm less the coefficients, summed by the package"),
    relation=WITHIN,
    expected="CERTIFIED",
    corruptions=[{"main": Fraction(301, 300)}, {"main": Fraction(299, 300)}, {"waves": 0}],
    tags=("selectivity", "fourier"),
    related=("s6.fourier.rate", "s6.haar.rate"),
    figure="separation-rates",
)
class FourierLaw:
    """Summation by parts bounds the oscillating part."""

    def cases(effort: str) -> Iterator[Case]:
        for tau in (Fraction(1, 3), Fraction(1, 2), Fraction(1, 10)):
            for count in (1, 8, 64, 512, 2048):
                yield {"tau": tau, "N": count}

    def claimed(case: Case, *, main: Fraction = Fraction(1), waves: int = 1) -> Any:
        with balls(128).work() as ring:
            N, square = case["N"], arb.pi() ** 2
            middle = ring.number(main / Fraction(2 * N + 1, 2)) / square
            radius = (waves / ring.number(case["tau"]).sin_pi() + arb(1) / (4 * N + 2)) / ((N + 1) ** 2 * square)
            return middle + arb(0, radius.upper())

    def computed(case: Case) -> Any:
        with balls(128).work() as ring:
            return fourier_error_squared(case["tau"], case["N"], ring)


@claim(
    "s6.s4d.rate.values",
    title="The Hankel singular values of a window",
    statement=r"$(\Gamma f)(t) = \int_0^{1-t} f(s)\,ds$, the Hankel operator of the kernel $1_{[0,1]}$, maps "
    r"$\cos(\omega_k t)$, "
    r"$\omega_k = \left(k - \frac12\right)\pi$, to $\frac{(-1)^{k-1}}{\omega_k}\cos(\omega_k t)$, $k = 1, 2, \dots$; "
    r"the squares "
    r"$\frac{4}{(2k-1)^2\pi^2}$ sum to $\int_0^1 t\,dt = \frac12$, so that these are all its singular values.",
    source=OURS,
    domain="every k and t, symbolically",
    routes=("the eigenvalues", "the integral; the weighted norm of the kernel"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"sign": 0}, {"factor": 1}, {"odd": 0}],
    tags=("selectivity", "hankel", "symbolic"),
    related=("s6.s4d.rate", "s6.s4d.rate.ones"),
)
class WindowValues:
    """k = 2j - 1 and k = 2j apart, so that signs are plain."""

    def cases(effort: str) -> Iterator[Case]:
        for parity in (1, 2):
            yield {"k": f"2j - {2 - parity}", "parity": parity}

    def claimed(case: Case, *, sign: int = 1, factor: int = 2, odd: int = 1) -> list[Any]:
        import sympy

        j, t = sympy.Symbol("j", integer=True, positive=True), sympy.Symbol("t")
        k = 2 * j - 2 + case["parity"]
        w = sympy.expand((2 * k - 1) * sympy.pi / 2)
        value = (-1) ** ((case["parity"] - 1) * sign) * factor / sympy.expand((2 * k - odd) * sympy.pi)
        m = sympy.Symbol("m", integer=True, positive=True)
        total = sympy.summation(sympy.Integer(factor) ** 2 / ((2 * m - odd) ** 2 * sympy.pi**2), (m, 1, sympy.oo))
        return [sympy.simplify(sympy.expand_trig(value * sympy.cos(w * t))), sympy.simplify(total)]

    def computed(case: Case) -> list[Any]:
        import sympy

        j, t, s = sympy.Symbol("j", integer=True, positive=True), sympy.Symbol("t"), sympy.Symbol("s")
        w = sympy.expand((2 * (2 * j - 2 + case["parity"]) - 1) * sympy.pi / 2)
        antiderivative = sympy.sin(w * s) / w
        assert sympy.simplify(sympy.diff(antiderivative, s) - sympy.cos(w * s)) == 0
        # sin(w - w t), with sin w = +-1 and cos w = 0 for integer j
        image = (sympy.sin(w) * sympy.cos(w * t) - sympy.cos(w) * sympy.sin(w * t)) / w
        assert sympy.simplify(sympy.expand_trig(antiderivative.subs(s, 1 - t) - image)) == 0
        return [sympy.simplify(sympy.expand_trig(image)), sympy.integrate(t, (t, 0, 1))]


@claim(
    "s6.s4d.rate.ones",
    title="The Hankel singular values of a sequence of ones",
    statement=r"The Hankel matrix of $n$ ones ($H_{ij} = 1$ for $i + j < n$, else $0$) has the singular values "
    r"$\frac{1}{2 \sin\frac{(2k-1)\pi}"
    r"{4n+2}}$, $k = 1, \dots, n$: every constant system of $N$ states misses the sum of the last $n$ inputs by at least the "
    r"$(N+1)$-th in $\sum_l |K_l - 1_{l<n}|$.",
    source=OURS,
    domain="n = 1, 2, 5, 12, 24, all k, balls from exact integers",
    routes=("the closed form", "roots of the characteristic polynomial of the integer matrix H^2, certified by flint"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"factor": 2 * (1 + STEP)}, {"more": 1}, {"odd": 0}],
    tags=("selectivity", "hankel", "exact"),
    related=("s6.s4d.rate.values",),
)
class OnesValues:
    """Over n they tend to 2/((2k-1) pi)."""

    def cases(effort: str) -> Iterator[Case]:
        for n in (1, 2, 5, 12, 24):
            yield {"n": n}

    def claimed(case: Case, *, factor: Fraction = Fraction(2), more: int = 2, odd: int = 1) -> list[Any]:
        n = case["n"]
        with balls(256).work() as ring:
            angles = (ring.number(Fraction(2 * k - odd, 4 * n + more)) for k in range(1, n + 1))
            return [1 / (ring.number(factor) * angle.sin_pi()) for angle in angles]

    def computed(case: Case) -> list[Any]:
        n = case["n"]
        with balls(256).work():
            H = fmpz_mat([[int(i + j < n) for j in range(n)] for i in range(n)])
            squares: list[Any] = (H * H).charpoly().complex_roots()
            values = [square.real.sqrt() for square, count in squares for _ in range(count)]
            return sorted(values, key=lambda value: -float(value))


_POLES = (
    (),
    (Fraction(9, 5),),
    (Fraction(1), Fraction(7, 2)),
    ((Fraction(3, 2), Fraction(2)),),
    (Fraction(2), (Fraction(2), Fraction(4))),
    ((Fraction(3), Fraction(2)), (Fraction(2), Fraction(7))),
    tuple((Fraction(3), Fraction(5, 2) * k) for k in (1, 2, 3, 4)),
)


def _complex_poles(poles: tuple[Any, ...], ring: Any) -> list[Any]:
    """Minus the poles: real ones, and pairs x +- iy."""
    found = []
    for pole in poles:
        parts = (
            [acb(ring.number(pole[0]), sign * ring.number(pole[1])) for sign in (1, -1)]
            if isinstance(pole, tuple)
            else [acb(ring.number(pole))]
        )
        found += parts
    return found


@claim(
    "s6.s4d.rate",
    title="No constant system of N states comes closer to a window than the Hankel bounds",
    statement=r"For every kernel $K$ of $N$ real states, $\int_0^\infty t\,|K - 1_{[0,1]}|^2 dt \ge \frac12 - \sum_{k=1}^N "
    r"\frac{4}{(2k-1)^2\pi^2} \sim \frac{1}{\pi^2 N}$ and $\int_0^\infty |K - 1_{[0,1]}|\, dt \ge \frac{2}{(2N+1)\pi}$: the "
    r"Hankel operator of $K$ has rank $N$. (A complex diagonal system of $N$ modes with real output has $2N$ states.)",
    source=f"{OURS}; the paper's own rate for S4D was not at hand",
    domain="seven sets of poles, N = 0, 1, 2, 3, 4, 8, weights chosen best for the weighted norm; the other norm for N = 0 and "
    "K = e^(-5t/3), balls; bounds are not attained, the best of N = 1 is 1.52 times the first",
    routes=("both bounds", "1/2 - v* G^-1 v with the Gram matrix of the modes; the integral of two exponentials"),
    relation=AT_LEAST,
    expected="CERTIFIED",
    corruptions=[{"fewer": 1}, {"factor": 3}, {"first": Fraction(19, 10)}],
    tags=("selectivity", "hankel"),
    related=("s6.s4d.rate.values", "s6.haar.rate"),
    figure="separation-rates",
)
class WindowBounds:
    """Corruptions are as small as bounds that are not attained can show."""

    def cases(effort: str) -> Iterator[Case]:
        for index, poles in enumerate(_POLES):
            yield {"set": index, "N": sum(2 if isinstance(pole, tuple) else 1 for pole in poles), "norm": "weighted"}
        for N in (0, 1):
            yield {"set": N, "N": N, "norm": "integral"}

    def claimed(case: Case, *, fewer: int = 0, factor: int = 4, first: Fraction = Fraction(1)) -> Any:
        with balls(128).work() as ring:
            N = case["N"] - fewer
            if case["norm"] == "integral":
                return ring.number(first) * 2 / ((2 * N + 1) * arb.pi())
            return arb(1) / 2 - sum((arb(factor) / (2 * k - 1) ** 2 for k in range(1, N + 1)), arb(0)) / arb.pi() ** 2

    def computed(case: Case) -> Any:
        with balls(128).work() as ring:
            if case["norm"] == "integral":
                # 1 - e^(-pt) on [0, 1] and e^(-pt) beyond
                p = ring.number(Fraction(5, 3))
                return arb(1) if case["N"] == 0 else 1 - (1 - 2 * (-p).exp()) / p
            poles = _complex_poles(_POLES[case["set"]], ring)
            if not poles:
                return arb(1) / 2
            gram = acb_mat([[1 / (x + y.conjugate()) ** 2 for x in poles] for y in poles])
            moments = [(1 - (1 + x) * (-x).exp()) / x**2 for x in poles]
            weights = gram.solve(acb_mat([[moment.conjugate()] for moment in moments]))
            return arb(1) / 2 - sum((moments[i] * weights[i, 0] for i in range(len(poles))), acb(0)).real
