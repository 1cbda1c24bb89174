"""Which words, or columns, speak for each class."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.figure import Figure

from rosenblatt.show.figures.style import COLOURS, INK, Sheet, inches_of

NUM_COLUMNS = 2


class InfluenceBars(NamedTuple):
    """The most influential features of some classes.

    Attributes:
        title: of the picture.
        panels: what parts are of, and the features with their parts, from the bottom up.
    """

    title: str
    panels: list[tuple[str, list[tuple[str, float]]]]

    def figure(self) -> Figure:
        """Draw what speaks for a class to the right, and what speaks against it to the left."""
        num_columns = min(NUM_COLUMNS, len(self.panels))
        most = max(len(parts) for _, parts in self.panels)
        room = inches_of((name for _, parts in self.panels for name, _ in parts), 9)
        sheet = Sheet(
            3.6 if num_columns == 1 else 2.0, max(0.2 * most, 0.8), self.title, left=room + 0.15,
            num_panels=len(self.panels), num_columns=num_columns,
        )  # fmt: skip
        for panel, (name, parts) in zip(sheet.panels, self.panels, strict=True):
            sizes = [part for _, part in parts]
            panel.barh(range(len(parts)), sizes, color=[COLOURS[0] if part > 0 else COLOURS[1] for part in sizes])
            panel.set_yticks(range(len(parts)), [name for name, _ in parts], fontsize=9)
            panel.axvline(0, color=INK, lw=0.8)
            panel.set_xlabel(name, fontsize=9)
            panel.set_ylim(-0.6, most - 0.4)
            panel.tick_params(axis="y", length=0)
            panel.locator_params(axis="x", nbins=5)
            panel.grid(axis="x")
        return sheet.figure
