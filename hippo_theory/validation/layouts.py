"""How codebases store the parameters of a state space model: one entry each.

A layout names the tensors by the last part of their names, says how each is turned into a parameter, and along which axis
the states lie. Adding a layout is one entry in `LAYOUTS`. What a layout cannot say (which half of the conjugate pairs is
stored, which time scale) is not assumed: `matching` finds it out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_theory.validation.quantities import Quantity, combined, quantity, real_pairs

__all__ = ["LAYOUTS", "Layout", "Source", "StoredTensor"]

Array = NDArray[Any]


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as a file or a caller gives it.

    Attributes
    ----------
    name, dtype : str
        The dtype is named, since NumPy has no bfloat16.
    shape : tuple of int
    read : callable
        Returns the array.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    read: Callable[[], Array] = field(repr=False, compare=False)

    def quantity(self, transform: str = "identity", pairs: bool = False) -> Quantity:
        """The parameter that the tensor holds; `pairs`: complex numbers viewed as (..., 2) reals."""
        values = self.read()
        if not pairs or np.iscomplexobj(values):
            if not np.iscomplexobj(values):
                values = values.astype(np.float64)
            return quantity(values, self.dtype, (self.name,), transform)
        values = real_pairs(values)
        plain = quantity(values.real, self.dtype, (self.name,), transform)
        return combined(plain, quantity(values.imag, self.dtype, (), transform))


@dataclass(frozen=True)
class Source:
    """Where a parameter stands: the tensor, how it is stored."""

    tensor: str
    transform: str = "identity"
    pairs: bool = False


@dataclass(frozen=True)
class Layout:
    """How one codebase stores the parameters of one layer.

    Attributes
    ----------
    name, codebases : str
    real, imaginary : Source
        Real and imaginary part of Lambda; the real one alone may hold complex numbers.
    needs : tuple of str
        Tensors besides those of Lambda without which the layout is not this one.
    refuses : tuple of str
        Tensors that show that the layout is another one.
    B, P, Q, C, step : Source, optional
    state_axis : int
        Axis of the states in Lambda, P and B (after pairs are joined): -1, or 0 in code that vectorizes over the last.
    low_rank_first : bool
        P and Q are (r, ..., n) instead of (..., n) of rank 1.
    kind : str
        ``continuous``; ``ring``: Lambda is a multiplier e^(real + i imaginary); ``heads``: one scalar for each head;
        ``skew``: eigenvalues of the skew part, without the real part -1/2.
    dimensions : int, optional
        Number of axes of the tensor of the real part, where that tells two layouts apart.
    input_per_state : bool
        B is a matrix (n, inputs), random at the start: not the HiPPO input vector.
    halves : bool
        The code adds the conjugates itself, so that one of each pair is to be stored.
    axis_is_fixed : bool
        The code reads the states along `state_axis`, and along no other.
    """

    name: str
    codebases: str
    real: Source
    imaginary: Source | None = None
    needs: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()
    B: Source | None = None
    P: Source | None = None
    Q: Source | None = None
    C: Source | None = None
    step: Source | None = None
    state_axis: int = -1
    low_rank_first: bool = True
    kind: str = "continuous"
    dimensions: int | None = None
    input_per_state: bool = False
    halves: bool = False
    axis_is_fixed: bool = True

    @property
    def axis(self) -> str:
        """The axis of the states in words, empty where the code does not fix it."""
        return ("first" if self.state_axis == 0 else "last") if self.axis_is_fixed else ""


_B, _C, _P = (Source(name, pairs=True) for name in ("B", "C", "P"))

LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "s4-v4",
        "state-spaces/s4 v4",
        Source("A_real", "negative exp"),
        Source("A_imag", "negative"),
        needs=("inv_dt",),
        step=Source("inv_dt", "exp"),
        B=_B,
        C=_C,
        P=_P,
        halves=True,
    ),
    Layout(
        "s4-v4-real",
        "state-spaces/s4 v4, is_real",
        Source("A_real", "negative exp"),
        needs=("inv_dt",),
        refuses=("A_imag",),
        step=Source("inv_dt", "exp"),
        B=Source("B"),
        C=Source("C"),
    ),
    Layout(
        "s4d-minimal",
        "state-spaces/s4 minimal S4D, ml4gw",
        Source("log_A_real", "negative exp"),
        Source("A_imag"),
        step=Source("log_dt", "exp"),
        C=Source("C", pairs=True),
        halves=True,
    ),
    Layout(
        "s4-v3",
        "state-spaces/s4 v3, H3, safari",
        Source("inv_w_real", "negative exp"),
        Source("w_imag"),
        step=Source("log_dt", "exp"),
        B=_B,
        C=_C,
        P=_P,
        halves=True,
    ),
    Layout(
        "s4-v3-diagonal",
        "state-spaces/s4 v3, H3, safari, diagonal mode",
        Source("inv_A_real", "negative exp"),
        Source("A_imag"),
        step=Source("log_dt", "exp"),
        B=_B,
        C=_C,
        halves=True,
    ),
    Layout(
        "s4-v2.1",
        "state-spaces/s4 v2.1",
        Source("log_w_real", "negative exp"),
        Source("w_imag"),
        step=Source("log_dt", "exp"),
        B=_B,
        C=_C,
        P=_P,
        halves=True,
    ),
    Layout(
        "s4-v2",
        "state-spaces/s4 v2",
        Source("w", pairs=True),
        needs=("B", "P", "Q", "log_dt"),
        Q=Source("Q", pairs=True),
        step=Source("log_dt", "exp"),
        B=_B,
        C=_C,
        P=_P,
        halves=True,
    ),
    Layout(
        "s4-v1",
        "state-spaces/s4 v1: B over p and C over q, each in one tensor",
        Source("w", pairs=True),
        needs=("B", "C", "nodes", "log_dt"),
        step=Source("log_dt", "exp"),
        B=_B,
        C=_C,
        halves=True,
    ),
    Layout(
        "annotated-s4",
        "srush/annotated-s4",
        Source("Lambda_re"),
        Source("Lambda_im"),
        needs=("P", "B", "log_step"),
        B=Source("B"),
        P=Source("P"),
        C=Source("C", pairs=True),
        step=Source("log_step", "exp"),
        state_axis=0,
        low_rank_first=False,
        dimensions=2,
    ),
    Layout(
        "annotated-s4d",
        "srush/annotated-s4, S4D (its kernel ignores B)",
        Source("A_re"),
        Source("A_im"),
        C=Source("C", pairs=True),
        step=Source("log_step", "exp"),
        state_axis=0,
    ),
    Layout(
        "annotated-dss",
        "srush/annotated-s4, DSS",
        Source("Lambda_re"),
        Source("Lambda_im"),
        needs=("W", "log_step"),
        step=Source("log_step", "exp"),
        state_axis=0,
    ),
    Layout(
        "s5",
        "lindermanlab/S5",
        Source("Lambda_re"),
        Source("Lambda_im"),
        needs=("B", "log_step"),
        refuses=("P",),
        step=Source("log_step", "exp"),
        dimensions=1,
        input_per_state=True,
    ),
    Layout(
        "s5-pytorch",
        "i404788/s5-pytorch",
        Source("Lambda"),
        needs=("B", "C", "log_step"),
        refuses=("P", "W"),
        step=Source("log_step", "exp"),
        dimensions=1,
        input_per_state=True,
    ),
    Layout(
        "dss",
        "ag1988/dss, softmax",
        Source("Lambda", pairs=True),
        needs=("W", "log_dt"),
        step=Source("log_dt", "exp"),
    ),
    Layout(
        "dss-exp",
        "ag1988/dss, exp",
        Source("Lambda_log_neg_re", "negative exp"),
        Source("Lambda_im"),
        needs=("W",),
        step=Source("log_dt", "exp"),
    ),
    Layout(
        "dss-exp-re-im",
        "ag1988/dss, exp-re-im",
        Source("Lambda_log_neg_re", "negative exp"),
        Source("Lambda_log_im", "exp"),
        needs=("W",),
        step=Source("log_dt", "exp"),
    ),
    Layout(
        "lru",
        "LRU-pytorch, minimal-LRU",
        Source("nu_log", "negative exp"),
        Source("theta_log", "exp"),
        kind="ring",
    ),
    Layout(
        "mamba",
        "state-spaces/mamba, Hugging Face Mamba, Falcon-Mamba, Jamba, ...",
        Source("A_log", "negative exp"),
        step=Source("dt_proj.bias", "softplus"),
        dimensions=2,
    ),
    Layout(
        "vmamba",
        "VMamba",
        Source("A_logs", "negative exp"),
        dimensions=2,
    ),
    Layout(
        "mamba2",
        "state-spaces/mamba (Mamba-2), Hugging Face Mamba-2, Bamba, Zamba-2, ...",
        Source("A_log", "negative exp"),
        step=Source("dt_bias", "softplus"),
        kind="heads",
        dimensions=1,
    ),
    Layout(
        "s4torch",
        "S4Torch",
        Source("_lambda_", pairs=True),
        needs=("_p", "_q"),
        P=Source("_p", pairs=True),
        Q=Source("_q", pairs=True),
        step=Source("log_step", "exp"),
        low_rank_first=False,
    ),
    Layout(
        "gated-state-spaces",
        "lucidrains/gated-state-spaces-pytorch",
        Source("Lambda_real", "negative exp"),
        Source("Lambda_imag", "exp"),
    ),
    Layout(
        "skew-eigenvalues",
        "ag1988/dss, hippo_skew_evals: the caller adds the real part -1/2",
        Source("evals"),
        dimensions=1,
        kind="skew",
    ),
    *(
        Layout(
            f"hippo-theory{name}",
            f"hippo_theory.torch, {codebases}",
            Source(parameter, transform),
            Source("frequency"),
            B=_B,
            C=_C,
            P=_P,
            step=Source("log_dt", "exp"),
            dimensions=dimensions,
            input_per_state=dimensions == 1,
        )
        for parameter, transform in (
            ("log_decay", "negative exp"),
            ("softplus_decay", "negative softplus"),
            ("relu_decay", "negative relu"),
            ("decay", "negative"),
        )
        for name, codebases, dimensions in (("", "S4D, S4, DSS", 2), ("-s5", "S5", 1))
    ),
    Layout(
        "real-and-imaginary",
        "any code that stores two real tensors",
        Source("Lambda_re"),
        Source("Lambda_im"),
        B=Source("B", pairs=True),
        P=Source("P", pairs=True),
        step=Source("log_step", "exp"),
        axis_is_fixed=False,
    ),
)
