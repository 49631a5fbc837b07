"""Systems that are not diagonal: dense powers, the recurrence, S4's generating function, and what each one loses.

Bounds here are observed: errors against balls for LegS, LegT, LagT and FouT and random dissipative systems, N <= 64 and
L <= 2000, with a margin of three and more. They are multiples of eps G^2 |C|_2 |Bbar|_2, where G bounds every power of
Abar: 1 for a dissipative A (A + A* <= 0, as all HiPPO matrices are) and a method that keeps the left half-plane.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.convolution.modal import Sums, mirrored
from hippo_theory.discretizations import Discretization, discretize_system
from hippo_theory.errors import InputError
from hippo_theory.kernels import (
    bilinear_low_rank,
    krylov_kernel,
    low_rank_recurrence,
    recurrence_kernel,
    s4_kernel,
    truncated_output,
)
from hippo_theory.systems import (
    DenseSystem,
    DiagonalPlusLowRankSystem,
    HalfSystem,
    conjugate_full,
    real_form,
    to_dense,
)

__all__ = ["States", "states_of"]

Array = NDArray[Any]

_EPS = 2.0**-52
_SAMPLES = 8  # first lags at which the size of the kernel is looked at


@dataclass(frozen=True, eq=False)
class States:
    """A system, its step and method, and what the algorithms share, computed when it is first needed.

    Attributes
    ----------
    system : DenseSystem, DiagonalPlusLowRankSystem or HalfSystem
    rule : Discretization
    step : Fraction
    L : int
    is_real : bool
        Whether the values are given as real numbers.
    low_rank : DiagonalPlusLowRankSystem or None
        With all states.
    is_mirrored : bool
        Whether state N-1-n of it is the conjugate of state n.
    """

    system: DenseSystem | DiagonalPlusLowRankSystem | HalfSystem
    rule: Discretization
    step: Fraction
    L: int
    is_real: bool
    low_rank: DiagonalPlusLowRankSystem | None
    is_mirrored: bool

    @property
    def N(self) -> int:
        """State size."""
        return self.system.N

    @property
    def rank(self) -> int:
        """Columns of P; 0 for a dense system."""
        return 0 if self.low_rank is None else self.low_rank.rank

    @property
    def rows(self) -> int:
        """Number of outputs."""
        return len(self.outputs)

    @property
    def outputs(self) -> Array:
        """C, (K, N)."""
        C = self.system.C if self.low_rank is None else self.low_rank.C
        assert C is not None
        return C

    @property
    def is_bilinear(self) -> bool:
        """Whether the method is the one with fast forms for a low-rank term."""
        return self.rule.alpha == Fraction(1, 2)

    @cached_property
    def dense(self) -> DenseSystem:
        """The dense form, real where the system is."""
        if isinstance(self.system, HalfSystem):
            return real_form(self.system)
        if self.low_rank is not None and self.is_mirrored:
            full, keep = self.low_rank, (self.N + 1) // 2
            multiplicity = np.full(keep, 2)
            multiplicity[keep - self.N % 2 :] = 1
            C = self.outputs[:, :keep]
            P, Q = full.P[:keep], full.Q[:keep]
            return real_form(HalfSystem(full.Lambda[:keep], full.B[:keep], C, multiplicity=multiplicity, P=P, Q=Q))
        return to_dense(self.system)

    @cached_property
    def discrete(self) -> DenseSystem:
        """Abar and Bbar, dense."""
        return discretize_system(self.dense, self.rule, self.step)

    @cached_property
    def largest_rate(self) -> float:
        """d with A + A* <= 2 d: 0 by the terms of A, or what the Cholesky factorization of 2 d - A - A* can see; or infinity.

        Rounding leaves a multiple of eps N |A|_F undecided, below which a slow growth hides.
        """
        if self.low_rank is not None:
            same = self.low_rank.Q is self.low_rank.P or bool((self.low_rank.Q == self.low_rank.P).all())
            return 0.0 if same and bool((self.low_rank.Lambda.real <= 0).all()) else math.inf
        A = self.dense.A
        rate = 4 * _EPS * self.N * float(np.linalg.norm(A))
        try:
            np.linalg.cholesky(2 * rate * np.eye(self.N) - (A + A.conj().T))
        except np.linalg.LinAlgError:
            return math.inf
        return 2 * rate

    @cached_property
    def growth(self) -> float:
        """G >= abs(Abar^l)_2 for l < L, up to rounding: a power of the growth of one step, or the product of the norms of
        Abar^(2^k).

        With A + A* <= 2 d one step grows by at most the largest modulus of its rational function (e^x) over Re x <= d dt,
        which for alpha >= 1/2 is that at d dt (von Neumann).
        """
        x, alpha = self.largest_rate * float(self.step), self.rule.alpha
        if alpha is None:
            one = x
        elif alpha >= Fraction(1, 2) and float(alpha) * x < 1:
            one = math.log1p(float(1 - alpha) * x) - math.log1p(-float(alpha) * x)
        else:
            one = math.inf
        if one * (self.L - 1) < 0.1:
            return math.exp(one * (self.L - 1))
        power, growth = self.discrete.A, 1.0
        with np.errstate(all="ignore"):
            for _ in range((self.L - 1).bit_length()):
                size = float(np.linalg.norm(power, 2)) if np.isfinite(power).all() else math.inf
                growth *= max(1.0, size)
                if not growth < 1e150:
                    return math.inf
                power = power @ power
        return growth

    @cached_property
    def low_rank_step(self) -> DiagonalPlusLowRankSystem:
        """The discrete system in O(N r^2), of a low-rank system and a method with an alpha."""
        assert self.low_rank is not None
        return discretize_system(self.low_rank, self.rule, self.step)

    @cached_property
    def _input(self) -> Array:
        return self.low_rank_step.B if self.low_rank is not None and self.rule.alpha is not None else self.discrete.B

    @property
    def unit(self) -> Array:
        """eps G^2 |C|_2 |Bbar|_2, for each output."""
        sizes = np.linalg.norm(self.outputs, axis=1)
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(_EPS * self.growth**2 * sizes * float(np.linalg.norm(self._input)))

    @cached_property
    def scale(self) -> Array:
        """A lower bound on the largest value of each output: the largest of the first lags."""
        if self.low_rank is not None and self.rule.alpha is not None:
            step = self.low_rank_step
            adjoint = step.Q.conj().T
            state, found = step.B, []
            for _ in range(min(self.L, _SAMPLES)):
                found.append(np.abs(self.outputs @ state))
                state = step.Lambda * state - step.P @ (adjoint @ state)
        else:
            discrete = self.discrete
            assert discrete.C is not None
            state, found = discrete.B, []
            for _ in range(min(self.L, _SAMPLES)):
                found.append(np.abs(discrete.C @ state))
                state = discrete.A @ state
        return np.asarray(np.max(found, axis=0))

    def joined(self, errors: Array) -> Array:
        """The errors of the outputs, as they are."""
        return errors

    def assembled(self, sums: Sums) -> Sums:
        """The values of the type that the kernel has."""
        values, errors = sums
        return (values.real if self.is_real else values.astype(np.complex128)), errors

    # --- the algorithms ------------------------------------------------------------------------------------------------

    @cached_property
    def _turn(self) -> float:
        """dt |A|_F, or what bounds it: how far one step turns, and so how much of its rounding Abar shows."""
        if self.low_rank is not None:
            size = float(np.linalg.norm(self.low_rank.Lambda))
            size += float(np.linalg.norm(self.low_rank.P)) * float(np.linalg.norm(self.low_rank.Q))
        else:
            size = float(np.linalg.norm(self.dense.A))
        return float(self.step) * size

    @cached_property
    def _steps_that_count(self) -> float:
        """Over how many steps an error of Abar adds up: all, or as many as the state lives, 1/(g dt) if A + A* <= -2 g."""
        if self.low_rank is not None:
            decay = -float(self.low_rank.Lambda.real.max())
        else:
            A = self.dense.A
            decay = -float(np.linalg.eigvalsh((A + A.conj().T) / 2)[-1]) - self.largest_rate
        return min(float(self.L), 1 / (decay * float(self.step))) if decay > 0 else float(self.L)

    def power_bound(self) -> Array:
        """Error of `krylov` and `recurrence`, in units.

        Powers by themselves: 64 + L / 4 + dt |A|_F / 4 (found: 120, L / 17, dt |A| / 20). An exponential is as inexact as its
        argument, (8 + dt |A|_F) eps, in every step that counts: 8 T (8 + dt |A|_F) (found: 2.3 T (..) for slowly
        damped rotations). The solve of a method with an alpha damps what it turns: 4 T (found: L / 3).
        """
        steps, turn = self._steps_that_count, self._turn
        if self.rule.alpha is not None:
            return np.asarray((64 + self.L / 4 + turn / 4 + 4 * steps) * self.unit)
        # Bbar comes from the same exponential, and is far smaller than dt B where A turns fast.
        input_error = 8 * (8 + turn) * float(self.step) * float(np.linalg.norm(self.dense.B))
        input_error *= _EPS * self.growth**2 * np.linalg.norm(self.outputs, axis=1)
        return np.asarray((64 + self.L / 4 + turn / 4 + 8 * steps * (8 + turn)) * self.unit + input_error)

    def krylov(self) -> Sums:
        """Powers of the dense Abar by squaring."""
        discrete = self.discrete
        assert discrete.C is not None
        return np.asarray(krylov_kernel(discrete.A, discrete.B, discrete.C, self.L)), self.power_bound()

    def recurrence(self) -> Sums:
        """Lag by lag; without a matrix for a low-rank system and the bilinear method."""
        if self.low_rank is not None and self.is_bilinear:
            impulse = np.zeros(self.L)
            impulse[0] = 1
            full, dt = self.low_rank, float(self.step)
            values = low_rank_recurrence(full.Lambda, full.P, full.Q, full.B, self.outputs, dt, impulse)
        else:
            discrete = self.discrete
            assert discrete.C is not None
            values = recurrence_kernel(discrete.A, discrete.B, discrete.C, self.L)
        return np.asarray(values), self.power_bound()

    def generating_bound(self) -> Array:
        """Error of `generating`: (64 + 2 L) units more than that of `krylov`; found: L / 2."""
        return np.asarray(self.power_bound() + (64 + 2 * self.L) * self.unit)

    def generating(self) -> Sums:
        """S4's generating function at damped nodes."""
        full = self.low_rank
        assert full is not None
        dt = float(self.step)
        Abar, _ = bilinear_low_rank(full.Lambda, full.P, full.Q, full.B, dt)
        Ct = truncated_output(self.outputs, Abar, self.L, damping=1.0)
        arrays = (full.Lambda, full.P, full.Q, full.B, Ct)
        real = self.is_mirrored or self.is_real
        values = s4_kernel(*arrays, dt, self.L, damping=1.0, real=real, mirrored=self.is_mirrored)
        return np.asarray(values), self.generating_bound()


def states_of(
    system: DenseSystem | DiagonalPlusLowRankSystem | HalfSystem, rule: Discretization, step: Fraction, L: int
) -> States:
    """The float64 system with an output, for lags below L.

    Raises
    ------
    InputError
        If the system has no states.
    """
    if not system.N:
        raise InputError("`system` has no states; give one with N >= 1")
    if isinstance(system, DenseSystem):
        is_real = all(array is not None and np.isrealobj(array) for array in (system.A, system.B, system.C))
        return States(system, rule, step, L, is_real, None, False)
    full = conjugate_full(system) if isinstance(system, HalfSystem) else system
    assert isinstance(full, DiagonalPlusLowRankSystem)
    assert full.C is not None
    rows = (full.Lambda, full.B, *full.C, *full.P.T, *full.Q.T)
    is_real = isinstance(system, HalfSystem) or not any(np.iscomplexobj(row) for row in rows)
    return States(system, rule, step, L, is_real, full, mirrored(*rows))
