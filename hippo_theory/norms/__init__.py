"""Norms of kernels, of systems and of differences: certified (L2, largest value, transfer functions, H-infinity of LegS),
of any float64 system with bounds (Gramians, H2, Hankel values, largest gain), and its least error as a delay (observed).
"""

from hippo_theory.norms.delay import least_delay_error
from hippo_theory.norms.distance import difference_kernel, distance
from hippo_theory.norms.exact_gramians import exact_gramian, exact_h2_squared, legs_rational_system
from hippo_theory.norms.gramians import (
    Gramian,
    NormEstimate,
    controllability_gramian,
    difference_system,
    h2_distance,
    h2_norm,
    kernel_norms,
    observability_gramian,
)
from hippo_theory.norms.hankel import HankelValues, hankel_singular_values
from hippo_theory.norms.hinf import HinfNorm, hinf_norm
from hippo_theory.norms.l2 import l2_squared, transfer_value
from hippo_theory.norms.largest_gain import LargestGain, largest_gain
from hippo_theory.norms.sup import SupNorm, sup_norm

__all__ = [
    "Gramian",
    "HankelValues",
    "HinfNorm",
    "LargestGain",
    "NormEstimate",
    "SupNorm",
    "controllability_gramian",
    "difference_kernel",
    "difference_system",
    "distance",
    "exact_gramian",
    "exact_h2_squared",
    "h2_distance",
    "h2_norm",
    "hankel_singular_values",
    "hinf_norm",
    "kernel_norms",
    "l2_squared",
    "largest_gain",
    "least_delay_error",
    "legs_rational_system",
    "observability_gramian",
    "sup_norm",
    "transfer_value",
]
