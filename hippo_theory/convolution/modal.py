"""Diagonal systems: the discrete modes c_n z_n^l of a kernel, the algorithms that add them up, and what each one loses.

    K_l = Re sum_n c_n z_n^l,    c_n = m_n C_n B_n dt g(x_n),    z_n = z(x_n),    x_n = Lambda_n dt,

m_n the multiplicity. A kernel that is not real is two such sums, of c and of -i c. Two families: exponential methods
(zero-order hold, impulse sampling; z = e^x), and rational ones (those with an alpha; z a quotient of degree one).

Bounds with u = 2^-53 and eps = 2 u. A number z^l that is formed from a rounded x or z is off by l times that rounding,
so that a mode contributes the largest l abs(z)^l over the lags: about 1/(e abs(ln abs(z))) for a decaying one, however
long the kernel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.discretizations import Discretization
from hippo_theory.errors import InputError
from hippo_theory.kernels import cosine_kernel
from hippo_theory.kernels.multipliers import multiplier_powers
from hippo_theory.kernels.nonuniform import block_product, nonuniform_product, rates_table
from hippo_theory.kernels.phases import ReducedRates, angles, reduced_rates
from hippo_theory.systems import DiagonalSystem, HalfSystem

__all__ = ["Modes", "Sums", "modes_of"]

Array = NDArray[Any]
Sums = tuple[Array, Array]  # values (K, L), and a bound on the absolute error of each row (K,)

_U = 2.0**-53
_SAMPLES = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0)  # exponents of L - 1: lags at which the size of a kernel is looked at
_SMALLEST_LOGARITHM = -1e4  # stands for ln 0: its exponential is 0
_SMALLEST_TOLERANCE, _LARGEST_TOLERANCE = 1e-14, 1e-3


@dataclass(frozen=True, eq=False)
class Modes:
    """The modes of a kernel, with what the bounds need.

    Attributes
    ----------
    rates, x : (N,) ndarray of complex128
        Lambda, and Lambda dt rounded.
    step : Fraction
    rule : Discretization
    L : int
    c : (R, N) ndarray of complex128
        A row for each real sum: K rows of a real kernel, else 2 K.
    weight_error : (R, N) ndarray of float64
        Bound on the error of c.
    is_real : bool
        Whether the kernel is real: a row for each output suffices.
    dtype : type
        Of the values: float64 for a half or real arrays, else complex128 even where the kernel is real.
    growth : (N,) ndarray
        The largest abs(z_n)^l over the lags, at least 1 (l = 0).
    loss : (N,) ndarray
        The largest l abs(z_n)^(l-1).
    logarithms : (N,) ndarray of complex128
        ln z_n, rounded; x_n for an exponential method.
    power_error : (N,) ndarray
        Bound on abs(z_n) times the error of it.
    """

    rates: Array
    x: Array
    step: Fraction
    rule: Discretization
    L: int
    c: Array
    weight_error: Array
    is_real: bool
    dtype: type
    growth: Array
    loss: Array
    logarithms: Array
    power_error: Array

    @property
    def N(self) -> int:
        """How many modes are stored."""
        return len(self.x)

    @property
    def rows(self) -> int:
        """How many real sums there are."""
        return len(self.c)

    @cached_property
    def largest_sums(self) -> Array:
        """S = sum_n abs(c_n) max(1, abs(z_n)^(L-1)) of each row, rounded up."""
        return np.asarray((np.abs(self.c) @ self.growth) * (1 + 1e-9))

    @cached_property
    def weight_errors(self) -> Array:
        """What the rounding of the weights contributes to the error of each row."""
        return np.asarray((self.weight_error @ self.growth) * (1 + 1e-9))

    # --- float64 phases ------------------------------------------------------------------------------------------------

    @cached_property
    def rounded_bound(self) -> Array:
        """Absolute error of the sums with float64 phases, each row; to first order in eps.

        eps sum_n abs(c_n) ((8 + N) growth_n + (abs(ln z_n z_n) / 2 + power_error_n / eps) loss_n).
        """
        moved = _U * np.abs(self.logarithms) * np.exp(self.logarithms.real) + self.power_error
        each = 2 * _U * (8 + self.N) * self.growth + moved * self.loss
        return np.asarray(np.abs(self.c) @ each + self.weight_errors)

    def direct(self) -> Sums:
        """Every power z_n^l, then one product: the fewest calls."""
        lags = np.arange(self.L, dtype=np.float64)
        with np.errstate(under="ignore"):
            phase = self.logarithms.imag[:, None] * lags
            size = np.exp(self.logarithms.real[:, None] * lags)
            values = self.c.real @ (size * np.cos(phase)) - self.c.imag @ (size * np.sin(phase))
        return values, self.rounded_bound

    def vandermonde(self) -> Sums:
        """The product of two tables of powers with float64 phases, in real arithmetic (`kernels.cosine_kernel`)."""
        parts = (self.logarithms.real, self.logarithms.imag, self.c.real, self.c.imag)
        with np.errstate(under="ignore"):
            values = cosine_kernel(*parts, self.L, check_values=False)
        return np.asarray(values), self.rounded_bound

    # --- accurate powers ----------------------------------------------------------------------------------------------

    def blocks_bound(self) -> Array:
        """Absolute error of `blocks`, each row; proved, before anything is computed (see `kernels.block_product`)."""
        doublings = (self.L - 1).bit_length() + 2
        phase = 2 * self.L * float(np.abs(self.x.imag).max(initial=0.0)) * 16 * _U**2
        each = 40 * _U + 1.1 * phase if self.rule.alpha is None else self._power_error()
        sums = (2 * 256 + self.N / 256 + 2) * _U
        relative = 1.05 * ((doublings + 2) * (each + 3 * _U) + 4 * _U + sums)
        if not math.isfinite(relative):  # also of an output that is 0: the powers are not formed
            return np.full(self.rows, math.inf)
        return np.asarray(self.largest_sums * relative + self.weight_errors)

    def _power_error(self) -> float:
        if float(self.growth.max(initial=1.0)) > 2.0**190:
            return math.inf  # the pairs of floats would overflow
        assert self.rule.alpha is not None
        distance = np.abs(1 - float(self.rule.alpha) * self.x)
        q = 1 + float(((1 + np.abs(self.x)) / distance).max(initial=0.0))
        return _U + 4.0 * self.L * _U**2 * (128 * q + 32)

    def blocks(self) -> Sums:
        """The product of two tables of powers that are right to a few units in the last place."""
        if self.rule.alpha is None:
            table = rates_table(self._reduced())
        else:
            table = multiplier_powers(self.rates, self.step, self.rule.alpha, self.L).table
        values, relative = block_product(table, self.c, self.L)
        return values, relative * self.largest_sums + self.weight_errors

    def _reduced(self) -> ReducedRates:
        return reduced_rates(self.rates, self.step)

    # --- nonuniform FFT ------------------------------------------------------------------------------------------------

    def fourier_bound(self, accuracy: float) -> Array:
        """What the bound of `fourier` was seen to stay below, each row; the bound itself is measured afterwards."""
        return np.asarray((4e-13 + 10 * self.tolerance(accuracy)) * self.largest_sums + self.weight_errors)

    def tolerance(self, accuracy: float) -> float:
        """The tolerance of the nonuniform FFT, relative to S, that leaves room for an error of `accuracy`."""
        sums = self.largest_sums[: len(self.scale)]
        smallest = float((self.scale[sums > 0] / sums[sums > 0]).min(initial=1.0))
        return min(max(accuracy * smallest / 20, _SMALLEST_TOLERANCE), _LARGEST_TOLERANCE)

    def fourier(self, accuracy: float) -> Sums:
        """e^(alpha dt l) times a nonuniform FFT for each block of lags; every real part is alpha."""
        rates, tolerance = self._reduced(), self.tolerance(accuracy)
        parts = [nonuniform_product(rates, row, self.L, tolerance) for row in self.c]
        values = np.stack([values for values, _ in parts])
        return values, np.array([error for _, error in parts]) * self.largest_sums + self.weight_errors

    def has_one_real_part(self) -> bool:
        """Whether the nonuniform FFT applies: an exponential method, and rates of equal real parts."""
        real = self.rates.real
        return self.rule.alpha is None and self.N > 0 and bool((real == real[0]).all())

    # --- how large the kernel is ---------------------------------------------------------------------------------------

    @cached_property
    def scale(self) -> Array:
        """A lower bound on the largest value of each output: the largest at some lags, minus the error there."""
        last = self.L - 1
        lags = np.array([0.0, *sorted({float(int(last**share)) for share in _SAMPLES} if last else ())])
        with np.errstate(under="ignore"):
            phase = np.outer(self.logarithms.imag, lags)
            size = np.exp(np.outer(self.logarithms.real, lags))
            found = self.c.real @ (size * np.cos(phase)) - self.c.imag @ (size * np.sin(phase))
            # The errors of `rounded_bound`, lag by lag; abs(z)^(l-1) is at most abs(z)^l / abs(z).
            moved = _U * np.abs(self.logarithms) + self.power_error * np.exp(np.minimum(-self.logarithms.real, 700.0))
            lost = np.abs(self.c) @ (size * (2 * _U * (8 + self.N) + np.outer(moved, lags)))
        lower = np.maximum(np.abs(found) - 2 * (lost + self.weight_errors[:, None]), 0.0).max(axis=1)
        return np.asarray(lower if self.is_real else np.maximum(*np.split(lower, 2)))

    def joined(self, errors: Array) -> Array:
        """The errors of the outputs, from those of their real sums."""
        return errors if self.is_real else np.hypot(*np.split(errors, 2))

    def assembled(self, sums: Sums) -> Sums:
        """The kernel of each output, from its real sums."""
        values, errors = sums
        if self.is_real:
            return values.astype(self.dtype, copy=False), errors
        real, imaginary = np.split(values, 2)
        return real + 1j * imaginary, self.joined(errors)


def modes_of(system: DiagonalSystem | HalfSystem, rule: Discretization, step: Fraction, L: int) -> Modes:
    """The discrete modes of a float64 diagonal system with an output, for lags below L.

    Raises
    ------
    InputError
        If the modes grow beyond float64, or a multiplier is infinite.
    """
    assert system.C is not None
    rates, B, C = (array.astype(np.complex128) for array in (system.Lambda, system.B, system.C))
    has_real_values = isinstance(system, HalfSystem) or not any(
        np.iscomplexobj(array) for array in (system.Lambda, system.B, system.C)
    )
    is_real = True
    if isinstance(system, HalfSystem):
        C = C * system.multiplicity
    elif mirrored(rates, B, *C):
        # Conjugate pairs: the first half, doubled, has the same real part, and the kernel no other.
        keep = (len(rates) + 1) // 2
        weights = np.full(keep, 2.0)
        weights[keep - len(rates) % 2 :] = 1
        rates, B, C = rates[:keep], B[:keep], C[:, :keep] * weights
    else:
        is_real = has_real_values
    dt = float(step)
    x = rates * dt
    with np.errstate(all="ignore"):
        growth, loss, logarithms, power_error = _powers(x, rule, L)
        gain, gain_error = _gain(rates, x, rule, step)
        plain = C * B * dt
        c, error = plain * gain, np.abs(plain) * (gain_error + 14 * _U * np.abs(gain))
        largest = float((np.abs(c) @ growth).max(initial=0.0))
    if not (np.isfinite(c).all() and np.isfinite(error).all() and largest < 2.0**900):
        raise InputError(
            "the kernel grows beyond float64 within L lags, or an eigenvalue is 1/(alpha dt); take fewer lags, a "
            "smaller `dt`, or eigenvalues with real parts <= 0"
        )
    if not is_real:
        c, error = np.concatenate([c, -1j * c]), np.concatenate([error, error])
    dtype = np.float64 if has_real_values else np.complex128
    return Modes(rates, x, step, rule, L, c, error, is_real, dtype, growth, loss, logarithms, power_error)


def mirrored(*rows: Array) -> bool:
    """Whether entry N-1-n of each is exactly the conjugate of entry n, so that every sum over the states is real."""
    return all(bool((row == row[::-1].conj()).all()) for row in rows)


def _powers(x: Array, rule: Discretization, L: int) -> tuple[Array, Array, Array, Array]:
    """Growth, loss, logarithms and their errors, as in `Modes`."""
    size = np.abs(x)
    if rule.alpha is None:
        logarithms = x
        error = 2 * _U * size * np.exp(x.real)  # Lambda dt and dt are rounded
    else:
        new, old = float(rule.alpha), float(1 - rule.alpha)
        bottom = 1 - new * x
        z = (1 + old * x) / bottom
        # abs(1 + old x)^2 - abs(1 - new x)^2 = 2 Re x + (old - new) abs(x)^2: no cancellation near abs(z) = 1.
        excess = (2 * x.real + (old - new) * size * size) / np.abs(bottom) ** 2
        decay = np.where(excess > -0.5, 0.5 * np.log1p(np.maximum(excess, -0.5)), np.log(np.abs(z)))
        logarithms = np.maximum(decay, _SMALLEST_LOGARITHM) + 1j * np.angle(z)
        modulus = np.abs(z)
        error = _U * (4 * (1 + size) / np.abs(bottom) * (1 + modulus) + (8 + 3 * np.abs(logarithms)) * modulus)
    decay, last = logarithms.real, L - 1
    growth = np.exp(np.maximum(0.0, decay * last))
    # max over 1 <= l <= last of l e^(a (l-1)): at l = -1/a, if that lies inside.
    falling = decay < 0
    peak = np.clip(np.where(falling, -1 / np.where(falling, decay, -1.0), np.inf), 1.0, max(last, 1))
    return growth, peak * np.exp(np.where(peak > 1, decay * (peak - 1), 0.0)), logarithms, error


def _gain(rates: Array, x: Array, rule: Discretization, step: Fraction) -> tuple[Array, Array]:
    """g(x), and a bound on its absolute error.

    For zero-order hold, g = (e^x - 1)/x, the phase of e^x is reduced accurately where it exceeds one radian; then e^x is
    off by at most (40 + abs(Re x)) u e^(Re x), which is divided by abs(x); below that the rounding of x costs u abs(e^x - g).
    """
    if rule.alpha is not None:
        bottom = 1 - float(rule.alpha) * x
        gain = 1 / bottom
        return gain, np.abs(gain) * _U * (16 + 4 * (1 + np.abs(x)) / np.abs(bottom))
    if rule.name == "sampled":
        return np.ones_like(x), np.zeros(len(x))
    a, b = x.real, x.imag
    far = np.abs(b) > 1
    if far.any():
        b = np.where(far, angles(reduced_rates(rates, step), [1])[0], b)
    half = np.sin(b / 2)
    difference = np.expm1(a) * np.cos(b) - 2 * half * half + 1j * (np.exp(a) * np.sin(b))
    zero = x == 0
    gain = np.where(zero, 1, difference / np.where(zero, 1, x))
    lost = np.where(far, (44 + 2 * np.abs(a)) / np.where(far, np.abs(x), 1), 44)
    return gain, _U * (24 * np.abs(gain) + lost * np.exp(a))
