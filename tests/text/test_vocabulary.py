"""What a text encoder has learnt, as a table and back: the same bags of any text, and the same names."""

from __future__ import annotations

import io
import json

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rosenblatt.errors import UserError
from rosenblatt.text.encoder import MAX_N, SCHEMA, TextEncoder

NEW = ["", " ", "unheard of", "a b", "b a a", "Ab! aB", "<br />b", "naïve пьеса 好", "a" * 50]
OPTIONS = st.fixed_dictionaries(
    {
        "ngrams": st.integers(0, 3),
        "char_ngrams": st.integers(0, 4) | st.just("auto"),
        "min_count": st.integers(1, 2),
        "max_features": st.sampled_from([None, 1, 5, "auto"]),
        "weighting": st.sampled_from(["auto", "count", "binary", "tfidf", "log_count_ratio"]),
        "lowercase": st.booleans(),
        "punctuation": st.booleans(),
    }
)
TEXTS = st.lists(st.text(st.sampled_from("ab AB!'é好"), max_size=12) | st.text(max_size=8), min_size=2, max_size=8)


def fitted(texts: list[str], **options) -> TextEncoder:
    encoder = TextEncoder(**{"char_ngrams": 0, "min_count": 1, "max_features": None} | options)
    half = len(texts) // 2
    encoder.fit_transform(pl.Series(texts, dtype=pl.String), [np.arange(half), np.arange(half, len(texts))])
    return encoder


def from_disk(encoder: TextEncoder) -> TextEncoder:
    """The encoder that another process would have."""
    file = io.BytesIO()
    encoder.vocabulary().write_parquet(file)
    file.seek(0)
    found = TextEncoder(**json.loads(json.dumps(encoder.settings)))
    found.learn(json.loads(json.dumps(encoder.facts())), pl.read_parquet(file))
    return found


def assert_same(found: TextEncoder, encoder: TextEncoder, texts: list[str]) -> None:
    series = pl.Series(texts, dtype=pl.String)
    for one, other in zip(found.transform(series), encoder.transform(series), strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    assert found.names() == encoder.names()
    assert found.num_features == encoder.num_features
    assert found.facts() == encoder.facts()
    assert found.settings == encoder.settings
    assert found.vocabulary().equals(encoder.vocabulary())


@settings(max_examples=60, deadline=None)
@given(texts=TEXTS, options=OPTIONS)
def test_an_encoder_that_was_kept_gives_the_same_bags_and_names(texts, options):
    assume(options["ngrams"] or options["char_ngrams"])
    try:
        encoder = fitted(texts, **options)
    except UserError as error:
        assert "The vocabulary is empty" in str(error)  # noqa: PT017
        return
    assert_same(from_disk(encoder), encoder, [*texts, *NEW])


def test_a_model_of_before_parts_had_lengths_of_their_own_reads_texts_as_it_did():
    options = {"ngrams": 2, "char_ngrams": 3, "weighting": "tfidf"}
    encoder = fitted(["a b!", "b a a", "so so"], **options)
    assert "punctuation" not in encoder.settings
    before = {"row_norm": 20.0, "sizes": encoder.facts()["sizes"]}
    found = TextEncoder(**encoder.settings)
    found.learn(before, encoder.vocabulary())
    assert found.facts() == before
    bags = found.transform(pl.Series(["b a !", "", "new b"]))
    unscaled = {name: weight for name, weight in zip(found.names(), found.feature_weights, strict=True)}
    names = [[found.names()[i] for i in bags.ids[bags.offsets[row] : bags.offsets[row + 1]]] for row in range(3)]
    assert "!" in names[0]
    for row in (0, 2):
        # Each feature is there once, but for the space in characters: as one row, words and characters together.
        counts = [f" {['b a !', '', 'new b'][row]} ".count(name[1:-1]) if name[0] == "'" else 1 for name in names[row]]
        weights = np.array([unscaled[name] for name in names[row]]) * (1 + np.log(counts))
        expected = 20 * weights / np.linalg.norm(weights)
        np.testing.assert_allclose(bags.weights[bags.offsets[row] : bags.offsets[row + 1]], expected, rtol=1e-5)
    assert names[1] == []


@pytest.mark.parametrize(
    "change",
    [
        {"word_share": None}, {"word_share": "0.5"}, {"word_share": float("nan")}, {"word_share": -0.5},
        {"word_share": 1.5}, {"word_share": float("inf")}, {"word_share": 1}, {"word_share": True},
        {"word_share": [0.5]}, {"weighting": None}, {"weighting": "auto"}, {"weighting": "tf-idf"}, {"weighting": 1},
        {"weighting": ["tfidf"]}, {"weighting": {"tfidf": 1}}, {"weighting": "count"},
    ],
    ids=str,
)  # fmt: skip
def test_facts_that_no_encoder_learns_are_refused(change):
    encoder = fitted(["a b!", "b a a"], weighting="tfidf")
    TextEncoder(**encoder.settings).learn(encoder.facts(), encoder.vocabulary())
    with pytest.raises(ValueError, match=next(iter(change))):
        TextEncoder(**encoder.settings).learn(encoder.facts() | change, encoder.vocabulary())


def test_which_weighting_was_chosen_has_to_be_known():
    encoder = fitted(["a b!", "b a a"], weighting="auto")
    facts = {name: fact for name, fact in encoder.facts().items() if name != "weighting"}
    with pytest.raises(ValueError, match="weighting"):
        TextEncoder(**encoder.settings).learn(facts, encoder.vocabulary())


def test_the_table_has_words_then_their_ngrams_then_the_same_of_characters():
    encoder = fitted(["b a", "b a a"], ngrams=3, char_ngrams=2, weighting="count")
    # Words, the most frequent first, and of equally frequent ones by the alphabet; n-grams by their numbers.
    words = [("a", None, None), ("b", None, None)]
    pairs = [(None, 0, 0), (None, 1, 0)]  # a a, b a
    triples = [(None, 1, 0)]  # (b a) a
    characters = [(" ", None, None), ("a", None, None), ("b", None, None)]
    character_pairs = [(None, 0, 1), (None, 0, 2), (None, 1, 0), (None, 2, 0)]  # ' a', ' b', 'a ', 'b '
    frame = encoder.vocabulary()
    assert dict(frame.schema) == SCHEMA
    assert frame.drop("weight").rows() == [*words, *pairs, *triples, *characters, *character_pairs]
    assert frame["weight"].to_list() == [1.0] * 12
    assert encoder.facts()["sizes"] == {"words": [2, 2, 1], "characters": [3, 4]}
    assert encoder.names()[:5] == ["a", "b", "a a", "b a", "b a a"]


def test_what_is_no_feature_has_no_weight_and_comes_back_as_none():
    encoder = fitted(["a b c", "a b", "a"], max_features=2, weighting="count")
    frame = encoder.vocabulary()
    assert encoder.names() == ["a", "b"]
    assert frame["weight"].to_list() == [1.0, 1.0, *[None] * (frame.height - 2)]
    found = from_disk(encoder)
    assert found.kept.tolist() == encoder.kept.tolist() == [0, 1, *[-1] * (frame.height - 2)]
    assert fitted(["a b", "b"]).kept is None
    assert from_disk(fitted(["a b", "b"])).kept is None


def test_weights_are_kept_to_the_last_bit():
    encoder = fitted(["a b c", "a b", "a d d"], weighting="tfidf")
    assert from_disk(encoder).feature_weights.tobytes() == encoder.feature_weights.tobytes()
    assert from_disk(encoder).row_norm == encoder.row_norm


def test_a_channel_that_has_found_nothing_is_kept_as_that():
    encoder = fitted(["abc", "abd"], min_count=2, char_ngrams=2)
    assert encoder.facts()["sizes"]["words"] == [0, 0]
    assert_same(from_disk(encoder), encoder, ["abc", "", "x"])


def test_odd_symbols_are_kept():
    texts = ["\x00 ' \u200b \U0001f600 '", "İ ǆ \x00 \U0010ffff '", "null None NaN '"]
    for lowercase in (True, False):
        encoder = fitted(texts, char_ngrams=3, lowercase=lowercase)
        assert_same(from_disk(encoder), encoder, texts)


def test_names_of_a_few_features_are_those_of_all():
    encoder = fitted(["a b c d", "b c d", "c a"], ngrams=2, char_ngrams=2, max_features=15)
    names = encoder.names()
    assert len(names) == 15
    some = np.array([14, 0, 3, 3])
    assert encoder.names(some) == [names[number] for number in some]
    assert encoder.names(np.zeros(0, dtype=np.int64)) == []


def test_an_encoder_of_texts_has_no_columns_and_needs_its_vocabulary():
    encoder = fitted(["a b", "b"])
    assert encoder.column_of is None
    with pytest.raises(ValueError, match="there is no vocabulary"):
        encoder.learn(encoder.facts(), None)


WRONG = {
    "columns": (lambda frame: frame.rename({"last": "first"}), None, "its columns are"),
    "rows": (lambda frame: frame[:-1], None, r"it has 3 rows; sizes are \{'words'"),
    "sizes": (lambda frame: frame, {"words": [2, 3]}, "it has 4 rows; sizes are"),
    "kinds": (lambda frame: frame, {"lines": [2, 2]}, "sizes are not those of a vocabulary"),
    "below 0": (lambda frame: frame, {"words": [2, -1, 3]}, "it has 4 rows; sizes are"),
    "too long": (lambda frame: frame, {"words": [2, 2, *[0] * MAX_N]}, "sizes are not those of a vocabulary"),
    "twice": (lambda frame: frame.with_columns(symbol=pl.Series(["a", "a", None, None])), None, "or there twice"),
    "missing": (lambda frame: frame.with_columns(symbol=pl.Series([None, "b", None, None])), None, "symbol is missing"),
    "prefix": (lambda frame: frame.with_columns(prefix=pl.Series([9] * 4, dtype=pl.Int32)), None, "what is not there"),
    "null": (lambda frame: frame.with_columns(prefix=pl.Series([None] * 4, dtype=pl.Int32)), None, "what is not there"),
    "order": (lambda frame: frame[[0, 1, 3, 2]], None, "not in order"),
    "NaN": (lambda frame: frame.with_columns(weight=pl.lit(float("nan"), pl.Float32)), None, "weight is no number"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_table_that_is_none_is_refused(wrong):
    encoder = fitted(["a b", "b a"], ngrams=2, weighting="count")
    change, sizes, match = WRONG[wrong]
    frame = encoder.vocabulary()
    assert frame["symbol"].to_list() == ["a", "b", None, None]
    with pytest.raises(ValueError, match=match):
        encoder.learn(encoder.facts() | ({"sizes": sizes} if sizes else {}), change(frame))
