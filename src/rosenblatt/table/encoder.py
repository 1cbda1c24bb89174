"""Numbers and categories to features: scales, bins and category codes, fitted on the training split."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from rosenblatt.data.columns import Columns, as_strings
from rosenblatt.data.encoder import Encoder
from rosenblatt.data.features import Bags, Features, Plane, offsets_of
from rosenblatt.errors import UserError, listed
from rosenblatt.table.columns import (
    FARTHEST,
    MAX_NUMBER,
    CategoryColumn,
    NumberColumn,
    Parts,
    column_from,
    edges_of,
)

log = logging.getLogger(__name__)

MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None")
MAX_DENSE = 1024  # columns up to which a row is kept dense
SCALE = 3.0  # of all features: with 1, Adam at its own lr of 0.001 takes twice as many epochs (docs/log.md)


class TableEncoder(Encoder):
    """Turns rows of numbers and categories into features.

    A column is one of numbers if each of its training values that is not missing is a number. Missing values
    (empty, ``NA``, ``?``, ``nan``, ``null`` ...) are kept as what they are: a category of their own, or, in a column
    of numbers, the mean and a feature that says so.

    A number is a feature as it is, scaled, and has one feature a bin beside it: what goes up with age and down again is
    no straight line, and a perceptron knows no other.

    Features are dense up to 1,024 of them, and bags where columns have many categories.

    Args:
        categorical: columns of numbers that are to be categories (codes, post codes).
        min_count: how often a category has to occur in training to have a feature.
        bins: bins of equal numbers of rows, and again as many of equal numbers of distinct values (half of all people
            may have a capital gain of 0), for each column of numbers; fewer where there are few rows; 0 for none.

    Raises:
        UserError: bins below 0.
    """

    def __init__(self, categorical: Sequence[str | int] = (), min_count: int = 1, bins: int = 32) -> None:
        if bins < 0:
            raise UserError(f"data.bins: expected a whole number of at least 0; got {bins}.")
        self.bins = bins
        self.categorical = tuple(str(name) for name in categorical)
        self.min_count = min_count
        self.columns: list[NumberColumn | CategoryColumn] = []

    @property
    def num_features(self) -> int:
        """Number of features."""
        return sum(column.size for column in self.columns)

    @property
    def _is_sparse(self) -> bool:
        return self.num_features > MAX_DENSE

    def facts(self) -> dict[str, Any]:
        """Return the columns, as JSON takes them."""
        return {"columns": [[type(column).__name__, *column] for column in self.columns]}

    def learn(self, facts: dict[str, Any], vocabulary: pl.DataFrame | None) -> None:
        """Take back what `facts` returned."""
        self.columns = [column_from(*values) for values in facts["columns"]]

    def encode(self, frame: pl.DataFrame, columns: Columns, where: str) -> Features:
        """Encode N rows; the columns are known by their names."""
        return self.transform(frame, where)

    def names(self, numbers: NDArray[np.int64] | None = None) -> list[str]:
        """Return what features are, in words, by number; all of them by default."""
        names = [f"{column.name}{suffix}" for column in self.columns for suffix in column.suffixes]
        return names if numbers is None else [names[number] for number in numbers.tolist()]

    @property
    def column_of(self) -> pl.Series:
        """The column of each feature."""
        return pl.Series([column.name for column in self.columns for _ in range(column.size)], dtype=pl.String)

    @property
    def plane(self) -> Plane | None:
        """How rows of two columns of numbers are points; one beyond `FARTHEST`, whose place features lack, is none."""
        columns = [column for column in self.columns if isinstance(column, NumberColumn)]
        if len(columns) != 2 or len(self.columns) != 2 or self._is_sparse:
            return None
        x, y = columns

        def points(features: Tensor) -> Tensor:
            numbers = []
            for column, start in ((x, 0), (y, x.size)):
                value, missing = features[:, start].double() / SCALE, features[:, start + 1]
                known = (missing == 0) & (value.abs() < FARTHEST)
                numbers.append((value * column.std + column.mean).where(known, float("nan")))
            return torch.stack(numbers, dim=1)

        def features(points: Tensor) -> Tensor:
            parts = [column.features_of_numbers(points[:, k].numpy()) for k, column in enumerate(columns)]
            found = self._features(parts)
            assert isinstance(found, Tensor)
            return found

        return Plane((x.name, y.name), points, features)

    def fit_transform(self, frame: pl.DataFrame) -> Features:
        """Choose scales and categories, and encode the training rows.

        Raises:
            UserError: ``categorical`` names no column, or all columns are empty.
        """
        unknown = [name for name in self.categorical if name not in frame.columns]
        if unknown:
            raise UserError(f"data.categorical: no such column: {listed(unknown)}. There are {listed(frame.columns)}.")
        self.columns = []
        for name in frame.columns:
            words = _words(frame[name])
            numbers = words.cast(pl.Float64, strict=False)
            if words.count() == 0:
                continue
            if name not in self.categorical and numbers.count() == words.count():
                values = numbers.to_numpy()
                values = values[np.isfinite(values)].clip(-MAX_NUMBER, MAX_NUMBER)
                if len(values):
                    mean, std = float(values.mean()), float(values.std())
                    self.columns.append(NumberColumn(name, mean, std if std > 0 else 1.0, edges_of(values, self.bins)))
                continue
            if name not in self.categorical and numbers.count() > 0.5 * words.count():
                odd = words.filter(numbers.is_null() & words.is_not_null())
                log.warning(
                    "Column %r is taken for categories: %s of its %s training values are no numbers (such as %r). "
                    "If it is one of numbers, correct them or leave them empty.",
                    name, f"{len(odd):,}", f"{words.count():,}", odd[0],
                )  # fmt: skip
            counts = words.drop_nulls().value_counts(name="count").filter(pl.col("count") >= self.min_count)
            self.columns.append(CategoryColumn(name, tuple(sorted(counts["word"]))))
        if not self.columns:
            raise UserError("There is no column to learn from: all are empty.")
        return self.transform(frame, "the training rows")

    def transform(self, frame: pl.DataFrame, where: str) -> Features:
        """Encode N rows.

        Args:
            frame: has the columns that were fitted, in any order; others are ignored.
            where: name of the split or file, for messages.

        Raises:
            UserError: a column that training had is missing.
        """
        absent = [column.name for column in self.columns if column.name not in frame.columns]
        if absent:
            raise UserError(
                f"{where}: no column {listed(absent)}, which training had. There are {listed(frame.columns)}."
            )
        return self._features([column.features_of(_words(frame[column.name]), where) for column in self.columns])

    def _features(self, parts: list[Parts]) -> Features:
        """Return dense features or bags from those of each column."""
        starts = np.cumsum([0, *(column.size for column in self.columns)])
        ids = np.stack([start + one for start, (some, _) in zip(starts, parts, strict=False) for one in some], axis=1)
        weights = SCALE * np.stack([one for _, some in parts for one in some], axis=1)
        if not self._is_sparse:
            dense = np.zeros((len(ids), self.num_features), dtype=np.float32)
            np.put_along_axis(dense, ids, weights, axis=1)
            return torch.from_numpy(dense)
        used = weights != 0
        offsets = torch.from_numpy(offsets_of(used.sum(axis=1)))
        return Bags(torch.from_numpy(ids[used].astype(np.int32)), torch.from_numpy(weights[used]), offsets)


def _words(values: pl.Series) -> pl.Series:
    """Return a column as strings, null where it is missing."""
    if values.dtype == pl.Boolean:
        values = values.cast(pl.Int8)
    words = as_strings(values, "data.ignore takes a column out").rename("word").str.strip_chars()
    return words.to_frame().select(pl.when(~pl.all().is_in(list(MISSING))).then(pl.all())).to_series()
