"""Losses on logits, one a task, with optional class weights and label smoothing."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rosenblatt.data.features import DataSpec
from rosenblatt.errors import UserError, check_choice


class ClassificationLoss(nn.Module):
    """Binary cross-entropy, cross-entropy, or binary cross-entropy for each label; the mean over rows.

    Args:
        spec: task, classes and their counts in the training split.
        class_weights: ``None`` (each row counts the same), ``"balanced"`` (each class counts the same:
            num_rows / (num_classes * count), as in scikit-learn; for multilabel the weight of a present label is
            absent / present), or one weight a class, in the order of ``spec.classes``.
        label_smoothing: share of the target spread evenly over the classes, in [0, 1) (Szegedy et al. 2016).

    Raises:
        UserError: an unknown word or a wrong number of class weights, smoothing outside of [0, 1).
    """

    def __init__(
        self,
        spec: DataSpec,
        class_weights: Literal["balanced"] | list[float] | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise UserError(f"loss.label_smoothing: expected a number from 0 to below 1; got {label_smoothing}.")
        self.task = spec.task
        self.label_smoothing = label_smoothing
        self.class_weights: Tensor | None
        self.register_buffer("class_weights", _weights(class_weights, spec), persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss of N rows, a scalar.

        Args:
            logits: (N, 1) for binary, (N, num_classes) otherwise.
            target: (N,) int64 class numbers; for multilabel (N, num_classes) of 0 and 1.
        """
        if self.task == "multiclass":
            if self.class_weights is None:
                return F.cross_entropy(logits, target, label_smoothing=self.label_smoothing)
            rows = F.cross_entropy(logits, target, label_smoothing=self.label_smoothing, reduction="none")
            # Not F.cross_entropy(weight=...), which divides by the weights of the batch: means of batches then
            # depend on which rows share a batch.
            return (rows * self.class_weights[target]).mean()
        smooth = self.label_smoothing
        if self.task == "binary":
            # How far each logit is on the wrong side of 0. The same loss as F.binary_cross_entropy_with_logits, whose
            # gradient, a probability less the target, is rounded to 0 for rows that are right by a logit of 17.
            wrong = logits.squeeze(1) * (1 - 2 * target)  # (N, 1) -> (N,)
            rows = F.softplus(wrong)
            if smooth > 0:
                rows = rows - smooth / 2 * wrong
            return rows.mean() if self.class_weights is None else (rows * self.class_weights[target]).mean()
        probs = target.to(logits.dtype)
        probs = probs if smooth == 0 else probs * (1 - smooth) + smooth / 2
        return F.binary_cross_entropy_with_logits(logits, probs, pos_weight=self.class_weights)


def _weights(class_weights: str | list[float] | None, spec: DataSpec) -> Tensor | None:
    if class_weights is None:
        return None
    if isinstance(class_weights, str):
        check_choice("loss.class_weights", class_weights, ["balanced"])
        counts = torch.tensor(spec.class_counts, dtype=torch.float32).clamp(min=1)
        if spec.task == "multilabel":
            return (spec.num_rows - counts).clamp(min=1) / counts  # a label of every row still counts for something
        return spec.num_rows / (len(spec.classes) * counts)
    if len(class_weights) != len(spec.classes):
        raise UserError(
            f"loss.class_weights: expected {len(spec.classes)} numbers, one for each of {', '.join(spec.classes)};"
            f" got {len(class_weights)}."
        )
    if not all(0 <= weight < math.inf for weight in class_weights):
        raise UserError(f"loss.class_weights: expected numbers of at least 0; got {class_weights}.")
    return torch.tensor(class_weights, dtype=torch.float32)
