"""What TensorBoard gets of a model besides pictures: precision-recall curves, tables and embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from perceptron.models import MLP
from rosenblatt.data.features import Bags, DataSpec, Features, first_rows
from rosenblatt.show.influence import Influence
from rosenblatt.show.ranking import one_against_rest
from rosenblatt.show.scenes.curves import MAX_SORTED
from rosenblatt.show.tables import LONGEST, cut, printable, words
from rosenblatt.show.tensorboard import History
from rosenblatt.text.sparse import BagLinear

MAX_PR_CURVES = 10  # classes with a precision-recall curve of their own
NUM_COUNTED = 20_000  # rows in which words are counted for it
NUM_EMBEDDED = 1_000  # words in the projector


def log_pr_curves(history: History, split: str, spec: DataSpec, probs: Tensor, target: Tensor, step: int) -> None:
    """Log the precision-recall curves of N rows, unless there are too many probabilities to sort."""
    if probs.numel() <= MAX_SORTED:
        asked = one_against_rest(probs, target, spec.task, spec.classes, MAX_PR_CURVES)
        history.log_pr_curves(split, asked, step)


def log_influences(history: History, influences: Sequence[Influence], step: int) -> None:
    """Log what speaks for each class and against it, a table each."""
    for one in influences:
        rows = [(name, f"{part:+.4f}") for name, part in [*one.in_favour, *reversed(one.against)]]
        header = ("speaks for, or against", "part in the logit")
        history.log_table(f"influence/{printable(one.name)}", header, rows, step)


def log_mistakes(history: History, split: str, mistakes: Sequence[Mapping[str, Any]], step: int) -> None:
    """Log the most confident mistakes (see `rosenblatt.saved.mistakes.shown_mistakes`) as a table."""
    keys = ("row", "true", "prediction", "probability", "content")
    rows = [[cut(words(one[key]), LONGEST) for key in keys] for one in mistakes]
    if rows:
        history.log_table(f"{split}/mistakes", ("row", "true", "predicted", "probability", "content"), rows, step)


def log_embeddings(
    history: History,
    model: nn.Module,
    features: Features,
    names_of: Callable[[NDArray[np.int64]], list[str]],
    step: int,
) -> None:
    """Log what an MLP makes of each of the most frequent words: the weights that its first layer has for it."""
    if not isinstance(features, Bags) or not isinstance(model, MLP) or len(model.layers) < 2:
        return
    some, first = first_rows(features, NUM_COUNTED), model.layers[0]
    assert isinstance(some, Bags)
    assert isinstance(first, BagLinear)
    weight = first.weight.detach()  # (num_features, width)
    counts = np.bincount(some.ids.numpy(), minlength=len(weight))
    numbers = np.argsort(-counts, kind="stable")[: min(NUM_EMBEDDED, int((counts > 0).sum()))]
    if len(numbers) > 1 and weight.shape[1] > 1:
        history.log_embeddings("words", names_of(numbers), weight[numbers], step)
