"""S5: its normal matrix, its corollary for several inputs, tied systems, and the associative scan."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import sympy
from flint import fmpq, fmpq_mat, fmpq_poly

from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import IDENTICAL
from hippo_theory.kernels import combine

__all__: list[str] = []

_S5 = "S5 (arXiv:2208.04933)"
_PART = fmpq(1, 10**6)
_HALF = fmpq(1, 2)


@claim(
    "s5.hippoN",
    title="HiPPO-N: its entries, and that it is normal",
    statement=(
        r"$A + P P^T$ of LegS has the entries $-(n + \frac12)^{1/2} (k + \frac12)^{1/2}$ for $n > k$, $-\frac12$ for $n = k$,"
        r" $+(n + \frac12)^{1/2} (k + \frac12)^{1/2}$ for $n < k$, and is normal: $S S^T = S^T S$."
    ),
    source=_S5 + ", eq. (11) and appendix B.1.1, as in notes on the paper and in the authors' code",
    domain="N = 1, ..., 16 (full: 32), exact rationals: signs and squares of the entries, Gram matrices divided by R_n R_k",
    routes=(
        "the stated entries, and their rows multiplied",
        "entries of LegS plus the rank-one term, its columns multiplied",
    ),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"half": _HALF + _PART}, {"diagonal": -_HALF - _PART}, {"below": 1}, {"above": -1}],
    tags=("s5", "legs", "exact"),
    related=("s4d.nplr", "s5.bug"),
    figure="spectra",
)
class NormalMatrix:
    """With x_n / R_n as coordinates all is rational."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes."""
        for N in range(1, 17 if effort == "quick" else 33):
            yield {"N": N}

    @staticmethod
    def claimed(case: Case, *, half: Any = _HALF, diagonal: Any = -_HALF, below: int = -1, above: int = 1) -> list[Any]:
        """Sign times square of each entry, then S S^T."""
        N, entries = case["N"], []
        for n in range(N):
            for k in range(N):
                sign = below if n > k else above
                entries.append(-diagonal * diagonal if n == k else sign * (n + half) * (k + half))
        # S_nk = sqrt((n+1/2)(k+1/2)) T_nk; (S S^T)_nk / sqrt(...) = sum_j T_nj (j+1/2) T_kj.
        T = [
            [diagonal / (n + fmpq(1, 2)) if n == k else fmpq(below if n > k else above) for k in range(N)]
            for n in range(N)
        ]
        gram = [
            sum((T[n][j] * (j + fmpq(1, 2)) * T[k][j] for j in range(N)), fmpq(0)) for n in range(N) for k in range(N)
        ]
        return entries + gram

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """Sign times square of A_nk + P_n P_k, then S^T S."""
        N = case["N"]
        # A_nk / (R_n R_k): -1, -(n+1)/(2n+1), 0; the rank-one term adds 1/2.
        S = [
            [fmpq(1, 2) - (1 if n > k else fmpq(n + 1, 2 * n + 1) if n == k else 0) for k in range(N)] for n in range(N)
        ]
        entries = [
            (1 if S[n][k] > 0 else -1) * S[n][k] ** 2 * (2 * n + 1) * (2 * k + 1) for n in range(N) for k in range(N)
        ]
        gram = [
            sum((4 * S[j][n] * (j + fmpq(1, 2)) * S[j][k] for j in range(N)), fmpq(0))
            for n in range(N)
            for k in range(N)
        ]
        return entries + gram


def _one_column(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """b = e_0 at s = 1: the transfer function of component 0 differs by 1/4 for every N."""
    rows, certified = [], True
    for N in (2, 4, 8, 16, 32):
        # Coordinates x_n / R_n; R_0 = 1, so that e_0 stays e_0.
        A = [[-(2 * k + 1) if n > k else -(n + 1) if n == k else 0 for k in range(N)] for n in range(N)]
        column = fmpq_mat([[fmpq(int(n == 0))] for n in range(N)])
        full = fmpq_mat([[fmpq(int(n == k) - A[n][k]) for k in range(N)] for n in range(N)]).solve(column)
        half = fmpq_mat([[int(n == k) - A[n][k] - fmpq(2 * k + 1, 2) for k in range(N)] for n in range(N)]).solve(
            column
        )
        difference = full[0, 0] - half[0, 0] / 2
        certified &= difference == fmpq(1, 4)
        rows.append({"case": f"N = {N}, b = e_0, s = 1, component 0", "numbers": f"difference {difference} exactly"})
    return rows, certified


@claim(
    "s5.cor",
    title="With several inputs the restriction converges if every column of B is a multiple of that of LegS",
    statement=(
        r"Let $B = R c^T \in \mathbb{R}^{N \times H}$, $R_n = \sqrt{2n+1}$. Then $(s I - A^{(N)})^{-1} \frac12 B = \frac{1}{1 +"
        r" q_N(s)} (s I - A)^{-1} B$, $q_N = \prod_{k<N} \frac{s-k}{s+k+1}$: the systems with $H$ inputs converge weakly, at"
        r" the rate $\frac1N$ on the imaginary axis, as with one input. For other $B$ they do not."
    ),
    source=_S5
    + ", corollary on several inputs, as it is usually quoted; the closed form and the exception derived here",
    domain="N = 1, ..., 8 (full: 16), H = 3 with c = (1, -2, 3/5), s = 1/2, 7/3, 5; exact rationals",
    routes=("the products over 1 + q", "exact linear solves with the normal part, column by column"),
    relation=IDENTICAL,
    expected="REFINED",
    corruptions=[{"half": _HALF + _PART}, {"zero": _PART}, {"pole": 2}, {"one": 1 + _PART}],
    counterexample=Counterexample(
        r"For every $B \in \mathbb{R}^{N \times H}$ the system $(A^{(N)}, \frac12 B)$ tends to $(A, B)$.", _one_column
    ),
    tags=("s5", "legs", "convergence", "exact"),
    related=("s4d.thm3",),
    figure="transfer-spikes",
)
class SeveralInputs:
    """Rationals in the coordinates x_n / R_n."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes and points."""
        for N in range(1, 9 if effort == "quick" else 17):
            for s in (Fraction(1, 2), Fraction(7, 3), Fraction(5)):
                yield {"N": N, "s": s}

    @staticmethod
    def claimed(case: Case, *, half: Any = _HALF, zero: Any = 0, pole: int = 1, one: Any = 1) -> list[Any]:
        """All components of all columns."""
        N, s = case["N"], fmpq(case["s"].numerator, case["s"].denominator)
        q, X, transfers = fmpq(1), 1 / (s + 1), []
        for k in range(N):
            transfers.append(X)
            X = X * (s - k) / (s + k + 2)
            q = q * (s - k - zero) / (s + k + pole)
        return [2 * half * x * c / (one + q) for c in (fmpq(1), fmpq(-2), fmpq(3, 5)) for x in transfers]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """(s - S)^-1 B/2."""
        N, s = case["N"], fmpq(case["s"].numerator, case["s"].denominator)
        S = [
            [fmpq(2 * k + 1, 2) - (2 * k + 1 if n > k else n + 1 if n == k else 0) for k in range(N)] for n in range(N)
        ]
        columns = fmpq_mat([[c / 2 for c in (fmpq(1), fmpq(-2), fmpq(3, 5))] for _ in range(N)])
        solved = fmpq_mat([[s * int(n == k) - S[n][k] for k in range(N)] for n in range(N)]).solve(columns)
        return [solved[n, h] for h in range(3) for n in range(N)]


@claim(
    "s5.bug",
    title="The lower triangular matrix that is passed off as HiPPO-N is neither normal nor has its spectrum",
    statement=(
        r"The matrix with $+R_n R_k$ below the diagonal and $-(n+1)$ on it, $R_n = \sqrt{2n+1}$, has the characteristic"
        r" polynomial $\prod_{n<N} (x + n + 1)$, that is the eigenvalues $-1, \dots, -N$, and is not normal for $N \ge 2$."
        r" HiPPO-N has $\Re \lambda = -\frac12$ throughout."
    ),
    source="public implementations, against " + _S5 + ", eq. (11); as in notes",
    domain="N = 2, ..., 16, exact integers in the coordinates x_n / R_n",
    routes=("the stated product", "characteristic polynomial of the matrix"),
    relation=IDENTICAL,
    expected="REFINED",
    corruptions=[{"first": 0}, {"step": 2}, {"sign": -1}],
    counterexample=Counterexample(
        r"HiPPO-N is the lower triangular matrix with $+R_n R_k$ below the diagonal and $-(n+1)$ on it.",
        lambda effort: (
            [
                {
                    "case": "N = 2: T = (-1, 0; sqrt 3, -2)",
                    "numbers": f"(T T^T - T^T T)_00 = {1 - (1 + 3)}; trace {-1 - 2} instead of -1",
                }
            ],
            (-1) ** 2 != (-1) ** 2 + 3 and -1 - 2 != -1,
        ),
    ),
    tags=("s5", "legs", "exact"),
    related=("s5.hippoN",),
    figure="family-tree-matrices",
)
class WrongMatrix:
    """Polynomials."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Sizes."""
        for N in range(2, 17):
            yield {"N": N}

    @staticmethod
    def claimed(case: Case, *, first: int = 1, step: int = 1, sign: int = 1) -> Any:
        """The product."""
        value = fmpq_poly([1])
        for n in range(case["N"]):
            value *= fmpq_poly([sign * (step * n + first), 1])
        return value

    @staticmethod
    def computed(case: Case) -> Any:
        """Of the matrix."""
        N = case["N"]
        rows = [[fmpq(2 * k + 1 if n > k else -(n + 1) if n == k else 0) for k in range(N)] for n in range(N)]
        return fmpq_mat(rows).charpoly()


def _untied(effort: str) -> tuple[list[dict[str, Any]], bool]:
    """Two inputs with different state matrices."""
    # Two steps of scalar systems with multipliers 1/2 and 1/3 and unit inputs, against one with either multiplier.
    summed = (1 + fmpq(1, 2)) + (1 + fmpq(1, 3))
    tied = [2 * (1 + a) for a in (fmpq(1, 2), fmpq(1, 3))]
    row = {
        "case": "N = 1, H = 2, multipliers 1/2 and 1/3, inputs 1, 1",
        "numbers": f"sum of states {summed}, one system {tied}",
    }
    return [row], all(summed != value for value in tied)


@claim(
    "s5.prop",
    title="An S5 system is the sum of H tied S4 systems",
    statement=(
        r"If $x^{(h)}_l = \Lambda x^{(h)}_{l-1} + B_{:, h} u^{(h)}_l$ share $\Lambda$ (hence the step), then $x_l = \sum_h"
        r" x^{(h)}_l$ satisfies $x_l = \Lambda x_{l-1} + B u_l$, and the outputs are $C x_l = C^{eq} (x^{(1)}_l, \dots,"
        r" x^{(H)}_l)$ with $C^{eq} = (C, \dots, C)$."
    ),
    source=_S5 + ", proposition on the relation to S4, as it is usually quoted",
    domain="N = 2, H = 1, 2, 3, L = 4, symbols for all of Lambda, B, C, u",
    routes=("the H systems, summed by the block row of C", "one system with all inputs"),
    relation=IDENTICAL,
    expected="REFINED",
    corruptions=[{"scale": 1 + sympy.Rational(1, 10**6)}, {"shift": 1}],
    counterexample=Counterexample(
        r"The same holds for $H$ systems that differ in the step, as those of an S4 layer do.", _untied
    ),
    tags=("s5", "exact"),
)
class TiedSystems:
    """Polynomials in all entries."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Numbers of inputs."""
        for H in (1, 2, 3):
            yield {"H": H, "L": 4}

    @staticmethod
    def claimed(case: Case, *, scale: Any = 1, shift: int = 0) -> list[Any]:
        """From the separate states."""
        H, L = case["H"], case["L"]
        rates = sympy.symbols("a0:2")
        B, C = sympy.symbols(f"b0:{2 * H}"), sympy.symbols("c0:2")
        u = sympy.symbols(f"u0:{H * L}")
        states = [[sympy.Integer(0)] * 2 for _ in range(H)]
        values = []
        for step in range(L):
            for h in range(H):
                states[h] = [rates[n] * states[h][n] + B[2 * h + n] * u[H * step + (h + shift) % H] for n in range(2)]
            values.append(sympy.expand(scale * sum(C[n] * states[h][n] for h in range(H) for n in range(2))))
        return values

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """x_l = Lambda x + B u."""
        H, L = case["H"], case["L"]
        Lambda = sympy.diag(*sympy.symbols("a0:2"))
        B = sympy.Matrix(H, 2, sympy.symbols(f"b0:{2 * H}")).T
        C = sympy.Matrix([sympy.symbols("c0:2")])
        u = sympy.Matrix(L, H, sympy.symbols(f"u0:{H * L}"))
        state, values = sympy.zeros(2, 1), []
        for step in range(L):
            state = Lambda * state + B * u[step, :].T
            values.append(sympy.expand((C * state)[0, 0]))
        return values


@claim(
    "s5.scan",
    title="The operation of the parallel scan is associative",
    statement=(
        r"$(A_j, b_j) \circ (A_i, b_i) = (A_j A_i, A_j b_i + b_j)$ is associative, for matrices $A$ of any size, and its"
        r" prefixes are the states of $x_l = A_l x_{l-1} + b_l$, $x_{-1} = 0$."
    ),
    source=_S5 + ", appendix on the parallel scan, as in the authors' code",
    domain="all matrices and vectors (noncommuting symbols); the step from any prefix to the next, by induction every length",
    routes=(
        "grouped to the left, by the stated formula",
        "grouped to the right, by the package's operation; the recurrence",
    ),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[{"gain": 1 + sympy.Rational(1, 10**6)}, {"swapped": True}, {"sign": -1}],
    tags=("s5", "lru", "exact"),
)
class AssociativeScan:
    """Noncommuting symbols stand for matrices of any size."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        """Three factors, four, and one more on any prefix (P, x); the first prefix is (A_0, b_0), x_0 = b_0."""
        yield {"factors": 3}
        yield {"factors": 4}
        yield {"factors": "one more"}

    @staticmethod
    def claimed(case: Case, *, gain: Any = 1, swapped: bool = False, sign: int = 1) -> list[Any]:
        """((4 o 3) o 2) o 1."""
        count = case["factors"]
        if count == "one more":
            P, x, A, b = sympy.symbols("P x A b", commutative=False)
            following = sympy.expand(gain * A * x + sign * b)
            return [P * A if swapped else A * P, following, following]
        pairs = list(
            zip(
                sympy.symbols(f"A1:{count + 1}", commutative=False),
                sympy.symbols(f"b1:{count + 1}", commutative=False),
                strict=True,
            )
        )
        A, b = pairs[-1]
        for earlier, offset in reversed(pairs[:-1]):
            product = earlier * A if swapped else A * earlier
            A, b = sympy.expand(product), sympy.expand(gain * A * offset + sign * b)
        return [A, b]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        """4 o (3 o (2 o 1)): each later pair applied to the prefix, which is also the recurrence."""
        count = case["factors"]
        if count == "one more":
            P, x, A, b = sympy.symbols("P x A b", commutative=False)
            return [*(sympy.expand(part) for part in combine((A, b), (P, x))), sympy.expand(A * x + b)]
        matrices = sympy.symbols(f"A1:{count + 1}", commutative=False)
        vectors = sympy.symbols(f"b1:{count + 1}", commutative=False)
        prefix = (matrices[0], vectors[0])
        state = vectors[0]
        for A, b in zip(matrices[1:], vectors[1:], strict=True):
            prefix = combine((A, b), prefix)
            state = A * state + b
        if sympy.expand(prefix[1] - state) != 0:
            return []
        return [sympy.expand(prefix[0]), sympy.expand(prefix[1])]
