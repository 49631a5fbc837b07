"""The convolution kernel of any system, with the algorithm chosen by size and accuracy."""

from hippo_theory.convolution.algorithms import ALGORITHMS, Algorithm, Size
from hippo_theory.convolution.choice import convolution_kernel, predicted_seconds

__all__ = ["ALGORITHMS", "Algorithm", "Size", "convolution_kernel", "predicted_seconds"]
