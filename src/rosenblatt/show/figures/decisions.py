"""Which classes are taken for which."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from rosenblatt.show.figures.style import COLOURS, Sheet, inches_of

MAX_WRITTEN = 12  # classes up to which each cell says its number


class ConfusionMatrix(NamedTuple):
    """Rows of each pair of classes.

    Attributes:
        title: of the picture.
        names: of the classes.
        counts: (num_classes, num_classes), rows true, columns predicted.
    """

    title: str
    names: list[str]
    counts: NDArray[Any]

    def figure(self) -> Figure:
        """Draw a square of cells, darker the larger the share of the true class."""
        num = len(self.names)
        flat = num <= 3 and max(map(len, self.names)) <= 8  # names under the columns side by side, else at a slant
        room, size = inches_of(self.names), max(2.2, 0.46 * num if num <= MAX_WRITTEN else 0.3 * num)
        sheet = Sheet(size, size, self.title, left=room + 0.45, below=0.6 if flat else 0.75 * room + 0.55, right=0.3)
        (panel,) = sheet.panels
        shares = self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)
        panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for true, row in enumerate(self.counts.tolist() if num <= MAX_WRITTEN else []):
            for predicted, number in enumerate(row):
                colour = "white" if shares[true, predicted] > 0.6 else "black"
                size = 9 if number < 10_000 or num <= 4 else 7
                panel.text(predicted, true, f"{number:,}", ha="center", va="center", color=colour, fontsize=size)
        panel.set_xticks(range(num), self.names, rotation=0 if flat else 45, ha="center" if flat else "right")
        panel.set_yticks(range(num), self.names)
        panel.set_xlabel("predicted" if num <= MAX_WRITTEN else "predicted (darker: a larger share of the true class)")
        panel.set_ylabel("true")
        panel.spines[:].set_visible(False)
        panel.tick_params(length=0)
        return sheet.figure


class LabelErrors(NamedTuple):
    """Labels that are missing, or too many.

    Attributes:
        title: of the picture.
        names: of the labels, from the bottom up.
        missed: rows that have each and were not given it.
        invented: rows that were given each and do not have it.
    """

    title: str
    names: list[str]
    missed: NDArray[Any]
    invented: NDArray[Any]

    def figure(self) -> Figure:
        """Draw a bar for each label."""
        sheet = Sheet(4.0, max(0.26 * len(self.names), 1.4), self.title, left=inches_of(self.names) + 0.2)
        (panel,) = sheet.panels
        places = range(len(self.names))
        panel.barh(places, self.missed, color=COLOURS[1], label="there, not predicted")
        panel.barh(places, self.invented, left=self.missed, color=COLOURS[0], label="predicted, not there")
        panel.set_yticks(places, self.names)
        panel.set_xlim(0, 1.05 * max(1, *(self.missed + self.invented).tolist()))
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        panel.set_xlabel("rows")
        panel.grid(axis="x")
        panel.legend(loc="lower right")
        return sheet.figure
