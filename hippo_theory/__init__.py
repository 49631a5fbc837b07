"""Exact and certified HiPPO state space systems: in any arithmetic, with decompositions, spectra and distances.

The public names. Each is imported from its room when it is first used, so that importing the package is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hippo_theory.errors import CertificationError, InputError, MissingDependencyError

if TYPE_CHECKING:
    from hippo_theory.arithmetic import (
        balls,
        certified,
        decimal_ball,
        exact,
        mpmath_numbers,
        nearest,
        rationals,
    )
    from hippo_theory.claims import verify
    from hippo_theory.convergence import converge
    from hippo_theory.decompositions import diagonal_restriction, full_system, normal_plus_low_rank
    from hippo_theory.families import FouT, LagT, LegS, LegT, make_family
    from hippo_theory.initializations import initialization
    from hippo_theory.norms import distance
    from hippo_theory.systems import DenseSystem, DiagonalPlusLowRankSystem, DiagonalSystem
    from hippo_theory.validation import validate

__all__ = [
    "CertificationError",
    "DenseSystem",
    "DiagonalPlusLowRankSystem",
    "DiagonalSystem",
    "FouT",
    "InputError",
    "LagT",
    "LegS",
    "LegT",
    "MissingDependencyError",
    "balls",
    "certified",
    "converge",
    "decimal_ball",
    "diagonal_restriction",
    "distance",
    "exact",
    "full_system",
    "initialization",
    "make_family",
    "mpmath_numbers",
    "nearest",
    "normal_plus_low_rank",
    "rationals",
    "validate",
    "verify",
]

__version__ = "0.1.0"

# Where each name lives; the imports above say the same to type checkers, and a test compares the two.
_ROOMS = {
    "arithmetic": ("balls", "certified", "decimal_ball", "exact", "mpmath_numbers", "nearest", "rationals"),
    "convergence": ("converge",),
    "decompositions": ("diagonal_restriction", "full_system", "normal_plus_low_rank"),
    "families": ("FouT", "LagT", "LegS", "LegT", "make_family"),
    "initializations": ("initialization",),
    "norms": ("distance",),
    "systems": ("DenseSystem", "DiagonalPlusLowRankSystem", "DiagonalSystem"),
    "validation": ("validate",),
    "claims": ("verify",),
}


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name in names:
            value = getattr(import_module(f"{__name__}.{room}"), name)
            globals()[name] = value  # the next use finds it at once
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
