"""Time of a training step on real texts over the number of its (feature, row) pairs, by features and classes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.contest import Case, Contestant
from benchmarks.contestants import PEERS
from benchmarks.report import Summaries, Summary, outcome, paragraph, ratio, table
from benchmarks.suites import Options, Suite

FEATURES = (100_000, 1_000_000, 10_000_000)
CLASSES = (2, 20, 200)
OPTIMIZERS = {
    "rowwise_adagrad": "row-wise Adagrad",
    "adagrad": "Adagrad",
    "sgd": "SGD",
    "lazy_adam": "lazy Adam",
    "adam": "Adam of all weights, fused",
}
MOST = {"adam": 20_000_000}  # weights; more take a second a step
LARGEST = 200_000_000
NOTE = """\
20 newsgroups, words and bigrams, hashed to so many features; batches of 113 texts, some 62,000 pairs; labels are made
up, and two classes are one output. Forward, loss, backward and the optimizer's step; least of 8 for each of 16 batches.
The last columns: over the time at 100,000 features, and over that at 2 classes times the outputs."""


def cases(options: Options) -> Iterator[Case]:
    """Compare optimizers and numbers of features."""
    bags = write_bags(options.folder("20ng") / "20ng" / "train.parquet", options.work / "20ng_bags.npz")
    for classes in CLASSES:
        for threads in (1, 2):
            contestants = tuple(
                _contestant(bags, features, classes, threads, optimizer)
                for optimizer in OPTIMIZERS
                for features in FEATURES
                if features * (1 if classes == 2 else classes) <= MOST.get(optimizer, LARGEST)
            )
            yield Case(f"{classes} classes, {threads} thread{'s' if threads > 1 else ''}", contestants)


def _contestant(bags: Path, features: int, classes: int, threads: int, optimizer: str) -> Contestant:
    words = {"--features": features, "--classes": classes, "--threads": threads, "--optimizer": optimizer}
    command = (
        sys.executable,
        str(PEERS / "bag_steps.py"),
        str(bags),
        *(str(one) for pair in words.items() for one in pair),
    )
    return Contestant(f"{OPTIMIZERS[optimizer]}, {features:,}", command)


def write_bags(texts: Path, path: Path) -> Path:
    """Write the ids of words and bigrams of texts, in random order, unless that was done before."""
    from rosenblatt.text.encoder import TextEncoder  # only here: it brings in torch, seconds

    if not path.exists():
        column = pl.read_parquet(texts)["text"].sample(fraction=1, shuffle=True, seed=0)
        encoder = TextEncoder(char_ngrams=0, min_count=1, max_features=None, weighting="binary")
        bags = encoder.fit_transform(column, [])
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, ids=bags.ids.numpy(), offsets=bags.offsets.numpy())
    return path


def tables(found: Summaries) -> str:
    """Return times, and how they grow with features and with classes."""
    rows = []
    for case, ones in found.items():
        classes, _, threads = case.partition(" classes, ")
        for name, one in ones.items():
            optimizer, _, features = name.rpartition(", ")
            least = ones.get(f"{optimizer}, {FEATURES[0]:,}")
            two = found.get(f"2 classes, {threads}", {}).get(name)
            rows.append(
                [
                    case, optimizer, features, outcome(one, f"{one['milliseconds']:.2f}"), f"{one['nanoseconds']:.1f}",
                    ratio(one, least, "nanoseconds"), ratio(one, _times(two, int(classes)), "nanoseconds"),
                ]
            )  # fmt: skip
    header = ["labels", "optimizer", "features", "ms a step", "ns a pair", "over 100,000", "over 2 classes, an output"]
    return "\n\n".join([table(header, rows), paragraph(NOTE)])


def _times(two: Summary | None, classes: int) -> Summary | None:
    if two is None:
        return None
    outputs = 1 if classes == 2 else classes
    return Summary(two.failed, figures={"nanoseconds": two["nanoseconds"] * outputs})


SUITE = Suite("a training step on real texts, by features and classes", cases, tables)
