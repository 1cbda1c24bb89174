"""Texts to bags: words, word n-grams and character n-grams, counted and weighted; fitted on the training split."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from rosenblatt.data.ngrams import Ids, Ints, NGrams
from rosenblatt.data.tokens import Characters, Words
from rosenblatt.errors import UserError, check_choice
from rosenblatt.spec import Bags

Weighting: TypeAlias = Literal["count", "binary", "tfidf", "log_count_ratio"]
Floats = NDArray[np.float32]

# With rows of norm 1, as is usual for tf-idf, weights must grow to tens, which takes Adam at its own lr of 0.001
# tens of epochs; at norm 10 the same lr is right for texts of any length (docs/log.md).
ROW_NORM = 10.0


class TextEncoder:
    """Turns texts into `Bags`.

    Args:
        ngrams: longest word n-gram; 0 for no words.
        char_ngrams: longest character n-gram, over the text with a space at either end; 0 for none.
        min_count: how often a word or n-gram has to occur in the training split.
        max_features: keep that many of the most frequent features; ``None`` for all.
        weighting: ``count`` (how often), ``binary`` (1), ``tfidf`` (``(1 + ln count) * (1 + ln((1 + N) / (1 + df)))``,
            as scikit-learn's sublinear tf-idf), or ``log_count_ratio`` (how much more frequent in one class than in
            the others, Wang & Manning 2012; for more than two classes the largest over the classes). Rows of the
            last two are scaled to one length, `ROW_NORM`.
        lowercase: whether ``Good`` and ``good`` are one word.

    Raises:
        UserError: both n-gram settings 0, or a setting out of range.
    """

    def __init__(
        self,
        ngrams: int = 2,
        char_ngrams: int = 0,
        min_count: int = 2,
        max_features: int | None = None,
        weighting: Weighting = "tfidf",
        lowercase: bool = True,
    ) -> None:
        for name, value, least in (("ngrams", ngrams, 0), ("char_ngrams", char_ngrams, 0), ("min_count", min_count, 1)):
            if value < least:
                raise UserError(f"data.{name}: expected a whole number of at least {least}; got {value}.")
        if max_features is not None and max_features < 1:
            raise UserError(f"data.max_features: expected null or a whole number of at least 1; got {max_features}.")
        if ngrams == 0 and char_ngrams == 0:
            raise UserError("data.ngrams and data.char_ngrams are both 0, so there is nothing to learn from.")
        check_choice("data.weighting", weighting, get_args(Weighting))
        self.min_count = min_count
        self.max_features = max_features
        self.weighting: Weighting = weighting
        self.lowercase = lowercase
        self.channels: list[tuple[Words | Characters, NGrams]] = []
        if ngrams:
            self.channels.append((Words(min_count), NGrams(ngrams, min_count)))
        if char_ngrams:
            self.channels.append((Characters(), NGrams(char_ngrams, min_count)))
        self.feature_weights: Floats = np.zeros(0, dtype=np.float32)  # (num_features,)

    @property
    def num_features(self) -> int:
        """Size of the vocabulary."""
        return len(self.feature_weights)

    def fit_transform(self, texts: pl.Series, membership: Floats) -> Bags:
        """Choose the vocabulary and its weights, and encode the training texts.

        Args:
            texts: N strings.
            membership: (N, num_classes) of 0 and 1, for ``log_count_ratio``.

        Raises:
            UserError: no feature is left.
        """
        texts = self._clean(texts)
        numbers = [ngrams.fit(symbols.fit(texts), symbols.num_symbols) for symbols, ngrams in self.channels]
        self.kept = np.arange(sum(ngrams.num_ngrams for _, ngrams in self.channels), dtype=np.int32)
        rows, ids, counts = self._count(numbers)
        frequency = np.bincount(ids, minlength=len(self.kept))  # (num_features,) rows that hold it
        if self.max_features is not None and self.max_features < len(self.kept):
            order = np.argsort(-frequency, kind="stable")[: self.max_features]
            self.kept = np.full(len(frequency), -1, dtype=np.int32)
            self.kept[np.sort(order)] = np.arange(len(order))
            keep = self.kept[ids] >= 0
            rows, ids, counts = rows[keep], self.kept[ids[keep]], counts[keep]
            frequency = frequency[np.sort(order)]
        if len(frequency) == 0:
            raise UserError(
                f"The vocabulary is empty: no word or n-gram occurs {self.min_count} times in the {len(texts):,} "
                "training texts. Try data.min_count=1, or data.char_ngrams=4 where texts are single words."
            )
        if self.weighting == "tfidf":
            # As scikit-learn's TfidfTransformer(smooth_idf=True).
            self.feature_weights = (1 + np.log((1 + len(texts)) / (1 + frequency))).astype(np.float32)
        elif self.weighting == "log_count_ratio":
            self.feature_weights = log_count_ratio(rows, ids, membership, len(frequency))
        else:
            self.feature_weights = np.ones(len(frequency), dtype=np.float32)
        return self._weigh(rows, ids, counts, len(texts))

    def transform(self, texts: pl.Series) -> Bags:
        """Encode N texts; words that were not seen in training are left out, so that a bag may be empty."""
        texts = self._clean(texts)
        numbers = [ngrams.transform(symbols.transform(texts)) for symbols, ngrams in self.channels]
        return self._weigh(*self._count(numbers), len(texts))

    def _clean(self, texts: pl.Series) -> pl.Series:
        texts = texts.fill_null("")
        return texts.str.to_lowercase() if self.lowercase else texts

    def _count(self, numbers: list[list[tuple[Ids, Ids]]]) -> tuple[Ints, Ids, Ints]:
        """Return row, feature and count of each distinct pair of a row and a feature, ordered by both."""
        total = len(self.kept)
        keys, base = [], 0
        for (_, ngrams), levels in zip(self.channels, numbers, strict=True):
            for (rows, ids), size in zip(levels, ngrams.sizes, strict=True):
                keys.append(rows.astype(np.int64) * total + (ids + base))
                base += size
        ordered = np.concatenate(keys)
        ordered.sort()
        ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1) if len(ordered) else ordered
        row, raw = np.divmod(ordered[ends], max(total, 1))
        counts: Ints = np.diff(ends, prepend=-1)
        feature = self.kept[raw]
        known = feature >= 0
        return (row, feature, counts) if known.all() else (row[known], feature[known], counts[known])

    def _weigh(self, rows: Ints, ids: Ids, counts: Ints, num_rows: int) -> Bags:
        weights = self.feature_weights[ids]
        if self.weighting == "count":
            weights = weights * counts
        elif self.weighting == "tfidf":
            weights = weights * (1 + np.log(counts, dtype=np.float32))
        if self.weighting in ("tfidf", "log_count_ratio"):
            weights = scaled(weights, rows, num_rows)
        offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=num_rows))])
        return Bags(torch.from_numpy(ids), torch.from_numpy(weights.astype(np.float32)), torch.from_numpy(offsets))

    def names(self) -> list[str]:
        """Return every feature as text, by number."""
        names: list[str] = []
        for symbols, ngrams in self.channels:
            names += [
                symbols.show(ngrams.symbols_of(n, i)) for n, size in enumerate(ngrams.sizes, 1) for i in range(size)
            ]
        return [name for name, number in zip(names, self.kept, strict=True) if number >= 0]


def log_count_ratio(rows: Ints, ids: Ids, membership: Floats, num_features: int) -> Floats:
    """Return how telling each feature is: the largest ``|ln(p / q)|`` over the classes.

    ``p`` is the share of a feature in all (row, feature) pairs of a class, ``q`` the share in those of all other
    classes, each count plus one (Wang & Manning 2012, equation for r).

    Args:
        rows: (nnz,) row of each pair.
        ids: (nnz,) feature of each pair.
        membership: (N, num_classes) of 0 and 1.
        num_features: size of the vocabulary.
    """
    total = np.bincount(ids, minlength=num_features) + 2.0
    largest = np.zeros(num_features)
    opposite = membership.shape[1] == 2 and (membership.sum(axis=1) == 1).all()  # then r of one is -r of the other
    for k in range(1 if opposite else membership.shape[1]):
        inside = np.bincount(ids, weights=membership[rows, k], minlength=num_features) + 1
        p, q = inside / inside.sum(), (total - inside) / (total - inside).sum()
        largest = np.maximum(largest, np.abs(np.log(p / q)))
    return largest.astype(np.float32)


def scaled(weights: Floats, rows: Ints, num_rows: int) -> Floats:
    """Scale each row to an L2 norm of `ROW_NORM`, so that a long text weighs as much as a short one."""
    norms = np.sqrt(np.bincount(rows, weights=weights.astype(np.float64) ** 2, minlength=num_rows))
    return (weights * (ROW_NORM / np.maximum(norms, 1e-12))[rows]).astype(np.float32)
