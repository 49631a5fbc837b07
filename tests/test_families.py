"""Properties that every family has, under every convention, and the exact identities that tie the papers together.

Matrices were compared with their sources in test_conventions.py. Here everything that a family knows in closed form is
compared with dense linear algebra in balls (solve, exp, eig), with quadrature, or with explicit polynomials.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import scipy.linalg
from flint import acb, acb_mat, arb, arb_mat, fmpq, fmpq_mat
from helpers import ALL_FAMILIES, family_id

from hippo_theory.arithmetic import balls, exact, is_narrow, mpmath_numbers, rationals, to_ball
from hippo_theory.errors import CertificationError, InputError
from hippo_theory.families import FouT, LagT, LegS, LegT, make_family

RING = balls(250)
POINTS = [(Fraction(1, 2), Fraction(0)), (Fraction(3, 10), Fraction(11, 10)), (Fraction(0), Fraction(5))]
TIMES = (Fraction(0), Fraction(1, 3), Fraction(27, 10))

every_family = pytest.mark.parametrize("family", ALL_FAMILIES, ids=family_id)


def is_decomposable(family):
    """Whether A is normal minus low rank as the convention writes it, by its definition."""
    return (
        family.form.sign == 1
        and family.variant != "lmu"
        and family.convention != "glagt"
        and not getattr(family, "alpha", 0)
    )


def has_basis(family):
    """Whether the kernels tend to an orthonormal basis times a weight: not the rescaled ones and not half the rank term."""
    is_rescaled = family.variant == "lmu" or family.convention == "glagt"
    return (
        not is_rescaled
        and not family.variant.startswith("fourier-")
        and (family.name, family.convention) != ("fout", "hippo2020")
    )


decomposable = pytest.mark.parametrize("family", [f for f in ALL_FAMILIES if is_decomposable(f)], ids=family_id)
orthonormal = pytest.mark.parametrize("family", [f for f in ALL_FAMILIES if has_basis(f)], ids=family_id)


def agree(left, right, digits=40):
    """Both balls enclose the same number: they overlap, and both are narrow."""
    return bool(acb(left).overlaps(acb(right))) and is_narrow(left, digits) and is_narrow(right, digits)


def meets(ball, number, digits=40):
    """A narrow ball against an mpmath number that is right to `digits` digits, relatively or to 10^-digits."""
    reference = acb(number) if hasattr(number, "_mpc_") else arb(number)
    blur = arb(0, (abs(reference) + 1) * arb(10) ** -digits)
    return bool(acb(ball).overlaps(reference + acb(blur, blur))) and is_narrow(ball, digits)


def stable_matrix(family, ring=RING):
    """A of x' = A x + B u, also where the convention writes c' = -A c + B f."""
    A = family.state_matrix(ring)
    return -A if family.form.sign == -1 else A


def solve(A, B, s):
    """(s I - A)^-1 B by a dense ball solve."""
    shifted = [[(s if n == k else 0) - a for k, a in enumerate(row)] for n, row in enumerate(A)]
    solution = acb_mat(shifted).solve(acb_mat([[b] for b in B]))
    return [solution[n, 0] for n in range(len(B))]


def point(real, imaginary):
    return acb(RING.number(real), RING.number(imaginary))


# --- normality, stability ----------------------------------------------------------------------------------------------


def commutator(S):
    """S S^T - S^T S; zero for a real normal matrix."""
    return S @ S.T - S.T @ S


@decomposable
def test_a_plus_the_low_rank_term_is_normal(family):
    with RING.work():
        S, P = family.normal_part(RING), family.low_rank(RING)
        assert P.shape == (family.N, family.low_rank_columns)
        A = family.state_matrix(RING)
        assert all(x.overlaps(y) for x, y in zip((A + P @ P.T).flat, S.flat, strict=True))
        assert all(x.contains(0) and is_narrow(x, 40) for x in commutator(S).flat)
        # More than normal: the symmetric part is a multiple of the identity.
        real_part = RING.number(family.normal_real_part)
        for n, k in np.ndindex(S.shape):
            assert agree((S[n, k] + S[k, n]) / 2, real_part if n == k else arb(0))


def test_the_normality_check_can_fail():
    with RING.work():
        for family in ALL_FAMILIES:
            if is_decomposable(family) and family.N >= 3:
                S = family.normal_part(RING)
                S[0, 2] += RING.number("1e-6")
                assert not all(x.contains(0) for x in commutator(S).flat)


@pytest.mark.parametrize("family", [f for f in ALL_FAMILIES if not is_decomposable(f)], ids=family_id)
def test_what_is_not_normal_plus_low_rank_says_so(family):
    for question in (
        lambda: family.low_rank(RING),
        lambda: family.normal_part(RING),
        lambda: family.normal_spectrum(),
        lambda: family.normal_weights(),
        lambda: family.normal_eigenvectors(RING),
        lambda: family.normal_real_part,
        lambda: family.P,
    ):
        with pytest.raises(InputError, match=r"decompose|default convention"):
            question()


@every_family
def test_the_state_matrix_is_stable(family):
    """Real parts of all eigenvalues are negative; the dead state of an even FouT is apart and only not unstable."""
    with RING.work():
        A = stable_matrix(family)
        if family.name == "fout" and family.N % 2 == 0:
            live = [n for n in range(family.N) if n != 1]
            assert all(A[n, 1].is_zero() and A[1, n].is_zero() for n in live)
            assert not A[1, 1] > 0
            A = A[np.ix_(live, live)]
        if all(A[n, k].is_zero() for n in range(len(A)) for k in range(n + 1, len(A))):  # LegS, LagT: triangular
            assert all(A[n, n] < 0 for n in range(len(A)))
        elif family.variant == "fourier-diagonal":  # normal: A + A^T decides
            assert all((A[n, n] + A[n, n]) < 0 for n in range(len(A)))
            assert all((A[n, k] + A[k, n]).contains(0) for n, k in itertools.permutations(range(len(A)), 2))
        else:
            assert all(value.real < 0 for value in acb_mat(A.tolist()).eig())


# --- transfer functions and kernels ------------------------------------------------------------------------------------


@every_family
def test_transfer_functions_agree_with_a_dense_solve(family):
    with RING.work():
        A, B = stable_matrix(family), family.input_vector(RING)
        for real, imaginary in POINTS:
            s = point(real, imaginary)
            dense = solve(A, B, s)
            for n in range(family.N):
                closed = family.transfer_function(n, s, RING)
                if dense[n].is_zero():
                    assert closed.is_zero()
                else:
                    assert agree(closed, dense[n])


def kernels_by_linear_algebra(family, time):
    """exp(t A) B in balls; by eigenvalues where the package itself uses the matrix exponential."""
    A, B = stable_matrix(family), acb_mat([[b] for b in family.input_vector(RING)])
    if family.name in ("legs", "lagt") or family.variant == "fourier-diagonal":
        exponential = acb_mat((arb_mat(A.tolist()) * RING.number(time)).exp())
    else:
        values, right = acb_mat(A.tolist()).eig(right=True)
        size = range(family.N)
        exponents = acb_mat([[(values[n] * RING.number(time)).exp() if n == k else 0 for k in size] for n in size])
        exponential = right * exponents * right.inv()
    return [(exponential * B)[n, 0] for n in range(family.N)]


def test_times_may_be_balls_that_reach_below_zero():
    """A ball around a time t >= 0 may reach below it; one whose middle is negative is no such time."""
    with RING.work():
        time = arb(1e-40, 1e-30)
        for ball in (time, arb(0, 1e-30)):
            assert LegS(3).kernel(1, ball, RING).contains(LegS(3).kernel(1, 0, RING).mid())
        with pytest.raises(InputError, match="`time` must be at least 0"):
            LegS(3).kernel(1, -time, RING)


@every_family
def test_kernels_agree_with_linear_algebra(family):
    with RING.work():
        for time in TIMES:
            dense = kernels_by_linear_algebra(family, time)
            for n in range(family.N):
                value = family.kernel(n, time, RING)
                assert agree(value, dense[n])
                if time == 0:
                    assert agree(value, family.input_vector(RING)[n])


def polynomial_of(family, n):
    """Coefficients of the polynomial in the kernel, as exact rationals: P_n(2x - 1), or L_n^(alpha)(t)."""
    if family.name == "legs":
        return [fmpq((-1) ** (n + j) * math.comb(n, j) * math.comb(n + j, j)) for j in range(n + 1)]
    alpha = fmpq(family.alpha.numerator, family.alpha.denominator)
    coefficients = []
    for j in range(n + 1):
        term = fmpq((-1) ** j, math.factorial(j))
        for i in range(j + 1, n + 1):  # binom(n + alpha, n - j)
            term *= (alpha + i) / (i - j)
        coefficients.append(term)
    return coefficients


def norm_squared(family, n):
    """The square of what the polynomial is divided by."""
    if family.name == "legs":
        return RING.number(Fraction(1, 2 * n + 1))
    if not family.alpha:
        return arb(1)
    return RING.gamma(RING.number(family.alpha + n + 1)) / math.factorial(n)


closed_kernels = [f for f in ALL_FAMILIES if f.name in ("legs", "lagt") and f.convention != "glagt"]


@pytest.mark.parametrize("family", closed_kernels, ids=family_id)
def test_transfer_functions_are_laplace_transforms_of_the_kernels(family):
    """Term by term: e^(-(j+1) t) -> 1/(s+j+1), t^j e^(-c t) -> j!/(s+c)^(j+1). This is core.legs.laplace for LegS."""
    with RING.work():
        for n in range(family.N):
            coefficients, scale = polynomial_of(family, n), norm_squared(family, n).sqrt()
            for time in (Fraction(1, 3), Fraction(2)):
                t = RING.number(time)
                if family.name == "legs":
                    terms = [c * (-(j + 1) * t).exp() for j, c in enumerate(coefficients)]
                else:
                    decay = (-RING.number((1 + family.beta) / 2) * t).exp()
                    terms = [c * t**j * decay for j, c in enumerate(coefficients)]
                assert agree(family.kernel(n, time, RING), sum(terms) / scale)
            for real, imaginary in POINTS:
                s = point(real, imaginary)
                if family.name == "legs":
                    terms = [c / (s + (j + 1)) for j, c in enumerate(coefficients)]
                else:
                    pole = s + RING.number((1 + family.beta) / 2)
                    terms = [c * math.factorial(j) / pole ** (j + 1) for j, c in enumerate(coefficients)]
                assert agree(family.transfer_function(n, s, RING), sum(terms, acb(0)) / scale)


@pytest.mark.parametrize(
    "family", [LegT(5), LegT(8, convention="s4"), FouT(5), FouT(7, convention="hippo2020")], ids=family_id
)
def test_kernels_are_inverse_laplace_transforms(family):
    """Talbot's contour through mpmath (observed, 15 digits): the closed transfer function, no matrix at all."""
    numbers = mpmath_numbers(30)
    for n in (0, 1, family.N - 1):
        inverse = numbers.context.invertlaplace(
            lambda s, n=n: family.transfer_function(n, s, numbers), numbers.number("0.7"), method="talbot", degree=60
        )
        with RING.work():
            assert meets(family.kernel(n, "0.7", RING), inverse, 15)


def test_the_transfer_and_kernel_checks_can_fail():
    family = LegT(8)
    with RING.work():
        s = point(*POINTS[1])
        A, B = stable_matrix(family), family.input_vector(RING)
        closed = family.transfer_function(5, s, RING)
        dense = solve(A, B, s)
        assert agree(closed, dense[5])
        assert not agree(closed * (1 + RING.number("1e-6")), dense[5])
        assert not agree(closed, dense[4])
        assert not agree(closed, -dense[5])
        A[2, 3] *= 1 + RING.number("1e-6")
        assert not agree(closed, solve(A, B, s)[5])
        time = Fraction(1, 3)
        assert not agree(family.kernel(5, time, RING), kernels_by_linear_algebra(family, time + Fraction(1, 10**6))[5])
        wide = closed + acb(arb(0, 1e-20))
        assert wide.overlaps(dense[5])
        assert not agree(wide, dense[5])  # overlapping is not enough


# --- one formula in every number system --------------------------------------------------------------------------------


@every_family
def test_mpmath_agrees_with_balls(family):
    numbers = mpmath_numbers(50)  # a handful of operations, condition numbers at most 10^3: 45 digits are left
    with RING.work():
        for name in ("state_matrix", "input_vector", *(["low_rank"] if is_decomposable(family) else [])):
            pairs = zip(getattr(family, name)(RING).flat, getattr(family, name)(numbers).flat, strict=True)
            assert all(meets(ball, number, 45) for ball, number in pairs)
        for n in {0, family.N // 2, family.N - 1}:
            s = numbers.context.mpc("0.3", "1.1")
            ball = family.transfer_function(n, point(Fraction(3, 10), Fraction(11, 10)), RING)
            assert meets(ball, family.transfer_function(n, s, numbers), 40)
            if family.name in ("legs", "lagt") or family.variant == "fourier-diagonal":
                assert meets(family.kernel(n, "1.7", RING), family.kernel(n, "1.7", numbers), 40)
            else:
                with pytest.raises(InputError, match="no closed form; use balls"):
                    family.kernel(n, "1.7", numbers)


@pytest.mark.parametrize("family", [f for f in ALL_FAMILIES if f.N <= 3], ids=family_id)
def test_sympy_agrees_with_balls(family):
    symbols = exact()

    def same(expression, ball):
        return agree(to_ball(expression, 250), ball)

    with RING.work():
        for name in ("state_matrix", "input_vector", *(["low_rank"] if is_decomposable(family) else [])):
            pairs = zip(getattr(family, name)(symbols).flat, getattr(family, name)(RING).flat, strict=True)
            assert all(same(expression, ball) for expression, ball in pairs)
        for n in range(family.N):
            half = Fraction(1, 2)
            assert same(family.transfer_function(n, half, symbols), family.transfer_function(n, half, RING))
            if family.name in ("legs", "lagt"):
                assert same(family.kernel(n, half, symbols), family.kernel(n, half, RING))


def test_rationals_where_the_family_is_rational():
    field = rationals()
    for family in ALL_FAMILIES:
        if family.name != "lagt" or family.alpha or family.convention == "glagt":
            continue
        with RING.work():
            for name in ("state_matrix", "input_vector"):
                pairs = zip(getattr(family, name)(field).flat, getattr(family, name)(RING).flat, strict=True)
                assert all(isinstance(q, fmpq) and (ball - q).contains(0) and is_narrow(ball, 60) for q, ball in pairs)
        s = fmpq(2, 7)
        A = stable_matrix(family, field)
        identity = fmpq_mat(family.N, family.N, [s * (n == k) for n in range(family.N) for k in range(family.N)])
        column = fmpq_mat([[b] for b in family.input_vector(field)])
        dense = (identity - fmpq_mat(A.tolist())).solve(column)
        assert [family.transfer_function(n, s, field) for n in range(family.N)] == [
            dense[n, 0] for n in range(family.N)
        ]
    for irrational in (LegS(2), LegT(2), FouT(3)):
        with pytest.raises(InputError, match="not rational"):
            irrational.state_matrix(field)


# --- measures and bases ------------------------------------------------------------------------------------------------


FINE = balls(600)  # interpolatory weights of 19 nodes lose some 100 bits


def quadrature(family, count):
    """Nodes t and weights for integrals of p_n p_m omega over all t >= 0: exact for these integrands, in balls.

    LegS: Gauss-Legendre in x = e^-t. LegT: Gauss-Legendre on the window. FouT: equidistant nodes, exact for
    trigonometric polynomials of less than `count` waves. LagT: the interpolatory rule at t = 1, 2, ... whose moments of
    t^alpha e^-t are gamma functions (the integrand is that times a polynomial).
    """
    rate = FINE.number(family.form.rate)
    if family.name == "fout":
        return [((2 * j + 1) / (2 * count * rate), 1 / (count * rate)) for j in range(count)]
    if family.name == "lagt":
        alpha = FINE.number(family.alpha)
        powers = arb_mat([[arb(j) ** k for j in range(1, count + 1)] for k in range(count)])
        moments = arb_mat([[(alpha + (k + 1)).gamma()] for k in range(count)])
        weights = powers.solve(moments)
        return [(arb(j), weights[j - 1, 0] * arb(j).exp() * arb(j) ** -alpha) for j in range(1, count + 1)]
    rule = []
    for j in range(count):
        node, weight = arb.legendre_p_root(count, j, weight=True)
        x, w = (1 + node) / 2, weight / 2
        rule.append((-x.log(), w / x) if family.name == "legs" else (x / rate, w / rate))
    return rule


def gram_entries(family, rule):
    dead = {1} if family.name == "fout" and family.N % 2 == 0 else set()
    live = [n for n in range(family.N) if n not in dead]
    values = {n: [family.basis(n, t, FINE) for t, _ in rule] for n in live}
    weights = [w * family.measure(t, FINE) for t, w in rule]
    for n, m in itertools.combinations_with_replacement(live, 2):
        yield n, m, sum((w * x * y for w, x, y in zip(weights, values[n], values[m], strict=True)), arb(0))


@orthonormal
def test_the_basis_is_orthonormal_in_its_measure(family):
    """Integrals of p_n p_m omega are 1 or 0, by quadrature that is exact for these integrands."""
    with FINE.work():
        for n, m, entry in gram_entries(family, quadrature(family, 2 * family.N + 1)):
            assert agree(entry, arb(1 if n == m else 0), 35)


@pytest.mark.parametrize("family", [LegS(9), LagT(9), LagT(9, alpha="-1/3", beta="0.25")], ids=family_id)
def test_the_polynomials_of_the_kernels_are_orthogonal_exactly(family):
    """The coefficients that the kernels were compared with: rational Gram matrices, in x on [0, 1] or for t^alpha e^-t."""
    for n, m in itertools.combinations_with_replacement(range(family.N), 2):
        total = fmpq(0)
        for (i, a), (j, b) in itertools.product(
            enumerate(polynomial_of(family, n)), enumerate(polynomial_of(family, m))
        ):
            total += a * b * (fmpq(1, i + j + 1) if family.name == "legs" else rising(family.alpha, i + j))
        length = fmpq(1, 2 * n + 1) if family.name == "legs" else rising(family.alpha, n) / math.factorial(n)
        assert total == (length if n == m else 0)


def rising(alpha, k):
    """Gamma(k + alpha + 1)/Gamma(alpha + 1), a rational."""
    return math.prod((fmpq(alpha.numerator, alpha.denominator) + i for i in range(1, k + 1)), start=fmpq(1))


def test_the_gram_check_can_fail():
    with FINE.work():
        family = LegS(8)
        nodes = quadrature(family, 17)
        stretched = [(t * (1 + FINE.number("1e-6")), w) for t, w in nodes]
        assert not all(agree(entry, arb(1 if n == m else 0), 35) for n, m, entry in gram_entries(family, stretched))
        few = quadrature(family, 7)  # exact to degree 13 only, p_7^2 has 14
        assert not all(agree(entry, arb(1 if n == m else 0), 35) for n, m, entry in gram_entries(family, few))


@pytest.mark.parametrize(
    "family", [f for f in ALL_FAMILIES if has_basis(f) and f.name in ("legs", "lagt")], ids=family_id
)
def test_kernels_are_basis_times_measure(family):
    with RING.work():
        for time in ("0.01", "1.3", "20"):
            omega = family.measure(time, RING)
            for n in range(family.N):
                assert agree(family.kernel(n, time, RING), family.basis(n, time, RING) * omega)


def test_weights_at_the_ends_of_their_supports():
    """No plausible number where the value is infinite, undecided or not defined."""
    vanishing, singular = LagT(3, alpha="-1/3", beta="0.25"), LagT(3, alpha="0.5")
    for arithmetic in (RING, mpmath_numbers(30), exact()):
        assert vanishing.measure(0, arithmetic) == 0
        assert singular.basis(2, 0, arithmetic) == 0
        for question in (lambda a: singular.measure(0, a), lambda a: vanishing.basis(2, 0, a)):
            with pytest.raises(InputError, match="is infinite at `time` 0"):
                question(arithmetic)
    for window in (LegT(3), FouT(3)):
        assert [window.measure(t, RING) for t in ("0", "1", "1.0000001")] == [1, 1, 0]
        with RING.work(), pytest.raises(CertificationError, match="reaches over an end of the window"):
            window.measure(arb(1, 1e-20), RING)
    assert [LegT(3, convention="s4").measure(t, RING) for t in (0, 2, 3)] == [0.5, 0.5, 0]
    for family in (LegS(3), LegT(3), LagT(3), FouT(3)):
        for question in (lambda f: f.measure(-1, RING), lambda f: f.basis(0, "-0.1", RING)):
            with pytest.raises(InputError, match="`time` must be at least 0"):
                question(family)


@pytest.mark.parametrize("family", [f for f in ALL_FAMILIES if not has_basis(f)], ids=family_id)
def test_what_has_no_orthonormal_basis_says_so(family):
    for question in (
        lambda: family.basis(0, 1, RING),
        lambda: family.measure(1, RING),
        lambda: family.timescale,
    ):
        with pytest.raises(InputError, match="has no orthonormal basis; use"):
            question()


@pytest.mark.parametrize("family", [f for f in ALL_FAMILIES if has_basis(f) and f.N == 3], ids=family_id)
def test_the_timescale_by_quadrature(family):
    numbers = mpmath_numbers(30)
    mp = numbers.context
    if family.name in ("legt", "fout"):
        # Midpoint sums are exact for a window whose ends are grid points; 3 windows long, so that its end is seen.
        window = 1 / family.form.rate
        grid = [3 * window * Fraction(2 * j + 1, 600) for j in range(300)]
        omega = [Fraction(float(family.measure(t, numbers))) for t in grid]
        assert sum(omega) * 3 * window / 300 == 1  # a probability measure
        assert family.timescale == sum(t * w for t, w in zip(grid, omega, strict=True)) / sum(omega) == window / 2
        return
    if family.timescale == math.inf:
        # The weight is a power of t: the mean age of what is younger than T is a multiple of T.
        older, younger = (
            mp.quad(lambda t: t * family.measure(t, numbers), [0, T])
            / mp.quad(lambda t: family.measure(t, numbers), [0, T])
            for T in (1000, 10)
        )
        assert abs(older / younger - 100) < 1e-8
        return
    ends = [0, mp.mpf("0.1"), 1, 5, 20, 100, 400]
    mass = mp.quad(lambda t: family.measure(t, numbers), ends)
    first = mp.quad(lambda t: t * family.measure(t, numbers), ends)
    # Tanh-sinh at 30 digits; the singularity t^(-1/2) costs half of them, and e^-100 is left out.
    assert abs(first / mass - numbers.number(family.timescale)) < 1e-12


@pytest.mark.parametrize("make", [LegT, FouT])
def test_window_kernels_approach_the_basis(make):
    """L2 distance over [0, inf) between K_n and p_n on the window: e^2 = norm(K_n)^2 + 1 - 2 <K_n, p_n>, all in float64.

    norm(K_n)^2 from the Lyapunov equation, <K_n, p_n> by Simpson's rule on powers of exp(A h). Float64 and the rule
    are good to 1e-6 here; the distances are above 1e-2.
    """
    sizes, intervals = (9, 17, 33, 65), 4000
    distances = []
    for N in sizes:
        family = make(N)
        gramian = scipy.linalg.solve_continuous_lyapunov(family.A, -np.outer(family.B, family.B))
        step = scipy.linalg.expm(family.A / intervals)
        states = [family.B]
        for _ in range(intervals):
            states.append(step @ states[-1])
        t = np.linspace(0, 1, intervals + 1)
        row = []
        for n in (0, 1, 3):
            m = (n + 1) // 2
            fourier = np.ones_like(t) if n == 0 else math.sqrt(2) * (np.cos if n % 2 else np.sin)(2 * np.pi * m * t)
            legendre = math.sqrt(2 * n + 1) * np.polynomial.legendre.Legendre.basis(n)(1 - 2 * t)
            p = legendre if make is LegT else fourier
            inner = scipy.integrate.simpson(np.array(states)[:, n] * p, x=t)
            row.append(math.sqrt(gramian[n, n] + 1 - 2 * inner))
        distances.append(row)
    assert np.all(np.diff(distances, axis=0) < 0)
    assert np.all(np.array(distances)[-1] > 0.01)
    assert np.all(np.array(distances)[-1] < 0.6 * np.array(distances)[0])


# --- identities of LegS ------------------------------------------------------------------------------------------------

SIZES = (1, 2, 3, 8, 13)


@pytest.mark.parametrize("N", SIZES)
def test_legs_symmetric_part(N):
    """core.legs.sym: A + A^T = -(I + B B^T); therefore A + B B^T = -A^T - I."""
    with RING.work():
        A, B = LegS(N).state_matrix(RING), LegS(N).input_vector(RING)
        residual = A + A.T + RING.identity(N) + np.outer(B, B)
        assert all(x.contains(0) and is_narrow(x, 60) for x in residual.flat)


def test_legs_resolvent():
    """core.legs.sym: norm (s I - A)^-1 <= 1/(Re s + 1/2); on the axis the largest is at 0, with the quoted norms."""
    generator = np.random.default_rng(7)
    for N, quoted in ((4, 1.5492), (16, 1.7324), (64, 1.8217), (256, 1.8726)):
        A = LegS(N).A
        at_zero = np.linalg.norm(np.linalg.inv(A), 2)  # condition number below 10^4: 12 digits
        assert abs(at_zero - quoted) < 0.5e-4 + 1e-9
        for _ in range(3 if N < 256 else 1):
            s = complex(*generator.uniform((0, 0.1), (2, 30)))
            assert np.linalg.norm(np.linalg.inv(s * np.eye(N) - A), 2) <= (1 + 1e-9) / (s.real + 0.5)
            assert np.linalg.norm(np.linalg.inv(1j * s.imag * np.eye(N) - A), 2) < at_zero


@pytest.mark.parametrize("N", SIZES)
def test_legs_blaschke_product(N):
    """core.legs.blaschke and core.legs.laplace on the axis."""
    legs = LegS(N)
    with RING.work():
        w = RING.number("2.7")
        on_axis = acb(0, w)
        X = [legs.transfer_function(n, on_axis, RING) for n in range(N)]
        for n, value in enumerate(X):
            expected = 1 / (1 + w**2) if n == 0 else (2 * n + 1) * w**2 / ((n**2 + w**2) * ((n + 1) ** 2 + w**2))
            assert agree(abs(value) ** 2, expected)
        assert agree(abs(legs.inner_function(on_axis, RING)), w / (w * w + N * N).sqrt())
        s = point(Fraction(3, 10), Fraction(11, 10))
        q, reflected = legs.inner_function(s, RING), legs.inner_function(-s, RING)
        assert agree(q * reflected, s * s / (s * s - N * N))
        X = [legs.transfer_function(n, s, RING) for n in range(N)]
        total = sum((abs(x) ** 2 for x in X), arb(0))
        assert agree(total, (1 - abs(q) ** 2) / (1 + 2 * s.real))
        product = acb(1)
        for k in range(N):
            product *= (s - k) / (s + k + 1)
        assert agree(q, product)


@pytest.mark.parametrize("N", SIZES)
def test_legs_factorization_and_unit_state(N):
    """core.legs.fact: A = -D (Ltril + diag(-n/(2n+1))) D; core.legs.unit: -A^-1 B = e_0."""
    with RING.work():
        A, D = LegS(N).state_matrix(RING), LegS(N).input_vector(RING)
        for n, k in np.ndindex(A.shape):
            middle = 1 if n > k else (fmpq(n + 1, 2 * n + 1) if n == k else 0)
            assert agree(A[n, k], -D[n] * middle * D[k])
        constant = arb_mat(A.tolist()).solve(arb_mat([[-d] for d in D]))
        assert all(agree(constant[n, 0], arb(1 if n == 0 else 0)) for n in range(N))
        assert LegS(N).transfer_function(0, 0, RING) == 1
        assert all(LegS(N).transfer_function(n, 0, RING) == 0 for n in range(1, N))


# --- rank-one families and their diagonal restriction --------------------------------------------------------------------

rank_one = pytest.mark.parametrize(
    "family",
    [
        f
        for f in ALL_FAMILIES
        if is_decomposable(f) and has_basis(f) and f.name != "legt" and not getattr(f, "alpha", 0)
    ],
    ids=family_id,
)


@rank_one
def test_the_restriction_by_its_inner_function(family):
    """core.rank1, core.diag.exact: with q = 1 - B^T (s I - A)^-1 B the system (S, B/2) has the transfer X / (1 + q).

    In a convention with the time scaled by r the pair is (r A, r B), and B^T X carries one factor r.
    """
    assert family.has_inner_function == (family.form.gain == 1)
    rate = family.form.rate
    with RING.work():
        A, B, S = family.state_matrix(RING), family.input_vector(RING), family.normal_part(RING)
        for real, imaginary in POINTS:
            s = point(real, imaginary)
            X = solve(A, B, s)
            q = family.inner_function(s, RING)
            assert agree(q, 1 - sum((b * x for b, x in zip(B, X, strict=True)), acb(0)) / RING.number(rate))
            for full, restricted in zip(X, solve(S, B / 2, s), strict=True):
                assert agree(restricted, full / (1 + q))


@pytest.mark.parametrize(
    "family", [LegT(3), LegT(4, variant="lmu"), LagT(3, alpha="0.5"), FouT(3, convention="hippo2020")], ids=family_id
)
def test_families_without_an_inner_function_say_so(family):
    assert not family.has_inner_function
    with pytest.raises(InputError, match="no inner function"):
        family.inner_function(1, RING)


@pytest.mark.parametrize("N", SIZES)
def test_both_systems_agree_at_small_integers(N):
    """core.diag.interp: q vanishes at s = 0, ..., N-1, so that both transfer functions agree there, and not at N."""
    legs = LegS(N)
    with RING.work():
        A, B, S = legs.state_matrix(RING), legs.input_vector(RING), legs.normal_part(RING)
        for s in range(N + 1):
            pairs = list(zip(solve(A, B, acb(s)), solve(S, B / 2, acb(s)), strict=True))
            if s < N:
                assert all(agree(full, restricted) for full, restricted in pairs)
                assert legs.inner_function(s, RING) == 0
            else:
                assert not any(full.overlaps(restricted) for full, restricted in pairs)


def test_inner_functions_of_the_other_families():
    """core.rank1: LagT has q = ((s-1/2)/(s+1/2))^N; that of FouT tends to -e^-s like 1/N."""
    with RING.work():
        s = point(Fraction(3, 10), Fraction(11, 10))
        half = RING.number(Fraction(1, 2))
        for N in SIZES:
            assert agree(LagT(N).inner_function(s, RING), ((s - half) / (s + half)) ** N)
        on_axis = acb(0, arb(3))
        assert agree(abs(LagT(9).inner_function(on_axis, RING)), arb(1))
        errors = [float(abs(FouT(N).inner_function(s, RING) + (-s).exp())) for N in (65, 129, 257, 513)]
        assert all(1.9 < coarse / fine < 2.1 for coarse, fine in itertools.pairwise(errors))


# --- identities of LegT, FouT, LagT ------------------------------------------------------------------------------------


@pytest.mark.parametrize("N", SIZES)
def test_legt_is_the_pade_delay(N):
    """core.legt.pade: C (s I - A)^-1 B is the [N-1/N] Pade approximant of e^-s; A + A^T = -(B B^T + C C^T)."""
    mp = mpmath.MPContext()
    mp.dps = 100  # the linear system of the coefficients loses some 40 digits at N = 13
    numerator, denominator = mp.pade([(-1) ** k / mp.factorial(k) for k in range(2 * N)], N - 1, N)
    legt = LegT(N)
    with RING.work():
        B = legt.input_vector(RING)
        C = np.array([(-1) ** n for n in range(N)]) * B
        A = legt.state_matrix(RING)
        residual = A + A.T + np.outer(B, B) + np.outer(C, C)
        assert all(x.contains(0) and is_narrow(x, 60) for x in residual.flat)
        s = point(Fraction(3, 10), Fraction(11, 10))
        ours = sum((C[n] * legt.transfer_function(n, s, RING) for n in range(N)), acb(0))
        z = mp.mpc("0.3", "1.1")
        assert meets(ours, mp.polyval(numerator[::-1], z) / mp.polyval(denominator[::-1], z), 40)
        if N > 1:
            assert abs(ours - (-s).exp()) < arb(2) ** (2 - 2 * N)


@pytest.mark.parametrize("N", SIZES)
def test_the_legendre_memory_unit_is_legt_rescaled(N):
    """core.legt.lmu: (D A D^-1, D B) with D = diag(R_n (-1)^n) has integers only."""
    with RING.work():
        A, B = LegT(N).state_matrix(RING), LegT(N).input_vector(RING)
        D = np.array([(-1) ** n for n in range(N)]) * B
        lmu = LegT(N, variant="lmu")
        pairs = zip(lmu.state_matrix(RING).flat, (A * D[:, None] / D[None, :]).flat, strict=True)
        assert all(agree(x, y) and x.contains_integer() for x, y in pairs)
        assert all(agree(x, y) for x, y in zip(lmu.input_vector(RING), D * B, strict=True))


def test_fout_tends_to_the_window():
    """core.fout.h: h = b^T (s I - Rot)^-1 b -> coth(s/2)/2 and b^T (s I - A)^-1 2b -> (1 + e^-s)/2, errors like 1/N."""
    with RING.work():
        s = point(Fraction(3, 10), Fraction(11, 10))
        errors = []
        for N in (17, 33, 65):
            family = FouT(N)
            A, S, B = family.state_matrix(RING), family.normal_part(RING), family.input_vector(RING)
            residual = A + A.T + np.outer(B, B)
            assert all(x.contains(0) and is_narrow(x, 60) for x in residual.flat)
            h = sum((b * x for b, x in zip(B, solve(S, B, s), strict=True)), acb(0)) / 4
            g = sum((b * x for b, x in zip(B, solve(A, B, s), strict=True)), acb(0)) / 2
            assert agree(g, 2 * h / (1 + 2 * h))
            errors.append((float(abs(h - (s / 2).coth() / 2)), float(abs(g - (1 + (-s).exp()) / 2))))
        for coarse, fine in itertools.pairwise(errors):
            assert all(1.85 < a / b < 2.15 for a, b in zip(coarse, fine, strict=True))


def test_fout_distances_of_the_notes():
    """core.fout.rate: e_0^2 = 2 (1 - <K_0, 1>) over [0, 1]: .1378, .0672, .0334 at N = 16, 64, 256 in the layout of s4."""
    for N, quoted in ((15, 0.1378), (63, 0.0672), (255, 0.0334)):
        A, B = FouT(N).A, FouT(N).B
        integral = np.linalg.solve(A, scipy.linalg.expm(A) @ B - B)[0]
        # e^2 is 1e-3 at least, and float64 at this size is good to 1e-11: the four digits stand.
        assert abs(math.sqrt(2 * (1 - integral)) - quoted) < 0.5e-4


@pytest.mark.parametrize("beta", [0, 1])
def test_lagt_kernels_are_laguerre_functions(beta):
    """core.lagt: A = I/2 - tril(1) gives e^(-t/2) L_n(t), A = -tril(1) gives e^-t L_n(t); mpmath's own Laguerre."""
    mp = mpmath.MPContext()
    mp.dps = 60
    with RING.work():
        for n, t in itertools.product((0, 1, 5, 8), ("0.3", "4", "31")):
            expected = mp.exp(-mp.mpf(t) * (1 + beta) / 2) * mp.laguerre(n, 0, mp.mpf(t))
            assert meets(LagT(9, beta=beta).kernel(n, t, RING), expected, 45)


def test_the_identity_checks_can_fail():
    """One wrong constant, sign and index for the identities that compare matrices or sums."""
    with RING.work():
        A, B = LegS(8).state_matrix(RING), LegS(8).input_vector(RING)
        tiny = 1 + RING.number("1e-6")
        for wrong in (A * tiny, -A, np.roll(A, 1, axis=0)):
            residual = wrong + wrong.T + RING.identity(8) + np.outer(B, B)
            assert not all(x.contains(0) for x in residual.flat)
        s = point(Fraction(3, 10), Fraction(11, 10))
        q = LegS(8).inner_function(s, RING)
        X, restricted = solve(A, B, s), solve(LegS(8).normal_part(RING), B / 2, s)
        for wrong in (q * tiny, -q, LegS(9).inner_function(s, RING)):
            assert not agree(restricted[3], X[3] / (1 + wrong))


# --- nothing is computed before it is asked for, and float64 is nearest ----------------------------------------------------


LARGE = {
    "legs": lambda: LegS(10**6),
    "legt": lambda: LegT(10**6),
    "lagt": lambda: LagT(10**6, alpha="1/3"),
    "fout": lambda: FouT(10**6 + 1),
    "fout-s4": lambda: FouT(10**6, convention="s4"),
}


@pytest.mark.parametrize("name", LARGE)
def test_building_an_object_computes_nothing(name):
    family = LARGE[name]()
    assert family.stored == (family.N + 1) // 2
    assert family.timescale
    assert family == LARGE[name]()
    assert hash(family) == hash(LARGE[name]())
    for name, value in vars(family).items():
        assert not isinstance(value, (np.ndarray, list, dict)), name


def is_nearest_root(x, radicand):
    """Whether the float x is nearest to sqrt(radicand): the radicand lies between the squares of the two midpoints."""
    low, high = ((Fraction(x) + Fraction(math.nextafter(x, to))) / 2 for to in (0, math.inf))
    return low**2 < radicand < high**2


def test_large_float_matrices_are_nearest():
    N = 1500
    legs, legt = LegS(N), LegT(N)
    generator = np.random.default_rng(11)
    for n, k in generator.integers(0, N, (1500, 2)).tolist():
        product = (2 * n + 1) * (2 * k + 1)
        sign = -1 if k <= n or (n - k) % 2 == 0 else 1
        assert is_nearest_root(abs(legt.A[n, k]), product)
        assert np.sign(legt.A[n, k]) == sign
        if n > k:
            assert legs.A[n, k] < 0
            assert is_nearest_root(-legs.A[n, k], product)
        else:
            assert legs.A[n, k] == (-(n + 1) if n == k else 0)
        assert is_nearest_root(legs.B[n], 2 * n + 1)
        assert is_nearest_root(legs.P[n, 0], Fraction(2 * n + 1, 2))
        assert legs.A is legs.A  # cached
    assert not is_nearest_root(math.nextafter(math.sqrt(2), 2), 2)
    assert not is_nearest_root(math.sqrt(2) * (1 + 1e-6), 2)


# --- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("N", [0, -1, 2.5, "4", True, None])
@pytest.mark.parametrize("make", [LegS, LegT, LagT, FouT])
def test_sizes_that_are_none_are_refused(make, N):
    with pytest.raises(InputError, match="`N` must be"):
        make(N)


def test_numpy_integers_are_sizes():
    assert LegS(np.int64(4)) == LegS(4)
    assert type(LegS(np.int64(4)).N) is int


REFUSED = [
    (lambda: FouT(4), r"odd `N`.*got 4; use 3 or 5, or the convention 's4'"),
    (lambda: FouT(2, variant="fourier-decay"), "fourier-decay needs an odd `N`"),
    (lambda: LagT(3, alpha=-1), "`alpha` must exceed -1"),
    (lambda: LagT(3, beta="-0.1"), "`beta` must be at least 0"),
    (lambda: LagT(3, alpha="x"), "'x' is not a number"),
    (lambda: LagT(3, convention="glagt"), "alpha < 1 and beta > 0"),
    (lambda: LagT(3, convention="glagt", alpha=1, beta=1), "alpha < 1 and beta > 0"),
    (lambda: LegT(3).kernel(3, 1, RING), "`component` must be at most N-1 = 2, got 3"),
    (lambda: LegT(3).transfer_function(-1, 1, RING), "`component` must be at least 0"),
    (lambda: LegS(3).basis(1.0, 1, RING), "`component` must be an integer"),
    (lambda: LegS(3).kernel(0, -1, RING), "`time` must be at least 0"),
    (lambda: LegS(3).kernel(0, acb(1, 1), RING), "`time` must be real"),
    (lambda: LegS(3).transfer_function(0, -1, rationals()), "s = -1 is a pole"),
    (lambda: LagT(3).transfer_function(2, "-0.5", mpmath_numbers(20)), "is a pole"),
    (lambda: make_family("legs", 3, convention="lmu"), "choose one of default, s4, hippo2020"),
]


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_bad_arguments_are_named(case):
    attempt, message = REFUSED[case]
    with pytest.raises(InputError, match=message):
        attempt()
