"""Train and test a model for tables at its defaults, and print accuracy (of numbers RMSE) and times as a line of JSON.

    python scripts/peers/table_models.py train.csv test.csv --label income --model boosting

Models: ``boosting``, scikit-learn's HistGradientBoosting, which is told which columns are categories; ``realmlp`` and
``tabm`` of pytabkit, on the CPU.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import pandas as pd

MODELS = {
    "boosting": ("sklearn.ensemble", "HistGradientBoosting{}", {"categorical_features": "from_dtype"}),
    "realmlp": ("pytabkit", "RealMLP_TD_{}", {"device": "cpu"}),
    "tabm": ("pytabkit", "TabM_D_{}", {"device": "cpu"}),
}


def main() -> None:
    """Read, train, test, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--label", required=True, help="column with the class or the number")
    parser.add_argument("--model", choices=MODELS, default="boosting")
    parser.add_argument("--numbers", action="store_true", help="the label is a number to predict")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    module, name, settings = MODELS[arguments.model]
    kind = "Regressor" if arguments.numbers else "Classifier"
    made: Any = getattr(__import__(module, fromlist=[kind]), name.format(kind))(random_state=arguments.seed, **settings)
    start = time.perf_counter()
    train, test = pd.read_csv(arguments.train), pd.read_csv(arguments.test)
    target, expected = train.pop(arguments.label), test.pop(arguments.label)
    for column in train.select_dtypes(exclude="number"):
        if arguments.model == "boosting":
            train[column] = train[column].astype("category")
            test[column] = pd.Categorical(test[column], categories=train[column].cat.categories)
        else:
            train[column], test[column] = train[column].astype(str), test[column].astype(str)
    read = time.perf_counter()
    made.fit(train, target.to_numpy())
    trained = time.perf_counter()
    preds = np.asarray(made.predict(test)).reshape(-1)
    errors = preds - expected.to_numpy() if arguments.numbers else preds != expected.to_numpy()
    result = float(np.sqrt(np.mean(errors**2))) if arguments.numbers else 1 - float(np.mean(errors))
    seconds = {"seconds_encode": read - start, "seconds_train": trained - read}
    print(json.dumps({"accuracy": result, **seconds, "seconds_test": time.perf_counter() - trained}))


if __name__ == "__main__":
    main()
