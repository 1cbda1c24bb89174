"""The folder of a sweep: what it was started with, who works on which trial, and how it has ended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from rosenblatt.errors import UserError
from rosenblatt.run.folder import as_json
from rosenblatt.run.whole import write_whole

FORMAT = 1
SWEEP = "sweep.json"  # in the folder of a sweep: what it was started with
WINNER = "winner.json"  # beside it: the best setting, measured on test


class SweepFolder:
    """A folder with a run folder for each job.

    Attributes:
        path: of the folder, which holds ``sweep.json``, ``configs/`` (as they were when it was started),
            ``leaderboard.csv``, ``report.html``, ``overview.png`` and ``.svg``, ``winner.json``, and a folder for
            each job.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._claims: dict[int, FileLock] = {}

    def read(self) -> dict[str, Any] | None:
        """Return what the sweep was started with, or ``None`` where none was.

        Raises:
            UserError: the file is damaged, or of a later version.
        """
        path = self.path / SWEEP
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: it can't be read ({error}). Take another sweep.name.") from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise UserError(f"{path}: expected format {FORMAT} of a sweep. Take another sweep.name.")
        return content

    def start(self, content: Mapping[str, Any], configs: Path) -> None:
        """Write what the sweep is started with; its configuration is fixed from here on.

        Args:
            content: as JSON takes it.
            configs: folder of all configuration files.
        """
        copy = self.path / "configs"
        shutil.rmtree(copy, ignore_errors=True)  # of a process that was killed here
        shutil.copytree(configs, copy, ignore=lambda _, names: [one for one in names if one.startswith(("_", "."))])
        write_whole(self.path / SWEEP, as_json({"format": FORMAT, **content}).encode())

    def lock(self) -> FileLock:
        """Return a lock that one process at a time has, while it looks at the sweep as a whole."""
        return FileLock(self._hidden("sweep"))

    def claim(self, number: int) -> bool:
        """Take a trial for this process, until it lets go or ends in whatever way; say whether it was free."""
        if number in self._claims:
            return True
        lock = FileLock(self._hidden(f"{number:03d}"))
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return False
        self._claims[number] = lock
        return True

    def let_go(self, number: int) -> None:
        """Give a trial back."""
        self._claims.pop(number).release()

    def _hidden(self, name: str) -> Path:
        folder = self.path / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}.lock"
