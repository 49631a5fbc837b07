"""The largest absolute value of a discrete kernel over all lags, certified to any number of digits.

Three steps: float64 values of many lags at once with a rigorous bound on their error (`LagValues`); a bound on the tail
that falls below the largest value found, so that finitely many lags decide; and the few lags that can still be the
largest evaluated again in balls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import acb, arb, arb_mat
from numpy.typing import NDArray

from hippo_theory.arithmetic import Balls, balls, complex_radius, exact_fraction, magnitude_bounds
from hippo_theory.errors import CertificationError, InputError, checked_size
from hippo_theory.kernels import ExponentialSum

__all__ = ["LagValues", "SupNorm", "sup_norm"]

Array = NDArray[Any]

_UNIT = 2.0**-53
_LOG_BLOCK = 8
_BLOCK = 1 << _LOG_BLOCK  # lags in a row of the table
_LOG_ROWS = 10  # rows in a panel: at most 2^18 lags at once
_REAL_ROWS = 8  # rows of real modes between two looks at their tail
_NEGLIGIBLE = 1e-290  # more than all underflows of a table together, see `LagValues`
_MOST_CANDIDATES = 4096
_ATTEMPTS = 8


@dataclass(frozen=True)
class SupNorm:
    """The largest absolute value of a discrete kernel.

    Attributes
    ----------
    value : arb
        Encloses the maximum over the lags that `kind` speaks of.
    lag : int
        Where it is attained; the first of those that the digits asked for do not tell apart.
    kind : str
        ``certified``: over all lags (or all up to the horizon that was asked for). ``observed``: over the lags covered
        only, and no bound on the others is known.
    horizon : Fraction
        Time of the last lag that was evaluated.
    why : str or None
        The reason, if the kind is ``observed``.
    """

    value: Any
    lag: int
    kind: str
    horizon: Fraction
    why: str | None = None


def sup_norm(
    kernel: ExponentialSum | Callable[[Balls], ExponentialSum],
    digits: int = 15,
    horizon: Any = None,
    *,
    budget: int = 25 * 10**9,
) -> SupNorm:
    """Largest abs(k_l) over l >= 0, or over 0 <= l step <= horizon.

        k_l = sum_i a_i r_i^l + 2 Re sum_j c_j z_j^l,
        abs(k_m) <= 2 sum_j abs(c_j) abs(z_j)^l + (sum_{k >= l} f_k^2)^(1/2)   for all m >= l,  f_l = sum_i a_i r_i^l.

    The right side decreases in l. The norm of f has a closed form, sum_ij a_i a_j (r_i r_j)^l / (1 - r_i r_j), in which
    alternating coefficients of any size cancel; abs(f_l) bounded term by term would lose all of that.

    Parameters
    ----------
    kernel : ExponentialSum, or callable from Balls to ExponentialSum
        Discrete and stable. The callable is asked again at higher precision if the digits need it.
    digits : int
        Significant digits of the value.
    horizon : number, optional
        Exact; None is infinity.
    budget : int
        Most multiply-adds (lags times modes) to spend; 10^10 take a few seconds on one core.

    Returns
    -------
    SupNorm
        Relative radius at most 10^-digits; ``observed`` if the tail bound is not below the maximum when the budget
        is spent.

    Raises
    ------
    InputError
        If the kernel is continuous, or not certainly stable.
    CertificationError
        If the precision of the kernel is not enough for the digits, or more than 4096 lags come within rounding of the
        maximum.

    Examples
    --------
    >>> from hippo_theory.arithmetic import balls
    >>> from hippo_theory.discretizations import discretize
    >>> from hippo_theory.families import LegS
    >>> from hippo_theory.kernels import diagonal_kernel, full_kernel
    >>> from hippo_theory.norms.sup import sup_norm
    >>> error = diagonal_kernel(LegS(8), 0, balls(128)) - full_kernel(LegS(8), 0, balls(128))
    >>> result = sup_norm(discretize(error, "sampled", "0.1"), 20)
    >>> result.kind, result.lag, bool(result.value > 0.5)  # at lag 0 the difference is exactly -1/2
    ('certified', 4, True)
    """
    digits = checked_size("digits", digits)
    bits = max(128, 4 * digits + 64)
    current = kernel if isinstance(kernel, ExponentialSum) else kernel(balls(bits))
    step = current.step
    if step is None:
        raise InputError("`kernel` is continuous: its largest value has no certificate here; discretize it first")
    last = None if horizon is None else int(exact_fraction(horizon) // step)
    if last is not None and last < 0:
        raise InputError(f"`horizon` must be at least 0, got {horizon}")
    found = None
    for attempt in range(_ATTEMPTS):
        try:
            found = found or _search(current, last, budget)
            candidates, covered, why = found
            value, lag = _largest(current, candidates, digits)
            return SupNorm(value, lag, "observed" if why else "certified", covered * step, why)
        except CertificationError:
            if isinstance(kernel, ExponentialSum) or attempt == _ATTEMPTS - 1:
                raise
            bits *= 2
            current = kernel(balls(bits))
    raise AssertionError("unreachable: the loop returns or raises")


def _largest(kernel: ExponentialSum, lags: Array, digits: int) -> tuple[Any, int]:
    """The largest abs(k_l) among `lags`, and the first lag that is not certainly below it."""
    with balls(kernel.bits).work():
        values = [abs(kernel(int(lag))) for lag in lags]
        largest = values[0]
        for value in values[1:]:
            largest = largest.max(value)
        if not complex_radius(largest) * 10**digits <= magnitude_bounds(largest)[0]:
            raise CertificationError(
                f"{digits} digits are beyond a kernel of {kernel.bits} bits; build it with more, or pass a callable"
            )
        return largest, min(int(lag) for lag, value in zip(lags, values, strict=True) if value.overlaps(largest))


def _search(kernel: ExponentialSum, last: int | None, budget: int) -> tuple[Array, int, str | None]:
    """Lags of which one attains the maximum, the last lag evaluated, and why they may not be all (None if they are)."""
    table = LagValues(kernel)
    candidates, heights = np.array([], dtype=np.int64), np.array([])
    # A lower bound on the maximum, from balls to begin with: at long steps float64 resolves nothing beyond the first lags.
    with balls(kernel.bits).work():
        best = max(float(np.nextafter(float(abs(kernel(lag)).lower()), 0.0)) for lag in range(2 if last != 0 else 1))
    slack = 0.0  # the largest error bound so far
    start, size, spent = 0, _BLOCK, 0
    while True:
        values, bound = table.values(start, size)
        if last is not None:
            values = values[: last + 1 - start]
        sizes = np.abs(values)
        slack = max(slack, bound)
        best = max(best, float(np.nextafter(float(sizes.max()) - bound, -np.inf)))
        reach = np.nextafter(sizes + bound, np.inf)  # the rounding of the addition itself must not drop a lag
        near = np.flatnonzero(reach >= best)
        candidates, heights = np.append(candidates, start + near), np.append(heights, reach[near])
        keep = heights >= best
        candidates, heights = candidates[keep], heights[keep]
        spent += size * table.modes
        start += len(values)
        why = None
        if (last is not None and start > last) or table.tail_is_below(start, best):
            break
        wanted = table.predicted_horizon(best) - start
        if wanted <= 0:  # the real modes keep the tail up
            wanted = start
        if last is not None:
            wanted = min(wanted, last + 1 - start)
        depth = min((wanted - 1).bit_length() - _LOG_BLOCK, (start // _BLOCK).bit_length(), _LOG_ROWS)
        size = _BLOCK << max(0, depth)
        if spent + size * table.modes > budget:
            why = (
                f"up to lag {start - 1} the largest value is {best:.3g}, but the bound on the later ones is still "
                "above it; raise `budget` or ask for a finite horizon"
            )
            break
    if len(candidates) > _MOST_CANDIDATES:
        raise CertificationError(
            f"{len(candidates)} lags come within the float64 error {slack:.1e} of the largest value {best:.3g}; "
            "it cannot be located"
        )
    return candidates, start - 1, why


class LagValues:
    """Float64 values of a discrete kernel at many consecutive lags, with a rigorous bound on their error.

    With l = start + 256 i + j the sum is a matrix product, k_l = Re sum_m U_im V_jm,

        U_im = 2 c_m z_m^start z_m^(256 i),     V_jm = z_m^j,

    whose tables are built by doubling from the powers z^(2^k), each rounded from a ball. The few real modes, whose
    coefficients may be huge and cancel, are summed in balls for as long as they matter.

    Parameters
    ----------
    kernel : ExponentialSum
        Discrete, all multipliers inside the unit circle.

    Notes
    -----
    Error bound, with u = 2^-53, J pairs, w = 2 sum_j abs(c_j) >= 2 sum_j abs(c_j z_j^l):

    - A factor rounded from a ball of 60 accurate bits is off by at most (2 + 2^-6) u of its modulus (real and imaginary
      part each by 2 u even if the conversion truncates). A complex product in floats adds at most sqrt(8) u (1 + O(u)).
      An entry of V is a product of at most 8 factors, one of U of at most 11: one product u v is off by at most
      (19 x 2.02 + 17 x 2.83) u < 87 u of its modulus.
    - Re(u v) = Re u Re v - Im u Im v, and abs(Re u Re v) + abs(Im u Im v) <= abs(u) abs(v): summing the 2 J products in
      any order (BLAS, conventional multiplication, fused or not) adds at most 2 J u / (1 - 2 J u) of sum abs(u) abs(v).
    - Together at most (2 J + 100) u w, where the excess over 87 pays for second-order terms (J < 10^12).
    - Underflow makes an absolute error of at most 2^-1074 in each of these operations, and all later factors are below
      1 + w in modulus: less than 10^-290 (1 + w) in all.
    - A ball of the real modes converted to float: its radius plus 2 u abs(value); the final addition: u abs(sum).
    """

    def __init__(self, kernel: ExponentialSum) -> None:
        if kernel.step is None:
            raise InputError("`kernel` is continuous; discretize it first")
        self.kernel = kernel
        self.modes = 2 * len(kernel.rates) + len(kernel.real_rates) or 1
        with balls(kernel.bits).work():
            moduli = [abs(rate) for rate in kernel.rates]
            if not all(modulus < 1 for modulus in [*moduli, *(abs(rate) for rate in kernel.real_rates)]):
                raise InputError("the kernel does not certainly decay: a multiplier is not inside the unit circle")
            self._moduli = moduli
            self._sizes = [2 * abs(c) for c in kernel.coefficients]
            total = sum(self._sizes, arb(0))
            self.weight = float(np.nextafter(float(total.upper()), np.inf)) * (1 + 1e-15)
            logarithms = np.array([float(modulus.log()) for modulus in moduli])
            sizes = np.array([float(size) for size in self._sizes])
        # Only to predict where the tail closes; balls decide. A multiplier 0 has logarithm -inf (its ball: NaN).
        self._logarithms, self._float_sizes = np.nan_to_num(logarithms, nan=-1e300, neginf=-1e300), sizes
        rounding = (2 * len(kernel.rates) + 100) * _UNIT * self.weight
        self._bound = rounding * (1 + 1e-12) + _NEGLIGIBLE * (1 + self.weight)
        powers = self._power_table(0, _LOG_BLOCK)
        self._columns = np.concatenate([powers.real, powers.imag], axis=1).T.copy()
        self._rows = np.ones((1, len(kernel.rates)), dtype=np.complex128)

    def values(self, start: int, size: int) -> tuple[Array, float]:
        """k_start, ..., k_(start+size-1) in float64 and a bound on the error of each; `size` is 256 times a power of 2.

        Raises
        ------
        CertificationError
            If the balls of the kernel are less than 60 bits accurate.
        """
        count = size >> _LOG_BLOCK
        depth = count.bit_length() - 1
        if size != _BLOCK << depth or depth > _LOG_ROWS:
            raise InputError(f"`size` must be 256, 512, ... or {_BLOCK << _LOG_ROWS}, got {size}")
        if len(self._rows) < count:
            self._rows = self._power_table(_LOG_BLOCK, depth)
        with balls(self.kernel.bits).work():
            first = [2 * c * rate**start for c, rate in zip(self.kernel.coefficients, self.kernel.rates, strict=True)]
        rows = self._rows[:count] * _to_complex(first)
        result = (np.concatenate([rows.real, -rows.imag], axis=1) @ self._columns).ravel()
        real, bound = self._real_values(start, size)
        result += real
        return result, (self._bound + bound) * (1 + 1e-12) + _UNIT * float(np.abs(result).max()) * (1 + 1e-12)

    def tail_is_below(self, lag: int, level: float) -> bool:
        """Whether abs(k_l) < level for all l >= lag, proved in balls."""
        if level <= 0 or float(np.sum(self._float_sizes * np.exp(lag * self._logarithms))) > level:
            return False
        with balls(self.kernel.bits).work():
            powers = (size * modulus**lag for size, modulus in zip(self._sizes, self._moduli, strict=True))
            return bool(sum(powers, arb(0)) + self.real_tail(lag) < arb(level))

    def real_tail(self, lag: int) -> Any:
        """A ball whose upper end is at least abs(f_l) for all l >= lag, f the part of the real modes.

        abs(f_l)^2 <= sum_{k >= lag} f_k^2 = sum_ij a_i a_j (r_i r_j)^lag / (1 - r_i r_j).
        """
        kernel = self.kernel
        with balls(kernel.bits).work():
            scaled = [
                a * _real_power(rate, lag) for a, rate in zip(kernel.real_coefficients, kernel.real_rates, strict=True)
            ]
            modes = list(zip(scaled, kernel.real_rates, strict=True))
            total = arb(0)
            for i, (a, rate) in enumerate(modes):
                others = sum((b / (1 - rate * other) for b, other in modes[i + 1 :]), arb(0))
                total += a * (a / (1 - rate * rate) + 2 * others)
            return arb(total.abs_upper()).sqrt()

    def predicted_horizon(self, level: float) -> int:
        """A lag (not certified) past which the bound on the complex modes lies below `level`; huge where level <= 0."""
        if level <= 0:
            return 1 << 62
        lag = 1
        while lag < 1 << 62 and np.sum(self._float_sizes * np.exp(lag * self._logarithms)) > 0.999 * level:
            lag *= 2
        low = lag // 2
        while lag - low > max(1, lag >> 6):
            middle = (low + lag) // 2
            if np.sum(self._float_sizes * np.exp(middle * self._logarithms)) > 0.999 * level:
                low = middle
            else:
                lag = middle
        return lag

    def _power_table(self, shift: int, depth: int) -> Array:
        """z^(2^shift i) for i < 2^depth, by doubling, (2^depth, J): products of at most `depth` factors."""
        result = np.ones((1, len(self.kernel.rates)), dtype=np.complex128)
        for k in range(depth):
            with balls(self.kernel.bits).work():
                factors = _to_complex([rate ** (1 << (shift + k)) for rate in self.kernel.rates])
            result = np.concatenate([result, result * factors])
        return result

    def _real_values(self, start: int, size: int) -> tuple[Array, float]:
        """The part of the real modes, summed in balls until its tail is below the rounding of the rest."""
        result, bound, largest = np.zeros(size), 0.0, 0.0
        rates, coefficients = self.kernel.real_rates, self.kernel.real_coefficients
        if len(rates) == 0:
            return result, bound
        chunk = min(size, _REAL_ROWS * _BLOCK)
        with balls(self.kernel.bits).work():
            powers = None
            for offset in range(0, size, chunk):
                tail = self.real_tail(start + offset)
                if tail <= arb(self._bound):
                    return result, bound + float(np.nextafter(float(tail.upper()), np.inf))
                if powers is None:
                    powers = arb_mat([[_real_power(rate, j) for j in range(_BLOCK)] for rate in rates])
                lags = range(start + offset, start + offset + chunk, _BLOCK)
                pairs = list(zip(coefficients, rates, strict=True))
                product = (
                    arb_mat([[a * _real_power(rate, lag) for a, rate in pairs] for lag in lags]) * powers
                ).entries()
                values = np.array([float(value) for value in product])
                radius = max(float(value.rad()) for value in product)
                result[offset : offset + chunk] = values
                largest = max(largest, float(np.abs(values).max()))
                if not radius <= self._bound + 2.0**-40 * largest:
                    raise CertificationError(
                        f"{self.kernel.bits} bits do not resolve the real modes; build the kernel with more"
                    )
                bound = max(bound, radius * (1 + 1e-12) + 2 * _UNIT * largest + 2.0**-1074)
        return result, bound


def _real_power(rate: Any, exponent: int) -> Any:
    """rate^exponent by way of acb: python-flint's power of a real ball whose middle is exactly 0 is NaN."""
    return (acb(rate) ** exponent).real


def _to_complex(values: list[Any]) -> Array:
    """Complex balls to complex128, each within (2 + 2^-6) u of its modulus."""
    if any(acb(value).rel_accuracy_bits() < 60 for value in values):
        raise CertificationError("a multiplier is known to less than 60 bits; build the kernel with more")
    return np.array([complex(value) for value in values], dtype=np.complex128)
