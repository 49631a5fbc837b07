"""Two kernels of which every lag can be certified, on which all algorithms are measured.

Both belong to LegS with the step 1/1024, a power of two, so that step times rate is the same number in float64 and in
balls. `DiagonalProblem`: the normal part and random complex coefficients,

    K_l = 2 Re sum_j c_j e^(lambda_j dt l);

`LowRankProblem`: the whole system after the bilinear rule and random real coefficients, K_l = C Abar^l Bbar, whose truth
comes from the poles -1, ..., -N of LegS and not from any matrix. Errors are relative to the largest value of the
kernel, over its first lags and over equidistant ones: of the first 4/dt lags, where it has not decayed, and of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from flint import arb

from hippo_theory.arithmetic import balls
from hippo_theory.bench.framework import Array, largest_error
from hippo_theory.decompositions import NormalPlusLowRank, normal_plus_low_rank
from hippo_theory.discretizations import discretize, discretize_dense
from hippo_theory.families import LegS
from hippo_theory.kernels import ExponentialSum, bilinear_low_rank, certified_kernel, full_kernel, truncated_output

__all__ = ["STEP", "DiagonalProblem", "LowRankProblem", "checked_lags"]

STEP = Fraction(1, 1024)
_DIGITS = 20  # of the truth: float64 has 16
_FIRST, _SPREAD = 64, 128  # lags checked: the first ones, and about that many equidistant ones of a range


def checked_lags(L: int) -> list[range]:
    """The lags at which errors are measured: the first ones, and equidistant ones of the first 4/dt and of all L lags."""
    ranges = [range(min(_FIRST, L))]
    for length in sorted({min(L, 4 * STEP.denominator), L}):
        stride = max(1, length // _SPREAD)
        ranges.append(range((length - 1) % stride, length, stride))
    return ranges


def _relative_error(values: Array, truths: list[Array]) -> float:
    """Largest error at the checked lags over the largest value there."""
    samples = list(zip(checked_lags(len(values)), truths, strict=True))
    worst = max(largest_error(values[lags.start : lags.stop : lags.step], truth) for lags, truth in samples)
    return worst / max(abs(float(ball)) for truth in truths for ball in truth)


@dataclass(frozen=True, eq=False)
class DiagonalProblem:
    """A diagonal kernel of N states, N/2 of them stored, over L lags."""

    N: int
    L: int

    @cached_property
    def Lambda(self) -> Array:
        """Stored rates, (N/2,)."""
        return LegS(self.N).normal_spectrum()[: self.N // 2]

    @cached_property
    def coefficients(self) -> Array:
        """c, (N/2,)."""
        random = np.random.default_rng(self.N)
        return random.standard_normal(self.N // 2) + 1j * random.standard_normal(self.N // 2)

    @property
    def logarithms(self) -> Array:
        """dt Lambda, exact."""
        return self.Lambda * float(STEP)

    @property
    def multiplicity(self) -> tuple[int, ...]:
        """2 for every stored state."""
        return (2,) * (self.N // 2)

    @cached_property
    def truths(self) -> list[Array]:
        """Balls at the checked lags."""
        kernel = (self.Lambda, self.coefficients)
        return [
            certified_kernel(kernel, [STEP * lag for lag in lags], _DIGITS, relative_to="largest")
            for lags in checked_lags(self.L)
        ]

    def error(self, values: Array) -> float:
        """Largest error over the largest value."""
        return _relative_error(values, self.truths)


@dataclass(frozen=True, eq=False)
class LowRankProblem:
    """The kernel of the whole LegS system after the bilinear rule, N states, over L lags."""

    N: int
    L: int

    @cached_property
    def C(self) -> Array:
        """Real coefficients in the coordinates of the family, (N,)."""
        return np.random.default_rng(self.N).standard_normal(self.N)

    @cached_property
    def start(self) -> NormalPlusLowRank:
        """Lambda, P, B, V in float64."""
        return normal_plus_low_rank(LegS(self.N))

    @cached_property
    def dense(self) -> tuple[Array, Array]:
        """Abar and Bbar in the coordinates of the family, real."""
        Abar, Bbar = discretize_dense(LegS(self.N).A, LegS(self.N).B, "bilinear", STEP)
        return Abar, Bbar * float(STEP)

    @cached_property
    def rotated_C(self) -> Array:
        """C in the eigenvectors of the normal part."""
        return np.asarray(self.C @ self.start.V)

    def truncated_C(self, damping: float) -> Array:
        """C (I - e^-damping Abar^L), which the S4 kernel takes."""
        start = self.start
        Abar, _ = bilinear_low_rank(start.Lambda, start.P, start.P, start.B, float(STEP))
        return np.asarray(truncated_output(self.rotated_C, Abar, self.L, damping=damping))

    @cached_property
    def truths(self) -> list[Array]:
        """Balls at the checked lags, of the kernel over dt."""
        bits = 200 + 3 * self.N  # the coefficients grow like (1 + sqrt 2)^(2N), 2.55 bits for each state
        with balls(bits).work() as ring:
            total = np.array([arb(0)] * self.N, dtype=object)
            for n, c in enumerate(self.C.tolist()):
                total[: n + 1] += ring.number(c) * full_kernel(LegS(self.N), n, ring).real_coefficients
            rates = np.array([arb(-(j + 1)) for j in range(self.N)], dtype=object)
        none = np.array([], dtype=object)
        kernel = discretize(ExponentialSum(total, rates, none, none, bits), "bilinear", STEP)
        return [certified_kernel(kernel, lags, _DIGITS, relative_to="largest") for lags in checked_lags(self.L)]

    def error(self, values: Array) -> float:
        """Largest error over the largest value."""
        return _relative_error(np.asarray(values).real / float(STEP), self.truths)
