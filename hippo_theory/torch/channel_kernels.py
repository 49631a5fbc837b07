"""Kernels of many systems with one input and output each: S4D, S4 and DSS.

Parameters here, formulas in `hippo_theory.kernels`. What is sensitive (exponentials of a rate times a lag, the resolvent
of S4) is computed in float64 and rounded to the precision of the parameters, inside and outside of autocast.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from hippo_theory.discretizations import Discretization, find_discretization
from hippo_theory.errors import InputError, checked_size
from hippo_theory.kernels import (
    bilinear_low_rank,
    dss_exponential_kernel,
    dss_softmax_input,
    dss_softmax_kernel,
    s4_kernel,
    s4d_kernel,
    truncated_output,
    vandermonde_kernel,
)
from hippo_theory.systems import HalfSystem
from hippo_theory.torch.kernel_base import (
    Kernel,
    generator_or_seeded,
    given_outputs,
    log_steps,
    repeated,
)
from hippo_theory.torch.opaque import opaque
from hippo_theory.torch.parameters import CertifiedStart, as_pairs, certified_start, rounded
from hippo_theory.torch.recurrences import Recurrence

__all__ = ["DSSKernel", "S4DKernel", "S4Kernel"]


class _ChannelKernel(Kernel):
    """H systems with one input and output each: Lambda, B, C of shape (H, n), dt of shape (H,)."""

    H: int
    B: Tensor
    P: Tensor
    _form: ClassVar[str] = "diagonal"
    _has_B: ClassVar[bool] = True

    def __init__(
        self,
        start: CertifiedStart,
        H: int,
        *,
        dt: Any = ("0.001", "0.1"),
        C: Any = None,
        real_part: str | None = None,
        trains_A: bool = True,
        trains_B: bool = True,
        trains_dt: bool = True,
        dtype: torch.dtype = torch.float32,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        H, rng = checked_size("H", H), generator_or_seeded(rng)
        self.H = H
        shapes = self._set_states(start, dtype, real_part)
        self._store_eigenvalues(start, H, dtype, trains_A)
        if self._has_B:
            self._store("B", repeated(rounded(lambda ring: as_pairs(start(ring).B), dtype), H), trains_B)
        if self._form == "dplr":
            if shapes.P is None:
                raise InputError("this start has no low-rank term; S4D is the module for diagonal systems")
            P = rounded(lambda ring: as_pairs(start(ring).P), dtype)  # (n, r, 2)
            self._store("P", P.transpose(0, 1)[:, None].expand(-1, H, -1, -1), trains_A)
        self._store("log_dt", log_steps(dt, H, rng, dtype), trains_dt)
        self._store("C", given_outputs(C, (H, self.stored), rng, dtype), True)

    @classmethod
    def from_initialization(
        cls, id: str, *, N: int, H: int, start: dict[str, Any] | None = None, **options: Any
    ) -> Any:
        """The kernel of a named start, the same in all H channels.

        Parameters
        ----------
        id : str
            As in `hippo_theory.initialization`.
        N, H : int
            Full real state size, and number of channels.
        start : dict, optional
            What the start takes besides, such as ``{"rng": numpy.random.default_rng(0)}``.
        **options
            As the constructor: ``dt`` (one step, H steps, or a range (smallest, largest) in which log dt is uniform),
            ``C`` (drawn if not given), ``real_part`` (exp, softplus, relu, none), ``method`` (S4D), ``trains_A``,
            ``trains_B``, ``trains_dt``, ``dtype`` (float32 or float64), ``rng``.

        Raises
        ------
        InputError
            Unknown start, sizes or options that do not fit.
        """
        options.setdefault("rng", None)
        return cls(certified_start(id, N, form=cls._form, **(start or {})), H, **options)

    def to_system(self, channel: int = 0, L: int | None = None) -> HalfSystem:
        """The continuous system of one channel in float64; its step is ``dt[channel]``. DSS with softmax needs L."""
        arrays = {"Lambda": self.Lambda[channel], "B": self._inputs(L)[channel], "C": self._complex("C")[channel][None]}
        if self._form == "dplr":
            P = self._complex("P")[:, channel].transpose(0, 1)
            arrays |= {"P": P, "Q": P}
        values: dict[str, Any] = {name: array.detach().cpu().resolve_conj().numpy() for name, array in arrays.items()}
        return HalfSystem(**values, multiplicity=np.array(self.multiplicity))

    def _inputs(self, L: int | None = None) -> Tensor:
        """B of the continuous systems, (H, n); only that of the softmax of DSS depends on L."""
        return self._complex("B")


class S4DKernel(_ChannelKernel):
    """The kernels of H diagonal systems, K_l = 2 Re sum_n C_n Bbar_n Abar_n^l, by `hippo_theory.kernels.s4d_kernel`.

    Parameters
    ----------
    start : callable
        `Balls` -> `HalfSystem`, see `certified_start` and `exact_start`.
    H : int
    method : str or Discretization
        Any of `hippo_theory.discretizations`.
    dt, C, real_part, trains_A, trains_B, trains_dt, dtype, rng
        As in `from_initialization`.

    Raises
    ------
    InputError
        Sizes and options that do not fit.

    Notes
    -----
    state_dict: ``log_decay`` (``softplus_decay``, ``relu_decay``, ``decay``) and ``frequency`` (H, n), ``B`` and ``C``
    (H, n, 2), ``log_dt`` (H,). Error in float32 at most (9 + n/2) eps w, w = max_l sum_n |C_n Bbar_n Abar_n^l| with
    multiplicities, eps = 2^-23, plus the error in float64 of `s4d_kernel` (zoh, bilinear, sampled) or of
    `vandermonde_kernel` (other methods, where the table is in float64 altogether). Source: S4D (arXiv:2206.11893).

    Examples
    --------
    >>> from hippo_theory.torch import S4DKernel
    >>> kernel = S4DKernel.from_initialization("s4d-legs", N=8, H=2, dt="0.01")
    >>> kernel(100).shape
    torch.Size([2, 100])
    """

    def __init__(self, start: CertifiedStart, H: int, *, method: str | Discretization = "zoh", **options: Any) -> None:
        super().__init__(start, H, **options)
        self.discretization = find_discretization(method)

    def _values(self, L: int) -> Tensor:
        if self.discretization.name in ("zoh", "bilinear", "sampled"):
            narrow = torch.complex64 if self.dtype == torch.float32 else torch.complex128
            A, B, C = (x.to(narrow) for x in (self.Lambda, self._inputs(), self._complex("C")))
            kernel: Tensor = s4d_kernel(
                A,
                B,
                C,
                self.dt,
                L,
                method=self.discretization.name,
                multiplicity=self.multiplicity,
                wide=True,
                check_values=False,
            )
            return kernel
        step = self.recurrence()
        powers: Tensor = vandermonde_kernel(
            self._complex("C"), step.Bbar, step.Abar, L, multiplicity=self.multiplicity, check_values=False
        )
        return powers

    def recurrence(self, L: int | None = None) -> Recurrence:
        """The discrete systems, for `step`; L plays no part."""
        x = self.Lambda * self.dt[:, None]
        Abar, gain = self.discretization.multiplier(x), self.discretization.gain(x)
        weights = torch.tensor(self.multiplicity, dtype=torch.float64, device=x.device)
        return Recurrence("channels", Abar, self.dt[:, None] * gain * self._inputs(), self._complex("C") * weights)


class S4Kernel(_ChannelKernel):
    """The kernels of H systems A = Lambda - P P*, bilinear, by `hippo_theory.kernels.s4_kernel`: stable for Re Lambda <= 0.

    Parameters
    ----------
    start, H, dt, C, real_part, trains_A, trains_B, trains_dt, dtype, rng
        As in `S4DKernel`; the start has a low-rank term.

    Raises
    ------
    InputError
        Sizes and options that do not fit, a start without a low-rank term.

    Notes
    -----
    state_dict: as `S4DKernel`, and ``P`` (r, H, n, 2). C itself is the parameter (official code stores C (I - Abar^L)
    once the first forward pass has been made), so that kernels of any length and `step` belong to one system.
    Computed in float64 and rounded once: error in float32 at most eps/2 of the value, besides the error in float64,
    (8 + L/2 + N) eps |C|_2 |Bbar|_2, where damping 1 makes it hold for every family (see `s4_kernel`). Cost
    O(N^3 log L + N L) for each channel. Inside a compiler kernel and recurrence are one operator each, without second
    derivatives (see `hippo_theory.torch.opaque`). Source: S4 (arXiv:2111.00396), with the sign of P of Sashimi (2202.09729).

    Examples
    --------
    >>> from hippo_theory.torch import S4Kernel
    >>> kernel = S4Kernel.from_initialization("legt", N=8, H=2, dt="0.01")
    >>> kernel(100).shape, kernel.P.shape
    (torch.Size([2, 100]), torch.Size([2, 2, 4, 2]))
    """

    _form: ClassVar[str] = "dplr"

    def __init__(self, start: CertifiedStart, H: int, **options: Any) -> None:
        super().__init__(start, H, **options)
        self.discretization = find_discretization("bilinear")

    def _full(self, values: Tensor) -> Tensor:
        """All N states, state N-1-m the conjugate of state m, from the stored (..., n)."""
        mirrored = values.flip(-1)
        return torch.cat([values, _conjugate(mirrored[..., self.N % 2 :])], dim=-1)

    def _system(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Lambda, P (H, N, r), B, C, dt of all states."""
        if any(count != 2 for count in self.multiplicity[: self.N // 2]):
            raise InputError("`start` must list its conjugate pairs first and at most one real state, last")
        P = self._full(self._complex("P")).permute(1, 2, 0)
        return self._full(self.Lambda), P, self._full(self._inputs()), self._full(self._complex("C")), self.dt

    def _values(self, L: int) -> Tensor:
        return _low_rank_kernels(*self._system(), L)

    def recurrence(self, L: int | None = None) -> Recurrence:
        """The discrete systems with dense Abar, for `step`; L plays no part."""
        Lambda, P, B, C, dt = self._system()
        columns = _low_rank_steps(Lambda, P, B, dt)
        return Recurrence("dense", columns[..., :-1], columns[..., -1], C)


def _conjugate(x: Tensor) -> Tensor:
    """Without the lazy conjugation of PyTorch, which vmap takes one by one."""
    return torch.complex(x.real, -x.imag)


def _kernels_of_systems(Lambda: Tensor, P: Tensor, B: Tensor, C: Tensor, dt: Tensor, L: int) -> Tensor:
    """H kernels (H, L), from Lambda, B, C (H, N), P (H, N, r), dt (H,)."""

    def one(Lambda: Tensor, P: Tensor, B: Tensor, C: Tensor, dt: Tensor) -> Any:
        Abar, _ = bilinear_low_rank(Lambda, P, P, B, dt, check_values=False)
        truncated = truncated_output(C, Abar, L, damping=1.0, check_values=False)
        return s4_kernel(Lambda, P, P, B, truncated, dt, L, damping=1.0, real=True, mirrored=True, check_values=False)

    return torch.func.vmap(one)(Lambda, P, B, C, dt)


def _steps_of_systems(Lambda: Tensor, P: Tensor, B: Tensor, dt: Tensor) -> Tensor:
    """H matrices Abar, and Bbar as the last column of each, (H, N, N + 1)."""

    def one(Lambda: Tensor, P: Tensor, B: Tensor, dt: Tensor) -> Any:
        Abar, Bbar = bilinear_low_rank(Lambda, P, P, B, dt, check_values=False)
        return torch.cat([Abar, Bbar[:, None]], dim=1)

    return torch.func.vmap(one)(Lambda, P, B, dt)


_low_rank_kernels = opaque(
    "low_rank_kernels",
    ("Lambda", "P", "B", "C", "dt"),
    ("L",),
    _kernels_of_systems,
    lambda Lambda, P, B, C, dt, L: dt.new_empty(Lambda.shape[0], L),
)
_low_rank_steps = opaque(
    "low_rank_steps",
    ("Lambda", "P", "B", "dt"),
    (),
    _steps_of_systems,
    lambda Lambda, P, B, dt: Lambda.new_empty(*Lambda.shape, Lambda.shape[1] + 1),
)


class DSSKernel(_ChannelKernel):
    """The kernels of DSS: `hippo_theory.kernels.dss_exponential_kernel` or `dss_softmax_kernel`, for H channels.

    Parameters
    ----------
    start, H, dt, C, trains_A, trains_dt, dtype, rng
        As in `S4DKernel`; B of the start is not used.
    variant : str
        ``exp`` (real parts by exp) or ``softmax`` (real parts of either sign).
    real_part : str, optional
        exp, softplus or relu in place of that.

    Raises
    ------
    InputError
        Sizes and options that do not fit.

    Notes
    -----
    state_dict: as `S4DKernel` without ``B``; C is half of what DSS calls W. Computed in float64 and rounded once: error
    in float32 at most eps/2 of the value, besides the error of those functions in float64.
    Source: DSS (arXiv:2203.14343), Proposition 1.

    Examples
    --------
    >>> from hippo_theory.torch import DSSKernel
    >>> DSSKernel.from_initialization("dss", N=8, H=2, variant="softmax")(64).shape
    torch.Size([2, 64])
    """

    _has_B: ClassVar[bool] = False

    def __init__(
        self, start: CertifiedStart, H: int, *, variant: str = "exp", real_part: str | None = None, **options: Any
    ) -> None:
        if variant not in ("exp", "softmax"):
            raise InputError(f"`variant` must be exp or softmax, got {variant!r}")
        self.variant = variant
        real_part = "none" if variant == "softmax" and real_part is None else real_part
        options.pop("trains_B", None)
        super().__init__(start, H, real_part=real_part, **options)
        self.discretization = find_discretization("zoh")

    def _inputs(self, L: int | None = None) -> Tensor:
        if self.variant == "exp":
            return torch.ones_like(self.Lambda)
        if L is None:
            raise InputError("the softmax of DSS depends on the length of the kernel; give `L`")
        inputs: Tensor = dss_softmax_input(self.Lambda, self.dt, L, check_values=False)
        return inputs

    def _values(self, L: int) -> Tensor:
        compute = dss_exponential_kernel if self.variant == "exp" else dss_softmax_kernel
        kernel: Tensor = compute(
            self.Lambda, self._complex("C"), self.dt, L, multiplicity=self.multiplicity, check_values=False
        )
        return kernel

    def recurrence(self, L: int | None = None) -> Recurrence:
        """The discrete systems, for `step`; softmax needs the length L of the kernel.

        Raises
        ------
        InputError
            Softmax without L.
        """
        x = self.Lambda * self.dt[:, None]
        Bbar = self.dt[:, None] * self.discretization.gain(x) * self._inputs(L)
        weights = torch.tensor(self.multiplicity, dtype=torch.float64, device=x.device)
        return Recurrence("channels", self.discretization.multiplier(x), Bbar, self._complex("C") * weights)
