"""S4: the bilinear rule, the recurrence in O(N), and the kernel by generating functions, Cauchy sums and Woodbury."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import acb, acb_mat, arb, arb_mat, fmpq, fmpq_mat

from hippo_theory.arithmetic import balls
from hippo_theory.claims.counting import Counter
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import EQUAL, IDENTICAL
from hippo_theory.decompositions import normal_plus_low_rank
from hippo_theory.families import LagT, LegS

__all__: list[str] = []

SMALL = Fraction(1000001, 1000000)
ON_MATRICES = "symbolic in dt, z and one letter for A: rational functions of one matrix, so every N"


@claim(
    "s4.bilinear",
    title="The bilinear rule",
    statement=r"$x_l - x_{l-1} = \frac{\Delta}{2} A (x_l + x_{l-1}) + \Delta B u_l$ is $x_l = \bar A x_{l-1} + \bar B u_l$ with"
    r" $\bar A = (I - \frac{\Delta}{2} A)^{-1} (I + \frac{\Delta}{2} A)$, "
    r" $\bar B = (I - \frac{\Delta}{2} A)^{-1} \Delta B$; $\bar C = C$.",
    source="S4, equation (3)",
    domain=ON_MATRICES,
    routes=("the formulas", "the trapezoidal rule, solved by sympy"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"half": Fraction(1, 2) * SMALL}, {"step": SMALL}, {"left": 1}, {"right": -1}],
    tags=("symbolic", "discretization"),
    figure="discretization-maps",
)
class Bilinear:
    """The coefficients of the old state and of B u."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield {"dt": "symbolic"}

    @staticmethod
    def claimed(
        case: Case, *, half: Fraction = Fraction(1, 2), step: Fraction = Fraction(1), left: int = -1, right: int = 1
    ) -> list[Any]:
        import sympy

        a, dt = sympy.symbols("a dt")
        h, d = (sympy.Rational(x.numerator, x.denominator) for x in (half, step))
        return [
            sympy.factor((1 + right * h * dt * a) / (1 + left * h * dt * a)),
            sympy.factor(d * dt / (1 + left * h * dt * a)),
        ]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        a, dt, old, new, driven = sympy.symbols("a dt old new driven")
        (solution,) = sympy.solve(sympy.Eq(new - old, dt * a * (new + old) / 2 + dt * driven), new)
        return [sympy.factor(sympy.diff(solution, variable)) for variable in (old, driven)]


@claim(
    "s4.resolvent",
    title="The generating function of a bilinear kernel is a resolvent of A",
    statement=r"$(I - z \bar A)^{-1} \bar B = \frac{2}{1+z} (\frac{2}{\Delta} \frac{1-z}{1+z} I - A)^{-1} B$ for $z \ne -1$,"
    r" with the bilinear $\bar A$, $\bar B$, wherever both sides exist.",
    source="S4, appendix on the convolution kernel",
    domain=ON_MATRICES,
    routes=("the right side", "the left side from the bilinear rule"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"outer": 2 * SMALL}, {"inner": 2 * SMALL}, {"sign": -1}, {"pole": -1}],
    tags=("symbolic", "kernel"),
    related=("s4.genfun", "s4.resolvent.removable"),
    figure="discretization-maps",
)
class Resolvent:
    """One letter for A, B = 1."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield {"z": "symbolic"}

    @staticmethod
    def claimed(
        case: Case, *, outer: Fraction = Fraction(2), inner: Fraction = Fraction(2), sign: int = 1, pole: int = 1
    ) -> list[Any]:
        import sympy

        a, dt, z = sympy.symbols("a dt z")
        o, i = (sympy.Rational(x.numerator, x.denominator) for x in (outer, inner))
        return [sympy.factor(o / (1 + pole * z) / (sign * i / dt * (1 - z) / (1 + z) - a))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        a, dt, z = sympy.symbols("a dt z")
        inverse = 1 / (1 - dt * a / 2)
        return [sympy.factor(inverse * dt / (1 - z * inverse * (1 + dt * a / 2)))]


@claim(
    "s4.resolvent.removable",
    title="At z = -1 the resolvent form has a removable singularity",
    statement=r"As $z \to -1$: $\frac{2}{1+z} (\frac{2}{\Delta} \frac{1-z}{1+z} I - A)^{-1} B \to \frac{\Delta}{2} B$,"
    r" whatever $A$; for even $L$ the node $z = -1$ needs this value, for odd $L$ it is none of the nodes.",
    source="derived here; S4's appendix divides by $1+z$ at the roots of unity",
    domain=ON_MATRICES,
    routes=("the limit", "sympy's limit, and the left side of s4.resolvent at z = -1"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"half": Fraction(1, 2) * SMALL}, {"power": 2}],
    tags=("symbolic", "kernel"),
    related=("s4.resolvent", "s4.thm3"),
    figure="discretization-maps",
)
class Removable:
    """One letter for A, B = 1; twice."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield {"z": -1}

    @staticmethod
    def claimed(case: Case, *, half: Fraction = Fraction(1, 2), power: int = 1) -> list[Any]:
        import sympy

        dt = sympy.symbols("dt")
        value = sympy.Rational(half.numerator, half.denominator) * dt**power
        return [value, value]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        a, dt, z = sympy.symbols("a dt z")
        right = 2 / (1 + z) / (2 / dt * (1 - z) / (1 + z) - a)
        inverse = 1 / (1 - dt * a / 2)
        left = inverse * dt / (1 + inverse * (1 + dt * a / 2))
        return [sympy.limit(sympy.cancel(right), z, -1), sympy.cancel(left)]


@claim(
    "s4.genfun",
    title="The truncated generating function",
    statement=r"At the $L$-th roots of unity $z$: $\sum_{l<L} C \bar A^l \bar B z^l = \tilde C (I - z \bar A)^{-1} \bar B$ with"
    r" $\tilde C = C (I - \bar A^L)$; the kernel is the inverse Fourier transform over $z_k = e^{-2 \pi i k/L}$.",
    source="S4, appendix on the convolution kernel",
    domain="dense rational systems of N = 1, 2, 4 (full: 8), L = 1, 5, 8 (full: 33), all nodes, then the kernel;"
    " balls of 200 bits",
    routes=("certified linear solves at the nodes, then the inverse transform", "sums of exact Markov parameters"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"extra": 1}, {"sign": 1}, {"turn": 2 * SMALL}, {"inverse": 1}],
    tags=("kernel",),
    related=("s4.resolvent", "s4.thm3"),
)
class GeneratingFunction:
    """Complex balls against exact rationals."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 2, 4) if effort == "quick" else (1, 2, 4, 8):
            for L in (1, 5, 8) if effort == "quick" else (1, 5, 8, 33):
                yield {"N": N, "L": L}

    @staticmethod
    def claimed(
        case: Case, *, extra: int = 0, sign: int = -1, turn: Fraction = Fraction(2), inverse: int = -1
    ) -> list[Any]:
        with balls(200).work() as ring:
            N, L = case["N"], case["L"]
            A = acb_mat(
                [
                    [acb((n + 2 * k + n * k) % 5 - 2) / (5 * N) + acb(int(n == k)) / 2 for k in range(N)]
                    for n in range(N)
                ]
            )
            B, C = acb_mat([[acb(n + 1)] for n in range(N)]), acb_mat([[acb(3 - n % 3) for n in range(N)]])
            identity = acb_mat([[acb(int(n == k)) for k in range(N)] for n in range(N)])
            power = identity
            for _ in range(L + extra):
                power = power * A
            truncated = C * (identity + sign * power)
            nodes = [(ring.number(turn) * acb(0, -1) * arb.pi() * k / L).exp() for k in range(L)]
            values = [(truncated * (identity - A * z).solve(B))[0, 0] for z in nodes]
            # z_k^(inverse j): the inverse transform takes the conjugate nodes
            kernel = [sum((values[k] * nodes[k] ** (inverse * j) for k in range(L)), acb(0)) / L for j in range(L)]
            return [*values, *kernel]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        with balls(200).work():
            N, L = case["N"], case["L"]
            A = fmpq_mat(
                [[fmpq((n + 2 * k + n * k) % 5 - 2, 5 * N) + fmpq(int(n == k), 2) for k in range(N)] for n in range(N)]
            )
            x, C = fmpq_mat([[fmpq(n + 1)] for n in range(N)]), fmpq_mat([[fmpq(3 - n % 3) for n in range(N)]])
            kernel = []
            for _ in range(L):
                kernel.append(acb(arb((C * x)[0, 0])))
                x = A * x
            # exp(-2 pi i k j / L) by acb.exp_pi_i, which takes -2 k j / L exactly
            sums = [
                sum((kernel[j] * acb(arb(fmpq(-2 * ((k * j) % L), L))).exp_pi_i() for j in range(L)), acb(0))
                for k in range(L)
            ]
            return [*sums, *kernel]


@claim(
    "s4.woodbury",
    title="The resolvent of normal plus rank one by four Cauchy sums",
    statement=r"$C (gI - \Lambda + P Q^T)^{-1} B = k_{CB} - \frac{k_{CP} k_{QB}}{1 + k_{QP}}$ with"
    r" $k_{ab} = \sum_n \frac{a_n b_n}{g - \lambda_n}$ (for $P Q^*$ put the conjugate of $Q$).",
    source="S4, appendix on the convolution kernel (Woodbury)",
    domain="N = 1, ..., 8 (full: 30), g = 2, -1/2, 7/3, generic rational Lambda, P, Q, B, C; exact rationals",
    routes=("the four sums", "dense elimination over the rationals"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"sign": 1}, {"one": SMALL}, {"swap": 1}],
    tags=("exact", "kernel"),
    related=("s4.thm3",),
)
class Woodbury:
    """Exact."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for N in range(1, 9 if effort == "quick" else 31):
            for g in (Fraction(2), Fraction(-1, 2), Fraction(7, 3)):
                yield {"N": N, "g": g}

    @staticmethod
    def claimed(case: Case, *, sign: int = -1, one: Fraction = Fraction(1), swap: int = 0) -> list[Any]:
        N, g = case["N"], case["g"]

        def cauchy(a: list[Fraction], b: list[Fraction]) -> Fraction:
            return sum((a[n] * b[n] / (g + Fraction(3 * n + 1, 5)) for n in range(N)), Fraction(0))

        P, Q = ([Fraction(n + s, n + 2) for n in range(N)] for s in (1, 4))
        B, C = [Fraction(2 * n - 3) for n in range(N)], [Fraction(5 - n) for n in range(N)]
        if swap:
            P, Q = Q, P
        value = cauchy(C, B) + sign * cauchy(C, P) * cauchy(Q, B) / (one + cauchy(Q, P))
        return [fmpq(value.numerator, value.denominator)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        N, g = case["N"], fmpq(case["g"].numerator, case["g"].denominator)
        rows = [
            [fmpq(n + 1, n + 2) * fmpq(k + 4, k + 2) + (g + fmpq(3 * n + 1, 5) if n == k else 0) for k in range(N)]
            for n in range(N)
        ]
        solved = fmpq_mat(rows).solve(fmpq_mat([[fmpq(2 * n - 3)] for n in range(N)]))
        return [sum(((5 - n) * solved[n, 0] for n in range(N)), fmpq(0))]


@claim(
    "s4.thm2",
    title="The bilinear step of diagonal plus rank one, without a dense inverse",
    statement=r"With $A = \Lambda - P Q^*$, $D = (\frac{2}{\Delta} I - \Lambda)^{-1}$, $A_0 = \frac{2}{\Delta} I + A$,"
    r" $A_1 = D - D P (1 + Q^* D P)^{-1} Q^* D$: $\bar A = A_1 A_0$, $\bar B = 2 A_1 B$.",
    source="S4, Theorem 2 and its proof",
    domain="N = 1, ..., 7 (full: 24), steps 1/3, 2, generic rational Lambda, P, Q, B; exact rationals, all entries",
    routes=("the formulas", "the dense bilinear rule by elimination"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"two": 2 * SMALL}, {"gain": 2 * SMALL}, {"sign": 1}, {"one": SMALL}, {"outer": -1}],
    tags=("exact", "discretization"),
    related=("s4.thm2.operations", "s4.bilinear"),
)
class LowRankStep:
    """Real numbers stand for complex ones: the identity is rational."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for N in range(1, 8 if effort == "quick" else 25):
            for step in (Fraction(1, 3), Fraction(2)):
                yield {"N": N, "step": step}

    @staticmethod
    def claimed(
        case: Case,
        *,
        two: Fraction = Fraction(2),
        gain: Fraction = Fraction(2),
        sign: int = -1,
        one: Fraction = Fraction(1),
        outer: int = 1,
    ) -> list[Any]:
        N, shift = case["N"], two / case["step"]
        Lambda = [Fraction(-(3 * n + 1), 5) for n in range(N)]
        P, Q = ([Fraction(n + s, n + 2) for n in range(N)] for s in (1, 4))
        D = [1 / (shift - value) for value in Lambda]
        middle = one + sum((Q[n] * D[n] * P[n] for n in range(N)), Fraction(0))
        A1 = [[D[n] * (n == k) + sign * D[n] * P[n] * Q[k] * D[k] / middle for k in range(N)] for n in range(N)]
        A0 = [[outer * (shift + Lambda[n]) * (n == k) - P[n] * Q[k] for k in range(N)] for n in range(N)]
        Abar = [sum((A1[n][j] * A0[j][k] for j in range(N)), Fraction(0)) for n in range(N) for k in range(N)]
        Bbar = [gain * sum((A1[n][j] * (2 * j - 3) for j in range(N)), Fraction(0)) for n in range(N)]
        return [fmpq(value.numerator, value.denominator) for value in (*Abar, *Bbar)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        N, step = case["N"], fmpq(case["step"].numerator, case["step"].denominator)
        A = fmpq_mat(
            [
                [fmpq(-(3 * n + 1), 5) * int(n == k) - fmpq(n + 1, n + 2) * fmpq(k + 4, k + 2) for k in range(N)]
                for n in range(N)
            ]
        )
        identity = fmpq_mat([[int(n == k) for k in range(N)] for n in range(N)])
        left = identity - A * (step / 2)
        Abar = left.solve(identity + A * (step / 2))
        Bbar = left.solve(fmpq_mat([[fmpq(2 * n - 3)] for n in range(N)]) * step)
        return [*(Abar[n, k] for n in range(N) for k in range(N)), *(Bbar[n, 0] for n in range(N))]


def _counted_recurrence(N: int) -> tuple[int, Fraction]:
    """Operations of one step A1 (A0 x) + Bbar u with tables that do not depend on x given, and the sum of the result."""
    counter = Counter()
    shift = Fraction(6)  # 2/dt with dt = 1/3
    Lambda = [Fraction(-(3 * n + 1), 5) for n in range(N)]
    P0, Q0 = ([Fraction(n + s, n + 2) for n in range(N)] for s in (1, 4))
    D0 = [1 / (shift - value) for value in Lambda]
    middle = 1 + sum((Q0[n] * D0[n] * P0[n] for n in range(N)), Fraction(0))
    inner = sum((Q0[n] * D0[n] * (2 * n - 3) for n in range(N)), Fraction(0))
    Bbar = [counter.number(2 * D0[n] * ((2 * n - 3) - P0[n] * inner / middle)) for n in range(N)]
    raised = [counter.number(shift + value) for value in Lambda]
    P, Q, D = ([counter.number(value) for value in table] for table in (P0, Q0, D0))
    DP = [counter.number(D0[n] * P0[n] / middle) for n in range(N)]
    x, u = [counter.number(Fraction(n + 1, n + 3)) for n in range(N)], counter.number(Fraction(5, 2))

    def dot(a: list[Any], b: list[Any]) -> Any:
        total = a[0] * b[0]
        for left, right in zip(a[1:], b[1:], strict=True):
            total = total + left * right
        return total

    inner_x = dot(Q, x)
    y = [raised[n] * x[n] - P[n] * inner_x for n in range(N)]
    scaled = [D[n] * y[n] for n in range(N)]
    inner_y = dot(Q, scaled)
    new = [(scaled[n] - DP[n] * inner_y) + Bbar[n] * u for n in range(N)]
    return counter.operations, sum((value.value for value in new), Fraction(0))


@claim(
    "s4.thm2.operations",
    title="A recurrent step of S4 takes O(N) operations",
    statement=r"$x_l = A_1 (A_0 x_{l-1}) + \bar B u_l$ takes $12 N - 2$ additions and multiplications (over the field of the"
    r" entries), with the tables $D$, $\bar B$, $D P (1 + Q^* D P)^{-1}$ given; a dense step takes $2 N^2 + N$.",
    source="S4, Theorem 2; the count is of the evaluation derived here",
    domain="N = 1, 2, 3, 8, 20 (full: 100), counted; the result equals that of the dense step, exact rationals",
    routes=("the count; the dense bilinear step by elimination", "the step on numbers that count their operations"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"slope": 13}, {"offset": 0}],
    tags=("exact", "cost"),
    related=("s4.thm2",),
)
class RecurrentOperations:
    """The count, then the sum of the new state."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 2, 3, 8, 20) if effort == "quick" else (1, 2, 3, 8, 20, 100):
            yield {"N": N}

    @staticmethod
    def claimed(case: Case, *, slope: int = 12, offset: int = -2) -> list[Any]:
        N, step = case["N"], fmpq(1, 3)
        A = fmpq_mat(
            [
                [fmpq(-(3 * n + 1), 5) * int(n == k) - fmpq(n + 1, n + 2) * fmpq(k + 4, k + 2) for k in range(N)]
                for n in range(N)
            ]
        )
        identity = fmpq_mat([[int(n == k) for k in range(N)] for n in range(N)])
        x, B = fmpq_mat([[fmpq(n + 1, n + 3)] for n in range(N)]), fmpq_mat([[fmpq(2 * n - 3)] for n in range(N)])
        right = x + A * x * (step / 2) + B * (step * fmpq(5, 2))
        new = (identity - A * (step / 2)).solve(right)
        return [slope * N + offset, sum((new[n, 0] for n in range(N)), fmpq(0))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        operations, total = _counted_recurrence(case["N"])
        return [operations, fmpq(total.numerator, total.denominator)]


@claim(
    "s4.thm3",
    title="The convolution kernel by four Cauchy sums and a Fourier transform",
    statement=r"$\bar K_l = C \bar A^l \bar B$, $l < L$, is the inverse Fourier transform of"
    r" $\hat K(z) = \frac{2}{1+z} (k_{\tilde C B} - \frac{k_{\tilde C P} k_{PB}}{1 + k_{PP}})$ at $z_k = e^{-2 \pi i k/L}$, where"
    r" $k_{ab} = \sum_n \frac{a_n b_n}{g - \lambda_n}$, $g = \frac{2}{\Delta} \frac{1-z}{1+z}$, the left factors conjugated"
    r" except $\tilde C = C (I - \bar A^L)$, and $\hat K(-1) = \frac{\Delta}{2} \tilde C B$ for even $L$. Four Cauchy products of"
    r" $N$ poles and $L$ nodes.",
    source="S4, Theorem 3 and its proof; the value at $z = -1$ derived here",
    domain="LegS and LagT, N = 2, 6 (full: 16), L = 5, 8 (full: 64, 65), step 1/4, C = (1, 2, ..., N), balls of 1600 bits",
    routes=(
        "eigenvalues and vectors of the family's decomposition, the algorithm",
        "Krylov: powers of the dense real matrix",
    ),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[
        {"outer": 2 * SMALL},
        {"inner": 2 * SMALL},
        {"sign": 1},
        {"one": SMALL},
        {"half": Fraction(1, 2) * SMALL},
        {"extra": 1},
    ],
    tags=("kernel", "legs", "lagt"),
    related=("s4.genfun", "s4.woodbury", "s4.resolvent.removable"),
)
class ConvolutionKernel:
    """Complex balls; the imaginary parts contain 0."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for family in ("legs", "lagt"):
            for N in (2, 6) if effort == "quick" else (2, 6, 16):
                for L in (5, 8) if effort == "quick" else (5, 8, 64, 65):
                    yield {"family": family, "N": N, "L": L}

    @staticmethod
    def claimed(
        case: Case,
        *,
        outer: Fraction = Fraction(2),
        inner: Fraction = Fraction(2),
        sign: int = -1,
        one: Fraction = Fraction(1),
        half: Fraction = Fraction(1, 2),
        extra: int = 0,
    ) -> list[Any]:
        N, L, dt = case["N"], case["L"], arb(1) / 4
        with balls(1600).work() as ring:
            parts = normal_plus_low_rank((LegS if case["family"] == "legs" else LagT)(N), ring)
            Lambda, B, P = list(parts.Lambda), list(parts.B), [row[0] for row in parts.P]
            Q = [value.conjugate() for value in P]
            C = acb_mat([[acb(n + 1) for n in range(N)]]) * acb_mat(parts.V.tolist())
            identity = acb_mat([[acb(int(n == k)) for k in range(N)] for n in range(N)])
            A = acb_mat([[(Lambda[n] if n == k else acb(0)) - P[n] * Q[k] for k in range(N)] for n in range(N)])
            step = (identity - A * (dt / 2)).solve(identity + A * (dt / 2))
            power = identity
            for _ in range(L + extra):
                power = power * step
            truncated = C * (identity - power)
            Ct = [truncated[0, n] for n in range(N)]

            def cauchy(a: list[Any], b: list[Any], g: Any) -> Any:
                return sum((a[n] * b[n] / (g - Lambda[n]) for n in range(N)), acb(0))

            values = []
            nodes = [acb(arb(fmpq(-2 * k, L))).exp_pi_i() for k in range(L)]
            for k, z in enumerate(nodes):
                if 2 * k == L:
                    values.append(ring.number(half) * dt * sum((Ct[n] * B[n] for n in range(N)), acb(0)))
                    continue
                g = ring.number(inner) / dt * (1 - z) / (1 + z)
                correction = cauchy(Ct, P, g) * cauchy(Q, B, g) / (ring.number(one) + cauchy(Q, P, g))
                values.append(ring.number(outer) / (1 + z) * (cauchy(Ct, B, g) + sign * correction))
            return [sum((values[k] * nodes[(-k * j) % L] for k in range(L)), acb(0)) / L for j in range(L)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        N, L = case["N"], case["L"]
        with balls(1600).work():
            if case["family"] == "legs":
                roots = [arb(2 * n + 1).sqrt() for n in range(N)]
                A = [[-roots[n] * roots[k] if n > k else arb(-(n + 1) * (n == k)) for k in range(N)] for n in range(N)]
                B = arb_mat([[root] for root in roots])
            else:
                A = [[arb(-1) if n > k else arb(n == k) / -2 for k in range(N)] for n in range(N)]
                B = arb_mat([[arb(1)]] * N)
            matrix, C = arb_mat(A), arb_mat([[arb(n + 1) for n in range(N)]])
            identity = arb_mat([[arb(int(n == k)) for k in range(N)] for n in range(N)])
            left = identity - matrix / 8
            x, values = left.solve(B / 4), []
            for _ in range(L):
                values.append(acb((C * x)[0, 0]))
                x = left.solve(x + matrix * x / 8)
            return values
