"""Curves: of learning over epochs, of ranking over thresholds, and of probabilities against what came true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rosenblatt.show.figures.style import COLOURS, GREY, INK, in_legend, inches_of, legend_above, sheet
from rosenblatt.show.metrics import order_of, parted, title_of
from rosenblatt.show.words import short_name
from rosenblatt.tasks.arrays import Curve, PrecisionRecallCurves, ReliabilityCurves, RocCurves
from rosenblatt.tasks.titles import SPLIT_TITLES

MAX_PANELS = 4  # of learning curves
QUARTERS = (0, 0.25, 0.5, 0.75, 1)
MARKED = 30  # points up to which each has a marker: a single one could not be seen otherwise
MANY = 2  # curves beyond which their names would lie on them
BARS = 0.2  # of the height, for the numbers of rows


class LearningCurves(NamedTuple):
    """Metrics over epochs.

    Attributes:
        panels: what is measured, and the curves of training and validation.
        best_epoch: that is marked, or ``None``.
    """

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


def draw_roc(title: str, arrays: RocCurves) -> Figure:
    """Draw true against false positive rates."""
    chance = Curve("chance: 0.5", [0, 1], [0, 1])
    axes = ("false positive rate", "true positive rate")
    return _draw_ranking(title, axes, arrays.curves, chance, "area", "lower right")


def draw_precision_recall(title: str, arrays: PrecisionRecallCurves) -> Figure:
    """Draw precision against recall."""
    share = arrays.chance
    chance = None if share is None else Curve(f"chance: {share:.4f}", [0, 1], [share, share])
    return _draw_ranking(title, ("recall", "precision"), arrays.curves, chance, "average precision", "lower left")


def _draw_ranking(
    title: str, axes: tuple[str, str], curves: Sequence[Curve], chance: Curve | None, area: str, corner: str
) -> Figure:
    labels = [f"{short_name(one.name)}: {one.area:.4f}" for one in curves]
    many = len(curves) > MANY
    figure, (panel,) = sheet(4.2, 3.6, title, right=inches_of(labels, 9) + 0.75 if many else 0.2)
    for one, label, colour in zip(curves, labels, (*COLOURS, INK), strict=False):
        panel.plot(one.x, one.y, color=colour, label=in_legend(label))
    if chance is not None:
        panel.plot(chance.x, chance.y, color=GREY, lw=1, ls=":", label=chance.name)
    _square(panel, *axes)
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
