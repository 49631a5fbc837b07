"""HTTYH: LegS as an orthogonal state space system: basis, best approximation, closure under shift and scale, warping."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb_mat, fmpq

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import EQUAL, IDENTICAL
from hippo_theory.families import LegS
from hippo_theory.norms import exact_gramian, legs_rational_system

__all__: list[str] = []

PAPER = "HTTYH (arXiv:2206.12037)"
STEP = Fraction(1, 10**6)


@claim(
    "httyh.legs.basis",
    title="The basis kernels of S4-LegS are exponentially warped Legendre polynomials",
    statement=r"LegS: $e_n^T e^{tA} B = R_n e^{-t} P_n(2e^{-t}-1)$ for $t \ge 0$, $R_n = \sqrt{2n+1}$.",
    source=f"{PAPER}, section on LegS; form as in the authors' notebook",
    domain="N = 1, 4, 12 (full: 40), all n < N, t = 1/100, 1, 7, balls",
    routes=("the closed form with Legendre polynomials", "the matrix exponential of the family's A, enclosed"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[
        {"slope": 2 + 2 * STEP},
        {"shift": -1 - STEP},
        {"weight_rate": 1 + STEP},
        {"basis_rate": 1 + STEP},
        {"root": 0},
    ],
    tags=("legs", "kernels"),
    related=("httyh.legs.basis.all", "httyh.ossm"),
    figure="basis-kernels",
)
class LegsBasis:
    """Closed form against the exponential of a matrix."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 4, 12) if effort == "quick" else (1, 4, 12, 40):
            for time in (Fraction(1, 100), Fraction(1), Fraction(7)):
                yield {"N": N, "t": time}

    def claimed(
        case: Case,
        *,
        slope: Fraction = Fraction(2),
        shift: Fraction = Fraction(-1),
        weight_rate: Fraction = Fraction(1),
        basis_rate: Fraction = Fraction(1),
        root: int = 1,
    ) -> list[Any]:
        with balls(512).work() as ring:
            x = ring.exp(ring.number(-basis_rate * case["t"]))
            weight = ring.exp(ring.number(-weight_rate * case["t"]))
            argument = ring.number(slope) * x + ring.number(shift)
            return [ring.sqrt(ring.number(2 * n + root)) * weight * argument.legendre_p(n) for n in range(case["N"])]

    def computed(case: Case) -> list[Any]:
        with balls(512).work() as ring:
            family = LegS(case["N"])
            exponential = (arb_mat(family.state_matrix(ring).tolist()) * ring.number(case["t"])).exp()
            column = exponential * arb_mat([[b] for b in family.input_vector(ring)])
            return [column[n, 0] for n in range(case["N"])]


@claim(
    "httyh.legs.basis.all",
    title="The same for every n and every t, by induction over n",
    statement=r"In the coordinates $y_n = x_n/R_n$ row n of LegS minus row n-1 says $y_n' - y_{n-1}' = -(n+1) "
    r"y_n - (n-1) y_{n-1}$ with $y_0' = -y_0$ and $y_n(0) = 1$; $y_n = z P_n(2z-1)$, $z = e^{-t}$, solves it "
    r"for every $n$: coefficient by coefficient of $z^{j+1}$, with $n$ and $j$ symbols.",
    source=f"{PAPER}, section on LegS; the induction is derived here",
    domain="every n >= 1 and 0 <= j <= n, symbolic; the start n = 0; the value at t = 0 by the recurrence of P_n",
    routes=(
        "rows of the matrix, ratio of binomials",
        "derivative of z^(j+1), ratio of the factorials of Rodrigues' formula",
    ),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"odd": 2}, {"twice": 3}, {"diagonal": 2}, {"start": 2}],
    tags=("legs", "kernels", "symbolic"),
    related=("httyh.legs.basis",),
    figure="measures-and-bases",
)
class LegsBasisForAll:
    """Symbolic in n and j: no size is left out."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"n": "symbol", "j": "symbol"}

    def claimed(case: Case, *, odd: int = 1, twice: int = 2, diagonal: int = 1, start: int = 1) -> list[Any]:
        import sympy

        n, j = sympy.symbols("n j", integer=True, positive=True)
        # A_nk = -(2k+1) below the diagonal and -(n+1) on it: what is left of row n minus row n-1, and the forcing 1 - 1.
        own = -(n + diagonal)
        previous = -(twice * (n - 1) + odd) + (n - 1 + diagonal)
        ratio = sympy.combsimp(
            -sympy.binomial(n - 1, j) * sympy.binomial(n - 1 + j, j) / sympy.binomial(n, j) / sympy.binomial(n + j, j)
        )
        # With P_n(1) = P_(n-1)(1) = start the recurrence gives the next value; and P_0 = 1.
        following = ((2 * n + 1) * start - n * start) / (n + 1)
        return [sympy.factor(sympy.simplify(own + previous * ratio)), -diagonal, sympy.simplify(following)]

    def computed(case: Case) -> list[Any]:
        import sympy

        n, j = sympy.symbols("n j", integer=True, positive=True)
        # (2z-1) Legendre coefficients (-1)^(n-j) (n+j)! / ((j!)^2 (n-j)!), of n-1 over those of n; d/dt z^(j+1) = -(j+1) z^(j+1).
        up, down = (
            sympy.factorial(n - 1 + j) / sympy.factorial(n + j),
            sympy.factorial(n - j) / sympy.factorial(n - 1 - j),
        )
        ratio = -sympy.gammasimp((up * down).rewrite(sympy.gamma))
        return [sympy.factor(sympy.simplify(-(j + 1) * (1 - ratio))), -1, sympy.Integer(1)]


@claim(
    "httyh.legs.visual",
    title="The basis that the authors' plotting code evaluates is the same",
    statement=r"$R_n (-1)^n P_n(1-2e^{-t}) = R_n P_n(2e^{-t}-1)$ for every $n$ and $t$: $P_n(-z) = (-1)^n "
    r"P_n(z)$, by induction with the recurrence $(n+1)P_{n+1} = (2n+1) z P_n - n P_{n-1}$.",
    source="state-spaces/s4, visualization code of the basis functions",
    domain="every n, symbolic: the step n, n-1 -> n+1, the starts n = 0, 1, and the argument",
    routes=("the claimed parity of P_(n+1)", "the recurrence at -z, fed with the parity of P_n and P_(n-1)"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"sign": 1}, {"slope": 3}, {"shift": -2}],
    tags=("legs", "symbolic"),
    figure="measures-and-bases",
)
class LegsVisual:
    """Parity of Legendre polynomials."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"n": "symbol"}

    def claimed(case: Case, *, sign: int = -1, slope: int = 2, shift: int = -1) -> list[Any]:
        import sympy

        n, z, p, q, x = sympy.symbols("n z p q x")
        step = sign * ((2 * n + 1) * z * p - n * q) / (n + 1)  # divided by (-1)^n
        return [sympy.expand(sympy.simplify(step)), sign * z, sympy.expand(slope * x + shift)]

    def computed(case: Case) -> list[Any]:
        import sympy

        n, z, p, q, x = sympy.symbols("n z p q x")
        step = ((2 * n + 1) * (-z) * p - n * (-q)) / (n + 1)
        return [sympy.expand(sympy.simplify(step)), -z, sympy.expand(-(1 - 2 * x))]


@claim(
    "httyh.ossm",
    title="S4-LegS is an orthogonal state space system: its Gram matrix is the identity",
    statement=r"$K_n = p_n \omega$ with $\omega(t) = e^{-t}$ and $\int_0^\infty p_n p_m \omega\, dt = "
    r"\int_0^\infty K_n K_m e^{t}\, dt = \delta_{nm}$, exactly.",
    source=f"{PAPER}, definition of (time-invariant) orthogonal SSMs and the theorem on LegS, as usually quoted",
    domain="all n, m < N, N = 1, ..., 10 (full: 20), exact rationals (Gram / (R_n R_m))",
    routes=("term by term integration of the closed forms", "exact solution of the Lyapunov equation of (A + I/2, B)"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"tilt": 1 + STEP}, {"sign": 1}],
    tags=("legs", "orthogonality", "exact"),
    related=("httyh.legs.basis",),
    figure="measures-and-bases",
)
class LegsGram:
    """Exact rationals on both sides."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 2, 5, 10) if effort == "quick" else range(1, 21):
            yield {"N": N}

    def claimed(case: Case, *, tilt: Fraction = Fraction(1), sign: int = -1) -> list[Any]:
        N = case["N"]
        rows = [
            [Fraction(sign) ** (n + j) * math.comb(n, j) * math.comb(n + j, j) for j in range(n + 1)] for n in range(N)
        ]
        moments = [1 / (q + 2 - tilt) for q in range(2 * N - 1)]
        return [
            sum(a * b * moments[j + k] for j, a in enumerate(rows[n]) for k, b in enumerate(rows[m]))
            for n in range(N)
            for m in range(N)
        ]

    def computed(case: Case) -> list[Any]:
        A, B = legs_rational_system(case["N"])
        shifted = A + np.array([[fmpq(n == k, 2) for k in range(case["N"])] for n in range(case["N"])], dtype=object)
        return [Fraction(int(entry.p), int(entry.q)) for entry in exact_gramian(shifted, B).ravel()]


@claim(
    "httyh.prop1",
    title="The state is the best approximation of the past in L2(omega)",
    statement=r"LegS, past $u(t-s) = e^{-ks}$ ($x^k$ in $x = e^{-s}$): the distance of $u$ to the span of $p_0, "
    r"\dots, p_{N-1}$ in $L_2(\omega)$ has the square $\frac{1}{2k+1} \prod_{j<N} "
    r"\left(\frac{k-j}{k+j+1}\right)^2$, and $\|u\|_\omega^2 - \sum_{n<N} x_n^2$ is exactly that, $x$ the "
    r"state.",
    source=f"{PAPER}, proposition that an OSSM performs online function reconstruction, as usually quoted",
    domain="k = 1/2, 1, 7/3, 10; N = 1, ..., 8 (full: 24), exact rationals",
    routes=(
        "distance of a monomial to a space of polynomials (Muentz, Gram determinants)",
        "the state of the system, by substitution",
    ),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"offset": 1 + STEP}, {"power": 1}, {"mass": 1 + STEP}],
    tags=("legs", "reconstruction", "exact"),
    figure="reconstruction",
)
class BestApproximation:
    """x solves (k - A) x = B: the response to e^(kt), at t = 0."""

    def cases(effort: str) -> Iterator[Case]:
        for k in (Fraction(1, 2), Fraction(1), Fraction(7, 3), Fraction(10)):
            for N in range(1, 9) if effort == "quick" else range(1, 25):
                yield {"k": k, "N": N}

    def claimed(
        case: Case, *, offset: Fraction = Fraction(1), power: int = 2, mass: Fraction = Fraction(1)
    ) -> list[Any]:
        k, product = case["k"], Fraction(1)
        for j in range(case["N"]):
            product *= ((k - j) / (k + j + offset)) ** power
        return [product / (2 * k + mass)]

    def computed(case: Case) -> list[Any]:
        A, B = legs_rational_system(case["N"])
        k = fmpq(case["k"].numerator, case["k"].denominator)
        y: list[Any] = []
        for n in range(case["N"]):
            y.append((B[n] + sum((A[n, j] * y[j] for j in range(n)), fmpq(0))) / (k - A[n, n]))
        left = 1 / (2 * k + 1) - sum(((2 * n + 1) * y[n] ** 2 for n in range(case["N"])), fmpq(0))
        return [Fraction(int(left.p), int(left.q))]


def _wrong_tilt(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """With e^(ct) instead of e^(2ct) the shifted constant p_0 = e^(-ct) has the squared norm 1/(1+c)."""
    rows, shown = [], True
    for c in (Fraction(1, 4), Fraction(-1, 5), Fraction(1, 1000)):
        square = 1 / (1 + 2 * c - c)  # integral of e^(-2ct) e^(ct) e^(-t)
        rows.append({"case": f"c = {c}, n = 0", "numbers": f"squared norm {square}, not 1", "margin": None})
        shown = shown and square != 1
    return rows, shown


@claim(
    "httyh.closure.shift",
    title="Shifting A by cI tilts the measure by e^(2ct)",
    statement=r"If $(A,B)$ is a TOSSM with $(p_n,\omega)$, then $(A+cI,B)$ is one with basis $e^{-ct}p_n$ and "
    r"measure $e^{2ct}\omega$ (where that is integrable). The factor is $e^{2ct}$, not $e^{ct}$.",
    source=f"{PAPER}, closure properties, as usually quoted; the authors' class HiPPO(c=...) multiplies its "
    f"measure by e^(ct)",
    domain="LegS, N = 1, 4, 8, c = 1/4 and -1/5: kernels at t = 1/3 and 2 and the Gram matrix, balls",
    routes=("closed forms of basis and measure", "matrix exponential of A + cI; the identity matrix"),
    relation=EQUAL,
    expected="REFINED",
    counterexample=Counterexample(
        r"The measure of $(A+cI,B)$ is $e^{ct}\omega$, with basis $e^{-ct}p_n$ (as the code's measure reads).",
        _wrong_tilt,
    ),
    corruptions=[{"tilt": 2 + 2 * STEP}, {"basis": -1 - STEP}, {"tilt": Fraction(1)}],
    tags=("legs", "closure"),
    figure="measures-and-bases",
)
class ClosureShift:
    """Kernels fix the product p omega, the Gram matrix fixes how it divides."""

    TIMES = (Fraction(1, 3), Fraction(2))

    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 4, 8):
            for c in (Fraction(1, 4), Fraction(-1, 5)):
                yield {"N": N, "c": c}

    def claimed(case: Case, *, tilt: Fraction = Fraction(2), basis: Fraction = Fraction(-1)) -> list[Any]:
        N, c = case["N"], case["c"]
        with balls(256).work() as ring:
            roots = [ring.sqrt(ring.number(2 * n + 1)) for n in range(N)]
            values = []
            for time in ClosureShift.TIMES:
                measure = ring.exp(ring.number((tilt * c - 1) * time))
                x = ring.exp(ring.number(-time))
                factor = ring.exp(ring.number(basis * c * time)) * measure
                values += [roots[n] * (2 * x - 1).legendre_p(n) * factor for n in range(N)]
            # Integral of p_n p_m omega: powers of x = e^-t, each 1/(exponent) after dx = -x dt.
            rows = [[(-1) ** (n + j) * math.comb(n, j) * math.comb(n + j, j) for j in range(n + 1)] for n in range(N)]
            for n in range(N):
                for m in range(N):
                    total = Fraction(0)
                    for j, a in enumerate(rows[n]):
                        for k, b in enumerate(rows[m]):
                            total += a * b / (j + k + 1 - 2 * basis * c - tilt * c)
                    values.append(roots[n] * roots[m] * ring.number(total))
            return values

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        with balls(256).work() as ring:
            family = LegS(N)
            A = family.state_matrix(ring) + ring.number(case["c"]) * ring.identity(N)
            column = arb_mat([[b] for b in family.input_vector(ring)])
            values = []
            for time in ClosureShift.TIMES:
                kernel = (arb_mat(A.tolist()) * ring.number(time)).exp() * column
                values += [kernel[n, 0] for n in range(N)]
            return values + [ring.number(int(n == m)) for n in range(N) for m in range(N)]


@claim(
    "httyh.closure.scale",
    title="Scaling A and B by c scales time and measure",
    statement=r"If $(A,B)$ is a TOSSM with $(p_n(t),\omega(t))$ and $c > 0$, then $(cA,cB)$ is one with "
    r"$p_n(ct)$ and $c\,\omega(ct)$.",
    source=f"{PAPER}, closure properties, as usually quoted",
    domain="Laguerre, beta = 1 (omega = e^-t), N = 6, c = 1/2, 3, 7/5: 12 Taylor coefficients of each kernel and "
    "the Gram matrix, exact",
    routes=(
        "Taylor coefficients and moments of the scaled closed forms",
        "powers of cA; Lyapunov equation of (cA + cI/2, cB)",
    ),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"mass": 2}, {"time": 1 + STEP}, {"mass": 0}],
    tags=("lagt", "closure", "exact"),
    figure="measures-and-bases",
)
class ClosureScale:
    """Rational because Laguerre kernels are."""

    SIZE, TERMS = 6, 12

    def cases(effort: str) -> Iterator[Case]:
        for c in (Fraction(1, 2), Fraction(3), Fraction(7, 5)):
            yield {"c": c}

    def claimed(case: Case, *, mass: int = 1, time: Fraction = Fraction(1)) -> list[Any]:
        c, N = case["c"], ClosureScale.SIZE
        laguerre = [[Fraction((-1) ** j * math.comb(n, j), math.factorial(j)) for j in range(n + 1)] for n in range(N)]
        values = []
        for row in laguerre:  # c^mass e^(-c t) L_n(c t)
            for q in range(ClosureScale.TERMS):
                inner = sum(a * Fraction((-1) ** (q - j), math.factorial(q - j)) for j, a in enumerate(row) if j <= q)
                values.append(c**mass * (time * c) ** q * inner)
        for n in range(N):
            for m in range(N):
                total = Fraction(0)
                for j, a in enumerate(laguerre[n]):
                    for k, b in enumerate(laguerre[m]):
                        total += a * b * math.factorial(j + k) * (time * c) ** (j + k) / c ** (j + k + 1)
                values.append(c**mass * total)
        return values

    def computed(case: Case) -> list[Any]:
        N = ClosureScale.SIZE
        c = fmpq(case["c"].numerator, case["c"].denominator)
        A = np.array([[fmpq(-1 if n >= k else 0) * c for k in range(N)] for n in range(N)], dtype=object)
        B = np.array([c] * N, dtype=object)
        state, columns = B, []
        for q in range(ClosureScale.TERMS):
            columns.append(state / fmpq(math.factorial(q)))
            state = A @ state
        # 1/omega = e^(ct)/c: the Gramian of the shifted system, divided by c.
        half = np.array([[c / 2 if n == k else fmpq(0) for k in range(N)] for n in range(N)], dtype=object)
        gram = exact_gramian(A + half, B) / c
        flat = [column[n] for n in range(N) for column in columns] + list(gram.ravel())
        return [Fraction(int(x.p), int(x.q)) for x in flat]


@claim(
    "httyh.closure.unitary",
    title="A unitary change of basis turns the basis functions",
    statement=r"If $(A,B)$ is a TOSSM with $(p,\omega)$ and $V$ is unitary, then $(VAV^*,VB)$ is one with "
    r"$(Vp,\omega)$; for other invertible $V$ the kernels are $Vp\,\omega$ as well, with the Gram matrix "
    r"$VV^*$.",
    source=f"{PAPER}, closure properties, as usually quoted",
    domain="Laguerre, beta = 1, N = 2, ..., 5; V a rational orthogonal matrix (Cayley transform) and a sheared "
    "one, exact rationals",
    routes=("V V^T, and the identity for the orthogonal one", "Lyapunov equation of (V A V^-1 + I/2, V B)"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"norm": 1 + STEP}, {"transposed": True}],
    tags=("lagt", "closure", "exact"),
    figure="measures-and-bases",
)
class ClosureUnitary:
    """Both V are written out on both sides: data of the case, not a formula."""

    def cases(effort: str) -> Iterator[Case]:
        for N in range(2, 6):
            skew = [[fmpq((n - k) * (n + 2 * k + 1), n + k + 2) for k in range(N)] for n in range(N)]
            skew = [[(skew[n][k] - skew[k][n]) / 2 for k in range(N)] for n in range(N)]
            yield {"N": N, "form": "orthogonal", "skew": skew}
            yield {"N": N, "form": "sheared", "skew": skew}

    def claimed(case: Case, *, norm: Fraction = Fraction(1), transposed: bool = False) -> list[Any]:
        N = case["N"]
        if case["form"] == "orthogonal":
            return [norm * (n == m) for n in range(N) for m in range(N)]
        V = [[Fraction((n == k) + (n + 1) * (k == n + 1)) for k in range(N)] for n in range(N)]
        if transposed:
            V = [list(column) for column in zip(*V, strict=True)]
        return [norm * sum(V[n][k] * V[m][k] for k in range(N)) for n in range(N) for m in range(N)]

    def computed(case: Case) -> list[Any]:
        from flint import fmpq_mat

        N = case["N"]
        one = fmpq_mat([[fmpq(n == k) for k in range(N)] for n in range(N)])
        if case["form"] == "orthogonal":
            S = fmpq_mat(case["skew"])
            V = (one - S).inv() * (one + S)
        else:
            V = fmpq_mat([[fmpq((n == k) + (n + 1) * (k == n + 1)) for k in range(N)] for n in range(N)])
        A = fmpq_mat([[fmpq(-1 if n >= k else 0) for k in range(N)] for n in range(N)])
        shifted = V * A * V.inv() + one * fmpq(1, 2)
        column = V * fmpq_mat([[fmpq(1)] for _ in range(N)])
        gram = exact_gramian(
            np.array(shifted.table(), dtype=object), np.array([column[n, 0] for n in range(N)], dtype=object)
        )
        return [Fraction(int(x.p), int(x.q)) for x in gram.ravel()]


def _finite_start(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """a = t^2 from t0 = 0: the mass of omega at t is 1 - e^(-t^2), so p_0 = 1 has not norm 1."""
    rows, shown = [], True
    with balls(128).work() as ring:
        for time in (Fraction(1, 2), Fraction(1), Fraction(2)):
            mass = 1 - ring.exp(ring.number(-time * time))
            rows.append(
                {"case": f"t = {time}", "numbers": f"squared norm of p_0: {mass.str(10)}, not 1", "margin": None}
            )
            shown = shown and bool(mass < ring.number(Fraction(99, 100)))
    return rows, shown


@claim(
    "httyh.legs.warp",
    title="Warped LegS: x' = a'(t)(A x + B u)",
    statement=r"$x' = a'(t)(Ax+Bu)$, $x(t_0) = 0$, with the matrices of LegS and $a$ increasing: $x_n(t) = "
    r"\int_{t_0}^t u(s)\, p_n\, \omega(t,s)\, ds$ with $\omega(t,s) = a'(s)\, e^{a(s)-a(t)}$ and $p_n = R_n "
    r"P_n(2e^{a(s)-a(t)}-1)$. It is orthonormal for every $t$ if $a(t_0) = -\infty$: $a = t$ from $-\infty$ "
    r"(S4-LegS), $a = \log t$ from 0 (the LegS of 2020, $\omega = 1/t$).",
    source=f"{PAPER}, theorem on time-warped LegS, as usually quoted; the form of omega is reconstructed here",
    domain="a = t, t^2 (9 Taylor coefficients) and log t (exact in t), u = t^j, j = 0, ..., 3, n < 6, exact rationals",
    routes=("the integral, expanded term by term", "the power series solution of the differential equation"),
    relation=IDENTICAL,
    expected="REFINED",
    counterexample=Counterexample(
        r"$(p_n, \omega)$ is orthonormal on $s \ge t_0$ for every increasing $a$ and every start $t_0$.", _finite_start
    ),
    corruptions=[{"rate": 1 + STEP}, {"jacobian": 1 + STEP}, {"slope": 2 + 2 * STEP}, {"shift": -1 - STEP}],
    tags=("legs", "warping", "exact"),
    figure="measures-and-bases",
)
class Warping:
    """Coordinates x_n / R_n, where LegS is an integer system."""

    SIZE, TERMS = 6, 9

    def cases(effort: str) -> Iterator[Case]:
        for warp in ("t", "t^2", "log t"):
            for j in range(4):
                yield {"a": warp, "j": j}

    def claimed(
        case: Case,
        *,
        rate: Fraction = Fraction(1),
        jacobian: Fraction = Fraction(1),
        slope: Fraction = Fraction(2),
        shift: Fraction = Fraction(-1),
    ) -> list[Any]:
        # P_n(slope x + shift) by powers of x, from the recurrence.
        rows = [[Fraction(1)], [shift, slope]]
        for n in range(1, Warping.SIZE):
            shifted = [shift * c for c in rows[n]] + [Fraction(0)]
            for i, c in enumerate(rows[n]):
                shifted[i + 1] += slope * c
            older = rows[n - 1] + [Fraction(0)] * 2
            rows.append([((2 * n + 1) * a - n * b) / (n + 1) for a, b in zip(shifted, older, strict=True)])
        j, values = case["j"], []
        for row in rows[: Warping.SIZE]:
            if case["a"] == "log t":  # (1/s)(s/t)^(rate + i) s^j over [0, t], divided by t^j
                values.append(sum(jacobian * c / (rate * (i + 1) + j) for i, c in enumerate(row)))
                continue
            r = 1 if case["a"] == "t" else 2
            for k in range(Warping.TERMS):  # coefficient of t^(rk + r + j)
                total = Fraction(0)
                for i, c in enumerate(row):
                    e = rate * (i + 1)
                    for q in range(k + 1):
                        weight = math.factorial(q) * math.factorial(k - q) * (r * q + r + j)
                        total += c * r * jacobian * e**q * (-e) ** (k - q) / weight
                values.append(total)
        return values

    def computed(case: Case) -> list[Any]:
        A, B = legs_rational_system(Warping.SIZE)
        j = case["j"]
        if case["a"] == "log t":  # j x = A x + B, by substitution
            y: list[Any] = []
            for n in range(Warping.SIZE):
                y.append((B[n] + sum((A[n, k] * y[k] for k in range(n)), fmpq(0))) / (j - A[n, n]))
            return [Fraction(int(x.p), int(x.q)) for x in y]
        r = 1 if case["a"] == "t" else 2
        state, columns = r * B / fmpq(r + j), []
        for k in range(Warping.TERMS):
            columns.append(state)
            state = r * (A @ state) / fmpq(r * (k + 1) + r + j)
        return [Fraction(int(c[n].p), int(c[n].q)) for n in range(Warping.SIZE) for c in columns]


def _undetermined(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """One kernel e^-t belongs to omega = e^(-gt)/(2-g), p = (2-g) e^(-(1-g)t), for every g < 2."""
    rows, shown = [], True
    for g in (Fraction(1, 2), Fraction(1), Fraction(3, 2)):
        norm = (2 - g) ** 2 / (2 - g) / (2 * (1 - g) + g)  # integral of p^2 omega
        rows.append({"case": f"N = 1, omega = e^(-{g} t)/(2-{g})", "numbers": f"squared norm {norm}", "margin": None})
        shown = shown and norm == 1
    return rows, shown


@claim(
    "httyh.uniq",
    title="Kernels of a complete basis fix basis and measure",
    statement=r"If $K_n = p_n \omega$ with $(p_n)$ orthonormal in $L_2(\omega)$ for all $n = 0, 1, 2, \dots$ and "
    r"complete there, any other factorization $K_n = (p_n/g)(g\omega)$ that is orthonormal has $g = 1$: the "
    r"Gram matrix of the second determines $1/g = \sum_n \gamma_n p_n$ by its first column $\gamma_n = \int "
    r"p_0 p_n (1/g)\, \omega$. Finitely many kernels do not fix it.",
    source=f"{PAPER}, uniqueness of basis and measure, as usually quoted",
    domain="LegS, 1/g = x^k in x = e^-t, k = 0, ..., 6: all coefficients of the reconstruction, exact rationals",
    routes=("the monomial", "its moments against the basis kernels, put together"),
    relation=IDENTICAL,
    expected="REFINED",
    counterexample=Counterexample(
        "Basis and measure are determined by the kernels of a system of finite size N.", _undetermined
    ),
    corruptions=[{"height": 1 + STEP}, {"degree": 1}],
    tags=("legs", "orthogonality", "exact"),
    figure="measures-and-bases",
)
class Uniqueness:
    """What orthonormality of both pairs would need: gamma_n = delta_n0, hence g = 1."""

    def cases(effort: str) -> Iterator[Case]:
        for k in range(7):
            yield {"k": k}

    def claimed(case: Case, *, height: Fraction = Fraction(1), degree: int = 0) -> list[Any]:
        return [height * (i == case["k"] + degree) for i in range(9)]

    def computed(case: Case) -> list[Any]:
        from flint import fmpq_poly

        total = fmpq_poly([0])
        for n in range(9):
            # gamma_n / R_n = the n-th state of LegS fed with e^(kt): moments of x^k; then times R_n p_n.
            A, B = legs_rational_system(n + 1)
            y: list[Any] = []
            for i in range(n + 1):
                y.append((B[i] + sum((A[i, j] * y[j] for j in range(i)), fmpq(0))) / (case["k"] - A[i, i]))
            total += (2 * n + 1) * y[n] * _shifted_legendre(n)
        return [Fraction(int(total[i].p), int(total[i].q)) for i in range(9)]


def _shifted_legendre(n: int) -> Any:
    """P_n(2x-1) as a polynomial, by Rodrigues' formula: the n-th derivative of (x^2 - x)^n / n!."""
    from flint import fmpq_poly

    power = fmpq_poly([0, -1, 1]) ** n
    for i in range(n):
        power = power.derivative() / fmpq(i + 1)
    return power
