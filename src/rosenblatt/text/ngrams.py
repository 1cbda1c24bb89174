"""Exact n-grams of symbols (words or characters), as numbers, without a Python loop over rows or tokens.

An n-gram is the pair (number of its first n-1 symbols, number of its last symbol), kept as one integer. Unlike a
hash it has no collisions, and each feature can be shown as text again.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rosenblatt.data.features import offsets_of

Ints = NDArray[np.int64]
Ids = NDArray[np.int32]

CHUNK = 2_000_000  # n-grams that a thread sorts at a time


class Sequences(NamedTuple):
    """N rows of symbols.

    Attributes:
        symbols: (num_tokens,) int32, -1 where a symbol is not in the vocabulary.
        offsets: (N + 1,) int64; row ``i`` holds the symbols ``offsets[i]`` to ``offsets[i + 1]``.
    """

    symbols: Ids
    offsets: Ints


class Channel(NamedTuple):
    """The n-grams of N rows of symbols.

    Attributes:
        levels: for each n from 1 on an int32 array (num_tokens,): the number, from 0 for each n, of the n-gram that
            begins at that token; -1 where its row ends before it does, or it is not in the vocabulary.
        sizes: the number of n-grams in the vocabulary, for each n.
        offsets: (N + 1,) of the rows in each level.
    """

    levels: list[Ids]
    sizes: list[int]
    offsets: Ints


@dataclass(eq=False)
class NGrams:
    """The n-grams, for n from 1 to ``max_n``, that occur at least ``min_count`` times.

    Args:
        max_n: longest n-gram.
        min_count: how often an n-gram of two or more symbols has to occur in the rows that are fitted.

    Attributes:
        num_symbols: size of the symbol vocabulary; each symbol is a 1-gram.
        keys: for each n from 2 on, the sorted keys ``prefix * num_symbols + last`` of the n-grams that were kept.
    """

    max_n: int
    min_count: int
    num_symbols: int = 0
    keys: list[Ints] = field(default_factory=list)

    @property
    def sizes(self) -> list[int]:
        """The number of n-grams for each n."""
        return [self.num_symbols, *(len(keys) for keys in self.keys)]

    def fit(self, sequences: Sequences, num_symbols: int) -> Channel:
        """Choose the n-grams and return what `transform` would."""
        self.num_symbols = num_symbols
        self.keys = []
        return self.transform(sequences)

    def transform(self, sequences: Sequences) -> Channel:
        """Number the n-grams of N rows."""
        symbols, offsets = sequences
        levels = [symbols]
        # Whether a token and the next one stand in one row and are both known.
        joined = np.zeros(len(symbols), dtype=bool)
        np.logical_and(symbols[:-1] >= 0, symbols[1:] >= 0, out=joined[:-1])
        joined[offsets[1:-1][offsets[1:-1] > 0] - 1] = False
        for n in range(2, self.max_n + 1):
            known = self.keys[n - 2] if n - 2 < len(self.keys) else None  # to be chosen, where these rows are fitted
            kept, level = self._level(symbols, levels[-1], joined[n - 2 :], n, known)
            if known is None:
                self.keys.append(kept)
            levels.append(level)
        return Channel(levels, self.sizes, offsets)

    def _level(
        self, symbols: Ids, shorter: Ids, joined: NDArray[np.bool_], n: int, known: Ints | None
    ) -> tuple[Ints, Ids]:
        """Return the vocabulary, known or chosen, and what `transform` gives for this n.

        An n-gram is an (n-1)-gram, numbered in ``shorter``, whose last token is ``joined`` to the next one. It goes by
        stretches of prefixes with some `CHUNK` n-grams each: they fit into the cache, and all cores sort at once.
        """
        begins = shorter[: len(joined)]
        edges = _stretches(begins, joined, self.sizes[n - 2])
        blocks = _by_stretch(begins, joined, edges)
        kind = np.uint32 if len(symbols) < 1 << 32 else np.int64

        def number(stretch: int) -> tuple[NDArray[Any], Ints, Ids]:
            first, last = edges[stretch] * self.num_symbols, edges[stretch + 1] * self.num_symbols
            parts = [kind(start) + places[ends[stretch] : ends[stretch + 1]] for start, places, ends in blocks]
            at = np.concatenate(parts)
            keys = begins[at] * np.int64(self.num_symbols)
            keys += symbols[at + (n - 1)]
            keys -= first
            if known is None:
                kept, place = numbered(keys, self.min_count)
            else:
                kept = known[slice(*np.searchsorted(known, [first, last]))] - first
                place = position(keys, kept)
            kept += first
            return at, kept, place

        kept, level, base = [], np.empty(len(symbols), dtype=np.int32), 0

        def clear(start: int) -> None:
            level[start : start + CHUNK] = -1

        with ThreadPoolExecutor(pl.thread_pool_size()) as threads:  # NumPy gives the interpreter free while it sorts
            list(threads.map(clear, range(0, len(level), CHUNK)))
            for at, keys, place in threads.map(number, range(len(edges) - 1)):
                place[place >= 0] += base
                level[at] = place
                kept.append(keys)
                base += len(keys)
        return np.concatenate(kept), level

    def symbols_of(self, n: int, number: int) -> list[int]:
        """Return the symbols of the n-gram with that number among the n-grams of that length."""
        symbols: list[int] = []
        for keys in reversed(self.keys[: n - 1]):
            number, last = divmod(int(keys[number]), self.num_symbols)
            symbols.insert(0, last)
        return [number, *symbols]


def _stretches(prefixes: Ids, joined: NDArray[np.bool_], num_prefixes: int) -> list[int]:
    """Divide the numbers of prefixes into stretches with about `CHUNK` n-grams each; return where each begins."""
    counts = np.zeros(max(num_prefixes, 1), dtype=np.int64)
    for start in range(0, len(prefixes), CHUNK):  # bincount makes a copy in 64 bits of what it counts
        part = prefixes[start : start + CHUNK][joined[start : start + CHUNK]]
        counts += np.bincount(part[part >= 0], minlength=len(counts))
    total = np.cumsum(counts)
    bounds = np.searchsorted(total, np.arange(CHUNK, int(total[-1]), CHUNK)) + 1
    return sorted({0, *bounds.tolist(), len(counts)})


def _by_stretch(
    prefixes: Ids, joined: NDArray[np.bool_], edges: list[int]
) -> list[tuple[int, NDArray[np.uint32], Ints]]:
    """Sort the tokens that begin an n-gram by the stretch of their prefix, in blocks: one look at each token.

    A block has its start; the places of its tokens, counted from there; and where those of each stretch begin.
    """
    stretch_of = np.repeat(
        np.arange(len(edges) - 1, dtype=np.uint16 if len(edges) <= 1 << 16 else np.int64), np.diff(edges)
    )

    def sort(start: int) -> tuple[int, NDArray[np.uint32], Ints]:
        part = prefixes[start : start + CHUNK]
        there = np.flatnonzero((part >= 0) & joined[start : start + CHUNK]).astype(np.uint32)
        stretch = stretch_of[part[there]]
        order = np.argsort(stretch, kind="stable")  # of 16 bits, so NumPy counts instead of comparing
        return start, there[order], offsets_of(np.bincount(stretch, minlength=len(edges) - 1))

    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
        return list(threads.map(sort, range(0, max(len(prefixes), 1), CHUNK)))


def numbered(keys: Ints, min_count: int) -> tuple[Ints, Ids]:
    """Return the distinct keys that occur at least ``min_count`` times, ascending, and where each key stands there.

    A key that is rarer stands at -1.
    """
    kept: list[Ints] = []

    def number(distinct: Ints, counts: Ints) -> Ids:
        enough = counts >= min_count
        kept.append(distinct[enough])
        return np.where(enough, np.cumsum(enough) - 1, -1).astype(np.int32)

    place = for_each_distinct(keys, number)
    return kept[0], place


def position(keys: Ints, table: Ints) -> Ids:
    """Return where each key stands in ``table``, which ascends; -1 where it does not."""

    def number(distinct: Ints, counts: Ints) -> Ids:
        at = np.searchsorted(table, distinct).clip(max=len(table) - 1)
        return np.where(table[at] == distinct, at, -1).astype(np.int32)

    return for_each_distinct(keys, number) if len(table) else np.full(len(keys), -1, dtype=np.int32)


def for_each_distinct(keys: Ints, number: Callable[[Ints, Ints], Ids]) -> Ids:
    """Give each key the number of its value: ``number`` gets the distinct values, ascending, and their counts.

    The place of a key is packed into the low bits beside it, so that one sort of integers (which NumPy does several
    times as fast as an argsort or a hash join) both groups the keys and remembers where each stood.
    """
    if len(keys) == 0:
        return number(keys, keys).astype(np.int32)
    bits = int(len(keys) - 1).bit_length()
    if int(keys.max()).bit_length() + bits > 63:  # no room for both
        distinct, place, counts = np.unique(keys, return_inverse=True, return_counts=True)
        return number(distinct, counts)[place]
    packed = keys << bits
    packed |= np.arange(len(keys))
    packed.sort()
    places = packed & ((1 << bits) - 1)
    packed >>= bits
    ends = np.append(np.flatnonzero(packed[1:] != packed[:-1]), len(packed) - 1)
    counts = np.diff(ends, prepend=-1)
    result = np.empty(len(keys), dtype=np.int32)
    result[places] = np.repeat(number(packed[ends], counts), counts)
    return result
