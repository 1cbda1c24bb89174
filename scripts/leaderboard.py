"""Compare the trials of one sweep, or of several.

python scripts/leaderboard.py logs/sweeps/first
python scripts/leaderboard.py logs/sweeps/first logs/sweeps/second --format markdown
python scripts/leaderboard.py logs/sweeps/* --format csv --output all.csv
"""

from __future__ import annotations

import argparse
import io
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from rosenblatt.errors import UserError, listed, nearest
from rosenblatt.run.whole import write_whole
from rosenblatt.sweeps.folder import SweepFolder
from rosenblatt.sweeps.leaderboard import Board, as_csv, as_markdown, leaderboard_table, ranked, table_of

KINDS = {".csv": "csv", ".md": "markdown"}


def main() -> None:
    """Print one leaderboard of all sweeps that are named, or write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweeps", nargs="+", type=Path, metavar="SWEEP", help="folder of a sweep")
    parser.add_argument("--format", choices=("table", "csv", "markdown"), help="table, or what the name of FILE says")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write it, instead of printing it")
    arguments = parser.parse_args()
    kind = arguments.format or ("table" if arguments.output is None else KINDS.get(arguments.output.suffix))
    if arguments.output is not None and kind in (None, "table"):
        parser.error(f"--output {arguments.output}: expected a name that ends in .csv or .md, or --format.")
    try:
        text = leaderboard(arguments.sweeps, str(kind))
        if arguments.output is None:
            print(text, end="")
        elif arguments.output.is_dir():
            raise UserError(f"--output {arguments.output}: this is a folder. Name a file.")
        else:
            write_whole(arguments.output, text.encode())
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}")


def leaderboard(paths: list[Path], kind: str) -> str:
    """Return the leaderboard as text.

    Args:
        paths: folders of sweeps.
        kind: ``table``, ``csv`` or ``markdown``.

    Raises:
        UserError: a folder is none of a sweep, or two were judged by different metrics.
    """
    rows, objectives = [], None
    for path in paths:
        content = SweepFolder(path).read()
        if not path.is_dir():
            others = [str(one.parent) for one in path.parent.glob("*/sweep.json")]
            raise UserError(f"{path}: there is no such folder.{nearest(str(path), others)}")
        if content is None:
            raise UserError(f"{path}: expected the folder of a sweep; it holds no sweep.json.")
        if objectives not in (None, content["objectives"]):
            raise UserError(
                f"{path}: its sweep was judged by {listed(content['objectives'])}, and {paths[0]} by "
                f"{listed(objectives or {})}. Compare them one by one."
            )
        objectives = content["objectives"]
        found = Board(path, objectives).rows()
        if len(paths) > 1:
            for row in found:
                row.trial = replace(row.trial, setting={"sweep": path.name, **row.trial.setting})
        rows += found
    rows = ranked(rows, objectives or {})
    if kind == "table":
        console = Console(file=io.StringIO(), width=Console().width)
        console.print(leaderboard_table(rows, objectives or {}, console.width))
        return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]
    table = table_of(rows, objectives or {})
    return as_csv(table) if kind == "csv" else as_markdown(table)


if __name__ == "__main__":
    main()
