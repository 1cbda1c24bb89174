"""Exact n-grams of symbols (words or characters), as numbers, without a Python loop over rows or tokens.

An n-gram is the pair (number of its first n-1 symbols, number of its last symbol), kept as one integer. Unlike a
hash it has no collisions, and each feature can be shown as text again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Ids = NDArray[np.int32]


class Sequences(NamedTuple):
    """N rows of symbols.

    Attributes:
        symbols: (num_tokens,) int32, -1 where a symbol is not in the vocabulary.
        offsets: (N + 1,) int64; row ``i`` holds the symbols ``offsets[i]`` to ``offsets[i + 1]``.
    """

    symbols: Ids
    offsets: Ints


class NGrams:
    """The n-grams, for n from 1 to ``max_n``, that occur at least ``min_count`` times.

    Args:
        max_n: longest n-gram.
        min_count: how often an n-gram of two or more symbols has to occur in the rows that are fitted.

    Attributes:
        num_symbols: size of the symbol vocabulary; each symbol is a 1-gram.
        keys: for each n from 2 on, the sorted keys ``prefix * num_symbols + last`` of the n-grams that were kept.
    """

    def __init__(self, max_n: int, min_count: int) -> None:
        self.max_n = max_n
        self.min_count = min_count
        self.num_symbols = 0
        self.keys: list[Ints] = []

    @property
    def sizes(self) -> list[int]:
        """The number of n-grams for each n."""
        return [self.num_symbols, *(len(keys) for keys in self.keys)]

    @property
    def num_ngrams(self) -> int:
        """The number of n-grams for all n together."""
        return sum(self.sizes)

    def fit(self, sequences: Sequences, num_symbols: int) -> list[tuple[Ids, Ids]]:
        """Choose the n-grams and return what `transform` would."""
        self.num_symbols = num_symbols
        self.keys = []
        return self._walk(sequences, fit=True)

    def transform(self, sequences: Sequences) -> list[tuple[Ids, Ids]]:
        """Number the n-grams of N rows.

        Returns:
            For each n from 1 to ``max_n`` two int32 arrays of one length: the row of each n-gram that is in the
            vocabulary, and its number, from 0 for each n.
        """
        return self._walk(sequences, fit=False)

    def _walk(self, sequences: Sequences, fit: bool) -> list[tuple[Ids, Ids]]:
        symbols, offsets = sequences
        lengths = np.diff(offsets)
        row = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)  # (num_tokens,)
        at = np.flatnonzero(symbols >= 0)  # where the n-grams begin
        number = symbols[at]
        levels = [(row[at], number)]
        for n in range(2, self.max_n + 1):
            # An n-gram is an (n-1)-gram of the vocabulary that goes on, in its row, with a known symbol.
            last = at + (n - 1)
            goes_on = last < len(symbols)
            goes_on[goes_on] = (row[last[goes_on]] == row[at[goes_on]]) & (symbols[last[goes_on]] >= 0)
            at, number = at[goes_on], number[goes_on]
            keys = number.astype(np.int64) * self.num_symbols + symbols[at + (n - 1)]
            if fit:
                self.keys.append(frequent(keys, self.min_count))
            number = position(keys, self.keys[n - 2])
            known = number >= 0
            at, number = at[known], number[known]
            levels.append((row[at], number))
        return levels

    def symbols_of(self, n: int, number: int) -> list[int]:
        """Return the symbols of the n-gram with that number among the n-grams of that length."""
        symbols: list[int] = []
        for keys in reversed(self.keys[: n - 1]):
            number, last = divmod(int(keys[number]), self.num_symbols)
            symbols.insert(0, last)
        return [number, *symbols]


def frequent(keys: Ints, min_count: int) -> Ints:
    """Return the distinct keys that occur at least ``min_count`` times, ascending."""
    if len(keys) == 0:
        return keys
    ordered = np.sort(keys)
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
    counts = np.diff(ends, prepend=-1)
    kept: Ints = ordered[ends[counts >= min_count]]
    return kept


def position(keys: Ints, table: Ints) -> Ids:
    """Return where each key stands in ``table``, -1 where it does not; a hash join is five times a binary search."""
    known = pl.DataFrame({"key": table, "at": np.arange(len(table), dtype=np.int32)})
    joined = pl.DataFrame({"key": keys}).join(known, on="key", how="left", maintain_order="left")
    return joined["at"].fill_null(-1).to_numpy()
