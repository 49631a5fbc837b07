"""Starts of the recurrent networks with diagonal states: LRU, Mamba, Mamba-2."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hippo_theory.errors import InputError, checked_size
from hippo_theory.initializations.registry import checked_generator, pairs_of, start
from hippo_theory.systems import DiagonalSystem, HalfSystem

__all__ = ["RingParameters", "lru", "mamba2", "mamba_real", "ring_parameters"]


@dataclass(frozen=True, eq=False)
class RingParameters:
    """The parameters of an LRU: Lambda = exp(-nu + i theta), gamma = sqrt(1 - abs(Lambda)^2).

    Attributes
    ----------
    nu, theta, gamma : (stored,) ndarray of float64
        Checkpoints hold their logarithms as nu_log, theta_log, gamma_log.
    """

    nu: NDArray[np.float64]
    theta: NDArray[np.float64]
    gamma: NDArray[np.float64]

    @property
    def Lambda(self) -> NDArray[np.complex128]:
        """Eigenvalues of the discrete system, (stored,)."""
        values: NDArray[np.complex128] = np.exp(-self.nu + 1j * self.theta)
        return values


def ring_parameters(
    stored: int, *, rng: np.random.Generator, smallest: float = 0.0, largest: float = 1.0, phase: float = 2 * math.pi
) -> RingParameters:
    """Eigenvalues uniform on a ring: nu = -log(u (largest^2 - smallest^2) + smallest^2)/2, theta = phase u'.

    Parameters
    ----------
    stored : int
        How many.
    rng : numpy.random.Generator
    smallest, largest : float
        Radii, 0 <= smallest < largest <= 1.
    phase : float
        Largest angle, in (0, 2 pi].

    Returns
    -------
    RingParameters

    Notes
    -----
    u and u' are uniform on (0, 1), ends excluded, so that no modulus is 0 or 1. Source: LRU (arXiv:2303.06349),
    lemma on the ring.

    Examples
    --------
    >>> from hippo_theory.initializations import ring_parameters
    >>> ring = ring_parameters(100, rng=np.random.default_rng(0), smallest=0.9, largest=0.999)
    >>> bool((abs(ring.Lambda) >= 0.9).all() and (abs(ring.Lambda) <= 0.999).all())
    True
    """
    if not 0 <= smallest < largest <= 1:
        raise InputError(f"radii must satisfy 0 <= `smallest` < `largest` <= 1, got {smallest} and {largest}")
    if not 0 < phase <= 2 * math.pi:
        raise InputError(f"`phase` must lie in (0, 2 pi], got {phase}")
    stored, rng = checked_size("stored", stored), checked_generator(rng)
    squares, angles = np.maximum(rng.random((2, stored)), 2.0**-54)
    nu = -0.5 * np.log(squares * (largest**2 - smallest**2) + smallest**2)
    return RingParameters(nu, phase * angles, np.sqrt(-np.expm1(-2 * nu)))


@start(
    "lru",
    "LRU, ring in the unit disc",
    "LRU (Orvieto et al. 2023, arXiv:2303.06349)",
    "full real state size, even; the N complex states of the source are the N/2 stored here",
)
def lru(
    N: int,
    *,
    rng: np.random.Generator,
    smallest: float = 0.0,
    largest: float = 1.0,
    phase: float = 2 * math.pi,
) -> HalfSystem:
    """LRU: x_l = Lambda x_(l-1) + gamma b u_l, a discrete system; Lambda uniform on a ring (see `ring_parameters`).

    Parameters
    ----------
    N : int
        Full real state size, even; the source's complex state size is N/2.
    rng : numpy.random.Generator
        Draws the ring first, then b.
    smallest, largest, phase : float

    Returns
    -------
    HalfSystem
        With ``discrete=True`` and B = gamma b, b complex normal with E abs(b)^2 = 1 (one input). The source takes the
        real part of C x without a factor 2: its C is 2 C here.

    Notes
    -----
    Source: LRU (arXiv:2303.06349), lemma on the ring and section on normalization.

    Examples
    --------
    >>> from hippo_theory.initializations import lru
    >>> system = lru(8, rng=np.random.default_rng(0))
    >>> system.discrete, bool((abs(system.Lambda) < 1).all())
    (True, True)
    """
    stored = pairs_of(N, "lru")
    ring = ring_parameters(stored, rng=rng, smallest=smallest, largest=largest, phase=phase)
    real, imaginary = checked_generator(rng).standard_normal((2, stored)) / math.sqrt(2)
    B = ring.gamma * (real + 1j * imaginary)
    return HalfSystem(ring.Lambda, B, multiplicity=np.full(stored, 2), discrete=True)


@start(
    "mamba-real",
    "Mamba, S4D-Real",
    "Mamba (Gu and Dao 2023, arXiv:2312.00752); state-spaces/mamba",
    "state size of each channel, all real",
)
def mamba_real(N: int) -> DiagonalSystem:
    """Mamba: Lambda_n = -(n+1), n = 0..N-1, the same in each channel; A_log = log(n+1) is what is stored. Exact.

    Parameters
    ----------
    N : int
        State size of one channel (``d_state``).

    Returns
    -------
    DiagonalSystem
        Of one channel. B = 1 stands for the input-dependent B(u) of Mamba.

    Notes
    -----
    Source: Mamba (arXiv:2312.00752): "S4D-Real".

    Examples
    --------
    >>> from hippo_theory.initializations import mamba_real
    >>> mamba_real(3).Lambda
    array([-1., -2., -3.])
    """
    N = checked_size("N", N)
    return DiagonalSystem(-np.arange(1.0, N + 1), np.ones(N))


@start(
    "mamba2",
    "Mamba-2, one scalar a head",
    "Mamba-2 (Dao and Gu 2024, arXiv:2405.21060); state-spaces/mamba",
    "state size over all heads, all real; heads=N is the layout of A_log, one entry a head",
)
def mamba2(N: int, *, rng: np.random.Generator, heads: int = 1) -> DiagonalSystem:
    """Mamba-2: Lambda = -a in all states of a head, a uniform on [1, 16], one for each head.

    Parameters
    ----------
    N : int
        State size over all heads; `heads` must divide it.
    rng : numpy.random.Generator
    heads : int

    Returns
    -------
    DiagonalSystem
        Head after head. B = 1 stands for the input-dependent B(u).

    Notes
    -----
    Not S4D-Real, and not log(1..heads), which a port stores instead. Source: state-spaces/mamba, ``A_init_range``.

    Examples
    --------
    >>> from hippo_theory.initializations import mamba2
    >>> Lambda = mamba2(6, heads=2, rng=np.random.default_rng(0)).Lambda
    >>> bool((Lambda[:3] == Lambda[0]).all() and -16 <= Lambda[3] <= -1)
    True
    """
    N, heads = checked_size("N", N), checked_size("heads", heads)
    if N % heads:
        raise InputError(f"`heads` must divide N = {N}, got {heads}")
    scalars = checked_generator(rng).uniform(1.0, 16.0, heads)
    return DiagonalSystem(-np.repeat(scalars, N // heads), np.ones(N))
