"""Classes: which are taken for which, and what speaks for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rosenblatt.show.figures.style import COLOURS, INK, Sheet, inches_of
from rosenblatt.show.words import short_name
from rosenblatt.tasks.arrays import ConfusionMatrix, Influence, InfluenceBars, LabelErrors

MAX_WRITTEN = 12  # classes up to which each cell says its number
NUM_COLUMNS = 2
MAX_PANELS, NUM_FEATURES = 6, 10  # outputs with influential features, and how many for and against each
NAME = 18  # letters of a name where many stand close to each other


def influence_bars(found: Sequence[Influence], num_outputs: int) -> InfluenceBars | str:
    """Return what is drawn of influential features.

    Args:
        found: of the most frequent classes.
        num_outputs: that could have some.
    """
    shown = [one for one in found if one.in_favour or one.against][:MAX_PANELS]
    if not shown:
        return "no feature has a part in any output"
    left_out = num_outputs > len(shown)
    return InfluenceBars(shown, f"the {len(shown)} most frequent of {num_outputs:,} classes" if left_out else "")


def draw_confusions(title: str, arrays: ConfusionMatrix) -> Figure:
    """Draw a square of cells, darker the larger the share of the true class."""
    names = [short_name(name, NAME) for name in arrays.classes]
    num = len(names)
    flat = num <= 3 and max(map(len, names)) <= 8  # names under the columns side by side, else at a slant
    room, size = inches_of(names), max(2.2, 0.46 * num if num <= MAX_WRITTEN else 0.3 * num)
    sheet = Sheet(size, size, title, left=room + 0.45, below=0.6 if flat else 0.75 * room + 0.55, right=0.3)
    (panel,) = sheet.panels
    shares = arrays.counts / np.maximum(arrays.counts.sum(axis=1, keepdims=True), 1)
    panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for true, row in enumerate(arrays.counts.tolist() if num <= MAX_WRITTEN else []):
        for predicted, number in enumerate(row):
            colour = "white" if shares[true, predicted] > 0.6 else "black"
            letters = 9 if number < 10_000 or num <= 4 else 7
            panel.text(predicted, true, f"{number:,}", ha="center", va="center", color=colour, fontsize=letters)
    panel.set_xticks(range(num), names, rotation=0 if flat else 45, ha="center" if flat else "right")
    panel.set_yticks(range(num), names)
    panel.set_xlabel("predicted" if num <= MAX_WRITTEN else "predicted (darker: a larger share of the true class)")
    panel.set_ylabel("true")
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)
    return sheet.figure


def draw_label_errors(title: str, arrays: LabelErrors) -> Figure:
    """Draw a bar for each label."""
    names = [short_name(name) for name in arrays.labels]
    sheet = Sheet(4.0, max(0.26 * len(names), 1.4), title, left=inches_of(names) + 0.2)
    (panel,) = sheet.panels
    places = range(len(names))
    panel.barh(places, arrays.missed, color=COLOURS[1], label="there, not predicted")
    panel.barh(places, arrays.invented, left=arrays.missed, color=COLOURS[0], label="predicted, not there")
    panel.set_yticks(places, names)
    panel.set_xlim(0, 1.05 * max(1, *(arrays.missed + arrays.invented).tolist()))
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    panel.set_xlabel("rows")
    panel.grid(axis="x")
    panel.legend(loc="lower right")
    return sheet.figure


def draw_influence(title: str, arrays: InfluenceBars) -> Figure:
    """Draw what raises an output to the right, and what lowers it to the left."""
    panels = []
    for one in arrays.panels:
        parts = [*one.against[:NUM_FEATURES], *reversed(one.in_favour[:NUM_FEATURES])]
        panels.append((one.of, [(short_name(name), part) for name, part in parts]))
    num_columns = min(NUM_COLUMNS, len(panels))
    most = max(len(parts) for _, parts in panels)
    room = inches_of((name for _, parts in panels for name, _ in parts), 9)
    sheet = Sheet(
        3.6 if num_columns == 1 else 2.0, max(0.2 * most, 0.8), title, left=room + 0.15, num_panels=len(panels),
        num_columns=num_columns,
    )  # fmt: skip
    for panel, (of, parts) in zip(sheet.panels, panels, strict=True):
        sizes = [part for _, part in parts]
        panel.barh(range(len(parts)), sizes, color=[COLOURS[0] if part > 0 else COLOURS[1] for part in sizes])
        panel.set_yticks(range(len(parts)), [name for name, _ in parts], fontsize=9)
        panel.axvline(0, color=INK, lw=0.8)
        panel.set_xlabel(of, fontsize=9)
        panel.set_ylim(-0.6, most - 0.4)
        panel.tick_params(axis="y", length=0)
        panel.locator_params(axis="x", nbins=5)
        panel.grid(axis="x")
    return sheet.figure
