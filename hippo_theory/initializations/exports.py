"""The arrays of a start, as they are written to files."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.errors import InputError
from hippo_theory.initializations.registry import find, initialization
from hippo_theory.systems import (
    DenseSystem,
    DiagonalPlusLowRankSystem,
    DiagonalSystem,
    HalfSystem,
    System,
    conjugate_full,
    conjugate_half,
    real_form,
    to_dense,
)

__all__ = ["export_arrays"]

Array = NDArray[Any]


def export_arrays(id: str, N: int, form: str | None = None, half: bool = False, **options: Any) -> dict[str, Array]:
    """The arrays of a start, for writing to a file.

    Parameters
    ----------
    id : str
    N : int
        Full real state size.
    form : str, optional
        ``dense``: A (N, N) and B (N,). ``dplr``: Lambda (N,), P (N, r), B (N,), V (N, N), with
        A = V (Lambda - P P*) V*. ``diagonal``: Lambda and B (N,). By default the first of `Initialization.forms`.
        The dense form of a diagonal start is real: of s4d-legs the normal part (A + P P^T, B/2), of the others
        blocks [[a, -w], [w, a]] for each pair.
    half : bool
        Store each conjugate pair once, with `multiplicity` (2, or 1 for a real eigenvalue) beside it.
    **options
        As in `initialization`.

    Returns
    -------
    dict of str to ndarray
        float64 and complex128 (`multiplicity`: int64), read-only.

    Raises
    ------
    InputError
        If the start has no such form, or a half is asked of a dense one.

    Examples
    --------
    >>> from hippo_theory.initializations import export_arrays
    >>> {name: array.shape for name, array in export_arrays("legs", 5, "dplr", half=True).items()}
    {'Lambda': (3,), 'P': (3, 1), 'B': (3,), 'V': (5, 3), 'multiplicity': (3,)}
    """
    entry = find(id)
    form = entry.forms[0] if form is None else form
    if form not in entry.forms:
        raise InputError(f"{id} has no form {form!r}; choose one of {', '.join(entry.forms)}")
    if half and form == "dense":
        raise InputError("a dense real matrix has no conjugate half; use `form` dplr or diagonal, or `half=False`")
    if entry.takes_form:
        options = {**options, "form": form}
    system = initialization(id, N, **options)
    if form == "dense":
        dense = _dense(system)
        return {"A": dense.A, "B": dense.B}
    if isinstance(system, DiagonalSystem | DiagonalPlusLowRankSystem) and half:
        system = conjugate_half(system)
    elif isinstance(system, HalfSystem) and not half:
        system = conjugate_full(system)
    return _complex_arrays(system)


def _dense(system: System) -> DenseSystem:
    """The real dense form of a start."""
    if isinstance(system, DenseSystem):
        return system
    if isinstance(system, HalfSystem):
        return real_form(system)
    return to_dense(system)


def _complex_arrays(system: System) -> dict[str, Array]:
    """Lambda, P, B, V of a system that has them, complex128, and the multiplicities of a half."""
    low_rank = isinstance(system, DiagonalPlusLowRankSystem) or (
        isinstance(system, HalfSystem) and system.P is not None
    )
    sources = {"Lambda": "Lambda", "P": "P", "B": "B", "V": "C"} if low_rank else {"Lambda": "Lambda", "B": "B"}
    arrays = {name: getattr(system, source).astype(np.complex128) for name, source in sources.items()}
    if isinstance(system, HalfSystem):
        arrays["multiplicity"] = system.multiplicity
    for array in arrays.values():
        array.flags.writeable = False
    return arrays
