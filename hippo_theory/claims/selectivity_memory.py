"""Input selectivity: how states depend on earlier inputs, what it takes to remember, and recall of the n-th token."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations
from typing import Any, Literal

import numpy as np
from flint import acb, arb, arb_series, fmpq, fmpz_mat, fmpz_poly

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import AT_MOST, EQUAL, IDENTICAL, WITHIN
from hippo_theory.duality import realized_matrix
from hippo_theory.selectivity import (
    SelectiveChannel,
    keep_steps,
    keep_system,
    lti_recall_states,
    lti_recall_system,
    output_weights,
    retention_logit,
    selective_system,
    state_sensitivities,
)

__all__: list[str] = []

PAPER = "Understanding input selectivity in Mamba (arXiv:2506.11891)"
OURS = "derived here"
STEP = Fraction(1, 10**6)


@claim(
    "s6.decay.s4d",
    title="A constant diagonal system forgets exponentially",
    statement=r"For $h_t = e^{-\lambda\Delta} h_{t-1} + g(\Delta) b\, x_t$, $y_t = c^\top h_t$ with a constant step: "
    r"$\frac{\partial y_t}{\partial x_s} = \sum_n c_n g_n b_n e^{-\lambda_n\Delta(t-s)}$, with $g_n = \frac{1 - "
    r"e^{-\lambda_n\Delta}}{\lambda_n}$ (zero-order hold) or $g_n = \Delta$ (Mamba's code).",
    source=f"{PAPER}, the lemma on memory; our formulation",
    domain="N = 3, T = 8, steps 1/10 and 3, both gains, every pair of times, balls",
    routes=("the sum of exponentials", "the matrix that the package's system realizes, by its recurrence"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"scale": 1 + STEP}, {"lag": 1}, {"sign": 1}],
    tags=("selectivity", "memory"),
    related=("s6.decay.s4d.bound", "s6.decay.s6"),
)
class ConstantDecay:
    """The lower triangle row by row."""

    rates = (Fraction(1, 2), Fraction(1), Fraction(5))
    b, c = (1, -2, 3), (2, 1, 1)

    def cases(effort: str) -> Iterator[Case]:
        for step in (Fraction(1, 10), Fraction(3)):
            for rule in ("zoh", "euler"):
                yield {"step": step, "gain": rule}

    def claimed(case: Case, *, scale: Fraction = Fraction(1), lag: int = 0, sign: int = -1) -> list[Any]:
        with balls(128).work() as ring:
            step, terms = ring.number(case["step"]), []
            for rate, b, c in zip(ConstantDecay.rates, ConstantDecay.b, ConstantDecay.c, strict=True):
                decay = (ring.number(sign * rate * scale) * step).exp()
                gain = (1 - decay) / ring.number(rate) if case["gain"] == "zoh" else step
                terms.append((b * c * gain, decay))
            return [
                sum(weight * decay ** (t - s + lag) for weight, decay in terms) for t in range(8) for s in range(t + 1)
            ]

    def computed(case: Case) -> list[Any]:
        with balls(128).work() as ring:
            rows = [np.array([row] * 8) for row in (ConstantDecay.b, ConstantDecay.c)]
            rates = np.array(ConstantDecay.rates)
            M = realized_matrix(selective_system([case["step"]] * 8, rates, *rows, rule=case["gain"], arithmetic=ring))
            return [M[t, s] for t in range(8) for s in range(t + 1)]


@claim(
    "s6.decay.s4d.bound",
    title="The slowest mode bounds what a constant system remembers",
    statement=r"$\left|\frac{\partial y_t}{\partial x_s}\right| \le \|c\|\,\|\bar b\|\,e^{-\lambda_{\min}\Delta(t-s)}$, $\bar "
    r"b_n = g(\Delta) b_n$.",
    source=f"{PAPER}, the lemma on memory; our formulation",
    domain="lambda = (1/2, 2), b = c = (1, 1/10^4), Delta = 1/10 and 1, lags 1 to 40, Mamba's gain, balls; the bound is met up "
    "to 2/10^8",
    routes=("the bound", "output weights of the package's system, lag by lag"),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[{"scale": 1 + STEP}, {"lag": 1}],
    tags=("selectivity", "memory"),
    related=("s6.decay.s4d",),
)
class ConstantBound:
    """Almost all of the state is in the slow mode."""

    small = Fraction(1, 10**4)

    def cases(effort: str) -> Iterator[Case]:
        for step in (Fraction(1, 10), Fraction(1)):
            yield {"step": step}

    def claimed(case: Case, *, scale: Fraction = Fraction(1), lag: int = 0) -> list[Any]:
        with balls(128).work() as ring:
            step = ring.number(case["step"])
            norms = (1 + ring.number(ConstantBound.small) ** 2) * step
            slow = (-ring.number(Fraction(1, 2) * scale) * step).exp()
            return [norms * slow ** (distance + lag) for distance in range(1, 41)]

    def computed(case: Case) -> list[Any]:
        with balls(128).work() as ring:
            rows = np.array([[Fraction(1), ConstantBound.small]] * 41)
            rates = [Fraction(1, 2), Fraction(2)]
            weights = output_weights(
                selective_system([case["step"]] * 41, rates, rows, rows, rule="euler", arithmetic=ring)
            )
            return [abs(weights[40 - distance]) for distance in range(1, 41)]


_INPUTS = tuple(Fraction(k * k % 7 - 3, 2) for k in range(6))


def _channel(rule: Literal["zoh", "euler"]) -> SelectiveChannel:
    return SelectiveChannel(
        [Fraction(1, 2), Fraction(3)],
        Fraction(3, 4),
        Fraction(-1, 3),
        [Fraction(1), Fraction(-2)],
        [Fraction(1, 5), 1],
        rule,
    )


def _derivative(rule: str, place: int) -> list[Any]:
    """The derivative of h_T by x_place: power series of degree one through the recurrence."""
    series = [arb_series([arb(_q(x)), int(k == place)], 2) for k, x in enumerate(_INPUTS)]
    found = []
    for rate, weight, bias in ((Fraction(1, 2), 1, Fraction(1, 5)), (Fraction(3), -2, Fraction(1))):
        state = arb_series([0], 2)
        for x in series:
            step = ((x * arb(_q(Fraction(3, 4))) - arb(_q(Fraction(1, 3)))).exp() + 1).log()
            decay = (step * (-arb(_q(rate)))).exp()
            gain = (1 - decay) * arb(_q(1 / rate)) if rule == "zoh" else step
            state = decay * state + gain * (x * weight + arb(_q(bias))) * x
        found.append(state[1])
    return found


def _q(value: Fraction) -> Any:
    return fmpq(value.numerator, value.denominator)


def _without_gate() -> tuple[list[dict[str, Any]], bool]:
    with balls(128).work() as ring:
        parts = state_sensitivities(_channel("zoh"), _INPUTS, ring)
        wrong, right = (parts.carried * parts.written)[5, 0], _derivative("zoh", 5)[0]
        return [{"case": "s = T = 6, n = 0", "numbers": f"without {wrong.str(8)}, derivative {right.str(8)}"}], bool(
            abs(wrong - right) > arb("0.05")
        )


@claim(
    "s6.decay.s6",
    title="A selective state depends on an input through what is written and through what is forgotten",
    statement=r"For $h_t = e^{-\lambda\Delta_t} h_{t-1} + g(\Delta_t) B_t x_t$ with $\Delta_t = \Delta(x_t)$, $B_t = B(x_t)$: "
    r"$\frac{\partial h_T}{\partial x_s} = e^{-\lambda\sum_{k=s+1}^T \Delta_k} J_s$, $J_s = "
    r"\frac{d}{dx}\left[g(\Delta(x)) B(x) "
    r"x\right]_{x_s} - \lambda \Delta'(x_s) e^{-\lambda\Delta_s} h_{s-1}$.",
    source=f"{PAPER}, the lemma on memory; the formula with both terms is derived here",
    domain="N = 2, T = 6, Delta = softplus(3x/4 - 1/3), B affine, both gains, every input, balls",
    routes=("the closed form, by the package", "power series of degree one through the recurrence"),
    relation=EQUAL,
    expected="REFINED",
    corruptions=[{"gate": 0}, {"gate": -1}, {"scale": 1 + STEP}, {"shift": 1}],
    counterexample=Counterexample(
        r"$J_s = \frac{d}{dx}\left[g(\Delta(x)) B(x) x\right]_{x_s}$, without the second term.",
        lambda effort: _without_gate(),
    ),
    tags=("selectivity", "memory"),
    related=("s6.decay.s4d",),
)
class SelectiveSensitivity:
    """Six inputs, two states."""

    def cases(effort: str) -> Iterator[Case]:
        for rule in ("zoh", "euler"):
            yield {"gain": rule}

    def claimed(case: Case, *, gate: int = 1, scale: Fraction = Fraction(1), shift: int = 0) -> list[Any]:
        with balls(128).work() as ring:
            parts = state_sensitivities(_channel(case["gain"]), _INPUTS, ring)
            carried = np.roll(parts.carried, shift, axis=0)
            return list((carried * (parts.written + gate * parts.gate) * ring.number(scale)).ravel())

    def computed(case: Case) -> list[Any]:
        with balls(128).work():
            return [value for place in range(6) for value in _derivative(case["gain"], place)]


@claim(
    "s6.decay.req",
    title="The step that keeps a given part over a given length",
    statement=r"A constant step keeps exactly the part $\rho$ of a state over $L$ steps if softplus is given $z = "
    r"\ln\left(\rho^{-1/(\lambda L)} - 1\right)$: $e^{-\lambda L \ln(1 + e^z)} = \rho$. Any steps keep as much only if "
    r"their mean "
    r"is at most $\frac{\ln(1/\rho)}{\lambda L}$.",
    source=f"{PAPER}, the consequence of its lemma on memory; the logit is derived here",
    domain="rho = 1/2, 1/10, 99/100, lambda = 1, 3, L = 1, 10, 100, 1000, 10^4, 10^6, balls",
    routes=("the logit as written, and what it keeps", "the package's inverse of softplus, and rho"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"scale": 1 + STEP}, {"one": 1 + STEP}, {"sign": 1}],
    tags=("selectivity", "memory"),
    related=("s6.decay.req.logit",),
)
class RetentionStep:
    """Half after 10, 100, 1000, 10000 steps: -2.634, -4.968, -7.274, -9.577."""

    def cases(effort: str) -> Iterator[Case]:
        for rho in (Fraction(1, 2), Fraction(1, 10), Fraction(99, 100)):
            for rate in (1, 3):
                for length in (1, 10, 100, 1000, 10**4, 10**6):
                    yield {"rho": rho, "lambda": rate, "L": length}

    def claimed(case: Case, *, scale: Fraction = Fraction(1), one: Fraction = Fraction(1), sign: int = -1) -> list[Any]:
        with balls(192).work() as ring:
            exponent = ring.number(sign * scale / (case["lambda"] * case["L"]))
            grown = abs(ring.number(case["rho"]) ** exponent - ring.number(one))
            return [grown.log(), (1 + grown) ** (-case["lambda"] * case["L"])]

    def computed(case: Case) -> list[Any]:
        with balls(192).work() as ring:
            return [
                retention_logit(case["L"], case["rho"], case["lambda"], arithmetic=ring),
                ring.number(case["rho"]),
            ]


@claim(
    "s6.decay.req.logit",
    title="Logits need to grow only like the logarithm of the length",
    statement=r"With $y = \frac{\ln(1/\rho)}{\lambda L}$ the logit that keeps $\rho$ over $L$ steps satisfies $\ln y + "
    r"\frac{y}{2} "
    r"\le z \le \ln y + \frac{y}{2} + \frac{y^2}{24}$, since $1 \le \frac{\sinh w}{w} \le e^{w^2/6}$.",
    source=OURS,
    domain="rho = 1/2, lambda = 1, L = 1, 10, 100, 1000, 10^4, 10^6, 10^8, balls",
    routes=("the bracket", "the package's inverse of softplus"),
    relation=WITHIN,
    expected="CERTIFIED",
    corruptions=[{"half": (1 + STEP) / 2}, {"square": 24 * (1 + STEP)}, {"half": (1 - STEP) / 2}],
    tags=("selectivity", "memory"),
    related=("s6.decay.req",),
)
class LogitBracket:
    """Upper end met up to y^4/2880."""

    def cases(effort: str) -> Iterator[Case]:
        for power in (0, 1, 2, 3, 4, 6, 8):
            yield {"L": 10**power}

    def claimed(case: Case, *, half: Fraction = Fraction(1, 2), square: Fraction = Fraction(24)) -> Any:
        with balls(256).work() as ring:
            y = ring.number(2).log() / case["L"]
            low = y.log() + ring.number(half) * y
            return low.union(low + y * y / ring.number(square))

    def computed(case: Case) -> Any:
        with balls(256).work() as ring:
            return retention_logit(case["L"], Fraction(1, 2), arithmetic=ring)


def _worst(T: int, n: int, a: int, rate: Fraction, rule: Literal["zoh", "euler"]) -> Any:
    """The largest error over inputs of modulus at most 1."""
    with balls(256).work() as ring:
        weights = output_weights(keep_system(T, n, sharpness=a, rate=rate, rule=rule, arithmetic=ring))
        return sum((abs(w) for s, w in enumerate(weights, 1) if s != n), abs(1 - weights[n - 1]))


@claim(
    "s6.keepn.later",
    title="What softplus steps with falling logits sum to",
    statement=r"With $\Delta_t = \operatorname{softplus}\left(a\left(n + \frac12 - t\right)\right)$: $\sum_{t=n+1}^T "
    r"\Delta_t \le "
    r"\frac{e^{-a/2}}{1 - e^{-a}}$ for every $T$.",
    source=OURS,
    domain="a = 1/2, 2, 10, 40, T - n = 1, 10, 200, balls",
    routes=("the bound", "the sum of the package's steps"),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[{"half": (1 + STEP) / 2}, {"sign": 1}],
    tags=("selectivity", "recall"),
    related=("s6.keepn",),
)
class LaterSteps:
    """A geometric sum; softplus(z) <= e^z."""

    def cases(effort: str) -> Iterator[Case]:
        for a in (Fraction(1, 2), Fraction(2), Fraction(10), Fraction(40)):
            for more in (1, 10, 200):
                yield {"a": a, "T - n": more}

    def claimed(case: Case, *, half: Fraction = Fraction(1, 2), sign: int = -1) -> Any:
        with balls(256).work() as ring:
            a = ring.number(case["a"])
            return (-a * ring.number(half)).exp() / (1 + sign * (-a).exp())

    def computed(case: Case) -> Any:
        with balls(256).work() as ring:
            return sum(keep_steps(case["T - n"] + 3, 3, sharpness=case["a"], arithmetic=ring)[3:], arb(0))


def _slow_keep() -> tuple[list[dict[str, Any]], bool]:
    error = _worst(60, 20, 40, Fraction(1, 4), "zoh")
    with balls(256).work():
        ratio = error * arb(20).exp()
        return [{"case": "lambda = 1/4, a = 40", "numbers": f"error {ratio.str(6)} times e^(-a/2)"}], bool(
            ratio > 10**6
        )


@claim(
    "s6.keepn",
    title="One selective state recalls the n-th token, whatever the length",
    statement=r"With $\Delta_t = \operatorname{softplus}\left(a\left(n + \frac12 - t\right)\right)$ and zero-order hold, "
    r"$\left|\lambda h_T - x_n\right| \le 2\left(e^{-\lambda a/2} + \frac{\lambda e^{-a/2}}{1 - e^{-a}}\right) \max_s "
    r"|x_s|$ for "
    r"every $n \le T$.",
    source=f"{PAPER}, its task keep n-th; this solution and its constants are derived here",
    domain="lambda = 1/4, 1, 3, a = 2, 10, 40, (T, n) = (1, 1), (20, 5), (200, 1), (200, 100), (2000, 1000), the worst input, "
    "balls; 1 - e^-a is tested by s6.keepn.later",
    routes=("the bound", "the sum of moduli of output weights of the package's system"),
    relation=AT_MOST,
    expected="REFINED",
    corruptions=[{"factor": 2 * (1 - STEP)}, {"past": (1 + STEP) / 2}, {"later": (1 + STEP) / 2}],
    counterexample=Counterexample(
        r"The error is $O(e^{-a/2})$ at every rate $\lambda$: for $\lambda < 1$ it falls like $e^{-\lambda a/2}$ only.",
        lambda effort: _slow_keep(),
    ),
    tags=("selectivity", "recall"),
    related=("s6.keepn.length", "s6.lti.keepn"),
    figure="decay-and-recall",
)
class KeepToken:
    """The bound is met up to a factor 1 + O(e^(-a/2)), so that its constants show."""

    def cases(effort: str) -> Iterator[Case]:
        for rate in (Fraction(1, 4), Fraction(1), Fraction(3)):
            for a in (2, 10, 40):
                for T, n in ((1, 1), (20, 5), (200, 1), (200, 100)):
                    yield {"lambda": rate, "a": a, "T": T, "n": n}
        yield {"lambda": Fraction(1), "a": 40, "T": 2000, "n": 1000}

    def claimed(
        case: Case,
        *,
        factor: Fraction = Fraction(2),
        past: Fraction = Fraction(1, 2),
        later: Fraction = Fraction(1, 2),
    ) -> Any:
        with balls(256).work() as ring:
            a, rate = ring.number(case["a"]), ring.number(case["lambda"])
            after = rate * (-a * ring.number(later)).exp() / (1 - (-a).exp())
            return ring.number(factor) * ((-rate * a * ring.number(past)).exp() + after)

    def computed(case: Case) -> Any:
        return _worst(case["T"], case["n"], case["a"], case["lambda"], "zoh")


@claim(
    "s6.keepn.length",
    title="The error of one-state recall does not depend on the length",
    statement=r"The largest error over $|x_s| \le 1$ is $2 - 2 w - e^{-\lambda\sum_t \Delta_t}$, $w = \left(1 - "
    r"(1 + e^{a/2})^{-\lambda}\right) \prod_{j=1}^{T-n} \left(1 + e^{-a(j-1/2)}\right)^{-\lambda}$; of the product only "
    r"the first "
    r"factors count.",
    source=OURS,
    domain="a = 40, lambda = 1, n = 5 and T = 20, 200, 2000, 20000, n = T = 20, and n = T - 5 at T = 20000 (full), "
    "balls; factors "
    "and steps beyond the twelfth taken as 1 and as endless, within 10^-200",
    routes=("the closed form without T", "the sum of moduli of output weights of the package's system"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"factor": 2 * (1 + STEP)}, {"rate": 1 + STEP}, {"half": (1 + STEP) / 2}],
    tags=("selectivity", "recall"),
    related=("s6.keepn",),
    figure="decay-and-recall",
)
class KeepLength:
    """2.06e-9 for the missing weight, twice that for the error."""

    def cases(effort: str) -> Iterator[Case]:
        for T, n in ((20, 5), (200, 5), (2000, 5), (20000, 5), (20, 20)):
            yield {"T": T, "n": n}
        if effort == "full":
            yield {"T": 20000, "n": 19995}

    def claimed(
        case: Case, *, factor: Fraction = Fraction(2), rate: Fraction = Fraction(1), half: Fraction = Fraction(1, 2)
    ) -> Any:
        with balls(256).work() as ring:
            a, decay = ring.number(40), ring.number(rate)
            kept = 1 - (1 + (a * ring.number(half)).exp()) ** (-decay)
            for j in range(1, min(case["T"] - case["n"], 12) + 1):
                kept *= (1 + (-a * (j - ring.number(half))).exp()) ** (-decay)
            error = ring.number(factor) * (1 - kept)
            # e^-(sum of all steps): the first n of them are about a (j - 1/2), together a n^2/2. Factors beyond the twelfth:
            # twice the sum of e^(-a (j - 1/2)) over j > 12, the first of which is the same.
            return error + arb(0, (4 * (-a * min(case["n"], 5) ** 2 / 2).exp()).upper())

    def computed(case: Case) -> Any:
        return _worst(case["T"], case["n"], 40, Fraction(1), "zoh")


@claim(
    "s6.keepn.euler",
    title="One-state recall with Mamba's own gain",
    statement=r"With $g(\Delta) = \Delta$ and the same steps $\left|\frac{h_T}{\Delta_n} - x_n\right| \le \left(\lambda s + "
    r"\frac{2}{a}\left(s + q\left(\frac{3a/2 + e^{-3a/2}}{1 - q^3} + \frac{a q^3}{(1 - q^3)^2}\right)\right)\right) "
    r"\max_s |x_s|$, $s "
    r"= \frac{e^{-a/2}}{1 - e^{-a}}$, $q = e^{-\lambda a/2}$.",
    source=f"{PAPER}, its task keep n-th; this solution and its constants are derived here",
    domain="lambda = 1, 1/2, a = 4, 10, 40, (T, n) = (1, 1), (20, 5), (200, 100), the worst input, balls",
    routes=("the bound", "the sum of moduli of output weights of the package's system"),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[{"rate": 1 - STEP}, {"two": 2 * (1 - STEP)}, {"three": 3 * (1 - STEP)}, {"half": (1 + STEP) / 2}],
    tags=("selectivity", "recall"),
    related=("s6.keepn",),
)
class KeepEuler:
    """At a = 40 it is met up to e^(-a/2), so that its constants show."""

    def cases(effort: str) -> Iterator[Case]:
        for rate in (Fraction(1), Fraction(1, 2)):
            for a in (4, 10, 40):
                for T, n in ((1, 1), (20, 5), (200, 100)):
                    yield {"lambda": rate, "a": a, "T": T, "n": n}

    def claimed(
        case: Case,
        *,
        rate: Fraction = Fraction(1),
        two: Fraction = Fraction(2),
        three: Fraction = Fraction(3),
        half: Fraction = Fraction(1, 2),
    ) -> Any:
        with balls(256).work() as ring:
            a, decay = ring.number(case["a"]), ring.number(case["lambda"])
            later = (-a * ring.number(half)).exp() / (1 - (-a).exp())
            q = (-decay * a / 2).exp()
            largest = ring.number(three) * a / 2
            before = q * ((largest + (-largest).exp()) / (1 - q**3) + a * q**3 / (1 - q**3) ** 2)
            return ring.number(rate) * decay * later + ring.number(two) / a * (later + before)

    def computed(case: Case) -> Any:
        return _worst(case["T"], case["n"], case["a"], case["lambda"], "euler")


def _fewest_states(T: int, n: int) -> int:
    """The least N for which some polynomial of degree N with simple roots, none of them 0, annihilates the kernel."""
    kernel = [int(j == T - n) for j in range(T)]
    for N in range(1, T + 1):
        rows = [kernel[start : start + N + 1] for start in range(T - N)] or [[0] * (N + 1)]
        vectors, count = fmpz_mat(rows).nullspace()
        generic = [sum((3 + k * k) * int(vectors[i, k]) for k in range(count)) for i in range(N + 1)]
        if generic[0] == 0 or generic[-1] == 0:
            continue
        polynomial = fmpz_poly(generic)
        if polynomial.gcd(polynomial.derivative()).degree() == 0:
            return N
    return -1


@claim(
    "s6.lti.keepn",
    title="How many states a constant diagonal system needs to recall the n-th token",
    statement=r"$h_t = \Lambda h_{t-1} + b x_t$, $y_T = c^\top h_T$ with constant diagonal invertible complex $\Lambda$ "
    r"gives $y_T = "
    r"x_n$ for all real inputs of length $T$ if and only if $N \ge \max(n, T - n + 1)$ states are there. A selective "
    r"system needs "
    r"one.",
    source=f"{OURS}, as the counterpart of the paper's task keep n-th",
    domain="all n <= T <= 14, exact integers",
    routes=(
        "the closed form",
        "the least degree of a polynomial with simple nonzero roots whose coefficients annihilate the kernel: null "
        "spaces of Hankel "
        "matrices and squarefreeness of a generic vector",
    ),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"one": 0}, {"more": 1}],
    tags=("selectivity", "recall", "exact"),
    related=("s6.keepn", "s6.lti.keepn.roots", "s6.lti.keepn.positive"),
    figure="decay-and-recall",
)
class ConstantRecall:
    """A vector of the null space with nonzero ends is a polynomial with nonzero roots and of full degree."""

    def cases(effort: str) -> Iterator[Case]:
        for T in range(1, 15):
            yield {"T": T}

    def claimed(case: Case, *, one: int = 1, more: int = 0) -> list[int]:
        T = case["T"]
        formula = [max(n, T - n + one) + more for n in range(1, T + 1)]
        return formula + [lti_recall_states(T, n) for n in range(1, T + 1)]

    def computed(case: Case) -> list[int]:
        return 2 * [_fewest_states(case["T"], n) for n in range(1, case["T"] + 1)]


@claim(
    "s6.lti.keepn.roots",
    title="Roots of unity recall the n-th token with the fewest states",
    statement=r"With $N = \max(n, T - n + 1)$: $\frac{1}{N}\sum_{w^N = 1} w^{j - T + n}$ is $1$ at $j = T - n$ and $0$ "
    r"at every other "
    r"$0 \le j < T$.",
    source=OURS,
    domain="(T, n) = (12, 5), (12, 10), (9, 1), (9, 9), (60, 25), balls",
    routes=("the sum over roots of unity", "the unit vector"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"less": 1}, {"scale": 1 + STEP}, {"shift": 1}],
    tags=("selectivity", "recall"),
    related=("s6.lti.keepn",),
)
class RootsOfUnity:
    """Real by symmetry."""

    def cases(effort: str) -> Iterator[Case]:
        for T, n in ((12, 5), (12, 10), (9, 1), (9, 9), (60, 25)):
            yield {"T": T, "n": n}

    def claimed(case: Case, *, less: int = 0, scale: Fraction = Fraction(1), shift: int = 0) -> list[Any]:
        T, n = case["T"], case["n"]
        N = max(n, T - n + 1) - less
        with balls(128).work() as ring:
            values = []
            for j in range(T):
                turns = (Fraction(2 * k * (j - T + n + shift), N) for k in range(N))
                total = sum((acb(ring.number(x).cos_pi(), ring.number(x).sin_pi()) for x in turns), acb(0))
                values.append(total * ring.number(scale) / N)
            return values

    def computed(case: Case) -> list[Any]:
        return [int(j == case["T"] - case["n"]) for j in range(case["T"])]


@claim(
    "s6.lti.keepn.positive",
    title="With positive poles recall needs as many states as tokens",
    statement=r"For $N = T - 1$ poles the conditions $\sum_i c_i \lambda_i^j = 0$, $0 \le j < T$, $j \ne T - n$ have "
    r"the determinant "
    r"$e_{n-1}(\lambda) \prod_{i<k} (\lambda_k - \lambda_i)$ ($e_m$ the elementary symmetric polynomial), which is not "
    r"zero for "
    r"distinct positive $\lambda$, so that $c = 0$; any $T$ positive poles do.",
    source=f"{OURS} (Descartes' rule)",
    domain="all n <= T, T = 2, ..., 8, poles 1, 4, 9, ... and 2, 3, 5, 7, 11, ..., exact integers; T poles k/T in Fractions",
    routes=(
        "the closed form, and T",
        "the determinant by flint, and the size of the package's system if its output weights are exactly a unit vector",
    ),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"order": 0}, {"less": 1}],
    tags=("selectivity", "recall", "exact"),
    related=("s6.lti.keepn",),
)
class PositivePoles:
    """Roots of unity escape because their elementary symmetric polynomials vanish."""

    primes = (2, 3, 5, 7, 11, 13, 17)

    def cases(effort: str) -> Iterator[Case]:
        for T in range(2, 9):
            for n in range(1, T + 1):
                yield {"T": T, "n": n}

    def claimed(case: Case, *, order: int = 1, less: int = 0) -> list[int]:
        T, n, values = case["T"], case["n"], []
        for poles in ([(k + 1) ** 2 for k in range(T - 1)], PositivePoles.primes[: T - 1]):
            size = n - order
            symmetric = sum(int(np.prod(chosen, dtype=object)) for chosen in combinations(poles, size)) if size else 1
            differences = [poles[k] - poles[i] for i, k in combinations(range(T - 1), 2)]
            values.append(symmetric * int(np.prod(differences, dtype=object)))
        return [*values, T - less]

    def computed(case: Case) -> list[int]:
        T, n, values = case["T"], case["n"], []
        for poles in ([(k + 1) ** 2 for k in range(T - 1)], PositivePoles.primes[: T - 1]):
            values.append(int(fmpz_mat([[pole**j for pole in poles] for j in range(T) if j != T - n]).det()))
        system = lti_recall_system(T, n, positive=True)
        unit = [int(s == n) for s in range(1, T + 1)]
        return [*values, system.N if list(output_weights(system)) == unit else -1]
