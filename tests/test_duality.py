"""Structured state-space duality: exact identities, the width theorem in both directions, and operation counts."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction

import numpy as np
import pytest

from hippo_theory.cli import main
from hippo_theory.duality import (
    Block,
    Certificate,
    TimeVaryingSystem,
    apply_chunked,
    apply_heads,
    apply_system,
    attention_matrix,
    chunked_cost,
    diagonal_blocks,
    exact_system,
    head_cost,
    head_sum,
    least_dual,
    new_columns,
    one_semiseparable,
    realized_matrix,
    scalar_system,
    semiseparable_rank,
    softmax_ranks,
)
from hippo_theory.duality.exact_matrices import exact_rank, fractions
from hippo_theory.errors import InputError

EPS = np.finfo(float).eps
SHAPES = {"scalar": lambda T, N: (T,), "diagonal": lambda T, N: (T, N), "dense": lambda T, N: (T, N, N)}


def integer_system(rng, kind, T, N, low=-2, high=3):
    """A system of small integers, some of them zero."""
    draw = lambda shape: rng.integers(low, high, shape).astype(object)  # noqa: E731
    return TimeVaryingSystem(draw(SHAPES[kind](T, N)), draw((T, N)), draw((T, N)))


def by_products(system):
    """M from its definition, every product formed anew."""
    dense = {
        "scalar": lambda a: a * np.eye(system.N, dtype=object),
        "diagonal": np.diag,
        "dense": np.asarray,
    }[system.kind]
    M = np.zeros((system.T, system.T), dtype=object)
    for t, s in itertools.product(range(system.T), repeat=2):
        if t >= s:
            v = system.B[s]
            for k in range(s + 1, t + 1):
                v = dense(system.A[k]) @ v
            M[t, s] = system.C[t] @ v
    return M


def eliminated_rank(matrix):
    """Rank by Gaussian elimination in Fractions: a route that shares nothing with flint."""
    rows = [[Fraction(int(v)) for v in row] for row in matrix]
    rank = 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for i in range(rank + 1, len(rows)):
            factor = rows[i][column] / rows[rank][column]
            rows[i] = [x - factor * y for x, y in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank


@pytest.mark.parametrize("kind", SHAPES)
def test_the_realized_matrix_is_its_definition(kind):
    rng = np.random.default_rng(1)
    system = integer_system(rng, kind, 9, 3)
    M = by_products(system)
    assert (realized_matrix(system) == M).all()
    x = rng.integers(-3, 4, (9, 2)).astype(object)
    assert (apply_system(system, x) == M @ x).all()
    assert (apply_system(system, x[:, 0]) == M @ x[:, 0]).all()


def test_a_system_of_n_states_is_n_semiseparable_and_the_corner_counts():
    system = integer_system(np.random.default_rng(2), "dense", 14, 3)
    M = realized_matrix(system)
    assert semiseparable_rank(M) == 3
    assert max(eliminated_rank(M[t:, : t + 1]) for t in range(14)) == 3
    for T in (4, 8, 16, 40):
        corner = np.eye(T, dtype=int)
        corner[-1, 0] = 1
        assert semiseparable_rank(corner) == 2  # 1 if the corner left out the diagonal
        assert least_dual(corner).minimum_width == T - 1


def test_scalar_identity_is_a_mask_times_a_product():
    system = integer_system(np.random.default_rng(3), "scalar", 10, 4)
    assert (realized_matrix(system) == one_semiseparable(system.A) * (system.C @ system.B.T)).all()


def test_a_diagonal_system_is_the_sum_of_its_heads():
    system = integer_system(np.random.default_rng(4), "diagonal", 12, 5)
    M = realized_matrix(system)
    total = sum(one_semiseparable(a) * np.outer(c, b) for a, b, c in head_sum(system))
    assert (total == M).all()
    swapped = sum(one_semiseparable(a) * np.outer(b, c) for a, b, c in head_sum(system))
    assert not (swapped == M).all()  # the order that some notes print
    with pytest.raises(InputError, match="dense"):
        head_sum(integer_system(np.random.default_rng(4), "dense", 3, 2))


def small_matrices(size):
    """All lower triangular 0/1 matrices."""
    places = [(t, s) for t in range(size) for s in range(t + 1)]
    for bits in itertools.product((0, 1), repeat=len(places)):
        M = np.zeros((size, size), dtype=int)
        for place, bit in zip(places, bits, strict=True):
            M[place] = bit
        yield M


def check_the_width_theorem(M):
    """Both directions, and two counts of the new columns; returns (semiseparable rank, minimum width)."""
    dual = least_dual(M)
    assert (attention_matrix(dual.attention) == M).all() and dual.attention.width == dual.minimum_width
    assert dual.certificate.holds(M) and len(dual.certificate.block.new_columns) == dual.minimum_width
    counted = [
        sum(eliminated_rank(M[t:stop, start : t + 1]) for t in range(start, stop))
        - sum(eliminated_rank(M[t:stop, start:t]) for t in range(start + 1, stop))
        for start, stop in diagonal_blocks(M)
    ]
    assert counted == [len(block.new_columns) for block in dual.blocks]
    assert sorted(t for block in dual.blocks for t in block.new_columns) == new_columns(M)
    return semiseparable_rank(M), dual.minimum_width


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_width_theorem_on_all_small_matrices(size):
    for M in small_matrices(size):
        check_the_width_theorem(M)


@pytest.mark.heavy
@pytest.mark.parametrize("size", [4, 5])
def test_the_width_theorem_on_all_matrices_up_to_five(size):
    found = {check_the_width_theorem(M) for M in small_matrices(size)}
    four = {(0, 0), (1, 1), (2, 2), (2, 3)}
    assert found == (four if size == 4 else four | {(2, 4), (3, 3)})


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("T", [24, 64])
def test_duals_of_integer_systems_are_exact(kind, T):
    M = realized_matrix(integer_system(np.random.default_rng(T), kind, T, 3))
    dual = least_dual(M)
    assert (attention_matrix(dual.attention) == M).all() and dual.certificate.holds(M)
    assert (realized_matrix(scalar_system(dual.attention)) == M).all()


def test_invertible_transitions_have_a_dual_of_their_own_width():
    system = integer_system(np.random.default_rng(6), "dense", 12, 3)
    invertible = TimeVaryingSystem(2 * np.eye(3, dtype=object) + np.triu(system.A, 1), system.B, system.C)
    assert least_dual(realized_matrix(invertible)).minimum_width == 3


def test_richer_dynamics_needs_singular_transitions():
    M = 2 * np.eye(4, dtype=int) + np.eye(4, k=-1, dtype=int)
    heads = TimeVaryingSystem([[1, 1], [1, 0], [0, 1], [1, 0]], np.ones((4, 2)), np.ones((4, 2)))
    assert (realized_matrix(heads) == M).all()
    assert (semiseparable_rank(M), least_dual(M).minimum_width, new_columns(M)) == (2, 3, [0, 1, 2])


def test_a_skip_connection_widens_the_dual():
    for T in (4, 8, 16):
        one_state = one_semiseparable([Fraction(1, 2)] * T)
        assert least_dual(one_state).minimum_width == 1
        assert least_dual(one_state + np.eye(T, dtype=int)).minimum_width == T - 1


def test_a_certificate_can_fail():
    M = 2 * np.eye(4, dtype=int) + np.eye(4, k=-1, dtype=int)
    certificate = least_dual(M).certificate
    assert not certificate.holds(one_semiseparable([1, 1, 1, 1]))
    spoiled = certificate.annihilators.copy()
    spoiled[1, 1] += 1
    assert not Certificate(certificate.block, spoiled).holds(M)
    assert not Certificate(certificate.block, certificate.annihilators[:2]).holds(M)


@pytest.mark.parametrize("T", [8, 64])
def test_float_duals_are_within_their_bound(T):
    system = integer_system(np.random.default_rng(T), "diagonal", T, 3, -1, 2)
    M = realized_matrix(system).astype(float)
    dual = least_dual(M).attention
    rounded = type(dual)(*(array.astype(float) for array in (dual.a, dual.Q, dual.K)))
    size = np.abs(rounded.Q) @ np.abs(rounded.K).T * np.abs(one_semiseparable(rounded.a))
    # Two roundings of the entries, then the stated (w + T + 1) eps.
    assert (np.abs(attention_matrix(rounded) - M) <= (dual.width + T + 3) * EPS * size).all()


class Counting:
    """A number that counts what is done with it."""

    multiplications = additions = 0

    def __init__(self, value):
        self.value = value

    def __mul__(self, other):
        if isinstance(other, np.ndarray):
            return NotImplemented  # the array multiplies entry by entry
        Counting.multiplications += 1
        return Counting(self.value * getattr(other, "value", other))

    def __add__(self, other):
        if isinstance(other, np.ndarray):
            return NotImplemented
        Counting.additions += 1
        return Counting(self.value + getattr(other, "value", other))

    __rmul__, __radd__ = __mul__, __add__


def counted(evaluate, system, X):
    """The values, and how many operations they took."""
    wrap = np.frompyfunc(Counting, 1, 1)
    Counting.multiplications = Counting.additions = 0
    values = evaluate(TimeVaryingSystem(wrap(system.A), wrap(system.B), wrap(system.C)), wrap(X))
    unwrap = np.frompyfunc(lambda number: number.value, 1, 1)
    return unwrap(values), (Counting.multiplications, Counting.additions)


@pytest.mark.parametrize(
    ("T", "N", "P", "chunk"), [(1, 1, 1, 1), (6, 2, 3, 1), (12, 3, 2, 4), (13, 2, 2, 5), (8, 4, 1, 8)]
)
def test_chunks_give_the_same_and_cost_what_the_model_says(T, N, P, chunk):
    rng = np.random.default_rng(T)
    system, X = integer_system(rng, "scalar", T, N), rng.integers(-3, 4, (T, P)).astype(object)
    values, operations = counted(lambda s, x: apply_chunked(s, x, chunk), system, X)
    assert (values == realized_matrix(system) @ X).all()
    cost = chunked_cost(T, N, P, chunk)
    assert operations == (cost.multiplications, cost.additions)


@pytest.mark.parametrize(
    ("T", "N", "P", "total"), [(6, 4, 3, 318), (10, 6, 4, 1112), (12, 8, 5, 2260), (16, 5, 6, 2244)]
)
def test_heads_cost_what_the_model_says(T, N, P, total):
    rng = np.random.default_rng(T)
    system, X = integer_system(rng, "diagonal", T, N), rng.integers(-3, 4, (T, P)).astype(object)
    values, operations = counted(apply_heads, system, X)
    assert (values == realized_matrix(system) @ X).all()
    cost = head_cost(T, N, P)
    assert operations == (cost.multiplications, cost.additions) and cost.total == total


def test_chunks_in_floats_agree_with_the_recurrence():
    rng = np.random.default_rng(9)
    T, N, P = 48, 4, 3
    system = TimeVaryingSystem(rng.uniform(0.5, 1, T), rng.normal(size=(T, N)), rng.normal(size=(T, N)))
    X = rng.normal(size=(T, P))
    size = realized_matrix(TimeVaryingSystem(system.A, np.abs(system.B), np.abs(system.C))) @ np.abs(X)
    # Each product passes at most T + N + 3 roundings on either side.
    assert (np.abs(apply_chunked(system, X, 8) - apply_system(system, X)) <= 2 * (T + N + 3) * EPS * size).all()


@pytest.mark.parametrize("T", [1, 4, 5, 8, 12, 20])
def test_softmax_ranks_explode(T):
    found = softmax_ranks(T)
    assert (found.full, found.semiseparable, found.new_columns) == (T, (T + 1) // 2, (T + 1) // 2)


def test_floating_point_does_not_see_the_explosion():
    logits = np.outer(np.arange(1, 21), np.arange(1, 21)) / 20
    assert np.linalg.matrix_rank(np.exp(logits)) < 20  # exact rank 20: a generalized Vandermonde matrix


def test_floats_are_the_binary_fractions_that_they_are():
    system = TimeVaryingSystem([0.1, 0.1, 0.1], np.ones((3, 1)), np.ones((3, 1)))
    M = realized_matrix(exact_system(system))
    assert M[2, 0] == Fraction(0.1) ** 2 and new_columns(M) == [0]
    assert new_columns(realized_matrix(system)) == [0, 1]  # 0.1 * 0.1, rounded, is not the square


def test_products_of_integers_do_not_overflow():
    assert one_semiseparable([10] * 30)[29, 0] == 10**29
    assert type(one_semiseparable(np.array([True, True]))[1, 0]) is int
    system = TimeVaryingSystem([1, 1], np.array([[2**53 + 1], [1]], dtype=object), [[1], [1]])
    assert realized_matrix(system)[1, 0] == 2**53 + 1
    thirds = TimeVaryingSystem(np.array([Fraction(1, 3)] * 3), np.ones((3, 1), dtype=int), [[1], [1], [1]])
    assert realized_matrix(thirds)[2, 0] == Fraction(1, 9)  # integers beside Fractions are exact, too


def test_a_mask_needs_finite_numbers():
    for a, message in (([1.0, np.nan], "NaN"), (["x"], "numbers"), ([[1]], "sequence"), ([None, 1], "numbers")):
        with pytest.raises(InputError, match=message):
            one_semiseparable(a)


def test_the_zero_matrix_has_a_dual_without_width_and_a_system():
    dual = least_dual(np.zeros((3, 3), dtype=int))
    assert dual.minimum_width == 0 and not attention_matrix(dual.attention).any()
    system = scalar_system(dual.attention)
    assert system.N == 1 and not realized_matrix(system).any()


def test_certificates_of_floats_are_multiplied_out_exactly():
    third = Certificate(Block(0, 3, (0, 2)), np.array([[1.0, 0, 0], [0, 0, 0.1]]))
    # u M[2:, :2] is 0.1 * 1e-320: zero in floats, and not zero.
    assert not third.holds(np.array([[1.0, 0, 0], [1, 1, 0], [1e-320, 0, 1]]))
    assert Certificate(Block(0, 2, (0,)), np.array([[0.5, 0]])).holds([[1, 0], [1, 1]])


def test_one_step_one_state_and_the_matrix_of_one_entry():
    system = TimeVaryingSystem([7], [[2]], [[3]])
    assert realized_matrix(system).tolist() == [[6.0]] and apply_heads(system, [[5]]).tolist() == [[30.0]]
    assert apply_chunked(system, [[5]], 4).tolist() == [[30.0]]
    assert (least_dual([[6]]).minimum_width, semiseparable_rank([[6]]), new_columns([[6]])) == (1, 1, [0])
    assert (least_dual([[0]]).minimum_width, semiseparable_rank([[0]]), new_columns([[0]])) == (0, 0, [])
    assert diagonal_blocks([[0]]) == [(0, 1)] and exact_rank(fractions(np.zeros((0, 3)))) == 0


def test_complex_systems_and_large_integers_are_computed_with_as_they_are():
    T = 4
    rng = np.random.default_rng(8)
    a, B, C = rng.normal(size=T) + 1j * rng.normal(size=T), rng.normal(size=(T, 2)), rng.normal(size=(T, 2))
    system, X = TimeVaryingSystem(a, B, C), rng.normal(size=(T, 3))
    expected = realized_matrix(system) @ X
    # Sums of 8 products of factors below 3, in products of up to 4 of them.
    allowed = 16 * T * 3**T * EPS
    assert np.abs(apply_heads(system, X) - expected).max() <= allowed
    assert np.abs(apply_chunked(system, X, 2) - expected).max() <= allowed
    large = 2**62
    hidden = np.empty((2, 1), dtype=object)
    hidden[:] = np.int64(large)  # an integer of NumPy inside an object array
    exact = TimeVaryingSystem(np.array([1, 1], dtype=object), hidden, hidden)
    assert realized_matrix(exact)[1, 0] == large**2
    for x in (apply_system(exact, [large, 0])[1], apply_heads(exact, [[large], [0]])[1, 0]):
        assert x == large**3 and type(x) is int


def test_the_cost_of_long_sequences_is_counted_at_once():
    T, N, P, Q = 10**12, 64, 64, 64
    m = T // Q
    inside, between = (
        Q * (Q - 1) // 2 + Q * Q * (2 * N + 2 * P) - Q * P,
        2 * (Q - 1) + 2 * Q * N + 4 * Q * N * P - N * P,
    )
    assert chunked_cost(T, N, P, Q).total == m * inside + (m - 1) * between + (m - 2) * (Q - 1 + 2 * N * P)


def test_forged_certificates_are_seen():
    M = one_semiseparable([1, 1, 1])  # one new column
    true = least_dual(M).certificate
    assert true.holds(M) and true.block.new_columns == (0,)
    for columns in ((0, 0), (0, 0, 0), (-3, 0), (0, 3)):
        forged = Certificate(Block(0, 3, columns), np.concatenate([true.annihilators] * len(columns)))
        assert not forged.holds(M)
    with pytest.raises(InputError, match="exact values"):
        Certificate(Block(0, 3, (0,)), np.array([["x"] * 3])).holds(M)
    # Two blocks of one new column each, claimed to be one of two.
    assert not Certificate(Block(0, 2, (0, 1)), np.eye(2, dtype=int)).holds(np.eye(2, dtype=int))
    two = least_dual([[1, 0, 0], [1, 1, 0], [0, 1, 1]]).certificate
    swapped = Certificate(Block(0, 3, two.block.new_columns[::-1]), two.annihilators[::-1])
    assert not swapped.holds([[1, 0, 0], [1, 1, 0], [0, 1, 1]])
    for start, stop in ((0, 4), (-1, 2), (2, 2)):
        assert not Certificate(Block(start, stop, (0,)), true.annihilators).holds(M)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [[1], [1]], [[1]]), "one shape"),
        (([1, 2], [[1], [1, 2]], [[1], [1]]), "`B` must be an array, got rows of different lengths"),
        (([1, 2], np.ones((2, 0)), np.ones((2, 0))), "one shape"),
        (([1, 2, 3], [[1], [1]], [[1], [1]]), "`A` must have the shape"),
        (([1, np.nan], [[1], [1]], [[1], [1]]), "NaN"),
        ((["x", "y"], [[1], [1]], [[1], [1]]), "must hold numbers"),
        (([1, 1], [[2**53 + 1], [1]], [[1], [1]]), "object array"),
        ((np.array([1, np.nan], dtype=object), [[1], [1]], [[1], [1]]), "NaN"),
        ((np.array([1, None], dtype=object), [[1], [1]], [[1], [1]]), "must hold numbers"),
    ],
)
def test_bad_systems_say_why(arguments, message):
    with pytest.raises(InputError, match=message):
        TimeVaryingSystem(*arguments)


def test_bad_matrices_say_why():
    for M, message in (
        ([[1, 2], [0, 1]], "lower triangular"),
        ([[1, 0]], "square"),
        ([[1j]], "real"),
        (np.array([[np.nan]], object), "number"),
        ([[1], [1, 2]], "different lengths"),
    ):
        with pytest.raises(InputError, match=message):
            least_dual(M)


@pytest.mark.parametrize("name", ["system", "matrix"])
def test_the_command_finds_the_least_width(tmp_path, capsys, name):
    heads = {"a": [[1, 1], [1, 0], [0, 1], [1, 0]], "b": np.ones((4, 2)), "c": np.ones((4, 2))}
    arrays = heads if name == "system" else {"M": 2 * np.eye(4) + np.eye(4, k=-1)}
    np.savez(tmp_path / "x.npz", **arrays)
    assert main(["dual", str(tmp_path / "x.npz"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["minimum_width"] == 3 and answer["new_columns"] == [0, 1, 2]
    assert answer["blocks"] == [{"start": 0, "stop": 4, "new_columns": [0, 1, 2]}]
    assert answer["certificate"]["holds"] is True and answer["semiseparable_rank"] == 2
    assert main(["dual", str(tmp_path / "x.npz")]) == 0
    assert "least width of a dual: 3" in capsys.readouterr().out


def test_the_command_takes_large_integers_as_they_are(tmp_path, capsys):
    # 2^53 + 1 is no float64; the exact annihilators tell it from 2^53.
    a, b, c = np.ones(2, int), np.array([[1, 0], [1, 1]]), np.array([[2**53 + 1, 1], [2**53, 1]])
    np.savez(tmp_path / "x.npz", a=a, b=b, c=c)
    M = [[2**53 + 1, 0], [2**53, 2**53 + 1]]
    assert main(["dual", str(tmp_path / "x.npz"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    np.savez(tmp_path / "x.npz", M=np.array(M))
    assert main(["dual", str(tmp_path / "x.npz"), "--json"]) == 0
    same = json.loads(capsys.readouterr().out)
    assert answer["certificate"] == same["certificate"]


def test_the_command_refuses_what_it_cannot_use(tmp_path, capsys):
    cases = [
        ({"M": np.ones((2, 2))}, "lower triangular"),
        ({"x": np.ones(2)}, "a, b, c"),
        ({"M": np.ones((2, 2)) * 1j}, "real"),
        ({"M": np.diag([1, np.nan])}, "`M` in"),
        ({"M": np.eye(1), "a": [1], "b": [[1]], "c": [[1]]}, "keep the ones"),
    ]
    for arrays, message in cases:
        np.savez(tmp_path / "x.npz", **arrays)
        assert main(["dual", str(tmp_path / "x.npz")]) == 2
        assert message in capsys.readouterr().err
    # By their shapes, before anything is read: the matrix of the last but one would have 10^12 entries.
    for arrays, message in (
        ({"M": np.eye(300)}, "300 steps"),
        ({"a": np.ones(10**6), "b": np.ones((10**6, 1)), "c": np.ones((10**6, 1))}, "1000000 steps"),
        ({"a": np.ones((2, 2)), "b": np.ones((2, 2**20)), "c": np.ones((2, 2))}, "entries"),
        ({"M": np.eye(2, dtype=np.longdouble)}, "left out: M"),
        ({"a": np.ones(3), "b": np.ones((4, 1)), "c": np.ones((4, 1))}, "x.npz: `A` must have the shape"),
    ):
        np.savez(tmp_path / "x.npz", **arrays)
        assert main(["dual", str(tmp_path / "x.npz")]) == 2
        said = capsys.readouterr().err
        assert message in said and said.count("\n") == 1


def test_the_command_prints_integers_of_any_length(tmp_path, capsys):
    # Entries of 1000 binary digits before and after the point; Python refuses to print more than 4300 digits.
    M = np.tril(np.random.default_rng(0).normal(size=(20, 20))) * 2.0 ** np.random.default_rng(1).integers(
        -1000, 1000, (20, 20)
    )
    np.savez(tmp_path / "x.npz", M=M)
    assert main(["dual", str(tmp_path / "x.npz"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["certificate"]["holds"] is True and answer["minimum_width"] == 10
    assert max(len(v) for row in answer["certificate"]["annihilators"] for v in row) > 4300
