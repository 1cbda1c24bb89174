"""Files as people have them: the 2,290 of Pollock (Vitagliano et al., VLDB 2023), readers told nothing but the path."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.contest import Case, Contestant
from benchmarks.contestants import ROOT
from benchmarks.report import Summaries, outcome, table
from benchmarks.suites import Options, Suite

READERS = {"rosenblatt": "", "pandas": "pandas", "clevercsv": "clevercsv", "duckdb": "duckdb", "polars": ""}


def cases(options: Options) -> Iterator[Case]:
    """Compare the readers."""
    checkout = options.folder("pollock") / "pollock"
    script = str(ROOT / "scripts" / "peers" / "pollock.py")
    yield Case(
        "Pollock",
        tuple(
            Contestant(name, (sys.executable, "-W", "ignore", script, name, str(checkout)), package)
            for name, package in READERS.items()
        ),
    )


def tables(found: Summaries) -> str:
    """Return the scores, and what became of the files."""
    rows = [
        [
            name,
            outcome(one, f"{one['score']:.3f}"),
            *(f"{one[key]:.0f}" for key in ("right", "refused", "silent")),
        ]
        for ones in found.values()
        for name, one in ones.items()
    ]
    head = ["reader", "simple score, of 10", "read right", "refused", "read wrong without a word"]
    return table(head, rows)


SUITE = Suite("odd files: how they are read, told nothing", cases, tables)
