"""What moved a prediction: the part that each word, n-gram or column has in it."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rosenblatt.data.encoder import Encoder
from rosenblatt.sparse import BagLinear
from rosenblatt.spec import Bags, Features

Reason: TypeAlias = tuple[str, float]


def reasons(
    model: nn.Module,
    features: Features,
    preds: Tensor,
    frame: pl.DataFrame,
    encoder: Encoder,
    num: int,
    temperature: float = 1.0,
) -> list[list[Reason]]:
    """Return the strongest parts of each prediction; see `rosenblatt.saved.model.SavedModel.explain`.

    Args:
        model: maps features to logits.
        features: of N rows.
        preds: (N,) class numbers, or (N, num_labels) of 0 and 1.
        frame: the rows, for the values of columns.
        encoder: has made the features.
        num: reasons a row, at most.
        temperature: that logits are divided by.
    """
    ids, parts, offsets = contributions(model, features, preds)
    parts /= temperature
    columns = encoder.column_of
    if columns is None:
        known = np.unique(ids)
        names_of = dict(zip(known.tolist(), encoder.names(known), strict=True))
        return _strongest_features(ids, parts, offsets, names_of, num)
    names = columns.unique(maintain_order=True)
    sizes = columns.rle().struct.field("len").to_numpy()  # features of a column lie side by side
    code = np.repeat(np.arange(len(names)), sizes)
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    size = (len(offsets) - 1) * len(names)
    totals = np.bincount(rows * len(names) + code[ids], weights=parts, minlength=size).reshape(-1, len(names))
    totals[~np.isfinite(totals).all(axis=1)] = 0  # a row that can't be read has no prediction, and no reasons
    order = np.argsort(-np.abs(totals), axis=1, kind="stable")[:, :num]  # (N, num)
    cells = [frame[name] for name in names]
    return [
        [(f"{names[k]} = {cells[k][row]}", float(totals[row, k])) for k in chosen.tolist() if totals[row, k] != 0]
        for row, chosen in enumerate(order)
    ]


def _strongest_features(
    ids: NDArray[np.int64], parts: NDArray[np.float64], offsets: NDArray[np.int64], names: dict[int, str], num: int
) -> list[list[Reason]]:
    found = []
    for row in range(len(offsets) - 1):
        some, share = ids[offsets[row] : offsets[row + 1]], parts[offsets[row] : offsets[row + 1]]
        order = np.argsort(-np.abs(share), kind="stable")[:num]
        found.append([(names[int(some[i])], float(share[i])) for i in order if share[i] != 0])
    return found


def contributions(
    model: nn.Module, features: Features, preds: Tensor
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
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
            ids = features.ids.long()
            parts = features.weights * (layer.weight.detach()[ids] * slope[rows]).sum(dim=1)
            return ids.numpy(), parts.double().numpy(), features.offsets.numpy()
        dense = features.clone().requires_grad_()
        (slope,) = torch.autograd.grad(_score(model(dense), preds), dense)
        num_rows, num_features = features.shape
        parts = (features * slope).flatten()
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
