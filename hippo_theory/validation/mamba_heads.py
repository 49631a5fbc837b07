"""The scalars of Mamba-2: one for each head."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.findings import Finding, Part
from hippo_theory.validation.quantities import Quantity, spacings
from hippo_theory.validation.reading import Parameters
from hippo_theory.validation.steps import LEVEL, is_uniform

__all__ = ["judge_heads"]

Array = NDArray[Any]

_LOW, _HIGH = 1.0, 16.0  # of the uniform draw of -A


def judge_heads(parameters: Parameters) -> Iterator[Finding]:
    """Mamba-2: one scalar -A for each head, uniform on [1, 16], A_log = log(-A); ports store log(1..heads).

    Outside of [1, 16] they are called trained where most heads are still inside, or still rise as log(1..heads) does; a
    missing logarithm is named where A_log is 1..heads itself, or a uniform draw from [1, 16]. Of others nothing is known.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.validation import validate
    >>> heads = np.arange(1.0, 9.0)
    >>> for A_log in (np.log(heads), heads, np.full(8, 5.0)):
    ...     finding = validate({"mixer.A_log": A_log, "mixer.D": np.ones(8)}).files[0].findings[0]
    ...     print(finding.verdict, finding.cause)
    known-deviation heads
    deviates logarithm
    unknown None
    """
    scalars = parameters.Lambda.values.real.ravel()
    if not np.isfinite(scalars).all():
        part = Part("deviates", why="holds NaN or infinity", cause="nonfinite")
    elif not (scalars < 0).all():
        part = Part("deviates", why="-A must be positive, A_log is so low that it is 0", cause="zero")
    else:
        part = _judge_scalars(-scalars, parameters.Lambda)
    parts, heads = {"Lambda": part}, len(scalars)
    yield Finding(parameters.tensors, parameters.prefix, parameters.layout, "mamba2", None, None, heads, heads, parts)


def _judge_scalars(values: Array, stored: Quantity) -> Part:
    """The verdict on positive numbers -A (heads,)."""
    heads = len(values)
    spacing = np.abs(stored.spacing).ravel()
    # A_log itself, and one unit in its last place; the logarithm of the exponential adds roundings of double precision.
    logarithms = np.log(values)
    uncertain = spacing / values + 4 * 2.0**-53 * np.maximum(np.abs(logarithms), 1.0)
    counting = np.arange(1.0, heads + 1)
    if heads > 1 and (np.abs(values - counting) <= 2 * (spacing + spacings(counting, stored.dtype))).all():
        return Part("known-deviation", deviation="D15", why=f"A_log is log(1..{heads})", cause="heads")
    text = f"-A from {values.min():.4g} to {values.max():.4g}"
    if heads > 1 and (np.abs(logarithms - counting) <= 2 * uncertain).all():
        return Part("deviates", why=f"{text}: the logarithm was not taken, A_log is 1..{heads}", cause="logarithm")
    inside = (values >= _LOW - 1e-3) & (values <= _HIGH + 1e-1)
    if inside.all():
        return Part("random", why=f"{text}, within [1, 16]")
    text = f"{text}, outside of [1, 16]"
    # Half of the numbers would have gone further beyond the logarithms of the range than these are wide.
    width = _HIGH - _LOW
    far = float(np.median(logarithms)) > 2 * log(_HIGH)
    if far and is_uniform((logarithms - _LOW) / width, uncertain / width):
        why = f"{text}: the logarithm was not taken, A_log is as uniform on [1, 16] draws it"
        return Part("deviates", why=why, cause="logarithm")
    if 2 * inside.sum() > heads:
        why = f"{text}: {int(inside.sum())} of {heads} heads are still within it"
        return Part("trained", why=why, cause="trained")
    if _rises_as_counting(logarithms, counting):
        return Part("trained", why=f"{text}: the heads still rise as log(1..{heads}) does", cause="trained")
    return Part(
        "unknown", why=f"{text}: most heads are, and do not rise as log(1..{heads}); no start and no mistake is near"
    )


def _rises_as_counting(logarithms: Array, counting: Array) -> bool:
    """Whether A_log rises with the heads beyond chance, and is nearer to log(1..heads) than to 1..heads."""
    from scipy.stats import kendalltau

    if np.ptp(logarithms) == 0:
        return False
    rise = kendalltau(logarithms, counting, alternative="greater").pvalue
    near, far = (float(np.abs(logarithms - start).mean()) for start in (np.log(counting), counting))
    return bool(rise < LEVEL and near < far)
