"""The L2 norm of a kernel, and its transfer function at a point, from its poles."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flint import acb, arb

from hippo_theory.arithmetic import balls, exact_fraction
from hippo_theory.errors import InputError
from hippo_theory.kernels import ExponentialSum

__all__ = ["l2_squared", "transfer_value"]


def l2_squared(kernel: ExponentialSum, horizon: Any = None) -> Any:
    """Square of the L2 norm over [0, inf), or over [0, horizon], by the residue sum over pairs of poles.

        integral of K^2 dt = sum_jk c_j c_k / (-lambda_j - lambda_k),
        step sum_l k_l^2   = step sum_jk c_j c_k / (1 - z_j z_k)       (lags 0 <= l, and l step <= horizon).

    Parameters
    ----------
    kernel : ExponentialSum
        Stable (all rates with negative real part, all multipliers inside the unit circle).
    horizon : number, optional
        Exact; None is infinity. The tail beyond it is the same sum with c_j e^(lambda_j T), which is subtracted.

    Returns
    -------
    arb
        Encloses the squared norm. Cost O(J^2) operations for J poles.

    Raises
    ------
    InputError
        If the kernel is not certainly stable.

    Examples
    --------
    >>> from hippo_theory.arithmetic import balls
    >>> from hippo_theory.families import LegS
    >>> from hippo_theory.kernels import full_kernel
    >>> from hippo_theory.norms import l2_squared
    >>> bool(l2_squared(full_kernel(LegS(4), 3, balls(128))).contains(0.5))  # every LegS kernel has norm 1/sqrt 2
    True
    """
    with balls(kernel.bits).work() as ring:
        _require_stable(kernel)
        total = _residue_sum(kernel, kernel.real_coefficients, kernel.coefficients)
        if horizon is None:
            return total
        exact_horizon = exact_fraction(horizon)
        if kernel.step is None:
            time = ring.number(exact_horizon)
            real_factors = [(rate * time).exp() for rate in kernel.real_rates]
            factors = [(rate * time).exp() for rate in kernel.rates]
        else:
            lags = exact_horizon // kernel.step + 1
            real_factors = [rate**lags for rate in kernel.real_rates]
            factors = [rate**lags for rate in kernel.rates]
        tail = _residue_sum(
            kernel,
            [c * f for c, f in zip(kernel.real_coefficients, real_factors, strict=True)],
            [c * f for c, f in zip(kernel.coefficients, factors, strict=True)],
        )
        return total - tail


def _require_stable(kernel: ExponentialSum) -> None:
    if kernel.step is None:
        stable = all(rate < 0 for rate in kernel.real_rates) and all(rate.real < 0 for rate in kernel.rates)
    else:
        stable = all(abs(rate) < 1 for rate in [*kernel.real_rates, *kernel.rates])
    if not stable:
        raise InputError(
            "the kernel does not decay, so that its norm over [0, inf) is infinite; compare transfer functions"
        )


def _residue_sum(kernel: ExponentialSum, real_coefficients: Any, coefficients: Any) -> Any:
    """sum over all pairs of poles, conjugates included; each unordered pair is formed once."""
    step = kernel.step
    real = list(zip(real_coefficients, kernel.real_rates, strict=True))
    pairs = list(zip(coefficients, kernel.rates, strict=True))
    conjugates = [(c.conjugate(), rate.conjugate()) for c, rate in pairs]
    total = arb(0)
    for i, (a, rate) in enumerate(real):
        weighted = _weighted_row(rate, real[i + 1 :], step, arb(0))
        total += a * (2 * weighted + a * _weighted_row(rate, [(1, rate)], step, arb(0)))
        total += 4 * a * _weighted_row(rate, pairs, step, acb(0)).real
    for j, (c, rate) in enumerate(pairs):
        others = _weighted_row(rate, pairs[j + 1 :], step, acb(0)) + _weighted_row(
            rate, conjugates[j + 1 :], step, acb(0)
        )
        own = _weighted_row(rate, [pairs[j], conjugates[j]], step, acb(0))
        total += 2 * (c * (2 * others + own)).real
    return total if step is None else total * balls(kernel.bits).number(step)


def _weighted_row(rate: Any, others: list[tuple[Any, Any]], step: Fraction | None, zero: Any) -> Any:
    """sum_k c_k / (-lambda - lambda_k), or c_k / (1 - z z_k)."""
    if step is None:
        return sum((c / (-rate - other) for c, other in others), zero)
    return sum((c / (1 - rate * other) for c, other in others), zero)


def transfer_value(kernel: ExponentialSum, s: Any) -> Any:
    """Transfer function at the point s: integral of K(t) e^(-s t), or step sum_l k_l z^-l at z = e^(s step).

    Parameters
    ----------
    kernel : ExponentialSum
    s : number
        Complex, exact; where the integral does not converge the analytic continuation is meant.

    Returns
    -------
    acb
        sum_j c_j / (s - lambda_j), or step sum_j c_j / (1 - z_j / z).
    """
    with balls(kernel.bits).work() as ring:
        s = acb(ring.number(s))
        conjugates = [
            (c.conjugate(), rate.conjugate()) for c, rate in zip(kernel.coefficients, kernel.rates, strict=True)
        ]
        modes = [
            *zip(kernel.real_coefficients, kernel.real_rates, strict=True),
            *zip(kernel.coefficients, kernel.rates, strict=True),
            *conjugates,
        ]
        if kernel.step is None:
            return sum((c / (s - rate) for c, rate in modes), acb(0))
        step = ring.number(kernel.step)
        inverse = (-s * step).exp()
        return step * sum((c / (1 - rate * inverse) for c, rate in modes), acb(0))
