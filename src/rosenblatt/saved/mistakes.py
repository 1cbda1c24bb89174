"""The rows that a model gets wrong, as people read them."""

from __future__ import annotations

from typing import Any

import polars as pl
from torch import Tensor

from rosenblatt.saved.model import SavedModel
from rosenblatt.tasks.evaluation import mistakes


def shown_mistakes(
    saved: SavedModel, frame: pl.DataFrame, probs: Tensor, target: Tensor, at_most: int
) -> list[dict[str, Any]]:
    """Return the rows that are decided wrongly, the most confident first.

    Args:
        saved: the model.
        frame: N rows, as read from a file.
        probs: as `rosenblatt.saved.model.SavedModel.probs_of` gives them.
        target: (N,) class numbers, or (N, num_labels) of 0 and 1.
        at_most: the number of rows to return.

    Returns:
        ``row`` (from 1), ``true``, ``prediction``, ``probability`` and ``content`` of each.
    """
    rows = mistakes(probs, target, saved.threshold, saved.spec.task, at_most)
    found = []
    predictions = saved.predictions(probs[rows])
    texts = saved.columns.texts_of(frame[rows], "rows") if saved.columns.text else None
    for place, row in enumerate(rows):
        true = target[row]
        names = [saved.classes[k] for k in true.nonzero().flatten()] if target.ndim == 2 else saved.classes[int(true)]
        content = (
            texts[place]
            if texts is not None
            else ", ".join(f"{k}={_plain(v)}" for k, v in frame.row(row, named=True).items())
        )
        found.append({"row": row + 1, "true": names, **predictions.row(place, named=True), "content": content})
    return found


def _plain(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value
