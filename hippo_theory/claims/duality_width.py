"""Duality: new columns, the least width of a masked-attention dual, and the ranks of softmax."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from hippo_theory.claims.drawn import Drawn
from hippo_theory.claims.elimination import corner_ranks, eliminated_rank
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import IDENTICAL
from hippo_theory.duality import (
    TimeVaryingSystem,
    attention_matrix,
    least_dual,
    new_columns,
    one_semiseparable,
    realized_matrix,
    semiseparable_rank,
    softmax_ranks,
)
from hippo_theory.duality.exact_matrices import exact_rank, fractions
from hippo_theory.duality.semiseparable import completion

__all__: list[str] = []

DUALITY = "On structured state-space duality (arXiv:2510.04944)"
STEP = Fraction(1, 10**6)


def _corner(T: int) -> list[list[int]]:
    """I + E_(T,1)."""
    return [[int(t == s or (t, s) == (T - 1, 0)) for s in range(T)] for t in range(T)]


def _small(size: int) -> Iterator[list[list[int]]]:
    """All lower triangular 0/1 matrices of a size."""
    places = [(t, s) for t in range(size) for s in range(t + 1)]
    for bits in product((0, 1), repeat=len(places)):
        M = [[0] * size for _ in range(size)]
        for (t, s), bit in zip(places, bits, strict=True):
            M[t][s] = bit
        yield M


def _numbered(size: int) -> Iterator[list[list[int]]]:
    """The same matrices in the same order, from the binary digits of 0, 1, 2, ...: the other route's own."""
    count = size * (size + 1) // 2
    for number in range(2**count):
        digits, used, M = f"{number:0{count}b}", 0, []
        for t in range(size):
            M.append([int(digit) for digit in digits[used : used + t + 1]] + [0] * (size - 1 - t))
            used += t + 1
        yield M


def _blocks(M: list[list[int]]) -> list[tuple[int, int]]:
    """Cuts where nothing remains below on the left."""
    T = len(M)
    cuts = [0, *(t for t in range(1, T) if not any(M[i][j] for i in range(t, T) for j in range(t))), T]
    return [(cuts[k], cuts[k + 1]) for k in range(len(cuts) - 1)]


def _counted_columns(block: Sequence[Sequence[Any]]) -> int:
    """The least rank of a completion: sum_t rank M[t:, :t+1] - sum_t rank M[t:, :t]."""
    return sum(corner_ranks(block)) - sum(corner_ranks(block, diagonal=False))


@claim(
    "ssd.newcol",
    title="New columns, by span and by ranks",
    statement=r"Column $t$ is new if $M_{t:,\,t}$ is not in the span of the columns of $M_{t:,\,:t}$ (rows from $t$ on for "
    r"both). There are $\sum_t \operatorname{rank} M_{t:,\,:t} - \sum_{t \ge 1} \operatorname{rank} M_{t:,\,:t-1}$ of them.",
    source=f"{DUALITY}, its definition of new columns; the count by ranks is derived here",
    domain="all lower triangular 0/1 matrices up to 4 x 4 (full: 5 x 5), exact",
    routes=("spans, by the package", "ranks of all corners, by elimination in Fractions"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"shrinking": False}],
    tags=("duality", "exact"),
    related=("ssd.fine", "ssd.thm1"),
)
class NewColumns:
    """The row range shrinks with t."""

    def cases(effort: str) -> Iterator[Case]:
        for size in (1, 2, 3, 4) if effort == "quick" else (1, 2, 3, 4, 5):
            yield {"size": size}

    def claimed(case: Case, *, shrinking: bool = True) -> list[int]:
        # With all rows for every column the new ones are a basis of the column space.
        return [
            len(new_columns(np.array(M))) if shrinking else exact_rank(fractions(np.array(M)))
            for M in _small(case["size"])
        ]

    def computed(case: Case) -> list[int]:
        return [_counted_columns(M) for M in _numbered(case["size"])]


@claim(
    "ssd.thm1",
    title="When a masked-attention dual of a given width exists",
    statement=r"A lower triangular $M$ is $L \circ (Q K^\top)$ with $L$ the mask of some $a \in \mathbb{R}^T$ and $Q, K \in "
    r"\mathbb{R}^{T \times w}$ if and only if each of its finest diagonal blocks has at most $w$ new columns. If: the dual is "
    r"constructed and multiplied out. Only if: vectors $u_i$ with $u_i^\top M_{t_i:,\,:t_i - 1} = 0$, $u_i^\top M_{t_i:,\,t_i} = "
    r"1$ make the new columns independent in every completion.",
    source=f"{DUALITY}, its necessary and sufficient condition (its number differs between versions)",
    domain="all lower triangular 0/1 matrices up to 4 x 4 (full: 5 x 5, 33,866 in all), both directions, exact",
    routes=(
        "the least width, with the constructed dual and the certificate multiplied out",
        "the largest number of new columns of a block, counted by ranks in Fractions",
    ),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"more": 1}, {"less": 1}],
    tags=("duality", "exact"),
    figure="dual-widths",
    related=("ssd.newcol", "ssd.lowdim"),
)
class DualWidth:
    """Each matrix gives the width of its dual, whether that is M, and whether the certificate holds."""

    def cases(effort: str) -> Iterator[Case]:
        for size in (1, 2, 3, 4) if effort == "quick" else (1, 2, 3, 4, 5):
            yield {"size": size}

    def claimed(case: Case, *, more: int = 0, less: int = 0) -> list[int]:
        found = []
        for M in _small(case["size"]):
            dual = least_dual(np.array(M))
            holds = bool((attention_matrix(dual.attention) == np.array(M)).all()) and dual.certificate.holds(
                np.array(M)
            )
            found.append((dual.attention.width + more - less) if holds else -1)
        return found

    def computed(case: Case) -> list[int]:
        return [
            max(_counted_columns([row[start:stop] for row in M[start:stop]]) for start, stop in _blocks(M))
            for M in _numbered(case["size"])
        ]


@claim(
    "ssd.fine",
    title="With a mask without zeros: as many new columns as the width",
    statement=r"$M = L \circ (Q K^\top)$ with $L$ of nonzero factors and $Q, K \in \mathbb{R}^{T \times w}$ exists if and only "
    r"if $M$ has at most $w$ new columns: up to scaling of rows and columns it is a completion of rank $w$ of the lower "
    r"triangle, and the new columns are independent in each.",
    source=f"{DUALITY}, its criterion for fine masks",
    domain="if: all lower triangular 0/1 matrices up to 4 x 4, with the mask of ones; only if: integer systems "
    "with nonzero scalar factors, (T, N) = (8, 1), (8, 3), (12, 4), fixed seeds, whose products have rank N and N new columns; "
    "exact",
    routes=(
        "the width of the completion that the package constructs, multiplied out; new columns of 1SS(a) * (Q K^T)",
        "new columns counted by ranks in Fractions; N, the rank of Q K^T by elimination",
    ),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"more": 1}, {"zero": True}],
    tags=("duality", "exact"),
    related=("ssd.thm1",),
)
class FineMask:
    """Q K^T has a lower triangle of T(T+1)/2 numbers and rank N; the mask hides nothing of it."""

    def _factors(T: int, N: int) -> Drawn:
        generator = np.random.default_rng(T + N)
        Q, K = (generator.integers(-4, 5, (T, N)).astype(object) for _ in range(2))
        return Drawn(seed=T + N, a=generator.choice([-2, -1, 1, 2], T).astype(object), Q=Q, K=K)

    def cases(effort: str) -> Iterator[Case]:
        for T, N in ((8, 1), (8, 3), (12, 4)):
            yield {"T": T, "N": N, "factors": FineMask._factors(T, N)}
        for size in (1, 2, 3, 4):
            yield {"size": size}

    def _width(M: np.ndarray) -> int:
        """Of the package's completion if that is M on and below the diagonal."""
        new, keys = completion(fractions(M))
        return len(new) if bool((np.tril(M[:, new] @ keys.T) == M).all()) else -1

    def claimed(case: Case, *, more: int = 0, zero: bool = False) -> int | list[int]:
        if "size" in case:
            return [FineMask._width(np.array(M)) + more for M in _small(case["size"])]
        a, Q, K = (np.array(case["factors"][name]) for name in "aQK")
        if zero:
            a[case["T"] // 2] = 0
        return len(new_columns(one_semiseparable(a) * (Q @ K.T))) + more

    def computed(case: Case) -> int | list[int]:
        if "size" in case:
            return [_counted_columns(M) for M in _numbered(case["size"])]
        Q, K = (case["factors"][name] for name in "QK")
        return eliminated_rank((Q @ K.T).tolist())


@claim(
    "ssd.expr",
    title="Two diagonal states that no scalar-identity system of two states realizes",
    statement=r"$M = 2 I + S$ ($S$ the shift, $T = 4$) has semiseparable rank $2$, one block and $3$ new columns, so it is no "
    r"masked attention of width $2$; yet the diagonal system with $a^1 = (\cdot, 1, 0, 1)$, $a^2 = (\cdot, 0, 1, 0)$ and "
    r"$b = c = 1$ realizes it.",
    source=f"{DUALITY}, its example of richer dynamics (as given in public notes)",
    domain="this matrix, exact integers",
    routes=("the package's system, ranks and width", "the matrix written down; corner ranks by elimination"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"first": (1, 1, 1, 1)}, {"diagonal": 1}],
    tags=("duality", "exact"),
    related=("ssd.diag", "ssd.thm1"),
)
class RicherDynamics:
    """The statement is about one matrix, and all of it is checked."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"T": 4}

    def claimed(case: Case, *, first: tuple[int, ...] = (1, 1, 0, 1), diagonal: int = 2) -> list[Any]:
        A = np.array([first, (1, 0, 1, 0)], dtype=object).T
        M = realized_matrix(TimeVaryingSystem(A, np.ones((4, 2), dtype=int), np.ones((4, 2), dtype=int)))
        wanted = diagonal * np.eye(4, dtype=int) + np.eye(4, k=-1, dtype=int)
        return [
            *M.ravel(),
            *wanted.ravel(),
            semiseparable_rank(wanted),
            least_dual(wanted).minimum_width,
            *new_columns(wanted),
        ]

    def computed(case: Case) -> list[Any]:
        M = [[2 if t == s else int(t == s + 1) for s in range(4)] for t in range(4)]
        before, after = corner_ranks(M, diagonal=False), corner_ranks(M)
        fresh = [t for t in range(4) if after[t] > before[t]]
        values = [value for row in M for value in row]
        return [*values, *values, max(after), len(fresh), *fresh]


def _wide_dual() -> tuple[list[dict[str, Any]], bool]:
    dual = least_dual(np.array(_corner(4)))
    holds = dual.certificate.holds(np.array(_corner(4)))
    return [{"case": "T = 4", "numbers": f"semiseparable rank 2, least width {dual.minimum_width}"}], holds


@claim(
    "ssd.lowdim",
    title="A small state is not enough for a narrow dual",
    statement=r"$I_T + E_{T1}$ has semiseparable rank $2$, one block and $T - 1$ new columns, so its narrowest dual has width "
    r"$T - 1$; it is realized by the diagonal system with constant $A = \operatorname{diag}(1, 0)$, $b_1 = (1, 1)$, $b_t = "
    r"(0, 1)$, $c_t = (0, 1)$, $c_T = (1, 1)$. For $T \ge 4$ this exceeds the state size $2$.",
    source=f"{DUALITY}, its example against duality at low rank; the realization is derived here",
    domain="T = 3, 4, 8, 16, 40, exact integers",
    routes=("the package's matrix, rank and width", "the matrix written down; corner ranks by elimination"),
    relation=IDENTICAL,
    expected="REFINED",
    corruptions=[{"decay": 0}, {"less": 2}],
    counterexample=Counterexample(
        r"Every matrix of semiseparable rank $N$ has a masked-attention dual of width $N$.", lambda effort: _wide_dual()
    ),
    tags=("duality", "exact"),
    figure="dual-widths",
    related=("ssd.thm1", "ssd.skip"),
)
class LowState:
    """The corner entry crosses every block boundary."""

    def cases(effort: str) -> Iterator[Case]:
        for T in (3, 4, 8, 16, 40):
            yield {"T": T}

    def claimed(case: Case, *, decay: int = 1, less: int = 1) -> list[Any]:
        T = case["T"]
        B, C = np.array([[0, 1]] * T), np.array([[0, 1]] * T)
        B[0], C[-1] = (1, 1), (1, 1)
        M = realized_matrix(TimeVaryingSystem(np.array([[decay, 0]] * T), B, C)).astype(int)
        corner = np.eye(T, dtype=int)
        corner[-1, 0] = 1
        return [*M.ravel().tolist(), semiseparable_rank(corner), T - less, least_dual(corner).minimum_width]

    def computed(case: Case) -> list[Any]:
        M = _corner(case["T"])
        columns = _counted_columns(M)
        return [*(value for row in M for value in row), max(corner_ranks(M)), columns, columns]


@claim(
    "ssd.skip",
    title="A skip connection belongs outside of the duality",
    statement=r"The one-state system $a_t = \lambda$, $b = c = 1$ has one new column; with a skip term $x_t$ added to "
    r"$y_t$ its matrix $L + I$ has $T - 1$ new columns.",
    source="derived here",
    domain=r"lambda = 1/2, -3, T = 4, 8, 16, exact Fractions",
    routes=("new columns by the package", "new columns by ranks of all corners"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"skip": 0}],
    tags=("duality", "exact"),
    related=("ssd.lowdim",),
)
class Skip:
    """Both counts for the matrix without and with the skip."""

    def cases(effort: str) -> Iterator[Case]:
        for T in (4, 8, 16):
            for decay in (Fraction(1, 2), Fraction(-3)):
                yield {"T": T, "lambda": decay}

    def claimed(case: Case, *, skip: int = 1) -> list[int]:
        L = one_semiseparable([case["lambda"]] * case["T"])
        return [len(new_columns(L)), len(new_columns(L + skip * np.eye(case["T"], dtype=int)))]

    def computed(case: Case) -> list[int]:
        T, decay = case["T"], case["lambda"]
        L = [[decay ** (t - s) if t >= s else Fraction(0) for s in range(T)] for t in range(T)]
        skipped = [[value + (t == s) for s, value in enumerate(row)] for t, row in enumerate(L)]
        return [_counted_columns(L), _counted_columns(skipped)]


def _uniform_attention() -> tuple[list[dict[str, Any]], bool]:
    uniform = [[1] * (t + 1) + [0] * (7 - t) for t in range(8)]
    full, state = eliminated_rank(uniform), max(corner_ranks(uniform))
    return [
        {"case": "uniform causal attention, T = 8", "numbers": f"rank {full}, semiseparable rank {state}"}
    ], state == 1


@claim(
    "ssd.softmax",
    title="Softmax of rank-one logits needs a state of half the length",
    statement=r"For the logits $V_{ij} = ij \ln 2$ of rank one, softmax has rank $T$, and causal softmax has semiseparable rank "
    r"$\left\lfloor \frac{T+1}{2} \right\rfloor$ and as many new columns: so many states a system needs that realizes it.",
    source=f"{DUALITY}, on the rank explosion of softmax attention; the statement on corner blocks is derived here",
    domain="T = 1, ..., 12, 20, integers 2^(ij) exactly",
    routes=("the closed forms, and the package's ranks", "elimination in Fractions"),
    relation=IDENTICAL,
    expected="REFINED",
    corruptions=[{"half": 0}, {"full": 1}],
    counterexample=Counterexample(
        r"The rank of the whole matrix shows that no small state realizes it: uniform causal attention has rank $T$ and a state "
        r"of size one.",
        lambda effort: _uniform_attention(),
    ),
    tags=("duality", "exact"),
    figure="softmax-rank",
)
class Softmax:
    """Row sums scale rows and change no rank."""

    def cases(effort: str) -> Iterator[Case]:
        for T in (*range(1, 13), *((20,) if effort == "full" else ())):
            yield {"T": T}

    def claimed(case: Case, *, half: int = 1, full: int = 0) -> list[int]:
        T = case["T"]
        found = softmax_ranks(T)
        return [T - full, (T + half) // 2, (T + half) // 2, found.full, found.semiseparable, found.new_columns]

    def computed(case: Case) -> list[int]:
        T = case["T"]
        whole = [[Fraction(2) ** (i * j) for j in range(1, T + 1)] for i in range(1, T + 1)]
        causal = [[value if j <= i else Fraction(0) for j, value in enumerate(row)] for i, row in enumerate(whole)]
        ranks = [eliminated_rank(whole), max(corner_ranks(causal)), _counted_columns(causal)]
        return [*ranks, *ranks]


def _full_rank() -> tuple[list[dict[str, Any]], bool]:
    rows, refuted = [], True
    for T, N in ((4, 2), (20, 2)):
        decays = [Fraction(1, 2), Fraction(4, 5)]
        M = [[sum(a ** (t - s) for a in decays) if t >= s else Fraction(0) for s in range(T)] for t in range(T)]
        rank = eliminated_rank(M)
        refuted &= rank != N
        rows.append({"case": f"T = {T}, N = {N}", "numbers": f"rank(M) = {rank}"})
    return rows, refuted


@claim(
    "ssd.paper-error",
    title="The matrix of a system with b = c = 1 has rank T, not N",
    statement=r"For a diagonal system with $b = c = 1$ and $N$ states, $M$ is lower triangular with $N$ on its diagonal, so "
    r"$\det M = N^T$ and $\operatorname{rank} M = T$; it is its semiseparable rank that is $N$ (for distinct decays, $T \ge "
    r"2N$).",
    source=f"{DUALITY}, an appendix of one version, which reports rank N (as read in public notes)",
    domain="decays 1/2, 4/5 and 1/2, 4/5, 1/3, T = 6, 20, exact Fractions",
    routes=("the statement", "elimination of the matrix by its formula"),
    relation=IDENTICAL,
    expected="REFUTED",
    corruptions=[{"full": 0}, {"state": 1}],
    counterexample=Counterexample(r"$\operatorname{rank} M = N$.", lambda effort: _full_rank()),
    tags=("duality", "exact"),
)
class FullRank:
    """The two ranks beside each other."""

    def cases(effort: str) -> Iterator[Case]:
        for T in (6, 20):
            for decays in ((Fraction(1, 2), Fraction(4, 5)), (Fraction(1, 2), Fraction(4, 5), Fraction(1, 3))):
                yield {"T": T, "decays": decays}

    def claimed(case: Case, *, full: int = 1, state: int = 0) -> list[int]:
        N = len(case["decays"])
        return [case["T"] if full else N, N + state]

    def computed(case: Case) -> list[int]:
        T = case["T"]
        M = [[sum(a ** (t - s) for a in case["decays"]) if t >= s else 0 for s in range(T)] for t in range(T)]
        return [eliminated_rank(M), max(corner_ranks(M))]
