"""Cells of a file to the labels of each row; what they mean is said by `rosenblatt.tasks.inference`."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from torch import Tensor

from rosenblatt.data.files import as_strings
from rosenblatt.errors import UserError


def rows_of_class(target: Tensor, num_classes: int) -> list[NDArray[np.int64]]:
    """Return the numbers of the rows that have each class, ascending, from either kind of target."""
    if target.ndim == 2:
        return [np.flatnonzero(target[:, k].numpy()) for k in range(num_classes)]
    order = np.argsort(target.numpy(), kind="stable")
    ends = np.cumsum(np.bincount(target.numpy(), minlength=num_classes))
    return np.split(order, ends[:-1])


def to_lists(labels: pl.Series, separator: str | None, where: str) -> pl.Series:
    """Return labels as lists of strings.

    Args:
        labels: strings, numbers, or lists of them.
        separator: what stands between several labels in a cell, or ``None`` for one label a cell.
        where: file and column, for messages.

    Raises:
        UserError: a null label (an empty cell), with its row; with a separator it means a row without labels.
    """
    if isinstance(labels.dtype, pl.List | pl.Array) and not labels.dtype.inner.is_nested():
        return _distinct(labels.cast(pl.List(pl.String)).fill_null([]))
    if labels.dtype.is_float() and (labels.drop_nulls() % 1 == 0).all():
        labels = labels.cast(pl.Int64, strict=False)  # 1.0 and 1 are one class, as in a file that pandas has written
    texts = as_strings(labels, where).str.strip_chars()
    if texts.drop_nulls().str.contains(r"^-?\d+\.0+$").all():
        texts = texts.str.replace(r"\.0+$", "")
    if separator is not None:
        return _distinct(texts.fill_null("").str.split(separator))
    empty = texts.is_null() | (texts == "")
    if empty.any():
        row = int(empty.arg_true()[0]) + 1
        raise UserError(
            f"{where}: {int(empty.sum()):,} of {len(texts):,} rows have no label (first in row {row}). "
            "Fill them in or take these rows out."
        )
    return texts.to_frame("label").select(pl.concat_list("label")).to_series()


def _distinct(labels: pl.Series) -> pl.Series:
    """Return lists without empty names and repetitions, in their order."""
    name = pl.element().str.strip_chars()
    return labels.list.eval(name.filter(name != "")).list.unique(maintain_order=True)
