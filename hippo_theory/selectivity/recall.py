"""Associative recall: the task, and layers that solve it without training: Mamba, Mamba-2, and S4D with convolution and gate.

A layer sees the codes of the tokens. A convolution of width 2 puts the code of the previous token, the key, beside that of
the value; without it key and value never meet, and nothing is recalled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hippo_theory.duality import TimeVaryingSystem, apply_system
from hippo_theory.duality.activations import silu
from hippo_theory.errors import InputError, checked_size
from hippo_theory.selectivity.recurrence import require_positive, selective_system

__all__ = [
    "Codes",
    "RecallTask",
    "circle_codes",
    "key_code_error_bound",
    "mamba_recall",
    "mamba_recall_system",
    "one_hot_codes",
    "pair_codes",
    "recall_accuracy",
    "recall_task",
    "s4d_recall",
    "sign_code_error_bound",
    "sign_code_error_probability",
    "sign_code_failures",
    "sign_code_width",
    "sign_codes",
    "silu_product",
]

Array = NDArray[Any]

_STEP = 2.0**-30  # Delta: so small that nothing is forgotten, and a power of two so that dividing by it is exact


@dataclass(frozen=True, eq=False)
class RecallTask:
    """Pairs of a key and a value, then queries.

    Attributes
    ----------
    vocabulary : int
        V: keys are the tokens 0 to V-1, values V to 2V-1.
    tokens : (T,) ndarray of int
        k_1 v_1 k_2 v_2 ... and the keys that are asked for.
    queries : (Q,) ndarray of int
        Where the queries stand.
    targets : (Q,) ndarray of int
        Their values, from 0 to V-1.
    """

    vocabulary: int
    tokens: Array
    queries: Array
    targets: Array


def recall_task(vocabulary: int, pairs: int, *, seed: int = 0, distinct_values: bool = False) -> RecallTask:
    """A random instance: distinct keys, each with a value, then every key once more in another order.

    Parameters
    ----------
    vocabulary : int
        V.
    pairs : int
        kappa, at most V.
    seed : int
    distinct_values : bool
        No value twice.

    Raises
    ------
    InputError
        More pairs than keys.

    Examples
    --------
    >>> from hippo_theory.selectivity import recall_task
    >>> task = recall_task(8, 3)
    >>> task.tokens.shape, task.queries, bool((task.targets < 8).all())
    ((9,), array([6, 7, 8]), True)

    Notes
    -----
    Multi-query associative recall as the SSD paper (arXiv:2405.21060) describes it, after Zoology (arXiv:2312.04927).
    """
    V, pairs = checked_size("vocabulary", vocabulary), checked_size("pairs", pairs)
    if pairs > V:
        raise InputError(f"`pairs` must be at most the vocabulary {V}, got {pairs}; keys are distinct")
    generator = np.random.default_rng(seed)
    keys = generator.permutation(V)[:pairs]
    values = generator.permutation(V)[:pairs] if distinct_values else generator.integers(0, V, pairs)
    asked = generator.permutation(pairs)
    stored = np.stack([keys, V + values], axis=1).ravel()
    return RecallTask(V, np.concatenate([stored, keys[asked]]), 2 * pairs + np.arange(pairs), values[asked])


@dataclass(frozen=True, eq=False)
class Codes:
    """Codes of the keys, (V, N), and of the values, (V, d); the rows of each have one norm."""

    keys: Array
    values: Array


def one_hot_codes(vocabulary: int) -> Codes:
    """The rows of the identity, for keys and values: recall without error."""
    identity = np.eye(checked_size("vocabulary", vocabulary))
    return Codes(identity, identity)


def sign_codes(vocabulary: int, N: int, d: int, *, seed: int = 0) -> Codes:
    """Random signs, +-1."""
    generator = np.random.default_rng(seed)
    V, N, d = (checked_size(n, v) for n, v in (("vocabulary", vocabulary), ("N", N), ("d", d)))
    return Codes(*(generator.integers(0, 2, (V, width)) * 2.0 - 1 for width in (N, d)))


def circle_codes(vocabulary: int) -> Codes:
    """Keys on a circle, N = 2, and one-hot values: exact argmax for distinct values, with the margin 1 - cos(2 pi/V)."""
    angles = 2 * np.pi * np.arange(checked_size("vocabulary", vocabulary)) / vocabulary
    return Codes(np.stack([np.cos(angles), np.sin(angles)], axis=1), np.eye(vocabulary))


def pair_codes(vocabulary: int) -> Codes:
    """One channel for each pair of a key and a value, D = V^2: exact recall by products of codes."""
    identity = np.eye(checked_size("vocabulary", vocabulary))
    return Codes(np.repeat(identity, vocabulary, axis=1), np.tile(identity, vocabulary))


def mamba_recall_system(
    task: RecallTask,
    keys: Any,
    *,
    variant: Literal["mamba", "mamba2"] = "mamba",
    step: float = _STEP,
    convolution: bool = True,
) -> TimeVaryingSystem:
    """The mixer: B_t the code of the key before token t, C_t that of token t, constant steps.

    Parameters
    ----------
    task : RecallTask
    keys : (V, N) array_like
        Codes of one norm; tokens that are no keys have the code 0.
    variant : {"mamba", "mamba2"}
        Rates 1, ..., N, one a state, or 1 for all.
    step : float
        Delta. The step need not depend on the input.
    convolution : bool
        Without it B_t is the code of token t itself, and recall fails.

    Notes
    -----
    Derived here: the solution that the paper (arXiv:2506.11891) describes for its one-layer Mamba.
    """
    coded = _coded(task, keys, 0)
    if variant not in ("mamba", "mamba2"):
        raise InputError(f"`variant` must be 'mamba' or 'mamba2', got {variant!r}")
    rates = np.arange(1.0, coded.shape[1] + 1) if variant == "mamba" else np.float64(1.0)
    require_positive("step", step)
    steps = np.full(len(coded), step)
    return selective_system(steps, rates, _delayed(coded) if convolution else coded, coded, rule="euler")


def mamba_recall(
    task: RecallTask,
    codes: Codes,
    *,
    variant: Literal["mamba", "mamba2"] = "mamba",
    step: float = _STEP,
    convolution: bool = True,
) -> Array:
    """Logits of every value at every query, (Q, V), of one layer of Mamba or Mamba-2 whose state is sum_j k_j v_j^T.

    The input at a value is its code, elsewhere 0. The logit of the right value is 1 and the others are inner products of
    codes: 0 for one-hot ones, up to the decay e^(-lambda Delta T) of the state.

    Examples
    --------
    >>> from hippo_theory.selectivity import mamba_recall, one_hot_codes, recall_accuracy, recall_task
    >>> task, codes = recall_task(64, 32), one_hot_codes(64)
    >>> recall_accuracy(mamba_recall(task, codes), task), recall_accuracy(mamba_recall(task, codes, convolution=False), task)
    (1.0, 0.0)
    """
    values = _coded(task, codes.values, task.vocabulary)
    system = mamba_recall_system(task, codes.keys, variant=variant, step=step, convolution=convolution)
    recalled = apply_system(system, values)[task.queries] / step
    return np.asarray(recalled @ np.asarray(codes.values).T / (_squared_norm(codes.keys) * _squared_norm(codes.values)))


def silu_product(a: Any, b: Any) -> Any:
    """a b for a, b in {-1, 0, 1}, from four SiLUs: (f(a+b) - f(a-b)) / (2 tanh 1), f(s) = silu(s) + silu(-s) = s tanh(s/2).

    f(0) = 0, f(+-2) = 2 tanh 1, and f(1) cancels. Within 4 eps.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.selectivity import silu_product
    >>> bool(abs(silu_product(np.array([1.0, -1.0, 1.0, 0.0]), np.array([1.0, 1.0, 0.0, 0.0])) - [1, -1, 0, 0]).max() < 1e-15)
    True
    """
    added, taken = a + b, a - b
    # In this order what cancels cancels exactly: a product with 0 is 0.
    return ((silu(added) + silu(-added)) - (silu(taken) + silu(-taken))) / (2 * np.tanh(1.0))


def s4d_recall(task: RecallTask, codes: Codes, *, step: float = _STEP, convolution: bool = True) -> Array:
    """Logits (Q, V) of one layer of S4D between a convolution and a gate: D channels, one state each, nothing selective.

    Channel c forms a_c(k) b_c(v) from the two tokens by four SiLUs, see `silu_product`; one state a SiLU with constant A, B, C
    adds up; the gate multiplies by a_c of the query, as silu(z) - silu(-z) = z; the logit of v is sum_c b_c(v) (...) over the
    number of channels in which neither code of a pair is 0 (D for signs, 1 for pairs), so that the right value has 1.

    Parameters
    ----------
    task : RecallTask
    codes : Codes
        Entries -1, 0 or 1, both of width D: `pair_codes` (exact) or `sign_codes`.
    step : float
        lambda Delta of every state.
    convolution : bool

    Raises
    ------
    InputError
        If the codes have different widths or other entries.

    Examples
    --------
    >>> from hippo_theory.selectivity import recall_accuracy, recall_task, s4d_recall, sign_code_width, sign_codes
    >>> task, D = recall_task(64, 16), sign_code_width(64, 16, 0.01)
    >>> D, recall_accuracy(s4d_recall(task, sign_codes(64, D, D)), task)
    (561, 1.0)

    Notes
    -----
    Source: the paper (arXiv:2506.11891) solves the task with S4D, convolution and gate; this construction is derived here.
    """
    keys, values = np.asarray(codes.keys), np.asarray(codes.values)
    if keys.shape != values.shape or not (np.isin(keys, (-1, 0, 1)).all() and np.isin(values, (-1, 0, 1)).all()):
        raise InputError("`s4d_recall` needs key and value codes of one width with entries -1, 0, 1; use `sign_codes`")
    shared = (keys != 0).astype(float) @ (values != 0).T
    if not (shared == shared[0, 0]).all() or shared[0, 0] == 0:
        raise InputError("every key code must share one number of nonzero channels with every value code, and not 0")
    a, b = _coded(task, keys, 0), _coded(task, values, task.vocabulary)
    require_positive("step", step)
    T = len(a)
    constant = selective_system(np.full(T, step), 1.0, np.ones((T, 1)), np.full((T, 1), 1 / step), rule="euler")
    # The four states of a channel have the same A, B, C: by linearity one recurrence of their combination gives the same.
    products = silu_product(_delayed(a) if convolution else a, b)
    stored = apply_system(constant, products)[task.queries]
    asked = a[task.queries]
    return np.asarray((silu(asked) * stored - silu(-asked) * stored) @ values.T / shared[0, 0])


def recall_accuracy(logits: Any, task: RecallTask) -> float:
    """The part of the queries whose target has a logit above that of every other value; ties count as wrong.

    Parameters
    ----------
    logits : (Q, V) array_like
    task : RecallTask

    Raises
    ------
    InputError
        If there is not one row for each query and one column for each value.
    """
    logits = np.asarray(logits, dtype=np.float64)
    if logits.shape != (len(task.targets), task.vocabulary):
        raise InputError(
            f"`logits` must have the shape ({len(task.targets)}, {task.vocabulary}), queries by values, got {logits.shape}"
        )
    rows = np.arange(len(task.targets))
    right = logits[rows, task.targets]
    others = np.array(logits)
    others[rows, task.targets] = -np.inf
    return float(np.mean(right > others.max(axis=1, initial=-np.inf)))


def sign_code_error_bound(vocabulary: int, pairs: int, width: int) -> float:
    """V e^(-D / (4 kappa)): the probability over sign codes that a given query of `s4d_recall` goes wrong; kappa >= 2.

    Derivation. Against another value the margin is 2 sum over the m channels where the two value codes differ of 1 plus
    kappa - 1 random signs: independent ones, whatever the stored values, since keys are distinct. Hoeffding: not positive
    with probability e^(-m/(2(kappa-1))) at most. The mean over m, D fair coins, is ((1 + e^-u)/2)^D <= e^(-D (u/2 - u^2/8)),
    u = 1/(2 (kappa-1)), and u/2 - u^2/8 >= 1/(4 kappa) for kappa >= 2. If the state forgets, the bound still holds as long
    as lambda Delta T <= 3/(8 kappa).

    Examples
    --------
    >>> from hippo_theory.selectivity import sign_code_error_bound
    >>> print(round(sign_code_error_bound(64, 16, 561), 6))
    0.009984
    """
    V, kappa, D = _sizes(vocabulary, pairs, width)
    return V * math.exp(-D / (4 * kappa))


def sign_code_width(vocabulary: int, pairs: int, failure: float) -> int:
    """The least D with V e^(-D / (4 kappa)) <= failure: ceil(4 kappa ln(V / failure)).

    Raises
    ------
    InputError
        If the failure is not positive, or there is only one pair.
    """
    V, kappa, _ = _sizes(vocabulary, pairs, 1)
    if not 0 < failure < V:
        raise InputError(f"`failure` must lie between 0 and the vocabulary {V}, got {failure}")
    D = max(1, math.ceil(4 * kappa * math.log(V / failure)))
    # The logarithm is rounded: one more or less is decided by the bound itself.
    while D > 1 and sign_code_error_bound(V, kappa, D - 1) <= failure:
        D -= 1
    while sign_code_error_bound(V, kappa, D) > failure:
        D += 1
    return D


def sign_code_error_probability(pairs: int, width: int) -> Fraction:
    """The probability that the margin of `s4d_recall` with sign codes against one other value is not positive, exact.

    2^-D sum_m binomial(D, m) P(sum of m (kappa - 1) signs <= -m), see `sign_code_error_bound`.

    Examples
    --------
    >>> from hippo_theory.selectivity import sign_code_error_probability
    >>> sign_code_error_probability(2, 1)  # the codes agree, or they differ and the one sign is negative
    Fraction(3, 4)
    """
    _, kappa, D = _sizes(1, pairs, width)
    total = Fraction(0)
    for m in range(D + 1):
        count = m * (kappa - 1)
        ways = sum(math.comb(count, i) for i in range((count - m) // 2 + 1))  # i positive signs among them
        total += Fraction(math.comb(D, m) * ways, 2 ** (D + count))
    return total


def sign_code_failures(
    vocabulary: int, pairs: int, widths: Sequence[int], *, draws: int = 1000, seed: int = 0
) -> NDArray[np.float64]:
    """The part of random draws in which a query of `s4d_recall` with sign codes goes wrong, for each width D.

    Each draw takes values and codes of the largest width; smaller widths use their first channels. In integers, with nothing
    forgotten; ties count as wrong.

    Parameters
    ----------
    vocabulary, pairs : int
    widths : sequence of int
    draws, seed : int

    Returns
    -------
    (len(widths),) ndarray
        The expected values are at most `sign_code_error_bound`.

    Examples
    --------
    >>> from hippo_theory.selectivity import sign_code_failures
    >>> bool(sign_code_failures(64, 16, [561], draws=100) <= 0.01)
    True
    """
    V, kappa, _ = _sizes(vocabulary, pairs, 1)
    sizes = np.array([checked_size("widths", width) for width in widths])
    if not len(sizes):
        raise InputError("`widths` must hold one width at least")
    generator = np.random.default_rng(seed)
    wrong = np.zeros(len(sizes))
    for _ in range(checked_size("draws", draws)):
        values = generator.integers(0, V, kappa)
        keys, codes = (generator.integers(0, 2, (rows, sizes.max())) * 2 - 1 for rows in (kappa, V))
        stored = np.sum(keys * codes[values], axis=0)
        logits = np.cumsum(codes * (keys[0] * stored), axis=1)[:, sizes - 1]
        right = logits[values[0]]
        wrong += right <= np.delete(logits, values[0], axis=0).max(axis=0)
    return wrong / draws


def key_code_error_bound(vocabulary: int, pairs: int, N: int) -> float:
    """V e^(-N / (2 (kappa - 1))): the probability over sign codes of the keys, values one-hot, that a query goes wrong.

    Derivation. The margin against another value is N plus at most kappa - 1 inner products with other keys, each a sum of N
    independent signs: Hoeffding. With distinct values a query goes wrong only if another stored key has its very code:
    probability (kappa - 1) 2^-N at most. If the state forgets, the exponent is e^(-2 lambda Delta T) times this one, lambda
    the largest rate: no weight falls below e^(-lambda Delta T), and none is above 1.
    """
    V, kappa, N = _sizes(vocabulary, pairs, N)
    return V * math.exp(-N / (2 * (kappa - 1)))


def _sizes(vocabulary: int, pairs: int, width: int) -> tuple[int, int, int]:
    return checked_size("vocabulary", vocabulary), checked_size("pairs", pairs, 2), checked_size("width", width)


def _coded(task: RecallTask, codes: Any, first: int) -> Array:
    """Codes of the tokens first, ..., first + V - 1, and 0 for the others; (T, width)."""
    codes = np.asarray(codes, dtype=np.float64)
    if codes.ndim != 2 or len(codes) != task.vocabulary:
        raise InputError(f"codes must have the shape ({task.vocabulary}, width), got {codes.shape}")
    inside = (task.tokens >= first) & (task.tokens < first + task.vocabulary)
    return np.asarray(np.where(inside[:, None], codes[np.where(inside, task.tokens - first, 0)], 0.0))


def _delayed(rows: Array) -> Array:
    """Each row one step later: the tap of a convolution."""
    return np.concatenate([np.zeros((1, rows.shape[1])), rows[:-1]])


def _squared_norm(codes: Any) -> float:
    """The squared norm of the codes."""
    squares = np.sum(np.asarray(codes, dtype=np.float64) ** 2, axis=1)
    if not np.allclose(squares, squares[0], rtol=1e-12, atol=0) or squares[0] == 0:
        raise InputError("the codes must all have one norm, which is not zero")
    return float(squares[0])
