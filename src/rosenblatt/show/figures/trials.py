"""The trials of a sweep: what each value of each setting has come to."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from rosenblatt.show.figures.style import COLOURS, GREY, Sheet, inches_of

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
        slanted = [name for one in self.settings for name in one.values or [] if len(one.values or []) > 4]
        names = [name for name, _ in self.importances]
        sheet = Sheet(
            3.0, 2.3, self.title, left=max(0.85, inches_of(names) + 0.15 if names else 0), above=0.3,
            below=0.6 + 0.72 * inches_of(slanted), num_panels=num_panels, num_columns=min(NUM_COLUMNS, num_panels),
        )  # fmt: skip
        for panel, setting in zip(sheet.panels, self.settings, strict=False):
            self._against(panel, setting)
        sheet.panels[0].legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2)
        if self.importances:
            panel = sheet.panels[-1]
            panel.barh(names, [share for _, share in self.importances], color=COLOURS[0])
            panel.set_xlim(0, 1)
            panel.set_xlabel("share of what settings decide (PED-ANOVA)")
        return sheet.figure

    def _against(self, panel: Axes, setting: Setting) -> None:
        if setting.values is None:
            if _is_wide(setting.places):
                panel.set_xscale("log")
                _plain(panel.xaxis)
        else:
            slanted = len(setting.values) > 4
            panel.set_xticks(
                range(len(setting.values)), setting.values, rotation=45 if slanted else 0,
                ha="right" if slanted else "center",
            )  # fmt: skip
            panel.set_xlim(-0.5, len(setting.values) - 0.5)
        for state, colour, label in ((True, GREY, "stopped early"), (False, COLOURS[0], "trial")):
            some = [i for i, pruned in enumerate(self.pruned) if pruned == state]
            if some:
                errors = [self.spreads[i] for i in some]
                panel.errorbar(
                    [setting.places[i] for i in some], [self.heights[i] for i in some], errors if any(errors) else None,
                    fmt="o", ms=5, alpha=0.75, color=colour, ecolor=colour, elinewidth=1, label=label,
                )  # fmt: skip
        panel.plot(
            setting.places[0], self.heights[0], "*", ms=13, mec="white", color=COLOURS[1], label="best", zorder=3
        )
        if _is_wide(self.heights):
            panel.set_yscale("log")
            _plain(panel.yaxis)
        panel.set_xlabel(setting.name)
        panel.set_ylabel(self.metric)
        panel.grid()


def _plain(axis: Axis) -> None:
    """Write 0.001 for a thousandth: the powers of ten that matplotlib writes want its own setting of formulas."""
    axis.set_major_locator(LogLocator(numticks=5))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _is_wide(values: list[float]) -> bool:
    return min(values) > 0 and max(values) / min(values) > WIDE
