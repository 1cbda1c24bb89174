"""Train and test Vowpal Wabbit (package vowpalwabbit), and print accuracy and times as a line of JSON.

    python scripts/peers/vowpal_wabbit.py train.vw test.vw --arguments="--ngram w2 -b 24 --passes 6"
    python scripts/peers/vowpal_wabbit.py train.vw test.vw --arguments="--oaa 6 --ngram w2"

Lines of the files: ``1 |w the words`` and ``-1 |w the words``; with --oaa, classes from 1 on. Model, cache and
predictions are written to a folder in the current one, and removed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import vowpalwabbit


def main() -> None:
    """Train, test, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--arguments", default="", help="of the vw command")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        model, cache, predictions = (str(Path(folder, name)) for name in ("model", "cache", "predictions"))
        start = time.perf_counter()
        saved = ["-c", "--cache_file", cache, "-k", "-f", model]
        run(["-d", arguments.train, *saved, "--loss_function", "logistic", *arguments.arguments.split()])
        trained = time.perf_counter()
        run(["-d", arguments.test, "-i", model, "-t", "-p", predictions])
        tested = time.perf_counter()
        right = share_right(Path(arguments.test), Path(predictions), many="--oaa" in arguments.arguments)
    print(json.dumps({"accuracy": right, "seconds_train": trained - start, "seconds_test": tested - trained}))


def run(arguments: list[str]) -> None:
    """Do what the command line of the same arguments does: with a data file, the constructor works through it."""
    vowpalwabbit.Workspace(arg_list=[*arguments, "--quiet"]).finish()


def share_right(test: Path, predictions: Path, many: bool) -> float:
    """Return the share of rows whose prediction is right.

    Args:
        test: the file with the true classes.
        predictions: a number a line: the class with ``many``, a logit without.
        many: whether there may be more than two classes.
    """
    num_rows = num_right = 0
    with test.open(encoding="utf-8") as rows, predictions.open(encoding="utf-8") as numbers:
        for row, number in zip(rows, numbers, strict=True):
            target, pred = int(row.split(maxsplit=1)[0]), float(number.split()[0])
            num_right += target == pred if many else (target > 0) == (pred > 0)
            num_rows += 1
    return num_right / num_rows


if __name__ == "__main__":
    main()
