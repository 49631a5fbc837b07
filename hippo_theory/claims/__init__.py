"""The claims of the papers as objects that are checked: one file for each paper, and the registry that holds them.

`registry` says what a claim is, `relations` how its two sides are compared, `verifying` runs the checks. A claim is found by
being declared in a file of this folder.
"""

from __future__ import annotations

from hippo_theory.claims.citing import citation
from hippo_theory.claims.papers import PAPERS, Paper
from hippo_theory.claims.registry import VERDICTS, Claim, find_claims, load_claims
from hippo_theory.claims.verifying import ClaimResult, Verification, verify

__all__ = [
    "PAPERS",
    "VERDICTS",
    "Claim",
    "ClaimResult",
    "Paper",
    "Verification",
    "citation",
    "find_claims",
    "load_claims",
    "verify",
]
