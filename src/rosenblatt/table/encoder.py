"""Numbers and categories to features: columns with their scales, bins and codes, fitted on the training split."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from rosenblatt.arguments import fits
from rosenblatt.data.columns import Columns, as_strings
from rosenblatt.data.encoder import Encoder
from rosenblatt.data.features import Bags, Features, Plane, offsets_of
from rosenblatt.errors import UserError, listed

log = logging.getLogger(__name__)

MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None")
MAX_DENSE = 1024  # columns up to which a row is kept dense
SCALE = 3.0  # of all features: with 1, Adam at its own lr of 0.001 takes twice as many epochs (docs/log.md)
FARTHEST = 10.0  # standard deviations; of a value that is farther off, in training or later, the bin says the rest
MAX_NUMBER = 1e100  # a larger one has no square in 64 bits
ROWS_PER_BIN = 100  # at least; fewer say little of the next row
Floats = NDArray[np.float64]
# Numbers of features and their weights, (N,) each: one of either for each feature that a row may have at a time.
Parts = tuple[list[NDArray[np.int64]], list[NDArray[np.float32]]]


class NumberColumn(NamedTuple):
    """A column of numbers: ``(x - mean) / std`` (at most `FARTHEST`), 0 where it is missing, and one feature a bin.

    Bin ``i`` holds the values above ``edges[i - 1]`` up to ``edges[i]``; with no edges there are no bins.
    """

    name: str
    mean: float
    std: float
    edges: tuple[float, ...]

    @property
    def size(self) -> int:
        """The number of features: the value, whether it is missing, and the bins."""
        return 3 + len(self.edges) if self.edges else 2

    @property
    def suffixes(self) -> list[str]:
        """What follows the name of the column, for each feature."""
        if not self.edges:
            return ["", " is missing"]
        between = [f" from above {low:g} to {high:g}" for low, high in pairwise(self.edges)]
        return ["", " is missing", f" up to {self.edges[0]:g}", *between, f" above {self.edges[-1]:g}"]

    def features_of(self, words: pl.Series, where: str) -> Parts:
        """Return the features of (N,) strings, null where one is missing; what is no number is told, and missing."""
        numbers = words.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
        wrong = np.flatnonzero(~np.isfinite(numbers) & words.is_not_null().to_numpy())
        if len(wrong):
            log.warning(
                "%s: %s of %s values in column %r are no numbers (such as %r); they count as missing.",
                where, f"{len(wrong):,}", f"{words.count():,}", self.name, words[int(wrong[0])],
            )  # fmt: skip
        return self.features_of_numbers(numbers)

    def features_of_numbers(self, numbers: Floats) -> Parts:
        """Return the features of (N,) numbers, of which NaN and infinity are missing; the bin comes last."""
        missing = ~np.isfinite(numbers)
        scaled = (numbers.clip(-MAX_NUMBER, MAX_NUMBER) - self.mean) / self.std
        value = np.where(missing, 0.0, scaled.clip(-1e6, 1e6)).astype(np.float32)  # in float32, no infinity
        ids = [np.zeros(len(value), dtype=np.int64), np.ones(len(value), dtype=np.int64)]
        weights = [value.clip(-FARTHEST, FARTHEST), missing.astype(np.float32)]
        if self.edges:
            # Compared as scaled, in the same rounding, so that a value that is an edge stays below it.
            edges = ((np.array(self.edges) - self.mean) / self.std).astype(np.float32)
            ids.append(2 + np.searchsorted(edges, value))
            weights.append((~missing).astype(np.float32))
        return ids, weights


class CategoryColumn(NamedTuple):
    """A column of words: one feature a category; all 0 for a category that training never had."""

    name: str
    categories: tuple[str, ...]

    @property
    def size(self) -> int:
        """The number of features: the categories, and whether it is missing."""
        return len(self.categories) + 1

    @property
    def suffixes(self) -> list[str]:
        """What follows the name of the column, for each feature."""
        return [*(f" = {category}" for category in self.categories), " is missing"]

    def features_of(self, words: pl.Series, where: str) -> Parts:
        """Return the features of (N,) strings, null where one is missing."""
        code = words.cast(pl.Enum(self.categories), strict=False).to_physical().cast(pl.Int64)
        code = pl.select(pl.when(words.is_null()).then(len(self.categories)).otherwise(code)).to_series()
        return [code.fill_null(0).to_numpy()], [code.is_not_null().to_numpy().astype(np.float32)]


def edges_of(values: Floats, bins: int) -> tuple[float, ...]:
    """Return where the bins of a column of numbers end, ascending; the last one has no end.

    Args:
        values: (n,) all training values that are there.
        bins: as many of equal numbers of rows, and as many of equal numbers of distinct values.
    """
    distinct = np.unique(values)
    shares = np.linspace(0, 1, min(bins, len(values) // ROWS_PER_BIN) + 1)[1:-1]
    edges = {float(edge) for part in (values, distinct) for edge in np.quantile(part, shares, method="lower")}
    return tuple(sorted(edges - {float(distinct[-1])}))  # nothing is above the largest


def column_from(kind: str, *values: Any) -> NumberColumn | CategoryColumn:
    """Return a column from its parts, as JSON holds them.

    Raises:
        ValueError: they are none.
    """
    if kind == "NumberColumn" and fits(values, tuple[str, float, float, Sequence[float]]):
        name, mean, std, edges = values
        if np.isfinite([mean, std, *edges]).all() and std > 0 and (np.diff(edges) > 0).all():
            return NumberColumn(name, float(mean), float(std), tuple(map(float, edges)))
    if kind == "CategoryColumn" and fits(values, tuple[str, Sequence[str]]):
        name, categories = values
        if len(set(categories)) == len(categories):
            return CategoryColumn(name, tuple(categories))
    raise ValueError(f"column {str(values)[:50]} is neither one of numbers nor one of categories")


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
