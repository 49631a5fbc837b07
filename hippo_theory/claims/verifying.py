"""`verify`: run the checks of claims, and say what was found."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from hippo_theory.claims.registry import Claim, find_claims, load_claims
from hippo_theory.claims.relations import Judgement
from hippo_theory.errors import CertificationError, InputError
from hippo_theory.sweeps.executors import processor_count

__all__ = ["EFFORTS", "ClaimResult", "Verification", "check", "functions_called", "verify"]

EFFORTS = ("quick", "full")
_ROWS = 12  # of the evidence of one claim that are kept: the worst ones


@dataclass(frozen=True)
class ClaimResult:
    """What the check of one claim found.

    Attributes
    ----------
    id, paper, title, statement : str
    verdict, expected : str
    covered : str
        What the verdict speaks of.
    evidence : tuple of dict
        The worst cases: ``case``, ``numbers``, ``margin``; those of the counterexample with ``counterexample``.
    cases : int
    margin : float or None
        The smallest over all cases; None where the relation is exact.
    seconds : float
    why : str
    """

    id: str
    paper: str
    title: str
    statement: str
    verdict: str
    expected: str
    covered: str
    evidence: tuple[Mapping[str, Any], ...]
    cases: int
    margin: float | None
    seconds: float
    why: str = ""

    @property
    def as_expected(self) -> bool:
        """Whether the verdict found is the expected one."""
        return self.verdict == self.expected


@dataclass(frozen=True)
class Verification:
    """The results of many claims."""

    results: tuple[ClaimResult, ...] = field(default_factory=tuple)
    effort: str = "quick"

    @property
    def counts(self) -> dict[str, int]:
        """How often each verdict was found."""
        return dict(Counter(result.verdict for result in self.results))

    @property
    def as_expected(self) -> bool:
        """Whether every verdict is the expected one."""
        return all(result.as_expected for result in self.results)


def verify(
    names: Sequence[str] | str = (),
    *,
    effort: str = "quick",
    processes: int | None = None,
    progress: Callable[[ClaimResult, int, int], None] | None = None,
) -> Verification:
    """Check claims of the papers.

    Parameters
    ----------
    names : str or sequence of str
        Ids, papers or tags; all claims without.
    effort : {"quick", "full"}
        How many cases are covered: all claims within 90 seconds, or within 15 minutes, on 2 cores.
    processes : int, optional
        As many as there are cores by default; 1 runs everything here.
    progress : callable, optional
        Called with each result, how many are done, and how many there are.

    Returns
    -------
    Verification

    Raises
    ------
    InputError
        An unknown name or effort.

    Examples
    --------
    >>> import hippo_theory as ht
    >>> result = ht.verify("core.legs.unit", processes=1).results[0]
    >>> result.verdict, result.covered
    ('CERTIFIED', 'N = 1, ..., 24, exact integers')
    """
    if effort not in EFFORTS:
        raise InputError(f"`effort` must be quick or full, got {effort!r}")
    claims = find_claims([names] if isinstance(names, str) else list(names))
    found: dict[str, ClaimResult] = {}
    for result in _run(claims, effort, processes):
        found[result.id] = result
        if progress is not None:
            progress(result, len(found), len(claims))
    return Verification(tuple(found[claim.id] for claim in claims), effort)


def _run(claims: Sequence[Claim], effort: str, processes: int | None) -> Iterator[ClaimResult]:
    workers = min(len(claims), processes or processor_count())
    if workers <= 1:
        for claim in claims:
            yield check(claim, effort)
        return
    with ProcessPoolExecutor(workers) as pool:
        for future in as_completed([pool.submit(_check_by_id, claim.id, effort) for claim in claims]):
            yield future.result()


def _check_by_id(id: str, effort: str) -> ClaimResult:
    return check(load_claims()[id], effort)


def check(claim: Claim, effort: str = "quick", constants: Mapping[str, Any] | None = None) -> ClaimResult:
    """The result of one claim, with the constants of its statement or with others (corruptions)."""
    start = time.perf_counter()
    rows: list[dict[str, Any]] = []
    judgements: list[Judgement] = []
    why, verdict = claim.why, ""
    try:
        for case in claim.cases(effort):
            judgement = claim.relation.judge(claim.claimed(case, **(constants or {})), claim.computed(case))
            judgements.append(judgement)
            rows.append({"case": _words(case), "numbers": judgement.worst, "margin": _finite(judgement.margin)})
            if judgement.holds is False:
                break
        verdict = _verdict(claim, judgements)
    except (CertificationError, InputError) as error:
        verdict, why = "UNKNOWN", f"{type(error).__name__}: {error}"
    # The worst cases first; of equal ones those that came last, which are the largest.
    order = sorted(range(len(rows)), key=lambda i: (judgements[i].holds is not False, judgements[i].margin, -i))
    evidence = [rows[i] for i in order[:_ROWS]]
    if claim.counterexample is not None and verdict == claim.expected:
        more, certified = claim.counterexample.check(effort)
        evidence += [{**row, "counterexample": True} for row in more]
        if not certified:
            verdict, why = "UNKNOWN", "the counterexample to the wider statement is not certified"
    margins = [judgement.margin for judgement in judgements]
    return ClaimResult(
        claim.id,
        claim.paper,
        claim.title,
        claim.statement,
        verdict,
        claim.expected,
        claim.domain,
        tuple(evidence),
        len(judgements),
        _finite(min(margins, default=0.0)),
        time.perf_counter() - start,
        why,
    )


def _verdict(claim: Claim, judgements: Sequence[Judgement]) -> str:
    """The verdict that the judgements allow, at most the expected one."""
    if any(judgement.holds is False for judgement in judgements):
        # What a REFUTED claim checks is the correction; that this fails refutes nothing.
        return "REFUTED" if claim.relation.rigorous and claim.expected != "REFUTED" else "UNKNOWN"
    if not judgements or any(judgement.holds is None for judgement in judgements):
        return "UNKNOWN"
    if not claim.relation.rigorous:
        return claim.expected if claim.expected in ("OBSERVED", "UNKNOWN") else "OBSERVED"
    if claim.expected == "PROVED" and claim.relation.name != "identical":
        return "CERTIFIED"  # only exact values prove
    return claim.expected


def _words(case: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_plain(value)}" for name, value in case.items())


def _plain(value: Any) -> str:
    """Fractions as 3/4, tuples of anything in parentheses."""
    return f"({', '.join(map(_plain, value))})" if isinstance(value, tuple | list) else str(value)


def _finite(value: float) -> float | None:
    return value if value < float("inf") else None


def functions_called(function: Callable[[], Any]) -> set[str]:
    """The functions of this package that a call runs through, by file and name: what two routes must not share."""
    found: set[str] = set()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            module = frame.f_globals.get("__name__", "")
            if module.startswith("hippo_theory"):
                found.add(f"{module}.{frame.f_code.co_qualname}")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(before)
    return found
