"""What to do about a verdict, in a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hippo_theory.initializations import INITIALIZATIONS
from hippo_theory.validation import DEVIATIONS, Finding

__all__ = ["MEANINGS", "advice", "reason"]

MEANINGS = {
    "exact": "within one unit in the last place of the stored numbers",
    "rounding": "explained by the stored dtype and a backward stable computation, by a bound that is computed",
    "known-deviation": "what everybody has who uses that codebase; the number says which",
    "random": "drawn at random, so that there is nothing to compare it with",
    "trained": "a start that has moved",
    "unknown": "not recognized",
    "deviates": "more than rounding explains, and no known habit of a codebase",
}


def advice(findings: Iterable[Finding]) -> Iterator[str]:
    """What to do about the findings: one sentence for each kind of answer that asks for something.

    Examples
    --------
    >>> import hippo_theory as ht
    >>> from hippo_theory.validation import validate
    >>> Lambda = ht.initialization("s4d-lin", 64).Lambda
    >>> list(advice(validate({"Lambda": Lambda}).files[0].findings))
    []
    >>> for sentence in advice(validate({"Lambda": Lambda - 0.5}).files[0].findings):
    ...     print(sentence)
    deviates: correct what `why` names, or store what `hippo export s4d-lin -N 64 ..` writes, and validate again.
    """
    found = list(findings)
    for deviation in dict.fromkeys(d for finding in found for d in _deviations(finding)):
        yield f"{deviation}: {DEVIATIONS[deviation]}. {_keep_or_replace(deviation, found)}"
    verdicts = dict.fromkeys(finding.verdict for finding in found)
    if "deviates" in verdicts:
        named = next(f for f in found if f.verdict == "deviates")
        yield f"deviates: correct what `why` names{_export(named)}, and validate again."
    if "trained" in verdicts:
        yield "trained: no fault; to see what the training started from, validate the model before its first step."
    if "unknown" in verdicts:
        yield "unknown: give the arrays under the names Lambda, B, P, or A and B, to `hippo_theory.validate` in Python."


def reason(finding: Finding) -> str:
    """Why the verdict is what it is, in short: parts that are drawn at random are left out, unless the whole is.

    Examples
    --------
    >>> import hippo_theory as ht
    >>> from hippo_theory.validation import validate
    >>> Lambda = ht.initialization("s4d-lin", 64).Lambda
    >>> reason(validate({"Lambda": Lambda - 0.5}).files[0].findings[0])
    'Lambda: the real part is -1 instead of -0.5, 2 times that'
    """
    reasons = [finding.why] if finding.why else []
    for name, part in finding.parts.items():
        if part.why and part.verdict != "exact" and (part.verdict != "random" or name in finding.fixed):
            reasons.append(f"{name}: {part.why}")
    return "; ".join(reasons)


def _deviations(finding: Finding) -> list[str]:
    return [part.deviation for part in finding.parts.values() if part.deviation]


def _keep_or_replace(deviation: str, found: list[Finding]) -> str:
    if deviation == "D16":
        return "Nothing is wrong but the dtype: store these tensors as float32 if it matters."
    named = next(finding for finding in found if deviation in _deviations(finding))
    return f"Keep it to reproduce that codebase{_export(named)}."


def _export(finding: Finding) -> str:
    """Where the exact numbers come from; random starts have none."""
    known = INITIALIZATIONS.get(finding.identified)
    if finding.N is None or known is None or known.is_random:
        return ""
    return f", or store what `hippo export {finding.identified} -N {finding.N} ..` writes"
