"""What speaks for a class, against plain loops."""

from __future__ import annotations

import pytest
import torch

from perceptron.models import MLP, Perceptron
from rosenblatt.data.features import Bags, rows_between
from rosenblatt.show.inside import influence_bars, influences
from rosenblatt.tasks.arrays import Influence
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.multiclass import Multiclass
from rosenblatt.tasks.multilabel import Multilabel
from rosenblatt.tasks.regression import Regression

WORDS = ["good", "bad", "the", "never"]
BAGS = Bags(
    torch.tensor([0, 2, 1, 2, 0], dtype=torch.int32),
    torch.tensor([1.0, 1.0, 2.0, 1.0, 3.0]),
    torch.tensor([0, 2, 4, 5]),
)

ABC = Multiclass(tuple("abc"))


def names(numbers):
    return [WORDS[number] for number in numbers]


def test_a_word_counts_by_its_weight_and_by_how_often_it_is_there():
    model = Perceptron(4, 1, bags=True)
    model.linear.weight.data = torch.tensor([[2.0], [-1.0], [0.1], [5.0]])
    (found,) = influences(model, BAGS, Binary(("neg", "pos")), names)
    assert found.name == "pos"
    assert [name for name, _ in found.in_favour] == ["good", "the"]  # "never" is never there
    assert [part for _, part in found.in_favour] == pytest.approx([(1 + 3) * 2.0 / 3, 2 * 0.1 / 3])
    assert found.against == [("bad", pytest.approx(-2 / 3))]


def test_a_number_that_varies_around_zero_counts_by_its_size():
    model = Perceptron(2, 1)
    model.linear.weight.data = torch.tensor([[-3.0, 0.5]])
    features = torch.tensor([[1.0, 2.0], [-1.0, -2.0]])
    (found,) = influences(model, features, Binary(("a", "b")), names)
    assert found.in_favour == [("bad", 1.0)]
    assert found.against == [("good", -3.0)]


def test_each_of_several_classes_has_its_own_and_mlps_have_slopes():
    torch.manual_seed(0)
    model = MLP(4, 3, bags=True, hidden=[8])
    found = influences(model, BAGS, ABC, names)
    assert [one.name for one in found] == ["a", "b", "c"]
    for one in found:
        assert all(part > 0 for _, part in one.in_favour)
        assert all(part < 0 for _, part in one.against)
    labels = influences(model, BAGS, Multilabel(tuple("abc")), names)
    assert [one.name for one in labels] == ["a", "b", "c"]
    assert labels[0].of == "logit of a"


def test_parts_above_the_mean_are_those_of_a_loop():
    torch.manual_seed(0)
    model = Perceptron(4, 3, bags=True)
    model.linear.weight.data.normal_()
    weight = model.linear.weight.detach()
    found = influences(model, BAGS, ABC, names)[1]
    parts = dict([*found.in_favour, *found.against])
    assert found.of == "logit of b above the mean"
    for k, times in enumerate((1 + 3, 2, 1 + 1, 0)):
        if times:
            assert parts[WORDS[k]] == pytest.approx(float(weight[k, 1] - weight[k].mean()) * times / 3, abs=1e-6)


def test_numbers_have_parts_in_their_own_unit():
    model = Perceptron(2, 1)
    model.linear.weight.data = torch.tensor([[-3.0, 0.5]])
    features = torch.tensor([[1.0, 2.0], [-1.0, -2.0]])
    (found,) = influences(model, features, Regression(std=1000), names)
    assert (found.in_favour, found.against) == ([("bad", 1000.0)], [("good", -3000.0)])
    assert found.of == "prediction of the number"


def test_the_first_of_many_classes_are_asked():
    model = Perceptron(4, 40, bags=True)
    task = Multiclass(tuple(map(str, range(40))), class_counts=tuple(range(40)))
    found = influences(model, BAGS, task, names)
    assert [one.name for one in found] == [str(k) for k in range(39, 27, -1)]


def test_a_model_that_takes_bags_in_another_way_says_so():
    class Own(torch.nn.Module):
        def forward(self, bags):
            return bags.weights.sum().view(1, 1)

    with pytest.raises(TypeError, match="Own takes bags in a layer that is no BagLinear"):
        influences(Own(), BAGS, Binary(("neg", "pos")), names)


def test_bars_of_nothing_say_so_and_of_many_classes_are_cut():
    assert influence_bars([Influence("a", [], [], "logit of a")], 1) == "no feature has a part in any output"
    many = [Influence(f"class {k}", [("x", 1.0)], [], "logit") for k in range(12)]
    found = influence_bars(many, 30)
    assert found.note == "the 6 most frequent of 30 classes"
    assert len(found.panels) == 6


def test_first_rows_are_whole_rows():
    some = rows_between(BAGS, 0, 2)
    assert some.num_rows == 2
    assert some.ids.tolist() == [0, 2, 1, 2]
    assert rows_between(BAGS, 0, 9).offsets.tolist() == BAGS.offsets.tolist()
    assert rows_between(torch.eye(3), 0, 2).tolist() == torch.eye(3)[:2].tolist()
