"""What is kept from batch to batch and forgotten after an epoch: the bookkeeping around the metrics."""

from __future__ import annotations

import gc
import math
import weakref

import pytest
import torch
from torch import Tensor
from torchmetrics import MetricCollection

from metric_reference import ONE_SIDED, TASKS, assert_same, expected, measured, split
from rosenblatt import metrics as under_test
from rosenblatt.losses import ClassificationLoss
from rosenblatt.metrics import EpochMetrics
from rosenblatt.spec import DataSpec

pytestmark = ONE_SIDED


class Kept(list[Tensor]):
    """A list, which unlike Python's own can be watched from outside."""


@pytest.fixture(autouse=True)
def _small_splits_reach_the_metrics_in_several_portions(monkeypatch):
    monkeypatch.setattr(under_test, "FLUSH_AT", 40)


def test_many_batches_do_not_blur_the_mean_loss(monkeypatch):
    monkeypatch.setattr(under_test, "FLUSH_AT", 1 << 16)
    metrics = EpochMetrics(DataSpec(1, False, "binary", ("no", "yes"), (1, 1), 2), ranking=False)
    loss = torch.tensor(0.1)
    logits, target = torch.zeros(3, 1), torch.zeros(3, dtype=torch.int64)
    for _ in range(30_000):
        metrics.update(logits, target, loss)
    assert metrics.compute().values["loss"] == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize("task", TASKS)
def test_compute_forgets_all_rows(task):
    spec, logits, target = split(task, 6, num_rows=50)
    metrics = EpochMetrics(spec, per_class=True)
    metrics.update(logits, target, torch.tensor(123.0))
    metrics.compute()
    metrics.update(logits[:20], target[:20], ClassificationLoss(spec)(logits[:20], target[:20]))
    assert_same(metrics.compute(), expected(spec, logits[:20], target[:20]))


@pytest.mark.parametrize("task", TASKS)
def test_reset_forgets_batches_that_no_metric_has_seen_yet(task):
    spec, logits, target = split(task, 7, num_rows=40)
    metrics = EpochMetrics(spec, per_class=True)
    metrics.update(logits[:3], target[:3], torch.tensor(9.0))
    metrics.reset()
    metrics.update(logits[3:], target[3:], ClassificationLoss(spec)(logits[3:], target[3:]))
    assert_same(metrics.compute(), expected(spec, logits[3:], target[3:]))


@pytest.mark.parametrize("flush_at", [1, 40, 1 << 18])
def test_batches_wait_until_they_are_worth_an_update(monkeypatch, flush_at):
    # Three rows of four numbers a batch: four batches are 48 numbers, and two wait until all is computed.
    monkeypatch.setattr(under_test, "FLUSH_AT", flush_at)
    spec, logits, target = split("multiclass", 14, num_rows=18)
    seen, original = [], MetricCollection.update

    def update(collection, probs, truth):
        seen.append(probs.shape[0])
        original(collection, probs, truth)

    monkeypatch.setattr(MetricCollection, "update", update)
    assert_same(measured(spec, logits, target, [3], per_class=True), expected(spec, logits, target))
    assert seen == {1: [3] * 6, 40: [12, 6], 1 << 18: [18]}[flush_at]


def test_batches_that_wait_hold_no_memory_of_how_they_were_made():
    spec, logits, target = split("binary", 16, num_rows=8)
    metrics, held = EpochMetrics(spec), []

    def pack(tensor: Tensor) -> list[Tensor]:
        kept = Kept([tensor])
        held.append(weakref.ref(kept))
        return kept

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept[0]):
        made = logits.requires_grad_() * logits
        loss = ClassificationLoss(spec)(made, target)
    metrics.update(made, target, loss)
    del made, loss
    gc.collect()
    assert held
    assert not any(reference() for reference in held)


def test_no_rows_have_no_loss():
    spec, *_ = split("binary", 17, num_rows=8)
    with pytest.warns(UserWarning, match="was called before the ``update`` method"):
        assert math.isnan(EpochMetrics(spec, ranking=False).compute().values["loss"])


def test_the_loss_of_a_few_large_batches_is_summed_in_float64():
    # The next float32 after 2**24 is two away: a sum in float32 is wrong by at least one.
    metrics = EpochMetrics(DataSpec(1, False, "binary", ("no", "yes"), (1, 1), 2), ranking=False)
    one, target = torch.zeros(1, 1), torch.zeros(1, dtype=torch.int64)
    for loss in (2.0**24, 1.0, 1.0, 1.0):
        metrics.update(one, target, torch.tensor(loss))
    assert metrics.compute().values["loss"] == (2**24 + 3) / 4


def test_recall_at_1_divides_by_labels_also_after_an_epoch_of_single_labels():
    # torchmetrics lets metrics whose first states are equal share one state from then on.
    spec = DataSpec(1, False, "multilabel", ("a", "b", "c"), (1, 1, 1), 3)
    metrics = EpochMetrics(spec)
    loss = torch.tensor(0.0)
    metrics.update(torch.eye(3), torch.eye(3, dtype=torch.uint8), loss)
    assert metrics.compute().values["r_at_1"] == 1.0
    metrics.update(torch.eye(3), torch.ones(3, 3, dtype=torch.uint8), loss)
    values = metrics.compute().values
    assert values["p_at_1"] == 1.0
    assert values["r_at_1"] == pytest.approx(1 / 3)
