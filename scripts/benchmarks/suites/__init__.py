"""The suites: each says what is compared, and how its tables are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contest import Case
from benchmarks.report import Summaries


class Skipped(Exception):
    """A suite can't run with these options; the message says what it needs."""


@dataclass(frozen=True)
class Options:
    """What was given on the command line.

    Args:
        data: folder that holds a folder for each real data set, or ``None``.
        work: gets the files that are made.
        sets: names of the real data sets to use.
        sizes: documents of the made-up corpora, or ``None`` for those of the suite.
        warn: tells the user of something that is left out.
    """

    data: Path | None
    work: Path
    sets: tuple[str, ...]
    sizes: tuple[int, ...] | None
    warn: Callable[[str], None]

    def folder(self, name: str) -> Path:
        """Return the folder with the real data sets.

        Args:
            name: of the set that has to be there.

        Raises:
            Skipped: no folder is given, or that set is not in it.
        """
        if self.data is None:
            raise Skipped("it needs --data FOLDER")
        if not (self.data / name).is_dir():
            raise Skipped(f"{self.data / name} is not there")
        return self.data


@dataclass(frozen=True)
class Suite:
    """A question with figures for an answer.

    Args:
        about: what it answers, in a line.
        cases: makes what is compared; files are made as the cases are asked for.
        tables: makes Markdown of the medians.
        chart: draws them to a file, or ``None``.
    """

    about: str
    cases: Callable[[Options], Iterator[Case]]
    tables: Callable[[Summaries], str]
    chart: Callable[[Summaries, Path], None] | None = None
