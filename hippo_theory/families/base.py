"""What every HiPPO family is: A, B, weight, basis, kernels, transfer function, low-rank term and normal spectrum.

A family object is a frozen value that holds its size and convention and computes nothing until asked. Each formula is
written once, in a subclass, for the canonical convention and for any `Arithmetic`; this module turns it into the other
conventions and into float64.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from flint import acb, arb, arb_mat
from numpy.typing import NDArray

from hippo_theory.arithmetic import FLOAT64, Arithmetic, Balls, balls, nearest_certified
from hippo_theory.errors import CertificationError, InputError, checked_size
from hippo_theory.families.conventions import HALF, Convention, find_convention

__all__ = ["FAMILIES", "Family"]

Array = NDArray[Any]

FAMILIES: dict[str, type[Family]] = {}


@dataclass(frozen=True)
class Family(ABC):
    """A HiPPO family at state size N: the system x' = A x + B u and all that is known of it in closed form.

    Parameters
    ----------
    N : int
        Full real state size, at least 1.
    variant : str
        The system under which name: the family itself, or one of its relatives (``lmu``, ``fourier-decay``, ...).
    convention : str
        How it is written; see `hippo_theory.families.conventions`.
    """

    N: int
    variant: str = ""
    convention: str = "default"

    name: ClassVar[str]
    title: ClassVar[str]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        FAMILIES[cls.name] = cls

    def __post_init__(self) -> None:
        object.__setattr__(self, "N", checked_size("N", self.N))
        object.__setattr__(self, "variant", self.variant or self.name)
        if self.form.family != self.name:
            raise InputError(f"{self.variant!r} is written from {self.form.family}, not {self.name}")
        self._check_size()

    @cached_property
    def form(self) -> Convention:
        """The transformation of the canonical system that variant and convention mean."""
        return find_convention(self.variant, self.convention)

    def _check_size(self) -> None:
        """Raise where the size is not admitted under the convention."""

    # --- what a subclass writes: the canonical formulas --------------------------------------------------------------

    @abstractmethod
    def _state_matrix(self, arithmetic: Arithmetic) -> Array:
        """Canonical A, (N, N), with the share `form.rank` of its low-rank term (FouT only: elsewhere it is 1)."""

    @abstractmethod
    def _input_vector(self, arithmetic: Arithmetic) -> Array:
        """Canonical B, (N,)."""

    @abstractmethod
    def _low_rank(self, arithmetic: Arithmetic) -> Array:
        """Canonical real P, (N, r), for which A + P P^T is normal."""

    @abstractmethod
    def _transfer(self, component: int, s: Any, arithmetic: Arithmetic) -> Any:
        """Canonical X_n(s) = e_n^T (s I - A)^-1 B."""

    def _kernel(self, component: int, time: Any, arithmetic: Arithmetic) -> Any:
        """Canonical K_n(t) in closed form; None where there is none."""
        return None

    @abstractmethod
    def _measure(self, time: Any, arithmetic: Arithmetic) -> Any:
        """Canonical weight omega(t) of the past at distance t >= 0."""

    @abstractmethod
    def _basis(self, component: int, time: Any, arithmetic: Arithmetic) -> Any:
        """Canonical orthonormal basis function p_n(t): integral of p_n p_m omega is 1 if n = m, else 0."""

    @property
    @abstractmethod
    def _timescale(self) -> Fraction | float:
        """Canonical mean age: integral of t omega over integral of omega."""

    @property
    def _real_part(self) -> Fraction:
        """Canonical common real part of the eigenvalues of the normal part A + P P^T."""
        return Fraction(0)

    @abstractmethod
    def _frequencies(self, arithmetic: Balls) -> Array:
        """Canonical nonnegative imaginary parts of the normal spectrum, decreasing, ceil(N/2) certified balls."""

    @abstractmethod
    def _frequencies_float(self) -> tuple[Array, Array]:
        """The same in float64 within 2 ulp, with the weights abs(V* B) that belong to them."""

    @abstractmethod
    def _weight(self, index: int, frequency: Any, arithmetic: Balls) -> Any:
        """Canonical abs(v* B) for the unit eigenvector v of the frequency at `index` of `_frequencies`."""

    @abstractmethod
    def _eigenvector(self, index: int, frequency: Any, arithmetic: Balls, components: Sequence[int]) -> Array:
        """Some components, in increasing order, of that eigenvector, v* B real and positive."""

    def _rescaling(self, arithmetic: Arithmetic) -> Array:
        """The diagonal D of conventions that rescale the states (LMU), (N,)."""
        raise InputError(f"{self.name} has no rescaled convention")

    def _mass(self, arithmetic: Arithmetic) -> Any:
        """The mass of the weight, where a convention divides by it."""
        return 1

    _rank: ClassVar[int] = 1
    """Columns of the canonical P."""

    _nearest_by_one_rounding: ClassVar[bool] = False
    """Whether the formulas of A, B and P, evaluated in float64, round exactly once."""

    # --- matrices ----------------------------------------------------------------------------------------------------

    def state_matrix(self, arithmetic: Arithmetic) -> Array:
        """A of x' = A x + B u (or of the convention's own equation), in any number system.

        Parameters
        ----------
        arithmetic : Arithmetic
            ``balls(bits)``, ``mpmath_numbers(digits)``, ``exact()``, ``rationals()``.

        Returns
        -------
        (N, N) ndarray of elements of that system
        """
        form = self.form
        with arithmetic.work() as ring:
            A = self._state_matrix(ring)
            if form.shift:
                A = A + ring.number(form.shift) * ring.identity(self.N)
            if form.rescaled:
                D = self._rescaling(ring)
                A = A * D[:, None] / D[None, :]
            factor = form.sign * form.rate
            return A if factor == 1 else np.asarray(ring.number(factor) * A)

    def input_vector(self, arithmetic: Arithmetic) -> Array:
        """B of x' = A x + B u, (N,), in any number system."""
        with arithmetic.work() as ring:
            return np.asarray(self._gain(ring) * self._input_vector(ring))

    def _gain(self, ring: Arithmetic) -> Any:
        """What B is multiplied by under the convention: a number, or one factor a state."""
        form = self.form
        factor: Any = 1 if form.rate * form.gain == 1 else ring.number(form.rate * form.gain)
        if form.unit_mass:
            factor = factor / ring.sqrt(self._mass(ring))
        if form.rescaled:
            factor = factor * self._rescaling(ring)
        return factor

    def low_rank(self, arithmetic: Arithmetic) -> Array:
        """P, real, (N, r), with A + P P^T normal (r = 1, or 2 for LegT; 0 where the convention drops the term).

        Raises
        ------
        InputError
            If the convention's A is not normal plus low rank (LMU; alpha != 0; conventions that write -A).
        """
        self._require_normal_plus_low_rank()
        with arithmetic.work() as ring:
            P = self._low_rank(ring)
            factor = self.form.rate * self.form.rank
            if factor == 0:
                return P[:, :0]
            return P if factor == 1 else ring.sqrt(ring.number(factor)) * P

    @property
    def low_rank_columns(self) -> int:
        """The rank r of the term that makes A normal: columns of `low_rank`."""
        self._require_normal_plus_low_rank()
        return self._rank if self.form.rank else 0

    def normal_part(self, arithmetic: Arithmetic) -> Array:
        """S = A + P P^T, the normal part, (N, N)."""
        P = self.low_rank(arithmetic)
        with arithmetic.work():
            A = self.state_matrix(arithmetic)
            return A + P @ P.T if P.shape[1] else A

    def _require_normal_plus_low_rank(self) -> None:
        if not self.form.normal_plus_low_rank:
            raise InputError(
                f"{self.variant} under the convention {self.convention!r} is not written as normal minus low rank; "
                f"use {type(self).__name__}({self.N}) in its default convention, of which it is a transformation"
            )

    @cached_property
    def A(self) -> NDArray[np.float64]:
        """A in float64, (N, N), each entry the nearest to the truth; read-only."""
        return self._float(self.state_matrix, self.form.rate in (1, HALF))

    @cached_property
    def B(self) -> NDArray[np.float64]:
        """B in float64, (N,), each entry the nearest to the truth; read-only."""
        return self._float(self.input_vector, self.form.rate in (1, HALF))

    @cached_property
    def P(self) -> NDArray[np.float64]:
        """P in float64, (N, r), with A + P P^T normal, each entry the nearest to the truth; read-only."""
        return self._float(self.low_rank, self.form.rate == 1)

    def _float(self, formula: Callable[[Arithmetic], Array], rate_is_exact: bool) -> NDArray[np.float64]:
        """The formula rounded to nearest: in one float operation where that is provably the same, else from balls."""
        form = self.form
        plain = form.rank == form.gain == 1 and form.shift == 0 and not (form.rescaled or form.unit_mass)
        if self._nearest_by_one_rounding and plain and rate_is_exact:
            result = np.asarray(formula(FLOAT64), dtype=np.float64)
        else:
            result = np.asarray(nearest_certified(formula), dtype=np.float64)
        result = result + 0.0  # no negative zeros
        result.flags.writeable = False
        return result

    # --- kernels, transfer function, basis ---------------------------------------------------------------------------

    def kernel(self, component: int, time: Any, arithmetic: Arithmetic) -> Any:
        """Basis kernel K_n(t) = e_n^T exp(t A) B at t >= 0.

        Parameters
        ----------
        component : int
            n, 0 <= n < N.
        time : number
            t >= 0, exact or in the system.
        arithmetic : Arithmetic
            Closed forms work in every system; LegT and the low-rank Fourier systems have none and are evaluated by the
            ball matrix exponential (balls only).

        Returns
        -------
        element of the number system
        """
        component = self.checked_component(component)
        form = self.form
        with arithmetic.work() as ring:
            time = _checked_time(time, ring)
            scaled = time if form.rate == 1 else ring.number(form.rate) * time
            value = self._kernel(component, scaled, ring)
            if value is None:
                if not isinstance(ring, Balls):
                    raise InputError(f"the kernel of {self.variant} has no closed form; use balls(bits)")
                exponential = (arb_mat(self._stable_matrix(ring).tolist()) * time).exp()
                column = arb_mat([[element] for element in self.input_vector(ring)])
                return (arb_mat([exponential.table()[component]]) * column)[0, 0]
            if form.shift:
                value = value * ring.exp(ring.number(form.shift) * scaled)
            gain = self._gain(ring)
            return value * (gain[component] if isinstance(gain, np.ndarray) else gain)

    def _stable_matrix(self, ring: Arithmetic) -> Array:
        A = self.state_matrix(ring)
        return A if self.form.sign == 1 else -A

    def transfer_function(self, component: int, s: Any, arithmetic: Arithmetic) -> Any:
        """X_n(s) = e_n^T (s I - A)^-1 B, in closed form.

        Raises
        ------
        InputError
            If s is a pole, or cannot be told from one: in balls, with 16 times their bits (the recurrence of LegT loses
            digits in proportion to N).
        """
        component = self.checked_component(component)
        for number_system in _with_more_bits(arithmetic):
            value = self._transfer_at(component, s, number_system)
            if value is not None:
                return value
        raise InputError(f"s = {s} is a pole of the transfer function, or too near to one; move the point")

    def _transfer_at(self, component: int, s: Any, arithmetic: Arithmetic) -> Any:
        """X_n(s), or None where this number system cannot tell s from a pole."""
        form = self.form
        with arithmetic.work() as ring:
            s = ring.number(s)
            if form.rate != 1:
                s = s / ring.number(form.rate)
            if form.shift:
                s = s - ring.number(form.shift)
            try:
                value = self._transfer(component, s, ring)
            except ZeroDivisionError:
                return None
            gain = self._gain(ring)
            gain = gain[component] if isinstance(gain, np.ndarray) else gain
            value = value * gain if form.rate == 1 else value * gain / ring.number(form.rate)
            return value if ring.is_finite(value) else None

    def _inner(self, s: Any, arithmetic: Arithmetic) -> Any:
        """Canonical q(s) = 1 - B^T (s I - A)^-1 B in closed form, where A + B B^T / 2 is the normal part."""
        raise InputError(f"{self.name} has no inner function: its low-rank term is not B B^T / 2")

    @property
    def has_inner_function(self) -> bool:
        """Whether the low-rank term is B B^T / 2, so that `inner_function` exists: LegS, LagT (alpha = 0), FouT."""
        form = self.form
        return type(self)._inner is not Family._inner and form.normal_plus_low_rank and form.rank == form.gain == 1

    def inner_function(self, s: Any, arithmetic: Arithmetic) -> Any:
        """q(s) = 1 - B^T (s I - A)^-1 B: the diagonal restriction has the transfer functions X_n(s) / (1 + q(s)).

        Raises
        ------
        InputError
            Where the low-rank term is not B B^T / 2 (LegT, whose rank is two; variants that scale it away).
        """
        if not self.has_inner_function:
            return Family._inner(self, s, arithmetic)
        with arithmetic.work() as ring:
            s = ring.number(s)
            return self._inner(s if self.form.rate == 1 else s / ring.number(self.form.rate), ring)

    def measure(self, time: Any, arithmetic: Arithmetic) -> Any:
        """The weight omega(t) that the state gives to the input t ago: K_n = p_n omega (in the limit, for windows)."""
        self._require_orthonormal_basis()
        with arithmetic.work() as ring:
            rate = ring.number(self.form.rate)
            return rate * self._measure(rate * _checked_time(time, ring), ring)

    def basis(self, component: int, time: Any, arithmetic: Arithmetic) -> Any:
        """The basis function p_n(t), orthonormal in L2(omega).

        Raises
        ------
        InputError
            For variants that are not orthogonal (LMU is orthogonal but not normalized; fourier-decay is neither).
        """
        component = self.checked_component(component)
        self._require_orthonormal_basis()
        with arithmetic.work() as ring:
            return self._basis(component, ring.number(self.form.rate) * _checked_time(time, ring), ring)

    def _require_orthonormal_basis(self) -> None:
        form = self.form
        if form.rescaled or form.unit_mass or form.rank != 1:
            raise InputError(f"{self.variant} ({self.convention}) has no orthonormal basis; use {self.name} by default")

    @property
    def timescale(self) -> Fraction | float:
        """Mean age of what the state remembers: integral of t omega(t) over integral of omega(t); inf if it diverges."""
        self._require_orthonormal_basis()
        return self._timescale / self.form.rate

    def checked_component(self, component: int) -> int:
        """The component as an int, or `InputError` if there is no such state."""
        component = checked_size("component", component, 0)
        if component >= self.N:
            raise InputError(f"`component` must be at most N-1 = {self.N - 1}, got {component}")
        return component

    # --- spectrum of the normal part ---------------------------------------------------------------------------------

    @property
    def stored(self) -> int:
        """How many eigenvalues of the normal part have nonnegative imaginary part: the conjugate half, ceil(N/2)."""
        return (self.N + 1) // 2

    @property
    def normal_real_part(self) -> Fraction:
        """The real part that all eigenvalues of the normal part share, exactly."""
        self._require_normal_plus_low_rank()
        return self.form.rate * (self._real_part + self.form.shift)

    def normal_frequencies(self, arithmetic: Balls) -> Array:
        """Imaginary parts of the eigenvalues of A + P P^T, all N, decreasing; certified.

        Parameters
        ----------
        arithmetic : Balls
            ``balls(bits)``: relative radii come out near 2^-bits.

        Returns
        -------
        (N,) ndarray of arb
            Symmetric: entry N-1-m is minus entry m; the middle one of odd N is exactly 0.
        """
        self._require_normal_plus_low_rank()
        half = _cached_frequencies(self, arithmetic.bits)
        with arithmetic.work() as ring:
            half = half * ring.number(self.form.rate)
            return np.concatenate([half, -half[: self.N // 2][::-1]])

    def normal_spectrum(self, arithmetic: Balls | None = None) -> Array:
        """Eigenvalues of the normal part A + P P^T by decreasing imaginary part; no matrix is formed.

        Parameters
        ----------
        arithmetic : Balls, optional
            For certified complex balls; without it, complex128.

        Returns
        -------
        (N,) ndarray
            complex128: real part exact, imaginary part within 2 ulp. Balls: the real part is exact, the imaginary
            part within its radius.
        """
        real = self.normal_real_part
        if arithmetic is None:
            frequencies = self._frequencies_float()[0] * float(self.form.rate)
            imaginary = np.concatenate([frequencies, -frequencies[: self.N // 2][::-1] + 0.0])
            spectrum = float(real) + 1j * imaginary
            spectrum.flags.writeable = False
            return spectrum
        with arithmetic.work() as ring:
            real_ball = ring.number(real)
            imaginary = self.normal_frequencies(ring)
            return np.array([acb(real_ball, value) for value in imaginary], dtype=object)

    def normal_weights(self, arithmetic: Balls | None = None) -> Array:
        """abs(V* B), one for each eigenvalue of the normal part, (N,): float64 within 2 ulp, or certified balls."""
        self._require_normal_plus_low_rank()
        factor = self.form.rate * self.form.gain
        if arithmetic is None:
            weights = self._frequencies_float()[1] * float(factor)
            weights = np.concatenate([weights, weights[: self.N // 2][::-1]])
            weights.flags.writeable = False
            return weights
        half = _cached_weights(self, arithmetic.bits)
        with arithmetic.work() as ring:
            half = half * ring.number(factor)
            return np.concatenate([half, half[: self.N // 2][::-1]])

    def normal_eigenvectors(self, arithmetic: Balls | None = None, components: Sequence[int] | None = None) -> Array:
        """Rows of the unitary V with A + P P^T = V Lambda V*, phase such that V* B >= 0.

        Parameters
        ----------
        arithmetic : Balls, optional
            For certified complex balls; without it, complex128, each part the nearest to the truth.
        components : sequence of int, optional
            Which rows, increasing; all N by default.

        Returns
        -------
        (N, N) ndarray, or as many rows as were asked for
            Column m belongs to eigenvalue m of `normal_spectrum`. Where v* B = 0 the first nonzero entry is positive.
        """
        self._require_normal_plus_low_rank()
        rows = range(self.N) if components is None else [self.checked_component(n) for n in components]
        if any(later <= earlier for earlier, later in pairwise(rows)):
            raise InputError(f"`components` must increase, got {list(rows)}; sort them and take each once")
        if arithmetic is None:
            half = self._rounded_half(rows)
            conjugates = half.conj() + 0.0
        else:
            half = self._half_of_eigenvectors(rows, arithmetic)
            with arithmetic.work() as ring:  # python-flint rounds even a conjugate to the precision in force
                conjugates = ring.conjugate(half)
        return np.concatenate([half, conjugates[:, : self.N // 2][:, ::-1]], axis=1)

    def _half_of_eigenvectors(self, rows: Sequence[int], arithmetic: Balls) -> Array:
        """The columns for nonnegative imaginary part."""
        frequencies = _cached_frequencies(self, arithmetic.bits)
        with arithmetic.work() as ring:
            return np.stack([self._eigenvector(m, w, ring, rows) for m, w in enumerate(frequencies)], axis=1)

    def _rounded_half(self, rows: Sequence[int]) -> Array:
        """The same rounded to the nearest complex128, without negative zeros.

        LegT of odd N has entries that are zero in one part, which balls only see as a small interval around zero: it
        decides its nearest float64 once it is narrower than the smallest subnormal, 2^-1074.
        """
        try:
            half = nearest_certified(lambda ring: self._half_of_eigenvectors(rows, ring), "complex128", attempts=1)
        except CertificationError:
            half = nearest_certified(lambda ring: self._half_of_eigenvectors(rows, ring), "complex128", bits=1280)
        return np.asarray(half + 0.0, dtype=np.complex128)


def _with_more_bits(arithmetic: Arithmetic) -> Iterator[Arithmetic]:
    """The number system, then, if it is one of balls, those of 2, 4, 8 and 16 times its bits."""
    yield arithmetic
    if isinstance(arithmetic, Balls):
        for factor in (2, 4, 8, 16):
            yield balls(factor * arithmetic.bits)


def _checked_time(time: Any, ring: Arithmetic) -> Any:
    """The time in the number system, at least 0 (as far as a ball whose middle is at least 0 can say)."""
    time = ring.number(time)
    if isinstance(time, acb):
        raise InputError("`time` must be real")
    if time >= 0 or (isinstance(time, arb) and time.contains(0) and time.mid() >= 0):
        return time
    raise InputError(f"`time` must be at least 0, got {time}")


def window_indicator(time: Any, arithmetic: Arithmetic) -> Any:
    """The weight of a window: 1 for 0 <= t <= 1, 0 for t > 1.

    Raises
    ------
    CertificationError
        If a ball reaches over an end of the window.
    """
    if 0 <= time <= 1:
        return arithmetic.number(1)
    if time > 1:
        return arithmetic.number(0)
    raise CertificationError("the ball of `time` reaches over an end of the window; give an exact time")


# Spectra are asked for once per component and method of an experiment; keep the last few.
@lru_cache(maxsize=8)
def _cached_frequencies(family: Family, bits: int) -> Array:
    with balls(bits).work() as ring:
        half = family._frequencies(ring)
    half.flags.writeable = False
    return half


@lru_cache(maxsize=8)
def _cached_weights(family: Family, bits: int) -> Array:
    frequencies = _cached_frequencies(family, bits)
    with balls(bits).work() as ring:
        half = np.array([family._weight(m, w, ring) for m, w in enumerate(frequencies)], dtype=object)
    half.flags.writeable = False
    return half
