"""Texts to bags: words, word n-grams and character n-grams, counted and weighted; fitted on the training split."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import polars as pl
import torch

from rosenblatt.data.columns import Columns
from rosenblatt.data.encoder import Encoder
from rosenblatt.data.features import Bags
from rosenblatt.data.recipe import Auto, char_ngrams_for, max_features_for, row_norm_for
from rosenblatt.errors import UserError, check_choice
from rosenblatt.text.counting import Counts, count, counted, in_stretches, only
from rosenblatt.text.ngrams import Channel, Ids, Ints, NGrams
from rosenblatt.text.tokens import Characters, Words
from rosenblatt.text.vocabulary import Channels, from_frame, names_of, sizes_of, to_frame
from rosenblatt.text.weighting import (
    Floats,
    Weighting,
    log_count_ratio,
    scale,
)

log = logging.getLogger(__name__)


@dataclass(eq=False)
class TextEncoder(Encoder):
    """Turns texts into `Bags`.

    Args:
        ngrams: longest word n-gram; 0 for no words.
        char_ngrams: longest character n-gram, over the text with a space at either end; 0 for none; ``"auto"``: 5 or
            none, by how many words of new texts will be unknown (`rosenblatt.data.recipe.char_ngrams_for`).
        min_count: how often a word or n-gram has to occur in the training split.
        max_features: keep that many of the most frequent features; ``None`` for all; ``"auto"``: as many as keep a
            linear model at 16 million weights.
        weighting: ``count`` (how often), ``binary`` (1), ``tfidf`` (``(1 + ln count) * (1 + ln((1 + N) / (1 + df)))``,
            as scikit-learn's sublinear tf-idf), or ``log_count_ratio`` (how much more frequent in one class than in
            the others, Wang & Manning 2012; for more than two classes the largest over the classes). Rows of the
            last two are scaled to one length, `rosenblatt.data.recipe.row_norm_for`.
        lowercase: whether ``Good`` and ``good`` are one word.

    Attributes:
        channels: words or characters, or both, and their n-grams; after `fit_transform`.
        kept: (number of n-grams,) the number of each as a feature, -1 for none; ``None``: all are features.
        feature_weights: (num_features,) what a feature weighs, before its row is scaled.
        row_norm: the L2 norm that each row is scaled to.

    Raises:
        UserError: both n-gram settings 0, or a setting out of range.
    """

    ngrams: int = 2
    char_ngrams: int | Auto = "auto"
    min_count: int = 2
    max_features: int | Auto | None = "auto"
    weighting: Weighting = "log_count_ratio"
    lowercase: bool = True

    def __post_init__(self) -> None:
        for name, least in (("ngrams", 0), ("char_ngrams", 0), ("min_count", 1), ("max_features", 1)):
            value = getattr(self, name)
            if isinstance(value, int) and value < least:
                raise UserError(f"data.{name}: expected a whole number of at least {least}; got {value}.")
        if self.ngrams == 0 and self.char_ngrams == 0:
            raise UserError("data.ngrams and data.char_ngrams are both 0, so there is nothing to learn from.")
        check_choice("data.weighting", self.weighting, get_args(Weighting))
        self.channels: Channels = []
        self.kept: Ids | None = None
        self.feature_weights: Floats = np.zeros(0, dtype=np.float32)
        self.row_norm = 1.0

    @property
    def num_features(self) -> int:
        """Size of the vocabulary."""
        return len(self.feature_weights)

    def fit_transform(self, texts: pl.Series, rows_of_class: Sequence[Ints], num_outputs: int = 1) -> Bags:
        """Choose the vocabulary and its weights, and encode the training texts.

        Args:
            texts: N strings.
            rows_of_class: the numbers of the rows of each class, for ``log_count_ratio``.
            num_outputs: of the model, for ``max_features="auto"``.

        Raises:
            UserError: no feature is left.
        """
        texts = texts.fill_null("")
        self.channels, found, read_as = [], [], []
        unseen = 1.0  # where no words are read, as good as all are unknown
        if self.ngrams:
            words = Words(self.min_count, self.lowercase)
            found.append(self._fit(words, self.ngrams, texts))
            unseen = words.unseen
            read_as.append(f"words{f' and their n-grams up to {self.ngrams}' if self.ngrams > 1 else ''}")
        char_ngrams = self.char_ngrams
        if char_ngrams == "auto":
            char_ngrams = char_ngrams_for(unseen, int(texts.str.len_chars().sum()))
        if char_ngrams:
            found.append(self._fit(Characters(self.lowercase), char_ngrams, texts))
            read_as.append(f"characters and their n-grams up to {char_ngrams}")
        estimated = self.ngrams and self.char_ngrams == "auto"
        rule = f" (about {unseen:.1%} of the words in new texts will be unknown)" if estimated else ""
        log.info("Texts are read as %s%s.", " and as ".join(read_as), rule)

        self.kept = None
        found_counts = count(found, None, self._with_counts)
        del found  # as large as the bags
        num_ngrams = sum(sum(ngrams.sizes) for _, ngrams in self.channels)
        frequency = counted(found_counts.ids, found_counts.offsets, num_ngrams)
        most = max_features_for(num_outputs) if self.max_features == "auto" else self.max_features
        if most is not None and most < len(frequency):
            if self.max_features == "auto":
                log.info(
                    "Of %s features the %s most frequent are kept, since each has %s weights to learn "
                    "(data.max_features).", f"{len(frequency):,}", f"{most:,}", f"{num_outputs:,}",
                )  # fmt: skip
            order = np.sort(np.argsort(-frequency, kind="stable")[:most])
            self.kept = np.full(len(frequency), -1, dtype=np.int32)
            self.kept[order] = np.arange(len(order))
            frequency = frequency[order]
            found_counts = only(found_counts, self.kept)
        if len(frequency) == 0:
            raise UserError(
                f"The vocabulary is empty: no word or n-gram occurs {self.min_count} times in the "
                f"{len(texts):,} training texts. Try data.min_count=1, or data.char_ngrams=4 where texts are "
                "single words."
            )
        if self.weighting == "tfidf":
            # As scikit-learn's TfidfTransformer(smooth_idf=True).
            self.feature_weights = (1 + np.log((1 + len(texts)) / (1 + frequency))).astype(np.float32)
        elif self.weighting == "log_count_ratio":
            self.feature_weights = log_count_ratio(found_counts.ids, found_counts.offsets, frequency, rows_of_class)
        else:
            self.feature_weights = np.ones(len(frequency), dtype=np.float32)
        self.row_norm = row_norm_for(len(texts))
        return self._weigh(found_counts)

    def transform(self, texts: pl.Series) -> Bags:
        """Encode N texts; words that were not seen in training are left out, so that a bag may be empty."""
        texts = texts.fill_null("")
        found = [ngrams.transform(symbols.transform(texts)) for symbols, ngrams in self.channels]
        return self._weigh(count(found, self.kept, self._with_counts))

    @property
    def _with_counts(self) -> bool:
        return self.weighting in ("count", "tfidf")

    def _fit(self, symbols: Words | Characters, max_n: int, texts: pl.Series) -> Channel:
        sequences, ngrams = symbols.fit(texts), NGrams(max_n, self.min_count)
        self.channels.append((symbols, ngrams))
        return ngrams.fit(sequences, len(symbols.names))

    def _weigh(self, found: Counts) -> Bags:
        weights = np.empty(len(found.ids), dtype=np.float32)

        def weigh_rows(first: int, last: int) -> None:
            start, stop = found.offsets[first], found.offsets[last]
            some = weights[start:stop]
            np.take(self.feature_weights, found.ids[start:stop], out=some, mode="clip")  # with raise, it copies
            if found.counts is not None:
                counts = found.counts[start:stop]
                some *= counts if self.weighting == "count" else 1 + np.log(counts, dtype=np.float32)
            if self.weighting in ("tfidf", "log_count_ratio"):
                scale(some, found.offsets[first : last + 1] - start, self.row_norm)

        for _ in in_stretches(weigh_rows, found.offsets):
            pass
        return Bags(torch.from_numpy(found.ids), torch.from_numpy(weights), torch.from_numpy(found.offsets))

    def facts(self) -> dict[str, Any]:
        """Return what was learnt, as JSON takes it, but for `vocabulary`."""
        return {"row_norm": self.row_norm, "sizes": sizes_of(self.channels)}

    def vocabulary(self) -> pl.DataFrame:
        """Return every n-gram and its weight; see `rosenblatt.text.vocabulary.to_frame`."""
        return to_frame(self.channels, self.kept, self.feature_weights)

    def learn(self, facts: dict[str, Any], vocabulary: pl.DataFrame | None) -> None:
        """Take back what `facts` and `vocabulary` returned."""
        if vocabulary is None:
            raise ValueError("there is no vocabulary")
        self.row_norm = float(facts["row_norm"])
        learnt = from_frame(vocabulary, facts["sizes"], self.min_count, self.lowercase)
        self.channels, self.kept, self.feature_weights = learnt

    def encode(self, frame: pl.DataFrame, columns: Columns, where: str) -> Bags:
        """Encode the texts of N rows."""
        return self.transform(columns.texts_of(frame, where))

    def names(self, numbers: Ints | None = None) -> list[str]:
        """Return features as text, by number; all of them by default."""
        return names_of(self.channels, self.kept, np.arange(self.num_features) if numbers is None else numbers)
