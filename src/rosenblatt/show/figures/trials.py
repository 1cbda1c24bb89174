"""The trials of a sweep: what each value of each setting has come to."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from rosenblatt.show.figures.style import COLOURS, GREY, inches_of, legend_above, sheet

NUM_COLUMNS = 3
WIDE = 20  # times the smallest, from which on an axis is logarithmic


class Setting(NamedTuple):
    """One of the settings that vary.

    Attributes:
        name: of the setting.
        places: of each trial: its value, or where ``values`` are words, the number of its value.
        values: words, or ``None`` where they are numbers.
    """

    name: str
    places: list[float]
    values: list[str] | None

    @property
    def slanted(self) -> bool:
        """Whether there are too many words to stand side by side."""
        return len(self.values or []) > 4


class Trials(NamedTuple):
    """All trials, the best one first.

    Attributes:
        title: of the picture.
        metric: that they are judged by.
        heights: of each trial.
        spreads: standard deviation over its seeds, 0 where there is one.
        pruned: whether it was stopped early.
        settings: that vary.
        importances: what settings decide, the most important last; may be empty.
    """

    title: str
    metric: str
    heights: list[float]
    spreads: list[float]
    pruned: list[bool]
    settings: list[Setting]
    importances: list[tuple[str, float]]

    def figure(self) -> Figure:
        """Draw the metric against each setting."""
        num_panels = len(self.settings) + bool(self.importances)
        slanted = [name for one in self.settings for name in one.values or [] if one.slanted]
        names = [name for name, _ in self.importances]
        figure, panels = sheet(
            3.0, 2.3, self.title, left=max(0.85, inches_of(names) + 0.15 if names else 0), above=0.3,
            below=0.6 + 0.72 * inches_of(slanted), num_panels=num_panels, num_columns=min(NUM_COLUMNS, num_panels),
        )  # fmt: skip
        for panel, setting in zip(panels, self.settings, strict=False):
            self._draw(panel, setting)
        legend_above(panels[0], ncols=3)
        if self.importances:
            panels[-1].barh(names, [share for _, share in self.importances], color=COLOURS[0])
            panels[-1].set(xlim=(0, 1), xlabel="share of what settings decide (PED-ANOVA)")
        return figure

    def _draw(self, panel: Axes, setting: Setting) -> None:
        x, y, spreads, pruned = (np.array(one) for one in (setting.places, self.heights, self.spreads, self.pruned))
        if setting.values is not None:
            rotation, side = (45, "right") if setting.slanted else (0, "center")
            panel.set_xticks(range(len(setting.values)), setting.values, rotation=rotation, ha=side)
            panel.set_xlim(-0.5, len(setting.values) - 0.5)
        for some, colour, label in ((pruned, GREY, "stopped early"), (~pruned, COLOURS[0], "trial")):
            if some.any():
                errors = spreads[some] if spreads[some].any() else None
                panel.errorbar(
                    x[some], y[some], errors, fmt="o", ms=5, alpha=0.75, color=colour, ecolor=colour, elinewidth=1,
                    label=label,
                )  # fmt: skip
        panel.plot(x[0], y[0], "*", ms=13, mec="white", color=COLOURS[1], label="best", zorder=3)
        if setting.values is None and _is_wide(setting.places):
            panel.set_xscale("log")
            _plain(panel.xaxis)
        if _is_wide(self.heights):
            panel.set_yscale("log")
            _plain(panel.yaxis)
        panel.set(xlabel=setting.name, ylabel=self.metric)
        panel.grid()


def _plain(axis: Axis) -> None:
    """Write 0.001 for a thousandth: the powers of ten that matplotlib writes want its own setting of formulas."""
    axis.set_major_locator(LogLocator(numticks=5))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _is_wide(values: list[float]) -> bool:
    return min(values) > 0 and max(values) / min(values) > WIDE
