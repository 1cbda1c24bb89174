"""Train and test a linear classifier of scikit-learn on a table: one-hot categories, scaled numbers.

    python scripts/peers/one_hot.py train.csv test.csv --label income --classifier logistic

Prints accuracy and times as a line of JSON. A missing word is a category, a missing number the mean.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import polars as pl
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

CLASSIFIERS: dict[str, Any] = {"svm": LinearSVC, "logistic": lambda: LogisticRegression(max_iter=1000)}


def main() -> None:
    """Read, encode, train, test, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--label", required=True, help="column with the class")
    parser.add_argument("--classifier", choices=CLASSIFIERS, default="logistic")
    arguments = parser.parse_args()
    start = time.perf_counter()
    train, test = (pl.read_csv(path, infer_schema_length=None) for path in (arguments.train, arguments.test))
    names = [name for name in train.columns if name != arguments.label]
    numbers = [name for name in names if train[name].dtype.is_numeric()]
    words = [name for name in names if name not in numbers]
    encoders = [one for one in ((OneHotEncoder(handle_unknown="ignore"), words), (StandardScaler(), numbers)) if one[1]]

    def encoded(frame: pl.DataFrame, fit: bool) -> Any:
        """Return the features (N, num_features) of a part; ``fit``: with what is learnt from it."""
        means = [pl.col(name).cast(pl.Float64).fill_null(train[name].mean()) for name in numbers]
        filled = frame.select(pl.col(words).fill_null(""), *means)
        parts = []
        for encoder, columns in encoders:
            part = filled.select(columns).to_numpy()
            parts.append(sparse.csr_array(encoder.fit_transform(part) if fit else encoder.transform(part)))
        return sparse.hstack(parts).tocsr()

    train_features, test_features = encoded(train, fit=True), encoded(test, fit=False)
    read = time.perf_counter()
    classifier = CLASSIFIERS[arguments.classifier]().fit(train_features, train[arguments.label].to_numpy())
    trained = time.perf_counter()
    accuracy = float(classifier.score(test_features, test[arguments.label].to_numpy()))
    tested = time.perf_counter()
    result = {"accuracy": accuracy, "seconds_encode": read - start}
    print(json.dumps(result | {"seconds_train": trained - read, "seconds_test": tested - trained}))


if __name__ == "__main__":
    main()
