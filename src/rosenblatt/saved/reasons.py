"""What moved a prediction: the part that each word, n-gram or column has in it."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from torch import Tensor, nn

from rosenblatt.data.encoder import Encoder
from rosenblatt.data.features import Features
from rosenblatt.show.inside import contributions, parts_of
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
    if isinstance(task, Classification):
        ids, parts, offsets = contributions(model, features, task.decide(scores))
        parts /= task.temperature
    else:
        ids, parts, offsets = parts_of(model, features, lambda outputs: outputs.sum())
        parts *= task.scale
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
