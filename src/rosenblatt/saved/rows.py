"""The rows that a run was measured on, which lie beside its model."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from rosenblatt.data.files import read_frame
from rosenblatt.run.folder import shown_path
from rosenblatt.saved.model import SavedModel
from rosenblatt.saved.refusal import check_content, refusing


class OwnRows(NamedTuple):
    """Rows of the last split of a run.

    Attributes:
        split: ``test``, or the last that there was.
        where: their file.
        frame: the rows.
    """

    split: str
    where: str
    frame: pl.DataFrame


def own_rows(folder: Path, saved: SavedModel) -> OwnRows | None:
    """Return the rows that a model was measured on, which lie beside its folder; ``None`` where they are not there.

    Raises:
        ModelRefused: others lie in their place.
    """
    if saved.rows is None:
        return None
    split = saved.rows["split"]
    path = folder.absolute().parent / f"{split}.parquet"
    if not path.exists():
        return None
    with refusing(path):
        check_content(path, saved.rows)
    return OwnRows(split, shown_path(path), read_frame(str(path)))


def facts_of(split: str, content: bytes) -> dict[str, Any]:
    """Return what `rosenblatt.saved.model.SavedModel` knows of a file with rows."""
    return {"split": split, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
