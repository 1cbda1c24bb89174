"""Metrics that torchmetrics does not have, or not with all digits."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import R2Score
from torchmetrics.classification import MultilabelPrecision, MultilabelRecall


class TopPrecision(MultilabelPrecision):
    """Precision of the one most probable label of each row: fastText's P@1, where the average is micro."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count N rows.

        Args:
            preds: (N, num_labels) probabilities.
            target: (N, num_labels) of 0 and 1.
        """
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
        """Count N rows.

        Args:
            preds: (N,).
            target: (N,).
        """
        super().update(preds.double() - self.near, target.double() - self.near)

    def compute(self) -> Tensor:
        """Return 1 less the squared errors over the squared distances from the mean."""
        spread = self.sum_squared_error - self.sum_error.square() / self.total
        differ = spread > 1e-12 * self.sum_squared_error  # else it is roundoff
        return torch.where(differ, 1 - self.residual / spread, math.nan)
