"""H-infinity norms against exact cases, modal sums, dense grids, dense matrices in mpmath, and the notes' numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from flint import acb, arb
from mpmath import mp, mpc, mpf, workdps

from hippo_theory.arithmetic import balls, complex_radius, magnitude_bounds
from hippo_theory.discretizations import discretize
from hippo_theory.errors import CertificationError, InputError
from hippo_theory.families import LegS, LegT
from hippo_theory.kernels import diagonal_kernel, full_kernel
from hippo_theory.norms import hinf as module
from hippo_theory.norms import transfer_value
from hippo_theory.norms.hinf import hinf_norm

CASES = [("continuous", None), ("bilinear", "0.1"), ("zoh", "0.1"), ("zoh", "0.01"), ("sampled", "0.1")]


def error_kernel(N, component, method, step, bits=256):
    ring = balls(bits)
    error = diagonal_kernel(LegS(N), component, ring) - full_kernel(LegS(N), component, ring)
    return error if method == "continuous" else discretize(error, method, step)


def test_exact_case():
    # N = 1: E_0 = -s/((s+1)(2s+1)); abs(E_0)^2 = w^2/((1+w^2)(1+4w^2)) is 1/9 at w^2 = 1/2, its maximum.
    result = hinf_norm(LegS(1), 0, 40)
    with balls(200).work():
        assert result.value.overlaps(arb(1) / 3)
        assert result.frequency.overlaps((arb(1) / 2).sqrt())
    assert result.kind == "certified"
    assert complex_radius(result.value) * 10**40 <= magnitude_bounds(result.value)[0]


def test_exact_limit_at_infinity():
    # N = 1, bilinear: the weight makes it w^2 (1 + (w dt/2)^2)/(...) -> (dt/4)^2, approached from below for dt > 4/sqrt 5.
    result = hinf_norm(LegS(1), 0, 15, "bilinear", 10)
    assert result.kind == "certified"
    assert result.value.contains(arb(5) / 2)
    with balls(100).work():
        assert result.frequency.overlaps(arb.pi() / 10)


@pytest.mark.parametrize(("N", "diagonal"), [(64, ".63751"), (256, ".63668"), (1024, ".63662")])
def test_spikes_of_the_notes(N, diagonal):
    # The heights in the notes are those of abs(X_diag) = abs(X_n)/abs(1+q), which is the error divided by r = abs(q);
    # r = 1 - O(N^-2) varies so little across the spike (relative 1/w_0 in its width) that the maxima correspond.
    result = hinf_norm(LegS(N), 0, 15)
    w = float(result.frequency)
    assert f"{float(result.value) * math.hypot(w, N) / w:.5f}" == "0" + diagonal
    # At w = N^2/pi - pi/6 + O(N^-2), d = pi^2/(2 N^2): r = 1 - d and r (1+r) (w^2+N^2) / (N^2 w) =
    # (2/pi) (1 - pi^2/(6 N^2)) (1 - 3 d/2) (1 + 2 d) = 2/pi + pi/(6 N^2); the next coefficient was measured to be -4.0.
    assert abs(float(result.value) - 2 / math.pi - math.pi / (6 * N**2)) < 5 / N**4
    assert w == pytest.approx(N**2 / math.pi - math.pi / 6, abs=1 / N)


def test_scales_with_the_component():
    # 2 R_n/pi as N grows.
    for component in (1, 4):
        assert float(hinf_norm(LegS(1024), component, 12).value) == pytest.approx(
            2 * math.sqrt(2 * component + 1) / math.pi, rel=1e-5
        )


@pytest.mark.parametrize(("method", "step"), CASES)
@pytest.mark.parametrize(("N", "component"), [(2, 0), (7, 6), (64, 3)])
def test_attained_by_the_modal_sum(N, component, method, step):
    result = hinf_norm(LegS(N), component, 20, method, step)
    assert result.kind == "certified"
    kernel = error_kernel(N, component, method, step)
    with balls(256).work():
        attained = abs(transfer_value(kernel, acb(0, result.frequency.mid())))
        # Next to the maximizer: the value is reached to second order in the radius of the frequency.
        assert abs(attained - result.value) <= result.value * arb(10) ** -19
        assert complex_radius(result.value) * 10**20 <= magnitude_bounds(result.value)[0]


@pytest.mark.parametrize(("method", "step"), CASES)
@pytest.mark.parametrize(("N", "component"), [(2, 1), (5, 2), (16, 0), (33, 4)])
def test_bounds_a_dense_grid(N, component, method, step):
    # Modal sums in complex128: rounding 1e-12 at most (coefficients below 10^4, spikes of width 1/2). The grid resolves
    # the spikes, so that its maximum comes within 1e-3 of the norm: neither a smaller nor a much larger value passes.
    result = hinf_norm(LegS(N), component, 12, method, step)
    kernel = error_kernel(N, component, method, step, 128)
    c = np.array([complex(a) for a in kernel.coefficients] + [complex(a) / 2 for a in kernel.real_coefficients])
    rates = np.array([complex(a) for a in kernel.rates] + [complex(a) for a in kernel.real_rates])
    c, rates = np.concatenate([c, c.conj()]), np.concatenate([rates, rates.conj()])
    if method == "continuous":
        w = np.concatenate(
            [np.geomspace(1e-2, 10 * N**2 + 10, 4000)] + [abs(r.imag) + np.linspace(-1, 1, 401) for r in rates]
        )
        gains = np.abs((c / (1j * w[:, None] - rates)).sum(axis=1))
    else:
        angles = np.linspace(0, math.pi, 20_001)
        if method == "bilinear":  # its spikes crowd towards z = -1
            angles = np.concatenate([angles, (np.angle(rates)[:, None] + np.linspace(-3e-3, 3e-3, 401)).ravel()])
        z = np.exp(-1j * angles)
        gains = float(kernel.step) * np.abs(sum(a / (1 - rate * z) for a, rate in zip(c, rates, strict=True)))
    value = float(result.value)
    assert result.kind == "certified"
    assert gains.max() <= value * (1 + 1e-10)
    assert gains.max() >= value * (1 - 1e-3)


def test_agrees_with_resolvents_in_mpmath():
    # No eigenvalues, no closed form: e_n^T (sI - S)^-1 B/2 - e_n^T (sI - A)^-1 B by linear solves around the maximizer.
    N, component = 6, 1
    result = hinf_norm(LegS(N), component, 25)
    with workdps(40):
        A = mp.matrix(N, N)
        for n in range(N):
            for k in range(n + 1):
                A[n, k] = -mp.sqrt((2 * n + 1) * (2 * k + 1)) if n > k else -(n + 1)
        B = mp.matrix([mp.sqrt(2 * n + 1) for n in range(N)])
        S = A + B * B.T / 2

        def gain(w):
            s = mpc(0, w)
            diagonal, full = (mp.lu_solve(s * mp.eye(N) - M, v) for M, v in ((S, B / 2), (A, B)))
            return abs(diagonal[component] - full[component])

        w = mpf(result.frequency.mid().str(38, radius=False))
        value = mpf(result.value.mid().str(38, radius=False))
        assert abs(gain(w) - value) < mpf(10) ** -25 * value
        assert gain(w + mpf(10) ** -3) < gain(w) > gain(w - mpf(10) ** -3)
        assert all(gain(mpf(x) / 4) < value for x in range(1, 200))


def test_bilinear_transform_identity():
    # step sum_l k_l z^-l = (1 + s step/2) E_n(s) at s = (2/step)(z-1)/(z+1): the closed form against the modes.
    kernel = error_kernel(9, 2, "bilinear", "0.25")
    with balls(256).work():
        axis = module._Axis(9, 2, arb(1) / 8)
        for w in (arb(1) / 3, arb(5), arb(40)):
            angle = 2 * (w / 8).atan() / (arb(1) / 4)
            closed = (axis.logarithm(w)[0] / 2).exp()
            assert closed.overlaps(abs(transfer_value(kernel, acb(0, angle))))
            assert closed.rel_accuracy_bits() > 150


def test_derivatives_against_difference_quotients():
    # Central differences with h = 2^-60: truncation h^2 (about 1e-36, times derivatives below 10^6), rounding 2^-240 / h^2.
    with balls(400).work():
        kernel = error_kernel(12, 1, "zoh", "0.1", 400)
        gain = module._Gain(kernel, arb(10) ** 6)
        for jets, point in ((module._Axis(12, 1, arb(1) / 20).logarithm, arb(37) / 8), (gain.logarithm, arb(11) / 16)):
            h = arb(2) ** -60
            before, here, after = jets(point - h), jets(point), jets(point + h)
            assert abs((after[0] - before[0]) / (2 * h) - here[1]) < arb(10) ** -25
            assert abs((after[1] - before[1]) / (2 * h) - here[2]) < arb(10) ** -25
            assert not abs((after[0] - before[0]) / (2 * h) - 1.01 * here[1]) < arb(10) ** -25


def test_enclosures_on_intervals_contain_the_points():
    generator = np.random.default_rng(3)
    with balls(200).work():
        kernel = error_kernel(12, 1, "sampled", "0.1", 200)
        third = module._circle_boxes(kernel)[1]
        gain = module._Gain(kernel, third)
        for jets, low, high, width in (
            (module._Axis(12, 1, arb(0)).logarithm, 1, 60, 0.05),
            (gain.logarithm, 0.1, 3, 1e-4),
        ):
            for centre in generator.uniform(low, high, 10):
                left, right = arb(float(centre)), arb(float(centre + width))
                wide = jets(left.union(right))
                for share in (0.0, 0.3, 1.0):
                    inside = jets(left + arb(share) * (right - left))
                    assert all(a.contains(b) for a, b in zip(wide, inside, strict=True) if a.is_finite())
            assert all(a.is_finite() for a in wide)  # not vacuous


def test_upper_bound_of_a_box():
    generator = np.random.default_rng(4)
    with balls(128).work():
        for step in (arb(0), arb(1) / 20):
            axis = module._Axis(10, 2, step)
            for low in generator.uniform(0, 60, 30):
                left, right = (module._End.at(axis, arb(float(w))) for w in (low, low * 1.1 + 0.01))
                upper = module._upper(axis, left, right)
                for w in np.linspace(low, low * 1.1 + 0.01, 7):
                    assert not upper < module._End.at(axis, arb(float(w))).value(axis)
            beyond = module._upper(axis, module._End.at(axis, arb(1000)), module._End.at(axis, None))
            assert not beyond < module._End.at(axis, arb(10**6)).value(axis)
            # Not vacuous: on a narrow box it is the value.
            point, close = (module._End.at(axis, arb(7) + h) for h in (arb(0), arb(2) ** -40))
            assert module._upper(axis, point, close) < point.value(axis) * 1.0001


def test_grid_finds_the_maximizer():
    kernel = error_kernel(40, 0, "zoh", "0.1", 200)
    boxes, _, why = module._circle_boxes(kernel)
    assert why is None
    angles = np.linspace(0, math.pi, 60_000)
    z = np.exp(-1j * angles)
    values = [float(kernel(lag)) for lag in range(800)]
    gains = np.abs(np.polyval(values[::-1], z))
    best = angles[gains.argmax()]
    assert any(float(left) - 1e-4 <= best <= float(right) + 1e-4 for left, right in boxes)
    assert sum(float(right - left) for left, right in boxes) < 0.1  # it does localize


def cosines(x):
    """f = cos(3x) + x/10 with two derivatives: three local maxima in [-3, 3], the last the largest."""
    return (3 * x).cos() + x / 10, -3 * (3 * x).sin() + arb(1) / 10, -9 * (3 * x).cos()


def test_climb_on_a_known_function():
    with balls(200).work():
        value, place = module._climb([(arb(-3), arb(0)), (arb(0), arb(3))], cosines, 30)
        expected = ((arb(1) / 30).asin() + 2 * arb.pi()) / 3
        assert place.overlaps(expected)
        assert value.overlaps(cosines(expected)[0])
        assert complex_radius(value) * 10**30 <= magnitude_bounds(value)[0]
        # Two equal maxima: one of them is given, and the value is right.
        value, place = module._climb([(arb(-1), arb(8))], lambda x: (x.cos(), -x.sin(), -x.cos()), 30)
        assert value.contains(1)
        assert place.contains(0) or place.overlaps(2 * arb.pi())
        with pytest.raises(CertificationError, match="no interval"):  # the largest value is at an end: a broken promise
            module._climb([(arb(1), arb(2))], lambda x: (x.cos(), -x.sin(), -x.cos()), 30)


def test_what_is_not_proved_is_observed():
    result = hinf_norm(LegS(3), 1, 12, "zoh", "2e-6")
    assert result.kind == "observed"
    assert "take a larger step" in result.why


def test_refusals():
    with pytest.raises(InputError, match="step"):
        hinf_norm(LegS(4), 0, 10, "zoh")
    with pytest.raises(InputError, match="step"):
        hinf_norm(LegS(4), 0, 10, "continuous", "0.1")
    with pytest.raises(InputError, match="unknown method"):
        hinf_norm(LegS(4), 0, 10, "euler", "0.1")
    with pytest.raises(InputError, match="LegS"):
        hinf_norm(LegT(4), 0, 10)
    with pytest.raises(InputError, match="component"):
        hinf_norm(LegS(4), 4, 10)
