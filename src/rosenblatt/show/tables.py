"""Tables for the terminal and the log: the end of a run, classes, confusions and mistakes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from rosenblatt.show.metrics import metric_rows, order_of, row_counts, splits_of, title_of
from rosenblatt.show.words import LONGEST_CELL, cut, printable, words
from rosenblatt.tasks.titles import shown

MAX_CLASSES = 30  # that are shown, the most frequent ones
MAX_SQUARE = 10  # classes up to which all confusions fit into a terminal


def summary(
    metrics: Mapping[str, Any],
    num_rows: Mapping[str, int],
    notes: Sequence[tuple[str, str]],
    baseline: str = "majority",
) -> RenderableType:
    """Return the table of a run.

    Args:
        metrics: flat, as in ``metrics.json``, and ``num_rows`` of each split, where they are known.
        notes: pairs of a word and what there is to say, under the table.
        baseline: what metrics are compared with.
    """
    splits, rows = splits_of(metrics), metric_rows(metrics)
    table = Table("", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))  # to fit into 80 columns
    for split in splits:
        table.add_column({"val": "validation"}.get(split, split), justify="right")
    compared = any(row.interval or row.baseline != "-" for row in rows)
    if compared:
        table.add_column("95 %", justify="right")
        table.add_column(baseline, justify="right", style="dim")
    if num_rows and splits:
        table.add_row("rows", *row_counts(num_rows, splits), *(["", f"on {splits[-1]}"] if compared else []))
    for row in rows:
        table.add_row(Text(row.title), *row.values, *([row.interval, row.baseline] if compared else []))
    below = Table.grid(padding=(0, 2))
    for word, note in notes:
        below.add_row(Text(word, style="bold"), Text(note, overflow="fold"))
    return Group(table, below) if splits else below


def as_text(renderable: RenderableType, width: int = 100) -> str:
    """Return what a console of that width shows, without colour, for the log file."""
    console = Console(width=width, color_system=None, force_terminal=False)
    with console.capture() as captured:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def per_class_csv(classes: Sequence[str], counts: Sequence[int], per_class: Mapping[str, Sequence[float]]) -> str:
    """Return a CSV table with a row a class; arguments as for `class_table`."""
    metrics = {name: [round(value, 6) for value in values] for name, values in per_class.items()}
    return pl.DataFrame({"class": classes, "rows": counts, **metrics}).write_csv()


def _table(title: str, header: Sequence[str], rows: Iterable[Iterable[str]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(header):
        table.add_column(Text(column), justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def class_table(classes: Sequence[str], counts: Sequence[int], per_class: Mapping[str, Sequence[float]]) -> Table:
    """Return a row a class with its name, its count of rows, and one number for each metric."""
    names = sorted(per_class, key=order_of)
    order = sorted(range(len(counts)), key=lambda k: -counts[k])[:MAX_CLASSES]
    rest = len(counts) - len(order)
    title = "Classes" + (f" (the {MAX_CLASSES} most frequent; per_class in the file has {rest:,} more)" if rest else "")
    rows = []
    for k in order:
        figures = [per_class[name][k] for name in names]
        rows.append([classes[k], f"{counts[k]:,}", *("-" if isnan(one) else shown(one) for one in figures)])
    return _table(title, ["", "rows", *map(title_of, names)], rows)


def confusion_table(classes: Sequence[str], confusions: NDArray[Any]) -> Table:
    """Return all confusions of a few classes, or the most frequent ones of many.

    Args:
        classes: their names.
        confusions: (num_classes, num_classes), rows true, columns predicted; for multilabel (num_labels, 2, 2).
    """
    if confusions.ndim == 3:
        wrong = confusions[:, 1, 0] + confusions[:, 0, 1]
        worst = np.argsort(-wrong, kind="stable")[:MAX_SQUARE]
        rows = [[classes[k], f"{confusions[k, 1, 0]:,}", f"{confusions[k, 0, 1]:,}"] for k in worst]
        return _table("Labels most often wrong", ["", "there, not predicted", "predicted, not there"], rows)
    if len(classes) <= MAX_SQUARE:
        rows = [[name, *(f"{number:,}" for number in row)] for name, row in zip(classes, confusions, strict=True)]
        return _table("Confusions", ["true / predicted", *classes], rows)
    wrong = confusions * (1 - np.eye(len(classes), dtype=confusions.dtype))
    worst = np.argsort(-wrong.ravel(), kind="stable")[:MAX_SQUARE]
    pairs = [divmod(int(place), len(classes)) for place in worst]
    rows = [[classes[true], classes[predicted], f"{wrong[true, predicted]:,}"] for true, predicted in pairs]
    return _table("Most frequent confusions", ["true", "predicted", "rows"], rows)


def mistake_table(found: Sequence[Mapping[str, Any]], title: str) -> Table:
    """Return the worst mistakes: ``row``, ``true``, ``prediction`` and other words of each, its ``content`` last."""
    header, rows = mistake_cells(found, LONGEST_CELL)
    table = _table(title, [*header[:-1], ""], [map(printable, row) for row in rows])
    table.columns[-1].justify = "left"
    return table


def mistake_cells(found: Sequence[Mapping[str, Any]], longest: int) -> tuple[list[str], list[list[str]]]:
    """Return header and cells of mistakes; see `mistake_table`."""
    header = [{"prediction": "predicted"}.get(name, name) for name in (found[0] if found else ())]
    rows = [[f"{one['row']:,}", *(cut(words(one[key]), longest) for key in list(one)[1:])] for one in found]
    return header, rows
