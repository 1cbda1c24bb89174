"""The files of local loggers, taken back to a checkpoint: each point is there once, however often a run goes on."""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from rosenblatt.run.whole import write_whole


def history_sizes(loggers: Iterable[Logger], root: Path) -> dict[str, int]:
    """Write out what loggers hold back, and return how much is in each of their files.

    Args:
        loggers: of which those count that write to a folder of theirs: TensorBoard's events, and tables.
        root: folder of the run, which the names of files start from.

    Returns:
        Bytes of a file of events; rows of a table, which is written anew where a column joins it.
    """
    sizes = {}
    for logger in loggers:
        logger.save()
        if isinstance(logger, TensorBoardLogger):
            logger.experiment.flush()
        for path in _files(logger):
            content = path.read_bytes()
            sizes[_name(path, root)] = len(_rows(content)) if path.suffix == ".csv" else len(content)
    return sizes


def cut_history(loggers: Iterable[Logger], root: Path, sizes: Mapping[str, int]) -> None:
    """Take the files of loggers back to what they were at a checkpoint, and have loggers go on in them.

    Args:
        loggers: that have not opened their files yet.
        root: folder of the run.
        sizes: that `history_sizes` gave there.
    """
    for logger in loggers:
        for path in _files(logger):
            size = sizes.get(_name(path, root), 0)
            if size <= 0:
                path.unlink()
            elif path.suffix == ".csv":
                kept = _rows(path.read_bytes())[:size]
                write_whole(path, b"".join(kept))
            elif path.stat().st_size > size:
                os.truncate(path, size)
        if isinstance(logger, CSVLogger):
            _go_on(logger)


def _go_on(logger: CSVLogger) -> None:
    """Open a CSV logger, which removes what it finds, and give its table back."""
    path = Path(logger.log_dir) / "metrics.csv"
    if not path.exists():
        return
    content = path.read_bytes()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Experiment logs directory .* exists and is not empty")
        experiment: Any = logger.experiment
    write_whole(path, content)
    experiment.metrics_keys = next(csv.reader(io.StringIO(content.decode())))


def _files(logger: Logger) -> list[Path]:
    """Return the files of a logger that grow with each point."""
    folder = getattr(logger, "log_dir", None)
    if not isinstance(folder, str) or not Path(folder).is_dir():
        return []
    return sorted([*Path(folder).glob("events.*"), *Path(folder).glob("metrics.csv")])


def _name(path: Path, root: Path) -> str:
    return Path(os.path.relpath(path, root)).as_posix()


def _rows(content: bytes) -> list[bytes]:
    """Return the lines of a table of numbers, its header included, and none that is cut off."""
    return [line for line in content.splitlines(keepends=True) if line.endswith(b"\n")]
