"""How often the most probable label of a row is one of its labels."""

from __future__ import annotations

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
