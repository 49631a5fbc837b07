"""Learning rates and weight decay as the papers set them: the state parameters slowly, and never decayed."""

from __future__ import annotations

from typing import Any

from torch import nn

from hippo_theory.errors import InputError
from hippo_theory.torch.kernel_base import Kernel

__all__ = ["optimizer_groups"]


def optimizer_groups(
    model: nn.Module, *, lr: float, weight_decay: float = 0.0, state_lr: float = 1e-3
) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer: A, B and dt of every kernel apart from all else.

    Parameters
    ----------
    model : Module
        Anything that holds kernel modules of this package.
    lr, weight_decay : float
        For everything but A, B (P) and dt: C and D are trained like other weights.
    state_lr : float
        For A, B (P) and dt, if it is smaller than `lr`: 1e-3 at most, without weight decay.

    Returns
    -------
    list of dict
        For ``torch.optim.AdamW(groups)``; a group without parameters is left out.

    Raises
    ------
    InputError
        If a rate is not positive.

    Notes
    -----
    Source: S4 (arXiv:2111.00396) and S4D (arXiv:2206.11893), experiments: rate 0.001 and no weight decay for A, B, dt;
    S5 (arXiv:2208.04933), Appendix G; LRU (arXiv:2303.06349), Appendix: a smaller rate for nu, theta, gamma and B.

    Examples
    --------
    >>> from hippo_theory.torch import S4D, optimizer_groups
    >>> groups = optimizer_groups(S4D.from_initialization("s4d-lin", N=8, H=2), lr=0.01, weight_decay=0.05)
    >>> [(len(group["params"]), group["lr"], group["weight_decay"]) for group in groups]
    [(2, 0.01, 0.05), (4, 0.001, 0.0)]
    """
    for name, rate in (("lr", lr), ("state_lr", state_lr)):
        if not rate > 0:
            raise InputError(f"`{name}` must be positive, got {rate}")
    slow: dict[int, nn.Parameter] = {}
    for module in model.modules():
        if isinstance(module, Kernel):
            named = module.named_parameters(recurse=False)
            slow.update({id(parameter): parameter for name, parameter in named if name in module.state_parameters})
    plain = [parameter for parameter in model.parameters() if id(parameter) not in slow]
    groups = [
        {"params": plain, "lr": lr, "weight_decay": weight_decay},
        {"params": list(slow.values()), "lr": min(lr, state_lr), "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
