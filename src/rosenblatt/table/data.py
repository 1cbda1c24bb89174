"""Labelled rows of numbers and categories from the user's files: what ``data=table`` is."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from torch import Tensor

from rosenblatt.data.columns import Columns, column
from rosenblatt.data.features import Splits
from rosenblatt.data.labelled_files import FileData
from rosenblatt.data.recipe import Auto
from rosenblatt.errors import UserError
from rosenblatt.table.encoder import TableEncoder
from rosenblatt.tasks.task import Task


class TableData(FileData):
    """Labelled rows of numbers and categories.

    Args:
        train: see `FileData`, as for all that are not here.
        ignore: columns that are not to be learnt from, such as row numbers.
        categorical: see `rosenblatt.table.encoder.TableEncoder`, as for ``min_count`` and ``bins``.
    """

    encoder: TableEncoder

    def __init__(
        self,
        train: str,
        val: str | None = None,
        test: str | None = None,
        label_column: str | int | Sequence[str | int] = "label",
        split_column: str | int | None = "split",
        ignore: Sequence[str | int] = (),
        categorical: Sequence[str | int] = (),
        min_count: int = 1,
        bins: int = 32,
        fractions: Sequence[float] = (0.8, 0.1, 0.1),
        label_separator: str | None = None,
        header: bool | None = None,
        encoding: str = "utf-8",
        task: str | None = None,
        batch_size: int | Auto = "auto",
        seed: int = 0,
        cache: str | None = None,
    ) -> None:
        columns = Columns("", (), label_separator, header, encoding).named(label=label_column)
        super().__init__(train, val, test, columns, split_column, fractions, task, batch_size, seed, cache)
        self.ignore = tuple(ignore)
        self.encoder = TableEncoder(categorical, min_count, bins)

    def encode(self, frames: dict[str, pl.DataFrame], targets: dict[str, Tensor], task: Task) -> Splits:
        """Fit scales and categories on ``train`` and return the features of each split."""
        labels = self.columns.label_names(frames["train"], self.paths["train"])
        ignored = [column(frames["train"], name, "data.ignore", self.paths["train"]).name for name in self.ignore]
        # The split column says where a row came from, not what it is.
        ignored += labels if self.split_column is None else [*labels, self.split_column]
        frames = {split: frame.drop(ignored, strict=False) for split, frame in frames.items()}
        train = frames.pop("train")
        if train.width == 0:
            raise UserError(f"{self.paths['train']}: there is no column beside the label.")
        splits: Splits = {"train": (self.encoder.fit_transform(train), targets["train"])}
        splits |= {split: (self.encoder.transform(frame, split), targets[split]) for split, frame in frames.items()}
        self.tell_repeated({"train": train} | {split: frame.select(train.columns) for split, frame in frames.items()})
        return splits
