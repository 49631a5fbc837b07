"""The number systems a formula is evaluated in.

A formula of this package is written once, as a function of an `Arithmetic`, on NumPy arrays whose elements belong to
that number system. The same lines then give certified balls (`balls`), mpmath numbers (`mpmath_numbers`), exact
algebraic expressions (`exact`), exact rationals (`rationals`) or, where a float form is provably as good, float64
(`FLOAT64`).

Balls come from python-flint, whose working precision is one global of the whole process, shared by all threads.
`Arithmetic.work` holds a lock while it is changed and restores it; every ball operation of the package happens inside
such a block. Parallel work therefore uses processes. Nothing here touches ``mpmath.mp``.
"""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import flint
import numpy as np
from flint import acb, arb, fmpq, fmpz
from numpy.typing import NDArray

from hippo_theory.arithmetic.exact_numbers import exact_fraction
from hippo_theory.errors import InputError, checked_size

__all__ = ["FLOAT64", "Arithmetic", "Balls", "balls", "elementwise", "exact", "mpmath_numbers", "rationals", "to_ball"]


Array = NDArray[Any]

# One lock for the one global that python-flint keeps; re-entrant, so that certified functions may call each other.
_PRECISION_LOCK = threading.RLock()


class Arithmetic(ABC):
    """A number system: what a formula needs in order to be evaluated in it.

    Every function acts element by element on arrays (object arrays, except in `FLOAT64`) and on single numbers.
    Ordinary operators ``+ - * / **`` work between elements, and between an element and an int.
    """

    name: str

    @contextmanager
    def work(self) -> Iterator[Arithmetic]:
        """Context inside which this system computes; outside it, operators on balls use whatever precision is set."""
        yield self

    @abstractmethod
    def _convert(self, value: Any) -> Any:
        """One int, `Fraction`, decimal string, or number already in the system."""

    @abstractmethod
    def _apply(self, function: str, value: Any) -> Any:
        """The elementary function of that name at one element."""

    @property
    @abstractmethod
    def pi(self) -> Any:
        """The number pi."""

    @property
    @abstractmethod
    def imaginary_unit(self) -> Any:
        """The number i."""

    @property
    def dtype(self) -> Any:
        """The NumPy dtype of arrays of elements."""
        return np.dtype(object)

    def number(self, value: Any) -> Any:
        """Convert ints, Fractions, decimal strings, floats (taken as the binary rationals that they are), or arrays."""
        if isinstance(value, np.ndarray):
            return elementwise(self._convert)(value)
        return self._convert(value)

    def indices(self, N: int) -> Array:
        """The array 0, 1, ..., N-1 of exact integers, on which formulas are written."""
        return np.array(range(N), dtype=object)

    def zeros(self, *shape: int) -> Array:
        """An array of zeros."""
        return np.full(shape, self._convert(0), dtype=self.dtype)

    def identity(self, N: int) -> Array:
        """The identity matrix, (N, N)."""
        result = self.zeros(N, N)
        result[np.arange(N), np.arange(N)] = self._convert(1)
        return result

    def _map(self, function: str, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return elementwise(lambda element: self._apply(function, element))(value)
        return self._apply(function, value)

    def sqrt(self, value: Any) -> Any:
        """Principal square root."""
        return self._map("sqrt", value)

    def exp(self, value: Any) -> Any:
        """Exponential function."""
        return self._map("exp", value)

    def log(self, value: Any) -> Any:
        """Principal logarithm."""
        return self._map("log", value)

    def cos(self, value: Any) -> Any:
        """Cosine."""
        return self._map("cos", value)

    def sin(self, value: Any) -> Any:
        """Sine."""
        return self._map("sin", value)

    def gamma(self, value: Any) -> Any:
        """Gamma function."""
        return self._map("gamma", value)

    def conjugate(self, value: Any) -> Any:
        """Complex conjugate."""
        return self._map("conjugate", value)

    def is_finite(self, value: Any) -> bool:
        """Whether one number is known to be finite."""
        return True

    def legendre(self, degree: int, value: Any) -> Any:
        """Legendre polynomial P_n(x), P_n(1) = 1; by recurrence unless the number system has its own."""
        previous, current = self.number(0), self.number(1)
        for k in range(degree):
            previous, current = current, ((2 * k + 1) * value * current - k * previous) / self.number(k + 1)
        return current

    def laguerre(self, degree: int, alpha: Any, value: Any) -> Any:
        """Laguerre polynomial L_n^(alpha)(x); by recurrence unless the number system has its own."""
        previous, current = self.number(0), self.number(1)
        for k in range(degree):
            following = ((2 * k + 1 + alpha - value) * current - (k + alpha) * previous) / self.number(k + 1)
            previous, current = current, following
        return current


def elementwise(function: Callable[[Any], Any]) -> Callable[[Array], Array]:
    """Lift a function of one element to object arrays of any shape."""
    lifted = np.frompyfunc(function, 1, 1)

    def apply(array: Array) -> Array:
        # NumPy would report floating-point flags that the elements' own libraries leave behind.
        with np.errstate(all="ignore"):
            return np.asarray(lifted(array), dtype=object)

    return apply


# --- balls ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Balls(Arithmetic):
    """Real and complex balls (python-flint's `arb` and `acb`) at a working precision of `bits` bits.

    Each result encloses the exact value: this is the certified arithmetic of the package.
    """

    bits: int
    name = "balls"

    @contextmanager
    def work(self) -> Iterator[Balls]:
        """Hold the lock and the process-wide precision of python-flint, then restore both."""
        with _PRECISION_LOCK:
            saved = flint.ctx.prec
            flint.ctx.prec = self.bits
            try:
                yield self
            finally:
                flint.ctx.prec = saved

    def _convert(self, value: Any) -> Any:
        return _ball(value)

    def _apply(self, function: str, value: Any) -> Any:
        element = value if isinstance(value, (arb, acb)) else _ball(value)
        if function == "conjugate":
            return element.conjugate() if isinstance(element, acb) else element
        if isinstance(element, arb) and function in ("sqrt", "log") and not element >= 0:
            element = acb(element)  # the principal value; a ball that reaches below zero is continued, not NaN
        return getattr(element, function)()

    def is_finite(self, value: Any) -> bool:
        """Whether a ball is finite."""
        return bool(value.is_finite())

    def legendre(self, degree: int, value: Any) -> Any:
        """Legendre polynomial, enclosed by python-flint (the recurrence would lose digits in proportion to n)."""
        return _ball(value).legendre_p(degree)

    def laguerre(self, degree: int, alpha: Any, value: Any) -> Any:
        """Laguerre polynomial, enclosed by python-flint."""
        return _ball(value).laguerre_l(degree, alpha)

    @property
    def pi(self) -> Any:
        """A ball that contains pi."""
        return arb.pi()

    @property
    def imaginary_unit(self) -> Any:
        """The exact complex ball i."""
        return acb(0, 1)


@lru_cache(maxsize=64)
def balls(bits: int = 128) -> Balls:
    """Certified ball arithmetic at `bits` bits of working precision.

    Examples
    --------
    >>> from hippo_theory.arithmetic import balls
    >>> with balls(100).work() as ball:
    ...     x = ball.sqrt(2)
    ...     bool((x * x).contains(2))
    True
    """
    return Balls(checked_size("bits", bits, 2))


def to_ball(value: Any, bits: int = 128) -> Any:
    """The ball of an exact value: int, Fraction, decimal string, float, mpmath number or sympy expression.

    Parameters
    ----------
    value : number
        Floats are taken as the binary rationals that they are; decimal strings as the decimals that they are.
    bits : int
        Working precision.

    Returns
    -------
    flint.arb or flint.acb
        Contains the value; exact (radius zero) wherever `bits` bits can hold it.

    Examples
    --------
    >>> import sympy
    >>> from hippo_theory.arithmetic import to_ball
    >>> to_ball(sympy.sqrt(2) * sympy.pi).rel_accuracy_bits() > 100
    True
    """
    with balls(bits).work() as ball:
        return ball.number(value)


def _ball(value: Any) -> Any:
    """Convert one number to a ball at the precision now in force."""
    if isinstance(value, (arb, acb)):
        return value
    if isinstance(value, (int, fmpz, fmpq)):
        return arb(value)
    if isinstance(value, np.integer):
        return arb(int(value))
    if isinstance(value, Fraction):
        return arb(fmpq(value.numerator, value.denominator))
    if isinstance(value, (float, np.floating)):
        if not math.isfinite(value):
            raise InputError(f"a ball needs a finite number, got {value!r}")
        return arb(float(value))
    if isinstance(value, (complex, np.complexfloating)):
        return acb(_ball(value.real), _ball(value.imag))
    if isinstance(value, (str, Decimal)):
        return _ball(exact_fraction(value))
    if hasattr(value, "_mpf_"):
        return arb(value)
    if hasattr(value, "_mpc_"):
        return acb(value)
    if hasattr(value, "free_symbols"):
        return _sympy_ball(value)
    raise InputError(
        f"cannot make a ball of {value!r}; give an int, Fraction, decimal string, float or exact expression"
    )


def _sympy_ball(expression: Any) -> Any:
    """Evaluate a constant sympy expression in balls, node by node."""
    if expression.is_Rational:
        return arb(fmpq(int(expression.p), int(expression.q)))
    if expression.is_NumberSymbol:
        constants = {"pi": arb.pi, "E": arb.const_e, "EulerGamma": arb.const_euler}
        if str(expression) in constants:
            return constants[str(expression)]()
    if str(expression) == "I":
        return acb(0, 1)
    parts = [_sympy_ball(argument) for argument in expression.args]
    if expression.is_Add:
        return sum(parts[1:], parts[0])
    if expression.is_Mul:
        return math.prod(parts[1:], start=parts[0])
    if expression.is_Pow:
        exponent = expression.args[1]
        if exponent.is_Integer:
            return parts[0] ** int(exponent)
        if exponent.is_Rational and exponent.q == 2:
            return Balls(flint.ctx.prec)._apply("sqrt", parts[0]) ** int(exponent.p)
        return acb(parts[0]) ** parts[1]
    function = type(expression).__name__
    if function in {"exp", "log", "cos", "sin", "cot", "gamma", "conjugate"}:
        return Balls(flint.ctx.prec)._apply(function, parts[0])
    raise InputError(f"cannot enclose {expression}; give a constant built from + * ** and exp, log, cos, sin, gamma")


# --- mpmath, sympy, rationals, float64 ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class MpmathNumbers(Arithmetic):
    """mpmath floating point at `digits` decimal digits, in a context of its own (``mpmath.mp`` is left alone)."""

    digits: int
    name = "mpmath"

    @cached_property
    def context(self) -> Any:
        """The mpmath context; its functions (quad, findroot, ...) work at this precision."""
        from mpmath.ctx_mp import MPContext

        context = MPContext()
        context.dps = self.digits
        return context

    def _convert(self, value: Any) -> Any:
        if isinstance(value, (str, Decimal)):
            value = exact_fraction(value)
        if isinstance(value, Fraction):
            return self.context.mpf(value.numerator) / value.denominator
        return self.context.convert(value)

    def _apply(self, function: str, value: Any) -> Any:
        if function == "conjugate":
            return self.context.conj(value)
        return getattr(self.context, function)(self._convert(value))

    @property
    def pi(self) -> Any:
        """Pi, rounded to the precision."""
        return +self.context.pi

    @property
    def imaginary_unit(self) -> Any:
        """The number i."""
        return self.context.j


@lru_cache(maxsize=64)
def mpmath_numbers(digits: int = 50) -> MpmathNumbers:
    """mpmath arithmetic with `digits` decimal digits: observed, not certified.

    Examples
    --------
    >>> from hippo_theory.arithmetic import mpmath_numbers
    >>> print(mpmath_numbers(30).sqrt(2))
    1.41421356237309504880168872421
    """
    return MpmathNumbers(checked_size("digits", digits))


@dataclass(frozen=True)
class ExactNumbers(Arithmetic):
    """Exact algebraic and elementary numbers, as sympy expressions. Slow: meant for N up to about 50."""

    name = "exact"

    def _convert(self, value: Any) -> Any:
        import sympy

        if isinstance(value, (str, Decimal, float)):
            value = exact_fraction(value)
        if isinstance(value, Fraction):
            return sympy.Rational(value.numerator, value.denominator)
        return sympy.sympify(value, rational=True)

    def _apply(self, function: str, value: Any) -> Any:
        import sympy

        return getattr(sympy, function)(self._convert(value))

    def is_finite(self, value: Any) -> bool:
        """Whether an expression is not infinite or undefined."""
        return value.is_finite is not False

    @property
    def pi(self) -> Any:
        """The exact symbol pi."""
        import sympy

        return sympy.pi

    @property
    def imaginary_unit(self) -> Any:
        """The exact symbol I."""
        import sympy

        return sympy.I


@lru_cache(maxsize=1)
def exact() -> ExactNumbers:
    """Exact arithmetic on sympy expressions.

    Examples
    --------
    >>> from hippo_theory.arithmetic import exact
    >>> exact().sqrt(8)
    2*sqrt(2)
    """
    return ExactNumbers()


@dataclass(frozen=True)
class Rationals(Arithmetic):
    """Exact rational numbers (python-flint's `fmpq`); whatever leaves the rationals raises `InputError`."""

    name = "rationals"

    def _convert(self, value: Any) -> Any:
        if isinstance(value, (fmpq, fmpz)):
            return fmpq(value)
        fraction = exact_fraction(value)
        return fmpq(fraction.numerator, fraction.denominator)

    def _apply(self, function: str, value: Any) -> Any:
        number = self._convert(value)
        if function == "conjugate":
            return number
        if function == "sqrt":
            root = fmpq(math.isqrt(abs(int(number.p))), math.isqrt(int(number.q)))
            if root * root == number:
                return root
        raise InputError(f"{function}({number}) is not rational; use exact() or balls(bits)")

    @property
    def pi(self) -> Any:
        """Not rational: raises."""
        raise InputError("pi is not rational; use exact() or balls(bits)")

    @property
    def imaginary_unit(self) -> Any:
        """Not rational: raises."""
        raise InputError("i is not rational; use exact() or balls(bits)")


@lru_cache(maxsize=1)
def rationals() -> Rationals:
    """Exact rational arithmetic.

    Examples
    --------
    >>> from hippo_theory.arithmetic import rationals
    >>> rationals().number("0.37")
    37/100
    """
    return Rationals()


@dataclass(frozen=True)
class Float64(Arithmetic):
    """IEEE double precision on whole arrays; each operation rounds, so what it promises is said where it is used."""

    name = "float64"

    def _convert(self, value: Any) -> Any:
        return float(exact_fraction(value)) if isinstance(value, (str, Fraction, Decimal)) else value

    def number(self, value: Any) -> Any:
        """Round to float64 (integers stay integers)."""
        return value if isinstance(value, np.ndarray) else self._convert(value)

    def _apply(self, function: str, value: Any) -> Any:
        return self._map(function, value)

    def _map(self, function: str, value: Any) -> Any:
        if function == "gamma":
            from scipy.special import gamma

            return gamma(value)
        return getattr(np, function)(value)

    def indices(self, N: int) -> Array:
        """The integers 0..N-1 as int64."""
        return np.arange(N, dtype=np.int64)

    @property
    def dtype(self) -> Any:
        """float64."""
        return np.dtype(np.float64)

    @property
    def pi(self) -> Any:
        """Pi rounded to float64."""
        return math.pi

    @property
    def imaginary_unit(self) -> Any:
        """1j."""
        return 1j


FLOAT64 = Float64()
