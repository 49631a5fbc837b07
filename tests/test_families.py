"""Properties that every family has, under every convention: normality, stability, number systems, measures and bases.

Matrices were compared with their sources in test_conventions.py. Here everything that a family knows in closed form is
compared with dense linear algebra in balls (solve, exp, eig), with quadrature, or with explicit polynomials. Transfer
functions and kernels: test_transfer_functions.py; the identities of the papers: test_family_identities.py.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.linalg
from family_helpers import (
    RING,
    agree,
    decomposable,
    every_family,
    has_basis,
    is_decomposable,
    meets,
    orthonormal,
    point,
    polynomial_of,
    stable_matrix,
)
from flint import acb, acb_mat, arb, arb_mat, fmpq, fmpq_mat
from helpers import ALL_FAMILIES, family_id

from hippo_theory.arithmetic import balls, exact, is_narrow, mpmath_numbers, rationals, to_ball
from hippo_theory.errors import CertificationError, InputError
from hippo_theory.families import FouT, LagT, LegS, LegT, make_family

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
