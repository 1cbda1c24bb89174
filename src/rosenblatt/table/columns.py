"""Columns of a table, as training has learnt them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rosenblatt.table.bins import names_of

FARTHEST = 10.0  # standard deviations; of a value that is farther off, in training or later, the bin says the rest


class NumberColumn(NamedTuple):
    """A column of numbers: ``(x - mean) / std`` (at most `FARTHEST`), 0 where it is missing, and one feature a bin.

    Bin ``i`` holds the values above ``edges[i - 1]`` up to ``edges[i]``; with no edges there are no bins.
    """

    name: str
    mean: float
    std: float
    edges: tuple[float, ...]

    @property
    def bins(self) -> int:
        """The number of bins."""
        return len(self.edges) + 1 if self.edges else 0

    @property
    def size(self) -> int:
        """The number of features: the value, whether it is missing, and the bins."""
        return 2 + self.bins

    @property
    def suffixes(self) -> list[str]:
        """What follows the name of the column, for each feature."""
        return ["", " is missing", *(f" {bin}" for bin in names_of(self.edges))]


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


def column_from(kind: str, name: str, *values: Any) -> NumberColumn | CategoryColumn:
    """Return a column from its parts, as JSON holds them.

    Raises:
        ValueError: they are none.
    """
    if isinstance(name, str) and values and isinstance(values[-1], list | tuple):
        if kind == "NumberColumn" and len(values) == 3:
            numbers = [*values[:2], *values[2]]
            if any(isinstance(one, bool) or not isinstance(one, int | float) for one in numbers):
                raise ValueError(f"column {name!r} has a scale or bins that are no numbers")
            mean, std, *edges = (float(one) for one in numbers)
            if not np.isfinite([mean, std, *edges]).all() or std <= 0 or (np.diff(edges) <= 0).any():
                raise ValueError(f"column {name!r} has no scale, or bins that are not in order")
            return NumberColumn(name, mean, std, tuple(edges))
        if kind == "CategoryColumn" and len(values) == 1 and all(isinstance(one, str) for one in values[0]):
            if len(set(values[0])) < len(values[0]):
                raise ValueError(f"column {name!r} has a category twice")
            return CategoryColumn(name, tuple(values[0]))
    raise ValueError(f"column {str(name)[:50]!r} is neither one of numbers nor one of categories")
