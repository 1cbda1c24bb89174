import polars as pl
import pytest
import torch

from rosenblatt.data.columns import to_lists
from rosenblatt.errors import UserError
from rosenblatt.text.data import rows_of_class


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
    with pytest.raises(UserError, match=r"f, column 'x': 2 of 4 rows have no label \(first in row 2\)"):
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
