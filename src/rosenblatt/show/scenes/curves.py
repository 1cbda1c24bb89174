"""Curves over epochs and over thresholds."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rosenblatt.show.figures.curves import LearningCurves, Line, RankingCurves, ReliabilityDiagram
from rosenblatt.show.ranking import Ranking, one_against_rest, ranking
from rosenblatt.show.scenes.view import Scene, View, short_name
from rosenblatt.tasks.calibration import reliability
from rosenblatt.tasks.evaluation import to_probs
from rosenblatt.tasks.titles import SPLIT_TITLES, TITLES

MAIN = ("acc", "p_at_1")  # beside the loss
MAX_CURVES = 6  # classes with a curve of their own
MAX_SORTED = 5_000_000  # probabilities, up to which there are curves: half a second
MAX_POINTS = 400  # of a curve


def learning_curves(curves: Mapping[int, Mapping[str, float]], best_epoch: int | None, title: str) -> Scene:
    """Return loss and accuracy of training and validation over epochs.

    Args:
        curves: by epoch, from 1, its metrics (``train/loss``, ...).
        best_epoch: that is marked.
        title: of the picture.
    """
    panels = []
    for name in ("loss", *MAIN):
        lines = []
        for split in ("train", "val"):
            key = f"{split}/{name}"
            points = [(epoch, one[key]) for epoch, one in sorted(curves.items()) if key in one]
            if points:
                epochs, values = zip(*points, strict=True)
                lines.append(Line(SPLIT_TITLES[split], epochs, values))
        if lines:
            panels.append((TITLES[name], lines))
    return LearningCurves(title, panels, best_epoch) if panels else "no epoch was completed"


def rankings(view: View, probs: Tensor) -> tuple[Scene, Scene]:
    """Return ROC and precision-recall curves."""
    if probs.numel() > MAX_SORTED:
        return (f"{probs.numel():,} probabilities would take long to sort",) * 2
    asked = one_against_rest(probs, view.target, view.spec.task, view.spec.classes, MAX_CURVES)
    known = [(short_name(one.name), found) for one in asked if (found := ranking(one.probs, one.positive)) is not None]
    if not known:
        return ("no class has both rows that are of it and rows that are not",) * 2
    roc, pr = [], []
    for name, one in known:
        some = _thinned(one)
        wrong, recall, precision = (part[some].numpy() for part in (one.false_positive_rate, one.recall, one.precision))
        roc.append(Line(f"{name}: {one.auroc:.4f}", wrong, recall))
        pr.append(Line(f"{name}: {one.ap:.4f}", recall, precision))
    share = float(known[0][1].hits[-1] / known[0][1].rows[-1])
    guess = Line(f"chance: {share:.4f}", [0, 1], [share, share]) if view.spec.task == "binary" else None
    if len(asked) > 1 and len(view.spec.classes) > MAX_CURVES:
        cut = f"\nthe {MAX_CURVES} most frequent of {len(view.spec.classes):,} classes"
    else:
        cut = ""
    rates = ("false positive rate", "true positive rate")
    diagonal = Line("chance: 0.5", [0, 1], [0, 1])
    return (
        RankingCurves(view.titled("ROC curve") + cut, rates, roc, diagonal, "area", "lower right"),
        RankingCurves(
            view.titled("Precision and recall") + cut,
            ("recall", "precision"),
            pr,
            guess,
            "average precision",
            "lower left",
        ),
    )


def _thinned(one: Ranking) -> Tensor:
    """Return the points of a curve that are drawn: at equal distances along it, both ends included."""
    num = len(one.hits)
    if num <= MAX_POINTS:
        return torch.arange(num)
    way = one.recall + one.false_positive_rate
    places = torch.linspace(0, float(way[-1]), MAX_POINTS, dtype=way.dtype)
    return torch.searchsorted(way, places).clamp(max=num - 1)


def reliability_diagram(view: View, probs: Tensor) -> Scene:
    """Return how often predictions of each probability came true."""
    spec = view.spec
    shown = [("this model", probs)]
    if view.temperature != 1:
        before = to_probs(view.logits * view.temperature, spec.task)
        shown = [("without temperature", before), ("with temperature", probs)]
    lines = []
    for label, some in shown:
        found = reliability(some, view.target, spec.task)
        there = found.num_rows > 0
        lines.append(Line(label, found.mean_prob[there].numpy(), found.share[there].numpy()))
    kinds = {"binary": f"of {short_name(spec.classes[-1])}", "multiclass": "of the predicted class"}
    of = kinds.get(spec.task, "of each label")
    return ReliabilityDiagram(view.titled("Reliability"), of, lines, found.num_rows.numpy())
