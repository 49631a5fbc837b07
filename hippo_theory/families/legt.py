"""HiPPO-LegT: Legendre polynomials on a sliding window, and its rescaled form, the Legendre memory unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from hippo_theory.arithmetic import Arithmetic, Balls
from hippo_theory.families import legt_secular
from hippo_theory.families.base import Array, Family, window_indicator
from hippo_theory.families.conventions import HALF
from hippo_theory.families.legt_secular_float import frequencies_and_weights

__all__ = ["LegT"]


@dataclass(frozen=True)
class LegT(Family):
    """HiPPO-LegT (translated Legendre), x' = A x + B u on the window [0, 1], with R_n = sqrt(2n+1):

        A_nk = -R_n R_k (k <= n),  -(-1)^(n-k) R_n R_k (k >= n);      B_n = R_n.

    With C_n = (-1)^n R_n: A + A^T = -(B B^T + C C^T), and C (s I - A)^-1 B is the [N-1/N] Pade approximant of e^-s.
    Low rank 2: the even and the odd entries of R as two columns; A + P P^T is skew. Weight 1 on [0, 1], basis
    p_n(t) = R_n P_n(1 - 2t), which the kernels approach as N grows.

    Conventions: ``s4`` is exactly half (window [0, 2]); ``lmu`` is D A D^-1, D B with D = diag((-1)^n R_n).

    Source: HiPPO (arXiv:2008.07669), theorem on translated measures.

    Examples
    --------
    >>> from hippo_theory.families import LegT
    >>> from hippo_theory.arithmetic import exact
    >>> LegT(3).state_matrix(exact())[0]
    array([-1, sqrt(3), -sqrt(5)], dtype=object)
    >>> LegT(3, variant="lmu").A
    array([[-1., -1., -1.],
           [ 3., -3., -3.],
           [-5.,  5., -5.]])
    """

    name: ClassVar[str] = "legt"
    title: ClassVar[str] = "translated Legendre (LegT)"
    _nearest_by_one_rounding: ClassVar[bool] = True
    _rank: ClassVar[int] = 2

    def _state_matrix(self, arithmetic: Arithmetic) -> Array:
        n = arithmetic.indices(self.N)
        sign = np.where((n[:, None] < n) & ((n - n[:, None]) % 2 == 1), 1, -1)
        return np.asarray(arithmetic.number(sign * arithmetic.sqrt(np.multiply.outer(2 * n + 1, 2 * n + 1))))

    def _input_vector(self, arithmetic: Arithmetic) -> Array:
        return np.asarray(arithmetic.sqrt(2 * arithmetic.indices(self.N) + 1))

    def _low_rank(self, arithmetic: Arithmetic) -> Array:
        n = arithmetic.indices(self.N)
        R = arithmetic.sqrt(2 * n + 1)
        return np.asarray(arithmetic.number(np.stack([R * (1 - n % 2), R * (n % 2)], axis=1)))

    def _rescaling(self, arithmetic: Arithmetic) -> Array:
        n = arithmetic.indices(self.N)
        return np.asarray(np.where(n % 2 == 0, 1, -1) * arithmetic.sqrt(2 * n + 1))

    def _transfer(self, component: int, s: Any, arithmetic: Arithmetic) -> Any:
        # With g_n = s X_n / R_n the rows of (s I - A) X = B differ by g_{n-1} = g_{n+1} + (2 (2n+1)/s) g_n, with
        # g_N = g_{N-1} at the end and g_0 + g_{-1} = 2 at the start. p_n = s^{N-n-1} g_n keeps it polynomial.
        following, current = None, arithmetic.number(1)  # p_{n+1}, p_n at n = N-1
        at_component = current
        for n in range(self.N - 1, -1, -1):
            if n == component:
                at_component = current
            step = s if following is None else s * s * following
            following, current = current, step + 2 * (2 * n + 1) * current
        scale = arithmetic.sqrt(arithmetic.number(2 * component + 1))
        return 2 * scale * s**component * at_component / (s * following + current)

    def _measure(self, time: Any, arithmetic: Arithmetic) -> Any:
        return window_indicator(time, arithmetic)

    def _basis(self, component: int, time: Any, arithmetic: Arithmetic) -> Any:
        scale = arithmetic.sqrt(arithmetic.number(2 * component + 1))
        return scale * arithmetic.legendre(component, 1 - 2 * time)

    @property
    def _timescale(self) -> Fraction:
        return HALF

    def _frequencies(self, arithmetic: Balls) -> Array:
        return legt_secular.frequencies(self.N, arithmetic)

    def _frequencies_float(self) -> tuple[Array, Array]:
        return self._float_spectrum

    @cached_property
    def _float_spectrum(self) -> tuple[Array, Array]:
        return frequencies_and_weights(self.N)

    def _weight(self, index: int, frequency: Any, arithmetic: Balls) -> Any:
        return legt_secular.weight(self.N, frequency, arithmetic)

    def _eigenvector(self, index: int, frequency: Any, arithmetic: Balls, components: Sequence[int]) -> Array:
        return legt_secular.eigenvector(self.N, frequency, arithmetic, max(components) + 1)[list(components)]
