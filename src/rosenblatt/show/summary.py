"""The end of a run, as a table on the terminal and in the log."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text
from torch import Tensor

from rosenblatt.data.features import SPLITS, DataSpec, class_counts
from rosenblatt.tasks.titles import TITLES, interval, shown

if TYPE_CHECKING:  # torchmetrics takes as long to import as torch, and predicting does without
    from rosenblatt.tasks.metrics import Result


def summary(metrics: Mapping[str, float], num_rows: Mapping[str, int], notes: list[tuple[str, str]]) -> RenderableType:
    """Return the table of a run.

    Args:
        metrics: flat, as in ``metrics.json``.
        num_rows: rows of each split.
        notes: pairs of a word and what there is to say, under the table.
    """
    splits = [split for split in SPLITS if f"{split}/loss" in metrics]
    last = splits[-1]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))  # to fit into 80 columns
    table.add_column("")
    for split in splits:
        table.add_column({"val": "validation"}.get(split, split), justify="right")
    table.add_column("95 %", justify="right")
    table.add_column("majority", justify="right", style="dim")
    table.add_row("rows", *(f"{num_rows[split]:,}" for split in splits), "", f"on {last}")
    for name, title in TITLES.items():
        if f"{last}/{name}" in metrics:
            figures = [shown(metrics.get(f"{split}/{name}")) for split in splits]
            table.add_row(
                title, *figures, interval(metrics, f"{last}/{name}"), shown(metrics.get(f"{last}/baseline_{name}"))
            )
    below = Table.grid(padding=(0, 2))
    for word, note in notes:
        below.add_row(Text(word, style="bold"), Text(note, overflow="fold"))
    return Group(table, below)


def as_text(renderable: RenderableType, width: int = 100) -> str:
    """Return what a console of that width shows, without colour, for the log file."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def per_class_table(spec: DataSpec, target: Tensor, result: Result) -> str:
    """Return a CSV table with a row a class.

    Args:
        spec: the classes.
        target: (N,) or (N, num_labels), of the split that was evaluated.
        result: of that split.
    """
    counts = class_counts(target, len(spec.classes)).tolist()
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["class", "rows", *result.per_class])
    for i, name in enumerate(spec.classes):
        writer.writerow([name, counts[i], *(round(values[i], 6) for values in result.per_class.values())])
    return table.getvalue()
