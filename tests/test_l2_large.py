"""L2 distances at large sizes, by mirror images and by lags, against the sums over all pairs of poles."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from flint import arb

from hippo_theory.arithmetic import balls
from hippo_theory.decompositions import DiagonalRestriction, FullSystem
from hippo_theory.errors import CertificationError, InputError
from hippo_theory.families import LagT, LegS, make_family
from hippo_theory.norms import distance, l2_large
from hippo_theory.norms.l2_large import l2_by_lags, l2_by_mirror_images


@pytest.mark.parametrize(("N", "component"), [(2, 0), (3, 1), (8, 0), (9, 4), (40, 5), (65, 0)])
def test_mirror_images_agree_with_the_sum_over_pairs(N, component):
    legs = LegS(N)
    pairs = distance(FullSystem(legs), DiagonalRestriction(legs), norm="l2", component=component, digits=15)
    images = l2_by_mirror_images(legs, component, 15)
    with balls(128).work():
        assert images.overlaps(pairs)
        assert images.rad() <= arb("1e-15") * images


def test_mirror_images_refuse_the_last_component():
    with pytest.raises(InputError, match="at most N-2 = 6"):
        l2_by_mirror_images(LegS(8), 7, 10)


def test_mirror_images_refuse_other_families_and_conventions():
    for family in (LagT(8), make_family("legt", 8)):
        with pytest.raises(InputError, match=r"must be legs in its default convention"):
            l2_by_mirror_images(family, 0, 10)


@pytest.mark.parametrize("method", ["zoh", "sampled"])
@pytest.mark.parametrize(("N", "component", "step"), [(64, 0, "0.01"), (33, 2, "0.1")])
def test_lags_agree_with_the_sum_over_pairs(method, N, component, step):
    legs = LegS(N)
    options: Any = {"norm": "l2", "component": component, "method": method, "step": step, "digits": 15}
    pairs = distance(FullSystem(legs), DiagonalRestriction(legs), **options)
    lags = l2_by_lags(legs, component, method, Fraction(step))
    with balls(128).work():
        assert lags.overlaps(pairs)
        assert lags.rad() <= arb("1e-8") * lags


def test_lags_without_an_end_are_refused(monkeypatch):
    monkeypatch.setattr(l2_large, "_MOST_LAGS", 1 << 13)
    with pytest.raises(CertificationError, match="has not decayed after 8192 lags"):
        l2_by_lags(LegS(16), 0, "zoh", Fraction("0.0001"))
