"""Medians, ratios, tables in Markdown, and their place in a document."""

from __future__ import annotations

import math
import statistics
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.contest import NOT_INSTALLED, Measurement

BLANK = "-"
WIDTH = 125  # letters a line, as in the documents


@dataclass(frozen=True)
class Summary:
    """Medians of one contestant in one case; see `benchmarks.contest.Measurement` for the fields.

    Attributes:
        mean: of the accuracy.
        spread: of the accuracy, a standard deviation.
    """

    failed: str = ""
    turns: int = 0
    wall: float = math.nan
    cpu: float = math.nan
    memory: float = math.nan
    figures: dict[str, float] = field(default_factory=dict)
    mean: float = math.nan
    spread: float = math.nan

    def __getitem__(self, name: str) -> float:
        """Return a field or a figure of the program's own; NaN where there is none."""
        own = {"wall": self.wall, "cpu": self.cpu, "memory": self.memory}
        return own[name] if name in own else self.figures.get(name, math.nan)


# case -> contestant -> its medians, in the order in which they were measured
Summaries = dict[str, dict[str, Summary]]


def summarised(measurements: Sequence[Measurement]) -> Summaries:
    """Return medians over the turns; a contestant that failed once has failed."""
    turns: dict[tuple[str, str], list[Measurement]] = {}
    for one in measurements:
        turns.setdefault((one.case, one.contestant), []).append(one)
    found: Summaries = {}
    for (case, contestant), ones in turns.items():
        failed = next((one.failed for one in ones if one.failed), "")
        names = dict.fromkeys(name for one in ones for name in one.figures)
        scores = [one.figures.get("accuracy", math.nan) for one in ones]
        found.setdefault(case, {})[contestant] = (
            Summary(failed)
            if failed
            else Summary(
                "",
                len(ones),
                statistics.median(one.wall for one in ones),
                statistics.median(one.cpu for one in ones),
                statistics.median(one.memory for one in ones),
                {name: statistics.median(one.figures.get(name, math.nan) for one in ones) for name in names},
                math.fsum(scores) / len(scores),
                statistics.stdev(scores) if len(scores) > 1 and math.isfinite(sum(scores)) else math.nan,
            )
        )
    return found


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def paragraph(text: str) -> str:
    """Return text in lines of one length."""
    return textwrap.fill(" ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False)


def outcome(one: Summary | None, cell: str) -> str:
    """Return a cell, or why there is nothing to put there."""
    if one is None:
        return BLANK
    if one.failed:
        return one.failed if one.failed == NOT_INSTALLED else f"failed: {one.failed}"
    return cell


def seconds(value: float) -> str:
    """Return a time as people read it: 0.42 s, 8.3 s, 127 s."""
    return _number(value, " s", 2 if value < 1 else 1 if value < 100 else 0)


def megabytes(value: float) -> str:
    """Return bytes in millions."""
    return _number(value / 1e6, " MB", 0)


def accuracy(value: float) -> str:
    """Return a share with four digits."""
    return _number(value, "", 4)


def mean(one: Summary) -> str:
    """Return the mean accuracy of several seeds, and how far they are apart."""
    apart = f" ± {one.spread:.4f}" if math.isfinite(one.spread) else ""
    return f"{accuracy(one.mean)}{apart}"


def _number(value: float, unit: str, digits: int) -> str:
    return f"{value:,.{digits}f}{unit}" if math.isfinite(value) else BLANK


def ratio(one: Summary | None, other: Summary | None, name: str) -> str:
    """Return the ratio of two medians, or a dash where one is missing."""
    if one is None or other is None or not other[name] > 0:
        return BLANK
    return _number(one[name] / other[name], "", 2)


RATIOS = (("wall", "wall"), ("own time", "seconds_own"), ("CPU", "cpu"), ("peak memory", "memory"))


def speed_table(first: str, found: Summaries) -> str:
    """Return accuracy, times and memory of every contestant in every case.

    Args:
        first: header of the column with the cases, or nothing for no such column.
        found: the medians.
    """
    header = ["program", "accuracy", "wall", "own time", "CPU", "peak memory"]
    rows = [
        [
            *([case] if first else []),
            name,
            outcome(one, accuracy(one["accuracy"])),
            seconds(one.wall),
            seconds(one["seconds_own"]),
            seconds(one.cpu),
            megabytes(one.memory),
        ]
        for case, ones in found.items()
        for name, one in ones.items()
    ]
    return table([first, *header] if first else header, rows)


def ratio_table(first: str, found: Summaries, ours: str, peers: Sequence[str]) -> str:
    """Return our medians over those of peers, a row for each case and peer."""
    rows = [
        [*([case] if first else []), f"{ours} / {peer}", *(ratio(ones.get(ours), ones.get(peer), n) for _, n in RATIOS)]
        for case, ones in found.items()
        for peer in peers
        if peer in ones
    ]
    header = ["medians", *(title for title, _ in RATIOS)]
    return table([first, *header] if first else header, rows)


def provenance(measurements: Sequence[Measurement]) -> str:
    """Return, as a sentence, what the measurements were made on, and how often."""
    machines = dict.fromkeys(one.machine for one in measurements)
    days = sorted({one.session[:10] for one in measurements})
    found = summarised(measurements)
    turns = sorted({one.turns for ones in found.values() for one in ones.values() if not one.failed})
    often = " to ".join(str(n) for n in dict.fromkeys([turns[0], turns[-1]])) if turns else "0"
    how = "One run each" if turns == [1] else f"Medians of {often} runs, in turn"
    return paragraph(f"{how}; {', '.join(days)}; {'; '.join(machines)}.")


def markers(suite: str) -> tuple[str, str]:
    """Return what stands before and after the tables of a suite in a document."""
    return f"<!-- {suite} -->", f"<!-- /{suite} -->"


def has_place(document: Path, suite: str) -> bool:
    """Return whether a document has both markers of a suite, in order."""
    text = document.read_text(encoding="utf-8") if document.is_file() else ""
    opening, closing = markers(suite)
    return -1 < text.find(opening) < text.find(closing)


def put(document: Path, suite: str, content: str) -> None:
    """Replace what stands between the markers of a suite."""
    text = document.read_text(encoding="utf-8")
    opening, closing = markers(suite)
    start, end = text.index(opening) + len(opening), text.index(closing)
    document.write_text(f"{text[:start]}\n{content.strip()}\n{text[end:]}", encoding="utf-8")
