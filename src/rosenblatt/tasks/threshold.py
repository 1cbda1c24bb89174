"""The probability above which a class counts as predicted, chosen on the validation split.

Rao & McMahan, "Natural Language Processing with PyTorch", chapter 3, page 62: 0.5 to begin with, in practice tuned on
an evaluation set to the precision that is wanted.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rosenblatt.errors import UserError, listed
from rosenblatt.tasks.task import Decision

Goal: TypeAlias = Literal["accuracy", "f1", "youden", "precision"]
log = logging.getLogger(__name__)


def choose_threshold(
    goal: Goal, probs: Tensor, target: Tensor, classes: Sequence[str], at_least: float | None = None
) -> list[float]:
    """Return the threshold that does best on these rows; of equally good ones, that nearest to 0.5.

    Args:
        goal: ``accuracy``, ``f1``, ``youden`` (sensitivity + specificity - 1; Youden 1950), or ``precision``: the most
            recall while precision is ``at_least`` so much.
        probs: (N,) of the second class, or (N, num_labels).
        target: (N,) or (N, num_labels) of 0 and 1.
        classes: two names, or one a label.
        at_least: precision to keep, above 0 and up to 1.

    Returns:
        One number, or one a label, in [0, 1]. Each is a float32 and midway between two probabilities that occur. A row
        counts as predicted if its float32 probability is strictly above. For ``precision``, labels that can't
        keep it get 1, which no probability exceeds; labels of no row, or of all, get 0.5.

    Raises:
        UserError: no threshold keeps the precision; a binary split without rows of both classes.
    """
    if goal == "precision" and not (at_least is not None and 0 < at_least <= 1):
        raise UserError(f"threshold.at_least: expected a precision above 0 and up to 1, such as 0.9; got {at_least}.")
    wanted = 0.0 if at_least is None else at_least
    rows = f"the {target.shape[0]:,} validation rows"
    scores, truth = probs.float().cpu().numpy(), target.cpu().numpy()
    if target.ndim == 1:
        if truth.min() == truth.max():
            raise UserError(
                f"threshold: expected validation rows of both classes to choose it by; got only {classes[truth[0]]!r} "
                f"in {rows}. Give more of them, or set the threshold to a number."
            )
        cuts = _cuts(scores, truth)
        best = cuts.best(goal, wanted)
        if best is None:
            raise UserError(_out_of_reach(cuts, wanted, rows))
        return [cuts.threshold(best)]
    thresholds, one_sided, given_up = [], [], []
    for label, name in enumerate(classes):
        column = truth[:, label]
        if column.min() == column.max():
            one_sided.append(name)
            thresholds.append(0.5)
            continue
        cuts = _cuts(scores[:, label], column)
        best = cuts.best(goal, wanted)
        if best is None:
            given_up.append(name)
        thresholds.append(1.0 if best is None else cuts.threshold(best))
    if given_up and len(given_up) + len(one_sided) == len(classes):
        raise UserError(
            f"threshold.at_least={wanted:g}: no label reaches this precision on {rows}. Ask for less, or train a "
            "better model."
        )
    for names, consequence in (
        (one_sided, f"keep a threshold of 0.5: all of {rows} have them or none does"),
        (given_up, f"are never predicted: no threshold gives a precision of {wanted:g} on {rows}"),
    ):
        if names:
            log.warning("%d of %d labels (%s) %s.", len(names), len(classes), listed(names, at_most=5), consequence)
    return thresholds


class _Cuts(NamedTuple):
    """All ways to cut rows in two by their probability, from predicting the most rows to predicting none.

    Attributes:
        lower: largest probability below each cut, or 0.
        upper: smallest above, or 1.
        hits: positive rows above.
        num_predicted: rows above.
        num_positive: positive rows.
        num_rows: all rows.
    """

    lower: NDArray[np.float32]
    upper: NDArray[np.float32]
    hits: NDArray[np.int64]
    num_predicted: NDArray[np.int64]
    num_positive: int
    num_rows: int

    def thresholds(self) -> NDArray[np.float32]:
        """Return a threshold for each cut: lower <= threshold < upper."""
        middle = ((self.lower.astype(np.float64) + self.upper) / 2).astype(np.float32)
        # float32 has none between neighbours, and rounds to either.
        return np.where(middle < self.upper, middle, self.lower)

    def threshold(self, cut: int) -> float:
        return float(self.thresholds()[cut])

    def precision(self) -> NDArray[np.float64]:
        """Return the precision of each cut, -1 where nothing is predicted."""
        precision: NDArray[np.float64] = np.where(
            self.num_predicted > 0, self.hits / np.maximum(self.num_predicted, 1), -1
        )
        return precision

    def best(self, goal: Goal, at_least: float) -> int | None:
        """Return the best cut, or None where none keeps the precision."""
        wrong_hits = self.num_predicted - self.hits
        if goal == "accuracy":  # rows that are right, less the positive ones not predicted, which all cuts share
            score = self.hits - wrong_hits
        elif goal == "youden":  # times the rows of both kinds: whole numbers, so that equal is equal
            score = self.hits * (self.num_rows - self.num_positive) - wrong_hits * self.num_positive
        elif goal == "f1":
            score = np.where(self.num_predicted > 0, 2 * self.hits / (self.num_predicted + self.num_positive), -1)
        else:
            score = np.where(self.precision() >= at_least, self.hits, -1)
            if score.max() < 0:
                return None
        return int(np.where(score == score.max(), abs(self.thresholds() - 0.5), math.inf).argmin())


def _cuts(probs: NDArray[np.float32], target: NDArray[np.integer]) -> _Cuts:
    order = probs.argsort()
    probs, hits = probs[order], target[order].cumsum(dtype=np.int64)
    last = np.flatnonzero(np.append(probs[1:] > probs[:-1], True))  # the last row of each distinct probability
    num_rows, num_positive = len(probs), int(hits[-1])
    lower, below, hits_below = probs[last], last + 1, hits[last]
    if probs[0] > 0:  # else there is no threshold that predicts all rows
        lower, below, hits_below = (np.insert(array, 0, 0) for array in (lower, below, hits_below))
    upper = np.append(probs[below[:-1]], np.float32(1))
    return _Cuts(lower, upper, num_positive - hits_below, num_rows - below, num_positive, num_rows)


def _out_of_reach(cuts: _Cuts, at_least: float, rows: str) -> str:
    precision = cuts.precision()
    best = int(np.lexsort((cuts.hits, precision))[-1])  # of the highest precision, the most recall
    if precision[best] < 0:
        return f"threshold.at_least={at_least:g}: each of {rows} has probability 0. Train a better model."
    # Rounded down: 0.9897 must not look like 0.99.
    shown = math.floor(precision[best] * 1000) / 1000
    return (
        f"threshold.at_least={at_least:g}: no threshold reaches this precision on {rows}; the best is {shown:.3f} "
        f"(for {cuts.num_predicted[best]:,} rows, recall {cuts.hits[best] / cuts.num_positive:.2f}, "
        f"threshold {cuts.threshold(best):.3g}). Ask for less, or train a better model."
    )


class Fixed:
    """A threshold that is given.

    Args:
        value: probability above which the second of two classes, or a label, is predicted.

    Raises:
        UserError: it is no probability.
    """

    def __init__(self, value: float = 0.5) -> None:
        if not 0 <= value <= 1:
            raise UserError(f"threshold.value: expected a probability from 0 to 1; got {value}.")
        self.value = value
        self.decision = Decision()


class Tuned:
    """A threshold that is chosen on the validation split, by `choose_threshold`.

    Args:
        goal: what it is to reach.
        at_least: precision to keep, for ``precision``.

    Raises:
        UserError: ``precision`` without a precision, or another goal with one.
    """

    value = 0.5  # until it is chosen

    def __init__(self, goal: Goal, at_least: float | None = None) -> None:
        if (goal == "precision") != (at_least is not None):
            raise UserError(
                "threshold.at_least is the precision to keep: it goes with threshold=precision, and no other."
            )
        if at_least is not None and not 0 < at_least <= 1:
            raise UserError(
                f"threshold.at_least: expected a precision above 0 and up to 1, such as 0.9; got {at_least}."
            )
        self.decision = Decision(goal, at_least)
