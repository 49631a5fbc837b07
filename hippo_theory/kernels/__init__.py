"""Convolution kernels: as certified sums of exponentials, and fast on uniform grids."""

from hippo_theory.kernels.certified import (
    BoundedValues,
    certified_kernel,
    certified_legs_kernel,
    exact_exponential_sum,
    legs_kernel,
)
from hippo_theory.kernels.dss import dss_exponential_kernel, dss_softmax_input, dss_softmax_kernel
from hippo_theory.kernels.exponential_sums import ExponentialSum, diagonal_kernel, full_kernel
from hippo_theory.kernels.generating import cauchy_sums, restored_output, root_sums, s4_kernel, truncated_output
from hippo_theory.kernels.low_rank import bilinear_low_rank, low_rank_recurrence
from hippo_theory.kernels.nonuniform import nonuniform_kernel
from hippo_theory.kernels.recurrence import krylov_kernel, recurrence, recurrence_kernel
from hippo_theory.kernels.scan import combine, linear_scan, lru_multipliers, scan_outputs
from hippo_theory.kernels.time_varying_legs import legs_product, legs_solve, legs_step
from hippo_theory.kernels.values import KernelValues
from hippo_theory.kernels.vandermonde import cosine_kernel, exponential_kernel, s4d_kernel, vandermonde_kernel

__all__ = [
    "BoundedValues",
    "ExponentialSum",
    "KernelValues",
    "bilinear_low_rank",
    "cauchy_sums",
    "certified_kernel",
    "certified_legs_kernel",
    "combine",
    "cosine_kernel",
    "diagonal_kernel",
    "dss_exponential_kernel",
    "dss_softmax_input",
    "dss_softmax_kernel",
    "exact_exponential_sum",
    "exponential_kernel",
    "full_kernel",
    "krylov_kernel",
    "legs_kernel",
    "legs_product",
    "legs_solve",
    "legs_step",
    "linear_scan",
    "low_rank_recurrence",
    "lru_multipliers",
    "nonuniform_kernel",
    "recurrence",
    "recurrence_kernel",
    "restored_output",
    "root_sums",
    "s4_kernel",
    "s4d_kernel",
    "scan_outputs",
    "truncated_output",
    "vandermonde_kernel",
]
