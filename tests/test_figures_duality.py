"""The data of the figures of state-space duality against counts and ranks made by hand."""

from __future__ import annotations

import numpy as np

from hippo_theory.duality import least_dual, semiseparable_rank
from hippo_theory.figures.duality import dual_widths, duality_masks, softmax_rank


def test_heads_add_up_and_blocks_hold_everything():
    data = duality_masks(None)
    M = data["matrix"]
    assert np.array_equal(data["head_1"] + data["head_2"], M)  # powers of two times small integers: exact
    assert not np.triu(M, 1).any()
    ends = [*data["blocks"][1:], len(M)]
    inside = np.zeros(M.shape, dtype=bool)
    for start, stop in zip(data["blocks"], ends, strict=True):
        inside[start:stop, start:stop] = True
        for cut in range(start + 1, stop):
            assert M[cut:, :cut].any(), "a block that could be cut"
    assert not M[~inside].any()
    counts = [
        int(np.sum((data["new_columns"] >= a) & (data["new_columns"] < b)))
        for a, b in zip(data["blocks"], ends, strict=True)
    ]
    assert max(counts) == data["width"] > data["rank"]
    # Singular values of a matrix of order ten, far apart from zero, tell the ranks of the corners.
    corners = [np.linalg.matrix_rank(M[t:, : t + 1], tol=1e-9) for t in range(len(M))]
    assert max(corners) == data["rank"] == 2


def test_counts_of_all_matrices():
    data = dual_widths(None, size=3, longest=8)
    assert data["count"] == 2**6 and data["counts"].sum() == 64
    # By hand: the zero matrix; of size 3 none needs more width than states.
    assert data["counts"][0, 0] == 1 and data["wider"] == 0
    assert np.array_equal(data["width"], data["length"] - 1) and (data["rank"] == 2).all()


def test_the_counts_are_those_of_exact_elimination():
    counts = np.zeros((3, 4), dtype=int)
    for bits in range(2**6):
        M = np.zeros((3, 3), dtype=int)
        M[np.tril_indices(3)] = [bits >> place & 1 for place in range(6)]
        counts[semiseparable_rank(M), least_dual(M).minimum_width] += 1
    assert np.array_equal(dual_widths(None, size=3)["counts"], counts)
    # 4 x 4, counted once by elimination over the rationals.
    four = dual_widths(None, size=4)["counts"]
    assert {(r, w): int(four[r, w]) for r, w in zip(*np.nonzero(four), strict=True)} == {
        (0, 0): 1, (1, 1): 207, (2, 2): 672, (2, 3): 144,
    }  # fmt: skip


def test_softmax_ranks_follow_their_laws():
    data = softmax_rank(None, longest=12)
    assert np.array_equal(data["full"], data["length"])
    assert np.array_equal(data["semiseparable"], (data["length"] + 1) // 2)
    assert (data["float_rank"] <= data["full"]).all() and data["float_largest"] < 12
