"""Intervals, against SciPy; the metrics of resampled rows, against scikit-learn with weights and `EpochMetrics`."""

from __future__ import annotations

import math
from functools import partial
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from metric_reference import ONE_SIDED, TASKS, at, measured, split
from rosenblatt.tasks import classification, intervals
from rosenblatt.tasks.intervals import CountScores, RankingScores, wilson

pytestmark = ONE_SIDED


def bootstrap(task, logits, target, ranking=True, seed=0):
    with mock.patch.object(classification, "resampled", partial(intervals.resampled, seed=seed)):
        return task.intervals(task.scores(logits), target, ranking)


@settings(max_examples=200, deadline=None)
@given(num_rows=st.integers(1, 100_000), share=st.floats(0, 1))
def test_wilsons_interval_is_scipys(num_rows, share):
    hits = round(share * num_rows)
    expected = stats.binomtest(hits, num_rows).proportion_ci(0.95, method="wilson")
    low, high = wilson(hits, num_rows)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert 0 <= low <= hits / num_rows <= high <= 1


def test_wilsons_interval_holds_the_true_accuracy_about_95_times_of_100():
    random = np.random.default_rng(0)
    for num_rows, accuracy in ((50, 0.9), (400, 0.97), (1000, 0.6)):
        found = [wilson(int(hits), num_rows) for hits in random.binomial(num_rows, accuracy, 500)]
        assert 0.92 <= np.mean([low <= accuracy <= high for low, high in found]) <= 0.98


def weighted(task, probs, target, weights):
    """All metrics of these rows at these weights, one number each, by what `Classification.intervals` uses."""
    rows = torch.tensor(weights)[None]
    scores = CountScores(probs, task.decide(probs), target, len(task.classes))(rows)
    scores |= RankingScores(probs, target)(rows)
    return {name: float(values) for name, values in scores.items()}


def by_scikit_learn(task, probs, target, weights):
    probs, truth, num = probs.numpy(), target.numpy(), len(task.classes)
    preds = task.decide(torch.from_numpy(probs)).numpy()
    kept = weights > 0  # scikit-learn counts a class as present where all of its rows weigh nothing
    probs, truth, preds, weights = probs[kept], truth[kept], preds[kept], weights[kept]
    values, shared = {}, {"sample_weight": weights, "zero_division": 0}
    average = "binary" if task.name == "binary" else "macro"
    for name, score in {"f1": sk.f1_score, "precision": sk.precision_score, "recall": sk.recall_score}.items():
        values[name] = score(truth, preds, average=average, **shared)
    if task.name == "multilabel":
        hits = weights @ truth[np.arange(len(truth)), probs.argmax(axis=1)]
        values |= {"p_at_1": hits / weights.sum(), "r_at_1": hits / max((weights @ truth).sum(), 1)}
        values["f1_micro"] = sk.f1_score(truth, preds, average="micro", **shared)
    one_hot = truth if task.name == "multilabel" else np.eye(num, dtype=int)[truth]
    columns = [(one_hot[:, 1], probs)] if task.name == "binary" else list(zip(one_hot.T, probs.T, strict=True))
    columns = [(true, prob) for true, prob in columns if 0 < true.sum() < len(true)]
    for name, score in {"auroc": sk.roc_auc_score, "ap": sk.average_precision_score}.items():
        numbers = [score(true, prob, sample_weight=weights) for true, prob in columns]
        values[name] = np.mean(numbers) if numbers else math.nan
    return values


SPLITS = {
    "kind": st.sampled_from(TASKS),
    "seed": st.integers(0, 2**31),
    "num_rows": st.integers(1, 30),
    "num_classes": st.integers(2, 5),
    "threshold": st.sampled_from([0.2, 0.5, 0.9]),
}


@settings(max_examples=150, deadline=None)
@given(**SPLITS)
def test_metrics_of_resampled_rows_are_scikit_learns_with_weights(kind, seed, num_rows, num_classes, threshold):
    task, logits, target = split(kind, seed, num_rows, num_classes)
    task = at(task, threshold)
    probs = task.scores(logits)
    weights = np.random.default_rng(seed).multinomial(num_rows, np.full(num_rows, 1 / num_rows))
    found = weighted(task, probs, target, weights)
    assert found == pytest.approx(by_scikit_learn(task, probs, target, weights), abs=1e-6, nan_ok=True)


@settings(max_examples=100, deadline=None)
@given(**SPLITS)
def test_metrics_of_all_rows_once_are_those_of_an_epoch(kind, seed, num_rows, num_classes, threshold):
    task, logits, target = split(kind, seed, num_rows, num_classes)
    task = at(task, threshold)
    found = weighted(task, task.scores(logits), target, np.ones(num_rows, dtype=np.int64))
    values = measured(task, logits, target, [num_rows]).values
    del values["loss"], values["acc"]
    assert found == pytest.approx(values, abs=1e-6, nan_ok=True)


def learned(kind, num_rows=400, seed=0, num_classes=4):
    """A split on which a model is right more often than not."""
    task, logits, target = split(kind, seed, num_rows, num_classes)
    truth = torch.eye(num_classes)[target] if kind == "multiclass" else target.view(logits.shape)
    return task, logits + 3.0 * (2 * truth.float() - 1), target


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("ranking", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_every_metric_but_the_loss_has_an_interval_around_it(kind, ranking, seed):
    task, logits, target = learned(kind, seed=seed)
    task = at(task, 0.4)
    values = measured(task, logits, target, [100], ranking=ranking).values
    found = bootstrap(task, logits, target, ranking)
    assert found.keys() == values.keys() - {"loss"}
    for name, (low, high) in found.items():
        assert 0 <= low < values[name] < high <= 1, name
    assert found["acc"] == wilson(round(values["acc"] * 400), 400)


@pytest.mark.parametrize("kind", TASKS)
def test_the_percentiles_are_those_of_rows_drawn_one_by_one(kind):
    # By the plainest program: each replicate picked row by row and counted by EpochMetrics.
    task, logits, target = learned(kind, num_rows=150)
    random, replicates = np.random.default_rng(1), []
    for _ in range(300):
        rows = random.integers(150, size=150)
        replicates.append(measured(task, logits[rows], target[rows], [150]).values)
    for name, interval in bootstrap(task, logits, target).items():
        if name != "acc":
            values = [one[name] for one in replicates]
            # Either is off by some hundredths of the spread, as percentiles of so few draws are.
            assert interval == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=0.5 * np.std(values)), name


@pytest.mark.parametrize("kind", TASKS)
def test_intervals_follow_from_the_seed(kind):
    task, logits, target = learned(kind)
    first, again, other = (bootstrap(task, logits, target, seed=seed) for seed in (0, 0, 1))
    assert first == again != other
    assert first["auroc"] == pytest.approx(other["auroc"], abs=0.02)


def test_each_label_may_have_its_threshold():
    task, logits, target = learned("multilabel")
    task = at(task, [0.1, 0.5, 0.9, 0.99])
    values = measured(task, logits, target, [100]).values
    for name, (low, high) in bootstrap(task, logits, target).items():
        assert low < values[name] < high, name


@pytest.mark.parametrize("only", [0, 1])
def test_of_one_class_nothing_is_ranked(only):
    task, logits, _ = split("binary", 3, num_rows=20)
    found = bootstrap(task, logits, torch.full((20,), only))
    assert found.keys() == {"acc", "f1", "precision", "recall"}


def test_replicates_without_the_rare_class_are_left_out_of_the_ranking():
    # A third of the replicates don't draw the one positive row.
    task, logits, _ = split("binary", 4, num_rows=20)
    target = torch.zeros(20, dtype=torch.int64)
    target[logits.argmax()] = 1
    found = bootstrap(task, logits, target)
    assert found["auroc"] == (1.0, 1.0)
    assert found["ap"] == (1.0, 1.0)
    assert found["recall"] == (0.0, 1.0)


@pytest.mark.parametrize("kind", TASKS)
def test_one_row_has_intervals(kind):
    task, logits, target = split(kind, 5, num_rows=1)
    found = bootstrap(task, logits, target)
    assert {"acc", "f1", "precision", "recall"} <= found.keys()
    assert not {"auroc", "ap"} & found.keys()


def test_replicates_become_fewer_as_rows_become_more():
    assert [intervals.num_replicates(rows) for rows in (1, 20_000, 25_000, 100_000, 10**7)] == [
        1000,
        1000,
        800,
        200,
        200,
    ]


def test_ranking_that_would_take_long_is_left_out(monkeypatch):
    task, logits, target = learned("multiclass")
    monkeypatch.setattr(classification, "MOST_WORK", 1000 * 400 * 4)
    assert "auroc" in bootstrap(task, logits, target)
    monkeypatch.setattr(classification, "MOST_WORK", 1000 * 400 * 4 - 1)
    assert {"auroc", "ap"}.isdisjoint(bootstrap(task, logits, target))


@pytest.mark.parametrize("kind", TASKS)
def test_the_size_of_blocks_changes_nothing(kind, monkeypatch):
    task, logits, target = learned(kind, num_rows=60)
    whole = bootstrap(task, logits, target)
    monkeypatch.setattr(intervals, "BLOCK", 60 * 7)
    for name, interval in bootstrap(task, logits, target).items():
        assert interval == pytest.approx(whole[name], abs=1e-12), name
