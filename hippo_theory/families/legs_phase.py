"""The spectrum of the normal part of LegS from its phase equation, certified, without an eigensolver.

With q_N(s) = 1 - B^T (s I - A)^-1 B = prod_{k<N} (s-k)/(s+k+1), the matrix A + B B^T / 2 has the eigenvalue s exactly
where q_N(s) = -1 (matrix determinant lemma). On the line s = -1/2 + i w every factor has modulus 1, and the equation
becomes one for the phase:

    phi_N(w) = sum_{k<N} atan(w / (k + 1/2)) = Im[ lgamma(N + 1/2 + i w) - lgamma(1/2 + i w) ] = (pi/2) m,
    m = N-1, N-3, ..., -(N-1).

phi_N increases strictly from -N pi/2 to N pi/2, so that there is exactly one root for each m: N simple roots, all of
the spectrum, and an enclosure that contains one root for each m has missed nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from flint import acb, arb

from hippo_theory.arithmetic import Balls, balls
from hippo_theory.errors import CertificationError
from hippo_theory.families.base import Array
from hippo_theory.families.legs_phase_float import frequencies_and_weights

__all__ = ["eigenvector", "frequencies", "phase", "slope"]


def phase(N: int, frequency: Any) -> Any:
    """phi_N(w) as a ball, at the precision in force."""
    half = arb(1) / 2
    return acb(half + N, frequency).lgamma().imag - acb(half, frequency).lgamma().imag


def _wrapped_residual(N: int, frequency: Any, m: int) -> Any:
    """phi_N(w) - (pi/2) m modulo 2 pi: the argument of (-i)^m prod_{k<N} (k + 1/2 + i w)."""
    return (acb(arb(1) / 2, frequency).rising(N) * _QUARTER_TURNS[m % 4]).arg()


_QUARTER_TURNS = (acb(1), acb(0, -1), acb(-1), acb(0, 1))  # (-i)^m


def _residual(N: int, frequency: Any, m: int) -> Any:
    return phase(N, frequency) - arb.pi() * m / 2


def slope(N: int, frequency: Any) -> Any:
    """phi_N'(w) = Re[psi(N + 1/2 + i w) - psi(1/2 + i w)] as a ball, at the precision in force."""
    half = arb(1) / 2
    return acb(half + N, frequency).digamma().real - acb(half, frequency).digamma().real


def frequencies(N: int, arithmetic: Balls, indices: Array | None = None) -> Array:
    """The nonnegative roots of phi_N(w) = (pi/2) m, by decreasing w, each enclosed by one interval Newton step.

    Parameters
    ----------
    N : int
        State size.
    arithmetic : Balls
        Relative radii come out near 2^-bits.
    indices : ndarray of int, optional
        Which of the roots (0 is the largest); all ceil(N/2) by default.

    Returns
    -------
    (ceil(N/2),) ndarray of arb, or as many as there are indices
        For odd N the last is exactly 0.

    Raises
    ------
    CertificationError
        If a root could not be enclosed (it would mean that the float64 start was wrong).

    Notes
    -----
    O(1) operations a root. Newton's iteration starts from the float64 roots, whose weights give the first slope, and
    doubles its digits at each step; each step works at the precision that its result deserves, and only the last needs
    intervals.

    Examples
    --------
    >>> from hippo_theory.arithmetic import balls, decimal_ball
    >>> from hippo_theory.families.legs_phase import frequencies
    >>> decimal_ball(frequencies(4, balls(120))[0], 25).value
    '4.6032930070668486809135768'
    """
    # Subtracting log-gammas of size w log w, w <= N^2/pi, loses some 2 log2(N) + 5 bits, and so do the slopes; long
    # products lose some 20.
    guard = 2 * N.bit_length() + 24
    starts, weights = frequencies_and_weights(N)
    chosen = np.arange((N + 1) // 2) if indices is None else np.asarray(indices)
    # For small N a product costs less than two log-gammas, but knows the phase only modulo 2 pi. That is enough where all
    # roots are asked for: floor(N/2) distinct positive ones are all there are, and their order tells which is which.
    wrapped = N <= 192 and indices is None
    residual = _wrapped_residual if wrapped else _residual
    bits = max(arithmetic.bits, 100)  # what one Newton step from float64 gives anyhow
    positive = chosen[2 * chosen < N - 1].tolist()
    targets = [N - 1 - 2 * index for index in positive]
    with balls(64).work():
        roots = [arb(starts[index]) for index in positive]
        slopes = [arb(2 / weights[index] ** 2) for index in positive]
    accuracy = slope_accuracy = 50  # bits; the float64 starts and their weights carry 51 or more
    while True:
        if accuracy > 50:
            with balls(accuracy + guard).work():
                slopes = [slope(N, root) for root in roots]
            # python-flint's digamma may lose a twentieth of its bits: count what it delivers.
            slope_accuracy = min([accuracy - 2, *(derivative.rel_accuracy_bits() for derivative in slopes)])
        if accuracy > 50 and accuracy + slope_accuracy >= bits:
            break
        with balls(accuracy + slope_accuracy + guard).work():
            steps = zip(roots, targets, slopes, strict=True)
            roots = [(root - residual(N, root, m) / derivative).mid() for root, m, derivative in steps]
        accuracy += slope_accuracy - 8
    with balls(64).work():
        # On I = w (1 +- eps) the slope stays within phi'(w) (1 +- 3 eps): each term of phi' is x/(x^2+w^2), so that
        # -2 <= w phi''/phi' <= 0. (Balls around both digammas would lose 2 log2(N) bits of that.)
        spread = arb(0, arb(2) ** -accuracy)
    with balls(accuracy + guard).work():
        intervals = [root * (1 + spread) for root in roots]
        slopes = [derivative * (1 + 3 * spread) for derivative in slopes]
    with balls(bits + guard).work():
        # Interval Newton: if w - (phi(w) - target)/phi'(I) lies inside I, it contains the root.
        steps = zip(roots, targets, slopes, strict=True)
        enclosed = [root - residual(N, root, m) / derivative for root, m, derivative in steps]
    for interval, image, m in zip(intervals, enclosed, targets, strict=True):
        if not interval.contains_interior(image):
            raise CertificationError(f"the root m = {m} of the phase equation at N = {N} was not enclosed")
    if wrapped and not all(left > right for left, right in pairwise([*enclosed, arb(0)])):
        raise CertificationError(f"the roots of the phase equation at N = {N} were not separated")
    return np.array(enclosed + [arb(0)] * (len(chosen) - len(positive)), dtype=object)


def eigenvector(N: int, frequency: Any, arithmetic: Balls, components: Iterable[int]) -> Array:
    """Components of the unit eigenvector of the normal part for -1/2 + i w, with v* B > 0.

        v_n = X_n(lambda) / sqrt(2 phi_N'(w)) = (-1)^n R_n e^(-2 i phi_n(w)) / ((n + 1/2 + i w) sqrt(2 phi_N'(w))).

    With S = A + B B^T / 2: (lambda I - S) X(lambda) = B - B (B^T X(lambda))/2 = 0, because B^T X = 1 - q_N = 2 at an
    eigenvalue. The norm follows from abs(X_n)^2 = (2n+1)/((n+1/2)^2 + w^2), whose sum over n is 2 phi_N'(w). The phase
    is kept as a real angle: a product of complex balls would grow by up to sqrt 2 at each turn.
    """
    scale = 1 / arithmetic.sqrt(2 * slope(N, frequency))
    column, reached, angle = [], 0, arb(0)
    for n in components:
        if n - reached > 40:  # about where two log-gammas cost less than the arctangents between
            angle = phase(n, frequency)
        else:
            for k in range(reached, n):
                angle += (frequency / (arb(2 * k + 1) / 2)).atan()
        reached = n
        turn = acb((2 * angle).cos(), -(2 * angle).sin())
        size = scale * arb(2 * n + 1).sqrt() * (-1) ** n
        column.append(size * turn / acb(arb(2 * n + 1) / 2, frequency))
    return np.array(column, dtype=object)
