"""The values of every metric, against scikit-learn."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metric_reference import ONE_SIDED, TASKS, assert_same, at, expected, measured, split
from rosenblatt.errors import UserError
from rosenblatt.tasks import epoch as under_test
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.epoch import EpochMetrics
from rosenblatt.tasks.multilabel import Multilabel

pytestmark = ONE_SIDED


@pytest.fixture(autouse=True)
def _small_splits_reach_the_metrics_in_several_portions(monkeypatch):
    monkeypatch.setattr(under_test, "FLUSH_AT", 40)


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("seed", range(4))
def test_every_metric_agrees_with_scikit_learn(kind, seed):
    task, logits, target = split(kind, seed, num_rows=301)
    assert_same(measured(task, logits, target, [32], per_class=True), expected(task, logits, target))


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(TASKS),
    seed=st.integers(0, 2**31),
    num_rows=st.integers(1, 30),
    num_classes=st.integers(3, 6),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    threshold=st.sampled_from([0.2, 0.5, 0.9]),
)
def test_no_batch_size_or_threshold_changes_the_agreement(kind, seed, num_rows, num_classes, sizes, threshold):
    task, logits, target = split(kind, seed, num_rows, num_classes)
    task = at(task, threshold)
    assert_same(measured(task, logits, target, sizes, per_class=True), expected(task, logits, target))


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("size", [1, 7, 32, 100, 101, 1000])
def test_the_last_partial_batch_counts_by_its_rows(kind, size):
    task, logits, target = split(kind, 5, num_rows=101)
    logits[-1] = 9.0  # a loss unlike that of the others, in a batch of its own where size is 100
    assert_same(measured(task, logits, target, [size]), measured(task, logits, target, [101]))


def test_a_class_that_only_the_first_batches_have_is_ranked():
    task, logits, _ = split("multiclass", 15, num_rows=40)
    target = torch.tensor([0, 3] * 10 + [1, 2] * 10)
    result = measured(task, logits, target, [5], per_class=True)
    assert_same(result, expected(task, logits, target))
    assert not any(math.isnan(number) for number in result.per_class["auroc"])


@pytest.mark.parametrize("kind", TASKS)
def test_a_split_of_one_row_has_metrics_and_no_ranking(kind):
    # Of one row, each class is in all rows or in none.
    task, logits, target = split(kind, 8, num_rows=1)
    result = measured(task, logits, target, [1], per_class=True)
    assert_same(result, expected(task, logits, target))
    assert math.isnan(result.values["auroc"])
    assert math.isnan(result.values["ap"])


@pytest.mark.parametrize("only", [0, 1])
def test_a_binary_split_with_one_class_has_no_ranking(only):
    task = Binary(("no", "yes"))
    logits, target = torch.randn(6, 1), torch.full((6,), only)
    assert_same(measured(task, logits, target, [4]), expected(task, logits, target))


def test_classes_absent_from_the_split_are_left_out_of_the_ranking_means():
    task, logits, _ = split("multiclass", 10, num_rows=60, num_classes=5)
    target = torch.tensor([1, 3]).repeat(30)
    result = measured(task, logits, target, [16], per_class=True)
    assert_same(result, expected(task, logits, target))
    assert [math.isnan(number) for number in result.per_class["auroc"]] == [True, False, True, False, True]
    assert 0 < result.values["auroc"] < 1


@pytest.mark.parametrize("kind", TASKS)
def test_training_metrics_leave_the_ranking_out(kind):
    task, logits, target = split(kind, 12, num_rows=30)
    result = measured(task, logits, target, [8], ranking=False)
    assert not {"auroc", "ap"} & (result.values.keys() | result.per_class.keys())
    assert {"loss", "acc", "f1", "precision", "recall"} <= result.values.keys()


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("settings", [{}, {"ranking": False}, {"per_class": True}])
def test_the_names_are_known_before_the_first_row(kind, settings):
    task, logits, target = split(kind, 13, num_rows=30)
    assert sorted(EpochMetrics(task, **settings).names) == sorted(
        measured(task, logits, target, [8], **settings).values
    )


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), num_rows=st.integers(1, 30), data=st.data())
def test_each_label_may_have_a_threshold_of_its_own(seed, num_rows, data):
    task, logits, target = split("multilabel", seed, num_rows, data.draw(st.integers(2, 5)))
    one = st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0])
    task = at(task, data.draw(st.lists(one, min_size=task.num_outputs, max_size=task.num_outputs)))
    assert_same(measured(task, logits, target, [4], per_class=True), expected(task, logits, target))


@pytest.mark.parametrize("kind", TASKS)
def test_a_list_of_equal_thresholds_is_that_threshold(kind):
    task, logits, target = split(kind, 21, num_rows=60)
    results = [
        measured(at(task, threshold), logits, target, [7], per_class=True)
        for threshold in (0.3, (0.3,) * task.num_outputs)
    ]
    assert results[0] == results[1]


def test_a_single_label_has_the_metrics_of_a_binary_task():
    task, logits, target = split("binary", 24, num_rows=60)
    one = Multilabel(("yes",))
    values = measured(one, logits, target.unsqueeze(1).to(torch.uint8), [7], per_class=True).values
    binary = measured(task, logits, target, [7]).values
    assert {name: values[name] for name in binary} == pytest.approx(binary, abs=1e-6)


def test_the_most_probable_class_is_predicted_whatever_the_threshold():
    task, logits, target = split("multiclass", 22, num_rows=60)
    assert measured(at(task, 0.9), logits, target, [7]) == measured(at(task, 0.1), logits, target, [7])


@pytest.mark.parametrize("threshold", [0.5, (0.5,)])
def test_a_probability_that_equals_the_threshold_is_not_above_it(threshold):
    logits, target = torch.tensor([[0.0], [1e-6]]), torch.tensor([0, 1])
    result = measured(Binary(threshold=threshold), logits, target, [2])
    assert result.values["acc"] == 1.0


@pytest.mark.parametrize(
    ("kind", "threshold", "told"),
    [
        ("binary", [0.5, 0.5], "threshold: expected one number; got 2."),
        ("multilabel", [0.5, 0.5], "threshold: expected one number, or one for each of the 4 labels; got 2."),
    ],
)
def test_a_list_of_another_length_is_told(kind, threshold, told):
    with pytest.raises(UserError) as error:
        at(split(kind, 23, num_rows=8)[0], threshold)
    assert str(error.value) == told
