"""Discrete systems that run step by step, with the numbers of the convolution."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Recurrence"]


@dataclass(frozen=True, eq=False)
class Recurrence:
    """x_l = Abar x_(l-1) + Bbar u_l, y_l = Re C x_l, in complex128 whatever the parameters are.

    Attributes
    ----------
    kind : str
        ``channels``: H diagonal systems of one input, Abar, Bbar, C (H, n). ``dense``: idem with Abar (H, N, N).
        ``matrix``: one diagonal system of H inputs, Abar (n,), Bbar (n, H), C (K, n).
    Abar, Bbar, C : Tensor
        C contains the multiplicities of stored states.

    Notes
    -----
    A state in double precision keeps 16 digits of what the convolution computes with reduced phases; after l steps the
    rounding of Abar has turned a state by at most l 2^-53.
    """

    kind: str
    Abar: Tensor
    Bbar: Tensor
    C: Tensor

    def initial_state(self, batch: int) -> Tensor:
        """x_(-1) = 0, (batch, H, n) or (batch, n)."""
        shape = self.Abar.shape if self.kind == "matrix" else self.Bbar.shape
        return torch.zeros(batch, *shape, dtype=self.Abar.dtype, device=self.Abar.device)

    def step(self, u: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The output (batch, K) and the next state, from the input (batch, H)."""
        u = u.to(self.Abar.dtype)
        if self.kind == "matrix":
            state = self.Abar * state + u @ self.Bbar.transpose(0, 1)
            return (state @ self.C.transpose(0, 1)).real, state
        advanced = torch.einsum("hij,bhj->bhi", self.Abar, state) if self.kind == "dense" else self.Abar * state
        state = advanced + self.Bbar * u[..., None]
        return (state * self.C).sum(-1).real, state
