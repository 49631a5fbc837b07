"""Every kind of parameters to its findings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.dense import judge_dense
from hippo_theory.validation.discrete_matrices import judge_stacked
from hippo_theory.validation.findings import Finding, Part
from hippo_theory.validation.judging import judge_diagonal
from hippo_theory.validation.lru import judge_ring
from hippo_theory.validation.mamba_heads import judge_heads
from hippo_theory.validation.reading import Parameters
from hippo_theory.validation.steps import judge_steps

__all__ = ["judge"]

Array = NDArray[Any]

_LARGEST = 1e150  # entries of a matrix


def judge(parameters: Parameters) -> Iterator[Finding]:
    """The findings of one group of tensors, the step sizes judged with them."""
    judges = {
        "skew": _judge_skew,
        "dense": _judge_dense_or_stack,
        "stacked": judge_stacked,
        "unread": _not_judged,
        "ring": judge_ring,
        "heads": judge_heads,
    }
    judged = _judge_beyond if _is_beyond(parameters) else judges.get(parameters.kind, judge_diagonal)
    for finding in judged(parameters):
        parts = dict(finding.parts)
        if parameters.B is not None and "B" not in parts and not np.isfinite(parameters.B.values).all():
            parts["B"] = Part("deviates", why="holds NaN or infinity", cause="nonfinite")
        if parameters.step is not None:
            parts["step"] = judge_steps(parameters)
        if parameters.C is not None:
            finite = bool(np.isfinite(parameters.C.values).all())
            parts["C"] = Part("random", why="not fixed by an initialization")
            if not finite:
                parts["C"] = Part("deviates", why="holds NaN or infinity", cause="nonfinite")
        stored_as = parameters.why if parameters.kind != "unread" else ""
        yield replace(finding, parts=parts, why="; ".join(filter(None, [finding.why, stored_as])))


def _judge_dense_or_stack(parameters: Parameters) -> Iterator[Finding]:
    """A state matrix; or, where it is no known one, a square stack of as many diagonal systems as each has states."""
    found = list(judge_dense(parameters))
    if parameters.otherwise and all(finding.verdict == "random" for finding in found):
        for other in parameters.otherwise:
            stacked = list(judge_diagonal(other))
            if all(finding.parts["Lambda"].verdict in ("exact", "rounding") for finding in stacked):
                yield from stacked
                return
    yield from found


def _is_beyond(parameters: Parameters) -> bool:
    """Whether a matrix holds finite numbers of which the squares overflow, so that no eigensolver takes it."""
    if parameters.kind not in ("dense", "stacked"):
        return False
    sizes = np.abs(parameters.Lambda.values)
    return bool(np.isfinite(sizes).all() and sizes.max(initial=0.0) > _LARGEST)


def _judge_beyond(parameters: Parameters) -> Iterator[Finding]:
    """A matrix that nothing can be computed with."""
    why = f"holds numbers beyond {_LARGEST:g}, of which the squares overflow"
    part = Part("deviates", why=why, cause="nonfinite")
    names = (parameters.tensors, parameters.prefix, parameters.layout)
    yield Finding(*names, "unknown", None, None, parameters.Lambda.values.shape[-1], 1, {"A": part})


def _not_judged(parameters: Parameters) -> Iterator[Finding]:
    """Tensors under the names of a layout that cannot be its parameters."""
    part = Part("unknown", why=parameters.why, cause="shape")
    names = (parameters.tensors, parameters.prefix, parameters.layout)
    yield Finding(*names, "unknown", None, None, None, None, {"Lambda": part})


def _judge_skew(parameters: Parameters) -> Iterator[Finding]:
    """Eigenvalues of the skew part of LegS: those of the normal part without their real part."""
    shifted = parameters.Lambda
    moved = replace(shifted, values=shifted.values - 0.5)
    for finding in judge_diagonal(replace(parameters, Lambda=moved)):
        named = "dss" if finding.identified == "s4d-legs" else finding.identified
        yield replace(finding, identified=named, why="the skew part alone: the real part -1/2 is left to the caller")
