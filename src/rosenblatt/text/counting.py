"""Which features each row has, and in how many rows each feature is: sorting and counting, in stretches of rows.

A stretch fits into the cache, and all cores work at once, since NumPy gives the interpreter free while it sorts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl

from rosenblatt.data.features import offsets_of
from rosenblatt.text.ngrams import Channel, Ids, Ints

CHUNK = 500_000  # tokens, or pairs, that a thread takes at a time
NUM_COUNTERS = 2  # threads, each with a place for every feature
Result = TypeVar("Result")


class Counts(NamedTuple):
    """The features of N rows.

    Attributes:
        ids: (nnz,) int32, ascending within a row, each once.
        counts: (nnz,) int32, how often each occurs in its row; ``None`` where nobody asked.
        offsets: (N + 1,) of the rows in both.
    """

    ids: Ids
    counts: Ids | None
    offsets: Ints


def count(channels: list[Channel], kept: Ids | None, with_counts: bool) -> Counts:
    """Find the features of each row.

    Args:
        channels: each n-gram of the first is a feature, then each of the second, ...
        kept: (number of all n-grams,) the number of each as a feature, -1 for none; ``None``: as they come.
        with_counts: also how often each occurs.
    """
    num_ngrams = sum(sum(channel.sizes) for channel in channels)
    bits = max(num_ngrams, 1).bit_length()

    def count_rows(first: int, last: int) -> tuple[Ids, Ids | None, Ints]:
        keys, base = [], 0  # a key is the row, and in its low bits the n-gram
        for levels, sizes, offsets in channels:
            start, stop = offsets[first], offsets[last]
            row = np.repeat(np.arange(last - first) << bits, np.diff(offsets[first : last + 1]))
            for level, size in zip(levels, sizes, strict=True):
                number = level[start:stop]
                there = number >= 0
                keys.append(row[there] + (number[there] + base))
                base += size
        ordered = np.concatenate(keys)
        ordered.sort()
        is_last = np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)]
        pairs = ordered[is_last]
        counts = np.diff(np.flatnonzero(is_last), prepend=-1).astype(np.int32) if with_counts else None
        ids = (pairs & ((1 << bits) - 1)).astype(np.int32)
        if kept is not None:
            ids = kept[ids]
            pairs, counts, ids = pairs[ids >= 0], None if counts is None else counts[ids >= 0], ids[ids >= 0]
        return ids, counts, np.diff(np.searchsorted(pairs, np.arange(last - first + 1) << bits))

    # As many as there can be: the operating system gives memory to those places only that are written.
    most = sum(int((level >= 0).sum()) for channel in channels for level in channel.levels)
    ids = np.empty(most, dtype=np.int32)
    counts = np.empty(most if with_counts else 0, dtype=np.int32)
    lengths, end = [], 0
    tokens: Ints = np.sum([channel.offsets for channel in channels], axis=0)
    for some, how_often, length in in_stretches(count_rows, tokens):
        ids[end : end + len(some)] = some
        if how_often is not None:
            counts[end : end + len(some)] = how_often
        lengths.append(length)
        end += len(some)
    return Counts(ids[:end], counts[:end] if with_counts else None, offsets_of(np.concatenate(lengths)))


def only(found: Counts, kept: Ids) -> Counts:
    """Return what is left with those features alone that ``kept`` gives a number; see `count`.

    The numbers have to ascend, so that those of a row still do.
    """

    def keep(first: int, last: int) -> tuple[Ids, Ids | None, Ints]:
        pairs = slice(found.offsets[first], found.offsets[last])
        ids = kept[found.ids[pairs]]
        there = ids >= 0
        left = offsets_of(there.astype(np.int64))  # before each pair
        before = left[found.offsets[first : last + 1] - pairs.start]  # ... and before each row
        return ids[there], None if found.counts is None else found.counts[pairs][there], np.diff(before)

    ids, counts, lengths = zip(*in_stretches(keep, found.offsets), strict=True)
    return Counts(
        np.concatenate(ids),
        None if found.counts is None else np.concatenate(counts),
        offsets_of(np.concatenate(lengths)),
    )


def counted(ids: Ids, offsets: Ints, num_features: int, rows: Ints | None = None) -> Ints:
    """Return how often each feature is among the pairs of rows, (num_features,) int64: how many rows hold it.

    The pairs are those of `Counts`; ``rows`` are the numbers of those rows that count, or ``None`` for all.
    """
    # By blocks, since bincount makes a copy in 64 bits of what it counts.
    if rows is None:
        starts, size = range(0, len(ids), 10 * CHUNK), 10 * CHUNK
    else:
        size = max(1, int(10 * CHUNK * (len(offsets) - 1) / max(len(ids), 1)))  # rows with about as many pairs
        starts = range(0, len(rows), size)

    def pairs_of(start: int) -> Ids:
        if rows is None:
            return ids[start : start + size]
        some = rows[start : start + size]
        lengths = offsets[some + 1] - offsets[some]
        # Pair j of these rows is pair j - ends[i] + ... of the row i that it belongs to.
        place = np.repeat(offsets[some] - offsets_of(lengths)[:-1], lengths)
        place += np.arange(len(place))
        return ids[place]

    def count_some(first: int) -> Ints:
        total = np.zeros(num_features, dtype=np.int64)
        for start in starts[first::NUM_COUNTERS]:
            total += np.bincount(pairs_of(start), minlength=num_features)
        return total

    with ThreadPoolExecutor(NUM_COUNTERS) as threads:
        total: Ints = np.sum(list(threads.map(count_some, range(min(NUM_COUNTERS, max(len(starts), 1))))), axis=0)
    return total


def in_stretches(work: Callable[[int, int], Result], offsets: Ints) -> Iterator[Result]:
    """Yield ``work(first_row, last_row)``, done by all cores, for stretches of about `CHUNK` tokens, in order."""
    num_stretches = max(1, int(offsets[-1]) // CHUNK)
    bounds = np.searchsorted(offsets, np.linspace(0, offsets[-1], num_stretches + 1)[1:-1])
    edges = np.unique([0, *bounds, len(offsets) - 1]).tolist() if len(offsets) > 1 else [0, 0]  # one, of no rows
    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
        yield from threads.map(work, *zip(*pairwise(edges), strict=True))
