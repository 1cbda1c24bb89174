"""Train and test tf-idf with a linear classifier of scikit-learn, and print accuracy and times as a line of JSON.

    python scripts/peers/tfidf.py train.parquet test.parquet --features words --classifier svm

Columns of the files: ``text``, and ``labels``, a list of one label or several a row. With several, there is a
classifier for each label, and the accuracy is P@1: the share of rows whose highest score is that of one of theirs.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.svm import LinearSVC

FEATURES: dict[str, dict[str, Any]] = {
    "words": {"ngram_range": (1, 2), "min_df": 2, "sublinear_tf": True},
    "characters": {"analyzer": "char_wb", "ngram_range": (1, 5), "sublinear_tf": True},
}
CLASSIFIERS: dict[str, Any] = {"svm": LinearSVC, "logistic": LogisticRegression}


def main() -> None:
    """Read, encode, train, test, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--features", choices=FEATURES, default="words")
    parser.add_argument("--classifier", choices=CLASSIFIERS, default="svm")
    arguments = parser.parse_args()
    times = [time.perf_counter()]
    train, test = pl.read_parquet(arguments.train), pl.read_parquet(arguments.test)
    vectorizer, classifier = TfidfVectorizer(**FEATURES[arguments.features]), CLASSIFIERS[arguments.classifier]()
    classifier.set_params(max_iter=1000)
    train_features = vectorizer.fit_transform(train["text"].to_list())
    test_features = vectorizer.transform(test["text"].to_list())
    times.append(time.perf_counter())
    train_labels, test_labels = train["labels"].to_list(), test["labels"].to_list()
    if any(len(labels) != 1 for labels in train_labels):
        if arguments.classifier == "logistic":
            classifier.set_params(solver="liblinear")  # many times faster with hundreds of labels of two classes each
        binarizer = MultiLabelBinarizer()
        classifier = OneVsRestClassifier(classifier).fit(train_features, binarizer.fit_transform(train_labels))
        times.append(time.perf_counter())
        best = np.argmax(classifier.decision_function(test_features), axis=1)  # (N,) of (N, num_labels)
        preds = binarizer.classes_[best]
    else:
        classifier.fit(train_features, [labels[0] for labels in train_labels])
        times.append(time.perf_counter())
        preds = classifier.predict(test_features)
    accuracy = sum(pred in labels for pred, labels in zip(preds, test_labels, strict=True)) / len(test_labels)
    times.append(time.perf_counter())
    encode, fit, predict = (later - earlier for earlier, later in pairwise(times))
    print(json.dumps({"accuracy": accuracy, "seconds_encode": encode, "seconds_train": fit, "seconds_test": predict}))


if __name__ == "__main__":
    main()
