"""Numbers that are predicted: against the true ones, and how far they are off."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator
from numpy.typing import NDArray

from rosenblatt.show.figures.style import COLOURS, GREY, INK, Sheet, inches_of
from rosenblatt.show.words import short_name
from rosenblatt.tasks.arrays import PredictedNumbers, Residuals

MAX_POINTS = 1_000  # beyond which rows are counted in hexagons
NUM_HEXAGONS = 40  # side by side
NUM_BINS = 40


def draw_predicted(title: str, arrays: PredictedNumbers) -> Figure:
    """Draw a square, with the line on which all predictions would be right."""
    sheet = Sheet(4.2, 3.8, title, left=_room(arrays.preds))
    (panel,) = sheet.panels
    ends = _ends(np.concatenate([arrays.target, arrays.preds]))
    _rows(panel, arrays.target, arrays.preds, (*ends, *ends))
    panel.axline((ends[0], ends[0]), (ends[1], ends[1]), color=INK, lw=1, ls=":", label="predicted as it is")
    label = short_name(arrays.label)
    _axes(panel, ends, ends, f"true {label}", f"predicted {label}")
    panel.legend(loc="upper left")
    return sheet.figure


def draw_residuals(title: str, arrays: Residuals) -> Figure:
    """Draw errors against predictions, and how many there are of each size."""
    sheet = Sheet(4.2, 2.4, title, left=_room(arrays.residuals), above=0.35, num_panels=2)
    against, bars = sheet.panels
    across, up = _ends(arrays.preds), _ends(arrays.residuals)
    _rows(against, arrays.preds, arrays.residuals, (*across, *up))
    against.axhline(0, color=INK, lw=1)
    label = short_name(arrays.label)
    _axes(against, across, up, f"predicted {label}", "true minus predicted")
    bars.hist(arrays.residuals, NUM_BINS, range=up, color=COLOURS[0])
    bars.axvline(0, color=INK, lw=1)
    for place, (axis, bounds) in enumerate(((against.axhline, arrays), (bars.axvline, arrays))):
        for end in (bounds.low, bounds.high):
            if end is not None:
                name = "prediction interval" if place == 0 and end == bounds.low else None
                axis(end, color=COLOURS[1], lw=1.2, ls="--", label=name)
    if arrays.low is not None or arrays.high is not None:
        against.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)
    bars.set_xlim(*up)
    bars.set_xlabel(f"true minus predicted {label}")
    bars.set_ylabel("rows")
    bars.grid(axis="y")
    return sheet.figure


def _rows(panel: Axes, x: NDArray[Any], y: NDArray[Any], extent: tuple[float, float, float, float]) -> None:
    if len(x) <= MAX_POINTS:
        panel.plot(x, y, "o", color=COLOURS[0], ms=4, mfc="none", alpha=0.6)
    else:
        panel.hexbin(x, y, gridsize=NUM_HEXAGONS, extent=extent, mincnt=1, bins="log", cmap="Blues", linewidths=0.1)


def _ends(numbers: NDArray[Any]) -> tuple[float, float]:
    low, high = float(numbers.min()), float(numbers.max())
    margin = 0.05 * (high - low) or 0.05 * abs(low) or 1.0
    return low - margin, high + margin


def _axes(panel: Axes, across: tuple[float, float], up: tuple[float, float], x: str, y: str) -> None:
    panel.set_xlim(*across)
    panel.set_ylim(*up)
    panel.locator_params(axis="x", nbins=5)
    panel.ticklabel_format(useOffset=True, scilimits=(-4, 6))
    panel.set_xlabel(x)
    panel.set_ylabel(y)
    panel.grid(color=GREY)


def _room(numbers: NDArray[Any]) -> float:
    """Return inches beside a panel, for its ticks and label."""
    ticks = AutoLocator().tick_values(*_ends(numbers))
    plain = 1e-4 <= np.abs(ticks).max() < 1e6  # else the power of ten stands once, at the end of the axis
    return max(0.7, 0.42 + inches_of(f"{tick:.6g}" if plain else "-1.75" for tick in ticks))
