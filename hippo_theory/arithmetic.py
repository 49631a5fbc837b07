"""The number systems a formula is evaluated in, and correct rounding out of them.

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
from decimal import ROUND_HALF_EVEN, ROUND_UP, Context, Decimal
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, TypeVar

import flint
import numpy as np
from flint import acb, arb, fmpq, fmpz
from numpy.typing import NDArray

from hippo_theory.errors import CertificationError, InputError, MissingDependencyError, checked_size

__all__ = [
    "FLOAT64",
    "Arithmetic",
    "Balls",
    "DecimalBall",
    "balls",
    "certified",
    "complex_radius",
    "decimal_ball",
    "exact",
    "exact_complex",
    "exact_fraction",
    "is_narrow",
    "magnitude_bounds",
    "mpmath_numbers",
    "nearest",
    "nearest_certified",
    "rationals",
    "to_ball",
]

Array = NDArray[Any]
_T = TypeVar("_T")

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
    return lambda array: np.asarray(lifted(array), dtype=object)


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
    raise InputError(f"cannot make a ball of {value!r}; give an int, Fraction, decimal string, float or exact expression")


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
        base, exponent = expression.args
        if exponent.is_Integer:
            return parts[0] ** int(exponent)
        if exponent.is_Rational and exponent.q == 2:
            return Balls(flint.ctx.prec)._apply("sqrt", parts[0]) ** int(exponent.p)
        return acb(parts[0]) ** parts[1]
    function = type(expression).__name__
    if function in {"exp", "log", "cos", "sin", "cot", "gamma", "conjugate"}:
        return Balls(flint.ctx.prec)._apply(function, parts[0])
    raise InputError(f"cannot enclose the expression {expression}; it must be a constant built from + * ** and exp log cos sin gamma")


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


def exact_fraction(value: Any) -> Fraction:
    """The exact value of an int, Fraction, float or decimal string such as ``"0.37"`` (37/100) or ``"1/3"``.

    Raises
    ------
    InputError
        If the value is not a finite number.
    """
    try:
        if isinstance(value, fmpq):
            return Fraction(int(value.p), int(value.q))
        if isinstance(value, (np.integer, fmpz)):
            return Fraction(int(value))
        return Fraction(value)
    except (ValueError, OverflowError, TypeError, ZeroDivisionError) as error:
        raise InputError(f"{value!r} is not a number; write a decimal such as 0.37 or a fraction such as 1/3") from error


def exact_complex(value: Any) -> tuple[Fraction, Fraction]:
    """Real and imaginary part, exactly, of a number or of a string such as ``"0.25+1j"``, ``"2j"`` or ``"-0.5"``.

    Raises
    ------
    InputError
        If it is not a complex decimal.

    Examples
    --------
    >>> from hippo_theory.arithmetic import exact_complex
    >>> exact_complex("0.25-1j")
    (Fraction(1, 4), Fraction(-1, 1))
    """
    if isinstance(value, (complex, np.complexfloating)):
        return exact_fraction(value.real), exact_fraction(value.imag)
    if not isinstance(value, str):
        return exact_fraction(value), Fraction(0)
    text = value.strip().strip("()").replace(" ", "")
    real, imaginary = text, "0"
    if text[-1:] in ("j", "J", "i"):
        text = text[:-1]
        # The sign that separates the parts is the last one that neither opens the string nor belongs to an exponent.
        cut = max((k for k in range(1, len(text)) if text[k] in "+-" and text[k - 1] not in "eE"), default=0)
        real, imaginary = text[:cut] or "0", text[cut:]
        if imaginary in ("", "+", "-"):
            imaginary += "1"
    try:
        return exact_fraction(real), exact_fraction(imaginary)
    except InputError as error:
        raise InputError(f"{value!r} is not a complex number; write 0.5, 2j or 0.25+1j") from error


# --- how good a ball is ------------------------------------------------------------------------------------------------


def _dyadic(point: Any) -> tuple[int, int]:
    """An exact ball (radius zero) as (m, e) with value m 2^e."""
    mantissa, exponent = point.man_exp()
    return int(mantissa), int(exponent)


def _as_fraction(point: Any) -> Fraction:
    mantissa, exponent = _dyadic(point)
    return Fraction(mantissa << exponent) if exponent >= 0 else Fraction(mantissa, 1 << -exponent)


def complex_radius(ball: Any) -> Fraction:
    """An upper bound on the radius of the disc (or interval) that a ball is, as an exact Fraction."""
    if isinstance(ball, acb):
        real, imag = _as_fraction(ball.real.rad()), _as_fraction(ball.imag.rad())
        return real + imag if real and imag else max(real, imag)  # >= sqrt(real^2 + imag^2)
    return _as_fraction(ball.rad())


def magnitude_bounds(ball: Any) -> tuple[Fraction, Fraction]:
    """Lower and upper bound on the absolute value of everything in a ball, as exact Fractions."""
    return _as_fraction(arb(ball.abs_lower())), _as_fraction(arb(ball.abs_upper()))


def is_narrow(ball: Any, digits: int) -> bool:
    """Whether a ball fixes its value to `digits` significant digits, or, where the value is below 10^-digits, absolutely.

    True when radius <= 10^-digits abs(value), or when everything in the ball is at most 10^-digits in modulus.
    """
    if not ball.is_finite():
        return False
    low, high = magnitude_bounds(ball)
    target = Fraction(1, 10**digits)
    return complex_radius(ball) <= target * low or high <= target


def certified(
    compute: Callable[[Balls], _T], digits: int, *, guard_bits: int = 32, attempts: int = 12, strict: bool = False
) -> _T:
    """Evaluate `compute` in balls of growing precision until every ball in the result fixes `digits` digits.

    Parameters
    ----------
    compute : callable
        Takes a `Balls` and returns a ball, or a sequence or array of balls. It runs inside ``Balls.work``.
    digits : int
        Significant digits wanted: radius <= 10^-digits abs(value), or the value itself is below 10^-digits (see
        `is_narrow`; with ``strict`` only the first, or radius zero, will do).
    guard_bits : int
        Bits above what the digits need at the first attempt; doubled at each further one.
    attempts : int
        How often precision may be raised.

    Raises
    ------
    CertificationError
        If the last attempt still is not narrow enough.

    Examples
    --------
    >>> from hippo_theory.arithmetic import certified
    >>> x = certified(lambda ball: ball.number(10) ** 30 * (1 - ball.cos(ball.number("1e-15"))), 20)
    >>> x.rel_accuracy_bits() > 66
    True
    """
    for _ in range(attempts):
        bits = math.ceil(digits * math.log2(10)) + guard_bits
        with balls(bits).work() as arithmetic:
            result = compute(arithmetic)
        flat = np.asarray(result, dtype=object).ravel()
        if strict:
            narrow = all(_is_relatively_narrow(ball, digits) for ball in flat)
        else:
            narrow = all(is_narrow(ball, digits) for ball in flat)
        if narrow:
            return result
        guard_bits *= 2
    raise CertificationError(
        f"could not certify {digits} digits with {bits} bits of working precision; ask for fewer digits or raise `attempts`"
    )


def _is_relatively_narrow(ball: Any, digits: int) -> bool:
    return bool(ball.is_finite()) and complex_radius(ball) * 10**digits <= magnitude_bounds(ball)[0]


# --- rounding to the formats of machines -------------------------------------------------------------------------------

# Significand bits (with the hidden one) and exponent range of the IEEE-like formats: value = s 2^(e-p+1), emin <= e <= emax.
_FORMATS = {"float16": (11, -14, 15), "bfloat16": (8, -126, 127), "float32": (24, -126, 127), "float64": (53, -1022, 1023)}
_COMPLEX_PARTS = {"complex64": "float32", "complex128": "float64"}


def _round_half_even(mantissa: int, exponent: int, form: str) -> float:
    """The number of the format nearest to mantissa 2^exponent, ties to even, as a Python float (exact for all formats)."""
    precision, smallest, largest = _FORMATS[form]
    if mantissa == 0:
        return 0.0
    sign, size = (-1, -mantissa) if mantissa < 0 else (1, mantissa)
    quantum = max(size.bit_length() + exponent - 1, smallest) - (precision - 1)
    shift = quantum - exponent
    if shift <= 0:
        significand = size << -shift
    else:
        significand = size >> shift
        remainder, half = size - (significand << shift), 1 << (shift - 1)
        if remainder > half or (remainder == half and significand & 1):
            significand += 1
    if significand.bit_length() + quantum - 1 > largest:
        raise InputError(f"the value is beyond the range of {form} (about 2^{largest + 1}); use a wider dtype")
    return sign * math.ldexp(significand, quantum)


def _nearest_float(ball: Any, form: str) -> float:
    """The number of the format that is nearest to every point of a real ball."""
    if not ball.is_finite():
        raise CertificationError("the ball is not finite; raise the working precision")
    middle, exponent = _dyadic(ball.mid())
    radius, radius_exponent = _dyadic(ball.rad())
    if radius == 0:
        return _round_half_even(middle, exponent, form)
    shared = min(exponent, radius_exponent)
    middle <<= exponent - shared
    radius <<= radius_exponent - shared
    low = _round_half_even(middle - radius, shared, form)
    if low != _round_half_even(middle + radius, shared, form):
        raise CertificationError(f"the ball {ball} does not decide its nearest {form}; raise the working precision (bits)")
    return low


def _resolve_dtype(dtype: Any) -> tuple[str, Any]:
    """Name of the real format of `dtype`, and the NumPy dtype of the result."""
    name = getattr(dtype, "__name__", None) or getattr(dtype, "name", None) or str(dtype)
    real_form = _COMPLEX_PARTS.get(name, name)
    if real_form not in _FORMATS:
        allowed = ", ".join([*_FORMATS, *_COMPLEX_PARTS])
        raise InputError(f"`dtype` must be one of {allowed}; got {dtype!r}")
    if name == "bfloat16":
        try:
            import ml_dtypes
        except ImportError as error:
            raise MissingDependencyError('bfloat16 arrays need ml_dtypes: pip install "hippo_theory[files]"') from error
        return name, np.dtype(ml_dtypes.bfloat16)
    return real_form, np.dtype(name)


def nearest(values: Any, dtype: Any = "float64") -> Any:
    """Round balls (or exact numbers) to the nearest machine number, proved for every point of each ball.

    Parameters
    ----------
    values : ball, exact number, or array of them
    dtype : str or dtype
        float16, bfloat16, float32, float64, complex64 or complex128. A complex value with a real dtype becomes a
        trailing pair (real, imaginary), the form in which float16 and bfloat16 files store complex numbers.

    Returns
    -------
    scalar or ndarray of `dtype`
        Correctly rounded, ties to even; gradual underflow as in IEEE 754.

    Raises
    ------
    CertificationError
        If a ball touches a point half way between two machine numbers.
    InputError
        If a value is outside the range of `dtype`.

    Examples
    --------
    >>> from hippo_theory.arithmetic import nearest, to_ball
    >>> float(nearest(to_ball("0.1"), "float64")) == 0.1
    True
    >>> float(nearest(to_ball("0.1"), "float16"))
    0.0999755859375
    """
    form, target = _resolve_dtype(dtype)
    array = np.asarray(values, dtype=object)
    flat = [value if isinstance(value, (arb, acb)) else to_ball(value, 256) for value in array.ravel()]
    is_complex = target.kind == "c"
    pairs = not is_complex and any(isinstance(value, acb) for value in flat)
    rounded: dict[int, Any] = {}  # matrices share elements: round each object once
    if not is_complex and not pairs:
        for value in flat:
            if id(value) not in rounded:
                rounded[id(value)] = _nearest_float(value, form)
        result = np.array([rounded[id(value)] for value in flat], dtype=np.float64).astype(target)
        return result.reshape(array.shape)[()]
    for value in flat:
        if id(value) not in rounded:
            rounded[id(value)] = (_nearest_float(acb(value).real, form), _nearest_float(acb(value).imag, form))
    parts = np.array([rounded[id(value)] for value in flat], dtype=np.float64).reshape(*array.shape, 2)
    if pairs:
        return parts.astype(target)
    return (parts[..., 0] + 1j * parts[..., 1]).astype(target)[()]


def nearest_certified(compute: Callable[[Balls], Any], dtype: Any = "float64", *, bits: int = 96, attempts: int = 6) -> Any:
    """Evaluate in balls, at a precision that is doubled until `nearest` is decided for every element.

    Raises
    ------
    CertificationError
        If the last attempt is still undecided (a value half way between two machine numbers that balls cannot see to
        be exact).
    """
    for attempt in range(attempts):
        with balls(bits << attempt).work() as arithmetic:
            values = compute(arithmetic)
        try:
            return nearest(values, dtype)
        except CertificationError:
            if attempt == attempts - 1:
                raise
    raise AssertionError("unreachable: the loop returns or raises")


# --- decimal strings ---------------------------------------------------------------------------------------------------


class DecimalBall(NamedTuple):
    """A decimal and a bound on its distance from the true value, both as strings; the bound includes the printing."""

    value: str
    radius: str


def decimal_ball(ball: Any, digits: int = 15) -> DecimalBall:
    """Write a real ball as a decimal of which every digit is certain (up to one unit in the last place).

    Parameters
    ----------
    ball : arb or exact number
    digits : int
        Significant digits wanted; one more is printed as a guard, so that radius <= 10^-digits abs(value) whenever
        the ball is that narrow. Digits that are not certain are not printed.

    Returns
    -------
    DecimalBall
        The radius is rounded up and includes the rounding of the printed value. An exact decimal has radius "0"; a
        ball that certifies no digit at all is printed as "0" with a radius that reaches over it.

    Examples
    --------
    >>> from hippo_theory.arithmetic import decimal_ball, to_ball
    >>> decimal_ball(to_ball("-0.5"), 10)
    DecimalBall(value='-0.5', radius='0')
    >>> decimal_ball(to_ball("2/3"), 10)
    DecimalBall(value='0.66666666667', radius='3.34e-12')
    """
    digits = checked_size("digits", digits)
    ball = ball if isinstance(ball, arb) else to_ball(ball, 64 + 4 * digits)
    if not ball.is_finite():
        raise CertificationError("the ball is not finite, so that none of its digits is certain")
    middle, radius = _as_fraction(ball.mid()), _as_fraction(ball.rad())
    most = digits + 1
    if radius and middle:
        most = min(most, _rounded(middle, 3).adjusted() - _rounded(radius, 3).adjusted() + 1)
    for count in range(most, max(most - 3, 0), -1):
        printed = _rounded(middle, count)
        error = radius + abs(middle - Fraction(printed))
        if error == 0:
            return DecimalBall(_plain(printed), "0")
        if error <= Fraction(Decimal(1).scaleb(printed.adjusted() - count + 1)):
            return DecimalBall(str(printed).lower(), _upward(error))
    return DecimalBall("0", _upward(abs(middle) + radius))


def _rounded(value: Fraction, count: int) -> Decimal:
    """`value` rounded half-even to `count` significant digits."""
    context = Context(prec=count, rounding=ROUND_HALF_EVEN)
    return context.divide(Decimal(value.numerator), Decimal(value.denominator))


def _upward(value: Fraction) -> str:
    """A positive rational rounded up to three significant digits."""
    context = Context(prec=3, rounding=ROUND_UP)
    return str(context.divide(Decimal(value.numerator), Decimal(value.denominator))).lower()


def _plain(value: Decimal) -> str:
    """An exact decimal without trailing zeros or, for integers of ordinary size, an exponent."""
    if value == 0:
        return "0"
    short = value.normalize()
    return f"{short:f}" if -7 < short.adjusted() < 20 else str(short).lower()
