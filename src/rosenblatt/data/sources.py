"""Data of the user's own: texts or tables from files, split, labelled and encoded."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Sequence

import polars as pl
from torch import Tensor

from rosenblatt.data.files import as_strings, column, read_frame
from rosenblatt.data.labels import LabelEncoder, one_hot, to_lists
from rosenblatt.data.module import DataModule
from rosenblatt.data.splits import SPLITS, by_column, by_fractions, check_fractions
from rosenblatt.data.table import TableEncoder
from rosenblatt.data.text import TextEncoder, Weighting
from rosenblatt.errors import UserError
from rosenblatt.spec import DataSpec, Features, Task, class_counts

log = logging.getLogger(__name__)


class FileData(DataModule):
    """Labelled rows from one file, or from one for each split; see `rosenblatt.data.files.read_frame` for formats.

    Args:
        train: file or folder with the training rows, and with those of any split that has no file of its own.
        val: file with the validation rows, or ``None``.
        test: file with the test rows, or ``None``.
        label_column: name, or number from 0, of the column with the label.
        split_column: column of ``train`` that says ``train``, ``val`` or ``test`` in each row; used where the file
            has it and neither ``val`` nor ``test`` is given. ``None``: there is none.
        fractions: shares of train, val and test, for the splits that are not given otherwise.
        label_separator: what stands between several labels in a cell, or ``None``.
        header: whether CSV and TSV files begin with column names; ``None``: they do unless columns are given by number.
        encoding: of text files.
        task: ``binary``, ``multiclass`` or ``multilabel``; ``None``: what the labels are.
        batch_size: rows per training batch.
        seed: of the random split and the order of the training rows.
    """

    def __init__(
        self,
        train: str,
        val: str | None,
        test: str | None,
        label_column: str | int,
        split_column: str | None,
        fractions: Sequence[float],
        label_separator: str | None,
        header: bool | None,
        encoding: str,
        task: Task | None,
        batch_size: int,
        seed: int,
    ) -> None:
        super().__init__(batch_size, seed)
        check_fractions(fractions)
        self.paths = {split: path for split, path in (("train", train), ("val", val), ("test", test)) if path}
        self.label_column = label_column
        self.split_column = None if split_column is None else str(split_column)  # a number where there is no header
        self.fractions = dict(zip(SPLITS, fractions, strict=True))
        self.label_separator = label_separator
        self.header = not isinstance(label_column, int) if header is None else header
        self.encoding = encoding
        self.label_encoder = LabelEncoder(task)

    def load(self) -> tuple[DataSpec, dict[str, tuple[Features, Tensor]]]:
        """Read, split, and encode with what the training rows teach."""
        frames = {split: self.read(path) for split, path in self.paths.items()}
        whole = frames["train"]
        if len(frames) == 1 and self._splits_are_named(whole):
            assert self.split_column is not None
            self.labels_of(whole, "train")  # a label that is missing is told with its row in the file, not in a split
            frames = by_column(whole, self.split_column, self.paths["train"])
        labels = {split: self.labels_of(frame, split) for split, frame in frames.items()}
        missing = [split for split in SPLITS if split not in frames and self.fractions[split] > 0]
        if missing:
            shares = {split: self.fractions[split] for split in ("train", *missing)}
            rows = by_fractions(labels["train"], shares, self.seed)
            frames |= {split: frames["train"][rows[split]] for split in (*missing, "train")}
            labels |= {split: labels["train"][rows[split]] for split in (*missing, "train")}
        self.label_encoder.fit(labels["train"])
        for split in frames:
            if frames[split].height == 0:
                raise UserError(
                    f"No row is left for {split}: data.fractions={list(self.fractions.values())} of "
                    f"{whole.height:,} rows. Give more rows, a larger share, or a file: data.{split}=..."
                )
        targets = {split: self.label_encoder.transform(labels[split], split) for split in frames}
        features = self.encode(frames, targets)
        for split, count in self.label_encoder.num_unknown.items():
            if count:
                log.warning("%s: %s labels that no training row has are left out.", split, f"{count:,}")
        assert self.label_encoder.task is not None
        spec = DataSpec(
            num_features=self.num_features,
            bags=not isinstance(features["train"], Tensor),
            task=self.label_encoder.task,
            classes=self.label_encoder.classes,
            class_counts=tuple(class_counts(targets["train"], len(self.label_encoder.classes)).tolist()),
            num_rows=targets["train"].shape[0],
        )
        return spec, {split: (features[split], targets[split]) for split in SPLITS if split in frames}

    def _splits_are_named(self, frame: pl.DataFrame) -> bool:
        """Return whether the file has the column; only the default name may be one that is not there."""
        if self.split_column is not None and self.split_column != "split":
            column(frame, self.split_column, "data.split_column", self.paths["train"])
        return self.split_column in frame.columns

    def read(self, path: str) -> pl.DataFrame:
        """Read one file."""
        return read_frame(path, self.encoding, self.header)

    def labels_of(self, frame: pl.DataFrame, split: str) -> pl.Series:
        """Return the labels of each row, as lists."""
        where = self.paths.get(split, self.paths["train"])
        labels = column(frame, self.label_column, "data.label_column", where)
        return to_lists(labels, self.label_separator, f"{where}, column {self.label_column!r}")

    @property
    @abstractmethod
    def num_features(self) -> int:
        """Number of features, once encoded."""

    @abstractmethod
    def encode(self, frames: dict[str, pl.DataFrame], targets: dict[str, Tensor]) -> dict[str, Features]:
        """Fit on ``train`` and return the features of each split."""


class TextData(FileData):
    """Labelled texts.

    Args:
        train: see `FileData`, as for all that are not here.
        text_column: name or number of the column with the text, or a list of columns that are joined with a space.
        ngrams: see `rosenblatt.data.text.TextEncoder`, as for the five after it.
    """

    def __init__(
        self,
        train: str,
        val: str | None = None,
        test: str | None = None,
        text_column: str | int | Sequence[str | int] = "text",
        label_column: str | int = "label",
        split_column: str | None = "split",
        fractions: Sequence[float] = (0.8, 0.1, 0.1),
        label_separator: str | None = None,
        header: bool | None = None,
        encoding: str = "utf-8",
        task: Task | None = None,
        ngrams: int = 2,
        char_ngrams: int = 0,
        min_count: int = 2,
        max_features: int | None = None,
        weighting: Weighting = "log_count_ratio",
        lowercase: bool = True,
        batch_size: int = 128,
        seed: int = 0,
    ) -> None:
        super().__init__(
            train, val, test, label_column, split_column, fractions, label_separator, header, encoding, task,
            batch_size, seed,
        )  # fmt: skip
        single = isinstance(text_column, str | int)
        self.text_columns: list[str | int] = [text_column] if single else list(text_column)  # type: ignore[arg-type, list-item]
        self.encoder = TextEncoder(ngrams, char_ngrams, min_count, max_features, weighting, lowercase)

    @property
    def num_features(self) -> int:
        """Size of the vocabulary."""
        return self.encoder.num_features

    def encode(self, frames: dict[str, pl.DataFrame], targets: dict[str, Tensor]) -> dict[str, Features]:
        """Fit the vocabulary on ``train`` and return the bags of each split."""
        texts = {split: self.texts_of(frame, split) for split, frame in frames.items()}
        train = texts.pop("train")
        if (train.str.strip_chars() == "").all():
            raise UserError(f"All {len(train):,} training texts are empty. Is data.text_column the right column?")
        membership = one_hot(targets["train"], len(self.label_encoder.classes))
        features: dict[str, Features] = {"train": self.encoder.fit_transform(train, membership)}
        return features | {split: self.encoder.transform(text) for split, text in texts.items()}

    def texts_of(self, frame: pl.DataFrame, split: str) -> pl.Series:
        """Return the text of each row; an empty cell is an empty text."""
        where = self.paths.get(split, self.paths["train"])
        parts = [column(frame, name, "data.text_column", where) for name in self.text_columns]
        parts = [as_strings(part, where).fill_null("").alias(str(i)) for i, part in enumerate(parts)]
        return pl.DataFrame(parts).select(pl.concat_str(pl.all(), separator=" ")).to_series().rename("text")


class TableData(FileData):
    """Labelled rows of numbers and categories.

    Args:
        train: see `FileData`, as for all that are not here.
        ignore: columns that are not to be learnt from, such as row numbers.
        categorical: see `rosenblatt.data.table.TableEncoder`, as for ``min_count``.
    """

    def __init__(
        self,
        train: str,
        val: str | None = None,
        test: str | None = None,
        label_column: str | int = "label",
        split_column: str | None = "split",
        ignore: Sequence[str] = (),
        categorical: Sequence[str] = (),
        min_count: int = 1,
        fractions: Sequence[float] = (0.8, 0.1, 0.1),
        label_separator: str | None = None,
        header: bool | None = None,
        encoding: str = "utf-8",
        task: Task | None = None,
        batch_size: int = 128,
        seed: int = 0,
    ) -> None:
        super().__init__(
            train, val, test, label_column, split_column, fractions, label_separator, header, encoding, task,
            batch_size, seed,
        )  # fmt: skip
        self.ignore = tuple(ignore)
        self.encoder = TableEncoder(categorical, min_count)

    @property
    def num_features(self) -> int:
        """Number of features."""
        return self.encoder.num_features

    def encode(self, frames: dict[str, pl.DataFrame], targets: dict[str, Tensor]) -> dict[str, Features]:
        """Fit scales and categories on ``train`` and return the features of each split."""
        label = column(frames["train"], self.label_column, "data.label_column", "").name
        ignored = [column(frames["train"], name, "data.ignore", self.paths["train"]).name for name in self.ignore]
        # With files of its own for each split, the split column would say nothing but which file this is.
        ignored += [label] if self.split_column is None else [label, self.split_column]
        frames = {split: frame.drop(ignored, strict=False) for split, frame in frames.items()}
        train = frames.pop("train")
        if train.width == 0:
            raise UserError(f"{self.paths['train']}: there is no column beside the label.")
        features = {"train": self.encoder.fit_transform(train)}
        return features | {split: self.encoder.transform(frame, split) for split, frame in frames.items()}
