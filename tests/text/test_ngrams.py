from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosenblatt.text import ngrams as module
from rosenblatt.text.ngrams import NGrams, Sequences, numbered, position

ROWS = st.lists(st.lists(st.integers(-1, 3), max_size=9), min_size=1, max_size=6)


def sequences_of(rows):
    symbols = np.array([symbol for row in rows for symbol in row], dtype=np.int32)
    return Sequences(symbols, np.cumsum([0, *map(len, rows)]))


def plain_ngrams(rows, max_n):
    """The n-grams of each row that hold known symbols alone, by slicing lists."""
    grams = [[tuple(row[i : i + n]) for n in range(1, max_n + 1) for i in range(len(row) - n + 1)] for row in rows]
    return [[gram for gram in row if -1 not in gram] for row in grams]


def found_ngrams(ngrams, levels, rows):
    """The n-grams of each row, as the symbols that the numbers in ``levels`` stand for."""
    found = [[] for _ in rows]
    row_of = [row for row, length in enumerate(map(len, rows)) for _ in range(length)]
    for n, level in enumerate(levels, start=1):
        assert level.dtype == np.int32
        for row, number in zip(row_of, level.tolist(), strict=True):
            if number >= 0:
                found[row].append(tuple(ngrams.symbols_of(n, number)))
    return found


@pytest.mark.parametrize("chunk", [1, 3, 2_000_000])
@settings(deadline=None, max_examples=60)
@given(train=ROWS, test=ROWS, max_n=st.integers(1, 5), min_count=st.integers(1, 3))
def test_ngrams_are_those_of_a_plain_loop_in_any_number_of_stretches(chunk, train, test, max_n, min_count):
    plain = plain_ngrams(train, max_n)
    every = [gram for row in plain for gram in row]
    vocabulary = {gram for gram in every if len(gram) == 1 or every.count(gram) >= min_count}
    ngrams = NGrams(max_n, min_count)
    with mock.patch.object(module, "CHUNK", chunk):
        fitted = ngrams.fit(sequences_of(train), num_symbols=4).levels
        again = ngrams.transform(sequences_of(train)).levels
        transformed = ngrams.transform(sequences_of(test)).levels
    assert len(fitted) == len(transformed) == max_n
    for rows, levels in ((train, fitted), (train, again), (test, transformed)):
        expected = [[gram for gram in row if len(gram) == 1 or gram in vocabulary] for row in plain_ngrams(rows, max_n)]
        assert list(map(sorted, found_ngrams(ngrams, levels, rows))) == list(map(sorted, expected))
    shown = {tuple(ngrams.symbols_of(n, i)) for n, size in enumerate(ngrams.sizes, 1) for i in range(size)}
    assert shown == vocabulary | {(symbol,) for symbol in range(4)}
    assert len(shown) == sum(ngrams.sizes)
    for keys in ngrams.keys:
        assert (np.diff(keys) > 0).all()


@pytest.mark.parametrize("chunk", [50, 1000])
def test_stretches_change_nothing_in_long_rows(chunk):
    rng = np.random.default_rng(0)
    rows = [rng.integers(-1, 30, length).tolist() for length in rng.integers(0, 300, 20)]
    whole, divided = NGrams(5, 2), NGrams(5, 2)
    expected = whole.fit(sequences_of(rows), 30).levels
    with mock.patch.object(module, "CHUNK", chunk):
        levels = divided.fit(sequences_of(rows), 30).levels
    for ours, theirs in zip([*levels, *divided.keys], [*expected, *whole.keys], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert all(len(keys) > 0 for keys in whole.keys[:2])


def test_keys_are_counted_and_found():
    keys = np.array([5, 2, 5, 9, 2, 5], dtype=np.int64)
    for large in (0, 2**61):  # with a key that leaves no room for a place beside it
        kept, place = numbered(keys + large, 1)
        assert (kept - large).tolist() == [2, 5, 9]
        assert place.tolist() == [1, 0, 1, 2, 0, 1]
        kept, place = numbered(keys + large, 2)
        assert (kept - large).tolist() == [2, 5]
        assert place.tolist() == [1, 0, 1, -1, 0, 1]
    assert [part.tolist() for part in numbered(keys[:0], 1)] == [[], []]
    assert position(np.array([9, 3, 2]), np.array([2, 5, 9])).tolist() == [2, -1, 0]
