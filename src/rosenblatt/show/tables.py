"""Tables of an evaluation: classes, confusions and mistakes, for the terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text
from torch import Tensor

from rosenblatt.data.features import DataSpec
from rosenblatt.tasks.titles import TITLES, shown

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
MAX_CLASSES = 30  # that are shown, the most frequent ones
LONGEST = 160  # characters of a row that are shown
MAX_SQUARE = 10  # classes up to which all confusions fit into a terminal


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if number else "left", overflow="fold")
    return table


def class_table(spec: DataSpec, counts: Sequence[int], per_class: Mapping[str, Sequence[float]]) -> Table:
    """Return a row a class with its metrics.

    Args:
        spec: the classes.
        counts: rows of each.
        per_class: for each metric, one number a class.
    """
    names = [name for name in TITLES if name in per_class]
    order = sorted(range(len(counts)), key=lambda k: -counts[k])[:MAX_CLASSES]
    rest = len(counts) - len(order)
    title = "Classes" + (f" (the {MAX_CLASSES} most frequent; per_class in the file has {rest:,} more)" if rest else "")
    table = _table(title, "", "rows", *(TITLES[name] for name in names))
    for k in order:
        figures = [per_class[name][k] for name in names]
        table.add_row(Text(spec.classes[k]), f"{counts[k]:,}", *(shown(None if one != one else one) for one in figures))
    return table


def confusion_table(spec: DataSpec, confusions: Tensor) -> Table:
    """Return all confusions of a few classes, or the most frequent ones of many.

    Args:
        spec: the classes.
        confusions: (num_classes, num_classes), rows true, columns predicted; for multilabel (num_labels, 2, 2).
    """
    if spec.task == "multilabel":
        table = _table("Labels most often wrong", "", "there, not predicted", "predicted, not there")
        wrong = confusions[:, 1, 0] + confusions[:, 0, 1]
        for k in wrong.argsort(descending=True, stable=True)[:MAX_SQUARE].tolist():
            table.add_row(Text(spec.classes[k]), f"{int(confusions[k, 1, 0]):,}", f"{int(confusions[k, 0, 1]):,}")
        return table
    if len(spec.classes) <= MAX_SQUARE:
        table = _table("Confusions", "true / predicted", *spec.classes)
        for name, row in zip(spec.classes, confusions.tolist(), strict=True):
            table.add_row(Text(name), *(f"{number:,}" for number in row))
        return table
    table = _table("Most frequent confusions", "true", "predicted", "rows")
    wrong = confusions.clone().fill_diagonal_(0)
    for place in wrong.flatten().argsort(descending=True, stable=True)[:MAX_SQUARE].tolist():
        true, predicted = divmod(place, len(spec.classes))
        table.add_row(Text(spec.classes[true]), Text(spec.classes[predicted]), f"{int(wrong[true, predicted]):,}")
    return table


def mistake_table(found: Sequence[Mapping[str, Any]]) -> Table:
    """Return the most confident mistakes.

    Args:
        found: ``row``, ``true``, ``prediction``, ``probability`` and ``content`` of each.
    """
    table = _table("Most confident mistakes", "row", "true", "predicted", "probability", "")
    table.columns[-1].justify = "left"
    for one in found:
        told = [f"{one['row']:,}", *(words(one[name]) for name in ("true", "prediction", "probability"))]
        content = cut(str(one["content"]), LONGEST)
        table.add_row(*(Text(printable(cell)) for cell in (*told, content)))
    return table


def words(value: Any) -> str:
    """Return a prediction, or a list of them, as text."""
    if isinstance(value, list):
        return ", ".join(words(one) for one in value) or "none"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def cut(text: str, longest: int) -> str:
    """Return text in one line, of at most so many characters; not by words, which not every script parts by spaces."""
    text = " ".join(text.split())
    return text if len(text) <= longest else f"{text[: longest - 4]} ..."


def printable(text: str) -> str:
    """Return text without the characters that would move the cursor, colour the terminal or begin another line."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
