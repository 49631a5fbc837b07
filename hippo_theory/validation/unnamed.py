"""Systems under unknown names, found by shape and spectrum, with the reading that was needed said in the finding.

Cheap before it is thorough: a tensor is read only if its shape can be that of parameters, and compared as a whole only if
what all starts have in common (constant real parts, the leading entries of a matrix) is there. What has no name has no sign
either: numbers that are a start as they are or negated, as logarithms or not, are that start. Damage is named only where
the numbers decide it: all, or all but a few, of at least six of them agree with a start after one factor or one sign.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.arrangements import arrangements
from hippo_theory.validation.discrete_candidates import may_be_discretized
from hippo_theory.validation.eigenvalue_damage import common_ratio
from hippo_theory.validation.findings import VERDICTS, Finding, Part
from hippo_theory.validation.judgement import judge
from hippo_theory.validation.layouts import StoredTensor
from hippo_theory.validation.quantities import Quantity, combined
from hippo_theory.validation.reading import Parameters, reshaped_words, vectors_of
from hippo_theory.validation.references import dense_references, references

__all__ = ["unnamed_findings"]

Array = NDArray[Any]

_CANDIDATES = 300  # of all groups of a file together
_STATES = (3, 1024)  # fewer fit by chance
_DECISIVE = 6  # numbers that have to agree for a damage to be named
_LARGEST_DISCRETE = 128  # states up to which discretizations are undone
_NUMBERS = 2**22
_FLOATS = ("float64", "float32", "float16", "bfloat16")
_COMPLEX = ("complex128", "complex64")
_WEIGHTS = ("weight", "kernel", "bias")  # of linear layers, convolutions and norms
# One factor, one sign, a few numbers: what remains agrees.
_DECIDED = ("factor", "sign", "index", "halves", "entry", "lost", "doubled", "transposed", "clipped")
# Real and imaginary parts with a constant each fit any evenly spaced numbers, but hardly ever other frequencies.
_APART, _EVEN = ("real", "logarithm"), ("s4d-lin", "fourier-diagonal")
_FEW = (
    "entry",
    "lost",
    "doubled",
)  # all that is decided of -1, -2, ... and of multiples of i: positions are such numbers
_FINE = ("exact", "rounding")
_SIMPLE = ("1/2", "2", "sqrt(2)", "1/sqrt(2)", "1/4", "4")  # of multiples of i pi; others of i are positions
_INPUT_DAMAGE = ("factor", "squared", "clipped")
_TURNED = "states along the last axis but one"

# Ways to read a real tensor as a real part, an imaginary part, and negative real eigenvalues.
_REAL = {"identity": "{}", "negative": "-{}", "negative exp": "-exp({})", "negative softplus": "-softplus({})"}
_IMAGINARY = {"identity": "{}", "exp": "exp({})"}
_ONLY_REAL = {"negative exp": "-exp({})", "identity": "{}"}


@dataclass(frozen=True, eq=False)
class _Reading:
    """The same tensors read in several ways, the plainest first, each with what it is in words."""

    options: tuple[tuple[Parameters, str], ...]


def unnamed_findings(groups: Iterable[tuple[str, Mapping[str, StoredTensor]]]) -> Iterator[Finding]:
    """Findings in groups of tensors that no layout names."""
    taken: set[str] = set()
    for reading in islice(_readings(groups), _CANDIDATES):
        if taken & set(reading.options[0][0].tensors):
            continue
        best: list[Finding] = []
        for parameters, words in reading.options:
            found = [replace(finding, why=_joined(words, finding.why)) for finding in _decided(judge(parameters))]
            if found and (not best or _rank(found) < _rank(best)):
                best, chosen = found, (parameters, words)
            if best and _rank(best)[0] <= VERDICTS.index("rounding"):
                break
        if best:
            best = _with_input(*chosen, best)
            taken |= set(best[0].tensors)
            yield from best


def _with_input(parameters: Parameters, words: str, found: list[Finding]) -> list[Finding]:
    """The findings with the tensor of the same layer that is their B, if one is; and what was not compared is said.

    C has the same shape, and is random: B is what is the input of the start, as it is or after a mistake with a name.
    """
    if parameters.kind != "continuous" or len(found) > 1:
        return found
    systems, n = parameters.Lambda.values.shape
    left = []
    for tensor in parameters.others.values():
        pairs = tensor.dtype in _FLOATS and tensor.shape[-1:] == (2,)
        shape = tensor.shape[:-1] if pairs else tensor.shape
        if tensor.name in parameters.tensors or shape[-1:] != (n,) or not (pairs or tensor.dtype in _COMPLEX):
            continue
        if int(np.prod(shape, dtype=np.int64)) not in (n, systems * n):
            continue
        B = vectors_of(tensor.quantity(pairs=pairs), systems, n)
        if B is None:
            continue
        judged = list(judge(replace(parameters, B=B, tensors=(*parameters.tensors, tensor.name))))
        last = tensor.name.removeprefix(parameters.prefix)
        if len(judged) == 1 and judged[0].identified == found[0].identified and _is_input(judged[0].parts.get("B")):
            return [replace(judged[0], why=_joined(words, f"{last} read as B", judged[0].why))]
        left.append(last)
    if not left:
        return found
    note = f"{', '.join(left)}: the shape of B, but not its numbers; not compared, for it may be C"
    return [replace(finding, why=_joined(finding.why, note)) for finding in found]


def _is_input(part: Part | None) -> bool:
    """Whether a vector is the input of the start, or what a mistake with a name made of it."""
    if part is None:
        return False
    return part.verdict in ("exact", "rounding", "known-deviation") or part.cause in _INPUT_DAMAGE


def _joined(*reasons: str) -> str:
    return "; ".join(filter(None, reasons))


def _rank(findings: list[Finding]) -> tuple[int, bool]:
    """The worst verdict, and whether two constants are off instead of one."""
    worst = max(VERDICTS.index(finding.verdict) for finding in findings)
    apart = ("real parts are off" in f.reason or f.cause in _APART for f in findings)
    return worst, any(apart)


def _decided(findings: Iterator[Finding]) -> list[Finding]:
    """What the numbers decide; beside a system that is a start as it is, all the others of the same tensors too."""
    found = list(findings)
    decided = [finding for finding in found if _is_decided(finding)]
    return found if any(finding.verdict in _FINE for finding in decided) else decided


def _is_decided(finding: Finding) -> bool:
    """Whether the numbers alone say what this is."""
    if finding.identified in ("unknown", "random"):
        return False
    if finding.verdict in _FINE:
        return True
    part = finding.parts.get("Lambda") or finding.parts.get("A")
    # Masks of attention are LagT with the other sign.
    if part is None or (finding.stored or 0) < _DECISIVE or finding.identified == "lagt":
        return False
    if finding.verdict == "known-deviation":
        return True
    if finding.identified in _EVEN and part.why.startswith("imaginary parts are"):
        scaled = re.match(r"imaginary parts are (\S+) times the expected, real parts are right", part.why)
        return scaled is not None and scaled[1] in _SIMPLE
    decided = _DECIDED if finding.identified in _EVEN else _DECIDED + _APART
    if finding.identified in ("s4d-real", "fout", "fourier-decay") and "Lambda" in finding.parts:
        return finding.verdict == "deviates" and part.cause in _FEW
    return finding.verdict == "deviates" and part.cause in decided


def _readings(groups: Iterable[tuple[str, Mapping[str, StoredTensor]]]) -> Iterator[_Reading]:
    for prefix, group in groups:
        usual = [tensor for name, tensor in group.items() if name not in _WEIGHTS and _plausible(tensor)]
        for tensor in usual:
            readings = list(_of_one(prefix, tensor, group))
            if readings:
                yield _Reading(tuple(readings))
            if len(tensor.shape) in (2, 3) and tensor.shape[-1] == tensor.shape[-2] and tensor.dtype in _FLOATS:
                matrix = _matrix(prefix, tensor, group) or _discrete(prefix, tensor, group)
                if matrix is not None:
                    yield _Reading(((matrix, ""),))
        real = [tensor for tensor in usual if tensor.dtype in _FLOATS]
        yield from _pairs(prefix, real[:8], group)


def _plausible(tensor: StoredTensor) -> bool:
    shape = tensor.shape
    return (
        1 <= len(shape) <= 4
        and tensor.dtype in _FLOATS + _COMPLEX
        and _STATES[0] <= max(shape)
        and 0 < int(np.prod(shape, dtype=np.int64)) <= _NUMBERS
    )


# --- one tensor --------------------------------------------------------------------------------------------------------


def _of_one(prefix: str, tensor: StoredTensor, group: Mapping[str, StoredTensor]) -> Iterator[tuple[Parameters, str]]:
    """Complex numbers; pairs of reals, side by side; or negative real eigenvalues."""
    last = tensor.name.removeprefix(prefix)
    if tensor.dtype in _COMPLEX:
        for transform, words in (("identity", ""), ("negative", f"read as Lambda = -{last}")):
            yield from _spectra(prefix, tensor.quantity(transform), group, words)
        return
    if tensor.shape[-1] == 2 and len(tensor.shape) > 1:
        for transform, words in (("identity", ""), ("negative", f"read as Lambda = -{last}")):
            yield from _spectra(prefix, tensor.quantity(transform, pairs=True), group, words)
    elif tensor.shape[-1] % 2 == 0 and tensor.shape[-1] >= 2 * _DECISIVE:
        for transform, sign in (("identity", ""), ("negative", "-")):
            flat = tensor.quantity(transform)
            real, imaginary = flat.mapped(lambda a: a[..., ::2]), flat.mapped(lambda a: a[..., 1::2])
            if _is_constant(real.values):
                both = replace(combined(real, imaginary), tensors=flat.tensors)
                words = f"read as Lambda = {sign}({last}[..., ::2] + i {last}[..., 1::2])"
                yield from _spectra(prefix, both, group, words)
    yield from _real_spectra(prefix, tensor, group)


def _is_constant(values: Array) -> bool:
    """Whether each row, or each column, is one number, to what a few roundings change."""
    if not np.isfinite(values).all():
        return False
    return any(bool((np.ptp(values, axis=axis) <= 1e-3).all()) for axis in {values.ndim - 1, 0})


def _real_spectra(
    prefix: str, tensor: StoredTensor, group: Mapping[str, StoredTensor]
) -> Iterator[tuple[Parameters, str]]:
    """-1, -2, ..., or the logarithms of 1, 2, ...: in each row, or in each column."""
    if len(tensor.shape) != 2 or max(tensor.shape) < _DECISIVE:  # a single row of 1, 2, ... is a list of positions
        return
    last = tensor.name.removeprefix(prefix)
    for transform, form in _ONLY_REAL.items():
        stored = tensor.quantity(transform)
        for turned, words, wrong in _orientations(stored):
            first = turned.values[0]
            n = len(first)
            if n < _DECISIVE or not np.isfinite(first).all():
                continue
            # Half of them at least, to a hundredth: a few may be damaged.
            if (np.abs(first + np.arange(1, n + 1)) <= 1e-2 * np.arange(1, n + 1)).mean() > 0.5:
                read = f"read as Lambda = {form.format(last)}" if transform != "identity" else ""
                Lambda = replace(turned, values=turned.values + 0j)
                names = (prefix, stored.tensors, "continuous")
                kind = Parameters("unnamed", *names, Lambda, others=group, misplaced=wrong)
                yield kind, _joined(read, words)


def _orientations(stored: Quantity) -> Iterator[tuple[Quantity, str, str]]:
    """Equal systems along the rows, with words for where the states lie, and for what is wrong with that.

    The rows as they are, unless another arrangement makes all of them equal: see `arrangements`.
    """
    n = stored.values.shape[-1]
    if stored.values.ndim > 2 and n > 1 and not np.any(stored.values != stored.values[..., :1]):
        turned = stored.mapped(lambda array: np.swapaxes(array, -1, -2))
        yield turned.reshaped(-1, stored.values.shape[-2]), _TURNED, ""
        return
    rows = stored.reshaped(-1, n)
    found = arrangements(rows.values)
    for other in found:
        if other.exchanged:
            yield rows.mapped(other.rows), _TURNED, ""
        else:
            yield rows.mapped(other.rows), "", reshaped_words(stored.tensors, other)
    if not found:
        yield rows, "", ""


def _spectra(
    prefix: str, Lambda: Quantity, group: Mapping[str, StoredTensor], words: str
) -> Iterator[tuple[Parameters, str]]:
    """Complex numbers that may be eigenvalues: real parts all the same, imaginary parts all different.

    The real part -1/2 is that of most starts: with it, any imaginary parts are worth a look. Where a unit in the last place
    is worth more than a sixteenth of the number, as in exponentials of large ones, the numbers say nothing.
    """
    for turned, axis, wrong in _orientations(Lambda):
        n = turned.values.shape[-1]
        if not _STATES[0] + (turned.dtype in ("float16", "bfloat16")) <= n <= _STATES[1]:
            continue
        first = turned.values[0]
        scale = float(np.abs(first).max(initial=0.0))
        if not (np.isfinite(first).all() and 0 < scale < np.inf):
            continue
        if (np.abs(turned.spacing[0].imag) > np.abs(first.imag) / 16)[first.imag != 0].any():
            continue
        # A few real parts may be damaged, and the sign of all.
        alike = np.abs(first.real - np.median(first.real)) <= 1e-3 * scale
        half = (np.abs(first.real + 0.5) <= 4 * np.abs(turned.spacing[0].real)).all()
        if alike.mean() > 0.7 and np.unique(first.imag).size > n // 2 and (half or _resembles(first.imag)):
            names = (prefix, Lambda.tensors, "continuous")
            yield Parameters("unnamed", *names, turned, others=group, misplaced=wrong), _joined(words, axis)


def _resembles(imaginary: Array) -> bool:
    """Whether most of the imaginary parts (n,) are those of some start, up to a factor and to a few hundredths."""
    moduli = np.abs(imaginary)
    return any(
        common_ratio(moduli, np.abs(reference.Lambda.imag)) is not None
        for reference in references(len(imaginary))
        if reference.Lambda.imag.any()
    )


# --- two tensors -------------------------------------------------------------------------------------------------------


def _pairs(prefix: str, tensors: list[StoredTensor], group: Mapping[str, StoredTensor]) -> Iterator[_Reading]:
    """Two real tensors of one shape: the first holds real parts, or what they are stored as."""
    shapes = [tensor.shape for tensor in tensors]
    for real in tensors:
        if shapes.count(real.shape) < 2 or not _is_constant(real.read().astype(np.float64)):
            continue
        for imaginary in tensors:
            if imaginary is real or imaginary.shape != real.shape:
                continue
            options: list[tuple[Parameters, str]] = []
            for (one, left), (other, right) in ((a, b) for a in _REAL.items() for b in _IMAGINARY.items()):
                both = combined(real.quantity(one), imaginary.quantity(other))
                names = (tensor.name.removeprefix(prefix) for tensor in (real, imaginary))
                plain = one == other == "identity"
                form = f"{left} + i {right}".format(*names)
                options += _spectra(prefix, both, group, "" if plain else f"read as Lambda = {form}")
            if options:
                yield _Reading(tuple(options))


# --- matrices ----------------------------------------------------------------------------------------------------------


def _matrix(prefix: str, tensor: StoredTensor, group: Mapping[str, StoredTensor]) -> Parameters | None:
    """A square matrix whose leading entries are a multiple of those of a known one, which do not depend on the size.

    Matrices of 0, 1 and -1 are masks, shifts and units far more often than LagT.
    """
    N = tensor.shape[-1]
    if not _STATES[0] + 1 <= N <= _STATES[1]:
        return None
    values = tensor.read().reshape(-1, N, N)
    size = 4 + N % 2
    corner = values[0, :size, :size].astype(np.float64)
    if (
        not np.isfinite(corner).all()
        or np.isin(corner, (-1, 0, 1)).all()
        or (len(values) > 1 and np.any(values != values[:1]))
    ):
        return None
    for reference in dense_references(size):
        for truth in (reference.A, reference.A.T):
            there = truth != 0
            factor = float(np.median(corner[there] / truth[there]))
            near = np.abs(corner - factor * truth) <= 2.0**-6 * abs(factor) * np.abs(truth).max()
            if factor != 0 and near[there].mean() >= 0.7 and near.mean() >= 0.7:
                return _dense(prefix, tensor, group)
    return None


def _discrete(prefix: str, tensor: StoredTensor, group: Mapping[str, StoredTensor]) -> Parameters | None:
    """A matrix that may be a discretization."""
    N = tensor.shape[-1]
    if len(tensor.shape) != 2 or not _DECISIVE <= N <= _LARGEST_DISCRETE:
        return None
    values = tensor.read().astype(np.float64)
    if not np.isfinite(values).all() or np.abs(np.diag(values)).max() > 1.01:
        return None
    return _dense(prefix, tensor, group) if may_be_discretized(values) else None


def _dense(prefix: str, tensor: StoredTensor, group: Mapping[str, StoredTensor]) -> Parameters:
    N = tensor.shape[-1]
    first: Callable[[Array], Array] = lambda array: array.reshape(-1, N, N)[0]  # noqa: E731
    return Parameters("unnamed", prefix, (tensor.name,), "dense", tensor.quantity().mapped(first), others=group)
