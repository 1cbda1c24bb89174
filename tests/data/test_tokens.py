import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosenblatt.data.ngrams import NGrams, Sequences, numbered, position
from rosenblatt.data.text import ROW_NORM, TextEncoder
from rosenblatt.data.tokens import Characters, Words
from rosenblatt.errors import UserError

TEXTS = st.lists(st.text() | st.text("ab <>/'.\n", max_size=20) | st.none(), min_size=1, max_size=10)


def split(text):
    words = Words(min_count=1)
    symbols, offsets = words.fit(pl.Series([text]))
    assert offsets.tolist() == [0, len(symbols)]
    return [words.names[symbol] for symbol in symbols]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It isn't good, is it?", ["It", "isn't", "good", ",", "is", "it", "?"]),
        ("one<br />two</p>", ["one", "<br />", "two", "</p>"]),
        ("a < b > c", ["a", "<", "b", ">", "c"]),
        ("<3 <" + "x" * 90 + ">", ["<", "3", "<", "x" * 90, ">"]),
        ("naïve 好的 пьеса 7th_ward", ["naïve", "好的", "пьеса", "7th_ward"]),
        ("wow!!! :-)", ["wow", "!", "!", "!", ":", "-", ")"]),
        (" \t\r\n ", []),
    ],
)
def test_words_are_words_tags_and_single_marks(text, words):
    assert split(text) == words


def test_words_are_numbered_by_frequency_and_then_by_name():
    words = Words(min_count=2)
    symbols, offsets = words.fit(pl.Series(["b c a", "", "a b", "b c d"]))
    assert words.names == ["b", "a", "c"]
    assert symbols.tolist() == [0, 2, 1, 1, 0, 0, 2, -1]
    assert offsets.tolist() == [0, 3, 3, 5, 8]
    symbols, offsets = words.transform(pl.Series(["x a"]))
    assert (symbols.tolist(), offsets.tolist()) == ([-1, 1], [0, 2])


def test_characters_have_a_space_at_either_end_and_one_between_words():
    characters = Characters()
    symbols, offsets = characters.fit(pl.Series([" a \t\nb", "", "😀"]))
    assert offsets.tolist() == [0, 5, 5, 8]
    assert characters.show(symbols.tolist()) == " a b  😀 "
    symbols, offsets = characters.transform(pl.Series(["az"]))
    assert (symbols[2], offsets.tolist()) == (-1, [0, 4])


def plain_ngrams(rows, max_n, min_count):
    """The n-grams of each row, by slicing lists; those that are frequent enough in all rows together."""
    grams = [
        [
            tuple(row[i : i + n])
            for n in range(1, max_n + 1)
            for i in range(len(row) - n + 1)
            if -1 not in row[i : i + n]
        ]
        for row in rows
    ]
    every = [gram for row in grams for gram in row]
    return [[gram for gram in row if len(gram) == 1 or every.count(gram) >= min_count] for row in grams]


@settings(deadline=None, max_examples=50)
@given(
    rows=st.lists(st.lists(st.integers(-1, 3), max_size=8), min_size=1, max_size=6),
    max_n=st.integers(1, 4),
    min_count=st.integers(1, 3),
)
def test_ngrams_are_those_of_a_plain_loop(rows, max_n, min_count):
    symbols = np.array([symbol for row in rows for symbol in row], dtype=np.int32)
    sequences = Sequences(symbols, np.cumsum([0, *map(len, rows)]))
    ngrams = NGrams(max_n, min_count)
    levels = ngrams.fit(sequences, num_symbols=4)
    found = [[] for _ in rows]
    row_of = [row for row, length in enumerate(map(len, rows)) for _ in range(length)]
    for n, level in enumerate(levels, start=1):
        for row, number in zip(row_of, level.tolist(), strict=True):
            if number >= 0:
                found[row].append(tuple(ngrams.symbols_of(n, number)))
    assert list(map(sorted, found)) == list(map(sorted, plain_ngrams(rows, max_n, min_count)))
    for fitted, again in zip(levels, ngrams.transform(sequences), strict=True):
        assert fitted.tolist() == again.tolist()
    assert ngrams.num_ngrams == sum(ngrams.sizes)


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


@pytest.mark.parametrize("options", [{"ngrams": 2}, {"ngrams": 0, "char_ngrams": 3}, {"ngrams": 1, "char_ngrams": 2}])
@settings(deadline=None, max_examples=50)
@given(train=TEXTS, test=TEXTS, max_features=st.none() | st.integers(1, 5))
def test_any_texts_give_bags_of_ascending_ids(options, train, test, max_features):
    encoder = TextEncoder(min_count=1, max_features=max_features, weighting="tfidf", **options)
    try:
        fitted = encoder.fit_transform(pl.Series(train, dtype=pl.String), np.ones((len(train), 1), dtype=np.float32))
    except UserError as error:
        assert "The vocabulary is empty" in str(error)  # noqa: PT017
        assert not "".join(text or "" for text in train).strip()
        return
    assert len(encoder.names()) == encoder.num_features
    for texts, bags in ((train, fitted), (test, encoder.transform(pl.Series(test, dtype=pl.String)))):
        assert bags.num_rows == len(texts)
        assert (bags.offsets[0], bags.offsets[-1]) == (0, len(bags.ids))
        for start, stop in zip(bags.offsets[:-1], bags.offsets[1:], strict=True):
            ids, weights = bags.ids[start:stop], bags.weights[start:stop]
            assert (ids.diff() > 0).all()
            assert ((ids >= 0) & (ids < encoder.num_features)).all()
            assert len(ids) == 0 or weights.norm().item() == pytest.approx(ROW_NORM, rel=1e-4)
    again = encoder.transform(pl.Series(train, dtype=pl.String))
    assert all((a == b).all() for a, b in zip(fitted, again, strict=True))
