"""Where a study is kept: a file beside the runs, or a database that several machines reach."""

from __future__ import annotations

import time
from pathlib import Path

import optuna
from filelock import FileLock
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock  # for subclasses; it is not exported

from rosenblatt.errors import UserError, first_line

JOURNAL = "study.journal"


def storage_of(folder: Path, url: str | None) -> BaseStorage:
    """Return where a study is kept.

    Args:
        folder: of the sweep.
        url: of a database, as SQLAlchemy has it, or a path that ends in ``.journal``; ``None``: a file in the folder.

    Raises:
        UserError: it can't be reached.
    """
    if url is None or url.endswith(".journal"):
        path = folder / JOURNAL if url is None else Path(url)
        try:
            return JournalStorage(JournalFileBackend(str(path), lock_obj=_JournalLock(path)))
        except OSError as error:
            raise UserError(f"sweep.storage={path}: it can't be written: {error.strerror}.") from None
    arguments = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}  # others write, too
    for attempts_left in (3, 2, 1, 0):  # several processes may make its tables at once, and one of them succeeds
        try:
            return optuna.storages.RDBStorage(url, engine_kwargs=arguments)
        except Exception as error:  # of SQLAlchemy, of a driver, of Optuna
            if attempts_left and not isinstance(error, ImportError | ValueError):
                time.sleep(0.2)
                continue
            reason = first_line(error)
            raise UserError(
                f"sweep.storage={url}: it can't be reached: {reason} Expected a database such as sqlite:///sweeps.db, "
                "or a file that ends in .journal."
            ) from None
    raise AssertionError


class _JournalLock(BaseJournalFileLock):
    """A lock that ends with its process: Optuna's own outlasts a kill, and others wait half a minute."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(f"{path}.lock")

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()
