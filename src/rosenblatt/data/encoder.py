"""What encoders of texts, of tables and of points have in common; and that of points, which are features already."""

from __future__ import annotations

import inspect
from typing import Any, Protocol

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from rosenblatt.data.columns import Columns
from rosenblatt.data.features import Features, Plane
from rosenblatt.errors import UserError, listed


class Encoder(Protocol):
    """Turns rows into features, with what the training rows have taught it."""

    @property
    def num_features(self) -> int:
        """Number of features, once fitted."""

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments that this was made with, as JSON takes them; by default, the attributes of their names."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def facts(self) -> dict[str, Any]:
        """Return what was learnt, as JSON takes it, but for `vocabulary`."""
        return {}

    def vocabulary(self) -> pl.DataFrame | None:
        """Return the part of what was learnt that is too long for JSON, or ``None``."""
        return None

    def learn(self, facts: dict[str, Any], vocabulary: pl.DataFrame | None) -> None:
        """Take back what `facts` and `vocabulary` returned; a `ValueError` tells that they did not."""
        return

    def encode(self, frame: pl.DataFrame, columns: Columns, where: str) -> Features:
        """Encode N rows as read from a file; ``where`` is that file, for messages.

        Raises:
            UserError: a column that training had is missing.
        """

    def names(self, numbers: NDArray[np.int64] | None = None) -> list[str]:
        """Return what features are, in words, by number; all of them by default."""

    @property
    def plane(self) -> Plane | None:
        """How rows are points, or ``None`` where they are not two numbers."""
        return None

    @property
    def column_of(self) -> pl.Series | None:
        """The column that each feature is made of, (num_features,); ``None`` where each stands for itself."""
        return None


class PointEncoder(Encoder):
    """Takes the columns ``x1``, ``x2``, ... as they are: points, and whatever else data are made of numbers alone."""

    def __init__(self, num_features: int) -> None:
        self._num_features = num_features

    @property
    def num_features(self) -> int:
        """Number of columns."""
        return self._num_features

    @property
    def columns(self) -> list[str]:
        """The columns that it reads; made when they are asked for, since a model folder may say any number."""
        return [f"x{number}" for number in range(1, self.num_features + 1)]

    def encode(self, frame: pl.DataFrame, columns: Columns, where: str) -> Features:
        """Return (N, num_features) float32, NaN for what is no number."""
        own = self.columns
        absent = [name for name in own if name not in frame.columns]
        if absent:
            raise UserError(f"{where}: no column {listed(absent)}. There are {listed(frame.columns)}.")
        numbers = frame.select(pl.col(own).cast(pl.Float32, strict=False).fill_null(float("nan")))
        return torch.from_numpy(np.ascontiguousarray(numbers.to_numpy(writable=True)))

    def names(self, numbers: NDArray[np.int64] | None = None) -> list[str]:
        """Return the columns, by number; all of them by default."""
        own = self.columns
        return own if numbers is None else [own[number] for number in numbers.tolist()]

    @property
    def plane(self) -> Plane | None:
        """Two features are the point itself."""
        return Plane(("x1", "x2"), Tensor.double, Tensor.float) if self.num_features == 2 else None

    @property
    def column_of(self) -> pl.Series:
        """The column of each feature."""
        return pl.Series(self.columns)
