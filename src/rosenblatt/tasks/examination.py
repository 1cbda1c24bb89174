"""What there is to draw of a split, as named arrays: made from what a model says of its rows, and what is true."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rosenblatt.tasks.arrays import (
    Arrays,
    ConfusionMatrix,
    Curve,
    DataTable,
    LabelErrors,
    PrecisionRecallCurves,
    PredictedNumbers,
    ReliabilityCurves,
    Residuals,
    RocCurves,
)
from rosenblatt.tasks.calibration import reliability
from rosenblatt.tasks.counts import class_counts, confusion_matrix

MAX_CLASSES = 3_000  # that are counted against each other
MAX_SQUARE, MAX_LABELS = 20, 20  # classes of a confusion matrix, labels with their errors
MAX_CURVES = 6  # classes with a curve of their own
MAX_SORTED = 5_000_000  # probabilities, up to which there are curves: half a second
MAX_POINTS = 400  # of a curve
MAX_ROWS = 20_000  # of numbers that are drawn
ALL = "all together (micro)"


class OneAgainstRest(NamedTuple):
    """One class, or all of them together, as a question of yes and no.

    Attributes:
        name: of the class, or of all.
        probs: (N,) or (N * num_classes,) of yes.
        positive: of the same shape, 0 and 1.
    """

    name: str
    probs: Tensor
    positive: Tensor


def classification_arrays(
    probs: Tensor, preds: Tensor, target: Tensor, classes: Sequence[str], uncalibrated: Tensor | None = None
) -> dict[str, Arrays | str]:
    """Return all there is to draw of N rows that have classes or labels, by name; or the reason why there is none.

    Args:
        probs: (N,) of the second class, or (N, num_classes).
        preds: (N,) class numbers, or (N, num_labels) of 0 and 1.
        target: like ``preds``.
        classes: their names.
        uncalibrated: like ``probs``, before logits were divided by a temperature.
    """
    found: dict[str, Arrays | str] = {"confusion": confusions(preds, target, classes)}
    if not probs.isfinite().all():
        return found | dict.fromkeys(("roc", "precision_recall", "reliability"), "some probabilities are no numbers")
    found["roc"], found["precision_recall"] = ranking_curves(probs, target, classes)
    found["reliability"] = reliability_curves(probs, target, classes, uncalibrated)
    return found


def regression_arrays(preds: Tensor, target: Tensor, radius: float | None = None) -> dict[str, Arrays | str]:
    """Return all there is to draw of N rows that have a number each, by name; or the reason why there is none.

    Args:
        preds: (N,) in the unit of the label.
        target: (N,) in the same unit.
        radius: half the width of prediction intervals.
    """
    preds, target = preds.flatten().double().cpu(), target.flatten().double().cpu()  # (N, 1) -> (N,)
    places = (preds.isfinite() & target.isfinite()).nonzero().flatten()
    if len(places) == 0:
        return dict.fromkeys(("predicted", "residuals"), "no row has a prediction that is a number")
    some = places[torch.linspace(0, len(places) - 1, min(len(places), MAX_ROWS)).round().long()]
    note = f"{len(some):,} of {len(target):,} rows" if len(some) < len(target) else ""
    found = PredictedNumbers(target[some].numpy(), preds[some].numpy(), radius, note)
    return {"predicted": found, "residuals": Residuals(*found)}


def confusions(preds: Tensor, target: Tensor, classes: Sequence[str]) -> ConfusionMatrix | LabelErrors | str:
    """Return a confusion matrix; of many classes those that are confused most, of labels the errors of each.

    Arguments are those of `classification_arrays`.
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
    chance = float(known[0].positive.double().mean()) if probs.ndim == 1 else None
    note = f"the {MAX_CURVES} most frequent of {len(classes):,} classes" if len(classes) > MAX_CURVES else ""
    return RocCurves(roc, note), PrecisionRecallCurves(precision_recall, chance, note)


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
    """Return how often predictions of each probability come true; arguments as for `classification_arrays`."""
    shown = {"this model": probs}
    if uncalibrated is not None:
        shown = {"without temperature": uncalibrated, "with temperature": probs}
    curves = []
    for name, some in shown.items():
        found = reliability(some, target)
        there = found.num_rows > 0
        curves.append(Curve(name, found.mean_prob[there].numpy(), found.share[there].numpy()))
    of = "of each label" if target.ndim == 2 else "of the predicted class" if probs.ndim == 2 else f"of {classes[-1]}"
    return ReliabilityCurves(of, curves, found.num_rows.numpy())


def class_table(classes: Sequence[str], targets: Mapping[str, Tensor], at_most: int = 40) -> DataTable:
    """Return how many rows of each split have each class, the most frequent ones of the first split first.

    Args:
        classes: their names.
        targets: by split, (N,) class numbers, or (N, num_labels) of 0 and 1.
        at_most: of classes with a line of their own.
    """
    several = any(target.ndim == 2 for target in targets.values())
    counts = [class_counts(target, len(classes)).tolist() for target in targets.values()]
    order = sorted(range(len(classes)), key=lambda k: -counts[0][k])
    rows = [[classes[k], *(f"{one[k]:,}" for one in counts)] for k in order[:at_most]]
    if len(order) > at_most:
        rest = [sum(one[k] for k in order[at_most:]) for one in counts]
        rows.append([f"{len(order) - at_most:,} more", *(f"{number:,}" for number in rest)])
    rows.append(["rows", *(f"{len(target):,}" for target in targets.values())])
    return DataTable(["class", *targets], rows, "A row may have several labels, or none." if several else "")


def number_table(targets: Mapping[str, Tensor]) -> DataTable:
    """Return what the numbers of each split are like; ``targets`` by split, (N,) in the unit of the label."""
    numbers = [target.flatten().double() for target in targets.values()]
    kinds: dict[str, Callable[[Tensor], Tensor]] = {
        "mean": torch.mean,
        "standard deviation": lambda one: one.std(correction=0),
        "median": torch.median,
        "smallest": torch.min,
        "largest": torch.max,
    }
    rows = [[word, *(f"{float(kind(one)):.6g}" for one in numbers)] for word, kind in kinds.items()]
    rows.append(["rows", *(f"{len(one):,}" for one in numbers)])
    return DataTable(["number", *targets], rows)
