"""The metrics of a run as they are shown: whatever it has logged, those that people know first."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rosenblatt.tasks.titles import SPLIT_TITLES, TITLES, interval, shown


def parted(key: str) -> tuple[str, str]:
    """Return the split of a metric, or an empty word, and its name: of ``val/loss`` and ``val_loss`` alike."""
    for split in SPLIT_TITLES:
        if key.startswith((f"{split}/", f"{split}_")):
            return split, key[len(split) + 1 :]
    return "", key


def order_of(name: str) -> tuple[int, str]:
    """Return the place of a metric: those that people know come first, all others by their names."""
    known = list(TITLES)
    return (known.index(name), "") if name in known else (len(known), name)


def title_of(name: str) -> str:
    """Return what people call a metric; of one that nobody knows, its name."""
    return TITLES.get(name, name)


def is_aside(name: str) -> bool:
    """Return whether a metric, without its split, says something of another one: an interval, a baseline."""
    return re.search(r"_low$|_high$|^baseline_|_uncalibrated$|^repeated$", name) is not None


class MetricRow(NamedTuple):
    """A line of the table of metrics, as text: values of all splits; interval (or empty) and baseline of the last."""

    name: str
    title: str
    values: list[str]
    interval: str
    baseline: str


def splits_of(metrics: Mapping[str, Any]) -> list[str]:
    """Return the splits that there are metrics of, in their order."""
    found = {parted(key)[0] for key in metrics if not is_aside(parted(key)[1])}
    return [split for split in SPLIT_TITLES if split in found]


def metric_rows(metrics: Mapping[str, Any]) -> list[MetricRow]:
    """Return the table of flat metrics, as in ``metrics.json``: a row for each that the last split has."""
    of: dict[str, dict[str, Any]] = {split: {} for split in splits_of(metrics)}
    for key, value in metrics.items():
        split, name = parted(key)
        if split in of:
            of[split][name] = value
    last = of[[*of][-1]] if of else {}
    names = [name for name, value in last.items() if not is_aside(name) and isinstance(value, int | float)]
    rows = []
    for name in sorted(names, key=order_of):
        values = [shown(one.get(name)) for one in of.values()]
        rows.append(MetricRow(name, title_of(name), values, interval(last, name), shown(last.get(f"baseline_{name}"))))
    return rows


def row_counts(num_rows: Mapping[str, int], splits: Sequence[str]) -> list[str]:
    """Return how many rows each split has, for the table of metrics."""
    return [f"{num_rows[split]:,}" if split in num_rows else "-" for split in splits]
