"""Two codebases side by side: how far apart what they store is, whatever the conventions of either."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.errors import InputError
from hippo_theory.validation.findings import FileResult, Finding
from hippo_theory.validation.kernel_errors import LENGTH, KernelError
from hippo_theory.validation.low_rank_distance import low_rank_distance
from hippo_theory.validation.matching import SINGLE
from hippo_theory.validation.reading import Parameters
from hippo_theory.validation.stored_systems import Tensors, parameters_of, spectrum_of, tensors_of
from hippo_theory.validation.validating import validate

__all__ = ["Pair", "SideBySide", "compare", "paired"]

Array = NDArray[Any]
Source = str | os.PathLike[str] | Mapping[str, Any]

_STEPS = (1e-3, 1e-2, 1e-1)
_LARGEST_DENSE = 512  # states above which no dense exponential is formed
_LARGEST_MATCHED = 2048  # eigenvalues above which an optimal assignment takes too long


@dataclass(frozen=True)
class Pair:
    """Two findings of equal size.

    Attributes
    ----------
    finding, reference : Finding, optional
        None where the other side has nothing of this size left.
    states : int, optional
        Eigenvalues of each, conjugates included.
    eigenvalues : float, optional
        Largest distance of the eigenvalues, matched one to one, over the largest modulus of the reference.
    B : float, optional
        Largest difference of abs(B), in that matching, over the largest abs(B) of the reference.
    kernel : KernelError, optional
        Of B* e^(tA) B at 1024 times, for the worst of the steps 0.001, 0.01, 0.1: no unitary change of basis, no phase of an
        eigenvector and no conjugate half changes it. Without a B on both sides the columns of P stand for it.
    why : str
        What was assumed, or could not be compared.
    P : float, optional
        Largest difference of the entries of P P* (P Q* where Q is stored) over the largest of the reference, in that
        matching, with the phases of the eigenvectors that B fixes, or else those that fit best: see
        `hippo_theory.validation.low_rank_distance`.
    """

    finding: Finding | None
    reference: Finding | None
    states: int | None = None
    eigenvalues: float | None = None
    B: float | None = None
    kernel: KernelError | None = None
    why: str = ""
    P: float | None = None


@dataclass(frozen=True)
class SideBySide:
    """The result of `compare`: both files, and their findings in pairs."""

    source: FileResult
    reference: FileResult
    pairs: tuple[Pair, ...]


def compare(source: Source, reference: Source, *, progress: Callable[[str], None] | None = None) -> SideBySide:
    """How far the systems of one file or set of arrays are from those of another, whatever their conventions.

    Parameters
    ----------
    source, reference : path, or mapping of str to array
        One file each, of any format of `hippo_theory.tensor_files`, or arrays by name.
    progress : callable, optional
        Called with the name of each layer before it is judged.

    Returns
    -------
    SideBySide
        Findings are paired in their order: those of equal size, the same id first.

    Raises
    ------
    InputError
        If one of the two cannot be read.

    Examples
    --------
    Eigenvalues with either sign of the imaginary part, halved or not, are the same system; half the time scale is not.

    >>> import hippo_theory as ht
    >>> lin = ht.initialization("s4d-lin", 64).Lambda
    >>> one = {"Lambda": lin.conj()}
    >>> both = compare(one, {"Lambda": np.concatenate([lin, lin.conj()])})
    >>> both.pairs[0].states, both.pairs[0].eigenvalues, both.pairs[0].kernel.l2 < 1e-14
    (64, 0.0, True)
    >>> round(compare(one, {"Lambda": lin / 2}).pairs[0].eigenvalues, 3)
    1.0
    """
    results = [_one_file(which, name, progress) for which, name in ((source, "source"), (reference, "reference"))]
    pairs = paired(results[0].findings, tensors_of(source), results[1].findings, tensors_of(reference))
    return SideBySide(results[0], results[1], tuple(pairs))


def _one_file(source: Source, name: str, progress: Callable[[str], None] | None) -> FileResult:
    result = validate(source, progress=progress)
    if len(result.files) != 1:
        raise InputError(f"`{name}` must be one file, got a folder with {len(result.files)}; name one of them")
    if result.files[0].error is not None:
        raise InputError(result.files[0].error)
    return result.files[0]


def paired(
    findings: Sequence[Finding], tensors: Tensors, references: Sequence[Finding], reference_tensors: Tensors
) -> Iterator[Pair]:
    """Findings of two files in pairs of equal size, in their order, the same id first; what is left over stands alone."""
    measured: dict[Any, Pair] = {}  # layers start alike: equal numbers are compared once
    left: dict[int, _System] = {}  # by position: what each reference holds, read when it is first looked at
    for position, finding in enumerate(references):
        left[position] = _System.read(finding, reference_tensors)
    for finding in findings:
        system = _System.read(finding, tensors)
        fitting = [p for p, other in left.items() if system.states is not None and other.states == system.states]
        fitting.sort(key=lambda position: references[position].identified != finding.identified)
        if fitting:
            other = left.pop(fitting[0])
            key = system.content, other.content
            if key not in measured:
                with np.errstate(all="ignore"):  # what is not finite is said
                    measured[key] = _measured(system, other)
            yield replace(measured[key], finding=finding, reference=other.finding)
        else:
            size = "this kind" if system.states is None else f"{system.states} states"
            yield Pair(finding, None, system.states, why=f"the reference holds nothing more of {size}")
    for other in left.values():
        yield Pair(None, other.finding, other.states, why="only the reference holds this")


@dataclass(frozen=True, eq=False)
class _System:
    """The first system of a finding with all its states: Lambda, B, P, Q by eigenvalues, or A and B dense."""

    finding: Finding
    states: int | None
    Lambda: Array | None = None
    B: Array | None = None
    P: Array | None = None
    Q: Array | None = None
    A: Array | None = None

    @property
    def content(self) -> tuple[bytes | None, ...]:
        """The numbers, by which equal systems are known."""
        parts = (self.Lambda, self.B, self.P, self.Q, self.A)
        return tuple(None if part is None else part.tobytes() for part in parts)

    @staticmethod
    def read(finding: Finding, tensors: Tensors) -> _System:
        parameters = parameters_of(finding, tensors)
        if parameters is None or parameters.kind == "stacked":
            return _System(finding, None)
        if parameters.kind == "dense":
            B = None if parameters.B is None else parameters.B.values
            return _System(finding, len(parameters.Lambda.values), B=B, A=parameters.Lambda.values)
        return _diagonal(finding, parameters)


def _diagonal(finding: Finding, parameters: Parameters) -> _System:
    values = parameters.Lambda.values + 0j
    if parameters.kind == "heads":
        values = values.reshape(1, -1)
    spectrum = spectrum_of(finding, parameters)
    row = 0 if spectrum is None else int(spectrum.systems[0])
    Lambda = values[row] - (0.5 if parameters.kind == "skew" else 0.0)
    B, P, Q = (None if part is None else part.values[row] + 0j for part in (parameters.B, parameters.P, parameters.Q))
    one_sided = bool((Lambda.imag >= 0).all() or (Lambda.imag <= 0).all())
    if 2 * len(Lambda) == finding.N:  # S4D counts a real eigenvalue twice as well
        pairs = np.arange(len(Lambda))
    elif one_sided and (finding.N is None or len(Lambda) < finding.N):
        pairs = np.flatnonzero(Lambda.imag != 0)
    else:
        pairs = np.array([], dtype=int)

    def doubled(part: Array | None) -> Array | None:
        return None if part is None else np.concatenate([part, part[pairs].conj()])

    full = doubled(Lambda)
    return _System(finding, len(Lambda) + len(pairs), full, doubled(B), doubled(P), doubled(Q))


def _measured(one: _System, other: _System) -> Pair:
    inputs, notes = _inputs(one, other)
    eigenvalues = weights = low_rank = None
    if one.Lambda is not None and other.Lambda is not None:
        eigenvalues, order = _matched(one.Lambda, other.Lambda)
        if eigenvalues is not None:
            weights = _input_distance(one, other, order)
            low_rank = _low_rank_distance(one, other, order)
            if (one.P is None) != (other.P is None):
                notes.append(f"only {'the reference' if one.P is None else 'this'} has a low-rank term")
            if (one.P is not None or one.B is not None) and _is_multiple(other.Lambda):
                notes.append("of equal eigenvalues, the eigenvectors and so B and P are not unique")
    elif one.A is not None and other.A is not None and one.states and one.states <= _LARGEST_DENSE:
        if np.isfinite(one.A).all() and np.isfinite(other.A).all():
            eigenvalues, _ = _matched(np.linalg.eigvals(one.A), np.linalg.eigvals(other.A))
            notes.append("eigenvalues of dense matrices in float64, which they need not determine well")
        else:
            notes.append("no eigenvalues: a matrix holds NaN or infinity")
    else:
        notes.append("one is dense and the other diagonal (plus low rank): only the kernels are compared")
    kernel = None
    if inputs is not None:
        kernel = _kernel_distance((one, other), inputs)
        if kernel is None:
            notes.append(f"kernels are not finite, or need dense matrices of more than {_LARGEST_DENSE} states")
    return Pair(one.finding, other.finding, one.states, eigenvalues, weights, kernel, "; ".join(notes), low_rank)


def _inputs(one: _System, other: _System) -> tuple[tuple[Array, Array] | None, list[str]]:
    """What both are driven and observed by, (n, m), and what had to be assumed; None where nothing can be compared.

    A diagonal system without B may be given ones, since phases of eigenvectors do not change its kernel |b_n|^2. Beside a
    low-rank term they do, and only P itself is there to be used; in a dense matrix it is the basis that decides.
    """
    columns = _column(one), _column(other)
    missing = [name for system, name in ((one, "this"), (other, "the reference")) if system.B is None]
    if not missing:
        return columns, []
    note = f"no B in {' and '.join(missing)} (or a random one): "
    if one.P is not None and other.P is not None:
        return (one.P, other.P), [note + "the kernel is that of P, P* e^(tA) P"]
    if one.A is not None and other.A is not None:
        return columns, [note + "taken as 1, in the basis that is stored"]
    if all(system.B is not None or (system.A is None and system.P is None) for system in (one, other)):
        return columns, [note + "taken as 1"]
    return None, [note + "no kernel, which the phases of the eigenvectors would decide"]


def _column(system: _System) -> Array:
    """B as a matrix of one column, of ones where there is none."""
    return np.ones((system.states or 0, 1)) if system.B is None else system.B[:, None]


def _is_multiple(Lambda: Array) -> bool:
    """Whether two eigenvalues are equal, up to rounding in single precision."""
    ordered = Lambda[np.lexsort((Lambda.real, Lambda.imag))]
    return bool((np.abs(np.diff(ordered)) <= 4 * SINGLE * np.abs(Lambda).max(initial=0.0)).any())


def _input_distance(one: _System, other: _System, order: Array) -> float | None:
    """Largest difference of abs(B) over the largest of the reference."""
    if one.B is None and other.B is None:
        return None
    ours, theirs = (np.ones(len(order)) if system.B is None else np.abs(system.B) for system in (one, other))
    scale = float(theirs.max(initial=0.0))
    gap = float(np.abs(ours - theirs[order]).max(initial=0.0))
    return gap / scale if np.isfinite(gap) and scale > 0 else None


def _low_rank_distance(one: _System, other: _System, order: Array) -> float | None:
    if one.P is None or other.P is None or len(order) > _LARGEST_MATCHED:
        return None
    ours, theirs = (s.P @ (s.P if s.Q is None else s.Q).conj().T for s in (one, other) if s.P is not None)
    vectors = None if one.B is None or other.B is None else (one.B, other.B[order])
    return low_rank_distance(ours, theirs[np.ix_(order, order)], vectors)


def _matched(ours: Array, theirs: Array) -> tuple[float | None, Array]:
    """Largest distance of two sets matched one to one over the largest modulus of the second, and the matching."""
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return None, np.arange(len(ours))
    if len(ours) <= _LARGEST_MATCHED:
        from scipy.optimize import linear_sum_assignment

        _, order = linear_sum_assignment(np.abs(ours[:, None] - theirs[None, :]))
    else:
        order = np.empty(len(ours), dtype=int)
        order[np.lexsort((ours.real, ours.imag))] = np.lexsort((theirs.real, theirs.imag))
    scale = float(np.abs(theirs).max(initial=0.0))
    return float(np.abs(ours - theirs[order]).max(initial=0.0)) / (scale or 1.0), np.asarray(order)


def _kernel_distance(systems: tuple[_System, _System], inputs: tuple[Array, Array]) -> KernelError | None:
    worst: KernelError | None = None
    for step in _STEPS:
        with np.errstate(all="ignore"):
            ours, truth = (_kernel(system, F, step) for system, F in zip(systems, inputs, strict=True))
        if ours is None or truth is None or not (np.isfinite(ours).all() and np.isfinite(truth).all()):
            continue
        if not np.any(truth):
            continue
        gap = ours - truth
        l2 = float(np.linalg.norm(gap) / np.linalg.norm(truth))
        if worst is None or l2 > worst.l2:
            worst = KernelError(l2, float(np.abs(gap).max() / np.abs(truth).max()), LENGTH, step)
    return worst


def _kernel(system: _System, F: Array, step: float) -> Array | None:
    """The trace of F* e^(l step A) F for l < LENGTH, F the input (n, m)."""
    size = system.states or 0
    if system.Lambda is not None and system.P is None:
        times, weight = step * np.arange(LENGTH), (np.abs(F) ** 2).sum(axis=1)
        chunks = [np.exp(np.outer(chunk, system.Lambda)) @ weight for chunk in np.array_split(times, 16)]
        return np.asarray(np.concatenate(chunks).real)
    if size > _LARGEST_DENSE:
        return None
    from scipy.linalg import expm

    if system.A is not None:
        A = system.A
    else:
        assert system.Lambda is not None and system.P is not None
        out = system.P if system.Q is None else system.Q
        A = np.diag(system.Lambda) - system.P @ out.conj().T
    if not np.isfinite(A).all():
        return None
    kernel, whole = np.zeros(LENGTH), expm(step * A)
    for column in F.T:
        # A Krylov row block doubles each time: F*, F* E, F* E^2, ... for E = e^(step A).
        rows, power = column.conj()[None, :] + 0j, whole
        while len(rows) < LENGTH:
            rows, power = np.concatenate([rows, rows @ power]), power @ power
        kernel += (rows[:LENGTH] @ column).real
    return kernel
