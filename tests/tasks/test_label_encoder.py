"""Which task the labels of a file mean, and the target that is made of them."""

import math

import polars as pl
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rosenblatt.data.columns import to_lists
from rosenblatt.errors import UserError
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.inference import LabelEncoder
from rosenblatt.tasks.multiclass import Multiclass
from rosenblatt.tasks.regression import Regression


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


def test_an_unseen_label_of_several_is_left_out_and_counted(caplog):
    encoder = fitted(["b", "c"], ["a"], ["c"], ["a"])
    assert encoder.transform(pl.Series([["x", "b"], ["y"], ["a"]]), "test").tolist() == [
        [0, 1, 0],
        [0, 0, 0],
        [1, 0, 0],
    ]
    assert caplog.messages == ["test: 2 labels that no training row has are left out."]


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
        ([["a"], ["b"], ["a"]], None, [["b"], ["x"]], ["Add such rows to the training data"]),
        ([["a"], ["b"], ["a"]], None, [["b"], ["A"], ["x"]], ["Write them as in training"]),
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
        UserError,
        match=r"task: expected one of 'binary', 'multiclass', 'multilabel', 'regression'; got 'bin'.* Did you",
    ):
        LabelEncoder("bin")


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


def inferred(values, task=None):
    """The encoder after a look at all labels of a file, as `FileData` has it."""
    encoder = LabelEncoder(task)
    encoder.infer(to_lists(pl.Series(values, strict=False), None, "f"), "f.csv, column 'y'")
    return encoder


RANDOM = torch.Generator().manual_seed(0)
PRICES = (300_000 + 8_000 * torch.randn(500, generator=RANDOM)).tolist()
CASES = {
    "prices": (PRICES, "regression"),
    "prices as words": ([str(price) for price in PRICES], "regression"),
    "prices in whole euros": ([round(price) for price in PRICES], "regression"),
    "with an exponent": ([f"{price:.6e}" for price in PRICES], "regression"),
    "below zero": ([-price for price in PRICES], "regression"),
    "a fraction in one row of many": ([*range(30)] * 20 + [0.5], "regression"),
    "row numbers": (list(range(600)), "regression"),
    "years in a few rows each": ([1990 + i % 30 for i in range(200)], "regression"),
    "21 numbers, less than ten rows each": ([i % 21 for i in range(209)], "regression"),
    "years in many rows each": ([1990 + i % 30 for i in range(600)], None),
    "21 numbers, ten rows each": ([i % 21 for i in range(210)], None),
    "20 numbers": ([i % 20 for i in range(30)], None),
    "stars": ([1 + i % 5 for i in range(40)], None),
    "half stars": ([i % 10 / 2 for i in range(40)], None),
    "zeros and ones": ([i % 2 for i in range(40)], None),
    "floats that are whole": ([float(i % 3) for i in range(40)], None),
    "words": (["a", "b"] * 20, None),
    "words that hold numbers": ([f"class {i}" for i in range(100)], None),
    "articles, of which a tenth are numbers": ([i if i % 10 == 0 else f"A{i}" for i in range(600)], None),
    "classes, one of which is called nan": (["nan", *range(30)] * 20, None),
    "classes, one of which is called inf": (["inf", *range(30)] * 20, None),
}


@pytest.mark.parametrize("case", CASES)
def test_numbers_that_are_no_classes_are_predicted_as_numbers(case):
    values, task = CASES[case]
    assert inferred([str(value) for value in values]).task == task
    if all(not isinstance(value, str) for value in values):
        assert inferred(values).task == task


@settings(max_examples=200, deadline=None)
@given(
    numbers=st.lists(st.integers(-50, 50) | st.floats(-1e9, 1e9).map(lambda x: round(x, 3)), min_size=1, max_size=60),
    times=st.integers(1, 12),
)
@example(numbers=list(range(21)), times=10)
@example(numbers=list(range(21)), times=9)
def test_the_rule_is_the_documented_one(numbers, times):
    values = numbers * times
    distinct = {float(number) for number in numbers}
    fraction = any(number % 1 for number in distinct)
    wanted = len(distinct) > 20 and (fraction or len(values) < 10 * len(distinct))
    assert inferred([repr(value) for value in values]).task == ("regression" if wanted else None)


@pytest.mark.parametrize(
    ("odd", "shown"), [("oops", "oops"), ("12,5", "12,5"), ("nan", "nan"), ("inf", "inf"), ("1e400", "1e400")]
)
@pytest.mark.parametrize("task", [None, "regression"])
def test_what_is_no_number_among_numbers_is_told_with_its_row(odd, shown, task):
    values = [repr(price) for price in PRICES]
    values[7] = odd
    with pytest.raises(UserError) as error:
        inferred(values, task)
    told = str(error.value)
    assert told.startswith("f.csv, column 'y': expected a number to predict in each row; 1 of 500 have none (row 8 has")
    assert repr(shown) in told
    assert "task=multiclass" in told


def test_floats_that_are_none_in_a_typed_file_are_told():
    values = PRICES.copy()
    values[3], values[4] = math.nan, -math.inf
    with pytest.raises(UserError, match=r"2 of 500 have none \(row 4 has 'NaN'\)"):
        inferred(values)


@pytest.mark.parametrize("task", ["multiclass", "binary", "multilabel"])
def test_a_task_with_classes_that_is_set_is_not_overruled_by_numbers(task):
    assert inferred(PRICES, task).task == task


def test_numbers_that_are_few_are_predicted_as_numbers_where_that_is_set():
    encoder = inferred([1, 2, 5, 3] * 5, "regression")
    labels = pl.Series([["1"], ["2.5"], ["-3e2"]])
    encoder.fit(labels)
    target = encoder.transform(labels, "train")
    assert target.dtype == torch.float64
    assert target.tolist() == [1.0, 2.5, -300.0]
    assert encoder.classes == ()


def test_rows_with_several_labels_are_no_numbers():
    encoder = LabelEncoder("regression")
    encoder.infer(pl.Series([["1", "2"], ["3"]] * 20), "f")
    encoder.fit(pl.Series([["1"], ["3"]]))
    with pytest.raises(UserError, match=r"val: expected one label a row.* \(row 1 has 2\)"):
        encoder.transform(pl.Series([["1", "2"], ["3"]]), "val")


def test_a_word_in_another_file_is_told_with_its_split_and_row():
    encoder = inferred(PRICES)
    encoder.fit(pl.Series([["1.5"], ["2"]]))
    with pytest.raises(UserError, match=r"test: expected a number .* \(row 2 has 'x'\)"):
        encoder.transform(pl.Series([["1"], ["x"]]), "test")


def test_numbers_that_are_all_the_same_teach_nothing():
    encoder = LabelEncoder("regression")
    with pytest.raises(UserError, match=r"numbers that differ .* all 3 are 4\. Is data.label_column"):
        encoder.fit(pl.Series([["4"]] * 3))


def test_what_was_inferred_is_told_with_how_to_say_otherwise(caplog):
    caplog.set_level("INFO")
    inferred(PRICES)
    inferred([1990 + i % 30 for i in range(600)])
    assert caplog.messages == [
        "f.csv, column 'y' holds numbers (500 distinct ones in 500 rows), so that numbers are predicted: "
        "task=regression. If they are classes: task=multiclass",
        "f.csv, column 'y' holds 30 whole numbers, each in many rows: they are taken for classes. If they are "
        "amounts: task=regression",
    ]
    caplog.clear()
    inferred(PRICES, "regression")
    inferred(["a", "b"] * 20)
    assert caplog.messages == []


def test_the_task_that_is_made_knows_what_training_rows_teach():
    numbers = LabelEncoder("regression")
    target = torch.tensor([1e9, 1e9 + 2, 1e9 + 4], dtype=torch.float64)
    task = numbers.made(target)
    assert isinstance(task, Regression)
    assert (task.num_rows, task.mean) == (3, 1e9 + 2)
    assert task.std == pytest.approx(math.sqrt(8 / 3), rel=1e-9)
    assert fitted(["a"], ["b"], ["b"]).made(torch.tensor([0, 1, 1])) == Binary(("a", "b"), 3, class_counts=(1, 2))
    three = fitted(["a"], ["b"], ["c"], ["b"]).made(torch.tensor([0, 1, 2, 1]))
    assert three == Multiclass(("a", "b", "c"), 4, class_counts=(1, 2, 1))


def test_a_row_without_a_label_is_told_where_no_row_has_several():
    one, several = pl.Series([["a"], [], ["b"]]), pl.Series([["a"], [], ["b", "c"]])
    with pytest.raises(UserError, match=r"f: row 2 has no label.*task=multilabel"):
        LabelEncoder().infer(one, "f")
    LabelEncoder("multilabel").infer(one, "f")
    LabelEncoder().infer(several, "f")
    LabelEncoder().infer(pl.Series([["a"], ["b"]]), "f")
