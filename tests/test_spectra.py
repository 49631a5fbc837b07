"""The spectra of the normal parts: certified roots, eigenvectors and weights, and their float64 forms.

The second routes: python-flint's eigenvalues of the dense matrix, 35-digit reference values, brackets of the phase
equation by its defining sum (which is monotone, so that a sign change at the two ends of a ball proves it), 2 x 2 blocks.
LegT and the float64 LegS roots have files of their own.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from flint import acb, acb_mat, arb, fmpq
from helpers import ALL_FAMILIES, family_id

from hippo_theory.arithmetic import balls, is_narrow, magnitude_bounds
from hippo_theory.errors import CertificationError, InputError
from hippo_theory.families import FouT, LagT, LegS, LegT, legs_phase

REFERENCE = Path(__file__).parent / "data" / "legs_normal_spectrum.txt"

RING = balls(250)


def is_decomposable(family):
    """Whether A is normal minus low rank as the convention writes it, by its definition."""
    return (
        family.form.sign == 1
        and family.variant != "lmu"
        and family.convention != "glagt"
        and not getattr(family, "alpha", 0)
    )


decomposable = pytest.mark.parametrize("family", [f for f in ALL_FAMILIES if is_decomposable(f)], ids=family_id)


def agree(left, right, digits=40):
    """Both balls enclose the same number: they overlap, and both are narrow."""
    return bool(acb(left).overlaps(acb(right))) and is_narrow(left, digits) and is_narrow(right, digits)


# --- LegS: references and the phase equation -----------------------------------------------------------------------------


def references():
    lines = [line.split() for line in REFERENCE.read_text().splitlines() if not line.startswith("#")]
    return [(int(N), int(index), value) for N, index, value in lines]


def fits_reference(frequency, text):
    """35 digits were printed, each of them right up to one unit in the last place."""
    value = RING.number(text)
    return bool(frequency.overlaps(value + arb(0, abs(value) * 1e-34))) and is_narrow(frequency, 40)


def test_legs_frequencies_agree_with_the_reference_values():
    found = {N: LegS(N).normal_frequencies(RING) for N in {N for N, _, _ in references()}}
    with RING.work():
        for N, index, text in references():
            assert fits_reference(found[N][index], text)
            assert fits_reference(-found[N][N - 1 - index], text)
    assert {N for N, _, _ in references()} == {4, 8, 16, 32, 64, 128, 256}


def phase_by_definition(N, w):
    """phi_N(w) = sum_k atan(w/(k + 1/2)) in balls."""
    return sum(((2 * w / (2 * k + 1)).atan() for k in range(N)), arb(0))


def brackets(N, w, m):
    """Whether the root of phi_N(w) = (pi/2) m lies between the ends of the ball w: phi_N increases."""
    target = arb.pi() * m / 2
    return bool(phase_by_definition(N, w.lower()) < target) and bool(phase_by_definition(N, w.upper()) > target)


@pytest.mark.parametrize(
    ("N", "every"), [(1, 1), (2, 1), (3, 1), (5, 1), (64, 1), (192, 5), (193, 5), (255, 1), (1024, 60)]
)
def test_legs_balls_bracket_the_roots_of_the_phase_equation(N, every):
    """core.diag.phase, core.diag.spectrum. N <= 192 and N >= 193 take different residuals in the package."""
    arithmetic = balls(190)
    frequencies = LegS(N).normal_frequencies(arithmetic)
    assert len(frequencies) == N
    with balls(280).work():
        for index in range(0, N // 2, every):
            w = frequencies[index]
            assert w > 0
            assert magnitude_bounds(w)[0] * Fraction(1, 10**50) >= fraction(w.rad())
            assert brackets(N, w, N - 1 - 2 * index)
        assert N % 2 == 0 or frequencies[N // 2].is_zero()


def fraction(point):
    mantissa, exponent = point.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def test_all_1024_frequencies_at_50_digits():
    """None is missing or twice there: decreasing, and the sum of squares is that of the entries, (N^4 - sum (2n+1)^2)/4."""
    N = 1024
    frequencies = LegS(N).normal_frequencies(balls(190))
    assert all(upper > lower for upper, lower in itertools.pairwise(frequencies))
    assert all(fraction(w.rad()) * 10**50 <= magnitude_bounds(w)[0] for w in frequencies)
    squares = fmpq(N**4 - sum((2 * n + 1) ** 2 for n in range(N)), 4)
    with balls(190).work():
        assert agree(sum((w * w for w in frequencies), arb(0)), arb(squares), 48)


def test_the_root_checks_can_fail():
    N = 64
    frequencies = LegS(N).normal_frequencies(balls(190))
    with RING.work():
        w = frequencies[3]
        m = N - 1 - 6
        assert brackets(N, w, m)
        assert not brackets(N, w, m - 2)
        assert not brackets(N, -w, m)
        assert not brackets(N, w * (1 + RING.number("1e-40")), m)
        assert not brackets(N, frequencies[4], m)
        text = next(text for size, index, text in references() if (size, index) == (64, 3))
        assert not fits_reference(w * (1 + RING.number("1e-33")), text)
        assert not fits_reference(frequencies[4], text)
        assert not fits_reference(w + arb(0, 1e-30), text)


@pytest.mark.parametrize("bits", [10, 53, 64, 200, 1000])
def test_relative_radii_come_out_near_the_bits_that_were_asked_for(bits):
    for family in (LegS(30), LegS(300), LagT(9), LegT(16, convention="s4"), FouT(9)):
        for w in family.normal_frequencies(balls(bits)):
            assert w.is_zero() or w.rel_accuracy_bits() >= bits - 4


def test_chosen_indices_give_the_same_roots():
    """With indices the residual is that of two log-gammas; without, at N <= 192, a product known modulo 2 pi."""
    for N in (1, 5, 100, 191, 192):
        every = legs_phase.frequencies(N, RING)
        chosen = legs_phase.frequencies(N, RING, np.arange((N + 1) // 2))
        with RING.work():
            assert all(agree(x, y, 60) for x, y in zip(every, chosen, strict=True))
    assert len(legs_phase.frequencies(9, RING, np.array([], dtype=int))) == 0


def test_chosen_roots_of_a_million():
    """The sum over k is Im[lgamma(N + 1/2 + i w) - lgamma(1/2 + i w)]; the brackets by that, evaluated at the two ends."""
    N, half = 10**6, fmpq(1, 2)
    indices = np.array([0, 1, 31_415, 250_000, 499_999])
    roots = legs_phase.frequencies(N, balls(120), indices)
    with balls(260).work():
        for index, w in zip(indices.tolist(), roots, strict=True):
            target = arb.pi() * (N - 1 - 2 * index) / 2
            at_ends = [
                (acb(N + arb(half), end).lgamma() - acb(half, end).lgamma()).imag - target
                for end in (w.lower(), w.upper())
            ]
            assert at_ends[0] < 0 < at_ends[1]
            assert is_narrow(w, 35)


SPOILED = {"moved": lambda w: w * (1 + 1e-6), "shifted": lambda w: np.roll(w, 1), "reversed": lambda w: w[::-1].copy()}


@pytest.mark.parametrize("spoil", SPOILED)
@pytest.mark.parametrize("N", [20, 400])
def test_wrong_starting_values_are_found_out(monkeypatch, spoil, N):
    honest = legs_phase.frequencies_and_weights

    def spoiled(size):
        frequencies, weights = honest(size)
        return SPOILED[spoil](frequencies), weights

    monkeypatch.setattr(legs_phase, "frequencies_and_weights", spoiled)
    with pytest.raises(CertificationError):
        legs_phase.frequencies(N, balls(200))


# --- LegS: asymptotics and closed forms ----------------------------------------------------------------------------------


def expansion(N, m, terms):
    """core.diag.asym, its series in 1/N^2 with mu = (2m+1) pi."""
    mu = arb.pi() * (2 * m + 1)
    series = [
        N**2 / mu - mu / 6,
        (mu / 12 + mu**3 / 90) / N**2,
        -(mu**3 / 36 + 11 * mu**5 / 7560) / N**4,
        (11 * mu**3 / 720 + 11 * mu**5 / 720 + 13 * mu**7 / 37800) / N**6,
        -(19 * mu**5 / 720 + 29 * mu**7 / 3780 + 293 * mu**9 / 2993760) / N**8,
    ]
    return sum(series[1:terms], series[0])


def test_the_largest_frequency_grows_like_the_square():
    """core.diag.asym: w_0 - N^2/pi to ten decimals; the limit is -pi/6, the next term 0.6063/N^2."""
    quoted = {16: "-0.5212499385", 64: "-0.5234508276", 256: "-0.5235895243", 1024: "-0.5235981974"}
    with RING.work():
        for N, text in quoted.items():
            shift = LegS(N).normal_frequencies(RING)[0] - N**2 / arb.pi()
            assert abs(shift - RING.number(text)) < 0.5e-10
            assert abs((shift + arb.pi() / 6) * N**2 - RING.number("0.606313573")) < 30 / arb(N) ** 2
        for m in (0, 1, 2):
            w = [LegS(N).normal_frequencies(RING)[m] for N in (512, 1024)]
            for terms in range(1, 6):
                # Each further term gains N^-2: the remainder shrinks by 4^terms from N = 512 to 1024.
                remainders = [abs(w[j] - expansion(N, m, terms)) for j, N in enumerate((512, 1024))]
                assert abs(math.log2(float(remainders[0] / remainders[1])) - 2 * terms) < 0.05
        assert float(abs(LegS(1024).normal_frequencies(RING)[0] - expansion(1024, 0, 5))) < 2e-28


def test_the_smallest_frequency_falls_like_a_logarithm():
    """w ~ (pi/2)/(ln N + gamma + 2 ln 2), N even: phi is nearly linear below 1/2, with that slope; the error is cubic."""
    with RING.work():
        for N in (64, 256, 1024):
            w = LegS(N).normal_frequencies(RING)[N // 2 - 1]
            law = arb.pi() / 2 / (arb(N).log() + arb.const_euler() + 2 * arb.const_log2())
            # The cubic term of phi is -(w^3/3) sum (k+1/2)^-3 = -2.8 w^3: relative 2.8 w^2/slope.
            assert 0 < float(w / law - 1) < float(3 * w * w * law)


@pytest.mark.parametrize("N", [1, 2, 7, 8, 40])
def test_legs_slopes_eigenvectors_and_weights_in_closed_form(N):
    """core.diag.slope, core.diag.vectors, core.diag.weights, each from its defining sum or product."""
    legs = LegS(N)
    with RING.work():
        frequencies, weights, V = (
            f(RING) for f in (legs.normal_frequencies, legs.normal_weights, legs.normal_eigenvectors)
        )
        for m, w in enumerate(frequencies):
            slope = sum(((k + fmpq(1, 2)) / (arb(k + fmpq(1, 2)) ** 2 + w * w) for k in range(N)), arb(0))
            assert agree(legs_phase.slope(N, w), slope)
            assert agree(legs_phase.phase(N, w), phase_by_definition(N, w))
            assert agree(weights[m] ** 2, 2 / slope)
            iw, product = acb(0, w), acb(1) / (acb(0, w) + fmpq(1, 2))
            for n in range(N):
                expected = (2 * n + 1) / ((arb(n + fmpq(1, 2)) ** 2 + w * w) * 2 * slope)
                assert agree(abs(V[n, m]) ** 2, expected)
                # The direction: v_n over v_0 is R_n prod (iw - (k+1/2)) / prod (iw + (k+1/2)), k = 1..n below.
                assert agree(V[n, m] / V[0, m], arb(2 * n + 1).sqrt() * product * (iw + fmpq(1, 2)))
                product *= (iw - (n + fmpq(1, 2))) / (iw + (n + fmpq(3, 2)))


@pytest.mark.parametrize("N", [1, 4, 7])
def test_the_restriction_is_a_cayley_transform(N):
    """core.diag.cayley: B^T (s I - S)^-1 B = 2 (1-q)/(1+q) = sum of weights^2/(s - lambda), its residues 4/q'(lambda)."""
    legs = LegS(N)
    with RING.work():
        s = acb(RING.number("0.3"), RING.number("1.1"))
        B, S = legs.input_vector(RING), legs.normal_part(RING)
        shifted = acb_mat([[(s if n == k else 0) - S[n, k] for k in range(N)] for n in range(N)])
        X = shifted.solve(acb_mat([[b] for b in B]))
        g = sum((B[n] * X[n, 0] for n in range(N)), acb(0))
        q = acb(1)
        for k in range(N):
            q *= (s - k) / (s + k + 1)
        assert agree(g, 2 * (1 - q) / (1 + q))
        spectrum, weights = legs.normal_spectrum(RING), legs.normal_weights(RING)
        assert agree(g, sum((w * w / (s - z) for w, z in zip(weights, spectrum, strict=True)), acb(0)))
        for w, z in zip(weights, spectrum, strict=True):
            # q = -1 at an eigenvalue, so that q' = -(log q)'.
            derivative = -sum((1 / (z - k) - 1 / (z + k + 1) for k in range(N)), acb(0))
            assert agree(w * w, 4 / derivative)


# --- dense eigenvalues -------------------------------------------------------------------------------------------------


def dense_frequencies(family, bits):
    """Imaginary parts of python-flint's certified eigenvalues of A + P P^T, decreasing; the real parts are checked."""
    arithmetic = balls(bits)
    with arithmetic.work():
        values = acb_mat(family.normal_part(arithmetic).tolist()).eig()
        real = arithmetic.number(family.normal_real_part)
        assert all((value.real - real).contains(0) and is_narrow(value.real - real, 30) for value in values)
        return sorted((value.imag for value in values), key=lambda w: -float(w))


def relatively_narrow(ball, digits=30):
    return fraction(ball.rad()) * 10**digits <= magnitude_bounds(ball)[0]


DENSE = [
    *(LegS(N) for N in (1, 2, 3, 4, 8, 15, 31, 63, 64)),
    *(LegT(N) for N in (1, 2, 3, 8, 63, 64)),
    *(LagT(N) for N in (1, 2, 3, 8, 63, 64)),
    LagT(15, beta="0.3"),
    LegT(15, convention="s4"),
]


@pytest.mark.parametrize("family", DENSE, ids=family_id)
def test_frequencies_agree_with_dense_eigenvalues(family):
    """Overlapping balls, each of relative width at most 1e-30; the zero of an odd N is exact."""
    ours = family.normal_frequencies(balls(200))
    dense = dense_frequencies(family, 320 if family.N > 40 else 200)
    assert len(ours) == len(dense) == family.N
    for index, (w, value) in enumerate(zip(ours, dense, strict=True)):
        assert w.overlaps(value)
        if 2 * index == family.N - 1:
            assert w.is_zero()
            assert is_narrow(value, 30)
        else:
            assert relatively_narrow(w)
            assert relatively_narrow(value)
    if family.name == "lagt":  # core.lagt.eig
        with RING.work():
            for j, w in enumerate(ours):
                cotangent = arb.cos_pi_fmpq(fmpq(2 * j + 1, 2 * family.N)) / arb.sin_pi_fmpq(
                    fmpq(2 * j + 1, 2 * family.N)
                )
                assert w.overlaps(cotangent / 2)


@pytest.mark.parametrize("family", [FouT(63), FouT(63, convention="s4"), FouT(64, convention="s4")], ids=family_id)
def test_fout_frequencies_agree_with_the_invariant_blocks(family):
    """Its zero may not be isolated by an eigensolver: the normal part falls into 2 x 2 blocks with determinant w^2."""
    with RING.work():
        S, first = family.normal_part(RING), 2 if family.N % 2 == 0 else 1
        blocks = [range(first), *(range(k, k + 2) for k in range(first, family.N, 2))]
        inside = {(n, k) for block in blocks for n in block for k in block}
        assert all(
            S[n, k].contains(0) and is_narrow(S[n, k], 60) for n, k in np.ndindex(S.shape) if (n, k) not in inside
        )
        assert all(S[n, k].contains(0) and is_narrow(S[n, k], 60) for n in range(first) for k in range(first))
        positive = []
        for block in blocks[1:]:
            n = block[0]
            assert (S[n, n] + S[n + 1, n + 1]).contains(0)
            positive.append((S[n, n] * S[n + 1, n + 1] - S[n, n + 1] * S[n + 1, n]).sqrt())
        expected = [*positive[::-1], *[arb(0)] * first, *(-w for w in positive)]
        ours = family.normal_frequencies(RING)
        assert len(ours) == family.N
        for w, value in zip(ours, expected, strict=True):
            assert w.overlaps(value)
            assert w.is_zero() if value.is_zero() else relatively_narrow(w) and relatively_narrow(value)


def test_the_dense_check_can_fail():
    ours, dense = LegS(16).normal_frequencies(balls(200)), dense_frequencies(LegS(16), 200)
    with RING.work():
        assert not (ours[2] * (1 + RING.number("1e-40"))).overlaps(dense[2])
        assert not ours[2].overlaps(dense[3])
        assert not ours[2].overlaps(-dense[2])
        assert not relatively_narrow(ours[2] + arb(0, 1e-20))


# --- every family: order, symmetry, eigenvectors, weights ----------------------------------------------------------------


def is_unitary_diagonalization(V, S, spectrum):
    """S V = V diag(spectrum) and V* V = I, in narrow balls."""
    size = range(len(spectrum))
    matrix, dense = acb_mat(V.tolist()), acb_mat(S.tolist())
    adjoint = matrix.conjugate().transpose()
    diagonal = acb_mat([[spectrum[n] if n == k else acb(0) for k in size] for n in size])
    unit = adjoint * matrix
    residual, identity = dense * matrix - matrix * diagonal, acb_mat([[acb(n == k) for k in size] for n in size])
    return all(x.contains(0) and is_narrow(x, 40) for x in [*residual.entries(), *(unit - identity).entries()])


@decomposable
def test_the_closed_form_diagonalizes_the_normal_part(family):
    with RING.work():
        V, S, spectrum = family.normal_eigenvectors(RING), family.normal_part(RING), family.normal_spectrum(RING)
        assert is_unitary_diagonalization(V, S, spectrum)
        # The phase: V* B is real, at least zero, and is what normal_weights says.
        B, weights = family.input_vector(RING), family.normal_weights(RING)
        projections = acb_mat(V.tolist()).conjugate().transpose() * acb_mat([[b] for b in B])
        for m, weight in enumerate(weights):
            if weight.is_zero():
                assert projections[m, 0].contains(0)
                entry = next(V[n, m] for n in range(family.N) if not V[n, m].contains(0))
                assert entry.imag.contains(0)
                assert entry.real > 0
            else:
                assert weight > 0
                assert agree(projections[m, 0], weight)
        total, squared_norm = (sum((x * x for x in values), arb(0)) for values in (weights, B))
        assert agree(total, squared_norm)
        some = sorted({0, family.N // 2, family.N - 1})
        rows = family.normal_eigenvectors(RING, some)
        assert rows.shape == (len(some), family.N)
        assert all(x.overlaps(y) for x, y in zip(rows.flat, V[some].flat, strict=True))
    floats = family.normal_eigenvectors()
    assert floats.dtype == np.complex128
    with RING.work():
        for number, ball in zip(floats.flat, V.flat, strict=True):
            for part, exact_part in ((number.real, ball.real), (number.imag, ball.imag)):
                assert part == 0 if exact_part.contains(0) else within_ulps(part, exact_part, 0.5)


@decomposable
def test_spectra_keep_their_conventions(family):
    """Decreasing imaginary part, conjugate symmetric, the exact real part, an exact zero for odd N; float64 in 2 ulp."""
    certified, floats = family.normal_spectrum(RING), family.normal_spectrum()
    weights, float_weights = family.normal_weights(RING), family.normal_weights()
    N, real = family.N, family.normal_real_part
    assert floats.dtype == np.complex128
    assert float_weights.dtype == np.float64
    assert floats.shape == float_weights.shape == certified.shape == weights.shape == (N,)
    assert not floats.flags.writeable
    assert not float_weights.flags.writeable
    with RING.work():
        for m, value in enumerate(certified):
            # A rational such as -0.01/2 is a ball of some ulp; halves are exact.
            assert value.real.contains(fmpq(real.numerator, real.denominator))
            assert value.real.is_exact() or real.denominator not in (1, 2, 4)
            mirrored = certified[N - 1 - m]
            dead = family.name == "fout" and N % 2 == 0 and value.imag.is_zero()
            assert (value.imag + mirrored.imag).is_zero() if dead else (value.imag + mirrored.imag).contains(0)
            assert dead or weights[m].overlaps(weights[N - 1 - m])
            if m + 1 < N and not dead:
                assert value.imag > certified[m + 1].imag
            assert within_ulps(floats[m].imag, value.imag, 2)
            assert within_ulps(float_weights[m], weights[m], 2)
        if N % 2:
            assert certified[N // 2].imag.is_zero()
    assert np.all(floats.real == float(real))
    assert np.array_equal(floats[::-1], floats.conj())
    assert not np.any(np.signbit(floats.imag) & (floats.imag == 0))
    assert np.all(np.diff(floats.imag) <= 0)


def within_ulps(number, ball, count):
    """Whether a float lies within `count` units in the last place of everything in a narrow ball."""
    if ball.is_zero():
        return number == 0
    ulp = math.ulp(float(ball.mid()))
    return bool(abs(ball - float(number)) <= arb(count) * arb(ulp))


def test_the_checks_of_conventions_can_fail():
    family = LegT(8)
    with RING.work():
        V, S, spectrum = family.normal_eigenvectors(RING), family.normal_part(RING), family.normal_spectrum(RING)
        assert is_unitary_diagonalization(V, S, spectrum)
        tiny = 1 + RING.number("1e-6")
        assert not is_unitary_diagonalization(V * tiny, S, spectrum)
        assert not is_unitary_diagonalization(V, S * tiny, spectrum)
        assert not is_unitary_diagonalization(V, S, np.roll(spectrum, 1))
        assert not is_unitary_diagonalization(V, -S, spectrum)
        w = spectrum[2].imag
        right = float(w.mid())
        assert within_ulps(right, w, 2)
        assert not within_ulps(right * (1 + 5 * 2.0**-52), w, 2)
        assert not within_ulps(-right, w, 2)
        assert not within_ulps(1e-300, arb(0), 2)


@decomposable
def test_the_stored_half_keeps_the_real_eigenvalue(family):
    """ceil(N/2) eigenvalues; no state is dropped for odd N, and the dead state of an even FouT adds a second zero."""
    assert family.stored == (family.N + 1) // 2
    assert np.count_nonzero(family.normal_spectrum().imag >= 0) == (
        family.stored + (family.name == "fout" and family.N % 2 == 0)
    )


# --- float64 at size ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("N", [*range(1, 65), 1023, 10_000, 10**6])
def test_lagt_floats_are_within_two_ulp(N):
    """All roots up to N = 1023; 2000 random ones and both ends beyond, where cot needs each its own form."""
    family = LagT(N, beta="0.5")
    spectrum, weights = family.normal_spectrum(), family.normal_weights()
    half = (N + 1) // 2
    if N <= 1023:
        chosen = range(half)
    else:
        generator = np.random.default_rng(N)
        chosen = {*generator.integers(0, half, 2000).tolist(), *range(20), *range(half - 20, half)}
        chosen |= set(range(half // 2 - 10, half // 2 + 10))  # where the angle passes pi/4
    assert np.all(spectrum.real == -0.25)
    with balls(120).work():
        root = arb(N).sqrt()
        for j in chosen:
            sine, cosine = arb.sin_cos_pi_fmpq(fmpq(2 * j + 1, 2 * N))
            w = arb(0) if 2 * j + 1 == N else cosine / sine / 2
            assert within_ulps(spectrum[j].imag, w, 2)
            assert spectrum[N - 1 - j].imag == -spectrum[j].imag
            assert within_ulps(weights[j], 1 / (root * sine), 2)
    assert np.all(np.diff(spectrum.imag) < 0)


@pytest.mark.parametrize(
    ("family", "turn"),
    [
        (FouT(1001), 2),
        (FouT(1000, convention="s4"), 1),
        (FouT(10**6 + 1), 2),
        (FouT(501, variant="fourier-diagonal"), 2),
    ],
    ids=str,
)
def test_fout_floats_are_within_two_ulp(family, turn):
    spectrum, N = family.normal_spectrum(), family.N
    pairs = (N - 1) // 2
    chosen = range(pairs) if N < 5000 else np.random.default_rng(3).integers(0, pairs, 2000).tolist()
    with balls(120).work():
        for j in chosen:
            assert within_ulps(spectrum[j].imag, turn * (pairs - j) * arb.pi(), 2)
            assert spectrum[N - 1 - j].imag == -spectrum[j].imag
    zeros = spectrum[pairs : N - pairs]
    assert len(zeros) == 1 + (N % 2 == 0)
    assert np.all(zeros.imag == 0)


@pytest.mark.parametrize("N", [64, 65])
def test_scaled_conventions_scale_the_floats_exactly(N):
    """The s4 convention of LegT is half of everything, so that its floats are half of ours to the last bit."""
    whole, halved = LegT(N), LegT(N, convention="s4")
    assert np.array_equal(halved.normal_spectrum(), whole.normal_spectrum() / 2)
    assert np.array_equal(halved.normal_weights(), whole.normal_weights() / 2)


def test_spectra_of_what_is_not_normal_are_refused():
    with pytest.raises(InputError, match="decompose alpha = 0"):
        LagT(4, alpha="0.5").normal_frequencies(RING)
    with pytest.raises(InputError, match="default convention"):
        LegT(4, variant="lmu").normal_weights(RING)
