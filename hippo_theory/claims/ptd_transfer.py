"""PTD: the diagonal against the full system: exact difference, persistent spikes, what converges and what does not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from flint import acb, acb_mat, arb, fmpq, fmpq_mat

from hippo_theory.arithmetic import balls
from hippo_theory.claims.legs_rationals import both_systems
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import AT_LEAST, AT_MOST, EQUAL, IDENTICAL
from hippo_theory.families import LegS
from hippo_theory.kernels import diagonal_kernel, full_kernel
from hippo_theory.norms import exact_gramian

__all__: list[str] = []

PAPER = "PTD (arXiv:2310.01698)"
STEP = Fraction(1, 10**6)


@claim(
    "ptd.setup",
    title="The DPLR form is the full system; the diagonal one drops the low-rank term and keeps half of B",
    statement=r"$A + \frac12 BB^T = V\Lambda V^*$: $CV(sI - \Lambda + \frac12 V^*BB^TV)^{-1}V^*B = "
    r"C(sI-A)^{-1}B$, in components of $X$ by Sherman-Morrison $x = \frac{r}{1 + \frac12 B^T r}$, $r = "
    r"V(sI-\Lambda)^{-1}V^*B$.",
    source=f"{PAPER}, the two systems that are compared, as usually quoted",
    domain="LegS, N = 2, 5, 12, components 0 and N-1, s = 1, i, 2+7i, balls",
    routes=(
        "certified eigenvalues and eigenvectors of the family",
        "a linear solve with the matrix of LegS written out",
    ),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[{"half": Fraction(1, 2) + STEP}, {"sign": -1}],
    tags=("legs", "diagonal"),
    figure="transfer-spikes",
)
class Setup:
    """Eigenpairs against entries."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (2, 5, 12):
            for s in ((1, 0), (0, 1), (2, 7)):
                yield {"N": N, "s": s}

    def claimed(case: Case, *, half: Fraction = Fraction(1, 2), sign: int = 1) -> list[Any]:
        N = case["N"]
        with balls(256).work() as ring:
            family, s = LegS(N), acb(*case["s"])
            spectrum, weights = family.normal_spectrum(ring), family.normal_weights(ring)
            V, B = family.normal_eigenvectors(ring), family.input_vector(ring)
            r = [sum((V[n, m] * weights[m] / (s - spectrum[m]) for m in range(N)), acb(0)) for n in range(N)]
            divisor = 1 + sign * ring.number(half) * sum((B[n] * r[n] for n in range(N)), acb(0))
            # r solves with the normal part; A = S - half B B^T.
            return [r[0] / divisor, r[N - 1] / divisor]

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        with balls(256).work() as ring:
            s = acb(*case["s"])
            R = [ring.sqrt(ring.number(2 * n + 1)) for n in range(N)]
            matrix = [
                [s + n + 1 if n == k else acb(R[n] * R[k]) if n > k else acb(0) for k in range(N)] for n in range(N)
            ]
            x = acb_mat(matrix).solve(acb_mat([[acb(c)] for c in R]))
            return [x[0, 0], x[N - 1, 0]]


@claim(
    "ptd.lem1",
    title="The difference of both transfer functions in closed form",
    statement=r"$G_{DPLR} - G_{Diag} = \frac{X_n q}{1+q}$ for the output $e_n$, with $X_n = R_n \prod_{k<n}(s-k) "
    r"\big/ \prod_{k=1}^{n+1}(s+k)$ and $q = \prod_{k<N} \frac{s-k}{s+k+1}$.",
    source=f"{PAPER}, lemma with a closed form of the difference (public notes); the form is derived here",
    domain="N = 1, 2, 5, 9 (full: 20), all n, s = 1/2, 7/3, 12, -1/4, exact rationals (divided by R_n)",
    routes=("the products", "two exact linear solves"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"sign": -1}, {"pole": 1 + STEP}, {"one": 1 + STEP}, {"zero": 1}],
    tags=("legs", "diagonal", "exact"),
    related=("ptd.fig1.height", "ptd.thm2"),
    figure="transfer-spikes",
)
class Difference:
    """Coordinates x_n / R_n: A has the entries -(2k+1), n > k, and -(n+1); A + B B^T / 2 adds (2k+1)/2."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 2, 5, 9) if effort == "quick" else (1, 2, 5, 9, 20):
            for s in (Fraction(1, 2), Fraction(7, 3), Fraction(12), Fraction(-1, 4)):
                yield {"N": N, "s": s}

    def claimed(
        case: Case, *, sign: int = 1, pole: Fraction = Fraction(1), one: Fraction = Fraction(1), zero: int = 0
    ) -> list[Any]:
        N, s = case["N"], case["s"]
        q = Fraction(1)
        for k in range(N):
            q *= (s - k - zero) / (s + k + pole)
        values, X = [], 1 / (s + pole)
        for n in range(N):
            values.append(sign * X * q / (one + q))
            X *= (s - n - zero) / (s + n + 1 + pole)
        return values

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        s = fmpq(case["s"].numerator, case["s"].denominator)
        full = [[s + n + 1 if n == k else fmpq(2 * k + 1 if n > k else 0) for k in range(N)] for n in range(N)]
        diagonal = [[full[n][k] - fmpq(2 * k + 1, 2) for k in range(N)] for n in range(N)]
        x = fmpq_mat(full).solve(fmpq_mat([[fmpq(1)]] * N))
        y = fmpq_mat(diagonal).solve(fmpq_mat([[fmpq(1, 2)]] * N))
        return [Fraction(int((x[n, 0] - y[n, 0]).p), int((x[n, 0] - y[n, 0]).q)) for n in range(N)]


@claim(
    "ptd.fig1",
    title="The last spike of the diagonal system sits at N^2 / pi",
    statement=r"The eigenvalue $-\frac12 + i w_m$ of $A + \frac12 BB^T$ of m-th largest imaginary part has, with "
    r"$\mu = (2m+1)\pi$, $w_m = \frac{N^2}{\mu} - \frac{\mu}{6} + \left(\frac{\mu}{12} + "
    r"\frac{\mu^3}{90}\right)\frac{1}{N^2}$ up to $\left(\frac{\mu^3}{36} + "
    r"\frac{11\mu^5}{7560}\right)\frac{2}{N^4}$: the spikes of $|G_{Diag}(i\omega)|$ move away like $N^2$.",
    source=f"{PAPER}, figure 1 and the text on spikes at frequencies of order n^2 (public notes); the series is "
    f"derived here",
    domain="m = 0, 1, 2, N = 32, 256, 1024 (full: 4096), balls; of the coefficient 1/12 four digits are visible, "
    "of 1/90 four",
    routes=("the series with its bound", "certified frequencies of the family"),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[
        {"pi": 1 + STEP},
        {"six": 6 + 6 * STEP},
        {"six": Fraction(-6)},
        {"twelve": 12 + Fraction(12, 10**4)},
        {"ninety": Fraction(90009, 1000)},
    ],
    tags=("legs", "spectrum"),
    related=("ptd.fig1.height",),
    figure="eigenvalue-asymptotics",
)
class SpikePosition:
    """Distance on both sides: upper bound, then its mirror image."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (32, 256, 1024) if effort == "quick" else (32, 256, 1024, 4096):
            for m in (0, 1, 2):
                yield {"N": N, "m": m}

    def claimed(
        case: Case,
        *,
        pi: Fraction = Fraction(1),
        six: Fraction = Fraction(6),
        twelve: Fraction = Fraction(12),
        ninety: Fraction = Fraction(90),
    ) -> list[Any]:
        with balls(256).work() as ring:
            N, mu = ring.number(case["N"]), (2 * case["m"] + 1) * ring.number(pi) * ring.pi
            value = N**2 / mu - mu / ring.number(six) + (mu / ring.number(twelve) + mu**3 / ring.number(ninety)) / N**2
            slack = 2 * (mu**3 / 36 + 11 * mu**5 / 7560) / N**4
            return [value + slack, -(value - slack)]

    def computed(case: Case) -> list[Any]:
        with balls(256).work() as ring:
            w = LegS(case["N"]).normal_frequencies(ring)[case["m"]]
            return [w, -w]


@claim(
    "ptd.fig1.height",
    title="The spikes keep their height and their width as N grows",
    statement=r"$|G_{Diag,n}(i w_m)| = \frac{2R_n}{\mu}\left(1 + c\,\frac{\mu^2}{N^2}\right)$, $\mu = "
    r"(2m+1)\pi$, with $0.583222 \le c \le 0.583700$ for the sizes covered (it tends to $\frac{7}{12}$): height "
    r"$\frac{2}{\pi} R_n$ for the last. At $w_m \pm \frac12$ the square is one half of it, up to "
    r"$\frac{\mu^4}{N^4}$ relatively.",
    source=f"{PAPER}, figure 1 (public notes: heights independent of n); values derived here",
    domain="n = 0, 1, m = 0, 1, N = 128, 1024 (full: 4096), balls: both ends of c are attained to six digits",
    routes=("the bounds", "transfer function and inner function of the family at its certified frequencies"),
    relation=AT_MOST,
    expected="CERTIFIED",
    corruptions=[
        {"two": 2 + 2 * STEP},
        {"two": 2 - 2 * STEP},
        {"low": Fraction(583223, 10**6)},
        {"high": Fraction(583699, 10**6)},
        {"ratio": 2 - 2 * STEP},
        {"root": 0},
    ],
    tags=("legs", "diagonal"),
    related=("ptd.fig1", "ptd.thm2"),
    figure="transfer-spikes",
)
class SpikeHeight:
    """Upper and mirrored lower bounds on the height; then on both ratios at half power."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (128, 1024) if effort == "quick" else (128, 1024, 4096):
            for n in (0, 1):
                for m in (0, 1):
                    yield {"N": N, "n": n, "m": m}

    def claimed(
        case: Case,
        *,
        two: Fraction = Fraction(2),
        low: Fraction = Fraction(583222, 10**6),
        high: Fraction = Fraction(583700, 10**6),
        ratio: Fraction = Fraction(2),
        root: int = 1,
    ) -> list[Any]:
        with balls(256).work() as ring:
            mu = (2 * case["m"] + 1) * ring.pi
            limit = ring.number(two) * ring.sqrt(ring.number(2 * case["n"] + root)) / mu
            scale, slack = (mu / case["N"]) ** 2, ring.number(ratio) * (mu / case["N"]) ** 4
            top, bottom = limit * (1 + ring.number(high) * scale), limit * (1 + ring.number(low) * scale)
            return [top, -bottom] + [ring.number(ratio) + slack] * 2 + [slack - ring.number(ratio)] * 2

    def computed(case: Case) -> list[Any]:
        with balls(256).work() as ring:
            family = LegS(case["N"])
            w = family.normal_frequencies(ring)[case["m"]]
            heights = []
            for shift in (0, 1, -1):
                s = acb(0, w + ring.number(Fraction(shift, 2)))
                heights.append(abs(family.transfer_function(case["n"], s, ring) / (1 + family.inner_function(s, ring))))
            ratios = [(heights[0] / side) ** 2 for side in heights[1:]]
            return [heights[0], -heights[0], *ratios, *(-x for x in ratios)]


@claim(
    "ptd.thm1",
    title="For a decaying input the outputs differ by exactly about 1 / (sqrt2 N)",
    statement=r"$u(t) = e^{-t}$ ($|\hat u(i\omega)|$ decays like $1/|\omega|$), output $e_n$, $n \le N-2$: "
    r"$\|y_{DPLR} - y_{Diag}\|_{L_2}^2 = \frac{1}{2N^2}\left[1 - \frac{1}{(n+1)(n+2)} + \frac{c_n "
    r"(-1)^N}{(N-1)N(N+1)}\right]$, $c_0 = -1$, $c_1 = 1$, else 0. Every $u$ "
    r"with $|\hat u(i\omega)| \le |1+i\omega|^{-1}$ gives at most that: $O(1/N)$, as the theorem says for "
    r"$|\hat u| = O(|s|^{-q})$, $q > \frac12$.",
    source=f"{PAPER}, theorem on the O(1/n) convergence for inputs with decaying transform (public notes); the "
    f"exact value is derived here",
    domain="N = 2, ..., 6 (full: 9), n = 0, ..., N-2, exact rationals",
    routes=("the closed form", "exact Gramian of both systems driven by one decaying state"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"half": Fraction(1, 2) + STEP}, {"first": 2}, {"sign": 1}, {"power": 1}],
    tags=("legs", "diagonal", "exact"),
    related=("ptd.thm2", "ptd.impulse"),
)
class DecayingInput:
    """By residues at s = 1, n, n+1, where q = 0; c_n comes from the double pole at 1 (n = 0, 1), by q'(1)."""

    def cases(effort: str) -> Iterator[Case]:
        for N in range(2, 7 if effort == "quick" else 10):
            yield {"N": N}

    def claimed(
        case: Case, *, half: Fraction = Fraction(1, 2), first: int = 1, sign: int = -1, power: int = 2
    ) -> list[Any]:
        N, values = case["N"], []
        for n in range(N - 1):
            extra = Fraction((-1) ** N, (N - 1) * N * (N + 1)) * (sign if n == 0 else -sign if n == 1 else 0)
            values.append(half / N**power * (1 - Fraction(1, (n + first) * (n + first + 1)) + extra))
        return values

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        A = np.full((2 * N + 1, 2 * N + 1), fmpq(0), dtype=object)
        A[: 2 * N, : 2 * N], A[: 2 * N, 2 * N] = both_systems(N)
        A[2 * N, 2 * N] = fmpq(-1)
        W = exact_gramian(A, np.array([fmpq(0)] * (2 * N) + [fmpq(1)], dtype=object))
        squares = [(2 * n + 1) * (W[n, n] - 2 * W[n, N + n] + W[N + n, N + n]) for n in range(N - 1)]
        return [Fraction(int(x.p), int(x.q)) for x in squares]


@claim(
    "ptd.thm2",
    title="No convergence in operator norm",
    statement=r"$\sup_\omega |G_{DPLR,n}(i\omega) - G_{Diag,n}(i\omega)|$ is at least the value at the largest frequency "
    r"$w_0$, and that at least $\frac{2R_n}{\pi}\left(1 + \frac{0.08268\,\pi^2}{N^2}\right)$ for the $N$ covered: the "
    r"difference as an operator on $L_2$ does not tend to 0 (core.diag.spike.sup has the supremum itself).",
    source=f"{PAPER}, theorem that there is no convergence in operator norm (public notes); value derived here",
    domain="n = 0, 1, N = 64, 256, 1024 (full: 4096), balls",
    routes=("the lower bound", "closed forms of the family at its certified largest frequency"),
    relation=AT_LEAST,
    expected="CERTIFIED",
    corruptions=[{"two": 2 + 2 * STEP}, {"correction": Fraction(8269, 10**5)}, {"root": 2}],
    tags=("legs", "diagonal"),
    related=("ptd.thm2.signal", "ptd.fig1.height"),
    figure="transfer-spikes",
)
class OperatorNorm:
    """At N = 1024 the room is 3e-8 relative."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (64, 256, 1024) if effort == "quick" else (64, 256, 1024, 4096):
            for n in (0, 1):
                yield {"N": N, "n": n}

    def claimed(
        case: Case, *, two: Fraction = Fraction(2), correction: Fraction = Fraction(8268, 10**5), root: int = 1
    ) -> list[Any]:
        with balls(256).work() as ring:
            limit = ring.number(two) * ring.sqrt(ring.number(2 * case["n"] + root)) / ring.pi
            return [limit * (1 + ring.number(correction) * (ring.pi / case["N"]) ** 2)]

    def computed(case: Case) -> list[Any]:
        with balls(256).work() as ring:
            family = LegS(case["N"])
            s = acb(0, family.normal_frequencies(ring)[0])
            q = family.inner_function(s, ring)
            return [abs(family.transfer_function(case["n"], s, ring) * q / (1 + q))]


@claim(
    "ptd.thm2.signal",
    title="An input of finite energy whose outputs stay apart",
    statement=r"$u(t) = e^{-t/50}\cos(\omega t)$, $\omega$ a rational near $w_0$ (it grows like $N^2$): "
    r"$\|y_{DPLR} - y_{Diag}\|_{L_2}^2 \ge 0.386476\, \|u\|_{L_2}^2$ for the output $e_0$ and the $N$ covered.",
    source=f"{PAPER}, inputs tuned to n with a difference that does not vanish (public notes)",
    domain="N = 3, 4, 5, 6, 8 (full: 10), exact rationals; the constant is attained to six digits",
    routes=("the number", "exact Gramian of both systems driven by a damped oscillator"),
    relation=AT_LEAST,
    expected="CERTIFIED",
    corruptions=[{"share": Fraction(386477, 10**6)}],
    tags=("legs", "diagonal", "exact"),
    related=("ptd.thm2",),
    figure="transfer-spikes",
)
class TunedSignal:
    """Squared norms, both from one Gramian."""

    def cases(effort: str) -> Iterator[Case]:
        # w_0 in thousandths: any number near it will do
        near = {3: 2398, 4: 4603, 5: 7457, 6: 10952, 8: 19857, 10: 31313}
        for N in (3, 4, 5, 6, 8) if effort == "quick" else near:
            yield {"N": N, "frequency": Fraction(near[N], 1000)}

    def claimed(case: Case, *, share: Fraction = Fraction(386476, 10**6)) -> list[Any]:
        with balls(256).work() as ring:
            return [ring.number(share)]

    def computed(case: Case) -> list[Any]:
        N, w = case["N"], fmpq(case["frequency"].numerator, case["frequency"].denominator)
        A = np.full((2 * N + 2, 2 * N + 2), fmpq(0), dtype=object)
        A[: 2 * N, : 2 * N], A[: 2 * N, 2 * N] = both_systems(N)
        A[2 * N, 2 * N] = A[2 * N + 1, 2 * N + 1] = fmpq(-1, 50)
        A[2 * N, 2 * N + 1], A[2 * N + 1, 2 * N] = -w, w
        W = exact_gramian(A, np.array([fmpq(0)] * (2 * N) + [fmpq(1), fmpq(0)], dtype=object))
        value = (W[0, 0] - 2 * W[0, N] + W[N, N]) / W[2 * N, 2 * N]
        return [arb(value)]


def _stays_apart(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """The value at t = 0 is off by R_n / 2 for every N: B/2 instead of B."""
    rows, shown = [], True
    for N in (8, 64, 512):
        with balls(128).work() as ring:
            gap = diagonal_kernel(LegS(N), 0, ring)(0) - 1
            rows.append({"case": f"N = {N}, n = 0, t = 0", "numbers": f"difference {gap.str(10)}", "margin": None})
            shown = shown and bool(abs(gap) > ring.number(Fraction(49, 100)))
    return rows, shown


@claim(
    "ptd.impulse",
    title="Impulse responses do not converge in L2",
    statement=r"$\|e_n^T(e^{tA}B - e^{t(A + BB^T/2)}\frac12 B)\|_{L_2[0,\infty)}^2 = \frac{2n+1}{4} - "
    r"\frac{1+3n(n+1)}{2N^2}$ for $n \le N-2$, plus $\frac{N}{\binom{2N}{N}+1}$ for $n = N-1$: it tends to "
    r"$\frac{2n+1}{4}$, not to 0. (Transfer functions do converge at every fixed $s$ with $\Re s \ge 0$.)",
    source=f"{PAPER}, section on unit impulses and its appendix (public notes); value derived here",
    domain="N = 1, ..., 6 (full: 10), all n, exact rationals",
    routes=("the closed form", "exact Gramian of the joint system"),
    relation=IDENTICAL,
    expected="REFINED",
    counterexample=Counterexample(
        r"The basis kernels of the diagonal system converge to those of LegS pointwise on $t \ge 0$ (a wide "
        r"reading of S4D's theorem).",
        _stays_apart,
    ),
    corruptions=[{"quarter": Fraction(1, 4) + STEP}, {"three": 2}, {"half": Fraction(1, 2) + STEP}, {"last": 1 + STEP}],
    tags=("legs", "diagonal", "exact"),
    related=("ptd.impulse.oscillation", "ptd.thm1"),
    figure="legs-full-against-diagonal",
)
class Impulse:
    """Coordinates x_n / R_n, so each square carries 2n+1."""

    def cases(effort: str) -> Iterator[Case]:
        for N in range(1, 7 if effort == "quick" else 11):
            yield {"N": N}

    def claimed(
        case: Case,
        *,
        quarter: Fraction = Fraction(1, 4),
        three: int = 3,
        half: Fraction = Fraction(1, 2),
        last: Fraction = Fraction(1),
    ) -> list[Any]:
        N = case["N"]
        values = [(2 * n + 1) * quarter - half * Fraction(1 + three * n * (n + 1), N * N) for n in range(N)]
        values[N - 1] += last * Fraction(N, math.comb(2 * N, N) + 1)
        return values

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        W = exact_gramian(*both_systems(N))
        squares = [(2 * n + 1) * (W[n, n] - 2 * W[n, N + n] + W[N + n, N + n]) for n in range(N)]
        return [Fraction(int(x.p), int(x.q)) for x in squares]


@claim(
    "ptd.impulse.oscillation",
    title="The difference of the impulse responses oscillates faster and faster",
    statement=r"The difference of the 0-th kernels changes its sign at least $N^2/\pi^2 - \frac12$ times on $[0,1]$.",
    source=f"{PAPER}, section on unit impulses: an increasingly oscillatory difference (public notes); the count "
    f"is derived here",
    domain="N = 4, 8, 16, 32 (full: 64): signs certified at the points j / (2 N^2); the visible size of a "
    "corruption is one sign change",
    routes=("the count", "certified signs of the kernels of the families on a grid"),
    relation=AT_LEAST,
    expected="CERTIFIED",
    corruptions=[{"power": 3}, {"density": Fraction(101, 100)}, {"offset": Fraction(3, 4)}],
    tags=("legs", "diagonal"),
    related=("ptd.impulse",),
    figure="legs-full-against-diagonal",
)
class Oscillation:
    """A sign that cannot be certified counts as none."""

    def cases(effort: str) -> Iterator[Case]:
        for N in (4, 8, 16, 32) if effort == "quick" else (4, 8, 16, 32, 64):
            yield {"N": N}

    def claimed(
        case: Case, *, power: int = 2, density: Fraction = Fraction(1), offset: Fraction = Fraction(-1, 2)
    ) -> list[Any]:
        with balls(128).work() as ring:
            return [ring.number(density) * case["N"] ** power / ring.pi**2 + ring.number(offset)]

    def computed(case: Case) -> list[Any]:
        N = case["N"]
        with balls(192).work() as ring:
            difference = diagonal_kernel(LegS(N), 0, ring) - full_kernel(LegS(N), 0, ring)
            signs = []
            for j in range(1, 2 * N * N + 1):
                value = difference(Fraction(j, 2 * N * N))
                if value > 0 or value < 0:
                    signs.append(bool(value > 0))
            return [arb(sum(a != b for a, b in pairwise(signs)))]
