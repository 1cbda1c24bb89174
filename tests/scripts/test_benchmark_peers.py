"""The programs that scripts/benchmark.py compares with, and its chart; each skipped where its package is missing."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from benchmarks import chart
from benchmarks.contestants import PEERS


def peer(program: str, folder: Path, *arguments: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, str(PEERS / program), *arguments], capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def needs(package: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"needs {package}: pip install -e '.[bench]'")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Two hundred short texts in every form, which are easy to tell apart."""
    rows = [("good fine food" if i % 2 else "bad stale food", "1" if i % 2 else "-1") for i in range(200)]
    for split in ("train", "test"):
        pl.DataFrame({"text": [text for text, _ in rows], "labels": [[label] for _, label in rows]}).write_parquet(
            tmp_path / f"{split}.parquet"
        )
        (tmp_path / f"{split}.ft").write_text("".join(f"__label__{label} {text}\n" for text, label in rows))
        (tmp_path / f"{split}.vw").write_text("".join(f"{label} |w {text}\n" for text, label in rows))
        table = "".join(f"{i},{'x' if i % 2 else ''},{i % 2}\n" for i in range(200))
        (tmp_path / f"{split}.csv").write_text("age,work,income\n" + table)
    points = np.array([[3, 3 if i % 2 else -2, 1 - i % 2] for i in range(200)], dtype=np.float32)
    np.save(tmp_path / "train.npy", points)
    np.save(tmp_path / "val.npy", points)
    return tmp_path


@needs("fasttext")
def test_fasttext_trains_and_tests(files: Path) -> None:
    # Of words alone, 0.9.3 reaches NaN on a vocabulary this small.
    settings = json.dumps({"wordNgrams": 2, "bucket": 1000, "thread": 1, "epoch": 50})
    found = peer("fasttext_supervised.py", files, "train.ft", "test.ft", "--settings", settings)
    assert found["accuracy"] == 1
    assert found["seconds_train"] > 0


@needs("vowpalwabbit")
def test_vowpal_wabbit_trains_and_tests_and_leaves_nothing(files: Path) -> None:
    before = sorted(files.iterdir())
    found = peer("vowpal_wabbit.py", files, "train.vw", "test.vw", "--arguments=--ngram w2 -b 18 --passes 3")
    assert found["accuracy"] == 1
    assert sorted(files.iterdir()) == before


@needs("vowpalwabbit")
def test_vowpal_wabbit_takes_more_than_two_classes(files: Path) -> None:
    for split in ("train", "test"):
        (files / f"{split}.vw").write_text("".join(f"{1 + i % 3} |w {'abc'[i % 3]}\n" for i in range(90)))
    assert peer("vowpal_wabbit.py", files, "train.vw", "test.vw", "--arguments=--oaa 3 -b 18")["accuracy"] == 1


@needs("sklearn")
@pytest.mark.parametrize(("features", "classifier"), [("words", "logistic"), ("characters", "svm")])
def test_tfidf_trains_and_tests(files: Path, features: str, classifier: str) -> None:
    options = ["--features", features, "--classifier", classifier]
    assert peer("tfidf.py", files, "train.parquet", "test.parquet", *options)["accuracy"] == 1


@needs("sklearn")
def test_tfidf_takes_several_labels_a_row(files: Path) -> None:
    labels = [["food", "good"] if i % 2 else ["bad"] for i in range(200)]
    for split in ("train", "test"):
        pl.read_parquet(files / f"{split}.parquet").with_columns(pl.Series("labels", labels)).write_parquet(
            files / f"{split}.parquet"
        )
    assert peer("tfidf.py", files, "train.parquet", "test.parquet")["accuracy"] == 1


@needs("sklearn")
def test_one_hot_trains_and_tests(files: Path) -> None:
    assert peer("one_hot.py", files, "train.csv", "test.csv", "--label", "income")["accuracy"] == 1


@needs("sklearn")
def test_boosted_trees_are_trained_and_tested_on_classes_and_on_numbers(files: Path) -> None:
    for split in ("train", "test"):
        rows = "".join(f"{i},{'xy'[i % 2]},{'no' if i % 2 else 'yes'}\n" for i in range(200))
        (files / f"{split}.csv").write_text("age,work,income\n" + rows)
    assert peer("table_models.py", files, "train.csv", "test.csv", "--label", "income")["accuracy"] == 1
    found = peer("table_models.py", files, "train.csv", "test.csv", "--label", "age", "--numbers", "--seed", "1")
    assert 0 <= found["accuracy"] < 100


@pytest.mark.soak
@pytest.mark.parametrize("program", ["book_loop.py", "template_loop.py"])
def test_loops_count_their_steps(files: Path, program: str) -> None:
    found = peer(program, files, "train.npy", "val.npy", "--epochs", "2")
    assert found["steps"] == 4
    assert found["seconds_training"] > 0
    assert 0 <= found["accuracy"] <= 1


@needs("matplotlib")
def test_the_chart_is_the_same_text_each_time(tmp_path: Path) -> None:
    lines = {"Rosenblatt": [(1000, 5.0), (1_000_000, 300.0)], "fastText": [], "Vowpal Wabbit": [(1000, 1.0)]}
    for name in ("a.svg", "b.svg"):
        chart.draw(lines, lines, tmp_path / "images" / name)
    drawn = (tmp_path / "images" / "a.svg").read_text()
    assert drawn == (tmp_path / "images" / "b.svg").read_text()
    assert "Peak memory" in drawn
    assert "1,000,000" in drawn
    assert "#0072b2" in drawn
    assert "#009e73" in drawn
    assert "dc:date" not in drawn
