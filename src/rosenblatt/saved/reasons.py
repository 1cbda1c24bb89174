"""What moved a prediction: the part that each word, n-gram or column has in it."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeAlias

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from rosenblatt.data.encoder import Encoder
from rosenblatt.data.features import Features
from rosenblatt.show.inside import parts_of
from rosenblatt.tasks.classification import Classification
from rosenblatt.tasks.task import Task

Reason: TypeAlias = tuple[str, float]


def reasons(
    model: nn.Module, features: Features, scores: Tensor, task: Task, frame: pl.DataFrame, encoder: Encoder, num: int
) -> list[list[Reason]]:
    """Return the strongest parts of each prediction; see `rosenblatt.saved.model.SavedModel.explain`.

    Args:
        model: maps features to outputs.
        features: of N rows.
        scores: of the same rows, see `rosenblatt.tasks.task.Task.scores`.
        task: what outputs mean.
        frame: the rows, for the values of columns.
        encoder: has made the features.
        num: reasons a row, at most.
    """

    def score(outputs: Tensor) -> Tensor:
        preds, num = task.decide(scores), outputs.shape[1]
        if not isinstance(task, Classification):
            weights = torch.ones(())
        elif num == 1:  # negative where the first class is predicted
            weights = (2 * preds - 1).unsqueeze(1)  # (N,) -> (N, 1)
        elif preds.ndim == 1:  # how far the predicted class is above the mean
            weights = one_hot(preds, num) - 1 / num
        else:  # the predicted labels, or where there is none the most probable one
            weights = torch.where(preds.any(dim=1, keepdim=True).bool(), preds, one_hot(outputs.argmax(dim=1), num))
        return (outputs * weights).sum(dim=1)

    ids, _, parts, offsets = parts_of(model, features, score)
    parts *= task.scale / getattr(task, "temperature", 1.0)
    columns = encoder.column_of
    if columns is None:
        known = np.unique(ids)
        names_of = dict(zip(known.tolist(), encoder.names(known), strict=True))
        found = []
        for start, end in pairwise(offsets):
            some, share = ids[start:end], parts[start:end]
            strongest = np.argsort(-np.abs(share), kind="stable")[:num]
            found.append([(names_of[int(some[i])], float(share[i])) for i in strongest if share[i] != 0])
        return found
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
