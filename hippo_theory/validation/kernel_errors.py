"""What a deviation does: the kernel of the stored parameters against that of the exact ones.

K_l = C Abar^l Bbar for l < length, both with the same C, steps and length, by zero-order hold for diagonal systems and by the
bilinear rule for diagonal plus low rank, as the codebases do. C is the first row of the stored one; where the file has
none, C_n = conj(B_n)/|B_n|, which undoes the phases of B and weighs all modes equally, so that the kernel is the sum of
|B_n| e^(lambda_n t). B is the stored one (1 where the file has none) against the exact one in the convention that it is
nearest to, V* B or V* B / 2, with the phases of the stored one: which of the two it is never counts as an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.kernels import bilinear_low_rank, krylov_kernel, s4d_kernel

__all__ = ["KernelError", "SystemArrays", "kernel_error"]

Array = NDArray[Any]

LENGTH = 1024  # lags, where the file does not say
_LARGEST_DIAGONAL = 8192  # states above which kernels are left out
_LARGEST_LOW_RANK = 512  # states above which the dense kernel is left out


@dataclass(frozen=True)
class KernelError:
    """Errors of a kernel relative to the exact one.

    Attributes
    ----------
    l2, sup : float
        Root of the sum of squares, and the largest absolute value, of the difference, over those of the exact kernel;
        the worst over the steps.
    length : int
    step : float
        The step at which the L2 error is worst.
    inputs : str
        Which C and which exact B the two kernels have, in words: C the first row of the stored one, or the phases of B with
        equal weights, conj(B_n)/|B_n|; B the convention nearest to the stored one (V* B, V* B / 2, 1).
    """

    l2: float
    sup: float
    length: int
    step: float
    inputs: str = ""


@dataclass(frozen=True, eq=False)
class SystemArrays:
    """Lambda, B, C (n,), P (n, r) or None, and how often each stored state counts."""

    Lambda: Array
    B: Array
    C: Array
    P: Array | None
    multiplicity: Array


def kernel_error(stored: SystemArrays, exact: SystemArrays, steps: Array, length: int = LENGTH) -> KernelError | None:
    """The worst errors over some steps, or None where a kernel is not finite or the system is too large for it."""
    largest = _LARGEST_DIAGONAL if exact.P is None else _LARGEST_LOW_RANK
    if 2 * len(exact.Lambda) > largest:
        return None
    worst: KernelError | None = None
    for step in steps:
        try:
            with np.errstate(all="ignore"):
                ours, truth = (_kernel(system, float(step), length) for system in (stored, exact))
        except np.linalg.LinAlgError:  # 1 - dt A / 2 is singular, or its entries are beyond all numbers
            continue
        if not (np.isfinite(ours).all() and np.isfinite(truth).all() and np.any(truth)):
            continue
        gap = ours - truth
        l2 = float(np.linalg.norm(gap) / np.linalg.norm(truth))
        sup = float(np.abs(gap).max() / np.abs(truth).max())
        if worst is None or l2 > worst.l2:
            worst = KernelError(l2, sup, length, float(step))
    return worst


def _kernel(system: SystemArrays, step: float, length: int) -> Array:
    counts = [int(count) for count in system.multiplicity]
    if system.P is None:
        kernel = s4d_kernel(system.Lambda, system.B, system.C, step, length, multiplicity=counts, check_values=False)
        return np.asarray(kernel)
    Lambda, B, C, P = system.Lambda, system.B, system.C, system.P
    pairs = system.multiplicity == 2
    if pairs.any():  # the conjugates interact through the low-rank term
        Lambda, B, C = (np.append(part, part[pairs].conj()) for part in (Lambda, B, C))
        P = np.append(P, P[pairs].conj(), axis=0)
    Abar, Bbar = bilinear_low_rank(Lambda + 0j, P + 0j, P + 0j, B + 0j, step, check_values=False)
    return np.asarray(krylov_kernel(Abar, Bbar, C + 0j, length, check_values=False).real)
