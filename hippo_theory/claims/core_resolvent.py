"""LegS: its symmetric part, and the norm of its resolvent."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import sympy
from flint import acb, acb_mat, arb, arb_mat, fmpq_mat

from hippo_theory.arithmetic import balls, exact
from hippo_theory.claims.core_legs import DERIVED
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import AT_MOST, IDENTICAL, Relation
from hippo_theory.families import LegS
from hippo_theory.norms import legs_rational_system

__all__: list[str] = []


@claim(
    "core.legs.sym",
    title="The symmetric part of LegS is minus half of the identity and a rank-one term",
    statement=r"LegS: $A + A^T = -(I + BB^T)$ with $B_n = R_n = \sqrt{2n+1}$, for every $N$.",
    source=DERIVED,
    domain="every entry with symbols n > k and n = k, and all entries of the matrices of N = 1, 3, 6; exact",
    routes=("the statement", "entries of A from its definition; the matrix of the family in exact numbers"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"identity": Fraction(1000001, 1000000)}, {"rank": Fraction(999999, 1000000)}, {"sign": 1}],
    tags=("legs", "exact"),
    related=("core.legs.sym.range",),
    figure="rank-one-perturbations",
)
class LegsSymmetricPart:
    """R_n R_k stays one square root of an integer."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"entry": "n > k"}
        yield {"entry": "n = k"}
        for N in (1, 3, 6):
            yield {"entry": "all", "N": N}

    def claimed(
        case: Case, *, identity: Fraction = Fraction(1), rank: Fraction = Fraction(1), sign: int = -1
    ) -> list[Any]:
        one, outer = sign * sympy.Rational(identity), sign * sympy.Rational(rank)
        n, k = sympy.symbols("n k", integer=True, nonnegative=True)
        if case["entry"] == "n > k":
            return [outer * sympy.sqrt((2 * n + 1) * (2 * k + 1))]
        if case["entry"] == "n = k":
            return [sympy.expand(one + outer * (2 * n + 1))]
        indices = range(case["N"])
        return [one * (i == j) + outer * sympy.sqrt((2 * i + 1) * (2 * j + 1)) for i in indices for j in indices]

    def computed(case: Case) -> list[Any]:
        n, k = sympy.symbols("n k", integer=True, nonnegative=True)
        if case["entry"] == "n > k":
            return [-sympy.sqrt((2 * n + 1) * (2 * k + 1)) + 0]
        if case["entry"] == "n = k":
            return [sympy.expand(-(n + 1) - (n + 1))]
        A = LegS(case["N"]).state_matrix(exact())
        return list((A + A.T).ravel())


@claim(
    "core.legs.sym.range",
    title="The numerical range of LegS lies left of -1/2, and touches it",
    statement=(
        r"LegS: $\frac12(A + A^T)$ has the eigenvalue $-\frac12$ with multiplicity $N-1$ and $-\frac{1+N^2}{2}$ "
        r"once: its characteristic polynomial is $(x+\frac12)^{N-1}(x+\frac{1+N^2}{2})$."
    ),
    source=DERIVED,
    domain="N = 1, ..., 12 (full: 32), all coefficients, exact rationals",
    routes=("the product", "characteristic polynomial of the symmetric part in the basis x_n / R_n"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"half": Fraction(1000001, 2000000)}, {"multiplicity": 2}, {"square": Fraction(1000001, 1000000)}],
    tags=("legs", "exact"),
    related=("core.legs.sym", "core.legs.sym.resolvent"),
    figure="numerical-range-resolvent",
)
class LegsNumericalRange:
    """Similarity by diag(R) keeps the spectrum of the symmetric part of A itself, not of the rescaled A."""

    def cases(effort: str) -> Iterator[Case]:
        for N in range(1, 13 if effort == "quick" else 33):
            yield {"N": N}

    def claimed(
        case: Case, *, half: Fraction = Fraction(1, 2), multiplicity: int = 1, square: Fraction = Fraction(1)
    ) -> list[Any]:
        N, x = case["N"], sympy.symbols("x")
        lone = half * (1 + square * N * N)
        product = (x + sympy.Rational(half)) ** max(N - multiplicity, 0) * (x + sympy.Rational(lone))
        return [Fraction(int(c.p), int(c.q)) for c in sympy.Poly(sympy.expand(product), x).all_coeffs()]

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        A, _ = legs_rational_system(N)
        # D^-1 A^T D, D = diag(2n+1), is A^T in the rescaled basis.
        symmetric = [[(A[n, k] + A[k, n] * (2 * k + 1) / (2 * n + 1)) / 2 for k in range(N)] for n in range(N)]
        polynomial = fmpq_mat(symmetric).charpoly()
        return [Fraction(int(polynomial[i].p), int(polynomial[i].q)) for i in range(N, -1, -1)]


@claim(
    "core.legs.sym.resolvent",
    title="The resolvent of LegS is bounded as if it were normal",
    statement=r"LegS: $\|(sI-A)^{-1}\|_2 \le 1/(\Re s + \frac12)$ for $\Re s > -\frac12$ and every $N$.",
    source=DERIVED,
    domain=(
        "N = 4, 16, 64 (full: 128), seven points, and N = 4, 16 at s = 10^8, where the bound is attained to 10^-15: the "
        "corruptions are seen there"
    ),
    routes=("the bound", "trace of a high power of the resolvent times its adjoint, which bounds its norm from above"),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[
        {"half": Fraction(500001, 1000000)},
        {"factor": Fraction(999999, 1000000)},
        {"power": Fraction(1000001, 1000000)},
    ],
    tags=("legs", "resolvent"),
    related=("core.legs.sym.range", "core.legs.sym.norms"),
    figure="numerical-range-resolvent",
)
class LegsResolventBound:
    """norm(M) <= trace((M^* M)^p)^(1/2p), within a factor N^(1/2p)."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (4, 16, 64) if effort == "quick" else (4, 16, 64, 128):
            for point in ((0, 0), (0, 1), (0, 30), (1, 0), (8, 0), (-1, 0), (-1, 3)):
                if N < 64 or point[1] == 0:
                    yield {"N": N, "4 s": point}
        for N in (4, 16):
            yield {"N": N, "4 s": (4 * 10**8, 0)}

    def claimed(
        case: Case,
        *,
        half: Fraction = Fraction(1, 2),
        factor: Fraction = Fraction(1),
        power: Fraction = Fraction(1),
    ) -> Any:
        with balls(512).work() as ring:
            re = Fraction(case["4 s"][0], 4)
            return ring.number(factor) / ring.number(re + half) ** ring.number(power)

    def computed(case: Case) -> Any:
        # Far out the trace must not lose the 10^-16 by which the norm lies below the bound: p = 2^64 there.
        far = case["4 s"][0] > 10**8
        with balls(512 if far else 192).work() as ring:
            N, (re, im) = case["N"], case["4 s"]
            A = LegS(N).state_matrix(ring)
            inverse: Any = (arb_mat if im == 0 else acb_mat)(
                [
                    [((arb(re) / 4 if im == 0 else acb(re, im) / 4) if n == k else 0) - A[n, k] for k in range(N)]
                    for n in range(N)
                ]
            ).inv()
            product = (inverse.transpose() if im == 0 else inverse.conjugate().transpose()) * inverse
            doublings = 64 if far else 12
            for _ in range(doublings):
                product = product * product
            return (abs(acb(product.trace())).log() / 2 ** (doublings + 1)).exp()


@claim(
    "core.legs.sym.norms",
    title="The norm of the inverse of LegS tends slowly to 2",
    statement=(
        r"LegS: $\|A^{-1}\|_2 = 1.5492,\ 1.7324,\ 1.8217,\ 1.8726$ for $N = 4, 16, 64, 256$; it is the norm of a "
        r"section of the Cesaro operator and stays below 2, the constant of Hardy's inequality "
        r"(core.legs.sym.resolvent at $s = 0$)."
    ),
    source=DERIVED,
    domain="N = 4, 16, 64, 256, four decimals: the corruptions change the last",
    routes=("the decimals, half a unit of the last either way", "traces of high powers, from below and above"),
    relation=Relation("equal", True, 0.0, 1.5e-4),
    expected="CERTIFIED",
    corruptions=[
        {"four": Fraction(15493, 10000)},
        {"sixteen": Fraction(17325, 10000)},
        {"sixty": Fraction(18218, 10000)},
        {"large": Fraction(18727, 10000)},
    ],
    tags=("legs", "resolvent"),
    related=("core.legs.sym.resolvent",),
    figure="numerical-range-resolvent",
)
class LegsInverseNorm:
    """For P = M^T M: norm^(2p) lies between trace(P^2p) / trace(P^p) and trace(P^p)."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (4, 16, 64, 256):
            yield {"N": N}

    def claimed(
        case: Case,
        *,
        four: Fraction = Fraction(15492, 10000),
        sixteen: Fraction = Fraction(17324, 10000),
        sixty: Fraction = Fraction(18217, 10000),
        large: Fraction = Fraction(18726, 10000),
    ) -> Any:
        value = {4: four, 16: sixteen, 64: sixty, 256: large}[case["N"]]
        with balls(128).work() as ring:
            return ring.number(value) + arb(0, "0.00005")

    def computed(case: Case) -> Any:
        with balls(128).work() as ring:
            N = case["N"]
            inverse = arb_mat(LegS(N).state_matrix(ring).tolist()).inv()
            power = inverse.transpose() * inverse
            for _ in range(6):
                power = power * power
            trace = power.trace()
            square = sum((value * value for value in power.entries()), arb(0))  # trace of the square: P is symmetric
            return (square / trace).root(128).union(trace.root(128))


@claim(
    "core.legs.sym.axis",
    title="On the imaginary axis the resolvent of LegS is largest at 0",
    statement=r"LegS: $\|(i\omega I-A)^{-1}\|_2 \le \|A^{-1}\|_2$ for real $\omega$.",
    source=DERIVED,
    domain="N = 4, 16, nine w from 1/4096 to 100; nearest to equality at 1/4096, which sees a factor of 0.999999",
    routes=("square root of the largest certified eigenvalue of (A A^T)^-1", "trace of a high power, from above"),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[{"factor": Fraction(999999, 1000000)}],
    tags=("legs", "resolvent"),
    related=("core.legs.sym.norms",),
    figure="numerical-range-resolvent",
)
class LegsAxisResolvent:
    """The sizes are such that dense balls are enough."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (4, 16):
            for w in (
                Fraction(1, 4096),
                Fraction(1, 32),
                Fraction(1, 4),
                Fraction(1),
                Fraction(2),
                Fraction(5),
                Fraction(10),
                Fraction(30),
                100,
            ):
                yield {"N": N, "w": w}

    def claimed(case: Case, *, factor: Fraction = Fraction(1)) -> Any:
        N = case["N"]
        with balls(256).work() as ring:
            A = arb_mat(N, N, [0] * (N * N))
            for n in range(N):
                for k in range(n + 1):
                    A[n, k] = -(arb((2 * n + 1) * (2 * k + 1)).sqrt()) if n > k else arb(-n - 1)
            values = acb_mat(A * A.transpose()).eig(multiple=False)
            least = min((value.real for value in values), key=lambda value: float(value.mid()))
            return ring.number(factor) / least.sqrt()

    def computed(case: Case) -> Any:
        N = case["N"]
        with balls(256).work() as ring:
            A = LegS(N).state_matrix(ring)
            point = acb(0, ring.number(case["w"]))
            inverse = acb_mat([[(point if n == k else 0) - A[n, k] for k in range(N)] for n in range(N)]).inv()
            product = inverse.conjugate().transpose() * inverse
            for _ in range(32):
                product = product * product
            return (abs(product.trace()).log() / 2**33).exp()
