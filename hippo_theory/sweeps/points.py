"""Points of a study: small frozen values, each with a key that names it for ever and a seed that follows from it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from reprlib import repr as shortened
from typing import Any

from hippo_theory.errors import InputError, checked_size

__all__ = ["Point", "Scalar", "Study", "canonical", "checked_values", "grid", "make_point"]

Scalar = str | int | float | bool | None
_MOST_DIGITS = 4000  # of an integer: Python refuses to write and to read more than 4300
_TOO_LARGE = 10**_MOST_DIGITS


@dataclass(frozen=True)
class Point:
    """One point of a study: named values in alphabetical order of the names; made by `make_point`.

    Attributes
    ----------
    items : tuple of (str, str or int or float or bool or None)
    """

    items: tuple[tuple[str, Scalar], ...]

    def __getitem__(self, name: str) -> Any:
        for known, value in self.items:
            if known == name:
                return value
        raise KeyError(name)

    def as_dict(self) -> dict[str, Scalar]:
        """The values by name."""
        return dict(self.items)

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.items if value is not None)


def make_point(values: Mapping[str, Any] | None = None, **more: Any) -> Point:
    """A point from named values, checked to be plain: strings, integers, finite floats, booleans, None.

    Raises
    ------
    InputError
        Naming the value that is none of these, or an integer of more than 4000 digits.

    Examples
    --------
    >>> from hippo_theory.sweeps import make_point
    >>> make_point(step="0.01", N=64)
    Point(items=(('N', 64), ('step', '0.01')))
    """
    named = checked_values({**(values or {}), **more}, "a point")
    return Point(tuple(sorted(named.items())))


def checked_values(values: Any, owner: str) -> dict[str, Scalar]:
    """A mapping of names to plain values, as a line of JSON keeps them without change; `owner` is named in the message."""
    if not isinstance(values, Mapping):
        raise InputError(f"{owner} must be a mapping of names to values, got {type(values).__name__}; use a dictionary")
    for name, value in values.items():
        if type(name) is not str:
            raise InputError(f"{owner} needs names that are texts, got {name!r}; write it in quotes")
        if type(value) is float and not math.isfinite(value):
            raise InputError(
                f"{owner} needs finite numbers, got {name!r}={value!r}; use None and say why in another value"
            )
        if type(value) is int and abs(value) >= _TOO_LARGE:
            raise InputError(
                f"{owner} needs integers of at most {_MOST_DIGITS} digits, got a longer {name!r}; use a text"
            )
        if value is not None and type(value) not in (str, int, float, bool):
            raise InputError(
                f"{owner} needs plain values (str, int, finite float, bool, None), got {name!r}={shortened(value)} of type "
                f"{type(value).__name__}; convert numbers of NumPy by float() or int(), write complex ones as texts"
            )
    return dict(values)


def canonical(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, ASCII, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True)
class Study:
    """What is computed at each point.

    Attributes
    ----------
    name : str
    version : int
        To be raised when `evaluate` changes what it returns: keys contain it, and a store of another one is refused.
    evaluate : callable
        From a `Point` to a mapping of names to strings, numbers, booleans or None; or from (point, seed) to one where
        `random` is true. A function of a module, so that other processes find it.
    random : bool
        Whether `evaluate` takes a seed.

    Examples
    --------
    >>> from hippo_theory.sweeps import Study, make_point
    >>> study = Study("squares", 1, lambda point: {"square": point["x"] ** 2})
    >>> study.key(make_point(x=3)) == study.key(make_point(x=3)) != study.key(make_point(x=4))
    True
    """

    name: str
    version: int
    evaluate: Callable[..., Mapping[str, Scalar]]
    random: bool = False

    def __post_init__(self) -> None:
        if not self.name or not self.name.isprintable():
            raise InputError(f"`name` of a study must be a printable text, got {self.name!r}; give one such as 'map'")
        checked_size("version", self.version, 0)

    def key(self, point: Point) -> str:
        """32 hexadecimal digits that name the point in every store: SHA-256 of the study's name, its version and the point."""
        return self._digest("key", point).hex()[:32]

    def seed(self, point: Point) -> int:
        """A seed of 64 bits that follows from the study and the point alone, hence not from the order of the work."""
        return int.from_bytes(self._digest("seed", point)[:8], "big")

    def _digest(self, purpose: str, point: Point) -> bytes:
        text = canonical([purpose, self.name, self.version, point.as_dict()])
        return hashlib.sha256(text.encode("ascii")).digest()


def grid(ranges: Mapping[str, Any]) -> Iterator[Point]:
    """Every combination of the values of each name; a value that is no list or tuple stands for a list of one.

    Examples
    --------
    >>> from hippo_theory.sweeps import grid
    >>> [str(point) for point in grid({"N": [8, 16], "method": "zoh"})]
    ['N=8, method=zoh', 'N=16, method=zoh']
    """
    lists: list[Sequence[Any]] = [
        list(values) if isinstance(values, (list, tuple)) else [values] for values in ranges.values()
    ]
    for combination in product(*lists):
        yield make_point(dict(zip(ranges, combination, strict=True)))
