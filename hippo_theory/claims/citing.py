"""BibTeX of a claim: the paper that states it, and the check."""

from __future__ import annotations

from hippo_theory.claims.papers import PAPERS, Paper
from hippo_theory.claims.registry import Claim

__all__ = ["citation"]


def citation(claim: Claim) -> str:
    """BibTeX entries of the paper, where it is not this package, and of the check.

    Examples
    --------
    >>> from hippo_theory.claims import citation, find_claims
    >>> print(citation(find_claims(["core.legs.unit"])[0]).splitlines()[0])
    @software{hippo_theory_core_legs_unit,
    """
    paper = PAPERS[claim.paper]
    entries = [_article(paper)] if paper.arxiv else []
    return "\n\n".join([*entries, _software(claim)])


def _article(paper: Paper) -> str:
    return (
        f"@article{{{paper.key}{paper.year},\n"
        f"  title = {{{{{paper.title}}}}},\n"
        f"  author = {{{paper.authors}}},\n"
        f"  year = {{{paper.year}}},\n"
        f"  journal = {{arXiv preprint arXiv:{paper.arxiv}}},\n"
        f"  eprint = {{{paper.arxiv}}},\n"
        "  archivePrefix = {arXiv}\n"
        "}"
    )


def _software(claim: Claim) -> str:
    from hippo_theory import __version__

    key = claim.id.replace(".", "_").replace("-", "_")
    return (
        f"@software{{hippo_theory_{key},\n"
        f"  title = {{{{hippo\\_theory: check of the claim {claim.id} ({claim.title})}}}},\n"
        "  author = {{the hippo\\_theory developers}},\n"
        f"  version = {{{__version__}}},\n"
        f"  note = {{run: hippo verify {claim.id}}}\n"
        "}"
    )
