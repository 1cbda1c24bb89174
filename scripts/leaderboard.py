"""Compare the trials of one sweep, or of several.

python scripts/leaderboard.py logs/sweeps/first
python scripts/leaderboard.py logs/sweeps/first logs/sweeps/second --format markdown
python scripts/leaderboard.py logs/sweeps/* --format csv --output all.csv
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from rosenblatt.errors import UserError, listed
from rosenblatt.sweeps.board import Board
from rosenblatt.sweeps.folder import SweepFolder
from rosenblatt.sweeps.leaderboard import as_csv, as_markdown, leaderboard_table, ranked, table_of
from rosenblatt.whole import write_whole


def main() -> None:
    """Print one leaderboard of all sweeps that are named, or write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweeps", nargs="+", type=Path, metavar="SWEEP", help="folder of a sweep")
    parser.add_argument("--format", choices=("table", "csv", "markdown"), default="table")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write it, instead of printing it")
    arguments = parser.parse_args()
    try:
        text = leaderboard(arguments.sweeps, arguments.format)
        if text is not None and arguments.output is None:
            print(text, end="")
        elif text is not None:
            write_whole(arguments.output, text.encode())
        elif arguments.output is not None:
            raise UserError("--output: expected --format csv or markdown with it.")
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}")


def leaderboard(paths: list[Path], kind: str) -> str | None:
    """Return the leaderboard as text, or print it as a table.

    Args:
        paths: folders of sweeps.
        kind: ``table``, ``csv`` or ``markdown``.

    Raises:
        UserError: a folder is none of a sweep, or two were judged by different metrics.
    """
    rows, objectives = [], None
    for path in paths:
        content = SweepFolder(path).read()
        if content is None:
            raise UserError(f"{path}: expected the folder of a sweep; it holds no sweep.json.")
        if objectives not in (None, content["objectives"]):
            raise UserError(
                f"{path}: its sweep was judged by {listed(content['objectives'])}, and {paths[0]} by "
                f"{listed(objectives or [])}. Compare them one by one."
            )
        objectives = content["objectives"]
        found = Board(path, objectives).rows()
        if len(paths) > 1:
            for row in found:
                row.folders = [f"{path.name}/{name}" for name in row.folders]
        rows += found
    rows = ranked(rows, objectives or [])
    if kind == "table":
        Console().print(leaderboard_table(rows, objectives or []))
        return None
    table = table_of(rows, objectives or [])
    return as_csv(table) if kind == "csv" else as_markdown(table)


if __name__ == "__main__":
    main()
