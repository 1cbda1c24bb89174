"""Labelled rows from the user's files: read, split into train, val and test, and their labels numbered.

Encoding is left to what they are: texts, or columns of a table.
"""

from __future__ import annotations

import logging
import os
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from rosenblatt.data.ahead import taken
from rosenblatt.data.batches import Batches, rows_at
from rosenblatt.data.cache import Cache, key_of, recorded
from rosenblatt.data.columns import Columns, are_lists, column
from rosenblatt.data.encoder import Encoder
from rosenblatt.data.features import SPLITS, Splits, batch_of, joined_rows, tensors_of
from rosenblatt.data.in_memory import InMemory, as_parquet
from rosenblatt.data.numbers import reading_of
from rosenblatt.data.recipe import Auto
from rosenblatt.errors import UserError, listed
from rosenblatt.tasks.inference import MOSTLY, LabelEncoder, task_from, tell_alike
from rosenblatt.tasks.task import Task

log = logging.getLogger(__name__)

MAX_REFIT = 20_000  # rows up to which it pays to train anew on validation rows, too


class FileData(InMemory):
    """Labelled rows from one file, or from one for each split; see `rosenblatt.data.files.read_blocks` for formats.

    Args:
        train: file or folder with the training rows, and with those of any split that has no file of its own.
        val: file with the validation rows, or ``None``; ``test`` likewise.
        columns: what the columns hold, and how files are read.
        split_column: column of ``train`` that says ``train``, ``val`` or ``test`` in each row; ``split`` need not be
            there. A split with a file of its own is not taken from it. ``None``: there is none.
        fractions: shares of train, val and test, for the splits that are not given otherwise.
        task: ``binary``, ``multiclass``, ``multilabel`` or ``regression``; ``None``: what the labels are.
        batch_size: see `InMemory`, as for ``seed``.
        cache: folder for encoded data, so that the next run on them need not encode them, or ``None``.
        refit: see `refit_dataloader`.

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
        refit: bool = False,
    ) -> None:
        super().__init__(batch_size, seed)
        check_fractions(fractions)
        if not train:
            raise UserError("data.train is empty. Give a file or folder: data.train=reviews.csv")
        self.paths = {split: path for split, path in (("train", train), ("val", val), ("test", test)) if path}
        self.columns = columns
        self.split_column = None if split_column is None else str(split_column)  # a number where there is no header
        self.fractions = dict(zip(SPLITS, fractions, strict=True))
        self.labels = LabelEncoder("multilabel" if isinstance(columns.label, tuple) and task is None else task)
        self.cache = cache
        self.refit = refit
        self.val_is_drawn = False  # from the training rows, at random

    def load(self) -> tuple[Task, Splits]:
        """Read, split, and encode with what the training rows teach; or take what an earlier run, or thread, has."""
        if found := taken(self):
            return found
        self._says_header = self.columns.header is not None
        self.columns = self.columns.settled(self.paths["train"])
        if self.cache is None:
            return self._load()
        cache = Cache(Path(os.path.expanduser(self.cache)))
        try:
            key = key_of(self.paths, self.decisive)
        except OSError:  # no file that can be read twice; whether it can be read once is told there
            return self._load()
        if found := cache.read(key, self._restored):
            return found
        with recorded("rosenblatt") as messages:
            task, splits = self._load()
        tensors = {f"{split}/{i}": one for split, batch in splits.items() for i, one in enumerate(tensors_of(batch))}
        tensors["rows"] = torch.frombuffer(bytearray(self._rows), dtype=torch.uint8)
        vocabulary = self.encoder.vocabulary()
        if vocabulary is not None:
            tensors["vocabulary"] = torch.frombuffer(bytearray(as_parquet(vocabulary)), dtype=torch.uint8)
        facts = {
            "task": [task.name, task.facts()],
            "paths": list(self.paths.values()),
            "messages": messages,
            "encoder": self.encoder.facts(),
            "num_repeated": self.num_repeated,
            "val_is_drawn": self.val_is_drawn,
            "decimal": self.columns.decimal,
        }
        cache.write(key, tensors, facts)
        return task, splits

    @property
    def decisive(self) -> dict[str, Any]:
        """All settings that decide what becomes of the files."""
        drawn = set(self.paths) != set(SPLITS)  # at random, unless a column says
        return {
            "source": type(self.encoder).__name__,
            "split_column": self.split_column,
            "fractions": self.fractions,
            "task": self.labels.said,
            "seed": self.seed if drawn else None,
            **asdict(self.columns),
            **self.encoder.settings,
        }

    def _restored(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> tuple[Task, Splits]:
        """Take what `load` has kept, and tell again what was told then, of files where they are now."""
        parts = {split: [tensors[name] for name in sorted(tensors) if name.startswith(f"{split}/")] for split in SPLITS}
        found = task_from(*facts["task"]), {split: batch_of(some) for split, some in parts.items() if some}
        vocabulary = pl.read_parquet(tensors["vocabulary"].numpy().tobytes()) if "vocabulary" in tensors else None
        self.encoder.learn(facts["encoder"], vocabulary)
        self.columns = replace(self.columns, decimal=facts["decimal"])
        self.val_is_drawn = facts["val_is_drawn"]
        self.num_repeated, self._rows = facts["num_repeated"], tensors["rows"].numpy().tobytes()
        for level, message in facts["messages"]:
            for before, now in zip(facts["paths"], self.paths.values(), strict=True):
                message = message.replace(before, now)
            log.log(level, message)
        return found

    def _load(self) -> tuple[Task, Splits]:
        source = self.paths["train"]
        where = f"{source}, column {self.columns.label!r}"
        frames = {split: self.columns.read(path) for split, path in self.paths.items()}
        whole = frames["train"]
        names = self.columns.label_names(whole, source)
        if self.labels.said is None and are_lists(whole[names[0]]):
            log.info("%s holds lists, so that rows may have several labels: task=multilabel.", where)
            self.labels = LabelEncoder("multilabel")
        lists = self._labels(whole, source, where)
        task = self.labels.task or (None if (lists.list.len() == 1).all() else "multilabel")
        whole, lists = self.columns.labelled(whole, lists, source, task)
        frames["train"] = whole
        if self.split_column not in (None, "split"):  # only the default name may be one that is not there
            column(whole, self.split_column, "data.split_column", source)
        if self.split_column in whole.columns:
            # A file of its own wins; the rows that the column gives to that split are used for nothing.
            frames = by_column(whole, self.split_column, source) | {
                split: frame for split, frame in frames.items() if split != "train"
            }
        labels = {"train": lists}
        for split, frame in frames.items():
            if frame is not whole:
                path = self.paths.get(split, source)
                theirs = self.columns.labels_of(frame, path, task)
                frames[split], labels[split] = self.columns.labelled(frame, theirs, path, task)
        missing = [split for split in SPLITS if split not in frames and self.fractions[split] > 0]
        self.val_is_drawn = "val" in missing
        if missing:
            shares = {split: self.fractions[split] for split in ("train", *missing)}
            numbers, every = self.labels.task == "regression", labels["train"]
            rows = by_fractions(every.clear(len(every)) if numbers else every, shares, self.seed)
            frames |= {split: frames["train"][rows[split]] for split in (*missing, "train")}
            labels |= {split: labels["train"][rows[split]] for split in (*missing, "train")}
        self.labels.fit(labels["train"], names if len(names) > 1 else ())
        if self.labels.classes:
            tell_alike(lists, where)
            first = lists.list.first().fill_null("")
            if not self._says_header and whole.columns[0] == "0" and (first == first[0]).sum() == 1:
                told = "%s: no row has the label of the first one, %r. If that is a header: data.header=true"
                log.warning(told, where, first[0])
        for split, frame in frames.items():
            if frame.height == 0:
                raise UserError(
                    f"No row is left for {split}: data.fractions={list(self.fractions.values())} of "
                    f"{whole.height:,} rows. Give more rows, a larger share, or a file: data.{split}=..."
                )
        targets = {split: self.labels.transform(labels[split], split) for split in frames}
        self.labels.warn(targets)
        made = self.labels.made(targets["train"])
        self._rows = as_parquet(frames[next(split for split in reversed(SPLITS) if split in frames)])
        # `encode` frees the frames when it can: beside the features they need twice the memory.
        del lists, labels, whole, frame
        found = self.encode(frames, targets, made)
        return made, {split: found[split] for split in SPLITS if split in found}

    def _labels(self, whole: pl.DataFrame, source: str, where: str) -> pl.Series:
        """Return the labels of all rows, and tell numbers from classes; numbers may be as people write them."""
        said, lists = self.columns, self.columns.labels_of(whole, source, self.labels.said)
        words = lists.list.first()
        read = reading_of(words, words.cast(pl.Float64, strict=False))
        mends = read.told or (said.broken_rows == "skip" and read.share < 1)
        if mends and read.share >= MOSTLY and lists.list.len().max() == 1:
            self.columns = replace(said, decimal=read.form)
            numbers = self.columns.labels_of(whole, source, "regression")
            self.labels.infer(numbers.drop_nulls(), where)
            if self.labels.task == "regression":
                if read.told:
                    log.info("%s: numbers are read as they are written: %s.", where, read.told)
                return numbers
            self.columns = said  # 1,5 is a class
        self.labels.infer(lists.drop_nulls(), where)
        return lists

    def rows(self, split: str) -> bytes | None:
        """Return the rows of the last split as a Parquet file; those of others are not kept."""
        return self._rows if split == list(self.splits)[-1] else None

    def refit_dataloader(self) -> Batches | None:
        """Return batches of all rows of ``train`` and ``val``, to train anew on once validation has said how long.

        Where ``refit`` is set, the validation rows were drawn from the training rows, and test is there to measure on;
        of many rows the last ones bring less than it takes to train anew.
        """
        if not (self.refit and self.val_is_drawn and "test" in self.splits):
            return None
        if sum(len(self.splits[split][1]) for split in ("train", "val")) > MAX_REFIT:
            return None
        features, target = joined_rows(self.splits["train"], self.splits["val"])
        order = torch.from_numpy(np.random.default_rng(self.seed).permutation(len(target)))  # files may be sorted
        return Batches(rows_at(features, order), target[order], self.batch_size, shuffle=True, seed=self.seed)

    def tell_repeated(self, learnt_from: dict[str, pl.DataFrame]) -> None:
        """Count the rows of other splits that are in ``train`` too, by columns to learn from, and warn of them."""
        for split in [one for one in learnt_from if one != "train"]:
            frames = learnt_from["train"], learnt_from[split]
            if frames[0].dtypes != frames[1].dtypes:  # such as whole numbers in one file and others in the other
                frames = frames[0].cast(pl.String), frames[1].cast(pl.String)
            train, other = (one.to_series().hash() if one.width == 1 else one.hash_rows() for one in frames)
            self.num_repeated[split] = num = int(other.is_in(train.unique().implode()).sum())
            if num:
                log.warning(
                    "%s: %s of %s rows are in train too; what is measured there is better than on new rows.",
                    split, f"{num:,}", f"{len(other):,}",
                )  # fmt: skip

    @abstractmethod
    def encode(self, frames: dict[str, pl.DataFrame], targets: dict[str, Tensor], task: Task) -> Splits:
        """Fit on ``train`` and return the features and target of each split; may empty ``frames``.

        Where features come in another order than rows, the target returned with them does too.
        """


SPLIT_NAMES = {"train": ["train", "training"], "val": ["val", "valid", "validation", "dev"], "test": ["test"]}


def check_fractions(fractions: Sequence[float]) -> None:
    """Raise a `UserError` unless these are the shares of train, val and test."""
    good = len(fractions) == 3 and all(0 <= share < 1 for share in fractions) and abs(sum(fractions) - 1) < 1e-6
    if not good or fractions[0] == 0 or fractions[1] == 0:
        raise UserError(
            "data.fractions: expected the shares of train, val and test, which sum to 1, the first two above 0, "
            f"such as [0.8,0.1,0.1]; got {list(fractions)}, which sum to {sum(fractions):g}."
        )


def by_column(frame: pl.DataFrame, column: str, where: str) -> dict[str, pl.DataFrame]:
    """Split a frame by the column that names the split of each row.

    Raises:
        UserError: a name that is no split, or no row to train on.
    """
    names = frame[column].cast(pl.String).str.strip_chars().str.to_lowercase()
    known = [name for meant in SPLIT_NAMES.values() for name in meant]
    unknown = names.filter(~names.is_in(known) | names.is_null())
    if len(unknown):
        raise UserError(
            f"{where}: column {column!r} should name a split ({listed(known)}); {len(unknown):,} rows have "
            f"{listed(unknown.unique().sort())}. Correct them, or set data.split_column=null to ignore the column."
        )
    parts = {split: frame.filter(names.is_in(meant)) for split, meant in SPLIT_NAMES.items()}
    if parts["train"].height == 0:
        raise UserError(f"{where}: no row of column {column!r} says 'train'.")
    return {split: part for split, part in parts.items() if part.height}


def by_fractions(labels: pl.Series, shares: dict[str, float], seed: int) -> dict[str, np.ndarray]:
    """Divide rows among splits at random, each class (its first label, where there are several) alike.

    Args:
        labels: N lists of strings; all null where there are no classes.
        shares: share of the rows for each split; ``"train"`` among them. They are made to sum to 1.
        seed: of the draw.

    Returns:
        Row numbers of each split, ascending. Each class has a row in train; else sizes are right to a few rows.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(labels))
    codes = labels.list.first().fill_null("").rank("dense").to_numpy()[shuffled]
    # Rows in random order within a class, class after class: every stretch of it is a stratified sample, so that
    # taking rows at even steps keeps both the classes and the sizes right.
    ordered = shuffled[np.argsort(codes, kind="stable")]
    codes = np.sort(codes)
    first_of_class = np.append(True, codes[1:] != codes[:-1])
    total = sum(shares.values())
    bounds = np.cumsum([shares[split] / total for split in shares])
    step = (np.sqrt(5) - 1) / 2  # golden ratio: its multiples, modulo 1, fill [0, 1) evenly from the first on
    position = (rng.random() + step * np.arange(len(labels))) % 1
    number = np.searchsorted(bounds[:-1], position, side="right")
    number[first_of_class] = list(shares).index("train")
    return {split: np.sort(ordered[number == i]) for i, split in enumerate(shares)}
