"""What there is to draw of a split, as named arrays: made from what a model says of its rows, and what is true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rosenblatt.tasks.arrays import (
    ConfusionMatrix,
    Curve,
    LabelErrors,
    PrecisionRecallCurves,
    ReliabilityCurves,
    RocCurves,
)
from rosenblatt.tasks.calibration import reliability
from rosenblatt.tasks.counts import confusion_matrix

MAX_CLASSES = 3_000  # that are counted against each other
MAX_SQUARE, MAX_LABELS = 20, 20  # classes of a confusion matrix, labels with their errors
MAX_CURVES = 6  # classes with a curve of their own
MAX_SORTED = 5_000_000  # probabilities, up to which there are curves: half a second
MAX_POINTS = 400  # of a curve
ALL = "all together (micro)"


class OneAgainstRest(NamedTuple):
    """One class, or all together, as a question of yes and no: (N,) or (N * num_classes,) probabilities and 0 and 1."""

    name: str
    probs: Tensor
    positive: Tensor


def confusions(preds: Tensor, target: Tensor, classes: Sequence[str]) -> ConfusionMatrix | LabelErrors | str:
    """Return a confusion matrix; of many classes those that are confused most, of labels the errors of each.

    Args:
        preds: (N,) class numbers, or (N, num_labels) of 0 and 1.
        target: like ``preds``.
        classes: their names.
    """
    num = len(classes)
    if target.ndim == 1 and num > MAX_CLASSES:
        return f"a matrix of {num:,} classes would fill the memory"
    counts = confusion_matrix(preds, target, num)
    if target.ndim == 2:
        missed, invented = counts[:, 1, 0], counts[:, 0, 1]
        order = (missed + invented).argsort(descending=True, stable=True)[:MAX_LABELS].flip(0)
        note = f"the {MAX_LABELS} of {num:,} labels that are most often wrong" if num > MAX_LABELS else ""
        labels = [classes[k] for k in order.tolist()]
        return LabelErrors(labels, missed[order].numpy(), invented[order].numpy(), note)
    if num <= MAX_SQUARE:
        return ConfusionMatrix([*classes], counts.numpy())
    wrong = counts.clone().fill_diagonal_(0)
    order = (wrong.sum(dim=0) + wrong.sum(dim=1)).argsort(descending=True, stable=True)
    kept = order[: MAX_SQUARE - 1].sort().values
    place = torch.full((num,), len(kept))  # all others are one
    place[kept] = torch.arange(len(kept))
    group = torch.nn.functional.one_hot(place).double()  # (num, MAX_SQUARE)
    note = f"the {len(kept)} of {num:,} classes that are most often confused"
    counts = (group.T @ counts.double() @ group).long()
    return ConfusionMatrix([*(classes[k] for k in kept.tolist()), "(others)"], counts.numpy(), note)


def one_against_rest(probs: Tensor, target: Tensor, classes: Sequence[str], at_most: int) -> list[OneAgainstRest]:
    """Return the questions of yes and no that a task consists of; none where there are too many probabilities to sort.

    Args:
        probs: (N,) of the second class, or (N, num_classes).
        target: (N,) class numbers, or (N, num_labels) of 0 and 1.
        classes: their names.
        at_most: of single classes, the most frequent ones in ``target``; where there are more, all together come first.
    """
    if probs.numel() > MAX_SORTED:
        return []
    if probs.ndim == 1:
        return [OneAgainstRest(classes[1], probs, target)]
    yes = target if target.ndim == 2 else torch.nn.functional.one_hot(target, len(classes))
    order = yes.sum(dim=0).argsort(descending=True, stable=True).tolist()
    found = [OneAgainstRest(classes[k], probs[:, k], yes[:, k]) for k in order[:at_most]]
    if len(classes) > at_most:
        found.insert(0, OneAgainstRest(ALL, probs.flatten(), yes.flatten()))
    return found


def ranking_curves(
    probs: Tensor, target: Tensor, classes: Sequence[str]
) -> tuple[RocCurves | str, PrecisionRecallCurves | str]:
    """Return ROC and precision-recall curves (Fawcett 2006) of the most frequent classes, or why there are none."""
    from torchmetrics.functional.classification import binary_precision_recall_curve, binary_roc

    asked = one_against_rest(probs, target, classes, MAX_CURVES)
    known = [one for one in asked if 0 < one.positive.sum() < len(one.probs)]
    if not known:
        reason = "no class has both rows that are of it and rows that are not"
        reason = reason if asked else f"{probs.numel():,} probabilities would take long to sort"
        return reason, reason
    roc, precision_recall = [], []
    for name, some, positive in known:
        wrong, found, _ = binary_roc(some, positive.long(), validate_args=False)
        roc.append(_curve(name, wrong, found, float(torch.trapezoid(found.double(), wrong.double()))))
        precision, recall, _ = binary_precision_recall_curve(some, positive.long(), validate_args=False)
        area = -float((recall.double().diff() * precision[:-1]).sum())
        precision[-1] = precision[-2]  # of no row it would be 1, whatever the first ones are
        precision_recall.append(_curve(name, recall.flip(0), precision.flip(0), area))
    share = known[0].positive.double().mean().item()
    chance = Curve(f"chance: {share:.4f}", [0, 1], [share, share]) if probs.ndim == 1 else None
    note = f"the {MAX_CURVES} most frequent of {len(classes):,} classes" if len(classes) > MAX_CURVES else ""
    diagonal = Curve("chance: 0.5", [0, 1], [0, 1])
    return RocCurves(roc, diagonal, note), PrecisionRecallCurves(precision_recall, chance, note)


def _curve(name: str, x: Tensor, y: Tensor, area: float) -> Curve:
    """Return a curve of not too many points, at equal distances along it, both ends included."""
    if len(x) > MAX_POINTS:
        steps = x.double().diff().abs() + y.double().diff().abs()
        way = torch.cat([steps.new_zeros(1), steps.cumsum(0)])
        places = torch.linspace(0, float(way[-1]), MAX_POINTS, dtype=way.dtype)
        some = torch.searchsorted(way, places).clamp(max=len(x) - 1)
        x, y = x[some], y[some]
    return Curve(name, x.numpy(), y.numpy(), area)


def reliability_curves(
    probs: Tensor, target: Tensor, classes: Sequence[str], uncalibrated: Tensor | None = None
) -> ReliabilityCurves:
    """Return how often predictions of each probability come true, also of those before a temperature.

    Arguments are those of `one_against_rest`, ``uncalibrated`` is like ``probs``.
    """
    shown = {"this model": probs}
    if uncalibrated is not None:
        shown = {"without temperature": uncalibrated, "with temperature": probs}
    curves = []
    for name, some in shown.items():
        mean_prob, share, num_rows = reliability(some, target)
        curves.append(Curve(name, mean_prob[num_rows > 0].numpy(), share[num_rows > 0].numpy()))
    of = "of each label" if target.ndim == 2 else "of the predicted class" if probs.ndim == 2 else f"of {classes[-1]}"
    return ReliabilityCurves(of, curves, num_rows.numpy())
