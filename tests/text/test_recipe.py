import csv
import logging

import numpy as np
import polars as pl
import pytest
import torch

from rosenblatt.data.module import DataModule
from rosenblatt.data.recipe import (
    MAX_CHARACTER_WORK,
    MAX_CHARACTERS,
    MAX_WEIGHTS,
    MIN_FEATURES,
    ROW_NORM,
    UNSEEN_NAMES,
    batch_size_for,
    char_ngrams_for,
    max_features_for,
)
from rosenblatt.errors import UserError
from rosenblatt.tasks.binary import Binary
from rosenblatt.text import encoder as text
from rosenblatt.text.data import TextData
from rosenblatt.text.encoder import TextEncoder

ABOVE = 1 + 1e-9


FEW = MAX_CHARACTER_WORK // MAX_CHARACTERS  # outputs up to which the number of characters alone decides


@pytest.mark.parametrize(
    ("unseen", "num_characters", "num_outputs", "longest"),
    [
        (0.0, 0, 1, 5),
        (0.0, MAX_CHARACTERS, 1, 5),
        (0.0, MAX_CHARACTERS + 1, 1, 0),
        (0.0, MAX_CHARACTERS, FEW, 5),
        (0.0, MAX_CHARACTERS, FEW + 1, 0),
        (0.0, MAX_CHARACTER_WORK // 100, 100, 5),
        (0.0, MAX_CHARACTER_WORK // 100 + 1, 100, 0),
        (UNSEEN_NAMES, MAX_CHARACTERS + 1, 1, 0),
        (UNSEEN_NAMES * ABOVE, MAX_CHARACTERS + 1, 1, 5),
        (UNSEEN_NAMES * ABOVE, MAX_CHARACTERS, 1000, 5),
        (1.0, 10**12, 1, 5),
    ],
)
def test_characters_are_read_where_they_are_cheap_and_where_most_words_will_be_unknown(
    unseen, num_characters, num_outputs, longest
):
    assert char_ngrams_for(unseen, num_characters, num_outputs) == longest


@pytest.mark.parametrize("num_outputs", [1, 3, 20, 800])
def test_features_are_as_many_as_keep_the_weights_at_their_bound(num_outputs):
    kept = max_features_for(num_outputs)
    assert kept * num_outputs <= MAX_WEIGHTS < (kept + 1) * num_outputs


def test_with_thousands_of_classes_some_features_are_kept_all_the_same():
    assert max_features_for(801) == max_features_for(100_000) == MIN_FEATURES


@pytest.mark.parametrize(
    ("num_rows", "batch_size"),
    [
        (0, 4),
        (141, 4),
        (142, 4),
        (565, 4),
        (566, 8),
        (1600, 16),
        (2262, 16),
        (2263, 32),
        (10_000, 128),
        (25_000, 256),
        (409_600, 4096),
        (10**9, 4096),
    ],
)
def test_a_batch_is_the_power_of_two_next_to_a_hundredth_of_the_rows(num_rows, batch_size):
    assert batch_size_for(num_rows) == batch_size


class Given(DataModule):
    def load(self):
        return Binary(), {"train": (torch.zeros(3000, 2), torch.zeros(3000, dtype=torch.int64))}


@pytest.mark.parametrize(("given", "batch_size"), [("auto", 32), (7, 7)])
def test_a_batch_size_is_chosen_unless_it_is_given(given, batch_size):
    data = Given(given, seed=0)
    data.setup()
    assert (data.batch_size, len(next(iter(data.train_dataloader()))[1])) == (batch_size, batch_size)


@pytest.mark.parametrize("given", [0, -1])
def test_a_batch_without_rows_is_told(given):
    with pytest.raises(UserError, match=f"data.batch_size: expected auto or a whole number .*at least 1; got {given}"):
        Given(given, seed=0)


NAMES = [f"{first}{middle}{last}" for first in "BDKL" for middle in "aeo" for last in ("rdin", "ski", "mann", "ley")]
REVIEWS = ["the food was good and the staff was friendly", "the place was cold and the food was bad"] * 100


def fitted(texts, num_outputs=1, **options):
    encoder = TextEncoder(**{"min_count": 1, **options})
    half = len(texts) // 2
    encoder.fit_transform(pl.Series(texts), [np.arange(half), np.arange(half, len(texts))], num_outputs)
    return encoder


def longest_of(encoder):
    return {type(symbols).__name__: ngrams.max_n for symbols, ngrams in encoder.channels}


def test_names_are_read_by_their_characters_and_of_texts_of_known_words_only_few(caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("rosenblatt.data.recipe.MAX_CHARACTERS", 200)
    assert longest_of(fitted(NAMES)) == {"Words": 2, "Characters": 5}
    assert longest_of(fitted(REVIEWS)) == {"Words": 2}
    assert longest_of(fitted(REVIEWS[:4])) == {"Words": 2, "Characters": 5}
    assert caplog.messages == [
        "Texts are read as words and their n-grams up to 2 and as characters and their n-grams up to 5 "
        "(about 100.0% of the words in new texts will be unknown).",
        "Texts are read as words and their n-grams up to 2 (about 0.0% of the words in new texts will be unknown).",
        "Texts are read as words and their n-grams up to 2 and as characters and their n-grams up to 5 "
        "(about 0.0% of the words in new texts will be unknown).",
    ]


@pytest.mark.parametrize("texts", [NAMES, REVIEWS], ids=["names", "reviews"])
@pytest.mark.parametrize(("given", "read"), [(0, {"Words": 2}), (3, {"Words": 2, "Characters": 3})], ids=str)
def test_a_number_wins_over_the_rule(texts, given, read, caplog):
    caplog.set_level(logging.INFO)
    assert longest_of(fitted(texts, char_ngrams=given)) == read
    assert "unknown" not in caplog.text


def test_without_words_texts_are_read_by_their_characters():
    assert longest_of(fitted(REVIEWS, ngrams=0)) == {"Characters": 5}


def test_where_some_words_are_unknown_the_number_of_characters_decides(monkeypatch):
    some = ["known words here", "known words here", *(["known words here now once"] * 2), " ".join(NAMES[:2])]
    num_characters = sum(map(len, some))  # 2 of 18 words occur once
    monkeypatch.setattr("rosenblatt.data.recipe.MAX_CHARACTERS", num_characters)
    assert longest_of(fitted(some)) == {"Words": 2, "Characters": 5}
    monkeypatch.setattr("rosenblatt.data.recipe.MAX_CHARACTERS", num_characters - 1)
    assert longest_of(fitted(some)) == {"Words": 2}
    assert longest_of(fitted(NAMES)) == {"Words": 2, "Characters": 5}  # names whatever their number


def test_with_many_classes_the_most_frequent_features_are_kept_and_it_is_told(caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    options = {"ngrams": 1, "char_ngrams": 0, "weighting": "binary"}
    texts = ["a b c d", "a b c", "a b", "a"]
    monkeypatch.setattr(text, "max_features_for", lambda num_outputs: 30 // num_outputs)
    assert fitted(texts, 7, **options).names() == ["a", "b", "c", "d"]  # 30 // 7: as many as there are
    assert "are kept" not in caplog.text
    assert fitted(texts, 10, **options).names() == ["a", "b", "c"]
    assert caplog.messages[-1] == (
        "Of 4 features the 3 most frequent are kept, since each has 10 weights to learn (data.max_features)."
    )
    assert fitted(texts, 10, max_features=None, **options).num_features == 4
    assert fitted(texts, 1, max_features=2, **options).names() == ["a", "b"]


@pytest.mark.parametrize(("num_classes", "label_separator", "num_outputs"), [(2, None, 1), (3, None, 3), (2, ",", 2)])
def test_the_outputs_that_share_the_features_are_those_of_the_model(
    num_classes, label_separator, num_outputs, tmp_path, monkeypatch
):
    asked = []
    monkeypatch.setattr(text, "max_features_for", lambda number: asked.append(number) or 5)
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *((f"word{i} more", f"c{i % num_classes}") for i in range(30))])
        if label_separator:
            csv.writer(file).writerow(("both", "c0,c1"))
    path = str(tmp_path / "a.csv")
    data = TextData(train=path, val=path, test=path, label_separator=label_separator)
    data.setup()
    assert asked == [data.task.num_outputs] == [num_outputs]
    assert data.sizes["num_features"] == 5


@pytest.mark.parametrize(
    ("labels", "options", "weighs"),
    [
        (["x", "y"], {}, "log_count_ratio"),
        (["x", "y", "z"], {}, "tfidf"),
        (["x", "y", "x,y"], {"label_separator": ","}, "log_count_ratio"),
        (["x", "y", "x,z"], {"label_separator": ","}, "tfidf"),
        (["1", "2", "3.5", "4"], {"task": "regression"}, "log_count_ratio"),  # of the half above the median
    ],
    ids=["two classes", "three classes", "two labels", "three labels", "numbers"],
)
def test_how_features_are_weighed_is_chosen_by_what_the_labels_are(labels, options, weighs, tmp_path):
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *((f"word{i % 9}", labels[i % len(labels)]) for i in range(60))])
    data = TextData(train=str(tmp_path / "a.csv"), **options)
    data.setup()
    assert (data.encoder.weighting, data.encoder.weighs) == ("auto", weighs)
    norm = data.splits["test"][0].weights[: data.splits["test"][0].offsets[1]].norm().item()
    assert norm == pytest.approx(ROW_NORM[weighs], rel=1e-4)
