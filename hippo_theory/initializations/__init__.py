"""Every named start: a function that returns a system, registered by being defined.

N is always the full real state size. Complex diagonal starts come as `HalfSystem`: one of each conjugate pair, the one
with imaginary part >= 0, in the order of the source; `stored` counts them (`conjugate_full` gives all N). Deterministic
starts are certified values rounded once to the nearest float64 (spectra of HiPPO normal parts: within 2 units in the
last place), or balls if an `arithmetic` is given. C and the step are learned and left open (`step_sizes` draws steps).
"""

from __future__ import annotations

import importlib
import pkgutil

from hippo_theory.initializations.blocks import dss, s5
from hippo_theory.initializations.exports import export_arrays
from hippo_theory.initializations.recurrent import RingParameters, lru, mamba2, mamba_real, ring_parameters
from hippo_theory.initializations.registry import INITIALIZATIONS, Initialization, initialization, step_sizes
from hippo_theory.initializations.s4d import s4d_inv, s4d_inv2, s4d_legs, s4d_lin, s4d_quad, s4d_rand, s4d_real

__all__ = [
    "INITIALIZATIONS",
    "Initialization",
    "RingParameters",
    "dss",
    "export_arrays",
    "initialization",
    "lru",
    "mamba2",
    "mamba_real",
    "ring_parameters",
    "s4d_inv",
    "s4d_inv2",
    "s4d_legs",
    "s4d_lin",
    "s4d_quad",
    "s4d_rand",
    "s4d_real",
    "s5",
    "step_sizes",
]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
