"""What the initialization in a checkpoint is, in whose convention, and how far from exact.

`layouts` says how codebases store parameters, `quantities` what a stored number can hold, `references` what they are
compared with, `matching` the bounds, `judging`, `dense` and `judgement` the verdicts, `damage` and `deviations` the causes.
"""

from __future__ import annotations

from hippo_theory.validation.findings import DEVIATIONS, VERDICTS, FileResult, Finding, Part, Validation
from hippo_theory.validation.layouts import LAYOUTS, Layout
from hippo_theory.validation.validating import validate

__all__ = ["DEVIATIONS", "LAYOUTS", "VERDICTS", "FileResult", "Finding", "Layout", "Part", "Validation", "validate"]
