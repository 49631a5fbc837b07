"""The other parts of a diagonal (plus low rank) system: P and B against the reference that the eigenvalues lie on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.deviations import one_indexed_spectrum
from hippo_theory.validation.eigenvalues import Candidate
from hippo_theory.validation.findings import Part
from hippo_theory.validation.matching import Fit, compare_low_rank, compare_weights
from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.references import Reference
from hippo_theory.validation.rows import Row
from hippo_theory.validation.vector_damage import vector_cause

__all__ = ["input_vectors", "judge_vectors"]

Array = NDArray[Any]


def judge_vectors(row: Row, candidate: Candidate, layout: str) -> dict[str, Part]:
    """All parts of a row on a candidate: Lambda, and P and B where there are any."""
    parts = {"Lambda": candidate.Lambda}
    fit = candidate.fit
    if fit.reference.stored != len(row.Lambda.values):
        return parts
    if row.P is not None:
        parts["P"] = _as_held(row.P, lambda P: _judge_low_rank(P, row.Q, fit, candidate.roundoff))
    if row.B is not None:
        parts["B"] = _as_held(row.B, lambda B: _judge_input(row, B, fit, candidate.roundoff, layout))
    fits = all(name in parts and parts[name].verdict in ("exact", "rounding") for name in ("P", "B"))
    if fits and row.P is not None and row.B is not None and row.Q is None:
        P, B = (part.as_held() or part for part in (row.P, row.B))
        parts["P"] = _judge_phases(P, B, fit, candidate.roundoff, parts["P"])
    if row.P is not None and parts["P"].verdict == "deviates":
        parts["P"] = _goes_with(parts, row.P, row.Q, candidate.fit)
    return parts


def _goes_with(parts: dict[str, Part], P: Quantity, Q: Quantity | None, fit: Fit) -> Part:
    """P of the deviation that Lambda or B shows: indices from 1 (D8), or a zero pair that is not handled (D10)."""
    part, deviation = parts["P"], parts["Lambda"].deviation or (parts["B"].deviation if "B" in parts else None)
    squares = (np.abs(P.values) ** 2).sum(axis=-1) if Q is None else np.abs(P.values[:, 0] * Q.values[:, 0])
    stored = np.sqrt(squares)[fit.order]
    reference = fit.reference
    if deviation == "D8":
        original = np.sqrt(np.arange(1, reference.N + 1) + 0.5)
        truth = one_indexed_spectrum(reference.N)[1][: reference.stored]
        text = "P of LegS with indices from 1"
        if len(squares) == reference.N and np.abs(np.sqrt(squares) - original).max() <= 1e-6 * original[-1]:
            stored, truth, text = np.sqrt(squares), original, f"{text}, not in the basis of Lambda"
    elif deviation == "D10" and reference.low_rank is not None:
        truth = np.sqrt((np.abs(reference.low_rank) ** 2).sum(axis=-1))
        truth = np.where(reference.Lambda.imag == 0, stored, truth)
        text = "the pair of zeros is not handled"
    else:
        return part
    # Seen to 0.1 %: eigenvectors in single precision are no better.
    if np.abs(stored - truth).max() > 1e-3 * truth.max():
        return part
    return replace(
        part, verdict="known-deviation", deviation=deviation, why=text, cause=parts["Lambda"].cause or "zero"
    )


def _as_held(stored: Quantity, judged: Callable[[Quantity], Part]) -> Part:
    """A part as it is stored, or as the narrower dtype that it was cast from explains it."""
    part, held = judged(stored), stored.as_held()
    if part.verdict == "deviates" and held is not None:
        other = judged(held)
        if other.verdict in ("exact", "rounding"):
            why = f"the numbers are those of {held.dtype}, stored as {stored.dtype}"
            return replace(other, verdict="rounding", why=why)
    return part


def _judge_low_rank(P: Quantity, Q: Quantity | None, fit: Fit, roundoff: float) -> Part:
    truth = fit.reference.low_rank
    if truth is None:
        return Part("random", why=f"{fit.reference.id} fixes no low-rank term")
    if Q is not None:  # A = Lambda - P Q*: only the product counts
        product = np.sqrt(np.abs(P.values[:, 0] * Q.values[:, 0]))[:, None]
        spread = np.maximum(np.abs(P.spacing), np.abs(Q.spacing))[:, :1]
        P = replace(P, values=product, spacing=spread)
    comparison = compare_low_rank(P, fit, truth, roundoff)
    part = comparison.judged(P.dtype)
    if part.verdict != "deviates":
        return part
    if P.values.shape[-1] > 1:
        n, rank = P.values.shape
        for values in (P.values.T.reshape(n, rank), P.values.reshape(rank, n).T):
            if compare_low_rank(replace(P, values=values), fit, truth, roundoff).is_rounding:
                return replace(part, why="P is transposed", cause="transposed")
    norms = np.sqrt((np.abs(P.values) ** 2).sum(axis=-1))[fit.order]
    sizes = np.sqrt((np.abs(truth) ** 2).sum(axis=-1))
    bound = _for_each(comparison.bound, len(sizes))
    cause = vector_cause(norms, sizes, bound, P.values[fit.order][:, 0], "P", fit.order)
    return part if cause is None else replace(part, why=cause.text, cause=cause.id)


def _for_each(bound: Array, count: int) -> Array:
    """A bound for each entry: where equal eigenvalues were taken together, the largest."""
    return bound if len(bound) == count else np.full(count, bound.max())


def input_vectors(reference: Reference) -> Iterator[tuple[str, Array, str | None]]:
    """The vectors B that code gives this system: (name, moduli, deviation)."""
    if reference.id == "legs":
        yield "V* B", reference.weight, None
        yield "V* B / 2", reference.weight / 2, None
        yield "1", np.ones(reference.stored), "D2"
    else:
        yield "V* B" if reference.low_rank is not None else "B", reference.weight, None


def _judge_input(row: Row, B: Quantity, fit: Fit, roundoff: float, layout: str) -> Part:
    reference, n = fit.reference, fit.reference.stored
    raw = B.values[fit.order]
    stored, options = np.abs(raw), []
    for name, moduli, deviation in input_vectors(reference):
        if row.P is not None and (deviation or name.endswith("/ 2")):
            continue  # with a low-rank term B is V* B
        comparison = compare_weights(B, fit, moduli, roundoff)
        why = "the factor 1/2 of the diagonal restriction" if name.endswith("/ 2") else ""
        part = comparison.judged(B.dtype, why)
        if part.verdict != "deviates":
            if deviation:
                return replace(part, verdict="known-deviation", deviation=deviation, why="B = 1", cause="dropped")
            return part
        if deviation is None:
            options.append(
                (int((np.abs(stored - moduli) > _for_each(comparison.bound, n)).sum()), part, comparison, moduli)
            )
    for _, option, _ in input_vectors(reference):
        if _clipped_at_two(raw, option, _for_each(compare_weights(B, fit, option, roundoff).bound, n)):
            why = "imaginary parts clipped at 2"
            return replace(part, verdict="known-deviation", deviation="D1", why=why, cause="clipped")
    options.sort(key=lambda option: option[0])  # first the one that most entries fit
    _, part, comparison, moduli = options[0]
    outside = np.flatnonzero(np.abs(stored - moduli) > _for_each(comparison.bound, n))
    known = _wrong_zero(reference, outside, stored, layout)
    if known is not None:
        return replace(part, verdict="known-deviation", deviation=known[0], why=known[1], cause="zero")
    causes = [
        vector_cause(stored, truth, _for_each(compared.bound, n), raw, "B", fit.order)
        for _, _, compared, truth in options
    ]
    cause = next((cause for cause in causes if cause is not None and cause.id != "other"), causes[0])
    return part if cause is None else replace(part, why=cause.text, cause=cause.id)


def _wrong_zero(reference: Reference, outside: Array, stored: Array, layout: str) -> tuple[str, str] | None:
    """The deviations of B at the zero frequency of the Fourier systems: (id, text)."""
    zero = np.flatnonzero(reference.Lambda.imag == 0)
    if not len(outside) or not set(outside) <= set(zero):
        return None
    if reference.id == "fourier-diagonal":
        text = "the zero frequency is " + ("dropped" if not stored[zero].any() else "counted twice")
        return ("D10" if layout == "hippox" else "D5"), text
    if reference.id in ("fout", "fourier-decay"):
        return "D10", "the pair of zeros is not handled"
    return None


def _clipped_at_two(raw: Array, moduli: Array, bound: Array) -> bool:
    outside = np.abs(np.abs(raw) - moduli) > bound
    if not outside.any() or np.abs(raw.imag).max() > 2 * (1 + 1e-6):
        return False
    at_two = np.abs(np.abs(raw.imag[outside]) - 2) <= 1e-6
    return bool(at_two.all() and (moduli[outside] > np.abs(raw[outside])).all())


def _judge_phases(P: Quantity, B: Quantity, fit: Fit, roundoff: float, part: Part) -> Part:
    """P with the phases that make B positive: P P* against the truth."""
    truth, inputs = fit.reference.low_rank, B.values[fit.order]
    assert truth is not None
    moduli = np.abs(inputs)
    bound = compare_low_rank(P, fit, truth, roundoff).bound
    if len(bound) != len(inputs) or not (moduli > 0).all():
        return part  # phases of equal eigenvalues are free
    sizes = np.sqrt((np.abs(truth) ** 2).sum(axis=1))
    # The phase of B is off by its own relative error.
    relative = 4 * compare_weights(B, fit, fit.reference.weight, roundoff).bound / moduli
    allowed = 4 * (np.outer(bound, sizes) + np.outer(sizes, bound) + np.outer(bound, bound))
    allowed = allowed + np.outer(sizes, sizes) * (relative[:, None] + relative[None, :])
    expected = truth @ truth.conj().T

    def turned(values: Array) -> Array:
        """P P* in the phases of the reference."""
        phases = np.where(fit.conjugated, inputs.conj(), inputs) / moduli
        rows = np.where(fit.conjugated[:, None], values.conj(), values) * phases.conj()[:, None]
        return np.asarray(rows @ rows.conj().T)

    stored = P.values[fit.order]
    found = turned(stored)
    if (np.abs(found - expected) <= allowed).all():
        return part
    if (np.abs(turned(stored.conj()) - expected) <= allowed).all():
        return replace(
            part, verdict="deviates", why="P is conjugated (transposed) against B and Lambda", cause="conjugated"
        )
    anchor = int(np.argmax(np.abs(expected).min(axis=1)))
    with np.errstate(all="ignore"):
        signs = np.where((found[:, anchor] / expected[:, anchor]).real < 0, -1.0, 1.0)
    if (np.abs(found - expected * np.outer(signs, signs)) <= allowed).all():
        count = min(int((signs < 0).sum()), int((signs > 0).sum()))
        text = f"the sign of {count} of {len(signs)} entries of P does not fit B"
        return replace(part, verdict="deviates", why=text, cause="sign")
    return replace(part, verdict="deviates", why="the phases of P do not fit those of B", cause="phase")
