"""What speaks for a class, against plain loops."""

from __future__ import annotations

import pytest
import torch

from perceptron.models import MLP, Perceptron
from rosenblatt.data.features import Bags, DataSpec, first_rows
from rosenblatt.show.influence import influences

WORDS = ["good", "bad", "the", "never"]
BAGS = Bags(
    torch.tensor([0, 2, 1, 2, 0], dtype=torch.int32),
    torch.tensor([1.0, 1.0, 2.0, 1.0, 3.0]),
    torch.tensor([0, 2, 4, 5]),
)


def names(numbers):
    return [WORDS[number] for number in numbers]


def spec_of(task, classes, num_features=4, bags=True):
    return DataSpec(num_features, bags, task, classes, (1,) * len(classes), 3)


def test_a_word_counts_by_its_weight_and_by_how_often_it_is_there():
    model = Perceptron(4, 1, bags=True)
    model.linear.weight.data = torch.tensor([[2.0], [-1.0], [0.1], [5.0]])
    (found,) = influences(model, BAGS, spec_of("binary", ("neg", "pos")), names)
    assert found.name == "pos"
    assert [name for name, _ in found.in_favour] == ["good", "the"]  # "never" is never there
    assert [part for _, part in found.in_favour] == pytest.approx([(1 + 3) * 2.0 / 3, 2 * 0.1 / 3])
    assert found.against == [("bad", pytest.approx(-2 / 3))]


def test_a_number_that_varies_around_zero_counts_by_its_size():
    model = Perceptron(2, 1)
    model.linear.weight.data = torch.tensor([[-3.0, 0.5]])
    features = torch.tensor([[1.0, 2.0], [-1.0, -2.0]])
    (found,) = influences(model, features, spec_of("binary", ("a", "b"), 2, bags=False), names)
    assert found.in_favour == [("bad", 1.0)]
    assert found.against == [("good", -3.0)]


def test_each_of_several_classes_has_its_own_and_mlps_have_slopes():
    torch.manual_seed(0)
    model = MLP(4, 3, bags=True, hidden=[8])
    found = influences(model, BAGS, spec_of("multiclass", ("a", "b", "c")), names, num=2)
    assert [one.name for one in found] == ["a", "b", "c"]
    for one in found:
        assert len(one.in_favour) <= 2
        assert all(part > 0 for _, part in one.in_favour)
        assert all(part < 0 for _, part in one.against)
    labels = influences(model, BAGS, spec_of("multilabel", ("a", "b", "c")), names)
    assert [one.name for one in labels] == ["a", "b", "c"]


def test_the_most_frequent_of_many_classes_are_asked():
    model = Perceptron(4, 40, bags=True)
    counts = tuple(range(40))
    spec = DataSpec(4, True, "multiclass", tuple(str(k) for k in range(40)), counts, 3)
    assert [one.name for one in influences(model, BAGS, spec, names)] == [str(k) for k in range(39, 27, -1)]


def test_first_rows_are_whole_rows():
    some = first_rows(BAGS, 2)
    assert some.num_rows == 2
    assert some.ids.tolist() == [0, 2, 1, 2]
    assert first_rows(BAGS, 9).offsets.tolist() == BAGS.offsets.tolist()
    assert first_rows(torch.eye(3), 2).tolist() == torch.eye(3)[:2].tolist()
