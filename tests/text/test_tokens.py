import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosenblatt.data.recipe import ROW_NORM
from rosenblatt.errors import UserError
from rosenblatt.text.encoder import TextEncoder
from rosenblatt.text.tokens import Characters, Words

TEXTS = st.lists(st.text() | st.text("ab <>/'.\n", max_size=20) | st.none(), min_size=1, max_size=10)


def split(text, punctuation=True):
    words = Words(min_count=1, lowercase=False, punctuation=punctuation)
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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It isn't good, is it?", ["It", "isn't", "good", "is", "it"]),
        ("one<br />two</p>", ["one", "<br />", "two", "</p>"]),
        ("<3 7th_ward 好的。", ["3", "7th_ward", "好的"]),
        ("wow!!! :-)", ["wow"]),
        ("?!", []),
    ],
)
def test_without_punctuation_single_marks_are_no_words(text, words):
    assert split(text, punctuation=False) == words


def test_words_are_numbered_by_frequency_and_then_by_name():
    words = Words(min_count=2)
    symbols, offsets = words.fit(pl.Series(["b c a", "", "a b", "b c d"]))
    assert words.names == ["b", "a", "c"]
    assert symbols.tolist() == [0, 2, 1, 1, 0, 0, 2, -1]
    assert offsets.tolist() == [0, 3, 3, 5, 8]
    symbols, offsets = words.transform(pl.Series(["x a"]))
    assert (symbols.tolist(), offsets.tolist()) == ([-1, 1], [0, 2])


def test_characters_have_a_space_at_either_end_and_one_between_words():
    characters = Characters(min_count=1)
    symbols, offsets = characters.fit(pl.Series([" a \t\nb", "", "😀"]))
    assert offsets.tolist() == [0, 5, 5, 8]
    assert characters.show(symbols.tolist()) == "' a b  😀 '"
    symbols, offsets = characters.transform(pl.Series(["az"]))
    assert (symbols[2], offsets.tolist()) == (-1, [0, 4])


def test_characters_that_are_rare_are_none():
    characters = Characters(min_count=2)
    symbols, offsets = characters.fit(pl.Series(["ab", "b"]))
    assert (characters.names, symbols.tolist()) == ([" ", "b"], [0, -1, 1, 0, 0, 1, 0])
    assert offsets.tolist() == [0, 4, 7]


def test_the_share_of_unseen_words_is_that_of_words_that_one_text_alone_has():
    words = Words(min_count=2)
    words.fit(pl.Series(["the cat sat", "the dog sat on the mat", ""]))
    assert words.unseen == pytest.approx(4 / 9)  # cat, dog, on and mat, of nine words
    words.fit(pl.Series(["a b", "b a"]))
    assert words.unseen == 0
    words.fit(pl.Series(["w w w", "a", "a b a"]))  # a word again and again in one text says nothing of the next one
    assert words.unseen == pytest.approx(4 / 7)
    words.fit(pl.Series(["", None], dtype=pl.String).fill_null(""))
    assert words.unseen == 0


@pytest.mark.parametrize(
    "options", [{"ngrams": 2, "char_ngrams": 0}, {"ngrams": 0, "char_ngrams": 3}, {"ngrams": 1, "char_ngrams": 2}]
)
@settings(deadline=None, max_examples=50)
@given(train=TEXTS, test=TEXTS, max_features=st.none() | st.integers(1, 5))
def test_any_texts_give_bags_of_ascending_ids(options, train, test, max_features):
    encoder = TextEncoder(min_count=1, max_features=max_features, weighting="tfidf", **options)
    try:
        fitted = encoder.fit_transform(pl.Series(train, dtype=pl.String), [])
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
            assert len(ids) == 0 or weights.norm().item() == pytest.approx(ROW_NORM["tfidf"], rel=1e-4)
    again = encoder.transform(pl.Series(train, dtype=pl.String))
    assert all((a == b).all() for a, b in zip(fitted, again, strict=True))
