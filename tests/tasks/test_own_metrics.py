"""Metrics of somebody's own, beside those of the task."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchmetrics as tm
from scipy import stats
from sklearn import metrics as sk

from metric_reference import ONE_SIDED, TASKS, at, measured, split
from rosenblatt.errors import UserError
from rosenblatt.tasks.epoch import EpochMetrics
from rosenblatt.tasks.regression import Regression

pytestmark = [ONE_SIDED, pytest.mark.filterwarnings("ignore:Metric `SpearmanCorrcoef` will save all:UserWarning")]


def own(kind, make, **settings):
    many = {"binary": {}, "multiclass": {"num_classes": 4}, "multilabel": {"num_labels": 4}}[kind]
    return make(task=kind, **many, **settings)


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("sizes", [[301], [32]], ids=str)
def test_a_metric_of_classes_sees_all_rows_once(kind, sizes):
    task, logits, target = split(kind, 0, num_rows=301)
    metrics = {"mcc": own(kind, tm.MatthewsCorrCoef), "roc": own(kind, tm.AUROC)}
    values = measured(task.with_metrics(metrics), logits, target, sizes).values
    preds, truth = task.decide(task.scores(logits)).numpy(), target.numpy()
    assert values["mcc"] == pytest.approx(sk.matthews_corrcoef(truth.ravel(), preds.ravel()), abs=1e-6)
    assert values["roc"] == pytest.approx(values["auroc"], abs=1e-6)
    plain = measured(task, logits, target, sizes).values
    assert {name: values[name] for name in plain} == plain
    assert sorted(values) == sorted(EpochMetrics(task.with_metrics(metrics)).names)


def test_a_metric_gets_probabilities_so_that_its_own_threshold_counts():
    task, logits, target = split("binary", 2, num_rows=200)
    metric = {"strict": tm.Precision(task="binary", threshold=0.9)}
    strict = measured(task.with_metrics(metric), logits, target, [7]).values["strict"]
    assert strict == pytest.approx(measured(at(task, 0.9), logits, target, [7]).values["precision"], abs=1e-6)


def test_a_metric_of_numbers_gets_them_in_the_units_of_the_target():
    random = np.random.default_rng(0)
    target = torch.from_numpy(random.normal(1e6, 7.0, 150))
    outputs = torch.from_numpy(random.normal(0, 1, 150)).float().unsqueeze(1)
    task = Regression().counted(target)
    metrics = {"mape": tm.MeanAbsolutePercentageError(), "rank": tm.SpearmanCorrCoef(), "r": tm.PearsonCorrCoef()}
    values = measured(task.with_metrics(metrics), outputs, target, [16]).values
    preds = task.scores(outputs).numpy()
    assert values["mape"] == pytest.approx(sk.mean_absolute_percentage_error(target.numpy(), preds), rel=1e-6)
    assert values["rank"] == pytest.approx(stats.spearmanr(preds, target).statistic, abs=1e-6)
    assert values["r"] == pytest.approx(stats.pearsonr(preds, target).statistic, abs=1e-6)


def test_a_metric_says_which_way_is_better_or_says_nothing():
    class Silent(tm.MeanMetric):
        def update(self, preds, target):
            super().update(preds)

    task = Regression().with_metrics(
        {"mape": tm.MeanAbsolutePercentageError(), "r": tm.PearsonCorrCoef(), "s": Silent()}
    )
    better = EpochMetrics(task).higher_is_better()
    assert (better["mape"], better["rmse"], "s" in better) == (False, False, False)


def test_each_pass_has_metrics_of_its_own():
    task, logits, target = split("binary", 4, num_rows=40)
    task = task.with_metrics({"mcc": tm.MatthewsCorrCoef("binary")})
    first, second = EpochMetrics(task), EpochMetrics(task)
    first.update(logits, target, torch.tensor(0.0))
    first._flush()
    second.update(logits[:5], target[:5], torch.tensor(0.0))
    expected = sk.matthews_corrcoef(target[:5].numpy(), task.decide(task.scores(logits[:5])).numpy())
    assert second.compute().values["mcc"] == pytest.approx(expected, abs=1e-6)
    assert first.compute().values["mcc"] != pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        (tm.F1Score("multilabel", num_labels=3), r"metrics\.x: it can't be computed of these scores and targets"),
        (tm.ConfusionMatrix("binary"), r"metrics\.x: .* Metrics get probabilities .* and compute one number"),
    ],
    ids=["of another task", "no number"],
)
def test_a_metric_that_can_not_be_computed_is_told_by_its_name(metric, told):
    task, logits, target = split("binary", 5, num_rows=40)
    with pytest.raises(UserError, match=told):
        measured(task.with_metrics({"x": metric}), logits, target, [7])
