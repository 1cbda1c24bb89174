"""Prices of made-up houses, from the file to intervals that hold nine of ten new ones."""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl
import pytest
import torch

from fitting import make_trainer
from perceptron.classifier import Classifier
from perceptron.models import Perceptron
from rosenblatt.data.columns import Columns
from rosenblatt.table.data import TableData
from rosenblatt.tasks.threshold import Decision

NOISE = 8_000


def houses(num_rows: int, seed: int) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    area, rooms, district = (
        random.uniform(30, 200, num_rows),
        random.integers(1, 8, num_rows),
        random.integers(12, size=num_rows),
    )
    sums = np.random.default_rng(99).normal(0, 30_000, 12)
    price = 1000 * area + 5000 * rooms + sums[district] + random.normal(0, NOISE, num_rows)
    return pl.DataFrame({"area": area, "rooms": rooms, "district": [f"d{one}" for one in district], "price": price})


def test_prices_are_predicted_to_little_more_than_their_noise_and_intervals_hold_nine_of_ten(tmp_path):
    houses(2_000, seed=0).write_csv(tmp_path / "houses.csv")
    data = TableData(str(tmp_path / "houses.csv"), label_column="price")
    data.setup()
    torch.manual_seed(0)
    model = Perceptron(data.sizes["num_features"], data.task.num_outputs)
    classifier = Classifier(model, data.task, data.task.loss(), partial(torch.optim.Adam, lr=0.001))
    make_trainer(max_epochs=20).fit(classifier, datamodule=data)
    with torch.no_grad():
        features, target = data.splits["val"]
        task = data.task.tuned(model(features), target, Decision())
        new = houses(10_000, seed=1)
        outputs = model(data.encoder.encode(new, Columns(), "new rows"))
        scores = task.scores(outputs)
    price = torch.from_numpy(new["price"].to_numpy(writable=True))
    rmse = float((scores - price).square().mean().sqrt())
    assert rmse < 1.1 * NOISE
    frame = task.predictions(scores).with_columns(new["price"])
    inside = frame.select(pl.col("price").is_between("low", "high").mean()).item()
    assert inside == pytest.approx(task.more_figures(outputs, price)["inside"])
    # 200 validation rows: the share of new ones that is inside is 0.9 to a standard deviation of 0.021.
    assert inside == pytest.approx(0.9, abs=0.063)
