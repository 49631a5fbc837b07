"""HOPE: systems given by their Markov parameters: sensitivity, memory, and the rank of their Hankel matrices."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from flint import acb, arb, fmpz_mat

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, claim
from hippo_theory.claims.relations import AT_LEAST, EQUAL, IDENTICAL, near

__all__: list[str] = []

PAPER = "HOPE (arXiv:2405.13975)"
STEP = Fraction(1, 10**6)


@claim(
    "hope.lip",
    title="Markov parameters move the transfer function by at most sqrt(n) times their change",
    statement=r"$G(z) = \sum_{j<n} h_j z^{-j-1}$: $\|G - \tilde G\|_\infty \le \sqrt n\, \|h - \tilde h\|_2$. "
    r"With $g_j = (h_j - \tilde h_j) z^{-j-1}$ on the circle: $n \sum |g_j|^2 - |\sum g_j|^2 = \sum_{i<j} "
    r"|g_i - g_j|^2 \ge 0$, by induction over $n$.",
    source=f"{PAPER}, stability of the Hankel parameterization (reviews; theorem 3.2 or 4.2 by version); proof "
    f"by Lagrange's identity here",
    domain="every n and every h: the induction step n -> n+1 with n, the sums and the new entry as symbols, and "
    "the start n = 1",
    routes=("what the left side gains in the step", "what the sum of squared distances gains, expanded"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"factor": 2}, {"sign": 1}],
    tags=("hankel", "symbolic"),
    related=("hope.lip.equality",),
)
class Lipschitz:
    """S = sum g_j, T = its conjugate, Q = sum abs(g_j)^2, and the next entry g with conjugate k: independent symbols."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"n": "symbol"}

    def claimed(case: Case, *, factor: int = 1, sign: int = -1) -> list[Any]:
        import sympy

        n, S, T, Q, g, k = sympy.symbols("n S T Q g k")
        before = factor * n * Q + sign * S * T
        after = factor * (n + 1) * (Q + g * k) + sign * (S + g) * (T + k)
        start = factor * 1 * g * k + sign * g * k
        return [sympy.expand(after - before), sympy.expand(start)]

    def computed(case: Case) -> list[Any]:
        import sympy

        n, S, T, Q, g, k = sympy.symbols("n S T Q g k")
        # sum_j (g_j - g)(conj g_j - k) over the n old entries, by linearity: Q - k S - g T + n g k.
        return [sympy.expand(Q - k * S - g * T + n * g * k), sympy.Integer(0)]


@claim(
    "hope.lip.equality",
    title="The constant sqrt(n) is attained",
    statement=r"$h_j - \tilde h_j = c\, e^{i(j+1)\theta}$ gives $\|G - \tilde G\|_\infty = n|c| = \sqrt n\,\|h - "
    r"\tilde h\|_2$, at $z = e^{i\theta}$.",
    source=f"{PAPER}, stability of the Hankel parameterization; equality derived here",
    domain="n = 1, 7, 64, theta = 0, pi/3, 5 pi/7, c = 3/7, balls",
    routes=("sqrt(n) times the norm of the coefficients, n c^2 under the root", "the transfer function at that point"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"root": Fraction(1, 2) + STEP}, {"scale": 1 + STEP}],
    tags=("hankel",),
    related=("hope.lip",),
)
class LipschitzEquality:
    """All terms in phase."""

    def cases(effort: str) -> Iterator[Case]:
        for n in (1, 7, 64):
            for turn in (Fraction(0), Fraction(1, 3), Fraction(5, 7)):
                yield {"n": n, "theta/pi": turn}

    def claimed(case: Case, *, root: Fraction = Fraction(1, 2), scale: Fraction = Fraction(1)) -> list[Any]:
        with balls(128).work() as ring:
            n, c = ring.number(case["n"]), ring.number(Fraction(3, 7))
            return [ring.number(scale) * n ** ring.number(root) * ring.sqrt(n * c * c)]

    def computed(case: Case) -> list[Any]:
        with balls(128).work() as ring:
            turn = case["theta/pi"]
            z = acb(ring.number(turn).cos_pi(), ring.number(turn).sin_pi())
            total = acb(0)
            for j in range(case["n"]):
                angle = ring.number((j + 1) * turn)
                total += ring.number(Fraction(3, 7)) * acb(angle.cos_pi(), angle.sin_pi()) / z ** (j + 1)
            return [abs(total)]


@claim(
    "hope.mem",
    title="A system given by n Markov parameters remembers n steps and then forgets exactly",
    statement=r"The impulse response of $G(z) = \sum_{j<n} h_j z^{-j-1}$ is $h_0, \dots, h_{n-1}$, any values, "
    r"without a decay built in, and exactly 0 from step $n$ on: a shift register, $S^n = 0$.",
    source=f"{PAPER}, long memory of the Hankel parameterization (reviews)",
    domain="n = 1, ..., 12, integer h of a fixed seed, 3n steps, exact integers",
    routes=("the list and zeros", "C S^l B with powers of the shift matrix"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"window": 1}, {"scale": 1 + STEP}, {"window": -1}],
    tags=("hankel", "memory", "exact"),
)
class Memory:
    """No entry of h is zero, so that a shorter window shows."""

    def cases(effort: str) -> Iterator[Case]:
        for n in range(1, 13):
            generator = np.random.default_rng(n)
            yield {"n": n, "h": [int(generator.integers(1, 100)) for _ in range(n)]}

    def claimed(case: Case, *, window: int = 0, scale: Fraction = Fraction(1)) -> list[Any]:
        n = case["n"] + window
        return [scale * case["h"][j % case["n"]] if j < n else 0 for j in range(3 * case["n"])]

    def computed(case: Case) -> list[Any]:
        n = case["n"]
        shift = fmpz_mat([[int(i == k + 1) for k in range(n)] for i in range(n)])
        x = fmpz_mat([[int(i == 0)] for i in range(n)])
        values = []
        for _ in range(3 * n):
            values.append(sum(case["h"][i] * int(x[i, 0]) for i in range(n)))
            x = shift * x
        return values


@claim(
    "hope.abc",
    title="A pole close to the axis is sensitive like the square of its distance",
    statement=r"$G = \frac{bc}{s-a}$, $a = -x + iy$, $x > 0$: $\sup_\omega \left|\frac{\partial G}{\partial "
    r"a}(i\omega)\right| = \frac{|bc|}{x^2}$, at $\omega = y$, and $\sup_\omega \left|\frac{\partial "
    r"G}{\partial b}\right| = \frac{|c|}{x}$.",
    source=f"{PAPER}, sensitivity of the (A, B, C) parameterization (reviews)",
    domain="every b, c, x > 0, y, symbolic",
    routes=("the closed forms", "symbolic derivative, its squared modulus, its only stationary point"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"power": 1}, {"location": 2}, {"linear": 2}],
    tags=("sensitivity", "symbolic"),
)
class Sensitivity:
    """The squared moduli decrease away from their one stationary point: a quotient by a growing quadratic."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"b, c, x, y": "symbols"}

    def claimed(case: Case, *, power: int = 2, location: int = 1, linear: int = 1) -> list[Any]:
        import sympy

        b, c, x, y = sympy.symbols("b c x y", positive=True)
        return [location * y, b * c / x**power, c / x**linear]

    def computed(case: Case) -> list[Any]:
        import sympy

        b, c, x, y = sympy.symbols("b c x y", positive=True)
        w = sympy.Symbol("w", real=True)
        a, s = sympy.Symbol("a"), sympy.Symbol("s")
        G = b * c / (s - a)
        point = {a: -x + sympy.I * y, s: sympy.I * w}
        squares = []
        for variable in (a, b):
            value = sympy.diff(G, variable).subs(point)
            squares.append(sympy.simplify(sympy.expand_complex(value * sympy.conjugate(value))))
        stationary = sympy.solve(sympy.numer(sympy.together(sympy.diff(squares[0], w))), w)
        real = [root for root in stationary if root.is_real]
        place = real[0]
        return [place, *(sympy.simplify(sympy.sqrt(sympy.simplify(square.subs(w, place)))) for square in squares)]


@claim(
    "hope.hankel",
    title="Random Markov parameters give a Hankel matrix of numerical rank n, up to a logarithm",
    statement=r"$H_{ij} = h_{i+j}$ ($i+j < n$, else 0) with random signs $h$: at least $0.290679\,\frac{n}{\ln n}$ "
    r"of its singular values exceed $\frac{1}{100}$ of the largest, for the matrices covered.",
    source=f"{PAPER}, random Hankel matrices have numerical rank of order n (reviews; theorem 3.1 or 4.1 by version)",
    domain="n = 32, 64, 128, 4 fixed seeds each, and n = 512, one seed (full: all four): certified for these matrices; "
    "the constant is the smallest met, to six digits",
    routes=(
        "the count",
        "norm(H)_F^2 <= r s^2 + (n-r) s^2/10^4 with s the largest modulus of the discrete Fourier transform of h "
        "at 2n points, which bounds the largest singular value (H lies in a circulant)",
    ),
    relation=AT_LEAST,
    expected="CERTIFIED",
    corruptions=[{"power": Fraction(1000001, 1000000)}, {"share": Fraction(290680, 1000000)}],
    tags=("hankel", "random"),
    related=("hope.hankel.rate", "hope.rank"),
    figure="hankel-singular-values",
)
class RandomHankel:
    """Frobenius norm: n(n+1)/2 for signs."""

    def cases(effort: str) -> Iterator[Case]:
        for n in (32, 64, 128, 512):
            for seed in range(4):
                if n < 512 or seed == 3 or effort == "full":
                    yield {"n": n, "seed": seed}

    def claimed(case: Case, *, power: Fraction = Fraction(1), share: Fraction = Fraction(290679, 1000000)) -> list[Any]:
        with balls(128).work() as ring:
            n = ring.number(case["n"])
            return [ring.number(share) * n ** ring.number(power) / ring.log(n)]

    def computed(case: Case) -> list[Any]:
        n = case["n"]
        generator = np.random.default_rng(case["seed"])
        signs = [2 * int(generator.integers(0, 2)) - 1 for _ in range(n)]
        with balls(96).work() as ring:
            roots = [
                acb(ring.number(Fraction(j, n)).cos_pi(), ring.number(Fraction(j, n)).sin_pi()) for j in range(2 * n)
            ]
            squares = []
            for k in range(n + 1):  # the others are conjugates
                value = sum((sign * roots[j * k % (2 * n)] for j, sign in enumerate(signs)), acb(0))
                squares.append(abs(value) ** 2)
            largest = max(float(x.upper()) for x in squares) * (1 + 2.0**-40)
            share = ring.number(Fraction(n * (n + 1), 2)) / arb(largest)
            tiny = ring.number(Fraction(1, 10**4))
            return [(share - n * tiny) / (1 - tiny)]


@claim(
    "hope.hankel.rate",
    title="That rank grows like n",
    statement=r"Mean number of singular values above $\frac{1}{100}$ of the largest, $H$ as before with complex "
    r"Gaussian $h$: $n^p$, $p = 1$ within $0.06$.",
    source=f"{PAPER}, random Hankel matrices have numerical rank of order n (reviews)",
    domain="n = 16, 32, 64, 128, 8 seeds each; the slope, and it with all means shifted by two standard errors "
    "against the trend and with it",
    routes=("the exponent", "float64 singular values, least squares"),
    relation=near(0.06),
    expected="OBSERVED",
    why="a statement on the mean over random matrices, seen through samples (hope.hankel certifies fixed ones, "
    "up to the logarithm)",
    corruptions=[{"exponent": 0.9}, {"exponent": 1.1}],
    tags=("hankel", "random"),
    related=("hope.hankel",),
    figure="hankel-singular-values",
)
class RandomHankelRate:
    """The three slopes have to be near."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"threshold": 0.01}

    def claimed(case: Case, *, exponent: float = 1.0) -> list[Any]:
        return [exponent] * 3

    def computed(case: Case) -> list[Any]:
        from scipy.linalg import hankel

        sizes, means, errors = (16, 32, 64, 128), [], []
        for n in sizes:
            ranks = []
            for seed in range(8):
                generator = np.random.default_rng(seed)
                h = generator.standard_normal(n) + 1j * generator.standard_normal(n)
                values = np.linalg.svd(hankel(h), compute_uv=False)
                ranks.append(int((values > case["threshold"] * values[0]).sum()))
            means.append(np.mean(ranks))
            errors.append(np.std(ranks, ddof=1) / np.sqrt(8))
        tilt = 2 * np.array(errors) * np.array([1, 1, -1, -1])
        x = np.log(sizes)
        return [float(np.polyfit(x, np.log(np.array(means) + shift), 1)[0]) for shift in (0 * tilt, tilt, -tilt)]


@claim(
    "hope.rank",
    title="Random diagonal systems have Hankel matrices of low numerical rank",
    statement=r"$\bar A$ diagonal with $n$ entries uniform in the unit disk, $B \circ C$ complex Gaussian: the "
    r"mean number of Hankel singular values above $\frac{1}{100}$ of the largest grows like $n^\beta$ with "
    r"$\beta = 0.43$ within $0.15$, well below 1.",
    source=f"{PAPER}, random diagonal systems have numerical rank O(n^beta), beta < 1 (reviews; theorem 2.1 or "
    f"3.1 by version)",
    domain="n = 16, 32, 64, 128, 32 seeds each; the slope, and it with all means shifted by two standard errors "
    "against the trend and with it",
    routes=(
        "the exponent",
        "Gramians in closed form, float64 singular values of the product of their roots, least squares",
    ),
    relation=near(0.0, 0.15),
    expected="OBSERVED",
    why="a statement with high probability on random systems, seen through samples",
    corruptions=[{"beta": 1.0}, {"beta": 0.2}, {"beta": 0.65}],
    tags=("hankel", "random"),
    related=("hope.hankel",),
    figure="hankel-singular-values",
)
class RandomDiagonal:
    """sigma^2 are the eigenvalues of P Q; relative to sigma_1 the threshold 1e-4 is far above rounding."""

    def cases(effort: str) -> Iterator[Case]:
        yield {"threshold": 0.01}

    def claimed(case: Case, *, beta: float = 0.43) -> list[Any]:
        return [beta] * 3

    def computed(case: Case) -> list[Any]:
        sizes, means, errors = (16, 32, 64, 128), [], []
        for n in sizes:
            ranks = []
            for seed in range(32):
                generator = np.random.default_rng(seed)
                z = np.sqrt(generator.random(n)) * np.exp(2j * np.pi * generator.random(n))
                c = generator.standard_normal(n) + 1j * generator.standard_normal(n)
                P = 1 / (1 - z[:, None] * z[None, :].conj())
                Q = (c.conj()[:, None] * c[None, :]) / (1 - z.conj()[:, None] * z[None, :])
                values, vectors = np.linalg.eigh(P)
                root = vectors * np.sqrt(np.clip(values, 0, None))
                squares = np.linalg.eigvalsh(root.conj().T @ Q @ root)
                ranks.append(int((squares > case["threshold"] ** 2 * squares[-1]).sum()))
            means.append(np.mean(ranks))
            errors.append(np.std(ranks, ddof=1) / np.sqrt(32))
        tilt = 2 * np.array(errors) * np.array([1, 1, -1, -1])
        x = np.log(sizes)
        return [float(np.polyfit(x, np.log(np.array(means) + shift), 1)[0]) for shift in (0 * tilt, tilt, -tilt)]
