"""Which task it is: by its name, from what a model makes of the first batch, or by the labels of a file."""

from __future__ import annotations

import logging
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from rosenblatt.errors import UserError, check_choice, listed
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.classification import Classification, shape_of
from rosenblatt.tasks.counts import class_counts
from rosenblatt.tasks.multiclass import Multiclass
from rosenblatt.tasks.multilabel import Multilabel
from rosenblatt.tasks.regression import Regression
from rosenblatt.tasks.task import Task

log = logging.getLogger(__name__)

TASKS: dict[str, type[Task]] = {one.name: one for one in (Binary, Multiclass, Multilabel, Regression)}
MAX_NUMBERED = 20  # distinct numbers up to which they are classes, such as stars or grades
ROWS_PER_NUMBER = 10  # rows below which, on average, a number is no class
MAX_NUMBER = 1e100  # a larger one has no square in 64 bits
MOSTLY = 0.9  # share of numbers above which a word among them is a mistake


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
    task = kind(tuple(map(str, range(width)))) if kind in (Multiclass, Multilabel) else kind()
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


class LabelEncoder:
    """Says which task labels mean, and makes its target of them.

    Two classes are ``binary`` (the second in order is 1), more are ``multiclass``; rows with several labels, or
    with none, are ``multilabel``. Numbers are ``regression`` where there are more than 20 distinct ones, and one of
    them has a fraction or there are fewer than ten rows a number. (Up to a tenth of the labels may be none: these are
    mistakes then, which are told.)

    Args:
        said: the task, where somebody has set it, or ``None``.

    Attributes:
        task: name of the task, once fitted.
        classes: their names, in the order of the target's numbers; none of numbers.
    """

    def __init__(self, said: str | None = None) -> None:
        if said is not None:
            check_choice("task", said, TASKS)
        self.said = said
        self.task = said
        self.classes: tuple[str, ...] = ()

    def infer(self, labels: pl.Series, where: str) -> None:
        """Tell numbers from classes, before rows are split.

        Args:
            labels: N lists of strings, of all rows that splits are taken from.
            where: file and column, for messages.

        Raises:
            UserError: numbers with a word among them, or one that is not finite; a row without a label where no row
                says that there may be several, or none.
        """
        without = labels.list.len() == 0
        if self.said is None and without.any() and labels.list.len().max() == 1:
            raise UserError(
                f"{where}: row {int(without.arg_true()[0]) + 1} has no label, and no row has more than one. Give it "
                "one, or leave such rows out: data.broken_rows=skip; if rows may have none, say so: task=multilabel"
            )
        single = bool((labels.list.len() == 1).all())
        if self.said not in (None, "regression") or (self.said is None and not single):
            return
        flat = labels.list.first()
        numbers = flat.cast(pl.Float64, strict=False)
        finite = numbers.filter(numbers.is_finite())
        distinct = finite.n_unique()
        if self.said is None:
            if distinct <= MAX_NUMBERED or len(finite) < MOSTLY * len(flat):
                return  # few, or words of which some look like numbers
            if (finite % 1 == 0).all() and len(finite) >= ROWS_PER_NUMBER * distinct:
                log.info(
                    "%s holds %s whole numbers, each in many rows: they are taken for classes. If they are amounts: "
                    "task=regression", where, f"{distinct:,}",
                )  # fmt: skip
                return
        self._check_numbers(numbers, flat, where)
        self.task = "regression"
        if self.said is None:
            log.info(
                "%s holds numbers (%s distinct ones in %s rows), so that numbers are predicted: task=regression. "
                "If they are classes: task=multiclass", where, f"{distinct:,}", f"{len(flat):,}",
            )  # fmt: skip

    def _check_numbers(self, numbers: pl.Series, labels: pl.Series, where: str) -> None:
        wrong = numbers.is_null() | ~(numbers.abs() <= MAX_NUMBER)
        if wrong.any():
            row = int(wrong.arg_true()[0])
            raise UserError(
                f"{where}: expected a number to predict in each row; {int(wrong.sum()):,} of {len(labels):,} have none "
                f"(row {row + 1} has {labels[row]!r}). Correct these rows, or leave them out: data.broken_rows=skip; "
                "if labels are words: task=multiclass"
            )

    def fit(self, labels: pl.Series, names: Sequence[str] = ()) -> None:
        """Choose the classes.

        Args:
            labels: N lists of strings, the labels of each training row.
            names: that are classes even where no row has them.

        Raises:
            UserError: one class only, as many classes as rows, or a task that the labels do not fit.
        """
        if self.task == "regression":
            if labels.list.first().n_unique() < 2:
                raise UserError(
                    f"Expected numbers that differ in the training rows; all {len(labels):,} are {labels[0][0]}. Is "
                    "data.label_column the right column?"
                )
            return
        names = list({*labels.explode().drop_nulls().unique(), *names})
        self.classes = tuple(sorted(names, key=_by_number))
        most = int(labels.list.len().max() or 0)  # type: ignore[arg-type]
        several = most > 1 or int(labels.list.len().min() or 0) == 0  # type: ignore[arg-type]
        inferred = "multilabel" if several else "binary" if len(names) == 2 else "multiclass"
        self.task = self.said or inferred
        if len(names) < 2:
            raise UserError(
                f"Expected at least two classes in the training rows; all {len(labels):,} have the label "
                f"{listed(self.classes) or 'null'}. Is data.label_column the right column?"
            )
        if len(names) >= len(labels):
            raise UserError(
                f"There are {len(names):,} classes in {len(labels):,} training rows, so nothing can be learnt of any. "
                "Is data.label_column the right column? (Several labels in a cell need data.label_separator; numbers "
                "to predict: task=regression.)"
            )
        if self.task != "multilabel" and several:
            got = most if most > 1 else "none"
            raise UserError(f"task={self.task}: expected one label a row; a training row has {got}. Try task=null.")
        if self.task == "binary" and len(names) != 2:
            raise UserError(f"task=binary: expected two classes; got {len(names)}: {listed(self.classes)}.")

    def transform(self, labels: pl.Series, where: str) -> Tensor:
        """Return the target: (N,) int64, (N, num_classes) uint8 for multilabel, (N,) float64 for regression.

        Args:
            labels: N lists of strings.
            where: name of the split or file, for messages.

        Raises:
            UserError: a label that training never had, one that is no number, or a row without one or with several.
                (For multilabel an unknown one is left out, which is told: no model can predict it, and the other
                labels of the row are still worth having.)
        """
        counts = labels.list.len().to_numpy()
        wrong = np.flatnonzero(counts != 1)
        if len(wrong) and self.task != "multilabel":
            raise UserError(
                f"{where}: expected one label a row, as in the training rows; {len(wrong):,} rows have none or several "
                f"(row {wrong[0] + 1} has {counts[wrong[0]]}). Take these rows out, or set task=multilabel."
            )
        flat = labels.explode().drop_nulls()
        if self.task == "regression":
            found = flat.cast(pl.Float64, strict=False)
            self._check_numbers(found, flat, where)
            return torch.from_numpy(found.to_numpy().copy())
        if not flat.is_in(list(self.classes)).all():  # 1 in a file is 1.0 in another one, where training had that
            flat = _as_known(flat, self.classes)
        numbers = flat.cast(pl.Enum(self.classes), strict=False).to_physical().cast(pl.Int64)
        unknown = flat.filter(numbers.is_null())
        if len(unknown) and self.task != "multilabel":
            row = int(np.flatnonzero(numbers.is_null().to_numpy())[0]) + 1  # one label a row: positions are rows
            alike = {one.lower() for one in self.classes} & set(unknown.str.to_lowercase())
            way = (
                "Write them as in training." if alike else "Add such rows to the training data, or leave them out here."
            )
            raise UserError(
                f"{where}: {len(unknown):,} rows have a label that the training rows never have: "
                f"{listed(unknown.unique().sort())} (first in row {row}). Known labels: {listed(self.classes)}. {way}"
            )
        if self.task != "multilabel":
            return torch.from_numpy(numbers.to_numpy().copy())
        if len(unknown):
            log.warning("%s: %s labels that no training row has are left out.", where, f"{len(unknown):,}")
        target = np.zeros((len(labels), len(self.classes)), dtype=np.uint8)
        rows = np.repeat(np.arange(len(labels)), counts)
        known = numbers.is_not_null().to_numpy()
        target[rows[known], numbers.drop_nulls().to_numpy()] = 1
        return torch.from_numpy(target)

    def made(self, target: Tensor) -> Task:
        """Return the task, with what the target of the training rows teaches."""
        assert self.task is not None
        return task_named(self.task, self.classes).counted(target)

    def warn(self, targets: dict[str, Tensor]) -> None:
        """Warn of classes that a split does not have."""
        for split, target in targets.items() if self.classes else ():
            counts = class_counts(target, len(self.classes)).tolist()
            absent = [name for name, count in zip(self.classes, counts, strict=True) if count == 0]
            if absent:
                what = "what is learnt" if split == "train" else "what is measured there"
                log.warning("%s: no row of %s: %s says nothing of it.", split, listed(absent, 3), what)


def tell_alike(labels: pl.Series, where: str) -> None:
    """Warn of names, in N lists of them, that people would read as one."""
    alike: dict[str, list[str]] = {}
    for name, count in labels.explode().drop_nulls().value_counts(sort=True).iter_rows():
        seen = "".join(sign for sign in unicodedata.normalize("NFKC", name) if unicodedata.category(sign) != "Cf")
        seen = re.sub(r"\.0*$", "", " ".join(seen.casefold().split()))
        alike.setdefault(seen, []).append(f"{name!r} ({count:,} rows)")
    if pairs := [" and ".join(names) for names in alike.values() if len(names) > 1]:
        log.warning(
            "%s: labels that differ only in capitals, spaces, a dot or how letters are encoded are classes of their "
            "own: %s%s. If they mean the same, write them alike in the file.",
            where, "; ".join(pairs[:5]), f"; and {len(pairs) - 5:,} more" if len(pairs) > 5 else "",
        )  # fmt: skip


def _as_known(names: pl.Series, classes: tuple[str, ...]) -> pl.Series:
    """Return names that are a class but for a ``.0`` at their end, more or less, as that class."""
    known = {name.removesuffix(".0"): name for name in classes}
    bare = names.str.replace(r"\.0+$", "")
    found = bare.replace_strict(known, default=None, return_dtype=pl.String)
    return names.zip_with(names.is_in(list(classes)) | found.is_null(), found)


def _by_number(name: str) -> tuple[int, float, str]:
    """Order 2 before 10, and numbers before words."""
    try:
        number = float(name)
    except ValueError:
        return 1, 0.0, name
    return (0, number, name) if math.isfinite(number) else (1, 0.0, name)  # "nan" and "inf" are words
