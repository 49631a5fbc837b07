"""Claims on federated Granger causality: what the oracle gains over clients that filter for themselves."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from flint import acb_mat, arb, arb_mat, fmpq, fmpq_mat

from hippo_theory.arithmetic import balls
from hippo_theory.claims.drawn import Drawn
from hippo_theory.claims.granger_balls import (
    ball_matrix,
    block_of,
    diagonal_of,
    example_blocks,
    example_filters,
    example_gain,
    pair_covariance,
    steady_gain,
)
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import AT_LEAST, IDENTICAL, WITHIN
from hippo_theory.granger import client_filters, error_covariance, example_system, oracle_filter

__all__: list[str] = []

PAPER = "Federated Granger causality learning (arXiv:2501.13890)"
SYSTEM = (
    r"In eighths $A$ has the rows $(6,1,0,0)$, $(-1,5,0,0)$, $(2,-1,4,1)$, $(1,3,0,5)$, in halves $C_1$ the rows $(2,1)$, "
    r"$(0,2)$, $(1,-1)$ and $C_2$ the rows $(2,0)$, $(1,2)$, $(-1,1)$; $Q = I/8$, $R = I/4$; $A_{12} = 0$."
)
STEP = Fraction(1, 10**6)


def _covariances() -> tuple[Any, Any, list[Any]]:
    """Error covariance of the clients, posterior of the oracle, and what each client believes; in 300 bits of balls."""
    blocks = example_blocks()
    A, C = ball_matrix(blocks["A"], Fraction(1, 8)), ball_matrix(blocks["C"], Fraction(1, 2))
    Q, R = diagonal_of(4, blocks["Q"]), diagonal_of(6, blocks["R"])
    known = arb_mat([[A[i, j] if i // 2 == j // 2 else arb(0) for j in range(4)] for i in range(4)])
    both = pair_covariance(A, known, C, Q, R, example_gain(300))
    clients = arb_mat(
        [[both[i, j] - both[i, 4 + j] - both[4 + i, j] + both[4 + i, 4 + j] for j in range(4)] for i in range(4)]
    )
    return clients, steady_gain(A, C, Q, R)[1], [posterior for _, posterior in example_filters(300)]


def _least_eigenvalue(matrix: Any) -> Any:
    """Of a symmetric matrix of balls: all eigenvalues are enclosed, each real."""
    values = acb_mat((matrix + matrix.transpose()) / 2).eig()
    return min((value.real for value in values), key=lambda ball: float(ball.mid()))


@claim(
    "fedgc.oracle",
    title="The oracle's error is below the clients', also for one that nobody drives",
    statement=r"Let $P_c$ be the stationary covariance of the errors of clients that each run the Kalman filter of their own "
    rf"model, and $P_o$ that of the filter of the whole system. {SYSTEM} Then $P_c - P_o$ is positive definite: its least "
    r"eigenvalue is at least $0.0003476380$, that of the block of client 1, whom nobody drives, at least $0.0003544413$, and "
    r"that of client 2 at least $0.007373876$.",
    source=f"{PAPER}, which compares its clients with a centralized oracle; our formulation and example",
    domain="this system; balls of 300 bits, every bound is attained to seven digits",
    routes=(
        "the three bounds, each reached by the package in float64",
        "Riccati solutions from symplectic eigenvectors and the Lyapunov equation of (h, estimate), enclosed",
    ),
    relation=AT_LEAST,
    expected="CERTIFIED",
    corruptions=[{"whole": "0.0003476384"}, {"first": "0.0003544417"}, {"second": "0.007373884"}],
    tags=("granger",),
    related=("fedgc.oracle.excess", "fedgc.oracle.traces"),
)
class OracleBelowClients:
    """Semidefinite order, decided by enclosures of all eigenvalues."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"system": "example"}

    def claimed(
        case: Case, *, whole: str = "0.0003476380", first: str = "0.0003544413", second: str = "0.007373876"
    ) -> list[Any]:
        bounds = [Fraction(text) for text in (whole, first, second)]
        system = example_system()
        gap = error_covariance(system) - oracle_filter(system).posterior
        parts = [gap, gap[:2, :2], gap[2:, 2:]]
        # The package reaches each bound, to its seven digits.
        reached = [
            bool(abs(np.linalg.eigvalsh(part)[0] / float(b) - 1) < 3e-6) for part, b in zip(parts, bounds, strict=True)
        ]
        return [fmpq(b.numerator, b.denominator) if good else 1 for b, good in zip(bounds, reached, strict=True)]

    def computed(case: Case) -> list[Any]:
        with balls(300).work():
            clients, oracle, _ = _covariances()
            gap = clients - oracle
            return [
                _least_eigenvalue(part)
                for part in (gap, block_of(gap, range(2), range(2)), block_of(gap, range(2, 4), range(2, 4)))
            ]


@claim(
    "fedgc.oracle.traces",
    title="A client that is driven reports less error than it has, even less than the oracle's",
    statement=rf"{SYSTEM} The traces of the covariances of the errors are $0.1778479$ for client 1 and $0.1967534$ for client "
    r"2, those of the oracle's estimates of the same states $0.1768954$ and $0.1743899$. Client 1 reports what it has; client "
    r"2 reports $0.1670025$, since its filter takes nobody to drive it.",
    source=f"{PAPER}, which compares its clients with a centralized oracle; our formulation and example",
    domain="this system, seven digits each; balls of 300 bits; corruptions change the last digit",
    routes=("the traces", "Riccati solutions from symplectic eigenvectors and a Lyapunov equation, enclosed"),
    relation=WITHIN,
    expected="CERTIFIED",
    corruptions=[
        {"clients": ("0.1778480", "0.1967534")},
        {"clients": ("0.1778479", "0.1967535")},
        {"oracle": ("0.1768953", "0.1743899")},
        {"oracle": ("0.1768954", "0.1743898")},
        {"reported": ("0.1778479", "0.1670026")},
        {"reported": ("0.1778478", "0.1670025")},
    ],
    tags=("granger",),
    related=("fedgc.oracle",),
)
class Traces:
    """Brackets of half a unit of the seventh digit; the package's float64 values must lie in them as well."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"system": "example"}

    def claimed(
        case: Case,
        *,
        clients: tuple[str, str] = ("0.1778479", "0.1967534"),
        oracle: tuple[str, str] = ("0.1768954", "0.1743899"),
        reported: tuple[str, str] = ("0.1778479", "0.1670025"),
    ) -> list[Any]:
        system = example_system()
        found = (error_covariance(system), oracle_filter(system).posterior)
        beliefs = [float(np.trace(one.posterior)) for one in client_filters(system)]
        floats = [float(np.trace(part)) for whole in found for part in (whole[:2, :2], whole[2:, 2:])] + beliefs
        texts = (*clients, *oracle, *reported)
        half = 5e-8
        if any(abs(value - float(text)) > half for value, text in zip(floats, texts, strict=True)):
            return [arb(2)] * 6
        return [arb(text, half) for text in texts]

    def computed(case: Case) -> list[Any]:
        with balls(300).work():
            clients, oracle, reported = _covariances()
            return [
                *(m[a, a] + m[a + 1, a + 1] for m in (clients, oracle) for a in (0, 2)),
                *(m[0, 0] + m[1, 1] for m in reported),
            ]


def _rational_filter(seed: int, p: int, d: int) -> Drawn:
    """A filter whose Riccati equation has a rational solution: P is chosen, and Q = P - A P+ A^T follows."""
    rng = np.random.default_rng(seed)
    draw = [[[int(v) for v in row] for row in rng.integers(-3, 4, shape)] for shape in ((p, p), (p, p), (d, p), (p, d))]
    half = fmpq_mat([[fmpq(v, 2) for v in row] for row in draw[0]])
    prior = half * half.transpose() + fmpq_mat([[fmpq(int(i == j)) for j in range(p)] for i in range(p)])
    A = fmpq_mat([[fmpq(v, 4 * p) for v in row] for row in draw[1]])
    C = fmpq_mat([[fmpq(v) for v in row] for row in draw[2]])
    R = fmpq_mat([[fmpq(int(i == j)) * (i + 1) for j in range(d)] for i in range(d)])
    other = fmpq_mat([[fmpq(v, 64) for v in row] for row in draw[3]])
    return Drawn(seed=seed, prior=prior, A=A, C=C, R=R, move=other)


def _entries(matrix: Any) -> list[Fraction]:
    return [Fraction(int(v.p), int(v.q)) for row in matrix.tolist() for v in row]


@claim(
    "fedgc.oracle.excess",
    title="What another gain costs: the optimality of the Kalman filter as an identity",
    statement=r"Let $P_-$ solve $P_- = A P_+ A^\top + Q$, $P_+ = (I - K_* C) P_-$, $K_* = P_- C^\top S^{-1}$, "
    r"$S = C P_- C^\top + R$. For any gain $K$ with $F = (I - KC)A$ stable the stationary covariance $P(K)$ of the error exceeds "
    r"$P_+$ by $E = F E F^\top + (K - K_*) S (K - K_*)^\top$, which is positive semidefinite: no gain, the decoupled one of all "
    r"clients included, does better.",
    source=f"{PAPER}, whose oracle is optimal; the identity is derived here",
    domain="(p, d) = (1, 1), (2, 1), (2, 3), (3, 2), rational systems of fixed seeds with rational Riccati solutions, exact",
    routes=("(K - K*) S (K - K*)^T", "E - F E F^T from the Lyapunov equation of the gain K, all entries at once"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"factor": 1 + STEP}, {"noise": 1 + STEP}, {"seen": 0}],
    tags=("granger", "exact"),
    related=("fedgc.oracle",),
)
class Excess:
    """S = seen C P C^T + noise R; K differs from K* by a fixed matrix."""

    def cases(effort: str) -> Iterator[Case]:
        for seed, (p, d) in enumerate(((1, 1), (2, 1), (2, 3), (3, 2))):
            yield {"p": p, "d": d, "system": _rational_filter(seed, p, d)}

    def claimed(case: Case, *, factor: Any = 1, noise: Any = 1, seen: int = 1) -> list[Any]:
        given = case["system"]
        to_list = [
            [[Fraction(int(v.p), int(v.q)) for v in row] for row in given[n].tolist()]
            for n in ("prior", "C", "R", "move")
        ]
        P, C, R, K = (np.array(rows, dtype=object) for rows in to_list)
        S = seen * (C @ P @ C.T) + noise * R
        return list((factor * (K @ S @ K.T)).ravel())

    def computed(case: Case) -> list[Any]:
        g = case["system"]
        p, P, A, C, R = case["p"], g["prior"], g["A"], g["C"], g["R"]
        one = fmpq_mat([[fmpq(int(i == j)) for j in range(p)] for i in range(p)])
        best = P * C.transpose() * (C * P * C.transpose() + R).inv()
        posterior = (one - best * C) * P
        Q = P - A * posterior * A.transpose()
        K = best + g["move"]
        kept = one - K * C
        F = kept * A
        W = kept * Q * kept.transpose() + K * R * K.transpose()
        pairs = [(i, j) for i in range(p) for j in range(p)]
        system = fmpq_mat([[fmpq(int(a == b)) - F[a[0], b[0]] * F[a[1], b[1]] for b in pairs] for a in pairs])
        flat = system.solve(fmpq_mat([[W[i, j]] for i, j in pairs]))
        stationary = fmpq_mat([[flat[p * i + j, 0] for j in range(p)] for i in range(p)])
        E = stationary - posterior
        return _entries(E - F * E * F.transpose())
