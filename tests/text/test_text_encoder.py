"""Against scikit-learn, given the same words: its vocabularies, counts and weights, up to the length of the rows."""

import re
from collections import Counter
from itertools import product

import numpy as np
import polars as pl
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.preprocessing import normalize

from ratio_reference import ratios
from rosenblatt.data.recipe import ROW_NORM
from rosenblatt.errors import UserError
from rosenblatt.text.encoder import TextEncoder

RNG = np.random.default_rng(0)
WORDS = ["good", "Bad", "film", "isn't", "пьеса", "<br />", ",", "!", "7th", "naïve", "so", "好"]


def random_texts(count):
    weights = 1 / np.arange(1, len(WORDS) + 1)
    return [" ".join(RNG.choice(WORDS, RNG.integers(1, 12), p=weights / weights.sum())) for _ in range(count)]


TRAIN, TEST = random_texts(60), [*random_texts(20), "unseen words only", "", "good unseen film", "  "]
MEMBERSHIP = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, len(TRAIN))]


def words_of(text):
    return re.findall(r"</?[A-Za-z][^<>]*>|[\w']+|[^\w\s]", text)


def vectorizer(ngrams, char_ngrams, **options):
    if char_ngrams:
        return CountVectorizer(
            analyzer="char", ngram_range=(1, char_ngrams), preprocessor=lambda text: f" {text.lower()} ", **options
        )
    return CountVectorizer(tokenizer=words_of, token_pattern=None, ngram_range=(1, ngrams), **options)


def dense_of(bags, num_features):
    matrix = np.zeros((bags.num_rows, num_features))
    for row in range(bags.num_rows):
        pairs = slice(bags.offsets[row], bags.offsets[row + 1])
        matrix[row, bags.ids[pairs].numpy()] = bags.weights[pairs].numpy()
    return matrix


def encoded(train, test, membership=None, **options):
    encoder = TextEncoder(**{"min_count": 1, "char_ngrams": 0, "max_features": None, **options})
    membership = np.ones((len(train), 1)) if membership is None else membership
    rows_of_class = [np.flatnonzero(inside) for inside in membership.T]
    bags = encoder.fit_transform(pl.Series(train), rows_of_class), encoder.transform(pl.Series(test))
    assert len(encoder.names()) == encoder.num_features
    return encoder, *(dense_of(part, encoder.num_features) for part in bags)


@pytest.mark.parametrize("weighting", ["count", "binary", "tfidf"])
@pytest.mark.parametrize(("ngrams", "char_ngrams"), [(1, 0), (2, 0), (4, 0), (0, 1), (0, 3), (0, 5)])
def test_weights_are_those_of_scikit_learn(ngrams, char_ngrams, weighting):
    test = [text for text in TEST if text.strip()]  # of an empty text we take no characters, scikit-learn two spaces
    encoder, *ours = encoded(TRAIN, test, ngrams=ngrams, char_ngrams=char_ngrams, weighting=weighting)
    counter = vectorizer(ngrams, char_ngrams, binary=weighting == "binary")
    theirs = [counter.fit_transform(TRAIN), counter.transform(test)]
    if weighting == "tfidf":
        tfidf = TfidfTransformer(sublinear_tf=True).fit(theirs[0])
        theirs = [tfidf.transform(counts) for counts in theirs]
    names = [name[1:-1] for name in encoder.names()] if char_ngrams else encoder.names()  # without quotation marks
    assert sorted(names) == sorted(counter.vocabulary_)
    columns = [counter.vocabulary_[name] for name in names]
    if weighting == "tfidf":
        theirs = [ROW_NORM["tfidf"] * normalize(their) for their in theirs]
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(our, their.toarray()[:, columns], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("min_count", [2, 3, 8])
def test_ngrams_below_min_count_are_left_out(min_count):
    encoder, *_ = encoded(TRAIN, TEST, ngrams=3, min_count=min_count)
    counter = vectorizer(3, 0)
    counts = np.asarray(counter.fit_transform(TRAIN).sum(axis=0)).ravel()
    expected = [name for name, column in counter.vocabulary_.items() if counts[column] >= min_count]
    assert 0 < len(expected) < len(counts)
    assert sorted(encoder.names()) == sorted(expected)


def test_words_and_characters_stand_side_by_side():
    both, both_train, _ = encoded(TRAIN, TEST, ngrams=2, char_ngrams=2, weighting="count")
    words, words_train, _ = encoded(TRAIN, TEST, ngrams=2, weighting="count")
    characters, characters_train, _ = encoded(TRAIN, TEST, ngrams=0, char_ngrams=2, weighting="count")
    assert both.names() == words.names() + characters.names()
    for columns, alone in (
        (slice(words.num_features), words_train),
        (slice(words.num_features, None), characters_train),
    ):
        np.testing.assert_allclose(normalize(both_train[:, columns]), normalize(alone), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("options", [{"ngrams": 2}, {"ngrams": 0, "char_ngrams": 3}, {"ngrams": 1, "char_ngrams": 2}])
def test_max_features_keeps_those_in_most_rows(options):
    full, full_train, full_test = encoded(TRAIN, TEST, weighting="binary", **options)
    kept, kept_train, kept_test = encoded(TRAIN, TEST, weighting="binary", max_features=10, **options)
    frequency = (full_train > 0).sum(axis=0)
    assert kept.num_features == 10
    assert sorted((kept_train > 0).sum(axis=0)) == sorted(frequency)[-10:]
    assert set(kept.names()) < set(full.names())
    left = np.flatnonzero([name in kept.names() for name in full.names()])
    np.testing.assert_array_equal(kept_test > 0, full_test[:, left] > 0)


def test_every_row_has_the_same_length_and_empty_texts_are_empty_bags():
    several = ({"ngrams": 2}, {"ngrams": 0, "char_ngrams": 2}, {"ngrams": 1, "char_ngrams": 2})
    for options, weighting in product(several, ROW_NORM):
        _, train, test = encoded([*TRAIN, "", None], [*TEST, None], weighting=weighting, **options)
        lengths = [ROW_NORM[weighting]] * len(TRAIN) + [0, 0]
        np.testing.assert_allclose(np.linalg.norm(train, axis=1), lengths, rtol=1e-5)
        empty = [not (text or "").strip() for text in [*TEST, None]]
        assert (np.linalg.norm(test, axis=1)[empty] == 0).all()


def test_new_rows_are_as_long_as_those_that_were_trained_on_however_many():
    encoder = TextEncoder(ngrams=1, char_ngrams=0, weighting="tfidf")
    train = encoder.fit_transform(pl.Series(["a b", "b c"] * 10_000), [])
    test = encoder.transform(pl.Series(["a", "a b c"]))
    for bags in (train, test):
        squares = bags.weights[bags.offsets[0] : bags.offsets[1]].square().sum()
        assert squares.sqrt().item() == pytest.approx(ROW_NORM["tfidf"], rel=1e-5)


@pytest.mark.parametrize("weighting", ROW_NORM)
@pytest.mark.parametrize("max_features", [None, 20])
def test_words_and_characters_are_scaled_apart_and_then_together(weighting, max_features):
    train = [*TRAIN[:-2], "once alone", "never twice"]
    options = {"ngrams": 2, "char_ngrams": 2, "weighting": weighting, "max_features": max_features}
    encoder, *parts = encoded(train, [*TEST, "goo"], MEMBERSHIP, **options)
    words = np.array([not name.startswith("'") for name in encoder.names()])
    bags_of_words = [Counter(words_of(text.lower())) for text in train]
    total = sum(bags_of_words, Counter())
    share = sum(total[word] for word in total if sum(word in bag for bag in bags_of_words) > 1) / total.total()
    assert encoder.word_share == pytest.approx(share)
    assert 0.9 < share < 1
    both_norm = ROW_NORM[weighting] / np.hypot(share, 1)
    kinds = set()
    for matrix in parts:
        for row in matrix:
            of_words, of_characters = np.linalg.norm(row[words]), np.linalg.norm(row[~words])
            kinds.add((of_words > 0, of_characters > 0))
            if of_words > 0 and of_characters > 0:
                assert (of_words, of_characters) == pytest.approx((share * both_norm, both_norm), rel=1e-4)
            elif of_words > 0 or of_characters > 0:
                assert of_words + of_characters == pytest.approx(ROW_NORM[weighting], rel=1e-4)
    assert {(True, True), (False, True), (False, False)} <= kinds


def test_a_row_of_words_alone_is_as_long_as_others_even_where_all_words_are_new():
    for options in ({"char_ngrams": 1, "max_features": 2}, {"char_ngrams": 0}):
        encoder, train, _ = encoded(["a b"], [""], ngrams=1, weighting="tfidf", **options)
        assert (encoder.names(), encoder.word_share) == (["a", "b"], 0)
        assert np.linalg.norm(train) == pytest.approx(ROW_NORM["tfidf"], rel=1e-5)


@pytest.mark.parametrize("num_classes", [1, 2, 3, 5])
def test_weighting_by_itself_is_a_ratio_for_two_classes_and_else_tfidf(num_classes):
    membership = np.eye(num_classes)[np.arange(len(TRAIN)) % num_classes]
    weighs = "log_count_ratio" if num_classes <= 2 else "tfidf"
    auto, *ours = encoded(TRAIN, TEST, membership, weighting="auto")
    _, *said = encoded(TRAIN, TEST, membership, weighting=weighs)
    assert (auto.weighting, auto.weighs) == ("auto", weighs)
    for our, one in zip(ours, said, strict=True):
        np.testing.assert_array_equal(our, one)


def test_punctuation_is_an_option():
    assert sorted(encoded(["good, good!"], [""], ngrams=1)[0].names()) == ["!", ",", "good"]
    assert encoded(["good, good!"], [""], ngrams=2, punctuation=False)[0].names() == ["good", "good good"]


def test_words_that_training_never_had_are_left_out():
    encoder, _, test = encoded(["a b c", "b c"], ["x y", "a x c", "b c z"], ngrams=2, weighting="count")
    assert [{encoder.names()[i] for i in row.nonzero()[0]} for row in test] == [set(), {"a", "c"}, {"b", "c", "b c"}]


def test_lowercase_is_an_option():
    assert encoded(["Good good"], [""], ngrams=1)[0].names() == ["good"]
    assert sorted(encoded(["Good good"], [""], ngrams=1, lowercase=False)[0].names()) == ["Good", "good"]


def test_log_count_ratio_weights_are_the_ratio_of_each_word_that_is_there():
    encoder, train, test = encoded(TRAIN, TEST, MEMBERSHIP, ngrams=2, weighting="log_count_ratio")
    counter = vectorizer(2, 0, binary=True)
    present = counter.fit_transform(TRAIN).toarray()
    columns = [counter.vocabulary_[name] for name in encoder.names()]
    weights = ratios(present, MEMBERSHIP)
    norm = ROW_NORM["log_count_ratio"]
    np.testing.assert_allclose(train, norm * normalize(present * weights)[:, columns], rtol=1e-4, atol=1e-5)
    seen = counter.transform(TEST).toarray()
    np.testing.assert_allclose(test, norm * normalize(seen * weights)[:, columns], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"ngrams": -1}, ["data.ngrams", "at least 0", "got -1"]),
        ({"char_ngrams": -1}, ["data.char_ngrams", "at least 0", "got -1"]),
        ({"min_count": 0}, ["data.min_count", "at least 1", "got 0"]),
        ({"max_features": 0}, ["data.max_features", "at least 1", "got 0"]),
        ({"ngrams": 0}, ["data.ngrams and data.char_ngrams are both 0"]),
        ({"weighting": "tf-idf"}, ["data.weighting", "'log_count_ratio'", "got 'tf-idf'", "Did you mean 'tfidf'?"]),
        ({"min_count": 3}, ["vocabulary is empty", "occurs 3 times", "2 training texts", "data.min_count=1"]),
    ],
)
def test_settings_that_leave_nothing_to_learn_from_are_told(options, parts):
    with pytest.raises(UserError) as error:
        encoded(["a b", "b c"], ["a"], **options)
    for part in parts:
        assert part in str(error.value)


def test_nothing_is_said_of_words_where_none_are_read(caplog):
    caplog.set_level("INFO")
    TextEncoder(ngrams=0).fit_transform(pl.Series(TRAIN), rows_of_class=[])
    assert "Texts are read as characters and their n-grams up to 5." in caplog.messages
