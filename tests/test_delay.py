"""The least error of a system as a delay, against kernels and autocorrelations, and against formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from delay_helpers import autocorrelation_error
from helpers import ROOT

import hippo_theory as ht
from hippo_theory.errors import InputError
from hippo_theory.initializations import initialization
from hippo_theory.norms import least_delay_error
from hippo_theory.systems import DenseSystem, DiagonalSystem, HalfSystem, conjugate_half

README = ROOT / "figures" / "studies" / "delay" / "README.md"
BAND: Any = {"period": 4000, "lines": 100}


def bilinear_kernels(family, dt, L):
    """Abar^l Bbar from the real matrices of the family, (N, L)."""
    identity = np.eye(family.N)
    left = identity - dt / 2 * family.A
    A, x = np.linalg.solve(left, identity + dt / 2 * family.A), np.linalg.solve(left, dt * family.B)
    columns = []
    for _ in range(L):
        columns.append(x)
        x = A @ x
    return np.array(columns).T


def linear_law_kernels(dt, L):
    """Real and imaginary parts of e^(lambda dt l), lambda = -1/2 + i pi n: gains are complex factors; the first is real."""
    powers = np.exp(np.outer(-0.5 + 1j * np.pi * np.arange(2), dt * np.arange(L)))
    return np.concatenate([powers.real, powers.imag[1:]])


@pytest.mark.parametrize(
    ("start", "N", "method", "dt", "kernels"),
    [
        ("legt", 4, "bilinear", 1 / 20, lambda: bilinear_kernels(ht.LegT(4), 1 / 20, 900)),
        ("fout", 5, "bilinear", 1 / 20, lambda: bilinear_kernels(ht.FouT(5), 1 / 20, 900)),
        ("s4d-lin", 4, "zoh", 1 / 10, lambda: linear_law_kernels(1 / 10, 900)),
    ],
    ids=["legt", "fout", "s4d-lin"],
)
def test_the_least_error_is_that_of_the_kernels_and_the_autocorrelation(start, N, method, dt, kernels):
    shift, period, lines = 20, 3000, 200
    system = initialization(start, N, **({} if start == "s4d-lin" else {"form": "dplr"}))
    found = least_delay_error(system, method, dt, [shift], period=period, lines=lines)
    assert 0.01 < found < 0.9
    # The tail after 900 lags is below e^(-900 dt/2) < 1e-9.
    assert abs(found - autocorrelation_error(kernels(), shift, period, lines)) <= 1e-6 * found
    assert abs(found - autocorrelation_error(kernels(), shift + 1, period, lines)) > 1e-3 * found


def test_the_least_error_of_one_state_is_a_formula():
    """x = u delayed by nothing: C u against the input `shift` ago leaves sqrt(1 - r_shift^2)."""
    shift = 7
    r = np.cos(2 * np.pi * shift * np.arange(-100, 101) / 4000).mean()
    fast = HalfSystem([-1e9], [1.0], multiplicity=[1])  # e^(-1e9) vanishes: x_l = gain u_l
    assert abs(least_delay_error(fast, "zoh", 1, [shift], **BAND) - np.sqrt(1 - r**2)) < 1e-12
    assert abs(least_delay_error(fast, "zoh", 1, [0, shift], **BAND) - np.sqrt((1 - r**2) / 2)) < 1e-12


def test_the_form_of_a_system_does_not_matter():
    legt = ht.LegT(6)
    forms = [DenseSystem(legt.A, legt.B), ht.normal_plus_low_rank(legt).to_system()]
    forms.append(conjugate_half(forms[1]))
    errors = [least_delay_error(form, "bilinear", "0.05", [20, 10], **BAND) for form in forms]
    # Six directions, the smallest above 1e-6 of the largest.
    assert max(errors) - min(errors) <= 1e-9 * min(errors)


def test_a_state_that_no_input_reaches_changes_nothing():
    one, two = DiagonalSystem([-1.0], [1.0]), DiagonalSystem([-1.0, -2.0], [1.0, 0.0])
    errors = [least_delay_error(system, "zoh", "0.1", [4], **BAND) for system in (one, two)]
    assert abs(errors[0] - errors[1]) <= 1e-14


@pytest.mark.parametrize(("change", "message"), [
    pytest.param({"shifts": []}, "`shifts` must hold at least one delay", id="no delay"),
    pytest.param({"shifts": [1.5]}, "`shifts` must be an integer", id="half a sample"),
    pytest.param({"shifts": [-1]}, "`shifts` must be at least 0", id="later inputs"),
    pytest.param({"lines": 2000}, r"`lines` must be at most \(period - 1\)/2 = 1999, got 2000", id="too many lines"),
    pytest.param({"period": 0}, "`period` must be at least 1", id="no period"),
    pytest.param({"step": -1}, "step", id="negative step"),
    pytest.param({"system": DiagonalSystem([2.0], [1.0])}, "must be stable", id="unstable"),
    pytest.param({"system": DiagonalSystem([0.0], [1.0])}, "must be stable", id="on the circle"),
    pytest.param({"system": DiagonalSystem([0.5], [1.0], discrete=True)}, "already discrete", id="discrete"),
])  # fmt: skip
def test_what_has_no_least_error_is_refused(change, message):
    given = {"system": DiagonalSystem([-1.0], [1.0]), "method": "zoh", "step": "0.1", "shifts": [4], **BAND, **change}
    with pytest.raises(InputError, match=message):
        least_delay_error(**given)


def test_the_least_error_of_fout_falls_as_one_over_the_size_and_that_of_legt_below_any_power():
    """8 cycles a window, the window as long as the delay: the table of the README of the study."""
    sizes, errors = (33, 65, 129, 257), {"fout": [], "legt": []}
    for family, found in errors.items():
        for N in sizes:
            system = ht.normal_plus_low_rank({"fout": ht.FouT, "legt": ht.LegT}[family](N)).to_system()
            found.append(least_delay_error(system, "bilinear", "0.001", [1000], period=96_000, lines=768))
    for smaller, larger in zip(errors["fout"][1:], errors["fout"], strict=False):
        assert 1.9 < larger / smaller < 2.2
    assert errors["legt"][0] < 1e-5
    assert errors["legt"][1] < 1e-10
    text = README.read_text(encoding="utf-8")
    for N, error in zip(sizes, errors["fout"], strict=True):
        assert f"| {N} | {error:.2g} |" in text
