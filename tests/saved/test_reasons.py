"""The parts of a prediction: named, in order, and, for a perceptron, no more and no less than its logit."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from perceptron.models import MLP
from saved_models import (
    CLASSES,
    KINDS,
    NUMBERS,
    TASKS,
    dense_features,
    layers_of,
    new_rows,
    plain_logits,
    points,
    rows,
    task_of,
    texts,
)

ALL = 10**9


def score_weights(saved, frame) -> np.ndarray:
    """(N, num_outputs): how the score that is explained is made of logits, written down from its description."""
    logits = plain_logits(saved, frame)
    if saved.task.name == "regression":
        return np.ones_like(logits)
    weights = np.zeros_like(logits)
    for row, names in enumerate(saved.predict(frame)):
        if saved.task.name == "binary":
            weights[row] = 1 if names == CLASSES["binary"][1] else -1
        elif saved.task.name == "multiclass":
            weights[row] = np.eye(3)[CLASSES["multiclass"].index(names)] - 1 / 3
        else:
            chosen = [CLASSES["multilabel"].index(name) for name in names] or [logits[row].argmax()]
            weights[row, chosen] = 1
    return weights


def unit_of(saved) -> float:
    """What parts of the outputs are multiplied by."""
    return NUMBERS["std"] if saved.task.name == "regression" else 1 / saved.task.temperature


def names_of(saved, frame, row: int) -> list[str]:
    """What each feature of a row is to be called."""
    columns = getattr(saved.encoder, "columns", None)
    if columns is None:
        return saved.encoder.names()
    names = [name if isinstance(name, str) else name.name for name in columns]
    sizes = [1 if isinstance(name, str) else name.size for name in columns]
    return [f"{name} = {frame[name][row]}" for name, size in zip(names, sizes, strict=True) for _ in range(size)]


def added_up(names: list[str], parts: np.ndarray) -> dict[str, float]:
    totals: dict[str, float] = {}
    for place in parts.nonzero()[0]:
        totals[names[place]] = totals.get(names[place], 0.0) + parts[place]
    return totals


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_all_parts_of_a_perceptron_and_its_bias_are_the_logit(kind, task):
    saved, frame = KINDS[kind](task), new_rows(kind)
    [(weight, bias)] = layers_of(saved)
    score = score_weights(saved, frame)
    logits = (plain_logits(saved, frame) * score).sum(axis=1)
    unit = unit_of(saved)
    of_bias = (bias * unit * score).sum(axis=1) + (NUMBERS["mean"] if task == "regression" else 0)
    parts = dense_features(saved, frame) * (score @ weight.T) * unit
    for row, found in enumerate(saved.explain(frame, num=ALL)):
        assert sum(part for _, part in found) + of_bias[row] == pytest.approx(logits[row], abs=1e-5, rel=1e-5)
        expected = added_up(names_of(saved, frame, row), parts[row])
        assert len(dict(found)) == len(found)
        for name, part in expected.items():
            assert dict(found).get(name, 0.0) == pytest.approx(part, abs=1e-5, rel=1e-5)
        assert set(dict(found)) <= set(expected)
    if task == "binary":
        predicted_second = saved.predict(frame) == CLASSES["binary"][1]
        np.testing.assert_allclose(logits, np.where(predicted_second, 1, -1) * plain_logits(saved, frame)[:, 0])


def dense_network(saved) -> torch.nn.Module:
    """The same MLP on dense features, of torch's own layers."""
    modules: list[torch.nn.Module] = []
    for weight, bias in layers_of(saved):
        layer = torch.nn.Linear(*weight.shape, dtype=torch.float64)
        layer.weight.data, layer.bias.data = torch.from_numpy(weight.T.copy()), torch.from_numpy(bias)
        modules += [layer, torch.nn.Tanh()]
    return torch.nn.Sequential(*modules[:-1])


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_an_mlp_are_values_times_slopes(kind, task):
    saved, frame = KINDS[kind](task, MLP), new_rows(kind)
    features = torch.from_numpy(dense_features(saved, frame)).requires_grad_()
    (dense_network(saved)(features) * torch.from_numpy(score_weights(saved, frame))).sum().backward()
    parts = (features * features.grad).detach().numpy() * unit_of(saved)
    for row, found in enumerate(saved.explain(frame, num=ALL)):
        expected = added_up(names_of(saved, frame, row), parts[row])
        assert set(dict(found)) <= set(expected)
        for name, part in expected.items():
            assert dict(found).get(name, 0.0) == pytest.approx(part, abs=1e-5, rel=1e-4)


@pytest.mark.parametrize("make", [None, MLP])
@pytest.mark.parametrize("kind", KINDS)
def test_the_strongest_come_first_and_no_more_than_are_asked_for(kind, make):
    saved, frame = KINDS[kind]("multiclass", *([make] if make else [])), new_rows(kind)
    every = saved.explain(frame, num=ALL)
    for found in every:
        strengths = [abs(part) for _, part in found]
        assert strengths == sorted(strengths, reverse=True)
        assert 0 not in strengths
    for num in (0, 1, 3):
        assert saved.explain(frame, num=num) == [found[:num] for found in every]
    assert saved.explain(frame) == [found[:10] for found in every]


def test_reasons_of_a_text_are_its_words_and_pairs_as_they_are_shown():
    [found] = texts(ngrams=3).explain(["A GOOD film, isn't it"], num=ALL)
    words = ["a", "good", "film", ",", "isn't"]
    ngrams = {" ".join(words[i : i + n]) for n in (1, 2, 3) for i in range(len(words))}
    assert set(words) <= {name for name, _ in found} <= ngrams


def test_reasons_of_characters_are_parts_of_the_text_in_quotation_marks():
    text = " film пьеса "
    expected = {f"'{text[i : i + n]}'" for n in (1, 2, 3) for i in range(len(text) - n + 1)}
    [found] = KINDS["characters"]().explain(["film  пьеса"], num=ALL)
    assert len(found) > 10
    assert {name for name, _ in found} <= expected


def test_a_text_of_which_nothing_is_known_has_no_reasons():
    assert texts().explain(["", "  ", "ﷺ", "unheard of"]) == [[], [], [], []]
    for kind in ("characters", "both", "frequent ones"):
        assert KINDS[kind]().explain(["", "  "]) == [[], []]
        assert {name for name, _ in KINDS[kind]().explain(["ﷺ"])[0]} <= {"' '"}


def test_reasons_of_a_table_are_columns_with_their_values():
    frame = new_rows("table").head(30)
    for row, found in enumerate(rows("multiclass").explain(frame, num=ALL)):
        values = frame.row(row, named=True)
        for name, _ in found:
            column, value = re.fullmatch(r"(\w+) = (.*)", name).groups()
            assert value == str(values[column])
        assert {"age", "job"} <= {name.split(" = ")[0] for name, _ in found}


def test_reasons_speak_for_or_against_what_is_predicted():
    saved = points()
    with torch.no_grad():
        saved.model.linear.weight.copy_(torch.tensor([[2.0, -1.0]]))
        saved.model.linear.bias.zero_()
    saved.task = task_of("binary", threshold=0.5, temperature=2.0)
    for row, name, parts in (([3, 1], "yes", [3.0, -0.5]), ([-3, 1], "no", [3.0, 0.5]), ([0, 4], "no", [2.0])):
        assert saved.predict([row])[0] == name
        assert [part for _, part in saved.explain([row])[0]] == parts
    assert saved.explain([[3, 1]])[0] == [("x1 = 3.0", 3.0), ("x2 = 1.0", -0.5)]


def test_a_cooler_model_has_stronger_reasons():
    saved, warm = texts(), texts()
    warm.task = task_of("binary", temperature=2 * saved.task.temperature)
    [cool], [halved] = saved.explain(["a good film"]), warm.explain(["a good film"])
    assert halved == [(name, pytest.approx(part / 2)) for name, part in cool]
