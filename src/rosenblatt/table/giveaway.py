"""Columns that alone give the label away: a copy of it in other words, or what is known only after it."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from torch import Tensor

from rosenblatt.table.encoder import Parts

NEARLY_ALL = 0.99  # share of rows that a column is right of, in train and in validation
MAX_ROWS = 20_000  # training rows that are looked at
RANKS = 0.999  # correlation of ranks with numbers to predict
BINS, ROWS_PER_BIN = 256, 5  # of numbers, at most and at least
MIN_ROWS = 10  # validation rows below which chance may do it


def gives_away(parts: Parts, new_parts: Parts, target: Tensor, new_target: Tensor) -> bool:
    """Return whether one column alone predicts nearly all labels of (new) validation rows.

    The target is (N,) classes, (N, num_labels) of 0 and 1, or float numbers (N,), whose order a column then has.
    """
    if len(new_target) < MIN_ROWS:
        return False
    step, num_labels = max(1, len(target) // MAX_ROWS), target[0].numel()
    each = target[::step].reshape(-1, num_labels).T.numpy(), new_target.reshape(-1, num_labels).T.numpy()
    for ids, weights, new, new_weights in zip(*parts, *new_parts, strict=True):
        old, old_weights = ids[::step], weights[::step]
        is_number = bool((old == old[0]).all())
        if target.is_floating_point():
            pairs = ((old_weights, each[0][0]), (new_weights, each[1][0])) if is_number else ()
            frames = [pl.DataFrame({"x": x, "y": y}) for x, y in pairs]
            ranks = [one.select(pl.corr("x", "y", method="spearman")).item() for one in frames]  # NaN of a constant
            if ranks and all(one is not None and RANKS < abs(one) < 2 for one in ranks):
                return True
            continue
        codes = np.where(old_weights != 0, old + 1, 0), np.where(new_weights != 0, new + 1, 0)
        if is_number:
            shares = np.linspace(0, 1, min(BINS, len(old) // ROWS_PER_BIN) + 1)[1:-1]
            edges = np.quantile(old_weights, shares, method="lower")
            codes = np.searchsorted(edges, old_weights), np.searchsorted(edges, new_weights)
        if any(_tells(*codes, *labels) for labels in zip(*each, strict=True)):
            return True
    return False


def _tells(codes: NDArray[Any], new_codes: NDArray[Any], target: NDArray[Any], new_target: NDArray[Any]) -> bool:
    """Return whether the most frequent label of each code in training is that of nearly all rows, there and new."""
    target, num = target.astype(np.int64), int(target.max()) + 1
    most = np.bincount(target).argmax()
    pairs, counts = np.unique(codes * num + target, return_counts=True)
    pairs = pairs[np.argsort(counts, kind="stable")]
    guess = np.full(max(codes.max(), new_codes.max()) + 1, most)
    guess[pairs // num] = pairs % num  # the most frequent one comes last, and stays
    wrong, rest = (guess[new_codes] != new_target).sum(), (new_target != most).sum()
    rarely = wrong <= max(1, len(new_target) * (1 - NEARLY_ALL)) and (guess[codes] != target).mean() <= 1 - NEARLY_ALL
    return bool(rarely and 10 * wrong <= rest and rest > 0)
