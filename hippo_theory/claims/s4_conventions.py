"""S4: the scalings under which its code stores LegT and FouT, and what they mean for the window."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import acb, acb_mat

from hippo_theory.arithmetic import balls, exact
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import EQUAL, IDENTICAL
from hippo_theory.families import FouT, LegT

__all__: list[str] = []

SMALL = Fraction(1000001, 1000000)


@claim(
    "s4.nplr.legt.halved",
    title="Halved matrices of LegT mean a window of length 2",
    statement=r"The code stores $A/2$ and $B/2$ for LegT: $e_n^T (sI - A/2)^{-1} B/2 = e_n^T (2s I - A)^{-1} B$, so that the"
    r" kernels are $\frac12 K_n(t/2)$ and the window is $[0,2]$, against $[0,1]$ in the paper's normalization with $\theta = 1$.",
    source="code of S4's authors (the comment on halving for the right timescale), against HiPPO, Theorem 1",
    domain="N = 1, 4, 9 (full: 32), s = 1, 3i, 1/4 - 20i, all components, balls of 300 bits",
    routes=(
        "linear solve at 2s with the theorem's entries",
        "linear solve at s with the family's matrices in that convention",
    ),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"rate": 2 * SMALL}, {"rate": Fraction(1)}, {"sign": 1}, {"gain": SMALL}],
    tags=("legt", "conventions"),
    related=("s4.nplr.legt", "hippo.thm1.legt"),
    figure="family-tree-matrices",
)
class HalvedLegt:
    """Complex balls."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 4, 9) if effort == "quick" else (1, 4, 9, 32):
            for s in ((1, 0), (0, 3), (Fraction(1, 4), -20)):
                yield {"N": N, "s": s}

    @staticmethod
    def claimed(case: Case, *, rate: Fraction = Fraction(2), sign: int = -1, gain: Fraction = Fraction(1)) -> list[Any]:
        with balls(300).work() as ring:
            N, (re, im) = case["N"], case["s"]
            s = acb(ring.number(re), ring.number(im)) * ring.number(rate)
            roots = [acb(2 * n + 1).sqrt() for n in range(N)]
            rows = [
                [(s if n == k else 0) + roots[n] * roots[k] * (1 if k <= n else sign ** (k - n)) for k in range(N)]
                for n in range(N)
            ]
            solved = acb_mat(rows).solve(acb_mat([[ring.number(gain) * root] for root in roots]))
            return [solved[n, 0] for n in range(N)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        with balls(300).work() as ring:
            N, (re, im) = case["N"], case["s"]
            s, family = acb(ring.number(re), ring.number(im)), LegT(case["N"], convention="s4")
            A, B = family.state_matrix(ring), family.input_vector(ring)
            rows = [[(s if n == k else acb(0)) - A[n, k] for k in range(N)] for n in range(N)]
            solved = acb_mat(rows).solve(acb_mat([[acb(entry)] for entry in B]))
            return [solved[n, 0] for n in range(N)]


@claim(
    "s4.nplr.fout.scaling",
    title="Two ways of writing the FouT of 2022",
    statement=r"With $b' = (\sqrt2, 2, 0, 2, 0, \dots) = \sqrt2 b$ the form $A = Rot - b' b'^T$, $B = \sqrt2 b'$ (code"
    r" for figures) equals $A = Rot - 2 b b^T$, $B = 2b$ (HTTYH). The form of 2020 is $A = Rot - b b^T$, $B = b$.",
    source="code of S4's authors (visualizations against its matrices), HTTYH and HiPPO's appendix as they are usually quoted",
    domain="N = 1, 3, 5, 7 (full: 15), exact: all entries of A and B in both forms",
    routes=("the two scalings", "the family in its default and in its hippo2020 convention"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"first": 1}, {"cosine": 3}, {"gain": 1}, {"early": 2}, {"turn": 1}],
    tags=("fout", "exact", "conventions"),
    related=("s4.nplr.fout", "hippo.fout2020.staircase"),
    figure="family-tree-matrices",
)
class FoutScalings:
    """Squares of the entries of b' are 2 and 4; sympy numbers."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 3, 5, 7) if effort == "quick" else (1, 3, 5, 7, 15):
            yield {"N": N}

    @staticmethod
    def claimed(
        case: Case, *, first: int = 2, cosine: int = 4, gain: int = 2, early: int = 1, turn: int = 2
    ) -> list[Any]:
        import sympy

        N, values = case["N"], []
        scaled = [sympy.sqrt(first if n == 0 else cosine * (n % 2)) for n in range(N)]
        plain = [sympy.sqrt(1 if n == 0 else 2 * (n % 2)) for n in range(N)]
        for b, factor, share in ((scaled, sympy.sqrt(gain), 1), (plain, sympy.Integer(early), early)):
            A = sympy.Matrix(N, N, lambda n, k, b=b, share=share: -share * b[n] * b[k])
            for m in range(1, (N + 1) // 2):
                A[2 * m, 2 * m - 1] += turn * m * sympy.pi
                A[2 * m - 1, 2 * m] -= turn * m * sympy.pi
            values += [*(sympy.expand(value) for value in A), *(sympy.expand(factor * value) for value in b)]
        return values

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        values: list[Any] = []
        for convention in ("default", "hippo2020"):
            family = FouT(case["N"], convention=convention)
            A, B = family.state_matrix(exact()), family.input_vector(exact())
            values += [sympy.expand(value) for value in (*A.ravel(), *B)]
        return values
