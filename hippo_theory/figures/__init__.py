"""Figures: one function each, which returns its data, draws on the axes it is given, and knows no file names.

`write_convergence_figures` puts those of one convergence study on disk, `write_bench_figures` those of the bench.
Curves are labelled at their ends rather than in legends.
"""

from hippo_theory.figures.bench import float32_errors, growth_curves, write_bench_figures
from hippo_theory.figures.convergence import (
    basis_kernels,
    error_against_size,
    normal_spectra,
    transfer_functions,
    write_convergence_figures,
)

__all__ = [
    "basis_kernels",
    "error_against_size",
    "float32_errors",
    "growth_curves",
    "normal_spectra",
    "transfer_functions",
    "write_bench_figures",
    "write_convergence_figures",
]
