"""What a batch of our own data holds: features, dense or as bags, and a target."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


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


def tensors_of(batch: Batch) -> list[Tensor]:
    """Return the tensors that features and target are made of."""
    features, target = batch
    return [*(features if isinstance(features, Bags) else [features]), target]


def batch_of(tensors: list[Tensor]) -> Batch:
    """Return what `tensors_of` has taken apart."""
    *parts, target = tensors
    return (Bags(*parts) if len(parts) > 1 else parts[0]), target


def offsets_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (N + 1,) where each of N rows of these lengths begins, and the last one ends."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def rows_between(features: Features, start: int, stop: int) -> Features:
    """Return rows ``start`` to ``stop``; dense rows are a view."""
    if isinstance(features, Tensor):
        return features[start:stop]
    offsets = features.offsets[start : stop + 1]
    first, last = int(offsets[0]), int(offsets[-1])
    return Bags(features.ids[first:last], features.weights[first:last], offsets - first)


def joined_rows(first: Batch, second: Batch) -> Batch:
    """Return the rows of two batches of one kind in one."""
    if isinstance(second[0], Bags):
        offsets = second[0].offsets[1:] + tensors_of(first)[0].numel()
        second = second[0]._replace(offsets=offsets), second[1]
    return batch_of([torch.cat(pair) for pair in zip(tensors_of(first), tensors_of(second), strict=True)])


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
