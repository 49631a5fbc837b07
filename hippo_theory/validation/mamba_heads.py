"""The scalars of Mamba-2: one for each head."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.findings import Finding, Part
from hippo_theory.validation.quantities import Quantity, spacings
from hippo_theory.validation.reading import Parameters

__all__ = ["judge_heads"]

Array = NDArray[Any]


def judge_heads(parameters: Parameters) -> Iterator[Finding]:
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
