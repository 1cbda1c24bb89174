"""Metrics of one pass over a split: means over all of its rows, whatever the batches were."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection
from torchmetrics import classification as tm

from rosenblatt.spec import DataSpec, class_counts

MAX_RANKED = 50  # classes up to which AUROC and average precision cost little: they sort all rows for each class
FLUSH_AT = 1 << 18  # numbers of logits that wait before the metrics see them: 1 MiB of float32


class TopLabel(Metric):
    """Precision or recall of the one most probable label of each row: fastText's P@1 and R@1.

    Args:
        recall: divide the hits by the true labels of all rows, not by the number of rows.
    """

    full_state_update = False
    hits: Tensor
    num_rows: Tensor
    num_labels: Tensor

    def __init__(self, recall: bool = False) -> None:
        super().__init__(sync_on_compute=False)
        self.recall = recall
        # Both counts in either case: a MetricCollection makes metrics share their states for good if these are equal
        # after the first update, as one count would be where each row has one label.
        self.add_state("hits", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("num_rows", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("num_labels", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count N rows.

        Args:
            preds: (N, num_labels) probabilities.
            target: (N, num_labels) of 0 and 1.
        """
        top = preds.argmax(dim=1, keepdim=True)  # (N, 1)
        self.hits += target.gather(1, top).sum()
        self.num_rows += target.shape[0]
        self.num_labels += target.sum()

    def compute(self) -> Tensor:
        """Return hits over rows (precision) or over true labels (recall)."""
        return self.hits / (self.num_labels if self.recall else self.num_rows).clamp(min=1)


def to_probs(logits: Tensor, task: str) -> Tensor:
    """Return probabilities: (N,) of the second class for binary, (N, num_classes) otherwise."""
    if task == "multiclass":
        return logits.softmax(dim=1)
    return logits.squeeze(1).sigmoid() if task == "binary" else logits.sigmoid()


def make_metrics(spec: DataSpec, threshold: float, ranking: bool, per_class: bool) -> MetricCollection:
    """Return the metrics of a task, on probabilities.

    Args:
        spec: task and classes.
        threshold: probability above which a binary class or a label counts as predicted.
        ranking: also AUROC and average precision, which keep the probabilities of all rows.
        per_class: also F1, precision and recall of every class by itself, under ``class_f1`` and so on.

    Returns:
        Metrics that compute a number or, where the name begins with ``class_``, a vector (num_classes,).
    """
    shared: Any = {"validate_args": False, "sync_on_compute": False}  # see `EpochMetrics`
    if spec.task == "binary":
        metrics: dict[str, Metric | MetricCollection] = {
            "acc": tm.BinaryAccuracy(threshold, **shared),
            "f1": tm.BinaryF1Score(threshold, **shared),
            "precision": tm.BinaryPrecision(threshold, **shared),
            "recall": tm.BinaryRecall(threshold, **shared),
        }
        return MetricCollection(
            metrics
            | ({"auroc": tm.BinaryAUROC(**shared), "ap": tm.BinaryAveragePrecision(**shared)} if ranking else {})
        )
    num = len(spec.classes)
    counted: dict[str, Callable[..., Metric]]
    ranked: dict[str, Callable[..., Metric]]
    if spec.task == "multiclass":
        metrics = {"acc": tm.MulticlassAccuracy(num, average="micro", **shared)}
        counted = {"f1": tm.MulticlassF1Score, "precision": tm.MulticlassPrecision, "recall": tm.MulticlassRecall}
        ranked = {"auroc": tm.MulticlassAUROC, "ap": tm.MulticlassAveragePrecision}
    else:
        metrics = {
            "acc": tm.MultilabelExactMatch(num, threshold, **shared),
            "p_at_1": TopLabel(),
            "r_at_1": TopLabel(recall=True),
            "f1_micro": tm.MultilabelF1Score(num, threshold, average="micro", **shared),
        }
        counted = {"f1": tm.MultilabelF1Score, "precision": tm.MultilabelPrecision, "recall": tm.MultilabelRecall}
        ranked = {"auroc": tm.MultilabelAUROC, "ap": tm.MultilabelAveragePrecision}
        counted = {name: partial(make, threshold=threshold) for name, make in counted.items()}
    for name, make in counted.items():
        metrics[name] = make(num, average="macro", **shared)
        if per_class:
            metrics[f"class_{name}"] = make(num, average="none", **shared)
    if ranking:
        metrics |= {f"class_{name}": make(num, average="none", **shared) for name, make in ranked.items()}
    return MetricCollection(metrics)


class Result(NamedTuple):
    """What one pass over a split gave.

    Attributes:
        values: ``loss`` and every metric.
        per_class: for each metric of single classes, one number a class; empty for binary.
    """

    values: dict[str, float]
    per_class: dict[str, list[float]]


class EpochMetrics(nn.Module):
    """Loss and metrics of one split over one epoch.

    ``acc`` is the share of rows that are all right. ``f1``, ``precision``, ``recall``, ``auroc`` and ``ap`` are
    those of the second class for binary, and the plain mean over classes (macro) otherwise: for multiclass over those
    that are true or predicted of any row. ``auroc`` and ``ap`` need a row of the class and one that is not; classes
    without have NaN and stay out of the mean.

    ``update`` is called with each batch and keeps its logits; the metrics see them some 100,000 at a time. One
    update of a torchmetrics collection costs as much as a whole step of the perceptron, however few rows it holds.

    Where several processes train together, each counts the rows that it sees: all rows of a split that is evaluated,
    a share of equal size of the training rows.

    Args:
        spec: task and classes.
        threshold: probability above which a binary class or a label counts as predicted.
        ranking: also ``auroc`` and ``ap``.
        per_class: also F1, precision and recall of every class by itself.
    """

    def __init__(self, spec: DataSpec, threshold: float = 0.5, ranking: bool = True, per_class: bool = False) -> None:
        super().__init__()
        self.spec = spec
        self.metrics = make_metrics(spec, threshold, ranking, per_class)
        self.reset()

    @property
    def names(self) -> list[str]:
        """The names of ``compute().values``."""
        names = dict.fromkeys(["loss", *(str(name) for name in self.metrics)])
        ranked = [name for name in ("auroc", "ap") if f"class_{name}" in names]
        return [name for name in names if not name.startswith("class_")] + ranked

    def reset(self) -> None:
        """Forget all rows."""
        self.metrics.reset()
        self._waiting: list[tuple[Tensor, Tensor, Tensor]] = []  # logits, target and loss of a batch each
        self._loss = 0.0
        self._class_counts: Tensor | None = None
        self._num_rows = 0

    def update(self, logits: Tensor, target: Tensor, loss: Tensor) -> None:
        """Count one batch.

        Args:
            logits: (N, num_outputs).
            target: (N,) or (N, num_labels).
            loss: mean loss of the batch, a scalar.
        """
        self._waiting.append((logits.detach(), target, loss.detach()))
        if len(self._waiting) * logits.numel() >= FLUSH_AT:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        logits, targets, losses = zip(*self._waiting, strict=True)
        self._waiting = []
        sizes = [target.shape[0] for target in targets]
        self._num_rows += sum(sizes)
        # In Python's floats: a float32 sum of many thousand batches is wrong in the fourth digit.
        self._loss += sum(loss * size for loss, size in zip(torch.stack(losses).tolist(), sizes, strict=True))
        target = torch.cat(targets)
        self.metrics.update(to_probs(torch.cat(logits), self.spec.task), target)
        counts = class_counts(target, len(self.spec.classes))
        self._class_counts = counts if self._class_counts is None else self._class_counts + counts

    def compute(self) -> Result:
        """Return loss and metrics of the rows so far, and forget them."""
        self._flush()
        values, per_class = {"loss": self._loss / self._num_rows if self._num_rows else math.nan}, {}
        for name, value in self.metrics.compute().items():
            if name.startswith("class_"):
                per_class[name.removeprefix("class_")] = value
            else:
                values[name] = float(value)
        counts = self._class_counts
        if counts is not None:
            # For the other classes torchmetrics gives 0 or 1, as if they were ranked badly or well.
            decided = (counts > 0) & (counts < self._num_rows)
            for name in ("auroc", "ap"):
                if name in per_class:
                    values[name] = float(per_class[name][decided].mean())
                    per_class[name] = per_class[name].where(decided, math.nan)
                elif name in values and not decided[1]:
                    values[name] = math.nan
        self.reset()
        return Result(values, {name: value.tolist() for name, value in per_class.items()})


def majority_baseline(spec: DataSpec, target: Tensor, loss: nn.Module, threshold: float = 0.5) -> dict[str, float]:
    """Return the metrics of the model that gives each row the share of each class among the training rows.

    Args:
        spec: task, and the classes with their counts.
        target: (N,) or (N, num_labels), of the split that is evaluated.
        loss: takes logits and target.
        threshold: see `make_metrics`.
    """
    share = (torch.tensor(spec.class_counts) / spec.num_rows).clamp(1e-7, 1 - 1e-7)
    logits = share.log() if spec.task == "multiclass" else share.logit()
    if spec.task == "binary":
        logits = logits[1:]
    logits = logits.expand(target.shape[0], -1)  # (num_outputs,) -> (N, num_outputs)
    metrics = EpochMetrics(spec, threshold, ranking=len(spec.classes) <= MAX_RANKED)
    metrics.update(logits, target, loss(logits, target))
    return metrics.compute().values
