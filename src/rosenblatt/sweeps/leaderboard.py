"""All trials of a sweep in the order of how good they are, as far as its jobs have come."""

from __future__ import annotations

import itertools
import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from rich import box
from rich.table import Table
from rich.text import Text

from rosenblatt.run.folder import RunFolder
from rosenblatt.run.whole import write_whole
from rosenblatt.sweeps.dimensions import Trial, shortened
from rosenblatt.sweeps.folder import WINNER
from rosenblatt.sweeps.jobs import Job, State, jobs_in
from rosenblatt.sweeps.settings import Direction

ORDER: tuple[State, ...] = ("done", "pruned", "running", "cut off", "open", "failed")
MAX_SHOWN = 20  # rows on a terminal
SHOWN = ("val/loss", "val/acc", "val/f1", "val/p_at_1")  # beside the objectives, where they are there
LEFT_OUT = ("reason", "folder", "val/f1")  # of the columns that people look at


@dataclass
class Row:
    """A trial, with the means over its seeds.

    Attributes:
        trial: the setting.
        state: the least advanced of its jobs; ``failed`` if one has failed.
        means: of each metric.
        spreads: sample standard deviation of each metric over the seeds, where there are several.
        num_seeds: jobs with a result.
        folders: of the jobs.
        reason: why the first one that failed did.
        rank: from 1, or ``None`` where there is no result.
        test: means on test, of the winner alone.
    """

    trial: Trial
    state: State
    means: dict[str, float]
    spreads: dict[str, float]
    num_seeds: int
    folders: list[str]
    reason: str = ""
    rank: int | None = None
    test: dict[str, float] = field(default_factory=dict)


def row_of(jobs: Sequence[Job]) -> Row:
    """Return a trial, given its jobs, which have been looked at."""
    means, spreads = means_of(job.metrics for job in jobs)
    state = max((job.state for job in jobs), key=ORDER.index)
    reason = next((job.reason for job in jobs if job.state == "failed"), "")
    num_seeds = sum(bool(job.metrics) for job in jobs)
    return Row(jobs[0].trial, state, means, spreads, num_seeds, [job.folder.name for job in jobs], reason)


def means_of(runs: Iterable[Mapping[str, Any]]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the mean of each metric over several runs, and its sample standard deviation where there are several."""
    values: dict[str, list[float]] = {}
    for metrics in runs:
        for name, value in metrics.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                values.setdefault(name, []).append(float(value))
    means = {name: statistics.fmean(numbers) for name, numbers in values.items()}
    return means, {name: statistics.stdev(numbers) for name, numbers in values.items() if len(numbers) > 1}


def ranked(rows: Sequence[Row], objectives: Mapping[str, Direction]) -> list[Row]:
    """Return rows from the best to the worst: those that are done, then pruned ones, then those without a result.

    With several objectives, a row that no other one beats in all of them comes before one that is beaten; among such
    rows the first objective decides.
    """

    def scores(row: Row) -> list[float]:
        return [row.means[name] if way == "min" else -row.means[name] for name, way in objectives.items()]

    best = [row for row in rows if row.state in ("done", "pruned") and all(name in row.means for name in objectives)]
    every = [scores(row) for row in best]

    def order(row: Row) -> tuple[bool, int, float]:
        # A row that is beaten is beaten by all that beat the one before it, too.
        own = scores(row)
        num_better = 0
        if len(own) > 1:
            num_better = sum(one != own and all(a <= b for a, b in zip(one, own, strict=True)) for one in every)
        return row.state == "pruned", num_better, own[0]

    best.sort(key=order)
    for rank, row in enumerate(best, start=1):
        row.rank = rank
    rest = sorted((row for row in rows if row not in best), key=lambda row: (ORDER.index(row.state), row.trial.number))
    return [*best, *rest]


def table_of(rows: Sequence[Row], objectives: Mapping[str, Direction]) -> list[dict[str, Any]]:
    """Return ranked rows as plain values by column, for any kind of table."""
    keys = list(dict.fromkeys(key for row in rows for key in row.trial.setting))
    metrics = list(objectives)
    metrics += [name for name in SHOWN if name not in metrics and any(name in row.means for row in rows)]
    tests = list(dict.fromkeys(name for row in rows for name in row.test))
    tests = [name for name in tests if not re.search(r"_low$|_high$|/baseline_", name)]
    several = any(row.num_seeds > 1 for row in rows)
    found = []
    for row in rows:
        line: dict[str, Any] = {"rank": row.rank}
        line |= {key: row.trial.setting.get(key) for key in keys}
        for name in metrics:
            line[name] = row.means.get(name)
            if several:
                line[f"{name} spread"] = row.spreads.get(name)
        if several:
            line["seeds"] = row.num_seeds
        line |= {name: row.test.get(name) for name in tests}
        line |= {"epochs": row.means.get("epochs"), "seconds": row.means.get("seconds"), "state": row.state}
        line |= {"reason": row.reason or None, "folder": " ".join(row.folders)}
        found.append(line)
    return found


class Board:
    """The leaderboard of a sweep's folder."""

    def __init__(self, path: Path, objectives: Mapping[str, Direction]) -> None:
        self.path = path
        self.objectives = objectives
        self._ended: dict[Path, Job] = {}

    def jobs(self) -> list[Job]:
        """Return all jobs that have been begun, in the order of their numbers, with what has become of each."""
        found = [job.look(self.objectives) for job in jobs_in(self.path, but=self._ended)]
        every = [*found, *self._ended.values()]
        self._ended |= {job.folder: job for job in found if job.ended}
        return sorted(every, key=lambda job: (job.trial.number, job.seed))

    def rows(self) -> list[Row]:
        """Return all trials that have been begun, from the best to the worst."""
        trials = itertools.groupby(self.jobs(), key=lambda job: job.trial.number)
        rows = ranked([row_of([*jobs]) for _, jobs in trials], self.objectives)
        winner = RunFolder(self.path).read_json(WINNER) or {}
        if rows and rows[0].folders == winner.get("folders"):
            rows[0].test = winner["test"]
        return rows

    def write(self) -> list[Row]:
        """Write ``leaderboard.csv``, and return its rows."""
        rows = self.rows()
        write_whole(self.path / "leaderboard.csv", as_csv(table_of(rows, self.objectives)).encode())
        return rows


def as_csv(table: Sequence[Mapping[str, Any]]) -> str:
    """Return a table as CSV; numbers with all their digits."""
    return pl.DataFrame(table, infer_schema_length=None).write_csv() if table else ""


def as_markdown(table: Sequence[Mapping[str, Any]]) -> str:
    """Return a table as Markdown; numbers as people read them."""
    if not table:
        return ""
    names = [name for name in table[0] if any(line[name] not in (None, "") for line in table)]
    lines = [names, ["---"] * len(names)]
    lines += [[cell(line[name]).replace("|", "\\|").replace("\n", " ") for name in names] for line in table]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def leaderboard_table(rows: Sequence[Row], objectives: Mapping[str, Direction], width: int = 80) -> Table:
    """Return the best rows for a terminal: settings, objectives, and as much besides as there is room for."""
    best = [row for row in rows if row.state != "failed"][:MAX_SHOWN] or list(rows[:MAX_SHOWN])
    names, lines = columns(best, objectives)
    settings = [name for name in names if name in {key for row in best for key in row.trial.setting}]
    for name in [name for name in reversed(names) if name not in ("rank", *settings, *objectives, "state")]:
        if sum(max(len(name), *(len(line[name]) for line in lines)) + 1 for name in names) > width:
            names.remove(name)  # least of all what varies may go
    title = f"Leaderboard of {len(rows)}" + (f", the first {len(best)}" if len(best) < len(rows) else "")
    style: Any = {"title_justify": "left", "title_style": "bold", "box": box.SIMPLE_HEAD}
    table = Table(title=title, pad_edge=False, padding=(0, 1, 0, 0), **style)
    for name in names:
        is_word = name in settings or name == "state"
        table.add_column(Text(name), justify="left" if is_word else "right", no_wrap=not is_word, overflow="fold")
    for line in lines:
        table.add_row(*(Text(line[name]) for name in names))
    return table


def columns(rows: Sequence[Row], objectives: Mapping[str, Direction]) -> tuple[list[str], list[dict[str, str]]]:
    """Return the columns that people look at, and the lines of `table_of` as they read them: spreads beside means."""
    lines = []
    for values in table_of(rows, objectives):
        line = {name: shortened(value) if isinstance(value, str) else cell(value) for name, value in values.items()}
        line["seconds"] = "" if values["seconds"] is None else f"{values['seconds']:.1f}"
        for name in values:
            if values.get(f"{name} spread") is not None:
                line[name] += f" ± {cell(values[f'{name} spread'])}"
        lines.append(line)
    tests = {"test/acc", "test/p_at_1", *(f"test/{one.removeprefix('val/')}" for one in objectives)}
    names = [name for name in (lines[0] if lines else []) if name not in LEFT_OUT and not name.endswith(" spread")]
    names = [name for name in names if name in tests or not name.startswith("test/")]
    told = [name for name in names if any(line[name] not in ("", "done") for line in lines)]
    return [name for name in names if name in objectives or name in told], lines


def cell(value: Any) -> str:
    """Return a value as people read it."""
    if value is None:
        return ""
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e6:
            return f"{value:.0f}"
        return f"{value:.4f}" if abs(value) < 1e4 else f"{value:.3e}"
    return str(value)
