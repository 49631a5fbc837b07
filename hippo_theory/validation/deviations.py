"""Deviations of eigenvalues that whole codebases have, recognized in the numbers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.findings import Part
from hippo_theory.validation.matching import Fit, align, eigenvalue_bound
from hippo_theory.validation.quantities import Quantity

__all__ = ["known_eigenvalue_deviation", "one_indexed_spectrum"]

Array = NDArray[Any]

_CLAMPS = (1e-4, 1e-3)


def known_eigenvalue_deviation(stored: Quantity, fit: Fit) -> Part | None:
    """The deviation that turns the reference of `fit` into the stored eigenvalues, if there is one."""
    reference = fit.reference
    _, _, values = align(stored.values, reference)
    bound = eigenvalue_bound(reference, stored.roundoff) + np.abs(stored.spacing).max()
    truth = reference.Lambda
    relative = float((np.abs(values - truth) / np.where(truth == 0, 1, np.abs(truth))).max())
    near = float(np.median(np.abs(values - truth)))
    for limit in _CLAMPS if near <= bound.max() + 2 * max(_CLAMPS) else ():
        for changed, text in (
            (np.minimum(truth.real, -limit) + 1j * np.maximum(truth.imag, limit), "real and imaginary parts"),
            (np.minimum(truth.real, -limit) + 1j * truth.imag, "real parts"),
            (truth.real + 1j * np.maximum(truth.imag, limit), "imaginary parts"),
            (truth.real + 1j * np.where(truth.imag == 0, limit, truth.imag), "imaginary parts"),
            (truth.real - limit + 1j * truth.imag, "real parts, by an offset,"),
        ):
            moved = changed != truth
            if not moved.any():
                continue
            # The clamp itself is seen to 1 % of it, whatever the bound of the other errors.
            clamped = np.abs((values - changed)[moved])
            left = values - changed
            real, imaginary = left.real[changed.real != truth.real], left.imag[changed.imag != truth.imag]
            seen = (clamped <= bound[moved] + 1e-2 * limit).all()
            seen = seen and (np.abs(np.append(real, imaginary)) <= 1e-2 * limit).all()
            if seen and (np.abs(values - changed) <= bound + 1e-2 * limit).all():
                why = f"{text} are clamped at {limit:g}"
                return Part("known-deviation", max_relative_error=relative, deviation="D4", why=why, cause="clamped")
    if reference.id == "legs":
        return _one_indexed(stored, fit, bound, relative) or _mixed_indices(stored, fit, relative)
    if reference.id == "s4d-inv" and reference.form == "half":
        return _inverse_over_all(stored, reference.stored, bound, relative)
    return None


@lru_cache(maxsize=64)
def one_indexed_spectrum(N: int) -> tuple[Array, Array]:
    """Frequencies w_m and moduli abs(V* P), P = sqrt(n + 1/2), of LegS with indices n = 1..N, by decreasing w_m.

    Both (N,), float64 from an eigensolver: not certified.
    """
    root = np.sqrt(2 * np.arange(1, N + 1) + 1)
    lower = np.tril(np.outer(root, root), -1) / 2
    frequencies, vectors = np.linalg.eigh(1j * (lower - lower.T))
    return frequencies[::-1], np.abs(vectors[:, ::-1].conj().T @ (root / np.sqrt(2)))


def _one_indexed(stored: Quantity, fit: Fit, bound: Array, relative: float) -> Part | None:
    N = fit.reference.N
    if N > 1024 or fit.reference.form == "half, real state lost":
        return None
    frequencies, _ = one_indexed_spectrum(N)
    if fit.reference.form != "all":
        frequencies = frequencies[: fit.reference.stored]
    _, _, values = align(stored.values, fit.reference)
    if (np.abs(values - (-0.5 + 1j * frequencies)) <= 2 * bound).all():
        return Part(
            "known-deviation",
            max_relative_error=relative,
            deviation="D8",
            why="LegS with indices from 1",
            cause="index",
        )
    return None


def _mixed_indices(stored: Quantity, fit: Fit, relative: float) -> Part | None:
    N = fit.reference.N
    if N > 512 or fit.reference.form != "all":
        return None
    n = np.arange(N)
    root, P = np.sqrt(2 * n + 1), 0.5 * np.sqrt(2 * (n + 1) + 1)
    mixed = np.linalg.eigvals(-np.tril(np.outer(root, root), -1) - np.diag(n + 1.0) + 2 * np.outer(P, P))
    # Not normal: the condition of its eigenvectors is about 6.
    bound = 24 * np.sqrt(N) * stored.roundoff * np.abs(mixed).max()
    nearest = np.abs(stored.values[:, None] - mixed[None, :])
    if nearest.min(axis=1).max() <= bound and nearest.min(axis=0).max() <= bound:
        text = "A with indices from 0, P with indices from 1: S is not normal"
        return Part("known-deviation", max_relative_error=relative, deviation="D9", why=text, cause="index")
    return None


def _inverse_over_all(stored: Quantity, n: int, bound: Array, relative: float) -> Part | None:
    index = np.arange(n)
    values = -0.5 + 1j * n / np.pi * (n / (2 * index + 1) - 1)
    for signed in (stored.values, stored.values.conj()):
        found = signed[np.argsort(-signed.imag, kind="stable")]
        if n < 2 or (np.abs(found - values) > 4 * bound.max()).any():
            continue
        why = "N counted in halves: the formula of S4D-Inv runs over all N instead of half of them"
        return Part("known-deviation", max_relative_error=relative, deviation="D10", why=why, cause="halves")
    return None
