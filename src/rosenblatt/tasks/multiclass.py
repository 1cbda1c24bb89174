"""Several classes that exclude each other: a logit each, and the largest is predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rosenblatt.tasks.classification import SHARED, Classification, ClassLoss, check_logits, most, named
from rosenblatt.tasks.task import Decision

if TYPE_CHECKING:  # torchmetrics takes as long to import as torch, and predicting does without
    from torchmetrics import Metric


class MulticlassLoss(ClassLoss):
    """Cross-entropy, the mean over rows; see `ClassLoss` for its arguments."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss of N rows, a scalar.

        Args:
            logits: (N, num_classes).
            target: (N,) class numbers.
        """
        target = target.long()
        if self.class_weights is None:
            return F.cross_entropy(logits, target, label_smoothing=self.label_smoothing)
        rows = F.cross_entropy(logits, target, label_smoothing=self.label_smoothing, reduction="none")
        # Not F.cross_entropy(weight=...), which divides by the weights of the batch: means of batches then depend on
        # which rows share a batch.
        return (rows * self.class_weights[target]).mean()


@dataclass(frozen=True)
class Multiclass(Classification):
    """Classes of which a row has one; logits (N, num_classes), a target (N,) of class numbers."""

    name: ClassVar[str] = "multiclass"
    above_mean: ClassVar[bool] = True

    def loss(self, **settings: Any) -> nn.Module:
        """Return cross-entropy."""
        return MulticlassLoss(self, **settings)

    def check(self, outputs: Any, target: Any) -> None:
        """Raise a `UserError` unless there is a logit for each class, and a target of class numbers."""
        num = len(self.classes)
        check_logits(outputs, target, num, num, 1, f"{num} classes")

    def own_metrics(self, ranking: bool, per_class: bool) -> tuple[dict[str, Metric], dict[str, Metric]]:
        """Return accuracy, and means over classes of the others."""
        from torchmetrics import classification as tm

        num = len(self.classes)
        decided: dict[str, Metric] = {"acc": tm.MulticlassAccuracy(num, average="micro", **SHARED)}
        kinds: dict[str, Any] = {"f1": tm.MulticlassF1Score, "precision": tm.MulticlassPrecision}
        kinds["recall"] = tm.MulticlassRecall
        for name, make in kinds.items():
            decided[name] = make(num, average="macro", **SHARED)
            if per_class:
                decided[f"class_{name}"] = make(num, average="none", **SHARED)
        ranked = {"auroc": tm.MulticlassAUROC, "ap": tm.MulticlassAveragePrecision} if ranking else {}
        return decided, {f"class_{name}": make(num, average="none", **SHARED) for name, make in ranked.items()}

    def scores(self, outputs: Tensor) -> Tensor:
        """Return probabilities (N, num_classes)."""
        return self.tempered(outputs).softmax(dim=1)

    def decide(self, scores: Tensor) -> Tensor:
        """Return the most probable classes (N,)."""
        return scores.argmax(dim=1)

    def check_decision(self, decision: Decision) -> None:
        """Raise a `UserError` for a threshold."""
        if decision.goal is not None:
            self.with_threshold(torch.empty(0), torch.empty(0), decision)

    def gaps(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return how far each logit is above that of the true class."""
        return logits - logits.gather(1, target.long().unsqueeze(1))

    def certainty(self, probs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probability of the most probable class, and whether it is right."""
        top, number = probs.max(dim=1)
        return top, number == target

    def baseline_outputs(self, target: Tensor) -> Tensor:
        """Return the logarithms of the share of each class."""
        return self.shares.log().expand(len(target), -1)  # (num_classes,) -> (N, num_classes)

    def predictions(self, scores: Tensor) -> pl.DataFrame:
        """Return ``prediction``, a name, and its ``probability``."""
        decided = self.decide(scores)
        return named(self.classes, decided, scores.gather(1, decided.unsqueeze(1)).squeeze(1))  # (N, 1) -> (N,)

    def mistakes(self, scores: Tensor, target: Tensor, at_most: int) -> list[int]:
        """Return the rows decided wrongly, the most confident first."""
        return most(scores.amax(dim=1), self.decide(scores) != target, at_most)
