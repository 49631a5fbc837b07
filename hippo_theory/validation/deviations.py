"""Deviations of eigenvalues that whole codebases have, recognized in the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.clamped import CLAMPS
from hippo_theory.validation.findings import Part
from hippo_theory.validation.matching import (
    DOUBLE,
    SINGLE,
    Fit,
    align,
    compare_eigenvalues,
    eigensolver_error,
    eigenvalue_bound,
)
from hippo_theory.validation.misindexed_legs import mixed_index_spectrum, one_indexed_reference
from hippo_theory.validation.quantities import Quantity
from hippo_theory.validation.references import Reference

__all__ = ["known_eigenvalue_deviation", "one_indexed_fit"]

Array = NDArray[Any]

_LARGEST_ONE_INDEXED, _LARGEST_MIXED = 1024, 512  # states above which no eigensolver is run


def known_eigenvalue_deviation(stored: Quantity, fit: Fit, roundoff: float | None = None) -> Part | None:
    """The deviation that turns the reference of `fit` into the stored eigenvalues, if there is one.

    They may have been computed with another unit roundoff than that of their dtype.
    """
    reference = fit.reference
    order, _, values = align(stored.values, reference)
    bound = eigenvalue_bound(reference, roundoff or stored.roundoff) + np.abs(stored.spacing)[order]
    truth = reference.Lambda
    relative = float((np.abs(values - truth) / np.where(truth == 0, 1, np.abs(truth))).max())
    near = float(np.median(np.abs(values - truth)))
    for limit in CLAMPS if near <= bound.max() + 2 * max(CLAMPS) else ():
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
            left = values - changed
            # The clamp itself is seen to 1 % of it, whatever the bound of the other errors.
            real, imaginary = left.real[changed.real != truth.real], left.imag[changed.imag != truth.imag]
            seen = (np.abs(np.append(real, imaginary)) <= 1e-2 * limit).all()
            if seen and (np.abs(left) <= bound + 4 * min(stored.roundoff, SINGLE) * limit).all():
                why = f"{text} are clamped at {limit:g}"
                return Part("known-deviation", max_relative_error=relative, deviation="D4", why=why, cause="clamped")
    if reference.id == "legs":
        return _one_indexed(stored, fit, relative) or _mixed_indices(stored, fit, relative)
    if reference.id == "s4d-inv" and reference.form == "half":
        computed = float(eigenvalue_bound(reference, roundoff or stored.roundoff).max())
        return _inverse_over_all(stored, reference.stored, computed, relative)
    return None


def _one_indexed(stored: Quantity, fit: Fit, relative: float) -> Part | None:
    if fit.reference.N > _LARGEST_ONE_INDEXED or fit.reference.form not in ("all", "half"):
        return None
    if not one_indexed_fit(stored, fit.reference).Lambda.is_rounding:
        return None
    why = "LegS with indices from 1"
    return Part("known-deviation", max_relative_error=relative, deviation="D8", why=why, cause="index")


def one_indexed_fit(stored: Quantity, reference: Reference) -> Fit:
    """How eigenvalues (n,) lie on those of LegS with indices from 1, of the size and form of a reference."""
    truth = one_indexed_reference(reference.N, reference.form)
    return compare_eigenvalues(stored, truth, stored.roundoff + DOUBLE)


def _mixed_indices(stored: Quantity, fit: Fit, relative: float) -> Part | None:
    N = fit.reference.N
    if N > _LARGEST_MIXED or fit.reference.form != "all":
        return None
    mixed, sensitivity = mixed_index_spectrum(N)
    # Backward stable: the eigenvalues of S + E, theirs and those here.
    moved = (eigensolver_error(N, min(stored.roundoff, SINGLE)) + eigensolver_error(N, DOUBLE)) * sensitivity
    distances = np.abs(stored.values[:, None] - mixed[None, :])
    spacing = np.abs(stored.spacing)
    if (distances.min(axis=1) <= moved + spacing).all() and (distances.min(axis=0) <= moved + spacing.max()).all():
        text = "A with indices from 0, P with indices from 1: S is not normal"
        return Part("known-deviation", max_relative_error=relative, deviation="D9", why=text, cause="index")
    return None


def _inverse_over_all(stored: Quantity, n: int, computed: float, relative: float) -> Part | None:
    index, spacing = np.arange(n), np.abs(stored.spacing)
    values = -0.5 + 1j * n / np.pi * (n / (2 * index + 1) - 1)
    for signed in (stored.values, stored.values.conj()):
        order = np.argsort(-signed.imag, kind="stable")
        if n < 2 or not (np.abs(signed[order] - values) <= 4 * computed + spacing[order]).all():
            continue
        why = "N counted in halves: the formula of S4D-Inv runs over all N instead of half of them"
        return Part("known-deviation", max_relative_error=relative, deviation="D10", why=why, cause="halves")
    return None
