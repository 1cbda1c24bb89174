"""Metrics of one pass over a split: means over all of its rows, whatever the batches were."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection
from torchmetrics import classification as tm

from rosenblatt.data.features import DataSpec, class_counts
from rosenblatt.errors import UserError
from rosenblatt.tasks.evaluation import decide, to_probs
from rosenblatt.tasks.top_label import TopLabel

MAX_RANKED = 50  # classes up to which AUROC and average precision cost little: they sort all rows for each class
FLUSH_AT = 1 << 18  # numbers of logits that wait before the metrics see them: 1 MiB of float32


def make_metrics(spec: DataSpec, ranking: bool, per_class: bool) -> tuple[MetricCollection, MetricCollection]:
    """Return the metrics of a task: those that count decisions, and those that compare probabilities.

    Args:
        spec: task and classes.
        ranking: also AUROC and average precision, which keep the probabilities of all rows.
        per_class: also F1, precision and recall of every class by itself, under ``class_f1`` and so on.

    Returns:
        Metrics on what `decide` returns, and metrics on probabilities (there may be none). They compute a number or,
        where the name begins with ``class_``, a vector (num_classes,).
    """
    shared: Any = {"validate_args": False, "sync_on_compute": False}  # see `EpochMetrics`
    num = len(spec.classes)
    counted: dict[str, Metric | MetricCollection]
    ranked: dict[str, Metric | MetricCollection] = {}
    kinds: dict[str, Callable[..., Metric]]
    ranking_kinds: dict[str, Callable[..., Metric]]
    if spec.task == "binary":
        counted = {
            "acc": tm.BinaryAccuracy(**shared),
            "f1": tm.BinaryF1Score(**shared),
            "precision": tm.BinaryPrecision(**shared),
            "recall": tm.BinaryRecall(**shared),
        }
        if ranking:
            ranked = {"auroc": tm.BinaryAUROC(**shared), "ap": tm.BinaryAveragePrecision(**shared)}
        return MetricCollection(counted), MetricCollection(ranked)
    if spec.task == "multiclass":
        counted = {"acc": tm.MulticlassAccuracy(num, average="micro", **shared)}
        kinds = {"f1": tm.MulticlassF1Score, "precision": tm.MulticlassPrecision, "recall": tm.MulticlassRecall}
        ranking_kinds = {"auroc": tm.MulticlassAUROC, "ap": tm.MulticlassAveragePrecision}
    else:
        counted = {
            "acc": tm.MultilabelExactMatch(num, **shared),
            "f1_micro": tm.MultilabelF1Score(num, average="micro", **shared),
        }
        ranked = {"p_at_1": TopLabel(), "r_at_1": TopLabel(recall=True)}
        kinds = {"f1": tm.MultilabelF1Score, "precision": tm.MultilabelPrecision, "recall": tm.MultilabelRecall}
        ranking_kinds = {"auroc": tm.MultilabelAUROC, "ap": tm.MultilabelAveragePrecision}
    for name, make in kinds.items():
        counted[name] = make(num, average="macro", **shared)
        if per_class:
            counted[f"class_{name}"] = make(num, average="none", **shared)
    if ranking:
        ranked |= {f"class_{name}": make(num, average="none", **shared) for name, make in ranking_kinds.items()}
    return MetricCollection(counted), MetricCollection(ranked)


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
        threshold: probability above which a binary class or a label counts as predicted; for multilabel also one a
            label. Multiclass takes the most probable class.
        ranking: also ``auroc`` and ``ap``.
        per_class: also F1, precision and recall of every class by itself.

    Raises:
        UserError: a list of thresholds that has not one for each label.
    """

    def __init__(
        self,
        spec: DataSpec,
        threshold: float | Sequence[float] = 0.5,
        ranking: bool = True,
        per_class: bool = False,
    ) -> None:
        super().__init__()
        num = spec.num_outputs
        if isinstance(threshold, Sequence) and len(threshold) != num and spec.task != "multiclass":
            each = f", or one for each of the {num} labels" if spec.task == "multilabel" else ""
            raise UserError(f"threshold: expected one number{each}; got {len(threshold)}.")
        self.spec = spec
        self.threshold = threshold
        self.counted, self.ranked = make_metrics(spec, ranking, per_class)
        self.reset()

    @property
    def names(self) -> list[str]:
        """The names of ``compute().values``."""
        names = dict.fromkeys(["loss", *sorted([*self.counted, *self.ranked])])
        ranked = [name for name in ("auroc", "ap") if f"class_{name}" in names]
        return [name for name in names if not name.startswith("class_")] + ranked

    def reset(self) -> None:
        """Forget all rows."""
        self.counted.reset()
        self.ranked.reset()
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
        probs = to_probs(torch.cat(logits), self.spec.task)
        self.counted.update(decide(probs, self.spec.task, self.threshold), target)
        self.ranked.update(probs, target)
        counts = class_counts(target, len(self.spec.classes))
        self._class_counts = counts if self._class_counts is None else self._class_counts + counts

    def compute(self) -> Result:
        """Return loss and metrics of the rows so far, and forget them."""
        self._flush()
        values, per_class = {"loss": self._loss / self._num_rows if self._num_rows else math.nan}, {}
        for name, value in sorted((self.counted.compute() | self.ranked.compute()).items()):
            if name.startswith("class_"):
                per_class[name.removeprefix("class_")] = value.view(-1)  # torchmetrics gives one label no dimension
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

    def progress(self) -> dict[str, Any]:
        """Return all that was counted since the last reset, for `restore_progress`.

        Returns:
            Dicts, lists, numbers and tensors, which ``torch.load(weights_only=True)`` reads back.
        """
        waiting = None
        if self._waiting:
            logits, targets, losses = zip(*self._waiting, strict=True)
            # As whole tensors: a file takes long over many small ones, and of a slice would hold what it was cut from.
            waiting = {"logits": torch.cat(logits), "target": torch.cat(targets), "losses": torch.stack(losses)}
            waiting["sizes"] = torch.tensor([target.shape[0] for target in targets])
        return {
            "waiting": waiting,
            "loss": self._loss,
            "class_counts": self._class_counts,
            "num_rows": self._num_rows,
            "metrics": {name: _copied(metric.metric_state) for name, metric in self._all_metrics()},
        }

    def restore_progress(self, state: dict[str, Any]) -> None:
        """Go on from where `progress` was called, to the very same bits.

        Args:
            state: what `progress` returned for metrics made with the same arguments. Its tensors go to the device
                that these metrics are on.
        """
        self.reset()
        device = self.counted["acc"].device
        for name, metric in self._all_metrics():
            for key, value in _copied(state["metrics"][name], device).items():
                setattr(metric, key, value)
            metric._update_count = int(state["num_rows"] > 0)  # else torchmetrics warns that it saw no row
        if state["waiting"] is not None:
            waiting = {key: value.to(device) for key, value in state["waiting"].items()}
            sizes = waiting["sizes"].tolist()
            batches = waiting["logits"].split(sizes), waiting["target"].split(sizes), waiting["losses"].unbind()
            self._waiting = list(zip(*batches, strict=True))
        self._loss, self._num_rows = state["loss"], state["num_rows"]
        self._class_counts = None if state["class_counts"] is None else state["class_counts"].to(device)

    def _all_metrics(self) -> list[tuple[str, Metric]]:
        return [*self.counted.items(copy_state=False), *self.ranked.items(copy_state=False)]


def _copied(state: dict[str, Any], device: torch.device | None = None) -> dict[str, Any]:
    """Copy what a metric counts in place; the portions of a list stay as they are."""
    return {
        key: [portion.to(device) for portion in value] if isinstance(value, list) else value.clone().to(device)
        for key, value in state.items()
    }
