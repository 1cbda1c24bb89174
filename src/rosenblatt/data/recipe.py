"""What ``auto`` means: the rules that read the training data and choose a setting, each in one place.

They were made on eight sets of texts, from surnames to film reviews, and none is made for one of them (docs/log.md).
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

Auto: TypeAlias = Literal["auto"]

UNSEEN = 0.02  # share of unseen words above which a text is read by its characters too
UNSEEN_NAMES = 0.2  # ... above which words say so little that characters are worth any time
MAX_CHARACTERS = 20_000_000  # of all training texts, above which character n-grams cost more time than they are worth
MAX_WEIGHTS = 16_000_000  # features times outputs


def char_ngrams_for(unseen: float, num_characters: int) -> int:
    """Return the longest character n-gram to use, or 0 for none.

    They help where many words of a new text were never seen, or only once: names, short texts, few texts, spelling
    mistakes, languages without spaces. Where each word has been seen often they bring nothing and take six times as
    long.

    Args:
        unseen: share of words of a new text that training has not seen (`rosenblatt.data.tokens.Words`).
        num_characters: of all training texts.
    """
    if unseen > UNSEEN_NAMES:
        return 5
    return 5 if unseen > UNSEEN and num_characters <= MAX_CHARACTERS else 0


def max_features_for(num_outputs: int) -> int:
    """Return how many features to keep: with hundreds of classes, each feature has hundreds of weights to learn."""
    return MAX_WEIGHTS // num_outputs


def batch_size_for(num_rows: int) -> int:
    """Return a power of two with which an epoch is about a hundred steps: enough to learn, few enough to be quick."""
    return 1 << min(12, max(2, round(math.log2(max(num_rows, 1) / 100))))
