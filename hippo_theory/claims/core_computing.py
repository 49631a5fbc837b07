"""How the closed forms of the LegS spectrum are computed: the series behind the phase, float64 roots, uniform grids."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from flint import acb, acb_mat, arb

from hippo_theory.arithmetic import balls
from hippo_theory.claims.core_legs import DERIVED, sizes
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import AT_MOST, EQUAL, IDENTICAL
from hippo_theory.families import LegS
from hippo_theory.families.legs_phase import frequencies
from hippo_theory.families.legs_phase_float import frequencies_and_weights

__all__: list[str] = []


@claim(
    "core.nufft",
    title="On a uniform grid the diagonal LegS kernel is a nonuniform Fourier sum",
    statement=(
        r"All eigenvalues of the normal part of LegS have the real part $-\frac12$: the diagonal kernel at $t = "
        r"l\,\Delta$ is $e^{-l\Delta/2}\sum_m a_m\cos(\omega_ml\Delta + \theta_m)$, a sum with real frequencies "
        r"only, with $a_m e^{i\theta_m} = 2v_{m,n}\overline{v_m^*B/2}$."
    ),
    source=DERIVED,
    domain=(
        "N = 2, 4, 8, 12, n = 0, 1, lags 0, 1, 7, 40 at step 1/10, balls of 300 bits; the cost O((N+L) log) is "
        "not part of the check"
    ),
    routes=("the sum over the package's spectrum", "exponential of the dense normal part"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[
        {"half": Fraction(500001, 1000000)},
        {"gain": Fraction(1000001, 1000000)},
        {"turn": Fraction(1000001, 1000000)},
    ],
    tags=("legs", "diagonal", "kernel"),
    related=("core.diag.noise", "core.diag.spectrum"),
)
class NonuniformSum:
    """N even: no eigenvalue on the real axis."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (2, 4, 8, 12):
            for lag in (0, 1, 7, 40):
                yield {"N": N, "lag": lag}

    def claimed(
        case: Case, *, half: Fraction = Fraction(1, 2), gain: Fraction = Fraction(1), turn: Fraction = Fraction(1)
    ) -> list[Any]:
        with balls(300).work() as ring:
            N, t = case["N"], arb(case["lag"]) / 10
            values = []
            for n in (0, 1):
                total = arb(0)
                for w in frequencies(N, balls(300)):
                    # X_n(lambda), which is a multiple of v, and its norm: abs(v^* B) v = X_n / phi'.
                    s = acb(arb(-1) / 2, w)
                    product = acb(1)
                    for k in range(n):
                        product *= (s - k) / (s + k + 1)
                    slope = sum(((k + arb(0.5)) / ((k + arb(0.5)) ** 2 + w**2) for k in range(N)), arb(0))
                    vector = arb(2 * n + 1).sqrt() * product / (s + n + 1) / slope
                    angle = ring.number(turn) * w * t
                    total += (vector * acb(angle.cos(), angle.sin())).real
                values.append(ring.number(gain) * (-ring.number(half) * t).exp() * total)
            return values

    def computed(case: Case) -> list[Any]:
        with balls(300).work() as ring:
            family, t = LegS(case["N"]), arb(case["lag"]) / 10
            flow = (acb_mat([[acb(entry) for entry in row] for row in family.normal_part(ring)]) * acb(t)).exp()
            column = flow * acb_mat([[acb(b) / 2] for b in family.input_vector(ring)])
            return [column[n, 0].real for n in (0, 1)]


@claim(
    "core.diag.stirling",
    title="The asymptotic series behind the float64 phase",
    statement=(
        r"$\log\Gamma(z+\frac12) \sim z\ln z - z + \frac12\ln2\pi + \sum_jc_jz^{1-2j}$ with $c_j = "
        r"-\frac{(1-2^{1-2j})B_{2j}}{2j(2j-1)}$, for $j \le 6$ "
        r"$-\frac{1}{24}, \frac{7}{2880}, -\frac{31}{40320}, "
        r"\frac{127}{215040}, -\frac{511}{608256}, \frac{1414477}{738017280}$."
    ),
    source=DERIVED,
    domain="j = 1, ..., 6, exact rationals: each power of 1/z of the difference equation in z",
    routes=(
        "the list, and the formula with Bernoulli numbers",
        "log Gamma(z+1/2) - log Gamma(z-1/2) = ln(z-1/2), solved as a power series",
    ),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[
        {"half": 2},
        {"sign": 1},
        {"last": Fraction(1414478, 738017280)},
        {"fifth": Fraction(-511, 608256) * Fraction(1000001, 1000000)},
        {"fourth": Fraction(127, 215040) * Fraction(1000001, 1000000)},
        {"third": Fraction(-31, 40320) * Fraction(1000001, 1000000)},
        {"second": Fraction(7, 2880) * Fraction(1000001, 1000000)},
        {"first": Fraction(-1, 24) * Fraction(1000001, 1000000)},
    ],
    tags=("legs", "spectrum", "exact"),
    related=("core.diag.phase.gamma", "core.diag.float"),
    figure="eigenvalue-asymptotics",
)
class StirlingCoefficients:
    """The list, then the formula."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"j": "1 to 6"}

    def claimed(
        case: Case,
        *,
        half: int = 1,
        sign: int = -1,
        first: Fraction = Fraction(-1, 24),
        second: Fraction = Fraction(7, 2880),
        third: Fraction = Fraction(-31, 40320),
        fourth: Fraction = Fraction(127, 215040),
        fifth: Fraction = Fraction(-511, 608256),
        last: Fraction = Fraction(1414477, 738017280),
    ) -> list[Any]:
        formula = []
        for j in range(1, 7):
            bernoulli = sympy.bernoulli(2 * j)
            value = sign * (1 - Fraction(2) ** (half - 2 * j)) * Fraction(int(bernoulli.p), int(bernoulli.q))
            formula.append(value / (2 * j * (2 * j - 1)))
        return [first, second, third, fourth, fifth, last, *formula]

    def computed(case: Case) -> list[Any]:
        # With x = 1/z: f(z) - f(z-1) for f = z ln z - z + sum c_j z^(1-2j) must be ln(z - 1/2) (the constant drops out).
        x = sympy.symbols("x")
        order = 14
        # z ln z - z - (z-1) ln(z-1) + (z-1) - ln(z-1/2), with ln z cancelling: in powers of x.
        logs = [
            -sum(((x * c) ** k / k for k in range(1, order + 2)), sympy.Integer(0)) for c in (1, sympy.Rational(1, 2))
        ]
        rest = sympy.Poly(sympy.expand(x * (-1 + logs[0] - logs[1]) - logs[0]), x)  # times x
        found: list[Fraction] = []
        for j in range(1, 7):
            # z^(1-2j) - (z-1)^(1-2j) = x^(2j-1) (1 - (1-x)^(1-2j)) = -x^(2j-1) sum_k binom(2j-2+k, k) x^k
            power = 2 * j  # the lowest power of x that c_j enters: coefficient -(2j-1)
            known = rest.coeff_monomial(x ** (power + 1))
            total = Fraction(int(known.p), int(known.q))
            for i, c in enumerate(found, start=1):
                k = power - (2 * i - 1)
                total -= c * int(sympy.binomial(2 * i - 2 + k, k))
            found.append(total / (2 * j - 1))
        return [*found, *found]


@claim(
    "core.diag.float",
    title="The float64 frequencies of LegS are nearly correctly rounded",
    statement=(
        r"The package's float64 roots of the phase equation differ from the true ones by at most $0.51$ units in "
        r"the last place."
    ),
    source=DERIVED,
    domain="all roots at N = 16, 17, 100, 513 (full: 4096); the largest difference is 0.4996 (full: 0.49998)",
    routes=("the bound", "difference from the certified roots, in units in the last place"),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[{"bound": Fraction(4996, 10000)}],
    tags=("legs", "spectrum"),
    related=("core.diag.stirling", "core.diag.phase"),
    figure="spectra",
)
class FloatRoots:
    """The largest of each size."""

    def cases(effort: str) -> Iterator[Case]:
        for N in sizes(effort, (16, 17, 100, 513), (16, 17, 100, 513, 4096)):
            yield {"N": N}

    def claimed(case: Case, *, bound: Fraction = Fraction(51, 100)) -> Any:
        return float(bound)

    def computed(case: Case) -> Any:
        N = case["N"]
        found, _ = frequencies_and_weights(N)
        with balls(128).work():
            worst = arb(0)
            for value, root in zip(found, frequencies(N, balls(128)), strict=True):
                if value:
                    worst = worst.max(abs(root - arb(float(value))) / float(np.spacing(abs(value))))
            return worst
