"""Points of sweeps: plain values, keys that name them for ever, seeds that follow from them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sweep_studies
from sweep_studies import COSINE

from hippo_theory.errors import InputError
from hippo_theory.sweeps import (
    Study,
    grid,
    make_point,
    read_records,
    run_sweep,
)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def test_a_key_is_the_hash_of_name_version_and_point_in_any_order():
    import hashlib

    point = make_point({"step": "0.01", "N": 64})
    text = '["key","cosine",1,{"N":64,"step":"0.01"}]'
    assert COSINE.key(point) == hashlib.sha256(text.encode()).hexdigest()[:32]
    assert COSINE.key(make_point(N=64, step="0.01")) == COSINE.key(point)
    others = [
        Study("cosine", 2, sweep_studies.cosine).key(point),
        Study("sine", 1, sweep_studies.cosine).key(point),
        COSINE.key(make_point(N=64, step="0.010")),
        COSINE.key(make_point(N=64, step=0.01)),
    ]
    assert len({COSINE.key(point), *others}) == 5


def test_a_seed_follows_from_the_point_alone(threads):
    study = Study("drawn", 1, sweep_studies.drawn, random=True)
    points = list(grid({"x": list(range(20))}))
    found = run_sweep(study, points, threads).records
    again = run_sweep(study, points[::-1], threads).records
    assert found == again
    numbers = {entry.result["number"] for entry in found if entry.result}
    assert numbers == {random.Random(study.seed(point)).random() for point in points}
    assert len(numbers) == 20
    assert study.seed(points[0]) != int(study.key(points[0])[:16], 16)


@pytest.mark.parametrize(("value", "message"), [
    pytest.param(float("nan"), "finite", id="nan"), pytest.param(float("-inf"), "finite", id="infinite"),
    pytest.param(10**4000, "at most 4000 digits", id="long"), pytest.param(-(10**5000), "at most 4000", id="longer"),
    pytest.param([1], "plain", id="list"), pytest.param(1j, "plain", id="complex"), pytest.param({"a": 1}, "plain", id="mapping"),
    pytest.param(np.float64(1), "of type float64; convert", id="numpy"),
    pytest.param(list(range(9999)), "plain", id="long list"),
])  # fmt: skip
def test_a_point_and_a_result_take_plain_values_only(value, message, threads):
    with pytest.raises(InputError, match=message) as error:
        make_point(x=value)
    assert len(str(error.value)) < 250
    (failed,) = run_sweep(Study("returned", 1, lambda point: {"x": value}), [make_point(x=1)], threads).records
    assert str(failed.failure).startswith("InputError: a result needs")


def test_the_longest_integers_come_back(tmp_path, threads):
    longest = 10**4000 - 1
    run_sweep(
        Study("long", 1, lambda point: {"x": longest, "y": -longest}), [make_point(x=1)], threads, tmp_path / "s.jsonl"
    )
    (entry,) = read_records(tmp_path / "s.jsonl")
    assert entry.result == {"x": longest, "y": -longest}


def test_keys_do_not_change_for_ever():
    """Python from 3.1 on prints the shortest decimal that reads as the same float; a change would orphan every store."""
    point = make_point(
        a=0.1, b=1e22, c=1e-7, d=5e-324, e=-0.0, f=2**64, g="\u00e9\n", h=None, i=True, j=1.7976931348623157e308
    )
    assert COSINE.key(point) == "1994a7b369fd9921f1960623c6459c7c"
    assert COSINE.seed(point) == 17796145251542406969
