"""Kalman filters and stationary covariances in balls: the second route to what the package computes with scipy in float64.

All functions run inside ``Balls.work``.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Any

from flint import acb_mat, arb, arb_mat, fmpq

__all__ = [
    "ball_matrix",
    "block_of",
    "diagonal_of",
    "example_blocks",
    "example_filters",
    "example_gain",
    "kronecker",
    "learned_in_balls",
    "lyapunov",
    "pair_covariance",
    "steady_gain",
]

Blocks = dict[str, Any]


def example_blocks() -> Blocks:
    """The example of the package, written out once more: two clients of two states and three measurements."""
    eighth = Fraction(1, 8)
    return {
        "A": [[6, 1, 0, 0], [-1, 5, 0, 0], [2, -1, 4, 1], [1, 3, 0, 5]],  # in eighths
        "C": [[2, 1, 0, 0], [0, 2, 0, 0], [1, -1, 0, 0], [0, 0, 2, 0], [0, 0, 1, 2], [0, 0, -1, 1]],  # in halves
        "Q": eighth,
        "R": 2 * eighth,
    }


def ball_matrix(rows: Sequence[Sequence[Any]], scale: Any = 1) -> Any:
    """A matrix of exact numbers as balls, times a number."""
    factor = Fraction(scale)
    exact = [[Fraction(value) * factor for value in row] for row in rows]
    return arb_mat([[arb(fmpq(value.numerator, value.denominator)) for value in row] for row in exact])


def diagonal_of(size: int, value: Fraction) -> Any:
    """A multiple of the identity."""
    return ball_matrix([[value if i == j else 0 for j in range(size)] for i in range(size)])


def block_of(matrix: Any, rows: Sequence[int], columns: Sequence[int]) -> Any:
    """A submatrix."""
    return arb_mat([[matrix[i, j] for j in columns] for i in rows])


def kronecker(X: Any, Y: Any) -> Any:
    """The Kronecker product."""
    return arb_mat(
        [
            [X[i, k] * Y[j, m] for k in range(X.ncols()) for m in range(Y.ncols())]
            for i in range(X.nrows())
            for j in range(Y.nrows())
        ]
    )


def _beside(*blocks: Any) -> Any:
    return arb_mat([[b[i, j] for b in blocks for j in range(b.ncols())] for i in range(blocks[0].nrows())])


def _above(*blocks: Any) -> Any:
    return arb_mat([[b[i, j] for j in range(b.ncols())] for b in blocks for i in range(b.nrows())])


def lyapunov(F: Any, W: Any) -> Any:
    """X = F X F^T + W, by one linear system for all entries."""
    n = F.nrows()
    system = diagonal_of(n * n, Fraction(1)) - kronecker(F, F)
    flat = system.solve(arb_mat([[W[i, j]] for i in range(n) for j in range(n)]))
    return arb_mat([[flat[n * i + j, 0] for j in range(n)] for i in range(n)])


def steady_gain(A: Any, C: Any, Q: Any, R: Any) -> tuple[Any, Any]:
    """Gain and posterior covariance of the steady Kalman filter, from the stable eigenvectors of its symplectic matrix."""
    n = A.nrows()
    F, G = A.transpose(), C.transpose() * R.inv() * C
    inverse = A.inv()  # of F transposed
    symplectic = _above(_beside(F + G * inverse * Q, -1 * (G * inverse)), _beside(-1 * (inverse * Q), inverse))
    values, vectors = acb_mat(symplectic).eig(right=True)
    stable = [k for k, value in enumerate(values) if abs(value) < 1]
    if len(stable) != n:
        raise ArithmeticError("the symplectic matrix does not split")  # pragma: no cover
    upper, lower = (acb_mat([[vectors[i + shift, k] for k in stable] for i in range(n)]) for shift in (0, n))
    complex_prior = lower * upper.inv()
    prior = arb_mat([[complex_prior[i, j].real for j in range(n)] for i in range(n)])
    gain = prior * C.transpose() * (C * prior * C.transpose() + R).inv()
    return gain, (diagonal_of(n, Fraction(1)) - gain * C) * prior


@cache
def example_filters(bits: int) -> list[tuple[Any, Any]]:
    """Gain and posterior of each client's own filter, for the example; inside ``Balls.work`` of so many bits."""
    blocks = example_blocks()
    A, C = ball_matrix(blocks["A"], Fraction(1, 8)), ball_matrix(blocks["C"], Fraction(1, 2))
    Q, R = diagonal_of(2, blocks["Q"]), diagonal_of(3, blocks["R"])
    parts = ((range(2), range(3)), (range(2, 4), range(3, 6)))
    return [steady_gain(block_of(A, s, s), block_of(C, m, s), Q, R) for s, m in parts]


def example_gain(bits: int) -> Any:
    """The block diagonal gain of both clients of the example."""
    gains = [gain for gain, _ in example_filters(bits)]
    return arb_mat([[gains[i // 2][i % 2, j % 3] if i // 2 == j // 3 else arb(0) for j in range(6)] for i in range(4)])


def pair_covariance(A: Any, own: Any, C: Any, Q: Any, R: Any, gain: Any) -> Any:
    """Covariance of (h, h^): h^t = A h + w, h^^t = (I - K C) D h^ + K y^t, with D = own."""
    n = A.nrows()
    zero = diagonal_of(n, Fraction(0))
    seen = gain * C
    F = _above(_beside(A, zero), _beside(seen * A, own - seen * own))
    driven = _above(diagonal_of(n, Fraction(1)), seen)
    measured = _above(0 * gain, gain)
    return lyapunov(F, driven * Q * driven.transpose() + measured * R * measured.transpose())


def learned_in_balls(
    client: int, gain: Any, eta: tuple[Fraction, Fraction], shift: int = 0
) -> tuple[Any, Any, Any, Any, Any]:
    """Of a client of the example: Hessian and right-hand side of Phi in (theta, Â), flattened; E[z], E[h], E[h^].

    `gain` is the block diagonal gain of both clients, `shift` a constant input to the first state.
    """
    blocks = example_blocks()
    A, C = ball_matrix(blocks["A"], Fraction(1, 8)), ball_matrix(blocks["C"], Fraction(1, 2))
    own = arb_mat([[A[i, j] if i // 2 == j // 2 else arb(0) for j in range(4)] for i in range(4)])
    Q, R = diagonal_of(4, blocks["Q"]), diagonal_of(6, blocks["R"])
    both = pair_covariance(A, own, C, Q, R, gain)
    low, high = range(4), range(4, 8)
    hh, hc, cc = block_of(both, low, low), block_of(both, low, high), block_of(both, high, high)
    one = diagonal_of(4, Fraction(1))
    mean = (one - A).solve(arb_mat([[arb(shift)], [arb(0)], [arb(0)], [arb(0)]]))
    guess = (one - (own - gain * C * own)).solve(gain * C * mean)
    y, r = C * mean, C * (mean - own * guess)
    yc = C * hc + R * gain.transpose()
    Syy = C * hh * C.transpose() + R + y * y.transpose()
    Syz = yc + y * guess.transpose()
    Szz = cc + guess * guess.transpose()
    Sry = C * (A * hh * C.transpose() - own * yc.transpose()) + r * y.transpose()
    rows, mine = range(3 * client, 3 * client + 3), range(2 * client, 2 * client + 2)
    others = [k for k in range(4) if k not in mine]
    F, Cm = block_of(A, mine, mine), block_of(C, rows, mine)
    Syy, Syz, Szz, Sry = (
        block_of(Syy, rows, rows),
        block_of(Syz, rows, others),
        block_of(Szz, others, others),
        block_of(Sry, rows, rows),
    )
    eta1, eta2 = (arb(fmpq(value.numerator, value.denominator)) for value in eta)
    FF, seen = F.transpose() * F, Cm * F
    first = kronecker(seen.transpose() * seen * eta1 + FF * eta2, Syy)
    cross = kronecker(F.transpose(), Syz) * (-eta2)
    last = kronecker(diagonal_of(2, Fraction(1)), Szz) * eta2
    hessian = _above(_beside(first, cross), _beside(cross.transpose(), last)) * arb(2)
    pulled = seen.transpose() * Sry * (2 * eta1)
    flat = [[pulled[i, j]] for i in range(2) for j in range(3)] + [[arb(0)]] * 4
    return hessian, arb_mat(flat), block_of(guess, others, [0]), mean, guess
