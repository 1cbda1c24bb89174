"""Labelled texts from the user's files; with Lightning, what ``data=text`` is."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import polars as pl
import torch
from torch import Tensor

from rosenblatt.data.columns import BrokenRows, Columns
from rosenblatt.data.features import Splits
from rosenblatt.data.labelled_files import FileData
from rosenblatt.data.recipe import Auto
from rosenblatt.errors import UserError
from rosenblatt.tasks.task import Task
from rosenblatt.text.encoder import TextEncoder, Weighting
from rosenblatt.text.ngrams import Ints

log = logging.getLogger(__name__)


class TextRows(FileData):
    """Labelled texts.

    Args:
        train: see `FileData`, as for all that are not here.
        text_column: name or number of the column with the text, or a list of columns that are joined with a space.
        ngrams: see `rosenblatt.text.encoder.TextEncoder`, as for the six after it.
    """

    encoder: TextEncoder

    def __init__(
        self,
        train: str,
        val: str | None = None,
        test: str | None = None,
        text_column: str | int | Sequence[str | int] = "text",
        label_column: str | int | Sequence[str | int] = "label",
        split_column: str | int | None = "split",
        fractions: Sequence[float] = (0.8, 0.1, 0.1),
        label_separator: str | None = None,
        header: bool | None = None,
        encoding: str = "utf-8",
        separator: str | None = None,
        broken_rows: BrokenRows = "refuse",
        task: str | None = None,
        ngrams: int = 2,
        char_ngrams: int | Auto = "auto",
        min_count: int = 2,
        max_features: int | Auto | None = "auto",
        weighting: Weighting = "auto",
        lowercase: bool = True,
        punctuation: bool = False,
        refit: bool = True,
        batch_size: int | Auto = "auto",
        seed: int = 0,
        cache: str | None = None,
    ) -> None:
        if text_column in ("", []):
            raise UserError("data.text_column is empty. Give the name of a column, or several: [title,body]")
        self.encoder = TextEncoder(ngrams, char_ngrams, min_count, max_features, weighting, lowercase, punctuation)
        columns = Columns("", (), label_separator, header, encoding, separator, broken_rows)
        columns = columns.named(text_column, label_column)
        super().__init__(train, val, test, columns, split_column, fractions, task, batch_size, seed, cache, refit)

    def encode(self, frames: dict[str, pl.DataFrame], targets: dict[str, Tensor], task: Task) -> Splits:
        """Fit the vocabulary on ``train`` and return the bags of each split; training rows are shuffled, once."""
        texts = {
            split: self.columns.texts_of(frame, self.paths.get(split, self.paths["train"]))
            for split, frame in frames.items()
        }
        self.tell_repeated({split: text.rename("text").to_frame() for split, text in texts.items()})
        num_rows = len(texts["train"])
        num_empty = num_rows - int(texts["train"].str.contains(r"\S").sum())
        if num_empty == num_rows:
            raise UserError(f"All {num_rows:,} training texts are empty. Is data.text_column the right column?")
        if num_empty:
            log.warning("%s of %s training texts are empty.", f"{num_empty:,}", f"{num_rows:,}")
        frames.clear()  # the texts alone are needed from here on, and each until it is numbered
        # Batches are stretches of rows that lie side by side, and files are often sorted by class.
        order = np.random.default_rng(0).permutation(num_rows)
        target = targets["train"][torch.from_numpy(order)]
        bags = self.encoder.fit_transform(texts.pop("train")[order], groups_of(task, target), task.num_outputs)
        splits: Splits = {"train": (bags, target)}
        return splits | {split: (self.encoder.transform(texts.pop(split)), targets[split]) for split in [*texts]}


def groups_of(task: Task, target: Tensor) -> list[Ints]:
    """Return the rows of each class; of numbers, those below the median and the others, which words may tell apart."""
    if task.classes:
        return rows_of_class(target, len(task.classes))
    above = target > target.median()
    return rows_of_class((above if above.any() else target == target.max()).long(), 2)


def rows_of_class(target: Tensor, num_classes: int) -> list[Ints]:
    """Return the numbers of the rows that have each class, ascending, from either kind of target."""
    if target.ndim == 2:
        return [np.flatnonzero(target[:, k].numpy()) for k in range(num_classes)]
    order = np.argsort(target.numpy(), kind="stable")
    ends = np.cumsum(np.bincount(target.numpy(), minlength=num_classes))
    return np.split(order, ends[:-1])
