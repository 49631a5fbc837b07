"""Distances at their edges: exact zeros, poles, extreme steps, equal systems, and precision that does not leak."""

from __future__ import annotations

from fractions import Fraction

import flint
import numpy as np
import pytest
from helpers import ALL_FAMILIES, family_id

import hippo_theory as ht
from hippo_theory import convergence
from hippo_theory.arithmetic import balls, complex_radius, decimal_ball
from hippo_theory.asymptotics import distance_theory
from hippo_theory.decompositions import DiagonalRestriction, FullSystem
from hippo_theory.errors import CertificationError, InputError
from hippo_theory.families import LegS
from hippo_theory.initializations import initialization
from hippo_theory.norms.distance import measure_distance
from hippo_theory.systems import conjugate_full


def measured(N, **options):
    return measure_distance(FullSystem(LegS(N)), DiagonalRestriction(LegS(N)), component=0, **options)


@pytest.fixture
def low_precision():
    before = flint.ctx.prec
    flint.ctx.prec = 10
    yield
    flint.ctx.prec = before


NORMAL = [family for family in ALL_FAMILIES if family.form.normal_plus_low_rank and not getattr(family, "alpha", 0)]


@pytest.mark.parametrize("family", NORMAL, ids=family_id)
def test_balls_do_not_depend_on_the_precision_that_happens_to_be_set(family, low_precision):
    for array in (
        family.state_matrix(balls(200)),
        family.normal_spectrum(balls(200)),
        family.normal_weights(balls(200)),
        family.normal_eigenvectors(balls(200)),
    ):
        assert max(complex_radius(ball) for ball in np.asarray(array).ravel()) < Fraction(1, 2**150)


def test_completing_a_conjugate_half_rounds_nothing(low_precision):
    half = initialization("s4d-legs", 6, arithmetic=balls(200))
    assert max(complex_radius(ball) for ball in conjugate_full(half).Lambda) < Fraction(1, 2**150)


@pytest.mark.parametrize("family", NORMAL, ids=family_id)
def test_rows_of_eigenvectors_are_checked(family):
    ring = balls(100)
    with pytest.raises(InputError, match="component"):
        family.normal_eigenvectors(ring, [family.N])
    with pytest.raises(InputError, match="component"):
        family.normal_eigenvectors(ring, [-1])
    if family.N > 2:
        with pytest.raises(InputError, match="must increase"):
            family.normal_eigenvectors(ring, [2, 1])
        whole, some = family.normal_eigenvectors(ring), family.normal_eigenvectors(ring, [0, 2])
        with ring.work():
            assert all(a.overlaps(b) for a, b in zip(whole[[0, 2]].ravel(), some.ravel(), strict=True))


@pytest.mark.parametrize("method", ["zoh", "bilinear"])
def test_the_gain_at_zero_frequency_is_kept_exactly(method):
    found = measured(5, norm="transfer", method=method, step="0.1", point="0")
    assert found.value == 0 and found.kind == "certified"


def test_sampling_does_not_keep_the_gain():
    assert measured(5, norm="transfer", method="sampled", step="0.1", point="0").value > 0.001


@pytest.mark.parametrize(("N", "point"), [(4, "-1"), (9, "-0.5")])
def test_a_pole_is_named(N, point):
    found = measured(N, norm="transfer", point=point)
    assert found.value is None and "pole" in found.why


def test_equal_systems_have_distance_zero_in_every_norm():
    full = ht.full_system(LegS(5))
    for options in (
        {"norm": "l2"},
        {"norm": "transfer", "point": "1"},
        {"norm": "sup", "method": "zoh", "step": "0.1"},
    ):
        assert ht.distance(full, full, **options) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": "-1"}, "`horizon` must be positive"),
        ({"norm": "l3"}, "`norm` must be one of"),
        ({"norm": "transfer"}, "`point` is needed"),
        ({"norm": "sup"}, "there is no sup distance"),
        ({"method": "zoh"}, "`step` is needed"),
        ({"step": "0.1"}, "`step` has no meaning"),
        ({"method": "zoh", "step": "1e-400"}, "`step` must lie between"),
        ({"component": 8}, "`component` must be at most"),
    ],
)
def test_bad_arguments_are_named(options, message):
    legs = LegS(8)
    with pytest.raises(InputError, match=message):
        ht.distance(ht.full_system(legs), ht.diagonal_restriction(legs), **options)


@pytest.mark.parametrize("step", ["100", "1000"])
@pytest.mark.parametrize(("method", "factor"), [("zoh", 2), ("sampled", 1)])
def test_very_long_steps(method, factor, step):
    """Hardly more than k_0 is left: H = step k_0 if sampled; under zero-order hold k_1 = -k_0, H = step k_0 (1 - 1/z)."""
    largest = measured(8, norm="sup", method=method, step=step)
    gain = measured(8, norm="hinf", method=method, step=step)
    assert largest.kind == gain.kind == "certified"
    assert abs(float(gain.value) / (factor * float(step) * float(largest.value)) - 1) < 1e-9


def test_very_short_steps_give_no_plausible_number():
    found = measured(8, norm="hinf", method="zoh", step="1e-6")
    assert found.value is None and "larger step" in found.why


def test_a_row_that_cannot_be_certified_does_not_lose_the_others(monkeypatch):
    def fails_for_l2(*systems, norm, **options):
        if norm == "l2":
            raise CertificationError("on purpose")
        return measure_distance(*systems, norm=norm, **options)

    monkeypatch.setattr(convergence, "measure_distance", fails_for_l2)
    rows = convergence.converge(sizes=[4], methods=["continuous"], components=[0], norms=["l2", "hinf"]).rows
    assert rows[0].error is None and rows[0].why == "not certified: on purpose"
    assert rows[1].kind == "certified"


def test_laws_are_not_quoted_outside_their_regime():
    def law(N, method, step, norm):
        return distance_theory(LegS(N), method, Fraction(step), 0, norm, None, None, 15)[0]

    assert law(8, "zoh", "0.000001", "l2") is None
    assert law(1001, "bilinear", "0.001", "sup") is None
    assert law(1024, "zoh", "0.1", "l2") == Fraction("0.003088")


def test_the_conventions_that_write_the_same_legs_agree():
    same = LegS(16, convention="s4")
    found = measure_distance(FullSystem(same), DiagonalRestriction(same), norm="hinf", component=0)
    assert decimal_ball(found.value, 12) == decimal_ball(measured(16, norm="hinf").value, 12)


def test_families_with_coinciding_poles_say_so():
    lagt = ht.LagT(5, beta=1)
    found = measure_distance(FullSystem(lagt), DiagonalRestriction(lagt), norm="l2", component=0)
    assert found.value is None and "no simple poles" in found.why


@pytest.mark.parametrize(("family", "N", "pole"), [("legs", 4, "-1"), ("fout", 9, "0")])
def test_a_pole_among_the_points_does_not_lose_the_other_rows(family, N, pole):
    options = {
        "sizes": [N],
        "methods": ["continuous"],
        "components": [0],
        "norms": ["transfer"],
        "points": [pole, "2j"],
    }
    at_pole, beside = convergence.converge(family, **options).rows
    assert at_pole.error is None and at_pole.theory is None and "pole" in at_pole.why
    assert beside.kind == "certified" and beside.theory is not None
