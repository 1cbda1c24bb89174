"""What a model that sees no features reaches: the number that every other has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rosenblatt.data.features import DataSpec
from rosenblatt.tasks.metrics import MAX_RANKED, EpochMetrics


def majority_baseline(
    spec: DataSpec, target: Tensor, loss: nn.Module, threshold: float | Sequence[float] = 0.5
) -> dict[str, float]:
    """Return the metrics of the model that gives each row the share of each class among the training rows.

    Args:
        spec: task, and the classes with their counts.
        target: (N,) or (N, num_labels), of the split that is evaluated.
        loss: takes logits and target.
        threshold: see `EpochMetrics`.
    """
    share = (torch.tensor(spec.class_counts) / spec.num_rows).clamp(1e-7, 1 - 1e-7)
    logits = share.log() if spec.task == "multiclass" else share.logit()
    if spec.task == "binary":
        logits = logits[1:]
    logits = logits.expand(target.shape[0], -1)  # (num_outputs,) -> (N, num_outputs)
    metrics = EpochMetrics(spec, threshold, ranking=len(spec.classes) <= MAX_RANKED)
    metrics.update(logits, target, loss(logits, target))
    return metrics.compute().values
