"""Step sizes: the range that they were drawn from, and what was done to their logarithms that should not have been.

Every codebase draws steps log-uniformly, from 0.001 to 0.1 by default and else between powers of ten, and stores logarithms or
inverses of softplus. Nobody chooses steps beyond 1. So stored numbers t tell of a mistake where

1. what t would be worth without it is log-uniform on [0.001, 0.1] (between other powers of ten up to 0.1, where what t is worth
   lies beyond 1 anyway), and
2. what t is worth is log-uniform between no two powers of ten from 1e-5 to 1.

n draws are log-uniform on [a, b] as far as three tests see, two of which reject what is right at the level `LEVEL`: all lie
inside; the test of Kolmogorov and Smirnov, whose largest distance D has the distribution of `scipy.special.kolmogorov` at
(sqrt(n) + 0.12 + 0.11/sqrt(n)) D (Stephens 1970); and their range r as a share of the whole, of which values up to r have the
probability n r^(n-1) - (n-1) r^n. Rounding of what is stored is taken off D and added to the ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import lgamma, log
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import kolmogorov

from hippo_theory.validation.findings import Part
from hippo_theory.validation.layouts import LAYOUTS
from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.reading import Parameters

__all__ = ["LEVEL", "is_uniform", "judge_steps"]

Array = NDArray[Any]

LEVEL = 1e-4
_FEWEST = 4  # steps that are judged by their range
_DEFAULT = (1e-3, 1e-1)
_DECADES = tuple((10.0**low, 10.0**high) for low in range(-5, 0) for high in range(low + 1, 1))
_RANGES = tuple(sorted(_DECADES, key=lambda ends: (ends != _DEFAULT, ends[1] / ends[0])))

# How the parameter of a step is stored: what the stored numbers t would be worth without a mistake, as (cause, words, inverse).
_Mistake = tuple[str, str, Callable[[Array], Array]]
_MISTAKES: dict[str, tuple[_Mistake, ...]] = {
    "exp": (
        ("logarithm", "the logarithm of the steps was not taken", lambda t: t),
        ("logarithm", "the decimal logarithm of the steps was taken, not the natural one", lambda t: 10.0**t),
        (
            "logarithm",
            "the logarithm was taken twice, again of minus the logarithm of the steps",
            lambda t: np.exp(-np.exp(t)),
        ),
        (
            "sign",
            "the sign of the logarithms is the other one, that of 1/step",
            lambda t: np.exp(-t),
        ),
    ),
    "softplus": (
        ("logarithm", "the inverse of softplus was not taken, these are the steps themselves", lambda t: t),
        ("sign", "the sign of the inverse of softplus is the other one", lambda t: np.logaddexp(0, -t)),
    ),
}


def judge_steps(parameters: Parameters) -> Part:
    """Step sizes: how they were drawn, and whether what is stored was made by mistake.

    D6 is state-spaces/s4 with deterministic=True, which stores steps evenly spaced in their logarithm where their logarithms
    belong. All other mistakes need enough steps to rule out every range that one might have chosen; of steps that are
    all the same, or few, nothing can be said.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.validation import validate
    >>> logarithms = np.random.default_rng(0).uniform(np.log(1e-3), np.log(1e-1), 32)
    >>> n = np.arange(8)
    >>> layer = {"log_A_real": np.log(np.full((32, 8), 0.5)), "A_imag": np.tile(np.pi * n, (32, 1))}
    >>> validate(layer | {"log_dt": logarithms}).files[0].findings[0].parts["step"].why
    '32 steps from 0.001013 to 0.09872, as log-uniform on [0.001, 0.1] draws them'
    >>> part = validate(layer | {"log_dt": logarithms / np.log(10)}).files[0].findings[0].parts["step"]
    >>> part.verdict, part.cause
    ('deviates', 'logarithm')
    """
    step = parameters.step
    assert step is not None
    values = step.values.ravel()
    if values.size == 0:
        return Part("unknown", why="no steps", cause="shape")
    if not (np.isfinite(values).all() and (values > 0).all()):
        return Part("deviates", why="steps must be positive and finite", cause="nonfinite")
    values, rounding = _distinct(values, np.abs(step.spacing).ravel() / values)
    smallest, largest = float(values.min()), float(values.max())
    count = len(step.values.ravel())
    if count == 1:
        return Part("random", why=f"one step, {smallest:.4g}{_within(smallest, largest)}")
    if smallest == largest:
        return Part("random", why=f"all {count} steps are {smallest:.4g}")
    text = f"{count} steps from {smallest:.4g} to {largest:.4g}"
    stored, transform = _as_stored(parameters)
    if transform == "exp" and _is_even(stored):
        why = f"{text}: exp(linspace(..)) of what are logarithms already"
        return Part("known-deviation", deviation="D6", why=why, cause="steps")
    drawn = [ends for ends in _RANGES if _is_log_uniform(values, rounding, ends)]
    if not drawn and len(values) >= _FEWEST:
        meant_ranges = [ends for ends in _RANGES if ends == _DEFAULT or (smallest >= 1 and ends[1] <= _DEFAULT[1])]
        for cause, words, inverse in _MISTAKES.get(transform, ()):
            with np.errstate(all="ignore"):
                meant = np.asarray(inverse(stored.values.ravel()))
                meant, uncertain = _distinct(meant, _moved_by(inverse, stored) / meant)
            if not ((meant > 0) & np.isfinite(meant) & np.isfinite(uncertain)).all():
                continue
            if any(_is_log_uniform(meant, uncertain, ends) for ends in meant_ranges):
                return Part("deviates", why=f"{text}: {words}", cause=cause)
    return Part("random", why=text + _drawn(values, rounding, drawn[0] if drawn else None))


def _as_stored(parameters: Parameters) -> tuple[Quantity, str]:
    """The numbers that the tensor holds, and the name of what makes steps of them."""
    source = next((layout.step for layout in LAYOUTS if layout.name == parameters.layout), None)
    assert parameters.step is not None
    if source is None or source.tensor not in parameters.others:
        return parameters.step, "identity"
    return parameters.others[source.tensor].quantity(), source.transform


def _moved_by(inverse: Callable[[Array], Array], stored: Quantity) -> Array:
    """How far the spacing of the stored numbers moves a function of them, at most, (n,)."""
    t, spacing = stored.values.ravel(), np.abs(stored.spacing).ravel()
    above, below = inverse(t + spacing) - inverse(t), inverse(t) - inverse(t - spacing)
    return np.asarray(np.maximum(np.abs(above), np.abs(below)))


def _distinct(values: Array, rounding: Array) -> tuple[Array, Array]:
    """Each number once, where all stand there equally often: a step for each state is one draw."""
    found, first, counts = np.unique(values, return_index=True, return_counts=True)
    return (found, rounding[first]) if np.ptp(counts) == 0 else (values, rounding)


def _is_log_uniform(values: Array, rounding: Array, ends: tuple[float, float]) -> bool:
    """Whether n positive numbers may be log-uniform between two ends; `rounding` is relative, (n,)."""
    width = log(ends[1] / ends[0])
    return is_uniform(np.log(values / ends[0]) / width, rounding / width)


def is_uniform(shares: Array, rounding: Array) -> bool:
    """Whether n numbers, each known to `rounding`, may be uniform on [0, 1]; see above."""
    n, slack = len(shares), 2 * rounding  # of the number, and of the end
    if (shares < -slack).any() or (shares > 1 + slack).any():
        return False
    order = np.argsort(shares)
    ranks = np.arange(n)
    above, below = (ranks + 1) / n - shares[order], shares[order] - ranks / n
    distance = float(max(above.max(), below.max()) - slack.max())
    if kolmogorov((np.sqrt(n) + 0.12 + 0.11 / np.sqrt(n)) * max(distance, 0.0)) < LEVEL:
        return False
    r = min(float(np.ptp(shares) + slack.max()), 1.0)
    return bool(n < 2 or n * r ** (n - 1) - (n - 1) * r**n >= LEVEL)


def _is_even(stored: Quantity) -> bool:
    """Whether positive numbers below 1 are evenly spaced in their logarithm, closer than chance makes them.

    The smallest and the largest of n draws set the scale. The n - 2 inner ones, uniform between them, lie within d of n - 2
    given places with a probability of at most (n - 2)! (2 d)^(n - 2), which is `LEVEL` at the d allowed here.
    """
    values = np.sort(stored.values.ravel())
    n = len(values)
    if n < 3 or not (values[0] > 0 and values[-1] <= 1 and values[0] < values[-1]):
        return False
    shares = np.log(values / values[0]) / np.log(values[-1] / values[0])
    allowed = 0.5 * np.exp((log(LEVEL) - lgamma(n - 1)) / (n - 2))
    return bool(np.abs(shares - np.arange(n) / (n - 1)).max() <= allowed)


def _within(smallest: float, largest: float) -> str:
    for low, high in (_DEFAULT, (1e-4, 1e-1)):
        if low * (1 - 1e-2) <= smallest and largest <= high * (1 + 1e-2):
            return f", within [{low:g}, {high:g}]"
    return ""


def _drawn(values: Array, rounding: Array, ends: tuple[float, float] | None) -> str:
    """How the steps may have been drawn, in words."""
    if len(values) < 3:
        return _within(float(values.min()), float(values.max()))
    if ends is not None:
        return f", as log-uniform on [{ends[0]:g}, {ends[1]:g}] draws them"
    for low, high in _uniform_ranges():
        if is_uniform((values - low) / (high - low), rounding * values / (high - low)):
            return f", as uniform on [{low:g}, {high:g}] draws them: not log-uniform, as they are elsewhere"
    within = _within(float(values.min()), float(values.max()))
    return f"{within}, not as log-uniform draws them" if within else ""


def _uniform_ranges() -> Iterator[tuple[float, float]]:
    yield _DEFAULT
    yield from ((low, high) for low, high in _RANGES if low != _DEFAULT[0] or high != _DEFAULT[1])
