"""LRU: the multipliers of its ring, and the normalization gamma = sqrt(1 - |lambda|^2) beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import ceil, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.causes import Cause, factor_name
from hippo_theory.validation.findings import Finding, Part
from hippo_theory.validation.matching import Comparison
from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.reading import Parameters

__all__ = ["judge_ring"]

Array = NDArray[Any]

_CHANCE = 1e-4  # that a draw looks like the mistake that it is called

# Stored instead of T = log gamma, from T and |lambda|^2.
_INSTEAD: tuple[tuple[Cause, Callable[[Array], Array]], ...] = (
    (Cause("logarithm", "the logarithm of gamma was not taken"), np.exp),
    (Cause("logarithm", "neither the square root nor the logarithm of gamma^2 was taken"), lambda T: np.exp(2 * T)),
    (Cause("logarithm", "the decimal logarithm of gamma was taken, not the natural one"), lambda T: T / log(10)),
    (Cause("squared", "gamma is squared: the square root was not taken"), lambda T: 2 * T),
    (Cause("squared", "gamma is the square root of what it should be"), lambda T: T / 2),
    (Cause("inverse", "gamma is inverted: the sign of its logarithm is the other one"), np.negative),
    (Cause("dropped", "gamma was left out: it is 1"), np.zeros_like),
    (
        Cause("squared", "gamma is of |lambda| instead of |lambda|^2"),
        lambda T: 0.5 * np.log1p(-np.sqrt(-np.expm1(2 * T))),
    ),
)

# What nu is if not e^t of the stored number t; where its sign was lost, both values are tried.
_MEANT: tuple[tuple[Cause, Callable[[Array], tuple[Array, ...]]], ...] = (
    (Cause("logarithm", "the logarithm of nu was not taken"), lambda t: (t,)),
    (Cause("logarithm", "the decimal logarithm of nu was taken, not the natural one"), lambda t: (10.0**t,)),
    (
        Cause("logarithm", "the logarithm of nu was taken twice"),
        lambda t: (np.exp(np.exp(t)), np.exp(-np.exp(t))),
    ),
    (Cause("sign", "the sign of log nu is the other one"), lambda t: (np.exp(-t),)),
)


def judge_ring(parameters: Parameters) -> Iterator[Finding]:
    """LRU: multipliers e^(-e^nu_log + i e^theta_log), and gamma = sqrt(1 - |lambda|^2).

    Moduli and phases are drawn from a ring of any radii, so that a mistake in nu is seen in gamma. Where no gamma tells of the
    moduli, a missing logarithm is suspected if all n of them are below 1/e: of moduli uniform on the unit disc that has a
    probability of e^(-2 n), but a ring within 1/e looks the same. Most phases beyond 2 pi are what no start draws.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo_theory.validation import validate
    >>> rng = np.random.default_rng(0)
    >>> nu, theta = -0.5 * np.log(rng.random(32)), 2 * np.pi * rng.random(32)
    >>> gamma = 0.5 * np.log(-np.expm1(-2 * nu))
    >>> layer = {"nu_log": np.log(nu), "theta_log": np.log(theta), "gamma_log": gamma}
    >>> validate(layer).files[0].findings[0].parts["gamma"].verdict
    'rounding'
    >>> finding = validate(layer | {"gamma_log": 2 * gamma}).files[0].findings[0]
    >>> finding.verdict, finding.cause
    ('deviates', 'squared')
    """
    logarithms = parameters.Lambda.values
    parts: dict[str, Part] = {}
    if not np.isfinite(logarithms).all():
        parts["Lambda"] = Part("deviates", why="holds NaN or infinity", cause="nonfinite")
    else:
        with np.errstate(all="ignore"):
            moduli = np.exp(logarithms.real)
        why = f"moduli from {moduli.min():.4g} to {moduli.max():.4g}, phases up to {logarithms.imag.max():.4g}"
        parts["Lambda"] = Part("random", why=why)
        gamma, cause = parameters.others.get("gamma_log"), None
        if gamma is not None and gamma.shape == moduli.shape[-1:] and len(moduli) == 1:
            parts["gamma"] = _judge_gamma(gamma.quantity(), parameters.Lambda)
            if parts["gamma"].cause in ("other", "entry", "order"):
                cause = _mistaken_by_gamma(gamma.quantity(), _as_stored(parameters, "nu_log"))
                if cause is not None:
                    parts["gamma"] = Part("random", why="fits moduli without the mistake in nu")
        if cause is None and not _tells_of_moduli(parts.get("gamma")):
            cause = _below_draws(parameters)
        if (cause := cause or _beyond_draws(parameters)) is not None:
            parts["Lambda"] = Part("deviates", why=f"{why}: {cause.text}", cause=cause.id)
    n = logarithms.shape[-1]
    yield Finding(
        parameters.tensors, parameters.prefix, parameters.layout, "lru", None, 2 * n, n, len(logarithms), parts,
        fixed=("Lambda", "gamma"),
    )  # fmt: skip


def _as_stored(parameters: Parameters, name: str) -> Quantity:
    return parameters.others[name].quantity()


def _judge_gamma(stored: Quantity, Lambda: Quantity) -> Part:
    """log gamma (n,) against 1/2 log(1 - |lambda|^2) of the stored moduli (1, n)."""
    shape = stored.values.shape
    gap = -np.expm1(2 * Lambda.values.real).reshape(shape)
    usable = gap > 4 * stored.roundoff  # nearer to 1, cancellation leaves nothing of gamma
    if not np.isfinite(stored.values[usable]).all():
        return Part("deviates", why="holds NaN or infinity", cause="nonfinite")
    if not usable.any():
        return Part("unknown", why="all moduli round to 1, where nothing is left of gamma")
    values, spacing = stored.values[usable], np.abs(stored.spacing)[usable]
    moved, gap = np.abs(Lambda.spacing.real).reshape(shape)[usable], gap[usable]
    truth = 0.5 * np.log(gap)
    # 1 - |lambda|^2 cancels in the stored precision; the spacing of nu_log moves it as well.
    bound = spacing + (4 * stored.roundoff + moved) / gap
    errors = np.abs(values - truth)
    relative = float((errors / np.where(truth == 0, 1.0, np.abs(truth))).max())
    comparison = Comparison(errors, truth, float((errors / spacing).max()), bound, relative)
    part = comparison.judged(stored.dtype)
    if part.verdict == "deviates":
        cause = next(_causes(values, truth, bound, 4 * stored.roundoff))
        part = replace(part, why=cause.text, cause=cause.id)
    return part


def _tells_of_moduli(gamma: Part | None) -> bool:
    """Whether gamma is that of the moduli as they are stored, or follows from it by a mistake of its own."""
    return gamma is not None and gamma.verdict != "unknown" and gamma.cause not in ("other", "dropped", "nonfinite")


def _causes(values: Array, truth: Array, bound: Array, rounded: float) -> Iterator[Cause]:
    """What happened to log gamma (n,), the likeliest first."""
    with np.errstate(all="ignore"):
        for cause, function in _INSTEAD:
            expected = function(truth)
            moved = np.maximum(np.abs(function(truth - bound) - expected), np.abs(function(truth + bound) - expected))
            allowed = np.where(np.isfinite(moved), moved, 0.0) + bound + rounded * np.abs(expected)
            # Where gamma is nearly 1 its logarithm vanishes, and every one of these fits: the others decide.
            if _fits(values, expected, allowed):
                yield cause
    n, outside = len(values), np.abs(values - truth) > bound
    offset = float(np.median(values - truth))
    if n > 2 and _fits(values - offset, truth, 3 * bound):
        yield Cause("factor", f"gamma is {factor_name(float(np.exp(offset)))} times the expected; divide by it")
    ours, theirs = np.argsort(values), np.argsort(truth)
    if _fits(values[ours], truth[theirs], bound[theirs]):
        yield Cause("order", f"gamma is in another order than nu ({int(outside.sum())} of {n} entries)")
    if 0 < outside.sum() <= max(1, n // 4):
        first = int(np.flatnonzero(outside)[0])
        off = float(np.exp(values[first] - truth[first]))
        yield Cause(
            "entry", f"{int(outside.sum())} of {n} entries of gamma are off, the first {off:.6g} times the expected"
        )
    yield Cause("other", "gamma is not sqrt(1 - |lambda|^2)")


def _fits(values: Array, expected: Array, allowed: Array) -> bool:
    return bool((np.abs(values - expected) <= allowed).all())


def _mistaken_by_gamma(gamma: Quantity, nu: Quantity) -> Cause | None:
    """The mistake in nu without which gamma = sqrt(1 - e^(-2 nu)), if there is one."""
    t, spacing = nu.values.ravel(), np.abs(nu.spacing).ravel()
    values, own = gamma.values.ravel(), np.abs(gamma.spacing).ravel()
    with np.errstate(all="ignore"):
        for cause, meanings in _MEANT:
            fits = np.zeros(len(t), dtype=bool)
            for above, meant, below in zip(meanings(t + spacing), meanings(t), meanings(t - spacing), strict=True):
                gap, expected = -np.expm1(-2 * meant), _log_gamma(meant)
                moved = np.maximum(np.abs(_log_gamma(above) - expected), np.abs(_log_gamma(below) - expected))
                allowed = own + 4 * gamma.roundoff / gap + moved
                fits |= (gap > 4 * gamma.roundoff) & (np.abs(values - expected) <= allowed)
            if fits.all():
                return cause
    return None


def _log_gamma(nu: Array) -> Array:
    return np.asarray(0.5 * np.log(-np.expm1(-2 * nu)))


def _below_draws(parameters: Parameters) -> Cause | None:
    """The logarithm of nu that is missing where all moduli are less than a draw on the unit disc makes them."""
    nu = _as_stored(parameters, "nu_log").values.ravel()
    n = len(nu)
    if n < ceil(log(_CHANCE) / -2) or not (nu > 0).all():
        return None
    chance = f"of moduli uniform on the unit disc all {n} lie below 1/e with a probability of e^(-{2 * n})"
    return Cause("logarithm", f"the logarithm of nu was not taken: {chance}")


def _beyond_draws(parameters: Parameters) -> Cause | None:
    """The logarithm of theta that is missing where phases are what no start draws."""
    theta = _as_stored(parameters, "theta_log").values.ravel()
    with np.errstate(over="ignore"):
        beyond = np.exp(theta) > 2 * np.pi
    if 2 * beyond.sum() > len(theta) and (theta >= 0).all() and (theta <= 2 * np.pi).all():
        return Cause("logarithm", "the logarithm of theta was not taken: most phases lie beyond 2 pi")
    return None
