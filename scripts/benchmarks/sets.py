"""The real data sets: what our command is told, and the same rows as files for the peers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

# An HTML tag, a word with its apostrophes, or one other character that is no space: as our encoder splits a text
# with data.punctuation=true.
WORD = r"</?[\pL][^<>]{0,80}>|[\w']+|[^\w\s]"
SEED = 0

Frames = dict[str, pl.DataFrame]  # train and test: text, and labels, a list a row


@dataclass(frozen=True)
class TextSet:
    """Labelled texts.

    Args:
        name: of the folder with the files.
        title: as the tables show it.
        ours: what follows ``python train.py data=text``; ``{data}`` stands for the folder of the set, ``{made}`` for
            the folder with the files made of it.
        read: reads the rows that peers get from the folder of the set; files that our command needs and the set does
            not have are written to the second folder.
        metric: of our command, which is what peers call accuracy.
        tuned: settings of fastText beside its defaults.
        spaced: whether there are spaces between words; if not, peers that read words alone are left out.
    """

    name: str
    title: str
    ours: str
    read: Callable[[Path, Path], Frames]
    metric: str = "acc"
    tuned: Mapping[str, Any] = field(default_factory=lambda: {"wordNgrams": 2, "lr": 0.5, "epoch": 25})
    spaced: bool = True

    def settings(self, data: Path, made: Path) -> list[str]:
        """Return the arguments of our command."""
        words = ["data=text", *self.ours.split()]
        return [word.replace("{data}", str(data / self.name)).replace("{made}", str(made)) for word in words]

    def prepare(self, data: Path, work: Path) -> Path:
        """Write ``train`` and ``test`` as ``.parquet`` (text, labels), ``.ft`` and, of two classes, ``.vw``.

        Texts of the last two are in lower case and split into words. The training rows are shuffled: some files are
        sorted by class, and not every peer shuffles.

        Args:
            data: holds the folder of the set.
            work: gets a folder with the files.
        """
        made = work / self.name
        made.mkdir(parents=True, exist_ok=True)
        frames = self.read(data / self.name, made)
        frames["train"] = frames["train"].sample(fraction=1, shuffle=True, seed=SEED)
        classes = sorted(frames["train"]["labels"].explode().unique())
        for split, frame in frames.items():
            frame.write_parquet(made / f"{split}.parquet")
            words = frame["text"].fill_null("").str.to_lowercase().str.extract_all(WORD).list.join(" ").to_list()
            labels = frame["labels"].to_list()
            rows = list(zip(labels, words, strict=True))
            _write(
                made / f"{split}.ft", [" ".join([*(f"__label__{one}" for one in some), text]) for some, text in rows]
            )
            if len(classes) == 2:
                signs = {classes[0]: "-1", classes[1]: "1"}
                _write(made / f"{split}.vw", [f"{signs[some[0]]} |w {_plain(text)}" for some, text in rows])
        return made


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _plain(text: str) -> str:
    """Replace the two characters that mean something to Vowpal Wabbit."""
    return text.replace(":", "COLON").replace("|", "PIPE")


def _labelled(frame: pl.DataFrame, text: str = "text", label: str = "label") -> pl.DataFrame:
    labels = pl.concat_list(pl.col(label).cast(pl.String).str.replace_all(" ", "_")).alias("labels")
    return frame.select(pl.col(text).alias("text"), labels)


def _csv(folder: Path, made: Path) -> Frames:
    return {split: _labelled(pl.read_csv(folder / f"{split}.csv")) for split in ("train", "test")}


def _parquet(folder: Path, made: Path) -> Frames:
    return {split: _labelled(pl.read_parquet(folder / f"{split}.parquet")) for split in ("train", "test")}


def _surnames(folder: Path, made: Path) -> Frames:
    frame = pl.read_csv(folder / "surnames_with_splits.csv")
    return {
        split: _labelled(frame.filter(pl.col("split") == split), "surname", "nationality")
        for split in ("train", "test")
    }


def _cooking(folder: Path, made: Path) -> Frames:
    """Divide the file of fastText's tutorial as the tutorial does: the first 12,404 lines, the last 3,000."""
    lines = (folder / "cooking.stackexchange.txt").read_text(encoding="utf-8").splitlines()
    frames = {}
    for split, part in {"train": lines[:12_404], "test": lines[-3_000:]}.items():
        _write(made / f"{split}.txt", part)
        rows = [line.split() for line in part]
        labels = [[word.removeprefix("__label__") for word in row if word.startswith("__label__")] for row in rows]
        texts = [" ".join(word for word in row if not word.startswith("__label__")) for row in rows]
        frames[split] = pl.DataFrame({"text": texts, "labels": labels})
    return frames


def _sentences(folder: Path, made: Path) -> Frames:
    """Divide each of the three sources 80 to 20, at random: they come without a split."""
    rng = np.random.default_rng(SEED)
    parts: dict[str, list[list[str]]] = {"train": [], "test": []}
    for path in sorted(folder.glob("*.txt")):
        # Not splitlines(): some sentences hold other characters that it takes for the end of a line.
        rows = [line.rsplit("\t", 1) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
        order = rng.permutation(len(rows))
        cut = len(rows) * 8 // 10
        parts["train"] += [rows[i] for i in order[:cut]]
        parts["test"] += [rows[i] for i in order[cut:]]
    frames = {split: pl.DataFrame(rows, schema=["text", "label"], orient="row") for split, rows in parts.items()}
    for split, frame in frames.items():
        frame.write_csv(made / f"{split}.csv")
    return {split: _labelled(frame) for split, frame in frames.items()}


PARQUET = "data.train='{data}/train.parquet' data.test='{data}/test.parquet'"
CHARACTERS = {"minn": 1, "maxn": 5, "lr": 0.5, "epoch": 25}
TEXT_SETS = (
    TextSet("imdb", "IMDB", PARQUET, _parquet),
    TextSet(
        "sst2", "SST-2", "data.train='{data}/train.csv' data.val='{data}/val.csv' data.test='{data}/test.csv'", _csv
    ),
    TextSet("trec", "TREC", "data.train='{data}/train.csv' data.test='{data}/test.csv'", _csv),
    TextSet(
        "surnames",
        "surnames",
        "data.train='{data}/surnames_with_splits.csv' data.text_column=surname data.label_column=nationality",
        _surnames,
        tuned=CHARACTERS,
    ),
    TextSet(
        "cooking",
        "cooking",
        "data.train='{made}/train.txt' data.test='{made}/test.txt'",
        _cooking,
        metric="p_at_1",
        tuned={"wordNgrams": 2, "lr": 1.0, "epoch": 25},  # of its tutorial
    ),
    TextSet(
        "sentiment_sentences", "sentences", "data.train='{made}/train.csv' data.test='{made}/test.csv'", _sentences
    ),
    TextSet("20ng", "20 newsgroups", PARQUET, _parquet),
    TextSet("banking", "Banking77", PARQUET, _parquet),
    TextSet("yelp10k", "Yelp, five stars", PARQUET, _parquet),
    TextSet("zh_titles", "Chinese titles", PARQUET, _parquet, tuned=CHARACTERS, spaced=False),
    TextSet("mpqa", "MPQA", PARQUET, _parquet),
)
IMDB = TEXT_SETS[0]


@dataclass(frozen=True)
class TableSet:
    """Labelled rows of a table, in ``train.csv`` and ``test.csv``.

    Args:
        folder: with the files.
        title: as the tables show it.
        label: column with the class, or the number.
        numbers: whether numbers are predicted, and RMSE is measured.
        seeds: that it is trained with; several of a small set.
    """

    folder: str
    title: str
    label: str
    numbers: bool = False
    seeds: int = 1

    def settings(self, data: Path) -> list[str]:
        """Return the arguments of our command; ``{turn}`` stands for the seed."""
        paths = [f"data.{split}='{data / self.folder / split}.csv'" for split in ("train", "test")]
        task = ["task=regression"] if self.numbers else []
        return ["data=table", *paths, f"data.label_column={self.label}", *task, "seed={turn}"]


TABLE_SETS = (
    TableSet("adult", "Adult", "income"),
    TableSet("letter", "letter", "letter"),
    TableSet("covertype6k", "covertype", "Cover_Type", seeds=3),
    TableSet("wine_white", "wine", "quality", seeds=3),
    TableSet("car", "car", "class", seeds=3),
    TableSet("wine_white", "wine, RMSE", "quality", numbers=True, seeds=3),
    TableSet("adult", "age of Adult, RMSE", "age", numbers=True),
)
NAMES = tuple(dict.fromkeys([*(one.name for one in TEXT_SETS), *(one.folder for one in TABLE_SETS)]))
