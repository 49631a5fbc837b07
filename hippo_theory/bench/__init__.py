"""The toolkit against what a user would pick instead, side by side in one process.

`framework` measures and keeps the registry; every other module of this folder holds rows, found by being defined there.
"""

from __future__ import annotations

import importlib
import pkgutil

from hippo_theory.bench.framework import BENCHMARKS, benchmark, fitted_exponent, largest_error, run_bench, ulps

__all__ = ["BENCHMARKS", "benchmark", "fitted_exponent", "largest_error", "run_bench", "ulps"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
