"""The verbs verify and cite: check the claims of the papers, and say how to cite them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hippo_theory.cli import arguments
from hippo_theory.cli.output import Answer, Table, replacing
from hippo_theory.cli.progress import progress_bar

if TYPE_CHECKING:
    from hippo_theory.claims import ClaimResult, Verification

__all__ = ["cite", "verify"]

_STYLES = {"PROVED": "green", "CERTIFIED": "green", "REFINED": "cyan", "REFUTED": "magenta", "OBSERVED": "yellow"}


def verify(
    *claims: str,
    effort: Literal["quick", "full"] = "quick",
    html: Path | None = None,
    json: bool = False,
) -> Answer:
    """Check claims of the papers: what holds, what holds only in a narrower sense, and what does not.

    Example: hippo verify s4d.thm3 hippo --html report.html

    Parameters
    ----------
    claims : ids, papers or tags
        Ids, each with what is below it (s4d.thm3), papers (s4d, hippo) or tags (exact, l2); all claims by default.
        `hippo list claims` shows them.
    effort : str
        quick: within 90 seconds; full: more sizes, within 15 minutes.
    html : file
        Also write a report into this file, which ends in .html: statement, figure, evidence, code and source of each
        claim, with a filter by paper and verdict.
    json : bool
        Print one JSON object.
    """
    from hippo_theory.claims import find_claims
    from hippo_theory.claims import verify as verify_claims

    find_claims(claims)  # names are checked before any work
    if html is not None:
        arguments.writable_file(html, [".html", ".htm"], "--html")
    with progress_bar("verifying") as show:
        found = verify_claims(claims, effort=effort, progress=lambda result, done, total: show(result.id, done, total))
    if html is not None:
        from hippo_theory.figures import svg_figures
        from hippo_theory.report.verification import claim_figures, verification_page

        named = claim_figures(found)
        with progress_bar("drawing") as show:
            pictures = svg_figures(named, progress=lambda one, done, total: show(one.id, done, total)) if named else {}
        page = verification_page(found, pictures)
        with replacing(html) as file:
            file.write(page.encode())
    data: dict[str, Any] = {"claims": [_record(result) for result in found.results], "counts": found.counts}
    if not claims:
        from hippo_theory.claims.coverage import coverage

        data["coverage"] = [{"row": row.row, "claims": list(row.claims), "why": row.why or None} for row in coverage()]
    return Answer(
        data,
        list(_tables(found)),
        _notes(found, html),
        status=0 if found.as_expected else 1,
    )


def _record(result: ClaimResult) -> dict[str, Any]:
    return {
        "id": result.id,
        "paper": result.paper,
        "title": result.title,
        "statement": result.statement,
        "verdict": result.verdict,
        "expected": result.expected,
        "covered": result.covered,
        "cases": result.cases,
        "margin": result.margin,
        "evidence": [dict(row) for row in result.evidence],
        "seconds": result.seconds,
        "why": result.why or None,
    }


def _tables(found: Verification) -> Iterator[Table]:
    """One table for each paper."""
    from hippo_theory.claims import PAPERS

    for key in dict.fromkeys(result.paper for result in found.results):
        paper = PAPERS[key]
        title = paper.title if paper.arxiv is None else f"{paper.title} (arXiv:{paper.arxiv})"
        rows = [
            [
                result.id,
                result.verdict if result.as_expected else f"{result.verdict}, expected {result.expected}",
                "exact" if result.margin is None else f"{result.margin:.2g}",
                f"{result.seconds:.2f}",
                result.covered,
                result.title,
            ]
            for result in found.results
            if result.paper == key
        ]
        yield Table(title, ["claim", "verdict", "margin", "s", "covered", "what it says"], rows, _STYLES)


def _notes(found: Verification, html: Path | None) -> list[str]:
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(found.counts.items()))
    notes = [f"{len(found.results)} claims, {found.effort}: {counts}"]
    for result in found.results:
        if not result.as_expected:
            notes.append(f"{result.id}: {result.verdict} where {result.expected} was expected. {result.why}".strip())
    if html is not None:
        notes.append(f"wrote {html}")
    return notes


def cite(claim: str, /, *, json: bool = False) -> Answer:
    """Print BibTeX of the paper that makes a claim, and of its check here.

    Example: hippo cite s4d.thm3

    Parameters
    ----------
    claim : str
        Id of the claim; `hippo list claims` shows them.
    json : bool
        Print one JSON object.
    """
    from hippo_theory.claims import citation, load_claims
    from hippo_theory.errors import InputError

    claims = load_claims()
    if claim not in claims:
        near = (
            ", ".join(id for id in claims if id.split(".")[0] == claim.split(".")[0])
            or "`hippo list claims` shows them"
        )
        raise InputError(f"there is no claim {claim!r}; {near}")
    bibtex = citation(claims[claim])
    return Answer({"bibtex": bibtex}, notes=[bibtex])
