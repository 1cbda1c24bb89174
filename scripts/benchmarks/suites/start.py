"""How long it takes until something happens: --help, the default run, and the imports that are not ours."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import contestants
from benchmarks.contest import Case, Contestant, Figures
from benchmarks.report import Summaries, megabytes, outcome, ratio, seconds, table
from benchmarks.suites import Options, Suite

TORCH, LIGHTNING = "import torch", "import lightning.pytorch"
HELP, DEFAULT = "python train.py --help", "python train.py"


def cases(options: Options) -> Iterator[Case]:
    """Compare the four commands."""
    help_command = (sys.executable, str(contestants.ROOT / "train.py"), "--help")
    imports = (
        Contestant(f'python -c "{line}"', (sys.executable, "-c", line), figures=no_figures)
        for line in (LIGHTNING, TORCH)
    )
    yield Case(
        "start", (Contestant(HELP, help_command, figures=no_figures), contestants.ours([], name=DEFAULT), *imports)
    )


def no_figures(run: Path, output: str) -> Figures:
    """Return nothing: that it ended without an error is all that there is to know."""
    return {}


def tables(found: Summaries) -> str:
    """Return times, and their ratios to the import of Lightning."""
    rows = [
        [
            f"`{name}`",
            outcome(one, seconds(one.wall)),
            ratio(one, ones.get(f'python -c "{LIGHTNING}"'), "wall"),
            seconds(one.cpu),
            megabytes(one.memory),
        ]
        for ones in found.values()
        for name, one in ones.items()
    ]
    return table(["command", "wall", f"/ {LIGHTNING}", "CPU", "peak memory"], rows)


SUITE = Suite("start-up times", cases, tables)
