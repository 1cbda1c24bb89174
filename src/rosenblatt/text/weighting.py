"""How much each feature of a text weighs: the log-count ratio, and rows of one length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rosenblatt.text.counting import counted
from rosenblatt.text.ngrams import Ids, Ints

Weighting: TypeAlias = Literal["count", "binary", "tfidf", "log_count_ratio"]
Floats = NDArray[np.float32]


def rows_of_class(target: Tensor, num_classes: int) -> list[Ints]:
    """Return the numbers of the rows that have each class, ascending, from either kind of target."""
    if target.ndim == 2:
        return [np.flatnonzero(target[:, k].numpy()) for k in range(num_classes)]
    order = np.argsort(target.numpy(), kind="stable")
    ends = np.cumsum(np.bincount(target.numpy(), minlength=num_classes))
    return np.split(order, ends[:-1])


def log_count_ratio(ids: Ids, offsets: Ints, frequency: Ints, rows_of_class: Sequence[Ints]) -> Floats:
    """Return how telling each feature is: the largest ``|ln(p / q)|`` over the classes.

    ``p`` is the share of a feature in all (row, feature) pairs of a class, ``q`` the share in those of all other
    classes, each count plus one (Wang & Manning 2012, equation for r).

    Args:
        ids: (nnz,) feature of each pair.
        offsets: (N + 1,) of the rows in it.
        frequency: (num_features,) rows that hold each feature.
        rows_of_class: the numbers of the rows of each class.
    """
    total = frequency + 2.0
    largest = np.zeros(len(frequency))
    # With two classes, one or the other, the ratio of one is minus that of the other.
    num_rows = len(offsets) - 1
    opposite = len(rows_of_class) == 2 and (np.bincount(np.concatenate(rows_of_class), minlength=num_rows) == 1).all()
    for rows in rows_of_class[1:] if opposite else rows_of_class:
        inside = counted(ids, offsets, len(frequency), rows) + 1.0
        p, q = inside / inside.sum(), (total - inside) / (total - inside).sum()
        np.maximum(largest, np.abs(np.log(p / q)), out=largest)
    return largest.astype(np.float32)


def scale(weights: Floats, offsets: Ints, norm: float) -> None:
    """Scale each row to an L2 norm, in place, so that a long text weighs as much as a short one."""
    lengths = np.diff(offsets)
    filled = lengths > 0
    if filled.any():
        squares = np.add.reduceat(weights * weights, offsets[:-1][filled])
        weights *= np.repeat(norm / np.sqrt(np.maximum(squares, 1e-24)), lengths[filled])
