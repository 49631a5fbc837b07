"""The verb dual: the least width of a masked-attention dual."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from hippo_theory.cli.output import Answer, Table
from hippo_theory.cli.progress import progress_bar
from hippo_theory.errors import InputError

__all__ = ["dual"]

_LARGEST = 256  # steps: exact elimination of floats takes minutes there
_MOST_ENTRIES = 2**20  # of an array: each becomes a Fraction


def dual(file: Path, /, *, json: bool = False) -> Answer:
    """Find the least width of a masked attention 1SS(a) * (Q K^T) that is the matrix of a time-varying system, exactly.

    The file holds the arrays a, b, c of h_t = a_t h_(t-1) + b_t x_t, y_t = c_t^T h_t, with a of the shape (T,), (T, N) or
    (T, N, N), b and c (T, N); or a lower triangular matrix M. Floats are taken as the binary fractions that they are: what
    was rounded need not have the width of what was meant; give integers where these are meant.

    Example: hippo dual system.npz

    Parameters
    ----------
    file : file
        An .npz file.
    json : bool
        Print one JSON object.
    """
    from hippo_theory.duality import least_dual, semiseparable_rank
    from hippo_theory.duality.exact_matrices import rational

    arrays = _arrays(file)
    with progress_bar("eliminating exactly"):
        try:
            M = _matrix(arrays)
            found = least_dual(M)
        except InputError as error:
            raise InputError(f"{file}: {error}") from None
        rank, holds = semiseparable_rank(M), found.certificate.holds(M)
    blocks = [
        {"start": block.start, "stop": block.stop, "new_columns": list(block.new_columns)} for block in found.blocks
    ]
    certificate = {
        "block": {"start": found.certificate.block.start, "stop": found.certificate.block.stop},
        "new_columns": list(found.certificate.block.new_columns),
        # Of flint: Python refuses to print integers of more than 4300 digits.
        "annihilators": [[str(value) for value in row] for row in rational(found.certificate.annihilators).tolist()],
        "holds": holds,
    }
    data = {
        "T": len(M),
        "semiseparable_rank": rank,
        "minimum_width": found.minimum_width,
        "blocks": blocks,
        "new_columns": [t for block in found.blocks for t in block.new_columns],
        "certificate": certificate,
    }
    rows = [
        [f"{block.start} to {block.stop - 1}", str(len(block.new_columns)), _listed(block.new_columns)]
        for block in found.blocks
    ]
    widest = found.certificate.block
    notes = [
        f"least width of a dual: {found.minimum_width}; semiseparable rank (least state size): {rank}",
        f"none is narrower: the {found.minimum_width} new columns of steps {widest.start} to {widest.stop - 1} are independent "
        "in every completion; exact vectors, each zero on all columns before its own, show it (--json has them)",
    ]
    return Answer(data, [Table(str(file), ["block (steps)", "new columns", "which"], rows)], notes)


def _arrays(file: Path) -> dict[str, Any]:
    """The arrays a, b, c or M of a file, as they are stored; refused by their shapes before anything is read."""
    from hippo_theory.tensor_files import open_tensors

    opened = open_tensors(file)
    tensors, names = opened.tensors, sorted(opened.tensors)
    wanted = ["a", "b", "c"] if {"a", "b", "c"} <= set(names) else ["M"]
    if not set(wanted) <= set(names):
        left_out = "".join(f"; {note}" for note in opened.notes)
        raise InputError(
            f"{file} must hold the arrays a, b, c or a matrix M, got {', '.join(names) or 'none'}{left_out}"
        )
    if "M" in names and wanted != ["M"]:
        raise InputError(f"{file} holds a, b, c and M as well; keep the ones that are meant")
    for name in wanted:
        steps, size = max(tensors[name].shape[:1], default=0), math.prod(tensors[name].shape)
        if steps > _LARGEST:
            raise InputError(
                f"`{name}` in {file} has {steps} steps; exact elimination is meant for up to {_LARGEST}; give fewer"
            )
        if size > _MOST_ENTRIES:
            raise InputError(
                f"`{name}` in {file} has {size} entries; exact computation is meant for up to {_MOST_ENTRIES}; give fewer states"
            )
    return {name: _numbers(file, name, tensors[name].read()) for name in wanted}


def _matrix(arrays: dict[str, Any]) -> Any:
    from hippo_theory.duality import TimeVaryingSystem, realized_matrix
    from hippo_theory.duality.exact_matrices import fractions, lower_triangular

    if "M" in arrays:
        return lower_triangular(arrays["M"])
    # Exact at once: a float64 system would round integers above 2^53.
    return realized_matrix(TimeVaryingSystem(*(fractions(arrays[name]) for name in ("a", "b", "c"))))


def _numbers(file: Path, name: str, array: Any) -> Any:
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise InputError(f"`{name}` in {file} must hold real numbers, got dtype {array.dtype}; give integers or floats")
    if not np.isfinite(array).all():
        raise InputError(f"`{name}` in {file} holds NaN or infinity; give finite numbers")
    return array


def _listed(columns: tuple[int, ...]) -> str:
    shown = ", ".join(str(t) for t in columns[:12])
    return shown + (f", ... ({len(columns) - 12} more)" if len(columns) > 12 else "") if columns else "none"
