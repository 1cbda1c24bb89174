"""Rows that a thread reads while Lightning is imported."""

from __future__ import annotations

import logging

import pytest
import torch

from rosenblatt.data import ahead
from rosenblatt.data.features import tensors_of
from rosenblatt.errors import UserError
from rosenblatt.text.data import TextData
from rosenblatt.text.rows import TextRows


@pytest.fixture(autouse=True)
def _nothing_is_left():
    yield
    ahead.begun.clear()


@pytest.fixture
def handler():
    """A handler of all loggers, as runs have them, and what it was given."""

    class Keep(logging.Handler):
        def emit(self, record):
            self.messages.append(record.getMessage())

    keep = Keep()
    keep.messages = []
    root = logging.getLogger()
    root.addHandler(keep)
    logging.getLogger("rosenblatt").setLevel(logging.INFO)
    yield keep
    root.removeHandler(keep)


def test_what_was_read_ahead_is_what_would_be_read_and_what_was_said_is_said_once_it_is_taken(reviews, handler):
    alone = TextData(str(reviews))
    alone.setup()
    said = [*handler.messages]
    assert said
    handler.messages.clear()
    ahead.begin(lambda: TextRows(str(reviews)))
    ahead.begun[-1].join()
    assert handler.messages == []
    data = TextData(str(reviews))
    thread = ahead.begun[-1]
    data.setup()
    assert handler.messages == said
    assert data.splits is thread.found[1]
    assert (data.task, data.encoder.num_features) == (alone.task, alone.encoder.num_features)
    for split, batch in alone.splits.items():
        for one, other in zip(tensors_of(batch), tensors_of(data.splits[split]), strict=True):
            assert torch.equal(one, other)
    assert len(data.refit_dataloader()) == len(alone.refit_dataloader())


def test_rows_of_other_settings_are_read_anew(reviews):
    ahead.begin(lambda: TextRows(str(reviews), ngrams=1))
    data = TextData(str(reviews), ngrams=2)
    data.setup()
    assert data.splits is not ahead.begun[-1].found
    assert len(ahead.begun) == 1


def test_a_mistake_is_told_by_whoever_asks_for_the_rows(tmp_path, handler):
    path = tmp_path / "broken.csv"
    path.write_text("text,label\ngood,a\nbad,b\n" * 2 + "text,label,more,and,more\n")
    ahead.begin(lambda: TextRows(str(path)))
    ahead.begun[-1].join()
    assert handler.messages == []
    with pytest.raises(UserError):
        TextData(str(path)).setup()


@pytest.mark.parametrize("path", ["nowhere.csv", "http://127.0.0.1:9/reviews.csv"])
def test_what_is_no_file_here_is_not_read_ahead(path):
    ahead.begin(lambda: TextRows(path))
    assert ahead.begun == []


def test_settings_that_are_wrong_are_left_to_be_told_later(reviews):
    ahead.begin(lambda: TextRows(str(reviews), ngrams=-1))
    assert ahead.begun == []
