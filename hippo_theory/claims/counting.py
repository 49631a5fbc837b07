"""Rational numbers that count the operations done with them: what claims on the cost of an algorithm run it with."""

from __future__ import annotations

from fractions import Fraction

__all__ = ["CountedNumber", "Counter"]


class Counter:
    """How many additions, subtractions, multiplications and divisions were done."""

    def __init__(self) -> None:
        self.operations = 0

    def number(self, value: int | Fraction) -> CountedNumber:
        """A number whose operations are counted here."""
        return CountedNumber(Fraction(value), self)


class CountedNumber:
    """A rational number with the counter that its operations go to."""

    def __init__(self, value: Fraction, counter: Counter) -> None:
        self.value = value
        self.counter = counter

    def _counted(self, value: Fraction) -> CountedNumber:
        self.counter.operations += 1
        return CountedNumber(value, self.counter)

    def __add__(self, other: CountedNumber) -> CountedNumber:
        return self._counted(self.value + other.value)

    def __sub__(self, other: CountedNumber) -> CountedNumber:
        return self._counted(self.value - other.value)

    def __mul__(self, other: CountedNumber) -> CountedNumber:
        return self._counted(self.value * other.value)

    def __truediv__(self, other: CountedNumber) -> CountedNumber:
        return self._counted(self.value / other.value)
