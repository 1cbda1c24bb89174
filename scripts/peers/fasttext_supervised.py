"""Train and test fastText (package fasttext), and print accuracy and times as a line of JSON.

    python scripts/peers/fasttext_supervised.py train.ft test.ft --settings '{"wordNgrams": 2, "thread": 2}'

Lines of the files: ``__label__pos the words , split``, one or several labels. With several the accuracy is P@1: the
share of rows whose most probable label is one of theirs.
"""

from __future__ import annotations

import argparse
import json
import time

import fasttext


def main() -> None:
    """Train, test, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--settings", type=json.loads, default={}, help="arguments of train_supervised, as JSON")
    arguments = parser.parse_args()
    start = time.perf_counter()
    model = fasttext.train_supervised(arguments.train, verbose=0, **arguments.settings)
    trained = time.perf_counter()
    # Not model.predict: 0.9.3 asks NumPy for a view without a copy, which NumPy 2 refuses.
    num_rows, precision, _ = model.test(arguments.test)
    tested = time.perf_counter()
    result = {"accuracy": precision, "num_rows": num_rows}
    print(json.dumps(result | {"seconds_train": trained - start, "seconds_test": tested - trained}))


if __name__ == "__main__":
    main()
