"""Counts and sums of what is true and what is predicted, and what follows from them: F1, precision, recall, and R2."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor


def class_counts(target: Tensor, num_classes: int) -> Tensor:
    """Return the rows that have each class, (num_classes,) int64, of a target (N,) or (N, num_labels)."""
    if target.ndim == 2:
        return target.sum(dim=0, dtype=torch.int64)
    return torch.bincount(target.long(), minlength=num_classes)


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
    from torchmetrics.functional import confusion_matrix as counted

    task: Literal["multiclass", "multilabel"] = "multilabel" if target.ndim == 2 else "multiclass"
    return counted(preds, target, task, num_classes=num_classes, num_labels=num_classes, validate_args=False)


def ratios(hits: Tensor, predicted: Tensor, true: Tensor) -> dict[str, Tensor]:
    """Return F1, precision and recall of counts of one shape, float64; 0 of nothing is 0, as torchmetrics has it."""
    pairs = {"f1": (2 * hits, predicted + true), "precision": (hits, predicted), "recall": (hits, true)}
    return {name: above.double() / below.clamp(min=1) for name, (above, below) in pairs.items()}


def by_class(confusions: Tensor) -> dict[str, list[float]]:
    """Return F1, precision and recall of each class, of (num_classes, num_classes): rows true, columns predicted."""
    found = ratios(confusions.diagonal(), confusions.sum(dim=0), confusions.sum(dim=1))
    return {name: values.tolist() for name, values in found.items()}


def explained(squares: Tensor, total: Tensor, total_squares: Tensor, num_rows: Tensor) -> Tensor:
    """Return the share of the variance that is explained; NaN where all targets are the same.

    Args:
        squares: sum of the squared errors, of any shape, as all of these; float64.
        total: sum of the targets, counted from a number nearby.
        total_squares: sum of the squares of the same.
        num_rows: how many they are.
    """
    spread = total_squares - total.square() / num_rows
    differ = spread > 1e-12 * total_squares  # else it is roundoff, as of a row that was drawn each time
    return torch.where(differ, 1 - squares / spread, math.nan)
