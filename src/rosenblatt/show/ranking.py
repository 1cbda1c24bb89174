"""How well probabilities rank rows: the points of ROC and precision-recall curves (Fawcett 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rosenblatt.data.features import Task


class Ranking(NamedTuple):
    """What each threshold would do, from the highest probability down; rows of one probability count as one point.

    Attributes:
        hits: (num_points,) float64, positive rows at or above the threshold, 0 first.
        rows: (num_points,) float64, all rows at or above it.
    """

    hits: Tensor
    rows: Tensor

    @property
    def recall(self) -> Tensor:
        """Share of the positive rows that are found; also the true positive rate."""
        return self.hits / self.hits[-1]

    @property
    def precision(self) -> Tensor:
        """Share of the found rows that are positive; of none, that of the first ones."""
        found = self.hits[1:] / self.rows[1:]
        return torch.cat([found[:1], found])

    @property
    def false_positive_rate(self) -> Tensor:
        """Share of the negative rows that are found."""
        wrong = self.rows - self.hits
        return wrong / wrong[-1]

    @property
    def auroc(self) -> float:
        """Area under the ROC curve."""
        return float(torch.trapezoid(self.recall, self.false_positive_rate))

    @property
    def ap(self) -> float:
        """Average precision: the mean of precision over the steps of recall."""
        return float((self.recall.diff() * self.precision[1:]).sum())


def ranking(probs: Tensor, positive: Tensor) -> Ranking | None:
    """Rank rows by probability; ``None`` where all are positive, or none is: there are no curves then.

    Args:
        probs: (N,) of being positive.
        positive: (N,) of 0 and 1.
    """
    num_positive = int(positive.sum())
    if not 0 < num_positive < len(positive) or not probs.isfinite().all():
        return None
    probs, order = probs.sort(descending=True)
    ends = torch.cat([probs.diff() != 0, torch.ones(1, dtype=torch.bool)])  # the last row of each probability
    hits = positive[order].double().cumsum(0)[ends]
    rows = torch.arange(1, len(probs) + 1, dtype=torch.float64)[ends]
    start = torch.zeros(1, dtype=torch.float64)
    return Ranking(torch.cat([start, hits]), torch.cat([start, rows]))


class Confusions(NamedTuple):
    """Decisions at thresholds of equal distance from 0 to 1, each (num_thresholds,) int64."""

    true_positives: Tensor
    false_positives: Tensor
    true_negatives: Tensor
    false_negatives: Tensor


def confusions_by_threshold(probs: Tensor, positive: Tensor, num_thresholds: int = 127) -> Confusions:
    """Count right and wrong decisions of "at or above the threshold", as TensorBoard's PR curves want them.

    Args:
        probs: (N,) of being positive.
        positive: (N,) of 0 and 1.
        num_thresholds: 0 and 1 among them.
    """
    places = (probs.double() * (num_thresholds - 1)).floor().long().clamp(0, num_thresholds - 1)
    counts = [torch.bincount(places[positive == value], minlength=num_thresholds) for value in (1, 0)]
    hits, wrong = (count.flip(0).cumsum(0).flip(0) for count in counts)  # from each threshold up
    return Confusions(hits, wrong, wrong[0] - wrong, hits[0] - hits)


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


ALL = "all together (micro)"


def one_against_rest(
    probs: Tensor, target: Tensor, task: Task, classes: Sequence[str], at_most: int
) -> list[OneAgainstRest]:
    """Return the questions of yes and no that a task consists of.

    Args:
        probs: (N,) of the second class for binary, (N, num_classes) otherwise.
        target: (N,) class numbers, or (N, num_labels) of 0 and 1.
        task: of these rows.
        classes: their names.
        at_most: of single classes, the most frequent ones in ``target``; where there are more, all together come first.
    """
    if task == "binary":
        return [OneAgainstRest(classes[1], probs, target)]
    yes = target if target.ndim == 2 else torch.nn.functional.one_hot(target, len(classes))
    order = yes.sum(dim=0).argsort(descending=True, stable=True).tolist()
    found = [OneAgainstRest(classes[k], probs[:, k], yes[:, k]) for k in order[:at_most]]
    if len(classes) > at_most:
        found.insert(0, OneAgainstRest(ALL, probs.flatten(), yes.flatten()))
    return found
