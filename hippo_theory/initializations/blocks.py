"""Starts from the spectrum of the normal part of LegS without its low-rank term: DSS and S5."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.arithmetic import Balls, exact_fraction, nearest_certified
from hippo_theory.decompositions import diagonal_restriction, normal_plus_low_rank
from hippo_theory.errors import InputError, checked_size
from hippo_theory.families import LegS
from hippo_theory.initializations.registry import checked_generator, pairs_of, start
from hippo_theory.systems import HalfSystem

__all__ = ["dss", "s5"]

Array = NDArray[Any]


@start(
    "dss",
    "DSS, skew-HiPPO",
    "DSS (Gupta et al. 2022, arXiv:2203.14343); ag1988/dss: hippo_skew_evals",
    "full real state size, even; what DSS calls N is the number stored, N/2",
)
def dss(N: int, *, variant: str = "exp", length: int | None = None, step: Any = None) -> HalfSystem:
    """DSS, skew-HiPPO: the N/2 eigenvalues with positive imaginary part of the N x N normal part of LegS.

        exp:      B = 1, so that the zero-order-hold kernel is w (e^(Lambda dt) - 1)/Lambda e^(Lambda l dt);
        softmax:  B = 1/(e^(length Lambda dt) - 1), so that it is w/Lambda softmax_l(Lambda l dt).

    Parameters
    ----------
    N : int
        Full real state size, even. DSS's own N is N/2 here: its DSS(N) diagonalizes the 2N x 2N matrix.
    variant : str
        ``exp`` or ``softmax``.
    length, step : int, number
        The kernel length L and dt, which only the softmax variant needs.

    Returns
    -------
    HalfSystem
        Largest imaginary part first. DSS takes the real part of its sum, without a factor 2: its W is 2 C here.

    Raises
    ------
    InputError
        For an odd N, an unknown variant, or softmax without `length` and `step`.

    Notes
    -----
    Lambda within 2 units in the last place; B of softmax nearest to the truth.
    Source: DSS (arXiv:2203.14343), proposition 1 (with the inverse that its slides leave out) and code.

    Examples
    --------
    >>> from hippo_theory.initializations import dss
    >>> dss(4).Lambda.round(4)
    array([-0.5+4.6033j, -0.5+0.5565j])
    """
    stored = pairs_of(N, "dss")
    legs = LegS(N)
    if variant not in ("exp", "softmax"):
        raise InputError(f"`variant` must be exp or softmax, got {variant!r}")
    B = np.ones(stored)
    if variant == "softmax":
        if length is None or step is None:
            raise InputError("the softmax variant of dss depends on the kernel: give `length` and `step`")
        span = checked_size("length", length) * exact_fraction(step)
        if span <= 0:
            raise InputError(f"`step` must be positive, got {step}")

        def inputs(ring: Balls) -> Array:
            times = ring.number(span)
            return np.array(
                [1 / (value * times).expm1() for value in legs.normal_spectrum(ring)[:stored]], dtype=object
            )

        B = nearest_certified(inputs, "complex128")
    return HalfSystem(legs.normal_spectrum()[:stored], B, multiplicity=np.full(stored, 2))


@start(
    "s5",
    "S5, blocks of the normal part of LegS",
    "S5 (Smith et al. 2022, arXiv:2208.04933); lindermanlab/S5: make_DPLR_HiPPO",
    "full real state size over all blocks (P in the source); half of each block is stored",
)
def s5(N: int, *, blocks: int = 1, rng: np.random.Generator | None = None) -> HalfSystem:
    """S5: Lambda = J times the spectrum of the normal part of LegS of size N/J (HiPPO-N), block after block.

    Parameters
    ----------
    N : int
        Full real state size; `blocks` must divide it. Odd blocks keep their real eigenvalue -1/2 (multiplicity 1).
    blocks : int
        J.
    rng : numpy.random.Generator, optional
        Without it B is V* B_LegS/2 in each block, for which the paper's corollary holds; with it B = V* b, b a
        truncated normal vector of variance 1/N (LeCun), as the code draws each column.

    Returns
    -------
    HalfSystem
        In each block the largest imaginary part first; the code keeps the conjugates, and `conjugate_full` both.

    Notes
    -----
    The low-rank term is dropped. Source: S5 (arXiv:2208.04933), initialization section and appendix B.

    Examples
    --------
    >>> from hippo_theory.initializations import s5
    >>> s5(8, blocks=2).Lambda.round(4)
    array([-0.5+4.6033j, -0.5+0.5565j, -0.5+4.6033j, -0.5+0.5565j])
    """
    N, blocks = checked_size("N", N), checked_size("blocks", blocks)
    if N % blocks:
        raise InputError(f"`blocks` must divide N = {N}, got {blocks}")
    one = diagonal_restriction(LegS(N // blocks))
    Lambda, B = one.Lambda[: one.stored], np.tile(one.B[: one.stored], blocks)
    multiplicity = [2] * (one.N // 2) + [1] * (one.N % 2)
    if rng is not None:
        V = normal_plus_low_rank(one.family).V[:, : one.stored]
        b = _truncated_normal(N, checked_generator(rng)).reshape(blocks, -1)
        B = (b @ V.conj()).ravel()
    return HalfSystem(np.tile(Lambda, blocks), B, multiplicity=np.tile(multiplicity, blocks))


def _truncated_normal(N: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """N draws from the normal distribution cut at two standard deviations, scaled to variance 1/N."""
    from scipy.special import ndtr, ndtri

    mass = ndtr(2.0) - ndtr(-2.0)
    variance = 1 - 4 * math.exp(-2.0) / (math.sqrt(2 * math.pi) * mass)
    draws: NDArray[np.float64] = ndtri(rng.uniform(ndtr(-2.0), ndtr(2.0), N)) / math.sqrt(variance * N)
    return draws
