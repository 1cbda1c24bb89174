"""Which task the first batch is of: each line of the contract, and what no line covers."""

from __future__ import annotations

import math

import pytest
import torch

from rosenblatt.errors import UserError
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.inference import TASKS, task_named, task_of_batch
from rosenblatt.tasks.multiclass import Multiclass
from rosenblatt.tasks.multilabel import Multilabel
from rosenblatt.tasks.regression import Regression

ZEROS_AND_ONES = torch.tensor([0, 1, 1, 0])
WHOLE = torch.tensor([0, 2, 1, 2])
NUMBERS = torch.tensor([0.5, 2.0, -3.0, 1.0])
LABELS = torch.tensor([[0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1]])
KINDS = [torch.int64, torch.int32, torch.uint8, torch.float32, torch.float64]
THREE = ("0", "1", "2")


@pytest.mark.parametrize("kind", [*KINDS, torch.bool], ids=str)
def test_one_output_and_zeros_and_ones_are_binary(kind):
    assert task_of_batch(torch.zeros(4, 1), ZEROS_AND_ONES.to(kind)) == Binary(("0", "1"))


@pytest.mark.parametrize("kind", KINDS[:3], ids=str)
def test_several_outputs_and_whole_numbers_are_multiclass(kind):
    assert task_of_batch(torch.zeros(4, 3), WHOLE.to(kind)) == Multiclass(THREE)
    # Also where the first batch has zeros and ones alone, and of two classes with an output each.
    assert task_of_batch(torch.zeros(4, 3), ZEROS_AND_ONES.to(kind)) == Multiclass(THREE)
    assert task_of_batch(torch.zeros(4, 2), ZEROS_AND_ONES.to(kind)) == Multiclass(("0", "1"))


@pytest.mark.parametrize("kind", [*KINDS, torch.bool], ids=str)
def test_as_many_zeros_and_ones_as_outputs_are_multilabel(kind):
    assert task_of_batch(torch.zeros(4, 3), LABELS.to(kind)) == Multilabel(THREE)
    assert task_of_batch(torch.zeros(4, 2), LABELS[:, :2].to(kind)) == Multilabel(("0", "1"))


@pytest.mark.parametrize("outputs", [(4, 1), (4,)], ids=str)
@pytest.mark.parametrize("target", [(4, 1), (4,)], ids=str)
@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.float16], ids=str)
def test_floats_other_than_zero_and_one_are_numbers(outputs, target, kind):
    assert task_of_batch(torch.zeros(outputs), NUMBERS.to(kind).view(target)) == Regression()


def test_the_type_counts_so_that_a_whole_float_is_a_number():
    assert task_of_batch(torch.zeros(4, 1), torch.tensor([2.0, 3.0, 2.0, 5.0])) == Regression()


NOBODY_KNOWS = {
    "whole numbers and one output": (torch.zeros(4, 1), WHOLE),
    "whole floats and an output each": (torch.zeros(4, 3), WHOLE.float()),
    "numbers and several outputs": (torch.zeros(4, 3), NUMBERS),
    "several numbers a row": (torch.zeros(4, 3), torch.randn(4, 3)),
    "zeros and ones in a column": (torch.zeros(4, 1), ZEROS_AND_ONES.float().view(4, 1)),
    "zeros and ones, and outputs without a column": (torch.zeros(4), ZEROS_AND_ONES.float()),
    "images": (torch.zeros(4, 1, 8, 8), torch.zeros(4, 1, 8, 8)),
    "one number for all": (torch.tensor(0.0), torch.tensor([1.5])),
    "a target of one number for all": (torch.zeros(4, 1), torch.tensor(1.5)),
    "another number of rows": (torch.zeros(4, 1), torch.tensor([0.5, 0.7])),
    "no rows": (torch.zeros(0, 1), torch.zeros(0)),
    "no outputs": (torch.zeros(4, 0), WHOLE),
    "a tuple of outputs": ((torch.zeros(4, 1), torch.zeros(4, 1)), ZEROS_AND_ONES),
    "names for a target": (torch.zeros(4, 1), ["a", "b"]),
}


@pytest.mark.parametrize("case", NOBODY_KNOWS)
def test_what_no_line_covers_asks_for_the_task(case):
    with pytest.raises(UserError) as error:
        task_of_batch(*NOBODY_KNOWS[case])
    told = str(error.value)
    assert told.startswith("task: it can't be read off the first batch, with outputs ")
    assert told.endswith("Say it: task=binary, multiclass, multilabel or regression.")
    outputs, target = NOBODY_KNOWS[case]
    for value in (outputs, target):
        assert (f"{tuple(value.shape)} of {value.dtype}" if isinstance(value, torch.Tensor) else "of type ") in told


def test_a_task_that_is_said_wins_where_the_batch_is_of_it():
    assert task_of_batch(torch.zeros(4, 1), ZEROS_AND_ONES.float(), "regression") == Regression()
    assert task_of_batch(torch.zeros(4, 1), WHOLE, "regression") == Regression()
    assert task_of_batch(torch.zeros(4, 3), WHOLE.float(), "multiclass") == Multiclass(THREE)
    assert task_of_batch(torch.zeros(4, 1), ZEROS_AND_ONES.view(4, 1), "multilabel") == Multilabel(("0",))


@pytest.mark.parametrize(
    ("said", "outputs", "target", "parts"),
    [
        ("binary", torch.zeros(4, 3), WHOLE, ["model: expected outputs (N, 1)", "(4, 3)", "Give the model 1 outputs"]),
        ("binary", torch.zeros(4, 1), ZEROS_AND_ONES.view(4, 1), ["a target (N,)", "got", "a target (4, 1)"]),
        ("binary", torch.zeros(4, 1), WHOLE, ["data: expected a target", "from 0 to 1", "row 2", "has 2"]),
        ("binary", torch.zeros(4, 1), NUMBERS, ["data: expected a target", "whole numbers", "row 1", "has 0.5"]),
        ("multiclass", torch.zeros(4, 3), NUMBERS, ["data: expected a target of whole numbers from 0 to 2", "has 0.5"]),
        ("multiclass", torch.zeros(4, 2), WHOLE, ["data: expected", "from 0 to 1, since there are 2 classes", "row 2"]),
        ("multiclass", torch.zeros(4, 3), WHOLE - 1, ["data: expected a target", "row 1 of a batch has -1"]),
        ("multiclass", torch.zeros(4, 3), WHOLE * math.nan, ["data: expected a target", "row 1 of a batch has nan"]),
        ("multilabel", torch.zeros(4, 3), LABELS * 2, ["data: expected a target", "from 0 to 1", "row 1", "has 2"]),
        ("multilabel", torch.zeros(4, 3), WHOLE, ["model: expected outputs (N, 3) and a target (N, 3)", "(4,)"]),
        ("regression", torch.zeros(4, 3), NUMBERS, ["model: expected outputs (N, 1) for numbers", "(4, 3)"]),
        ("regresion", torch.zeros(4, 1), NUMBERS, ["task: expected one of", "Did you mean 'regression'?"]),
    ],
)  # fmt: skip
def test_a_task_that_is_said_and_does_not_fit_is_told(said, outputs, target, parts):
    with pytest.raises(UserError) as error:
        task_of_batch(outputs, target, said)
    for part in parts:
        assert part in str(error.value)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_has_the_name_that_it_is_said_by(name):
    assert task_named(name).name == name
    assert task_named(name, ("a", "b")).classes == (() if name == "regression" else ("a", "b"))


def test_an_unknown_name_gets_the_one_that_was_meant():
    with pytest.raises(UserError, match=r"task: .*got 'multi'\. Did you mean 'multi(class|label)'\?"):
        task_named("multi")
