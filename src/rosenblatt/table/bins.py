"""Bins of a column of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

ROWS_PER_BIN = 100  # at least; fewer say little of the next row


def edges_of(values: NDArray[np.float64], bins: int) -> tuple[float, ...]:
    """Return where the bins of a column of numbers end, ascending; the last one has no end.

    Args:
        values: (n,) all training values that are there.
        bins: as many of equal numbers of rows, and as many of equal numbers of distinct values.
    """
    distinct = np.unique(values)
    shares = np.linspace(0, 1, min(bins, len(values) // ROWS_PER_BIN) + 1)[1:-1]
    edges = {float(edge) for part in (values, distinct) for edge in np.quantile(part, shares, method="lower")}
    return tuple(sorted(edges - {float(distinct[-1])}))  # nothing is above the largest


def names_of(edges: Sequence[float]) -> list[str]:
    """Return what each bin holds, in words."""
    if not edges:
        return []
    between = [f"from above {low:g} to {high:g}" for low, high in pairwise(edges)]
    return [f"up to {edges[0]:g}", *between, f"above {edges[-1]:g}"]
