"""Classes: which are taken for which, and what speaks for each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rosenblatt.show.figures.decisions import ConfusionMatrix, LabelErrors
from rosenblatt.show.figures.influence import InfluenceBars
from rosenblatt.show.influence import Influence
from rosenblatt.show.scenes.view import Scene, View, short_name
from rosenblatt.tasks.evaluation import confusion_matrix

MAX_CLASSES = 3_000  # that are counted against each other
MAX_SQUARE, MAX_LABELS = 20, 20  # classes of a confusion matrix, labels with their errors
MAX_PANELS, NUM_FEATURES = 6, 10  # classes with influential features, and how many for and against each


def influence_bars(found: Sequence[Influence], title: str, num_classes: int) -> Scene:
    """Return the most influential features of each class.

    Args:
        found: of the most frequent classes.
        title: of the picture.
        num_classes: that could have some; of two classes it is one.
    """
    shown = [one for one in found if one.in_favour or one.against][:MAX_PANELS]
    if not shown:
        return "no feature has a part in any logit"
    if num_classes > len(shown):
        title += f"\nthe {len(shown)} most frequent of {num_classes:,} classes"
    panels = []
    for one in shown:
        parts = [*one.against[:NUM_FEATURES], *reversed(one.in_favour[:NUM_FEATURES])]
        of = f"logit of {short_name(one.name, 18)}" + (" above the mean" if one.above_mean else "")
        panels.append((of, [(short_name(name), part) for name, part in parts]))
    return InfluenceBars(title, panels)


def confusions_of(view: View, preds: Tensor) -> Scene:
    """Return a confusion matrix; of many classes those that are confused most, of labels the errors of each.

    Args:
        view: a model and N rows.
        preds: (N,) class numbers, or (N, num_labels) of 0 and 1.
    """
    spec, title = view.spec, view.titled("Confusions")
    if spec.task == "multiclass" and len(spec.classes) > MAX_CLASSES:
        return f"a matrix of {len(spec.classes):,} classes would fill the memory"
    confusions = confusion_matrix(preds, view.target, len(spec.classes))
    if spec.task == "multilabel":
        missed, invented = confusions[:, 1, 0], confusions[:, 0, 1]
        order = (missed + invented).argsort(descending=True, stable=True)[:MAX_LABELS].flip(0)
        if len(spec.classes) > MAX_LABELS:
            title += f"\nthe {MAX_LABELS} of {len(spec.classes):,} labels that are most often wrong"
        names = [short_name(spec.classes[k]) for k in order.tolist()]
        return LabelErrors(title, names, missed[order].numpy(), invented[order].numpy())
    names = [short_name(name, 18) for name in spec.classes]
    if len(names) <= MAX_SQUARE:
        return ConfusionMatrix(title, names, confusions.numpy())
    wrong = confusions.clone().fill_diagonal_(0)
    order = (wrong.sum(dim=0) + wrong.sum(dim=1)).argsort(descending=True, stable=True)
    kept = order[: MAX_SQUARE - 1].sort().values
    place = torch.full((len(names),), len(kept))  # all others are one
    place[kept] = torch.arange(len(kept))
    size = len(kept) + 1
    small = torch.zeros(size * size, dtype=confusions.dtype)
    small.index_add_(0, (place[:, None] * size + place).flatten(), confusions.flatten())
    title += f"\nthe {len(kept)} of {len(names):,} classes that are most often confused"
    return ConfusionMatrix(title, [*(names[k] for k in kept.tolist()), "(others)"], small.view(size, size).numpy())
