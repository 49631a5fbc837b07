"""HiPPO-LegS: exponentially warped Legendre polynomials, the family for which the diagonal restriction works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from hippo_theory.arithmetic import Arithmetic, Balls
from hippo_theory.families import legs_phase
from hippo_theory.families.base import Array, Family
from hippo_theory.families.conventions import HALF
from hippo_theory.families.legs_phase_float import frequencies_and_weights

__all__ = ["LegS"]


def _product(factors: Sequence[Any], arithmetic: Arithmetic) -> Any:
    """The product by halves: a complex ball is a rectangle, which each turn widens; log2 N turns keep the digits, N lose them."""
    if len(factors) <= 1:
        return factors[0] if factors else arithmetic.number(1)
    middle = len(factors) // 2
    return _product(factors[:middle], arithmetic) * _product(factors[middle:], arithmetic)


@dataclass(frozen=True)
class LegS(Family):
    """HiPPO-LegS (scaled Legendre), x' = A x + B u with R_n = sqrt(2n+1):

        A_nk = -R_n R_k (n > k),  -(n+1) (n = k),  0 (n < k);      B_n = R_n.

    Low rank: P_n = sqrt(n + 1/2), A + P P^T = -I/2 + skew. Weight omega(t) = e^-t on [0, inf), basis
    p_n(t) = R_n P_n(2 e^-t - 1), kernels K_n(t) = R_n e^-t P_n(2 e^-t - 1). In the original, time-varying system
    (convention ``hippo2020``) the same matrices are divided by t, with the sign of A outside.

    Not to be confused with the 1-indexed variant (A_nn = -(n+2)) found in several codebases.

    Source: A, B: HiPPO (arXiv:2008.07669), theorem on scaled Legendre; basis: HTTYH (arXiv:2206.12037).

    Examples
    --------
    >>> from hippo_theory.families import LegS
    >>> legs = LegS(3)
    >>> legs.A
    array([[-1.        ,  0.        ,  0.        ],
           [-1.73205081, -2.        ,  0.        ],
           [-2.23606798, -3.87298335, -3.        ]])
    >>> bool((legs.A + legs.A.T + legs.B[:, None] * legs.B + np.eye(3)).max() < 1e-15)
    True
    """

    name: ClassVar[str] = "legs"
    title: ClassVar[str] = "scaled Legendre (LegS)"
    _nearest_by_one_rounding: ClassVar[bool] = True

    def _state_matrix(self, arithmetic: Arithmetic) -> Array:
        n = arithmetic.indices(self.N)
        # One square root of an exact integer, so that float64 is the nearest to the truth.
        below = np.tril(-arithmetic.sqrt(np.multiply.outer(2 * n + 1, 2 * n + 1)), -1)
        diagonal = np.zeros_like(below)
        diagonal[np.arange(self.N), np.arange(self.N)] = -(n + 1)
        return np.asarray(arithmetic.number(below + diagonal))

    def _input_vector(self, arithmetic: Arithmetic) -> Array:
        return np.asarray(arithmetic.sqrt(2 * arithmetic.indices(self.N) + 1))

    def _low_rank(self, arithmetic: Arithmetic) -> Array:
        return np.asarray(arithmetic.sqrt(arithmetic.indices(self.N) + arithmetic.number(HALF))[:, None])

    def _transfer(self, component: int, s: Any, arithmetic: Arithmetic) -> Any:
        # X_n(s) = R_n prod_{k<n} (s-k) / prod_{k=1}^{n+1} (s+k)
        ratios = [(s - k) / (s + (k + 2)) for k in range(component)]
        return arithmetic.sqrt(arithmetic.number(2 * component + 1)) / (s + 1) * _product(ratios, arithmetic)

    def _inner(self, s: Any, arithmetic: Arithmetic) -> Any:
        # The Blaschke product q_N(s) = prod_{k<N} (s-k)/(s+k+1): A + B B^T = -A^T - I has the spectrum 0, ..., N-1.
        return _product([(s - k) / (s + (k + 1)) for k in range(self.N)], arithmetic)

    def _kernel(self, component: int, time: Any, arithmetic: Arithmetic) -> Any:
        return self._basis(component, time, arithmetic) * self._measure(time, arithmetic)

    def _measure(self, time: Any, arithmetic: Arithmetic) -> Any:
        return arithmetic.exp(-time)

    def _basis(self, component: int, time: Any, arithmetic: Arithmetic) -> Any:
        scale = arithmetic.sqrt(arithmetic.number(2 * component + 1))
        return scale * arithmetic.legendre(component, 2 * arithmetic.exp(-time) - 1)

    @property
    def _timescale(self) -> Fraction:
        return Fraction(1)

    @property
    def _real_part(self) -> Fraction:
        return -HALF

    def _frequencies(self, arithmetic: Balls) -> Array:
        return legs_phase.frequencies(self.N, arithmetic)

    def _frequencies_float(self) -> tuple[Array, Array]:
        return self._float_spectrum

    @cached_property
    def _float_spectrum(self) -> tuple[Array, Array]:
        return frequencies_and_weights(self.N)

    def _weight(self, index: int, frequency: Any, arithmetic: Balls) -> Any:
        return arithmetic.sqrt(2 / legs_phase.slope(self.N, frequency))

    def _eigenvector(self, index: int, frequency: Any, arithmetic: Balls, components: Sequence[int]) -> Array:
        return legs_phase.eigenvector(self.N, frequency, arithmetic, components)
