"""Pages from templates, which escape all that comes from data; that of a run says all there is to say of it."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

from rosenblatt.show.figures.style import INK, PAPER
from rosenblatt.show.metrics import metric_rows, row_counts, splits_of
from rosenblatt.show.tables import mistake_cells
from rosenblatt.show.words import printable, short_name
from rosenblatt.tasks.arrays import DataTable, Influence
from rosenblatt.tasks.titles import SPLIT_TITLES, shown

if TYPE_CHECKING:
    from jinja2 import Environment

WIDE = 480  # points, beyond which a figure would be made smaller to fit beside another one
PHONE = 0.62  # of its size in inches, below which a figure's letters can't be read: it scrolls in its place instead
LONGEST = 400  # characters of a row
NAME = 60  # letters of a name
BASELINES = {
    "majority": "Majority: always saying the most frequent class.",
    "mean": "Mean: always saying that of train.",
}
MAX_FACTS = 4  # metrics that the page begins with
FIRST = ("acc", "p_at_1", "f1", "auroc", "rmse", "r2")  # of them, before the loss


class PageFigure(NamedTuple):
    """A figure of a page, by the name of its file; or the reason why there is none."""

    name: str
    caption: str
    svg: Markup = Markup()
    reason: str = ""

    @property
    def wide(self) -> bool:
        """Whether it is to have a row of its own."""
        found = re.search(r"width: (\d+)pt", self.svg[:600])
        return found is not None and int(found[1]) > WIDE


def page(template: str, **content: Any) -> str:
    """Return a page from a file in ``templates/`` and the content that it asks for."""
    return _templates().get_template(template).render(content) + "\n"


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # here: it takes its time

    files = FileSystemLoader(Path(__file__).with_name("templates"))
    found = Environment(
        loader=files, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip
    found.filters["printable"] = lambda value: printable(str(value))
    return found


def inline(svg: str, name: str, label: str) -> Markup:
    """Return an SVG file of ours as a part of a page, in the page's own colours of ink and paper.

    Args:
        svg: the file.
        name: of the figure: ids are to be different on a page.
        label: for those who can't see it.
    """
    head, body = svg[svg.index("<svg") :].split(">", 1)
    (view,), (width,) = re.findall(r'viewBox="([^"]+)"', head), re.findall(r'width="([\d.]+)pt"', head)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, count=1, flags=re.DOTALL)

    def of_page(tag: re.Match[str]) -> str:
        found = tag[0].replace(INK, "currentColor").replace(PAPER, "var(--paper)")
        return re.sub(r'( id="|url\(#|xlink:href="#)', rf"\g<1>{name}-", found)

    body = re.sub(r"<[^>]*>", of_page, body)  # tags alone: what stands between them comes from data
    least = round(float(width) * 96 / 72 * PHONE)
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'aria-label="{Markup.escape(label)}" viewBox="{view}" '
        f'style="width: {float(width):.0f}pt; min-width: min({least}px, 40rem)">{body}'
    )


@dataclass
class RunPage:
    """What the page of a run says; whatever is not known stays empty, and is left out.

    Attributes:
        lead: what the run is, in a sentence.
        metrics: flat, as in ``metrics.json``, and ``settings`` the same.
        baseline: what metrics are compared with, in a word, and ``notes`` what else there is to say of them.
        influences: what moves each output, and ``influence_note`` what their numbers are.
        mistakes: see `rosenblatt.show.tables.mistake_table`, or ``no_mistakes``: what to say where there are none.
        overrides: the words of the command.
    """

    name: str
    lead: str
    metrics: Mapping[str, Any]
    num_rows: Mapping[str, int] = field(default_factory=dict)
    baseline: str = "majority"
    notes: Sequence[str] = ()
    data: DataTable | None = None
    figures: Sequence[PageFigure] = ()
    influences: Sequence[Influence] = ()
    influence_note: str = ""
    mistakes: Sequence[Mapping[str, Any]] = ()
    no_mistakes: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    overrides: Sequence[str] = ()

    def html(self) -> str:
        """Return ``report.html``."""
        header, mistakes = mistake_cells(self.mistakes, LONGEST)
        return page(
            "run.html",
            **vars(self)
            | {
                "title": f"Run {self.name}",
                "facts": self._facts(),
                "metrics": self._metrics(),
                "interrupted": bool(self.metrics.get("interrupted")),
                "data": None if self.data is None else _named(self.data),
                "influences": [(short_name(one.name, NAME), _side_by_side(one)) for one in self.influences],
                "mistakes_header": header,
                "mistakes": [
                    [*(short_name(cell, NAME) for cell in cells), text or "(empty)"] for *cells, text in mistakes
                ],
                "commands": self._commands(),
                "environment": self._surroundings(),
            },
        )

    def _facts(self) -> list[tuple[str, str]]:
        metrics, rows = self.metrics, metric_rows(self.metrics)
        rows.sort(key=lambda row: FIRST.index(row.name) if row.name in FIRST else len(FIRST))
        last = splits_of(metrics)[-1:]
        known = [row for row in rows if row.values[-1] != shown(math.nan)]
        facts = [(row.values[-1], f"{row.title} on {last[0]}") for row in known[:MAX_FACTS]]
        if "best_epoch" in metrics:
            facts.append((f"{metrics['best_epoch']} of {metrics['epochs']}", "best epoch"))
        if "seconds_training" in metrics:
            facts.append((f"{metrics['seconds_training']:.1f} s", "training"))
        return facts

    def _metrics(self) -> dict[str, Any]:
        splits = splits_of(self.metrics)
        rows = [[row.title, *row.values, row.interval, row.baseline] for row in metric_rows(self.metrics)]
        note = ""
        if any(row[-2] for row in rows):
            note = (
                f"95 %: where the figure would be on other rows like those of {splits[-1]}, with the same model "
                f"(accuracy: Wilson's interval; others: bootstrap). {BASELINES.get(self.baseline, '')}"
            )
        if self.num_rows and splits:
            rows.insert(0, ["rows", *row_counts(self.num_rows, splits), "", f"on {splits[-1]}"])
        header = ["", *(SPLIT_TITLES[split] for split in splits), "95 %", self.baseline]
        return {"header": header, "rows": rows, "note": note}

    def _commands(self) -> list[str]:
        commit = self.environment.get("git_commit")
        dirty = "  # and what was changed since: it was not committed" if self.environment.get("git_dirty") else ""
        command = shlex.join(["python", "train.py", *self.overrides])
        return [*([f"git checkout {commit}{dirty}"] if commit else []), command]

    def _surroundings(self) -> dict[str, Any]:
        found = {key: value for key, value in self.environment.items() if key != "packages"}
        found |= self.environment.get("packages", {})
        if isinstance(found.get("command"), list):
            found["command"] = shlex.join(map(str, found["command"]))
        return {key: "unknown" if value is None else value for key, value in found.items()}


def _named(data: DataTable) -> DataTable:
    """Return a table with short names, of classes and of splits."""
    header = [SPLIT_TITLES.get(word, word) for word in data.header]
    return DataTable(header, [[short_name(cell, NAME) for cell in row] for row in data.rows], data.note)


def _side_by_side(one: Influence) -> list[list[str]]:
    ends = [[(short_name(name, NAME), f"{part:+.4f}") for name, part in end] for end in (one.in_favour, one.against)]
    return [[*left, *right] for left, right in zip_longest(*ends, fillvalue=("", ""))]
