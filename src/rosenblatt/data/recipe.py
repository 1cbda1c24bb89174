"""The rules that read the training data and choose a setting for texts, among them what ``auto`` means.

They were made on eight sets of texts, from surnames to film reviews (docs/log.md).
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

Auto: TypeAlias = Literal["auto"]

UNSEEN_NAMES = 0.2  # share of unseen words above which words say so little that characters are worth any time
MAX_CHARACTERS = 20_000_000  # of all training texts, above which character n-grams cost more time than they are worth
MAX_CHARACTER_WORK = 100_000_000  # characters times outputs, likewise
MAX_WEIGHTS = 16_000_000  # features times outputs: 64 MB, and four times that with what Adam would keep
MIN_FEATURES = 20_000  # kept whatever the outputs: fewer leave out words that many rows have
# L2 norm of a row, for each weighting that rows are scaled by: with it one learning rate suits all texts. With 1, as is
# usual for tf-idf, few epochs would not do (docs/log.md).
ROW_NORM = {"tfidf": 24.0, "log_count_ratio": 15.0}


def char_ngrams_for(unseen: float, num_characters: int, num_outputs: int) -> int:
    """Return the longest character n-gram to use, or 0 for none.

    They help wherever words are misspelt, inflected, or new. Where they cost too much they are left out, unless nearly
    all that a text says is in them: names, languages without spaces. Which share of the words of a new text will be
    ``unseen``, `rosenblatt.text.tokens.Words` has read off the training texts.
    """
    if unseen > UNSEEN_NAMES:
        return 5
    return 5 if num_characters <= min(MAX_CHARACTERS, MAX_CHARACTER_WORK // num_outputs) else 0


def weighting_for(num_classes: int) -> Literal["tfidf", "log_count_ratio"]:
    """Return what weighs: a ratio says for which of two classes a word speaks, of more less than how rare it is."""
    return "log_count_ratio" if num_classes <= 2 else "tfidf"


def max_features_for(num_outputs: int) -> int:
    """Return how many features to keep: with hundreds of classes, each feature has hundreds of weights to learn."""
    return max(MIN_FEATURES, MAX_WEIGHTS // num_outputs)


def batch_size_for(num_rows: int) -> int:
    """Return a power of two with which an epoch is about a hundred steps: enough to learn, few enough to be quick."""
    return 1 << min(12, max(2, round(math.log2(max(num_rows, 1) / 100))))
