"""Rows that are features already: points, and whatever else a data module makes of numbers alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from rosenblatt.data.columns import Columns
from rosenblatt.data.features import Features, Plane
from rosenblatt.errors import UserError, listed


class PointEncoder:
    """Takes the columns ``x1``, ``x2``, ... as they are.

    Args:
        num_features: how many.
    """

    def __init__(self, num_features: int) -> None:
        self.num_features = num_features

    @property
    def columns(self) -> list[str]:
        """The columns that it reads."""
        return [f"x{number}" for number in range(1, self.num_features + 1)]

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments that this was made with."""
        return {"num_features": self.num_features}

    def facts(self) -> dict[str, Any]:
        """Return what was learnt, as JSON takes it."""
        return {}

    def vocabulary(self) -> pl.DataFrame | None:
        """Return what was learnt and is too long for JSON."""
        return None

    def learn(self, facts: dict[str, Any], vocabulary: pl.DataFrame | None) -> None:
        """Take back what `facts` and `vocabulary` returned."""

    def encode(self, frame: pl.DataFrame, columns: Columns, where: str) -> Features:
        """Return (N, num_features) float32, NaN for what is no number.

        Raises:
            UserError: a column is missing.
        """
        absent = [name for name in self.columns if name not in frame.columns]
        if absent:
            raise UserError(f"{where}: no column {listed(absent)}. There are {listed(frame.columns)}.")
        numbers = frame.select(pl.col(self.columns).cast(pl.Float32, strict=False).fill_null(float("nan")))
        return torch.from_numpy(np.ascontiguousarray(numbers.to_numpy(writable=True)))

    def names(self, numbers: NDArray[np.int64] | None = None) -> list[str]:
        """Return what features are, by number; all of them by default."""
        return self.columns if numbers is None else [self.columns[number] for number in numbers.tolist()]

    @property
    def plane(self) -> Plane | None:
        """Two features are the point itself."""
        if self.num_features != 2:
            return None
        return Plane((self.columns[0], self.columns[1]), Tensor.double, Tensor.float)

    @property
    def column_of(self) -> pl.Series:
        """The column of each feature."""
        return pl.Series(self.columns)


def frame_of(features: Tensor, labels: list[Any]) -> pl.DataFrame:
    """Return points and their labels as a frame.

    Args:
        features: (N, num_features) float32.
        labels: of each row: a name, a list of names, or a number.
    """
    encoder = PointEncoder(features.shape[1])
    return pl.DataFrame(features.numpy(), schema=encoder.columns, orient="row").with_columns(pl.Series("label", labels))
