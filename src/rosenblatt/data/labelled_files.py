"""Labelled rows from the user's files: read, split, and their labels numbered. Encoding is left to what they are."""

from __future__ import annotations

import logging
import os
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl
import torch
from torch import Tensor

from rosenblatt.data.cache import Cache, Entry, key_of, recorded, tell_again
from rosenblatt.data.columns import Columns, check_labels
from rosenblatt.data.encoder import Encoder
from rosenblatt.data.features import SPLITS, Bags, Splits
from rosenblatt.data.files import column
from rosenblatt.data.module import DataModule, as_parquet
from rosenblatt.data.recipe import Auto
from rosenblatt.data.splits import by_column, by_fractions, check_fractions, num_repeated
from rosenblatt.errors import UserError
from rosenblatt.tasks.inference import LabelEncoder, task_from
from rosenblatt.tasks.task import Task

log = logging.getLogger(__name__)


class FileData(DataModule):
    """Labelled rows from one file, or from one for each split; see `rosenblatt.data.files.read_blocks` for formats.

    Args:
        train: file or folder with the training rows, and with those of any split that has no file of its own.
        val: file with the validation rows, or ``None``.
        test: file with the test rows, or ``None``.
        columns: what the columns hold, and how files are read.
        split_column: column of ``train`` that says ``train``, ``val`` or ``test`` in each row; ``split`` need not be
            there. A split with a file of its own is not taken from it. ``None``: there is none.
        fractions: shares of train, val and test, for the splits that are not given otherwise.
        task: ``binary``, ``multiclass``, ``multilabel`` or ``regression``; ``None``: what the labels are.
        batch_size: rows per training batch, or ``"auto"``.
        seed: of the random split and the order of the training rows.
        cache: folder for encoded data, so that the next run on them need not encode them, or ``None``.

    Attributes:
        encoder: turns the rows into features.
    """

    encoder: Encoder

    def __init__(
        self,
        train: str,
        val: str | None,
        test: str | None,
        columns: Columns,
        split_column: str | int | None,
        fractions: Sequence[float],
        task: str | None,
        batch_size: int | Auto,
        seed: int,
        cache: str | None,
    ) -> None:
        super().__init__(batch_size, seed)
        check_fractions(fractions)
        if not train:
            raise UserError("data.train is empty. Give a file or folder: data.train=reviews.csv")
        self.paths = {split: path for split, path in (("train", train), ("val", val), ("test", test)) if path}
        self.columns = columns
        self.split_column = None if split_column is None else str(split_column)  # a number where there is no header
        self.fractions = dict(zip(SPLITS, fractions, strict=True))
        self.label_encoder = LabelEncoder(task)
        self.said = task
        self.cache = cache

    def load(self) -> tuple[Task, Splits]:
        """Read, split, and encode with what the training rows teach; or take what an earlier run has encoded."""
        if self.cache is None:
            return self._load()
        cache = Cache(Path(os.path.expanduser(self.cache)))
        try:
            key = key_of(self.paths, self._decisive)
        except OSError:  # no file that can be read twice; whether it can be read once is told there
            return self._load()
        if entry := cache.read(key):
            try:
                found = self._restore(entry)
            except (KeyError, TypeError, ValueError) as error:  # of another program
                log.warning("%s: not a whole cache entry (%r); the data are encoded again.", cache.path(key), error)
            else:
                log.info("The encoded data are read from %s.", cache.path(key))
                tell_again(entry.facts["messages"], dict(zip(entry.facts["paths"], self.paths.values(), strict=True)))
                return found
        with recorded("rosenblatt") as messages:
            task, splits = self._load()
        tensors = {"rows": _as_tensor(self._rows)}
        vocabulary = self.encoder.vocabulary()
        if vocabulary is not None:
            tensors["vocabulary"] = _as_tensor(as_parquet(vocabulary))
        for split, (features, target) in splits.items():
            tensors[f"{split}/target"] = target
            parts = features._asdict() if isinstance(features, Bags) else {"dense": features}
            tensors |= {f"{split}/{name}": tensor for name, tensor in parts.items()}
        paths = list(self.paths.values())
        facts = {"task": [task.name, task.facts()], "splits": list(splits), "paths": paths, "messages": messages}
        facts |= {"encoder": self.encoder.facts(), "num_repeated": self.num_repeated}
        cache.write(key, Entry(tensors, facts))
        return task, splits

    @property
    def _decisive(self) -> dict[str, Any]:
        """All settings that decide what becomes of the files."""
        settings = {name: getattr(self, name) for name in ("split_column", "fractions", "said")}
        settings |= asdict(self.columns) | self.choice_of_columns | self.encoder.settings
        drawn = set(self.paths) != set(SPLITS)  # at random, unless a column says
        return settings | {"source": type(self).__name__, "seed": self.seed if drawn else None}

    def _restore(self, entry: Entry) -> tuple[Task, Splits]:
        tensors, facts = entry
        task = task_from(*facts["task"])
        self.label_encoder.classes, self.label_encoder.task = task.classes, task.name
        vocabulary = pl.read_parquet(_as_bytes(tensors["vocabulary"])) if "vocabulary" in tensors else None
        self.encoder.learn(facts["encoder"], vocabulary)
        self.num_repeated, self._rows = facts["num_repeated"], _as_bytes(tensors["rows"])
        splits: Splits = {}
        for split in facts["splits"]:
            features = (
                tensors[f"{split}/dense"]
                if f"{split}/dense" in tensors
                else Bags(*(tensors[f"{split}/{name}"] for name in Bags._fields))
            )
            splits[split] = features, tensors[f"{split}/target"]
        return task, splits

    def _load(self) -> tuple[Task, Splits]:
        frames = {split: self.columns.read(path) for split, path in self.paths.items()}
        whole = frames["train"]
        num_rows = whole.height
        where = f"{self.paths['train']}, column {self.columns.label!r}"
        self.label_encoder.infer(self.labels_of(whole, "train"), where)
        if self._splits_are_named(whole):
            assert self.split_column is not None
            # A file of its own wins; the rows that the column gives to that split are used for nothing.
            frames = by_column(whole, self.split_column, self.paths["train"]) | {
                split: frame for split, frame in frames.items() if split != "train"
            }
        labels = {split: self.labels_of(frame, split) for split, frame in frames.items()}
        missing = [split for split in SPLITS if split not in frames and self.fractions[split] > 0]
        if missing:
            shares = {split: self.fractions[split] for split in ("train", *missing)}
            numbers = self.label_encoder.task == "regression"
            rows = by_fractions(len(labels["train"]) if numbers else labels["train"], shares, self.seed)
            frames |= {split: frames["train"][rows[split]] for split in (*missing, "train")}
            labels |= {split: labels["train"][rows[split]] for split in (*missing, "train")}
        self.label_encoder.fit(labels["train"])
        for split in frames:
            if frames[split].height == 0:
                raise UserError(
                    f"No row is left for {split}: data.fractions={list(self.fractions.values())} of "
                    f"{num_rows:,} rows. Give more rows, a larger share, or a file: data.{split}=..."
                )
        targets = {split: self.label_encoder.transform(labels[split], split) for split in frames}
        self.label_encoder.warn(targets)
        self._rows = as_parquet(frames[next(split for split in reversed(SPLITS) if split in frames)])
        del labels, whole  # `encode` frees the frames when it can: beside the features they need twice the memory
        found = self.encode(frames, targets)
        return self.label_encoder.made(targets["train"]), {split: found[split] for split in SPLITS if split in found}

    def _splits_are_named(self, frame: pl.DataFrame) -> bool:
        """Return whether the file has the column; only the default name may be one that is not there."""
        if self.split_column is not None and self.split_column != "split":
            column(frame, self.split_column, "data.split_column", self.paths["train"])
        return self.split_column in frame.columns

    def rows(self, split: str) -> bytes | None:
        """Return the rows of the last split as a Parquet file; those of others are not kept."""
        return self._rows if split == list(self.splits)[-1] else None

    def labels_of(self, frame: pl.DataFrame, split: str) -> pl.Series:
        """Return the labels of each row, as lists."""
        where = self.paths.get(split, self.paths["train"])
        lists = self.columns.labels_of(frame, where)
        if split == "train":
            check_labels(lists, f"{where}, column {self.columns.label!r}", self.label_encoder.task)
        return lists

    def tell_repeated(self, learnt_from: dict[str, pl.DataFrame]) -> None:
        """Count the rows of other splits that are in ``train`` too, and warn of them.

        Args:
            learnt_from: by split, the columns that are learnt from.
        """
        for split, frame in learnt_from.items():
            if split != "train":
                self.num_repeated[split] = num = num_repeated(learnt_from["train"], frame)
                if num:
                    log.warning(
                        "%s: %s of %s rows are in train too; what is measured there is better than on new rows.",
                        split, f"{num:,}", f"{frame.height:,}",
                    )  # fmt: skip

    @property
    @abstractmethod
    def choice_of_columns(self) -> dict[str, Any]:
        """Settings of the source that decide which columns are encoded, as JSON takes them."""

    @abstractmethod
    def encode(self, frames: dict[str, pl.DataFrame], targets: dict[str, Tensor]) -> Splits:
        """Fit on ``train`` and return the features and target of each split.

        Args:
            frames: the rows of each split; may be emptied.
            targets: of the same rows. Where features come in another order, the target returned with them does too.
        """


def _as_tensor(content: bytes) -> Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)


def _as_bytes(tensor: Tensor) -> bytes:
    return tensor.numpy().tobytes()
