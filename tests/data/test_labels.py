import polars as pl
import pytest
import torch

from rosenblatt.data.columns import to_lists
from rosenblatt.errors import UserError
from rosenblatt.table.data import TableData
from rosenblatt.text.data import TextData
from rosenblatt.text.rows import rows_of_class


@pytest.mark.parametrize(
    ("values", "separator", "lists"),
    [
        ([" a ", "b"], None, [["a"], ["b"]]),
        ([1, 2], None, [["1"], ["2"]]),
        ([True, False], None, [["true"], ["false"]]),
        (["a,b", "b"], None, [["a,b"], ["b"]]),
        (["c, a", "b,,b ", None, " "], ",", [["c", "a"], ["b"], [], []]),
        (["a|b"], "|", [["a", "b"]]),
        ([["c", "a", "c"], [], None, ["", None, " b"]], None, [["c", "a"], [], [], ["b"]]),
        ([[2, 1], [3]], None, [["2", "1"], ["3"]]),
    ],
)
def test_cells_become_lists_of_names(values, separator, lists):
    assert to_lists(pl.Series(values), separator, "f").to_list() == lists


@pytest.mark.parametrize("empty", [None, "", "  "])
def test_a_row_without_a_label_is_told(empty):
    with pytest.raises(UserError, match=r"f, column 'x': 2 of 4 rows have no label \(first in row 2\).*=skip"):
        to_lists(pl.Series(["a", empty, "b", empty]), None, "f, column 'x'")


def test_labels_that_are_objects_are_told():
    with pytest.raises(UserError, match="f: expected words or numbers in column 'label'; it holds Struct"):
        to_lists(pl.Series("label", [{"a": 1}]), None, "f")


@pytest.mark.parametrize(
    ("target", "rows"),
    [
        (torch.tensor([1, 0, 2, 1]), [[1], [0, 3], [2], []]),
        (torch.tensor([[1, 1, 0], [0, 1, 0]], dtype=torch.uint8), [[0], [0, 1], []]),
    ],
    ids=["one label", "several"],
)
def test_the_rows_of_each_class_are_found_in_either_kind_of_target(target, rows):
    assert [row.tolist() for row in rows_of_class(target, len(rows))] == rows


TEXTS = "text,label\n" + "good film,pos\nbad film,neg\n" * 20
NUMBERS = [f"{i},{i}.5" for i in range(50)]
TAGS = [[i, i % 2, int(i % 3 == 0)] for i in range(60)]
# kind, content of the file, options, rows that are left, and what is told
LEFT_OUT = {
    "a total at the end": (TextData, TEXTS + "Total: 40 rows,\n", {}, 40, "1 of 41 rows have no label"),
    "numbers": (TableData, "\n".join(["x,label", *NUMBERS, "sum,", "7,n/a"]), {}, 50, "2 of 52 rows have no number"),
    "numbers, a word": (TableData, "\n".join(["x,label", *NUMBERS, "7,big"]), {}, 50, "1 of 51 rows have no number"),
    "numbers of people": (
        TableData, "x;label\n" + "".join(f"{i};{i}.000,5\n" for i in range(1, 51)) + "1;none\n", {}, 50,
        "1 of 51 rows have no number",
    ),
    "few numbers": (TableData, "x,label\n" + "1,3\n2,4\n" * 20 + "3,n/a\n" * 2, {}, 42, None),  # a class
    "lines": (TextData, "__label__a x\n__label__b y\n" * 20 + "z\n", {}, 40, "1 of 41 rows have no label"),
    "lines of several": (TextData, "__label__a x\n__label__b __label__a y\nz\n" * 20, {}, 60, None),
    "lines of none": (TextData, "__label__a x\n__label__b y\nz\n" * 20, {"task": "multilabel"}, 60, None),
    "a cell of several": (TextData, TEXTS.replace("pos", "pos|new") + "all,\n", {"label_separator": "|"}, 41, None),
    "columns": (
        TableData, "x,a,b\n" + "".join(f"{i},{a},{b}\n" for i, a, b in TAGS) + "sum,,\n61,1,\n",
        {"label_column": ["a", "b"]}, 60, "2 of 62 rows have no label",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LEFT_OUT)
def test_rows_without_a_label_are_left_out_and_told_where_broken_rows_are_skipped(tmp_path, caplog, case):
    kind, content, options, num_rows, told = LEFT_OUT[case]
    path = tmp_path / ("a.txt" if content.startswith("__label__") else "a.csv")
    path.write_text(content)
    for files in ({}, {"val": str(path), "test": str(path)}):
        data = kind(str(path), broken_rows="skip", **files, **options)
        caplog.clear()
        data.setup()
        counts = [len(target) for _, target in data.splits.values()]
        assert (counts if files else [sum(counts)]) == [num_rows] * (3 if files else 1)
        assert (f"a.{path.suffix[1:]}: {told}" in caplog.text) == (told is not None)
        assert ("left out" in caplog.text) == (told is not None)
    if told and "no label" in told:
        with pytest.raises(UserError, match=r"no label|expected 0 or 1"):
            kind(str(path), **options).setup()


def test_most_rows_may_have_no_label_but_not_all(tmp_path, caplog):
    path = tmp_path / "a.csv"
    path.write_text(TEXTS + "other,\n" * 60)
    data = TextData(str(path), broken_rows="skip")
    data.setup()
    assert sum(len(target) for _, target in data.splits.values()) == 40
    assert "a.csv: 60 of 100 rows have no label, and are left out." in caplog.text
    path.write_text("text,label\n" + "other,\n" * 60)
    with pytest.raises(UserError, match=r"a.csv: 60 of 60 rows have no label: too many.*data.label_column"):
        TextData(str(path), broken_rows="skip").setup()
