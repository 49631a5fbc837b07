"""Input selectivity: associative recall without training, each statement by a second route."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from hippo_theory.errors import InputError
from hippo_theory.selectivity import (
    Codes,
    circle_codes,
    haar_error_squared,
    key_code_error_bound,
    mamba_recall,
    mamba_recall_system,
    one_hot_codes,
    pair_codes,
    recall_accuracy,
    recall_task,
    s4d_recall,
    sign_code_error_bound,
    sign_code_error_probability,
    sign_code_failures,
    sign_code_width,
    sign_codes,
    silu,
    silu_product,
)

EPS = np.finfo(float).eps


def test_the_task_is_what_it_says():
    for seed in range(5):
        task = recall_task(20, 7, seed=seed)
        keys, values = task.tokens[:14:2], task.tokens[1:14:2]
        assert len(set(keys)) == 7 and (keys < 20).all() and (values >= 20).all()
        stored = dict(zip(keys, values, strict=True))
        assert [stored[task.tokens[q]] - 20 for q in task.queries] == list(task.targets)
        assert sorted(task.tokens[task.queries]) == sorted(keys)
    assert len(set(recall_task(9, 9, distinct_values=True).targets)) == 9
    with pytest.raises(InputError, match="`pairs`"):
        recall_task(3, 4)


@pytest.mark.parametrize("variant", ["mamba", "mamba2"])
def test_one_hot_codes_recall_everything_with_the_convolution_and_nothing_without(variant):
    codes = one_hot_codes(64)
    for seed in range(5):
        task = recall_task(64, 32, seed=seed)
        logits = mamba_recall(task, codes, variant=variant)
        assert recall_accuracy(logits, task) == 1.0
        # the decay of rate N over T = 96 tokens
        wanted = np.eye(64)[task.targets]
        assert abs(logits - wanted).max() <= 64 * 96 * 2.0**-30
        without = mamba_recall(task, codes, variant=variant, convolution=False)
        assert not without.any() and recall_accuracy(without, task) == 0.0


def test_pair_codes_recall_everything_without_selectivity_and_nothing_without_the_convolution():
    codes = pair_codes(64)
    task = recall_task(64, 32, seed=3)
    logits = s4d_recall(task, codes)
    assert recall_accuracy(logits, task) == 1.0
    assert abs(logits - np.eye(64)[task.targets]).max() <= 96 * 2.0**-30 + 64 * EPS
    without = s4d_recall(task, codes, convolution=False)
    assert not without.any() and recall_accuracy(without, task) == 0.0


def test_layers_against_dictionaries_of_codes():
    task, codes = recall_task(16, 5, seed=1), sign_codes(16, 24, 24, seed=2)
    a, b = codes.keys, codes.values
    keys, values = task.tokens[:10:2], task.tokens[1:10:2] - 16
    for i, q in enumerate(task.tokens[task.queries]):
        gated = [sum(a[q, c] * a[k, c] * b[v, c] for k, v in zip(keys, values, strict=True)) for c in range(24)]
        outer = sum((a[q] @ a[k]) / 24 * (b @ b[v]) / 24 for k, v in zip(keys, values, strict=True))
        # sums of 5 terms of size at most 1, over 15 tokens, at rates 1 and up to 24
        assert np.allclose(s4d_recall(task, codes)[i], b @ np.array(gated) / 24, rtol=0, atol=5 * 15 * 2.0**-30)
        assert np.allclose(mamba_recall(task, codes)[i], outer, rtol=0, atol=5 * 24 * 15 * 2.0**-30)


def test_the_mixer_is_a_selective_system_whose_step_is_constant():
    task = recall_task(8, 3)
    system = mamba_recall_system(task, one_hot_codes(8).keys, step=0.25)
    assert np.ptp(system.A, axis=0).max() == 0 and np.allclose(
        system.A[0], np.exp(-0.25 * np.arange(1, 9)), rtol=4 * EPS
    )
    with pytest.raises(InputError, match="`variant`"):
        mamba_recall_system(task, one_hot_codes(8).keys, variant="s4")  # type: ignore[arg-type]


def test_products_and_gates_from_silus():
    for a, b in itertools.product((-1.0, 0.0, 1.0), repeat=2):
        assert abs(silu_product(a, b) - a * b) <= 4 * EPS
    assert abs(silu_product(0.5, 0.5) - 0.25) > 0.001  # no product in between
    z = np.linspace(-30, 30, 101)
    assert np.all(abs(silu(z) - silu(-z) - z) <= 4 * EPS * abs(z))


def test_two_states_recall_distinct_values_with_the_stated_margin():
    V = 32
    task = recall_task(V, V, seed=4, distinct_values=True)
    logits = mamba_recall(task, circle_codes(V), variant="mamba2")
    assert recall_accuracy(logits, task) == 1.0
    ranked = np.sort(logits, axis=1)
    margins = ranked[:, -1] - ranked[:, -2]
    assert abs(margins - (1 - math.cos(2 * math.pi / V))).max() <= 3 * V * 2.0**-30 * 2


def test_the_probability_bound_is_met_over_a_thousand_draws():
    widths = [64, 128, 256, 384, sign_code_width(64, 16, 0.01)]
    assert widths[-1] == 561
    failures = sign_code_failures(64, 16, widths, draws=1000)
    bounds = [sign_code_error_bound(64, 16, D) for D in widths]
    assert all(failures <= np.minimum(bounds, 1))
    assert failures[0] > 0.3  # and the codes do fail when narrow
    assert bounds[-1] <= 0.01 < sign_code_error_bound(64, 16, 560)


@pytest.mark.parametrize("pairs", [2, 16])
def test_the_width_is_the_least_one_that_the_bound_allows(pairs):
    for D in range(1, 400):
        failure = sign_code_error_bound(64, pairs, D)
        assert sign_code_width(64, pairs, failure) == D
    assert sign_code_width(64, pairs, 63.999999) == 1


def test_layers_that_forget_fail_as_often_as_stated():
    # e^(-2 lambda Delta T) in the exponent for keys; lambda Delta T up to 3/(8 kappa) costs S4D nothing.
    V, kappa, N, draws = 32, 4, 48, 100
    step = 0.5 / (3 * kappa)
    wrong = []
    for seed in range(draws):
        task, codes = recall_task(V, kappa, seed=seed), Codes(sign_codes(V, N, 1, seed=seed).keys, np.eye(V))
        wrong.append(1 - recall_accuracy(mamba_recall(task, codes, variant="mamba2", step=step), task))
    assert np.mean(wrong) <= V * math.exp(-N * math.exp(-1) / (2 * (kappa - 1)))
    D, wrong = 96, []
    for seed in range(draws):
        task, codes = recall_task(V, kappa, seed=seed), sign_codes(V, D, D, seed=seed)
        wrong.append(
            1 - recall_accuracy(s4d_recall(task, codes, step=1 / (32 * kappa)), task)
        )  # 12 tokens: 3/(8 kappa)
    assert np.mean(wrong) <= sign_code_error_bound(V, kappa, D) < 0.1


def test_failures_are_those_of_the_layer():
    found = sign_code_failures(12, 4, [9], draws=150, seed=5)[0]
    generator, wrong = np.random.default_rng(5), 0
    for _ in range(150):
        values = generator.integers(0, 12, 4)
        keys, codes = (generator.integers(0, 2, (rows, 9)) * 2 - 1 for rows in (4, 12))
        task = recall_task(12, 4, seed=0)
        # the same codes for the keys of a task with these values
        a = np.ones((12, 9))
        a[task.tokens[:8:2]] = keys
        task.tokens[1:8:2] = 12 + values
        first = int(np.flatnonzero(task.tokens[task.queries] == task.tokens[0])[0])
        logits = np.round(s4d_recall(task, Codes(a, codes))[first] * 9)  # integers up to what is forgotten
        others = np.delete(logits, values[0])
        wrong += logits[values[0]] <= others.max()
    assert found == wrong / 150


def test_error_probabilities_by_enumeration_of_all_signs():
    for kappa, D in ((2, 1), (2, 2), (3, 2), (4, 1)):
        wrong = count = 0
        # values: the first pair's, and a competitor's; the others store the competitor
        for b in itertools.product((-1, 1), repeat=2 * D):
            for a in itertools.product((-1, 1), repeat=kappa * D):
                margin = 0
                for c in range(D):
                    keys, right, other = a[c::D], b[c], b[D + c]
                    stored = keys[0] * right + sum(keys[1:]) * other
                    margin += (right - other) * keys[0] * stored
                wrong, count = wrong + (margin <= 0), count + 1
        assert sign_code_error_probability(kappa, D) == Fraction(wrong, count)
        assert Fraction(wrong, count) <= math.exp(-D / (4 * kappa))


def test_key_codes_meet_their_bound():
    for kappa, N in ((4, 32), (8, 64)):
        wrong = []
        for seed in range(100):
            task = recall_task(32, kappa, seed=seed)
            codes = Codes(sign_codes(32, N, 1, seed=seed).keys, np.eye(32))
            wrong.append(1 - recall_accuracy(mamba_recall(task, codes, variant="mamba2"), task))
        assert np.mean(wrong) <= key_code_error_bound(32, kappa, N)
    # one competitor with as many signs as there can be: 1600 of them, at most 700 heads
    exact = sum(math.comb(1600, heads) for heads in range(701)) / 2**1600
    assert exact <= key_code_error_bound(1, 9, 200) <= exact ** (2 / 3)


def test_ties_are_wrong_and_bad_codes_are_refused():
    task = recall_task(4, 2)
    assert recall_accuracy(np.zeros((2, 4)), task) == 0.0
    assert recall_accuracy(np.eye(4, dtype=int)[task.targets], task) == 1.0
    for call, word in (
        (lambda: mamba_recall(task, one_hot_codes(5)), "codes"),
        (lambda: mamba_recall(task, Codes(np.diag([1.0, 2, 3, 4]), np.eye(4))), "norm"),
        (lambda: s4d_recall(task, circle_codes(4)), "one width"),
        (lambda: s4d_recall(task, one_hot_codes(4)), "nonzero channels"),
        (lambda: sign_code_error_bound(4, 1, 8), "`pairs`"),
        (lambda: sign_code_width(4, 2, 0.0), "`failure`"),
        (lambda: sign_code_failures(4, 2, []), "`widths`"),
        (lambda: mamba_recall(task, one_hot_codes(4), step=0), "`step`"),
        (lambda: s4d_recall(task, pair_codes(4), step=-1.0), "`step`"),
        (lambda: recall_accuracy(np.zeros((2, 2)), task), "`logits`"),
        (lambda: haar_error_squared(float("nan"), 3), "not a number"),
    ):
        with pytest.raises(InputError, match=word):
            call()
