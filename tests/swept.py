"""What the tests of sweeps run, and how they read what it leaves in the current folder."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import polars as pl

from conftest import ROOT, SMALL

GRID = ("-m", *SMALL, "optimizer=adam,sgd", "lr=0.1,0.01", "sweep.name=first")
SEARCH = (
    "-m", *SMALL, "sweep=optuna", "sweep.trials=6", "sweep.name=first", "optimizer=adam,sgd",
    "lr=tag(log,interval(1e-3,1))",
)  # fmt: skip
FIRST = Path("logs/sweeps/first")


def metrics(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics.json").read_text())


def without_times(content: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if not key.startswith("seconds")}


def runs() -> list[Path]:
    return sorted(path.parent for path in FIRST.glob("*/metrics.json"))


def board(folder: Path = Path()) -> pl.DataFrame:
    return pl.read_csv(folder / FIRST / "leaderboard.csv")


@cache
def _swept() -> Path:
    folder = Path(mkdtemp(prefix="rosenblatt-sweep-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    words = [sys.executable, str(ROOT / "train.py"), *GRID, "figures=none"]
    subprocess.run(words, cwd=folder, check=True, capture_output=True, env=os.environ | {"COLUMNS": "100"})
    return folder


def swept_grid() -> None:
    """Put the finished sweep of `GRID`, run once in each process of the tests, into the current folder."""
    shutil.copytree(_swept() / FIRST, FIRST)
