"""How time and memory grow with the number of documents, on made-up corpora."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from benchmarks import chart, contestants
from benchmarks.contest import Case
from benchmarks.corpora import Zipf
from benchmarks.report import BLANK, Summaries, paragraph, ratio_table, speed_table, table
from benchmarks.suites import Options, Suite

SIZES = (1_000, 10_000, 100_000, 1_000_000)
SLOPE_FROM = 10_000  # documents; below, starting up is most of the time
ARGUMENTS = "--ngram w2 -b 24 --passes 3"
NAMES = (contestants.OURS, contestants.FASTTEXT, contestants.VOWPAL_WABBIT)
NOTE = f"""\
Documents of 130 words on average with Zipf's frequencies, two classes; a tenth as many more to test on. Own time: after
imports; of peers, training and test. {contestants.OURS}: defaults, with an empty cache; {contestants.FASTTEXT}:
`wordNgrams=2 epoch=5 thread=2`; {contestants.VOWPAL_WABBIT}: `{ARGUMENTS}`. A slope of 1 in the logarithms means: twice
the documents, twice the time."""
IMAGE = "![Wall time and peak memory against the number of documents](images/scaling.svg)"


def cases(options: Options) -> Iterator[Case]:
    """Compare on a corpus of each size."""
    for size in options.sizes or SIZES:
        folder = Zipf(size).write(options.work)
        paths = [contestants.setting(f"data.{split}", folder / f"{split}.parquet") for split in ("train", "test")]
        yield Case(
            f"{size:,}",
            (
                contestants.ours(["data=text", *paths]),
                contestants.fasttext(contestants.FASTTEXT, folder, contestants.BIGRAMS),
                contestants.vowpal_wabbit(contestants.VOWPAL_WABBIT, folder, ARGUMENTS),
            ),
        )


def tables(found: Summaries) -> str:
    """Return times and memory by size, our ratios to the peers, and slopes."""
    found = dict(sorted(found.items(), key=lambda item: _size(item[0])))
    slopes = [[name, *(slope(found, name, of) for of in ("wall", "seconds_own", "cpu", "memory"))] for name in NAMES]
    header = [f"slope from {SLOPE_FROM:,} documents on", "wall", "own time", "CPU", "peak memory"]
    return "\n\n".join(
        [
            speed_table("documents", found),
            ratio_table("documents", found, contestants.OURS, NAMES[1:]),
            table(header, slopes),
            paragraph(NOTE),
            IMAGE,
        ]
    )


def slope(found: Summaries, name: str, of: str) -> str:
    """Return the slope of a figure against the number of documents, both as logarithms, by least squares."""
    points = [(_size(case), ones[name][of]) for case, ones in found.items() if name in ones]
    points = [(size, value) for size, value in points if size >= SLOPE_FROM and math.isfinite(value)]
    if len(points) < 2:
        return BLANK
    sizes, values = np.log(points).T
    return f"{round(np.polyfit(sizes, values, 1)[0], 2) + 0.0:.2f}"  # never -0.00


def _size(case: str) -> int:
    return int(case.replace(",", ""))


def points_of(found: Summaries, of: str) -> dict[str, list[tuple[int, float]]]:
    """Return, for each contestant, the sizes and a figure, ascending, without those that failed."""
    sizes = sorted(found, key=_size)
    every = {name: [(_size(case), found[case][name][of]) for case in sizes if name in found[case]] for name in NAMES}
    return {name: [one for one in points if math.isfinite(one[1])] for name, points in every.items()}


SUITE = Suite(
    "time and memory against the number of documents, beside fastText and Vowpal Wabbit",
    cases,
    tables,
    lambda found, path: chart.draw(points_of(found, "wall"), points_of(found, "memory"), path),
)
