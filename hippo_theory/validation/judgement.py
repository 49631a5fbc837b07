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
from hippo_theory.validation.matching import Comparison
from hippo_theory.validation.quantities import Quantity, spacings
from hippo_theory.validation.reading import Parameters

__all__ = ["judge"]

Array = NDArray[Any]

_LARGEST = 1e150  # entries of a matrix


def judge(parameters: Parameters) -> Iterator[Finding]:
    """The findings of one group of tensors, the step sizes judged with them."""
    judges = {
        "skew": _judge_skew,
        "dense": judge_dense,
        "stacked": judge_stacked,
        "unread": _not_judged,
        "ring": _judge_ring,
        "heads": _judge_heads,
    }
    judged = _judge_beyond if _is_beyond(parameters) else judges.get(parameters.kind, judge_diagonal)
    for finding in judged(parameters):
        parts = dict(finding.parts)
        if parameters.B is not None and "B" not in parts and not np.isfinite(parameters.B.values).all():
            parts["B"] = Part("deviates", why="holds NaN or infinity", cause="nonfinite")
        if parameters.step is not None:
            parts["step"] = _judge_steps(parameters.step)
        if parameters.C is not None:
            finite = bool(np.isfinite(parameters.C.values).all())
            parts["C"] = Part("random", why="not fixed by an initialization")
            if not finite:
                parts["C"] = Part("deviates", why="holds NaN or infinity", cause="nonfinite")
        stored_as = parameters.why if parameters.kind != "unread" else ""
        yield replace(finding, parts=parts, why="; ".join(filter(None, [finding.why, stored_as])))


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


def _judge_steps(step: Quantity) -> Part:
    """Step sizes: their range, and whether they are the ones that an option of state-spaces/s4 exponentiates twice."""
    values = step.values.ravel()
    if values.size == 0:
        return Part("unknown", why="no steps", cause="shape")
    if not (np.isfinite(values).all() and (values > 0).all()):
        return Part("deviates", why="steps must be positive and finite", cause="nonfinite")
    smallest, largest = float(values.min()), float(values.max())
    text = f"{len(values)} steps from {smallest:.4g} to {largest:.4g}"
    if len(values) > 2 and abs(smallest - np.exp(1e-3)) < 1e-4 and abs(largest - np.exp(0.1)) < 1e-3:
        why = f"{text}: exp(linspace(..)) of what are logarithms already"
        return Part("known-deviation", deviation="D6", why=why, cause="steps")
    if smallest == largest and len(values) > 1:
        return Part("random", why=f"all {len(values)} steps are {smallest:.4g}")
    if smallest >= 9.9e-5 and largest <= 0.101:
        text += ", as log-uniform on [0.001, 0.1] draws them" if smallest >= 9.9e-4 else ", within [0.0001, 0.1]"
    return Part("random", why=text)


def _judge_skew(parameters: Parameters) -> Iterator[Finding]:
    """Eigenvalues of the skew part of LegS: those of the normal part without their real part."""
    shifted = parameters.Lambda
    moved = Quantity(shifted.values - 0.5, shifted.spacing, shifted.dtype, shifted.tensors, shifted.direct)
    for finding in judge_diagonal(replace(parameters, Lambda=moved)):
        named = "dss" if finding.identified == "s4d-legs" else finding.identified
        yield replace(finding, identified=named, why="the skew part alone: the real part -1/2 is left to the caller")


def _judge_ring(parameters: Parameters) -> Iterator[Finding]:
    """LRU: multipliers e^(-e^nu_log + i e^theta_log), and gamma = sqrt(1 - |lambda|^2)."""
    logarithms = parameters.Lambda.values
    with np.errstate(all="ignore"):
        moduli = np.exp(logarithms.real)
    parts: dict[str, Part] = {}
    if not np.isfinite(logarithms).all():
        parts["Lambda"] = Part("deviates", why="holds NaN or infinity", cause="nonfinite")
    else:
        why = f"moduli from {moduli.min():.4g} to {moduli.max():.4g}, phases up to {logarithms.imag.max():.4g}"
        parts["Lambda"] = Part("random", why=why)
    gamma = parameters.others.get("gamma_log")
    if gamma is not None and gamma.shape == moduli.shape[-1:] and len(moduli) == 1 and np.isfinite(logarithms).all():
        stored = gamma.quantity()
        gap = -np.expm1(2 * logarithms.real).reshape(stored.values.shape)
        with np.errstate(divide="ignore"):
            truth = 0.5 * np.log(gap)
        if not np.isfinite(truth).all():
            truth = np.where(gap > 0, truth, stored.values)  # moduli that round to 1 have no gamma
        errors = np.abs(stored.values - truth)
        # 1 - |lambda|^2 cancels in the stored precision; the spacing of nu_log moves it as well.
        moved = np.abs(parameters.Lambda.spacing.real).reshape(gap.shape)
        bound = np.abs(stored.spacing) + (4 * stored.roundoff + moved) / gap
        ulps = float((errors / np.abs(stored.spacing)).max())
        verdict = "exact" if ulps <= 1 else "rounding" if (errors <= bound).all() else "deviates"
        why, cause = "", None
        if verdict == "deviates":
            why, cause = "gamma is not sqrt(1 - |lambda|^2)", "other"
            if (np.abs(stored.values - np.exp(truth)) <= bound + np.abs(stored.spacing)).all():
                why, cause = "the logarithm of gamma was not taken", "logarithm"
        relative = float((errors / np.where(truth == 0, 1.0, np.abs(truth))).max())
        comparison = Comparison(errors, truth, ulps, bound, relative)
        parts["gamma"] = comparison.part(verdict, why=why, cause=cause)
    n = logarithms.shape[-1]
    yield Finding(
        parameters.tensors, parameters.prefix, parameters.layout, "lru", None, 2 * n, n, len(logarithms), parts,
        fixed=("Lambda", "gamma"),
    )  # fmt: skip


def _judge_heads(parameters: Parameters) -> Iterator[Finding]:
    """Mamba-2: one scalar for each head, uniform on [1, 16]; ports store log(1..heads)."""
    scalars = parameters.Lambda.values.real.ravel()
    heads = len(scalars)
    if not np.isfinite(scalars).all():
        part = Part("deviates", why="holds NaN or infinity", cause="nonfinite")
    elif heads > 1 and _is_counting(-scalars, parameters.Lambda):
        part = Part("known-deviation", deviation="D15", why=f"A_log is log(1..{heads})", cause="heads")
    elif ((scalars <= -1 + 1e-3) & (scalars >= -16 - 1e-1)).all():
        part = Part("random", why=f"-A from {-scalars.max():.4g} to {-scalars.min():.4g}, within [1, 16]")
    else:
        why = f"-A from {-scalars.max():.4g} to {-scalars.min():.4g}, outside of [1, 16]"
        part = Part("trained" if (scalars < 0).all() else "deviates", why=why)
    parts = {"Lambda": part}
    yield Finding(parameters.tensors, parameters.prefix, parameters.layout, "mamba2", None, None, heads, heads, parts)


def _is_counting(values: Array, stored: Quantity) -> bool:
    counting = np.arange(1.0, len(values) + 1)
    spacing = np.abs(stored.spacing).ravel() + spacings(counting, stored.dtype)
    return bool((np.abs(values - counting) <= 2 * spacing).all())
