"""Two codebases side by side: conventions do not matter, systems do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import hippo_theory as ht
from hippo_theory.errors import InputError
from hippo_theory.validation.comparing import compare

N = 12
EPS = np.finfo(float).eps


def low_rank(**changes: Any) -> dict[str, Any]:
    """LegS, diagonal plus low rank, all eigenvalues."""
    parts = ht.normal_plus_low_rank(ht.LegS(N))
    return {"Lambda": parts.Lambda, "P": parts.P, "B": parts.B} | changes


def halved() -> dict[str, Any]:
    whole = low_rank()
    return {name: part[: N // 2] for name, part in whole.items()}


def dense() -> dict[str, Any]:
    return {"A": ht.LegS(N).A, "B": ht.LegS(N).B}


def shuffled(arrays: dict[str, Any]) -> dict[str, Any]:
    """The same with the states in another order, and other phases of the eigenvectors."""
    random = np.random.default_rng(5)
    order = random.permutation(len(arrays["Lambda"]))
    phase = np.exp(2j * np.pi * random.random(len(order)))
    turned = {name: (part.T * phase).T[order] for name, part in arrays.items() if name != "Lambda"}
    return {"Lambda": arrays["Lambda"][order], **turned}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (low_rank(), shuffled(low_rank())),
        (halved(), low_rank()),
        (low_rank(), halved()),
        ({name: part.conj() for name, part in halved().items()}, shuffled(low_rank())),
    ],
    ids=["shuffled", "half and all", "all and half", "the other half"],
)
def test_neither_order_phase_nor_half_makes_a_difference(one, other):
    (pair,) = compare(one, other).pairs
    assert pair.states == N
    scale = np.abs(low_rank()["Lambda"]).max()
    assert pair.eigenvalues <= 4 * EPS
    assert pair.B <= 16 * EPS
    assert pair.kernel is not None
    # e^(tA) has the rounding errors of 10 doublings of e^(0.1 A), whose powers are bounded: c = 1024 products.
    assert pair.kernel.l2 <= 1024 * N * EPS * scale


def test_dense_and_low_rank_have_the_same_kernel():
    (pair,) = compare(dense(), halved()).pairs
    assert (pair.states, pair.eigenvalues, pair.B) == (N, None, None)
    assert pair.kernel is not None and pair.kernel.l2 <= 1024 * N * EPS * np.abs(low_rank()["Lambda"]).max()
    assert "only the kernels" in pair.why


def test_the_distance_of_kernels_is_that_of_another_route():
    """K(t) = B* e^(tA) B, once by a solver of differential equations, against compare's own of twice the B."""
    (pair,) = compare({"A": dense()["A"], "B": 2 * dense()["B"]}, dense()).pairs
    assert pair.kernel is not None
    assert pair.kernel.l2 == pytest.approx(3, rel=1e-12)  # 4 K against K
    A, B = dense()["A"], dense()["B"]
    step = 1e-2
    times = step * np.arange(50)
    by_solver = B @ solve_ivp(lambda t, x: A @ x, (0, times[-1]), B, "DOP853", times, rtol=1e-11, atol=1e-11).y
    by_powers = np.array([B @ expm(t * A) @ B for t in times])
    from hippo_theory.validation.comparing import _column, _kernel, _System
    from hippo_theory.validation.stored_systems import tensors_of

    for arrays in (dense(), low_rank(), halved()):
        finding = compare(arrays, arrays).source.findings[0]
        system = _System.read(finding, tensors_of(arrays))
        kernel = _kernel(system, _column(system), step)
        assert np.allclose(kernel[:50], by_powers, rtol=1e-9, atol=1e-9 * by_powers[0])
        assert np.allclose(kernel[:50], by_solver, rtol=1e-7, atol=1e-7 * by_powers[0])


def test_the_kernel_of_a_diagonal_system_is_its_sum_of_exponentials():
    lin, inv = (ht.initialization(name, 16).Lambda for name in ("s4d-lin", "s4d-inv"))
    (pair,) = compare({"Lambda": lin, "B": 3 * np.ones(8)}, {"Lambda": inv, "B": np.ones(8)}).pairs
    assert pair.kernel is not None
    times = pair.kernel.step * np.arange(1024)
    ours, theirs = (c * 2 * np.exp(np.outer(times, part)).real.sum(axis=1) for c, part in ((9, lin), (1, inv)))
    assert pair.kernel.l2 == pytest.approx(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs), rel=1e-10)
    assert pair.kernel.sup == pytest.approx(np.abs(ours - theirs).max() / np.abs(theirs).max(), rel=1e-10)
    assert abs(pair.B - 2) <= 4 * EPS


def test_the_distances_of_eigenvalues_and_of_B_are_those_put_in():
    moved = low_rank()
    moved["Lambda"] = moved["Lambda"].copy()
    moved["Lambda"][0] += 1e-3j
    (pair,) = compare(shuffled(moved), low_rank()).pairs
    assert pair.eigenvalues == pytest.approx(1e-3 / np.abs(low_rank()["Lambda"]).max(), rel=1e-6)
    scaled = low_rank(B=low_rank()["B"] * np.where(np.arange(N) == 3, 1.5, 1.0))
    (pair,) = compare(shuffled(scaled), low_rank()).pairs
    moduli = np.abs(low_rank()["B"])
    assert abs(pair.B - 0.5 * moduli[3] / moduli.max()) <= 16 * EPS


def without(arrays: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: part for name, part in arrays.items() if name not in names}


def rank_two(**changes: Any) -> dict[str, Any]:
    """LegT, whose low-rank term has two columns."""
    parts = ht.normal_plus_low_rank(ht.LegT(N))
    assert parts.P.shape == (N, 2)
    return {"Lambda": parts.Lambda, "P": parts.P.T[:, None, :], "B": parts.B} | changes


def turned(arrays: dict[str, Any], seed: int = 3) -> dict[str, Any]:
    """The same system with other phases of the eigenvectors, along the last axis, where the states are."""
    phase = np.exp(2j * np.pi * np.random.default_rng(seed).random(N))
    return {name: part if name == "Lambda" else part * phase for name, part in arrays.items()}


def as_rows(arrays: dict[str, Any]) -> dict[str, Any]:
    return arrays | {"P": arrays["P"].T[:, None, :]}


@pytest.mark.parametrize("start", [as_rows(low_rank()), rank_two()], ids=["rank one", "rank two"])
@pytest.mark.parametrize("left_out", [(), ("B",)], ids=["with B", "without B"])
def test_phases_of_eigenvectors_do_not_move_low_rank_terms_apart(start, left_out):
    one, other = without(turned(start), *left_out), without(start, *left_out)
    (pair,) = compare(one, other).pairs
    # c = 64 for the products and the phases; without B these come from a Hermitian eigensolver: the smallest entries of
    # its leading eigenvector are |P|^2 of at least 1/400 of the largest.
    assert pair.P <= 64 * 400 * EPS
    assert pair.kernel is not None
    assert pair.kernel.l2 <= 1024 * N * EPS * np.abs(start["Lambda"]).max()
    assert ("P* e^(tA) P" in pair.why) == bool(left_out)


def test_the_distance_of_low_rank_terms_is_that_put_in():
    """P scaled at one state by 1 + s: the product there by (1 + s)^2."""
    P = low_rank()["P"].copy()
    P[2] *= 1.25
    for left_out in ((), ("B",)):
        (pair,) = compare(without(low_rank(P=P), *left_out), without(low_rank(), *left_out)).pairs
        truth = np.abs(low_rank()["P"] @ low_rank()["P"].conj().T)
        moved = truth * (np.where(np.arange(N) == 2, 1.25, 1)[:, None] * np.where(np.arange(N) == 2, 1.25, 1) - 1)
        assert abs(pair.P * truth.max() / moved.max() - 1) <= 1e-9


def test_a_low_rank_term_that_is_conjugated_against_its_input_is_another_system():
    """The moduli agree; with B the phases are seen, without B those of rank one cannot be."""
    conjugated = turned(as_rows(low_rank()))
    conjugated["P"] = conjugated["P"].conj()
    (pair,) = compare(conjugated, as_rows(low_rank())).pairs
    assert pair.B <= 16 * EPS and pair.P > 0.1
    (pair,) = compare(without(conjugated, "B"), without(as_rows(low_rank()), "B")).pairs
    assert pair.P <= 64 * 400 * EPS


def test_a_second_column_with_the_other_phases_is_seen_without_an_input():
    mixed = rank_two()
    mixed["P"] = mixed["P"].copy()
    mixed["P"][1] = turned(rank_two())["P"][1]
    (pair,) = compare(without(mixed, "B"), without(rank_two(), "B")).pairs
    assert np.abs(np.linalg.norm(mixed["P"], axis=0) - np.linalg.norm(rank_two()["P"], axis=0)).max() <= 4 * EPS * N
    assert pair.P > 0.1


def test_what_phases_would_decide_has_no_kernel():
    (pair,) = compare(without(low_rank(), "B"), dense()).pairs
    assert pair.kernel is None and "phases" in pair.why
    (pair,) = compare(low_rank(), without(low_rank(), "P")).pairs
    assert pair.P is None and "only this has a low-rank term" in pair.why


def test_findings_are_paired_by_size_and_by_what_they_are():
    lin, inv = (ht.initialization(name, 16).Lambda for name in ("s4d-lin", "s4d-inv"))
    one = {"0.Lambda": lin, "1.Lambda": inv, "2.A": ht.LegS(4).A, "2.B": ht.LegS(4).B}
    other = {"a.Lambda": inv, "b.Lambda": lin}
    pairs = compare(one, other).pairs
    names = [(p.finding and p.finding.layer, p.reference and p.reference.layer) for p in pairs]
    assert names == [("0.", "b."), ("1.", "a."), ("2.", None)]
    assert "nothing more of 4 states" in pairs[2].why


def test_equal_layers_keep_their_own_names():
    lin, inv = (ht.initialization(name, 16).Lambda for name in ("s4d-lin", "s4d-inv"))
    one = {"0.Lambda": lin, "1.Lambda": lin, "2.Lambda": inv}
    pairs = compare(one, {f"a{name}": part for name, part in one.items()}).pairs
    assert [(p.finding.layer, p.reference.layer, p.eigenvalues) for p in pairs] == [
        ("0.", "a0.", 0),
        ("1.", "a1.", 0),
        ("2.", "a2.", 0),
    ]


def test_of_mixed_starts_each_finding_is_compared_by_its_own_system():
    lin, inv = (ht.initialization(name, 16).Lambda for name in ("s4d-lin", "s4d-inv"))
    pairs = compare({"Lambda": np.stack([lin, inv, lin])}, {"a.Lambda": inv, "b.Lambda": lin}).pairs
    assert len(pairs) == 2
    assert all(pair.eigenvalues == 0 for pair in pairs)


def test_systems_that_are_not_finite_have_reasons_instead_of_numbers():
    lin = ht.initialization("s4d-lin", 16).Lambda
    broken = lin.copy()
    broken[2] = np.nan
    pairs = compare({"Lambda": broken}, {"Lambda": lin}).pairs
    for pair in pairs:
        assert pair.eigenvalues is None and pair.kernel is None and pair.why


def test_what_cannot_be_compared_is_an_input_error(tmp_path: Path):
    (tmp_path / "damaged.npz").write_bytes(b"PK\x03\x04")
    np.savez(tmp_path / "good.npz", **dense())
    with pytest.raises(InputError, match=r"damaged\.npz"):
        compare(tmp_path / "good.npz", tmp_path / "damaged.npz")
    with pytest.raises(InputError, match="`source` must be one file, got a folder with 2"):
        compare(tmp_path, tmp_path / "good.npz")
    with pytest.raises(InputError, match="absent"):
        compare(tmp_path / "absent.npz", dense())
