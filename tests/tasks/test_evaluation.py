"""Decisions, where they go wrong, and the rows that go wrong the most, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from metric_reference import TASKS, at, split
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.counts import confusion_matrix
from rosenblatt.tasks.multiclass import Multiclass
from rosenblatt.tasks.multilabel import Multilabel

SPLITS = {
    "kind": st.sampled_from(TASKS),
    "seed": st.integers(0, 2**31),
    "num_rows": st.integers(1, 30),
    "num_classes": st.integers(2, 5),
}


@settings(max_examples=60, deadline=None)
@given(**SPLITS)
def test_the_confusion_matrix_is_scikit_learns(kind, seed, num_rows, num_classes):
    task, logits, target = split(kind, seed, num_rows, num_classes)
    task = at(task, 0.4)
    preds = task.decide(task.scores(logits))
    matrix = confusion_matrix(preds, target, len(task.classes))
    if kind == "multilabel":
        reference = sk.multilabel_confusion_matrix(target, preds)
    else:
        reference = sk.confusion_matrix(target, preds, labels=range(len(task.classes)))
    assert matrix.dtype == torch.int64
    assert matrix.tolist() == reference.tolist()


def test_rows_of_the_matrix_are_true_and_columns_predicted():
    target, preds = torch.tensor([0, 0, 0, 2]), torch.tensor([0, 1, 1, 0])
    assert confusion_matrix(preds, target, 3).tolist() == [[1, 2, 0], [0, 0, 0], [1, 0, 0]]


def test_a_label_that_more_than_255_rows_have_is_counted_right():
    target, preds = torch.ones(1000, 1, dtype=torch.uint8), torch.ones(1000, 1, dtype=torch.uint8)
    preds[:300] = 0
    assert confusion_matrix(preds, target, 1).tolist() == [[[0, 0], [300, 700]]]


@pytest.mark.parametrize("threshold", [0.7, (0.7,)])
def test_a_binary_row_is_of_the_second_class_strictly_above_the_threshold(threshold):
    probs = torch.tensor([0.0, 0.69, 0.7, 0.71, 1.0])
    preds = Binary(threshold=threshold).decide(probs)
    assert preds.dtype == torch.int64
    assert preds.tolist() == [0, 0, 0, 1, 1]


def test_each_label_is_held_against_its_own_threshold():
    probs = torch.tensor([[0.3, 0.3], [0.6, 0.6]])
    preds = Multilabel(("a", "b"), threshold=(0.2, 0.6)).decide(probs)
    assert preds.dtype == torch.uint8
    assert preds.tolist() == [[1, 0], [1, 0]]
    assert Multilabel(("a", "b")).decide(probs).tolist() == [[0, 0], [1, 1]]


def test_multiclass_takes_the_most_probable_class():
    probs = torch.tensor([[0.2, 0.3, 0.5], [0.4, 0.35, 0.25]])
    assert Multiclass(("a", "b", "c"), threshold=0.99).decide(probs).tolist() == [2, 0]


def confidence(kind, probs, preds, target):
    """Of one row, spelled out: the probability that it gave to what is wrong, or None where all is right."""
    if kind == "multiclass":
        return probs[preds] if preds != target else None
    numbers = np.atleast_1d(probs), np.atleast_1d(preds), np.atleast_1d(target)
    wrong = [(p if pred else 1 - p) for p, pred, true in zip(*numbers, strict=True) if pred != true]
    return max(wrong, default=None)


@settings(max_examples=100, deadline=None)
@given(**SPLITS, at_most=st.integers(0, 40), threshold=st.sampled_from([0.1, 0.5, 0.8]))
def test_mistakes_are_all_wrong_rows_and_the_most_confident_come_first(
    kind, seed, num_rows, num_classes, at_most, threshold
):
    task, logits, target = split(kind, seed, num_rows, num_classes)
    task = at(task, threshold)
    probs = task.scores(logits)
    preds = task.decide(probs).numpy()
    each = [confidence(kind, p, d, t) for p, d, t in zip(probs.double().numpy(), preds, target.numpy(), strict=True)]
    wrong = [row for row, number in enumerate(each) if number is not None]
    expected = sorted(wrong, key=lambda row: -each[row])[:at_most]
    assert task.mistakes(probs, target, at_most) == expected


def test_degrees_of_certainty_that_float32_rounds_to_one_are_told_apart():
    probs, target = torch.tensor([1e-9, 1e-10, 1e-8]), torch.ones(3, dtype=torch.int64)
    assert Binary().mistakes(probs, target, 20) == [1, 0, 2]


def test_twenty_mistakes_are_enough_and_none_is_no_error():
    probs, target = torch.linspace(0.51, 0.99, 30), torch.zeros(30, dtype=torch.int64)
    assert Binary().mistakes(probs, target, 20) == list(range(29, 9, -1))
    assert Binary().mistakes(probs, 1 - target, 20) == []
