"""Labels to numbers: the classes, the task that follows from them, and the target tensor."""

from __future__ import annotations

import logging
import math
from typing import get_args

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from rosenblatt.data.features import Task, class_counts
from rosenblatt.data.files import as_strings
from rosenblatt.errors import UserError, check_choice, listed

log = logging.getLogger(__name__)


class LabelEncoder:
    """Numbers the classes of the training split and infers the task from them.

    Two classes are ``binary`` (the second in order is 1), more are ``multiclass``; rows with several labels, or
    with none, are ``multilabel``.

    Args:
        task: set it instead, or ``None``.
    """

    def __init__(self, task: Task | None = None) -> None:
        if task is not None:
            check_choice("task", task, get_args(Task))
        self.task = task
        self.classes: tuple[str, ...] = ()
        self.num_unknown: dict[str, int] = {}

    def fit(self, labels: pl.Series) -> None:
        """Choose the classes.

        Args:
            labels: N lists of strings, the labels of each training row.

        Raises:
            UserError: one class only, as many classes as rows, or a task that the labels do not fit.
        """
        names = labels.explode().drop_nulls().unique().to_list()
        self.classes = tuple(sorted(names, key=_by_number))
        most = int(labels.list.len().max() or 0)  # type: ignore[arg-type]
        several = most > 1 or int(labels.list.len().min() or 0) == 0  # type: ignore[arg-type]
        inferred: Task = "multilabel" if several else "binary" if len(names) == 2 else "multiclass"
        self.task = self.task or inferred
        if len(names) < 2:
            raise UserError(
                f"Expected at least two classes in the training rows; all {len(labels):,} have the label "
                f"{listed(self.classes) or 'null'}. Is data.label_column the right column?"
            )
        if len(names) >= len(labels):
            raise UserError(
                f"There are {len(names):,} classes in {len(labels):,} training rows, so nothing can be learnt of any. "
                "Is data.label_column the right column? (Several labels in a cell need data.label_separator.)"
            )
        if self.task != "multilabel" and several:
            got = most if most > 1 else "none"
            raise UserError(f"task={self.task}: expected one label a row; a training row has {got}. Try task=null.")
        if self.task == "binary" and len(names) != 2:
            raise UserError(f"task=binary: expected two classes; got {len(names)}: {listed(self.classes)}.")

    def transform(self, labels: pl.Series, where: str) -> Tensor:
        """Return the target: (N,) int64, or (N, num_classes) uint8 for multilabel.

        Args:
            labels: N lists of strings.
            where: name of the split or file, for messages.

        Raises:
            UserError: a label that training never had, or a row without one or with several. (For multilabel an
                unknown one is left out, and counted in ``num_unknown``: no model can predict it, and the other
                labels of the row are still worth having.)
        """
        counts = labels.list.len().to_numpy()
        wrong = np.flatnonzero(counts != 1)
        if len(wrong) and self.task != "multilabel":
            raise UserError(
                f"{where}: expected one label a row, as in the training rows; {len(wrong):,} rows have none or several "
                f"(row {wrong[0] + 1} has {counts[wrong[0]]}). Take these rows out, or set task=multilabel."
            )
        flat = labels.explode().drop_nulls()
        if not flat.is_in(
            list(self.classes)
        ).all():  # 1 in a file is 1.0 in another one, where that is what training had
            flat = _as_known(flat, self.classes)
        numbers = flat.cast(pl.Enum(self.classes), strict=False).to_physical().cast(pl.Int64)
        unknown = flat.filter(numbers.is_null())
        if len(unknown) and self.task != "multilabel":
            row = int(np.flatnonzero(numbers.is_null().to_numpy())[0]) + 1  # one label a row: positions are rows
            raise UserError(
                f"{where}: {len(unknown):,} rows have a label that the training rows never have: "
                f"{listed(unknown.unique().sort())} (first in row {row}). Known labels: {listed(self.classes)}. "
                "Add such rows to the training data, or leave them out here."
            )
        if self.task != "multilabel":
            return torch.from_numpy(numbers.to_numpy().copy())
        self.num_unknown[where] = len(unknown)
        target = np.zeros((len(labels), len(self.classes)), dtype=np.uint8)
        rows = np.repeat(np.arange(len(labels)), counts)
        known = numbers.is_not_null().to_numpy()
        target[rows[known], numbers.drop_nulls().to_numpy()] = 1
        return torch.from_numpy(target)

    def warn(self, targets: dict[str, Tensor]) -> None:
        """Warn of labels that were left out, and of classes that a split does not have."""
        for split, num in self.num_unknown.items():
            if num:
                log.warning("%s: %s labels that no training row has are left out.", split, f"{num:,}")
        for split, target in targets.items():
            counts = class_counts(target, len(self.classes)).tolist()
            absent = [name for name, count in zip(self.classes, counts, strict=True) if count == 0]
            if absent and split != "train":
                log.warning("%s: no row of %s: what is measured there says nothing of it.", split, listed(absent, 3))


def _as_known(names: pl.Series, classes: tuple[str, ...]) -> pl.Series:
    """Return names that are a class but for a ``.0`` at their end, more or less, as that class."""
    known = {name.removesuffix(".0"): name for name in classes}
    bare = names.str.replace(r"\.0+$", "")
    found = bare.replace_strict(known, default=None, return_dtype=pl.String)
    return names.zip_with(names.is_in(list(classes)) | found.is_null(), found)


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


def _by_number(name: str) -> tuple[int, float, str]:
    """Order 2 before 10, and numbers before words."""
    try:
        number = float(name)
    except ValueError:
        return 1, 0.0, name
    return (0, number, name) if math.isfinite(number) else (1, 0.0, name)  # "nan" and "inf" are words
