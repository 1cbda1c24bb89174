"""Speed on IMDB, 25,000 training and 25,000 test reviews: whole processes, reading to test accuracy."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import contestants, sets
from benchmarks.contest import Case
from benchmarks.report import Summaries, paragraph, ratio_table, speed_table
from benchmarks.suites import Options, Suite

DECAYED = f"{contestants.VOWPAL_WABBIT}, l2"
TUNED = {"wordNgrams": 2, "epoch": 10, "lr": 0.5, "bucket": 10_000_000, "thread": 2}
ARGUMENTS = "--ngram w2 -b 24 --passes 6"
NOTE = f"""\
Own time: after imports; of peers, training and test. {contestants.FASTTEXT}: `wordNgrams=2 epoch=10 lr=0.5
bucket=10000000 thread=2`; {contestants.VOWPAL_WABBIT}: `{ARGUMENTS}`, and with `--l2 1e-9`. Their files are split into
words and shuffled before the clock starts; ours are the Parquet files as they are, with an empty cache."""


def cases(options: Options) -> Iterator[Case]:
    """Compare on the one set."""
    data = options.folder(sets.IMDB.name)
    files = sets.IMDB.prepare(data, options.work)
    yield Case(
        sets.IMDB.title,
        (
            contestants.ours(sets.IMDB.settings(data, files)),
            contestants.fasttext(contestants.FASTTEXT, files, TUNED),
            contestants.vowpal_wabbit(contestants.VOWPAL_WABBIT, files, ARGUMENTS),
            contestants.vowpal_wabbit(DECAYED, files, f"{ARGUMENTS} --l2 1e-9"),
        ),
    )


def tables(found: Summaries) -> str:
    """Return times and memory, and our ratios to the peers."""
    peers = (contestants.FASTTEXT, contestants.VOWPAL_WABBIT, DECAYED)
    return "\n\n".join([speed_table("", found), ratio_table("", found, contestants.OURS, peers), paragraph(NOTE)])


SUITE = Suite("time and memory on IMDB, beside fastText and Vowpal Wabbit", cases, tables)
