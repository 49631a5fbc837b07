"""Evaluating y = M x: by heads, each a scan, and in chunks, the algorithm of Mamba-2; with exact operation counts.

The functions work on floats and on exact numbers alike, and do the very operations that the cost models count: a test runs
them on numbers that count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.duality.exact_matrices import regular_array
from hippo_theory.duality.semiseparable import one_semiseparable
from hippo_theory.duality.time_varying import TimeVaryingSystem, head_sum
from hippo_theory.errors import InputError, checked_size

__all__ = ["Cost", "apply_chunked", "apply_heads", "chunked_cost", "head_cost"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Cost:
    """Scalar operations."""

    multiplications: int
    additions: int

    @property
    def total(self) -> int:
        """Multiplications and additions together."""
        return self.multiplications + self.additions

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.multiplications + other.multiplications, self.additions + other.additions)


def apply_heads(system: TimeVaryingSystem, X: Any) -> Array:
    """Y = M X as the sum of N masked attentions of width one, each evaluated by a scan of its products b^n x.

    Parameters
    ----------
    system : TimeVaryingSystem
        Diagonal or scalar-identity.
    X : (T, P) array_like
        One column a channel.

    Raises
    ------
    InputError
        A dense system, or an input without T rows.

    Notes
    -----
    Source: structured state-space duality (arXiv:2510.04944), which counts 4 N T P operations, one for each entry and stage;
    `head_cost` has the exact number.
    """
    X = _inputs(system, X)
    kind = np.result_type(system.A, system.B, system.C, X)
    total: Array | None = None
    for a, b, c in head_sum(system):
        states = (b[:, None] * X).astype(kind)
        for t in range(1, system.T):
            states[t] = a[t] * states[t - 1] + states[t]
        head = c[:, None] * states
        total = head if total is None else total + head
    assert total is not None
    return total


def head_cost(T: int, N: int, P: int) -> Cost:
    """Operations of `apply_heads`: 2 N T P + N (T - 1) P multiplications, N (T - 1) P + (N - 1) T P additions.

    Examples
    --------
    >>> from hippo_theory.duality import head_cost
    >>> head_cost(T=6, N=4, P=3).total  # the paper's count 4 N T P is 288
    318
    """
    T, N, P = checked_size("T", T), checked_size("N", N), checked_size("P", P)
    return Cost(2 * N * T * P + N * (T - 1) * P, N * (T - 1) * P + (N - 1) * T * P)


def apply_chunked(system: TimeVaryingSystem, X: Any, chunk: int) -> Array:
    """Y = M X of a scalar-identity system in chunks of Q steps: attention inside a chunk, a scan between chunks.

    With s the state at the end of the previous chunk, in each chunk

        Y = (1SS(a) * (C B^T)) X + (p * C) s,    s <- p_Q s + (q * B)^T X,

    p_t the product of the factors from the chunk's first step to t, q_t that of the factors after t.

    Parameters
    ----------
    system : TimeVaryingSystem
        Scalar-identity.
    X : (T, P) array_like
    chunk : int
        Q; the last chunk may be shorter.

    Raises
    ------
    InputError
        Another kind of system, or an input without T rows.

    Notes
    -----
    Source: the SSD paper (arXiv:2405.21060), its block decomposition; O(T N (P + Q) + T Q P) operations.
    """
    if system.kind != "scalar":
        raise InputError(f"`apply_chunked` needs a scalar-identity system, got a {system.kind} one; use `apply_heads`")
    chunk, X = checked_size("chunk", chunk), _inputs(system, X)
    rows = []
    state: Array | None = None
    for start in range(0, system.T, chunk):
        stop = min(start + chunk, system.T)
        a, B, C, x = (array[start:stop] for array in (system.A, system.B, system.C, X))
        y = (one_semiseparable(a) * (C @ B.T)) @ x
        if state is not None:
            y = y + (np.multiply.accumulate(a)[:, None] * C) @ state
        rows.append(y)
        if stop < system.T:
            later = np.multiply.accumulate(np.append(a[1:], 1)[::-1])[::-1]
            written = (later[:, None] * B).T @ x
            state = written if state is None else np.multiply.reduce(a) * state + written
    return np.concatenate(rows)


def chunked_cost(T: int, N: int, P: int, chunk: int) -> Cost:
    """Operations of `apply_chunked`.

    A chunk of q steps takes q (q-1)/2 multiplications for the mask, q^2 N and q^2 (N-1) operations for C B^T, q^2 for the
    product with the mask, q^2 P and q (q-1) P for the product with X. Every chunk but the first adds what the state gives:
    q - 1 + q N + q N P multiplications and q (N-1) P + q P additions. Every chunk but the last writes its state: q - 1 + q N
    + q N P multiplications and (q-1) N P additions, and, but for the first, q - 1 + N P and N P to carry the old one on.

    Examples
    --------
    >>> from hippo_theory.duality import chunked_cost
    >>> [chunked_cost(T=4096, N=64, P=64, chunk=Q).total // 4096 for Q in (1, 16, 64, 256, 4096)]
    [20792, 20742, 32669, 81095, 1050559]
    """
    T, N, P, chunk = (checked_size(n, v) for n, v in (("T", T), ("N", N), ("P", P), ("chunk", chunk)))
    total = Cost(0, 0)
    whole, rest = divmod(T, chunk)
    last = whole + (rest > 0) - 1
    # The first chunk, those between, which cost the same, and the last one.
    for number, times in ((0, 1), (1, last - 1), (last, 1))[: 3 if last > 0 else 1]:
        q = rest if number == last and rest else chunk
        cost = Cost(q * (q - 1) // 2 + q * q * N + q * q + q * q * P, q * q * (N - 1) + q * (q - 1) * P)
        if number > 0:
            cost += Cost(q - 1 + q * N + q * N * P, q * (N - 1) * P + q * P)
        if number < last:
            cost += Cost(q - 1 + q * N + q * N * P, (q - 1) * N * P)
            if number > 0:
                cost += Cost(q - 1 + N * P, N * P)
        total += Cost(times * cost.multiplications, times * cost.additions)
    return total


def _inputs(system: TimeVaryingSystem, X: Any) -> Array:
    X = regular_array("X", X)
    if X.ndim != 2 or len(X) != system.T:
        raise InputError(f"`X` must have the shape ({system.T}, P), got {X.shape}; give X[:, None] for one channel")
    return np.asarray(X)
