"""The network for tables, beside NumPy, on dense features and on bags, and as a model folder and ONNX hold it."""

import math

import numpy as np
import polars as pl
import pytest
import torch
from torch.nn import functional as F

from rosenblatt.commands.export import write_exported
from rosenblatt.data.columns import Columns
from rosenblatt.data.features import Bags
from rosenblatt.errors import UserError
from rosenblatt.loop.schedules import coslog
from rosenblatt.saved.known import path_of
from rosenblatt.saved.model import Origin, SavedModel
from rosenblatt.table import encoder as table
from rosenblatt.table.encoder import SCALE, TableEncoder
from rosenblatt.table.realmlp import NumberEmbedding, RealMLP
from rosenblatt.tasks.multiclass import Multiclass

RNG = np.random.default_rng(0)
NUM_ROWS = 400
FRAME = pl.DataFrame(
    {
        "age": RNG.normal(40, 15, NUM_ROWS).round(1),
        "is_new": RNG.integers(0, 2, NUM_ROWS),
        "gain": np.where(RNG.random(NUM_ROWS) < 0.8, 0, RNG.integers(1, 9, NUM_ROWS) * 1000),
        "job": RNG.choice(["cook", "clerk", "smith"], NUM_ROWS),
        "town": [f"town {number}" for number in RNG.integers(0, 40, NUM_ROWS)],
    }
).with_columns(pl.when(pl.int_range(NUM_ROWS) % 7 > 0).then(pl.all()).name.keep())


def encoded(monkeypatch=None, frame=FRAME):
    if monkeypatch is not None:
        monkeypatch.setattr(table, "MAX_DENSE", 1)
    encoder = TableEncoder()
    encoder.fit(frame)
    columns = [one.size for one in encoder.columns]
    numbers = [i for i, one in enumerate(encoder.columns) if isinstance(one, table.NumberColumn)]
    peaked = [i for i, one in enumerate(encoder.columns) if isinstance(one, table.PeakedColumn)]
    sizes = {"columns": columns, "numbers": numbers, "peaked": peaked}
    return encoder, encoder.encode(frame, Columns(), "rows"), sizes


def made(features, sizes, num_outputs=3, **settings):
    torch.manual_seed(0)
    bags = isinstance(features, Bags)
    return RealMLP(sum(sizes["columns"]), num_outputs, bags, **sizes, hidden=[16, 8], **settings)


def test_waves_of_numbers_are_those_of_the_paper():
    torch.manual_seed(0)
    layer = NumberEmbedding(2, rate=1.0)
    x = torch.tensor([[0.5, -1.0], [2.0, 0.0], [-3.0, 1.5]])
    stored = {name: one.detach().double().numpy() * 0.1 for name, one in layer.named_parameters()}
    expected = np.zeros((3, 2, 3))
    for row in range(3):
        for number in range(2):
            angles = 2 * np.pi * x[row, number].item() * stored["frequency"][number, 0] + stored["phase"][number, 0]
            mixed = np.cos(angles) @ stored["weight"][number] + stored["bias"][number, 0]
            expected[row, number] = mixed
    np.testing.assert_allclose(layer(x).detach(), expected.reshape(3, 6), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel", "regression"])
def test_the_network_is_what_its_parts_are_in_numpy(task):
    _, features, sizes = encoded(frame=FRAME.select("age", "job"))
    model = made(features, sizes, task=task, members=2, dropout=0.0)
    with torch.no_grad():
        for name, one in model.named_parameters():
            if name == "scale" or name.endswith("more"):
                one.normal_(0, 0.1)
    rate = 5.0 if task == "regression" else 1.0
    age, job = features[:, :2].numpy() / SCALE, features[:, -4:].numpy() / SCALE * 1.664
    waves = model.waves(torch.from_numpy(age[:, :1])).detach().numpy()
    row = np.concatenate([waves, age, job], axis=1)
    activation, every = F.mish if task == "regression" else F.selu, []
    for member in range(2):
        x, size = row * (1 + model.scale[member].detach().numpy() * 6 * rate), 4 + 1.664**2
        for layer in model.body:
            if hasattr(layer, "weight"):
                weight, bias = (one[member].detach().numpy() for one in (layer.weight, layer.bias))
                x, size = x @ weight * rate / math.sqrt(size) + 0.1 * rate * bias, weight.shape[1]
            elif hasattr(layer, "more"):
                bent = activation(torch.from_numpy(x)).numpy()
                x = x + (1 + 0.1 * rate * layer.more[member].detach().numpy()) * (bent - x)
        every.append(x)
    np.testing.assert_allclose(model.train()(features).detach().numpy(), np.stack(every, 1), rtol=1e-3, atol=1e-4)
    found = model.eval()(features).detach()
    if task == "regression":
        np.testing.assert_allclose(found, np.mean(every, axis=0), rtol=1e-3, atol=1e-4)
    elif task == "multiclass":
        mean = np.mean([torch.from_numpy(x).softmax(dim=1).numpy() for x in every], axis=0)
        np.testing.assert_allclose(found.softmax(dim=1), mean, rtol=1e-3, atol=1e-5)
    else:
        mean = np.mean([torch.from_numpy(x).sigmoid().numpy() for x in every], axis=0)
        np.testing.assert_allclose(found.sigmoid(), mean, rtol=1e-3, atol=1e-5)


def test_a_new_network_gives_numbers_of_about_one_whatever_the_table():
    for frame in (FRAME, FRAME.select("age"), FRAME.select("town"), FRAME.select("job", "is_new")):
        _, features, sizes = encoded(frame=frame)
        torch.manual_seed(0)
        model = RealMLP(features.shape[1], 200, **sizes)
        assert 0.3 < model.eval()(features).std() < 4


def test_bags_give_what_dense_features_give(monkeypatch):
    _, dense, sizes = encoded()
    _, bags, _ = encoded(monkeypatch)
    expected, found = made(dense, sizes).eval()(dense), made(bags, sizes).eval()(bags)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    less = FRAME.select("age", "job")
    monkeypatch.undo()
    (_, dense, sizes), (_, bags, _) = encoded(frame=less), encoded(monkeypatch, less)
    torch.testing.assert_close(made(bags, sizes).eval()(bags), made(dense, sizes).eval()(dense), rtol=1e-4, atol=1e-5)


def test_gradients_reach_all_parameters_of_bags_as_of_dense_features(monkeypatch):
    _, dense, sizes = encoded()
    _, bags, _ = encoded(monkeypatch)
    models = made(dense, sizes).eval(), made(bags, sizes).eval()
    for model, features in zip(models, (dense, bags), strict=True):
        with torch.no_grad():
            model.table.copy_(models[0].table)
        model(features).square().mean().backward()
    for (name, one), (_, other) in zip(models[0].named_parameters(), models[1].named_parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-6, msg=name)
        assert one.grad.abs().sum() > 0, name


def test_bins_are_left_out_but_for_those_of_a_column_with_a_peak():
    encoder, features, sizes = encoded()
    assert [encoder.columns[i].name for i in sizes["peaked"]] == ["gain"]
    model = made(features, sizes).eval()
    with torch.no_grad():
        model.table.normal_()  # bins begin at 0
    for name, counts in (("age", False), ("gain", True)):
        bins = [k for k, one in enumerate(encoder.names()) if one.startswith((f"{name} from", f"{name} above"))]
        assert len(bins) > 1
        changed = features.clone()
        changed[:, bins] = 7.0
        assert torch.equal(model(changed), model(features)) != counts


def test_points_without_columns_are_numbers():
    torch.manual_seed(0)
    model = RealMLP(2, 1).eval()
    outputs = model(torch.randn(5, 2))
    assert outputs.shape == (5, 1)
    assert outputs.unique().numel() == 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden": [0]}, r"model\.hidden: expected sizes of at least 1"),
        ({"members": 0}, r"model\.members: expected a whole number of at least 1"),
        ({"dropout": 1.0}, r"model\.dropout: expected a probability from 0 to below 1"),
        ({"bags": True}, r"reads the columns of tables"),
        ({"columns": [1, 3], "numbers": [0]}, r"expected columns of 5 features; they have 4"),
        ({"columns": [2, 3], "numbers": [2]}, r"expected columns of 5 features"),
    ],
)
def test_what_makes_no_network_is_told(settings, message):
    with pytest.raises(UserError, match=message):
        RealMLP(5, 1, **settings)


def test_the_schedule_is_that_of_the_paper_and_goes_on_where_it_was():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    schedule = coslog(optimizer, epochs=64)
    rates = []
    for _ in range(64):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    middles = (np.arange(64) + 0.5) / 64
    np.testing.assert_allclose(rates, 1 - np.cos(2 * np.pi * np.log2(1 + 15 * middles)), rtol=1e-9)
    assert rates[-1] < 0.01
    again = coslog(torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0), epochs=64)
    again.load_state_dict(schedule.state_dict())
    assert again.get_last_lr() == schedule.get_last_lr()
    for one in (again, schedule):
        one.optimizer.step()
        one.step()
    assert again.get_last_lr() == schedule.get_last_lr()
    with pytest.raises(UserError, match=r"trainer\.max_epochs is -1"):
        coslog(optimizer, epochs=-1)


@pytest.mark.parametrize("format", ["onnx", "torch_export"])
@pytest.mark.parametrize("bags", [False, True])
def test_it_is_exported_for_any_number_of_rows(bags, format, tmp_path, monkeypatch):
    pytest.importorskip("onnxscript")
    encoder, features, sizes = encoded(monkeypatch if bags else None)
    saved = SavedModel(made(features, sizes), Multiclass(("a", "b", "c")), encoder, Origin(path_of(RealMLP)))
    assert write_exported(saved, tmp_path / "model", format, features) < 1e-5
