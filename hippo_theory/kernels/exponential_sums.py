"""Convolution kernels as finite sums of exponentials, in any number system.

The kernel of a diagonal system, and that of every system with known poles, is K(t) = sum_j c_j e^(lambda_j t); after
discretization it is a sequence k_l = sum_j c_j z_j^l. `ExponentialSum` holds either, with conjugate pairs stored once.
What can be asked of it (norms, transfer function) is in `hippo_theory.norms`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import acb, arb
from numpy.typing import NDArray

from hippo_theory.arithmetic import Balls, balls
from hippo_theory.errors import InputError, checked_size
from hippo_theory.families import Family, LegS

__all__ = ["ExponentialSum", "diagonal_kernel", "full_kernel"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class ExponentialSum:
    """A real kernel K(t) = sum_i a_i e^(r_i t) + 2 Re sum_j c_j e^(lambda_j t), or a sequence with r_i^l and z_j^l.

    Attributes
    ----------
    real_coefficients, real_rates : (I,) ndarray of arb
        a_i and r_i (multipliers if `step` is given).
    coefficients, rates : (J,) ndarray of acb
        c_j and lambda_j, one of each conjugate pair, imaginary part of the rate positive (multipliers z_j, of any sign,
        if `step` is given).
    bits : int
        Working precision that the values deserve and that further work on them should use.
    step : Fraction or None
        None: continuous time. Otherwise k_l approximates the kernel at t = l step (kernels are divided by the step).
    """

    real_coefficients: Array
    real_rates: Array
    coefficients: Array
    rates: Array
    bits: int
    step: Fraction | None = None

    def __sub__(self, other: ExponentialSum) -> ExponentialSum:
        """The difference of two kernels on the same time axis."""
        if self.step != other.step:
            raise InputError(
                f"kernels with steps {self.step} and {other.step} cannot be subtracted; discretize both alike"
            )
        with balls(max(self.bits, other.bits)).work():
            return ExponentialSum(
                np.concatenate([self.real_coefficients, -other.real_coefficients]),
                np.concatenate([self.real_rates, other.real_rates]),
                np.concatenate([self.coefficients, -other.coefficients]),
                np.concatenate([self.rates, other.rates]),
                max(self.bits, other.bits),
                self.step,
            )

    def __call__(self, time: Any) -> Any:
        """K(t) at a real t >= 0 in continuous time, k_l at an integer l in discrete time, as a ball."""
        with balls(self.bits).work() as ring:
            if self.step is None:
                time = ring.number(time)
                real_powers = [(rate * time).exp() for rate in self.real_rates]
                powers = [(rate * time).exp() for rate in self.rates]
            else:
                lag = checked_size("lag", time, 0)
                real_powers = [rate**lag for rate in self.real_rates]
                powers = [rate**lag for rate in self.rates]
            total = _inner(self.real_coefficients, real_powers, arb(0))
            return total + 2 * _inner(self.coefficients, powers, acb(0)).real


def _inner(left: Iterable[Any], right: Iterable[Any], zero: Any) -> Any:
    """Sum of products, without conjugation."""
    return sum((a * b for a, b in zip(left, right, strict=True)), zero)


def diagonal_kernel(family: Family, component: int, arithmetic: Balls) -> ExponentialSum:
    """Basis kernel K_n(t) = e_n^T e^(S t) B/2 of the diagonal restriction (S, B/2), S = A + P P^T.

        K_n(t) = sum_m V_nm (V* B)_m e^(lambda_m t) / 2, from the closed-form eigenpairs of S.

    Cost O(N) for LegS, LagT, FouT and O(N^2) for LegT; no matrix is formed.

    Examples
    --------
    >>> from hippo_theory.arithmetic import balls
    >>> from hippo_theory.families import LegS
    >>> from hippo_theory.kernels import diagonal_kernel
    >>> float(diagonal_kernel(LegS(8), 0, balls(128))(0))  # at t = 0 it is B_0 / 2
    0.5
    """
    component = family.checked_component(component)
    with arithmetic.work() as ring:
        spectrum = family.normal_spectrum(ring)
        (row,) = family.normal_eigenvectors(ring, [component])
        coefficients = row * family.normal_weights(ring) / 2
        pairs = [m for m in range(family.N // 2) if not spectrum[m].imag == 0]
        singles = [m for m in range(family.N) if spectrum[m].imag == 0]
        return ExponentialSum(
            np.array([acb(coefficients[m]).real for m in singles], dtype=object),
            np.array([spectrum[m].real for m in singles], dtype=object),
            coefficients[pairs],
            spectrum[pairs],
            arithmetic.bits,
        )


def full_kernel(family: Family, component: int, arithmetic: Balls) -> ExponentialSum:
    """Basis kernel K_n(t) of the full system as a sum of exponentials, where its poles are known and simple: LegS.

        LegS: K_n(t) = R_n sum_{j<=n} (-1)^(n+j) binom(n, j) binom(n+j, j) e^(-(j+1) t),

    the coefficients of the shifted Legendre polynomial, exact integers before the factor R_n = sqrt(2n+1).

    Raises
    ------
    InputError
        For other families (the poles of LagT coincide; those of LegT and FouT have no closed form).
    """
    component = family.checked_component(component)
    if not isinstance(family, LegS):
        raise InputError(
            f"the kernel of {family.name} is not a sum of exponentials in closed form; only that of legs is"
        )
    with arithmetic.work() as ring:
        scale = ring.sqrt(ring.number(2 * component + 1))
        integer = -1 if component % 2 else 1
        coefficients = []
        for j in range(component + 1):
            coefficients.append(scale * integer)
            integer = -integer * (component - j) * (component + j + 1) // (j + 1) ** 2
        none = np.array([], dtype=object)
        rates = np.array([arb(-(j + 1)) for j in range(component + 1)], dtype=object)
        return ExponentialSum(np.array(coefficients, dtype=object), rates, none, none, arithmetic.bits)
