"""Export a saved model: what ``python scripts/export.py`` does."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

from rosenblatt.commands.classes import KNOWN
from rosenblatt.errors import UserError
from rosenblatt.run.whole import check_free
from rosenblatt.saved.export import SUFFIXES
from rosenblatt.saved.export import export as write_exported
from rosenblatt.saved.folder import find, read, run_of
from rosenblatt.saved.rows import own_rows

log = logging.getLogger(__name__)

MAX_ROWS = 1000  # that the exported model is compared on


def export(settings: dict[str, Any]) -> Path:
    """Write the model in another format, and compare it with its source.

    Args:
        settings: those of ``configs/export.yaml``, checked.

    Returns:
        The file.

    Raises:
        UserError: no such model, no rows to compare on, or probabilities (or numbers, in standard deviations) that
            differ by more than 1e-5.
    """
    if settings["output"] is not None:
        check_free(Path(settings["output"]), settings["overwrite"])
    format = settings["format"]
    folder = find(settings["run"])
    saved = read(folder, KNOWN)
    saved.check_reads_rows()
    if settings["input"] is not None:
        where, frame = settings["input"], saved.columns.read(settings["input"])
    elif (own := own_rows(folder, saved)) is not None:
        where, frame = own.where, own.frame
    else:
        raise UserError(f"run={folder}: there are no rows beside this model to compare on. Give it some: input=FILE")
    features = saved.encode_frame(frame[:MAX_ROWS], where)

    path = Path(settings["output"] or run_of(folder) / "export" / f"model{SUFFIXES[format]}")
    warnings.simplefilter("ignore")  # of what exporters themselves do
    for name in ("torch.onnx", "onnxscript", "onnx_ir"):
        logging.getLogger(name).setLevel(logging.ERROR)
    difference = write_exported(saved, path, format, features)
    num_rows = min(frame.height, MAX_ROWS)
    log.info("%s: the largest difference on %s rows of %s is %.1e.", path, f"{num_rows:,}", where, difference)
    return path
