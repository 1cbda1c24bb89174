"""The chosen threshold, against every cut tried one by one and scored by scikit-learn."""

from __future__ import annotations

import itertools
import logging
import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from rosenblatt.errors import UserError
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.multilabel import Multilabel
from rosenblatt.tasks.threshold import Tuned, choose_threshold

GOALS = ["accuracy", "f1", "youden", "precision"]
ONE = np.float32(1)


def score(goal, truth, preds, at_least):
    """What is to be as large as can be; None where the cut is no candidate."""
    if goal == "accuracy":
        return sk.accuracy_score(truth, preds)
    if goal == "youden":
        return sk.balanced_accuracy_score(truth, preds, adjusted=True)
    if not preds.any():
        return None
    if goal == "f1":
        return sk.f1_score(truth, preds, zero_division=0)
    return sk.recall_score(truth, preds) if sk.precision_score(truth, preds) >= at_least else None


def cuts_of(probs):
    """All ways to cut rows in two: the numbers on both sides of each, and which rows are above."""
    steps = sorted(set(probs.tolist()))
    edges = [0.0] * (steps[0] > 0) + steps  # nothing is strictly above a threshold of less than 0
    gaps = [(lower, upper, probs >= upper) for lower, upper in itertools.pairwise(edges)]
    return [*gaps, (steps[-1], 1.0, np.zeros(len(probs), dtype=bool))]


# Few distinct numbers make ties, neighbours in float32 have nothing between them.
EXTREMES = [0.0, 1e-45, 0.25, 0.5, float(np.nextafter(np.float32(0.5), ONE)), float(np.nextafter(ONE, 0)), 1.0]
PROBS = st.one_of(st.sampled_from(EXTREMES), st.integers(0, 8).map(lambda k: k / 8), st.floats(0, 1, width=32))
ROWS = st.lists(st.tuples(PROBS, st.integers(0, 1)), min_size=2, max_size=12)


@settings(max_examples=300, deadline=None)
@given(goal=st.sampled_from(GOALS), rows=ROWS, at_least=st.sampled_from([0.1, 0.5, 2 / 3, 0.9, 1.0]))
def test_no_cut_does_better_and_none_as_good_is_nearer_to_one_half(goal, rows, at_least):
    probs, target = torch.tensor([row[0] for row in rows]), torch.tensor([row[1] for row in rows])
    assume(0 < target.sum() < len(rows))
    truth, numbers = target.numpy(), probs.numpy()
    cuts = cuts_of(numbers)
    scores = [score(goal, truth, above, at_least) for _, _, above in cuts]
    possible = [one for one in scores if one is not None]
    if goal == "precision" and not possible:
        with pytest.raises(UserError, match="no threshold reaches"):
            choose_threshold(goal, probs, target, ["no", "yes"], at_least)
        return
    (threshold,) = choose_threshold(goal, probs, target, ["no", "yes"], at_least)

    assert isinstance(threshold, float)
    assert threshold == float(np.float32(threshold))
    assert 0 <= threshold <= 1
    lower = max([number for number in numbers.tolist() if number <= threshold], default=0.0)
    upper = min([number for number in numbers.tolist() if number > threshold], default=1.0)
    middle = float(np.float32((lower + upper) / 2))
    assert threshold == (middle if middle < upper else lower)
    decided = Binary(threshold=threshold).decide(probs).numpy()
    assert decided.tolist() == [number > threshold for number in numbers.tolist()]
    if not possible:  # F1 with rows of probability 0 only
        assert threshold == 0.5
        return
    assert score(goal, truth, decided, at_least) == pytest.approx(max(possible), abs=1e-6)
    as_good = [cut for cut, one in zip(cuts, scores, strict=True) if one is not None and one > max(possible) - 1e-9]
    nearest = min(abs((lower + upper) / 2 - 0.5) for lower, upper, _ in as_good)
    assert abs(threshold - 0.5) == pytest.approx(nearest, abs=1e-6)


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("seed", range(3))
def test_each_label_gets_the_threshold_that_it_would_get_alone(goal, seed):
    random = np.random.default_rng(seed)
    target = torch.from_numpy((random.random((200, 4)) < [0.5, 0.2, 0.8, 0.05]).astype(np.uint8))
    target[0], target[1] = 0, 1
    probs = torch.from_numpy(random.random((200, 4)) * 0.6).float() + 0.4 * target
    classes = ["a", "b", "c", "d"]
    alone = [choose_threshold(goal, probs[:, i], target[:, i].long(), ["no", "yes"], 0.5)[0] for i in range(4)]
    assert choose_threshold(goal, probs, target, classes, 0.5) == alone
    assert Multilabel(tuple(classes), threshold=tuple(alone)).decide(probs).shape == (200, 4)


def test_separable_rows_are_cut_midway():
    probs, target = torch.tensor([0.1, 0.2, 0.6, 0.9]), torch.tensor([0, 0, 1, 1])
    for goal in GOALS:
        assert choose_threshold(goal, probs, target, ["no", "yes"], 1.0) == pytest.approx([0.4])


def test_of_the_cuts_that_keep_the_precision_the_one_with_the_most_recall_is_taken():
    probs = torch.tensor([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
    target = torch.tensor([1, 1, 0, 1, 0, 0, 1])
    assert choose_threshold("precision", probs, target, ["no", "yes"], 0.75) == pytest.approx([0.55])
    assert choose_threshold("precision", probs, target, ["no", "yes"], 0.76) == pytest.approx([0.75])


def test_a_precision_out_of_reach_is_told_with_the_best_that_there_is():
    probs = torch.linspace(0, 1, 2000)
    target = (torch.arange(2000) >= 1000).long()
    target[-50:] = torch.tensor([0] + [1] * 48 + [0])
    with pytest.raises(UserError) as error:
        choose_threshold("precision", probs, target, ["ham", "spam"], 0.999)
    told, best = str(error.value), sk.precision_recall_curve(target, probs)[0][:-1].max()
    assert told.startswith("threshold.at_least=0.999: no threshold reaches this precision on the 2,000 validation rows")
    assert f"the best is {math.floor(best * 1000) / 1000:.3f}. " in told
    assert told.endswith("Ask for less, or train a better model.")


def test_a_best_precision_just_below_is_not_rounded_up_to_the_one_asked_for():
    probs, target = torch.full((10_000,), 0.5), torch.ones(10_000, dtype=torch.int64)
    target[:101] = 0  # 0.9899
    with pytest.raises(UserError, match=r"the best is 0\.989\."):
        choose_threshold("precision", probs, target, ["no", "yes"], 0.99)


def test_labels_that_cannot_keep_the_precision_are_never_predicted(caplog):
    probs = torch.tensor([[0.9, 0.9, 1.0], [0.8, 0.8, 0.3], [0.1, 0.7, 0.2]])
    target = torch.tensor([[1, 0, 0], [1, 1, 1], [0, 0, 0]], dtype=torch.uint8)
    with caplog.at_level(logging.WARNING):
        thresholds = choose_threshold("precision", probs, target, ["a", "b", "c"], 0.9)
    assert thresholds == [pytest.approx(0.45), 1.0, 1.0]
    assert Multilabel(("a", "b", "c"), threshold=tuple(thresholds)).decide(probs)[:, 1:].sum() == 0
    assert [record.getMessage() for record in caplog.records] == [
        "2 of 3 labels ('b', 'c') are never predicted: no threshold gives a precision of 0.9 on the 3 validation rows."
    ]


def test_where_no_label_can_keep_the_precision_the_user_is_told():
    probs, target = torch.tensor([[0.9, 0.9], [0.8, 0.8]]), torch.tensor([[0, 0], [1, 0]], dtype=torch.uint8)
    with pytest.raises(UserError, match=r"threshold.at_least=0.9: no threshold reaches .* on the 2 validation rows"):
        choose_threshold("precision", probs, target, ["a", "b"], 0.9)


@pytest.mark.parametrize("goal", GOALS)
def test_labels_in_no_row_or_in_all_keep_one_half(goal, caplog):
    probs = torch.tensor([[0.9, 0.9, 0.2], [0.8, 0.1, 0.3]])
    target = torch.tensor([[0, 1, 1], [0, 0, 1]], dtype=torch.uint8)
    with caplog.at_level(logging.WARNING):
        assert choose_threshold(goal, probs, target, ["a", "b", "c"], 0.9) == [0.5, 0.5, 0.5]
    (message,) = [record.getMessage() for record in caplog.records]
    told = "2 of 3 labels ('a', 'c') keep a threshold of 0.5: all of the 2 validation rows have them or none does."
    assert message == told


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("only", [0, 1])
def test_a_binary_split_with_one_class_is_told(goal, only):
    with pytest.raises(UserError, match=rf"rows of both classes .*; got only '{['ham', 'spam'][only]}' in the 6 valid"):
        choose_threshold(goal, torch.rand(6), torch.full((6,), only), ["ham", "spam"], 0.9)


@pytest.mark.parametrize("at_least", [0.0, 1.1, math.nan])
def test_the_precision_to_keep_must_be_one(at_least):
    with pytest.raises(UserError, match=r"threshold.at_least: expected a precision above 0 and up to 1"):
        Tuned("precision", at_least)


def test_probabilities_of_zero_only_are_told_or_left_alone():
    probs, target = torch.zeros(4), torch.tensor([0, 1, 0, 1])
    with pytest.raises(UserError, match=r"on the 4 validation rows; the best is 0\.000\."):
        choose_threshold("precision", probs, target, ["no", "yes"], 0.5)
    assert choose_threshold("f1", probs, target, ["no", "yes"]) == [0.5]


def test_half_precision_is_compared_as_the_float32_that_it_is():
    probs, target = torch.tensor([0.1, 0.3, 0.7], dtype=torch.bfloat16), torch.tensor([0, 1, 1])
    (threshold,) = choose_threshold("accuracy", probs, target, ["no", "yes"])
    assert (probs.float() > threshold).tolist() == [False, True, True]
