"""What is predicted and what is true, of classes, labels and numbers; and what speaks for each output."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, MaxNLocator
from numpy.typing import NDArray

from rosenblatt.show.figures.style import COLOURS, GREY, INK, inches_of, legend_above, sheet
from rosenblatt.show.words import short_name
from rosenblatt.tasks.arrays import ConfusionMatrix, InfluenceBars, LabelErrors, PredictedNumbers, Residuals

MAX_WRITTEN = 12  # classes up to which each cell says its number
NAME = 18  # letters of a name where many stand close to each other
NUM_FEATURES = 10  # for an output, and against it
MAX_POINTS = 1_000  # beyond which rows are counted in hexagons
NUM_HEXAGONS = 40  # side by side
NUM_BINS = 40


def draw_confusions(title: str, arrays: ConfusionMatrix) -> Figure:
    """Draw a square of cells, darker the larger the share of the true class."""
    names = [short_name(name, NAME) for name in arrays.classes]
    num = len(names)
    written = num <= MAX_WRITTEN
    flat = num <= 3 and max(map(len, names)) <= 8  # names under the columns side by side, else at a slant
    room, size = inches_of(names), max(2.2, 0.46 * num if written else 0.3 * num)
    figure, (panel,) = sheet(
        size, size, title, left=room + 0.45, below=0.6 if flat else 0.75 * room + 0.55, right=0.3
    )  # fmt: skip
    shares = arrays.counts / np.maximum(arrays.counts.sum(axis=1, keepdims=True), 1)
    panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (true, predicted), number in np.ndenumerate(arrays.counts):
        if written:
            colour = "white" if shares[true, predicted] > 0.6 else "black"
            letters = 9 if number < 10_000 or num <= 4 else 7
            panel.text(predicted, true, f"{number:,}", ha="center", va="center", color=colour, fontsize=letters)
    panel.set_xticks(range(num), names, rotation=0 if flat else 45, ha="center" if flat else "right")
    panel.set_yticks(range(num), names)
    panel.set_xlabel("predicted" if written else "predicted (darker: a larger share of the true class)")
    panel.set_ylabel("true")
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)
    return figure


def draw_label_errors(title: str, arrays: LabelErrors) -> Figure:
    """Draw a bar for each label."""
    names = [short_name(name) for name in arrays.labels]
    figure, (panel,) = sheet(4.0, max(0.26 * len(names), 1.4), title, left=inches_of(names) + 0.2)
    places = range(len(names))
    panel.barh(places, arrays.missed, color=COLOURS[1], label="there, not predicted")
    panel.barh(places, arrays.invented, left=arrays.missed, color=COLOURS[0], label="predicted, not there")
    panel.set_yticks(places, names)
    panel.set(xlim=(0, 1.05 * max(1, (arrays.missed + arrays.invented).max())), xlabel="rows")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    panel.grid(axis="x")
    panel.legend(loc="lower right")
    return figure


def draw_influence(title: str, arrays: InfluenceBars) -> Figure:
    """Draw what raises an output to the right, and what lowers it to the left."""
    bars = [[*one.against[:NUM_FEATURES], *reversed(one.in_favour[:NUM_FEATURES])] for one in arrays.panels]
    most = max(map(len, bars))
    room = inches_of((short_name(name) for parts in bars for name, _ in parts), 9)
    width, num_columns = (3.6, 1) if len(bars) == 1 else (2.0, 2)
    figure, panels = sheet(
        width, max(0.2 * most, 0.8), title, left=room + 0.15, num_panels=len(bars), num_columns=num_columns
    )  # fmt: skip
    for panel, one, parts in zip(panels, arrays.panels, bars, strict=True):
        sizes = [part for _, part in parts]
        panel.barh(range(len(parts)), sizes, color=[COLOURS[0] if part > 0 else COLOURS[1] for part in sizes])
        panel.set_yticks(range(len(parts)), [short_name(name) for name, _ in parts], fontsize=9)
        panel.axvline(0, color=INK, lw=0.8)
        panel.set_xlabel(one.of, fontsize=9)
        panel.set_ylim(-0.6, most - 0.4)
        panel.tick_params(axis="y", length=0)
        panel.locator_params(axis="x", nbins=5)
        panel.grid(axis="x")
    return figure


def draw_predicted(title: str, arrays: PredictedNumbers) -> Figure:
    """Draw a square, with the line on which all predictions would be right."""
    figure, (panel,) = sheet(4.2, 3.8, title, left=_room(arrays.preds))
    low, high = ends = _ends(np.concatenate([arrays.target, arrays.preds]))
    _rows(panel, arrays.target, arrays.preds, ends, ends)
    panel.axline((low, low), (high, high), color=INK, lw=1, ls=":", label="predicted as it is")
    panel.set(xlabel="true number", ylabel="predicted number")
    panel.legend(loc="upper left")
    return figure


def draw_residuals(title: str, arrays: Residuals) -> Figure:
    """Draw errors against predictions, and how many there are of each size."""
    residuals, radius = arrays.residuals, arrays.radius
    figure, (against, bars) = sheet(4.2, 2.4, title, left=_room(residuals), above=0.35, num_panels=2)
    up = _ends(residuals)
    _rows(against, arrays.preds, residuals, _ends(arrays.preds), up)
    against.axhline(0, color=INK, lw=1)
    against.set(xlabel="predicted number", ylabel="true minus predicted")
    bars.hist(residuals, NUM_BINS, range=up, color=COLOURS[0])
    bars.axvline(0, color=INK, lw=1)
    bars.set(xlim=up, xlabel="true minus predicted number", ylabel="rows")
    bars.grid(axis="y")
    if radius is not None:
        for end, label in ((-radius, "prediction interval"), (radius, None)):
            against.axhline(end, color=COLOURS[1], lw=1.2, ls="--", label=label)
            bars.axvline(end, color=COLOURS[1], lw=1.2, ls="--")
        legend_above(against)
    return figure


def _rows(panel: Axes, x: NDArray[Any], y: NDArray[Any], across: tuple[float, float], up: tuple[float, float]) -> None:
    """Draw rows as points, or many of them as hexagons, between the ends of both axes."""
    if len(x) <= MAX_POINTS:
        panel.plot(x, y, "o", color=COLOURS[0], ms=4, mfc="none", alpha=0.6)
    else:
        extent = (*across, *up)
        panel.hexbin(x, y, gridsize=NUM_HEXAGONS, extent=extent, mincnt=1, bins="log", cmap="Blues", linewidths=0.1)
    panel.set(xlim=across, ylim=up)
    panel.locator_params(axis="x", nbins=5)
    panel.ticklabel_format(useOffset=True, scilimits=(-4, 6))
    panel.grid(color=GREY)


def _ends(numbers: NDArray[Any]) -> tuple[float, float]:
    low, high = float(numbers.min()), float(numbers.max())
    margin = 0.05 * (high - low) or 0.05 * abs(low) or 1.0
    return low - margin, high + margin


def _room(numbers: NDArray[Any]) -> float:
    """Return inches beside a panel, for its ticks and label."""
    ticks = AutoLocator().tick_values(*_ends(numbers))
    plain = 1e-4 <= np.abs(ticks).max() < 1e6  # else the power of ten stands once, at the end of the axis
    return max(0.7, 0.42 + inches_of(f"{tick:.6g}" if plain else "-1.75" for tick in ticks))
