"""Number systems, correct rounding out of balls, decimal strings, and the lock around python-flint's precision."""

from __future__ import annotations

import contextlib
import math
import threading
from decimal import Decimal
from fractions import Fraction

import flint
import ml_dtypes
import mpmath
import numpy as np
import pytest
import sympy
from flint import acb, arb, fmpq
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from hippo_theory.arithmetic import (
    FLOAT64,
    balls,
    certified,
    complex_radius,
    decimal_ball,
    exact,
    exact_complex,
    exact_fraction,
    is_narrow,
    magnitude_bounds,
    mpmath_numbers,
    nearest,
    nearest_certified,
    number_systems,
    rationals,
    to_ball,
)
from hippo_theory.errors import CertificationError, InputError

# --- an oracle for rounding: the definition, in exact fractions ---------------------------------------------------------

FORMATS = {
    "float16": (np.dtype(np.float16), np.uint16),
    "bfloat16": (np.dtype(ml_dtypes.bfloat16), np.uint16),
    "float32": (np.dtype(np.float32), np.uint32),
    "float64": (np.dtype(np.float64), np.uint64),
}
# What rounds beyond the largest number M of the format: M and half the distance to what would follow it.
OVERFLOW = {
    "float16": Fraction(2) ** 16 - Fraction(2) ** 4,
    "bfloat16": Fraction(2) ** 128 - Fraction(2) ** 119,
    "float32": Fraction(2) ** 128 - Fraction(2) ** 103,
    "float64": Fraction(2) ** 1024 - Fraction(2) ** 970,
}


def from_bits(bits, form):
    dtype, unsigned = FORMATS[form]
    return Fraction(float(unsigned(bits).view(dtype)))


def is_nearest(value, result, form):
    """Whether `result` is the number of the format nearest to the Fraction `value`, the even one if two are."""
    dtype, unsigned = FORMATS[form]
    magnitude = int(result.view(unsigned)) & ((1 << (8 * dtype.itemsize - 1)) - 1)
    found = from_bits(magnitude, form)
    if Fraction(float(result)) != math.copysign(1, float(result)) * found:
        return False
    distance = abs(abs(value) - found)
    if value and float(result) and (value < 0) != (float(result) < 0):
        return False
    neighbors = [
        from_bits(bits, form) for bits in (magnitude - 1, magnitude + 1) if bits >= 0 and is_finite(bits, form)
    ]
    if any(abs(abs(value) - other) < distance for other in neighbors):
        return False
    tie = any(abs(abs(value) - other) == distance for other in neighbors)
    return not tie or magnitude % 2 == 0


def is_finite(bits, form):
    dtype, unsigned = FORMATS[form]
    with np.errstate(invalid="ignore"):  # a signalling NaN is not finite either, whatever the cast reports
        return bool(np.isfinite(unsigned(bits).view(dtype).astype(np.float64)))


def exact_ball(value):
    """The exact ball of a dyadic Fraction."""
    exponent = value.denominator.bit_length() - 1
    assert value.denominator == 1 << exponent
    return arb((value.numerator, -exponent))


@st.composite
def dyadics(draw, form):
    """Dyadic Fractions around the range of the format: any size, subnormal, and (nearly) half way between neighbors."""
    dtype, _ = FORMATS[form]
    bits = draw(st.integers(0, (1 << (8 * dtype.itemsize - 1)) - 1))
    assume(is_finite(bits, form) and is_finite(bits + 1, form))
    low, high = from_bits(bits, form), from_bits(bits + 1, form)
    kind = draw(st.sampled_from(["inside", "tie", "near tie", "member"]))
    if kind == "inside":
        value = low + (high - low) * Fraction(draw(st.integers(0, 2**40)), 2**40)
    elif kind == "tie":
        value = (low + high) / 2
    elif kind == "near tie":
        value = (low + high) / 2 + (high - low) * Fraction(
            draw(st.sampled_from([-1, 1])), 2 ** draw(st.integers(2, 300))
        )
    else:
        value = low
    return value * draw(st.sampled_from([-1, 1]))


@pytest.mark.parametrize("form", FORMATS)
@given(data=st.data())
@settings(max_examples=100)
def test_nearest_is_the_nearest_by_definition(form, data):
    value = data.draw(dyadics(form))
    result = nearest(exact_ball(value), form)
    assert result.dtype == FORMATS[form][0]
    assert is_nearest(value, result, form)
    if value.numerator.bit_length() <= 256:  # exact numbers are rounded by way of balls of 256 bits
        assert is_nearest(value, nearest(value, form), form)


@pytest.mark.parametrize("form", FORMATS)
@given(data=st.data())
@settings(max_examples=100)
def test_nearest_agrees_with_the_conversions_of_numpy(form, data):
    """Python divides integers exactly rounded; numpy converts float64 to float16 and 32, ml_dtypes float32 to bfloat16."""
    value = data.draw(dyadics(form))
    if form == "float64":
        expected = np.float64(value.numerator / value.denominator)
    elif form == "bfloat16":
        assume(Fraction(float(np.float32(float(value)))) == value)  # by way of float32 it would be rounded twice
        expected = np.float32(float(value)).astype(ml_dtypes.bfloat16)
    else:
        assume(Fraction(float(value)) == value)
        expected = np.dtype(form).type(float(value))
    assert nearest(exact_ball(value), form) == expected


@pytest.mark.parametrize("form", FORMATS)
def test_ties_subnormals_and_zero(form):
    dtype, unsigned = FORMATS[form]
    smallest = from_bits(1, form)
    for value, bits in [
        (Fraction(0), 0),
        (smallest / 2, 0),  # a tie between 0 and the smallest subnormal goes to the even 0
        (smallest / 2 + smallest / 2**200, 1),
        (smallest * 3 / 2, 2),
        (smallest * 5 / 2, 2),
        (1 + (from_bits(int(dtype.type(1).view(unsigned)) + 1, form) - 1) / 2, int(dtype.type(1).view(unsigned))),
    ]:
        assert int(nearest(exact_ball(value), form).view(unsigned)) == bits
        assert Fraction(float(nearest(exact_ball(-value), form))) == -from_bits(bits, form)


@pytest.mark.parametrize("form", FORMATS)
def test_overflow_is_an_error(form):
    limit = OVERFLOW[form]
    largest = nearest(exact_ball(limit * (1 - Fraction(1, 2**300))), form)
    assert np.isfinite(largest.astype(np.float64))
    for beyond in (limit, -limit, limit * 2**5000):
        with pytest.raises(InputError, match=f"beyond the range of {form}"):
            nearest(exact_ball(beyond), form)
    if form != "bfloat16":
        with np.errstate(over="ignore"):
            assert largest == np.finfo(form).max


@pytest.mark.parametrize("form", FORMATS)
@given(data=st.data())
@settings(max_examples=100)
def test_a_ball_is_rounded_only_if_its_two_ends_agree(form, data):
    middle = data.draw(dyadics(form))
    radius = abs(middle) * Fraction(data.draw(st.integers(1, 2**20)), 2 ** data.draw(st.integers(22, 90)))
    with balls(2000).work():
        ball = exact_ball(middle) + arb(0, exact_ball(radius))
    ends = [fraction(ball.mid()) + sign * fraction(ball.rad()) for sign in (-1, 1)]
    assume(all(abs(end) < OVERFLOW[form] for end in ends))
    left, right = (nearest(exact_ball(end), form) for end in ends)
    if left == right:
        assert nearest(ball, form) == left
    else:
        with pytest.raises(CertificationError, match="raise the working precision"):
            nearest(ball, form)


def fraction(point):
    mantissa, exponent = point.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def test_complex_numbers_and_arrays():
    values = np.array([[to_ball("1/3"), to_ball("0.1")], [to_ball(2), to_ball("-1e-3")]], dtype=object)
    rounded = nearest(values, "float32")
    assert rounded.shape == (2, 2)
    assert np.array_equal(rounded, np.array([[1 / 3, 0.1], [2, -1e-3]], dtype=np.float32))
    point = acb(to_ball("1/3"), to_ball("-0.1"))
    assert nearest(point, "complex128") == complex(1 / 3, -0.1)
    assert nearest(point, np.complex64) == np.complex64(complex(np.float32(1 / 3), np.float32(-0.1)))
    assert np.array_equal(nearest(point, np.float16), np.array([1 / 3, -0.1], dtype=np.float16))
    pairs = nearest(np.array([point, to_ball(1)], dtype=object), "bfloat16")
    assert pairs.shape == (2, 2)
    assert pairs.tolist() == [[0.333984375, -0.10009765625], [1.0, 0.0]]
    assert nearest(sympy.sqrt(2), "float64") == math.sqrt(2)


def test_what_cannot_be_rounded_is_an_error():
    with pytest.raises(CertificationError, match="not finite"):
        nearest(arb("nan"))
    with pytest.raises(InputError, match="`dtype` must be one of float16, bfloat16"):
        nearest(arb(1), "int8")
    with pytest.raises(InputError, match="cannot make a ball"):
        nearest(object())


def test_nearest_certified_raises_precision_until_it_is_decided():
    seen = []

    def barely_above_a_tie(ring):
        seen.append(ring.bits)
        return ring.sqrt(1 + ring.number(Fraction(1, 2**52)) + ring.number(Fraction(1, 2**300)))  # about 1 + 2^-53

    # sqrt(1 + 2e) = 1 + e - e^2/2 with e = 2^-53: below the tie at 1 + 2^-53 by 2^-107, more than 96 bits can see.
    assert nearest_certified(barely_above_a_tie) == 1
    assert seen == [96, 192]
    # A tie that balls cannot see to be exact is never decided.
    with pytest.raises(CertificationError, match="does not decide"):
        nearest_certified(lambda ring: ring.sqrt(2) ** 2 * (1 + ring.number(Fraction(1, 2**53))))


def test_the_rounding_oracle_can_fail():
    value = Fraction(1, 3)
    right = np.float64(1 / 3)
    assert is_nearest(value, right, "float64")
    for wrong in (np.nextafter(right, 1), np.nextafter(right, 0), -right, np.float64(0)):
        assert not is_nearest(value, wrong, "float64")
    tie = 1 + Fraction(1, 2**53)
    assert is_nearest(tie, np.float64(1), "float64")
    assert not is_nearest(tie, np.nextafter(np.float64(1), 2), "float64")  # as near, but odd


# --- decimal strings ---------------------------------------------------------------------------------------------------


def printed_digits(text):
    return len(Decimal(text).as_tuple().digits)


def holds(printed, ball):
    """Whether the printed value +- its radius contains every point of the ball, in exact fractions."""
    value, radius = Fraction(printed.value), Fraction(printed.radius)
    return abs(value - fraction(ball.mid())) + fraction(ball.rad()) <= radius


dyadic_balls = st.builds(
    lambda mantissa, exponent, radius, shift: (
        exact_ball(mantissa * Fraction(2) ** exponent) + arb(0, exact_ball(radius * Fraction(2) ** (exponent + shift)))
    ),
    st.integers(-(2**120), 2**120),
    st.one_of(st.integers(-150, 20), st.integers(-5000, 5000)),
    st.one_of(st.just(0), st.integers(0, 2**29)),
    st.integers(-100, 130),
)


@given(dyadic_balls, st.integers(1, 60))
@settings(max_examples=400)
@example(arb(0), 5)
@example(arb(0, 1), 5)
@example(arb(1, 1), 5)
@example(arb("9.6", "9.6"), 3)
@example(arb("0.9999999", "0.00000001"), 4)
@example(arb((1, 200)), 15)
@example(arb((1, -200)), 15)
@example(arb(101), 1)
def test_a_decimal_contains_its_ball_and_only_certain_digits(ball, digits):
    printed = decimal_ball(ball, digits)
    assert holds(printed, ball)
    value, radius = Decimal(printed.value), Fraction(printed.radius)
    middle, ball_radius = abs(fraction(ball.mid())), fraction(ball.rad())
    assert printed_digits(printed.value) <= digits + 1 or radius == 0
    if printed.radius == "0":
        assert ball.is_exact()
        assert Fraction(printed.value) == fraction(ball.mid())
    elif printed.value != "0":
        last_place = Fraction(Decimal(1).scaleb(value.as_tuple().exponent))
        assert radius <= last_place * Fraction(101, 100)  # the radius itself is rounded up to three digits
    else:
        assert ball_radius * 20 >= middle  # half a unit of the leading digit: not even that one is certain
    if ball_radius * 10 ** (digits + 2) <= middle:
        assert radius * 10**digits <= abs(Fraction(printed.value))
    elif 0 < ball_radius * 10**4 <= middle:
        # What is lost by printing: less than two digits of those that the ball has.
        assert radius <= 100 * ball_radius


@given(st.integers(-(10**12), 10**12), st.integers(0, 12))
def test_exact_decimals_have_radius_zero(mantissa, places):
    value = Fraction(mantissa, 2**places)
    exact_text = str(Decimal(value.numerator) / Decimal(value.denominator))
    assume(printed_digits(exact_text) <= 20 and Fraction(exact_text) == value)
    printed = decimal_ball(exact_ball(value), 30)
    assert (Fraction(printed.value), printed.radius) == (value, "0")


def test_decimals_by_hand():
    assert decimal_ball(arb(0)) == ("0", "0")
    assert decimal_ball(-12) == ("-12", "0")
    assert decimal_ball(to_ball("1/3", 200), 3) == ("0.3333", "0.0000334")
    assert decimal_ball(arb((1, -41)), 28) == ("4.5474735088646411895751953125e-13", "0")  # 29 digits, all of them
    assert decimal_ball(arb("0.5", "0.6"), 10).value == "0"
    assert Fraction(decimal_ball(arb("0.5", "0.6"), 10).radius) >= Fraction("1.1")
    assert decimal_ball(to_ball("2.5e-30", 300), 5).value == "2.50000e-30"
    with pytest.raises(CertificationError, match="not finite"):
        decimal_ball(arb("inf"))
    for digits in (0, -1, 2.5, True):
        with pytest.raises(InputError, match="`digits` must be"):
            decimal_ball(arb(1), digits)


def test_the_containment_check_can_fail():
    ball = to_ball("2/3", 100)
    printed = decimal_ball(ball, 20)
    assert holds(printed, ball)
    moved = printed._replace(value=str(Decimal(printed.value) * (1 + Decimal("1e-6"))))
    narrower = printed._replace(radius=str(Decimal(printed.radius) * Decimal("0.98")))
    assert not holds(moved, ball)
    assert not holds(narrower, ball)


# --- the lock around the precision of the process ----------------------------------------------------------------------


def accuracies_of_interleaved_threads():
    """Bits of sqrt(2) in two threads, the second of which starts while the first is inside its block.

    The first waits a while for the second to get in, and only then computes.
    """
    inside, intruded = threading.Event(), threading.Event()
    accuracy = {}

    def patient():
        with balls(100).work() as ring:
            inside.set()
            intruded.wait(0.2)
            accuracy[100] = ring.sqrt(2).rel_accuracy_bits()

    def hasty():
        inside.wait(10)
        with balls(300).work() as ring:
            intruded.set()
            accuracy[300] = ring.sqrt(2).rel_accuracy_bits()
            finished.wait(0.2)

    finished = threading.Event()
    threads = [threading.Thread(target=patient), threading.Thread(target=hasty)]
    for thread in threads:
        thread.start()
    threads[0].join()
    finished.set()
    threads[1].join()
    return accuracy


def each_got_its_own(accuracy):
    return all(bits - 3 <= accuracy[bits] <= bits + 3 for bits in (100, 300))


def test_two_threads_each_get_their_own_precision():
    before = flint.ctx.prec
    assert each_got_its_own(accuracies_of_interleaved_threads())
    assert flint.ctx.prec == before


def test_without_the_lock_they_would_not(monkeypatch):
    """A meta-test: python-flint's precision is one global of the process, and only the lock keeps the threads apart."""
    before = flint.ctx.prec
    monkeypatch.setattr(number_systems, "_PRECISION_LOCK", contextlib.nullcontext())
    accuracy = accuracies_of_interleaved_threads()
    flint.ctx.prec = before
    assert not each_got_its_own(accuracy)
    assert accuracy[100] > 290


def test_many_threads_at_many_precisions():
    wrong = []

    def work(bits):
        for _ in range(50):
            with balls(bits).work() as ring:
                if abs(ring.sqrt(3).rel_accuracy_bits() - bits) > 3:
                    wrong.append(bits)

    threads = [threading.Thread(target=work, args=(bits,)) for bits in (60, 120, 240, 480)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_precision_is_restored_after_blocks_and_exceptions():
    before, digits = flint.ctx.prec, mpmath.mp.dps
    with balls(200).work():
        with balls(77).work():
            assert flint.ctx.prec == 77
        assert flint.ctx.prec == 200
        with contextlib.suppress(RuntimeError), balls(99).work():
            raise RuntimeError
        assert flint.ctx.prec == 200
    assert flint.ctx.prec == before
    with pytest.raises(ZeroDivisionError):
        certified(lambda ring: 1 / 0, 10)
    assert flint.ctx.prec == before
    assert mpmath_numbers(70).context.dps == 70
    mpmath_numbers(70).exp(1)
    assert mpmath.mp.dps == digits
    # The lock is free again, also for other threads.
    thread = threading.Thread(target=lambda: to_ball("1/3", 90))
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


# --- one formula in every number system --------------------------------------------------------------------------------

ELEMENTARY = {
    "sqrt": lambda x: x > 0,
    "exp": lambda x: True,
    "log": lambda x: x > 0,
    "cos": lambda x: True,
    "sin": lambda x: True,
    "gamma": lambda x: x.denominator > 1 or x > 0,
    "conjugate": lambda x: True,
}

small_fractions = st.fractions(-20, 20, max_denominator=50)


def meets(ball, number, digits):
    """Whether a ball meets an mpmath number that is right to `digits` digits, and is itself as narrow."""
    reference = acb(number.real, number.imag) if hasattr(number, "_mpc_") else arb(number)
    slack = (abs(reference) + 1) * arb(10) ** -digits
    blur = arb(0, slack)
    return bool(ball.overlaps(reference + (acb(blur, blur) if isinstance(reference, acb) else blur))) and is_narrow(
        ball, digits
    )


@pytest.mark.parametrize("function", ELEMENTARY)
@given(x=small_fractions)
@settings(max_examples=40)
def test_elementary_functions_agree_in_all_systems(function, x):
    assume(ELEMENTARY[function](x))
    with balls(200).work() as ring:
        ball = getattr(ring, function)(ring.number(x))
        # mpmath at 60 digits; the functions magnify an error of x by at most 60 here: 57 digits are left.
        assert meets(ball, getattr(mpmath_numbers(60), function)(x), 50)
        assert ball.overlaps(to_ball(getattr(exact(), function)(x), 200))


@given(st.integers(0, 12), small_fractions, st.fractions(Fraction(-9, 10), 3, max_denominator=20))
@settings(max_examples=60)
def test_polynomials_agree_in_all_systems(degree, x, alpha):
    """Recurrences over the rationals, python-flint's enclosures and mpmath's own functions."""
    ring, field, numbers = balls(300), rationals(), mpmath_numbers(60)
    with ring.work():
        for name, parameters in (("legendre", ()), ("laguerre", (alpha,))):
            rational = getattr(field, name)(degree, *(field.number(p) for p in parameters), field.number(x))
            ball = getattr(ring, name)(degree, *(ring.number(p) for p in parameters), ring.number(x))
            recurrence = getattr(numbers, name)(degree, *(numbers.number(p) for p in parameters), numbers.number(x))
            assert ball.overlaps(arb(rational))
            assert is_narrow(ball, 40)
            # 60 digits, of which terms of size up to 60^12 may cancel.
            assert meets(arb(rational), recurrence, 38)
    mine = numbers.context
    point = numbers.number(x)
    assert abs(mine.legendre(degree, point) - numbers.legendre(degree, point)) <= mine.mpf(10) ** -38
    assert (
        abs(
            mine.laguerre(degree, numbers.number(alpha), point) - numbers.laguerre(degree, numbers.number(alpha), point)
        )
        <= 1e-38
    )


def test_principal_values_of_negative_numbers():
    with balls(100).work() as ring:
        assert (ring.sqrt(-4) - acb(0, 2)).contains(0)
        assert (ring.log(-1) - acb(0, ring.pi)).contains(0)
        straddling = ring.sqrt(arb(0, 1))
        assert straddling.is_finite()
        assert straddling.contains(0)
        assert ring.conjugate(acb(1, 2)) == acb(1, -2)


SYMBOLIC = (
    "sqrt(2)*pi",
    "exp(-1)/3 + I*sqrt(7)",
    "cos(1/5)**2 - sin(2)",
    "log(10)*gamma(1/3)",
    "EulerGamma - E",
    "2**(1/3)",
    "sqrt(3)**3 + 5**(-1/2)",
    "cot(pi/7)",
    "conjugate(2 + 3*I)",
)


@pytest.mark.parametrize("text", SYMBOLIC)
def test_balls_of_sympy_expressions(text):
    expression = sympy.sympify(text, rational=True)
    ball = to_ball(expression, 200)
    real, imaginary = (sympy.N(part, 60) for part in expression.as_real_imag())
    with balls(200).work():
        for part, number in ((acb(ball).real, real), (acb(ball).imag, imaginary)):
            assert abs(part - arb(str(number))) < 1e-55
    assert is_narrow(ball, 50)


def test_balls_of_other_numbers():
    with balls(100).work():
        for value, expected in [
            (3, 3),
            (np.int64(-7), -7),
            (0.1, Fraction(0.1)),
            (np.float32(0.1), Fraction(float(np.float32(0.1)))),
            ("0.37", Fraction(37, 100)),
            (Decimal("1e-5"), Fraction(1, 10**5)),
            (fmpq(2, 3), Fraction(2, 3)),
            (mpmath.mpf("0.5"), Fraction(1, 2)),
        ]:
            ball = to_ball(value, 100)
            assert ball.contains(fmpq(Fraction(expected).numerator, Fraction(expected).denominator))
            assert ball.is_exact() or ball.rel_accuracy_bits() >= 98
        assert to_ball(1 + 2j) == acb(1, 2)
        assert to_ball(mpmath.mpc(1, 2)) == acb(1, 2)
    for bad in (math.nan, math.inf, "abc", "1/0", sympy.Symbol("x"), sympy.zeta(3), None, [1]):
        with pytest.raises(InputError):
            to_ball(bad)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.37", "37/100"),
        ("-1e-3", "-1/1000"),
        ("1/3", "1/3"),
        (2, "2"),
        (0.5, "1/2"),
        (fmpq(1, 7), "1/7"),
        (True, "1"),
    ],
)
def test_exact_fractions(text, value):
    assert exact_fraction(text) == Fraction(value)


@pytest.mark.parametrize(
    ("text", "real", "imaginary"),
    [
        ("0.25+1j", "1/4", "1"),
        ("2j", "0", "2"),
        ("-0.5", "-1/2", "0"),
        ("-0.5-2.5e-3j", "-1/2", "-1/400"),
        ("1e-3+2e+2j", "1/1000", "200"),
        ("j", "0", "1"),
        ("-j", "0", "-1"),
        ("1-j", "1", "-1"),
        ("(0.25 + 1j)", "1/4", "1"),
        ("1e5j", "0", "100000"),
        ("1e-5j", "0", "1/100000"),
        (0.5 - 2j, "1/2", "-2"),
        (Fraction(1, 3), "1/3", "0"),
    ],
)
def test_exact_complex_numbers(text, real, imaginary):
    assert exact_complex(text) == (Fraction(real), Fraction(imaginary))


@pytest.mark.parametrize("text", ["", "abc", "1+", "1+2", "1j2", "1 2j", "++1j", "nan", "inf", "1+nanj", None])
def test_what_is_not_a_number_is_refused(text):
    with pytest.raises(InputError, match=r"not a (complex )?number; write"):
        exact_complex(text)


def test_rationals_refuse_what_is_irrational():
    field = rationals()
    assert field.sqrt(field.number("4/9")) == fmpq(2, 3)
    for attempt in (
        lambda: field.sqrt(2),
        lambda: field.sqrt(-4),
        lambda: field.exp(1),
        lambda: field.pi,
        lambda: field.imaginary_unit,
    ):
        with pytest.raises(InputError, match="not rational; use exact"):
            attempt()


def test_constants_of_all_systems():
    digits = "3.14159265358979323846264338327950288419716939937510"
    numbers = mpmath_numbers(45)
    with balls(160).work() as ring:
        assert meets(ring.pi, numbers.context.mpf(digits), 44)
        assert meets(ring.pi, numbers.pi, 44)
        assert ring.imaginary_unit == acb(0, 1)
    assert (exact().pi, exact().imaginary_unit) == (sympy.pi, sympy.I)
    assert (FLOAT64.pi, FLOAT64.imaginary_unit) == (math.pi, 1j)
    assert numbers.imaginary_unit == numbers.context.mpc(0, 1)


def test_float64_works_on_whole_arrays():
    assert FLOAT64.indices(3).dtype == np.int64
    assert FLOAT64.zeros(2, 3).dtype == np.float64
    assert FLOAT64.number("0.1") == 0.1
    assert FLOAT64.number(Fraction(1, 3)) == 1 / 3
    assert np.array_equal(FLOAT64.sqrt(FLOAT64.indices(5)), np.sqrt(np.arange(5)))
    assert FLOAT64.gamma(5) == 24
    assert np.array_equal(FLOAT64.identity(2), np.eye(2))


def test_systems_are_cached_and_checked():
    assert balls(128) is balls(128)
    assert mpmath_numbers(30) is mpmath_numbers(30)
    for bits in (1, 0, 2.5, True):
        with pytest.raises(InputError, match="`bits` must be"):
            balls(bits)


# --- how good a ball is ------------------------------------------------------------------------------------------------


@given(dyadic_balls, dyadic_balls, st.integers(1, 40))
@settings(max_examples=100)
def test_narrowness_is_what_it_says(real, imaginary, digits):
    for ball in (real, acb(real, imaginary)):
        parts = [ball] if ball is real else [ball.real, ball.imag]
        true_radius_squared = sum(fraction(part.rad()) ** 2 for part in parts)
        radius = complex_radius(ball)
        assert true_radius_squared <= radius**2 <= 2 * true_radius_squared
        low, high = magnitude_bounds(ball)
        nearest_squared = sum(max(abs(fraction(part.mid())) - fraction(part.rad()), 0) ** 2 for part in parts)
        farthest_squared = sum((abs(fraction(part.mid())) + fraction(part.rad())) ** 2 for part in parts)
        near = 1 + Fraction(1, 2**20)  # magnitudes of radii have 30 bits
        assert low**2 <= nearest_squared <= low**2 * near + farthest_squared / 2**20
        assert farthest_squared <= high**2 <= farthest_squared * near
        target = Fraction(1, 10**digits)
        assert is_narrow(ball, digits) == (radius <= target * low or high <= target)


def test_what_is_not_finite_is_not_narrow():
    for ball in (arb("nan"), arb("inf"), arb(0, math.inf), acb(1, arb("nan"))):
        assert not is_narrow(ball, 1)
        with pytest.raises(CertificationError):
            certified(lambda ring, ball=ball: ball, 1, attempts=2)


def test_certified_raises_precision_until_the_digits_are_there():
    tried = []

    def cancellation(ring):
        tried.append(ring.bits)
        return ring.exp(ring.number(Fraction(1, 2**200))) - 1  # loses 200 bits

    value = certified(cancellation, 30, strict=True)
    assert len(tried) > 2
    assert complex_radius(value) * 10**30 <= magnitude_bounds(value)[0]
    with balls(400).work():
        assert value.overlaps((arb(2) ** -200).expm1())
    assert tried[0] >= 30 * math.log2(10)
    # Not strict: below 10^-30 in modulus is enough, and the first attempt gives it.
    tried.clear()
    assert magnitude_bounds(certified(cancellation, 30))[1] <= Fraction(1, 10**30)
    assert len(tried) == 1
    with pytest.raises(CertificationError, match="could not certify 5 digits"):
        certified(lambda ring: ring.sqrt(2) ** 2 - 2, 5, strict=True, attempts=3)
    # The radius counts against the smallest value of the ball: 0.1 is more than a tenth of 0.9.
    with pytest.raises(CertificationError):
        certified(lambda ring: arb(1, 0.1), 1, strict=True, attempts=1)
    assert certified(lambda ring: arb(1, 0.09), 1, strict=True, attempts=1).contains(1)
    array = certified(lambda ring: np.array([[ring.pi, ring.number(1)]], dtype=object), 12)
    assert array.shape == (1, 2)
