"""Rational numbers that count the operations done with them: what claims on the cost of an algorithm run it with."""

from __future__ import annotations

import operator
from collections.abc import Callable
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
    """A rational number with the counter that its operations go to; plain numbers may stand on either side."""

    def __init__(self, value: Fraction, counter: Counter) -> None:
        self.value = value
        self.counter = counter

    def _with(self, other: object, operation: Callable[[Fraction, Fraction], Fraction]) -> CountedNumber:
        if isinstance(other, CountedNumber):
            value = other.value
        elif isinstance(other, int | Fraction):
            value = Fraction(other)
        else:
            return NotImplemented  # type: ignore[no-any-return]  # an array does it entry by entry
        self.counter.operations += 1
        return CountedNumber(operation(self.value, value), self.counter)

    def __add__(self, other: object) -> CountedNumber:
        return self._with(other, operator.add)

    def __sub__(self, other: object) -> CountedNumber:
        return self._with(other, operator.sub)

    def __mul__(self, other: object) -> CountedNumber:
        return self._with(other, operator.mul)

    def __truediv__(self, other: object) -> CountedNumber:
        return self._with(other, operator.truediv)

    __radd__, __rmul__ = __add__, __mul__
