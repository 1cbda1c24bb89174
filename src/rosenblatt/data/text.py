"""Texts to bags: words, word n-grams and character n-grams, counted and weighted; fitted on the training split."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from rosenblatt.data.ngrams import Ids, Ints, NGrams
from rosenblatt.data.tokens import Characters, Words, offsets_of
from rosenblatt.errors import UserError, check_choice
from rosenblatt.spec import Bags

Weighting: TypeAlias = Literal["count", "binary", "tfidf", "log_count_ratio"]
Floats = NDArray[np.float32]

# With rows of norm 1, as is usual for tf-idf, weights must grow to tens, which takes Adam at its own lr of 0.001
# tens of epochs; at norm 10 the same lr is right for texts of any length (docs/log.md).
ROW_NORM = 10.0

CHUNK = 500_000  # tokens that a thread sorts at a time: they fit into the cache


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
        found = [
            (ngrams.fit(sequences, symbols.num_symbols), sequences.offsets)
            for symbols, ngrams in self.channels
            for sequences in [symbols.fit(texts)]
        ]
        self.kept = np.arange(sum(ngrams.num_ngrams for _, ngrams in self.channels), dtype=np.int32)
        ids, counts, offsets = self._count(found)
        frequency = np.bincount(ids, minlength=len(self.kept))  # (num_features,) rows that hold it
        if self.max_features is not None and self.max_features < len(self.kept):
            order = np.sort(np.argsort(-frequency, kind="stable")[: self.max_features])
            self.kept = np.full(len(frequency), -1, dtype=np.int32)
            self.kept[order] = np.arange(len(order))
            frequency = frequency[order]
            ids, counts, offsets = self._count(found)
        if len(frequency) == 0:
            raise UserError(
                f"The vocabulary is empty: no word or n-gram occurs {self.min_count} times in the {len(texts):,} "
                "training texts. Try data.min_count=1, or data.char_ngrams=4 where texts are single words."
            )
        if self.weighting == "tfidf":
            # As scikit-learn's TfidfTransformer(smooth_idf=True).
            self.feature_weights = (1 + np.log((1 + len(texts)) / (1 + frequency))).astype(np.float32)
        elif self.weighting == "log_count_ratio":
            rows = np.repeat(np.arange(len(texts), dtype=np.int32), np.diff(offsets))
            self.feature_weights = log_count_ratio(rows, ids, membership, len(frequency))
        else:
            self.feature_weights = np.ones(len(frequency), dtype=np.float32)
        return self._weigh(ids, counts, offsets)

    def transform(self, texts: pl.Series) -> Bags:
        """Encode N texts; words that were not seen in training are left out, so that a bag may be empty."""
        texts = self._clean(texts)
        found = [
            (ngrams.transform(sequences), sequences.offsets)
            for symbols, ngrams in self.channels
            for sequences in [symbols.transform(texts)]
        ]
        return self._weigh(*self._count(found))

    def _clean(self, texts: pl.Series) -> pl.Series:
        texts = texts.fill_null("")
        return texts.str.to_lowercase() if self.lowercase else texts

    def _count(self, found: list[tuple[list[Ids], Ints]]) -> tuple[Ids, Ids, Ints]:
        """Count each feature in each row.

        Args:
            found: for words and for characters, what `NGrams.transform` gave, and the offsets of the rows in it.

        Returns:
            Features, ascending within a row and each once, (nnz,); how often each occurs in its row, (nnz,); and the
            offsets of the rows in both, (N + 1,).
        """
        sizes = [ngrams.sizes for _, ngrams in self.channels]
        bits = max(int(sum(map(sum, sizes))), 1).bit_length()
        some_left_out = bool((self.kept < 0).any())

        def count(first: int, last: int) -> tuple[Ids, Ids, Ints]:
            keys, base = [], 0
            for (levels, offsets), level_sizes in zip(found, sizes, strict=True):
                start, stop = offsets[first], offsets[last]
                row = np.repeat(np.arange(last - first) << bits, np.diff(offsets[first : last + 1]))
                for level, size in zip(levels, level_sizes, strict=True):
                    number = level[start:stop]
                    there = number >= 0
                    keys.append(row[there] + (number[there] + base))
                    base += size
            ordered = np.concatenate(keys)
            ordered.sort()
            is_last = np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)]
            pairs = ordered[is_last]
            counts = np.diff(np.flatnonzero(is_last), prepend=-1).astype(np.int32)
            ids = self.kept[pairs & ((1 << bits) - 1)]
            if some_left_out:
                pairs, counts, ids = pairs[ids >= 0], counts[ids >= 0], ids[ids >= 0]
            return ids, counts, np.diff(np.searchsorted(pairs, np.arange(last - first + 1) << bits))

        ids, counts, lengths = zip(*in_chunks(count, [offsets for _, offsets in found]), strict=True)
        return np.concatenate(ids), np.concatenate(counts), offsets_of(np.concatenate(lengths))

    def _weigh(self, ids: Ids, counts: Ids, offsets: Ints) -> Bags:
        weights = self.feature_weights[ids]
        if self.weighting == "count":
            weights *= counts
        elif self.weighting == "tfidf":
            weights *= 1 + np.log(counts, dtype=np.float32)
        if self.weighting in ("tfidf", "log_count_ratio"):
            scale(weights, offsets)
        return Bags(torch.from_numpy(ids), torch.from_numpy(weights), torch.from_numpy(offsets))

    def names(self) -> list[str]:
        """Return every feature as text, by number."""
        names: list[str] = []
        for symbols, ngrams in self.channels:
            names += [
                symbols.show(ngrams.symbols_of(n, i)) for n, size in enumerate(ngrams.sizes, 1) for i in range(size)
            ]
        return [name for name, number in zip(names, self.kept, strict=True) if number >= 0]


def log_count_ratio(rows: Ids, ids: Ids, membership: Floats, num_features: int) -> Floats:
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


def scale(weights: Floats, offsets: Ints) -> None:
    """Scale each row to an L2 norm of `ROW_NORM`, in place, so that a long text weighs as much as a short one."""
    lengths = np.diff(offsets)
    filled = lengths > 0
    if filled.any():
        squares = np.add.reduceat(weights * weights, offsets[:-1][filled])
        weights *= np.repeat(ROW_NORM / np.sqrt(np.maximum(squares, 1e-24)), lengths[filled])


def in_chunks(work: Callable[[int, int], Any], offsets: list[Ints]) -> list[Any]:
    """Call ``work(first_row, last_row)`` for stretches of some `CHUNK` tokens, on all cores; NumPy gives the
    interpreter free while it sorts."""
    tokens: Ints = np.sum(offsets, axis=0)
    num_chunks = max(1, int(tokens[-1]) // CHUNK)
    bounds = np.searchsorted(tokens, np.linspace(0, tokens[-1], num_chunks + 1)[1:-1])
    edges = np.unique([0, *bounds, len(tokens) - 1])
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(work, edges[:-1].tolist(), edges[1:].tolist()))
