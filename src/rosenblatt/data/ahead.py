"""Rows that are read and encoded in a thread while Lightning is imported: that import is half of a short run.

What goes wrong in the thread is nobody's concern: whoever asks for the rows then reads them himself, and tells.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rosenblatt.data.features import Splits
    from rosenblatt.data.labelled_files import FileData
    from rosenblatt.tasks.task import Task

begun: list[Ahead] = []


class Ahead(threading.Thread):
    """Loads rows, and keeps to itself what it has to say until they are taken."""

    def __init__(self, data: FileData) -> None:
        super().__init__(daemon=True)  # a run that ends before does not wait for it
        self.data, self.key = data, key_of(data)
        self.found: tuple[Task, Splits] | None = None
        self.said: list[logging.LogRecord] = []

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep from a handler what this thread says."""
        is_mine = record.thread == self.ident
        if is_mine and record not in self.said:
            self.said.append(record)
        return not is_mine

    def run(self) -> None:
        """Load."""
        handlers = logging.getLogger().handlers
        for handler in handlers:
            handler.addFilter(self)
        with suppress(Exception):  # whatever it is, it comes again and is told
            self.found = self.data.load()
        for handler in handlers:
            handler.removeFilter(self)


def begin(make: Callable[[], FileData]) -> None:
    """Begin to load rows, if all are in files of this machine, which can be read twice."""
    with suppress(Exception):  # of settings that are wrong, which are checked later
        data = make()
        if all(Path(path).expanduser().is_file() for path in data.paths.values()):
            begun.append(Ahead(data))
            begun[-1].start()


def taken(data: FileData) -> tuple[Task, Splits] | None:
    """Return the rows of the same files and settings, once, and what was learnt from them; ``None``: there are none."""
    if not begun or begun[-1].data is data or begun[-1].key != key_of(data):
        return None
    ahead = begun.pop()
    ahead.join()
    if ahead.found is not None:
        for record in ahead.said:
            logging.getLogger(record.name).handle(record)
        vars(data).update(vars(ahead.data))
    return ahead.found


def key_of(data: FileData) -> Any:
    """Return all that decides what becomes of files."""
    return data.paths, data.decisive, data.cache, data.given_batch_size, data.seed, data.refit
