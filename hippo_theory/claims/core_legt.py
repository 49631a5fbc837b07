"""LegT: Pade approximant of a delay, its relation to the Legendre memory unit, and its normal part."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import sympy
from flint import acb, acb_mat, arb, fmpq, fmpq_mat, fmpz_mat

from hippo_theory.arithmetic import balls, exact
from hippo_theory.claims.core_legs import DERIVED
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import EQUAL, IDENTICAL, Relation
from hippo_theory.families import LegT

__all__: list[str] = []


@claim(
    "core.legt.sym",
    title="The symmetric part of LegT has rank two",
    statement=(
        r"LegT on the window $[0,1]$, $B_n = R_n$, $C_n = (-1)^nR_n$: $A + A^T = -(BB^T + CC^T)$, for every $N$."
    ),
    source=DERIVED,
    domain=(
        "the entries over R_n R_k: n > k and n = k with every pair of parities, which is all of them; the matrix "
        "of N = 7"
    ),
    routes=("the statement", "the definition of A, by parity; the matrix of the family in exact numbers"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[
        {"input": Fraction(1000001, 1000000)},
        {"output": Fraction(1000001, 1000000)},
        {"alternation": 1},
        {"sign": 1},
    ],
    tags=("legt", "exact"),
    figure="rank-one-perturbations",
)
class LegtSymmetricPart:
    """A_nk = -R_n R_k for k <= n, -(-1)^(n-k) R_n R_k for k >= n."""

    def cases(effort: str) -> Iterator[Case]:
        for even_n in (True, False):
            for even_k in (True, False):
                yield {"entry": "n > k", "n even": even_n, "k even": even_k}
            yield {"entry": "n = k", "n even": even_n, "k even": even_n}
        yield {"entry": "all", "N": 7}

    def claimed(
        case: Case,
        *,
        input: Fraction = Fraction(1),
        output: Fraction = Fraction(1),
        alternation: int = -1,
        sign: int = -1,
    ) -> list[Any]:
        def entry(n: int, k: int) -> Any:
            return sign * (sympy.Rational(input) + sympy.Rational(output) * alternation**n * alternation**k)

        if case["entry"] == "all":
            return [entry(n, k) * sympy.sqrt((2 * n + 1) * (2 * k + 1)) for n in range(7) for k in range(7)]
        return [entry(0 if case["n even"] else 1, 0 if case["k even"] else 1)]

    def computed(case: Case) -> list[Any]:
        if case["entry"] == "all":
            A = LegT(7).state_matrix(exact())
            return list((A + A.T).ravel())
        parity = 1 if case["n even"] == case["k even"] else -1
        lower, upper = -1, -parity  # A_nk with k <= n, and A_kn, whose row is the smaller index
        return [sympy.Integer(lower + (upper if case["entry"] == "n > k" else lower))]


@claim(
    "core.legt.pade",
    title="LegT with its output at the end of the window is a Pade approximant of the delay",
    statement=(
        r"$C(sI-A)^{-1}B$ with $C_n = (-1)^nR_n$ is the $[N-1/N]$ Pade approximant of $e^{-s}$: degrees $N-1$ "
        r"over $N$, and $e^{-s} + O(s^{2N})$."
    ),
    source=DERIVED,
    domain="N = 1, ..., 10 (full: 24), the 2N coefficients at s = 0, which decide the approximant; exact rationals",
    routes=(
        "coefficients (-1)^k / k! of the exponential",
        "moments -C A^(-k-1) B in the basis x_n / R_n, over the rationals",
    ),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[
        {"sign": 1},
        {"scale": Fraction(1000001, 1000000)},
        {"delay": Fraction(1000001, 1000000)},
        {"order": 1},
    ],
    tags=("legt", "exact", "delay"),
    related=("core.legt.theta",),
    figure="delay-network",
)
class LegtPade:
    """With `order` = 1 the statement would claim one coefficient more."""

    def cases(effort: str) -> Iterator[Case]:
        for N in range(1, 11 if effort == "quick" else 25):
            yield {"N": N}

    def claimed(
        case: Case, *, sign: int = -1, scale: Fraction = Fraction(1), delay: Fraction = Fraction(1), order: int = 0
    ) -> list[Any]:
        N = case["N"]
        terms = [scale * (sign * delay) ** k / math.factorial(k) for k in range(2 * N + order)]
        return terms + [None] * (1 - order)

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        A = [[-(2 * k + 1) * (1 if k <= n or (n - k) % 2 == 0 else -1) for k in range(N)] for n in range(N)]
        inverse = fmpq_mat([[fmpq(entry) for entry in row] for row in A]).inv()
        column = fmpq_mat([[fmpq(1)] for _ in range(N)])
        output = fmpq_mat([[fmpq((-1) ** n * (2 * n + 1)) for n in range(N)]])
        values: list[Any] = []
        for _ in range(2 * N):
            column = inverse * column
            moment = -(output * column)[0, 0]
            values.append(Fraction(int(moment.p), int(moment.q)))
        return [*values, None]


@claim(
    "core.legt.lmu",
    title="The Legendre memory unit is LegT in another scale",
    statement=(
        r"The memory unit $A_{nk} = (2n+1)\cdot(-1$ for $n < k$, $(-1)^{n-k+1}$ for $n \ge k)$, $B_n = "
        r"(2n+1)(-1)^n$ is $D A D^{-1}$, $DB$ of LegT, $D = \mathrm{diag}((-1)^nR_n)$."
    ),
    source=DERIVED,
    domain="N = 1, 2, 5, 12, all entries, balls of 200 bits",
    routes=("the integers", "LegT of the package, scaled by D"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"upper": 1}, {"shift": 0}, {"root": 2}, {"scale": Fraction(1000001, 1000000)}],
    tags=("legt", "lmu"),
    figure="delay-network",
)
class LegtMemoryUnit:
    """D = diag((-1)^n R_n)."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 2, 5, 12):
            yield {"N": N}

    def claimed(
        case: Case, *, upper: int = -1, shift: int = 1, root: int = 1, scale: Fraction = Fraction(1)
    ) -> list[Any]:
        N = case["N"]
        A = [(2 * n + root) * (upper if n < k else (-1) ** (n - k + shift)) for n in range(N) for k in range(N)]
        with balls(200).work() as ring:
            return [arb(entry) for entry in A] + [ring.number(scale) * (2 * n + 1) * (-1) ** n for n in range(N)]

    def computed(case: Case) -> list[Any]:
        with balls(200).work() as ring:
            N, family = case["N"], LegT(case["N"])
            D = [(-1) ** n * arb(2 * n + 1).sqrt() for n in range(N)]
            A, B = family.state_matrix(ring), family.input_vector(ring)
            return [D[n] * A[n, k] / D[k] for n in range(N) for k in range(N)] + [D[n] * B[n] for n in range(N)]


@claim(
    "core.legt.theta",
    title="The characteristic polynomial of LegT",
    statement=(
        r"$\det(sI-A) = \theta(s) = \sum_{k=0}^N\binom Nk\frac{(N+k-1)!}{(N-1)!}s^{N-k}$, the reverse Bessel "
        r"polynomial of the Pade denominator."
    ),
    source=DERIVED,
    domain="N = 1, ..., 20 (full: 30), all coefficients, exact integers",
    routes=("the sum", "characteristic polynomial in the basis x_n / R_n, over the integers"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"shift": 0}, {"top": 1}, {"scale": Fraction(1000001, 1000000)}],
    tags=("legt", "exact"),
    related=("core.legt.split",),
    figure="spectra",
)
class LegtTheta:
    """Highest power first."""

    def cases(effort: str) -> Iterator[Case]:
        for N in range(1, 21 if effort == "quick" else 31):
            yield {"N": N}

    def claimed(case: Case, *, shift: int = 1, top: int = 0, scale: Fraction = Fraction(1)) -> list[Any]:
        N = case["N"]
        factor = [Fraction(math.factorial(N + k - shift), math.factorial(N - 1 + top)) for k in range(N + 1)]
        return [math.comb(N, k) * factor[k] * (scale if k else 1) for k in range(N + 1)]

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        A = [[-(2 * k + 1) * (1 if k <= n or (n - k) % 2 == 0 else -1) for k in range(N)] for n in range(N)]
        polynomial = fmpz_mat(A).charpoly()
        return [int(polynomial[i]) for i in range(N, -1, -1)]


@claim(
    "core.legt.split",
    title="The normal part of LegT couples even with odd indices only",
    statement=(
        r"$S_{nk} = -R_nR_k\,\mathrm{sign}(n-k)$ for odd $n-k$ and 0 for even $n-k$; so the spectrum is $\pm "
        r"i\sigma$, with 0 for odd $N$, and $\det(sI-S) = \frac12s^N + \frac14(\theta(s)+(-1)^N\theta(-s))$, "
        r"$\theta(s) = \det(sI-A)$."
    ),
    source=DERIVED,
    domain="entries at N = 2, 7 (balls of 200 bits); the polynomial at N = 1, ..., 20 (full: 30), exact integers",
    routes=("the formulas", "the package's normal part; characteristic polynomial over the integers"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[
        {"sign": 1},
        {"half": Fraction(500001, 1000000)},
        {"quarter": Fraction(250001, 1000000)},
        {"reflection": 1},
    ],
    tags=("legt", "exact", "spectrum"),
    related=("core.legt.theta", "core.legt.secular"),
    figure="spectra",
)
class LegtSplit:
    """Coefficients of the polynomial as exact balls."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (2, 7):
            yield {"N": N, "of": "entries"}
        for N in range(1, 21 if effort == "quick" else 31):
            yield {"N": N, "of": "polynomial"}

    def claimed(
        case: Case,
        *,
        sign: int = -1,
        half: Fraction = Fraction(1, 2),
        quarter: Fraction = Fraction(1, 4),
        reflection: int = -1,
    ) -> list[Any]:
        N = case["N"]
        with balls(400).work() as ring:
            if case["of"] == "entries":
                values = []
                for n in range(N):
                    for k in range(N):
                        size = arb((2 * n + 1) * (2 * k + 1)).sqrt() * (1 if n > k else -1)
                        values.append(sign * size if (n - k) % 2 else arb(0))
                return values
            values = []
            for k in range(N + 1):
                theta = math.comb(N, k) * math.factorial(N + k - 1) // math.factorial(N - 1)
                both = theta * (1 + reflection**N * reflection ** (N - k))
                values.append(ring.number(half * (k == 0) + quarter * both))
            return values

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        if case["of"] == "entries":
            return list(LegT(N).normal_part(balls(200)).ravel())
        S = [[0 if (n - k) % 2 == 0 else -(2 * k + 1) * (1 if n > k else -1) for k in range(N)] for n in range(N)]
        polynomial = fmpz_mat(S).charpoly()
        with balls(400).work():
            return [arb(polynomial[i]) for i in range(N, -1, -1)]


@claim(
    "core.legt.secular",
    title="The secular function of LegT in spherical Bessel functions",
    statement=(
        r"$T = \theta(i\sigma)/(i\sigma)^N = \frac12i^{-N}ze^{iz}[h_{N-1}(z) - ih_N(z)]$ with $z = \sigma/2$, $h "
        r"= j - iy$, and $|T|^2 = \frac12 + \frac{z^2}{4}(M_{N-1}^2+M_N^2) > 1$, $M_n^2 = j_n^2+y_n^2$."
    ),
    source=DERIVED,
    domain="N = 1, 2, 3, 8, 21, four sigma from 1 to 300, balls of 400 bits",
    routes=("spherical Bessel functions of python-flint", "the polynomial theta"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[
        {"half": Fraction(500001, 1000000)},
        {"ratio": Fraction(500001, 1000000)},
        {"sign": 1},
        {"quarter": Fraction(250001, 1000000)},
        {"constant": Fraction(500001, 1000000)},
    ],
    tags=("legt", "spectrum"),
    related=("core.legt.secular.roots", "core.legt.theta"),
    figure="spectra",
)
class LegtSecular:
    """j_n(z) = sqrt(pi/(2z)) J_(n+1/2)(z)."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 2, 3, 8, 21):
            for sigma in (1, 7, 40, 300):
                yield {"N": N, "sigma": sigma}

    def claimed(
        case: Case,
        *,
        half: Fraction = Fraction(1, 2),
        ratio: Fraction = Fraction(1, 2),
        sign: int = -1,
        quarter: Fraction = Fraction(1, 4),
        constant: Fraction = Fraction(1, 2),
    ) -> list[Any]:
        with balls(400).work() as ring:
            N, z = case["N"], ring.number(ratio) * case["sigma"]
            scale = (arb.pi() / (2 * z)).sqrt()
            j = [scale * z.bessel_j(arb(2 * n + 1) / 2) for n in (N - 1, N)]
            y = [scale * z.bessel_y(arb(2 * n + 1) / 2) for n in (N - 1, N)]
            h = [acb(a, sign * b) for a, b in zip(j, y, strict=True)]
            turn = (acb(1), acb(0, -1), acb(-1), acb(0, 1))[N % 4]  # i^-N
            T = ring.number(half) * turn * z * acb(z.cos(), z.sin()) * (h[0] - acb(0, 1) * h[1])
            square = ring.number(constant) + ring.number(quarter) * z**2 * sum((v * v for v in (*j, *y)), arb(0))
            return [T, square]

    def computed(case: Case) -> list[Any]:
        with balls(400).work():
            N, point = case["N"], acb(0, case["sigma"])
            A = [[-(2 * k + 1) * (1 if k <= n or (n - k) % 2 == 0 else -1) for k in range(N)] for n in range(N)]
            polynomial = fmpz_mat(A).charpoly()
            T = sum((arb(polynomial[i]) * point ** (i - N) for i in range(N + 1)), acb(0))
            return [T, T.real**2 + T.imag**2]


@claim(
    "core.legt.secular.roots",
    title="The spectrum of LegT from its secular function",
    statement=(
        r"The eigenvalues $\pm i\sigma$ of the normal part of LegT are the roots of $\Re T(\sigma) = -1$, because "
        r"$\det(i\sigma I-S) = \frac12(i\sigma)^N(1+\Re T)$."
    ),
    source=DERIVED,
    domain="N = 2, 3, 8, 21, 30 (full: 64), all positive sigma, balls of 800 bits",
    routes=("Re T = -1", "theta at the package's certified frequencies"),
    relation=Relation("equal", True, 1e-12),
    expected="CERTIFIED",
    corruptions=[{"value": Fraction(-1000001, 1000000)}],
    tags=("legt", "spectrum"),
    related=("core.legt.secular", "core.legt.split"),
    figure="spectra",
)
class LegtRoots:
    """det(sI - S) = s^N/2 + (theta(s) + (-1)^N theta(-s))/4 is (i sigma)^N (1 + Re T)/2."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (2, 3, 8, 21, 30) if effort == "quick" else (2, 3, 8, 21, 30, 64):
            yield {"N": N}

    def claimed(case: Case, *, value: Fraction = Fraction(-1)) -> list[Any]:
        with balls(400).work() as ring:
            return [ring.number(value)] * (case["N"] // 2)

    def computed(case: Case) -> list[Any]:
        with balls(800).work() as ring:
            N, values = case["N"], []
            theta = [math.comb(N, k) * math.factorial(N + k - 1) // math.factorial(N - 1) for k in range(N + 1)]
            for sigma in LegT(N).normal_frequencies(ring)[: N // 2]:
                T = sum((arb(c) * acb(0, sigma) ** -k for k, c in enumerate(theta)), acb(0))
                values.append(T.real)
            return values


@claim(
    "core.legt.vectors",
    title="The eigenvectors of LegT are combinations of spherical Bessel functions of the index",
    statement=(
        r"The eigenvector of $S$ for $i\sigma$ is $v_n = R_ni^n[a\,j_n(z) + b\,y_n(z)]$, $z = \sigma/2$, with $a, "
        r"b$ from one row of $Sv = i\sigma v$."
    ),
    source=DERIVED,
    domain="N = 2, 3, 6, 11, all positive sigma, ratios to v_1, balls of 600 bits",
    routes=(
        "Bessel functions of python-flint, a and b from the first row",
        "null vectors of the package's normal part",
    ),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"ratio": Fraction(500001, 1000000)}, {"root": 2}, {"turn": 3}],
    tags=("legt", "vectors"),
    related=("core.legt.secular",),
)
class LegtVectors:
    """With v_n = R_n g_n rows n+1 and n-1 give g_(n+1) - g_(n-1) = -(2 (2n+1)/(i sigma)) g_n, a Bessel recurrence."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (2, 3, 6, 11):
            for index in range(N // 2):
                yield {"N": N, "index": index, "sigma": LegT(N).normal_frequencies(balls(600))[index]}

    def claimed(case: Case, *, ratio: Fraction = Fraction(1, 2), root: int = 1, turn: int = 1) -> list[Any]:
        with balls(600).work() as ring:
            N, z = case["N"], ring.number(ratio) * case["sigma"]
            scale = (arb.pi() / (2 * z)).sqrt()
            powers = (acb(1), acb(0, 1), acb(-1), acb(0, -1))
            basis = [
                [powers[turn * n % 4] * scale * f(arb(2 * n + 1) / 2) for n in range(N)]
                for f in (z.bessel_j, z.bessel_y)
            ]
            # Row 0 of S v = i sigma v, over R_0: the sum of (2k+1) g_k over odd k.
            residual = [
                sum(((2 * k + 1) * g[k] for k in range(1, N, 2)), acb(0)) - acb(0, case["sigma"]) * g[0] for g in basis
            ]
            g = [basis[0][n] * residual[1] - basis[1][n] * residual[0] for n in range(N)]
            v = [arb(2 * n + root).sqrt() * g[n] for n in range(N)]
            return [value / v[1] for value in v]

    def computed(case: Case) -> list[Any]:
        with balls(600).work() as ring:
            N = case["N"]
            S = LegT(N).normal_part(ring)
            shifted = acb_mat(
                [[S[n, k] - (acb(0, case["sigma"]) if n == k else 0) for k in range(N)] for n in range(N)]
            )
            others = [n for n in range(N) if n != 1]  # v_1 = 1: the sizes of even and odd components differ for odd N
            minor = acb_mat([[shifted[n, k] for k in others] for n in others])
            rest = minor.solve(acb_mat([[-shifted[n, 1]] for n in others]))
            values = [rest[i, 0] for i in range(N - 1)]
            return [values[0], acb(1), *values[1:]]


@claim(
    "core.legt.asym",
    title="Small and large eigenvalues of LegT",
    statement=(
        r"Small ones: $\sigma = \nu(1-\frac{1}{2N})(1-\frac{\nu^2}{48N^3}(1+\delta))$ with $\nu = (2k+1)\pi$ for "
        r"even and $2(k+1)\pi$ for odd $N$; the largest come in pairs $\sigma = "
        r"\frac{N(N\pm1)}{\mu}(1+\frac{\mu^2}{3N^2}(1+\delta))$, $\mu = (2k+1)\pi$; $|\delta| \le 1.579/N$ at the sizes covered."
    ),
    source=DERIVED,
    domain=(
        "N = 256, 257, 512 (full: 1024), k = 0, 1, float64 spectra promised within 2 ulp, here as balls "
        "of that radius; 48 and 3 are "
        "seen to 1 percent"
    ),
    routes=("the formulas within their bands", "the package's spectrum"),
    relation=Relation("equal", True, 1e-3),
    expected="CERTIFIED",
    corruptions=[
        {"shift": Fraction(500001, 1000000)},
        {"small": Fraction(482, 10)},
        {"large": Fraction(302, 100)},
        {"first": 2},
        {"band": Fraction(1578, 1000)},
        {"pair": 2},
    ],
    tags=("legt", "spectrum", "asymptotic"),
    related=("core.legt.split", "core.legt.secular.roots"),
    figure="spectra",
)
class LegtAsymptotics:
    """Two small ones, then two pairs."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (256, 257, 512) if effort == "quick" else (256, 257, 512, 1024):
            yield {"N": N}

    def claimed(
        case: Case,
        *,
        shift: Fraction = Fraction(1, 2),
        small: Fraction = Fraction(48),
        large: Fraction = Fraction(3),
        first: int = 1,
        band: Fraction = Fraction(1579, 1000),
        pair: int = 1,
    ) -> list[Any]:
        with balls(128).work() as ring:
            N, values = case["N"], []
            spread = 1 + arb(0, 1) * ring.number(band) / N
            for k in (0, 1):
                nu = (2 * k + first + N % 2) * arb.pi()
                correction = nu**2 / (ring.number(small) * arb(N) ** 3) * spread
                values.append(nu * (1 - ring.number(shift) / N) * (1 - correction))
            for k in (0, 1):
                mu = (2 * k + first) * arb.pi()
                for side in (pair, -pair):
                    values.append(N * (N + side) / mu * (1 + mu**2 / (ring.number(large) * N**2) * spread))
            return values

    def computed(case: Case) -> list[Any]:
        spectrum = sorted((float(v.imag) for v in LegT(case["N"]).normal_spectrum()), reverse=True)
        positive = [value for value in spectrum if value > 1e-6]
        chosen = [positive[-1], positive[-2], *positive[:4]]
        with balls(128).work():
            return [arb(value) * (1 + arb(0, 2.0**-51)) for value in chosen]
