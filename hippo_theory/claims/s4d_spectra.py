"""S4D: starts that share their whole spectrum with a HiPPO system, the linear and the real one."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import acb, acb_mat, arb, fmpz_mat

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import EQUAL, IDENTICAL
from hippo_theory.families import FouT
from hippo_theory.initializations import s4d_real

__all__: list[str] = []

_S4D = "S4D (arXiv:2206.11893)"
_MILLIONTH = Fraction(1, 10**6)


@claim(
    "s4d.lin",
    title="S4D-Lin has the frequencies of the halved normal part of FouT",
    statement=(
        r"Over the window $[0, 2]$ (A and B halved, as the authors store them) the normal part $S$ of FouT of even size $N$ has"
        r" $\det(s I - S) = s^2 \prod_{n=1}^{N/2-1} (s^2 + \pi^2 n^2)$: the frequencies $\pi n$, $n < N/2$, of S4D-Lin, with"
        r" real part 0, which S4D-Lin moves to $-\frac12$."
    ),
    source=_S4D + ", eq. (9), as in notes on the paper: an approximation of the Fourier system",
    domain="N = 2, 4, 8, 16 (full: 32), s = 1, 2+3i, -5i; balls of 200 bits",
    routes=("the product", "the determinant of the matrix of the family under the authors' convention"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"pi": 1 + _MILLIONTH}, {"dead": 1}, {"first": 2}, {"real": -_MILLIONTH}],
    tags=("s4d", "fout", "spectrum"),
    related=("s4d.lin.first",),
    figure="spectra",
)
class FourierFrequencies:
    """A product against a determinant."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes and points."""
        for N in (2, 4, 8, 16) if effort == "quick" else (2, 4, 8, 16, 32):
            for s in ((1, 0), (2, 3), (0, -5)):
                yield {"N": N, "s": s}

    @staticmethod
    def claimed(
        case: Case, *, pi: Fraction = Fraction(1), dead: int = 2, first: int = 1, real: Fraction = Fraction(0)
    ) -> Any:
        """Scaled as the determinant of a matrix of size N."""
        with balls(200).work() as ring:
            s = acb(*case["s"]) - ring.number(real)
            value = s**dead
            for n in range(first, case["N"] // 2 + first - 1):
                value *= s * s + (ring.number(pi) * arb.pi() * n) ** 2
            return value

    @staticmethod
    def computed(case: Case) -> Any:
        """det(s I - S)."""
        with balls(200).work() as ring:
            N, s = case["N"], acb(*case["s"])
            S = FouT(N, convention="s4").normal_part(ring)
            return acb_mat([[s * (n == k) - S[n, k] for k in range(N)] for n in range(N)]).det()


@claim(
    "s4d.real",
    title="S4D-Real has the eigenvalues of LegS itself",
    statement=r"$\det(x I - A) = \prod_{n<N} (x + n + 1)$ for LegS: the eigenvalues $-(n+1)$, $n < N$, of S4D-Real.",
    source=_S4D + ", S4D-Real, as in the authors' code",
    domain="N = 1, ..., 24, exact integers (in the coordinates x_n / R_n)",
    routes=("coefficients of the product over the start", "characteristic polynomial of the integer matrix"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"first": 0}, {"sign": 1}, {"step": 2}],
    tags=("s4d", "legs", "spectrum", "exact"),
    figure="spectra",
)
class RealStart:
    """Integer polynomials."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes."""
        for N in range(1, 25):
            yield {"N": N}

    @staticmethod
    def claimed(case: Case, *, first: int = 1, sign: int = -1, step: int = 1) -> list[int]:
        """Expanded."""
        starts = [int(value) for value in s4d_real(case["N"]).Lambda]
        roots = [sign * (step * n + first) for n in range(case["N"])]
        coefficients = [1]
        for root in roots:
            shifted = [0, *coefficients]
            coefficients = [a - root * b for a, b in zip(shifted, [*coefficients, 0], strict=True)]
        return [*coefficients, *starts] if starts == roots else [0]

    @staticmethod
    def computed(case: Case) -> list[int]:
        """By the matrix."""
        N = case["N"]
        A = [[-(2 * k + 1) if n > k else -(n + 1) if n == k else 0 for k in range(N)] for n in range(N)]
        return [*(int(c) for c in fmpz_mat(A).charpoly().coeffs()), *(A[n][n] for n in range(N))]


@claim(
    "s4d.cor.fout",
    title="The restriction of FouT repeats its window for ever",
    statement=(
        r"FouT on $[0, 1]$ with complete pairs ($N$ odd), $h(s) = \frac1s + \sum_{m=1}^{(N-1)/2} \frac{2 s}{s^2 + 4 \pi^2"
        r" m^2}$: the constant component has $X_0 = \frac{2}{s (1 + 2 h)}$, which tends to $\frac{1 - e^{-s}}{s}$ (the"
        r" window), and the restriction $X^D_0 = \frac1s$ for every $N$: it does not forget. $X^D_0 - X_0 = \frac1s \frac{2h -"
        r" 1}{2h + 1}$."
    ),
    source=_S4D + ", corollary on LegS alone, by content as in notes on the paper; formulas derived here",
    domain="N = 1, 3, 7, 15 (full: 31), s = 1, 1/2+2i, 5i; balls of 200 bits",
    routes=("the closed forms", "certified linear solves with both dense matrices of the family"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"two": 2 + _MILLIONTH}, {"turn": 2 + _MILLIONTH}, {"sign": 1}, {"first": 0}],
    tags=("s4d", "fout", "convergence"),
    related=("s4d.thm3", "s4d.cor.lagt", "s4d.lin"),
    figure="other-families-full-against-diagonal",
)
class FourierRestriction:
    """X_0, the restricted one, and their difference."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes and points."""
        for N in (1, 3, 7, 15) if effort == "quick" else (1, 3, 7, 15, 31):
            for s in ((1, 0), (Fraction(1, 2), 2), (0, 5)):
                yield {"N": N, "s": s}

    @staticmethod
    def claimed(
        case: Case,
        *,
        two: Fraction = Fraction(2),
        turn: Fraction = Fraction(2),
        sign: int = -1,
        first: int = 1,
    ) -> list[Any]:
        """From h."""
        with balls(200).work() as ring:
            s, factor = acb(*(ring.number(part) for part in case["s"])), ring.number(two)
            h = 1 / s
            for m in range(first, (case["N"] - 1) // 2 + 1):
                h += factor * s / (s * s + (ring.number(turn) * arb.pi() * m) ** 2)
            return [factor / (s * (1 + factor * h)), 1 / s, (factor * h + sign) / (s * (factor * h + 1))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """(sI - A)^-1 B and (sI - S)^-1 B/2."""
        with balls(200).work() as ring:
            N, s = case["N"], acb(*(ring.number(part) for part in case["s"]))
            fout = FouT(N)
            A, S = fout.state_matrix(ring), fout.normal_part(ring)
            column = acb_mat([[acb(b)] for b in fout.input_vector(ring)])
            full = acb_mat([[s * (n == k) - A[n, k] for k in range(N)] for n in range(N)]).solve(column)[0, 0]
            half = acb_mat([[s * (n == k) - S[n, k] for k in range(N)] for n in range(N)]).solve(column)[0, 0] / 2
            return [full, half, half - full]
