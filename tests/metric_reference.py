"""Random splits, and their metrics by scikit-learn, for the tests of `rosenblatt.tasks`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torch import Tensor

from rosenblatt.tasks.classification import Classification
from rosenblatt.tasks.epoch import EpochMetrics, Result
from rosenblatt.tasks.inference import task_named
from rosenblatt.tasks.task import Task

TASKS = ("binary", "multiclass", "multilabel")
# torchmetrics says so wherever a class has no row or all rows; EpochMetrics leaves these classes out of the mean.
ONE_SIDED = pytest.mark.filterwarnings("ignore:No (positive|negative) samples (in targets|found in target):UserWarning")


def split(kind: str, seed: int, num_rows: int, num_classes: int = 4) -> tuple[Classification, Tensor, Tensor]:
    """Random logits and target; of a few rows, some classes are absent. Coarse logits have ties."""
    generator = torch.Generator().manual_seed(seed)
    num_classes = 2 if kind == "binary" else num_classes
    if kind == "multilabel":
        target = (torch.rand(num_rows, num_classes, generator=generator) < 0.4).to(torch.uint8)
    else:
        target = torch.randint(num_classes, (num_rows,), generator=generator)
    logits = torch.randn(num_rows, 1 if kind == "binary" else num_classes, generator=generator) * 3
    task = task_named(kind, tuple(f"class {i}" for i in range(num_classes))).counted(target)
    return task, (logits * 2).round() / 2 + 0.1 if seed % 2 else logits, target


def at(task: Classification, threshold: float | Sequence[float]) -> Classification:
    """The task with one threshold, or one a label."""
    return replace(task, threshold=threshold if isinstance(threshold, float) else tuple(threshold))


def measured(task: Task, logits: Tensor, target: Tensor, sizes: Sequence[int], **kwargs: bool) -> Result:
    metrics, loss = EpochMetrics(task, **kwargs), task.loss()
    start = 0
    for size in itertools.cycle(sizes):
        batch = slice(start, start + size)
        metrics.update(logits[batch], target[batch], loss(logits[batch], target[batch]))
        start += size
        if start >= target.shape[0]:
            return metrics.compute()


def expected(task: Classification, logits: Tensor, target: Tensor) -> Result:
    """The same by scikit-learn, in float64 from the probabilities."""
    probs, truth = task.scores(logits).numpy(), target.numpy()
    num = len(task.classes)
    values = {"loss": float(task.loss()(logits, target))}
    per_class = {}
    preds = probs.argmax(axis=1) if task.name == "multiclass" else (probs > np.array(task.threshold)).astype(int)
    values["acc"] = sk.accuracy_score(truth, preds)
    for name, score in {"f1": sk.f1_score, "precision": sk.precision_score, "recall": sk.recall_score}.items():
        if task.name == "binary":
            values[name] = score(truth, preds, zero_division=0)
        else:
            values[name] = score(truth, preds, average="macro", zero_division=0)
            per_class[name] = score(truth, preds, labels=range(num), average=None, zero_division=0).tolist()
    if task.name == "multilabel":
        values["f1_micro"] = sk.f1_score(truth, preds, average="micro", zero_division=0)
        hits = truth[np.arange(len(truth)), probs.argmax(axis=1)].sum()
        values |= {"p_at_1": hits / len(truth), "r_at_1": hits / max(truth.sum(), 1)}
    for name, ranking in {"auroc": sk.roc_auc_score, "ap": sk.average_precision_score}.items():
        one_hot = truth if task.name == "multilabel" else np.eye(num, dtype=int)[truth]
        columns = [(one_hot[:, 1], probs)] if task.name == "binary" else list(zip(one_hot.T, probs.T, strict=True))
        numbers = [ranking(t, p) if 0 < t.sum() < len(t) else math.nan for t, p in columns]
        decided = [number for number in numbers if not math.isnan(number)]
        values[name] = float(np.mean(decided)) if decided else math.nan
        if task.name != "binary":
            per_class[name] = numbers
    return Result(values, per_class)


def assert_same(result: Result, reference: Result) -> None:
    assert result.values == pytest.approx(reference.values, abs=1e-6, rel=1e-6, nan_ok=True)
    assert result.per_class.keys() == reference.per_class.keys()
    for name, numbers in reference.per_class.items():
        assert result.per_class[name] == pytest.approx(numbers, abs=1e-6, nan_ok=True), name
