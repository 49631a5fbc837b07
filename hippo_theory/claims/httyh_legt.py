"""HTTYH: LegT on its window: where it is exact, the delay as a Pade approximant, and what is left beyond the window."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import arb, arb_mat, fmpq, fmpq_mat

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import IDENTICAL, WITHIN
from hippo_theory.families import LegT, make_family

__all__: list[str] = []

PAPER = "HTTYH (arXiv:2206.12037)"
STEP = Fraction(1, 10**6)


def _degree_too_high(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """u = t^N at t = 0: row 0 of x' = A x + B u misses by what of u(t-1) cannot be reconstructed from degree N - 1."""
    rows, shown = [], True
    for N in (1, 2, 3, 6):
        # At t = 0: y_n = int_0^1 P_n(1-2s) (-s)^N ds, y_0' = N int_0^1 (-s)^(N-1) ds = (-1)^(N-1), A_0k = -(-1)^k (2k+1), u = 0.
        y = [
            (-1) ** (n + N) * Fraction(math.factorial(N) ** 2, math.factorial(N - n) * math.factorial(N + n + 1))
            for n in range(N)
        ]
        defect = Fraction((-1) ** (N - 1)) + sum((-1) ** k * (2 * k + 1) * y[k] for k in range(N))
        rows.append({"case": f"N = {N}, u = t^{N}, t = 0", "numbers": f"y_0' - (Ay + Bu)_0 = {defect}", "margin": None})
        shown = shown and defect != 0
    return rows, shown


@claim(
    "httyh.legt",
    title="LegT tracks its window exactly for polynomials of degree below N, and only approximately else",
    statement=r"$x_n(t) = \int_0^1 R_n P_n(1-2s)\, u(t-s)\, ds$ satisfies $x' = Ax + Bu$ with $A_{nk} = -R_n "
    r"R_k$ ($k \le n$), $-(-1)^{n-k} R_n R_k$ ($k > n$), $B_n = R_n$, exactly for every polynomial $u$ of "
    r"degree at most $N-1$: the value $u(t-1)$ that leaves the window is then reconstructed exactly. For "
    r"degree $N$ it fails.",
    source=f"{PAPER}, LegT as a time-invariant system on the window [0, 1]",
    domain="N = 1, ..., 6 (full: 12), u = t^d, d < N, all rows and all powers of t, exact rationals (x_n / R_n)",
    routes=(
        "A x + B u with moments by the beta integral",
        "the derivative of the projection, integrated power by power",
    ),
    relation=IDENTICAL,
    expected="REFINED",
    counterexample=Counterexample(
        r"The LTI system of LegT computes the projection on the window for every $u$.", _degree_too_high
    ),
    corruptions=[{"lower": -1 - STEP}, {"parity": 1}, {"gain": 1 + STEP}],
    tags=("legt", "exact"),
    related=("httyh.legt.tail", "httyh.legt.pade"),
    figure="reconstruction",
)
class LegtProjection:
    """Coordinates y_n = x_n / R_n: A_nk = -(2k+1) or -(-1)^(n-k) (2k+1), B = 1."""

    def cases(effort: str) -> Iterator[Case]:
        for N in range(1, 7 if effort == "quick" else 13):
            for d in range(N):
                yield {"N": N, "d": d}

    def claimed(
        case: Case, *, lower: Fraction = Fraction(-1), parity: int = -1, gain: Fraction = Fraction(1)
    ) -> list[Any]:
        N, d = case["N"], case["d"]
        # y_n = sum_i binom(d, i) t^(d-i) (-1)^i int P_n(1-2s) s^i ds, the integral being (-1)^n i!^2/((i-n)! (i+n+1)!).
        y = [
            [
                (-1) ** (i + n)
                * math.comb(d, i)
                * Fraction(math.factorial(i) ** 2, math.factorial(i - n) * math.factorial(i + n + 1))
                * (i >= n)
                if i >= n
                else Fraction(0)
                for i in range(d + 1)
            ]
            for n in range(N)
        ]
        values = []
        for n in range(N):
            for i in range(d + 1):  # coefficient of t^(d-i)
                total = sum(
                    (lower * (2 * k + 1) if k <= n else -(Fraction(parity) ** (k - n)) * (2 * k + 1)) * y[k][i]
                    for k in range(N)
                )
                values.append(total + gain * (i == 0))
        return values

    def computed(case: Case) -> list[Any]:
        N, d = case["N"], case["d"]
        values = []
        for n in range(N):
            legendre = [(-1) ** j * math.comb(n, j) * math.comb(n + j, j) for j in range(n + 1)]  # P_n(1-2s)
            for i in range(d + 1):
                # d/dt of t^(d-i+1) binom(d, i-1) (-s)^(i-1)
                if i == 0:
                    values.append(Fraction(0))
                    continue
                moment = sum(Fraction(c, j + i) for j, c in enumerate(legendre))
                values.append((d - i + 1) * math.comb(d, i - 1) * (-1) ** (i - 1) * moment)
        return values


@claim(
    "httyh.legt.pade",
    title="LegT delays by the Pade approximant of e^-s",
    statement=r"LegT on the window [0, 1], $C_n = (-1)^n R_n$: $C(sI-A)^{-1}B = \frac{\sum_{j<N} p_j "
    r"(-s)^j}{\sum_{j\le N} q_j s^j}$ with $p_j = \frac{(2N-1-j)!\,(N-1)!}{(2N-1)!\,j!\,(N-1-j)!}$, $q_j = "
    r"\frac{(2N-1-j)!\,N!}{(2N-1)!\,j!\,(N-j)!}$: the $[N-1/N]$ Pade approximant of $e^{-s}$.",
    source=f"{PAPER}, comment in the authors' notebook; known for LMU",
    domain="N = 1, ..., 10 (full: 24), s = 1/2, 3, -1/3, 20, exact rationals",
    routes=("the two sums", "an exact linear solve with the rational form of LegT (LMU)"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"delay": 1 + STEP}, {"less": 0}, {"sign": 1}],
    tags=("legt", "delay", "exact"),
    related=("httyh.legt.pade.order",),
    figure="delay-network",
)
class LegtPade:
    """LMU is D A D^-1 with D = diag((-1)^n R_n): C D^-1 is all ones."""

    def cases(effort: str) -> Iterator[Case]:
        for N in range(1, 11 if effort == "quick" else 25):
            for s in (Fraction(1, 2), Fraction(3), Fraction(-1, 3), Fraction(20)):
                yield {"N": N, "s": s}

    def claimed(case: Case, *, delay: Fraction = Fraction(1), less: int = 1, sign: int = -1) -> list[Any]:
        N, s = case["N"], case["s"] * delay
        low, f = N - less, math.factorial
        top = sum(
            Fraction(f(low + N - j) * f(low), f(low + N) * f(j) * f(low - j)) * (sign * s) ** j for j in range(low + 1)
        )
        bottom = sum(
            Fraction(f(low + N - j) * f(N), f(low + N) * f(j) * f(N - j)) * (-sign * s) ** j for j in range(N + 1)
        )
        return [top / bottom]

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        lmu = make_family("lmu", N)
        A, B = lmu.A.astype(int), lmu.B.astype(int)  # float64 holds these integers exactly
        s = fmpq(case["s"].numerator, case["s"].denominator)
        matrix = fmpq_mat([[s * int(n == k) - int(A[n, k]) for k in range(N)] for n in range(N)])
        x = matrix.solve(fmpq_mat([[fmpq(int(b))] for b in B]))
        y = sum((x[n, 0] for n in range(N)), fmpq(0))
        return [Fraction(int(y.p), int(y.q))]


@claim(
    "httyh.legt.pade.order",
    title="How far the delay of LegT agrees with e^-s, and its first wrong coefficient",
    statement=r"The Taylor series of $C(sI-A)^{-1}B$ at 0 is that of $e^{-s}$ through $s^{2N-1}$; the "
    r"coefficient of $s^{2N}$ is $\frac{1}{(2N)!} - (-1)^N \frac{N!\,(N-1)!}{(2N)!\,(2N-1)!}$.",
    source=f"{PAPER}, comment in the authors' notebook; error term derived here",
    domain="N = 1, ..., 12 (full: 24), 2N + 1 coefficients each, exact rationals",
    routes=("coefficients of e^-s and the error term of Pade approximation", "-C A^(-k-1) B by exact solves"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"sign": 1}, {"delay": 1 + STEP}, {"error": 1 + STEP}],
    tags=("legt", "delay", "exact"),
    related=("httyh.legt.pade",),
    figure="delay-network",
)
class LegtPadeOrder:
    """All moments of the delayed spike up to order 2N - 1 are right."""

    def cases(effort: str) -> Iterator[Case]:
        for N in range(1, 13 if effort == "quick" else 25):
            yield {"N": N}

    def claimed(
        case: Case, *, sign: int = -1, delay: Fraction = Fraction(1), error: Fraction = Fraction(1)
    ) -> list[Any]:
        N, f = case["N"], math.factorial
        values = [Fraction(sign**k, f(k)) * delay**k for k in range(2 * N + 1)]
        values[2 * N] -= error * (-1) ** N * Fraction(f(N) * f(N - 1), f(2 * N) * f(2 * N - 1))
        return values

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        lmu = make_family("lmu", N)
        inverse = fmpq_mat([[fmpq(int(a)) for a in row] for row in lmu.A]).inv()
        x = fmpq_mat([[fmpq(int(b))] for b in lmu.B])
        values = []
        for _ in range(2 * N + 1):
            x = inverse * x
            total = -sum((x[n, 0] for n in range(N)), fmpq(0))
            values.append(Fraction(int(total.p), int(total.q)))
        return values


@claim(
    "httyh.legt.tail",
    title="The kernels of LegT leak beyond the window, by an energy of the order of 1/N",
    statement=r"LegT on [0, 1]: $N \int_1^\infty K_0(t)^2\, dt = 0.0605397,\ 0.0633745,\ 0.0665836$ for $N = 4, 8, 16$ "
    r"(and $0.0695380$ for $32$): not zero for a finite $N$, and decaying with $N$.",
    source=f"{PAPER}, the window of LegT is exact in the limit only",
    domain="N = 4, 8, 16 (full: 32), seven decimals (corruptions change the last), balls",
    routes=(
        "the decimals over N, half a unit of the last either way",
        "e_0^T e^A W e^(A^T) e_0 with the Gramian W of an enclosed Lyapunov equation",
    ),
    relation=WITHIN,
    expected="CERTIFIED",
    corruptions=[
        {"values": (605398, 633745, 665836, 695380)},
        {"values": (605397, 633746, 665836, 695380)},
        {"values": (605397, 633745, 665837, 695380)},
        {"power": Fraction(1000001, 1000000)},
    ],
    tags=("legt", "window"),
    related=("httyh.legt",),
    figure="other-families-full-against-diagonal",
)
class LegtTail:
    """In units of 1e-7."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (4, 8, 16) if effort == "quick" else (4, 8, 16, 32):
            yield {"N": N}

    def claimed(
        case: Case, *, values: tuple[int, ...] = (605397, 633745, 665836, 695380), power: Fraction = Fraction(1)
    ) -> list[Any]:
        with balls(256).work() as ring:
            decimal = arb(values[(4, 8, 16, 32).index(case["N"])]) + arb(0, 0.5)
            return [decimal / 10**7 / arb(case["N"]) ** ring.number(power)]

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        with balls(256).work() as ring:
            family = LegT(N)
            A, B = family.state_matrix(ring), family.input_vector(ring)
            # A W + W A^T = -B B^T as a linear system in the entries W_ij, i <= j.
            places = {pair: p for p, pair in enumerate((i, j) for i in range(N) for j in range(i, N))}
            rows = [[arb(0)] * len(places) for _ in places]
            for (i, j), p in places.items():
                for k in range(N):
                    rows[p][places[min(k, j), max(k, j)]] += A[i, k]
                    rows[p][places[min(i, k), max(i, k)]] += A[j, k]
            right = [[-B[i] * B[j]] for i, j in places]
            solved = arb_mat(rows).solve(arb_mat(right))
            W = arb_mat([[solved[places[min(i, j), max(i, j)], 0] for j in range(N)] for i in range(N)])
            row = arb_mat([arb_mat(A.tolist()).exp().table()[0]])
            tail = (row * W * row.transpose())[0, 0]
            return [tail]


def _moment_too_high(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """N = 1: K_0 = e^-t, whose moments are k!, against 1/(k+1): equal for k = 0 only."""
    rows, shown = [], True
    for k in (1, 2, 3):
        kernel, window = Fraction(math.factorial(k)), Fraction(1, k + 1)
        rows.append({"case": f"N = 1, n = 0, k = {k}", "numbers": f"{kernel} against {window}", "margin": None})
        shown = shown and kernel != window
    return rows, shown


@claim(
    "httyh.legt.window",
    title="The kernels of LegT are the Legendre polynomials on the window in their first moments",
    statement=r"LegT on [0, 1]: $\int_0^\infty t^k K_n(t)\, dt = \int_0^1 t^k R_n P_n(1-2t)\, dt$ for $k \le "
    r"2N-2-n$, exactly, for every $N$ and $n < N$. For higher $k$ it fails: $K_n = p_n \omega$ with $\omega "
    r"= 1_{[0,1]}$ holds in the limit only.",
    source=f"{PAPER}, LegT as an orthogonal SSM on the window [0, 1]; the count of exact moments is derived here",
    domain="N = 1, ..., 8 (full: 16), all n and k <= 2N-2-n, exact rationals (divided by R_n)",
    routes=("the beta integral", "k! e_n^T (-A)^(-k-1) B by exact solves"),
    relation=IDENTICAL,
    expected="REFINED",
    counterexample=Counterexample(r"$K_n = p_n 1_{[0,1]}$ for a finite $N$ (all moments agree).", _moment_too_high),
    corruptions=[{"sign": 1}, {"factor": 1 + STEP}, {"offset": 2}],
    tags=("legt", "window", "exact"),
    related=("httyh.legt.pade.order",),
    figure="reconstruction",
)
class LegtWindow:
    """LMU states are z_n = (-1)^n (2n+1) x_n / R_n."""

    def cases(effort: str) -> Iterator[Case]:
        for N in range(1, 9 if effort == "quick" else 17):
            yield {"N": N}

    def claimed(case: Case, *, sign: int = -1, factor: Fraction = Fraction(1), offset: int = 1) -> list[Any]:
        N, f, values = case["N"], math.factorial, []
        for n in range(N):
            for k in range(2 * N - 1 - n):
                inside = Fraction(f(k) ** 2, f(k - n) * f(k + n + offset)) if k >= n else Fraction(0)
                values.append(factor * sign**n * inside)
        return values

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        lmu = make_family("lmu", N)
        inverse = -fmpq_mat([[fmpq(int(a)) for a in row] for row in lmu.A]).inv()
        z = fmpq_mat([[fmpq(int(b))] for b in lmu.B])
        moments = []
        for k in range(2 * N - 1):
            z = inverse * z
            moments.append([z[n, 0] * math.factorial(k) * (-1) ** n / (2 * n + 1) for n in range(N)])
        return [Fraction(int(m[n].p), int(m[n].q)) for n in range(N) for m in moments[: 2 * N - 1 - n]]
