"""The bench: that its measures mean what they say. How fast anything is, is not a test."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hippo_theory.arithmetic import balls
from hippo_theory.bench import BENCHMARKS, run_bench, ulps
from hippo_theory.errors import InputError
from hippo_theory.families import LegS

KEYS = {"name", "ours_s", "peer", "peer_s", "ratio", "exponent", "ulps", "peer_ulps"}
SPECTRUM = {
    "spectrum-float-1024",
    "spectrum-float-4096",
    "spectrum-growth",
    "spectrum-certified-1024",
    "spectrum-certified-128",
}
KERNEL = {"kernel-diagonal", "kernel-s4", "kernel-certified"}


def test_ulps_counts_units_in_the_last_place():
    roots = LegS(40).normal_frequencies(balls(130))[:20]
    values = np.array([float(root) for root in roots])
    assert ulps(values, roots) <= 1
    moved = values.copy()
    moved[7] += 5 * np.spacing(moved[7])
    assert 4 <= ulps(moved, roots) <= 6
    assert ulps(np.array([1e-300]), np.array([balls(64).number(0)], dtype=object)) == np.inf


def test_names_of_the_design_are_registered_and_unknown_ones_refused():
    assert set(BENCHMARKS) >= SPECTRUM | KERNEL
    with pytest.raises(InputError, match="unknown benchmark 'spectrum'"):
        run_bench(["spectrum"])


@pytest.mark.heavy
def test_rows_hold_what_the_design_lists():
    seen = []
    result = run_bench(["spectrum-float-1024", "spectrum-growth"], quick=True, progress=seen.append)
    assert seen == ["spectrum-float-1024", "spectrum-growth"]
    assert all(set(row) >= KEYS for row in result["rows"])
    assert result["machine"]["blas_threads"] >= 1
    json.dumps(result, allow_nan=False)
    first = result["rows"][0]
    assert first["ratio"] == first["peer_s"] / first["ours_s"]
    # What does not depend on the clock: the error of our spectrum, and that the peer loses the small roots.
    assert first["ulps"] <= 2 and first["peer_ulps"] > 1000
