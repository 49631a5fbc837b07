"""Norms of kernels and of differences of kernels, certified: L2, largest value, transfer functions, H-infinity."""

from hippo_theory.norms.distance import difference_kernel, distance
from hippo_theory.norms.hinf import HinfNorm, hinf_norm
from hippo_theory.norms.l2 import l2_squared, transfer_value
from hippo_theory.norms.sup import SupNorm, sup_norm

__all__ = [
    "HinfNorm",
    "SupNorm",
    "difference_kernel",
    "distance",
    "hinf_norm",
    "l2_squared",
    "sup_norm",
    "transfer_value",
]
