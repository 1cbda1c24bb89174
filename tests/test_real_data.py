"""Figures on real data, where it lies beside the checkout: the least that the defaults have to reach."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import ROOT, Outcome

DATA = ROOT.parent / "shared" / "data"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not DATA.is_dir(), reason="the data sets in ../shared/data are not here"),
]

# options with {} for the folder, metric, and what it has to reach
CASES = {
    "sst2": ("data=text data.train={}/train.csv data.val={}/val.csv data.test={}/test.csv", "test/acc", 0.80),
    "trec": ("data=text data.train={}/train.csv data.test={}/test.csv", "test/acc", 0.86),
    "surnames": (
        "data=text data.train={}/surnames_with_splits.csv data.text_column=surname data.label_column=nationality "
        "data.ngrams=0 data.char_ngrams=5",
        "test/acc",
        0.70,
    ),
    "adult": (
        "data=table data.train={}/train.csv data.test={}/test.csv data.label_column=income model=perceptron",
        "test/acc",
        0.86,
    ),
    "car": ("data=table data.train={}/train.csv data.test={}/test.csv data.label_column=class", "test/acc", 0.98),
    "banking": ("data=text data.train={}/train.parquet data.test={}/test.parquet", "test/acc", 0.90),
    "imdb": ("data=text data.train={}/train.parquet data.test={}/test.parquet", "test/acc", 0.905),
}


@pytest.mark.parametrize("name", CASES)
def test_the_defaults_reach_what_they_should(train: Callable[..., Outcome], name: str) -> None:
    options, metric, least = CASES[name]
    done = train(*options.replace("{}", str(DATA / name)).split())
    assert done.status == 0, done.err
    assert done.metrics[metric] >= least


@pytest.mark.soak  # a minute
def test_the_network_for_tables_reaches_what_it_should_on_adult(train: Callable[..., Outcome]) -> None:
    paths = (f"data.{split}={DATA}/adult/{split}.csv" for split in ("train", "test"))
    assert train("data=table", *paths, "data.label_column=income").metrics["test/acc"] >= 0.86


@pytest.mark.soak
def test_cooking_reaches_its_precision(train: Callable[..., Outcome], tmp_path: Path) -> None:
    lines = (DATA / "cooking" / "cooking.stackexchange.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "train.txt").write_text("".join(lines[:12_404]), encoding="utf-8")
    (tmp_path / "test.txt").write_text("".join(lines[-3_000:]), encoding="utf-8")
    done = train("data=text", "data.train=train.txt", "data.test=test.txt")
    assert done.status == 0, done.err
    assert done.metrics["test/p_at_1"] >= 0.70
