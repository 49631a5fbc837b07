"""Convolution kernels: as certified sums of exponentials."""

from hippo_theory.kernels.exponential_sums import ExponentialSum, diagonal_kernel, full_kernel

__all__ = ["ExponentialSum", "diagonal_kernel", "full_kernel"]
