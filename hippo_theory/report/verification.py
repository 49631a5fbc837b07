"""The page of a verification: every claim with its statement typeset, verdict, evidence, source and code; works offline."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hippo_theory import __version__
from hippo_theory.claims import PAPERS, VERDICTS, Claim, ClaimResult, Verification, load_claims
from hippo_theory.figures import SvgFigure

__all__ = ["MEANINGS", "claim_figures", "typeset", "verification_page"]

MEANINGS = {
    "PROVED": "exact for all parameters: a symbolic identity, an induction step that the check executes, or a finite exact "
    "computation that covers every case",
    "CERTIFIED": "rigorous for the parameters covered: balls or exact numbers decide it",
    "OBSERVED": "agrees numerically, with the margin given; not rigorous",
    "REFINED": "true only in a narrower or corrected sense, with a certified counterexample to the wider one",
    "REFUTED": "false as stated, with a certified counterexample",
    "UNKNOWN": "not decided",
}


def verification_page(found: Verification, figures: Mapping[str, SvgFigure] | None = None) -> str:
    """One self-contained HTML page: no network, mathematics as MathML, a filter by verdict and paper, permanent anchors.

    Parameters
    ----------
    found : Verification
    figures : dict of SvgFigure, optional
        The figures of the claims, by id, as `svg_figures` makes them; a claim whose figure is not there has none.

    Returns
    -------
    str
        The page.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    claims = load_claims()
    pictures = {id: _picture(figure) for id, figure in (figures or {}).items()}
    papers = [
        {"paper": PAPERS[key], "entries": list(_entries(found, key, claims, pictures))}
        for key in dict.fromkeys(result.paper for result in found.results)
    ]
    return str(
        environment.get_template("verification.html").render(
            papers=papers,
            pictures=pictures,
            counts=[(verdict, found.counts[verdict]) for verdict in VERDICTS if verdict in found.counts],
            meanings=MEANINGS,
            ids={result.id for result in found.results},
            found=found,
            version=__version__,
        )
    )


def claim_figures(found: Verification) -> list[str]:
    """The ids of the figures that the claims of a verification name."""
    claims = load_claims()
    named = (claims[result.id].figure for result in found.results)
    return list(dict.fromkeys(id for id in named if id is not None))


def _picture(figure: SvgFigure) -> dict[str, str]:
    """An SVG file as the content of a symbol, its ids made its own, with its viewBox, caption and alternative text."""
    box = re.search(r'viewBox="([^"]*)"', figure.svg)
    start, end = re.search(r"<svg[^>]*>", figure.svg), figure.svg.rindex("</svg>")
    if box is None or start is None:
        raise ValueError(f"figure {figure.id} is no SVG file")
    content = re.sub(r"<metadata>.*?</metadata>", "", figure.svg[start.end() : end], flags=re.DOTALL)
    content = re.sub(r'(\sid="|href="#|url\(#)', rf"\g<1>{figure.id}-", content)
    return {
        "id": f"figure-{figure.id}",
        "box": box[1],
        "content": content,
        "title": figure.title,
        "caption": typeset(figure.caption),
        "alternative": figure.alternative,
    }


def _entries(
    found: Verification, paper: str, claims: Mapping[str, Claim], pictures: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    for result in found.results:
        if result.paper == paper:
            claim = claims[result.id]
            yield {
                "result": result,
                "claim": claim,
                "statement": typeset(claim.statement),
                "wider": typeset(claim.counterexample.statement) if claim.counterexample else None,
                "evidence": [_words(row) for row in result.evidence],
                "margin": _margin(result),
                "code": claim.source_code,
                "picture": pictures.get(claim.figure or ""),
            }


def _words(row: Any) -> dict[str, Any]:
    """A row of evidence: the case, the numbers, and whether it belongs to the counterexample."""
    named = {name: value for name, value in row.items() if name not in ("case", "numbers", "margin", "counterexample")}
    more = ", ".join(f"{name} = {value}" for name, value in named.items())
    numbers = ", ".join(part for part in (str(row.get("numbers") or ""), more) if part)
    return {"case": row.get("case", ""), "numbers": numbers, "counterexample": bool(row.get("counterexample"))}


def _margin(result: ClaimResult) -> str:
    return "exact" if result.margin is None else f"{result.margin:.3g}"


def typeset(text: str) -> str:
    """Text with LaTeX between dollar signs as HTML with MathML.

    Examples
    --------
    >>> from hippo_theory.report.verification import typeset
    >>> typeset("a < b and $x^2$").split("<math")[0]
    'a &lt; b and '
    """
    from latex2mathml.converter import convert

    parts = re.split(r"\$([^$]*)\$", text)
    return "".join(convert(part) if index % 2 else html.escape(part) for index, part in enumerate(parts))
