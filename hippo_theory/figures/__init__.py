"""Figures: one function each, which returns its data, draws on the axes it is given, and knows no file names.

`FigureEntry` describes one, `write_figures` puts any of them on disk with their data, a manifest and a page.
`write_convergence_figures` puts those of one convergence study on disk, `write_bench_figures` those of the bench.
Curves are labeled at their ends rather than in legends.
"""

from hippo_theory.figures.bench import float32_errors, growth_curves, write_bench_figures
from hippo_theory.figures.convergence import (
    basis_kernels,
    error_against_size,
    normal_spectra,
    transfer_functions,
    write_convergence_figures,
)
from hippo_theory.figures.drawing import draw, picture
from hippo_theory.figures.gallery import DrawnFigure, SvgFigure, data_sha256, svg_figures, write_figures
from hippo_theory.figures.registry import FIGURES, AnimationEntry, FigureEntry, find_figures, load_figures

__all__ = [
    "FIGURES",
    "AnimationEntry",
    "DrawnFigure",
    "FigureEntry",
    "SvgFigure",
    "basis_kernels",
    "data_sha256",
    "draw",
    "error_against_size",
    "find_figures",
    "float32_errors",
    "growth_curves",
    "load_figures",
    "normal_spectra",
    "picture",
    "svg_figures",
    "transfer_functions",
    "write_bench_figures",
    "write_convergence_figures",
    "write_figures",
]
