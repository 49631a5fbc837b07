"""The HiPPO families, one file each. A family is found here by being defined in a module of this folder."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from hippo_theory.families.base import FAMILIES, Family
from hippo_theory.families.conventions import find_convention
from hippo_theory.families.fout import FouT
from hippo_theory.families.lagt import LagT
from hippo_theory.families.legs import LegS
from hippo_theory.families.legt import LegT

__all__ = ["FAMILIES", "Family", "FouT", "LagT", "LegS", "LegT", "make_family"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")


def make_family(id: str, N: int, *, convention: str = "default", **parameters: Any) -> Family:
    """The family or variant of that id (``legs``, ``legt``, ``lmu``, ``lagt``, ``fout``, ``fourier-decay``, ...).

    Parameters
    ----------
    id : str
    N : int
        Full real state size.
    convention : str
        How it is written; see `hippo_theory.families.conventions`.
    **parameters
        What the family takes besides: ``alpha`` and ``beta`` of LagT.

    Raises
    ------
    InputError
        Unknown id or convention, or a size or parameter that the family does not admit.

    Examples
    --------
    >>> from hippo_theory.families import make_family
    >>> make_family("lmu", 2).A
    array([[-1., -1.],
           [ 3., -3.]])
    """
    form = find_convention(id, convention)
    return FAMILIES[form.family](N, variant=id, convention=convention, **parameters)
