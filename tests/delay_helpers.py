"""The second route to the least error of a delay: kernels and the autocorrelation of the input."""

from __future__ import annotations

import numpy as np


def autocorrelation_error(kernels, shift, period, lines):
    """The least error from kernels (N, L) and the autocorrelation of the input, by the normal equations in lags:

    min_c  r_0 - 2 c.g + c' G c,   G = K R K',  g = K R e_shift,  R_lm = r_(l-m) = mean of cos(2 pi k (l - m)/period).
    """
    lags = np.arange(max(kernels.shape[1], shift + 1))
    r = np.cos(2 * np.pi * np.outer(lags, np.arange(-lines, lines + 1)) / period).mean(1)
    R = r[np.abs(lags[:, None] - lags)]
    K = np.pad(kernels, ((0, 0), (0, len(lags) - kernels.shape[1])))
    G, g = K @ R @ K.T, K @ R[:, shift]
    return np.sqrt(1 - g @ np.linalg.solve(G, g))
