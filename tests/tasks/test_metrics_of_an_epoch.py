"""What is kept from batch to batch and forgotten after an epoch: the bookkeeping around the metrics."""

from __future__ import annotations

import gc
import io
import math
import weakref

import pytest
import torch
import torchmetrics as tm
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from metric_reference import ONE_SIDED, TASKS, assert_same, expected, measured, split
from rosenblatt.loop.internals import load_metric_states, metric_states
from rosenblatt.tasks import epoch as under_test
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.epoch import EpochMetrics
from rosenblatt.tasks.multiclass import Multiclass
from rosenblatt.tasks.multilabel import Multilabel
from rosenblatt.tasks.regression import Regression

pytestmark = [ONE_SIDED, pytest.mark.filterwarnings("ignore:Metric `SpearmanCorrcoef` will save all:UserWarning")]


class Kept(list[Tensor]):
    """A list, which unlike Python's own can be watched from outside."""


@pytest.fixture(autouse=True)
def _small_splits_reach_the_metrics_in_several_portions(monkeypatch):
    monkeypatch.setattr(under_test, "FLUSH_AT", 40)


def test_many_batches_do_not_blur_the_mean_loss(monkeypatch):
    monkeypatch.setattr(under_test, "FLUSH_AT", 1 << 16)
    metrics = EpochMetrics(Binary(), ranking=False)
    loss = torch.tensor(0.1)
    logits, target = torch.zeros(3, 1), torch.zeros(3, dtype=torch.int64)
    for _ in range(30_000):
        metrics.update(logits, target, loss)
    assert metrics.compute().values["loss"] == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize("kind", TASKS)
def test_compute_forgets_all_rows(kind):
    task, logits, target = split(kind, 6, num_rows=50)
    metrics = EpochMetrics(task, per_class=True)
    metrics.update(logits, target, torch.tensor(123.0))
    metrics.compute()
    metrics.update(logits[:20], target[:20], task.loss()(logits[:20], target[:20]))
    assert_same(metrics.compute(), expected(task, logits[:20], target[:20]))


@pytest.mark.parametrize("kind", TASKS)
def test_reset_forgets_batches_that_no_metric_has_seen_yet(kind):
    task, logits, target = split(kind, 7, num_rows=40)
    metrics = EpochMetrics(task, per_class=True)
    metrics.update(logits[:3], target[:3], torch.tensor(9.0))
    metrics.reset()
    metrics.update(logits[3:], target[3:], task.loss()(logits[3:], target[3:]))
    assert_same(metrics.compute(), expected(task, logits[3:], target[3:]))


@pytest.mark.parametrize("flush_at", [1, 40, 1 << 18])
def test_batches_wait_until_they_are_worth_an_update(monkeypatch, flush_at):
    # Three rows of four numbers a batch: four batches are 48 numbers, and two wait until all is computed.
    monkeypatch.setattr(under_test, "FLUSH_AT", flush_at)
    task, logits, target = split("multiclass", 14, num_rows=18)
    seen, original = [], Multiclass.decide

    def decide(task, probs):
        seen.append(probs.shape[0])
        return original(task, probs)

    monkeypatch.setattr(Multiclass, "decide", decide)
    assert_same(measured(task, logits, target, [3], per_class=True), expected(task, logits, target))
    assert seen == {1: [3] * 6, 40: [12, 6], 1 << 18: [18]}[flush_at]


def test_batches_that_wait_hold_no_memory_of_how_they_were_made():
    task, logits, target = split("binary", 16, num_rows=8)
    metrics, held = EpochMetrics(task), []

    def pack(tensor: Tensor) -> list[Tensor]:
        kept = Kept([tensor])
        held.append(weakref.ref(kept))
        return kept

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept[0]):
        made = logits.requires_grad_() * logits
        loss = task.loss()(made, target)
    metrics.update(made, target, loss)
    del made, loss
    gc.collect()
    assert held
    assert not any(reference() for reference in held)


def saved(metrics):
    """What a checkpoint within an epoch holds of it, as bytes."""
    file = io.BytesIO()
    torch.save([metrics.progress(), metric_states(metrics)], file)
    return file.getvalue()


def restore(metrics, state):
    """As a resumed run does it, without running any code of the file."""
    progress, states = torch.load(io.BytesIO(state), weights_only=True)
    metrics.restore_progress(progress)
    load_metric_states(metrics, states)


def feed(metrics, task, logits, target, rows, size=3):
    for start in range(rows.start, rows.stop, size):
        batch = slice(start, min(start + size, rows.stop))
        metrics.update(logits[batch], target[batch], task.loss()(logits[batch], target[batch]))


def split_of_any(kind, seed, num_rows):
    """A split, of numbers too; each third task has metrics of somebody's own."""
    if kind == "regression":
        target = torch.randn(num_rows, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 7 + 1e9
        task, outputs = Regression().counted(target), torch.linspace(-1, 1, num_rows).unsqueeze(1)
    else:
        task, outputs, target = split(kind, seed, num_rows)
    return task.with_metrics(own_metrics(kind)) if seed % 3 == 0 else task, outputs, target


def own_metrics(kind):
    """By name, one that counts and one that keeps rows."""
    if kind == "regression":
        return {"mape": tm.MeanAbsolutePercentageError(), "spearman": tm.SpearmanCorrCoef()}
    many = {"num_labels" if kind == "multilabel" else "num_classes": 4} if kind != "binary" else {}
    return {"mcc": tm.MatthewsCorrCoef(kind, **many), "roc": tm.AUROC(kind, **many)}


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from([*TASKS, "regression"]),
    seed=st.integers(0, 2**31),
    batches=st.integers(0, 12),
    ranking=st.booleans(),
    per_class=st.booleans(),
    used=st.booleans(),
)
def test_an_epoch_that_is_cut_in_two_gives_the_very_same_bits(kind, seed, batches, ranking, per_class, used):
    # A flush comes after 14 batches of one output and 4 of the others: cuts fall before, on and after one.
    task, logits, target = split_of_any(kind, seed, num_rows=60)
    cut = 3 * batches + (12 if task.num_outputs == 1 else 0)
    whole, first, second = (EpochMetrics(task, "val", ranking, per_class) for _ in range(3))
    if used:  # by then torchmetrics has found which metrics share their counts
        feed(second, task, logits, target, range(60))
        second.compute()
        feed(second, task, logits, target, range(5))
    feed(first, task, logits, target, range(cut))
    state = saved(first)
    for metrics in (whole, second):
        if metrics is second:
            restore(metrics, state)
        else:
            feed(metrics, task, logits, target, range(cut))
        feed(metrics, task, logits, target, range(cut, 60))
    assert repr(second.compute()) == repr(whole.compute())  # as text, since NaN equals nothing


@pytest.mark.parametrize("kind", [*TASKS, "regression"])
def test_an_epoch_is_gone_on_with_as_often_as_one_likes(kind):
    task, logits, target = split_of_any(kind, 18, num_rows=60)
    results, one = [], EpochMetrics(task)
    feed(one, task, logits, target, range(48))
    state = saved(one)
    for metrics in (one, one, EpochMetrics(task), EpochMetrics(task)):
        if results:
            restore(metrics, state)
        feed(metrics, task, logits, target, range(48, 60))
        results.append(repr(metrics.compute()))
    assert len(set(results)) == 1


def test_an_epoch_that_was_all_but_over_is_computed_without_another_row(monkeypatch):
    monkeypatch.setattr(under_test, "FLUSH_AT", 1)  # nothing waits: torchmetrics would warn that it never saw a row
    task, logits, target = split("multiclass", 20, num_rows=60)
    first, second = EpochMetrics(task), EpochMetrics(task)
    feed(first, task, logits, target, range(60))
    restore(second, saved(first))
    assert second.compute() == first.compute()


def test_progress_holds_no_more_than_the_rows_that_wait():
    task, logits, target = split("binary", 19, num_rows=100_000)
    metrics = EpochMetrics(task, ranking=False)
    feed(metrics, task, logits, target, range(6))  # slices, of which torch would save all that they were cut from
    assert len(saved(metrics)) < 20_000


def test_no_rows_have_no_loss():
    task, *_ = split("binary", 17, num_rows=8)
    with pytest.warns(UserWarning, match="was called before the ``update`` method"):
        assert math.isnan(EpochMetrics(task, ranking=False).compute().values["loss"])


def test_the_loss_of_a_few_large_batches_is_summed_in_float64():
    # The next float32 after 2**24 is two away: a sum in float32 is wrong by at least one.
    metrics = EpochMetrics(Binary(), ranking=False)
    one, target = torch.zeros(1, 1), torch.zeros(1, dtype=torch.int64)
    for loss in (2.0**24, 1.0, 1.0, 1.0):
        metrics.update(one, target, torch.tensor(loss))
    assert metrics.compute().values["loss"] == (2**24 + 3) / 4


def test_recall_at_1_divides_by_labels_also_after_an_epoch_of_single_labels():
    # torchmetrics lets metrics whose first states are equal share one state from then on.
    task = Multilabel(("a", "b", "c"))
    metrics = EpochMetrics(task)
    loss = torch.tensor(0.0)
    metrics.update(torch.eye(3), torch.eye(3, dtype=torch.uint8), loss)
    assert metrics.compute().values["r_at_1"] == 1.0
    metrics.update(torch.eye(3), torch.ones(3, 3, dtype=torch.uint8), loss)
    values = metrics.compute().values
    assert values["p_at_1"] == 1.0
    assert values["r_at_1"] == pytest.approx(1 / 3)
