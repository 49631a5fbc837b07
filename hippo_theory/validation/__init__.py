"""What the initialization in a checkpoint is, in whose convention, and how far from exact.

`layouts` says how codebases store parameters and `reading` reads them; `quantities` is what a stored number can hold,
`references` what it is compared with, `matching` the bounds. `eigenvalues` and `vectors` identify diagonal systems,
`judging` puts their findings together; `dense` and `bases` do matrices, `judgement` every kind, `unnamed` what no layout
names. `eigenvalue_damage`, `misindexed`, `vector_damage` and `deviations` say what went wrong, `moves` what has only moved.
"""

from __future__ import annotations

from hippo_theory.validation.findings import DEVIATIONS, VERDICTS, FileResult, Finding, Part, Validation
from hippo_theory.validation.layouts import LAYOUTS, Layout
from hippo_theory.validation.validating import validate

__all__ = ["DEVIATIONS", "LAYOUTS", "VERDICTS", "FileResult", "Finding", "Layout", "Part", "Validation", "validate"]
