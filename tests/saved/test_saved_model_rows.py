"""Rows that are texts, points or a table, in whatever a program holds them: each way gives the same probabilities."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from perceptron.models import MLP
from rosenblatt.data.columns import Columns
from rosenblatt.errors import UserError
from rosenblatt.saved.folder import facts_of, own_rows
from rosenblatt.saved.model import SavedModel
from rosenblatt.saved.refusal import ModelRefused
from saved_models import KINDS, NEW_TEXTS, plain_probs, points, rows, table, texts


class Pandas:
    """A frame that answers as one of pandas does, as far as we ask."""

    def __init__(self, columns: dict[Any, list[Any]]) -> None:
        self.values = columns
        self.columns = list(columns)

    def to_dict(self, orient: str) -> dict[Any, list[Any]]:
        assert orient == "list"
        return self.values


class NAType:
    """As pandas' own: it can't be compared."""

    def __ne__(self, other: object) -> Any:
        raise TypeError("boolean value of NA is ambiguous")

    __hash__ = None


WAYS_OF_TEXTS = {
    "list": list,
    "tuple": tuple,
    "generator": iter,
    "array": np.array,
    "array of objects": lambda texts: np.array(texts, dtype=object),
    "series": pl.Series,
    "categories": lambda texts: pl.Series(texts, dtype=pl.Categorical),
    "frame": lambda texts: pl.DataFrame({"more": 1, "text": texts}),
    "pandas": lambda texts: Pandas({"text": texts, 7: [0] * len(texts)}),
    "mapping": lambda texts: {"text": texts, "more": texts},
    "mappings": lambda texts: [{"text": text} for text in texts],
}


@pytest.mark.parametrize("way", WAYS_OF_TEXTS)
def test_texts_may_come_in_any_way(way):
    saved = texts("multiclass")
    expected = plain_probs(saved, pl.DataFrame({"text": NEW_TEXTS}))
    np.testing.assert_allclose(saved.predict_proba(WAYS_OF_TEXTS[way](NEW_TEXTS)), expected, atol=2e-6)


POINTS = [[1, 2.5], [-3.0, 4], [0, 0]]
WAYS_OF_POINTS = {
    "lists": list,
    "tuples": lambda points: tuple(map(tuple, points)),
    "float64": np.array,
    "float16": lambda points: np.array(points, dtype=np.float16),
    "tensor": torch.tensor,
    "words": lambda points: np.array(points).astype(str),
    "frame": lambda points: pl.DataFrame(points, schema=["x1", "x2"], orient="row", strict=False),
    "frame of words": lambda points: pl.DataFrame({"x2": [str(y) for _, y in points], "x1": [1, -3, 0]}),
    "pandas": lambda points: Pandas({"x1": [x for x, _ in points], "x2": [y for _, y in points]}),
    "mapping": lambda points: {"x1": [x for x, _ in points], "x2": [y for _, y in points]},
    "mappings": lambda points: [{"x2": y, "x1": x} for x, y in points],
}


@pytest.mark.parametrize("way", WAYS_OF_POINTS)
def test_points_may_come_in_any_way(way):
    saved = points("binary", MLP)
    expected = plain_probs(saved, pl.DataFrame({"x1": [1.0, -3.0, 0.0], "x2": [2.5, 4.0, 0.0]}))
    np.testing.assert_allclose(saved.predict_proba(WAYS_OF_POINTS[way](POINTS)), expected, atol=2e-6)


def test_tables_may_come_in_any_way_with_anything_missing():
    saved, frame = rows("multilabel"), table(20, seed=3)
    columns = frame.to_dict(as_series=False)
    expected = plain_probs(saved, frame)
    nan = {
        name: [float("nan") if one is None or one == "" else one for one in values] for name, values in columns.items()
    }
    na = {name: [NAType() if one != one else one for one in values] for name, values in nan.items()}
    words = {name: ["?" if one is None else str(one) for one in values] for name, values in columns.items()}
    ways = [
        columns, frame.to_dicts(), frame.select("job", "height", "age"), frame.with_columns(more=1), words, nan,
        Pandas(columns), Pandas(nan), Pandas(na), {**columns, "height": [one or "n/a" for one in columns["height"]]},
    ]  # fmt: skip
    for way in ways:
        np.testing.assert_allclose(saved.predict_proba(way), expected, atol=2e-6)


def test_values_of_pandas_that_are_missing_are_no_words():
    assert texts().predict_proba(Pandas({"text": [float("nan")]})).tolist() == texts().predict_proba([""]).tolist()


WRONG = {
    "words": [
        "a text",
        b"a text",
        np.str_("a text"),
        None,
        5,
        [1, 2],
        [["a", "b"]],
        np.ones((2, 2)),
        {"text": [["a"]]},
    ],
    "points": ["1 2", None, 5, [1, 2], [[1, 2, 3]], [[1], [2, 3]], [["a", "b"]], ["a text"], [None], np.ones((2, 3))],
    "table": ["a row", None, 5, [1, 2], [[1, 2, 3]], ["a text"], np.ones((2, 3)), pl.Series([1]), iter([])],
}


@pytest.mark.parametrize("kind", WRONG)
def test_rows_of_the_wrong_kind_are_refused_with_what_is_right(kind):
    for wrong in WRONG[kind]:
        for method in (KINDS[kind]().predict, KINDS[kind]().predict_proba, KINDS[kind]().explain):
            with pytest.raises(UserError) as error:
                method(wrong)
            assert re.search(
                r"predict\(\[text\]\)|no rows for this model: .|Expected a frame|expected words", str(error.value)
            )
    with pytest.raises(UserError, match="2 numbers a row; got 3"):
        points().predict([[1, 2, 3]])


def test_several_columns_of_texts_are_joined_and_a_single_text_is_the_whole():
    saved = texts()
    joined = saved.predict_proba(["a good film"])
    saved.columns = Columns(text=("title", 2))
    assert (
        saved.predict_proba(pl.DataFrame({"title": "a", "more": "bad", "body": "good film"})).tolist()
        == joined.tolist()
    )
    assert saved.predict_proba({"title": ["a good"], "2": ["film"]}).tolist() == joined.tolist()
    for single in (["a good film"], np.array(["a good film"]), pl.Series(["a good film"])):
        assert saved.predict_proba(single).tolist() == joined.tolist()
    with pytest.raises(UserError, match="title: no such column in rows"):
        saved.predict({"name": ["a"], "2": ["b"]})


def with_rows(folder: Path, split: str) -> SavedModel:
    """A model that knows the rows that lie beside its folder."""
    path = folder / f"{split}.parquet"
    pl.DataFrame({"text": [split], "label": ["yes"]}).write_parquet(path)
    saved = points()
    saved.rows = facts_of(split, path.read_bytes())
    return saved


def test_the_rows_that_a_run_was_measured_on_are_those_beside_its_model(tmp_path):
    assert own_rows(tmp_path / "model", points()) is None
    for split in ("val", "test"):
        saved = with_rows(tmp_path, split)
        found = own_rows(tmp_path / "model", saved)
        assert (found.split, found.where) == (split, str(tmp_path / f"{split}.parquet"))
        assert found.frame.rows() == [(split, "yes")]
    (tmp_path / "test.parquet").unlink()
    assert own_rows(tmp_path / "model", saved) is None


def test_other_rows_in_their_place_are_refused(tmp_path):
    saved = with_rows(tmp_path, "test")
    pl.DataFrame({"text": ["test"], "label": ["no"]}).write_parquet(tmp_path / "test.parquet")
    with pytest.raises(ModelRefused, match=r"test\.parquet: .*(checksum|bytes)"):
        own_rows(tmp_path / "model", saved)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_rows_that_are_a_link_out_of_the_run_are_refused(tmp_path):
    saved = with_rows(tmp_path, "test")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "test.parquet").symlink_to(tmp_path / "test.parquet")
    with pytest.raises(ModelRefused, match=r"test\.parquet: .*it is a link"):
        own_rows(tmp_path / "run" / "model", saved)
