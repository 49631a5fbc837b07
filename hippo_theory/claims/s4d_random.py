"""S4D: random rank-one changes of LegS, which do not keep it stable, and what random draws say of how often."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from flint import acb, acb_mat, arb

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import AT_MOST, IDENTICAL, Relation
from hippo_theory.families import LegS

__all__: list[str] = []

_COROLLARY = "S4D (arXiv:2206.11893), discussion of random rank-one changes, by content as in notes on the paper"
_MILLIONTH = Fraction(1, 10**6)
_DIGITS = Relation("equal", True, 1e-12)


@claim(
    "s4d.cor.unstable",
    title="A rank-one change of LegS other than its own makes it unstable",
    statement=(
        r"With $p_n = \frac{3}{10} (-1)^n$ the matrix $A + p p^T$, $A$ of LegS, has a positive eigenvalue $\lambda$, the"
        r" largest root of $p^T (\lambda I - A)^{-1} p = 1$ (for $N = 24$, $\lambda = 1.408\dots$), while $A + \frac12 B B^T$"
        r" has all its eigenvalues on $\Re s = -\frac12$."
    ),
    source=_COROLLARY + "; example derived here",
    domain="N = 16, 24 (full: 32), balls of 300 bits",
    routes=(
        "certified eigenvalues of the dense matrix",
        "bisection of the rational equation, solved by forward substitution",
    ),
    relation=_DIGITS,
    expected="CERTIFIED",
    corruptions=[{"size": Fraction(3, 10) * (1 + _MILLIONTH)}, {"alternating": 1}, {"sign": -1}],
    tags=("s4d", "legs", "stability"),
    related=("s4d.cor.median", "s4d.nplr"),
    figure="rank-one-perturbations",
)
class UnstableExample:
    """Two ways to one positive number."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes."""
        for N in (16, 24) if effort == "quick" else (16, 24, 32):
            yield {"N": N}

    @staticmethod
    def claimed(case: Case, *, size: Fraction = Fraction(3, 10), alternating: int = -1, sign: int = 1) -> Any:
        """The eigenvalue with the largest real part."""
        with balls(300).work() as ring:
            N, A = case["N"], LegS(case["N"]).state_matrix(ring)
            p = [ring.number(size) * alternating**n for n in range(N)]
            rows = [[acb(A[n, k] + sign * p[n] * p[k]) for k in range(N)] for n in range(N)]
            return max(acb_mat(rows).eig(), key=lambda value: float(value.real)).real

    @staticmethod
    def computed(case: Case) -> Any:
        """Where p^T (s - A)^-1 p passes 1, for s > 0: beyond 40 it stays below 1, since abs(p)^2/(s + 1/2) does."""
        with balls(300).work():
            N = case["N"]
            roots = [arb(2 * n + 1).sqrt() for n in range(N)]

            def excess(s: Any) -> Any:
                # (s - A) x = p with A_nk = -R_n R_k below the diagonal, -(n+1) on it.
                inner = total = arb(0)
                for n in range(N):
                    p = arb(3) / 10 * (-1) ** n
                    x = (p - roots[n] * inner) / (s + n + 1)
                    inner, total = inner + roots[n] * x, total + p * x
                return total - 1

            low, high = arb("0.1"), arb(40)
            for _ in range(80):
                middle = ((low + high) / 2).mid()
                low, high = (middle, high) if excess(middle) > 0 else (low, middle)
            if not (excess(low) > 0 and excess(high) < 0):
                return arb("nan")
            return low.union(high)


def _binomial_rank(draws: int, chance: float) -> int:
    """The largest rank r such that fewer than r of the draws lie below the median with at most this chance."""
    from scipy.stats import binom

    return int(binom.ppf(chance, draws, 0.5))


@claim(
    "s4d.cor.median",
    title="Random rank-one changes of LegS: the median of the largest real part",
    statement=(
        r"For $N = 64$ and $p$ with independent normal entries of mean 0 and standard deviation $\sigma$, the median of the"
        r" largest real part of the eigenvalues of $A + p p^T$ is about $-0.92, -0.50, -0.12, 0.74$ for $\sigma = 0.1, 0.3,"
        r" 0.4, 0.5$."
    ),
    source=_COROLLARY + "; numbers derived here",
    domain="300 draws for each standard deviation (full: 2000), one seed; exact binomial intervals of the median at 99.9 %",
    routes=("the numbers", "order statistics of dense float64 eigenvalues"),
    relation=AT_MOST,
    expected="OBSERVED",
    why="the draws are random and their eigenvalues float64; the interval of the median holds with 99.9 %, not surely",
    corruptions=[
        {"medians": (-0.85, -0.50, -0.12, 0.74)},
        {"medians": (-0.92, -0.40, -0.12, 0.74)},
        {"medians": (-0.92, -0.50, 0.12, 0.74)},
        {"medians": (-0.92, -0.50, -0.12, 1.7)},
    ],
    tags=("s4d", "legs", "stability", "random"),
    related=("s4d.cor.unstable", "s4d.cor.fraction"),
    figure="rank-one-perturbations",
)
class MedianOfDraws:
    """Exponentials, so that both ends are positive: the lower end as a reciprocal."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Standard deviations."""
        for index, deviation in enumerate((0.1, 0.3, 0.4, 0.5)):
            yield {"index": index, "deviation": deviation, "draws": 300 if effort == "quick" else 2000}

    @staticmethod
    def claimed(case: Case, *, medians: tuple[float, ...] = (-0.92, -0.50, -0.12, 0.74)) -> list[float]:
        """e^m and e^-m."""
        value = medians[case["index"]]
        return [float(np.exp(value)), float(np.exp(-value))]

    @staticmethod
    def computed(case: Case) -> list[float]:
        """e to the lower end of the interval, and to minus the upper end."""
        A, draws = LegS(64).A, case["draws"]
        generator = np.random.default_rng(20220622 + case["index"])
        vectors = generator.normal(0, case["deviation"], (draws, 64))
        tops = np.sort(np.linalg.eigvals(A + vectors[:, :, None] * vectors[:, None, :]).real.max(axis=1))
        rank = _binomial_rank(draws, 0.0005)  # order statistics rank and draws + 1 - rank enclose the median
        return [float(np.exp(tops[rank - 1])), float(np.exp(-tops[draws - rank]))]


@claim(
    "s4d.cor.fraction",
    title="Two fifths of random rank-one changes with deviation 0.4 are unstable",
    statement=(
        r"For $N = 64$ and $p$ with independent normal entries of mean 0 and standard deviation $\sigma$, the chance that"
        r" $A + p p^T$ has an eigenvalue with positive real part is about $0.06, 0.41, 0.82$ for $\sigma = 0.3, 0.4, 0.5$."
    ),
    source=_COROLLARY + "; numbers derived here",
    domain="400 draws for each standard deviation (full: 2000), one seed; exact binomial intervals (Clopper, Pearson) at 99.9 %",
    routes=("the numbers", "count of unstable dense float64 spectra"),
    relation=AT_MOST,
    expected="OBSERVED",
    why="the draws are random and their eigenvalues float64; the interval of the chance holds with 99.9 %, not surely",
    corruptions=[{"chances": (0.15, 0.41, 0.82)}, {"chances": (0.06, 0.55, 0.82)}, {"chances": (0.06, 0.41, 0.93)}],
    tags=("s4d", "legs", "stability", "random"),
    related=("s4d.cor.median",),
    figure="rank-one-perturbations",
)
class UnstableFraction:
    """Chances and their complements."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Standard deviations."""
        for index, deviation in enumerate((0.3, 0.4, 0.5)):
            yield {"index": index, "deviation": deviation, "draws": 400 if effort == "quick" else 2000}

    @staticmethod
    def claimed(case: Case, *, chances: tuple[float, ...] = (0.06, 0.41, 0.82)) -> list[float]:
        """The chance and its complement."""
        return [chances[case["index"]], 1 - chances[case["index"]]]

    @staticmethod
    def computed(case: Case) -> list[float]:
        """The lower end of the interval, and the complement of the upper end."""
        from scipy.stats import beta

        A, draws = LegS(64).A, case["draws"]
        generator = np.random.default_rng(20220623 + case["index"])
        vectors = generator.normal(0, case["deviation"], (draws, 64))
        tops = np.linalg.eigvals(A + vectors[:, :, None] * vectors[:, None, :]).real.max(axis=1)
        count = int((tops > 0).sum())
        low = float(beta.ppf(0.0005, count, draws - count + 1))
        high = float(beta.ppf(0.9995, count + 1, draws - count))
        return [low, 1 - high]


@claim(
    "s4d.dt",
    title="Steps drawn uniformly in the logarithm: median 0.01, mean 0.0215",
    statement=(
        r"If $\ln \Delta$ is uniform on $[\ln a, \ln b]$, $\Delta$ has the median $\sqrt{a b}$ and the mean $\frac{b - a}{\ln"
        r" (b/a)}$: for $a = \frac{1}{1000}$, $b = \frac1{10}$ the median is $\frac{1}{100}$ and the mean $0.02149\dots$."
    ),
    source="S4D (arXiv:2206.11893), as in the authors' code; derived here",
    domain="all 0 < a < b (symbols)",
    routes=("the formulas", "integrals of the density 1/(x ln(b/a))"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"power": 2}, {"scale": 1 + sympy.Rational(1, 10**6)}, {"sign": 1}],
    tags=("s4d", "random", "exact"),
    figure="time-scales",
)
class StepDistribution:
    """With b = a q^2, q > 1."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """All at once."""
        yield {"symbols": "a, b = a q^2"}

    @staticmethod
    def claimed(case: Case, *, power: int = 1, scale: Any = 1, sign: int = -1) -> list[Any]:
        """Median and mean."""
        a, q = sympy.symbols("a q", positive=True)
        return [a * q**power, sympy.simplify(scale * (a * q**2 + sign * a) / (2 * sympy.log(q)))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """Where the distribution function is 1/2, and the integral of x times the density."""
        a, q, x, end = sympy.symbols("a q x end", positive=True)
        density = 1 / (x * 2 * sympy.log(q))
        below = sympy.expand_log(sympy.integrate(density, (x, a, end)))
        (median,) = sympy.solve(sympy.Eq(below, sympy.Rational(1, 2)), end)
        return [sympy.simplify(median), sympy.simplify(sympy.integrate(x * density, (x, a, a * q**2)))]
