"""HTTYH: time scales, normalization, and which measure the two Laguerre systems realize."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, arb_mat, fmpq

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import AT_MOST, EQUAL, IDENTICAL
from hippo_theory.families import LagT, LegS, make_family
from hippo_theory.norms import exact_gramian

__all__: list[str] = []

PAPER = "HTTYH (arXiv:2206.12037)"
STEP = Fraction(1, 10**6)


def _smallest_window(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """LegT with N = 1 is x' = -x + u: its mean age is 1."""
    A, B = Fraction(-1), Fraction(1)
    age = (B / A**2) / (-B / A)
    return [{"case": "LegT, N = 1", "numbers": f"mean age {age}, of the window 1/2", "margin": None}], age != Fraction(
        1, 2
    )


@claim(
    "httyh.timescale",
    title="Time scales: 1 for LegS, 1/2 for a window of length 1",
    statement=r"The mean age $E[\omega] = \int t\,\omega \big/ \int \omega$ is 1 for LegS and $\frac12$ for LegT "
    r"and FouT on $[0,1]$; the state of the constant basis function has it exactly for finite $N$: $\int t "
    r"K_0 / \int K_0$ is 1 (LegS, every $N$), $\frac12$ (FouT, every $N$; LegT, $N \ge 2$).",
    source=f"{PAPER}, definition of the timescale, as usually quoted",
    domain="LegS N = 1, 2, 8; LegT N = 2, 3, 9; FouT N = 1, 5, 11, balls; the mean age of the measure beside it",
    routes=(
        "the two numbers",
        "linear solves e_0^T A^-2 B / (-e_0^T A^-1 B) with the family's A; the mean age that the family states",
    ),
    relation=EQUAL,
    expected="REFINED",
    counterexample=Counterexample(r"The mean age of $K_0$ is $\frac12$ for LegT of every size.", _smallest_window),
    corruptions=[{"legs": 1 + STEP}, {"window": Fraction(1, 2) + STEP}],
    tags=("timescale",),
    related=("httyh.timescale.steps", "httyh.fout.half"),
    figure="time-scales",
)
class Timescale:
    """Two ways to the mean age on the side that is computed."""

    def cases(effort: str) -> Iterator[Case]:
        for name, sizes in (("legs", (1, 2, 8)), ("legt", (2, 3, 9)), ("fout", (1, 5, 11))):
            for N in sizes:
                yield {"family": name, "N": N}

    def claimed(case: Case, *, legs: Fraction = Fraction(1), window: Fraction = Fraction(1, 2)) -> list[Any]:
        with balls(200).work() as ring:
            return [ring.number(legs if case["family"] == "legs" else window)] * 2

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        family = make_family(case["family"], N)
        with balls(200).work() as ring:
            A = arb_mat(family.state_matrix(ring).tolist())
            first = A.solve(arb_mat([[-b] for b in family.input_vector(ring)]))
            second = A.solve(-first)
            return [second[0, 0] / first[0, 0], ring.number(family.timescale)]


@claim(
    "httyh.timescale.steps",
    title="A step Delta means a memory of about 1/Delta steps",
    statement=r"LegS with zero-order hold and step $\Delta$: the mean lag of the kernel of $x_0$ lies between "
    r"$\frac1\Delta - \frac12$ and $\frac1\Delta - \frac12 + \frac{\Delta}{12}$, for every $N$ (it is "
    r"$1/(e^\Delta - 1)$).",
    source=f"{PAPER}, interpretation of the step; the half step is derived here",
    domain="N = 1, 4, 8, Delta = 1/1000, 1/50, 1/2, balls",
    routes=("the two bounds", "e_0^T Abar (I - Abar)^-2 Bbar of the discretized family, by the matrix exponential"),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[
        {"inverse": 1 - STEP},
        {"half": Fraction(1, 2) + Fraction(1, 10**3)},
        {"half": Fraction(1, 2) - Fraction(1, 10**3)},
        {"twelve": 12 + Fraction(1, 100)},
    ],
    tags=("timescale", "discretization"),
    figure="time-scales",
)
class TimescaleSteps:
    """Upper bound, then minus the lower one."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 4, 8):
            for step in (Fraction(1, 1000), Fraction(1, 50), Fraction(1, 2)):
                yield {"N": N, "step": step}

    def claimed(
        case: Case,
        *,
        inverse: Fraction = Fraction(1),
        half: Fraction = Fraction(1, 2),
        twelve: Fraction = Fraction(12),
    ) -> list[Any]:
        with balls(256).work() as ring:
            low = inverse / case["step"] - half
            return [ring.number(low + case["step"] / twelve), -ring.number(low)]

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        with balls(256).work() as ring:
            family = LegS(N)
            A = arb_mat(family.state_matrix(ring).tolist())
            discrete = (A * ring.number(case["step"])).exp()
            one = arb_mat([[arb(int(n == k)) for k in range(N)] for n in range(N)])
            column = A.solve((discrete - one) * arb_mat([[b] for b in family.input_vector(ring)]))
            # sum_l K_l = (I - Abar)^-1 Bbar, sum_l l K_l = Abar (I - Abar)^-2 Bbar
            first = (one - discrete).solve(column)
            second = discrete * (one - discrete).solve(first)
            lag = second[0, 0] / first[0, 0]
            return [lag, -lag]


def _unweighted(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """A = I/2 - tril(1), B = 1: A x = -B has x = 2 (1, -1, 1, ...), of norm 2 sqrt(N)."""
    rows, shown = [], True
    for N in (1, 4, 16):
        x = [Fraction(2 * (-1) ** n) for n in range(N)]
        # Row n of A: -1 before the diagonal, -1/2 on it.
        solved = all(-sum(x[:n]) - x[n] / 2 == -1 for n in range(N))
        rows.append(
            {"case": f"N = {N}, beta = 0", "numbers": f"squared norm {sum(c * c for c in x)}, not 1", "margin": None}
        )
        shown = shown and solved and sum(c * c for c in x) == 4 * N
    return rows, shown


@claim(
    "httyh.norm",
    title="A constant input of one has the state e_0, if the measure is a probability measure",
    statement=r"$A e_0 = -B$, that is $-A^{-1}B = e_0$, for LegS, LegT, FouT and Laguerre with $\beta = 1$ "
    r"($\omega = e^{-t}$). For Laguerre with $\beta = 0$ ($\omega = 1$, of infinite mass) the state is "
    r"$2(1,-1,1,\dots)$, of norm $2\sqrt N$.",
    source=f"{PAPER}, normalization of TOSSMs, as usually quoted",
    domain="N = 1, 5, 11, all four, balls",
    routes=("the vector", "a linear solve with the family's A"),
    relation=EQUAL,
    expected="REFINED",
    counterexample=Counterexample(
        r"$-A^{-1}B = e_0$ for every HiPPO system, Laguerre with weight 1 included.", _unweighted
    ),
    corruptions=[{"norm": 1 + STEP}, {"component": 1}, {"twice": 2 + STEP}, {"sign": 1}],
    tags=("normalization",),
    related=("httyh.norm.code",),
    figure="time-scales",
)
class Normalization:
    """N = 1 has no component 1: a corruption leaves the zero vector there."""

    def cases(effort: str) -> Iterator[Case]:
        for name in ("legs", "legt", "fout", "lagt, beta = 1", "lagt, beta = 0"):
            for N in (1, 5, 11):
                yield {"family": name, "N": N}

    def claimed(
        case: Case,
        *,
        norm: Fraction = Fraction(1),
        component: int = 0,
        twice: Fraction = Fraction(2),
        sign: int = -1,
    ) -> list[Any]:
        with balls(200).work() as ring:
            if case["family"] == "lagt, beta = 0":
                return [ring.number(twice * sign**n) for n in range(case["N"])]
            return [ring.number(norm * (n == component)) for n in range(case["N"])]

    def computed(case: Case) -> list[Any]:
        N, name = case["N"], case["family"]
        family = LagT(N, beta=Fraction(int(name[-1]))) if name.startswith("lagt") else make_family(name, N)
        with balls(200).work() as ring:
            A = arb_mat(family.state_matrix(ring).tolist())
            x = A.solve(arb_mat([[-b] for b in family.input_vector(ring)]))
            return [x[n, 0] for n in range(N)]


@claim(
    "httyh.norm.code",
    title="The code's normalization halves B: it restores the B/2 that the diagonal theory needs",
    statement=r"The option divides $B$ by $\sqrt{2 \sum |B_i/\lambda_i|^2}$, the sum over one of each conjugate "
    r"pair. For the normal part of LegS with the full $B$ (even $N$) that is exactly 2, since "
    r"$\|(A^{(N)})^{-1} B\| = 2$.",
    source="state-spaces/s4, dplr.py: normalize; the value is derived here",
    domain="N = 2, 4, 16, 64 (full: 256), certified eigenvalues and weights",
    routes=("the number 2", "the sum over the certified spectrum of the family"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"divisor": 2 + 2 * STEP}],
    tags=("normalization", "diagonal"),
    related=("httyh.norm",),
)
class NormalizationCode:
    """Spectrum and weights come from the closed form of the family."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (2, 4, 16, 64) if effort == "quick" else (2, 4, 16, 64, 256):
            yield {"N": N}

    def claimed(case: Case, *, divisor: Fraction = Fraction(2)) -> list[Any]:
        with balls(200).work() as ring:
            return [ring.number(divisor)]

    def computed(case: Case) -> list[Any]:
        with balls(200).work() as ring:
            family = LegS(case["N"])
            spectrum, weights = family.normal_spectrum(ring), family.normal_weights(ring)
            total = sum((abs(weights[m]) ** 2 / abs(spectrum[m]) ** 2 for m in range(case["N"] // 2)), arb(0))
            return [ring.sqrt(2 * total)]


def _wrong_weight(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """A = I/2 - tril(1) with omega = e^-t: p_0 = K_0/omega = e^(t/2), whose squared norm up to T is T."""
    rows, shown = [], True
    for horizon in (2, 10, 100):
        # integral over [0, T] of (e^(t/2))^2 e^-t is T
        rows.append(
            {"case": f"n = 0, T = {horizon}", "numbers": f"squared norm up to T: {horizon}, not 1", "margin": None}
        )
        shown = shown and horizon > 1
    return rows, shown


@claim(
    "httyh.lagt",
    title="Which Laguerre system realizes the exponentially fading weight",
    statement=r"$A = \frac{1-\beta}{2} I - L$, $L$ all ones on and below the diagonal, $B = 1$: $e_n^T e^{tA}B = "
    r"e^{-(1+\beta)t/2} Lag_n(t) = p_n\omega$ with $\omega = e^{-\beta t}$, $p_n = e^{-(1-\beta)t/2} Lag_n$, "
    r"orthonormal in $L_2(\omega)$. The stored Laguerre system ($\beta = 0$) thus has weight 1 and does not "
    r"realize $e^{-t}$; $\beta = 1$ does.",
    source=f"{PAPER} and the README of state-spaces/s4, which discourages LagT for not realizing its exponential "
    f"weight",
    domain="beta = 0, 1, 1/2, n < 7: 12 Taylor coefficients of each kernel and the Gram matrix, exact rationals",
    routes=(
        "closed forms, moments by factorials",
        "powers of the family's A; the Lyapunov equation of (A + beta I/2, B)",
    ),
    relation=IDENTICAL,
    expected="REFINED",
    counterexample=Counterexample(
        r"The system $A = \frac12 I - L$, $B = 1$ realizes $\omega = e^{-t}$.", _wrong_weight
    ),
    corruptions=[{"rate": Fraction(1, 2) + STEP}, {"weight": 1 + STEP}, {"sign": 1}],
    tags=("lagt", "orthogonality", "exact"),
    figure="measures-and-bases",
)
class LaguerreWeight:
    """Gram of p_n: moments of e^(-(1-beta) t) e^(-beta t) t^q."""

    SIZE, TERMS = 7, 12

    def cases(effort: str) -> Iterator[Case]:
        for beta in (Fraction(0), Fraction(1), Fraction(1, 2)):
            yield {"beta": beta}

    def claimed(
        case: Case, *, rate: Fraction = Fraction(1, 2), weight: Fraction = Fraction(1), sign: int = -1
    ) -> list[Any]:
        N, beta, f = LaguerreWeight.SIZE, case["beta"], math.factorial
        laguerre = [[Fraction(sign**j * math.comb(n, j), f(j)) for j in range(n + 1)] for n in range(N)]
        decay = rate * (1 + beta)
        values = []
        for row in laguerre:
            for q in range(LaguerreWeight.TERMS):
                values.append(sum(a * (-decay) ** (q - j) / f(q - j) for j, a in enumerate(row) if j <= q))
        # p_n = K_n / omega with omega = e^(-weight beta t): the total rate of p_n p_m omega is 2 decay - weight beta.
        total = 2 * decay - weight * beta
        for n in range(N):
            for m in range(N):
                terms = (
                    a * b * f(j + k) / total ** (j + k + 1)
                    for j, a in enumerate(laguerre[n])
                    for k, b in enumerate(laguerre[m])
                )
                values.append(sum(terms, Fraction(0)))
        return values

    def computed(case: Case) -> list[Any]:
        from hippo_theory.arithmetic import rationals

        N, family = LaguerreWeight.SIZE, LagT(LaguerreWeight.SIZE, beta=case["beta"])
        A, B = family.state_matrix(rationals()), family.input_vector(rationals())
        state, columns = B, []
        for q in range(LaguerreWeight.TERMS):
            columns.append(state / fmpq(math.factorial(q)))
            state = A @ state
        half = fmpq(case["beta"].numerator, 2 * case["beta"].denominator)
        shift = np.array([[half if n == k else fmpq(0) for k in range(N)] for n in range(N)], dtype=object)
        flat = [column[n] for n in range(N) for column in columns] + list(exact_gramian(A + shift, B).ravel())
        return [Fraction(int(x.p), int(x.q)) for x in flat]
