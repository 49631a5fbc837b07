"""HTTYH: delays and spikes with FouT: the limit and its rate, what is exact for a finite size, what never is."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import acb, acb_mat, arb, arb_mat

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import AT_MOST, EQUAL
from hippo_theory.families import FouT

__all__: list[str] = []

PAPER = "HTTYH (arXiv:2206.12037)"
STEP = Fraction(1, 10**6)
POINTS = ((1, 0), (0, 1), (-1, 2), (2, 7))


def _delay_not_uniform(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """Far above the largest frequency of the system its output is -u, while the delay is +u at s = 2 pi i k."""
    rows, shown = [], True
    for N in (9, 129, 1025):
        with balls(128).work() as ring:
            # At s = 2 pi i k, k beyond all modes: 2h is imaginary and small, y = (2h-1)/(2h+1), delay 1.
            k = 1000 * N
            s = acb(0, 2 * ring.pi * k)
            h = 1 / s
            for m in range(1, (N - 1) // 2 + 1):
                h += 2 * s / (4 * ring.pi**2 * (m * m - k * k))
            gap = abs((2 * h - 1) / (2 * h + 1) - 1)
            rows.append({"case": f"N = {N}, s = 2 pi i {k}", "numbers": f"distance {gap.str(10)}", "margin": None})
            shown = shown and bool(gap > ring.number(Fraction(199, 100)))
    return rows, shown


@claim(
    "httyh.fout.delay",
    title="FouT delays by one window, at a fixed frequency with an error of 1/N",
    statement=r"$y = 2b^Tx - u$ has the transfer function $Y_N = e^{-s} - "
    r"\frac{\delta(1-e^{-s})^2}{1-\delta(1-e^{-s})}(1+\rho)$ with $\delta = \frac{s}{\pi^2 N}$, $|\rho| \le "
    r"\frac{|s|^2+1}{N^2}$: it tends to the delay $e^{-s}$ of one window at every fixed $s$ like $1/N$. Not "
    r"uniformly in $s$: the error comes near 2 on the imaginary axis for every $N$.",
    source=f"{PAPER}, delays and spikes with FouT; plotting code plot_spike (C = B, D = 1); the rate is derived here",
    domain="N = 129, 4097 (full: 32769), s = 1, i, -1+2i, 2+7i, balls",
    routes=("the two bounds", "the inner function of the family: Y = -q"),
    relation=AT_MOST,
    expected="REFINED",
    counterexample=Counterexample(
        r"The delayed output converges uniformly on the imaginary axis (spikes are reproduced in operator norm).",
        _delay_not_uniform,
    ),
    corruptions=[{"squared_pi": 1 + STEP}, {"squared_pi": 1 - STEP}, {"power": 1}, {"delay": 1 + STEP}],
    tags=("fout", "delay"),
    related=("httyh.fout.transfer", "httyh.dirac"),
    figure="delay-network",
)
class FoutDelay:
    """Bounds from above on the real part, its negative, the imaginary part, its negative."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (129, 4097) if effort == "quick" else (129, 4097, 32769):
            for s in POINTS:
                yield {"N": N, "s": s}

    def claimed(
        case: Case, *, squared_pi: Fraction = Fraction(1), power: int = 2, delay: Fraction = Fraction(1)
    ) -> list[Any]:
        with balls(200).work() as ring:
            N, s = case["N"], acb(*case["s"])
            delta = s / (ring.number(squared_pi) * ring.pi**2 * N)
            one_minus = 1 - (-s).exp()
            error = delta * one_minus**power / (1 - delta * one_minus)
            slack = abs(error) * (abs(s) ** 2 + 1) / ring.number(N) ** 2
            value = (-s * ring.number(delay)).exp() - error
            return [x + slack for x in (value.real, -value.real, value.imag, -value.imag)]

    def computed(case: Case) -> list[Any]:
        with balls(200).work() as ring:
            value = -FouT(case["N"]).inner_function(acb(*case["s"]), ring)
            return [value.real, -value.real, value.imag, -value.imag]


@claim(
    "httyh.fout.spike",
    title="The delay of FouT is all-pass: it keeps the energy of every input",
    statement=r"$Y_N = 2b^T(sI-A)^{-1}2b - 1$ has $|Y_N(i\omega)| = 1$ for every $\omega$ and $N$, and $Y_N(2\pi "
    r"i m) = 1$ for $m = 0, \dots, (N-1)/2$, as $e^{-s}$ has: the delay is exact at the frequencies of the "
    r"basis.",
    source=f"{PAPER}, spikes with FouT; the identity is derived here",
    domain="N = 3, 9, 21: 6 frequencies and all modes, balls",
    routes=("the numbers 1", "a linear solve with the family's A"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"modulus": 1 + STEP}, {"value": 1 + STEP}, {"value": Fraction(-1)}],
    tags=("fout", "delay"),
    figure="delay-network",
)
class FoutSpike:
    """Modulus on the axis, values at the modes."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (3, 9, 21):
            yield {"N": N}

    def claimed(case: Case, *, modulus: Fraction = Fraction(1), value: Fraction = Fraction(1)) -> list[Any]:
        with balls(256).work() as ring:
            return [ring.number(modulus)] * 6 + [acb(ring.number(value))] * ((case["N"] + 1) // 2)

    def computed(case: Case) -> list[Any]:
        with balls(256).work() as ring:
            N, family = case["N"], FouT(case["N"])
            A, B = family.state_matrix(ring), family.input_vector(ring)
            points = [acb(0, ring.number(Fraction(w))) for w in ("1/7", "1", "5", "20", "63", "1000")]
            points += [acb(0, 2 * ring.pi * m) for m in range((N + 1) // 2)]
            values = []
            for s in points:
                x = acb_mat([[s * int(n == k) - A[n, k] for k in range(N)] for n in range(N)]).solve(
                    acb_mat([[acb(b)] for b in B])
                )
                values.append(sum((x[n, 0] * B[n] for n in range(N)), acb(0)) - 1)
            return [abs(y) for y in values[:6]] + values[6:]


def _third_moment(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """Its third moment is above 1 for every finite number of modes: the kernel is no spike."""
    rows, shown = [], True
    with balls(128).work() as ring:
        for N in (3, 21, 1025):
            total = sum((Fraction(1, m * m) for m in range(1, (N - 1) // 2 + 1)), Fraction(0))
            third = ring.number(Fraction(3, 2)) - 3 * ring.number(total) / ring.pi**2
            rows.append({"case": f"N = {N}", "numbers": f"third moment {third.str(10)}, of a spike 1", "margin": None})
            shown = shown and bool(third > 1)
    return rows, shown


@claim(
    "httyh.dirac",
    title="FouT imitates a spike at the end of its window in its first three moments",
    statement=r"The kernel of $y = 2b^Tx - u$ has the moments $1, 1, 1$ ($\int t^k$, $k = 0, 1, 2$) of a spike "
    r"at $t = 1$, exactly for every $N \ge 3$; the third is $\frac32 - \frac{3}{\pi^2}\sum_{m=1}^{(N-1)/2} "
    r"\frac{1}{m^2}$, which tends to 1 and never is.",
    source=f"{PAPER}, spikes with FouT and LegT, as usually quoted; the moments are derived here",
    domain="N = 3, 9, 21, balls",
    routes=("the four numbers", "A^(-k-1) B by linear solves with the family's A"),
    relation=EQUAL,
    expected="REFINED",
    counterexample=Counterexample(r"FouT of a finite size represents a spike at $t = 1$ exactly.", _third_moment),
    corruptions=[
        {"mass": 1 + STEP},
        {"lag": 1 + STEP},
        {"second": 1 + STEP},
        {"third": Fraction(3, 2) + STEP},
        {"factor": 3 + 3 * STEP},
    ],
    tags=("fout", "delay"),
    related=("httyh.legt.pade.order", "httyh.fout.delay"),
    figure="delay-network",
)
class Dirac:
    """Moment k of C e^(tA) B is k! C (-A)^(-k-1) B."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (3, 9, 21):
            yield {"N": N}

    def claimed(
        case: Case,
        *,
        mass: Fraction = Fraction(1),
        lag: Fraction = Fraction(1),
        second: Fraction = Fraction(1),
        third: Fraction = Fraction(3, 2),
        factor: Fraction = Fraction(3),
    ) -> list[Any]:
        with balls(256).work() as ring:
            total = sum((Fraction(1, m * m) for m in range(1, (case["N"] - 1) // 2 + 1)), Fraction(0))
            return [ring.number(x) for x in (mass, lag, second)] + [
                ring.number(third) - ring.number(factor * total) / ring.pi**2
            ]

    def computed(case: Case) -> list[Any]:
        with balls(256).work() as ring:
            N, family = case["N"], FouT(case["N"])
            A, B = arb_mat(family.state_matrix(ring).tolist()), family.input_vector(ring)
            x, moments, factorial = arb_mat([[b] for b in B]), [], 1
            for k in range(4):
                x = A.solve(-x)
                factorial *= max(k, 1)
                moments.append(factorial * sum((B[n] * x[n, 0] for n in range(N)), arb(0)))
            return [moments[0] - 1, *moments[1:]]
