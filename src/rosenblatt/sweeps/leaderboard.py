"""All trials of a sweep in the order of how good they are, as far as its jobs have come."""

from __future__ import annotations

import csv
import io
import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from rosenblatt.run.folder import RunFolder
from rosenblatt.run.whole import write_whole
from rosenblatt.sweeps.dimensions import Trial, shortened
from rosenblatt.sweeps.folder import WINNER
from rosenblatt.sweeps.jobs import Job, Outcome, State, jobs_in, outcome
from rosenblatt.sweeps.settings import Direction

ORDER: tuple[State, ...] = ("done", "pruned", "running", "cut off", "open", "failed")
MAX_SHOWN = 20  # rows on a terminal
SHOWN = ("val/loss", "val/acc", "val/f1", "val/p_at_1")  # beside the objectives, where they are there


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


def row_of(jobs: Sequence[tuple[Job, Outcome]]) -> Row:
    """Return a trial with the means over its seeds.

    Args:
        jobs: its jobs, and what has become of each.
    """
    outcomes = [one for _, one in jobs]
    values: dict[str, list[float]] = {}
    for one in outcomes:
        for name, value in one.metrics.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                values.setdefault(name, []).append(float(value))
    means = {name: statistics.fmean(numbers) for name, numbers in values.items()}
    spreads = {name: statistics.stdev(numbers) for name, numbers in values.items() if len(numbers) > 1}
    state = max((one.state for one in outcomes), key=ORDER.index)
    reason = next((one.reason for one in outcomes if one.state == "failed"), "")
    num_seeds = sum(bool(one.metrics) for one in outcomes)
    return Row(jobs[0][0].trial, state, means, spreads, num_seeds, [job.folder.name for job, _ in jobs], reason)


def ranked(rows: Sequence[Row], objectives: Mapping[str, Direction]) -> list[Row]:
    """Return rows from the best to the worst: those that are done, then pruned ones, then those without a result.

    With several objectives, a row that no other one beats in all of them comes before one that is beaten; among such
    rows the first objective decides.

    Args:
        rows: of trials.
        objectives: metrics by which they are judged, and whether each is to be low or high.
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
    """Return ranked rows as plain values by column, for any kind of table.

    Args:
        rows: from `ranked`.
        objectives: metrics by which they are judged.
    """
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
        line |= {"reason": row.reason, "folder": " ".join(row.folders)}
        found.append(line)
    return found


class Board:
    """The leaderboard of a sweep's folder.

    Args:
        path: of the folder.
        objectives: metrics by which it is ordered, and whether each is to be low or high.
    """

    def __init__(self, path: Path, objectives: Mapping[str, Direction]) -> None:
        self.path = path
        self.objectives = objectives
        self._ended: dict[Path, tuple[Job, Outcome]] = {}

    def look(self) -> list[tuple[Job, Outcome]]:
        """Return all jobs that have been begun, in the order of their numbers, and what has become of each."""
        left = [job for job in jobs_in(self.path, but=self._ended)]
        found = [(job, outcome(job, self.objectives)) for job in left]
        self._ended |= {job.folder: (job, one) for job, one in found if one.ended}
        every = {job.folder: (job, one) for job, one in found} | self._ended
        return sorted(every.values(), key=lambda one: (one[0].trial.number, one[0].seed))

    def rows(self) -> list[Row]:
        """Return all trials that have been begun, from the best to the worst."""
        trials: dict[int, list[tuple[Job, Outcome]]] = {}
        for job, one in self.look():
            trials.setdefault(job.trial.number, []).append((job, one))
        rows = ranked([row_of(found) for found in trials.values()], self.objectives)
        winner = RunFolder(self.path).read_json(WINNER) or {}
        for row in rows:
            if row.rank == 1 and row.folders == winner.get("folders"):
                row.test = winner["test"]
        return rows

    def write(self) -> list[Row]:
        """Write ``leaderboard.csv``, and return its rows."""
        rows = self.rows()
        write_whole(self.path / "leaderboard.csv", as_csv(table_of(rows, self.objectives)).encode())
        return rows


def as_csv(table: Sequence[Mapping[str, Any]]) -> str:
    """Return a table as CSV; numbers with all their digits."""
    buffer = io.StringIO()
    if table:
        writer = csv.DictWriter(buffer, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    return buffer.getvalue()


def as_markdown(table: Sequence[Mapping[str, Any]]) -> str:
    """Return a table as Markdown; numbers as people read them."""
    if not table:
        return ""
    names = [name for name in table[0] if any(line[name] not in (None, "") for line in table)]
    lines = [names, ["---"] * len(names)]
    lines += [[shown(line[name]).replace("|", "\\|").replace("\n", " ") for name in names] for line in table]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def leaderboard_table(rows: Sequence[Row], objectives: Mapping[str, Direction], width: int = 80) -> Table:
    """Return the best rows for a terminal: settings, objectives, and as much besides as there is room for.

    Args:
        rows: from `ranked`.
        objectives: metrics by which they are judged.
        width: of the terminal, in characters.
    """
    best = [row for row in rows if row.state != "failed"][:MAX_SHOWN] or list(rows[:MAX_SHOWN])
    lines = [cells_of(line) for line in table_of(best, objectives)]
    title = f"Leaderboard of {len(rows)}" + (f", the first {len(best)}" if len(best) < len(rows) else "")
    style: Any = {"title_justify": "left", "title_style": "bold", "box": box.SIMPLE_HEAD}
    table = Table(title=title, pad_edge=False, padding=(0, 1, 0, 0), **style)
    if not lines:
        return table
    settings = [name for name in lines[0] if name in {key for row in best for key in row.trial.setting}]
    more = [name for name in ("val/acc", "val/p_at_1", "val/loss") if name in lines[0] and name not in objectives][:1]
    tests = [name for name in ("test/p_at_1", "test/acc") if name in lines[0]][:1]
    states = ["state"] if any(row.state != "done" for row in best) else []
    names = ["rank", *settings, *objectives, *more, *tests, "seconds", *states]
    for name in (*more, "seconds", *tests):  # least of all what varies may go
        if sum(max(len(name), *(len(line[name]) for line in lines)) + 1 for name in names) > width:
            names.remove(name)
    for name in names:
        is_word = name in settings or name == "state"
        table.add_column(Text(name), justify="left" if is_word else "right", no_wrap=not is_word, overflow="fold")
    for line in lines:
        table.add_row(*(Text(line[name]) for name in names))
    return table


def cells_of(line: Mapping[str, Any]) -> dict[str, str]:
    """Return a line of `table_of` as people read it, spreads beside their means."""
    cells = {name: shortened(value) if isinstance(value, str) else shown(value) for name, value in line.items()}
    if line["seconds"] is not None:
        cells["seconds"] = f"{line['seconds']:.1f}"
    for name in line:
        if line.get(f"{name} spread") is not None:
            cells[name] += f" ± {shown(line[f'{name} spread'])}"
    return cells


def shown(value: Any) -> str:
    """Return a cell as people read it."""
    if value is None:
        return ""
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e6:
            return f"{value:.0f}"
        return f"{value:.4f}" if abs(value) < 1e4 else f"{value:.3e}"
    return str(value)
