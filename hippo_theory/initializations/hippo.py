"""The families themselves as starts: one for each system in `families.conventions`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hippo_theory.arithmetic import Balls
from hippo_theory.decompositions import diagonal_restriction, full_system, normal_plus_low_rank
from hippo_theory.errors import InputError
from hippo_theory.families import FAMILIES, make_family
from hippo_theory.families.conventions import CONVENTIONS
from hippo_theory.initializations.registry import start
from hippo_theory.systems import DenseSystem, DiagonalSystem, System

__all__: list[str] = []


def _family_start(id: str) -> Callable[..., System]:
    def family_start(
        N: int, *, form: str = "dense", convention: str = "default", arithmetic: Balls | None = None, **parameters: Any
    ) -> System:
        try:
            family = make_family(id, N, convention=convention, **parameters)
        except TypeError as error:
            raise InputError(f"{id} does not take these options: {error}") from error
        if form == "dense":
            system = full_system(family)
            if arithmetic is None:
                return system.to_system()
            return DenseSystem(family.state_matrix(arithmetic), family.input_vector(arithmetic))
        if form == "dplr":
            return normal_plus_low_rank(family, arithmetic).to_system()
        if form == "diagonal":
            restriction = diagonal_restriction(family)
            if arithmetic is None:
                return DiagonalSystem(restriction.Lambda, restriction.B)
            with arithmetic.work() as ring:
                return DiagonalSystem(family.normal_spectrum(ring), family.normal_weights(ring) / 2)
        raise InputError(f"`form` must be dense, dplr or diagonal, got {form!r}")

    family_start.__name__ = family_start.__qualname__ = id
    family_start.__doc__ = f"""The family {id}, x' = A x + B u, by `hippo_theory.families.make_family`.

    Parameters
    ----------
    N : int
        Full real state size.
    form : str
        ``dense``: (A, B), output the state. ``dplr``: (Lambda - P P*, V* B), output V. ``diagonal``: the diagonal
        restriction (Lambda, V* B/2), output open.
    convention : str
        See `hippo_theory.families.conventions`.
    arithmetic : Balls, optional
    **parameters
        What the family takes besides.

    Returns
    -------
    System
    """
    return family_start


for _convention in CONVENTIONS:
    if _convention.name == "default":
        _forms = ("dense", "dplr", "diagonal") if _convention.normal_plus_low_rank else ("dense",)
        start(
            _convention.id,
            FAMILIES[_convention.family].title if _convention.id == _convention.family else _convention.id,
            _convention.source,
            "full real state size",
            _forms,
        )(_family_start(_convention.id))
