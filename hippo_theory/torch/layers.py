"""Sequence layers: a kernel module, a skip connection, and the ways to run them (FFT, scan, step by step).

A layer is causal or bidirectional:

    y_l = sum_(j>=0) K_j u_(l-j) + D u_l                                           (causal)
    y_l = sum_(j>=0) K_j u_(l-j) + sum_(j>=0) K'_j u_(l+j) + D u_l                 (bidirectional)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hippo_theory.errors import InputError
from hippo_theory.kernels import scan_outputs
from hippo_theory.systems import HalfSystem
from hippo_theory.torch.channel_kernels import DSSKernel, S4DKernel, S4Kernel
from hippo_theory.torch.kernel_base import Kernel, generator_or_seeded, without_autocast
from hippo_theory.torch.matrix_kernels import LRUKernel, S5Kernel
from hippo_theory.torch.recurrences import Recurrence

__all__ = ["DSS", "LRU", "S4", "S4D", "S5", "SequenceLayer", "causal_convolution"]


def causal_convolution(u: Tensor, kernel: Tensor, reversed_kernel: Tensor | None = None) -> Tensor:
    """y_l = sum_(j>=0) K_j u_(l-j), and sum_(j>=0) K'_j u_(l+j) besides, by one FFT of length 2 L.

    Parameters
    ----------
    u : (..., L) Tensor
    kernel, reversed_kernel : (..., L) Tensor
        K and K'; leading lengths broadcast against those of u.

    Returns
    -------
    (..., L) Tensor

    Examples
    --------
    >>> import torch
    >>> from hippo_theory.torch import causal_convolution
    >>> causal_convolution(torch.tensor([1.0, 0.0, 2.0]), torch.tensor([1.0, 0.5, 0.25])).round(decimals=5)
    tensor([1.0000, 0.5000, 2.2500])
    """
    L = u.shape[-1]
    if kernel.shape[-1] != L or (reversed_kernel is not None and reversed_kernel.shape[-1] != L):
        raise InputError(f"`kernel` must have as many lags as `u` has values, {L}, got {kernel.shape[-1]}")
    spectrum = torch.fft.rfft(kernel, n=2 * L)
    if reversed_kernel is not None:
        spectrum = spectrum + torch.fft.rfft(reversed_kernel, n=2 * L).conj()
    return torch.fft.irfft(spectrum * torch.fft.rfft(u, n=2 * L), n=2 * L)[..., :L]


class SequenceLayer(nn.Module):
    """A layer u (batch, L, H) -> y (batch, L, H); subclasses name their kernel module.

    Parameters
    ----------
    kernel : Kernel
        With 2 H channels (S5, LRU: 2 H outputs) if `bidirectional`: those of the second half run backwards.
    bidirectional : bool
    D : (H,) Tensor, optional
        Skip connection; standard normal if not given, as in S4.

    Raises
    ------
    InputError
        A kernel of another type, an odd number of channels for a bidirectional layer, a D of another shape.
    """

    kernel_type: ClassVar[Any] = Kernel
    kernel: Any
    _channels: ClassVar[str] = "H"

    def __init__(self, kernel: Any, *, bidirectional: bool = False, D: Any = None) -> None:
        super().__init__()
        if not isinstance(kernel, self.kernel_type):
            raise InputError(
                f"`kernel` of {type(self).__name__} must be a {self.kernel_type.__name__}, got {type(kernel).__name__}"
            )
        channels = int(getattr(kernel, self._channels))
        if bidirectional and channels % 2:
            raise InputError(f"a bidirectional layer needs an even number of channels of `kernel`, got {channels}")
        self.kernel, self.bidirectional = kernel, bidirectional
        self.H = channels // 2 if bidirectional else channels
        skip = torch.randn(self.H) if D is None else torch.as_tensor(D).detach().clone()
        if skip.shape != (self.H,):
            raise InputError(f"`D` must have the shape ({self.H},), got {tuple(skip.shape)}")
        self.D = nn.Parameter(skip.to(kernel.dtype))

    @classmethod
    def from_initialization(
        cls, id: str, *, N: int, H: int, bidirectional: bool = False, D: Any = None, **options: Any
    ) -> Any:
        """The layer of a named start, in H channels.

        Parameters
        ----------
        id : str
            As in `hippo_theory.initialization`.
        N, H : int
            Full real state size (of a channel; S5 and LRU: of all), and width of the layer.
        bidirectional : bool
        D : (H,) Tensor, optional
        **options
            As ``from_initialization`` of the kernel module.

        Examples
        --------
        >>> import torch
        >>> from hippo_theory.torch import S4D
        >>> layer = S4D.from_initialization("s4d-lin", N=8, H=3, dt=("0.001", "0.1"))
        >>> layer(torch.zeros(2, 50, 3)).shape
        torch.Size([2, 50, 3])
        """
        options["rng"] = generator_or_seeded(options.get("rng"))
        kernel = cls._kernel(id, N, H, bidirectional, options)
        return cls(kernel, bidirectional=bidirectional, D=D)

    @classmethod
    def _kernel(cls, id: str, N: int, H: int, bidirectional: bool, options: dict[str, Any]) -> Any:
        return cls.kernel_type.from_initialization(id, N=N, H=2 * H if bidirectional else H, **options)

    def forward(self, u: Tensor) -> Tensor:
        """The outputs (batch, L, H), in the dtype of u."""
        if u.ndim != 3 or u.shape[-1] != self.H:
            raise InputError(f"`u` must have the shape (batch, L, {self.H}), got {tuple(u.shape)}; reshape it")
        with without_autocast(u):
            inputs = u.to(self.kernel.dtype)
            return (self._mixed(inputs) + self.D * inputs).to(u.dtype)

    def _mixed(self, u: Tensor) -> Tensor:
        """The convolution by FFT."""
        kernel = self.kernel(u.shape[1])
        ahead, behind = (kernel[: self.H], kernel[self.H :]) if self.bidirectional else (kernel, None)
        return causal_convolution(u.transpose(1, 2), ahead, behind).transpose(1, 2)

    def recurrence(self, L: int | None = None) -> Recurrence:
        """The discrete system that `step` runs; discretized once, to be used for a whole sequence.

        Parameters
        ----------
        L : int, optional
            Only the softmax of DSS depends on it.

        Raises
        ------
        InputError
            For a bidirectional layer, whose outputs need the future.
        """
        if self.bidirectional:
            raise InputError("a bidirectional layer has no recurrence: its outputs need the future; run `forward`")
        return self.kernel.recurrence(L)

    def step(self, u: Tensor, state: Tensor | None, recurrence: Recurrence | None = None) -> tuple[Tensor, Tensor]:
        """One step of the recurrence, with the numbers of the convolution.

        Parameters
        ----------
        u : (batch, H) Tensor
        state : Tensor or None
            What the last step returned; None at the start.
        recurrence : Recurrence, optional
            What `recurrence` returned; made anew if not given, which costs more than the step.

        Returns
        -------
        (batch, H) Tensor and the next state

        Examples
        --------
        >>> import torch
        >>> from hippo_theory.torch import S4D
        >>> layer, u = S4D.from_initialization("s4d-legs", N=8, H=3, dtype=torch.float64), torch.randn(2, 9, 3).double()
        >>> system, state, outputs = layer.recurrence(), None, []
        >>> for l in range(9):
        ...     y, state = layer.step(u[:, l], state, system)
        ...     outputs.append(y)
        >>> bool((torch.stack(outputs, 1) - layer(u)).abs().max() < 1e-13)
        True
        """
        system = self.recurrence() if recurrence is None else recurrence
        if u.ndim != 2 or u.shape[-1] != self.H:
            raise InputError(f"`u` must have the shape (batch, {self.H}), got {tuple(u.shape)}; reshape it")
        y, state = system.step(u, system.initial_state(len(u)) if state is None else state)
        return (y.to(self.kernel.dtype) + self.D * u.to(self.kernel.dtype)).to(u.dtype), state

    def to_system(self, channel: int = 0, L: int | None = None) -> HalfSystem:
        """The system of one channel back on the side of the theory, in float64, without D.

        S4D, S4, DSS: continuous, with the step ``kernel.dt[channel]``. S5: from input `channel` to all outputs, with the
        sampling step as the unit of time. LRU: discrete. L is the length of the kernel, on which only the softmax of DSS
        depends.

        Raises
        ------
        InputError
            Softmax without L.

        Examples
        --------
        >>> from hippo_theory.torch import S4D
        >>> S4D.from_initialization("s4d-lin", N=4, H=1).to_system().Lambda.imag.round(4)
        array([0.    , 3.1416])
        """
        return self.kernel.to_system(channel, L)


class S4D(SequenceLayer):
    """A layer of diagonal systems, one a channel, by FFT; see `S4DKernel`."""

    kernel_type = S4DKernel


class S4(SequenceLayer):
    """A layer of systems A = Lambda - P P*, one a channel, by FFT; see `S4Kernel`."""

    kernel_type = S4Kernel


class DSS(SequenceLayer):
    """A layer of DSS kernels by FFT; see `DSSKernel`."""

    kernel_type = DSSKernel


class _ScanLayer(SequenceLayer):
    """One system of H inputs and H outputs, by the parallel scan."""

    _channels: ClassVar[str] = "K"

    @classmethod
    def _kernel(cls, id: str, N: int, H: int, bidirectional: bool, options: dict[str, Any]) -> Any:
        outputs = {"K": 2 * H} if bidirectional else {}
        return cls.kernel_type.from_initialization(id, N=N, H=H, **outputs, **options)

    def _mixed(self, u: Tensor) -> Tensor:
        system = self._rounded(self.kernel.recurrence())
        C = system.C

        def scanned(sequence: Tensor, C: Tensor) -> Any:
            return scan_outputs(system.Abar, system.Bbar, C, sequence, check_values=False).real

        run = torch.func.vmap(scanned, in_dims=(0, None))
        if not self.bidirectional:
            return run(u, C)
        return run(u, C[: self.H]) + run(u.flip(1), C[self.H :]).flip(1)

    def _rounded(self, system: Recurrence) -> Recurrence:
        """In complex64 if the parameters are float32: the states are what fills the memory."""
        narrow = torch.complex64 if self.kernel.dtype == torch.float32 else torch.complex128
        return replace(system, Abar=system.Abar.to(narrow), Bbar=system.Bbar.to(narrow), C=system.C.to(narrow))


class S5(_ScanLayer):
    """A layer of one system with H inputs and outputs, by the parallel scan; see `S5Kernel`.

    Notes
    -----
    In float32 the scan has the error of `hippo_theory.kernels.linear_scan`, which grows with the number of steps; the
    states are held in complex64. Memory O(batch L n).
    """

    kernel_type = S5Kernel


class LRU(_ScanLayer):
    """A layer of the linear recurrent unit, by the parallel scan; see `LRUKernel`."""

    kernel_type = LRUKernel

    @classmethod
    def from_initialization(cls, id: str = "lru", **options: Any) -> Any:
        """The layer of the start ``lru``; see `SequenceLayer.from_initialization`."""
        return super().from_initialization(id, **options)
