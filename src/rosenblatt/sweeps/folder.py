"""The folder of a sweep: what it was started with, and who works on which trial."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from rosenblatt.errors import UserError, differences
from rosenblatt.run.folder import RunFolder
from rosenblatt.run.whole import sha256
from rosenblatt.sweeps.dimensions import Dimension
from rosenblatt.sweeps.settings import Settings

FORMAT = 2
SWEEP = "sweep.json"  # in the folder of a sweep: what it was started with
LOCKS = ".locks"  # beside it: of those who work on it
WINNER = "winner.json"  # beside it: the best setting, measured on test
MAY_CHANGE = ("sweep.trials", "sweep.max_failures", "sweep.retry_failed", "sweep.name", "sweep.space")


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

    @property
    def configs(self) -> Path:
        """The copy of the project's configuration that jobs are composed from."""
        return self.path / "configs"

    def read(self) -> dict[str, Any] | None:
        """Return what the sweep was started with, or ``None`` where none was.

        Raises:
            UserError: the file is damaged, or of another version.
        """
        content = RunFolder(self.path).read_json(SWEEP)
        if content is None and not (self.path / SWEEP).exists():
            return None
        if content is None or content.get("format") != FORMAT:
            raise UserError(
                f"{self.path / SWEEP}: this sweep was begun by an earlier version of this program, or by another one; "
                "or the file is damaged. Go on with that version (leaderboard.csv can be read as it is), or take "
                "another sweep.name."
            )
        return content

    def same_sweep(
        self,
        dimensions: Sequence[Dimension],
        settings: Settings,
        composed: Mapping[str, str],
        data: Iterable[str],
        configs: Sequence[Path],
    ) -> tuple[list[Dimension], str]:
        """See to it that the folder is of this sweep, and of no other; what is new is begun.

        Args:
            composed: settings of its jobs, by key.
            data: words that may name a file of data.
            configs: folders of configuration files; the first of two of one name is taken.

        Returns:
            What varies, in the order in which it was started: trials are numbered by it; and the identity of the
            folder.

        Raises:
            UserError: a sweep of that name was started with other settings, files or data; a run is there.
        """
        paths = [os.path.expanduser(word.strip("'\"")) for word in data]
        digests = {path: sha256(Path(path)) for path in paths if os.path.isfile(path)}
        varies = {one.key: str(one) for one in dimensions}
        same = {key: one for key, one in composed.items() if key not in varies and not key.startswith(MAY_CHANGE)}
        if same.get("sweep.storage"):  # without the password of the database
            same["sweep.storage"] = re.sub(r"(//[^:/@]*):[^@]*@", r"\1:...@", same["sweep.storage"])
        before = self.read()
        if before is None and (any(self.path.glob("*/job.json")) or (self.path / "config.yaml").exists()):
            raise UserError(f"{self.path}: something else is there. Take another sweep.name.")
        lines = []
        if before is not None:
            lines += differences(before["varies"] | before["settings"], varies | same)
            lines += [
                f"the file {one} has changed" for one, was in before["data"].items() if digests.get(one, was) != was
            ]
        if before is None or (lines and not any(self.path.glob("*/config.yaml"))):  # nothing was spent on what it was
            for path in self.path.iterdir() if before is not None else []:
                if path.name != LOCKS:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            for folder in reversed(configs):
                shutil.copytree(folder, self.configs, ignore=shutil.ignore_patterns("_*", ".*"), dirs_exist_ok=True)
            before = {"format": FORMAT, "id": uuid.uuid4().hex, "varies": varies, "seeds": settings.seeds}
            before |= {"objectives": settings.objectives, "data": digests, "settings": same}
            RunFolder(self.path).write_json(SWEEP, before)
        elif lines:
            told = "; ".join(lines[:5]) + (f"; and {len(lines) - 5} more" if len(lines) > 5 else "")
            raise UserError(
                f"sweep.name={self.path.name}: this sweep was started with other settings: {told}. Go on with what it "
                "was, or take another sweep.name."
            )
        order = list(before["varies"])
        return sorted(dimensions, key=lambda one: order.index(one.key)), str(before["id"])

    def lock(self) -> FileLock:
        """Return a lock that one process at a time has, while it looks at the sweep as a whole."""
        return FileLock(self._lock_file("sweep"))

    def claim(self, number: int) -> bool:
        """Take a trial for this process, until it lets go or ends in whatever way; say whether it was free."""
        if number in self._claims:
            return True
        lock = FileLock(self._lock_file(f"{number:03d}"))
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return False
        self._claims[number] = lock
        return True

    def let_go(self, number: int) -> None:
        """Give a trial back."""
        self._claims.pop(number).release()

    def _lock_file(self, name: str) -> Path:
        folder = self.path / LOCKS
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}.lock"
