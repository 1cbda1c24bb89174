"""What a user can do wrong: one clear message, status 1, no traceback, and nothing that could pass for a result."""

from __future__ import annotations

import errno
import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import SMALL, Outcome

Train = Callable[..., Outcome]

ROWS = "text,label\n" + "".join(f"some {'good' if i % 2 else 'bad'} word,{i % 2}\n" for i in range(40))

# arguments, and what the message has to say
OPTIONS = [
    ("data.labels=[0,1", "expected KEY=VALUE"),
    ("lr=0", "got 0"),
    ("lr=nan", "got nan"),
    ("seed=-1", "seed: expected a whole number"),
    ("seed=x", "got 'x'"),
    ("task=foo", "'multilabel'"),
    ("threads=all", "got 'all'"),
    ("data.batch_size=0", "data.batch_size: expected auto or a whole number of at least 1; got 0"),
    ("data.batch_size=a", "data.batch_size: expected a whole number; got 'a'"),
    ("data.batch_size=1.5", "got 1.5"),
    ("data.labels=[0,0]", "at least two classes"),
    ("data.labels=[0]", "one label a centre"),
    ("data.num_val=0", "data.num_val: expected"),
    ("data.spread=-1", "data.spread: expected"),
    ("model=mlp model.hidden=64", "model.hidden: expected a list of whole numbers"),
    ("model=mlp model.hidden=[0]", "at least 1"),
    ("model=mlp model.dropout=1", "model.dropout: expected a probability"),
    ("model=mlp model.activation=rel", "Did you mean 'relu'?"),
    ("loss.class_weights=[1]", "expected 2 numbers"),
    ("early_stopping.monitor=val/lss", "Did you mean 'val/loss'?"),
    ("early_stopping.patience=x", "expected null or a whole number"),
    ("early_stopping.patience=-1", "early_stopping.patience: expected null or a whole number of at least 0; got -1"),
    ("early_stopping.mode=foo", "early_stopping.mode: expected one of 'min', 'max'"),
    ("early_stopping=null", "early_stopping.patience=null"),
    ("lr=inf", "got inf"),
    ("data._target_=perceptron.toy.ToyDatas", "Did you mean 'perceptron.toy.ToyData'?"),
    ("trainer.val_check_interval=100000", "trainer.val_check_interval=100000: it does not go together"),
    ("scheduler.factor=0.1", "no scheduler is chosen"),
    ("data=text data.train=reviews.csv data.text_column=label", "are the same column"),
    ("data=text data.train=reviews.csv data.text_column=3 data.label_column=1", "columns 0 to 1"),
    ("trainer.accelerator=tpu", "trainer.accelerator=auto"),
    ("data=text", "data.train is not set"),
    ("data=text data.train=", "data.train is empty"),
    ("data=text data.train=reviews.csv data.text_column=[]", "data.text_column is empty"),
    ("data=text data.train=x.csv data.weighting=tfdf", "Did you mean 'tfidf'?"),
    ("data=text data.train=x.csv data.ngrams=0 data.char_ngrams=0", "nothing to learn from"),
    ("data=text data.train=x.csv data.min_count=0", "at least 1"),
    ("data=text data.train=x.csv data.fractions=[0.5,0.1,0.1]", "which sum to 0.7"),
    ("data=text data.train=x.csv data.fractions=[1,0,0]", "data.fractions: expected"),
    ("data=text data.train=revews.csv", "Did you mean 'reviews.csv'?"),
    ("data=text data.train=nowhere/x.csv", "There is no folder 'nowhere'"),
    ("data=text data.train=review", "review: no such file"),
    ("data=text data.train=~/reviews.csv", "~ in a value need quotes"),
    ("data=text data.train=reviews.csv data.label_column=LABEL", "Did you mean 'label'?"),
    ("data=text data.train=hf://datasets/x/y.csv", "hf://"),
]

# content of data.csv (or another name), and what the message has to say
FILES: list[tuple[str, bytes, str, str]] = [
    ("data.csv", b"", "", "the file is empty"),
    ("data.csv", b"text,label\n", "", "a header only"),
    ("data.csv", ROWS.encode(), "data.text_column=review", "which has 'text', 'label'"),
    ("data.csv", ROWS.encode(), "data.label_column=labl", "Did you mean 'label'?"),
    ("data.csv", ROWS.encode(), "data.text_column=7 data.label_column=1", "columns 0 to 1"),
    ("data.csv", ROWS.replace(",1\n", ",0\n").encode(), "", "at least two classes"),
    ("data.csv", ROWS.encode(), "task=multiclass data.train=data.csv data.test=other.csv", "never have: '7'"),
    ("data.csv", ROWS.replace("some good word", "").replace("some bad word", " ").encode(), "", "texts are empty"),
    ("data.csv", ROWS.replace("good", "b\xf6se").encode("latin-1"), "", "data.encoding=latin-1"),
    ("data.csv", ROWS.encode(), "data.encoding=utf-99", "no such encoding"),
    ("data.csv", (ROWS + "a,b,c\n").encode(), "", "row 41"),
    ("data.csv", ROWS.replace("text,label", "label,label").encode(), "", "2 columns of data.csv are named 'label'"),
    ("data.txt", b"__label__a x\n__label__b y\nz\n" * 9, "", "row 3 has no label"),
    ("data.csv", (ROWS + "alone\n").encode(), "", "row 41"),
    ("data.csv", (ROWS + "no label,\n").encode(), "", "row 41"),
    ("data.parquet", b"no such thing", "", "no whole Parquet file"),
    ("data.parquet", b"PAR1 and so on", "", "no whole Parquet file"),
    ("data.csv.gz", gzip.compress(ROWS.encode())[:-9], "", "not a whole gzip file"),
    ("data.jsonl", b'{"text": "a", "label": "b"}\n{"text": \n', "", "row 2 (line 2) can't be read: it is no JSON"),
    ("data.doc", b"PK", "", "expected a file named .csv"),
    ("data.csv", b"text,label\n" + b"".join(b"w%d,c%d\n" % (i, i) for i in range(20)), "", "classes in"),
    ("data.csv", ROWS.encode(), "data.min_count=1000", "vocabulary is empty"),
    ("data.csv", ROWS.replace("\n", ",x\n").replace("label,x", "label,split").encode(), "", "should name a split"),
    ("data.csv", b"text,label\na,1\nb,2\na,1\nb,2\n", "data.min_count=1", "data.fractions"),
]


def assert_refused(done: Outcome, says: str) -> None:
    message = done.err.strip()
    assert done.status == 1, (done.out, message)
    assert message.startswith("error: "), message
    assert says in message, message
    assert message.count("\n") <= 1, message
    assert "Traceback" not in message
    assert not (done.run / "metrics.json").exists()


@pytest.mark.parametrize(("arguments", "says"), OPTIONS, ids=[row[0] for row in OPTIONS])
def test_a_wrong_option_is_explained(train: Train, reviews: Path, arguments: str, says: str) -> None:
    assert_refused(train(*arguments.split()), says)


@pytest.mark.parametrize(("name", "content", "more", "says"), FILES, ids=[f"{r[0]} {r[3]}" for r in FILES])
def test_a_broken_file_is_explained(
    train: Train, tmp_path: Path, name: str, content: bytes, more: str, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "other.csv").write_text("text,label\ngood,7\n")
    given = [] if "data.train" in more else [f"data.train={name}"]
    assert_refused(train("data=text", *given, *more.split()), says)


def test_a_run_is_never_overwritten(train: Train, trained: Train) -> None:
    first = trained(*SMALL)
    before = {path: path.read_bytes() for path in first.run.rglob("*") if path.is_file()}
    again = train(*SMALL, "seed=1")
    assert again.status == 1
    assert "there is a run in this folder already" in again.err
    assert {path: path.read_bytes() for path in first.run.rglob("*") if path.is_file()} == before


def test_a_folder_of_a_run_that_never_began_can_be_used(train: Train) -> None:
    assert train(*SMALL, "lr=0.1", "model.hidden=[3]").status == 1
    assert train(*SMALL, "data.spread=-1").status == 1
    assert train(*SMALL).status == 0


def test_a_loss_that_is_no_number_ends_the_run_with_the_reason(train: Train) -> None:
    done = train("optimizer=sgd", "lr=3e38", *SMALL, "trainer.max_epochs=20")
    assert_refused(done, "Try a smaller lr")


def test_a_full_disk_is_named_and_leaves_no_result(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    import rosenblatt.run.folder

    def full(source: Any, target: Any) -> None:
        if str(target).endswith("metrics.json"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        os.rename(source, target)

    monkeypatch.setattr(rosenblatt.run.folder.os, "replace", full)
    assert_refused(train(*SMALL), "The disk is full")


def test_a_folder_that_cannot_be_written_is_named(train: Train, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = train(*SMALL, "hydra.run.dir=file/run")
    assert_refused(done, "Is hydra.run.dir, or the current folder, a place to write?")
