"""What can be seen inside a model: planes, hidden layers, words."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

from perceptron.models import MLP, Perceptron
from rosenblatt.data.columns import Columns
from rosenblatt.data.encoder import PointEncoder
from rosenblatt.data.features import Bags
from rosenblatt.show.figures.kinds import Drawing
from rosenblatt.show.figures.style import draw
from rosenblatt.show.inside import Rows, inside_arrays, looked_at, word_vectors
from rosenblatt.table.encoder import TableEncoder
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.multiclass import Multiclass
from saved_models import fit_and_encode


def line(weight=(0.0, 1.0), bias=0.0):
    model = Perceptron(2, 1)
    model.linear.weight.data, model.linear.bias.data = torch.tensor([weight]), torch.tensor([bias])
    return model


def seen(model, features, target, num_classes=2, plane="points", threshold=0.5, temperature=1.0):
    """The arrays of each figure, or the reason why there is none."""
    classes = tuple(f"class {k}" for k in range(num_classes))
    kind = Multiclass if num_classes > 2 else Binary
    task = kind(classes, 100, threshold=threshold, temperature=temperature)
    with torch.no_grad():
        preds = task.decide(task.scores(model(features).float()))
    plane = PointEncoder(2).plane if plane == "points" else plane
    rows = Rows(features, target, preds, task, plane)
    return inside_arrays(model, rows)


def test_the_boundary_is_the_models_own():
    points = torch.tensor([[0.0, -1.0], [1.0, 1.0], [0.5, 0.5]])
    arrays = seen(line(), points, torch.tensor([0, 1, 0]))["boundary"]
    height, _ = arrays.regions.shape
    ticks = torch.linspace(arrays.extent[2], arrays.extent[3], height)
    assert (torch.from_numpy(arrays.regions[:, 0]) == (ticks.sigmoid() > 0.5)).all()
    assert torch.allclose(torch.from_numpy(arrays.probs[:, 7]), ticks.sigmoid(), atol=1e-6)
    drawn = {tuple(point): bool(wrong) for point, wrong in zip(arrays.points.tolist(), arrays.wrong, strict=True)}
    assert drawn == {(0.0, -1.0): False, (1.0, 1.0): False, (0.5, 0.5): True}


def test_threshold_and_temperature_move_the_regions():
    points = torch.tensor([[0.0, -4.0], [1.0, 4.0]])
    arrays = seen(line(), points, torch.tensor([0, 1]), threshold=0.9, temperature=2.0)["boundary"]
    above = torch.from_numpy(arrays.regions[:, 0]).bool()
    ticks = torch.linspace(arrays.extent[2], arrays.extent[3], len(above))
    assert (above == ((ticks / 2).sigmoid() > 0.9)).all()


def test_the_rows_that_are_drawn_are_the_same_whatever_is_predicted_and_a_fair_sample():
    torch.manual_seed(0)
    points, target = torch.randn(3000, 2), torch.arange(3000) % 3
    arrays = seen(Perceptron(2, 3), points, target, 3)["boundary"]
    assert len(arrays.points) == 500
    assert arrays.note == "500 of 3,000 rows"
    assert torch.equal(torch.from_numpy(arrays.points), points[torch.linspace(0, 2999, 500).round().long()])
    assert arrays.probs is None
    assert set(arrays.regions.flatten()) <= {0, 1, 2}


def table_of_two(num_rows):
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"age": rng.normal(40, 15, num_rows).round(), "pay": rng.lognormal(10, 1, num_rows).round(2)})
    encoder = TableEncoder()
    return encoder, frame, fit_and_encode(encoder, frame)


def test_a_table_of_two_columns_of_numbers_is_a_plane_in_their_own_units():
    encoder, frame, features = table_of_two(300)
    torch.manual_seed(0)
    model = Perceptron(encoder.num_features, 1)
    arrays = seen(model, features, torch.arange(300) % 2, plane=encoder.plane)["boundary"]
    assert arrays.axes == ("age", "pay")
    inside = (frame["pay"] < frame["pay"].mean() + 9 * frame["pay"].std()).to_numpy()
    np.testing.assert_allclose(arrays.points[inside], frame.to_numpy()[inside], rtol=1e-4, atol=0.02)
    left, right, bottom, top = arrays.extent
    height, width = arrays.regions.shape
    places = [(left + (right - left) * 30 / (width - 1), bottom + (top - bottom) * 70 / (height - 1))]
    asked = encoder.encode(pl.DataFrame(places, schema=["age", "pay"], orient="row"), Columns(), "a place")
    with torch.no_grad():
        assert arrays.probs[70, 30] == pytest.approx(model(asked).sigmoid().item(), abs=1e-5)


@pytest.mark.parametrize(("middle", "spread"), [(1.7e9, 10.0), (1e50, 1e49), (-3e-9, 1e-10), (1e12, 0.0)])
def test_large_and_small_numbers_keep_their_places(middle, spread):
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"t": middle + spread * rng.normal(size=300), "u": rng.normal(size=300)})
    encoder = TableEncoder()
    features = fit_and_encode(encoder, frame)
    model = Perceptron(encoder.num_features, 1)
    arrays = seen(model, features, torch.arange(300) % 2, plane=encoder.plane)["boundary"]
    np.testing.assert_allclose(arrays.points[:, 0], frame["t"].to_numpy(), rtol=1e-14, atol=1e-5 * spread)
    left, right, _, _ = arrays.extent
    assert left < min(arrays.points[:, 0]) <= max(arrays.points[:, 0]) < right
    assert len(draw(Drawing(arrays), with_svg=True).png) > 5000


def test_rows_that_lack_a_number_are_no_points():
    encoder, _, _ = table_of_two(50)
    rows = encoder.encode(pl.DataFrame({"age": [30.0, None, 50.0], "pay": [1e4, 2e4, None]}), Columns(), "rows")
    model, target = Perceptron(encoder.num_features, 1), torch.tensor([0, 1, 1])
    arrays = seen(model, rows, target, plane=encoder.plane)["boundary"]
    assert arrays.note == "1 of 3 rows"
    np.testing.assert_allclose(arrays.points, [[30, 1e4]], rtol=1e-4)
    none = seen(model, rows[1:], target[1:], plane=encoder.plane)
    assert none["boundary"] == "no row has two numbers that are known"


def test_other_tables_are_no_plane():
    for columns in ({"a": [1.0, 2.0]}, {"a": [1, 2], "b": ["x", "y"]}, {"a": [1, 2], "b": [3, 4], "c": [5, 6]}):
        encoder = TableEncoder()
        encoder.fit(pl.DataFrame(columns))
        assert encoder.plane is None


def test_what_is_no_plane_says_why():
    three = seen(Perceptron(3, 1), torch.randn(5, 3), torch.zeros(5).long(), plane=None)
    assert three == {"boundary": "only rows of two numbers are points of a plane"}
    nine = seen(Perceptron(2, 9), torch.randn(5, 2), torch.zeros(5).long(), 9)
    assert nine == {"boundary": "9 classes are more than there are colours to tell apart"}


def test_the_hidden_layer_is_drawn_where_it_has_two_units():
    torch.manual_seed(0)
    model, features, target = MLP(3, 1, hidden=[5, 2]), torch.randn(50, 3), torch.arange(50) % 2
    arrays = seen(model, features, target, plane=None)["hidden_layer"]
    with torch.no_grad():
        hidden = model.layers[:-1](features)
    assert {tuple(point) for point in arrays.points.tolist()} == {tuple(point) for point in hidden.tolist()}
    for hidden, num in (([5], 5), ([], 3)):
        other = seen(MLP(3, 1, hidden=hidden), features, target, plane=None)
        assert other["hidden_layer"] == f"the last layer has {num} inputs, not 2"


def test_layers_of_anybody_are_looked_into_too():
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1))
    found = seen(plain, torch.randn(9, 3), torch.arange(9) % 2, plane=None)["hidden_layer"]
    assert found.points.shape == (9, 2)
    last = nn.Sequential(nn.Linear(3, 1), nn.Identity())
    found = seen(last, torch.randn(9, 3), torch.arange(9) % 2, plane=None)["hidden_layer"]
    assert found == "the last layer is Identity, not linear"


def test_the_hidden_layer_of_texts_is_drawn_too():
    bags = Bags(torch.tensor([0, 1], dtype=torch.int32), torch.ones(2), torch.tensor([0, 1, 2]))
    found = seen(MLP(4, 1, bags=True, hidden=[2]), bags, torch.tensor([0, 1]))
    assert found["boundary"] == "only rows of two numbers are points of a plane"
    assert found["hidden_layer"].points.shape == (2, 2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_models_of_other_numbers_are_drawn_too(dtype):
    torch.manual_seed(0)
    model, points = MLP(2, 1, hidden=[3, 2]), torch.randn(20, 2)

    class Cast(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = model.to(dtype).layers

        def forward(self, features):
            return self.layers(features.to(dtype))

    found = seen(Cast(), points, torch.arange(20) % 2)
    assert not any(isinstance(one, str) for one in found.values()), found


def test_a_model_that_can_not_be_asked_costs_no_other_figure():
    class Odd(nn.Module):
        def forward(self, features):
            if len(features) > 4:
                raise RuntimeError("only whole batches\nof mine")
            return features[:, :1]

    found = seen(Odd(), torch.randn(4, 2), torch.tensor([0, 1, 0, 1]))
    assert found["boundary"] == "it can't be made (StopIteration: )"


def test_looking_leaves_the_model_and_random_numbers_as_they_were():
    model = MLP(2, 1, hidden=[3, 2], dropout=0.5).train()
    state = torch.get_rng_state()
    with looked_at(model):
        torch.rand(5)
        assert not model.layers[2].training
    assert model.layers[2].training
    assert torch.equal(torch.get_rng_state(), state)


def test_words_have_vectors_where_something_stands_behind_the_first_layer():
    bags = Bags(torch.tensor([0, 2, 2], dtype=torch.int32), torch.ones(3), torch.tensor([0, 2, 3]))
    model = MLP(4, 1, bags=True, hidden=[3])
    numbers, vectors = word_vectors(model, bags)
    assert numbers.tolist() == [2, 0]
    assert torch.equal(vectors, model.layers[0].weight.detach()[[2, 0]])
    assert word_vectors(Perceptron(4, 3, bags=True), bags) is None
    assert word_vectors(MLP(4, 1, hidden=[3]), torch.ones(2, 4)) is None
