"""The page of a run: what was run, what it has reached, what it looks like, and how to repeat it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rosenblatt.show.metrics import metric_rows, splits_of, title_of
from rosenblatt.show.report.page import PageFigure, page
from rosenblatt.show.tables import mistake_cells
from rosenblatt.show.words import short_name
from rosenblatt.tasks.arrays import DataTable, Influence
from rosenblatt.tasks.titles import SPLIT_TITLES, shown

TEMPLATE = "run.html"
LONGEST = 400  # characters of a row
NAME = 60  # letters of a name
MAX_FACTS = 4  # metrics that the page begins with
FIRST = ("acc", "p_at_1", "f1", "auroc", "rmse", "r2")  # of them, before the loss


@dataclass
class RunPage:
    """What the page of a run says; whatever is not known stays empty, and is left out.

    Attributes:
        name: of the run.
        lead: what it is, in a sentence.
        metrics: flat, as in ``metrics.json``.
        num_rows: rows of each split.
        baseline: what metrics are compared with, in a word, and ``baseline_note`` in a sentence.
        notes: what else there is to say of the metrics.
        data: what the labels are.
        figures: of the run.
        influences: what moves each output, and ``influence_note`` what their numbers are.
        mistakes: see `rosenblatt.show.tables.mistake_table`; ``mistakes_title`` is their heading.
        no_mistakes: what to say where there are none.
        settings: flat.
        environment: as in ``environment.json``.
        overrides: the words of the command.
    """

    name: str
    lead: str
    metrics: Mapping[str, Any]
    num_rows: Mapping[str, int] = field(default_factory=dict)
    baseline: str = "majority"
    baseline_note: str = "Majority: always saying the most frequent class."
    notes: Sequence[str] = ()
    data: DataTable | None = None
    figures: Sequence[PageFigure] = ()
    influences: Sequence[Influence] = ()
    influence_note: str = ""
    mistakes: Sequence[Mapping[str, Any]] = ()
    mistakes_title: str = "Most confident mistakes"
    no_mistakes: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    overrides: Sequence[str] = ()

    def html(self) -> str:
        """Return ``report.html``."""
        header, mistakes = mistake_cells(self.mistakes, LONGEST)
        return page(
            TEMPLATE,
            title=f"Run {self.name}",
            lead=self.lead,
            when=f"Started {self.environment.get('started', 'at an unknown time')}.",
            interrupted=bool(self.metrics.get("interrupted")),
            facts=self._facts(),
            metrics=self._metrics(),
            notes=self.notes,
            data=None if self.data is None else _named(self.data),
            figures=self.figures,
            influences=[{"name": short_name(one.name, NAME), "rows": _side_by_side(one)} for one in self.influences],
            influence_note=self.influence_note,
            mistakes_title=self.mistakes_title,
            mistakes_header=header,
            mistakes=[[*(short_name(cell, NAME) for cell in row[:-1]), row[-1] or "(empty)"] for row in mistakes],
            no_mistakes=self.no_mistakes,
            commands=self._commands(),
            settings=list(self.settings.items()),
            environment=self._surroundings(),
        )

    def _facts(self) -> list[tuple[str, str]]:
        metrics, splits = self.metrics, splits_of(self.metrics)
        rows = {row.name: row for row in metric_rows(metrics)}
        names = [name for name in FIRST if name in rows] + [name for name in rows if name not in FIRST]
        facts = [
            (rows[name].values[-1], f"{title_of(name)} on {splits[-1]}")
            for name in names
            if rows[name].values[-1] != shown(math.nan)
        ][:MAX_FACTS]
        if "best_epoch" in metrics:
            facts.append((f"{metrics['best_epoch']} of {metrics['epochs']}", "best epoch"))
        if "seconds_training" in metrics:
            facts.append((f"{metrics['seconds_training']:.1f} s", "training"))
        return facts

    def _metrics(self) -> dict[str, Any]:
        splits = splits_of(self.metrics)
        rows = [[row.title, *row.values, row.interval, row.baseline] for row in metric_rows(self.metrics)]
        if self.num_rows and splits:
            counts = [f"{self.num_rows[split]:,}" if split in self.num_rows else "-" for split in splits]
            rows.insert(0, ["rows", *counts, "", f"on {splits[-1]}"])
        note = ""
        if any(row[-2] for row in rows):
            note = (
                f"95 %: where the figure would be on other rows like those of {splits[-1]}, with the same model "
                f"(accuracy: Wilson's interval; others: bootstrap). {self.baseline_note}"
            )
        header = ["", *(SPLIT_TITLES[split] for split in splits), "95 %", self.baseline]
        return {"header": header, "rows": rows, "note": note}

    def _commands(self) -> list[str]:
        commit = self.environment.get("git_commit")
        dirty = "  # and what was changed since: it was not committed" if self.environment.get("git_dirty") else ""
        command = shlex.join(["python", "train.py", *self.overrides])
        return [*([f"git checkout {commit}{dirty}"] if commit else []), command]

    def _surroundings(self) -> list[tuple[str, Any]]:
        found = {key: value for key, value in self.environment.items() if key != "packages"}
        found |= self.environment.get("packages", {})
        if isinstance(found.get("command"), list):
            found["command"] = shlex.join(map(str, found["command"]))
        return [(key, "unknown" if value is None else value) for key, value in found.items()]


def _named(data: DataTable) -> DataTable:
    """Return a table with short names, of classes and of splits."""
    header = [SPLIT_TITLES.get(word, short_name(word, NAME)) for word in data.header]
    return DataTable(header, [[short_name(row[0], NAME), *row[1:]] for row in data.rows], data.note)


def _side_by_side(one: Influence) -> list[list[str]]:
    num = max(len(one.in_favour), len(one.against))
    ends = [[(short_name(name, NAME), f"{part:+.4f}") for name, part in end] for end in (one.in_favour, one.against)]
    padded = [end + [("", "")] * (num - len(end)) for end in ends]
    return [[*left, *right] for left, right in zip(*padded, strict=True)]
