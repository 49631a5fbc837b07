"""S4: every HiPPO matrix is normal plus low rank; its terms for each family, and stability when they are tied."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import acb, acb_mat, arb, fmpq

from hippo_theory.arithmetic import balls, exact
from hippo_theory.claims.registry import Case, Counterexample, claim
from hippo_theory.claims.relations import EQUAL, IDENTICAL
from hippo_theory.decompositions import normal_plus_low_rank
from hippo_theory.families import FouT, LagT, LegS, LegT

__all__: list[str] = []

SMALL = Fraction(1000001, 1000000)
CODE = "S4, Theorem 1 and its proof; the code of its authors (rank_correction)"


@claim(
    "s4.thm1",
    title="Every HiPPO matrix is normal plus low rank",
    statement=r"LegS, LagT, LegT and FouT: $A = V \Lambda V^* - (V P)(V P)^*$ with $V$ unitary, $\Lambda$ diagonal and $P$ of"
    r" $r$ columns, $r = 1$ for LegS, LagT, FouT and $r = 2$ for LegT (FouT: the HiPPO family of 2022). Here $Q = P$.",
    source="S4, Theorem 1 (LegS, LagT, LegT)",
    domain="N = 1, 3, 7, 8 (full: 32; FouT odd), balls of 250 bits: all entries of A and of V V^*, and r",
    routes=("the entries of A, the identity and r", "certified eigenvalues and eigenvectors, multiplied out"),
    relation=EQUAL,
    expected="CERTIFIED",
    corruptions=[
        {"legs": SMALL},
        {"lagt": Fraction(1, 2) * SMALL},
        {"legt": 1},
        {"fout": 2 * SMALL},
        {"columns": 1},
        {"unit": SMALL},
    ],
    tags=("legs", "lagt", "legt", "fout"),
    related=("s4.thm1.normal", "s4.nplr.legs", "s4.nplr.lagt", "s4.nplr.legt", "s4.nplr.fout"),
    figure="family-tree-matrices",
)
class NormalPlusLowRankTheorem:
    """Complex balls."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for family in ("legs", "lagt", "legt", "fout"):
            for N in (1, 3, 7, 8) if effort == "quick" else (1, 3, 7, 8, 16, 31, 32):
                if family != "fout" or N % 2:
                    yield {"family": family, "N": N}

    @staticmethod
    def claimed(
        case: Case,
        *,
        legs: Fraction = Fraction(1),
        lagt: Fraction = Fraction(1, 2),
        legt: int = -1,
        fout: Fraction = Fraction(2),
        columns: int = 2,
        unit: Fraction = Fraction(1),
    ) -> list[Any]:
        with balls(250).work() as ring:
            N, values = case["N"], []
            for n in range(N):
                for k in range(N):
                    root = arb((2 * n + 1) * (2 * k + 1)).sqrt()
                    if case["family"] == "legs":
                        value = -root if n > k else -ring.number(n + legs) if n == k else arb(0)
                    elif case["family"] == "lagt":
                        value = arb(-1 if n > k else 0) - (ring.number(lagt) if n == k else 0)
                    elif case["family"] == "legt":
                        value = -root * (1 if k <= n else legt ** (k - n))
                    else:
                        b = [arb(1) if m == 0 else arb(2 * (m % 2)).sqrt() for m in (n, k)]
                        turn = ring.number(fout) * arb.pi() * ((max(n, k) + 1) // 2)
                        pair = min(n, k) % 2 == 1 and abs(n - k) == 1
                        value = -2 * b[0] * b[1] + ((turn if n > k else -turn) if pair else 0)
                    values.append(value)
            identity = [ring.number(unit) if n == k else arb(0) for n in range(N) for k in range(N)]
            return [acb(value) for value in (*values, *identity, arb(columns if case["family"] == "legt" else 1))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        N, family = case["N"], {"legs": LegS, "lagt": LagT, "legt": LegT, "fout": FouT}[case["family"]](case["N"])
        with balls(250).work() as ring:
            parts = normal_plus_low_rank(family, ring)
            V, P = acb_mat(parts.V.tolist()), acb_mat(parts.P.tolist())
            adjoint = acb_mat([[V[n, k].conjugate() for n in range(N)] for k in range(N)])
            rotated = V * P
            tied = acb_mat([[rotated[n, k].conjugate() for n in range(N)] for k in range(parts.rank)])
            Lambda = acb_mat([[parts.Lambda[n] if n == k else acb(0) for k in range(N)] for n in range(N)])
            A, identity = V * Lambda * adjoint - rotated * tied, V * adjoint
            entries = [matrix[n, k] for matrix in (A, identity) for n in range(N) for k in range(N)]
            return [*entries, acb(parts.rank)]


@claim(
    "s4.thm1.normal",
    title="The normal part of every HiPPO matrix is normal, exactly",
    statement=r"$S = A + \kappa P P^T$ with $\kappa = 1$ satisfies $S S^T = S^T S$ for LegS ($P_n = \sqrt{n+1/2}$),"
    r" LagT ($P_n = \sqrt{1/2}$), LegT (two columns: the even and the odd entries of $\sqrt{2n+1}$) and FouT ($P = \sqrt2 b$).",
    source=CODE,
    domain="N = 1, ..., 5 (full: 9; FouT odd), exact algebraic numbers",
    routes=("S S^T from the formulas of A and P", "S^T S of the family's normal part"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[
        {"kappa": SMALL},
        {"legs": Fraction(1, 2) * SMALL},
        {"lagt": Fraction(1, 2) * SMALL},
        {"split": 1},
        {"fout": 3},
    ],
    tags=("legs", "lagt", "legt", "fout", "exact"),
    related=("s4.thm1",),
    figure="rank-one-perturbations",
)
class Normality:
    """sympy numbers; products of square roots are collected by expansion."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for family in ("legs", "lagt", "legt", "fout"):
            for N in range(1, 6 if effort == "quick" else 10):
                if family != "fout" or N % 2:
                    yield {"family": family, "N": N}

    @staticmethod
    def claimed(
        case: Case,
        *,
        kappa: Fraction = Fraction(1),
        legs: Fraction = Fraction(1, 2),
        lagt: Fraction = Fraction(1, 2),
        split: int = 2,
        fout: int = 2,
    ) -> list[Any]:
        import sympy

        N, name = case["N"], case["family"]
        root = [sympy.sqrt(2 * n + 1) for n in range(N)]
        b = [sympy.sqrt(2 * (n % 2)) if n else sympy.Integer(1) for n in range(N)]
        scale = sympy.Rational(kappa.numerator, kappa.denominator)

        def entry(n: int, k: int) -> Any:
            """A + kappa P P^T."""
            if name == "legs":
                a = -root[n] * root[k] if n > k else sympy.Integer(-(n + 1) * int(n == k))
                share = sympy.Rational(legs.numerator, legs.denominator)
                return a + scale * sympy.sqrt(n + share) * sympy.sqrt(k + share)
            if name == "lagt":
                share = sympy.Rational(lagt.numerator, lagt.denominator)
                return scale * share - (1 if n > k else sympy.Rational(int(n == k), 2))
            if name == "legt":
                a = -root[n] * root[k] * (1 if k <= n else (-1) ** (n - k))
                return a + scale * root[n] * root[k] * int((n - k) % split == 0)
            a = -2 * b[n] * b[k]
            if min(n, k) % 2 == 1 and abs(n - k) == 1:
                a += (1 if n > k else -1) * 2 * sympy.pi * ((max(n, k) + 1) // 2)
            return a + scale * fout * b[n] * b[k]

        S = sympy.Matrix(N, N, entry)
        return [sympy.expand(value) for value in S * S.T]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        family = {"legs": LegS, "lagt": LagT, "legt": LegT, "fout": FouT}[case["family"]](case["N"])
        S = sympy.Matrix(family.normal_part(exact()).tolist())
        return [sympy.expand(value) for value in S.T * S]


WHERE = ("below", "diagonal", "above")


@claim(
    "s4.nplr.legs",
    title="LegS: normal plus rank one",
    statement=r"LegS: $A = S - P P^T$ with $P_n = \sqrt{n + 1/2}$, $S_{nn} = -\frac12$, $S_{nk} = -\frac12 R_n R_k$ for $n > k$,"
    r" $+\frac12 R_n R_k$ for $n < k$, $R_n = \sqrt{2n+1}$: $S + \frac12 I$ is skew, so $S$ is normal, for every $N$.",
    source=CODE,
    domain="every entry below, on and above the diagonal, symbolic in R_n and R_k",
    routes=("S - P P^T", "the entries of A of LegS"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[
        {"shift": Fraction(1, 2) * SMALL},
        {"real": Fraction(-1, 2) * SMALL},
        {"lower": Fraction(-1, 2) * SMALL},
        {"upper": Fraction(1, 2) * SMALL},
    ],
    tags=("legs", "symbolic"),
    related=("s4.thm1", "s4d.nplr"),
    figure="rank-one-perturbations",
)
class LegsLowRank:
    """With r = R_n, q = R_k: n = (r^2 - 1)/2."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield from ({"entries": where} for where in WHERE)

    @staticmethod
    def claimed(
        case: Case,
        *,
        shift: Fraction = Fraction(1, 2),
        real: Fraction = Fraction(-1, 2),
        lower: Fraction = Fraction(-1, 2),
        upper: Fraction = Fraction(1, 2),
    ) -> list[Any]:
        import sympy

        r, q = sympy.symbols("r q", positive=True)
        a, b, c, d = (sympy.Rational(x.numerator, x.denominator) for x in (shift, real, lower, upper))
        P = [sympy.sqrt(sympy.expand((x**2 - 1) / 2 + a)) for x in (r, q)]
        S = {"below": c * r * q, "diagonal": b, "above": d * r * q}[case["entries"]]
        product = P[0] ** 2 if case["entries"] == "diagonal" else P[0] * P[1]
        return [sympy.expand(S - product)]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        r, q = sympy.symbols("r q", positive=True)
        n = sympy.expand((r**2 - 1) / 2)
        entries = {"below": -r * q, "diagonal": sympy.expand(-(n + 1)), "above": sympy.Integer(0)}
        return [entries[case["entries"]]]


@claim(
    "s4.nplr.lagt",
    title="LagT: skew plus rank one",
    statement=r"LagT in the form $A = \frac12 I - T$, $T$ the triangle of ones: $A = S - P P^T$ with $P_n = \sqrt{1/2}$,"
    r" $S_{nk} = -\frac12$ for $n > k$, $0$ on and $\frac12$ above the diagonal: $S$ is skew, its spectrum"
    r" imaginary, for every $N$.",
    source=CODE,
    domain="every entry below, on and above the diagonal: they depend only on the sign of n - k, so every N",
    routes=("S - P P^T", "I/2 - T"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[
        {"square": Fraction(1, 2) * SMALL},
        {"real": Fraction(1, 10**6)},
        {"half": Fraction(1, 2) * SMALL},
        {"sign": 1},
    ],
    tags=("lagt", "symbolic"),
    related=("s4.thm1",),
    figure="rank-one-perturbations",
)
class LagtLowRank:
    """The entries depend only on the sign of n - k."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield from ({"entries": where} for where in WHERE)

    @staticmethod
    def claimed(
        case: Case,
        *,
        square: Fraction = Fraction(1, 2),
        real: Fraction = Fraction(0),
        half: Fraction = Fraction(1, 2),
        sign: int = -1,
    ) -> list[Any]:
        return [{"below": sign * half, "diagonal": real, "above": -sign * half}[case["entries"]] - square]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        identity = Fraction(int(case["entries"] == "diagonal"))
        triangle = int(case["entries"] != "above")
        return [identity / 2 - triangle]


@claim(
    "s4.nplr.legt",
    title="LegT: skew plus rank two, also after halving",
    statement=r"LegT on $[0,1]$: $A = S - P P^T$ with $P$ the even and the odd entries of $R_n = \sqrt{2n+1}$ as two columns,"
    r" $S_{nk} = -R_n R_k$ for $n - k$ odd and positive, $+R_n R_k$ for $n - k$ odd and negative, $0$ for $n - k$ even. Halved"
    r" (window $[0,2]$, as the code stores it): $A/2$, $S/2$, $2^{-1/2} P$. $S$ is skew, for every $N$.",
    source=CODE,
    domain="every entry, by the sign and the parity of n - k, symbolic in R_n and R_k, whole and halved",
    routes=("S - P P^T", "the entries of A of LegT"),
    relation=IDENTICAL,
    expected="PROVED",
    corruptions=[
        {"lower": -1 * SMALL},
        {"upper": SMALL},
        {"even": 1},
        {"masked": 0},
        {"root": Fraction(1, 2) * SMALL},
        {"rate": Fraction(1)},
    ],
    tags=("legt", "symbolic", "conventions"),
    related=("s4.thm1", "hippo.thm1.legt"),
    figure="rank-one-perturbations",
)
class LegtLowRank:
    """r = R_n, q = R_k."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for halved in (False, True):
            for entries in ("below odd", "below even", "diagonal", "above odd", "above even"):
                yield {"entries": entries, "halved": halved}

    @staticmethod
    def claimed(
        case: Case,
        *,
        lower: Fraction = Fraction(-1),
        upper: Fraction = Fraction(1),
        even: int = 0,
        masked: int = 1,
        root: Fraction = Fraction(1, 2),
        rate: Fraction = Fraction(1, 2),
    ) -> list[Any]:
        # `masked`: whether even and odd entries are apart, as they must be; `root`: the square of the factor 2^(-1/2).
        import sympy

        r, q = sympy.symbols("r q", positive=True)
        a, b, c, d = (sympy.Rational(x.numerator, x.denominator) for x in (lower, upper, root, rate))
        odd = case["entries"].endswith("odd")
        S = (a if case["entries"].startswith("below") else b) if odd else sympy.Integer(even)
        P = sympy.Integer(0 if odd and masked else 1)
        S, P = (d * S, c * P) if case["halved"] else (S, P)
        return [sympy.expand((S - P) * r * (r if case["entries"] == "diagonal" else q))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        r, q = sympy.symbols("r q", positive=True)
        sign = -1 if case["entries"] == "above odd" else 1  # (-1)^(n-k) above the diagonal
        half = sympy.Rational(1, 2) if case["halved"] else sympy.Integer(1)
        return [-half * sign * r * (r if case["entries"] == "diagonal" else q)]


@claim(
    "s4.nplr.fout",
    title="FouT as stored by S4: rank one, and a state that nothing reaches",
    statement=r"The code's FouT (halved, even $N$): $A = S - b b^T$, $b = (1, 0, \sqrt2, 0, \sqrt2, 0, \dots)$, $S$ skew with"
    r" $\mp \pi m$ between cosine and sine of frequency $m$. The sine of frequency 0, at index 1, is decoupled:"
    r" $\det(sI - S) = s^2 \prod_{m=1}^{N/2-1} (s^2 + \pi^2 m^2)$ has a double zero, the input vector $b$ a zero there.",
    source="code of S4's authors (nplr, with a special case for this family)",
    domain="N = 2, 4, 6, 8 (full: 12), exact: all entries of A, the characteristic polynomial, B",
    routes=("the formulas", "matrices of the family, determinant by sympy"),
    relation=IDENTICAL,
    expected="CERTIFIED",
    corruptions=[{"turn": 2}, {"cosine": 3}, {"zeros": 1}, {"dead": 1}, {"sign": 1}],
    tags=("fout", "exact", "conventions"),
    related=("s4.thm1", "s4.nplr.fout.index"),
    figure="rank-one-perturbations",
)
class FoutLowRank:
    """sympy numbers, with pi a symbol of its own."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for N in (2, 4, 6, 8) if effort == "quick" else (2, 4, 6, 8, 10, 12):
            yield {"N": N}

    @staticmethod
    def claimed(
        case: Case, *, turn: int = 1, cosine: int = 2, zeros: int = 2, dead: int = 0, sign: int = -1
    ) -> list[Any]:
        import sympy

        N, s = case["N"], sympy.symbols("s")
        b = [sympy.Integer(0)] * N
        b[0], b[1] = sympy.Integer(1), sympy.Integer(dead)
        for m in range(1, N // 2):
            b[2 * m] = sympy.sqrt(cosine)
        A = sympy.Matrix(N, N, lambda n, k: sign * b[n] * b[k])
        for m in range(1, N // 2):
            A[2 * m, 2 * m + 1] -= turn * m * sympy.pi
            A[2 * m + 1, 2 * m] += turn * m * sympy.pi
        polynomial = s**zeros * sympy.prod([s**2 + (turn * m * sympy.pi) ** 2 for m in range(1, N // 2)])
        return [*A, sympy.expand(polynomial), *b]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        s, family = sympy.symbols("s"), FouT(case["N"], "fout", "s4")
        A = sympy.Matrix(family.state_matrix(exact()).tolist())
        S = (A - A.T) / 2  # the skew part
        B = [sympy.nsimplify(value) for value in family.input_vector(exact())]
        return [*(sympy.expand(value) for value in A), sympy.expand(S.charpoly(s).as_expr()), *B]


def _doubled(effort: str) -> tuple[list[dict[str, Any]], bool]:
    rows, certified = [], True
    with balls(128).work():
        for N in (3, 5, 9):
            # the literal index: 2 pi n below the diagonal for n - k = 1, k odd, so 4 pi m; at s = 2 pi i the true
            # polynomial vanishes and this one does not
            s = acb(0, 2 * arb.pi())
            value = s
            for m in range(1, (N + 1) // 2):
                value *= s * s + (4 * m * arb.pi()) ** 2
            certified = certified and not value.contains(0)
            text = f"literal reading at s = 2 pi i: {value.imag.str(8)} i, not 0"
            rows.append({"case": f"N = {N}", "numbers": text, "margin": None})
    return rows, certified


@claim(
    "s4.nplr.fout.index",
    title="FouT: the rotation has the frequencies 2 pi m",
    statement=r"FouT on $[0,1]$ in the order 1, cos 1, sin 1, cos 2, ...: $A + 2 b b^T$ has the entries $\pi (k+1) = 2 \pi m$ at"
    r" $(n, k) = (2m, 2m-1)$ and the negative at $(2m-1, 2m)$; its characteristic polynomial is $s \prod (s^2 + (2 \pi m)^2)$.",
    source="HTTYH, theorem on truncated Fourier, as notes on it print the matrix (index read literally: $2 \\pi n$); code of S4",
    domain="N = 1, 3, 5, 9 (full: 15), exact",
    routes=("the product", "the family's normal part, determinant by sympy"),
    relation=IDENTICAL,
    expected="REFINED",
    corruptions=[{"turn": 4}, {"turn": 1}, {"zeros": 2}, {"first": 0}],
    counterexample=Counterexample(
        r"The entry at $(n, k)$ with $n - k = 1$, $k$ odd, is $2 \pi n$ (index read literally): the frequencies are $4 \pi m$.",
        _doubled,
    ),
    tags=("fout", "exact", "erratum"),
    related=("s4.nplr.fout",),
    figure="spectra",
)
class FoutIndex:
    """The polynomial, with the entries of one column below the diagonal."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        for N in (1, 3, 5, 9) if effort == "quick" else (1, 3, 5, 9, 15):
            yield {"N": N}

    @staticmethod
    def claimed(case: Case, *, turn: int = 2, zeros: int = 1, first: int = 1) -> list[Any]:
        import sympy

        s, pairs = sympy.symbols("s"), (case["N"] - 1) // 2
        frequencies = [turn * (m + first) * sympy.pi for m in range(pairs)]
        return [sympy.expand(s**zeros * sympy.prod([s**2 + w**2 for w in frequencies])), *frequencies]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        s, N = sympy.symbols("s"), case["N"]
        S = sympy.Matrix(FouT(N).normal_part(exact()).tolist())
        return [sympy.expand(S.charpoly(s).as_expr()), *(S[2 * m, 2 * m - 1] for m in range(1, (N + 1) // 2))]


def _untied(effort: str) -> tuple[list[dict[str, Any]], bool]:
    rows, certified = [], True
    for decay, P, Q in ((fmpq(-1, 2), fmpq(1), fmpq(-1)), (fmpq(-1), fmpq(3), fmpq(-1, 2))):
        eigenvalue = decay - P * Q
        certified = certified and eigenvalue > 0
        text = f"N = 1, Lambda = {decay}, P = {P}, Q = {Q}"
        rows.append({"case": text, "numbers": f"eigenvalue {eigenvalue}, positive", "margin": None})
    return rows, certified


@claim(
    "s4.sashimi",
    title="Tied low-rank terms keep S4 stable",
    statement=r"$A = \Lambda - P P^*$ satisfies $x^* (A + A^*) x = 2 \sum_j \Re(\lambda_j) |x_j|^2 - 2 |P^* x|^2$ for"
    r" every $x$ and $P$: with $\Re \lambda_j < 0$ all eigenvalues have a negative real part, at most $\max_j \Re \lambda_j$."
    r" With $P Q^*$ this fails.",
    source="SaShiMi's change of S4, as described in state-spaces/s4 (issue 76) and its code",
    domain="the entries of A + A^* on and off the diagonal, all parameters symbolic: every N and every P",
    routes=("the form in real and imaginary parts", "A + A^* between two vectors, multiplied out by sympy"),
    relation=IDENTICAL,
    expected="REFINED",
    corruptions=[{"decay": 3}, {"tied": 1}, {"sign": 1}],
    counterexample=Counterexample(
        r"$\Lambda - P Q^*$ with $\Re \lambda_j < 0$ is stable for every $P$ and $Q$.", _untied
    ),
    tags=("symbolic", "stability"),
    figure="rank-one-perturbations",
)
class TiedLowRank:
    """Parts of lambda, P and x are real symbols; the form for two coordinates holds every kind of entry."""

    @staticmethod
    def cases(effort: str) -> Iterator[Case]:
        yield {"entries": "j = k and j != k, symbolic"}

    @staticmethod
    def claimed(case: Case, *, decay: int = 2, tied: int = 2, sign: int = -1) -> list[Any]:
        import sympy

        a, p, q, x, y = (sympy.symbols(f"{letter}0 {letter}1", real=True) for letter in ("a", "p", "q", "x", "y"))
        # x + i y, P = p + i q: |x_j|^2 and |P^* x|^2 in real parts
        total = sum(decay * a[j] * (x[j] ** 2 + y[j] ** 2) for j in (0, 1))
        re = sum(p[j] * x[j] + q[j] * y[j] for j in (0, 1))
        im = sum(p[j] * y[j] - q[j] * x[j] for j in (0, 1))
        return [sympy.expand(total + sign * tied * (re**2 + im**2))]

    @staticmethod
    def computed(case: Case) -> list[Any]:
        import sympy

        a, b, p, q, x, y = (sympy.symbols(f"{letter}0 {letter}1", real=True) for letter in "abpqxy")
        P = sympy.Matrix([p[j] + sympy.I * q[j] for j in (0, 1)])
        A = sympy.diag(*(a[j] + sympy.I * b[j] for j in (0, 1))) - P * P.H
        state = sympy.Matrix([x[j] + sympy.I * y[j] for j in (0, 1)])
        return [sympy.expand((state.H * (A + A.H) * state)[0, 0])]
