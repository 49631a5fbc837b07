"""HTTYH: FouT, the truncated Fourier basis on a window: matrix, transfer function, what the low-rank term does."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import acb, acb_mat, arb, arb_mat

from hippo_theory.arithmetic import balls
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import AT_MOST, EQUAL
from hippo_theory.families import FouT, make_family

__all__: list[str] = []

PAPER = "HTTYH (arXiv:2206.12037)"
STEP = Fraction(1, 10**6)
POINTS = ((1, 0), (0, 1), (-1, 2), (2, 7))


@claim(
    "httyh.fout",
    title="The matrix of FouT follows from projecting on Fourier modes and closing the window with its own series",
    statement=r"Order $1, \cos 1, \sin 1, \cos 2, \dots$: entries $-2$ at (0,0), $-2\sqrt2$ at (0,cos) and "
    r"(cos,0), $-4$ at (cos,cos), $-2\pi m$ at ($\cos m$, $\sin m$), $+2\pi m$ at ($\sin m$, $\cos m$), else "
    r"0; $B = 2$ at 0, $2\sqrt2$ at cosines, 0 at sines. This is $x' = \int p'(s) u(t-s) ds + p(0) u(t) - "
    r"p(1) u(t-1)$ with $u(t-1) = 2 b^T x - u(t)$, $b = p(0) = p(1)$.",
    source=f"{PAPER}, theorem on FouT, as usually quoted; state-spaces/s4 'fourier2'",
    domain="N = 1, 3, 7, 11, all entries, balls",
    routes=("the entries as stated", "projection, its integrals by a trapezoidal sum that is exact for these modes"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[
        {"constant": 2 + 2 * STEP},
        {"mixed": 2 + 2 * STEP},
        {"cosines": 4 + 4 * STEP},
        {"frequency": 2 + 2 * STEP},
        {"sign": 1},
        {"gain": 1},
    ],
    tags=("fout",),
    related=("httyh.fout.index",),
    figure="family-tree-matrices",
)
class FoutMatrix:
    """All N^2 + N numbers of the system."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 3, 7, 11):
            yield {"N": N}

    def claimed(
        case: Case,
        *,
        constant: Fraction = Fraction(2),
        mixed: Fraction = Fraction(2),
        cosines: Fraction = Fraction(4),
        frequency: Fraction = Fraction(2),
        sign: int = -1,
        gain: int = 2,
    ) -> list[Any]:
        N = case["N"]
        with balls(200).work() as ring:
            root, values = ring.sqrt(ring.number(2)), []
            for n in range(N):
                for k in range(N):
                    entry = ring.number(0)
                    if n == k == 0:
                        entry = -ring.number(constant)
                    elif n * k == 0 and (n + k) % 2 == 1:
                        entry = -ring.number(mixed) * root
                    elif n % 2 == k % 2 == 1:
                        entry = -ring.number(cosines)
                    elif n % 2 == 1 and k == n + 1:
                        entry = sign * ring.number(frequency) * ring.pi * ((n + 1) // 2)
                    elif n > 0 and n % 2 == 0 and k == n - 1:
                        entry = -sign * ring.number(frequency) * ring.pi * (n // 2)
                    values.append(entry)
            return values + [gain * (1 if n == 0 else root if n % 2 == 1 else 0) * ring.number(1) for n in range(N)]

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        count = 2 * N + 2  # the trapezoidal rule integrates products of modes below this frequency exactly
        with balls(200).work() as ring:
            root = ring.sqrt(ring.number(2))

            def mode(n: int, s: Fraction, derivative: bool) -> Any:
                if n == 0:
                    return ring.number(0 if derivative else 1)
                m = (n + 1) // 2
                sine, cosine = ring.number(2 * m * s).sin_pi(), ring.number(2 * m * s).cos_pi()
                if derivative:
                    return root * 2 * m * ring.pi * (-sine if n % 2 == 1 else cosine)
                return root * (cosine if n % 2 == 1 else sine)

            nodes = [Fraction(i, count) for i in range(count)]
            p = [[mode(n, s, False) for s in nodes] for n in range(N)]
            slopes = [[mode(n, s, True) for s in nodes] for n in range(N)]
            b = [p[n][0] for n in range(N)]
            values = []
            for n in range(N):
                for k in range(N):
                    inner = sum((x * y for x, y in zip(slopes[n], p[k], strict=True)), arb(0)) / count
                    # p_n(0) u(t) - p_n(1) u(t-1) with u(t-1) = 2 b^T x - u(t)
                    values.append(inner - b[n] * 2 * b[k])
            return values + [b[n] + b[n] for n in range(N)]


def _literal_index(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """The smallest nonzero frequency that the literal reading holds is 4 pi, not 2 pi."""
    with balls(128).work() as ring:
        # Literal: entry of (n, k = n-1) with k odd is 2 pi n, n = 2, 4, ...: frequencies 4 pi, 8 pi, ...
        spacing = 2 * ring.pi * 2
        true = 2 * ring.pi
        row = {"case": "N = 5", "numbers": f"smallest frequency {spacing.str(8)} against {true.str(8)}", "margin": None}
        return [row], bool(spacing > true)


@claim(
    "httyh.fout.index",
    title="The frequencies of FouT are the multiples of 2 pi",
    statement=r"The skew part of $A + 2bb^T$ has $\det(sI - A - 2bb^T) = s \prod_{m=1}^{(N-1)/2} (s^2 + (2\pi "
    r"m)^2)$. Read with entries $2\pi n$, $n$ the index of the state, the frequencies would be $4\pi, 8\pi, "
    r"\dots$",
    source=f"{PAPER}, the matrix of FouT; public notes print the entries with the index of the state",
    domain="N = 3, 5, 9, s = 1, i, -1+2i, 2+7i, balls",
    routes=("the product", "a determinant of the normal part of the family"),
    relation=EQUAL,
    expected="REFINED",
    counterexample=Counterexample(r"The entries are $2\pi n$ with $n$ the index of the state.", _literal_index),
    corruptions=[{"frequency": 4}, {"frequency": 2 + 2 * STEP}, {"zeros": 2}],
    tags=("fout",),
    figure="spectra",
)
class FoutIndex:
    """A characteristic polynomial at points."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (3, 5, 9):
            for s in POINTS:
                yield {"N": N, "s": s}

    def claimed(case: Case, *, frequency: Fraction = Fraction(2), zeros: int = 1) -> list[Any]:
        with balls(256).work() as ring:
            s = acb(*case["s"])
            product = s**zeros
            for m in range(1, (case["N"] - 1) // 2 + 1):
                product *= s * s + (ring.number(frequency) * ring.pi * m) ** 2
            return [product]

    def computed(case: Case) -> list[Any]:
        with balls(256).work() as ring:
            N, s = case["N"], acb(*case["s"])
            S = FouT(N).normal_part(ring)
            return [acb_mat([[s * int(n == k) - S[n, k] for k in range(N)] for n in range(N)]).det()]


@claim(
    "httyh.fout.transfer",
    title="Transfer function of FouT in closed form, and its limit",
    statement=r"$b^T(sI-A)^{-1} 2b = \frac{2h}{1+2h}$ with $h = \frac1s + \sum_{m=1}^{(N-1)/2} "
    r"\frac{2s}{s^2+4\pi^2m^2}$; $h \to \frac12\coth\frac s2$, so the limit is $\frac12(1+e^{-s})$.",
    source=f"{PAPER}, theorem on FouT; closed form derived here",
    domain="N = 1, 3, 9 (full: 33), s = 1, i, -1+2i, 2+7i, balls; the limit by Mittag-Leffler with its exact "
    "remainder (digamma)",
    routes=("the rational function, and coth minus the remainder of its series", "a linear solve with the family's A"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"frequency": 4 + 4 * STEP}, {"twice": 2 + 2 * STEP}, {"half": Fraction(1, 2) + STEP}],
    tags=("fout", "transfer"),
    related=("httyh.fout.delay",),
    figure="fout-window",
)
class FoutTransfer:
    """Both the finite sum and coth with the tail of its series must meet the solve."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 3, 9) if effort == "quick" else (1, 3, 9, 33):
            for s in POINTS:
                yield {"N": N, "s": s}

    def claimed(
        case: Case,
        *,
        frequency: Fraction = Fraction(4),
        twice: Fraction = Fraction(2),
        half: Fraction = Fraction(1, 2),
    ) -> list[Any]:
        with balls(300).work() as ring:
            s, M = acb(*case["s"]), (case["N"] - 1) // 2
            h = 1 / s
            for m in range(1, M + 1):
                h += 2 * s / (s * s + ring.number(frequency) * (ring.pi * m) ** 2)
            # sum_{m > M} 2s/(s^2 + 4 pi^2 m^2) = (psi(M+1+z) - psi(M+1-z)) / (2 pi i), z = i s/(2 pi), up to sign of i.
            z = acb(0, 1) * s / (2 * ring.pi)
            tail = ((M + 1 + z).digamma() - (M + 1 - z).digamma()) / (2 * ring.pi * acb(0, 1))
            limit = ring.number(half) * (s / 2).coth() - tail
            return [ring.number(twice) * x / (1 + ring.number(twice) * x) for x in (h, limit)]

    def computed(case: Case) -> list[Any]:
        with balls(300).work() as ring:
            N, s, family = case["N"], acb(*case["s"]), FouT(case["N"])
            A, B = family.state_matrix(ring), family.input_vector(ring)
            x = acb_mat([[s * int(n == k) - A[n, k] for k in range(N)] for n in range(N)]).solve(
                acb_mat([[acb(b)] for b in B])
            )
            value = sum((x[n, 0] * B[n] / 2 for n in range(N)), acb(0))
            return [value, value]


@claim(
    "httyh.fout.norank",
    title="Without its low-rank term FouT oscillates for ever",
    statement=r"With $S = A + 2bb^T$: $b^T e^{tS} 2b = 2\,\frac{\sin(\pi N t)}{\sin(\pi t)}$, of period 1 and "
    r"with peaks $2N$ at every integer, and $e^{tS}2b$ is $2, 2\sqrt2\cos 2\pi m t, 2\sqrt2 \sin 2\pi m t$: "
    r"nothing decays.",
    source=f"{PAPER}, remark on the low-rank term of FouT (public notes)",
    domain="N = 3, 7, 11, t = 1/7, 5/3, 41/6: the sum and all components, balls",
    routes=("closed form", "exponential of the normal part of the family"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"height": 2 + 2 * STEP}, {"count": 1}, {"frequency": 2 + 2 * STEP}],
    tags=("fout", "kernels"),
    figure="other-families-full-against-diagonal",
)
class FoutNoRank:
    """The Dirichlet kernel."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (3, 7, 11):
            for time in (Fraction(1, 7), Fraction(5, 3), Fraction(41, 6)):
                yield {"N": N, "t": time}

    def claimed(
        case: Case, *, height: Fraction = Fraction(2), count: int = 0, frequency: Fraction = Fraction(2)
    ) -> list[Any]:
        with balls(256).work() as ring:
            N, time = case["N"], case["t"]
            size = ring.number(height)
            total = size * ring.number((N + count) * time).sin_pi() / ring.number(time).sin_pi()
            values, root = [total, size], ring.sqrt(ring.number(2))
            for m in range(1, (N - 1) // 2 + 1):
                angle = ring.number(frequency * m * time)
                values += [size * root * angle.cos_pi(), size * root * angle.sin_pi()]
            return values

    def computed(case: Case) -> list[Any]:
        with balls(256).work() as ring:
            N, family = case["N"], FouT(case["N"])
            B = family.input_vector(ring)
            x = (arb_mat(family.normal_part(ring).tolist()) * ring.number(case["t"])).exp() * arb_mat([[b] for b in B])
            return [sum((x[n, 0] * B[n] / 2 for n in range(N)), arb(0))] + [x[n, 0] for n in range(N)]


def _window_gram(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """The energy beyond the window, (e^A e^(A^T))_00, is positive: on [0, 1] the Gram matrix is not I."""
    rows, shown = [], True
    with balls(200).work() as ring:
        for N in (3, 9, 17):
            row = arb_mat(FouT(N).state_matrix(ring).tolist()).exp().table()[0]
            tail = sum((x * x for x in row), arb(0))
            rows.append({"case": f"N = {N}", "numbers": f"energy of K_0 beyond t = 1: {tail.str(10)}", "margin": None})
            shown = shown and bool(tail > ring.number(Fraction(1, 10**4)))
    return rows, shown


@claim(
    "httyh.fout.gram",
    title="The kernels of FouT are orthonormal on the half-line, for every N; on the window in the limit only",
    statement=r"$\int_0^\infty K_n K_m\, dt = \delta_{nm}$ for every $N$ (because $A + A^T = -BB^T$); on $[0,1]$ "
    r"alone the Gram matrix is $I - e^{A}e^{A^T} \ne I$.",
    source=f"{PAPER}, FouT as an orthogonal SSM; the identity is derived here",
    domain="N = 1, 3, 9 (full: 15), all entries, balls",
    routes=("the identity", "an enclosed Lyapunov equation"),
    relation=EQUAL,
    expected="REFINED",
    counterexample=Counterexample(
        r"The kernels are orthonormal with the weight $1_{[0,1]}$ for a finite $N$.", _window_gram
    ),
    corruptions=[{"norm": 1 + STEP}, {"mixed": STEP}],
    tags=("fout", "orthogonality"),
    figure="basis-kernels",
)
class FoutGram:
    """N (N+1)/2 unknowns."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 3, 9) if effort == "quick" else (1, 3, 9, 15):
            yield {"N": N}

    def claimed(case: Case, *, norm: Fraction = Fraction(1), mixed: Fraction = Fraction(0)) -> list[Any]:
        with balls(200).work() as ring:
            return [ring.number(norm if i == j else mixed) for i in range(case["N"]) for j in range(i, case["N"])]

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        with balls(200).work() as ring:
            family = FouT(N)
            A, B = family.state_matrix(ring), family.input_vector(ring)
            places = {pair: p for p, pair in enumerate((i, j) for i in range(N) for j in range(i, N))}
            rows = [[arb(0)] * len(places) for _ in places]
            for (i, j), p in places.items():
                for k in range(N):
                    rows[p][places[min(k, j), max(k, j)]] += A[i, k]
                    rows[p][places[min(i, k), max(i, k)]] += A[j, k]
            solved = arb_mat(rows).solve(arb_mat([[-B[i] * B[j]] for i, j in places]))
            return [solved[p, 0] for p in range(len(places))]


def _not_the_window(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """At s = 1 the limit is far from the transform (1 - e^-s)/s of the window."""
    with balls(128).work() as ring:
        window = 1 - ring.exp(ring.number(-1))
        limit = 2 * window / (3 - ring.exp(ring.number(-1)))
        row = {"case": "s = 1, n = 0", "numbers": f"limit {limit.str(10)}, window {window.str(10)}", "margin": None}
        return [row], bool(window - limit > ring.number(Fraction(1, 10)))


@claim(
    "httyh.fout.2020",
    title="The Fourier system of 2020 does not converge to the window: it fades by thirds",
    statement=r"$A = Rot - bb^T$, $B = b$ (HiPPO 2020): the transform of the kernel of the constant is $X_0 = "
    r"\frac{2(1-e^{-s})}{s(3-e^{-s})} + \frac{\epsilon}{s(1+h)(1+h-\epsilon)}(1+\rho)$, $h = \frac12\coth\frac "
    r"s2$, $\epsilon = \frac{s}{\pi^2N}$, $|\rho| \le \frac{|s|^2+1}{N^2}$. Its limit is the transform of $\frac23\, "
    r"3^{-\lfloor t\rfloor}$. Only $A = Rot - 2bb^T$, $B = 2b$ (2022) tends to the window.",
    source=f"HiPPO (arXiv:2008.07669), Fourier system of its appendix, against {PAPER}; derived here",
    domain="N = 129, 1025 (full: 8193), s = 1, i, -1/2+2i, 2+7i, balls; of the rate five digits are visible",
    routes=("the two bounds", "the transfer function of the family in the convention of 2020"),
    relation=AT_MOST,
    expected="REFINED",
    counterexample=Counterexample(
        r"The kernels of the Fourier system of 2020 tend to the Fourier basis on the window $[0,1]$.", _not_the_window
    ),
    corruptions=[
        {"three": 3 + 3 * STEP},
        {"two": 2 - 2 * STEP},
        {"squared_pi": 1 + STEP * 20},
        {"squared_pi": 1 - STEP * 20},
    ],
    tags=("fout", "window"),
    figure="fout-window",
)
class Fout2020:
    """h_N = h - epsilon (1 + O(1/N^2)); X_0 = (1/s)/(1 + h_N)."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (129, 1025) if effort == "quick" else (129, 1025, 8193):
            for s in ((1, 0), (0, 1), (Fraction(-1, 2), 2), (2, 7)):
                yield {"N": N, "s": s}

    def claimed(
        case: Case,
        *,
        three: Fraction = Fraction(3),
        two: Fraction = Fraction(2),
        squared_pi: Fraction = Fraction(1),
    ) -> list[Any]:
        with balls(200).work() as ring:
            N, s = case["N"], acb(ring.number(case["s"][0]), ring.number(case["s"][1]))
            h, epsilon = (s / 2).coth() / 2, s / (ring.number(squared_pi) * ring.pi**2 * N)
            error = epsilon / (s * (1 + h) * (1 + h - epsilon))
            slack = abs(error) * (abs(s) ** 2 + 1) / ring.number(N) ** 2
            value = ring.number(two) * (1 - (-s).exp()) / (s * (ring.number(three) - (-s).exp())) + error
            return [x + slack for x in (value.real, -value.real, value.imag, -value.imag)]

    def computed(case: Case) -> list[Any]:
        with balls(200).work() as ring:
            s = acb(ring.number(case["s"][0]), ring.number(case["s"][1]))
            value = make_family("fout", case["N"], convention="hippo2020").transfer_function(0, s, ring)
            return [value.real, -value.real, value.imag, -value.imag]


@claim(
    "httyh.fout.half",
    title="The stored, halved pair lives on the window [0, 2]",
    statement=r"The codebase stores $(A/2, B/2)$ for LegT and FouT: $K_n$ becomes $\frac12 K_n(t/2)$, the window "
    r"$[0,2]$, and the mean age of what is remembered 1 instead of $\frac12$.",
    source="state-spaces/s4, hippo.py: 'Halve again for timescale correctness'",
    domain="FouT (N = 8 with the dead state, n = 0, 2, 3) and LegT (N = 5, n = 0, 2): t = 1/3, 1, 5/2; ages; balls",
    routes=(
        "the kernel of the unhalved system at t/2, by the matrix exponential",
        "the family in the convention of the codebase",
    ),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"half": Fraction(1, 2) + STEP}, {"rate": Fraction(1)}, {"age": 1 + STEP}],
    tags=("fout", "legt", "conventions"),
    related=("httyh.timescale",),
    figure="family-tree-matrices",
)
class FoutHalf:
    """The state of index 1 of an even FouT is dead; the live ones are 0, 2, 3, ..."""

    def cases(effort: str) -> Iterator[Case]:
        for time in (Fraction(1, 3), Fraction(1), Fraction(5, 2)):
            yield {"family": "fout", "N": 8, "t": time}
            yield {"family": "legt", "N": 5, "t": time}

    def claimed(
        case: Case,
        *,
        half: Fraction = Fraction(1, 2),
        rate: Fraction = Fraction(1, 2),
        age: Fraction = Fraction(1),
    ) -> list[Any]:
        is_fourier = case["family"] == "fout"
        N = 7 if is_fourier else 5
        with balls(256).work() as ring:
            root = ring.sqrt(ring.number(2))
            if is_fourier:
                b = [ring.number(1)] + [root if n % 2 == 1 else ring.number(0) for n in range(1, N)]
                A = [[-2 * b[n] * b[k] for k in range(N)] for n in range(N)]
                for m in range(1, (N - 1) // 2 + 1):
                    A[2 * m - 1][2 * m] -= 2 * m * ring.pi
                    A[2 * m][2 * m - 1] += 2 * m * ring.pi
                B = [2 * x for x in b]
            else:
                B = [ring.sqrt(ring.number(2 * n + 1)) for n in range(N)]
                A = [[-(1 if k <= n else (-1) ** (k - n)) * B[n] * B[k] for k in range(N)] for n in range(N)]
            x = (arb_mat(A) * ring.number(rate * case["t"])).exp() * arb_mat([[c] for c in B])
            values = [ring.number(half) * x[n, 0] for n in ((0, 1, 2) if is_fourier else (0, 2))]
            return [*values, ring.number(age)]

    def computed(case: Case) -> list[Any]:
        with balls(256).work() as ring:
            family = make_family(case["family"], case["N"], convention="s4")
            components = (0, 2, 3) if case["family"] == "fout" else (0, 2)
            return [family.kernel(n, case["t"], ring) for n in components] + [ring.number(family.timescale)]
