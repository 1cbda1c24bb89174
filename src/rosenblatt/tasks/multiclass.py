"""Several classes that exclude each other: a logit each, and the largest is predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from rosenblatt.errors import UserError
from rosenblatt.tasks.classification import Classification
from rosenblatt.tasks.threshold import Decision


@dataclass(frozen=True)
class Multiclass(Classification):
    """Classes of which a row has one; logits (N, num_classes), a target (N,) of class numbers."""

    name: ClassVar[str] = "multiclass"
    above_mean: ClassVar[bool] = True

    def cross_entropy(self, logits: Tensor, target: Tensor, class_weights: Tensor | None, smoothing: float) -> Tensor:
        """Return the mean cross-entropy of logits (N, num_classes)."""
        target = target.long()
        if class_weights is None:
            return F.cross_entropy(logits, target, label_smoothing=smoothing)
        rows = F.cross_entropy(logits, target, label_smoothing=smoothing, reduction="none")
        # Not F.cross_entropy(weight=...), which divides by the weights of the batch: means of batches then depend on
        # which rows share a batch.
        return (rows * class_weights[target]).mean()

    def scores(self, outputs: Tensor) -> Tensor:
        """Return probabilities (N, num_classes)."""
        return self.tempered(outputs).softmax(dim=1)

    def decide(self, scores: Tensor) -> Tensor:
        """Return the most probable classes (N,)."""
        return scores.argmax(dim=1)

    def check_decision(self, decision: Decision) -> None:
        """Raise a `UserError` for a threshold."""
        if decision.goal is not None:
            raise UserError(
                "threshold: with more than two classes the most probable one is predicted, so there is no threshold to "
                "choose. Leave threshold=fixed, or set task=multilabel where several classes can be right."
            )

    def confidence(self, scores: Tensor, preds: Tensor) -> Tensor:
        """Return the probability of what is predicted, (N,)."""
        return scores.gather(1, preds.unsqueeze(1)).squeeze(1)  # (N, 1) -> (N,)

    def baseline_outputs(self, target: Tensor) -> Tensor:
        """Return the logarithms of the share of each class."""
        return self.shares(target).log().expand(len(target), -1)  # (num_classes,) -> (N, num_classes)
