"""The picture and the page of a sweep, in plain numbers and words, which `rosenblatt.show` draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rosenblatt.run.whole import write_whole
from rosenblatt.show.figures.style import draw
from rosenblatt.show.figures.trials import Setting, Trials
from rosenblatt.show.report.page import Picture, inline, page
from rosenblatt.show.scenes.view import short_name
from rosenblatt.sweeps.dimensions import shortened
from rosenblatt.sweeps.leaderboard import Row, cells_of, table_of
from rosenblatt.sweeps.settings import Direction
from rosenblatt.tasks.titles import TITLES, shown

MAX_SETTINGS = 12
LONGEST = 18  # characters of a value under an axis
MAX_ROWS = 200
LEFT_OUT = ("reason", "folder", "val/f1")  # of the columns
CAPTION = "Each point is a trial, the star is the best one; lines up and down are the spread over seeds."


def draw_overview(
    rows: Sequence[Row], objectives: Mapping[str, Direction], importances: Mapping[str, float], folder: Path
) -> str:
    """Write ``overview.png`` and ``overview.svg``; nothing where there is no result.

    Args:
        rows: ranked.
        objectives: the first is drawn.
        importances: of each setting, or empty.
        folder: that gets them.

    Returns:
        The SVG, or an empty string.
    """
    name, way = next(iter(objectives.items()))
    known = [row for row in rows if row.rank is not None]
    keys = list(dict.fromkeys(key for row in known for key in row.trial.setting))[:MAX_SETTINGS]
    if not known or not keys:
        return ""
    better = "lower" if way == "min" else "higher"
    order = sorted(importances, key=lambda key: importances[key])
    drawn = draw(
        Trials(
            f"{folder.name}: {name} of {len(known)} {'trial' if len(known) == 1 else 'trials'} ({better} is better)",
            name,
            [row.means[name] for row in known],
            [row.spreads.get(name, 0.0) for row in known],
            [row.state == "pruned" for row in known],
            [_setting(known, key) for key in keys],
            [(key, importances[key]) for key in order],
        ),
        with_svg=True,
    )
    write_whole(folder / "overview.png", drawn.png, forced=False)
    write_whole(folder / "overview.svg", drawn.svg.encode(), forced=False)
    return drawn.svg


def _setting(rows: Sequence[Row], key: str) -> Setting:
    values = [row.trial.setting.get(key, "") for row in rows]
    numbers = [_number(value) for value in values]
    if None not in numbers and len(set(values)) > 2:
        return Setting(key, [number for number in numbers if number is not None], None)
    names = sorted(set(values), key=lambda value: (_number(value) is None, _number(value) or 0.0, value))
    shown = [short_name(shortened(one), LONGEST) for one in names]
    return Setting(key, [float(names.index(value)) for value in values], shown)


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def sweep_page(
    name: str,
    rows: Sequence[Row],
    objectives: Mapping[str, Direction],
    svg: str,
    failures: Sequence[tuple[str, str]],
    commands: Sequence[tuple[str, str]],
) -> str:
    """Return ``report.html`` of a sweep.

    Args:
        name: of the sweep.
        rows: from `rosenblatt.sweeps.leaderboard.ranked`.
        objectives: metrics by which they are judged.
        svg: the picture, or empty.
        failures: jobs that have failed, and why.
        commands: each with what it repeats.
    """
    best = rows[0] if rows and rows[0].rank == 1 else None
    facts = [(f"{len(rows):,}", "trials"), (f"{len(failures):,}", "jobs failed")]
    if best is not None:
        first = next(iter(objectives))
        facts.insert(0, (shown(best.means[first]), f"{first} of the best"))
        tests = {key: key.removeprefix("test/") for key in best.test if {f"{key}_low", f"{key} spread"} & {*best.test}}
        facts[1:1] = [(shown(best.test[key]), f"{TITLES.get(name, name)} on test") for key, name in tests.items()][:3]
    lines = [cells_of(line) for line in table_of(rows[:MAX_ROWS], objectives)]
    of_test = {"test/acc", "test/p_at_1", *(f"test/{one.removeprefix('val/')}" for one in objectives)}
    columns = [
        column for column in (lines[0] if lines else {})
        if column in objectives or (column not in LEFT_OUT and not column.endswith(" spread")
        and any(line[column] for line in lines) and (column in of_test or not column.startswith("test/")))
    ]  # fmt: skip
    better = " and ".join(f"{one} ({'low' if way == 'min' else 'high'} is good)" for one, way in objectives.items())
    note = f"Judged by {better}, at the best epoch of each job; only the best setting was measured on test, once."
    if len(rows) > MAX_ROWS:
        note += f" Here are the first {MAX_ROWS} of {len(rows):,}; leaderboard.csv has all."
    return page(
        "sweep.html",
        title=f"Sweep {name}",
        lead="Best: " + (best.trial.words or best.folders[0]) if best is not None else "No trial is done.",
        facts=facts,
        board={"header": columns, "rows": [[line[column] for column in columns] for line in lines], "note": note},
        figures=[Picture("overview", CAPTION, inline(svg, "overview", CAPTION))] if svg else [],
        failures=failures,
        commands=commands,
    )
