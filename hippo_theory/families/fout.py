"""HiPPO-FouT: Fourier series on a sliding window (the 2022 form), its decaying and its diagonal relatives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from flint import acb

from hippo_theory.arithmetic import Arithmetic, Balls
from hippo_theory.errors import InputError
from hippo_theory.families.base import Array, Family, window_indicator
from hippo_theory.families.conventions import HALF

__all__ = ["FouT"]


@dataclass(frozen=True)
class FouT(Family):
    """HiPPO-FouT (truncated Fourier), x' = A x + B u on the window [0, 1], states in the order 1, cos 1, sin 1, cos 2, ...:

        A = Rot - 2 b b^T,   B = 2 b,   b = (1, sqrt 2, 0, sqrt 2, 0, ...),

    Rot coupling cos m and sin m with -2 pi m above and +2 pi m below the diagonal. N is odd; an even N (only under the
    conventions of state-spaces/s4) is N - 1 live states and a dead one, the sine of frequency 0, at index 1.
    Low rank: P = sqrt 2 b. The kernels approach 1, sqrt 2 cos 2 pi m t, sqrt 2 sin 2 pi m t on [0, 1] and 0 afterwards.

    Variants: ``fourier-decay`` keeps half of the low-rank term (A = Rot - b b^T, B = b); it is HiPPO-2020's Fourier
    system in the real basis. ``fourier-diagonal`` is Rot - I/2, B = b.

    Source: HTTYH (arXiv:2206.12037), theorem on truncated Fourier.

    Examples
    --------
    >>> from hippo_theory.families import FouT
    >>> FouT(3).A.round(4)
    array([[-2.    , -2.8284,  0.    ],
           [-2.8284, -4.    , -6.2832],
           [ 0.    ,  6.2832,  0.    ]])
    """

    name: ClassVar[str] = "fout"
    title: ClassVar[str] = "truncated Fourier (FouT)"

    def _check_size(self) -> None:
        if self.N % 2 == 0 and not self.form.even_sizes:
            raise InputError(
                f"{self.variant} needs an odd `N` (the constant and pairs of cosine and sine), got {self.N}; "
                f"use {self.N - 1} or {self.N + 1}, or the convention 's4', whose even sizes contain a dead state"
            )

    @property
    def _dead(self) -> bool:
        """Whether the layout holds the sine of frequency 0, at index 1."""
        return self.N % 2 == 0

    @property
    def _pairs(self) -> int:
        return (self.N - 1) // 2

    def _cosine(self, frequency: int) -> int:
        """Index of the state cos(2 pi m t); the sine follows it."""
        return 2 * frequency if self._dead else 2 * frequency - 1

    def _b(self, arithmetic: Arithmetic) -> Array:
        b = arithmetic.zeros(self.N)
        root = arithmetic.sqrt(arithmetic.number(2))
        b[0] = arithmetic.number(1)
        for m in range(1, self._pairs + 1):
            b[self._cosine(m)] = root
        return b

    def _state_matrix(self, arithmetic: Arithmetic) -> Array:
        # Entries of -2 rho b b^T, shared: -2 rho, -2 rho sqrt 2, -4 rho. The share rho that a variant keeps is applied here:
        # 2 (1 - rho) b b^T, added afterwards, would leave balls around zero where the entry is exactly zero.
        twice, root = arithmetic.number(2 * self.form.rank), arithmetic.sqrt(arithmetic.number(2))
        A = arithmetic.zeros(self.N, self.N)
        cosines = [self._cosine(m) for m in range(1, self._pairs + 1)]
        A[0, 0] = -twice
        A[0, cosines] = A[cosines, 0] = -twice * root
        A[np.ix_(cosines, cosines)] = -2 * twice
        for m, cosine in enumerate(cosines, start=1):
            angular = 2 * m * arithmetic.pi
            A[cosine, cosine + 1], A[cosine + 1, cosine] = -angular, angular
        return A

    def _input_vector(self, arithmetic: Arithmetic) -> Array:
        return np.asarray(2 * self._b(arithmetic))

    def _low_rank(self, arithmetic: Arithmetic) -> Array:
        return np.asarray((arithmetic.sqrt(arithmetic.number(2)) * self._b(arithmetic))[:, None])

    def _transfer(self, component: int, s: Any, arithmetic: Arithmetic) -> Any:
        # Sherman-Morrison: X = 2 r / (1 + 2 rho h), r = (s I - Rot)^-1 b, h = b^T r, multiplied through by s so that
        # s = 0 is an ordinary point; rho is how much of the rank-one term the variant keeps.
        rank = arithmetic.number(self.form.rank)
        squares = s * s
        scaled_h: Any = arithmetic.number(1)
        scaled_r: Any = arithmetic.number(1 if component == 0 else 0)
        root = arithmetic.sqrt(arithmetic.number(2))
        for m in range(1, self._pairs + 1):
            angular = 2 * m * arithmetic.pi
            denominator = squares + angular * angular
            scaled_h = scaled_h + 2 * squares / denominator
            if component == self._cosine(m):
                scaled_r = root * squares / denominator
            elif component == self._cosine(m) + 1:
                scaled_r = root * s * angular / denominator
        return 2 * scaled_r / (s + 2 * rank * scaled_h)

    def _inner(self, s: Any, arithmetic: Arithmetic) -> Any:
        # q = (1 - 2h)/(1 + 2h), h = b^T (s I - Rot)^-1 b = 1/s + sum 2s/(s^2 + (2 pi m)^2).
        h = 1 / s
        for m in range(1, self._pairs + 1):
            angular = 2 * m * arithmetic.pi
            h = h + 2 * s / (s * s + angular * angular)
        return (1 - 2 * h) / (1 + 2 * h)

    def _kernel(self, component: int, time: Any, arithmetic: Arithmetic) -> Any:
        if self.form.rank != 0:
            return None
        return 2 * self._basis(component, time, arithmetic)

    def _measure(self, time: Any, arithmetic: Arithmetic) -> Any:
        return window_indicator(time, arithmetic)

    def _basis(self, component: int, time: Any, arithmetic: Arithmetic) -> Any:
        if component == 0:
            return arithmetic.number(1)
        if self._dead and component == 1:
            return arithmetic.number(0)
        frequency, is_sine = divmod(component - self._cosine(1), 2)
        angle = 2 * (frequency + 1) * arithmetic.pi * time
        return arithmetic.sqrt(arithmetic.number(2)) * (arithmetic.sin(angle) if is_sine else arithmetic.cos(angle))

    @property
    def _timescale(self) -> Fraction:
        return HALF

    # Rot has the eigenvalues +- 2 pi i m with eigenvectors (cos m -+ i sin m)/sqrt 2, and 0 (twice in the s4 layout).

    def _multiples(self) -> range:
        return range(self.stored - 1, -1, -1)

    def _frequencies(self, arithmetic: Balls) -> Array:
        return np.array([2 * m * arithmetic.pi if m else arithmetic.number(0) for m in self._multiples()], dtype=object)

    def _frequencies_float(self) -> tuple[Array, Array]:
        multiples = np.arange(self.stored - 1, -1, -1, dtype=np.float64)
        # One product with the rounded 2 pi: relative error at most (0.32 + 1) 2^-53, below 1.4 ulp.
        return 2 * math.pi * multiples, np.full(self.stored, 2.0)

    def _weight(self, index: int, frequency: Any, arithmetic: Balls) -> Any:
        return arithmetic.number(2)

    def _eigenvector(self, index: int, frequency: Any, arithmetic: Balls, components: Sequence[int]) -> Array:
        column = np.full(self.N, acb(0), dtype=object)
        m = self._multiples()[index]
        if m == 0:
            column[0] = acb(1)
        else:
            half = arithmetic.sqrt(arithmetic.number(HALF))
            column[self._cosine(m)], column[self._cosine(m) + 1] = acb(half), acb(0, -half)
        return column[list(components)]

    # In the s4 layout of even size the second eigenvalue 0 belongs to the dead state, which B does not reach.

    def normal_weights(self, arithmetic: Balls | None = None) -> Array:
        """As in `Family`; 0 for the dead state of an even size."""
        weights = super().normal_weights(arithmetic)
        if self._dead:
            weights = weights.copy()
            weights[self.stored] = 0 * weights[self.stored]
            weights.flags.writeable = False
        return weights

    def normal_eigenvectors(self, arithmetic: Balls | None = None, components: Sequence[int] | None = None) -> Array:
        """As in `Family`; the unit vector of the dead state for its eigenvalue 0."""
        V = super().normal_eigenvectors(arithmetic, components)
        if self._dead:
            rows = range(self.N) if components is None else components
            unit = [1 if n == 1 else 0 for n in rows]
            V[:, self.stored] = unit if arithmetic is None else [acb(entry) for entry in unit]
        return V
