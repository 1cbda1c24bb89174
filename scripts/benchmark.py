"""Measure the README's commands on real data, whole processes, and print the table of docs/benchmarks.md.

    python scripts/benchmark.py DATA_FOLDER            all sets
    python scripts/benchmark.py DATA_FOLDER sst2 trec  some of them

DATA_FOLDER holds a folder for each set, as CASES names them. Every run leaves its folder in logs/benchmark.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# arguments with {} for the folder of the set, and the metric to report
CASES = {
    "imdb": ("data=text data.train={}/train.parquet data.test={}/test.parquet", "acc"),
    "sst2": ("data=text data.train={}/train.csv data.val={}/val.csv data.test={}/test.csv", "acc"),
    "trec": ("data=text data.train={}/train.csv data.test={}/test.csv", "acc"),
    "surnames": (
        "data=text data.train={}/surnames_with_splits.csv data.text_column=surname data.label_column=nationality "
        "data.ngrams=0 data.char_ngrams=5",
        "acc",
    ),
    "cooking": ("data=text data.train={}/train.txt data.test={}/test.txt", "p_at_1"),
    "adult": ("data=table data.train={}/train.csv data.test={}/test.csv data.label_column=income", "acc"),
}


def main() -> None:
    """Run the cases one after the other: two at a time would measure each other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds a folder for each set")
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"some of: {', '.join(CASES)} (default: all)")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.sets if name not in CASES]
    if unknown:
        parser.error(f"no such set: {', '.join(unknown)}; there are {', '.join(CASES)}")
    print("| data | metric | test | majority class | epochs | wall time |\n|---|---|---|---|---|---|")
    for name in arguments.sets or CASES:
        print(measured(name, arguments.folder / name), flush=True)


def measured(name: str, folder: Path) -> str:
    """Train and evaluate on one set, and return its row of the table."""
    if not folder.is_dir():
        return f"| {name} | - | {folder} is not there | | | |"
    options, metric = CASES[name]
    with tempfile.TemporaryDirectory() as temporary:
        if name == "cooking" and not (folder / "train.txt").exists():
            folder = cooking_splits(folder, Path(temporary))
        run = ROOT / "logs" / "benchmark" / f"{name}-{time.time_ns()}"
        words = [*options.replace("{}", str(folder.resolve())).split(), f"hydra.run.dir={run}"]
        start = time.perf_counter()
        done = subprocess.run([sys.executable, str(ROOT / "train.py"), *words], capture_output=True, text=True)
        seconds = time.perf_counter() - start
    if done.returncode:
        return f"| {name} | {metric} | failed: {done.stderr.strip().splitlines()[-1]} | | | |"
    found = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return (
        f"| {name} | {metric} | {found[f'test/{metric}']:.4f} | {found[f'test/baseline_{metric}']:.4f} "
        f"| {found['best_epoch']} of {found['epochs']} | {seconds:.1f} s |"
    )


def cooking_splits(folder: Path, target: Path) -> Path:
    """Divide the file of fastText's tutorial as the tutorial does: the first 12,404 lines, the last 3,000."""
    lines = (folder / "cooking.stackexchange.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    (target / "train.txt").write_text("".join(lines[:12_404]), encoding="utf-8")
    (target / "test.txt").write_text("".join(lines[-3_000:]), encoding="utf-8")
    return target


if __name__ == "__main__":
    main()
