"""What moves a model: the part that each feature has in its outputs, of single rows and on average."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import one_hot

from rosenblatt.data.features import Bags, Features, first_rows
from rosenblatt.show.words import short_name
from rosenblatt.tasks.arrays import Influence, InfluenceBars
from rosenblatt.tasks.task import Task
from rosenblatt.text.sparse import BagLinear

Parts: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]
MAX_ROWS = 2_000  # that the mean is taken over
MAX_WORK = 20_000_000  # numbers, once for each output
MAX_OUTPUTS, MAX_PANELS = 12, 6  # that are asked, and drawn
NUM_FEATURES = 20  # for an output, and against it, at most
NAME = 18  # letters of an output's name


def influences(
    model: nn.Module, features: Features, task: Task, names_of: Callable[[NDArray[np.int64]], list[str]]
) -> list[Influence]:
    """Return the most influential features of each output: the size of their part in it, in the mean of all rows.

    So a word counts by its weight and by how often it is there, a number by its weight and by how much it varies. A
    feature speaks for a class where more of it makes the logit larger. For a perceptron parts are exact (see
    `parts_of`).

    Args:
        model: maps features to outputs.
        features: of N rows, the first 2,000 of which are looked at.
        task: says which outputs are looked at, the first 12 of them, and what they mean.
        names_of: names features by number.
    """
    num_rows = MAX_ROWS
    if isinstance(features, Bags):  # the memory holds as many numbers for each entry of a bag as the layer has outputs
        most = MAX_WORK // bag_layer(model).weight.shape[1]
        num_rows = max(1, min(MAX_ROWS, int((features.offsets <= most).sum()) - 1))
    features = first_rows(features, num_rows)
    values = features.weights.numpy() if isinstance(features, Bags) else features.flatten().numpy()
    num_rows = features.num_rows if isinstance(features, Bags) else len(features)
    found = []
    for k, name in [*task.named_outputs().items()][:MAX_OUTPUTS]:

        def score(logits: Tensor, k: int = k) -> Tensor:
            return (logits[:, k] - logits.mean(dim=1) if task.above_mean else logits[:, k]).sum()

        ids, parts, _ = parts_of(model, features, score)
        sizes = np.bincount(ids, weights=np.abs(parts)) / num_rows * task.scale
        signed = sizes * np.sign(np.bincount(ids, weights=parts * values))
        some = np.flatnonzero(signed)
        order = some[np.argsort(-np.abs(signed[some]), kind="stable")]
        ends = [order[sign * signed[order] > 0][:NUM_FEATURES] for sign in (1, -1)]
        high, low = (list(zip(names_of(numbers), signed[numbers].tolist(), strict=True)) for numbers in ends)
        of = f"{task.unit} of {short_name(name, NAME)}" + (" above the mean" if task.above_mean else "")
        found.append(Influence(name, high, low, of))
    return found


def influence_bars(found: Sequence[Influence], num_outputs: int) -> InfluenceBars | str:
    """Return what is drawn of influential features.

    Args:
        found: of the most frequent classes.
        num_outputs: that could have some.
    """
    shown = [one for one in found if one.in_favour or one.against][:MAX_PANELS]
    note = f"the {len(shown)} most frequent of {num_outputs:,} classes" if num_outputs > len(shown) else ""
    return InfluenceBars(shown, note) if shown else "no feature has a part in any output"


def bag_layer(model: nn.Module) -> BagLinear:
    """Return the layer that takes bags; a model that takes them in another way can't be looked into."""
    layer = next((module for module in model.modules() if isinstance(module, BagLinear)), None)
    if layer is None:
        raise TypeError(f"{type(model).__name__} takes bags in a layer that is no BagLinear")
    return layer


def contributions(model: nn.Module, features: Features, preds: Tensor) -> Parts:
    """Return the part of each feature in the score of what is predicted; see `parts_of`.

    The score is the logit of the second class for binary (negative where the first is predicted), how far the logit of
    the predicted class is above the mean for multiclass, and the sum of the logits of the predicted labels (of the most
    probable one, where there is none) for multilabel.

    Args:
        model: maps features to logits.
        features: of N rows.
        preds: (N,) class numbers, or (N, num_labels) of 0 and 1.
    """

    def score(logits: Tensor) -> Tensor:
        num = logits.shape[1]
        if num == 1:
            weights = (2 * preds - 1).unsqueeze(1)  # (N,) -> (N, 1)
        elif preds.ndim == 1:
            weights = one_hot(preds, num) - 1 / num
        else:
            weights = torch.where(preds.any(dim=1, keepdim=True).bool(), preds, one_hot(logits.argmax(dim=1), num))
        return (logits * weights).sum()

    return parts_of(model, features, score)


def parts_of(model: nn.Module, features: Features, score: Callable[[Tensor], Tensor]) -> Parts:
    """Return the part of each feature in a score of each row: its value times the score's slope.

    For a model that is linear in its features the parts are exact, for others a first-order estimate.

    Args:
        model: maps features to outputs; it takes rows of numbers, or bags in a `rosenblatt.text.sparse.BagLinear`.
        features: of N rows.
        score: from outputs (N, num_outputs) to the sum of all rows' scores, a scalar.

    Returns:
        Feature numbers and parts, of all rows in a row, and where each row begins (N + 1,).
    """
    model.eval()
    if not isinstance(features, Bags):
        with torch.enable_grad():
            dense = features.to(next(model.parameters()).dtype, copy=True).requires_grad_()
            (slope,) = torch.autograd.grad(score(model(dense)), dense)
        num_rows, num_features = features.shape
        parts = (features * slope.float()).flatten()
        return (
            np.tile(np.arange(num_features), num_rows),
            parts.double().numpy(),
            np.arange(num_rows + 1) * num_features,
        )
    hidden: list[Tensor] = []

    def cut(module: nn.Module, arguments: object, output: Tensor) -> Tensor:
        hidden.append(output.detach().requires_grad_())
        return hidden[0]

    layer = bag_layer(model)
    handle = layer.register_forward_hook(cut)
    try:
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(score(model(features)), hidden)
    finally:
        handle.remove()
    ids, weight = features.ids.long(), layer.weight.detach()
    if len(slope) > 0 and (slope == slope[0]).all():  # as of a perceptron and one class: no (nnz, C)
        parts = features.weights * (weight @ slope[0])[ids]
    else:
        rows = torch.repeat_interleave(torch.arange(features.num_rows), features.offsets.diff())
        parts = features.weights * (weight[ids] * slope[rows]).sum(dim=1)
    return ids.numpy(), parts.double().numpy(), features.offsets.numpy()
