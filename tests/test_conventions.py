"""Every convention against the formulas of its source, typed here, and against arrays that public codebases produced."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
from flint import arb
from helpers import ALL_FAMILIES, family_id

from hippo_theory.arithmetic import balls, is_narrow
from hippo_theory.errors import InputError
from hippo_theory.families import FAMILIES, FouT, LagT, LegS, LegT, find_convention, make_family
from hippo_theory.families.conventions import CONVENTIONS

TRANSITIONS = Path(__file__).parent / "data" / "transition_matrices.npz"

MP = mpmath.MPContext()
MP.dps = 80


# --- the formulas of the sources, in mpmath at 80 digits ---------------------------------------------------------------


def root(n):
    return MP.sqrt(2 * n + 1)


def legs(N):
    """HiPPO, theorem 2, with the sign inside A."""
    A = [[-root(n) * root(k) if n > k else -(n + 1) * (n == k) for k in range(N)] for n in range(N)]
    return A, [root(n) for n in range(N)]


def legt(N):
    """HiPPO, theorem 1 (lambda_n = 1), with the sign inside A."""
    A = [[-root(n) * root(k) * (1 if k <= n else (-1) ** (n - k)) for k in range(N)] for n in range(N)]
    return A, [root(n) for n in range(N)]


def lmu(N):
    """Voelker et al. 2019: (2n+1) times -1 (n < k) or (-1)^(n-k+1) (n >= k); (2n+1) (-1)^n."""
    A = [[(2 * n + 1) * (-1 if n < k else (-1) ** (n - k + 1)) for k in range(N)] for n in range(N)]
    return A, [(2 * n + 1) * (-1) ** n for n in range(N)]


def laguerre(N, alpha, beta, mass_one=False):
    """HiPPO, appendix D: lengths L_n by the gamma function itself, B by the binomials."""
    alpha, beta = (MP.mpf(x.numerator) / x.denominator for x in (alpha, beta))
    L = [MP.sqrt(MP.gamma(n + alpha + 1) / MP.factorial(n)) for n in range(N)]
    A = [[(-L[k] / L[n] if n > k else -(1 + beta) / 2 * (n == k)) for k in range(N)] for n in range(N)]
    scale = beta ** ((1 - alpha) / 2) / MP.sqrt(MP.gamma(1 - alpha)) if mass_one else 1
    return A, [MP.binomial(n + alpha, n) / L[n] * scale for n in range(N)]


def fourier(N, turn, rank, gain, diagonal=0):
    """A = turn Rot - rank b b^T + diagonal I, B = gain b, where Rot couples cos m and sin m with -m above, +m below.

    Even N is the layout of state-spaces/s4: cos 0, sin 0 (dead), cos 1, sin 1, ...
    """
    kinds = (
        [(k // 2, k % 2) for k in range(N)] if N % 2 == 0 else [(0, 0)] + [(k // 2 + 1, k % 2) for k in range(N - 1)]
    )
    b = [0 if is_sine else (MP.sqrt(2) if m else MP.mpf(1)) for m, is_sine in kinds]
    A = [[-MP.mpf(rank) * x * y for x in b] for y in b]
    for n, (m, is_sine) in enumerate(kinds):
        A[n][n] += diagonal
        if is_sine:
            A[n - 1][n] -= turn * m
            A[n][n - 1] += turn * m
    return A, [gain * x for x in b]


def source(family):
    """A and B as the source of the family's convention writes them."""
    N, turn, half = family.N, 2 * MP.pi, MP.mpf(1) / 2
    options = (family.alpha, family.beta) if isinstance(family, LagT) else ()
    formulas = {
        ("legs", "default"): lambda: legs(N),
        ("legs", "s4"): lambda: legs(N),
        ("legs", "hippo2020"): lambda: negated(legs(N)),
        ("legt", "default"): lambda: legt(N),
        ("legt", "s4"): lambda: halved(legt(N)),
        ("legt", "hippo2020"): lambda: negated(legt(N)),
        ("lmu", "default"): lambda: lmu(N),
        ("lmu", "s4"): lambda: lmu(N),
        ("lagt", "default"): lambda: laguerre(N, *options),
        ("lagt", "s4"): lambda: laguerre(N, *options),
        ("lagt", "glagt"): lambda: laguerre(N, *options, mass_one=True),
        ("lagt", "hippo2020"): lambda: negated(laguerre(N, *options)),
        ("fout", "default"): lambda: fourier(N, turn, 2, 2),
        ("fout", "s4"): lambda: fourier(N, turn / 2, 1, 1),
        ("fout", "s4-fourier2"): lambda: fourier(N, turn, 2, 2),
        ("fout", "hippo2020"): lambda: fourier(N, turn, 1, 1),
        ("fourier-decay", "default"): lambda: fourier(N, turn, 1, 1),
        ("fourier-decay", "s4"): lambda: fourier(N, turn / 2, half, half),
        ("fourier-diagonal", "default"): lambda: fourier(N, turn, 0, 1, -half),
        ("fourier-diagonal", "s4"): lambda: fourier(N, turn, 0, 1, -half),
    }
    return formulas[family.variant, family.convention]()


def halved(pair):
    A, B = pair
    return [[x / 2 for x in row] for row in A], [x / 2 for x in B]


def negated(pair):
    A, B = pair
    return [[-x for x in row] for row in A], B


def low_rank_source(family):
    """P as the S4 paper and its code write it, in mpmath."""
    N, zero = family.N, MP.mpf(0)
    if isinstance(family, LegS):
        return [[MP.sqrt(n + MP.mpf(1) / 2)] for n in range(N)]
    if isinstance(family, LagT):
        return [[MP.sqrt(MP.mpf(1) / 2)] for _ in range(N)]
    if isinstance(family, LegT):
        scale = MP.sqrt(MP.mpf(1) / 2) if family.convention == "s4" else 1
        return [[root(n) * scale * (n % 2 == parity) or zero for parity in (0, 1)] for n in range(N)]
    if family.variant == "fourier-diagonal":
        return [[] for _ in range(N)]
    _, B = source(family)  # A = Rot - rank b b^T, B = gain b with rank = gain: A + P P^T is Rot for P = B / sqrt gain
    return [[x / MP.sqrt(B[0])] for x in B]


def as_fraction(value):
    numerator, denominator = mpmath.libmp.to_rational(MP.mpf(value)._mpf_)
    return Fraction(int(numerator), int(denominator))


def nearest_floats(values):
    """Each mpmath number rounded to float64 by Python's own exact division; 80 digits leave no doubt which is nearest."""
    return np.array([[float(as_fraction(x)) for x in row] for row in values]).reshape(len(values), -1)


# --- the package against its sources -----------------------------------------------------------------------------------


def test_every_convention_is_listed():
    assert {(form.id, form.name) for form in CONVENTIONS} == {(f.variant, f.convention) for f in ALL_FAMILIES}
    assert len({(form.id, form.name) for form in CONVENTIONS}) == len(CONVENTIONS)
    assert {form.family for form in CONVENTIONS} == set(FAMILIES)
    assert all(form.source for form in CONVENTIONS)


def agree(ball, number):
    """Whether a ball of 200 bits meets an 80-digit number (of some ten roundings), and is narrow; a zero must be exact."""
    if number == 0:
        return ball.is_zero()
    reference = arb(MP.mpf(number))
    blurred = reference + arb(0, abs(reference) * 1e-77 + 1e-100)
    return bool(ball.overlaps(blurred)) and is_narrow(ball, 55)


@pytest.mark.parametrize("family", ALL_FAMILIES, ids=family_id)
def test_balls_contain_the_formulas_of_the_source(family):
    ring = balls(200)
    with ring.work():
        A, B = family.state_matrix(ring), family.input_vector(ring)
        true_A, true_B = source(family)
        assert A.shape == (family.N, family.N)
        assert B.shape == (family.N,)
        assert all(
            agree(x, y) for row, true_row in zip(A, true_A, strict=True) for x, y in zip(row, true_row, strict=True)
        )
        assert all(agree(x, y) for x, y in zip(B, true_B, strict=True))


@pytest.mark.parametrize("family", ALL_FAMILIES, ids=family_id)
def test_float64_entries_are_the_nearest_to_the_truth(family):
    A, B = source(family)
    assert np.array_equal(family.A, nearest_floats(A))
    assert np.array_equal(family.B, nearest_floats([B])[0])
    arrays = [family.A, family.B]
    if family.form.normal_plus_low_rank and not family.form.unit_mass and not getattr(family, "alpha", 0):
        assert np.array_equal(family.P, nearest_floats(low_rank_source(family)))
        arrays.append(family.P)
    for array in arrays:
        assert array.dtype == np.float64
        assert not array.flags.writeable
        assert not np.any(np.signbit(array) & (array == 0))  # no negative zeros
    with pytest.raises(ValueError, match="read-only"):
        family.A[0, 0] = 1


# --- arrays that public codebases produced -----------------------------------------------------------------------------

# codebase/measure in the data file -> the same under our conventions.
PUBLIC = {
    "s4-v4/legs": LegS(8, convention="s4"),
    "s4-v4/legt": LegT(8, convention="s4"),
    "s4-v4/lmu": LegT(8, variant="lmu", convention="s4"),
    "s4-v4/lagt": LagT(8, convention="s4"),
    "s4-v4/tlagt": LagT(8, convention="s4", beta=1),
    "s4-v4/glagt": LagT(8, convention="glagt", beta="0.01"),
    "s4-v4/fourier": FouT(8, convention="s4"),
    "s4-v4/fourier2": FouT(8, convention="s4-fourier2"),
    "s4-v4/fourier_decay": FouT(8, variant="fourier-decay", convention="s4"),
    "s4-v4/fourier_diag": FouT(8, variant="fourier-diagonal", convention="s4"),
    "s4-v1/legt": LegT(8),
    "hippo-code/legs": LegS(8),
    "hippo-code/legt": LegT(8),
    "hippo-code/lmu": LegT(8, variant="lmu"),
    "hippo-code/lagt": LagT(8),
    "hippo-code/tlagt": LagT(8, beta=1),
    "hippo-code/glagt": LagT(8, convention="glagt", beta="0.01"),
    "hippo-code/glagt:alpha0.0_beta1.0": LagT(8, convention="glagt", beta=1),
    "hippo-code/glagt:alpha0.25_beta0.5": LagT(8, convention="glagt", alpha="0.25", beta="0.5"),
    "hippo-code/glagt:alpha-0.5_beta0.1": LagT(8, convention="glagt", alpha="-0.5", beta="0.1"),
}


def relative_difference(theirs, ours):
    """Largest relative difference of the entries, in units of 2^-53; infinite where one of the two is zero."""
    same = theirs == ours
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.max(np.where(same, 0.0, np.abs(theirs - ours) / np.abs(ours))) * 2.0**53


# How far code that computes in float64 may be from the nearest floats, in units of 2^-53. A product of two rounded roots:
# 3, and 1/2 for ours; 4. glagt exponentiates halves of log-gammas of at most 10, each rounded, and multiplies: 16.
PRODUCT_OF_ROOTS, LOG_GAMMA = 4, 16


@pytest.mark.parametrize("key", PUBLIC)
def test_arrays_of_public_code(key):
    tolerance = LOG_GAMMA if "glagt" in key else PRODUCT_OF_ROOTS
    with np.load(TRANSITIONS, allow_pickle=False) as arrays:
        A, B = arrays[f"{key}/A"], arrays[f"{key}/B"]
    assert relative_difference(A, PUBLIC[key].A) <= tolerance
    assert relative_difference(B, PUBLIC[key].B) <= tolerance


def test_all_public_arrays_are_used():
    with np.load(TRANSITIONS, allow_pickle=False) as arrays:
        assert {name.rpartition("/")[0] for name in arrays} == {*PUBLIC, "s4-v4/legsd"}


def test_legsd_of_s4_is_the_diagonal_restriction_before_diagonalization():
    """The measure `legsd` of state-spaces/s4 is (A + B B^T/2, B/2): the system whose eigenvalues S4D-LegS keeps."""
    legs_8 = LegS(8)
    with np.load(TRANSITIONS, allow_pickle=False) as arrays:
        A, B = arrays["s4-v4/legsd/A"], arrays["s4-v4/legsd/B"]
    with balls(120).work() as ring:
        S = legs_8.normal_part(ring)
        for n in range(8):
            for k in range(8):
                # A and B B^T are at most 15 there, and theirs are 4 roundings off; the sum and the half add one each.
                assert abs(S[n, k] - float(A[n, k])) <= 6 * 15 * 2.0**-53
    assert np.array_equal(B, legs_8.B / 2)


# --- the checks can fail -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("corrupt", ["constant", "sign", "index", "last bit"])
def test_the_checks_can_fail(corrupt):
    family = LegT(8, convention="s4")
    A, _ = source(family)
    wrong = [list(row) for row in A]
    if corrupt == "constant":
        wrong[5][2] *= 1 + MP.mpf("1e-6")
    elif corrupt == "sign":
        wrong[2][5] = -wrong[2][5]
    elif corrupt == "index":
        wrong[5][2] = A[5][3]
    else:
        wrong[5][2] *= 1 + MP.mpf(2) ** -50
    assert not np.array_equal(family.A, nearest_floats(wrong))
    with balls(200).work() as ring:
        ours = family.state_matrix(ring)
        assert not all(
            agree(x, y) for row, other in zip(ours, wrong, strict=True) for x, y in zip(row, other, strict=True)
        )
    if corrupt != "last bit":
        assert relative_difference(nearest_floats(wrong), family.A) > 1e3 * LOG_GAMMA


def test_conventions_that_differ_are_told_apart():
    """Each public array fits its own convention and no other of the same family."""
    with np.load(TRANSITIONS, allow_pickle=False) as arrays:
        halved_legt, legt_8 = arrays["s4-v4/legt/A"], arrays["s4-v1/legt/A"]
    assert relative_difference(halved_legt, LegT(8).A) > 1e15
    assert relative_difference(legt_8, LegT(8, convention="s4").A) > 1e15


# --- names -------------------------------------------------------------------------------------------------------------


def test_unknown_names_are_refused_with_the_choice():
    with pytest.raises(InputError, match=r"unknown family 'legz'; choose one of legs, legt, lmu"):
        find_convention("legz")
    with pytest.raises(InputError, match=r"lmu has no convention 'hippo2020'; choose one of default, s4"):
        make_family("lmu", 4, convention="hippo2020")
    with pytest.raises(InputError, match=r"'lmu' is written from legt, not legs"):
        LegS(4, variant="lmu")


@pytest.mark.parametrize("form", CONVENTIONS, ids=lambda form: f"{form.id}-{form.name}")
def test_find_convention_returns_each(form):
    assert find_convention(form.id, form.name) is form
