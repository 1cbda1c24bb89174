"""Which rows train, which choose (validation) and which are reported (test)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from rosenblatt.data.features import SPLITS
from rosenblatt.errors import UserError, listed

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
}


def check_fractions(fractions: Sequence[float]) -> None:
    """Raise a `UserError` unless these are the shares of train, val and test."""
    good = len(fractions) == 3 and all(0 <= share < 1 for share in fractions) and abs(sum(fractions) - 1) < 1e-6
    if not good or fractions[0] == 0 or fractions[1] == 0:
        raise UserError(
            "data.fractions: expected the shares of train, val and test, which sum to 1, the first two above 0, "
            f"such as [0.8,0.1,0.1]; got {list(fractions)}, which sum to {sum(fractions):g}."
        )


def by_column(frame: pl.DataFrame, column: str, where: str) -> dict[str, pl.DataFrame]:
    """Split a frame by the column that names the split of each row.

    Raises:
        UserError: a name that is no split, or no row to train on.
    """
    names = frame[column].cast(pl.String).str.strip_chars().str.to_lowercase()
    unknown = names.filter(~names.is_in(list(SPLIT_NAMES)) | names.is_null())
    if len(unknown):
        raise UserError(
            f"{where}: column {column!r} should name a split ({listed(SPLIT_NAMES)}); {len(unknown):,} rows have "
            f"{listed(unknown.unique().sort())}. Correct them, or set data.split_column=null to ignore the column."
        )
    parts = {}
    for split in SPLITS:
        part = frame.filter(names.is_in([name for name, meant in SPLIT_NAMES.items() if meant == split]))
        if part.height:
            parts[split] = part
    if "train" not in parts:
        raise UserError(f"{where}: no row of column {column!r} says 'train'.")
    return parts


def by_fractions(labels: pl.Series | int, shares: dict[str, float], seed: int) -> dict[str, np.ndarray]:
    """Divide rows among splits at random, each class (its first label, where there are several) alike.

    Args:
        labels: N lists of strings, or N where there are no classes.
        shares: share of the rows for each split; ``"train"`` among them. They are made to sum to 1.
        seed: of the draw.

    Returns:
        Row numbers of each split, ascending. Each class has a row in train; but for that, sizes are right to a
        few rows.
    """
    num_rows = labels if isinstance(labels, int) else len(labels)
    class_of = (
        np.zeros(num_rows) if isinstance(labels, int) else labels.list.first().fill_null("").rank("dense").to_numpy()
    )
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(num_rows)
    codes = class_of[shuffled]
    # Rows in random order within a class, class after class: every stretch of it is a stratified sample, so that
    # taking rows at even steps keeps both the classes and the sizes right.
    ordered = shuffled[np.argsort(codes, kind="stable")]
    codes = np.sort(codes)
    first_of_class = np.append(True, codes[1:] != codes[:-1])
    total = sum(shares.values())
    bounds = np.cumsum([shares[split] / total for split in shares])
    step = (np.sqrt(5) - 1) / 2  # golden ratio: its multiples, modulo 1, fill [0, 1) evenly from the first on
    position = (rng.random() + step * np.arange(num_rows)) % 1
    number = np.searchsorted(bounds[:-1], position, side="right")
    number[first_of_class] = list(shares).index("train")
    return {split: np.sort(ordered[number == i]) for i, split in enumerate(shares)}
