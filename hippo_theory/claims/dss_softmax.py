"""DSS: the sums, limits and reciprocals of the softmax over the lags, and the start of its rates."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import sympy
from flint import acb, acb_mat, arb

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import EQUAL, IDENTICAL
from hippo_theory.families import LegS

__all__: list[str] = []

_CODE = "DSS (arXiv:2203.14343), as in the authors' code"
_MILLIONTH = Fraction(1, 10**6)
_PART = sympy.Rational(1, 10**6)
_HALF = sympy.Rational(1, 2)


@claim(
    "dss.softmax.sum",
    title="The normalizing sum of the softmax in closed form",
    statement=(
        r"$\sum_{k<L} z^k = \frac{z^L - 1}{z - 1}$, $z = e^{\lambda \Delta} \ne 1$, $L \ge 1$; hence"
        r" the softmax over the lags is $e^{\lambda k \Delta} \frac{e^{\lambda \Delta} - 1}{e^{L \lambda \Delta} - 1}$."
    ),
    source=_CODE,
    domain="every L and z: the induction step with symbols for both, and the case L = 1",
    routes=("the difference of the closed form at L + 1 and at L, simplified", "the term that the sum gains"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"one": 1 + _PART}, {"shift": 1}, {"pole": 1 + _PART}],
    tags=("dss", "softmax", "exact"),
    related=("dss.prop1.b", "dss.stable.softmax"),
    figure="dss-softmax",
)
class SoftmaxSum:
    """Induction over L."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Start and step of the induction."""
        yield {"part": "start, L = 1"}
        yield {"part": "step from L to L + 1"}

    @staticmethod
    def claimed(case: Case, *, one: Any = 1, shift: int = 0, pole: Any = 1) -> Any:
        """What the closed form gives."""
        z, L = sympy.Symbol("z"), sympy.Symbol("L", positive=True, integer=True)
        closed = (z ** (L + shift) - one) / (z - pole)
        if case["part"].startswith("start"):
            return sympy.simplify(closed.subs(L, 1))
        return sympy.simplify(closed.subs(L, L + 1) - closed)

    @staticmethod
    def computed(case: Case) -> Any:
        """What the sum gives."""
        z, L = sympy.Symbol("z"), sympy.Symbol("L", positive=True, integer=True)
        return sympy.Integer(1) if case["part"].startswith("start") else z**L


@claim(
    "dss.stable.softmax",
    title="For growing modes the softmax may be taken from the last lag",
    statement=(
        r"With $z = e^{\lambda \Delta}$: $\frac{z^k (z - 1)}{z^L - 1} = z^{k-(L-1)} \frac{z^{-1} - 1}{z^{-L} - 1}$, for every"
        r" $k$, $L$ and $z$, $z^L \ne 1$: subtracting $\lambda \Delta (L-1)$ and turning the sign of $\lambda$ in the sum."
    ),
    source=_CODE,
    domain="every k, L, z: rational functions of the independent symbols z, z^L, z^k",
    routes=("the form for growing modes, in lowest terms", "the form for decaying modes, in lowest terms"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"last": 0}, {"sign": 1}, {"one": 1 + _PART}],
    tags=("dss", "softmax", "exact"),
    related=("dss.softmax.sum",),
    figure="dss-softmax",
)
class StableSoftmax:
    """Rational functions."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """All at once."""
        yield {"symbols": "z, z^L, z^k"}

    @staticmethod
    def claimed(case: Case, *, last: int = -1, sign: int = -1, one: Any = 1) -> Any:
        """Shifted to the last lag."""
        z, end, here = sympy.symbols("z end here")  # z, z^L, z^k
        return sympy.cancel(here / (end * z**last) * (z**sign - one) / (end**sign - one))

    @staticmethod
    def computed(case: Case) -> Any:
        """As for decaying modes."""
        z, end, here = sympy.symbols("z end here")
        return sympy.cancel(here * (z - 1) / (end - 1))


@claim(
    "dss.stable.reciprocal",
    title="The regularized reciprocal: its bias and its largest value",
    statement=(
        r"$r(x) = \frac{\bar{x}}{|x|^2 + \epsilon}$ differs from $\frac1x$ by the relative amount"
        r" $-\frac{\epsilon}{|x|^2 + \epsilon}$, and $|r| \le \frac{1}{2 \sqrt{\epsilon}}$, attained at $|x| ="
        r" \sqrt{\epsilon}$; for $\epsilon = 10^{-7}$ at most $1581.1388\dots$. Near $e^{L \lambda \Delta} = 1$ it is no"
        r" softmax."
    ),
    source=_CODE + ", reciprocal_eps",
    domain="every complex x != 0 and every epsilon > 0 (symbols)",
    routes=("the stated bias, maximum and place", "x r(x) - 1, and the zero of the derivative of abs(r)"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"bias": -(1 + _PART)}, {"half": _HALF * (1 + _PART)}, {"place": 1 + _PART}],
    tags=("dss", "softmax", "exact"),
    figure="dss-softmax",
)
class RegularizedReciprocal:
    """Calculus with symbols."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """All at once."""
        yield {"symbols": "a + i b, abs(x) = size, epsilon"}

    @staticmethod
    def claimed(case: Case, *, bias: Any = -1, half: Any = _HALF, place: Any = 1) -> list[Any]:
        """As stated."""
        a, b = sympy.symbols("a b", real=True)
        epsilon = sympy.Symbol("epsilon", positive=True)
        return [
            sympy.cancel(bias * epsilon / (a**2 + b**2 + epsilon)),
            sympy.sqrt(epsilon) * place,
            half / sympy.sqrt(epsilon),
        ]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """From the definition."""
        a, b = sympy.symbols("a b", real=True)
        epsilon, size = sympy.symbols("epsilon size", positive=True)
        x = a + sympy.I * b
        bias = sympy.cancel(sympy.expand(x * sympy.conjugate(x)) / (a**2 + b**2 + epsilon) - 1)
        modulus = size / (size**2 + epsilon)
        (place,) = sympy.solve(sympy.diff(modulus, size), size)
        return [bias, place, sympy.simplify(modulus.subs(size, place))]


@claim(
    "dss.prop2.limits",
    title="Limits of the softmax: the first lag, the last lag, uniform",
    statement=(
        r"Let $p_k(x) = \frac{e^{k x}}{\sum_{j<L} e^{j x}}$, $k < L$. As $\Re x \to -\infty$ all weight goes to $k = 0$, with"
        r" $1 - p_0 = e^{x} + O(e^{2 x})$; as $\Re x \to \infty$ to $k = L - 1$, with $1 - p_{L-1} = e^{-x} + O(e^{-2x})$; as"
        r" $x \to 0$, $p_k = \frac1L + \frac{2k - L + 1}{2 L} x + O(x^2)$. So strongly negative, strongly positive and small"
        r" $\lambda \Delta$ give a local kernel, a delay by the whole window, and a uniform one."
    ),
    source="DSS (arXiv:2203.14343), discussion of the softmax form, as it is usually quoted; rates derived here",
    domain="L = 2, ..., 9 (full: 24), every k; exact series in e^x, e^-x and x",
    routes=(
        "the stated first two terms of each expansion",
        "Taylor coefficients of the rational function of e^x, exactly",
    ),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"first": 1 + _PART}, {"slope": 2 * (1 + _PART)}, {"center": 0}, {"rate": -1 - _PART}, {"mass": 1}],
    tags=("dss", "softmax", "exact"),
    related=("dss.softmax.sum",),
    figure="dss-softmax",
)
class SoftmaxLimits:
    """Coefficients 0 and 1 at z = e^x = 0, at 1/z = 0, and in x at x = 0."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Lengths."""
        for L in range(2, 10 if effort == "quick" else 25):
            yield {"L": L}

    @staticmethod
    def claimed(
        case: Case, *, first: Any = 1, rate: Any = -1, slope: Any = 2, center: int = 1, mass: int = 0
    ) -> list[Any]:
        """For each k: p_k at z = 0 (two coefficients), at infinity (two), at x = 0 (two)."""
        L, values = case["L"], []
        for k in range(L):
            at_start = [sympy.Integer(0)] * 2
            at_end = [sympy.Integer(0)] * 2
            # What leaves the first lag goes to its neighbor, e^x of it; likewise at the end.
            if k == mass:
                at_start = [sympy.Integer(first), sympy.sympify(rate)]
            if k == L - 1 - mass:
                at_end = [sympy.Integer(first) if first == 1 else first, sympy.sympify(rate)]
            if k == 1:
                at_start[1] += 1
            if k == L - 2:
                at_end[1] += 1
            uniform = [sympy.Rational(1, L) * first, (slope * k - sympy.Integer(L - center)) / sympy.Integer(2 * L)]
            values += [*at_start, *at_end, *uniform]
        return values

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """Division of power series, exactly."""
        L, values = case["L"], []
        for k in range(L):
            # p_k = z^k / (1 + z + ... + z^(L-1)); the reversed sum is the same polynomial in 1/z.
            start = _quotient([int(j == k) for j in range(2)], [1, 1 if L > 1 else 0])
            end = _quotient([int(j == L - 1 - k) for j in range(2)], [1, 1 if L > 1 else 0])
            # In x: e^(kx) = 1 + k x, the sum is L + x L (L-1)/2.
            near_zero = _quotient([1, k], [L, Fraction(L * (L - 1), 2)])
            values += [sympy.Rational(c.numerator, c.denominator) for c in (*start, *end, *near_zero)]
        return values


def _quotient(above: list[Any], below: list[Any]) -> list[Fraction]:
    """The first two coefficients of a quotient of power series."""
    leading = Fraction(above[0]) / below[0]
    return [leading, (Fraction(above[1]) - leading * below[1]) / below[0]]


@claim(
    "dss.init",
    title="Skew-HiPPO is the upper half of the spectrum of the normal part of LegS",
    statement=(
        r"The rates of DSS with $N$ states, $-\frac12$ plus the $N$ eigenvalues with positive imaginary part of"
        r" $\frac12 (A - A^T)$, $A$ the $2N \times 2N$ LegS matrix, are the eigenvalues with positive imaginary part of the"
        r" normal part $A + \frac12 B B^T$: $-\frac12 + i w_m$ with $\sum_{k<2N} \arctan \frac{w_m}{k + 1/2} = (2N - 1 - 2m)"
        r" \frac{\pi}{2}$, $m < N$."
    ),
    source=_CODE + ", hippo_skew_evals",
    domain="N = 1, 2, 4, 8 (full: 16, 24) stored states, balls of 220 bits",
    routes=("roots of the phase equation of the family", "certified dense eigenvalues of the skew part"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"real": Fraction(-1, 2) - _MILLIONTH}, {"factor": 1}, {"scale": 1 + _MILLIONTH}, {"sign": -1}],
    tags=("dss", "legs", "spectrum"),
    related=("s4d.conj5",),
    figure="spectra",
)
class SkewHippo:
    """The phase equation against a dense matrix."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Stored sizes."""
        for N in (1, 2, 4, 8) if effort == "quick" else (1, 2, 4, 8, 16, 24):
            yield {"N": N}

    @staticmethod
    def claimed(
        case: Case,
        *,
        real: Fraction = Fraction(-1, 2),
        factor: int = 2,
        scale: Fraction = Fraction(1),
        sign: int = 1,
    ) -> list[Any]:
        """Largest imaginary part first."""
        with balls(220).work() as ring:
            spectrum = LegS(factor * case["N"]).normal_spectrum(ring)[: case["N"]]
            return [acb(ring.number(real), sign * ring.number(scale) * value.imag) for value in spectrum]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """Half of A - A^T has the entries -+ sqrt((2n+1)(2k+1))/2."""
        with balls(220).work():
            size = 2 * case["N"]
            skew = [
                [acb(((n < k) - (n > k)) * arb((2 * n + 1) * (2 * k + 1)).sqrt() / 2) for k in range(size)]
                for n in range(size)
            ]
            upper = [value for value in acb_mat(skew).eig() if value.imag > 0]
            # The eigenvalues of a skew matrix lie on the imaginary axis.
            ordered = sorted(upper, key=lambda value: -float(value.imag.mid()))
            return [acb(-arb(1) / 2, value.imag) for value in ordered]
