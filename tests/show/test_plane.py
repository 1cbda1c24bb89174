"""Points of a plane: rows of two numbers, and hidden layers of two units."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch

from perceptron.models import MLP, Perceptron
from rosenblatt.data.features import Bags
from rosenblatt.data.points import PointEncoder
from rosenblatt.show.figures.style import draw
from rosenblatt.show.scenes.every import scenes_of
from rosenblatt.show.scenes.view import View
from rosenblatt.table.encoder import TableEncoder
from views import line, spec_of, view_of


def test_the_boundary_is_the_models_own():
    points = torch.tensor([[0.0, -1.0], [1.0, 1.0], [0.5, 0.5]])
    scene = dict(scenes_of(view_of(line(), spec_of("binary", 2), points, torch.tensor([0, 1, 0]))))["boundary"]
    assert scene.title == "Decision boundary: validation, epoch 3"
    height, _ = scene.regions.shape
    ticks = torch.linspace(scene.extent[2], scene.extent[3], height)
    assert (torch.from_numpy(scene.regions[:, 0]) == (ticks.sigmoid() > 0.5)).all()
    assert torch.allclose(torch.from_numpy(scene.probs[:, 7]), ticks.sigmoid(), atol=1e-6)
    drawn = {tuple(point): bool(wrong) for point, wrong in zip(scene.points.tolist(), scene.wrong, strict=True)}
    assert drawn == {(0.0, -1.0): False, (1.0, 1.0): False, (0.5, 0.5): True}


def test_threshold_and_temperature_move_the_regions():
    points = torch.tensor([[0.0, -4.0], [1.0, 4.0]])
    view = view_of(line(), spec_of("binary", 2), points, torch.tensor([0, 1]), threshold=0.9, temperature=2.0)
    scene = dict(scenes_of(view))["boundary"]
    above = torch.from_numpy(scene.regions[:, 0]).bool()
    ticks = torch.linspace(scene.extent[2], scene.extent[3], len(above))
    assert (above == ((ticks / 2).sigmoid() > 0.9)).all()


def test_the_rows_that_are_drawn_are_the_same_whatever_is_predicted_and_a_fair_sample():
    torch.manual_seed(0)
    points, target = torch.randn(3000, 2), torch.arange(3000) % 3
    scene = dict(scenes_of(view_of(Perceptron(2, 3), spec_of("multiclass", 3), points, target)))["boundary"]
    assert len(scene.points) == 500
    assert "500 of 3,000 rows" in scene.title
    assert torch.equal(torch.from_numpy(scene.points), points[torch.linspace(0, 2999, 500).round().long()])
    assert scene.probs is None
    assert set(scene.regions.flatten()) <= {0, 1, 2}


def table_of_two(num_rows):
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"age": rng.normal(40, 15, num_rows).round(), "pay": rng.lognormal(10, 1, num_rows).round(2)})
    encoder = TableEncoder()
    return encoder, frame, encoder.fit_transform(frame)


def test_a_table_of_two_columns_of_numbers_is_a_plane_in_their_own_units():
    encoder, frame, features = table_of_two(300)
    torch.manual_seed(0)
    spec, target = spec_of("binary", 2, num_features=encoder.num_features), torch.arange(300) % 2
    model = Perceptron(spec.num_features, 1)
    scene = dict(scenes_of(view_of(model, spec, features, target, plane=encoder.plane)))["boundary"]
    assert scene.axes == ("age", "pay")
    inside = (frame["pay"] < frame["pay"].mean() + 9 * frame["pay"].std()).to_numpy()
    np.testing.assert_allclose(scene.points[inside], frame.to_numpy()[inside], rtol=1e-4, atol=0.02)
    left, right, bottom, top = scene.extent
    height, width = scene.regions.shape
    places = [(left + (right - left) * 30 / (width - 1), bottom + (top - bottom) * 70 / (height - 1))]
    asked = encoder.transform(pl.DataFrame(places, schema=["age", "pay"], orient="row"), "a place")
    with torch.no_grad():
        assert scene.probs[70, 30] == pytest.approx(model(asked).sigmoid().item(), abs=1e-5)


@pytest.mark.parametrize(("middle", "spread"), [(1.7e9, 10.0), (1e50, 1e49), (-3e-9, 1e-10), (1e12, 0.0)])
def test_large_and_small_numbers_keep_their_places(middle, spread):
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"t": middle + spread * rng.normal(size=300), "u": rng.normal(size=300)})
    encoder = TableEncoder()
    features = encoder.fit_transform(frame)
    spec, target = spec_of("binary", 2, num_features=encoder.num_features), torch.arange(300) % 2
    view = view_of(Perceptron(spec.num_features, 1), spec, features, target, plane=encoder.plane)
    scene = dict(scenes_of(view))["boundary"]
    np.testing.assert_allclose(scene.points[:, 0], frame["t"].to_numpy(), rtol=1e-14, atol=1e-5 * spread)
    left, right, _, _ = scene.extent
    assert left < min(scene.points[:, 0]) <= max(scene.points[:, 0]) < right
    assert len(draw(scene, with_svg=True).png) > 5000


def test_rows_that_lack_a_number_are_no_points():
    encoder, _, _ = table_of_two(50)
    rows = encoder.transform(pl.DataFrame({"age": [30.0, None, 50.0], "pay": [1e4, 2e4, None]}), "rows")
    spec = spec_of("binary", 2, num_features=encoder.num_features)
    model, target = Perceptron(spec.num_features, 1), torch.tensor([0, 1, 1])
    scene = dict(scenes_of(view_of(model, spec, rows, target, plane=encoder.plane)))["boundary"]
    assert "1 of 3 rows" in scene.title
    np.testing.assert_allclose(scene.points, [[30, 1e4]], rtol=1e-4)
    none = view_of(model, spec, rows[1:], target[1:], plane=encoder.plane)
    assert dict(scenes_of(none))["boundary"] == "no row has two numbers that are known"


def test_other_tables_are_no_plane():
    for columns in ({"a": [1.0, 2.0]}, {"a": [1, 2], "b": ["x", "y"]}, {"a": [1, 2], "b": [3, 4], "c": [5, 6]}):
        encoder = TableEncoder()
        encoder.fit_transform(pl.DataFrame(columns))
        assert encoder.plane is None


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (spec_of("binary", 2, num_features=3), "only rows of two numbers are points of a plane"),
        (spec_of("multilabel", 2), "several labels can be right at one place"),
        (spec_of("multiclass", 9), "9 classes are more than there are colours to tell apart"),
    ],
)
def test_what_is_no_plane_says_why(spec, reason):
    model, features = Perceptron(spec.num_features, spec.num_outputs), torch.randn(5, spec.num_features)
    target = torch.zeros(5, 2, dtype=torch.uint8) if spec.task == "multilabel" else torch.zeros(5, dtype=torch.long)
    assert dict(scenes_of(view_of(model, spec, features, target)))["boundary"] == reason


def test_the_hidden_layer_is_drawn_where_it_has_two_units():
    torch.manual_seed(0)
    model, features, target = MLP(3, 1, hidden=[5, 2]), torch.randn(50, 3), torch.arange(50) % 2
    scene = dict(scenes_of(view_of(model, spec_of("binary", 2, 3), features, target)))["hidden_layer"]
    with torch.no_grad():
        hidden = model.layers[:-1](features)
    assert {tuple(point) for point in scene.points.tolist()} == {tuple(point) for point in hidden.tolist()}
    wide = dict(scenes_of(view_of(MLP(3, 1, hidden=[5]), spec_of("binary", 2, 3), features, target)))
    assert wide["hidden_layer"] == "the last layer has 5 inputs, not 2"
    none = dict(scenes_of(view_of(MLP(3, 1, hidden=[]), spec_of("binary", 2, 3), features, target)))
    assert none["hidden_layer"] == "the last layer has 3 inputs, not 2"


def test_the_hidden_layer_of_texts_is_drawn_too():
    bags = Bags(torch.tensor([0, 1], dtype=torch.int32), torch.ones(2), torch.tensor([0, 1, 2]))
    view = view_of(MLP(4, 1, bags=True, hidden=[2]), spec_of("binary", 2, 4, bags=True), bags, torch.tensor([0, 1]))
    scenes = dict(scenes_of(view))
    assert scenes["boundary"] == "only rows of two numbers are points of a plane"
    assert scenes["hidden_layer"].points.shape == (2, 2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_models_of_other_numbers_are_drawn_too(dtype):
    torch.manual_seed(0)
    model, points = MLP(2, 1, hidden=[3, 2]).to(dtype), torch.randn(20, 2)
    view = View(model, spec_of("binary", 2), "val", "epoch 3", points, torch.arange(20) % 2, torch.randn(20, 1),
                plane=PointEncoder(2).plane)  # fmt: skip
    scenes = dict(scenes_of(view))
    assert not any(isinstance(scene, str) for scene in scenes.values()), scenes
