"""ROC and precision-recall curves, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from rosenblatt.show.ranking import ALL, confusions_by_threshold, one_against_rest, ranking

ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=2, max_size=60)


def rows(pairs):
    target, ticks = zip(*pairs, strict=True)
    return torch.tensor(target), torch.tensor(ticks, dtype=torch.float32) / 20


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_curves_and_areas_are_scikit_learns(pairs):
    target, probs = rows(pairs)
    found = ranking(probs, target)
    if len(set(target.tolist())) < 2:
        assert found is None
        return
    fpr, tpr, _ = metrics.roc_curve(target, probs, drop_intermediate=False)
    precision, recall, _ = metrics.precision_recall_curve(target, probs)
    np.testing.assert_allclose(found.false_positive_rate, fpr, atol=1e-12)
    np.testing.assert_allclose(found.recall, tpr, atol=1e-12)
    np.testing.assert_allclose(found.precision[1:], precision[:-1][::-1], atol=1e-12)
    np.testing.assert_allclose(found.recall[1:], recall[:-1][::-1], atol=1e-12)
    assert found.auroc == pytest.approx(metrics.roc_auc_score(target, probs), abs=1e-12)
    assert found.ap == pytest.approx(metrics.average_precision_score(target, probs), abs=1e-12)


def test_probabilities_that_are_no_numbers_have_no_curve():
    assert ranking(torch.tensor([0.5, float("nan")]), torch.tensor([0, 1])) is None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1, width=32)), min_size=1, max_size=60))
def test_counts_by_threshold_are_those_of_comparing_each_probability(pairs):
    target, probs = (torch.tensor(part) for part in zip(*pairs, strict=True))
    found = confusions_by_threshold(probs, target)
    for place in (0, 1, 63, 125, 126):
        above = (probs.double() * 126).floor() >= place
        counts = metrics.confusion_matrix(target, above.int(), labels=[0, 1])
        (tn, fp), (fn, tp) = counts.tolist()
        assert [int(part[place]) for part in found] == [tp, fp, tn, fn]


def test_a_task_is_asked_class_by_class_with_the_most_frequent_first():
    probs, target = torch.rand(5, 3).softmax(dim=1), torch.tensor([2, 2, 1, 2, 1])
    found = one_against_rest(probs, target, "multiclass", ("a", "b", "c"), at_most=2)
    assert [one.name for one in found] == [ALL, "c", "b"]
    assert found[0].probs.tolist() == probs.flatten().tolist()
    assert found[1].positive.tolist() == [1, 1, 0, 1, 0]
    assert found[1].probs.tolist() == probs[:, 2].tolist()
    (only,) = one_against_rest(probs[:, 0], target.clamp(max=1), "binary", ("no", "yes"), at_most=2)
    assert only.name == "yes"
