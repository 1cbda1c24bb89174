"""The rules that read the training data and choose a setting for texts, among them what ``auto`` means.

They were made on eight sets of texts, from surnames to film reviews (docs/log.md).
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

Auto: TypeAlias = Literal["auto"]

UNSEEN = 0.02  # share of unseen words above which a text is read by its characters too
UNSEEN_NAMES = 0.2  # ... above which words say so little that characters are worth any time
MAX_CHARACTERS = 20_000_000  # of all training texts, above which character n-grams cost more time than they are worth
MAX_WEIGHTS = 16_000_000  # features times outputs: 256 MB with their gradients and Adam's two moments
MIN_FEATURES = 20_000  # kept whatever the outputs: fewer leave out words that many rows have
# Length of a row of up to 5,000 training rows. With 1, as is usual for tf-idf, weights must grow to tens, which takes
# Adam at its own lr of 0.001 tens of epochs; at 20 the same lr is right for texts of any length (docs/log.md).
ROW_NORM = 20.0


def char_ngrams_for(unseen: float, num_characters: int) -> int:
    """Return the longest character n-gram to use, or 0 for none.

    They help where many words of a new text were never seen, or only once: names, short texts, few texts, spelling
    mistakes, languages without spaces. Where each word has been seen often they bring nothing, and encoding takes nine
    times as long. Which share is ``unseen``, `rosenblatt.text.tokens.Words` has read off the training texts.
    """
    if unseen > UNSEEN_NAMES:
        return 5
    return 5 if unseen > UNSEEN and num_characters <= MAX_CHARACTERS else 0


def max_features_for(num_outputs: int) -> int:
    """Return how many features to keep: with hundreds of classes, each feature has hundreds of weights to learn."""
    return max(MIN_FEATURES, MAX_WEIGHTS // num_outputs)


def batch_size_for(num_rows: int) -> int:
    """Return a power of two with which an epoch is about a hundred steps: enough to learn, few enough to be quick."""
    return 1 << min(12, max(2, round(math.log2(max(num_rows, 1) / 100))))


def row_norm_for(num_rows: int) -> float:
    """Return how long to make each row of so many training rows.

    An epoch is a hundred steps however many rows there are (`batch_size_for`), while more rows bear out larger weights;
    longer rows get there in as few epochs.
    """
    return ROW_NORM * min(4.0, max(1.0, math.sqrt(num_rows / 5000)))
