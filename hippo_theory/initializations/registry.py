"""The register of named starts, and what several of them use."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hippo_theory.arithmetic import exact_fraction
from hippo_theory.errors import InputError, checked_size
from hippo_theory.systems import System

__all__ = [
    "INITIALIZATIONS",
    "Initialization",
    "checked_generator",
    "find",
    "initialization",
    "pairs_of",
    "start",
    "step_sizes",
]

_F = TypeVar("_F", bound=Callable[..., System])


@dataclass(frozen=True)
class Initialization:
    """A named start.

    Attributes
    ----------
    id : str
        As the command line takes it.
    title : str
    source : str
        Paper or code.
    size : str
        What N means in it, and what the source calls N.
    forms : tuple of str
        The forms in which `export_arrays` can write it, the first by default.
    is_random : bool
        Whether the function needs ``rng=``.
    function : callable
        Called as ``function(N, **options)``.
    """

    id: str
    title: str
    source: str
    size: str
    forms: tuple[str, ...]
    is_random: bool
    function: Callable[..., System]

    @property
    def takes_form(self) -> bool:
        """Whether the function itself takes ``form=``."""
        return "form" in inspect.signature(self.function).parameters


INITIALIZATIONS: dict[str, Initialization] = {}


def start(
    id: str, title: str, source: str, size: str, forms: tuple[str, ...] = ("diagonal", "dense")
) -> Callable[[_F], _F]:
    """Register the decorated function under `id`; the arguments are those of `Initialization`."""

    def register(function: _F) -> _F:
        rng = inspect.signature(function).parameters.get("rng")
        is_random = rng is not None and rng.default is inspect.Parameter.empty
        INITIALIZATIONS[id] = Initialization(id, title, source, size, forms, is_random, function)
        return function

    return register


def initialization(id: str, N: int, **options: Any) -> System:
    """The start of that id.

    Parameters
    ----------
    id : str
        ``s4d-legs``, ``s4d-inv``, ..., see `INITIALIZATIONS`.
    N : int
        Full real state size.
    **options
        What the start takes besides, such as ``rng`` (random starts) or ``form`` (families).

    Returns
    -------
    System

    Raises
    ------
    InputError
        Unknown id or option, a missing `rng`, or a size that the start does not admit.

    Examples
    --------
    >>> from hippo_theory.initializations import initialization
    >>> initialization("s4d-lin", 8).Lambda.imag.round(4)
    array([0.    , 3.1416, 6.2832, 9.4248])
    """
    entry = find(id)
    try:
        inspect.signature(entry.function).bind(N, **options)
    except TypeError as error:
        hint = "; random starts need `rng=numpy.random.default_rng(seed)`" if entry.is_random else ""
        raise InputError(f"{id} does not take these options: {error}{hint}") from error
    return entry.function(N, **options)


def find(id: str) -> Initialization:
    """The entry of that id, or `InputError` that lists the ids."""
    if id not in INITIALIZATIONS:
        raise InputError(f"unknown initialization {id!r}; choose one of {', '.join(INITIALIZATIONS)}")
    return INITIALIZATIONS[id]


def step_sizes(
    count: int, *, rng: np.random.Generator, smallest: Any = "0.001", largest: Any = "0.1"
) -> NDArray[np.float64]:
    """Random steps dt, log dt uniform in [log smallest, log largest]: what S4, S4D, DSS and S5 start from.

    Parameters
    ----------
    count : int
        How many (one for each channel; S5: one for each state).
    rng : numpy.random.Generator
    smallest, largest : number

    Returns
    -------
    (count,) ndarray of float64

    Examples
    --------
    >>> from hippo_theory.initializations import step_sizes
    >>> dt = step_sizes(1000, rng=np.random.default_rng(0))
    >>> bool((dt >= 0.001).all() and (dt <= 0.1).all())
    True
    """
    low, high = float(exact_fraction(smallest)), float(exact_fraction(largest))
    if not 0 < low <= high:
        raise InputError(f"`smallest` and `largest` must satisfy 0 < smallest <= largest, got {smallest} and {largest}")
    draws = np.exp(checked_generator(rng).uniform(math.log(low), math.log(high), checked_size("count", count, 0)))
    return np.clip(draws, low, high)


def checked_generator(rng: Any) -> np.random.Generator:
    """The generator, or `InputError`."""
    if not isinstance(rng, np.random.Generator):
        raise InputError(f"`rng` must be a numpy Generator, got {rng!r}; give numpy.random.default_rng(seed)")
    return rng


def pairs_of(N: int, id: str) -> int:
    """N/2, or `InputError` for an odd N."""
    N = checked_size("N", N, 2)
    if N % 2:
        raise InputError(f"{id} consists of conjugate pairs and needs an even `N`, got {N}; use {N - 1} or {N + 1}")
    return N // 2
