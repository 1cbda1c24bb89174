"""A picture of a sweep: the objective against each setting, and how much each setting decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rosenblatt.run.whole import write_whole
from rosenblatt.show.figures.style import draw
from rosenblatt.show.figures.trials import Setting, Trials
from rosenblatt.show.words import short_name
from rosenblatt.sweeps.dimensions import plain_key, shortened
from rosenblatt.sweeps.leaderboard import Row
from rosenblatt.tasks.titles import direction

MAX_SETTINGS = 12
LONGEST = 18  # characters of a value under an axis


def draw_overview(
    rows: Sequence[Row], objectives: Sequence[str], importances: Mapping[str, float], folder: Path
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
    name = objectives[0]
    known = [row for row in rows if row.rank is not None]
    keys = list(dict.fromkeys(key for row in known for key in row.trial.setting))[:MAX_SETTINGS]
    if not known or not keys:
        return ""
    better = "lower" if direction(name) == "min" else "higher"
    order = sorted(importances, key=lambda key: importances[key])
    drawn = draw(
        Trials(
            f"{folder.name}: {name} of {len(known)} {'trial' if len(known) == 1 else 'trials'} ({better} is better)",
            name,
            [row.means[name] for row in known],
            [row.spreads.get(name, 0.0) for row in known],
            [row.state == "pruned" for row in known],
            [_setting(known, key) for key in keys],
            [(plain_key(key), importances[key]) for key in order],
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
        return Setting(plain_key(key), [number for number in numbers if number is not None], None)
    names = sorted(set(values), key=lambda value: (_number(value) is None, _number(value) or 0.0, value))
    shown = [short_name(shortened(one), LONGEST) for one in names]
    return Setting(plain_key(key), [float(names.index(value)) for value in values], shown)


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
