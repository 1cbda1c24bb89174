"""What there is to draw of a split, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from rosenblatt.tasks import examination
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.examination import ALL, confusions, one_against_rest, ranking_curves
from rosenblatt.tasks.multiclass import Multiclass
from rosenblatt.tasks.multilabel import Multilabel
from rosenblatt.tasks.regression import Regression

ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=2, max_size=60)
TWO = ("no", "yes")


def names(num):
    return [f"class {k}" for k in range(num)]


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_curves_and_areas_are_scikit_learns(pairs):
    target, ticks = (torch.tensor(part) for part in zip(*pairs, strict=True))
    probs = ticks.float() / 20
    roc, precision_recall = ranking_curves(probs, target, TWO)
    if len(set(target.tolist())) < 2:
        assert roc == precision_recall == "no class has both rows that are of it and rows that are not"
        return
    fpr, tpr, _ = metrics.roc_curve(target, probs, drop_intermediate=False)
    precision, recall, _ = metrics.precision_recall_curve(target, probs)
    (one,), (other,) = roc.curves, precision_recall.curves
    np.testing.assert_allclose(one.x, fpr, atol=1e-6)
    np.testing.assert_allclose(one.y, tpr, atol=1e-6)
    kept = len(other.x)  # of the thresholds below the last positive row scikit-learn keeps one
    np.testing.assert_allclose(other.x[1:], recall[:-1][::-1][: kept - 1], atol=1e-6)
    np.testing.assert_allclose(other.y[1:], precision[:-1][::-1][: kept - 1], atol=1e-6)
    assert other.y[0] == other.y[1]
    assert one.area == pytest.approx(metrics.roc_auc_score(target, probs), abs=1e-6)
    assert other.area == pytest.approx(metrics.average_precision_score(target, probs), abs=1e-6)
    assert precision_recall.chance.y == pytest.approx([float(target.double().mean())] * 2)


def test_long_curves_are_thinned_and_keep_their_ends():
    torch.manual_seed(0)
    probs = torch.rand(5_000)
    roc, precision_recall = ranking_curves(probs, (torch.rand(5_000) < probs).long(), TWO)
    for one in (*roc.curves, *precision_recall.curves):
        assert len(one.x) <= 400
        assert (one.x[0], one.x[-1]) == (0, 1)


def test_a_task_is_asked_class_by_class_with_the_most_frequent_first():
    probs, target = torch.rand(5, 3).softmax(dim=1), torch.tensor([2, 2, 1, 2, 1])
    found = one_against_rest(probs, target, ("a", "b", "c"), at_most=2)
    assert [one.name for one in found] == [ALL, "c", "b"]
    assert found[0].probs.tolist() == probs.flatten().tolist()
    assert found[1].positive.tolist() == [1, 1, 0, 1, 0]
    assert found[1].probs.tolist() == probs[:, 2].tolist()
    (only,) = one_against_rest(probs[:, 0], target.clamp(max=1), ("no", "yes"), at_most=2)
    assert only.name == "yes"


def test_one_row_has_no_ranking_and_says_so():
    found = Binary(TWO).arrays(torch.tensor([[2.0]]), torch.tensor([1]))
    assert found["roc"] == found["precision_recall"] == "no class has both rows that are of it and rows that are not"
    assert found["confusion"].counts.tolist() == [[0, 0], [0, 1]]
    assert found["reliability"].num_rows.sum() == 1


def test_probabilities_that_are_no_numbers_are_told():
    found = Binary(TWO).arrays(torch.tensor([[float("nan")], [0.7]]), torch.tensor([0, 1]))
    assert found["roc"] == found["reliability"] == "some probabilities are no numbers"
    assert found["confusion"].counts.sum() == 2


def test_more_probabilities_than_can_be_sorted_have_no_curves_and_say_so(monkeypatch):
    monkeypatch.setattr(examination, "MAX_SORTED", 3)
    found = Binary(TWO).arrays(torch.zeros(4, 1), torch.tensor([0, 1, 0, 1]))
    assert found["roc"] == found["precision_recall"] == "4 probabilities would take long to sort"


def test_thousands_of_classes_have_no_matrix_and_say_so():
    zero = torch.zeros(1, dtype=torch.long)
    assert confusions(zero, zero, names(4000)) == "a matrix of 4,000 classes would fill the memory"


def test_many_classes_are_cut_to_the_most_confused_without_losing_a_row():
    torch.manual_seed(0)
    counts, classes = torch.randint(0, 9, (40, 40)), names(40)
    target = torch.arange(40).repeat_interleave(counts.sum(dim=1))
    found = confusions(torch.arange(40).repeat(40).repeat_interleave(counts.flatten()), target, classes)
    assert found.counts.shape == (20, 20)
    assert found.counts.sum() == counts.sum()
    assert found.classes[-1] == "(others)"
    assert found.note == "the 19 of 40 classes that are most often confused"
    for k, name in enumerate(found.classes[:-1]):
        number = classes.index(name)
        assert found.counts[k, k] == counts[number, number]
        assert found.counts[k].sum() == counts[number].sum()


def test_hundreds_of_labels_show_those_that_are_most_often_wrong():
    target, preds = torch.zeros(2, 20, 736, dtype=torch.uint8)
    target[:4, 5], preds[:7, 9] = 1, 1
    found = confusions(preds, target, names(736))
    assert found.labels[-2:] == ["class 5", "class 9"]
    assert (found.missed[-2:].tolist(), found.invented[-2:].tolist()) == ([4, 0], [0, 7])
    assert len(found.labels) == 20
    torch.manual_seed(0)
    target = (torch.rand(30, 736) < 0.01).byte()
    roc, _ = ranking_curves(torch.rand(30, 736), target, names(736))
    assert roc.curves[0].name == ALL
    assert len(roc.curves) <= 7


def test_temperature_shows_both_curves_this_model_last():
    torch.manual_seed(0)
    logits, target = 3 * torch.randn(200), torch.randint(2, (200,))
    found = Binary(TWO, temperature=3.0).arrays(logits.unsqueeze(1), target)
    assert [one.name for one in found["reliability"].curves] == ["without temperature", "with temperature"]
    assert found["reliability"].of == "of yes"


def test_probabilities_that_no_row_has_are_no_point_of_a_reliability_curve():
    found = Binary(TWO).arrays(torch.tensor([[0.0], [4.0], [4.0]]), torch.tensor([1, 1, 0]))["reliability"]
    assert found.curves[0].x == pytest.approx([0.5, 1 / (1 + np.exp(-4))])
    assert found.curves[0].y == pytest.approx([1, 0.5])
    assert found.num_rows.nonzero()[0].tolist() == [7, 14]


def test_numbers_are_drawn_in_their_own_unit_with_those_that_are_known():
    target = torch.tensor([1.0, 2.0, float("nan"), 4.0])
    found = Regression(std=0.5, radius=2.0).arrays(torch.tensor([[3.0], [4.0], [6.0], [6.0]]), target)
    assert found["predicted"].target.tolist() == [1, 2, 4]
    assert found["predicted"].preds.tolist() == [1.5, 2, 3]
    assert found["residuals"].residuals.tolist() == [-0.5, 0, 1]
    assert found["residuals"].radius == 2
    assert found["predicted"].note == "3 of 4 rows"
    none = Regression(radius=float("inf")).arrays(torch.tensor([[float("inf")]]), torch.tensor([1.0]))
    assert none == dict.fromkeys(("predicted", "residuals"), "no row has a prediction that is a number")


def test_of_many_numbers_some_are_drawn_from_the_first_row_to_the_last():
    numbers = torch.arange(100_000.0)
    found = Regression().arrays(numbers.unsqueeze(1), numbers)["predicted"]
    assert len(found.preds) == 20_000
    assert (found.preds[0], found.preds[-1]) == (0, 99_999)
    assert found.note == "20,000 of 100,000 rows"


def test_tables_of_the_labels():
    targets = {"train": torch.tensor([0, *range(42), 1, 1]), "val": torch.tensor([41])}
    rows = Multiclass(tuple(names(42))).table(targets).rows
    assert rows[:3] == [["class 1", "3", "0"], ["class 0", "2", "0"], ["class 2", "1", "0"]]
    assert rows[39:] == [["class 39", "1", "0"], ["2 more", "2", "1"], ["rows", "45", "1"]]
    labels = Multilabel(("a", "b")).table({"train": torch.tensor([[1, 1], [0, 1]], dtype=torch.uint8)})
    assert labels.rows == [["b", "2"], ["a", "1"], ["rows", "2"]]
    assert labels.note == "A row may have several labels, or none."
    numbers = Regression().table({"train": torch.tensor([1.0, 3.0])})
    assert numbers.header == ["number", "train"]
    assert dict(numbers.rows)["mean"] == "2"
    assert dict(numbers.rows)["standard deviation"] == "1"
