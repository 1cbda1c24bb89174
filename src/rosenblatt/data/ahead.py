"""Rows that are read and encoded in a thread while Lightning is imported: that import is half of a short run.

What goes wrong in the thread is nobody's concern: whoever asks for the rows then reads them himself, and tells.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
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
        if record.thread != self.ident:
            return True
        if record not in self.said:
            self.said.append(record)
        return False

    def run(self) -> None:
        """Load."""
        handlers = logging.getLogger().handlers
        for handler in handlers:
            handler.addFilter(self)
        try:
            self.found = self.data.load()
        except Exception:  # whatever it is, it comes again and is told
            self.said.clear()
        for handler in handlers:
            handler.removeFilter(self)


def begin(make: Callable[[], FileData]) -> None:
    """Begin to load rows, if all are in files of this machine, which can be read twice."""
    try:
        data = make()
    except Exception:  # of settings that are wrong, which are checked later
        return
    if all(Path(path).expanduser().is_file() for path in data.paths.values()):
        begun.append(Ahead(data))
        begun[-1].start()


def taken(data: FileData) -> tuple[Task, Splits] | None:
    """Return the rows of the same files and settings, once, and what was learnt from them; ``None``: there are none."""
    if not begun or begun[-1].data is data or begun[-1].key != key_of(data):
        return None
    ahead = begun.pop()
    ahead.join()
    if ahead.found is None:
        return None
    for record in ahead.said:
        logging.getLogger(record.name).handle(record)
    vars(data).update({name: value for name, value in vars(ahead.data).items() if name != "trainer"})
    return ahead.found


def key_of(data: FileData) -> Any:
    """Return all that decides what becomes of files."""
    return data.paths, data.decisive, data.cache, data.given_batch_size, data.seed, data.refit
