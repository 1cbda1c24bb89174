"""The kinds of figures: how each is drawn, what it is called, and what to look at in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import AutoLocator, MaxNLocator
from numpy.typing import NDArray

from rosenblatt.show.figures.style import COLOURS, GREY, INK, MARKERS, in_legend, inches_of, legend_above, sheet
from rosenblatt.show.metrics import order_of, parted, title_of
from rosenblatt.show.words import short_name
from rosenblatt.tasks.arrays import (
    Boundary,
    ConfusionMatrix,
    Curve,
    HiddenLayer,
    InfluenceBars,
    LabelErrors,
    PrecisionRecallCurves,
    PredictedNumbers,
    RankingCurves,
    ReliabilityCurves,
    Residuals,
    RocCurves,
)
from rosenblatt.tasks.titles import SPLIT_TITLES

MAX_PANELS = 4  # of learning curves
QUARTERS = (0, 0.25, 0.5, 0.75, 1)
MARKED = 30  # points up to which each has a marker: a single one could not be seen otherwise
MANY = 2  # curves beyond which their names would lie on them
BARS = 0.2  # of the height, for the numbers of rows
MAX_WRITTEN = 12  # classes up to which each cell says its number
NAME = 18  # letters of a name where many stand close to each other
NUM_FEATURES = 10  # for an output, and against it
MAX_SINGLE = 1_000  # beyond which rows are counted in hexagons
NUM_HEXAGONS = 40  # side by side
NUM_BINS = 40
WIDTH = 4.6  # inches of the panel
LEVELS = (0.3, 0.4, 0.5)  # probabilities of the second class, the book's
MAX_ISLANDS = 3  # lines of one probability, and
MIN_BETWEEN = 0.02  # of the places between the lines, for which there is room to write at the lines


class LearningCurves(NamedTuple):
    """What is measured over epochs, with the curves of training and validation; an epoch may be marked as the best."""

    panels: list[tuple[str, list[Curve]]]
    best_epoch: int | None = None


def learning_curves(
    epochs: Mapping[int, Mapping[str, float]], monitor: str = "val/loss", best_epoch: int | None = None
) -> LearningCurves | str:
    """Return the loss, what is monitored, and then what both training and validation have, as it comes.

    Args:
        epochs: by number, from 1, the metrics of each (``train/loss`` or ``train_loss``, ...).
        monitor: metric that decides which epoch is the best.
        best_epoch: that is marked.
    """
    lines: dict[str, dict[str, tuple[list[float], list[float]]]] = {}
    for epoch, metrics in sorted(epochs.items()):
        for key, value in metrics.items():
            split, name = parted(key)
            if split in ("train", "val"):
                x, y = lines.setdefault(name, {}).setdefault(split, ([], []))
                x.append(epoch)
                y.append(value)
    watched = parted(monitor)[1]
    names = [name for name in ("loss", watched) if name in lines]
    names += sorted((name for name, splits in lines.items() if len(splits) == 2), key=order_of)
    panels = []
    for name in list(dict.fromkeys(names))[:MAX_PANELS]:
        curves = [Curve(SPLIT_TITLES[split], *points) for split, points in sorted(lines[name].items())]
        panels.append((title_of(name), curves))
    return LearningCurves(panels, best_epoch) if panels else "no epoch has logged a loss, or a metric of both splits"


def draw_learning_curves(title: str, arrays: LearningCurves) -> Figure:
    """Draw one panel below the other."""
    figure, panels = sheet(4.6, 2.0, title, left=0.9, above=0.3, num_panels=len(arrays.panels))
    for panel, (name, curves) in zip(panels, arrays.panels, strict=True):
        for one, colour in zip(curves, COLOURS, strict=False):
            marker = "o" if len(one.x) <= MARKED else ""
            panel.plot(one.x, one.y, color=colour, marker=marker, ms=3.5, label=one.name)
        if arrays.best_epoch is not None:
            panel.axvline(arrays.best_epoch, color=GREY, lw=1, ls=":", label=f"best epoch: {arrays.best_epoch}")
        panel.set(xlabel="epoch", ylabel=short_name(name))
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
        panel.grid()
        legend_above(panel, ncols=3)
    return figure


def draw_ranking(title: str, arrays: RankingCurves, x: str, y: str, area: str, corner: str) -> Figure:
    """Draw a square with curves in it, and what their area is called in a corner."""
    labels = [f"{short_name(one.name)}: {one.area:.4f}" for one in arrays.curves]
    many = len(labels) > MANY
    figure, (panel,) = sheet(4.2, 3.6, title, right=inches_of(labels, 9) + 0.75 if many else 0.2)
    for one, label, colour in zip(arrays.curves, labels, (*COLOURS, INK), strict=False):
        panel.plot(one.x, one.y, color=colour, label=in_legend(label))
    if arrays.chance is not None:
        panel.plot(arrays.chance.x, arrays.chance.y, color=GREY, lw=1, ls=":", label=arrays.chance.name)
    _square(panel, x, y)
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if many else {"loc": corner}
    panel.legend(title=area, **place)
    return figure


def draw_reliability(title: str, arrays: ReliabilityCurves) -> Figure:
    """Draw a square, and how many predictions there are at its foot."""
    figure, (panel,) = sheet(4.2, 3.6, title, above=0.55)
    panel.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":", label="as promised")
    for one, (colour, style) in zip(reversed(arrays.curves), ((COLOURS[0], "o-"), (COLOURS[4], "s--")), strict=False):
        panel.plot(one.x, one.y, style, color=colour, ms=5, lw=1.4, label=one.name)
    num_bins, most = len(arrays.num_rows), int(arrays.num_rows.max())
    places = (np.arange(num_bins) + 0.5) / num_bins
    heights = arrays.num_rows / max(most, 1) * BARS
    panel.bar(places, heights, width=0.9 / num_bins, color=GREY, alpha=0.35, label=f"how many (at most {most:,})")
    _square(panel, f"predicted probability {short_name(arrays.of)}", "share that is true")
    # Above the panel: in it there is no corner where no model has a point.
    panel.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, borderaxespad=0.2)
    return figure


def _square(panel: Axes, x: str, y: str) -> None:
    panel.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xticks=QUARTERS, yticks=QUARTERS, xlabel=x, ylabel=y)
    panel.grid()


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
    if len(x) <= MAX_SINGLE:
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


class Kind(NamedTuple):
    """How arrays of one type are drawn: from a title and the arrays; and what to look at."""

    draw: Callable[[str, Any], Figure]
    title: str
    caption: str


KINDS: dict[type, Kind] = {
    LearningCurves: Kind(
        draw_learning_curves, "Learning curves",
        "Loss and metrics after each epoch. Where validation turns, it begins to learn by heart.",
    ),
    Boundary: Kind(
        draw_boundary, "Decision boundary",
        "Each marker is a class, filled ones are wrong. The thick line is the threshold; thin ones are where the "
        "second class has a probability of 0.3, 0.4, 0.5.",
    ),
    HiddenLayer: Kind(
        draw_boundary, "Hidden layer",
        "The same rows as the last hidden layer sees them: here a straight line has to part the classes.",
    ),
    ConfusionMatrix: Kind(
        draw_confusions, "Confusions",
        "Rows are true classes, columns predicted ones; darker is a larger share of the true class.",
    ),
    LabelErrors: Kind(
        draw_label_errors, "Confusions",
        "Rows that have a label and were not given it, and rows that were given it and do not have it.",
    ),
    RocCurves: Kind(
        partial(draw_ranking, x="false positive rate", y="true positive rate", area="area", corner="lower right"),
        "ROC curve",
        "Share of the rows of a class that are found, against the share of others that are taken for it.",
    ),
    PrecisionRecallCurves: Kind(
        partial(draw_ranking, x="recall", y="precision", area="average precision", corner="lower left"),
        "Precision and recall",
        "Share of the found rows that are right, against the share of right rows that are found.",
    ),
    ReliabilityCurves: Kind(
        draw_reliability, "Reliability",
        "On the dotted line, of ten predictions with probability 0.8 eight are true.",
    ),
    PredictedNumbers: Kind(
        draw_predicted, "Predicted against true",
        "On the dotted line, predictions are what is true; above it they are too high.",
    ),
    Residuals: Kind(
        draw_residuals, "Residuals",
        "How far the truth is above a prediction, and how often; where the errors lean or widen, something is not "
        "learnt yet.",
    ),
    InfluenceBars: Kind(
        draw_influence, "Influence",
        "To the right (blue): more of it raises the output; to the left (orange): lowers it. Size: its part in the "
        "output, in the mean of the first 2,000 rows.",
    ),
}  # fmt: skip


class Drawing(NamedTuple):
    """A figure that is to be drawn.

    Attributes:
        arrays: of one of the `KINDS`.
        of: what it shows, such as ``validation, epoch 3``, or empty.
    """

    arrays: Any
    of: str = ""

    def figure(self) -> Figure:
        """Return it drawn."""
        kind = KINDS[type(self.arrays)]
        lines = [": ".join(filter(None, (kind.title, self.of))), getattr(self.arrays, "note", "")]
        return kind.draw("\n".join(filter(None, lines)), self.arrays)

    @property
    def caption(self) -> str:
        """What to look at in it."""
        return KINDS[type(self.arrays)].caption


def drawings(arrays: Mapping[str, Any], of: str = "") -> dict[str, Drawing | str]:
    """Return what is to be drawn, by name; a reason why there is nothing to draw stays as it is. See `Drawing`."""
    return {name: one if isinstance(one, str) else Drawing(one, of) for name, one in arrays.items()}
