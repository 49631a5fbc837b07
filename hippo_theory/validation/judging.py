"""From stored parameters of a diagonal (plus low rank) system to findings: identify, then judge each part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.discrete_spectra import continuous_spectra
from hippo_theory.validation.eigenvalues import Candidate, damaged_candidates, prior, undamaged_candidates
from hippo_theory.validation.findings import Finding, Part
from hippo_theory.validation.moves import is_near, likeliest_start, moves_from, percent
from hippo_theory.validation.reading import Parameters
from hippo_theory.validation.references import Reference
from hippo_theory.validation.rows import (
    Row,
    chosen_systems,
    distinct_rows,
    finite_row,
    finite_systems,
    nonfinite_vectors,
    one_block,
    row_of,
)
from hippo_theory.validation.stored_kernels import stored_kernel_error
from hippo_theory.validation.unrecognized import nonfinite, unrecognized
from hippo_theory.validation.vectors import input_convention, judge_vectors, oriented

__all__ = ["judge_diagonal"]

Array = NDArray[Any]

_EXPLAINED = ("exact", "rounding", "known-deviation")
_ROWS = 8  # systems of one group of tensors that are judged one by one; more than these are sampled


def judge_diagonal(parameters: Parameters) -> Iterator[Finding]:
    """One finding for each initialization among the systems of the tensors.

    Where they are none as their layout reads them, but a start in another arrangement, that arrangement is what is wrong.
    """
    found = [_misplaced(finding, parameters.misplaced) for finding in _judged_as_stored(parameters)]
    if parameters.otherwise and not all(finding.verdict in _EXPLAINED for finding in found):
        for other in parameters.otherwise:
            arranged = list(_judged_as_stored(other))
            if arranged and all(finding.parts["Lambda"].verdict in _EXPLAINED for finding in arranged):
                yield from (_misplaced(finding, other.misplaced) for finding in arranged)
                return
    yield from found


def _misplaced(finding: Finding, why: str) -> Finding:
    """A finding of systems that do not lie where their layout has them, if `why` says so."""
    if not why or finding.parts["Lambda"].verdict not in _EXPLAINED:
        return finding
    Lambda = replace(finding.parts["Lambda"], verdict="deviates", cause="transposed", why=why)
    return replace(finding, parts={**finding.parts, "Lambda": Lambda}, kernel_error=None)


def _judged_as_stored(parameters: Parameters) -> Iterator[Finding]:
    """One finding for each initialization among the systems, each being a row of Lambda."""
    if parameters.Lambda.values.size == 0:
        return
    finite = finite_systems(parameters)
    if finite.any() and not finite.all():  # one by one: samples of many systems might miss the few that are not finite
        for systems in (finite, ~finite):
            yield from _judged_as_stored(chosen_systems(parameters, systems))
        return
    first, inverse = distinct_rows(parameters)
    heads = np.bincount(inverse)
    judged = np.unique(np.linspace(0, len(first) - 1, min(len(first), _ROWS)).astype(int))
    found = [_judge_row(parameters, row_of(parameters, int(first[judged[0]])))]
    if len(first) > _ROWS and (moved := _moved_alike(parameters, *found[0], first[judged[1:]])) is not None:
        yield moved
        return
    found += [_judge_row(parameters, row_of(parameters, int(first[index]))) for index in judged[1:]]
    if (together := _together(parameters, found)) is not None:
        yield together
        return
    results: dict[tuple[Any, ...], Finding] = {}
    for index, (finding, _) in zip(judged, found, strict=True):
        finding = replace(finding, heads=int(heads[index]))
        label = (finding.identified, finding.convention, finding.N, finding.verdict, finding.deviation)
        results[label] = _joined(results[label], finding) if label in results else finding
    if len(judged) == len(first):
        yield from results.values()
        return
    for finding in results.values():
        why = f"{_ROWS} of {len(first)} different systems were judged"
        why = "; ".join(filter(None, [finding.why, why]))
        yield replace(finding, heads=round(len(inverse) * (finding.heads or 0) / sum(heads[list(judged)])), why=why)


def _moved_alike(
    parameters: Parameters, finding: Finding, reference: Reference | None, others: Array
) -> Finding | None:
    """All systems as one that was trained, if the first one was and most of the others are near to the same start.

    No mistake is looked for in the others: what their code does wrong it does in the first one too.
    """
    if finding.verdict != "trained" or reference is None or not _is_whole(parameters, reference):
        return None
    near = [likeliest_start(row_of(parameters, int(index)).Lambda.values) for index in others]
    agree = 1 + sum(start is reference and is_near(reference, distance) for start, distance in near)
    return _moved(parameters, finding, reference) if 2 * agree > 1 + len(near) else None


def _together(parameters: Parameters, found: list[tuple[Finding, Reference | None]]) -> Finding | None:
    """All systems as one that was trained, or as random ones, if more than half of those judged are that; else None.

    Of systems that were trained together some are moved so little that rounding would explain it, and some so far that
    they are near to nothing; and of random ones a few are near to some start by chance.
    """
    verdicts = {finding.verdict for finding, _ in found}
    if len(found) < 2 or "trained" not in verdicts:
        return None
    starts = [
        (finding, reference)
        for finding, reference in found
        if finding.verdict == "trained" and reference is not None and _is_whole(parameters, reference)
    ]
    for finding, reference in starts:
        agree = sum(other is reference and one.verdict in ("trained", "rounding") for one, other in found)
        if 2 * agree > len(found) and verdicts <= {"trained", "rounding", "random", "exact"}:
            if "exact" in verdicts and len(found) < _ROWS:
                return None  # few systems, of which some are as they were: each is told apart
            return _moved(parameters, finding, reference)
    random = [finding for finding, _ in found if finding.verdict == "random"]
    if 2 * len(random) > len(found) and verdicts == {"trained", "random"}:
        return replace(random[0], heads=len(parameters.Lambda.values))
    return None


def _is_whole(parameters: Parameters, reference: Reference) -> bool:
    """Whether a reference has as many eigenvalues as a stored system, and not those of one of its equal blocks."""
    return bool(reference.stored == parameters.Lambda.values.shape[-1])


def _moved(parameters: Parameters, finding: Finding, reference: Reference) -> Finding:
    """How far all systems have moved from the start that the first one is nearest to."""
    values = parameters.Lambda.values
    if reference.form != "all":
        values = np.where(values.imag < 0, values.conj(), values)
    key = values.real if np.ptp(reference.Lambda.imag) == 0 else values.imag
    moves = moves_from(reference, np.take_along_axis(values, np.argsort(-key, axis=1, kind="stable"), axis=1))
    largest = float(moves.max())
    why = (
        f"nearest to {reference.id}: eigenvalues of {len(values)} systems have moved by "
        f"{percent(float(np.median(moves)))} (median), {percent(largest)} (largest)"
    )
    part = Part("trained", max_relative_error=largest, why=why, cause="trained")
    return replace(finding, heads=len(values), parts={**finding.parts, "Lambda": part})


def _joined(one: Finding, other: Finding) -> Finding:
    worse = one if (one.max_relative_error or 0) >= (other.max_relative_error or 0) else other
    if any(finding.parts.get("Lambda", Part("unknown")).why.startswith("discretized") for finding in (one, other)):
        Lambda = worse.parts["Lambda"]
        words = "; other systems with other steps"
        if one.parts["Lambda"].why != other.parts["Lambda"].why and not Lambda.why.endswith(words):
            worse = replace(worse, parts={**worse.parts, "Lambda": replace(Lambda, why=Lambda.why + words)})
    return replace(worse, heads=(one.heads or 0) + (other.heads or 0))


def _judge_row(parameters: Parameters, row: Row) -> tuple[Finding, Reference | None]:
    """The finding of one system, and the reference it was compared with."""
    if not np.isfinite(row.Lambda.values).all():
        return nonfinite(parameters, "Lambda", len(row.Lambda.values)), None
    finding, reference = _judge_spectrum(parameters, row)
    broken = {name: Part("deviates", why=why, cause="nonfinite") for name, why in nonfinite_vectors(row).items()}
    if not broken:
        return finding, reference
    return replace(finding, parts={**finding.parts, **broken}, kernel_error=None), reference


def _judge_spectrum(parameters: Parameters, row: Row) -> tuple[Finding, Reference | None]:
    """The finding of one system by its eigenvalues, which are finite, and by those of its vectors that are."""
    row, blocks = one_block(row)
    undamaged = undamaged_candidates(row.Lambda)
    if not undamaged and (discrete := _discretized(parameters, row)) is not None:
        return discrete
    best = _best(parameters, row, undamaged)
    if best is None:
        finding, nearest = unrecognized(parameters, row.Lambda.values)
        return replace(finding, identified=_name(finding.identified, parameters, row)), nearest
    parts, candidate = best
    reference = candidate.fit.reference
    if parts["Lambda"].deviation == "D5" and _zero_counts_once(parameters, candidate):
        Lambda = parts["Lambda"]
        verdict = "exact" if (Lambda.ulps or 0.0) <= 1 else "rounding"
        parts = {**parts, "Lambda": replace(Lambda, verdict=verdict, deviation=None, cause=None, why="")}
    if parameters.halves and parts["Lambda"].verdict in _EXPLAINED and _holds_pairs(reference):
        parts = {**parts, "Lambda": _counted_twice(parts["Lambda"], parameters.layout)}
    as_read = oriented(row, candidate.fit, candidate.roundoff)
    whole = reference.stored == len(row.Lambda.values)
    equal = f"{blocks} equal blocks of N = {reference.N}" if blocks > 1 else ""
    notes = [
        equal,
        input_convention(row, reference, parts),
        _restriction(parameters, row, reference),
    ]
    finding = Finding(
        parameters.tensors,
        parameters.prefix,
        parameters.layout,
        _name(reference.id, parameters, row),
        reference.convention,
        reference.N * blocks,
        reference.stored * blocks,
        1,
        parts,
        stored_kernel_error(parameters, as_read, candidate.fit) if whole and not nonfinite_vectors(row) else None,
        why="; ".join(filter(None, notes)),
    )
    return finding, reference


def _holds_pairs(reference: Reference) -> bool:
    return reference.form == "all" and bool((reference.Lambda.imag > 0).any())


def _counted_twice(Lambda: Part, layout: str) -> Part:
    """Both members of each conjugate pair in a layout that adds the conjugates itself."""
    why = (
        f"both eigenvalues of each conjugate pair are stored, but {layout} keeps one and adds the other: every pair counts "
        "twice; keep one of each pair"
    )
    return replace(Lambda, verdict="deviates", cause="halves", deviation=None, why=why)


def _restriction(parameters: Parameters, row: Row, reference: Reference) -> str:
    """That the low-rank term is not there, where the name is that of the full family; that of LegS has a name of its own."""
    if parameters.P is not None and row.P is None and reference.low_rank is not None:
        return "P is zero: the normal part alone, without the low-rank term"
    is_full = reference.id in ("legt", "lagt", "fout") and reference.low_rank is not None
    return "the normal part alone: no low-rank term P is stored" if is_full and row.P is None else ""


def _zero_counts_once(parameters: Parameters, candidate: Candidate) -> bool:
    """Whether a tensor beside the eigenvalues says of each how often it counts, and of the zero frequency once."""
    stored, truth = parameters.others.get("multiplicity"), candidate.fit.reference.Lambda
    if stored is None or stored.shape != truth.shape:
        return False
    return bool(np.array_equal(stored.read()[candidate.fit.order], np.where(truth.imag == 0, 1, 2)))


def _discretized(parameters: Parameters, row: Row) -> tuple[Finding, Reference] | None:
    """The finding for multipliers instead of eigenvalues: Lambda alone, for a discretized B has any of several factors."""
    for Lambda, how in continuous_spectra(row.Lambda):
        found = [c for c in undamaged_candidates(Lambda) if c.Lambda.verdict in ("exact", "rounding")]
        if not found:
            continue
        best = min(found, key=lambda candidate: prior(candidate.fit.reference))
        reference, n = best.fit.reference, len(row.Lambda.values)
        part = replace(best.Lambda, verdict="rounding", why=how)
        names = (parameters.tensors, parameters.prefix, parameters.layout, _name(reference.id, parameters, row))
        return Finding(*names, reference.convention, reference.N, n, 1, {"Lambda": part}), reference
    return None


def _best(parameters: Parameters, row: Row, undamaged: list[Candidate]) -> tuple[dict[str, Part], Candidate] | None:
    """The candidate that explains the row best, with its parts.

    Damaged eigenvalues are thought of where nothing else explains them, or where B and P contradict what they seem to be:
    S4D-Lin at twice its frequencies has the eigenvalues of another system.
    """
    usable = finite_row(row)

    def judged(candidates: list[Candidate]) -> list[tuple[float, int, dict[str, Part], Candidate]]:
        parts = [judge_vectors(usable, candidate, parameters.layout) for candidate in candidates]
        return [
            (_penalty(part, candidate, parameters, row), index, part, candidate)
            for index, (part, candidate) in enumerate(zip(parts, candidates, strict=True))
        ]

    best = min(judged(undamaged), default=None, key=lambda entry: entry[:2])
    if best is None or best[0] >= _COST["deviates"]:
        other = min(judged(damaged_candidates(row.Lambda)), default=None, key=lambda entry: entry[:2])
        if best is None or (other is not None and other[0] < best[0] - _ERROR_WEIGHT):  # not by its error alone
            best = other
    return None if best is None else best[2:]


_COST = {
    "exact": 0.0,
    "rounding": 0.1,
    "known-deviation": 1.0,
    "random": 1.0,
    "trained": 2.0,
    "unknown": 3.0,
    "deviates": 4.0,
}


_ERROR_WEIGHT = 1e-3  # errors of verdicts that are the same tell candidates apart, and nothing else


def _penalty(parts: dict[str, Part], candidate: Candidate, parameters: Parameters, row: Row) -> float:
    """How badly a candidate explains the row."""
    penalty = sum(_COST[part.verdict] for part in parts.values())
    # An error that no hypothesis names is a worse explanation than one that has a name.
    penalty += sum(0.5 for part in parts.values() if part.verdict == "deviates" and part.cause is None)
    reference = candidate.fit.reference
    if row.P is None and reference.low_rank is not None and reference.id != "legs":
        penalty += 0.6
    if reference.id == "s4d-real" and len(row.Lambda.values) > 1 and parameters.layout == "mamba":
        penalty -= 0.1
    if reference.stored != len(row.Lambda.values):  # B and P could not be judged
        penalty += 1.0 * (row.B is not None) + 1.0 * (row.P is not None)
    penalty += 0.01 * (reference.convention != "default") + prior(reference)
    return penalty + _ERROR_WEIGHT * min((parts["Lambda"].max_relative_error or 0.0), 1.0)


def _name(id: str, parameters: Parameters, row: Row) -> str:
    """The id under which a reference is known in this layout."""
    if id == "legs":
        if parameters.layout.startswith("dss"):
            return "dss"
        if parameters.layout in ("s5", "s5-pytorch", "hippo-theory-s5"):
            return "s5"
        if row.P is None:
            return "s4d-legs"
    if id == "s4d-real" and parameters.layout in ("mamba", "vmamba"):
        return "mamba-real"
    return id
