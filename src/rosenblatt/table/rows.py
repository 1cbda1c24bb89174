"""Labelled rows of numbers and categories from the user's files; with Lightning, what ``data=table`` is."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import polars as pl
from torch import Tensor

from rosenblatt.data.columns import BrokenRows, Columns, column
from rosenblatt.data.features import Splits
from rosenblatt.data.labelled_files import FileData
from rosenblatt.data.recipe import Auto
from rosenblatt.errors import UserError
from rosenblatt.table.encoder import NumberColumn, PeakedColumn, TableEncoder
from rosenblatt.table.giveaway import gives_away
from rosenblatt.tasks.task import Task

log = logging.getLogger(__name__)


class TableRows(FileData):
    """Labelled rows of numbers and categories.

    Args:
        train: see `FileData`, as for all that are not here.
        ignore: columns that are not to be learnt from, such as row numbers.
        keep: columns to learn from even if they count the rows, or have another word in each.
        categorical: see `rosenblatt.table.encoder.TableEncoder`, as for ``min_count`` and ``bins``.
        missing: words that mean missing in all columns; ``None``: those that do beside numbers and dates.
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
        keep: Sequence[str | int] = (),
        categorical: Sequence[str | int] = (),
        min_count: int = 1,
        bins: int = 32,
        missing: Sequence[str | float | None] | None = None,
        fractions: Sequence[float] = (0.8, 0.1, 0.1),
        label_separator: str | None = None,
        header: bool | None = None,
        encoding: str = "utf-8",
        separator: str | None = None,
        broken_rows: BrokenRows = "refuse",
        task: str | None = None,
        batch_size: int | Auto = "auto",
        seed: int = 0,
        cache: str | None = None,
    ) -> None:
        columns = Columns("", (), label_separator, header, encoding, separator, broken_rows).named(label=label_column)
        super().__init__(train, val, test, columns, split_column, fractions, task, batch_size, seed, cache)
        self.ignore, self.keep = tuple(ignore), tuple(keep)
        self.missing = None if missing is None else tuple(missing)
        self.encoder = TableEncoder(categorical, min_count, bins)

    @property
    def sizes(self) -> dict[str, Any]:
        """What a model may ask for; also how many features columns have, which hold numbers, and which have a peak."""
        columns = self.encoder.columns
        numbers = [i for i, one in enumerate(columns) if isinstance(one, NumberColumn)]
        peaked = [i for i in numbers if isinstance(columns[i], PeakedColumn)]
        return super().sizes | {"columns": [one.size for one in columns], "numbers": numbers, "peaked": peaked}

    @property
    def decisive(self) -> dict[str, Any]:
        """All settings that decide what becomes of the files."""
        return super().decisive | {"ignore": self.ignore, "keep": self.keep, "missing": self.missing}

    def encode(self, frames: dict[str, pl.DataFrame], targets: dict[str, Tensor], task: Task) -> Splits:
        """Fit scales and categories on ``train`` and return the features of each split."""
        labels = self.columns.label_names(frames["train"], self.paths["train"])
        ignored, keep = (
            [column(frames["train"], name, key, self.paths["train"]).name for name in names]
            for key, names in (("data.ignore", self.ignore), ("data.keep", self.keep))
        )
        # The split column says where a row came from, not what it is.
        ignored += labels if self.split_column is None else [*labels, self.split_column]
        frames = {split: frame.drop(ignored, strict=False) for split, frame in frames.items()}
        train = frames["train"]
        if train.width == 0:
            raise UserError(f"{self.paths['train']}: there is no column beside the label.")
        self.encoder.fit(train, sum(frame.height for frame in frames.values()), keep, self.missing)
        parts = {split: self.encoder.parts(frame, split) for split, frame in frames.items()}
        pairs = zip(self.encoder.columns, parts["train"], parts.get("val", ()), strict=False)
        two = targets["train"], targets.get("val", targets["train"])
        for name in dict.fromkeys(one.name for one, old, new in pairs if gives_away(old, new, *two)):
            log.warning(
                "Column %r alone gives the label of nearly all validation rows away. If it is not known before the "
                "label is: \"data.ignore=[%r]\"", name, name,
            )  # fmt: skip
        # Parts are freed one by one: beside the features they need twice the memory.
        splits: Splits = {one: (self.encoder.features_from(parts.pop(one)), targets[one]) for one in list(parts)}
        learnt_from = list(dict.fromkeys(one.name for one in self.encoder.columns))
        self.tell_repeated({split: frame.select(learnt_from) for split, frame in frames.items()})
        return splits
