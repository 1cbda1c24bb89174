"""Where data and models meet: the kind of features that a batch holds, and what there is to predict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor

Task: TypeAlias = Literal["binary", "multiclass", "multilabel"]


class Bags(NamedTuple):
    """N rows of (feature id, weight) pairs of any length: a sparse (N, num_features) matrix in CSR form.

    A tuple of tensors, so that Lightning moves it between devices as it moves any batch.

    Attributes:
        ids: (nnz,) int32, ascending within a row, each id at most once in a row.
        weights: (nnz,) float32.
        offsets: (N + 1,) int64; row ``i`` holds the pairs ``offsets[i]`` to ``offsets[i + 1]``.
    """

    ids: Tensor
    weights: Tensor
    offsets: Tensor

    @property
    def num_rows(self) -> int:
        """The number of rows (``len`` is the length of the tuple)."""
        return self.offsets.numel() - 1


Features: TypeAlias = Tensor | Bags
Batch: TypeAlias = tuple[Features, Tensor]
SPLITS = ("train", "val", "test")
Splits: TypeAlias = dict[str, Batch]  # all rows of train, val and, where there is one, test


def first_rows(features: Features, num: int) -> Features:
    """Return the features of the first rows."""
    if not isinstance(features, Bags):
        return features[:num]
    offsets = features.offsets[: num + 1]
    end = int(offsets[-1])
    return Bags(features.ids[:end], features.weights[:end], offsets)


class Plane(NamedTuple):
    """How rows that have two numbers each, and nothing else, are points.

    Attributes:
        axes: what the two numbers are.
        points: from features (N, num_features) to (N, 2) float64, NaN where a number is not known.
        features: from (N, 2) float64 to the features (N, num_features), float32, that such rows have.
    """

    axes: tuple[str, str]
    points: Callable[[Tensor], Tensor]
    features: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class DataSpec:
    """All that a model and the metrics have to know of the data.

    Attributes:
        num_features: columns of a dense batch, or size of the vocabulary of bags.
        bags: whether features come as `Bags` or as a float tensor (N, num_features).
        task: ``binary`` (logits (N, 1)), ``multiclass`` (logits (N, num_classes)) or ``multilabel`` (the same
            shape, each class yes or no).
        classes: class names, in the order of the target's numbers. A binary target is 1 for the second.
        class_counts: rows of the training split with each class.
        num_rows: rows of the training split.
    """

    num_features: int
    bags: bool
    task: Task
    classes: tuple[str, ...]
    class_counts: tuple[int, ...]
    num_rows: int

    @property
    def num_outputs(self) -> int:
        """The number of logits per row."""
        return 1 if self.task == "binary" else len(self.classes)


def class_counts(target: Tensor, num_classes: int) -> Tensor:
    """Return the rows that have each class, (num_classes,) int64, of a target of either kind."""
    return target.sum(dim=0, dtype=torch.int64) if target.ndim == 2 else torch.bincount(target, minlength=num_classes)
