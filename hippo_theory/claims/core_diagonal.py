"""LegS and its diagonal restriction (S, B/2), S = A + B B^T / 2: exact relations between the two transfer functions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import sympy
from flint import acb, acb_mat, arb, arb_series, fmpq, fmpq_mat

from hippo_theory.arithmetic import balls
from hippo_theory.claims.core_legs import DERIVED, sizes
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import EQUAL, IDENTICAL, Relation
from hippo_theory.families import LegS
from hippo_theory.norms import legs_rational_system

__all__: list[str] = []


@claim(
    "core.diag.interp",
    title="The diagonal and the full transfer function agree at s = 0, ..., N-1",
    statement=(
        r"With $A^{(N)} = A + \tfrac12 BB^T$: $(sI-A^{(N)})^{-1}\tfrac12 B = (sI-A)^{-1}B$ at $s = 0, 1, \dots, "
        r"N-1$, exactly."
    ),
    source=DERIVED,
    domain="N = 1, ..., 12 (full: 24), all s and all components, exact integers and rationals",
    routes=("Cramer's rule for the full matrix, over the integers", "the same for the normal part with half the input"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"half": Fraction(1, 2) + Fraction(1, 10**6)}, {"shift": 1}],
    tags=("legs", "diagonal", "exact"),
    related=("core.legs.laplace",),
    figure="transfer-spikes",
)
class DiagonalInterpolation:
    """Exact rationals, in the basis x_n / R_n, where A is -(2k+1), n > k, and -(n+1), and B is 1."""

    def cases(effort: str) -> Iterator[Case]:
        for N in sizes(effort, tuple(range(1, 13)), tuple(range(1, 25))):
            yield {"N": N}

    def claimed(case: Case, *, half: Fraction = Fraction(1, 2), shift: int = 0) -> list[Any]:
        N = case["N"]
        # A + half B B^T, input half B: B B^T is (2k+1) in this basis. Solved by elimination over the rationals.
        A = [[_entry(n, k) + half * (2 * k + 1) for k in range(N)] for n in range(N)]
        return [
            x
            for s in range(N)
            for x in _solved([[(s + shift * N) * (n == k) - A[n][k] for k in range(N)] for n in range(N)], half)
        ]

    def computed(case: Case) -> list[Any]:
        N, values = case["N"], []
        for s in range(N):
            x: list[Fraction] = []
            for n in range(N):  # forward substitution: A is lower triangular
                inner = sum(((2 * k + 1) * x[k] for k in range(n)), Fraction(0))
                x.append((1 - inner) / Fraction(s + n + 1))
            values += x
        return values


def _entry(n: int, k: int) -> Fraction:
    return Fraction(-(2 * k + 1) if n > k else -(n + 1) if n == k else 0)


def _solved(matrix: list[list[Fraction]], right: Fraction) -> list[Fraction]:
    """Gauss elimination of M x = right (1, ..., 1)."""
    N = len(matrix)
    rows = [[*map(Fraction, row), right] for row in matrix]
    for i in range(N):
        pivot = next(j for j in range(i, N) if rows[j][i] != 0)
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for j in range(N):
            if j != i and rows[j][i] != 0:
                factor = rows[j][i]
                rows[j] = [a - factor * b for a, b in zip(rows[j], rows[i], strict=True)]
    return [row[-1] for row in rows]


@claim(
    "core.rank1",
    title="The diagonal restriction of any rank-one family has one scalar factor",
    statement=(
        r"If $A = S - \frac12BB^T$, $X = (sI-A)^{-1}B$ and $q = 1 - B^TX$, then $(sI-S)^{-1}\frac12B = X/(1+q)$, "
        r"hence $X_{diag} - X = -Xq/(1+q)$ and $B^T(sI-S)^{-1}B = 2(1-q)/(1+q)$, whether or not $S$ is normal."
    ),
    source=DERIVED,
    domain="every S, B and s that is no pole: both sides are applied to by s I - S, with a symbol for q",
    routes=(
        "the coefficients of X that the statement gives",
        "the equation (s I - S) X = B - B (B^T X)/2 solved for them",
    ),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"half": Fraction(1000001, 2000000)}, {"one": Fraction(1000001, 1000000)}, {"sign": -1}, {"gain": 1}],
    tags=("diagonal", "exact"),
    related=("core.diag.exact", "core.rank1.lagt", "core.rank1.fout"),
    figure="rank-one-perturbations",
)
class RankOneFactor:
    """(sI - S) X = B - BB^T X/2 = B (1 - (1-q)/2), so that X is a multiple of (sI - S)^-1 B."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"S": "any"}

    def claimed(
        case: Case, *, half: Fraction = Fraction(1, 2), one: Fraction = Fraction(1), sign: int = 1, gain: int = 2
    ) -> list[Any]:
        q = sympy.symbols("q")
        factor = 2 * sympy.Rational(half) / (sympy.Rational(one) + sign * q)
        return [
            sympy.cancel(factor),
            sympy.cancel(-q / (sympy.Rational(one) + sign * q)),
            sympy.cancel(gain * (1 - q) * factor),
        ]

    def computed(case: Case) -> list[Any]:
        q, unknown = sympy.symbols("q unknown")
        gain = 1 - q  # B^T X
        # (sI - S) (unknown X) = B/2 with (sI - S) X = (1 - gain/2) B:
        (factor,) = sympy.solve(sympy.Eq(unknown * (1 - gain / 2), sympy.Rational(1, 2)), unknown)
        return [sympy.cancel(factor), sympy.cancel(factor - 1), sympy.cancel(2 * factor * gain)]


@claim(
    "core.diag.exact",
    title="The diagonal transfer functions of LegS in closed form",
    statement=(
        r"LegS: $(sI-S)^{-1}\frac12B = X(s)/(1+q_N(s))$ with $S = A + \frac12BB^T$: all components share one "
        r"scalar factor."
    ),
    source=DERIVED,
    domain="N = 1, 2, 5, 12 (full: 48), all components, five points, balls of 300 bits",
    routes=("the products for X and q_N", "a certified linear solve with the normal part that the package forms"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"one": Fraction(1000001, 1000000)}, {"sign": -1}, {"pole": Fraction(1000001, 1000000)}],
    tags=("legs", "diagonal"),
    related=("core.rank1", "core.legs.laplace", "core.legs.blaschke"),
    figure="transfer-spikes",
)
class DiagonalTransfer:
    """Products against a dense solve."""

    def cases(effort: str) -> Iterator[Case]:
        for N in sizes(effort, (1, 2, 5, 12), (1, 2, 5, 12, 48)):
            for point in ((1, 0), (0, 2), (0, 60), (-1, 6), (2, 9)):
                yield {"N": N, "4 s": point}

    def claimed(case: Case, *, one: Fraction = Fraction(1), sign: int = 1, pole: Fraction = Fraction(1)) -> list[Any]:
        with balls(300).work() as ring:
            s = acb(*case["4 s"]) / 4
            values, product = [], acb(1)
            for n in range(case["N"]):
                values.append(arb(2 * n + 1).sqrt() * product / (s + n + ring.number(pole)))
                product *= (s - n) / (s + n + ring.number(pole))
            return [value / (ring.number(one) + sign * product) for value in values]

    def computed(case: Case) -> list[Any]:
        with balls(300).work() as ring:
            N, s = case["N"], acb(*case["4 s"]) / 4
            S, B = LegS(N).normal_part(ring), LegS(N).input_vector(ring)
            solved = acb_mat([[(s if n == k else 0) - S[n, k] for k in range(N)] for n in range(N)]).solve(
                acb_mat([[acb(b) / 2] for b in B])
            )
            return [solved[n, 0] for n in range(N)]


@claim(
    "core.diag.spectrum",
    title="The eigenvalues of the normal part of LegS solve one real equation",
    statement=(
        r"The eigenvalues of $A + \frac12BB^T$ are $-\frac12 \pm i\omega_m$, $m = 0, \dots, \lfloor N/2\rfloor - "
        r"1$, with $\sum_{k<N}\arctan\frac{k+1/2}{\omega_m} = (2m+1)\frac\pi2$, and for odd $N$ also $-\frac12$."
    ),
    source=DERIVED,
    domain="N = 1, ..., 9, 16 (full: 32), the whole spectrum, balls of 200 bits",
    routes=("roots of the equation by interval Newton steps", "certified eigenvalues of the dense ball matrix"),
    relation=Relation("equal", True, 1e-15, 1e-25),
    expected="CERTIFIED",
    corruptions=[
        {"real": Fraction(-500001, 1000000)},
        {"offset": Fraction(500001, 1000000)},
        {"turn": Fraction(1000001, 1000000)},
        {"first": 3},
    ],
    tags=("legs", "diagonal", "spectrum"),
    related=("core.diag.phase", "core.diag.asym"),
    figure="spectra",
)
class DiagonalSpectrum:
    """Eigenvalues sorted by imaginary part, the nonnegative ones, largest first."""

    def cases(effort: str) -> Iterator[Case]:
        for N in sizes(effort, (*range(1, 10), 16), (*range(1, 10), 16, 32)):
            yield {"N": N}

    def claimed(
        case: Case,
        *,
        real: Fraction = Fraction(-1, 2),
        offset: Fraction = Fraction(1, 2),
        turn: Fraction = Fraction(1),
        first: int = 1,
    ) -> list[Any]:
        N, values = case["N"], []
        with balls(200).work() as ring:
            shift = ring.number(offset)
            for m in range(N // 2):
                target = ring.number(turn) * arb.pi() * (2 * m + first) / 2
                low, high = 1e-9, 4.0 * N * N
                for _ in range(70):  # bisection in float64: the sum falls with w
                    middle = math.sqrt(low * high)
                    above = sum(math.atan((k + float(offset)) / middle) for k in range(N)) > float(target)
                    low, high = (middle, high) if above else (low, middle)
                w = arb(middle)
                for radius in (2.0**-40, 2.0**-75, 2.0**-140):  # interval Newton, each step from a narrower interval
                    wide = w.mid() * (1 + arb(0, radius))
                    slope = sum((-(k + shift) / ((k + shift) ** 2 + wide**2) for k in range(N)), arb(0))
                    residual = sum((((k + shift) / w.mid()).atan() for k in range(N)), arb(0)) - target
                    w = w.mid() - residual / slope
                    if not wide.contains_interior(w):  # not enclosed: too wide for any check
                        w = arb(0, 4 * N * N)
                        break
                values.append(acb(ring.number(real), w))
            return values + ([acb(ring.number(real))] if N % 2 else [])

    def computed(case: Case) -> list[Any]:
        with balls(200).work() as ring:
            S = LegS(case["N"]).normal_part(ring)
            values = acb_mat([[acb(entry) for entry in row] for row in S]).eig(multiple=False)
            upper = sorted((v for v in values if v.imag > 0), key=lambda v: -float(v.imag.mid()))
            rest = [v for v in values if v.imag.contains(0)]
            return [*upper, *rest]


@claim(
    "core.diag.phase",
    title="The phase equation of the LegS spectrum",
    statement=(
        r"With $\phi_N(\omega) = \sum_{k<N}\arctan\frac{\omega}{k+1/2}$ the eigenvalues of the normal part are "
        r"$-\frac12+i\omega$ with $\phi_N(\omega) = \frac\pi2m$, $m = N-1, N-3, \dots, -(N-1)$; $\phi_N$ "
        r"increases strictly, so that all are simple."
    ),
    source=DERIVED,
    domain="N = 2, 7, 16, 33, 64, 255 (full: 1024), all nonnegative roots, balls of 200 bits",
    routes=("multiples of pi/2", "the sum of arctangents at the package's certified frequencies"),
    relation=Relation("equal", True, 1e-20, 1e-20),
    expected="CERTIFIED",
    corruptions=[{"turn": Fraction(500001, 1000000)}, {"step": 1}, {"top": 0}],
    tags=("legs", "diagonal", "spectrum"),
    related=("core.diag.spectrum", "core.diag.phase.gamma", "core.diag.slope"),
    figure="spectra",
)
class PhaseEquation:
    """The package finds the roots from log-gammas or rising factorials."""

    def cases(effort: str) -> Iterator[Case]:
        for N in sizes(effort, (2, 7, 16, 33, 64, 255), (2, 7, 16, 33, 64, 255, 1024)):
            yield {"N": N}

    def claimed(case: Case, *, turn: Fraction = Fraction(1, 2), step: int = 2, top: int = 1) -> list[Any]:
        with balls(200).work() as ring:
            N = case["N"]
            return [ring.number(turn) * arb.pi() * (N - top - step * j) for j in range((N + 1) // 2)]

    def computed(case: Case) -> list[Any]:
        with balls(200).work() as ring:
            N = case["N"]
            roots = LegS(N).normal_frequencies(ring)[: (N + 1) // 2]
            return [sum(((2 * w / (2 * k + 1)).atan() for k in range(N)), arb(0)) for w in roots]


@claim(
    "core.diag.phase.gamma",
    title="The phase and its slope in terms of the gamma function",
    statement=(
        r"$\sum_{k<N}\arctan\frac{\omega}{k+1/2} = \Im[\log\Gamma(N+\frac12+i\omega) - "
        r"\log\Gamma(\frac12+i\omega)]$."
    ),
    source=DERIVED,
    domain=("N = 1, 2, 3, 8, 50, seven w from 1/8 to 1000, balls of 200 bits"),
    routes=("log-gammas of python-flint", "the sum"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"half": Fraction(500001, 1000000)}, {"scale": Fraction(1000001, 1000000)}, {"size": 1}],
    tags=("legs", "spectrum"),
    related=("core.diag.phase", "core.diag.slope"),
    figure="spectra",
)
class PhaseGamma:
    """O(1) operations a root."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 2, 3, 8, 50):
            for w in (
                Fraction(1, 8),
                Fraction(1),
                Fraction(5, 2),
                Fraction(7),
                Fraction(20),
                Fraction(100),
                Fraction(1000),
            ):
                yield {"N": N, "w": w}

    def claimed(case: Case, *, half: Fraction = Fraction(1, 2), scale: Fraction = Fraction(1), size: int = 0) -> Any:
        with balls(200).work() as ring:
            a, w = ring.number(half), ring.number(scale * case["w"])
            return acb(a + case["N"] + size, w).lgamma().imag - acb(a, w).lgamma().imag

    def computed(case: Case) -> Any:
        with balls(200).work() as ring:
            return sum(((ring.number(case["w"]) * 2 / (2 * k + 1)).atan() for k in range(case["N"])), arb(0))


@claim(
    "core.diag.slope",
    title="The slope of the phase",
    statement=(
        r"$\phi_N'(\omega) = \sum_{k<N}\frac{k+1/2}{(k+1/2)^2+\omega^2} = \Re[\psi(N+\frac12+i\omega) - "
        r"\psi(\frac12+i\omega)] > 0$."
    ),
    source=DERIVED,
    domain="N = 1, 2, 3, 8, 50, seven w from 1/8 to 1000, balls of 200 bits",
    routes=("the sum, and the difference of digammas", "derivative of the phase as a power series of python-flint"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"half": Fraction(500001, 1000000)}, {"square": 1}, {"digamma": Fraction(500001, 1000000)}],
    tags=("legs", "spectrum"),
    related=("core.diag.phase",),
    figure="spectra",
)
class PhaseSlope:
    """Both expressions against the derivative."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 2, 3, 8, 50):
            for w in (
                Fraction(1, 8),
                Fraction(1),
                Fraction(5, 2),
                Fraction(7),
                Fraction(20),
                Fraction(100),
                Fraction(1000),
            ):
                yield {"N": N, "w": w}

    def claimed(
        case: Case, *, half: Fraction = Fraction(1, 2), square: int = 2, digamma: Fraction = Fraction(1, 2)
    ) -> list[Any]:
        with balls(200).work() as ring:
            N, w, a, b = case["N"], ring.number(case["w"]), ring.number(half), ring.number(digamma)
            total = sum(((k + a) / ((k + a) ** 2 + w**square) for k in range(N)), arb(0))
            return [total, acb(b + N, w).digamma().real - acb(b, w).digamma().real]

    def computed(case: Case) -> list[Any]:
        with balls(200).work() as ring:
            w = ring.number(case["w"])
            series = arb_series([0], prec=3)
            for k in range(case["N"]):
                series = series + (arb_series([w, 1], prec=3) * 2 / (2 * k + 1)).atan()
            return [series[1], series[1]]


@claim(
    "core.diag.vectors",
    title="The eigenvectors of the normal part of LegS in closed form",
    statement=(
        r"For the eigenvalue $-\frac12+i\omega$: $v_n \propto R_n\prod_{k<n}(i\omega-(k+\frac12)) \Big/ "
        r"\prod_{k=1}^{n}(i\omega+(k+\frac12))$, and the unit vector has $|v_n|^2 = "
        r"\frac{2n+1}{((n+1/2)^2+\omega^2)\,2\phi_N'(\omega)}$."
    ),
    source=DERIVED,
    domain="N = 2, 3, 7, 12, all nonnegative frequencies and all components, balls of 400 bits",
    routes=("the products and the formula", "null vectors of S - lambda I by certified elimination"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[
        {"zero": Fraction(500001, 1000000)},
        {"pole": Fraction(500001, 1000000)},
        {"root": 2},
        {"center": Fraction(500001, 1000000)},
        {"scale": Fraction(2000002, 1000000)},
    ],
    tags=("legs", "diagonal", "vectors"),
    related=("core.diag.weights",),
    figure="eigenvalue-asymptotics",
)
class DiagonalVectors:
    """Ratios v_n / v_0, then squares of moduli of the unit vector."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (2, 3, 7, 12):
            for index in range((N + 1) // 2):
                yield {"N": N, "index": index, "w": _root(N, index)}

    def claimed(
        case: Case,
        *,
        zero: Fraction = Fraction(1, 2),
        pole: Fraction = Fraction(1, 2),
        root: int = 1,
        center: Fraction = Fraction(1, 2),
        scale: Fraction = Fraction(2),
    ) -> list[Any]:
        with balls(400).work() as ring:
            N, w = case["N"], case["w"]
            slope = sum((arb(2 * k + 1) / 2 / ((arb(2 * k + 1) / 2) ** 2 + w**2) for k in range(N)), arb(0))
            ratios, product = [], acb(1)
            for n in range(N):
                ratios.append(arb(2 * n + root).sqrt() / arb(root).sqrt() * product)
                product *= (acb(0, w) - n - ring.number(zero)) / (acb(0, w) + n + 1 + ring.number(pole))
            squares = [
                (2 * n + 1) / (((n + ring.number(center)) ** 2 + w**2) * ring.number(scale) * slope) for n in range(N)
            ]
            return [*ratios, *squares]

    def computed(case: Case) -> list[Any]:
        with balls(400).work() as ring:
            N = case["N"]
            S = LegS(N).normal_part(ring)
            shifted = acb_mat(
                [[S[n, k] - (acb(arb(-1) / 2, case["w"]) if n == k else 0) for k in range(N)] for n in range(N)]
            )
            # v_0 = 1, rows 1 to N-1: the determinant of the minor is not zero because v_0 is not.
            minor = acb_mat([[shifted[n, k] for k in range(1, N)] for n in range(1, N)])
            rest = minor.solve(acb_mat([[-shifted[n, 0]] for n in range(1, N)]))
            ratios = [acb(1), *(rest[n, 0] for n in range(N - 1))]
            squares = [abs(value) ** 2 for value in ratios]
            length = sum(squares, arb(0))
            return [*ratios, *(square / length for square in squares)]


def _root(N: int, index: int) -> Any:
    """A certified frequency; input of the case, from which both sides start."""
    return LegS(N).normal_frequencies(balls(400))[index]


@claim(
    "core.diag.weights",
    title="The input weights of the diagonal LegS system in closed form",
    statement=(
        r"$|v^*B|^2 = 2/\phi_N'(\omega)$ for the unit eigenvector $v$ of $-\frac12+i\omega$: the pair $(\Lambda, "
        r"|V^*B|)$ of S4D-LegS needs no eigensolver."
    ),
    source=DERIVED,
    domain="N = 2, 3, 7, 12 (balls of 400 bits), all frequencies",
    routes=("the formula", "residue of B^T (sI - S)^-1 B by characteristic polynomials, over the integers"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"two": Fraction(2000002, 1000000)}, {"half": Fraction(500001, 1000000)}],
    tags=("legs", "diagonal", "vectors"),
    related=("core.diag.vectors", "core.diag.cayley"),
    figure="eigenvalue-asymptotics",
)
class DiagonalWeights:
    """B^T (sI-S)^-1 B = 1 - det(sI - S - B B^T)/det(sI - S), all in the basis x_n / R_n."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (2, 3, 7, 12):
            for index in range((N + 1) // 2):
                yield {"N": N, "index": index, "w": _root(N, index)}

    def claimed(case: Case, *, two: Fraction = Fraction(2), half: Fraction = Fraction(1, 2)) -> Any:
        with balls(400).work() as ring:
            a = ring.number(half)
            slope = sum(((k + a) / ((k + a) ** 2 + case["w"] ** 2) for k in range(case["N"])), arb(0))
            return acb(ring.number(two) / slope)

    def computed(case: Case) -> Any:
        N = case["N"]
        A, _ = legs_rational_system(N)
        half_rank = fmpq_mat([[A[n, k] + fmpq(2 * k + 1, 2) for k in range(N)] for n in range(N)])
        full_rank = fmpq_mat([[A[n, k] + 3 * fmpq(2 * k + 1, 2) for k in range(N)] for n in range(N)])
        with balls(400).work():
            point = acb(arb(-1) / 2, case["w"])
            top, bottom = full_rank.charpoly(), half_rank.charpoly().derivative()
            values = [sum((point**i * arb(p[i]) for i in range(len(p))), acb(0)) for p in (top, bottom)]
            return -values[0] / values[1]


@claim(
    "core.diag.cayley",
    title="The diagonal gain is the Cayley transform of the inner function",
    statement=(
        r"$B^T(sI-S)^{-1}B = 2\frac{1-q_N}{1+q_N}$; its poles are the points with $q_N(\lambda) = -1$, with "
        r"residues $4/q_N'(\lambda)$."
    ),
    source=DERIVED,
    domain="N = 1, 2, 7, 12, all poles, and three points; balls of 400 bits",
    routes=("q_N and its derivative as products and sums", "dense solves; squares of the package's weights"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[
        {"gain": Fraction(2000002, 1000000)},
        {"residue": Fraction(4000004, 1000000)},
        {"sign": -1},
        {"value": 1},
    ],
    tags=("legs", "diagonal", "transfer"),
    related=("core.rank1", "core.diag.weights"),
    figure="transfer-spikes",
)
class DiagonalCayley:
    """At a pole: q_N, then the residue."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 2, 7, 12):
            for point in ((1, 0), (0, 2), (3, 7)):
                yield {"N": N, "4 s": point}
            for index in range((N + 1) // 2):
                yield {"N": N, "pole": index, "w": _root(N, index)}

    def claimed(
        case: Case, *, gain: Fraction = Fraction(2), residue: Fraction = Fraction(4), sign: int = 1, value: int = -1
    ) -> list[Any]:
        with balls(400).work() as ring:
            s = acb(arb(-1) / 2, case["w"]) if "pole" in case else acb(*case["4 s"]) / 4
            q = math.prod(((s - k) / (s + k + 1) for k in range(case["N"])), start=acb(1))
            if "pole" not in case:
                return [ring.number(gain) * (1 - q) / (1 + sign * q)]
            derivative = q * sum((1 / (s - k) - 1 / (s + k + 1) for k in range(case["N"])), acb(0))
            return [value * q, ring.number(residue) / derivative]

    def computed(case: Case) -> list[Any]:
        with balls(400).work() as ring:
            family, N = LegS(case["N"]), case["N"]
            if "pole" in case:
                weight: Any = family.normal_weights(ring)[case["pole"]]
                return [acb(1), acb(weight**2)]
            s, S, B = acb(*case["4 s"]) / 4, family.normal_part(ring), family.input_vector(ring)
            solved = acb_mat([[(s if n == k else 0) - S[n, k] for k in range(N)] for n in range(N)]).solve(
                acb_mat([[acb(b)] for b in B])
            )
            return [sum((B[n] * solved[n, 0] for n in range(N)), acb(0))]
