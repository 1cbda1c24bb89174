"""Points in the plane and what a model makes of it, as the book draws it (chapter 3, figures 3-3 and 3-4)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import AutoLocator
from numpy.typing import NDArray

from rosenblatt.show.figures.style import COLOURS, GREY, INK, MARKERS, in_legend, inches_of, legend_above, sheet

WIDTH = 4.6  # inches of the panel
LEVELS = (0.3, 0.4, 0.5)  # probabilities of the second class, the book's
MAX_ISLANDS = 3  # lines of one probability, and
MIN_BETWEEN = 0.02  # of the places between the lines, for which there is room to write at the lines


class Boundary(NamedTuple):
    """Rows as points, over the regions that the model divides the plane into.

    Attributes:
        axes: what the two coordinates are.
        names: of the classes, at most as many as there are colours.
        points: (N, 2).
        target: (N,) class numbers.
        wrong: (N,) whether each is taken for another class.
        extent: left, right, bottom and top.
        regions: (height, width) the class at each place.
        probs: (height, width) probability of the second class at each place, or ``None`` with more than two.
        threshold: probability above which the second class is predicted.
        note: what is left out, or empty.
    """

    axes: tuple[str, str]
    names: list[str]
    points: NDArray[Any]
    target: NDArray[Any]
    wrong: NDArray[Any]
    extent: tuple[float, float, float, float]
    regions: NDArray[Any]
    probs: NDArray[Any] | None
    threshold: float = 0.5
    note: str = ""


class HiddenLayer(Boundary):
    """The same rows, as the two units of the last hidden layer see them (the book, chapter 4, figure 4-4)."""


def draw_boundary(title: str, arrays: Boundary) -> Figure:
    """Draw rows as stars and circles, wrong ones filled."""
    words = [*arrays.names, "wrong"]
    in_a_row = sum(inches_of([word], 9) + 0.4 for word in words) < WIDTH
    ticks = AutoLocator().tick_values(*arrays.extent[2:])  # of columns of a table they may be long
    left = max(0.7, 0.42 + inches_of(f"{tick:.6g}" for tick in ticks))
    right, above = (0.2, 0.35) if in_a_row else (inches_of(words, 9) + 0.75, 0.15)
    figure, (panel,) = sheet(WIDTH, 3.8, title, left, right, above=above)
    colours = [to_rgba(COLOURS[k], 0.18) for k in range(len(arrays.names))]  # a page may be dark
    panel.imshow(
        arrays.regions, extent=arrays.extent, origin="lower", aspect="auto", cmap=ListedColormap(colours), vmin=-0.5,
        vmax=len(colours) - 0.5, interpolation="nearest",
    )  # fmt: skip
    if arrays.probs is not None:
        _contours(panel, arrays, arrays.probs)
    for k, name in enumerate(arrays.names):
        for wrong, face in ((False, "none"), (True, COLOURS[k])):
            x, y = arrays.points[(arrays.target == k) & (arrays.wrong == wrong)].T
            panel.scatter(
                x, y, s=60 if MARKERS[k] == "*" else 26, marker=MARKERS[k], facecolors=face, edgecolors=COLOURS[k],
                linewidths=0.9, zorder=2 + wrong,
            )  # fmt: skip
        panel.plot([], [], MARKERS[k], mfc="none", color=COLOURS[k], ls="", label=in_legend(name))
    handles = [*panel.get_legend_handles_labels()[0], Line2D([], [], marker="o", color=INK, ls="", label="wrong")]
    if in_a_row:
        legend_above(panel, handles=handles, ncols=len(words))
    else:
        panel.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    panel.ticklabel_format(useOffset=True)  # 1,700,000,123 and its neighbours would not fit side by side
    panel.set(xlabel=arrays.axes[0], ylabel=arrays.axes[1])
    return figure


def _contours(panel: Axes, arrays: Boundary, probs: NDArray[Any]) -> None:
    low, high = float(probs.min()), float(probs.max())
    levels = [level for level in sorted({*LEVELS, arrays.threshold}) if low < level < high]
    if not levels:
        note = f"probability from {low:.2g} to {high:.2g} everywhere here"
        panel.text(0.02, 0.02, note, transform=panel.transAxes, color=GREY, fontsize=9)
        return
    left, right, bottom, top = arrays.extent
    height, width = probs.shape
    lines = panel.contour(
        np.linspace(left, right, width), np.linspace(bottom, top, height), probs, levels=levels, colors=INK,
        linewidths=[1.6 if level == arrays.threshold else 0.9 for level in levels],
        linestyles=["solid" if level == arrays.threshold else "dashed" for level in levels],
    )  # fmt: skip
    between = float(((probs > levels[0]) & (probs < levels[-1])).mean())
    if max(map(len, lines.allsegs)) <= MAX_ISLANDS and (len(levels) == 1 or between > MIN_BETWEEN):
        panel.clabel(lines, fmt="%.2g", fontsize=8)
