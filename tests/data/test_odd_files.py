"""Files as people have them: other separators and line ends, labels that pandas wrote, columns by number."""

import json

import polars as pl
import pytest

from rosenblatt.data.columns import to_lists
from rosenblatt.data.files import read_frame
from rosenblatt.table.data import TableData
from rosenblatt.text.data import TextData

ROWS = [(f"good {i}" if i % 2 else f"bad {i}", i % 2) for i in range(40)]


def test_a_csv_of_semicolons_is_understood(tmp_path):
    (tmp_path / "a.csv").write_text('x;label\n1,5;a\n"2;5";b\n')
    assert read_frame(str(tmp_path / "a.csv")).rows() == [("1,5", "a"), ("2;5", "b")]


def test_a_path_may_begin_with_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "a.csv").write_text("text,label\none,a\n")
    assert read_frame("~/a.csv").height == 1


@pytest.mark.parametrize("labels", [pl.Series([1.0, 0.0]), pl.Series(["1.0", "0.0"]), pl.Series([1, 0])])
def test_whole_numbers_are_one_class_however_they_are_written(labels):
    assert to_lists(labels, None, "f").to_list() == [["1"], ["0"]]
    assert to_lists(pl.Series(["1.5", "1.0"]), None, "f").to_list() == [["1.5"], ["1.0"]]


def test_an_empty_class_folder_is_mentioned(tmp_path, caplog):
    for name in ("a", "b", "none"):
        (tmp_path / name).mkdir()
    for name in ("a", "b"):
        (tmp_path / name / "1.txt").write_text(name)
    assert read_frame(str(tmp_path)).rows() == [("a", "a"), ("b", "b")]
    assert "class 'none' is empty" in caplog.text


def test_columns_by_number_are_those_of_the_whole_file_with_a_split_column_before_them(tmp_path):
    rows = [
        {"label": y, "split": "test" if i % 4 == 0 else "train", "text": x, "leak": y} for i, (x, y) in enumerate(ROWS)
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = TextData(str(tmp_path / "a.jsonl"), text_column=2, label_column=0, ngrams=1, min_count=1)
    data.setup()
    assert {"good", "bad"} <= set(data.encoder.names())


def test_a_column_named_like_a_number_is_found_by_it(tmp_path):
    (tmp_path / "a.csv").write_text("x,2020\n" + "".join(f"{i},{y}\n" for i, (_, y) in enumerate(ROWS)))
    data = TableData(str(tmp_path / "a.csv"), label_column=2020)
    data.setup()
    assert data.encoder.names() == ["x", "x is missing"]
    assert data.task.num_rows == 32


def test_test_rows_of_a_split_column_never_train_even_beside_a_test_file(tmp_path):
    lines = [f"{i},{'test' if i >= 30 else 'train'},{y}\n" for i, (_, y) in enumerate(ROWS)]
    (tmp_path / "a.csv").write_text("x,split,label\n" + "".join(lines))
    (tmp_path / "b.csv").write_text("x,label\n1000,0\n1001,1\n")
    data = TableData(str(tmp_path / "a.csv"), test=str(tmp_path / "b.csv"))
    data.setup()
    sizes = {split: len(target) for split, (_, target) in data.splits.items()}
    assert sizes["test"] == 2
    assert sizes["train"] + sizes["val"] == 30


def test_a_column_of_numbers_with_odd_cells_is_mentioned(tmp_path, caplog):
    (tmp_path / "a.csv").write_text(
        "x,label\n" + "".join(f"{i if i else 'oops'},{y}\n" for i, (_, y) in enumerate(ROWS))
    )
    TableData(str(tmp_path / "a.csv"), seed=1).setup()
    assert "Column 'x' is taken for categories: 1 of its" in caplog.text


def test_empty_texts_are_counted(tmp_path, caplog):
    (tmp_path / "a.csv").write_text(
        "text,label\n" + "".join(f"{x if i % 4 else ''},{y}\n" for i, (x, y) in enumerate(ROWS))
    )
    TextData(str(tmp_path / "a.csv")).setup()
    assert "training texts are empty" in caplog.text
