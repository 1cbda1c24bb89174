"""Curves: of learning over epochs, of ranking over thresholds, and of probabilities against what came true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from rosenblatt.show.figures.style import COLOURS, GREY, INK, Sheet, in_legend, inches_of

QUARTERS = (0, 0.25, 0.5, 0.75, 1)
MARKED = 30  # points up to which each has a marker: a single one could not be seen otherwise
MANY = 2  # curves beyond which their names would lie on them
BARS = 0.2  # of the height, for the numbers of rows


class Line(NamedTuple):
    """A line, with its name."""

    label: str
    x: Sequence[float] | NDArray[Any]
    y: Sequence[float] | NDArray[Any]


class LearningCurves(NamedTuple):
    """Metrics over epochs.

    Attributes:
        title: of the picture.
        panels: what is measured, and the lines of training and validation.
        best_epoch: that is marked, or ``None``.
    """

    title: str
    panels: list[tuple[str, list[Line]]]
    best_epoch: int | None

    def figure(self) -> Figure:
        """Draw one panel below the other."""
        sheet = Sheet(4.6, 2.0, self.title, left=0.9, above=0.3, num_panels=len(self.panels))
        for panel, (name, lines) in zip(sheet.panels, self.panels, strict=True):
            for one, colour in zip(lines, COLOURS, strict=False):
                marker = "o" if len(one.x) <= MARKED else ""
                panel.plot(one.x, one.y, color=colour, marker=marker, ms=3.5, label=one.label)
            if self.best_epoch is not None:
                panel.axvline(self.best_epoch, color=GREY, lw=1, ls=":", label=f"best epoch: {self.best_epoch}")
            panel.set_xlabel("epoch")
            panel.set_ylabel(name)
            panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
            panel.grid()
            panel.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2)
        return sheet.figure


class RankingCurves(NamedTuple):
    """ROC or precision-recall curves.

    Attributes:
        title: of the picture.
        axes: what is to the right, and what is up.
        lines: of each class.
        chance: what a guess would give, or ``None``.
        area: what the numbers beside the names are.
        corner: with the most room for the names.
    """

    title: str
    axes: tuple[str, str]
    lines: list[Line]
    chance: Line | None
    area: str
    corner: Literal["lower left", "lower right"]

    def figure(self) -> Figure:
        """Draw a square."""
        many = len(self.lines) > MANY
        beside = inches_of((one.label for one in self.lines), 9) + 0.75 if many else 0.2
        sheet = Sheet(4.2, 3.6, self.title, right=beside)
        (panel,) = sheet.panels
        for one, colour in zip(self.lines, (*COLOURS, INK), strict=False):
            panel.plot(one.x, one.y, color=colour, label=in_legend(one.label))
        if self.chance is not None:
            panel.plot(self.chance.x, self.chance.y, color=GREY, lw=1, ls=":", label=self.chance.label)
        _square(panel, *self.axes)
        if many:
            panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title=self.area)
        else:
            panel.legend(loc=self.corner, title=self.area)
        return sheet.figure


class ReliabilityDiagram(NamedTuple):
    """How often predictions of each probability came true.

    Attributes:
        title: of the picture.
        of: whose probability it is.
        lines: mean probability and share that is true, of this model last.
        num_rows: (num_bins,) predictions in each bin of equal width from 0 to 1.
    """

    title: str
    of: str
    lines: list[Line]
    num_rows: NDArray[Any]

    def figure(self) -> Figure:
        """Draw a square, and how many predictions there are at its foot."""
        sheet = Sheet(4.2, 3.6, self.title, above=0.55)
        (panel,) = sheet.panels
        panel.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":", label="as promised")
        for one, (colour, style) in zip(reversed(self.lines), ((COLOURS[0], "o-"), (COLOURS[4], "s--")), strict=False):
            panel.plot(one.x, one.y, style, color=colour, ms=5, lw=1.4, label=one.label)
        num_bins, most = len(self.num_rows), int(self.num_rows.max())
        places = [(number + 0.5) / num_bins for number in range(num_bins)]
        heights = self.num_rows / max(most, 1) * BARS
        panel.bar(places, heights, width=0.9 / num_bins, color=GREY, alpha=0.35, label=f"how many (at most {most:,})")
        _square(panel, f"predicted probability {self.of}", "share that is true")
        # Above the panel: in it there is no corner where no model has a point.
        panel.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, borderaxespad=0.2)
        return sheet.figure


def _square(panel: Axes, x: str, y: str) -> None:
    panel.set_xlim(-0.01, 1.01)
    panel.set_ylim(-0.01, 1.01)
    panel.set_xticks(QUARTERS)
    panel.set_yticks(QUARTERS)
    panel.set_xlabel(x)
    panel.set_ylabel(y)
    panel.grid()
