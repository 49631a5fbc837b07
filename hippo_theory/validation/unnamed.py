"""Systems under unknown names, found by shape and spectrum: only what matches a reference is a finding.

Cheap before it is thorough: a tensor is read only if its shape can be that of parameters, and compared as a whole only if
what all starts have in common (constant real parts, the leading entries of a matrix) is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.findings import Finding
from hippo_theory.validation.judgement import judge
from hippo_theory.validation.layouts import StoredTensor
from hippo_theory.validation.quantities import Quantity, combined
from hippo_theory.validation.reading import Parameters
from hippo_theory.validation.references import dense_references

__all__ = ["unnamed_findings"]

Array = NDArray[Any]

_CANDIDATES = 300  # of all groups of a file together
_STATES = (4, 1024)  # fewer fit by chance
_NUMBERS = 2**22
_FLOATS = ("float64", "float32", "float16", "bfloat16")
_COMPLEX = ("complex128", "complex64")
_WEIGHTS = ("weight", "kernel", "bias")  # of linear layers, convolutions and norms


def unnamed_findings(groups: Iterable[tuple[str, Mapping[str, StoredTensor]]]) -> Iterator[Finding]:
    """Findings in groups of tensors that no layout names: those that match a start exactly or by rounding."""
    for parameters in islice(_candidates(groups), _CANDIDATES):
        for finding in judge(parameters):
            if finding.verdict in ("exact", "rounding") and finding.identified not in ("unknown", "random"):
                yield finding


def _candidates(groups: Iterable[tuple[str, Mapping[str, StoredTensor]]]) -> Iterator[Parameters]:
    for prefix, group in groups:
        usual = [tensor for name, tensor in group.items() if name not in _WEIGHTS and _plausible(tensor)]
        for tensor in usual:
            if tensor.dtype in _COMPLEX and len(tensor.shape) <= 2:
                yield from _spectrum(prefix, tensor.quantity(), group)
            elif _is_pair_view(tensor):
                yield from _spectrum(prefix, tensor.quantity(pairs=True), group)
            if len(tensor.shape) == 2 and tensor.shape[0] == tensor.shape[1] and tensor.dtype in _FLOATS:
                yield from _matrix(prefix, tensor, group)
        real = [tensor for tensor in usual if tensor.dtype in _FLOATS and len(tensor.shape) <= 2]
        yield from _pairs(prefix, real[:8], group)


def _plausible(tensor: StoredTensor) -> bool:
    shape = tensor.shape
    return (
        1 <= len(shape) <= 3
        and tensor.dtype in _FLOATS + _COMPLEX
        and _STATES[0] <= max(shape[-1], shape[-2] if len(shape) > 1 else 0)
        and 0 < int(np.prod(shape, dtype=np.int64)) <= _NUMBERS
    )


def _is_pair_view(tensor: StoredTensor) -> bool:
    return tensor.dtype in _FLOATS and len(tensor.shape) >= 2 and tensor.shape[-1] == 2


def _spectrum(prefix: str, Lambda: Quantity, group: Mapping[str, StoredTensor]) -> Iterator[Parameters]:
    """Complex numbers that may be eigenvalues: real parts all the same, imaginary parts all different."""
    n = Lambda.values.shape[-1]
    if not _STATES[0] <= n <= _STATES[1]:
        return
    Lambda = Lambda.reshaped(-1, n)
    first = Lambda.values[0]
    scale = float(np.abs(first).max(initial=0.0))
    if not (np.isfinite(first).all() and scale > 0):
        return
    if np.ptp(first.real) <= 1e-3 * scale and first.real.max() <= 1e-3 * scale and np.unique(first.imag).size > n // 2:
        yield Parameters("unnamed", prefix, Lambda.tensors, "continuous", Lambda, others=group)


def _pairs(prefix: str, tensors: list[StoredTensor], group: Mapping[str, StoredTensor]) -> Iterator[Parameters]:
    """Two real tensors of one shape: the first holds real parts, or the logarithms of -Re."""
    shapes = [tensor.shape for tensor in tensors]
    for real in tensors:
        if shapes.count(real.shape) < 2 or not np.ptp(real.read().astype(np.float64)) <= 1e-3:
            continue
        for imaginary in tensors:
            if imaginary is real or imaginary.shape != real.shape:
                continue
            for transform in ("identity", "negative exp"):
                yield from _spectrum(prefix, combined(real.quantity(transform), imaginary.quantity()), group)


def _matrix(prefix: str, tensor: StoredTensor, group: Mapping[str, StoredTensor]) -> Iterator[Parameters]:
    """A square matrix whose leading entries are those of a known one, which do not depend on the size."""
    N = tensor.shape[0]
    if not _STATES[0] <= N <= _STATES[1]:
        return
    values = tensor.read()
    size = 4 + N % 2
    corner = values[:size, :size].astype(np.float64)
    if not np.isfinite(corner).all():
        return
    for reference in dense_references(size):
        for truth in (reference.A, reference.A.T):
            if np.abs(np.abs(corner) - np.abs(truth)).max() <= 2.0**-6 * np.abs(truth).max():
                yield Parameters("unnamed", prefix, (tensor.name,), "dense", tensor.quantity(), others=group)
                return
