"""What a saved model makes of rows: classes and probabilities, whatever the rows come as."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch

from perceptron.models import MLP, Perceptron
from rosenblatt.data.encoder import PointEncoder
from rosenblatt.errors import UserError
from rosenblatt.saved import model as saved_model_module
from saved_models import (
    CLASSES,
    KINDS,
    NEW_TEXTS,
    NUMBERS,
    OF_CLASSES,
    THRESHOLDS,
    new_rows,
    plain_logits,
    plain_probs,
    points,
    saved_model,
    task_of,
    texts,
)


@pytest.mark.parametrize("task", OF_CLASSES)
@pytest.mark.parametrize("make", [Perceptron, MLP])
@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_and_classes_are_those_of_plain_arithmetic(kind, make, task):
    saved, frame = KINDS[kind](task, make), new_rows(kind)
    expected, probs = plain_probs(saved, frame), saved.predict_proba(frame)
    assert probs.dtype == np.float32
    np.testing.assert_allclose(probs, expected, atol=2e-6)
    threshold, classes, found = THRESHOLDS[task], CLASSES[task], saved.predict(frame)
    assert saved.classes == classes
    for row, names in enumerate(found):
        if task == "binary":
            assert names == classes[int(expected[row, 1] > threshold)]
        elif task == "multiclass":
            assert names == classes[expected[row].argmax()]
        else:
            assert names == [
                name for name, p, least in zip(classes, expected[row], threshold, strict=True) if p > least
            ]
    assert isinstance(found, list if task == "multilabel" else np.ndarray)


@pytest.mark.parametrize("task", OF_CLASSES)
def test_predictions_come_with_the_probability_of_what_is_predicted(task):
    saved, frame = texts(task), new_rows("words")
    probs = saved.predict_proba(frame)
    predictions = saved.predictions(saved.scores_of_frame(frame, "rows"))
    assert predictions.columns == ["prediction", "probability"]
    assert predictions["prediction"].to_list() == list(saved.predict(frame))
    for row, (names, values) in enumerate(predictions.iter_rows()):
        names, values = ([names], [values]) if task != "multilabel" else (names, values)
        assert values == [probs[row, CLASSES[task].index(name)] for name in names]


def test_a_probability_has_to_be_above_the_threshold_to_be_predicted():
    for task in ("binary", "multilabel"):
        saved = points(task)
        saved.task = task_of(task, threshold=0.5)
        torch.nn.init.zeros_(saved.model.linear.weight)
        torch.nn.init.zeros_(saved.model.linear.bias)
        assert list(saved.predict([[1.0, 2.0]])) == ["no"] if task == "binary" else [[]]
        saved.task = task_of(task, threshold=np.nextafter(np.float32(0.5), np.float32(0)).item())
        assert list(saved.predict([[1.0, 2.0]])) == ["yes"] if task == "binary" else [list(CLASSES[task])]


def test_rows_without_a_label_have_an_empty_list():
    saved = texts("multilabel")
    saved.task = task_of("multilabel", threshold=(1.0, 1.0, 1.0))
    assert saved.predict(NEW_TEXTS) == [[] for _ in NEW_TEXTS]
    saved.task = task_of("multilabel", threshold=(1.0, 0.0, 1.0))
    assert saved.predict(NEW_TEXTS) == [["c"] for _ in NEW_TEXTS]
    assert saved.predict([]) == []


def test_no_rows_have_no_predictions():
    for kind, make in KINDS.items():
        saved = make("binary")
        for none in ([], (), np.zeros((0, 2)), new_rows(kind)[:0], {name: [] for name in new_rows(kind).columns}):
            assert saved.predict(none).shape == (0,)
            assert saved.predict_proba(none).shape == (0, 2)
            assert saved.explain(none) == []
    assert points("multilabel").predict([]) == []
    assert points("multiclass").predict_proba([]).shape == (0, 3)


@pytest.mark.parametrize(
    ("kind", "name"), [("words", "text"), ("points", "x2"), ("table", "job"), ("table of bags", "code")]
)
def test_a_column_that_is_missing_is_named(kind, name):
    frame = new_rows(kind)
    for way in (frame.drop(name), frame.rename({name: "other"}), [{"other": 1}], {"other": [1]}, {}):
        with pytest.raises(UserError, match=f"{name}'?.*(no such column|which training had|There are)"):
            KINDS[kind]().predict(way)


@pytest.mark.parametrize("task", OF_CLASSES)
def test_a_row_that_is_no_numbers_has_no_prediction_and_the_others_keep_theirs(task):
    saved = points(task)
    frame = pl.DataFrame({"x1": ["1", "one", None, "2"], "x2": [1.0, 2.0, 3.0, 4.0]})
    predictions = saved.predictions(saved.scores_of_frame(frame, "rows"))
    assert predictions.row(1) == predictions.row(2) == (None, None)
    clean = saved.predictions(saved.scores_of_frame(pl.DataFrame({"x1": [1.0, 2.0], "x2": [1.0, 4.0]}), "rows"))
    assert predictions[[0, 3]].rows() == clean.rows()
    assert [name is None for name in saved.predict(frame)] == [False, True, True, False]
    assert [len(found) > 0 for found in saved.explain(frame)] == [True, False, False, True]


def test_rows_by_the_chunk_are_as_rows_at_once(monkeypatch):
    saved, expected = texts("multiclass"), texts("multiclass").predict_proba(NEW_TEXTS)
    monkeypatch.setattr(saved_model_module, "CHUNK", 7)
    np.testing.assert_allclose(saved.predict_proba(NEW_TEXTS), expected, atol=1e-6)


def test_a_model_that_was_just_trained_predicts_without_dropout_and_without_gradients():
    saved = saved_model(PointEncoder(2), False, "binary", MLP)
    saved.model.train()
    assert len({saved.predict_proba([[1.0, 2.0]]).tobytes() for _ in range(5)}) == 1
    assert not saved.scores_of(torch.ones(1, 2)).requires_grad
    for used in (saved, texts("binary", MLP)):
        used.explain(new_rows("points" if used is saved else "words"))
        assert all(one.grad is None for one in used.model.parameters())


@pytest.mark.parametrize("make", [Perceptron, MLP])
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_and_intervals_are_those_of_plain_arithmetic_in_the_units_of_the_label(kind, make):
    saved, frame = KINDS[kind]("regression", make), new_rows(kind)
    expected, found, interval = plain_logits(saved, frame)[:, 0], saved.predict(frame), saved.predict_interval(frame)
    assert found.dtype == interval.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-3)
    assert interval.shape == (frame.height, 2)
    np.testing.assert_allclose(interval, found[:, None] + np.array([-1, 1]) * NUMBERS["radius"])
    written = saved.predictions(saved.scores_of_frame(frame, "rows"))
    assert written.columns == ["prediction", "low", "high"]
    assert written.to_numpy().tolist() == np.column_stack([found, interval]).tolist()


def test_rows_that_are_no_numbers_have_no_number_and_no_interval():
    saved, frame = points("regression"), pl.DataFrame({"x1": ["1", "one", "2"], "x2": [1.0, 2.0, 4.0]})
    assert np.isnan(saved.predict(frame)).tolist() == [False, True, False]
    assert np.isnan(saved.predict_interval(frame)).tolist() == [[False] * 2, [True] * 2, [False] * 2]
    assert saved.predictions(saved.scores_of_frame(frame, "rows")).row(1) == (None, None, None)
    assert saved.predict([]).shape == (0,)
    assert saved.predict_interval([]).shape == (0, 2)


def test_what_a_task_does_not_have_is_told():
    saved = points("regression")
    assert saved.classes == ()
    with pytest.raises(UserError, match="no classes with probabilities"):
        saved.predict_proba([[1.0, 2.0]])
    with pytest.raises(UserError, match="predicts classes"):
        points().predict_interval([[1.0, 2.0]])
    for radius in (None, np.inf):
        saved.task = task_of("regression", radius=radius, num_validation=5)
        with pytest.raises(UserError, match="no intervals: they are read off validation rows, and there were 5"):
            saved.predict_interval([[1.0, 2.0]])
        assert saved.predictions(torch.ones(2).double()).columns == ["prediction"]
    saved.task = None
    for method in (saved.predict, saved.predict_proba, saved.predict_interval, saved.explain):
        with pytest.raises(UserError, match=r"Perceptron has no task.*split=test"):
            method([[1.0, 2.0]])
