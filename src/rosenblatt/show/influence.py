"""What moves a model: the part that each feature has in logits, of single rows and on average."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rosenblatt.data.features import Bags, DataSpec, Features, first_rows
from rosenblatt.text.sparse import BagLinear

Parts: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]
MAX_ROWS = 2_000  # that the mean is taken over
MAX_WORK = 20_000_000  # numbers, once for each class
MAX_CLASSES = 12  # the most frequent ones


class Influence(NamedTuple):
    """The features that speak most for a class, and most against it, the strongest first.

    Attributes:
        name: of the class.
        in_favour: names and mean sizes of their part in its logit.
        against: the same, with a minus.
        above_mean: whether they are parts in how far the logit is above the mean of all, not in the logit itself.
    """

    name: str
    in_favour: list[tuple[str, float]]
    against: list[tuple[str, float]]
    above_mean: bool = False


def influences(
    model: nn.Module,
    features: Features,
    spec: DataSpec,
    names_of: Callable[[NDArray[np.int64]], list[str]],
    num: int = 20,
) -> list[Influence]:
    """Return the most influential features of each class: the size of their part in its logit, in the mean of all rows.

    So a word counts by its weight and by how often it is there, a number by its weight and by how much it varies. A
    feature speaks for a class where more of it makes the logit larger. For a perceptron parts are exact (see
    `contributions`). Of two classes there is the second; what speaks against it speaks for the first.

    Args:
        model: maps features to logits.
        features: of N rows, the first 2,000 of which are looked at.
        spec: task and classes; of many, the 12 most frequent, in this order.
        names_of: names features by number.
        num: features for and against, at most.
    """
    features = first_rows(features, min(MAX_ROWS, _num_rows_for(model, features)))
    if isinstance(features, Bags):
        num_rows, values = features.num_rows, features.weights.numpy()
    else:
        num_rows, values = len(features), features.flatten().numpy()
    order = sorted(range(len(spec.classes)), key=lambda k: -spec.class_counts[k])[:MAX_CLASSES]
    found = []
    for k in [1] if spec.task == "binary" else order:
        if spec.task == "multilabel":
            chosen = torch.zeros(num_rows, len(spec.classes), dtype=torch.uint8)
            chosen[:, k] = 1
        else:
            chosen = torch.full((num_rows,), k)
        ids, parts, _ = contributions(model, features, chosen)
        sizes = np.bincount(ids, weights=np.abs(parts), minlength=spec.num_features) / num_rows
        signed = sizes * np.sign(np.bincount(ids, weights=parts * values, minlength=spec.num_features))
        ends = [_largest(sign * signed, num) for sign in (1, -1)]
        high, low = (list(zip(names_of(numbers), signed[numbers].tolist(), strict=True)) for numbers in ends)
        found.append(Influence(spec.classes[k], high, low, above_mean=spec.task == "multiclass"))
    return found


def _num_rows_for(model: nn.Module, features: Features) -> int:
    """Return how many rows can be looked at without filling the memory with (nnz, width of the first layer)."""
    first = next((module for module in model.modules() if isinstance(module, BagLinear)), None)
    if first is None or not isinstance(features, Bags):
        return MAX_ROWS
    return max(1, int(torch.searchsorted(features.offsets, MAX_WORK // first.weight.shape[1], right=True)) - 1)


def _largest(numbers: NDArray[np.float64], num: int) -> NDArray[np.int64]:
    """Return the places of the largest numbers above 0, the largest first."""
    num = min(num, len(numbers))
    some = np.argpartition(-numbers, num - 1)[:num] if num < len(numbers) else np.arange(len(numbers))
    some = some[numbers[some] > 0]
    return some[np.argsort(-numbers[some], kind="stable")]


def contributions(model: nn.Module, features: Features, preds: Tensor) -> Parts:
    """Return the part of each feature in the score of what is predicted: its value times the score's slope.

    The score is the logit of the second class for binary (negative where the first is predicted), how far the logit of
    the predicted class is above the mean for multiclass, and the sum of the logits of the predicted labels (of the most
    probable one, where there is none) for multilabel.

    Returns:
        Feature numbers and parts, of all rows in a row, and where each row begins (N + 1,).
    """
    model.eval()
    first_layer: list[Tensor] = []

    def cut(module: nn.Module, arguments: object, output: Tensor) -> Tensor:
        first_layer.append(output.detach().requires_grad_())
        return first_layer[0]

    with torch.enable_grad():
        if isinstance(features, Bags):
            layer = next(module for module in model.modules() if isinstance(module, BagLinear))
            handle = layer.register_forward_hook(cut)
            try:
                score = _score(model(features), preds)
            finally:
                handle.remove()
            (slope,) = torch.autograd.grad(score, first_layer)
            rows = torch.repeat_interleave(torch.arange(features.num_rows), features.offsets.diff())
            ids, weight = features.ids.long(), layer.weight.detach()
            if features.num_rows > 0 and (slope == slope[0]).all():  # as of a perceptron and one class: no (nnz, C)
                parts = features.weights * (weight @ slope[0])[ids]
            else:
                parts = features.weights * (weight[ids] * slope[rows]).sum(dim=1)
            return ids.numpy(), parts.double().numpy(), features.offsets.numpy()
        dense = features.to(next(model.parameters()).dtype, copy=True).requires_grad_()
        (slope,) = torch.autograd.grad(_score(model(dense), preds), dense)
        num_rows, num_features = features.shape
        parts = (features * slope.float()).flatten()
        numbers = torch.arange(num_features).repeat(num_rows)
        return numbers.numpy(), parts.double().numpy(), np.arange(num_rows + 1) * num_features


def _score(logits: Tensor, preds: Tensor) -> Tensor:
    if logits.shape[1] == 1:  # (N, 1)
        return (logits.squeeze(1) * (2 * preds - 1)).sum()
    if preds.ndim == 1:
        return (logits.gather(1, preds.unsqueeze(1)).squeeze(1) - logits.mean(dim=1)).sum()
    chosen = preds.bool()
    top = torch.nn.functional.one_hot(logits.argmax(dim=1), logits.shape[1]).bool()
    return (logits * torch.where(chosen.any(dim=1, keepdim=True), chosen, top)).sum()
