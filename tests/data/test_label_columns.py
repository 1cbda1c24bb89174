"""Labels that stand in several columns of 0 and 1, or as lists in brackets; names that people would read as one."""

from __future__ import annotations

import csv
import json
import logging
import random
from pathlib import Path

import polars as pl
import pytest
import torch

from rosenblatt.data.columns import to_lists
from rosenblatt.errors import UserError
from rosenblatt.table.data import TableData
from rosenblatt.text.data import TextData

NAMES = ["toxic", "threat", "rare"]
RNG = random.Random(0)
ROWS = [[int(RNG.random() < share) for share in (0.4, 0.3, 0.1)] for _ in range(80)]
TEXTS = [" ".join(["the", "page", *(name for name, one in zip(NAMES, row, strict=True) if one)]) for row in ROWS]
LISTS = [[name for name, one in zip(NAMES, row, strict=True) if one] for row in ROWS]


def written(path: Path, header: list[str], rows: list[list[object]]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows] if header else rows)
    return str(path)


def columns(path: Path, said: dict[int, str] | None = None, header: bool = True) -> str:
    """A file of a number, a text and three columns; ``said``: how 0 and 1 are written."""
    said = said or {0: "0", 1: "1"}
    rows = [[i, text, *(said[one] for one in row)] for i, (text, row) in enumerate(zip(TEXTS, ROWS, strict=True))]
    return written(path, ["id", "text", *NAMES] if header else [], rows)


def test_columns_and_a_separator_give_the_same_data(tmp_path):
    one = TextData(columns(tmp_path / "a.csv"), label_column=NAMES)
    rows = [[text, "|".join(names)] for text, names in zip(TEXTS, LISTS, strict=True)]
    other = TextData(written(tmp_path / "b.csv", ["text", "label"], rows), label_separator="|")
    for data in (one, other):
        data.setup()
    assert (one.task.name, one.task) == ("multilabel", other.task)
    assert one.task.classes == ("rare", "threat", "toxic")
    assert one.digest() == other.digest()


@pytest.mark.parametrize(
    "said", [{0: "0.0", 1: "1.0"}, {0: "False", 1: "TRUE"}, {0: "no", 1: " Yes"}], ids=["floats", "bools", "words"]
)
def test_zero_and_one_may_be_written_in_other_ways(tmp_path, said):
    targets = []
    for data in (TextData(columns(tmp_path / f"{i}.csv", one), label_column=[4, "toxic", 3], header=True)
                 for i, one in enumerate((None, said))):  # fmt: skip
        data.setup()
        targets.append(data.splits["train"][1])
    assert torch.equal(*targets)
    assert targets[0].sum(dim=0).tolist() == list(data.task.class_counts)


def test_columns_of_a_typed_file_and_of_one_without_a_header(tmp_path):
    frame = pl.DataFrame({"text": TEXTS, "toxic": [bool(row[0]) for row in ROWS], "threat": [row[1] for row in ROWS]})
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_ndjson(tmp_path / "a.jsonl")
    for name in ("a.parquet", "a.jsonl"):
        data = TextData(str(tmp_path / name), label_column=["toxic", "threat"])
        data.setup()
        assert data.task.classes == ("threat", "toxic")
    data = TextData(columns(tmp_path / "a.csv", header=False), text_column=1, label_column=[2, 3, 4])
    data.setup()
    assert data.task.classes == ("2", "3", "4")


def test_label_columns_of_a_table_are_not_learnt_from(tmp_path):
    data = TableData(columns(tmp_path / "a.csv"), label_column=NAMES, ignore=["text"])
    data.setup()
    assert set(data.encoder.column_of) == {"id"}
    whole = torch.cat([data.splits[split][1] for split in ("train", "val", "test")])
    assert whole.sum(dim=0).tolist() == [sum(row[k] for row in ROWS) for k in (2, 1, 0)]


def test_a_column_without_a_row_is_a_class_nevertheless(tmp_path, caplog):
    rows = [[text, *row[:2], 0] for text, row in zip(TEXTS, ROWS, strict=True)]
    data = TextData(written(tmp_path / "a.csv", ["text", *NAMES], rows), label_column=NAMES)
    data.setup()
    assert data.task.class_counts[data.task.classes.index("rare")] == 0
    assert "train: no row of 'rare': what is learnt says nothing of it." in caplog.text


def test_one_column_in_brackets_is_that_column(tmp_path):
    data = TextData(columns(tmp_path / "a.csv"), label_column=["toxic"])
    data.setup()
    assert (data.task.name, data.task.classes) == ("binary", ("0", "1"))


def test_columns_of_which_each_row_has_one_can_be_classes(tmp_path):
    rows = [[text, int(i % 3 == 0), int(i % 3 == 1), int(i % 3 == 2)] for i, text in enumerate(TEXTS)]
    data = TextData(written(tmp_path / "a.csv", ["text", *NAMES], rows), label_column=NAMES, task="multiclass")
    data.setup()
    assert (data.task.name, data.task.classes) == ("multiclass", ("rare", "threat", "toxic"))


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"label_column": ["toxic", "id"]}, ["a.csv, column 'id': expected 0 or 1", "78 of 80", "row 3 has '2'"]),
        ({"label_column": ["toxic", "toxic"]}, ["data.label_column: 'toxic' is there twice"]),
        ({"label_column": ["toxic", 2], "header": True}, ["data.label_column: 'toxic' is there twice"]),
        ({"label_column": ["toxic", "treat"]}, ["data.label_column=treat: no such column", "Did you mean 'threat'?"]),
        ({"label_column": ["toxic", "text"]}, ["data.text_column and data.label_column", "'text'"]),
        ({"label_column": []}, ["data.label_column is empty", "[toxic,bad]"]),
        ({"label_column": NAMES, "task": "binary"}, ["task=binary: expected one label a row", "task=null"]),
        ({"task": "multilabel"}, ["data.label_column=label: no such", "'data.label_column=[toxic,threat,rare]'"]),
    ],
    ids=str,
)
def test_label_columns_that_are_none_are_told(tmp_path, settings, parts):
    path = columns(tmp_path / "a.csv")
    with pytest.raises(UserError) as told:
        TextData(path, **settings).setup()
    assert all(part in str(told.value) for part in parts)


def test_an_empty_cell_among_label_columns_is_told_with_its_row(tmp_path):
    path = written(tmp_path / "a.csv", ["text", "a", "b"], [["good", 1, 0], ["bad", "", 1]])
    with pytest.raises(UserError, match=r"column 'a': expected 0 or 1.*1 of 2 rows .*row 2 has 'nothing'"):
        TextData(path, label_column=["a", "b"]).setup()


@pytest.mark.parametrize(
    ("cells", "lists"),
    [
        (["['bad', 'x1']", "[]", None, " ['x1'] "], [["bad", "x1"], [], [], ["x1"]]),
        (['["a","b"]', '["caf\\u00e9"]'], [["a", "b"], ["café"]]),
        (["[1, 2]", "[1.0]", "[NaN]", "[None]"], [["1", "2"], ["1"], [], []]),
        (["['a, b', \"it's\"]", ""], [["a, b", "it's"], []]),
        (["['two words' 'b']", "['two words']"], [["two words", "b"], ["two words"]]),  # as NumPy writes them
        (["[bad, x1]", "[two words]"], [["bad", "x1"], ["two words"]]),
        (["['a', 'a']"], [["a"]]),
        (["[a]", "b"], [["[a]"], ["b"]]),  # not all of them
    ],
)
def test_cells_in_brackets_are_lists_of_names(cells, lists):
    assert to_lists(pl.Series(cells, dtype=pl.String), None, "f").to_list() == lists


def test_typed_lists_are_no_cells_in_brackets(tmp_path):
    pl.DataFrame({"text": TEXTS, "label": [["a"] if any(row) else ["b"] for row in ROWS]}).write_ndjson(
        tmp_path / "a.jsonl"
    )
    data = TextData(str(tmp_path / "a.jsonl"))
    data.setup()
    assert (data.task.name, data.task.classes) == ("binary", ("a", "b"))


def test_lists_of_anything_else_are_told():
    with pytest.raises(UserError, match=r"f: expected names or numbers in each list; there is .*'id': 1"):
        to_lists(pl.Series(["[{'id': 1}]"]), None, "f")


def test_code_in_brackets_is_not_run(tmp_path):
    cell = f"[open({str(tmp_path / 'made')!r}, 'w').write('x')]"
    to_lists(pl.Series([cell, "[]"]), None, "f")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("write", [repr, json.dumps])
def test_lists_in_brackets_are_several_labels_without_being_told(tmp_path, write, caplog):
    caplog.set_level(logging.INFO)
    rows = [[text, write(names)] for text, names in zip(TEXTS, LISTS, strict=True)]
    data = TextData(written(tmp_path / "a.csv", ["text", "label"], rows))
    data.setup()
    assert (data.task.name, data.task.classes) == ("multilabel", ("rare", "threat", "toxic"))
    assert "column 'label' holds lists, so that rows may have several labels: task=multilabel" in caplog.text


def test_names_that_read_alike_are_told_at_once_and_stay_apart(tmp_path, caplog):
    names = [*["no"] * 12, *["No"] * 3, *["yes"] * 9, "caf\u00e9", "caf\u00e9", "cafe\u0301", "cafe\u0301"]
    names += ["very good", "very  good", "spam", "spam.", "C", "C+", "C-", "a\u200b", "a"] * 2
    rows = [[f"some text {i % 5}", name] for i, name in enumerate(names)]
    data = TextData(written(tmp_path / "a.csv", ["text", "label"], rows), fractions=[0.5, 0.5, 0])
    data.setup()
    assert len(data.task.classes) == len(set(names))
    told = [record.getMessage() for record in caplog.records if "differ only in" in record.getMessage()]
    assert len(told) == 1
    assert "'no' (12 rows) and 'No' (3 rows)" in told[0]
    assert all(
        part in told[0] for part in ("'spam'", "'very  good' (2 rows)", "write them alike in the file", r"\u200b")
    )
    assert "'C+'" not in told[0]


def test_a_first_row_that_may_be_a_header_is_told_where_columns_are_numbers(tmp_path, caplog):
    rows = [[f"{name} text", name] for name in ["good", "bad"] * 10]
    for first, header, num in (
        (["text", "label"], None, 1),
        (["text", "label"], True, 0),
        (["bad one", "bad"], None, 0),
    ):
        caplog.clear()
        path = written(tmp_path / "a.csv", first, rows)
        data = TextData(path, text_column=0, label_column=1, header=header)
        data.setup()
        assert ("label" in data.task.classes) is bool(num)
        assert (
            caplog.text.count("no row has the label of the first one, 'label'. If that is a header: data.header=")
            == num
        )


def test_a_header_above_numbers_is_found_out_and_told(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = written(tmp_path / "a.csv", ["text", "stars"], [[f"text {i % 7}", i % 3] for i in range(30)])
    data = TextData(path, text_column=0, label_column=1)
    data.setup()
    assert data.task.classes == ("0", "1", "2")
    assert "a.csv: its first row is taken for a header. If it is none: data.header=false" in caplog.text
