"""How far a metric may be off because the split has only so many rows: intervals that hold it 95 times of 100."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from rosenblatt.tasks.counts import ratios

MOST_REPLICATES, FEWEST_REPLICATES = 1000, 200
WORK = 20_000_000  # numbers to go through, up to which there are more than the fewest replicates: some 0.2 s
MOST_WORK = 500_000_000  # beyond, what ranks rows goes without: some 5 s
BLOCK = 1 << 18  # numbers gone through at a time, which a processor's cache holds

Interval: TypeAlias = tuple[float, float]
Scores: TypeAlias = dict[str, Tensor]  # (num_replicates,) float64 of each metric, NaN where it is undefined


def wilson(hits: int, num_rows: int, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of a share, by Wilson's score (Wilson 1927): right for few rows and for shares near 0 and 1.

    Args:
        hits: rows that count.
        num_rows: all rows, at least one.
        level: share of such intervals that hold the true value.
    """
    square = NormalDist().inv_cdf((1 + level) / 2) ** 2
    middle = hits + square / 2
    width = math.sqrt(square * (hits * (num_rows - hits) / num_rows + square / 4))
    low = (middle - width) / (num_rows + square) if hits > 0 else 0.0  # exactly: roundoff may leave less
    return low, (middle + width) / (num_rows + square) if hits < num_rows else 1.0


def class_intervals(
    preds: Tensor, probs: Tensor, target: Tensor, num_classes: int, ranking: bool, seed: int = 0
) -> dict[str, Interval]:
    """Return an interval of 95 % for each metric of a task with classes, the loss aside.

    ``acc`` has Wilson's. Of the others, it goes from the 2.5th to the 97.5th percentile over splits that are drawn from
    this one, row by row with replacement (Efron 1979). A metric that is undefined for all of them is left out, and so
    are ``auroc`` and ``ap`` where they would take many seconds.

    Args:
        preds: (N,) class numbers, or (N, num_labels) of 0 and 1: what is predicted.
        probs: (N,) of the second of two classes, (N, num_classes) otherwise.
        target: like ``preds``.
        num_classes: of the task, or labels.
        ranking: also ``auroc`` and ``ap``.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    preds, probs, target = preds.cpu(), probs.cpu(), target.cpu()
    num_rows, multilabel = target.shape[0], target.ndim == 2
    num_outputs = 1 if probs.ndim == 1 else num_classes
    blocks: list[Scores] = []
    by_row: list[Callable[[Tensor], Scores]] = []
    if multilabel:
        by_row.append(LabelScores(probs, preds, target))
    else:
        cells = CellScores(preds, target, num_classes, binary=probs.ndim == 1)
        blocks += [cells(weights) for weights in _resampled_cells(random, cells.counts)]
    num = num_replicates(num_rows * (num_outputs if ranking else 1))
    if ranking and num * num_rows * num_outputs > MOST_WORK:
        ranking, num = False, num_replicates(num_rows)
    if ranking:
        by_row.append(RankingScores(probs, target))
    if by_row:
        blocks += [scores(weights) for weights in resampled_rows(random, num_rows, num) for scores in by_row]
    right = (preds == target).view(num_rows, -1).all(dim=1)  # (N,) or (N, num_labels) -> (N,)
    return {"acc": wilson(int(right.sum()), num_rows)} | percentiles(blocks)


def percentiles(blocks: Sequence[Scores]) -> dict[str, Interval]:
    """Return from the 2.5th to the 97.5th percentile of each metric over all replicates that define it."""
    intervals = {}
    for name in dict.fromkeys(name for block in blocks for name in block):
        values = torch.cat([block[name] for block in blocks if name in block])
        values = values[~values.isnan()]
        if values.numel() > 0:
            low, high = np.percentile(values.numpy(), [2.5, 97.5])
            intervals[name] = float(low), float(high)
    return intervals


def num_replicates(work: int) -> int:
    """Return how many replicates to draw where each goes through ``work`` numbers."""
    return min(MOST_REPLICATES, max(FEWEST_REPLICATES, WORK // work))


def _resampled_cells(random: np.random.Generator, counts: Tensor) -> Iterator[Tensor]:
    """Yield (B, num_cells) rows in each cell: as if rows were drawn one by one, but with a draw for each cell only."""
    num, num_rows = num_replicates(counts.numel()), int(counts.sum())
    size = max(1, BLOCK // counts.numel())
    for start in range(0, num, size):
        drawn = random.multinomial(num_rows, counts.numpy() / num_rows, min(size, num - start))
        yield torch.from_numpy(drawn)


def resampled_rows(random: np.random.Generator, num_rows: int, num: int) -> Iterator[Tensor]:
    """Yield (B, N), how often each row was drawn; many replicates at a time are right for products of matrices."""
    size = max(1, 8 * BLOCK // num_rows)
    for start in range(0, num, size):
        shape = min(size, num - start), num_rows
        # Each replicate counts in a range of its own.
        drawn = random.integers(num_rows, size=shape) + np.arange(shape[0])[:, None] * num_rows
        yield torch.from_numpy(np.bincount(drawn.ravel(), minlength=drawn.size)).view(shape)


class CellScores:
    """What follows from how many rows of each class were predicted as each: F1, precision and recall.

    Args:
        preds: (N,) class numbers.
        target: (N,) class numbers.
        num_classes: of the task.
        binary: whether the second of two classes is what counts.

    Attributes:
        cell: (N,) the cell of each row: the pair of its classes, numbered.
        counts: (num_cells,) int64, rows of each.
    """

    def __init__(self, preds: Tensor, target: Tensor, num_classes: int, binary: bool) -> None:
        self.num_classes, self.binary = num_classes, binary
        pairs = target * self.num_classes + preds
        pairs, self.cell, self.counts = torch.unique(pairs, return_inverse=True, return_counts=True)
        self.true, self.predicted = pairs // self.num_classes, pairs % self.num_classes

    def __call__(self, weights: Tensor) -> Scores:
        """Return the metrics of B replicates.

        Args:
            weights: (B, num_cells) rows in each cell.
        """
        hit = self.true == self.predicted
        zeros = weights.new_zeros(weights.shape[0], self.num_classes)
        hits = zeros.index_add(1, self.true[hit], weights[:, hit])
        predicted = zeros.index_add(1, self.predicted, weights)
        true = zeros.index_add(1, self.true, weights)
        scores = ratios(hits, predicted, true)  # (B, num_classes) each
        if self.binary:
            return {name: values[:, 1] for name, values in scores.items()}
        num_present = (predicted + true > 0).sum(dim=1)
        return {name: values.sum(dim=1) / num_present for name, values in scores.items()}


class LabelScores:
    """What follows from the labels that rows have and those predicted: all metrics of multilabel but those that rank.

    Args:
        probs: (N, num_labels).
        preds: (N, num_labels) of 0 and 1.
        target: (N, num_labels) of 0 and 1.
    """

    def __init__(self, probs: Tensor, preds: Tensor, target: Tensor) -> None:
        self.cells = (preds & target, preds, target)
        self.top = target.gather(1, probs.argmax(dim=1, keepdim=True)).float()  # (N, 1)
        self.labels = target.sum(dim=1, keepdim=True).float()  # (N, 1)

    def __call__(self, weights: Tensor) -> Scores:
        """Return the metrics of B replicates.

        Args:
            weights: (B, N), how often each row was drawn.
        """
        weights = weights.float()  # exact up to 16 million
        hits, predicted, true = (weights @ cells.float() for cells in self.cells)  # (B, num_labels) each
        scores = {name: values.mean(dim=1) for name, values in ratios(hits, predicted, true).items()}
        sums = (counts.sum(dim=1, dtype=torch.float64) for counts in (hits, predicted, true))
        top, labels = (weights @ column for column in (self.top, self.labels))  # (B, 1) each
        scores["f1_micro"] = ratios(*sums)["f1"]
        scores["p_at_1"] = (top.double() / weights.sum(dim=1, keepdim=True)).flatten()  # (B, 1) -> (B,)
        scores["r_at_1"] = (top.double() / labels.clamp(min=1)).flatten()
        return scores


class RankingScores:
    """AUROC and average precision, sorted once for all replicates.

    Args:
        probs: (N,) of the second of two classes, (N, num_classes) otherwise.
        target: (N,) class numbers, or (N, num_labels) of 0 and 1.
    """

    def __init__(self, probs: Tensor, target: Tensor) -> None:
        self.sorted: list[tuple[Tensor, ...]] = []
        for i in range(1 if probs.ndim == 1 else probs.shape[1]):
            truth = target[:, i] == 1 if target.ndim == 2 else target == (1 if probs.ndim == 1 else i)
            if truth.any() and not truth.all():
                self.sorted.append(self._sort(probs if probs.ndim == 1 else probs[:, i], truth))

    def _sort(self, probs: Tensor, truth: Tensor) -> tuple[Tensor, ...]:
        values, order = probs.sort(descending=True)
        # Rows of one probability are one step; only steps with a positive row count for anything.
        _, lengths = torch.unique_consecutive(values, return_counts=True)
        ends = lengths.cumsum(0)
        positive = truth[order].nonzero().flatten()  # (num_positive, 1) -> (num_positive,)
        steps = torch.searchsorted(ends, positive, right=True)
        steps, counts = torch.unique_consecutive(steps, return_counts=True)
        return order, order[positive], pad(counts.cumsum(0), (1, 0)), (ends - lengths)[steps], ends[steps]

    def __call__(self, weights: Tensor) -> Scores:
        """Return the metrics of B replicates, as means over classes with a row of it and one that is not.

        Args:
            weights: (B, N), how often each row was drawn.
        """
        parts = torch.split(weights, max(1, BLOCK // weights.shape[1]))
        auroc, ap = torch.cat([self._means(part) for part in parts], dim=1)
        return {"auroc": auroc, "ap": ap}

    def _means(self, weights: Tensor) -> Tensor:
        """Return AUROC and average precision, (2, B)."""
        sums = weights.new_zeros(3, weights.shape[0], dtype=torch.float64)
        for order, positive, positive_ends, starts, ends in self.sorted:
            above = _cumulated(weights[:, order])  # (B, N + 1) rows down to here
            hits = _cumulated(weights[:, positive])[:, positive_ends]  # (B, num_steps + 1)
            starts, ends = above[:, starts], above[:, ends]
            new, num_positive, num_rows = hits.diff(dim=1), hits[:, -1], above[:, -1]
            # Negative rows that stand before each new hit, half of those beside it counted (Mann and Whitney 1947).
            before = (starts + ends - hits[:, :-1] - hits[:, 1:]) / 2
            auroc = 1 - (new * before).sum(dim=1) / (num_positive * (num_rows - num_positive))
            ap = (new * hits[:, 1:] / ends.clamp(min=1)).sum(dim=1) / num_positive
            decided = (num_positive > 0) & (num_positive < num_rows)
            sums += torch.stack([auroc, ap, decided.double()]).where(decided, 0)
        return sums[:2] / sums[2]


def _cumulated(weights: Tensor) -> Tensor:
    return pad(weights.cumsum(dim=1, dtype=torch.float64), (1, 0))
