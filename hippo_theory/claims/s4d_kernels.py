"""S4D: its kernels as Vandermonde products, discretizations, conjugate pairs, transformations of its parameters."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import sympy
from flint import acb, arb, arb_mat

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import EQUAL, IDENTICAL
from hippo_theory.discretizations import discretize
from hippo_theory.families import LegS
from hippo_theory.kernels import diagonal_kernel

__all__: list[str] = []

_S4D = "S4D (arXiv:2206.11893)"
_MILLIONTH = Fraction(1, 10**6)
_PART = sympy.Rational(1, 10**6)
_TWELFTH = sympy.Rational(1, 12)
_HALF = sympy.Rational(1, 2)


@claim(
    "s4d.eq7",
    title="The kernel of a diagonal system is a Vandermonde product",
    statement=(
        r"$\bar K_l = C \bar A^l \bar B = \sum_n C_n \bar A_n^l \bar B_n$, that is $\bar K = (\bar B \circ C) V$ with"
        r" $V_{n l} = \bar A_n^l$, $l < L$, for a diagonal $\bar A$."
    ),
    source=_S4D + ", eq. (7), as in notes on the paper",
    domain="N = 1, ..., 4 states and L = 6 lags (full: 6 and 10), symbols for every entry of A, B and C",
    routes=("the row vector of products times the Vandermonde matrix", "the recurrence with the dense matrix diag(A)"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"shift": 1}, {"scale": 1 + _PART}, {"power": 2}],
    tags=("s4d", "kernel", "exact"),
)
class VandermondeProduct:
    """Polynomials in 3N symbols."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes."""
        for N in range(1, 5 if effort == "quick" else 7):
            yield {"N": N, "L": 6 if effort == "quick" else 10}

    @staticmethod
    def claimed(case: Case, *, shift: int = 0, scale: Any = 1, power: int = 1) -> list[Any]:
        """The product."""
        N, L = case["N"], case["L"]
        A, B, C = (sympy.symbols(f"{name}0:{N}") for name in "ABC")
        V = sympy.Matrix(N, L, lambda n, k: A[n] ** (power * k + shift))
        return list((scale * sympy.Matrix(1, N, lambda _, n: B[n] * C[n]) * V).expand())

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """x_l = A x_(l-1) from B."""
        N, L = case["N"], case["L"]
        A, B, C = (sympy.symbols(f"{name}0:{N}") for name in "ABC")
        state, output, values = sympy.Matrix(B), sympy.Matrix([C]), []
        for _ in range(L):
            values.append(sympy.expand((output * state)[0, 0]))
            state = sympy.diag(*A) * state
        return values


@claim(
    "s4d.eq6.zoh",
    title="Zero-order hold in closed form",
    statement=(
        r"For an invertible $A$: $\bar A = e^{\Delta A}$ and $\bar B = (\Delta A)^{-1} (e^{\Delta A} - I) \Delta B$ solve"
        r" $x' = A x + B u$ over one step $\Delta$ with constant $u$ exactly."
    ),
    source=_S4D + ", eq. (6), as in notes on the paper",
    domain="LegS with N = 1, 2, 4, 8 and steps 1/100, 1; balls of 200 bits",
    routes=("the formula, with an inverse", "B Delta sum of (A Delta)^j/(j+1)! with a bounded tail"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"inverse": 1}, {"one": 1 + _MILLIONTH}, {"scale": 1 + _MILLIONTH}, {"step": 1 + _MILLIONTH}],
    tags=("s4d", "discretization"),
    related=("s4d.eq6.bilinear",),
    figure="discretization-maps",
)
class ZeroOrderHold:
    """The power series of the integral of e^(A t) B."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes and steps."""
        for N in (1, 2, 4, 8):
            for step in (Fraction(1, 100), Fraction(1)):
                yield {"N": N, "step": step}

    @staticmethod
    def claimed(
        case: Case,
        *,
        inverse: int = -1,
        one: Fraction = Fraction(1),
        scale: Fraction = Fraction(1),
        step: Fraction = Fraction(1),
    ) -> list[Any]:
        """Abar and Bbar."""
        with balls(200).work() as ring:
            N, dt = case["N"], ring.number(case["step"]) * ring.number(step)
            legs = LegS(N)
            A = arb_mat((legs.state_matrix(ring) * dt).tolist())
            B = arb_mat([[b * dt] for b in legs.input_vector(ring)])
            Abar = A.exp()
            drive = (Abar - arb_mat(N, N, [ring.number(one) * (i % (N + 1) == 0) for i in range(N * N)])) * B
            Bbar = (A.inv() if inverse == -1 else A) * drive * ring.number(scale)
            return [*Abar.entries(), *Bbar.entries()]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """The sums of the series, each entry of the tail at most a^J/J! 2, a the largest row sum of abs(A Delta)."""
        with balls(200).work():
            N, dt = case["N"], arb(case["step"].numerator) / case["step"].denominator
            entries = [
                [-dt * (arb((2 * n + 1) * (2 * k + 1)).sqrt() if n > k else arb((n + 1) * (n == k))) for k in range(N)]
                for n in range(N)
            ]
            A = arb_mat(entries)
            size = max((sum((abs(entry) for entry in row), arb(0)) for row in entries), key=lambda total: float(total))
            term = arb_mat(N, N, [arb(i % (N + 1) == 0) for i in range(N * N)])
            total, integral, count = term, term, 400
            for j in range(1, count):
                term = term * A * (arb(1) / j)
                total, integral = total + term, integral + term * (arb(1) / (j + 1))
            rest = arb(0, (2 * size**count / arb.fac_ui(count)).upper())
            B = arb_mat([[arb(2 * n + 1).sqrt() * dt] for n in range(N)])
            widened = arb_mat([[entry + rest for entry in row] for row in integral.table()])
            return [*(entry + rest for entry in total.entries()), *(widened * B).entries()]


@claim(
    "s4d.eq6.bilinear",
    title="The bilinear method in closed form and its order",
    statement=(
        r"The trapezoidal rule $x_{1} - x_0 = \frac{\Delta}{2} A (x_1 + x_0) + \Delta B u$ gives $\bar A ="
        r" \frac{1 + x/2}{1 - x/2}$ and $\bar B = \frac{\Delta B}{1 - x/2}$ for a mode, $x = \Delta A$; and"
        r" $\bar A - e^{x} = \frac{x^3}{12} + O(x^4)$,"
        r" $\bar B - \Delta B \frac{e^x - 1}{x} = \Delta B (\frac{x^2}{12} + O(x^3))$."
    ),
    source=_S4D + ", eq. (6), as in notes on the paper; errors derived here",
    domain="every x, Delta, B, u, x_0 (symbols)",
    routes=(
        "the formulas, and the stated leading errors",
        "the rule solved by a computer algebra system, and its series",
    ),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"half": _HALF * (1 + _PART)}, {"sign": 1}, {"error": _TWELFTH * (1 + _PART)}, {"order": 2}],
    tags=("s4d", "discretization", "exact"),
    related=("s4d.eq6.zoh",),
    figure="discretization-maps",
)
class Bilinear:
    """One mode."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """All at once."""
        yield {"symbols": "x = Delta A, Delta B, u, x_0"}

    @staticmethod
    def claimed(case: Case, *, half: Any = _HALF, sign: int = -1, error: Any = _TWELFTH, order: int = 3) -> list[Any]:
        """As stated."""
        x, drive, u, start = sympy.symbols("x drive u start")
        below = 1 + sign * half * x
        after = sympy.cancel((1 + half * x) / below * start + drive / below * u)
        return [after, error * x**order, error * x ** (order - 1)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """Solved."""
        x, drive, u, start, end = sympy.symbols("x drive u start end")
        (solved,) = sympy.solve(sympy.Eq(end - start, x * (end + start) / 2 + drive * u), end)
        multiplier = solved.subs({start: 1, u: 0})
        gain = solved.subs({start: 0, u: 1, drive: 1})
        free = sympy.series(multiplier - sympy.exp(x), x, 0, 4).removeO()
        forced = sympy.series(gain - (sympy.exp(x) - 1) / x, x, 0, 3).removeO()
        return [sympy.cancel(solved), sympy.expand(free), sympy.expand(forced)]


def _odd_size(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """N = 3: one pair stored, the real mode forgotten."""
    with balls(128).work() as ring:
        kernel = diagonal_kernel(LegS(3), 0, ring)
        pairs = 2 * sum(kernel.coefficients, acb(0)).real
        whole = kernel(0)
        row = {
            "case": "N = 3, component 0, t = 0",
            "numbers": f"pairs alone {pairs.str(10)}, the kernel {whole.str(10)}",
        }
        return [row], not pairs.overlaps(whole)


@claim(
    "s4d.conj",
    title="Half of the modes and twice the real part give the full kernel, for even N",
    statement=(
        r"For even $N$ and a real $C$: the kernel of the real system $(A^{(N)}, \frac12 B, C)$ of size $N$, $A^{(N)} = A +"
        r" \frac12 B B^T$ of LegS, held over each step, is $2 \Re \sum_{m < N/2} c_m \frac{e^{\lambda_m \Delta} - 1}{\lambda_m}"
        r" e^{\lambda_m l \Delta}$ over the eigenvalues with positive imaginary part. For odd $N$ the real eigenvalue"
        r" $-\frac12$ counts once, in addition."
    ),
    source=_S4D + ", conjugate symmetry, as in the authors' code; the kernel in two lines, as in notes on the paper",
    domain="N = 2, 4, 6, 8 (full: 16), first and last component, step 1/20, lags 0, ..., 7, balls of 240 bits",
    routes=(
        "closed-form eigenpairs of the normal part, one of each pair",
        "dense real matrix exponential and recurrence",
    ),
    relation=EQUAL,
    expected="REFINED",
    corruptions=[{"factor": 1}, {"scale": 1 + _MILLIONTH}, {"decay": 1 + _MILLIONTH}, {"frequency": 1 + _MILLIONTH}],
    counterexample=Counterexample(r"The same holds for every $N$ with $\lfloor N/2 \rfloor$ stored modes.", _odd_size),
    tags=("s4d", "kernel", "legs"),
    related=("s4d.listing1",),
)
class ConjugatePairs:
    """Poles against a dense real system."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes and components."""
        for N in (2, 4, 6, 8) if effort == "quick" else (2, 4, 6, 8, 16):
            for component in (0, N - 1):
                yield {"N": N, "component": component}

    @staticmethod
    def claimed(
        case: Case,
        *,
        factor: int = 2,
        scale: Fraction = Fraction(1),
        decay: Fraction = Fraction(1),
        frequency: Fraction = Fraction(1),
    ) -> list[Any]:
        """Over the stored modes."""
        with balls(240).work() as ring:
            kernel = diagonal_kernel(LegS(case["N"]), case["component"], ring)
            dt, values = arb(1) / 20, []
            for k in range(8):
                total = arb(0)
                for c, rate in zip(kernel.coefficients, kernel.rates, strict=True):
                    value = acb(rate.real * ring.number(decay), rate.imag * ring.number(frequency))
                    total += (c * (value * dt).expm1() / value * (value * k * dt).exp()).real
                values.append(factor * ring.number(scale) * total)
            return values

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """The real system (A + B B^T/2, B/2)."""
        with balls(240).work():
            N, dt = case["N"], arb(1) / 20
            rows = [
                [((n < k) - (n > k)) * arb((2 * n + 1) * (2 * k + 1)).sqrt() / 2 * dt for k in range(N)]
                for n in range(N)
            ]
            for n in range(N):
                rows[n][n] = -dt / 2
            block = [[*row, arb(2 * n + 1).sqrt() / 2 * dt] for n, row in enumerate(rows)]
            exponential = arb_mat([*block, [arb(0)] * (N + 1)]).exp().table()
            Abar = arb_mat([row[:N] for row in exponential[:N]])
            state, values = arb_mat([[row[N]] for row in exponential[:N]]), []
            for _ in range(8):
                values.append(state[case["component"], 0])
                state = Abar * state
            return values


@claim(
    "s4d.listing1",
    title="The listing of S4D-Lin: N/2 modes, bilinear, twice the real part",
    statement=(
        r"With $\lambda_n = -\frac12 + i \pi n$, $n < N/2$, and any complex $C_n$: $2 \Re \sum_n C_n \frac{\Delta}{1 - x_n/2}"
        r" \left( \frac{1 + x_n/2}{1 - x_n/2} \right)^l$, $x_n = \lambda_n \Delta$, is the bilinear kernel of the real system"
        r" of size $N$ with blocks of rows $(-\frac12, -\pi n)$ and"
        r" $(\pi n, -\frac12)$, input $(1, 0)$ and"
        r" output $(2 \Re C_n, -2 \Im C_n)$ in each."
    ),
    source=_S4D + ", listing 1, as in notes on the paper",
    domain="N = 2, 4, 8, steps 1/10 and 1, C_n = 1 - n + i(n^2 - 2), lags 0, ..., 7, balls of 200 bits",
    routes=("the formula over the stored modes", "a dense real linear solve at each step"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[
        {"real": Fraction(-1, 2) - _MILLIONTH},
        {"frequency": 1 + _MILLIONTH},
        {"factor": 1},
        {"half": Fraction(1, 2) + _MILLIONTH},
        {"start": 1},
    ],
    tags=("s4d", "kernel"),
    related=("s4d.conj", "s4d.lin"),
)
class Listing:
    """Complex modes against real blocks."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes and steps."""
        for N in (2, 4, 8):
            for step in (Fraction(1, 10), Fraction(1)):
                yield {"N": N, "step": step}

    @staticmethod
    def claimed(
        case: Case,
        *,
        real: Fraction = Fraction(-1, 2),
        frequency: Fraction = Fraction(1),
        factor: int = 2,
        half: Fraction = Fraction(1, 2),
        start: int = 0,
    ) -> list[Any]:
        """Vandermonde sums."""
        with balls(200).work() as ring:
            dt, values = ring.number(case["step"]), []
            for k in range(8):
                total = acb(0)
                for n in range(case["N"] // 2):
                    x = acb(ring.number(real), arb.pi() * ring.number(frequency) * (n + start)) * dt
                    part = ring.number(half) * x
                    total += acb(1 - n, n * n - 2) * dt / (1 - part) * ((1 + part) / (1 - part)) ** k
                values.append(factor * total.real)
            return values

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """(I - A dt/2) x_l = (I + A dt/2) x_(l-1)."""
        with balls(200).work():
            N, dt = case["N"], arb(case["step"].numerator) / case["step"].denominator
            A = [[arb(0)] * N for _ in range(N)]
            for n in range(N // 2):
                A[2 * n][2 * n] = A[2 * n + 1][2 * n + 1] = -arb(1) / 2
                A[2 * n][2 * n + 1], A[2 * n + 1][2 * n] = -arb.pi() * n, arb.pi() * n
            implicit = arb_mat([[(n == k) - A[n][k] * dt / 2 for k in range(N)] for n in range(N)])
            explicit = arb_mat([[(n == k) + A[n][k] * dt / 2 for k in range(N)] for n in range(N)])
            state = implicit.solve(arb_mat([[dt * (n % 2 == 0)] for n in range(N)]))
            output = arb_mat([[(2 - n) if n % 2 == 0 else -2 * ((n // 2) ** 2 - 2) for n in range(N)]])
            values = []
            for _ in range(8):
                values.append((output * state)[0, 0])
                state = implicit.solve(explicit * state)
            return values


@claim(
    "s4d.param",
    title="Transformations of the real part and their inverses",
    statement=(
        r"For $a > 0$, $-\Re \lambda = T(p) = a$ has the solution $p = \ln a$ for $T = e^p$, $p = \ln(e^a - 1)$ for the"
        r" softplus $\ln(1 + e^p)$, $p = \ln \frac{a}{1 - a}$ for the sigmoid (only $a < 1$), $p = a - 10^{-4}$ for relu plus"
        r" $10^{-4}$ (only $a \ge 10^{-4}$)."
    ),
    source=_S4D + ", as in the authors' code",
    domain="every admissible a (symbol)",
    routes=("the stated inverse, put into the transformation", "the number that is to come out: a"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"one": 1 + _PART}, {"offset": sympy.Rational(1, 10**4) * (1 + _PART)}, {"sign": -1}],
    tags=("s4d", "parameters", "exact"),
)
class Transformations:
    """Substitution."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Transformations."""
        for name in ("exp", "softplus", "sigmoid", "relu"):
            yield {"transformation": name}

    @staticmethod
    def claimed(case: Case, *, one: Any = 1, offset: Any = None, sign: int = 1) -> Any:
        """T(p(a)), simplified."""
        a = sympy.Symbol("a", positive=True)
        shift = sympy.Rational(1, 10**4)
        parameter, transformed = {
            "exp": (sign * sympy.log(a) * one, sympy.exp),
            "softplus": (sympy.log(sympy.exp(sign * a) - one), lambda p: sympy.log(1 + sympy.exp(p))),
            "sigmoid": (sympy.log(a / (one - sign * a)), lambda p: 1 / (1 + sympy.exp(-p))),
            # On a = shift + p with p >= 0 relu is the identity.
            "relu": (sign * a - (shift if offset is None else offset), lambda p: p + shift),
        }[case["transformation"]]
        return sympy.simplify(transformed(parameter))

    @staticmethod
    def computed(case: Case) -> Any:
        """The decay rate."""
        return sympy.Symbol("a", positive=True)


@claim(
    "s4d.C",
    title="The variance of the kernel at the start depends on what a standard complex normal C is",
    statement=(
        r"With independent real and imaginary parts of $C_n$ of mean 0 and variance $v$ each, $K = 2 \Re \sum_n C_n z_n$ has"
        r" the variance $4 v \sum_n |z_n|^2$: $4 \sum |z_n|^2$ for two standard normals ($v = 1$), $2 \sum |z_n|^2$ for a"
        r" complex normal of unit variance ($v = \frac12$). The standard deviations differ by $\sqrt2$."
    ),
    source=_S4D + ", listing 1 as in notes on the paper, against the authors' code",
    domain="three modes, and one more to any number of them (by induction all), every z_n and v (symbols)",
    routes=("the formula", "expectation of the expanded square, moment by moment"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"factor": 4 * (1 + _PART)}, {"power": 1}, {"ratio": 2}],
    tags=("s4d", "parameters", "exact"),
)
class OutputVariance:
    """Moments: E of a product of distinct parts is 0, of a square v."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """All at once; then a sum of any modes, of mean 0 and variance s, and one mode more."""
        yield {"modes": 3}
        yield {"modes": "one more"}

    @staticmethod
    def claimed(case: Case, *, factor: Any = 4, power: int = 2, ratio: Any = None) -> list[Any]:
        """The variance, and the ratio of the deviations of both conventions."""
        v = sympy.Symbol("v", positive=True)
        if case["modes"] == "one more":
            x, y, s = sympy.symbols("x y s", real=True)
            return [sympy.expand(s + factor * v * (x**power + y**power))]
        x, y = sympy.symbols("x0:3", real=True), sympy.symbols("y0:3", real=True)
        sizes = sum((x[n] ** power + y[n] ** power for n in range(3)), sympy.Integer(0))
        return [sympy.expand(factor * v * sizes), sympy.sqrt(2) if ratio is None else ratio]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """E (2 sum a x - b y)^2."""
        v = sympy.Symbol("v", positive=True)
        if case["modes"] == "one more":
            x, y, s, a, b, S = sympy.symbols("x y s a b S", real=True)
            total = S + 2 * sympy.re((a + sympy.I * b) * (x + sympy.I * y))
            terms = sympy.Poly(sympy.expand(sympy.expand(total) ** 2), a, b, S).terms()
            moments = {(2, 0, 0): v, (0, 2, 0): v, (0, 0, 2): s}
            return [sympy.expand(sum((c * moments.get(powers, 0) for powers, c in terms), sympy.Integer(0)))]
        x, y = sympy.symbols("x0:3", real=True), sympy.symbols("y0:3", real=True)
        a, b = sympy.symbols("a0:3", real=True), sympy.symbols("b0:3", real=True)
        parts = (*a, *b)
        kernel = sum(
            (2 * sympy.re((a[n] + sympy.I * b[n]) * (x[n] + sympy.I * y[n])) for n in range(3)), sympy.Integer(0)
        )
        square = sympy.Poly(sympy.expand(sympy.expand(kernel) ** 2), *parts)
        # Of the monomials of degree 2 only the squares have an expectation: v.
        variance = sympy.expand(sum((c * v for powers, c in square.terms() if max(powers) == 2), sympy.Integer(0)))
        return [variance, sympy.sqrt(variance.subs(v, 1) / variance.subs(v, _HALF)).simplify()]


@claim(
    "s4d.fig1.2lines",
    title="The gain of LegS for a constant input survives restriction and hold",
    statement=(
        r"Held over steps $\Delta$, the kernel of S4D-LegS divided by $\Delta$ is $2 \Re \sum_m c_m"
        r" \frac{e^{\lambda_m \Delta} - 1}{\lambda_m \Delta} e^{\lambda_m l \Delta}$, and its sum over all lags times $\Delta$"
        r" is the transfer function at 0, which is $-C A^{-1} B$ of LegS: 1 for component 0, 0 for all others."
    ),
    source=_S4D + ", kernel in two lines, as in notes on the paper; the sum derived here",
    domain="N = 4, 16, 64, components 0, 1, 2, steps 1/100 and 1/10, balls of 200 bits",
    routes=("the stated sums 1, 0, 0", "geometric series over the modes of the discretized kernel"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"gain": 1 + _MILLIONTH}, {"component": 1}],
    tags=("s4d", "legs", "kernel"),
    related=("s4d.thm3",),
    figure="legs-full-against-diagonal",
)
class KernelSum:
    """The gain for a constant input survives restriction and hold."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes, components and steps."""
        for N in (4, 16, 64):
            for component in range(3):
                for step in (Fraction(1, 100), Fraction(1, 10)):
                    yield {"N": N, "component": component, "step": step}

    @staticmethod
    def claimed(case: Case, *, gain: Fraction = Fraction(1), component: int = 0) -> Any:
        """e_0."""
        with balls(200).work() as ring:
            return ring.number(gain * (case["component"] == component))

    @staticmethod
    def computed(case: Case) -> Any:
        """Delta sum_l k_l = 2 Re sum c/(1 - z) Delta."""
        with balls(200).work() as ring:
            kernel = discretize(diagonal_kernel(LegS(case["N"]), case["component"], ring), "zoh", case["step"])
            terms = [c / (1 - z) for c, z in zip(kernel.coefficients, kernel.rates, strict=True)]
            return ring.number(case["step"]) * 2 * sum(terms, acb(0)).real


@claim(
    "s4d.nplr",
    title="LegS is normal minus a rank-one matrix",
    statement=(
        r"With $P_n = \sqrt{n + \frac12}$: $A = A^{(N)} - P P^T$ where $A^{(N)} + (A^{(N)})^T = -I$. So $A^{(N)} = -\frac12 I$"
        r" plus a skew matrix, hence normal, for every $N$."
    ),
    source=_S4D + ", as in notes on the paper",
    domain="all entries n, k of LegS for every N (symbols): below, on and above the diagonal; S S^T and S^T S with S^T = -I - S",
    routes=(
        "sign and square of P_n P_k; S S^T",
        "sign and square of -(A_nk + A_kn + 1 on the diagonal)/2, from the entries of A; S^T S",
    ),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"half": _HALF * (1 + _PART)}, {"sign": -1}, {"shift": 1 + _PART}],
    tags=("s4d", "legs", "exact"),
    related=("s5.hippoN",),
    figure="rank-one-perturbations",
)
class NormalPlusRankOne:
    """Roots by sign and square, so that all is polynomial in n and k."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Where in the matrix."""
        for place in ("below", "diagonal", "above", "product"):
            yield {"place": place}

    @staticmethod
    def claimed(case: Case, *, half: Any = _HALF, sign: int = 1, shift: Any = 1) -> list[Any]:
        """P_n P_k = sqrt((n + 1/2)(k + 1/2)); and S S^T for S^T = -I - S, S any matrix."""
        if case["place"] == "product":
            S = sympy.Symbol("S", commutative=False)
            return [sympy.expand(S * (-1 - S))]
        n, k = sympy.symbols("n k", integer=True, nonnegative=True)
        if case["place"] == "diagonal":
            k = n
        return [sympy.Integer(sign), sympy.expand((shift * n + half) * (shift * k + half))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """A_nk = -sqrt((2n+1)(2k+1)) below, -(n+1) on the diagonal, 0 above; and S^T S."""
        if case["place"] == "product":
            S = sympy.Symbol("S", commutative=False)
            return [sympy.expand((-1 - S) * S)]
        n, k = sympy.symbols("n k", integer=True, nonnegative=True)
        if case["place"] == "diagonal":
            needed = -(2 * -(n + 1) + 1) / sympy.Integer(2)  # n + 1/2 >= 1/2
            return [sympy.Integer(1 if needed.subs(n, 0) > 0 else -1), sympy.expand(needed**2)]
        # Off the diagonal one of A_nk and A_kn vanishes; the other is minus a root.
        return [sympy.Integer(1), sympy.expand((2 * n + 1) * (2 * k + 1) / sympy.Integer(4))]
