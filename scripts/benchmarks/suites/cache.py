"""The same data a second time, with what the first run has kept of its encoding."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks import contestants, sets
from benchmarks.contest import Case
from benchmarks.corpora import Zipf
from benchmarks.report import Summaries, megabytes, outcome, ratio, seconds, table
from benchmarks.suites import Options, Skipped, Suite

SIZES = (100_000,)
NONE, FIRST, SECOND = "without a cache", "first run", "second run"
ENCODING = "seconds_encoding"  # of metrics.json
NOTE = f"{ENCODING.removeprefix('seconds_').capitalize()}: reading included, as the run itself counts it."


def cache_settings(folder: str | Path | None) -> list[str]:
    """Return the settings of a run that keeps its encoding in a folder; without one, of a run that keeps nothing."""
    return ["data.cache=null" if folder is None else contestants.setting("data.cache", folder)]


def cases(options: Options) -> Iterator[Case]:
    """Compare on IMDB, where it is there, and on made-up corpora."""
    try:
        data = options.folder(sets.IMDB.name)
        # Its files are where they are, so nothing has to be made.
        yield _case(sets.IMDB.title, sets.IMDB.settings(data, data), options.work / "cache-imdb")
    except Skipped as reason:
        options.warn(f"cache: IMDB is left out: {reason}")
    for size in options.sizes or SIZES:
        folder = Zipf(size).write(options.work)
        paths = [contestants.setting(f"data.{split}", folder / f"{split}.parquet") for split in ("train", "test")]
        yield _case(f"{size:,} documents", ["data=text", *paths], options.work / f"cache-{size}")


def _case(name: str, settings: list[str], cache: Path) -> Case:
    """Return two runs with a cache that is empty at each turn, and one without."""
    kept = [*settings, *cache_settings(cache / "{turn}")]
    return Case(
        name,
        (
            contestants.ours([*settings, *cache_settings(None)], name=NONE, required=[ENCODING]),
            contestants.ours(kept, name=FIRST, required=[ENCODING]),
            contestants.ours(kept, name=SECOND, required=[ENCODING]),
        ),
        scratch=(cache,),
    )


def tables(found: Summaries) -> str:
    """Return the time of encoding and of the whole process, and the ratios of a first run to each."""
    rows = [
        [
            case,
            name,
            outcome(one, seconds(one[ENCODING])),
            ratio(ones.get(FIRST), one, ENCODING),
            seconds(one.wall),
            ratio(ones.get(FIRST), one, "wall"),
            megabytes(one.memory),
        ]
        for case, ones in found.items()
        for name, one in ones.items()
    ]
    header = ["data", "run", "encoding", f"{FIRST} / it", "wall", f"{FIRST} / it", "peak memory"]
    return "\n\n".join([table(header, rows), NOTE])


SUITE = Suite("encoding the same data a second time", cases, tables)
