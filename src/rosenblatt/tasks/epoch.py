"""How good a model is on a split: metrics of all its rows, whatever the batches were, and their proportions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MetricCollection, R2Score
from torchmetrics.classification import MultilabelPrecision, MultilabelRecall

from rosenblatt.errors import UserError, first_line
from rosenblatt.tasks.counts import explained
from rosenblatt.tasks.task import Task

FLUSH_AT = 1 << 18  # numbers of outputs that wait before the metrics see them: 1 MiB of float32


class Result(NamedTuple):
    """What one pass over a split gave: loss and metrics, and a number a class of each metric of single classes."""

    values: dict[str, float]
    per_class: dict[str, list[float]]


class EpochMetrics(nn.Module):
    """Loss and metrics of one split over one epoch.

    ``acc`` is the share of rows that are all right. ``f1``, ``precision``, ``recall``, ``auroc`` and ``ap`` are
    those of the second class for binary, and the plain mean over classes (macro) otherwise: for multiclass over those
    that are true or predicted of any row. ``auroc`` and ``ap`` need a row of the class and one that is not; classes
    without have NaN and stay out of the mean.

    ``update`` is called with each batch and keeps its outputs; the metrics see them some 100,000 at a time. One
    update of a torchmetrics collection costs as much as a whole step of the perceptron, however few rows it holds.

    Where several processes train together, each counts the rows that it sees: all rows of a split that is evaluated,
    a share of equal size of the training rows.

    Args:
        task: what outputs mean; with metrics of somebody's own.
        split: that is put before the names of `values`: ``train`` gives ``train/loss``.
        ranking: also ``auroc`` and ``ap``, which keep the probabilities of all rows.
        per_class: also F1, precision and recall of every class by itself.
        score: also ``score``, accuracy or R2, which epochs can be chosen by before the task is known.
    """

    def __init__(
        self, task: Task, split: str = "", ranking: bool = True, per_class: bool = False, score: bool = False
    ) -> None:
        super().__init__()
        self.task, self.score = task, score
        self.prefix = f"{split}/" if split else ""
        decided, scored = task.own_metrics(ranking, per_class)
        self.counted = MetricCollection(decided)  # type: ignore[arg-type]
        self.ranked = MetricCollection(scored)  # type: ignore[arg-type]
        own = {name: metric.clone() for name, metric in task.metrics.items()}
        self.extra = MetricCollection(own, compute_groups=False)  # type: ignore[arg-type]
        self.reset()

    @property
    def names(self) -> list[str]:
        """The names of ``compute().values``."""
        own = {name.removeprefix("class_") for name in (*self.counted, *self.ranked)}
        return [*dict.fromkeys(["loss", *sorted(own), *self.extra, *(["score"] if self.score else [])])]

    def reset(self) -> None:
        """Forget all rows."""
        for metrics in (self.counted, self.ranked, self.extra):
            metrics.reset()
        self._waiting: list[tuple[Tensor, Tensor, Tensor]] = []  # outputs, target and loss of a batch each
        self._loss = 0.0
        self._num_rows = 0

    def update(self, outputs: Tensor, target: Tensor, loss: Tensor) -> None:
        """Count one batch: outputs (N, num_outputs), target (N,) or (N, num_labels), and the mean loss, a scalar."""
        self._waiting.append((outputs.detach(), target, loss.detach()))
        if len(self._waiting) * outputs.numel() >= FLUSH_AT:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        outputs, targets, losses = zip(*self._waiting, strict=True)
        self._waiting = []
        sizes = [target.shape[0] for target in targets]
        self._num_rows += sum(sizes)
        # In Python's floats: a float32 sum of many thousand batches is wrong in the fourth digit.
        self._loss += sum(loss * size for loss, size in zip(torch.stack(losses).tolist(), sizes, strict=True))
        scores, target = self.task.scores(torch.cat(outputs)), torch.cat(targets)
        target = target.flatten() if scores.ndim == 1 else target  # (N, 1) -> (N,)
        self.counted.update(self.task.decide(scores), target)
        self.ranked.update(scores, target)
        for name, metric in self.extra.items():
            with _told(name):
                metric.update(scores, target)

    def compute(self) -> Result:
        """Return loss and metrics of the rows so far, and forget them; their names are without the split."""
        self._flush()
        values = {"loss": self._loss / self._num_rows if self._num_rows else math.nan}
        per_class: dict[str, Tensor] = {}
        for name, value in (self.counted.compute() | self.ranked.compute()).items():
            if name.startswith("class_"):
                per_class[name.removeprefix("class_")] = value.view(-1)  # torchmetrics gives one label no dimension
            else:
                values[name] = float(value)
        if self.task.classes:
            recall: Any = self.counted["recall"]
            # For the other classes torchmetrics gives 0 or 1, as if they were ranked badly or well.
            decided = (recall.tp + recall.fn > 0) & (recall.fp + recall.tn > 0)
            for name in ("auroc", "ap"):
                if name in per_class:
                    per_class[name] = per_class[name].where(decided, math.nan)
                    values[name] = float(per_class[name].nanmean())
                elif name in values and not decided:
                    values[name] = math.nan
        for name, metric in self.extra.items():
            with _told(name):
                values[name] = float(metric.compute())
        values["score"] = values[self.task.score]
        self.reset()
        found = {name: value.tolist() for name, value in per_class.items()}
        return Result({name: values[name] for name in self.names}, found)

    def values(self) -> dict[str, float]:
        """Return what `compute` does of the whole split, by the name that it is logged under."""
        return {f"{self.prefix}{name}": value for name, value in self.compute().values.items()}

    def higher_is_better(self) -> dict[str, bool]:
        """Return of each metric that says so whether it is to be high."""
        every = [*self.counted.items(), *self.ranked.items(), *self.extra.items()]
        said = {name.removeprefix("class_"): metric.higher_is_better for name, metric in every}
        return {"loss": False, "score": True} | {name: bool(high) for name, high in said.items() if high is not None}

    def progress(self) -> dict[str, Any]:
        """Return what was counted since the last reset, beside the states of the metrics, for `restore_progress`."""
        waiting = None
        if self._waiting:
            outputs, targets, losses = zip(*self._waiting, strict=True)
            # As whole tensors: a file takes long over many small ones, and of a slice would hold what it was cut from.
            waiting = {"outputs": torch.cat(outputs), "target": torch.cat(targets), "losses": torch.stack(losses)}
            waiting["sizes"] = torch.tensor([target.shape[0] for target in targets])
        return {"waiting": waiting, "loss": self._loss, "num_rows": self._num_rows}

    def restore_progress(self, state: dict[str, Any]) -> None:
        """Go on from where `progress` was called, to the very same bits, once the states of the metrics are loaded."""
        self.reset()
        self._loss, self._num_rows = state["loss"], state["num_rows"]
        if state["waiting"] is not None:
            device = next(iter(self.counted.values())).device
            waiting = {key: value.to(device) for key, value in state["waiting"].items()}
            sizes = waiting["sizes"].tolist()
            batches = waiting["outputs"].split(sizes), waiting["target"].split(sizes), waiting["losses"].unbind()
            self._waiting = list(zip(*batches, strict=True))


class Measured(NamedTuple):
    """What a model makes of a split.

    Attributes:
        values: loss and every metric, by name.
        per_class: for each metric of single classes, one number a class; may be empty.
        outputs: (N, num_outputs), on the CPU; of no row where they were too many to keep.
        target: of the same rows, all of them.
    """

    values: dict[str, float]
    per_class: dict[str, list[float]]
    outputs: Tensor
    target: Tensor

    @property
    def is_whole(self) -> bool:
        """Whether the outputs of all rows were kept."""
        return len(self.outputs) == len(self.target)


def in_proportion(task: Task, found: Measured, loss: nn.Module, ranking: bool) -> dict[str, float]:
    """Return 95 % intervals of the metrics of a split, its further figures, and a baseline.

    Args:
        task: what the outputs mean.
        found: of the split.
        loss: takes outputs and target.
        ranking: also intervals of what ranks rows.

    Returns:
        ``acc_low`` and ``acc_high``, the same of other metrics, such as ``ece``, and with ``baseline_`` before their
        names the metrics of a model that has seen no features.
    """
    figures: dict[str, float] = {}
    if found.is_whole:
        for name, (low, high) in task.intervals(task.scores(found.outputs), found.target, ranking).items():
            figures |= {f"{name}_low": low, f"{name}_high": high}
        figures |= task.more_figures(found.outputs, found.target)
    outputs = task.baseline_outputs(found.target)
    metrics = EpochMetrics(task, ranking=ranking and task.ranks_cheaply)
    metrics.update(outputs, found.target, loss(outputs, found.target))
    return figures | {f"baseline_{name}": value for name, value in metrics.compute().values.items()}


class TopPrecision(MultilabelPrecision):
    """Precision of the one most probable label of each row: fastText's P@1, where the average is micro."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count N rows: ``preds`` are probabilities (N, num_labels), ``target`` is 0 and 1."""
        super().update(F.one_hot(preds.argmax(dim=1), preds.shape[1]), target)


class TopRecall(MultilabelRecall):
    """Recall of the one most probable label of each row: fastText's R@1, where the average is micro."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count N rows; arguments as for `TopPrecision.update`."""
        super().update(F.one_hot(preds.argmax(dim=1), preds.shape[1]), target)


class R2(R2Score):
    """The share of the variance that is explained; NaN of fewer than two rows, or where all targets are the same.

    torchmetrics' takes the difference of two sums of squares, which leaves no digit of numbers around 1e9; this one
    counts from a number nearby.

    Args:
        near: about the mean of the targets.
        settings: of every torchmetrics metric.
    """

    def __init__(self, near: float = 0.0, **settings: Any) -> None:
        super().__init__(**settings)
        self.near = near

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count N rows: ``preds`` and ``target`` (N,)."""
        super().update(preds.double() - self.near, target.double() - self.near)

    def compute(self) -> Tensor:
        """Return 1 less the squared errors over the squared distances from the mean."""
        return explained(self.residual, self.sum_error, self.sum_squared_error, self.total)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Tell of what a metric of somebody's own can't take, or gives that is no number."""
    try:
        yield
    except Exception as error:
        raise UserError(
            f"metrics.{name}: it can't be computed of these scores and targets: {first_line(error)}. Metrics get "
            "probabilities (N,) or (N, num_classes), or numbers (N,), and compute one number."
        ) from error
