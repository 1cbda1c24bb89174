"""A picture of a sweep: the objective against each setting, and how much each setting decides."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rosenblatt.sweeps.dimensions import plain_key, shortened
from rosenblatt.sweeps.leaderboard import Row
from rosenblatt.titles import direction

DONE, BEST, PRUNED = "#0072b2", "#d55e00", "#999999"  # Okabe and Ito's, which colour-blind people can tell apart
MAX_SETTINGS = 12
NUM_COLUMNS = 3
WIDE = 20  # times the smallest, from which on an axis is logarithmic
LONGEST = 18  # characters of a value under an axis


def draw(rows: Sequence[Row], objectives: Sequence[str], importances: Mapping[str, float], folder: Path) -> None:
    """Write ``overview.png`` and ``overview.svg``; nothing where there is no result.

    Args:
        rows: ranked.
        objectives: the first is drawn.
        importances: of each setting, or empty.
        folder: that gets them.
    """
    name = objectives[0]
    known = [row for row in rows if row.rank is not None]
    keys = list(dict.fromkeys(key for row in known for key in row.trial.setting))[:MAX_SETTINGS]
    if not known or not keys:
        return
    num_panels = len(keys) + bool(importances)
    num_columns = min(NUM_COLUMNS, num_panels)
    num_rows = math.ceil(num_panels / num_columns)
    with matplotlib.rc_context({"font.size": 10, "svg.fonttype": "path"}):
        figure = Figure(figsize=(4.2 * num_columns, 3.2 * num_rows + 0.6), layout="constrained")
        better = "lower" if direction(name) == "min" else "higher"
        figure.suptitle(f"{folder.name}: {name} of {len(known)} trials ({better} is better)")
        panels = list(figure.subplots(num_rows, num_columns, squeeze=False).flat)
        for panel, key in zip(panels, keys, strict=False):
            _against(panel, known, key, name)
        panels[0].legend(fontsize=8, framealpha=0.6)
        rest = panels[len(keys) :]
        if importances:
            _importances(rest.pop(0), importances)
        for panel in rest:
            panel.set_axis_off()
        for suffix in ("png", "svg"):
            figure.savefig(folder / f"overview.{suffix}", dpi=120)


def _against(panel: Axes, rows: Sequence[Row], key: str, name: str) -> None:
    values = [row.trial.setting.get(key, "") for row in rows]
    numbers = [_number(value) for value in values]
    numeric = None not in numbers and len(set(values)) > 2
    if numeric:
        places = [float(number) for number in numbers if number is not None]
        if min(places) > 0 and max(places) / min(places) > WIDE:
            panel.set_xscale("log")
    else:
        names = sorted(set(values), key=lambda value: (_number(value) is None, _number(value) or 0.0, value))
        places = [float(names.index(value)) for value in values]
        shown = [shortened(one) if len(one) <= LONGEST else f"{one[: LONGEST - 1]}…" for one in names]
        panel.set_xticks(range(len(names)), shown, rotation=0 if len(names) < 5 else 45)
        panel.set_xlim(-0.5, len(names) - 0.5)
    for state, colour, label in (("pruned", PRUNED, "stopped early"), ("done", DONE, "trial")):
        some = [i for i, row in enumerate(rows) if row.state == state]
        if some:
            heights = [rows[i].means[name] for i in some]
            errors = [rows[i].spreads.get(name, 0.0) for i in some]
            panel.errorbar(
                [places[i] for i in some], heights, errors if any(errors) else None, fmt="o", ms=5, alpha=0.75,
                color=colour, ecolor=colour, elinewidth=1, label=label,
            )  # fmt: skip
    panel.plot(places[0], rows[0].means[name], "*", ms=13, mec="white", color=BEST, label="best", zorder=3)
    every = [row.means[name] for row in rows]
    if min(every) > 0 and max(every) / min(every) > WIDE:
        panel.set_yscale("log")
    panel.set_xlabel(plain_key(key))
    panel.set_ylabel(name)
    panel.grid(alpha=0.25)


def _importances(panel: Axes, importances: Mapping[str, float]) -> None:
    order = sorted(importances, key=lambda key: importances[key])
    panel.barh([plain_key(key) for key in order], [importances[key] for key in order], color=DONE)
    panel.set_xlim(0, 1)
    panel.set_xlabel("share of what settings decide (PED-ANOVA)")


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
