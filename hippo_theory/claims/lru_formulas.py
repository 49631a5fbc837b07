"""LRU: eigenvalues on a ring, the norm of the state at the start, normalization, and its numbers for S4D-Lin."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from flint import acb, arb

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import AT_MOST, EQUAL, IDENTICAL
from hippo_theory.discretizations import discretize
from hippo_theory.initializations import s4d_lin
from hippo_theory.kernels import ExponentialSum

__all__: list[str] = []

_LRU = "LRU (arXiv:2303.06349)"
_MILLIONTH = Fraction(1, 10**6)
_PART = sympy.Rational(1, 10**6)
_HALF = sympy.Rational(1, 2)
_SIXTH = sympy.Rational(1, 6)


@claim(
    "lru.lem2",
    title="The recipe for the ring gives the uniform distribution on it",
    statement=(
        r"With $u_1, u_2$ uniform on $[0, 1]$, $\nu = -\frac12 \ln(u_1 (b^2 - a^2) + a^2)$ and $\theta = 2 \pi u_2$ the point"
        r" $e^{-\nu + i \theta}$ is uniform on the ring $a \le |\lambda| \le b$: its density with respect to area is the"
        r" constant $\frac{1}{\pi (b^2 - a^2)}$, and $P(|\lambda| \le r) = \frac{r^2 - a^2}{b^2 - a^2}$."
    ),
    source=_LRU + ", lemma on the ring, as in notes on the paper",
    domain="all 0 <= a < b, all u_1, u_2 (symbols)",
    routes=(
        "density and distribution function as stated",
        "Jacobian determinant of the map, and its radius solved for u_1",
    ),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"density": 1 + _PART}, {"power": 1}, {"sign": 1}],
    tags=("lru", "random", "exact"),
    figure="lru-ring",
)
class UniformRing:
    """Calculus with symbols."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """All at once."""
        yield {"symbols": "a, b, u_1, u_2, r"}

    @staticmethod
    def claimed(case: Case, *, density: Any = 1, power: int = 2, sign: int = -1) -> list[Any]:
        """As stated."""
        a, gap, r = sympy.symbols("a gap r", positive=True)  # gap = b^2 - a^2
        return [density / (sympy.pi * gap), sympy.expand((r**power + sign * a**2) / gap)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """1/abs(det d(x, y)/d(u_1, u_2)), and u_1 at the radius r."""
        a, gap, r, u, v = sympy.symbols("a gap r u v", positive=True)
        nu = -sympy.log(u * gap + a**2) / 2
        radius = sympy.simplify(sympy.exp(-nu))
        x, y = radius * sympy.cos(2 * sympy.pi * v), radius * sympy.sin(2 * sympy.pi * v)
        jacobian = sympy.simplify(sympy.Matrix([x, y]).jacobian([u, v]).det())
        (level,) = sympy.solve(sympy.Eq(radius**2, r**2), u)
        return [1 / jacobian, sympy.expand(level)]


@claim(
    "lru.prop3",
    title="The expected energy of the state under white noise, in closed form",
    statement=(
        r"For white-noise inputs and eigenvalues uniform on the ring $a \le |\lambda| \le b < 1$, $E |x_\infty|^2 ="
        r" \frac{1}{b^2 - a^2} \ln \frac{1 - a^2}{1 - b^2} E |B u|^2$ for each state, which tends to"
        r" $\frac{1}{1 - a^2} E |B u|^2$ as $b \to a$."
    ),
    source=_LRU + ", proposition on the forward pass at the start, as in notes on the paper",
    domain="all 0 <= a < b < 1 (symbols)",
    routes=(
        "the formula and the limit",
        "sum over the past of the squared modulus; the mean over the ring by the fundamental theorem",
    ),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"factor": 1 + _PART}, {"one": 1 + _PART}, {"power": 1}, {"sign": 1}, {"limit": 1 + _PART}],
    tags=("lru", "random", "exact"),
    related=("lru.lem2", "lru.prop3.constant", "lru.gamma"),
    figure="lru-ring",
)
class StateEnergy:
    """The mean over the ring has the density 2 r/(b^2 - a^2) in the radius."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """The integral from its start and its derivative, and the limit."""
        for part in ("start, b = a", "derivative by b", "limit"):
            yield {"part": part}

    @staticmethod
    def claimed(case: Case, *, factor: Any = 1, one: Any = 1, power: int = 2, sign: int = -1, limit: Any = 1) -> Any:
        """(b^2 - a^2) times the formula: at b = a, and its derivative; and the limit as stated."""
        a, b = sympy.symbols("a b", positive=True)
        if case["part"] == "limit":
            return sympy.cancel(limit / (1 - a**2))
        ratio = (one + sign * a**power) / (one + sign * b**power)
        integral = sympy.cancel((b**2 - a**2) / (b**power - a**power)) * factor * sympy.log(ratio)
        if case["part"].startswith("start"):
            return sympy.simplify(integral.subs(b, a))
        return sympy.cancel(sympy.simplify(sympy.diff(integral, b)))

    @staticmethod
    def computed(case: Case) -> Any:
        """The integral of 2 r sum_k r^(2k): 0 over nothing, the integrand at b, and the mean over a vanishing ring."""
        a, b, v = sympy.symbols("a b v", positive=True)
        k = sympy.Symbol("k", integer=True, nonnegative=True)
        if case["part"].startswith("start"):
            return sympy.Integer(0)
        energy = sympy.summation(v**k, (k, 0, sympy.oo)).args[0][0]  # the branch v < 1
        if case["part"] == "limit":
            return sympy.cancel(energy.subs(v, a**2))
        return sympy.cancel(2 * b * energy.subs(v, b**2))


def _narrow_phases(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """Phases in [0, pi/10], as in the paper's Path-X model: a constant input excites the state more."""
    rows, certified = [], True
    with balls(128).work():
        for modulus in ("0.9", "0.99"):
            r, largest = arb(modulus), arb.pi() / 10
            # The mean of 1/abs(1 - r e^(i theta))^2 over 0 < theta < largest.
            mean = 2 / (largest * (1 - r * r)) * ((1 + r) / (1 - r) * (largest / 2).tan()).atan()
            white = 1 / (1 - r * r)
            certified &= bool(mean > 3 * white)
            rows.append({"case": f"abs(lambda) = {modulus}", "numbers": f"{mean.str(10)} instead of {white.str(10)}"})
    return rows, certified


@claim(
    "lru.prop3.constant",
    title="A constant input gives the same energy only as a mean over all phases",
    statement=(
        r"For a constant input $x_\infty = \frac{B u}{1 - \lambda}$. Over phases uniform on $[0, 2 \pi]$ the mean of"
        r" $\frac{1}{|1 - r e^{i \theta}|^2}$ is $\frac{1}{1 - r^2}$, as for white noise; over $[0, \Phi]$, $\Phi < \pi$, it is"
        r" $\frac{2}{\Phi (1 - r^2)} \arctan\left( \frac{1 + r}{1 - r} \tan \frac{\Phi}{2} \right)$, which is larger."
    ),
    source=_LRU
    + ", proposition on the forward pass, as in notes on the paper, which speaks of constant inputs as well",
    domain="r = 1/2, 9/10, 99/100; Phi = pi/10, 1/2, 3 and the full circle; certified quadrature, 128 bits",
    routes=("the closed forms", "rigorous integration of the integrand"),
    relation=EQUAL,
    expected="REFINED",
    corruptions=[
        {"two": 2 * (1 + _MILLIONTH)},
        {"half": Fraction(1, 2) * (1 + _MILLIONTH)},
        {"one": 1 + _MILLIONTH},
        {"sign": 1},
    ],
    counterexample=Counterexample(
        r"For a constant input and phases restricted to $[0, \frac{\pi}{10}]$ the energy is that of white noise.",
        _narrow_phases,
    ),
    tags=("lru", "random"),
    related=("lru.prop3",),
    figure="lru-ring",
)
class ConstantInput:
    """Poisson's kernel."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Moduli and largest phases."""
        for r in (Fraction(1, 2), Fraction(9, 10), Fraction(99, 100)):
            for phase in ("pi/10", "1/2", "3", "2 pi"):
                yield {"r": r, "phase": phase}

    @staticmethod
    def claimed(
        case: Case,
        *,
        two: Fraction = Fraction(2),
        half: Fraction = Fraction(1, 2),
        one: Fraction = Fraction(1),
        sign: int = -1,
    ) -> Any:
        """The mean."""
        with balls(128).work() as ring:
            r = ring.number(case["r"])
            if case["phase"] == "2 pi":
                return 1 / (ring.number(one) + sign * r * r)
            phase = arb.pi() / 10 if case["phase"] == "pi/10" else ring.number(case["phase"])
            ratio = (ring.number(one) + r) / (ring.number(one) + sign * r)
            tangent = (phase * ring.number(half)).tan()
            return ring.number(two) / (phase * (1 + sign * r * r)) * (ratio * tangent).atan()

    @staticmethod
    def computed(case: Case) -> Any:
        """The integral over the phases, divided by their range."""
        with balls(128).work() as ring:
            r = ring.number(case["r"])
            phases = {"pi/10": arb.pi() / 10, "2 pi": 2 * arb.pi()}
            phase = phases[case["phase"]] if case["phase"] in phases else ring.number(case["phase"])
            integral = acb.integral(lambda x, _: 1 / (1 + r * r - 2 * r * x.cos()), 0, phase)
            return (integral / phase).real


@claim(
    "lru.gamma",
    title="The normalization makes every state of unit variance under white noise",
    statement=(
        r"For $|\lambda| < 1$: $x_l = \lambda x_{l-1} + \gamma b u_l$ with $\gamma = \sqrt{1 - "
        r"|\lambda|^2}$, $E |b|^2 = 1$ and white noise $u$ of"
        r" unit variance has $E |x_l|^2 = 1 - |\lambda|^{2 (l+1)}$ from $x_{-1} = 0$, which tends to 1."
    ),
    source=_LRU + ", section on normalization, as in notes on the paper",
    domain="all lambda and every l (symbols): the start and the step of the induction",
    routes=("the stated variance", "the recurrence of variances v_l = abs(lambda)^2 v_(l-1) + gamma^2"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"one": 1 + _PART}, {"power": 1}, {"shift": 0}],
    tags=("lru", "random", "exact"),
    related=("lru.prop3",),
    figure="lru-ring",
)
class Normalization:
    """Induction over l."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Start and step."""
        yield {"part": "l = 0"}
        yield {"part": "l + 1 from l"}

    @staticmethod
    def claimed(case: Case, *, one: Any = 1, power: int = 2, shift: int = 1) -> Any:
        """1 - abs(lambda)^(2(l+1))."""
        size, steps = sympy.Symbol("size", positive=True), sympy.Symbol("l", integer=True, nonnegative=True)
        index = 0 if case["part"] == "l = 0" else steps + 1
        return sympy.powsimp(sympy.expand(one - size ** (power * (index + shift))))

    @staticmethod
    def computed(case: Case) -> Any:
        """One step."""
        size, steps = sympy.Symbol("size", positive=True), sympy.Symbol("l", integer=True, nonnegative=True)
        before = sympy.Integer(0) if case["part"] == "l = 0" else 1 - size ** (2 * (steps + 1))
        gain = sympy.sqrt(1 - size**2)
        return sympy.powsimp(sympy.expand(size**2 * before + gain**2))


@claim(
    "lru.thm1",
    title="The circular law: the share of eigenvalues within a radius is its square",
    statement=(
        r"For matrices of size $N$ with independent real normal entries of variance $\frac1N$ the share of eigenvalues with"
        r" $|\lambda| \le r$ tends to $r^2$, $r \le 1$, as $N \to \infty$."
    ),
    source=_LRU + ", theorem on the circular law of Ginibre, as in notes on the paper",
    domain="eight matrices of size 100 (full: 400), one seed, r = 0.3, 0.6, 0.9, to 0.03",
    routes=("the square of the radius", "count of dense float64 eigenvalues"),
    relation=AT_MOST,
    expected="OBSERVED",
    why="a limit theorem, seen on random matrices of one size in float64",
    corruptions=[{"power": 1}, {"power": 3}, {"variance": 1.2}, {"band": 0.0001}],
    tags=("lru", "random"),
    related=("lru.lem2",),
    figure="lru-ring",
)
class CircularLaw:
    """Shares and their complements."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """One set of matrices."""
        yield {"N": 100 if effort == "quick" else 400}

    @staticmethod
    def claimed(case: Case, *, power: int = 2, variance: float = 1.0, band: float = 0.03) -> list[float]:
        """Upper ends, complements of the lower ends."""
        shares = [(r / variance**0.5) ** power for r in (0.3, 0.6, 0.9)]
        return [end for share in shares for end in (share + band, 1 - share + band)]

    @staticmethod
    def computed(case: Case) -> list[float]:
        """From eight draws."""
        N, generator = case["N"], np.random.default_rng(2303)
        moduli = np.abs(np.linalg.eigvals(generator.standard_normal((8, N, N)) / np.sqrt(N)))
        shares = [float((moduli <= r).mean()) for r in (0.3, 0.6, 0.9)]
        return [end for share in shares for end in (share, 1 - share)]


@claim(
    "lru.s4dlin",
    title="S4D-Lin at the step 0.001: moduli e^{-1/2000}, phases up to 127 pi/1000, which is beyond pi/8",
    statement=(
        r"The multipliers $e^{\Delta \lambda_n}$, $\lambda_n = -\frac12 + i \pi n$, $n = 0, \dots, 127$, $\Delta ="
        r" \frac{1}{1000}$, have the modulus $e^{-1/2000} = 0.99950012\dots$ and phases from $0$ to $\frac{127 \pi}{1000} ="
        r" 0.3989\dots$. That exceeds $\frac{\pi}{8} = \frac{125 \pi}{1000} = 0.3926\dots$ by 1.6 %; $n \le 125$ lie within it."
    ),
    source=_LRU + ", discussion of S4D-Lin, as in notes on the paper",
    domain="the 128 multipliers, balls of 200 bits",
    routes=("the formulas", "zero-order hold of the package's start"),
    relation=EQUAL,
    expected="REFINED",
    corruptions=[{"rate": Fraction(1, 2) * (1 + _MILLIONTH)}, {"last": 128}, {"pi": 1 + _MILLIONTH}, {"sign": -1}],
    counterexample=Counterexample(
        r"All phases lie within $[0, \frac{\pi}{8}]$.",
        lambda effort: (
            [{"case": "n = 127", "numbers": f"phase / pi = {Fraction(127, 1000)} > {Fraction(1, 8)} exactly"}],
            Fraction(127, 1000) > Fraction(1, 8),
        ),
    ),
    tags=("lru", "s4d"),
    related=("s4d.lin",),
    figure="lru-ring",
)
class LinearStartOnTheDisc:
    """Moduli and phases, first and last."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """The case of the paper."""
        yield {"stored": 128, "step": Fraction(1, 1000)}

    @staticmethod
    def claimed(
        case: Case, *, rate: Fraction = Fraction(1, 2), last: int = 127, pi: Fraction = Fraction(1), sign: int = 1
    ) -> list[Any]:
        """Smallest and largest modulus, smallest and largest phase."""
        with balls(200).work() as ring:
            dt = ring.number(case["step"])
            modulus = (-ring.number(rate) * dt).exp()
            return [modulus, modulus, arb(0), sign * last * ring.number(pi) * arb.pi() * dt]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """Of the discrete system."""
        with balls(200).work() as ring:
            rates = s4d_lin(2 * case["stored"], arithmetic=ring).Lambda
            none, ones = np.array([], dtype=object), np.array([acb(1)] * len(rates), dtype=object)
            multipliers = discretize(ExponentialSum(none, none, ones, rates, 200), "zoh", case["step"]).rates
            moduli, phases = [abs(z) for z in multipliers], [z.arg() for z in multipliers]
            order = sorted(range(len(phases)), key=lambda n: float(phases[n]))
            return [moduli[0], moduli[-1], phases[order[0]], phases[order[-1]]]


def _far_mode(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """A mode whose phase turns by pi in a step."""
    with balls(128).work():
        x = acb(-arb(1) / 2, 10 * arb.pi()) / 10
        gain = (x.exp() - 1) / x
        error = abs(gain - 1)
        row = {"case": "S4D-Lin, n = 10, step 1/10", "numbers": f"abs((e^x - 1)/x - 1) = {error.str(10)}"}
        return [row], bool(error > 1)


@claim(
    "lru.zoh1",
    title="Replacing the zero-order-hold input by its first-order term costs x/2",
    statement=(
        r"With $x = \Delta \lambda$: $\frac{e^x - 1}{\lambda} b - \Delta b = \Delta b \left(\frac{x}{2} + \frac{x^2}{6} +"
        r" O(x^3)\right)$: the error is $O(\Delta^2)$, and small only where $|\Delta \lambda|$ is."
    ),
    source=_LRU + ", comparison with S4D, as in notes on the paper",
    domain="every lambda and b, Delta to 0 (symbols)",
    routes=("the stated terms", "the power series of the difference"),
    relation=IDENTICAL,
    expected="REFINED",
    corruptions=[{"half": _HALF * (1 + _PART)}, {"sixth": _SIXTH * (1 + _PART)}, {"order": 1}],
    counterexample=Counterexample(
        r"$(e^{\Delta \Lambda} - I) \Lambda^{-1} B$ and $\Delta B$ are close for every mode of S4D-Lin and every step up to"
        r" $\frac{1}{10}$.",
        _far_mode,
    ),
    tags=("lru", "discretization", "exact"),
    related=("s4d.eq6.zoh",),
    figure="discretization-maps",
)
class FirstOrderInput:
    """Series in the step."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """All at once."""
        yield {"symbols": "Delta, lambda, b"}

    @staticmethod
    def claimed(case: Case, *, half: Any = _HALF, sixth: Any = _SIXTH, order: int = 2) -> Any:
        """Two terms."""
        step, rate, b = sympy.symbols("step rate b")
        return sympy.expand(b * rate * (half * step**order + sixth * rate * step ** (order + 1)))

    @staticmethod
    def computed(case: Case) -> Any:
        """Expanded."""
        step, rate, b = sympy.symbols("step rate b")
        difference = (sympy.exp(step * rate) - 1) / rate * b - step * b
        return sympy.expand(sympy.series(difference, step, 0, 4).removeO())
