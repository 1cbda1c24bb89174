"""Metrics that torchmetrics does not have, or not with all digits."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchmetrics import Metric


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


class R2(Metric):
    """The share of the variance that is explained; NaN of fewer than two rows, or where all targets are the same.

    torchmetrics' takes the difference of two sums of squares, which leaves no digit of numbers around 1e9; this one
    counts from a number nearby.

    Args:
        near: about the mean of the targets.
    """

    full_state_update = False
    higher_is_better = True
    errors: Tensor
    total: Tensor
    squares: Tensor
    num_rows: Tensor

    def __init__(self, near: float = 0.0) -> None:
        super().__init__(sync_on_compute=False)
        self.near = near
        for name in ("errors", "total", "squares", "num_rows"):
            self.add_state(name, torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count N rows.

        Args:
            preds: (N,).
            target: (N,).
        """
        distances = target.double() - self.near
        self.errors += (target.double() - preds.double()).square().sum()
        self.total += distances.sum()
        self.squares += distances.square().sum()
        self.num_rows += len(target)

    def compute(self) -> Tensor:
        """Return 1 less the squared errors over the squared distances from the mean."""
        spread = self.squares - self.total.square() / self.num_rows
        differ = spread > 1e-12 * self.squares  # else it is roundoff
        return torch.where(differ, 1 - self.errors / spread, math.nan)
