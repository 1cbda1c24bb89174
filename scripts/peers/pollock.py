"""Read the files of Pollock (Vitagliano et al., VLDB 2023) with one reader, and score what it reads as Pollock does.

    python scripts/peers/pollock.py rosenblatt DATA/pollock     a checkout of HPI-Information-Systems/Pollock

Readers are told nothing but the path, and, where they know such a setting, to leave broken rows out.
"""

from __future__ import annotations

import csv
import functools
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

Rows = Sequence[Sequence[str]]


def rosenblatt(path: str) -> Rows:
    """Read a file as ``data.broken_rows=skip`` does."""
    from rosenblatt.data.columns import Columns

    frame = Columns(broken_rows="skip").read(path)
    names = ["" if name.startswith("(column ") else name for name in frame.columns]
    return [names, *([cell or "" for cell in row] for row in frame.rows())]


def polars(path: str) -> Rows:
    """Read all as strings, whatever a row has too much left out."""
    import polars as pl

    frame = pl.read_csv(path, infer_schema=False, truncate_ragged_lines=True, ignore_errors=True)
    names = ["" if name.startswith("_duplicated") else name for name in frame.columns]
    return [names, *([cell or "" for cell in row] for row in frame.rows())]


def pandas(path: str) -> Rows:
    """Read all as strings, rows with too many cells left out."""
    import pandas as pd

    frame = pd.read_csv(path, dtype=object, on_bad_lines="skip")
    return list(csv.reader(frame.to_csv(index=False).splitlines(keepends=True)))


def duckdb(path: str) -> Rows:
    """Read with what its sniffer finds, with the settings of Pollock's own script."""
    import duckdb

    found = duckdb.connect().read_csv(path, strict_mode=False, ignore_errors=True, null_padding=True, all_varchar=True)
    return [found.columns, *([cell or "" for cell in row] for row in found.fetchall())]


def clevercsv(path: str) -> Rows:
    """Read with the dialect that it finds."""
    import clevercsv

    with open(path, newline="", encoding="utf-8") as file:
        dialect = clevercsv.Sniffer().sniff(file.read())
        file.seek(0)
        return list(clevercsv.reader(file, dialect))


READERS: dict[str, Callable[[str], Rows]] = {
    one.__name__: one for one in (rosenblatt, polars, pandas, duckdb, clevercsv)
}


def main(reader: str, checkout: Path) -> None:
    """Print the score, and how many files were read right, refused, and read wrong without a word."""
    sys.path.insert(0, str(checkout))
    from pollock import metrics

    metrics.normalize_cell = functools.cache(metrics.normalize_cell)  # the same cells stand in all files
    logger, told = logging.getLogger("rosenblatt"), list[str]()
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    logger.propagate = False
    files, total = sorted((checkout / "polluted_files" / "csv").glob("*.csv")), 0.0
    count = dict.fromkeys(("right", "refused", "silent"), 0)
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            clean, loaded = checkout / "polluted_files" / "clean" / file.name, Path(folder) / file.name
            told.clear()
            try:
                rows = READERS[reader](str(file))
            except ImportError:
                raise
            except Exception:  # whatever else a reader raises is a refusal
                count["refused"] += 1
                continue
            with open(loaded, "w", newline="", encoding="utf-8") as target:
                csv.writer(target).writerows(rows)
            total += 1 + sum(metrics.header_record_cell_measures_csv(str(clean), str(loaded)))
            with open(clean, newline="", encoding="utf-8") as source:
                right = list(csv.reader(source)) == [list(row) for row in rows]
            count["right"] += right
            count["silent"] += not right and not told
    print(json.dumps({"score": total / len(files), "files": len(files), **count}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
