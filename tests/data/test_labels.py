import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rosenblatt.data.labels import LabelEncoder, rows_of_class, to_lists
from rosenblatt.errors import UserError


def fitted(*labels, task=None):
    encoder = LabelEncoder(task)
    encoder.fit(pl.Series(labels))
    return encoder


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        ([["b"], ["a"], ["b"]], "binary"),
        ([["b"], ["a"], ["c"], ["b"]], "multiclass"),
        ([["b"], ["a"], ["a", "b"]], "multilabel"),
        ([["b"], ["a", "b"], []], "multilabel"),
    ],
)
def test_the_task_follows_from_the_labels(labels, task):
    assert fitted(*labels).task == task


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_a_task_that_is_set_is_kept(task):
    encoder = fitted(["b"], ["a"], ["b"], task=task)
    assert encoder.task == task
    assert encoder.transform(pl.Series([["b"]]), "val").tolist() == ([1] if task == "multiclass" else [[0, 1]])


def test_classes_are_in_order_and_the_second_of_two_is_one():
    encoder = fitted(["yes"], ["no"], ["yes"])
    assert encoder.classes == ("no", "yes")
    target = encoder.transform(pl.Series([["yes"], ["no"]]), "val")
    assert target.dtype == torch.int64
    assert target.tolist() == [1, 0]


def test_numbers_are_ordered_as_numbers_and_before_words():
    labels = [["10"], ["2"], ["-1"], ["1.5"], ["nan"], ["b"], ["inf"], ["A"], ["2"]]
    assert fitted(*labels).classes == ("-1", "1.5", "2", "10", "A", "b", "inf", "nan")


def test_a_multilabel_target_has_a_column_a_class():
    encoder = fitted(["b", "c"], ["a"], [], ["c"])
    target = encoder.transform(pl.Series([["c", "a"], [], ["b"]]), "val")
    assert target.dtype == torch.uint8
    assert target.tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]


def test_an_unseen_label_of_several_is_left_out_and_counted():
    encoder = fitted(["b", "c"], ["a"], ["c"], ["a"])
    assert encoder.transform(pl.Series([["x", "b"], ["y"], ["a"]]), "test").tolist() == [
        [0, 1, 0],
        [0, 0, 0],
        [1, 0, 0],
    ]
    assert encoder.num_unknown == {"test": 2}


@pytest.mark.parametrize(
    ("train", "task", "test", "parts"),
    [
        ([["a"], ["a"]], None, None, ["at least two classes", "all 2", "'a'", "data.label_column"]),
        ([[], []], None, None, ["at least two classes", "null"]),
        ([["a"], ["b"], ["c"]], None, None, ["3 classes in 3 training rows", "data.label_separator"]),
        ([["a"], ["b", "c", "d"]], None, None, ["4 classes in 2 training rows"]),
        ([["a"], ["b"], ["a", "b"]], "binary", None, ["task=binary", "one label a row", "has 2", "task=null"]),
        ([["a"], ["b"], []], "multiclass", None, ["task=multiclass", "one label a row", "has none"]),
        ([["a"], ["b"], ["c"], ["a"]], "binary", None, ["task=binary", "two classes", "got 3", "'a', 'b', 'c'"]),
        ([["a"], ["b"], ["a"]], None, [["b"], ["x"], ["y"], ["x"]], ["val", "3 rows", "'x', 'y'", "row 2", "'a', 'b'"]),
        ([["a"], ["b"], ["a"]], None, [["b"], ["a", "b"]], ["val", "one label a row", "1 rows", "row 2 has 2"]),
        ([["a"], ["b"], ["a"]], None, [["b"], ["a"], []], ["val", "one label a row", "row 3 has 0"]),
    ],
)
def test_labels_that_do_not_fit_are_told(train, task, test, parts):
    with pytest.raises(UserError) as error:
        fitted(*train, task=task).transform(pl.Series(test), "val")
    for part in parts:
        assert part in str(error.value)


def test_an_unknown_task_is_told_with_those_there_are():
    with pytest.raises(
        UserError, match=r"task: expected one of 'binary', 'multiclass', 'multilabel'; got 'bin'.* Did you"
    ):
        LabelEncoder("bin")


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


@settings(deadline=None, max_examples=50)
@given(labels=st.lists(st.text(min_size=1), min_size=1, max_size=12))
def test_any_names_come_back_from_their_numbers(labels):
    lists = to_lists(pl.Series([f"x{label}" for label in labels] * 3 + ["y"]), None, "f")
    encoder = LabelEncoder()
    encoder.fit(lists)
    names = [[encoder.classes[number]] for number in encoder.transform(lists, "train").tolist()]
    assert names == lists.to_list()


def test_a_class_that_a_split_does_not_have_is_told(caplog):
    encoder = LabelEncoder()
    labels = pl.Series([["a"], ["b"], ["c"], ["d"], ["e"]] * 2)
    encoder.fit(labels)
    targets = {split: encoder.transform(labels[:num], split) for split, num in (("train", 10), ("val", 5), ("test", 1))}
    encoder.warn(targets)
    says = "what is measured there says nothing of it."
    assert caplog.messages == [f"test: no row of 'b', 'c', 'd' and 1 more: {says}"]
