"""HiPPO: discrete steps of LegS, their cost, the two conventions for their index, and the gate of the smallest LagT."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import arb, arb_mat, fmpq, fmpq_mat, fmpq_poly

from hippo_theory.arithmetic import balls, exact
from hippo_theory.claims.counting import Counter
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import AT_MOST, EQUAL, IDENTICAL
from hippo_theory.families import LagT

__all__: list[str] = []

SMALL = Fraction(1000001, 1000000)
ON_MATRICES = (
    "symbolic in alpha, k, dt and one letter for A: identities between rational functions of one matrix, so every N"
)


@claim(
    "hippo.gate",
    title="The smallest LagT is a gate",
    statement=r"LagT with $N = 1$ ($A = B = 1$) under Euler's rule with step $\Delta t$:"
    r" $c(t + \Delta t) = (1 - \Delta t) c(t) + \Delta t f(t)$, the form of a gated recurrent unit.",
    source="HiPPO, section on low-order projections and gating",
    domain="every step, state and input, symbolic",
    routes=("the gate", "Euler's rule with the matrices of the family, in the paper's signs, beta = 1"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"keep": 2}, {"write": 2}, {"sign": 1}],
    tags=("lagt", "symbolic"),
    related=("hippo.thm1.lagt",),
)
class Gate:
    """Polynomials in dt, c and f."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield {"N": 1}

    @staticmethod
    def claimed(case: Case, *, keep: int = 1, write: int = 1, sign: int = -1) -> list[Any]:
        import sympy

        dt, c, f = sympy.symbols("dt c f")
        return [sympy.expand((keep + sign * dt) * c + write * dt * f)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        dt, c, f = sympy.symbols("dt c f")
        family = LagT(1, beta=Fraction(1), convention="hippo2020")
        A, B = family.state_matrix(exact())[0, 0], family.input_vector(exact())[0]
        return [sympy.expand(c + dt * (-A * c + B * f))]


@claim(
    "hippo.legs.disc",
    title="Steps of LegS do not depend on the step size",
    statement=r"The generalized bilinear rule, the input at the old end, for $c' = -(1/t) A c + (1/t) B f$ from $t = k \Delta t$"
    r" to $(k+1) \Delta t$: $c_{k+1} = (I + \frac{\alpha}{k+1} A)^{-1} ((I - \frac{1-\alpha}{k} A) c_k + \frac{1}{k} B f_k)$;"
    r" $\Delta t$ drops out. With $\alpha = 0$ this is Euler's rule, $c_{k+1} = (I - A/k) c_k + B f_k/k$.",
    source="HiPPO, discretization of LegS (main text and appendix); index of the input as the paper is usually quoted",
    domain=ON_MATRICES,
    routes=("the formula", "the rule with times k dt and (k+1) dt, solved by sympy"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"later": 0}, {"weight": 0}, {"sign": 1}, {"input_index": 1}, {"scale": 2}],
    tags=("legs", "symbolic", "discretization"),
    related=("hippo.legs.disc.conventions",),
    figure="discretization-maps",
)
class StepSize:
    """One letter a for A, b for B f."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield {"k": "symbolic", "alpha": "symbolic"}

    @staticmethod
    def claimed(
        case: Case, *, later: int = 1, weight: int = 1, sign: int = -1, input_index: int = 0, scale: int = 1
    ) -> list[Any]:
        import sympy

        a, b, c, k, alpha = sympy.symbols("a b c k alpha")
        right = (1 + sign * (weight - alpha) / k * a) * c + scale * b / (k + input_index)
        return [sympy.factor(sympy.cancel(right / (1 - sign * alpha * a / (k + later))))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        a, b, c, k, alpha, dt, new = sympy.symbols("a b c k alpha dt new")
        now, then = k * dt, (k + 1) * dt
        slope = (1 - alpha) * (-a * c / now) + alpha * (-a * new / then) + b / now
        (solution,) = sympy.solve(sympy.Eq(new - c, dt * slope), new)
        return [sympy.factor(sympy.cancel(solution))]


@claim(
    "hippo.legs.disc.conventions",
    title="The two conventions for the index differ by O(1/k^2) in a step",
    statement=r"From the same $c_k$ and $f_k$, the step with $A/k$ on the right and $A/(k+1)$ on the left (paper) and the one"
    r" with $A/k$ on both sides (code) differ by exactly $\frac{\alpha}{k(k+1)} (I + \frac{\alpha}{k+1} A)^{-1} A c_{code}$,"
    r" where $c_{code}$ is the result of the second.",
    source="the step of the paper as it is usually quoted, against the code of its authors; the difference derived here",
    domain=ON_MATRICES,
    routes=("the closed form", "the two steps, subtracted"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"scale": 2}, {"shift": 2}, {"sign": -1}],
    tags=("legs", "symbolic", "discretization", "conventions"),
    related=("hippo.legs.disc", "hippo.legs.disc.drift"),
    figure="discretization-maps",
)
class IndexConventions:
    """One letter r for the common right side."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield {"k": "symbolic", "alpha": "symbolic"}

    @staticmethod
    def claimed(case: Case, *, scale: int = 1, shift: int = 1, sign: int = 1) -> list[Any]:
        import sympy

        a, k, alpha, r = sympy.symbols("a k alpha r")
        code = r * k / (k + alpha * a)
        return [sympy.factor(sign * scale * alpha * a * code / (k * (k + shift + alpha * a)))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        a, k, alpha, r = sympy.symbols("a k alpha r")
        return [sympy.factor(sympy.together(r / (1 + alpha * a / (k + 1)) - r / (1 + alpha * a / k)))]


def _drift_is_unbounded(effort: str) -> tuple[list[dict[str, Any]], bool]:
    rows, certified, paper = [], True, Fraction(1)
    wanted = {10: 2, 100: 5, 1000: 7}  # L times the difference exceeds these: it grows by log 10 each time
    for k in range(1, 1000):
        paper = (paper + Fraction(1, k)) * Fraction(k + 1, k + 2)
        if k + 1 in wanted:
            product = (k + 1) * (paper - 1)
            certified = certified and product > wanted[k + 1]
            text = f"L times the difference: {float(product):.6f}, above {wanted[k + 1]}"
            rows.append({"case": f"N = 1, f = 1, L = {k + 1}", "numbers": text, "margin": None})
    return rows, certified


@claim(
    "hippo.legs.disc.drift",
    title="After L steps the two index conventions differ by (log L)/L",
    statement=r"Component 0 of LegS, backward Euler ($\alpha = 1$), $f = 1$, from $c_1 = 1$: with $A/k$ on both sides the state"
    r" stays 1, with $A/k$ on the right and $A/(k+1)$ on the left it is $1 + H_{L-1}/(L+1)$ at index $L$,"
    r" $H_m = \sum_{j \le m} 1/j$. The conventions differ by $(\log L)/L$ here,"
    r" not by $O(1/L)$.",
    source="derived here, on the step of HiPPO as it is usually quoted and as its authors' code has it",
    domain="L = 2, ..., 60 (full: 400), exact rationals; any N, since row 0 of A is (1, 0, ..., 0)",
    routes=("the harmonic numbers", "both recurrences, N = 3, solved step by step over the rationals"),
    relation=IDENTICAL,
    expected="REFINED",
    corruptions=[{"shift": 0}, {"terms": 0}, {"constant": SMALL}],
    counterexample=Counterexample(r"After $L$ steps the two conventions differ by $O(1/L)$.", _drift_is_unbounded),
    tags=("legs", "exact", "discretization", "conventions"),
    related=("hippo.legs.disc.conventions",),
    figure="discretization-maps",
)
class IndexDrift:
    """States over R_n; component 0 of the paper's and of the code's state."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield {"L": 60 if effort == "quick" else 400}

    @staticmethod
    def claimed(case: Case, *, shift: int = 1, terms: int = 1, constant: Fraction = Fraction(1)) -> list[Any]:
        values, harmonic = [], fmpq(0)
        for L in range(2, case["L"] + 1):
            harmonic += fmpq(1, L - terms) if terms < L else 0
            one = fmpq(constant.numerator, constant.denominator)
            values += [one + harmonic / (L + shift), one]
        return values

    @staticmethod
    def computed(case: Case) -> list[Any]:
        N = 3
        A = fmpq_mat([[2 * k + 1 if n > k else (n + 1) * (n == k) for k in range(N)] for n in range(N)])
        identity = fmpq_mat([[int(n == k) for k in range(N)] for n in range(N)])
        ones = fmpq_mat([[1]] * N)
        paper = code = fmpq_mat([[1], [0], [0]])
        values = []
        for k in range(1, case["L"]):
            paper = (identity + A / fmpq(k + 1)).solve(paper + ones / fmpq(k))
            code = (identity + A / fmpq(k)).solve(code + ones / fmpq(k))
            values += [paper[0, 0], code[0, 0]]
        return values


@claim(
    "hippo.legs.disc.zoh",
    title="Zero-order hold of LegS is exact for staircase inputs",
    statement=r"If $f$ is constant, $f_k$, on $(k, k+1]$: $c(k+1) = e^{-A h} c(k) + A^{-1} (I - e^{-A h}) B f_k$ with"
    r" $h = \log((k+1)/k)$ and $A^{-1} B = e_0$: these are the exact coefficients of the staircase on $[0, k+1]$.",
    source="code of HiPPO's authors (the step with the logarithm of the ratio of times); exactness derived here",
    domain="N = 6, 9 steps of one staircase (full: N = 16, 40 steps), balls of 300 bits",
    routes=(
        "the recurrence, ball matrix exponentials",
        "integrals of the staircase against Legendre polynomials, exact",
    ),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"later": SMALL}, {"sign": 1}, {"gain": SMALL}, {"component": 1}],
    tags=("legs", "discretization"),
    related=("hippo.legs.disc",),
    figure="reconstruction",
)
class Staircase:
    """States over R_n: A has the entries 2k+1 below n+1 on the diagonal."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield {"N": 6, "steps": 9} if effort == "quick" else {"N": 16, "steps": 40}

    @staticmethod
    def claimed(
        case: Case,
        *,
        later: Fraction = Fraction(1),
        sign: int = -1,
        gain: Fraction = Fraction(1),
        component: int = 0,
    ) -> list[Any]:
        with balls(300).work() as ring:
            N = case["N"]
            A = arb_mat([[2 * k + 1 if n > k else (n + 1) * (n == k) for k in range(N)] for n in range(N)])
            unit = arb_mat([[int(n == component)] for n in range(N)])
            c, values = arb_mat([[int(n == 0)] for n in range(N)]), []
            for k in range(1, case["steps"] + 1):
                f = ring.number(gain * ((7 * k * k + 3) % 11 - 5))
                transition = (A * (sign * (ring.number(k + later) / k).log())).exp()
                c = transition * c + (unit - transition * unit) * f
                values += [c[n, 0] for n in range(N)]
            return values

    @staticmethod
    def computed(case: Case) -> list[Any]:
        with balls(300).work() as ring:
            values = []
            for t in range(2, case["steps"] + 2):
                for n in range(case["N"]):
                    total = Fraction(0)
                    for k in range(t):  # f_0 = 1, since the recurrence starts from e_0 at t = 1
                        f = (7 * k * k + 3) % 11 - 5 if k else 1
                        for i in range(n + 1):
                            a = (-1) ** (n + i) * math.comb(n, i) * math.comb(n + i, i)
                            total += a * f * Fraction((k + 1) ** (i + 1) - k ** (i + 1), (i + 1) * t ** (i + 1))
                    values.append(ring.number(total))
            return values


@claim(
    "hippo.prop4.factorization",
    title="The LegS matrix factors through a triangle of ones",
    statement=r"LegS (positive sign): $A = D (T + D_0) D$ with $T_{nk} = 1$ for $n \ge k$, $0$ for $n < k$,"
    r" $D = diag(\sqrt{2n+1})$ and $D_0 = diag(-n/(2n+1))$, for every $N$.",
    source="HiPPO, Proposition 4 and its proof; the constants derived here",
    domain="every entry below, on and above the diagonal, n and k symbolic",
    routes=("the product", "the entries of the theorem on LegS"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"slope": 3}, {"offset": 2}, {"numerator": 1}, {"inner": 2}],
    tags=("legs", "symbolic"),
    related=("hippo.prop4",),
    figure="family-tree-matrices",
)
class Factorization:
    """Diagonal matrices on both sides: entry by entry."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield from ({"entries": where} for where in ("below", "diagonal", "above"))

    @staticmethod
    def claimed(case: Case, *, slope: int = 2, offset: int = 1, numerator: int = -1, inner: int = 1) -> list[Any]:
        import sympy

        n, k = sympy.symbols("n k", integer=True, nonnegative=True)
        if case["entries"] == "diagonal":
            return [sympy.cancel((slope * n + offset) * (inner + numerator * n / (2 * n + 1)))]
        middle = inner if case["entries"] == "below" else 0
        return [middle * sympy.sqrt(slope * n + offset) * sympy.sqrt(slope * k + offset)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        n, k = sympy.symbols("n k", integer=True, nonnegative=True)
        entries = {"below": sympy.sqrt((2 * n + 1) * (2 * k + 1)), "diagonal": n + 1, "above": sympy.Integer(0)}
        return [sympy.powsimp(sympy.expand_power_base(entries[case["entries"]], force=True))]


@claim(
    "hippo.prop4",
    title="A step of LegS by a scalar recurrence",
    statement=r"$(I + s A) x = r$ for LegS: with $d_n = (1/s - n)/(2n+1)$ and $y_n = r_n/(s R_n)$ let"
    r" $\sigma_n = \frac{d_n}{1+d_n} \sigma_{n-1} + \frac{y_n}{1+d_n}$, $\sigma_{-1} = 0$; then"
    r" $x_n = (\sigma_n - \sigma_{n-1})/R_n$. One generalized bilinear step is this with $s = \alpha/(k+1)$ and costs $O(N)$.",
    source="HiPPO, Proposition 4 and its proof",
    domain="N = 1, ..., 12 (full: 40), s = 1/2, 1/3, 3/40, 2, exact rationals",
    routes=("the recurrence", "dense elimination over the rationals"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"shift": 2}, {"slope": 3}, {"sign": 1}, {"pivot": 2}, {"scale": SMALL}],
    tags=("legs", "exact", "discretization"),
    related=("hippo.prop4.factorization", "hippo.prop4.operations"),
)
class ScalarRecurrence:
    """x and r over R_n, which keeps all numbers rational: x_n/R_n = (sigma_n - sigma_(n-1))/(2n+1)."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for N in range(1, 13 if effort == "quick" else 41):
            for s in (Fraction(1, 2), Fraction(1, 3), Fraction(3, 40), Fraction(2)):
                yield {"N": N, "s": s}

    @staticmethod
    def claimed(
        case: Case, *, shift: int = 1, slope: int = 2, sign: int = -1, pivot: int = 1, scale: Fraction = Fraction(1)
    ) -> list[Any]:
        before, values, s = Fraction(0), [], case["s"]
        for n in range(case["N"]):
            d = (1 / s + sign * n) / (slope * n + shift)
            y = scale * Fraction((3 * n * n + 5) % 7 - 2, n + 1) / s
            running = d / (pivot + d) * before + y / (pivot + d)
            value = (running - before) / (2 * n + 1)
            values.append(fmpq(value.numerator, value.denominator))
            before = running
        return values

    @staticmethod
    def computed(case: Case) -> list[Any]:
        N, s = case["N"], fmpq(case["s"].numerator, case["s"].denominator)
        rows = [
            [s * (2 * k + 1) if n > k else (1 + s * (n + 1) if n == k else fmpq(0)) for k in range(N)] for n in range(N)
        ]
        right = fmpq_mat([[fmpq((3 * n * n + 5) % 7 - 2, n + 1)] for n in range(N)])
        solved = fmpq_mat(rows).solve(right)
        return [solved[n, 0] for n in range(N)]


def _counted_step(N: int) -> tuple[int, list[Fraction]]:
    """Operations and result of (I + s A)^-1 ((I - p A) c + q B) over R_n, with tables of n-dependent constants given."""
    counter = Counter()
    s, p, q = (counter.number(value) for value in (Fraction(1, 6), Fraction(1, 4), Fraction(5, 2)))
    c = [counter.number(Fraction(n + 1, n + 3)) for n in range(N)]
    odd, one_up = ([counter.number(v) for v in w] for w in (range(1, 2 * N, 2), range(1, N + 1)))
    one, sums, before, values = counter.number(1), None, None, []
    for n in range(N):
        # right side r_n = c_n - p (sum_(k<n) (2k+1) c_k + (n+1) c_n) + q
        inner = one_up[n] * c[n]
        inner = inner if sums is None else inner + sums
        right = (c[n] - p * inner) + q
        term = odd[n] * c[n]
        sums = term if sums is None else sums + term
        # x_n = (r_n - s S_n)/(1 + s (n+1)), S_(n+1) = S_n + (2n+1) x_n
        top = right if before is None else right - s * before
        x = top / (one + s * one_up[n])
        step = odd[n] * x
        before = step if before is None else before + step
        values.append(x)
    return counter.operations, [x.value for x in values]


@claim(
    "hippo.prop4.operations",
    title="A generalized bilinear step of LegS takes O(N) operations",
    statement=r"$(I + s A)^{-1} ((I - p A) c + q B)$ for LegS takes $14 N - 5$ additions, multiplications and divisions"
    r" by running sums (in $c_n/R_n$), against $2 N^2$ for one dense product.",
    source="HiPPO, Proposition 4; the count is of the recurrence derived here",
    domain="N = 1, ..., 40 (full: 200), counted; the results equal those of dense elimination, exact rationals",
    routes=("the count; dense elimination for the result", "the recurrence on numbers that count their operations"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"slope": 15}, {"offset": 0}],
    tags=("legs", "exact", "cost"),
    related=("hippo.prop4",),
)
class StepOperations:
    """The count, then the last component of the result."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 2, 3, 5, 8, 16, 40) if effort == "quick" else (1, 2, 3, 5, 8, 16, 40, 100, 200):
            yield {"N": N}

    @staticmethod
    def claimed(case: Case, *, slope: int = 14, offset: int = -5) -> list[Any]:
        N = case["N"]
        A = fmpq_mat([[2 * k + 1 if n > k else (n + 1) * (n == k) for k in range(N)] for n in range(N)])
        identity = fmpq_mat([[int(n == k) for k in range(N)] for n in range(N)])
        c = fmpq_mat([[fmpq(n + 1, n + 3)] for n in range(N)])
        right = c - A * c / fmpq(4) + fmpq_mat([[fmpq(5, 2)]] * N)
        return [slope * N + offset, (identity + A / fmpq(6)).solve(right)[N - 1, 0]]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        operations, values = _counted_step(case["N"])
        return [operations, fmpq(values[-1].numerator, values[-1].denominator)]


@claim(
    "hippo.prop4.products",
    title="The recurrence of a LegS step cannot be taken by quotients of running products",
    statement=r"The running products of the multipliers, $\prod_{n<j} \frac{1 - s n}{1 + s (n+1)}$, at $s = 1/m$ (backward Euler"
    r" at index $k = m - 1$) are $\frac{m!^2}{(m-j)! (m+j)!}$ for $j \le m$, down to $1/\binom{2m}{m}$, and $0$ for $j > m$:"
    r" dividing by them, as a version by cumulative sums and products does, fails for $N > m$.",
    source="derived here; notes on HiPPO, Proposition 4, call a version by cumulative sums and products unstable",
    domain="m = 1, ..., 12 (full: 60), j < 2m, exact rationals",
    routes=("the closed form", "products, one factor at a time"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"up": 1}, {"down": 1}, {"power": 1}, {"beyond": 1}],
    tags=("legs", "exact", "discretization"),
    related=("hippo.prop4",),
)
class RunningProducts:
    """With d_n/(1 + d_n) = (1 - s n)/(1 + s (n+1)) for the d_n of hippo.prop4."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for m in range(1, 13 if effort == "quick" else 61):
            yield {"m": m}

    @staticmethod
    def claimed(case: Case, *, up: int = 0, down: int = 0, power: int = 2, beyond: int = 0) -> list[Any]:
        m = case["m"]
        within = [
            Fraction(math.factorial(m) ** power, math.factorial(m - j + down) * math.factorial(m + j + up))
            for j in range(m + 1)
        ]
        return [*within, *[Fraction(beyond)] * (m - 1)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        s, product, values = Fraction(1, case["m"]), Fraction(1), []
        for n in range(2 * case["m"]):
            values.append(product)
            d = (1 / s - n) / (2 * n + 1)
            product *= d / (1 + d)
        return values


def _gain_at(N: int, x: Fraction) -> Any:
    """t1 norm(dc(t1)/df(t0)) at x = t0/t1: the square root of sum (2n+1) P_n(2x-1)^2, exact under the root."""
    total, previous, current = Fraction(0), Fraction(0), Fraction(1)
    y = 2 * x - 1
    for n in range(N):
        total += (2 * n + 1) * current * current
        previous, current = current, ((2 * n + 1) * y * current - n * previous) / (n + 1)
    return arb(fmpq(total.numerator, total.denominator)).sqrt()


def _gradient_constant(effort: str) -> tuple[list[dict[str, Any]], bool]:
    rows, certified = [], True
    with balls(128).work():
        for N in (4, 16, 64, 256):
            end, middle = _gain_at(N, Fraction(1)), _gain_at(N, Fraction(1, 2))
            certified = certified and bool(end >= N * (1 - arb(2) ** -60)) and bool(middle < arb(N).sqrt())
            text = f"t1 norm = {end.str(8)} at t0 = t1, {middle.str(8)} at t0 = t1/2 (below sqrt N)"
            rows.append({"case": f"N = {N}", "numbers": text, "margin": None})
    return rows, certified


@claim(
    "hippo.prop5",
    title="Gradients of LegS decay like 1/t, with a constant that grows with N",
    statement=r"LegS: $\|\partial c(t_1)/\partial f(t_0)\| = \frac{1}{t_1} (\sum_{n<N} (2n+1) P_n(2x-1)^2)^{1/2}$, $x = t_0/t_1$,"
    r" for $0 < t_0 \le t_1$: at least $1/t_1$ and at most $N/t_1$,"
    r" which is attained at $t_0 = t_1$: $\Theta(1/t_1)$ holds for fixed $N$.",
    source="HiPPO, Proposition 5; the constant derived here",
    domain="N = 1, 2, 5, 16 (full: 48), t1 = 1, 7, x = 1/50, 1/2, 7/8, 1, balls of 400 bits",
    routes=("the sum of Legendre polynomials", "norm of exp(-A log(t_1/t_0)) B/t_0, ball matrix exponential"),
    relation=EQUAL,
    expected="REFINED",
    corruptions=[{"slope": 3}, {"offset": 2}, {"scale": SMALL}, {"shift": SMALL}, {"rate": 2}],
    counterexample=Counterexample(
        r"$\|\partial c(t_1)/\partial f(t_0)\| = \Theta(1/t_1)$ with constants that do not depend on $N$.",
        _gradient_constant,
    ),
    tags=("legs", "gradient"),
    related=("hippo.thm2.legs", "hippo.prop5.bounds"),
    figure="gradient-decay",
)
class Gradient:
    """The impulse response of the time-varying system."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 2, 5, 16) if effort == "quick" else (1, 2, 5, 16, 48):
            for t in (1, 7):
                for x in (Fraction(1, 50), Fraction(1, 2), Fraction(7, 8), Fraction(1)):
                    yield {"N": N, "t1": t, "x": x}

    @staticmethod
    def claimed(
        case: Case,
        *,
        slope: int = 2,
        offset: int = 1,
        scale: Fraction = Fraction(1),
        shift: Fraction = Fraction(1),
        rate: int = 1,
    ) -> list[Any]:
        with balls(400).work() as ring:
            y = ring.number(2 * case["x"] - shift)
            total = sum(((slope * n + offset) * y.legendre_p(n) ** 2 for n in range(case["N"])), arb(0))
            return [ring.number(scale) * total.sqrt() / case["t1"] ** rate]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        with balls(400).work() as ring:
            N, t1 = case["N"], case["t1"]
            t0 = ring.number(case["x"] * t1)
            roots = [arb(2 * n + 1).sqrt() for n in range(N)]
            A = arb_mat(
                [[roots[n] * roots[k] if n > k else arb((n + 1) * (n == k)) for k in range(N)] for n in range(N)]
            )
            response = (A * -(t1 / t0).log()).exp() * arb_mat([[root] for root in roots])
            return [sum((response[n, 0] ** 2 for n in range(N)), arb(0)).sqrt() / t0]


@claim(
    "hippo.prop5.bounds",
    title="Gradients of LegS lie between 1/t and N/t",
    statement=r"$1 \le \sum_{n<N} (2n+1) P_n(2x-1)^2 \le N^2$ for $0 \le x \le 1$, with equality on the right at both ends"
    r" and on the left for $N = 1$: hence $\frac{1}{t_1} \le \|\partial c(t_1)/\partial f(t_0)\| \le \frac{N}{t_1}$ for LegS.",
    source="derived here, the two constants of HiPPO, Proposition 5",
    domain="N = 1, ..., 16 (full: 64), x = 0, 1/32, ..., 1, exact rationals",
    routes=("the bounds", "the sum, Legendre polynomials of python-flint over the rationals"),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[{"power": 1}, {"scale": 1 / SMALL}, {"least": SMALL}],
    tags=("legs", "gradient", "exact"),
    related=("hippo.prop5",),
    figure="gradient-decay",
)
class GradientBounds:
    """The upper bound, and the lower one of the reciprocal."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for N in range(1, 17 if effort == "quick" else 65):
            yield {"N": N}

    @staticmethod
    def claimed(
        case: Case, *, power: int = 2, scale: Fraction = Fraction(1), least: Fraction = Fraction(1)
    ) -> list[Any]:
        with balls(400).work() as ring:
            return [ring.number(scale) * case["N"] ** power, 1 / ring.number(least)] * 33

    @staticmethod
    def computed(case: Case) -> list[Any]:
        with balls(400).work():
            values = []
            for i in range(33):
                x = fmpq(i, 16) - 1
                kernel = sum(((2 * n + 1) * fmpq_poly.legendre_p(n)(x) ** 2 for n in range(case["N"])), fmpq(0))
                values += [arb(kernel), arb(1 / kernel)]
            return values
