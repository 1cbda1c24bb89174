"""Columns of a table, as training has learnt them, and the features that they give."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rosenblatt.arguments import fits

log = logging.getLogger(__name__)

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
