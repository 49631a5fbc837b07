"""The other parts of a diagonal (plus low rank) system: P and B against the reference that the eigenvalues lie on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.deviations import one_indexed_fit
from hippo_theory.validation.eigenvalues import Candidate
from hippo_theory.validation.findings import Part
from hippo_theory.validation.matching import DOUBLE, SINGLE, Fit, compare_low_rank, compare_weights
from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.references import Reference
from hippo_theory.validation.rows import Row
from hippo_theory.validation.vector_damage import vector_cause

__all__ = ["HALVED_INPUT", "WHOLE_INPUT", "input_convention", "input_vectors", "judge_vectors", "oriented"]

Array = NDArray[Any]

# The two conventions for the input of S4D-LegS.
HALVED_INPUT = "B = V* B / 2, as the diagonal restriction of LegS has it"
WHOLE_INPUT = (
    "B = V* B, twice that of S4D-LegS as the diagonal restriction of LegS: kernels are doubled unless C is halved"
)


def judge_vectors(row: Row, candidate: Candidate, layout: str) -> dict[str, Part]:
    """All parts of a row on a candidate: Lambda, and P and B where there are any."""
    parts, fit, roundoff = {"Lambda": candidate.Lambda}, candidate.fit, candidate.roundoff
    if fit.reference.stored != len(row.Lambda.values):
        return parts
    one_indexed = candidate.Lambda.deviation == "D8"
    if one_indexed:  # P and B are those of the system that Lambda is of
        fit, roundoff = one_indexed_fit(row.Lambda, fit.reference), roundoff + DOUBLE
    row = oriented(row, fit, roundoff)
    if row.P is not None:
        parts["P"] = _as_held(row.P, lambda P: _judge_low_rank(P, row.Q, fit, roundoff))
    if row.B is not None:
        parts["B"] = _as_held(row.B, lambda B: _judge_input(row, B, fit, roundoff, layout))
    if row.P is not None and parts["P"].verdict == "deviates" and _zero_pair_is_left(parts, row, fit, roundoff):
        why = "the pair of zeros is not handled"
        parts["P"] = replace(parts["P"], verdict="known-deviation", deviation="D10", why=why, cause="zero")
    fits = all(
        name in parts and (parts[name].verdict in ("exact", "rounding") or parts[name].deviation == "D10")
        for name in ("P", "B")
    )
    if fits and row.P is not None and row.B is not None:
        P, B = (part.as_held() or part for part in (row.P, row.B))
        Q = P.values if row.Q is None else _partner(P, row.Q, fit)
        # What is left of a pair of zeros has a phase that nothing fixes.
        left = any(parts[name].deviation == "D10" for name in ("P", "B"))
        judged = (fit.reference.Lambda.imag != 0) | (not left)
        parts["P"] = _judge_phases(P, Q, B, fit, roundoff, parts["P"], judged)
    elif row.P is not None and row.P.values.shape[-1] > 1 and parts["P"].verdict in ("exact", "rounding"):
        P = row.P.as_held() or row.P
        Q = P.values if row.Q is None else _partner(P, row.Q, fit)
        parts["P"] = _judge_cycles(P, Q, fit, roundoff, parts["P"])
    if one_indexed:
        # The errors are told against LegS itself, as those of Lambda are.
        plain = judge_vectors(row, replace(candidate, Lambda=replace(candidate.Lambda, deviation=None)), layout)
        return {name: _one_indexed(name, part, row, fit, plain[name]) for name, part in parts.items()}
    return parts


def oriented(row: Row, fit: Fit, roundoff: float) -> Row:
    """A square P, and Q, as it is or transposed: codebases store (r, n) or (n, r), and for r = n only the numbers tell."""
    P, Q = row.P, row.Q
    if P is None or P.values.shape[0] != P.values.shape[-1] or len(P.values) < 2 or fit.reference.low_rank is None:
        return row
    turned = P.mapped(np.transpose)
    partner = None if Q is None else Q.mapped(np.transpose)
    bad, good = (_judge_low_rank(p.as_held() or p, q, fit, roundoff).verdict for p, q in ((P, Q), (turned, partner)))
    return replace(row, P=turned, Q=partner) if bad == "deviates" and good in ("exact", "rounding") else row


def _one_indexed(name: str, part: Part, row: Row, fit: Fit, plain: Part) -> Part:
    """P or B of LegS with indices from 1, in the basis of Lambda, or P as it was before that basis was taken."""
    text = f"{name} of LegS with indices from 1"
    if name == "P" and part.verdict == "deviates" and row.P is not None and len(row.P.values) == fit.reference.N:
        sizes, spacing = _sizes(row.P, row.Q)
        truth = np.sqrt(np.arange(1, fit.reference.N + 1) + 0.5)
        # A square root, a product; and with Q the square root of another product.
        if (np.abs(sizes - truth) <= 4 * min(row.P.roundoff, SINGLE) * truth + spacing).all():
            text += ", not in the basis of Lambda"
            return replace(plain, verdict="known-deviation", deviation="D8", why=text, cause="index")
    if name != "Lambda" and part.verdict in ("exact", "rounding"):
        return replace(plain, verdict="known-deviation", deviation="D8", why=text, cause="index")
    return part


def _sizes(P: Quantity, Q: Quantity | None) -> tuple[Array, Array]:
    """sqrt(abs((P P*)_nn)), or sqrt(abs((P Q*)_nn)), and the spacing of the stored numbers behind them, both (n,)."""
    spacing = np.abs(P.spacing).max(axis=-1)
    if Q is None:
        return np.sqrt((np.abs(P.values) ** 2).sum(axis=-1)), spacing
    return np.sqrt(np.abs((P.values * Q.values.conj()).sum(axis=-1))), np.maximum(
        spacing, np.abs(Q.spacing).max(axis=-1)
    )


def _zero_pair_is_left(parts: dict[str, Part], row: Row, fit: Fit, roundoff: float) -> bool:
    """D10: whether P is right but for the one eigenvector that is kept of the two zeros of FouT.

    Of even size, FouT has the eigenvalue of the constant and that of the dead state at zero frequency, and any orthonormal
    pair v, w of their plane are its eigenvectors. Who takes half of all eigenvectors for one of each conjugate pair keeps v
    alone: v* P = v_0 P_0 and v* B = v_0 B_0 with the same abs(v_0) <= 1, which the eigensolver chooses.
    """
    reference, B, P = fit.reference, row.B, row.P
    zero = np.flatnonzero(reference.Lambda.imag == 0)
    if "B" not in parts or parts["B"].deviation != "D10" or B is None or P is None or len(zero) != 1:
        return False
    truth = reference.low_rank
    if truth is None:
        return False
    comparison = compare_low_rank(P, fit, truth, roundoff)
    weights = compare_weights(B, fit, reference.weight, roundoff)
    if len(comparison.bound) != reference.stored or len(weights.bound) != reference.stored:
        return False
    at = int(zero[0])
    others = np.arange(reference.stored) != at
    if (comparison.errors > comparison.bound)[others].any():
        return False
    whole = _unpaired(reference)
    expected_P, expected_B = whole * comparison.truth[at], whole * reference.weight[at]
    found_P, found_B = (_sizes(part, None)[0][fit.order[at]] for part in (P, _column(B)))
    slack = comparison.bound[at] / expected_P + weights.bound[at] / expected_B
    return bool(found_P / expected_P <= 1 + slack and abs(found_P / expected_P - found_B / expected_B) <= slack)


def _column(vector: Quantity) -> Quantity:
    return vector.mapped(lambda array: array[:, None])


def _unpaired(reference: Reference) -> float:
    """What a vector at the zero frequency is times that of the reference, if it is not shared by a pair."""
    return float(np.sqrt(2)) if reference.form == "half, zeros paired" else 1.0


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
    sizes = np.sqrt((np.abs(truth) ** 2).sum(axis=-1))
    product = None
    if Q is not None:  # A = Lambda - P Q*: only the product counts
        if P.values.shape != Q.values.shape:
            ranks = f"{P.values.shape[-1]} and {Q.values.shape[-1]}"
            return Part("deviates", why=f"P and Q have the ranks {ranks}; they must agree", cause="other")
        product = (P.values * _partner(P, Q, fit).conj()).sum(axis=-1)
        spread = np.maximum(np.abs(P.spacing), np.abs(Q.spacing)).max(axis=-1)
        P = replace(P, values=np.sqrt(np.abs(product))[:, None], spacing=spread[:, None])
    comparison = compare_low_rank(P, fit, truth, roundoff)
    part = comparison.judged(P.dtype)
    if part.verdict != "deviates":
        return part if product is None else _judge_product(product[fit.order], sizes, comparison.bound, part)
    if P.values.shape[-1] > 1:
        n, rank = P.values.shape
        for values in (P.values.T.reshape(n, rank), P.values.reshape(rank, n).T):
            if compare_low_rank(replace(P, values=values), fit, truth, roundoff).is_rounding:
                return replace(part, why="P is transposed", cause="transposed")
    norms = np.sqrt((np.abs(P.values) ** 2).sum(axis=-1))[fit.order]
    bound = _for_each(comparison.bound, len(sizes))
    cause = vector_cause(norms, sizes, bound, P.values[fit.order], "P", fit.order)
    return part if cause is None else replace(part, why=cause.text, cause=cause.id)


def _partner(P: Quantity, Q: Quantity, fit: Fit) -> Array:
    """Q (n, r) of P Q*: as it is stored, or conjugated where P Q^T is meant and Q = conj(P), as in state-spaces/s4 v2."""
    truth = fit.reference.low_rank
    assert truth is not None
    squares = (np.abs(truth) ** 2).sum(axis=-1)

    def distance(partner: Array) -> float:
        product = (P.values * partner.conj()).sum(axis=-1)[fit.order]
        # A wrong sign is thought of where the right one does not fit: for P i both readings fit up to the sign.
        negated = np.abs(product + squares).max() + 1e-2 * squares.max()
        return float(min(np.abs(product - squares).max(), negated))

    return min((Q.values, Q.values.conj()), key=distance)


def _judge_product(product: Array, sizes: Array, bound: Array, part: Part) -> Part:
    """Whether (P Q*)_nn (n,) is positive, as (P P*)_nn is: no choice of the eigenvectors changes it."""
    if len(bound) != len(sizes):
        return part  # within equal eigenvalues only the sum is fixed
    allowed = 4 * (2 * bound * sizes + bound**2)  # as for all of P P* in `_judge_phases`
    if (np.abs(product - sizes**2) <= allowed).all():
        return part
    if (np.abs(product + sizes**2) <= allowed).all():
        why = "the sign of P Q* is the other one: A = Lambda - P Q*; negate Q"
        return replace(part, verdict="deviates", why=why, cause="sign")
    return replace(part, verdict="deviates", why="the phases of Q do not fit those of P", cause="phase")


def _for_each(bound: Array, count: int) -> Array:
    """A bound for each entry: where equal eigenvalues were taken together, the largest."""
    return bound if len(bound) == count else np.full(count, bound.max())


def input_vectors(reference: Reference) -> Iterator[tuple[str, Array, str | None]]:
    """The vectors B that code gives this system: (name, moduli, deviation)."""
    if reference.id.startswith("s4d-"):
        yield "B", reference.weight, None
        return
    yield "V* B", reference.weight, None
    yield "V* B / 2", reference.weight / 2, None  # the diagonal restriction
    if reference.id == "legs":
        yield "1", np.ones(reference.stored), "D2"


def input_convention(row: Row, reference: Reference, parts: Mapping[str, Part]) -> str:
    """Which of the two vectors B of a diagonal restriction this is, in words; empty where it is neither, or there is a P.

    The diagonal restriction of LegS has V* B / 2, for 2 Re sum C_n (V* B)_n / 2 e^(lambda_n t) over the stored half to approach
    the kernels of LegS; state-spaces/s4 leaves the 1/2 out, which doubles every kernel.
    """
    part = parts.get("B")
    if reference.id.startswith("s4d-") or row.P is not None or row.B is None or part is None:
        return ""
    if part.verdict not in ("exact", "rounding"):
        return ""
    moduli, size = reference.weight, np.abs(row.B.values)
    if abs(np.linalg.norm(size) / np.linalg.norm(moduli) - 0.5) < 0.25:
        return HALVED_INPUT if reference.id == "legs" else "B = V* B / 2, as the diagonal restriction has it"
    return WHOLE_INPUT if reference.id == "legs" else ""


def _judge_input(row: Row, B: Quantity, fit: Fit, roundoff: float, layout: str) -> Part:
    reference, n = fit.reference, fit.reference.stored
    raw = B.values[fit.order]
    stored, options = np.abs(raw), []
    for name, moduli, deviation in input_vectors(reference):
        if row.P is not None and (deviation or name.endswith("/ 2")):
            continue  # with a low-rank term B is V* B
        comparison = compare_weights(B, fit, moduli, roundoff)
        part = comparison.judged(B.dtype)
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
    allowed = _for_each(comparison.bound, n)
    outside = np.flatnonzero(np.abs(stored - moduli) > allowed)
    known = _wrong_zero(reference, outside, stored, allowed, layout)
    if known is not None:
        return replace(part, verdict="known-deviation", deviation=known[0], why=known[1], cause="zero")
    causes = [
        vector_cause(stored, truth, _for_each(compared.bound, n), raw, "B", fit.order)
        for _, _, compared, truth in options
    ]
    cause = next((cause for cause in causes if cause is not None and cause.id != "other"), causes[0])
    return part if cause is None else replace(part, why=cause.text, cause=cause.id)


def _wrong_zero(
    reference: Reference, outside: Array, stored: Array, bound: Array, layout: str
) -> tuple[str, str] | None:
    """The deviations of B at the zero frequency of the Fourier systems: (id, text).

    Who does not handle the pair of zeros keeps one eigenvector of their plane, with a share between 0 and 1 of B there; code
    that looks for zeros of FouD in the wrong place has 0 or 1.
    """
    zero = np.flatnonzero(reference.Lambda.imag == 0)
    if not len(outside) or set(outside) != set(zero) or len(zero) != 1:
        return None
    at, whole = int(zero[0]), _unpaired(reference) * reference.weight[zero[0]]
    dropped = stored[at] <= bound[at]
    if reference.id == "fourier-diagonal" and (dropped or abs(stored[at] - whole) <= bound[at]):
        text = "the zero frequency is " + ("dropped" if dropped else "counted twice")
        return ("D10" if layout == "hippox" else "D5"), text
    if reference.id in ("fout", "fourier-decay") and stored[at] <= whole + bound[at]:
        return "D10", "the pair of zeros is not handled"
    return None


def _clipped_at_two(raw: Array, moduli: Array, bound: Array) -> bool:
    outside = np.abs(np.abs(raw) - moduli) > bound
    if not outside.any() or np.abs(raw.imag).max() > 2 * (1 + 1e-6):
        return False
    at_two = np.abs(np.abs(raw.imag[outside]) - 2) <= 1e-6
    return bool(at_two.all() and (moduli[outside] > np.abs(raw[outside])).all())


def _judge_cycles(P: Quantity, Q: Array, fit: Fit, roundoff: float, part: Part) -> Part:
    """P and Q (n, r) without a B: M_nm M_mn, M = P Q*, against the truth; no diagonal change of basis changes them.

    Where only P is stored they are abs((P P*)_nm)^2.
    """
    truth = fit.reference.low_rank
    assert truth is not None
    bound, sizes = compare_low_rank(P, fit, truth, roundoff).bound, np.sqrt((np.abs(truth) ** 2).sum(axis=1))
    if len(bound) != len(sizes):
        return part  # within equal eigenvalues a basis is free
    allowed = 4 * (np.outer(bound, sizes) + np.outer(sizes, bound) + np.outer(bound, bound))
    left, right = (
        np.where(fit.conjugated[:, None], values.conj(), values) for values in (P.values[fit.order], Q[fit.order])
    )
    found, expected = left @ right.conj().T, truth @ truth.conj().T
    gap = np.abs(found * found.T - expected * expected.T)
    if (gap <= 2 * np.abs(expected) * allowed + allowed**2).all():
        return part
    why = (
        "the rows of P have the right lengths, but not the right products with each other: the low-rank term is another"
    )
    return replace(part, verdict="deviates", why=why, cause="other")


def _is_squared(left: Array, right: Array, phases: Array, conjugated: Array, expected: Array, allowed: Array) -> bool:
    """Whether P Q* of P = `left`, Q = `right` (n, r) fits the square roots of the phases of B (n,), squared on both sides."""
    rows, partners, turns = (
        np.where(conjugated.reshape(-1, *[1] * (part.ndim - 1)), part.conj(), part) for part in (left, right, phases)
    )
    found = (rows @ partners.conj().T) ** 2 * np.outer(turns.conj(), turns)
    return bool((np.abs(found - expected**2) <= 2 * np.abs(expected) * allowed + allowed**2).all())


def _judge_phases(P: Quantity, Q: Array, B: Quantity, fit: Fit, roundoff: float, part: Part, judged: Array) -> Part:
    """P and Q (n, r), which is P where only that is stored, with the phases that make B positive: P Q* against the truth.

    `judged` (n,) says for which eigenvalues, in the order of the reference.
    """
    truth, order, inputs = fit.reference.low_rank, fit.order[judged], B.values[fit.order][judged]
    assert truth is not None
    moduli = np.abs(inputs)
    bound, weights = (
        compare_low_rank(P, fit, truth, roundoff).bound,
        compare_weights(B, fit, fit.reference.weight, roundoff).bound,
    )
    if len(bound) != len(judged) or not (moduli > 0).all():
        return part  # phases of equal eigenvalues are free
    truth, bound, weights, turned_over = truth[judged], bound[judged], weights[judged], fit.conjugated[judged]
    upper = fit.reference.Lambda.imag[judged] > 0
    sizes = np.sqrt((np.abs(truth) ** 2).sum(axis=1))
    # The phase of B is off by its own relative error.
    relative = 4 * weights / moduli
    allowed = 4 * (np.outer(bound, sizes) + np.outer(sizes, bound) + np.outer(bound, bound))
    allowed = allowed + np.outer(sizes, sizes) * (relative[:, None] + relative[None, :])
    expected = truth @ truth.conj().T

    def turned(values: Array, conjugated: Array) -> Array:
        """The rows in the phases of the reference."""
        phases = np.where(conjugated, inputs.conj(), inputs) / moduli
        return np.asarray(np.where(conjugated[:, None], values.conj(), values) * phases.conj()[:, None])

    def multiplied(left: Array, right: Array, conjugated: Array = turned_over) -> Array:
        return np.asarray(turned(left, conjugated) @ turned(right, conjugated).conj().T)

    stored, partner = P.values[order], Q[order]
    found = multiplied(stored, partner)
    if (np.abs(found - expected) <= allowed).all():
        return part
    if (np.abs(multiplied(stored.conj(), partner.conj()) - expected) <= allowed).all():
        return replace(
            part, verdict="deviates", why="P is conjugated (transposed) against B and Lambda", cause="conjugated"
        )
    lower = turned_over & upper
    for conjugated in (np.zeros_like(lower), np.ones_like(lower)) if lower.any() else ():
        if (np.abs(multiplied(stored, partner, conjugated) - expected) <= allowed).all():
            few = int((upper & (turned_over != conjugated)).sum())
            text = f"the sign of {few} of {int(upper.sum())} imaginary parts: P and B are not conjugated with them"
            return replace(part, verdict="deviates", why=text, cause="sign")
    anchor = int(np.argmax(np.abs(expected).min(axis=1)))
    with np.errstate(all="ignore"):
        signs = np.where((found[:, anchor] / expected[:, anchor]).real < 0, -1.0, 1.0)
    if (np.abs(found - expected * np.outer(signs, signs)) <= allowed).all():
        count = min(int((signs < 0).sum()), int((signs > 0).sum()))
        text = f"the sign of {count} of {len(signs)} entries of P does not fit B"
        return replace(part, verdict="deviates", why=text, cause="sign")
    if _is_squared(stored, partner, inputs / moduli, turned_over, expected, allowed):  # square roots have either sign
        why = "B is squared: where its moduli are 1 only its phases show it, against P"
        return replace(part, verdict="deviates", why=why, cause="squared")
    return replace(part, verdict="deviates", why="the phases of P do not fit those of B", cause="phase")
