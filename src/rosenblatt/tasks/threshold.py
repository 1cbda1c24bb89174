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

Goal: TypeAlias = Literal["accuracy", "f1", "youden", "precision"]
log = logging.getLogger(__name__)


class Decision(NamedTuple):
    """How decisions are to be made, as it was set.

    Attributes:
        goal: what the threshold is to reach on validation; ``None``: it stays.
        at_least: precision to keep, for the goal ``precision``.
        temperature: whether logits are divided by the number that makes validation the most likely.
    """

    goal: Goal | None = None
    at_least: float | None = None
    temperature: bool = False

    @property
    def by_validation(self) -> bool:
        """Whether anything is chosen on validation."""
        return self.goal is not None or self.temperature


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
    rows, wanted = f"the {len(target):,} validation rows", at_least or 0.0
    scores = probs.float().cpu().numpy().reshape(len(target), -1)  # (N,) -> (N, 1)
    truth = target.cpu().numpy().reshape(scores.shape)
    if target.ndim == 1 and truth.min() == truth.max():
        raise UserError(
            "threshold: expected validation rows of both classes to choose it by; got only "
            f"{classes[int(target[0])]!r} in {rows}. Give more of them, or set the threshold to a number."
        )
    thresholds, one_sided, given_up, most_precise = [], [], [], 0.0
    for name, column, true in zip(classes[-scores.shape[1] :], scores.T, truth.T, strict=True):
        if true.min() == true.max():
            one_sided.append(name)
            thresholds.append(0.5)
            continue
        threshold, precision = _best(column, true, goal, wanted)
        if threshold is None:
            given_up.append(name)
            most_precise = max(most_precise, precision)
        thresholds.append(1.0 if threshold is None else threshold)
    if given_up and len(given_up) + len(one_sided) == len(thresholds):
        raise UserError(
            f"threshold.at_least={wanted:g}: no threshold reaches this precision on {rows}; the best is "
            # Rounded down: 0.9897 must not look like 0.99.
            f"{math.floor(most_precise * 1000) / 1000:.3f}. Ask for less, or train a better model."
        )
    for names, consequence in (
        (one_sided, f"keep a threshold of 0.5: all of {rows} have them or none does"),
        (given_up, f"are never predicted: no threshold gives a precision of {wanted:g} on {rows}"),
    ):
        if names:
            log.warning("%d of %d labels (%s) %s.", len(names), len(classes), listed(names, at_most=5), consequence)
    return thresholds


def _best(
    probs: NDArray[np.float32], target: NDArray[np.integer], goal: Goal, at_least: float
) -> tuple[float | None, float]:
    """Return the best threshold, or None where none keeps the precision; and the highest precision that there is."""
    # All ways to cut rows in two by their probability, from predicting the most rows to predicting none.
    lower = np.unique(np.append(probs, np.float32(0)))  # no threshold is below 0
    upper = np.append(lower[1:], np.float32(1))
    middle = ((lower.astype(np.float64) + upper) / 2).astype(np.float32)
    # float32 has none between neighbours, and rounds to either.
    thresholds = np.where(middle < upper, middle, lower)
    predicted, hits = (
        len(rows) - np.searchsorted(np.sort(rows), lower, side="right") for rows in (probs, probs[target == 1])
    )
    num_positive, wrong = int(target.sum()), predicted - hits
    precision = hits / np.maximum(predicted, 1)
    if goal == "accuracy":  # rows that are right, less the positive ones not predicted, which all cuts share
        score = hits - wrong
    elif goal == "youden":  # times the rows of both kinds: whole numbers, so that equal is equal
        score = hits * (len(target) - num_positive) - wrong * num_positive
    elif goal == "f1":
        score = np.where(predicted > 0, 2 * hits / (predicted + num_positive), -1)
    else:
        score = np.where(precision >= at_least, hits, -1)
        if score.max() < 0:
            return None, float(precision.max())
    best = np.where(score == score.max(), abs(thresholds - 0.5), math.inf).argmin()
    return float(thresholds[best]), float(precision.max())


class Fixed:
    """A threshold that is given: a probability above which the second of two classes, or a label, is predicted.

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
