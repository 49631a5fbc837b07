"""L2 distances of LegS and its diagonal restriction beyond the sizes at which all pairs of poles can be summed.

`hippo_theory.norms.l2_squared` takes J^2 operations for J poles. Continuous (and bilinear, an isometry): one value of a
transfer function at the mirror image of each pole takes J. After zero-order hold and sampling: the squares of the kernel
at all lags that matter, from float64 values with a rigorous bound.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flint import acb, arb

from hippo_theory.arithmetic import balls, certified
from hippo_theory.decompositions import DiagonalRestriction, FullSystem
from hippo_theory.discretizations import discretize
from hippo_theory.errors import CertificationError, InputError
from hippo_theory.families import LegS
from hippo_theory.kernels import diagonal_kernel
from hippo_theory.norms.distance import difference_kernel
from hippo_theory.norms.sup import LagValues

__all__ = ["l2_by_lags", "l2_by_mirror_images"]

_MOST_LAGS = 1 << 24
_BLOCK = 1 << 13


def l2_by_mirror_images(family: LegS, component: int, digits: int) -> Any:
    """L2 distance over [0, inf) of the n-th kernels of LegS and of its diagonal restriction, in O(N).

    For a real kernel e(t) = sum_p r_p e^(p t) with transfer function E(s) = sum_p r_p / (s - p),

        integral of e^2 dt = sum_p r_p E(-p),    E = -X_n q / (1 + q)   (diagonal minus full).

    The poles -1, ..., -(n+1) of the full system drop out: q(j) = 0 for j = 1, ..., N-1. At an eigenvalue lambda of the
    restriction q(lambda) = -1, and q(s+1) / q(s) = (s+1)^2 / ((s+1)^2 - N^2), a product that telescopes. With
    -lambda = 1 + conj(lambda) this gives every q(-lambda) by one division.

    Parameters
    ----------
    family : LegS
        In its default convention, N >= 2.
    component : int
        n <= N-2.
    digits : int

    Returns
    -------
    arb
        Relative radius at most 10^-digits.

    Raises
    ------
    InputError
        For another family or convention, and for the last component, whose pole -N stays.
    CertificationError
        If the digits could not be reached.

    Notes
    -----
    Source: derived here. The closed form that it is compared with is `hippo_theory.asymptotics.exact_l2_squared`.

    Examples
    --------
    >>> from hippo_theory.families import LegS
    >>> from hippo_theory.norms.l2_large import l2_by_mirror_images
    >>> bool((l2_by_mirror_images(LegS(4), 0, 15) ** 2).overlaps(arb(7) / 32))
    True
    """
    component = family.checked_component(component)
    if not isinstance(family, LegS) or family.convention != "default":
        raise InputError(
            f"`family` must be legs in its default convention, got {family.name} ({family.convention}); use norms.distance"
        )
    if component > family.N - 2:
        raise InputError(f"`component` must be at most N-2 = {family.N - 2}, got {component}; use norms.distance")

    def norm(ring: Any) -> Any:
        kernel = diagonal_kernel(family, component, ring)
        square = arb(family.N) ** 2

        def at_mirror_image(rate: Any) -> Any:
            s = 1 + acb(rate).conjugate()
            q = -(s * s) / (s * s - square)
            return -family.transfer_function(component, s, ring) * q / (1 + q)

        real = (c * at_mirror_image(rate) for c, rate in zip(kernel.real_coefficients, kernel.real_rates, strict=True))
        pairs = (2 * c * at_mirror_image(rate) for c, rate in zip(kernel.coefficients, kernel.rates, strict=True))
        return ring.sqrt(sum(pairs, sum(real, acb(0))).real)

    return certified(norm, digits, guard_bits=64 + 6 * component, strict=True)


def l2_by_lags(family: LegS, component: int, method: str, step: Fraction) -> Any:
    """L2 distance over [0, inf) after zero-order hold or sampling, from the lags: sqrt(step sum_l e_l^2), O(N) for each.

    With float64 values within d of e_l for l < L, and a bound t on sqrt(sum_{l >= L} e_l^2),

        abs(norm - sqrt(step sum values^2)) <= sqrt(step) (sqrt(L) d + t),

    by the triangle inequality; the rounding of the sum of L squares is at most 2 L u of it.

    Parameters
    ----------
    family : LegS
    component : int
    method : {"zoh", "sampled"}
    step : Fraction

    Returns
    -------
    arb
        Encloses the distance; how narrowly depends on N (6 digits at N = 10^5, step 0.01).

    Raises
    ------
    CertificationError
        If the tail does not fall below 10^-12 of the norm within 2^24 lags.
    """
    kernel = discretize(
        difference_kernel(FullSystem(family), DiagonalRestriction(family), component, balls(128 + 6 * component)),
        method,
        step,
    )
    table = LagValues(kernel)
    total, largest_error, start = 0.0, 0.0, 0
    while True:
        values, error = table.values(start, _BLOCK)
        total += float(values @ values)
        largest_error = max(largest_error, error)
        start += _BLOCK
        with balls(kernel.bits).work() as ring:
            tail = _tail(kernel, table, start)
            if bool(tail < 1e-12 * arb(total).sqrt()):
                dt = ring.number(step)
                middle = (dt * arb(total)).sqrt()
                rounding = middle * (2 * start * arb(2) ** -53)
                radius = dt.sqrt() * (arb(start).sqrt() * arb(largest_error) + tail) + rounding
                return middle + arb(0, radius.abs_upper())
        if start >= _MOST_LAGS:
            raise CertificationError(
                f"the kernel has not decayed after {start} lags; take a longer step or a smaller N"
            )


def _tail(kernel: Any, table: LagValues, lag: int) -> Any:
    """Bound on sqrt(sum_{l >= lag} k_l^2): abs(k_l) <= sum_j 2 abs(c_j) abs(z_j)^l + abs(f_l), f of the real modes."""
    modes = arb(0)
    for c, rate in zip(kernel.coefficients, kernel.rates, strict=True):
        modulus = abs(rate)
        modes += 2 * abs(c) * modulus**lag / (1 - modulus * modulus).sqrt()
    return modes + table.real_tail(lag)
