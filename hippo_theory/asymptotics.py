"""Closed forms and asymptotic laws of the distance between a HiPPO system and its diagonal restriction.

Everything here follows from the scalar function q(s) = 1 - B^T (s I - A)^-1 B (for LegS the Blaschke product
q_N(s) = prod_{k<N} (s-k)/(s+k+1)): for A = S - B B^T / 2 the restriction (S, B/2) has the transfer functions
X(s)/(1 + q(s)), so that the difference is -X q/(1 + q). The errors that these laws are compared with are computed
elsewhere, from poles.

Notation: R_n = sqrt(2n+1), D the step.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from flint import acb

from hippo_theory.arithmetic import Balls, certified, exact_complex
from hippo_theory.families import Family, LegS

__all__ = [
    "LARGE_SIZE_TIMES_STEP",
    "distance_theory",
    "exact_l2_squared",
    "rate_theory",
    "transfer_difference",
    "zero_order_hold_constant",
]

EXACT, ASYMPTOTIC = "exact", "asymptotic"
LARGE_SIZE_TIMES_STEP = 4  # from here on the laws of the largest distance, for N to infinity at a fixed step, are given


def exact_l2_squared(N: int, component: int) -> Fraction:
    """Squared L2 distance over [0, inf) between the n-th kernels of LegS and of its diagonal restriction, exactly.

        (2n+1)/4 - (1 + 3n(n+1))/(2 N^2)  for n <= N-2,     the same + N/(binom(2N, N) + 1)  for n = N-1.

    Derived by closing a contour around the zeros of q_N, at which (1-q)/(1+q) = 1; it does not tend to 0.

    Examples
    --------
    >>> from hippo_theory.asymptotics import exact_l2_squared
    >>> exact_l2_squared(4, 0), exact_l2_squared(1, 0)
    (Fraction(7, 32), Fraction(1, 12))
    """
    value = Fraction(2 * component + 1, 4) - Fraction(1 + 3 * component * (component + 1), 2 * N * N)
    if component == N - 1:
        value += Fraction(N, math.comb(2 * N, N) + 1)
    return value


def transfer_difference(family: Family, component: int, s: Any, arithmetic: Balls) -> Any:
    """-X_n(s) q(s) / (1 + q(s)), the transfer function of the diagonal restriction minus that of the full system."""
    with arithmetic.work() as ring:
        s = acb(s)
        q = family.inner_function(s, ring)
        return -family.transfer_function(component, s, ring) * q / (1 + q)


def distance_theory(
    family: Family,
    method: str,
    step: Fraction | None,
    component: int,
    norm: str,
    point: str | None,
    horizon: Fraction | None,
    digits: int,
) -> tuple[Any, str | None]:
    """What theory says of one distance of `hippo_theory.convergence`: its value, and whether that is exact or asymptotic.

    Returns
    -------
    (arb or None, str or None)
        None where there is no closed form and no law. Asymptotic values are leading terms as N grows, to four digits;
        for zero-order hold where N sqrt(step) >= 4, for the largest value of the bilinear method where N step >= 4.
    """
    if norm == "transfer":
        if method in ("zoh", "sampled") or not family.has_inner_function:
            return None, None
        return _transfer_theory(family, step, component, str(point), digits), EXACT
    if not isinstance(family, LegS) or horizon is not None:
        return None, None
    if norm == "l2" and method in ("continuous", "bilinear"):
        square = exact_l2_squared(family.N, component)
        return certified(lambda ring: ring.sqrt(ring.number(square)), digits + 2, strict=True), EXACT
    law = _asymptotic_law(family.N, method, step, component, norm)
    return (None, None) if law is None else (Fraction(f"{law:.3e}"), ASYMPTOTIC)  # a leading term: four digits


def _transfer_theory(family: Family, step: Fraction | None, component: int, point: str, digits: int) -> Any:
    real, imaginary = exact_complex(point)

    def size(ring: Balls) -> Any:
        s = acb(ring.number(real), ring.number(imaginary))
        if step is None:
            return abs(transfer_difference(family, component, s, ring))
        dt = ring.number(step)
        # The bilinear method evaluates the continuous system at s' = (2/dt) tanh(s dt/2).
        mapped = 2 / dt * (s * dt / 2).tanh()
        return abs((1 + mapped * dt / 2) * transfer_difference(family, component, mapped, ring))

    return certified(size, digits + 2, strict=False)


def _asymptotic_law(N: int, method: str, step: Fraction | None, component: int, norm: str) -> float | None:
    """Leading term as N grows."""
    R = math.sqrt(2 * component + 1)
    if norm == "hinf" and method == "continuous":
        return 2 * R / math.pi  # the spike at w = N^2/pi
    if step is None:
        return None
    D = float(step)
    if norm == "hinf" and method == "bilinear":
        return 2 * R / math.pi * math.hypot(1, N * N * D / (2 * math.pi))  # the spike, times abs(1 + i w D/2)
    if norm == "l2":
        if method == "zoh":
            # Where the claim core.sampled certifies it to a tenth.
            return R / (N * math.sqrt(D)) if N * math.sqrt(D) >= 6 and D <= 0.1 else None
        # sampled: e_0 = -R/2 exactly, and root mean square (R/2) e^(-t/2) afterwards
        return R / 2 * math.sqrt(D / -math.expm1(-D))
    if norm == "sup" and method == "zoh" and component == 0 and N * D >= LARGE_SIZE_TIMES_STEP:
        return zero_order_hold_constant(D) / N  # an upper limit: there is no limit
    if norm == "sup" and method == "bilinear" and N * D >= LARGE_SIZE_TIMES_STEP:
        return float(1.35 * R / (N * D ** (2 / 3) * (2 * math.log(N * D)) ** (1 / 3)))  # the caustic of the first echo
    return None


@lru_cache(maxsize=64)
def zero_order_hold_constant(step: float) -> float:
    """c(D): the upper limit of N sup_l abs(e_l) of the zero-order hold, component 0, as N grows at fixed step D.

        c(D) = sup_tau abs(H(tau + D) - H(tau)) / D,   H = -y^2 int_y^inf J_1(u) du/u^2,   y = 2 e^(-tau/2).

    Evaluated in float64 on a grid (observed), to about 4 digits; below D = 0.03 by its limit
    c(D) sqrt(D) -> sqrt(2/pi) max_x sin(x)/sqrt(x) = 0.679192.

    Examples
    --------
    >>> from hippo_theory.asymptotics import zero_order_hold_constant
    >>> round(zero_order_hold_constant(0.1), 3)
    2.144
    """
    if step < 0.03:
        x = np.linspace(1, 1.3, 10_001)  # the maximum lies at tan x = 2 x, x = 1.1656
        return float(math.sqrt(2 / math.pi) * np.max(np.sin(x) / np.sqrt(x)) / math.sqrt(step))
    y = np.arange(0.05, 12 / step + 12, 0.01)  # H oscillates with unit frequency; its top lies near y = 2.3/D
    return float(np.max(np.abs(_sampling_profile(y * math.exp(-step / 2)) - _sampling_profile(y))) / step)


def _sampling_profile(y: Any) -> Any:
    """H(y) = -y^2 int_y^inf J_1(u) du/u^2."""
    from scipy.special import it2j0y0, j1, jv

    # Small y: integrate by parts once, int_y^inf J_0/u = -log(y/2) - gamma + int_0^y (1 - J_0)/u. Large y: by parts
    # again and again, H = J_2 + 4 J_3/y + 24 J_4/y^2 + ...: there the first form would cancel.
    result = np.empty_like(y)
    small, large = y[y < 60], y[y >= 60]
    result[y < 60] = -small * small / 2 * (j1(small) / small - np.log(small / 2) - np.euler_gamma + it2j0y0(small)[0])
    total, factor = np.zeros_like(large), np.ones_like(large)
    for order in range(2, 14):
        total += factor * jv(order, large)
        factor = factor * (2 * order) / large
    result[y >= 60] = total
    return result


def rate_theory(row: Any) -> float | None:
    """The exponent of N in the law for the error of a `Row`, where there is one."""
    if row.norm == "transfer":
        if row.method == "continuous" and row.family == "legs":
            return float(-1 - 2 * exact_complex(row.point)[0])
        if row.method == "bilinear" and row.family == "legs":
            real, imaginary = exact_complex(row.point)
            half = float(row.step) / 2
            return float(-1 - 2 * (np.tanh(complex(real, imaginary) * half) / half).real)
        return None
    if row.family != "legs" or row.horizon is not None:
        return None
    exponents = {
        ("l2", "continuous"): 0.0,
        ("l2", "bilinear"): 0.0,
        ("l2", "sampled"): 0.0,
        ("l2", "zoh"): -1.0,
        ("sup", "zoh"): -1.0,
        ("hinf", "continuous"): 0.0,
        ("hinf", "bilinear"): 2.0,
    }
    return exponents.get((row.norm, row.method))
