"""The numbers behind a finding: the tensors it speaks of read again, beside the reference they were compared with."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.tensor_files import open_tensors
from hippo_theory.validation.findings import Finding
from hippo_theory.validation.layouts import StoredTensor
from hippo_theory.validation.matching import align
from hippo_theory.validation.reading import Parameters, read_layouts
from hippo_theory.validation.references import Reference, references
from hippo_theory.validation.validating import stored_arrays, stored_file

__all__ = ["Spectrum", "parameters_of", "reference_of", "spectrum_of", "tensors_of"]

Array = NDArray[Any]
Tensors = Mapping[str, StoredTensor]

# What findings call the systems of one reference.
_REFERENCE = {"s4d-legs": "legs", "s5": "legs", "dss": "legs", "mamba-real": "s4d-real"}


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Stored eigenvalues and the exact ones.

    Attributes
    ----------
    values : (S, n) ndarray of complex128
        One row for each different system, in the order of `truth`; of halves the upper one.
    truth : (n,) ndarray of complex128, optional
        None where nothing fixes the eigenvalues.
    spacing : (S, n) ndarray of float64
        One unit in the last place of what is stored.
    systems : (S,) ndarray of int
        Which systems of the tensors these are.
    """

    values: Array
    truth: Array | None
    spacing: Array
    systems: Array


def tensors_of(source: str | os.PathLike[str] | Mapping[str, Any]) -> dict[str, StoredTensor]:
    """The tensors of a file, not read yet, or of arrays by name.

    Raises
    ------
    InputError
        If the file cannot be read, or something is no array.

    Examples
    --------
    >>> tensors_of({"Lambda": np.array([-0.5 + 1j])})["Lambda"].dtype
    'complex128'
    """
    return stored_arrays(source) if isinstance(source, Mapping) else stored_file(open_tensors(source))


def parameters_of(finding: Finding, tensors: Tensors) -> Parameters | None:
    """The parameters that a finding is about, read again.

    Examples
    --------
    >>> from hippo_theory.validation import validate
    >>> arrays = {"Lambda": np.array([-0.5 + 1j, -0.5 - 1j])}
    >>> finding = validate(arrays).files[0].findings[0]
    >>> parameters_of(finding, tensors_of(arrays)).Lambda.values.shape
    (1, 2)
    """
    layer = {name: tensor for name, tensor in tensors.items() if name.startswith(finding.layer)}
    readings = [reading for found in read_layouts(layer) for reading in (*found.otherwise, found)]
    fitting = [reading for reading in readings if reading.tensors == finding.tensors and _is_as_found(reading, finding)]
    return fitting[0] if fitting else None


def _is_as_found(reading: Parameters, finding: Finding) -> bool:
    """Whether the arrangement of a reading is the one that the finding speaks of."""
    Lambda = finding.parts.get("Lambda")
    return reading.misplaced == (Lambda.why if Lambda is not None and Lambda.cause == "transposed" else "")


def reference_of(finding: Finding) -> tuple[Reference, int] | None:
    """The reference of a finding and how many equal blocks of it are stored, or None where there is none."""
    if not finding.stored or not finding.N:
        return None
    tiled = re.match(r"([0-9]+) equal blocks", finding.why)
    blocks = int(tiled[1]) if tiled else 1
    looked_for = (
        _REFERENCE.get(finding.identified, finding.identified),
        finding.convention,
        finding.N // blocks,
    )
    for reference in references(finding.stored // blocks):
        if (reference.id, reference.convention, reference.N) == looked_for:
            return reference, blocks
    return None


def spectrum_of(finding: Finding, parameters: Parameters, largest: int = 64) -> Spectrum | None:
    """Stored eigenvalues beside the exact ones, of at most `largest` systems; None for dense matrices.

    Where the tensors hold several initializations, the systems that this finding is about are those within twice its error.

    Examples
    --------
    >>> import hippo_theory as ht
    >>> from hippo_theory.validation import validate
    >>> arrays = {"Lambda": ht.initialization("s4d-lin", 8).Lambda.astype(np.complex64)}
    >>> finding = validate(arrays).files[0].findings[0]
    >>> spectrum = spectrum_of(finding, parameters_of(finding, tensors_of(arrays)))
    >>> bool(np.abs(spectrum.values - spectrum.truth).max() < 1e-6)
    True
    """
    if parameters.kind in ("dense", "stacked"):
        return None
    values, spacing = parameters.Lambda.values + 0j, np.abs(parameters.Lambda.spacing)
    if parameters.kind == "skew":
        values = values - 0.5
    if parameters.kind == "heads":
        values, spacing = values.reshape(1, -1), spacing.reshape(1, -1)
    _, first = np.unique(np.ascontiguousarray(values).view(np.uint64), axis=0, return_index=True)
    first = np.sort(first)
    found = reference_of(finding)
    if found is None or parameters.kind in ("ring", "heads"):
        first = _spread(first, largest)
        return Spectrum(values[first], None, spacing[first], first)
    reference, blocks = found
    truth = np.tile(reference.Lambda, blocks)
    n = reference.stored
    if values.shape[1] != len(truth):
        first = _spread(first, largest)
        return Spectrum(values[first], None, spacing[first], first)
    rows, steps, errors = [], [], []
    for row in first:
        parts = [align(values[row, n * b : n * (b + 1)], reference) for b in range(blocks)]
        rows.append(np.concatenate([ordered for _, _, ordered in parts]))
        steps.append(
            np.concatenate([spacing[row, n * b : n * (b + 1)][order] for b, (order, _, _) in enumerate(parts)])
        )
        errors.append(float((np.abs(rows[-1] - truth) / np.where(truth == 0, 1, np.abs(truth))).max()))
    limit = finding.parts["Lambda"].max_relative_error if "Lambda" in finding.parts else None
    chosen = np.arange(len(first))
    if limit is not None and np.isfinite(errors).all():
        chosen = np.flatnonzero(np.array(errors) <= 2 * limit + 1e-15)
        chosen = chosen if len(chosen) else np.arange(len(first))
    chosen = _spread(chosen, largest)
    return Spectrum(np.array(rows)[chosen], truth, np.array(steps)[chosen], first[chosen])


def _spread(indices: Array, largest: int) -> Array:
    if len(indices) <= largest:
        return indices
    return np.asarray(indices[np.linspace(0, len(indices) - 1, largest).astype(int)])
