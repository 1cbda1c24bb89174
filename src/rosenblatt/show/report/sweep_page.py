"""The page of a sweep: its leaderboard, its picture, what has failed, and the commands."""

from __future__ import annotations

from collections.abc import Sequence

from rosenblatt.show.report.page import PageFigure, inline, page
from rosenblatt.sweeps.dimensions import described
from rosenblatt.sweeps.leaderboard import Row, cells_of, table_of
from rosenblatt.tasks.titles import TITLES, direction, shown

MAX_ROWS = 200
LEFT_OUT = ("reason", "folder", "val/f1")  # of the columns
OF_TEST = ("test/loss", "test/acc", "test/p_at_1")  # that are left in
CAPTION = "Each point is a trial, the star is the best one; lines up and down are the spread over seeds."


def sweep_page(
    *,
    name: str,
    rows: Sequence[Row],
    objectives: Sequence[str],
    svg: str,
    failures: Sequence[tuple[str, str]],
    winner_command: str | None,
    command: str,
) -> str:
    """Return ``report.html`` of a sweep.

    Args:
        name: of the sweep.
        rows: from `rosenblatt.sweeps.leaderboard.ranked`.
        objectives: metrics by which they are judged.
        svg: the picture, or empty.
        failures: jobs that have failed, and why.
        winner_command: that repeats the best setting, or ``None``.
        command: of the sweep.
    """
    best = rows[0] if rows and rows[0].rank == 1 else None
    facts = [(f"{len(rows):,}", "trials"), (f"{len(failures):,}", "jobs failed")]
    if best is not None:
        facts.insert(0, (shown(best.means[objectives[0]]), f"{objectives[0]} of the best"))
        tests = [key for key in best.test if key.partition("/")[2] in TITLES]
        facts[1:1] = [(shown(best.test[key]), f"{TITLES[key.partition('/')[2]]} on test") for key in tests[:3]]
    lines = [cells_of(line) for line in table_of(rows[:MAX_ROWS], objectives)]
    columns = [
        column for column in (lines[0] if lines else {})
        if column in objectives or (column not in LEFT_OUT and not column.endswith(" spread")
        and any(line[column] for line in lines) and (column in OF_TEST or not column.startswith("test/")))
    ]  # fmt: skip
    better = " and ".join(f"{one} ({'low' if direction(one) == 'min' else 'high'} is good)" for one in objectives)
    note = f"Judged by {better}, at the best epoch of each job; only the best setting was measured on test, once."
    if len(rows) > MAX_ROWS:
        note += f" Here are the first {MAX_ROWS} of {len(rows):,}; leaderboard.csv has all."
    commands = [("The whole sweep; what is done already is not done again", command)]
    if winner_command is not None:
        commands.insert(0, ("The best setting", winner_command))
    return page(
        "sweep.html",
        title=f"Sweep {name}",
        lead="Best: " + (described(best.trial.setting) or best.folders[0]) if best is not None else "No trial is done.",
        facts=facts,
        board={"header": columns, "rows": [[line[column] for column in columns] for line in lines], "note": note},
        figures=[PageFigure("overview", CAPTION, inline(svg, "overview", CAPTION))] if svg else [],
        failures=failures,
        commands=commands,
    )
