"""The run folder: what is in it, and how its files are written whole."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rosenblatt import __version__
from rosenblatt.errors import FolderTaken, UserError
from rosenblatt.run.whole import write_whole

log = logging.getLogger(__name__)

PACKAGES = ("torch", "lightning", "torchmetrics", "hydra-core", "tensorboard", "polars", "numpy")


class RunFolder:
    """A folder with all that is kept of one run.

    Attributes:
        path: of the folder, which holds ``config.yaml`` (resolved), ``overrides.yaml``, ``environment.json``,
            ``data.json`` (rows and digest of each split), ``train.log``, ``metrics.json`` (flat; there once the run has
            ended in order), ``per_class.csv``, ``test.parquet`` (its rows), ``tensorboard/``, ``figures/``,
            ``report.html``, ``checkpoints/`` (``best.ckpt``, ``last.ckpt`` and ``previous.ckpt``) and ``model/``.
        planned: content of files, by name, to write once it is sure that the run goes on with what has changed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.planned: dict[str, str] = {}
        self._lock: int | None = None

    @classmethod
    def create(cls, path: str | Path, config: str, overrides: str) -> RunFolder:
        """Make the folder, where no result or checkpoint may be yet, and write its configuration and overrides, YAML.

        Raises:
            UserError: a run is there already, or the folder can't be written.
        """
        run = cls(path)
        try:
            run.path.mkdir(parents=True, exist_ok=True)
            if (run.path / "metrics.json").exists() or any(run.checkpoints.glob("*.ckpt")):
                raise FolderTaken(
                    f"hydra.run.dir={path}: there is a run in this folder already, and it is never overwritten. "
                    "Name another folder, or remove this one."
                )
            run.lock()
            run.write("config.yaml", config)
        except OSError as error:
            run.unlock()
            raise UserError(f"hydra.run.dir={path}: the folder can't be written: {error.strerror}.") from None
        try:
            run.write("overrides.yaml", overrides)
            run.write_json("environment.json", environment())
        except BaseException:
            run.unlock()
            raise
        return run

    def lock(self) -> None:
        """Keep other processes from training in this folder, until this one ends in whatever way.

        Raises:
            UserError: another one does already.
        """
        if os.name == "nt":  # there a folder has no lock
            return
        import fcntl

        self._lock = os.open(self.path, os.O_RDONLY)
        try:
            for last in (False, False, True):
                try:
                    fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if last:
                        raise
                    time.sleep(0.05)  # somebody may have looked whether it is locked: `locked`
        except BlockingIOError:
            raise FolderTaken(
                f"{self.path}: another process is training in this folder. Wait until it has ended, or end it."
            ) from None
        except OSError as error:  # not every network's file system has locks
            log.warning("%s: it can't be locked (%s): see to it that no other process trains there.", self.path, error)

    @property
    def locked(self) -> bool:
        """Whether a process is training in the folder."""
        if os.name == "nt" or not self.path.is_dir():
            return False
        import fcntl

        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return False

    def unlock(self) -> None:
        """Let others in again: in a sweep the process goes on."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def checkpoints(self) -> Path:
        """Where ``best.ckpt`` and ``last.ckpt`` are."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """Where the model is that others can use."""
        return self.path / "model"

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Return what a JSON file holds, or ``None`` where there is no such file, or none that is whole.

        A run that was killed early has none; all others are written whole.
        """
        try:
            content = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    @property
    def shown(self) -> str:
        """The path as a user types it."""
        return shown_path(self.path)

    def write(self, name: str, content: str) -> None:
        """Write a file whole or not at all."""
        write_whole(self.path / name, content.encode())

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file whole or not at all."""
        self.write(name, as_json(content))


def shown_path(path: Path) -> str:
    """Return a path as a user types it: relative to the current folder where it is below that."""
    path = path.resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def as_json(content: Mapping[str, Any]) -> str:
    """Return JSON; it has no NaN: a figure that is not defined, such as the AUROC of one class alone, is null."""

    def finite(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: finite(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [finite(one) for one in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(finite(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def environment() -> dict[str, Any]:
    """Return what a run depends on beside its configuration: versions, machine, and the state of the code."""
    import torch  # only here: to look at a run does without

    status = _git("status", "--porcelain", "--untracked-files=no")
    return {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *(word.removeprefix("++") for word in sys.argv[1:])],
        "rosenblatt": __version__,
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "cuda": torch.version.cuda,
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "git_commit": _git("rev-parse", "HEAD"),
        "git_dirty": None if status is None else status != "",
    }


def _git(*arguments: str) -> str | None:
    """Return what git prints about the code, or ``None`` where there is no git or no repository."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
