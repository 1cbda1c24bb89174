"""Measure every figure of docs/benchmarks.md, side by side with the programs that people use instead.

    python scripts/benchmark.py start loop                     what needs no data
    python scripts/benchmark.py accuracy --data DATA           the real sets, which lie in folders of DATA
    python scripts/benchmark.py scale --sizes 1000,10000       made-up corpora of these sizes
    python scripts/benchmark.py all --data DATA --write        everything, into docs/benchmarks.md
    python scripts/benchmark.py scale --tabulate               tables of what was measured before

Peers come with pip install -e '.[bench]'; without one, its rows say so. Every process is started fresh, and contestants
take turns. Each measurement is kept as a line of logs/benchmark/SUITE.jsonl.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from benchmarks import report, sets
from benchmarks.contest import NOT_INSTALLED, REMEDY, Measurement, hold, kept
from benchmarks.suites import (
    Options,
    Skipped,
    accuracy,
    cache,
    figures,
    imdb,
    loop,
    predict,
    reading,
    scale,
    start,
    steps,
    sweep,
)

ROOT = Path(__file__).resolve().parents[1]
SUITES = {
    "accuracy": accuracy.SUITE,
    "imdb": imdb.SUITE,
    "scale": scale.SUITE,
    "loop": loop.SUITE,
    "start": start.SUITE,
    "steps": steps.SUITE,
    "cache": cache.SUITE,
    "predict": predict.SUITE,
    "reading": reading.SUITE,
    "sweep": sweep.SUITE,
    "figures": figures.SUITE,
}
PACKAGES = ("torch", "lightning", "polars", "numpy", "fasttext", "vowpalwabbit", "scikit-learn")


def main() -> None:
    """Run the suites one after the other: two at a time would measure each other."""
    arguments = parsed()
    session = datetime.now().isoformat(timespec="seconds")
    for name in arguments.suites:
        if not arguments.tabulate:
            try:
                run(name, arguments, session)
            except Skipped as reason:
                warn(f"{name}: skipped: {reason}")
                continue
            except KeyboardInterrupt:
                warn(f"\nstopped; --tabulate shows what {arguments.results} holds so far")
                sys.exit(130)
        show(name, arguments)


def parsed() -> argparse.Namespace:
    """Return the command line; what is wrong with it is told before anything runs."""
    listed = "\n".join(f"  {name:<10} {suite.about}" for name, suite in SUITES.items())
    parser = argparse.ArgumentParser(
        description=f"{__doc__}\nsuites:\n{listed}\n  all", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("suites", nargs="+", metavar="SUITE", help="one or several of the above")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="holds a folder for each real data set")
    parser.add_argument("--repeats", type=int, default=5, help="processes for each figure, which is their median (5)")
    parser.add_argument("--sets", default=",".join(sets.NAMES), help="real sets for accuracy, such as trec,sst2 (all)")
    parser.add_argument("--sizes", help="documents for scale and cache, such as 1000,10000")
    parser.add_argument("--limit", type=float, default=3600, help="seconds that one process may take (3600)")
    parser.add_argument("--write", action="store_true", help="put the tables into the document, between its markers")
    parser.add_argument("--tabulate", action="store_true", help="run nothing: tables of what was measured before")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "benchmarks.md", help="the document for --write")
    parser.add_argument("--results", type=Path, default=ROOT / "logs" / "benchmark", help="where measurements are kept")
    parser.add_argument("--work", type=Path, help="where data for the peers are kept (RESULTS/data)")
    arguments = parser.parse_args()
    if sys.platform == "win32":
        parser.error("expected Linux or macOS: elsewhere a process does not tell its time and memory.")
    unknown = [name for name in arguments.suites if name not in (*SUITES, "all")]
    if unknown:
        parser.error(f"no such suite: {', '.join(unknown)}; there are {', '.join(SUITES)}, all")
    arguments.suites = list(SUITES) if "all" in arguments.suites else list(dict.fromkeys(arguments.suites))
    if arguments.data is not None and not arguments.data.is_dir():
        parser.error(f"--data {arguments.data}: there is no such folder")
    arguments.sets = tuple(arguments.sets.split(","))
    unknown = [name for name in arguments.sets if name not in sets.NAMES]
    if unknown:
        parser.error(f"--sets: no such set: {', '.join(unknown)}; there are {', '.join(sets.NAMES)}")
    if arguments.sizes is not None:
        try:
            arguments.sizes = tuple(int(size) for size in arguments.sizes.split(","))
        except ValueError:
            parser.error(f"--sizes {arguments.sizes}: expected whole numbers, such as 1000,10000")
        if min(arguments.sizes) < 100:
            parser.error(f"--sizes: expected at least 100 documents; got {min(arguments.sizes)}")
    if arguments.repeats < 1:
        parser.error(f"--repeats: expected at least 1; got {arguments.repeats}")
    # Hours of measuring must not end with tables that have no place to go.
    missing = [name for name in arguments.suites if arguments.write and not report.has_place(arguments.docs, name)]
    if missing:
        opening, closing = report.markers(missing[0])
        parser.error(f"--write: {arguments.docs} has no lines {opening} and {closing} to put the tables between")
    arguments.results = arguments.results.resolve()
    arguments.work = (arguments.work or arguments.results / "data").resolve()
    arguments.data = arguments.data.resolve() if arguments.data is not None else None
    return arguments


def run(name: str, arguments: argparse.Namespace, session: str) -> None:
    """Measure a suite, and tell of each process as it ends."""
    options = Options(arguments.data, arguments.work, arguments.sets, arguments.sizes, warn)
    cases = SUITES[name].cases(options)
    for one in hold(name, cases, arguments.results, session, machine(), arguments.repeats, arguments.limit):
        warn(f"{name}  {one.case}  {one.contestant}  {one.turn + 1} of {arguments.repeats}  {told(one)}")


def told(one: Measurement) -> str:
    """Return how a process ended, in a few words."""
    if one.failed == NOT_INSTALLED:
        return f"{NOT_INSTALLED}: {REMEDY}"
    return f"failed: {one.failed}" if one.failed else report.seconds(one.wall)


def show(name: str, arguments: argparse.Namespace) -> None:
    """Print the tables of a suite, or put them into the document."""
    measurements = kept(name, arguments.results)
    if not measurements:
        warn(f"{name}: nothing was measured yet")
        return
    found = report.summarised(measurements)
    content = f"{SUITES[name].tables(found)}\n\n{report.provenance(measurements)}"
    image = (arguments.docs.parent / "images" if arguments.write else arguments.results) / "scaling.svg"
    draw = SUITES[name].chart
    if draw is not None:
        try:
            draw(found, image)
            warn(f"{name}: drawn: {image}")
        except ImportError:
            warn(f"{name}: no chart: matplotlib is not installed: {REMEDY}")
    if arguments.write:
        report.put(arguments.docs, name, content)
        warn(f"{name}: written to {arguments.docs}")
    else:
        print(f"\n## {name}\n\n{content}", flush=True)


def machine() -> str:
    """Return what figures depend on besides the code: cores, system, versions."""
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    with contextlib.suppress(OSError, subprocess.CalledProcessError):  # no git, or no repository
        describe = ["git", "describe", "--always", "--dirty"]
        revision = subprocess.run(describe, cwd=ROOT, capture_output=True, text=True, check=True)
        versions.insert(0, f"commit {revision.stdout.strip()}")
    system = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return ", ".join([system, *versions])


def warn(message: str) -> None:
    """Tell the user something that is no part of the tables."""
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
