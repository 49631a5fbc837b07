"""How near a system can come to a delay, on inputs of a given band: no signal, no kernel, no training.

A stationary input whose power lies on given frequencies, and the outputs y = C x of a system with all C allowed: by
Parseval the mean square of y_l - u_(l-shift) is that of C X(z) - z^(-shift) over those frequencies, where X is the
transfer function from the input to the state. The least one is the distance of the delay from the span of the basis
kernels, filtered by the spectrum of the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.arithmetic import exact_fraction
from hippo_theory.discretizations import Discretization, discretize_system
from hippo_theory.errors import InputError, checked_size
from hippo_theory.norms.gramians import stable_form
from hippo_theory.systems import System, transfer_function

__all__ = ["SMALLEST_DIRECTION", "least_delay_error"]

#: Directions of the states below this, relative to the largest, are left out of least squares: float64 does not know them.
SMALLEST_DIRECTION = 1e-12


def _line_spectrum(shift: int, period: int, lines: int) -> NDArray[np.complex128]:
    """z^(-shift) at z = e^(2 pi i k/period), k = -lines..lines: the spectrum of a unit impulse at that lag."""
    impulse = np.zeros(period)
    impulse[shift % period] = 1
    spectrum = np.fft.fft(impulse)
    return np.concatenate([spectrum[period - lines :], spectrum[: lines + 1]])


def least_delay_error(
    system: System, method: str | Discretization, step: Any, shifts: Sequence[int], *, period: int, lines: int
) -> float:
    """The least relative error, over all C, of outputs that are to be the inputs `shifts` samples ago.

        e^2 = mean over shifts of min over C of mean over k of abs(C X(z_k) - z_k^(-shift))^2,   abs(k) <= lines,
        X(z) = z (z I - Abar)^-1 Bbar,   z_k = e^(2 pi i k/period).

    Parameters
    ----------
    system : System
        In continuous time, float64 or complex128; C plays no part.
    method : str or Discretization
        How it is discretized, see `hippo_theory.discretizations.discretize_system`.
    step : number
        dt > 0, exact.
    shifts : sequence of int
        Delays, in samples.
    period, lines : int
        The input has equal power on the frequencies k/period cycles a sample, abs(k) <= lines, and none elsewhere.

    Returns
    -------
    float
        Root mean square of the error over that of the input: 1 is what C = 0 reaches. Observed.

    Raises
    ------
    InputError
        If there are no delays, one is no whole number of at least 0, 2 lines + 1 exceeds period, the discrete system is
        not stable, or the system has no such discretization.

    Notes
    -----
    The minimum over complex C is that over the real outputs of the real system, because the frequencies come in pairs.
    C is bounded: what only directions below `SMALLEST_DIRECTION` would gain is not counted, and errors below about 1e-12
    are those of float64. O(lines N^2 + N^3). Give many more lines than states, or the system interpolates them.

    Examples
    --------
    >>> from hippo_theory.initializations import initialization
    >>> from hippo_theory.norms import least_delay_error
    >>> legt = initialization("legt", 8, form="dplr")
    >>> 1e-5 < least_delay_error(legt, "bilinear", "1/64", [64], period=6400, lines=100) < 1e-4
    True
    """
    delays = [checked_size("shifts", shift, 0) for shift in shifts]
    period, lines = checked_size("period", period), checked_size("lines", lines, 0)
    if not delays:
        raise InputError("`shifts` must hold at least one delay, got none; give [0] for the input itself")
    if 2 * lines + 1 > period:
        raise InputError(
            f"`lines` must be at most (period - 1)/2 = {(period - 1) // 2}, got {lines}; there are no more frequencies"
        )
    continuous: Any = system  # of one of the types that the union holds
    discrete: System = discretize_system(continuous, method, exact_fraction(step))
    stable_form(discrete)
    z = _line_spectrum(-1, period, lines)
    states: Any = transfer_function(replace(discrete, C=None), z) * z[:, None]
    size = np.linalg.norm(states, axis=0)
    states = states / np.where(size > 0, size, 1)  # a state that no input reaches is zero
    wanted = np.stack([_line_spectrum(shift, period, lines) for shift in delays], axis=1)
    solution = np.linalg.lstsq(states, wanted, rcond=SMALLEST_DIRECTION)[0]
    return float(np.linalg.norm(states @ solution - wanted) / np.linalg.norm(wanted))
