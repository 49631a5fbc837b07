"""HiPPO-LagT: Laguerre functions of the past, for any alpha > -1 and beta >= 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from flint import acb, arb, fmpq

from hippo_theory.arithmetic import Arithmetic, Balls, exact_fraction
from hippo_theory.errors import InputError
from hippo_theory.families import double_double
from hippo_theory.families.base import Array, Family

__all__ = ["LagT"]


@dataclass(frozen=True)
class LagT(Family):
    """HiPPO-LagT (Laguerre), x' = A x + B u. For alpha = 0:

        A_nk = -1 (n > k),  -(1+beta)/2 (n = k),  0 (n < k);      B_n = 1.

    By default beta = 0: A = I/2 - tril(1), normal plus rank one, weight 1. ``beta=1`` is A = -tril(1), weight e^-t.
    Low rank: P_n = 1/sqrt 2; A + P P^T = -(beta/2) I + skew. For alpha != 0 the pair is L^-1 A L, L^-1 binom(n+alpha, n)
    with L_n = sqrt(Gamma(n+alpha+1)/n!): a diagonal similarity, and not normal plus low rank. Weight
    omega(t) = t^-alpha e^(-beta t); kernels K_n(t) = e^(-(1+beta) t/2) L_n^(alpha)(t) / L_n.

    Derivation of the kernels: on generating functions A acts as -((1+beta)/2 + z/(1-z)), and
    sum_n z^n L_n^(alpha)(t) = (1-z)^(-alpha-1) e^(-t z/(1-z)).

    Not to be confused: the HiPPO paper's LagT is beta = 1 (``tlagt`` in state-spaces/s4, whose ``lagt`` is beta = 0).

    Source: HiPPO (arXiv:2008.07669), theorem on translated measures; general form: state-spaces/s4 ``glagt``.

    Examples
    --------
    >>> from hippo_theory.families import LagT
    >>> LagT(3).A
    array([[-0.5,  0. ,  0. ],
           [-1. , -0.5,  0. ],
           [-1. , -1. , -0.5]])
    """

    alpha: Fraction = field(default=Fraction(0), kw_only=True)
    beta: Fraction = field(default=Fraction(0), kw_only=True)

    name: ClassVar[str] = "lagt"
    title: ClassVar[str] = "Laguerre (LagT)"

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", exact_fraction(self.alpha))
        object.__setattr__(self, "beta", exact_fraction(self.beta))
        if self.alpha <= -1:
            raise InputError(f"`alpha` must exceed -1, got {self.alpha}")
        if self.beta < 0:
            raise InputError(f"`beta` must be at least 0, got {self.beta}")
        super().__post_init__()
        if self.form.unit_mass and not (self.alpha < 1 and self.beta > 0):
            raise InputError(
                "the convention 'glagt' divides by the mass of t^-alpha e^(-beta t); it needs alpha < 1 and beta > 0"
            )

    @property
    def _nearest_by_one_rounding(self) -> bool:  # type: ignore[override]
        return self.alpha == 0

    @property
    def _decay(self) -> Fraction:
        return (1 + self.beta) / 2

    def _lengths(self, arithmetic: Arithmetic) -> Array:
        """L_n = sqrt(Gamma(n+alpha+1)/n!), the norm of the n-th Laguerre polynomial."""
        squares = [arithmetic.gamma(arithmetic.number(self.alpha + 1))]
        for n in range(1, self.N):
            squares.append(squares[-1] * arithmetic.number(1 + self.alpha / n))
        return np.asarray(arithmetic.sqrt(np.array(squares, dtype=arithmetic.dtype)))

    def _state_matrix(self, arithmetic: Arithmetic) -> Array:
        A = np.tril(np.full((self.N, self.N), arithmetic.number(-1), dtype=arithmetic.dtype), -1)
        A[np.arange(self.N), np.arange(self.N)] = arithmetic.number(-self._decay)
        A = arithmetic.number(A)
        if self.alpha:
            L = self._lengths(arithmetic)
            A = A * L[None, :] / L[:, None]
        return np.asarray(A)

    def _input_vector(self, arithmetic: Arithmetic) -> Array:
        B = np.full(self.N, arithmetic.number(1), dtype=arithmetic.dtype)
        if self.alpha:
            for n in range(1, self.N):
                B[n] = B[n - 1] * arithmetic.number(1 + self.alpha / n)  # binom(n+alpha, n)
            B = B / self._lengths(arithmetic)
        return B

    def _require_normal_plus_low_rank(self) -> None:
        if self.alpha:
            raise InputError(
                f"LagT with alpha = {self.alpha} is a diagonal similarity of alpha = 0 and not normal plus low rank; "
                "decompose alpha = 0"
            )
        super()._require_normal_plus_low_rank()

    def _low_rank(self, arithmetic: Arithmetic) -> Array:
        half = arithmetic.sqrt(arithmetic.number(Fraction(1, 2)))
        return np.full((self.N, 1), half, dtype=arithmetic.dtype)

    def _mass(self, arithmetic: Arithmetic) -> Any:
        """Integral of t^-alpha e^(-beta t) = Gamma(1-alpha) beta^(alpha-1)."""
        power = arithmetic.exp((1 - arithmetic.number(self.alpha)) * arithmetic.log(arithmetic.number(self.beta)))
        return arithmetic.gamma(arithmetic.number(1 - self.alpha)) / power

    def _transfer(self, component: int, s: Any, arithmetic: Arithmetic) -> Any:
        # sum_n z^n X_n = (1-z)^-alpha / ((s+c) - (s+c-1) z) with c = (1+beta)/2: a convolution of binomials and powers.
        pole = s + arithmetic.number(self._decay)
        ratio = (pole - 1) / pole
        if self.alpha == 0:
            return ratio**component / pole
        value = binomial = arithmetic.number(1)
        for n in range(1, component + 1):
            binomial = binomial * arithmetic.number((n - 1 + self.alpha) / Fraction(n))
            value = value * ratio + binomial
        return value / pole / self._lengths(arithmetic)[component]

    def _inner(self, s: Any, arithmetic: Arithmetic) -> Any:
        # q = ((s+c-1)/(s+c))^N, of modulus 1 on the imaginary axis for beta = 0.
        pole = s + arithmetic.number(self._decay)
        return ((pole - 1) / pole) ** self.N

    @property
    def has_inner_function(self) -> bool:
        """As in `Family`; only for alpha = 0."""
        return self.alpha == 0 and super().has_inner_function

    def _kernel(self, component: int, time: Any, arithmetic: Arithmetic) -> Any:
        value = arithmetic.exp(-arithmetic.number(self._decay) * time)
        value = value * arithmetic.laguerre(component, arithmetic.number(self.alpha), time)
        return value / self._lengths(arithmetic)[component] if self.alpha else value

    def _measure(self, time: Any, arithmetic: Arithmetic) -> Any:
        value = arithmetic.exp(-arithmetic.number(self.beta) * time)
        return value * self._power(time, -self.alpha, arithmetic) if self.alpha else value

    def _basis(self, component: int, time: Any, arithmetic: Arithmetic) -> Any:
        value = self._kernel(component, time, arithmetic) * arithmetic.exp(arithmetic.number(self.beta) * time)
        return value * self._power(time, self.alpha, arithmetic) if self.alpha else value

    @staticmethod
    def _power(time: Any, exponent: Fraction, arithmetic: Arithmetic) -> Any:
        if time == 0:  # its logarithm would be no number
            if exponent < 0:
                raise InputError(f"t^({exponent}) is infinite at `time` 0; take a positive time")
            return arithmetic.number(0)
        return arithmetic.exp(arithmetic.number(exponent) * arithmetic.log(time))

    @property
    def _timescale(self) -> Fraction | float:
        if self.alpha >= 1 or self.beta == 0:
            return math.inf
        return (1 - self.alpha) / self.beta

    @property
    def _real_part(self) -> Fraction:
        return -self.beta / 2

    # S + (beta/2) I is skew with entries -+1/2 and skew-circulant: eigenvectors e^{i pi (2j+1) n / N} / sqrt N.

    def _turns(self, index: int) -> fmpq:
        """The angle (2j+1) pi/(2N) in units of pi."""
        return fmpq(2 * index + 1, 2 * self.N)

    def _frequencies(self, arithmetic: Balls) -> Array:
        angles = [arb.sin_cos_pi_fmpq(self._turns(index)) for index in range(self.stored)]
        return np.array([cosine / (2 * sine) for sine, cosine in angles], dtype=object)

    def _frequencies_float(self) -> tuple[Array, Array]:
        return self._float_spectrum

    @cached_property
    def _float_spectrum(self) -> tuple[Array, Array]:
        """w = cot(angle)/2, angle = (2j+1) pi/(2N), and abs(V* B) = 1/(sqrt(N) sin(angle)), both within 2 ulp."""
        return _cotangent_spectrum(self.N)

    def _weight(self, index: int, frequency: Any, arithmetic: Balls) -> Any:
        return 1 / (arithmetic.sqrt(arithmetic.number(self.N)) * arb.sin_pi_fmpq(self._turns(index)))

    def _eigenvector(self, index: int, frequency: Any, arithmetic: Balls, components: Sequence[int]) -> Array:
        # e^{2 i n angle}/sqrt N, times -i e^{i angle} so that v* B = 1/(sin(angle) sqrt N) is positive.
        scale = 1 / arithmetic.sqrt(arithmetic.number(self.N))
        angles = [arb.sin_cos_pi_fmpq((2 * n + 1) * self._turns(index)) for n in components]
        return np.array([acb(scale * sine, -scale * cosine) for sine, cosine in angles], dtype=object)


_BLOCK = 1 << 14  # roots at a time: the temporaries stay in the processor's cache


def _cotangent_spectrum(N: int) -> tuple[Array, Array]:
    """cot(angle)/2 and 1/(sqrt(N) sin(angle)) for angle = (2j+1) pi/(2N) <= pi/2, in float64, within 2 ulp."""
    odd = np.arange(1, N + 1, 2, dtype=np.float64)
    cotangent = np.concatenate([_cotangent(odd[k : k + _BLOCK], N) for k in range(0, len(odd), _BLOCK)])
    return cotangent / 2, np.sqrt((1 + cotangent * cotangent) / N)


def _cotangent(odd: Array, N: int) -> Array:
    """cot(odd pi/(2N)).

    The tangent of the smaller of the angle and its complement is well conditioned; NumPy's value is corrected by one
    Newton step whose residual (angle - arctan) is formed in double-double, so that only the last rounding is left.
    """
    is_small = 2 * odd <= N
    high, low = double_double.half_pi()
    zero, one = np.zeros_like(odd), np.ones_like(odd)
    half_pi = (np.full_like(odd, high), np.full_like(odd, low))
    angle = double_double.mul_short(half_pi, np.where(is_small, odd, N - odd))
    angle = double_double.div(angle, (np.full_like(odd, N), zero))
    tangent = np.tan(angle[0])
    residual = double_double.sub(angle, double_double.arctan2((tangent, zero), (one, zero)))
    correction = (1 + tangent * tangent) * (residual[0] + residual[1])
    corrected = double_double.fast_two_sum(tangent, correction)
    divisor = np.where(is_small, corrected[0], 1.0), np.where(is_small, corrected[1], 0.0)
    return np.asarray(np.where(is_small, double_double.div((one, zero), divisor)[0], corrected[0]))
