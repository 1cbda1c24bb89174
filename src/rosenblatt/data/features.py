"""What a batch of our own data holds: features, dense or as bags, and a target."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
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


def offsets_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (N + 1,) where each of N rows of these lengths begins, and the last one ends."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


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
