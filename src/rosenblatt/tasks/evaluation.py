"""What an evaluation shows beside the metrics: the decisions, where they go wrong, and the rows to look at."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rosenblatt.data.features import Task


def to_probs(logits: Tensor, task: str) -> Tensor:
    """Return probabilities: (N,) of the second class for binary, (N, num_classes) otherwise."""
    if task == "multiclass":
        return logits.softmax(dim=1)
    return logits.squeeze(1).sigmoid() if task == "binary" else logits.sigmoid()


def decide(probs: Tensor, task: Task, threshold: float | Sequence[float] = 0.5) -> Tensor:
    """Return what is predicted at these probabilities.

    Args:
        probs: (N,) of the second class for binary, (N, num_classes) otherwise.
        task: multiclass takes the most probable class; the others compare.
        threshold: probability strictly above which a binary class or a label is predicted; for multilabel also one a
            label.

    Returns:
        (N,) int64 class numbers; for multilabel (N, num_labels) uint8 of 0 and 1.
    """
    if task == "multiclass":
        return probs.argmax(dim=1)
    above = probs > torch.as_tensor(threshold, dtype=torch.float32, device=probs.device)
    return above.to(torch.int64 if task == "binary" else torch.uint8)


def confusion_matrix(preds: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """Count the rows of each pair of true and predicted class.

    Args:
        preds: (N,) class numbers, or (N, num_labels) of 0 and 1.
        target: like ``preds``.
        num_classes: of the task; for multilabel the number of labels.

    Returns:
        (num_classes, num_classes) int64, rows true, columns predicted; for multilabel (num_labels, 2, 2), one such
        matrix of "no" and "yes" a label.
    """
    if target.ndim == 1:
        pairs = target.long() * num_classes + preds.long()
        return torch.bincount(pairs, minlength=num_classes**2).view(num_classes, num_classes)
    true, predicted = target.sum(dim=0), preds.sum(dim=0)
    both = (target.bool() & preds.bool()).sum(dim=0)
    cells = [target.shape[0] - true - predicted + both, predicted - both, true - both, both]
    return torch.stack(cells, dim=1).view(num_classes, 2, 2)  # (num_labels, 4) -> (num_labels, true, predicted)


def mistakes(
    probs: Tensor, target: Tensor, threshold: float | Sequence[float], task: Task, at_most: int = 20
) -> list[int]:
    """Return the rows that are decided wrongly, the most confident first.

    Confidence is the probability given to the wrong decision; for multilabel the largest of any wrong label of the
    row.

    Args:
        probs: as for `decide`.
        target: (N,) class numbers, or (N, num_labels) of 0 and 1.
        threshold: as for `decide`.
        task: as for `decide`.
        at_most: the number of rows to return.
    """
    preds = decide(probs, task, threshold)
    wrong = preds != target
    if task == "multiclass":
        confidence = probs.amax(dim=1)
    else:
        # In float64: in float32 one less 1e-8 is one, and rows that are sure in different degrees would tie.
        confidence = torch.where(preds == 1, probs.double(), 1 - probs.double())
    if task == "multilabel":
        confidence = confidence.where(wrong, 0).amax(dim=1)
        wrong = wrong.any(dim=1)
    rows = wrong.nonzero().flatten()  # (num_wrong, 1) -> (num_wrong,)
    order = confidence[rows].argsort(descending=True, stable=True)
    numbers: list[int] = rows[order[:at_most]].tolist()
    return numbers
