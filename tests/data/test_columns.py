"""Which columns are the text and the label: by name or number, with a header or without, one or several."""

from __future__ import annotations

import gzip

import polars as pl
import pytest

from rosenblatt.data.columns import Columns
from rosenblatt.errors import UserError

FRAME = pl.DataFrame({"title": ["A", None], "body": ["b c", "d"], "year": [1999, None], "label": ["x|y", "x"]})


def test_columns_are_found_by_name_or_by_number():
    assert Columns(label="label").label_names(FRAME, "f") == ["label"]
    assert Columns(label=2).label_names(FRAME, "f") == ["year"]
    assert Columns(text=("body",)).texts_of(FRAME, "f").to_list() == ["b c", "d"]
    assert Columns(text=(1,)).texts_of(FRAME, "f").to_list() == ["b c", "d"]
    numbered = FRAME.rename({"title": "1"})  # a name wins over a number
    assert Columns(text=(1,)).texts_of(numbered, "f").to_list() == ["A", ""]


def test_several_texts_are_joined_with_a_space_and_what_is_missing_is_empty():
    assert Columns(text=("title", 2, "body")).texts_of(FRAME, "f").to_list() == ["A 1999 b c", "  d"]
    assert Columns(text=("year",)).texts_of(FRAME, "f").to_list() == ["1999", ""]
    assert Columns(text=("body", "body")).texts_of(FRAME, "f").to_list() == ["b c b c", "d d"]
    assert Columns(text=("title", "body")).texts_of(FRAME[:0], "f").to_list() == []


def test_labels_are_lists_and_several_where_there_is_a_separator():
    assert Columns().labels_of(FRAME, "f").to_list() == [["x|y"], ["x"]]
    assert Columns(label_separator="|").labels_of(FRAME, "f").to_list() == [["x", "y"], ["x"]]


@pytest.mark.parametrize(
    "columns", [Columns(text=("bodi",)), Columns(label="labl"), Columns(text=(7,)), Columns(label=-1)]
)
def test_a_column_that_is_not_there_is_told_with_the_option_and_the_file(columns):
    key = "data.text_column" if columns.text else "data.label_column"
    with pytest.raises(UserError, match=rf"{key}=.*rows\.csv"):
        columns.texts_of(FRAME, "rows.csv") if columns.text else columns.labels_of(FRAME, "rows.csv")


def test_a_column_of_lists_is_no_text():
    with pytest.raises(UserError, match=r"f: expected words or numbers in column 'text'; it holds List"):
        Columns(text=("text",)).texts_of(pl.DataFrame({"text": [["a"]]}), "f")


CONTENT = "text,label\ngood,1\nbad,0\n"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (Columns(), True),
        (Columns(label=1, text=(0,)), True),  # a word stands above numbers
        (Columns(label=1, text=(0,), header=False), False),
        (Columns(label="label", text=(0,)), True),  # its name stands there
        (Columns(label="class", text=(0,)), False),
        (Columns(label=1, text=(0,), header=True), True),
        (Columns(header=False), False),
    ],
)
def test_a_header_is_expected_unless_columns_are_numbers_or_it_is_said(tmp_path, columns, expected):
    (tmp_path / "rows.csv").write_text(CONTENT)
    for frame in (columns.read(str(tmp_path / "rows.csv")), next(columns.blocks(str(tmp_path / "rows.csv"))).frame):
        assert frame.columns == (["text", "label"] if expected else ["0", "1"])


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
@pytest.mark.parametrize(
    ("columns", "content", "names", "num_rows"),
    [
        (Columns(text=("text",)), CONTENT, ["text", "label"], 2),
        (Columns(label=1, text=(0,)), CONTENT, ["text", "label"], 2),
        (Columns(label=1, text=(0,)), "text,label\ngood,yes\nbad,No\n", ["text", "label"], 2),
        (Columns(label=1), "rooms;price\n3;$1,250.00\n2;$999.50\n", ["rooms", "price"], 2),
        (Columns(label=(1, 2)), "text,new,old\ngood,1,0\nbad,0,0\n", ["text", "new", "old"], 2),
        (Columns(label=1, text=(0,)), "text,label\ngood,a\nbad,0\n", ["0", "1"], 3),  # nobody knows
        (Columns(label=1, text=(0,)), "good,1\nbad,0\n", ["0", "1"], 2),
        (Columns(label=1, text=(0,), header=True), CONTENT, ["text", "label"], 2),
        (Columns(label=1, text=(0,), header=False), "0,1\na,b\n", ["0", "1"], 2),
        (Columns(label=2020, text=(2019,)), "2019,2020\na,b\n", ["2019", "2020"], 1),  # numbers that are names
        (Columns(label=1, text=(2019,)), "2019,2020\na,b\n", ["0", "1"], 2),  # not all of them are
    ],
)
def test_files_are_read_with_or_without_their_first_row(tmp_path, name, columns, content, names, num_rows):
    data = content.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    frame = columns.read(str(tmp_path / name))
    assert (frame.columns, frame.height) == (names, num_rows)


def test_files_are_read_in_their_encoding(tmp_path):
    (tmp_path / "rows.csv").write_bytes("text,label\nпьеса,1\n".encode("cp1251"))
    assert Columns(encoding="cp1251").read(str(tmp_path / "rows.csv"))["text"].to_list() == ["пьеса"]
    with pytest.raises(UserError, match=r"data\.encoding=cp1252x: no such encoding"):
        Columns(encoding="cp1252x").read(str(tmp_path / "rows.csv"))
