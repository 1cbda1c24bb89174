"""Points: features that are numbers already."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch

from rosenblatt.data.columns import Columns
from rosenblatt.data.encoder import PointEncoder
from rosenblatt.data.module import DataModule
from rosenblatt.errors import UserError
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.multilabel import Multilabel
from rosenblatt.tasks.regression import Regression


def encoded(frame: pl.DataFrame, num_features: int = 2) -> torch.Tensor:
    return PointEncoder(num_features).encode(frame, Columns(), "points.csv")


def frame_of(features, task, target) -> pl.DataFrame:
    """The rows that are kept beside a model."""

    class Points(DataModule):
        def load(self):
            return task, {"train": (features, target), "val": (features, target)}

    data = Points(10, seed=0)
    data.setup()
    return pl.read_parquet(data.rows("val"))


def test_numbers_are_taken_as_they_are_in_the_order_of_their_names():
    frame = pl.DataFrame({"x2": [2.0, -4.5], "label": ["a", "b"], "x1": [1, 3], "x3": [9, 9]})
    found = encoded(frame)
    assert found.dtype == torch.float32
    assert found.is_contiguous()
    assert found.tolist() == [[1, 2], [3, -4.5]]
    assert encoded(frame, 3)[:, 2].tolist() == [9, 9]


def test_words_are_read_as_numbers_where_they_are_some_and_as_nan_where_not():
    found = encoded(pl.DataFrame({"x1": ["1", "one", "", "1e2"], "x2": [None, 1, 2, 3]}))
    np.testing.assert_array_equal(found.numpy(), np.array([[1, np.nan], [np.nan, 1], [np.nan, 2], [100, 3]], "float32"))


def test_the_tensor_may_be_written_to():  # else torch warns, which is an error here
    for frame in (pl.DataFrame({"x1": [1.0]}).cast(pl.Float32), pl.DataFrame({"x1": [1, 2]}), pl.DataFrame({"x1": []})):
        encoded(frame, 1).add_(1)


def test_no_rows_are_no_points():
    assert encoded(pl.DataFrame(schema={"x1": pl.String, "x2": pl.Null})).shape == (0, 2)


def test_a_column_that_is_missing_is_named_with_those_there_are():
    with pytest.raises(UserError, match=r"points\.csv: no column 'x2', 'x3'\. There are 'x1', 'label'\."):
        encoded(pl.DataFrame({"x1": [1], "label": ["a"]}), 3)


def test_names_and_columns_are_the_same():
    encoder = PointEncoder(3)
    assert encoder.columns == encoder.names() == encoder.column_of.to_list() == ["x1", "x2", "x3"]
    assert encoder.names(np.array([2, 0, 2])) == ["x3", "x1", "x3"]


def test_nothing_is_learnt_so_the_settings_are_all_that_is_to_be_kept():
    encoder = PointEncoder(**PointEncoder(3).settings)
    encoder.learn(PointEncoder(3).facts(), PointEncoder(3).vocabulary())
    assert encoder.num_features == 3
    assert (PointEncoder(3).facts(), PointEncoder(3).vocabulary()) == ({}, None)


def test_points_and_classes_become_a_frame_that_gives_them_back():
    features = torch.tensor([[1.5, -2.0, 0.1], [0.0, 3.0, 1e30]])
    frame = frame_of(features, Binary(("no", "yes")), torch.tensor([1, 0]))
    assert frame.columns == ["x1", "x2", "x3", "label"]
    assert frame["label"].to_list() == ["yes", "no"]
    assert torch.equal(encoded(frame, 3), features)
    assert Columns().labels_of(frame, "f").to_list() == [["yes"], ["no"]]


def test_points_with_several_labels_become_a_frame_with_lists():
    frame = frame_of(torch.zeros(3, 1), Multilabel(("a", "b", "c")), torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 0]]))
    assert frame["label"].to_list() == [["a", "c"], [], ["b"]]
    assert Columns().labels_of(frame, "f").to_list() == [["a", "c"], [], ["b"]]


def test_points_and_numbers_become_a_frame_that_gives_them_back():
    frame = frame_of(torch.zeros(2, 1), Regression(), torch.tensor([1.5, 3e6]))
    assert frame["label"].to_list() == [1.5, 3e6]
    assert Columns().labels_of(frame, "f").to_list() == [["1.5"], ["3000000.0"]]
