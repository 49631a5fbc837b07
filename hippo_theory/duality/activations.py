"""The activations of Mamba's blocks: softplus, which makes step sizes, its inverse and derivative, and SiLU."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from hippo_theory.arithmetic import FLOAT64, Arithmetic
from hippo_theory.errors import InputError

__all__ = ["inverse_softplus", "sigmoid", "silu", "softplus"]


def softplus(z: Any, arithmetic: Arithmetic = FLOAT64) -> Any:
    """ln(1 + e^z), elementwise; in float64 within 4 eps, relatively.

    Examples
    --------
    >>> from hippo_theory.selectivity import inverse_softplus, softplus
    >>> print(f"{inverse_softplus(softplus(-30.0)):.12g}")
    -30
    """
    return np.logaddexp(0.0, z) if arithmetic is FLOAT64 else arithmetic.log(1 + arithmetic.exp(z))


def inverse_softplus(step: Any, arithmetic: Arithmetic = FLOAT64) -> Any:
    """ln(e^Delta - 1): what softplus takes to the step size Delta > 0.

    Raises
    ------
    InputError
        In float64, a step size that is not positive.
    """
    if arithmetic is not FLOAT64:
        return arithmetic.log(arithmetic.exp(step) - 1)
    step = np.asarray(step, dtype=np.float64)
    if not (step > 0).all():
        raise InputError(f"`step` must be positive, got {step.min()}; softplus takes no other values")
    # Above 1 by e^Delta - 1 = e^Delta (1 - e^-Delta): e^Delta may overflow.
    large, small = np.maximum(step, 1), np.minimum(step, 1)
    return np.where(step > 1, large + np.log1p(-np.exp(-large)), np.log(np.expm1(small)))[()]


def sigmoid(z: Any, arithmetic: Arithmetic = FLOAT64) -> Any:
    """1 / (1 + e^-z), the derivative of softplus."""
    return expit(z) if arithmetic is FLOAT64 else 1 / (1 + arithmetic.exp(-z))


def silu(z: Any, arithmetic: Arithmetic = FLOAT64) -> Any:
    """z / (1 + e^-z), the nonlinearity of Mamba's blocks; silu(z) - silu(-z) = z."""
    return z * sigmoid(z, arithmetic)
