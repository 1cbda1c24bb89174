"""What encoders of texts, of tables and of points have in common."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rosenblatt.data.columns import Columns
from rosenblatt.data.features import Features, Plane


class Encoder(Protocol):
    """Turns rows into features, with what the training rows have taught it."""

    @property
    def num_features(self) -> int:
        """Number of features, once fitted."""

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments that this was made with, as JSON takes them."""

    def facts(self) -> dict[str, Any]:
        """Return what was learnt, as JSON takes it, but for `vocabulary`."""

    def vocabulary(self) -> pl.DataFrame | None:
        """Return the part of what was learnt that is too long for JSON, or ``None``."""

    def learn(self, facts: dict[str, Any], vocabulary: pl.DataFrame | None) -> None:
        """Take back what `facts` and `vocabulary` returned.

        Raises:
            ValueError: they are not what these return.
        """

    def encode(self, frame: pl.DataFrame, columns: Columns, where: str) -> Features:
        """Encode N rows.

        Args:
            frame: the rows, as read from a file.
            columns: what they hold.
            where: file, for messages.

        Raises:
            UserError: a column that training had is missing.
        """

    def names(self, numbers: NDArray[np.int64] | None = None) -> list[str]:
        """Return what features are, in words, by number; all of them by default."""

    @property
    def plane(self) -> Plane | None:
        """How rows are points, or ``None`` where they are not two numbers."""

    @property
    def column_of(self) -> pl.Series | None:
        """The column that each feature is made of, (num_features,); ``None`` where each stands for itself."""
