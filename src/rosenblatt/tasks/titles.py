"""The metrics that there are: what people call them, and how their figures are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

TITLES = {
    "loss": "loss",
    "acc": "accuracy",
    "p_at_1": "precision at 1",
    "r_at_1": "recall at 1",
    "f1": "F1",
    "f1_micro": "F1, micro",
    "precision": "precision",
    "recall": "recall",
    "auroc": "AUROC",
    "ap": "avg. precision",
    "ece": "calib. error",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R2",
    "score": "score",
    "inside": "inside intervals",
}

SPLIT_TITLES = {"train": "training", "val": "validation", "test": "test"}

COSTS = ("seconds", "seconds_training", "seconds_encoding", "epochs", "steps")  # of a whole run, and of no epoch
LOW = ("ece", "rmse", "mae", *COSTS)
HIGH = ("acc", "p_at_1", "r_at_1", "f1", "f1_micro", "precision", "recall", "auroc", "ap", "r2", "score")


def direction(metric: str) -> Literal["min", "max"] | None:
    """Return whether a metric is to be low or high; ``None`` where its name does not say it. A loss is to be low."""
    name = metric.rpartition("/")[2]
    if name.endswith("loss") or name in LOW:
        return "min"
    return "max" if name in HIGH else None


def shown(value: float | None) -> str:
    """Return a figure as text."""
    if value is None:  # what ranks rows is left out for some splits where there are many classes
        return "-"
    return f"{value:.3e}" if value >= 1e4 else f"{value:.4f}"  # a loss of a million would not fit into 80 columns


def interval(metrics: Mapping[str, float], key: str) -> str:
    """Return the 95 % interval of a metric as text; an empty one where there is none."""
    low, high = metrics.get(f"{key}_low"), metrics.get(f"{key}_high")
    return "" if low is None or high is None else f"{shown(low)}-{shown(high)}"
