"""Intervals that hold a share of new numbers, whatever the model: split conformal prediction.

Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, "Distribution-Free Predictive Inference for Regression" (2018),
algorithm 2; how sure the share is for few rows: Vovk, "Conditional validity of inductive conformal predictors" (2012).
"""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

LEVEL = 0.9  # share of new rows that are to be inside


def rank_of(num_rows: int, level: float = LEVEL) -> int:
    """Return which of the residuals by size, counted from 1, new ones stay below with this probability."""
    return math.ceil((num_rows + 1) * level)


def radius_of(residuals: Tensor, level: float = LEVEL) -> float:
    """Return how far from its prediction a new number is at most, with probability ``level``.

    Args:
        residuals: (N,) of rows that the model was not trained on.
        level: share of new rows that are to be inside.

    Returns:
        A distance in the units of the residuals; infinity where there are too few rows to say (fewer than 9 for 0.9).
    """
    rank = rank_of(len(residuals), level)
    if rank > len(residuals):
        return math.inf
    return float(residuals.abs().double().sort().values[rank - 1])


def share_inside(num_rows: int, level: float = LEVEL) -> tuple[float, float]:
    """Return between which shares of all new rows are inside, for 95 of 100 sets of as many validation rows.

    It is the interval of a Beta(k, N + 1 - k) distribution, k being `rank_of`.

    Args:
        num_rows: validation rows that the radius was read from.
        level: share that was wanted.
    """
    rank = rank_of(num_rows, level)
    if rank > num_rows:
        return 1.0, 1.0
    low, high = (_beta_quantile(share, rank, num_rows + 1 - rank) for share in (0.025, 0.975))
    return low, high


def _beta_quantile(share: float, a: int, b: int) -> float:
    """Return a quantile of a Beta distribution by halving; whole parameters make it a sum of binomial terms."""
    num = a + b - 1  # P(Beta(a, b) <= x) = P(Binomial(num, x) >= a)
    hits = np.arange(a, num + 1)
    ways = [math.lgamma(num + 1) - math.lgamma(one + 1) - math.lgamma(num - one + 1) for one in hits.tolist()]
    low, high = 0.0, 1.0
    for _ in range(50):
        x = (low + high) / 2
        terms = np.exp(np.array(ways) + hits * math.log(x) + (num - hits) * math.log1p(-x))
        low, high = (x, high) if terms.sum() < share else (low, x)
    return (low + high) / 2
