"""The L2 distance between the kernels of LegS and of its diagonal restriction: exact rationals, no convergence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any

from flint import fmpq, fmpq_mat

from hippo_theory.claims.core_legs import DERIVED
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import IDENTICAL

__all__: list[str] = []

_SIZES = {"quick": (1, 2, 3, 4, 5, 6, 8), "full": (*range(1, 14),)}
_ROUTE = "exact Sylvester and Lyapunov equations of both systems over the rationals, in the basis x_n / R_n"


@lru_cache(maxsize=16)
def _gramians(N: int) -> tuple[Any, Any, Any]:
    """Gram matrices over [0, inf) of (full, full), (full, diagonal), (diagonal, diagonal) kernels, times R_n R_m.

    Each solves F G + G H^T + b c^T = 0 as one linear system: for computed sides only.
    """
    R2 = [2 * n + 1 for n in range(N)]
    full = [[fmpq(-R2[k] if n > k else -(n + 1) if n == k else 0) for k in range(N)] for n in range(N)]
    diagonal = [[full[n][k] + fmpq(R2[k], 2) for k in range(N)] for n in range(N)]

    def solved(F: Any, H: Any, weight: Any) -> Any:
        rows = [[fmpq(0)] * (N * N) for _ in range(N * N)]
        for n in range(N):
            for m in range(N):
                for j in range(N):
                    rows[n * N + m][j * N + m] += F[n][j]
                    rows[n * N + m][n * N + j] += H[m][j]
        solution = fmpq_mat(rows).solve(fmpq_mat([[-weight] for _ in range(N * N)]))
        return [[solution[n * N + m, 0] for m in range(N)] for n in range(N)]

    return solved(full, full, fmpq(1)), solved(full, diagonal, fmpq(1, 2)), solved(diagonal, diagonal, fmpq(1, 4))


def _correction(N: int) -> Any:
    """A^2 W + W (A^T)^2 in the basis x_n / R_n, where A is integer and W by its formula rational: for claimed sides only."""
    A = fmpq_mat([[-(2 * k + 1) if n > k else -(n + 1) if n == k else 0 for k in range(N)] for n in range(N)])
    W = fmpq_mat(N, N)
    for n in range(N):
        W[n, n] = fmpq(1, 2 * (2 * n + 1))
        if n + 1 < N:
            W[n, n + 1] = W[n + 1, n] = fmpq(n + 1, 2 * (2 * n + 1) * (2 * n + 3))
    return A * A * W + W * A.transpose() * A.transpose()


def _scaled(value: Any, n: int, m: int) -> Fraction:
    """An entry in the basis x_n / R_n, times R_n^2 R_m^2: R_n R_m times the entry itself, a rational."""
    return Fraction(int(value.p), int(value.q)) * (2 * n + 1) * (2 * m + 1)


@claim(
    "core.diag.l2.norm",
    title="The L2 distance between the kernels, exactly",
    statement=(
        r"With $E_n$ the difference of the $n$-th basis kernels of $(S, \frac12B)$ and $(A, B)$: $\|E_n\|^2 = "
        r"\frac{2n+1}{4} - \frac{1+3n(n+1)}{2N^2}$ over $[0,\infty)$ for $n \le N-2$, and the same "
        r"$+\,\frac{N}{C+1}$, $C = \binom{2N}{N}$, for $n = N-1$. It does not tend to 0."
    ),
    source=DERIVED,
    domain="N = 1, ..., 6, 8 (full: 1, ..., 13), every n, exact rationals",
    routes=("the formula", _ROUTE),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[
        {"quarter": Fraction(1000001, 4000000)},
        {"three": Fraction(3000003, 1000000)},
        {"half": Fraction(1000001, 2000000)},
        {"power": 1},
        {"one": 0},
        {"corner": 0},
    ],
    tags=("legs", "diagonal", "exact", "l2"),
    related=("core.diag.l2.gram", "core.diag.l2.orthogonal", "core.diag.exact"),
    figure="error-against-size",
)
class SquaredDistance:
    """For the last component N = 1..6: 1/12, 9/56, 85/252, 1477/2272, 26559/25300, 99407/66600."""

    def cases(effort: str) -> Iterator[Case]:
        for N in _SIZES[effort]:
            yield {"N": N}

    def claimed(
        case: Case,
        *,
        quarter: Fraction = Fraction(1, 4),
        three: Fraction = Fraction(3),
        half: Fraction = Fraction(1, 2),
        power: int = 2,
        one: int = 1,
        corner: int = 1,
    ) -> list[Any]:
        N = case["N"]
        values = [quarter * (2 * n + 1) - half * (one + three * n * (n + 1)) / N**power for n in range(N)]
        values[-1] += Fraction(N, math.comb(2 * N, N) + corner)
        return values

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        full, mixed, diagonal = _gramians(N)
        differences = [diagonal[n][n] - 2 * mixed[n][n] + full[n][n] for n in range(N)]
        return [_scaled(value, n, n) / (2 * n + 1) for n, value in enumerate(differences)]


@claim(
    "core.diag.l2.full",
    title="The Gram matrix of the LegS kernels is tridiagonal",
    statement=(
        r"$W_{nn} = \frac12$ and $W_{n,n+1} = \frac{n+1}{2\sqrt{(2n+1)(2n+3)}}$ are the inner products of the "
        r"LegS kernels over $[0,\infty)$; all others vanish."
    ),
    source=DERIVED,
    domain="N = 1, ..., 6, 8 (full: 1, ..., 13), all entries, exact rationals R_n R_m W_nm",
    routes=("the formula", _ROUTE),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"half": Fraction(1000001, 2000000)}, {"beside": Fraction(1000001, 2000000)}, {"shift": 2}],
    tags=("legs", "exact", "l2"),
    related=("core.diag.l2.gram",),
    figure="gramians",
)
class FullGram:
    """R_n R_m W_nm is rational."""

    def cases(effort: str) -> Iterator[Case]:
        for N in _SIZES[effort][1:]:
            yield {"N": N}

    def claimed(
        case: Case, *, half: Fraction = Fraction(1, 2), beside: Fraction = Fraction(1, 2), shift: int = 1
    ) -> list[Any]:
        N = case["N"]
        W = [[Fraction(0)] * N for _ in range(N)]
        for n in range(N):
            W[n][n] = half * (2 * n + 1)
            if n + 1 < N:
                W[n][n + 1] = W[n + 1][n] = beside * (n + shift)
        return W

    def computed(case: Case) -> list[Any]:
        full, _, _ = _gramians(case["N"])
        return [_scaled(full[n][m], n, m) for n in range(case["N"]) for m in range(case["N"])]


@claim(
    "core.diag.l2.gram",
    title="The Gram matrix of the errors in closed form",
    statement=(
        r"For $n, m \le N-2$ the inner products of the errors are $\Gamma = \frac14BB^T - \frac{1}{2N^2}(A^2W + "
        r"W(A^T)^2)$, $W$ the Gram matrix of the LegS kernels."
    ),
    source=DERIVED,
    domain="N = 2, ..., 6, 8 (full: 2, ..., 13), all n, m up to N-2, exact rationals R_n R_m Gamma_nm",
    routes=("the formula, with W tridiagonal (core.diag.l2.full)", _ROUTE),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[
        {"quarter": Fraction(1000001, 4000000)},
        {"half": Fraction(1000001, 2000000)},
        {"power": 1},
        {"sign": 1},
    ],
    tags=("legs", "diagonal", "exact", "l2"),
    related=("core.diag.l2.norm", "core.diag.l2.full", "core.diag.l2.last"),
    figure="gramians",
)
class ErrorGram:
    """In the basis x_n / R_n, where A is integer and W_nm / (R_n R_m) rational."""

    def cases(effort: str) -> Iterator[Case]:
        for N in _SIZES[effort][1:]:
            yield {"N": N}

    def claimed(
        case: Case,
        *,
        quarter: Fraction = Fraction(1, 4),
        half: Fraction = Fraction(1, 2),
        power: int = 2,
        sign: int = -1,
    ) -> list[Any]:
        N = case["N"]
        correction = _correction(N)
        values = []
        for n in range(N - 1):
            for m in range(N - 1):
                term = Fraction(int(correction[n, m].p), int(correction[n, m].q))
                values.append((quarter + sign * half * term / N**power) * (2 * n + 1) * (2 * m + 1))
        return values

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        full, mixed, diagonal = _gramians(N)
        pairs = [(n, m) for n in range(N - 1) for m in range(N - 1)]
        return [_scaled(diagonal[n][m] - mixed[n][m] - mixed[m][n] + full[n][m], n, m) for n, m in pairs]


@claim(
    "core.diag.l2.last",
    title="The last row of the Gram matrix of the errors",
    statement=(
        r"For $m \le N-2$ the inner product of $E_{N-1}$ and $E_m$ is the entry of the formula for $\Gamma$ plus "
        r"$R_mR_{N-1}\binom{2N-2}{N-1}\frac{(N!)^2}{(N-m)!\,(N+m+1)!}\frac{1}{C+1}$, $C = \binom{2N}{N}$."
    ),
    source=DERIVED,
    domain="N = 2, ..., 6, 8 (full: 2, ..., 13), all m up to N-2, exact rationals",
    routes=("the formula; (A^2 W)_nm summed by hand", _ROUTE),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"corner": 0}, {"shift": 2}, {"top": 1}, {"scale": Fraction(1000001, 1000000)}],
    tags=("legs", "diagonal", "exact", "l2"),
    related=("core.diag.l2.gram",),
    figure="gramians",
)
class LastRow:
    """Times R_m R_(N-1)."""

    def cases(effort: str) -> Iterator[Case]:
        for N in _SIZES[effort][1:]:
            yield {"N": N}

    def claimed(
        case: Case, *, corner: int = 1, shift: int = 1, top: int = 2, scale: Fraction = Fraction(1)
    ) -> list[Any]:
        N, values = case["N"], []
        correction = _correction(N)
        for m in range(N - 1):
            term = correction[N - 1, m]
            entry = Fraction(1, 4) - Fraction(int(term.p), int(term.q)) / (2 * N * N)
            factorials = Fraction(math.factorial(N) ** 2, math.factorial(N - m) * math.factorial(N + m + shift))
            extra = scale * math.comb(2 * N - top, N - 1) * factorials / (math.comb(2 * N, N) + corner)
            values.append((entry + extra) * (2 * m + 1) * (2 * N - 1))
        return values

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        full, mixed, diagonal = _gramians(N)
        last = N - 1
        return [
            _scaled(diagonal[last][m] - mixed[last][m] - mixed[m][last] + full[last][m], last, m) for m in range(N - 1)
        ]


@claim(
    "core.diag.l2.orthogonal",
    title="The error is orthogonal to the LegS kernels",
    statement=(
        r"$\langle K^D_n, K_m\rangle = \langle K_n, K_m\rangle$ over $[0,\infty)$ for every $n < N$ and $m \le "
        r"N-2$: each error is exactly orthogonal to the LegS kernels $0, \dots, N-2$, and the Gram matrix of the "
        r"diagonal kernels is there $W + \Gamma$."
    ),
    source=DERIVED,
    domain="N = 2, ..., 6, 8 (full: 2, ..., 13), all entries, exact rationals",
    routes=(
        "W by its formula (core.diag.l2.full)",
        "exact Sylvester equation between the diagonal and the full system",
    ),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"half": Fraction(1000001, 2000000)}, {"last": 1}],
    tags=("legs", "diagonal", "exact", "l2"),
    related=("core.diag.l2.gram",),
    figure="error-against-size",
)
class ErrorOrthogonality:
    """With `last` = 1 the statement would speak of m = N-1 too."""

    def cases(effort: str) -> Iterator[Case]:
        for N in _SIZES[effort][1:]:
            yield {"N": N}

    def claimed(case: Case, *, half: Fraction = Fraction(1, 2), last: int = 2) -> list[Any]:
        N, values = case["N"], []
        for n in range(N):
            for m in range(N):
                near = {0: half * (2 * n + 1), 1: half * (max(n, m))}.get(abs(n - m), Fraction(0))
                values.append(near if m <= N - last else None)
        return values

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        _, mixed, _ = _gramians(N)
        return [_scaled(mixed[m][n], n, m) if m <= N - 2 else None for n in range(N) for m in range(N)]
