"""The adapter for PyTorch: parameters and kernels as modules that can be trained; nothing of the theory stands here.

Kernels come from `hippo_theory.kernels`, starts from `hippo_theory.initializations`, discretizations from
`hippo_theory.discretizations`; a trained layer goes back by ``to_system()`` and ``hippo_theory.validate(layer.state_dict())``.
"""

from __future__ import annotations

from hippo_theory.errors import MissingDependencyError

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise MissingDependencyError('hippo_theory.torch needs PyTorch: pip install "hippo_theory[torch]"') from error

from hippo_theory.torch.channel_kernels import DSSKernel, S4DKernel, S4Kernel
from hippo_theory.torch.interop import from_layout, to_layout
from hippo_theory.torch.kernel_base import Kernel
from hippo_theory.torch.layers import DSS, LRU, S4, S4D, S5, SequenceLayer, causal_convolution
from hippo_theory.torch.matrix_kernels import LRUKernel, S5Kernel
from hippo_theory.torch.optimizer_groups import optimizer_groups
from hippo_theory.torch.parameters import TRANSFORMS, certified_start, exact_start
from hippo_theory.torch.recurrences import Recurrence

__all__ = [
    "DSS",
    "LRU",
    "S4",
    "S4D",
    "S5",
    "TRANSFORMS",
    "DSSKernel",
    "Kernel",
    "LRUKernel",
    "Recurrence",
    "S4DKernel",
    "S4Kernel",
    "S5Kernel",
    "SequenceLayer",
    "causal_convolution",
    "certified_start",
    "exact_start",
    "from_layout",
    "optimizer_groups",
    "to_layout",
]
