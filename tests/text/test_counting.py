from collections import Counter
from unittest import mock

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rosenblatt.text import counting, ngrams
from rosenblatt.text.counting import count, counted, in_stretches, only
from rosenblatt.text.encoder import TextEncoder
from rosenblatt.text.ngrams import Channel

LEVEL = st.integers(-1, 4)  # five n-grams of each length
CHANNEL = st.lists(st.lists(st.tuples(LEVEL, LEVEL), max_size=6), min_size=5, max_size=5)  # two lengths in five rows
every_chunk = pytest.mark.parametrize("chunk", [1, 4, 500_000])


def channel_of(rows):
    flat = np.array([pair for row in rows for pair in row], dtype=np.int32).reshape(-1, 2)  # (num_tokens, 2)
    return Channel([flat[:, 0].copy(), flat[:, 1].copy()], [5, 5], np.cumsum([0, *map(len, rows)]))


@every_chunk
@settings(deadline=None, max_examples=60)
@given(
    channels=st.lists(CHANNEL, min_size=1, max_size=2),
    with_counts=st.booleans(),
    keep=st.none() | st.lists(st.booleans(), min_size=20, max_size=20),
)
def test_features_of_rows_are_those_of_a_plain_loop(chunk, channels, with_counts, keep):
    names = [i for i in range(10 * len(channels)) if keep is None or keep[i]]
    kept = None
    if keep is not None:
        kept = np.full(10 * len(channels), -1, dtype=np.int32)
        kept[names] = np.arange(len(names))
    with mock.patch.object(counting, "CHUNK", chunk):
        ids, counts, offsets = count(list(map(channel_of, channels)), kept, with_counts)
    assert ids.dtype == np.int32
    assert (counts is not None) == with_counts
    assert len(offsets) == 6
    assert (offsets[0], offsets[-1]) == (0, len(ids))
    for row in range(5):
        expected = Counter()
        for base, rows in zip((0, 10), channels, strict=False):
            expected.update(base + first for first, _ in rows[row] if first >= 0)
            expected.update(base + 5 + second for _, second in rows[row] if second >= 0)
        pairs = sorted((names.index(i), times) for i, times in expected.items() if i in names)
        stretch = slice(offsets[row], offsets[row + 1])
        assert ids[stretch].tolist() == [i for i, _ in pairs]
        if counts is not None:
            assert counts[stretch].tolist() == [times for _, times in pairs]


@every_chunk
@settings(deadline=None, max_examples=60)
@given(channel=CHANNEL, with_counts=st.booleans(), keep=st.lists(st.booleans(), min_size=10, max_size=10))
def test_to_leave_features_out_is_as_if_they_had_not_been_counted(chunk, channel, with_counts, keep):
    kept = np.where(keep, np.cumsum(keep) - 1, -1).astype(np.int32)
    with mock.patch.object(counting, "CHUNK", chunk):
        expected = count([channel_of(channel)], kept, with_counts)
        found = only(count([channel_of(channel)], None, with_counts), kept)
    assert found.ids.dtype == np.int32
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@every_chunk
@settings(deadline=None, max_examples=60)
@given(bags=st.lists(st.sets(st.integers(0, 6)), min_size=1, max_size=9), data=st.data())
def test_rows_with_each_feature_are_counted(chunk, bags, data):
    rows = data.draw(st.none() | st.lists(st.integers(0, len(bags) - 1), unique=True).map(sorted))
    ids = np.array([i for bag in bags for i in sorted(bag)], dtype=np.int32)
    offsets = np.cumsum([0, *map(len, bags)])
    with mock.patch.object(counting, "CHUNK", chunk):
        found = counted(ids, offsets, 7, None if rows is None else np.array(rows, dtype=np.int64))
    some = bags if rows is None else [bags[row] for row in rows]
    assert found.dtype == np.int64
    assert found.tolist() == [sum(i in bag for bag in some) for i in range(7)]


@every_chunk
@settings(deadline=None, max_examples=60)
@given(lengths=st.lists(st.integers(0, 9), min_size=1, max_size=9))
def test_stretches_are_all_rows_once_in_their_order(chunk, lengths):
    with mock.patch.object(counting, "CHUNK", chunk):
        stretches = list(in_stretches(lambda first, last: range(first, last), np.cumsum([0, *lengths])))
    assert [row for stretch in stretches for row in stretch] == list(range(len(lengths)))
    assert all(stretches)


@pytest.mark.parametrize("weighting", ["count", "binary", "tfidf", "log_count_ratio"])
@pytest.mark.parametrize("options", [{"ngrams": 3, "char_ngrams": 0}, {"ngrams": 2, "char_ngrams": 5}], ids=str)
@pytest.mark.parametrize("max_features", [None, 40])
def test_texts_are_encoded_alike_in_any_number_of_stretches(weighting, options, max_features, monkeypatch):
    rng = np.random.default_rng(0)
    texts = pl.Series([" ".join(rng.choice(list("abcdef"), length)) for length in rng.integers(0, 12, 40)])
    rows_of_class = [np.arange(15), np.arange(15, 40)]
    encoders = [TextEncoder(**options, weighting=weighting, max_features=max_features) for _ in range(2)]
    whole = [encoders[0].fit_transform(texts, rows_of_class), encoders[0].transform(texts[:7])]
    monkeypatch.setattr(ngrams, "CHUNK", 7)
    monkeypatch.setattr(counting, "CHUNK", 11)
    divided = [encoders[1].fit_transform(texts, rows_of_class), encoders[1].transform(texts[:7])]
    assert encoders[0].names() == encoders[1].names()
    for ours, theirs in zip(divided, whole, strict=True):
        assert all(torch.equal(our, their) for our, their in zip(ours, theirs, strict=True))


def test_no_texts_at_all_give_no_bags():
    encoder = TextEncoder(min_count=1)
    encoder.fit_transform(pl.Series(["a b", "b c"]), [np.array([0]), np.array([1])])
    bags = encoder.transform(pl.Series([], dtype=pl.String))
    assert (bags.num_rows, len(bags.ids), len(bags.weights)) == (0, 0, 0)
