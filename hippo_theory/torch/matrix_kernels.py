"""Kernels of one system with many inputs and outputs: S5 and the linear recurrent unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hippo_theory.discretizations import Discretization, find_discretization
from hippo_theory.errors import InputError, checked_size
from hippo_theory.initializations import ring_parameters
from hippo_theory.kernels import exponential_kernel, vandermonde_kernel
from hippo_theory.systems import HalfSystem
from hippo_theory.torch.kernel_base import Kernel, generator_or_seeded, given_outputs, log_steps, wide
from hippo_theory.torch.parameters import CertifiedStart, certified_start, rounded
from hippo_theory.torch.recurrences import Recurrence

__all__ = ["LRUKernel", "S5Kernel"]


class S5Kernel(Kernel):
    """One diagonal system with H inputs and K outputs (S5): Lambda (n,), B (n, H), C (K, n), a step for each state.

    Parameters
    ----------
    start : callable
        As in `S4DKernel`; gives Lambda.
    H, K : int
        Inputs and outputs; K is H if not given.
    B, C : arrays, optional
        (n, H) and (K, n), complex; drawn otherwise, with variances 1/H and 1/n (LeCun).
    dt, real_part, trains_A, trains_B, trains_dt, dtype, rng
        As in `S4DKernel`; n steps.
    method : str or Discretization

    Raises
    ------
    InputError
        Sizes and options that do not fit.

    Notes
    -----
    state_dict: ``log_decay`` (or as in `S4DKernel`) and ``frequency`` (n,), ``B`` (n, H, 2), ``C`` (K, n, 2), ``log_dt``
    (n,). ``forward`` is the impulse response, computed in float64 and rounded once; the layer `S5` runs the scan, whose
    error is that of `hippo_theory.kernels.scan_outputs`. Source: S5 (arXiv:2208.04933).

    Examples
    --------
    >>> from hippo_theory.torch import S5Kernel
    >>> S5Kernel.from_initialization("s5", N=8, H=3, start={"blocks": 2})(16).shape
    torch.Size([3, 3, 16])
    """

    def __init__(
        self,
        start: CertifiedStart,
        H: int,
        *,
        K: int | None = None,
        dt: Any = ("0.001", "0.1"),
        B: Any = None,
        C: Any = None,
        method: str | Discretization = "zoh",
        real_part: str | None = None,
        trains_A: bool = True,
        trains_B: bool = True,
        trains_dt: bool = True,
        dtype: torch.dtype = torch.float32,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        self.H = checked_size("H", H)
        self.K, rng = self.H if K is None else checked_size("K", K), generator_or_seeded(rng)
        self._set_states(start, dtype, real_part)
        self._store_eigenvalues(start, None, dtype, trains_A)
        n = self.stored
        self._store("B", _given_matrix(B, (n, self.H), rng, dtype), trains_B)
        self._store("C", _given_matrix(C, (self.K, n), rng, dtype), True)
        self._store("log_dt", log_steps(dt, n, rng, dtype), trains_dt)
        self.discretization = find_discretization(method)

    @classmethod
    def from_initialization(
        cls, id: str, *, N: int, H: int, start: dict[str, Any] | None = None, **options: Any
    ) -> Any:
        """The kernel of a named start; see `S4DKernel.from_initialization`."""
        return cls(certified_start(id, N, **(start or {})), H, **options)

    def _rates(self) -> Tensor:
        """Lambda dt, (n,): the system in units of the sampling step."""
        return self.Lambda * self.dt

    def _inputs(self) -> Tensor:
        return self._complex("B", 0) * self.dt[:, None]

    def _values(self, L: int) -> Tensor:
        step = self.recurrence()
        kernel = exponential_kernel if self.discretization.alpha is None else vandermonde_kernel
        powers = self._rates() if self.discretization.alpha is None else step.Abar
        values: Tensor = kernel(
            self._complex("C")[:, None, :],
            step.Bbar.transpose(0, 1)[None],
            powers,
            L,
            multiplicity=self.multiplicity,
            check_values=False,
        )
        return values

    def recurrence(self, L: int | None = None) -> Recurrence:
        """The discrete system, for the scan and for `step`; L plays no part."""
        x = self._rates()
        weights = torch.tensor(self.multiplicity, dtype=torch.float64, device=x.device)
        Bbar = self.discretization.gain(x)[:, None] * self._inputs()
        return Recurrence("matrix", self.discretization.multiplier(x), Bbar, self._complex("C") * weights)

    def to_system(self, channel: int = 0, L: int | None = None) -> HalfSystem:
        """The continuous system from one input to all outputs, in float64, with the sampling step as the unit of time."""
        arrays = {"Lambda": self._rates(), "B": self._inputs()[:, channel], "C": self._complex("C")}
        values: dict[str, Any] = {name: array.detach().cpu().numpy() for name, array in arrays.items()}
        return HalfSystem(**values, multiplicity=np.array(self.multiplicity))


def _given_matrix(given: Any, shape: tuple[int, int], rng: np.random.Generator, dtype: torch.dtype) -> Tensor:
    """A complex matrix as pairs, (*shape, 2): given, or drawn with variance 1/(length of the rows)."""
    if given is not None:
        return given_outputs(given, shape, rng, dtype)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    drawn = torch.empty(shape[0], 2 * shape[1], dtype=torch.float64)
    nn.init.kaiming_normal_(drawn, nonlinearity="linear", generator=generator)
    return drawn.reshape(*shape, 2).to(dtype)


class LRUKernel(Kernel):
    """The linear recurrent unit: x_l = lambda x_(l-1) + gamma B u_l, y_l = 2 Re C x_l, with H inputs and K outputs.

    Parameters
    ----------
    N, H, K : int
        Full real state size (even), inputs, outputs.
    smallest, largest, phase : float
        The ring from which lambda is drawn, see `hippo_theory.initializations.ring_parameters`.
    trains_A, trains_B, dtype, rng
        As in `S4DKernel`.

    Raises
    ------
    InputError
        Sizes and options that do not fit.

    Notes
    -----
    state_dict, as in the public code: ``nu_log``, ``theta_log``, ``gamma_log`` (n,), lambda = exp(-e^nu_log + i e^theta_log);
    and ``B`` (n, H, 2), ``C`` (K, n, 2). ``forward`` is the impulse response, computed in float64 and rounded once.
    Source: LRU (arXiv:2303.06349).

    Examples
    --------
    >>> from hippo_theory.torch import LRUKernel
    >>> LRUKernel(8, 3, smallest=0.5, largest=0.99)(16).shape
    torch.Size([3, 3, 16])
    """

    nu_log: Tensor
    theta_log: Tensor
    gamma_log: Tensor

    def __init__(
        self,
        N: int,
        H: int,
        *,
        K: int | None = None,
        smallest: float = 0.0,
        largest: float = 1.0,
        phase: float | None = None,
        B: Any = None,
        C: Any = None,
        trains_A: bool = True,
        trains_B: bool = True,
        dtype: torch.dtype = torch.float32,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        if checked_size("N", N, 2) % 2:
            raise InputError(
                f"an LRU consists of conjugate pairs and needs an even `N`, got {N}; use {N - 1} or {N + 1}"
            )
        n, self.H, rng = N // 2, checked_size("H", H), generator_or_seeded(rng)
        self.K = self.H if K is None else checked_size("K", K)
        self.multiplicity = (2,) * n
        self.register_buffer("_pairs", torch.ones(n, 2, dtype=dtype), persistent=False)
        ring = ring_parameters(
            n, rng=rng, smallest=smallest, largest=largest, **({} if phase is None else {"phase": phase})
        )
        for name in ("nu", "theta", "gamma"):
            values = getattr(ring, name)
            log = rounded(lambda balls, values=values: [x.log() for x in balls.number(values)], dtype)  # type: ignore[misc]
            self._store(f"{name}_log", log, trains_A)
        self._store("B", _given_matrix(B, (n, self.H), rng, dtype), trains_B)
        self._store("C", _given_matrix(C, (self.K, n), rng, dtype), True)

    @classmethod
    def from_initialization(
        cls, id: str = "lru", *, N: int, H: int, start: dict[str, Any] | None = None, **options: Any
    ) -> Any:
        """The kernel of the start ``lru``; `start` may hold ``smallest``, ``largest`` and ``phase``."""
        if id != "lru":
            raise InputError(f"the linear recurrent unit starts from 'lru', got {id!r}; S5 takes the other starts")
        return cls(N, H, **{**(start or {}), **options})

    @property
    def Lambda(self) -> Tensor:
        """Logarithms of the multipliers, (n,), complex128."""
        return torch.complex(-torch.exp(wide(self.nu_log)), torch.exp(wide(self.theta_log)))

    def _inputs(self) -> Tensor:
        return torch.exp(wide(self.gamma_log))[:, None] * self._complex("B", 0)

    def _values(self, L: int) -> Tensor:
        C, B = self._complex("C")[:, None, :], self._inputs().transpose(0, 1)[None]
        values: Tensor = exponential_kernel(C, B, self.Lambda, L, multiplicity=self.multiplicity, check_values=False)
        return values

    def recurrence(self, L: int | None = None) -> Recurrence:
        """The discrete system, for the scan and for `step`; L plays no part."""
        return Recurrence("matrix", torch.exp(self.Lambda), self._inputs(), 2 * self._complex("C"))

    def to_system(self, channel: int = 0, L: int | None = None) -> HalfSystem:
        """The discrete system from one input to all outputs, in float64."""
        step = self.recurrence()
        arrays = {"Lambda": step.Abar, "B": step.Bbar[:, channel], "C": self._complex("C")}
        values: dict[str, Any] = {name: array.detach().cpu().numpy() for name, array in arrays.items()}
        return HalfSystem(**values, multiplicity=np.array(self.multiplicity), discrete=True)
