"""DSS, its first proposition: the kernel of a diagonalizable system with exponentials, and with the softmax over the lags."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from flint import acb, acb_mat, arb, arb_mat, fmpq

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import EQUAL, IDENTICAL
from hippo_theory.discretizations import discretize
from hippo_theory.kernels import ExponentialSum

__all__: list[str] = []

_PROPOSITION = "DSS (arXiv:2203.14343), first proposition, as it is usually quoted; formulas as in the authors' code"
_MILLIONTH = Fraction(1, 10**6)

# Diagonalizable systems (A, B, C) with distinct eigenvalues, not 0; the last has eigenvalues of both signs.
_SYSTEMS: dict[str, tuple[Any, Any, Any]] = {
    "lower triangular": ([[-1, 0, 0], [-3, -2, 0], [-5, 7, -3]], [1, 1, 1], [1, -2, 3]),
    "rotation": ([[0, -5], [5, -1]], [1, 0], [2, 1]),
    "companion": ([[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [-3, -2, -7, -4]], [0, 0, 0, 1], [1, 2, 0, 1]),
    "both signs": ([[1, 2, 0], [0, -3, 1], [4, 0, -1]], [1, 0, 2], [1, 1, 1]),
}


@claim(
    "dss.prop1.a",
    title="The kernel of a diagonalizable system is a sum of exponentials with input 1",
    statement=(
        r"Let $A = V \Lambda V^{-1}$ with eigenvalues $\lambda_i \ne 0$, and $w_i = (C V)_i (V^{-1} B)_i$. The zero-order-hold"
        r" kernel of $(A, B, C)$ with step $\Delta$ is $K_k = \sum_i w_i \frac{e^{\lambda_i \Delta} - 1}{\lambda_i}"
        r" e^{\lambda_i k \Delta}$, which is the kernel of $(\Lambda, (1, \dots, 1)^T, w)$."
    ),
    source=_PROPOSITION + ", part (a)",
    domain="four integer systems of 2 to 4 states, steps 1/10 and 1, lags 0, ..., 7 (full: 40 lags), balls of 200 bits",
    routes=(
        "eigenvalues and eigenvectors, and the formula",
        "exponential of the block matrix (A, B; 0, 0), recurrence",
    ),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[
        {"one": 1 + _MILLIONTH},
        {"power": -2},
        {"shift": 1},
        {"scale": 1 + _MILLIONTH},
        {"lag": 1 + _MILLIONTH},
    ],
    tags=("dss", "kernel"),
    related=("dss.prop1.b",),
)
class ExponentialForm:
    """Modes against a recurrence that never diagonalizes."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """The systems of this file."""
        for name in _SYSTEMS:
            for step in (Fraction(1, 10), Fraction(1)):
                yield {"system": name, "step": step, "L": 8 if effort == "quick" else 40}

    @staticmethod
    def claimed(
        case: Case,
        *,
        one: Fraction = Fraction(1),
        power: int = -1,
        shift: int = 0,
        scale: Fraction = Fraction(1),
        lag: Fraction = Fraction(1),
    ) -> list[Any]:
        """The sum over the modes."""
        with balls(200).work() as ring:
            A, B, C = _SYSTEMS[case["system"]]
            Lambda, V = acb_mat(A).eig(right=True)
            inputs = V.inv() * acb_mat([[b] for b in B])
            outputs = acb_mat([C]) * V
            dt = ring.number(case["step"])
            values = []
            for k in range(case["L"]):
                terms = [
                    outputs[0, i]
                    * inputs[i, 0]
                    * ((rate * dt).exp() - ring.number(one))
                    * rate**power
                    * (rate * (ring.number(lag) * k + shift) * dt).exp()
                    for i, rate in enumerate(Lambda)
                ]
                values.append(ring.number(scale) * sum(terms, acb(0)))
            return values

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """C Abar^k Bbar."""
        with balls(200).work() as ring:
            A, B, C = _SYSTEMS[case["system"]]
            N, dt = len(B), ring.number(case["step"])
            rows = [[*(entry * dt for entry in row), b * dt] for row, b in zip(A, B, strict=True)]
            exponential = arb_mat([*rows, [arb(0)] * (N + 1)]).exp().table()
            Abar = arb_mat([row[:N] for row in exponential[:N]])
            state, output, values = arb_mat([[row[N]] for row in exponential[:N]]), arb_mat([C]), []
            for _ in range(case["L"]):
                values.append((output * state)[0, 0])
                state = Abar * state
            return values


def _softmax_counterexample(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """The softmax with a vanishing sum, and the input without its inverse, both with exact numbers."""
    # lambda = -ln 2, step 1, L = 2: e^lambda = 1/2, and the softmax over the lags is (2/3, 1/3).
    z, softmax = fmpq(1, 2), [fmpq(2, 3), fmpq(1, 3)]
    without = [(z**2 - 1) * (z - 1) * z**k for k in range(2)]  # B = e^(L lambda) - 1, times lambda/w
    inverse = [1 / (z**2 - 1) * (z - 1) * z**k for k in range(2)]
    # lambda dt = i pi, L = 2: e^(L lambda dt) = 1, lambda != 0, and the two exponentials 1, -1 have the sum 0.
    rows = [
        {
            "case": "lambda = -ln 2, step 1, L = 2, with B = e^(L lambda) - 1",
            "numbers": f"lambda K / w = {without}, softmax {softmax}",
        },
        {
            "case": "lambda dt = i pi, L = 2",
            "numbers": "the softmax divides by 1 + (-1) = 0; the kernel of (lambda, 1, w) is (w/lambda)(-2, 2)",
        },
        {
            "case": "lambda = 0",
            "numbers": "w/lambda does not exist; the kernel of (0, 1, w) is w dt (1, 1, ...)",
        },
    ]
    with balls(128).work():
        turn = [acb(k).exp_pi_i() for k in range(2)]  # e^(i pi k), exact at integers
    return rows, inverse == softmax and without != softmax and turn[0] + turn[1] == 0


@claim(
    "dss.prop1.b",
    title="The softmax form is the kernel with input (e^{L lambda dt} - 1)^{-1}, where that exists",
    statement=(
        r"If $\lambda_i \ne 0$ and $e^{L \lambda_i \Delta} \ne 1$ for every $i$, then $\sum_i \frac{w_i}{\lambda_i}"
        r" \frac{e^{\lambda_i k \Delta}}{\sum_{j<L} e^{\lambda_i j \Delta}}$, $k < L$, is the zero-order-hold kernel of"
        r" $(\Lambda, ((e^{L \lambda_i \Delta} - 1)^{-1})_i, w)$. The exponent $-1$ and both hypotheses are needed."
    ),
    source=_PROPOSITION + ", part (b)",
    domain="lambda real of both signs, on the imaginary axis, complex; L = 1, 2, 7, 16; steps 1/100 and 1; 200 bits",
    routes=(
        "the zero-order-hold kernel with the stated input, by the discretization of a mode",
        "the softmax, literally",
    ),
    relation=EQUAL,
    expected="REFINED",
    corruptions=[{"power": 1}, {"one": 1 + _MILLIONTH}, {"span": 1 + _MILLIONTH}, {"scale": 1 + _MILLIONTH}],
    counterexample=Counterexample(
        r"The softmax form is the kernel of $(\Lambda, (e^{L \lambda_i \Delta} - 1)_i, w)$, for every diagonalizable $A$.",
        _softmax_counterexample,
    ),
    tags=("dss", "kernel", "softmax"),
    related=("dss.prop1.a", "dss.softmax.sum"),
    figure="dss-softmax",
)
class SoftmaxForm:
    """The discretization of a mode with the stated input, against the lags summed one by one."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Rates of every kind."""
        rates = ((-1, 0), (Fraction(1, 2), 0), (0, 3), (Fraction(-1, 2), 40), (2, -7))
        for real, imaginary in rates:
            for L in (1, 2, 7, 16) if effort == "quick" else (1, 2, 7, 16, 100):
                for step in (Fraction(1, 100), Fraction(1)):
                    yield {"rate": (Fraction(real), Fraction(imaginary)), "L": L, "step": step}

    @staticmethod
    def claimed(
        case: Case,
        *,
        power: int = -1,
        one: Fraction = Fraction(1),
        span: Fraction = Fraction(1),
        scale: Fraction = Fraction(1),
    ) -> list[Any]:
        """A pair of conjugate modes, or one real mode, with w = 3 + i (real: 3), held over each step."""
        with balls(200).work() as ring:
            real, imaginary = (ring.number(part) for part in case["rate"])
            rate, L = acb(real, imaginary), case["L"]
            gain = ((rate * L * ring.number(span) * ring.number(case["step"])).exp() - ring.number(one)) ** power
            w = acb(3, 1) if imaginary != 0 else acb(3)
            weight = ring.number(scale) * w * gain
            if imaginary < 0:
                rate, weight = rate.conjugate(), weight.conjugate()
            none, weights, rates = (np.array(values, dtype=object) for values in ([], [weight], [rate]))
            if imaginary == 0:
                weights, rates = (np.array([part[0].real], dtype=object) for part in (weights, rates))
                kernel = ExponentialSum(weights, rates, none, none, 200)
            else:
                kernel = ExponentialSum(none, none, weights, rates, 200)
            held = discretize(kernel, "zoh", case["step"])
            dt = ring.number(case["step"])
            return [held(k) * dt for k in range(L)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """w/lambda softmax_k(lambda k dt), twice its real part for a pair."""
        with balls(200).work() as ring:
            rate = acb(*(ring.number(part) for part in case["rate"]))
            powers = [(rate * ring.number(case["step"]) * k).exp() for k in range(case["L"])]
            total = sum(powers, acb(0))
            if case["rate"][1] == 0:
                return [(3 / rate * power / total).real for power in powers]
            return [2 * (acb(3, 1) / rate * power / total).real for power in powers]


@claim(
    "dss.exp",
    title="DSS-exp is S4D with zero-order hold and B = 1",
    statement=(
        r"With $\lambda = -e^{a} + i b$ the kernel $w \frac{e^{\lambda \Delta} - 1}{\lambda} e^{\lambda k \Delta}$ of DSS-exp"
        r" is the zero-order-hold kernel of $x' = \lambda x + u$, $y = w x$, for all real $a$, $b$ and every $w$."
    ),
    source="DSS (arXiv:2203.14343), the variant exp, as in the authors' code",
    domain="a = -4, -ln 2 (Re lambda = -1/2), 0, 2; b = 0, 3, 50; steps 1/1000, 1/10; lags 0, ..., 9; balls of 200 bits",
    routes=("the formula", "the real 2 x 2 system of the mode: exponential of a block matrix and recurrence"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"sign": 1}, {"one": 1 + _MILLIONTH}, {"rate": 1 + _MILLIONTH}, {"turn": -1}, {"shift": 1}],
    tags=("dss", "s4d", "kernel"),
    related=("dss.prop1.a",),
    figure="discretization-maps",
)
class DssExponential:
    """One complex mode against a real rotation."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Parameters of a mode."""
        for a in ("-4", "-ln 2", "0", "2"):
            for b in (0, 3, 50):
                for step in (Fraction(1, 1000), Fraction(1, 10)):
                    yield {"a": a, "b": b, "step": step}

    @staticmethod
    def claimed(
        case: Case,
        *,
        sign: int = -1,
        one: Fraction = Fraction(1),
        rate: Fraction = Fraction(1),
        turn: int = 1,
        shift: int = 0,
    ) -> list[Any]:
        """Real and imaginary part of the formula with w = 1."""
        with balls(200).work() as ring:
            a = -arb(2).log() if case["a"] == "-ln 2" else ring.number(case["a"])
            value = acb(sign * ring.number(rate) * a.exp(), turn * case["b"])
            dt = ring.number(case["step"])
            gain = ((value * dt).exp() - ring.number(one)) / value
            kernel = [gain * (value * dt * (k + shift)).exp() for k in range(10)]
            return [part for k in kernel for part in (k.real, k.imag)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """The mode as (real part, imaginary part), driven by (1, 0)."""
        with balls(200).work() as ring:
            decay = arb(1) / 2 if case["a"] == "-ln 2" else arb(ring.number(case["a"])).exp()
            dt, b = ring.number(case["step"]), case["b"]
            block = [[-decay * dt, -b * dt, dt], [b * dt, -decay * dt, arb(0)], [arb(0)] * 3]
            exponential = arb_mat(block).exp()
            Abar = arb_mat([[exponential[i, j] for j in range(2)] for i in range(2)])
            state, values = arb_mat([[exponential[0, 2]], [exponential[1, 2]]]), []
            for _ in range(10):
                values += [state[0, 0], state[1, 0]]
                state = Abar * state
            return values


@claim(
    "dss.prop2.rnn",
    title="The softmax form runs forward as a recurrence for rates of either sign",
    statement=(
        r"With $z = e^{\lambda \Delta}$: the causal convolution of $u$ with $\frac{z^k}{\sum_{j<L} z^j}$, $k < L$, is"
        r" $y_k = \frac{z^{k-(L-1)} x_k}{\sum_{j<L} z^{-j}}$ with $x_k = x_{k-1} + z^{-k} u_k$, $k < L$."
    ),
    source="DSS (arXiv:2203.14343), recurrent form of the softmax kernel, as it is usually quoted; derived here",
    domain="L = 1, ..., 6 with symbols for z and every input, and exact Gaussian rationals z = 3/2, 2i/3, -1+i at L = 12",
    routes=("the recurrence", "the convolution"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"last": 0}, {"sign": 1}, {"scale": 1 + _MILLIONTH}],
    tags=("dss", "softmax", "exact"),
    related=("dss.prop1.b",),
    figure="dss-softmax",
)
class SoftmaxRecurrence:
    """Rational functions of z and of the inputs."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Lengths with symbols, points with numbers."""
        for L in range(1, 7):
            yield {"L": L, "z": "z"}
        for z in ("3/2", "2*I/3", "-1 + I"):
            yield {"L": 12, "z": z}

    @staticmethod
    def claimed(case: Case, *, last: int = -1, sign: int = -1, scale: Fraction = Fraction(1)) -> list[Any]:
        """The outputs of the recurrence."""
        import sympy

        L, z = case["L"], sympy.sympify(case["z"])
        u = sympy.symbols(f"u0:{L}") if case["z"] == "z" else [sympy.Integer(k * k - 5) for k in range(L)]
        total = sum(z ** (sign * j) for j in range(L))
        state, values = sympy.Integer(0), []
        for k in range(L):
            state += z ** (sign * k) * u[k]
            value = sympy.Rational(scale.numerator, scale.denominator) * z ** (k - (L + last)) * state / total
            values.append(sympy.factor(value) if case["z"] == "z" else sympy.radsimp(sympy.expand(value)))
        return values

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """The sum over the past."""
        import sympy

        L, z = case["L"], sympy.sympify(case["z"])
        u = sympy.symbols(f"u0:{L}") if case["z"] == "z" else [sympy.Integer(k * k - 5) for k in range(L)]
        weights = sum(z**j for j in range(L))
        sums = [sum(z ** (k - j) * u[j] for j in range(k + 1)) / weights for k in range(L)]
        return [sympy.factor(y) if case["z"] == "z" else sympy.radsimp(sympy.expand(y)) for y in sums]
