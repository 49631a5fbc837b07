"""What theory allows a start to reach on the tasks of `experiments`: no signal, no kernel, no training.

A stationary input whose power lies on given frequencies, and the outputs y = C x of a system with all C allowed: by
Parseval the mean square of y_l - u_(l-shift) is that of C X(z) - z^(-shift) over those frequencies, where X is the
transfer function from the input to the state. The least one is the distance of the delay from the span of the basis
kernels, filtered by the spectrum of the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.arithmetic import exact_fraction
from hippo_theory.discretizations import discretize_system
from hippo_theory.systems import HalfSystem, transfer_function

__all__ = ["SMALLEST_DIRECTION", "least_error"]

#: Directions of the states below this, relative to the largest, are left out of least squares: float64 does not know them.
SMALLEST_DIRECTION = 1e-12


def _line_spectrum(shift: int, period: int, lines: int) -> NDArray[np.complex128]:
    """z^(-shift) at z = e^(2 pi i k/period), k = -lines..lines: the spectrum of a unit impulse at that lag."""
    impulse = np.zeros(period)
    impulse[shift % period] = 1
    spectrum = np.fft.fft(impulse)
    return np.concatenate([spectrum[period - lines :], spectrum[: lines + 1]])


def least_error(
    system: HalfSystem, method: str, step: float, shifts: Sequence[int], *, period: int, lines: int
) -> float:
    """The least relative error, over all C, of outputs that are to be the inputs `shifts` samples ago.

        e^2 = mean over shifts of  min_C  mean_(abs(k) <= lines)  abs(C X(z_k) - z_k^(-shift))^2,
        X(z) = z (z I - Abar)^-1 Bbar,   z_k = e^(2 pi i k/period).

    Parameters
    ----------
    system : HalfSystem
        In continuous time; C plays no part.
    method : str
        How it is discretized, see `hippo_theory.discretizations.discretize_system`.
    step : float
    shifts : sequence of int
        Delays, in samples.
    period, lines : int
        The input has equal power on the frequencies k/period cycles a sample, abs(k) <= lines, and none elsewhere.

    Returns
    -------
    float
        Root mean square of the error over that of the input: 1 is what C = 0 reaches.

    Notes
    -----
    The minimum over complex C is that over the real outputs of the real system, because the frequencies come in pairs.
    C is bounded: what only directions below `SMALLEST_DIRECTION` would gain is not counted, and errors below about 1e-12
    are those of float64. O(lines N^2). Give many more lines than states, or the system interpolates them.

    Examples
    --------
    >>> from hippo_theory.initializations import initialization
    >>> from hippo_theory.systems import conjugate_half
    >>> from hippo_theory.torch.least_errors import least_error
    >>> legt = conjugate_half(initialization("legt", 8, form="dplr"))
    >>> 1e-5 < least_error(legt, "bilinear", 1 / 64, [64], period=6400, lines=100) < 1e-4
    True
    """
    discrete = discretize_system(system, method, exact_fraction(step))
    z = _line_spectrum(-1, period, lines)
    states: Any = transfer_function(HalfSystem(**{**vars(discrete), "C": None}), z) * z[:, None]
    states = states / np.linalg.norm(states, axis=0)
    wanted = np.stack([_line_spectrum(shift, period, lines) for shift in shifts], axis=1)
    solution = np.linalg.lstsq(states, wanted, rcond=SMALLEST_DIRECTION)[0]
    return float(np.linalg.norm(states @ solution - wanted) / np.linalg.norm(wanted))
