"""How far a metric may be off because the split has only so many rows: intervals that hold it 95 times of 100."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from rosenblatt.tasks.counts import ratios

MOST_REPLICATES, FEWEST_REPLICATES = 1000, 200
WORK = 20_000_000  # numbers to go through, up to which there are more than the fewest replicates: some 0.2 s
MOST_WORK = 500_000_000  # beyond, metrics go without, those that rank rows first: some 5 s
BLOCK = 1 << 18  # numbers gone through at a time, which a processor's cache holds

Interval: TypeAlias = tuple[float, float]
Scores: TypeAlias = dict[str, Tensor]  # (num_replicates,) float64 of each metric, NaN where it is undefined
Replicates: TypeAlias = Callable[[Tensor], Scores]


def wilson(hits: int, num_rows: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, by Wilson's score (1927): right for few rows and for shares near 0 and 1."""
    square = NormalDist().inv_cdf(0.975) ** 2
    middle = hits + square / 2
    width = math.sqrt(square * (hits * (num_rows - hits) / num_rows + square / 4))
    low = (middle - width) / (num_rows + square) if hits > 0 else 0.0  # exactly: roundoff may leave less
    return low, (middle + width) / (num_rows + square) if hits < num_rows else 1.0


def num_replicates(work: int) -> int:
    """Return how many replicates to draw where each goes through ``work`` numbers."""
    return min(MOST_REPLICATES, max(FEWEST_REPLICATES, WORK // work))


def resampled(kinds: Sequence[Replicates], num_rows: int, num: int, seed: int = 0) -> dict[str, Interval]:
    """Return from the 2.5th to the 97.5th percentile of each metric over all replicates that define it.

    A replicate is a split drawn from this one, row by row with replacement (Efron 1979); a metric that none of them
    defines is left out.

    Args:
        kinds: each gives some metrics of B replicates, from (B, N): how often each row was drawn.
        num_rows: rows to draw from.
        num: of replicates.
        seed: of the draws.
    """
    random, size = np.random.default_rng(seed), max(1, BLOCK // num_rows)
    found: list[Future[list[Scores]]] = []
    with ThreadPoolExecutor(2) as threads:
        for start in range(0, num, size):
            shape = min(size, num - start), num_rows
            # Each replicate counts in a range of its own.
            drawn = random.integers(num_rows, size=shape) + np.arange(shape[0])[:, None] * num_rows
            weights = torch.from_numpy(np.bincount(drawn.ravel(), minlength=drawn.size)).view(shape)
            found.append(threads.submit(lambda weights: [scores(weights) for scores in kinds], weights))
            wait(found[:-2])  # the memory holds a few draws
    blocks = [block for one in found for block in one.result()]
    intervals = {}
    for name in dict.fromkeys(name for block in blocks for name in block):
        values = torch.cat([block[name] for block in blocks if name in block])
        values = values[~values.isnan()]
        if values.numel() > 0:
            low, high = np.percentile(values.numpy(), [2.5, 97.5])
            intervals[name] = float(low), float(high)
    return intervals


class CountScores:
    """What follows from how many rows have each class and are given it: all metrics but those that rank.

    Args:
        probs: (N,) of the second of two classes, (N, num_classes) otherwise.
        preds: (N,) class numbers, or (N, num_labels) of 0 and 1.
        target: like ``preds``.
        num_classes: of the task, or labels.
    """

    def __init__(self, probs: Tensor, preds: Tensor, target: Tensor, num_classes: int) -> None:
        self.multilabel = target.ndim == 2
        self.single = probs.ndim > target.ndim
        if probs.ndim == 1:  # of two classes the second is asked for, as if it were the only label
            preds, target, num_classes = preds.unsqueeze(1), target.unsqueeze(1), 1  # (N,) -> (N, 1)
        self.predicted, self.true = _members(preds, num_classes), _members(target, num_classes)
        self.hits = (self.predicted * self.true).coalesce()
        if self.multilabel:
            top = target.gather(1, probs.argmax(dim=1, keepdim=True))
            self.top = torch.cat([top, target.sum(dim=1, keepdim=True)], dim=1).float()  # (N, 2), with the labels

    def __call__(self, weights: Tensor) -> Scores:
        """Return the metrics of B replicates; ``weights`` (B, N): how often each row was drawn."""
        weights = weights.float()  # exact up to 16 million
        by_row = weights.T.contiguous()  # (N, B)
        hits, predicted, true = (
            torch.sparse.mm(one, by_row).T.double() for one in (self.hits, self.predicted, self.true)
        )
        scores = ratios(hits, predicted, true)  # (B, num_classes) each
        num_counted = (predicted + true > 0).sum(dim=1) if self.single else hits.shape[1]
        scores = {name: values.sum(dim=1) / num_counted for name, values in scores.items()}
        if not self.multilabel:
            return scores
        scores["f1_micro"] = ratios(hits.sum(dim=1), predicted.sum(dim=1), true.sum(dim=1))["f1"]
        top, labels = (weights @ self.top).double().T  # (B,) each
        scores["p_at_1"], scores["r_at_1"] = top / weights.sum(dim=1), top / labels.clamp(min=1)
        return scores


def _members(classes: Tensor, num_classes: int) -> Tensor:
    """Return (num_classes, N) sparse float32, 1 where a row has a class."""
    if classes.ndim == 2:
        rows, numbers = classes.nonzero(as_tuple=True)
    else:
        rows, numbers = torch.arange(len(classes)), classes.long()
    shape = (num_classes, len(classes))
    places = torch.stack([numbers, rows])
    return torch.sparse_coo_tensor(places, torch.ones(len(rows)), shape, check_invariants=False).coalesce()


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
        """Return means over classes with a row of it and one that is not; ``weights`` (B, N) as in `CountScores`."""
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
        auroc, ap, num_decided = sums
        return {"auroc": auroc / num_decided, "ap": ap / num_decided}


def _cumulated(weights: Tensor) -> Tensor:
    return pad(weights.cumsum(dim=1, dtype=torch.float64), (1, 0))
