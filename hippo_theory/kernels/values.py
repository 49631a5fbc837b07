"""What a kernel function with an error bound returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

__all__ = ["KernelValues"]


@dataclass(frozen=True, eq=False)
class KernelValues:
    """Values of a kernel at lags 0, ..., L-1, which algorithm gave them, and how far off they may be.

    Attributes
    ----------
    values : (L,) or (K, L) ndarray of float64 or complex128
        A row for each of K outputs; read-only.
    bound : float
        On the largest absolute error, divided by the largest absolute value; of several outputs the worst.
    algorithm : str
        Its name.
    kind : str
        What the bound is. ``proved``: from a rounding error analysis with every constant, for IEEE 754 arithmetic,
        elementary functions within 4 units in the last place, and a BLAS that multiplies matrices conventionally.
        ``float64``: from an analysis to first order in the machine epsilon, tested against balls. ``observed``: from
        errors that were measured, with a margin; not a proof.

    Examples
    --------
    >>> from hippo_theory.kernels import nonuniform_kernel
    >>> kernel = nonuniform_kernel([-0.5 + 3j], [0.5], 0.01, 100)
    >>> kernel.values.shape, kernel.algorithm, kernel.kind
    ((100,), 'blocks', 'proved')
    """

    values: NDArray[Any]
    bound: float
    algorithm: str
    kind: str

    def __post_init__(self) -> None:
        self.values.flags.writeable = False
