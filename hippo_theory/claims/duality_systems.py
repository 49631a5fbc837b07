"""Duality: the matrix of a time-varying system as masked attention, as a sum of heads, and what evaluating it costs."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from hippo_theory.claims.counting import Counter
from hippo_theory.claims.drawn import Drawn
from hippo_theory.claims.elimination import corner_ranks
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import IDENTICAL
from hippo_theory.duality import (
    TimeVaryingSystem,
    apply_chunked,
    apply_heads,
    chunked_cost,
    head_cost,
    head_sum,
    one_semiseparable,
    realized_matrix,
    semiseparable_rank,
)

__all__: list[str] = []

DUALITY = "On structured state-space duality (arXiv:2510.04944)"
BASE = "The SSD paper (arXiv:2405.21060)"
STEP = Fraction(1, 10**6)


def _draw(seed: int, *shape: int, zeros: bool = True) -> np.ndarray:
    """Small integers of a fixed seed, of both signs."""
    values = np.random.default_rng(seed).integers(-2, 3, shape).astype(object)
    return values if zeros else np.where(values == 0, 3, values)


def _system(seed: int, N: int, *transitions: int, T: int) -> Drawn:
    """A, B, C of a system of T steps, the transitions of a shape, drawn once for both routes."""
    return Drawn(seed=seed, A=_draw(seed, *transitions), B=_draw(T + 50, T, N), C=_draw(T + 90, T, N))


def _paths(A: Any, B: Any, C: Any) -> list[list[Any]]:
    """M[t][s] = C_t^T A_t ... A_(s+1) B_s by its definition, each product anew; A_t dense, as nested lists."""
    T, N = len(B), len(B[0])
    M = [[Fraction(0)] * T for _ in range(T)]
    for s in range(T):
        for t in range(s, T):
            state = [Fraction(value) for value in B[s]]
            for k in range(s + 1, t + 1):
                state = [sum(A[k][i][j] * state[j] for j in range(N)) for i in range(N)]
            M[t][s] = sum(C[t][i] * state[i] for i in range(N))
    return M


def _diagonals(a: Any) -> list[list[list[Any]]]:
    return [[[row[i] if i == j else 0 for j in range(len(row))] for i in range(len(row))] for row in a.tolist()]


@claim(
    "ssd.base",
    title="A scalar-identity system is attention under a 1-semiseparable mask",
    statement=r"If $A_t = a_t I$, then $M = L \circ (C B^\top)$ with $L_{ts} = a_t a_{t-1} \cdots a_{s+1}$ for $t > s$, "
    r"$L_{tt} = 1$ and $L_{ts} = 0$ for $t < s$.",
    source=f"{BASE}, corollary on scalar-identity systems and masked attention",
    domain="T = 1, ..., 10, N = 1, 2, 4, integer systems of fixed seeds with zeros and both signs, exact integers",
    routes=("the mask times C B^T", "every path C_t^T A_t ... A_(s+1) B_s by its definition"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"scale": 1 + STEP}, {"shift": 1}, {"transposed": True}],
    tags=("duality", "exact"),
    related=("ssd.diag",),
)
class ScalarIdentity:
    """Zeros among the factors cut the mask into blocks."""

    def cases(effort: str) -> Iterator[Case]:
        for T in range(1, 11):
            for N in (1, 2, 4):
                yield {"T": T, "N": N, "system": _system(T, N, T, T=T)}

    def claimed(case: Case, *, scale: Fraction = Fraction(1), shift: int = 0, transposed: bool = False) -> list[Any]:
        a, B, C = (case["system"][name] for name in "ABC")
        product = (B @ C.T if transposed else C @ B.T) * scale
        return list((one_semiseparable(np.roll(a, shift)) * product).ravel())

    def computed(case: Case) -> list[Any]:
        a, B, C = (case["system"][name] for name in "ABC")
        return [
            value for row in _paths(_diagonals(np.outer(a, [1] * case["N"])), B.tolist(), C.tolist()) for value in row
        ]


@claim(
    "ssd.def.nss",
    title="A system of N states has a matrix whose corner blocks have rank at most N, diagonal included",
    statement=r"$M$ of a system with $N$ states is $N$-semiseparable: $\max_t \operatorname{rank} M_{t:,\,:t} \le N$, where the "
    r"corner $M_{t:,\,:t}$ (rows from $t$ on, columns up to $t$) includes the diagonal entry; for generic systems with "
    r"$T \ge 2N$ it is $N$. Without the diagonal the measure is another: $I + E_{T1}$ would have $1$ instead of $2$.",
    source=f"{BASE}, its definition of semiseparable matrices",
    domain="dense integer systems of fixed seeds, (T, N) = (6, 1), (8, 2), (14, 3), (16, 4), and I + E_(T,1), T = 4, 8, exact",
    routes=(
        "the package's rank (flint)",
        "the corner ranks by elimination in Fractions of matrices built path by path",
    ),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"more": 1}, {"diagonal": False}],
    tags=("duality", "exact"),
)
class Semiseparable:
    """The last two cases tell whether the diagonal belongs to the corner."""

    def cases(effort: str) -> Iterator[Case]:
        for T, N in ((6, 1), (8, 2), (14, 3), (16, 4)):
            drawn = Drawn(seed=T, A=_draw(T, T, N, N), B=_draw(T + 1, T, N), C=_draw(T + 2, T, N))
            yield {"T": T, "N": N, "matrix": "system", "system": drawn}
        for T in (4, 8):
            yield {"T": T, "N": 2, "matrix": "I + E"}

    def claimed(case: Case, *, more: int = 0, diagonal: bool = True) -> list[Any]:
        T, N = case["T"], case["N"]
        if case["matrix"] == "system":
            M = realized_matrix(TimeVaryingSystem(*(case["system"][name] for name in "ABC")))
        else:
            M = np.array([[int(t == s or (t, s) == (T - 1, 0)) for s in range(T)] for t in range(T)])
        # Without the diagonal: that of the matrix shifted down by one row.
        shown = M if diagonal else np.vstack([M[1:], 0 * M[:1]]) * np.tri(T, dtype=int)
        return [N, semiseparable_rank(shown) + more]

    def computed(case: Case) -> list[Any]:
        T = case["T"]
        if case["matrix"] == "system":
            M = _paths(*(case["system"][name].tolist() for name in "ABC"))
        else:
            M = [[Fraction(int(t == s or (t, s) == (T - 1, 0))) for s in range(T)] for t in range(T)]
        rank = max(corner_ranks(M))
        return [rank, rank]


@claim(
    "ssd.diag",
    title="A diagonal system is the sum of N masked attentions of width one",
    statement=r"If $A_t = \operatorname{diag}(a^1_t, \dots, a^N_t)$, then $M = \sum_n L^{(n)} \circ \left(c^n (b^n)^\top\right)$ "
    r"with $L^{(n)}$ the mask of $a^n$, $b^n$ the $n$-th entries of $B_s$ and $c^n$ those of $C_t$, in this order.",
    source=f"{DUALITY}, its extension from scalar-identity to diagonal systems",
    domain="T = 1, 5, 12, N = 1, 4, 8, integer systems of fixed seeds with zeros and both signs, exact integers",
    routes=("the sum of masked heads", "every path by its definition"),
    relation=IDENTICAL,
    expected="REFINED",
    corruptions=[{"swapped": True}, {"scale": 1 + STEP}],
    counterexample=Counterexample(
        r"The heads are $L^{(n)} \circ \left(b^n (c^n)^\top\right)$ (the order printed in notes on the paper).",
        lambda effort: _swapped_heads(),
    ),
    tags=("duality", "exact"),
    related=("ssd.base", "ssd.flops"),
)
class DiagonalHeads:
    """The order of b and c is that of the times they belong to."""

    def cases(effort: str) -> Iterator[Case]:
        for T in (1, 5, 12):
            for N in (1, 4, 8):
                yield {"T": T, "N": N, "system": _system(T + N, N, T, N, T=T)}

    def claimed(case: Case, *, swapped: bool = False, scale: Fraction = Fraction(1)) -> list[Any]:
        system = TimeVaryingSystem(*(case["system"][name] for name in "ABC"))
        heads = [one_semiseparable(a) * (np.outer(b, c) if swapped else np.outer(c, b)) for a, b, c in head_sum(system)]
        return list((scale * sum(heads)).ravel())

    def computed(case: Case) -> list[Any]:
        a, B, C = (case["system"][name] for name in "ABC")
        return [value for row in _paths(_diagonals(a), B.tolist(), C.tolist()) for value in row]


def _swapped_heads() -> tuple[list[dict[str, Any]], bool]:
    """Two steps, one state: M[1, 0] = c_1 a_1 b_0 = 6, not b_1 a_1 c_0 = 35."""
    system = TimeVaryingSystem(*(np.array(v, dtype=object) for v in ([[1], [1]], [[2], [5]], [[7], [3]])))
    ((_, b, c),) = head_sum(system)
    true, swapped = realized_matrix(system)[1, 0], b[1] * c[0]
    return [{"case": "N = 1, T = 2", "numbers": f"M[1, 0] = {true}, the swapped head has {swapped}"}], true != swapped


@claim(
    "ssd.diag.fullrank",
    title="Invertible transitions need no mask but the causal one",
    statement=r"With $P_t = A_t \cdots A_1$ invertible, $M = \operatorname{tril}(C' B'^\top)$ with $c'_t = P_t^\top c_t$ and "
    r"$b'_s = P_s^{-1} b_s$; so every system with invertible transitions, dense ones included, has a masked-attention dual of "
    r"its own width, and obstructions need singular $A_t$.",
    source=f"{DUALITY}, full-rank diagonal systems; for dense transitions and with this order of the factors derived here",
    domain="T = 3, 8, N = 1, 2, 3, dense unimodular integer transitions of fixed seeds, exact Fractions",
    routes=("tril of the product of transformed factors", "every path by its definition"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"swapped": True}, {"scale": 1 + STEP}],
    tags=("duality", "exact"),
    related=("ssd.thm1",),
)
class InvertibleTransitions:
    """Unit upper times unit lower triangular matrices: invertible over the integers, and not commuting."""

    def _transitions(T: int, N: int) -> list[np.ndarray]:
        eye = np.eye(N, dtype=int).astype(object)
        draws = [_draw(T + 7 * k, N, N) for k in range(2 * T)]
        return [(eye + np.triu(draws[2 * k], 1)) @ (eye + np.tril(draws[2 * k + 1], -1)) for k in range(T)]

    def cases(effort: str) -> Iterator[Case]:
        for T in (3, 8):
            for N in (1, 2, 3):
                A = InvertibleTransitions._transitions(T, N)
                yield {"T": T, "N": N, "system": Drawn(seed=T, A=A, B=_draw(T + 50, T, N), C=_draw(T + 90, T, N))}

    def claimed(case: Case, *, swapped: bool = False, scale: Fraction = Fraction(1)) -> list[Any]:
        import sympy

        T, N = case["T"], case["N"]
        A, B, C = (case["system"][name] for name in "ABC")
        product, rows, columns = sympy.eye(N), [], []
        for t in range(T):
            product = sympy.Matrix(A[t].tolist()) * product
            inverse = product.inv()
            rows.append((inverse if swapped else product).T * sympy.Matrix(C[t].tolist()))
            columns.append((product if swapped else inverse) * sympy.Matrix(B[t].tolist()))
        return [
            Fraction(str((rows[t].T * columns[s])[0])) * scale if t >= s else Fraction(0)
            for t in range(T)
            for s in range(T)
        ]

    def computed(case: Case) -> list[Any]:
        A, B, C = (case["system"][name] for name in "ABC")
        return [value for row in _paths([a.tolist() for a in A], B.tolist(), C.tolist()) for value in row]


def _count_of_the_paper() -> tuple[list[dict[str, Any]], bool]:
    rows, differs = [], True
    for T, N, P in ((6, 4, 3), (16, 5, 6)):
        exact = head_cost(T, N, P).total
        differs &= exact != 4 * N * T * P
        rows.append({"case": f"T = {T}, N = {N}, d = {P}", "numbers": f"4NTd = {4 * N * T * P}, counted {exact}"})
    return rows, differs


@claim(
    "ssd.flops",
    title="Evaluating the heads takes 5NTd - 2Nd - Td operations",
    statement=r"The sum of $N$ heads on $d$ channels and $T$ steps ($z = b \odot x$, a scan, $y = c \odot h$, the sum) takes "
    r"$2NTd + N(T-1)d$ multiplications and $N(T-1)d + (N-1)Td$ additions, $5NTd - 2Nd - Td$ together.",
    source=f"{DUALITY}, its operation count (one unit for each entry and stage); exact count derived here",
    domain="(T, N, d) = (1, 1, 1), (6, 4, 3), (10, 6, 4), (12, 8, 5), (16, 5, 6), numbers that count",
    routes=("the formula", "the algorithm run on numbers that count what is done with them"),
    relation=IDENTICAL,
    expected="REFINED",
    corruptions=[{"stages": 4}, {"saved": 1}, {"first": 0}],
    counterexample=Counterexample(r"It takes $4NTd$ operations.", lambda effort: _count_of_the_paper()),
    tags=("duality", "cost"),
    related=("ssd.chunks",),
)
class HeadCost:
    """Each product and each sum of two numbers is one operation."""

    def cases(effort: str) -> Iterator[Case]:
        for T, N, d in ((1, 1, 1), (6, 4, 3), (10, 6, 4), (12, 8, 5), (16, 5, 6)):
            yield {"T": T, "N": N, "d": d}

    def claimed(case: Case, *, stages: int = 5, saved: int = 2, first: int = 1) -> list[int]:
        T, N, d = case["T"], case["N"], case["d"]
        return [stages * N * T * d - saved * N * d - first * T * d, head_cost(T, N, d).total]

    def computed(case: Case) -> list[int]:
        T, N, d = case["T"], case["N"], case["d"]
        counter = Counter()
        wrap = np.frompyfunc(lambda value: counter.number(int(value)), 1, 1)
        system = TimeVaryingSystem(wrap(_draw(1, T, N)), wrap(_draw(2, T, N)), wrap(_draw(3, T, N)))
        apply_heads(system, wrap(_draw(4, T, d)))
        return [counter.operations, counter.operations]


@claim(
    "ssd.chunks",
    title="The chunked algorithm is linear in T, and quadratic only in the chunk",
    statement=r"With $T = mQ$ chunks of $Q$ steps the algorithm of Mamba-2 takes exactly $m\left(\frac{Q(Q-1)}{2} + Q^2(2N + 2P) "
    r"- QP\right) + (m-1)\left(2(Q-1) + 2QN + 4QNP - NP\right) + (m-2)(Q - 1 + 2NP)$ operations for $m \ge 2$ (mask, $C B^\top$ "
    r"and their products; the state read and written; the state carried): for $N = P = Q$ it is $\Theta(TN^2)$.",
    source=f"{BASE}, its block decomposition; exact count derived here",
    domain="m = 2, 3, 5, Q = 1, 2, 5, N = 1, 2, 4, P = 1, 2, 3, numbers that count",
    routes=("the closed form", "the algorithm run on numbers that count what is done with them"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"square": 3}, {"read": 3}, {"carried": 1}, {"half": 1}],
    tags=("duality", "cost"),
    related=("ssd.flops",),
)
class ChunkedCost:
    """Each product and each sum of two numbers is one operation."""

    def cases(effort: str) -> Iterator[Case]:
        for m in (2, 3, 5):
            for Q in (1, 2, 5):
                for N in (1, 2, 4):
                    for P in (1, 2, 3):
                        yield {"m": m, "Q": Q, "N": N, "P": P}

    def claimed(case: Case, *, square: int = 2, read: int = 4, carried: int = 2, half: int = 2) -> list[int]:
        m, Q, N, P = case["m"], case["Q"], case["N"], case["P"]
        inside = Q * (Q - 1) // half + Q * Q * (square * N + 2 * P) - Q * P
        between = 2 * (Q - 1) + 2 * Q * N + read * Q * N * P - N * P
        closed = m * inside + (m - 1) * between + (m - 2) * (Q - 1 + carried * N * P)
        return [closed, chunked_cost(m * Q, N, P, Q).total]

    def computed(case: Case) -> list[int]:
        T, N, P = case["m"] * case["Q"], case["N"], case["P"]
        counter = Counter()
        wrap = np.frompyfunc(lambda value: counter.number(int(value)), 1, 1)
        system = TimeVaryingSystem(wrap(_draw(1, T)), wrap(_draw(2, T, N)), wrap(_draw(3, T, N)))
        apply_chunked(system, wrap(_draw(4, T, P)), case["Q"])
        return [counter.operations, counter.operations]
