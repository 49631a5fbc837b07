"""The diagonal starts of S4D: LegS, Inv, Inv2, Lin, Quad, Real, Rand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from flint import acb
from numpy.typing import NDArray

from hippo_theory.arithmetic import Arithmetic, Balls, nearest_certified
from hippo_theory.decompositions import diagonal_restriction
from hippo_theory.errors import InputError, checked_size
from hippo_theory.families import LegS
from hippo_theory.initializations.registry import checked_generator, pairs_of, start
from hippo_theory.systems import DenseSystem, DiagonalSystem, HalfSystem

__all__ = ["s4d_inv", "s4d_inv2", "s4d_legs", "s4d_lin", "s4d_quad", "s4d_rand", "s4d_real"]

Array = NDArray[Any]

_S4D = "S4D (Gu et al. 2022, arXiv:2206.11893)"
_STORED = "full real state size; the source stores N/2 of N"


def _line(N: int, id: str, frequency: Callable[[Arithmetic, int], Any], arithmetic: Balls | None) -> HalfSystem:
    """The start -1/2 + i w_n, n = 0..N/2-1, B = 1, from the formula of w_n."""
    stored = pairs_of(N, id)

    def frequencies(ring: Arithmetic) -> Array:
        return np.array([frequency(ring, n) for n in range(stored)], dtype=object)

    if arithmetic is None:
        return HalfSystem(-0.5 + 1j * nearest_certified(frequencies), np.ones(stored), multiplicity=np.full(stored, 2))
    with arithmetic.work() as ring:
        real = ring.number("-0.5")
        Lambda = np.array([acb(real, w) for w in frequencies(ring)], dtype=object)
        return HalfSystem(Lambda, ring.number(np.full(stored, 1, dtype=object)), multiplicity=np.full(stored, 2))


@start("s4d-legs", "diagonal restriction of LegS", _S4D, "full real state size, odd or even; ceil(N/2) stored")
def s4d_legs(N: int, *, form: str = "diagonal", arithmetic: Balls | None = None) -> HalfSystem | DenseSystem:
    """S4D-LegS: x' = Lambda x + (V* B/2) u, Lambda the eigenvalues of the normal part A + P P^T of LegS.

    Parameters
    ----------
    N : int
        Full real state size; an odd N has the real eigenvalue -1/2 (multiplicity 1), stored last.
    form : str
        ``dense`` is the same system in the coordinates of LegS: (A + P P^T, B/2), real.
    arithmetic : Balls, optional

    Returns
    -------
    HalfSystem, or DenseSystem
        Largest imaginary part first; B real and positive, by the phase of the eigenvectors.

    Notes
    -----
    state-spaces/s4 lists the conjugates, ascending, leaves out the factor 1/2 and clips the imaginary part of V* B,
    whose phase is arbitrary there. Source: S4D (arXiv:2206.11893), theorem on the diagonal restriction.

    Examples
    --------
    >>> from hippo_theory.initializations import s4d_legs
    >>> s4d_legs(3).Lambda.round(4), s4d_legs(3).multiplicity
    (array([-0.5+2.3979j, -0.5+0.j    ]), array([2, 1]))
    """
    legs = LegS(N)
    restriction = diagonal_restriction(legs)
    if form not in ("diagonal", "dense"):
        raise InputError(f"`form` of s4d-legs must be diagonal or dense, got {form!r}")
    if form == "dense":
        if arithmetic is None:
            return restriction.to_dense()
        with arithmetic.work() as ring:
            return DenseSystem(legs.normal_part(ring), legs.input_vector(ring) / 2)
    multiplicity = np.array([2] * (legs.N // 2) + [1] * (legs.N % 2))
    if arithmetic is None:
        return HalfSystem(restriction.Lambda[: legs.stored], restriction.B[: legs.stored], multiplicity=multiplicity)
    with arithmetic.work() as ring:
        Lambda, weights = legs.normal_spectrum(ring)[: legs.stored], legs.normal_weights(ring)[: legs.stored]
        return HalfSystem(Lambda, weights / 2, multiplicity=multiplicity)


@start("s4d-inv", "S4D-Inv, inverse law", _S4D, _STORED)
def s4d_inv(N: int, *, arithmetic: Balls | None = None) -> HalfSystem:
    """S4D-Inv: Lambda_n = -1/2 + i (N/pi)(N/(2n+1) - 1), n = 0..N/2-1, B = 1.

    Parameters
    ----------
    N : int
        Full real state size, even.
    arithmetic : Balls, optional

    Returns
    -------
    HalfSystem

    Notes
    -----
    Not to be confused with `s4d_inv2`, which later papers print under this name, nor with N as the number stored.
    Source: S4D (arXiv:2206.11893), eq. (8); state-spaces/s4 ``diag-inv`` (with negative imaginary part).

    Examples
    --------
    >>> from hippo_theory.initializations import s4d_inv
    >>> s4d_inv(4).Lambda.imag.round(6)
    array([3.819719, 0.424413])
    """
    return _line(
        N, "s4d-inv", lambda ring, n: ring.number(N) / ring.pi * (ring.number(N) / (2 * n + 1) - 1), arithmetic
    )


@start("s4d-inv2", "S4D-Inv2, second inverse law", "state-spaces/s4, dplr.py: inv2", _STORED)
def s4d_inv2(N: int, *, arithmetic: Balls | None = None) -> HalfSystem:
    """S4D-Inv2: Lambda_n = -1/2 + i (N/pi)(N/(n+1) - 1), n = 0..N/2-1, B = 1.

    Parameters
    ----------
    N : int
        Full real state size, even.
    arithmetic : Balls, optional

    Returns
    -------
    HalfSystem

    Notes
    -----
    Source: state-spaces/s4 ``diag-inv2``; quoted as S4D-Inv in the LRU paper.

    Examples
    --------
    >>> from hippo_theory.initializations import s4d_inv2
    >>> s4d_inv2(4).Lambda.imag.round(6)
    array([3.819719, 1.27324 ])
    """
    return _line(N, "s4d-inv2", lambda ring, n: ring.number(N) / ring.pi * (ring.number(N) / (n + 1) - 1), arithmetic)


@start("s4d-lin", "S4D-Lin, linear law", _S4D, _STORED)
def s4d_lin(N: int, *, arithmetic: Balls | None = None) -> HalfSystem:
    """S4D-Lin: Lambda_n = -1/2 + i pi n, n = 0..N/2-1, B = 1.

    Parameters
    ----------
    N : int
        Full real state size, even. The stored n = 0 stands for two states of eigenvalue -1/2, as in the source.
    arithmetic : Balls, optional

    Returns
    -------
    HalfSystem

    Notes
    -----
    Source: S4D (arXiv:2206.11893), eq. (9); state-spaces/s4 ``diag-lin``.

    Examples
    --------
    >>> from hippo_theory.initializations import s4d_lin
    >>> s4d_lin(4).Lambda.round(4)
    array([-0.5+0.j    , -0.5+3.1416j])
    """
    return _line(N, "s4d-lin", lambda ring, n: ring.pi * n, arithmetic)


@start("s4d-quad", "S4D-Quad, quadratic law", "state-spaces/s4, dplr.py: quad", _STORED)
def s4d_quad(N: int, *, arithmetic: Balls | None = None) -> HalfSystem:
    """S4D-Quad: Lambda_n = -1/2 + i (1/pi)(1 + 2n)^2, n = 0..N/2-1, B = 1.

    Parameters
    ----------
    N : int
        Full real state size, even.
    arithmetic : Balls, optional

    Returns
    -------
    HalfSystem

    Notes
    -----
    Several re-implementations drop the -1/2 and the i. Source: state-spaces/s4 ``diag-quad``.

    Examples
    --------
    >>> from hippo_theory.initializations import s4d_quad
    >>> s4d_quad(4).Lambda.imag.round(6)
    array([0.31831 , 2.864789])
    """
    return _line(N, "s4d-quad", lambda ring, n: ring.number((2 * n + 1) ** 2) / ring.pi, arithmetic)


@start("s4d-real", "S4D-Real", _S4D, "full real state size; with pairs=True the source stores N/2 of N")
def s4d_real(N: int, *, pairs: bool = False) -> DiagonalSystem | HalfSystem:
    """S4D-Real: Lambda_n = -(n+1), n = 0..N-1, B = 1: the eigenvalues of LegS itself. Exact.

    Parameters
    ----------
    N : int
        Full real state size.
    pairs : bool
        The layout of state-spaces/s4 without ``is_real``: -(n+1) for n = 0..N/2-1 only, each with multiplicity 2;
        N even.

    Returns
    -------
    DiagonalSystem, or HalfSystem with `pairs`

    Notes
    -----
    Source: S4D (arXiv:2206.11893); state-spaces/s4 ``diag-real``.

    Examples
    --------
    >>> from hippo_theory.initializations import s4d_real
    >>> s4d_real(3).Lambda
    array([-1., -2., -3.])
    """
    if pairs:
        stored = pairs_of(N, "s4d-real in pairs")
        return HalfSystem(-np.arange(1.0, stored + 1), np.ones(stored), multiplicity=np.full(stored, 2))
    N = checked_size("N", N)
    return DiagonalSystem(-np.arange(1.0, N + 1), np.ones(N))


@start("s4d-rand", "S4D-Rand, random", f"{_S4D}; state-spaces/s4, dplr.py: rand", _STORED)
def s4d_rand(
    N: int, *, rng: np.random.Generator, random_real: bool = False, uniform_imaginary: bool = False
) -> HalfSystem:
    """S4D-Rand: Lambda_n = -1/2 + i e^g, g normal N(0, 1), n = 0..N/2-1, B = 1.

    Parameters
    ----------
    N : int
        Full real state size, even.
    rng : numpy.random.Generator
    random_real : bool
        Real part -U[0, 1] instead of -1/2.
    uniform_imaginary : bool
        Imaginary part (N/2) U[0, 1] instead.

    Returns
    -------
    HalfSystem

    Notes
    -----
    Source: state-spaces/s4 ``diag-rand`` (its options ``real_random`` and ``imag_random``).

    Examples
    --------
    >>> from hippo_theory.initializations import s4d_rand
    >>> s4d_rand(4, rng=np.random.default_rng(0)).Lambda.real
    array([-0.5, -0.5])
    """
    stored, rng = pairs_of(N, "s4d-rand"), checked_generator(rng)
    real = -rng.random(stored) if random_real else np.full(stored, -0.5)
    imaginary = stored * rng.random(stored) if uniform_imaginary else np.exp(rng.standard_normal(stored))
    return HalfSystem(real + 1j * imaginary, np.ones(stored), multiplicity=np.full(stored, 2))
