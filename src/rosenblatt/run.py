"""The run folder: what is in it, and how its files are written whole."""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from rosenblatt.errors import FolderTaken, UserError

PACKAGES = ("torch", "lightning", "torchmetrics", "hydra-core", "tensorboard", "polars", "numpy")


class RunFolder:
    """A folder with all that is kept of one run.

    Attributes:
        path: of the folder, which holds ``config.yaml`` (resolved), ``overrides.yaml``, ``environment.json``,
            ``train.log``, ``metrics.json`` (flat; there once the run has ended in order), ``per_class.csv``,
            ``tensorboard/`` and ``checkpoints/best.ckpt`` and ``last.ckpt``.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: str | Path, config: str, overrides: str) -> RunFolder:
        """Make the folder and write its configuration.

        Args:
            path: of the folder, which may exist as long as no result or checkpoint is in it.
            config: the resolved configuration, YAML.
            overrides: what was given on the command line, YAML.

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
            run.write("config.yaml", config)
        except OSError as error:
            raise UserError(f"hydra.run.dir={path}: the folder can't be written: {error.strerror}.") from None
        run.write("overrides.yaml", overrides)
        run.write_json("environment.json", environment())
        return run

    @property
    def checkpoints(self) -> Path:
        """Where ``best.ckpt`` and ``last.ckpt`` are."""
        return self.path / "checkpoints"

    @property
    def shown(self) -> str:
        """The path as a user types it: relative to the current folder where it is below that."""
        path = self.path.resolve()
        return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)

    def write(self, name: str, content: str) -> None:
        """Write a file whole or not at all."""
        write_whole(self.path / name, content.encode())

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file whole or not at all."""
        # JSON has no NaN: a figure that is not defined, such as the AUROC of a split of one class, is null.
        content = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in content.items()
        }
        self.write(name, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under another name, force it to disk, and give it its name: it is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def environment() -> dict[str, Any]:
    """Return what a run depends on beside its configuration: versions, machine, and the state of the code."""
    status = _git("status", "--porcelain", "--untracked-files=no")
    return {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *(word.removeprefix("++") for word in sys.argv[1:])],
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
