"""Which task it is: by its name, or from what a model makes of the first batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from rosenblatt.errors import UserError, check_choice
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.classification import Classification, class_names, shape_of
from rosenblatt.tasks.multiclass import Multiclass
from rosenblatt.tasks.multilabel import Multilabel
from rosenblatt.tasks.regression import Regression
from rosenblatt.tasks.task import Task

TASKS: dict[str, type[Task]] = {one.name: one for one in (Binary, Multiclass, Multilabel, Regression)}


def task_of_batch(outputs: Any, target: Any, said: str | None = None) -> Task:
    """Return the task of a batch; classes are named by their numbers.

    Outputs (N, 1) and a target (N,) of 0 and 1 are binary; (N, C) and whole numbers (N,) multiclass; (N, C) and (N, C)
    of 0 and 1 multilabel; one output a row and floats other than 0 and 1 regression (the type counts: 2.0 is a number).

    Args:
        outputs: that the model gives for the batch.
        target: of the batch.
        said: the name of the task, where somebody has said it.

    Raises:
        UserError: no line above covers the batch, or it is not of the task that was said.
    """
    name = said or _name_of(outputs, target)
    if name is None:
        raise UserError(
            f"task: it can't be read off the first batch, with outputs {shape_of(outputs)} and a target "
            f"{shape_of(target)}. Say it: task=binary, multiclass, multilabel or regression."
        )
    check_choice("task", name, TASKS)
    width = int(outputs.shape[1]) if isinstance(outputs, Tensor) and outputs.ndim == 2 else 1
    kind = TASKS[name]
    task = kind(class_names(width)) if kind in (Multiclass, Multilabel) else kind()
    task.check(outputs, target)
    return task


def _name_of(outputs: Any, target: Any) -> str | None:
    if not isinstance(outputs, Tensor) or not isinstance(target, Tensor):
        return None
    if outputs.ndim not in (1, 2) or outputs.numel() == 0:
        return None
    one_a_row = outputs.numel() == len(outputs) == target.numel()
    zeros_and_ones = bool(((target == 0) | (target == 1)).all())
    if target.ndim == outputs.ndim == 2 and target.shape == outputs.shape and zeros_and_ones and target.shape[1] > 1:
        return "multilabel"
    if target.ndim == 1 and outputs.ndim == 2 and outputs.shape[1] > 1 and not target.is_floating_point():
        return "multiclass"
    if one_a_row and outputs.ndim == 2 and target.ndim == 1 and zeros_and_ones:
        return "binary"
    return "regression" if one_a_row and target.is_floating_point() and not zeros_and_ones else None


def task_named(name: str, classes: tuple[str, ...] = ()) -> Task:
    """Return a task by its name; without classes, two are ``0`` and ``1``.

    Raises:
        UserError: there is none of that name.
    """
    check_choice("task", name, TASKS)
    kind = TASKS[name]
    return kind(classes) if classes and issubclass(kind, Classification) else kind()


def task_from(name: str, facts: Mapping[str, Any]) -> Task:
    """Return a task from what `Task.facts` gave, checked.

    Raises:
        ValueError: these are no facts of a task.
    """
    if name not in TASKS:
        raise ValueError(f"{str(name)[:50]!r} is no task")
    known = TASKS[name]().facts()
    if set(facts) != set(known):
        raise ValueError(f"expected {sorted(known)} of the task; there are {sorted(map(str, facts))[:20]}")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in facts.items()}
    return TASKS[name](**values)
