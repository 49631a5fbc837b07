"""Input selectivity: associative recall by layers of Mamba, Mamba-2 and S4D, constructed without training."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from flint import arb

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import AT_MOST, EQUAL, IDENTICAL, near
from hippo_theory.duality import apply_system, exact_system
from hippo_theory.selectivity import (
    mamba_recall,
    mamba_recall_system,
    one_hot_codes,
    recall_accuracy,
    recall_task,
    sign_code_error_probability,
    sign_codes,
)

__all__: list[str] = []

PAPER = "Understanding input selectivity in Mamba (arXiv:2506.11891)"
OURS = "derived here"
STEP = Fraction(1, 10**6)


def _fair_tail(count: int, most: int) -> Any:
    """P(at most `most` heads among `count` fair coins), 0 <= most < count: the terms from the largest down."""
    term = total = arb(math.comb(count, most))
    for heads in range(most, 0, -1):
        term = term * heads / (count - heads + 1)
        total += term
    return total / arb(2) ** count


@claim(
    "s6.mqar.s6",
    title="One layer of Mamba or Mamba-2 with one-hot codes recalls exactly, and not at all without its convolution",
    statement=r"With $B_t$ the one-hot code of the token before $t$ (a convolution of width 2), $C_t$ that of token "
    r"$t$, a constant "
    r"step and rates $\lambda_k$, the logit of value $v$ at a query $q$ at time $t$ is $\sum_j [k_j = q][v_j = v] "
    r"e^{-\lambda_q "
    r"\Delta (t - s_j)}$, $s_j$ the time of the $j$-th value: positive for the right value, $0$ for all others. If "
    r"$B_t$ is the "
    r"code of token $t$ itself, all logits are $0$. The step need not depend on the input.",
    source=f"{PAPER}, its solution by one layer of Mamba; this formulation is derived here",
    domain="V = 6, kappa = 4, two tasks, Mamba (rates 1 to V) and Mamba-2 (rate 1), Delta = 1/8, with and without "
    "convolution, every "
    "logit, exact rationals (the transitions are the floats nearest to e^(-lambda Delta))",
    routes=("the closed form", "the recurrence of the package's system over the rationals"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"place": 0}, {"scale": 1 + STEP}, {"without": 1}],
    tags=("selectivity", "recall", "exact"),
    related=("s6.mqar.s4d", "s6.mqar.jl"),
    figure="recall-accuracy",
)
class OneHotRecall:
    """A step of 1/8, so that the decay shows."""

    V, pairs = 6, 4

    def cases(effort: str) -> Iterator[Case]:
        for seed in (0, 1):
            for variant in ("mamba", "mamba2"):
                for convolution in (True, False):
                    yield {"seed": seed, "layer": variant, "convolution": convolution}

    def claimed(case: Case, *, place: int = 1, scale: Fraction = Fraction(1), without: int = 0) -> list[Fraction]:
        # The task written again: permutations of the keys, values, and the order of the queries.
        generator = np.random.default_rng(case["seed"])
        V, pairs = OneHotRecall.V, OneHotRecall.pairs
        keys = generator.permutation(V)[:pairs]
        values = generator.integers(0, V, pairs)
        asked = generator.permutation(pairs)
        logits = []
        for i, j in enumerate(asked):
            q = int(keys[j])
            decay = Fraction(float(np.exp(-(q + 1 if case["layer"] == "mamba" else 1) / 8)))
            kept = decay ** ((2 * pairs + i) - (2 * int(j) + place)) * scale
            shown = kept if case["convolution"] else Fraction(without)
            logits += [shown if v == values[j] else Fraction(0) for v in range(V)]
        return logits

    def computed(case: Case) -> list[Fraction]:
        V = OneHotRecall.V
        task = recall_task(V, OneHotRecall.pairs, seed=case["seed"])
        system = mamba_recall_system(
            task, one_hot_codes(V).keys, variant=case["layer"], step=0.125, convolution=case["convolution"]
        )
        values = np.array([[Fraction(int(token == V + v)) for v in range(V)] for token in task.tokens], dtype=object)
        rows = apply_system(exact_system(system), values)[task.queries] * 8
        return [Fraction(value) for value in rows.ravel()]


@claim(
    "s6.mqar.jl",
    title="Sign codes of the keys: how rarely a query goes wrong",
    statement=r"With keys coded by random signs in $\mathbb{R}^N$, one-hot values, possibly repeated, and nothing "
    r"forgotten, the "
    r"margin of the right value against another is $N$ plus at most $N(\kappa - 1)$ independent signs; it is not positive with "
    r"probability at most $e^{-N/(2(\kappa - 1))}$, so that a query goes wrong with probability at most $V "
    r"e^{-N/(2(\kappa - 1))}$.",
    source=f"{PAPER}, its compression of keys; this bound is derived here",
    domain="kappa = 2, 3, 9, 33, N = 1, 8, 64, 1600, the largest number of signs, balls; 2 is seen down to 3/2",
    routes=("the bound", "the binomial distribution exactly"),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[{"factor": Fraction(3, 2)}, {"less": 2}],
    tags=("selectivity", "recall"),
    related=("s6.mqar.jl.distinct",),
    figure="recall-accuracy",
)
class KeyCodes:
    """Hoeffding, against the exact tail."""

    def cases(effort: str) -> Iterator[Case]:
        for kappa in (2, 3, 9, 33):
            for N in (1, 8, 64, 1600):
                yield {"kappa": kappa, "N": N}

    def claimed(case: Case, *, factor: Fraction = Fraction(2), less: int = 1) -> Any:
        with balls(128).work() as ring:
            others = case["kappa"] - less
            return (-ring.number(case["N"] / (factor * others))).exp() if others > 0 else arb(0)

    def computed(case: Case) -> Any:
        with balls(256).work():
            count = case["N"] * (case["kappa"] - 1)
            return _fair_tail(count, (count - case["N"]) // 2) if count >= case["N"] else arb(0)


@claim(
    "s6.mqar.jl.distinct",
    title="Distinct values fail only where two keys have one code",
    statement=r"If the stored values are distinct, a query goes wrong with probability exactly $1 - (1 - "
    r"2^{-N})^{\kappa - 1}$ over "
    r"random sign codes of the keys: the width needed grows like $\log\kappa$.",
    source=OURS,
    domain="(N, kappa) = (1, 2), (1, 3), (2, 3), (3, 2), (3, 4), (4, 3), every choice of codes, exact",
    routes=("the closed form", "inner products of every choice of codes, ties counted as wrong"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"less": 0}, {"base": 3}, {"base": 2 * (1 + STEP)}],
    tags=("selectivity", "recall", "exact"),
    related=("s6.mqar.jl",),
)
class DistinctValues:
    """The first key is asked for."""

    def cases(effort: str) -> Iterator[Case]:
        for N, kappa in ((1, 2), (1, 3), (2, 3), (3, 2), (3, 4), (4, 3)):
            yield {"N": N, "kappa": kappa}

    def claimed(case: Case, *, less: int = 1, base: Fraction = Fraction(2)) -> Fraction:
        return Fraction(1 - (1 - 1 / Fraction(base) ** case["N"]) ** (case["kappa"] - less))

    def computed(case: Case) -> Fraction:
        N, kappa = case["N"], case["kappa"]
        codes = list(product((-1, 1), repeat=N))
        wrong = 0
        for keys in product(codes, repeat=kappa):
            logits = [sum(x * y for x, y in zip(keys[0], key, strict=True)) for key in keys]
            wrong += logits[0] <= max(logits[1:])
        return Fraction(wrong, len(codes) ** kappa)


@claim(
    "s6.mqar.n2",
    title="Two states recall distinct values of any vocabulary, with a small margin",
    statement=r"Keys at $\left(\cos\frac{2\pi k}{V}, \sin\frac{2\pi k}{V}\right)$ and one-hot distinct values: every "
    r"query is right, and "
    r"with all $V$ keys stored the margin is exactly $1 - \cos\frac{2\pi}{V}$.",
    source=f"{OURS}: that a layer needs as many states as pairs is true only of a given margin",
    domain="V = 3, 5, 8, 32, 64, all keys, balls",
    routes=("the closed form", "the smallest difference of inner products of all codes"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"turn": 1}, {"scale": 1 + STEP}, {"neighbor": 2}],
    tags=("selectivity", "recall"),
    related=("s6.mqar.jl",),
    figure="recall-accuracy",
)
class Circle:
    """0.0192147 for V = 32."""

    def cases(effort: str) -> Iterator[Case]:
        for V in (3, 5, 8, 32, 64):
            yield {"V": V}

    def claimed(case: Case, *, turn: int = 2, scale: Fraction = Fraction(1), neighbor: int = 1) -> Any:
        with balls(128).work() as ring:
            return ring.number(scale) * (1 - ring.number(Fraction(turn * neighbor, case["V"])).cos_pi())

    def computed(case: Case) -> Any:
        V = case["V"]
        with balls(128).work() as ring:
            angles = [ring.number(Fraction(2 * k, V)) for k in range(V)]
            codes = [(angle.cos_pi(), angle.sin_pi()) for angle in angles]
            margin = arb(2)
            for q, (x, y) in enumerate(codes):
                own = x * x + y * y
                for k, (u, v) in enumerate(codes):
                    if k != q:
                        margin = margin.min(own - x * u - y * v)
            return margin


@claim(
    "s6.mqar.joint",
    title="With keys and values both compressed, accuracy depends on the size of the state",
    statement=r"Random sign codes of $N$ signs for keys and $d$ for values, $V = 64$, $\kappa = 16$: the part of right "
    r"queries is about "
    r"$0.22$, $0.58$, $0.81$, $0.97$ for $\frac{N d}{\kappa \ln V} \approx 1, 2, 4, 8$, within $0.05$; ties count as wrong.",
    source=OURS,
    domain="N = d = 8, 12, 16, 23, 60 tasks of 16 queries each, fixed seeds",
    routes=("the figures of the statement", "the package's layer of Mamba-2"),
    relation=near(0.0, 0.05),
    expected="OBSERVED",
    why="averages over random codes; no closed form for the distribution of products of signs is used",
    corruptions=[{"first": 0.30}, {"second": 0.50}, {"third": 0.73}, {"fourth": 0.90}],
    tags=("selectivity", "recall", "random"),
    related=("s6.mqar.jl", "s6.mqar.s4d"),
)
class JointCodes:
    """About 1000 queries each: a standard error of 0.016."""

    def cases(effort: str) -> Iterator[Case]:
        for index, width in enumerate((8, 12, 16, 23)):
            yield {"N = d": width, "index": index}

    def claimed(
        case: Case, *, first: float = 0.22, second: float = 0.58, third: float = 0.81, fourth: float = 0.97
    ) -> float:
        return (first, second, third, fourth)[case["index"]]

    def computed(case: Case) -> float:
        width, right = case["N = d"], []
        for seed in range(60):
            task, codes = recall_task(64, 16, seed=seed), sign_codes(64, width, width, seed=1000 + seed)
            right.append(recall_accuracy(mamba_recall(task, codes, variant="mamba2"), task))
        return float(np.mean(right))


@claim(
    "s6.mqar.s4d.product",
    title="Four SiLUs multiply, and two make a gate",
    statement=r"With $f(s) = \operatorname{silu}(s) + \operatorname{silu}(-s)$: $f(a + b) - f(a - b) = 2 \tanh(1)\, a "
    r"b$ for $a, b \in "
    r"\{-1, 0, 1\}$, and $\operatorname{silu}(z) - \operatorname{silu}(-z) = z$ for every $z$.",
    source=f"{PAPER}, its solution by S4D with convolution and gate; these identities are derived here",
    domain="all nine pairs, and every z, symbolically, with e and e^z as symbols",
    routes=("the right-hand sides", "the four SiLUs as rational functions of e"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"factor": 1}, {"half": 2}, {"gate": 2}],
    tags=("selectivity", "recall", "symbolic"),
    related=("s6.mqar.s4d",),
)
class SiluProduct:
    """tanh(1) = (e^2 - 1)/(e^2 + 1)."""

    def cases(effort: str) -> Iterator[Case]:
        for a in (-1, 0, 1):
            for b in (-1, 0, 1):
                yield {"a": a, "b": b}

    def claimed(case: Case, *, factor: int = 2, half: int = 1, gate: int = 1) -> list[Any]:
        import sympy

        e, z = sympy.Symbol("e", positive=True), sympy.Symbol("z")
        tanh = (e ** (2 * half) - 1) / (e ** (2 * half) + 1)
        return [sympy.factor(sympy.cancel(factor * tanh * case["a"] * case["b"])), gate * z]

    def computed(case: Case) -> list[Any]:
        import sympy

        e, z, x = sympy.Symbol("e", positive=True), sympy.Symbol("z"), sympy.Symbol("x", positive=True)
        total = sympy.Integer(0)
        for sign, s in ((1, case["a"] + case["b"]), (-1, case["a"] - case["b"])):
            total += sign * (sympy.Integer(s) / (1 + e**-s) - sympy.Integer(s) / (1 + e**s))
        # x stands for e^z
        return [sympy.factor(sympy.cancel(total)), sympy.cancel(z / (1 + 1 / x) + z / (1 + x))]


@claim(
    "s6.mqar.s4d.moments",
    title="Mean and variance of the margin of S4D with sign codes",
    statement=r"One channel adds $(b(v_q) - b(v))\, a(q) \sum_j a(k_j) b(v_j)$ to the margin against a value $v$: mean "
    r"$1$, variance "
    r"$2\kappa - 1$, whatever the stored values; so that of $D$ channels has mean $1$ and variance $\frac{2\kappa - 1}{D}$.",
    source=OURS,
    domain="kappa = 1, ..., 4, the other values equal to the right one, to its competitor, or to a third in every way, "
    "all signs, exact",
    routes=("the closed forms", "the mean over all signs"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"mean": 1 + STEP}, {"two": 2 + STEP}, {"less": 0}],
    tags=("selectivity", "recall", "exact"),
    related=("s6.mqar.s4d",),
)
class MarginMoments:
    """Values 0 (right), 1 (competitor), 2."""

    def cases(effort: str) -> Iterator[Case]:
        for kappa in (1, 2, 3, 4):
            for others in product((0, 1, 2), repeat=kappa - 1):
                yield {"kappa": kappa, "values": others}

    def claimed(
        case: Case, *, mean: Fraction = Fraction(1), two: Fraction = Fraction(2), less: int = 1
    ) -> list[Fraction]:
        return [Fraction(mean), Fraction(two) * case["kappa"] - less]

    def computed(case: Case) -> list[Fraction]:
        first, second, count = 0, 0, 0
        for b in product((-1, 1), repeat=3):
            for a in product((-1, 1), repeat=case["kappa"]):
                stored = sum(x * b[v] for x, v in zip(a, (0, *case["values"]), strict=True))
                margin = (b[0] - b[1]) * a[0] * stored
                first, second, count = first + margin, second + margin**2, count + 1
        mean = Fraction(first, count)
        return [mean, Fraction(second, count) - mean**2]


@claim(
    "s6.mqar.s4d",
    title="S4D with convolution and gate recalls: D = 4 kappa ln(V/delta) channels of one state are enough",
    statement=r"With random sign codes of $D$ channels and nothing forgotten, the margin of a query against another "
    r"value is not "
    r"positive with probability at most $e^{-D/(4\kappa)}$, $\kappa \ge 2$, repeated values included; so a query goes "
    r"wrong with "
    r"probability at most $V e^{-D/(4\kappa)}$.",
    source=f"{PAPER}, its solution by S4D with convolution and gate; this bound is derived here",
    domain="D = 1, 8, 24 with kappa = 2, 3, 8, exact rationals, and D = 480, kappa = 8, balls; 4 is seen down to 3",
    routes=(
        "the bound",
        "the distribution of the margin exactly: by the package in Fractions, or by binomial sums in balls",
    ),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[{"factor": 3}, {"power": 2}],
    tags=("selectivity", "recall"),
    related=("s6.mqar.s4d.moments", "s6.mqar.s4d.product", "s6.mqar.s6"),
    figure="recall-accuracy",
)
class SignCodeBound:
    """The exponent is the right one for many pairs: D/(4 kappa - 2) for a Gaussian margin."""

    def cases(effort: str) -> Iterator[Case]:
        for kappa in (2, 3, 8):
            for D in (1, 8, 24):
                yield {"D": D, "kappa": kappa}
        yield {"D": 480, "kappa": 8}

    def claimed(case: Case, *, factor: int = 4, power: int = 1) -> Any:
        with balls(128).work() as ring:
            return (-ring.number(Fraction(case["D"] ** power, factor * case["kappa"]))).exp()

    def computed(case: Case) -> Any:
        D, kappa = case["D"], case["kappa"]
        with balls(256).work() as ring:
            if D < 100:
                return ring.number(sign_code_error_probability(kappa, D))
            total = arb(1)  # m = 0: a margin of 0
            for m in range(1, D + 1):
                count = m * (kappa - 1)
                total += math.comb(D, m) * _fair_tail(count, (count - m) // 2)
            return total / arb(2) ** D


@claim(
    "s6.mqar.info",
    title="Any exact solver must tell all assignments of values apart",
    statement=r"With $\kappa$ keys that are known, a solver of associative recall over a vocabulary of $V$ values needs "
    r"at least "
    r"$V^\kappa$ states of its memory, that is $\kappa \log_2 V$ bits: prefixes that store different values are answered "
    r"differently by some query.",
    source=OURS,
    domain="V = 1, ..., 4, kappa = 1, ..., 4, exact",
    routes=("the closed form", "classes of all prefixes, in any order of the pairs, by their answers to all queries"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"more": 1}, {"less": 1}],
    tags=("selectivity", "recall", "exact"),
    related=("s6.mqar.s6", "s6.mqar.s4d"),
)
class Information:
    """Prefixes are sequences of pairs in which each key occurs once; the order of the pairs must not matter."""

    def cases(effort: str) -> Iterator[Case]:
        for V in (1, 2, 3, 4):
            for kappa in (1, 2, 3, 4):
                yield {"V": V, "kappa": kappa}

    def claimed(case: Case, *, more: int = 0, less: int = 0) -> int:
        return int((case["V"] + more) ** (case["kappa"] - less))

    def computed(case: Case) -> int:
        V, kappa = case["V"], case["kappa"]
        orders = [tuple(range(kappa)), tuple(reversed(range(kappa)))]
        answers = set()
        for order in orders:
            for values in product(range(V), repeat=kappa):
                stored = dict(zip(order, values, strict=True))
                answers.add(tuple(stored[key] for key in range(kappa)))
        return len(answers)
