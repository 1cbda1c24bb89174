"""What figures cost: the same runs with them, as by default, and without."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import contestants
from benchmarks.contest import Case
from benchmarks.report import Summaries, outcome, paragraph, seconds, table
from benchmarks.suites import Options, Skipped, Suite

NOTE = """\
Whole processes. Figures are drawn by a process of their own, beside training where a core is free, and beside the
bootstrap intervals at the end; "CPU" counts both."""


def cases(options: Options) -> Iterator[Case]:
    """Compare runs of some seconds: with longer ones figures weigh less."""
    found = {"toy": ["lr=0.01"]}
    for name in ("sst2", "imdb"):
        try:
            folder = options.folder(name) / name
        except Skipped as reason:
            options.warn(f"figures: {name} is left out: {reason}")
            continue
        files = {split: next(folder.glob(f"{split}.*"), None) for split in ("train", "val", "test")}
        found[name] = ["data=text", *(contestants.setting(f"data.{k}", path) for k, path in files.items() if path)]
    for name, settings in found.items():
        yield Case(
            name, tuple(contestants.ours([*settings, f"figures={way}"], name=way) for way in ("none", "default"))
        )


def tables(found: Summaries) -> str:
    """Return times and their ratios."""
    rows = []
    for case, ones in found.items():
        base = ones.get("none")
        for name, one in ones.items():
            share = f"{100 * (one.wall / base.wall - 1):+.1f} %" if base is not None else "-"
            rows.append([case, name, outcome(one, seconds(one.wall)), share, seconds(one.cpu)])
    return "\n\n".join([table(["run", "figures=", "wall", "more", "CPU"], rows), paragraph(NOTE)])


SUITE = Suite("what figures cost", cases, tables)
