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
from hippo_theory.validation.moves import moves_from, percent
from hippo_theory.validation.reading import Parameters
from hippo_theory.validation.references import Reference
from hippo_theory.validation.rows import Row, distinct_rows, one_block, row_of
from hippo_theory.validation.stored_kernels import stored_kernel_error
from hippo_theory.validation.unrecognized import nonfinite, unrecognized
from hippo_theory.validation.vectors import input_convention, judge_vectors

__all__ = ["judge_diagonal"]

Array = NDArray[Any]

_ROWS = 8  # systems of one group of tensors that are judged one by one; more are different only after training


def judge_diagonal(parameters: Parameters) -> Iterator[Finding]:
    """One finding for each initialization among the systems of the tensors."""
    if parameters.Lambda.values.size == 0:
        return
    first, inverse = distinct_rows(parameters)
    heads = np.bincount(inverse)
    if len(first) > _ROWS:
        finding, reference = _judge_row(parameters, row_of(parameters, int(first[0])))
        if finding.verdict == "trained" and reference is not None:
            yield _moved(parameters, finding, reference)
            return
    judged = range(len(first)) if len(first) <= _ROWS else np.linspace(0, len(first) - 1, _ROWS).astype(int)
    results: dict[tuple[Any, ...], Finding] = {}
    moved: tuple[Finding, Reference] | None = None
    for index in judged:
        finding, reference = _judge_row(parameters, row_of(parameters, int(first[index])))
        finding = replace(finding, heads=int(heads[index]))
        if finding.verdict == "trained" and reference is not None:
            moved = finding, reference
        label = (finding.identified, finding.convention, finding.N, finding.verdict, finding.deviation)
        results[label] = _joined(results[label], finding) if label in results else finding
    found = {(finding.identified, finding.convention, finding.N) for finding in results.values()}
    if moved is not None and len(found) == 1 and {f.verdict for f in results.values()} == {"trained", "rounding"}:
        yield _moved(parameters, *moved)  # all were trained; rounding would explain the moves of some
        return
    if len(judged) == len(first):
        yield from results.values()
        return
    for finding in results.values():
        why = f"{_ROWS} of {len(first)} different systems were judged"
        yield replace(finding, heads=round(len(inverse) * (finding.heads or 0) / sum(heads[list(judged)])), why=why)


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
    return replace(worse, heads=(one.heads or 0) + (other.heads or 0))


def _judge_row(parameters: Parameters, row: Row) -> tuple[Finding, Reference | None]:
    """The finding of one system, and the reference it was compared with."""
    n = len(row.Lambda.values)
    if not np.isfinite(row.Lambda.values).all():
        return nonfinite(parameters, "Lambda", n), None
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
    whole = reference.stored == len(row.Lambda.values)
    equal = f"{blocks} equal blocks of N = {reference.N}" if blocks > 1 else ""
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
        stored_kernel_error(parameters, row, candidate.fit) if whole else None,
        why="; ".join(filter(None, [equal, input_convention(row, reference, parts), _restriction(row, reference)])),
    )
    return finding, reference


def _restriction(row: Row, reference: Reference) -> str:
    """That the low-rank term is not there, where the name is that of the full family; that of LegS has a name of its own."""
    is_full = reference.id in ("legt", "lagt", "fout") and reference.low_rank is not None
    return "the normal part alone: no low-rank term P is stored" if is_full and row.P is None else ""


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

    def judged(candidates: list[Candidate]) -> list[tuple[float, int, dict[str, Part], Candidate]]:
        parts = [judge_vectors(row, candidate, parameters.layout) for candidate in candidates]
        return [
            (_penalty(part, candidate, parameters, row), index, part, candidate)
            for index, (part, candidate) in enumerate(zip(parts, candidates, strict=True))
        ]

    best = min(judged(undamaged), default=None, key=lambda entry: entry[:2])
    if best is None or best[0] >= _COST["deviates"]:
        other = min(judged(damaged_candidates(row.Lambda)), default=None, key=lambda entry: entry[:2])
        best = min((entry for entry in (best, other) if entry is not None), default=None, key=lambda entry: entry[0])
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
    return penalty + 1e-3 * min((parts["Lambda"].max_relative_error or 0.0), 1.0)


def _name(id: str, parameters: Parameters, row: Row) -> str:
    """The id under which a reference is known in this layout."""
    if id == "legs":
        if parameters.layout.startswith("dss"):
            return "dss"
        if parameters.layout in ("s5", "s5-pytorch"):
            return "s5"
        if row.P is None:
            return "s4d-legs"
    if id == "s4d-real" and parameters.layout in ("mamba", "vmamba"):
        return "mamba-real"
    return id
